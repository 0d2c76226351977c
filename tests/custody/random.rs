//! A random session loses no accepted mail, stores none twice and confirms each success once: random
//! mail, random breaks, crashes that lose unsynced writes, an operator who holds, releases and retries,
//! then peace.

use core::num::NonZeroU32;
use std::collections::BTreeMap;

use crate::network::{Network, member, organization, user};
use bridgehead::kernel::{Choose as _, Seeded, Span};
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::member::{Pdu, Policy};
use bridgehead::protocol::operator::{Action, Order, Selection};
use bridgehead::protocol::queue::Recorded;
use bridgehead::wire::ids::{MemberName, OriginId};
use bridgehead::wire::message::{Address, Notify};
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence};

/// One thing that happens.
#[derive(Clone, Debug)]
enum Deed {
    Mail { at: usize, to: usize, success: bool },
    Order { at: usize, action: usize },
    Break(usize),
    Crash(usize),
    Boot(usize),
    Wait(u64),
}

const MEMBERS: usize = 4;
const SENDER: Option<&str> = Some("user-g1-a@example.org");

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        3 => (0..MEMBERS, 0..MEMBERS, any::<bool>())
            .prop_map(|(at, to, success)| Deed::Mail { at, to, success }),
        1 => (0..MEMBERS, 0..3_usize).prop_map(|(at, action)| Deed::Order { at, action }),
        4 => (0..64_usize).prop_map(Deed::Break),
        2 => (0..MEMBERS).prop_map(Deed::Crash),
        3 => (0..MEMBERS).prop_map(Deed::Boot),
        8 => (1_u64..40_000).prop_map(Deed::Wait),
        1 => (60_000_000_u64..200_000_000).prop_map(Deed::Wait),
    ]
}

fn name(number: usize) -> MemberName {
    member(number / 2 + 1, if number.is_multiple_of(2) { 'a' } else { 'b' })
}

/// C1 at this instant: every accepted message has a durable custodian.
fn assert_custody(network: &Network, sent: &[(u64, Address)]) {
    for (client, account) in sent {
        if !matches!(network.replies.get(client), Some(Pdu::Accepted(_))) {
            continue;
        }
        let digest = Network::digest(*client);
        let queued = network.sites.values().any(|site| {
            site.durable.spool.queue.values().any(|message| message.body.digest == digest)
        });
        let file = |recorded: &Recorded| match recorded {
            Recorded::Delivered { account: at, name, .. } => {
                at == account && name.starts_with(&origin_of(network, *client))
            }
            Recorded::Passed { .. } | Recorded::Refused { .. } => false,
        };
        let delivered = || {
            let journals = network.sites.values().map(|site| &site.durable.spool.journal);
            journals.flat_map(|journal| journal.values()).flat_map(|e| e.values()).any(file)
        };
        assert!(queued || network.copies(*client, account) > 0 || delivered(), "{client} is lost");
    }
}

/// C3 at this instant: by what is durable, at most one member may start an attempt for a recipient.
fn assert_one_custodian(network: &Network) {
    let mut free: BTreeMap<(&OriginId, u32), &MemberName> = BTreeMap::new();
    for (at, site) in &network.sites {
        for message in site.durable.spool.queue.values() {
            let doubts = message.doubts();
            let recipients = message.envelope.recipients.iter().map(|recipient| recipient.index);
            for index in recipients.filter(|index| !doubts.contains_key(index)) {
                let other = free.insert((&message.envelope.origin, index), at);
                assert!(other.is_none(), "{at} and {other:?} both have custody of {index}");
            }
        }
    }
}

/// The first words of the file name of a client's message: none when no file was ever written.
fn origin_of(network: &Network, client: u64) -> String {
    let digest = Network::digest(client);
    let files = network.sites.values().flat_map(|site| site.written());
    let file = files.filter(|(_, d)| *d == digest).map(|(name, _)| name);
    let origin = file.map(|name| name.split('_').next().unwrap().to_owned()).next();
    origin.unwrap_or_else(|| "no file yet".into())
}

