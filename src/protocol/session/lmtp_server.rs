//! The session of a member on our delivery port: LMTP (RFC 2033), one truthful result per recipient.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::elsewhere::{Elsewhere, is_open_here};
use super::smtp_server::{BODY_WAIT, COMMAND_WAIT, ERRORS_LIMIT, body_refusal};
use super::talk::{Conversation, Talk};
use super::{SessionEvent, Tag};
use crate::clause;
use crate::kernel::{Gate, LinkChange, Time};
use crate::protocol::member::{Parcel, Pdu, Security};
use crate::protocol::server::{BodyProblem, Wire};
use crate::wire::deliver::{self, Found, Inquire};
use crate::wire::framer::EXPECTED_LINE_END;
use crate::wire::ids::{Epoch, MemberName, OriginId};
use crate::wire::message::{Body, Envelope, Recipient, Refusal};
use crate::wire::restrictions::Priority;
use crate::wire::smtp::{
    BodyKind, COMMAND_LINE_LIMIT, Command, Extensions, Mail, Rcpt, Reply, Status,
};
use crate::wire::{DecodeError, Mode};

/// A session with one member.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct LmtpServer {
    remote: String,
    /// The member whose name the client may claim.
    candidate: Option<MemberName>,
    /// The member at the far end, once it has said LHLO.
    peer: Option<MemberName>,
    greeted: bool,
    transaction: Option<Transaction>,
    errors: u32,
    finishing: bool,
    /// When the content at hand has to be complete.
    content_until: Time,
    state: State,
}

/// What MAIL and RCPT have said so far.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Transaction {
    mail: Mail,
    origin: OriginId,
    recipients: Vec<Recipient>,
    epochs: BTreeMap<u32, Epoch>,
}

/// What is awaited, and from whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State {
    /// The client: a command.
    Command,
    /// The client: the content.
    Content,
    /// Custody: one result for each recipient.
    Results(Results),
    /// Custody: what is recorded for this recipient.
    Found(OriginId, u32),
    /// Nobody: the conversation is over.
    Over,
}

/// The results of one message: told in the order of RCPT, whatever the order in which they come.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Results {
    origin: OriginId,
    awaited: VecDeque<u32>,
    /// Replies that came before their turn, with the gate of each.
    early: BTreeMap<u32, (Reply, Gate)>,
}

impl LmtpServer {
    /// The session of a client at `remote`, which has proved to be `candidate`, if it is a member.
    pub(in crate::protocol) const fn new(remote: String, candidate: Option<MemberName>) -> Self {
        Self {
            remote,
            candidate,
            peer: None,
            greeted: false,
            transaction: None,
            errors: 0,
            finishing: false,
            content_until: Time(0),
            state: State::Command,
        }
    }

    fn answer(&mut self, reply: &Reply, talk: &mut Talk<'_>) {
        say(reply, talk);
        self.listen(talk);
    }

    fn refuse(&mut self, code: u16, status: Status, text: &str, talk: &mut Talk<'_>) {
        self.answer(&Reply::new(code, status, text), talk);
    }

    /// Answers a command that should not have been said. Too many of them end the conversation.
    fn blame(&mut self, reply: &Reply, talk: &mut Talk<'_>) {
        self.errors += 1;
        if self.errors >= ERRORS_LIMIT {
            clause!(SM_007);
            let text = "Too many errors, closing the connection";
            return self.hang_up(&Reply::new(421, Status::new(4, 7, 0), text), talk);
        }
        self.answer(reply, talk);
    }

    fn out_of_order(&mut self, text: &str, talk: &mut Talk<'_>) {
        clause!(SM_003);
        self.blame(&Reply::new(503, Status::new(5, 5, 1), text), talk);
    }

    fn listen(&mut self, talk: &mut Talk<'_>) {
        self.state = State::Command;
        if self.finishing {
            let text = format!("{} is shutting down", talk.config.member);
            return self.hang_up(&Reply::new(421, Status::new(4, 3, 2), &text), talk);
        }
        talk.receive(Mode::Line(COMMAND_LINE_LIMIT));
        // A member may be silent for long: custody watches it.
        if self.peer.is_none() {
            talk.wait(COMMAND_WAIT);
        } else {
            talk.rest();
        }
    }

    fn hang_up(&mut self, reply: &Reply, talk: &mut Talk<'_>) {
        say(reply, talk);
        self.end(LinkChange::Closed, talk);
    }

    fn end(&mut self, change: LinkChange, talk: &mut Talk<'_>) {
        self.state = State::Over;
        talk.end(change);
    }

