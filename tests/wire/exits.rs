//! Exits on the wire.

use crate::links::{RECORD, a_record};
use bridgehead::protocol::linkstate::{LinkPdu, Restrictions, check_record};
use bridgehead::wire::exits::{
    EXIT_SOURCES_LIMIT, EXITS_LIMIT, ExitRecord, SPACES_LIMIT, Scope, Space,
};
use bridgehead::wire::group::Frame;
use bridgehead::wire::ids::MemberName;
use bridgehead::wire::message::Digest;

fn exit() -> ExitRecord {
    ExitRecord {
        name: "out".into(),
        spaces: vec![Space("*.example.net".into()), Space("example.net".into())],
        cost: 100,
        sources: vec!["rg1-a".into(), "rg1-b".into()],
        scope: Scope::Group,
        restrictions: Restrictions { size_limit_octets: Some(1_024), ..Restrictions::default() },
    }
}

const SAID: &str = "EXITS ( {3}out ( SPACES ( {d}*.example.net {b}example.net ) COST 64 BH \
                    ( {5}rg1-a {5}rg1-b ) SCOPE GROUP RESTRICT ( SIZE 400 ) ) )";

/// WI-102, LS-003: exits stand at the end of a record, and only where there are any.
#[test]
fn wi_102_exits_stand_at_the_end_of_a_record() {
    let mut record = a_record();
    let before = serde_json::to_string(&record).expect("a record is JSON");
    assert!(!before.contains("exits"), "LS-003: a record without exits is what it was");
    record.exits = vec![exit()];
    let canonical = before.strip_suffix('}').expect("an object").to_owned()
        + r#","exits":[{"name":"out","spaces":["*.example.net","example.net"],"cost":100,"#
        + r#""sources":["rg1-a","rg1-b"],"scope":"group","restrictions":{"size_limit_octets":1024}}]}"#;
    assert_eq!(serde_json::to_string(&record).expect("a record is JSON"), canonical);
    assert_eq!(
        serde_json::from_str::<bridgehead::protocol::linkstate::Record>(&canonical).ok(),
        Some(record.clone())
    );

    let digest = Digest::default();
    let frame =
        Frame::Link(LinkPdu::News { digest, records: vec![record.into()], nodes: Vec::new() });
    let said = RECORD.replace(") ) )", &format!(") ) {SAID} )"));
    let content = |record: &str| format!(" NEWS {digest} ( {record} )\r\n").into_bytes();
    assert_eq!(frame.encode(), Ok(content(&said)));
    assert_eq!(Frame::decode(&content(&said)), Ok(frame));
    let open = said.replace(" SCOPE GROUP RESTRICT ( SIZE 400 )", "");
    assert!(Frame::decode(&content(&open)).is_ok(), "{open}");
    let also = said.replace("EXITS", "LIFETIME 258 EXITS");
    assert!(Frame::decode(&content(&also)).is_ok(), "{also}");
    for (part, wrong, expected) in [
        (SAID, "EXITS ()", "SP and some exits"),
        (SAID, "EXITS", "SP and `(`"),
        ("EXITS", "exits", "SP and `)`"),
        ("{3}out (", "(", "a counted string"),
        ("SPACES ( {d}*.example.net {b}example.net )", "SPACES ()", "SP and some address spaces"),
        ("SPACES", "SPACE", "SP, `(` and SPACES"),
        ("COST 64", "COST 65", "a cost from 1 to 64 (hexadecimal)"),
        ("COST 64", "COST 0", "a cost from 1 to 64 (hexadecimal)"),
        ("COST 64 ", "", "SP and COST"),
        ("{b}example.net )", "{c}example.net )", "xtext"),
        ("BH ( {5}rg1-a {5}rg1-b ) SCOPE", "BH () SCOPE", "SP and the names of some members"),
        ("SCOPE GROUP", "SCOPE ORGANIZATION", "SP and GROUP"),
        ("SCOPE GROUP", "SCOPE GROUP SCOPE GROUP", "SP and `)`"),
        ("RESTRICT ( SIZE 400 )", "RESTRICT ( )", "at least one restriction"),
        (" SCOPE GROUP RESTRICT ( SIZE 400 )", " RESTRICT ( SIZE 400 ) SCOPE GROUP", "SP and `)`"),
    ] {
        let changed = said.replacen(part, wrong, 1);
        assert_ne!(changed, said, "{part}");
        let error = Frame::decode(&content(&changed)).expect_err(wrong);
        assert_eq!(error.expected, expected, "{wrong}");
    }
    let twice = said.replace(SAID, &format!("{SAID} {SAID}"));
    assert!(Frame::decode(&content(&twice)).is_err());
    let early = said.replace(&format!("{SAID} )"), &format!("{SAID} LIFETIME 258 )"));
    assert!(Frame::decode(&content(&early)).is_err(), "{early}");
}

/// LS-211, LS-131: what is not merged, at each limit.
#[test]
fn ls_211_hostile_exits_are_not_merged() {
    let judge = |exits: Vec<ExitRecord>| {
        let mut record = a_record();
        record.exits = exits;
        check_record(&record)
    };
    let with = |change: &dyn Fn(&mut ExitRecord)| {
        let mut exit = exit();
        change(&mut exit);
        judge(vec![exit])
    };
    let named =
        |number: usize| ExitRecord { name: format!("e{number:03}").as_str().into(), ..exit() };
    let members = |count: usize| (0..count).map(|n| MemberName(format!("m{n}"))).collect();
    let spaces = |count: usize| (0..count).map(|n| Space(format!("d{n:03}.example"))).collect();
    assert_eq!(judge((0..EXITS_LIMIT).map(named).collect()), Ok(()));
    assert!(judge((0..=EXITS_LIMIT).map(named).collect()).is_err());
    assert!(judge(vec![named(2), named(1)]).is_err());
    assert!(judge(vec![named(1), named(1)]).is_err());
    assert!(with(&|exit| exit.cost = 0).is_err());
    assert!(with(&|exit| exit.cost = 101).is_err());
    assert_eq!(with(&|exit| exit.sources = members(EXIT_SOURCES_LIMIT)), Ok(()));
    assert!(with(&|exit| exit.sources = members(EXIT_SOURCES_LIMIT + 1)).is_err());
    assert!(with(&|exit| exit.sources.clear()).is_err());
    assert_eq!(with(&|exit| exit.spaces = spaces(SPACES_LIMIT)), Ok(()));
    assert!(with(&|exit| exit.spaces = spaces(SPACES_LIMIT + 1)).is_err());
    assert!(with(&|exit| exit.spaces.clear()).is_err());
    assert!(with(&|exit| exit.spaces.reverse()).is_err());
    assert!(with(&|exit| exit.spaces = vec![Space("EXAMPLE.net".into())]).is_err());
    assert!(with(&|exit| exit.spaces = vec![Space("a*".into())]).is_err());
    assert!(
        with(&|exit| exit.restrictions.senders_denied =
            vec![bridgehead::wire::restrictions::SenderId(1); 2])
        .is_err()
    );
}
