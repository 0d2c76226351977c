//! Rules in their places: queue rules at enqueue, account rules at the host of the account, with crashes
//! and repeats in between.

use crate::network::{Network, Trap, member, organization, user};
use bridgehead::kernel::{Input, Span};
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::member::{Command, Event, Pdu, Policy};
use bridgehead::protocol::organization::Organization;
use bridgehead::protocol::queue::{
    ANSWERED_LIMIT, Answered, Change, Damage, Ending, Recorded, Spool,
};
use bridgehead::protocol::rules::Rule;
use bridgehead::wire::ids::{MemberName, OriginId};
use bridgehead::wire::message::{Address, Digest, Field, Refusal};

pub(crate) const SENDER: Option<&str> = Some("user-g1-a@example.org");

#[derive(serde::Deserialize)]
struct Rules {
    rule: Vec<Rule>,
}

/// One rule that does this with every message.
pub(crate) fn always(then: &str) -> Vec<Rule> {
    let text = format!("[[rule]]\nname = \"always\"\nthen = [{then}]\n");
    toml::from_str::<Rules>(&text).expect("a rule").rule
}

/// Two groups, with `rules` at the account of `host`.
fn with_rules(host: &MemberName, rules: Vec<Rule>) -> Organization {
    let mut organization = organization(2);
    let account =
        organization.accounts.iter_mut().find(|account| account.host.as_ref() == Some(host));
    account.expect("each member hosts an account").rules = rules;
    assert_eq!(organization.check(), []);
    organization
}

pub(crate) fn redirect(to: &MemberName) -> String {
    format!("{{ action = \"redirect\", to = [\"{}\"] }}", user(to))
}

pub(crate) fn network_of(organization: Organization, policy: Policy, faults: &[&str]) -> Network {
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

pub(crate) fn send(network: &mut Network, to: &MemberName) -> u64 {
    network.mail(&member(1, 'b'), SENDER, &[user(to)])
}

pub(crate) fn count(network: &Network, test: fn(&Event) -> bool) -> usize {
    network.events.iter().filter(|(_, _, event)| test(event)).count()
}

pub(crate) fn assert_empty(network: &Network) {
    for (name, site) in &network.sites {
        assert!(site.durable.spool.queue.is_empty(), "{name} still has {:?}", site.durable.spool);
    }
}

pub(crate) fn journal<'a>(
    network: &'a Network,
    host: &MemberName,
) -> Vec<(&'a OriginId, &'a Recorded)> {
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
