//! `X-SUBMIT`: the hand-over between members, as arguments of the verb and as texts of the replies.

use alloc::format;
use alloc::string::String;

use alloc::vec::Vec;

use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::tag_no_case;
use nom::character::complete::char;
use nom::combinator::{cut, map, opt, verify};
use nom::multi::separated_list1;
use nom::sequence::{preceded, separated_pair};
use serde::{Deserialize, Serialize};

use super::DecodeError;
use super::fields::{
    digest, encode_transfer, field, incarnation, member, name, number, queue, store, transfer,
};
use super::parse::{Failure, Parsed, expect, whole};
use super::smtp::{Reply, Status};
use crate::clause;
use crate::wire::ids::{Incarnation, MemberName, QueueId, StoreId, TransferId};
use crate::wire::message::Digest;

/// The most transfers that one `RELEASE` may name as not over.
pub const EXCEPTIONS_LIMIT: usize = 16;

/// Which transfers of the speaker are over: all of this boot up to a number and all of earlier boots,
/// but for the exceptions.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Release {
    /// Counts the boots of the speaker's disk.
    pub boot: u64,
    /// Of this boot.
    pub incarnation: Incarnation,
    /// The greatest sequence of this boot that is over.
    pub upto: u64,
    /// What is not over, by the boot that minted it and its sequence; at most [`EXCEPTIONS_LIMIT`].
    pub except: Vec<(Incarnation, u64)>,
}

/// How much a member has to do that queues for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// So many messages are in its queue.
    Messages(u32),
    /// It takes nothing more.
    Draining,
}

/// What stands behind `X-SUBMIT `.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Who speaks, and which disk it has. First on each connection.
    Hello {
        /// The speaker.
        member: MemberName,
        /// Its disk.
        store: StoreId,
    },
    /// Envelope and body follow, once the reply is 354.
    Offer {
        /// The hand-over.
        transfer: TransferId,
        /// Counts the offers of this transfer.
        offer: u32,
        /// How many octets of envelope follow.
        envelope_octets: u32,
        /// How many octets of body follow.
        body_octets: u64,
        /// Of envelope and body; see [`super::envelope::transfer_digest`].
        digest: Digest,
        /// Of the body alone, from a sender that can go on where the body broke off.
        #[serde(skip_serializing_if = "Option::is_none")]
        resume: Option<Digest>,
    },
    /// Take custody.
    Commit {
        /// The hand-over.
        transfer: TransferId,
        /// Which offer.
        offer: u32,
    },
    /// Accepted, or fenced for ever up to this offer?
    Resolve {
        /// The hand-over.
        transfer: TransferId,
        /// All offers up to this one.
        offer: u32,
    },
    /// What is known of it?
    Status {
        /// The hand-over.
        transfer: TransferId,
    },
    /// These are over.
    Release(Release),
}

/// The text of a positive reply to `X-SUBMIT`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Who answers `HELLO`, and which disk it has.
    Hello {
        /// The speaker.
        member: MemberName,
        /// Its disk.
        store: StoreId,
        /// How much it has to do, if it queues for the asker.
        #[serde(skip_serializing_if = "Option::is_none")]
        load: Option<Load>,
    },
    /// All octets of the offer are here and the digest is right; nothing is promised.
    Transferred {
        /// The hand-over.
        transfer: TransferId,
        /// Which offer.
        offer: u32,
    },
    /// Custody is with the speaker, durably.
    Accepted {
        /// The hand-over.
        transfer: TransferId,
        /// The queue id there; the same for each repeat.
        queue: QueueId,
    },
    /// Fenced, durably: no offer up to this one will ever be accepted.
    Refused {
        /// The hand-over.
        transfer: TransferId,
        /// All offers up to this one.
        offer: u32,
    },
    /// Nothing is known of it, and nothing follows from that.
    Unknown {
        /// The hand-over.
        transfer: TransferId,
    },
    /// The sender itself has said that it is over.
    Done {
        /// The hand-over.
        transfer: TransferId,
    },
    /// `RELEASE` is understood.
    Released,
}

