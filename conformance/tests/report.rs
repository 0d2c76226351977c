//! Reports, exit codes, and what `verify` notices.

mod common;
#[path = "common/modest.rs"]
mod modest;

use common::{NOBODY_LISTENS, Ran, count, events, fake_adapter, forge, listen, run, summary};

/// Runs against the honest small server.
fn small(output: &str, more: &[&str]) -> Ran {
    let adapter = fake_adapter();
    let mut args = vec!["run", "-o", output];
    args.extend(more);
    args.extend(["--", "python3", &adapter]);
    run(&args)
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

#[test]
fn a_report_is_verified_and_every_forgery_is_noticed() {
    let place = directory();
    let output = place.path().to_str().expect("a path of text");
    let ran = small(output, &["--only", "smtp.mail.0*"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert_eq!(run(&["verify", output]).code, 0);
    let path = events(place.path());
    let untouched = std::fs::read(&path).expect("the events were written");

    // One flipped bit, in the middle of the file.
    let mut flipped = untouched.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    std::fs::write(&path, &flipped).expect("the events are writable");
    let ran = run(&["verify", output]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("tampered"), "{}", ran.err);

    // Another reply, and the hashes repaired: the recorded verdict is not what the record shows.
    std::fs::write(&path, &untouched).expect("the events are writable");
    forge(&path, |body| body.replace("250 2.1.0 ok", "550 2.1.0 ok"));
    let ran = run(&["verify", output]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("recorded pass, derived fail"), "{}", ran.out);

    // Another line of the suite, and the hashes repaired: the suite never said that.
    std::fs::write(&path, &untouched).expect("the events are writable");
    forge(&path, |body| match body.contains(r#""way":"forward""#) {
        true => body.replace("MAIL FROM", "MAIL FRXM"),
        false => body.to_owned(),
    });
    let ran = run(&["verify", output]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("the suite never said `MAIL FRXM"), "{}", ran.out);

    // A case that is said not to apply, though it does.
    std::fs::write(&path, &untouched).expect("the events are writable");
    forge(&path, |body| body.replace(r#""profiles":["smtp/server""#, r#""profiles":["none""#));
    let ran = run(&["verify", output]);
    assert!(ran.out.contains("is not claimed"), "{}", ran.out);
    std::fs::write(&path, &untouched).expect("the events are writable");

    // The forger changes the verdicts along: the exit of the run gives him away.
    forge(&path, |body| {
        body.replace(r#""verdict":"pass","reason":"""#, r#""verdict":"fail","reason":"x""#)
    });
    assert_eq!(run(&["verify", output]).code, 1);

    // A run that was cut short: what is there is right, and it says that it is not all.
    let text = String::from_utf8(untouched).expect("the events are text");
    let half: Vec<&str> = text.lines().collect();
    let cut = half[..half.len() - 2].join("\n") + "\n";
    std::fs::write(&path, cut).expect("the events are writable");
    let ran = run(&["verify", output]);
    assert_eq!(ran.code, 1, "a summary of a run that did not end: {}{}", ran.out, ran.err);
    for later in ["summary.json", "junit.xml"] {
        std::fs::remove_file(place.path().join(later)).expect("the file was written");
    }
    let ran = run(&["verify", output]);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
}

#[test]
fn a_change_in_the_summary_or_in_junit_is_noticed() {
    let place = directory();
    let output = place.path().to_str().expect("a path of text");
    let ran = small(output, &["--only", "smtp.mail.0*"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    for (name, old, new, said) in [
        ("summary.json", r#""verdict": "pass""#, r#""verdict": "fail""#, "derived \"pass\""),
        ("summary.json", r#""exit": 0"#, r#""exit": 1"#, "exit is 1, derived 0"),
        ("summary.json", r#""fail": 0"#, r#""fail": 1"#, "counts is"),
        ("summary.json", r#""counts""#, r#""more": 1, "counts""#, "did not write"),
        ("junit.xml", r#"name="smtp.mail.01""#, r#"name="smtp.mail.99""#, "derived `<testcase"),
        ("junit.xml", r#"failures="0""#, r#"failures="1""#, "derived `<testsuite"),
    ] {
        let path = place.path().join(name);
        let untouched = std::fs::read_to_string(&path).expect("the file was written");
        let changed = untouched.replacen(old, new, 1);
        assert_ne!(changed, untouched, "{name} has no {old}");
        std::fs::write(&path, changed).expect("the file is writable");
        let ran = run(&["verify", output]);
        assert_eq!(ran.code, 1, "{name} {new}: {}{}", ran.out, ran.err);
        assert!(ran.out.contains(&format!("differs: {name}: ")), "{}", ran.out);
        assert!(ran.out.contains(said), "{name} {new}: {}", ran.out);
        std::fs::remove_file(&path).expect("the file is there");
        let ran = run(&["verify", output]);
        assert_eq!(ran.code, 3, "{name}: {}{}", ran.out, ran.err);
        std::fs::write(&path, untouched).expect("the file is writable");
        assert_eq!(run(&["verify", output]).code, 0);
    }
}

#[test]
fn only_the_profiles_that_are_claimed_apply() {
    let place = directory();
    let output = place.path().to_str().expect("a path of text");
    let ran = small(output, &["--only", "smtp.*.01", "--only", "submit.**"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let summary = summary(place.path());
    assert!(count(&summary, "must", "pass") >= 10, "{}", ran.out);
    assert!(count(&summary, "must", "not-applicable") >= 10, "{}", ran.out);
    let junit = std::fs::read_to_string(place.path().join("junit.xml")).expect("JUnit was written");
    assert!(junit.contains(r#"name="smtp.rset.01""#), "{junit}");
    assert!(junit.contains("<skipped"), "{junit}");
    assert!(!junit.contains("<failure"), "{junit}");
    assert_eq!(run(&["verify", output]).code, 0);
}

#[test]
fn nothing_selected_is_4_and_a_bad_command_line_is_2() {
    let place = directory();
    let output = place.path().to_str().expect("a path of text");
    let ran = small(output, &["--only", "smpt.**"]);
    assert_eq!(ran.code, 4, "{}", ran.err);
    assert!(ran.err.contains("`smpt.**` matches no case"), "{}", ran.err);
    assert_eq!(summary(place.path())["exit"], 4);
    let verified = run(&["verify", output]);
    assert_eq!(verified.code, 4, "an empty report proves nothing");
    assert!(
        verified.err.contains("nothing to verify: the run ended with exit 4"),
        "{}",
        verified.err
    );
    let ran = run(&["run", "-o", output, "--target", "127.0.0.1:1", "--only", "submit.**"]);
    assert_eq!(ran.code, 4, "{}", ran.err);
    for bad in [
        &["run", "--surprise"][..],
        &["run", "--target", "127.0.0.1:25", "-o", "/dev/null/report"],
        &["verify", "/nonexistent"],
    ] {
        let ran = run(bad);
        assert_eq!(ran.code, 2, "{bad:?}: {}{}", ran.out, ran.err);
        assert!(!ran.err.is_empty(), "{bad:?} says nothing");
    }
}

#[test]
fn a_run_that_cannot_begin_leaves_a_whole_report_all_the_same() {
    for (code, words) in [
        (2, &[][..]),
        (2, &["--target", "no port"]),
        (2, &["--target", "127.0.0.1:25", "--timeout-factor=-1"]),
        (2, &["--target", "127.0.0.1:25", "--only", "smtp/x"]),
        (2, &["--surprise"]),
        (2, &["--seed", "x"]),
        (2, &["--target"]),
        (2, &["--target", "127.0.0.1:25", "--", "adapter"]),
        (4, &["--target", "127.0.0.1:1", "--only", "smpt.**"]),
        (4, &["--target", "127.0.0.1:1", "--only", "submit.**"]),
        (4, &["--target", "127.0.0.1:1", "--profile", "smtp/none"]),
        (5, &["--target", "nohost.invalid:25"]),
    ] {
        let place = directory();
        let output = place.path().to_str().expect("a path of text");
        // What an earlier run left must not pass for the result of this one.
        let junit = place.path().join("junit.xml");
        std::fs::write(&junit, "stale").expect("the directory is writable");
        let ran = run(&[&["run", "-o", output], words].concat());
        assert_eq!(ran.code, code, "{words:?}: {}{}", ran.out, ran.err);
        let summary = summary(place.path());
        assert_eq!(summary["exit"], code, "{words:?}");
        let problem = summary["unusable"].as_str().expect("the summary says why");
        assert!(ran.err.contains(problem), "{words:?}: {}", ran.err);
        let junit = std::fs::read_to_string(junit).expect("JUnit was written");
        assert!(junit.contains(r#"tests="0""#), "{words:?}: {junit}");
        let verified = run(&["verify", output]);
        assert_eq!(verified.code, 4, "{words:?}: {}{}", verified.out, verified.err);
        let clue = format!("nothing to verify: the run ended with exit {code}");
        assert!(verified.err.contains(&clue), "{}", verified.err);
    }
}

#[test]
fn a_dead_target_is_5_with_a_valid_report() {
    let place = directory();
    let output = place.path().to_str().expect("a path of text");
    let ran = run(&["run", "--target", NOBODY_LISTENS, "-o", output]);
    assert_eq!(ran.code, 5, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("is dead"), "{}", ran.err);
    assert_eq!(summary(place.path())["exit"], 5);
    assert_eq!(run(&["verify", output]).code, 3, "nothing was run, and the report says so");
}

#[test]
fn an_adapter_that_does_not_start_is_5() {
    let place = directory();
    let output = place.path().to_str().expect("a path of text");
    let ran = run(&["run", "-o", output, "--", "/nonexistent/adapter"]);
    assert_eq!(ran.code, 5, "{}{}", ran.out, ran.err);
}

/// Errors planted in the small server, the case that must find each, and the check that must name it.
const MUTANTS: [(&str, &str, &str); 12] = [
    ("bare-lf", "smtp.data.smuggling.01", "one-answer"),
    ("no-queue-id", "smtp.data.plain.01", "accepted"),
    ("accepts-unknown", "smtp.unknown.01", "unknown"),
    ("offers-submit", "smtp.ehlo.02", "extensions"),
    ("rset-keeps", "smtp.rset.01", "forgotten"),
    ("quit-stays", "smtp.quit.01", "fence-closed"),
    ("mail-twice", "smtp.mail.01", "nested"),
    ("no-null-sender", "smtp.mail.02", "mail"),
    ("any-size", "smtp.size.01", "refused"),
    ("open-relay", "smtp.rcpt.04", "refused"),
    ("any-user", "smtp.rcpt.03", "refused"),
    ("no-utf8", "smtp.ehlo.01", "extensions"),
];

#[test]
fn each_planted_error_is_found_by_the_named_check() {
    let adapter = fake_adapter();
    for (mutant, case, check) in MUTANTS {
        let place = directory();
        let output = place.path().to_str().expect("a path of text");
        // With all of its patience: on a busy machine the adapter alone takes seconds to start, and a
        // suite in a hurry calls it unfit (exit 5) before any case has begun.
        let words = ["run", "--only", case, "-o", output, "--", "python3", &adapter];
        let ran = run(&[&words[..], &["--mutant", mutant]].concat());
        assert_eq!(ran.code, 1, "{mutant}: {}{}", ran.out, ran.err);
        let summary = summary(place.path());
        let (_, reason) = result(&summary, case);
        assert!(reason.starts_with(&format!("{check}: ")), "{mutant}: {reason}");
    }
}

/// Verdict and reason of one case.
fn result<'a>(summary: &'a serde_json::Value, case: &str) -> (&'a str, &'a str) {
    let cases = summary["cases"].as_array().expect("a summary lists its cases");
    let found = cases.iter().find(|found| found["id"] == case).expect("the case was run");
    let text = |field: &str| found[field].as_str().expect("text");
    (text("verdict"), text("reason"))
}

#[test]
fn a_refusal_counts_only_with_its_twin() {
    let place = directory();
    let output = place.path().to_str().expect("a path of text");
    // The twin comes along, and first.
    let ran = small(output, &["--only", "smtp.rcpt.02"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let found = summary(place.path());
    assert_eq!(found["cases"][0]["id"], "smtp.rcpt.01");
    assert_eq!(result(&found, "smtp.rcpt.02").0, "pass");
    // Who leaves it out has no proof.
    let ran = small(output, &["--only", "smtp.rcpt.02", "--skip", "smtp.rcpt.01"]);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    let found = summary(place.path());
    let (verdict, reason) = result(&found, "smtp.rcpt.02");
    assert_eq!(verdict, "could-not-run");
    assert!(reason.contains("smtp.rcpt.01 was not run"), "{reason}");
    assert_eq!(run(&["verify", output]).code, 0, "the same is derived again");
    // Nor has whose twin fails: this server takes no second recipient.
    let words = ["--only", "smtp.rcpt.02", "--", "python3", &fake_adapter()];
    let words = [&["run", "-o", output][..], &words, &["--mutant", "one-recipient"]].concat();
    let ran = run(&words);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    let found = summary(place.path());
    assert_eq!(result(&found, "smtp.rcpt.01").0, "fail");
    let (verdict, reason) = result(&found, "smtp.rcpt.02");
    assert_eq!(verdict, "could-not-run");
    assert!(reason.contains("smtp.rcpt.01 came to fail"), "{reason}");
    assert_eq!(run(&["verify", output]).code, 0, "the same is derived again");
}

#[test]
fn list_and_explain_show_what_there_is() {
    let listed = run(&["list", "--only", "link.**", "--json"]);
    assert_eq!(listed.code, 0);
    let cases: serde_json::Value = serde_json::from_str(&listed.out).expect("JSON");
    assert!(cases.as_array().is_some_and(|cases| cases.len() >= 15), "{}", listed.out);
    let explained = run(&["explain", "smtp.rset.01"]);
    assert_eq!(explained.code, 0);
    for part in ["RSET", "forgotten", "smtp.rcpt.01", "RFC5321:4.1.1.5"] {
        assert!(explained.out.contains(part), "{part}: {}", explained.out);
    }
    assert_eq!(run(&["explain", "RFC5321:4.1.1.5"]).code, 0);
    assert_eq!(run(&["explain", "XX-999"]).code, 4);
}

#[test]
fn a_reader_that_goes_away_ends_nothing() {
    use std::process::{Command, Stdio};
    let place = directory();
    let output = place.path().to_str().expect("a path of text");
    for (code, args) in [
        (0, &["list"][..]),
        (0, &["list", "--json"]),
        (0, &["explain", "smtp.rset.01"]),
        (
            1,
            &[
                "run",
                "-o",
                output,
                "--only",
                "smtp.rset.01",
                "--",
                "python3",
                "ADAPTER",
                "--mutant",
                "rset-keeps",
            ],
        ),
        (0, &["verify", output]),
    ] {
        let adapter = fake_adapter();
        let words = args.iter().map(|word| if *word == "ADAPTER" { &adapter } else { *word });
        let mut child = Command::new(env!("CARGO_BIN_EXE_bridgehead-conformance"))
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        drop(child.stdout.take());
        let ended = child.wait_with_output().expect("the program ends");
        let err = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(code), "{args:?}: {err}");
        assert!(err.is_empty(), "{args:?}: {err}");
    }
}

#[test]
fn what_cannot_be_printed_is_no_success() {
    use std::process::Command;
    let place = directory();
    let output = place.path().to_str().expect("a path of text");
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").expect("it exists");
    let bad = ["run", "-o", output, "--only", "smtp.rset.01", "--target", "127.0.0.1:1"];
    for (code, args) in [
        (74, &["list"][..]),
        (74, &["list", "--json"]),
        (74, &["explain", "smtp.rset.01"]),
        (74, &["--help"]),
        (5, &bad),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bridgehead-conformance"));
        let ended = command.args(args).stdout(full()).output().expect("the program ends");
        let err = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(code), "{args:?}: {err}");
        assert!(err.contains("standard output cannot be written: "), "{args:?}: {err}");
        let mut command = Command::new(env!("CARGO_BIN_EXE_bridgehead-conformance"));
        let status = command.args(args).stdout(full()).stderr(full()).status().expect("it ends");
        assert_eq!(status.code(), Some(code), "{args:?}, with nowhere to say why");
    }
}

#[test]
fn a_report_names_the_adapter_and_not_where_it_lies() {
    let place = directory();
    let output = place.path().to_str().expect("a path of text");
    let program = place.path().join("no-adapter");
    let program = program.to_str().expect("a path of text");
    let words = ["run", "-o", output, "--only", "smtp.rset.01", "--", program, "--quick"];
    assert_eq!(run(&words).code, 5);
    let summary = summary(place.path());
    assert_eq!(summary["under_test"], "adapter no-adapter --quick");
}

#[test]
fn a_target_that_is_no_host_and_port_is_told_what_is_expected() {
    let place = directory();
    let output = place.path().to_str().expect("a path of text");
    for target in ["foo", "localhost", ":25", "localhost:smtp", "localhost:70000", "localhost:"] {
        let ran = run(&["run", "-o", output, "--target", target]);
        assert_eq!(ran.code, 2, "{target}: {}{}", ran.out, ran.err);
        assert!(ran.err.contains("expected HOST:PORT, such as localhost:25"), "{}", ran.err);
        assert!(!ran.err.contains("socket address"), "{}", ran.err);
    }
    let ran = run(&["run", "-o", output, "--target", "localhost:1", "--only", "smtp.rset.01"]);
    assert_eq!(ran.code, 5, "a host name is found, and nobody listens: {}", ran.err);
}

#[test]
fn a_bare_target_owes_rfc_5321_and_what_it_offered() {
    let place = directory();
    let output = place.path().to_str().expect("a path of text");
    let target = listen(modest::serve).to_string();
    let run_only = |cases: &[&str]| {
        let only: Vec<&str> = cases.iter().flat_map(|case| ["--only", case]).collect();
        let ran = run(&[&["run", "--target", &target, "-o", output], &only[..]].concat());
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        assert_eq!(run(&["verify", output]).code, 0, "the same is derived again");
        (summary(place.path()), ran.out)
    };
    let plain = ["smtp.noop.01", "smtp.rset.01", "smtp.mail.0*", "smtp.data.plain.01"];
    let (found, _) = run_only(&plain);
    assert_eq!(count(&found, "must", "pass"), found["cases"].as_array().expect("cases").len());
    for (case, extension) in [
        ("smtp.ehlo.01", "PIPELINING"),
        ("smtp.pipelining.01", "PIPELINING"),
        ("smtp.size.02", "SIZE"),
        ("smtp.data.8bit.01", "8BITMIME"),
        ("smtp-mail", "SMTPUTF8"),
        ("smtp-rcpt", "DSN"),
    ] {
        let id = if !case.contains(".") { vector_with(extension) } else { case.to_owned() };
        let (found, _) = run_only(&[&id]);
        let reason = format!("the target does not offer {extension}");
        assert_eq!(result(&found, &id), ("not-applicable", reason.as_str()), "{id}");
    }
    // The ordinary recipient has no domain, and a path with a source route must have one.
    let (found, said) = run_only(&["smtp.noop.01", "smtp-rcpt-0007"]);
    assert_eq!(found["out_of_reach"], 1, "{found}");
    assert!(said.contains("1 case without a --recipient with a domain"), "{said}");
    let words = ["--only", "smtp-rcpt-0007", "--recipient", "amy@modest.test"];
    let ran = run(&[&["run", "--target", &target, "-o", output], &words[..]].concat());
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert_eq!(count(&summary(place.path()), "must", "pass"), 1);
}

/// A vector that is accepted where an extension was offered.
fn vector_with(extension: &str) -> String {
    let word = if extension == "DSN" { "NOTIFY=DELAY" } else { "> SMTPUTF8" };
    let listed = run(&["list", "--only", "smtp-*", "--json"]).out;
    let cases: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    let cases = cases.as_array().expect("a list");
    let has = |case: &&serde_json::Value| {
        case["title"].as_str().expect("text").contains(word) && case["twin"].is_null()
    };
    let found = cases.iter().find(has).expect("there is such a vector");
    found["id"].as_str().expect("text").to_owned()
}

#[test]
fn two_runs_do_not_write_one_report() {
    let place = directory();
    let output = place.path().to_str().expect("a path of text");
    let target = listen(modest::serve).to_string();
    let words = ["run", "--target", &target, "-o", output, "--only", "smtp.noop.01"];
    assert_eq!(run(&words).code, 0);
    let path = events(place.path());
    let written = std::fs::read(&path).expect("the events were written");
    let first = std::fs::File::open(&path).expect("the events are readable");
    first.try_lock().expect("no run is under way");
    let second = run(&words);
    assert_eq!(second.code, 2, "{}{}", second.out, second.err);
    assert!(second.err.contains("another run writes its report here"), "{}", second.err);
    assert_eq!(std::fs::read(&path).expect("they are there"), written, "nothing was touched");
    assert_eq!(run(&["verify", output]).code, 0);
    drop(first);
    assert_eq!(run(&words).code, 0);
}

#[test]
fn what_a_target_says_does_nothing_to_the_terminal() {
    let place = directory();
    let output = place.path().to_str().expect("a path of text");
    let target = listen(|stream| {
        common::greet_and(stream, |_| b"250 \x1b[2J\x07\xc2\x9b31m\xe2\x80\xae\r\n".to_vec())
    });
    let target = target.to_string();
    let ran = run(&["run", "--target", &target, "-o", output, "--only", "smtp.noop.01"]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    let bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!ran.out.contains(bad) && !ran.err.contains(bad), "{:?}{:?}", ran.out, ran.err);
    assert!(ran.out.contains("[2J"), "the rest is shown: {}", ran.out);
}

#[test]
fn a_program_says_that_its_steps_are_one() {
    let explained = run(&["explain", "link.walk.single.01"]);
    assert!(explained.out.contains("its steps are a program"), "{}", explained.out);
}
