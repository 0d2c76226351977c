//! Whole members with real custody, joined by pipes of octets: session speaks to session.

use std::collections::{BTreeMap, VecDeque};

use bridgehead::kernel::Machine as _;
use bridgehead::kernel::{Act, Input, LinkChange, Node, Seeded, Span, Time};
use bridgehead::protocol::member::{
    Answer, Durable, Endpoint, Event, MemberConfig, Port, Query, Security, Timer,
};
use bridgehead::protocol::server::{Coding, Command, Server, Wire};
use bridgehead::protocol::session::received_lines;
use bridgehead::wire::envelope::sha256;
use bridgehead::wire::frame::encode_frame;
use bridgehead::wire::ids::{ConnectionId, MemberName};
use bridgehead::wire::message::{Body, BodyKey};
use bridgehead::wire::{Framer, Mode, Unit};

use crate::stage::{NOON, config};

/// One end of a pipe.
struct End {
    /// The other end; `None` once it is closed.
    far: Option<(MemberName, ConnectionId)>,
    framer: Framer,
    body: Vec<u8>,
}

/// One member and its host.
struct Host {
    config: MemberConfig,
    node: Node<Server>,
    durable: Durable,
    timers: BTreeMap<Timer, Time>,
    bodies: BTreeMap<BodyKey, Vec<u8>>,
    ends: BTreeMap<ConnectionId, End>,
    accepted: u64,
    /// Files by account and name; the flag says whether they are published.
    files: BTreeMap<(String, String), (Vec<u8>, bool)>,
}

/// Everything.
struct World {
    hosts: BTreeMap<MemberName, Host>,
    inputs: VecDeque<(MemberName, Input<Server>)>,
    now: Time,
    choose: Seeded,
    /// What passed on the wire, line by line, with who said it.
    said: Vec<String>,
    events: Vec<(MemberName, Event)>,
}

/// What the client at rg1-a is told goes here.
const CLIENT: &str = "client";

impl World {
    fn new(names: &[&str]) -> Self {
        let mut world = Self {
            hosts: BTreeMap::new(),
            inputs: VecDeque::new(),
            now: NOON,
            choose: Seeded::new(7),
            said: Vec::new(),
            events: Vec::new(),
        };
        let mut booted: Vec<(MemberName, _)> = Vec::new();
        for name in names {
            let config = config(name, Security::Address);
            let durable = Durable::default();
            let (node, acts) = Node::boot(&config, &durable, NOON, &mut world.choose);
            let host = Host {
                config,
                node,
                durable,
                timers: BTreeMap::new(),
                bodies: BTreeMap::new(),
                ends: BTreeMap::new(),
                accepted: 0,
                files: BTreeMap::new(),
            };
            world.hosts.insert((*name).into(), host);
            booted.push(((*name).into(), acts));
        }
        // All are there before anybody calls anybody.
        for (name, acts) in booted {
            world.perform(&name, acts);
        }
        world
    }

    /// Everything that can happen now happens.
    fn settle(&mut self) {
        for _ in 0..100_000 {
            let Some((name, input)) = self.inputs.pop_front() else {
                let names: Vec<_> = self.hosts.keys().cloned().collect();
                if !names.iter().any(|name| self.read(name)) {
                    return;
                }
                continue;
            };
            let host = self.hosts.get_mut(&name).expect("a host");
            let acts = host.node.step(&host.config, input, self.now, &mut self.choose);
            self.perform(&name, acts);
        }
        panic!("the members never come to rest: {:?}", self.said.last_chunk::<20>());
    }

