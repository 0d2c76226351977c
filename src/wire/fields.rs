//! The fields that the members' own verbs share: `KEY=value`, in a fixed order, one SP between.

use alloc::format;
use alloc::string::String;

use nom::Parser;
use nom::bytes::complete::{tag_no_case, take_while, take_while1};
use nom::character::complete::char;
use nom::combinator::{map, verify};
use nom::sequence::{preceded, terminated};

use super::parse::{Failure, Parsed, decimal, expect};
use crate::wire::ids::{Incarnation, MemberName, OriginId, QueueId, StoreId, TransferId};
use crate::wire::message::Digest;

/// The most octets of a member's name on the wire.
pub const NAME_LIMIT: usize = 255;

/// Whether `text` can stand as a member's name: letters, digits, `-`, `.` and `_`.
#[must_use]
pub fn is_name(text: &str) -> bool {
    (1..=NAME_LIMIT).contains(&text.len()) && text.chars().all(is_name_char)
}

const fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')
}

/// A name that goes onto the wire. The configuration is checked long before: another name is a bug.
pub(super) fn name(name: &MemberName) -> &str {
    assert!(is_name(name.as_str()), "a member's name is letters, digits, `-`, `.` and `_`");
    name.as_str()
}

/// ` KEY=` and its value.
pub(super) fn field<'a, O>(
    key: &'static str,
    value: impl Parser<&'a str, Output = O, Error = Failure>,
) -> impl Parser<&'a str, Output = O, Error = Failure> {
    preceded((expect("SP", char(' ')), expect(key, tag_no_case(key))), value)
}

/// A member's name.
pub(super) fn member(input: &str) -> Parsed<'_, MemberName> {
    let name = verify(take_while1(is_name_char), is_name);
    expect("a member's name", map(name, MemberName::from)).parse(input)
}

fn hex16(input: &str) -> Parsed<'_, u64> {
    let digits = verify(lower_hex, |digits: &str| digits.len() == 16);
    let number = nom::combinator::map_opt(digits, |digits| u64::from_str_radix(digits, 16).ok());
    expect("16 lower-case hexadecimal digits", number).parse(input)
}

/// As many lower-case hexadecimal digits as there are.
pub(super) fn lower_hex(input: &str) -> Parsed<'_, &str> {
    take_while(|c| matches!(c, '0'..='9' | 'a'..='f')).parse(input)
}

/// A store id.
pub(super) fn store(input: &str) -> Parsed<'_, StoreId> {
    map(hex16, StoreId).parse(input)
}

/// The random number of a boot.
pub(super) fn incarnation(input: &str) -> Parsed<'_, Incarnation> {
    map(hex16, Incarnation).parse(input)
}

/// A queue id.
pub(super) fn queue(input: &str) -> Parsed<'_, QueueId> {
    map(hex16, QueueId).parse(input)
}

/// A decimal number without leading zeros.
pub(super) fn number<N: core::str::FromStr>(input: &str) -> Parsed<'_, N> {
    let digits = take_while1(|c: char| c.is_ascii_digit());
    expect("a decimal number", nom::combinator::map_opt(digits, decimal)).parse(input)
}

/// SHA-256.
pub(super) fn digest(input: &str) -> Parsed<'_, Digest> {
    let parsed = nom::combinator::map_opt(lower_hex, |digits: &str| digits.parse().ok());
    expect("64 lower-case hexadecimal digits", parsed).parse(input)
}

fn minted(input: &str) -> Parsed<'_, (MemberName, Incarnation, u64)> {
    let slash = || expect("`/`", char('/'));
    (terminated(member, slash()), terminated(incarnation, slash()), number).parse(input)
}

/// A transfer id.
pub(super) fn transfer(input: &str) -> Parsed<'_, TransferId> {
    map(minted, |(member, incarnation, sequence)| TransferId { member, incarnation, sequence })
        .parse(input)
}

/// An origin id.
pub(super) fn origin(input: &str) -> Parsed<'_, OriginId> {
    map(minted, |(member, incarnation, sequence)| OriginId { member, incarnation, sequence })
        .parse(input)
}

/// A transfer id as the wire has it.
pub(super) fn encode_transfer(id: &TransferId) -> String {
    assert!(is_name(id.member.as_str()), "an id holds a member's name");
    format!("{id}")
}

/// An origin id as the wire has it.
pub(super) fn encode_origin(id: &OriginId) -> String {
    assert!(is_name(id.member.as_str()), "an id holds a member's name");
    format!("{id}")
}
