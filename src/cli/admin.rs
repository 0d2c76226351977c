//! Asks over a Unix socket: one JSON line there, one back (format 1).

use core::time::Duration;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::{Value, json};

/// The version of requests and answers.
pub(super) const ADMIN_FORMAT: u32 = 1;
/// The longest answer that is read.
const ANSWER_LIMIT_OCTETS: u64 = 256 * 1024 * 1024;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The answer to `op`, or in words why there is none.
pub(super) fn ask(socket: &Path, op: &str) -> Result<Value, String> {
    request(socket, &json!({"format": ADMIN_FORMAT, "op": op}))
}

/// The answer to a whole request.
pub(super) fn request(socket: &Path, request: &Value) -> Result<Value, String> {
    let line = converse(socket, request).map_err(|error| match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            let is_order = ["order", "reload"].iter().any(|op| request["op"] == *op);
            let still =
                if is_order { "; it may still be done later: look before you go on" } else { "" };
            format!("{}: no answer within {} s{still}", socket.display(), PATIENCE.as_secs())
        }
        _ => format!("{}: {error}", socket.display()),
    })?;
    let mut answer: Value = serde_json::from_str(&line)
        .map_err(|error| format!("{}: the answer is no JSON: {error}", socket.display()))?;
    if let Some(problem) = answer.get("error").and_then(Value::as_str) {
        return Err(problem.into());
    }
    match answer.get_mut("ok") {
        Some(value) => Ok(value.take()),
        None => Err(format!("{}: the answer has neither `ok` nor `error`", socket.display())),
    }
}

fn converse(socket: &Path, request: &Value) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{request}\n").as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream.take(ANSWER_LIMIT_OCTETS)).read_line(&mut line)?;
    Ok(line)
}
