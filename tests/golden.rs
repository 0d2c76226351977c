//! Golden scenarios: each file of `tests/golden` holds a script and the trace that it must give.
//!
//! `UPDATE_GOLDEN=1 cargo test --test golden` writes the traces; what changed is then read and reviewed
//! like code. The expectations in the scripts are written by hand and are never rewritten.

use core::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use bridgehead::protocol::organization::{Account, AccountStatus, Organization, OverQuota};
use bridgehead::server::configuration::load_organization;
use bridgehead::sim::script;
use bridgehead::wire::message::Address;

fn organization() -> Organization {
    organization_of("")
}

/// The organization that the first line of a scenario names, or the five groups.
fn organization_of(scenario: &str) -> Organization {
    let named = scenario.lines().next().and_then(|line| line.strip_prefix("# organization: "));
    let path = named.unwrap_or("examples/five-groups.toml");
    load_organization(Path::new(path)).expect("the example is right")
}

fn scenarios() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir("tests/golden")
        .expect("the scenarios lie beside this file")
        .map(|entry| entry.expect("a directory is readable").path())
        .collect();
    files.sort();
    files
}

/// Where two texts part, with some lines of both.
fn difference(expected: &str, given: &str) -> String {
    const SHOWN: usize = 8;
    let common = expected.lines().zip(given.lines()).take_while(|(a, b)| a == b).count();
    let mut text = format!("line {}:\n", common + 1);
    for (sign, side) in [('-', expected), ('+', given)] {
        for line in side.lines().skip(common).take(SHOWN) {
            writeln!(text, "{sign} {line}").expect("a string takes text");
        }
    }
    text
}

