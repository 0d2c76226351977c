//! Rules in their places: queue rules at enqueue, account rules at the host of the account, with crashes
//! and repeats in between.

use std::collections::BTreeMap;

use crate::network::{Network, Trap, member, organization, user};
use bridgehead::kernel::{Input, Span};
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::member::{Answer, Command, Event, Filtered, NewMail, Pdu, Policy};
use bridgehead::protocol::organization::{MemberSettings, Organization, Submit};
use bridgehead::protocol::queue::{
    ANSWERED_LIMIT, Answered, Change, Damage, Ending, Recorded, Spool,
};
use bridgehead::protocol::rules::{LOOP_FIELD, Rule};
use bridgehead::wire::ids::{MemberName, OriginId};
use bridgehead::wire::message::{
    Address, Body, BodyKey, Digest, Field, Notify, Recipient, Refusal,
};

const SENDER: Option<&str> = Some("user-g1-a@example.org");

#[derive(serde::Deserialize)]
struct Rules {
    rule: Vec<Rule>,
}

/// One rule that does this with every message.
fn always(then: &str) -> Vec<Rule> {
    let text = format!("[[rule]]\nname = \"always\"\nthen = [{then}]\n");
    toml::from_str::<Rules>(&text).expect("a rule").rule
}

/// Two groups, with `rules` at the account of `host`.
fn with_rules(host: &MemberName, rules: Vec<Rule>) -> Organization {
    let mut organization = organization(2);
    let account = organization.accounts.iter_mut().find(|account| account.host == *host);
    account.expect("each member hosts an account").rules = rules;
    assert_eq!(organization.check(), []);
    organization
}

fn redirect(to: &MemberName) -> String {
    format!("{{ action = \"redirect\", to = [\"{}\"] }}", user(to))
}

fn network_of(organization: Organization, policy: Policy, faults: &[&str]) -> Network {
    let faults = Faults::named(faults.iter().copied()).unwrap();
    let mut network = Network::new(organization, policy, &faults, 3);
    network.run(Span::seconds(10));
    network
}

/// `g2-b` redirects to `g1-a`.
fn redirecting(faults: &[&str]) -> Network {
    let rules = always(&redirect(&member(1, 'a')));
    network_of(with_rules(&member(2, 'b'), rules), Policy::default(), faults)
}

fn send(network: &mut Network, to: &MemberName) -> u64 {
    network.mail(&member(1, 'b'), SENDER, &[user(to)])
}

fn count(network: &Network, test: fn(&Event) -> bool) -> usize {
    network.events.iter().filter(|(_, _, event)| test(event)).count()
}

fn assert_empty(network: &Network) {
    for (name, site) in &network.sites {
        assert!(site.durable.spool.queue.is_empty(), "{name} still has {:?}", site.durable.spool);
    }
}

fn journal<'a>(network: &'a Network, host: &MemberName) -> Vec<(&'a OriginId, &'a Recorded)> {
    let journal = network.sites[host].durable.spool.journal.iter();
    journal.flat_map(|(origin, entries)| entries.values().map(move |word| (origin, word))).collect()
}

/// DE-043, RU-020, RU-021: nothing is stored at the account, the redirected message is, once.
#[test]
fn a_redirected_message_goes_on_from_the_host() {
    let mut network = redirecting(&[]);
    let client = send(&mut network, &member(2, 'b'));
    network.run(Span::minutes(1));
    assert_eq!(network.copies(client, &user(&member(2, 'b'))), 0);
    assert_eq!(network.copies(client, &user(&member(1, 'a'))), 1, "{:#?}", network.events);
    assert!(matches!(journal(&network, &member(2, 'b'))[..], [(_, Recorded::Passed { .. })]));
    assert_empty(&network);
}

/// RU-023: the id of what rules make follows from the id of the message.
#[test]
fn the_origin_id_is_derived() {
    use sha2::Digest as _;
    let mut network = redirecting(&[]);
    send(&mut network, &member(2, 'b'));
    network.run(Span::minutes(1));
    let (origin, _) = journal(&network, &member(2, 'b'))[0];
    let (derived, _) = journal(&network, &member(1, 'a'))[0];
    let digest = sha2::Sha256::digest(format!("bridgehead/rules {origin} 0 0"));
    assert_eq!(derived.member, origin.member);
    assert_eq!(derived.incarnation.0.to_be_bytes(), digest[..8]);
    assert_eq!(derived.sequence.to_be_bytes(), digest[8..16]);
    assert_eq!(derived.to_string().parse(), Ok(derived.clone()), "it has the form of any other");
}

