//! The seed's second walk-through, step by step: several links fail (six steps, hold, recovery, NDR).

use serde_json::json;

use super::seen::{
    Moment, attempts_after, crossed, crossings, delivered, deliveries, mark, told_after,
};
use crate::case::{Case, Findings};
use crate::cluster::{Cluster, HOUR, SECOND};
use crate::event::{Stop, Way};
use crate::net::Rule;
use crate::organization::{Blueprint, five_bridgeheads, five_groups};
use crate::stage::Stage;
use crate::transcript::Transcript;

const ANN: &str = "ann@example.test";
const EVE: &str = "eve@example.test";
const BROKEN: [&str; 4] = ["RG2-RG4", "RG4-RG2", "RG3-RG4", "RG4-RG3"];
const GLITCH: u64 = 60 * SECOND;

const WALK: [&str; 9] = [
    "step-01-news-before-the-message-to-rg3",
    "step-02-rg3-tries-rg4-every-60s",
    "step-03-down-told-to-the-master-and-its-members",
    "step-04-infinite-cost-keeps-the-message",
    "step-05-rg3-goes-on-trying",
    "step-06-recovery-lets-it-go",
    "later-mail-waits-at-its-source",
    "later-mail-is-delivered",
    "one-copy-each",
];

const EXPIRY: [&str; 3] = ["held-for-48-hours", "returned-to-rg1-at-48-hours", "returned-once"];

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::program(
            "link.walk.several.01",
            "Two links fail: the seed's steps 1 to 6, the message waits in RG3 and goes on recovery",
            "cluster/full",
            &WALK,
            drive,
            judge,
        )
        .verifies(&["LS-017", "LS-019", "LS-021", "LS-023", "LS-024", "LS-043", "CU-022"])
        .forbids(&["step-04-infinite-cost-keeps-the-message", "later-mail-waits-at-its-source"])
        .twin("link.walk.single.01"),
        Case::program(
            "link.walk.several.02",
            "Two links fail and stay so: the NDR reaches the sender in RG1 after 48 hours",
            "cluster/full",
            &EXPIRY,
            drive_expiry,
            judge_expiry,
        )
        .verifies(&["LS-043", "CU-030", "CU-032", "CU-034"])
        .forbids(&["held-for-48-hours"])
        .twin("link.walk.several.01")
        .kills(&[("expiry-at-49h", "returned-to-rg1-at-48-hours")]),
    ]
}

/// Everything up to the moment when the second link is down.
fn fail(stage: &Stage, blueprint: Blueprint) -> Result<Cluster, Stop> {
    let mut cluster = stage.cluster(blueprint, &[])?;
    cluster.run_until(10 * SECOND)?;
    for link in BROKEN {
        cluster.network().cut(link);
    }
    stage.mark("cut", json!({}));
    cluster.submit("client", "rg1-a", ANN, &[EVE], "first")?;
    cluster.run_for(365 * SECOND)?;
    stage.mark("down", json!({}));
    Ok(cluster)
}

fn drive(stage: &mut Stage) -> Result<(), Stop> {
    let mut cluster = fail(stage, five_groups())?;
    cluster.submit("client", "rg1-a", ANN, &[EVE], "later")?;
    cluster.run_for(1_800 * SECOND)?;
    cluster.inspect("rg3-a", "queue")?;
    cluster.inspect("rg1-a", "queue")?;
    for link in BROKEN {
        cluster.network().rule(link, Rule::Pass);
    }
    stage.mark("healed", json!({}));
    cluster.run_for(120 * SECOND)
}

fn judge(transcript: &Transcript<'_>, findings: &mut Findings) {
    let [one, two, three, four, five, six, wait, later, once] = WALK;
    let marks = ["cut", "down", "healed"].map(|name| mark(transcript, name));
    let [Some(cut), Some(down), Some(healed)] = marks else { return };
    let news = told_after(transcript, ("RG1-RG3", Way::Forward), ("RG2-RG4", "DOWN"), cut);
    let offered = crossings(transcript, "RG1-RG3", "first").first().map(|c| c.offered);
    let (n, m) = (news.map_or(0, |m| m.n), offered.map_or(0, |m| m.n));
    let right = news.is_some() && offered.is_some() && n < m;
    findings.is(one, right, &format!("news {news:?}, message {offered:?}"), &[n, m]);
    let attempts = attempts_after(transcript, "RG3-RG4", cut);
    let times: Vec<u64> = attempts.iter().take(4).map(|m| m.at_us).collect();
    let wanted: Vec<u64> =
        times.first().map_or_else(Vec::new, |t| (0..4).map(|turn| t + turn * GLITCH).collect());
    let numbers: Vec<u64> = attempts.iter().take(4).map(|m| m.n).collect();
    let right = !wanted.is_empty() && times == wanted;
    findings.is(two, right, &format!("attempts at {times:?} us"), &numbers);
    let group = "rg3-a>rg3-b/group";
    let told = told_after(transcript, (group, Way::Forward), ("RG3-RG4", "DOWN"), cut);
    let spread =
        told.and_then(|m| told_after(transcript, (group, Way::Back), ("RG3-RG4", "DOWN"), m));
    let evidence: Vec<u64> = told.iter().chain(&spread).map(|m| m.n).collect();
    let in_time = told.map(|m| m.at_us) == times.get(3).copied();
    let seen = format!("reported {told:?}, spread {spread:?}");
    findings.is(three, in_time && spread.is_some(), &seen, &evidence);
    judge_hold(transcript, findings, (down, healed), [four, five, six]);
    judge_later(transcript, findings, healed, [wait, later, once]);
}

