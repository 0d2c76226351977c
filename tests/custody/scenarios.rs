//! Hand-over and delivery, with one thing that goes wrong in each scenario.

use crate::network::{Network, Trap, member, organization, user};
use bridgehead::kernel::Span;
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::member::{Event, Pdu, Policy};
use bridgehead::wire::ids::MemberName;
use bridgehead::wire::message::Address;

const SENDER: Option<&str> = Some("user-g1-a@example.org");

fn network() -> Network {
    network_with(&[])
}

fn network_with(faults: &[&str]) -> Network {
    let faults = Faults::named(faults.iter().copied()).unwrap();
    let mut network = Network::new(organization(2), Policy::default(), &faults, 1);
    network.run(Span::seconds(10));
    network
}

/// From `g1-b` by `g1-a` over the connector to `g2-a`, and on to `g2-b`.
fn send_across(network: &mut Network) -> (u64, Address) {
    let account = user(&member(2, 'b'));
    (network.mail(&member(1, 'b'), SENDER, core::slice::from_ref(&account)), account)
}

fn count(network: &Network, at: &MemberName, test: fn(&Pdu) -> bool) -> usize {
    network.heard.iter().filter(|(_, name, pdu)| name == at && test(pdu)).count()
}

fn assert_stored_once(network: &Network, client: u64, account: &Address) {
    assert_eq!(network.copies(client, account), 1, "{:#?}", network.events);
    for (name, site) in &network.sites {
        assert!(site.durable.spool.queue.is_empty(), "{name} still has {:?}", site.durable.spool);
    }
}

/// CU-002, SU-002, SU-003, SU-017, DE-004: the way without accidents.
#[test]
fn a_message_crosses_two_hand_overs_and_a_delivery() {
    let mut network = network();
    let (client, account) = send_across(&mut network);
    network.run(Span::seconds(5));
    assert!(matches!(network.replies[&client], Pdu::Accepted(_)));
    assert_stored_once(&network, client, &account);
    assert_eq!(count(&network, &member(1, 'a'), |pdu| matches!(pdu, Pdu::Commit { .. })), 1);
    assert_eq!(count(&network, &member(2, 'a'), |pdu| matches!(pdu, Pdu::Commit { .. })), 1);
    assert_eq!(count(&network, &member(2, 'b'), |pdu| matches!(pdu, Pdu::Deliver(_))), 1);
}

/// CU-097: whoever routed a message says in its trace by which table it did.
#[test]
fn the_trace_names_the_tables_that_routed() {
    let mut network = network();
    let mark_of = |network: &Network, at: &MemberName| {
        let site = &network.sites[at];
        let table = site.node.as_ref().expect("it is up").machine().link().routing_table();
        let group = &site.config.organization.group_of(at).expect("it has one").name;
        let digest = table.digest().to_string();
        format!("{}/{}", &digest[..16], table.get(group).expect("its own record").version)
    };
    let senders = [member(1, 'b'), member(1, 'a')];
    let marks = senders.map(|at| Some(mark_of(&network, &at)));
    let (client, account) = send_across(&mut network);
    network.run(Span::seconds(5));
    assert_stored_once(&network, client, &account);
    let offered = network.heard.iter().filter_map(|(_, _, pdu)| match pdu {
        Pdu::Offer { parcel, .. } => Some(&parcel.envelope.hops),
        _ => None,
    });
    let tables: Vec<Vec<_>> =
        offered.map(|hops| hops.iter().map(|hop| hop.table.clone()).collect()).collect();
    assert_eq!(tables, [marks[..1].to_vec(), marks.to_vec()]);
}

/// SU-004, SU-020, SU-021: the reply after COMMIT is lost; RESOLVE finds the acceptance.
#[test]
fn a_lost_reply_after_commit_is_resolved_as_accepted() {
    let mut network = network();
    network.traps.push(Trap::Cut(|pdu| matches!(pdu, Pdu::HandedOver { .. })));
    let (client, account) = send_across(&mut network);
    network.run(Span::minutes(5));
    assert!(network.traps.is_empty());
    assert_stored_once(&network, client, &account);
    assert_eq!(count(&network, &member(1, 'a'), |pdu| matches!(pdu, Pdu::Resolve { .. })), 1);
    assert_eq!(count(&network, &member(1, 'a'), |pdu| matches!(pdu, Pdu::Offer { .. })), 1);
}

/// SU-022, SU-023: COMMIT itself is lost; RESOLVE fences, and the transfer is offered again.
#[test]
fn a_lost_commit_is_fenced_and_offered_again_with_a_greater_number() {
    let mut network = network();
    network.traps.push(Trap::Cut(|pdu| matches!(pdu, Pdu::Commit { .. })));
    let (client, account) = send_across(&mut network);
    network.run(Span::minutes(5));
    assert_stored_once(&network, client, &account);
    let offers: Vec<_> = network
        .heard
        .iter()
        .filter_map(|(_, name, pdu)| match pdu {
            Pdu::Offer { transfer, offer, .. } if *name == member(1, 'a') => {
                Some((transfer.clone(), *offer))
            }
            _ => None,
        })
        .collect();
    assert_eq!(offers.len(), 2);
    assert_eq!(offers[0].0, offers[1].0, "SU-001: the id is kept");
    assert_eq!((offers[0].1, offers[1].1), (1, 2), "SU-001: the offer rises");
    assert_eq!(count(&network, &member(1, 'b'), |pdu| matches!(pdu, Pdu::Fenced { .. })), 1);
}

