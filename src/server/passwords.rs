//! Logins are checked on threads of their own, a few at a time: a check takes memory and a while.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use super::net::Network;
use super::runtime::ToHost;
use super::tokens::{Kind, Token};
use crate::clause;
use crate::protocol::organization::{Organization, Verdict};
use crate::protocol::server::Wire;
use crate::wire::ids::ConnectionId;
use crate::wire::smtp::auth::Login;

/// How many logins are checked at a time.
const CHECKS_AT_ONCE: usize = 2;
/// How many more may wait for that; whoever comes then is told to try again.
const CHECKS_WAITING_LIMIT: usize = 64;

/// The desk where logins are checked.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    free: Arc<Semaphore>,
    /// Those that are checked, and those that wait.
    under_way: Arc<AtomicUsize>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(CHECKS_AT_ONCE)), under_way: Arc::default() }
    }
}

/// Counts one check until it is dropped.
struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Passwords {
    /// A place among those that are checked or wait, unless there are too many.
    fn enter(&self) -> Option<UnderWay> {
        let entered = UnderWay(Arc::clone(&self.under_way));
        let before = self.under_way.fetch_add(1, Ordering::SeqCst);
        (before < CHECKS_AT_ONCE + CHECKS_WAITING_LIMIT).then_some(entered)
    }

    /// Checks a login; its session hears of it.
    pub(crate) fn check(
        &self,
        (network, organization): (&Arc<Network>, &Arc<Organization>),
        connection: ConnectionId,
        (attempt, login): (u32, Login),
        token: &Token,
    ) {
        clause!(SV_073);
        let (network, organization) = (Arc::clone(network), Arc::clone(organization));
        let (token, free, entered) = (token.also(Kind::Ask), Arc::clone(&self.free), self.enter());
        tokio::spawn(async move {
            let verdict = match entered {
                Some(_entered) => verify(&free, organization, login).await,
                None => Verdict::Unavailable,
            };
            let wire = Wire::Checked { attempt, verdict };
            let token = token.into_kind(Kind::Input);
            network.tell(ToHost::Said { connection, wire, token });
        });
    }
}

async fn verify(free: &Semaphore, organization: Arc<Organization>, login: Login) -> Verdict {
    let Ok(_permit) = free.acquire().await else { return Verdict::Unavailable };
    let checked = tokio::task::spawn_blocking(move || organization.verify(&login));
    checked.await.unwrap_or(Verdict::Unavailable)
}

#[cfg(test)]
mod tests {
    use super::*;

    // SV-073
    #[test]
    fn a_crowd_at_the_desk_is_sent_away() {
        let desk = Passwords::default();
        let mut inside = Vec::new();
        for _ in 0..CHECKS_AT_ONCE + CHECKS_WAITING_LIMIT {
            inside.push(desk.enter().expect("there is room"));
        }
        assert!(desk.enter().is_none(), "there is no room");
        inside.pop();
        assert!(desk.enter().is_some(), "there is room again");
    }
}
