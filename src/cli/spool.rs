//! `spool`: what the disk of a member that is stopped holds.

use std::fs::{self, DirBuilder, File};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use super::table::count;
use super::{complain_of, failed, refused};
use crate::protocol::member::Durable;
use crate::protocol::queue::Message;
use crate::protocol::server::Server;
use crate::server::configuration::{self, Configuration, report};
use crate::server::spool::{Found, Look, SpoolError};
use crate::wire::ids::QueueId;

/// The value of `format` in what is printed and exported.
const FORMAT: u32 = 1;

/// The commands below `spool`.
#[derive(Debug, Subcommand)]
pub(super) enum Spool {
    /// Read everything in the spool of a member that is stopped, and tell all that is wrong with it
    #[command(after_help = "Exits with 1 when something is wrong.\n\nExample:\n  \
                            bridgehead spool check /etc/bridgehead/member.toml")]
    Check {
        /// member.toml
        file: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Write every message of a member that is stopped as a file, also from a damaged spool
    #[command(
        after_help = "For each message ID.eml holds the content as it was accepted, ID.json the envelope \
                      and what is known of the recipients.\nA content that is not what was accepted goes \
                      to ID.damaged. Exits with 1 when something is wrong.\n\nExample:\n  \
                      bridgehead spool export /etc/bridgehead/member.toml /srv/rescued"
    )]
    Export {
        /// member.toml
        file: PathBuf,
        /// Where to; must not exist
        directory: PathBuf,
    },
}

/// What is wrong with a spool, and how much of it there is.
struct Checked {
    messages: usize,
    recipients: usize,
    problems: Vec<String>,
}

/// Does one of them.
pub(super) fn run(command: &Spool) -> ExitCode {
    let (Spool::Check { file, .. } | Spool::Export { file, .. }) = command;
    let configuration = match configuration::load(file) {
        Ok(configuration) => configuration,
        Err(errors) => return refused(&report(&errors)),
    };
    let look = match Look::at::<Server>(&configuration.spool()) {
        Ok(look) => look,
        Err(error) => return failed(&error.to_string()),
    };
    match command {
        Spool::Check { json, .. } => check(&configuration, &look, *json),
        Spool::Export { directory, .. } => match export(&look, directory) {
            Ok(checked) => {
                let messages = count(checked.messages, "message");
                tell(&checked, &format!("{}: {messages}", directory.display()))
            }
            Err(error) => failed(&error.to_string()),
        },
    }
}

fn check(configuration: &Configuration, look: &Look<Durable>, is_json: bool) -> ExitCode {
    let mut problems = look.problems.clone();
    for (queue, message) in &look.durable.spool.queue {
        let (Found::Damaged(_, problem) | Found::Nothing(problem)) = look.body(&message.body)
        else {
            continue;
        };
        problems.push(body_problem(*queue, &problem));
    }
    let queue = look.durable.spool.queue.values();
    let recipients = queue.map(|message| message.envelope.recipients.len()).sum();
    let checked = Checked { messages: look.durable.spool.queue.len(), recipients, problems };
    let spool = configuration.spool();
    if !is_json {
        let (messages, recipients) =
            (count(checked.messages, "message"), count(checked.recipients, "recipient"));
        return tell(&checked, &format!("{}: {messages}, {recipients}", spool.display()));
    }
    say!(
        "{}",
        json!({
            "format": FORMAT, "spool": spool, "messages": checked.messages,
            "recipients": checked.recipients, "problems": checked.problems,
        })
    );
    exit(&checked)
}

fn tell(checked: &Checked, what: &str) -> ExitCode {
    for problem in &checked.problems {
        complain_of(problem);
    }
    match checked.problems.len() {
        0 => say!("{what}, all as it was accepted"),
        problems => say!("{what}, {}", count(problems, "problem")),
    }
    exit(checked)
}

fn exit(checked: &Checked) -> ExitCode {
    if checked.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(super::EXIT_FAILED) }
}

fn body_problem(queue: QueueId, problem: &str) -> String {
    format!("message {queue}: its content {problem}")
}

fn export(look: &Look<Durable>, directory: &Path) -> Result<Checked, SpoolError> {
    let parent = DirBuilder::new().mode(0o700).create(directory);
    parent.map_err(SpoolError::io(directory, "create"))?;
    let mut checked = Checked { messages: 0, recipients: 0, problems: look.problems.clone() };
    for (queue, message) in &look.durable.spool.queue {
        let name = |kind: &str| directory.join(format!("{queue}.{kind}"));
        match look.body(&message.body) {
            Found::Whole(octets) => write(&name("eml"), &octets)?,
            Found::Damaged(octets, problem) => {
                write(&name("damaged"), &octets)?;
                checked.problems.push(body_problem(*queue, &problem));
            }
            Found::Nothing(problem) => checked.problems.push(body_problem(*queue, &problem)),
        }
        write(&name("json"), &described(*queue, message))?;
        checked.messages += 1;
        checked.recipients += message.envelope.recipients.len();
    }
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(SpoolError::io(directory, "sync"))?;
    Ok(checked)
}

fn described(queue: QueueId, message: &Message) -> Vec<u8> {
    let value = json!({"format": FORMAT, "queue": queue.to_string(), "message": message});
    let mut text = serde_json::to_vec_pretty(&value).expect("a message has a JSON form");
    text.push(b'\n');
    text
}

fn write(path: &Path, octets: &[u8]) -> Result<(), SpoolError> {
    let opened = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = opened.map_err(SpoolError::io(path, "create"))?;
    let written = file.write_all(octets).and_then(|()| file.sync_all());
    written.map_err(SpoolError::io(path, "write"))
}
