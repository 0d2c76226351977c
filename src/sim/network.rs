//! The virtual network: connections as two ordered streams of octets.
//!
//! TCP hides packet loss, so what a program sees of a bad network is delay, a refused or silent
//! connect, a stream that stands still, and a stream that breaks while the far end may not know. Those
//! are the faults here. Octets never overtake one another and never change.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::draw::{Delays, Dice};
use crate::kernel::{Span, Time};
use crate::protocol::member::Port;
use crate::wire::ids::ConnectionId;

/// A host in the order of the organization's file.
pub type HostIndex = usize;

/// Who stands at one end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A member, in one of its lives.
    Member {
        /// Which host.
        host: HostIndex,
        /// The host's name for the connection.
        connection: ConnectionId,
    },
    /// A client of the workload.
    Client(usize),
    /// The outside server, which takes all mail.
    Outside(usize),
    /// Nobody yet: the connect has not arrived.
    Nobody,
}

/// The two ends: who opened the connection, and who took it.
pub const OPENER: usize = 0;
/// See [`OPENER`].
pub const TAKER: usize = 1;

/// Names a connection in the whole world; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PipeId(pub u64);

/// Where a connection is opened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A port of a member.
    Member(HostIndex, Port),
    /// The outside server.
    Outside,
}

/// What travels towards one end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parcel {
    /// Octets.
    Octets(Vec<u8>),
    /// The orderly end of the stream.
    Finish,
}

/// One end of a connection, and the stream towards it.
#[derive(Clone, Debug)]
struct Side {
    end: End,
    /// Nothing arrives before this.
    not_before: Time,
    /// This end still listens.
    alive: bool,
    /// What arrived while the connection was cut.
    held: Vec<Parcel>,
    /// The far end has ended the stream towards us; nothing may follow.
    finished: bool,
}

/// A connection.
#[derive(Clone, Debug)]
pub struct Pipe {
    /// Where it was opened to.
    pub target: Target,
    sides: [Side; 2],
    /// The directed pair of hosts that a cut names; clients are never cut.
    pair: Option<(HostIndex, HostIndex)>,
    frozen: bool,
}

impl Pipe {
    /// Who stands at `side`.
    #[must_use]
    pub fn end(&self, side: usize) -> End {
        self.sides[side].end
    }

    /// Whether the end at `side` still listens.
    #[must_use]
    pub fn is_alive(&self, side: usize) -> bool {
        self.sides[side].alive
    }
}

/// How a cut looks to the opener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Connects are refused, and open connections break at once.
    Refuse,
    /// Connects get no answer, and open connections stand still.
    Silence,
}

/// How a connect fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connect {
    /// It arrives after this span.
    Arrives(Span),
    /// It is refused after this span.
    Refused(Span),
    /// Nobody answers; the opener gives up after this span.
    TimedOut(Span),
}

/// How long a connect waits for an answer.
pub const CONNECT_TIMEOUT: Span = Span::seconds(30);

/// All connections and all cuts.
#[derive(Debug, Default)]
pub struct Network {
    pipes: BTreeMap<PipeId, Pipe>,
    next: u64,
    cuts: BTreeMap<(HostIndex, HostIndex), Cut>,
}

impl Network {
    /// A connection, while one of its ends listens.
    #[must_use]
    pub fn pipe(&self, id: PipeId) -> Option<&Pipe> {
        self.pipes.get(&id)
    }

    /// The connections in the order of their opening.
    pub fn pipes(&self) -> impl Iterator<Item = (PipeId, &Pipe)> {
        self.pipes.iter().map(|(id, pipe)| (*id, pipe))
    }

    /// The directed pairs that are cut.
    #[must_use]
    pub fn cuts(&self) -> BTreeSet<(HostIndex, HostIndex)> {
        self.cuts.keys().copied().collect()
    }

