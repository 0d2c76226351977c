//! `bridgehead reload`.

use std::path::Path;
use std::process::ExitCode;

use super::admin::ask;
use super::table::{field, plain};
use super::{failed, refused};
use crate::clause;
use crate::server::configuration::{complaint, load, report};

/// Has the member of `file` read its files again. What is wrong with them is printed as `check` does.
pub(super) fn run(file: &Path) -> ExitCode {
    let configuration = match load(file) {
        Ok(configuration) => configuration,
        Err(errors) => return refused(&report(&errors)),
    };
    let Some(socket) = &configuration.listen.admin else {
        let way = "send SIGHUP to the member, and read its log";
        return refused(&format!("{}: listen.admin: no admin socket; {way}", file.display()));
    };
    match ask(socket, "reload") {
        Ok(answer) => {
            let (member, revision) =
                (&configuration.member.member, plain(field(&answer, "revision")));
            say!("{member}: reloaded, organization of revision {revision}");
            ExitCode::SUCCESS
        }
        Err(problem) if problem.starts_with(&format!("{}: ", socket.display())) => {
            clause!(SV_093);
            let cause = "the member is stopped, or runs with the `directory` and `listen.admin` that this file had \
                         at its start: they take a restart, and SIGHUP reaches it meanwhile";
            failed(&complaint(file, "listen.admin", &format!("{problem}: {cause}")).to_string())
        }
        Err(problem) => refused(&problem),
    }
}
