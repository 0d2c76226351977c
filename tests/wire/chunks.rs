//! Counted frames, and X-LINK2STATE as commands and replies carry it (WI-031, WI-032, WI-090 to WI-094).

use bridgehead::wire::link2state::{
    Chunk, DATA_LIMIT, HISTORIC_BUFFER, LINE_LIMIT, MESSAGE_LIMIT, Mark, REPLY_LINES_LIMIT,
    Reassembly, ReassemblyError, message_of_reply, message_reply, next_reply, split,
};
use bridgehead::wire::smtp::{Command, CommandError, Reply, ReplyReader};
use bridgehead::wire::{DecodeError, frame};
use proptest::prelude::*;

fn chunk(mark: Mark, data: &str) -> Chunk {
    Chunk { mark, data: String::from(data) }
}

/// WI-032.
#[test]
fn wi_032_a_length_counts_what_is_behind_the_brace() {
    assert_eq!(frame::encode_frame(b" NODEINFO\r\n"), b"{0000000b} NODEINFO\r\n");
    assert_eq!(frame::counted("rg1-a"), "{5}rg1-a");
    assert_eq!(frame::counted(&"x".repeat(16)).len(), 4 + 16);
    assert_eq!(frame::decode_frame(b"{00000002}ab"), Ok(&b"ab"[..]));
    // The published samples: 0x6d octets behind the brace, and a greeting of 0x4c.
    let greeting =
        b" NODEINFO (5) {38}Version: 6.5.7226.0 Microsoft Routing Server ready      x\r\n";
    assert_eq!(&frame::encode_frame(&greeting[..0x4c])[..10], b"{0000004c}");
}

#[test]
fn a_frame_with_a_wrong_count_is_an_error_where_it_ends() {
    let error = |offset, expected| Err(DecodeError { offset, expected });
    assert_eq!(frame::decode_frame(b"{00000002}a"), error(11, "the whole of a counted frame"));
    assert_eq!(frame::decode_frame(b"{00000002}abc"), error(12, "nothing behind the frame"));
    assert_eq!(frame::decode_frame(b"{0000"), error(5, "the whole of a counted frame"));
    assert_eq!(frame::decode_frame(b"{00400001}"), error(1, "a length within the limit"));
}

#[test]
fn chunks_are_commands() {
    for (line, expected) in [
        ("X-LINK2STATE FIRST CHUNK={0000", chunk(Mark::First, "{0000")),
        ("x-link2state next chunk=a  ", chunk(Mark::Next, "a  ")),
        ("X-LINK2STATE LAST CHUNK=", chunk(Mark::Last, "")),
        ("X-LINK2STATE CHUNK=FIRST CHUNK=", chunk(Mark::Unmarked, "FIRST CHUNK=")),
    ] {
        assert_eq!(Command::decode(line.as_bytes()), Ok(Command::LinkState(expected)), "{line}");
    }
    let encoded = Command::LinkState(chunk(Mark::First, "x ")).encode();
    assert_eq!(encoded, b"X-LINK2STATE FIRST CHUNK=x ");
}

/// WI-090.
#[test]
fn wi_090_a_chunk_is_printable_and_its_line_has_a_limit() {
    for (line, offset, expected) in [
        (&b"X-LINK2STATE FIRST CHUNK=a\xffb"[..], 26, "printable US-ASCII"),
        (b"X-LINK2STATE FIRST CHUNK=a\tb", 26, "printable US-ASCII"),
        (b"X-LINK2STATE FIRST", 13, "FIRST, NEXT, LAST or CHUNK="),
        (b"X-LINK2STATE FIRST CHUNK", 19, "CHUNK="),
        (b"X-LINK2STATE SECOND CHUNK=a", 13, "FIRST, NEXT, LAST or CHUNK="),
    ] {
        let error = CommandError::Syntax(DecodeError { offset, expected });
        assert_eq!(Command::decode(line), Err(error));
    }
    let mut line = b"X-LINK2STATE FIRST CHUNK=".to_vec();
    line.resize(LINE_LIMIT - 2, b'x');
    assert!(Command::decode(&line).is_ok());
    line.push(b'x');
    assert!(
        matches!(Command::decode(&line), Err(CommandError::Syntax(e)) if e.offset == LINE_LIMIT - 2)
    );
}

