//! What the sessions of our own connections share: replies, and what custody wants said, in order.

use alloc::collections::VecDeque;
use alloc::string::String;

use super::talk::Talk;
use super::{QUOTE_LIMIT, SessionEvent, Tag};
use crate::clause;
use crate::kernel::{Gate, LinkChange, Span};
use crate::protocol::member::Pdu;
use crate::wire::message::Refusal;
use crate::wire::smtp::{COMMAND_LINE_LIMIT, Reply, ReplyReader};
use crate::wire::{DecodeError, Mode};

/// How long a member may take for one step before the connection can be used.
pub const MEMBER_WAIT: Span = Span::minutes(1);
/// How long an outside server may take for its greeting (RFC 5321, section 4.5.3.2.1).
pub const GREETING_WAIT: Span = Span::minutes(5);
/// How long the far end may take to answer `QUIT`.
pub const QUIT_WAIT: Span = Span::seconds(10);

/// The part that every calling session has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct Caller {
    tag: Tag,
    reader: ReplyReader,
    /// What custody wants said, with the gate of each: a word that waited still waits for the disk.
    queue: VecDeque<(Pdu, Gate)>,
    /// Custody has heard that the connection can be used.
    is_up: bool,
    /// Close as soon as nothing is under way.
    pub(super) finishing: bool,
}

impl Caller {
    /// The log lines get `tag`; a reply may have `lines` lines.
    pub(super) const fn new(tag: Tag, lines: usize) -> Self {
        let reader = ReplyReader::new(lines);
        Self { tag, reader, queue: VecDeque::new(), is_up: false, finishing: false }
    }

    /// The tag of its log lines.
    pub(super) const fn tag(&self) -> Tag {
        self.tag
    }

    /// Asks for the next line of a reply.
    pub(super) fn listen(talk: &mut Talk<'_>) {
        talk.receive(Mode::Line(COMMAND_LINE_LIMIT));
    }

    /// Takes a line; the reply, if it is complete. A malformed line is an error: nobody knows any more
    /// which reply belongs to which command.
    pub(super) fn line(
        &mut self,
        line: &[u8],
        talk: &mut Talk<'_>,
    ) -> Result<Option<Reply>, Ended> {
        match self.reader.line(line) {
            Ok(reply) => Ok(reply),
            Err(error) => Err(self.malformed(error, line, talk)),
        }
    }

    /// The far end broke the protocol: the conversation is over.
    pub(super) fn misbehaved(&self, expected: &str, said: &[u8], talk: &mut Talk<'_>) -> Ended {
        clause!(SM_041);
        talk.misbehaved(self.tag, expected, said);
        self.over(talk)
    }

    /// The same, for what no grammar allows.
    pub(super) fn malformed(&self, error: DecodeError, said: &[u8], talk: &mut Talk<'_>) -> Ended {
        clause!(SM_041);
        talk.malformed(self.tag, error, said);
        self.over(talk)
    }

    /// The same, for a reply.
    pub(super) fn unexpected(&self, expected: &str, reply: &Reply, talk: &mut Talk<'_>) -> Ended {
        self.misbehaved(expected, said_in(reply).as_bytes(), talk)
    }

    /// The same, for a reply whose lines do not fit together.
    pub(super) fn malformed_reply(
        &self,
        error: DecodeError,
        reply: &Reply,
        talk: &mut Talk<'_>,
    ) -> Ended {
        self.malformed(error, said_in(reply).as_bytes(), talk)
    }

    /// The far end will not serve us, or we will not be served by it.
    pub(super) fn refused(&self, reason: String, talk: &mut Talk<'_>) -> Ended {
        clause!(SM_040);
        // Custody shows it to whoever looks for mail that goes outside; members are looked at in the log.
        if self.tag == Tag::Relay && !self.is_up {
            let why: String = reason.chars().take(QUOTE_LIMIT).collect();
            talk.tell(Pdu::Refused(Refusal::new(451, "4.4.0", &why)));
        }
        talk.log(self.tag, SessionEvent::Refused { reason });
        self.over(talk)
    }

    /// The far end answers one step before the connection can be used with a refusal.
    pub(super) fn declined(&self, step: &str, reply: &Reply, talk: &mut Talk<'_>) -> Ended {
        self.refused(alloc::format!("{step}: {} {}", reply.code(), reply.text()), talk)
    }

    fn over(&self, talk: &mut Talk<'_>) -> Ended {
        talk.end(if self.is_up { LinkChange::Lost } else { LinkChange::Refused });
        Ended
    }

    /// The connection can be used.
    pub(super) fn up(&mut self, talk: &mut Talk<'_>) {
        assert!(!self.is_up, "a connection comes up once");
        self.is_up = true;
        talk.rest();
        talk.up();
    }

    /// Keeps what custody wants said until its turn comes.
    pub(super) fn keep(&mut self, pdu: Pdu, gate: Gate) {
        self.queue.push_back((pdu, gate));
    }

    /// What is to be said next. The turn is held back as the words themselves are.
    pub(super) fn next(&mut self, talk: &mut Talk<'_>) -> Option<Pdu> {
        let (pdu, gate) = self.queue.pop_front()?;
        clause!(SM_042);
        talk.hold_for(gate);
        Some(pdu)
    }

    /// The timer is due before the connection could be used.
    pub(super) fn overdue(&self, talk: &mut Talk<'_>) -> Ended {
        talk.log(self.tag, SessionEvent::TimedOut);
        talk.end(LinkChange::TimedOut);
        Ended
    }
}

fn said_in(reply: &Reply) -> String {
    alloc::format!("{} {}", reply.code(), reply.text())
}

/// The conversation has ended; the session has nothing more to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::protocol) struct Ended;
