//! What the queue and the stores do by themselves: the schedule, the index of a recipient, repeats.

use serde_json::{Value, json};

use super::seen::{Moment, attempts_after, deliveries, mark};
use crate::case::{Case, Findings};
use crate::cluster::{Cluster, SECOND};
use crate::event::{Stop, Way};
use crate::net::{Port, Rule};
use crate::organization::{solo, two_groups};
use crate::stage::Stage;
use crate::transcript::Transcript;

const ANN: &str = "ann@example.test";
const BOB: &str = "bob@example.test";
const MINUTE: u64 = 60 * SECOND;

const SCHEDULE: [&str; 2] = ["by-the-seeds-figure-3-15", "delivered-on-recovery"];
const INDEX: [&str; 2] = ["index-is-kept", "each-delivered-once"];
const REPEAT: [&str; 3] = ["first-is-delivered", "same-result", "one-letter"];

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::program(
            "deliver.schedule.01",
            "A store that cannot be reached is tried after 10, 10 and 10 minutes, then every 15",
            "deliver/sender",
            &SCHEDULE,
            drive_schedule,
            judge_schedule,
        )
        .verifies(&["CU-010"])
        .twin("deliver.sender.plain.01")
        .kills(&[("retry-ignores-schedule", "by-the-seeds-figure-3-15")]),
        Case::program(
            "deliver.index.01",
            "A recipient keeps the index that it had in the original envelope",
            "deliver/sender",
            &INDEX,
            drive_index,
            judge_index,
        )
        .verifies(&["CU-008"])
        .kills(&[("renumber-index", "index-is-kept")]),
        Case::program(
            "deliver.repeat.01",
            "A repeated delivery gets the same result and stores nothing",
            "deliver/receiver",
            &REPEAT,
            drive_repeat,
            judge_repeat,
        )
        .verifies(&["DE-024"])
        .twin("deliver.results.01")
        .kills(&[("second-deposit-on-repeat", "one-letter")]),
    ]
}

const TO_ANN: &str = "rg1-a>rg1-b/deliver";

fn drive_schedule(stage: &mut Stage) -> Result<(), Stop> {
    let mut cluster = stage.cluster(two_groups(), &[(TO_ANN, Rule::Refuse)])?;
    cluster.run_until(10 * SECOND)?;
    stage.mark("sent", json!({}));
    cluster.submit("client", "rg1-a", BOB, &[ANN], "patient")?;
    cluster.run_for(61 * MINUTE)?;
    stage.mark("healed", json!({}));
    cluster.network().rule(TO_ANN, Rule::Pass);
    cluster.run_for(15 * MINUTE)
}

fn judge_schedule(transcript: &Transcript<'_>, findings: &mut Findings) {
    let [figure, recovery] = SCHEDULE;
    let (Some(sent), Some(healed)) = (mark(transcript, "sent"), mark(transcript, "healed")) else {
        return;
    };
    let attempts: Vec<Moment> = attempts_after(transcript, TO_ANN, sent)
        .into_iter()
        .filter(|attempt| attempt.n < healed.n)
        .collect();
    let minutes: Vec<u64> =
        attempts.iter().map(|attempt| (attempt.at_us - sent.at_us) / MINUTE).collect();
    let exact = attempts.iter().all(|attempt| (attempt.at_us - sent.at_us).is_multiple_of(MINUTE));
    let numbers: Vec<u64> = attempts.iter().map(|attempt| attempt.n).collect();
    let right = exact && minutes == [0, 10, 20, 30, 45, 60];
    findings.is(figure, right, &format!("attempts at minutes {minutes:?}"), &numbers);
    let delivered = deliveries(transcript, TO_ANN, "patient").iter().find_map(|c| c.accepted);
    let right = delivered.is_some_and(|moment| moment.at_us == sent.at_us + 75 * MINUTE);
    let numbers: Vec<u64> = delivered.iter().map(|moment| moment.n).collect();
    findings.is(recovery, right, &format!("delivered {delivered:?}"), &numbers);
}

