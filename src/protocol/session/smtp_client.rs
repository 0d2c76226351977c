//! Our session on the SMTP port of another member: news first, then hand-over.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::caller::{Caller, Ended, MEMBER_WAIT, QUIT_WAIT};
use super::talk::{Conversation, Talk};
use super::{SessionEvent, Tag};
use crate::clause;
use crate::kernel::LinkChange;
use crate::protocol::linkstate::LinkPdu;
use crate::protocol::member::{Pdu, Security};
use crate::protocol::server::{Coding, Wire};
use crate::wire::ids::{MemberName, TransferId};
use crate::wire::link2state::{self, Chunk, message_of_reply};
use crate::wire::message::{Body, Refusal};
use crate::wire::smtp::{Command, Extensions, Reply};
use crate::wire::submit::{self, Answer};
use crate::wire::{envelope, orginfo};

/// A session with one member.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct SmtpClient {
    target: MemberName,
    caller: Caller,
    secured: bool,
    state: State,
}

/// Which reply is awaited.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State {
    /// The connection itself.
    Opening,
    /// The banner.
    Greeting,
    /// To EHLO.
    Ehlo,
    /// To STARTTLS.
    StartTls,
    /// The host: TLS.
    Securing,
    /// To HELLO.
    Hello,
    /// None: custody may speak.
    Idle,
    /// To a chunk, with those that follow it.
    Chunk(VecDeque<Chunk>),
    /// To the last chunk: the answer to the news.
    News,
    /// To OFFER: 354, or an answer at once.
    Offer { transfer: TransferId, offer: u32, envelope: Vec<u8>, body: Body },
    /// To the octets of the offer.
    Transfer { transfer: TransferId, offer: u32 },
    /// To COMMIT, RESOLVE or STATUS.
    Asked(Pdu),
    /// To RELEASE.
    Released,
    /// To QUIT.
    Quit,
    /// Nothing: the conversation is over.
    Over,
}

impl SmtpClient {
    /// A session with `target`, before its connection is open.
    pub(in crate::protocol) const fn new(target: MemberName) -> Self {
        let caller = Caller::new(Tag::Submit, link2state::REPLY_LINES_LIMIT);
        Self { target, caller, secured: false, state: State::Opening }
    }

    /// The tag of its log lines.
    pub(in crate::protocol) const fn tag(&self) -> Tag {
        self.caller.tag()
    }

    fn reply(&mut self, reply: &Reply, talk: &mut Talk<'_>) -> Result<State, Ended> {
        if reply.code() == 421 && self.state != State::Quit {
            clause!(SM_041);
            return Err(self.caller.refused(String::from(reply.text()), talk));
        }
        match core::mem::replace(&mut self.state, State::Over) {
            State::Greeting => self.greeted(reply, talk),
            State::Ehlo => self.offered(reply, talk),
            State::StartTls => self.may_secure(reply, talk),
            State::Hello => self.hello(reply, talk),
            State::Chunk(rest) => self.chunk(rest, reply, talk),
            State::News => self.news(reply, talk),
            State::Offer { transfer, offer, envelope, body } => {
                self.may_transfer(transfer, offer, (envelope, body), reply, talk)
            }
            State::Transfer { transfer, offer } => self.transferred(transfer, offer, reply, talk),
            State::Asked(pdu) => self.answered(&pdu, reply, talk),
            State::Released => self.released(reply, talk),
            State::Quit => {
                talk.end(LinkChange::Closed);
                Err(Ended)
            }
            State::Opening | State::Idle | State::Securing | State::Over => {
                Err(self.caller.unexpected("nothing: no command is under way", reply, talk))
            }
        }
    }

    fn greeted(&self, reply: &Reply, talk: &mut Talk<'_>) -> Result<State, Ended> {
        if reply.code() != 220 {
            return Err(self.declined("the banner", reply, talk));
        }
        Ok(Self::ehlo(talk))
    }

    /// The far end answers one step before the connection can be used with a refusal.
    fn declined(&self, step: &str, reply: &Reply, talk: &mut Talk<'_>) -> Ended {
        self.caller.refused(format!("{step}: {} {}", reply.code(), reply.text()), talk)
    }

