//! Whatever the far end, the host and custody say, in whatever order: no session panics, replies come
//! one for each command, and nothing is said after the end.

use bridgehead::kernel::{Act, Input, LinkChange, Node, Seeded, Ticket};
use bridgehead::protocol::member::{Endpoint, Pdu, Port, Security, Timer};
use bridgehead::protocol::organization::Verdict;
use bridgehead::protocol::server::{BodyProblem, Command, ServerOf, Wire};
use bridgehead::wire::ids::{
    ConnectionId, Epoch, Incarnation, OriginId, QueueId, StoreId, TransferId,
};
use bridgehead::wire::message::{Body, BodyKey, Digest, Outcome, Refusal};
use bridgehead::wire::smtp::auth::Secret;
use bridgehead::wire::{DecodeError, Mode};
use proptest::prelude::*;

use crate::stage::{NOON, Order, Script, config};

/// Lines that get somewhere, so that random sequences reach deep states.
const LINES: &[&str] = &[
    "EHLO rg1-a",
    "LHLO rg1-a",
    "HELO x",
    "MAIL FROM:<a@example.org>",
    "MAIL FROM:<> XORIGIN=rg1-a/0000000000000001/1",
    "RCPT TO:<anna@example.org>",
    "RCPT TO:<anna@example.org> XINDEX=1",
    "DATA",
    "RSET",
    "NOOP",
    "QUIT",
    "VRFY x",
    "STARTTLS",
    "AUTH PLAIN",
    "AUTH PLAIN AGJlcnRAZXhhbXBsZS5vcmcAY29ycmVjdCBob3JzZQ==",
    "AUTH LOGIN",
    "AUTH LOGIN YmVydEBleGFtcGxlLm9yZw==",
    "Y29ycmVjdCBob3JzZQ==",
    "*",
    "MAIL FROM:<bert@example.org>",
    "X-SUBMIT HELLO MEMBER=rg1-a STORE=0000000000000001",
    "X-SUBMIT HELLO MEMBER=rg2-a STORE=0000000000000001",
    "X-SUBMIT COMMIT ID=rg1-a/0000000000000001/1 OFFER=1",
    "X-SUBMIT STATUS ID=rg1-a/0000000000000001/1",
    "X-SUBMIT OFFER ID=rg1-a/0000000000000001/1 OFFER=1 ENVELOPE=1 BODY=1 DIGEST=0000000000000000000000000000000000000000000000000000000000000000",
    "X-LINK2STATE FIRST CHUNK={00000012} MULTI (6) (",
    "X-LINK2STATE LAST CHUNK=)",
    "X-LINK2STATE FIRST CHUNK={0000005f}",
    "X-LINK2STATE LAST CHUNK= MULTI (6) ({00000049} NEWS 0101010101010101010101010101010101010101010101010101010101010101 ())",
    "X-DELIVER INQUIRE XORIGIN=rg1-a/0000000000000001/1 XINDEX=1 ADDRESS=<anna@example.org>",
    "220 hi",
    "250-rg2-a",
    "250-X-SUBMIT",
    "250-X-DELIVER",
    "250 X-LINK2STATE",
    "250 2.0.0 MEMBER=rg2-a STORE=0000000000000001",
    "250 2.0.0 TRANSFERRED ID=rg1-a/0000000000000001/1 OFFER=1",
    "250 2.0.0 ACCEPTED ID=rg1-a/0000000000000001/1 QUEUE=0000000000000001",
    "250 2.1.5 [1] ok",
    "250 2.0.0 [1] UNKNOWN",
    "200 NEXT",
    "354 go",
    "421 bye",
    "550 5.1.1 no",
    " ATTACH {5}rg1-a\r\n",
    " REPORT ()\r\n",
    " NODEINFO (6) {21}Version: 1 Bridgehead rg2-a ready\r\n",
];

#[derive(Clone, Debug)]
// A test builds few of these at a time, so their size does not matter.
#[allow(clippy::large_enum_variant)]
enum Doing {
    Wire(Wire),
    Say(Pdu, bool),
    Link(LinkChange),
    Close,
    Timer,
    Stored,
    ShutDown,
}

