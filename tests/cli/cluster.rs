//! A whole cluster: it starts, answers, its links are cut and healed, and it stops in order.

use core::net::SocketAddr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::shell_support::letters;
use crate::shell_support::outside::{Outside, until};
use crate::support::{Cluster, EXAMPLE, PATIENCE};
use bridgehead::cli::cluster::hold_free_port;
use serde_json::Value;

fn address(status: &Value, relay: usize) -> SocketAddr {
    let listen = status["plan"]["relays"][relay]["listen"].as_str().expect("an address");
    listen.parse().expect("an address")
}

/// The greeting behind a relay.
fn greeted(relay: SocketAddr) -> (TcpStream, String) {
    let stream = TcpStream::connect(relay).expect("the link is open");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let mut line = String::new();
    let mut reader = BufReader::new(&stream);
    reader.read_line(&mut line).expect("the server greets first");
    (stream, line)
}

/// Sends one mail to the SMTP port of a member.
fn send(port: SocketAddr, to: &str) {
    let mut stream = TcpStream::connect(port).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let lines = [
        "EHLO client.test",
        "MAIL FROM:<anna@example.test>",
        &format!("RCPT TO:<{to}>"),
        "DATA",
        "Subject: hello\r\n\r\nhello\r\n.",
    ];
    let mut reply = String::new();
    for line in [""].iter().chain(&lines) {
        if !line.is_empty() {
            stream.write_all(format!("{line}\r\n").as_bytes()).expect("it reads");
        }
        reply.clear();
        while reply.is_empty()
            || reply.lines().last().is_some_and(|last| last[3..].starts_with('-'))
        {
            assert_ne!(reader.read_line(&mut reply).expect("it answers"), 0, "{reply}");
        }
        assert!(reply.starts_with(['2', '3']), "{line}: {reply}");
    }
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("it is JSON")
}

/// One command finds the message among ten members, and each exit code tells a script what happened.
fn orders_reach_the_member_that_has_the_message(cluster: &Cluster) {
    cluster.done(&["cluster", "link", "cut", "RG1", "RG2", "--both"]);
    cluster.done(&["cluster", "link", "cut", "RG1", "RG3", "--both"]);
    let plan = cluster.status();
    let members = plan["plan"]["members"].as_array().expect("members");
    let smtp =
        members.iter().find(|member| member["name"] == "rg1-a").expect("rg1-a")["smtp"].clone();
    let port: SocketAddr = smtp.as_str().expect("an address").parse().expect("an address");
    send(port, "eva@example.test");
    let found = ["--recipient", "EVA@*", "--json"];
    let held = cluster.run(&[&["queue", "hold", "--reason", "under review"][..], &found].concat());
    let answers = json_of(&held);
    let done = answers["members"]["rg1-a"]["done"].as_array().expect("what was done");
    assert_eq!((done.len(), held.status.code()), (1, Some(0)), "{answers}");
    let id = format!("rg1-a/{}", done[0]["of"].as_str().expect("a queue id"));
    let again = cluster.run(&["queue", "hold", &id]);
    assert_eq!(again.status.code(), Some(1), "it is held already");
    let table = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(table.contains("refused: it is held already: under review"), "{table}");
    let listed = cluster.done(&["queue", "list", "--state", "held"]);
    assert!(listed.contains("eva@example.test  held: under review"), "{listed}");
    assert_eq!(cluster.run(&["queue", "list", "--state", "notice"]).status.code(), Some(1));
    let shown = cluster.done(&["queue", "show", &id]);
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["sender anna@example.test", "held under review", "with ESMTP"] {
        assert!(shown.contains(part), "`{part}`: {shown}");
    }
    assert_eq!(cluster.run(&["queue", "retry", &id]).status.code(), Some(1), "it is held");
    cluster.done(&["queue", "release", &id]);
    assert_eq!(cluster.run(&["queue", "release", &id]).status.code(), Some(1), "it is not held");
    cluster.done(&["queue", "hold", &id]);
    let bounced = cluster.done(&["queue", "bounce", &id, "--text", "we are closed"]);
    assert!(bounced.contains("returned to the sender"), "{bounced}");
    assert_eq!(cluster.run(&["queue", "remove", &id]).status.code(), Some(1), "it has ended");
    let nothing = cluster.run(&["queue", "remove", "--recipient", "nobody@*"]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("nothing fits"));
    assert!(nothing.stdout.is_empty(), "it is said once, not for each member");
    let bare = cluster.run(&["queue", "hold", "000000000000002a"]);
    assert_eq!(bare.status.code(), Some(2), "every member may have that number");
    cluster.done(&["cluster", "link", "heal", "RG1", "RG2", "--both"]);
    cluster.done(&["cluster", "link", "heal", "RG1", "RG3", "--both"]);
}