    /// Gives one unit to one session of the host; false if there is none.
    fn read(&mut self, name: &MemberName) -> bool {
        let host = self.hosts.get_mut(name).expect("a host");
        for (connection, end) in &mut host.ends {
            let unit = end.framer.next_unit().expect("members say what is well-formed");
            let pdu = match unit {
                // What was said before the end is read first.
                None if end.far.is_none() && !end.framer.is_paused() => {
                    let from = *connection;
                    host.ends.remove(&from);
                    self.inputs.push_back((name.clone(), Input::Pdu { from, pdu: Wire::End }));
                    let closed = Input::Link { peer: from, change: LinkChange::Closed };
                    self.inputs.push_back((name.clone(), closed));
                    return true;
                }
                None => continue,
                Some(Unit::Line(line)) => Wire::Line(line),
                Some(Unit::Secret(line)) => Wire::Secret(line),
                Some(Unit::Frame(frame)) => Wire::Frame(frame),
                Some(Unit::Block(block)) => Wire::Block(block),
                Some(Unit::Body(piece)) => {
                    end.body.extend(piece);
                    return true;
                }
                Some(Unit::BodyEnd) => {
                    let octets = core::mem::take(&mut end.body);
                    let key = BodyKey(host.bodies.len() as u64 + 1);
                    let (digest, length) = (sha256(&octets), octets.len() as u64);
                    host.bodies.insert(key, octets);
                    Wire::Body(Body { key, digest, octets: length })
                }
            };
            self.inputs.push_back((name.clone(), Input::Pdu { from: *connection, pdu }));
            return true;
        }
        false
    }

    fn perform(&mut self, name: &MemberName, acts: Vec<Act<Server>>) {
        let mut acts = VecDeque::from(acts);
        while let Some(act) = acts.pop_front() {
            let host = self.hosts.get_mut(name).expect("a host");
            match act {
                Act::Write(change) => {
                    Server::apply(&mut host.durable, &change);
                    acts.extend(host.node.stored());
                }
                Act::Arm { timer, within } => {
                    host.timers.insert(timer, self.now + *within.start());
                }
                Act::Disarm(timer) => {
                    host.timers.remove(&timer);
                }
                Act::Ask { ticket, query } => {
                    let answer = answer(host, query);
                    self.inputs.push_back((name.clone(), Input::Answer { ticket, answer }));
                }
                Act::Open { peer, endpoint } => self.open(name, peer, &endpoint),
                Act::Send { to, pdu } => self.send(name, to, pdu),
                Act::Close { peer } => self.close(name, peer),
                Act::Event(event) => self.events.push((name.clone(), event)),
            }
        }
    }

    fn open(&mut self, name: &MemberName, ours: ConnectionId, endpoint: &Endpoint) {
        let (target, port) = match endpoint {
            Endpoint::Connector(_, target)
            | Endpoint::Member(target)
            | Endpoint::Frontend(target) => (target, Port::Smtp),
            Endpoint::Deliver(target) => (target, Port::Deliver),
            Endpoint::Group(target)
            | Endpoint::Consult(target)
            | Endpoint::Convene(target)
            | Endpoint::Tenant(target) => (target, Port::Group),
            Endpoint::Outside(server) => panic!("no mail for {server} in this test"),
        };
        if !self.hosts.contains_key(target) {
            let refused = Input::Link { peer: ours, change: LinkChange::Refused };
            return self.inputs.push_back((name.clone(), refused));
        }
        let theirs = self.accept(target, port, Some(name.clone()), (name.clone(), ours));
        self.add(name, ours, (target.clone(), theirs));
        let up = Input::Link { peer: ours, change: LinkChange::Up };
        self.inputs.push_back((name.clone(), up));
    }

    fn accept(
        &mut self,
        name: &MemberName,
        port: Port,
        member: Option<MemberName>,
        far: (MemberName, ConnectionId),
    ) -> ConnectionId {
        let host = self.hosts.get_mut(name).expect("a host");
        host.accepted += 1;
        let connection = ConnectionId(host.accepted * 2 - 1);
        self.add(name, connection, far);
        let remote = String::from("192.0.2.1");
        let accepted = Command::Accepted { connection, port, remote, member };
        self.inputs.push_back((name.clone(), Input::Command(accepted)));
        connection
    }

    fn add(
        &mut self,
        name: &MemberName,
        connection: ConnectionId,
        far: (MemberName, ConnectionId),
    ) {
        let framer = Framer::new(Mode::Paused);
        let end = End { far: Some(far), framer, body: Vec::new() };
        self.hosts.get_mut(name).expect("a host").ends.insert(connection, end);
    }

