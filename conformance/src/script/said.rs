//! What the suite had to say in a conversation, from the case and the parameters of the run. The judge
//! reads what the other side said; that a transcript shows what the suite itself had to say is looked at
//! by `verify`, for whoever ran the suite may have written something else into it.

use std::collections::BTreeMap;

use super::frames::with_digest;
use super::{LINK, Script, Step, secures, securing};
use crate::event::{Event, Way};
use crate::parameters::Parameters;
use crate::play::digest;
use crate::transcript::Transcript;

/// One sending.
struct Said {
    octets: Vec<u8>,
    /// Whether the course of the conversation may have left it out.
    may_lack: bool,
}

/// What the words in the sendings of a case stand for.
pub(crate) struct Words<'a> {
    /// The parameters of the run.
    pub(crate) parameters: &'a Parameters,
    /// Which case of the run it is, counted from 1.
    pub(crate) begun: u64,
}

/// What a transcript shows instead of what the suite had to say, if it does. `talks` are the
/// conversations of the case in their order, each with the name of its connection.
pub(crate) fn departure<'a>(
    talks: impl Iterator<Item = (Option<&'a str>, &'a Script)>,
    words: &Words<'_>,
    transcript: &Transcript<'_>,
) -> Option<String> {
    let mut wanted: BTreeMap<String, Vec<Said>> = BTreeMap::new();
    for (name, script) in talks {
        let link = name.map_or_else(|| LINK.to_owned(), |name| format!("{name}#1"));
        match script.said(words, secures(script.place.port, transcript.security())) {
            Ok(said) => wanted.entry(link).or_default().extend(said),
            // Without a value for a word, nothing behind it can have been said.
            Err(_) => break,
        }
    }
    wanted.iter().find_map(|(link, said)| compare(link, said, transcript))
}

/// The sendings of a connection, one to a record, must be those that were wanted, up to where the
/// conversation ended; the judge sees to it that a check without its sending does not hold.
fn compare(link: &str, wanted: &[Said], transcript: &Transcript<'_>) -> Option<String> {
    let mut wanted = wanted.iter();
    // Every digest that the node has named on this connection so far.
    let mut named = Vec::new();
    for record in transcript.records() {
        let Event::Octets { link: on, way, data, .. } = &record.event else { continue };
        if on != link {
            continue;
        }
        let octets = data.bytes();
        if *way != Way::Forward {
            named.extend(digest(&String::from_utf8_lossy(&octets)).map(str::to_owned));
            continue;
        }
        let is_said = |said: &Said| {
            said.octets == octets
                || named
                    .iter()
                    .any(|digest| with_digest(said.octets.clone(), Some(digest)) == octets)
        };
        if wanted.by_ref().find(|said| !said.may_lack || is_said(said)).is_some_and(is_said) {
            continue;
        }
        let shown = octets.escape_ascii().to_string();
        let shown: String = shown.chars().take(SHOWN).collect();
        return Some(format!(
            "record {} on {link}: the suite never said `{shown}` there",
            record.n
        ));
    }
    None
}

/// The most characters of a sending that a complaint shows.
const SHOWN: usize = 80;

impl Script {
    /// Everything that it sends, in order.
    fn said(&self, words: &Words<'_>, secured: bool) -> Result<Vec<Said>, String> {
        let ehlo = self.place.seat.name();
        let expand = |octets: &[u8]| words.parameters.expand(octets, ehlo, words.begun);
        let mut said = Vec::new();
        let mut say = |octets, may_lack| said.push(Said { octets, may_lack });
        let line = |line: &str| expand(format!("{line}\r\n").as_bytes());
        for step in &self.steps {
            match step {
                Step::Send(octets) => say(expand(octets)?, false),
                Step::Repeat(_, octets, times, _) => {
                    let octets = expand(octets)?;
                    (0..*times).for_each(|_| say(octets.clone(), false));
                }
                // They follow only behind a 354.
                Step::Refused(_, octets, _) => say(octets.clone(), true),
                Step::Secure(_, injected) if secured => {
                    let [(ehlo, _), (starttls, _)] = securing();
                    say(expand(ehlo)?, false);
                    say(expand(&[starttls, injected].concat())?, false);
                }
                Step::Series(_, lines) => {
                    for (text, _) in lines.iter().filter(|(text, _)| !text.is_empty()) {
                        say(line(text)?, false);
                    }
                }
                // The connection may end at any of them.
                Step::Barred(_, tries) => {
                    for (text, _) in tries.iter().filter(|(text, _)| !text.is_empty()) {
                        say(line(text)?, true);
                    }
                }
                Step::Secure(..)
                | Step::Reply(..)
                | Step::Frame(..)
                | Step::Closed(..)
                | Step::Same(..) => {}
            }
        }
        Ok(said)
    }
}
