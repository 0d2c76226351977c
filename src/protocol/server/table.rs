//! The table of sessions, and the way between them and custody.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use super::{Clients, Command, Custody, Wire};
use crate::clause;
use crate::kernel::{Cx, Effect, Gate, Input, LinkChange, Machine};
use crate::protocol::member::{self, Endpoint, Event, Member, MemberConfig, Pdu, Port, Timer};
use crate::protocol::session::{Action, Session, SessionEvent, Talk};
use crate::wire::ids::{ConnectionId, StoreId};

/// How many outside servers are remembered with which TLS has failed.
const IN_CLEAR_LIMIT: usize = 1_000;

/// A server.
pub type Server = ServerOf<Member>;

/// A server over any custody.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerOf<C> {
    member: C,
    /// This member's disk, which sessions name to other members.
    store: StoreId,
    sessions: BTreeMap<ConnectionId, Entry>,
    /// What the clients have taken lately.
    clients: Clients,
    /// The outside servers to which the next connection does without TLS, which has failed with them.
    in_clear: BTreeSet<String>,
    /// The host has said that no new conversation begins.
    shutting_down: bool,
}

/// One connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Entry {
    session: Session,
    /// On which port it came in; `None` for the connections that custody opened.
    port: Option<Port>,
    /// Custody keeps something about this connection and must hear of its end.
    known: bool,
}

/// What custody is still to be told within this step.
type Pending<C> = VecDeque<Input<C>>;

impl<C: Custody> ServerOf<C> {
    /// The custody level, to look at.
    #[must_use]
    pub const fn member(&self) -> &C {
        &self.member
    }

    /// The connections that have a session.
    pub fn connections(&self) -> impl Iterator<Item = ConnectionId> {
        self.sessions.keys().copied()
    }

