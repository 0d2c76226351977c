//! AUTH (RFC 4954), and what its mechanisms PLAIN (RFC 4616) and LOGIN say.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

use crate::clause;
use crate::wire::DecodeError;

/// The most octets of a line of an authentication, CRLF included (RFC 4954, section 4).
pub const AUTH_LINE_LIMIT: usize = 12_288;
/// The most octets of a name or a password (RFC 4616).
pub const LOGIN_WORD_LIMIT: usize = 255;

/// What stands in logs and traces for what they must not hold.
const HIDDEN: &str = "***";
/// The longest name of a mechanism (RFC 4422).
const MECHANISM_LIMIT: usize = 20;
const EXPECTED_BASE64: &str = "base64, with its padding";

/// Octets that nobody reads but whoever checks them: no log, no trace and no event shows them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// The octets, from now on hidden.
    #[must_use]
    pub const fn new(octets: Vec<u8>) -> Self {
        Self(octets)
    }

    /// The octets themselves.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}

/// How a client wants to prove who it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Mechanism {
    /// `PLAIN` (RFC 4616).
    Plain,
    /// `LOGIN`: the name and the password, each asked for.
    Login,
    /// One that nobody here knows, in upper case.
    Other(String),
}

impl Mechanism {
    /// As EHLO and AUTH spell it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::Other(name) => name,
        }
    }

    fn decode(name: &str) -> Option<Self> {
        let is_name = (1..=MECHANISM_LIMIT).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        is_name.then(|| match name.to_ascii_uppercase() {
            name if name == "PLAIN" => Self::Plain,
            name if name == "LOGIN" => Self::Login,
            name => Self::Other(name),
        })
    }
}

/// AUTH.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Auth {
    /// How.
    pub mechanism: Mechanism,
    /// The first response, where it came along.
    pub initial: Option<Secret>,
}

/// Why the arguments of AUTH are malformed.
pub(super) enum AuthError {
    Syntax(DecodeError),
    /// The response is no base64, from this octet on.
    Encoding(DecodeError),
}

impl Auth {
    /// Reads what stands behind the verb; offsets count from there.
    pub(super) fn decode(text: &str) -> Result<Self, AuthError> {
        clause!(SM_103);
        let (name, initial) = match text.split_once(' ') {
            Some((name, initial)) => (name, Some(initial)),
            None => (text, None),
        };
        let expected = "the name of a mechanism";
        let mechanism = Mechanism::decode(name)
            .ok_or(AuthError::Syntax(DecodeError { offset: 0, expected }))?;
        let offset = name.len() + 1;
        let initial = match initial {
            // An empty response needs a sign that it is there.
            Some("=") => Some(Secret::new(Vec::new())),
            Some(text) => {
                let at =
                    |error: DecodeError| DecodeError { offset: error.offset + offset, ..error };
                Some(base64(text.as_bytes()).map_err(|error| AuthError::Encoding(at(error)))?)
            }
            None => None,
        };
        Ok(Self { mechanism, initial })
    }

    /// What stands behind the verb.
    pub(super) fn encode(&self) -> String {
        let mut text = String::from(self.mechanism.as_str());
        if let Some(Secret(octets)) = &self.initial {
            text.push(' ');
            if octets.is_empty() {
                text.push('=');
            }
            STANDARD.encode_string(octets, &mut text);
        }
        text
    }
}

/// What a client answers to a challenge.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Response {
    /// `*`: it gives up.
    Cancelled,
    /// This, decoded.
    Given(Secret),
}

impl Response {
    /// Reads a line without its CRLF.
    ///
    /// # Errors
    /// Where it is no base64.
    pub fn decode(line: &Secret) -> Result<Self, DecodeError> {
        clause!(SM_103);
        match line.expose() {
            b"*" => Ok(Self::Cancelled),
            octets => base64(octets).map(Self::Given),
        }
    }
}

fn base64(text: &[u8]) -> Result<Secret, DecodeError> {
    let offset = |error| match error {
        base64::DecodeError::InvalidByte(offset, _)
        | base64::DecodeError::InvalidLastSymbol { offset, .. } => offset,
        _ => text.len(),
    };
    STANDARD
        .decode(text)
        .map(Secret)
        .map_err(|error| DecodeError { offset: offset(error), expected: EXPECTED_BASE64 })
}

/// A challenge as the text of a reply 334.
#[must_use]
pub fn challenge(text: &str) -> String {
    STANDARD.encode(text)
}

/// Who wants to be let in, and by what.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Login {
    /// As whom, where that was said.
    pub authorization: Option<Name>,
    /// Whose password it is.
    pub name: Name,
    /// The password.
    pub password: Secret,
}

/// What a client says that it is called. It is hidden like a password, for people type the one in the
/// place of the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Name(Secret);

impl Name {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.0.expose()).unwrap_or_default()
    }

    /// Reads the first response of LOGIN.
    ///
    /// # Errors
    /// It is no name.
    pub fn decode(octets: &Secret) -> Result<Self, DecodeError> {
        word(octets.expose(), 0).map(Self)
    }
}

impl Login {
    /// Reads the response of PLAIN: `[authorization] NUL name NUL password`.
    ///
    /// # Errors
    /// Where it is another thing.
    pub fn plain(response: &Secret) -> Result<Self, DecodeError> {
        clause!(SM_103);
        let octets = response.expose();
        let mut parts = octets.split(|octet| *octet == 0);
        let (Some(authorization), Some(name), Some(password), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(DecodeError { offset: octets.len(), expected: "two NUL" });
        };
        let at_name = authorization.len() + 1;
        let authorization =
            if authorization.is_empty() { None } else { Some(Name(word(authorization, 0)?)) };
        Ok(Self {
            authorization,
            name: Name(word(name, at_name)?),
            password: word(password, at_name + name.len() + 1)?,
        })
    }

    /// Reads the second response of LOGIN.
    ///
    /// # Errors
    /// It is no password.
    pub fn with_password(name: Name, password: &Secret) -> Result<Self, DecodeError> {
        let password = word(password.expose(), 0)?;
        Ok(Self { authorization: None, name, password })
    }
}

/// A name or a password, at this offset of the whole.
fn word(octets: &[u8], offset: usize) -> Result<Secret, DecodeError> {
    let expected = "1 to 255 octets of UTF-8 without NUL";
    let is_text = core::str::from_utf8(octets).is_ok() && !octets.contains(&0);
    if is_text && (1..=LOGIN_WORD_LIMIT).contains(&octets.len()) {
        return Ok(Secret(octets.to_vec()));
    }
    Err(DecodeError { offset, expected })
}

/// What logs and traces may show of a line: of an AUTH no more than the mechanism.
#[must_use]
pub fn public_part(line: &[u8]) -> Option<Vec<u8>> {
    let mut words = line.split(|octet| octet.is_ascii_whitespace()).filter(|word| !word.is_empty());
    let is_auth = words.next().is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH"));
    if !is_auth {
        return None;
    }
    clause!(SM_110);
    let mut public = b"AUTH".to_vec();
    if let Some(mechanism) = words.next() {
        public.push(b' ');
        public.extend_from_slice(&mechanism[..mechanism.len().min(MECHANISM_LIMIT)]);
    }
    if words.next().is_some() {
        public.push(b' ');
        public.extend_from_slice(HIDDEN.as_bytes());
    }
    Some(public)
}

/// Writes a line as [`public_part`] has it, for serde.
///
/// # Errors
/// Those of the serializer.
pub fn serialize_line<S: Serializer>(line: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    public_part(line).as_deref().unwrap_or(line).serialize(serializer)
}
