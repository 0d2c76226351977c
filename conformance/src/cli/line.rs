//! The command line: what can be said, and under which name the program was called.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::security::Security;
use crate::verdict::Level;

/// The name where no other is known.
pub(super) const OWN_NAME: &str = "bridgehead-conformance";

#[derive(Debug, Parser)]
#[command(name = OWN_NAME, version, about, arg_required_else_help = false)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What there is to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run cases and vectors; this is what happens without arguments
    Run(Run),
    /// List the cases
    List(List),
    /// Explain a case, or the cases of a clause
    Explain {
        /// Id of a case, a clause such as LS-017, or RFC5321:4.1.4
        id: String,
    },
    /// Derive every verdict of a report again from its transcript
    Verify {
        /// The directory of the report
        directory: PathBuf,
    },
    /// Ask whether the adapter or the target can be tested, and whether the adapter is honest
    Doctor(Under),
}

#[derive(Debug, Args)]
pub(super) struct Under {
    /// Test this server, started by somebody else: where it listens, or a file that ends in .toml and says
    /// more of it; only cases that need no adapter
    #[arg(long, value_name = "HOST:PORT|FILE", conflicts_with = "adapter")]
    pub(super) target: Option<String>,
    /// How members prove their names to each other; the cases `tls.**` use certificates in any case
    // Addresses are the default: everybody can begin with them, the verdicts are the same, and a run
    // takes four fifths of the time.
    #[arg(long, value_enum, default_value_t = Security::Address, conflicts_with = "target")]
    pub(super) security: Security,
    /// All waits times this
    #[arg(long, value_name = "F", default_value_t = 1.0)]
    pub(super) timeout_factor: f64,
    /// The adapter and its arguments
    #[arg(last = true, value_name = "ADAPTER")]
    pub(super) adapter: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    pub(super) under: Under,
    /// Only cases that a glob matches (`*` one part, `**` any number); may be repeated
    #[arg(long, value_name = "GLOB")]
    pub(super) only: Vec<String>,
    /// No case that a glob matches; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub(super) skip: Vec<String>,
    /// Only cases of these profiles; may be repeated
    #[arg(long, value_name = "PROFILE")]
    pub(super) profile: Vec<String>,
    /// Up to this level
    #[arg(long, value_enum, default_value_t = Level::Should)]
    pub(super) level: Level,
    /// A failed SHOULD is non-conformance, too
    #[arg(long)]
    pub(super) strict: bool,
    /// Stop at the first failure
    #[arg(long)]
    pub(super) fail_fast: bool,
    /// Shuffles the order of the cases; 0 keeps it
    #[arg(long, default_value_t = 0)]
    pub(super) seed: u64,
    /// An address that the target accepts mail for [default: postmaster]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) recipient: Option<String>,
    /// An address in a domain of the target that does not exist there
    #[arg(long, value_name = "ADDRESS")]
    pub(super) unknown: Option<String>,
    /// A sender that the target accepts [default: suite@client.example.net]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) sender: Option<String>,
    /// Where the report goes
    #[arg(short, long, value_name = "DIR", default_value = "conformance-report")]
    pub(super) output: PathBuf,
}

impl Run {
    /// The line that runs one case of this run again.
    pub(super) fn again(&self, case: &str) -> String {
        let name = NAME.get().map_or(OWN_NAME, String::as_str);
        let mut words = vec![name.to_owned(), "run".into(), "--only".into(), case.to_owned()];
        let Under { target, security, timeout_factor, adapter } = &self.under;
        let mut option = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                words.extend([name.to_owned(), quoted(&value)]);
            }
        };
        option("--target", target.clone());
        option("--security", (*security == Security::Tls).then(|| "tls".into()));
        let factor = timeout_factor.to_string();
        option("--timeout-factor", Some(factor).filter(|factor| factor != "1"));
        option("--recipient", self.recipient.clone());
        option("--unknown", self.unknown.clone());
        option("--sender", self.sender.clone());
        if !adapter.is_empty() {
            words.push("--".into());
            words.extend(adapter.iter().map(|word| quoted(&word.to_string_lossy())));
        }
        words.join(" ")
    }
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only cases that a glob matches; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub(super) only: Vec<String>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Reads a line; its first word is the name of the program.
pub(super) fn parse(name: &str, line: impl Iterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let mut command = Cli::command().bin_name(name).display_name(name);
    let matches = command.try_get_matches_from_mut(line)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// How the program was called; it may be a command of another program.
pub(super) static NAME: OnceLock<String> = OnceLock::new();

/// Notes the name: the words of the process that stand before those that were given to the suite.
pub(super) fn called_as(args: &[OsString]) -> &'static str {
    NAME.get_or_init(|| name_before(&std::env::args_os().collect::<Vec<_>>(), args))
}

