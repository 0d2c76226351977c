//! Accounts that the master leases: mail finds whoever has the account, wherever it comes in and whatever dies.

use bridgehead::kernel::Span;
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::master::accounts::HolderEvent;
use bridgehead::protocol::member::{Event, OwnerSource, Pdu, Policy};
use bridgehead::protocol::operator::Order;
use bridgehead::protocol::organization::{BackEnd, ElectionSettings, LeaseSettings, Organization};
use bridgehead::wire::ids::{Epoch, GroupName, MemberName};
use bridgehead::wire::message::Address;

use super::network::{Network, Trap, member, organization};

const LEASE_S: u32 = 10;

fn ann() -> Address {
    Address::from("ann@example.org")
}

/// Two groups of two; the first elects its master, with a witness in the second, and leases `ann`.
fn leasing() -> Organization {
    let mut organization = organization(2);
    let group = &mut organization.groups[0];
    group.master = None;
    group.election = Some(ElectionSettings {
        voters: group.members.clone(),
        back_end: BackEnd::Embedded,
        witness: Some(member(2, 'a')),
        lease_s: 5,
        clock_drift_ppm: 50_000,
    });
    group.accounts = Some(LeaseSettings { account_lease_s: LEASE_S });
    let mut account = organization.accounts[0].clone();
    (account.address, account.host, account.group) = (ann(), None, Some(GroupName::from("g1")));
    organization.accounts.push(account);
    assert_eq!(organization.check(), []);
    organization
}

fn running(seed: u64, faults: &[&str]) -> Network {
    let faults = Faults::named(faults.iter().copied()).expect("tests have planted faults");
    let mut network = Network::new(leasing(), Policy::default(), &faults, seed);
    network.run(Span::seconds(60));
    network
}

/// Who has the account by what each member of the group itself says.
fn owners(network: &Network) -> Vec<MemberName> {
    let sites = network.sites.iter().filter_map(|(name, site)| {
        let report = site.node.as_ref()?.machine().owner_report(&ann());
        (report.by == OwnerSource::Lease && report.opening.is_some()).then(|| name.clone())
    });
    sites.collect()
}

fn opening(network: &Network, name: &MemberName) -> Option<Epoch> {
    let node = network.sites[name].node.as_ref()?;
    node.machine().owner_report(&ann()).opening
}

/// MA-103, DE-103: whoever has mail for an account that nobody has claims it; the mail of all others goes there.
#[test]
fn the_first_that_has_mail_has_the_account() {
    let mut network = running(1, &[]);
    let (a, b) = (member(1, 'a'), member(1, 'b'));
    let first = network.mail(&b, Some("x@example.org"), &[ann()]);
    network.run(Span::seconds(30));
    assert_eq!(owners(&network), [b.clone()]);
    assert_eq!(opening(&network, &b), Some(Epoch(1)));
    let (second, third) = (
        network.mail(&a, Some("x@example.org"), &[ann()]),
        network.mail(&member(2, 'b'), Some("x@example.org"), &[ann()]),
    );
    network.run(Span::minutes(2));
    assert_eq!(owners(&network), [b]);
    for client in [first, second, third] {
        assert_eq!(network.copies(client, &ann()), 1, "{client}");
    }
    assert!(network.sites.values().all(|site| site.new.is_empty()), "they lie in the shared store");
}

/// MA-063, DE-106: the account of a member that dies goes to another one, and what is in doubt with the dead one is
/// settled by the journal of the store.
#[test]
fn the_account_of_a_dead_member_is_leased_anew() {
    for seed in 1..=8 {
        let mut network = running(seed, &[]);
        let (a, b) = (member(1, 'a'), member(1, 'b'));
        let first = network.mail(&b, Some("x@example.org"), &[ann()]);
        network.run(Span::seconds(30));
        assert_eq!(owners(&network), [b.clone()], "seed {seed}");
        // The answer is lost with the member that has delivered.
        let is_result = |pdu: &Pdu| matches!(pdu, Pdu::Result { .. });
        network.traps.push(Trap::Cut(is_result));
        let second = network.mail(&a, Some("x@example.org"), &[ann()]);
        network.run(Span::seconds(2));
        network.crash(&b);
        network.run(Span::minutes(3));
        let third = network.mail(&a, Some("x@example.org"), &[ann()]);
        network.run(Span::minutes(20));
        assert_eq!(owners(&network), [a.clone()], "seed {seed}");
        assert_eq!(opening(&network, &a), Some(Epoch(2)), "seed {seed}");
        for client in [first, second, third] {
            assert_eq!(network.copies(client, &ann()), 1, "seed {seed}, client {client}");
        }
        let queue = &network.sites[&a].node.as_ref().unwrap().machine().spool().queue;
        assert!(queue.is_empty(), "seed {seed}: {queue:?}");
    }
}

/// MA-067, MA-103: who drains gives back what it has; the next one has it at once, and knows the journal.
#[test]
fn who_drains_gives_back() {
    let mut network = running(3, &[]);
    let (a, b) = (member(1, 'a'), member(1, 'b'));
    let first = network.mail(&b, Some("x@example.org"), &[ann()]);
    network.run(Span::seconds(30));
    network.order(&b, Order::Drain { on: true });
    network.run(Span::seconds(1));
    assert_eq!(owners(&network), []);
    let second = network.mail(&a, Some("x@example.org"), &[ann()]);
    network.run(Span::seconds(40));
    assert_eq!(owners(&network), [a.clone()]);
    assert_eq!(opening(&network, &a), Some(Epoch(2)));
    // Its own mail goes to whoever has the account.
    let third = network.mail(&b, Some("x@example.org"), &[ann()]);
    network.run(Span::minutes(40));
    assert_eq!(owners(&network), [a]);
    for client in [first, second, third] {
        assert_eq!(network.copies(client, &ann()), 1, "{client}");
    }
}

/// DE-100, MA-061: a member that is cut off has the account no longer than its lease, and another one delivers.
#[test]
fn who_is_cut_off_loses_the_account() {
    let mut network = running(4, &[]);
    let (a, b) = (member(1, 'a'), member(1, 'b'));
    let owner = b.clone();
    network.mail(&owner, Some("x@example.org"), &[ann()]);
    network.run(Span::seconds(30));
    for other in [&a, &member(2, 'a'), &member(2, 'b')] {
        network.cuts.push((owner.clone(), other.clone()));
        network.cuts.push((other.clone(), owner.clone()));
    }
    for pick in 0..64 {
        network.break_some(pick);
    }
    network.run(Span::seconds(u64::from(LEASE_S) + 1));
    let is_closed = |event: &Event| matches!(event, Event::Tenancy(HolderEvent::Closed { .. }));
    let closed = network.events.iter().any(|(_, at, event)| *at == owner && is_closed(event));
    assert!(closed || owners(&network) != [owner.clone()] || is_master(&network, &owner));
    let mail = network.mail(&a, Some("x@example.org"), &[ann()]);
    network.run(Span::minutes(5));
    assert_eq!(owners(&network), [a]);
    assert_eq!(network.copies(mail, &ann()), 1);
}

fn is_master(network: &Network, name: &MemberName) -> bool {
    let node = network.sites[name].node.as_ref();
    node.is_some_and(|node| node.machine().link().leads().is_some())
}
