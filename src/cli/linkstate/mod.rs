//! `linkstate`: what the members know of the connectors, to look at, to compare and to draw.

mod decode;
mod diff;
mod export;
mod input;
mod picture;
mod show;
mod told;
mod watch;

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;

use super::{failed, refused};
use crate::print;

/// The commands about link state.
#[derive(Debug, Subcommand)]
pub(super) enum Linkstate {
    /// Print the link-state table of every member, or of one, and who has the same table as whom
    #[command(
        after_help = "Examples:\n  bridgehead linkstate show\n  bridgehead linkstate show --member rg1-b --json\n\n\
        HERE is what the member itself thinks of a connector that it carries; a connector that is broken and has no other way \
        (persistent), or breaks and heals all the time (oscillating), is UP in the table.\n\
        The last lines say which members have the same table, and in which records the others differ."
    )]
    Show(super::whom::Whom),
    /// Print each change of the tables of the members, a line each, as it is noticed
    #[command(
        after_help = "Examples:\n  bridgehead linkstate watch\n  bridgehead linkstate watch --member rg1-b --count 1\n  \
        bridgehead linkstate watch --interval 0.2 --json > changes.ndjson\n\n\
        The admin sockets are asked every --interval; what comes and goes between two looks is not seen. Times are UTC, of this \
        machine.\nExit codes: 0 --count changes were printed, 1 nobody answers at the start, 130 it was interrupted (Ctrl-C)."
    )]
    Watch(watch::Arguments),
    /// Compare the tables of two members, or of files that `export` wrote
    #[command(
        after_help = "Examples:\n  bridgehead linkstate diff rg1-a rg5-b\n  bridgehead linkstate diff before.json rg1-a\n\n\
        Exit codes: 0 the tables are equal, 1 they differ, 2 one of them cannot be had."
    )]
    Diff(diff::Arguments),
    /// Write the table of a member to a file, for programs and for pictures
    #[command(
        after_help = "Examples:\n  bridgehead linkstate export --member rg1-a -o before.json\n  \
        bridgehead linkstate export --format dot | dot -Tpdf > topology.pdf\n  bridgehead linkstate export --format csv\n\n\
        Without --member, the first member of the cluster is asked."
    )]
    Export(export::Arguments),
    /// Draw the groups, their connectors with costs and states, and a route, as one SVG file
    #[command(
        after_help = "Examples:\n  bridgehead linkstate picture --from RG1 --to RG5 -o topology.svg\n  \
        bridgehead linkstate picture --organization examples/five-groups.toml --down RG2-RG4 --from RG1 --to RG5 -o around.svg\n\n\
        The table is that of --member, or of the first member that answers; what bridgeheads think of their connectors is asked of \
        all.\nUp to 100 groups are drawn with their names and costs; beyond that the pointer shows them, and the picture says so."
    )]
    Picture(picture::Arguments),
    /// Explain a captured packet: the historic OrgInfo of Exchange, or a message of this protocol
    #[command(
        after_help = "Examples:\n  bridgehead linkstate decode tests/data/orginfo-as-printed.txt\n  \
        xxd capture.bin | bridgehead linkstate decode --hex -\n  bridgehead linkstate decode --json session.txt\n\n\
        A file has a counted frame, `{8 hexadecimal digits}...`, several of them, or the lines of a session, of which those with \
        CHUNK= (commands X-LINK2STATE, and lines of the reply 200) are put together first.\n\
        A network monitor shows SP and line ends as dots: in the historic packet a dot outside of a counted string parts tokens as \
        SP does, so such a print is read as it is, and no option is needed.\n\
        A counted string whose text was edited, so that its count is off by up to 8, is told as such and does not end the reading.\n\
        WHAT is followed by how far it can be trusted: `known`, `inferred` from the one packet that was published, `unknown`.\n\
        Exit codes: 0 every message is well-formed, 1 one is not (with the octet, and what was expected there), 2 nothing to read."
    )]
    Decode(decode::Arguments),
    /// Say that a group is no more: its record is dead for ever, whoever tells it again
    #[command(
        after_help = "Examples:\n  bridgehead linkstate bury RG3 --member rg1-b --reason 'sold off'\n  bridgehead linkstate bury 4b1c0e6f0d8b4e0f9a52d7c3e18f6a25 --socket /run/bridgehead/admin.sock\n\n\
        One member is told, and tells the others. A group that the configuration has is not buried\n\
        without --force. There is no way back: a group of that name needs a new UUID.\n\n\
        Exit codes: 0 it is buried, 1 it is refused or the member does not answer, 2 wrong arguments."
    )]
    Bury(super::queue::Bury),
}

/// Runs a command.
pub(super) fn run(command: &Linkstate) -> ExitCode {
    match command {
        Linkstate::Show(whom) => show::run(whom),
        Linkstate::Watch(arguments) => watch::run(arguments),
        Linkstate::Diff(arguments) => diff::run(arguments),
        Linkstate::Export(arguments) => export::run(arguments),
        Linkstate::Picture(arguments) => picture::run(arguments),
        Linkstate::Decode(arguments) => decode::run(arguments),
        Linkstate::Bury(arguments) => super::queue::bury(arguments),
    }
}

/// Writes what a command has made, to a file or to standard output.
fn write(text: &str, to: Option<&Path>) -> ExitCode {
    let Some(path) = to else {
        print::octets(text.as_bytes());
        return ExitCode::SUCCESS;
    };
    match std::fs::write(path, text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&format!("{}: {error}", path.display())),
    }
}
