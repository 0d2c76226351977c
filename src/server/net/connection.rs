//! The task of one connection: octets to units, one at a time, and what the session says to octets.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use super::handle::{Task, Tasks};
use super::intake::Taking;
use super::listen::Place;
use super::outgoing::Outgoing;
use super::registry::Registered;
use super::stream::Stream;
use super::{End, LINGER, Network, UNREAD_LIMIT_OCTETS};
use crate::clause;
use crate::kernel::{LinkChange, Time};
use crate::protocol::server::{PartialName, Wire};
use crate::server::bodies::DamagedBody;
use crate::server::runtime::ToHost;
use crate::server::spool::SpoolError;
use crate::server::tokens::{Kind, Token};
use crate::wire::ids::ConnectionId;
use crate::wire::{Framer, Mode, Unit};

/// How much is read from a socket at once.
const READ_OCTETS: usize = 16 * 1024;

/// What can happen on a connection.
enum Happened {
    /// The host loop says what to do; `None`: it has let go.
    Told(Option<(Task, Token)>),
    /// Octets were read, none at the end of the stream.
    Read(io::Result<usize>),
    /// Octets were written.
    Written(io::Result<usize>),
    /// Everything that was written has left.
    Flushed,
    /// Our direction of the stream is ended.
    Ended,
}

/// Why a connection's task ends.
enum Ending {
    /// In order, on both sides.
    Done,
    /// It broke: the host is told.
    Broken,
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It belongs to a session.
    Open,
    /// It writes what waits, until the time given.
    Closing(Time),
    /// It has ended its stream and drops what still comes, until the time given.
    Ended(Time),
}

/// A connection.
pub(super) struct Connection {
    pub(super) network: Arc<Network>,
    pub(super) id: ConnectionId,
    end: End,
    stream: Stream,
    phase: Phase,
    pub(super) framer: Framer,
    pub(super) mode: Mode,
    /// A unit is with the session: nothing more is given until it says how to read on.
    waits_for_host: bool,
    /// Octets came that the session has not heard of.
    is_news: bool,
    /// The far end has ended its stream.
    at_end: bool,
    pub(super) taking: Taking,
    /// The body that is taken is kept under this name, where the connection ends before it is complete.
    pub(super) resumable: Option<PartialName>,
    /// Held while octets are here that were not looked at.
    reading: Option<Token>,
    tasks: Tasks,
    outgoing: Outgoing,
    unflushed: bool,
    /// How many octets waited for the session when the last that it had said left.
    unheard_at_flush: usize,
    /// Held until what waits is written.
    writing: Vec<Token>,
    /// TLS starts when everything is written.
    tls_wanted: Option<Token>,
    _registered: Registered,
    _place: Option<Place>,
}

impl Connection {
    /// A connection whose session has not spoken yet.
    pub(super) fn new(
        network: Arc<Network>,
        id: ConnectionId,
        end: End,
        stream: Stream,
        tasks: Tasks,
        registered: Registered,
        place: Option<Place>,
    ) -> Self {
        Self {
            network,
            id,
            end,
            stream,
            phase: Phase::Open,
            framer: Framer::new(Mode::Paused),
            mode: Mode::Paused,
            waits_for_host: true,
            is_news: false,
            at_end: false,
            taking: Taking::Nothing,
            resumable: None,
            reading: None,
            tasks,
            outgoing: Outgoing::default(),
            unflushed: false,
            unheard_at_flush: usize::MAX,
            writing: Vec::new(),
            tls_wanted: None,
            _registered: registered,
            _place: place,
        }
    }

    /// Runs until both sides have closed.
    pub(super) async fn run(mut self) {
        let ending = self.serve().await;
        self.keep_partial();
        if matches!(ending, Ending::Broken) && self.phase == Phase::Open {
            let token = self.token(Kind::Input);
            self.network.tell(ToHost::Gone {
                connection: self.id,
                change: LinkChange::Lost,
                token,
            });
        }
    }

    async fn serve(&mut self) -> Ending {
        let mut buffer = vec![0; READ_OCTETS];
        loop {
            if self.phase == Phase::Open && self.give_units().await.is_err() {
                return Ending::Done;
            }
            self.reading = None;
            if self.outgoing.wants_chunk() && self.read_chunk().await.is_err() {
                return Ending::Broken;
            }
            if self.tls_wanted.is_some() && self.outgoing.is_empty() && !self.unflushed {
                match self.start_tls().await {
                    Ok(()) => continue,
                    Err(ending) => return ending,
                }
            }
            let Some(happened) = self.wait(&mut buffer).await else { return Ending::Done };
            if let Some(ending) = self.take(happened, &buffer) {
                return ending;
            }
        }
    }

    /// Waits for the next thing; `None` when a closing connection has lingered for too long.
    async fn wait(&mut self, buffer: &mut [u8]) -> Option<Happened> {
        let (Phase::Closing(deadline) | Phase::Ended(deadline)) = self.phase else {
            return Some(poll_fn(|cx| self.poll(cx, buffer)).await);
        };
        let clock = Arc::clone(&self.network.clock);
        tokio::select! {
            biased;
            happened = poll_fn(|cx| self.poll(cx, buffer)) => Some(happened),
            () = clock.until(deadline) => None,
        }
    }

