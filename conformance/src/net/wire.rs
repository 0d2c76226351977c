//! One connection of the suite's own: a client, or a server that plays a peer.
//!
//! A thread reads all the time, so that what the node sends is counted and recorded when it arrives and
//! not when a case asks for it.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::io::ErrorKind;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use socket2::{Domain, SockAddr, Socket, Type};

use super::Ledger;
use super::end::{End, Opened};
use super::rule::Port;
use crate::event::{Event, How, Octets, Way};
use crate::log::Recorder;
use crate::security::Tls;
use crate::smtp::{Parsed, Reply, parse_reply};

/// What a wait for octets came to. Nothing is folded into anything else: closed is not refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Got<T> {
    /// What was waited for.
    This(T),
    /// Octets that cannot be that.
    Malformed(String),
    /// The peer ended in order first.
    Eof,
    /// The peer broke off first.
    Reset,
    /// Nothing for as long as the suite waits.
    Timeout,
}

impl<T> Got<T> {
    /// The thing, if it came.
    pub(crate) fn this(self) -> Option<T> {
        match self {
            Self::This(this) => Some(this),
            _ => None,
        }
    }
}

#[derive(Debug, Default)]
struct Inbox {
    octets: Vec<u8>,
    end: Option<How>,
    /// The handshake is over.
    secured: bool,
    /// The suite itself has ended the connection; what the reader sees now is its own doing.
    abandoned: bool,
}

/// Why a connection could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DialError(pub(crate) String);

/// Opens a TCP connection from a chosen address.
pub(crate) fn dial_from(
    from: Option<Ipv4Addr>,
    to: SocketAddr,
    within: Duration,
) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    if let Some(from) = from {
        socket.bind(&SockAddr::from(SocketAddr::new(IpAddr::V4(from), 0)))?;
    }
    socket.connect_timeout(&SockAddr::from(to), within)?;
    let stream = TcpStream::from(socket);
    // It fails on a connection that the peer has reset already; the first read will tell.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// One connection.
pub(crate) struct Wire {
    link: String,
    sends: Way,
    end: Arc<End>,
    inbox: Arc<(Mutex<Inbox>, Condvar)>,
    recorder: Recorder,
    patience: Duration,
    /// For when TLS begins.
    tls: Mutex<Option<Tls>>,
    /// Whether there is TLS, from the start or from STARTTLS on.
    has_tls: bool,
}

/// How a connection of the suite's own is protected.
pub(crate) enum Protection {
    /// In clear.
    Clear,
    /// Under TLS from its first octet.
    Tls(Tls),
    /// Under TLS as soon as both sides have agreed on it; see [`Wire::secure`].
    Starttls(Tls),
}

impl Protection {
    /// As it is on a port: only the SMTP port and the one for submission begin in clear.
    pub(crate) fn on(port: Port, tls: Option<Tls>) -> Self {
        match (port, tls) {
            (_, None) => Self::Clear,
            (Port::Smtp | Port::Submission, Some(tls)) => Self::Starttls(tls),
            (Port::Deliver | Port::Group | Port::Submissions, Some(tls)) => Self::Tls(tls),
        }
    }
}

/// What a connection of the suite's own needs around it.
pub(crate) struct Setting<'a> {
    /// Where it is recorded.
    pub(crate) recorder: &'a Recorder,
    /// Where it is counted.
    pub(crate) ledger: &'a Ledger,
    /// How long to wait for it.
    pub(crate) connect: Duration,
    /// How long to wait for what the node says.
    pub(crate) reply: Duration,
}

impl Wire {
    /// Opens a connection to a node. `connection` is its name, `LINK#n`.
    pub(crate) fn dial(
        setting: &Setting<'_>,
        connection: &str,
        from: Option<Ipv4Addr>,
        to: SocketAddr,
        protection: Protection,
    ) -> Result<Self, DialError> {
        match dial_from(from, to, setting.connect) {
            Ok(stream) => Self::over(setting, connection, stream, Way::Forward, protection),
            Err(error) => {
                let (link, outcome) = (connection.to_owned(), "failed".to_owned());
                setting.recorder.record(Event::Open { link, outcome });
                Err(DialError(format!("{to}: {error}")))
            }
        }
    }

    /// Takes a connection that a node has opened.
    pub(crate) fn accepted(
        setting: &Setting<'_>,
        connection: &str,
        stream: TcpStream,
        protection: Protection,
    ) -> Result<Self, DialError> {
        Self::over(setting, connection, stream, Way::Back, protection)
    }

