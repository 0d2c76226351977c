//! The seed's first walk-through, step by step: one link fails (figure 3.14; eleven steps).

use serde_json::json;

use super::seen::{
    Moment, attempts_after, closed_world, crossed, crossings, deliveries, mark, told_after,
};
use crate::case::{Case, Findings};
use crate::cluster::SECOND;
use crate::event::{Stop, Way};
use crate::net::Rule;
use crate::organization::five_groups;
use crate::stage::Stage;
use crate::transcript::Transcript;

const ANN: &str = "ann@example.test";
const EVE: &str = "eve@example.test";
const EVE_LINK: &str = "rg5-a>rg5-b/deliver";
const BROKEN: &str = "RG2-RG4";
const GLITCH: u64 = 60 * SECOND;

const CHECKS: [&str; 18] = [
    "step-01-rg1-sends-to-rg2",
    "step-02-rg2-tries-rg4",
    "step-03-retries-every-60s",
    "step-04-down-after-the-third-retry-told-to-the-master",
    "step-05-master-tells-its-members",
    "step-06-message-goes-back-to-rg1",
    "step-07-news-before-the-message-to-rg1",
    "step-08-rg1-tells-its-master",
    "step-09-master-of-rg1-tells-its-members",
    "step-10-rg1-routes-by-rg3",
    "step-11-news-before-the-message-to-rg3-and-beyond",
    "delivered-once",
    "no-early-reroute",
    "next-message-goes-straight-by-rg3",
    "probes-every-60s-without-mail",
    "recovery-is-told",
    "old-route-returns",
    "closed-world",
];

/// The case.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::program(
            "link.walk.single.01",
            "One link fails: the seed's eleven steps, later mail, and the recovery",
            "cluster/full",
            &CHECKS,
            drive,
            judge,
        )
        .verifies(&[
            "LS-010", "LS-017", "LS-018", "LS-019", "LS-020", "LS-021", "LS-022", "LS-023",
            "LS-024", "LS-025", "LS-040", "CU-022", "SU-007",
        ])
        .forbids(&["no-early-reroute"])
        .twin("link.plain.01"),
    ]
}

fn drive(stage: &mut Stage) -> Result<(), Stop> {
    let mut cluster = stage.cluster(five_groups().with_member(1, "rg1-c"), &[])?;
    cluster.run_until(10 * SECOND)?;
    for link in [BROKEN, "RG4-RG2"] {
        cluster.network().cut(link);
    }
    stage.mark("cut", json!({}));
    cluster.submit("client", "rg1-a", ANN, &[EVE], "first")?;
    cluster.run_for(200 * SECOND)?;
    stage.mark("second", json!({}));
    cluster.submit("client", "rg1-a", ANN, &[EVE], "second")?;
    cluster.run_for(50 * SECOND)?;
    for member in ["rg1-a", "rg1-b", "rg3-a", "rg5-b"] {
        cluster.inspect(member, "linkstate")?;
    }
    for link in [BROKEN, "RG4-RG2"] {
        cluster.network().rule(link, Rule::Pass);
    }
    stage.mark("healed", json!({}));
    cluster.run_for(60 * SECOND)?;
    stage.mark("third", json!({}));
    cluster.submit("client", "rg1-a", ANN, &[EVE], "third")?;
    cluster.run_for(SECOND)
}

fn judge(transcript: &Transcript<'_>, findings: &mut Findings) {
    let Some(cut) = mark(transcript, "cut") else { return };
    let [one, two, three, four, five, six, seven, ..] = CHECKS;
    let first = crossed(transcript, "RG1-RG2", "first");
    findings.shown(one, first.map(|m| m.n), "the message did not cross RG1-RG2");
    let attempts = attempts_after(transcript, BROKEN, cut);
    findings.shown(two, attempts.first().map(|m| m.n), "rg2-a did not try rg4-a");
    let Some(start) = attempts.first().copied() else { return };
    let wanted: Vec<u64> = (0..4).map(|turn| start.at_us + turn * GLITCH).collect();
    let times: Vec<u64> = attempts.iter().take(4).map(|m| m.at_us).collect();
    let numbers: Vec<u64> = attempts.iter().take(4).map(|m| m.n).collect();
    findings.is(three, times == wanted, &format!("attempts at {times:?} us"), &numbers);
    let Some(last) = attempts.get(3).copied() else { return };
    let report = told_after(transcript, ("rg2-a>rg2-b/group", Way::Forward), (BROKEN, "DOWN"), cut);
    let (n, at) = report.map_or((Vec::new(), None), |m| (vec![m.n], Some(m.at_us)));
    let right = at == Some(last.at_us) && report.is_some_and(|m| m.n > last.n);
    findings.is(four, right, &format!("told at {at:?} us, the third retry at {}", last.at_us), &n);
    let Some(report) = report else { return };
    tell(transcript, findings, five, ("rg2-a>rg2-b/group", Way::Back), report);
    let back = crossings(transcript, "RG2-RG1", "first");
    let returned = back.iter().find_map(|c| c.accepted);
    findings.shown(six, returned.map(|m| m.n), "the message did not go back to RG1");
    let offered = back.first().map(|c| c.offered);
    before(transcript, findings, seven, "RG2-RG1", offered, report);
    judge_early(transcript, findings, last);
    judge_rest(transcript, findings, report);
}

