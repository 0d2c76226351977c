//! Counted frames, X-LINK2STATE, link-state records and the group port (WI-031, WI-032, WI-090 to
//! WI-110).

use crate::support::{element, link_pdu, member};
use bridgehead::protocol::linkstate::{
    ConnectorRecord, ConnectorState, DEFAULT_LIFETIME_S, LinkPdu, Record, SourceState, Term,
    Version,
};
use bridgehead::wire::group::Frame;
use bridgehead::wire::ids::{ConnectorName, GroupName, MemberName};
use bridgehead::wire::link2state::{
    Chunk, DATA_LIMIT, HISTORIC_BUFFER, LINE_LIMIT, MESSAGE_LIMIT, Mark, REPLY_LINES_LIMIT,
    Reassembly, ReassemblyError, message_of_reply, message_reply, next_reply, split,
};
use bridgehead::wire::message::Digest;
use bridgehead::wire::smtp::{Command, CommandError, Reply, ReplyReader};
use bridgehead::wire::{DecodeError, frame, orginfo};
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

pub(crate) fn a_record() -> Record {
    let master = MemberName::from("rg1-b");
    Record {
        group: GroupName::from("RG1"),
        uuid: "0123456789abcdef0123456789abcdef".into(),
        version: Version {
            term: Term { counter: 1, member: master.clone(), nonce: 0xfe },
            major: 10,
            minor: 2,
            user: 0,
        },
        members: vec![(MemberName::from("rg1-a"), true), (master, false)],
        connectors: vec![ConnectorRecord {
            name: ConnectorName::from("RG1-RG2"),
            to: GroupName::from("RG2"),
            cost: 100,
            state: ConnectorState::Down,
            sources: vec![MemberName::from("rg1-a")],
            restrictions: Default::default(),
            unavailable: Vec::new(),
        }],
        deleted: None,
        lifetime_s: DEFAULT_LIFETIME_S,
        exits: Vec::new(),
    }
}

pub(crate) const RECORD: &str = "( 0123456789abcdef0123456789abcdef {3}RG1 1 {5}rg1-b fe a 2 0 \
                      ( {5}rg1-a YES {5}rg1-b NO ) ( {7}RG1-RG2 ( CONFIG {3}RG2 64 BH \
                      ( {5}rg1-a ) STATE DOWN ) ) )";

/// WI-101.
#[test]
fn wi_101_a_message_is_a_frame_of_counted_elements() {
    let digest = Digest([0xab; 32]);
    let news = LinkPdu::news(digest, vec![a_record()]);
    let element = format!(" NEWS {digest} ( {RECORD} )");
    let multi = format!(" MULTI (6) ({{{:08x}}}{element})", element.len());
    let message = format!("{{{:08x}}}{multi}", multi.len());
    assert_eq!(orginfo::encode_message(core::slice::from_ref(&news)), Ok(message.clone()));
    assert_eq!(orginfo::decode_message(&message), Ok(vec![news]));

    let query = LinkPdu::merged(digest, vec![]);
    let text = orginfo::encode_message(&[query.clone(), query.clone()]).expect("it is short");
    assert!(text.contains(&format!(" MERGED {digest} ()")));
    assert_eq!(orginfo::decode_message(&text), Ok(vec![query.clone(), query]));
    assert_eq!(orginfo::decode_message("{0000000d} MULTI (6) ()"), Ok(vec![]));
}

/// WI-101.
#[test]
fn wi_101_other_verbs_versions_and_counts_are_refused() {
    let framed = |content: &str| format!("{{{:08x}}}{content}", content.len());
    let zeros = "0".repeat(64);
    for (message, offset, expected) in [
        (framed(" MULTI (5) ()"), 16, "version (6)"),
        (framed(" MULTY (6) ()"), 10, "SP and MULTI"),
        (framed(" MULTI (6) () "), 23, "the end of the counted frame"),
        (framed(" MULTI (6) (x)"), 22, "an element or `)`"),
        (format!(" MULTI (6) ({})", framed(" ORGINFO")), 0, "`{`"),
        (framed(&format!(" MULTI (6) ({})", framed(" ORGINFO"))), 32, "SP and NEWS or MERGED"),
        (
            framed(&format!(" MULTI (6) ({})", framed(" NEWS 00 ()"))),
            38,
            "64 lower-case hexadecimal digits",
        ),
        (
            framed(&format!(" MULTI (6) ({})", framed(&format!(" NEWS {zeros}()")))),
            102,
            "SP and `(`",
        ),
        (
            framed(&format!(" MULTI (6) ({})", framed(&format!(" NEWS {zeros} ( )")))),
            104,
            "a record",
        ),
        (framed(" MULTI (6) ({00000009} NEWS)"), 38, "the whole of a counted frame"),
        (String::from("{0000000e} MULTI (6) ()"), 23, "the whole of a counted frame"),
        (String::from("{0000000c} MULTI (6) ()"), 22, "an element or `)`"),
    ] {
        let error = orginfo::decode_message(&message).expect_err(&message);
        assert_eq!((error.offset, error.expected), (offset, expected), "{message}");
    }
}

