//! What must have been seen when a play is over, and what not.

use serde_json::Value;

use super::mail::{self, Part};
use super::{election, links};
use crate::event::{Event, Way};
use crate::findings::Findings;
use crate::smtp::{parameter, starts_with};
use crate::transcript::{Passed, Transcript};

/// Lines on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct On {
    /// The link, or the name of a conversation.
    pub(crate) link: &'static str,
    /// Which way: forward is what whoever opened the connection says.
    pub(crate) way: Way,
    /// How they begin.
    pub(crate) begins: &'static str,
    /// What they contain.
    pub(crate) has: &'static str,
    /// What they contain besides.
    pub(crate) also: &'static str,
}

impl On {
    /// What the node says to a played member.
    pub(crate) const fn said(link: &'static str, begins: &'static str) -> Self {
        Self { link, way: Way::Forward, begins, has: "", also: "" }
    }

    /// With this text in them.
    pub(crate) const fn with(mut self, has: &'static str) -> Self {
        self.has = has;
        self
    }

    /// With this text in them besides.
    pub(crate) const fn and(mut self, also: &'static str) -> Self {
        self.also = also;
        self
    }

    /// What the node says on a connection of the suite, or a played member to the node.
    pub(crate) const fn back(link: &'static str, begins: &'static str) -> Self {
        Self { link, way: Way::Back, begins, has: "", also: "" }
    }

    pub(super) fn find(&self, transcript: &Transcript<'_>) -> Vec<Passed> {
        let mut lines = links::with_whole_messages(transcript.lines(self.link));
        lines.retain(|line| {
            let right = line.way == self.way && starts_with(&line.text, self.begins);
            right && line.text.contains(self.has) && line.text.contains(self.also)
        });
        lines
    }
}

