//! Connections in a trace. Each end has a name of its own for a connection: which two are one follows from who
//! opened it to whom, and from what was said on it.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use super::story::Word;
use crate::wire::group::Frame;
use crate::wire::link2state::{Chunk, Reassembly};
use crate::wire::orginfo::decode_message;
use crate::wire::record::{LinkPdu, SourceState};
use crate::wire::shared::SharedRecord;

/// How many units of each direction are kept to tell connections apart.
const COMPARED: usize = 24;
/// How many records are named.
const RECORDS_NAMED: usize = 2;

/// A message about links on one connection, at one of its ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// When its first octets passed.
    pub(super) begun: u64,
    /// When its last ones did.
    pub(super) done: u64,
    pub(super) word: Word,
    pub(super) text: String,
}

/// One direction, at one end.
#[derive(Debug, Default)]
struct Direction {
    /// The first units, to compare.
    units: Vec<String>,
    said: Vec<Said>,
    reassembly: Reassembly,
    begun: u64,
}

/// A connection, at one end.
#[derive(Debug)]
pub(super) struct Talk {
    pub(super) node: String,
    /// Who stands at the other end, once it is known.
    pub(super) far: Option<String>,
    /// Whether this end has opened it.
    pub(super) is_opener: bool,
    /// Which port.
    pub(super) port: &'static str,
    /// The connector that it was opened over.
    pub(super) connector: Option<String>,
    pub(super) start: u64,
    /// Whether it was ever open.
    pub(super) is_up: bool,
    sent: Direction,
    heard: Direction,
}

impl Talk {
    /// A connection that `node` opens to `endpoint`, as the trace has it.
    pub(super) fn opened(node: &str, start: u64, endpoint: &Value) -> Option<Self> {
        let (kind, to) = endpoint.as_object()?.iter().next()?;
        let (port, connector, far) = match (kind.as_str(), to) {
            ("connector", Value::Array(pair)) => {
                ("smtp", pair.first()?.as_str().map(String::from), pair.get(1)?.as_str())
            }
            ("member" | "frontend", Value::String(far)) => ("smtp", None, Some(far.as_str())),
            ("group" | "consult", Value::String(far)) => ("group", None, Some(far.as_str())),
            ("deliver", Value::String(far)) => ("deliver", None, Some(far.as_str())),
            _ => return None,
        };
        Some(Self::new(node, far, true, (port, connector), start))
    }

    /// A connection that came to a port of `node`.
    pub(super) fn accepted(node: &str, start: u64, accepted: &Value) -> Option<Self> {
        let port = match accepted["port"].as_str()? {
            "smtp" => "smtp",
            "group" => "group",
            "deliver" => "deliver",
            _ => return None,
        };
        Some(Self::new(node, accepted["member"].as_str(), false, (port, None), start))
    }

    fn new(
        node: &str,
        far: Option<&str>,
        is_opener: bool,
        (port, connector): (&'static str, Option<String>),
        start: u64,
    ) -> Self {
        let (node, far) = (String::from(node), far.map(String::from));
        let (sent, heard) = (Direction::default(), Direction::default());
        Self { node, far, is_opener, port, connector, start, is_up: !is_opener, sent, heard }
    }

    /// This end has sent something.
    pub(super) fn sends(&mut self, time: u64, unit: &Unit) {
        self.sent.take(time, unit);
    }

    /// Something came to this end.
    pub(super) fn hears(&mut self, time: u64, unit: &Unit) {
        self.heard.take(time, unit);
    }

    /// Whether anything about links has passed.
    pub(super) fn has_news(&self) -> bool {
        !self.sent.said.is_empty() || !self.heard.said.is_empty()
    }

    pub(super) fn sent(&self) -> &[Said] {
        &self.sent.said
    }

    pub(super) fn heard(&self) -> &[Said] {
        &self.heard.said
    }

    /// Whether this end, which took a connection, can be the other end of `opener`.
    fn fits(&self, opener: &Self) -> bool {
        self.port == opener.port
            && opener.start <= self.start
            && opener.far.as_deref() == Some(self.node.as_str())
            && self.far.as_deref().is_none_or(|far| far == opener.node)
            && begins_alike(&self.heard.units, &opener.sent.units)
            && begins_alike(&opener.heard.units, &self.sent.units)
    }
}

/// What was heard is the beginning of what was sent.
fn begins_alike(heard: &[String], sent: &[String]) -> bool {
    heard.len() <= sent.len() && heard.iter().zip(sent).all(|(one, two)| one == two)
}

/// Which connections are one: for each opener its taker.
pub(super) fn pairs(talks: &[Talk]) -> BTreeMap<usize, usize> {
    let mut pairs = BTreeMap::new();
    let openers: Vec<usize> =
        (0..talks.len()).filter(|place| talks[*place].is_opener && talks[*place].is_up).collect();
    let mut by_ends: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for place in openers {
        let talk = &talks[place];
        if let Some(far) = &talk.far {
            by_ends.entry((far.as_str(), talk.port)).or_default().push(place);
        }
    }
    for (place, taker) in talks.iter().enumerate().filter(|(_, talk)| !talk.is_opener) {
        let Some(openers) = by_ends.get_mut(&(taker.node.as_str(), taker.port)) else { continue };
        let found = openers.iter().position(|opener| taker.fits(&talks[*opener]));
        if let Some(found) = found {
            pairs.insert(openers.remove(found), place);
        }
    }
    pairs
}

/// A line or a frame.
#[derive(Debug)]
pub(super) enum Unit {
    Line(Vec<u8>),
    Frame(Vec<u8>),
}

impl Unit {
    /// What a trace shows of what passed between a session and its connection.
    pub(super) fn of(pdu: &Value) -> Option<Self> {
        let octets = |value: &Value| -> Option<Vec<u8>> {
            value.as_array()?.iter().map(|o| u8::try_from(o.as_u64()?).ok()).collect()
        };
        match pdu.get("line") {
            Some(line) => octets(line).map(Self::Line),
            None => octets(pdu.get("frame")?).map(Self::Frame),
        }
    }

