//! The frame of every session that we open and that is lines: banner, handshake, one command after the
//! other, QUIT. What is said in between is the dialogue's.

use alloc::format;
use alloc::string::String;
use core::fmt::Debug;
use core::hash::Hash;

use super::caller::{Caller, Ended, QUIT_WAIT};
use super::talk::{Conversation, Talk};
use super::{SessionEvent, Tag};
use crate::clause;
use crate::kernel::{LinkChange, Span};
use crate::protocol::member::Pdu;
use crate::protocol::server::Wire;
use crate::wire::ids::MemberName;
use crate::wire::smtp::{Command, Reply};

/// What is said on a connection of ours, between banner and QUIT.
pub(in crate::protocol) trait Dialogue {
    /// Which reply is awaited.
    type Step: Clone + Debug + PartialEq + Eq + Hash;

    /// Who is at the far end, in a log line.
    const FAR_END: &'static str;
    /// How long the far end may take for its banner.
    const BANNER_WAIT: Span;

    /// The banner is here: says the first command.
    fn greet(&mut self, talk: &mut Talk<'_>) -> Self::Step;

    /// Whether the connection can be used only after this step.
    fn is_handshake(step: &Self::Step) -> bool;

    /// Whether the host, and not the far end, has the next word.
    fn awaits_host(_: &Self::Step) -> bool {
        false
    }

    /// The reply to a step.
    fn reply(
        &mut self,
        step: Self::Step,
        reply: &Reply,
        caller: &mut Caller,
        talk: &mut Talk<'_>,
    ) -> Result<Next<Self::Step>, Ended>;

    /// TLS is on, and proves this member or none; asked for only by a step that awaits the host.
    fn secured(
        &mut self,
        _: Option<&MemberName>,
        _: &Caller,
        _: &mut Talk<'_>,
    ) -> Result<Next<Self::Step>, Ended> {
        unreachable!("this dialogue starts no TLS")
    }

    /// TLS did not come, for this reason.
    fn unsecured(&mut self, reason: String, caller: &Caller, talk: &mut Talk<'_>) -> Ended {
        caller.refused(reason, talk)
    }

    /// The far end has taken too long for the handshake.
    fn overdue(&mut self, caller: &Caller, talk: &mut Talk<'_>) -> Ended {
        caller.overdue(talk)
    }

    /// Says what custody wants said.
    fn begin(&mut self, pdu: Pdu, caller: &Caller, talk: &mut Talk<'_>) -> Next<Self::Step>;

    /// Why the connection ended, when the far end has said 421.
    fn farewell(reply: &Reply) -> String {
        format!("{}: {} {}", Self::FAR_END, reply.code(), reply.text())
    }
}

/// How a dialogue goes on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::protocol) enum Next<S> {
    /// With this step.
    Step(S),
    /// Nothing is under way: custody may speak.
    Idle,
    /// Not at all; the end is told.
    Over,
}

/// A session that we opened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct Calling<D: Dialogue> {
    caller: Caller,
    dialogue: D,
    state: State<D::Step>,
}

/// Which reply is awaited.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State<S> {
    /// The connection itself.
    Opening,
    /// The banner.
    Greeting,
    /// To a command of the dialogue.
    Step(S),
    /// None: custody may speak.
    Idle,
    /// To QUIT.
    Quit,
    /// Nothing: the conversation is over.
    Over,
}

impl<D: Dialogue> Calling<D> {
    /// A session, before its connection is open. The log lines get `tag`; a reply may have `lines` lines.
    pub(super) const fn new(dialogue: D, tag: Tag, lines: usize) -> Self {
        Self { caller: Caller::new(tag, lines), dialogue, state: State::Opening }
    }

    /// The tag of its log lines.
    pub(in crate::protocol) const fn tag(&self) -> Tag {
        self.caller.tag()
    }

    fn reply(&mut self, reply: &Reply, talk: &mut Talk<'_>) -> Result<Next<D::Step>, Ended> {
        match core::mem::replace(&mut self.state, State::Over) {
            State::Quit => {
                talk.end(LinkChange::Closed);
                Err(Ended)
            }
            // The far end goes away: what was under way has no result.
            _ if reply.code() == 421 => {
                clause!(SM_041);
                Err(self.caller.refused(D::farewell(reply), talk))
            }
            State::Greeting if reply.code() != 220 => {
                Err(self.caller.declined("the banner", reply, talk))
            }
            State::Greeting => Ok(Next::Step(self.dialogue.greet(talk))),
            State::Step(step) => self.dialogue.reply(step, reply, &mut self.caller, talk),
            State::Opening | State::Idle | State::Over => {
                Err(self.caller.unexpected("nothing: no command is under way", reply, talk))
            }
        }
    }

