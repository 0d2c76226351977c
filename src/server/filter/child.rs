//! The process of a filter: what it is told, what it says, and how it ends with its process group.

use core::time::Duration;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Instant;

use rustix::io::retry_on_intr;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc::{Receiver, Sender, UnboundedReceiver, UnboundedSender};
use tokio::sync::mpsc::{channel, unbounded_channel};
use tokio::task::JoinHandle;

use crate::clause;
use crate::server::clock::within_real_time;
use crate::wire::helper::{self, LINE_LIMIT_OCTETS};

/// How many lines are read ahead of what has been looked at: a filter that says more has to wait.
pub(super) const UNREAD_LINES_LIMIT: usize = 64;
/// How long a filter that was told to quit may take for it.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long the lines that a filter said before it ended are still read.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// What a filter does.
pub(super) enum Heard {
    /// It has said a line.
    Line(String),
    /// It says nothing more, for this reason.
    Ended(String),
}

/// A filter that runs. It ends when this is dropped.
pub(super) struct Child {
    /// Nobody waits for it before this is dropped, so no other process can have its number till then.
    _process: tokio::process::Child,
    /// Its number, which is that of its group.
    leader: Pid,
    /// Bounded by the questions that it may have at a time.
    lines: UnboundedSender<String>,
    heard: Receiver<Heard>,
    /// Whoever carries the lines; the pipes may be open longer than the process.
    carriers: [JoinHandle<()>; 2],
    /// It has answered the handshake.
    pub(super) is_ready: bool,
    /// The number of the handshake, and when it is overdue.
    pub(super) handshake: (u32, Instant),
}

impl Child {
    /// Starts this command in the directory, and begins with the handshake.
    pub(super) fn start(
        command: &[String],
        directory: &Path,
        handshake: (u32, Instant),
    ) -> io::Result<Self> {
        let (program, arguments) = command.split_first().expect("SV-067: there is a program");
        clause!(SV_076);
        let mut process = Command::new(program)
            .args(arguments)
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let (Some(stdin), Some(stdout)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(io::Error::other("it has no pipes"));
        };
        let leader = process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let leader = leader.ok_or_else(|| io::Error::other("it has no number"))?;
        clause!(SV_075);
        let (sender, heard) = channel(UNREAD_LINES_LIMIT);
        tell_end_of(leader, sender.clone())?;
        let (lines, to_write) = unbounded_channel();
        let writer = tokio::spawn(write_lines(stdin, to_write));
        let reader = tokio::spawn(read_lines(stdout, sender));
        let carriers = [writer, reader];
        let child =
            Self { _process: process, leader, lines, heard, carriers, is_ready: false, handshake };
        child.say(helper::interface(handshake.0));
        Ok(child)
    }

    /// Tells it a line.
    pub(super) fn say(&self, line: String) {
        // A child that reads nothing more is noticed by what it does not say.
        let _ = self.lines.send(line);
    }

    /// What it does next.
    pub(super) async fn heard(&mut self) -> Heard {
        self.heard.recv().await.unwrap_or_else(|| Heard::Ended("has ended".into()))
    }

    /// Has it end by itself, and waits a moment for that.
    pub(super) async fn quit(mut self, number: u32) {
        self.say(helper::quit(number));
        let end = async { while let Heard::Line(_) = self.heard().await {} };
        let _ = within_real_time(FAREWELL, end).await;
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        for carrier in &self.carriers {
            carrier.abort();
        }
        clause!(SV_076);
        let _ = kill_process_group(self.leader, Signal::KILL);
    }
}

/// Tells when the process itself has ended: its output may stay open as long as a child of it pleases. The
/// process is left to be waited for, so that its number stays its own.
fn tell_end_of(leader: Pid, heard: Sender<Heard>) -> io::Result<()> {
    clause!(SV_066);
    let watch = move || {
        let ends = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        // An error says that there is no such process any more.
        let _ = retry_on_intr(|| waitid(WaitId::Pid(leader), ends));
        thread::sleep(LAST_WORDS);
        // Nobody hears it where the end of the output, or the filter's killing, came first.
        let _ = heard.blocking_send(Heard::Ended("has ended".into()));
    };
    thread::Builder::new().name("filter".into()).spawn(watch).map(drop)
}

async fn write_lines(mut stdin: ChildStdin, mut lines: UnboundedReceiver<String>) {
    while let Some(line) = lines.recv().await {
        if stdin.write_all(line.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read_lines(stdout: ChildStdout, heard: Sender<Heard>) {
    let mut reader = BufReader::new(stdout);
    loop {
        let mut octets = Vec::new();
        let mut limited = (&mut reader).take(LINE_LIMIT_OCTETS as u64);
        let read = limited.read_until(b'\n', &mut octets).await;
        let event = match (read, octets.pop()) {
            (Ok(_), Some(b'\n')) => {
                let line = String::from_utf8_lossy(&octets);
                Heard::Line(line.trim_end_matches('\r').into())
            }
            (Ok(_), Some(_)) if octets.len() + 1 == LINE_LIMIT_OCTETS => {
                Heard::Ended(format!("said a line of more than {LINE_LIMIT_OCTETS} octets"))
            }
            (Ok(_), _) => Heard::Ended("has ended".into()),
            (Err(error), _) => Heard::Ended(format!("cannot be heard: {error}")),
        };
        let is_over = matches!(event, Heard::Ended(_));
        if heard.send(event).await.is_err() || is_over {
            return;
        }
    }
}