    fn text(&self) -> String {
        let (Self::Line(octets) | Self::Frame(octets)) = self;
        String::from_utf8_lossy(octets).into_owned()
    }
}

impl Direction {
    fn take(&mut self, time: u64, unit: &Unit) {
        if self.units.len() < COMPARED {
            self.units.push(unit.text());
        }
        match unit {
            Unit::Frame(content) => {
                if let Ok(Frame::Link(pdu)) = Frame::decode(content) {
                    self.say(time, time, &pdu);
                }
            }
            Unit::Line(line) => self.chunk(time, line),
        }
    }

    /// A command, or a line of a reply, that carries a chunk.
    fn chunk(&mut self, time: u64, line: &[u8]) {
        let command = line.strip_prefix(b"X-LINK2STATE ");
        let reply = || line.strip_prefix(b"200-").or_else(|| line.strip_prefix(b"200 "));
        let Some(Ok(chunk)) = command.or_else(reply).map(Chunk::decode) else { return };
        if !self.reassembly.is_inside() {
            self.begun = time;
        }
        let message = match self.reassembly.take(&chunk) {
            Ok(Some(message)) => message,
            Ok(None) => return,
            Err(_) => {
                self.reassembly = Reassembly::default();
                return;
            }
        };
        for pdu in decode_message(&message).unwrap_or_default() {
            self.say(self.begun, time, &pdu);
        }
    }

    fn say(&mut self, begun: u64, done: u64, pdu: &LinkPdu) {
        let (word, text) = describe(pdu);
        self.said.push(Said { begun, done, word, text });
    }
}

/// A message about links in a few words.
fn describe(pdu: &LinkPdu) -> (Word, String) {
    match pdu {
        LinkPdu::News { records, .. } if records.is_empty() => {
            (Word::News, String::from("NEWS (query)"))
        }
        LinkPdu::News { records, .. } => {
            (Word::News, alloc::format!("NEWS {}", named(records.iter().map(name))))
        }
        LinkPdu::Merged { records, .. } if records.is_empty() => {
            (Word::Merged, String::from("MERGED"))
        }
        LinkPdu::Merged { records, .. } => {
            (Word::Merged, alloc::format!("MERGED {}", named(records.iter().map(name))))
        }
        LinkPdu::Report { states } => {
            let down = states.iter().filter(|(_, state)| *state != SourceState::Up);
            let down: Vec<String> = down.map(|(name, _)| alloc::format!("{name} DOWN")).collect();
            let words = if down.is_empty() { String::from("all UP") } else { down.join(", ") };
            (Word::Report, alloc::format!("REPORT {words}"))
        }
        other => {
            // What the group port carries besides: its name is enough.
            let value = serde_json::to_value(other).unwrap_or_default();
            let name = value.as_object().and_then(|fields| fields.keys().next().cloned());
            (Word::Reported, name.unwrap_or_default().to_uppercase())
        }
    }
}

fn name(record: &SharedRecord) -> String {
    alloc::format!("{} {}", record.group, record.version)
}

fn named(records: impl Iterator<Item = String>) -> String {
    let records: Vec<String> = records.collect();
    let first = records[..records.len().min(RECORDS_NAMED)].join(", ");
    match records.len().saturating_sub(RECORDS_NAMED) {
        0 => first,
        more => alloc::format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(text: &str) -> Unit {
        Unit::Line(text.as_bytes().to_vec())
    }

    /// Two connections between the same members at the same time: what was said on them tells them apart.
    #[test]
    fn connections_are_paired_by_what_was_said() {
        let endpoint = json!({"connector": ["A-B", "b"]});
        let accepted = json!({"connection": 1, "port": "smtp", "remote": "r", "member": "a"});
        let mut talks = Vec::new();
        for said in ["one", "two"] {
            let mut talk = Talk::opened("a", 1, &endpoint).expect("it is a connection");
            talk.is_up = true;
            talk.sends(2, &line(said));
            talks.push(talk);
        }
        for said in ["two", "one"] {
            let mut talk = Talk::accepted("b", 3, &accepted).expect("it is a connection");
            talk.hears(4, &line(said));
            talks.push(talk);
        }
        let found: Vec<(usize, usize)> = pairs(&talks).into_iter().collect();
        assert_eq!(found, [(0, 3), (1, 2)]);
        // One that never opened has no other end.
        talks[1].is_up = false;
        assert_eq!(pairs(&talks).into_iter().collect::<Vec<_>>(), [(0, 3)]);
    }

    #[test]
    fn what_is_said_in_chunks_is_one_message() {
        let mut talk = Talk::opened("a", 1, &json!({"member": "b"})).expect("it is a connection");
        let query = "{00000060} MULTI (6) ({00000049} NEWS e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 ())";
        talk.sends(5, &line(&alloc::format!("X-LINK2STATE FIRST CHUNK={}", &query[..10])));
        talk.hears(6, &line("200 NEXT"));
        talk.sends(7, &line(&alloc::format!("X-LINK2STATE LAST CHUNK={}", &query[10..])));
        let [said] = talk.sent() else { panic!("one message: {:?}", talk.sent()) };
        assert_eq!((said.begun, said.done, said.word), (5, 7, Word::News));
        assert_eq!(said.text, "NEWS (query)");
        assert!(talk.heard().is_empty() && talk.has_news());
    }
}
