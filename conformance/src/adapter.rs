//! Drives adapters: one process for each node, JSON Lines on its standard input and output.

use core::time::Duration;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use serde_json::{Value, json};

use crate::clock::Patience;

/// Why an adapter gave no usable answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AdapterError {
    /// It answered with an error.
    Refused {
        /// The slug, such as `unknown-op`.
        slug: String,
        /// What it says.
        text: String,
    },
    /// It died, is silent, or talks nonsense.
    Broken(String),
}

impl core::fmt::Display for AdapterError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Refused { slug, text } => write!(f, "refused with `{slug}`: {text}"),
            Self::Broken(problem) => f.write_str(problem),
        }
    }
}

/// A request that was sent and is not answered yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    id: u64,
    op: String,
}

/// One adapter process.
pub(crate) struct Adapter {
    child: Child,
    requests: Option<ChildStdin>,
    answers: Receiver<String>,
    next: u64,
    wait: Duration,
}

impl Adapter {
    /// Starts the command; its log goes to a file.
    pub(crate) fn spawn(
        command: &[OsString],
        log: &Path,
        patience: Patience,
    ) -> Result<Self, AdapterError> {
        let wrong = |error: std::io::Error| {
            let name = command.first().map(|word| word.to_string_lossy().into_owned());
            AdapterError::Broken(format!("cannot start {}: {error}", name.unwrap_or_default()))
        };
        if let Some(parent) = log.parent() {
            std::fs::create_dir_all(parent).map_err(wrong)?;
        }
        let log = std::fs::File::create(log).map_err(wrong)?;
        let (program, args) = command
            .split_first()
            .ok_or_else(|| AdapterError::Broken("the adapter command is empty".into()))?;
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(wrong)?;
        let requests = child.stdin.take();
        let output = child.stdout.take();
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            for line in output.into_iter().flat_map(|output| BufReader::new(output).lines()) {
                let Ok(line) = line else { return };
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, requests, answers, next: 1, wait: patience.answer() })
    }

    /// Sends a request; `fields` is an object.
    pub(crate) fn send(&mut self, op: &str, fields: &Value) -> Result<Pending, AdapterError> {
        let id = self.next;
        self.next += 1;
        let mut request = json!({"id": id, "op": op});
        if let (Some(request), Some(fields)) = (request.as_object_mut(), fields.as_object()) {
            request.extend(fields.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
        let broken = |why: &str| AdapterError::Broken(format!("`{op}`: {why}"));
        let pipe = self.requests.as_mut().ok_or_else(|| broken("the adapter is killed"))?;
        let sent = pipe.write_all(format!("{request}\n").as_bytes()).and_then(|()| pipe.flush());
        sent.map_err(|error| broken(&format!("the adapter does not read: {error}")))?;
        Ok(Pending { id, op: op.to_owned() })
    }

    /// Waits for the answer to a request. Answers come in the order of the requests.
    pub(crate) fn receive(&self, pending: &Pending) -> Result<Value, AdapterError> {
        let broken = |why: String| AdapterError::Broken(format!("`{}`: {why}", pending.op));
        let line = self.answers.recv_timeout(self.wait).map_err(|error| match error {
            RecvTimeoutError::Timeout => broken("no answer in time".into()),
            RecvTimeoutError::Disconnected => broken("the adapter has ended".into()),
        })?;
        let mut answer: Value = serde_json::from_str(&line)
            .map_err(|error| broken(format!("answered `{line}`, no JSON: {error}")))?;
        if answer["id"] != pending.id {
            return Err(broken(format!("answered `{line}`, expected id {}", pending.id)));
        }
        if let Some(slug) = answer["err"].as_str() {
            let (slug, text) = (slug.to_owned(), answer["text"].as_str().unwrap_or("").to_owned());
            return Err(AdapterError::Refused { slug, text });
        }
        match answer.get_mut("ok") {
            Some(ok) => Ok(ok.take()),
            None => Err(broken(format!("answered `{line}`, which has neither ok nor err"))),
        }
    }

    /// Sends a request and waits for the answer.
    pub(crate) fn ask(&mut self, op: &str, fields: &Value) -> Result<Value, AdapterError> {
        let pending = self.send(op, fields)?;
        self.receive(&pending)
    }

    /// Kills the process at once, as a crash would.
    pub(crate) fn kill(&mut self) {
        self.requests = None;
        // Both fail only when the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        self.kill();
    }
}
