//! Connections against a host loop that is played by the test, over real sockets.

mod keepalive;
mod resume;
mod starttls;

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::watch;

use super::*;
use crate::kernel::LinkChange;
use crate::protocol::member::{MemberConfig, Policy, Security as Proof};
use crate::protocol::organization::{Group, LinkStateSettings, Organization};
use crate::protocol::server::{BodyProblem, Coding, Wire};
use crate::server::clock::{VirtualClock, within_real_time};
use crate::server::configuration::{Configuration, Listen, OutsideTrust, Peer, ProcessSection};
use crate::server::identity::{Credentials, DevelopmentCa};
use crate::server::spool::SqliteSpool;
use crate::server::tokens::Kind;
use crate::wire::Mode;
use crate::wire::ids::MemberName;

/// No step of these tests takes this long.
const LIMIT: Duration = Duration::from_secs(10);

fn organization() -> Organization {
    Organization {
        format: 1,
        revision: 1,
        name: "test".into(),
        domains: vec!["example.org".into()],
        groups: vec![Group {
            name: "RG1".into(),
            uuid: "0123456789abcdef0123456789abcdef".into(),
            members: vec!["rg1-a".into(), "rg1-b".into()],
            master: Some("rg1-a".into()),
            election: None,
            accounts: None,
            stores: Vec::new(),
            exits: Vec::new(),
            rules: Vec::new(),
            settings: Vec::new(),
        }],
        connectors: Vec::new(),
        accounts: Vec::new(),
        smart_host: None,
        link_state: LinkStateSettings::default(),
    }
}

fn configuration(directory: &tempfile::TempDir, credentials: Option<Credentials>) -> Configuration {
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let peer = Peer { address: Some("127.0.0.9".parse().unwrap()), ..Peer::default() };
    Configuration {
        member: MemberConfig {
            organization: Arc::new(organization()),
            member: "rg1-a".into(),
            security: if credentials.is_some() { Proof::Tls } else { Proof::Address },
            policy: Policy::default(),
            faults: crate::protocol::faults::Faults::none(),
        },
        directory: directory.path().into(),
        listen: Listen {
            smtp: any,
            deliver: any,
            group: any,
            admin: None,
            submission: None,
            submissions: None,
            health: None,
        },
        peers: BTreeMap::from([(MemberName::from("rg1-b"), peer)]),
        via: BTreeMap::new(),
        credentials,
        client_credentials: None,
        allow_development_ca: true,
        trust: OutsideTrust::default(),
        process: ProcessSection::default(),
        source: None,
        time_scale: 1.0,
        filter: None,
        etcd: None,
        shared: None,
    }
}

/// A member's network, with the test in the place of its host loop.
struct Stage {
    network: Arc<Network>,
    inputs: UnboundedReceiver<ToHost>,
    addresses: BTreeMap<Port, SocketAddr>,
    _stop: watch::Sender<bool>,
    _directory: tempfile::TempDir,
}

impl Stage {
    async fn new(credentials: Option<Credentials>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let configuration = Arc::new(configuration(&directory, credentials));
        let identity = configuration.credentials.as_ref().map(|own| own.identity().unwrap());
        let listen = &configuration.listen;
        let addresses = BTreeMap::from([(Port::Smtp, listen.smtp), (Port::Group, listen.group)]);
        let listeners = Listeners::bind(&addresses).await.unwrap();
        let addresses = listeners.addresses();
        let (host, inputs) = unbounded_channel();
        let spool = SqliteSpool::<Server>::open(directory.path(), |_| {}).unwrap().spool;
        let network = Arc::new(Network::new(
            Arc::new(VirtualClock::default()),
            Tokens::default(),
            Registry::new(true),
            Arc::new(spool),
            Security::new(Arc::clone(&configuration), identity),
            None,
            host,
        ));
        let (stop, stopped) = watch::channel(false);
        listeners.accept(&network, &stopped);
        Self { network, inputs, addresses, _stop: stop, _directory: directory }
    }

    async fn input(&mut self) -> ToHost {
        within_real_time(LIMIT, self.inputs.recv()).await.expect("in time").unwrap()
    }

