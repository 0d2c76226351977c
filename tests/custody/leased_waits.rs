//! Mail for leased accounts that has failed with their owner: it waits for no schedule of retries when there is another
//! owner, or when the one that there is takes mail again (MA-103).

use bridgehead::kernel::Span;
use bridgehead::protocol::master::accounts::HolderEvent;
use bridgehead::protocol::member::Event;
use bridgehead::protocol::operator::Order;
use bridgehead::wire::ids::MemberName;

use super::leased::{LEASE_S, ann, owners, running};
use super::network::{Network, member};

/// Less than the first wait of the schedule, which is ten minutes.
const SOON: Span = Span::minutes(1);

/// A group in which `b` has the account, and what it was given it for.
fn owned_by_b(seed: u64) -> (Network, MemberName, MemberName, Vec<u64>) {
    let mut network = running(seed, &[]);
    let (a, b) = (member(1, 'a'), member(1, 'b'));
    let first = network.mail(&b, Some("x@example.org"), &[ann()]);
    network.run(Span::seconds(30));
    let learns = network.mail(&a, Some("x@example.org"), &[ann()]);
    network.run(Span::seconds(30));
    assert_eq!(owners(&network), vec![b.clone()]);
    (network, a, b, vec![first, learns])
}

fn send(network: &mut Network, at: &MemberName, count: usize) -> Vec<u64> {
    (0..count).map(|_| network.mail(at, Some("x@example.org"), &[ann()])).collect()
}

fn assert_delivered(network: &Network, mails: &[u64], what: &str) {
    for mail in mails {
        assert_eq!(network.copies(*mail, &ann()), 1, "{what}, {mail}");
    }
}

/// MA-103: what has failed with an owner that is dead goes to the next one as soon as there is one.
#[test]
fn mail_that_has_failed_with_a_dead_owner_goes_to_the_next() {
    for seed in 1..=4 {
        let (mut network, a, b, mut mails) = owned_by_b(seed);
        network.crash(&b);
        mails.extend(send(&mut network, &a, 3));
        network.run(Span::seconds(u64::from(LEASE_S) / 2));
        mails.extend(send(&mut network, &a, 3));
        network.run(SOON);
        assert_eq!(owners(&network), [a]);
        assert_delivered(&network, &mails, &format!("seed {seed}"));
    }
}

/// MA-103: what has failed for the store of its owner goes when one message that is tried has gone.
#[test]
fn mail_goes_on_when_the_owner_takes_mail_again() {
    let (mut network, a, b, mut mails) = owned_by_b(5);
    network.sites.get_mut(&b).expect("it is there").full = true;
    mails.extend(send(&mut network, &a, 3));
    network.run(Span::seconds(30));
    network.sites.get_mut(&b).expect("it is there").full = false;
    network.run(SOON);
    assert_delivered(&network, &mails, "of another member");
    network.run(SOON);
    let own = network.mail(&b, Some("x@example.org"), &[ann()]);
    network.run(Span::seconds(1));
    assert_delivered(&network, &[own], "of the owner");
}

/// MA-103, MA-067: the mail of who drains, and what was under way to it, goes to whoever has the account next.
#[test]
fn mail_of_who_drains_does_not_wait() {
    for seed in 1..=4 {
        let (mut network, a, b, mut mails) = owned_by_b(seed);
        mails.extend(send(&mut network, &a, 3));
        mails.extend(send(&mut network, &b, 3));
        network.order(&b, Order::Drain { on: true });
        mails.extend(send(&mut network, &b, 3));
        mails.extend(send(&mut network, &a, 3));
        network.run(SOON);
        assert_delivered(&network, &mails, &format!("seed {seed}"));
    }
}

/// MA-103: the mail of who drains is delivered also where nobody else wants the account, and is the last of it.
#[test]
fn who_drains_delivers_what_it_has() {
    let (mut network, _, b, _) = owned_by_b(7);
    network.order(&b, Order::Drain { on: true });
    network.run(Span::seconds(1));
    assert_eq!(owners(&network), []);
    let mails = send(&mut network, &b, 3);
    network.run(SOON);
    assert_delivered(&network, &mails, "by who drains");
    assert_eq!(owners(&network), [], "it gives back again");
}

/// MA-103: whoever cannot open an account lets others have it first.
#[test]
fn an_account_that_cannot_be_opened_is_not_claimed_again_at_once() {
    let mut network = running(6, &[]);
    let both = [member(1, 'a'), member(1, 'b')];
    let claims = |network: &Network| {
        let is_claim = |event: &Event| matches!(event, Event::Tenancy(HolderEvent::Opened { .. }));
        network.events.iter().filter(|(_, by, event)| *by == both[1] && is_claim(event)).count()
    };
    let fill = |network: &mut Network, is_full: bool| {
        both.iter()
            .for_each(|name| network.sites.get_mut(name).expect("it is there").full = is_full);
    };
    let mails = send(&mut network, &both[1], 2);
    fill(&mut network, true);
    for _ in 0..30 {
        network.run(Span::seconds(1));
        send(&mut network, &both[1], 1);
    }
    let count = claims(&network);
    assert!((2..=4).contains(&count), "it claims each ten seconds: {count}");
    fill(&mut network, false);
    network.run(SOON);
    assert_delivered(&network, &mails, "when it can");
}
