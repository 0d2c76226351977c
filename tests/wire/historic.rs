//! The OrgInfo packet that Microsoft published (WI-120).

use bridgehead::wire::explain::{Explanation, explain_frame, explain_message};
use bridgehead::wire::frame;
use bridgehead::wire::historic::{self, Counts, Edit};
use proptest::prelude::*;

/// As printed in "Understanding OrgInfo Packet Details", dots for spaces and all.
const PRINTED: &[u8] = include_bytes!("../data/orginfo-as-printed.txt");

/// WI-120.
#[test]
fn wi_120_the_packet_that_microsoft_published_parses() {
    let packet = historic::decode(PRINTED, Counts::Edited).expect("the grammar fits");
    assert_eq!(packet.digest, "a9c421ebe14f06710f6ab596345ac615");
    let [group] = packet.groups.as_slice() else { panic!("one routing group") };
    assert_eq!(group.guid, "a2a0f896d197b84999557850ac796258");
    assert_eq!(group.version, (10, 0, 0));
    assert_eq!(group.unexplained, "f0dcd868912f54479b26d729863bb825");
    assert_eq!(group.addresses[0], "*.A2A0F896-D197-B849-9955-7850AC796258");
    assert!(group.addresses[1].ends_with("cn=A2A0F896-D197-B849-9955-7850AC796258;*"));
    assert!(group.addresses[2].ends_with("/*/A2A0F896-D197-B849-99557850AC796258"));

    let [first, second] = group.members.as_slice() else { panic!("two members") };
    assert_eq!(first.guid, group.master);
    assert_eq!(second.guid, "979733932e995742bc2d5ecf93198b4d");
    assert!(first.attached && second.attached);
    assert_eq!((first.build, first.flags.as_str()), (6_830, "0701000000000101"));

    let [connector] = group.connectors.as_slice() else { panic!("one connector") };
    assert_eq!(connector.guid, "f76005bd57ad93428518268f28f4f7e6");
    assert_eq!((connector.kind.as_str(), connector.target.as_str()), ("SMTP", ""));
    assert_eq!(connector.source, "_f76005bd57ad93428518268f28f4f7e6_S");
    assert!(connector.name.ends_with("/cn=Connections/cn=JUNK"), "{}", connector.name);
    assert_eq!(connector.restrictions, [0, 0, 0, 0, u32::MAX, u32::MAX, 0, 1]);
    assert_eq!(connector.users.each_ref().map(Vec::len), [0, 6, 0, 0]);
    assert_eq!(connector.users[1][0], "CN=tester07,CN=Users,DC=domain,DC=com");
    assert_eq!(connector.users[1][5], "CN=Administrator,CN=Users,DC=domain,DC=com");
    assert_eq!(connector.arrows, [("SMTP".into(), "*".into(), 1)]);
    let bridgehead = ("2fdb30b62e4ea949a71f91f319535143", "CONN_AVAIL", "RGR-65-02.domain.com");
    let found = connector.bridgeheads.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str()));
    assert_eq!(found.collect::<Vec<_>>(), [bridgehead]);
    assert!(connector.targets.is_empty() && connector.up);
}

/// WI-120.
#[test]
fn wi_120_the_edits_of_the_print_are_found_and_only_they() {
    let packet = historic::decode(PRINTED, Counts::Edited).expect("the grammar fits");
    let by = |edit: &Edit| {
        isize::try_from(edit.octets).unwrap() - isize::try_from(edit.counted).unwrap()
    };
    let edits: Vec<_> = packet.edits.iter().map(by).collect();
    // `Example` is four octets shorter than the true name, and one hyphen is missing; `domain` is one
    // octet longer, seven times.
    assert_eq!(edits, [-4, -5, -4, 1, 1, 1, 1, 1, 1, 1]);
    // A receiver takes counts at their word, and the first that is off is the frame's own.
    let error = historic::decode(PRINTED, Counts::Exact).expect_err("the print was edited");
    assert_eq!(error.expected, "the end of the frame exactly there");
}

/// The packet with every count put right: what the wire would have had.
fn repaired() -> Vec<u8> {
    let packet = historic::decode(PRINTED, Counts::Edited).expect("the grammar fits");
    let mut octets = PRINTED.trim_ascii_end().to_vec();
    for edit in packet.edits.iter().rev() {
        let count = format!("{:x}", edit.counted);
        let start = edit.offset - 1 - count.len();
        octets.splice(start..edit.offset - 1, format!("{:x}", edit.octets).into_bytes());
    }
    let length = format!("{:08x}", octets.len() - frame::HEADER_OCTETS);
    octets.splice(1..9, length.into_bytes());
    octets
}