    /// Says what is next in the queue, if nothing is under way.
    fn go_on(&mut self, talk: &mut Talk<'_>) {
        while self.state == State::Idle {
            let Some(pdu) = self.caller.next(talk) else {
                if self.caller.finishing {
                    self.quit(talk);
                }
                return;
            };
            self.state = self.dialogue.begin(pdu, &self.caller, talk).into();
        }
    }

    fn awaits_host(&self) -> bool {
        matches!(&self.state, State::Step(step) if D::awaits_host(step))
    }

    /// Whether the connection cannot be used yet.
    fn is_handshake(&self) -> bool {
        match &self.state {
            State::Opening | State::Greeting => true,
            State::Step(step) => D::is_handshake(step),
            State::Idle | State::Quit | State::Over => false,
        }
    }

    fn quit(&mut self, talk: &mut Talk<'_>) {
        clause!(SM_046);
        talk.line(Command::Quit.encode());
        talk.wait(QUIT_WAIT);
        self.state = State::Quit;
    }

    fn end(&mut self, talk: &mut Talk<'_>) {
        self.state = State::Over;
        talk.end(LinkChange::Closed);
    }
}

impl<S> From<Next<S>> for State<S> {
    fn from(next: Next<S>) -> Self {
        match next {
            Next::Step(step) => Self::Step(step),
            Next::Idle => Self::Idle,
            Next::Over => Self::Over,
        }
    }
}

impl<D: Dialogue> Conversation for Calling<D> {
    fn start(&mut self, talk: &mut Talk<'_>) {
        if self.state == State::Opening {
            self.state = State::Greeting;
            talk.wait(D::BANNER_WAIT);
            Caller::listen(talk);
        }
    }

    fn hear(&mut self, wire: Wire, talk: &mut Talk<'_>) {
        if matches!(self.state, State::Over | State::Opening) {
            return;
        }
        let next = match (self.awaits_host(), wire) {
            (true, Wire::Secured(member)) => {
                self.dialogue.secured(member.as_ref(), &self.caller, talk)
            }
            (true, Wire::Unsecured(reason)) => {
                Err(self.dialogue.unsecured(reason, &self.caller, talk))
            }
            (true, _) => return,
            (false, Wire::Line(line)) => match self.caller.line(&line, talk) {
                Ok(Some(reply)) => self.reply(&reply, talk),
                Ok(None) => return Caller::listen(talk),
                Err(ended) => Err(ended),
            },
            (false, Wire::Bad { error, said }) => Err(self.caller.malformed(error, &said, talk)),
            // The host tells how the connection ended.
            _ => return,
        };
        let Ok(next) = next else {
            self.state = State::Over;
            return;
        };
        self.state = next.into();
        if !self.awaits_host() {
            Caller::listen(talk);
        }
        self.go_on(talk);
    }

    fn say(&mut self, pdu: Pdu, talk: &mut Talk<'_>) {
        if matches!(self.state, State::Quit | State::Over) {
            return talk.log(self.tag(), SessionEvent::Unspoken);
        }
        self.caller.keep(pdu, talk.gate());
        self.go_on(talk);
    }

    fn leave(&mut self, talk: &mut Talk<'_>) {
        match self.state {
            State::Idle => self.quit(talk),
            State::Quit | State::Over => {}
            _ => self.end(talk),
        }
    }

    fn finish(&mut self, talk: &mut Talk<'_>) {
        self.caller.finishing = true;
        if self.is_handshake() {
            self.end(talk);
        } else {
            self.go_on(talk);
        }
    }

    fn overdue(&mut self, talk: &mut Talk<'_>) {
        if self.state == State::Quit {
            self.end(talk);
        } else if self.awaits_host() {
            self.state = State::Over;
            let Ended = self.dialogue.overdue(&self.caller, talk);
        } else if self.is_handshake() {
            self.state = State::Over;
            let Ended = self.caller.overdue(talk);
        }
    }
}
