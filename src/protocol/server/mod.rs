//! A whole server: one [`super::member::Member`] and a session for each connection.
//!
//! The host maps sockets to connection ids and does what it is told. It cuts the octets that it reads
//! with a [`crate::wire::Framer`] in the mode that the session asked for, one unit at a time: after
//! each unit (a line, a block, a frame, a whole body) nothing more is read until [`Wire::Receive`].

mod clients;
mod custody;
mod partials;
mod table;

use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;

pub(in crate::protocol) use clients::{Charge, Clients};
pub use custody::Custody;
pub use partials::{
    PARTIAL_TIME, PARTIALS_LIMIT, PARTIALS_LIMIT_OCTETS, PARTIALS_OF_A_MEMBER_LIMIT, PartialName,
    Partials,
};
pub use table::{Server, ServerOf};

use super::member::{self, Port};
use super::operator::Ordered;
use super::organization::Verdict;
use crate::wire::ids::{ConnectionId, MemberName};
use crate::wire::message::{Body, BodyKey, Digest};
use crate::wire::smtp::auth::{Login, Secret, serialize_line};
use crate::wire::{DecodeError, Mode};

/// What passes between a session and the octets of its connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wire {
    /// In and out: a line without CRLF.
    Line(#[serde(serialize_with = "serialize_line")] Vec<u8>),
    /// In: the line that [`Mode::Secret`] asked for.
    Secret(Secret),
    /// In: the octets that [`Mode::Block`] announced.
    Block(Vec<u8>),
    /// In and out: the content of a counted frame.
    Frame(Vec<u8>),
    /// In: the body that the mode announced is complete and kept (synced if large) under its key.
    Body(Body),
    /// In: the body was read to its end but is not kept: too large, malformed, no space.
    NoBody(BodyProblem),
    /// In: more octets of the content at hand have come, and not all of it yet: its sender is alive.
    Progress,
    /// In: the octets do not fit the mode.
    Bad {
        /// Where, from the first octet of the line or frame, and what was expected there.
        error: DecodeError,
        /// What had come of that line or frame; nothing of a secret one.
        #[serde(serialize_with = "serialize_line")]
        said: Vec<u8>,
    },
    /// In: TLS is on; the certificate proves this member, or none.
    Secured(Option<MemberName>),
    /// In: so many octets of the body that was named are kept; it goes on behind them.
    Kept(u64),
    /// In: TLS with a server outside the organization has failed for this reason; nothing passes any more.
    Unsecured(String),
    /// In: reading stopped at the end of the stream. The host sends this before `Link Closed`.
    End,
    /// Out: the next text is what is missing of this body. The host says how much is kept, and gives the
    /// whole body once the text is complete; where the connection ends before, it keeps what has come.
    Resume(PartialName),
    /// Out: forget a body that was given; nothing names it, and nothing will.
    Forget(BodyKey),
    /// Out: the answer to an order, to whoever gave it. No session speaks it.
    Ordered(Ordered),
    /// Out: may they come in? Answered by `Checked`; as an answer takes work, it may come too late.
    Check {
        /// Counts the questions of this connection.
        attempt: u32,
        /// Who, and by what.
        login: Login,
    },
    /// In: the answer to `Check`.
    Checked {
        /// To which question.
        attempt: u32,
        /// The answer.
        verdict: Verdict,
    },
    /// Out: how to read on. Until the session says so after a unit, nothing more is read.
    Receive(Mode),
    /// Out: start TLS after what was sent; as the server or as the client.
    StartTls,
    /// Out: stream a kept body, after `prefix`.
    Content {
        /// Octets before the body.
        prefix: Vec<u8>,
        /// The body.
        body: Body,
        /// How to code it.
        coding: Coding,
        /// The octets before this one are left out: the far end has them.
        #[serde(skip_serializing_if = "is_zero")]
        from: u64,
    },
}

/// What serde asks.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// How a body is put on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Coding {
    /// Dot-stuffed, ended by `<CRLF>.<CRLF>`.
    Dots,
    /// As it is.
    Octets,
}

/// Why a body is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyProblem {
    /// Longer than allowed.
    TooLarge,
    /// A bare CR or LF, at this offset.
    BareLineEnd(u64),
    /// More hops behind it than a message from outside may have, the first of them at this offset.
    TooManyHops(u64),
    /// A bare CR or LF, at this offset of octets that were announced with their number, and the digest
    /// of all of them: it tells whether the octets are those that the far end has.
    Unfit {
        /// Where.
        offset: u64,
        /// Of all octets.
        digest: Digest,
    },
    /// No space, or another failure of the store that leaves the spool intact.
    NoSpace,
}

/// What the host tells the server beside octets.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// A client connected.
    Accepted {
        /// An odd number, never used before.
        connection: ConnectionId,
        /// To which port.
        port: Port,
        /// From where, `ADDRESS`, for logs and trace.
        remote: String,
        /// The member that is proved already: by TLS on the group and delivery ports, or by its
        /// address where the organization runs without TLS (tests only).
        member: Option<MemberName>,
    },
    /// No new connections; finish what is open. The host stops when all have closed. Told again, before the
    /// host stops in any case: clients that are still in the midst of content hear that.
    ShutDown,
    /// For the member.
    Member(member::Command),
}
