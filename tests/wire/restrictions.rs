//! What restricts a connector, as it stands in a record.

use bridgehead::protocol::linkstate::LinkPdu;
use bridgehead::wire::orginfo;
use bridgehead::wire::restrictions::{Priority, SenderId};

const RECORD: &str = "( 0123456789abcdef0123456789abcdef {3}RG1 1 {5}rg1-b fe a 2 0 \
                      ( {5}rg1-a YES ) ( {7}RG1-RG2 ( CONFIG {3}RG2 64 BH \
                      ( {5}rg1-a ) STATE DOWN ) ) )";

/// WI-102: the restrictions of a connector stand behind its state, in their order, and only where there are any.
#[test]
fn wi_102_restrictions_have_their_place_and_order() {
    let framed = |content: &str| format!("{{{:08x}}}{content}", content.len());
    let zeros = "0".repeat(64);
    let decode = |restrict: &str| {
        let record = RECORD.replace("STATE DOWN", &format!("STATE DOWN{restrict}"));
        let element = framed(&format!(" NEWS {zeros} ( {record} )"));
        orginfo::decode_message(&framed(&format!(" MULTI (6) ({element})")))
    };
    let all = " RESTRICT ( SIZE 400 PRIORITY ( LOW HIGH ) ALLOW ( 000000000000000a ) \
               DENY ( 24295a9c545a402d ffffffffffffffff ) )";
    let read = decode(all).expect("it is as the grammar has it");
    let [LinkPdu::News { records, .. }] = &read[..] else { panic!("{read:?}") };
    let restrictions = &records[0].connectors[0].restrictions;
    assert_eq!(restrictions.size_limit_octets, Some(1_024));
    assert_eq!(restrictions.priorities, [Priority::Low, Priority::High]);
    assert_eq!(restrictions.senders_allowed, [SenderId(10)]);
    assert_eq!(restrictions.senders_denied, [SenderId::of("<>"), SenderId(u64::MAX)]);
    assert!(orginfo::encode_message(&read).expect("it is short").contains(all));
    for wrong in [
        " RESTRICT ( )",
        " RESTRICT ()",
        " RESTRICT ( SIZE )",
        " RESTRICT ( SIZE 0400 )",
        " RESTRICT ( SIZE 10000000000000000 )",
        " RESTRICT ( PRIORITY ( URGENT ) )",
        " RESTRICT ( PRIORITY () )",
        " RESTRICT ( ALLOW () )",
        " RESTRICT ( ALLOW ( a ) )",
        " RESTRICT ( ALLOW ( 000000000000000A ) )",
        " RESTRICT ( PRIORITY ( LOW ) SIZE 400 )",
        " RESTRICT ( SIZE 400 SIZE 400 )",
        " RESTRICT ( SIZE 400 ) RESTRICT ( SIZE 400 )",
        " RESTRICT ( SIZE 400",
    ] {
        assert!(decode(wrong).is_err(), "{wrong}");
    }
}
