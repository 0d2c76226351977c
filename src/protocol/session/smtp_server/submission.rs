//! AUTH, and what the submission ports demand of mail (RFC 6409, RFC 4954).

use super::{SmtpServer, State};
use crate::clause;
use crate::kernel::Span;
use crate::protocol::member::{MemberConfig, Security};
use crate::protocol::organization::{AccountStatus, Organization, PasswordHash, Verdict};
use crate::protocol::server::{Charge, Wire};
use crate::protocol::session::{SessionEvent, Talk};
use crate::wire::framer::EXPECTED_LINE_END;
use crate::wire::message::Address;
use crate::wire::smtp::auth::{
    AUTH_LINE_LIMIT, Auth, Login, Mechanism, Name, Response, Secret, challenge, public_part,
};
use crate::wire::smtp::{CommandError, Mail, Reply, Status};
use crate::wire::{DecodeError, Mode};

/// How many logins may fail before the conversation ends.
pub const FAILURES_LIMIT: u32 = 3;
/// How long the check of a login may take.
pub const CHECK_WAIT: Span = Span::seconds(30);

const ASK_NAME: &str = "Username:";
const ASK_PASSWORD: &str = "Password:";

/// What a session on a submission port knows besides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Submission {
    /// Who the client has proved to be.
    pub(super) account: Option<Address>,
    /// What was kept of the password of whom the last login was about, when it was about to be checked.
    password: Option<PasswordHash>,
    failures: u32,
    /// The number of the last question to the host.
    attempt: u32,
}

impl Submission {
    /// Why the login as `account` holds no more: the organization is another one than it was then.
    fn lapse(&self, account: &Address, organization: &Organization) -> Option<Reply> {
        clause!(SM_133);
        match organization.account(account) {
            Some(now) if now.password != self.password => {}
            Some(now) if now.status == AccountStatus::Suspended => return Some(suspended()),
            Some(_) => return None,
            None => {}
        }
        let text =
            "Authentication is required: the account has changed, log in on a new connection";
        Some(Reply::new(530, Status::new(5, 7, 0), text))
    }
}

/// What a client is told whose account is suspended (RFC 5248, X.7.13).
fn suspended() -> Reply {
    Reply::new(525, Status::new(5, 7, 13), "The account is suspended")
}

/// Which answer to a challenge is awaited.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Exchange {
    /// PLAIN: everything.
    Plain,
    /// LOGIN: the name.
    Name,
    /// LOGIN: the password of this name.
    Password(Name),
}

/// How a line of an authentication that is too long is refused (RFC 4954, section 4).
pub(super) fn long_auth_line() -> Reply {
    let text = "The line of the authentication is too long";
    Reply::new(500, Status::new(5, 5, 6), text)
}

impl SmtpServer {
    /// Whether nobody else hears what the client says, or the organization has no TLS to ask for.
    fn is_private(&self, config: &MemberConfig) -> bool {
        let is_lax = config.faults.is_on("auth-in-clear");
        self.secured || config.security == Security::Address || is_lax
    }

    /// Who the client has proved to be.
    pub(super) fn account(&self) -> Option<&Address> {
        self.submission.as_ref()?.account.as_ref()
    }

    /// For a planted bug: the login is over.
    pub(super) fn forget_login(&mut self) {
        if let Some(submission) = &mut self.submission {
            submission.account = None;
        }
    }

    /// Whether EHLO offers AUTH.
    pub(super) fn offers_auth(&self, config: &MemberConfig) -> bool {
        clause!(SM_101);
        let is_open = self.submission.as_ref().is_some_and(|known| known.account.is_none());
        is_open && self.is_private(config)
    }

    /// How the next command is read.
    pub(super) fn command_mode(&self, limit: usize) -> Mode {
        if self.wary {
            clause!(SM_110);
            return Mode::Secret(AUTH_LINE_LIMIT);
        }
        Mode::Line(if self.submission.is_some() { AUTH_LINE_LIMIT } else { limit })
    }

    /// Behind an AUTH there may be secrets, also where it is not taken.
    pub(super) fn be_wary_behind(&mut self, line: &[u8]) {
        self.wary |= public_part(line).is_some();
    }

    /// A line that was read while the client was not to be trusted with its secrets.
    pub(super) fn wary_line(&mut self, line: &Secret, talk: &mut Talk<'_>) {
        match crate::wire::smtp::Command::decode(line.expose()) {
            Ok(_) => {
                self.wary = false;
                self.line(line.expose(), talk);
            }
            Err(error) if public_part(line.expose()).is_some() => {
                self.bad_auth(&error, line.expose(), talk);
            }
            Err(error) => {
                talk.malformed(self.tag(), error.place(), b"a line that is not shown");
                self.blame(talk, &error.reply());
            }
        }
    }

    /// The port of everybody knows no AUTH, however it is said.
    pub(super) fn no_auth(&mut self, talk: &mut Talk<'_>) {
        clause!(SM_100);
        let text = "command not implemented";
        self.blame(talk, &Reply::new(502, Status::new(5, 5, 1), text));
    }

