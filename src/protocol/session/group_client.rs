//! Our session on the group port of a member of our group: of the master, to which we attach, of the
//! host of accounts about which we ask, or of a voter whom we ask for its vote.

use alloc::collections::VecDeque;
use alloc::format;

use super::caller::MEMBER_WAIT;
use super::group_server::{FIRST_FRAME_LIMIT, say};
use super::talk::{Conversation, Talk};
use super::{SessionEvent, Tag};
use crate::clause;
use crate::kernel::{Gate, LinkChange};
use crate::protocol::member::Pdu;
use crate::protocol::server::Wire;
use crate::wire::frame::FRAME_LIMIT;
use crate::wire::group::Frame;
use crate::wire::ids::MemberName;
use crate::wire::members::MembersPdu;
use crate::wire::verify::VerifyPdu;
use crate::wire::{DecodeError, Mode};

/// A session with one member.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct GroupClient {
    target: MemberName,
    purpose: Purpose,
    state: State,
    /// What custody wanted to say too early.
    queue: VecDeque<(Frame, Gate)>,
}

/// What the connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Purpose {
    /// News and reports.
    Attach,
    /// Questions about accounts.
    Consult,
    /// Votes, and who the master is.
    Convene,
    /// Accounts that are leased.
    Rent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    /// The connection is not open yet.
    Opening,
    /// The master has not greeted yet.
    Greeting,
    /// Frames pass both ways.
    Attached,
    /// The conversation is over.
    Over,
}

impl GroupClient {
    /// A session with the master, before its connection is open.
    pub(in crate::protocol) const fn attaching(target: MemberName) -> Self {
        Self::new(target, Purpose::Attach)
    }

    /// A session with a host of accounts, before its connection is open.
    pub(in crate::protocol) const fn consulting(target: MemberName) -> Self {
        Self::new(target, Purpose::Consult)
    }

    /// A session with a voter or member, before its connection is open.
    pub(in crate::protocol) const fn convening(target: MemberName) -> Self {
        Self::new(target, Purpose::Convene)
    }

    /// A session with the master that leases accounts, before its connection is open.
    pub(in crate::protocol) const fn renting(target: MemberName) -> Self {
        Self::new(target, Purpose::Rent)
    }

    const fn new(target: MemberName, purpose: Purpose) -> Self {
        Self { target, purpose, state: State::Opening, queue: VecDeque::new() }
    }

    /// The tag of its log lines.
    pub(in crate::protocol) const fn tag(&self) -> Tag {
        match self.purpose {
            Purpose::Attach => Tag::Group,
            Purpose::Consult => Tag::Verify,
            Purpose::Convene => Tag::Election,
            Purpose::Rent => Tag::Accounts,
        }
    }

    /// What custody wants said, where it belongs on this connection.
    fn word(&self, pdu: Pdu) -> Option<Frame> {
        match (self.purpose, pdu) {
            (Purpose::Attach, Pdu::Link(link)) => Some(Frame::Link(link)),
            (Purpose::Attach, Pdu::Members(pdu)) => Some(Frame::Members(pdu)),
            (Purpose::Consult, Pdu::Verify(pdu)) => Some(Frame::Verify(pdu)),
            (Purpose::Convene, Pdu::Election { pdu, .. }) => Some(Frame::Election(pdu)),
            (Purpose::Rent, Pdu::Accounts { pdu, .. }) => Some(Frame::Accounts(pdu)),
            _ => None,
        }
    }

    /// What the far end says to custody, where it belongs on this connection.
    fn answer(&self, frame: Frame) -> Option<Pdu> {
        match (self.purpose, frame) {
            (Purpose::Attach, Frame::Link(link)) => Some(Pdu::Link(link)),
            (Purpose::Attach, Frame::Members(MembersPdu::Heartbeat(_))) => None,
            (Purpose::Attach, Frame::Members(pdu)) => Some(Pdu::Members(pdu)),
            (Purpose::Consult, Frame::Verify(VerifyPdu::Verify { .. })) => None,
            (Purpose::Consult, Frame::Verify(pdu)) => Some(Pdu::Verify(pdu)),
            (Purpose::Convene, Frame::Election(pdu)) => {
                Some(Pdu::Election { by: self.target.clone(), pdu })
            }
            (Purpose::Rent, Frame::Accounts(pdu)) if !pdu.is_request() => {
                Some(Pdu::Accounts { by: self.target.clone(), pdu })
            }
            _ => None,
        }
    }

