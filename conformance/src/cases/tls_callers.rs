//! What a member says to a far end that has not proved its name: on a connection that it opens itself.

use serde_json::json;

use super::doubt::{Commit, play_bridgehead};
use super::seen::{Moment, attempts_after, delivered, mark};
use super::tls::TLS;
use crate::case::{Case, Drive, Findings};
use crate::cluster::{Cluster, SECOND, Shows};
use crate::event::{Stop, Way};
use crate::net::{Port, Rule, Wire};
use crate::organization::{solo, two_groups};
use crate::security::{Security, Shown};
use crate::stage::Stage;
use crate::transcript::{Passed, Transcript};

const ANN: &str = "ann@example.test";
const BOB: &str = "bob@example.test";
const CARL: &str = "carl@example.test";
const ACROSS: &str = "RG1-RG2";
const STORE: &str = "rg1-a>rg1-c/deliver";
const MINUTE: u64 = 60 * SECOND;

const PLAIN: [&str; 3] = ["both-prove-their-names", "and-do-it-first", "delivered"];
const STRIPPED: [&str; 4] =
    ["the-offer-was-hidden", "says-nothing-in-clear", "tries-after-60s", "goes-on-under-tls"];
const TEMPTED: [&str; 3] = ["was-tempted", "says-nothing-in-clear", "gives-up"];
const DECEIVED: [&str; 3] = ["was-deceived", "says-nothing-to-it", "gives-up"];
const INJECTED: [&str; 3] = ["was-injected", "is-discarded", "goes-on-when-answered"];

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::program(
            "tls.caller.plain.01",
            "On every link both sides prove their names before anything is said",
            TLS,
            &PLAIN,
            drive_plain,
            judge_plain,
        )
        .verifies(&["CO-009", "CO-013", "CO-015", "SM-043"]),
        Case::program(
            "tls.caller.stripped.01",
            "Where the network hides the offer of STARTTLS, neither news nor mail goes in clear",
            TLS,
            &STRIPPED,
            drive_stripped,
            judge_stripped,
        )
        .verifies(&["SM-043", "SM-040", "RFC3207:6"])
        .forbids(&["says-nothing-in-clear"]),
        Case::program(
            "tls.caller.tempted.01",
            "A bridgehead that offers everything in clear and no TLS hears nothing",
            TLS,
            &TEMPTED,
            drive_tempted,
            judge_tempted,
        )
        .verifies(&["SM-043"])
        .forbids(&["says-nothing-in-clear"])
        .kills(&[("goes-on-without-starttls", "says-nothing-in-clear")]),
        Case::program(
            "tls.caller.injected.01",
            "Replies that somebody puts behind the 220 to STARTTLS in clear are discarded",
            TLS,
            &INJECTED,
            drive_injected,
            judge_injected,
        )
        .verifies(&["SM-047", "RFC3207:4.2"])
        .forbids(&["is-discarded"])
        .kills(&[("clear-text-survives-starttls", "is-discarded")]),
    ];
    cases.extend(deceived());
    let under_tls = |case: Case| {
        let case = case.under(Security::Tls);
        if case.id == "tls.caller.plain.01" { case } else { case.twin("tls.caller.plain.01") }
    };
    cases.into_iter().map(under_tls).collect()
}

fn deceived() -> Vec<Case> {
    let bridgeheads: [(&str, &str, Drive); 3] = [
        ("name", "the certificate of another member", |stage| deceive(stage, Shown::Another)),
        ("stranger", "a certificate that names no member", |stage| deceive(stage, Shown::Stranger)),
        ("authority", "a certificate of another authority", |stage| {
            deceive(stage, Shown::OtherAuthority)
        }),
    ];
    let mut cases: Vec<Case> = bridgeheads
        .into_iter()
        .map(|(name, what, drive)| {
            let title = format!("A bridgehead that shows {what} hears nothing");
            let id = format!("tls.caller.{name}.01");
            Case::program(&id, &title, TLS, &DECEIVED, drive, judge_bridgehead)
        })
        .collect();
    cases.push(Case::program(
        "tls.caller.store.01",
        "A store that shows the certificate of another member hears nothing",
        TLS,
        &DECEIVED,
        drive_store,
        judge_store,
    ));
    let common = |case: Case| case.verifies(&["SM-043", "CO-009"]).forbids(&["says-nothing-to-it"]);
    cases.into_iter().map(common).collect()
}

fn drive_plain(stage: &mut Stage) -> Result<(), Stop> {
    let mut cluster = stage.cluster(two_groups(), &[])?;
    cluster.run_until(10 * SECOND)?;
    cluster.submit("client", "rg1-a", ANN, &[BOB], "secret")?;
    cluster.settle()?;
    Ok(())
}

/// What was said on a connection before the node on that side had proved its name.
fn in_clear(transcript: &Transcript<'_>, link: &str) -> Vec<Passed> {
    let proofs = transcript.proofs(link);
    let has_proved = |line: &Passed| {
        let mut proofs = proofs.iter();
        proofs.any(|p| p.link == line.link && p.way == line.way && p.n < line.n && p.right)
    };
    transcript.lines(link).into_iter().filter(|line| !has_proved(line)).collect()
}

