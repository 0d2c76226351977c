//! Our session on the delivery port of another member.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;

use super::caller::{Caller, Ended, MEMBER_WAIT, QUIT_WAIT};
use super::received::lines_above;
use super::talk::{Conversation, Talk};
use super::{SessionEvent, Tag};
use crate::clause;
use crate::kernel::LinkChange;
use crate::protocol::member::{Parcel, Pdu};
use crate::protocol::server::{Coding, Wire};
use crate::wire::deliver::{self, Found, Inquire};
use crate::wire::ids::OriginId;
use crate::wire::message::{Address, Outcome, Refusal};
use crate::wire::smtp::{Command, Extensions, Mail, REPLY_LINES_LIMIT, Rcpt, Reply};

/// A session with the host of an account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct LmtpClient {
    caller: Caller,
    state: State,
}

/// Which reply is awaited.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State {
    /// The connection itself.
    Opening,
    /// The banner.
    Greeting,
    /// To LHLO.
    Lhlo,
    /// None: custody may speak.
    Idle,
    /// To MAIL.
    Mail(Delivering),
    /// To RCPT for the recipient at this place.
    Rcpt(Delivering, usize),
    /// To DATA.
    Data(Delivering),
    /// To the content: one for each of those that still await it.
    Content(Delivering),
    /// To INQUIRE, with what is still to be asked.
    Inquire(OriginId, VecDeque<(u32, Address)>),
    /// To RSET, behind a message that nobody was to get.
    Rset,
    /// To QUIT.
    Quit,
    /// Nothing: the conversation is over.
    Over,
}

/// A message under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Delivering {
    parcel: Parcel,
    /// The recipients that RCPT accepted and that have no result yet, in order.
    accepted: VecDeque<u32>,
}

impl LmtpClient {
    /// A session, before its connection is open.
    pub(in crate::protocol) const fn new() -> Self {
        let caller = Caller::new(Tag::Deliver, REPLY_LINES_LIMIT);
        Self { caller, state: State::Opening }
    }

    fn reply(&mut self, reply: &Reply, talk: &mut Talk<'_>) -> Result<State, Ended> {
        match core::mem::replace(&mut self.state, State::Over) {
            State::Quit => {
                talk.end(LinkChange::Closed);
                Err(Ended)
            }
            // The host goes away: what was under way is in doubt.
            _ if reply.code() == 421 => Err(self.declined("the host", reply, talk)),
            State::Greeting => self.greeted(reply, talk),
            State::Lhlo => self.offered(reply, talk),
            State::Mail(delivering) => Ok(Self::mail(delivering, reply, talk)),
            State::Rcpt(delivering, place) => self.rcpt(delivering, place, reply, talk),
            State::Data(delivering) => self.data(delivering, reply, talk),
            State::Content(delivering) => self.result(delivering, reply, talk),
            State::Inquire(origin, asked) => self.found(origin, asked, reply, talk),
            State::Rset => Ok(State::Idle),
            State::Opening | State::Idle | State::Over => {
                Err(self.caller.unexpected("nothing: no command is under way", reply, talk))
            }
        }
    }

    fn declined(&self, step: &str, reply: &Reply, talk: &mut Talk<'_>) -> Ended {
        self.caller.refused(format!("{step}: {} {}", reply.code(), reply.text()), talk)
    }

    fn greeted(&self, reply: &Reply, talk: &mut Talk<'_>) -> Result<State, Ended> {
        if reply.code() != 220 {
            return Err(self.declined("the banner", reply, talk));
        }
        talk.line(Command::Lhlo(String::from(talk.config.member.as_str())).encode());
        talk.wait(MEMBER_WAIT);
        Ok(State::Lhlo)
    }

    fn offered(&mut self, reply: &Reply, talk: &mut Talk<'_>) -> Result<State, Ended> {
        if reply.code() != 250 {
            return Err(self.declined("LHLO", reply, talk));
        }
        if !Extensions::of(reply).deliver {
            clause!(SM_072);
            let reason = String::from("a host that does not offer X-DELIVER");
            return Err(self.caller.refused(reason, talk));
        }
        self.caller.up(talk);
        Ok(State::Idle)
    }

