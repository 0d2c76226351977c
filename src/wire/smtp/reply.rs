//! Replies: three digits, an enhanced status code (RFC 2034, RFC 3463), text on one or more lines.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use serde::Serialize;

use crate::clause;
use crate::wire::DecodeError;
use crate::wire::ids::IdError;
use crate::wire::message::Refusal;
use crate::wire::parse::decimal;

/// The most octets of a reply line, CRLF included: 512 in RFC 5321, 1,024 for X-LINK2STATE. What we
/// send keeps to it; what we read may be as long.
pub const REPLY_LINE_LIMIT: usize = 1_024;
/// The most lines of a reply that is not one of X-LINK2STATE.
pub const REPLY_LINES_LIMIT: usize = 128;
/// The most octets of the text of one line that we write: with code and status it fits a line.
pub const REPLY_TEXT_LIMIT: usize = REPLY_LINE_LIMIT - 16;

/// An enhanced status code, such as `5.1.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Status {
    /// 2, 4 or 5.
    pub class: u8,
    /// 0 to 999.
    pub subject: u16,
    /// 0 to 999.
    pub detail: u16,
}

impl Status {
    /// A status from its numbers.
    #[must_use]
    pub const fn new(class: u8, subject: u16, detail: u16) -> Self {
        assert!(matches!(class, 2 | 4 | 5), "RFC 3463 has three classes");
        assert!(subject < 1_000 && detail < 1_000, "RFC 3463 allows three digits");
        Self { class, subject, detail }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

impl FromStr for Status {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let mut parts = text.splitn(3, '.');
        let mut number = || parts.next().and_then(decimal::<u16>).filter(|n| *n < 1_000);
        let (Some(class), Some(subject), Some(detail)) = (number(), number(), number()) else {
            return Err(IdError);
        };
        match class {
            2 | 4 | 5 => Ok(Self { class: class as u8, subject, detail }),
            _ => Err(IdError),
        }
    }
}

/// A complete reply. It always has at least one line, and no line has a control character.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Reply {
    code: u16,
    status: Option<Status>,
    lines: Vec<String>,
}

impl Reply {
    /// A reply with a status. LF in `text` begins another line; other control characters become `?`,
    /// so that no text from elsewhere can end a line; a line that is too long is cut.
    #[must_use]
    pub fn new(code: u16, status: Status, text: &str) -> Self {
        Self::composed(code, Some(status), text)
    }

    /// A reply without a status: greetings, the reply to EHLO, 354, X-LINK2STATE.
    #[must_use]
    pub fn plain(code: u16, text: &str) -> Self {
        Self::composed(code, None, text)
    }

    fn composed(code: u16, status: Option<Status>, text: &str) -> Self {
        assert!((200..600).contains(&code), "a reply code is 2yz to 5yz");
        let lines: Vec<_> = text.split('\n').map(clean).collect();
        assert!(!lines.is_empty(), "a reply has at least one line");
        Self { code, status, lines }
    }

    /// The three digits.
    #[must_use]
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced status code.
    #[must_use]
    pub const fn status(&self) -> Option<Status> {
        self.status
    }

    /// The text of each line.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// The text of the first line.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.lines[0]
    }

    /// Whether the code is 2yz.
    #[must_use]
    pub const fn is_positive(&self) -> bool {
        self.code < 300
    }

    /// What the reply refuses with, if it is 4yz or 5yz.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        if self.code < 400 {
            return None;
        }
        let status =
            self.status.map_or_else(|| format!("{}.0.0", self.code / 100), |s| s.to_string());
        Some(Refusal::new(self.code, &status, &self.lines.join(" ")))
    }

    /// The lines of the reply, without CRLF.
    #[must_use]
    pub fn encode(&self) -> Vec<Vec<u8>> {
        let last = self.lines.len() - 1;
        let line = |(place, text): (usize, &String)| {
            let mark = if place == last { ' ' } else { '-' };
            let line = match self.status {
                Some(status) => format!("{}{mark}{status} {text}", self.code),
                None => format!("{}{mark}{text}", self.code),
            };
            assert!(
                line.len() + 2 <= REPLY_LINE_LIMIT,
                "the text of a line is cut when it is made"
            );
            line.into_bytes()
        };
        self.lines.iter().enumerate().map(line).collect()
    }
}

