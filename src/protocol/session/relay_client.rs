//! Our session on an outside SMTP server: mail that leaves the organization.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use super::caller::{Caller, Ended, GREETING_WAIT};
use super::calling::{Calling, Dialogue, Next};
use super::received::lines_above;
use super::talk::Talk;
use super::{SessionEvent, Tag};
use crate::clause;
use crate::kernel::Span;
use crate::protocol::member::{OutsideTls, Parcel, Pdu};
use crate::protocol::server::{Coding, Wire};
use crate::wire::ids::MemberName;
use crate::wire::message::{Notify, Outcome, Refusal};
use crate::wire::smtp::{BodyKind, Command, Extensions, Mail, REPLY_LINES_LIMIT, Rcpt, Reply};

/// What is said to one outside server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct RelayClient {
    /// `HOST:PORT`; `None` is a frontend of our group, to which mail goes in clear.
    server: Option<String>,
    /// TLS has failed with it the last time.
    in_clear: bool,
    /// TLS is on.
    secured: bool,
    extensions: Extensions,
}

/// Which reply is awaited.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::protocol) enum Step {
    /// To EHLO.
    Ehlo,
    /// To HELO: the server does not know EHLO.
    Helo,
    /// To STARTTLS.
    StartTls,
    /// The host: TLS.
    Securing,
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
}

/// A mail under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct Relaying {
    parcel: Parcel,
    /// The refusals of those that MAIL or RCPT refused, by index.
    refused: BTreeMap<u32, Refusal>,
}

impl RelayClient {
    /// A session, before its connection is open.
    pub(in crate::protocol) fn calling(server: Option<String>, in_clear: bool) -> Calling<Self> {
        let extensions = Extensions::default();
        let dialogue = Self { server, in_clear, secured: false, extensions };
        Calling::new(dialogue, Tag::Relay, REPLY_LINES_LIMIT)
    }

    fn ehlo(talk: &mut Talk<'_>) -> Step {
        talk.line(Command::Ehlo(String::from(talk.config.member.as_str())).encode());
        talk.wait(GREETING_WAIT);
        Step::Ehlo
    }

    /// What is configured for this server.
    fn tls(&self, talk: &Talk<'_>) -> OutsideTls {
        clause!(SM_125);
        let server = self.server.as_ref();
        server.map_or(OutsideTls::None, |server| talk.config.policy.outside_tls(server))
    }

    /// The server has said what it can do: starts TLS, or goes on without, or not at all.
    fn go_on(&self, caller: &mut Caller, talk: &mut Talk<'_>) -> Result<Next<Step>, Ended> {
        let tls = self.tls(talk);
        let is_wanted = tls.is_strict() || (tls == OutsideTls::Opportunistic && !self.in_clear);
        if !self.secured && is_wanted && self.extensions.starttls {
            talk.line(Command::StartTls.encode());
            return Ok(Next::Step(Step::StartTls));
        }
        if !self.secured && tls.is_strict() {
            clause!(SM_126);
            let reason = format!("tls = \"{tls}\", and the server does not offer STARTTLS");
            return Err(caller.refused(reason, talk));
        }
        if let Some(server) = self.server.clone() {
            clause!(SM_128);
            let (secured, after_failure) = (self.secured, self.in_clear && !self.secured);
            talk.log(Tag::Relay, SessionEvent::Outside { server, tls, secured, after_failure });
        }
        caller.up(talk);
        Ok(Next::Idle)
    }

    fn may_secure(
        &self,
        reply: &Reply,
        caller: &Caller,
        talk: &mut Talk<'_>,
    ) -> Result<Next<Step>, Ended> {
        if reply.code() == 220 {
            talk.say(Wire::StartTls);
            return Ok(Next::Step(Step::Securing));
        }
        self.note_failure(talk);
        Err(caller.declined("STARTTLS", reply, talk))
    }

