//! Encoded words (RFC 2047) in text that people read, such as a subject.

use alloc::string::String;
use alloc::vec::Vec;

use crate::clause;

/// The text with its encoded words decoded: those in UTF-8, US-ASCII and ISO-8859-1. Others stand as they
/// are. Total.
pub(crate) fn decoded(text: &str) -> String {
    clause!(RU_006);
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("=?") {
        let (before, word) = rest.split_at(start);
        let Some((value, length)) = word_at(word) else {
            out.push_str(before);
            out.push_str("=?");
            rest = &word[2..];
            continue;
        };
        // White space between two encoded words is none of the text.
        let joins = !out.is_empty() && rest.len() < text.len() && is_blank(before);
        if !(joins && ends_with_word(text, rest)) {
            out.push_str(before);
        }
        out.push_str(&value);
        rest = &word[length..];
    }
    out.push_str(rest);
    out
}

fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c == ' ' || c == '\t')
}

/// Whether an encoded word ends where `rest` of `text` begins.
fn ends_with_word(text: &str, rest: &str) -> bool {
    text[..text.len() - rest.len()].ends_with("?=")
}

/// The value and the length of the encoded word at the start of `text`.
fn word_at(text: &str) -> Option<(String, usize)> {
    let mut parts = text.strip_prefix("=?")?.splitn(4, '?');
    let (charset, encoding, coded) = (parts.next()?, parts.next()?, parts.next()?);
    parts.next()?.strip_prefix('=')?;
    let length = charset.len() + encoding.len() + coded.len() + "=????=".len();
    if coded.contains([' ', '\t']) || charset.contains([' ', '\t']) {
        return None;
    }
    let octets = match encoding {
        "B" | "b" => base64(coded)?,
        "Q" | "q" => quoted(coded)?,
        _ => return None,
    };
    // A language may follow the charset (RFC 2231 section 5).
    let charset = charset.split('*').next().unwrap_or_default().to_ascii_lowercase();
    let value = match charset.as_str() {
        "utf-8" | "us-ascii" => String::from_utf8_lossy(&octets).into_owned(),
        "iso-8859-1" => octets.iter().copied().map(char::from).collect(),
        _ => return None,
    };
    Some((value.chars().filter(|c| !c.is_control()).collect(), length))
}

fn quoted(coded: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    let mut rest = coded.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        octets.push(match first {
            b'_' => b' ',
            b'=' => {
                let (pair, tail) = rest.split_at_checked(2)?;
                rest = tail;
                u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()?
            }
            other => *other,
        });
    }
    Some(octets)
}

fn base64(coded: &str) -> Option<Vec<u8>> {
    let digits = coded.trim_end_matches('=');
    let mut octets = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for octet in digits.bytes() {
        let digit = match octet {
            b'A'..=b'Z' => octet - b'A',
            b'a'..=b'z' => octet - b'a' + 26,
            b'0'..=b'9' => octet - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        (bits, count) = ((bits << 6 | u32::from(digit)) & 0xffff, count + 6);
        if count >= 8 {
            count -= 8;
            octets.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    Some(octets)
}
