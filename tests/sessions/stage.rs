//! A stage for one connection of a real `ServerOf` over scripted custody: a transcript goes in, the same
//! transcript must come out.
//!
//! | line | meaning |
//! |---|---|
//! | `C: text`, `S: text` | a line of the client or of the server; the stage knows which end is ours |
//! | `C= text`, `S= text` | the content of a counted frame, `\r\n` written as such |
//! | `C~ text`, `S~ text` | octets as they are, `\r\n` written as such; ours: prefix, body key, coding |
//! | `? mode` | our session asks to be read to in another mode than lines |
//! | `M> words` | what custody hears; JSON where it is a PDU |
//! | `M< json`, `M<! json` | what custody says: at once, or durably behind a change |
//! | `M. close` | custody closes the connection |
//! | `E: text` | what the log is told |
//! | `+ kept octets` | the host has these of the body, or `0` |
//! | `+ words` | the host: `up`, `lost`, `end`, `progress`, `secured [member]`, `timer`, `stored`, `shutdown`;
//! | | `checked N` and `unavailable N`: what comes of the login that was asked for last, as the answer to N |
//! | `T: time` | our session waits so long from now on, where a test wants to know |
//! | `. close`, `! words` | our session closes; asks the host for TLS, to forget a body, or to check a login |

use std::sync::Arc;

use bridgehead::kernel::{
    Act, Cx, Effect, Input, LinkChange, Machine, Node, Seeded, Span, Ticket, Time, Tracer,
};
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::member::{
    self, ClientLimits, Endpoint, Event, MemberConfig, OutsidePolicy, OutsideTls, Pdu, Policy,
    Port, Security, Timer,
};
use bridgehead::protocol::organization::{Organization, Verdict};
use bridgehead::protocol::server::{BodyProblem, Command, Custody, PartialName, ServerOf, Wire};
use bridgehead::wire::envelope::sha256;
use bridgehead::wire::framer::{EXPECTED_BODY_END, EXPECTED_CRLF};
use bridgehead::wire::hops::EXPECTED_FEWER_HOPS;
use bridgehead::wire::ids::{ConnectionId, StoreId};
use bridgehead::wire::message::{Body, BodyKey};
use bridgehead::wire::smtp::auth::Login;
use bridgehead::wire::{Framer, Mode, Unit};

/// Custody that says what the test wants, and remembers what it hears.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Script {
    pub(crate) heard: Vec<String>,
}

/// What the test wants custody to do; it comes in as the answer to a question that nobody asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub(crate) enum Order {
    Say(ConnectionId, Pdu),
    SayDurably(ConnectionId, Pdu),
    Open(ConnectionId, Endpoint),
    Close(ConnectionId),
}

impl Machine for Script {
    type Config = MemberConfig;
    type Peer = ConnectionId;
    type Endpoint = Endpoint;
    type Pdu = Pdu;
    type Timer = Timer;
    type Change = u32;
    type Durable = u32;
    type Query = ();
    type Answer = Order;
    type Command = member::Command;
    type Event = Event;
    type View = ();

    fn apply(durable: &mut u32, change: &u32) {
        *durable = *change;
    }

    fn boot(_: &MemberConfig, _: &u32, _: &mut Cx<'_, Self>) -> Self {
        Self { heard: Vec::new() }
    }

    fn step(&mut self, _: &MemberConfig, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        let words = match input {
            Input::Pdu { pdu, .. } => serde_json::to_string(&pdu).expect("a PDU is JSON"),
            Input::Link { change, .. } => format!("link {change:?}"),
            Input::Command(member::Command::Inbound { member, port, .. }) => {
                format!("inbound {member} {port:?}")
            }
            Input::Answer { answer: Order::Say(to, pdu), .. } => return cx.send(to, pdu),
            Input::Answer { answer: Order::SayDurably(to, pdu), .. } => {
                cx.out.push(Effect::Store(1));
                return cx.send_durable(to, pdu);
            }
            Input::Answer { answer: Order::Open(peer, endpoint), .. } => {
                return cx.open(peer, endpoint);
            }
            Input::Answer { answer: Order::Close(peer), .. } => return cx.close(peer),
            other => format!("{other:?}"),
        };
        self.heard.push(words);
    }

