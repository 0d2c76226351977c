//! One machine whose peers, timers and disk the test plays.

use std::collections::VecDeque;

use bridgehead::kernel::{Act, Input, LinkChange, Machine as _, Node, Seeded, Span, Time};
use bridgehead::protocol::master::election::{
    Election, ElectionChange, ElectionCommand, ElectionConfig, ElectionDurable, ElectionEvent,
    ElectionPeer, ElectionTimer,
};
use bridgehead::wire::election::ElectionPdu;
use bridgehead::wire::ids::MemberName;
use bridgehead::wire::record::Term;

use super::world::group;

pub(super) const LEASE: Span = Span::seconds(5);
pub(super) const LEASE_MS: u32 = 5_000;

pub(super) type Acts = Vec<Act<Election>>;

/// One member. What it writes is on disk when the test says so.
pub(super) struct Desk {
    pub(super) config: ElectionConfig,
    pub(super) node: Node<Election>,
    pub(super) disk: ElectionDurable,
    pub(super) unwritten: VecDeque<ElectionChange>,
    pub(super) dice: Seeded,
    pub(super) last: Acts,
}

impl Desk {
    pub(super) fn boot(config: ElectionConfig, disk: ElectionDurable, seed: u64) -> Self {
        let mut dice = Seeded::new(seed);
        let (node, acts) = Node::boot(&config, &disk, Time(0), &mut dice);
        let unwritten = acts.iter().filter_map(written).collect();
        let mut desk = Self { config, node, disk, unwritten, dice, last: acts };
        desk.store();
        desk
    }

    /// The member at this place of a group of three, just booted.
    pub(super) fn new(place: usize) -> Self {
        Self::of((3, false, 1), place)
    }

    pub(super) fn of(shape: (usize, bool, usize), place: usize) -> Self {
        let config = group(shape, (LEASE, 50_000), &[]).swap_remove(place);
        Self::boot(config, ElectionDurable::default(), 1)
    }

    /// The same, once it may vote.
    pub(super) fn ready(place: usize) -> Self {
        let mut desk = Self::new(place);
        desk.fire(ElectionTimer::Promise);
        desk
    }

    pub(super) fn step(&mut self, input: Input<Election>) -> &Acts {
        let acts = self.node.step(&self.config, input, Time(0), &mut self.dice);
        self.unwritten.extend(acts.iter().filter_map(written));
        self.last = acts;
        &self.last
    }

    /// Everything is on disk; what waited for that is behind the acts of the last step.
    pub(super) fn store(&mut self) {
        while let Some(change) = self.unwritten.pop_front() {
            Election::apply(&mut self.disk, &change);
            self.last.extend(self.node.stored());
        }
    }

    pub(super) fn fire(&mut self, timer: ElectionTimer) {
        assert!(self.node.armed().contains(&timer), "{timer:?} is not armed");
        self.step(Input::Timer(timer));
        self.store();
    }

    /// A candidate or holder says something; the answers, once all is stored.
    pub(super) fn asked(&mut self, member: &str, pdu: ElectionPdu) -> Vec<ElectionPdu> {
        self.step(Input::Pdu { from: convener(member), pdu });
        self.store();
        self.said(&convener(member))
    }

    pub(super) fn answered(&mut self, member: &str, pdu: ElectionPdu) {
        self.step(Input::Pdu { from: voter(member), pdu });
        self.store();
    }

    pub(super) fn link(&mut self, member: &str, change: LinkChange) {
        self.step(Input::Link { peer: voter(member), change });
        self.store();
    }

    pub(super) fn order(&mut self, command: ElectionCommand) {
        self.step(Input::Command(command));
        self.store();
    }

    /// What the last step has said to a peer.
    pub(super) fn said(&self, peer: &ElectionPeer) -> Vec<ElectionPdu> {
        let said = self.last.iter().filter_map(|act| match act {
            Act::Send { to, pdu } if to == peer => Some(pdu.clone()),
            _ => None,
        });
        said.collect()
    }

    pub(super) fn events(&self) -> Vec<ElectionEvent> {
        let events = self.last.iter().filter_map(|act| match act {
            Act::Event(event) => Some(event.clone()),
            _ => None,
        });
        events.collect()
    }

    /// The range of a timer that the last step has armed.
    pub(super) fn armed(&self, timer: &ElectionTimer) -> Option<(Span, Span)> {
        self.last.iter().rev().find_map(|act| match act {
            Act::Arm { timer: armed, within } if armed == timer => {
                Some((*within.start(), *within.end()))
            }
            _ => None,
        })
    }

    pub(super) fn leads(&self) -> bool {
        self.node.machine().leads().is_some()
    }

    pub(super) fn round(&self) -> u64 {
        self.node.machine().round()
    }

    /// Polls, with open connections to all that it calls.
    pub(super) fn stand(&mut self) {
        self.fire(ElectionTimer::Stand);
        self.connect();
    }

    pub(super) fn connect(&mut self) {
        let opened = self.last.iter().filter_map(|act| match act {
            Act::Open { endpoint, .. } => Some(endpoint.0.clone()),
            _ => None,
        });
        for member in opened.collect::<Vec<_>>() {
            self.link(&member, LinkChange::Up);
        }
    }

    /// Becomes the master by the word and the vote of one other.
    pub(super) fn elect(&mut self, other: &str) {
        self.stand();
        self.answered(other, ElectionPdu::Willing { round: self.round() });
        self.answered(other, ElectionPdu::Granted { round: self.round() });
        assert!(self.leads());
    }
}

fn written(act: &Act<Election>) -> Option<ElectionChange> {
    match act {
        Act::Write(change) => Some(change.clone()),
        _ => None,
    }
}

pub(super) fn convener(member: &str) -> ElectionPeer {
    ElectionPeer::Convener(MemberName::from(member))
}

pub(super) fn voter(member: &str) -> ElectionPeer {
    ElectionPeer::Voter(MemberName::from(member))
}

pub(super) fn term(counter: u64, member: &str) -> Term {
    Term { counter, member: MemberName::from(member), nonce: 7 }
}

pub(super) fn poll(counter: u64, member: &str) -> ElectionPdu {
    ElectionPdu::Poll { round: 40, term: term(counter, member), seats: None }
}

pub(super) fn vote(counter: u64, member: &str) -> ElectionPdu {
    vote_for(LEASE_MS, counter, member)
}

pub(super) fn vote_for(lease_ms: u32, counter: u64, member: &str) -> ElectionPdu {
    ElectionPdu::Vote { round: 40, term: term(counter, member), lease_ms, seats: None }
}

pub(super) const WILLING: ElectionPdu = ElectionPdu::Willing { round: 40 };
pub(super) const GRANTED: ElectionPdu = ElectionPdu::Granted { round: 40 };
pub(super) const OBEYED: ElectionPdu = ElectionPdu::Obeyed { round: 40 };

pub(super) fn unwilling(known: Option<Term>) -> ElectionPdu {
    ElectionPdu::Unwilling { round: 40, known, seats: None }
}

pub(super) fn refuse(known: Option<Term>) -> ElectionPdu {
    ElectionPdu::Refuse { round: 40, known, seats: None }
}

pub(super) fn lead(counter: u64, member: &str) -> ElectionPdu {
    ElectionPdu::Lead { round: 40, term: term(counter, member) }
}
