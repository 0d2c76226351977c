//! When a member is idle.
//!
//! Octets that lie in a kernel buffer are no token. The suite sees them as a difference between its
//! own counts and ours; what the adapter adds is that it looks at every socket before it answers.

use core::time::Duration;

use serde_json::{Value, json};

use super::super::clock::within_real_time;
use super::super::net::{Registry, Shown};
use super::super::tokens::Tokens;
use crate::clause;

/// How long `quiesce` waits.
const LIMIT: Duration = Duration::from_secs(5);

/// How long it waits for far ends, when there is nothing else to wait for. The suite is itself the far end of
/// most connections, and goes on with a handshake only when it has its answer: then it asks again.
const PATIENCE: Duration = Duration::from_millis(20);

/// How many turns of the runtime must pass with nothing under way. In each one the runtime asks the
/// kernel which sockets are ready and runs the tasks that it finds.
const TURNS: usize = 8;

/// Waits until nothing is under way; whether that came true.
pub(super) async fn until_idle(tokens: &Tokens, registry: &Registry) -> bool {
    clause!(CO_008);
    within_real_time(LIMIT, async {
        loop {
            if is_quiet(tokens, registry).await {
                return;
            }
            if tokens.held() == 0 {
                continue;
            }
            let released = within_real_time(PATIENCE, tokens.released()).await;
            if released.is_none() && tokens.held_here() == 0 {
                return;
            }
        }
    })
    .await
    .is_some()
}

/// Whether nothing was under way, arrived or left for some turns.
async fn is_quiet(tokens: &Tokens, registry: &Registry) -> bool {
    let before = registry.activity();
    for _ in 0..TURNS {
        tokio::task::yield_now().await;
        if tokens.held() > 0 {
            return false;
        }
    }
    registry.activity() == before
}

/// A connection as the suite reads it.
pub(super) fn show(shown: &Shown) -> Value {
    json!({
        "local": shown.local, "remote": shown.remote, "received": shown.received,
        "sent": shown.sent, "eof": shown.eof, "reset": shown.reset, "closed": shown.closed,
    })
}
