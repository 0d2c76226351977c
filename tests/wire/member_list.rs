//! Heartbeats and lists of members on the group port.

use bridgehead::wire::DecodeError;
use bridgehead::wire::explain::explain_frame;
use bridgehead::wire::frame::encode_frame;
use bridgehead::wire::group::Frame;
use bridgehead::wire::ids::MemberName;
use bridgehead::wire::members::{
    FEATURE_LIMIT_OCTETS, FEATURES_LIMIT, Feature, Heartbeat, ListVersion, Listed, MEMBERS_LIMIT,
    MemberList, MembersPdu, Presence, Role, Spoken, Standing, SubmitPolicy,
};
use bridgehead::wire::record::Term;

fn version(number: u64) -> ListVersion {
    let term = Term { counter: 5, member: MemberName::from("m1"), nonce: 0x9af };
    ListVersion { term, number }
}

fn spoken(version: u32, features: &[&str]) -> Spoken {
    let named = features.iter().map(|name| Feature::new(name).expect("it is a name"));
    Spoken { version, features: named.collect() }
}

fn standing(role: Option<Role>, policy: SubmitPolicy, weight: u32, load: u32) -> Standing {
    Standing { role, policy, weight, load }
}

fn listed(member: &str, presence: Presence, spoken: Option<Spoken>) -> Listed {
    let standing = standing(None, SubmitPolicy::Local, 1, 0);
    Listed { member: MemberName::from(member), presence, standing, spoken }
}

/// WI-130, WI-131: the frames, both ways.
#[test]
fn wi_131_each_frame_of_the_list_has_one_form() {
    let frontend = standing(Some(Role::Frontend), SubmitPolicy::LocalForOthers, 100, 31);
    let backend = standing(Some(Role::Backend), SubmitPolicy::Remote, 1, u32::MAX);
    let heartbeat = |spoken, standing, drains, known| {
        MembersPdu::Heartbeat(Heartbeat { spoken, standing, drains, known })
    };
    let entry = Listed {
        standing: frontend.clone(),
        ..listed("fe", Presence::Draining, Some(spoken(2, &["loads"])))
    };
    let list = MemberList {
        version: version(7),
        spoken: spoken(1, &[]),
        members: vec![listed("b e", Presence::Away, None), entry],
    };
    let loads = vec![("a".into(), 0), ("b".into(), 16)];
    for (content, pdu) in [
        (
            " HEARTBEAT 2 ( {5}loads ) FRONTEND LOCAL-FOR-OTHERS 64 1f SERVES -",
            heartbeat(spoken(2, &["loads"]), frontend, false, None),
        ),
        (
            " HEARTBEAT ffffffff () BACKEND REMOTE 1 ffffffff DRAINS 5 {2}m1 9af ffffffffffffffff",
            heartbeat(spoken(u32::MAX, &[]), backend, true, Some(version(u64::MAX))),
        ),
        (
            " HEARTBEAT 1 ( {1}a {2}a- ) - LOCAL 1 0 SERVES -",
            heartbeat(
                spoken(1, &["a-", "a"]),
                standing(None, SubmitPolicy::Local, 1, 0),
                false,
                None,
            ),
        ),
        (
            " MEMBERS 5 {2}m1 9af 7 1 () ( {5}b+20e AWAY - LOCAL 1 0 - \
             {2}fe DRAINING FRONTEND LOCAL-FOR-OTHERS 64 1f 2 ( {5}loads ) )",
            MembersPdu::Members(list),
        ),
        (" LOADS 5 {2}m1 9af 7 ( {1}a 0 {1}b 10 )", MembersPdu::Loads { list: version(7), loads }),
    ] {
        let (content, frame) = (format!("{content}\r\n"), Frame::Members(pdu));
        assert_eq!(frame.encode(), Ok(content.as_bytes().to_vec()), "{content}");
        assert_eq!(Frame::decode(content.as_bytes()), Ok(frame), "{content}");
        let explained = explain_frame(&encode_frame(content.as_bytes()));
        assert_eq!(explained.error, None);
        assert!(explained.tokens.iter().all(|token| token.field.name != "element"), "{content}");
    }
}

