//! The queue: schedule, notices, expiry, limits, routes. One fact a test, the time jumps.

use crate::network::{Network, Trap, member, organization, user};
use bridgehead::kernel::{Input, Machine as _, Span, Time};
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::member::{Candidate, Change, Event, Member, NoticeKind, Pdu, Policy};
use bridgehead::protocol::operator::{Action, Order, Selection};
use bridgehead::protocol::organization::Organization;
use bridgehead::protocol::queue::{AccountJournal, Ending, Recorded};
use bridgehead::wire::ids::{ConnectionId, Epoch};
use bridgehead::wire::message::{Address, Outcome, Refusal};

const SENDER: Option<&str> = Some("user-g1-a@example.org");

fn network(faults: &[&str]) -> Network {
    network_of(organization(2), Policy::default(), faults)
}

fn network_of(organization: Organization, policy: Policy, faults: &[&str]) -> Network {
    let faults = Faults::named(faults.iter().copied()).unwrap();
    let mut network = Network::new(organization, policy, &faults, 7);
    network.run(Span::seconds(10));
    network
}

/// Mail from `g1-b` to the account of `g1-a`, which cannot be reached.
fn send_to_unreachable(network: &mut Network, sender: Option<&str>) -> (u64, Time) {
    network.cuts.push((member(1, 'b'), member(1, 'a')));
    let account = user(&member(1, 'a'));
    let start = network.now;
    (network.mail(&member(1, 'b'), sender, &[account]), start)
}

fn minutes_of(network: &Network, start: Time, test: fn(&Event) -> bool) -> Vec<u64> {
    let matching = network.events.iter().filter(|(_, _, event)| test(event));
    matching.map(|(time, ..)| time.since(start).as_seconds() / 60).collect()
}

/// CU-010: 10, 10, 10, then every 15 minutes.
#[test]
fn retries_follow_the_schedule() {
    let attempts = |faults: &[&str]| {
        let mut network = network(faults);
        let (_, start) = send_to_unreachable(&mut network, SENDER);
        network.run(Span::minutes(65));
        minutes_of(&network, start, |event| matches!(event, Event::Deferred { .. }))
    };
    assert_eq!(attempts(&[]), [0, 10, 20, 30, 45, 60]);
    assert_ne!(attempts(&["retry-ignores-schedule"]), [0, 10, 20, 30, 45, 60]);
}

/// CU-032, CU-033, CU-034: the delay notice at 12 hours, the return at 48, by way of a crash.
#[test]
fn a_late_message_is_announced_and_an_expired_one_returned() {
    let notices = |faults: &[&str]| {
        let mut network = network(faults);
        let (_, start) = send_to_unreachable(&mut network, SENDER);
        network.run(Span::hours(5));
        network.crash(&member(1, 'b'));
        network.boot(&member(1, 'b'));
        network.run(Span::hours(50));
        assert!(network.sites[&member(1, 'b')].durable.spool.queue.len() <= 2);
        let hours = |time: &Time| time.since(start).as_seconds() / 3600;
        network.notices.iter().map(|(time, _, n)| (n.kind, hours(time))).collect::<Vec<_>>()
    };
    let (delay, failure) = (NoticeKind::Delay, NoticeKind::Failure);
    assert_eq!(notices(&[]), [(delay, 12), (failure, 48)]);
    assert_eq!(notices(&["no-delay-notice"]), [(failure, 48)]);
    assert_eq!(notices(&["expiry-at-49h"]), [(delay, 12), (failure, 49)]);
}

/// CU-031: nothing is written about a message from nobody; it is removed and that is logged.
#[test]
fn a_message_from_the_null_sender_is_never_returned() {
    let mut honest = network(&[]);
    send_to_unreachable(&mut honest, None);
    honest.run(Span::hours(49));
    assert_eq!(honest.notices.len(), 0);
    assert!(honest.events.iter().any(|(_, _, event)| matches!(event, Event::Dropped { .. })));
    assert!(honest.sites[&member(1, 'b')].durable.spool.queue.is_empty());
    let mut planted = network(&["dsn-about-null-sender"]);
    send_to_unreachable(&mut planted, None);
    planted.run(Span::hours(49));
    assert_ne!(planted.notices.len(), 0, "the planted bug writes one");
}

