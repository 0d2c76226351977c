//! Paths and mailboxes of RFC 5321, section 4.1.2, with the UTF-8 of RFC 6531.

use alloc::string::String;
use core::net::{Ipv4Addr, Ipv6Addr};

use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::{tag_no_case, take_while1};
use nom::character::complete::{char, none_of, satisfy};
use nom::combinator::{map, opt, recognize};
use nom::multi::{fold_many0, separated_list1};
use nom::sequence::{delimited, pair, preceded, terminated};

use crate::clause;
use crate::wire::message::Address;
use crate::wire::parse::{Parsed, expect, refuse};

/// The most octets of a local part.
pub const LOCAL_PART_LIMIT: usize = 64;
/// The most octets of a domain.
pub const DOMAIN_LIMIT: usize = 255;
/// The most octets of one label of a domain.
pub const LABEL_LIMIT: usize = 63;
/// The most octets of a path, with its brackets.
pub const PATH_LIMIT: usize = 256;

/// `<>` or a path.
pub(super) fn reverse_path(input: &str) -> Parsed<'_, Option<Address>> {
    match input.strip_prefix("<>") {
        Some(rest) => Ok((rest, None)),
        None => map(path, Some).parse(input),
    }
}

/// A path, or `<Postmaster>`, which needs no domain.
pub(in crate::wire) fn forward_path(input: &str) -> Parsed<'_, Address> {
    let postmaster = delimited(char('<'), tag_no_case("postmaster"), char('>'));
    alt((map(postmaster, Address::from), path)).parse(input)
}

fn path(input: &str) -> Parsed<'_, Address> {
    clause!(WI_042);
    let (rest, address) = delimited(
        expect("`<`", char('<')),
        preceded(opt(source_route), mailbox),
        expect("`>`", char('>')),
    )
    .parse(input)?;
    if input.len() - rest.len() > PATH_LIMIT {
        return refuse(input.len(), "a path of at most 256 octets");
    }
    Ok((rest, address))
}

/// `@one,@two:` in front of the mailbox: understood, and ignored, as RFC 5321 asks.
fn source_route(input: &str) -> Parsed<'_, ()> {
    let hop = preceded(char('@'), domain);
    map(terminated(separated_list1(char(','), hop), expect("`:`", char(':'))), |_| ()).parse(input)
}

/// `local@domain`.
pub(super) fn mailbox(input: &str) -> Parsed<'_, Address> {
    let (at, local) = local_part(input)?;
    let local_octets = input.len() - at.len();
    if local_octets > LOCAL_PART_LIMIT {
        return refuse(input.len(), "a local part of at most 64 octets");
    }
    let (rest, domain) =
        preceded(expect("`@`", char('@')), alt((address_literal, domain))).parse(at)?;
    let mut address = local;
    address.push('@');
    address.push_str(domain);
    Ok((rest, Address::from(address.as_str())))
}

fn local_part(input: &str) -> Parsed<'_, String> {
    let quoted = map(quoted_string, |content| unquoted(&content));
    alt((quoted, map(dot_string, String::from))).parse(input)
}

fn dot_string(input: &str) -> Parsed<'_, &str> {
    let atom = take_while1(is_atext);
    expect("a local part", recognize(separated_list1(char('.'), atom))).parse(input)
}

const fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || !c.is_ascii() || is_atext_punctuation(c)
}

const fn is_atext_punctuation(c: char) -> bool {
    matches!(
        c,
        '!' | '#'
            | '$'
            | '%'
            | '&'
            | '\''
            | '*'
            | '+'
            | '-'
            | '/'
            | '='
            | '?'
            | '^'
            | '_'
            | '`'
            | '{'
            | '|'
            | '}'
            | '~'
    )
}

fn quoted_string(input: &str) -> Parsed<'_, String> {
    let escaped = preceded(char('\\'), expect("a printable character", satisfy(is_printable)));
    let content = fold_many0(alt((escaped, none_of("\"\\"))), String::new, |mut text, c| {
        text.push(c);
        text
    });
    delimited(char('"'), content, expect("`\"`", char('"'))).parse(input)
}

const fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~')
}

/// The one form in which a quoted local part is kept: without quotes where none are needed.
fn unquoted(content: &str) -> String {
    if matches!(dot_string(content), Ok(("", _))) {
        return String::from(content);
    }
    let mut text = String::from("\"");
    for c in content.chars() {
        if matches!(c, '"' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('"');
    text
}

/// A domain name of letters, digits and hyphens; or of any UTF-8 labels (RFC 6531).
pub(super) fn domain(input: &str) -> Parsed<'_, &str> {
    let label = expect("a label of a domain", take_while1(is_label_char));
    let (rest, name) = recognize(separated_list1(char('.'), label)).parse(input)?;
    if name.len() > DOMAIN_LIMIT {
        return refuse(input.len(), "a domain of at most 255 octets");
    }
    let mut left = input.len();
    for label in name.split('.') {
        if label.len() > LABEL_LIMIT {
            return refuse(left, "a label of at most 63 octets");
        }
        if label.starts_with('-') || label.ends_with('-') {
            return refuse(left, "a label that neither begins nor ends with a hyphen");
        }
        left = left.saturating_sub(label.len() + 1);
    }
    Ok((rest, name))
}

const fn is_label_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || !c.is_ascii()
}

/// `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
pub(super) fn address_literal(input: &str) -> Parsed<'_, &str> {
    let (rest, literal) =
        recognize(pair(char('['), pair(take_while1(|c| c != ']'), expect("`]`", char(']')))))
            .parse(input)?;
    let inside = &literal[1..literal.len() - 1];
    let is_address = match inside.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("IPv6:") => inside[5..].parse::<Ipv6Addr>().is_ok(),
        _ => inside.parse::<Ipv4Addr>().is_ok(),
    };
    if !is_address {
        return refuse(input.len() - 1, "an IPv4 address, or `IPv6:` and an IPv6 address");
    }
    Ok((rest, literal))
}

/// What follows HELO, EHLO and LHLO: a domain or an address literal. Underscores are let pass, for
/// many a host in the field has one in its name.
pub(super) fn client_name(input: &str) -> Parsed<'_, &str> {
    if input.starts_with('[') {
        return address_literal(input);
    }
    let (rest, name) = expect(
        "a host name or an address literal",
        take_while1(|c| is_label_char(c) || c == '_' || c == '.'),
    )
    .parse(input)?;
    let plain = name.replace('_', "x");
    if plain.len() > DOMAIN_LIMIT || !matches!(domain(&plain), Ok(("", _))) {
        return refuse(input.len(), "a host name or an address literal");
    }
    Ok((rest, name))
}
