//! The steps of the model, and what holds.

use std::collections::{BTreeMap, VecDeque};

use bridgehead::kernel::{Input, LinkChange, Node};
use bridgehead::protocol::member::{Command, Durable, Member, Pdu, Port, Timer};
use bridgehead::wire::deliver::Ownership;
use bridgehead::wire::ids::{ConnectionId, Epoch};
use stateright::{Model, Property};

use super::{Boot, Deliver, HOST, NEXT, NOW, SENDER, State, Step, account, mail, server_id};

impl Model for Deliver {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let members = self.configs.len();
        let disks = vec![Durable::default(); members];
        let boot = |at: usize| {
            let choose = &mut Boot(at as u32 + 1);
            Node::<Member>::boot(&self.configs[at], &disks[at], NOW, choose)
        };
        let (nodes, acts): (Vec<_>, Vec<_>) = (0..members).map(boot).unzip();
        let mut state = State {
            nodes,
            disks: disks.clone(),
            unwritten: vec![VecDeque::new(); members],
            asked: vec![BTreeMap::new(); members],
            wires: BTreeMap::new(),
            tmp: Vec::new(),
            new: BTreeMap::new(),
            boots: vec![0; members],
            breaks_left: self.breaks,
            crashes_left: self.crashes,
            moving: None,
        };
        for (at, acts) in acts.into_iter().enumerate() {
            self.act(&mut state, at, acts);
            self.stored(&mut state, at);
        }
        let client = ConnectionId(999);
        self.input(&mut state, SENDER, Input::Pdu { from: client, pdu: Pdu::Mail(mail()) });
        self.stored(&mut state, SENDER);
        vec![state]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
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
            if !wire.open[0] && wire.to_server.is_empty() {
                steps.push(Step::Notice(*id));
            }
            if wire.open[0] && state.breaks_left > 0 {
                steps.push(Step::Break(*id));
            }
        }
        if self.configs.len() > NEXT {
            if !state.is_closed() {
                steps.push(Step::Close);
            }
            if state.moving.is_some() && !state.is_opened() {
                steps.push(Step::Open);
            }
        }
        for at in 0..self.configs.len() {
            if !state.unwritten[at].is_empty() {
                steps.push(Step::Stored(at));
            }
            steps.extend(state.asked[at].keys().map(|ticket| Step::Answer(at, *ticket)));
            // The clocks of two days are beyond this model; the doubt comes back after a minute.
            // Nobody need be asked for an account that nobody has.
            let asks = !state.is_between();
            let retries = asks && self.configs.len() > NEXT;
            let due = |timer: &&Timer| match timer {
                Timer::Publish => true,
                Timer::Doubt(_) => asks,
                Timer::Retry(_) => retries,
                _ => false,
            };
            let armed = state.nodes[at].armed().iter().filter(due);
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

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        match step {
            Step::Connect(id) => {
                let wire = state.wires.get_mut(&id)?;
                wire.connected = true;
                let at = wire.at;
                let member = self.configs[SENDER].member.clone();
                let (connection, port) = (server_id(id), Port::Deliver);
                let command = Command::Inbound { connection, member, port };
                self.input(&mut state, at, Input::Command(command));
                let peer = ConnectionId(id.1);
                self.input(&mut state, SENDER, Input::Link { peer, change: LinkChange::Up });
            }
            Step::ToServer(id) => {
                let wire = state.wires.get_mut(&id)?;
                let (at, pdu) = (wire.at, wire.to_server.pop_front()?);
                self.input(&mut state, at, Input::Pdu { from: server_id(id), pdu });
            }
            Step::ToClient(id) => {
                let pdu = state.wires.get_mut(&id)?.to_client.pop_front()?;
                self.input(&mut state, SENDER, Input::Pdu { from: ConnectionId(id.1), pdu });
            }
            Step::Notice(id) => {
                let at = state.wires.remove(&id)?.at;
                let (peer, change) = (server_id(id), LinkChange::Lost);
                self.input(&mut state, at, Input::Link { peer, change });
            }
            Step::Break(id) => {
                state.breaks_left -= 1;
                self.lose_client(&mut state, id);
            }
            Step::Stored(at) => self.stored(&mut state, at),
            Step::Answer(at, ticket) => self.answer(&mut state, at, ticket),
            Step::Timer(at, timer) => self.input(&mut state, at, Input::Timer(timer)),
            Step::Close => {
                let to = Ownership { member: self.configs[NEXT].member.clone(), epoch: Epoch(2) };
                let command = Command::CloseAccount { account: account(), to };
                self.input(&mut state, HOST, Input::Command(command));
            }
            Step::Open => {
                let journal = state.moving.clone()?;
                let (account, epoch) = (account(), Epoch(2));
                let command = Command::OpenAccount { account, epoch, journal };
                self.input(&mut state, NEXT, Input::Command(command));
            }
            Step::Crash(at, kept) => {
                state.crashes_left -= 1;
                self.crash(&mut state, at, kept);
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("stored at most once", |_, state: &State| state.copies() <= 1),
            Property::always("never lost", |model: &Self, state: &State| {
                // A journal that is left behind loses no copy that is in its place.
                let is_there = model.configs.len() > NEXT && state.copies() > 0;
                state.is_queued() || state.is_recorded() || is_there
            }),
            Property::always("delivered is said of what is in its place", |_, state: &State| {
                state.is_queued() || state.copies() > 0
            }),
            Property::sometimes("delivered", |_, state: &State| {
                !state.is_queued() && state.copies() == 1
            }),
            Property::sometimes("delivered after all faults", |_, state: &State| {
                let spent = state.breaks_left == 0 && state.crashes_left == 0;
                spent && !state.is_queued() && state.copies() == 1
            }),
            Property::sometimes(
                "delivered where the account went",
                |model: &Self, state: &State| {
                    let stays = model.configs.len() <= NEXT;
                    let journal = state.disks.get(NEXT).map(|disk| &disk.spool.journal);
                    stays
                        || journal.is_some_and(|journal| !journal.is_empty() && !state.is_queued())
                },
            ),
        ]
    }
}
