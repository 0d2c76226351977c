//! What a sender does where nothing is wrong: the positive twins of what it must not do when a reply is
//! lost, a transfer is in doubt, or a store cannot be reached.

use serde_json::json;

use super::doubt::{COMMIT_LINE, Commit, play_bridgehead};
use super::seen::{Moment, attempts_after, crossings, deliveries, mark};
use crate::case::{Case, Findings};
use crate::cluster::{HOUR, SECOND};
use crate::event::{Stop, Way};
use crate::net::{Port, Rule};
use crate::organization::{ring, solo, two_groups};
use crate::stage::Stage;
use crate::transcript::Transcript;

const ANN: &str = "ann@example.test";
const BOB: &str = "bob@example.test";
const ACROSS: &str = "RG1-RG2";
const STORE: &str = "rg2-a>rg2-b/deliver";
const OFFER_LINE: &str = "X-SUBMIT OFFER ";

const HANDED: [&str; 3] = ["offered-once", "committed-behind-the-offer", "accepted"];
const DELIVERED: [&str; 2] = ["delivered-once", "one-result"];
const REROUTED: [&str; 2] = ["tries-the-link", "another-link-carries-it"];
const RETURNED: [&str; 2] = ["tries-the-link", "returned-when-its-time-is-over"];
const COMMITTED: [&str; 3] = ["hello-first", "was-offered", "committed-behind-the-offer"];

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::program(
            "submit.sender.plain.01",
            "A message is offered once, committed, and accepted",
            "submit/sender",
            &HANDED,
            drive_plain,
            judge_handed,
        )
        .verifies(&["SU-003"]),
        Case::program(
            "deliver.sender.plain.01",
            "A message is delivered once, and its result is heard",
            "deliver/sender",
            &DELIVERED,
            drive_plain,
            judge_delivered,
        )
        .verifies(&["DE-004"]),
        Case::program(
            "submit.sender.reroute.01",
            "A message that was never offered is rerouted when its connector goes down",
            "submit/sender",
            &REROUTED,
            drive_reroute,
            judge_reroute,
        )
        .verifies(&["CU-022"]),
        Case::program(
            "submit.sender.expiry.01",
            "A message that was never offered is returned when its time is over",
            "submit/sender",
            &RETURNED,
            drive_expiry,
            judge_expiry,
        )
        .verifies(&["CU-032"]),
        Case::program(
            "submit.sender.commit.01",
            "A bridgehead that takes COMMIT is offered the message and gets its COMMIT",
            "submit/sender",
            &COMMITTED,
            drive_commit,
            judge_commit,
        )
        .verifies(&["SU-030"]),
    ]
}

fn drive_plain(stage: &mut Stage) -> Result<(), Stop> {
    let mut cluster = stage.cluster(two_groups(), &[])?;
    cluster.run_until(10 * SECOND)?;
    cluster.submit("client", "rg1-a", ANN, &[BOB], "plain")?;
    cluster.run_for(1_200 * SECOND)
}

/// The records of a command that the sender gave.
fn said(transcript: &Transcript<'_>, prefix: &str) -> Vec<u64> {
    transcript.lines_with(ACROSS, Way::Forward, prefix).iter().map(|line| line.n).collect()
}

fn judge_handed(transcript: &Transcript<'_>, findings: &mut Findings) {
    let [once, behind, accepted] = HANDED;
    let crossings = crossings(transcript, ACROSS, "plain");
    let offers = said(transcript, OFFER_LINE);
    findings.is(once, offers.len() == 1, &format!("{} offers", offers.len()), &offers);
    committed(transcript, findings, behind);
    let reply = crossings.iter().find_map(|crossing| crossing.accepted).map(|m| m.n);
    findings.shown(accepted, reply, "the message was not accepted");
}

/// COMMIT stands behind OFFER.
fn committed(transcript: &Transcript<'_>, findings: &mut Findings, check: &str) {
    let ends = [said(transcript, OFFER_LINE), said(transcript, COMMIT_LINE)];
    let [Some(offer), Some(commit)] = ends.map(|numbers| numbers.first().copied()) else {
        findings.fails(check, "there is no OFFER with a COMMIT", &[]);
        return;
    };
    let seen = format!("OFFER in record {offer}, COMMIT in record {commit}");
    findings.is(check, offer < commit, &seen, &[offer, commit]);
}

