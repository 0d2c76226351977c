//! Our session on the delivery port of another member.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;

use super::caller::{Caller, Ended, MEMBER_WAIT};
use super::calling::{Calling, Dialogue, Next};
use super::received::lines_above;
use super::stock::Stock;
use super::talk::Talk;
use super::{SessionEvent, Tag};
use crate::clause;
use crate::kernel::{Span, Time};
use crate::protocol::member::{Parcel, Pdu};
use crate::protocol::server::{Coding, Wire};
use crate::wire::deliver::{self, Found, Inquire};
use crate::wire::ids::{Epoch, MemberName, OriginId};
use crate::wire::message::{Address, Notify, Outcome, Refusal};
use crate::wire::smtp::{Command, Extensions, Mail, REPLY_LINES_LIMIT, Rcpt, Reply};

/// What is said to the host of an account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct LmtpClient {
    host: MemberName,
    /// The host is a mail store without `X-DELIVER`.
    stock: Option<Stock>,
    /// The host understands XARRIVED.
    arrived: bool,
    /// The host is told what the client has asked for by RFC 3461.
    dsn: bool,
}

/// Which reply is awaited.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::protocol) enum Step {
    /// To LHLO.
    Lhlo,
    /// To MAIL.
    Mail(Delivering),
    /// To RCPT for the recipient at this place.
    Rcpt(Delivering, usize),
    /// To DATA.
    Data(Delivering),
    /// To the content: one for each of those that still await it.
    Content(Delivering),
    /// To INQUIRE, with what is still to be asked.
    Inquire(Inquiry),
    /// To RSET, behind a message that nobody was to get.
    Rset,
}

/// What is still to be asked about a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct Inquiry {
    origin: OriginId,
    recipients: VecDeque<(u32, Address, Epoch)>,
    arrived: Option<Time>,
}

/// A message under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct Delivering {
    parcel: Parcel,
    /// The recipients that RCPT accepted and that have no result yet, in order.
    accepted: VecDeque<u32>,
}

impl LmtpClient {
    /// A session, before its connection is open.
    pub(in crate::protocol) const fn calling(host: MemberName) -> Calling<Self> {
        Calling::new(
            Self { host, stock: None, arrived: false, dsn: false },
            Tag::Deliver,
            REPLY_LINES_LIMIT,
        )
    }

    fn offered(
        &mut self,
        reply: &Reply,
        caller: &mut Caller,
        talk: &mut Talk<'_>,
    ) -> Result<Next<Step>, Ended> {
        if reply.code() != 250 {
            return Err(caller.declined("LHLO", reply, talk));
        }
        let offered = Extensions::of(reply);
        if !offered.deliver {
            if talk.config.organization.store(&self.host).is_none() {
                clause!(SM_072);
                let reason = String::from("a host that does not offer X-DELIVER");
                return Err(caller.refused(reason, talk));
            }
            clause!(DE_072);
            talk.log(Tag::Deliver, SessionEvent::NoJournal);
            self.stock = Some(Stock(offered.clone()));
        }
        self.arrived = offered.arrived;
        self.dsn = offered.dsn;
        caller.up(talk);
        Ok(Next::Idle)
    }

    fn deliver(&self, parcel: Parcel, talk: &mut Talk<'_>) -> Next<Step> {
        let mail = match &self.stock {
            Some(stock) => stock.mail(&parcel),
            None => Ok(self.journalled(&parcel)),
        };
        let delivering = Delivering { parcel, accepted: VecDeque::new() };
        match mail {
            Ok(mail) => {
                talk.line(Command::Mail(mail).encode());
                Next::Step(Step::Mail(delivering))
            }
            Err(refusal) => {
                let recipients = delivering.parcel.envelope.recipients.iter();
                delivering.refuse(recipients.map(|recipient| recipient.index), &refusal, talk);
                Next::Idle
            }
        }
    }

    fn mail(&self, delivering: Delivering, reply: &Reply, talk: &mut Talk<'_>) -> Next<Step> {
        if reply.is_positive() {
            return self.next_rcpt(delivering, 0, talk);
        }
        let refusal = self.about_nobody(refusal_of(reply));
        let recipients = delivering.parcel.envelope.recipients.iter();
        delivering.refuse(recipients.map(|recipient| recipient.index), &refusal, talk);
        Next::Idle
    }

