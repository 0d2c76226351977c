//! What goes in comes out: the suite is the sender at one end and the store at the other.

use serde_json::json;

use crate::case::{Case, Findings};
use crate::cluster::{OUTSIDE, SECOND};
use crate::event::{Stop, Way};
use crate::net::{Port, Rule, Wire};
use crate::organization::solo;
use crate::stage::Stage;
use crate::transcript::Transcript;

const STORE: &str = "rg1-a>rg1-c/deliver";
const CHECKS: [&str; 4] = ["accepted", "index-and-origin", "same-octets", "once"];

/// Lines that transports have damaged: dots, an empty line, spaces at the end, a long line.
fn lines() -> Vec<String> {
    let mut lines: Vec<String> =
        ["", ".", "..", ".dot", "ends in spaces  ", "\tdeep", "QUIT", "", "From here on"]
            .map(str::to_owned)
            .to_vec();
    lines.push("x".repeat(900));
    lines
}

/// The case.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::program(
            "deliver.transparency.01",
            "A message arrives at the store with every octet of its content",
            "deliver/sender",
            &CHECKS,
            drive,
            judge,
        )
        .verifies(&["RFC5321:4.5.2", "WI-012", "CU-008", "DE-001"]),
    ]
}

fn drive(stage: &mut Stage) -> Result<(), Stop> {
    let mut cluster = stage.cluster(solo(), &[("RG1-RG2", Rule::Refuse)])?;
    cluster.run_until(SECOND)?;
    let wire = cluster.dial("client", OUTSIDE, ("rg1-a", Port::Smtp))?;
    let stuffed: Vec<String> = lines()
        .iter()
        .map(|line| if line.starts_with('.') { format!(".{line}") } else { line.clone() })
        .collect();
    let text = format!("Subject: transparent\r\n\r\n{}\r\n.", stuffed.join("\r\n"));
    let _ = wire.reply();
    for line in [
        "EHLO client.example.net",
        "MAIL FROM:<ann@example.test>",
        "RCPT TO:<carl@example.test>",
        "DATA",
        &text,
    ] {
        if wire.ask(line).this().is_none_or(|reply| reply.code >= 400) {
            return Ok(());
        }
    }
    stage.mark("sent", json!({}));
    match cluster.visitor(STORE, Port::Deliver)? {
        Some(visitor) => play_store(&visitor),
        None => return Ok(()),
    }
    Ok(())
}

/// A store that takes everything: it only looks at the lines that decide what it must answer.
fn play_store(wire: &Wire) {
    let mut index = String::new();
    wire.line("220 rg1-c ready");
    while let Some(line) = wire.read_line().this() {
        let line = String::from_utf8_lossy(&line).into_owned();
        let verb = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "LHLO" => wire.send(b"250-rg1-c\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250-SMTPUTF8\r\n250-DSN\r\n250-SIZE 1000000\r\n250 X-DELIVER\r\n"),
            "RCPT" => {
                index = crate::smtp::parameter(&line, "XINDEX").unwrap_or("?").to_owned();
                wire.line(&format!("250 2.1.5 [{index}] ok"));
            }
            "DATA" => {
                wire.line("354 go ahead");
                while wire.read_line().this().is_some_and(|line| line != b".") {}
                wire.line(&format!("250 2.1.5 [{index}] delivered"));
            }
            "QUIT" => {
                wire.line("221 2.0.0 bye");
                return;
            }
            _ => wire.line("250 2.0.0 ok"),
        }
    }
}

fn judge(transcript: &Transcript<'_>, findings: &mut Findings) {
    let [accepted, names, same, once] = CHECKS;
    findings.shown(accepted, transcript.mark("sent").map(|mark| mark.n), "was not accepted");
    let mail = transcript.lines_with(STORE, Way::Forward, "MAIL FROM:<ann@example.test>");
    let rcpt = transcript.lines_with(STORE, Way::Forward, "RCPT TO:<carl@example.test>");
    let has = |line: &str, name: &str| crate::smtp::parameter(line, name).is_some();
    if let (Some(mail), Some(rcpt)) = (mail.first(), rcpt.first()) {
        let right = has(&mail.text, "XORIGIN") && rcpt.text.contains(" XINDEX=0");
        let seen = format!("`{}` and `{}`", mail.text, rcpt.text);
        findings.is(names, right, &seen, &[mail.n, rcpt.n]);
    }
    let data = transcript.lines_with(STORE, Way::Forward, "DATA");
    let evidence: Vec<u64> = data.iter().map(|line| line.n).collect();
    findings.is(once, data.len() == 1, &format!("{} times", data.len()), &evidence);
    let Some(data) = data.first() else { return };
    let content: Vec<String> = transcript
        .lines(STORE)
        .into_iter()
        .skip_while(|line| line.n != data.n || line.text != data.text)
        .skip(1)
        .filter(|line| line.way == Way::Forward)
        .take_while(|line| line.text != ".")
        .map(|line| line.text.strip_prefix('.').unwrap_or(&line.text).to_owned())
        .collect();
    let mut wanted = vec!["Subject: transparent".to_owned(), String::new()];
    wanted.extend(lines());
    let right = content.ends_with(&wanted);
    findings.is(same, right, &format!("{} lines behind DATA", content.len()), &[data.n]);
}
