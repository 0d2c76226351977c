//! What the judges of the cluster cases look for in a record.

use crate::case::Findings;
use crate::event::{Event, Way};
use crate::transcript::{Passed, Transcript};

/// A place in the record, with its virtual time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    /// The record.
    pub(super) n: u64,
    /// The virtual time.
    pub(super) at_us: u64,
}

impl Moment {
    pub(super) fn of(line: &Passed) -> Self {
        Self { n: line.n, at_us: line.at_us }
    }
}

/// The moment of a mark.
pub(super) fn mark(transcript: &Transcript<'_>, name: &str) -> Option<Moment> {
    transcript.mark(name).map(|record| Moment { n: record.n, at_us: record.at_us })
}

/// Every time that a link carried the state of a connector one way: in a record or in a report.
pub(super) fn told(
    transcript: &Transcript<'_>,
    link: &str,
    way: Way,
    connector: &str,
    state: &str,
) -> Vec<Moment> {
    let mut moments = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for connection in transcript.connections() {
        let is_of = connection.rsplit_once('#').is_some_and(|(name, _)| name == link);
        if !is_of || seen.contains(&connection) {
            continue;
        }
        seen.push(connection);
        let (text, numbers) = news_text(transcript, connection, way);
        let name = format!("{{{:x}}}{connector} ", connector.len());
        for (place, _) in text.match_indices(&name) {
            let rest = &text[place + name.len()..];
            let found = if rest.starts_with('(') {
                rest.find(" STATE ").map(|at| at + " STATE ".len())
            } else {
                Some(0)
            };
            let Some(at) = found else { continue };
            if rest[at..].split([' ', ')', '\r']).next() == Some(state) {
                let n = numbers[place + name.len() + at];
                moments.push(Moment { n, at_us: time_of(transcript, n) });
            }
        }
    }
    moments.sort_unstable();
    moments
}

/// The first time that it was told after a moment.
pub(super) fn told_after(
    transcript: &Transcript<'_>,
    (link, way): (&str, Way),
    (connector, state): (&str, &str),
    after: Moment,
) -> Option<Moment> {
    told(transcript, link, way, connector, state).into_iter().find(|moment| moment.n > after.n)
}

fn time_of(transcript: &Transcript<'_>, n: u64) -> u64 {
    transcript.records().iter().find(|record| record.n == n).map_or(0, |record| record.at_us)
}

/// The text of the news on one connection, chunks put together, and the record of each octet.
fn news_text(transcript: &Transcript<'_>, connection: &str, way: Way) -> (String, Vec<u64>) {
    if connection.contains("/group#") {
        let stream = transcript.stream(connection, way);
        let text = stream
            .octets
            .iter()
            .map(|octet| if octet.is_ascii() { char::from(*octet) } else { '?' });
        return (text.collect(), stream.numbers);
    }
    let mut text = String::new();
    let mut numbers = Vec::new();
    for line in transcript.lines(connection).iter().filter(|line| line.way == way) {
        let is_chunk = line.text.starts_with("X-LINK2STATE ") || line.text.starts_with("200");
        if let Some((_, data)) = line.text.split_once("CHUNK=").filter(|_| is_chunk) {
            let data: String = data.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
            numbers.extend(core::iter::repeat_n(line.n, data.len()));
            text.push_str(&data);
        }
    }
    (text, numbers)
}

/// A message on a link, named by its subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crossing {
    /// The OFFER, or the DATA.
    pub(super) offered: Moment,
    /// The positive reply, if one came.
    pub(super) accepted: Option<Moment>,
}

/// Every time that a message was offered on a hand-over link.
pub(super) fn crossings(transcript: &Transcript<'_>, link: &str, subject: &str) -> Vec<Crossing> {
    follow(transcript, link, subject, "X-SUBMIT OFFER ", "250 2.0.0 ACCEPTED ")
}

/// Every time that a message was delivered on a delivery link.
pub(super) fn deliveries(transcript: &Transcript<'_>, link: &str, subject: &str) -> Vec<Crossing> {
    follow(transcript, link, subject, "DATA", "250 ")
}

fn follow(
    transcript: &Transcript<'_>,
    link: &str,
    subject: &str,
    opening: &str,
    positive: &str,
) -> Vec<Crossing> {
    let lines = transcript.lines(link);
    let wanted = format!("Subject: {subject}");
    let mut crossings = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        if line.way != Way::Forward || line.text != wanted {
            continue;
        }
        let here = |other: &&Passed| other.link == line.link;
        let offered = lines[..place]
            .iter()
            .rev()
            .filter(here)
            .find(|other| other.way == Way::Forward && other.text.starts_with(opening));
        let accepted = lines[place..]
            .iter()
            .filter(here)
            .find(|other| other.way == Way::Back && other.text.starts_with(positive));
        crossings.push(Crossing {
            offered: Moment::of(offered.unwrap_or(line)),
            accepted: accepted.filter(|reply| !reply.withheld).map(Moment::of),
        });
    }
    crossings
}

/// When a message was accepted on a hand-over link for the first time.
pub(super) fn crossed(transcript: &Transcript<'_>, link: &str, subject: &str) -> Option<Moment> {
    crossings(transcript, link, subject).iter().find_map(|crossing| crossing.accepted)
}

/// When a message was delivered on a delivery link for the first time.
pub(super) fn delivered(transcript: &Transcript<'_>, link: &str, subject: &str) -> Option<Moment> {
    deliveries(transcript, link, subject).iter().find_map(|crossing| crossing.accepted)
}

/// The attempts on a link from a moment on, by record.
pub(super) fn attempts_after(
    transcript: &Transcript<'_>,
    link: &str,
    after: Moment,
) -> Vec<Moment> {
    transcript
        .attempts(link)
        .iter()
        .filter(|attempt| attempt.n > after.n)
        .map(|attempt| Moment { n: attempt.n, at_us: attempt.at_us })
        .collect()
}

/// Every connection of the members is one that the configuration gives them.
pub(super) fn closed_world(transcript: &Transcript<'_>, findings: &mut Findings, check: &str) {
    let mut numbers = Vec::new();
    for record in transcript.records() {
        let Event::Open { link, .. } = &record.event else { continue };
        if link.contains(">stray#") {
            findings.fails(check, format!("{link} has no business"), &[record.n]);
        }
        numbers.push(record.n);
    }
    let ends: Vec<u64> = numbers.first().iter().chain(&numbers.last()).map(|n| **n).collect();
    let seen = format!("all of {} connections are configured", numbers.len());
    findings.is(check, !numbers.is_empty(), &seen, &ends);
}