fn transfer() -> TransferId {
    TransferId { member: "rg1-a".into(), incarnation: Incarnation(1), sequence: 1 }
}

fn origin() -> OriginId {
    OriginId { member: "rg1-a".into(), incarnation: Incarnation(1), sequence: 1 }
}

fn parcel() -> bridgehead::protocol::member::Parcel {
    let text = format!(
        r#"{{"envelope":{{"origin":"{}","sender":null,"recipients":[{{"index":1,"address":"anna@example.org","notify":{{"success":false,"failure":true,"delay":true}},"original":null}}],"arrived":0,"expires":0,"ret":null,"envid":null,"smtputf8":false,"hops":[],"routed_by":{{}}}},"body":{{"key":1,"digest":"{}","octets":1}}}}"#,
        origin(),
        "0".repeat(64)
    );
    serde_json::from_str(&text).expect("a parcel in JSON")
}

fn pdus() -> impl Strategy<Value = Pdu> {
    let body = || Refusal::new(450, "4.0.0", "later");
    prop::sample::select(vec![
        Pdu::Ok,
        Pdu::Accepted(QueueId(1)),
        Pdu::Refused(body()),
        Pdu::Hello { member: "rg2-a".into(), store: StoreId(1), load: None },
        Pdu::Transferred { transfer: transfer(), offer: 1 },
        Pdu::HandedOver { transfer: transfer(), queue: QueueId(1) },
        Pdu::Fenced { transfer: transfer(), offer: 1 },
        Pdu::Unknown(transfer()),
        Pdu::Status(transfer()),
        Pdu::Commit { transfer: transfer(), offer: 1 },
        Pdu::Offer { transfer: transfer(), offer: 1, parcel: parcel() },
        Pdu::Relay(parcel()),
        Pdu::Deliver(parcel()),
        Pdu::Inquire {
            origin: origin(),
            recipients: vec![(1, "anna@example.org".into(), Epoch::FIRST)],
            arrived: None,
        },
        Pdu::Result { origin: origin(), index: 1, outcome: Outcome::Delivered },
        Pdu::NoResult { origin: origin(), index: 1 },
        Pdu::Link(bridgehead::protocol::linkstate::LinkPdu::news(Digest([1; 32]), Vec::new())),
        Pdu::Link(bridgehead::protocol::linkstate::LinkPdu::merged(Digest([1; 32]), Vec::new())),
        Pdu::Link(bridgehead::protocol::linkstate::LinkPdu::Report { states: Vec::new() }),
    ])
}

fn wires() -> impl Strategy<Value = Wire> {
    let line = prop::sample::select(LINES).prop_map(|line| line.as_bytes().to_vec());
    let noise = prop::collection::vec(any::<u8>(), 0..40);
    let octets = prop_oneof![4 => line, 1 => noise];
    let body = Body { key: BodyKey(1), digest: Digest([0; 32]), octets: 1 };
    let error = DecodeError { offset: 3, expected: "something" };
    prop_oneof![
        12 => octets.clone().prop_map(Wire::Line),
        2 => octets.clone().prop_map(Wire::Frame),
        1 => octets.clone().prop_map(Wire::Block),
        2 => Just(Wire::Body(body)),
        1 => Just(Wire::NoBody(BodyProblem::TooLarge)),
        1 => Just(Wire::NoBody(BodyProblem::Unfit { offset: 3, digest: Digest([7; 32]) })),
        1 => octets.clone().prop_map(move |said| Wire::Bad { error, said }),
        1 => Just(Wire::Secured(Some("rg2-a".into()))),
        4 => octets.prop_map(|line| Wire::Secret(Secret::new(line))),
        4 => (1..4u32).prop_map(|attempt| {
            Wire::Checked { attempt, verdict: Verdict::Granted("bert@example.org".into()) }
        }),
        1 => (1..4u32).prop_map(|attempt| Wire::Checked { attempt, verdict: Verdict::Unavailable }),
        1 => (1..4u32).prop_map(|attempt| {
            Wire::Checked { attempt, verdict: Verdict::Denied { account: None } }
        }),
        1 => Just(Wire::End),
        1 => Just(Wire::Kept(1)),
    ]
}

