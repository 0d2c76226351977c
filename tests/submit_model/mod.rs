//! A model host for the hand-over: real members, and connections between them on which every PDU of
//! custody is a step of its own. What the link-state machine says, HELLO, and boots are not: they
//! happen at once, for their interleavings have their own tests.

mod kept;
mod scene;
mod state;

use bridgehead::kernel::{Act, Input, LinkChange, Machine as _, Node};
use bridgehead::protocol::linkstate::LinkTimer;
use bridgehead::protocol::member::{
    Answer, Change, Command, Durable, Endpoint, Member, Pdu, Port, Timer,
};
use bridgehead::wire::ids::ConnectionId;
use bridgehead::wire::message::Refusal;
use stateright::{Model, Property};

use kept::Kept;
pub(crate) use scene::Scene;
use scene::{Boot, NOW};
pub(crate) use state::{CALM, Faults, State, Wire, WireId};

/// Something that may happen next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Connect(WireId),
    ToServer(WireId),
    ToClient(WireId),
    /// The connection ends for its client, or does not open. What it sent before still arrives.
    Break(WireId),
    /// The session at the far end says 421 in place of the answer to COMMIT that was on its way.
    Refuse(WireId),
    /// All writes so far are on disk.
    Stored(usize),
    Timer(usize, Timer),
    /// What was not on disk is lost, or was on disk already; the member boots at once.
    Crash(usize, bool),
    /// The member comes back with an empty disk.
    LoseDisk(usize),
}

impl Scene {
    fn input(&self, state: &mut State, at: usize, input: Input<Member>) {
        let choose = &mut Boot::of(at, state.boots[at]);
        let acts = state.nodes[at].change().step(&self.configs[at], input, NOW, choose);
        self.act(state, at, acts);
    }

    fn act(&self, state: &mut State, at: usize, acts: Vec<Act<Member>>) {
        for act in acts {
            match act {
                Act::Open { peer, endpoint } => self.open(state, at, peer, &endpoint),
                Act::Close { peer } => self.close(state, at, peer),
                Act::Send { to, pdu } => Self::send(state, at, to, pdu),
                Act::Ask { ticket, .. } => state.asked.push((at, ticket)),
                Act::Write(change) => state.unwritten[at].push_back(change),
                // The node knows which timers run.
                Act::Arm { .. } | Act::Disarm(_) | Act::Event(_) => {}
            }
        }
    }

    /// Masters and hosts are not part of the model: they never answer.
    fn open(&self, state: &mut State, at: usize, peer: ConnectionId, endpoint: &Endpoint) {
        if let Endpoint::Connector(_, member) | Endpoint::Member(member) = endpoint
            && let Some(server) = self.configs.iter().position(|c| c.member == *member)
        {
            state.wires.insert((at, state.boots[at], peer.0), Wire::to(server));
        }
    }

    fn send(state: &mut State, at: usize, to: ConnectionId, pdu: Pdu) {
        let id = state.wire_of(at, to);
        let Some(wire) = state.wires.get_mut(&id) else { return };
        if at == id.0 && wire.open[1] {
            wire.to_server.push_back(pdu);
        } else if at != id.0 && wire.open[0] {
            wire.to_client.push_back(pdu);
        }
    }

    fn close(&self, state: &mut State, at: usize, peer: ConnectionId) {
        let id = state.wire_of(at, peer);
        if at == id.0 {
            state.close_client(id);
        } else if let Some(wire) = state.wires.get_mut(&id) {
            wire.open[1] = false;
            wire.to_server.clear();
            self.lose_client(state, id, LinkChange::Closed);
        }
    }

    /// The client learns that its connection is gone.
    fn lose_client(&self, state: &mut State, id: WireId, change: LinkChange) {
        let was_open = state.wires.get(&id).is_some_and(|wire| wire.open[0]);
        state.close_client(id);
        if was_open {
            self.input(state, id.0, Input::Link { peer: ConnectionId(id.2), change });
        }
    }

    fn connect(&self, state: &mut State, id: WireId) {
        let wire = state.wires.get_mut(&id).expect("a step is about a wire that is there");
        wire.connected = true;
        let (server, member) = (wire.server, self.configs[id.0].member.clone());
        let (from, store) = (state::server_id(id), state.nodes[id.0].machine().store());
        let inbound =
            Command::Inbound { connection: from, member: member.clone(), port: Port::Smtp };
        self.input(state, server, Input::Command(inbound));
        let pdu = Pdu::Hello { member, store, load: None };
        self.input(state, server, Input::Pdu { from, pdu });
        let peer = ConnectionId(id.2);
        self.input(state, id.0, Input::Link { peer, change: LinkChange::Up });
    }

