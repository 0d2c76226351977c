//! Bridgeheads in a record that are not available.

use crate::links::{RECORD, a_record};
use bridgehead::wire::message::Digest;
use bridgehead::wire::orginfo;
use bridgehead::wire::record::{ConnectorState, LinkPdu};

/// WI-102: who is not available stands behind the bridgeheads, where there is anybody.
#[test]
fn wi_102_bridgeheads_that_are_not_available() {
    let mut record = a_record();
    record.connectors[0].state = ConnectorState::Up;
    record.connectors[0].sources.push("rg1-c".into());
    record.connectors[0].unavailable.push("rg1-c".into());
    let some = "BH ( {5}rg1-a {5}rg1-c ) CONN_NOT_AVAIL ( {5}rg1-c ) STATE UP";
    let text = RECORD.replace("BH ( {5}rg1-a ) STATE DOWN", some);
    let framed = |content: &str| format!("{{{:08x}}}{content}", content.len());
    let message = |record: &str| {
        let digest = Digest([0xab; 32]);
        framed(&format!(" MULTI (6) ({})", framed(&format!(" NEWS {digest} ( {record} )"))))
    };
    let news = LinkPdu::news(Digest([0xab; 32]), vec![record]);
    assert_eq!(orginfo::decode_message(&message(&text)), Ok(vec![news.clone()]));
    assert_eq!(orginfo::encode_message(&[news]), Ok(message(&text)));
    // An empty list would be a second form of the same record.
    let empty = text.replace("CONN_NOT_AVAIL ( {5}rg1-c )", "CONN_NOT_AVAIL ()");
    let error = orginfo::decode_message(&message(&empty)).expect_err("an empty list");
    assert_eq!(error.expected, "SP and the names of some members");
}
