//! Commands of SMTP (RFC 5321) and LMTP (RFC 2033), and of the verbs that members add.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use nom::Parser;
use nom::bytes::complete::tag_no_case;
use serde::Serialize;

use super::auth::{Auth, AuthError};
use super::params::{apply_to_mail, apply_to_rcpt, parameters};
use super::path::{client_name, forward_path, reverse_path};
use super::reply::{Reply, Status};
use super::xtext;
use crate::clause;
use crate::kernel::Time;
use crate::wire::DecodeError;
use crate::wire::deliver::Inquire;
use crate::wire::fields::encode_origin;
use crate::wire::ids::{Epoch, OriginId};
use crate::wire::link2state::{self, Chunk};
use crate::wire::message::{Address, Digest, Notify, Return};
use crate::wire::parse::{decimal, expect, public, text_of, whole};
use crate::wire::submit;

/// The most octets of a command line, CRLF included: the 512 of RFC 5321 and what SIZE, BODY, DSN,
/// AUTH, SMTPUTF8 and our own parameters add.
pub const COMMAND_LINE_LIMIT: usize = 2_048;

/// BODY of MAIL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum BodyKind {
    /// `7BIT`.
    SevenBit,
    /// `8BITMIME` (RFC 6152).
    EightBitMime,
    /// `BINARYMIME` (RFC 3030).
    BinaryMime,
}

impl BodyKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::SevenBit, Self::EightBitMime, Self::BinaryMime];

    /// As the wire spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SevenBit => "7BIT",
            Self::EightBitMime => "8BITMIME",
            Self::BinaryMime => "BINARYMIME",
        }
    }
}

/// MAIL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Mail {
    /// The return path; `None` is the null sender `<>`.
    pub sender: Option<Address>,
    /// SIZE.
    pub size: Option<u64>,
    /// BODY.
    pub body: Option<BodyKind>,
    /// SMTPUTF8.
    pub smtputf8: bool,
    /// RET.
    pub ret: Option<Return>,
    /// ENVID, decoded.
    pub envid: Option<String>,
    /// AUTH, decoded: `<>` or a mailbox.
    pub auth: Option<String>,
    /// XORIGIN, on the delivery port.
    pub origin: Option<OriginId>,
    /// XDIGEST, on the delivery port: of the content without the trace above it.
    pub digest: Option<Digest>,
    /// XARRIVED, on the delivery port: when the message entered the organization.
    pub arrived: Option<Time>,
}

impl Mail {
    /// MAIL without parameters.
    #[must_use]
    pub fn from(sender: Option<Address>) -> Self {
        Self { sender, ..Self::default() }
    }
}

/// RCPT.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Rcpt {
    /// For whom. Not ASCII only in a transaction that MAIL began with SMTPUTF8: the session checks it.
    pub recipient: Address,
    /// NOTIFY.
    pub notify: Option<Notify>,
    /// ORCPT, as given.
    pub original: Option<String>,
    /// XINDEX, on the delivery port.
    pub index: Option<u32>,
    /// XEPOCH, on the delivery port: the ownership of the account for which this is meant.
    pub epoch: Option<Epoch>,
    /// XSUSPECT, on the delivery port: another copy may be stored already.
    pub suspect: bool,
}

impl Rcpt {
    /// RCPT without parameters.
    #[must_use]
    pub const fn to(recipient: Address) -> Self {
        Self { recipient, notify: None, original: None, index: None, epoch: None, suspect: false }
    }
}

/// A command.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Command {
    /// The name of the client.
    Ehlo(String),
    /// The name of the client.
    Helo(String),
    /// LMTP: the name of the client.
    Lhlo(String),
    /// A transaction begins.
    Mail(Mail),
    /// A recipient of the transaction.
    Rcpt(Rcpt),
    /// The content follows, dot-stuffed.
    Data,
    /// So many octets of the content follow (RFC 3030).
    Bdat {
        /// How many.
        octets: u64,
        /// Whether they are the last ones.
        last: bool,
    },
    /// The transaction is off.
    Rset,
    /// Nothing.
    Noop,
    /// Goodbye.
    Quit,
    /// Is there such an account? The argument as it stands.
    Vrfy(String),
    /// TLS, please.
    StartTls,
    /// AUTH (RFC 4954).
    Auth(Auth),
    /// `X-SUBMIT`: hand-over between members.
    Submit(submit::Command),
    /// `X-LINK2STATE`: a chunk of news.
    LinkState(Chunk),
    /// `X-DELIVER`: what became of a recipient?
    Deliver(Inquire),
}