    fn over(
        setting: &Setting<'_>,
        connection: &str,
        stream: TcpStream,
        sends: Way,
        protection: Protection,
    ) -> Result<Self, DialError> {
        let wrong = |error: std::io::Error| DialError(error.to_string());
        let ours = stream.local_addr().map_err(wrong)?;
        let theirs = stream.peer_addr().map_err(wrong)?;
        let entry = setting.ledger.enter(connection, ours, theirs);
        let (link, outcome) = (connection.to_owned(), "pass".to_owned());
        setting.recorder.record(Event::Open { link, outcome });
        let end = Arc::new(End::over(stream, setting.ledger, entry));
        let (now, later) = match protection {
            Protection::Clear => (None, None),
            Protection::Tls(tls) => (Some(tls), None),
            Protection::Starttls(tls) => (None, Some(tls)),
        };
        let is_handshaking = now.is_some();
        let has_tls = is_handshaking || later.is_some();
        if let Some(tls) = now {
            // Before anybody reads: the first octet of the node belongs to the handshake.
            end.secure(&[], tls);
        }
        let wire = Self {
            link: connection.to_owned(),
            sends,
            end,
            inbox: Arc::default(),
            recorder: setting.recorder.clone(),
            patience: setting.reply,
            tls: Mutex::new(later),
            has_tls,
        };
        wire.read_in_background();
        if is_handshaking {
            wire.wait_until_secured();
        }
        Ok(wire)
    }