    /// Starts a connect from `opener`, and says how it will fare.
    pub fn open(
        &mut self,
        opener: End,
        target: Target,
        now: Time,
        delays: &Delays,
        dice: &mut Dice<'_>,
    ) -> (PipeId, Connect) {
        let id = PipeId(self.next);
        self.next += 1;
        let pair = match (opener, target) {
            (End::Member { host, .. }, Target::Member(to, _)) => Some((host, to)),
            _ => None,
        };
        let side =
            |end| Side { end, not_before: now, alive: true, held: Vec::new(), finished: false };
        let pipe = Pipe { target, sides: [side(opener), side(End::Nobody)], pair, frozen: false };
        self.pipes.insert(id, pipe);
        let delay = dice.span("net.connect", &delays.network);
        let connect = match pair.and_then(|pair| self.cuts.get(&pair)) {
            None => Connect::Arrives(delay),
            Some(Cut::Refuse) => Connect::Refused(delay),
            Some(Cut::Silence) => Connect::TimedOut(CONNECT_TIMEOUT),
        };
        (id, connect)
    }

    /// The connect arrived at `taker`. Returns when the opener knows it.
    pub fn take(&mut self, id: PipeId, taker: End, now: Time, delay: Span) -> Option<Time> {
        let pipe = self.pipes.get_mut(&id)?;
        assert!(pipe.sides[TAKER].end == End::Nobody, "a connect arrives once");
        pipe.sides[TAKER].end = taker;
        let known = now + delay;
        // The first octets of the taker come after the news that it took the connection.
        pipe.sides[OPENER].not_before = known;
        Some(known)
    }

    /// Puts `parcel` on the stream from `side` to the other end; returns when it arrives, if anybody
    /// is there to take it.
    pub fn put(
        &mut self,
        id: PipeId,
        side: usize,
        parcel: &Parcel,
        now: Time,
        delay: Span,
    ) -> Option<Time> {
        let far = &mut self.pipes.get_mut(&id)?.sides[1 - side];
        if far.finished {
            return None;
        }
        far.finished = *parcel == Parcel::Finish;
        let arrives = (now + delay).max(far.not_before);
        far.not_before = arrives;
        Some(arrives)
    }

    /// Something arrives at `side`: the parcel comes back when the end may have it now.
    pub fn arrive(&mut self, id: PipeId, side: usize, parcel: Parcel) -> Option<(End, Parcel)> {
        let pipe = self.pipes.get_mut(&id)?;
        if !pipe.sides[side].alive {
            return None;
        }
        if pipe.frozen {
            pipe.sides[side].held.push(parcel);
            return None;
        }
        Some((pipe.sides[side].end, parcel))
    }

    /// The stream towards both ends stands still until `until`.
    pub fn stall(&mut self, id: PipeId, until: Time) {
        if let Some(pipe) = self.pipes.get_mut(&id) {
            for side in &mut pipe.sides {
                side.not_before = side.not_before.max(until);
            }
        }
    }

    /// The end at `side` listens no more. Returns who it was, when it still listened.
    pub fn leave(&mut self, id: PipeId, side: usize) -> Option<End> {
        let pipe = self.pipes.get_mut(&id)?;
        let listened = core::mem::replace(&mut pipe.sides[side].alive, false);
        let end = pipe.sides[side].end;
        if pipe.sides.iter().all(|side| !side.alive || side.end == End::Nobody) {
            self.pipes.remove(&id);
        }
        listened.then_some(end)
    }

    /// Whether a connection stands still because of a cut.
    #[must_use]
    pub fn is_frozen(&self, id: PipeId) -> bool {
        self.pipes.get(&id).is_some_and(|pipe| pipe.frozen)
    }

    /// Cuts connections that `from` opens to `to`. Returns the open ones.
    pub fn cut(&mut self, from: HostIndex, to: HostIndex, cut: Cut) -> Vec<PipeId> {
        self.cuts.insert((from, to), cut);
        let mut hit = Vec::new();
        for (id, pipe) in &mut self.pipes {
            if pipe.pair == Some((from, to)) {
                pipe.frozen = cut == Cut::Silence;
                hit.push(*id);
            }
        }
        hit
    }

    /// Heals a cut. Returns what was held, in order, to be delivered now.
    pub fn heal(&mut self, from: HostIndex, to: HostIndex) -> Vec<(PipeId, usize, Parcel)> {
        self.cuts.remove(&(from, to));
        let mut released = Vec::new();
        for (id, pipe) in &mut self.pipes {
            if pipe.pair != Some((from, to)) || !core::mem::take(&mut pipe.frozen) {
                continue;
            }
            for (place, side) in pipe.sides.iter_mut().enumerate() {
                released.extend(side.held.drain(..).map(|parcel| (*id, place, parcel)));
            }
        }
        released
    }
}
