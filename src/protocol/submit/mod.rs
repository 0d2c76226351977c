//! Hand-over: custody moves from one member to another, never lost and never doubled.

mod acceptor;
mod digest;
mod doubt;
mod event;
mod policy;
mod receiver;
mod release;
mod sender;
mod suspects;

use alloc::vec::Vec;

use crate::protocol::linkstate::{Neighbour, Way};
use crate::protocol::member::pdu::Parcel;
use crate::wire::ids::{MemberName, QueueId, StoreId, TransferId};
use crate::wire::message::{Digest, Refusal};

pub use acceptor::{BREAKER_FAILURES, BREAKER_SPAN, TRIES_LIMIT};
pub use doubt::DOUBT_INTERVAL;
pub use event::SubmitEvent;
pub use release::RELEASE_INTERVAL;

pub(crate) use acceptor::Acceptor;
pub(crate) use digest::{parcel_digest, recipient_digest};

/// The most offers of one connection that are complete and not committed.
pub const OFFERS_LIMIT: usize = 16;

/// A connection on which hand-over or news is spoken.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Exchange {
    /// Its name in the link-state machine; `None` for one that was opened only to resolve.
    pub(crate) neighbour: Option<Neighbour>,
    /// The member at the far end, as configured or proved.
    pub(crate) member: MemberName,
    /// The far end's disk, once it has said it.
    pub(crate) store: Option<StoreId>,
    /// Mail for this way may flow.
    pub(crate) ready: Option<Way>,
    /// Inbound: the far end's link state is merged here, so its mail may follow.
    pub(crate) merged: bool,
    /// What we wait for.
    pub(crate) dialogue: Dialogue,
    /// What the far end offered, complete and not committed; at most [`OFFERS_LIMIT`].
    pub(crate) offered: Vec<Offered>,
    /// RELEASE was said here, or there was nothing to say when mail could first flow.
    pub(crate) released: bool,
    /// How many hand-overs have ended here since.
    pub(crate) unreleased: u32,
}

/// What the sender waits for on a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Dialogue {
    /// Nothing.
    #[default]
    Idle,
    /// The answer to OFFER.
    Offered(Attempt),
    /// The answer to COMMIT. From here on the transfer is in doubt when the connection is lost.
    Committed(Attempt),
    /// The answer to RESOLVE.
    Resolving(QueueId, TransferId, u32),
    /// The answer to RELEASE.
    Releasing,
}

/// One offer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Attempt {
    /// The message.
    pub(crate) queue: QueueId,
    /// The hand-over.
    pub(crate) transfer: TransferId,
    /// Which offer.
    pub(crate) offer: u32,
    /// The way.
    pub(crate) way: Way,
    /// For whom.
    pub(crate) recipients: Vec<u32>,
}

/// An offer that is here completely.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Offered {
    /// The hand-over.
    pub(crate) transfer: TransferId,
    /// Which offer.
    pub(crate) offer: u32,
    /// The message.
    pub(crate) parcel: Parcel,
    /// Of envelope and body.
    pub(crate) digest: Digest,
}

impl Exchange {
    /// A connection that has just been named.
    pub(crate) const fn new(neighbour: Option<Neighbour>, member: MemberName) -> Self {
        Self {
            neighbour,
            member,
            store: None,
            ready: None,
            merged: false,
            dialogue: Dialogue::Idle,
            offered: Vec::new(),
            released: false,
            unreleased: 0,
        }
    }
}

/// Whether the same id is known there with another content.
pub(crate) fn is_conflict(refusal: &Refusal) -> bool {
    refusal.code == 554 && refusal.status == "5.7.0"
}

/// Whether a refusal is about the message, for ever: not about the dialogue (50z, 53z), not about a
/// conflict of contents, and not about octets that were damaged on the way (5.6.0).
pub(crate) fn is_verdict(refusal: &Refusal) -> bool {
    (550..600).contains(&refusal.code) && !is_conflict(refusal) && refusal.status != "5.6.0"
}