fn judge_hold(
    transcript: &Transcript<'_>,
    findings: &mut Findings,
    (down, healed): (Moment, Moment),
    [four, five, six]: [&str; 3],
) {
    let held: Vec<u64> = ["RG3-RG1", "RG3-RG4", "RG2-RG4"]
        .iter()
        .flat_map(|link| crossings(transcript, link, "first"))
        .filter(|c| c.offered.n > down.n && c.offered.n < healed.n)
        .map(|c| c.offered.n)
        .collect();
    match crossed(transcript, "RG1-RG3", "first") {
        Some(at_rg3) => {
            findings.absent(four, &held, at_rg3.n, "the message came to RG3 and left on no link");
        }
        None => findings.fails(four, "the message did not come to RG3", &[]),
    }
    let between: Vec<Moment> = attempts_after(transcript, "RG3-RG4", down)
        .into_iter()
        .filter(|m| m.n < healed.n)
        .collect();
    let even = between.windows(2).all(|pair| pair[1].at_us - pair[0].at_us == GLITCH);
    let numbers: Vec<u64> = between.iter().map(|m| m.n).collect();
    let seen = format!("{} attempts in half an hour", between.len());
    findings.is(five, even && between.len() >= 29, &seen, &numbers);
    let gone = ["RG3-RG4", "RG4-RG5"].map(|link| crossed(transcript, link, "first"));
    let eve = delivered(transcript, "rg5-a>rg5-b/deliver", "first");
    let evidence: Vec<u64> = gone.iter().flatten().chain(&eve).map(|m| m.n).collect();
    let after = evidence.iter().all(|n| *n > healed.n);
    let seen = format!("links {gone:?}, delivery {eve:?}");
    findings.is(six, evidence.len() == 3 && after, &seen, &evidence);
}

fn judge_later(
    transcript: &Transcript<'_>,
    findings: &mut Findings,
    healed: Moment,
    [wait, later, once]: [&str; 3],
) {
    let early: Vec<u64> = ["RG1-RG2", "RG1-RG3"]
        .iter()
        .flat_map(|link| crossings(transcript, link, "later"))
        .filter(|c| c.offered.n < healed.n)
        .map(|c| c.offered.n)
        .collect();
    findings.absent(wait, &early, healed.n, "later mail stays in the queue of rg1-a");
    let link = "rg5-a>rg5-b/deliver";
    let eve = delivered(transcript, link, "later").map(|m| m.n);
    findings.shown(later, eve, "the later message was not delivered");
    let copies: Vec<u64> = ["first", "later"]
        .iter()
        .flat_map(|subject| deliveries(transcript, link, subject))
        .filter_map(|c| c.accepted)
        .map(|m| m.n)
        .collect();
    findings.is(once, copies.len() == 2, &format!("{} deliveries", copies.len()), &copies);
}

fn drive_expiry(stage: &mut Stage) -> Result<(), Stop> {
    let mut cluster = fail(stage, five_bridgeheads())?;
    let sent = 10 * SECOND;
    cluster.run_until(sent + 48 * HOUR - SECOND)?;
    stage.mark("almost", json!({}));
    cluster.inspect("rg1-a", "accounts")?;
    cluster.run_until(sent + 48 * HOUR)?;
    stage.mark("expired", json!({}));
    cluster.inspect("rg1-a", "accounts")?;
    cluster.run_for(HOUR)?;
    stage.mark("after", json!({}));
    Ok(())
}

/// The notice is known by its format: the custodian is free to word it.
fn judge_expiry(transcript: &Transcript<'_>, findings: &mut Findings) {
    let [held, returned, once] = EXPIRY;
    let (Some(almost), Some(after)) = (mark(transcript, "almost"), mark(transcript, "after"))
    else {
        return;
    };
    let notices: Vec<Moment> = transcript
        .lines_with("RG3-RG1", Way::Forward, "Action: failed")
        .iter()
        .map(|line| Moment { n: line.n, at_us: line.at_us })
        .collect();
    let early: Vec<u64> = notices.iter().map(|m| m.n).filter(|n| *n < almost.n).collect();
    findings.absent(held, &early, almost.n, "no failure notice before");
    let numbers: Vec<u64> = notices.iter().map(|m| m.n).collect();
    let in_time = notices.first().is_some_and(|m| m.at_us == 10 * SECOND + 48 * HOUR);
    findings.is(returned, in_time, &format!("failure notices on RG3-RG1: {notices:?}"), &numbers);
    let evidence: Vec<u64> = numbers.iter().copied().chain([after.n]).collect();
    findings.is(once, notices.len() == 1, &format!("{} notices", notices.len()), &evidence);
}
