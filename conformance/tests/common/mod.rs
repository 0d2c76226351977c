//! Runs the program as a person would, and reads its report.
#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod logins;

use core::net::SocketAddr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// What a run printed and left behind.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the program.
pub(crate) fn run(args: &[&str]) -> Ran {
    let output: Output = Command::new(env!("CARGO_BIN_EXE_bridgehead-conformance"))
        .args(args)
        .output()
        .expect("the program starts");
    Ran {
        code: output.status.code().expect("the program ends by itself"),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The adapter around a small mail server that lies beside the tests.
pub(crate) fn fake_adapter() -> String {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake_adapter.py");
    place.to_str().expect("a path of text").to_owned()
}

/// `summary.json` of a report.
pub(crate) fn summary(directory: &Path) -> Value {
    let text = std::fs::read(directory.join("summary.json")).expect("a summary was written");
    serde_json::from_slice(&text).expect("the summary is JSON")
}

/// How many cases of a level have a verdict.
pub(crate) fn count(summary: &Value, level: &str, verdict: &str) -> usize {
    let cases = summary["cases"].as_array().expect("a summary lists its cases");
    cases.iter().filter(|case| case["level"] == level && case["verdict"] == verdict).count()
}

/// The events of a report.
pub(crate) fn events(directory: &Path) -> PathBuf {
    directory.join("events.jsonl")
}

/// Changes the text of the records and makes the hashes fit again.
pub(crate) fn forge(path: &Path, change: impl Fn(&str) -> String) {
    let text = std::fs::read_to_string(path).expect("the events are text");
    let mut before = "0".repeat(64);
    let mut forged = String::new();
    for line in text.lines() {
        let body = &line[r#"{"hash":""#.len() + 64 + r#"","line":"#.len()..line.len() - 1];
        let body = change(body);
        let digest = Sha256::new().chain_update(&before).chain_update(&body).finalize();
        before = digest.iter().map(|octet| format!("{octet:02x}")).collect();
        forged.push_str(&format!("{{\"hash\":\"{before}\",\"line\":{body}}}\n"));
    }
    std::fs::write(path, forged).expect("the events are writable");
}

/// A port that was free a moment ago may be anybody's now; on this one no host listens.
pub(crate) const NOBODY_LISTENS: &str = "127.0.0.1:1";

/// Listens, and serves each connection in its own thread, until the process ends.
pub(crate) fn listen(serve: fn(TcpStream) -> std::io::Result<()>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound listener has an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Greets, then answers each line with what `answer` gives.
pub(crate) fn greet_and(
    mut stream: TcpStream,
    answer: impl Fn(&[u8]) -> Vec<u8>,
) -> std::io::Result<()> {
    stream.write_all(b"220 null.test ready\r\n")?;
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        stream.write_all(&answer(&line))?;
    }
}

/// Reads until the other side ends.
pub(crate) fn drain(mut stream: TcpStream) -> std::io::Result<()> {
    std::io::copy(&mut stream, &mut std::io::sink()).map(|_| ())
}
