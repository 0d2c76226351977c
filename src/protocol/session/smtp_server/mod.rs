//! The session of a client on our SMTP port: RFC 5321 with the extensions that EHLO names, and, for
//! members whose name is proved, hand-over and news of links.

mod handover;
mod lines;
mod news;
mod submission;
mod tls;
mod transaction;

use alloc::format;
use alloc::string::String;

use super::talk::{Conversation, Talk};
use super::{SessionEvent, Tag};
use crate::clause;
use crate::kernel::{LinkChange, Span, Time};
use crate::protocol::member::{Pdu, Security};
use crate::protocol::server::{Charge, Wire};
use crate::wire::Mode;
use crate::wire::ids::MemberName;
use crate::wire::message::{Recipient, Refusal};
use crate::wire::smtp::{COMMAND_LINE_LIMIT, Command, Extensions, Reply, Status};

use handover::{MemberSide, Offering};
use submission::{Exchange, Submission};
use transaction::Transaction;
pub(super) use transaction::body_refusal;

pub use handover::TRANSFERRED_LIMIT;
pub use submission::{CHECK_WAIT, FAILURES_LIMIT};

/// How many bad commands end the conversation.
pub const ERRORS_LIMIT: u32 = 20;
/// How long a client may think before its next command (RFC 5321, section 4.5.3.2.7).
pub const COMMAND_WAIT: Span = Span::minutes(5);
/// How long a client may take for a whole body, however alive it is.
pub const BODY_WAIT: Span = Span::minutes(60);

/// What a client is told whose address has said too many bad commands.
const TOO_MANY_ERRORS: &str = "Too many errors from your address, come again later";

/// One client's session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct SmtpServer {
    remote: String,
    /// The member whose name the client may claim, if it proves it in the way that is configured.
    candidate: Option<MemberName>,
    secured: bool,
    greeting: Option<Greeting>,
    transaction: Option<Transaction>,
    /// What is known of the client once it has said `X-SUBMIT HELLO`.
    peer: Option<MemberSide>,
    /// On a submission port: what is known of the client's login.
    submission: Option<Submission>,
    errors: u32,
    /// An AUTH was not taken: what comes next may be what the client meant for it.
    wary: bool,
    /// Close as soon as the command at hand is answered.
    finishing: bool,
    /// When the content at hand has to be complete.
    content_until: Time,
    state: State,
}

/// How the client named itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Greeting {
    name: String,
    /// EHLO, not HELO.
    extended: bool,
}

/// What is awaited, and from whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State {
    /// The client: a command.
    Command,
    /// The client: its answer to a challenge of AUTH.
    Challenge(Exchange),
    /// The host: may the client come in? The number of the question.
    Checking(u32),
    /// The host: TLS.
    Securing,
    /// Custody: may this recipient enter?
    Recipient(Recipient),
    /// The client: the body behind DATA.
    Content,
    /// Custody: the queue id of the mail.
    Mail,
    /// Custody: its own hello.
    Hello,
    /// Custody: is this offer wanted?
    Announced(Offering),
    /// The host: how much of its body is kept?
    Keeping(Offering),
    /// The client: the envelope of an offer.
    Envelope(Offering),
    /// The client: the body of an offer.
    Parcel(Offering),
    /// Custody: what it says to a command of hand-over.
    Settling,
    /// Custody: what it says to news.
    News,
    /// Nobody: the conversation is over.
    Over,
}

impl SmtpServer {
    /// The session of a client at `remote`; `candidate` is the member that has this address, where
    /// addresses are the proof.
    pub(in crate::protocol) const fn new(remote: String, candidate: Option<MemberName>) -> Self {
        Self {
            remote,
            candidate,
            secured: false,
            greeting: None,
            transaction: None,
            peer: None,
            submission: None,
            errors: 0,
            wary: false,
            finishing: false,
            content_until: Time(0),
            state: State::Command,
        }
    }

    /// The session of a client at `remote` on a submission port, under TLS already or not.
    pub(in crate::protocol) fn submission(remote: String, secured: bool) -> Self {
        clause!(SM_100);
        // Nobody proves there to be a member, whatever certificate it shows.
        Self { secured, submission: Some(Submission::default()), ..Self::new(remote, None) }
    }

