//! The only interpreter of effects. Every host drives this, so "durable before spoken" is enforced in
//! one place and nowhere else.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use serde::Serialize;

use super::{Choose, Cx, Effect, Gate, Input, Machine, Span, Ticket, Time};

/// The most effects that may wait for the disk. A host that reaches it has stopped writing.
pub const WAITING_LIMIT: usize = 1 << 20;

/// What the host must do now, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(bound = "", rename_all = "snake_case")]
pub enum Act<M: Machine> {
    /// Open a connection.
    Open {
        /// Its name.
        peer: M::Peer,
        /// Where to.
        endpoint: M::Endpoint,
    },
    /// Close a connection after what was sent on it.
    Close {
        /// Which one.
        peer: M::Peer,
    },
    /// Put it on the wire.
    Send {
        /// To whom.
        to: M::Peer,
        /// What.
        pdu: M::Pdu,
    },
    /// Ask the world.
    Ask {
        /// Comes back with the answer.
        ticket: Ticket,
        /// The question.
        query: M::Query,
    },
    /// Start or restart a timer.
    Arm {
        /// Its name.
        timer: M::Timer,
        /// When it may fire.
        within: RangeInclusive<Span>,
    },
    /// Stop a timer.
    Disarm(M::Timer),
    /// Write this change, after all earlier ones; then call [`Node::stored`] once.
    Write(M::Change),
    /// Tell the log.
    Event(M::Event),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Slot<M: Machine> {
    Held(Act<M>),
    Barrier,
}

/// A machine with its outbox.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node<M: Machine> {
    machine: M,
    /// Held effects, with a barrier for each change that is not on disk yet.
    waiting: VecDeque<Slot<M>>,
    armed: BTreeSet<M::Timer>,
}

impl<M: Machine> Node<M> {
    /// Starts a machine from what survived.
    #[must_use]
    pub fn boot(
        config: &M::Config,
        durable: &M::Durable,
        now: Time,
        choose: &mut dyn Choose,
    ) -> (Self, Vec<Act<M>>) {
        let mut out = Vec::new();
        let machine = M::boot(config, durable, &mut Cx { now, choose, out: &mut out });
        let mut node = Self { machine, waiting: VecDeque::new(), armed: BTreeSet::new() };
        let acts = node.interpret(out);
        (node, acts)
    }

    /// Gives the machine one input. A timer that is not armed any more is stale and changes nothing.
    #[must_use]
    pub fn step(
        &mut self,
        config: &M::Config,
        input: Input<M>,
        now: Time,
        choose: &mut dyn Choose,
    ) -> Vec<Act<M>> {
        if let Input::Timer(timer) = &input
            && !self.armed.remove(timer)
        {
            return Vec::new();
        }
        let mut out = Vec::new();
        self.machine.step(config, input, &mut Cx { now, choose, out: &mut out });
        self.interpret(out)
    }

    /// The oldest change that was handed out is on disk: what waited for it may leave.
    #[must_use]
    pub fn stored(&mut self) -> Vec<Act<M>> {
        let first = self.waiting.pop_front();
        assert!(matches!(first, Some(Slot::Barrier)), "the front of the outbox is a barrier");
        let mut acts = Vec::new();
        while matches!(self.waiting.front(), Some(Slot::Held(_))) {
            let Some(Slot::Held(act)) = self.waiting.pop_front() else { unreachable!() };
            acts.push(act);
        }
        acts
    }

    /// Whether some change is not on disk yet.
    #[must_use]
    pub fn is_writing(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// How many changes are not on disk yet.
    #[must_use]
    pub fn writes_in_flight(&self) -> usize {
        self.waiting.iter().filter(|slot| matches!(slot, Slot::Barrier)).count()
    }

    /// The machine, to look at.
    pub const fn machine(&self) -> &M {
        &self.machine
    }

    /// The timers that run.
    pub const fn armed(&self) -> &BTreeSet<M::Timer> {
        &self.armed
    }

    fn interpret(&mut self, effects: Vec<Effect<M>>) -> Vec<Act<M>> {
        let mut acts = Vec::with_capacity(effects.len());
        for effect in effects {
            match effect {
                Effect::Store(change) => {
                    self.waiting.push_back(Slot::Barrier);
                    acts.push(Act::Write(change));
                }
                Effect::Open { peer, endpoint } => acts.push(Act::Open { peer, endpoint }),
                Effect::Close { peer } => {
                    self.release(&peer.clone(), Gate::Now, Act::Close { peer }, &mut acts);
                }
                Effect::Send { to, pdu, gate } => {
                    self.release(&to.clone(), gate, Act::Send { to, pdu }, &mut acts);
                }
                Effect::Ask { ticket, query, gate: Gate::Durable } if self.is_writing() => {
                    self.hold(Act::Ask { ticket, query });
                }
                Effect::Ask { ticket, query, .. } => acts.push(Act::Ask { ticket, query }),
                Effect::Arm { timer, within } => {
                    assert!(within.start() <= within.end(), "a timer's range is not empty");
                    self.armed.insert(timer.clone());
                    acts.push(Act::Arm { timer, within });
                }
                Effect::Disarm(timer) => {
                    if self.armed.remove(&timer) {
                        acts.push(Act::Disarm(timer));
                    }
                }
                Effect::Event(event) => acts.push(Act::Event(event)),
            }
        }
        acts
    }

    /// What is said to one peer never overtakes what was said to it before, whatever its gate.
    fn release(&mut self, peer: &M::Peer, gate: Gate, act: Act<M>, acts: &mut Vec<Act<M>>) {
        let overtakes = self.waiting.iter().any(|slot| match slot {
            Slot::Held(Act::Send { to, .. }) => to == peer,
            Slot::Held(Act::Close { peer: closing }) => closing == peer,
            _ => false,
        });
        if overtakes || (gate == Gate::Durable && self.is_writing()) {
            self.hold(act);
        } else {
            acts.push(act);
        }
    }

    fn hold(&mut self, act: Act<M>) {
        assert!(self.waiting.len() < WAITING_LIMIT, "the host writes what it is told to write");
        assert!(!self.waiting.is_empty(), "only a pending write holds an effect back");
        self.waiting.push_back(Slot::Held(act));
    }
}