/// News on a link after a moment, at the same virtual time.
fn tell(
    transcript: &Transcript<'_>,
    findings: &mut Findings,
    check: &str,
    link: (&str, Way),
    after: Moment,
) {
    let told = told_after(transcript, link, (BROKEN, "DOWN"), after);
    let n: Vec<u64> = told.iter().map(|m| m.n).collect();
    let at_once = told.is_some_and(|m| m.at_us == after.at_us);
    findings.is(check, at_once, &format!("{} {:?}: {told:?}", link.0, link.1), &n);
}

/// The news went over the link before the message did.
fn before(
    transcript: &Transcript<'_>,
    findings: &mut Findings,
    check: &str,
    link: &str,
    offered: Option<Moment>,
    after: Moment,
) {
    let told = told_after(transcript, (link, Way::Forward), (BROKEN, "DOWN"), after);
    let (Some(told), Some(offered)) = (told, offered) else {
        findings.fails(check, format!("{link}: news {told:?}, message {offered:?}"), &[]);
        return;
    };
    let seen = format!("{link}: news in record {}, message in record {}", told.n, offered.n);
    findings.is(check, told.n < offered.n, &seen, &[told.n, offered.n]);
}

fn judge_early(transcript: &Transcript<'_>, findings: &mut Findings, last: Moment) {
    let early: Vec<u64> = crossings(transcript, "RG2-RG1", "first")
        .iter()
        .filter(|crossing| crossing.offered.n < last.n)
        .map(|crossing| crossing.offered.n)
        .collect();
    let seen = "a message leaves a failing connector only when DOWN is decided";
    findings.absent("no-early-reroute", &early, last.n, seen);
}

fn judge_rest(transcript: &Transcript<'_>, findings: &mut Findings, report: Moment) {
    let [.., eight, nine, ten, eleven, once, _, next, probes, told, old, closed] = CHECKS;
    tell(transcript, findings, eight, ("rg1-a>rg1-b/group", Way::Forward), report);
    tell(transcript, findings, nine, ("rg1-c>rg1-b/group", Way::Back), report);
    let third = crossings(transcript, "RG1-RG3", "first");
    findings.shown(ten, third.iter().find_map(|c| c.accepted).map(|m| m.n), "not by RG3");
    for link in ["RG1-RG3", "RG3-RG4", "RG4-RG5"] {
        let offered = crossings(transcript, link, "first").first().map(|c| c.offered);
        before(transcript, findings, eleven, link, offered, report);
    }
    let copies: Vec<u64> = deliveries(transcript, EVE_LINK, "first")
        .iter()
        .filter_map(|c| c.accepted)
        .map(|m| m.n)
        .collect();
    findings.is(once, copies.len() == 1, &format!("{} deliveries", copies.len()), &copies);
    let straight = crossed(transcript, "RG1-RG3", "second").map(|m| m.n);
    findings.shown(next, straight, "the second message did not cross RG1-RG3");
    for crossing in crossings(transcript, "RG1-RG2", "second") {
        findings.fails(next, "the second message went to RG2", &[crossing.offered.n]);
    }
    judge_recovery(transcript, findings, [probes, told, old]);
    closed_world(transcript, findings, closed);
}

fn judge_recovery(
    transcript: &Transcript<'_>,
    findings: &mut Findings,
    [probes, told, old]: [&str; 3],
) {
    let (Some(cut), Some(healed)) = (mark(transcript, "cut"), mark(transcript, "healed")) else {
        return;
    };
    let attempts = attempts_after(transcript, BROKEN, cut);
    let later: Vec<Moment> = attempts.iter().skip(3).take(3).copied().collect();
    let even = later.windows(2).all(|pair| pair[1].at_us - pair[0].at_us == GLITCH);
    let numbers: Vec<u64> = later.iter().map(|m| m.n).collect();
    findings.is(probes, later.len() == 3 && even, &format!("{later:?}"), &numbers);
    let mut evidence = Vec::new();
    for link in [("rg2-a>rg2-b/group", Way::Forward), ("RG2-RG1", Way::Forward)] {
        match told_after(transcript, link, (BROKEN, "UP"), healed) {
            Some(moment) => evidence.push(moment.n),
            None => findings.fails(told, format!("{} does not carry UP", link.0), &[]),
        }
    }
    findings.is(told, evidence.len() == 2, "UP is told to the master and to RG1", &evidence);
    let mut route = Vec::new();
    for link in ["RG1-RG2", BROKEN, "RG4-RG5"] {
        match crossed(transcript, link, "third") {
            Some(moment) => route.push(moment.n),
            None => findings.fails(old, format!("the third message did not cross {link}"), &[]),
        }
    }
    findings.is(old, route.len() == 3, "the third message went by RG2 and RG4", &route);
}
