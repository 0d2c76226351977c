//! What people see of the commands: help and complaints, word for word. Snapshots are for words only,
//! never for what the protocols do.

use std::fs;
use std::process::Command;

/// What a command prints on both streams, with the temporary directory called `DIR`.
fn printed(arguments: &[&str], directory: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_bridgehead"))
        .args(arguments)
        .env("COLUMNS", "100")
        .output()
        .expect("it starts");
    let both = [output.stdout, output.stderr].concat();
    let code = output.status.code().map_or_else(|| "none".to_owned(), |code| code.to_string());
    let text = String::from_utf8_lossy(&both).replace(directory, "DIR");
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    format!("{}\nexit {code}", lines.join("\n"))
}

#[test]
fn help_names_every_command() {
    insta::assert_snapshot!("help", printed(&["--help"], "no directory"));
}

#[test]
fn everything_that_is_wrong_with_a_file_is_told_with_its_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let example = fs::read_to_string("examples/five-groups.toml").expect("the example");
    let wrong = example
        .replacen("cost = 10", "cost = 1000", 1)
        .replacen("to = \"RG4\"", "to = \"RG9\"", 1)
        .replacen("host = \"rg5-b\"", "host = \"rg9-b\"", 1);
    let path = directory.path().join("organization.toml");
    fs::write(&path, wrong).expect("a file");
    let directory = directory.path().to_string_lossy().into_owned();
    let path = path.to_string_lossy().into_owned();
    insta::assert_snapshot!("check", printed(&["check", &path], &directory));
}

#[test]
fn a_cluster_that_is_not_there_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path().to_string_lossy().into_owned();
    insta::assert_snapshot!(
        "no_cluster",
        printed(&["cluster", "status", "--dir", &directory], &directory)
    );
}
