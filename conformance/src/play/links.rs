//! What must have been seen of links: when attempts began, and what news said.

use super::look::{Look, On, ends, numbers};
use crate::event::Way;
use crate::findings::Findings;
use crate::transcript::{Passed, Transcript};

const SECOND: u64 = 1_000_000;
/// The INITIAL_SPF_DELAY of LS-180.
const COMPUTED_US: u64 = 50_000;

/// Looks.
pub(super) fn judge(look: &Look, transcript: &Transcript<'_>, findings: &mut Findings) {
    let check = look.check();
    match look {
        Look::Seconds(_, on, mark, wanted) => {
            let due = wanted.iter().map(|second| second * SECOND).collect();
            moments(check, of(on, transcript), (mark, due), transcript, findings);
        }
        Look::Routed(_, on, mark, wanted) => {
            let due = wanted.iter().map(|second| second * SECOND + COMPUTED_US).collect();
            moments(check, of(on, transcript), (mark, due), transcript, findings);
        }
        Look::Millis(_, on, mark, wanted) => {
            let due = wanted.iter().map(|milli| milli * 1_000).collect();
            moments(check, of(on, transcript), (mark, due), transcript, findings);
        }
        Look::Drawn(_, on, mark, bounds, least) => {
            drawn(check, &of(on, transcript), (mark, *bounds, *least), transcript, findings);
        }
        Look::Attempts(_, link, mark, wanted) => {
            let attempts = transcript.attempts(link);
            let begun = attempts.iter().map(|attempt| (attempt.n, attempt.at_us)).collect();
            let due = wanted.iter().map(|second| second * SECOND).collect();
            moments(check, begun, (mark, due), transcript, findings);
        }
        Look::NoAttempt(_, link, (from, to)) => {
            let (Some(from), Some(to)) = (transcript.mark(from), transcript.mark(to)) else {
                return;
            };
            let attempts = transcript.attempts(link);
            let between = attempts.iter().map(|attempt| attempt.n);
            let seen: Vec<u64> = between.filter(|n| (from.n..to.n).contains(n)).collect();
            findings.absent(check, &seen, to.n, "no attempt in between");
        }
        Look::Paced(_, link, mark) => paced(check, link, mark, transcript, findings),
        Look::Digests(_, ends, equal) => digests(check, ends, *equal, transcript, findings),
        Look::AtMost(_, on, (most, all)) => {
            let lines = on.find(transcript);
            let counts: Vec<usize> = lines.iter().map(|line| records(&line.text)).collect();
            let right = counts.iter().all(|c| c <= most) && counts.iter().sum::<usize>() >= *all;
            findings.is(check, right, &format!("{counts:?} records"), &ends(&numbers(&lines)));
        }
        Look::Nodes(_, on, (most, all)) => {
            let lines = on.find(transcript);
            let counts: Vec<usize> = lines.iter().map(|line| nodes(&line.text)).collect();
            let right = counts.iter().all(|c| c <= most) && counts.iter().sum::<usize>() >= *all;
            findings.is(check, right, &format!("{counts:?} nodes"), &ends(&numbers(&lines)));
        }
        Look::Records(_, on, wanted) => {
            let lines = on.find(transcript);
            let counts: Vec<usize> = lines.iter().map(|line| records(&line.text)).collect();
            let numbers: Vec<u64> = lines.iter().map(|line| line.n).collect();
            let seen = format!("{counts:?} records, expected {wanted:?}");
            findings.is(check, counts == *wanted, &seen, &ends(&numbers));
        }
        _ => {}
    }
}

/// The lines, each with its moment.
fn of(on: &On, transcript: &Transcript<'_>) -> Vec<(u64, u64)> {
    on.find(transcript).iter().map(|line| (line.n, line.at_us)).collect()
}

fn moments(
    check: &str,
    moments: Vec<(u64, u64)>,
    (mark, due): (&str, Vec<u64>),
    transcript: &Transcript<'_>,
    findings: &mut Findings,
) {
    let Some(mark) = transcript.mark(mark) else { return };
    let later: Vec<_> = moments.into_iter().filter(|(n, _)| *n > mark.n).collect();
    let spans: Vec<u64> = later.iter().map(|(_, at_us)| at_us - mark.at_us).collect();
    let numbers: Vec<u64> = later.iter().map(|(n, _)| *n).collect();
    let seen = format!("after {spans:?} us, expected {due:?} us");
    findings.is(check, spans == due, &seen, &ends(&numbers));
}