fn judge_delivered(transcript: &Transcript<'_>, findings: &mut Findings) {
    let [once, result] = DELIVERED;
    let deliveries = deliveries(transcript, STORE, "plain");
    let numbers: Vec<u64> = deliveries.iter().map(|crossing| crossing.offered.n).collect();
    findings.is(once, numbers.len() == 1, &format!("{} deliveries", numbers.len()), &numbers);
    let told: Vec<u64> =
        deliveries.iter().filter_map(|crossing| crossing.accepted).map(|m| m.n).collect();
    findings.is(result, told.len() == 1, &format!("{} results", told.len()), &told);
}

fn drive_reroute(stage: &mut Stage) -> Result<(), Stop> {
    let mut cluster = stage.cluster(ring(), &[])?;
    cluster.run_until(10 * SECOND)?;
    cluster.network().cut(ACROSS);
    stage.mark("cut", json!({}));
    cluster.submit("client", "rg1-a", ANN, &[BOB], "free")?;
    cluster.run_for(30 * 60 * SECOND)
}

fn tries(transcript: &Transcript<'_>, findings: &mut Findings, check: &str, cut: Moment) {
    let first = attempts_after(transcript, ACROSS, cut).first().map(|attempt| attempt.n);
    findings.shown(check, first, "nobody tried the link");
}

fn judge_reroute(transcript: &Transcript<'_>, findings: &mut Findings) {
    let [tried, elsewhere] = REROUTED;
    let Some(cut) = mark(transcript, "cut") else { return };
    tries(transcript, findings, tried, cut);
    let crossings = crossings(transcript, "RG1-RG4", "free");
    let accepted = crossings.iter().find_map(|crossing| crossing.accepted).map(|m| m.n);
    findings.shown(elsewhere, accepted, "the message did not go by RG4");
}

fn drive_expiry(stage: &mut Stage) -> Result<(), Stop> {
    let blueprint = two_groups().policy("expiry_hours", json!(1));
    let mut cluster = stage.cluster(blueprint, &[])?;
    cluster.run_until(10 * SECOND)?;
    cluster.network().rule(ACROSS, Rule::Refuse);
    stage.mark("cut", json!({}));
    cluster.submit("client", "rg1-a", ANN, &[BOB], "late")?;
    cluster.run_for(2 * HOUR)
}

fn judge_expiry(transcript: &Transcript<'_>, findings: &mut Findings) {
    let [tried, returned] = RETURNED;
    let Some(cut) = mark(transcript, "cut") else { return };
    tries(transcript, findings, tried, cut);
    let notices = transcript.lines_with("rg1-a>rg1-b/deliver", Way::Forward, "Action: failed");
    let in_time = notices.first().is_some_and(|line| line.at_us == cut.at_us + HOUR);
    let times: Vec<u64> = notices.iter().map(|line| line.at_us).collect();
    let numbers: Vec<u64> = notices.iter().map(|line| line.n).collect();
    findings.is(returned, in_time, &format!("failure notices at {times:?} us"), &numbers);
}

fn drive_commit(stage: &mut Stage) -> Result<(), Stop> {
    let mut cluster = stage.cluster(solo(), &[])?;
    // Routes are computed from what the first visit, which is about news alone, has told (LS-180).
    if let Some(visitor) = cluster.visitor(ACROSS, Port::Smtp)? {
        play_bridgehead(&visitor, Commit::Accepted);
    }
    cluster.run_for(SECOND)?;
    cluster.submit("client", "rg1-a", ANN, &[BOB], "accepted")?;
    // The first visit may be about news alone.
    for _ in 0..4 {
        let Some(visitor) = cluster.visitor(ACROSS, Port::Smtp)? else { return Ok(()) };
        play_bridgehead(&visitor, Commit::Accepted);
        drop(visitor);
        if stage.seen(COMMIT_LINE) {
            return Ok(());
        }
        cluster.run_for(61 * SECOND)?;
    }
    Ok(())
}

fn judge_commit(transcript: &Transcript<'_>, findings: &mut Findings) {
    let [hello, offered, behind] = COMMITTED;
    if let Some(first) = transcript.lines_with(ACROSS, Way::Forward, "X-SUBMIT ").first() {
        let right = first.text.starts_with("X-SUBMIT HELLO ");
        findings.is(hello, right, &format!("`{}`", first.text), &[first.n]);
    }
    let offer = said(transcript, OFFER_LINE).first().copied();
    findings.shown(offered, offer, "there was no OFFER");
    committed(transcript, findings, behind);
}
