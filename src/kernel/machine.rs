//! What a machine is: one total function from an input to effects.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Debug;
use core::hash::Hash;
use core::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::{Choose, Span, Time};

/// When an effect may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Gate {
    /// At once.
    Now,
    /// Only after every [`Effect::Store`] before it is on disk: durable before spoken.
    Durable,
}

/// Names a question to the world, so that its answer finds the asker. Tickets are reused; see
/// [`super::Tickets`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ticket(pub u32);

/// What happened to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum LinkChange {
    /// It is open.
    Up,
    /// The far end refused it.
    Refused,
    /// It was not open in time.
    TimedOut,
    /// It broke.
    Lost,
    /// The far end closed it in order.
    Closed,
}

/// A protocol machine.
///
/// The host owns time, disk, network and entropy. A machine owns its state and nothing else, so that
/// tokio, the simulator, the model checker and the conformance adapter can all drive the same one.
pub trait Machine: Clone + Debug + Eq + Hash + Sized {
    /// What the machine is told once and on each reconfiguration.
    type Config: Clone + Debug;
    /// Who can talk to it.
    type Peer: Clone + Debug + Ord + Hash + Serialize;
    /// Where a connection can be opened to.
    type Endpoint: Clone + Debug + Eq + Hash + Serialize;
    /// What peers say.
    type Pdu: Clone + Debug + Eq + Hash + Serialize;
    /// Timers have names, never deadlines.
    type Timer: Clone + Debug + Ord + Hash + Serialize;
    /// One atomic durable step.
    type Change: Clone + Debug + Eq + Hash + Serialize;
    /// The fold of all changes: what survives a crash.
    type Durable: Clone + Debug + Default + Eq + Hash;
    /// A question to the world that is not a peer: a file, an account, the resolver.
    type Query: Clone + Debug + Eq + Hash + Serialize;
    /// The world's answer.
    type Answer: Clone + Debug + Eq + Hash + Serialize;
    /// What the operator or the layer above orders.
    type Command: Clone + Debug + Eq + Hash + Serialize;
    /// What the machine tells the log and the operator.
    type Event: Clone + Debug + Eq + Hash + Serialize;
    /// The projection onto the variables of the TLA+ model.
    type View: Clone + Debug + Eq + Serialize;

    /// Folds one change into the durable state. Total: a change that no longer fits is a bug of the
    /// machine that stored it, and asserts.
    fn apply(durable: &mut Self::Durable, change: &Self::Change);

    /// Starts from what survived.
    fn boot(config: &Self::Config, durable: &Self::Durable, cx: &mut Cx<'_, Self>) -> Self;

    /// Takes one input. Total: any input is allowed in any state.
    fn step(&mut self, config: &Self::Config, input: Input<Self>, cx: &mut Cx<'_, Self>);

    /// What the model would say of this state.
    fn view(&self) -> Self::View;
}

/// What can happen to a machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(bound = "")]
pub enum Input<M: Machine> {
    /// A peer said something well-formed.
    Pdu {
        /// The speaker.
        from: M::Peer,
        /// What it said.
        pdu: M::Pdu,
    },
    /// A connection changed.
    Link {
        /// Whose connection.
        peer: M::Peer,
        /// What changed.
        change: LinkChange,
    },
    /// A timer that the machine armed is due.
    Timer(M::Timer),
    /// The world answered.
    Answer {
        /// Which question.
        ticket: Ticket,
        /// The answer.
        answer: M::Answer,
    },
    /// The store could not be written; the host stops the machine after this step.
    StoreFailed {
        /// What the host knows of it.
        reason: String,
    },
    /// An order.
    Command(M::Command),
    /// The configuration that is passed from this step on is a new one.
    Configuration,
}

/// What a machine wants done.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(bound = "", rename_all = "snake_case")]
pub enum Effect<M: Machine> {
    /// Open a connection; the machine names the peer that it will be.
    Open {
        /// The name of the connection from now on; never used before.
        peer: M::Peer,
        /// Where to.
        endpoint: M::Endpoint,
    },
    /// Close a connection after what was sent on it.
    Close {
        /// Which one.
        peer: M::Peer,
    },
    /// Say something.
    Send {
        /// To whom.
        to: M::Peer,
        /// What.
        pdu: M::Pdu,
        /// When it may leave.
        gate: Gate,
    },
    /// Ask the world.
    Ask {
        /// Comes back with the answer.
        ticket: Ticket,
        /// The question.
        query: M::Query,
        /// When it may leave.
        gate: Gate,
    },
    /// Start (or restart) a timer; the host picks the moment within the range.
    Arm {
        /// Its name.
        timer: M::Timer,
        /// Not before the start, not after the end.
        within: RangeInclusive<Span>,
    },
    /// Stop a timer.
    Disarm(M::Timer),
    /// Make a change durable.
    Store(M::Change),
    /// Tell the log.
    Event(M::Event),
}

/// What a step may use: the time, choices, and the buffer that takes its effects.
pub struct Cx<'a, M: Machine> {
    /// The host's time at this step. It may be copied into a change, and never compared but to turn
    /// a durable time back into a span.
    pub now: Time,
    /// Where choices come from.
    pub choose: &'a mut dyn Choose,
    /// The effects of this step, in order. The host owns the buffer.
    pub out: &'a mut Vec<Effect<M>>,
}

impl<M: Machine> Cx<'_, M> {
    /// Says `pdu` at once.
    pub fn send(&mut self, to: M::Peer, pdu: M::Pdu) {
        self.out.push(Effect::Send { to, pdu, gate: Gate::Now });
    }

    /// Says `pdu` once everything stored so far is on disk.
    pub fn send_durable(&mut self, to: M::Peer, pdu: M::Pdu) {
        self.out.push(Effect::Send { to, pdu, gate: Gate::Durable });
    }

    /// Asks the world at once.
    pub fn ask(&mut self, ticket: Ticket, query: M::Query) {
        self.out.push(Effect::Ask { ticket, query, gate: Gate::Now });
    }

    /// Asks the world once everything stored so far is on disk.
    pub fn ask_durable(&mut self, ticket: Ticket, query: M::Query) {
        self.out.push(Effect::Ask { ticket, query, gate: Gate::Durable });
    }

    /// Opens a connection.
    pub fn open(&mut self, peer: M::Peer, endpoint: M::Endpoint) {
        self.out.push(Effect::Open { peer, endpoint });
    }

    /// Closes a connection after what was sent on it.
    pub fn close(&mut self, peer: M::Peer) {
        self.out.push(Effect::Close { peer });
    }

    /// Starts a timer that fires after exactly `span`.
    pub fn arm(&mut self, timer: M::Timer, span: Span) {
        self.out.push(Effect::Arm { timer, within: span..=span });
    }

    /// Stops a timer.
    pub fn disarm(&mut self, timer: M::Timer) {
        self.out.push(Effect::Disarm(timer));
    }

    /// Makes `change` durable.
    pub fn store(&mut self, change: M::Change) {
        self.out.push(Effect::Store(change));
    }

    /// Tells the log.
    pub fn event(&mut self, event: M::Event) {
        self.out.push(Effect::Event(event));
    }
}