    fn frame(&mut self, content: &[u8], talk: &mut Talk<'_>) {
        let frame = match Frame::decode(content) {
            Ok(frame) => frame,
            Err(error) => return self.malformed(error, content, talk),
        };
        match (self.state, frame) {
            (State::Greeting, Frame::NodeInfo(member)) if member == self.target => {
                clause!(SM_081);
                self.attach(talk);
            }
            (State::Attached, frame) => match self.answer(frame) {
                Some(pdu) => {
                    talk.tell(pdu);
                    talk.receive(Mode::Frame(FRAME_LIMIT));
                }
                None => self.misbehaved("news or an answer", content, talk),
            },
            (State::Greeting, _) => {
                clause!(SM_081);
                let expected = format!("NODEINFO of {}", self.target);
                self.misbehaved(&expected, content, talk);
            }
            (State::Opening | State::Over, _) => {}
        }
    }

    fn attach(&mut self, talk: &mut Talk<'_>) {
        let own = talk.config.member.clone();
        let first = match self.purpose {
            Purpose::Attach => Frame::Attach(own),
            Purpose::Consult => Frame::Consult(own),
            Purpose::Convene => Frame::Convene(own),
            Purpose::Rent => Frame::Tenant(own),
        };
        say(&first, talk);
        talk.receive(Mode::Frame(FRAME_LIMIT));
        talk.rest();
        talk.log(self.tag(), SessionEvent::Proved(self.target.clone()));
        talk.up();
        self.state = State::Attached;
        for (frame, gate) in core::mem::take(&mut self.queue) {
            talk.hold_for(gate);
            say(&frame, talk);
        }
    }

    fn misbehaved(&mut self, expected: &str, said: &[u8], talk: &mut Talk<'_>) {
        clause!(SM_082);
        talk.misbehaved(self.tag(), expected, said);
        self.lose(talk);
    }

    fn malformed(&mut self, error: DecodeError, said: &[u8], talk: &mut Talk<'_>) {
        clause!(SM_082);
        talk.malformed(self.tag(), error, said);
        self.lose(talk);
    }

    fn lose(&mut self, talk: &mut Talk<'_>) {
        let is_up = self.state == State::Attached;
        self.end(if is_up { LinkChange::Lost } else { LinkChange::Refused }, talk);
    }

    fn end(&mut self, change: LinkChange, talk: &mut Talk<'_>) {
        if self.state != State::Over {
            self.state = State::Over;
            talk.end(change);
        }
    }
}

impl Conversation for GroupClient {
    fn start(&mut self, talk: &mut Talk<'_>) {
        if self.state == State::Opening {
            self.state = State::Greeting;
            clause!(MA_022);
            talk.receive(Mode::Frame(FIRST_FRAME_LIMIT));
            talk.wait(MEMBER_WAIT);
        }
    }

    fn hear(&mut self, wire: Wire, talk: &mut Talk<'_>) {
        match wire {
            Wire::Frame(content) => self.frame(&content, talk),
            Wire::Bad { error, said } => self.malformed(error, &said, talk),
            // The host tells how the connection ended.
            _ => {}
        }
    }

    fn say(&mut self, pdu: Pdu, talk: &mut Talk<'_>) {
        match (self.state, self.word(pdu)) {
            (State::Attached, Some(frame)) => say(&frame, talk),
            (State::Opening | State::Greeting, Some(frame)) => {
                self.queue.push_back((frame, talk.gate()));
            }
            _ => talk.log(self.tag(), SessionEvent::Unspoken),
        }
    }

    fn leave(&mut self, talk: &mut Talk<'_>) {
        self.end(LinkChange::Closed, talk);
    }

    fn finish(&mut self, talk: &mut Talk<'_>) {
        self.end(LinkChange::Closed, talk);
    }

    fn overdue(&mut self, talk: &mut Talk<'_>) {
        if self.state == State::Greeting {
            talk.log(self.tag(), SessionEvent::TimedOut);
            self.end(LinkChange::TimedOut, talk);
        }
    }
}
