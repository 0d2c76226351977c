//! A member of the group that the test plays on the group port of the master.

use core::time::Duration;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use bridgehead::protocol::linkstate::{LinkPdu, SourceState};
use bridgehead::wire::frame::{FRAME_LIMIT, HEADER_OCTETS, encode_frame, read_header};
use bridgehead::wire::group::Frame;
use bridgehead::wire::ids::ConnectorName;
use rustls::{ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;

use super::{CONNECTOR, GUEST_AT};
use crate::kill_support::Cluster;

/// No answer, and no end, takes this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection on which the guest is attached.
pub(crate) struct Guest(StreamOwned<ClientConnection, TcpStream>);

impl Guest {
    /// Attaches to the master.
    pub(crate) fn attach(cluster: &Cluster, master: usize) -> Self {
        let socket = TcpStream::connect(cluster.group_port(master)).expect("it listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let name = ServerName::try_from(cluster.name(master).0.clone()).expect("a name");
        let connection = ClientConnection::new(cluster.identity(GUEST_AT).client, name);
        let mut guest = Self(StreamOwned::new(connection.expect("it is right"), socket));
        let greeting = guest.hear().expect("a greeting");
        assert!(matches!(greeting, Frame::NodeInfo(_)), "{greeting:?}");
        guest.say(&Frame::Attach(cluster.name(GUEST_AT).clone()));
        guest
    }

    /// Reports the state of the connector.
    pub(crate) fn report(&mut self, state: SourceState) {
        let states = vec![(ConnectorName::from(CONNECTOR), state)];
        self.say(&Frame::Link(LinkPdu::Report { states }));
    }

    fn say(&mut self, frame: &Frame) {
        let octets = encode_frame(&frame.encode().expect("it is short"));
        self.0.write_all(&octets).and_then(|()| self.0.flush()).expect("the system takes it");
    }

    /// What comes next; `None` when the connection has ended, in order or not.
    pub(crate) fn hear(&mut self) -> Option<Frame> {
        let mut header = [0; HEADER_OCTETS];
        self.read(&mut header)?;
        let length = read_header(&header, FRAME_LIMIT).expect("a frame").expect("it is whole");
        let mut content = vec![0; length];
        self.read(&mut content)?;
        Some(Frame::decode(&content).expect("it is right"))
    }

    fn read(&mut self, octets: &mut [u8]) -> Option<()> {
        match self.0.read_exact(octets) {
            Ok(()) => Some(()),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("neither an answer nor an end within {PATIENCE:?}")
            }
            Err(_) => None,
        }
    }

    /// The next REPORTED, whatever comes before it; `None` when the connection ends without.
    pub(crate) fn reported(&mut self) -> Option<LinkPdu> {
        loop {
            if let Frame::Link(reported @ LinkPdu::Reported { .. }) = self.hear()? {
                return Some(reported);
            }
        }
    }
}
