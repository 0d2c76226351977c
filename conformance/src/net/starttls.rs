//! Finds out when the two ends of an SMTP connection have agreed on TLS.

use std::sync::{Mutex, PoisonError};

use super::lines::Lines;
use crate::smtp::starts_with;

/// The keyword and the verb.
const WORD: &[u8] = b"STARTTLS";

/// How far the two are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// TLS does not begin here: the suite has no certificates, or it has begun already.
    Never,
    /// Nobody has asked for it.
    Clear,
    /// The opener has said STARTTLS.
    Asked,
}

/// Watches what passes in clear.
#[derive(Debug)]
pub(super) struct Starttls {
    phase: Mutex<Phase>,
}

impl Starttls {
    /// On a connection that begins in clear and may go on under TLS, or that never does.
    pub(super) fn new(may_begin: bool) -> Self {
        let phase = if may_begin { Phase::Clear } else { Phase::Never };
        Self { phase: Mutex::new(phase) }
    }

    fn step(&self, from: Phase, to: impl FnOnce() -> Option<Phase>) -> Option<Phase> {
        let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        if *phase != from {
            return None;
        }
        let to = to()?;
        *phase = to;
        Some(to)
    }

    /// The opener has said these lines.
    pub(super) fn asks(&self, said: &[String]) {
        self.step(Phase::Clear, || {
            said.iter().any(|line| starts_with(line, "STARTTLS")).then_some(Phase::Asked)
        });
    }

    /// The acceptor answers with these octets; whether TLS begins behind them.
    pub(super) fn agrees(&self, octets: &[u8], lines: &mut Lines) -> bool {
        let agreed = self.step(Phase::Asked, || {
            let said = lines.complete(octets);
            // Another success answers what was said before STARTTLS.
            let answer = said.iter().find(|line| line.starts_with(['4', '5']) || is_ready(line))?;
            Some(if is_ready(answer) { Phase::Never } else { Phase::Clear })
        });
        agreed == Some(Phase::Never)
    }
}

/// Overwrites the offer of TLS in replies, as some devices on the way do; whether there was one.
pub(super) fn strip(replies: &mut [u8]) -> bool {
    let place = replies.windows(WORD.len()).position(|word| word.eq_ignore_ascii_case(WORD));
    let Some(place) = place else { return false };
    replies[place..place + WORD.len()].fill(b'X');
    true
}

fn is_ready(line: &str) -> bool {
    line.starts_with("220 ")
}

#[cfg(test)]
mod tests {
    use super::{Lines, Starttls};

    fn said(starttls: &Starttls, line: &str) {
        starttls.asks(&[line.to_owned()]);
    }

    #[test]
    fn tls_begins_behind_the_220_to_starttls_and_nowhere_else() {
        let mut lines = Lines::default();
        let starttls = Starttls::new(true);
        assert!(!starttls.agrees(b"220 banner\r\n", &mut lines), "nobody has asked");
        said(&starttls, "EHLO a");
        assert!(!starttls.agrees(b"250-b\r\n250 STARTTLS\r\n", &mut lines));
        said(&starttls, "starttls");
        assert!(!starttls.agrees(b"454 4.7.0 not now\r\n", &mut lines));
        said(&starttls, "STARTTLS");
        assert!(!starttls.agrees(b"250-b\r\n250 STARTTLS\r\n", &mut lines), "to EHLO");
        assert!(!starttls.agrees(b"220 2.0", &mut lines), "the line is not complete");
        assert!(starttls.agrees(b".0 ready\r\n", &mut lines));
        said(&starttls, "STARTTLS");
        assert!(!starttls.agrees(b"220 again\r\n", &mut lines), "TLS begins once");
        let mut replies = *b"250-b\r\n250-STARTTLS\r\n250 SIZE\r\n";
        assert!(super::strip(&mut replies) && !super::strip(&mut replies));
        assert_eq!(&replies, b"250-b\r\n250-XXXXXXXX\r\n250 SIZE\r\n");
        let never = Starttls::new(false);
        said(&never, "STARTTLS");
        assert!(!never.agrees(b"220 ready\r\n", &mut lines));
    }
}
