//! Link-state records on the wire: version (6) of the grammar that Exchange spoke as version (5).
//!
//! Tokens are parted by one SP, numbers are hexadecimal, names are counted strings, lists stand in
//! parentheses. A message on X-LINK2STATE is a counted frame that begins ` MULTI (6) (` and holds
//! counted elements; on the group port the same elements are frames of their own (see
//! [`super::group`]).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::tag;
use nom::combinator::{cut, map, map_opt, opt, value, verify};
use nom::multi::many0;
use nom::sequence::{delimited, preceded};

use super::fields::{digest, lower_hex};
use super::frame::{FRAME_LIMIT, HEADER_OCTETS, counted, encode_frame, read_header};
use super::link2state::MESSAGE_LIMIT;
use super::names::{escape, unescape};
use super::node::Node;
use super::nodes::{encode_nodes, nodes};
use super::parse::{Failure, Parsed, expect, refuse, text_of, whole};
use super::{DecodeError, TooLong, exits, restrictions};
use crate::clause;
use crate::wire::ids::{ConnectorName, GroupName, MemberName, is_uuid};
use crate::wire::message::Digest;
use crate::wire::record::{COST_RANGE, DEFAULT_LIFETIME_S, LIFETIME_RANGE_S};
use crate::wire::record::{ConnectorRecord, ConnectorState, LinkPdu, Record, Term, Version};
use crate::wire::shared::SharedRecord;

/// One message of X-LINK2STATE: the frame that its chunks put together.
///
/// # Errors
/// The message is longer than [`MESSAGE_LIMIT`].
///
/// # Panics
/// An element is neither `News` nor `Merged`: the others have no place on the SMTP port.
pub fn encode_message(elements: &[LinkPdu]) -> Result<String, TooLong> {
    clause!(WI_101);
    let mut content = String::from(" MULTI (6) (");
    for element in elements {
        let element = encode_element(element).expect("only News and Merged travel by SMTP");
        content.push_str(&framed(&element)?);
    }
    content.push(')');
    let message = framed(&content)?;
    if message.len() > MESSAGE_LIMIT { Err(TooLong) } else { Ok(message) }
}

/// Reads one message of X-LINK2STATE.
///
/// # Errors
/// What was expected where, counted from the start of `message`.
pub fn decode_message(message: &str) -> Result<Vec<LinkPdu>, DecodeError> {
    clause!(WI_101);
    let text = text_of(message.as_bytes())?;
    whole(text, "the end of the message", |input| framed_by(multi, input))
}

fn multi(input: &str) -> Parsed<'_, Vec<LinkPdu>> {
    let elements = many0(|input| framed_by(element, input));
    delimited(
        (
            expect("SP and MULTI", word("MULTI")),
            expect("version (6)", tag(" (6)")),
            expect("SP and `(`", tag(" (")),
        ),
        elements,
        expect("an element or `)`", tag(")")),
    )
    .parse(input)
}

/// Reads a counted frame and the whole of its content.
fn framed_by<'a, O>(
    mut content: impl Parser<&'a str, Output = O, Error = Failure>,
    input: &'a str,
) -> Parsed<'a, O> {
    let at = |offset: usize| input.len() - offset;
    let octets = match read_header(input.as_bytes(), FRAME_LIMIT) {
        Ok(Some(octets)) => octets,
        Ok(None) => return refuse_softly(0, "a counted frame"),
        Err(error) if error.offset == 0 => return refuse_softly(at(0), error.expected),
        Err(error) => return refuse(at(error.offset), error.expected),
    };
    let Some(inside) = input.get(HEADER_OCTETS..HEADER_OCTETS + octets) else {
        return refuse(0, "the whole of a counted frame");
    };
    let behind = input.len() - HEADER_OCTETS - octets;
    let deepen = |failure: Failure| Failure { left: failure.left + behind, ..failure };
    match content.parse(inside) {
        Ok(("", value)) => Ok((&input[HEADER_OCTETS + octets..], value)),
        Ok((rest, _)) => refuse(rest.len() + behind, "the end of the counted frame"),
        Err(nom::Err::Error(failure) | nom::Err::Failure(failure)) => {
            Err(nom::Err::Failure(deepen(failure)))
        }
        Err(incomplete) => Err(incomplete),
    }
}