/// One look at the record. The first field is the check.
#[derive(Clone, Debug)]
pub(crate) enum Look {
    /// There are exactly so many such lines.
    Count(&'static str, On, usize),
    /// There is no such line, from a mark on or at all.
    Never(&'static str, On, Option<&'static str>),
    /// Behind the first of these lines, the first that begins with one of the words begins with the
    /// first word.
    Next(&'static str, On, &'static [&'static str]),
    /// A line of the first kind stands before every line of the second.
    Before(&'static str, On, On),
    /// The lines come at exactly these minutes after a mark.
    Minutes(&'static str, On, &'static str, Vec<u64>),
    /// The lines come at exactly these seconds after a mark.
    Seconds(&'static str, On, &'static str, Vec<u64>),
    /// Mail went these seconds after the mark, and the delay later with which routes are computed (LS-180).
    Routed(&'static str, On, &'static str, Vec<u64>),
    /// The lines come at exactly these milliseconds after a mark.
    Millis(&'static str, On, &'static str, Vec<u64>),
    /// Behind a mark the first such line comes within these bounds in microseconds.
    Within(&'static str, On, &'static str, (u64, u64)),
    /// Behind a mark the lines come one after the other, the spans in between within these bounds in
    /// microseconds; the first span begins with the mark.
    Gaps(&'static str, On, &'static str, Vec<(u64, u64)>),
    /// There is no such line between two marks.
    NeverBetween(&'static str, On, (&'static str, &'static str)),
    /// The node has ended the first connection on a link that it opened.
    HungUp(&'static str, &'static str),
    /// The polls and rounds of these lines have consecutive numbers.
    Rounds(&'static str, On),
    /// The first of the lines of either kind name the same term.
    SameTerm(&'static str, [On; 2]),
    /// There are at least so many such lines, and the terms of no two have the same nonce.
    Nonces(&'static str, On, usize),
    /// Behind a mark so many such lines come at least, the first after a span in seconds within these bounds
    /// and each other one so long after the one before; and not all of the spans are the same.
    Drawn(&'static str, On, &'static str, (u64, u64), usize),
    /// Each of these messages of news tells at most so many nodes, and all of them at least so many.
    Nodes(&'static str, On, (usize, usize)),
    /// Attempts on a link begin at exactly these seconds after a mark.
    Attempts(&'static str, &'static str, &'static str, Vec<u64>),
    /// No attempt on a link begins between two marks.
    NoAttempt(&'static str, &'static str, (&'static str, &'static str)),
    /// Attempts on a link behind a mark begin whole minutes apart, and no two at once.
    Paced(&'static str, &'static str, &'static str),
    /// The last of the lines of either kind name the same digest, or different ones.
    Digests(&'static str, [On; 2], bool),
    /// These messages of news have so many records.
    Records(&'static str, On, Vec<usize>),
    /// Each of these messages of news has at most so many records, and all of them at least so many.
    AtMost(&'static str, On, (usize, usize)),
    /// In each of so many minutes behind a mark there is at least one such line.
    EachMinute(&'static str, On, &'static str, u64),
    /// The node has ended the conversation of that name.
    Ended(&'static str, &'static str),
    /// The values of a parameter of the lines, in order.
    Values(&'static str, On, &'static str, Vec<String>),
    /// The lines have so many different values of a parameter among them.
    Distinct(&'static str, On, &'static str, usize),
    /// There is such a line.
    Some(&'static str, On),
    /// The envelope of the offer at that place has this at a JSON pointer.
    Envelope(&'static str, &'static str, usize, &'static str, Value),
    /// The body of the offer at that place has exactly these octets.
    Body(&'static str, &'static str, usize, Vec<u8>),
    /// The digest of every offer is that of its octets.
    Digest(&'static str, &'static str),
    /// There are exactly so many notices on a link.
    Notices(&'static str, &'static str, usize),
    /// There is no notice on a link.
    NoNotice(&'static str, &'static str),
    /// A part of the notice at that place has these lines.
    Notice(&'static str, &'static str, (usize, Part), Vec<&'static str>),
    /// A part of the notice at that place lacks this text.
    NoticeLacks(&'static str, &'static str, (usize, Part), &'static str),
    /// So many letters lie in all accounts, by the answer to the `inspect` at that place.
    Letters(&'static str, usize, usize),
    /// The answer to the `inspect` at that place has this at a JSON pointer.
    Shown(&'static str, usize, &'static str, Value),
}

impl Look {
    /// The check.
    pub(crate) const fn check(&self) -> &'static str {
        match self {
            Self::Count(check, ..)
            | Self::Never(check, ..)
            | Self::Next(check, ..)
            | Self::Before(check, ..)
            | Self::Minutes(check, ..)
            | Self::Seconds(check, ..)
            | Self::Routed(check, ..)
            | Self::Millis(check, ..)
            | Self::Drawn(check, ..)
            | Self::Within(check, ..)
            | Self::Gaps(check, ..)
            | Self::NeverBetween(check, ..)
            | Self::HungUp(check, ..)
            | Self::Rounds(check, ..)
            | Self::SameTerm(check, ..)
            | Self::Nonces(check, ..)
            | Self::Nodes(check, ..)
            | Self::Attempts(check, ..)
            | Self::NoAttempt(check, ..)
            | Self::Paced(check, ..)
            | Self::Digests(check, ..)
            | Self::Records(check, ..)
            | Self::AtMost(check, ..)
            | Self::EachMinute(check, ..)
            | Self::Values(check, ..)
            | Self::Ended(check, ..)
            | Self::Distinct(check, ..)
            | Self::Some(check, ..)
            | Self::Envelope(check, ..)
            | Self::Body(check, ..)
            | Self::Digest(check, ..)
            | Self::Notices(check, ..)
            | Self::NoNotice(check, ..)
            | Self::Notice(check, ..)
            | Self::NoticeLacks(check, ..)
            | Self::Letters(check, ..)
            | Self::Shown(check, ..) => check,
        }
    }

    /// Whether it holds when something was not seen.
    pub(crate) const fn is_absence(&self) -> bool {
        matches!(
            self,
            Self::Never(..)
                | Self::NeverBetween(..)
                | Self::NoNotice(..)
                | Self::NoticeLacks(..)
                | Self::NoAttempt(..)
        )
    }

    /// Looks.
    pub(crate) fn judge(&self, transcript: &Transcript<'_>, findings: &mut Findings) {
        let check = self.check();
        match self {
            Self::Count(_, on, times) => {
                let numbers = numbers(&on.find(transcript));
                let seen = format!("{} such lines, expected {times}", numbers.len());
                findings.is(check, numbers.len() == *times, &seen, &ends(&numbers));
            }
            Self::Never(_, on, since) => never(check, on, *since, transcript, findings),
            Self::Next(_, on, words) => next(check, on, words, transcript, findings),
            Self::Before(_, first, then) => before(check, first, then, transcript, findings),
            Self::Minutes(_, on, mark, minutes) => {
                self::minutes(check, on, (mark, minutes), transcript, findings);
            }
            Self::EachMinute(_, on, mark, count) => {
                each_minute(check, on, (mark, *count), transcript, findings);
            }
            Self::Values(_, on, name, wanted) => {
                let lines = on.find(transcript);
                let of = |line: &Passed| parameter(&line.text, name).unwrap_or("-").to_owned();
                let seen: Vec<String> = lines.iter().map(of).collect();
                let text = format!("{name}: {} values, {:?} …", seen.len(), seen.first());
                findings.is(check, seen == *wanted, &text, &ends(&numbers(&lines)));
            }
            Self::Distinct(_, on, name, wanted) => {
                let lines = on.find(transcript);
                let mut values: Vec<&str> =
                    lines.iter().map(|line| parameter(&line.text, name).unwrap_or("-")).collect();
                values.sort_unstable();
                values.dedup();
                let seen = format!("{name}: {values:?}, expected {wanted} values");
                findings.is(check, values.len() == *wanted, &seen, &ends(&numbers(&lines)));
            }
            Self::Ended(_, name) => {
                let end = transcript.end(&format!("{name}#1"), Way::Back);
                findings.shown(check, end.map(|(n, _)| n), "the node has not ended it");
            }
            Self::Some(_, on) => {
                let first = on.find(transcript).first().map(|line| line.n);
                findings.shown(check, first, "there is no such line");
            }
            Self::Letters(_, place, count) => {
                letters(check, (*place, *count), transcript, findings);
            }
            Self::Shown(_, place, pointer, wanted) => {
                let Some((n, answer)) = asked(transcript, *place) else { return };
                let seen = answer.pointer(pointer).unwrap_or(&Value::Null);
                findings.is(check, seen == wanted, &format!("{pointer} is {seen}"), &[n]);
            }
            Self::Seconds(..)
            | Self::Routed(..)
            | Self::Millis(..)
            | Self::Drawn(..)
            | Self::Nodes(..)
            | Self::Attempts(..)
            | Self::NoAttempt(..)
            | Self::Paced(..)
            | Self::Digests(..)
            | Self::Records(..)
            | Self::AtMost(..) => links::judge(self, transcript, findings),
            Self::Within(..)
            | Self::Gaps(..)
            | Self::NeverBetween(..)
            | Self::HungUp(..)
            | Self::Rounds(..)
            | Self::SameTerm(..)
            | Self::Nonces(..) => election::judge(self, transcript, findings),
            _ => self.judge_mail(transcript, findings),
        }
    }

    fn judge_mail(&self, transcript: &Transcript<'_>, findings: &mut Findings) {
        let check = self.check();
        match self {
            Self::Envelope(_, link, place, pointer, wanted) => {
                let offers = mail::offers(transcript, link);
                let Some(offer) = offers.get(*place) else {
                    return findings.fails(check, format!("{} offers", offers.len()), &[]);
                };
                let seen = offer.envelope.pointer(pointer).unwrap_or(&Value::Null);
                findings.is(check, seen == wanted, &format!("{pointer} is {seen}"), &[offer.n]);
            }
            Self::Body(_, link, place, wanted) => {
                let offers = mail::offers(transcript, link);
                let Some(offer) = offers.get(*place) else { return };
                let seen = format!("`{}`", String::from_utf8_lossy(&offer.body).escape_debug());
                findings.is(check, offer.body == *wanted, &seen, &[offer.n]);
            }
            Self::Digest(_, link) => {
                let offers = mail::offers(transcript, link);
                let right = |offer: &mail::Offer| {
                    parameter(&offer.line, "DIGEST") == Some(offer.digest.as_str())
                };
                let numbers: Vec<u64> = offers.iter().map(|offer| offer.n).collect();
                let seen = format!("{} offers", offers.len());
                findings.is(check, offers.iter().all(right), &seen, &numbers);
            }
            Self::Notices(_, link, count) => {
                let found = mail::notices(transcript, link);
                let numbers: Vec<u64> = found.iter().map(|notice| notice.n).collect();
                let seen = format!("{} notices, expected {count}", found.len());
                findings.is(check, found.len() == *count, &seen, &numbers);
            }
            Self::NoNotice(_, link) => {
                let found = mail::notices(transcript, link);
                let numbers: Vec<u64> = found.iter().map(|notice| notice.n).collect();
                let Some(last) = transcript.records().last() else { return };
                findings.absent(check, &numbers, last.n, "no notice");
            }
            Self::Notice(_, link, (place, part), lines) => {
                let found = mail::notices(transcript, link);
                let text = found.get(*place).and_then(|notice| notice.part(*part));
                let missing = lines.iter().find(|line| !has_line(text.unwrap_or(""), line));
                let numbers: Vec<u64> = found.get(*place).iter().map(|notice| notice.n).collect();
                let seen = match (text, missing) {
                    (None, _) => format!("there is no such part; {} notices", found.len()),
                    (Some(text), Some(line)) => {
                        format!("no `{line}` in `{}`", text.trim().escape_debug())
                    }
                    (Some(_), None) => "all lines are there".to_owned(),
                };
                findings.is(check, text.is_some() && missing.is_none(), &seen, &numbers);
            }
            Self::NoticeLacks(_, link, (place, part), lack) => {
                let found = mail::notices(transcript, link);
                let Some(notice) = found.get(*place) else { return };
                let Some(text) = notice.part(*part) else { return };
                let seen: Vec<u64> = text.contains(lack).then_some(notice.n).into_iter().collect();
                findings.absent(check, &seen, notice.n, &format!("no `{lack}`"));
            }
            _ => {}
        }
    }
}

/// Whether some line is this, or begins with it where it ends in an asterisk.
fn has_line(text: &str, wanted: &str) -> bool {
    text.split("\r\n").any(|line| match wanted.strip_suffix('*') {
        Some(head) => starts_with(line, head),
        None => line.eq_ignore_ascii_case(wanted),
    })
}

pub(super) fn numbers(lines: &[Passed]) -> Vec<u64> {
    lines.iter().map(|line| line.n).collect()
}

/// Enough to find the place.
pub(super) fn ends(numbers: &[u64]) -> Vec<u64> {
    let mut ends: Vec<u64> = numbers.first().into_iter().chain(numbers.last()).copied().collect();
    ends.dedup();
    ends
}

fn never(
    check: &str,
    on: &On,
    since: Option<&str>,
    transcript: &Transcript<'_>,
    findings: &mut Findings,
) {
    let begun = match since {
        Some(mark) => transcript.mark(mark),
        None => transcript.records().first(),
    };
    let Some(begun) = begun else { return };
    let seen: Vec<u64> =
        numbers(&on.find(transcript)).into_iter().filter(|n| *n > begun.n).collect();
    findings.absent(check, &seen, begun.n, "no such line");
}

fn next(
    check: &str,
    on: &On,
    words: &[&str],
    transcript: &Transcript<'_>,
    findings: &mut Findings,
) {
    let Some(first) = on.find(transcript).into_iter().next() else {
        return findings.fails(check, "the line behind which to look did not come", &[]);
    };
    let next = transcript.lines(on.link).into_iter().find(|line| {
        line.way == on.way && line.n > first.n && words.iter().any(|w| starts_with(&line.text, w))
    });
    let right = next.as_ref().is_some_and(|line| starts_with(&line.text, words[0]));
    let numbers: Vec<u64> = next.iter().map(|line| line.n).collect();
    findings.is(check, right, &format!("{:?}", next.map(|line| line.text)), &numbers);
}

fn before(
    check: &str,
    first: &On,
    then: &On,
    transcript: &Transcript<'_>,
    findings: &mut Findings,
) {
    let (first, then) = (first.find(transcript), then.find(transcript));
    let (Some(one), Some(other)) = (first.first(), then.first()) else {
        let seen = format!("{} lines of the first kind, {} of the second", first.len(), then.len());
        return findings.fails(check, seen, &[]);
    };
    let seen =
        format!("`{}` in record {}, `{}` in record {}", one.text, one.n, other.text, other.n);
    // One record may bring many lines; within it their order on the connection decides.
    let is_first =
        || transcript.lines(&one.link).iter().find(|line| [one, other].contains(line)) == Some(one);
    let right = one.n < other.n || (one.n == other.n && one != other && is_first());
    findings.is(check, right, &seen, &[one.n, other.n]);
}

/// In microseconds.
const MINUTE: u64 = 60_000_000;

fn each_minute(
    check: &str,
    on: &On,
    (mark, count): (&str, u64),
    transcript: &Transcript<'_>,
    findings: &mut Findings,
) {
    let Some(mark) = transcript.mark(mark) else { return };
    let lines = on.find(transcript);
    let lines: Vec<&Passed> = lines.iter().filter(|line| line.n > mark.n).collect();
    // A line on the stroke of a minute belongs to the one that it ends.
    let minute = |line: &&Passed| (line.at_us - mark.at_us).div_ceil(MINUTE).max(1);
    let seen: Vec<u64> = lines.iter().map(minute).collect();
    let numbers: Vec<u64> = lines.iter().map(|line| line.n).collect();
    let right = (1..=count).all(|minute| seen.contains(&minute));
    findings.is(check, right, &format!("in minutes {seen:?} of {count}"), &numbers);
}

fn minutes(
    check: &str,
    on: &On,
    (mark, wanted): (&str, &[u64]),
    transcript: &Transcript<'_>,
    findings: &mut Findings,
) {
    let Some(mark) = transcript.mark(mark) else { return };
    let lines = on.find(transcript);
    let lines: Vec<&Passed> = lines.iter().filter(|line| line.n > mark.n).collect();
    let exact = lines.iter().all(|line| (line.at_us - mark.at_us).is_multiple_of(MINUTE));
    let seen: Vec<u64> = lines.iter().map(|line| (line.at_us - mark.at_us) / MINUTE).collect();
    let numbers: Vec<u64> = lines.iter().map(|line| line.n).collect();
    findings.is(check, exact && seen == wanted, &format!("at minutes {seen:?}"), &numbers);
}

/// The answer to the `inspect` at that place.
fn asked<'a>(transcript: &Transcript<'a>, place: usize) -> Option<(u64, &'a Value)> {
    let mut answers = transcript.records().iter().filter_map(|record| match &record.event {
        Event::Asked { answer, .. } => Some((record.n, answer)),
        _ => None,
    });
    answers.nth(place)
}

fn letters(
    check: &str,
    (place, count): (usize, usize),
    transcript: &Transcript<'_>,
    findings: &mut Findings,
) {
    let Some((n, answer)) = asked(transcript, place) else { return };
    let accounts = answer["accounts"].as_array().into_iter().flatten();
    let found: usize =
        accounts.filter_map(|account| account["letters"].as_array()).map(Vec::len).sum();
    findings.is(check, found == count, &format!("{found} letters, expected {count}"), &[n]);
}
