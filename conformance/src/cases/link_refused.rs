//! Configurations of links that nobody may start with, and their neighbours with which everybody must.

use serde_json::Value;

use crate::case::{Case, Findings};
use crate::event::{Event, Stop};
use crate::organization::{aging, triangle};
use crate::stage::Stage;
use crate::transcript::Transcript;

use super::link_peers::LINK;

/// Checks, each with what a table of the organization says.
pub(super) type Settings = [(&'static str, &'static str)];

const TAKEN: &Settings = &[
    ("lifetime-of-60-s", r#"{"lifetime_s": 60}"#),
    ("lifetime-of-2592000-s", r#"{"lifetime_s": 2592000}"#),
    ("refresh-of-20-s", r#"{"lifetime_s": 600, "refresh_s": 20}"#),
    ("refresh-of-half-a-lifetime", r#"{"lifetime_s": 600, "refresh_s": 300}"#),
    ("penalty-just-reached", r#"{"damping": "rfc7196", "suppress_penalty": 5914}"#),
    ("penalty-only-counted", r#"{"damping": "calculate-only", "suppress_penalty": 5915}"#),
];
const OUT_OF_RANGE: &Settings = &[
    ("lifetime-of-59-s", r#"{"lifetime_s": 59}"#),
    ("lifetime-of-2592001-s", r#"{"lifetime_s": 2592001}"#),
    ("refresh-of-19-s", r#"{"lifetime_s": 600, "refresh_s": 19}"#),
    ("refresh-of-more-than-half-a-lifetime", r#"{"lifetime_s": 600, "refresh_s": 301}"#),
];
const UNREACHABLE: &Settings = &[
    ("penalty-just-missed", r#"{"damping": "rfc7196", "suppress_penalty": 5915}"#),
    ("penalty-soon-forgotten", r#"{"damping": "rfc7196", "half_life_s": 60}"#),
];

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let names = |settings: &Settings| -> Vec<&'static str> {
        settings.iter().map(|(check, _)| *check).collect()
    };
    vec![
        Case::program(
            "link.settings.01",
            "At the edges of what may be configured a member starts",
            LINK,
            &names(TAKEN),
            |stage| try_all(stage, TAKEN),
            |transcript, findings| judge(TAKEN, true, transcript, findings),
        )
        .verifies(&["LS-113", "LS-155"]),
        Case::program(
            "link.settings.02",
            "A lifetime or a refresh interval out of its range is refused",
            LINK,
            &names(OUT_OF_RANGE),
            |stage| try_all(stage, OUT_OF_RANGE),
            |transcript, findings| judge(OUT_OF_RANGE, false, transcript, findings),
        )
        .verifies(&["LS-155"])
        .forbids(&names(OUT_OF_RANGE))
        .twin("link.settings.01")
        .kills(&[("settings-not-checked", "lifetime-of-59-s")]),
        Case::program(
            "link.settings.03",
            "A penalty that suppresses and that no connector can come to is refused",
            LINK,
            &names(UNREACHABLE),
            |stage| try_all(stage, UNREACHABLE),
            |transcript, findings| judge(UNREACHABLE, false, transcript, findings),
        )
        .verifies(&["LS-113"])
        .forbids(&names(UNREACHABLE))
        .twin("link.settings.01")
        .kills(&[("settings-not-checked", "penalty-just-missed")]),
    ]
}

fn try_all(stage: &Stage, settings: &Settings) -> Result<(), Stop> {
    for (check, link_state) in settings {
        let link_state: Value = serde_json::from_str(link_state)
            .map_err(|error| Stop::Bug(format!("{check}: {error}")))?;
        stage.mark(check, link_state.clone());
        stage.try_start(aging(triangle(), link_state), "rg1-a")?;
    }
    Ok(())
}

/// Each of them starts, or none does.
pub(super) fn judge(
    settings: &Settings,
    starts: bool,
    transcript: &Transcript<'_>,
    findings: &mut Findings,
) {
    for (check, _) in settings {
        let Some(mark) = transcript.mark(check) else { return };
        let answer = transcript.records().iter().find_map(|record| match &record.event {
            Event::Asked { answer, .. } if record.n > mark.n => Some((record.n, answer)),
            _ => None,
        });
        let Some((n, answer)) = answer else { return };
        let started: Vec<u64> = (!answer["ok"].is_null()).then_some(n).into_iter().collect();
        if starts {
            findings.is(check, !started.is_empty(), &format!("answered {answer}"), &[n]);
        } else {
            findings.absent(check, &started, n, &format!("answered {answer}"));
        }
    }
}