    /// The tag of its log lines.
    pub(in crate::protocol) const fn tag(&self) -> Tag {
        match (&self.submission, &self.peer) {
            (Some(_), _) => Tag::Submission,
            (None, Some(_)) => Tag::Submit,
            (None, None) => Tag::Smtp,
        }
    }

    /// The member at the far end, as far as its name is proved.
    fn proved(&self, security: Security) -> Option<&MemberName> {
        clause!(SM_020);
        let candidate = self.candidate.as_ref()?;
        let is_proved = match security {
            Security::Tls => self.secured,
            Security::Address => {
                let greeting = self.greeting.as_ref()?;
                greeting.name.eq_ignore_ascii_case(candidate.as_str())
            }
        };
        is_proved.then_some(candidate)
    }

    fn reply(talk: &mut Talk<'_>, reply: &Reply) {
        for line in reply.encode() {
            talk.line(line);
        }
    }

    /// Answers the command at hand, and asks for the next one.
    fn answer(&mut self, talk: &mut Talk<'_>, reply: &Reply) {
        clause!(SM_016);
        Self::reply(talk, reply);
        self.listen(talk);
    }

    fn refuse(&mut self, talk: &mut Talk<'_>, code: u16, status: Status, text: &str) {
        self.answer(talk, &Reply::new(code, status, text));
    }

    fn pass_refusal(&mut self, talk: &mut Talk<'_>, refusal: &Refusal) {
        self.answer(talk, &Reply::from(refusal));
    }

    /// Answers a command that should not have been said. Too many of them end the conversation.
    fn blame(&mut self, talk: &mut Talk<'_>, reply: &Reply) {
        if !self.may(Charge::Error, talk) {
            clause!(SM_121);
            return self.hang_up(talk, 421, Status::new(4, 7, 0), TOO_MANY_ERRORS);
        }
        self.errors += 1;
        if self.errors >= ERRORS_LIMIT {
            clause!(SM_007);
            let text = "Too many errors, closing the connection";
            return self.hang_up(talk, 421, Status::new(4, 7, 0), text);
        }
        self.answer(talk, reply);
    }

    /// Whether this is within the limits of the client's address. Members are not counted.
    fn may(&self, charge: Charge, talk: &mut Talk<'_>) -> bool {
        let faults = &talk.config.faults;
        let is_member = self.proved(talk.config.security).is_some();
        let is_free = is_member && !faults.is_on("members-are-limited");
        is_free
            || faults.is_on("limits-not-counted")
            || talk.charge(self.tag(), &self.remote, charge)
    }

    fn out_of_order(&mut self, talk: &mut Talk<'_>, text: &str) {
        clause!(SM_003);
        self.blame(talk, &Reply::new(503, Status::new(5, 5, 1), text));
    }

    /// Asks for the next command.
    fn listen(&mut self, talk: &mut Talk<'_>) {
        self.state = State::Command;
        if self.finishing {
            let text = format!("{} is shutting down", talk.config.member);
            return self.hang_up(talk, 421, Status::new(4, 3, 2), &text);
        }
        let mode = self.command_mode(COMMAND_LINE_LIMIT);
        talk.receive(mode);
        // A member that has said hello may be silent for long: custody watches it. Not so between chunks.
        if self.peer.as_ref().is_none_or(|peer| peer.reassembly.is_inside()) {
            talk.wait(COMMAND_WAIT);
        } else {
            talk.rest();
        }
    }

    /// Asks for content, which may take [`BODY_WAIT`].
    fn take_content(&mut self, mode: Mode, next: State, talk: &mut Talk<'_>) {
        talk.receive(mode);
        self.content_until = talk.now + BODY_WAIT;
        talk.wait_for_content(self.content_until);
        self.state = next;
    }

    const fn is_in_content(&self) -> bool {
        matches!(self.state, State::Content | State::Envelope(_) | State::Parcel(_))
    }

    /// The last words.
    fn hang_up(&mut self, talk: &mut Talk<'_>, code: u16, status: Status, text: &str) {
        Self::reply(talk, &Reply::new(code, status, text));
        self.state = State::Over;
        talk.end(LinkChange::Closed);
    }