/// What an opener may say in clear: nothing but what leads to TLS.
fn is_overture(line: &Passed) -> bool {
    let verb = line.text.split(' ').next().unwrap_or_default().to_ascii_uppercase();
    line.way == Way::Back || matches!(verb.as_str(), "EHLO" | "STARTTLS" | "QUIT")
}

fn judge_plain(transcript: &Transcript<'_>, findings: &mut Findings) {
    let [both, first, arrives] = PLAIN;
    for (link, is_smtp) in
        [(ACROSS, true), ("rg2-a>rg2-b/deliver", false), ("rg1-a>rg1-b/group", false)]
    {
        let proofs = transcript.proofs(link);
        for way in [Way::Forward, Way::Back] {
            let right = proofs.iter().find(|proof| proof.way == way && proof.right);
            let missing = format!("{link}: a side has not proved its name");
            findings.shown(both, right.map(|proof| proof.n), &missing);
        }
        let said = in_clear(transcript, link);
        let early = said.iter().find(|line| !is_smtp || !is_overture(line));
        let proofs: Vec<u64> = proofs.iter().map(|proof| proof.n).collect();
        findings.is(first, early.is_none(), &format!("{link}: in clear: {early:?}"), &proofs);
    }
    let delivered = delivered(transcript, "rg2-a>rg2-b/deliver", "secret");
    findings.shown(arrives, delivered.map(|m| m.n), "the message did not arrive");
}

fn drive_stripped(stage: &mut Stage) -> Result<(), Stop> {
    let mut cluster = stage.cluster(two_groups(), &[(ACROSS, Rule::StripStarttls)])?;
    cluster.run_until(10 * SECOND)?;
    stage.mark("sent", json!({}));
    cluster.submit("client", "rg1-a", ANN, &[BOB], "hidden")?;
    cluster.run_for(2 * MINUTE)?;
    cluster.network().rule(ACROSS, Rule::Pass);
    stage.mark("healed", json!({}));
    cluster.run_for(2 * MINUTE)
}

fn judge_stripped(transcript: &Transcript<'_>, findings: &mut Findings) {
    let [hidden, nothing, tries, goes] = STRIPPED;
    let (Some(sent), Some(healed)) = (mark(transcript, "sent"), mark(transcript, "healed")) else {
        return;
    };
    let stripped = transcript.verb(ACROSS, "starttls-stripped");
    findings.shown(hidden, stripped, "STARTTLS was not offered at all");
    clear_of_secrets(transcript, findings, nothing, sent);
    let attempts = attempts_after(transcript, ACROSS, sent);
    let during: Vec<Moment> = attempts.into_iter().filter(|m| m.n < healed.n).collect();
    let even = during.windows(2).all(|pair| pair[1].at_us - pair[0].at_us == MINUTE);
    let numbers: Vec<u64> = during.iter().map(|m| m.n).collect();
    findings.is(tries, even && during.len() >= 2, &format!("attempts {during:?}"), &numbers);
    let delivered = delivered(transcript, "rg2-a>rg2-b/deliver", "hidden");
    let right = delivered.filter(|m| m.n > healed.n);
    findings.shown(goes, right.map(|m| m.n), &format!("delivered {delivered:?}"));
}

fn clear_of_secrets(
    transcript: &Transcript<'_>,
    findings: &mut Findings,
    check: &str,
    since: Moment,
) {
    let said = in_clear(transcript, ACROSS);
    let said: Vec<&Passed> = said.iter().filter(|line| !is_overture(line)).collect();
    let numbers: Vec<u64> = said.iter().map(|line| line.n).collect();
    let text = said.first().map_or("nothing", |line| line.text.as_str());
    findings.absent(check, &numbers, since.n, &format!("said in clear: `{text}`"));
}

/// The next connection of the node to the bridgehead of RG2.
fn caller(cluster: &Cluster, shows: Shows<'_>) -> Result<Wire, Stop> {
    let visitor = cluster.visitor_shown(ACROSS, Port::Smtp, shows)?;
    visitor.ok_or_else(|| Stop::CouldNotRun(format!("nobody opens a connection on {ACROSS}")))
}

fn drive_tempted(stage: &mut Stage) -> Result<(), Stop> {
    let mut cluster = stage.cluster(solo(), &[])?;
    cluster.submit("client", "rg1-a", ANN, &[BOB], "tempting")?;
    play_bridgehead(&caller(&cluster, Shows::Clear)?, Commit::Accepted);
    Ok(())
}

/// The moment in which the suite said something to a caller.
fn offered(transcript: &Transcript<'_>, prefix: &str) -> Option<Moment> {
    let lines = transcript.lines_with(&format!("{ACROSS}#1"), Way::Back, prefix);
    lines.last().map(Moment::of)
}

fn gives_up(transcript: &Transcript<'_>, findings: &mut Findings, check: &str, link: &str) {
    let end = transcript.end(&format!("{link}#1"), Way::Forward);
    findings.shown(check, end.map(|(n, _)| n), "the connection is still open");
}

