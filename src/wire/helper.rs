//! What a member and a helper program say to each other: lines with a number, as CommuniGate Pro has
//! them for its external filters.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::DecodeError;
use super::header::is_field_name;
use crate::clause;
use crate::kernel::Time;
use crate::wire::message::{Address, Field};

/// The version of the interface that we ask for, and the greatest that a helper may answer with.
pub const INTERFACE: u32 = 3;
/// The longest line that a helper may say, with its end.
pub const LINE_LIMIT_OCTETS: usize = 4_096;
/// The most fields that one answer may add.
pub const ADDED_FIELDS_LIMIT: usize = 100;

/// What a helper says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Something for the log.
    Comment(String),
    /// The version of the interface that it has.
    Interface {
        /// Of the question.
        number: u32,
    },
    /// What it makes of a message.
    Judged {
        /// Of the question.
        number: u32,
        /// Its judgement.
        judgement: Judgement,
    },
}

/// What a helper makes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It may go on, with these fields above its header.
    Pass(Vec<Field>),
    /// It is refused, in these words.
    Reject(String),
    /// It is to vanish.
    Discard,
    /// The helper cannot say.
    Failure,
    /// The helper adds something that is no header.
    NoHeader(DecodeError),
}

/// The handshake.
#[must_use]
pub fn interface(number: u32) -> String {
    format!("{number} INTF {INTERFACE}\n")
}

/// The question what becomes of the message in this file.
#[must_use]
pub fn file(number: u32, path: &str) -> String {
    assert!(!path.contains(char::is_whitespace), "the path is one word");
    format!("{number} FILE {path}\n")
}

/// The farewell.
#[must_use]
pub fn quit(number: u32) -> String {
    format!("{number} QUIT\n")
}

/// What stands above the message in its file: the return path, the recipients, an empty line.
#[must_use]
pub fn envelope(sender: Option<&Address>, recipients: &[Address], now: Time) -> String {
    clause!(RU_044);
    let seconds = now.0 / 1_000_000;
    let sender = sender.map_or("", |sender| sender.0.as_str());
    let mut lines = format!("P I {seconds} <{sender}>\n");
    for recipient in recipients {
        lines.push_str(&format!("R W {seconds} <{}>\n", recipient.0));
    }
    lines.push('\n');
    lines
}

const fn wrong<T>(offset: usize, expected: &'static str) -> Result<T, DecodeError> {
    Err(DecodeError { offset, expected })
}

impl Said {
    /// Reads a line, without its end.
    ///
    /// # Errors
    /// What was expected where.
    pub fn decode(line: &str) -> Result<Self, DecodeError> {
        clause!(RU_043);
        if let Some(comment) = line.strip_prefix('*') {
            return Ok(Self::Comment(String::from(comment.trim())));
        }
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        let Ok(number) = line[..digits].parse() else {
            return wrong(0, "`*`, or the number of a question");
        };
        let Some(rest) = line[digits..].strip_prefix(' ') else {
            return wrong(digits, "SP");
        };
        let at = digits + 1;
        let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let behind = (at + word.len() + 1).min(line.len());
        let judgement = match word.to_ascii_uppercase().as_str() {
            "INTF" => {
                let fits = rest.trim().parse().is_ok_and(|v: u32| (1..=INTERFACE).contains(&v));
                let wanted = "a version of the interface from 1 to 3";
                return if fits { Ok(Self::Interface { number }) } else { wrong(behind, wanted) };
            }
            "OK" if rest.trim().is_empty() => Judgement::Pass(Vec::new()),
            "DISCARD" if rest.trim().is_empty() => Judgement::Discard,
            "FAILURE" => Judgement::Failure,
            "ERROR" | "REJECTED" => Judgement::Reject(reason(rest, behind)?),
            "ADDHEADER" => added(rest, behind)?,
            _ => return wrong(at, "OK, ADDHEADER, ERROR, DISCARD, FAILURE or INTF"),
        };
        Ok(Self::Judged { number, judgement })
    }
}

/// The words of a refusal, in quotes or not.
fn reason(text: &str, at: usize) -> Result<String, DecodeError> {
    let words = if text.starts_with('"') { quoted(text, at)?.0 } else { String::from(text) };
    let words = words.replace(char::is_control, " ");
    let words = words.trim();
    Ok(String::from(if words.is_empty() { "The message is refused" } else { words }))
}

/// The fields of ADDHEADER, with an OK behind them or not. What stands in the quotes comes as a rule from
/// the message that is judged; if it is no header, the helper is none the worse for that.
fn added(text: &str, at: usize) -> Result<Judgement, DecodeError> {
    let (lines, length) = quoted(text, at)?;
    let rest = text[length..].trim();
    if !rest.is_empty() && !rest.eq_ignore_ascii_case("OK") {
        return wrong(at + length, "OK");
    }
    let fields = fields(&lines);
    let is_limited = |fields: &Vec<Field>| (1..=ADDED_FIELDS_LIMIT).contains(&fields.len());
    let fields = fields.filter(is_limited);
    let expected = "1 to 100 header fields";
    let none = Judgement::NoHeader(DecodeError { offset: at, expected });
    Ok(fields.map_or(none, Judgement::Pass))
}

