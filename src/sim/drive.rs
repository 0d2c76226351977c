//! Drives the members: inputs in, acts out, exactly as the tokio shell does it.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::disk::{RIDING_LIMIT_OCTETS, digest_of};
use super::draw::Dice;
use super::host::{Socket, Work};
use super::house::is_for_the_house;
use super::log::Seen;
use super::network::{Connect, End, HostIndex, Parcel, PipeId, Target};
use super::world::{Happening, World};
use crate::kernel::{Act, Input, LinkChange, Node, Span};
use crate::protocol::member::{self, Endpoint, Port, Query, Timer};
use crate::protocol::operator::Order;
use crate::protocol::organization::Group;
use crate::protocol::server::{BodyProblem, Coding, Command, PartialName, Server, Wire};
use crate::wire::framer::EXPECTED_BODY_END;
use crate::wire::hops::EXPECTED_FEWER_HOPS;
use crate::wire::ids::{ConnectionId, MemberName};
use crate::wire::message::Body;
use crate::wire::{Framer, Mode, Unit};

/// The most acts of one step; a member that wants more has lost its bounds.
pub const ACTS_LIMIT: usize = 10_000;

impl World<'_> {
    /// Starts a member's process from what is on its disk.
    pub fn boot(&mut self, host: HostIndex) {
        if self.hosts[host].is_up() {
            return;
        }
        self.step += 1;
        let Self { hosts, log, choose, now, .. } = self;
        let at = &mut hosts[host];
        let (node, acts) = Node::boot(&at.config, at.disk.durable(), at.clock.shows(*now), *choose);
        if log.is_on() {
            let (now, name, acts) = (*now, at.name(), &acts);
            log.step(&Seen { now, name, kind: "boot", input: None, acts, node: &node });
        }
        at.node = Some(node);
        at.disk_busy_until = *now;
        self.checkers.stepped(&self.hosts[host], host);
        self.perform(host, acts);
        for key in self.hosts[host].disk.mended() {
            self.body_checked(host, key, None);
        }
        self.pump(host);
    }

    /// Kills a member's process. Writes under way may or may not have reached the disk, or in part: of the
    /// journal that part is dropped at the next start, a file stays as it is.
    pub fn crash(&mut self, host: HostIndex) {
        let now = self.now;
        self.log.row(now, self.hosts[host].name(), "crash", || {
            format!("life {}", self.hosts[host].life)
        });
        let works: Vec<Work> = core::mem::take(&mut self.hosts[host].works).into_values().collect();
        for work in works {
            // A DSN lives in memory until a change takes it along, so nothing of it is left; a question to the
            // store that decides, and a request to the house, go their way alone.
            let leaves_a_file = !matches!(work.query, Query::Compose(_) | Query::Store { .. })
                && !is_for_the_house(&work.query);
            let ways = if self.swarm.torn_writes { 3 } else { 2 };
            match leaves_a_file.then(|| self.dice().below("crash.work", ways)) {
                Some(1) => {
                    let _ = self.do_work(host, &work.query);
                }
                Some(2) => self.tear(host, &work.query),
                _ => {}
            }
        }
        let pending = self.hosts[host].disk.pending();
        let bound = u32::try_from(pending + 1).unwrap_or(u32::MAX);
        let persisted = self.dice().below("crash.persisted", bound) as usize;
        for _ in 0..persisted {
            // One by one: the checkers see each state that the disk went through.
            let change = self.hosts[host].disk.complete();
            self.checkers.stored(now, &self.hosts[host], host, &change);
        }
        self.hosts[host].disk.crash();
        let sockets: Vec<(PipeId, usize)> =
            self.hosts[host].sockets.values().map(|socket| (socket.pipe, socket.side)).collect();
        self.hosts[host].die();
        self.checkers.stepped(&self.hosts[host], host);
        for (pipe, side) in sockets {
            self.network.leave(pipe, side);
            let delay = self.network_delay("net.reset");
            self.schedule(delay, Happening::Lost(pipe, 1 - side));
        }
        self.checkers.look(now, &self.hosts[host], host);
    }

    /// The operator of a member says that another one will not come back.
    pub fn forget(&mut self, host: HostIndex, peer: HostIndex) {
        let member = self.hosts[peer].config.member.clone();
        self.order(host, Order::Forget { member });
    }

    /// The operator of a member orders something.
    pub fn order(&mut self, host: HostIndex, order: Order) {
        let from = self.hosts[host].name_inbound();
        self.checkers.ordered(&self.hosts[host], (host, from), &order);
        let order = member::Command::Order { from, order };
        self.feed(host, Input::Command(Command::Member(order)));
        self.pump(host);
    }

    /// The file of `host` has another revision from now on, which names this master of its group.
    pub fn tell_master(&mut self, host: HostIndex, master: &MemberName, revision: u32) {
        let organization = Arc::make_mut(&mut self.hosts[host].config.organization);
        organization.revision = revision;
        let groups = organization.groups.iter_mut();
        let is_told =
            |group: &&mut Group| group.election.is_none() && group.members.contains(master);
        for group in groups.filter(is_told) {
            group.master = Some(master.clone());
        }
        self.feed(host, Input::Configuration);
        self.pump(host);
    }

    /// Gives a member one input.
    pub(super) fn feed(&mut self, host: HostIndex, input: Input<Server>) {
        let Self { hosts, log, choose, now, .. } = self;
        let at = &mut hosts[host];
        let Some(node) = at.node.as_mut() else { return };
        let noted = log.is_on().then(|| input.clone());
        let acts = node.step(&at.config, input, at.clock.shows(*now), *choose);
        if let Some(input) = noted {
            let (now, name, input, acts) = (*now, at.config.member.as_str(), Some(&input), &acts);
            log.step(&Seen { now, name, kind: "in", input, acts, node });
        }
        self.step += 1;
        self.checkers.stepped(&self.hosts[host], host);
        assert!(acts.len() <= ACTS_LIMIT, "the acts of one step are bounded");
        self.perform(host, acts);
        self.maybe_crash(host);
    }

    fn maybe_crash(&mut self, host: HostIndex) {
        let one_in = self.swarm.crashes_one_in;
        if self.dice().strikes("fault.crash", one_in) {
            let down = self.swarm.down.clone();
            let down = self.dice().span("fault.down", &down);
            let life = self.hosts[host].life;
            self.schedule(Span::ZERO, Happening::Crash { host, life, down });
        }
    }

    pub(super) fn timer_due(&mut self, host: HostIndex, life: u32, timer: Timer, arming: u64) {
        let at = &mut self.hosts[host];
        if at.life != life || at.timers.get(&timer) != Some(&arming) {
            return;
        }
        at.timers.remove(&timer);
        self.feed(host, Input::Timer(timer));
        self.pump(host);
    }

    /// The oldest ordered write is on disk: what waited for it may leave.
    pub(super) fn write_done(&mut self, host: HostIndex, life: u32) {
        let now = self.now;
        let at = &mut self.hosts[host];
        if at.life != life {
            return;
        }
        let change = at.disk.complete();
        self.checkers.stored(now, at, host, &change);
        let node = at.node.as_mut().expect("a life ends with its process");
        let acts = node.stored();
        self.step += 1;
        if self.log.is_on() {
            let (name, acts) = (at.config.member.as_str(), &acts);
            self.log.step(&Seen { now, name, kind: "stored", input: None, acts, node });
        }
        self.perform(host, acts);
        self.maybe_crash(host);
        self.pump(host);
    }

    /// Does what a member wants done, in order.
    fn perform(&mut self, host: HostIndex, acts: Vec<Act<Server>>) {
        for act in acts {
            match act {
                Act::Open { peer, endpoint } => self.open(host, peer, &endpoint),
                Act::Close { peer } => self.close(host, peer),
                Act::Send { to, pdu } => self.send(host, to, pdu),
                Act::Ask { ticket, query: query @ Query::Store { .. } } => {
                    self.ask_store(host, Work { ticket, query });
                }
                Act::Ask { ticket, query } if is_for_the_house(&query) => {
                    self.ask_house(host, Work { ticket, query });
                }
                Act::Ask { ticket, query } => self.ask(host, Work { ticket, query }),
                Act::Arm { timer, within } => {
                    let after = self.dice().span("timer", &within);
                    let after = self.hosts[host].clock.takes(after);
                    let arming = self.next_sequence();
                    let at = &mut self.hosts[host];
                    at.timers.insert(timer.clone(), arming);
                    let life = at.life;
                    self.schedule(after, Happening::Timer { host, life, timer, arming });
                }
                Act::Disarm(timer) => {
                    self.hosts[host].timers.remove(&timer);
                }
                Act::Write(change) => {
                    let Self { hosts, choose, delays, now, .. } = self;
                    let at = &mut hosts[host];
                    at.disk.write(change);
                    let delay = Dice(&mut **choose).span("disk.write", &delays.disk);
                    at.disk_busy_until = at.disk_busy_until.max(*now + delay);
                    let (done, life) = (at.disk_busy_until, at.life);
                    self.schedule_at(done, Happening::Stored { host, life });
                }
                // What a member tells its log stands in the rows and in the trace.
                Act::Event(event) => self.counts.count(&event),
            }
        }
    }

    fn open(&mut self, host: HostIndex, peer: ConnectionId, endpoint: &Endpoint) {
        let target = match endpoint {
            Endpoint::Connector(_, member)
            | Endpoint::Member(member)
            | Endpoint::Frontend(member) => Target::Member(self.names[member], Port::Smtp),
            Endpoint::Deliver(member) => Target::Member(self.names[member], Port::Deliver),
            Endpoint::Group(member)
            | Endpoint::Consult(member)
            | Endpoint::Convene(member)
            | Endpoint::Tenant(member) => Target::Member(self.names[member], Port::Group),
            Endpoint::Outside(_) => Target::Outside,
        };
        let opener = End::Member { host, connection: peer };
        let pipe = self.connect(opener, target);
        let socket = Socket {
            is_news: false,
            pipe,
            side: super::network::OPENER,
            framer: Framer::new(Mode::Paused),
            mode: Mode::Paused,
            body: Vec::new(),
            resumable: None,
            ended: false,
        };
        let before = self.hosts[host].sockets.insert(peer, socket);
        assert!(before.is_none(), "a connection's name is never used twice");
    }

    /// Starts a connect; what becomes of it is scheduled.
    pub(super) fn connect(&mut self, opener: End, target: Target) -> PipeId {
        let Self { network, delays, choose, now, .. } = self;
        let (pipe, fate) = network.open(opener, target, *now, delays, &mut Dice(&mut **choose));
        match fate {
            Connect::Arrives(after) => self.schedule(after, Happening::Knock(pipe)),
            Connect::Refused(after) => {
                self.schedule(after, Happening::Unreached(pipe, LinkChange::Refused));
            }
            Connect::TimedOut(after) => {
                self.schedule(after, Happening::Unreached(pipe, LinkChange::TimedOut));
            }
        }
        pipe
    }

    fn close(&mut self, host: HostIndex, peer: ConnectionId) {
        if let Some(socket) = self.hosts[host].let_go(peer, self.now) {
            self.put(socket.pipe, socket.side, Parcel::Finish);
            self.network.leave(socket.pipe, socket.side);
        }
    }

    fn send(&mut self, host: HostIndex, to: ConnectionId, pdu: Wire) {
        if let Wire::Ordered(answer) = &pdu {
            // Operators have no connection in this world, but they hear what they are answered.
            return self.checkers.confirmed(&self.hosts[host], (host, to), answer);
        }
        let Some(socket) = self.hosts[host].sockets.get_mut(&to) else { return };
        let (pipe, side) = (socket.pipe, socket.side);
        match pdu {
            Wire::Line(mut line) => {
                line = self.hosts[host].in_dialect(line);
                line.extend_from_slice(b"\r\n");
                self.transmit(pipe, side, line);
            }
            Wire::Frame(content) => {
                let content = self.hosts[host].in_dialect(content);
                let mut octets = format!("{{{:08x}}}", content.len()).into_bytes();
                octets.extend_from_slice(&content);
                self.transmit(pipe, side, octets);
            }
            Wire::Content { prefix, body, coding, from } => {
                self.send_content(host, (pipe, side), prefix, body, (coding, from));
            }
            Wire::Resume(name) => self.resume(host, to, name),
            Wire::Receive(mode) => {
                socket.framer.read_as(mode);
                socket.mode = mode;
                self.hosts[host].readable.push_back(to);
            }
            Wire::Check { attempt, login } => {
                let at = &self.hosts[host];
                let verdict = at.config.organization.verify(&login);
                self.feed(host, Input::Pdu { from: to, pdu: Wire::Checked { attempt, verdict } });
            }
            Wire::StartTls => self.checkers.object("host", "TLS was started where none is on"),
            other => panic!("a session sends only what goes out, not {other:?}"),
        }
    }

    fn send_content(
        &mut self,
        host: HostIndex,
        (pipe, side): (PipeId, usize),
        mut octets: Vec<u8>,
        body: Body,
        (coding, from): (Coding, u64),
    ) {
        let content = match self.read_body(host, body.key) {
            Ok(Some(content)) => content,
            Ok(None) => return,
            Err(damage) => {
                self.body_checked(host, body.key, Some(damage));
                self.broken_off(pipe, side);
                return;
            }
        };
        match coding {
            Coding::Octets => {
                let from = usize::try_from(from).expect("a body here lies in memory");
                self.transmit(pipe, side, octets);
                octets = content[from..].to_vec();
                self.break_off_within(pipe, octets.len());
            }
            Coding::Dots => {
                octets.extend_from_slice(&content);
                octets = super::client::stuffed(&octets);
            }
        }
        self.transmit(pipe, side, octets);
    }

    /// Where connections break at all, they break in the midst of bodies more often than their few octets
    /// would have it: bodies here are short.
    fn break_off_within(&mut self, pipe: PipeId, octets: usize) {
        const MORE_OFTEN: u32 = 10;
        let one_in = self.swarm.resets_one_in.div_ceil(MORE_OFTEN);
        let bound = u32::try_from(octets).unwrap_or(u32::MAX);
        if bound > 1 && self.dice().strikes("fault.body", one_in) {
            let part = 1 + self.dice().below("fault.body.part", bound - 1) as usize;
            self.snaps.insert(pipe, part);
        }
    }

    /// Goes on with what is kept of a body, and tells the member how much that is.
    fn resume(&mut self, host: HostIndex, connection: ConnectionId, name: PartialName) {
        let at = &mut self.hosts[host];
        if at.is_full {
            at.partials.clear();
        }
        let (octets, body) = at.partials.take(&name, self.now).unwrap_or_default();
        let Some(socket) = at.sockets.get_mut(&connection) else { return };
        socket.body = body;
        socket.resumable = Some(name);
        self.resumed += usize::from(octets > 0);
        let life = at.life;
        self.schedule(Span::ZERO, Happening::Kept(host, life, connection, octets));
    }

    pub(super) fn tell_kept(
        &mut self,
        (host, life): (HostIndex, u32),
        connection: ConnectionId,
        octets: u64,
    ) {
        let at = &self.hosts[host];
        if at.life == life && at.sockets.contains_key(&connection) {
            self.feed(host, Input::Pdu { from: connection, pdu: Wire::Kept(octets) });
            self.pump(host);
        }
    }

    /// Gives a member everything that can be read now.
    pub(super) fn pump(&mut self, host: HostIndex) {
        while let Some(connection) = self.hosts[host].readable.pop_front() {
            while self.read_one(host, connection) {}
        }
    }

    /// Gives a member the next unit of a connection; whether there was one.
    fn read_one(&mut self, host: HostIndex, connection: ConnectionId) -> bool {
        let Some(socket) = self.hosts[host].sockets.get_mut(&connection) else { return false };
        let is_body = socket.mode.is_content() && !matches!(socket.mode, Mode::Block(_));
        let pdu = match socket.framer.next_unit() {
            Ok(None) if socket.ended && !socket.framer.is_paused() => {
                self.ended(host, connection);
                return false;
            }
            Ok(None) => {
                if core::mem::take(&mut socket.is_news) && socket.mode.is_content() {
                    let pdu = Wire::Progress;
                    self.feed(host, Input::Pdu { from: connection, pdu });
                }
                return false;
            }
            Ok(Some(Unit::Body(piece))) => {
                socket.body.extend_from_slice(&piece);
                return true;
            }
            Ok(Some(Unit::BodyEnd)) => {
                let octets = core::mem::take(&mut socket.body);
                socket.resumable = None;
                return self.body_read(host, connection, octets);
            }
            Ok(Some(Unit::Line(line))) => Wire::Line(line),
            Ok(Some(Unit::Secret(line))) => Wire::Secret(line),
            Ok(Some(Unit::Block(block))) => Wire::Block(block),
            Ok(Some(Unit::Frame(frame))) => Wire::Frame(frame),
            Err(error) if is_body => {
                let octets = core::mem::take(&mut socket.body);
                socket.resumable = None;
                let offset = error.offset as u64;
                Wire::NoBody(match socket.mode {
                    _ if error.expected == EXPECTED_BODY_END => BodyProblem::TooLarge,
                    _ if error.expected == EXPECTED_FEWER_HOPS => BodyProblem::TooManyHops(offset),
                    Mode::Text(_) => BodyProblem::Unfit { offset, digest: digest_of(&octets) },
                    _ => BodyProblem::BareLineEnd(offset),
                })
            }
            Err(error) => Wire::Bad { error, said: socket.framer.take_spoiled() },
        };
        self.feed(host, Input::Pdu { from: connection, pdu });
        true
    }

    fn body_read(&mut self, host: HostIndex, connection: ConnectionId, octets: Vec<u8>) -> bool {
        let no_space = self.swarm.full_one_in;
        if self.hosts[host].is_full || self.dice().strikes("disk.full", no_space) {
            let pdu = Wire::NoBody(BodyProblem::NoSpace);
            self.feed(host, Input::Pdu { from: connection, pdu });
            return true;
        }
        let rides = octets.len() <= RIDING_LIMIT_OCTETS;
        let body = self.hosts[host].disk.keep(octets);
        if rides {
            self.feed(host, Input::Pdu { from: connection, pdu: Wire::Body(body) });
            return true;
        }
        let delay = self.files_delay();
        let life = self.hosts[host].life;
        self.schedule(delay, Happening::BodySynced { host, life, connection, body });
        false
    }

    pub(super) fn body_synced(
        &mut self,
        host: HostIndex,
        life: u32,
        connection: ConnectionId,
        body: Body,
    ) {
        if self.hosts[host].life != life {
            return;
        }
        self.hosts[host].disk.sync_body(body.key);
        self.feed(host, Input::Pdu { from: connection, pdu: Wire::Body(body) });
        self.pump(host);
    }

    /// The far end ended its stream, and all of it was read.
    fn ended(&mut self, host: HostIndex, connection: ConnectionId) {
        self.feed(host, Input::Pdu { from: connection, pdu: Wire::End });
        if let Some(socket) = self.hosts[host].let_go(connection, self.now) {
            self.put(socket.pipe, socket.side, Parcel::Finish);
            self.network.leave(socket.pipe, socket.side);
            self.feed(host, Input::Link { peer: connection, change: LinkChange::Closed });
        }
    }
}
