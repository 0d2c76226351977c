//! `[link_state]`: how the organization deals with what it knows of its connectors.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::clause;
use crate::kernel::Span;
use crate::wire::record::{DEFAULT_LIFETIME_S, LIFETIME_RANGE_S};

/// In one lifetime a record is published so often, unless something else is said.
pub const REFRESHES_PER_LIFETIME: u32 = 3;
/// The shortest `refresh_s`.
pub const REFRESH_LEAST_S: u32 = 20;

/// `[link_state]`. What is left out has its default.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinkStateSettings {
    /// A record is shown as stale when it was learnt longer ago than this.
    pub lifetime_s: u32,
    /// A master publishes its record again when it has said nothing for this time; without it, a third of
    /// the lifetime.
    pub refresh_s: Option<u32>,
}

impl Default for LinkStateSettings {
    fn default() -> Self {
        Self { lifetime_s: DEFAULT_LIFETIME_S, refresh_s: None }
    }
}

impl LinkStateSettings {
    /// Whether nothing was configured.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// After how long a record is published again.
    #[must_use]
    pub fn refresh(&self) -> Span {
        let third = self.lifetime_s / REFRESHES_PER_LIFETIME;
        Span::seconds(u64::from(self.refresh_s.unwrap_or(third)))
    }

    /// Everything that is wrong: the field, and what was expected.
    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        clause!(LS_155);
        let refresh = self.refresh_s.unwrap_or(self.lifetime_s / REFRESHES_PER_LIFETIME);
        let ranges = [
            ("lifetime_s", self.lifetime_s, LIFETIME_RANGE_S),
            ("refresh_s", refresh, REFRESH_LEAST_S..=self.lifetime_s / 2),
        ];
        let wrong = ranges.into_iter().filter(|(_, value, range)| !range.contains(value));
        let problem = |(field, value, range): (_, u32, core::ops::RangeInclusive<u32>)| {
            (field, format!("is {value}, expected {} to {}", range.start(), range.end()))
        };
        wrong.map(problem).collect()
    }
}
