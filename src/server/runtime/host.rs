//! The host loop: the only task that touches the machine.
//!
//! It takes one input after the other, steps the node, and does what the node says, in that order. It
//! decides nothing that the specification speaks of.

use core::convert::Infallible;
use core::net::SocketAddr;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{oneshot, watch};

use super::asks::ask;
use super::log::log_event;
use super::start::Exit;
use super::{ToHost, opening};
use crate::clause;
use crate::kernel::{Act, Input, LinkChange, Node, Seeded, Span, Ticket, Time, Tracer};
use crate::protocol::member::{self, Event, MemberConfig, Port, Query, Timer};
use crate::protocol::operator::{Order, Ordered};
use crate::protocol::server::{Command, Server, Wire};
use crate::server::clock::{Timers, pick};
use crate::server::configuration::Configuration;
use crate::server::filter::{Filter, Question};
use crate::server::identity::Identity;
use crate::server::maildir::Maildirs;
use crate::server::net::{Handle, Network, OPENING_LIMIT, Security};
use crate::server::passwords::Passwords;
use crate::server::report::{self, What};
use crate::server::shared::{self, Shared};
use crate::server::spool::{Operation, Settled};
use crate::server::store::{Asked, Store};
use crate::server::tokens::{Kind, Token};
use crate::wire::ids::{ConnectionId, MemberName};
use crate::wire::message::BodyKey;
use crate::wire::smtp::auth::Login;

/// How long open sessions may take to finish when the member shuts down.
pub const GRACE: Span = Span::seconds(10);

/// What a timer of the host is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// The machine armed it.
    Machine(Timer),
    /// A connection has not opened in time.
    Opening(ConnectionId),
    /// Sessions have not finished in time.
    Grace,
}

/// The host of one machine.
pub(super) struct Host {
    configuration: Arc<Configuration>,
    network: Arc<Network>,
    maildirs: Maildirs,
    filter: Option<Filter>,
    store: Option<Store>,
    shared: Option<Shared>,
    passwords: Passwords,
    choose: Seeded,
    node: Node<Server>,
    inputs: UnboundedReceiver<ToHost>,
    timers: Timers<Due>,
    connections: BTreeMap<ConnectionId, Handle>,
    /// Connections that are not open yet, ours and others'.
    opening: BTreeMap<ConnectionId, oneshot::Sender<Infallible>>,
    /// Inputs that the host gives itself, behind the step that caused them.
    again: VecDeque<(Input<Server>, Token)>,
    /// One for each change that is on its way to the disk.
    writes: VecDeque<Token>,
    /// How many questions are open.
    asks: usize,
    /// The operators who wait for an answer.
    orders: BTreeMap<ConnectionId, oneshot::Sender<Ordered>>,
    /// Closes the listeners.
    stop: watch::Sender<bool>,
    is_stopping: bool,
    exit: Option<Exit>,
    tracer: Tracer,
}

/// What a host is made of.
pub(super) struct Parts {
    pub(super) configuration: Arc<Configuration>,
    pub(super) network: Arc<Network>,
    pub(super) maildirs: Maildirs,
    pub(super) filter: Option<Filter>,
    pub(super) store: Option<Store>,
    pub(super) shared: Option<Shared>,
    pub(super) choose: Seeded,
    pub(super) node: Node<Server>,
    pub(super) inputs: UnboundedReceiver<ToHost>,
    pub(super) stop: watch::Sender<bool>,
}

impl Host {
    /// A host whose machine has just booted; does what the boot says.
    pub(super) fn new(parts: Parts, boot: Vec<Act<Server>>) -> Self {
        let tracer = Tracer::new(parts.configuration.member.member.0.clone(), false);
        let mut host = Self {
            configuration: parts.configuration,
            network: parts.network,
            maildirs: parts.maildirs,
            filter: parts.filter,
            store: parts.store,
            shared: parts.shared,
            passwords: Passwords::default(),
            choose: parts.choose,
            node: parts.node,
            inputs: parts.inputs,
            timers: Timers::default(),
            connections: BTreeMap::new(),
            opening: BTreeMap::new(),
            again: VecDeque::new(),
            writes: VecDeque::new(),
            asks: 0,
            orders: BTreeMap::new(),
            stop: parts.stop,
            is_stopping: false,
            exit: None,
            tracer,
        };
        let token = host.network.tokens.take(Kind::Input);
        host.trace(None, &boot);
        host.perform(boot, &token);
        host.catch_up();
        host
    }