    fn to_server(&self, state: &mut State, id: WireId) {
        let wire = state.wires.get_mut(&id).expect("a step is about a wire that is there");
        let (server, pdu) = (wire.server, wire.to_server.pop_front());
        let pdu = pdu.expect("a step is about a PDU that is there");
        self.input(state, server, Input::Pdu { from: state::server_id(id), pdu });
    }

    fn to_client(&self, state: &mut State, id: WireId) {
        let wire = state.wires.get_mut(&id).expect("a step is about a wire that is there");
        let pdu = wire.to_client.pop_front().expect("a step is about a PDU that is there");
        state.done_heard |= matches!(pdu, Pdu::Done(_));
        self.input(state, id.0, Input::Pdu { from: ConnectionId(id.2), pdu });
    }

    fn stored(&self, state: &mut State, at: usize) {
        while let Some(change) = state.unwritten[at].pop_front() {
            self.apply(state, at, &change);
            let acts = state.nodes[at].change().stored();
            self.act(state, at, acts);
        }
    }

    fn refuse(&self, state: &mut State, id: WireId) {
        let wire = state.wires.get_mut(&id).expect("a step is about a wire that is there");
        wire.to_client.pop_front().expect("a step is about a PDU that is there");
        let pdu = Pdu::Refused(Refusal::new(421, "4.3.2", "shutting down"));
        self.input(state, id.0, Input::Pdu { from: ConnectionId(id.2), pdu });
    }

    fn apply(&self, state: &mut State, at: usize, change: &Change) {
        if let Change::Queued { accepted: Some((transfer, _)), .. }
        | Change::Known { transfer, .. } = change
        {
            state.over_accepted |= state.disks[at].spool.is_over(transfer);
        }
        if let Change::Queued { message, accepted: Some(_), .. } = change
            && self.is_last(at)
            && message.envelope.recipients.iter().any(|recipient| !recipient.suspect)
        {
            let mail = state.mails.iter().position(|origin| *origin == message.envelope.origin);
            state.taken[mail.expect("every message came from a client")] += 1;
        }
        Member::apply(state.disks[at].change(), change);
    }

    fn crash(&self, state: &mut State, at: usize, kept: bool) {
        for change in core::mem::take(&mut state.unwritten[at]) {
            if kept {
                self.apply(state, at, &change);
            }
        }
        self.die(state, at);
        self.boot(state, at);
    }

    fn lose_disk(&self, state: &mut State, at: usize) {
        state.unwritten[at].clear();
        for mail in 0..state.mails.len() {
            state.orphaned[mail] |= state.is_held_by(mail, at) && !state.is_known_beside(mail, at);
        }
        state.disks[at] = Kept::new(Durable::default());
        self.die(state, at);
        self.boot(state, at);
    }

    /// The connections of a process end with it.
    fn die(&self, state: &mut State, at: usize) {
        for id in state.wires.keys().copied().collect::<Vec<_>>() {
            if at == id.0 {
                state.close_client(id);
            } else if let Some(wire) = state.wires.get_mut(&id)
                && wire.connected
                && wire.server == at
            {
                wire.open[1] = false;
                wire.to_server.clear();
                self.lose_client(state, id, LinkChange::Lost);
            }
        }
    }

    fn boot(&self, state: &mut State, at: usize) {
        // The connection numbers of an earlier boot must not meet those of this one.
        state.boots[at] += 1;
        let choose = &mut Boot::of(at, state.boots[at]);
        let (node, acts) = Node::<Member>::boot(&self.configs[at], &state.disks[at], NOW, choose);
        state.nodes[at] = Kept::new(node);
        self.act(state, at, acts);
        // A crash before the boot is on disk is the same as one before the boot.
        self.stored(state, at);
    }

    /// Lets happen what is no step of its own.
    pub(crate) fn settle(&self, state: &mut State) {
        loop {
            if let Some((at, ticket)) = state.asked.pop() {
                self.input(state, at, Input::Answer { ticket, answer: Answer::Done });
            } else if let Some(at) = state.quiet_writer() {
                self.stored(state, at);
            } else if let Some(id) = state.wire_where(|w| is_quiet(w.to_server.front())) {
                self.to_server(state, id);
            } else if let Some(id) = state.wire_where(|w| is_quiet(w.to_client.front())) {
                self.to_client(state, id);
            } else if let Some(id) = state.wire_where(|w| !w.open[0] && w.to_server.is_empty()) {
                let wire = state.wires.remove(&id).expect("it was just found");
                let (peer, change) = (state::server_id(id), LinkChange::Lost);
                self.input(state, wire.server, Input::Link { peer, change });
            } else {
                return;
            }
        }
    }
}