/// Why a line is no command.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum CommandError {
    /// Nobody knows this verb.
    Unknown,
    /// A verb of some RFC that is not implemented here.
    NotImplemented,
    /// The arguments are malformed.
    Syntax(DecodeError),
    /// A response of AUTH is no base64.
    Encoding(DecodeError),
    /// MAIL or RCPT has a parameter that was not offered.
    UnknownParameter {
        /// Where its keyword begins.
        offset: usize,
        /// The keyword.
        keyword: String,
    },
    /// MAIL has an address beyond ASCII, and no SMTPUTF8.
    NeedsUtf8 {
        /// Where the path begins.
        offset: usize,
    },
}

impl From<DecodeError> for CommandError {
    fn from(error: DecodeError) -> Self {
        Self::Syntax(error)
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown command"),
            Self::NotImplemented => f.write_str("command not implemented"),
            Self::Syntax(error) | Self::Encoding(error) => error.fmt(f),
            Self::UnknownParameter { offset, keyword } => {
                write!(f, "octet {offset}: unknown parameter {keyword}")
            }
            Self::NeedsUtf8 { offset } => write!(f, "octet {offset}: the address needs SMTPUTF8"),
        }
    }
}

impl core::error::Error for CommandError {}

impl CommandError {
    /// Where in the line, and what was expected there.
    #[must_use]
    pub const fn place(&self) -> DecodeError {
        match self {
            Self::Unknown | Self::NotImplemented => {
                DecodeError { offset: 0, expected: "a command" }
            }
            Self::Syntax(error) | Self::Encoding(error) => *error,
            Self::UnknownParameter { offset, .. } => {
                DecodeError { offset: *offset, expected: "a parameter that was offered" }
            }
            Self::NeedsUtf8 { offset } => {
                DecodeError { offset: *offset, expected: "US-ASCII, or SMTPUTF8" }
            }
        }
    }

    /// The reply that says so.
    #[must_use]
    pub fn reply(&self) -> Reply {
        clause!(WI_041);
        let (code, status) = match self {
            Self::Unknown => (500, Status::new(5, 5, 1)),
            Self::NotImplemented => (502, Status::new(5, 5, 1)),
            Self::Syntax(_) => (501, Status::new(5, 5, 4)),
            Self::Encoding(_) => (501, Status::new(5, 5, 2)),
            Self::UnknownParameter { .. } => (555, Status::new(5, 5, 4)),
            Self::NeedsUtf8 { .. } => (553, Status::new(5, 6, 7)),
        };
        Reply::new(code, status, &format!("{self}"))
    }
}

/// Verbs that are answered with 502 and not with 500.
const NOT_IMPLEMENTED: [&str; 8] = ["ATRN", "ETRN", "EXPN", "HELP", "SAML", "SEND", "SOML", "TURN"];

