//! Links that fail in other ways than the seed's walk-throughs: without an alternative, again and
//! again, for two days.

use serde_json::json;

use super::seen::{
    Moment, attempts_after, closed_world, crossed, delivered, mark, told, told_after,
};
use crate::case::{Case, Findings};
use crate::cluster::{Cluster, HOUR, SECOND};
use crate::event::{Stop, Way};
use crate::net::Rule;
use crate::organization::{ring, two_groups};
use crate::stage::Stage;
use crate::transcript::Transcript;

const ANN: &str = "ann@example.test";
const BOB: &str = "bob@example.test";
const ONLY: &str = "RG1-RG2";
const MINUTE: u64 = 60 * SECOND;

const PLAIN: [&str; 4] =
    ["news-before-the-message", "crossed", "delivered-at-once", "closed-world"];
const EDGE: [&str; 4] = ["stays-up", "mail-waits", "tries-every-60s", "mail-goes-on-recovery"];
const DAYS: [&str; 6] = [
    "probes-in-48-hours",
    "every-60s",
    "stays-up",
    "delay-notice-at-12-hours",
    "ndr-at-48-hours",
    "nothing-was-delivered",
];
const FLAPS: [&str; 6] = [
    "first-down",
    "first-up",
    "second-down",
    "second-up",
    "third-is-not-told",
    "long-failure-is-told",
];

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::program(
            "link.plain.01",
            "With all links up, a message crosses and is delivered at once, news first",
            "cluster/full",
            &PLAIN,
            drive_plain,
            judge_plain,
        )
        .verifies(&["LS-010", "LS-019", "SU-007", "SU-030"]),
        Case::program(
            "link.persistence.01",
            "A link without an alternative stays UP while it fails, and mail waits for it",
            "cluster/full",
            &EDGE,
            drive_edge,
            judge_edge,
        )
        .verifies(&["LS-024", "LS-030"])
        .forbids(&["stays-up", "mail-waits"])
        .twin("link.walk.single.01"),
        Case::program(
            "link.probe.48h.01",
            "A refused link is tried every 60 s for 48 hours, then the mail comes back",
            "cluster/full",
            &DAYS,
            drive_days,
            judge_days,
        )
        .verifies(&["LS-021", "LS-022", "LS-024", "LS-030", "CU-032", "CU-033", "CU-034"])
        .forbids(&["stays-up", "nothing-was-delivered"])
        .twin("link.plain.01")
        .kills(&[
            ("expiry-at-49h", "ndr-at-48-hours"),
            ("no-delay-notice", "delay-notice-at-12-hours"),
        ]),
        Case::program(
            "link.oscillation.01",
            "The third failure within an hour is not told; one that lasts 15 minutes is",
            "cluster/full",
            &FLAPS,
            drive_flaps,
            judge_flaps,
        )
        .verifies(&["LS-032", "LS-034"])
        .forbids(&["third-is-not-told"])
        .twin("link.walk.single.01"),
    ]
}

fn drive_plain(stage: &mut Stage) -> Result<(), Stop> {
    let mut cluster = stage.cluster(two_groups(), &[])?;
    cluster.run_until(10 * SECOND)?;
    stage.mark("sent", json!({}));
    cluster.submit("client", "rg1-a", ANN, &[BOB], "plain")?;
    cluster.settle()?;
    Ok(())
}

fn judge_plain(transcript: &Transcript<'_>, findings: &mut Findings) {
    let [news, across, at_once, closed] = PLAIN;
    let Some(sent) = mark(transcript, "sent") else { return };
    let offers = transcript.lines_with(ONLY, Way::Forward, "X-SUBMIT OFFER ");
    if let Some(offer) = offers.first() {
        let first = transcript
            .lines_with(&offer.link, Way::Forward, "X-LINK2STATE LAST ")
            .first()
            .map(|line| line.n);
        let right = first.is_some_and(|n| n < offer.n);
        findings.is(news, right, "X-LINK2STATE comes before OFFER", &[offer.n]);
    }
    let crossed = crossed(transcript, ONLY, "plain");
    findings.shown(across, crossed.map(|m| m.n), "the message did not cross");
    let delivered = delivered(transcript, "rg2-a>rg2-b/deliver", "plain");
    let right = delivered.is_some_and(|m| m.at_us == sent.at_us);
    let numbers: Vec<u64> = delivered.iter().map(|m| m.n).collect();
    findings.is(at_once, right, &format!("delivered {delivered:?}"), &numbers);
    closed_world(transcript, findings, closed);
}