/// WI-091.
#[test]
fn wi_091_a_message_has_first_and_last_and_keeps_to_the_line() {
    let text = "x".repeat(5 * DATA_LIMIT);
    for octets in [0, 9, 10, 11, DATA_LIMIT - 1, DATA_LIMIT, DATA_LIMIT + 1, 2 * DATA_LIMIT, 3_000]
    {
        let message = &text[..octets];
        let chunks = split(message);
        assert!(chunks.len() >= 2);
        for (place, found) in chunks.iter().enumerate() {
            let mark = match place {
                0 => Mark::First,
                place if place + 1 == chunks.len() => Mark::Last,
                _ => Mark::Next,
            };
            assert_eq!(found.mark, mark);
            let line = Command::LinkState(found.clone()).encode();
            assert!(line.len() + 2 <= LINE_LIMIT, "{} octets", line.len());
        }
        let reply = message_reply(message);
        assert!(reply.encode().iter().all(|line| line.len() + 2 <= LINE_LIMIT));
        assert_eq!(message_of_reply(&reply).as_deref(), Ok(message));
    }
    assert_eq!(next_reply().encode(), [b"200 NEXT"]);
}

/// WI-091.
#[test]
fn wi_091_an_unmarked_chunk_goes_on() {
    let mut reassembly = Reassembly::default();
    assert_eq!(reassembly.take(&chunk(Mark::First, "a")), Ok(None));
    assert_eq!(reassembly.take(&chunk(Mark::Unmarked, "b")), Ok(None));
    assert_eq!(reassembly.take(&chunk(Mark::Next, "c")), Ok(None));
    assert_eq!(reassembly.take(&chunk(Mark::Last, "d")), Ok(Some("abcd".into())));
    assert!(!reassembly.is_inside());
}

/// WI-092.
#[test]
fn wi_092_nothing_is_taken_before_first() {
    for mark in [Mark::Next, Mark::Last, Mark::Unmarked] {
        let mut reassembly = Reassembly::default();
        let error = reassembly.take(&chunk(mark, "x")).expect_err("no FIRST");
        assert_eq!(error, ReassemblyError::BeforeFirst);
        assert_eq!(error.reply().encode(), [b"503 5.5.1 chunk before FIRST"]);
        assert_eq!(reassembly, Reassembly::default());
    }
}

/// WI-092.
#[test]
fn wi_092_the_attack_of_ms05_021_is_known_and_harmless() {
    let attack = |octets: usize| {
        let mut reassembly = Reassembly::default();
        let taken = reassembly.take(&chunk(Mark::Unmarked, &"A".repeat(octets)));
        assert_eq!(reassembly, Reassembly::default(), "nothing is kept");
        taken.expect_err("no FIRST")
    };
    assert_eq!(attack(HISTORIC_BUFFER), ReassemblyError::BeforeFirst);
    assert_eq!(attack(HISTORIC_BUFFER + 1), ReassemblyError::Attack);
    assert_eq!(ReassemblyError::Attack.reply(), ReassemblyError::BeforeFirst.reply());
    // The same chunk within a message is no attack.
    let mut reassembly = Reassembly::default();
    assert_eq!(reassembly.take(&chunk(Mark::First, "")), Ok(None));
    assert_eq!(reassembly.take(&chunk(Mark::Unmarked, &"A".repeat(600))), Ok(None));
}

/// WI-093.
#[test]
fn wi_093_first_inside_drops_what_was_there() {
    let mut reassembly = Reassembly::default();
    assert_eq!(reassembly.take(&chunk(Mark::First, "a")), Ok(None));
    let error = reassembly.take(&chunk(Mark::First, "b")).expect_err("inside");
    assert_eq!((error, error.reply().code()), (ReassemblyError::FirstInside, 503));
    assert_eq!(reassembly.take(&chunk(Mark::Last, "c")), Err(ReassemblyError::BeforeFirst));
}