    /// Why there can be no AUTH now, whatever stands in it.
    fn misplaced(&self, config: &MemberConfig) -> Option<Reply> {
        let submission = self.submission.as_ref()?;
        let out_of_order = |text| Some(Reply::new(503, Status::new(5, 5, 1), text));
        clause!(SM_102);
        if submission.account.is_some() {
            return out_of_order("You are authenticated already");
        }
        if self.transaction.is_some() {
            return out_of_order("Not while a mail is under way");
        }
        if self.greeting.as_ref().is_none_or(|greeting| !greeting.extended) {
            return out_of_order("EHLO first");
        }
        let text = "Encryption is required: STARTTLS first";
        let is_private = self.is_private(config);
        (!is_private).then(|| Reply::new(538, Status::new(5, 7, 11), text))
    }

    /// An AUTH that is malformed: where it has no place at all, that is what is wrong with it.
    pub(super) fn bad_auth(&mut self, error: &CommandError, line: &[u8], talk: &mut Talk<'_>) {
        if self.submission.is_none() {
            return self.no_auth(talk);
        }
        talk.malformed(self.tag(), error.place(), line);
        clause!(SM_131);
        let misplaced = self.misplaced(talk.config);
        self.blame(talk, &misplaced.unwrap_or_else(|| error.reply()));
    }

    pub(super) fn auth(&mut self, auth: Auth, talk: &mut Talk<'_>) {
        if self.submission.is_none() {
            return self.no_auth(talk);
        }
        if let Some(reply) = self.misplaced(talk.config) {
            return self.blame(talk, &reply);
        }
        clause!(SM_103);
        match (auth.mechanism, auth.initial) {
            (Mechanism::Plain, Some(response)) => self.check(Login::plain(&response), talk),
            (Mechanism::Plain, None) => self.challenge("", Exchange::Plain, talk),
            (Mechanism::Login, Some(name)) => self.ask_password(&name, talk),
            (Mechanism::Login, None) => self.challenge(ASK_NAME, Exchange::Name, talk),
            (Mechanism::Other(_), _) => {
                let text = "This mechanism is not offered";
                self.blame(talk, &Reply::new(504, Status::new(5, 5, 4), text));
            }
        }
    }

    /// What comes within an authentication.
    pub(super) fn hear_auth(&mut self, state: State, wire: Wire, talk: &mut Talk<'_>) {
        match (state, wire) {
            (State::Challenge(exchange), Wire::Secret(line)) => {
                self.response(exchange, &line, talk);
            }
            (State::Challenge(_), Wire::Bad { error, .. }) => self.bad_response_line(error, talk),
            (State::Checking(attempt), Wire::Checked { attempt: of, verdict }) if attempt == of => {
                self.checked(verdict, talk);
            }
            (state, Wire::End) => {
                self.state = state;
                self.ended(talk);
            }
            (state, _) => self.state = state,
        }
    }

    fn challenge(&mut self, text: &str, exchange: Exchange, talk: &mut Talk<'_>) {
        Self::reply(talk, &Reply::plain(334, &challenge(text)));
        talk.receive(Mode::Secret(AUTH_LINE_LIMIT));
        talk.wait(super::COMMAND_WAIT);
        self.state = State::Challenge(exchange);
    }

    fn ask_password(&mut self, name: &Secret, talk: &mut Talk<'_>) {
        match Name::decode(name) {
            Ok(name) => self.challenge(ASK_PASSWORD, Exchange::Password(name), talk),
            Err(error) => self.bad_response(error, talk),
        }
    }

    /// The client answers a challenge.
    fn response(&mut self, exchange: Exchange, line: &Secret, talk: &mut Talk<'_>) {
        let given = match Response::decode(line) {
            Ok(Response::Given(given)) => given,
            Ok(Response::Cancelled) if talk.config.faults.is_on("asterisk-asks-again") => {
                return self.challenge("", exchange, talk);
            }
            Ok(Response::Cancelled) => {
                clause!(SM_104);
                let text = "Authentication is cancelled";
                return self.refuse(talk, 501, Status::new(5, 7, 0), text);
            }
            Err(error) => return self.bad_response(error, talk),
        };
        match exchange {
            Exchange::Plain => self.check(Login::plain(&given), talk),
            Exchange::Name => self.ask_password(&given, talk),
            Exchange::Password(name) => self.check(Login::with_password(name, &given), talk),
        }
    }

    /// An answer to a challenge that is no line.
    fn bad_response_line(&mut self, error: DecodeError, talk: &mut Talk<'_>) {
        if error.expected != EXPECTED_LINE_END {
            return self.bad_response(error, talk);
        }
        clause!(SM_105);
        self.blame(talk, &long_auth_line());
    }

    fn bad_response(&mut self, error: DecodeError, talk: &mut Talk<'_>) {
        clause!(SM_110);
        talk.malformed(self.tag(), error, b"a response that is not shown");
        let text = alloc::format!("in the response, {error}");
        self.blame(talk, &Reply::new(501, Status::new(5, 5, 2), &text));
    }