    fn line(&mut self, line: &[u8], talk: &mut Talk<'_>) {
        let verb = line.split(|octet| *octet == b' ').next().unwrap_or_default();
        if verb.eq_ignore_ascii_case(b"X-DELIVER") && self.peer.is_none() {
            return self.not_a_member(talk);
        }
        match Command::decode(line) {
            Ok(command) => self.command(command, talk),
            Err(error) => {
                clause!(SM_004);
                talk.malformed(Tag::Deliver, error.place(), line);
                self.blame(&error.reply(), talk);
            }
        }
    }

    fn command(&mut self, command: Command, talk: &mut Talk<'_>) {
        let ok = Reply::new(250, Status::new(2, 0, 0), "Ok");
        match command {
            Command::Lhlo(name) => self.greet(&name, talk),
            Command::Mail(mail) => self.mail(mail, talk),
            Command::Rcpt(rcpt) => self.rcpt(rcpt, talk),
            Command::Data => self.data(talk),
            Command::Rset => {
                self.transaction = None;
                self.answer(&ok, talk);
            }
            Command::Noop => self.answer(&ok, talk),
            Command::Vrfy(_) => {
                clause!(SM_005);
                let text = "Cannot verify, but will take mail for it and try to deliver";
                self.answer(&Reply::new(252, Status::new(2, 1, 5), text), talk);
            }
            Command::Quit => self.hang_up(&Reply::new(221, Status::new(2, 0, 0), "Bye"), talk),
            Command::Deliver(inquire) => self.inquire(inquire, talk),
            Command::Ehlo(_)
            | Command::Helo(_)
            | Command::Bdat { .. }
            | Command::StartTls
            | Command::Auth(_)
            | Command::Submit(_)
            | Command::LinkState(_) => {
                clause!(SM_070);
                let text = "this port speaks LMTP: LHLO";
                self.blame(&Reply::new(500, Status::new(5, 5, 1), text), talk);
            }
        }
    }

    fn greet(&mut self, name: &str, talk: &mut Talk<'_>) {
        self.transaction = None;
        self.greeted = true;
        if self.peer.is_none()
            && let Some(candidate) = self.candidate.clone()
            && (talk.config.security == Security::Tls
                || name.eq_ignore_ascii_case(candidate.as_str()))
        {
            clause!(SM_020);
            talk.inbound(candidate.clone());
            talk.log(Tag::Deliver, SessionEvent::Proved(candidate.clone()));
            self.peer = Some(candidate);
        }
        let offer = Extensions {
            pipelining: true,
            size: Some(talk.config.policy.message_limit_octets),
            eight_bit_mime: true,
            smtputf8: true,
            enhanced_status_codes: true,
            dsn: self.peer.is_some(),
            deliver: self.peer.is_some(),
            arrived: true,
            ..Extensions::default()
        };
        self.answer(&offer.reply(talk.config.member.as_str()), talk);
    }

    fn mail(&mut self, mut mail: Mail, talk: &mut Talk<'_>) {
        if !self.greeted {
            return self.out_of_order("LHLO first", talk);
        }
        if self.transaction.is_some() {
            return self.out_of_order("A message is under way already", talk);
        }
        let (Some(_), Some(origin)) = (&self.peer, mail.origin.take()) else {
            return self.not_a_member(talk);
        };
        if mail.auth.is_some() || mail.body == Some(BodyKind::BinaryMime) {
            clause!(SM_004);
            let text = "unknown parameter";
            return self.blame(&Reply::new(555, Status::new(5, 5, 4), text), talk);
        }
        let limit = talk.config.policy.message_limit_octets;
        if mail.size.is_some_and(|size| size > limit) {
            clause!(SM_011);
            let text = format!("A message may have {limit} octets");
            return self.refuse(552, Status::new(5, 3, 4), &text, talk);
        }
        self.transaction =
            Some(Transaction { mail, origin, recipients: Vec::new(), epochs: BTreeMap::new() });
        self.answer(&Reply::new(250, Status::new(2, 1, 0), "Ok"), talk);
    }

    /// Deliveries come from members only, and under an origin id: else nobody could tell a repeat.
    fn not_a_member(&mut self, talk: &mut Talk<'_>) {
        clause!(SM_071);
        talk.misbehaved(Tag::Deliver, "a proved member, and XORIGIN", self.remote.as_bytes());
        let text = "Only members of the organization deliver here, with XORIGIN";
        self.blame(&Reply::new(530, Status::new(5, 7, 0), text), talk);
    }