    fn go_on(&mut self, talk: &mut Talk<'_>) {
        while self.state == State::Idle {
            let Some(pdu) = self.caller.next(talk) else {
                if self.caller.finishing {
                    self.quit(talk);
                }
                return;
            };
            match pdu {
                Pdu::Deliver(parcel) => self.begin(parcel, talk),
                Pdu::Inquire { origin, recipients } => {
                    self.state = Self::inquire(origin, recipients.into(), talk);
                }
                _ => talk.log(Tag::Deliver, SessionEvent::Unspoken),
            }
        }
    }

    fn begin(&mut self, parcel: Parcel, talk: &mut Talk<'_>) {
        let envelope = &parcel.envelope;
        let mail = Mail {
            smtputf8: envelope.smtputf8,
            origin: Some(envelope.origin.clone()),
            ..Mail::from(envelope.sender.clone())
        };
        talk.line(Command::Mail(mail).encode());
        self.state = State::Mail(Delivering { parcel, accepted: VecDeque::new() });
    }

    fn mail(delivering: Delivering, reply: &Reply, talk: &mut Talk<'_>) -> State {
        if reply.is_positive() {
            return Self::next_rcpt(delivering, 0, talk);
        }
        for recipient in &delivering.parcel.envelope.recipients {
            let refusal = softened(&refusal_of(reply));
            delivering.tell(recipient.index, Outcome::Refused(refusal), talk);
        }
        State::Idle
    }

    fn next_rcpt(delivering: Delivering, place: usize, talk: &mut Talk<'_>) -> State {
        if let Some(recipient) = delivering.parcel.envelope.recipients.get(place) {
            let rcpt = Rcpt { index: Some(recipient.index), ..Rcpt::to(recipient.address.clone()) };
            talk.line(Command::Rcpt(rcpt).encode());
            return State::Rcpt(delivering, place);
        }
        if delivering.accepted.is_empty() {
            talk.line(Command::Rset.encode());
            return State::Rset;
        }
        talk.line(Command::Data.encode());
        State::Data(delivering)
    }

    fn rcpt(
        &self,
        mut delivering: Delivering,
        place: usize,
        reply: &Reply,
        talk: &mut Talk<'_>,
    ) -> Result<State, Ended> {
        let index = delivering.parcel.envelope.recipients[place].index;
        match self.outcome(index, reply, talk)? {
            Outcome::Delivered => delivering.accepted.push_back(index),
            refused @ Outcome::Refused(_) => delivering.tell(index, refused, talk),
        }
        Ok(Self::next_rcpt(delivering, place + 1, talk))
    }

    /// What a reply says of the recipient with this index. A word about another one, or a yes about
    /// nobody, could be taken for a result that nobody gave.
    fn outcome(&self, index: u32, reply: &Reply, talk: &mut Talk<'_>) -> Result<Outcome, Ended> {
        clause!(SM_073);
        match deliver::decode_result(reply) {
            Ok((Some(n), outcome)) if n == index => Ok(outcome),
            Ok((None, Outcome::Refused(refusal))) => Ok(Outcome::Refused(softened(&refusal))),
            _ => {
                let expected = format!("a final reply about [{index}]");
                Err(self.caller.unexpected(&expected, reply, talk))
            }
        }
    }

    fn data(
        &self,
        delivering: Delivering,
        reply: &Reply,
        talk: &mut Talk<'_>,
    ) -> Result<State, Ended> {
        if reply.code() == 354 {
            let prefix = lines_above(&delivering.parcel.envelope).into_bytes();
            let body = delivering.parcel.body;
            talk.say(Wire::Content { prefix, body, coding: Coding::Dots });
            return Ok(State::Content(delivering));
        }
        let Some(refusal) = reply.refusal() else {
            return Err(self.caller.unexpected("354", reply, talk));
        };
        for index in &delivering.accepted {
            delivering.tell(*index, Outcome::Refused(softened(&refusal)), talk);
        }
        talk.line(Command::Rset.encode());
        Ok(State::Rset)
    }