fn drive_index(stage: &mut Stage) -> Result<(), Stop> {
    let mut cluster = stage.cluster(two_groups(), &[])?;
    cluster.run_until(10 * SECOND)?;
    cluster.submit("client", "rg1-a", ANN, &[ANN, BOB], "both")?;
    cluster.run_for(SECOND)
}

fn judge_index(transcript: &Transcript<'_>, findings: &mut Findings) {
    let [kept, once] = INDEX;
    let mut copies = Vec::new();
    for (link, who, index) in [(TO_ANN, ANN, "0"), ("rg2-a>rg2-b/deliver", BOB, "1")] {
        let rcpt = transcript.lines_with(link, Way::Forward, &format!("RCPT TO:<{who}>"));
        let seen = rcpt.first().and_then(|line| crate::smtp::parameter(&line.text, "XINDEX"));
        let numbers: Vec<u64> = rcpt.iter().map(|line| line.n).collect();
        let text = format!("{who} has index {seen:?}, expected {index}");
        findings.is(kept, seen == Some(index), &text, &numbers);
        let accepted = deliveries(transcript, link, "both");
        copies.extend(accepted.iter().filter_map(|c| c.accepted).map(|moment| moment.n));
    }
    findings.is(once, copies.len() == 2, &format!("{} deliveries", copies.len()), &copies);
}

fn deliver(cluster: &mut Cluster, name: &str) -> Result<(), Stop> {
    let from = cluster.address_of("rg1-c");
    let wire = cluster.dial(name, from, ("rg1-a", Port::Deliver))?;
    let _ = wire.reply();
    for line in [
        "LHLO rg1-c",
        "MAIL FROM:<bob@example.test> XORIGIN=rg1-c/00000000de11ffff/1",
        "RCPT TO:<ann@example.test> XINDEX=0",
        "DATA",
        "Subject: repeated\r\n\r\nonce\r\n.",
        "QUIT",
    ] {
        if wire.ask(line).this().is_none_or(|reply| reply.code >= 400) {
            return Ok(());
        }
    }
    let _ = wire.closed();
    Ok(())
}

fn drive_repeat(stage: &mut Stage) -> Result<(), Stop> {
    let mut cluster = stage.cluster(solo(), &[("RG1-RG2", Rule::Refuse)])?;
    for name in ["first", "again"] {
        deliver(&mut cluster, name)?;
        cluster.settle()?;
        let accounts = cluster.inspect("rg1-a", "accounts")?;
        stage.mark(name, json!({"letters": letters(&accounts)}));
    }
    Ok(())
}

/// How many letters lie in all accounts.
fn letters(accounts: &Value) -> usize {
    let accounts = accounts["accounts"].as_array().into_iter().flatten();
    accounts.filter_map(|account| account["letters"].as_array()).map(Vec::len).sum()
}

fn judge_repeat(transcript: &Transcript<'_>, findings: &mut Findings) {
    let [first, same, one] = REPEAT;
    let result = |link: &str| {
        transcript.lines_with(link, Way::Back, "250 ").into_iter().rfind(|l| l.text.contains("[0]"))
    };
    let (before, after) = (result("first"), result("again"));
    findings.shown(first, before.as_ref().map(|line| line.n), "was not delivered");
    let (Some(before), Some(after)) = (before, after) else { return };
    let right = before.text[..9] == after.text[..9];
    findings.is(same, right, &format!("`{}`, `{}`", before.text, after.text), &[before.n, after.n]);
    let marks = ["first", "again"].map(|name| transcript.value(name)["letters"].as_u64());
    let numbers: Vec<u64> =
        ["first", "again"].iter().filter_map(|name| mark(transcript, name)).map(|m| m.n).collect();
    let right = marks == [Some(1), Some(1)];
    findings.is(one, right, &format!("{marks:?} letters after each"), &numbers);
}