fn drawn(
    check: &str,
    moments: &[(u64, u64)],
    (mark, (least_s, most_s), count): (&str, (u64, u64), usize),
    transcript: &Transcript<'_>,
    findings: &mut Findings,
) {
    let Some(mark) = transcript.mark(mark) else { return };
    let later: Vec<_> = moments.iter().filter(|(n, _)| *n > mark.n).collect();
    let numbers: Vec<u64> = later.iter().map(|(n, _)| *n).collect();
    let times: Vec<u64> =
        core::iter::once(mark.at_us).chain(later.iter().map(|(_, at_us)| *at_us)).collect();
    let spans: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let bounds = least_s * SECOND..=most_s * SECOND;
    let is_drawn = count < 2 || spans.windows(2).any(|pair| pair[0] != pair[1]);
    let right = spans.len() >= count && spans.iter().all(|span| bounds.contains(span)) && is_drawn;
    let seen = format!("after {spans:?} us, expected {count} of {bounds:?} us");
    findings.is(check, right, &seen, &ends(&numbers));
}

fn digests(
    check: &str,
    places: &[On; 2],
    equal: bool,
    transcript: &Transcript<'_>,
    findings: &mut Findings,
) {
    let [one, other] = places.each_ref().map(|on| {
        let line = on.find(transcript).into_iter().last()?;
        Some((digest(&line.text)?.to_owned(), line.n))
    });
    let (Some((one, first)), Some((other, second))) = (one, other) else {
        return findings.fails(check, "a digest is missing", &[]);
    };
    let seen = format!("{one} and {other}");
    findings.is(check, (one == other) == equal, &seen, &[first, second]);
}

/// The digest that news, or the answer to news, names.
pub(crate) fn digest(text: &str) -> Option<&str> {
    let rest = ["NEWS ", "MERGED "].iter().find_map(|verb| text.split_once(verb))?.1;
    rest.get(..64).filter(|digest| digest.bytes().all(|octet| octet.is_ascii_hexdigit()))
}

/// The same lines, where the last chunk of a message has the whole of it.
pub(crate) fn with_whole_messages(mut lines: Vec<Passed>) -> Vec<Passed> {
    let mut open: Vec<(String, Way, String)> = Vec::new();
    for line in &mut lines {
        let begins = if line.way == Way::Forward { "X-LINK2STATE " } else { "200" };
        let chunk = line.text.strip_prefix(begins).and_then(|rest| rest.split_once("CHUNK="));
        let Some((mark, data)) = chunk else { continue };
        let place = open.iter().position(|(link, way, _)| *link == line.link && *way == line.way);
        let place = place.unwrap_or_else(|| {
            open.push((line.link.clone(), line.way, String::new()));
            open.len() - 1
        });
        let message = &mut open[place].2;
        if mark.ends_with("FIRST ") {
            message.clear();
        }
        message.push_str(data);
        if mark.ends_with("LAST ") {
            line.text = format!("{begins}{mark}CHUNK={message}");
        }
    }
    lines
}

fn paced(
    check: &str,
    link: &str,
    mark: &str,
    transcript: &Transcript<'_>,
    findings: &mut Findings,
) {
    let Some(mark) = transcript.mark(mark) else { return };
    let mut attempts = transcript.attempts(link);
    attempts.retain(|attempt| attempt.n > mark.n);
    let numbers: Vec<u64> = attempts.iter().map(|attempt| attempt.n).collect();
    let wrong = attempts.windows(2).find(|pair| {
        let apart = pair[1].at_us - pair[0].at_us;
        apart == 0 || !apart.is_multiple_of(60 * SECOND)
    });
    let seen = format!("{} attempts; out of step: {wrong:?}", attempts.len());
    findings.is(check, wrong.is_none() && attempts.len() > 2, &seen, &ends(&numbers));
}

/// How many nodes a message has.
fn nodes(text: &str) -> usize {
    text.split(' ').filter(|word| ["INNER", "LEAF"].contains(word)).count()
}

/// How many records a message has: each begins with the identity of its group.
pub(crate) fn records(text: &str) -> usize {
    let is_uuid = |word: &str| word.len() == 32 && word.bytes().all(|b| b.is_ascii_hexdigit());
    text.split(' ').filter(|word| is_uuid(word)).count()
}