/// Crashes the host of the redirecting account while its journal entry is on the way to the disk: any
/// prefix of what it writes is kept. How often the message is stored in the end where it is redirected to.
fn crash_between_store_and_redirect(seed: u64, faults: &[&str]) -> u32 {
    let host = member(2, 'b');
    let rules = with_rules(&host, always(&redirect(&member(1, 'a'))));
    let faults = Faults::named(faults.iter().copied()).unwrap();
    let mut network = Network::new(rules, Policy::default(), &faults, seed);
    network.run(Span::seconds(10));
    let client = send(&mut network, &host);
    let is_recorded = |network: &Network| {
        let node = network.sites[&host].node.as_ref().expect("it runs");
        !node.machine().spool().journal.is_empty()
    };
    while !is_recorded(&network) {
        network.run(Span(100));
    }
    assert_eq!(journal(&network, &host), [], "it is on its way");
    network.crash(&host);
    network.boot(&host);
    network.run(Span::minutes(30));
    assert_empty(&network);
    network.copies(client, &user(&member(1, 'a')))
}

/// DE-043: the host crashes when the journal entry is written, or is not, and so is what follows from it.
#[test]
fn a_crash_between_store_and_redirect_loses_nothing() {
    for seed in 0..20 {
        assert_eq!(crash_between_store_and_redirect(seed, &[]), 1, "seed {seed}");
    }
}

/// The planted bug: what rules pass on has a change of its own, and a crash in between loses it.
#[test]
fn rules_outside_the_commit_lose_mail() {
    let fault = ["rules-outside-the-commit"];
    let lost = (0..20).any(|seed| crash_between_store_and_redirect(seed, &fault) == 0);
    assert!(lost, "the scenario finds the planted bug");
}

/// RU-020, DE-024: the result is lost, the sender asks, and the rules do not run again.
#[test]
fn a_repeat_runs_no_rule_again() {
    let mut network = redirecting(&[]);
    network.traps.push(Trap::Cut(|pdu| matches!(pdu, Pdu::Result { .. })));
    let client = send(&mut network, &member(2, 'b'));
    network.run(Span::minutes(10));
    assert!(network.traps.is_empty());
    assert_eq!(network.copies(client, &user(&member(1, 'a'))), 1);
    assert_eq!(count(&network, |event| matches!(event, Event::Ruled { .. })), 1);
    assert_empty(&network);
}

/// RU-025: a copy and the message itself have one body; it lives until both are done with, on the host
/// that is the custodian, too. (The network objects to a body that goes too early.)
#[test]
fn a_shared_body_is_kept_until_its_last_message() {
    let copy = format!("{{ action = \"copy\", to = [\"{}\"] }}", user(&member(2, 'a')));
    let rules = with_rules(&member(1, 'b'), always(&copy));
    let mut network = network_of(rules, Policy::default(), &[]);
    network.cuts.push((member(1, 'b'), member(1, 'a')));
    let client = send(&mut network, &member(1, 'b'));
    network.run(Span::minutes(5));
    assert_eq!(network.copies(client, &user(&member(1, 'b'))), 1);
    network.crash(&member(1, 'b'));
    network.boot(&member(1, 'b'));
    network.cuts.clear();
    network.run(Span::minutes(30));
    assert_eq!(network.copies(client, &user(&member(2, 'a'))), 1);
    assert_empty(&network);
}

/// CU-043, CU-045: a damaged body stops every message that has it, and all go on when it is sound again.
#[test]
fn a_shared_body_that_is_damaged_stops_all_its_messages() {
    let host = member(1, 'b');
    let both = format!(
        "{{ action = \"copy\", to = [\"{}\"] }}, {}",
        user(&member(2, 'a')),
        redirect(&member(2, 'b'))
    );
    let rules = with_rules(&host, always(&both));
    let mut network = network_of(rules, Policy::default(), &[]);
    network.cuts.push((host.clone(), member(1, 'a')));
    let client = send(&mut network, &host);
    network.run(Span::minutes(5));
    let queue = |network: &Network| {
        let queue = network.sites[&host].durable.spool.queue.values();
        queue.map(|message| (message.body.key, message.damage.is_some())).collect::<Vec<_>>()
    };
    let [(key, false), (other, false)] = queue(&network)[..] else { panic!("two messages") };
    assert_eq!(key, other, "of one body");
    let checked = |damage| Input::Command(Command::BodyChecked { key, damage });
    network.step(&host, checked(Some(Damage::Missing)));
    network.cuts.clear();
    network.run(Span::hours(1));
    assert_eq!(queue(&network), [(key, true), (key, true)], "neither goes on");
    network.step(&host, checked(None));
    network.run(Span::hours(1));
    assert_eq!(network.copies(client, &user(&member(2, 'a'))), 1);
    assert_eq!(network.copies(client, &user(&member(2, 'b'))), 1);
    assert_empty(&network);
}

/// RU-024: a copy that cannot be delivered is the business of the account.
#[test]
fn a_copy_fails_to_the_account() {
    let copy = r#"{ action = "copy", to = ["nobody@example.org"] }"#;
    let rules = with_rules(&member(1, 'b'), always(copy));
    let mut network = network_of(rules, Policy::default(), &[]);
    send(&mut network, &member(1, 'b'));
    network.run(Span::minutes(5));
    let told: Vec<&Address> = network.notices.iter().map(|(_, _, notice)| &notice.to).collect();
    assert_eq!(told, [&user(&member(1, 'b'))]);
}

