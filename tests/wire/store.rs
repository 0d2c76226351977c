//! The values of a store that decides who is the master.

use bridgehead::wire::DecodeError;
use bridgehead::wire::election::ELECTED_LIMIT;
use bridgehead::wire::ids::MemberName;
use bridgehead::wire::record::Term;
use bridgehead::wire::store::{decode_value, encode_value};

fn term(counter: u64, member: &str) -> Term {
    Term { counter, member: MemberName::from(member), nonce: 0x9af }
}

/// MA-088: a term has one form, as in a frame.
#[test]
fn ma_088_a_term_has_one_form_in_the_store() {
    for (value, term) in [
        ("5 {2}m1 9af", term(5, "m1")),
        ("1 {5}m+202 9af", term(1, "m 2")),
        ("fffffffffffffffd {2}m1 9af", term(ELECTED_LIMIT, "m1")),
    ] {
        assert_eq!(encode_value(&term), value);
        assert_eq!(decode_value(value.as_bytes()), Ok(term));
    }
}

/// MA-088: what is no term is told with its place.
#[test]
fn ma_088_what_is_no_term_is_refused_with_its_place() {
    for (value, offset) in [
        (&b""[..], 0),
        (b"5", 1),
        (b"5 m1 9af", 2),
        (b"5 {2}m1 9af ", 11),
        (b"05 {2}m1 9af", 0),
        (b"fffffffffffffffe {2}m1 9af", 0),
        (b"5 {2}m\xff1 9af", 6),
        (b" 5 {2}m1 9af", 0),
    ] {
        let refused = decode_value(value).map_err(|DecodeError { offset, .. }| offset);
        assert_eq!(refused, Err(offset), "{}", value.escape_ascii());
    }
}
