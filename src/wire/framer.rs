//! Cuts the octets of a connection into units, as the session has asked for.
//!
//! The framer is the only place that decides where a line, a body or a frame ends. It knows one end of
//! line, CRLF; it holds no more than the host has pushed; and it gives the same units however the
//! octets were split on their way.

use alloc::vec::Vec;

use serde::Serialize;
use zeroize::Zeroize as _;

use super::DecodeError;
use super::dots::Dots;
use super::frame::{HEADER_OCTETS, read_header};
use super::hops::Hops;
use super::smtp::auth::Secret;
use super::text::LineEnds;
use crate::clause;

/// The most octets of one [`Unit::Body`].
pub const PIECE_LIMIT: usize = 64 * 1024;

/// The most octets of one [`Unit::Block`].
pub const BLOCK_LIMIT: usize = 1 << 23;

/// The most octets of a malformed line or frame that are kept for the log.
pub const SPOILED_LIMIT: usize = 4 * 1024;

/// What [`DecodeError::expected`] says of a bare CR or LF.
pub const EXPECTED_CRLF: &str = "CR and LF only together, as the end of a line";
/// What [`DecodeError::expected`] says of a line longer than its mode allows.
pub const EXPECTED_LINE_END: &str = "CRLF before the limit of the line";
/// What [`DecodeError::expected`] says of a body longer than its mode allows.
pub const EXPECTED_BODY_END: &str = "the end of the body before its limit";

/// How the next octets are to be read. The session says so after each unit that changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Not at all: back-pressure.
    Paused,
    /// One line of at most this many octets, with CRLF. A bare CR or LF is an error.
    Line(usize),
    /// One line like any other, which no log and no trace may show.
    Secret(usize),
    /// Dot-stuffed text up to `<CRLF>.<CRLF>`, at most this many octets once unstuffed. Bare CR or LF
    /// is an error.
    Dots(u64),
    /// Like [`Self::Dots`], a message from outside: more hops than it may have behind it are an error too.
    Mail(u64),
    /// Exactly this many octets, as a body.
    Octets(u64),
    /// Exactly this many octets, as a body that is a text. A bare CR or LF is an error, told behind the
    /// last octet in place of [`Unit::BodyEnd`]; the octets are given all the same. Before its end no
    /// piece ends in CR, so that a text which breaks off can be gone on with as a text of its own.
    Text(u64),
    /// Exactly this many octets, kept in memory and given as one piece; at most [`BLOCK_LIMIT`].
    Block(usize),
    /// One counted frame, `{8 hex}` and that many octets, at most this many.
    Frame(usize),
}

impl Mode {
    /// Whether the octets are content, which comes in as many parts as its sender likes.
    #[must_use]
    pub const fn is_content(self) -> bool {
        matches!(
            self,
            Self::Dots(_) | Self::Mail(_) | Self::Octets(_) | Self::Text(_) | Self::Block(_)
        )
    }
}

/// One piece of the stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A line without its CRLF.
    Line(Vec<u8>),
    /// A line without its CRLF, which nobody may see who does not check it.
    Secret(Secret),
    /// A piece of a body, unstuffed; never empty, at most [`PIECE_LIMIT`] octets.
    Body(Vec<u8>),
    /// The body is complete.
    BodyEnd,
    /// As many octets as [`Mode::Block`] announced.
    Block(Vec<u8>),
    /// The content of a counted frame.
    Frame(Vec<u8>),
}

/// What the framer remembers of the unit that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    Paused,
    Line {
        limit: usize,
        is_secret: bool,
    },
    Dots {
        dots: Dots,
        /// Of a message from outside.
        hops: Option<Hops>,
    },
    Octets {
        left: u64,
    },
    Text {
        left: u64,
        lines: LineEnds,
    },
    Block {
        length: usize,
    },
    Frame {
        limit: usize,
    },
    /// A frame was malformed: nobody knows where the next one begins.
    Broken,
}

/// An incremental decoder for one direction of one connection.
///
/// After [`Unit::Line`], [`Unit::Secret`], [`Unit::BodyEnd`], [`Unit::Block`], [`Unit::Frame`] and after
/// each error it is paused until [`Framer::read_as`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Framer {
    state: State,
    /// The rest of a bad line is still to be skipped, before anything else is read.
    skipping: bool,
    /// What had come of the last malformed line or frame, until somebody asks.
    spoiled: Vec<u8>,
    buffer: Vec<u8>,
    /// How much of the front of `buffer` is consumed.
    start: usize,
}

impl Framer {
    /// Starts in `mode`.
    #[must_use]
    pub const fn new(mode: Mode) -> Self {
        Self {
            state: state_of(mode),
            skipping: false,
            spoiled: Vec::new(),
            buffer: Vec::new(),
            start: 0,
        }
    }