    fn command(&mut self, command: Command, talk: &mut Talk<'_>) {
        match command {
            Command::Ehlo(name) => self.greet(name, true, talk),
            Command::Helo(name) => self.greet(name, false, talk),
            Command::Mail(mail) => self.mail(mail, talk),
            Command::Rcpt(rcpt) => self.rcpt(rcpt, talk),
            Command::Data => self.data(talk),
            Command::Rset => {
                self.transaction = None;
                self.answer(talk, &Reply::new(250, Status::new(2, 0, 0), "Ok"));
            }
            Command::Noop => self.answer(talk, &Reply::new(250, Status::new(2, 0, 0), "Ok")),
            Command::Vrfy(_) => {
                clause!(SM_005);
                let text = "Cannot verify, but will take mail for it and try to deliver";
                self.answer(talk, &Reply::new(252, Status::new(2, 1, 5), text));
            }
            Command::Quit => self.hang_up(talk, 221, Status::new(2, 0, 0), "Bye"),
            Command::StartTls => self.start_tls(talk),
            Command::Auth(auth) => self.auth(auth, talk),
            Command::Submit(command) => self.submit(command, talk),
            Command::LinkState(chunk) => self.link2state(&chunk, talk),
            Command::Lhlo(_) | Command::Bdat { .. } | Command::Deliver(_) => {
                self.blame(talk, &Reply::new(500, Status::new(5, 5, 1), "unknown command"));
            }
        }
    }

    fn greet(&mut self, name: String, extended: bool, talk: &mut Talk<'_>) {
        clause!(SM_002);
        clause!(SM_084);
        self.transaction = None;
        self.believe(&name, talk);
        self.greeting = Some(Greeting { name, extended });
        let member = &talk.config.member;
        if !extended {
            return self.answer(talk, &Reply::plain(250, member.as_str()));
        }
        let is_member = self.proved(talk.config.security).is_some();
        let offer = Extensions {
            pipelining: true,
            size: Some(talk.config.policy.message_limit_octets),
            eight_bit_mime: true,
            smtputf8: true,
            enhanced_status_codes: true,
            dsn: true,
            auth: self.offers_auth(talk.config),
            starttls: self.may_start_tls(talk.config.security),
            submit: is_member,
            resume: is_member,
            link2state: is_member,
            ..Extensions::default()
        };
        self.answer(talk, &offer.reply(member.as_str()));
    }

    /// The stream has ended. What was under way is answered, for the far end may still read.
    fn ended(&mut self, talk: &mut Talk<'_>) {
        match self.state {
            State::Recipient(_)
            | State::Mail
            | State::Hello
            | State::Announced(_)
            | State::Keeping(_)
            | State::Settling
            | State::Checking(_)
            | State::News => self.finishing = true,
            _ => {
                self.state = State::Over;
                talk.end(LinkChange::Closed);
            }
        }
    }
}

impl Conversation for SmtpServer {
    fn start(&mut self, talk: &mut Talk<'_>) {
        if talk.is_over(self.tag(), &self.remote, Charge::Error) {
            clause!(SM_121);
            return self.hang_up(talk, 421, Status::new(4, 7, 0), TOO_MANY_ERRORS);
        }
        clause!(SM_001);
        let banner = format!("{} ESMTP Bridgehead ready", talk.config.member);
        self.answer(talk, &Reply::plain(220, &banner));
    }