    fn ehlo(talk: &mut Talk<'_>) -> State {
        talk.line(Command::Ehlo(String::from(talk.config.member.as_str())).encode());
        talk.wait(MEMBER_WAIT);
        State::Ehlo
    }

    fn offered(&self, reply: &Reply, talk: &mut Talk<'_>) -> Result<State, Ended> {
        if reply.code() != 250 {
            return Err(self.declined("EHLO", reply, talk));
        }
        let extensions = Extensions::of(reply);
        if talk.config.security == Security::Tls && !self.secured {
            if extensions.starttls {
                talk.line(Command::StartTls.encode());
                return Ok(State::StartTls);
            }
            clause!(SM_043);
            if !talk.config.faults.is_on("goes-on-without-starttls") {
                let reason = String::from("a member that does not offer STARTTLS");
                return Err(self.caller.refused(reason, talk));
            }
        }
        if !extensions.submit || !extensions.link2state {
            clause!(SM_044);
            let reason = String::from("a member that does not offer X-SUBMIT and X-LINK2STATE");
            return Err(self.caller.refused(reason, talk));
        }
        let hello =
            submit::Command::Hello { member: talk.config.member.clone(), store: talk.store };
        Self::say_submit(hello, talk);
        Ok(State::Hello)
    }

    fn say_submit(command: submit::Command, talk: &mut Talk<'_>) {
        talk.line(Command::Submit(command).encode());
    }

    fn may_secure(&self, reply: &Reply, talk: &mut Talk<'_>) -> Result<State, Ended> {
        if reply.code() != 220 {
            return Err(self.declined("STARTTLS", reply, talk));
        }
        talk.say(Wire::StartTls);
        Ok(State::Securing)
    }

    fn secured(
        &mut self,
        member: Option<&MemberName>,
        talk: &mut Talk<'_>,
    ) -> Result<State, Ended> {
        if member != Some(&self.target) {
            clause!(SM_043);
            let reason = format!("the certificate is not that of {}", self.target);
            return Err(self.caller.refused(reason, talk));
        }
        self.secured = true;
        Ok(Self::ehlo(talk))
    }

    fn hello(&mut self, reply: &Reply, talk: &mut Talk<'_>) -> Result<State, Ended> {
        match Answer::of_reply(reply) {
            Ok(Answer::Hello { member, store }) if member == self.target => {
                self.caller.up(talk);
                talk.log(Tag::Submit, SessionEvent::Proved(member.clone()));
                talk.tell(Pdu::Hello { member, store });
                Ok(State::Idle)
            }
            _ => Err(self.declined("X-SUBMIT HELLO", reply, talk)),
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
            self.state = self.begin(pdu, talk);
        }
    }

    fn begin(&self, pdu: Pdu, talk: &mut Talk<'_>) -> State {
        match pdu {
            Pdu::Link(link @ LinkPdu::News { .. }) => self.begin_news(&link, talk),
            Pdu::Offer { transfer, offer, parcel } => {
                let Ok(envelope) = envelope::encode(&parcel.envelope) else {
                    clause!(SM_024);
                    let text = "The envelope is longer than a hand-over may carry";
                    talk.tell(Pdu::Refused(Refusal::new(552, "5.3.4", text)));
                    return State::Idle;
                };
                let body = parcel.body;
                let command = submit::Command::Offer {
                    transfer: transfer.clone(),
                    offer,
                    envelope_octets: u32::try_from(envelope.len()).unwrap_or(u32::MAX),
                    body_octets: body.octets,
                    digest: envelope::transfer_digest(&envelope, &body.digest),
                };
                Self::say_submit(command, talk);
                State::Offer { transfer, offer, envelope, body }
            }
            Pdu::Commit { transfer, offer } => {
                let command = submit::Command::Commit { transfer: transfer.clone(), offer };
                Self::say_submit(command, talk);
                State::Asked(Pdu::Commit { transfer, offer })
            }
            Pdu::Resolve { transfer, offer } => {
                let command = submit::Command::Resolve { transfer: transfer.clone(), offer };
                Self::say_submit(command, talk);
                State::Asked(Pdu::Resolve { transfer, offer })
            }
            Pdu::Status(transfer) => {
                Self::say_submit(submit::Command::Status { transfer: transfer.clone() }, talk);
                State::Asked(Pdu::Status(transfer))
            }
            Pdu::Release(release) => {
                Self::say_submit(submit::Command::Release(release), talk);
                State::Released
            }
            // The session has said hello already, as the first thing on the connection.
            Pdu::Hello { .. } => State::Idle,
            _ => {
                talk.log(Tag::Submit, SessionEvent::Unspoken);
                State::Idle
            }
        }
    }

