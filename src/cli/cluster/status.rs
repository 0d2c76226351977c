//! `cluster status`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::{CONTROL_SOCKET, Plan};
use crate::cli::admin::{ADMIN_FORMAT, ask};
use crate::cli::table::{plain, row, table};
use crate::cli::{failed, refused};

/// What to show.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The directory of the cluster
    #[arg(long, value_name = "DIR", default_value = super::DIRECTORY)]
    dir: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Shows the members with their ports and the links. Fails when no cluster runs, or a member does not.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let plan = match Plan::read(&arguments.dir) {
        Ok(plan) => plan,
        Err(problem) => return refused(&problem),
    };
    let status = match ask(&arguments.dir.join(CONTROL_SOCKET), "status") {
        Ok(status) => status,
        Err(problem) => return failed(&format!("the cluster does not run: {problem}")),
    };
    if arguments.json {
        say!("{}", json!({"format": ADMIN_FORMAT, "plan": plan, "status": status}));
    } else {
        say!("{}\n{}", members(&plan, &status), links(&status).trim_end());
    }
    let members = status["members"].as_array().map_or(&[][..], Vec::as_slice);
    let is_whole = members.iter().all(|member| member["ended"].is_null());
    if is_whole { ExitCode::SUCCESS } else { failed("not every member runs") }
}

fn members(plan: &Plan, status: &Value) -> String {
    let mut rows =
        vec![row([&"MEMBER", &"GROUP", &"STATE", &"PROCESS", &"SMTP", &"DELIVER", &"PORT"])];
    for (place, member) in plan.members.iter().enumerate() {
        let now = &status["members"][place];
        let state = now["ended"].as_str().unwrap_or("running");
        rows.push(row([
            &member.name,
            &member.group,
            &state,
            &plain(&now["process"]),
            &member.smtp,
            &member.deliver,
            &member.group_port,
        ]));
    }
    table(&rows)
}

fn links(status: &Value) -> String {
    let mut rows = vec![row([&"CONNECTOR", &"FROM", &"TO", &"TARGET", &"LINK", &"CONNECTIONS"])];
    for link in status["links"].as_array().into_iter().flatten() {
        let text = |name: &str| link[name].as_str().unwrap_or_default().to_owned();
        let state = if link["is_open"] == true { "open" } else { "cut" };
        rows.push(row([
            &text("connector"),
            &text("from"),
            &text("to"),
            &text("target"),
            &state,
            &plain(&link["connections"]),
        ]));
    }
    table(&rows)
}