/// CU-005, SU-021: the sender crashes between COMMIT and its answer; after the boot it asks.
#[test]
fn a_sender_that_crashes_after_commit_resolves_at_its_boot() {
    let mut network = network();
    network.traps.push(Trap::CrashReceiver(|pdu| matches!(pdu, Pdu::HandedOver { .. })));
    let (client, account) = send_across(&mut network);
    network.run(Span::seconds(5));
    let spool = &network.sites[&member(1, 'b')].durable.spool;
    assert_eq!(spool.queue.values().next().unwrap().doubts().len(), 1);
    network.boot(&member(1, 'b'));
    network.run(Span::minutes(1));
    assert_stored_once(&network, client, &account);
    assert_eq!(count(&network, &member(1, 'a'), |pdu| matches!(pdu, Pdu::Resolve { .. })), 1);
    assert_eq!(count(&network, &member(1, 'a'), |pdu| matches!(pdu, Pdu::Offer { .. })), 1);
}

/// DE-002, DE-003, DE-008, DE-021: results are lost; the sender asks and does not deliver again.
#[test]
fn a_lost_result_is_inquired_for() {
    let mut network = network();
    network.traps.push(Trap::Cut(|pdu| matches!(pdu, Pdu::Result { .. })));
    let (client, account) = send_across(&mut network);
    network.run(Span::minutes(5));
    assert_stored_once(&network, client, &account);
    assert_eq!(count(&network, &member(2, 'b'), |pdu| matches!(pdu, Pdu::Deliver(_))), 1);
    assert_eq!(count(&network, &member(2, 'b'), |pdu| matches!(pdu, Pdu::Inquire { .. })), 1);
}

/// DE-007: the host knows nothing, so it gets the message again.
#[test]
fn a_lost_delivery_is_delivered_again() {
    let mut network = network();
    network.traps.push(Trap::Cut(|pdu| matches!(pdu, Pdu::Deliver(_))));
    let (client, account) = send_across(&mut network);
    network.run(Span::minutes(5));
    assert_stored_once(&network, client, &account);
    assert_eq!(count(&network, &member(2, 'a'), |pdu| matches!(pdu, Pdu::NoResult { .. })), 1);
}

/// DE-020, DE-023: the client gives a connection up while its DELIVER is still on the way.
#[test]
fn a_delivery_on_an_abandoned_connection_is_not_made_twice() {
    let mut network = network();
    network.traps.push(Trap::Orphan(|pdu| matches!(pdu, Pdu::Deliver(_))));
    let (client, account) = send_across(&mut network);
    network.run(Span::minutes(5));
    assert_stored_once(&network, client, &account);
}

/// DE-031: the host crashes before the file is in its place.
#[test]
fn a_host_that_crashes_after_its_journal_publishes_at_its_boot() {
    let mut network = network();
    let account = user(&member(1, 'a'));
    let client = network.mail(&member(1, 'a'), SENDER, core::slice::from_ref(&account));
    let recorded = |network: &Network| {
        let journal = &network.sites[&member(1, 'a')].durable.spool.journal;
        !journal.is_empty()
    };
    while !recorded(&network) {
        network.run(Span(100));
    }
    network.crash(&member(1, 'a'));
    assert_eq!(network.copies(client, &account), 0, "the crash comes before the move");
    network.boot(&member(1, 'a'));
    network.run(Span::seconds(1));
    assert_stored_once(&network, client, &account);
}

/// C3, design 4.1: while in doubt a message is neither rerouted nor returned, however long it takes;
/// the delay notice alone is sent. CU-022, CU-032, SU-021.
#[test]
fn a_message_in_doubt_waits_beyond_its_expiry() {
    let mut network = network();
    network.traps.push(Trap::Cut(|pdu| matches!(pdu, Pdu::HandedOver { .. })));
    let (client, account) = send_across(&mut network);
    while !network.traps.is_empty() {
        network.run(Span(100));
    }
    network.cuts.push((member(1, 'b'), member(1, 'a')));
    network.run(Span::hours(50));
    let returned = network.events.iter().any(|(_, _, e)| matches!(e, Event::Returned { .. }));
    assert!(!returned, "a message in doubt is not returned");
    assert_eq!(network.notices.len(), 1, "the delay notice: {:#?}", network.notices);
    network.cuts.clear();
    network.run(Span::minutes(30));
    assert_stored_once(&network, client, &account);
}

/// Each of these planted bugs breaks the scenario that it belongs to.
#[test]
fn planted_bugs_break_the_scenarios() {
    let lost_reply: fn(&Pdu) -> bool = |pdu| matches!(pdu, Pdu::HandedOver { .. });
    for fault in ["fallback-while-in-doubt", "skip-journal-on-acceptance"] {
        let mut network = network_with(&[fault]);
        network.traps.push(Trap::Cut(lost_reply));
        send_across(&mut network);
        network.run(Span::minutes(30));
        // The delivery journal still saves the account from a duplicate: it is the second line.
        let offers = count(&network, &member(1, 'a'), |pdu| matches!(pdu, Pdu::Offer { .. }));
        assert_eq!(offers, 2, "{fault} offers what was accepted");
    }
    let mut network = network_with(&["bounce-while-in-doubt"]);
    network.traps.push(Trap::Cut(lost_reply));
    let (client, account) = send_across(&mut network);
    while !network.traps.is_empty() {
        network.run(Span(100));
    }
    network.cuts.push((member(1, 'b'), member(1, 'a')));
    network.run(Span::hours(50));
    assert_eq!(network.copies(client, &account), 1, "delivered by the far end,");
    assert!(
        network.events.iter().any(|(_, _, e)| matches!(e, Event::Returned { .. })),
        "and returned"
    );
}