    fn view(&self) {}
}

impl Custody for Script {
    fn store(_: &u32) -> StoreId {
        StoreId(0x0123_4567_89ab_cdef)
    }

    fn store_drawn(_: &u32) -> Option<StoreId> {
        None
    }
}

/// Two groups of two members, and three accounts.
pub(crate) const ORGANIZATION: &str = r#"
format = 1
revision = 1
name = "Test"
domains = ["example.org"]
smart_host = "mail.example.net:25"
[[group]]
name = "RG1"
uuid = "00000000000000000000000000000001"
members = ["rg1-a", "rg1-b"]
master = "rg1-b"
[[group.store]]
name = "vault"
lmtp = "192.0.2.24:24"
[[group]]
name = "RG2"
uuid = "00000000000000000000000000000002"
members = ["rg2-a", "rg2-b"]
master = "rg2-b"
[[connector]]
name = "RG1-RG2"
from = "RG1"
to = "RG2"
cost = 10
sources = ["rg1-a"]
targets = ["rg2-a"]
[[connector]]
name = "RG2-RG1"
from = "RG2"
to = "RG1"
cost = 10
sources = ["rg2-a"]
targets = ["rg1-a"]
[[account]]
address = "anna@example.org"
host = "rg2-a"
[[account]]
address = "bert@example.org"
host = "rg1-a"
# `correct horse`, at the least cost; made by the reference implementation of Argon2.
password = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$t5QLzMlfSPLMezb1X/hRw1bKTTpryM1JhqBpLyqseOw"
[[account]]
address = "cora@example.org"
host = "rg2-b"
"#;

/// The configuration of `member`.
pub(crate) fn config(member: &str, security: Security) -> MemberConfig {
    let organization: Organization = toml::from_str(ORGANIZATION).expect("the file is TOML");
    assert_eq!(organization.check(), []);
    MemberConfig {
        organization: Arc::new(organization),
        member: member.into(),
        security,
        policy: Policy { recipients_limit: 3, message_limit_octets: 10_000, ..Policy::default() },
        faults: Faults::none(),
    }
}

/// 21 November 2026, 22:36:26 UTC.
pub(crate) const NOON: Time = Time(1_795_300_586_000_000);

/// One connection and everything around it.
pub(crate) struct Stage {
    config: MemberConfig,
    node: Node<ServerOf<Script>>,
    choose: Seeded,
    connection: ConnectionId,
    framer: Framer,
    mode: Mode,
    /// The letter of our end: `S` where a client connected to us.
    ours: char,
    theirs: char,
    body: Vec<u8>,
    bodies: u64,
    heard: usize,
    log: Vec<String>,
    now: Time,
    /// Events and their like can be left out, where a test is not about them.
    pub(crate) show_events: bool,
    /// How long the session waits from now on: shown where a test is about it.
    pub(crate) show_timer: bool,
    /// The login that the session wants to have checked.
    login: Option<Login>,
    /// Every input and act as the trace shows them, one line each.
    pub(crate) trace: Vec<String>,
    tracer: Tracer,
}

impl Stage {
    fn new(config: MemberConfig, connection: ConnectionId, ours: char) -> Self {
        let mut choose = Seeded::new(1);
        let (node, acts) = Node::boot(&config, &0, NOON, &mut choose);
        assert_eq!(acts, [], "a scripted member boots without a word");
        Self {
            config,
            node,
            choose,
            connection,
            framer: Framer::new(Mode::Paused),
            mode: Mode::Paused,
            ours,
            theirs: if ours == 'S' { 'C' } else { 'S' },
            body: Vec::new(),
            bodies: 0,
            heard: 0,
            log: Vec::new(),
            now: NOON,
            show_events: true,
            show_timer: false,
            login: None,
            trace: Vec::new(),
            tracer: Tracer::new("rg2-a".into(), false),
        }
    }

