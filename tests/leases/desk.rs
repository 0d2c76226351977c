//! One machine whose peers and timers the test plays.

use std::collections::BTreeSet;

use bridgehead::kernel::{Act, Input, LinkChange, Machine, Node, Seeded, Span, Time};
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::master::accounts::{AccountsConfig, Granter, Holder};
use bridgehead::wire::accounts::{AccountsPdu, LeaseEpoch};
use bridgehead::wire::ids::MemberName;
use bridgehead::wire::message::Address;
use bridgehead::wire::record::Term;

/// In seconds.
pub(super) const ACCOUNT_LEASE_S: u32 = 5;
pub(super) const LEASE: Span = Span::seconds(5);

pub(super) fn ann() -> Address {
    Address::from("ann@a.test")
}

pub(super) fn bob() -> Address {
    Address::from("bob@a.test")
}

pub(super) fn member(name: &str) -> MemberName {
    MemberName::from(name)
}

pub(super) fn term(counter: u64, of: &str) -> Term {
    Term { counter, member: member(of), nonce: 7 }
}

pub(super) fn epoch(term: &Term, number: u64) -> LeaseEpoch {
    LeaseEpoch { term: term.clone(), number }
}

pub(super) fn both() -> BTreeSet<Address> {
    BTreeSet::from([ann(), bob()])
}

/// The configurations of the members `m1` and so on, in a group that leases two accounts.
pub(super) fn group(
    count: usize,
    (account_lease_s, drift_ppm): (u32, u32),
    planted: &[&str],
) -> Vec<AccountsConfig> {
    let members: BTreeSet<_> = (1..=count).map(|at| MemberName(format!("m{at}"))).collect();
    let config = |member: &MemberName| AccountsConfig {
        accounts: both(),
        members: members.clone(),
        member: member.clone(),
        account_lease_s,
        drift_ppm,
        faults: Faults::named(planted.iter().copied()).unwrap(),
    };
    members.iter().map(config).collect()
}

/// A machine, and what it did last.
pub(super) struct Desk<M: Machine<Durable = (), Change = ()>> {
    pub(super) config: M::Config,
    pub(super) node: Node<M>,
    dice: Seeded,
    pub(super) last: Vec<Act<M>>,
}

impl<M> Desk<M>
where
    M: Machine<
            Config = AccountsConfig,
            Peer = MemberName,
            Pdu = AccountsPdu,
            Durable = (),
            Change = (),
        >,
{
    /// The machine of the member `m1` of three.
    pub(super) fn new(seed: u64) -> Self {
        let config = group(3, (ACCOUNT_LEASE_S, 50_000), &[]).swap_remove(0);
        let mut dice = Seeded::new(seed);
        let (node, last) = Node::boot(&config, &(), Time(0), &mut dice);
        Self { config, node, dice, last }
    }

    pub(super) fn step(&mut self, input: Input<M>) -> &[Act<M>] {
        self.last = self.node.step(&self.config, input, Time(0), &mut self.dice);
        &self.last
    }

    pub(super) fn order(&mut self, command: M::Command) {
        self.step(Input::Command(command));
    }

    pub(super) fn fire(&mut self, timer: M::Timer) {
        assert!(self.node.armed().contains(&timer), "{timer:?} is not armed");
        self.step(Input::Timer(timer));
    }

    pub(super) fn hear(&mut self, from: &str, pdu: AccountsPdu) {
        self.step(Input::Pdu { from: member(from), pdu });
    }

    pub(super) fn link(&mut self, peer: &str, change: LinkChange) {
        self.step(Input::Link { peer: member(peer), change });
    }

    /// What it has said last, to whomever.
    pub(super) fn said(&self) -> Vec<AccountsPdu> {
        let said = self.last.iter().filter_map(|act| match act {
            Act::Send { pdu, .. } => Some(pdu.clone()),
            _ => None,
        });
        said.collect()
    }

    pub(super) fn events(&self) -> Vec<M::Event> {
        let events = self.last.iter().filter_map(|act| match act {
            Act::Event(event) => Some(event.clone()),
            _ => None,
        });
        events.collect()
    }

    /// For how long a timer was armed last.
    pub(super) fn armed(&self, wanted: &M::Timer) -> Option<Span> {
        self.last.iter().find_map(|act| match act {
            Act::Arm { timer, within } if timer == wanted => {
                assert_eq!(within.start(), within.end());
                Some(*within.start())
            }
            _ => None,
        })
    }
}

pub(super) type Master = Desk<Granter>;
pub(super) type Tenant = Desk<Holder>;
