//! Tables of leased accounts that nobody may start with, and their neighbours with which everybody must.

use serde_json::Value;

use super::account_peers::profile;
use super::link_refused::{Settings, judge};
use crate::case::Case;
use crate::event::Stop;
use crate::organization::leasing_by;
use crate::stage::Stage;

/// Checks, each with what stands in the group, and in the account of dora, instead.
const TAKEN: &Settings = &[
    ("lease-of-1-s", r#"{"group": {"accounts": {"account_lease_s": 1}}}"#),
    ("lease-of-300-s", r#"{"group": {"accounts": {"account_lease_s": 300}}}"#),
    ("no-lease", r#"{"group": {"accounts": {}}}"#),
    ("a-host-instead", r#"{"account": {"group": null, "host": "rg1-b"}}"#),
    ("a-quota", r#"{"account": {"quota_octets": 100000}}"#),
];
const TABLES: &Settings = &[
    ("lease-of-0-s", r#"{"group": {"accounts": {"account_lease_s": 0}}}"#),
    ("lease-of-301-s", r#"{"group": {"accounts": {"account_lease_s": 301}}}"#),
    ("a-master-by-name", r#"{"group": {"election": null, "master": "rg1-a"}}"#),
    ("another-field", r#"{"group": {"accounts": {"lease_s": 30}}}"#),
];
const ACCOUNTS: &Settings = &[
    ("a-group-without-the-table", r#"{"account": {"group": "RG2"}}"#),
    ("no-group", r#"{"account": {"group": "RG9"}}"#),
    ("neither-group-nor-host", r#"{"account": {"group": null}}"#),
    ("both-group-and-host", r#"{"account": {"host": "rg1-a"}}"#),
    ("an-epoch", r#"{"account": {"epoch": 2}}"#),
    (
        "a-rule",
        r#"{"account": {"rule": [{"name": "all", "when": [], "then": [{"action": "discard"}]}]}}"#,
    ),
];

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let names = |settings: &Settings| -> Vec<&'static str> {
        settings.iter().map(|(check, _)| *check).collect()
    };
    let refused = |case: Case, settings: &Settings, clause: &str| {
        case.verifies(&[clause])
            .forbids(&names(settings))
            .twin("account.settings.01")
            .kills(&[("settings-not-checked", settings[0].0)])
    };
    vec![
        Case::program(
            "account.settings.01",
            "At the edges of what may be configured of leased accounts a member starts",
            profile(),
            &names(TAKEN),
            |stage| try_all(stage, TAKEN),
            |transcript, findings| judge(TAKEN, true, transcript, findings),
        )
        .verifies(&["MA-102", "DE-102"]),
        refused(
            Case::program(
                "account.settings.02",
                "A lease out of its range is refused, and any in a group that does not elect",
                profile(),
                &names(TABLES),
                |stage| try_all(stage, TABLES),
                |transcript, findings| judge(TABLES, false, transcript, findings),
            ),
            TABLES,
            "MA-102",
        ),
        refused(
            Case::program(
                "account.settings.03",
                "An account of dynamic ownership names a group that leases, no host, no epoch and no rules",
                profile(),
                &names(ACCOUNTS),
                |stage| try_all(stage, ACCOUNTS),
                |transcript, findings| judge(ACCOUNTS, false, transcript, findings),
            ),
            ACCOUNTS,
            "DE-102",
        ),
    ]
}

fn try_all(stage: &Stage, settings: &Settings) -> Result<(), Stop> {
    for (check, fields) in settings {
        let fields: Value =
            serde_json::from_str(fields).map_err(|error| Stop::Bug(format!("{check}: {error}")))?;
        stage.mark(check, fields.clone());
        stage.try_start(leasing_by(&fields), "rg1-a")?;
    }
    Ok(())
}