    fn send(&mut self, name: &MemberName, connection: ConnectionId, pdu: Wire) {
        let host = self.hosts.get_mut(name).expect("a host");
        let octets = match pdu {
            Wire::Receive(mode) => {
                if let Some(end) = host.ends.get_mut(&connection) {
                    end.framer.read_as(mode);
                }
                return;
            }
            Wire::Line(mut line) => {
                self.said.push(format!("{name}: {}", String::from_utf8_lossy(&line)));
                line.extend(b"\r\n");
                line
            }
            Wire::Frame(content) => {
                self.said.push(format!("{name}: {}", String::from_utf8_lossy(&content).trim()));
                encode_frame(&content)
            }
            Wire::Content { prefix, body, coding, .. } => {
                let body = &host.bodies[&body.key];
                match coding {
                    Coding::Octets => [prefix, body.clone()].concat(),
                    // No line of these bodies begins with a dot.
                    Coding::Dots => [prefix, body.clone(), b".\r\n".to_vec()].concat(),
                }
            }
            Wire::Resume(_) => {
                let kept = Input::Pdu { from: connection, pdu: Wire::Kept(0) };
                return self.inputs.push_back((name.clone(), kept));
            }
            Wire::Forget(key) => {
                host.bodies.remove(&key);
                return;
            }
            other => panic!("nobody says {other:?} here"),
        };
        let far = host.ends.get(&connection).and_then(|end| end.far.clone());
        let Some((far, theirs)) = far else { return };
        let end = self.hosts.get_mut(&far).and_then(|host| host.ends.get_mut(&theirs));
        if let Some(end) = end {
            end.framer.push(&octets);
        }
    }

    fn close(&mut self, name: &MemberName, connection: ConnectionId) {
        let host = self.hosts.get_mut(name).expect("a host");
        let Some((far, theirs)) = host.ends.remove(&connection).and_then(|end| end.far) else {
            return;
        };
        if let Some(end) = self.hosts.get_mut(&far).and_then(|host| host.ends.get_mut(&theirs)) {
            end.far = None;
        }
    }

    /// Lets time pass, timer by timer.
    fn pass(&mut self, span: Span) {
        let until = self.now + span;
        loop {
            self.settle();
            let next = self.hosts.iter().flat_map(|(name, host)| {
                host.timers.iter().map(move |(timer, due)| (*due, name.clone(), timer.clone()))
            });
            let Some((due, name, timer)) = next.min().filter(|(due, ..)| *due <= until) else {
                break;
            };
            self.now = due.max(self.now);
            self.hosts.get_mut(&name).expect("a host").timers.remove(&timer);
            self.inputs.push_back((name, Input::Timer(timer)));
        }
        self.now = until;
    }

    /// A client gives a mail to `name`, all at once, and does not wait for replies.
    fn submit(&mut self, name: &str, recipient: &str, text: &str) {
        let name = MemberName::from(name);
        let connection = self.accept(&name, Port::Smtp, None, (CLIENT.into(), ConnectionId(0)));
        let octets = format!(
            "EHLO client.example\r\nMAIL FROM:<carl@example.net>\r\nRCPT TO:<{recipient}>\r\n\
             DATA\r\n{text}.\r\nQUIT\r\n"
        );
        let host = self.hosts.get_mut(&name).expect("a host");
        host.ends.get_mut(&connection).expect("it is open").framer.push(octets.as_bytes());
        self.settle();
    }

    /// The published files of an account, wherever they lie.
    fn files(&self, account: &str) -> Vec<(MemberName, String)> {
        let mut found = Vec::new();
        for (name, host) in &self.hosts {
            for ((owner, _), (octets, published)) in &host.files {
                if owner == account && *published {
                    found.push((name.clone(), String::from_utf8_lossy(octets).into_owned()));
                }
            }
        }
        found
    }

    fn said_once(&self, start: &str) -> usize {
        let place = self.said.iter().position(|line| line.starts_with(start));
        let place = place.unwrap_or_else(|| panic!("nobody said `{start}`:\n{:#?}", self.said));
        let again = self.said[place + 1..].iter().filter(|line| line.starts_with(start)).count();
        assert_eq!(again, 0, "`{start}` was said once:\n{:#?}", self.said);
        place
    }
}