fn doings() -> impl Strategy<Value = Doing> {
    let changes = [LinkChange::Up, LinkChange::Lost, LinkChange::Closed, LinkChange::Refused];
    prop_oneof![
        30 => wires().prop_map(Doing::Wire),
        20 => (pdus(), any::<bool>()).prop_map(|(pdu, durably)| Doing::Say(pdu, durably)),
        6 => Just(Doing::Stored),
        2 => Just(Doing::Link(LinkChange::Up)),
        1 => prop::sample::select(changes.to_vec()).prop_map(Doing::Link),
        1 => Just(Doing::Close),
        1 => Just(Doing::Timer),
        1 => Just(Doing::ShutDown),
    ]
}

/// Which session it is: a port that a client connected to, or an endpoint.
fn beginnings() -> impl Strategy<Value = (Security, Order)> {
    let opened = [
        Endpoint::Member("rg2-a".into()),
        Endpoint::Deliver("rg2-a".into()),
        Endpoint::Group("rg2-a".into()),
        Endpoint::Consult("rg2-a".into()),
        Endpoint::Convene("rg2-a".into()),
        Endpoint::Tenant("rg2-a".into()),
        Endpoint::Outside("x:25".into()),
    ];
    let opened = prop::sample::select(opened.to_vec());
    let security = prop::sample::select(vec![Security::Address, Security::Tls]);
    (security, opened).prop_map(|(security, e)| (security, Order::Open(ConnectionId(2), e)))
}

struct Run {
    node: Node<ServerOf<Script>>,
    config: bridgehead::protocol::member::MemberConfig,
    choose: Seeded,
    connection: ConnectionId,
    /// The session has closed the connection.
    closed: bool,
    /// What the session asked to be read to, and has not got yet.
    mode: Option<Mode>,
    /// The login that the session wants to have checked.
    checking: Option<u32>,
    /// Complete replies that were said.
    replies: usize,
}

impl Run {
    fn new(security: Security, connection: ConnectionId) -> Self {
        let mut choose = Seeded::new(1);
        let config = config("rg1-a", security);
        let (node, _) = Node::boot(&config, &0, NOON, &mut choose);
        Self {
            node,
            config,
            choose,
            connection,
            closed: false,
            mode: None,
            checking: None,
            replies: 0,
        }
    }

    fn step(&mut self, input: Input<ServerOf<Script>>) {
        let acts = self.node.step(&self.config, input, NOON, &mut self.choose);
        self.see(acts);
    }

    fn see(&mut self, acts: Vec<Act<ServerOf<Script>>>) {
        for act in acts {
            match act {
                Act::Send { to, pdu } => {
                    assert_eq!(to, self.connection);
                    assert!(!self.closed, "nothing is said after the end: {pdu:?}");
                    match pdu {
                        Wire::Receive(mode) => self.mode = Some(mode),
                        Wire::Check { attempt, .. } => self.checking = Some(attempt),
                        Wire::Line(line) => {
                            assert!(line.len() <= 2_046, "a line keeps to its limit");
                            assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
                            self.replies += usize::from(line.get(3) == Some(&b' '));
                        }
                        _ => {}
                    }
                }
                Act::Close { peer } => {
                    assert_eq!(peer, self.connection);
                    assert!(!self.closed, "a connection is closed once");
                    self.closed = true;
                }
                _ => {}
            }
        }
    }