impl From<&Refusal> for Reply {
    /// A refusal whose status is malformed or of another class gets the general one of its code.
    fn from(refusal: &Refusal) -> Self {
        let class = if refusal.is_permanent() { 5 } else { 4 };
        let status = refusal.status.parse().ok().filter(|status: &Status| status.class == class);
        Self::new(refusal.code, status.unwrap_or_else(|| Status::new(class, 0, 0)), &refusal.text)
    }
}

fn clean(line: &str) -> String {
    clause!(WI_053);
    let line = line.strip_suffix('\r').unwrap_or(line);
    let mut text: String = line.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    while text.len() > REPLY_TEXT_LIMIT {
        text.pop();
    }
    text
}

/// One line of a reply.
struct ReplyLine {
    code: u16,
    last: bool,
    text: String,
}

fn decode_line(line: &[u8]) -> Result<ReplyLine, DecodeError> {
    let mut code = 0;
    for offset in 0..3 {
        match line.get(offset) {
            Some(digit @ b'0'..=b'9') => code = code * 10 + u16::from(digit - b'0'),
            _ => return Err(DecodeError { offset, expected: "the three digits of a reply" }),
        }
    }
    if !(200..600).contains(&code) {
        return Err(DecodeError { offset: 0, expected: "a reply code from 200 to 599" });
    }
    let last = match line.get(3) {
        None | Some(b' ') => true,
        Some(b'-') => false,
        Some(_) => return Err(DecodeError { offset: 3, expected: "SP or `-`" }),
    };
    let text = line.get(4..).unwrap_or_default();
    match text.iter().position(|octet| octet.is_ascii_control() && *octet != b'\t') {
        Some(place) => Err(DecodeError { offset: 4 + place, expected: "no control character" }),
        // Whatever is no UTF-8 is only there for people to read: it becomes U+FFFD.
        None => Ok(ReplyLine { code, last, text: String::from_utf8_lossy(text).into_owned() }),
    }
}

/// Takes the lines of a reply until it is complete.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReplyReader {
    limit: usize,
    code: Option<u16>,
    lines: Vec<String>,
}

impl Default for ReplyReader {
    fn default() -> Self {
        Self::new(REPLY_LINES_LIMIT)
    }
}

impl ReplyReader {
    /// A reader of replies of at most `limit` lines.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { limit, code: None, lines: Vec::new() }
    }

    /// Takes a line without CRLF; a reply, if that was its last line, and then the reader is as new.
    ///
    /// # Errors
    /// What is malformed. A session cannot know any more which reply belongs to which command: it
    /// closes the connection.
    pub fn line(&mut self, line: &[u8]) -> Result<Option<Reply>, DecodeError> {
        let taken = self.take(line);
        if !matches!(taken, Ok(None)) {
            self.code = None;
            self.lines.clear();
        }
        taken
    }

    fn take(&mut self, line: &[u8]) -> Result<Option<Reply>, DecodeError> {
        let ReplyLine { code, last, text } = decode_line(line)?;
        if self.code.is_some_and(|first| first != code) {
            clause!(WI_051);
            return Err(DecodeError { offset: 0, expected: "the code of the first line" });
        }
        if self.lines.len() >= self.limit {
            clause!(WI_052);
            return Err(DecodeError { offset: 3, expected: "the last line of the reply" });
        }
        self.code = Some(code);
        self.lines.push(text);
        Ok(last.then(|| with_status(code, core::mem::take(&mut self.lines))))
    }
}

/// Takes the status, if the first line has one, off every line that has the same.
fn with_status(code: u16, mut lines: Vec<String>) -> Reply {
    clause!(WI_050);
    let status = lines.first().and_then(|line| status_of(code, line));
    if let Some(status) = status {
        let prefix = status.to_string();
        for line in &mut lines {
            if let Some(rest) = line.strip_prefix(&prefix)
                && (rest.is_empty() || rest.starts_with(' '))
            {
                *line = String::from(rest.strip_prefix(' ').unwrap_or(rest));
            }
        }
    }
    assert!(!lines.is_empty(), "a reply has at least one line");
    Reply { code, status, lines }
}

/// A status is one only if its class is that of the code.
fn status_of(code: u16, line: &str) -> Option<Status> {
    let word = line.split(' ').next()?;
    let status: Status = word.parse().ok()?;
    (u16::from(status.class) == code / 100).then_some(status)
}