fn answer(host: &mut Host, query: Query) -> Answer {
    match query {
        Query::Deposit { account, name, hops, body, .. } => {
            let mut octets = received_lines(&hops).into_bytes();
            octets.extend(&host.bodies[&body.key]);
            host.files.insert((account.0, name), (octets, false));
            Answer::Done
        }
        Query::Publish { account, name, .. } => {
            if let Some((_, published)) = host.files.get_mut(&(account.0, name)) {
                *published = true;
            }
            Answer::Done
        }
        Query::Store { .. } | Query::Shared { .. } => panic!("no group here asks a store"),
        Query::Discard(key) => {
            host.bodies.remove(&key);
            Answer::Done
        }
        Query::Filter { .. } | Query::Header(_) | Query::Reply(_) => {
            panic!("nobody has rules here")
        }
        Query::Usage { .. } => panic!("nobody has a quota here"),
        Query::Compose(notice) => panic!("nothing bounces here: {notice:?}"),
    }
}

/// From a client in RG1 over the connector and the delivery port into an account in RG2: each protocol
/// in its order, news before mail, and the trace in the file.
#[test]
fn a_mail_crosses_two_groups_into_an_account() {
    let mut world = World::new(&["rg1-a", "rg1-b", "rg2-a", "rg2-b"]);
    world.pass(Span::seconds(1));
    world.submit("rg1-a", "cora@example.org", "Subject: hi\r\n\r\nhello\r\n");
    world.pass(Span::seconds(1));

    let files = world.files("cora@example.org");
    let [(host, text)] = files.as_slice() else { panic!("one file: {:#?}", world.said) };
    assert_eq!(host.as_str(), "rg2-b");
    let hops: Vec<_> = text.lines().filter(|line| line.starts_with("\tby ")).collect();
    let by: Vec<_> = hops.iter().map(|line| line.split(' ').nth(1).unwrap_or_default()).collect();
    assert_eq!(by, ["rg2-b", "rg2-a", "rg1-a"], "newest first:\n{text}");
    assert!(text.ends_with("Subject: hi\r\n\r\nhello\r\n"), "the body is as it was: {text}");

    let order = [
        "rg1-a: 250 2.0.0 Ok: queued as ",
        "rg1-a: X-SUBMIT OFFER ",
        "rg2-a: 354 2.0.0 Go ahead",
        "rg2-a: 250 2.0.0 TRANSFERRED ",
        "rg1-a: X-SUBMIT COMMIT ",
        "rg2-a: 250 2.0.0 ACCEPTED ",
        "rg2-a: LHLO rg2-a",
        "rg2-a: RCPT TO:<cora@example.org> XINDEX=0",
        "rg2-b: 250 2.1.5 [0] delivered",
    ];
    let places: Vec<_> = order.iter().map(|start| world.said_once(start)).collect();
    assert!(places.is_sorted(), "each in its turn: {places:?}\n{:#?}", world.said);
    let news = world.said.iter().position(|line| line.starts_with("rg1-a: X-LINK2STATE FIRST"));
    assert!(news.is_some_and(|news| news < places[1]), "news before mail:\n{:#?}", world.said);
    for (attached, master) in [("rg1-a", "rg1-b"), ("rg2-a", "rg2-b")] {
        world.said_once(&format!("{master}: NODEINFO (6)"));
        world.said_once(&format!("{attached}: ATTACH"));
    }
}

/// Nothing is left behind: no queue, no body, and nobody misbehaved.
#[test]
fn everything_is_cleaned_up() {
    let mut world = World::new(&["rg1-a", "rg1-b", "rg2-a", "rg2-b"]);
    for recipient in ["anna@example.org", "bert@example.org", "cora@example.org"] {
        world.submit("rg1-a", recipient, "Subject: hi\r\n\r\nhello\r\n");
    }
    world.pass(Span::minutes(2));
    for recipient in ["anna@example.org", "bert@example.org", "cora@example.org"] {
        assert_eq!(world.files(recipient).len(), 1, "{recipient}: {:#?}", world.said);
    }
    for (name, host) in &world.hosts {
        let view = host.node.machine().member().view();
        assert_eq!(view.queue, [], "{name} has delivered everything");
        assert!(host.bodies.is_empty(), "{name} keeps no body: {:?}", host.bodies);
    }
    let odd: Vec<_> = world
        .events
        .iter()
        .filter(|(_, event)| format!("{event:?}").contains("Misbehaved"))
        .chain(world.events.iter().filter(|(_, event)| format!("{event:?}").contains("Unspoken")))
        .collect();
    assert!(odd.is_empty(), "members keep to the protocol: {odd:#?}");
}
