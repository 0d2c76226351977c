//! Accounts that the master leases: mail finds whoever has the account, wherever it comes in and whatever dies.

use bridgehead::kernel::{Input, Span};
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::member::{Command, OwnerSource, Pdu, Policy, Port};
use bridgehead::protocol::operator::{Action, Order, Selection};
use bridgehead::protocol::organization::{BackEnd, ElectionSettings, LeaseSettings, Organization};
use bridgehead::wire::ids::{ConnectionId, Epoch, GroupName, Incarnation, MemberName, OriginId};
use bridgehead::wire::message::Address;

use super::network::{Network, Trap, member, organization};

pub(super) const LEASE_S: u32 = 10;

pub(super) fn ann() -> Address {
    Address::from("ann@example.org")
}

/// Two groups of two; the first elects its master, with a witness in the second, and leases `ann`.
pub(super) fn leasing() -> Organization {
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
    group.accounts = Some(LeaseSettings { account_lease_s: LEASE_S, store: None });
    let mut account = organization.accounts[0].clone();
    (account.address, account.host, account.group) = (ann(), None, Some(GroupName::from("g1")));
    organization.accounts.push(account);
    assert_eq!(organization.check(), []);
    organization
}

pub(super) fn running(seed: u64, faults: &[&str]) -> Network {
    let faults = Faults::named(faults.iter().copied()).expect("tests have planted faults");
    let mut network = Network::new(leasing(), Policy::default(), &faults, seed);
    network.run(Span::seconds(60));
    network
}

/// The only one that says that it has the account.
fn owner(network: &Network) -> Option<&MemberName> {
    let owners = owners(network);
    assert!(owners.len() < 2, "{owners:?}");
    let owner = owners.into_iter().next()?;
    network.sites.keys().find(|name| **name == owner)
}

/// Who has the account by what each member of the group itself says.
pub(super) fn owners(network: &Network) -> Vec<MemberName> {
    let sites = network.sites.iter().filter_map(|(name, site)| {
        let report = site.node.as_ref()?.machine().owner_report(&ann());
        (report.by == OwnerSource::Lease && report.opening.is_some()).then(|| name.clone())
    });
    sites.collect()
}

pub(super) fn opening(network: &Network, name: &MemberName) -> Option<Epoch> {
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
    assert_eq!(owner(&network), Some(&b));
    assert_eq!(opening(&network, &b), Some(Epoch(1)));
    let (second, third) = (
        network.mail(&a, Some("x@example.org"), &[ann()]),
        network.mail(&member(2, 'b'), Some("x@example.org"), &[ann()]),
    );
    network.run(Span::minutes(2));
    assert_eq!(owner(&network), Some(&b));
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
        assert_eq!(owner(&network), Some(&b));
        // The answer is lost with the member that has delivered.
        let is_result = |pdu: &Pdu| matches!(pdu, Pdu::Result { .. });
        network.traps.push(Trap::Cut(is_result));
        let second = network.mail(&a, Some("x@example.org"), &[ann()]);
        network.run(Span::seconds(2));
        network.crash(&b);
        network.run(Span::minutes(3));
        let third = network.mail(&a, Some("x@example.org"), &[ann()]);
        network.run(Span::minutes(20));
        assert_eq!(owner(&network), Some(&a));
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
    assert_eq!(owner(&network), Some(&a));
    assert_eq!(opening(&network, &a), Some(Epoch(2)));
    // Its own mail goes to whoever has the account.
    let third = network.mail(&b, Some("x@example.org"), &[ann()]);
    network.run(Span::seconds(40));
    assert_eq!(owner(&network), Some(&a));
    for client in [first, second, third] {
        assert_eq!(network.copies(client, &ann()), 1, "{client}");
    }
}

/// DE-100, MA-061: a member that is cut off has the account no longer than its lease, and another one delivers.
#[test]
fn who_is_cut_off_loses_the_account() {
    let mut network = running(4, &[]);
    let (a, b) = (member(1, 'a'), member(1, 'b'));
    network.mail(&b, Some("x@example.org"), &[ann()]);
    network.run(Span::seconds(30));
    for other in [&a, &member(2, 'a'), &member(2, 'b')] {
        network.cuts.push((b.clone(), other.clone()));
        network.cuts.push((other.clone(), b.clone()));
    }
    for pick in 0..64 {
        network.break_some(pick);
    }
    network.run(Span::seconds(u64::from(LEASE_S) + 1));
    assert_eq!(owner(&network), None, "its lease is over");
    let mail = network.mail(&a, Some("x@example.org"), &[ann()]);
    network.run(Span::minutes(5));
    assert_eq!(owner(&network), Some(&a));
    assert_eq!(network.copies(mail, &ann()), 1);
}

