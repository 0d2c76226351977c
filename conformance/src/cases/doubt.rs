//! A transfer in doubt waits for its answer, whatever else would move the message.

use serde_json::json;

use super::custody::lost;
use super::members::NO_DIGEST;
use super::seen::{Moment, crossings, deliveries, mark};
use crate::case::{Case, Findings};
use crate::cluster::{HOUR, SECOND};
use crate::event::{Stop, Way};
use crate::net::{Port, Rule, Wire};
use crate::organization::{RG2_RECORD, ring, solo, two_groups};
use crate::script::frame;
use crate::smtp::parameter;
use crate::stage::Stage;
use crate::transcript::Transcript;

const ANN: &str = "ann@example.test";
const BOB: &str = "bob@example.test";
const ACROSS: &str = "RG1-RG2";
pub(super) const COMMIT_LINE: &str = "X-SUBMIT COMMIT ";

const REROUTE: [&str; 3] = ["the-reply-was-lost", "is-not-rerouted", "asks-when-the-link-is-back"];
const EXPIRY: [&str; 4] =
    ["the-reply-was-lost", "is-not-returned", "asks-when-the-link-is-back", "one-copy"];
const REFUSED: [&str; 3] = ["was-offered", "the-refusal-was-heard", "asks-before-it-offers"];

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::program(
            "submit.doubt.reroute.01",
            "A message in doubt is not rerouted when its connector goes down",
            "submit/sender",
            &REROUTE,
            drive_reroute,
            judge_reroute,
        )
        .verifies(&["CU-022", "SU-021", "SU-022"])
        .forbids(&["is-not-rerouted"])
        .twin("submit.sender.reroute.01")
        .kills(&[("reroute-while-in-doubt", "is-not-rerouted")]),
        Case::program(
            "submit.doubt.expiry.01",
            "A message in doubt is not returned when its time is over",
            "submit/sender",
            &EXPIRY,
            drive_expiry,
            judge_expiry,
        )
        .verifies(&["CU-032", "SU-021"])
        .forbids(&["is-not-returned"])
        .twin("submit.sender.expiry.01")
        .kills(&[("bounce-while-in-doubt", "is-not-returned")]),
        Case::program(
            "submit.doubt.refused.01",
            "A refusal of COMMIT settles nothing: the sender asks before it offers again",
            "submit/sender",
            &REFUSED,
            drive_refused,
            judge_refused,
        )
        .verifies(&["SU-004", "SU-020", "SU-021"])
        .twin("submit.sender.commit.01")
        .kills(&[("commit-refused-means-refused", "asks-before-it-offers")]),
    ]
}

fn drive_reroute(stage: &mut Stage) -> Result<(), Stop> {
    let mut cluster = stage.cluster(ring(), &[])?;
    cluster.run_until(10 * SECOND)?;
    cluster.network().rule(ACROSS, Rule::LoseReplyThenRefuse(COMMIT_LINE.to_owned()));
    cluster.submit("client", "rg1-a", ANN, &[BOB], "doubtful")?;
    cluster.run_for(30 * 60 * SECOND)?;
    stage.mark("healed", json!({}));
    cluster.network().rule(ACROSS, Rule::Pass);
    cluster.run_for(120 * SECOND)
}

/// After the reply was lost, the first word about the transfer is a question, once the link is back.
fn asks(transcript: &Transcript<'_>, findings: &mut Findings, check: &str, healed: Moment) {
    let next = transcript
        .lines(ACROSS)
        .into_iter()
        .filter(|line| line.way == Way::Forward && line.n > healed.n)
        .find(|line| {
            ["X-SUBMIT RESOLVE ", "X-SUBMIT OFFER "].iter().any(|w| line.text.starts_with(w))
        });
    let right = next.as_ref().is_some_and(|line| line.text.starts_with("X-SUBMIT RESOLVE "));
    let numbers: Vec<u64> = next.iter().map(|line| line.n).collect();
    findings.is(check, right, &format!("{:?}", next.map(|line| line.text)), &numbers);
}

fn judge_reroute(transcript: &Transcript<'_>, findings: &mut Findings) {
    let [gone, stays, question] = REROUTE;
    let (Some(lost), Some(healed)) = (lost(transcript), mark(transcript, "healed")) else { return };
    findings.is(gone, true, "the suite withheld the reply", &[lost.n]);
    let elsewhere: Vec<u64> =
        crossings(transcript, "RG1-RG4", "doubtful").iter().map(|c| c.offered.n).collect();
    findings.absent(stays, &elsewhere, healed.n, "nobody else was offered it");
    asks(transcript, findings, question, healed);
}

fn drive_expiry(stage: &mut Stage) -> Result<(), Stop> {
    let blueprint = two_groups().policy("expiry_hours", json!(1));
    let mut cluster = stage.cluster(blueprint, &[])?;
    cluster.run_until(10 * SECOND)?;
    cluster.network().rule(ACROSS, Rule::LoseReplyThenRefuse(COMMIT_LINE.to_owned()));
    cluster.submit("client", "rg1-a", ANN, &[BOB], "doubtful")?;
    cluster.run_for(2 * HOUR)?;
    stage.mark("healed", json!({}));
    cluster.network().rule(ACROSS, Rule::Pass);
    cluster.run_for(120 * SECOND)
}

