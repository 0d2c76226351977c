//! Messages of version (6), the grammar of [`crate::wire::orginfo`] and [`crate::wire::group`].
//!
//! Whether a message is right is said by the decoders; here tokens are only given their names, by their
//! places. What stands behind the last place that has a name is an element of a later version.

use alloc::vec::Vec;

use super::{Explanation, Field, Token};
use crate::wire::DecodeError;
use crate::wire::frame::{HEADER_OCTETS, decode_frame};
use crate::wire::group::Frame;
use crate::wire::orginfo::decode_message;

const FRAME: Field = Field::known("frame", "octets behind the brace, hexadecimal");
const MULTI: Field = Field::known("MULTI", "a message of X-LINK2STATE; elements follow");
const VERSION: Field =
    Field::known("version", "of the grammar: (6) is ours, (5) was that of Exchange");
const ELEMENTS: Field = Field::known("elements", "each in a frame of its own");
const VERB: Field = Field::known("verb", "what the frame says");
const DIGEST: Field = Field::known("digest", "SHA-256 of the sender's whole table (LS-004)");
const RECORDS: Field = Field::known("records", "none makes a NEWS a query");
const RECORD: Field = Field::known("record", "what one group says about itself");
const UUID: Field = Field::known("uuid", "identity of the group");
const GROUP: Field = Field::known("group", "its name, counted");
const COUNTER: Field = Field::known("term counter", "number of the mastership, hexadecimal");
const MASTER: Field = Field::known("term member", "the master, counted");
const NONCE: Field = Field::known("term nonce", "drawn when the mastership began");
const MAJOR: Field = Field::known("major", "revision of the configuration, hexadecimal");
const MINOR: Field = Field::known("minor", "counts states of connectors, hexadecimal");
const USER: Field = Field::known("user", "counts changes of membership, hexadecimal");
const MEMBERS: Field = Field::known("members", "of the group");
const MEMBER: Field = Field::known("member", "its name, counted");
const ATTACHED: Field = Field::known("attached", "whether it is attached to the master");
const CONNECTORS: Field = Field::known("connectors", "that leave the group");
const CONNECTOR: Field = Field::known("connector", "its name, counted");
const CONFIG: Field = Field::known("CONFIG", "the configuration of the connector");
const KEYWORD: Field = Field::known("keyword", "says what follows");
const TARGET: Field = Field::known("to", "the group that it leads to, counted");
const COST: Field = Field::known("cost", "1 to 64, hexadecimal");
const SOURCES: Field = Field::known("bridgeheads", "the members that carry it");
const STATE: Field = Field::known("state", "UP or DOWN");
const STATES: Field = Field::known("states", "of the connectors that the member carries");
const TEXT: Field = Field::known("text", "counted");
const ROUND: Field = Field::known("round", "number of a poll, round or request, hexadecimal");
const LEASE: Field = Field::known("lease", "the least promise, milliseconds, hexadecimal");
const SPOKEN: Field =
    Field::known("version", "of the protocols, hexadecimal; - where it is not known");
const FEATURES: Field = Field::known("features", "beyond what the version must understand");
const FEATURE: Field = Field::known("feature", "its name, counted");
const ROLE: Field = Field::known("role", "FRONTEND, BACKEND or -");
const POLICY: Field = Field::known("policy", "who queues what is born at the member");
const WEIGHT: Field = Field::known("weight", "1 to 64, hexadecimal");
const LOAD: Field = Field::known("load", "messages in the queue, hexadecimal");
const DUTY: Field = Field::known("duty", "DRAINS takes nothing more upon itself");
const PRESENCE: Field = Field::known("state", "ACTIVE, DRAINING or AWAY");
const NUMBER: Field = Field::known("number", "counts the lists of a term, hexadecimal");
const ACCOUNTS: Field = Field::known("accounts", "that the member asks for");
const ACCOUNT: Field = Field::known("account", "its address, counted");
const HOLDINGS: Field = Field::known("holdings", "accounts that the member has");
const TAKEN: Field = Field::known("taken", "accounts that it has not");
const OWNER: Field = Field::known("owner", "the member that has it, counted; - for nobody");
const ACCOUNT_LEASE: Field = Field::known("lease", "of accounts, seconds, hexadecimal");
const GRANT: Field = Field::known("grant", "number of the grant under the term, hexadecimal");
const LATER: Field = Field::unknown("element", "of a later version than this explanation");

/// The most frames and parentheses in one another; the grammar has six.
const DEPTH_LIMIT: usize = 32;

