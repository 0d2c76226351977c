//! How long a record lives, on the wire.

use crate::links::{RECORD, a_record};
use bridgehead::protocol::linkstate::LinkPdu;
use bridgehead::wire::group::Frame;
use bridgehead::wire::message::Digest;

/// LS-154: a lifetime stands behind the connectors where it is not the default one, and only there.
#[test]
fn ls_154_a_lifetime_is_said_where_it_is_another() {
    let mut record = a_record();
    record.lifetime_s = 600;
    let digest = Digest::default();
    let frame =
        Frame::Link(LinkPdu::News { digest, records: vec![record.into()], nodes: Vec::new() });
    let said = RECORD.replace(") ) )", ") ) LIFETIME 258 )");
    let content = |record: &str| format!(" NEWS {digest} ( {record} )\r\n").into_bytes();
    assert_eq!(frame.encode(), Ok(content(&said)));
    assert_eq!(Frame::decode(&content(&said)), Ok(frame));
    let limits = "a lifetime from 3c to 278d00 (hexadecimal), but not 15180";
    for (lifetime, expected) in [
        ("LIFETIME 15180", limits),
        ("LIFETIME 3b", limits),
        ("LIFETIME 278d01", limits),
        ("LIFETIME 0258", "a hexadecimal number"),
        ("LIFETIME", "a hexadecimal number"),
        ("LIFETIME 258 LIFETIME 258", "SP and `)`"),
        ("lifetime 258", "SP and `)`"),
    ] {
        let changed = said.replace("LIFETIME 258", lifetime);
        let error = Frame::decode(&content(&changed)).expect_err(lifetime);
        assert_eq!(error.expected, expected, "{lifetime}");
    }
    for lifetime in ["LIFETIME 3c", "LIFETIME 278d00"] {
        assert!(Frame::decode(&content(&said.replace("LIFETIME 258", lifetime))).is_ok());
    }
}
