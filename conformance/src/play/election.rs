//! What must have been seen of elections: when it was said, under which terms, and with which numbers.

use super::look::{Look, On, ends, numbers};
use crate::event::{Record, Way};
use crate::findings::Findings;
use crate::transcript::{Passed, Transcript};

impl On {
    /// When each of the lines came.
    pub(super) fn times(&self, records: &[Record]) -> Vec<u64> {
        let lines = self.find(&Transcript::new(records));
        lines.iter().map(|line| line.at_us).collect()
    }
}

/// Looks.
pub(super) fn judge(look: &Look, transcript: &Transcript<'_>, findings: &mut Findings) {
    let check = look.check();
    match look {
        Look::Within(_, on, mark, (least, most)) => {
            let Some((lines, spans)) = behind(on, mark, transcript) else { return };
            let right = spans.first().is_some_and(|span| (least..=most).contains(&span));
            let seen = format!("first after {:?} us, expected {least} to {most}", spans.first());
            findings.is(check, right, &seen, &numbers(&lines[..lines.len().min(1)]));
        }
        Look::Gaps(_, on, mark, wanted) => {
            let Some((lines, spans)) = behind(on, mark, transcript) else { return };
            let times: Vec<u64> = core::iter::once(0).chain(spans).collect();
            let gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
            let fits = |(gap, (least, most)): (&u64, &(u64, u64))| (least..=most).contains(&gap);
            let right = gaps.len() >= wanted.len() && gaps.iter().zip(wanted).all(fits);
            let seen = format!("{gaps:?} us apart, expected {wanted:?}");
            findings.is(check, right, &seen, &ends(&numbers(&lines)));
        }
        Look::NeverBetween(_, on, (from, to)) => {
            let (Some(from), Some(to)) = (transcript.mark(from), transcript.mark(to)) else {
                return;
            };
            let lines = on.find(transcript);
            let seen: Vec<u64> =
                numbers(&lines).into_iter().filter(|n| (from.n..to.n).contains(n)).collect();
            findings.absent(check, &seen, to.n, "no such line in between");
        }
        Look::HungUp(_, link) => {
            let end = transcript.end(&format!("{link}#1"), Way::Forward);
            findings.shown(check, end.map(|(n, _)| n), "the node has not ended it");
        }
        _ => said(look, transcript, findings),
    }
}

/// What the lines say.
fn said(look: &Look, transcript: &Transcript<'_>, findings: &mut Findings) {
    let check = look.check();
    match look {
        Look::Rounds(_, on) => {
            let lines = on.find(transcript);
            let rounds: Vec<Option<u64>> =
                lines.iter().map(|line| Said::of(&line.text)?.round()).collect();
            let follows = |pair: &[Option<u64>]| match pair {
                [Some(one), Some(next)] => one.checked_add(1) == Some(*next),
                _ => false,
            };
            let right = rounds.len() > 1 && rounds.windows(2).all(follows);
            findings.is(check, right, &format!("{rounds:x?}"), &ends(&numbers(&lines)));
        }
        Look::SameTerm(_, places) => {
            let [one, other] = places.each_ref().map(|on| {
                let line = on.find(transcript).into_iter().next()?;
                Some((Said::of(&line.text)?.term()?, line.n))
            });
            let (Some((one, first)), Some((other, second))) = (one, other) else {
                return findings.fails(check, "a term is missing", &[]);
            };
            let seen = format!("`{one}` and `{other}`");
            findings.is(check, one == other, &seen, &[first, second]);
        }
        Look::Nonces(_, on, least) => {
            let lines = on.find(transcript);
            let nonce = |line: &Passed| Some(Said::of(&line.text)?.words.get(4)?.to_string());
            let mut nonces: Vec<Option<String>> = lines.iter().map(nonce).collect();
            nonces.sort_unstable();
            nonces.dedup();
            let right = lines.len() >= *least
                && nonces.len() == lines.len()
                && nonces.iter().all(Option::is_some);
            let seen = format!("{} different nonces in {} lines", nonces.len(), lines.len());
            findings.is(check, right, &seen, &ends(&numbers(&lines)));
        }
        _ => {}
    }
}

/// The lines behind a mark, and how many microseconds after it each of them came.
fn behind(on: &On, mark: &str, transcript: &Transcript<'_>) -> Option<(Vec<Passed>, Vec<u64>)> {
    let mark = transcript.mark(mark)?;
    let mut lines = on.find(transcript);
    lines.retain(|line| line.n > mark.n);
    let spans = lines.iter().map(|line| line.at_us - mark.at_us).collect();
    Some((lines, spans))
}

/// A frame of an election: the verb, the number, and the three words of a term.
struct Said<'a> {
    words: Vec<&'a str>,
}

impl<'a> Said<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let (_, content) = text.split_once("} ")?;
        let words: Vec<&str> = content.split(' ').collect();
        (words.len() > 1).then_some(Self { words })
    }

    fn round(&self) -> Option<u64> {
        u64::from_str_radix(self.words.get(1)?, 16).ok()
    }

    /// Counter, member and nonce.
    fn term(&self) -> Option<String> {
        Some(self.words.get(2..5)?.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::Said;

    #[test]
    fn a_frame_of_an_election_is_read() {
        let said = Said::of("{0000001d} VOTE 7f 2 {5}rg1-a 9 7530").expect("it is one");
        assert_eq!(said.round(), Some(0x7f));
        assert_eq!(said.term().as_deref(), Some("2 {5}rg1-a 9"));
        assert_eq!(said.words[4], "9");
        let short = Said::of("{00000008} GRANTED 5").expect("it is one");
        assert_eq!((short.round(), short.term()), (Some(5), None));
        assert!(Said::of("220 ready").is_none());
    }
}
