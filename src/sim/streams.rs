//! Connections between ends: what is put on them, when it arrives, and how they break.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::client::ClientAct;
use super::draw::Dice;
use super::faults::Swarm;
use super::host::Socket;
use super::network::{Cut, End, HostIndex, OPENER, Parcel, PipeId, TAKER, Target};
use super::outside::{Conversation, Word};
use super::world::{Happening, World};
use crate::kernel::{Input, LinkChange, Span};
use crate::protocol::server::Command;
use crate::wire::ids::MemberName;
use crate::wire::{Framer, Mode};

/// How long a connection may stand still before an end notices by itself.
const FROZEN: core::ops::RangeInclusive<Span> = Span::minutes(1)..=Span::minutes(10);

impl World<'_> {
    /// One way through the network.
    pub(super) fn network_delay(&mut self, site: &'static str) -> Span {
        Dice(&mut *self.choose).span(site, &self.delays.network)
    }

    /// One file operation.
    pub(super) fn files_delay(&mut self) -> Span {
        Dice(&mut *self.choose).span("disk.files", &self.delays.files)
    }

    /// Puts octets on a stream, in pieces, with the faults that hit streams.
    pub(super) fn transmit(&mut self, pipe: PipeId, side: usize, mut octets: Vec<u8>) {
        let (resets, stalls) = (self.swarm.resets_one_in, self.swarm.stalls_one_in);
        let mut dice = Dice(&mut *self.choose);
        let mut breaks = dice.strikes("fault.reset", resets);
        if dice.strikes("fault.stall", stalls) {
            let stall = dice.span("fault.stall.span", &self.swarm.stall);
            self.network.stall(pipe, self.now + stall);
        }
        if side == OPENER
            && let Some(left) = self.snaps.get_mut(&pipe)
        {
            octets.truncate(*left);
            *left -= octets.len();
            breaks |= *left == 0;
        }
        let splits = dice.splits("net.split", octets.len(), self.delays.pieces);
        // The pieces are cut off from the end, and put in order afterwards.
        let mut pieces: Vec<Vec<u8>> =
            splits.into_iter().rev().map(|split| octets.split_off(split)).collect();
        self.put(pipe, side, Parcel::Octets(octets));
        while let Some(piece) = pieces.pop() {
            self.put(pipe, side, Parcel::Octets(piece));
        }
        if breaks {
            self.reset(pipe);
        }
    }

    /// Puts one thing on a stream.
    pub(super) fn put(&mut self, pipe: PipeId, side: usize, parcel: Parcel) {
        let delay = self.network_delay("net.delay");
        if let Some(at) = self.network.put(pipe, side, &parcel, self.now, delay) {
            self.schedule_at(at, Happening::Arrives(pipe, 1 - side, parcel));
        }
    }

    /// A connection breaks; each end learns it in its own time.
    pub fn reset(&mut self, pipe: PipeId) {
        for side in [OPENER, TAKER] {
            let delay = self.network_delay("net.reset");
            self.schedule(delay, Happening::Lost(pipe, side));
        }
    }

    pub(super) fn knock(&mut self, pipe: PipeId) {
        let Some((target, opener)) = self.network.pipe(pipe).map(|p| (p.target, p.end(OPENER)))
        else {
            return;
        };
        let delay = self.network_delay("net.connect");
        match target {
            Target::Member(host, _) if !self.hosts[host].is_up() => {
                self.schedule(delay, Happening::Unreached(pipe, LinkChange::Refused));
            }
            Target::Member(host, port) => {
                let connection = self.hosts[host].name_inbound();
                let end = End::Member { host, connection };
                if let Some(known) = self.network.take(pipe, end, self.now, delay) {
                    self.schedule_at(known, Happening::Established(pipe));
                }
                let socket = Socket {
                    pipe,
                    side: TAKER,
                    framer: Framer::new(Mode::Paused),
                    mode: Mode::Paused,
                    body: Vec::new(),
                    resumable: None,
                    is_news: false,
                    ended: false,
                };
                self.hosts[host].sockets.insert(connection, socket);
                let (remote, member) = self.remote(opener);
                let accepted = Command::Accepted { connection, port, remote, member };
                self.feed(host, Input::Command(accepted));
                self.pump(host);
            }
            Target::Outside => {
                let conversation = self.outside.len();
                let tells = self.dice().below("outside.tells", 2) == 1;
                self.outside.push(Conversation::new(tells));
                let end = End::Outside(conversation);
                if let Some(known) = self.network.take(pipe, end, self.now, delay) {
                    self.schedule_at(known, Happening::Established(pipe));
                }
                self.transmit(pipe, TAKER, b"220 outside.example ready\r\n".to_vec());
            }
        }
    }

    /// The address of an opener, and which member it proves.
    fn remote(&self, opener: End) -> (String, Option<MemberName>) {
        match opener {
            End::Member { host, .. } => {
                (format!("10.0.0.{}", host + 1), Some(self.hosts[host].config.member.clone()))
            }
            End::Client(client) => (format!("192.0.2.{}", client % 250 + 1), None),
            End::Outside(_) | End::Nobody => (String::from("203.0.113.1"), None),
        }
    }

    pub(super) fn established(&mut self, pipe: PipeId) {
        if !self.network.pipe(pipe).is_some_and(|pipe| pipe.is_alive(OPENER)) {
            return;
        }
        let opener = self.network.pipe(pipe).map(|pipe| pipe.end(OPENER));
        if let Some(End::Member { host, connection }) = opener {
            self.feed(host, Input::Link { peer: connection, change: LinkChange::Up });
            self.pump(host);
        }
    }

    pub(super) fn unreached(&mut self, pipe: PipeId, change: LinkChange) {
        if let Some(end) = self.network.leave(pipe, OPENER) {
            self.broken(end, change);
        }
    }

    pub(super) fn lost(&mut self, pipe: PipeId, side: usize) {
        if let Some(end) = self.network.leave(pipe, side) {
            self.broken(end, LinkChange::Lost);
        }
    }

    fn broken(&mut self, end: End, change: LinkChange) {
        match end {
            End::Member { host, connection } => {
                if self.hosts[host].let_go(connection, self.now).is_some() {
                    self.feed(host, Input::Link { peer: connection, change });
                    self.pump(host);
                }
            }
            End::Client(client) => self.client_lost(client),
            End::Outside(_) | End::Nobody => {}
        }
    }

    pub(super) fn arrives(&mut self, pipe: PipeId, side: usize, parcel: Parcel) {
        let Some((end, parcel)) = self.network.arrive(pipe, side, parcel) else { return };
        match (end, parcel) {
            (End::Member { host, connection }, parcel) => {
                let Some(socket) = self.hosts[host].sockets.get_mut(&connection) else { return };
                match parcel {
                    Parcel::Octets(octets) => {
                        socket.framer.push(&octets);
                        socket.is_news = true;
                    }
                    Parcel::Finish => socket.ended = true,
                }
                self.hosts[host].readable.push_back(connection);
                self.pump(host);
            }
            (End::Client(client), Parcel::Octets(octets)) => {
                let acts = self.clients[client].take(&octets);
                self.client_acts(client, pipe, acts);
            }
            (End::Outside(conversation), Parcel::Octets(octets)) => {
                let is_calm = self.swarm == Swarm::calm();
                let said = self.outside[conversation].take(&octets, is_calm);
                self.outside_words(conversation);
                if !said.is_empty() {
                    self.transmit(pipe, TAKER, said);
                }
                if self.outside[conversation].is_over() {
                    self.put(pipe, TAKER, Parcel::Finish);
                    self.network.leave(pipe, TAKER);
                }
            }
            (End::Client(client), Parcel::Finish) => {
                self.network.leave(pipe, side);
                self.client_lost(client);
            }
            (End::Outside(_), Parcel::Finish) => {
                self.put(pipe, TAKER, Parcel::Finish);
                self.network.leave(pipe, TAKER);
            }
            (End::Nobody, _) => {}
        }
    }

    fn outside_words(&mut self, conversation: usize) {
        let tells = self.outside[conversation].tells();
        for word in self.outside[conversation].words() {
            match word {
                Word::Taken(token, address) => self.checkers.relayed(token, &address, tells),
                Word::Never(token, address) => self.checkers.refused(Some(token), &address),
                Word::NeverFor(address) => self.checkers.refused(None, &address),
            }
        }
    }

    pub(super) fn client_acts(&mut self, client: usize, pipe: PipeId, acts: Vec<ClientAct>) {
        for act in acts {
            match act {
                ClientAct::Say(octets) => self.transmit(pipe, OPENER, octets),
                ClientAct::Close => {
                    self.put(pipe, OPENER, Parcel::Finish);
                    self.network.leave(pipe, OPENER);
                }
                ClientAct::Offered { token, letter } => {
                    self.checkers.offered(self.now, token, letter);
                }
                ClientAct::Answered { token, code, text } => {
                    let name = self.clients[client].name();
                    self.log.row(self.now, &name, "answer", || format!("{token} {code} {text}"));
                    self.checkers.answered(self.now, token, code);
                }
            }
        }
    }

    fn client_lost(&mut self, client: usize) {
        self.clients[client].lost();
    }

    /// Cuts what `from` opens to `to`.
    pub fn cut(&mut self, from: HostIndex, to: HostIndex, cut: Cut) {
        let names = (self.hosts[from].name(), self.hosts[to].name());
        self.log.row(self.now, "network", "cut", || format!("{} -> {} {cut:?}", names.0, names.1));
        for pipe in self.network.cut(from, to, cut) {
            match cut {
                Cut::Refuse => self.reset(pipe),
                Cut::Silence => {
                    let after = self.dice().span("fault.frozen", &FROZEN);
                    self.schedule(after, Happening::BreakFrozen(pipe));
                }
            }
        }
    }

    pub(super) fn break_frozen(&mut self, pipe: PipeId) {
        if self.network.is_frozen(pipe) {
            self.reset(pipe);
        }
    }

    /// Ends a cut; what stood still goes on.
    pub fn heal(&mut self, from: HostIndex, to: HostIndex) {
        let names = (self.hosts[from].name(), self.hosts[to].name());
        self.log.row(self.now, "network", "heal", || format!("{} -> {}", names.0, names.1));
        for (pipe, side, parcel) in self.network.heal(from, to) {
            self.arrives(pipe, side, parcel);
        }
    }
}