/// The fields of these lines, unfolded, unless something else stands there, too.
fn fields(lines: &str) -> Option<Vec<Field>> {
    let mut fields: Vec<Field> = Vec::new();
    for line in lines.split('\n').filter(|line| !line.trim().is_empty()) {
        let text = |text: &str| text.trim().replace('\t', " ");
        if line.starts_with([' ', '\t']) {
            let field = fields.last_mut()?;
            field.value.push(' ');
            field.value.push_str(&text(line));
            continue;
        }
        let (name, value) = line.split_once(':').filter(|(name, _)| is_field_name(name))?;
        fields.push(Field { name: String::from(name), value: text(value) });
    }
    Some(fields)
}

/// A quoted text, and how many octets it takes.
fn quoted(text: &str, at: usize) -> Result<(String, usize), DecodeError> {
    let mut characters = text.char_indices();
    if characters.next().map(|(_, first)| first) != Some('"') {
        return wrong(at, "a text in quotes");
    }
    let mut unquoted = String::new();
    while let Some((place, character)) = characters.next() {
        match character {
            '"' => return Ok((unquoted, place + 1)),
            '\\' => match characters.next() {
                Some((_, 'e' | 'n')) => unquoted.push('\n'),
                Some((_, 'r')) => {}
                Some((_, 't')) => unquoted.push('\t'),
                Some((_, escaped @ ('"' | '\\'))) => unquoted.push(escaped),
                _ => return wrong(at + place, "an escape of `\\`, `\"`, `e`, `n`, `r` or `t`"),
            },
            other => unquoted.push(other),
        }
    }
    wrong(at + text.len(), "the closing quote")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(line: &str) -> Judgement {
        match Said::decode(line) {
            Ok(Said::Judged { number: 7, judgement }) => judgement,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn field(name: &str, value: &str) -> Field {
        Field { name: name.into(), value: value.into() }
    }

    /// RU-043.
    #[test]
    fn a_helper_is_understood() {
        assert_eq!(judged("7 OK"), Judgement::Pass(Vec::new()));
        assert_eq!(judged("7 ok"), Judgement::Pass(Vec::new()));
        assert_eq!(judged("7 FAILURE"), Judgement::Failure);
        assert_eq!(judged("7 DISCARD"), Judgement::Discard);
        assert_eq!(judged("7 ERROR \"no \\\"spam\\\"\""), Judgement::Reject("no \"spam\"".into()));
        assert_eq!(judged("7 ERROR no spam"), Judgement::Reject("no spam".into()));
        assert_eq!(judged("7 ERROR"), Judgement::Reject("The message is refused".into()));
        assert_eq!(judged("7 ERROR \"a\\eb\""), Judgement::Reject("a b".into()));
        let two = vec![field("X-Spam", "yes and more"), field("X-Other", "1")];
        assert_eq!(
            judged("7 ADDHEADER \"X-Spam: yes\\e and more\\eX-Other: 1\\e\" OK"),
            Judgement::Pass(two)
        );
        assert_eq!(judged("7 ADDHEADER \"A: \\\\\""), Judgement::Pass(vec![field("A", "\\")]));
        assert_eq!(Said::decode("7 INTF 2"), Ok(Said::Interface { number: 7 }));
        assert_eq!(Said::decode("* started"), Ok(Said::Comment("started".into())));
    }

    #[test]
    fn nonsense_is_told_apart() {
        for (line, offset) in [
            ("", 0),
            ("OK", 0),
            ("7", 1),
            ("7OK", 1),
            ("99999999999 OK", 0),
            ("7 WHAT", 2),
            ("7 OK then", 2),
            ("7 INTF 4", 7),
            ("7 INTF", 6),
            ("7 ADDHEADER X: y", 12),
            ("7 ADDHEADER \"X: y", 17),
            ("7 ADDHEADER \"X: y\" MAYBE", 18),
            ("7 ERROR \"\\x\"", 9),
        ] {
            assert_eq!(Said::decode(line).map_err(|e| e.offset), Err(offset), "{line}");
        }
    }

    /// RU-047: what no header is, is no failure of the helper.
    #[test]
    fn what_is_no_header_is_told_apart_from_nonsense() {
        let many = "X: y\\e".repeat(ADDED_FIELDS_LIMIT + 1);
        for text in ["no field", "", " no: field", "X: y\\eno field", many.as_str()] {
            let judged = judged(&format!("7 ADDHEADER \"{text}\" OK"));
            assert!(matches!(judged, Judgement::NoHeader(_)), "{text}");
        }
        let tab = vec![field("X", "a b")];
        assert_eq!(judged("7 ADDHEADER \"X: a\\tb\" OK"), Judgement::Pass(tab));
    }

    /// RU-044.
    #[test]
    fn the_envelope_stands_above_the_message() {
        let to: Vec<Address> = vec!["b@example.org".into(), "c@example.org".into()];
        let sender = Address::from("a@example.org");
        assert_eq!(
            envelope(Some(&sender), &to, Time(5_000_000)),
            "P I 5 <a@example.org>\nR W 5 <b@example.org>\nR W 5 <c@example.org>\n\n"
        );
        assert!(envelope(None, &to, Time(0)).starts_with("P I 0 <>\n"));
    }
}
