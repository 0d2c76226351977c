//! Whom a command asks, and what they answer: the members of a cluster, one of them, or one server.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};

use super::admin::{ADMIN_FORMAT, request};
use super::cluster::Plan;
use super::{failed, refused};
use crate::wire::ids::MemberName;

/// Whom to ask, and how to print it.
#[derive(Debug, Args)]
pub(super) struct Whom {
    /// Ask only this member of the cluster
    #[arg(long, value_name = "NAME")]
    pub(super) member: Option<String>,
    /// The directory of the cluster
    #[arg(long, value_name = "DIR", default_value = super::cluster::DIRECTORY)]
    dir: PathBuf,
    /// Ask the admin socket of a single server instead of a cluster
    #[arg(long, value_name = "PATH", conflicts_with_all = ["dir", "member"])]
    socket: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// What was answered.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// By whom, in the order of the names.
    pub(super) members: Map<String, Value>,
    /// Why somebody did not answer.
    pub(super) problems: Vec<String>,
}

/// What is said behind the answers of all: by which name it stands in JSON, and in words.
pub(super) struct Closing {
    pub(super) name: &'static str,
    pub(super) json: Value,
    pub(super) text: String,
}

impl Whom {
    /// Everybody of a cluster, one of them, or whom a socket leads to.
    pub(super) const fn new(member: Option<String>, dir: PathBuf, socket: Option<PathBuf>) -> Self {
        Self { member, dir, socket, json: false }
    }

    /// The directory of the cluster that is asked; none where it is a single server.
    pub(super) fn cluster(&self) -> Option<&Path> {
        self.socket.is_none().then_some(self.dir.as_path())
    }

    /// Whether a queue id needs no name of a member beside it.
    pub(super) const fn is_one(&self) -> bool {
        self.member.is_some() || self.socket.is_some()
    }

    /// Asks everybody `question`, which may leave somebody out.
    pub(super) fn ask(&self, question: impl Fn(&str) -> Option<Value>) -> Result<Answers, String> {
        let mut answers = Answers::default();
        for (name, socket) in self.sockets()? {
            let Some(mut question) = question(&name) else { continue };
            question["format"] = json!(ADMIN_FORMAT);
            match request(&socket, &question) {
                Ok(answer) => {
                    answers.members.insert(name, answer);
                }
                // A single server is named by its socket, and so is a socket that nobody serves.
                Err(problem) if problem.starts_with(&format!("{name}: ")) => {
                    answers.problems.push(problem);
                }
                Err(problem) => answers.problems.push(format!("{name}: {problem}")),
            }
        }
        Ok(answers)
    }

    /// Prints what was answered, as JSON or as `text` has it (nothing for a member about which it has no
    /// word), and tells the exit code: members that did
    /// not answer are named, and so is what `objection` finds.
    pub(super) fn print(
        &self,
        answers: Result<Answers, String>,
        text: impl Fn(&Value) -> String,
        objection: impl FnOnce(&Answers) -> Option<String>,
    ) -> ExitCode {
        self.print_all(answers, text, |_| None, objection)
    }

    /// The same with what `closing` has to say of all answers together.
    pub(super) fn print_all(
        &self,
        answers: Result<Answers, String>,
        text: impl Fn(&Value) -> String,
        closing: impl FnOnce(&Map<String, Value>) -> Option<Closing>,
        objection: impl FnOnce(&Answers) -> Option<String>,
    ) -> ExitCode {
        let mut answers = match answers {
            Ok(answers) => answers,
            Err(problem) => return refused(&problem),
        };
        let closing = closing(&answers.members);
        if self.json {
            let mut whole = json!({"format": ADMIN_FORMAT, "members": answers.members});
            if let Some(closing) = closing {
                whole[closing.name] = closing.json;
            }
            say!("{whole}");
        } else {
            let texts = answers.members.iter().map(|(name, answer)| (name, text(answer)));
            for (name, text) in texts.filter(|(_, text)| !text.is_empty()) {
                say!("{name}\n{}", indent(&text));
            }
            if let Some(closing) = closing {
                say!("{}", closing.text.trim_end());
            }
        }
        // Where nobody has answered, nobody knows whether anything fits.
        let is_heard = !answers.members.is_empty() || answers.problems.is_empty();
        let objection = if is_heard { objection(&answers) } else { None };
        answers.problems.extend(objection);
        if answers.problems.is_empty() {
            ExitCode::SUCCESS
        } else {
            failed(&answers.problems.join("\n"))
        }
    }

    /// The names of the members that are asked.
    pub(super) fn names(&self) -> Result<Vec<String>, String> {
        Ok(self.sockets()?.into_iter().map(|(name, _)| name).collect())
    }

    /// The name and the admin socket of everybody who is asked.
    pub(super) fn sockets(&self) -> Result<Vec<(String, PathBuf)>, String> {
        if let Some(socket) = &self.socket {
            return Ok(vec![(socket.display().to_string(), socket.clone())]);
        }
        let plan = Plan::read(&self.dir)?;
        let is_asked =
            |name: &MemberName| self.member.as_ref().is_none_or(|asked| asked == name.as_str());
        let sockets: Vec<_> = plan
            .members
            .iter()
            .filter(|member| is_asked(&member.name))
            .map(|member| (member.name.to_string(), member.admin_socket(&self.dir)))
            .collect();
        match (&self.member, sockets.is_empty()) {
            (Some(name), true) => Err(format!("the cluster has no member `{name}`")),
            _ => Ok(sockets),
        }
    }
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}
