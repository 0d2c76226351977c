//! The suite's end of a connection with a node: in clear, or under TLS.
//!
//! Whoever uses it sees what is said. What is counted are the octets below TLS, with handshakes and
//! alerts, because the node counts there, too (CO-013).

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustls::Connection;

use super::Ledger;
use super::ledger::Half;
use crate::security::Tls;

/// One end.
pub(super) struct End {
    socket: TcpStream,
    ledger: Ledger,
    entry: usize,
    /// Held while octets leave, so that what TLS has sealed leaves in that order.
    leaving: Mutex<()>,
    tls: Mutex<Option<Tls>>,
}

/// What octets from the socket came to.
#[derive(Debug, Default)]
pub(super) struct Opened {
    /// What the node says.
    pub(super) octets: Vec<u8>,
    /// The handshake is over: the node has proved to be this member, or what is wrong with it.
    pub(super) secured: Option<(String, Option<String>)>,
    /// The node will say nothing more (`close_notify`).
    pub(super) ended: bool,
}

impl Opened {
    /// Whether TLS has failed.
    pub(super) const fn failed(&self) -> bool {
        matches!(self.secured, Some((_, Some(_))))
    }
}

impl End {
    /// Over a socket. `entry` is its place in the ledger.
    pub(super) fn over(socket: TcpStream, ledger: &Ledger, entry: usize) -> Self {
        let (leaving, tls) = (Mutex::default(), Mutex::default());
        Self { socket, ledger: ledger.clone(), entry, leaving, tls }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Tls>> {
        self.tls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what the ledger says of it.
    pub(super) fn change(&self, change: impl FnOnce(&mut Half)) {
        self.ledger.change(self.entry, change);
    }

    /// What the ledger says of it.
    pub(super) fn half(&self) -> Half {
        self.ledger.snapshot_of(self.entry)
    }

    /// Reads from the socket, and waits for it. Nothing is counted yet: whoever reads first sees to it
    /// that the barrier knows of the octets.
    pub(super) fn read(&self, buffer: &mut [u8]) -> std::io::Result<usize> {
        (&self.socket).read(buffer)
    }

    /// Makes of octets from the socket what the node says, and goes on with the handshake.
    pub(super) fn open(&self, raw: &[u8]) -> Opened {
        let mut guard = self.lock();
        let Some(tls) = guard.as_mut() else {
            return Opened { octets: raw.to_vec(), ..Opened::default() };
        };
        let opened = tls.open(raw);
        let must_answer = tls.connection.wants_write();
        drop(guard);
        if must_answer {
            self.send(&[]);
        }
        opened
    }

    /// Says something. That the node is gone already shows where it is read from.
    pub(super) fn send(&self, octets: &[u8]) {
        let _order = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        let sealed = self.lock().as_mut().map(|tls| {
            // A writer without a limit takes everything.
            let _ = tls.connection.writer().write_all(octets);
            flush(&mut tls.connection)
        });
        self.put(sealed.as_deref().unwrap_or(octets));
    }

    /// Says the last words in clear; what comes after them is under TLS.
    pub(super) fn secure(&self, last_words: &[u8], tls: Tls) {
        let _order = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        // TLS is there before the node can have read the words: what it answers is a handshake.
        let hello = flush(&mut self.lock().insert(tls).connection);
        self.put(&[last_words, &hello].concat());
    }

    /// Says nothing more. `notified`: under TLS, it says so, too.
    pub(super) fn finish(&self, notified: bool) {
        if notified {
            self.notify();
        }
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Under TLS: says that nothing more comes.
    pub(super) fn notify(&self) {
        if let Some(tls) = self.lock().as_mut() {
            tls.connection.send_close_notify();
        }
        self.send(&[]);
    }

    /// Wakes whoever reads from it.
    pub(super) fn wake(&self) {
        let _ = self.socket.shutdown(Shutdown::Read);
    }

    fn put(&self, octets: &[u8]) {
        if octets.is_empty() {
            return;
        }
        self.change(|half| half.to_node += octets.len() as u64);
        // A failed write is no outcome of its own: whoever reads sees how the connection ended.
        let _ = (&self.socket).write_all(octets);
    }
}

/// What TLS wants to have written.
fn flush(connection: &mut Connection) -> Vec<u8> {
    let mut sealed = Vec::new();
    while connection.wants_write() {
        if connection.write_tls(&mut sealed).is_err() {
            break;
        }
    }
    sealed
}

impl Tls {
    fn open(&mut self, mut raw: &[u8]) -> Opened {
        let mut opened = Opened::default();
        let was_handshaking = self.connection.is_handshaking();
        while !raw.is_empty() && !opened.ended {
            if let Err(problem) = self.take(&mut raw, &mut opened) {
                opened.secured = Some((self.peer.clone(), Some(problem)));
                return opened;
            }
        }
        if was_handshaking && !self.connection.is_handshaking() {
            opened.secured = Some((self.peer.clone(), self.name_problem()));
        }
        opened
    }

    /// Takes as much as fits.
    fn take(&mut self, raw: &mut &[u8], opened: &mut Opened) -> Result<(), String> {
        let wrong = |error: std::io::Error| error.to_string();
        self.connection.read_tls(raw).map_err(wrong)?;
        let state = self.connection.process_new_packets().map_err(|error| error.to_string())?;
        opened.ended |= state.peer_has_closed();
        let place = opened.octets.len();
        opened.octets.resize(place + state.plaintext_bytes_to_read(), 0);
        self.connection.reader().read_exact(&mut opened.octets[place..]).map_err(wrong)
    }

    /// What is wrong with the certificate that the node has shown.
    fn name_problem(&self) -> Option<String> {
        let wanted = self.certificate.as_ref()?;
        let shown = self.connection.peer_certificates().and_then(|chain| chain.first());
        (shown != Some(wanted)).then(|| format!("the certificate is not that of {}", self.peer))
    }
}
