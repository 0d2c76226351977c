//! The hops that a message from outside has behind it, as its header shows them (RFC 5321 section 6.3).

use super::DecodeError;
use crate::clause;

/// The most `Received` fields that a message from outside may have: one with more is taken to go in a circle.
pub const RECEIVED_LIMIT: u32 = 100;

/// What [`DecodeError::expected`] says of a message that has more.
pub const EXPECTED_FEWER_HOPS: &str = "at most 100 Received fields";

const NAME: &[u8] = b"received";

/// Where in the header the count is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    /// Behind so many octets of the name, from the start of a line.
    Name(usize),
    /// Behind the whole name, where spaces may stand before the colon.
    Named,
    /// In the rest of a line that tells nothing more.
    Line,
    /// Behind a CR that began a line.
    Cr,
    /// Behind the empty line that ends the header.
    Body,
}

/// Counts `Received` fields, one piece of the message after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Hops {
    place: Place,
    /// Octets of the message so far.
    offset: usize,
    count: u32,
    /// The colon of the first field over the limit.
    over: Option<usize>,
}

impl Hops {
    /// Before the first octet.
    pub(super) const fn new() -> Self {
        Self { place: Place::Name(0), offset: 0, count: 0, over: None }
    }

    /// Takes the next octets.
    pub(super) fn take(&mut self, octets: &[u8]) {
        for octet in octets {
            if self.place == Place::Body {
                return;
            }
            self.place = self.next(*octet);
            self.offset = self.offset.saturating_add(1);
        }
    }

    fn next(&mut self, octet: u8) -> Place {
        match (self.place, octet) {
            (Place::Body, _) | (Place::Cr, b'\n') => Place::Body,
            (_, b'\n') => Place::Name(0),
            (Place::Name(0), b'\r') => Place::Cr,
            (Place::Name(seen), octet) if NAME[seen] == octet.to_ascii_lowercase() => {
                if seen + 1 == NAME.len() { Place::Named } else { Place::Name(seen + 1) }
            }
            (Place::Named, b' ' | b'\t') => Place::Named,
            (Place::Named, b':') => {
                self.hop();
                Place::Line
            }
            _ => Place::Line,
        }
    }

    fn hop(&mut self) {
        self.count = self.count.saturating_add(1);
        if self.count > RECEIVED_LIMIT {
            clause!(SM_130);
            self.over.get_or_insert(self.offset);
        }
    }

    /// Whether the message may come in.
    pub(super) fn verdict(&self) -> Result<(), DecodeError> {
        match self.over {
            None => Ok(()),
            Some(offset) => Err(DecodeError { offset, expected: EXPECTED_FEWER_HOPS }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(message: &str, step: usize) -> u32 {
        let mut hops = Hops::new();
        message.as_bytes().chunks(step).for_each(|piece| hops.take(piece));
        hops.count
    }

    /// SM-130: fields of the header, however they are written, and nothing else.
    #[test]
    fn only_received_fields_of_the_header_count() {
        let message = "Received: a\r\n\tReceived: folded\r\nRECEIVED \t: b\r\nReceived-SPF: pass\r\n\
            X-Received: c\r\nReceive: d\r\nno field\r\n Received: e\r\nreceived:\r\n\r\nReceived: body\r\n";
        for step in 1..=message.len() {
            assert_eq!(count(message, step), 3, "in pieces of {step}");
        }
        assert_eq!(count("\r\nReceived: body\r\n", 1), 0, "a message without a header");
        assert_eq!(count("", 1), 0);
    }

    /// SM-130: the limit itself is within it.
    #[test]
    fn the_limit_is_reached_before_it_is_passed() {
        let field = "Received: x\r\n";
        let mut hops = Hops::new();
        hops.take(field.repeat(RECEIVED_LIMIT as usize).as_bytes());
        assert_eq!(hops.verdict(), Ok(()));
        hops.take(field.repeat(2).as_bytes());
        let offset = field.len() * RECEIVED_LIMIT as usize + "Received".len();
        assert_eq!(hops.verdict(), Err(DecodeError { offset, expected: EXPECTED_FEWER_HOPS }));
        assert!(EXPECTED_FEWER_HOPS.contains(&alloc::format!(" {RECEIVED_LIMIT} ")));
    }
}