impl Command {
    /// Reads a line without its CRLF. Verbs and keywords are read without regard to case; spaces at the
    /// end are ignored.
    ///
    /// # Errors
    /// Why it is no command; offsets count from the start of the line.
    pub fn decode(line: &[u8]) -> Result<Self, CommandError> {
        clause!(WI_040);
        if let Some(chunk) = chunk_of(line) {
            return Ok(Self::LinkState(chunk?));
        }
        let text = text_of(line)?;
        let (verb, arguments) = match text.split_once(' ') {
            Some((verb, arguments)) => (verb, Some(arguments.trim_end_matches(' '))),
            None => (text, None),
        };
        let line = Line { before: verb.len() + 1, arguments: arguments.filter(|a| !a.is_empty()) };
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => Ok(Self::Ehlo(line.client_name()?)),
            "HELO" => Ok(Self::Helo(line.client_name()?)),
            "LHLO" => Ok(Self::Lhlo(line.client_name()?)),
            "MAIL" => line.mail().map(Self::Mail),
            "RCPT" => line.rcpt().map(Self::Rcpt),
            "DATA" => line.bare(Self::Data),
            "BDAT" => Ok(line.bdat()?),
            "RSET" => line.bare(Self::Rset),
            // RFC 5321 lets NOOP carry any text, which nobody looks at.
            "NOOP" => Ok(Self::Noop),
            "QUIT" => line.bare(Self::Quit),
            "VRFY" => Ok(Self::Vrfy(String::from(line.required("whom to verify")?))),
            "STARTTLS" => line.bare(Self::StartTls),
            "AUTH" => line.auth(),
            "X-SUBMIT" => {
                Ok(Self::Submit(line.inner("a verb of X-SUBMIT", submit::Command::decode)?))
            }
            "X-DELIVER" => Ok(Self::Deliver(line.inner("INQUIRE", Inquire::decode)?)),
            other if NOT_IMPLEMENTED.contains(&other) => Err(CommandError::NotImplemented),
            _ => Err(CommandError::Unknown),
        }
    }

    /// The line, without CRLF.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let line = match self {
            Self::Ehlo(name) => format!("EHLO {name}"),
            Self::Helo(name) => format!("HELO {name}"),
            Self::Lhlo(name) => format!("LHLO {name}"),
            Self::Mail(mail) => encode_mail(mail),
            Self::Rcpt(rcpt) => encode_rcpt(rcpt),
            Self::Data => String::from("DATA"),
            Self::Bdat { octets, last: false } => format!("BDAT {octets}"),
            Self::Bdat { octets, last: true } => format!("BDAT {octets} LAST"),
            Self::Rset => String::from("RSET"),
            Self::Noop => String::from("NOOP"),
            Self::Quit => String::from("QUIT"),
            Self::Vrfy(whom) => format!("VRFY {whom}"),
            Self::StartTls => String::from("STARTTLS"),
            Self::Auth(auth) => format!("AUTH {}", auth.encode()),
            Self::Submit(command) => format!("X-SUBMIT {}", command.encode()),
            Self::LinkState(chunk) => format!("{LINK_VERB}{}", chunk.encode()),
            Self::Deliver(inquire) => format!("X-DELIVER {}", inquire.encode()),
        };
        assert!(!line.contains(['\r', '\n']), "no value of a command can hold a line end");
        line.into_bytes()
    }
}

/// The verb of a chunk, with the space behind it.
const LINK_VERB: &str = "X-LINK2STATE ";

/// A chunk has its own alphabet and its own limit, and spaces at its end belong to it.
fn chunk_of(line: &[u8]) -> Option<Result<Chunk, DecodeError>> {
    let (verb, arguments) = line.split_at_checked(LINK_VERB.len())?;
    if !verb.eq_ignore_ascii_case(LINK_VERB.as_bytes()) {
        return None;
    }
    let limit = link2state::LINE_LIMIT - 2;
    if line.len() > limit {
        let expected = "a line of at most 1,024 octets";
        return Some(Err(DecodeError { offset: limit, expected }));
    }
    let shift = |error: DecodeError| DecodeError { offset: error.offset + verb.len(), ..error };
    Some(Chunk::decode(arguments).map_err(shift))
}

/// What stands behind the verb.
struct Line<'a> {
    /// Octets in front of the arguments.
    before: usize,
    arguments: Option<&'a str>,
}

impl<'a> Line<'a> {
    const fn shift(&self, error: DecodeError) -> DecodeError {
        DecodeError { offset: error.offset + self.before, ..error }
    }