/// Refuses, and lets the caller go on with what else may stand there.
const fn refuse_softly<'a, O>(left: usize, expected: &'static str) -> Parsed<'a, O> {
    Err(nom::Err::Error(Failure { left, expected }))
}

fn framed(content: &str) -> Result<String, TooLong> {
    if content.len() > FRAME_LIMIT {
        return Err(TooLong);
    }
    let frame = encode_frame(content.as_bytes());
    Ok(String::from_utf8(frame).expect("a frame around text is text"))
}

/// ` NEWS digest (records)` or ` MERGED digest (records)`; `None` for what only the group port carries.
pub(super) fn encode_element(pdu: &LinkPdu) -> Option<String> {
    let (verb, digest, records, nodes) = match pdu {
        LinkPdu::News { digest, records, nodes } => ("NEWS", digest, records, nodes),
        LinkPdu::Merged { digest, records, nodes } => ("MERGED", digest, records, nodes),
        LinkPdu::Report { .. } | LinkPdu::Reported { .. } => return None,
    };
    let records = list(records.iter().map(|record| encode_record(record)));
    let nodes = if nodes.is_empty() { String::new() } else { encode_nodes(nodes) };
    Some(format!(" {verb} {digest} {records}{nodes}"))
}

/// Reads ` NEWS digest (records)` or ` MERGED digest (records)`.
pub(super) fn element(input: &str) -> Parsed<'_, LinkPdu> {
    let content = || cut((token(digest), listed(record), nodes));
    let news = map(preceded(word("NEWS"), content()), news);
    let merged = map(preceded(word("MERGED"), content()), merged);
    expect("SP and NEWS or MERGED", alt((news, merged))).parse(input)
}

type Content = (Digest, Vec<Record>, Vec<Node>);

fn news((digest, records, nodes): Content) -> LinkPdu {
    LinkPdu::News { digest, records: shared(records), nodes }
}

fn merged((digest, records, nodes): Content) -> LinkPdu {
    LinkPdu::Merged { digest, records: shared(records), nodes }
}

fn shared(records: Vec<Record>) -> Vec<SharedRecord> {
    records.into_iter().map(SharedRecord::new).collect()
}

/// `()`, or the items with an SP before each and one before the closing parenthesis.
pub(super) fn list(items: impl Iterator<Item = String>) -> String {
    let mut text = String::from("(");
    for item in items {
        text.push(' ');
        text.push_str(&item);
    }
    text.push_str(if text.len() > 1 { " )" } else { ")" });
    text
}

/// SP and a list as [`list`] writes it.
pub(super) fn listed<'a, O>(
    mut item: impl FnMut(&'a str) -> Parsed<'a, O>,
) -> impl Parser<&'a str, Output = Vec<O>, Error = Failure> {
    move |input: &'a str| {
        let (inside, _) = expect("SP and `(`", tag(" (")).parse(input)?;
        if let Some(rest) = inside.strip_prefix(')') {
            return Ok((rest, Vec::new()));
        }
        let mut items = Vec::new();
        let mut rest = inside;
        loop {
            let (behind, found) = item(rest)?;
            items.push(found);
            if let Some(end) = behind.strip_prefix(" )") {
                return Ok((end, items));
            }
            rest = behind;
        }
    }
}

fn encode_record(record: &Record) -> String {
    assert!(is_uuid(&record.uuid), "the identity of a group is 32 lower-case hexadecimal digits");
    let members = record.members.iter().map(|(member, attached)| {
        format!("{} {}", name(member.as_str()), if *attached { "YES" } else { "NO" })
    });
    let deleted = record.deleted.as_ref();
    let lifetime = match record.lifetime_s {
        DEFAULT_LIFETIME_S => String::new(),
        seconds => format!(" LIFETIME {seconds:x}"),
    };
    format!(
        "( {} {} {} {} {}{}{lifetime}{} )",
        record.uuid,
        name(record.group.as_str()),
        encode_version(&record.version),
        list(members),
        list(record.connectors.iter().map(encode_connector)),
        deleted.map_or_else(String::new, |reason| format!(" DELETED {}", name(reason))),
        exits::encode(&record.exits),
    )
}

