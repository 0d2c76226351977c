//! Values for the tests of the codecs.

use bridgehead::kernel::Time;
use bridgehead::protocol::linkstate::{
    ConnectorRecord, ConnectorState, DEFAULT_LIFETIME_S, LIFETIME_RANGE_S, LinkPdu, Listed, Node,
    Prefix, Priority, Record, Restrictions, SenderId, SharedRecord, SourceState, Term, Version,
};
use bridgehead::wire::exits::{ExitRecord, Scope, Space};
use bridgehead::wire::ids::{
    ConnectorName, ExitName, GroupKey, GroupName, Incarnation, MemberName, OriginId, QueueId,
    StoreId, TransferId,
};
use bridgehead::wire::message::{
    Address, Digest, Envelope, Field, Hop, Notify, Outcome, Recipient, Refusal, Return,
};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;

/// A member's name as the configuration allows it.
pub(crate) fn member() -> impl Strategy<Value = MemberName> {
    "[a-z0-9][a-zA-Z0-9._-]{0,20}".prop_map(|name| MemberName::from(name.as_str()))
}

/// Any name at all: what a counted string must carry.
pub(crate) fn any_name() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{1,12}", "\\PC{0,8}", any::<String>()]
}

pub(crate) fn store() -> impl Strategy<Value = StoreId> {
    any::<u64>().prop_map(StoreId)
}

pub(crate) fn queue() -> impl Strategy<Value = QueueId> {
    any::<u64>().prop_map(QueueId)
}

pub(crate) fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest)
}

pub(crate) fn transfer() -> impl Strategy<Value = TransferId> {
    (member(), any::<u64>(), any::<u64>()).prop_map(|(member, incarnation, sequence)| TransferId {
        member,
        incarnation: Incarnation(incarnation),
        sequence,
    })
}

pub(crate) fn origin() -> impl Strategy<Value = OriginId> {
    (member(), any::<u64>(), any::<u64>()).prop_map(|(member, incarnation, sequence)| OriginId {
        member,
        incarnation: Incarnation(incarnation),
        sequence,
    })
}

/// An address in its canonical form.
pub(crate) fn address() -> impl Strategy<Value = Address> {
    let atom = "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]{1,8}(\\.[a-z0-9]{1,8}){0,2}";
    // A space inside makes the quotes necessary; an escape is one of two characters.
    let quoted = "\"[a-z@<>,;:]{0,5} ([a-z ]|\\\\\\\\|\\\\\"){0,6}\"";
    let domain = "[a-z0-9]{1,8}(-[a-z0-9]{1,4})?(\\.[a-z]{2,5}){0,2}";
    let domain = prop_oneof![
        4 => domain.boxed(),
        1 => Just(String::from("[192.0.2.25]")).boxed(),
        1 => Just(String::from("[ipv6:2001:db8::25]")).boxed(),
    ];
    (prop_oneof![4 => atom.boxed(), 1 => quoted.boxed()], domain)
        .prop_map(|(local, domain)| Address(format!("{local}@{domain}")))
}

pub(crate) fn notify() -> impl Strategy<Value = Notify> {
    any::<[bool; 3]>().prop_map(|[success, failure, delay]| Notify { success, failure, delay })
}

pub(crate) fn ret() -> impl Strategy<Value = Return> {
    prop_oneof![Just(Return::Full), Just(Return::Headers)]
}

pub(crate) fn refusal() -> impl Strategy<Value = Refusal> {
    (400_u16..600, 0_u16..1000, 0_u16..1000, "[!-~][ -~]{0,40}").prop_map(
        |(code, subject, detail, text)| {
            Refusal::new(code, &format!("{}.{subject}.{detail}", code / 100), &text)
        },
    )
}

pub(crate) fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![Just(Outcome::Delivered), refusal().prop_map(Outcome::Refused)]
}

