//! `X-DELIVER`: what members add to LMTP. Each reply about a recipient begins with its index, `[n]`,
//! so that a result can never be taken for another recipient's.

use alloc::format;
use alloc::string::String;

use nom::Parser;
use nom::bytes::complete::{tag, tag_no_case, take_while};
use nom::character::complete::char;
use nom::combinator::{map, opt, verify};
use nom::sequence::{delimited, preceded};
use serde::{Deserialize, Serialize};

use super::DecodeError;
use super::fields::{encode_origin, field, member, name, number, origin};
use super::parse::{Parsed, expect, whole};
use super::smtp::{Reply, Status, forward_path};
use crate::clause;
use crate::kernel::Time;
use crate::wire::ids::{Epoch, MemberName, OriginId};
use crate::wire::message::{Address, Outcome, Refusal};

/// Who has an account open, and under which epoch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ownership {
    /// The member.
    pub member: MemberName,
    /// The epoch.
    pub epoch: Epoch,
}

/// `X-DELIVER INQUIRE`: what became of this recipient?
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Inquire {
    /// The message.
    pub origin: OriginId,
    /// The recipient's index.
    pub index: u32,
    /// The ownership of the account for which this is meant.
    pub epoch: Epoch,
    /// The recipient's address: the far end finds the account by it.
    pub address: Address,
    /// When the message entered the organization, where the far end understands that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrived: Option<Time>,
}

/// What the far end has recorded of a recipient.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// The final word.
    Final(Outcome),
    /// Nothing is recorded.
    Unknown,
    /// The account is not open there under that epoch; this is its ownership.
    Moved(Ownership),
    /// The journal does not reach back that far.
    Forgotten,
}

impl Inquire {
    /// Reads what stands behind `X-DELIVER `.
    ///
    /// # Errors
    /// What was expected where, counted from the start of `text`.
    pub fn decode(text: &str) -> Result<Self, DecodeError> {
        clause!(WI_070);
        let fields = (
            field("XORIGIN=", origin),
            field("XINDEX=", number),
            opt(field("XEPOCH=", epoch)),
            opt(field("XARRIVED=", number)),
            field("ADDRESS=", forward_path),
        );
        let inquire = preceded(expect("INQUIRE", tag_no_case("INQUIRE")), fields);
        let inquire = map(inquire, |(origin, index, epoch, arrived, address)| Self {
            origin,
            index,
            epoch: epoch.unwrap_or_default(),
            address,
            arrived: arrived.map(Time),
        });
        whole(text, "the end of the line", inquire)
    }

    /// What stands behind `X-DELIVER `.
    #[must_use]
    pub fn encode(&self) -> String {
        let Self { origin, index, epoch, address, arrived } = self;
        let arrived = arrived.map_or_else(String::new, |at| format!(" XARRIVED={}", at.0));
        let origin = encode_origin(origin);
        let epoch = encode_epoch(*epoch);
        format!("INQUIRE XORIGIN={origin} XINDEX={index}{epoch}{arrived} ADDRESS=<{address}>")
    }
}

/// The reply to RCPT, where it is accepted.
#[must_use]
pub fn recipient_reply(index: u32) -> Reply {
    Reply::new(250, DELIVERED, &format!("[{index}] ok"))
}

/// ` XEPOCH=` and the epoch; nothing for the first one, which is meant where none is named.
#[must_use]
pub fn encode_epoch(epoch: Epoch) -> String {
    clause!(WI_073);
    if epoch.is_first() { String::new() } else { format!(" XEPOCH={epoch}") }
}

/// The reply about one recipient whose account is open elsewhere: to RCPT, or behind the content.
#[must_use]
pub fn moved_reply(index: u32, to: &Ownership) -> Reply {
    clause!(WI_074);
    Reply::new(450, Status::new(4, 2, 1), &format!("[{index}] {}", encode_moved(to)))
}

/// Where a reply about one recipient says that the account has moved.
#[must_use]
pub fn decode_moved(reply: &Reply) -> Option<(u32, Ownership)> {
    if reply.code() != 450 || reply.lines().len() != 1 {
        return None;
    }
    let whole = whole(reply.text(), "the end of the line", |input| {
        let (rest, index) = index(input)?;
        let (rest, to) = moved(rest)?;
        Ok((rest, (index, to)))
    });
    whole.ok()
}

/// The reply that refuses one recipient: to RCPT, or behind the content.
#[must_use]
pub fn refusal_reply(index: u32, refusal: &Refusal) -> Reply {
    let text = format!("[{index}] {}", refusal.text);
    Reply::from(&Refusal { text, ..refusal.clone() })
}

/// The reply behind the content, one for each accepted recipient.
#[must_use]
pub fn result_reply(index: u32, outcome: &Outcome) -> Reply {
    clause!(WI_071);
    match outcome {
        Outcome::Delivered => Reply::new(250, DELIVERED, &format!("[{index}] delivered")),
        Outcome::Refused(refusal) => refusal_reply(index, refusal),
    }
}

