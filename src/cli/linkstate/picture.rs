//! `linkstate picture`: the topology as SVG, from running members or from an organization's file.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::export::From;
use super::told::{Told, short};
use super::{refused, write};
use crate::protocol::organization::Organization;
use crate::server::configuration::load_organization;
use crate::sim::pictures::{Chart, Topology, illegible, records_of};

/// What to draw.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    whose: From,
    /// Draw this organization (organization.toml) as its masters would publish it, without any running member
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dir", "member", "socket"])]
    organization: Option<PathBuf>,
    /// With --organization: this connector is broken (may be repeated)
    #[arg(long, value_name = "CONNECTOR", requires = "organization")]
    down: Vec<String>,
    /// Highlight the route from this group
    #[arg(long, value_name = "GROUP", requires = "to")]
    from: Option<String>,
    /// Highlight the route to this group
    #[arg(long, value_name = "GROUP", requires = "from")]
    to: Option<String>,
    /// Where to; without it, to standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Draws, and writes.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let drawn = match &arguments.organization {
        Some(path) => {
            let organization = load_organization(path).map_err(|wrong| {
                let lines: Vec<String> = wrong.iter().map(ToString::to_string).collect();
                lines.join("\n")
            });
            organization.and_then(|organization| of_file(arguments, &organization))
        }
        None => match arguments.whose.tables() {
            Ok(tables) => of_members(arguments, &tables),
            Err(code) => return code,
        },
    };
    match drawn {
        Ok(topology) => {
            if let Some(note) = illegible(&topology) {
                complain!("bridgehead: {note}");
            }
            write(&Chart::of(&topology).svg(&topology), arguments.output.as_deref())
        }
        Err(problem) => refused(&problem),
    }
}

fn ends(arguments: &Arguments) -> Option<(&str, &str)> {
    arguments.from.as_deref().zip(arguments.to.as_deref())
}

fn of_file(arguments: &Arguments, organization: &Organization) -> Result<Topology, String> {
    let (records, judgements) = records_of(organization, &arguments.down)?;
    let broken = match &arguments.down[..] {
        [] => "as configured".to_owned(),
        names => format!("{} broken", names.join(" and ")),
    };
    let title = format!("{}, {broken}", organization.name);
    let topology = Topology::of_records(title, &records, &judgements);
    match ends(arguments) {
        Some(ends) => topology.with_route(&records, ends),
        None => Ok(topology),
    }
}

fn of_members(arguments: &Arguments, tables: &[Told]) -> Result<Topology, String> {
    let told = &tables[0];
    let records = told.records()?;
    let judgements = tables.iter().flat_map(Told::judgements).collect();
    let others = tables.iter().filter(|other| other.digest() != told.digest()).count();
    let others = if others == 0 { String::new() } else { format!("; {others} have another table") };
    let title = format!("table {} of {}{others}", short(told.digest()), told.name);
    let topology = Topology::of_records(title, &records, &judgements);
    match ends(arguments) {
        Some(ends) => topology.with_route(&records, ends),
        None => Ok(topology),
    }
}
