//! `X-LINK2STATE`: one long message in chunks, as commands and as the lines of a reply.
//!
//! The history is a warning. The reassembly of Exchange appended an unmarked chunk to a buffer that no
//! FIRST had made, and a chunk of more than 520 octets overwrote the heap (MS05-021). Here nothing is
//! kept before FIRST, nothing is kept beyond the limit, and each mark has one meaning in each state.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::Serialize;

use super::DecodeError;
use super::frame::{EXPECTED_LENGTH, FRAME_LIMIT, HEADER_OCTETS, read_header};
use super::smtp::{REPLY_TEXT_LIMIT, Reply, Status};
use crate::clause;

/// The most octets of a command or reply line, CRLF included.
pub const LINE_LIMIT: usize = 1_024;
/// The most octets of data in one chunk that we write; what we read only keeps to the limit of the line.
pub const DATA_LIMIT: usize = REPLY_TEXT_LIMIT - "FIRST CHUNK=".len();
/// The most octets of one message: a counted frame.
pub const MESSAGE_LIMIT: usize = FRAME_LIMIT;
/// The most lines of a reply that carries a message.
pub const REPLY_LINES_LIMIT: usize = 8_192;
/// What one buffer of Exchange held; an unmarked chunk before FIRST that is longer was the attack.
pub const HISTORIC_BUFFER: usize = 520;

/// What a chunk says of its place in the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// A message begins.
    First,
    /// It goes on.
    Next,
    /// It ends.
    Last,
    /// It goes on; the form without a word.
    Unmarked,
}

impl Mark {
    /// The word, with the space behind it.
    const fn word(self) -> &'static str {
        match self {
            Self::First => "FIRST ",
            Self::Next => "NEXT ",
            Self::Last => "LAST ",
            Self::Unmarked => "",
        }
    }
}

/// One chunk: what stands behind `X-LINK2STATE `, or behind the code of a reply line.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Chunk {
    /// Its place.
    pub mark: Mark,
    /// Printable US-ASCII.
    pub data: String,
}

impl Chunk {
    /// Reads `[FIRST|NEXT|LAST ]CHUNK=data`.
    ///
    /// # Errors
    /// What was expected where, counted from the start of `octets`.
    pub fn decode(octets: &[u8]) -> Result<Self, DecodeError> {
        clause!(WI_090);
        let marks = [Mark::First, Mark::Next, Mark::Last];
        let mark = marks.into_iter().find(|mark| starts_with(octets, mark.word()));
        let mark = mark.unwrap_or(Mark::Unmarked);
        let key = &octets[mark.word().len()..];
        if !starts_with(key, "CHUNK=") {
            let offset = mark.word().len();
            let expected = if offset == 0 { "FIRST, NEXT, LAST or CHUNK=" } else { "CHUNK=" };
            return Err(DecodeError { offset, expected });
        }
        let start = mark.word().len() + "CHUNK=".len();
        let data = &octets[start..];
        match data.iter().position(|octet| !matches!(octet, b' '..=b'~')) {
            Some(place) => Err(DecodeError { offset: start + place, expected: EXPECTED_PRINTABLE }),
            None => Ok(Self { mark, data: data.iter().copied().map(char::from).collect() }),
        }
    }

    /// `[FIRST|NEXT|LAST ]CHUNK=data`.
    #[must_use]
    pub fn encode(&self) -> String {
        format!("{}CHUNK={}", self.mark.word(), self.data)
    }
}

const EXPECTED_PRINTABLE: &str = "printable US-ASCII";

fn starts_with(octets: &[u8], word: &str) -> bool {
    octets.get(..word.len()).is_some_and(|front| front.eq_ignore_ascii_case(word.as_bytes()))
}

/// Cuts one message into chunks: FIRST, as many NEXT as it takes, LAST.
#[must_use]
pub fn split(message: &str) -> Vec<Chunk> {
    clause!(WI_091);
    assert!(message.len() <= MESSAGE_LIMIT, "the caller keeps to the limit of a message");
    assert!(message.bytes().all(|octet| matches!(octet, b' '..=b'~')), "a message is printable");
    // A short message is cut behind its length, so that there always are a FIRST and a LAST.
    let first = match message.len() {
        0..=HEADER_OCTETS => 0,
        octets if octets <= DATA_LIMIT => HEADER_OCTETS,
        _ => DATA_LIMIT,
    };
    let (head, rest) = message.split_at(first);
    let mut chunks = alloc::vec![Chunk { mark: Mark::First, data: String::from(head) }];
    let mut rest = rest;
    while rest.len() > DATA_LIMIT {
        let (data, later) = rest.split_at(DATA_LIMIT);
        chunks.push(Chunk { mark: Mark::Next, data: String::from(data) });
        rest = later;
    }
    chunks.push(Chunk { mark: Mark::Last, data: String::from(rest) });
    chunks
}

/// The reply to LAST: one message, a chunk on each line.
#[must_use]
pub fn message_reply(message: &str) -> Reply {
    let lines: Vec<_> = split(message).iter().map(Chunk::encode).collect();
    assert!(lines.len() <= REPLY_LINES_LIMIT, "the limits of message and reply agree");
    Reply::plain(200, &lines.join("\n"))
}

