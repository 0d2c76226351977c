//! `man`: one page for each command.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::{failed, refused};
use crate::print;

/// Which pages, and where to.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Write the page of this command instead of the first one
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    path: Vec<String>,
    /// Write the pages of all commands into this directory, one file each
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Writes the pages of `root` that are asked for.
pub(super) fn run(arguments: &Arguments, mut root: clap::Command) -> ExitCode {
    // Gives each command its whole name.
    root = root.disable_help_subcommand(true);
    root.build();
    if let Some(directory) = &arguments.dir {
        return match write_all(root, directory) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&format!("{}: {error}", directory.display())),
        };
    }
    let mut command = &root;
    for word in &arguments.path {
        match command.find_subcommand(word) {
            Some(found) => command = found,
            None => return refused(&format!("man: there is no command `{word}`")),
        }
    }
    let mut page = Vec::new();
    if let Err(error) = clap_mangen::Man::new(command.clone()).render(&mut page) {
        return failed(&format!("the page cannot be made: {error}"));
    }
    print::octets(&page);
    ExitCode::SUCCESS
}

fn write_all(root: clap::Command, directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    clap_mangen::generate_to(root, directory)
}