fn encode_connector(connector: &ConnectorRecord) -> String {
    assert!(COST_RANGE.contains(&connector.cost), "the cost of a connector is 1 to 100");
    let members = |names: &[MemberName]| list(names.iter().map(|member| name(member.as_str())));
    let unavailable = match &connector.unavailable[..] {
        [] => String::new(),
        some => format!(" CONN_NOT_AVAIL {}", members(some)),
    };
    format!(
        "{} ( CONFIG {} {:x} BH {}{unavailable} STATE {}{} )",
        name(connector.name.as_str()),
        name(connector.to.as_str()),
        connector.cost,
        members(&connector.sources),
        encode_state(connector.state),
        restrictions::encode(&connector.restrictions),
    )
}

/// `UP` or `DOWN`.
pub(super) const fn encode_state(state: ConnectorState) -> &'static str {
    match state {
        ConnectorState::Up => "UP",
        ConnectorState::Down => "DOWN",
    }
}

/// `term major minor user`.
pub(super) fn encode_version(version: &Version) -> String {
    let Version { term, major, minor, user } = version;
    format!("{} {major:x} {minor:x} {user:x}", encode_term(term))
}

/// `counter member nonce`.
pub(super) fn encode_term(term: &Term) -> String {
    format!("{:x} {} {:x}", term.counter, name(term.member.as_str()), term.nonce)
}

/// A name as a counted string.
pub(super) fn name(name: &str) -> String {
    counted(&escape(name))
}

fn record(input: &str) -> Parsed<'_, Record> {
    clause!(WI_102);
    let deleted = opt(preceded(word("DELETED"), cut(token(counted_name))));
    let lifetime = opt(preceded(word("LIFETIME"), cut(token(lifetime))));
    let head = (token(uuid), token(group_name), version);
    let (rest, (head, members, connectors, deleted, lifetime, exits)) = delimited(
        expect("a record", tag(" (")),
        (head, listed(member), listed(connector), deleted, lifetime, exits::parse),
        expect("SP and `)`", tag(" )")),
    )
    .parse(input)?;
    let ((uuid, group, version), lifetime_s) = (head, lifetime.unwrap_or(DEFAULT_LIFETIME_S));
    Ok((rest, Record { group, uuid, version, members, connectors, deleted, lifetime_s, exits }))
}

/// A lifetime that is not the default one: that is never said.
fn lifetime(input: &str) -> Parsed<'_, u32> {
    clause!(LS_154);
    let is_said = |s: &u32| LIFETIME_RANGE_S.contains(s) && *s != DEFAULT_LIFETIME_S;
    expect("a lifetime from 3c to 278d00 (hexadecimal), but not 15180", verify(hex, is_said))
        .parse(input)
}

/// The identity of a group.
pub(super) fn uuid(input: &str) -> Parsed<'_, String> {
    let digits = expect("32 lower-case hexadecimal digits", verify(lower_hex, is_uuid));
    map(digits, String::from).parse(input)
}

/// SP and `term major minor user`.
pub(super) fn version(input: &str) -> Parsed<'_, Version> {
    map((term, token(hex), token(hex), token(hex)), |(term, major, minor, user)| Version {
        term,
        major,
        minor,
        user,
    })
    .parse(input)
}

/// SP and `counter member nonce`.
pub(super) fn term(input: &str) -> Parsed<'_, Term> {
    map((token(hex), token(member_name), token(hex)), |(counter, member, nonce)| Term {
        counter,
        member,
        nonce,
    })
    .parse(input)
}

fn member(input: &str) -> Parsed<'_, (MemberName, bool)> {
    let attached = alt((value(true, word("YES")), value(false, word("NO"))));
    (token(member_name), expect("SP and YES or NO", attached)).parse(input)
}

