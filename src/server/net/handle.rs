//! The host loop's end of a connection.

use core::net::IpAddr;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::super::tokens::Token;
use crate::protocol::server::{Coding, PartialName, Wire};
use crate::wire::Mode;
use crate::wire::frame::encode_frame;
use crate::wire::message::Body;

/// The most octets that may wait for one connection. A far end that does not read what it is told
/// loses its connection, rather than the member its memory.
pub const UNWRITTEN_LIMIT_OCTETS: usize = 16 * 1024 * 1024;

/// What an item counts beside its octets.
const ITEM_OCTETS: usize = 64;

/// What a connection is to do, in order.
#[derive(Debug)]
pub(super) enum Task {
    /// Write these.
    Octets(Vec<u8>),
    /// Write these, and behind them the body from an octet on.
    Content(Vec<u8>, Body, Coding, u64),
    /// Look for what is kept of this body, and say how much that is.
    Resume(PartialName),
    /// Read on.
    Receive(Mode),
    /// Start TLS.
    StartTls,
    /// Write what waits and close.
    Close,
}

impl Task {
    const fn octets(&self) -> usize {
        ITEM_OCTETS
            + match self {
                Self::Octets(octets) | Self::Content(octets, ..) => octets.len(),
                Self::Resume(_) | Self::Receive(_) | Self::StartTls | Self::Close => 0,
            }
    }
}

/// Too much waits for the connection already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

/// The host loop's end.
#[derive(Debug)]
pub(crate) struct Handle {
    tasks: UnboundedSender<(Task, Token)>,
    unwritten: Arc<AtomicUsize>,
    /// Where it comes from, if they opened it.
    client: Option<IpAddr>,
}

/// The end of the connection's own task.
#[derive(Debug)]
pub(super) struct Tasks {
    tasks: UnboundedReceiver<(Task, Token)>,
    unwritten: Arc<AtomicUsize>,
}

/// Both ends of a connection that we opened, or that a client opened from this address.
pub(super) fn pair(client: Option<IpAddr>) -> (Handle, Tasks) {
    // Bounded by `UNWRITTEN_LIMIT_OCTETS`; the host loop must never wait for one connection.
    let (sender, receiver) = unbounded_channel();
    let unwritten = Arc::new(AtomicUsize::new(0));
    let handle = Handle { tasks: sender, unwritten: Arc::clone(&unwritten), client };
    (handle, Tasks { tasks: receiver, unwritten })
}

impl Handle {
    /// Has the connection do what its session says. A connection that is gone already does nothing:
    /// the change of its link is on its way to the machine.
    pub(crate) fn say(&self, wire: Wire, token: Token) -> Result<(), Overflow> {
        let task = match wire {
            Wire::Line(mut line) => {
                line.extend_from_slice(b"\r\n");
                Task::Octets(line)
            }
            Wire::Frame(content) => Task::Octets(encode_frame(&content)),
            Wire::Content { prefix, body, coding, from } => {
                Task::Content(prefix, body, coding, from)
            }
            Wire::Resume(name) => Task::Resume(name),
            Wire::Receive(mode) => Task::Receive(mode),
            Wire::StartTls => Task::StartTls,
            other => unreachable!("a connection is not told {other:?}"),
        };
        let octets = task.octets();
        if self.unwritten.fetch_add(octets, Ordering::SeqCst) + octets > UNWRITTEN_LIMIT_OCTETS {
            return Err(Overflow);
        }
        let _ = self.tasks.send((task, token));
        Ok(())
    }

    /// Where the connection comes from, if they opened it.
    pub(crate) const fn client(&self) -> Option<IpAddr> {
        self.client
    }

    /// Closes the connection behind what was said.
    pub(crate) fn close(self, token: Token) {
        let _ = self.tasks.send((Task::Close, token));
    }
}

impl Tasks {
    /// The next task; `None` when the host loop has let go of the connection.
    pub(super) fn poll_next(
        &mut self,
        cx: &mut core::task::Context<'_>,
    ) -> core::task::Poll<Option<(Task, Token)>> {
        self.tasks.poll_recv(cx).map(|next| {
            if let Some((task, _)) = &next {
                self.unwritten.fetch_sub(task.octets().min(self.held()), Ordering::SeqCst);
            }
            next
        })
    }

    fn held(&self) -> usize {
        self.unwritten.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tokens::{Kind, Tokens};
    use super::*;

    #[test]
    fn a_far_end_that_does_not_read_overflows_at_the_limit() {
        let (handle, _tasks) = pair(None);
        let tokens = Tokens::default();
        let line = || Wire::Line(vec![b'x'; 1024 * 1024]);
        for _ in 0..15 {
            assert_eq!(handle.say(line(), tokens.take(Kind::Write)), Ok(()));
        }
        assert_eq!(handle.say(line(), tokens.take(Kind::Write)), Err(Overflow));
    }
}
