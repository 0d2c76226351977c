//! Elections on the group port.

use bridgehead::wire::DecodeError;
use bridgehead::wire::election::{ELECTED_LIMIT, ElectionPdu, SEATS_LIMIT, WrittenSeats};
use bridgehead::wire::group::Frame;
use bridgehead::wire::ids::MemberName;
use bridgehead::wire::record::Term;

fn term(counter: u64) -> Term {
    Term { counter, member: MemberName::from("m1"), nonce: 0x9af }
}

fn seats(counter: u64, number: u64, voters: &[&str]) -> WrittenSeats {
    let voters = voters.iter().copied().map(MemberName::from).collect();
    WrittenSeats { term: term(counter), number, voters }
}

/// WI-110, WI-121 to WI-127: the frames, both ways.
#[test]
fn wi_121_each_frame_of_an_election_has_one_form() {
    let round = 31;
    let cases = [
        (" POLL 1f 5 {2}m1 9af", ElectionPdu::Poll { round, term: term(5), seats: None }),
        (" WILLING 1f", ElectionPdu::Willing { round }),
        (
            " UNWILLING 1f 5 {2}m1 9af",
            ElectionPdu::Unwilling { round, known: Some(term(5)), seats: None },
        ),
        (" UNWILLING 1f -", ElectionPdu::Unwilling { round, known: None, seats: None }),
        (
            " VOTE 1f 5 {2}m1 9af 1388",
            ElectionPdu::Vote { round, term: term(5), lease_ms: 5_000, seats: None },
        ),
        (" GRANTED 1f", ElectionPdu::Granted { round }),
        (
            " REFUSE 1f 5 {2}m1 9af",
            ElectionPdu::Refuse { round, known: Some(term(5)), seats: None },
        ),
        (" REFUSE 1f -", ElectionPdu::Refuse { round, known: None, seats: None }),
        (
            " LEAD 1f fffffffffffffffd {2}m1 9af",
            ElectionPdu::Lead { round, term: term(ELECTED_LIMIT) },
        ),
        (
            " POLL 1f 5 {2}m1 9af SEATS 4 {2}m1 9af 0 ( {2}m1 )",
            ElectionPdu::Poll { round, term: term(5), seats: Some(seats(4, 0, &["m1"])) },
        ),
        (
            " VOTE 1f 5 {2}m1 9af 1388 SEATS 5 {2}m1 9af 1f ( {2}m1 {3}m10 {2}m2 )",
            ElectionPdu::Vote {
                round,
                term: term(5),
                lease_ms: 5_000,
                seats: Some(seats(5, 31, &["m1", "m2", "m10"])),
            },
        ),
        (
            " UNWILLING 1f - SEATS 5 {2}m1 9af ffffffffffffffff ( {1}a {1}b {1}c {1}d {1}e {1}f {1}g )",
            ElectionPdu::Unwilling {
                round,
                known: None,
                seats: Some(seats(5, u64::MAX, &["a", "b", "c", "d", "e", "f", "g"])),
            },
        ),
        (
            " REFUSE 1f 5 {2}m1 9af SEATS 5 {2}m1 9af 2 ( {2}m1 {2}m2 )",
            ElectionPdu::Refuse {
                round,
                known: Some(term(5)),
                seats: Some(seats(5, 2, &["m1", "m2"])),
            },
        ),
        (" OBEYED ffffffffffffffff", ElectionPdu::Obeyed { round: u64::MAX }),
        (" RESIGN 5 {2}m1 9af -", ElectionPdu::Resign { term: term(5), successor: None }),
        (
            " RESIGN 5 {2}m1 9af {5}m+202",
            ElectionPdu::Resign { term: term(5), successor: Some(MemberName::from("m 2")) },
        ),
    ];
    let frames = cases.into_iter().map(|(content, pdu)| (content, Frame::Election(pdu)));
    let convene = (" CONVENE {2}m1", Frame::Convene(MemberName::from("m1")));
    for (content, frame) in frames.chain([convene]) {
        let content = format!("{content}\r\n");
        assert_eq!(frame.encode(), Ok(content.as_bytes().to_vec()), "{content}");
        assert_eq!(Frame::decode(content.as_bytes()), Ok(frame), "{content}");
    }
}