/// WI-094.
#[test]
fn wi_094_a_message_of_exactly_the_limit_passes_and_one_octet_more_does_not() {
    let message = "x".repeat(MESSAGE_LIMIT);
    let chunks = split(&message);
    assert!(chunks.len() <= REPLY_LINES_LIMIT);
    let mut reassembly = Reassembly::default();
    let (last, front) = chunks.split_last().expect("chunks");
    for chunk in front {
        assert_eq!(reassembly.take(chunk), Ok(None));
    }
    let mut longer = reassembly.clone();
    assert_eq!(reassembly.take(last).map(|m| m.map(|m| m.len())), Ok(Some(MESSAGE_LIMIT)));
    let last = chunk(Mark::Last, &format!("{}x", last.data));
    let error = longer.take(&last).expect_err("one octet too many");
    assert_eq!((error, error.reply().code()), (ReassemblyError::TooLong, 552));
    assert!(!longer.is_inside());
}

#[test]
fn a_reply_that_carries_no_message_is_an_error() {
    for reply in [
        next_reply(),
        Reply::plain(200, "FIRST CHUNK=a"),
        Reply::plain(200, "LAST CHUNK=a"),
        Reply::plain(200, "FIRST CHUNK=a\nFIRST CHUNK=b\nLAST CHUNK="),
        Reply::plain(200, "FIRST CHUNK=a\nLAST CHUNK=b\nNEXT CHUNK=c"),
        Reply::plain(250, "FIRST CHUNK=a\nLAST CHUNK=b"),
    ] {
        assert!(message_of_reply(&reply).is_err(), "{reply:?}");
    }
}

proptest! {
    #[test]
    fn frames_round_trip(content in proptest::collection::vec(any::<u8>(), 0..60)) {
        let framed = frame::encode_frame(&content);
        prop_assert_eq!(frame::decode_frame(&framed), Ok(content.as_slice()));
        for end in 0..framed.len() {
            prop_assert_eq!(frame::decode_frame(&framed[..end]).expect_err("incomplete").offset, end);
        }
    }

    #[test]
    fn a_message_survives_commands_and_reply(message in "[ -~]{0,3000}") {
        let mut reassembly = Reassembly::default();
        let mut found = None;
        for chunk in split(&message) {
            let line = Command::LinkState(chunk).encode();
            let Ok(Command::LinkState(chunk)) = Command::decode(&line) else { panic!("a chunk") };
            prop_assert_eq!(found, None);
            found = reassembly.take(&chunk).expect("chunks in order");
        }
        prop_assert_eq!(found.as_deref(), Some(message.as_str()));

        let mut reader = ReplyReader::new(REPLY_LINES_LIMIT);
        let mut reply = None;
        for line in message_reply(&message).encode() {
            reply = reader.line(&line).expect("well-formed");
        }
        prop_assert_eq!(message_of_reply(&reply.expect("complete")), Ok(message));
    }

    /// Strict in every order: a message comes out only of FIRST, then anything but FIRST, then LAST.
    /// WI-093.
    #[test]
    fn wi_093_reassembly_agrees_with_the_pattern(marks in proptest::collection::vec(0_usize..4, 0..12)) {
        let mut reassembly = Reassembly::default();
        let mut inside = false;
        for place in marks {
            let mark = [Mark::First, Mark::Next, Mark::Last, Mark::Unmarked][place];
            let taken = reassembly.take(&chunk(mark, "x"));
            let wrong = inside == (mark == Mark::First);
            prop_assert_eq!(taken.is_err(), wrong);
            prop_assert_eq!(matches!(taken, Ok(Some(_))), !wrong && mark == Mark::Last);
            inside = !wrong && mark != Mark::Last;
            prop_assert_eq!(reassembly.is_inside(), inside);
        }
    }
}
