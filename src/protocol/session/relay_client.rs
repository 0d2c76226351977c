//! Our session on an outside SMTP server: mail that leaves the organization.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use super::caller::{Caller, Ended, GREETING_WAIT, QUIT_WAIT};
use super::received::lines_above;
use super::talk::{Conversation, Talk};
use super::{SessionEvent, Tag};
use crate::clause;
use crate::kernel::LinkChange;
use crate::protocol::member::{Parcel, Pdu};
use crate::protocol::server::{Coding, Wire};
use crate::wire::message::{Outcome, Refusal};
use crate::wire::smtp::{BodyKind, Command, Extensions, Mail, REPLY_LINES_LIMIT, Rcpt, Reply};

/// A session with one outside server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct RelayClient {
    caller: Caller,
    extensions: Extensions,
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
    /// To HELO: the server does not know EHLO.
    Helo,
    /// None: custody may speak.
    Idle,
    /// To MAIL.
    Mail(Relaying),
    /// To RCPT for the recipient at this place.
    Rcpt(Relaying, usize),
    /// To DATA.
    Data(Relaying),
    /// To the content.
    Content(Relaying),
    /// To RSET, behind a mail that nobody was to get.
    Rset,
    /// To QUIT.
    Quit,
    /// Nothing: the conversation is over.
    Over,
}

/// A mail under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Relaying {
    parcel: Parcel,
    /// The refusals of those that MAIL or RCPT refused, by index.
    refused: BTreeMap<u32, Refusal>,
}

impl RelayClient {
    /// A session, before its connection is open.
    pub(in crate::protocol) fn new() -> Self {
        let caller = Caller::new(Tag::Relay, REPLY_LINES_LIMIT);
        Self { caller, extensions: Extensions::default(), state: State::Opening }
    }

    /// The tag of its log lines.
    pub(in crate::protocol) const fn tag(&self) -> Tag {
        self.caller.tag()
    }

    fn reply(&mut self, reply: &Reply, talk: &mut Talk<'_>) -> Result<State, Ended> {
        match core::mem::replace(&mut self.state, State::Over) {
            State::Quit => {
                talk.end(LinkChange::Closed);
                Err(Ended)
            }
            // The server goes away: what was under way has no result.
            _ if reply.code() == 421 => Err(self.declined("the server", reply, talk)),
            State::Greeting => self.greeted(reply, talk),
            State::Ehlo => self.offered(reply, talk),
            State::Helo => self.helo(reply, talk),
            State::Mail(relaying) => Ok(self.mail(relaying, reply, talk)),
            State::Rcpt(relaying, place) => Ok(self.rcpt(relaying, place, reply, talk)),
            State::Data(relaying) => self.data(relaying, reply, talk),
            State::Content(relaying) => self.content(&relaying, reply, talk),
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
        talk.line(Command::Ehlo(String::from(talk.config.member.as_str())).encode());
        talk.wait(GREETING_WAIT);
        Ok(State::Ehlo)
    }

    fn offered(&mut self, reply: &Reply, talk: &mut Talk<'_>) -> Result<State, Ended> {
        match reply.code() {
            250 => {
                self.extensions = Extensions::of(reply);
                self.caller.up(talk);
                Ok(State::Idle)
            }
            500..600 => {
                clause!(SM_060);
                talk.line(Command::Helo(String::from(talk.config.member.as_str())).encode());
                Ok(State::Helo)
            }
            _ => Err(self.declined("EHLO", reply, talk)),
        }
    }

    fn helo(&mut self, reply: &Reply, talk: &mut Talk<'_>) -> Result<State, Ended> {
        if reply.code() != 250 {
            return Err(self.declined("HELO", reply, talk));
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
                Pdu::Relay(parcel) => self.begin(parcel, talk),
                _ => talk.log(Tag::Relay, SessionEvent::Unspoken),
            }
        }
    }

    fn begin(&mut self, parcel: Parcel, talk: &mut Talk<'_>) {
        let relaying = Relaying { parcel, refused: BTreeMap::new() };
        let envelope = &relaying.parcel.envelope;
        let offered = &self.extensions;
        if envelope.smtputf8 && !offered.smtputf8 {
            clause!(SM_061);
            let text = "The server does not take internationalized mail";
            relaying.refuse_all(&Refusal::new(550, "5.6.7", text), talk);
            return;
        }
        let prefix = lines_above(envelope).len() as u64;
        clause!(SM_063);
        let mail = Mail {
            size: offered.size.map(|_| relaying.parcel.body.octets.saturating_add(prefix)),
            body: offered.eight_bit_mime.then_some(BodyKind::EightBitMime),
            smtputf8: envelope.smtputf8,
            ret: envelope.ret.filter(|_| offered.dsn),
            envid: envelope.envid.clone().filter(|_| offered.dsn),
            ..Mail::from(envelope.sender.clone())
        };
        talk.line(Command::Mail(mail).encode());
        self.state = State::Mail(relaying);
    }