    fn take(&mut self, happened: Happened, buffer: &[u8]) -> Option<Ending> {
        match happened {
            Happened::Told(Some((task, token))) => self.take_task(task, token),
            Happened::Told(None) => {
                self.close();
                None
            }
            Happened::Read(Ok(octets)) => self.take_octets(&buffer[..octets]),
            Happened::Written(Ok(octets)) => {
                self.outgoing.advance(octets);
                self.unflushed = true;
                None
            }
            Happened::Flushed => {
                self.unflushed = false;
                self.unheard_at_flush = self.framer.buffered();
                self.writing.clear();
                None
            }
            Happened::Ended => {
                let (Phase::Closing(deadline) | Phase::Ended(deadline)) = self.phase else {
                    unreachable!("only a closing connection ends its stream");
                };
                self.phase = Phase::Ended(deadline);
                self.at_end.then_some(Ending::Done)
            }
            Happened::Read(Err(_)) | Happened::Written(Err(_)) => Some(Ending::Broken),
        }
    }

    fn take_octets(&mut self, octets: &[u8]) -> Option<Ending> {
        // The token is taken in the same turn in which the socket was read.
        self.reading = Some(self.network.tokens.take(Kind::Read));
        if octets.is_empty() {
            self.at_end = true;
            return matches!(self.phase, Phase::Ended(_)).then_some(Ending::Done);
        }
        if self.phase == Phase::Open {
            self.framer.push(octets);
            self.is_news = true;
        }
        None
    }

    fn take_task(&mut self, task: Task, token: Token) -> Option<Ending> {
        match task {
            Task::Octets(octets) => {
                self.outgoing.push(&octets);
                self.writing.push(token);
            }
            Task::Content(prefix, body, coding, from) => {
                self.outgoing.push(&prefix);
                match self.network.spool.read(&body) {
                    Ok(reader) => self.outgoing.push_body(reader, coding, from),
                    Err(error) => {
                        if let SpoolError::Damaged(damaged) = &error {
                            self.tell_damage(damaged);
                        }
                        tracing::error!(connection = self.id.0, %error, "a body cannot be sent");
                        return Some(Ending::Broken);
                    }
                }
                self.writing.push(token);
            }
            Task::Resume(name) => {
                let octets = self.take_partial(name);
                self.waits_for_host = false;
                self.reading = Some(token.into_kind(Kind::Read));
                self.give(Wire::Kept(octets));
            }
            Task::Receive(mode) => {
                self.mode = mode;
                self.framer.read_as(mode);
                self.waits_for_host = false;
                self.reading = Some(token.into_kind(Kind::Read));
            }
            Task::StartTls => self.tls_wanted = Some(token.into_kind(Kind::Handshake)),
            Task::Close => {
                self.writing.push(token);
                self.close();
            }
        }
        None
    }

    fn close(&mut self) {
        assert_eq!(self.phase, Phase::Open, "a connection closes once");
        self.phase = Phase::Closing(self.network.clock.now() + LINGER);
        self.tls_wanted = None;
        self.keep_partial();
    }

    /// Gives the session what is here, one unit at a time. `Err`: the host is told all it needs.
    async fn give_units(&mut self) -> Result<(), ()> {
        while !self.waits_for_host {
            let unit = match self.framer.next_unit() {
                Ok(Some(unit)) => unit,
                Ok(None) => {
                    self.give_progress();
                    self.give_end();
                    return Ok(());
                }
                Err(error) => {
                    let said = self.framer.take_spoiled();
                    let wire = self.taking.end_badly(self.mode, error, said);
                    self.give(wire);
                    return Ok(());
                }
            };
            match unit {
                Unit::Line(line) => self.give(Wire::Line(line)),
                Unit::Secret(line) => self.give(Wire::Secret(line)),
                Unit::Frame(content) => self.give(Wire::Frame(content)),
                Unit::Block(octets) => self.give(Wire::Block(octets)),
                Unit::Body(piece) => self.take_piece(piece).await?,
                Unit::BodyEnd => {
                    let wire = self.end_body().await?;
                    self.give(wire);
                }
            }
        }
        Ok(())
    }

    /// The session is to know that the sender of content is alive: once for each time that octets came.
    fn give_progress(&mut self) {
        if core::mem::take(&mut self.is_news) && self.mode.is_content() {
            let (token, wire) = (self.token(Kind::Input), Wire::Progress);
            self.network.tell(ToHost::Said { connection: self.id, wire, token });
        }
    }

    /// The end of the stream is given once everything before it was given and answered.
    fn give_end(&mut self) {
        clause!(CO_010);
        let unread = self.framer.is_paused() && self.framer.buffered() > 0;
        if !self.at_end || unread {
            return;
        }
        self.give(Wire::End);
        let token = self.token(Kind::Input);
        self.network.tell(ToHost::Gone { connection: self.id, change: LinkChange::Closed, token });
    }

