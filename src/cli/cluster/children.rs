//! The members as child processes.

use core::time::Duration;
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

use super::PlannedMember;
use crate::wire::ids::MemberName;

/// How long a member may take to say that it is ready.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long a member may take to end in order before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(15);
/// What a member says on its standard output when it listens.
const READY: &str = "ready";

/// A member that was started.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: MemberName,
    child: Child,
    /// The system closes it when this process is gone, however it ended, and the member stops then.
    _lifeline: Option<ChildStdin>,
}

impl Member {
    /// Starts `bridgehead serve` for a member and waits until it is ready. Its log goes to `log` in its
    /// directory.
    pub(super) async fn start(planned: &PlannedMember, cluster: &Path) -> Result<Self, String> {
        let log = planned.directory(cluster).join("log");
        let file = planned.file(cluster);
        let mut member = spawn(planned, &file, &log).map_err(|error| {
            format!("{}: cannot start `bridgehead serve {}`: {error}", planned.name, file.display())
        })?;
        let stdout = member.child.stdout.take().expect("its output is piped");
        let mut lines = BufReader::new(stdout).lines();
        let first = timeout(START_LIMIT, lines.next_line()).await;
        if let Ok(Ok(Some(line))) = &first
            && line.starts_with(READY)
        {
            // Whatever it prints later must not fill the pipe.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok(member);
        }
        let why = match first {
            Err(_) => format!("not ready after {} s", START_LIMIT.as_secs()),
            Ok(_) => "ended before it was ready".into(),
        };
        member.kill().await;
        Err(format!("{}: {why}\n{}", planned.name, last_lines(&log)))
    }

    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// What became of it; `None` while it runs.
    pub(super) fn ended(&mut self) -> Option<String> {
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(status.to_string()),
            Err(error) => Some(error.to_string()),
        }
    }

    /// Ends it in order; kills it when it takes too long. `false` when it had to be killed or failed.
    pub(super) async fn stop(&mut self) -> bool {
        let id = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(id) = id {
            // A process that has just ended by itself takes no signal; waiting shows it.
            let _ = kill_process(id, Signal::TERM);
        }
        match timeout(STOP_LIMIT, self.child.wait()).await {
            Ok(Ok(status)) => status.success(),
            _ => {
                self.kill().await;
                false
            }
        }
    }

    async fn kill(&mut self) {
        // It may have ended already, and that is all that is wanted.
        let _ = self.child.kill().await;
    }
}

/// In a process group of its own: Ctrl-C reaches `cluster up` alone, which stops all in order.
fn spawn(planned: &PlannedMember, file: &Path, log: &Path) -> io::Result<Member> {
    let log = File::options().create(true).append(true).open(log)?;
    let mut child = Command::new(std::env::current_exe()?)
        .arg("serve")
        .arg(file)
        .arg("--until-stdin-ends")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    // Waiting for a child closes its input, and it would take that for a second signal.
    let lifeline = child.stdin.take();
    Ok(Member { name: planned.name.clone(), child, _lifeline: lifeline })
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(5)..];
    last.iter().map(|line| format!("  {line}\n")).collect()
}
