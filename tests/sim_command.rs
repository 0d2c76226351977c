//! `bridgehead sim`: exit codes, tapes and traces, as a person meets them.

use std::path::Path;
use std::process::{Command, Output};

const FILE: &str = "examples/five-groups.toml";

fn sim(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bridgehead"))
        .arg("sim")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE))
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("the binary runs")
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).expect("the command prints text")
}

/// The line that says how far a run went, without the name of the run.
fn steps(output: &Output) -> String {
    let text = text(&output.stdout);
    let line = text.lines().find(|line| line.contains(" steps to second ")).expect("it is printed");
    line.split_once(": ").expect("the run has a name").1.to_owned()
}

#[test]
fn seeds_that_hold_exit_with_0() {
    let directory = tempfile::tempdir().expect("a directory");
    let output = sim(directory.path(), &["--seeds", "1..3", "--virtual-hours", "0.2"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let text = text(&output.stdout);
    assert!(text.contains(" connectors crossed, "), "{text}");
    assert!(text.contains("\n3 seeds, "), "{text}");
    assert!(text.ends_with(", every property held\n"), "{text}");
}

#[test]
fn a_violation_exits_with_129_and_its_tape_leads_there_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let fault = ["--fault", "reply-before-durable", "--virtual-hours", "0.3", "--seeds", "1..50"];
    let first = sim(directory.path(), &fault);
    assert_eq!(first.status.code(), Some(129), "{}", text(&first.stderr));
    let shown = text(&first.stdout);
    assert!(shown.contains("\nC1: nobody holds recipient "), "{shown}");
    assert!(shown.lines().count() > 20, "the last rows are shown");
    let again = sim(directory.path(), &["--tape", "failure.tape.json", "--trace", "trace.ndjson"]);
    assert_eq!(again.status.code(), Some(129), "{}", text(&again.stderr));
    assert_eq!(steps(&first), steps(&again));
    let trace = std::fs::read_to_string(directory.path().join("trace.ndjson")).expect("a trace");
    assert!(trace.lines().all(|line| line.starts_with('{') && line.ends_with('}')));
}

/// That a trace or a tape cannot be written is found before the run, not behind it.
#[test]
fn a_bad_path_is_refused_before_the_run() {
    let directory = tempfile::tempdir().expect("a directory");
    for option in ["--trace", "--failure"] {
        let long = ["--virtual-hours", "8000", option, "no/such/place"];
        let output = sim(directory.path(), &long);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("no/such/place: "), "{}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "");
    }
    assert_eq!(std::fs::read_dir(directory.path()).expect("it is there").count(), 0);
}

#[test]
fn a_trace_is_the_same_twice() {
    let directory = tempfile::tempdir().expect("a directory");
    for file in ["one", "two"] {
        let output =
            sim(directory.path(), &["--seed", "5", "--virtual-hours", "0.1", "--trace", file]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
    let read = |file| std::fs::read(directory.path().join(file)).expect("a trace");
    assert!(read("one") == read("two"), "the traces differ");
    assert!(read("one").len() > 10_000);
}

#[test]
fn json_is_one_line_for_each_run() {
    let directory = tempfile::tempdir().expect("a directory");
    let output = sim(directory.path(), &["--seeds", "1..2", "--virtual-hours", "0.1", "--json"]);
    let lines: Vec<serde_json::Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[1]["seed"], &lines[1]["exit"]), (&2.into(), &0.into()));
    assert_eq!(lines[1]["run"]["verdict"], "held");
}

#[test]
fn wrong_arguments_exit_with_2() {
    let directory = tempfile::tempdir().expect("a directory");
    for (arguments, problem) in [
        (["--fault", "no-such-bug"], "no planted bug `no-such-bug`"),
        (["--virtual-hours", "0"], "--virtual-hours is 0"),
        (["--tape", "missing.json"], "missing.json: "),
        (["--seeds", "9..1"], "`9..1` is an empty range"),
    ] {
        let output = sim(directory.path(), &arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(problem), "{arguments:?}: {said}");
    }
}

fn converge(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bridgehead"))
        .args(["sim", "converge"])
        .args(arguments)
        .output()
        .expect("the binary runs")
}

/// LS-200, LS-201: what is measured stands in a table, or in one object a line.
#[test]
fn convergence_is_shown_as_a_table_and_as_json() {
    let output = converge(&["--groups", "10"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let table = text(&output.stdout);
    for shape in ["ring", "tree", "hub", "grid", "random"] {
        let rows = table.lines().filter(|line| line.starts_with(shape));
        assert_eq!(rows.count(), 2, "DOWN and UP of {shape}:\n{table}");
    }
    assert!(table.contains("\npeak memory "), "{table}");
    let output = converge(&["--topology", "ring", "--groups", "5,7", "--members", "3", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let lines = text(&output.stdout);
    let values: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(values.len(), 5, "two rows for each size, and the memory");
    assert_eq!(values[2]["members"], 21);
    assert_eq!(values[2]["change"], "DOWN");
}

/// LS-202.
/// Where a connection takes longer than the wait for the next attempt, the decision takes longer, and comes.
#[test]
fn the_longest_delay_is_measured() {
    for topology in ["ring", "hub"] {
        let long = ["--topology", topology, "--groups", "10", "--delay-ms", "60000"];
        let output = converge(&long);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
    }
}

#[test]
fn a_restart_of_all_members_is_shown() {
    for disks in ["warm", "cold"] {
        let arguments = ["--restart", disks, "--topology", "grid", "--groups", "9"];
        let output = converge(&arguments);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
        assert!(text(&output.stdout).lines().nth(1).is_some_and(|line| line.contains(disks)));
    }
}

#[test]
fn what_cannot_be_measured_is_refused() {
    for (arguments, clue) in [
        (&["--groups", "2"][..], "--groups is 2, expected 3 to 10000"),
        (&["--members", "65"], "--members is 65, expected 1 to 64"),
        (&["--delay-ms", "0"], "--delay-ms is 0, expected 1 to 60000"),
        (&["--topology", "hub", "--groups", "2000"], "at most 1024"),
        (&["--topology", "star"], "invalid value 'star'"),
        (&["--restart", "hot"], "invalid value 'hot'"),
        (&["--fault", "no-such-fault"], "`no-such-fault`"),
    ] {
        let output = converge(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let problem = text(&output.stderr);
        assert!(problem.contains(clue), "{problem}");
    }
}