/// What stands at a place.
enum Place {
    One(&'static Field),
    /// These places in parentheses, once.
    Group(&'static Field, &'static [Self]),
    /// These places in parentheses, any number of times.
    Items(&'static Field, &'static [Self]),
    /// The same, where a parenthesis opens here.
    Maybe(&'static Field, &'static [Self]),
}

use Place::{Group, Items, Maybe, One};

const NEWS: &[Place] = &[
    One(&DIGEST),
    Items(
        &RECORDS,
        &[Group(
            &RECORD,
            &[
                One(&UUID),
                One(&GROUP),
                One(&COUNTER),
                One(&MASTER),
                One(&NONCE),
                One(&MAJOR),
                One(&MINOR),
                One(&USER),
                Items(&MEMBERS, &[One(&MEMBER), One(&ATTACHED)]),
                Items(&CONNECTORS, &[One(&CONNECTOR), Group(&CONFIG, OF_CONNECTOR)]),
            ],
        )],
    ),
];
const OF_CONNECTOR: &[Place] = &[
    One(&KEYWORD),
    One(&TARGET),
    One(&COST),
    One(&KEYWORD),
    Items(&SOURCES, &[One(&MEMBER)]),
    One(&KEYWORD),
    One(&STATE),
];
const REPORT: &[Place] = &[Items(&STATES, &[One(&CONNECTOR), One(&STATE)])];
const REPORTED: &[Place] = &[One(&COUNTER), One(&MASTER), One(&NONCE)];
const NODEINFO: &[Place] = &[One(&VERSION), One(&TEXT)];
const ANSWER: &[Place] = &[One(&ROUND)];
const ASKED: &[Place] = &[One(&ROUND), One(&COUNTER), One(&MASTER), One(&NONCE)];
const VOTE: &[Place] = &[One(&ROUND), One(&COUNTER), One(&MASTER), One(&NONCE), One(&LEASE)];
const RESIGN: &[Place] = &[One(&COUNTER), One(&MASTER), One(&NONCE), One(&MEMBER)];
const HEARTBEAT: &[Place] = &[
    One(&SPOKEN),
    Items(&FEATURES, &[One(&FEATURE)]),
    One(&ROLE),
    One(&POLICY),
    One(&WEIGHT),
    One(&LOAD),
    One(&DUTY),
    One(&COUNTER),
    One(&MASTER),
    One(&NONCE),
    One(&NUMBER),
];
const LISTED: &[Place] = &[
    One(&MEMBER),
    One(&PRESENCE),
    One(&ROLE),
    One(&POLICY),
    One(&WEIGHT),
    One(&LOAD),
    One(&SPOKEN),
    Maybe(&FEATURES, &[One(&FEATURE)]),
];
const LIST: &[Place] = &[
    One(&COUNTER),
    One(&MASTER),
    One(&NONCE),
    One(&NUMBER),
    One(&SPOKEN),
    Items(&FEATURES, &[One(&FEATURE)]),
    Items(&MEMBERS, LISTED),
];
const LOADS: &[Place] = &[
    One(&COUNTER),
    One(&MASTER),
    One(&NONCE),
    One(&NUMBER),
    Items(&MEMBERS, &[One(&MEMBER), One(&LOAD)]),
];
const HOLDING: &[Place] = &[One(&ACCOUNT), One(&COUNTER), One(&MASTER), One(&NONCE), One(&GRANT)];
const CLAIM: &[Place] = &[
    One(&ROUND),
    One(&COUNTER),
    One(&MASTER),
    One(&NONCE),
    One(&ACCOUNT_LEASE),
    Items(&ACCOUNTS, &[One(&ACCOUNT)]),
];
const RENEW: &[Place] = &[
    One(&ROUND),
    One(&COUNTER),
    One(&MASTER),
    One(&NONCE),
    One(&ACCOUNT_LEASE),
    Items(&HOLDINGS, HOLDING),
];
const RETURN: &[Place] = &[One(&COUNTER), One(&MASTER), One(&NONCE), Items(&HOLDINGS, HOLDING)];
const LEASED: &[Place] =
    &[One(&ROUND), Items(&HOLDINGS, HOLDING), Items(&TAKEN, &[One(&ACCOUNT), One(&OWNER)])];
const NAMED: &[Place] = &[One(&MEMBER)];

/// A message of X-LINK2STATE, from its counted frame on.
#[must_use]
pub fn explain_message(message: &[u8]) -> Explanation {
    let error = match core::str::from_utf8(message) {
        Ok(text) => decode_message(text).err(),
        Err(error) => Some(DecodeError { offset: error.valid_up_to(), expected: "US-ASCII" }),
    };
    explained(message, error)
}

/// A frame of the group port, with its count.
#[must_use]
pub fn explain_frame(frame: &[u8]) -> Explanation {
    let deeper = |error: DecodeError| DecodeError { offset: error.offset + HEADER_OCTETS, ..error };
    let error = match decode_frame(frame) {
        Ok(content) => Frame::decode(content).map_err(deeper).err(),
        Err(error) => Some(error),
    };
    explained(frame, error)
}

fn explained(packet: &[u8], error: Option<DecodeError>) -> Explanation {
    let mut walk = Walk { packet, at: 0, depth: 0, tokens: Vec::new() };
    // Where the walk ends before the packet, the decoder says why.
    let _ = walk.frame();
    if let Some(error) = &error {
        // Behind the error nothing has a meaning.
        walk.tokens.retain(|token| token.offset <= error.offset);
    }
    Explanation { tokens: walk.tokens, error }
}

struct Walk<'a> {
    packet: &'a [u8],
    at: usize,
    depth: usize,
    tokens: Vec<Token>,
}

