//! Replies that are lost, and members that die: nothing is lost and nothing comes twice.

use serde_json::json;

use super::seen::{Moment, crossings, deliveries, mark};
use crate::case::{Case, Findings};
use crate::cluster::SECOND;
use crate::event::{Event, Stop, Way};
use crate::net::Rule;
use crate::organization::two_groups;
use crate::stage::Stage;
use crate::transcript::{Passed, Transcript};

const ANN: &str = "ann@example.test";
const BOB: &str = "bob@example.test";
const ACROSS: &str = "RG1-RG2";
const STORE: &str = "rg2-a>rg2-b/deliver";

const COMMIT: [&str; 4] =
    ["the-reply-was-lost", "asks-before-it-offers", "is-not-offered-again", "one-copy"];
const DELIVER: [&str; 4] =
    ["the-reply-was-lost", "asks-before-it-delivers", "is-not-delivered-again", "one-result"];
const KILL: [&str; 3] = ["was-accepted", "nothing-left-before-the-kill", "delivered-once-after-it"];

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::program(
            "submit.lost-reply.01",
            "The reply to COMMIT is lost: the sender asks before it offers, and one copy arrives",
            "submit/sender",
            &COMMIT,
            drive_commit,
            judge_commit,
        )
        .verifies(&["SU-002", "SU-020", "SU-021", "SU-023", "SU-011"])
        .forbids(&["is-not-offered-again"])
        .twin("submit.sender.plain.01")
        .kills(&[("fallback-while-in-doubt", "asks-before-it-offers")]),
        Case::program(
            "deliver.lost-reply.01",
            "The reply to the content is lost: the sender asks before it delivers again",
            "deliver/sender",
            &DELIVER,
            drive_deliver,
            judge_deliver,
        )
        .verifies(&["DE-002", "DE-003", "DE-008", "DE-021", "DE-024"])
        .forbids(&["is-not-delivered-again"])
        .twin("deliver.sender.plain.01"),
        Case::program(
            "custody.kill.01",
            "An accepted message survives the death of the member that accepted it",
            "cluster/full",
            &KILL,
            drive_kill,
            judge_kill,
        )
        .verifies(&["CU-002", "CU-005", "CO-012"])
        .forbids(&["nothing-left-before-the-kill"])
        .twin("link.plain.01"),
    ]
}

fn lose(stage: &Stage, link: &str, command: &str) -> Result<(), Stop> {
    let mut cluster = stage.cluster(two_groups(), &[])?;
    cluster.run_until(10 * SECOND)?;
    cluster.network().rule(link, Rule::LoseReplyTo(command.to_owned()));
    stage.mark("armed", json!({}));
    cluster.submit("client", "rg1-a", ANN, &[BOB], "doubtful")?;
    cluster.run_for(1_200 * SECOND)
}

fn drive_commit(stage: &mut Stage) -> Result<(), Stop> {
    lose(stage, ACROSS, "X-SUBMIT COMMIT ")
}

fn drive_deliver(stage: &mut Stage) -> Result<(), Stop> {
    lose(stage, STORE, ".")
}

/// When the suite withheld the reply.
pub(super) fn lost(transcript: &Transcript<'_>) -> Option<Moment> {
    transcript.records().iter().find_map(|record| match &record.event {
        Event::Network { verb, .. } if verb == "reply-lost" => {
            Some(Moment { n: record.n, at_us: record.at_us })
        }
        _ => None,
    })
}

/// The first line after a moment that begins with one of two words.
fn first_of(
    transcript: &Transcript<'_>,
    link: &str,
    after: Moment,
    words: [&str; 2],
) -> Option<Passed> {
    transcript.lines(link).into_iter().find(|line| {
        line.way == Way::Forward
            && line.n > after.n
            && words.iter().any(|word| line.text.starts_with(word))
    })
}