fn session(deeds: &[Deed], seed: u64, faults: &Faults) {
    let mut network = Network::new(organization(2), Policy::default(), faults, seed);
    let mut sent: Vec<(u64, Address)> = Vec::new();
    let mut asked = Vec::new();
    network.run(Span::seconds(2));
    for deed in deeds {
        match deed {
            Deed::Mail { at, to, success } => {
                let account = user(&name(*to));
                let notify = Notify { success: *success, ..Notify::default() };
                let to = core::slice::from_ref(&account);
                let client = network.mail_notify(&name(*at), SENDER, to, notify);
                if *success {
                    asked.push((client, account.clone()));
                }
                sent.push((client, account));
            }
            Deed::Order { at, action } => order(&mut network, *at, *action),
            Deed::Break(pick) => network.break_some(*pick),
            Deed::Crash(at) => {
                if network.sites[&name(*at)].node.is_some() {
                    network.crash(&name(*at));
                }
            }
            Deed::Boot(at) => boot(&mut network, *at),
            Deed::Wait(micros) => {
                network.run_checked(Span(*micros), &mut |network| {
                    assert_custody(network, &sent);
                    assert_one_custodian(network);
                });
            }
        }
    }
    (0..MEMBERS).for_each(|at| boot(&mut network, at));
    (0..MEMBERS).for_each(|at| order(&mut network, at, RELEASE));
    network.run_checked(Span::hours(3), &mut assert_one_custodian);
    for (client, account) in &sent {
        let copies = network.copies(*client, account);
        let accepted = matches!(network.replies.get(client), Some(Pdu::Accepted(_)));
        assert!(copies <= 1, "{client} stands {copies} times in {account}");
        assert!(copies == 1 || !accepted, "{client} was accepted and is not in {account}");
    }
    let arrived = asked.iter().filter(|(client, account)| network.copies(*client, account) == 1);
    let confirmed = network.notices_in(&user(&member(1, 'a'))) as usize;
    assert_eq!(confirmed, arrived.count(), "each success that was asked for is told of once");
    for (at, site) in &network.sites {
        let left = &site.durable.spool.queue;
        assert!(left.is_empty(), "after three hours of peace {at} still has {left:#?}");
    }
}

/// The number of the release among the actions.
const RELEASE: usize = 1;

/// The operator orders something about the whole queue of a member.
fn order(network: &mut Network, at: usize, action: usize) {
    let which = Selection { all: true, ..Selection::default() };
    let action = [Action::Hold { reason: None }, Action::Release, Action::Retry][action].clone();
    network.order(&name(at), Order::Queue { action, which });
}

fn boot(network: &mut Network, at: usize) {
    if network.sites[&name(at)].node.is_none() {
        network.boot(&name(at));
    }
}

proptest! {
    #![proptest_config(Config {
        cases: 200,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..Config::default()
    })]

    /// C1 and C2; CU-004 is asserted by the network whenever a body is let go.
    #[test]
    fn a_random_session_loses_no_accepted_mail(
        deeds in prop::collection::vec(deed(), 1..60),
        seed in any::<u64>(),
    ) {
        session(&deeds, seed, &Faults::none());
    }
}

/// The property above can fail: random sessions notice each of these planted bugs.
#[test]
fn random_sessions_notice_planted_bugs() {
    for fault in [
        "fallback-while-in-doubt",
        "reply-before-durable",
        "result-before-publish",
        "skip-journal-on-acceptance",
    ] {
        let faults = Faults::named([fault]).unwrap();
        let fails = |seed: &u64| {
            let deeds = some_deeds(*seed);
            std::panic::catch_unwind(|| session(&deeds, *seed, &faults)).is_err()
        };
        assert!((0..400_u64).any(|seed| fails(&seed)), "no session noticed {fault}");
    }
}

/// Deeds as the strategy draws them, for a run that needs no shrinking.
fn some_deeds(seed: u64) -> Vec<Deed> {
    let mut chance = Seeded::new(seed);
    let mut below = |bound: u32| chance.below("deeds", NonZeroU32::new(bound).unwrap());
    let mut deeds = Vec::new();
    for _ in 0..60 {
        let pick = below(21);
        deeds.push(match pick {
            0..3 => {
                let (at, to) = (below(4) as usize, below(4) as usize);
                Deed::Mail { at, to, success: below(2) == 1 }
            }
            19 => Deed::Order { at: below(4) as usize, action: below(3) as usize },
            3..7 => Deed::Break(below(64) as usize),
            7..9 => Deed::Crash(below(4) as usize),
            9..12 => Deed::Boot(below(4) as usize),
            12..=18 => Deed::Wait(u64::from(below(40_000))),
            _ => Deed::Wait(u64::from(below(200_000_000))),
        });
    }
    deeds
}