fn judge_expiry(transcript: &Transcript<'_>, findings: &mut Findings) {
    let [gone, kept, question, copy] = EXPIRY;
    let (Some(lost), Some(healed)) = (lost(transcript), mark(transcript, "healed")) else { return };
    findings.is(gone, true, "the suite withheld the reply", &[lost.n]);
    let returned: Vec<u64> = transcript
        .lines_with("rg1-a>rg1-b/deliver", Way::Forward, "Action: failed")
        .iter()
        .map(|line| line.n)
        .collect();
    findings.absent(kept, &returned, healed.n, "the sender was told of no failure");
    asks(transcript, findings, question, healed);
    let copies: Vec<u64> = deliveries(transcript, "rg2-a>rg2-b/deliver", "doubtful")
        .iter()
        .filter_map(|c| c.accepted)
        .map(|m| m.n)
        .collect();
    findings.is(copy, copies.len() == 1, &format!("{} deliveries", copies.len()), &copies);
}

fn drive_refused(stage: &mut Stage) -> Result<(), Stop> {
    let mut cluster = stage.cluster(solo(), &[])?;
    // Routes are computed from what the first visit, which is about news alone, has told (LS-180).
    if let Some(visitor) = cluster.visitor(ACROSS, Port::Smtp)? {
        play_bridgehead(&visitor, Commit::Accepted);
    }
    cluster.run_for(SECOND)?;
    cluster.submit("client", "rg1-a", ANN, &[BOB], "refused")?;
    // The first visit may be about news alone; the one that carries the mail is refused, the next one
    // shows what the sender makes of it.
    for _ in 0..4 {
        let Some(visitor) = cluster.visitor(ACROSS, Port::Smtp)? else { return Ok(()) };
        play_bridgehead(&visitor, Commit::Refused);
        drop(visitor);
        if stage.seen(COMMIT_LINE) && stage.seen("X-SUBMIT RESOLVE ") {
            return Ok(());
        }
        cluster.run_for(61 * SECOND)?;
    }
    Ok(())
}

/// What a bridgehead that the suite plays makes of COMMIT.
#[derive(Clone, Copy)]
pub(super) enum Commit {
    /// It takes the message over.
    Accepted,
    /// It refuses for now, which settles nothing.
    Refused,
}

/// A bridgehead that merges all news and takes every offer; it answers no question about a transfer.
pub(super) fn play_bridgehead(wire: &Wire, commit: Commit) {
    let merged = frame(&format!(" MERGED {NO_DIGEST} ( {RG2_RECORD} )"));
    let merged = frame(&format!(" MULTI (6) ({merged})"));
    wire.line("220 rg2-a ready");
    while let Some(line) = wire.read_line().this() {
        let line = String::from_utf8_lossy(&line).into_owned();
        let upper = line.to_ascii_uppercase();
        let id = parameter(&line, "ID").unwrap_or("?");
        if upper.starts_with("EHLO ") && wire.can_secure() {
            wire.send(b"250-rg2-a\r\n250 STARTTLS\r\n");
        } else if upper == "STARTTLS" {
            wire.secure(b"220 2.0.0 ready\r\n");
        } else if upper.starts_with("EHLO ") {
            wire.send(b"250-rg2-a\r\n250-SIZE 1000000\r\n250-PIPELINING\r\n250-8BITMIME\r\n");
            wire.send(b"250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n");
            wire.send(b"250-X-SUBMIT\r\n250 X-LINK2STATE\r\n");
        } else if upper.starts_with("X-SUBMIT HELLO ") {
            wire.line("250 2.0.0 MEMBER=rg2-a STORE=00000000c0ffee01");
        } else if upper.starts_with("X-LINK2STATE LAST ") {
            let (head, tail) = merged.split_at(10);
            wire.line(&format!("200-FIRST CHUNK={head}"));
            wire.line(&format!("200 LAST CHUNK={tail}"));
        } else if upper.starts_with("X-LINK2STATE ") {
            wire.line("200 NEXT");
        } else if upper.starts_with("X-SUBMIT OFFER ") {
            let count = |name| parameter(&line, name).and_then(|value| value.parse::<usize>().ok());
            let octets = count("ENVELOPE").unwrap_or(0) + count("BODY").unwrap_or(0);
            wire.line("354 2.0.0 Go ahead");
            if wire.exactly(octets).this().is_none() {
                return;
            }
            let offer = parameter(&line, "OFFER").unwrap_or("?");
            wire.line(&format!("250 2.0.0 TRANSFERRED ID={id} OFFER={offer}"));
        } else if upper.starts_with(COMMIT_LINE) {
            match commit {
                Commit::Accepted => {
                    wire.line(&format!("250 2.0.0 ACCEPTED ID={id} QUEUE=00000000000000b1"));
                }
                Commit::Refused => wire.line("451 4.3.0 not now"),
            }
        } else if upper.starts_with("X-SUBMIT ") {
            // Asked, the suite has seen what it wanted to see.
            wire.line("451 4.3.0 not now");
            return;
        } else if upper == "QUIT" {
            wire.line("221 2.0.0 bye");
            return;
        } else {
            wire.line("250 2.0.0 ok");
        }
    }
}

fn judge_refused(transcript: &Transcript<'_>, findings: &mut Findings) {
    let [offered, heard, question] = REFUSED;
    let commits = transcript.lines_with(ACROSS, Way::Forward, COMMIT_LINE);
    findings.shown(offered, commits.first().map(|line| line.n), "there was no COMMIT");
    let Some(commit) = commits.first() else { return };
    let refusal =
        transcript.lines_with(ACROSS, Way::Back, "451 ").into_iter().find(|line| line.n > commit.n);
    findings.shown(heard, refusal.map(|line| line.n), "COMMIT was not refused");
    let after = Moment { n: commit.n, at_us: commit.at_us };
    asks(transcript, findings, question, after);
}