#[test]
fn a_cluster_starts_shows_itself_cuts_heals_and_stops() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut cluster = Cluster::up(directory.path(), &[]);
    let status = cluster.status();
    assert_eq!(status["format"], 1);
    let members = status["status"]["members"].as_array().expect("members");
    assert_eq!(members.len(), 10);
    assert!(members.iter().all(|member| member["ended"].is_null()), "{members:?}");
    let second = cluster.run(&["cluster", "up", EXAMPLE]);
    assert_eq!(second.status.code(), Some(2), "two clusters cannot share a directory");

    let relay = address(&status, 0);
    let (mut open, line) = greeted(relay);
    assert!(line.starts_with("220 "), "{line}");
    let said = cluster.done(&["cluster", "link", "cut", "RG1", "RG2"]);
    assert_eq!(said, "RG1-RG2: cut\n");
    let mut rest = Vec::new();
    let broken = open.read_to_end(&mut rest).expect_err("an open connection is reset");
    assert_eq!(broken.kind(), std::io::ErrorKind::ConnectionReset);
    let refused = TcpStream::connect(relay).expect_err("a new one is refused");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    let (_other, line) = greeted(address(&cluster.status(), 1));
    assert!(line.starts_with("220 "), "the other direction is open: {line}");
    let table = cluster.done(&["cluster", "status"]);
    let cut: Vec<&str> = table.lines().filter(|line| line.contains(" cut ")).collect();
    assert_eq!(cut.len(), 1, "{table}");
    assert!(cut[0].starts_with("RG1-RG2 "), "{table}");

    let said = cluster.done(&["cluster", "link", "heal", "RG1", "RG2", "--both"]);
    assert_eq!(said, "RG1-RG2: healed\nRG2-RG1: healed\n");
    let (_open, line) = greeted(relay);
    assert!(line.starts_with("220 "), "{line}");
    let wrong = cluster.run(&["cluster", "link", "cut", "RG1", "RG5"]);
    assert_eq!(wrong.status.code(), Some(1));
    let problem = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(problem.contains("no connector leads from `RG1` to `RG5`"), "{problem}");

    for what in [&["linkstate", "show"][..], &["queue", "list"]] {
        let said = cluster.done(&[what, &["--json"]].concat());
        let answers: Value = serde_json::from_str(&said).expect("it is JSON");
        assert_eq!(answers["members"].as_object().map(serde_json::Map::len), Some(10), "{said}");
        let said = cluster.done(&[what, &["--member", "rg4-b"]].concat());
        assert!(said.starts_with("rg4-b\n"), "{said}");
    }
    orders_reach_the_member_that_has_the_message(&cluster);
    assert_eq!(cluster.stop(), Some(0), "every member ends in order");
    let other = cluster.run(&["cluster", "up", EXAMPLE, "--base-port=0", "--time-scale=60"]);
    assert_eq!(other.status.code(), Some(2), "the dates of the members count by their scale");
    let problem = String::from_utf8_lossy(&other.stderr).into_owned();
    assert!(problem.contains("made with --time-scale 1,"), "{problem}");
}

const PASSWORD: &str = "Tr0ub4dor & 3";

/// Gives the password to a program on its standard input; what it prints.
fn with_password(command: &mut Command) -> String {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    child.stdin.take().unwrap().write_all(format!("{PASSWORD}\n").as_bytes()).unwrap();
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    assert!(!said.contains(PASSWORD), "{said}");
    String::from_utf8(output.stdout).expect("text")
}

/// What mail the test's own outside server and the Maildirs in `directory` have got.
fn arrives(outside: &Outside, directory: &Path, subject: &str) {
    let there = String::from_utf8(outside.next()).unwrap();
    let subject = format!("Subject: {subject}");
    let find = || letters(directory).into_iter().find(|letter| letter.contains(&subject));
    let here = until(find, || format!("{subject} has not arrived"));
    for letter in [there, here] {
        assert!(letter.contains(&subject), "{letter}");
        assert!(letter.contains(" with ESMTPSA id "), "{letter}");
        assert_eq!(letter.matches("\r\nDate: ").count(), 1, "{letter}");
        assert_eq!(letter.matches("\r\nMessage-ID: <").count(), 1, "{letter}");
    }
}

/// SM-110: nothing that a member has logged at its most talkative has a secret in it.
fn no_secret_in(log: &str) {
    assert!(log.contains("bridgehead::trace"), "the trace is on");
    assert!(log.contains("authenticated"), "a login is logged");
    // Base64 of pieces of the password, at each of its three alignments, and octets as the trace has them.
    let plain = format!("\0anna@example.test\0{PASSWORD}");
    let base64 = with_password(Command::new("base64").arg("-w0"));
    let octets = |text: &str| {
        let numbers: Vec<_> = text.bytes().map(|octet| octet.to_string()).collect();
        numbers.join(",")
    };
    let whole = with_input("base64", &["-w0"], plain.as_bytes());
    let start = base64.trim_end_matches('=');
    for secret in [PASSWORD, "Tr0ub4dor", whole.as_str(), &start[..start.len() - 2], &whole[24..]] {
        assert!(!log.contains(secret), "`{secret}` in the log");
        assert!(!log.contains(&octets(secret)), "the octets of `{secret}` in the log");
    }
}

