//! The admin socket: one JSON request a line, one JSON answer a line (format 1).

use core::time::Duration;
use std::io;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::clock::within_real_time;
use super::report::What;
use super::runtime::Observer;

/// The only value of `format` that this version speaks.
pub const ADMIN_FORMAT: u32 = 1;
/// The longest request.
pub const REQUEST_LIMIT_OCTETS: u64 = 64 * 1024;

/// How long accepting rests when the system has no file left.
const REST: Duration = Duration::from_millis(100);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    format: u32,
    op: String,
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
        let limited = &mut (&mut reading).take(REQUEST_LIMIT_OCTETS);
        if limited.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let mut answer = answer(&line, observer).await.to_string();
        answer.push('\n');
        writing.write_all(answer.as_bytes()).await?;
    }
}

async fn answer(line: &[u8], observer: &Observer) -> Value {
    let request: Request = match serde_json::from_slice(line) {
        Ok(request) => request,
        Err(error) => {
            return json!({"format": ADMIN_FORMAT, "error": format!("bad request: {error}")});
        }
    };
    if request.format != ADMIN_FORMAT {
        let problem = format!("format {}, expected {ADMIN_FORMAT}", request.format);
        return json!({"format": ADMIN_FORMAT, "error": problem});
    }
    let Some(what) = What::named(&request.op) else {
        let problem = format!("unknown op `{}`", request.op);
        return json!({"format": ADMIN_FORMAT, "error": problem});
    };
    match observer.report(what).await {
        Some(report) => json!({"format": ADMIN_FORMAT, "ok": report}),
        None => json!({"format": ADMIN_FORMAT, "error": "the member is stopping"}),
    }
}