    /// Lets one session take a turn, and does what it wants done.
    fn turn(
        &mut self,
        config: &MemberConfig,
        connection: ConnectionId,
        gate: Gate,
        cx: &mut Cx<'_, Self>,
        pending: &mut Pending<C>,
        act: impl FnOnce(&mut Session, &mut Talk<'_>),
    ) {
        let Self { member, store, sessions, clients, .. } = self;
        let Some(entry) = sessions.get_mut(&connection) else { return };
        let knows_the_list = || member.knows_the_list(config);
        let mut talk = Talk::new(config, *store, cx.now, gate, &knows_the_list, clients);
        act(&mut entry.session, &mut talk);
        for action in talk.into_actions() {
            self.perform(connection, action, cx, pending);
        }
    }

    fn perform(
        &mut self,
        connection: ConnectionId,
        action: Action,
        cx: &mut Cx<'_, Self>,
        pending: &mut Pending<C>,
    ) {
        // Whatever a session wants after it has ended concerns nobody.
        let Some(entry) = self.sessions.get_mut(&connection) else { return };
        match action {
            Action::Say(pdu, gate) => cx.out.push(Effect::Send { to: connection, pdu, gate }),
            Action::Inbound(member) => {
                let Some(port) = entry.port else { return };
                entry.known = true;
                let command = member::Command::Inbound { connection, member, port };
                pending.push_back(Input::Command(command));
            }
            Action::Up => {
                entry.known = true;
                pending.push_back(Input::Link { peer: connection, change: LinkChange::Up });
            }
            Action::Tell(pdu) => {
                entry.known = true;
                pending.push_back(Input::Pdu { from: connection, pdu: *pdu });
            }
            Action::Wait(span) => cx.arm(Timer::Session(connection), span),
            Action::Rest => cx.disarm(Timer::Session(connection)),
            Action::InClear(server) => {
                if self.in_clear.len() < IN_CLEAR_LIMIT {
                    self.in_clear.insert(server);
                }
            }
            Action::Log(tag, event) => cx.event(Event::Session { connection, tag, event }),
            Action::End(change) => {
                cx.close(connection);
                self.forget(connection, change, cx, pending);
            }
        }
    }

    /// The connection is gone, or will be after what was said on it.
    fn forget(
        &mut self,
        connection: ConnectionId,
        change: LinkChange,
        cx: &mut Cx<'_, Self>,
        pending: &mut Pending<C>,
    ) {
        let Some(entry) = self.sessions.remove(&connection) else { return };
        cx.disarm(Timer::Session(connection));
        let tag = entry.session.tag();
        cx.event(Event::Session { connection, tag, event: SessionEvent::Closed });
        if entry.known {
            pending.push_back(Input::Link { peer: connection, change });
        }
    }

    fn accepted(
        &mut self,
        config: &MemberConfig,
        command: Command,
        cx: &mut Cx<'_, Self>,
        pending: &mut Pending<C>,
    ) {
        let Command::Accepted { connection, port, remote, member } = command else { return };
        let session = Session::accept(port, remote.clone(), member);
        let tag = session.tag();
        let entry = Entry { session, port: Some(port), known: false };
        let previous = self.sessions.insert(connection, entry);
        assert!(previous.is_none(), "the host never uses a connection id twice");
        let event = SessionEvent::Accepted { port, remote };
        cx.event(Event::Session { connection, tag, event });
        let leaving = self.shutting_down;
        self.turn(config, connection, Gate::Now, cx, pending, |session, talk| {
            if leaving {
                session.leave(talk);
            } else {
                session.start(talk);
            }
        });
    }

    /// Whatever happened to a connection: its session ends, except when it is up.
    fn link(
        &mut self,
        config: &MemberConfig,
        connection: ConnectionId,
        change: LinkChange,
        cx: &mut Cx<'_, Self>,
        pending: &mut Pending<C>,
    ) {
        match change {
            LinkChange::Up => {
                let opened = self.sessions.get(&connection).is_some_and(|e| e.port.is_none());
                if opened {
                    self.turn(config, connection, Gate::Now, cx, pending, Session::start);
                }
            }
            gone => self.forget(connection, gone, cx, pending),
        }
    }

    fn shut_down(
        &mut self,
        config: &MemberConfig,
        cx: &mut Cx<'_, Self>,
        pending: &mut Pending<C>,
    ) {
        clause!(SM_008);
        self.shutting_down = true;
        let connections: Vec<_> = self.sessions.keys().copied().collect();
        for connection in connections {
            self.turn(config, connection, Gate::Now, cx, pending, Session::finish);
        }
    }

    /// Tells custody what is pending, until nothing is.
    fn settle(&mut self, config: &MemberConfig, cx: &mut Cx<'_, Self>, mut pending: Pending<C>) {
        while let Some(input) = pending.pop_front() {
            let mut out = Vec::new();
            let mut inner = Cx { now: cx.now, choose: &mut *cx.choose, out: &mut out };
            self.member.step(config, input, &mut inner);
            self.carry_out(config, out, cx, &mut pending);
        }
    }

    /// Maps what custody wants done, in order, each with its gate.
    fn carry_out(
        &mut self,
        config: &MemberConfig,
        effects: Vec<Effect<C>>,
        cx: &mut Cx<'_, Self>,
        pending: &mut Pending<C>,
    ) {
        for effect in effects {
            match effect {
                Effect::Open { peer, endpoint } => self.open(peer, endpoint, cx),
                Effect::Close { peer } => {
                    // Custody has done with it: it hears no more of this connection.
                    if let Some(entry) = self.sessions.get_mut(&peer) {
                        entry.known = false;
                    }
                    self.turn(config, peer, Gate::Now, cx, pending, Session::leave);
                }
                // The operator has no session: the answer to an order goes straight to the host.
                Effect::Send { to, pdu: Pdu::Ordered(answer), gate } => {
                    cx.out.push(Effect::Send { to, pdu: Wire::Ordered(answer), gate });
                }
                Effect::Send { to, pdu, gate } => {
                    self.turn(config, to, gate, cx, pending, |session, talk| {
                        session.say(pdu, talk)
                    });
                }
                Effect::Ask { ticket, query, gate } => {
                    cx.out.push(Effect::Ask { ticket, query, gate });
                }
                Effect::Arm { timer, within } => cx.out.push(Effect::Arm { timer, within }),
                Effect::Disarm(timer) => cx.disarm(timer),
                Effect::Store(change) => {
                    // A new disk gets its id at the first boot, one that was set back while it runs.
                    if let Some(store) = C::store_drawn(&change) {
                        self.store = store;
                    }
                    cx.store(change);
                }
                Effect::Event(event) => cx.event(event),
            }
        }
    }

    fn open(&mut self, connection: ConnectionId, endpoint: Endpoint, cx: &mut Cx<'_, Self>) {
        if self.shutting_down {
            // A member that goes hears nothing of what it can no longer use.
            return;
        }
        let in_clear = match &endpoint {
            Endpoint::Outside(server) => self.in_clear.remove(server),
            _ => false,
        };
        let session = Session::open(&endpoint, in_clear);
        // Custody waits for this connection: it hears of its end even when it is never up.
        let entry = Entry { session, port: None, known: true };
        let previous = self.sessions.insert(connection, entry);
        assert!(previous.is_none(), "custody never uses a connection id twice");
        cx.open(connection, endpoint);
    }
}

impl<C: Custody> Machine for ServerOf<C> {
    type Config = MemberConfig;
    type Peer = ConnectionId;
    type Endpoint = Endpoint;
    type Pdu = Wire;
    type Timer = Timer;
    type Change = C::Change;
    type Durable = C::Durable;
    type Query = C::Query;
    type Answer = C::Answer;
    type Command = Command;
    type Event = Event;
    type View = C::View;

