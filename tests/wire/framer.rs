//! The framer: where lines, bodies and frames end (WI-001, WI-010 to WI-016, WI-031).

use bridgehead::wire::framer::{
    BLOCK_LIMIT, EXPECTED_BODY_END, EXPECTED_CRLF, EXPECTED_LINE_END, PIECE_LIMIT,
};
use bridgehead::wire::hops::EXPECTED_FEWER_HOPS;
use bridgehead::wire::{DecodeError, Framer, Mode, Unit};
use proptest::prelude::*;

const LINE: Mode = Mode::Line(20);

/// Everything a framer gives that is told the same mode again after each unit; bodies put together.
fn units(input: &[u8], mode: Mode, split: usize) -> Vec<Result<Unit, DecodeError>> {
    let mut framer = Framer::new(mode);
    let mut units: Vec<Result<Unit, DecodeError>> = Vec::new();
    for piece in input.chunks(split.max(1)) {
        framer.push(piece);
        loop {
            match framer.next_unit() {
                Ok(None) => break,
                Ok(Some(Unit::Body(piece))) => {
                    assert!(!piece.is_empty() && piece.len() <= PIECE_LIMIT);
                    match units.last_mut() {
                        Some(Ok(Unit::Body(body))) => body.extend_from_slice(&piece),
                        _ => units.push(Ok(Unit::Body(piece))),
                    }
                    continue;
                }
                other => units.push(other.map(|unit| unit.expect("none was handled above"))),
            }
            assert!(framer.is_paused(), "nothing more is read until the session says so");
            assert_eq!(framer.next_unit(), Ok(None));
            framer.read_as(mode);
        }
    }
    units
}

/// The same in one piece, octet by octet, and three at a time.
fn check(input: &[u8], mode: Mode, expected: &[Result<Unit, DecodeError>]) {
    for split in [input.len(), 1, 2, 3] {
        assert_eq!(units(input, mode, split), expected, "{split} octets at a time");
    }
}

fn line(text: &str) -> Result<Unit, DecodeError> {
    Ok(Unit::Line(text.into()))
}

fn body(text: &[u8]) -> Result<Unit, DecodeError> {
    Ok(Unit::Body(text.into()))
}

const END: Result<Unit, DecodeError> = Ok(Unit::BodyEnd);

const fn bad(offset: usize, expected: &'static str) -> Result<Unit, DecodeError> {
    Err(DecodeError { offset, expected })
}

#[test]
fn lines_end_with_crlf() {
    check(b"NOOP\r\n\r\nQUIT\r\nhalf", LINE, &[line("NOOP"), line(""), line("QUIT")]);
}

/// WI-010.
#[test]
fn wi_010_a_bare_line_feed_spoils_the_line_and_only_that() {
    check(b"NOOP\nRSET\r\nQUIT\r\n", LINE, &[bad(4, EXPECTED_CRLF), line("QUIT")]);
    // The error comes with the LF: a client that waits for its answer gets it.
    assert_eq!(units(b"NOOP\n", LINE, 9), [bad(4, EXPECTED_CRLF)]);
}

/// WI-010.
#[test]
fn wi_010_a_bare_carriage_return_spoils_the_line_and_only_that() {
    check(b"NO\rOP\r\nQUIT\r\n", LINE, &[bad(2, EXPECTED_CRLF), line("QUIT")]);
    check(b"NOOP\r\r\nQUIT\r\n", LINE, &[bad(4, EXPECTED_CRLF), line("QUIT")]);
    check(b"\n\n\r\nQUIT\r\n", LINE, &[bad(0, EXPECTED_CRLF), line("QUIT")]);
}

/// WI-011.
#[test]
fn wi_011_a_line_of_exactly_the_limit_passes_and_one_octet_more_does_not() {
    check(b"123456789012345678\r\n", LINE, &[line("123456789012345678")]);
    let long = b"1234567890123456789\r\nQUIT\r\n";
    check(long, LINE, &[bad(20, EXPECTED_LINE_END), line("QUIT")]);
    let endless = [&[b'x'; 5_000][..], b"\r\nQUIT\r\n"].concat();
    check(&endless, LINE, &[bad(20, EXPECTED_LINE_END), line("QUIT")]);
}

/// WI-011.
#[test]
fn wi_011_an_endless_line_costs_no_memory() {
    let mut framer = Framer::new(LINE);
    framer.push(&[b'x'; 30]);
    assert!(framer.next_unit().is_err());
    framer.read_as(LINE);
    for _ in 0..1_000 {
        framer.push(&[b'x'; 1_000]);
        assert_eq!(framer.next_unit(), Ok(None));
        assert_eq!(framer.buffered(), 0);
    }
}

