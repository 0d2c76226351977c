//! The words of a filter that others hear: the client, or whoever the message returns to.

use crate::clause;
use crate::protocol::rules::VALUE_LIMIT_OCTETS;

/// The words of a refusal as they may be spoken: what a rule may say (RU-004), and no more.
pub(super) fn spoken(text: &str) -> String {
    clause!(RU_049);
    let is_printable = |character: &char| *character == ' ' || character.is_ascii_graphic();
    text.chars()
        .map(|character| Some(character).filter(is_printable).unwrap_or('?'))
        .take(VALUE_LIMIT_OCTETS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RU-049.
    #[test]
    fn words_are_printable_and_few() {
        assert_eq!(spoken("no \"spam\" ~"), "no \"spam\" ~");
        assert_eq!(spoken("tr\u{e8}s\u{7f}\r\n\u{fffd}\u{1f600}"), "tr?s?????");
        let most = "x".repeat(VALUE_LIMIT_OCTETS);
        assert_eq!(spoken(&most), most);
        assert_eq!(spoken(&(most.clone() + "y")), most);
        assert_eq!(spoken(&"\u{e8}".repeat(3_000)), "?".repeat(VALUE_LIMIT_OCTETS));
    }
}