/// WI-102.
#[test]
fn wi_102_a_record_has_everything_in_order() {
    let decode = |record: &str| {
        let content = format!(" NEWS {} ( {record} )\r\n", Digest::default());
        let start = content.find(record).expect("the record is there");
        Frame::decode(content.as_bytes()).map_err(|error| (error.offset - start, error.expected))
    };
    assert!(decode(RECORD).is_ok());
    let hex = "a hexadecimal number";
    for (from, to, offset, expected) in [
        ("0123456789abcdef0", "0123456789ABCDEF0", 2, "32 lower-case hexadecimal digits"),
        ("{3}RG1 ", "{4}RG1 ", 41, "xtext"),
        ("{3}RG1 ", "RG1 ", 35, "a counted string"),
        ("{3}RG1 ", "{ffff}RG1 ", 0, ""),
        ("RG1 1 ", "RG1 01 ", 42, hex),
        (" fe a 2 0 ", " fe A 2 0 ", 56, hex),
        (" fe a 2 0 ", " fe 100000000 2 0 ", 56, hex),
        (" fe a 2 0 ", " fe a 2  0 ", 60, hex),
        (" fe a 2 0 ", " fe a 2 ", 60, hex),
        ("YES", "MAYBE", 72, "SP and YES or NO"),
        ("YES", "YESNO", 72, "SP and YES or NO"),
        ("CONFIG {3}RG2 64", "CONFIG {3}RG2 65", 120, "a cost from 1 to 64 (hexadecimal)"),
        ("CONFIG {3}RG2 64", "CONFIG {3}RG2 0", 120, "a cost from 1 to 64 (hexadecimal)"),
        (" BH ", " HB ", 122, "SP and BH"),
        ("DOWN", "SIDEWAYS", 144, "SP and UP or DOWN"),
        ("DOWN )", "DOWN X )", 149, "SP and `)`"),
    ] {
        let changed = RECORD.replacen(from, to, 1);
        assert_ne!(changed, RECORD, "{from} stands in the record");
        let error = decode(&changed).expect_err(to);
        if expected.is_empty() {
            assert_eq!(error.1, "the whole of a counted string");
        } else {
            assert_eq!(error, (offset, expected), "{to}");
        }
    }
}

/// WI-102: a tombstone ends with the reason.
#[test]
fn wi_102_a_tombstone_says_why() {
    let mut tombstone = a_record();
    tombstone.version = Version::tombstone(MemberName::from("rg1-a"));
    (tombstone.members, tombstone.connectors) = (vec![], vec![]);
    tombstone.deleted = Some("sold off".into());
    let text = format!(
        " NEWS {} ( ( 0123456789abcdef0123456789abcdef {{3}}RG1 ffffffffffffffff {{5}}rg1-a 0 0 0 0 () () \
         DELETED {{a}}sold+20off ) )\r\n",
        Digest::default()
    );
    let frame = Frame::Link(LinkPdu::news(Digest::default(), vec![tombstone]));
    assert_eq!(frame.encode(), Ok(text.clone().into_bytes()));
    assert_eq!(Frame::decode(text.as_bytes()), Ok(frame));
    let error = Frame::decode(text.replace("DELETED {a}sold+20off", "DELETED").as_bytes());
    assert_eq!(error.expect_err("no reason").expected, "a counted string");
}