    /// Runs until the member stops.
    pub(super) async fn run(mut self) -> Exit {
        loop {
            if let Some(exit) = self.exit.take() {
                return exit;
            }
            if self.is_stopping && self.is_finished() {
                return Exit::Stopped;
            }
            let Some(told) = self.next_input().await else {
                self.fire();
                continue;
            };
            self.take(told);
            self.catch_up();
        }
    }

    fn ask(&self, ticket: Ticket, query: Query, token: &Token) {
        match (query, &self.filter, &self.store) {
            (Query::Filter { sender, recipients, fields, body }, Some(filter), _) => {
                let token = token.also(Kind::Ask);
                filter.ask(Question { ticket, sender, recipients, fields, body, token });
            }
            (Query::Store { group, query }, _, Some(store)) => {
                let token = token.also(Kind::Ask);
                store.ask(Asked { ticket, group, query, token });
            }
            (query, _, _) => self.ask_disk(ticket, query, token),
        }
    }

    /// A question that a disk answers: that of this member, or that which the members of its group share.
    fn ask_disk(&self, ticket: Ticket, query: Query, token: &Token) {
        match (query, &self.shared) {
            (Query::Shared { account, query }, Some(store)) => {
                let token = token.also(Kind::Ask);
                store.ask(shared::Asked { ticket, account, query, token });
            }
            (query, shared) => {
                ask(&self.network, (&self.maildirs, shared.as_ref()), ticket, query, token);
            }
        }
    }

    /// Whether nothing is open. What is under way on the disk is worth its wait, too: it would be done
    /// again at the next start.
    fn is_finished(&self) -> bool {
        let is_connected = !self.connections.is_empty() || !self.opening.is_empty();
        !is_connected && !self.node.is_writing() && self.asks == 0
    }

    /// The next input; `None` when a timer is due first.
    async fn next_input(&mut self) -> Option<ToHost> {
        let clock = Arc::clone(&self.network.clock);
        let told = match self.timers.next() {
            None => self.inputs.recv().await,
            Some(deadline) => tokio::select! {
                // What is due comes first: a process that was stopped finds both, and its lease has ended (MA-043).
                biased;
                () = clock.until(deadline) => return None,
                told = self.inputs.recv() => told,
            },
        };
        assert!(told.is_some(), "the host itself holds a way to tell it");
        told
    }

    fn take(&mut self, told: ToHost) {
        match told {
            ToHost::Arriving { connection, cancel } => self.expect_open(connection, cancel),
            ToHost::NotArrived { connection } => {
                self.forget_opening(connection);
            }
            ToHost::Accepted { connection, port, remote, member, handle, token } => {
                self.accept(connection, port, remote, member, handle, token);
            }
            ToHost::Opened { connection, handle, token } => {
                if self.forget_opening(connection) {
                    self.connections.insert(connection, handle);
                    self.step(Input::Link { peer: connection, change: LinkChange::Up }, &token);
                }
            }
            ToHost::NotOpened { connection, change, token } => {
                if self.forget_opening(connection) {
                    self.step(Input::Link { peer: connection, change }, &token);
                }
            }
            ToHost::Said { connection, wire, token } => {
                if self.connections.contains_key(&connection) {
                    self.step(Input::Pdu { from: connection, pdu: wire }, &token);
                } else if let Wire::Body(body) = wire {
                    // Its session is gone: nothing names the body, and nothing will.
                    self.forget(body.key);
                }
            }
            ToHost::Gone { connection, change, token } => {
                if self.connections.remove(&connection).is_some() {
                    self.step(Input::Link { peer: connection, change }, &token);
                }
            }
            ToHost::Checked { key, damage, token } => {
                let command = member::Command::BodyChecked { key, damage };
                self.step(Input::Command(Command::Member(command)), &token);
            }
            ToHost::Answered { ticket, answer, token } => {
                self.asks = self.asks.checked_sub(1).expect("an answer has a question");
                self.step(Input::Answer { ticket, answer }, &token);
            }
            ToHost::Settled(Settled::Stored(changes)) => self.stored(changes),
            ToHost::Settled(Settled::Failed(error)) => self.fail(error.to_string()),
            ToHost::Fatal { reason } => self.fail(reason),
            ToHost::Reconfigure { configuration, identity, reply } => {
                self.reconfigure(configuration, identity.map(|identity| *identity), reply);
            }
            ToHost::ShutDown => self.shut_down(),
            ToHost::Report { what, reply } => {
                let _ = reply.send(self.report(&what));
            }
            ToHost::Order { order, reply } => self.order(order, reply),
            ToHost::Next { reply } => {
                let _ = reply.send(self.timers.next());
            }
            ToHost::Fire { reply } => {
                let _ = reply.send(self.fire());
            }
        }
    }

