//! The commands: [`line`] says what can be asked for, the others do it.

mod line;
mod look;
mod reach;
mod run;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use line::{Command, OWN_NAME};

use crate::cases;
use crate::print;
use crate::verdict::Exit;

/// Runs a command line.
pub(crate) fn main(mut args: Vec<OsString>, default_adapter: Option<Vec<OsString>>) -> ExitCode {
    let words = args.clone();
    if args.is_empty() {
        args.push("run".into());
    }
    let name = line::called_as(&words);
    let line = core::iter::once(OsString::from(name)).chain(args);
    let exit = match line::parse(name, line) {
        Ok(cli) => dispatch(cli.command, default_adapter.unwrap_or_default()),
        Err(error) if error.use_stderr() => refused(&error, &words),
        // Help, or the version.
        Err(text) => {
            print::remember(text.print());
            Exit::Conformant
        }
    };
    let (exit, problem) = print::finish(exit);
    if let Some(problem) = problem {
        fail(exit, &problem);
    }
    ExitCode::from(exit.code())
}

/// The line is wrong: says how, and leaves a report of the run that was meant, if it says where.
fn refused(error: &clap::Error, words: &[OsString]) -> Exit {
    let _ = error.print();
    if let Some(output) = line::stated_output(words) {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        run::refused(&output, first.strip_prefix("error: ").unwrap_or(first));
    }
    Exit::Usage
}

fn dispatch(command: Command, default_adapter: Vec<OsString>) -> Exit {
    let all = match cases::all() {
        Ok(all) => all,
        Err(problem) => return fail(Exit::SuiteBug, &problem),
    };
    match command {
        Command::Run(run) => run::run(&run, default_adapter, &all),
        Command::List(list) => look::list(&list, &all),
        Command::Explain { id } => look::explain(&id, &all),
        Command::Verify { directory } => look::verify(&directory, &all),
        Command::Doctor(under) => run::doctor(&under, default_adapter),
    }
}

fn fail(exit: Exit, problem: &str) -> Exit {
    let name = line::NAME.get().map_or(OWN_NAME, String::as_str);
    let _ = writeln!(std::io::stderr(), "{name}: {}", print::harmless(problem));
    exit
}

fn count(number: usize) -> String {
    if number == 1 { "1 case".into() } else { format!("{number} cases") }
}