    fn rcpt(&mut self, rcpt: Rcpt, talk: &mut Talk<'_>) {
        let Some(transaction) = &mut self.transaction else {
            return self.out_of_order("MAIL first", talk);
        };
        let Some(index) = rcpt.index else {
            let text = "XINDEX is needed for each recipient";
            return self.blame(&Reply::new(501, Status::new(5, 5, 4), text), talk);
        };
        if transaction.recipients.iter().any(|recipient| recipient.index == index) {
            let text = "XINDEX names another recipient already";
            return self.blame(&Reply::new(501, Status::new(5, 5, 4), text), talk);
        }
        if transaction.recipients.len() >= talk.config.policy.recipients_limit as usize {
            clause!(SM_012);
            let refusal = Refusal::new(452, "4.5.3", "too many recipients");
            return self.answer(&deliver::refusal_reply(index, &refusal), talk);
        }
        let epoch = rcpt.epoch.unwrap_or_default();
        let reply = match is_open_here(talk, &rcpt.recipient, epoch) {
            Ok(()) => {
                transaction.epochs.extend(rcpt.epoch.map(|epoch| (index, epoch)));
                transaction.recipients.push(Recipient {
                    index,
                    address: rcpt.recipient,
                    notify: rcpt.notify.unwrap_or_default(),
                    original: rcpt.original,
                    suspect: rcpt.suspect,
                });
                deliver::recipient_reply(index)
            }
            Err(Elsewhere::Refused(refusal)) => deliver::refusal_reply(index, &refusal),
            Err(Elsewhere::Moved(to)) => deliver::moved_reply(index, &to),
        };
        self.answer(&reply, talk);
    }

    fn data(&mut self, talk: &mut Talk<'_>) {
        let Some(transaction) = &self.transaction else {
            return self.out_of_order("MAIL first", talk);
        };
        if transaction.recipients.is_empty() {
            let reply = Reply::new(503, Status::new(5, 5, 1), "No valid recipients");
            return self.blame(&reply, talk);
        }
        say(&Reply::plain(354, "End data with <CR><LF>.<CR><LF>"), talk);
        talk.receive(Mode::Dots(talk.config.policy.message_limit_octets));
        self.content_until = talk.now + BODY_WAIT;
        talk.wait_for_content(self.content_until);
        self.state = State::Content;
    }

    fn content(&mut self, body: Body, talk: &mut Talk<'_>) {
        let Some(transaction) = self.transaction.take() else {
            return self.out_of_order("MAIL first", talk);
        };
        talk.rest();
        let Transaction { mail, origin, recipients, epochs } = transaction;
        let mut awaited: VecDeque<u32> =
            recipients.iter().map(|recipient| recipient.index).collect();
        if talk.config.faults.is_on("results-by-index") {
            awaited.make_contiguous().sort_unstable();
        }
        let envelope = Envelope {
            origin: origin.clone(),
            sender: mail.sender,
            recipients,
            arrived: mail.arrived.unwrap_or(talk.now),
            expires: talk.now,
            ret: mail.ret,
            envid: mail.envid,
            smtputf8: mail.smtputf8,
            // Custody adds the hop to us; those before it stand in the body already.
            hops: Vec::new(),
            routed_by: BTreeMap::new(),
            fields: Vec::new(),
            content: mail.digest,
            rules_due: false,
            unqueued: false,
            attempts: 0,
            submitter: None,
            priority: Priority::Normal,
        };
        talk.tell(Pdu::Deliver(Parcel { envelope, body, epochs }));
        self.state = State::Results(Results { origin, awaited, early: BTreeMap::new() });
    }

    fn no_content(&mut self, problem: BodyProblem, talk: &mut Talk<'_>) {
        clause!(SM_075);
        if let BodyProblem::BareLineEnd(offset) = problem {
            talk.bare_line_end(Tag::Deliver, offset);
        }
        let reply = body_refusal(problem, talk.config.policy.message_limit_octets);
        let refusal = reply.refusal();
        let recipients = self.transaction.take().map(|t| t.recipients).unwrap_or_default();
        for recipient in recipients {
            if let Some(refusal) = &refusal {
                say(&deliver::refusal_reply(recipient.index, refusal), talk);
            }
        }
        self.listen(talk);
    }

    /// Says a result when its turn has come, and those that waited for it.
    fn result(
        &mut self,
        mut results: Results,
        (origin, index, reply): (OriginId, u32, Reply),
        talk: &mut Talk<'_>,
    ) {
        if origin != results.origin || !results.awaited.contains(&index) {
            self.state = State::Results(results);
            return talk.log(Tag::Deliver, SessionEvent::Unspoken);
        }
        clause!(SM_076);
        results.early.insert(index, (reply, talk.gate()));
        while let Some(first) = results.awaited.front() {
            let Some((reply, gate)) = results.early.remove(first) else { break };
            talk.hold_for(gate);
            say(&reply, talk);
            results.awaited.pop_front();
        }
        if results.awaited.is_empty() {
            assert!(results.early.is_empty(), "every result belongs to a recipient");
            return self.listen(talk);
        }
        self.state = State::Results(results);
    }

    fn inquire(&mut self, inquire: Inquire, talk: &mut Talk<'_>) {
        if self.peer.is_none() {
            return self.not_a_member(talk);
        }
        let Inquire { origin, index, epoch, address, arrived } = inquire;
        let recipients = alloc::vec![(index, address, epoch)];
        talk.tell(Pdu::Inquire { origin: origin.clone(), recipients, arrived });
        self.state = State::Found(origin, index);
    }