/// RU-022: the journal has the refusal, and the custodian returns the message.
#[test]
fn what_account_rules_reject_is_returned_by_the_custodian() {
    let reject = always(r#"{ action = "reject", text = "not today" }"#);
    let mut network = network_of(with_rules(&member(2, 'b'), reject), Policy::default(), &[]);
    send(&mut network, &member(2, 'b'));
    network.run(Span::minutes(1));
    let [(_, reporter, notice)] = &network.notices[..] else { panic!("{:?}", network.notices) };
    assert_eq!(*reporter, member(2, 'a'), "the host of the account is not the custodian");
    assert_eq!(notice.recipients[0].1, Ending::Refused(Refusal::new(550, "5.7.1", "not today")));
    assert!(matches!(journal(&network, &member(2, 'b'))[..], [(_, Recorded::Refused { .. })]));
}

/// RU-030: two accounts redirect to each other; the message stays where it comes back.
#[test]
fn a_loop_of_redirects_ends() {
    let mut rules = with_rules(&member(2, 'b'), always(&redirect(&member(2, 'a'))));
    rules.accounts[2].rules = always(&redirect(&member(2, 'b')));
    assert_eq!(rules.accounts[2].address, user(&member(2, 'a')));
    let mut network = network_of(rules, Policy::default(), &[]);
    let client = send(&mut network, &member(2, 'b'));
    network.run(Span::minutes(5));
    assert_eq!(network.copies(client, &user(&member(2, 'b'))), 1);
    assert_eq!(network.copies(client, &user(&member(2, 'a'))), 0);
    assert_eq!(count(&network, |event| matches!(event, Event::Looped { .. })), 1);
    assert_empty(&network);
}

fn header(to: &MemberName) -> Vec<Field> {
    let field = |name: &str, value: &str| Field { name: name.into(), value: value.into() };
    vec![field("To", &user(to).0), field("Subject", "hello"), field("Message-ID", "<1@d>")]
}

/// RU-031, RU-032, RU-033: one reply in the days of the rule, remembered across a crash.
#[test]
fn a_sender_is_answered_once_in_so_many_days() {
    let host = member(2, 'b');
    let away = always(r#"{ action = "vacation", text = "away", days = 2 }"#);
    let mut network = network_of(with_rules(&host, away), Policy::default(), &[]);
    for day in 0..4 {
        // The network names contents by its clients, and a header has to be there before.
        let next = network.next_client();
        network.headers.insert(Network::digest(next), header(&host));
        let client = send(&mut network, &host);
        assert_eq!(client, next);
        network.run(Span::hours(1));
        assert_eq!(network.copies(client, &user(&host)), 1, "the message itself is stored");
        network.crash(&host);
        network.boot(&host);
        network.run(Span::hours(24));
        let expected = [1, 1, 2, 2][day];
        assert_eq!(network.replied.len(), expected, "after day {day}");
    }
    let reply = &network.replied[0];
    assert_eq!((&reply.from, &reply.to), (&user(&host), &Address::from(SENDER.unwrap())));
    assert_eq!((reply.subject.as_str(), reply.answers.as_deref()), ("Auto: hello", Some("<1@d>")));
    assert_empty(&network);
}

/// RU-026: a disk that is full when the rules are to be run delays the delivery.
#[test]
fn rules_that_cannot_be_run_delay_the_delivery() {
    let mut network = redirecting(&[]);
    network.sites.get_mut(&member(2, 'b')).unwrap().full = true;
    let client = send(&mut network, &member(2, 'b'));
    network.run(Span::minutes(5));
    assert_eq!(journal(&network, &member(2, 'b')), []);
    network.sites.get_mut(&member(2, 'b')).unwrap().full = false;
    network.run(Span::minutes(30));
    assert_eq!(network.copies(client, &user(&member(1, 'a'))), 1);
    assert_empty(&network);
}

/// RU-032: an account remembers so many senders; the one whose time is over first goes first.
#[test]
fn the_memory_of_an_account_is_bounded() {
    let mut spool = Spool::default();
    let account = Address::from("a@d");
    let now = bridgehead::kernel::Time(1_000);
    for n in 0..=ANSWERED_LIMIT {
        let sender = Address(format!("s{n}@d"));
        let until = now + Span(1 + n as u64);
        let answered = Some(Answered { account: account.clone(), sender, at: now, until });
        let recorded = Recorded::Passed { digest: Digest([0; 32]), account: None };
        let origin: OriginId = format!("m/0000000000000001/{n}").parse().unwrap();
        let (queue, outputs) = (None, Vec::new());
        spool.apply(&Change::Recorded {
            origin,
            index: 0,
            recorded,
            epoch: Default::default(),
            queue,
            outputs,
            answered,
            arrived: None,
            ends: None,
        });
    }
    assert_eq!(spool.answered[&account].len(), ANSWERED_LIMIT);
    assert!(!spool.is_answered(&account, &Address::from("s0@d"), now));
    assert!(spool.is_answered(&account, &Address::from("s1@d"), now));
}

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
