//! The steps of the model, and what holds.

use bridgehead::kernel::Input;
use bridgehead::protocol::member::Timer;
use bridgehead::wire::ids::ConnectionId;
use stateright::{Model, Property};

use super::{Scene, State, Step, server_id};

impl Scene {
    fn wire_steps(state: &State, steps: &mut Vec<Step>) {
        for (id, wire) in &state.wires {
            if !wire.connected {
                steps.push(Step::Connect(*id));
                continue;
            }
            if wire.open[1] && !wire.to_server.is_empty() {
                steps.push(Step::ToServer(*id));
            }
            if wire.open[0] && !wire.to_client.is_empty() {
                steps.push(Step::ToClient(*id));
            }
            if wire.is_to_be_noticed() {
                steps.push(Step::Notice(*id));
            }
            if wire.open[0] && state.breaks_left > 0 {
                steps.push(Step::Break(*id));
            }
        }
    }

    /// The clocks of two days are beyond this model; the doubt comes back after a minute. Nobody need be
    /// asked for an account that nobody has.
    fn is_due(&self, state: &State, timer: &Timer) -> bool {
        let asks = !self.moves || !state.is_between(self);
        match timer {
            Timer::Publish => true,
            Timer::Doubt(_) => asks,
            Timer::Retry(_) => asks && self.moves,
            _ => false,
        }
    }

    fn member_steps(&self, state: &State, at: usize, steps: &mut Vec<Step>) {
        if !state.unwritten[at].is_empty() {
            steps.push(Step::Stored(at));
        }
        steps.extend(state.asked[at].keys().map(|ticket| Step::Answer(at, *ticket)));
        let armed = state.nodes[at].armed().iter().filter(|timer| self.is_due(state, timer));
        steps.extend(armed.map(|timer| Step::Timer(at, timer.clone())));
        // The next host has nothing to lose but what it has just been given.
        if state.crashes_left > 0 {
            steps.push(Step::Crash(at, false));
            if !state.unwritten[at].is_empty() {
                steps.push(Step::Crash(at, true));
            }
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
        Self::wire_steps(state, steps);
        if self.moves {
            if !state.is_closed(self) {
                steps.push(Step::Close);
            }
            if state.moving.is_some() && !state.is_opened(self) {
                steps.push(Step::Open);
            }
        }
        for at in 0..self.configs.len() {
            self.member_steps(state, at, steps);
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        match step {
            Step::Connect(id) => self.connect(&mut state, id),
            Step::ToServer(id) => {
                let wire = state.wires.get_mut(&id)?;
                let (at, pdu) = (wire.at, wire.to_server.pop_front()?);
                self.input(&mut state, at, Input::Pdu { from: server_id(id), pdu });
            }
            Step::ToClient(id) => {
                let pdu = state.wires.get_mut(&id)?.to_client.pop_front()?;
                self.input(&mut state, id.0, Input::Pdu { from: ConnectionId(id.2), pdu });
            }
            Step::Notice(id) => self.notice(&mut state, id),
            Step::Break(id) => {
                state.breaks_left -= 1;
                self.lose_client(&mut state, id);
            }
            Step::Stored(at) => self.stored(&mut state, at),
            Step::Answer(at, ticket) => self.answer(&mut state, at, ticket),
            Step::Timer(at, timer) => self.input(&mut state, at, Input::Timer(timer)),
            Step::Close => self.close_account(&mut state),
            Step::Open => self.open_account(&mut state),
            Step::Crash(at, kept) => {
                state.crashes_left -= 1;
                self.crash(&mut state, at, kept);
            }
        }
        self.settle(&mut state);
        self.seal(&mut state);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always("stored at most once", |_, state: &State| {
                state.mails().all(|mail| state.copies(mail) <= 1)
            }),
            Property::always("never lost", |scene: &Self, state: &State| {
                state.mails().all(|mail| {
                    // A journal that is left behind loses no copy that is in its place.
                    let is_there = scene.moves && state.copies(mail) > 0;
                    state.is_queued(mail) || state.is_recorded(mail) || is_there
                })
            }),
            Property::always("delivered is said of what is in its place", |_, state: &State| {
                state.mails().all(|mail| state.is_queued(mail) || state.copies(mail) > 0)
            }),
            Property::sometimes("delivered", |_, state: &State| state.is_delivered()),
            Property::sometimes("delivered after all faults", |_, state: &State| {
                state.breaks_left == 0 && state.crashes_left == 0 && state.is_delivered()
            }),
        ];
        if self.moves {
            properties.push(Property::sometimes(
                "delivered where the account went",
                |scene: &Self, state: &State| {
                    let next = &state.disks[scene.next_host()];
                    state.is_delivered() && next.spool.journal.len() == state.mails.len()
                },
            ));
        }
        if self.moves && self.senders > 1 {
            properties.push(Property::sometimes(
                "the account moves between two deliveries",
                |_: &Self, state: &State| state.moves_between(),
            ));
        }
        properties
    }
}