/// WI-101: nodes stand behind the records, and only where there are any.
#[test]
fn wi_101_nodes_are_bounded_and_in_order() {
    let zeros = Digest::default();
    let listed = |number: u32| format!("{number:032x} 1 {{5}}rg1-b fe a 2 0 {zeros}");
    let leaf = |prefix: &str, count: u32| {
        let records: Vec<_> = (1..=count).map(|number| format!(" {}", listed(number))).collect();
        let end = if count == 0 { "" } else { " " };
        format!("( {prefix} LEAF ({}{end}) )", records.concat())
    };
    let inner = |children: usize| format!("( 0a INNER{} )", format!(" {zeros}").repeat(children));
    let decode = |nodes: &str| Frame::decode(format!(" NEWS {zeros} (){nodes}\r\n").as_bytes());
    let one = |node: &str| decode(&format!(" ( {node} )"));
    for good in [leaf("-", 0), leaf("0123456789abcdef", 16), inner(16)] {
        assert!(one(&good).is_ok(), "{good}");
    }
    let swapped = format!("( - LEAF ( {} {} ) )", listed(2), listed(1));
    for (bad, expected) in [
        (leaf("-", 17), "at most 16 records in a leaf"),
        (leaf("0123456789abcdef0", 1), "`-` or 1 to 16 digits"),
        (leaf("0A", 1), "SP and INNER or LEAF"),
        (leaf("", 1), "`-` or 1 to 16 digits"),
        (leaf("-0", 1), "`-` or 1 to 16 digits"),
        (inner(15), "64 lower-case hexadecimal digits"),
        (inner(17), "SP and `)`"),
        (swapped, "records in order of their UUIDs"),
        (format!("( - LEAF ( {} {} ) )", listed(1), listed(1)), "records in order of their UUIDs"),
        (String::from("( - TWIG () )"), "SP and INNER or LEAF"),
    ] {
        let refused = one(&bad).expect_err(&bad);
        assert!(refused.expected.ends_with(expected), "{bad}: {refused:?}");
    }
    let many = |count: usize| format!(" ({} )", format!(" {}", leaf("-", 0)).repeat(count));
    assert!(decode(&many(512)).is_ok());
    assert_eq!(decode(&many(513)).expect_err("too many").expected, "1 to 512 nodes");
    assert_eq!(decode(" ()").expect_err("none").expected, "1 to 512 nodes");
}

/// WI-103.
#[test]
fn wi_103_names_are_escaped_in_one_way() {
    let attach = |name: &str| Frame::Attach(MemberName::from(name));
    assert_eq!(attach("a b").encode(), Ok(b" ATTACH {5}a+20b\r\n".to_vec()));
    assert_eq!(attach("caf\u{e9}+").encode(), Ok(b" ATTACH {c}caf+C3+A9+2B\r\n".to_vec()));
    assert_eq!(Frame::decode(b" ATTACH {5}a+20b\r\n"), Ok(attach("a b")));
    for (content, offset) in [
        (&b" ATTACH {5}a+61b\r\n"[..], 12),
        (b" ATTACH {4}a+2b\r\n", 12),
        (b" ATTACH {3}a b\r\n", 12),
        (b" ATTACH {2}a=\r\n", 12),
    ] {
        assert_eq!(Frame::decode(content).expect_err("not canonical").offset, offset);
    }
}

/// WI-110.
#[test]
fn wi_110_the_frames_of_the_group_port() {
    let rg1 = MemberName::from("rg1-b");
    for (content, frame) in [
        (
            String::from(" NODEINFO (6) {21}Version: 1 Bridgehead rg1-b ready\r\n"),
            Frame::NodeInfo(rg1.clone()),
        ),
        (String::from(" ATTACH {5}rg1-b\r\n"), Frame::Attach(rg1.clone())),
        (
            format!(" NEWS {} ()\r\n", Digest::default()),
            Frame::Link(LinkPdu::news(Digest::default(), vec![])),
        ),
        (
            format!(" MERGED {} ( {RECORD} )\r\n", Digest::default()),
            Frame::Link(LinkPdu::merged(Digest::default(), vec![a_record()])),
        ),
        (String::from(" REPORT ()\r\n"), Frame::Link(LinkPdu::Report { states: vec![] })),
        (
            String::from(" REPORT ( {1}a UP {1}b DOWN {1}c HELD )\r\n"),
            Frame::Link(LinkPdu::Report {
                states: vec![
                    (ConnectorName::from("a"), SourceState::Up),
                    (ConnectorName::from("b"), SourceState::Down),
                    (ConnectorName::from("c"), SourceState::Held),
                ],
            }),
        ),
        (
            String::from(" REPORTED 1f {5}rg1-b 0\r\n"),
            Frame::Link(LinkPdu::Reported { term: Term { counter: 31, member: rg1, nonce: 0 } }),
        ),
    ] {
        assert_eq!(frame.encode(), Ok(content.clone().into_bytes()));
        assert_eq!(Frame::decode(content.as_bytes()), Ok(frame), "{content}");
    }
}

