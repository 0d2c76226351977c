//! RELEASE, and what becomes of mail when a disk is lost or rolled back.

use crate::network::{Network, Trap, member, organization, user};
use bridgehead::kernel::{Input, Span};
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::member::{Command, Durable, Event, Pdu, Policy, Suspects, Timer};
use bridgehead::protocol::operator::Order;
use bridgehead::wire::ids::{ConnectionId, MemberName};
use bridgehead::wire::message::Address;

const SENDER: Option<&str> = Some("user-g1-a@example.org");

fn network() -> Network {
    network_with(Policy::default(), &[])
}

fn network_with(policy: Policy, faults: &[&str]) -> Network {
    let faults = Faults::named(faults.iter().copied()).unwrap();
    let mut network = Network::new(organization(2), policy, &faults, 1);
    network.run(Span::seconds(10));
    network
}

/// From `g1-b` by `g1-a` over the connector to `g2-a`, and on to `g2-b`.
fn send_across(network: &mut Network) -> (u64, Address) {
    let account = user(&member(2, 'b'));
    (network.mail(&member(1, 'b'), SENDER, core::slice::from_ref(&account)), account)
}

fn told(network: &Network, test: fn(&Event) -> bool) -> usize {
    network.events.iter().filter(|(_, _, event)| test(event)).count()
}

fn durable<'n>(network: &'n Network, name: &MemberName) -> &'n Durable {
    &network.sites[name].durable
}

/// SU-031, SU-032, SU-033: the next connection says what is over, and the receiver forgets it.
#[test]
fn what_is_over_is_forgotten() {
    let mut network = network();
    for _ in 0..5 {
        send_across(&mut network);
        network.run(Span::minutes(1));
    }
    let receiver = durable(&network, &member(1, 'a'));
    let sender = &receiver.spool.senders[&member(1, 'b')];
    assert!(sender.upto >= 4, "{sender:?}");
    assert!(sender.except.is_empty(), "{sender:?}");
    assert!(receiver.spool.accepted.len() <= 1, "{:?}", receiver.spool.accepted);
}

/// SU-031: a transfer in doubt is an exception; the rest is over.
#[test]
fn what_is_in_doubt_is_not_over() {
    let mut network = network();
    send_across(&mut network);
    network.run(Span::minutes(1));
    network.traps.push(Trap::Cut(|pdu| matches!(pdu, Pdu::HandedOver { .. })));
    network.traps.push(Trap::Cut(|pdu| matches!(pdu, Pdu::Resolve { .. })));
    let (client, account) = send_across(&mut network);
    network.run(Span::minutes(10));
    let named = |pdu: &Pdu| matches!(pdu, Pdu::Release(release) if !release.except.is_empty());
    assert!(network.heard.iter().any(|(_, _, pdu)| named(pdu)), "RELEASE came while in doubt");
    assert_eq!(network.copies(client, &account), 1);
    assert_eq!(told(&network, |event| matches!(event, Event::Suspected { .. })), 0);
}

/// SU-080: the time to ask comes round while the connection waits for something else. If that connection is lost,
/// nothing but the time brings the sender to ask again: a link that works again has no mail to carry.
#[test]
fn what_is_in_doubt_is_asked_about_until_it_is_settled() {
    let mut network = network();
    let account = user(&member(2, 'a'));
    // A hand-over that is over, so that the next connection begins with RELEASE.
    network.mail(&member(1, 'a'), SENDER, core::slice::from_ref(&account));
    network.run(Span::minutes(1));
    network.traps.push(Trap::Swallow(|pdu| matches!(pdu, Pdu::HandedOver { .. })));
    let client = network.mail(&member(1, 'a'), SENDER, core::slice::from_ref(&account));
    until_sprung(&mut network);
    network.traps.push(Trap::Swallow(|pdu| matches!(pdu, Pdu::Released)));
    network.run(Span::minutes(7));
    assert!(
        network.traps.is_empty(),
        "the member waited in vain, and waits on the next connection"
    );
    let timers = &network.sites[&member(1, 'a')].timers;
    let again = Timer::Doubt(member(2, 'a'));
    assert!(timers.contains_key(&again), "the time to ask came round in vain, and will come again");
    network.run(Span::minutes(20));
    assert_eq!(network.copies(client, &account), 1);
    let waiting = network.sites.values().filter(|site| !site.durable.spool.queue.is_empty());
    assert_eq!(waiting.count(), 0, "nothing is in doubt for ever");
    assert!(!network.sites[&member(1, 'a')].timers.contains_key(&again), "nothing is left to ask");
}

/// SU-031: without the exceptions a transfer in doubt would be taken for over, and its mail for suspect.
#[test]
fn a_release_without_exceptions_is_noticed() {
    let mut network = network_with(Policy::default(), &["release-without-exceptions"]);
    send_across(&mut network);
    network.run(Span::minutes(1));
    network.traps.push(Trap::Cut(|pdu| matches!(pdu, Pdu::HandedOver { .. })));
    network.traps.push(Trap::Cut(|pdu| matches!(pdu, Pdu::Resolve { .. })));
    send_across(&mut network);
    network.run(Span::minutes(10));
    assert!(told(&network, |event| matches!(event, Event::Suspected { .. })) > 0);
}