    fn apply(durable: &mut C::Durable, change: &C::Change) {
        C::apply(durable, change);
    }

    fn boot(config: &MemberConfig, durable: &C::Durable, cx: &mut Cx<'_, Self>) -> Self {
        let mut out = Vec::new();
        let mut inner = Cx { now: cx.now, choose: &mut *cx.choose, out: &mut out };
        let member = C::boot(config, durable, &mut inner);
        let store = C::store(durable);
        let mut server = Self {
            member,
            store,
            sessions: BTreeMap::new(),
            clients: Clients::default(),
            in_clear: BTreeSet::new(),
            shutting_down: false,
        };
        let mut pending = Pending::new();
        server.carry_out(config, out, cx, &mut pending);
        server.settle(config, cx, pending);
        server
    }

    fn step(&mut self, config: &MemberConfig, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        let mut pending = Pending::new();
        let to_do = &mut pending;
        match input {
            Input::Pdu { from, pdu } => {
                self.turn(config, from, Gate::Now, cx, to_do, |session, talk| {
                    session.hear(pdu, talk)
                });
            }
            Input::Link { peer, change } => self.link(config, peer, change, cx, to_do),
            Input::Timer(Timer::Session(connection)) => {
                self.turn(config, connection, Gate::Now, cx, to_do, Session::overdue);
            }
            Input::Command(Command::ShutDown) => self.shut_down(config, cx, to_do),
            Input::Command(Command::Member(command)) => to_do.push_back(Input::Command(command)),
            Input::Command(accepted @ Command::Accepted { .. }) => {
                self.accepted(config, accepted, cx, to_do);
            }
            Input::Timer(timer) => to_do.push_back(Input::Timer(timer)),
            Input::Answer { ticket, answer } => to_do.push_back(Input::Answer { ticket, answer }),
            Input::StoreFailed { reason } => to_do.push_back(Input::StoreFailed { reason }),
            Input::Configuration => to_do.push_back(Input::Configuration),
        }
        self.settle(config, cx, pending);
    }

    fn view(&self) -> C::View {
        self.member.view()
    }
}
