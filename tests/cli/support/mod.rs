//! What the tests of whole clusters share: a cluster that stops when the test ends.

use core::time::Duration;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::Value;

pub(crate) const EXAMPLE: &str = "examples/five-groups.toml";
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A cluster that is stopped when the test ends, however it ends.
pub(crate) struct Cluster {
    child: Child,
    stdout: BufReader<ChildStdout>,
    pub(crate) directory: PathBuf,
}

impl Cluster {
    /// Starts the five groups; `more` are further arguments of `cluster up`.
    pub(crate) fn up(directory: &Path, more: &[&str]) -> Self {
        let (cluster, said) = Self::up_of(EXAMPLE, directory, more);
        assert!(said.contains("[10/10]"), "progress is shown: {said}");
        assert!(said.contains("swaks --server 127.0.0.1:"), "a person learns what to do: {said}");
        cluster
    }

    /// Starts the members of another organization; and what was said meanwhile.
    pub(crate) fn up_of(organization: &str, directory: &Path, more: &[&str]) -> (Self, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bridgehead"));
        command.args(["cluster", "up", organization, "--base-port", "0", "--dir"]);
        command.arg(directory).args(more);
        Self::start(&mut command, directory)
    }

    /// Starts the cluster of a command, in `directory`; what it says until it runs.
    pub(crate) fn start(command: &mut Command, directory: &Path) -> (Self, String) {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut cluster = Self { child, stdout, directory: directory.to_owned() };
        let said = cluster.read_until("Ctrl-C stops the cluster.");
        (cluster, said)
    }

    fn read_until(&mut self, end: &str) -> String {
        let mut said = String::new();
        while !said.contains(end) {
            let count = self.stdout.read_line(&mut said).expect("its output is readable");
            assert!(count > 0, "it ended: {said}");
        }
        said
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_bridgehead"))
            .args(arguments)
            .arg("--dir")
            .arg(&self.directory)
            .output()
            .expect("it starts")
    }

    /// Runs a command that must succeed; its standard output.
    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let (said, problem) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}{problem}");
        said.into_owned()
    }

    pub(crate) fn status(&self) -> Value {
        serde_json::from_str(&self.done(&["cluster", "status", "--json"])).expect("it is JSON")
    }

    /// Kills the process that started the members, as if the machine had run out of memory.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    pub(crate) fn stop(&mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        let killed = Command::new("sh").args(["-c", "kill -INT \"$1\"", "sh", &id]).status();
        assert!(killed.is_ok_and(|status| status.success()), "the signal is sent");
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.stop();
        }
    }
}
