//! Questions about accounts on the group port: may mail for this account come, may this account send?
//!
//! `VERIFY id RECIPIENT account octets` and `VERIFY id SENDER account octets recipients` are answered by
//! `VERIFIED id` or `REFUSED id code status text`. The id belongs to the connection.

use alloc::format;
use alloc::string::String;

use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::take_while1;
use nom::combinator::{cut, map, verify};
use nom::sequence::preceded;
use serde::{Deserialize, Serialize};

use super::fields::number;
use super::orginfo::{counted_name, hex, name, token, word};
use super::parse::{Parsed, expect, refuse};
use super::smtp::{Reply, Status, decode_address};
use crate::clause;
use crate::wire::message::{Address, Refusal};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// May mail for this account come?
    Recipient {
        /// The account.
        account: Address,
        /// How long the sender says that it is; 0 where it has not said.
        octets: u64,
    },
    /// May this account send mail?
    Sender {
        /// The account.
        account: Address,
        /// How long it says that it is; 0 where it has not said.
        octets: u64,
        /// To how many.
        recipients: u64,
    },
}

/// A question or an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerifyPdu {
    /// The question.
    Verify {
        /// Names the question on its connection.
        id: u32,
        /// What is asked.
        question: Question,
    },
    /// Nothing speaks against it.
    Verified {
        /// The question.
        id: u32,
    },
    /// No.
    Refused {
        /// The question.
        id: u32,
        /// Why.
        refusal: Refusal,
    },
}

/// The content of a frame, without the end of the line.
pub(super) fn encode(pdu: &VerifyPdu) -> String {
    match pdu {
        VerifyPdu::Verify { id, question: Question::Recipient { account, octets } } => {
            format!(" VERIFY {id:x} RECIPIENT {} {octets:x}", name(&account.0))
        }
        VerifyPdu::Verify { id, question: Question::Sender { account, octets, recipients } } => {
            format!(" VERIFY {id:x} SENDER {} {octets:x} {recipients:x}", name(&account.0))
        }
        VerifyPdu::Verified { id } => format!(" VERIFIED {id:x}"),
        VerifyPdu::Refused { id, refusal } => {
            // The refusal goes through a reply, which gives it a status of its class and printable text.
            let reply = Reply::from(refusal);
            let status = reply.status().expect("a reply made of a refusal has a status");
            let text = name(&reply.lines().join(" "));
            format!(" REFUSED {id:x} {} {status} {text}", reply.code())
        }
    }
}

/// Reads the content of a frame, without the end of the line; says nothing of another verb.
pub(super) fn decode(input: &str) -> Parsed<'_, VerifyPdu> {
    clause!(WI_048);
    let verified = preceded(word("VERIFIED"), cut(token(hex)));
    alt((
        preceded(word("VERIFY"), cut(asked)),
        map(verified, |id| VerifyPdu::Verified { id }),
        preceded(word("REFUSED"), cut(refused)),
    ))
    .parse(input)
}

fn asked(input: &str) -> Parsed<'_, VerifyPdu> {
    let (rest, id) = token(hex).parse(input)?;
    let recipient = (token(address), token(hex));
    let recipient = map(recipient, |(account, octets)| Question::Recipient { account, octets });
    let sender = (token(address), token(hex), token(hex));
    let sender = map(sender, |(account, octets, recipients)| Question::Sender {
        account,
        octets,
        recipients,
    });
    let question =
        alt((preceded(word("RECIPIENT"), cut(recipient)), preceded(word("SENDER"), cut(sender))));
    let (rest, question) = expect("SP and RECIPIENT or SENDER", question).parse(rest)?;
    Ok((rest, VerifyPdu::Verify { id, question }))
}

fn refused(input: &str) -> Parsed<'_, VerifyPdu> {
    let (rest, id) = token(hex).parse(input)?;
    let (rest, code) = token(code).parse(rest)?;
    let of_class =
        |word: &str| word.parse().is_ok_and(|status: Status| u16::from(status.class) == code / 100);
    let status = verify(take_while1(|c| c != ' '), of_class);
    let mut status = token(expect("an enhanced status of the code's class", status));
    let (rest, status) = status.parse(rest)?;
    let (rest, text) = token(counted_name).parse(rest)?;
    Ok((rest, VerifyPdu::Refused { id, refusal: Refusal::new(code, status, &text) }))
}

fn code(input: &str) -> Parsed<'_, u16> {
    let code = verify(number::<u16>, |code| (400..600).contains(code));
    expect("a code from 400 to 599", code).parse(input)
}

/// The address of an account, as a counted string.
pub(super) fn address(input: &str) -> Parsed<'_, Address> {
    let (rest, text) = counted_name(input)?;
    match decode_address(&text) {
        Ok(address) => Ok((rest, address)),
        Err(_) => refuse(input.len(), "the address of an account"),
    }
}