fn connector(input: &str) -> Parsed<'_, ConnectorRecord> {
    let cost = expect("a cost from 1 to 64 (hexadecimal)", verify(hex, |c| COST_RANGE.contains(c)));
    let some = verify(listed(token(member_name)), |names: &Vec<_>| !names.is_empty());
    let unavailable = opt(preceded(
        word("CONN_NOT_AVAIL"),
        cut(expect("SP and the names of some members", some)),
    ));
    let (rest, (name, _, to, cost, _, sources, unavailable, _, state, restrictions, _)) = (
        token(connector_name),
        expect("SP, `(` and CONFIG", tag(" ( CONFIG")),
        token(group_name),
        token(cost),
        expect("SP and BH", word("BH")),
        listed(token(member_name)),
        unavailable,
        expect("SP and STATE", word("STATE")),
        state,
        restrictions::parse,
        expect("SP and `)`", tag(" )")),
    )
        .parse(input)?;
    let unavailable = unavailable.unwrap_or_default();
    let connector = ConnectorRecord { name, to, cost, state, sources, restrictions, unavailable };
    Ok((rest, connector))
}

/// SP and `UP` or `DOWN`.
pub(super) fn state(input: &str) -> Parsed<'_, ConnectorState> {
    let up = value(ConnectorState::Up, word("UP"));
    let down = value(ConnectorState::Down, word("DOWN"));
    expect("SP and UP or DOWN", alt((up, down))).parse(input)
}

/// SP and a word, which ends there.
pub(super) fn word<'a>(word: &'static str) -> impl FnMut(&'a str) -> Parsed<'a, &'a str> {
    move |input| {
        let behind = input.strip_prefix(' ').and_then(|rest| rest.strip_prefix(word));
        match behind.filter(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric())) {
            Some(rest) => Ok((rest, word)),
            None => refuse_softly(input.len(), ""),
        }
    }
}

/// SP and something.
pub(super) fn token<'a, O>(
    mut parser: impl Parser<&'a str, Output = O, Error = Failure>,
) -> impl FnMut(&'a str) -> Parsed<'a, O> {
    move |input| {
        let (rest, _) = expect("SP", tag(" ")).parse(input)?;
        parser.parse(rest)
    }
}

/// A hexadecimal number in its one form: lower case, no leading zero.
pub(super) fn hex<N: TryFrom<u64>>(input: &str) -> Parsed<'_, N> {
    let canonical =
        |digits: &str| !digits.is_empty() && (digits == "0" || !digits.starts_with('0'));
    let number = map_opt(verify(lower_hex, canonical), |digits: &str| {
        N::try_from(u64::from_str_radix(digits, 16).ok()?).ok()
    });
    expect("a hexadecimal number", number).parse(input)
}

/// A counted string as it stands.
pub(super) fn counted_text(input: &str) -> Parsed<'_, &str> {
    let length = delimited(tag("{"), hex::<u32>, expect("`}`", tag("}")));
    let (rest, length) = expect("a counted string", length).parse(input)?;
    match rest.split_at_checked(length as usize) {
        Some((text, rest)) => Ok((rest, text)),
        None => refuse(0, "the whole of a counted string"),
    }
}

/// A counted string that holds a name.
pub(super) fn counted_name(input: &str) -> Parsed<'_, String> {
    let (rest, text) = counted_text(input)?;
    match unescape(text) {
        Ok(name) => Ok((rest, name)),
        Err(error) => refuse(rest.len() + text.len() - error.offset, error.expected),
    }
}

fn group_name(input: &str) -> Parsed<'_, GroupName> {
    map(counted_name, GroupName).parse(input)
}

/// A member's name as a counted string.
pub(super) fn member_name(input: &str) -> Parsed<'_, MemberName> {
    map(counted_name, MemberName).parse(input)
}

/// A connector's name as a counted string.
pub(super) fn connector_name(input: &str) -> Parsed<'_, ConnectorName> {
    map(counted_name, ConnectorName).parse(input)
}