/// What is said before custody is spoken of.
fn is_quiet(pdu: Option<&Pdu>) -> bool {
    matches!(pdu, Some(Pdu::Link(_) | Pdu::Hello { .. }))
}

/// The clocks of two days are beyond the model.
fn is_due(timer: &Timer) -> bool {
    match timer {
        Timer::Doubt(_) | Timer::Retry(_) => true,
        Timer::Link(timer) => matches!(timer, LinkTimer::Reopen(_) | LinkTimer::GlitchRetry(_)),
        _ => false,
    }
}

impl Model for Scene {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![self.start()]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        for (id, wire) in &state.wires {
            if !wire.connected {
                steps.push(Step::Connect(*id));
            } else if wire.open[1] && !wire.to_server.is_empty() {
                steps.push(Step::ToServer(*id));
            }
            if wire.open[0] && !wire.to_client.is_empty() {
                steps.push(Step::ToClient(*id));
            }
            if matches!(wire.to_client.front(), Some(Pdu::HandedOver { .. }))
                && state.left.refusals > 0
            {
                steps.push(Step::Refuse(*id));
            }
            if wire.open[0] && state.left.breaks > 0 {
                steps.push(Step::Break(*id));
            }
        }
        for at in 0..state.nodes.len() {
            if !state.unwritten[at].is_empty() {
                steps.push(Step::Stored(at));
            }
            let armed = state.nodes[at].armed().iter().filter(|timer| is_due(timer));
            steps.extend(armed.map(|timer| Step::Timer(at, timer.clone())));
            if state.left.crashes_of(self.is_sender(at)) > 0 {
                steps.push(Step::Crash(at, false));
                if !state.unwritten[at].is_empty() {
                    steps.push(Step::Crash(at, true));
                }
            }
            if !self.is_sender(at) && state.left.disks > 0 {
                steps.push(Step::LoseDisk(at));
            }
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        match step {
            Step::Connect(id) => self.connect(&mut state, id),
            Step::ToServer(id) => self.to_server(&mut state, id),
            Step::ToClient(id) => self.to_client(&mut state, id),
            Step::Break(id) => {
                state.left.breaks -= 1;
                let is_open = state.wires.get(&id)?.connected;
                let change = if is_open { LinkChange::Lost } else { LinkChange::Refused };
                self.lose_client(&mut state, id, change);
            }
            Step::Refuse(id) => {
                state.left.refusals -= 1;
                self.refuse(&mut state, id);
            }
            Step::Stored(at) => self.stored(&mut state, at),
            Step::Timer(at, timer) => self.input(&mut state, at, Input::Timer(timer)),
            Step::Crash(at, kept) => {
                state.left.spend_crash(self.is_sender(at));
                self.crash(&mut state, at, kept);
            }
            Step::LoseDisk(at) => {
                state.left.disks -= 1;
                self.lose_disk(&mut state, at);
            }
        }
        self.settle(&mut state);
        self.seal(&mut state);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always("C1: never lost", |_, state: &State| {
                (0..state.mails.len()).all(|mail| state.is_held(mail) || state.orphaned[mail])
            }),
            Property::always("C2: accepted at most once", |_, state: &State| {
                state.taken.iter().all(|taken| *taken <= 1)
            }),
            Property::always("C3: one custodian", |_, state: &State| {
                (0..state.mails.len()).all(|mail| state.custodians(mail) <= 1)
            }),
            Property::always("what is over is never spoken of again", |_, state: &State| {
                !state.done_heard && !state.over_accepted && !state.speaks_of_what_is_over()
            }),
            Property::always("suspects have a cause", |scene: &Self, state: &State| {
                state.left.disks < scene.faults.disks || !state.has_suspects()
            }),
            Property::sometimes("everything has moved", |scene: &Self, state: &State| {
                scene.has_moved(state)
            }),
            Property::sometimes("a doubt is fenced", |_, state: &State| {
                state.disks.iter().any(|disk| !disk.spool.fences.is_empty())
            }),
        ];
        properties.extend(self.outcomes());
        properties
    }
}
