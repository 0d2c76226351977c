//! Dot-stuffed text (RFC 5321, section 4.5.2), one octet after the other.
//!
//! The body ends at `<CRLF>.<CRLF>` and nowhere else. Servers that also end it at `\n.\n`, `\n.\r\n`
//! or `\r.\r\n` can be made to take the rest of a body for commands ("SMTP smuggling"); here a bare CR
//! or LF never begins a line, and it spoils the body.

use alloc::vec::Vec;

use super::DecodeError;
use super::framer::{EXPECTED_BODY_END, EXPECTED_CRLF};
use crate::clause;

/// Where in a line the decoder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    /// Behind CRLF, or at the start of the body.
    LineStart,
    /// Within a line.
    InLine,
    /// Behind a CR within a line.
    Cr,
    /// Behind a dot that began a line.
    Dot,
    /// Behind a dot that began a line, and CR.
    DotCr,
    /// Behind the end of the body.
    Ended,
}

/// The decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Dots {
    limit: u64,
    /// Content octets so far.
    content: u64,
    /// Octets so far, as they came.
    offset: usize,
    place: Place,
    /// The first thing that was wrong.
    error: Option<DecodeError>,
}

impl Dots {
    /// A decoder of a body of at most `limit` content octets.
    pub(super) const fn new(limit: u64) -> Self {
        Self { limit, content: 0, offset: 0, place: Place::LineStart, error: None }
    }

    /// Whether the end of the body was taken.
    pub(super) const fn ended(&self) -> bool {
        matches!(self.place, Place::Ended)
    }

    /// Whether the body was good.
    pub(super) const fn verdict(&self) -> Result<(), DecodeError> {
        match self.error {
            None => Ok(()),
            Some(error) => Err(error),
        }
    }

    /// Takes octets until the body ends or `piece` holds `piece_limit` of its content; says how many
    /// it took. What stands behind the first error is not put into `piece`.
    pub(super) fn take(&mut self, from: &[u8], piece: &mut Vec<u8>, piece_limit: usize) -> usize {
        let mut taken = 0;
        while taken < from.len() && !self.ended() && piece.len() + 2 <= piece_limit {
            let rest = &from[taken..];
            taken += match self.place {
                Place::InLine => self.take_text(rest, piece, piece_limit),
                _ => self.take_octet(rest[0], piece),
            };
        }
        taken
    }

    /// Takes what stands in the line up to its end, at once.
    fn take_text(&mut self, from: &[u8], piece: &mut Vec<u8>, piece_limit: usize) -> usize {
        let room = &from[..from.len().min(piece_limit - piece.len())];
        let text = room.iter().position(|octet| matches!(octet, b'\r' | b'\n'));
        match text {
            Some(0) => self.take_octet(from[0], piece),
            text => {
                let text = text.unwrap_or(room.len());
                self.keep(&room[..text], self.offset, piece);
                self.offset = self.offset.saturating_add(text);
                text
            }
        }
    }

    fn take_octet(&mut self, octet: u8, piece: &mut Vec<u8>) -> usize {
        assert!(!self.ended(), "nothing belongs to a body behind its end");
        self.place = match (self.place, octet) {
            (Place::DotCr, b'\n') => {
                clause!(WI_012);
                Place::Ended
            }
            (Place::Cr, b'\n') => {
                self.keep(b"\r\n", self.offset - 1, piece);
                Place::LineStart
            }
            (Place::Cr | Place::DotCr, _) => {
                self.bare(self.offset - 1);
                match octet {
                    b'\r' => Place::Cr,
                    _ => Place::InLine,
                }
            }
            (Place::Dot, b'\r') => Place::DotCr,
            (_, b'\r') => Place::Cr,
            (_, b'\n') => {
                self.bare(self.offset);
                Place::InLine
            }
            (Place::LineStart, b'.') => Place::Dot,
            _ => {
                self.keep(&[octet], self.offset, piece);
                Place::InLine
            }
        };
        self.offset = self.offset.saturating_add(1);
        1
    }

    fn bare(&mut self, offset: usize) {
        clause!(WI_012);
        let error = DecodeError { offset, expected: EXPECTED_CRLF };
        self.error.get_or_insert(error);
    }

    /// Puts content that came at `offset` into `piece`, as far as the limit allows.
    fn keep(&mut self, octets: &[u8], offset: usize, piece: &mut Vec<u8>) {
        if self.error.is_some() {
            return;
        }
        let room = usize::try_from(self.limit - self.content).unwrap_or(usize::MAX);
        if octets.len() > room {
            clause!(WI_013);
            piece.extend_from_slice(&octets[..room]);
            self.content = self.limit;
            let offset = offset.saturating_add(room);
            self.error = Some(DecodeError { offset, expected: EXPECTED_BODY_END });
            return;
        }
        piece.extend_from_slice(octets);
        self.content += octets.len() as u64;
        assert!(self.content <= self.limit, "no more is kept than the session allows");
    }
}
