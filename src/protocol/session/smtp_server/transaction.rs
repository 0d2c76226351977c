//! MAIL, RCPT and DATA: mail from outside.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{SmtpServer, State};
use crate::clause;
use crate::protocol::member::{Candidate, NewMail, Pdu};
use crate::protocol::server::{BodyProblem, Charge};
use crate::protocol::session::Talk;
use crate::wire::Mode;
use crate::wire::hops::RECEIVED_LIMIT;
use crate::wire::message::{Address, Body, Recipient};
use crate::wire::smtp::{BodyKind, Mail, Rcpt, Reply, Status};

/// What MAIL and RCPT have said so far.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Transaction {
    mail: Mail,
    recipients: Vec<Recipient>,
}

impl SmtpServer {
    pub(super) fn mail(&mut self, mail: Mail, talk: &mut Talk<'_>) {
        if self.peer.is_some() {
            clause!(SM_021);
            return self.out_of_order(talk, "Between members mail moves by X-SUBMIT only");
        }
        let Some(greeting) = &self.greeting else {
            return self.out_of_order(talk, "EHLO or HELO first");
        };
        if self.transaction.is_some() {
            return self.out_of_order(talk, "A mail is under way already");
        }
        if let Some(objection) = self.objection(&mail, talk) {
            return self.blame(talk, &objection);
        }
        let is_authenticated = self.account().is_some();
        if let Some(keyword) = not_offered(&mail, greeting.extended, is_authenticated) {
            clause!(SM_004);
            let text = format!("unknown parameter {keyword}");
            return self.blame(talk, &Reply::new(555, Status::new(5, 5, 4), &text));
        }
        let limit = talk.config.policy.message_limit_octets;
        if mail.size.is_some_and(|size| size > limit) {
            clause!(SM_011);
            let text = format!("A message may have {limit} octets");
            return self.refuse(talk, 552, Status::new(5, 3, 4), &text);
        }
        if !self.may(Charge::Message, talk) {
            clause!(SM_120);
            let text = "Too many messages from your address, come again later";
            return self.refuse(talk, 450, Status::new(4, 7, 1), text);
        }
        self.transaction = Some(Transaction { mail, recipients: Vec::new() });
        self.answer(talk, &Reply::new(250, Status::new(2, 1, 0), "Ok"));
    }

    pub(super) fn rcpt(&mut self, rcpt: Rcpt, talk: &mut Talk<'_>) {
        let Some(transaction) = &self.transaction else {
            return self.out_of_order(talk, "MAIL first");
        };
        let extended = self.greeting.as_ref().is_some_and(|greeting| greeting.extended);
        let has_dsn = rcpt.notify.is_some() || rcpt.original.is_some();
        if rcpt.index.is_some() || (has_dsn && !extended) {
            clause!(SM_004);
            let text = "unknown parameter";
            return self.blame(talk, &Reply::new(555, Status::new(5, 5, 4), text));
        }
        if !rcpt.recipient.0.is_ascii() && !transaction.mail.smtputf8 {
            let text = "The address needs SMTPUTF8";
            return self.refuse(talk, 553, Status::new(5, 6, 7), text);
        }
        let count = transaction.recipients.len();
        if count >= talk.config.policy.recipients_limit as usize {
            clause!(SM_012);
            return self.refuse(talk, 452, Status::new(4, 5, 3), "Too many recipients");
        }
        if !self.may(Charge::Recipient, talk) {
            clause!(SM_120);
            let text = "Too many recipients from your address, come again later";
            return self.refuse(talk, 452, Status::new(4, 7, 1), text);
        }
        let recipient = Recipient {
            index: u32::try_from(count).expect("a count below a u32 limit is a u32"),
            address: with_domain(rcpt.recipient, &talk.config.organization.domains),
            notify: rcpt.notify.unwrap_or_default(),
            original: rcpt.original,
            suspect: false,
        };
        if !self.may_relay(&recipient.address, talk) {
            let text = "no relaying to foreign domains";
            return self.refuse(talk, 550, Status::new(5, 7, 1), text);
        }
        let mail = &transaction.mail;
        talk.tell(Pdu::Recipient(Candidate {
            address: recipient.address.clone(),
            // Who has logged in sends, whatever name stands on the envelope.
            sender: self.account().or(mail.sender.as_ref()).cloned(),
            octets: mail.size.unwrap_or(0),
            recipients: u64::from(recipient.index) + 1,
        }));
        self.state = State::Recipient(recipient);
    }

    /// Custody lets the recipient in.
    pub(super) fn recipient(&mut self, recipient: Recipient, talk: &mut Talk<'_>) {
        if let Some(transaction) = &mut self.transaction {
            transaction.recipients.push(recipient);
        }
        self.answer(talk, &Reply::new(250, Status::new(2, 1, 5), "Ok"));
    }

