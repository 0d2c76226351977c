//! What a PDU costs on the wire: octets, and how often the connection is passed until it is there.
//!
//! Both follow from the real codecs. A message on X-LINK2STATE is cut into chunks of one line each, and each
//! chunk but the last is answered before the next one is sent; the answer to the last one is one reply.

use alloc::string::String;
use alloc::vec::Vec;
use core::slice;

use crate::kernel::Span;
use crate::protocol::linkstate::LinkPdu;
use crate::wire::frame::HEADER_OCTETS;
use crate::wire::group::Frame;
use crate::wire::link2state::{message_reply, next_reply, split};
use crate::wire::orginfo::encode_message;

/// The passages from the opening of an SMTP connection between members until it may carry news, counted at
/// its client: TCP, the greeting with EHLO behind it, STARTTLS, TLS 1.3, and EHLO again take six round trips.
pub const SMTP_SETUP_PASSAGES: u64 = 12;
/// The same on the group port: TCP, TLS 1.3, greeting and name take three round trips.
pub const GROUP_PORT_SETUP_PASSAGES: u64 = 6;

const VERB: &str = "X-LINK2STATE ";
const CRLF_OCTETS: u64 = 2;

/// How long things take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delays {
    /// One passage between two groups, in one direction.
    pub link: Span,
    /// One passage inside a group.
    pub local: Span,
    /// From a write to its completion.
    pub disk: Span,
    /// Whatever is sent may take up to so much longer.
    pub jitter: Span,
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            link: Span::milliseconds(20),
            local: Span::milliseconds(1),
            disk: Span::milliseconds(5),
            jitter: Span::ZERO,
        }
    }
}

/// What something costs on a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// In both directions.
    pub octets: u64,
    /// How often the connection is passed, in either direction, until the far end has it all.
    pub passages: u64,
}

impl Price {
    /// A message from the client of an SMTP connection: chunks, and what answers all but the last.
    ///
    /// # Panics
    /// When the message is longer than a message may be.
    #[must_use]
    pub fn of_command(pdu: &LinkPdu) -> Self {
        let chunks = split(&message(pdu));
        let lines = chunks.iter().map(|c| octets(VERB.len()) + octets(c.encode().len()));
        let lines: u64 = lines.map(|line| line + CRLF_OCTETS).sum();
        let answered = octets(chunks.len()) - 1;
        let answers = answered * reply_octets(&next_reply().encode());
        Self { octets: lines + answers, passages: 2 * answered + 1 }
    }

    /// A message from the server of an SMTP connection: the one reply to the last chunk.
    ///
    /// # Panics
    /// When the message is longer than a message may be.
    #[must_use]
    pub fn of_reply(pdu: &LinkPdu) -> Self {
        Self { octets: reply_octets(&message_reply(&message(pdu)).encode()), passages: 1 }
    }

    /// A frame on the group port.
    ///
    /// # Panics
    /// When the frame is longer than a frame may be.
    #[must_use]
    pub fn of_frame(pdu: &LinkPdu) -> Self {
        let content = Frame::Link(pdu.clone()).encode().expect("within the limit of a frame");
        Self { octets: octets(HEADER_OCTETS + content.len()), passages: 1 }
    }
}

fn message(pdu: &LinkPdu) -> String {
    encode_message(slice::from_ref(pdu)).expect("within the limit of a message")
}

fn reply_octets(lines: &[Vec<u8>]) -> u64 {
    lines.iter().map(|line| octets(line.len()) + CRLF_OCTETS).sum()
}

fn octets(count: usize) -> u64 {
    u64::try_from(count).expect("a length fits")
}