    /// A client from `source`, and the handle of its connection.
    async fn accept(&mut self, source: &str) -> (TcpStream, Handle, Option<MemberName>) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(source.parse().unwrap(), 0)).unwrap();
        let client = socket.connect(self.addresses[&Port::Smtp]).await.unwrap();
        match self.input().await {
            ToHost::Accepted { handle, member, .. } => (client, handle, member),
            other => panic!("{other:?}"),
        }
    }

    async fn said(&mut self) -> Wire {
        loop {
            match self.input().await {
                // How often that comes is a matter of the network.
                ToHost::Said { wire: Wire::Progress, .. } => {}
                ToHost::Said { wire, .. } => return wire,
                other => panic!("{other:?}"),
            }
        }
    }

    async fn gone(&mut self) -> LinkChange {
        match self.input().await {
            ToHost::Gone { change, .. } => change,
            other => panic!("{other:?}"),
        }
    }

    fn say(&self, handle: &Handle, wire: Wire) {
        handle.say(wire, self.network.tokens.take(Kind::Write)).unwrap();
    }

    fn receive(&self, handle: &Handle, mode: Mode) {
        self.say(handle, Wire::Receive(mode));
    }
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { within_real_time(LIMIT, test).await.expect("in time") });
}

fn line(text: &str) -> Wire {
    Wire::Line(text.into())
}

/// Who crowds one port silences only that one.
#[test]
fn each_port_has_a_limit_of_its_own() {
    run(async {
        let mut stage = Stage::new(None).await;
        let (group, smtp) = (stage.addresses[&Port::Group], stage.addresses[&Port::Smtp]);
        let mut crowd = Vec::new();
        for _ in 0..connections_limit(Port::Group) {
            let client = TcpStream::connect(group).await.unwrap();
            crowd.push((client, stage.input().await));
        }
        let _one_too_many = TcpStream::connect(group).await.unwrap();
        let _other = TcpStream::connect(smtp).await.unwrap();
        match stage.input().await {
            ToHost::Accepted { port, .. } => assert_eq!(port, Port::Smtp),
            other => panic!("{other:?}"),
        }
    });
}

// CO-010
#[test]
fn units_come_one_at_a_time_and_the_end_comes_last() {
    run(async {
        let mut stage = Stage::new(None).await;
        let (mut client, handle, member) = stage.accept("127.0.0.1").await;
        assert_eq!(member, None);
        client.write_all(b"one\r\ntwo\r\nthr").await.unwrap();
        client.shutdown().await.unwrap();
        stage.receive(&handle, Mode::Line(100));
        assert_eq!(stage.said().await, line("one"));
        // The second line is here, and is not given before the session reads on.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        assert!(stage.inputs.try_recv().is_err());
        stage.receive(&handle, Mode::Line(100));
        assert_eq!(stage.said().await, line("two"));
        stage.receive(&handle, Mode::Line(100));
        assert_eq!(stage.said().await, Wire::End);
        assert_eq!(stage.gone().await, LinkChange::Closed);
        stage.say(&handle, line("late"));
        drop(handle);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "late\r\n", "what was said before the host let go is written");
    });
}

// CO-005, CO-006
#[test]
fn counters_are_exact_and_no_token_is_left() {
    run(async {
        let mut stage = Stage::new(None).await;
        let (mut client, handle, _) = stage.accept("127.0.0.1").await;
        stage.receive(&handle, Mode::Line(100));
        client.write_all(b"one\r\nrest").await.unwrap();
        assert_eq!(stage.said().await, line("one"));
        stage.say(&handle, line("reply"));
        stage.receive(&handle, Mode::Line(100));
        let mut reply = [0; 7];
        client.read_exact(&mut reply).await.unwrap();
        while stage.network.tokens.held() > 0 {
            tokio::task::yield_now().await;
        }
        let shown = stage.network.registry.snapshot();
        assert_eq!(shown.len(), 1);
        assert_eq!((shown[0].received, shown[0].sent), (9, 7));
        assert_eq!(shown[0].remote, client.local_addr().unwrap());
        assert!(!shown[0].eof && !shown[0].reset && !shown[0].closed);
    });
}

#[test]
fn a_member_is_proved_by_its_address_where_there_is_no_tls() {
    run(async {
        let mut stage = Stage::new(None).await;
        let (_client, _handle, member) = stage.accept("127.0.0.9").await;
        assert_eq!(member, Some("rg1-b".into()));
    });
}

