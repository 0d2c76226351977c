//! Peers that prove nothing must pass nothing.

mod common;
#[path = "common/modest.rs"]
mod modest;

use core::time::Duration;
use std::io::Write as _;
use std::net::TcpStream;

use common::{
    NOBODY_LISTENS, count, drain, events, fake_adapter, greet_and, listen, logins, run, summary,
};

type Serve = fn(TcpStream) -> std::io::Result<()>;

fn close(stream: TcpStream) -> std::io::Result<()> {
    drop(stream);
    Ok(())
}

fn reset(stream: TcpStream) -> std::io::Result<()> {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))
}

fn greeting(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(b"220 null.test ready\r\n")?;
    drain(stream)
}

/// The replies have everything that a lazy matcher looks for.
fn always(stream: TcpStream, code: &'static str) -> std::io::Result<()> {
    greet_and(stream, |_| {
        let status = &code[..1];
        format!("{code} {status}.0.0 queued as 0123456789abcdef\r\n").into_bytes()
    })
}

fn echo(stream: TcpStream) -> std::io::Result<()> {
    greet_and(stream, <[u8]>::to_vec)
}

/// The same octets in each run, and no sense in them.
fn random(mut stream: TcpStream) -> std::io::Result<()> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut octets = Vec::new();
    for _ in 0..4_096 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        octets.push(state.to_be_bytes()[0]);
    }
    stream.write_all(&octets)?;
    drain(stream)
}

#[test]
fn eight_null_peers_pass_no_must() {
    let peers: [(&str, Serve); 8] = [
        ("close at accept", close),
        ("silent", drain),
        ("reset", reset),
        ("greeting only", greeting),
        ("always 250", |stream| always(stream, "250")),
        ("always 550", |stream| always(stream, "550")),
        ("echo", echo),
        ("random octets", random),
    ];
    let runs: Vec<_> = peers
        .into_iter()
        .map(|(name, serve)| std::thread::spawn(move || one(name, serve)))
        .collect();
    for run in runs {
        run.join().expect("the peer was tested");
    }
}

/// The replies of a peer that wants to please: to EHLO, and to a login.
const PLEASED: &str = "250-null.test\r\n250-ENHANCEDSTATUSCODES\r\n250 AUTH PLAIN LOGIN\r\n";
const LET_IN: &str = "235 2.7.0 in\r\n";
const SHUT_OUT: &str = "535 5.7.8 out\r\n";

#[test]
fn null_peers_behind_tls_pass_no_must_and_learn_no_more_than_they_are_told() {
    let peers: [(&str, Serve, Serve); 3] = [
        ("always 250", |s| logins::serve(s, true, PLEASED), |s| logins::serve(s, false, PLEASED)),
        ("always 235", |s| logins::serve(s, true, LET_IN), |s| logins::serve(s, false, LET_IN)),
        ("always 535", |s| logins::serve(s, true, SHUT_OUT), |s| logins::serve(s, false, SHUT_OUT)),
    ];
    for (name, clear, tls) in peers {
        let [clear, tls] = [listen(clear), listen(tls)].map(|address| address.to_string());
        let directory = tempfile::tempdir().expect("a temporary directory");
        let output = directory.path().to_str().expect("a path of text");
        let file = logins::describe(directory.path(), &clear, [&clear, &tls]);
        let file = file.to_str().expect("a path of text");
        let words = ["run", "--target", file, "--only", "submission*.**", "-o", output];
        let ran = run(&[&words[..], &["--timeout-factor", "0.05"]].concat());
        assert_ne!(ran.code, 0, "{name}: {}", ran.out);
        let summary = summary(directory.path());
        assert_eq!(count(&summary, "must", "pass"), 0, "{name}: {}", ran.out);
        assert_eq!(count(&summary, "must", "suite-error"), 0, "{name}: {}", ran.out);
        assert!(count(&summary, "must", "fail") >= 10, "{name}: {}", ran.out);
        assert_eq!(run(&["verify", output]).code, 0, "{name}: the failures are derived again");
        let report = std::fs::read_to_string(events(directory.path())).expect("a record");
        let said = name != "always 250" || report.contains("AUTH PLAIN {plain}");
        assert!(said, "{name}: somebody has logged in");
        for secret in logins::SECRETS {
            assert!(!report.contains(secret), "{name}: the report has the password");
        }
    }
}

#[test]
fn whoever_shows_another_certificate_is_not_told_the_password() {
    let tls = listen(|stream| logins::serve(stream, false, PLEASED)).to_string();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let output = directory.path().to_str().expect("a path of text");
    let file = logins::describe(directory.path(), &tls, [&tls, &tls]);
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a name");
    std::fs::write(directory.path().join("other.pem"), other.cert.pem()).expect("a file");
    let text = std::fs::read_to_string(&file).expect("the file was written");
    std::fs::write(&file, format!("certificate = \"other.pem\"\n{text}")).expect("a file");
    let words = ["--only", "submissions.login.plain.01", "--timeout-factor", "0.05"];
    let file = file.to_str().expect("a path of text");
    let ran = run(&[&["run", "--target", file, "-o", output], &words[..]].concat());
    assert_eq!(ran.code, 1, "{}", ran.out);
    let report = std::fs::read_to_string(events(directory.path())).expect("a record");
    assert!(report.contains("the certificate is not that of 127.0.0.1"), "{report}");
    assert!(!report.contains("AUTH PLAIN"), "{report}");
}

