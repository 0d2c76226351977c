//! The parameters of MAIL and RCPT.

use alloc::string::String;

use nom::Parser;
use nom::bytes::complete::{take_while, take_while1};
use nom::character::complete::char;
use nom::combinator::{cut, recognize};
use nom::multi::many0;
use nom::sequence::{pair, preceded};

use super::command::{BodyKind, CommandError, Mail, Rcpt};
use super::xtext;
use crate::clause;
use crate::kernel::Time;
use crate::wire::ids::{Epoch, OriginId};
use crate::wire::message::{Digest, Notify, Return};
use crate::wire::parse::{Parsed, decimal, expect, whole};
use crate::wire::{DecodeError, fields};

/// The most octets of ENVID, once decoded.
pub const ENVID_LIMIT: usize = 100;
/// The most octets of ORCPT, as it stands.
pub const ORCPT_LIMIT: usize = 500;

/// One parameter as it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parameter<'a> {
    keyword: &'a str,
    value: Option<&'a str>,
    /// Octets left of the line where the keyword begins.
    left: usize,
}

/// `*(SP keyword ["=" value])`.
pub(super) fn parameters(input: &str) -> Parsed<'_, alloc::vec::Vec<Parameter<'_>>> {
    many0(preceded(char(' '), cut(parameter))).parse(input)
}

fn parameter(input: &str) -> Parsed<'_, Parameter<'_>> {
    let first = take_while1(|c: char| c.is_ascii_alphanumeric());
    let later = take_while(|c: char| c.is_ascii_alphanumeric() || c == '-');
    let mut keyword = expect("the keyword of a parameter", recognize(pair(first, later)));
    let (rest, keyword) = keyword(input)?;
    if !rest.starts_with('=') {
        return Ok((rest, Parameter { keyword, value: None, left: input.len() }));
    }
    let value = take_while1(|c: char| !matches!(c, ' ' | '='));
    let (rest, value) =
        cut(preceded(char('='), expect("the value of the parameter", value))).parse(rest)?;
    Ok((rest, Parameter { keyword, value: Some(value), left: input.len() }))
}

/// What is wrong with a parameter, where it is wrong.
struct Place {
    keyword: usize,
    value: usize,
}

impl Place {
    const fn syntax(&self, expected: &'static str) -> CommandError {
        CommandError::Syntax(DecodeError { offset: self.value, expected })
    }
}

impl Parameter<'_> {
    const fn place(&self, octets: usize) -> Place {
        let keyword = octets - self.left;
        let value = match self.value {
            Some(_) => keyword + self.keyword.len() + 1,
            None => keyword + self.keyword.len(),
        };
        Place { keyword, value }
    }

    fn is(&self, keyword: &str) -> bool {
        self.keyword.eq_ignore_ascii_case(keyword)
    }

    fn unknown(&self, octets: usize) -> CommandError {
        clause!(WI_044);
        CommandError::UnknownParameter {
            offset: self.place(octets).keyword,
            keyword: String::from(self.keyword),
        }
    }
}

/// Sets what may be set once.
fn once<T>(
    slot: &mut Option<T>,
    value: Option<T>,
    place: &Place,
    expected: &'static str,
) -> Result<(), CommandError> {
    let Some(value) = value else { return Err(place.syntax(expected)) };
    if slot.is_some() {
        clause!(WI_043);
        let offset = place.keyword;
        return Err(CommandError::Syntax(DecodeError { offset, expected: "each parameter once" }));
    }
    *slot = Some(value);
    Ok(())
}

/// Applies one parameter of MAIL. `octets` is the length of the line.
pub(super) fn apply_to_mail(
    mail: &mut Mail,
    parameter: Parameter<'_>,
    octets: usize,
) -> Result<(), CommandError> {
    let place = parameter.place(octets);
    let value = parameter.value;
    if parameter.is("SIZE") {
        return once(&mut mail.size, value.and_then(size), &place, "a size in octets");
    }
    if parameter.is("BODY") {
        let expected = "7BIT, 8BITMIME or BINARYMIME";
        return once(&mut mail.body, value.and_then(body_kind), &place, expected);
    }
    if parameter.is("SMTPUTF8") {
        let mut seen = mail.smtputf8.then_some(());
        let plain = value.is_none().then_some(());
        once(&mut seen, plain, &place, "SMTPUTF8 without a value")?;
        mail.smtputf8 = true;
        return Ok(());
    }
    if parameter.is("RET") {
        return once(&mut mail.ret, value.and_then(ret), &place, "FULL or HDRS");
    }
    if parameter.is("ENVID") {
        let expected = "xtext of at most 100 printable characters";
        return once(&mut mail.envid, value.and_then(envid), &place, expected);
    }
    if parameter.is("AUTH") {
        let decoded = value.and_then(|value| xtext::decode(value).ok());
        return once(&mut mail.auth, decoded, &place, "`<>` or a mailbox, as xtext");
    }
    if parameter.is("XORIGIN") {
        let expected = "MEMBER/INCARNATION/SEQUENCE";
        return once(&mut mail.origin, value.and_then(origin_id), &place, expected);
    }
    if parameter.is("XDIGEST") {
        let digest = value.and_then(content_digest);
        return once(&mut mail.digest, digest, &place, "64 lower-case hexadecimal digits");
    }
    if parameter.is("XARRIVED") {
        let arrived = value.and_then(decimal).map(Time);
        return once(&mut mail.arrived, arrived, &place, "a time in microseconds");
    }
    Err(parameter.unknown(octets))
}

