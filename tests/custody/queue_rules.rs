//! Rules of the queue, and what is added to mail when it is born (RU-010 to RU-014, SM-115).

use crate::network::{Network, member, organization, user};
use crate::rules::{SENDER, always, assert_empty, count, journal, network_of, redirect, send};
use bridgehead::kernel::Span;
use bridgehead::protocol::member::{Answer, Event, Filtered, NewMail, Pdu, Policy};
use bridgehead::protocol::organization::{MemberSettings, Organization, Submit};
use bridgehead::protocol::rules::LOOP_FIELD;
use bridgehead::wire::ids::MemberName;
use bridgehead::wire::message::{
    Address, Body, BodyKey, Digest, Field, Notify, Recipient, Refusal,
};
use bridgehead::wire::restrictions::Priority;
use std::collections::BTreeMap;

/// A policy with one queue rule.
fn policy(then: &str) -> Policy {
    Policy { rules: always(then), ..Policy::default() }
}

/// RU-010, RU-011: the client hears the refusal, and nothing is left.
#[test]
fn queue_rules_reject_before_the_reply() {
    let policy = policy(r#"{ action = "reject", text = "we do not want this" }"#);
    let mut network = network_of(organization(2), policy, &[]);
    let client = send(&mut network, &member(2, 'b'));
    network.run(Span::minutes(1));
    let Some(Pdu::Refused(refusal)) = network.replies.get(&client) else {
        panic!("{:?}", network.replies)
    };
    assert_eq!((refusal.code, refusal.status.as_str()), (550, "5.7.1"));
    assert_eq!(refusal.text, "we do not want this");
    assert_empty(&network);
    network.sites.get_mut(&member(1, 'b')).unwrap().full = true;
    let client = send(&mut network, &member(2, 'b'));
    network.run(Span::minutes(1));
    let Some(Pdu::Refused(refusal)) = network.replies.get(&client) else { panic!("no reply") };
    assert_eq!(refusal.code, 451, "a header that cannot be read says nothing about the message");
}

/// RU-040, RU-041, RU-042: the client hears what the filter says, and nothing is left of what is refused.
#[test]
fn a_filter_judges_before_the_reply() {
    let add = r#"{ action = "add-header", field = "X-Seen", value = "yes" }"#;
    let policy = Policy { filter: true, ..policy(add) };
    let mut network = network_of(organization(2), policy, &[]);
    let field = Field { name: "X-Spam".into(), value: "no".into() };
    network.filter = [
        Answer::Filtered(Filtered::Reject { text: "it is spam".into() }),
        Answer::Failed(Refusal::new(451, "4.3.0", "it has died")),
        Answer::Filtered(Filtered::Discard),
        Answer::Filtered(Filtered::Pass { fields: vec![field.clone()] }),
    ]
    .into();
    for expected in [550, 451] {
        let client = send(&mut network, &member(2, 'b'));
        network.run(Span::minutes(1));
        let Some(Pdu::Refused(refusal)) = network.replies.get(&client) else {
            panic!("no refusal")
        };
        assert_eq!(refusal.code, expected, "{refusal:?}");
        assert_empty(&network);
    }
    for copies in [0, 1] {
        let client = send(&mut network, &member(2, 'b'));
        network.run(Span::minutes(1));
        assert!(matches!(network.replies.get(&client), Some(Pdu::Accepted(_))));
        assert_eq!(network.copies(client, &user(&member(2, 'b'))), copies);
        assert_empty(&network);
    }
    assert_eq!(network.filtered.len(), 4, "once each, over two hand-overs and a delivery");
    let fields = network.heard.iter().filter_map(|(_, _, pdu)| match pdu {
        Pdu::Deliver(parcel) => Some(parcel.envelope.fields.clone()),
        _ => None,
    });
    let seen = Field { name: "X-Seen".into(), value: "yes".into() };
    assert_eq!(fields.collect::<Vec<_>>(), [vec![seen, field]], "RU-014");
}

/// RU-040: what the rules refuse, or leave nowhere to go, no filter has to see.
#[test]
fn a_filter_is_not_asked_about_what_the_rules_end() {
    for then in [r#"{ action = "reject", text = "no" }"#, r#"{ action = "discard" }"#] {
        let policy = Policy { filter: true, ..policy(then) };
        let mut network = network_of(organization(2), policy, &[]);
        send(&mut network, &member(2, 'b'));
        network.run(Span::minutes(1));
        assert_eq!(network.filtered, [], "{then}");
        assert_empty(&network);
    }
}

/// RU-010, RU-013: two hand-overs and a delivery, and the rules run once.
#[test]
fn queue_rules_run_once() {
    let add = r#"{ action = "add-header", field = "X-Seen", value = "yes" }"#;
    let mut network = network_of(organization(2), policy(add), &[]);
    let client = send(&mut network, &member(2, 'b'));
    network.run(Span::minutes(1));
    assert_eq!(network.copies(client, &user(&member(2, 'b'))), 1);
    assert_eq!(count(&network, |event| matches!(event, Event::Ruled { index: None, .. })), 1);
    let fields = network.heard.iter().filter_map(|(_, _, pdu)| match pdu {
        Pdu::Deliver(parcel) => Some(parcel.envelope.fields.clone()),
        _ => None,
    });
    let seen = Field { name: "X-Seen".into(), value: "yes".into() };
    assert_eq!(fields.collect::<Vec<_>>(), [vec![seen]], "RU-014: the field travels");
}

/// RU-012: a redirect replaces the recipients, a copy adds one; a discard takes the message and drops it.
#[test]
fn queue_rules_change_the_recipients() {
    let (there, instead) = (member(2, 'b'), member(2, 'a'));
    let mut network = network_of(organization(2), policy(&redirect(&instead)), &[]);
    let client = send(&mut network, &there);
    network.run(Span::minutes(1));
    assert_eq!(network.copies(client, &user(&there)), 0);
    assert_eq!(network.copies(client, &user(&instead)), 1);
    let indexes: Vec<u32> = journal(&network, &instead)
        .iter()
        .flat_map(|(origin, _)| network.sites[&instead].durable.spool.journal[*origin].keys())
        .copied()
        .collect();
    assert_eq!(indexes, [1], "the index is beyond those of the envelope");

    let copy = format!("{{ action = \"copy\", to = [\"{}\"] }}", user(&instead));
    let mut network = network_of(organization(2), policy(&copy), &[]);
    let client = send(&mut network, &there);
    network.run(Span::minutes(1));
    assert_eq!(network.copies(client, &user(&there)), 1);
    assert_eq!(network.copies(client, &user(&instead)), 1);

    let mut network = network_of(organization(2), policy(r#"{ action = "discard" }"#), &[]);
    let client = send(&mut network, &there);
    network.run(Span::minutes(1));
    assert!(matches!(network.replies[&client], Pdu::Accepted(_)));
    assert_eq!(network.copies(client, &user(&there)), 0);
    assert_empty(&network);
}

/// RU-030: what queue rules sent on and what comes back from outside they do not send on again.
#[test]
fn queue_rules_know_their_own_mark() {
    let (there, instead) = (member(2, 'b'), member(2, 'a'));
    let mut network = network_of(organization(2), policy(&redirect(&instead)), &[]);
    let uuid = network.sites[&member(1, 'b')].config.organization.groups[0].uuid.clone();
    let next = network.next_client();
    let mark = Field { name: LOOP_FIELD.into(), value: format!("group {uuid}") };
    network.headers.insert(Network::digest(next), vec![mark]);
    let client = send(&mut network, &there);
    network.run(Span::minutes(1));
    assert_eq!(network.copies(client, &user(&there)), 1);
    assert_eq!(network.copies(client, &user(&instead)), 0);
}

/// What a message of this protocol, with these fields, has above its header wherever it comes.
fn added(organization: Organization, policy: Policy, with: &str, header: &[&str]) -> Vec<Field> {
    let mut network = network_of(organization, policy, &[]);
    let next = network.next_client();
    let header = header.iter().map(|name| Field { name: (*name).into(), value: "x".into() });
    network.headers.insert(Network::digest(next), header.collect());
    let recipient = Recipient {
        index: 0,
        address: user(&member(2, 'b')),
        notify: Notify::default(),
        original: None,
        suspect: false,
    };
    let mail = NewMail {
        sender: SENDER.map(Address::from),
        recipients: vec![recipient],
        ret: None,
        envid: None,
        smtputf8: false,
        submitter: SENDER.map(Into::into),
        from: "client".into(),
        with: with.into(),
        body: Body { key: BodyKey(0), digest: Digest::default(), octets: 0 },
    };
    let client = network.mail_as(&member(1, 'b'), mail);
    let mut seen: BTreeMap<MemberName, Vec<Field>> = BTreeMap::new();
    network.run_checked(Span::minutes(1), &mut |network| {
        for (name, site) in &network.sites {
            for message in site.durable.spool.queue.values() {
                assert_eq!(
                    message.envelope.submitter.as_deref(),
                    SENDER,
                    "it is kept on every hop"
                );
                seen.insert(name.clone(), message.envelope.fields.clone());
            }
        }
    });
    assert_eq!(network.copies(client, &user(&member(2, 'b'))), 1);
    let mut seen = seen.into_values();
    let fields = seen.next().expect("it was queued");
    assert!(seen.all(|other| other == fields), "the fields travel with the envelope");
    fields
}

/// SM-115, SM-107: Date and Message-ID are added to mail of who has logged in, and to no other.
#[test]
fn what_the_mail_of_an_account_lacks_is_added() {
    for (with, header, expected) in [
        ("ESMTPSA", &["Subject"][..], &["Date", "Message-ID"][..]),
        ("ESMTPA", &["date", "Subject"], &["Message-ID"]),
        ("ESMTPSA", &["MESSAGE-ID"], &["Date"]),
        ("ESMTPSA", &["Date", "Message-ID"], &[]),
        ("ESMTPS", &["Subject"], &[]),
        ("ESMTP", &[], &[]),
    ] {
        let fields = added(organization(2), Policy::default(), with, header);
        let names: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names, expected, "{with} {header:?}");
        for field in fields.iter().filter(|field| field.is("Message-ID")) {
            let is_origin =
                field.value.starts_with("<g1-b/") && field.value.ends_with("@example.org>");
            assert!(is_origin, "{}", field.value);
        }
    }
}

/// SM-115, RU-010: the fields are there where others queue the mail, too, and queue rules add theirs.
#[test]
fn what_is_added_at_birth_stays_under_what_rules_add() {
    let rule = policy(r#"{ action = "add-header", field = "X-Rule", value = "1" }"#);
    let fields = added(organization(2), rule, "ESMTPSA", &[]);
    let names: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["X-Rule", "Date", "Message-ID"]);
    let mut submitting = organization(2);
    let settings = |letter, submit| MemberSettings {
        name: member(1, letter),
        role: None,
        submit,
        weight: 1,
        relay: None,
    };
    submitting.groups[0].settings =
        vec![settings('a', Submit::LocalForOthers), settings('b', Submit::Remote)];
    let fields = added(submitting, Policy::default(), "ESMTPSA", &[]);
    let names: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["Date", "Message-ID"]);
}

/// CU-093: the priority is read when a message enters, where the organization has a connector that names
/// priorities, and travels with it.
#[test]
fn the_priority_of_a_message_is_read_where_it_enters() {
    for (heeds, value, expected) in [
        (true, "1 (Highest)", Priority::High),
        (true, "5", Priority::Low),
        (true, "as soon as you can", Priority::Normal),
        (false, "1", Priority::Normal),
    ] {
        let mut organization = organization(2);
        if heeds {
            organization.connectors[0].priorities = Priority::ALL.to_vec();
        }
        let mut network = network_of(organization, Policy::default(), &[]);
        let next = network.next_client();
        let field = Field { name: "X-Priority".into(), value: value.into() };
        network.headers.insert(Network::digest(next), vec![field]);
        send(&mut network, &member(2, 'b'));
        let mut seen = BTreeMap::new();
        network.run_checked(Span::minutes(1), &mut |network| {
            for (name, site) in &network.sites {
                for message in site.durable.spool.queue.values() {
                    seen.insert(name.clone(), message.envelope.priority);
                }
            }
        });
        assert!(seen.len() > 1 && seen.values().all(|seen| *seen == expected), "{value}: {seen:?}");
    }
}
