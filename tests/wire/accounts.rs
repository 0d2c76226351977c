//! Accounts that are leased, on the group port.

use bridgehead::wire::DecodeError;
use bridgehead::wire::accounts::{ACCOUNTS_LIMIT, AccountsPdu, Holding, LeaseEpoch};
use bridgehead::wire::explain::explain_frame;
use bridgehead::wire::group::Frame;
use bridgehead::wire::ids::MemberName;
use bridgehead::wire::message::Address;
use bridgehead::wire::record::Term;

fn term(counter: u64) -> Term {
    Term { counter, member: MemberName::from("m1"), nonce: 0x9af }
}

fn ann() -> Address {
    Address::from("ann@a.test")
}

fn holding(number: u64) -> Holding {
    (ann(), LeaseEpoch { term: term(4), number })
}

/// WI-140 to WI-145: the frames, both ways.
#[test]
fn wi_140_each_frame_about_leased_accounts_has_one_form() {
    let (request, bob) = (31, Address::from("bob@a.test"));
    let cases = [
        (
            " CLAIM 1f 5 {2}m1 9af 12c ( {a}ann@a.test {a}bob@a.test )",
            AccountsPdu::Claim {
                request,
                term: term(5),
                account_lease_s: 300,
                accounts: vec![ann(), bob.clone()],
            },
        ),
        (
            " RENEW 1f 5 {2}m1 9af 1 ( {a}ann@a.test 4 {2}m1 9af 11 )",
            AccountsPdu::Renew {
                request,
                term: term(5),
                account_lease_s: 1,
                holdings: vec![holding(17)],
            },
        ),
        (
            " RETURN 5 {2}m1 9af ( {a}ann@a.test 4 {2}m1 9af ffffffffffffffff )",
            AccountsPdu::Return { term: term(5), holdings: vec![holding(u64::MAX)] },
        ),
        (
            " LEASED 1f ( {a}ann@a.test 4 {2}m1 9af 1 ) ( {a}bob@a.test {2}m2 )",
            AccountsPdu::Leased {
                request,
                granted: vec![holding(1)],
                refused: vec![(bob, Some(MemberName::from("m2")))],
            },
        ),
        (
            " LEASED 1f () ( {a}ann@a.test - )",
            AccountsPdu::Leased { request, granted: vec![], refused: vec![(ann(), None)] },
        ),
        (
            " LEASED 1f ( {a}ann@a.test 4 {2}m1 9af 1 ) ()",
            AccountsPdu::Leased { request, granted: vec![holding(1)], refused: vec![] },
        ),
        (" DECLINED 1f 5 {2}m1 9af", AccountsPdu::Declined { request, known: Some(term(5)) }),
        (" DECLINED 1f -", AccountsPdu::Declined { request, known: None }),
    ];
    let frames = cases.into_iter().map(|(content, pdu)| (content, Frame::Accounts(pdu)));
    let tenant = (" TENANT {2}m1", Frame::Tenant(MemberName::from("m1")));
    for (content, frame) in frames.chain([tenant]) {
        let content = format!("{content}\r\n");
        assert_eq!(frame.encode(), Ok(content.as_bytes().to_vec()), "{content}");
        assert_eq!(Frame::decode(content.as_bytes()), Ok(frame), "{content}");
        let counted = format!("{{{:08x}}}{content}", content.len());
        let explained = explain_frame(counted.as_bytes());
        assert_eq!(explained.error, None);
        assert!(explained.tokens.iter().all(|token| token.field.name != "element"), "{content}");
    }
}

/// WI-141 to WI-145: what is wrong is named where it is.
#[test]
fn wi_142_other_frames_are_refused_where_they_are_wrong() {
    let (once, known) = ("an account that has not been named yet", "a list that is not empty");
    let lease = "a lease from 1 to 12c (hexadecimal)";
    for (content, offset, expected) in [
        (" TENANT m1\r\n", 8, "a counted string"),
        (" CLAIM 01 5 {2}m1 9af ( {a}ann@a.test )\r\n", 7, "a hexadecimal number"),
        (" CLAIM 1 - ( {a}ann@a.test )\r\n", 9, "a hexadecimal number"),
        (" CLAIM 1 5 {2}m1 9af 1e ()\r\n", 24, known),
        (" CLAIM 1 5 {2}m1 9af 1e\r\n", 23, "SP and `(`"),
        (" CLAIM 1 5 {2}m1 9af 1e ( {3}ann )\r\n", 26, "the address of an account"),
        (" CLAIM 1 5 {2}m1 9af 1e ( {a}ann@a.test {a}ann@a.test )\r\n", 40, once),
        (" CLAIM 1 5 {2}m1 9af ( {a}ann@a.test )\r\n", 21, "a hexadecimal number"),
        (" CLAIM 1 5 {2}m1 9af 0 ( {a}ann@a.test )\r\n", 21, lease),
        (" CLAIM 1 5 {2}m1 9af 12d ( {a}ann@a.test )\r\n", 21, lease),
        (" RENEW 1 5 {2}m1 9af 01 ( {a}ann@a.test 4 {2}m1 9af 1 )\r\n", 21, "a hexadecimal number"),
        (" RENEW 1 5 {2}m1 9af ( {a}ann@a.test 4 {2}m1 9af 1 )\r\n", 21, "a hexadecimal number"),
        (" CLAIM 1 fffffffffffffffe {2}m1 0 ()\r\n", 9, "a term that another one can follow"),
        (" RENEW 1 5 {2}m1 9af 1e ( {a}ann@a.test )\r\n", 40, "a hexadecimal number"),
        (
            " RENEW 1 5 {2}m1 9af 1e ( {a}ann@a.test 4 {2}m1 9af 0 )\r\n",
            52,
            "the number of an epoch",
        ),
        (" RETURN 1 5 {2}m1 9af ( )\r\n", 10, "a counted string"),
        (" LEASED 1 () ()\r\n", 13, known),
        (" LEASED 1 ( {a}ann@a.test 4 {2}m1 9af 1 ) ( {a}ann@a.test - )\r\n", 44, once),
        (" LEASED 1 () ( {a}ann@a.test )\r\n", 29, "a counted string"),
        (" DECLINED 1\r\n", 11, "SP"),
    ] {
        let error = Frame::decode(content.as_bytes()).expect_err("malformed");
        assert_eq!(error, DecodeError { offset, expected }, "{}", content.escape_debug());
    }
}

/// WI-143: a thousand accounts fit a frame, however long their addresses are, and one more is refused.
#[test]
fn wi_143_a_frame_names_a_thousand_accounts_at_most() {
    let claim = |count: usize| {
        let (local, label) = ("=".repeat(60), "a".repeat(60));
        let domain = format!("{label}.{label}.{label}.test");
        let account = |n| Address::from(format!("{local}{n:04}@{domain}").as_str());
        let accounts = (0..count).map(account).collect();
        Frame::Accounts(AccountsPdu::Claim {
            request: 1,
            term: term(5),
            account_lease_s: 30,
            accounts,
        })
    };
    let most = claim(ACCOUNTS_LIMIT).encode().expect("it fits");
    assert_eq!(Frame::decode(&most), Ok(claim(ACCOUNTS_LIMIT)));
    let error = Frame::decode(&claim(ACCOUNTS_LIMIT + 1).encode().expect("it fits"));
    assert_eq!(error.expect_err("too many").expected, "no more than 1,000 accounts");
}
