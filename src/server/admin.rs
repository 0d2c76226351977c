//! The admin socket: one JSON request a line, one JSON answer a line (format 1).

use core::time::Duration;
use std::io;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader,
};
use tokio::net::{UnixListener, UnixStream};

use super::clock::within_real_time;
use super::report::What;
use super::runtime::Observer;
use crate::clause;
use crate::protocol::operator::{Order, Selection};
use crate::wire::message::Address;

/// The only value of `format` that this version speaks.
pub const ADMIN_FORMAT: u32 = 1;
/// The longest request with its end of line: an order that names each message of a long queue.
pub const REQUEST_LIMIT_OCTETS: usize = 1024 * 1024;

/// How long accepting rests when the system has no file left.
const REST: Duration = Duration::from_millis(100);

/// One request: `status`, `linkstate`, `members`, `accounts` and `reload` take nothing more, `queue` and `show` what is meant,
/// `owner` an account, `order` the order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    format: u32,
    op: String,
    which: Option<Selection>,
    order: Option<Order>,
    account: Option<Address>,
}

/// What a request asks for.
enum Wish {
    Look(What),
    Order(Order),
    Reload,
}

impl Request {
    fn wish(self) -> Result<Wish, String> {
        if self.format != ADMIN_FORMAT {
            return Err(format!("format {}, expected {ADMIN_FORMAT}", self.format));
        }
        match (self.op.as_str(), self.which, self.order, self.account) {
            ("queue", which, None, None) => Ok(Wish::Look(What::Queue(which.unwrap_or_default()))),
            ("show", which, None, None) => {
                Ok(Wish::Look(What::Messages(which.unwrap_or_default())))
            }
            ("reload", None, None, None) => Ok(Wish::Reload),
            ("order", None, Some(order), None) => Ok(Wish::Order(order)),
            ("order", ..) => Err("`order` takes `order` and nothing else".into()),
            ("owner", None, None, Some(account)) => Ok(Wish::Look(What::Owner(account))),
            ("owner", ..) => Err("`owner` takes `account` and nothing else".into()),
            (op, None, None, None) => match What::named(op) {
                Some(what) => Ok(Wish::Look(what)),
                None => Err(format!("unknown op `{op}`")),
            },
            (op, ..) => Err(format!("`{op}` takes no such field")),
        }
    }
}

/// Serves requests on a socket at `path` for as long as the runtime lives.
///
/// # Errors
/// The socket cannot be made, or another process serves it.
pub fn serve(path: &Path, observer: Observer) -> io::Result<()> {
    remove_stale(path)?;
    let listener = UnixListener::bind(path)?;
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // No file is left for it now; there will be.
                let _ = within_real_time(REST, core::future::pending::<()>()).await;
                continue;
            };
            let observer = observer.clone();
            tokio::spawn(async move {
                // An operator who goes away needs no answer.
                let _ = answer_all(stream, &observer).await;
            });
        }
    });
    Ok(())
}

/// A socket that a killed process has left behind must not keep the next one from starting.
fn remove_stale(path: &Path) -> io::Result<()> {
    if BlockingStream::connect(path).is_ok() {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

async fn answer_all(mut stream: UnixStream, observer: &Observer) -> io::Result<()> {
    let (reading, mut writing) = stream.split();
    let mut reading = BufReader::new(reading);
    loop {
        let mut line = Vec::new();
        let limited = &mut (&mut reading).take(REQUEST_LIMIT_OCTETS as u64);
        if limited.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let is_long = line.len() == REQUEST_LIMIT_OCTETS && !line.ends_with(b"\n");
        let mut answer = if is_long {
            skip_line(&mut reading).await?;
            refusal(&format!("a request may have {REQUEST_LIMIT_OCTETS} octets"))
        } else {
            answer(&line, observer).await
        }
        .to_string();
        answer.push('\n');
        writing.write_all(answer.as_bytes()).await?;
    }
}

/// Drops octets up to and with the end of the line.
async fn skip_line(reading: &mut (impl AsyncBufRead + Unpin)) -> io::Result<()> {
    loop {
        let waiting = reading.fill_buf().await?;
        let end = waiting.iter().position(|octet| *octet == b'\n');
        let octets = end.map_or(waiting.len(), |place| place + 1);
        reading.consume(octets);
        if end.is_some() || octets == 0 {
            return Ok(());
        }
    }
}

fn refusal(problem: &str) -> Value {
    json!({"format": ADMIN_FORMAT, "error": problem})
}

async fn answer(line: &[u8], observer: &Observer) -> Value {
    clause!(SV_051);
    match answered(line, observer).await {
        Ok(answer) => json!({"format": ADMIN_FORMAT, "ok": answer}),
        Err(problem) => refusal(&problem),
    }
}

async fn answered(line: &[u8], observer: &Observer) -> Result<Value, String> {
    let request: Request =
        serde_json::from_slice(line).map_err(|error| format!("bad request: {error}"))?;
    let answer = match request.wish()? {
        Wish::Look(what) => observer.report(what).await,
        Wish::Order(order) => observer.order(order).await.map(|answer| json!(answer)),
        Wish::Reload => Some(json!({"revision": observer.reload().await?})),
    };
    answer.ok_or_else(|| "the member is stopping".into())
}