    /// TLS has failed. Where any security is better than none, none is better than no mail: the next
    /// connection does without. Not this one, of which nobody knows what state it is in.
    fn note_failure(&self, talk: &mut Talk<'_>) {
        clause!(SM_127);
        if self.tls(talk) == OutsideTls::Opportunistic
            && let Some(server) = self.server.clone()
        {
            talk.in_clear_next(server);
        }
    }

    fn offered(
        &mut self,
        reply: &Reply,
        caller: &mut Caller,
        talk: &mut Talk<'_>,
    ) -> Result<Next<Step>, Ended> {
        match reply.code() {
            250 => {
                self.extensions = Extensions::of(reply);
                self.go_on(caller, talk)
            }
            500..600 => {
                clause!(SM_060);
                talk.line(Command::Helo(String::from(talk.config.member.as_str())).encode());
                Ok(Next::Step(Step::Helo))
            }
            _ => Err(caller.declined("EHLO", reply, talk)),
        }
    }

    fn helo(
        &self,
        reply: &Reply,
        caller: &mut Caller,
        talk: &mut Talk<'_>,
    ) -> Result<Next<Step>, Ended> {
        if reply.code() != 250 {
            return Err(caller.declined("HELO", reply, talk));
        }
        self.go_on(caller, talk)
    }

