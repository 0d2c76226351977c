//! The control socket of `cluster up`: cut and heal links, say what runs.

use alloc::sync::Arc;
use std::io;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Mutex;

use super::children::Member;
use super::relay::Relay;
use crate::cli::admin::ADMIN_FORMAT;

/// The longest request.
const REQUEST_LIMIT_OCTETS: u64 = 64 * 1024;

/// A cluster that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) members: Mutex<Vec<Member>>,
    pub(super) relays: Vec<Relay>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    format: u32,
    op: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    both: bool,
}

/// Serves the socket for as long as the runtime lives. A socket that a killed process left is replaced.
pub(super) fn serve(path: &Path, running: Arc<Running>) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let running = Arc::clone(&running);
            tokio::spawn(async move {
                // An operator who goes away needs no answer.
                let _ = answer_one(stream, &running).await;
            });
        }
    });
    Ok(())
}

async fn answer_one(mut stream: UnixStream, running: &Running) -> io::Result<()> {
    let (reading, mut writing) = stream.split();
    let mut line = Vec::new();
    BufReader::new(reading.take(REQUEST_LIMIT_OCTETS)).read_until(b'\n', &mut line).await?;
    let answer = match answer(&line, running).await {
        Ok(value) => json!({"format": ADMIN_FORMAT, "ok": value}),
        Err(problem) => json!({"format": ADMIN_FORMAT, "error": problem}),
    };
    writing.write_all(format!("{answer}\n").as_bytes()).await
}

async fn answer(line: &[u8], running: &Running) -> Result<Value, String> {
    let request: Request =
        serde_json::from_slice(line).map_err(|error| format!("bad request: {error}"))?;
    if request.format != ADMIN_FORMAT {
        return Err(format!("format {}, expected {ADMIN_FORMAT}", request.format));
    }
    match request.op.as_str() {
        "cut" => set(&request, running, false).await,
        "heal" => set(&request, running, true).await,
        "status" => Ok(status(running).await),
        other => Err(format!("unknown op `{other}`")),
    }
}

async fn set(request: &Request, running: &Running, is_open: bool) -> Result<Value, String> {
    let Request { from, to, both, .. } = request;
    let mut connectors = Vec::new();
    for relay in &running.relays {
        let ends = (relay.planned.from.as_str(), relay.planned.to.as_str());
        if ends == (from, to) || (*both && ends == (to, from)) {
            let name = relay.planned.connector.to_string();
            relay.set(is_open).await.map_err(|error| format!("{name}: {error}"))?;
            if !connectors.contains(&name) {
                connectors.push(name);
            }
        }
    }
    if connectors.is_empty() {
        return Err(format!("no connector leads from `{from}` to `{to}`"));
    }
    Ok(json!({ "connectors": connectors }))
}

async fn status(running: &Running) -> Value {
    let mut members = Vec::new();
    for member in running.members.lock().await.iter_mut() {
        let ended = member.ended();
        members.push(json!({"name": member.name, "process": member.id(), "ended": ended}));
    }
    let relays: Vec<Value> = running
        .relays
        .iter()
        .map(|relay| {
            json!({
                "connector": relay.planned.connector, "from": relay.planned.from,
                "to": relay.planned.to, "target": relay.planned.target,
                "is_open": relay.is_open(), "connections": relay.connections(),
            })
        })
        .collect();
    json!({ "members": members, "links": relays })
}