/// CU-030, DE-005, DE-006: a notice reaches the sender, once, and the message leaves by that change.
#[test]
fn a_permanent_refusal_returns_the_recipient_at_once() {
    let mut organization = organization(1);
    organization.smart_host = Some("smart.example.net:25".into());
    let mut network = network_of(organization, Policy::default(), &[]);
    let refusal = Refusal::new(550, "5.1.1", "unknown there");
    network.outside = Some(Outcome::Refused(refusal.clone()));
    network.mail(&member(1, 'b'), SENDER, &["x@example.net".into(), "y@example.net".into()]);
    network.run(Span::seconds(10));
    let told: Vec<_> = network.notices.iter().flat_map(|(_, _, n)| &n.recipients).collect();
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|(_, ending)| *ending == Ending::Refused(refusal.clone())));
    let inbox = &network.sites[&member(1, 'a')].new;
    assert_eq!(inbox.len(), network.notices.len(), "each notice lies in the sender's account");
    assert!(network.sites.values().all(|site| site.durable.spool.queue.is_empty()));
}

/// CU-040, CU-041: outside, a temporary refusal and a refused connection lead to the next attempt.
#[test]
fn an_outside_server_is_tried_by_the_schedule() {
    let mut organization = organization(1);
    organization.smart_host = Some("smart.example.net:25".into());
    let mut network = network_of(organization, Policy::default(), &[]);
    network.mail(&member(1, 'a'), SENDER, &["x@example.net".into()]);
    network.run(Span::minutes(5));
    assert_eq!(network.relayed.len(), 0, "it refuses connections");
    network.outside = Some(Outcome::Refused(Refusal::new(451, "4.3.0", "later")));
    network.run(Span::minutes(10));
    assert_eq!(network.relayed.len(), 1);
    network.outside = Some(Outcome::Delivered);
    network.run(Span::minutes(10));
    assert_eq!(network.relayed.len(), 2);
    assert!(network.sites[&member(1, 'a')].durable.spool.queue.is_empty());
    assert_eq!(network.notices.len(), 0);
}

fn with_smart_host(policy: Policy) -> Network {
    let mut organization = organization(1);
    organization.smart_host = Some("smart.example.net:25".into());
    network_of(organization, policy, &[])
}

/// CU-085, CU-086: no more connections than the limit, and no more messages on each.
#[test]
fn an_outside_server_gets_connections_within_the_limits() {
    let connections = |connections: u32, messages: u32| {
        let mut policy = Policy::default();
        policy.limits.destination.connections = connections;
        policy.limits.destination.messages_per_connection = messages;
        let mut network = with_smart_host(policy);
        network.outside = Some(Outcome::Delivered);
        for _ in 0..5 {
            network.mail(&member(1, 'a'), SENDER, &["x@example.net".into()]);
        }
        network.run(Span::seconds(10));
        assert_eq!(network.relayed.len(), 5);
        network.knocked.len()
    };
    assert_eq!(connections(1, 100), 1);
    assert_eq!(connections(3, 100), 3);
    assert_eq!(connections(9, 100), 5, "one for each message is enough");
    assert_eq!(connections(1, 2), 3);
}

/// CU-087, CU-088: a server that cannot be reached rests for all mail, longer each time, until it can be
/// reached or the operator says so.
#[test]
fn an_outside_server_that_cannot_be_reached_rests() {
    let mut network = with_smart_host(Policy::default());
    let start = network.now;
    let mail = |network: &mut Network| {
        network.mail(&member(1, 'a'), SENDER, &["x@example.net".into()]);
        network.run(Span::seconds(20));
    };
    let knocked = |network: &Network| -> Vec<u64> {
        network.knocked.iter().map(|time| time.since(start).as_seconds() / 60).collect()
    };
    mail(&mut network);
    assert_eq!(knocked(&network), [0]);
    mail(&mut network);
    mail(&mut network);
    assert_eq!(knocked(&network), [0], "nobody's mail tries it on its own");
    network.run(Span::minutes(4));
    assert_eq!(knocked(&network), [0, 1], "one connection for all, and two minutes of rest");
    let deferred = minutes_of(&network, start, |event| matches!(event, Event::Deferred { .. }));
    assert_eq!(deferred, [0, 1, 1]);
    network.run(Span::minutes(8));
    assert_eq!(knocked(&network), [0, 1, 10], "the first message again, after ten minutes");
    mail(&mut network);
    assert_eq!(knocked(&network), [0, 1, 10], "it rests for four minutes");
    network.outside = Some(Outcome::Delivered);
    let all = Selection { all: true, ..Selection::default() };
    let order = Order::Queue { action: Action::Retry, which: all };
    network.order(&member(1, 'a'), order);
    network.run(Span::seconds(10));
    assert_eq!(network.relayed.len(), 4);
    assert!(network.sites[&member(1, 'a')].durable.spool.queue.is_empty());
    assert_eq!(knocked(&network), [0, 1, 10, 13]);
}

