//! Link-state records and messages, and the group port (WI-101 to WI-110).

use crate::support::{element, link_pdu, member};
use bridgehead::protocol::linkstate::{
    ConnectorRecord, ConnectorState, DEFAULT_LIFETIME_S, LinkPdu, Record, SourceState, Term,
    Version,
};
use bridgehead::wire::group::Frame;
use bridgehead::wire::ids::{ConnectorName, GroupName, MemberName};
use bridgehead::wire::link2state::Chunk;
use bridgehead::wire::message::Digest;
use bridgehead::wire::{DecodeError, frame, orginfo};
use proptest::prelude::*;

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
    fn messages_round_trip(elements in proptest::collection::vec(element(), 0..3)) {
        let message = orginfo::encode_message(&elements).expect("it is short");
        prop_assert!(message.bytes().all(|octet| (b' '..=b'~').contains(&octet)));
        prop_assert_eq!(orginfo::decode_message(&message), Ok(elements));
        for end in (0..message.len()).step_by(1 + message.len() / 50) {
            let error = orginfo::decode_message(&message[..end]).expect_err("incomplete");
            prop_assert!(error.offset <= end);
        }
    }

    #[test]
    fn group_frames_round_trip(pdu in link_pdu(), member in member()) {
        for frame in [Frame::Link(pdu), Frame::NodeInfo(member.clone()), Frame::Attach(member)] {
            let content = frame.encode().expect("it is short");
            prop_assert_eq!(Frame::decode(&content), Ok(frame));
            for end in (0..content.len()).step_by(1 + content.len() / 50) {
                let error = Frame::decode(&content[..end]).expect_err("incomplete");
                prop_assert!(error.offset <= end, "{error}");
            }
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