impl Command {
    /// Reads what stands behind `X-SUBMIT `.
    ///
    /// # Errors
    /// What was expected where, counted from the start of `text`.
    pub fn decode(text: &str) -> Result<Self, DecodeError> {
        clause!(WI_060);
        let verbs = "HELLO, OFFER, COMMIT, RESOLVE, STATUS or RELEASE";
        let command = alt((
            verb("HELLO", map(hello, |(member, store)| Self::Hello { member, store })),
            verb("OFFER", offered),
            verb("COMMIT", map(numbered, |(transfer, offer)| Self::Commit { transfer, offer })),
            verb("RESOLVE", map(numbered, |(transfer, offer)| Self::Resolve { transfer, offer })),
            verb("STATUS", map(id, |transfer| Self::Status { transfer })),
            verb("RELEASE", map(release, Self::Release)),
        ));
        whole(text, "the end of the line", expect(verbs, command))
    }

    /// What stands behind `X-SUBMIT `.
    #[must_use]
    pub fn encode(&self) -> String {
        match self {
            Self::Hello { member, store } => format!("HELLO MEMBER={} STORE={store}", name(member)),
            Self::Offer { transfer, offer, envelope_octets, body_octets, digest, resume } => {
                let resume = resume.map(|body| format!(" RESUME={body}")).unwrap_or_default();
                format!(
                    "OFFER ID={} OFFER={offer} ENVELOPE={envelope_octets} BODY={body_octets} \
                     DIGEST={digest}{resume}",
                    encode_transfer(transfer)
                )
            }
            Self::Commit { transfer, offer } => {
                format!("COMMIT ID={} OFFER={offer}", encode_transfer(transfer))
            }
            Self::Resolve { transfer, offer } => {
                format!("RESOLVE ID={} OFFER={offer}", encode_transfer(transfer))
            }
            Self::Status { transfer } => format!("STATUS ID={}", encode_transfer(transfer)),
            Self::Release(release) => encode_release(release),
        }
    }
}

impl Answer {
    /// Reads the text of a positive reply, without code and status.
    ///
    /// # Errors
    /// What was expected where, counted from the start of `text`.
    pub fn decode(text: &str) -> Result<Self, DecodeError> {
        clause!(WI_061);
        let words = "MEMBER=, TRANSFERRED, ACCEPTED, REFUSED, UNKNOWN, DONE or RELEASED";
        let accepted = (id, field("QUEUE=", queue));
        let answer = alt((
            map(greeting, |(member, store, load)| Self::Hello { member, store, load }),
            verb(
                "TRANSFERRED",
                map(numbered, |(transfer, offer)| Self::Transferred { transfer, offer }),
            ),
            verb("ACCEPTED", map(accepted, |(transfer, queue)| Self::Accepted { transfer, queue })),
            verb("REFUSED", map(numbered, |(transfer, offer)| Self::Refused { transfer, offer })),
            verb("UNKNOWN", map(id, |transfer| Self::Unknown { transfer })),
            verb("DONE", map(id, |transfer| Self::Done { transfer })),
            map(tag_no_case("RELEASED"), |_| Self::Released),
        ));
        whole(text, "the end of the line", expect(words, answer))
    }

    /// Reads a reply: `250 2.0.0` and one line of text.
    ///
    /// # Errors
    /// What was expected where, counted from the start of the text; zero for another code.
    pub fn of_reply(reply: &Reply) -> Result<Self, DecodeError> {
        let is_one = reply.code() == 250 && reply.lines().len() == 1;
        if !is_one || reply.status() != Some(OK) {
            return Err(DecodeError { offset: 0, expected: "250 2.0.0 on one line" });
        }
        Self::decode(reply.text())
    }

    /// The text, without code and status.
    #[must_use]
    pub fn encode(&self) -> String {
        match self {
            Self::Hello { member, store, load } => {
                let load = match load {
                    None => String::new(),
                    Some(Load::Messages(count)) => format!(" LOAD={count}"),
                    Some(Load::Draining) => String::from(" LOAD=DRAINING"),
                };
                format!("MEMBER={} STORE={store}{load}", name(member))
            }
            Self::Transferred { transfer, offer } => {
                format!("TRANSFERRED ID={} OFFER={offer}", encode_transfer(transfer))
            }
            Self::Accepted { transfer, queue } => {
                format!("ACCEPTED ID={} QUEUE={queue}", encode_transfer(transfer))
            }
            Self::Refused { transfer, offer } => {
                format!("REFUSED ID={} OFFER={offer}", encode_transfer(transfer))
            }
            Self::Unknown { transfer } => format!("UNKNOWN ID={}", encode_transfer(transfer)),
            Self::Done { transfer } => format!("DONE ID={}", encode_transfer(transfer)),
            Self::Released => String::from("RELEASED"),
        }
    }