/// WI-122 to WI-124: what is wrong is named where it is.
#[test]
fn wi_123_other_frames_are_refused_where_they_are_wrong() {
    let span = "a lease from 3e8 to 493e0 (hexadecimal)";
    for (content, offset, expected) in [
        (" CONVENE m1\r\n", 9, "a counted string"),
        (" POLL 5 {2}m1 9af\r\n", 8, "a hexadecimal number"),
        (" POLL 01 5 {2}m1 9af\r\n", 6, "a hexadecimal number"),
        (" POLL 10000000000000000 5 {2}m1 0\r\n", 6, "a hexadecimal number"),
        (" POLL 1 -\r\n", 8, "a hexadecimal number"),
        (" WILLING 1 -\r\n", 10, "CRLF"),
        (" UNWILLING 1\r\n", 12, "SP"),
        (" UNWILLING 1 -5\r\n", 14, "CRLF"),
        (" UNWILLING 1 fffffffffffffffe {2}m1 0\r\n", 13, "a term that another one can follow"),
        (" LEAD 1 ffffffffffffffff {2}m1 0\r\n", 8, "a term that another one can follow"),
        (" VOTE 1 5 {2}m1 9af\r\n", 19, "SP"),
        (" VOTE 1 5 {2}m1 9af 3e7\r\n", 20, span),
        (" VOTE 1 5 {2}m1 9af 493e1\r\n", 20, span),
        (" RESIGN 5 {2}m1 9af\r\n", 19, "SP"),
        (" RESIGN 5 {2}m1 9af m2\r\n", 20, "a counted string"),
        (" GRANT 1\r\n", 0, "SP and a verb of the group port"),
        (" GRANTED\r\n", 8, "SP"),
    ] {
        let error = Frame::decode(content.as_bytes()).expect_err("malformed");
        assert_eq!(error, DecodeError { offset, expected }, "{}", content.escape_debug());
    }
}

/// WI-126: one to seven voters, each once, in their one order, of a term that another one can follow.
#[test]
fn wi_126_seats_have_one_form() {
    let voters = "1 to 7 voters in ascending order, in parentheses";
    let poll = " POLL 1 5 {1}a 0 SEATS";
    let at = poll.len();
    let eight: String = ('a'..).take(SEATS_LIMIT + 1).map(|name| format!(" {{1}}{name}")).collect();
    for (content, offset, expected) in [
        (String::new(), at, "SP"),
        (" 5 {1}a 0".into(), at + 9, "SP"),
        (" 5 {1}a 0 0".into(), at + 11, "SP and `(`"),
        (" 5 {1}a 0 0 ()".into(), at + 11, voters),
        (" 5 {1}a 0 0 ( {1}a {1}a )".into(), at + 11, voters),
        (" 5 {1}a 0 0 ( {1}b {1}a )".into(), at + 11, voters),
        (format!(" 5 {{1}}a 0 0 ({eight} )"), at + 11, voters),
        (" 5 {1}a 0 00 ( {1}a )".into(), at + 10, "a hexadecimal number"),
        (
            " fffffffffffffffe {1}a 0 0 ( {1}a )".into(),
            at + 1,
            "a term that another one can follow",
        ),
        (" 5 {1}a 0 0 ( {1}a ) SEATS".into(), at + 20, "CRLF"),
    ] {
        let content = format!("{poll}{content}\r\n");
        let error = Frame::decode(content.as_bytes()).expect_err("malformed");
        assert_eq!(error, DecodeError { offset, expected }, "{}", content.escape_debug());
    }
    // What stands behind a lease is no number, and an answer to another question has no seats.
    for content in [
        " VOTE 1 5 {1}a 0 1388 SEAT 5 {1}a 0 0 ( {1}a )\r\n",
        " LEAD 1 5 {1}a 0 SEATS 5 {1}a 0 0 ( {1}a )\r\n",
        " GRANTED 1 SEATS 5 {1}a 0 0 ( {1}a )\r\n",
    ] {
        assert!(Frame::decode(content.as_bytes()).is_err(), "{}", content.escape_debug());
    }
}
