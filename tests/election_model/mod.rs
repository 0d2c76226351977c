//! A model host for elections: real machines, and the interleavings of what they say, of their timers in
//! every order that clocks allow, of their writes, and of counted faults.

#[path = "../submit_model/kept.rs"]
mod kept;
mod scene;
mod state;

use bridgehead::kernel::{Input, Machine as _, Node};
use bridgehead::protocol::master::election::{Election, ElectionTimer};
use stateright::{Model, Property};

use kept::Kept;
pub(crate) use scene::{Scene, Shape};
use scene::{VOTERS, name, place};
pub(crate) use state::{Budget, State};

/// Something that may happen next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    ToServer(usize, usize),
    /// What was said on a connection that is gone arrives.
    Late(usize, usize),
    ToClient(usize, usize),
    Timer(usize, ElectionTimer),
    /// All writes so far are on disk.
    Stored(usize),
    /// What was not on disk is lost, or was on disk already; the member boots at once.
    Crash(usize, bool),
    Break(usize, usize),
    Transfer(usize, Option<usize>),
}

impl Scene {
    /// The timers that may fire, whatever the clocks are.
    fn timers(&self, state: &State, at: usize, steps: &mut Vec<Step>) {
        let node = &state.nodes[at];
        let promised = node.armed().contains(&ElectionTimer::Promise);
        let is_own = node.machine().view().promised.as_ref() == Some(&self.configs[at].member);
        let mut leases = 0;
        for timer in node.armed() {
            let may_fire = match timer {
                ElectionTimer::Promise => state.before[at].is_empty() && state.is_asked(at),
                // It is armed for later than a promise to another.
                ElectionTimer::Stand => state.left.stands > 0 && (!promised || is_own),
                // Who gives up and cannot stand again does nothing that it could not do before.
                ElectionTimer::Round => match node.machine().leads() {
                    Some(_) => state.left.renewals > 0,
                    None => state.left.stands > 0 && state.left.lapses > 0,
                },
                // The earlier one ends first: they are counted on one clock.
                ElectionTimer::Lease(_) => {
                    leases += 1;
                    leases == 1
                }
            };
            if may_fire {
                steps.push(Step::Timer(at, timer.clone()));
            }
        }
    }

    fn fire(&self, state: &mut State, at: usize, timer: ElectionTimer) {
        let is_master = state.nodes[at].machine().leads().is_some();
        match timer {
            ElectionTimer::Stand => state.left.stands -= 1,
            ElectionTimer::Round if is_master => state.left.renewals -= 1,
            ElectionTimer::Round => state.left.lapses -= 1,
            _ => {}
        }
        self.input(state, at, Input::Timer(timer));
    }
}

impl Model for Scene {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![self.start()]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        for ((client, server), wire) in &state.wires {
            if !wire.to_server.is_empty() {
                steps.push(Step::ToServer(*client, *server));
            }
            if !wire.lingering.is_empty() {
                steps.push(Step::Late(*client, *server));
            }
            if !wire.to_client.is_empty() {
                steps.push(Step::ToClient(*client, *server));
            }
            // A connection that nothing is on is opened again with the next thing that is said.
            let carries = !wire.to_server.is_empty() || !wire.to_client.is_empty();
            if carries && state.left.breaks > 0 {
                steps.push(Step::Break(*client, *server));
            }
        }
        for at in 0..VOTERS {
            self.timers(state, at, steps);
            if !state.unwritten[at].is_empty() {
                steps.push(Step::Stored(at));
            }
            if state.left.crashes > 0 && self.frail.contains(&at) {
                steps.push(Step::Crash(at, false));
                if !state.unwritten[at].is_empty() {
                    steps.push(Step::Crash(at, true));
                }
            }
            if state.left.transfers > 0 && state.nodes[at].machine().leads().is_some() {
                let voters = (0..VOTERS).filter(|other| self.configs[*other].place().is_some());
                let others = voters.filter(|other| *other != at).map(Some);
                steps.extend(others.chain([None]).map(|other| Step::Transfer(at, other)));
            }
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        match step {
            Step::ToServer(client, server) => self.to_server(&mut state, (client, server), false),
            Step::Late(client, server) => self.to_server(&mut state, (client, server), true),
            Step::ToClient(client, server) => self.to_client(&mut state, (client, server)),
            Step::Timer(at, timer) => self.fire(&mut state, at, timer),
            Step::Stored(at) => self.stored(&mut state, at),
            Step::Crash(at, kept) => {
                state.left.crashes -= 1;
                self.crash(&mut state, at, kept);
            }
            Step::Break(client, server) => {
                state.left.breaks -= 1;
                self.lose(&mut state, (client, server));
            }
            Step::Transfer(at, successor) => {
                state.left.transfers -= 1;
                self.transfer(&mut state, at, successor);
            }
        }
        self.settle(&mut state);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always(ONE, |_, state: &State| state.masters() <= 1),
            Property::always(GROW, |_, state: &State| !state.fell_back),
            Property::always(STORED, |_, state: &State| state.grants_are_stored(place)),
            Property::always(FENCED, |_, state: &State| !state.was_fooled),
            Property::always(POLLED, |_, state: &State| !state.was_rash),
            Property::sometimes("nobody leads after all faults", |scene: &Self, state| {
                scene.is_spent(state) && state.led.is_some() && state.masters() == 0
            }),
        ];
        if self.budget.stands > 1 {
            properties.push(Property::sometimes("a second term leads", |_, state: &State| {
                state.masters() == 1 && state.led.as_ref().is_some_and(|led| led.counter == 2)
            }));
        }
        if self.joins {
            properties.push(Property::sometimes("the voter has joined", |_, state: &State| {
                let votes = |node: &Kept<Node<Election>>| {
                    let machine = node.machine();
                    machine.leads().is_some()
                        && machine.votes().is_some_and(|votes| votes.contains(&name(2)))
                };
                state.nodes.iter().any(votes)
            }));
        }
        properties
    }
}

impl Scene {
    fn is_spent(&self, state: &State) -> bool {
        state.left.crashes + state.left.breaks + state.left.transfers == 0
    }
}

pub(crate) const ONE: &str = "C6: one master";
pub(crate) const GROW: &str = "terms grow";
pub(crate) const STORED: &str = "what is granted is on disk";
pub(crate) const FENCED: &str = "nobody obeys a smaller term";
pub(crate) const POLLED: &str = "no term begins without a poll";