    fn bad_line(&mut self, error: DecodeError, said: &[u8], talk: &mut Talk<'_>) {
        clause!(SM_009);
        talk.malformed(Tag::Deliver, error, said);
        let is_long = error.expected == EXPECTED_LINE_END;
        let text = if is_long { String::from("Line too long") } else { format!("{error}") };
        self.blame(&Reply::new(500, Status::new(5, 5, 2), &text), talk);
    }
}

/// What custody says to INQUIRE, and of whom.
fn found_of(pdu: Pdu) -> Option<(OriginId, u32, Found)> {
    match pdu {
        Pdu::Result { origin, index, outcome } => Some((origin, index, Found::Final(outcome))),
        Pdu::NoResult { origin, index } => Some((origin, index, Found::Unknown)),
        Pdu::NoJournal { origin, index } => {
            clause!(WI_049);
            Some((origin, index, Found::Forgotten))
        }
        Pdu::Moved { origin, index, to } => Some((origin, index, Found::Moved(to))),
        _ => None,
    }
}

fn say(reply: &Reply, talk: &mut Talk<'_>) {
    for line in reply.encode() {
        talk.line(line);
    }
}

impl Conversation for LmtpServer {
    fn start(&mut self, talk: &mut Talk<'_>) {
        let banner = format!("{} LMTP Bridgehead ready", talk.config.member);
        self.answer(&Reply::plain(220, &banner), talk);
    }

    fn hear(&mut self, wire: Wire, talk: &mut Talk<'_>) {
        match (&self.state, wire) {
            (State::Command, Wire::Line(line)) => self.line(&line, talk),
            (State::Command, Wire::Bad { error, said }) => self.bad_line(error, &said, talk),
            (State::Content, Wire::Body(body)) => self.content(body, talk),
            (State::Content, Wire::NoBody(problem)) => self.no_content(problem, talk),
            (State::Content, Wire::Progress) => {
                clause!(SM_010);
                talk.wait_for_content(self.content_until);
            }
            // The far end may still read what it waits for.
            (State::Results(_) | State::Found(..), Wire::End) => self.finishing = true,
            (State::Command | State::Content, Wire::End) => self.end(LinkChange::Closed, talk),
            // Nothing else was asked for: the host gives units as a session asks for them.
            _ => {}
        }
    }

    fn say(&mut self, pdu: Pdu, talk: &mut Talk<'_>) {
        match (core::mem::replace(&mut self.state, State::Over), pdu) {
            (State::Results(results), Pdu::Result { origin, index, outcome }) => {
                let reply = deliver::result_reply(index, &outcome);
                self.result(results, (origin, index, reply), talk);
            }
            (State::Results(results), Pdu::Moved { origin, index, to }) => {
                let reply = deliver::moved_reply(index, &to);
                self.result(results, (origin, index, reply), talk);
            }
            (State::Results(results), Pdu::Refused(refusal)) => {
                for index in &results.awaited {
                    say(&deliver::refusal_reply(*index, &refusal), talk);
                }
                self.listen(talk);
            }
            (State::Found(..), Pdu::Refused(refusal)) => self.answer(&Reply::from(&refusal), talk),
            (State::Found(origin, n), pdu) => match found_of(pdu) {
                Some((o, index, found)) if o == origin && index == n => {
                    clause!(SM_077);
                    self.answer(&deliver::found_reply(index, &found), talk);
                }
                _ => {
                    self.state = State::Found(origin, n);
                    talk.log(Tag::Deliver, SessionEvent::Unspoken);
                }
            },
            (state, _) => {
                self.state = state;
                talk.log(Tag::Deliver, SessionEvent::Unspoken);
            }
        }
    }

    fn leave(&mut self, talk: &mut Talk<'_>) {
        if self.state != State::Over {
            let text = format!("{} closes the connection", talk.config.member);
            self.hang_up(&Reply::new(421, Status::new(4, 3, 2), &text), talk);
        }
    }

    fn finish(&mut self, talk: &mut Talk<'_>) {
        clause!(SM_008);
        let is_told_again = core::mem::replace(&mut self.finishing, true);
        if self.state == State::Command || (is_told_again && self.state == State::Content) {
            self.listen(talk);
        }
    }

    fn overdue(&mut self, talk: &mut Talk<'_>) {
        let text = match self.state {
            State::Command => "Timed out waiting for a command",
            State::Content => "Timed out within the content",
            // Custody or the disk is slow: that is not the client's fault.
            _ => return,
        };
        clause!(SM_010);
        talk.log(Tag::Deliver, SessionEvent::TimedOut);
        self.hang_up(&Reply::new(421, Status::new(4, 4, 2), text), talk);
    }
}
