//! The switches of the planted bugs. Without the feature `planted-faults` every one is off for ever;
//! with it, one is on only when the run names it.

use alloc::collections::BTreeSet;
use alloc::string::String;

/// The faults that a run has named. The list of names that exist is [`NAMES`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Faults {
    named: BTreeSet<String>,
}

/// Every planted bug, and what it does wrong. The name is what `--fault` takes.
pub const NAMES: &[(&str, &str)] = &[
    ("reply-before-durable", "says 250 before the message is on disk"),
    ("fallback-while-in-doubt", "gives an in-doubt transfer to another member without RESOLVE"),
    ("reroute-while-in-doubt", "reroutes an in-doubt message when its connector goes down"),
];

impl Faults {
    /// No fault at all.
    #[must_use]
    pub const fn none() -> Self {
        Self { named: BTreeSet::new() }
    }

    /// The faults of these names.
    ///
    /// # Errors
    /// The first name that does not exist, or any name when the feature is off.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut named = BTreeSet::new();
        for name in names {
            let exists = NAMES.iter().any(|(known, _)| *known == name);
            if !exists || cfg!(not(feature = "planted-faults")) {
                return Err(String::from(name));
            }
            named.insert(String::from(name));
        }
        Ok(Self { named })
    }

    /// Whether the fault is on.
    #[must_use]
    pub fn is_on(&self, name: &'static str) -> bool {
        debug_assert!(NAMES.iter().any(|(known, _)| *known == name), "a fault is listed");
        cfg!(feature = "planted-faults") && self.named.contains(name)
    }
}
