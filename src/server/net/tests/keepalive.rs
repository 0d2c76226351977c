//! Both ends of a connection ask whether the other one is still there.

use core::net::SocketAddr;
use std::fs;

use super::super::keepalive::{KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_PROBES, prepare};
use super::{Stage, run};
use crate::protocol::member::Port;
use crate::server::net::Target;
use crate::server::runtime::ToHost;
use crate::server::tokens::Kind;
use crate::wire::ids::ConnectionId;

/// The kind of timer that the kernel says of a keepalive in `/proc/net/tcp`.
const KEEPALIVE_TIMER: &str = "02";

/// The timers of the open connections that have `port` at either end.
fn timers(port: u16) -> Vec<String> {
    let text = fs::read_to_string("/proc/self/net/tcp").expect("Linux shows its connections");
    let open = text.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let at_port = |address: &str| address.ends_with(&format!(":{port:04X}"));
    let ours =
        open.filter(|fields| fields[3] == "01" && (at_port(fields[1]) || at_port(fields[2])));
    ours.map(|fields| fields[5].split(':').next().unwrap_or_default().to_owned()).collect()
}

/// MA-020: on the group port both ends have the system ask after a silence.
#[test]
fn both_ends_of_the_group_port_have_keepalives() {
    run(async {
        let mut master = Stage::new(None).await;
        let mut member = Stage::new(None).await;
        let address: SocketAddr = master.addresses[&Port::Group];
        let target = Target {
            address: address.to_string(),
            name: "rg1-a".into(),
            is_tls: false,
            is_outside: false,
        };
        let token = member.network.tokens.take(Kind::Connect);
        let _cancel = member.network.open(ConnectionId(2), target, token);
        let ToHost::Opened { handle: _ours, .. } = member.input().await else { panic!("opened") };
        let ToHost::Accepted { handle: _theirs, .. } = master.input().await else {
            panic!("accepted")
        };
        assert_eq!(timers(address.port()), [KEEPALIVE_TIMER; 2]);
    });
}

/// MA-020: a dead peer is noticed within two minutes.
#[test]
fn a_dead_peer_is_noticed_within_two_minutes() {
    let within = KEEPALIVE_IDLE + KEEPALIVE_INTERVAL * KEEPALIVE_PROBES;
    assert_eq!(within.as_secs(), 120);
    run(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let socket = tokio::net::TcpStream::connect(address).await.unwrap();
        prepare(&socket);
        use rustix::net::sockopt::{tcp_keepcnt, tcp_keepidle, tcp_keepintvl};
        let times = (tcp_keepidle(&socket).unwrap(), tcp_keepintvl(&socket).unwrap());
        assert_eq!(times, (KEEPALIVE_IDLE, KEEPALIVE_INTERVAL));
        assert_eq!(tcp_keepcnt(&socket).unwrap(), KEEPALIVE_PROBES);
    });
}