    fn relay(&self, parcel: Parcel, talk: &mut Talk<'_>) -> Next<Step> {
        let relaying = Relaying { parcel, refused: BTreeMap::new() };
        let envelope = &relaying.parcel.envelope;
        let offered = &self.extensions;
        if envelope.smtputf8 && !offered.smtputf8 {
            clause!(SM_061);
            let text = "The server does not take internationalized mail";
            relaying.refuse_all(&Refusal::new(550, "5.6.7", text), talk);
            return Next::Idle;
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
        Next::Step(Step::Mail(relaying))
    }

    fn mail(&self, relaying: Relaying, reply: &Reply, talk: &mut Talk<'_>) -> Next<Step> {
        match refusal_of(reply) {
            None => self.next_rcpt(relaying, 0, talk),
            Some(refusal) => {
                relaying.refuse_all(&refusal, talk);
                Next::Idle
            }
        }
    }

    fn next_rcpt(&self, relaying: Relaying, place: usize, talk: &mut Talk<'_>) -> Next<Step> {
        let recipients = &relaying.parcel.envelope.recipients;
        if let Some(recipient) = recipients.get(place) {
            let dsn = self.extensions.dsn;
            // What the sender did not ask for nobody asks for: RFC 3461 section 5.2.2.
            let asked = Some(recipient.notify).filter(|notify| *notify != Notify::default());
            let rcpt = Rcpt {
                notify: asked.filter(|_| dsn),
                original: recipient.original.clone().filter(|_| dsn),
                ..Rcpt::to(recipient.address.clone())
            };
            talk.line(Command::Rcpt(rcpt).encode());
            return Next::Step(Step::Rcpt(relaying, place));
        }
        if relaying.refused.len() == recipients.len() {
            talk.line(Command::Rset.encode());
            return Next::Step(Step::Rset);
        }
        talk.line(Command::Data.encode());
        Next::Step(Step::Data(relaying))
    }

    fn rcpt(
        &self,
        mut relaying: Relaying,
        place: usize,
        reply: &Reply,
        talk: &mut Talk<'_>,
    ) -> Next<Step> {
        if let Some(refusal) = refusal_of(reply) {
            clause!(SM_062);
            let index = relaying.parcel.envelope.recipients[place].index;
            relaying.result(index, Outcome::Refused(refusal.clone()), talk);
            relaying.refused.insert(index, refusal);
        }
        self.next_rcpt(relaying, place + 1, talk)
    }

    fn data(
        relaying: Relaying,
        reply: &Reply,
        caller: &Caller,
        talk: &mut Talk<'_>,
    ) -> Result<Next<Step>, Ended> {
        if reply.code() == 354 {
            let prefix = lines_above(&relaying.parcel.envelope).into_bytes();
            let body = relaying.parcel.body;
            talk.say(Wire::Content { prefix, body, coding: Coding::Dots, from: 0 });
            return Ok(Next::Step(Step::Content(relaying)));
        }
        match reply.refusal() {
            Some(refusal) => {
                relaying.refuse_all(&refusal, talk);
                talk.line(Command::Rset.encode());
                Ok(Next::Step(Step::Rset))
            }
            None => Err(caller.unexpected("354", reply, talk)),
        }
    }

    fn content(
        &self,
        relaying: &Relaying,
        reply: &Reply,
        caller: &Caller,
        talk: &mut Talk<'_>,
    ) -> Result<Next<Step>, Ended> {
        clause!(SM_062);
        match (reply.is_positive(), reply.refusal()) {
            // Whether the server was told whom to tell decides who tells the sender of the success.
            (true, _) if self.extensions.dsn => relaying.result_for_all(&Outcome::Delivered, talk),
            (true, _) => relaying.relayed(talk),
            (false, Some(refusal)) => relaying.refuse_all(&refusal, talk),
            (false, None) => return Err(caller.unexpected("250", reply, talk)),
        }
        Ok(Next::Idle)
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

    /// The server has taken it for all others, and knows of no duty to tell of its success.
    fn relayed(&self, talk: &mut Talk<'_>) {
        clause!(SM_064);
        let envelope = &self.parcel.envelope;
        for recipient in &envelope.recipients {
            if !self.refused.contains_key(&recipient.index) {
                let (origin, index) = (envelope.origin.clone(), recipient.index);
                talk.tell(Pdu::Relayed { origin, index });
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

impl Dialogue for RelayClient {
    type Step = Step;

    const FAR_END: &'static str = "the server";
    const BANNER_WAIT: Span = GREETING_WAIT;

    fn greet(&mut self, talk: &mut Talk<'_>) -> Step {
        Self::ehlo(talk)
    }

    fn is_handshake(step: &Step) -> bool {
        matches!(step, Step::Ehlo | Step::Helo | Step::StartTls | Step::Securing)
    }

    fn awaits_host(step: &Step) -> bool {
        matches!(step, Step::Securing)
    }

    fn secured(
        &mut self,
        _: Option<&MemberName>,
        _: &Caller,
        talk: &mut Talk<'_>,
    ) -> Result<Next<Step>, Ended> {
        clause!(SM_129);
        self.secured = true;
        self.extensions = Extensions::default();
        Ok(Next::Step(Self::ehlo(talk)))
    }

    fn unsecured(&mut self, reason: String, caller: &Caller, talk: &mut Talk<'_>) -> Ended {
        self.note_failure(talk);
        caller.refused(format!("TLS has failed: {reason}"), talk)
    }

    fn overdue(&mut self, caller: &Caller, talk: &mut Talk<'_>) -> Ended {
        self.note_failure(talk);
        caller.overdue(talk)
    }

    fn reply(
        &mut self,
        step: Step,
        reply: &Reply,
        caller: &mut Caller,
        talk: &mut Talk<'_>,
    ) -> Result<Next<Step>, Ended> {
        match step {
            Step::Ehlo => self.offered(reply, caller, talk),
            Step::Helo => self.helo(reply, caller, talk),
            Step::StartTls => self.may_secure(reply, caller, talk),
            Step::Securing => unreachable!("the host has the next word"),
            Step::Mail(relaying) => Ok(self.mail(relaying, reply, talk)),
            Step::Rcpt(relaying, place) => Ok(self.rcpt(relaying, place, reply, talk)),
            Step::Data(relaying) => Self::data(relaying, reply, caller, talk),
            Step::Content(relaying) => self.content(&relaying, reply, caller, talk),
            Step::Rset => Ok(Next::Idle),
        }
    }

    fn begin(&mut self, pdu: Pdu, _: &Caller, talk: &mut Talk<'_>) -> Next<Step> {
        let Pdu::Relay(parcel) = pdu else {
            talk.log(Tag::Relay, SessionEvent::Unspoken);
            return Next::Idle;
        };
        self.relay(parcel, talk)
    }
}