    fn mail(&self, relaying: Relaying, reply: &Reply, talk: &mut Talk<'_>) -> State {
        match refusal_of(reply) {
            None => self.next_rcpt(relaying, 0, talk),
            Some(refusal) => {
                relaying.refuse_all(&refusal, talk);
                State::Idle
            }
        }
    }

    fn next_rcpt(&self, relaying: Relaying, place: usize, talk: &mut Talk<'_>) -> State {
        let recipients = &relaying.parcel.envelope.recipients;
        if let Some(recipient) = recipients.get(place) {
            let dsn = self.extensions.dsn;
            let rcpt = Rcpt {
                notify: dsn.then_some(recipient.notify),
                original: recipient.original.clone().filter(|_| dsn),
                ..Rcpt::to(recipient.address.clone())
            };
            talk.line(Command::Rcpt(rcpt).encode());
            return State::Rcpt(relaying, place);
        }
        if relaying.refused.len() == recipients.len() {
            talk.line(Command::Rset.encode());
            return State::Rset;
        }
        talk.line(Command::Data.encode());
        State::Data(relaying)
    }

    fn rcpt(
        &self,
        mut relaying: Relaying,
        place: usize,
        reply: &Reply,
        talk: &mut Talk<'_>,
    ) -> State {
        if let Some(refusal) = refusal_of(reply) {
            clause!(SM_062);
            let index = relaying.parcel.envelope.recipients[place].index;
            relaying.result(index, Outcome::Refused(refusal.clone()), talk);
            relaying.refused.insert(index, refusal);
        }
        self.next_rcpt(relaying, place + 1, talk)
    }

    fn data(&self, relaying: Relaying, reply: &Reply, talk: &mut Talk<'_>) -> Result<State, Ended> {
        if reply.code() == 354 {
            let prefix = lines_above(&relaying.parcel.envelope).into_bytes();
            let body = relaying.parcel.body;
            talk.say(Wire::Content { prefix, body, coding: Coding::Dots });
            return Ok(State::Content(relaying));
        }
        match reply.refusal() {
            Some(refusal) => {
                relaying.refuse_all(&refusal, talk);
                talk.line(Command::Rset.encode());
                Ok(State::Rset)
            }
            None => Err(self.caller.unexpected("354", reply, talk)),
        }
    }

    fn content(
        &self,
        relaying: &Relaying,
        reply: &Reply,
        talk: &mut Talk<'_>,
    ) -> Result<State, Ended> {
        clause!(SM_062);
        match (reply.is_positive(), reply.refusal()) {
            (true, _) => relaying.result_for_all(&Outcome::Delivered, talk),
            (false, Some(refusal)) => relaying.refuse_all(&refusal, talk),
            (false, None) => return Err(self.caller.unexpected("250", reply, talk)),
        }
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

impl Relaying {
    fn result(&self, index: u32, outcome: Outcome, talk: &mut Talk<'_>) {
        let origin = self.parcel.envelope.origin.clone();
        talk.tell(Pdu::Result { origin, index, outcome });
    }

    /// The same for everybody who has no result yet.
    fn result_for_all(&self, outcome: &Outcome, talk: &mut Talk<'_>) {
        for recipient in &self.parcel.envelope.recipients {
            if !self.refused.contains_key(&recipient.index) {
                self.result(recipient.index, outcome.clone(), talk);
            }
        }
    }

    fn refuse_all(&self, refusal: &Refusal, talk: &mut Talk<'_>) {
        self.result_for_all(&Outcome::Refused(refusal.clone()), talk);
    }
}

/// What a reply to MAIL or RCPT refuses with. 3yz has no place there: the server is not in order.
fn refusal_of(reply: &Reply) -> Option<Refusal> {
    if reply.is_positive() {
        return None;
    }
    let confused =
        || Refusal::new(451, "4.5.0", "The server answered with a code that has no place");
    Some(reply.refusal().unwrap_or_else(confused))
}

impl Conversation for RelayClient {
    fn start(&mut self, talk: &mut Talk<'_>) {
        if self.state == State::Opening {
            self.state = State::Greeting;
            talk.wait(GREETING_WAIT);
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
            return talk.log(Tag::Relay, SessionEvent::Unspoken);
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
            State::Opening | State::Greeting | State::Ehlo | State::Helo => self.end(talk),
            _ => self.go_on(talk),
        }
    }

    fn overdue(&mut self, talk: &mut Talk<'_>) {
        match self.state {
            State::Quit => self.end(talk),
            State::Opening | State::Greeting | State::Ehlo | State::Helo => {
                self.state = State::Over;
                let Ended = self.caller.overdue(talk);
            }
            _ => {}
        }
    }
}