pub(crate) fn term() -> impl Strategy<Value = Term> {
    (any::<u64>(), any_name(), any::<u64>()).prop_map(|(counter, member, nonce)| Term {
        counter,
        member: MemberName(member),
        nonce,
    })
}

pub(crate) fn version() -> impl Strategy<Value = Version> {
    (term(), any::<u32>(), any::<u32>(), any::<u32>())
        .prop_map(|(term, major, minor, user)| Version { term, major, minor, user })
}

pub(crate) fn state() -> impl Strategy<Value = ConnectorState> {
    prop_oneof![Just(ConnectorState::Up), Just(ConnectorState::Down)]
}

pub(crate) fn priority() -> impl Strategy<Value = Priority> {
    prop_oneof![Just(Priority::Low), Just(Priority::Normal), Just(Priority::High)]
}

pub(crate) fn restrictions() -> impl Strategy<Value = Restrictions> {
    let senders = || btree_set(any::<u64>().prop_map(SenderId), 0..3);
    let priorities = btree_set(priority(), 0..3);
    (option::of(any::<u64>()), priorities, senders(), senders()).prop_map(
        |(size_limit_octets, priorities, allowed, denied)| Restrictions {
            size_limit_octets,
            priorities: priorities.into_iter().collect(),
            senders_allowed: allowed.into_iter().collect(),
            senders_denied: denied.into_iter().collect(),
        },
    )
}

pub(crate) fn connector() -> impl Strategy<Value = ConnectorRecord> {
    let members = || vec(any_name().prop_map(MemberName), 0..3);
    (any_name(), any_name(), 1_u32..=100, state(), members(), members(), restrictions()).prop_map(
        |(name, to, cost, state, sources, unavailable, restrictions)| ConnectorRecord {
            name: ConnectorName(name),
            to: GroupName(to),
            cost,
            state,
            sources,
            restrictions,
            unavailable,
        },
    )
}

pub(crate) fn exit() -> impl Strategy<Value = ExitRecord> {
    let spaces = vec(prop_oneof![Just(String::from("*")), any_name()].prop_map(Space), 1..3);
    let sources = vec(any_name().prop_map(MemberName), 1..3);
    let scope = prop_oneof![Just(Scope::Organization), Just(Scope::Group)];
    (any_name(), spaces, 1_u32..=100, sources, scope, restrictions()).prop_map(
        |(name, spaces, cost, sources, scope, restrictions)| ExitRecord {
            name: ExitName(name),
            spaces,
            cost,
            sources,
            scope,
            restrictions,
        },
    )
}

pub(crate) fn record() -> impl Strategy<Value = Record> {
    let members = vec((any_name().prop_map(MemberName), any::<bool>()), 0..3);
    let deleted = option::weighted(0.2, any_name());
    let lifetime = prop_oneof![Just(DEFAULT_LIFETIME_S), LIFETIME_RANGE_S];
    let lists = (members, vec(connector(), 0..3), deleted, lifetime, vec(exit(), 0..3));
    (any_name(), "[0-9a-f]{32}", version(), lists).prop_map(
        |(group, uuid, version, (members, connectors, deleted, lifetime_s, exits))| Record {
            group: GroupName(group),
            uuid,
            version,
            members,
            connectors,
            deleted,
            lifetime_s,
            exits,
        },
    )
}

fn node() -> impl Strategy<Value = Node> {
    let prefix = prop_oneof![Just(String::from("-")), "[0-9a-f]{1,16}"];
    let prefix = prefix.prop_map(|text| text.parse::<Prefix>().expect("digits of a path"));
    let children =
        vec(digest(), 16).prop_map(|c| Box::new(c.try_into().expect("there are sixteen")));
    let leaf = btree_map("[0-9a-f]{32}", (version(), digest()), 0..4);
    let leaf = leaf.prop_map(|records| {
        let listed = |(uuid, (version, digest))| Listed { uuid, version, digest };
        records.into_iter().map(listed).collect::<Vec<_>>()
    });
    (prefix, prop_oneof![children.prop_map(Ok), leaf.prop_map(Err)]).prop_map(|(prefix, node)| {
        match node {
            Ok(children) => Node::Inner { prefix, children },
            Err(records) => Node::Leaf { prefix, records },
        }
    })
}