/// SU-032: a boot says it again, and closes the boot before it.
#[test]
fn a_boot_closes_the_one_before() {
    let mut network = network();
    send_across(&mut network);
    network.run(Span::minutes(1));
    let before = durable(&network, &member(1, 'b')).incarnation;
    network.crash(&member(1, 'b'));
    network.boot(&member(1, 'b'));
    network.run(Span::minutes(1));
    send_across(&mut network);
    network.run(Span::minutes(1));
    let sender = &durable(&network, &member(1, 'a')).spool.senders[&member(1, 'b')];
    assert_eq!(sender.boot, 2);
    let old = |id: &&bridgehead::wire::ids::TransferId| id.incarnation == before;
    assert_eq!(durable(&network, &member(1, 'a')).spool.accepted.keys().filter(old).count(), 0);
}

/// Runs to the moment at which the trap springs, and no further.
fn until_sprung(network: &mut Network) {
    for _ in 0..5_000 {
        if network.traps.is_empty() {
            return;
        }
        network.run(Span::milliseconds(1));
    }
    panic!("the trap did not spring");
}

fn lose_disk(network: &mut Network, name: &MemberName) {
    network.crash(name);
    let site = network.sites.get_mut(name).unwrap();
    site.durable = Durable::default();
    network.boot(name);
}

/// Leaves `g1-b` in doubt with `g1-a`, whose disk is then lost.
fn lose_the_custodian(network: &mut Network) -> (u64, Address) {
    network.traps.push(Trap::Cut(|pdu| matches!(pdu, Pdu::HandedOver { .. })));
    let sent = send_across(network);
    until_sprung(network);
    lose_disk(network, &member(1, 'a'));
    sent
}

/// SU-040, SU-041: the disk that may have accepted is gone: sent again, marked on every hop.
#[test]
fn mail_that_was_in_doubt_with_a_lost_disk_is_sent_again_and_marked() {
    let mut network = network();
    let (client, account) = lose_the_custodian(&mut network);
    network.run(Span::minutes(30));
    assert!(network.copies(client, &account) >= 1, "C1 comes before C2");
    assert!(told(&network, |event| matches!(event, Event::Suspected { .. })) >= 1);
    let marked = |pdu: &Pdu| match pdu {
        Pdu::Deliver(parcel) => parcel.envelope.recipients.iter().all(|r| r.suspect),
        _ => false,
    };
    assert!(network.heard.iter().any(|(_, _, pdu)| marked(pdu)), "the mark travels");
}

/// SU-040: the operator may choose to hold instead.
#[test]
fn suspects_are_held_where_the_policy_says_so() {
    let policy = Policy { suspects: Suspects::Hold, ..Policy::default() };
    let mut network = network_with(policy, &[]);
    lose_the_custodian(&mut network);
    network.run(Span::minutes(30));
    let queue = &durable(&network, &member(1, 'b')).spool.queue;
    let message = queue.values().next().expect("it is held where the doubt was");
    assert!(message.held.is_some());
    assert!(message.envelope.recipients.iter().all(|recipient| recipient.suspect));
}

/// SU-042, SU-043, SU-008: a member whose disk is rolled back is told so, takes another store id, and
/// marks its queue; what it had passed on is not stored twice.
#[test]
fn a_rolled_back_disk_is_noticed_and_its_mail_is_marked() {
    let mut network = network();
    send_across(&mut network);
    network.run(Span::minutes(1));
    let (client, account) = {
        network.traps.push(Trap::Cut(|pdu| matches!(pdu, Pdu::Commit { .. })));
        send_across(&mut network)
    };
    network.run(Span::milliseconds(200));
    let image = durable(&network, &member(1, 'b')).clone();
    network.run(Span::minutes(10));
    assert_eq!(network.copies(client, &account), 1);
    // Two boots and some mail later the disk is set back to the image.
    for _ in 0..2 {
        network.crash(&member(1, 'b'));
        network.boot(&member(1, 'b'));
        send_across(&mut network);
        network.run(Span::minutes(1));
    }
    network.crash(&member(1, 'b'));
    network.sites.get_mut(&member(1, 'b')).unwrap().durable = image.clone();
    network.boot(&member(1, 'b'));
    send_across(&mut network);
    network.run(Span::minutes(30));
    assert!(told(&network, |event| matches!(event, Event::RolledBack { .. })) >= 1);
    assert!(told(&network, |event| matches!(event, Event::DiskBehind { .. })) >= 1);
    assert_ne!(durable(&network, &member(1, 'b')).store, image.store);
    assert!(durable(&network, &member(1, 'b')).spool.queue.is_empty(), "nothing is stuck");
    assert_eq!(network.copies(client, &account), 1, "the journal of the account is the last word");
}

/// SU-044: what is in doubt with a member that is forgotten is free, and marked.
#[test]
fn a_member_that_is_forgotten_frees_its_doubts() {
    let mut network = network();
    network.traps.push(Trap::Cut(|pdu| matches!(pdu, Pdu::HandedOver { .. })));
    send_across(&mut network);
    until_sprung(&mut network);
    network.crash(&member(1, 'a'));
    network.run(Span::minutes(5));
    let in_doubt = |network: &Network| {
        let queue = &durable(network, &member(1, 'b')).spool.queue;
        queue.values().map(|message| message.doubts().len()).sum::<usize>()
    };
    assert_eq!(in_doubt(&network), 1);
    let order = Order::Forget { member: member(1, 'a') };
    let from = ConnectionId(1_000_003);
    network.step(&member(1, 'b'), Input::Command(Command::Order { from, order }));
    network.run(Span::minutes(1));
    assert_eq!(in_doubt(&network), 0);
    assert_eq!(told(&network, |event| matches!(event, Event::Forgotten { .. })), 1);
    let queue = &durable(&network, &member(1, 'b')).spool.queue;
    assert!(queue.values().all(|message| message.envelope.recipients.iter().all(|r| r.suspect)));
}