    fn required(&self, expected: &'static str) -> Result<&'a str, DecodeError> {
        self.arguments.ok_or(DecodeError { offset: self.before, expected })
    }

    fn bare(&self, command: Command) -> Result<Command, CommandError> {
        if self.arguments.is_some() {
            let expected = "no argument";
            return Err(CommandError::Syntax(DecodeError { offset: self.before, expected }));
        }
        Ok(command)
    }

    fn inner<T>(
        &self,
        expected: &'static str,
        decode: impl Fn(&str) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        decode(self.required(expected)?).map_err(|error| self.shift(error))
    }

    fn client_name(&self) -> Result<String, DecodeError> {
        let name = self.required("the name of the client")?;
        whole(name, "the end of the line", client_name)
            .map(String::from)
            .map_err(|error| self.shift(error))
    }

    fn mail(&self) -> Result<Mail, CommandError> {
        let text = self.required("FROM:<path>")?;
        let shift = |error| self.shift(public(text.len(), error));
        let (path, _) = expect("FROM:", tag_no_case("FROM:")).parse(text).map_err(shift)?;
        let (rest, sender) = reverse_path(path).map_err(shift)?;
        let (rest, list) = parameters(rest).map_err(shift)?;
        self.at_end(text, rest)?;
        let mut mail = Mail::from(sender);
        for parameter in list {
            apply_to_mail(&mut mail, parameter, self.before + text.len())?;
        }
        let is_ascii = mail.sender.as_ref().is_none_or(|sender| sender.0.is_ascii());
        if !is_ascii && !mail.smtputf8 {
            clause!(WI_046);
            return Err(CommandError::NeedsUtf8 { offset: self.before + text.len() - path.len() });
        }
        Ok(mail)
    }

    fn rcpt(&self) -> Result<Rcpt, CommandError> {
        let text = self.required("TO:<path>")?;
        let shift = |error| self.shift(public(text.len(), error));
        let (path, _) = expect("TO:", tag_no_case("TO:")).parse(text).map_err(shift)?;
        let (rest, recipient) = forward_path(path).map_err(shift)?;
        let (rest, list) = parameters(rest).map_err(shift)?;
        self.at_end(text, rest)?;
        let mut rcpt = Rcpt::to(recipient);
        for parameter in list {
            apply_to_rcpt(&mut rcpt, parameter, self.before + text.len())?;
        }
        Ok(rcpt)
    }

    const fn at_end(&self, text: &str, rest: &str) -> Result<(), CommandError> {
        if rest.is_empty() {
            return Ok(());
        }
        let offset = self.before + text.len() - rest.len();
        Err(CommandError::Syntax(DecodeError { offset, expected: "SP or the end of the line" }))
    }

    fn auth(&self) -> Result<Command, CommandError> {
        Auth::decode(self.required("the name of a mechanism")?).map(Command::Auth).map_err(
            |error| match error {
                AuthError::Syntax(error) => CommandError::Syntax(self.shift(error)),
                AuthError::Encoding(error) => CommandError::Encoding(self.shift(error)),
            },
        )
    }

    fn bdat(&self) -> Result<Command, DecodeError> {
        let expected = "a number of octets";
        let text = self.required(expected)?;
        let (digits, mark) = match text.split_once(' ') {
            Some((digits, mark)) => (digits, Some(mark)),
            None => (text, None),
        };
        let octets = decimal(digits).ok_or(DecodeError { offset: self.before, expected })?;
        match mark {
            None => Ok(Command::Bdat { octets, last: false }),
            Some(mark) if mark.eq_ignore_ascii_case("LAST") => {
                Ok(Command::Bdat { octets, last: true })
            }
            Some(_) => {
                let offset = self.before + digits.len() + 1;
                Err(DecodeError { offset, expected: "LAST" })
            }
        }
    }
}

fn encode_mail(mail: &Mail) -> String {
    let mut line = format!("MAIL FROM:<{}>", mail.sender.as_ref().map_or("", |a| a.0.as_str()));
    let mut add = |keyword: &str, value: Option<String>| {
        if let Some(value) = value {
            line.push_str(&format!(" {keyword}={value}"));
        }
    };
    add("SIZE", mail.size.map(|size| format!("{size}")));
    add("BODY", mail.body.map(|body| String::from(body.as_str())));
    add("RET", mail.ret.map(|ret| String::from(if ret == Return::Full { "FULL" } else { "HDRS" })));
    add("ENVID", mail.envid.as_deref().map(xtext::encode));
    add("AUTH", mail.auth.as_deref().map(xtext::encode));
    add("XORIGIN", mail.origin.as_ref().map(encode_origin));
    add("XDIGEST", mail.digest.map(|digest| format!("{digest}")));
    add("XARRIVED", mail.arrived.map(|arrived| format!("{}", arrived.0)));
    if mail.smtputf8 {
        line.push_str(" SMTPUTF8");
    }
    line
}

fn encode_rcpt(rcpt: &Rcpt) -> String {
    let mut line = format!("RCPT TO:<{}>", rcpt.recipient);
    if let Some(notify) = rcpt.notify {
        line.push_str(" NOTIFY=");
        line.push_str(&encode_notify(notify));
    }
    if let Some(original) = &rcpt.original {
        line.push_str(&format!(" ORCPT={original}"));
    }
    if let Some(index) = rcpt.index {
        line.push_str(&format!(" XINDEX={index}"));
    }
    if let Some(epoch) = rcpt.epoch {
        line.push_str(&format!(" XEPOCH={epoch}"));
    }
    if rcpt.suspect {
        line.push_str(" XSUSPECT");
    }
    line
}

fn encode_notify(notify: Notify) -> String {
    let words = [(notify.success, "SUCCESS"), (notify.failure, "FAILURE"), (notify.delay, "DELAY")];
    let asked: Vec<_> = words.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
    if asked.is_empty() { String::from("NEVER") } else { asked.join(",") }
}