/// The reply to FIRST, NEXT and an unmarked chunk.
#[must_use]
pub fn next_reply() -> Reply {
    Reply::plain(200, "NEXT")
}

/// Puts together the message that the lines of a reply carry.
///
/// # Errors
/// The first line that is out of place.
pub fn message_of_reply(reply: &Reply) -> Result<String, ReassemblyError> {
    let malformed = |expected| ReassemblyError::Malformed(DecodeError { offset: 0, expected });
    if reply.code() != 200 {
        return Err(malformed("200"));
    }
    let mut reassembly = Reassembly::default();
    let (last, front) = reply.lines().split_last().ok_or_else(|| malformed("a line"))?;
    for line in front {
        let chunk = Chunk::decode(line.as_bytes()).map_err(ReassemblyError::Malformed)?;
        if reassembly.take(&chunk)?.is_some() {
            return Err(malformed("nothing behind LAST"));
        }
    }
    let chunk = Chunk::decode(last.as_bytes()).map_err(ReassemblyError::Malformed)?;
    reassembly.take(&chunk)?.ok_or_else(|| malformed("LAST on the last line"))
}

/// Why a chunk is out of place. Whatever was put together is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReassemblyError {
    /// A chunk that goes on or ends, and no message has begun.
    BeforeFirst,
    /// The same, unmarked and of more than 520 octets: the attack of MS05-021. Somebody should know.
    Attack,
    /// FIRST, and a message has begun already.
    FirstInside,
    /// The message is longer than [`MESSAGE_LIMIT`], or its length says that it will be.
    TooLong,
    /// The chunk is malformed, or has an octet that is not printable US-ASCII.
    Malformed(DecodeError),
}

impl fmt::Display for ReassemblyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeforeFirst | Self::Attack => f.write_str("chunk before FIRST"),
            Self::FirstInside => f.write_str("FIRST inside a message"),
            Self::TooLong => f.write_str("message longer than 4,194,304 octets"),
            Self::Malformed(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ReassemblyError {}

impl ReassemblyError {
    /// Where in the chunk, and what was expected there.
    #[must_use]
    pub const fn place(&self) -> DecodeError {
        let expected = match self {
            Self::BeforeFirst | Self::Attack => "FIRST before any other chunk",
            Self::FirstInside => "NEXT, LAST or CHUNK= inside a message",
            Self::TooLong => "a message of at most 4,194,304 octets",
            Self::Malformed(error) => return *error,
        };
        DecodeError { offset: 0, expected }
    }

    /// The reply that says so.
    #[must_use]
    pub fn reply(&self) -> Reply {
        let (code, status) = match self {
            Self::BeforeFirst | Self::Attack | Self::FirstInside => (503, Status::new(5, 5, 1)),
            Self::TooLong => (552, Status::new(5, 3, 4)),
            Self::Malformed(_) => (501, Status::new(5, 5, 4)),
        };
        Reply::new(code, status, &format!("{self}"))
    }
}

/// Puts chunks together: strictly, one message after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Reassembly {
    /// What came since FIRST.
    message: Option<String>,
}

impl Reassembly {
    /// Whether a message has begun and not ended.
    #[must_use]
    pub const fn is_inside(&self) -> bool {
        self.message.is_some()
    }

    /// Takes a chunk; the message, if it was the last one.
    ///
    /// # Errors
    /// Why the chunk is out of place; then nothing is kept, and only FIRST can follow.
    pub fn take(&mut self, chunk: &Chunk) -> Result<Option<String>, ReassemblyError> {
        let begun = self.message.take();
        let mut message = match (begun, chunk.mark) {
            (None, Mark::First) => String::new(),
            (Some(_), Mark::First) => {
                clause!(WI_093);
                return Err(ReassemblyError::FirstInside);
            }
            (None, Mark::Unmarked) if chunk.data.len() > HISTORIC_BUFFER => {
                clause!(WI_092);
                return Err(ReassemblyError::Attack);
            }
            (None, _) => {
                clause!(WI_092);
                return Err(ReassemblyError::BeforeFirst);
            }
            (Some(message), _) => message,
        };
        if let Some(offset) = chunk.data.bytes().position(|octet| !matches!(octet, b' '..=b'~')) {
            let error = DecodeError { offset, expected: EXPECTED_PRINTABLE };
            return Err(ReassemblyError::Malformed(error));
        }
        if message.len() + chunk.data.len() > MESSAGE_LIMIT {
            clause!(WI_094);
            return Err(ReassemblyError::TooLong);
        }
        message.push_str(&chunk.data);
        // What else may be wrong with the frame is said of the whole of it.
        let header = read_header(message.as_bytes(), FRAME_LIMIT);
        if header.is_err_and(|error| error.expected == EXPECTED_LENGTH) {
            return Err(ReassemblyError::TooLong);
        }
        if chunk.mark == Mark::Last {
            return Ok(Some(message));
        }
        self.message = Some(message);
        assert!(self.is_inside(), "a message that did not end goes on");
        Ok(None)
    }
}