    fn next_rcpt(&self, delivering: Delivering, place: usize, talk: &mut Talk<'_>) -> Next<Step> {
        if let Some(recipient) = delivering.parcel.envelope.recipients.get(place) {
            let epoch = delivering.parcel.epochs.get(&recipient.index).copied();
            let rcpt = match self.stock {
                Some(_) => Stock::rcpt(recipient),
                None => Rcpt {
                    notify: Some(recipient.notify).filter(|asked| self.tells(*asked)),
                    original: recipient.original.clone().filter(|_| self.dsn),
                    index: Some(recipient.index),
                    epoch,
                    suspect: recipient.suspect,
                    ..Rcpt::to(recipient.address.clone())
                },
            };
            talk.line(Command::Rcpt(rcpt).encode());
            return Next::Step(Step::Rcpt(delivering, place));
        }
        if delivering.accepted.is_empty() {
            talk.line(Command::Rset.encode());
            return Next::Step(Step::Rset);
        }
        talk.line(Command::Data.encode());
        Next::Step(Step::Data(delivering))
    }

    fn rcpt(
        &self,
        mut delivering: Delivering,
        place: usize,
        reply: &Reply,
        caller: &Caller,
        talk: &mut Talk<'_>,
    ) -> Result<Next<Step>, Ended> {
        let index = delivering.parcel.envelope.recipients[place].index;
        if self.stock.is_none() && delivering.moved(index, reply, talk) {
            return Ok(self.next_rcpt(delivering, place + 1, talk));
        }
        match self.outcome(index, reply, caller, talk)? {
            Outcome::Delivered => delivering.accepted.push_back(index),
            refused @ Outcome::Refused(_) => delivering.tell(index, refused, talk),
        }
        Ok(self.next_rcpt(delivering, place + 1, talk))
    }

    /// What a reply says of the recipient with this index. A word about another one, or a yes about
    /// nobody, could be taken for a result that nobody gave.
    fn outcome(
        &self,
        index: u32,
        reply: &Reply,
        caller: &Caller,
        talk: &mut Talk<'_>,
    ) -> Result<Outcome, Ended> {
        if self.stock.is_some() {
            let outcome = Stock::outcome(reply);
            return outcome.ok_or_else(|| caller.unexpected("a final reply", reply, talk));
        }
        clause!(SM_073);
        let faults = &talk.config.faults;
        match deliver::decode_result(reply) {
            Ok((Some(_), outcome)) if faults.is_on("any-result-counts") => Ok(outcome),
            Ok((None, outcome)) if faults.is_on("refusal-of-nobody-counts") => Ok(outcome),
            Ok((Some(n), outcome)) if n == index => Ok(outcome),
            Ok((None, Outcome::Refused(refusal))) => Ok(Outcome::Refused(softened(&refusal))),
            _ => {
                let expected = format!("a final reply about [{index}]");
                Err(caller.unexpected(&expected, reply, talk))
            }
        }
    }

    /// A refusal of MAIL or DATA. A stock server has no other words for all recipients.
    fn about_nobody(&self, refusal: Refusal) -> Refusal {
        if self.stock.is_some() { refusal } else { softened(&refusal) }
    }

    fn data(
        &self,
        delivering: Delivering,
        reply: &Reply,
        caller: &Caller,
        talk: &mut Talk<'_>,
    ) -> Result<Next<Step>, Ended> {
        if reply.code() == 354 {
            let accepted = |index| delivering.accepted.contains(&index);
            let prefix = match self.stock {
                Some(_) => Stock::prefix(&delivering.parcel, accepted),
                None => lines_above(&delivering.parcel.envelope),
            };
            let prefix = prefix.into_bytes();
            let body = delivering.parcel.body;
            talk.say(Wire::Content { prefix, body, coding: Coding::Dots, from: 0 });
            return Ok(Next::Step(Step::Content(delivering)));
        }
        let Some(refusal) = reply.refusal() else {
            return Err(caller.unexpected("354", reply, talk));
        };
        let refusal = self.about_nobody(refusal);
        delivering.refuse(delivering.accepted.iter().copied(), &refusal, talk);
        talk.line(Command::Rset.encode());
        Ok(Next::Step(Step::Rset))
    }

    fn result(
        &self,
        mut delivering: Delivering,
        reply: &Reply,
        caller: &Caller,
        talk: &mut Talk<'_>,
    ) -> Result<Next<Step>, Ended> {
        let Some(index) = delivering.accepted.pop_front() else { return Ok(Next::Idle) };
        if !delivering.moved(index, reply, talk) {
            let outcome = self.outcome(index, reply, caller, talk)?;
            delivering.tell(index, outcome, talk);
        }
        let is_last = delivering.accepted.is_empty();
        Ok(if is_last { Next::Idle } else { Next::Step(Step::Content(delivering)) })
    }