fn drive_edge(stage: &mut Stage) -> Result<(), Stop> {
    let mut cluster = stage.cluster(two_groups(), &[])?;
    cluster.run_until(10 * SECOND)?;
    cluster.network().cut(ONLY);
    stage.mark("cut", json!({}));
    cluster.submit("client", "rg1-a", ANN, &[BOB], "waits")?;
    cluster.run_for(10 * MINUTE + 30 * SECOND)?;
    cluster.network().rule(ONLY, Rule::Pass);
    stage.mark("healed", json!({}));
    cluster.run_for(MINUTE)
}

/// Every DOWN that any link carried about a connector, after a moment.
fn downs(transcript: &Transcript<'_>, connector: &str, after: Moment) -> Vec<u64> {
    let links =
        ["rg1-a>rg1-b/group", "rg2-a>rg2-b/group", "RG1-RG2", "RG2-RG1", "RG1-RG4", "RG4-RG1"];
    let ways = [Way::Forward, Way::Back];
    links
        .iter()
        .flat_map(|link| ways.map(|way| told(transcript, link, way, connector, "DOWN")))
        .flatten()
        .filter(|moment| moment.n > after.n)
        .map(|moment| moment.n)
        .collect()
}

fn stays_up(transcript: &Transcript<'_>, findings: &mut Findings, check: &str, after: Moment) {
    findings.absent(check, &downs(transcript, ONLY, after), after.n, "no link carries DOWN");
}

fn judge_edge(transcript: &Transcript<'_>, findings: &mut Findings) {
    let [up, waits, tries, goes] = EDGE;
    let (Some(cut), Some(healed)) = (mark(transcript, "cut"), mark(transcript, "healed")) else {
        return;
    };
    stays_up(transcript, findings, up, cut);
    let crossed = crossed(transcript, ONLY, "waits");
    let early: Vec<u64> = crossed.iter().map(|m| m.n).filter(|n| *n < healed.n).collect();
    findings.absent(waits, &early, healed.n, "the message waits on the connector");
    let attempts = attempts_after(transcript, ONLY, cut);
    let during: Vec<Moment> = attempts.into_iter().filter(|m| m.n < healed.n).collect();
    let even = during.windows(2).all(|pair| pair[1].at_us - pair[0].at_us == MINUTE);
    let numbers: Vec<u64> = during.iter().map(|m| m.n).collect();
    findings.is(tries, even && during.len() == 11, &format!("{} attempts", during.len()), &numbers);
    let delivered = delivered(transcript, "rg2-a>rg2-b/deliver", "waits");
    let right = delivered.is_some_and(|m| m.n > healed.n);
    let numbers: Vec<u64> = crossed.iter().chain(&delivered).map(|m| m.n).collect();
    findings.is(goes, right && crossed.is_some(), &format!("delivered {delivered:?}"), &numbers);
}

fn drive_days(stage: &mut Stage) -> Result<(), Stop> {
    let mut cluster = stage.cluster(two_groups(), &[(ONLY, Rule::Refuse)])?;
    cluster.run_until(10 * SECOND)?;
    stage.mark("sent", json!({}));
    cluster.submit("client", "rg1-a", ANN, &[BOB], "two days")?;
    cluster.run_for(48 * HOUR)?;
    stage.mark("expired", json!({}));
    cluster.run_for(MINUTE)
}