    /// Changes how the octets that were not consumed yet are read. In the midst of a body this starts
    /// anew at the first octet that was not consumed; after a malformed frame it does nothing.
    pub const fn read_as(&mut self, mode: Mode) {
        if !matches!(self.state, State::Broken) {
            self.state = state_of(mode);
        }
    }

    /// Takes octets from the connection.
    pub fn push(&mut self, octets: &[u8]) {
        if self.state == State::Broken {
            return;
        }
        // What is consumed is dropped here, once for each push, and not at each unit.
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(octets);
    }

    /// Whether the text that is being read has had no bare CR or LF so far: what was given of it is the
    /// beginning of a text that may be kept.
    #[must_use]
    pub const fn is_fair_text(&self) -> bool {
        matches!(&self.state, State::Text { lines, .. } if lines.is_fair())
    }

    /// How many octets wait; the host stops reading while they are many.
    #[must_use]
    pub const fn buffered(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Whether units wait for [`Framer::read_as`]. A host that got `None` from a framer which is not
    /// paused reads on, however much is buffered: a frame is given only as a whole.
    #[must_use]
    pub const fn is_paused(&self) -> bool {
        matches!(self.state, State::Paused | State::Broken)
    }

    /// Takes away what waits: no unit is made of it. Octets that came in clear behind `STARTTLS` must
    /// not be read as if TLS had protected them.
    pub fn discard(&mut self) -> Vec<u8> {
        clause!(WI_016);
        let unread = self.buffer.split_off(self.start);
        self.buffer.clear();
        self.start = 0;
        self.skipping = false;
        unread
    }

    /// The next unit, `None` when more octets (or another mode) are needed.
    ///
    /// # Errors
    /// What is malformed, once. In [`Mode::Line`] and [`Mode::Secret`] the error comes with the octet that makes the line
    /// bad, and the framer then skips to the next line. In [`Mode::Dots`], [`Mode::Mail`] and [`Mode::Text`] it comes in place of
    /// [`Unit::BodyEnd`], when the body has been skipped to its end. In [`Mode::Frame`] nothing after
    /// the error can be read and the session closes.
    pub fn next_unit(&mut self) -> Result<Option<Unit>, DecodeError> {
        if self.is_paused() || (self.skipping && !self.skip_line()) {
            return Ok(None);
        }
        match self.state {
            State::Paused | State::Broken => Ok(None),
            State::Line { limit, is_secret } => self.next_line(limit, is_secret),
            State::Dots { dots, hops } => self.next_of_dots(dots, hops),
            State::Octets { left } => Ok(self.next_of_octets(left)),
            State::Text { left, lines } => self.next_of_text(left, lines),
            State::Block { length } => Ok(self.next_block(length)),
            State::Frame { limit } => self.next_frame(limit),
        }
    }

    /// What had come of the line or frame that was malformed, for the log; once. The offset of the error
    /// counts from its first octet.
    pub fn take_spoiled(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.spoiled)
    }