#[test]
fn bodies_are_kept_and_bad_ones_are_not() {
    run(async {
        let mut stage = Stage::new(None).await;
        let (mut client, handle, _) = stage.accept("127.0.0.1").await;
        client
            .write_all(b"a\r\n..b\r\n.\r\nbare\nline\r\n.\r\ntoo long\r\n.\r\nafter\r\n")
            .await
            .unwrap();
        stage.receive(&handle, Mode::Dots(100));
        let Wire::Body(body) = stage.said().await else { panic!("a body") };
        assert_eq!(body.octets, 7);
        let kept = stage.network.spool.read(&body).unwrap().read_all().unwrap();
        assert_eq!(kept, b"a\r\n.b\r\n");
        stage.receive(&handle, Mode::Dots(100));
        assert_eq!(stage.said().await, Wire::NoBody(BodyProblem::BareLineEnd(4)));
        stage.receive(&handle, Mode::Dots(5));
        assert_eq!(stage.said().await, Wire::NoBody(BodyProblem::TooLarge));
        stage.receive(&handle, Mode::Line(100));
        assert_eq!(stage.said().await, line("after"));
        // And out again.
        let prefix = b"head\r\n".to_vec();
        stage.say(&handle, Wire::Content { prefix, body, coding: Coding::Dots, from: 0 });
        stage.say(&handle, line("behind"));
        let mut answer = [0; 25];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"head\r\na\r\n..b\r\n.\r\nbehind\r\n");
    });
}

/// SM-029: the session learns which octets were unfit, small ones and those that went to a file.
#[test]
fn an_announced_text_with_a_bare_line_end_is_not_kept() {
    run(async {
        let mut stage = Stage::new(None).await;
        let (client, handle, _) = stage.accept("127.0.0.1").await;
        let (_reading, mut writing) = client.into_split();
        for length in [100_usize, 700_000] {
            let mut sent = vec![b'x'; length];
            sent[length - 50] = b'\n';
            let digest = crate::wire::message::Digest(Sha256::digest(&sent).into());
            let writer = tokio::spawn(async move {
                writing.write_all(&sent).await.unwrap();
                writing
            });
            stage.receive(&handle, Mode::Text(length as u64));
            let unfit = BodyProblem::Unfit { offset: length as u64 - 50, digest };
            assert_eq!(stage.said().await, Wire::NoBody(unfit));
            writing = writer.await.unwrap();
        }
        let files = stage.network.spool.files().lengths().unwrap();
        assert!(files.is_empty(), "no file is left: {files:?}");
    });
}

#[test]
fn a_large_body_goes_through_a_file() {
    run(async {
        let mut stage = Stage::new(None).await;
        let (client, handle, _) = stage.accept("127.0.0.1").await;
        let (mut reading, mut writing) = client.into_split();
        let sent: Vec<u8> = (0..700_000_u32).map(|place| (place % 251) as u8).collect();
        let octets = sent.clone();
        let writer = tokio::spawn(async move { writing.write_all(&octets).await });
        stage.receive(&handle, Mode::Octets(700_000));
        let Wire::Body(body) = stage.said().await else { panic!("a body") };
        writer.await.unwrap().unwrap();
        assert_eq!(stage.network.spool.read(&body).unwrap().read_all().unwrap(), sent);
        stage.say(
            &handle,
            Wire::Content { prefix: Vec::new(), body, coding: Coding::Octets, from: 0 },
        );
        let mut answer = vec![0; sent.len()];
        reading.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, sent);
    });
}

#[test]
fn closing_drains_and_waits_for_the_far_end() {
    run(async {
        let mut stage = Stage::new(None).await;
        let (mut client, handle, _) = stage.accept("127.0.0.1").await;
        client.write_all(b"pipelined behind the end").await.unwrap();
        stage.say(&handle, line("221 bye"));
        handle.close(stage.network.tokens.take(Kind::Write));
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "221 bye\r\n");
        // What comes late is read and counted; nothing answers it with a reset.
        client.write_all(b", and more").await.unwrap();
        client.shutdown().await.unwrap();
        stage.network.registry.all_closed().await;
        let shown = stage.network.registry.snapshot();
        assert_eq!((shown[0].received, shown[0].eof, shown[0].reset), (34, true, false));
        assert!(shown[0].closed);
    });
}

#[test]
fn a_reset_is_a_lost_connection() {
    run(async {
        let mut stage = Stage::new(None).await;
        let (client, handle, _) = stage.accept("127.0.0.1").await;
        stage.receive(&handle, Mode::Line(100));
        client.set_zero_linger().unwrap();
        drop(client);
        assert_eq!(stage.gone().await, LinkChange::Lost);
        stage.network.registry.all_closed().await;
        assert!(stage.network.registry.snapshot()[0].reset);
    });
}