/// CU-089: another smart host gets what waits for the old one, and at once.
#[test]
fn what_waits_follows_the_configuration() {
    let mut network = with_smart_host(Policy::default());
    let at = member(1, 'a');
    for _ in 0..2 {
        network.mail(&at, SENDER, &["x@example.net".into()]);
        network.run(Span::seconds(10));
    }
    assert_eq!(network.knocked.len(), 1, "the first failed, the second is in line while it rests");
    network.outside = Some(Outcome::Delivered);
    let site = network.sites.get_mut(&at).unwrap();
    let mut organization = Organization::clone(&site.config.organization);
    organization.revision += 1;
    organization.smart_host = Some("other.example.net:25".into());
    site.config.organization = organization.into();
    network.step(&at, Input::Configuration);
    network.run(Span::seconds(10));
    assert_eq!((network.relayed.len(), network.knocked.len()), (2, 2));
    assert!(network.sites[&at].durable.spool.queue.is_empty());
    network.run(Span::minutes(20));
    assert_eq!(network.knocked.len(), 2, "nobody calls the old one any more");
}

/// CU-008: each recipient keeps its index on every way that it goes.
#[test]
fn an_index_is_never_renumbered() {
    let indexes = |faults: &[&str]| {
        let mut network = network(faults);
        let hosts = [member(1, 'b'), member(1, 'a'), member(2, 'a'), member(2, 'b')];
        let accounts: Vec<Address> = hosts.iter().map(user).collect();
        network.mail(&member(1, 'b'), SENDER, &accounts);
        network.run(Span::minutes(2));
        let journal = |host| {
            let entries = network.sites[host].durable.spool.journal.values();
            entries.flat_map(|entries| entries.keys().copied()).collect::<Vec<u32>>()
        };
        hosts.iter().map(journal).collect::<Vec<_>>()
    };
    assert_eq!(indexes(&[]), [[0], [1], [2], [3]]);
    let planted = std::panic::catch_unwind(|| indexes(&["renumber-index"]));
    assert!(planted.is_err() || planted.unwrap() != [[0], [1], [2], [3]]);
}

fn candidate(address: &str) -> Pdu {
    let address = Address::from(address);
    Pdu::Recipient(Candidate { address, sender: None, octets: 0, recipients: 1 })
}

/// CU-001: who may be written to.
#[test]
fn recipients_are_checked_at_the_door() {
    let ask = |organization: Organization, address: &str| {
        let mut network = network_of(organization, Policy::default(), &[]);
        let (from, pdu) = (ConnectionId(77), candidate(address));
        network.step(&member(1, 'a'), Input::Pdu { from, pdu });
        // The host of the account is asked, and may be away.
        network.run(Span::seconds(6));
        match network.replies.remove(&77) {
            Some(Pdu::Ok) => (250, "2.1.5".to_owned()),
            Some(Pdu::Refused(refusal)) => (refusal.code, refusal.status),
            other => panic!("{other:?}"),
        }
    };
    let with_host = Organization { smart_host: Some("h:25".into()), ..organization(1) };
    assert_eq!(ask(organization(1), "user-g1-b@EXAMPLE.org").0, 250);
    assert_eq!(ask(organization(1), "nobody@example.org"), (550, "5.1.1".into()));
    assert_eq!(ask(organization(1), "x@example.net"), (550, "5.7.1".into()));
    assert_eq!(ask(with_host, "x@example.net").0, 250);
    assert_eq!(ask(organization(1), "Postmaster").0, 550);
    let mut with_postmaster = organization(1);
    with_postmaster.accounts[0].address = Address::from("postmaster@example.org");
    assert_eq!(ask(with_postmaster, "Postmaster").0, 250);
}