    fn begin_news(&self, link: &LinkPdu, talk: &mut Talk<'_>) -> State {
        let Ok(message) = orginfo::encode_message(core::slice::from_ref(link)) else {
            // Custody waits for an answer that cannot come: the connection is of no use.
            talk.log(Tag::Submit, SessionEvent::Unspoken);
            talk.end(LinkChange::Lost);
            return State::Over;
        };
        Self::next_chunk(link2state::split(&message).into(), talk)
    }

    fn next_chunk(mut chunks: VecDeque<Chunk>, talk: &mut Talk<'_>) -> State {
        if let Some(chunk) = chunks.pop_front() {
            talk.line(Command::LinkState(chunk).encode());
        }
        if chunks.is_empty() { State::News } else { State::Chunk(chunks) }
    }

    fn chunk(
        &self,
        rest: VecDeque<Chunk>,
        reply: &Reply,
        talk: &mut Talk<'_>,
    ) -> Result<State, Ended> {
        if reply.code() != 200 {
            return Err(self.caller.unexpected("200 NEXT", reply, talk));
        }
        Ok(Self::next_chunk(rest, talk))
    }

    fn news(&self, reply: &Reply, talk: &mut Talk<'_>) -> Result<State, Ended> {
        let Ok(message) = message_of_reply(reply) else {
            return Err(self.caller.unexpected("200 and a message", reply, talk));
        };
        match orginfo::decode_message(&message).as_deref() {
            Ok([link @ LinkPdu::Merged { .. }]) => {
                talk.tell(Pdu::Link(link.clone()));
                Ok(State::Idle)
            }
            Ok(_) => Err(self.caller.misbehaved("MERGED", message.as_bytes(), talk)),
            Err(error) => Err(self.caller.misbehaved(error.expected, message.as_bytes(), talk)),
        }
    }

    fn may_transfer(
        &self,
        transfer: TransferId,
        offer: u32,
        (prefix, body): (Vec<u8>, Body),
        reply: &Reply,
        talk: &mut Talk<'_>,
    ) -> Result<State, Ended> {
        if reply.code() == 354 {
            talk.say(Wire::Content { prefix, body, coding: Coding::Octets });
            return Ok(State::Transfer { transfer, offer });
        }
        self.concluded(&transfer, reply, talk, |answer| {
            matches!(answer, Answer::Accepted { .. } | Answer::Done { .. })
        })
    }

    fn transferred(
        &self,
        transfer: TransferId,
        offer: u32,
        reply: &Reply,
        talk: &mut Talk<'_>,
    ) -> Result<State, Ended> {
        self.concluded(&transfer, reply, talk, |answer| match answer {
            Answer::Transferred { offer: n, .. } => *n == offer,
            Answer::Accepted { .. } | Answer::Done { .. } => true,
            _ => false,
        })
    }

    fn answered(&self, asked: &Pdu, reply: &Reply, talk: &mut Talk<'_>) -> Result<State, Ended> {
        match asked {
            Pdu::Resolve { transfer, offer } => {
                self.concluded(transfer, reply, talk, |answer| match answer {
                    Answer::Refused { offer: n, .. } => n >= offer,
                    Answer::Accepted { .. } | Answer::Done { .. } => true,
                    _ => false,
                })
            }
            Pdu::Status(transfer) => self.concluded(transfer, reply, talk, |answer| {
                !matches!(
                    answer,
                    Answer::Hello { .. } | Answer::Transferred { .. } | Answer::Released
                )
            }),
            Pdu::Commit { transfer, .. } => self.concluded(transfer, reply, talk, |answer| {
                matches!(answer, Answer::Accepted { .. } | Answer::Done { .. })
            }),
            _ => Ok(State::Idle),
        }
    }