    /// A client connects to `port` of rg2-a.
    pub(crate) fn accept(security: Security, port: Port, member: Option<&str>) -> Self {
        let mut stage = Self::new(config("rg2-a", security), ConnectionId(1), 'S');
        stage.show_events = false;
        let remote = String::from("192.0.2.1");
        let connection = stage.connection;
        let member = member.map(Into::into);
        stage.step(Input::Command(Command::Accepted { connection, port, remote, member }));
        stage
    }

    /// The same port, from an address whose limits these are.
    pub(crate) fn accept_within(limits: ClientLimits, security: Security) -> Self {
        let mut config = config("rg2-a", security);
        config.policy.limits.client = limits;
        let mut stage = Self::new(config, ConnectionId(1), 'S');
        stage.show_events = false;
        stage.accept_again("192.0.2.1", None);
        stage
    }

    /// Another client of the same member.
    pub(crate) fn accept_again(&mut self, remote: &str, member: Option<&str>) {
        self.connection = ConnectionId(self.connection.0 + 2);
        (self.framer, self.mode) = (Framer::new(Mode::Paused), Mode::Paused);
        let (connection, port, remote) = (self.connection, Port::Smtp, String::from(remote));
        let member = member.map(Into::into);
        self.step(Input::Command(Command::Accepted { connection, port, remote, member }));
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, span: Span) {
        self.now = self.now + span;
    }

    /// rg1-a opens a connection; it is up.
    pub(crate) fn open(security: Security, endpoint: Endpoint) -> Self {
        let mut stage = Self::new(config("rg1-a", security), ConnectionId(2), 'C');
        stage.show_events = false;
        let order = Order::Open(stage.connection, endpoint);
        stage.step(Input::Answer { ticket: Ticket(0), answer: order });
        stage.step(Input::Link { peer: ConnectionId(2), change: LinkChange::Up });
        stage
    }

    /// rg1-a opens a connection to an outside server, secured by `tls`.
    pub(crate) fn open_outside(tls: OutsideTls) -> Self {
        let mut config = config("rg1-a", Security::Tls);
        config.policy.outside = vec![OutsidePolicy { domain: None, tls }];
        let mut stage = Self::new(config, ConnectionId(0), 'C');
        stage.show_events = false;
        stage.open_again();
        stage
    }

    /// The same server again.
    pub(crate) fn open_again(&mut self) {
        self.connection = ConnectionId(self.connection.0 + 2);
        (self.framer, self.mode) = (Framer::new(Mode::Paused), Mode::Paused);
        let order = Order::Open(self.connection, Endpoint::Outside("mail.example.net:25".into()));
        self.step(Input::Answer { ticket: Ticket(0), answer: order });
        self.step(Input::Link { peer: self.connection, change: LinkChange::Up });
    }

    /// The server, to look at.
    pub(crate) const fn server(&self) -> &ServerOf<Script> {
        self.node.machine()
    }

    /// Plays the inputs of `transcript`; everything that happens must be what it says, in its order.
    #[track_caller]
    pub(crate) fn play(&mut self, transcript: &str) {
        let expected: Vec<_> =
            transcript.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        for line in &expected {
            self.input(line);
        }
        let actual = core::mem::take(&mut self.log).join("\n");
        assert_eq!(
            actual,
            expected.join("\n"),
            "the transcript differs; the first is what happened"
        );
    }

    /// What has happened since the last look, where a test does not play a transcript.
    pub(crate) fn take_log(&mut self) -> Vec<String> {
        core::mem::take(&mut self.log)
    }

    /// Whose mail for foreign domains is taken without a login.
    pub(crate) fn relay_for(&mut self, networks: &[&str]) {
        let networks = networks.iter().map(|network| network.parse().expect("a network"));
        self.config.policy.relay_networks = networks.collect();
    }

    /// The organization is another one from now on.
    pub(crate) fn reload(&mut self, change: impl FnOnce(&mut Organization)) {
        change(Arc::make_mut(&mut self.config.organization));
    }