    fn result(
        &self,
        mut delivering: Delivering,
        reply: &Reply,
        talk: &mut Talk<'_>,
    ) -> Result<State, Ended> {
        let Some(index) = delivering.accepted.pop_front() else { return Ok(State::Idle) };
        let outcome = self.outcome(index, reply, talk)?;
        delivering.tell(index, outcome, talk);
        let is_last = delivering.accepted.is_empty();
        Ok(if is_last { State::Idle } else { State::Content(delivering) })
    }

    fn inquire(origin: OriginId, asked: VecDeque<(u32, Address)>, talk: &mut Talk<'_>) -> State {
        let Some((index, address)) = asked.front().cloned() else { return State::Idle };
        let inquire = Inquire { origin: origin.clone(), index, address };
        talk.line(Command::Deliver(inquire).encode());
        State::Inquire(origin, asked)
    }

    fn found(
        &self,
        origin: OriginId,
        mut asked: VecDeque<(u32, Address)>,
        reply: &Reply,
        talk: &mut Talk<'_>,
    ) -> Result<State, Ended> {
        let index = asked.pop_front().map(|(index, _)| index);
        let found = match deliver::decode_found(reply) {
            Ok((n, found)) if Some(n) == index => found,
            _ => return Err(self.caller.unexpected("an answer to INQUIRE", reply, talk)),
        };
        let index = index.unwrap_or_default();
        talk.tell(match found {
            Found::Final(outcome) => Pdu::Result { origin: origin.clone(), index, outcome },
            Found::Unknown => Pdu::NoResult { origin: origin.clone(), index },
        });
        Ok(Self::inquire(origin, asked, talk))
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

impl Delivering {
    fn tell(&self, index: u32, outcome: Outcome, talk: &mut Talk<'_>) {
        let origin = self.parcel.envelope.origin.clone();
        talk.tell(Pdu::Result { origin, index, outcome });
    }
}

/// A refusal that names no recipient settles nothing about any: it is never the end of a message.
fn softened(refusal: &Refusal) -> Refusal {
    clause!(SM_074);
    if !refusal.is_permanent() {
        return refusal.clone();
    }
    let text = format!("the host answered {} {} {}", refusal.code, refusal.status, refusal.text);
    Refusal::new(450, "4.5.0", &text)
}

/// What a reply to MAIL refuses with. 3yz has no place there: the host is not in order.
fn refusal_of(reply: &Reply) -> Refusal {
    let confused = || Refusal::new(451, "4.5.0", "The host answered with a code that has no place");
    reply.refusal().unwrap_or_else(confused)
}

impl Conversation for LmtpClient {
    fn start(&mut self, talk: &mut Talk<'_>) {
        if self.state == State::Opening {
            self.state = State::Greeting;
            talk.wait(MEMBER_WAIT);
            Caller::listen(talk);
        }
    }

    fn hear(&mut self, wire: Wire, talk: &mut Talk<'_>) {
        if matches!(self.state, State::Over | State::Opening) {
            return;
        }
        let next = match wire {
            Wire::Line(line) => match self.caller.line(&line, talk) {
                Ok(Some(reply)) => self.reply(&reply, talk),
                Ok(None) => return Caller::listen(talk),
                Err(ended) => Err(ended),
            },
            Wire::Bad(error) => Err(self.caller.misbehaved(error.expected, b"", talk)),
            // The host tells how the connection ended.
            _ => return,
        };
        let Ok(next) = next else {
            self.state = State::Over;
            return;
        };
        self.state = next;
        Caller::listen(talk);
        self.go_on(talk);
    }

    fn say(&mut self, pdu: Pdu, talk: &mut Talk<'_>) {
        if matches!(self.state, State::Quit | State::Over) {
            return talk.log(Tag::Deliver, SessionEvent::Unspoken);
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
            State::Opening | State::Greeting | State::Lhlo => self.end(talk),
            _ => self.go_on(talk),
        }
    }

    fn overdue(&mut self, talk: &mut Talk<'_>) {
        match self.state {
            State::Quit => self.end(talk),
            State::Opening | State::Greeting | State::Lhlo => {
                self.state = State::Over;
                let Ended = self.caller.overdue(talk);
            }
            _ => {}
        }
    }
}
