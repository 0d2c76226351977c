//! What a number of a file may be, for those that do not fit the type that holds them: the checks never see these.

use crate::clause;
use crate::protocol::member::LIMIT_RANGE;
use crate::protocol::organization::{
    CLOCK_DRIFT_LIMIT_PPM, LEASE_LIMIT_S, LinkStateSettings, WEIGHT_LIMIT,
};
use crate::wire::record::COST_RANGE;

/// The greatest number that TOML has.
const TOML_MOST: u64 = i64::MAX as u64;

/// The least and the greatest number that may stand at a place such as `connector[2].cost`, where `type_name` is
/// the type that holds it; none where that is no number.
pub(super) fn range_of(place: &str, type_name: &str) -> Option<(u64, u64)> {
    clause!(SV_102);
    let most = match type_name {
        "u8" => u64::from(u8::MAX),
        "u16" => u64::from(u16::MAX),
        "u32" => u64::from(u32::MAX),
        "u64" | "usize" => TOML_MOST,
        _ => return None,
    };
    let key: String = place.split('.').map(|part| part.split('[').next().unwrap_or(part)).fold(
        String::new(),
        |key, part| {
            if key.is_empty() { part.into() } else { format!("{key}.{part}") }
        },
    );
    let (section, field) = key.rsplit_once('.').unwrap_or(("", &key));
    let both = |range: core::ops::RangeInclusive<u32>| {
        Some((u64::from(*range.start()), u64::from(*range.end())))
    };
    match (section, field) {
        ("connector" | "group.exit", "cost") => both(COST_RANGE),
        ("group.election", "lease_s") | ("group.accounts", "account_lease_s") => {
            both(1..=LEASE_LIMIT_S)
        }
        ("group.election", "clock_drift_ppm") => both(0..=CLOCK_DRIFT_LIMIT_PPM),
        ("group.member", "weight") => both(1..=WEIGHT_LIMIT),
        ("link_state", field) => LinkStateSettings::range_of(field).and_then(both),
        ("limits.client" | "limits.destination", _) => both(LIMIT_RANGE),
        ("policy", "delay_notice_hours" | "journal_retention_days") => None,
        ("policy" | "filter", _)
        | ("connector" | "group.exit", "size_limit_octets")
        | ("account", "epoch") => Some((1, most)),
        _ => None,
    }
    .or(Some((0, most)))
}
