//! Our session on the group port of the master of our group.

use alloc::collections::VecDeque;
use alloc::format;

use super::caller::MEMBER_WAIT;
use super::group_server::say_link;
use super::talk::{Conversation, Talk};
use super::{SessionEvent, Tag};
use crate::clause;
use crate::kernel::{Gate, LinkChange};
use crate::protocol::linkstate::LinkPdu;
use crate::protocol::member::Pdu;
use crate::protocol::server::Wire;
use crate::wire::frame::FRAME_LIMIT;
use crate::wire::group::Frame;
use crate::wire::ids::MemberName;
use crate::wire::{DecodeError, Mode};

/// A session with one master.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct GroupClient {
    target: MemberName,
    state: State,
    /// What custody wanted to say too early.
    queue: VecDeque<(LinkPdu, Gate)>,
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
    /// A session with `target`, before its connection is open.
    pub(in crate::protocol) const fn new(target: MemberName) -> Self {
        Self { target, state: State::Opening, queue: VecDeque::new() }
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
            (State::Attached, Frame::Link(link)) => {
                talk.tell(Pdu::Link(link));
                talk.receive(Mode::Frame(FRAME_LIMIT));
            }
            (State::Greeting, _) => {
                clause!(SM_081);
                let expected = format!("NODEINFO of {}", self.target);
                self.misbehaved(&expected, content, talk);
            }
            (State::Attached, _) => self.misbehaved("news or an answer", content, talk),
            (State::Opening | State::Over, _) => {}
        }
    }

    fn attach(&mut self, talk: &mut Talk<'_>) {
        if let Ok(attach) = Frame::Attach(talk.config.member.clone()).encode() {
            talk.say(Wire::Frame(attach));
        }
        talk.receive(Mode::Frame(FRAME_LIMIT));
        talk.rest();
        talk.log(Tag::Group, SessionEvent::Proved(self.target.clone()));
        talk.up();
        self.state = State::Attached;
        for (link, gate) in core::mem::take(&mut self.queue) {
            talk.hold_for(gate);
            say_link(link, talk);
        }
    }

    fn misbehaved(&mut self, expected: &str, said: &[u8], talk: &mut Talk<'_>) {
        clause!(SM_082);
        talk.misbehaved(Tag::Group, expected, said);
        self.lose(talk);
    }

    fn malformed(&mut self, error: DecodeError, said: &[u8], talk: &mut Talk<'_>) {
        clause!(SM_082);
        talk.malformed(Tag::Group, error, said);
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
            talk.receive(Mode::Frame(FRAME_LIMIT));
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
        match (self.state, pdu) {
            (State::Attached, Pdu::Link(link)) => say_link(link, talk),
            (State::Opening | State::Greeting, Pdu::Link(link)) => {
                self.queue.push_back((link, talk.gate()));
            }
            _ => talk.log(Tag::Group, SessionEvent::Unspoken),
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
            talk.log(Tag::Group, SessionEvent::TimedOut);
            self.end(LinkChange::TimedOut, talk);
        }
    }
}