    fn hear(&mut self, wire: Wire, talk: &mut Talk<'_>) {
        match (core::mem::replace(&mut self.state, State::Over), wire) {
            (State::Command, Wire::Line(line)) => {
                self.state = State::Command;
                self.line(&line, talk);
            }
            (State::Command, Wire::Bad { error, said }) => self.bad_line(error, &said, talk),
            (State::Command, Wire::Secret(line)) => {
                self.state = State::Command;
                self.wary_line(&line, talk);
            }
            (state @ (State::Challenge(_) | State::Checking(_)), wire) => {
                self.hear_auth(state, wire, talk);
            }
            (State::Securing, Wire::Secured(member)) => self.secured(member, talk),
            (State::Content, Wire::Body(body)) => self.content(body, talk),
            (State::Content, Wire::NoBody(problem)) => self.no_content(problem, talk),
            (State::Keeping(offering), Wire::Kept(octets)) => self.kept(offering, octets, talk),
            (State::Envelope(offering), Wire::Block(octets)) => {
                self.envelope(offering, octets, talk);
            }
            (State::Parcel(offering), Wire::Body(body)) => self.parcel(offering, body, talk),
            (State::Parcel(offering), Wire::NoBody(problem)) => {
                self.no_parcel(&offering, problem, talk);
            }
            (state @ (State::Content | State::Envelope(_) | State::Parcel(_)), Wire::Progress) => {
                clause!(SM_010);
                self.state = state;
                talk.wait_for_content(self.content_until);
            }
            (state, Wire::End) => {
                self.state = state;
                self.ended(talk);
            }
            // Nothing else was asked for: the host gives units as a session asks for them.
            (state, _) => self.state = state,
        }
    }

    fn say(&mut self, pdu: Pdu, talk: &mut Talk<'_>) {
        match (core::mem::replace(&mut self.state, State::Over), pdu) {
            (State::Recipient(recipient), Pdu::Ok) => self.recipient(recipient, talk),
            (State::Mail, Pdu::Accepted(queue)) => {
                clause!(SM_013);
                let text = format!("Ok: queued as {queue}");
                self.answer(talk, &Reply::new(250, Status::new(2, 0, 0), &text));
            }
            (
                State::Recipient(_) | State::Mail | State::Announced(_) | State::Settling,
                Pdu::Refused(refusal),
            ) => self.pass_refusal(talk, &refusal),
            (State::Announced(offering), Pdu::Ok) => self.wanted(offering, talk),
            (State::Announced(_), pdu @ Pdu::HandedOver { .. }) => {
                clause!(SM_028);
                self.settled(pdu, talk);
            }
            (State::Announced(_), pdu @ Pdu::Done(_)) => {
                clause!(SU_033);
                self.settled(pdu, talk);
            }
            (State::Hello, Pdu::Hello { member, store, load }) => {
                self.hello(&member, store, load, talk);
            }
            (State::Hello, Pdu::Refused(refusal)) => {
                self.peer = None;
                self.pass_refusal(talk, &refusal);
            }
            (State::Settling, pdu) => self.settled(pdu, talk),
            (State::News, Pdu::Link(link)) => self.news_answered(&link, talk),
            (state, _) => {
                self.state = state;
                talk.log(self.tag(), SessionEvent::Unspoken);
            }
        }
    }

    fn leave(&mut self, talk: &mut Talk<'_>) {
        match self.state {
            State::Over => {}
            // In the midst of TLS there is nothing to say.
            State::Securing => {
                self.state = State::Over;
                talk.end(LinkChange::Closed);
            }
            _ => {
                let text = format!("{} closes the connection", talk.config.member);
                self.hang_up(talk, 421, Status::new(4, 3, 2), &text);
            }
        }
    }

    fn finish(&mut self, talk: &mut Talk<'_>) {
        let is_told_again = core::mem::replace(&mut self.finishing, true);
        let is_idle = matches!(self.state, State::Command | State::Challenge(_));
        if is_idle || (is_told_again && self.is_in_content()) {
            clause!(SM_008);
            self.listen(talk);
        }
    }

    fn overdue(&mut self, talk: &mut Talk<'_>) {
        match self.state {
            State::Command => {
                clause!(SM_010);
                talk.log(self.tag(), SessionEvent::TimedOut);
                self.hang_up(talk, 421, Status::new(4, 4, 2), "Timed out waiting for a command");
            }
            State::Content | State::Envelope(_) | State::Parcel(_) => {
                clause!(SM_010);
                talk.log(self.tag(), SessionEvent::TimedOut);
                self.hang_up(talk, 421, Status::new(4, 4, 2), "Timed out within the content");
            }
            State::Securing => {
                talk.log(self.tag(), SessionEvent::TimedOut);
                self.state = State::Over;
                talk.end(LinkChange::TimedOut);
            }
            State::Challenge(_) | State::Checking(_) => self.auth_overdue(talk),
            // Custody or the disk is slow: that is not the client's fault.
            _ => {}
        }
    }
}
