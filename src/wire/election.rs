//! Elections on the group port: who may be the master, and who is.
//!
//! A candidate asks by `POLL` whether it could be elected and by `VOTE` to be; the master tells its term
//! by `LEAD`, and that it goes by `RESIGN`. Every answer repeats the number of the poll or round. Where the
//! operator has made the master, it tells so by `APPOINTED`.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, map, opt, verify};
use nom::sequence::preceded;
use serde::{Deserialize, Serialize};

use super::orginfo::{encode_term, hex, list, listed, member_name, name, term, token, word};
use super::parse::{Failure, Parsed, expect, refuse};
use crate::clause;
use crate::wire::ids::MemberName;
use crate::wire::record::{TOMBSTONE_COUNTER, Term};

/// The greatest counter of a term that can be elected: one more can follow it in a record.
pub const ELECTED_LIMIT: u64 = TOMBSTONE_COUNTER - 2;
/// How long a lease can be, in milliseconds: a second to five minutes.
pub const LEASE_RANGE_MS: core::ops::RangeInclusive<u32> = 1_000..=300_000;
/// The most voters that seats name.
pub const SEATS_LIMIT: usize = 7;

/// The voters of a group as one of its masters has written them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WrittenSeats {
    /// The term of that master.
    pub term: Term,
    /// The number of this writing under that term.
    pub number: u64,
    /// The voters.
    pub voters: BTreeSet<MemberName>,
}

/// What is said in an election.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ElectionPdu {
    /// Would the voter grant this term? It is not begun, and nobody keeps it.
    Poll {
        /// The number of the poll.
        round: u64,
        /// The term.
        term: Term,
        /// The seats of the candidate, where a master has written them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seats: Option<WrittenSeats>,
    },
    /// It would.
    Willing {
        /// The poll.
        round: u64,
    },
    /// It would not.
    Unwilling {
        /// The poll.
        round: u64,
        /// The greatest term that the voter knows.
        known: Option<Term>,
        /// The seats of the voter, where a master has written them and they are greater.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seats: Option<WrittenSeats>,
    },
    /// Will the voter let nobody else become the master for a while?
    Vote {
        /// The number of the round.
        round: u64,
        /// The term.
        term: Term,
        /// For how long at least.
        lease_ms: u32,
        /// The seats of the candidate, where a master has written them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seats: Option<WrittenSeats>,
    },
    /// It will.
    Granted {
        /// The round.
        round: u64,
    },
    /// It will not, or it does not obey.
    Refuse {
        /// The round.
        round: u64,
        /// The greatest term that the speaker knows.
        known: Option<Term>,
        /// The seats of the voter, where a master has written them and they are greater.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seats: Option<WrittenSeats>,
    },
    /// The client is the master under this term.
    Lead {
        /// The number of the round.
        round: u64,
        /// The term.
        term: Term,
    },
    /// The member has stored the term.
    Obeyed {
        /// The round.
        round: u64,
    },
    /// The operator has made the client the master.
    Appointed {
        /// A number.
        round: u64,
        /// The term.
        term: Term,
        /// The revision of the organization under which the term was begun.
        revision: u32,
    },
    /// The client is the master no more.
    Resign {
        /// The term that is over.
        term: Term,
        /// Who is to follow.
        successor: Option<MemberName>,
    },
}

/// The content of a frame, without the end of the line.
pub(super) fn encode(pdu: &ElectionPdu) -> String {
    match pdu {
        ElectionPdu::Poll { round, term, seats } => {
            format!(" POLL {round:x} {}{}", encode_term(term), encode_seats(seats.as_ref()))
        }
        ElectionPdu::Willing { round } => format!(" WILLING {round:x}"),
        ElectionPdu::Unwilling { round, known, seats } => {
            let (known, seats) = (encode_known(known.as_ref()), encode_seats(seats.as_ref()));
            format!(" UNWILLING {round:x} {known}{seats}")
        }
        ElectionPdu::Vote { round, term, lease_ms, seats } => {
            let (term, seats) = (encode_term(term), encode_seats(seats.as_ref()));
            format!(" VOTE {round:x} {term} {lease_ms:x}{seats}")
        }
        ElectionPdu::Granted { round } => format!(" GRANTED {round:x}"),
        ElectionPdu::Refuse { round, known, seats } => {
            let (known, seats) = (encode_known(known.as_ref()), encode_seats(seats.as_ref()));
            format!(" REFUSE {round:x} {known}{seats}")
        }
        ElectionPdu::Lead { round, term } => format!(" LEAD {round:x} {}", encode_term(term)),
        ElectionPdu::Obeyed { round } => format!(" OBEYED {round:x}"),
        ElectionPdu::Appointed { round, term, revision } => {
            format!(" APPOINTED {round:x} {} {revision:x}", encode_term(term))
        }
        ElectionPdu::Resign { term, successor } => {
            let successor = successor.as_ref().map(|member| name(member.as_str()));
            let successor = successor.as_deref().unwrap_or(NONE);
            format!(" RESIGN {} {successor}", encode_term(term))
        }
    }
}

