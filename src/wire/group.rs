//! The group port: what a member and its master say to each other, one counted frame each.
//!
//! A content begins with SP and ends with CRLF, as the routing engine of Exchange had it on port 691.

use alloc::format;
use alloc::vec::Vec;

use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::tag;
use nom::combinator::{cut, map, value};
use nom::sequence::{preceded, terminated};
use serde::Serialize;

use super::accounts::{self, AccountsPdu};
use super::election::{self, ElectionPdu};
use super::fields::{self, is_name};
use super::frame::{FRAME_LIMIT, counted};
use super::members::{self, MembersPdu};
use super::orginfo::{
    connector_name, counted_text, element, encode_element, encode_state, encode_term, list, listed,
    member_name, name, term, token, word,
};
use super::parse::{Failure, Parsed, expect, refuse, whole};
use super::verify::{self, VerifyPdu};
use super::{DecodeError, TooLong};
use crate::clause;
use crate::wire::ids::{ConnectorName, MemberName};
use crate::wire::record::{ConnectorState, LinkPdu, SourceState};

/// The content of one frame of the group port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Frame {
    /// The server greets: who it is.
    NodeInfo(MemberName),
    /// The client's first frame: who it is.
    Attach(MemberName),
    /// News, reports and their answers.
    Link(LinkPdu),
    /// The client's first frame, where it has come to ask about accounts: who it is.
    Consult(MemberName),
    /// A question about an account, or an answer.
    Verify(VerifyPdu),
    /// The client's first frame, where it has come for an election: who it is.
    Convene(MemberName),
    /// What is said in an election.
    Election(ElectionPdu),
    /// What is said about the list of members.
    Members(MembersPdu),
    /// The client's first frame, where it has come for accounts that are leased: who it is.
    Tenant(MemberName),
    /// What is said of accounts that are leased.
    Accounts(AccountsPdu),
}

impl Frame {
    /// The content of the frame; the host writes the count in front of it.
    ///
    /// # Errors
    /// The content is longer than [`FRAME_LIMIT`].
    pub fn encode(&self) -> Result<Vec<u8>, TooLong> {
        let mut content = match self {
            Self::NodeInfo(member) => {
                let text = format!("{GREETING}{} ready", fields::name(member));
                format!(" NODEINFO (6) {}", counted(&text))
            }
            Self::Attach(member) => format!(" ATTACH {}", name(member.as_str())),
            Self::Consult(member) => format!(" CONSULT {}", name(member.as_str())),
            Self::Verify(pdu) => verify::encode(pdu),
            Self::Convene(member) => format!(" CONVENE {}", name(member.as_str())),
            Self::Election(pdu) => election::encode(pdu),
            Self::Members(pdu) => members::encode(pdu),
            Self::Tenant(member) => format!(" TENANT {}", name(member.as_str())),
            Self::Accounts(pdu) => accounts::encode(pdu),
            Self::Link(LinkPdu::Report { states }) => {
                let states = states.iter().map(|(connector, state)| {
                    format!("{} {}", name(connector.as_str()), encode_source_state(*state))
                });
                format!(" REPORT {}", list(states))
            }
            Self::Link(LinkPdu::Reported { term }) => format!(" REPORTED {}", encode_term(term)),
            Self::Link(pdu) => encode_element(pdu).expect("the other PDUs are elements"),
        };
        content.push_str("\r\n");
        if content.len() > FRAME_LIMIT { Err(TooLong) } else { Ok(content.into_bytes()) }
    }

    /// Reads the content of a frame.
    ///
    /// # Errors
    /// What was expected where, counted from the start of the content.
    pub fn decode(content: &[u8]) -> Result<Self, DecodeError> {
        clause!(WI_110);
        clause!(WI_047);
        let printable = |octet: &u8| matches!(octet, b' '..=b'~' | b'\r' | b'\n');
        if let Some(offset) = content.iter().position(|octet| !printable(octet)) {
            return Err(DecodeError { offset, expected: "printable US-ASCII" });
        }
        let text: &str = core::str::from_utf8(content).expect("US-ASCII is UTF-8");
        let frame = terminated(frame, expect("CRLF", tag("\r\n")));
        whole(text, "the end of the frame", frame)
    }
}

const GREETING: &str = "Version: 1 Bridgehead ";

fn frame(input: &str) -> Parsed<'_, Frame> {
    let attach = preceded(word("ATTACH"), cut(token(member_name)));
    let consult = preceded(word("CONSULT"), cut(token(member_name)));
    let convene = preceded(word("CONVENE"), cut(token(member_name)));
    let tenant = preceded(word("TENANT"), cut(token(member_name)));
    let report = preceded(word("REPORT"), cut(listed(report)));
    let reported = preceded(word("REPORTED"), cut(term));
    let verbs = alt((
        map(preceded(word("NODEINFO"), cut(node_info)), Frame::NodeInfo),
        map(attach, Frame::Attach),
        map(report, |states| Frame::Link(LinkPdu::Report { states })),
        map(reported, |term| Frame::Link(LinkPdu::Reported { term })),
        map(consult, Frame::Consult),
        map(verify::decode, Frame::Verify),
        map(convene, Frame::Convene),
        map(election::decode, Frame::Election),
        map(members::decode, Frame::Members),
        map(tenant, Frame::Tenant),
        map(accounts::decode, Frame::Accounts),
        map(element_or_nothing, Frame::Link),
    ));
    expect("SP and a verb of the group port", verbs).parse(input)
}

/// An element; where the verb is none, this names no expectation of its own.
fn element_or_nothing(input: &str) -> Parsed<'_, LinkPdu> {
    element(input).map_err(|error| match error {
        nom::Err::Error(failure) => nom::Err::Error(Failure { expected: "", ..failure }),
        other => other,
    })
}

fn node_info(input: &str) -> Parsed<'_, MemberName> {
    let (rest, _) = expect("version (6)", tag(" (6)")).parse(input)?;
    let (rest, text) = token(counted_text).parse(rest)?;
    let at = rest.len() + text.len();
    let member = text.strip_prefix(GREETING).and_then(|text| text.strip_suffix(" ready"));
    match member.filter(|member| is_name(member)) {
        Some(member) => Ok((rest, MemberName::from(member))),
        None => refuse(at, "`Version: 1 Bridgehead MEMBER ready`"),
    }
}

fn report(input: &str) -> Parsed<'_, (ConnectorName, SourceState)> {
    (token(connector_name), source_state).parse(input)
}

const fn encode_source_state(state: SourceState) -> &'static str {
    match state {
        SourceState::Up => encode_state(ConnectorState::Up),
        SourceState::Down => encode_state(ConnectorState::Down),
        SourceState::Held => "HELD",
    }
}

fn source_state(input: &str) -> Parsed<'_, SourceState> {
    let up = value(SourceState::Up, word("UP"));
    let down = value(SourceState::Down, word("DOWN"));
    let held = value(SourceState::Held, word("HELD"));
    expect("SP and UP, DOWN or HELD", alt((up, down, held))).parse(input)
}