/// MA-102, DE-102: what a file may not say of leases.
#[test]
fn settings_that_lease_nothing_are_refused() {
    let wrong = |change: &dyn Fn(&mut Organization), place: &str| {
        let mut organization = leasing();
        change(&mut organization);
        let errors = organization.check();
        assert!(errors.iter().any(|error| error.place == place), "{place}: {errors:?}");
    };
    let last = |organization: &Organization| organization.accounts.len() - 1;
    let account = last(&leasing());
    let lease = |seconds| {
        move |organization: &mut Organization| {
            organization.groups[0].accounts =
                Some(LeaseSettings { account_lease_s: seconds, store: None });
        }
    };
    wrong(&lease(0), "group[0].accounts.account_lease_s");
    wrong(&lease(301), "group[0].accounts.account_lease_s");
    let named = |o: &mut Organization| {
        o.groups[1].accounts = Some(LeaseSettings { account_lease_s: 30, store: None });
    };
    wrong(&named, "group[1].accounts");
    let field = |name: &str| format!("account[{account}].{name}");
    wrong(&|o| o.groups[0].accounts = None, &field("group"));
    wrong(&|o| o.accounts[account].group = Some(GroupName::from("g9")), &field("group"));
    wrong(&|o| o.accounts[account].host = Some(member(1, 'a')), &field("group"));
    wrong(&|o| o.accounts[account].group = None, &field("host"));
    wrong(&|o| o.accounts[account].epoch = Epoch(2), &field("epoch"));
}

/// DE-107: each opening of an account has names of its own for its files. DE-105: the epochs of DELIVER are openings.
#[test]
fn files_are_named_by_the_opening() {
    let mut network = running(5, &[]);
    let (a, b) = (member(1, 'a'), member(1, 'b'));
    network.mail(&b, Some("x@example.org"), &[ann()]);
    network.run(Span::seconds(30));
    network.order(&b, Order::Drain { on: true });
    network.mail(&a, Some("x@example.org"), &[ann()]);
    network.run(Span::minutes(1));
    let delivered = network.mail(&b, Some("x@example.org"), &[ann()]);
    network.run(Span::minutes(30));
    assert_eq!(network.copies(delivered, &ann()), 1);
    let names: Vec<&String> = network.shared_new.keys().map(|(_, name)| name).collect();
    let of = |opening: &str| names.iter().filter(|name| name.contains(opening)).count();
    assert_eq!((of("_0_1."), of("_0_2.")), (1, 2), "{names:?}");
    let meant = network.heard.iter().filter_map(|(_, to, pdu)| match pdu {
        Pdu::Deliver(parcel) if *to == a => parcel.epochs.get(&0).copied(),
        _ => None,
    });
    assert_eq!(meant.max(), Some(Epoch(2)), "MOVED has told the number");
}

/// DE-104: a member that has not the account does not say that nothing is recorded; it asks, and says what it learns.
/// MA-104: nobody asks a master that has not said that it leases accounts.
#[test]
fn planted_bugs_of_tenants_are_noticed() {
    let drained = |faults: &[&str]| {
        let mut network = running(6, faults);
        let b = member(1, 'b');
        network.mail(&b, Some("x@example.org"), &[ann()]);
        network.run(Span::seconds(30));
        network.order(&b, Order::Drain { on: true });
        network.run(Span::minutes(1));
        owners(&network)
    };
    // The answer waits until it is known who has the account.
    let asked = |faults: &[&str]| {
        let mut network = running(7, faults);
        let (a, b, wire) = (member(1, 'a'), member(1, 'b'), ConnectionId(999_999));
        let command = Command::Inbound { connection: wire, member: b, port: Port::Deliver };
        network.step(&a, Input::Command(command));
        let origin = OriginId { member: a.clone(), incarnation: Incarnation(4), sequence: 1 };
        let recipients = vec![(0, ann(), Epoch::FIRST)];
        let inquire = Pdu::Inquire { origin, recipients, arrived: None };
        network.step(&a, Input::Pdu { from: wire, pdu: inquire });
        let at_once = network.replies.contains_key(&wire.0);
        network.run(Span::seconds(20));
        let said = network.replies.remove(&wire.0);
        assert!(matches!(said, Some(Pdu::NoResult { .. })), "{said:?}");
        at_once
    };
    assert!(!asked(&[]), "it claims first");
    assert!(asked(&["unknown-of-any-account"]));
    assert_eq!(drained(&[]), []);
    assert_eq!(drained(&["drains-and-keeps"]), [member(1, 'b')]);
}

/// DE-108: a store that does not answer may have recorded the delivery. An operator returns nothing of that, and the
/// mail is there once when its custodian has died and another member has the account.
#[test]
fn what_the_store_has_not_answered_is_not_returned() {
    for (faults, returned) in [(&[][..], 0), (&["no-record-is-a-refusal"], 1)] {
        let mut network = running(5, faults);
        let (a, b) = (member(1, 'a'), member(1, 'b'));
        network.mail(&b, Some("x@example.org"), &[ann()]);
        network.run(Span::seconds(30));
        network.shared_is_unheard = true;
        let mail = network.mail(&b, Some("x@example.org"), &[ann()]);
        network.run(Span::seconds(5));
        let queue = &network.sites[&b].node.as_ref().unwrap().machine().spool().queue;
        let ids: Vec<String> = queue.keys().map(ToString::to_string).collect();
        assert_eq!(ids.len(), 1, "{faults:?}");
        let which = Selection { ids, ..Selection::default() };
        network.order(&b, Order::Queue { action: Action::Bounce { text: None }, which });
        network.run(Span::seconds(5));
        network.crash(&b);
        network.shared_is_unheard = false;
        network.run(Span::minutes(3));
        network.mail(&a, Some("x@example.org"), &[ann()]);
        network.run(Span::minutes(20));
        assert_eq!(owner(&network), Some(&a), "{faults:?}");
        assert_eq!(network.copies(mail, &ann()), 1, "{faults:?}");
        assert_eq!(network.notices.len(), returned, "{faults:?}");
    }
}