#[test]
fn a_body_is_unstuffed() {
    let mode = Mode::Dots(100);
    check(b"a\r\n..b\r\n.c\r\n.\r\n", mode, &[body(b"a\r\n.b\r\nc\r\n"), END]);
    check(b".\r\n", mode, &[END]);
    check(b"..\r\n.\r\n", mode, &[body(b".\r\n"), END]);
    check(b"\r\n.\r\n", mode, &[body(b"\r\n"), END]);
}

/// WI-012.
#[test]
fn wi_012_no_smuggled_end_ends_a_body() {
    let mode = Mode::Dots(1_000);
    for end in
        ["\n.\r\n", "\r.\r\n", "\n.\n", "\r.\r", "\r\n.\n", "\r\n.\r", "\n\n.\n\n", "\r\r\n.\n"]
    {
        let input = format!("good{end}MAIL FROM:<smuggled@example.org>\r\n.\r\n");
        let found = units(input.as_bytes(), mode, 1);
        assert_eq!(found, units(input.as_bytes(), mode, 1_000));
        let (last, front) = found.split_last().expect("the body ends");
        assert!(
            matches!(last, Err(error) if error.expected == EXPECTED_CRLF),
            "{end:?}: {found:?}"
        );
        // Exactly one body, refused at its true end: what follows the false end was no command.
        assert!(front.iter().all(|unit| matches!(unit, Ok(Unit::Body(_)))), "{end:?}: {found:?}");
    }
}

/// WI-012.
#[test]
fn wi_012_the_error_names_the_first_bare_octet() {
    let mode = Mode::Dots(100);
    check(b"ab\ncd\n\r\n.\r\n", mode, &[body(b"ab"), bad(2, EXPECTED_CRLF)]);
    check(b"ab\rcd\r\n.\r\n", mode, &[body(b"ab"), bad(2, EXPECTED_CRLF)]);
    check(b"ab\r\n.\rx\r\n.\r\n", mode, &[body(b"ab\r\n"), bad(5, EXPECTED_CRLF)]);
    check(b"a\r\r\n.\r\n", mode, &[body(b"a"), bad(1, EXPECTED_CRLF)]);
}

/// SM-130: hops count in mail from outside alone, not in what members hand over or deliver.
#[test]
fn hops_count_in_mail_from_outside_only() {
    let message = "Received: x\r\n".repeat(101) + "\r\n";
    let (stuffed, text) = (message.clone() + ".\r\n", message.len() as u64);
    let too_many = bad(13 * 100 + 8, EXPECTED_FEWER_HOPS);
    for (input, mode, last) in [
        (&stuffed, Mode::Mail(10_000), &too_many),
        (&stuffed, Mode::Dots(10_000), &END),
        (&message, Mode::Text(text), &END),
    ] {
        for step in [1, 7, 10_000] {
            assert_eq!(units(input.as_bytes(), mode, step).last(), Some(last), "{mode:?}");
        }
    }
    let body = "\r\n".to_owned() + &stuffed;
    assert_eq!(units(body.as_bytes(), Mode::Mail(10_000), 7).last(), Some(&END));
}

/// WI-013.
#[test]
fn wi_013_a_body_of_exactly_the_limit_passes_and_one_octet_more_does_not() {
    let mode = Mode::Dots(6);
    check(b"1234\r\n.\r\n", mode, &[body(b"1234\r\n"), END]);
    check(b"..23\r\n.\r\n", mode, &[body(b".23\r\n"), END]);
    check(b"12345\r\n.\r\n.\r\n", mode, &[body(b"12345\r"), bad(6, EXPECTED_BODY_END), END]);
}

/// WI-013.
#[test]
fn wi_013_an_endless_body_costs_no_memory() {
    let mut framer = Framer::new(Mode::Dots(10));
    for _ in 0..1_000 {
        framer.push(&[b'x'; 1_000]);
        while framer.next_unit().expect("the error waits for the end of the body").is_some() {}
        assert_eq!(framer.buffered(), 0);
    }
    framer.push(b"\r\n.\r\n");
    assert_eq!(framer.next_unit(), Err(DecodeError { offset: 10, expected: EXPECTED_BODY_END }));
}

#[test]
fn a_large_body_comes_in_pieces() {
    let content = vec![b'x'; 3 * PIECE_LIMIT];
    let mut framer = Framer::new(Mode::Dots(1 << 20));
    framer.push(&content);
    framer.push(b"\r\n.\r\n");
    let mut pieces = 0;
    while let Some(Unit::Body(piece)) = framer.next_unit().expect("the body is good") {
        assert!(piece.len() <= PIECE_LIMIT);
        pieces += 1;
    }
    assert!((3..=5).contains(&pieces), "{pieces} pieces");
    assert!(framer.is_paused());
}