    fn inquire(&self, inquiry: Inquiry, talk: &mut Talk<'_>) -> Next<Step> {
        let Inquiry { origin, recipients, arrived } = &inquiry;
        if self.stock.is_some() {
            for (index, ..) in recipients {
                talk.tell(Pdu::NoJournal { origin: origin.clone(), index: *index });
            }
            return Next::Idle;
        }
        let Some((index, address, epoch)) = recipients.front().cloned() else { return Next::Idle };
        clause!(DE_088);
        let arrived = arrived.filter(|_| self.arrived);
        let inquire = Inquire { origin: origin.clone(), index, epoch, address, arrived };
        talk.line(Command::Deliver(inquire).encode());
        Next::Step(Step::Inquire(inquiry))
    }

    fn found(
        &self,
        mut inquiry: Inquiry,
        reply: &Reply,
        caller: &Caller,
        talk: &mut Talk<'_>,
    ) -> Result<Next<Step>, Ended> {
        let index = inquiry.recipients.pop_front().map(|(index, ..)| index);
        let found = match deliver::decode_found(reply) {
            Ok((n, found)) if Some(n) == index => found,
            _ => return Err(caller.unexpected("an answer to INQUIRE", reply, talk)),
        };
        let (origin, index) = (inquiry.origin.clone(), index.unwrap_or_default());
        talk.tell(match found {
            Found::Final(outcome) => Pdu::Result { origin, index, outcome },
            Found::Unknown => Pdu::NoResult { origin, index },
            Found::Moved(to) => Pdu::Moved { origin, index, to },
            Found::Forgotten => Pdu::NoJournal { origin, index },
        });
        Ok(self.inquire(inquiry, talk))
    }

    /// Whether the host is to know of this: the default need not be said.
    fn tells(&self, asked: Notify) -> bool {
        self.dsn && asked != Notify::default()
    }

    /// The MAIL command for a host that keeps a journal.
    fn journalled(&self, parcel: &Parcel) -> Mail {
        clause!(DE_032);
        clause!(DE_088);
        clause!(DE_095);
        let envelope = &parcel.envelope;
        Mail {
            ret: envelope.ret.filter(|_| self.dsn),
            envid: envelope.envid.clone().filter(|_| self.dsn),
            smtputf8: envelope.smtputf8,
            origin: Some(envelope.origin.clone()),
            digest: Some(parcel.body.digest),
            arrived: self.arrived.then_some(envelope.arrived),
            ..Mail::from(envelope.sender.clone())
        }
    }
}

impl Delivering {
    fn refuse(
        &self,
        recipients: impl Iterator<Item = u32>,
        refusal: &Refusal,
        talk: &mut Talk<'_>,
    ) {
        for index in recipients {
            self.tell(index, Outcome::Refused(refusal.clone()), talk);
        }
    }

    /// Tells custody where the account of a recipient is, if the reply says so.
    fn moved(&self, index: u32, reply: &Reply, talk: &mut Talk<'_>) -> bool {
        let moved = deliver::decode_moved(reply).filter(|(n, _)| *n == index);
        let Some((index, to)) = moved else { return false };
        let origin = self.parcel.envelope.origin.clone();
        talk.tell(Pdu::Moved { origin, index, to });
        true
    }

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

impl Dialogue for LmtpClient {
    type Step = Step;

    const FAR_END: &'static str = "the host";
    const BANNER_WAIT: Span = MEMBER_WAIT;

    fn greet(&mut self, talk: &mut Talk<'_>) -> Step {
        talk.line(Command::Lhlo(String::from(talk.config.member.as_str())).encode());
        talk.wait(MEMBER_WAIT);
        Step::Lhlo
    }

    fn is_handshake(step: &Step) -> bool {
        matches!(step, Step::Lhlo)
    }

    fn reply(
        &mut self,
        step: Step,
        reply: &Reply,
        caller: &mut Caller,
        talk: &mut Talk<'_>,
    ) -> Result<Next<Step>, Ended> {
        match step {
            Step::Lhlo => self.offered(reply, caller, talk),
            Step::Mail(delivering) => Ok(self.mail(delivering, reply, talk)),
            Step::Rcpt(delivering, place) => self.rcpt(delivering, place, reply, caller, talk),
            Step::Data(delivering) => self.data(delivering, reply, caller, talk),
            Step::Content(delivering) => self.result(delivering, reply, caller, talk),
            Step::Inquire(inquiry) => self.found(inquiry, reply, caller, talk),
            Step::Rset => Ok(Next::Idle),
        }
    }

    fn begin(&mut self, pdu: Pdu, _: &Caller, talk: &mut Talk<'_>) -> Next<Step> {
        match pdu {
            Pdu::Deliver(parcel) => self.deliver(parcel, talk),
            Pdu::Inquire { origin, recipients, arrived } => {
                self.inquire(Inquiry { origin, recipients: recipients.into(), arrived }, talk)
            }
            _ => {
                talk.log(Tag::Deliver, SessionEvent::Unspoken);
                Next::Idle
            }
        }
    }
}
