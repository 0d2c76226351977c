//! Golden scenarios: each file of `tests/golden` holds a script and the trace that it must give.
//!
//! `UPDATE_GOLDEN=1 cargo test --test golden` writes the traces; what changed is then read and reviewed
//! like code. The expectations in the scripts are written by hand and are never rewritten.

use core::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::{env, fs};

use bridgehead::protocol::organization::{Account, AccountStatus, Organization, OverQuota};
use bridgehead::server::configuration::load_organization;
use bridgehead::sim::pictures::{Arrow, Kind, Part, Reading, Spread, Story, Word, page};
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

/// MA-103, DE-100, DE-107: the scenarios of leased accounts fail under the planted bugs of which they tell.
#[test]
fn bugs_of_leased_accounts_are_found_by_their_scenarios() {
    for (scenario, fault, said) in [
        ("71_fenced_write", "store-takes-any-epoch", "C8: ann@example.com took a write under"),
        (
            "72_drained_owner",
            "drains-and-keeps",
            "`expect-owner harbour-1 ann@example.com -`: it is harbour-2",
        ),
    ] {
        let text = fs::read_to_string(format!("tests/golden/{scenario}.txt")).expect("a scenario");
        let organization = organization_of(&text);
        let text = format!("fault {fault}\n----\n\n{text}");
        let problem = script::run(&text, organization).expect_err("the bug shows");
        assert!(problem.contains(said), "{fault}: {problem}");
    }
}

/// Words that are no command are refused.
#[test]
fn an_unknown_command_is_refused() {
    let problem = script::run("fly rg1-a\n----\n\n", organization()).expect_err("no such verb");
    assert_eq!(problem, "`fly rg1-a`: no such command");
}

/// The story of the seed's first walk-through, as it is drawn.
static FAILURE: LazyLock<Story> = LazyLock::new(failure);

fn failure() -> Story {
    let text = fs::read_to_string("tests/golden/02_single_link_failure.txt").expect("it is there");
    let trace = script::trace(&text, organization()).expect("it runs");
    let mut reading = Reading::default();
    trace.lines().try_for_each(|line| reading.line(line)).expect("each line is one of a trace");
    reading.story()
}

/// When this happened at a member, in milliseconds, in order.
fn times(story: &Story, member: &str, kind: Kind, clue: &str) -> Vec<u64> {
    let column = story.column(member).expect("it has a column");
    let events = story.events.iter().filter(|event| event.column == column && event.kind == kind);
    let told = events.filter(|event| event.text.join(" ").contains(clue));
    told.map(|event| event.time / 1_000).collect()
}

/// What one member told another, from a time on, in milliseconds.
fn told<'s>(
    story: &'s Story,
    (from, to): (&str, &str),
    word: Word,
    clue: &str,
    after: u64,
) -> Option<&'s Arrow> {
    let ends = (story.column(from).expect("a column"), story.column(to).expect("a column"));
    story.arrows.iter().find(|arrow| {
        (arrow.from, arrow.to) == ends
            && arrow.word == word
            && arrow.text.contains(clue)
            && arrow.sent >= after * 1_000
            && arrow.heard.is_some_and(|heard| heard > arrow.sent)
    })
}