pub(super) fn name_before(process: &[OsString], args: &[OsString]) -> String {
    let before = process.strip_suffix(args).unwrap_or_default();
    let Some((program, commands)) = before.split_first() else { return OWN_NAME.to_owned() };
    let program = Path::new(program).file_name().unwrap_or(program);
    let commands = commands.iter().map(|word| word.to_string_lossy());
    let words = core::iter::once(program.to_string_lossy()).chain(commands);
    words.filter(|word| !word.starts_with('-')).collect::<Vec<_>>().join(" ")
}

/// Where the report of a run should go, if that can be told from a line that was refused.
///
/// Only a place that the line names counts. The default is left alone: the word that was refused may be
/// the very one that should have named another place.
pub(super) fn stated_output(words: &[OsString]) -> Option<PathBuf> {
    let (command, words) = words.split_first()?;
    if command != "run" {
        return None;
    }
    let mut words = words.iter().take_while(|word| *word != "--");
    let mut stated = None;
    while let Some(word) = words.next() {
        let value = match word.to_str() {
            Some("-o" | "--output") => words.next().map(OsString::as_os_str),
            Some(word) => attached(word).map(OsStr::new),
            None => None,
        };
        stated = value.filter(|value| is_place(value)).or(stated);
    }
    stated.map(PathBuf::from)
}

/// The value of `--output=DIR`, `-oDIR` or `-o=DIR`.
fn attached(word: &str) -> Option<&str> {
    let short = || word.strip_prefix("-o").map(|value| value.strip_prefix('=').unwrap_or(value));
    word.strip_prefix("--output=").or_else(short)
}

/// Whether this is a place, and not the next option behind one that lacks its value.
fn is_place(value: &OsStr) -> bool {
    !value.is_empty() && !value.as_encoded_bytes().starts_with(b"-")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use std::path::PathBuf;

    use super::{name_before, parse, stated_output};

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn the_name_is_the_one_that_was_called() {
        for (process, args, name) in [
            (
                "/usr/bin/bridgehead conformance list --json",
                "list --json",
                "bridgehead conformance",
            ),
            ("./bridgehead conformance", "", "bridgehead conformance"),
            ("bridgehead conformance -- list", "list", "bridgehead conformance"),
            ("target/other-name run --surprise", "run --surprise", "other-name"),
            ("a test", "run", "bridgehead-conformance"),
        ] {
            assert_eq!(name_before(&words(process), &words(args)), name, "{process}");
        }
    }

    #[test]
    fn usage_and_version_carry_that_name() {
        let name = "bridgehead conformance";
        for (args, said) in [
            ("run --surprise", "Usage: bridgehead conformance run "),
            ("--help", "Usage: bridgehead conformance <COMMAND>"),
            ("list --help", "Usage: bridgehead conformance list "),
            ("--version", "bridgehead conformance "),
        ] {
            let line = core::iter::once(OsString::from(name)).chain(words(args));
            let text = parse(name, line).expect_err("is no command").to_string();
            assert!(text.contains(said), "{args}: {text}");
            assert!(!text.contains("bridgehead-conformance"), "{args}: {text}");
        }
    }

    #[test]
    fn the_place_of_the_report_is_told_from_a_line_that_was_refused() {
        for (line, place) in [
            ("run --surprise --output there", Some("there")),
            ("run --output=there --surprise", Some("there")),
            ("run -o there --seed x", Some("there")),
            ("run -othere --seed x", Some("there")),
            ("run -o=there --seed x", Some("there")),
            ("run -o here -o there", Some("there")),
            ("run --surprise", None),
            ("run --output", None),
            ("run --output= --seed 1", None),
            ("run -o --surprise", None),
            ("run --surprise -- ./adapter -o there", None),
            ("list --surprise -o there", None),
            ("--surprise -o there", None),
            ("", None),
        ] {
            assert_eq!(stated_output(&words(line)), place.map(PathBuf::from), "{line}");
        }
    }
}