#[test]
fn a_server_may_take_bare_line_ends_for_content_and_not_for_the_end_of_it() {
    let verdicts = |serve: Serve| {
        let target = listen(serve).to_string();
        let directory = tempfile::tempdir().expect("a temporary directory");
        let output = directory.path().to_str().expect("a path of text");
        let words = ["run", "--target", &target, "-o", output];
        let ran = run(&[&words[..], &["--only", "smtp.data.smuggling.01"]].concat());
        (ran.code, ran.out)
    };
    let (code, said) = verdicts(modest::serve);
    assert_eq!(code, 0, "{said}");
    let (code, said) = verdicts(modest::smuggle);
    assert!(code == 1 && said.contains("smuggling.01 (must): nothing-executed: "), "{said}");
}

#[test]
fn a_dead_port_of_a_target_keeps_what_needs_it_from_running_and_nothing_else() {
    let dead = NOBODY_LISTENS;
    let place = tempfile::tempdir().expect("a temporary directory");
    let output = place.path().to_str().expect("a path of text");
    let alive = listen(modest::serve).to_string();
    for (smtp, submission, lives, needs_dead) in [
        (&*alive, dead, "smtp.noop.01", "submission.clear.offer.01"),
        (dead, &*alive, "submission.clear.offer.01", "smtp.noop.01"),
    ] {
        let file = logins::describe(place.path(), smtp, [submission, dead]);
        let file = file.to_str().expect("a path of text");
        let words = ["run", "--target", file, "-o", output, "--only", lives, "--only", needs_dead];
        let ran = run(&words);
        assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
        assert!(ran.out.contains(&format!("target {dead} is dead")), "{}", ran.out);
        let summary = summary(place.path());
        // Twins come along, on the same port.
        let protocol = lives.split('.').next().expect("an id has parts");
        for case in summary["cases"].as_array().expect("a list") {
            let is_alive = case["id"].as_str().is_some_and(|id| id.starts_with(protocol));
            assert_eq!(case["verdict"] != "could-not-run", is_alive, "{case}");
        }
        assert_eq!(summary["pending"].as_array().map(Vec::len), Some(0), "nothing is left out");
        assert_eq!(run(&["verify", output]).code, 0, "each verdict follows from the record");
        assert_eq!(run(&["doctor", "--target", file]).code, 3, "a part of it can be tested");
    }
}

fn one(name: &str, serve: Serve) {
    let address = listen(serve).to_string();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let output = directory.path().to_str().expect("a path of text");
    let file = logins::describe(directory.path(), &address, [&address, &address]);
    let ran = run(&[
        "run",
        "--target",
        file.to_str().expect("a path of text"),
        "--timeout-factor",
        "0.01",
        "--unknown",
        "no@null.test",
        "-o",
        output,
    ]);
    assert_ne!(ran.code, 0, "{name}: {}", ran.out);
    let summary = summary(directory.path());
    let cases = summary["cases"].as_array().expect("a summary lists its cases").len();
    // A peer that resets each connection may look like one that refuses it, which ends the run.
    let all = cases >= 260 || (name == "reset" && ran.code == 5);
    assert!(all, "{name}: {cases} cases, expected all that need no adapter");
    assert_eq!(count(&summary, "must", "pass"), 0, "{name}: {}", ran.out);
    assert_eq!(count(&summary, "should", "pass"), 0, "{name}: {}", ran.out);
    // What was not proved is not a proof of the suite's own error either.
    assert_eq!(count(&summary, "must", "suite-error"), 0, "{name}: {}", ran.out);
    let verified = if ran.code == 5 { 3 } else { 0 };
    assert_eq!(run(&["verify", output]).code, verified, "{name}: the failures are derived again");
}

#[test]
fn an_adapter_that_always_says_ok_is_unusable() {
    dishonest("ok", "unknown-op");
}

#[test]
fn an_adapter_whose_clock_stands_still_is_unusable() {
    dishonest("clock", "clock");
}

fn dishonest(lie: &str, complaint: &str) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let output = directory.path().to_str().expect("a path of text");
    let adapter = fake_adapter();
    let ran = run(&["run", "-o", output, "--", "python3", &adapter, "--lie", lie]);
    assert_eq!(ran.code, 5, "{}{}", ran.out, ran.err);
    let complains = ran.err.contains(complaint) || ran.err.contains("hello");
    assert!(complains, "expected a complaint about `{complaint}`, got {}", ran.err);
    let summary = summary(directory.path());
    assert_eq!(count(&summary, "must", "pass"), 0);
    let pending = summary["pending"].as_array().expect("a summary names what is pending");
    assert!(pending.len() >= 40, "{} pending", pending.len());
    assert_eq!(summary["exit"], 5);
}