    fn report(&self, what: &What) -> Value {
        let (server, now) = (self.node.machine(), self.network.clock.now());
        let mut report = report::of(server, &self.configuration.member, now, what);
        if *what == What::Health && self.is_stopping {
            report::add_reason(&mut report, "stopping");
        }
        report
    }

    fn accept(
        &mut self,
        connection: ConnectionId,
        port: Port,
        remote: SocketAddr,
        member: Option<MemberName>,
        handle: Handle,
        token: Token,
    ) {
        self.forget_opening(connection);
        if self.is_stopping {
            handle.close(token);
            return;
        }
        self.connections.insert(connection, handle);
        let remote = remote.ip().to_string();
        let command = Command::Accepted { connection, port, remote, member };
        self.step(Input::Command(command), &token);
    }

    /// Hands an order to the machine. Its answer comes as a word to this number, behind what is to be
    /// durable before.
    fn order(&mut self, order: Order, reply: oneshot::Sender<Ordered>) {
        let from = self.network.name_accepted();
        self.orders.insert(from, reply);
        let token = self.network.tokens.take(Kind::Input);
        let command = member::Command::Order { from, order };
        self.step(Input::Command(Command::Member(command)), &token);
    }

    /// Sessions and connections go on; whoever speaks next does so by the new configuration.
    fn reconfigure(
        &mut self,
        configuration: Arc<Configuration>,
        identity: Option<Identity>,
        reply: oneshot::Sender<()>,
    ) {
        if self.is_stopping {
            return;
        }
        clause!(SV_085);
        let revision = configuration.member.organization.revision;
        tracing::info!(revision, "the configuration was read again");
        self.network.reconfigure(Security::new(Arc::clone(&configuration), identity));
        self.configuration = configuration;
        let token = self.network.tokens.take(Kind::Input);
        self.step(Input::Configuration, &token);
        let _ = reply.send(());
    }

    fn stored(&mut self, changes: usize) {
        clause!(CO_008);
        for _ in 0..changes {
            let token = self.writes.pop_front();
            let token = token.expect("the spool settles what it was given").into_kind(Kind::Input);
            let acts = self.node.stored();
            self.trace(None, &acts);
            self.perform(acts, &token);
            self.catch_up();
        }
    }

    /// A failed write is fail-stop: the machine hears of it, and nothing it says leaves any more.
    fn fail(&mut self, reason: String) {
        tracing::error!(reason, "the store has failed; the member stops");
        let now = self.network.clock.now();
        let input = Input::StoreFailed { reason: reason.clone() };
        let acts = self.node.step(&self.configuration.member, input, now, &mut self.choose);
        for act in acts {
            if let Act::Event(event) = act {
                self.log(&event);
            }
        }
        self.exit = Some(Exit::Failed(reason));
    }

    fn shut_down(&mut self) {
        if self.is_stopping {
            self.exit = Some(Exit::Stopped);
            return;
        }
        tracing::info!("shutting down");
        self.is_stopping = true;
        let _ = self.stop.send(true);
        self.timers.arm(Due::Grace, self.network.clock.now() + GRACE);
        let token = self.network.tokens.take(Kind::Input);
        self.step(Input::Command(Command::ShutDown), &token);
    }

    /// Fires what is due; says how much that was.
    fn fire(&mut self) -> usize {
        let (now, mark) = (self.network.clock.now(), self.timers.mark());
        let mut fired = 0;
        while let Some(due) = self.timers.pop_due(now, mark) {
            fired += 1;
            let token = self.network.tokens.take(Kind::Input);
            match due {
                Due::Machine(timer) => self.step(Input::Timer(timer), &token),
                Due::Grace => {
                    clause!(SM_008);
                    self.step(Input::Command(Command::ShutDown), &token);
                    self.exit = Some(Exit::Stopped);
                }
                Due::Opening(connection) => {
                    let was_opening = self.opening.remove(&connection).is_some();
                    assert!(was_opening, "a connection that is not opening has no deadline");
                    if opening::is_ours(connection) {
                        let change = LinkChange::TimedOut;
                        self.step(Input::Link { peer: connection, change }, &token);
                    }
                }
            }
            self.catch_up();
        }
        fired
    }

    fn expect_open(&mut self, connection: ConnectionId, cancel: oneshot::Sender<Infallible>) {
        self.opening.insert(connection, cancel);
        self.timers.arm(Due::Opening(connection), self.network.clock.now() + OPENING_LIMIT);
    }