    fn waiting(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    fn consume(&mut self, octets: usize) {
        self.start += octets;
        assert!(self.start <= self.buffer.len(), "only what was pushed can be consumed");
    }

    fn keep_spoiled(&mut self) {
        let waiting = self.waiting();
        self.spoiled = waiting[..waiting.len().min(SPOILED_LIMIT)].to_vec();
    }

    /// Drops octets up to and with the next CRLF; false while it has not come.
    fn skip_line(&mut self) -> bool {
        let waiting = self.waiting();
        if let Some(place) = waiting.windows(2).position(|pair| pair == b"\r\n") {
            self.consume(place + 2);
            self.skipping = false;
            return true;
        }
        // A CR at the end may be the first half of the CRLF.
        let kept = usize::from(waiting.last() == Some(&b'\r'));
        self.consume(waiting.len() - kept);
        false
    }

    fn next_line(&mut self, limit: usize, is_secret: bool) -> Result<Option<Unit>, DecodeError> {
        let from = self.start;
        let unit = self.find_line(limit);
        if is_secret {
            clause!(SM_110);
            self.spoiled.zeroize();
            self.buffer[from..self.start].zeroize();
        }
        Ok(unit?
            .map(|line| if is_secret { Unit::Secret(Secret::new(line)) } else { Unit::Line(line) }))
    }

    fn find_line(&mut self, limit: usize) -> Result<Option<Vec<u8>>, DecodeError> {
        let waiting = self.waiting();
        let looked_at = &waiting[..waiting.len().min(limit)];
        let place = looked_at.iter().position(|octet| matches!(octet, b'\r' | b'\n'));
        match place {
            Some(place) if waiting[place] == b'\n' => {
                clause!(WI_010);
                Err(self.bad_line(place, place + 1, EXPECTED_CRLF))
            }
            Some(place) if place + 1 < limit => match waiting.get(place + 1) {
                None => Ok(None),
                Some(b'\n') => {
                    let line = waiting[..place].to_vec();
                    self.consume(place + 2);
                    self.state = State::Paused;
                    Ok(Some(line))
                }
                Some(_) => {
                    clause!(WI_010);
                    Err(self.bad_line(place, place + 1, EXPECTED_CRLF))
                }
            },
            // A CR that is the last octet allowed leaves no room for its LF.
            Some(place) => {
                clause!(WI_011);
                Err(self.bad_line(limit, place, EXPECTED_LINE_END))
            }
            None if waiting.len() >= limit => {
                clause!(WI_011);
                Err(self.bad_line(limit, limit, EXPECTED_LINE_END))
            }
            None => Ok(None),
        }
    }

    fn bad_line(&mut self, offset: usize, dropped: usize, expected: &'static str) -> DecodeError {
        self.keep_spoiled();
        self.consume(dropped);
        self.skipping = true;
        self.state = State::Paused;
        DecodeError { offset, expected }
    }

    fn next_of_dots(
        &mut self,
        mut dots: Dots,
        mut hops: Option<Hops>,
    ) -> Result<Option<Unit>, DecodeError> {
        let mut piece = Vec::new();
        let taken = dots.take(self.waiting(), &mut piece, PIECE_LIMIT);
        self.consume(taken);
        if let Some(hops) = &mut hops {
            hops.take(&piece);
        }
        self.state = State::Dots { dots, hops };
        if !piece.is_empty() {
            return Ok(Some(Unit::Body(piece)));
        }
        if !dots.ended() {
            return Ok(None);
        }
        self.state = State::Paused;
        dots.verdict()?;
        hops.map_or(Ok(()), |hops| hops.verdict())?;
        Ok(Some(Unit::BodyEnd))
    }

    fn next_of_octets(&mut self, left: u64) -> Option<Unit> {
        clause!(WI_014);
        if left == 0 {
            self.state = State::Paused;
            return Some(Unit::BodyEnd);
        }
        let piece = self.next_piece(left)?;
        self.state = State::Octets { left: left - piece.len() as u64 };
        Some(Unit::Body(piece))
    }

    fn next_of_text(
        &mut self,
        left: u64,
        mut lines: LineEnds,
    ) -> Result<Option<Unit>, DecodeError> {
        clause!(WI_018);
        if left == 0 {
            self.state = State::Paused;
            return lines.verdict().map(|()| Some(Unit::BodyEnd));
        }
        let Some(mut piece) = self.next_piece(left) else { return Ok(None) };
        if piece.len() as u64 != left && piece.last() == Some(&b'\r') {
            self.start -= 1;
            piece.pop();
            if piece.is_empty() {
                return Ok(None);
            }
        }
        lines.take(&piece);
        self.state = State::Text { left: left - piece.len() as u64, lines };
        Ok(Some(Unit::Body(piece)))
    }

    /// What is here of a body of which so many octets are still to come.
    fn next_piece(&mut self, left: u64) -> Option<Vec<u8>> {
        let waiting = self.waiting();
        let wanted = usize::try_from(left).unwrap_or(usize::MAX);
        let taken = waiting.len().min(PIECE_LIMIT).min(wanted);
        if taken == 0 {
            return None;
        }
        let piece = waiting[..taken].to_vec();
        self.consume(taken);
        Some(piece)
    }

    fn next_block(&mut self, length: usize) -> Option<Unit> {
        clause!(WI_017);
        let block = self.waiting().get(..length)?.to_vec();
        self.consume(length);
        self.state = State::Paused;
        Some(Unit::Block(block))
    }

    fn next_frame(&mut self, limit: usize) -> Result<Option<Unit>, DecodeError> {
        let length = match read_header(self.waiting(), limit) {
            Ok(Some(length)) => length,
            Ok(None) => return Ok(None),
            Err(error) => {
                clause!(WI_015);
                self.keep_spoiled();
                self.discard();
                self.state = State::Broken;
                return Err(error);
            }
        };
        let Some(content) = self.waiting().get(HEADER_OCTETS..HEADER_OCTETS + length) else {
            return Ok(None);
        };
        let content = content.to_vec();
        self.consume(HEADER_OCTETS + length);
        self.state = State::Paused;
        Ok(Some(Unit::Frame(content)))
    }
}

const fn state_of(mode: Mode) -> State {
    match mode {
        Mode::Paused => State::Paused,
        Mode::Line(limit) => State::Line { limit, is_secret: false },
        Mode::Secret(limit) => State::Line { limit, is_secret: true },
        Mode::Dots(limit) => State::Dots { dots: Dots::new(limit), hops: None },
        Mode::Mail(limit) => State::Dots { dots: Dots::new(limit), hops: Some(Hops::new()) },
        Mode::Octets(left) => State::Octets { left },
        Mode::Text(left) => State::Text { left, lines: LineEnds::new() },
        // A session refuses what is longer before it announces a block; the bound holds in any case.
        Mode::Block(length) => {
            State::Block { length: if length < BLOCK_LIMIT { length } else { BLOCK_LIMIT } }
        }
        Mode::Frame(limit) => State::Frame { limit },
    }
}