/// WI-131: what is wrong is named where it is.
#[test]
fn wi_131_other_frames_are_refused_where_they_are_wrong() {
    let order = "members in order of their names";
    let feature = "1 to 32 lower-case letters, digits and `-`";
    for (content, offset, expected) in [
        (" HEARTBEAT\r\n", 10, "SP"),
        (" HEARTBEAT 0 () - LOCAL 1 0 SERVES -\r\n", 11, "a version, from 1"),
        (" HEARTBEAT 2 - LOCAL 1 0 SERVES -\r\n", 12, "SP and `(`"),
        (" HEARTBEAT 2 ( {0} ) - LOCAL 1 0 SERVES -\r\n", 18, feature),
        (" HEARTBEAT 2 ( {5}Loads ) - LOCAL 1 0 SERVES -\r\n", 18, feature),
        (
            " HEARTBEAT 2 ( {1}b {1}a ) - LOCAL 1 0 SERVES -\r\n",
            12,
            "features in order of their names",
        ),
        (
            " HEARTBEAT 2 ( {1}a {1}a ) - LOCAL 1 0 SERVES -\r\n",
            12,
            "features in order of their names",
        ),
        (" HEARTBEAT 2 () MASTER LOCAL 1 0 SERVES -\r\n", 15, "SP and FRONTEND, BACKEND or -"),
        (
            " HEARTBEAT 2 () - AUTOMATIC 1 0 SERVES -\r\n",
            17,
            "SP and LOCAL, LOCAL-FOR-OTHERS or REMOTE",
        ),
        (" HEARTBEAT 2 () - LOCAL 0 0 SERVES -\r\n", 24, "a weight from 1 to 64 (hexadecimal)"),
        (" HEARTBEAT 2 () - LOCAL 65 0 SERVES -\r\n", 24, "a weight from 1 to 64 (hexadecimal)"),
        (" HEARTBEAT 2 () - LOCAL 1 100000000 SERVES -\r\n", 26, "a hexadecimal number"),
        (" HEARTBEAT 2 () - LOCAL 1 0 IDLES -\r\n", 27, "SP and SERVES or DRAINS"),
        (" HEARTBEAT 2 () - LOCAL 1 0 SERVES\r\n", 34, "SP"),
        (" HEARTBEAT 2 () - LOCAL 1 0 SERVES 5 {2}m1 9af 0\r\n", 47, "a number of a list, from 1"),
        (" HEARTBEAT 2 () - LOCAL 1 0 SERVES - 1\r\n", 36, "CRLF"),
        (" MEMBERS 5 {2}m1 9af 1 2 () ()\r\n", 27, "1 to 64 members"),
        (
            " MEMBERS 5 {2}m1 9af 1 2 () ( {1}a HERE - LOCAL 1 0 - )\r\n",
            34,
            "SP and ACTIVE, DRAINING or AWAY",
        ),
        (
            " MEMBERS 5 {2}m1 9af 1 2 () ( {1}a AWAY - LOCAL 1 0 - {1}a AWAY - LOCAL 1 0 - )\r\n",
            27,
            order,
        ),
        (" LOADS 5 {2}m1 9af 1 ( {1}b 1 {1}a 2 )\r\n", 20, order),
        (" LOADS 5 {2}m1 9af 1 ()\r\n", 20, "1 to 64 members"),
        (" LOADS 5 {2}m1 9af ( {1}a 2 )\r\n", 19, "a hexadecimal number"),
        (" MEMBER 1\r\n", 0, "SP and a verb of the group port"),
    ] {
        let error = Frame::decode(content.as_bytes()).expect_err("malformed");
        assert_eq!(error, DecodeError { offset, expected }, "{}", content.escape_debug());
    }
}

/// WI-131: the limits, reached and passed by one.
#[test]
fn wi_131_a_list_and_its_features_have_limits() {
    let longest = "f".repeat(FEATURE_LIMIT_OCTETS);
    assert!(Feature::new(&longest).is_some());
    assert!(Feature::new(&format!("{longest}f")).is_none());
    assert!(Feature::new("").is_none());
    let named: Vec<String> = (0..FEATURES_LIMIT)
        .map(|n| format!("{n:02}-{}", "f".repeat(FEATURE_LIMIT_OCTETS - 3)))
        .collect();
    let names: Vec<&str> = named.iter().map(String::as_str).collect();
    let everything = spoken(u32::MAX, &names);
    let member = |n: usize| {
        listed(&format!("{n:02}{}", "m".repeat(253)), Presence::Active, Some(everything.clone()))
    };
    let list = |count: usize| {
        let members = (0..count).map(member).collect();
        Frame::Members(MembersPdu::Members(MemberList {
            version: version(1),
            spoken: everything.clone(),
            members,
        }))
    };
    let full = list(MEMBERS_LIMIT);
    let content = full.encode().expect("the longest list is a frame");
    assert_eq!(Frame::decode(&content), Ok(full));
    let over = list(MEMBERS_LIMIT + 1).encode().expect("it fits a frame all the same");
    assert_eq!(Frame::decode(&over).expect_err("too many").expected, "1 to 64 members");
    let more = names.iter().map(|name| format!(" {{20}}{name}")).collect::<String>();
    let content =
        format!(" HEARTBEAT 2 (  {{1}}0{more} ) - LOCAL 1 0 SERVES -\r\n").replace("  ", " ");
    assert_eq!(
        Frame::decode(content.as_bytes()).expect_err("too many").expected,
        "at most 16 features"
    );
}
