//! One member's machine room: the process with its timers and connections, the disk, the Maildirs.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use super::clock::HostClock;
use super::disk::Disk;
use super::maildir::Maildirs;
use super::network::PipeId;
use super::setback::Image;
use crate::kernel::{Node, Span, Ticket, Time};
use crate::protocol::member::{MemberConfig, Query, Timer};
use crate::protocol::server::{PartialName, Partials, Server};
use crate::wire::ids::ConnectionId;
use crate::wire::{Framer, Mode};

/// One end of a connection as the member's process has it.
#[derive(Clone, Debug)]
pub struct Socket {
    /// The connection in the network.
    pub pipe: PipeId,
    /// Which end this is.
    pub side: usize,
    /// Cuts the octets that arrive.
    pub framer: Framer,
    /// How the session wants the next octets read.
    pub mode: Mode,
    /// The body that is being read.
    pub body: Vec<u8>,
    /// It is kept under this name, where the connection ends before it is complete.
    pub resumable: Option<PartialName>,
    /// Octets came that the session has not heard of.
    pub is_news: bool,
    /// The far end has ended its stream.
    pub ended: bool,
}

/// A file operation under way.
#[derive(Clone, Debug)]
pub struct Work {
    /// Whose question.
    pub ticket: Ticket,
    /// What to do.
    pub query: Query,
}

/// A member.
#[derive(Debug)]
pub struct Host {
    /// What the member is configured with.
    pub config: MemberConfig,
    /// What the process takes for the time.
    pub clock: HostClock,
    /// The process; `None` while it is down.
    pub node: Option<Node<Server>>,
    /// Counts the lives of the process: what was meant for an earlier one is void.
    pub life: u32,
    /// The journal and the bodies.
    pub disk: Disk,
    /// When the last ordered write is on disk; writes complete in order.
    pub disk_busy_until: Time,
    /// The files of the accounts that are its own.
    pub maildirs: Maildirs,
    /// In its lines and frames the first stands as the second: it speaks a neighbouring version of the protocols.
    pub dialect: Option<(String, String)>,
    /// The disk takes no mail.
    pub is_full: bool,
    /// How long each of its ways to the house and back takes; `None` where that is drawn.
    pub way_to_house: Option<Span>,
    /// A backup of disk and accounts, when one was made.
    pub image: Option<Image>,
    /// What has come of bodies whose connections broke.
    pub partials: Partials<Vec<u8>>,
    /// The running timers, each with the sequence number of its arming.
    pub timers: BTreeMap<Timer, u64>,
    /// The connections of the process.
    pub sockets: BTreeMap<ConnectionId, Socket>,
    /// Connections that may have something to read.
    pub readable: VecDeque<ConnectionId>,
    /// File operations under way.
    pub works: BTreeMap<u64, Work>,
    /// The next name for a connection that others open: odd, never reused in a life.
    pub next_inbound: u64,
}

impl Host {
    /// A line or a frame as it says it.
    #[must_use]
    pub fn in_dialect(&self, said: Vec<u8>) -> Vec<u8> {
        match &self.dialect {
            Some((word, other)) => String::from_utf8_lossy(&said).replace(word, other).into_bytes(),
            None => said,
        }
    }

    /// A member that never ran.
    #[must_use]
    pub fn new(config: MemberConfig) -> Self {
        Self {
            config,
            clock: HostClock::default(),
            node: None,
            life: 0,
            disk: Disk::default(),
            disk_busy_until: Time(0),
            maildirs: Maildirs::default(),
            dialect: None,
            is_full: false,
            way_to_house: None,
            image: None,
            partials: Partials::default(),
            timers: BTreeMap::new(),
            sockets: BTreeMap::new(),
            readable: VecDeque::new(),
            works: BTreeMap::new(),
            next_inbound: 1,
        }
    }

    /// The member's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.config.member.as_str()
    }

    /// Whether the process runs.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.node.is_some()
    }

    /// A fresh odd number.
    pub fn name_inbound(&mut self) -> ConnectionId {
        let connection = ConnectionId(self.next_inbound);
        self.next_inbound += 2;
        assert!(connection.0 % 2 == 1, "connections that others open have odd numbers");
        connection
    }

    /// Lets go of a connection. What has come of a body that its sender can go on with is kept.
    pub fn let_go(&mut self, connection: ConnectionId, now: Time) -> Option<Socket> {
        let mut socket = self.sockets.remove(&connection)?;
        if let Some(name) = socket.resumable.take() {
            let body = core::mem::take(&mut socket.body);
            if !matches!(socket.mode, Mode::Text(_)) || socket.framer.is_fair_text() {
                self.partials.keep(name, body.len() as u64, body, now);
            }
        }
        Some(socket)
    }

    /// The process is gone: everything volatile with it. What is on disk stays.
    pub fn die(&mut self) {
        assert!(self.node.is_some(), "only a running process dies");
        self.node = None;
        self.life += 1;
        self.partials.clear();
        self.timers.clear();
        self.sockets.clear();
        self.readable.clear();
        self.works.clear();
        self.next_inbound = 1;
    }
}