/// WI-014.
#[test]
fn wi_014_octets_are_taken_as_they_are() {
    check(b"a\n.\r\nb", Mode::Octets(3), &[body(b"a\n."), END, body(b"\r\nb"), END]);
    let mut framer = Framer::new(Mode::Octets(0));
    assert_eq!(framer.next_unit(), Ok(Some(Unit::BodyEnd)));
    assert_eq!(framer.next_unit(), Ok(None));
}

/// WI-018.
#[test]
fn wi_018_a_text_of_announced_length_has_whole_line_ends() {
    check(b"a\r\n.\r\n", Mode::Text(3), &[body(b"a\r\n"), END, body(b".\r\n"), END]);
    for (text, place) in [
        (&b"a\nb"[..], 1),
        (b"a\rb", 1),
        (b"\n", 0),
        (b"a\r\n\r", 3),
        (b"\r\r\n", 0),
        (b"a\r\n\n", 3),
    ] {
        let mut framer = Framer::new(Mode::Text(text.len() as u64));
        for octet in text.iter().chain(b"next") {
            framer.push(&[*octet]);
        }
        let mut given = Vec::new();
        let error = loop {
            match framer.next_unit() {
                Ok(Some(Unit::Body(piece))) => given.extend(piece),
                Err(error) => break error,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(given, text, "the octets are given all the same");
        assert_eq!((error.offset, error.expected), (place, EXPECTED_CRLF), "{text:?}");
        assert_eq!((framer.is_paused(), framer.buffered()), (true, 4), "what follows is kept");
    }
}

/// WI-017.
/// SU-064: a text may break off anywhere; what was given of it and what follows are texts of their own.
#[test]
fn wi_018_a_text_goes_on_behind_any_place_at_which_it_broke_off() {
    let text = b"one\r\n\r\ntwo\r\n";
    for cut in 0..text.len() {
        let mut framer = Framer::new(Mode::Text(text.len() as u64));
        let mut given = Vec::new();
        for octet in &text[..cut] {
            framer.push(&[*octet]);
            while let Ok(Some(Unit::Body(piece))) = framer.next_unit() {
                given.extend(piece);
            }
        }
        assert!(framer.is_fair_text(), "{cut}");
        assert_ne!(given.last(), Some(&b'\r'), "{cut}");
        let rest = &text[given.len()..];
        assert_eq!(units(rest, Mode::Text(rest.len() as u64), 1)[..2], [body(rest), END], "{cut}");
    }
    let mut framer = Framer::new(Mode::Text(20));
    framer.push(b"a bare\nlf");
    assert!(matches!(framer.next_unit(), Ok(Some(Unit::Body(_)))));
    assert!(!framer.is_fair_text(), "behind it nobody would see the bare LF");
    framer.read_as(Mode::Line(20));
    assert!(!framer.is_fair_text(), "and no text is being read");
}

#[test]
fn wi_017_a_block_comes_in_one_piece_and_has_a_limit() {
    let block = |octets: &[u8]| Ok(Unit::Block(octets.into()));
    check(b"a\n.b\r\nc", Mode::Block(3), &[block(b"a\n."), block(b"b\r\n")]);
    let mut framer = Framer::new(Mode::Block(0));
    assert_eq!(framer.next_unit(), Ok(Some(Unit::Block(Vec::new()))));
    let mut framer = Framer::new(Mode::Block(usize::MAX));
    framer.push(&vec![b'x'; BLOCK_LIMIT - 1]);
    assert_eq!(framer.next_unit(), Ok(None));
    framer.push(b"x");
    assert!(
        matches!(framer.next_unit(), Ok(Some(Unit::Block(block))) if block.len() == BLOCK_LIMIT)
    );
}

#[test]
fn frames_are_counted() {
    let frame = |content: &[u8]| Ok(Unit::Frame(content.into()));
    let input = b"{00000003}a\r\n{00000000}{0000000A}0123456789{0000";
    check(input, Mode::Frame(10), &[frame(b"a\r\n"), frame(b""), frame(b"0123456789")]);
}

/// WI-015.
#[test]
fn wi_015_nothing_is_read_behind_a_malformed_frame() {
    let cases: [(&[u8], usize, &str); 5] = [
        (b"x00000001}a{00000001}b", 0, "`{`"),
        (b"{0000000g}a{00000001}b", 8, "a hexadecimal digit"),
        (b"{000000011a{00000001}b", 9, "`}`"),
        (b"{+0000001}a{00000001}b", 1, "a hexadecimal digit"),
        (b"{0000000b}0123456789a{00000001}b", 1, "a length within the limit"),
    ];
    for (input, offset, expected) in cases {
        check(input, Mode::Frame(10), &[bad(offset, expected)]);
    }
}

/// WI-031.
#[test]
fn wi_031_a_frame_beyond_the_limit_is_refused_before_its_content() {
    let mut framer = Framer::new(Mode::Frame(4 * 1024 * 1024));
    framer.push(b"{00400001}");
    assert_eq!(framer.next_unit().expect_err("one octet too many").offset, 1);
    framer.push(&[b'x'; 1_000]);
    assert_eq!(framer.buffered(), 0, "nothing is kept of it");
}

/// WI-016.
#[test]
fn wi_016_what_came_in_clear_behind_starttls_is_dropped() {
    let mut framer = Framer::new(LINE);
    framer.push(b"STARTTLS\r\nMAIL FROM:<>\r\n");
    assert_eq!(framer.next_unit(), Ok(Some(Unit::Line(b"STARTTLS".to_vec()))));
    assert_eq!(framer.discard(), b"MAIL FROM:<>\r\n");
    framer.push(b"EHLO a\r\n");
    framer.read_as(LINE);
    assert_eq!(framer.next_unit(), Ok(Some(Unit::Line(b"EHLO a".to_vec()))));
}

#[test]
fn modes_change_between_units() {
    let mut framer = Framer::new(LINE);
    framer.push(b"DATA\r\nhi\r\n.\r\nBDAT 3\r\nabcQUIT\r\n");
    let mut found = Vec::new();
    let modes = [Mode::Dots(9), LINE, LINE, Mode::Octets(3), LINE];
    let mut next = modes.into_iter();
    while let Some(unit) = framer.next_unit().expect("all is well-formed") {
        if framer.is_paused() {
            framer.read_as(next.next().unwrap_or(Mode::Paused));
        }
        found.push(unit);
    }
    let line = |text: &str| Unit::Line(text.into());
    let text = |text: &str| Unit::Body(text.into());
    // After the first body the mode is LINE; after BDAT it is Octets.
    assert_eq!(found[..4], [line("DATA"), text("hi\r\n"), Unit::BodyEnd, line("BDAT 3")],);
}

/// Octets in which line ends and dots are frequent.
fn mail() -> impl Strategy<Value = Vec<u8>> {
    let octet = prop_oneof![
        3 => Just(b'\r'), 3 => Just(b'\n'), 3 => Just(b'.'), 2 => Just(b'x'), 1 => any::<u8>()
    ];
    proptest::collection::vec(octet, 0..60)
}

/// The reference: what a whole body holds, found by looking for the end first.
fn reference(input: &[u8]) -> Option<(usize, bool)> {
    let end = if input.starts_with(b".\r\n") {
        3
    } else {
        input.windows(5).position(|window| window == b"\r\n.\r\n")? + 5
    };
    let content = &input[..end];
    let bare = (0..content.len()).any(|place| match content[place] {
        b'\r' => content.get(place + 1) != Some(&b'\n'),
        b'\n' => place == 0 || content[place - 1] != b'\r',
        _ => false,
    });
    Some((end, bare))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn split_anywhere_the_units_are_the_same(
        input in mail(), split in 1_usize..9, limit in 2_usize..30,
    ) {
        for mode in [
            Mode::Line(limit), Mode::Dots(limit as u64), Mode::Mail(limit as u64), Mode::Octets(limit as u64),
            Mode::Text(limit as u64), Mode::Block(limit), Mode::Frame(limit),
        ] {
            prop_assert_eq!(units(&input, mode, split), units(&input, mode, input.len()));
        }
    }

    /// WI-012.
    #[test]
    fn wi_012_a_body_ends_where_the_reference_says(input in mail()) {
        let mut framer = Framer::new(Mode::Dots(1_000));
        framer.push(&input);
        let mut last = Ok(None);
        while !framer.is_paused() {
            last = framer.next_unit();
            if last == Ok(None) { break }
        }
        match reference(&input) {
            None => prop_assert_eq!(last, Ok(None)),
            Some((end, bare)) => {
                prop_assert_eq!(framer.buffered(), input.len() - end);
                prop_assert_eq!(last.is_err(), bare);
            }
        }
    }

    #[test]
    fn what_is_stuffed_is_unstuffed(lines in proptest::collection::vec("[.a ]{0,5}", 0..9)) {
        let content: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let stuffed: String = lines
            .iter()
            .map(|line| format!("{}{line}\r\n", if line.starts_with('.') { "." } else { "" }))
            .collect();
        let found = units(format!("{stuffed}.\r\n").as_bytes(), Mode::Dots(1_000), 7);
        let mut expected = vec![];
        if !content.is_empty() { expected.push(body(content.as_bytes())) }
        expected.push(END);
        prop_assert_eq!(found, expected);
    }
}
