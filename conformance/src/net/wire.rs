//! One connection of the suite's own: a client, or a server that plays a peer.
//!
//! A thread reads all the time, so that what the node sends is counted and recorded when it arrives and
//! not when a case asks for it.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use socket2::{Domain, SockAddr, Socket, Type};

use super::Ledger;
use crate::event::{Event, How, Octets, Way};
use crate::log::Recorder;
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
    stream: TcpStream,
    inbox: Arc<(Mutex<Inbox>, Condvar)>,
    recorder: Recorder,
    ledger: Ledger,
    entry: usize,
    patience: Duration,
}

impl Wire {
    /// Opens a connection to a node. `connection` is its name, `LINK#n`.
    pub(crate) fn dial(
        recorder: &Recorder,
        ledger: &Ledger,
        connection: &str,
        from: Option<Ipv4Addr>,
        to: SocketAddr,
        (connect, reply): (Duration, Duration),
    ) -> Result<Self, DialError> {
        match dial_from(from, to, connect) {
            Ok(stream) => Self::over(recorder, ledger, connection, stream, Way::Forward, reply),
            Err(error) => {
                let (link, outcome) = (connection.to_owned(), "failed".to_owned());
                recorder.record(Event::Open { link, outcome });
                Err(DialError(format!("{to}: {error}")))
            }
        }
    }

    /// Takes a connection that a node has opened.
    pub(crate) fn accepted(
        recorder: &Recorder,
        ledger: &Ledger,
        connection: &str,
        stream: TcpStream,
        reply: Duration,
    ) -> Result<Self, DialError> {
        Self::over(recorder, ledger, connection, stream, Way::Back, reply)
    }

    fn over(
        recorder: &Recorder,
        ledger: &Ledger,
        connection: &str,
        stream: TcpStream,
        sends: Way,
        patience: Duration,
    ) -> Result<Self, DialError> {
        let wrong = |error: std::io::Error| DialError(error.to_string());
        let ours = stream.local_addr().map_err(wrong)?;
        let theirs = stream.peer_addr().map_err(wrong)?;
        let reader = stream.try_clone().map_err(wrong)?;
        let entry = ledger.enter(connection, ours, theirs);
        let (link, outcome) = (connection.to_owned(), "pass".to_owned());
        recorder.record(Event::Open { link, outcome });
        let wire = Self {
            link: connection.to_owned(),
            sends,
            stream,
            inbox: Arc::default(),
            recorder: recorder.clone(),
            ledger: ledger.clone(),
            entry,
            patience,
        };
        wire.read_in_background(reader);
        Ok(wire)
    }

    fn read_in_background(&self, mut stream: TcpStream) {
        let inbox = Arc::clone(&self.inbox);
        let (recorder, ledger, entry) = (self.recorder.clone(), self.ledger.clone(), self.entry);
        let (link, way) = (self.link.clone(), self.sends.reverse());
        std::thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let (octets, end) = match stream.read(&mut buffer) {
                    Ok(0) => (&[][..], Some(How::Eof)),
                    Ok(length) => (&buffer[..length], None),
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(_) => (&[][..], Some(How::Reset)),
                };
                let mut guard = inbox.0.lock().unwrap_or_else(PoisonError::into_inner);
                if guard.abandoned {
                    return;
                }
                let link = link.clone();
                match end {
                    None => {
                        let data = Octets::of(octets);
                        recorder.record(Event::Octets { link, way, withheld: false, data });
                        ledger.change(entry, |half| half.from_node += octets.len() as u64);
                        guard.octets.extend_from_slice(octets);
                    }
                    Some(how) => {
                        recorder.record(Event::End { link, way, how });
                        ledger.change(entry, |half| {
                            half.ended_by_node = true;
                            half.gone |= how == How::Reset;
                        });
                        guard.end = Some(how);
                    }
                }
                inbox.1.notify_all();
                if end.is_some() {
                    return;
                }
            }
        });
    }

    /// Sends octets. That the peer is gone already shows at the next wait.
    pub(crate) fn send(&self, octets: &[u8]) {
        let data = Octets::of(octets);
        let (link, way) = (self.link.clone(), self.sends);
        self.recorder.record(Event::Octets { link, way, withheld: false, data });
        self.ledger.change(self.entry, |half| half.to_node += octets.len() as u64);
        let mut stream = &self.stream;
        // A failed write is no outcome of its own: the reader sees how the connection ended.
        let _ = stream.write_all(octets);
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
        let watch = crate::clock::Stopwatch::start();
        let mut inbox = self.inbox.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match parse(&inbox.octets) {
                Ok(Some((this, used))) => {
                    inbox.octets.drain(..used);
                    return Got::This(this);
                }
                Err(problem) => return Got::Malformed(problem),
                Ok(None) => {}
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

    fn abandon(&self) {
        self.inbox.0.lock().unwrap_or_else(PoisonError::into_inner).abandoned = true;
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.abandon();
        self.ledger.change(self.entry, |half| {
            half.ended_by_suite = true;
            half.gone = true;
        });
        // Wakes the reader, which lets go of its handle; with the last one the connection closes.
        let _ = self.stream.shutdown(Shutdown::Read);
    }
}

/// Makes the kernel send RST, and nothing before it, when the last handle is dropped.
pub(super) fn reset(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    let _ = socket.set_linger(Some(Duration::ZERO));
    // Wakes whoever reads from it and sends nothing.
    let _ = stream.shutdown(Shutdown::Read);
}