#[test]
fn every_scenario_gives_its_trace() {
    let is_update = env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1");
    let files = scenarios();
    assert!(files.len() >= 7, "the scenarios are there");
    let mut failures = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a scenario is readable");
        match script::run(&text, organization_of(&text)) {
            Err(problem) => failures.push(format!("{}: {problem}", file.display())),
            Ok(given) if given == text => {}
            Ok(given) if is_update => fs::write(&file, given).expect("a scenario is writable"),
            Ok(given) => {
                failures.push(format!("{}: {}", file.display(), difference(&text, &given)));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// A scenario can fail: an expectation that is not met is an error that names it.
#[test]
fn a_wrong_expectation_fails() {
    let text = "boot all\n----\n\nexpect-files eva@example.test 1\n----\n\n";
    let problem = script::run(text, organization()).expect_err("nothing was sent");
    assert!(problem.starts_with("`expect-files eva@example.test 1`: there are 0"), "{problem}");
}

/// A scenario runs the same way twice, and its trace is part of the file.
#[test]
fn a_scenario_is_deterministic_and_complete() {
    let text = fs::read_to_string(&scenarios()[0]).expect("a scenario is readable");
    let first = script::run(&text, organization()).expect("it runs");
    let second = script::run(&first, organization()).expect("it runs");
    assert_eq!(first, second);
    assert!(first.lines().filter(|line| line.contains("X-SUBMIT COMMIT")).count() >= 3);
}

/// LS-021, LS-024, LS-030: the walk-throughs of the seed fail under the planted bugs of detection, each at the
/// expectation that speaks of it.
#[test]
fn bugs_of_detection_are_found_by_the_walk_throughs() {
    for (scenario, fault, place) in [
        ("02_single_link_failure", "retry-at-59s", "`expect-state rg1-a RG2-RG4 up`: it is down"),
        (
            "02_single_link_failure",
            "probe-only-with-mail",
            "`expect-state rg1-a RG2-RG4 up`: it is down",
        ),
        (
            "05_cut_edge_persistent",
            "down-on-a-cut-edge",
            "`expect-state rg1-a RG4-RG5 up`: it is down",
        ),
    ] {
        let text = fs::read_to_string(format!("tests/golden/{scenario}.txt")).expect("a scenario");
        let text = format!("fault {fault}\n----\n\n{text}");
        let problem = script::run(&text, organization()).expect_err("the bug shows");
        assert!(problem.starts_with(place), "{fault}: {problem}");
    }
}

/// Words that are no command are refused.
#[test]
fn an_unknown_command_is_refused() {
    let problem = script::run("fly rg1-a\n----\n\n", organization()).expect_err("no such verb");
    assert_eq!(problem, "`fly rg1-a`: no such command");
}

/// How many accounts each of the two hosts has.
const CROWD: usize = 150;
/// Of each host, the account that takes no mail, and the one without room.
const CLOSED: usize = 10;
const FULL: usize = 20;

/// A frontend, and two hosts with [`CROWD`] accounts each; one host refuses for want of room for ever.
fn crowd() -> Organization {
    let path = Path::new("tests/data/limited-accounts.toml");
    let mut organization = load_organization(path).expect("the file is right");
    for (letter, host) in [("a", "be1"), ("c", "be2")] {
        organization.accounts.extend((0..CROWD).map(|number| {
            let address = Address(format!("{letter}{number}@example.test"));
            let mut account = Account::new(address, host.into());
            match number {
                CLOSED => account.status = AccountStatus::Suspended,
                FULL => account.quota_octets = 10,
                _ => {}
            }
            if number == FULL && host == "be2" {
                account.over_quota = OverQuota::Permanent;
            }
            account
        }));
    }
    assert_eq!(organization.check(), []);
    organization
}

/// DE-080 to DE-083, SM-092: one message for three hundred accounts on two hosts that are away when it
/// comes. Each account that takes it has it once, and what two of each host refuse is returned: for one
/// at once, for the others when their time is over.
#[test]
fn a_message_for_three_hundred_ends_for_each_once() {
    let addresses =
        |letter: char| (0..CROWD).map(move |n| (n, format!("{letter}{n}@example.test")));
    let all: Vec<(usize, String)> = addresses('a').chain(addresses('c')).collect();
    let recipients: Vec<&str> = all.iter().map(|(_, address)| address.as_str()).collect();
    let mut commands = vec![
        "boot fe1 quiet".to_owned(),
        format!("send m1 fe1 anna@example.test {}", recipients.join(" ")),
        "until client0 250 2.0.0 quiet".to_owned(),
        "boot be1 quiet".to_owned(),
        "boot be2 quiet".to_owned(),
        "advance 3h quiet".to_owned(),
    ];
    commands.extend(all.iter().map(|(number, address)| {
        let count = if matches!(*number, CLOSED | FULL) { 0 } else { 1 };
        format!("expect-files {address} {count}")
    }));
    // The one that is refused for ever is returned already; three wait.
    commands.push("expect-files anna@example.test 1".to_owned());
    commands.push("expect-queue fe1 1".to_owned());
    commands.push("advance 50h quiet".to_owned());
    commands.extend([CLOSED, FULL].iter().flat_map(|number| {
        ['a', 'c'].map(|letter| format!("expect-files {letter}{number}@example.test 0"))
    }));
    // That it is late, and that it is returned, is told once for all three.
    commands.push("expect-files anna@example.test 3".to_owned());
    commands.push("expect-queue fe1 0".to_owned());
    commands.push("expect-settled".to_owned());
    let text: String = commands.iter().map(|command| format!("{command}\n----\n\n")).collect();
    script::run(&text, crowd()).expect("each ends as it should");
}

/// DE-080, SM-090: the same with hosts that are there: who takes no mail is refused at the door.
#[test]
fn of_three_hundred_those_that_take_no_mail_are_refused_at_the_door() {
    let recipients: Vec<String> = (0..CROWD).map(|n| format!("a{n}@example.test")).collect();
    let text = format!(
        "boot all quiet\n----\n\nadvance 5s quiet\n----\n\nsend m1 fe1 anna@example.test {}\n----\n\nadvance 60s quiet\n----\n\n\
         expect-files a{CLOSED}@example.test 0\n----\n\nexpect-files a0@example.test 1\n----\n\n\
         expect-queue fe1 1\n----\n\nadvance 50h quiet\n----\n\nexpect-settled\n----\n\n",
        recipients.join(" ")
    );
    script::run(&text, crowd()).expect("each ends as it should");
}