impl Walk<'_> {
    fn peek(&mut self) -> Option<u8> {
        while matches!(self.packet.get(self.at), Some(b' ' | b'\r' | b'\n')) {
            self.at += 1;
        }
        self.packet.get(self.at).copied()
    }

    /// Takes so many octets as a token.
    fn take(&mut self, octets: usize, field: &'static Field) {
        let (offset, depth) = (self.at, self.depth);
        self.tokens.push(Token { offset, octets, depth, field, counted: None });
        self.at += octets;
    }

    /// The length of the token that begins here.
    fn length(&self) -> Option<usize> {
        let rest = &self.packet[self.at..];
        if !rest.starts_with(b"{") {
            let end = |octet: &u8| matches!(octet, b' ' | b')' | b'\r' | b'\n');
            let octets = rest.iter().position(end).unwrap_or(rest.len());
            // A version stands in parentheses of its own.
            return Some(if rest.starts_with(b"(") { octets + 1 } else { octets });
        }
        let brace = rest.iter().position(|octet| *octet == b'}')?;
        let count = core::str::from_utf8(&rest[1..brace]).ok()?;
        let count = usize::from_str_radix(count, 16).ok()?;
        let octets = count.checked_add(brace + 1)?;
        (octets <= rest.len()).then_some(octets)
    }

    fn one(&mut self, field: &'static Field) -> Option<()> {
        if self.peek()? == b')' {
            return None;
        }
        let octets = self.length().filter(|octets| *octets > 0)?;
        if self.at + octets > self.packet.len() {
            return None;
        }
        self.take(octets, field);
        Some(())
    }

    fn open(&mut self, field: &'static Field) -> Option<()> {
        if self.peek()? != b'(' || self.depth >= DEPTH_LIMIT {
            return None;
        }
        self.take(1, field);
        self.depth += 1;
        Some(())
    }

    fn close(&mut self) -> Option<()> {
        while self.peek()? != b')' {
            if self.peek()? == b'(' {
                self.open(&LATER)?;
                self.close()?;
            } else {
                self.one(&LATER)?;
            }
        }
        self.at += 1;
        self.depth -= 1;
        Some(())
    }

    fn frame(&mut self) -> Option<()> {
        let is_short = self.peek()? != b'{' || self.packet.len() < self.at + HEADER_OCTETS;
        if is_short || self.depth >= DEPTH_LIMIT {
            return None;
        }
        self.take(HEADER_OCTETS, &FRAME);
        self.depth += 1;
        self.peek()?;
        let rest = &self.packet[self.at..];
        let end =
            rest.iter().position(|octet| !octet.is_ascii_alphanumeric()).unwrap_or(rest.len());
        match &rest[..end] {
            b"MULTI" => {
                self.one(&MULTI)?;
                self.one(&VERSION)?;
                self.open(&ELEMENTS)?;
                while self.peek()? != b')' {
                    self.frame()?;
                }
                self.close()?;
            }
            verb => {
                let places = match verb {
                    b"NEWS" | b"MERGED" => NEWS,
                    b"REPORT" => REPORT,
                    b"REPORTED" => REPORTED,
                    b"NODEINFO" => NODEINFO,
                    b"ATTACH" | b"CONSULT" | b"CONVENE" | b"TENANT" => NAMED,
                    b"POLL" | b"LEAD" | b"UNWILLING" | b"REFUSE" | b"DECLINED" => ASKED,
                    b"WILLING" | b"GRANTED" | b"OBEYED" => ANSWER,
                    b"VOTE" => VOTE,
                    b"RESIGN" => RESIGN,
                    b"HEARTBEAT" => HEARTBEAT,
                    b"MEMBERS" => LIST,
                    b"LOADS" => LOADS,
                    b"CLAIM" => CLAIM,
                    b"RENEW" => RENEW,
                    b"RETURN" => RETURN,
                    b"LEASED" => LEASED,
                    _ => &[],
                };
                self.one(&VERB)?;
                self.places(places)?;
                while !matches!(self.peek(), None | Some(b')' | b'{')) {
                    if self.peek() == Some(b'(') {
                        self.open(&LATER)?;
                        self.close()?;
                    } else {
                        self.one(&LATER)?;
                    }
                }
            }
        }
        self.depth -= 1;
        Some(())
    }

    fn places(&mut self, places: &'static [Place]) -> Option<()> {
        for place in places {
            match place {
                One(field) => self.one(field)?,
                Group(field, inside) => {
                    self.open(field)?;
                    self.places(inside)?;
                    self.close()?;
                }
                Maybe(_, _) if self.peek()? != b'(' => {}
                Items(field, inside) | Maybe(field, inside) => {
                    self.open(field)?;
                    while self.peek()? != b')' {
                        self.places(inside)?;
                    }
                    self.close()?;
                }
            }
        }
        Some(())
    }
}