/// CU-003: every limit is reached.
#[test]
fn mail_beyond_a_limit_is_refused() {
    let reply = |policy: Policy, to: &[Address]| {
        let mut network = network_of(organization(1), policy, &[]);
        network.cuts.push((member(1, 'b'), member(1, 'a')));
        network.mail(&member(1, 'b'), SENDER, &[user(&member(1, 'a'))]);
        let client = network.mail(&member(1, 'b'), SENDER, to);
        network.run(Span::seconds(1));
        match &network.replies[&client] {
            Pdu::Accepted(_) => (250, "2.0.0".to_owned()),
            Pdu::Refused(refusal) => (refusal.code, refusal.status.clone()),
            other => panic!("{other:?}"),
        }
    };
    let to = [user(&member(1, 'b')), user(&member(1, 'a'))];
    let policy = Policy::default;
    assert_eq!(reply(policy(), &to).0, 250);
    let few = Policy { recipients_limit: 1, ..policy() };
    assert_eq!(reply(few, &to), (452, "4.5.3".into()));
    let full = Policy { queue_limit: 1, ..policy() };
    assert_eq!(reply(full, &to), (452, "4.3.1".into()));
    let small = Policy { message_limit_octets: 99, ..policy() };
    assert_eq!(reply(small, &to), (552, "5.3.4".into()));
    assert_eq!(reply(policy(), &[]), (554, "5.5.1".into()));
}

/// CU-042: what a hand-over could not carry is refused at the door, before anything is promised.
#[test]
fn recipients_that_no_envelope_can_hold_are_refused() {
    let offered = |octets: usize| -> Pdu {
        let mut network = network(&[]);
        let long = Address(format!("{}@example.org", "x".repeat(octets)));
        let client = network.mail(&member(1, 'a'), SENDER, &[long]);
        network.run(Span::seconds(1));
        network.replies[&client].clone()
    };
    assert!(matches!(offered(1_000), Pdu::Accepted(_)));
    let Pdu::Refused(refusal) = offered(600_000) else { panic!("it was accepted") };
    assert_eq!((refusal.code, refusal.status.as_str()), (452, "4.5.3"));
}

/// CU-021: the hop limit ends in hold, and the hold ends with the time of the message.
#[test]
fn too_many_hops_hold_a_message() {
    let policy = Policy { hop_limit: 1, ..Policy::default() };
    let mut network = network_of(organization(2), policy, &[]);
    network.mail(&member(1, 'a'), SENDER, &[user(&member(2, 'a'))]);
    network.run(Span::hours(1));
    let held = &network.sites[&member(2, 'a')].durable.spool.queue;
    assert!(held.values().all(|message| message.held.is_some()) && held.len() == 1);
    assert_eq!(network.notices.len(), 0, "it is not returned for that");
    network.run(Span::hours(48));
    let failures = network.notices.iter().filter(|(_, _, n)| n.kind == NoticeKind::Failure);
    assert_eq!(failures.count(), 1, "its time runs on");
}

/// DE-029 and the queue: a full disk delays, it loses nothing.
#[test]
fn a_full_disk_delays_a_local_delivery() {
    let mut network = network(&[]);
    let account = user(&member(1, 'a'));
    network.sites.get_mut(&member(1, 'a')).unwrap().full = true;
    let client = network.mail(&member(1, 'a'), SENDER, core::slice::from_ref(&account));
    network.run(Span::minutes(15));
    assert_eq!(network.copies(client, &account), 0);
    network.sites.get_mut(&member(1, 'a')).unwrap().full = false;
    network.run(Span::minutes(10));
    assert_eq!(network.copies(client, &account), 1);
}

/// CU-007: a peer that falls silent after COMMIT is given up after five minutes, and asked.
#[test]
fn a_silent_peer_is_given_up_in_bounded_time() {
    let mut network = network(&[]);
    network.traps.push(Trap::Swallow(|pdu| matches!(pdu, Pdu::HandedOver { .. })));
    let account = user(&member(2, 'b'));
    let client = network.mail(&member(1, 'b'), SENDER, core::slice::from_ref(&account));
    network.run(Span::minutes(4));
    assert_eq!(network.sites[&member(1, 'b')].durable.spool.queue.len(), 1, "still waiting");
    network.run(Span::minutes(4));
    assert_eq!(network.copies(client, &account), 1);
    assert_eq!(network.sites[&member(1, 'b')].durable.spool.queue.len(), 0, "resolved");
}

