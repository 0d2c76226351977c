//! The session of a member on our group port: this member is its master, or the host of accounts about
//! which it asks.

use alloc::string::String;

use super::talk::{Conversation, Talk};
use super::{SessionEvent, Tag};
use crate::clause;
use crate::kernel::{LinkChange, Span};
use crate::protocol::member::Pdu;
use crate::protocol::server::Wire;
use crate::wire::frame::FRAME_LIMIT;
use crate::wire::group::Frame;
use crate::wire::ids::MemberName;
use crate::wire::members::MembersPdu;
use crate::wire::verify::VerifyPdu;
use crate::wire::{DecodeError, Mode};

/// How long a member may take to attach.
pub const ATTACH_WAIT: Span = Span::minutes(1);
/// The longest first frame of either side, which says no more than a name.
pub(super) const FIRST_FRAME_LIMIT: usize = 1_024;

/// A session with one member.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct GroupServer {
    remote: String,
    /// The member that is proved.
    candidate: Option<MemberName>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    /// The member has not attached yet.
    Greeted,
    /// News and reports pass both ways.
    Attached,
    /// Questions about accounts come, and answers go.
    Consulted,
    /// A candidate or master speaks, and answers go.
    Convened,
    /// A member asks for accounts that are leased, and answers go.
    Renting,
    /// The conversation is over.
    Over,
}

impl GroupServer {
    /// The session of a client at `remote`, which has proved to be `candidate`, if it is a member.
    pub(in crate::protocol) const fn new(remote: String, candidate: Option<MemberName>) -> Self {
        Self { remote, candidate, state: State::Greeted }
    }

    /// The tag of its log lines.
    pub(in crate::protocol) const fn tag(&self) -> Tag {
        match self.state {
            State::Consulted => Tag::Verify,
            State::Convened => Tag::Election,
            State::Renting => Tag::Accounts,
            _ => Tag::Group,
        }
    }

    fn frame(&mut self, content: &[u8], talk: &mut Talk<'_>) {
        let frame = match Frame::decode(content) {
            Ok(frame) => frame,
            Err(error) => return self.malformed(error, content, talk),
        };
        match (self.state, frame) {
            (State::Greeted, Frame::Attach(member)) if self.candidate.as_ref() == Some(&member) => {
                clause!(SM_080);
                talk.rest();
                talk.log(Tag::Group, SessionEvent::Proved(member.clone()));
                talk.inbound(member);
                self.state = State::Attached;
                talk.receive(Mode::Frame(FRAME_LIMIT));
            }
            (State::Greeted, Frame::Consult(member))
                if self.candidate.as_ref() == Some(&member) =>
            {
                clause!(SM_095);
                talk.rest();
                talk.log(Tag::Verify, SessionEvent::Proved(member));
                self.state = State::Consulted;
                talk.receive(Mode::Frame(FRAME_LIMIT));
            }
            (State::Greeted, Frame::Convene(member))
                if self.candidate.as_ref() == Some(&member)
                    && !talk.config.has_part_with(&member) =>
            {
                clause!(MA_049);
                self.misbehaved(
                    "a fellow, or a member in whose election we have a part",
                    content,
                    talk,
                );
            }
            (State::Greeted, Frame::Convene(member))
                if self.candidate.as_ref() == Some(&member) =>
            {
                clause!(SM_134);
                talk.rest();
                talk.log(Tag::Election, SessionEvent::Proved(member));
                self.state = State::Convened;
                talk.receive(Mode::Frame(FRAME_LIMIT));
            }
            (State::Greeted, Frame::Tenant(member))
                if self.candidate.as_ref() == Some(&member) && talk.config.leases_to(&member) =>
            {
                clause!(SM_135);
                talk.rest();
                talk.log(Tag::Accounts, SessionEvent::Proved(member));
                self.state = State::Renting;
                talk.receive(Mode::Frame(FRAME_LIMIT));
            }
            (State::Greeted, Frame::Tenant(member)) if self.candidate.as_ref() == Some(&member) => {
                clause!(SM_135);
                clause!(MA_097);
                self.misbehaved("a fellow, in a group that leases accounts", content, talk);
            }
            (State::Renting, Frame::Accounts(pdu)) if pdu.is_request() => {
                let by = self.candidate.clone().expect("only a member that is proved rents");
                talk.tell(Pdu::Accounts { by, pdu });
                talk.receive(Mode::Frame(FRAME_LIMIT));
            }
            (State::Convened, Frame::Election(pdu)) => {
                let by = self.candidate.clone().expect("only a member that is proved convenes");
                talk.tell(Pdu::Election { by, pdu });
                talk.receive(Mode::Frame(FRAME_LIMIT));
            }
            (State::Attached, Frame::Link(link)) => {
                talk.tell(Pdu::Link(link));
                talk.receive(Mode::Frame(FRAME_LIMIT));
            }
            (State::Attached, Frame::Members(pdu @ MembersPdu::Heartbeat(_))) => {
                clause!(WI_130);
                talk.tell(Pdu::Members(pdu));
                talk.receive(Mode::Frame(FRAME_LIMIT));
            }
            (State::Consulted, Frame::Verify(pdu @ VerifyPdu::Verify { .. })) => {
                talk.tell(Pdu::Verify(pdu));
                talk.receive(Mode::Frame(FRAME_LIMIT));
            }
            (State::Greeted, _) => {
                clause!(SM_080);
                self.misbehaved(
                    "ATTACH, CONSULT, CONVENE or TENANT, and the name that is proved",
                    content,
                    talk,
                );
            }
            (State::Attached, _) => {
                self.misbehaved("news, a report or a heartbeat", content, talk);
            }
            (State::Consulted, _) => self.misbehaved("a question", content, talk),
            (State::Renting, _) => self.misbehaved("CLAIM, RENEW or RETURN", content, talk),
            (State::Convened, _) if talk.config.faults.is_on("convened-may-say-anything") => {
                talk.receive(Mode::Frame(FRAME_LIMIT));
            }
            (State::Convened, _) => {
                self.misbehaved("what a candidate or master says", content, talk)
            }
            (State::Over, _) => {}
        }
    }