    /// Has the host check a login.
    fn check(&mut self, login: Result<Login, DecodeError>, talk: &mut Talk<'_>) {
        let login = match login {
            Ok(login) => login,
            Err(error) => return self.bad_response(error, talk),
        };
        let Some(submission) = &mut self.submission else { return };
        clause!(SM_106);
        // What holds at the verdict may be another password, which nobody has said.
        let named = talk.config.organization.account(&Address::from(login.name.as_str()));
        submission.password = named.and_then(|account| account.password.clone());
        submission.attempt += 1;
        let attempt = submission.attempt;
        talk.say(Wire::Check { attempt, login });
        talk.wait(CHECK_WAIT);
        self.state = State::Checking(attempt);
    }

    /// What came of the check that is awaited.
    fn checked(&mut self, verdict: Verdict, talk: &mut Talk<'_>) {
        match verdict {
            Verdict::Granted(account) => {
                clause!(SM_107);
                if let Some(submission) = &mut self.submission {
                    submission.account = Some(account.clone());
                }
                self.wary = false;
                talk.log(self.tag(), SessionEvent::Authenticated(account));
                let text = "Authentication successful";
                self.answer(talk, &Reply::new(235, Status::new(2, 7, 0), text));
            }
            Verdict::Denied { account } => {
                clause!(SM_108);
                let tells = account.is_none() && talk.config.faults.is_on("refusal-tells-names");
                let text =
                    if tells { "No such account" } else { "Authentication credentials invalid" };
                self.denied(account, &Reply::new(535, Status::new(5, 7, 8), text), talk);
            }
            Verdict::Suspended(account) => self.denied(Some(account), &suspended(), talk),
            Verdict::Unavailable => self.cannot_check(talk),
        }
    }

    /// A login has failed.
    fn denied(&mut self, account: Option<Address>, reply: &Reply, talk: &mut Talk<'_>) {
        let Some(submission) = &mut self.submission else { return };
        let counts = !talk.config.faults.is_on("failed-logins-not-counted");
        submission.failures += u32::from(counts);
        let failures = submission.failures;
        talk.log(self.tag(), SessionEvent::NotAuthenticated { account });
        if failures >= FAILURES_LIMIT {
            self.may(Charge::Error, talk);
            let text = "Too many logins have failed";
            return self.hang_up(talk, 421, Status::new(4, 7, 0), text);
        }
        self.blame(talk, reply);
    }

    /// The check has no result, in time or at all.
    fn cannot_check(&mut self, talk: &mut Talk<'_>) {
        clause!(SM_109);
        let text = "Authentication cannot be checked now";
        self.refuse(talk, 454, Status::new(4, 7, 0), text);
    }

    /// Why this client may not begin this mail; nothing on the port of everybody.
    pub(super) fn objection(&self, mail: &Mail, talk: &Talk<'_>) -> Option<Reply> {
        let submission = self.submission.as_ref()?;
        let faults = &talk.config.faults;
        let Some(account) = &submission.account else {
            if faults.is_on("mail-without-login") {
                return None;
            }
            clause!(SM_111);
            let text = if self.is_private(talk.config) {
                "Authentication is required"
            } else {
                "Authentication is required: STARTTLS first"
            };
            return Some(Reply::new(530, Status::new(5, 7, 0), text));
        };
        if let Some(objection) = submission.lapse(account, &talk.config.organization) {
            return Some(objection);
        }
        clause!(SM_112);
        let is_own = |sender: &Address| {
            let own = talk.config.organization.account(sender);
            own.is_some_and(|own| own.address == *account)
        };
        if mail.sender.as_ref().is_none_or(is_own) || faults.is_on("any-sender-behind-login") {
            return None;
        }
        let text = alloc::format!("The sender has to be {account}");
        Some(Reply::new(553, Status::new(5, 7, 1), &text))
    }

    /// Whether mail for `address` may leave the organization for this client's sake.
    pub(super) fn may_relay(&self, address: &Address, talk: &Talk<'_>) -> bool {
        let config = talk.config;
        if !config.organization.is_foreign(address) {
            return true;
        }
        clause!(SM_113);
        let is_listed = || self.submission.is_none() && config.policy.relays_for(&self.remote);
        self.account().is_some() || self.proved(config.security).is_some() || is_listed()
    }

    /// The client has been silent for too long within an authentication, or its check has taken too long.
    pub(super) fn auth_overdue(&mut self, talk: &mut Talk<'_>) {
        if matches!(self.state, State::Checking(_)) {
            talk.log(self.tag(), SessionEvent::TimedOut);
            return self.cannot_check(talk);
        }
        clause!(SM_010);
        talk.log(self.tag(), SessionEvent::TimedOut);
        self.hang_up(talk, 421, Status::new(4, 4, 2), "Timed out waiting for a response");
    }
}
