//! SM-050: `Received` lines and their dates.

use bridgehead::kernel::Time;
use bridgehead::protocol::session::{WORD_LIMIT, date, received_lines};
use bridgehead::wire::message::Hop;

fn hop(from: &str, by: &str, seconds: u64) -> Hop {
    Hop {
        from: from.into(),
        by: by.into(),
        group: "RG1".into(),
        with: "ESMTP".into(),
        id: "0000000000000001".into(),
        at: Time(seconds * 1_000_000 + 999_999),
        table: None,
    }
}

/// The expected dates were made with GNU date.
#[test]
fn dates_are_those_of_rfc_5322() {
    for (seconds, expected) in [
        (0, "Thu, 1 Jan 1970 00:00:00 +0000"),
        (951_782_399, "Mon, 28 Feb 2000 23:59:59 +0000"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 +0000"),
        (951_868_800, "Wed, 1 Mar 2000 00:00:00 +0000"),
        (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 +0000"),
        (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 +0000"),
        (1_795_300_586, "Sat, 21 Nov 2026 22:36:26 +0000"),
        (4_107_542_400, "Mon, 1 Mar 2100 00:00:00 +0000"),
    ] {
        assert_eq!(date(Time(seconds * 1_000_000)), expected);
    }
    assert!(date(Time(u64::MAX)).ends_with(" +0000"), "every time has a date");
}

#[test]
fn the_newest_hop_stands_first() {
    let lines = received_lines(&[
        hop("client.example ([192.0.2.1])", "rg1-a", 0),
        hop("rg1-a", "rg2-a", 1),
    ]);
    let expected = "Received: from rg1-a\r\n\tby rg2-a (group RG1) with ESMTP id 0000000000000001;\r\n\
                    \tThu, 1 Jan 1970 00:00:01 +0000\r\n\
                    Received: from client.example ([192.0.2.1])\r\n\tby rg1-a (group RG1) with ESMTP id \
                    0000000000000001;\r\n\tThu, 1 Jan 1970 00:00:00 +0000\r\n";
    assert_eq!(lines, expected);
    assert_eq!(received_lines(&[]), "");
    // CU-097: a hop that a table has routed on says by which.
    let table = Some(String::from("0123456789abcdef/1.3.2.0"));
    let lines = received_lines(&[Hop { table, ..hop("x", "rg1-a", 0) }]);
    let expected = "\tby rg1-a (group RG1) (table 0123456789abcdef/1.3.2.0) with ESMTP id";
    assert!(lines.contains(expected), "{lines}");
}

/// No word can end the line, and none is too long.
#[test]
fn a_hop_cannot_forge_a_header() {
    let lines = received_lines(&[hop("x\r\nSubject: forged\r\n\r\n", &"y".repeat(2_000), 0)]);
    assert!(!lines.contains("\nSubject"), "{lines}");
    assert_eq!(lines.lines().count(), 3);
    assert!(lines.lines().all(|line| line.len() <= WORD_LIMIT + 100));
}