    fn misbehaved(&mut self, expected: &str, said: &[u8], talk: &mut Talk<'_>) {
        clause!(SM_082);
        talk.misbehaved(self.tag(), expected, said);
        self.end(LinkChange::Lost, talk);
    }

    fn malformed(&mut self, error: DecodeError, said: &[u8], talk: &mut Talk<'_>) {
        clause!(SM_082);
        talk.malformed(self.tag(), error, said);
        self.end(LinkChange::Lost, talk);
    }

    fn end(&mut self, change: LinkChange, talk: &mut Talk<'_>) {
        if self.state != State::Over {
            self.state = State::Over;
            talk.end(change);
        }
    }
}

impl Conversation for GroupServer {
    fn start(&mut self, talk: &mut Talk<'_>) {
        let Some(candidate) = &self.candidate else {
            clause!(SM_083);
            talk.misbehaved(Tag::Group, "a member that is proved", self.remote.as_bytes());
            return self.end(LinkChange::Closed, talk);
        };
        assert!(!candidate.as_str().is_empty(), "a member has a name");
        if let Ok(greeting) = Frame::NodeInfo(talk.config.member.clone()).encode() {
            talk.say(Wire::Frame(greeting));
        }
        clause!(MA_022);
        talk.receive(Mode::Frame(FIRST_FRAME_LIMIT));
        talk.wait(ATTACH_WAIT);
    }

    fn hear(&mut self, wire: Wire, talk: &mut Talk<'_>) {
        match wire {
            Wire::Frame(content) => self.frame(&content, talk),
            Wire::Bad { error, said } => self.malformed(error, &said, talk),
            Wire::End => self.end(LinkChange::Closed, talk),
            // Nothing else was asked for: the host gives units as a session asks for them.
            _ => {}
        }
    }

    fn say(&mut self, pdu: Pdu, talk: &mut Talk<'_>) {
        match pdu {
            Pdu::Link(link) if self.state == State::Attached => say(&Frame::Link(link), talk),
            Pdu::Members(pdu) if self.state == State::Attached => say(&Frame::Members(pdu), talk),
            Pdu::Verify(pdu) if self.state == State::Consulted => say(&Frame::Verify(pdu), talk),
            Pdu::Election { pdu, .. } if self.state == State::Convened => {
                say(&Frame::Election(pdu), talk);
            }
            Pdu::Accounts { pdu, .. } if self.state == State::Renting => {
                say(&Frame::Accounts(pdu), talk);
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
        if self.state == State::Greeted {
            talk.log(Tag::Group, SessionEvent::TimedOut);
            self.end(LinkChange::TimedOut, talk);
        }
    }
}

/// Says a frame; what is longer than a frame can be is not said at all.
pub(super) fn say(frame: &Frame, talk: &mut Talk<'_>) {
    match frame.encode() {
        Ok(frame) => talk.say(Wire::Frame(frame)),
        Err(_) => talk.log(Tag::Group, SessionEvent::Unspoken),
    }
}
