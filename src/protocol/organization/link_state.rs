//! `[link_state]`: how the organization uses its connectors.

use serde::{Deserialize, Serialize};

/// `[link_state]`. What is left out has its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinkStateSettings {
    /// Mail is spread over first connectors that are equally good, names apart.
    pub spread: bool,
}

impl LinkStateSettings {
    /// Whether nothing was configured.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