fn with_input(program: &str, arguments: &[&str], input: &[u8]) -> String {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    child.stdin.take().unwrap().write_all(input).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

fn python(way: &str, port: &str, ca: &Path, open_port: &str) {
    let mut command = Command::new("python3");
    command.args(["tests/submission_support.py", way, port]).arg(ca).arg(open_port);
    with_password(&mut command);
}

/// SM-100 to SM-115, SV-070 to SV-074, by a client that nobody here wrote: STARTTLS on the port of a
/// cluster, TLS from the start on that of a member, foreign mail after a login and not before.
#[test]
fn a_client_logs_in_and_sends_to_anybody() {
    let directory = tempfile::tempdir().expect("a directory");
    let home = directory.path().join("cluster");
    let line = with_password(Command::new(env!("CARGO_BIN_EXE_bridgehead")).arg("password"));
    assert!(line.starts_with("password = \"$argon2id$") && !line.contains(PASSWORD), "{line}");
    let smart_host = hold_free_port().unwrap().local_addr().unwrap();
    let outside = Outside::new(smart_host);
    let example = std::fs::read_to_string("examples/one-group.toml").unwrap();
    let organization = example
        .replacen("[[group]]", &format!("smart_host = \"{smart_host}\"\n\n[[group]]"), 1)
        .replacen(
            "address = \"anna@example.test\"\n",
            &format!("address = \"anna@example.test\"\n{line}"),
            1,
        );
    let file = directory.path().join("organization.toml");
    std::fs::write(&file, organization).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bridgehead"));
    command.args(["cluster", "up", "--base-port", "0", "--dir"]).arg(&home).arg(&file);
    let (mut cluster, said) = Cluster::start(command.env("BRIDGEHEAD_LOG", "trace"), &home);
    let status = cluster.status();
    let front = &status["plan"]["members"][0];
    let port = |of: &str| front[of].as_str().unwrap().rsplit_once(':').unwrap().1.to_owned();
    assert!(said.contains(&format!("submission 127.0.0.1:{}", port("submission"))), "{said}");
    let own = home.join("front");
    python("starttls", &port("submission"), &own.join("ca.pem"), &port("smtp"));
    arrives(&outside, &home, "starttls PLAIN");
    arrives(&outside, &home, "starttls LOGIN");
    assert_eq!(cluster.stop(), Some(0));
    no_secret_in(&std::fs::read_to_string(own.join("log")).unwrap());

    // The member alone, with a port under TLS and with a certificate for the name that clients know.
    let ca = bridgehead::server::identity::DevelopmentCa::create().unwrap();
    let credentials = ca.issue(&"localhost".into()).unwrap();
    std::fs::write(own.join("for-clients.pem"), &credentials.certificate_pem).unwrap();
    std::fs::write(own.join("for-clients.key"), &credentials.key_pem).unwrap();
    std::fs::write(own.join("clients-ca.pem"), &credentials.ca_pem).unwrap();
    let member = own.join("member.toml");
    let text = std::fs::read_to_string(&member)
        .unwrap()
        .replacen("[listen]\n", "[listen]\nsubmissions = \"127.0.0.1:0\"\n", 1)
        .replacen(
            "[security]\n",
            "[security]\nclient_certificate = \"for-clients.pem\"\nclient_key = \"for-clients.key\"\n",
            1,
        );
    std::fs::write(&member, text).unwrap();
    let mut serve = Command::new(env!("CARGO_BIN_EXE_bridgehead"));
    serve.arg("serve").arg(&member).env("BRIDGEHEAD_LOG", "trace");
    let log = std::fs::File::create(own.join("alone.log")).unwrap();
    let mut child = serve.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
    let mut ready = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    let port = |name: &str| {
        let words = ready.split_whitespace();
        let address = words.filter_map(|word| word.strip_prefix(name)).next().expect(&ready);
        address.rsplit_once(':').unwrap().1.to_owned()
    };
    let (submissions, smtp) = (port("submissions="), port("smtp="));
    let checked = std::panic::catch_unwind(|| {
        python("tls", &submissions, &own.join("clients-ca.pem"), &smtp);
        let there = [outside.next(), outside.next()].concat();
        let there = String::from_utf8(there).unwrap();
        assert!(there.contains("Subject: tls PLAIN") && there.contains("Subject: tls LOGIN"));
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let log = std::fs::read_to_string(own.join("alone.log")).unwrap();
    checked.unwrap_or_else(|panic| {
        println!("{ready}{log:.20000}");
        std::panic::resume_unwind(panic)
    });
    no_secret_in(&log);
}
