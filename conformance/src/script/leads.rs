//! The term under which the node leads, in what the suite says and expects: the nonce in it is the node's own.

use super::frame;
use crate::event::Way;
use crate::stage::Stage;
use crate::transcript::Transcript;

/// Stands in frames for the term that the node told last by LEAD.
pub(crate) const THEIR_TERM: &str = "=the-term-that-the-node-told-last=";
/// What stands before the content of a frame: its count.
const COUNT_OCTETS: usize = 10;

/// The term that the node had told last by the time of a record.
pub(super) fn told(transcript: &Transcript<'_>, until: u64) -> Option<String> {
    let mut connections = transcript.connections();
    connections.retain(|connection| connection.starts_with(crate::play::NODE));
    let lines = connections.iter().flat_map(|connection| transcript.lines(connection));
    let told = lines.filter(|line| line.way == Way::Forward && line.n <= until);
    let terms = told.filter_map(|line| Some((line.n, term_of(&line.text)?)));
    terms.max_by_key(|(n, _)| *n).map(|(_, term)| term)
}

/// Counter, member and nonce.
fn term_of(text: &str) -> Option<String> {
    let (_, led) = text.split_once("} LEAD ")?;
    let words: Vec<&str> = led.split(' ').collect();
    Some(words.get(1..4)?.join(" "))
}

/// Whether the term of the node stands in it.
pub(super) fn names(text: &str) -> bool {
    text.contains(THEIR_TERM)
}

/// A text with the term in its place, as the record of the case is now.
pub(super) fn with_term(text: &str, stage: &Stage) -> String {
    if !names(text) {
        return text.to_owned();
    }
    let records = stage.recorder.so_far();
    text.replace(THEIR_TERM, &told(&Transcript::new(&records), u64::MAX).unwrap_or_default())
}

/// The same for a frame, which is counted anew.
pub(super) fn with_term_framed(octets: Vec<u8>, stage: &Stage) -> Vec<u8> {
    let is_one = core::str::from_utf8(&octets).is_ok_and(names);
    if is_one { framed(octets, &with_term(THEIR_TERM, stage)) } else { octets }
}

/// A frame with the term in its place, and the count that it has then.
fn framed(octets: Vec<u8>, term: &str) -> Vec<u8> {
    match core::str::from_utf8(&octets) {
        Ok(text) if names(text) && text.len() > COUNT_OCTETS => {
            frame(&text[COUNT_OCTETS..].replace(THEIR_TERM, term)).into_bytes()
        }
        _ => octets,
    }
}

#[cfg(test)]
mod tests {
    use super::{THEIR_TERM, framed, term_of};
    use crate::script::frame;

    #[test]
    fn a_term_takes_its_place_and_is_counted() {
        let term = term_of("{0000001b} LEAD 7f 1 {5}rg1-a 9ab").expect("it is told");
        assert_eq!(term, "1 {5}rg1-a 9ab");
        assert_eq!(term_of("{00000008} GRANTED 5"), None);
        let said = frame(&format!(" CLAIM 1 {THEIR_TERM} 15 ( {{3}}x@y )\r\n")).into_bytes();
        let expected = frame(" CLAIM 1 1 {5}rg1-a 9ab 15 ( {3}x@y )\r\n").into_bytes();
        assert_eq!(framed(said, &term), expected);
        assert_eq!(framed(b"NOOP\r\n".to_vec(), &term), b"NOOP\r\n");
    }
}