    /// Tells custody what the far end answers about `transfer`: a refusal, or one of the answers that
    /// fit the command. Anything else could make custody believe what nobody said.
    fn concluded(
        &self,
        transfer: &TransferId,
        reply: &Reply,
        talk: &mut Talk<'_>,
        fits: impl Fn(&Answer) -> bool,
    ) -> Result<State, Ended> {
        clause!(SM_045);
        if let Some(refusal) = reply.refusal() {
            talk.tell(Pdu::Refused(refusal));
            return Ok(State::Idle);
        }
        let answer = match Answer::of_reply(reply) {
            Ok(answer) if fits(&answer) => answer,
            _ => return Err(self.caller.unexpected("an answer to the command", reply, talk)),
        };
        let (about, pdu) = match answer {
            Answer::Transferred { transfer, offer } => {
                (transfer.clone(), Pdu::Transferred { transfer, offer })
            }
            Answer::Accepted { transfer, queue } => {
                (transfer.clone(), Pdu::HandedOver { transfer, queue })
            }
            Answer::Refused { transfer, offer } => {
                (transfer.clone(), Pdu::Fenced { transfer, offer })
            }
            Answer::Unknown { transfer } => (transfer.clone(), Pdu::Unknown(transfer)),
            Answer::Done { transfer } => (transfer.clone(), Pdu::Done(transfer)),
            Answer::Hello { .. } | Answer::Released => {
                return Err(self.caller.unexpected("an answer to the command", reply, talk));
            }
        };
        if about != *transfer {
            return Err(self.caller.unexpected("an answer about the same transfer", reply, talk));
        }
        talk.tell(pdu);
        Ok(State::Idle)
    }

    fn released(&self, reply: &Reply, talk: &mut Talk<'_>) -> Result<State, Ended> {
        let answer = match (reply.refusal(), Answer::of_reply(reply)) {
            (Some(refusal), _) => Pdu::Refused(refusal),
            (None, Ok(Answer::Released)) => Pdu::Released,
            _ => return Err(self.caller.unexpected("RELEASED", reply, talk)),
        };
        talk.tell(answer);
        Ok(State::Idle)
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

impl Conversation for SmtpClient {
    fn start(&mut self, talk: &mut Talk<'_>) {
        if self.state == State::Opening {
            self.state = State::Greeting;
            talk.wait(MEMBER_WAIT);
            Caller::listen(talk);
        }
    }

    fn hear(&mut self, wire: Wire, talk: &mut Talk<'_>) {
        if self.state == State::Over {
            return;
        }
        let next = match (&self.state, wire) {
            (State::Securing, Wire::Secured(member)) => self.secured(member.as_ref(), talk),
            (State::Securing | State::Opening, _) => return,
            (_, Wire::Line(line)) => match self.caller.line(&line, talk) {
                Ok(Some(reply)) => self.reply(&reply, talk),
                Ok(None) => return Caller::listen(talk),
                Err(ended) => Err(ended),
            },
            (_, Wire::Bad(error)) => Err(self.caller.misbehaved(error.expected, b"", talk)),
            // The host tells how the connection ended.
            _ => return,
        };
        let Ok(next) = next else {
            self.state = State::Over;
            return;
        };
        self.state = next;
        if self.state != State::Securing {
            Caller::listen(talk);
        }
        self.go_on(talk);
    }

    fn say(&mut self, pdu: Pdu, talk: &mut Talk<'_>) {
        if matches!(self.state, State::Quit | State::Over) {
            return talk.log(Tag::Submit, SessionEvent::Unspoken);
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
        match self.state {
            State::Opening
            | State::Greeting
            | State::Ehlo
            | State::StartTls
            | State::Securing
            | State::Hello => self.end(talk),
            _ => self.go_on(talk),
        }
    }

    fn overdue(&mut self, talk: &mut Talk<'_>) {
        match self.state {
            State::Quit => self.end(talk),
            State::Opening
            | State::Greeting
            | State::Ehlo
            | State::StartTls
            | State::Securing
            | State::Hello => {
                self.state = State::Over;
                let Ended = self.caller.overdue(talk);
            }
            _ => {}
        }
    }
}