fn judge_days(transcript: &Transcript<'_>, findings: &mut Findings) {
    let [count, even, up, late, ndr, nothing] = DAYS;
    let (Some(sent), Some(expired)) = (mark(transcript, "sent"), mark(transcript, "expired"))
    else {
        return;
    };
    let attempts: Vec<Moment> = attempts_after(transcript, ONLY, sent)
        .into_iter()
        .filter(|m| m.at_us <= sent.at_us + 48 * HOUR)
        .collect();
    let number = attempts.len();
    let ends: Vec<u64> = attempts.first().iter().chain(&attempts.last()).map(|m| m.n).collect();
    let right = (2_879..=2_881).contains(&number);
    findings.is(count, right, &format!("{number} attempts in 48 hours of virtual time"), &ends);
    let gap = attempts.windows(2).find(|pair| pair[1].at_us - pair[0].at_us != MINUTE);
    let seen = gap.map_or_else(|| "no other gap".to_owned(), |pair| format!("{pair:?}"));
    findings.is(even, gap.is_none() && number > 1, &seen, &ends);
    stays_up(transcript, findings, up, sent);
    let notice = |action: &str| -> Vec<Moment> {
        transcript
            .lines_with("rg1-a>rg1-b/deliver", Way::Forward, action)
            .iter()
            .map(|line| Moment { n: line.n, at_us: line.at_us })
            .collect()
    };
    for (check, action, hours) in [(late, "Action: delayed", 12), (ndr, "Action: failed", 48)] {
        let notices = notice(action);
        let numbers: Vec<u64> = notices.iter().map(|m| m.n).collect();
        let right = notices.len() == 1 && notices[0].at_us == sent.at_us + hours * HOUR;
        findings.is(check, right, &format!("`{action}`: {notices:?}"), &numbers);
    }
    let delivered = delivered(transcript, "rg2-a>rg2-b/deliver", "two days");
    let delivered: Vec<u64> = delivered.iter().map(|m| m.n).collect();
    findings.absent(nothing, &delivered, expired.n, "RG2 never saw it");
}

/// Fails the link, sends a message so that it is used, waits until DOWN is decided.
fn flap(stage: &Stage, cluster: &mut Cluster, turn: &str) -> Result<(), Stop> {
    cluster.network().cut(ONLY);
    stage.mark(&format!("cut-{turn}"), json!({}));
    cluster.submit("client", "rg1-a", ANN, &[BOB], turn)?;
    cluster.run_for(185 * SECOND)
}

fn heal(stage: &Stage, cluster: &mut Cluster, turn: &str) -> Result<(), Stop> {
    cluster.network().rule(ONLY, Rule::Pass);
    stage.mark(&format!("heal-{turn}"), json!({}));
    cluster.run_for(MINUTE)
}

fn drive_flaps(stage: &mut Stage) -> Result<(), Stop> {
    let mut cluster = stage.cluster(ring(), &[])?;
    cluster.run_until(10 * SECOND)?;
    for turn in ["1", "2"] {
        flap(stage, &mut cluster, turn)?;
        heal(stage, &mut cluster, turn)?;
    }
    flap(stage, &mut cluster, "3")?;
    cluster.run_for(16 * MINUTE)
}

fn judge_flaps(transcript: &Transcript<'_>, findings: &mut Findings) {
    let [down_1, up_1, down_2, up_2, hidden, shown] = FLAPS;
    let names = ["cut-1", "heal-1", "cut-2", "heal-2", "cut-3"];
    let [Some(c1), Some(h1), Some(c2), Some(h2), Some(c3)] = names.map(|n| mark(transcript, n))
    else {
        return;
    };
    let by = ("RG1-RG4", Way::Forward);
    for (check, state, from, to) in [
        (down_1, "DOWN", c1, h1),
        (up_1, "UP", h1, c2),
        (down_2, "DOWN", c2, h2),
        (up_2, "UP", h2, c3),
    ] {
        let told = told_after(transcript, by, (ONLY, state), from).filter(|m| m.n < to.n);
        findings.shown(check, told.map(|m| m.n), &format!("RG4 is not told {state} in time"));
    }
    let Some(start) = attempts_after(transcript, ONLY, c3).first().copied() else { return };
    let due = start.at_us + 15 * MINUTE;
    let third = told_after(transcript, by, (ONLY, "DOWN"), c3);
    let early: Vec<u64> = third.iter().filter(|m| m.at_us < due).map(|m| m.n).collect();
    findings.absent(hidden, &early, start.n, "RG4 is not told of the third failure");
    let numbers: Vec<u64> = third.iter().map(|m| m.n).collect();
    let right = third.is_some_and(|m| m.at_us == due);
    findings.is(shown, right, &format!("told {third:?}, due at {due} us"), &numbers);
}
