//! AUTH (RFC 4954), and what its mechanisms PLAIN (RFC 4616) and LOGIN say.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use zeroize::Zeroize as _;

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

impl Drop for Secret {
    /// What was in it is not left in memory for whoever gets the page next.
    fn drop(&mut self) {
        self.0.zeroize();
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

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;
    use crate::wire::smtp::{Command, CommandError};

    fn shown(line: &str) -> Option<String> {
        public_part(line.as_bytes()).map(|line| String::from_utf8(line).unwrap())
    }

    // SM-103
    #[test]
    fn the_examples_of_the_standards_are_read() {
        // RFC 4954, section 4.1: an authorization identity `test`, and the password `test`.
        let line = b"AUTH PLAIN dGVzdAB0ZXN0ADEyMzQ=";
        let Ok(Command::Auth(Auth { mechanism, initial: Some(initial) })) = Command::decode(line)
        else {
            panic!("it is an AUTH with a response");
        };
        assert_eq!(mechanism, Mechanism::Plain);
        let login = Login::plain(&initial).unwrap();
        assert_eq!(login.name.as_str(), "test");
        assert_eq!(login.authorization.as_ref().map(Name::as_str), Some("test"));
        assert_eq!(login.password.expose(), b"1234");
        let bare = Command::decode(b"auth login").unwrap();
        assert_eq!(bare, Command::Auth(Auth { mechanism: Mechanism::Login, initial: None }));
        assert_eq!(challenge("Password:"), "UGFzc3dvcmQ6");
        let empty = Command::decode(b"AUTH EXTERNAL =").unwrap();
        assert_eq!(empty.encode(), b"AUTH EXTERNAL =");
        assert_eq!(Response::decode(&Secret::new(b"*".to_vec())), Ok(Response::Cancelled));
    }

    // SM-103
    #[test]
    fn what_is_malformed_has_its_place() {
        for (line, offset) in
            [("AUTH", 5), ("AUTH !", 5), ("AUTH A23456789012345678901", 5), ("AUTH  PLAIN", 5)]
        {
            let error = Command::decode(line.as_bytes()).unwrap_err();
            assert!(matches!(error, CommandError::Syntax(_)), "{line}: {error}");
            assert_eq!((error.place().offset, error.reply().code()), (offset, 501), "{line}");
        }
        for (line, offset) in [("AUTH PLAIN A", 12), ("AUTH X YQ== ", 0), ("AUTH X YR==", 8)] {
            let Err(error) = Command::decode(line.as_bytes()) else {
                assert_eq!(offset, 0, "{line}: spaces at the end are no part of it");
                continue;
            };
            assert!(matches!(error, CommandError::Encoding(_)), "{line}: {error}");
            assert_eq!(error.place().offset, offset, "{line}");
        }
        let word = |octets| "x".repeat(octets);
        for (text, offset) in [
            (String::new(), 0),
            ("a\0b".into(), 3),
            ("a\0b\0c\0d".into(), 7),
            ("\0\0c".into(), 1),
            ("\0b\0".into(), 3),
            (format!("{}\0b\0c", word(256)), 0),
            (format!("a\0{}\0c", word(256)), 2),
            (format!("a\0b\0{}", word(256)), 4),
        ] {
            let error = Login::plain(&Secret::new(text.clone().into_bytes())).unwrap_err();
            assert_eq!(error.offset, offset, "{text:?}: {error}");
        }
        let longest = format!("{}\0{}\0{}", word(255), word(255), word(255));
        assert!(Login::plain(&Secret::new(longest.into_bytes())).is_ok());
        assert!(Login::plain(&Secret::new(vec![0, b'b', 0, 0xff])).is_err(), "no UTF-8");
    }

    // SM-110
    #[test]
    fn of_an_auth_only_the_mechanism_is_shown() {
        assert_eq!(shown("AUTH PLAIN AGEAYg==").as_deref(), Some("AUTH PLAIN ***"));
        assert_eq!(shown("auth\tlogin YQ== YQ==").as_deref(), Some("AUTH login ***"));
        assert_eq!(shown("  AUTH  X").as_deref(), Some("AUTH X"));
        assert_eq!(shown("AUTH").as_deref(), Some("AUTH"));
        let long = format!("AUTH {}", "x".repeat(300));
        assert_eq!(shown(&long).map(|shown| shown.len()), Some(5 + MECHANISM_LIMIT));
        assert_eq!(shown("MAIL FROM:<a@b> AUTH=<>"), None);
        assert_eq!(shown(""), None);
        let login = Login::plain(&Secret::new(b"\0name\0word".to_vec())).unwrap();
        let shown = format!("{login:?}{}", serde_json::to_string(&login).unwrap());
        assert!(!shown.contains("name:\"") && !shown.contains("word\":\"w"), "{shown}");
        assert!(!shown.contains("\"name\":\"name\"") && shown.contains("***"), "{shown}");
    }

    proptest! {
        #[test]
        fn every_auth_round_trips(
            name in "[A-Z0-9_-]{1,20}",
            initial in prop::option::of(prop::collection::vec(any::<u8>(), 0..60)),
        ) {
            let mechanism = Mechanism::decode(&name).unwrap();
            let auth = Auth { mechanism, initial: initial.map(Secret::new) };
            let command = Command::Auth(auth);
            prop_assert_eq!(Command::decode(&command.encode()), Ok(command));
        }

        #[test]
        fn no_response_panics(line in prop::collection::vec(any::<u8>(), 0..60)) {
            let line = Secret::new(line);
            let _ = Response::decode(&line);
            let _ = Login::plain(&line);
            let _ = Name::decode(&line);
        }
    }
}
