//! A connector with several sources in a cluster in which nobody is played: what crosses it, all sources taken
//! together.

use serde_json::json;

use super::seen::{Moment, attempts_after, crossed, mark, told_after};
use crate::case::{Case, Findings};
use crate::cluster::SECOND;
use crate::event::{Stop, Way};
use crate::organization::two_sources;
use crate::play::{records, with_whole_messages};
use crate::stage::Stage;
use crate::transcript::{Passed, Transcript};

const BROKEN: &str = "RG1-RG3";
/// What the record of RG1 says of it.
const DOWN: &str = "{7}RG1-RG3 ( CONFIG {3}RG3 a BH ( {5}rg1-a ) STATE DOWN";
/// The connectors with two sources.
const SHARED: [&str; 2] = ["RG1-RG2", "RG2-RG3"];
const OTHERS: [&str; 4] = [BROKEN, "RG2-RG1", "RG3-RG1", "RG3-RG2"];
/// How long the second source leaves it to the first one.
const BACKUP_DELAY: u64 = 5 * SECOND;
const CHECKS: [&str; 6] = [
    "once-over-each-shared-connector",
    "in-the-same-moment",
    "nowhere-else",
    "the-changed-record-alone",
    "the-other-sources-ask-5-s-later",
    "mail-takes-the-other-way",
];

/// The case.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::program(
            "link.turn.07",
            "A change crosses a connector with two sources once in the whole cluster, and the others ask for it",
            "cluster/full",
            &CHECKS,
            drive,
            judge,
        )
        .verifies(&["LS-017", "LS-200", "LS-201", "LS-230", "LS-231"])
        .forbids(&["nowhere-else"])
        .twin("link.plain.01")
        .kills(&[
            ("every-source-tells", "once-over-each-shared-connector"),
            ("whole-table-flood", "the-changed-record-alone"),
            ("never-backs-up", "the-other-sources-ask-5-s-later"),
        ]),
    ]
}

fn drive(stage: &mut Stage) -> Result<(), Stop> {
    let mut cluster = stage.cluster(two_sources(), &[])?;
    cluster.run_until(20 * SECOND)?;
    cluster.network().cut(BROKEN);
    stage.mark("cut", json!({}));
    cluster.submit("client", "rg1-a", "ann@example.test", &["cat@example.test"], "round")?;
    cluster.run_for(200 * SECOND)
}

/// The messages on a link that say DOWN, whoever said them.
fn tellings(transcript: &Transcript<'_>, link: &str) -> Vec<Passed> {
    let mut lines = with_whole_messages(transcript.lines(link));
    lines.retain(|line| line.text.contains(" LAST CHUNK=") || line.text.starts_with("200 LAST "));
    lines.retain(|line| line.text.contains(DOWN));
    lines
}

fn judge(transcript: &Transcript<'_>, findings: &mut Findings) {
    let [once, moment, nowhere, alone, ask, mail] = CHECKS;
    let Some(cut) = mark(transcript, "cut") else { return };
    let report = ("rg1-a>rg1-b/group", Way::Forward);
    let Some(down) = told_after(transcript, report, (BROKEN, "DOWN"), cut) else { return };
    let told: Vec<Vec<Passed>> = SHARED.map(|link| tellings(transcript, link)).into();
    let numbers: Vec<u64> = told.iter().flatten().map(|line| line.n).collect();
    let counts: Vec<usize> = told.iter().map(Vec::len).collect();
    findings.is(once, counts == [1, 1], &format!("{SHARED:?}: told {counts:?} times"), &numbers);
    let times: Vec<u64> = told.iter().flatten().map(|line| line.at_us).collect();
    let at_once = !times.is_empty() && times.iter().all(|at_us| *at_us == down.at_us);
    findings.is(moment, at_once, &format!("at {times:?} us, decided at {}", down.at_us), &numbers);
    let elsewhere = OTHERS.iter().flat_map(|link| tellings(transcript, link));
    let elsewhere: Vec<u64> = elsewhere.map(|line| line.n).collect();
    findings.absent(nowhere, &elsewhere, down.n, "no other connector carries it");
    let sizes: Vec<usize> = told.iter().flatten().map(|line| records(&line.text)).collect();
    let right = !sizes.is_empty() && sizes.iter().all(|size| *size == 1);
    findings.is(alone, right, &format!("messages of {sizes:?} records"), &numbers);
    let asked = |link: &&str| {
        let attempts = attempts_after(transcript, link, down);
        attempts.into_iter().find(|attempt| attempt.at_us == down.at_us + BACKUP_DELAY)
    };
    let asked: Vec<Moment> = SHARED.iter().filter_map(asked).collect();
    let numbers: Vec<u64> = asked.iter().map(|moment| moment.n).collect();
    findings.is(ask, asked.len() == SHARED.len(), &format!("{asked:?}"), &numbers);
    let crossed = SHARED.map(|link| crossed(transcript, link, "round").map(|moment| moment.n));
    let numbers: Vec<u64> = crossed.iter().flatten().copied().collect();
    findings.is(mail, numbers.len() == SHARED.len(), &format!("{crossed:?}"), &numbers);
}