/// What travels in X-LINK2STATE.
pub(crate) fn element() -> impl Strategy<Value = LinkPdu> {
    let content = (any::<bool>(), digest(), vec(record(), 0..3), vec(node(), 0..3));
    content.prop_map(|(news, digest, records, nodes)| {
        let records = records.into_iter().map(SharedRecord::new).collect();
        if news {
            LinkPdu::News { digest, records, nodes }
        } else {
            LinkPdu::Merged { digest, records, nodes }
        }
    })
}

/// What travels on the group port.
pub(crate) fn link_pdu() -> impl Strategy<Value = LinkPdu> {
    let source_state =
        prop_oneof![Just(SourceState::Up), Just(SourceState::Down), Just(SourceState::Held)];
    let report = vec((any_name().prop_map(ConnectorName), source_state), 0..4);
    prop_oneof![
        element(),
        report.prop_map(|states| LinkPdu::Report { states }),
        term().prop_map(|term| LinkPdu::Reported { term }),
    ]
}

fn recipient() -> impl Strategy<Value = Recipient> {
    (address(), notify(), option::of("rfc822;[a-z@.]{1,12}")).prop_map(
        |(address, notify, original)| Recipient {
            index: 0,
            address,
            notify,
            original,
            suspect: false,
        },
    )
}

fn hop() -> impl Strategy<Value = Hop> {
    let table = option::of("[0-9a-f]{16}/[0-9a-f.]{7,20}");
    ("\\PC{0,12}", "[a-z0-9-]{1,8}", "[A-Z0-9]{1,4}", any::<u64>(), table).prop_map(
        |(from, by, group, at, table)| Hop {
            from,
            by,
            group: GroupName(group),
            with: String::from("SUBMIT"),
            id: String::from("000000000000002a"),
            at: Time(at),
            table,
        },
    )
}

fn key() -> impl Strategy<Value = GroupKey> {
    ("[A-Z0-9/]{1,4}", "[0-9a-f]{32}")
        .prop_map(|(name, uuid)| GroupKey::new(&GroupName(name), &uuid))
}

pub(crate) fn envelope() -> impl Strategy<Value = Envelope> {
    let times = (any::<u64>(), any::<u64>());
    let options = (option::of(ret()), option::of("[ -~]{0,12}"), any::<bool>());
    let path = (vec(hop(), 0..3), btree_map(key(), version(), 0..3));
    let field = ("[A-Za-z][A-Za-z0-9-]{0,9}", "[ -~]{0,12}");
    let field = field.prop_map(|(name, value)| Field { name, value });
    let submitter = option::of("[ -~]{1,12}");
    let ruled = (vec(field, 0..3), any::<bool>(), any::<bool>(), 0u32..3, submitter, priority());
    (origin(), option::of(address()), vec(recipient(), 1..4), times, options, path, ruled).prop_map(
        |(
            origin,
            sender,
            mut recipients,
            times,
            (ret, envid, smtputf8),
            (hops, routed_by),
            (fields, rules_due, unqueued, attempts, submitter, priority),
        )| {
            for (place, recipient) in recipients.iter_mut().enumerate() {
                recipient.index = u32::try_from(place * 3).expect("a few recipients");
            }
            Envelope {
                origin,
                sender,
                recipients,
                arrived: Time(times.0),
                expires: Time(times.1),
                ret,
                envid,
                smtputf8,
                hops,
                routed_by,
                fields,
                content: None,
                rules_due,
                unqueued,
                attempts,
                submitter,
                priority,
            }
        },
    )
}