/// Applies one parameter of RCPT. `octets` is the length of the line.
pub(super) fn apply_to_rcpt(
    rcpt: &mut Rcpt,
    parameter: Parameter<'_>,
    octets: usize,
) -> Result<(), CommandError> {
    let place = parameter.place(octets);
    let value = parameter.value;
    if parameter.is("NOTIFY") {
        let expected = "NEVER, or a list of SUCCESS, FAILURE and DELAY";
        return once(&mut rcpt.notify, value.and_then(notify), &place, expected);
    }
    if parameter.is("ORCPT") {
        let expected = "an address type, `;` and an address as xtext";
        return once(&mut rcpt.original, value.and_then(original), &place, expected);
    }
    if parameter.is("XINDEX") {
        return once(&mut rcpt.index, value.and_then(decimal), &place, "the index of a recipient");
    }
    if parameter.is("XEPOCH") {
        let epoch = value.and_then(decimal).filter(|epoch| *epoch > 0).map(Epoch);
        return once(&mut rcpt.epoch, epoch, &place, "an epoch, from 1");
    }
    if parameter.is("XSUSPECT") {
        let mut word = rcpt.suspect.then_some(());
        let given = value.is_none().then_some(());
        rcpt.suspect = true;
        return once(&mut word, given, &place, "XSUSPECT alone, and once");
    }
    Err(parameter.unknown(octets))
}

fn origin_id(text: &str) -> Option<OriginId> {
    whole(text, "the end of the id", fields::origin).ok()
}

fn content_digest(text: &str) -> Option<Digest> {
    whole(text, "the end of the digest", fields::digest).ok()
}

/// `1*20DIGIT` (RFC 1870). A size beyond 64 bits is as much too large as the greatest one below.
fn size(text: &str) -> Option<u64> {
    let is_size =
        (1..=20).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit());
    is_size.then(|| text.parse().unwrap_or(u64::MAX))
}

fn body_kind(text: &str) -> Option<BodyKind> {
    BodyKind::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text))
}

fn ret(text: &str) -> Option<Return> {
    match () {
        () if text.eq_ignore_ascii_case("FULL") => Some(Return::Full),
        () if text.eq_ignore_ascii_case("HDRS") => Some(Return::Headers),
        () => None,
    }
}

fn envid(text: &str) -> Option<String> {
    let decoded = xtext::decode(text).ok()?;
    let is_printable = decoded.bytes().all(|octet| matches!(octet, b' '..=b'~'));
    (is_printable && decoded.len() <= ENVID_LIMIT).then_some(decoded)
}

fn notify(text: &str) -> Option<Notify> {
    let mut notify = Notify { success: false, failure: false, delay: false };
    if text.eq_ignore_ascii_case("NEVER") {
        return Some(notify);
    }
    for word in text.split(',') {
        match () {
            () if word.eq_ignore_ascii_case("SUCCESS") => notify.success = true,
            () if word.eq_ignore_ascii_case("FAILURE") => notify.failure = true,
            () if word.eq_ignore_ascii_case("DELAY") => notify.delay = true,
            () => return None,
        }
    }
    Some(notify)
}

/// ORCPT is kept as it stands, for that is how it goes into a DSN. The `utf-8` type (RFC 6533) also
/// has characters beyond ASCII.
fn original(text: &str) -> Option<String> {
    let (kind, address) = text.split_once(';')?;
    let is_kind = !kind.is_empty() && kind.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
    let is_address = !address.is_empty()
        && (kind.eq_ignore_ascii_case("utf-8") || xtext::decode(address).is_ok());
    (is_kind && is_address && text.len() <= ORCPT_LIMIT).then(|| String::from(text))
}