    fn give(&mut self, wire: Wire) {
        assert!(!self.waits_for_host, "one unit at a time");
        self.waits_for_host = true;
        let token = self.token(Kind::Input);
        self.network.tell(ToHost::Said { connection: self.id, wire, token });
    }

    /// A token for what follows from what was read.
    fn token(&self, kind: Kind) -> Token {
        self.reading.as_ref().map_or_else(|| self.network.tokens.take(kind), |held| held.also(kind))
    }

    async fn read_chunk(&mut self) -> io::Result<()> {
        let result = self.outgoing.read_chunk().await;
        if let Err(error) = &result {
            if let Some(damaged) = DamagedBody::of(error) {
                self.tell_damage(damaged);
            }
            tracing::error!(connection = self.id.0, %error, "a body cannot be sent");
        }
        result
    }

    /// The host hears of it before it hears that the connection is gone: nobody tries again.
    fn tell_damage(&self, damaged: &DamagedBody) {
        let DamagedBody { body, damage } = damaged.clone();
        let token = self.token(Kind::Input);
        self.network.tell(ToHost::Checked { key: body.key, damage: Some(damage), token });
    }

    /// Starts TLS. A session that gives up meanwhile ends the handshake.
    async fn start_tls(&mut self) -> Result<(), Ending> {
        let Some(_held) = self.tls_wanted.take() else { return Ok(()) };
        let Stream::Plain(mut stream) = core::mem::replace(&mut self.stream, Stream::Gone) else {
            tracing::error!(connection = self.id.0, "TLS was started twice");
            return Err(Ending::Broken);
        };
        // Octets that came in clear must not be read as if TLS had protected them.
        clause!(SM_017);
        clause!(SM_047);
        if !self.network.security().faults().is_on("clear-text-survives-starttls") {
            let mut unheard = self.framer.discard();
            // A client that has its 220 begins, also while the order to start TLS is still on its way here. A server
            // does not begin: whatever it says is in clear.
            if matches!(self.end, End::Server(_)) {
                stream.put_back(unheard.split_off(self.unheard_at_flush.min(unheard.len())));
            }
        }
        let (security, end) = (self.network.security(), self.end.clone());
        let mut handshake = core::pin::pin!(security.secure(stream, &end));
        let mut meanwhile = Vec::new();
        let secured = loop {
            tokio::select! {
                biased;
                told = poll_fn(|cx| self.tasks.poll_next(cx)) => match told {
                    None | Some((Task::Close, _)) => return Err(Ending::Done),
                    Some(told) => meanwhile.push(told),
                },
                secured = &mut handshake => break secured,
            }
        };
        match secured {
            Ok((stream, member)) => {
                self.stream = stream;
                self.waits_for_host = false;
                self.give(Wire::Secured(member));
                for (task, token) in meanwhile {
                    if let Some(ending) = self.take_task(task, token) {
                        return Err(ending);
                    }
                }
                Ok(())
            }
            Err(error) => {
                tracing::info!(connection = self.id.0, %error, "TLS failed");
                if matches!(self.end, End::Outside(_)) {
                    // Its session may want to do without it the next time.
                    self.waits_for_host = false;
                    self.give(Wire::Unsecured(error.to_string()));
                }
                Err(Ending::Broken)
            }
        }
    }

    fn wants_read(&self) -> bool {
        if self.at_end || self.tls_wanted.is_some() {
            return false;
        }
        let takes_units = !self.waits_for_host && !self.framer.is_paused();
        self.phase != Phase::Open || takes_units || self.framer.buffered() < UNREAD_LIMIT_OCTETS
    }

    fn poll(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Happened> {
        let takes_tasks = self.phase == Phase::Open && self.tls_wanted.is_none();
        if takes_tasks
            && self.outgoing.has_room()
            && let Poll::Ready(told) = self.tasks.poll_next(cx)
        {
            return Poll::Ready(Happened::Told(told));
        }
        if let Poll::Ready(happened) = self.poll_out(cx) {
            return Poll::Ready(happened);
        }
        if self.wants_read() {
            let mut room = ReadBuf::new(buffer);
            let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut room));
            return Poll::Ready(Happened::Read(read.map(|()| room.filled().len())));
        }
        Poll::Pending
    }

    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<Happened> {
        let stream = Pin::new(&mut self.stream);
        if !self.outgoing.front().is_empty() {
            let written = ready!(stream.poll_write(cx, self.outgoing.front()));
            return Poll::Ready(Happened::Written(written.and_then(refuse_zero)));
        }
        if self.unflushed || !self.writing.is_empty() {
            let flushed = ready!(stream.poll_flush(cx));
            return Poll::Ready(match flushed {
                Ok(()) => Happened::Flushed,
                Err(error) => Happened::Written(Err(error)),
            });
        }
        if matches!(self.phase, Phase::Closing(_)) {
            let ended = ready!(stream.poll_shutdown(cx));
            return Poll::Ready(match ended {
                Ok(()) => Happened::Ended,
                Err(error) => Happened::Written(Err(error)),
            });
        }
        Poll::Pending
    }
}

fn refuse_zero(octets: usize) -> io::Result<usize> {
    if octets == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(octets) }
}
