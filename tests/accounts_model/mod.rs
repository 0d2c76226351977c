//! A model host for leases of an account: real machines, and the interleavings of what they say, of their
//! timers in every order that clocks allow, and of counted faults.

#[path = "../submit_model/kept.rs"]
mod kept;
mod scene;
mod state;

use bridgehead::kernel::Input;
use bridgehead::protocol::master::accounts::{GranterTimer, HolderCommand, HolderTimer};
use bridgehead::wire::accounts::LeaseEpoch;
use stateright::{Model, Property};

use std::collections::BTreeSet;

use scene::{MEMBERS, account};
pub(crate) use scene::{Scene, Shape};
pub(crate) use state::{Budget, State};

/// Something that may happen next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    ToMaster(usize, usize),
    /// What was said on a connection that is gone arrives.
    Late(usize, usize),
    ToMember(usize, usize),
    OfMaster(usize, GranterTimer),
    OfMember(usize, HolderTimer),
    Claim(usize),
    GiveBack(usize),
    /// The next term begins.
    Succeed,
    /// A member hears of the present term.
    Tell(usize),
    /// The master has no lease, or has one again.
    Pause,
    Crash(usize),
    Break(usize, usize),
    /// A write under this epoch arrives at the store.
    Write(LeaseEpoch),
}

impl Scene {
    /// The timers that may fire, whatever the clocks are.
    fn timers(&self, state: &State, steps: &mut Vec<Step>) {
        for (at, node) in state.holders.iter().enumerate() {
            let mut leases = 0;
            for timer in node.armed() {
                let may_fire = match timer {
                    HolderTimer::Renew => state.left.renewals > 0,
                    // The earlier one ends first: they are counted on one clock.
                    HolderTimer::Lease(_) => {
                        leases += 1;
                        leases == 1
                    }
                };
                if may_fire {
                    steps.push(Step::OfMember(at, *timer));
                }
            }
        }
        for ((at, timer), before) in &state.before {
            if before.is_empty() {
                steps.push(Step::OfMaster(*at, *timer));
            }
        }
    }

    fn orders(&self, state: &State, steps: &mut Vec<Step>) {
        for at in 0..MEMBERS {
            let holder = state.holders[at].machine();
            let has = holder.epoch(&account()).is_some();
            let is_idle = bridgehead::kernel::Machine::view(holder).wanted == 0 && !has;
            if is_idle && state.left.claims > 0 {
                steps.push(Step::Claim(at));
            }
            if has && state.left.returns > 0 {
                steps.push(Step::GiveBack(at));
            }
            if state.told[at] < state.terms {
                steps.push(Step::Tell(at));
            }
            if state.left.crashes > 0 && !is_idle {
                steps.push(Step::Crash(at));
            }
        }
        if state.left.successions > 0 {
            steps.push(Step::Succeed);
        }
        if state.left.pauses > 0 || state.is_paused {
            steps.push(Step::Pause);
        }
        if state.left.writes > 0 {
            let seen = state.fence.seen();
            let others = state.had.iter().filter(|epoch| Some(*epoch) != seen);
            steps.extend(others.cloned().map(Step::Write));
        }
    }
}

impl Model for Scene {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![self.start()]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        for ((member, master), wire) in &state.wires {
            if !wire.to_master.is_empty() {
                steps.push(Step::ToMaster(*member, *master));
            }
            if !wire.lingering.is_empty() {
                steps.push(Step::Late(*member, *master));
            }
            if !wire.to_member.is_empty() {
                steps.push(Step::ToMember(*member, *master));
            }
            if wire.is_open && state.left.breaks > 0 {
                steps.push(Step::Break(*member, *master));
            }
        }
        self.timers(state, steps);
        self.orders(state, steps);
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        match step {
            Step::ToMaster(member, master) => self.to_master(&mut state, (member, master), false),
            Step::Late(member, master) => self.to_master(&mut state, (member, master), true),
            Step::ToMember(member, master) => self.to_member(&mut state, (member, master)),
            Step::OfMaster(at, timer) => self.fire_granter(&mut state, at, timer),
            Step::OfMember(at, timer) => {
                if timer == HolderTimer::Renew {
                    state.left.renewals -= 1;
                }
                self.holder(&mut state, at, Input::Timer(timer));
            }
            Step::Claim(at) => {
                state.left.claims -= 1;
                let claim = HolderCommand::Claim(BTreeSet::from([account()]));
                self.holder(&mut state, at, Input::Command(claim));
            }
            Step::GiveBack(at) => {
                state.left.returns -= 1;
                let give_back = HolderCommand::GiveBack(BTreeSet::from([account()]));
                self.holder(&mut state, at, Input::Command(give_back));
            }
            Step::Succeed => {
                state.left.successions -= 1;
                self.succeed(&mut state);
            }
            Step::Tell(at) => self.tell(&mut state, at),
            Step::Pause => {
                if !state.is_paused {
                    state.left.pauses -= 1;
                }
                self.pause(&mut state);
            }
            Step::Crash(at) => {
                state.left.crashes -= 1;
                self.crash(&mut state, at);
            }
            Step::Break(member, master) => {
                state.left.breaks -= 1;
                self.lose(&mut state, (member, master));
            }
            Step::Write(epoch) => {
                state.left.writes -= 1;
                self.write(&mut state, &epoch);
            }
        }
        self.seal(&mut state);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ONE, |_, state: &State| state.having().count() <= 1),
            Property::always(GROW, |_, state: &State| !state.fell_back),
            Property::always(HEARD, |_, state: &State| {
                !state.was_refused && state.having().all(|epoch| state.fence.seen() <= Some(epoch))
            }),
            Property::always(NUMBERS, |_, state: &State| !state.was_granted_twice),
            Property::sometimes("both have had it", |_, state: &State| {
                state.owners.len() == MEMBERS
            }),
        ]
    }
}

impl State {
    /// Under which epochs members have the account.
    fn having(&self) -> impl Iterator<Item = &LeaseEpoch> {
        self.holders.iter().filter_map(|node| node.machine().epoch(&ACCOUNT))
    }
}

static ACCOUNT: std::sync::LazyLock<bridgehead::wire::message::Address> =
    std::sync::LazyLock::new(account);

pub(crate) const ONE: &str = "one member has the account";
pub(crate) const GROW: &str = "the store takes no smaller epoch behind a greater one";
pub(crate) const HEARD: &str = "the store takes what the owner writes";
pub(crate) const NUMBERS: &str = "no epoch is granted twice";
