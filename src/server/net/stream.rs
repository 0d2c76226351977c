//! A socket that counts what passes, in clear or under TLS.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use super::registry::Counters;
use crate::clause;

/// A TCP socket that counts. TLS, where it is on, stands above it.
#[derive(Debug)]
pub(super) struct Counted {
    socket: TcpStream,
    counters: Arc<Counters>,
    /// Was read and counted already, and comes before what the socket has.
    unread: Vec<u8>,
}

impl Counted {
    pub(super) const fn new(socket: TcpStream, counters: Arc<Counters>) -> Self {
        Self { socket, counters, unread: Vec::new() }
    }

    /// Has these octets, which were read from it, read once more.
    pub(super) fn put_back(&mut self, octets: Vec<u8>) {
        assert!(self.unread.is_empty(), "what was read is put back once");
        self.unread = octets;
    }

    fn note_error(&self, error: &io::Error) {
        if error.kind() != io::ErrorKind::WouldBlock {
            self.counters.set_reset();
        }
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, room) = (buffer.filled().len(), buffer.remaining());
        if !self.unread.is_empty() {
            let octets = room.min(self.unread.len());
            buffer.put_slice(&self.unread[..octets]);
            self.unread.drain(..octets);
            return Poll::Ready(Ok(()));
        }
        let result = Pin::new(&mut self.socket).poll_read(cx, buffer);
        match &result {
            Poll::Ready(Ok(())) => {
                clause!(CO_005);
                clause!(CO_013);
                let octets = buffer.filled().len() - before;
                self.counters.add_received(octets);
                if octets == 0 && room > 0 {
                    self.counters.set_eof();
                }
            }
            Poll::Ready(Err(error)) => self.note_error(error),
            Poll::Pending => {}
        }
        result
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.socket).poll_write(cx, octets);
        match &result {
            Poll::Ready(Ok(taken)) => {
                clause!(CO_006);
                self.counters.add_sent(*taken);
            }
            Poll::Ready(Err(error)) => self.note_error(error),
            Poll::Pending => {}
        }
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// The stream of a connection.
#[derive(Debug)]
pub(super) enum Stream {
    /// In clear.
    Plain(Counted),
    /// Under TLS.
    Tls(Box<TlsStream<Counted>>),
    /// A handshake has failed: nothing passes any more.
    Gone,
}

/// Reads what the far end says under TLS; `close_notify` is an end as good as that of the socket.
fn read_tls(
    stream: &mut TlsStream<Counted>,
    cx: &mut Context<'_>,
    buffer: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    let (before, room) = (buffer.filled().len(), buffer.remaining());
    let result = Pin::new(&mut *stream).poll_read(cx, buffer);
    if matches!(result, Poll::Ready(Ok(()))) && room > 0 && buffer.filled().len() == before {
        clause!(CO_015);
        stream.get_ref().0.counters.set_eof();
    }
    result
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => match read_tls(stream, cx, buffer) {
                // Many implementations close without `close_notify`; the protocols above have ends
                // of their own, so that nothing can be cut off unnoticed.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    Poll::Ready(Ok(()))
                }
                result => result,
            },
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, octets),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, octets),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}
