//! The envelope in its canonical form (WI-080 to WI-084).

use bridgehead::protocol::linkstate::TABLE_LIMIT;
use bridgehead::wire::envelope;
use bridgehead::wire::ids::{GroupKey, GroupName, MemberName};
use bridgehead::wire::message::{Address, Envelope};
use bridgehead::wire::record::Version;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

/// One envelope, the same in each run.
fn an_envelope() -> Envelope {
    let mut runner = TestRunner::deterministic();
    crate::support::envelope().new_tree(&mut runner).expect("a value").current()
}

/// WI-080.
#[test]
fn wi_080_the_canonical_form_has_no_white_space() {
    let mut envelope = an_envelope();
    envelope.hops.clear();
    envelope.routed_by.clear();
    (envelope.fields, envelope.rules_due, envelope.unqueued) = (Vec::new(), false, false);
    (envelope.attempts, envelope.submitter) = (0, None);
    envelope.priority = Default::default();
    envelope.recipients.truncate(1);
    envelope.envid = None;
    let octets = envelope::encode(&envelope).expect("it is short");
    let text = String::from_utf8(octets).expect("JSON is text");
    assert!(text.starts_with("{\"origin\":\""), "{text}");
    assert!(text.ends_with("\"hops\":[],\"routed_by\":{}}"), "{text}");
}

/// WI-081.
#[test]
fn wi_081_an_envelope_has_a_limit() {
    let mut envelope = an_envelope();
    let hop = bridgehead::wire::message::Hop {
        from: "x".repeat(envelope::ENVELOPE_LIMIT / 2),
        by: String::new(),
        group: bridgehead::wire::ids::GroupName::from("RG1"),
        with: String::new(),
        id: String::new(),
        at: bridgehead::kernel::Time(0),
        table: None,
    };
    envelope.hops = vec![hop.clone()];
    let octets = envelope::encode(&envelope).expect("below the limit");
    assert_eq!(envelope::decode(&octets), Ok(envelope.clone()));
    envelope.hops.push(hop);
    assert!(envelope::encode(&envelope).is_err());
    let octets = vec![b' '; envelope::ENVELOPE_LIMIT + 1];
    assert_eq!(envelope::decode(&octets).expect_err("too long").offset, envelope::ENVELOPE_LIMIT);
}

/// WI-081: the versions of the greatest table travel with a message, and leave room for the recipients.
#[test]
fn wi_081_the_versions_of_the_greatest_table_fit() {
    let name = "n".repeat(64);
    let mut version = Version::tombstone(MemberName::from(name.as_str()));
    version.term.nonce = u64::MAX;
    (version.major, version.minor, version.user) = (u32::MAX, u32::MAX, u32::MAX);
    let mut envelope = an_envelope();
    // As many groups as a table may have, and as many tombstones.
    let keys = (0..2 * TABLE_LIMIT).map(|number| {
        let uuid = format!("00000000-0000-4000-8000-{number:012}");
        GroupKey::new(&GroupName::from(name.as_str()), &uuid)
    });
    envelope.routed_by = keys.map(|key| (key, version.clone())).collect();
    assert_eq!(envelope.routed_by.len(), 20_000);
    let octets = envelope::encode(&envelope).expect("below the limit");
    let left = envelope::ENVELOPE_LIMIT - octets.len();
    assert!(left > 1024 * 1024, "only {left} octets are left for recipients and hops");
}

/// WI-082.
#[test]
fn wi_082_only_the_canonical_form_is_read() {
    let octets = envelope::encode(&an_envelope()).expect("it is short");
    let text = String::from_utf8(octets).expect("JSON is text");
    for (wrong, offset) in [
        (text.replacen('{', "{ ", 1), 1),
        (format!("{text}\n"), text.len()),
        (text.replacen("{\"origin\"", "{\"x\":1,\"origin\"", 1), 2),
        (text.replacen("\"origin\"", "\"\\u006frigin\"", 1), 2),
    ] {
        let error = envelope::decode(wrong.as_bytes()).expect_err("not canonical");
        assert_eq!(error.expected, "the canonical form of the envelope", "{wrong}");
        assert_eq!(error.offset, offset, "{wrong}");
    }
    let error = envelope::decode(b"{\"origin\":\n7}").expect_err("no envelope");
    assert_eq!(error.expected, "JSON of an envelope");
    assert_eq!(error.offset, 11);
}

/// WI-083.
#[test]
fn wi_083_the_digest_is_over_the_envelope_and_the_digest_of_the_body() {
    // The expected values were computed with Python's hashlib.
    let body = envelope::sha256(b"hello\r\n");
    assert_eq!(
        body.to_string(),
        "cd2eca3535741f27a8ae40c31b0c41d4057a7a7b912b33b9aed86485d1c84676"
    );
    assert_eq!(
        envelope::transfer_digest(b"{}", &body).to_string(),
        "dbb4d8c03c9e2e600887f53ef444f5275b12d6e74cd35162c4ccaf14ab8a1902"
    );
}

/// WI-084.
#[test]
fn wi_084_an_envelope_cannot_carry_a_second_line() {
    let refused = |change: &dyn Fn(&mut Envelope), expected: &str, part: &str| {
        let mut envelope = an_envelope();
        change(&mut envelope);
        let octets = envelope::encode(&envelope).expect("it is short");
        let error = envelope::decode(&octets).expect_err(expected);
        assert_eq!(error.expected, expected);
        let text = String::from_utf8(octets).expect("JSON is text");
        assert_eq!(&text[error.offset..error.offset + part.len()], part);
    };
    let evil = "a@b.example>\r\nRCPT TO:<c@d.example";
    refused(
        &|envelope| envelope.sender = Some(Address(evil.into())),
        "an address of RFC 5321",
        "\"a@b.example>\\r\\nRCPT",
    );
    refused(
        &|envelope| {
            let version = Version::tombstone("m".into());
            envelope.routed_by.insert("RG1/0123456789abcdef".into(), version);
        },
        "a group's name, `/` and its UUID",
        "\"RG1/0123456789abcdef\"",
    );
    refused(
        &|envelope| envelope.recipients[0].address = Address("nobody".into()),
        "an address of RFC 5321",
        "\"nobody\"",
    );
    refused(
        &|envelope| envelope.recipients[0].address = Address("a@EXAMPLE.org".into()),
        "an address of RFC 5321",
        "\"a@EXAMPLE.org\"",
    );
    refused(&|envelope| envelope.recipients.clear(), "at least one recipient", "{");
    refused(
        &|envelope| {
            let again = envelope.recipients[0].clone();
            envelope.recipients = vec![again.clone(), again];
        },
        "each index once",
        "{\"index\":0",
    );
    refused(
        &|envelope| envelope.envid = Some("a\r\nX: b".into()),
        "no control character",
        "\"a\\r\\nX: b\"",
    );
    refused(
        &|envelope| envelope.recipients[0].original = Some("rfc822;\n".into()),
        "no control character",
        "\"rfc822;\\n\"",
    );
    refused(
        &|envelope| envelope.origin.member = MemberName::from("a b"),
        "a member's name in the origin id",
        "\"a b/",
    );
    let mut envelope = an_envelope();
    envelope.recipients[0].address = Address("Postmaster".into());
    let octets = envelope::encode(&envelope).expect("it is short");
    assert_eq!(envelope::decode(&octets), Ok(envelope));
}