#[test]
fn an_address_that_is_taken_is_named() {
    run(async {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let error = Listeners::bind(&BTreeMap::from([(Port::Group, address)])).await.unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
        let expected = format!("cannot listen on {address} (group): another process listens there");
        assert_eq!(error.to_string(), expected);
    });
}

#[test]
fn opening_is_refused_where_nobody_listens() {
    run(async {
        let mut stage = Stage::new(None).await;
        let target = Target {
            address: String::from("127.0.0.1:1"),
            name: "x".into(),
            is_tls: false,
            is_outside: false,
        };
        let token = stage.network.tokens.take(Kind::Connect);
        let _cancel = stage.network.open(ConnectionId(2), target, token);
        let ToHost::NotOpened { connection, change, .. } = stage.input().await else {
            panic!("not opened")
        };
        assert_eq!((connection, change), (ConnectionId(2), LinkChange::Refused));
    });
}

fn credentials(names: &[&str]) -> Vec<Credentials> {
    let ca = DevelopmentCa::create().unwrap();
    names.iter().map(|name| ca.issue(&MemberName::from(*name)).unwrap()).collect()
}

// CO-009
#[test]
fn members_prove_themselves_before_anything_passes_on_the_group_port() {
    run(async {
        let both = credentials(&["rg1-a", "rg1-b"]);
        let mut one = Stage::new(Some(both[0].clone())).await;
        let mut other = Stage::new(Some(both[1].clone())).await;
        let address = one.addresses[&Port::Group].to_string();
        let target = Target { address, name: "rg1-a".into(), is_tls: true, is_outside: false };
        let token = other.network.tokens.take(Kind::Connect);
        let _cancel = other.network.open(ConnectionId(2), target, token);
        let ToHost::Arriving { connection, cancel: _kept } = one.input().await else {
            panic!("arriving")
        };
        let ToHost::Opened { handle: ours, .. } = other.input().await else { panic!("opened") };
        let accepted = one.input().await;
        let ToHost::Accepted { connection: same, member, handle, .. } = accepted else {
            panic!("accepted")
        };
        assert_eq!((same, member), (connection, Some("rg1-b".into())));
        one.receive(&handle, Mode::Frame(100));
        other.say(&ours, Wire::Frame(b" HELLO\r\n".to_vec()));
        assert_eq!(one.said().await, Wire::Frame(b" HELLO\r\n".to_vec()));
    });
}

// CO-009
#[test]
fn a_stranger_never_arrives_on_the_group_port() {
    run(async {
        let mut stage = Stage::new(Some(credentials(&["rg1-a"]).remove(0))).await;
        let mut client = TcpStream::connect(stage.addresses[&Port::Group]).await.unwrap();
        let ToHost::Arriving { connection, cancel: _kept } = stage.input().await else {
            panic!("arriving")
        };
        client.write_all(b"00000000\r\n\r\n").await.unwrap();
        let ToHost::NotArrived { connection: same } = stage.input().await else {
            panic!("not arrived")
        };
        assert_eq!(same, connection);
    });
}

// CO-013, CO-015
#[test]
fn what_is_counted_stands_below_tls_and_close_notify_is_an_end() {
    run(async {
        let both = credentials(&["rg1-a", "rg1-b"]);
        let mut stage = Stage::new(Some(both[0].clone())).await;
        let socket = TcpStream::connect(stage.addresses[&Port::Group]).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(both[1].identity().unwrap().client);
        let connecting = connector.connect("rg1-a".try_into().unwrap(), socket);
        let ToHost::Arriving { cancel: _kept, .. } = stage.input().await else {
            panic!("arriving")
        };
        let mut client = connecting.await.unwrap();
        let ToHost::Accepted { handle, .. } = stage.input().await else { panic!("accepted") };
        let shown = stage.network.registry.snapshot().remove(0);
        assert!(shown.received > 500, "the handshake counts: {shown:?}");
        assert!(!shown.eof, "nothing has ended");
        stage.receive(&handle, Mode::Frame(100));

        // The socket stays open: only TLS says that nothing more comes.
        client.get_mut().1.send_close_notify();
        client.flush().await.unwrap();
        assert_eq!(stage.said().await, Wire::End);
        let after = stage.network.registry.snapshot().remove(0);
        assert!(after.eof && !after.closed, "{after:?}");
        assert!(after.received > shown.received, "close_notify has octets: {after:?}");
    });
}
