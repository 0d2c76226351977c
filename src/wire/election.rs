//! Elections on the group port: who may be the master, and who is.
//!
//! A candidate asks by `POLL` whether it could be elected and by `VOTE` to be; the master tells its term
//! by `LEAD`, and that it goes by `RESIGN`. Every answer repeats the number of the poll or round. Where the
//! operator has made the master, it tells so by `APPOINTED`.

use alloc::format;
use alloc::string::String;

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, map, verify};
use nom::sequence::preceded;
use serde::{Deserialize, Serialize};

use super::orginfo::{encode_term, hex, member_name, name, term, token, word};
use super::parse::{Failure, Parsed, expect, refuse};
use crate::clause;
use crate::wire::ids::MemberName;
use crate::wire::record::{TOMBSTONE_COUNTER, Term};

/// The greatest counter of a term that can be elected: one more can follow it in a record.
pub const ELECTED_LIMIT: u64 = TOMBSTONE_COUNTER - 2;
/// How long a lease can be, in milliseconds: a second to five minutes.
pub const LEASE_RANGE_MS: core::ops::RangeInclusive<u32> = 1_000..=300_000;

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
    },
    /// Will the voter let nobody else become the master for a while?
    Vote {
        /// The number of the round.
        round: u64,
        /// The term.
        term: Term,
        /// For how long at least.
        lease_ms: u32,
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
        ElectionPdu::Poll { round, term } => format!(" POLL {round:x} {}", encode_term(term)),
        ElectionPdu::Willing { round } => format!(" WILLING {round:x}"),
        ElectionPdu::Unwilling { round, known } => {
            format!(" UNWILLING {round:x} {}", encode_known(known.as_ref()))
        }
        ElectionPdu::Vote { round, term, lease_ms } => {
            format!(" VOTE {round:x} {} {lease_ms:x}", encode_term(term))
        }
        ElectionPdu::Granted { round } => format!(" GRANTED {round:x}"),
        ElectionPdu::Refuse { round, known } => {
            format!(" REFUSE {round:x} {}", encode_known(known.as_ref()))
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

fn encode_known(known: Option<&Term>) -> String {
    known.map_or_else(|| String::from(NONE), encode_term)
}

/// Reads the content of a frame, without the end of the line; says nothing of another verb.
pub(super) fn decode(input: &str) -> Parsed<'_, ElectionPdu> {
    alt((
        said("POLL", (round, elected), |(round, term)| ElectionPdu::Poll { round, term }),
        said("WILLING", round, |round| ElectionPdu::Willing { round }),
        said("UNWILLING", (round, or_none(elected)), |(round, known)| ElectionPdu::Unwilling {
            round,
            known,
        }),
        said("VOTE", (round, elected, lease), |(round, term, lease_ms)| ElectionPdu::Vote {
            round,
            term,
            lease_ms,
        }),
        said("GRANTED", round, |round| ElectionPdu::Granted { round }),
        said("REFUSE", (round, or_none(elected)), |(round, known)| ElectionPdu::Refuse {
            round,
            known,
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
fn round(input: &str) -> Parsed<'_, u64> {
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

/// What `parser` reads, or SP and `-`.
fn or_none<'a, O>(
    mut parser: impl Parser<&'a str, Output = O, Error = Failure>,
) -> impl FnMut(&'a str) -> Parsed<'a, Option<O>> {
    move |input| match input.strip_prefix(" -") {
        Some(rest) => Ok((rest, None)),
        None => parser.parse(input).map(|(rest, value)| (rest, Some(value))),
    }
}