    fn read_in_background(&self) {
        let reader = Reader {
            end: Arc::clone(&self.end),
            inbox: Arc::clone(&self.inbox),
            recorder: self.recorder.clone(),
            link: self.link.clone(),
            way: self.sends.reverse(),
        };
        std::thread::spawn(move || reader.run());
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether TLS can begin, and has not yet.
    pub(crate) fn can_secure(&self) -> bool {
        self.tls.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Begins TLS, behind last words in clear, and waits until both sides have proved their names or one
    /// of them does not. Where TLS has no place it does nothing.
    pub(crate) fn secure(&self, last_words: &[u8]) {
        let tls = self.tls.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(tls) = tls else { return };
        if !last_words.is_empty() {
            self.record(last_words);
        }
        self.end.secure(last_words, tls);
        self.wait_until_secured();
    }

    /// That a handshake fails is for the case to see: the connection has ended.
    fn wait_until_secured(&self) {
        let _ = self.until(|inbox| inbox.secured.then_some(()).map(Ok));
    }

    fn record(&self, octets: &[u8]) {
        let data = Octets::of(octets);
        let (link, way) = (self.link.clone(), self.sends);
        self.recorder.record(Event::Octets { link, way, withheld: false, data });
    }

    /// Sends octets. That the peer is gone already shows at the next wait.
    pub(crate) fn send(&self, octets: &[u8]) {
        self.send_as(octets, octets, octets.len());
    }

    /// Sends octets, so many at a time, that stand otherwise in the record: a report shows nobody's
    /// password.
    pub(crate) fn send_as(&self, recorded: &[u8], octets: &[u8], at_a_time: usize) {
        self.record(recorded);
        octets.chunks(at_a_time.max(1)).for_each(|part| self.end.send(part));
    }

    /// Whether secrets may be said: where there is TLS, only once the far end has proved who it is.
    pub(crate) fn is_private(&self) -> bool {
        !self.has_tls || self.lock().secured
    }

    /// Sends a line.
    pub(crate) fn line(&self, line: &str) {
        self.send(format!("{line}\r\n").as_bytes());
    }

    /// Waits until `parse` finds something at the beginning of what has arrived.
    pub(crate) fn wait<T>(
        &self,
        mut parse: impl FnMut(&[u8]) -> Result<Option<(T, usize)>, String>,
    ) -> Got<T> {
        self.until(|inbox| match parse(&inbox.octets) {
            Ok(Some((this, used))) => {
                inbox.octets.drain(..used);
                Some(Ok(this))
            }
            Ok(None) => None,
            Err(problem) => Some(Err(problem)),
        })
    }

    /// Waits until `look` finds something in the inbox.
    fn until<T>(&self, mut look: impl FnMut(&mut Inbox) -> Option<Result<T, String>>) -> Got<T> {
        let watch = crate::clock::Stopwatch::start();
        let mut inbox = self.lock();
        loop {
            match look(&mut inbox) {
                Some(Ok(this)) => return Got::This(this),
                Some(Err(problem)) => return Got::Malformed(problem),
                None => {}
            }
            match inbox.end {
                Some(How::Eof) => return Got::Eof,
                Some(How::Reset) => return Got::Reset,
                None => {}
            }
            let left = self.patience.saturating_sub(watch.elapsed());
            if left.is_zero() {
                drop(inbox);
                self.recorder.record(Event::Silence { link: self.link.clone() });
                return Got::Timeout;
            }
            let waited = self.inbox.1.wait_timeout(inbox, left);
            inbox = waited.map_or_else(|poisoned| poisoned.into_inner().0, |(guard, _)| guard);
        }
    }

    /// What `parse` finds at the beginning of what has arrived already, without a wait.
    pub(crate) fn now<T>(&self, parse: impl FnOnce(&[u8]) -> Option<(T, usize)>) -> Option<T> {
        let mut inbox = self.lock();
        let (this, used) = parse(&inbox.octets)?;
        inbox.octets.drain(..used);
        Some(this)
    }

    /// Whether the node has ended the connection, and everything that it said is read.
    pub(crate) fn is_over(&self) -> bool {
        let inbox = self.lock();
        inbox.end.is_some() && inbox.octets.is_empty()
    }

    /// Waits for a reply.
    pub(crate) fn reply(&self) -> Got<Reply> {
        self.wait(|octets| match parse_reply(octets) {
            Parsed::Reply(reply, used) => Ok(Some((reply, used))),
            Parsed::More => Ok(None),
            Parsed::Malformed(problem) => Err(problem),
        })
    }

    /// Sends a line and waits for the reply.
    pub(crate) fn ask(&self, line: &str) -> Got<Reply> {
        self.line(line);
        self.reply()
    }

    /// Waits for a line, without its line end.
    pub(crate) fn read_line(&self) -> Got<Vec<u8>> {
        self.wait(|octets| {
            let end = octets.windows(2).position(|pair| pair == b"\r\n");
            Ok(end.map(|end| (octets[..end].to_vec(), end + 2)))
        })
    }

    /// Waits for exactly this many octets.
    pub(crate) fn exactly(&self, count: usize) -> Got<Vec<u8>> {
        self.wait(|octets| Ok(octets.get(..count).map(|head| (head.to_vec(), count))))
    }

    /// Waits for the end; octets before it are malformed.
    pub(crate) fn closed(&self) -> Got<()> {
        self.wait(|octets| {
            if octets.is_empty() { Ok(None) } else { Err(format!("{} octets", octets.len())) }
        })
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.lock().abandoned = true;
        self.end.change(|half| {
            half.ended_by_suite = true;
            half.gone = true;
        });
        self.end.notify();
        // Wakes the reader, which lets go of its handle; with the last one the connection closes.
        self.end.wake();
    }
}

/// Reads in the backsetting.
struct Reader {
    end: Arc<End>,
    inbox: Arc<(Mutex<Inbox>, Condvar)>,
    recorder: Recorder,
    link: String,
    way: Way,
}

impl Reader {
    fn run(&self) {
        let mut buffer = vec![0; 64 * 1024];
        let mut has_ended = false;
        loop {
            match self.end.read(&mut buffer) {
                Ok(0) if has_ended => return,
                Ok(0) => {
                    self.ended(&mut self.lock(), How::Eof);
                    return;
                }
                Ok(length) if has_ended => self.count(length),
                Ok(length) => match self.take(&buffer[..length]) {
                    Some(ended) => has_ended = ended,
                    None => return,
                },
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) if has_ended => return,
                Err(_) => {
                    self.ended(&mut self.lock(), How::Reset);
                    return;
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, length: usize) {
        self.end.change(|half| half.from_node += length as u64);
    }

    /// Takes octets from the socket. Gives whether the node has said that it will say nothing more, or
    /// nothing when the connection is over.
    fn take(&self, raw: &[u8]) -> Option<bool> {
        let mut inbox = self.lock();
        if inbox.abandoned {
            return None;
        }
        let opened = self.end.open(raw);
        let (failed, ended) = (opened.failed(), opened.ended);
        self.note(&mut inbox, opened);
        // Only what stands in the record counts as read.
        self.count(raw.len());
        if failed || ended {
            self.ended(&mut inbox, if failed { How::Reset } else { How::Eof });
        }
        self.inbox.1.notify_all();
        (!failed).then_some(ended)
    }

    fn note(&self, inbox: &mut Inbox, opened: Opened) {
        let link = &self.link;
        if let Some((peer, problem)) = opened.secured {
            inbox.secured = problem.is_none();
            let (link, way) = (link.clone(), self.way);
            self.recorder.record(Event::Tls { link, way, peer, problem });
        }
        if !opened.octets.is_empty() {
            let (link, data) = (link.clone(), Octets::of(&opened.octets));
            self.recorder.record(Event::Octets { link, way: self.way, withheld: false, data });
            inbox.octets.extend_from_slice(&opened.octets);
        }
    }

    fn ended(&self, inbox: &mut Inbox, how: How) {
        if inbox.abandoned {
            return;
        }
        self.recorder.record(Event::End { link: self.link.clone(), way: self.way, how });
        self.end.change(|half| {
            half.ended_by_node = true;
            half.gone |= how == How::Reset;
        });
        inbox.end = Some(how);
        self.inbox.1.notify_all();
    }
}

/// Makes the kernel send RST, and nothing before it, when the last handle is dropped.
pub(super) fn reset(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    let _ = socket.set_linger(Some(Duration::ZERO));
    // Wakes whoever reads from it and sends nothing.
    let _ = stream.shutdown(Shutdown::Read);
}