fn judge_tempted(transcript: &Transcript<'_>, findings: &mut Findings) {
    let [tempted, nothing, ends] = TEMPTED;
    let Some(offer) = offered(transcript, "250 X-LINK2STATE") else { return };
    findings.holds(tempted, "X-SUBMIT and X-LINK2STATE were offered in clear", &[offer.n]);
    clear_of_secrets(transcript, findings, nothing, offer);
    gives_up(transcript, findings, ends, ACROSS);
}

fn deceive(stage: &Stage, shown: Shown) -> Result<(), Stop> {
    let mut cluster = stage.cluster(solo(), &[])?;
    cluster.submit("client", "rg1-a", ANN, &[BOB], "deceived")?;
    let certificate = stage.certificate(shown, "rg2-a", "rg1-c")?;
    play_bridgehead(&caller(&cluster, Shows::Other(&certificate))?, Commit::Accepted);
    Ok(())
}

fn judge_bridgehead(transcript: &Transcript<'_>, findings: &mut Findings) {
    let [deceived, nothing, ends] = DECEIVED;
    let starttls = transcript.lines_with(&format!("{ACROSS}#1"), Way::Forward, "STARTTLS");
    let Some(starttls) = starttls.last() else { return };
    findings.holds(deceived, "TLS began", &[starttls.n]);
    let lines = transcript.lines(&format!("{ACROSS}#1"));
    let said = lines.iter().filter(|line| line.way == Way::Forward && line.n > starttls.n);
    let said: Vec<u64> = said.map(|line| line.n).collect();
    findings.absent(nothing, &said, starttls.n, "nothing was said behind STARTTLS");
    gives_up(transcript, findings, ends, ACROSS);
}

fn drive_store(stage: &mut Stage) -> Result<(), Stop> {
    let mut cluster = stage.cluster(solo(), &[(ACROSS, Rule::Refuse)])?;
    cluster.run_until(SECOND)?;
    cluster.submit("client", "rg1-a", ANN, &[CARL], "deceived")?;
    let certificate = stage.certificate(Shown::Another, "rg1-c", "rg2-a")?;
    let visitor = cluster.visitor_shown(STORE, Port::Deliver, Shows::Other(&certificate))?;
    let Some(wire) = visitor else { return Ok(()) };
    wire.line("220 rg1-c ready");
    while wire.read_line().this().is_some() {
        wire.line("250 X-DELIVER");
    }
    Ok(())
}

fn judge_store(transcript: &Transcript<'_>, findings: &mut Findings) {
    let [deceived, nothing, ends] = DECEIVED;
    let Some(open) = transcript.attempts(STORE).first().map(|open| open.n) else { return };
    findings.holds(deceived, "the node opened a connection", &[open]);
    let said = transcript.stream(&format!("{STORE}#1"), Way::Forward).numbers;
    findings.absent(nothing, &said, open, "nothing was said to the store");
    gives_up(transcript, findings, ends, STORE);
}

fn drive_injected(stage: &mut Stage) -> Result<(), Stop> {
    let mut cluster = stage.cluster(solo(), &[])?;
    cluster.submit("client", "rg1-a", ANN, &[BOB], "injected")?;
    let wire = caller(&cluster, Shows::Own)?;
    wire.line("220 rg2-a ready");
    let _ = wire.read_line();
    wire.send(b"250-rg2-a\r\n250 STARTTLS\r\n");
    let _ = wire.read_line();
    wire.secure(b"220 2.0.0 ready\r\n250-rg2-a\r\n250-X-SUBMIT\r\n250 X-LINK2STATE\r\n");
    // EHLO is under way, and nobody has answered it: whoever goes on has heard the injected reply.
    let _ = wire.read_line();
    cluster.settle()?;
    stage.mark("not-answered", json!({}));
    wire.send(b"250-rg2-a\r\n250-X-SUBMIT\r\n250 X-LINK2STATE\r\n");
    let _ = wire.read_line();
    Ok(())
}

fn judge_injected(transcript: &Transcript<'_>, findings: &mut Findings) {
    let [injected, discarded, goes] = INJECTED;
    let Some(silent) = mark(transcript, "not-answered") else { return };
    let proofs = transcript.proofs(ACROSS);
    let Some(proof) = proofs.iter().find(|proof| proof.right) else { return };
    let early = offered(transcript, "220 2.0.0 ready").filter(|offer| offer.n < proof.n);
    findings.shown(injected, early.map(|m| m.n), "nothing was injected");
    let said = transcript.lines_with(ACROSS, Way::Forward, "X-");
    let too_early: Vec<u64> = said.iter().map(|line| line.n).filter(|n| *n < silent.n).collect();
    findings.absent(discarded, &too_early, silent.n, "nothing followed EHLO before its answer");
    let hello = said.iter().find(|line| line.n > silent.n);
    findings.shown(goes, hello.map(|line| line.n), "nothing followed the answer to EHLO");
}