/// Reads the reply to RCPT or a reply behind the content. The index is absent where a stock LMTP server
/// answers; a member always gives it.
///
/// # Errors
/// The reply is not final.
pub fn decode_result(reply: &Reply) -> Result<(Option<u32>, Outcome), DecodeError> {
    let (index, text) = match index(reply.text()) {
        Ok((text, index)) => (Some(index), text),
        Err(_) => (None, reply.text()),
    };
    let outcome = match (reply.refusal(), reply.code()) {
        (Some(refusal), _) => {
            let mut lines = alloc::vec![text];
            lines.extend(reply.lines()[1..].iter().map(String::as_str));
            Outcome::Refused(Refusal { text: lines.join(" "), ..refusal })
        }
        (None, 200..=299) => Outcome::Delivered,
        (None, _) => return Err(DecodeError { offset: 0, expected: "2yz, 4yz or 5yz" }),
    };
    Ok((index, outcome))
}

/// The reply to INQUIRE.
#[must_use]
pub fn found_reply(index: u32, found: &Found) -> Reply {
    let text = match found {
        Found::Final(Outcome::Delivered) => format!("[{index}] DELIVERED"),
        Found::Final(Outcome::Refused(refusal)) => {
            // The refusal goes through a reply, which gives it a status of its class.
            let reply = Reply::from(refusal);
            let status = reply.status().expect("a reply made of a refusal has a status");
            format!("[{index}] REFUSED {} {status} {}", reply.code(), reply.lines().join(" "))
        }
        Found::Unknown => format!("[{index}] UNKNOWN"),
        Found::Forgotten => format!("[{index}] FORGOTTEN"),
        Found::Moved(to) => format!("[{index}] {}", encode_moved(to)),
    };
    Reply::new(250, Status::new(2, 0, 0), &text)
}

/// Reads the reply to INQUIRE.
///
/// # Errors
/// What was expected where, counted from the start of the text; zero for another code.
pub fn decode_found(reply: &Reply) -> Result<(u32, Found), DecodeError> {
    clause!(WI_072);
    if reply.code() != 250 || reply.lines().len() != 1 {
        return Err(DecodeError { offset: 0, expected: "250 on one line" });
    }
    whole(reply.text(), "the end of the line", |input| {
        let (rest, index) = index(input)?;
        let words = "DELIVERED, REFUSED, UNKNOWN, MOVED or FORGOTTEN";
        let (rest, found) = expect(words, found).parse(rest)?;
        Ok((rest, (index, found)))
    })
}

const DELIVERED: Status = Status::new(2, 1, 5);

fn encode_moved(to: &Ownership) -> String {
    format!("MOVED MEMBER={} EPOCH={}", name(&to.member), to.epoch)
}

/// A number that is not zero.
fn epoch(input: &str) -> Parsed<'_, Epoch> {
    let number = verify(number::<u64>, |number| *number > 0);
    expect("an epoch, from 1", map(number, Epoch)).parse(input)
}

/// `MOVED MEMBER=x EPOCH=n`.
fn moved(input: &str) -> Parsed<'_, Ownership> {
    let fields = (field("MEMBER=", member), field("EPOCH=", epoch));
    let moved = preceded(expect("MOVED", tag("MOVED")), fields);
    map(moved, |(member, epoch)| Ownership { member, epoch }).parse(input)
}

/// `[n] `.
fn index(input: &str) -> Parsed<'_, u32> {
    delimited(expect("`[`", char('[')), number, (expect("`]`", char(']')), expect("SP", char(' '))))
        .parse(input)
}

fn found(input: &str) -> Parsed<'_, Found> {
    if let Some(rest) = input.strip_prefix("DELIVERED") {
        return Ok((rest, Found::Final(Outcome::Delivered)));
    }
    if let Some(rest) = input.strip_prefix("UNKNOWN") {
        return Ok((rest, Found::Unknown));
    }
    if let Some(rest) = input.strip_prefix("FORGOTTEN") {
        return Ok((rest, Found::Forgotten));
    }
    if input.starts_with("MOVED") {
        let (rest, to) = moved(input)?;
        return Ok((rest, Found::Moved(to)));
    }
    let (rest, _) = tag("REFUSED ").parse(input)?;
    let code = verify(number::<u16>, |code| (400..600).contains(code));
    let (rest, code) = expect("a code from 400 to 599", code).parse(rest)?;
    let (rest, _) = expect("SP", char(' ')).parse(rest)?;
    let of_class =
        |word: &str| word.parse().is_ok_and(|status: Status| u16::from(status.class) == code / 100);
    let status = verify(take_while(|c| c != ' '), of_class);
    let (rest, status) = expect("an enhanced status of the code's class", status).parse(rest)?;
    let (text, _) = expect("SP", char(' ')).parse(rest)?;
    let refusal = Refusal { code, status: String::from(status), text: String::from(text) };
    Ok(("", Found::Final(Outcome::Refused(refusal))))
}
