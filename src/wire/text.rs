//! Line ends in a text whose length is announced: a bare CR or LF spoils it, wherever pieces are cut.

use super::DecodeError;
use super::framer::EXPECTED_CRLF;

/// Looks for bare line ends, one piece after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct LineEnds {
    /// Octets so far.
    offset: usize,
    /// The last octet was a CR.
    behind_cr: bool,
    /// The first bare CR or LF.
    bare: Option<usize>,
}

impl LineEnds {
    /// Before the first octet.
    pub(super) const fn new() -> Self {
        Self { offset: 0, behind_cr: false, bare: None }
    }

    /// Takes the next octets.
    pub(super) fn take(&mut self, octets: &[u8]) {
        for octet in octets {
            let is_bare_lf = *octet == b'\n' && !self.behind_cr;
            if self.behind_cr && *octet != b'\n' {
                self.bare.get_or_insert(self.offset - 1);
            } else if is_bare_lf {
                self.bare.get_or_insert(self.offset);
            }
            self.behind_cr = *octet == b'\r';
            self.offset = self.offset.saturating_add(1);
        }
    }

    /// Whether no bare CR or LF has come so far.
    pub(super) const fn is_fair(&self) -> bool {
        self.bare.is_none()
    }

    /// Whether every line end was CRLF, once all octets were taken.
    pub(super) fn verdict(&self) -> Result<(), DecodeError> {
        let last = self.behind_cr.then(|| self.offset - 1);
        match self.bare.or(last) {
            None => Ok(()),
            Some(offset) => Err(DecodeError { offset, expected: EXPECTED_CRLF }),
        }
    }
}