/// SU-004: a refusal of COMMIT settles nothing.
#[test]
fn a_refused_commit_is_resolved() {
    let offers = |faults: &[&str]| {
        let mut network = network(faults);
        let later = Refusal::new(451, "4.3.0", "later");
        network.traps.push(Trap::Refuse(|pdu| matches!(pdu, Pdu::HandedOver { .. }), later));
        network.mail(&member(1, 'b'), SENDER, &[user(&member(2, 'b'))]);
        network.run(Span::minutes(30));
        let offer = |pdu: &Pdu| matches!(pdu, Pdu::Offer { .. });
        network.heard.iter().filter(|(_, at, pdu)| *at == member(1, 'a') && offer(pdu)).count()
    };
    assert_eq!(offers(&[]), 1);
    assert_eq!(offers(&["commit-refused-means-refused"]), 2, "the planted bug offers it again");
}

/// CU-022: while in doubt over a connector that goes down, a message stays where it is.
#[test]
fn a_message_in_doubt_is_not_rerouted_when_its_connector_goes_down() {
    let offers = |faults: &[&str]| {
        let mut ring = organization(3);
        let (mut there, mut back) = (ring.connectors[0].clone(), ring.connectors[1].clone());
        (there.name, there.to) = ("g1-g3".into(), "g3".into());
        (there.targets, there.cost) = (vec![member(3, 'a')], 30);
        (back.name, back.from) = ("g3-g1".into(), "g3".into());
        (back.sources, back.cost) = (vec![member(3, 'a')], 30);
        ring.connectors.extend([there, back]);
        assert_eq!(ring.check(), []);
        let mut network = network_of(ring, Policy::default(), faults);
        network.traps.push(Trap::Cut(|pdu| matches!(pdu, Pdu::HandedOver { .. })));
        network.mail(&member(1, 'a'), SENDER, &[user(&member(2, 'a'))]);
        while !network.traps.is_empty() {
            network.run(Span(100));
        }
        network.cuts.push((member(1, 'a'), member(2, 'a')));
        network.mail(&member(1, 'a'), SENDER, &[user(&member(2, 'a'))]);
        network.run(Span::minutes(20));
        let offer = |pdu: &Pdu| matches!(pdu, Pdu::Offer { .. });
        network.heard.iter().filter(|(_, at, pdu)| *at == member(3, 'a') && offer(pdu)).count()
    };
    assert_eq!(offers(&[]), 1, "the second message alone goes round");
    assert_eq!(offers(&["reroute-while-in-doubt"]), 2, "the planted bug sends both");
}

/// DE-040, CU-005: the account in doubt came here, with a journal that knows the delivery. The boot ends the
/// message before it sets the queue going, and must not set going what it has ended.
#[test]
fn a_boot_sets_nothing_going_that_it_has_ended() {
    let mut network = network(&[]);
    let (here, host) = (member(1, 'a'), member(1, 'b'));
    network.cuts.push((here.clone(), host.clone()));
    network.mail(&here, SENDER, &[user(&host)]);
    network.run(Span::seconds(10));
    network.crash(&here);
    let site = network.sites.get_mut(&here).expect("it is there");
    let spool = &site.durable.spool;
    let (queue, message) = spool.queue.iter().next().expect("it waits for its host");
    let (queue, origin) = (*queue, message.envelope.origin.clone());
    let (account, epoch) = (user(&host), Epoch(2));
    let recorded = Recorded::Delivered {
        digest: message.body.digest,
        account: account.clone(),
        name: "1".into(),
        published: true,
        folder: None,
    };
    let journal = AccountJournal { rows: vec![(origin, 0, recorded)], ..Default::default() };
    let (recipients, epochs) = (vec![0], Default::default());
    let delivering = Change::Delivering { queue, host: host.clone(), recipients, epochs };
    let opened = Change::Opened { account, epoch, journal };
    for change in [delivering, opened] {
        Member::apply(&mut site.durable, &change);
    }
    let accounts = &mut std::sync::Arc::make_mut(&mut site.config.organization).accounts;
    let moved = accounts
        .iter_mut()
        .find(|account| Some(&host) == account.host.as_ref())
        .expect("an account");
    (moved.host, moved.epoch) = (Some(here.clone()), epoch);
    network.boot(&here);
    network.run(Span::seconds(1));
    let queue = &network.sites[&here].durable.spool.queue;
    assert!(queue.is_empty(), "the journal has the last word: {queue:?}");
}