    /// The whole reply.
    #[must_use]
    pub fn reply(&self) -> Reply {
        Reply::new(250, OK, &self.encode())
    }
}

const OK: Status = Status::new(2, 0, 0);

/// The reply to an offer whose octets may come: the body from octet `offset` on.
#[must_use]
pub fn go_ahead(offset: u64) -> Reply {
    match offset {
        0 => Reply::new(354, OK, "Go ahead"),
        offset => Reply::new(354, OK, &format!("RESUME={offset}")),
    }
}

/// From which octet of the body on a 354 wants it; zero where it says nothing of that.
///
/// # Errors
/// `RESUME=` and something that is no number.
pub fn go_ahead_from(reply: &Reply) -> Result<u64, DecodeError> {
    clause!(WI_054);
    // A 354 has a status of no class of its own, so it is a part of the text.
    let text = reply.text().strip_prefix("2.0.0 ").unwrap_or_else(|| reply.text());
    if !text.get(..7).is_some_and(|word| word.eq_ignore_ascii_case("RESUME=")) {
        return Ok(0);
    }
    whole(text, "the end of the line", preceded(tag_no_case("RESUME="), cut(number)))
}

/// A word and what must follow it.
fn verb<'a, O>(
    word: &'static str,
    arguments: impl Parser<&'a str, Output = O, Error = Failure>,
) -> impl Parser<&'a str, Output = O, Error = Failure> {
    preceded(tag_no_case(word), cut(arguments))
}

fn hello(input: &str) -> Parsed<'_, (MemberName, StoreId)> {
    (field("MEMBER=", member), field("STORE=", store)).parse(input)
}

fn greeting(input: &str) -> Parsed<'_, (MemberName, StoreId, Option<Load>)> {
    let load = alt((map(tag_no_case("DRAINING"), |_| Load::Draining), map(number, Load::Messages)));
    let load = opt(preceded((char(' '), tag_no_case("LOAD=")), cut(load)));
    preceded(tag_no_case("MEMBER="), cut((member, field("STORE=", store), load))).parse(input)
}

fn id(input: &str) -> Parsed<'_, TransferId> {
    field("ID=", transfer).parse(input)
}

fn numbered(input: &str) -> Parsed<'_, (TransferId, u32)> {
    (id, field("OFFER=", number)).parse(input)
}

fn offered(input: &str) -> Parsed<'_, Command> {
    let resume = opt(preceded((char(' '), tag_no_case("RESUME=")), cut(digest)));
    let parts = (
        numbered,
        field("ENVELOPE=", number),
        field("BODY=", number),
        field("DIGEST=", digest),
        resume,
    );
    let offer = |((transfer, offer), envelope_octets, body_octets, digest, resume)| {
        Command::Offer { transfer, offer, envelope_octets, body_octets, digest, resume }
    };
    map(parts, offer).parse(input)
}

fn release(input: &str) -> Parsed<'_, Release> {
    let minted = || separated_pair(incarnation, expect("`/`", char('/')), number);
    let few = |except: &Vec<_>| except.len() <= EXCEPTIONS_LIMIT;
    let except = verify(separated_list1(char(','), minted()), few);
    let except =
        opt(preceded((char(' '), tag_no_case("EXCEPT=")), cut(expect("at most 16 ids", except))));
    let parts = (
        field("BOOT=", number),
        field("INCARNATION=", incarnation),
        field("UPTO=", number),
        except,
    );
    let release = |(boot, incarnation, upto, except): (_, _, _, Option<Vec<_>>)| Release {
        boot,
        incarnation,
        upto,
        except: except.unwrap_or_default(),
    };
    map(parts, release).parse(input)
}

fn encode_release(release: &Release) -> String {
    let Release { boot, incarnation, upto, except } = release;
    assert!(except.len() <= EXCEPTIONS_LIMIT, "a sender names no more");
    let mut line = format!("RELEASE BOOT={boot} INCARNATION={incarnation} UPTO={upto}");
    for (place, (incarnation, sequence)) in except.iter().enumerate() {
        let before = if place == 0 { " EXCEPT=" } else { "," };
        line.push_str(&format!("{before}{incarnation}/{sequence}"));
    }
    line
}