const NONE: &str = "-";

pub(super) fn encode_known(known: Option<&Term>) -> String {
    known.map_or_else(|| String::from(NONE), encode_term)
}

fn encode_seats(seats: Option<&WrittenSeats>) -> String {
    let Some(WrittenSeats { term, number, voters }) = seats else { return String::new() };
    let voters = list(voters.iter().map(|voter| name(voter.as_str())));
    format!(" SEATS {} {number:x} {voters}", encode_term(term))
}

/// Reads the content of a frame, without the end of the line; says nothing of another verb.
pub(super) fn decode(input: &str) -> Parsed<'_, ElectionPdu> {
    let (poll, vote) = ((round, elected, seats), (round, elected, lease, seats));
    let refusal = || (round, or_none(elected), seats);
    alt((
        said("POLL", poll, |(round, term, seats)| ElectionPdu::Poll { round, term, seats }),
        said("WILLING", round, |round| ElectionPdu::Willing { round }),
        said("UNWILLING", refusal(), |(round, known, seats)| ElectionPdu::Unwilling {
            round,
            known,
            seats,
        }),
        said("VOTE", vote, |(round, term, lease_ms, seats)| ElectionPdu::Vote {
            round,
            term,
            lease_ms,
            seats,
        }),
        said("GRANTED", round, |round| ElectionPdu::Granted { round }),
        said("REFUSE", refusal(), |(round, known, seats)| ElectionPdu::Refuse {
            round,
            known,
            seats,
        }),
        said("LEAD", (round, elected), |(round, term)| ElectionPdu::Lead { round, term }),
        said("OBEYED", round, |round| ElectionPdu::Obeyed { round }),
        said("APPOINTED", (round, elected, token(hex)), |(round, term, revision)| {
            ElectionPdu::Appointed { round, term, revision }
        }),
        said("RESIGN", (elected, or_none(token(member_name))), |(term, successor)| {
            ElectionPdu::Resign { term, successor }
        }),
    ))
    .parse(input)
}

/// A verb, and what belongs to it.
fn said<'a, O>(
    verb: &'static str,
    content: impl Parser<&'a str, Output = O, Error = Failure>,
    pdu: impl FnMut(O) -> ElectionPdu,
) -> impl Parser<&'a str, Output = ElectionPdu, Error = Failure> {
    map(preceded(word(verb), cut(content)), pdu)
}

/// SP and the number of a poll or round.
pub(super) fn round(input: &str) -> Parsed<'_, u64> {
    clause!(WI_122);
    token(hex)(input)
}

/// SP and a term that another one can follow.
pub(super) fn elected(input: &str) -> Parsed<'_, Term> {
    let (rest, term) = term(input)?;
    if term.counter > ELECTED_LIMIT {
        clause!(WI_123);
        return refuse(input.len() - 1, "a term that another one can follow");
    }
    Ok((rest, term))
}

/// SP and a span in milliseconds.
fn lease(input: &str) -> Parsed<'_, u32> {
    clause!(WI_124);
    let lease = verify(hex, |lease| LEASE_RANGE_MS.contains(lease));
    token(expect("a lease from 3e8 to 493e0 (hexadecimal)", lease))(input)
}

/// Nothing, or SP and seats that a master has written.
fn seats(input: &str) -> Parsed<'_, Option<WrittenSeats>> {
    clause!(WI_126);
    let seats = (elected, token(hex), voters);
    let seats = map(seats, |(term, number, voters)| WrittenSeats { term, number, voters });
    opt(preceded(word("SEATS"), cut(seats))).parse(input)
}

/// SP and the names of voters, in their one order.
fn voters(input: &str) -> Parsed<'_, BTreeSet<MemberName>> {
    let are_sound = |names: &Vec<MemberName>| {
        (1..=SEATS_LIMIT).contains(&names.len()) && names.is_sorted_by(|one, next| one < next)
    };
    let names = verify(listed(token(member_name)), are_sound);
    let names = expect("1 to 7 voters in ascending order, in parentheses", names);
    map(names, |names| names.into_iter().collect()).parse(input)
}

/// What `parser` reads, or SP and `-`.
pub(super) fn or_none<'a, O>(
    mut parser: impl Parser<&'a str, Output = O, Error = Failure>,
) -> impl FnMut(&'a str) -> Parsed<'a, Option<O>> {
    move |input| match input.strip_prefix(" -") {
        Some(rest) => Ok((rest, None)),
        None => parser.parse(input).map(|(rest, value)| (rest, Some(value))),
    }
}