    /// Whether the connection was still expected to open.
    fn forget_opening(&mut self, connection: ConnectionId) -> bool {
        self.timers.disarm(&Due::Opening(connection));
        self.opening.remove(&connection).is_some()
    }

    fn catch_up(&mut self) {
        while let Some((input, token)) = self.again.pop_front() {
            self.step(input, &token);
        }
    }

    fn step(&mut self, input: Input<Server>, token: &Token) {
        if self.exit.is_some() {
            return;
        }
        let now = self.network.clock.now();
        let shown = is_traced().then(|| input.clone());
        let acts = self.node.step(&self.configuration.member, input, now, &mut self.choose);
        if let Some(input) = shown {
            self.trace(Some(&input), &acts);
        }
        self.perform(acts, token);
    }

    fn perform(&mut self, acts: Vec<Act<Server>>, token: &Token) {
        for act in acts {
            match act {
                Act::Open { peer, endpoint } => {
                    match opening::target(&self.configuration, &endpoint) {
                        Some(target) => {
                            let cancel = self.network.open(peer, target, token.also(Kind::Connect));
                            self.expect_open(peer, cancel);
                        }
                        None => {
                            tracing::warn!(?endpoint, "no address is configured");
                            self.again_link(peer, LinkChange::Refused, token);
                        }
                    }
                }
                Act::Close { peer } => match self.connections.remove(&peer) {
                    Some(handle) => handle.close(token.also(Kind::Write)),
                    None => {
                        self.forget_opening(peer);
                    }
                },
                Act::Send { pdu: Wire::Forget(key), .. } => self.forget(key),
                Act::Send { to, pdu: Wire::Check { attempt, login } } => {
                    self.check_login(to, (attempt, login), token);
                }
                Act::Send { to, pdu: Wire::Ordered(answer) } => {
                    // An operator who went away needs no answer; the order stands.
                    let _ = self.orders.remove(&to).map(|reply| reply.send(answer));
                }
                Act::Send { to, pdu } => {
                    let Some(handle) = self.connections.get(&to) else { continue };
                    if handle.say(pdu, token.also(Kind::Write)).is_err() {
                        tracing::warn!(connection = to.0, "the far end does not read");
                        self.connections.remove(&to);
                        self.again_link(to, LinkChange::Lost, token);
                    }
                }
                Act::Ask { ticket, query } => {
                    self.asks += 1;
                    self.ask(ticket, query, token);
                }
                Act::Arm { timer, within } => {
                    let deadline = self.network.clock.now() + pick(&within, &mut self.choose);
                    self.timers.arm(Due::Machine(timer), deadline);
                }
                Act::Disarm(timer) => self.timers.disarm(&Due::Machine(timer)),
                Act::Write(change) => {
                    self.writes.push_back(token.also(Kind::Store));
                    // A spool that takes nothing more has told why, and that input is on its way.
                    let _ = self.network.spool.submit(Operation::Write(change));
                }
                Act::Event(event) => self.log(&event),
            }
        }
    }

    /// Has a login checked, as one of those of its client's address.
    fn check_login(&self, connection: ConnectionId, login: (u32, Login), token: &Token) {
        let MemberConfig { organization, policy, .. } = &self.configuration.member;
        let client = self.connections.get(&connection).and_then(Handle::client);
        let client = client.and_then(|address| policy.limits.client.counted(address));
        self.passwords.check((&self.network, organization), (connection, client), login, token);
    }

    fn forget(&self, key: BodyKey) {
        // A spool that takes nothing more collects orphans at its next opening.
        let _ = self.network.spool.submit(Operation::Discard(key));
    }

    fn again_link(&mut self, peer: ConnectionId, change: LinkChange, token: &Token) {
        self.again.push_back((Input::Link { peer, change }, token.also(Kind::Input)));
    }

    fn log(&self, event: &Event) {
        log_event(&self.configuration.member.member, event);
    }

    fn trace(&mut self, input: Option<&Input<Server>>, acts: &[Act<Server>]) {
        if !is_traced() || (input.is_none() && acts.is_empty()) {
            return;
        }
        use crate::kernel::Machine as _;
        let now: Time = self.network.clock.now();
        let line = self.tracer.line(now, input, acts, &self.node.machine().view());
        tracing::trace!(target: "bridgehead::trace", "{line}");
    }
}

/// Whether anybody wants the trace, under its own target: a filter may name that alone.
fn is_traced() -> bool {
    tracing::enabled!(target: "bridgehead::trace", tracing::Level::TRACE)
}