/// The time-space diagram of a link failure has every step of the seed's walk-through: the failed attempts,
/// the decision, the report, the record, the news before the mail, the mail that goes back and around.
#[test]
fn the_picture_of_a_link_failure_shows_each_step() {
    let story = &*FAILURE;
    let names: Vec<&str> = story.columns.iter().map(|column| column.member.as_str()).collect();
    let members = [1, 2, 3, 4, 5].map(|group| [format!("rg{group}-a"), format!("rg{group}-b")]);
    assert_eq!(names, members.concat());
    assert!(story.columns.iter().all(|c| c.group == format!("RG{}", &c.member[2..3])));

    assert_eq!(times(story, "rg2-a", Kind::Broken, "link to rg4-a cut"), [10_000]);
    let failed = times(story, "rg2-a", Kind::Failed, "RG2-RG4 refused by rg4-a");
    // The first attempt, for the mail that has come, and three glitch retries.
    assert_eq!(failed, [10_028, 70_029, 130_029, 190_029]);
    assert_eq!(times(story, "rg2-a", Kind::Judged, "RG2-RG4 judged retry"), [10_028]);
    assert_eq!(times(story, "rg2-a", Kind::Judged, "RG2-RG4 judged down"), [190_029]);
    let report = told(story, ("rg2-a", "rg2-b"), Word::Report, "RG2-RG4 DOWN", 190_000);
    assert_eq!(report.expect("it is reported").heard, Some(190_030_000));
    assert_eq!(times(story, "rg2-b", Kind::Published, "RG2 1.1.1.0 RG2-RG4 DOWN"), [190_030]);

    // Every member merges the record, none before somebody told it, and its table changes then.
    let mut merged = Vec::new();
    for name in names.iter().filter(|name| **name != "rg2-b") {
        let times_of = times(story, name, Kind::Merged, "RG2 1.1.1.0");
        let [time] = times_of[..] else { panic!("{name} merges it once: {times_of:?}") };
        assert!(times(story, name, Kind::TableChanged, "").contains(&time), "{name}");
        let column = story.column(name);
        let is_told = story.arrows.iter().any(|arrow| {
            Some(arrow.to) == column
                && arrow.text.contains("RG2 1.1.1.0")
                && arrow.heard.is_some_and(|heard| heard / 1_000 <= time)
        });
        assert!(is_told, "{name} has it from somebody");
        merged.push(time);
    }
    assert!(merged.iter().all(|time| (190_030..195_029).contains(time)), "{merged:?}");

    // News precedes the mail that goes back by RG1, and on by RG3.
    assert_eq!(times(story, "rg2-a", Kind::Rerouted, "waited for RG2-RG4 now by rg1-a").len(), 1);
    let mut last = 0;
    for hop in ["rg2-a rg1-a", "rg1-a rg3-a", "rg3-a rg4-a", "rg4-a rg5-a"] {
        let (from, to) = hop.split_once(' ').expect("two members");
        let news = told(story, (from, to), Word::News, "RG2 1.1.1.0", 190_000).expect(hop);
        let mail = told(story, (from, to), Word::Mail, "rg1-a/", 190_000).expect(hop);
        assert!(news.heard.expect("it came") < mail.sent, "{hop}: news before mail");
        assert!(mail.sent > last, "{hop}: after the hop before");
        last = mail.heard.expect("it came");
    }
    assert!(told(story, ("rg5-a", "rg5-b"), Word::Mail, "rg1-a/", 190_000).is_some());
    assert_eq!(times(story, "rg5-b", Kind::Mail, "mail in its account").len(), 3);

    // And back.
    assert_eq!(times(story, "rg2-a", Kind::Healed, "link to rg4-a healed"), [197_029]);
    assert_eq!(times(story, "rg2-a", Kind::Judged, "RG2-RG4 judged up").len(), 1);
    assert_eq!(times(story, "rg2-b", Kind::Published, "RG2 1.1.2.0 RG2-RG4 UP").len(), 1);
    assert!(story.arrows.iter().all(|arrow| arrow.heard.is_some()), "nothing was lost");
}

/// A minute without events takes no more room than any other break, and the axis says what it leaves out.
#[test]
fn the_picture_leaves_out_the_time_without_events() {
    let story = &*FAILURE;
    let part = Part { from: Some(10_000_000), to: Some(190_100_000), ..Part::default() };
    let part = story.part(&part).expect("it has members");
    let spread = Spread::of(&part);
    // Three glitch retries, a minute apart.
    let breaks: Vec<u64> = spread.breaks().map(|gap| gap / 1_000_000).collect();
    assert_eq!(breaks, [60, 60, 60]);
    assert!(spread.height() < 4_000.0, "it is {} high", spread.height());
    let page = page(&part, "a failure");
    for said in ["60.000 s without events", "REPORT RG2-RG4 DOWN", "<script>", "judged down"] {
        assert!(page.contains(said), "{said}");
    }
    assert!(
        !page.contains("http://") || page.matches("http").count() == 1,
        "nothing from elsewhere"
    );
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