    pub(super) fn data(&mut self, talk: &mut Talk<'_>) {
        let Some(transaction) = &self.transaction else {
            return self.out_of_order(talk, "MAIL first");
        };
        if transaction.recipients.is_empty() {
            clause!(SM_003);
            let reply = Reply::new(554, Status::new(5, 5, 1), "No valid recipients");
            return self.blame(talk, &reply);
        }
        Self::reply(talk, &Reply::plain(354, "End data with <CR><LF>.<CR><LF>"));
        let limit = talk.config.policy.message_limit_octets;
        self.take_content(Mode::Mail(limit), State::Content, talk);
    }

    /// The whole body is here, and kept.
    pub(super) fn content(&mut self, body: Body, talk: &mut Talk<'_>) {
        let (Some(transaction), Some(greeting)) = (self.transaction.take(), &self.greeting) else {
            return self.out_of_order(talk, "MAIL first");
        };
        assert!(!transaction.recipients.is_empty(), "DATA is refused without a recipient");
        let Transaction { mail, recipients } = transaction;
        clause!(SM_114);
        let with = match (greeting.extended, self.secured, self.account().is_some()) {
            // Nobody authenticates without EHLO, whatever is said afterwards.
            (_, true, true) => "ESMTPSA",
            (_, false, true) => "ESMTPA",
            (true, true, false) => "ESMTPS",
            (true, false, false) => "ESMTP",
            (false, _, false) => "SMTP",
        };
        let member = self.proved(talk.config.security).map(|member| member.0.clone());
        let submitter = self.account().map(|account| account.0.clone()).or(member);
        talk.tell(Pdu::Mail(NewMail {
            sender: mail.sender,
            recipients,
            ret: mail.ret,
            envid: mail.envid,
            smtputf8: mail.smtputf8,
            submitter,
            from: format!("{} ({})", greeting.name, address_literal(&self.remote)),
            with: String::from(with),
            body,
        }));
        if talk.config.faults.is_on("login-ends-with-mail") {
            self.forget_login();
        }
        self.state = State::Mail;
    }

    /// The body was read to its end, and nothing of it is kept.
    pub(super) fn no_content(&mut self, problem: BodyProblem, talk: &mut Talk<'_>) {
        self.transaction = None;
        match problem {
            BodyProblem::BareLineEnd(offset) => talk.bare_line_end(self.tag(), offset),
            BodyProblem::TooManyHops(offset) => talk.too_many_hops(self.tag(), offset),
            _ => {}
        }
        let reply = body_refusal(problem, talk.config.policy.message_limit_octets);
        self.answer(talk, &reply);
    }
}

/// How a body that is not kept is refused.
pub(in crate::protocol::session) fn body_refusal(problem: BodyProblem, limit: u64) -> Reply {
    match problem {
        BodyProblem::TooLarge => {
            clause!(SM_011);
            let text = format!("A message may have {limit} octets");
            Reply::new(552, Status::new(5, 3, 4), &text)
        }
        BodyProblem::BareLineEnd(offset) | BodyProblem::Unfit { offset, .. } => {
            clause!(SM_014);
            let text = format!("octet {offset}: CR and LF only together, as the end of a line");
            Reply::new(554, Status::new(5, 6, 0), &text)
        }
        BodyProblem::TooManyHops(_) => {
            clause!(SM_130);
            let text = format!("Too many hops: more than {RECEIVED_LIMIT} Received fields");
            Reply::new(554, Status::new(5, 4, 6), &text)
        }
        BodyProblem::NoSpace => Reply::new(452, Status::new(4, 3, 1), "No space for the message"),
    }
}

/// The first parameter that this port does not offer, to this client.
fn not_offered(mail: &Mail, extended: bool, authenticated: bool) -> Option<&'static str> {
    let has_extended = [
        (mail.size.is_some(), "SIZE"),
        (mail.body.is_some(), "BODY"),
        (mail.smtputf8, "SMTPUTF8"),
        (mail.ret.is_some(), "RET"),
        (mail.envid.is_some(), "ENVID"),
    ];
    let never = [
        (mail.origin.is_some(), "XORIGIN"),
        (mail.digest.is_some(), "XDIGEST"),
        (mail.arrived.is_some(), "XARRIVED"),
        // It asserts nothing here: nobody is told of it (RFC 4954, section 5).
        (mail.auth.is_some() && !authenticated, "AUTH"),
        (mail.body == Some(BodyKind::BinaryMime), "BODY=BINARYMIME"),
    ];
    let refused = never.iter().chain(has_extended.iter().filter(|_| !extended));
    refused.into_iter().find(|(given, _)| *given).map(|(_, keyword)| *keyword)
}

/// RFC 5321 lets a client write to the postmaster without a domain: it is ours.
fn with_domain(address: Address, domains: &[String]) -> Address {
    match domains.first() {
        Some(domain) if address.domain().is_empty() => {
            clause!(SM_015);
            Address::from(format!("{}@{domain}", address.local()).as_str())
        }
        _ => address,
    }
}

/// A host's address as `Received` lines write it.
fn address_literal(remote: &str) -> String {
    if remote.contains(':') { format!("[IPv6:{remote}]") } else { format!("[{remote}]") }
}
