//! DELIVER between real members: senders with a message each in their queues, the hosts of the accounts
//! and, where an account moves, the host that gets it; with a bounded number of broken connections,
//! crashes and moves.

#[path = "../submit_model/kept.rs"]
mod kept;
mod model;
mod scene;
mod state;

use bridgehead::kernel::{Act, Input, LinkChange, Node, Ticket};
use bridgehead::protocol::member::{Answer, Command, Endpoint, Member, Pdu, Port, Timer};
use bridgehead::wire::deliver::Ownership;
use bridgehead::wire::ids::{ConnectionId, Epoch};

use kept::Kept;
pub(crate) use scene::Scene;
use scene::{NOW, account};
pub(crate) use state::State;
use state::{Wire, WireId, server_id};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Connect(WireId),
    ToServer(WireId),
    ToClient(WireId),
    /// The server notices that the client is gone.
    Notice(WireId),
    Break(WireId),
    /// All writes so far are on disk.
    Stored(usize),
    Answer(usize, Ticket),
    Timer(usize, Timer),
    /// What was not on disk is lost, or was on disk already; the member boots at once.
    Crash(usize, bool),
    /// The account is taken from its host.
    Close,
    /// It is given to the next one.
    Open,
}

impl Scene {
    fn input(&self, state: &mut State, at: usize, input: Input<Member>) {
        let choose = &mut self.boot_of(at, state.boots[at]);
        let acts = state.nodes[at].change().step(&self.configs[at], input, NOW, choose);
        self.act(state, at, acts);
    }

    fn act(&self, state: &mut State, at: usize, acts: Vec<Act<Member>>) {
        for act in acts {
            match act {
                // The group port is not part of this model; the master never answers.
                Act::Open { endpoint: Endpoint::Group(_), .. } => {}
                Act::Open { peer, endpoint } => {
                    let id = (at, state.boots[at], peer.0);
                    state.wires.insert(id, Wire::to(self.host_of(&endpoint)));
                }
                Act::Close { peer } => self.close(state, at, peer),
                Act::Send { to, pdu } => self.send(state, at, to, pdu),
                Act::Ask { ticket, query } => {
                    state.asked[at].insert(ticket, query);
                }
                Act::Write(change) => state.unwritten[at].push_back(change),
                // The node knows which timers run.
                Act::Arm { .. } | Act::Disarm(_) | Act::Event(_) => {}
            }
        }
    }

    fn send(&self, state: &mut State, at: usize, to: ConnectionId, pdu: Pdu) {
        let id = state.wire_of(self, at, to);
        let Some(wire) = state.wires.get_mut(&id) else { return };
        if self.is_sender(at) && wire.open[1] {
            wire.to_server.push_back(pdu);
        } else if !self.is_sender(at) && wire.open[0] {
            wire.to_client.push_back(pdu);
        }
    }

    fn close(&self, state: &mut State, at: usize, peer: ConnectionId) {
        let id = state.wire_of(self, at, peer);
        if self.is_sender(at) {
            state.close_client(id);
        } else if let Some(wire) = state.wires.get_mut(&id) {
            wire.open[1] = false;
            wire.to_server.clear();
            self.lose_client(state, id);
        }
    }

    /// The client learns that its connection is gone.
    fn lose_client(&self, state: &mut State, id: WireId) {
        let was_open = state.wires.get(&id).is_some_and(|wire| wire.open[0]);
        state.close_client(id);
        if was_open {
            let change = LinkChange::Lost;
            self.input(state, id.0, Input::Link { peer: ConnectionId(id.2), change });
        }
    }

    fn connect(&self, state: &mut State, id: WireId) {
        let wire = state.wires.get_mut(&id).expect("a step is about a wire that is there");
        wire.connected = true;
        let (at, member) = (wire.at, self.configs[id.0].member.clone());
        let command = Command::Inbound { connection: server_id(id), member, port: Port::Deliver };
        self.input(state, at, Input::Command(command));
        let peer = ConnectionId(id.2);
        self.input(state, id.0, Input::Link { peer, change: LinkChange::Up });
    }

    fn notice(&self, state: &mut State, id: WireId) {
        let wire = state.wires.remove(&id).expect("a step is about a wire that is there");
        let (peer, change) = (server_id(id), LinkChange::Lost);
        self.input(state, wire.at, Input::Link { peer, change });
    }

    fn stored(&self, state: &mut State, at: usize) {
        while let Some(change) = state.unwritten[at].pop_front() {
            state.keep(at, &change);
            let acts = state.nodes[at].change().stored();
            self.act(state, at, acts);
        }
    }

    fn answer(&self, state: &mut State, at: usize, ticket: Ticket) {
        let query = state.asked[at].remove(&ticket).expect("an open question");
        state.file(at, query);
        self.input(state, at, Input::Answer { ticket, answer: Answer::Done });
    }

    /// Lets happen what is no step of its own where two senders meet an account that moves: connections
    /// open, ends of them are noticed, and the stores of accounts answer. One sender has these steps.
    fn settle(&self, state: &mut State) {
        if !self.moves || self.senders == 1 {
            return;
        }
        loop {
            let questions = state.asked.iter().enumerate();
            let mut questions = questions.filter_map(|(at, all)| Some((at, *all.keys().next()?)));
            if let Some((at, ticket)) = questions.next() {
                self.answer(state, at, ticket);
            } else if let Some(id) = state.wire_where(|wire| !wire.connected) {
                self.connect(state, id);
            } else if let Some(id) = state.wire_where(Wire::is_to_be_noticed) {
                self.notice(state, id);
            } else {
                return;
            }
        }
    }

    fn close_account(&self, state: &mut State) {
        let member = self.configs[self.next_host()].member.clone();
        let to = Ownership { member, epoch: Epoch(2) };
        let command = Command::CloseAccount { account: account(0), to };
        self.input(state, self.host(), Input::Command(command));
    }

    fn open_account(&self, state: &mut State) {
        let journal = state.moving.clone().expect("an account is opened when it was closed");
        let command = Command::OpenAccount { account: account(0), epoch: Epoch(2), journal };
        self.input(state, self.next_host(), Input::Command(command));
    }

    fn crash(&self, state: &mut State, at: usize, kept: bool) {
        for change in core::mem::take(&mut state.unwritten[at]) {
            if kept {
                state.keep(at, &change);
            }
        }
        state.asked[at].clear();
        for id in state.wires.keys().copied().collect::<Vec<_>>() {
            if at == id.0 {
                state.close_client(id);
            } else if let Some(wire) =
                state.wires.get_mut(&id).filter(|wire| wire.connected && wire.at == at)
            {
                wire.open[1] = false;
                wire.to_server.clear();
                self.lose_client(state, id);
            }
        }
        self.boot(state, at);
    }

    fn boot(&self, state: &mut State, at: usize) {
        // The client numbers of an earlier boot must not meet those of this one.
        state.boots[at] += 1;
        let choose = &mut self.boot_of(at, state.boots[at]);
        let (node, acts) = Node::<Member>::boot(&self.configs[at], &state.disks[at], NOW, choose);
        state.nodes[at] = Kept::new(node);
        self.act(state, at, acts);
        // A crash before the boot is on disk is the same as one before the boot.
        self.stored(state, at);
    }
}
