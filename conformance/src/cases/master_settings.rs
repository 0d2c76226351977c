//! Tables of elections that nobody may start with, and their neighbours with which everybody must.

use serde_json::Value;

use super::link_refused::{Settings, judge};
use super::master_peers::profile;
use crate::case::Case;
use crate::event::Stop;
use crate::organization::{Blueprint, electing, electing_by};
use crate::stage::Stage;

/// Checks, each with what `[group.election]` says.
const TAKEN: &Settings = &[
    ("three-voters", r#"{"voters": ["rg1-a", "rg1-b", "rg1-c"]}"#),
    (
        "seven-voters",
        r#"{"voters": ["rg1-a", "rg1-b", "rg1-c", "rg1-d", "rg1-e", "rg1-f", "rg1-g"]}"#,
    ),
    ("two-voters-and-a-witness", r#"{"voters": ["rg1-a", "rg1-b"], "witness": "rg2-a"}"#),
    ("voters-in-any-order", r#"{"voters": ["rg1-h", "rg1-b", "rg1-d"]}"#),
    ("lease-of-1-s", r#"{"voters": ["rg1-a", "rg1-b", "rg1-c"], "lease_s": 1}"#),
    ("lease-of-300-s", r#"{"voters": ["rg1-a", "rg1-b", "rg1-c"], "lease_s": 300}"#),
    ("clocks-that-agree", r#"{"voters": ["rg1-a", "rg1-b", "rg1-c"], "clock_drift_ppm": 0}"#),
    ("the-worst-clocks", r#"{"voters": ["rg1-a", "rg1-b", "rg1-c"], "clock_drift_ppm": 200000}"#),
];
const VOTERS: &Settings = &[
    ("two-voters", r#"{"voters": ["rg1-a", "rg1-b"]}"#),
    ("one-voter-and-a-witness", r#"{"voters": ["rg1-a"], "witness": "rg2-a"}"#),
    ("no-voter", r#"{"voters": []}"#),
    (
        "eight-voters",
        r#"{"voters": ["rg1-a", "rg1-b", "rg1-c", "rg1-d", "rg1-e", "rg1-f", "rg1-g", "rg1-h"]}"#,
    ),
    (
        "seven-voters-and-a-witness",
        r#"{"voters": ["rg1-a", "rg1-b", "rg1-c", "rg1-d", "rg1-e", "rg1-f", "rg1-g"], "witness": "rg2-a"}"#,
    ),
    ("a-voter-of-another-group", r#"{"voters": ["rg1-a", "rg1-b", "rg2-a"]}"#),
    ("a-voter-of-no-group", r#"{"voters": ["rg1-a", "rg1-b", "rg1-x"]}"#),
    ("a-voter-that-stands-twice", r#"{"voters": ["rg1-a", "rg1-b", "rg1-b"]}"#),
    ("a-witness-of-the-group", r#"{"voters": ["rg1-a", "rg1-b"], "witness": "rg1-c"}"#),
    ("a-witness-of-no-group", r#"{"voters": ["rg1-a", "rg1-b"], "witness": "rg9-a"}"#),
];
const SPANS: &Settings = &[
    ("lease-of-0-s", r#"{"voters": ["rg1-a", "rg1-b", "rg1-c"], "lease_s": 0}"#),
    ("lease-of-301-s", r#"{"voters": ["rg1-a", "rg1-b", "rg1-c"], "lease_s": 301}"#),
    (
        "drift-of-200001-ppm",
        r#"{"voters": ["rg1-a", "rg1-b", "rg1-c"], "clock_drift_ppm": 200001}"#,
    ),
];
/// What stands in the group instead.
const MODES: &Settings =
    &[("both-modes", r#"{"master": "rg1-a"}"#), ("neither-mode", r#"{"election": null}"#)];

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let names = |settings: &Settings| -> Vec<&'static str> {
        settings.iter().map(|(check, _)| *check).collect()
    };
    let refused = |case: Case, settings: &Settings| {
        case.verifies(&["MA-048"])
            .forbids(&names(settings))
            .twin("master.settings.01")
            .kills(&[("settings-not-checked", settings[0].0)])
    };
    vec![
        Case::program(
            "master.settings.01",
            "At the edges of what may be configured of an election a member starts",
            profile(),
            &names(TAKEN),
            |stage| try_all(stage, TAKEN, electing_by),
            |transcript, findings| judge(TAKEN, true, transcript, findings),
        )
        .verifies(&["MA-048"]),
        refused(
            Case::program(
                "master.settings.02",
                "Too few or too many voters, and whoever may not be one, are refused",
                profile(),
                &names(VOTERS),
                |stage| try_all(stage, VOTERS, electing_by),
                |transcript, findings| judge(VOTERS, false, transcript, findings),
            ),
            VOTERS,
        ),
        refused(
            Case::program(
                "master.settings.03",
                "A span or a drift out of its range is refused",
                profile(),
                &names(SPANS),
                |stage| try_all(stage, SPANS, electing_by),
                |transcript, findings| judge(SPANS, false, transcript, findings),
            ),
            SPANS,
        ),
        refused(
            Case::program(
                "master.settings.04",
                "A group with both modes, or with neither, is refused",
                profile(),
                &names(MODES),
                |stage| try_all(stage, MODES, with_mode),
                |transcript, findings| judge(MODES, false, transcript, findings),
            ),
            MODES,
        ),
    ]
}

/// The first group with other fields than its own.
fn with_mode(fields: Value) -> Blueprint {
    let mut blueprint = electing();
    for (field, value) in fields.as_object().into_iter().flatten() {
        blueprint.organization["group"][0][field] = value.clone();
    }
    blueprint
}

fn try_all(
    stage: &Stage,
    settings: &Settings,
    blueprint: fn(Value) -> Blueprint,
) -> Result<(), Stop> {
    for (check, election) in settings {
        let election: Value = serde_json::from_str(election)
            .map_err(|error| Stop::Bug(format!("{check}: {error}")))?;
        stage.mark(check, election.clone());
        stage.try_start(blueprint(election), "rg1-a")?;
    }
    Ok(())
}