/// WI-120.
#[test]
fn wi_120_with_right_counts_the_packet_parses_exactly() {
    let exact = historic::decode(&repaired(), Counts::Exact).expect("every count is right");
    assert!(exact.edits.is_empty());
    let printed = historic::decode(PRINTED, Counts::Edited).expect("the grammar fits");
    assert_eq!((exact.digest, exact.groups), (printed.digest, printed.groups));
}

/// WI-120.
#[test]
fn wi_120_an_edited_name_beyond_the_slack_is_an_error() {
    let text = String::from_utf8(repaired()).expect("ASCII");
    let changed = text.replace("{4}SMTP", "{d}SMTP");
    let error = historic::decode(changed.as_bytes(), Counts::Edited).expect_err("nine octets off");
    assert_eq!(error.expected, "a counted string and what must follow it");
    assert_eq!(error.offset, changed.find("{d}SMTP").expect("it is there") + 3);
}

proptest! {
    #[test]
    fn the_historic_packet_can_be_cut_and_spoilt_anywhere(end in 0_usize..1_107, octet in any::<u8>()) {
        let packet = repaired();
        prop_assert!(historic::decode(&packet[..end.min(packet.len() - 3)], Counts::Edited).is_err());
        let mut spoilt = packet;
        let place = end.min(spoilt.len() - 1);
        spoilt[place] = octet;
        for counts in [Counts::Exact, Counts::Edited] {
            if let Err(error) = historic::decode(&spoilt, counts) {
                prop_assert!(error.offset <= spoilt.len() && !error.expected.is_empty());
            }
        }
    }

    #[test]
    fn no_octets_upset_the_decoder(
        octets in proptest::collection::vec(any::<u8>(), 0..200), text in "[ .(){}0-9a-fA-Z]{0,200}",
    ) {
        let framed = frame::encode_frame(text.as_bytes());
        for octets in [octets, framed] {
            for counts in [Counts::Exact, Counts::Edited] {
                if let Err(error) = historic::decode(&octets, counts) {
                    prop_assert!(error.offset <= octets.len() && !error.expected.is_empty());
                }
                assert_fits(&historic::explain(&octets, counts).0, &octets);
            }
            assert_fits(&explain_message(&octets), &octets);
            assert_fits(&explain_frame(&octets), &octets);
        }
    }

    #[test]
    fn our_own_messages_are_explained_up_to_where_they_are_spoilt(
        text in " (MULTI \\(6\\) \\()?(\\{0000000[0-9]\\})?( (NEWS|MERGED|REPORT|X) ?)?[ (){}0-9a-fA-Z]{0,80}",
    ) {
        let framed = frame::encode_frame(text.as_bytes());
        assert_fits(&explain_message(&framed), &framed);
        assert_fits(&explain_frame(&framed), &framed);
    }
}

/// Tokens stand in order and inside the packet, and an error has its place.
fn assert_fits(explanation: &Explanation, octets: &[u8]) {
    let mut end = 0;
    for token in &explanation.tokens {
        assert!(end <= token.offset, "{explanation:?}");
        end = token.offset + token.octets;
        assert!(end <= octets.len(), "{explanation:?}");
    }
    if let Some(error) = explanation.error {
        assert!(error.offset <= octets.len() && !error.expected.is_empty(), "{error}");
    }
}

/// Frames in frames have an end, however many there are.
#[test]
fn nested_frames_do_not_exhaust_the_stack() {
    for piece in ["{00000010} MULTI (6) (", "{00000010} NEWS x (", "("] {
        let nested = format!("{{00000010}} NEWS {}", piece.repeat(100_000));
        assert_fits(&explain_message(nested.as_bytes()), nested.as_bytes());
        let multi = piece.repeat(100_000);
        assert_fits(&explain_message(multi.as_bytes()), multi.as_bytes());
    }
}

/// WI-120: the word that precedes the table in a frame is passed, and the tokens are those of the packet.
#[test]
fn wi_120_the_word_orginfo_is_passed() {
    let packet = repaired();
    let with_word = frame::encode_frame(&[b" ORGINFO", &packet[frame::HEADER_OCTETS..]].concat());
    let found = historic::decode(&with_word, Counts::Exact).expect("the word is known");
    assert_eq!(found, historic::decode(&packet, Counts::Exact).expect("so is the packet"));
    let (explanation, told) = historic::explain(&with_word, Counts::Exact);
    assert_eq!((explanation.error, told), (None, Some(found)));
    assert_eq!(explanation.tokens[1].field.name, "ORGINFO");
}
