//! What the nom grammars share: an error that knows how far it got and what it expected there.

use nom::error::{ErrorKind, ParseError};
use nom::{Err, IResult, Parser};

use super::DecodeError;
use crate::clause;

/// Where a parser failed, counted from the end of its input: parsers only see what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// Octets that were left.
    pub(super) left: usize,
    /// What was expected; empty until [`expect`] names it.
    pub(super) expected: &'static str,
}

impl Failure {
    fn deeper(self, other: Self) -> Self {
        let keep = self.left < other.left || (self.left == other.left && other.expected.is_empty());
        if keep { self } else { other }
    }
}

macro_rules! failure_over {
    ($input:ty) => {
        impl ParseError<$input> for Failure {
            fn from_error_kind(input: $input, _kind: ErrorKind) -> Self {
                Self { left: input.len(), expected: "" }
            }

            fn append(_input: $input, _kind: ErrorKind, other: Self) -> Self {
                other
            }

            fn or(self, other: Self) -> Self {
                self.deeper(other)
            }
        }
    };
}
failure_over!(&str);
failure_over!(&[u8]);

/// What a parser over text gives.
pub(super) type Parsed<'a, O> = IResult<&'a str, O, Failure>;

/// Names what `parser` expects, where nothing inside it has named it better.
pub(super) fn expect<I, O>(
    expected: &'static str,
    mut parser: impl Parser<I, Output = O, Error = Failure>,
) -> impl FnMut(I) -> IResult<I, O, Failure> {
    move |input| {
        parser.parse(input).map_err(|error| {
            error.map(|failure| match failure.expected {
                "" => Failure { expected, ..failure },
                _ => failure,
            })
        })
    }
}

/// Refuses at the place where `left` octets are left, and lets no alternative be tried.
pub(super) fn refuse<I, O>(left: usize, expected: &'static str) -> IResult<I, O, Failure> {
    Err(Err::Failure(Failure { left, expected }))
}

/// Turns what a parser says of the whole of an input of `octets` into the public error.
pub(super) fn public(octets: usize, error: Err<Failure>) -> DecodeError {
    clause!(WI_001);
    match error {
        Err::Error(failure) | Err::Failure(failure) => {
            assert!(failure.left <= octets, "a parser only sees the rest of its input");
            let expected =
                if failure.expected.is_empty() { "other text" } else { failure.expected };
            DecodeError { offset: octets - failure.left, expected }
        }
        Err::Incomplete(_) => DecodeError { offset: octets, expected: "more octets" },
    }
}

/// Parses the whole of `text`.
pub(super) fn whole<'a, O>(
    text: &'a str,
    end: &'static str,
    mut parser: impl Parser<&'a str, Output = O, Error = Failure>,
) -> Result<O, DecodeError> {
    match parser.parse(text) {
        Ok(("", value)) => Ok(value),
        Ok((rest, _)) => Err(DecodeError { offset: text.len() - rest.len(), expected: end }),
        Err(error) => Err(public(text.len(), error)),
    }
}

/// The text of a line: UTF-8 without control characters.
pub(super) fn text_of(line: &[u8]) -> Result<&str, DecodeError> {
    let text = core::str::from_utf8(line)
        .map_err(|error| DecodeError { offset: error.valid_up_to(), expected: "ASCII or UTF-8" })?;
    match text.find(char::is_control) {
        Some(offset) => Err(DecodeError { offset, expected: "no control character" }),
        None => Ok(text),
    }
}

/// A decimal number in its one canonical form: digits only, no leading zero.
pub(super) fn decimal<N: core::str::FromStr>(text: &str) -> Option<N> {
    let digits = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    let canonical = digits && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}
