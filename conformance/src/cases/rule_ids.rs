//! The ids that follow from those of a message, as RU-023 says.

use sha2::{Digest as _, Sha256};

use crate::event::hex;

/// The origin id of what rules make of a recipient's message: 0 redirected, 1 copied, 2 answered.
pub(super) fn derived(origin: &str, index: u32, place: u32) -> String {
    let digest = Sha256::digest(format!("bridgehead/rules {origin} {index} {place}"));
    let member = origin.split('/').next().unwrap_or_default();
    let sequence = digest[8..16].iter().fold(0_u64, |all, octet| all << 8 | u64::from(*octet));
    format!("{member}/{}/{sequence}", hex(&digest[..8]))
}
