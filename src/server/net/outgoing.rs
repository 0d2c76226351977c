//! What a connection still has to write: octets, and bodies that are coded as they are read.

use std::io::{self, Read as _};

use super::super::bodies::BodyReader;
use crate::protocol::server::Coding;

/// A connection takes no more to write, and so reads no more units, while this much waits.
pub(super) const HIGH_OCTETS: usize = 64 * 1024;

/// How much of a body is read at once.
const CHUNK_OCTETS: usize = 32 * 1024;

/// A body on its way out.
#[derive(Debug)]
struct Content {
    reader: BodyReader,
    coder: Coder,
    /// So many octets are still to be left out. They are read all the same: the body is verified as a
    /// whole.
    skipped: u64,
}

/// The octets that wait, and the body behind them.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    octets: Vec<u8>,
    written: usize,
    content: Option<Content>,
}

impl Outgoing {
    /// Adds octets behind everything else.
    pub(super) fn push(&mut self, octets: &[u8]) {
        assert!(self.content.is_none(), "nothing overtakes a body");
        self.octets.extend_from_slice(octets);
    }

    /// Adds a body from octet `from` on behind everything else.
    pub(super) fn push_body(&mut self, reader: BodyReader, coding: Coding, from: u64) {
        assert!(self.content.is_none(), "one body at a time");
        assert!(from == 0 || coding == Coding::Octets, "stuffed text has a beginning");
        self.content = Some(Content { reader, coder: Coder::new(coding), skipped: from });
    }

    /// What is to be written next.
    pub(super) fn front(&self) -> &[u8] {
        &self.octets[self.written..]
    }

    /// So many octets of the front are written.
    pub(super) fn advance(&mut self, octets: usize) {
        self.written += octets;
        assert!(self.written <= self.octets.len(), "only what waits is written");
        if self.written == self.octets.len() {
            self.octets.clear();
            self.written = 0;
        }
    }

    /// Whether everything is written.
    pub(super) fn is_empty(&self) -> bool {
        self.front().is_empty() && self.content.is_none()
    }

    /// Whether more may be added.
    pub(super) fn has_room(&self) -> bool {
        self.content.is_none() && self.front().len() < HIGH_OCTETS
    }

    /// Whether the next chunk of a body should be read.
    pub(super) fn wants_chunk(&self) -> bool {
        self.content.is_some() && self.front().len() < HIGH_OCTETS
    }

    /// Reads and codes the next chunk. A body in a file blocks.
    pub(super) async fn read_chunk(&mut self) -> io::Result<()> {
        let Some(mut content) = self.content.take() else { return Ok(()) };
        let result = if content.reader.blocks() {
            let read = tokio::task::spawn_blocking(move || {
                let chunk = read_chunk(&mut content);
                (content, chunk)
            });
            read.await.map_err(io::Error::other)?
        } else {
            let chunk = read_chunk(&mut content);
            (content, chunk)
        };
        let (mut content, chunk) = (result.0, result.1?);
        if chunk.is_empty() {
            content.coder.end(&mut self.octets);
        } else {
            content.coder.code(&chunk, &mut self.octets);
            self.content = Some(content);
        }
        Ok(())
    }
}

fn read_chunk(content: &mut Content) -> io::Result<Vec<u8>> {
    let mut chunk = vec![0; CHUNK_OCTETS];
    loop {
        let octets = content.reader.read(&mut chunk)?;
        let left_out = usize::try_from(content.skipped).unwrap_or(usize::MAX).min(octets);
        content.skipped -= left_out as u64;
        if left_out == octets && octets > 0 {
            continue;
        }
        chunk.truncate(octets);
        chunk.drain(..left_out);
        return Ok(chunk);
    }
}

/// Codes a body as it passes.
#[derive(Debug)]
struct Coder {
    coding: Coding,
    /// The last two octets that passed, CRLF at the start: the next octet begins a line.
    last: [u8; 2],
}

impl Coder {
    const fn new(coding: Coding) -> Self {
        Self { coding, last: *b"\r\n" }
    }

    fn code(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        if self.coding == Coding::Octets {
            out.extend_from_slice(chunk);
            return;
        }
        for octet in chunk {
            if *octet == b'.' && self.last == *b"\r\n" {
                out.push(b'.');
            }
            out.push(*octet);
            self.last = [self.last[1], *octet];
        }
    }

    fn end(&self, out: &mut Vec<u8>) {
        if self.coding == Coding::Dots {
            let end: &[u8] = if self.last == *b"\r\n" { b".\r\n" } else { b"\r\n.\r\n" };
            out.extend_from_slice(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coded(coding: Coding, chunks: &[&[u8]]) -> Vec<u8> {
        let (mut coder, mut out) = (Coder::new(coding), Vec::new());
        for chunk in chunks {
            coder.code(chunk, &mut out);
        }
        coder.end(&mut out);
        out
    }

    #[test]
    fn dots_are_stuffed_wherever_the_body_is_cut() {
        let body: &[u8] = b".a\r\n..b\r\nc.\r\n.\r\n";
        let expected: &[u8] = b"..a\r\n...b\r\nc.\r\n..\r\n.\r\n";
        assert_eq!(coded(Coding::Dots, &[body]), expected);
        for cut in 0..body.len() {
            assert_eq!(
                coded(Coding::Dots, &[&body[..cut], &body[cut..]]),
                expected,
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn a_body_ends_on_a_line_of_its_own() {
        assert_eq!(coded(Coding::Dots, &[]), b".\r\n");
        assert_eq!(coded(Coding::Dots, &[b"a"]), b"a\r\n.\r\n");
        assert_eq!(coded(Coding::Octets, &[b".a"]), b".a");
    }
}