    /// Checks the login that the session wants to have checked, if there is one.
    pub(crate) fn check_login(&mut self) {
        if self.login.is_some() {
            self.host("checked 1");
        }
    }

    fn input(&mut self, line: &str) {
        let (front, rest) = line.split_once(' ').unwrap_or((line, ""));
        let theirs = self.theirs;
        let is = |mark: char| front.chars().eq([theirs, mark]);
        let order = |answer| Input::Answer { ticket: Ticket(0), answer };
        if is(':') {
            self.log.push(line.into());
            self.octets(format!("{rest}\r\n").as_bytes());
        } else if is('~') {
            self.log.push(line.into());
            self.octets(unescape(rest).as_bytes());
        } else if is('=') {
            self.log.push(line.into());
            let content = unescape(rest);
            self.octets(format!("{{{:08x}}}{content}", content.len()).as_bytes());
        } else if front == "M<" || front == "M<!" {
            self.log.push(line.into());
            let pdu: Pdu = serde_json::from_str(rest).expect("the transcript holds a PDU");
            let durably = front == "M<!";
            let make = if durably { Order::SayDurably } else { Order::Say };
            self.step(order(make(self.connection, pdu)));
        } else if front == "M." {
            self.log.push(line.into());
            self.step(order(Order::Close(self.connection)));
        } else if front == "+" {
            self.log.push(line.into());
            self.host(rest);
        }
    }

    fn host(&mut self, words: &str) {
        let peer = self.connection;
        let link = |change| Input::Link { peer, change };
        let wire = |pdu| Input::Pdu { from: peer, pdu };
        match words.split_once(' ').unwrap_or((words, "")) {
            ("lost", _) => self.step(link(LinkChange::Lost)),
            ("end", _) => self.step(wire(Wire::End)),
            ("progress", _) => self.step(wire(Wire::Progress)),
            ("unsecured", why) => self.step(wire(Wire::Unsecured(why.into()))),
            ("secured", "") => self.step(wire(Wire::Secured(None))),
            ("secured", member) => self.step(wire(Wire::Secured(Some(member.into())))),
            ("kept", "0") => self.step(wire(Wire::Kept(0))),
            ("kept", octets) => {
                self.body = octets.into();
                self.step(wire(Wire::Kept(octets.len() as u64)));
            }
            ("checked", attempt) => {
                let login = self.login.take().expect("a login was asked for");
                let verdict = self.config.organization.verify(&login);
                self.step(wire(Wire::Checked { attempt: attempt.parse().unwrap(), verdict }));
            }
            ("unavailable", attempt) => {
                let (attempt, verdict) = (attempt.parse().unwrap(), Verdict::Unavailable);
                self.step(wire(Wire::Checked { attempt, verdict }));
            }
            ("timer", _) => self.step(Input::Timer(Timer::Session(peer))),
            ("shutdown", _) => self.step(Input::Command(Command::ShutDown)),
            ("stored", _) => {
                let acts = self.node.stored();
                self.perform(acts);
                self.read();
            }
            other => panic!("no word of the host: {other:?}"),
        }
    }

    /// Gives the server one input, and shows what comes of it.
    pub(crate) fn step(&mut self, input: Input<ServerOf<Script>>) {
        self.take(input);
        self.read();
    }

    fn take(&mut self, input: Input<ServerOf<Script>>) {
        let acts = self.node.step(&self.config, input.clone(), self.now, &mut self.choose);
        self.trace.push(self.tracer.line(self.now, Some(&input), &acts, &()));
        self.perform(acts);
    }

    /// The far end says these octets.
    pub(crate) fn octets(&mut self, octets: &[u8]) {
        self.framer.push(octets);
        self.read();
    }

