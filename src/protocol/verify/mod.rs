//! Who may come in: the hosts of accounts are asked before a recipient is answered at the door.
//!
//! The organization's file says which accounts there are; only the host of one knows whether it takes
//! mail now and has room. So the member that a client talks to asks the host, on a connection of its
//! own beside those of DELIVER, and waits for a short while. A host that is away stops nothing at the
//! door: then the file decides, and the queue waits for the host.

mod asking;
mod telling;

use alloc::collections::{BTreeMap, BTreeSet};

use crate::kernel::Span;
use crate::wire::ids::{ConnectionId, MemberName};
use crate::wire::message::Refusal;

/// How long a client waits for what hosts say.
pub(crate) const VERIFY_WAIT: Span = Span::seconds(5);
/// How long a host that has not answered is left alone.
pub(crate) const CONSULT_PAUSE: Span = Span::seconds(60);

/// A recipient at the door: whose it is, and which of that client's it is. An answer that comes when the
/// next one stands there is not for that one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Door {
    client: ConnectionId,
    turn: u32,
}

/// Who asks about an account of ours.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Asker {
    /// A client of ours, whose recipient it is.
    Client(Door),
    /// A member, under the id that it gave to its question.
    Member(ConnectionId, u32),
}

/// The recipients that wait at the door, and the connections on which hosts are asked about them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Verifier {
    /// Our connection to each host that is asked.
    channels: BTreeMap<MemberName, Channel>,
    /// The clients that wait: a client has one recipient at the door.
    waiting: BTreeMap<ConnectionId, Waiting>,
    /// The number of the last recipient at the door.
    turns: u32,
    /// The hosts that have not answered, and are not asked for now.
    mute: BTreeSet<MemberName>,
}

/// Our connection to a host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Channel {
    connection: ConnectionId,
    /// The questions without an answer yet.
    open: BTreeMap<u32, Open>,
}

/// A question without an answer yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Open {
    /// Which recipient waits for it, or has waited.
    door: Door,
    /// What the file says, if no answer comes.
    filed: Option<Refusal>,
}

/// A recipient at the door.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Waiting {
    /// Which of the client's recipients it is.
    turn: u32,
    /// How many answers are still to come.
    answers: u32,
}

impl Channel {
    /// The smallest number that no open question has: what is remembered stays small.
    fn free_id(&self) -> u32 {
        (0..)
            .find(|id| !self.open.contains_key(id))
            .expect("there are fewer questions than numbers")
    }
}