/// WI-110.
#[test]
fn wi_110_other_contents_are_refused_where_they_are_wrong() {
    let verbs = "SP and a verb of the group port";
    for (content, offset, expected) in [
        (&b""[..], 0, verbs),
        (b" ORGINFO\r\n", 0, verbs),
        (b"ATTACH {1}a\r\n", 0, verbs),
        (b" ATTACH {1}a", 12, "CRLF"),
        (b" ATTACH {1}a\n", 12, "CRLF"),
        (b" ATTACH {1}a\r\n\r\n", 14, "the end of the frame"),
        (b" ATTACH {1}a x\r\n", 12, "CRLF"),
        (b" ATTACH {2}a", 12, "the whole of a counted string"),
        (b" ATTACH {01}a\r\n", 9, "a hexadecimal number"),
        (b" ATTACH \xff\r\n", 8, "printable US-ASCII"),
        (b" NODEINFO (5) {1}x\r\n", 9, "version (6)"),
        (b" NODEINFO (6) {1}x\r\n", 17, "`Version: 1 Bridgehead MEMBER ready`"),
        (b" REPORT ( {1}a UP {1}b )\r\n", 22, "SP and UP, DOWN or HELD"),
    ] {
        let error = Frame::decode(content).expect_err("malformed");
        assert_eq!(error, DecodeError { offset, expected }, "{}", content.escape_ascii());
    }
}

/// The decoders of this file, each on the same octets.
fn decode_all(octets: &[u8]) {
    let within =
        |error: DecodeError| assert!(error.offset <= octets.len() && !error.expected.is_empty());
    let _ = frame::decode_frame(octets).map_err(within);
    let _ = Frame::decode(octets).map_err(within);
    let _ = Chunk::decode(octets).map_err(within);
    if let Ok(text) = core::str::from_utf8(octets) {
        let _ = orginfo::decode_message(text).map_err(within);
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
    fn messages_round_trip(elements in proptest::collection::vec(element(), 0..3)) {
        let message = orginfo::encode_message(&elements).expect("it is short");
        prop_assert!(message.bytes().all(|octet| (b' '..=b'~').contains(&octet)));
        prop_assert_eq!(orginfo::decode_message(&message), Ok(elements));
        for end in (0..message.len()).step_by(13) {
            let error = orginfo::decode_message(&message[..end]).expect_err("incomplete");
            prop_assert!(error.offset <= end);
        }
    }

    #[test]
    fn group_frames_round_trip(pdu in link_pdu(), member in member()) {
        for frame in [Frame::Link(pdu), Frame::NodeInfo(member.clone()), Frame::Attach(member)] {
            let content = frame.encode().expect("it is short");
            prop_assert_eq!(Frame::decode(&content), Ok(frame));
            for end in (0..content.len()).step_by(5) {
                let error = Frame::decode(&content[..end]).expect_err("incomplete");
                prop_assert!(error.offset <= end, "{error}");
            }
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

    #[test]
    fn no_octets_upset_a_decoder(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        decode_all(&octets);
    }

    /// Noise with the right beginning gets further.
    #[test]
    fn near_misses_upset_no_decoder(
        start in "( NEWS | REPORT \\(| ATTACH \\{|\\{0000002[0-9a-f]\\} MULTI \\(6\\) \\(\\{000000)", rest in "[ ()0-9a-f{}A-Z+]{0,80}",
    ) {
        decode_all(format!("{start}{rest}").as_bytes());
        decode_all(format!("{start}{rest}\r\n").as_bytes());
    }
}
