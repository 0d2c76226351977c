//! An offer, as the tests of the port between members make it.

use std::collections::BTreeMap;

use bridgehead::kernel::Time;
use bridgehead::protocol::member::Pdu;
use bridgehead::wire::envelope::{encode, sha256, transfer_digest};
use bridgehead::wire::ids::{Incarnation, OriginId, TransferId};
use bridgehead::wire::message::{Envelope, Hop, Notify, Recipient};

pub(crate) fn envelope() -> Envelope {
    Envelope {
        origin: OriginId { member: "rg1-a".into(), incarnation: Incarnation(1), sequence: 7 },
        sender: Some("carl@example.net".into()),
        recipients: vec![Recipient {
            index: 0,
            address: "anna@example.org".into(),
            notify: Notify::default(),
            original: None,
            suspect: false,
        }],
        arrived: Time(1),
        expires: Time(2),
        ret: None,
        envid: None,
        smtputf8: false,
        hops: vec![Hop {
            from: "client.example ([192.0.2.9])".into(),
            by: "rg1-a".into(),
            group: "RG1".into(),
            with: "ESMTP".into(),
            id: "0000000000000007".into(),
            at: Time(1_000_000),
            table: None,
        }],
        routed_by: BTreeMap::new(),
        fields: Vec::new(),
        content: None,
        rules_due: false,
        unqueued: false,
        attempts: 0,
        submitter: None,
        priority: Default::default(),
    }
}

pub(crate) fn transfer() -> TransferId {
    TransferId { member: "rg1-a".into(), incarnation: Incarnation(1), sequence: 9 }
}

pub(crate) fn json(pdu: &Pdu) -> String {
    serde_json::to_string(pdu).expect("a PDU is JSON")
}

/// The octets of the envelope.
pub(crate) fn octets() -> String {
    String::from_utf8(encode(&envelope()).expect("the envelope is short")).expect("JSON is text")
}

/// The command that offers the envelope with this body.
pub(crate) fn offer_line_of(body: &str) -> String {
    let octets = octets();
    let digest = transfer_digest(octets.as_bytes(), &sha256(body.as_bytes()));
    format!(
        "X-SUBMIT OFFER ID=rg1-a/0000000000000001/9 OFFER=1 ENVELOPE={} BODY={} DIGEST={digest}",
        octets.len(),
        body.len()
    )
}

/// What custody hears of that command.
pub(crate) fn announce_of(body: &str) -> String {
    let digest = transfer_digest(octets().as_bytes(), &sha256(body.as_bytes()));
    let octets = body.len() as u64;
    json(&Pdu::Announce { transfer: transfer(), offer: 1, octets, digest })
}