    fn read(&mut self) {
        loop {
            let wire = match self.framer.next_unit() {
                Ok(None) => return,
                Ok(Some(Unit::Body(piece))) => {
                    self.body.extend(piece);
                    continue;
                }
                Ok(Some(Unit::BodyEnd)) => {
                    let octets = core::mem::take(&mut self.body);
                    self.bodies += 1;
                    let digest = sha256(&octets);
                    let octets = octets.len() as u64;
                    Wire::Body(Body { key: BodyKey(self.bodies), digest, octets })
                }
                Ok(Some(Unit::Line(line))) => Wire::Line(line),
                Ok(Some(Unit::Secret(line))) => Wire::Secret(line),
                Ok(Some(Unit::Block(block))) => Wire::Block(block),
                Ok(Some(Unit::Frame(frame))) => Wire::Frame(frame),
                Err(error) if matches!(self.mode, Mode::Text(_)) => {
                    let octets = core::mem::take(&mut self.body);
                    let (offset, digest) = (error.offset as u64, sha256(&octets));
                    Wire::NoBody(BodyProblem::Unfit { offset, digest })
                }
                Err(error) if error.expected == EXPECTED_FEWER_HOPS => {
                    self.body.clear();
                    Wire::NoBody(BodyProblem::TooManyHops(error.offset as u64))
                }
                Err(error) if !self.body.is_empty() || error.expected == EXPECTED_BODY_END => {
                    self.body.clear();
                    let is_bare = error.expected == EXPECTED_CRLF;
                    let bare = BodyProblem::BareLineEnd(error.offset as u64);
                    Wire::NoBody(if is_bare { bare } else { BodyProblem::TooLarge })
                }
                Err(error) => Wire::Bad { error, said: self.framer.take_spoiled() },
            };
            self.take(Input::Pdu { from: self.connection, pdu: wire });
        }
    }

    fn perform(&mut self, acts: Vec<Act<ServerOf<Script>>>) {
        let heard = &self.node.machine().member().heard;
        let new: Vec<_> = heard[self.heard..].iter().map(|words| format!("M> {words}")).collect();
        self.heard = heard.len();
        for act in acts {
            match act {
                Act::Send { pdu, .. } => self.show(pdu),
                Act::Close { .. } => self.log.push(". close".into()),
                Act::Event(Event::Session { tag, event, .. }) if self.show_events => {
                    self.log.push(format!("E: {tag} {event}"));
                }
                Act::Arm { within, .. } if self.show_timer => {
                    self.log.push(format!("T: {} s", within.start().as_seconds()));
                }
                _ => {}
            }
        }
        self.log.extend(new);
    }

    fn show(&mut self, pdu: Wire) {
        let ours = self.ours;
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        match pdu {
            Wire::Line(line) => self.log.push(format!("{ours}: {}", text(&line))),
            Wire::Frame(content) => {
                self.log.push(format!("{ours}= {}", escape(&text(&content))));
            }
            Wire::Content { prefix, body, coding, from } => {
                let key = body.key.0;
                let prefix = escape(&text(&prefix));
                let from = if from == 0 { String::new() } else { format!(" from {from}") };
                self.log.push(format!("{ours}~ {prefix} body {key} {coding:?}{from}"));
            }
            Wire::Resume(PartialName { member, transfer, octets, .. }) => {
                self.log.push(format!("! resume {member} {transfer} {octets}"));
            }
            Wire::Receive(mode) => {
                if !matches!(mode, Mode::Line(_) | Mode::Secret(_)) {
                    self.log.push(format!("? {mode:?}"));
                }
                self.mode = mode;
                self.framer.read_as(mode);
            }
            Wire::Check { attempt, login } => {
                self.log.push(format!("! check {attempt}"));
                self.login = Some(login);
            }
            Wire::StartTls => self.log.push("! starttls".into()),
            Wire::Forget(BodyKey(key)) => self.log.push(format!("! forget {key}")),
            other => panic!("a session never says {other:?}"),
        }
    }
}

fn unescape(text: &str) -> String {
    text.replace("\\r", "\r").replace("\\n", "\n").replace("\\t", "\t")
}

fn escape(text: &str) -> String {
    text.replace('\r', "\\r").replace('\n', "\\n").replace('\t', "\\t")
}