    fn act(&mut self, doing: Doing) {
        let peer = self.connection;
        let order = |answer| Input::Answer { ticket: Ticket(0), answer };
        match doing {
            Doing::Wire(pdu) => self.step(Input::Pdu { from: peer, pdu }),
            Doing::Say(pdu, false) => self.step(order(Order::Say(peer, pdu))),
            Doing::Say(pdu, true) => self.step(order(Order::SayDurably(peer, pdu))),
            Doing::Link(change) => self.step(Input::Link { peer, change }),
            Doing::Close => self.step(order(Order::Close(peer))),
            Doing::Timer => self.step(Input::Timer(Timer::Session(peer))),
            Doing::ShutDown => self.step(Input::Command(Command::ShutDown)),
            Doing::Stored => {
                if self.node.is_writing() {
                    let acts = self.node.stored();
                    self.see(acts);
                }
            }
        }
    }
}

fn accept(run: &mut Run, port: Port) {
    let connection = run.connection;
    let member = Some("rg1-a".into());
    let remote = "192.0.2.1".into();
    run.step(Input::Command(Command::Accepted { connection, port, remote, member }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Any inputs, also such as no host would give.
    #[test]
    fn no_session_of_ours_panics(
        (security, begin) in beginnings(),
        doings in prop::collection::vec(doings(), 0..60),
    ) {
        let mut run = Run::new(security, ConnectionId(2));
        run.step(Input::Answer { ticket: Ticket(0), answer: begin });
        run.step(Input::Link { peer: ConnectionId(2), change: LinkChange::Up });
        for doing in doings {
            run.act(doing);
        }
    }

    #[test]
    fn no_session_of_a_client_panics(
        tls in any::<bool>(),
        port in prop::sample::select(vec![
            Port::Smtp, Port::Deliver, Port::Group, Port::Submission, Port::Submissions,
        ]),
        doings in prop::collection::vec(doings(), 0..60),
    ) {
        let security = if tls { Security::Tls } else { Security::Address };
        let mut run = Run::new(security, ConnectionId(1));
        accept(&mut run, port);
        for doing in doings {
            run.act(doing);
        }
    }

    /// SM-016: a well-behaved host gives lines only as they are asked for; then each command gets
    /// exactly one reply before the next line is asked for.
    #[test]
    fn each_command_gets_one_reply(
        port in prop::sample::select(vec![Port::Smtp, Port::Deliver, Port::Submission]),
        lines in prop::collection::vec(prop::sample::select(LINES), 0..40),
    ) {
        let mut run = Run::new(Security::Address, ConnectionId(1));
        accept(&mut run, port);
        for line in lines {
            // Whatever is asked of custody or of the body is refused, so that the next line is read.
            let mut before = run.replies;
            match run.mode.take() {
                Some(Mode::Line(_)) if !run.closed => {
                    run.act(Doing::Wire(Wire::Line(line.as_bytes().to_vec())));
                }
                Some(Mode::Secret(_)) if !run.closed => {
                    let line = Secret::new(line.as_bytes().to_vec());
                    run.act(Doing::Wire(Wire::Secret(line)));
                }
                _ => break,
            }
            for _ in 0..3 {
                match run.mode {
                    None if !run.closed && run.checking.is_some() => {
                        let attempt = run.checking.take().expect("it is looked at");
                        let verdict = Verdict::Granted("bert@example.org".into());
                        run.act(Doing::Wire(Wire::Checked { attempt, verdict }));
                    }
                    None if !run.closed => {
                        let refusal = Refusal::new(450, "4.0.0", "later");
                        run.act(Doing::Say(Pdu::Refused(refusal), false));
                    }
                    Some(Mode::Mail(_)) => {
                        run.mode = None;
                        before += 1;
                        run.act(Doing::Wire(Wire::NoBody(BodyProblem::TooLarge)));
                    }
                    Some(Mode::Block(_)) => {
                        run.mode = None;
                        run.act(Doing::Wire(Wire::Block(vec![b'{'])));
                    }
                    Some(Mode::Octets(_) | Mode::Text(_)) => {
                        run.mode = None;
                        before += 1;
                        run.act(Doing::Wire(Wire::NoBody(BodyProblem::NoSpace)));
                    }
                    _ => {}
                }
            }
            prop_assert_eq!(run.replies, before + 1, "one reply to `{}`", line);
            prop_assert!(run.closed || run.mode.is_some(), "and then the next line: `{}`", line);
        }
    }
}