fn judge_commit(transcript: &Transcript<'_>, findings: &mut Findings) {
    let [gone, asks, again, copy] = COMMIT;
    let withheld = crossings(transcript, ACROSS, "doubtful");
    let Some(lost) = lost(transcript) else { return };
    let first = withheld.first().is_some_and(|crossing| crossing.offered.n < lost.n);
    findings.is(gone, first, "the suite withheld the reply", &[lost.n]);
    let next = first_of(transcript, ACROSS, lost, ["X-SUBMIT RESOLVE ", "X-SUBMIT OFFER "]);
    let right = next.as_ref().is_some_and(|line| line.text.starts_with("X-SUBMIT RESOLVE "));
    let numbers: Vec<u64> = next.iter().map(|line| line.n).collect();
    findings.is(asks, right, &format!("{:?}", next.map(|line| line.text)), &numbers);
    let offers: Vec<u64> = transcript
        .lines_with(ACROSS, Way::Forward, "X-SUBMIT OFFER ")
        .iter()
        .filter(|line| line.n > lost.n)
        .map(|line| line.n)
        .collect();
    findings.absent(again, &offers, lost.n, "no second OFFER");
    let copies: Vec<u64> =
        deliveries(transcript, STORE, "doubtful").iter().map(|c| c.offered.n).collect();
    findings.is(copy, copies.len() == 1, &format!("{} deliveries", copies.len()), &copies);
}

fn judge_deliver(transcript: &Transcript<'_>, findings: &mut Findings) {
    let [gone, asks, again, result] = DELIVER;
    let Some(lost) = lost(transcript) else { return };
    let before = deliveries(transcript, STORE, "doubtful");
    let first = before.first().is_some_and(|crossing| crossing.offered.n < lost.n);
    findings.is(gone, first, "the suite withheld the reply", &[lost.n]);
    let next = first_of(transcript, STORE, lost, ["X-DELIVER INQUIRE ", "MAIL "]);
    let right = next.as_ref().is_some_and(|line| line.text.starts_with("X-DELIVER INQUIRE "));
    let numbers: Vec<u64> = next.iter().map(|line| line.n).collect();
    findings.is(asks, right, &format!("{:?}", next.map(|line| line.text)), &numbers);
    let more: Vec<u64> =
        before.iter().filter(|c| c.offered.n > lost.n).map(|c| c.offered.n).collect();
    findings.absent(again, &more, lost.n, "no second DATA");
    let told: Vec<u64> = transcript
        .lines(STORE)
        .iter()
        .filter(|line| line.way == Way::Back && line.n > lost.n)
        .filter(|line| line.text.starts_with("250 2.0.0 [0] DELIVERED"))
        .map(|line| line.n)
        .collect();
    findings.is(result, told.len() == 1, &format!("{} answers", told.len()), &told);
}

fn drive_kill(stage: &mut Stage) -> Result<(), Stop> {
    let mut cluster = stage.cluster(two_groups(), &[(ACROSS, Rule::Refuse)])?;
    cluster.run_until(10 * SECOND)?;
    let queue = cluster.submit("client", "rg1-a", ANN, &[BOB], "survivor")?;
    stage.mark("accepted", json!({"queue": queue}));
    cluster.kill("rg1-a")?;
    stage.mark("killed", json!({}));
    cluster.restart("rg1-a")?;
    cluster.network().rule(ACROSS, Rule::Pass);
    cluster.run_for(300 * SECOND)
}

fn judge_kill(transcript: &Transcript<'_>, findings: &mut Findings) {
    let [accepted, before, after] = KILL;
    let Some(killed) = mark(transcript, "killed") else { return };
    let reply = transcript
        .lines_with("client", Way::Back, "250 2.0.0 ")
        .into_iter()
        .find(|line| line.text.contains("queued"));
    let queue = transcript.value("accepted")["queue"].as_str();
    let right = queue.is_some_and(|queue| reply.as_ref().is_some_and(|l| l.text.contains(queue)));
    let numbers: Vec<u64> = reply.iter().map(|line| line.n).collect();
    findings.is(accepted, right, &format!("{:?}", reply.map(|line| line.text)), &numbers);
    let early: Vec<u64> = crossings(transcript, ACROSS, "survivor")
        .iter()
        .filter(|c| c.offered.n < killed.n)
        .map(|c| c.offered.n)
        .collect();
    findings.absent(before, &early, killed.n, "it was still in the queue");
    let copies: Vec<u64> = deliveries(transcript, STORE, "survivor")
        .iter()
        .filter_map(|c| c.accepted)
        .map(|m| m.n)
        .collect();
    findings.is(after, copies.len() == 1, &format!("{} deliveries", copies.len()), &copies);
}
