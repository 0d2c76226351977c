//! The list of members in whole members: what everybody has, and what custody makes of it.

use bridgehead::kernel::Span;
use bridgehead::protocol::master::members::{AWAY_LIMIT, LOADS, Membership};
use bridgehead::protocol::member::Event;
use bridgehead::protocol::operator::Order;
use bridgehead::protocol::organization::{BackEnd, ElectionSettings, Organization};
use bridgehead::protocol::submit::SubmitEvent;
use bridgehead::wire::ids::MemberName;
use bridgehead::wire::members::{ListVersion, Presence};

use super::network::{Network, user};
use super::policies::{SENDER, arrived, cluster, name, network_of};

fn list<'a>(network: &'a Network, member: &str) -> &'a Membership {
    network.sites[&name(member)].node.as_ref().expect("it runs").machine().membership()
}

fn version(network: &Network, member: &str) -> ListVersion {
    list(network, member).list().expect("there is a list").version.clone()
}

fn presence(network: &Network, at: &str, member: &str) -> Presence {
    list(network, at).listed(&name(member)).expect("it is in the list").presence
}

fn all_have_one(network: &Network) {
    let lists: Vec<_> = ["fe1", "fe2", "be1", "be2"].map(|member| version(network, member)).into();
    assert!(lists.windows(2).all(|pair| pair[0] == pair[1]), "{lists:?}");
    for site in network.sites.values() {
        let stored = site.durable.members.list.as_ref().map(|(_, list)| &list.version);
        assert_eq!(stored, Some(&lists[0]));
    }
}

/// `be2` sends so many messages; whom it chose for them comes back.
fn chosen(network: &mut Network, messages: usize) -> Vec<MemberName> {
    let before = network.events.len();
    for _ in 0..messages {
        let client = network.mail(&name("be2"), SENDER, &[user(&name("be2"))]);
        network.run(Span::seconds(5));
        assert_eq!(arrived(network, client), 1, "no list keeps mail from its way");
    }
    let chosen = network.events[before..].iter().filter_map(|(_, at, event)| match event {
        Event::Submit(SubmitEvent::Chosen { peer, .. }) if at.as_str() == "be2" => {
            Some(peer.clone())
        }
        _ => None,
    });
    chosen.collect()
}

fn drain(network: &mut Network, member: &str, on: bool) {
    network.order(&name(member), Order::Drain { on });
    network.run(Span::seconds(4));
}

/// MA-050 to MA-055: everybody has one list, which says who is there and what all of them speak.
#[test]
fn ma_052_everybody_has_one_list() {
    let mut network = network_of(cluster(2), &[], 3);
    all_have_one(&network);
    assert!(list(&network, "be2").group_has(LOADS));
    for member in ["fe1", "fe2", "be1", "be2"] {
        assert_eq!(presence(&network, "be2", member), Presence::Active);
    }
    let before = version(&network, "be2");
    network.run(Span::minutes(30));
    assert_eq!(version(&network, "be2"), before, "nothing has changed");
    network.crash(&name("fe2"));
    network.run(AWAY_LIMIT);
    network.run(Span::seconds(4));
    assert_eq!(presence(&network, "be2", "fe2"), Presence::Away);
    network.boot(&name("fe2"));
    network.run(Span::seconds(4));
    assert_eq!(presence(&network, "be2", "fe2"), Presence::Active);
    all_have_one(&network);
}

/// SU-081, MA-059: who drains by the list is not chosen, without any offer that finds it out.
#[test]
fn su_081_who_drains_by_the_list_is_not_chosen() {
    for (faults, is_heeded) in [(&[][..], true), (&["list-is-not-heeded"][..], false)] {
        let mut network = network_of(cluster(2), faults, 3);
        drain(&mut network, "fe1", true);
        assert_eq!(presence(&network, "be2", "fe1"), Presence::Draining);
        let chosen = chosen(&mut network, 8);
        assert_eq!(!chosen.contains(&name("fe1")), is_heeded, "{chosen:?}");
    }
}

/// MA-053, SU-081: the last list does without a master, also after a restart.
#[test]
fn ma_053_the_last_list_does_without_a_master() {
    for (faults, is_kept) in [(&[][..], true), (&["list-is-not-stored"][..], false)] {
        let mut network = network_of(cluster(2), faults, 3);
        drain(&mut network, "fe1", true);
        network.crash(&name("be1"));
        network.crash(&name("be2"));
        network.boot(&name("be2"));
        network.run(Span::seconds(4));
        let chosen = chosen(&mut network, 8);
        assert_eq!(!chosen.contains(&name("fe1")), is_kept, "{chosen:?}");
    }
}

/// SU-081: the list only narrows a choice: who is away by it is chosen where nobody else is left, and who
/// has shown since that it is there.
#[test]
fn su_081_the_list_leaves_somebody() {
    let mut network = network_of(cluster(2), &[], 3);
    for frontend in ["fe1", "fe2"] {
        network.cuts.push((name(frontend), name("be1")));
        network.crash(&name(frontend));
        network.boot(&name(frontend));
    }
    network.run(AWAY_LIMIT);
    network.run(Span::seconds(4));
    assert_eq!(presence(&network, "be2", "fe1"), Presence::Away);
    assert_eq!(presence(&network, "be2", "fe2"), Presence::Away);
    let first = chosen(&mut network, 8);
    assert_eq!(first.len(), 8, "{first:?}");
    assert!(
        !network
            .events
            .iter()
            .any(|(_, _, e)| matches!(e, Event::Submit(SubmitEvent::Kept { .. })))
    );
}

/// SU-082, MA-058: the loads that the master tells count until a member says its own.
#[test]
fn su_082_the_loads_that_the_master_tells_count() {
    for (faults, is_heeded) in [(&[][..], true), (&["list-is-not-heeded"][..], false)] {
        let mut network = network_of(cluster(3), faults, 3);
        network.crash(&name("fe3"));
        for _ in 0..40 {
            network.mail(&name("fe1"), SENDER, &[user(&name("fe3"))]);
        }
        network.run(Span::minutes(5));
        let report = list(&network, "be2").report(network.now).expect("there is a list");
        let load = report.rows.iter().find(|row| row.listed.member == name("fe1"));
        assert_eq!(load.map(|row| row.listed.standing.load), Some(40), "by LOADS");
        network.run(AWAY_LIMIT);
        let chosen = chosen(&mut network, 8);
        assert_eq!(!chosen.contains(&name("fe1")), is_heeded, "{chosen:?}");
    }
}

fn electing() -> Organization {
    let mut organization = cluster(2);
    let group = &mut organization.groups[0];
    group.master = None;
    group.election = Some(ElectionSettings {
        back_end: BackEnd::Embedded,
        voters: vec![name("be1"), name("be2"), name("fe1")],
        witness: None,
        lease_s: 5,
        clock_drift_ppm: 50_000,
    });
    assert_eq!(organization.check(), []);
    organization
}

fn master(network: &Network) -> MemberName {
    let master = |member: &str| {
        let node = network.sites[&name(member)].node.as_ref()?;
        node.machine().link().master().cloned()
    };
    let master = ["fe2", "be2", "fe1"].iter().find_map(|member| master(member));
    master.expect("there is a master")
}

/// MA-059: an elected master that is told to drain goes, the list of the next one says that it drains, and
/// it does not come back while another voter is there.
#[test]
fn ma_059_a_drain_moves_the_mastership() {
    for (faults, goes) in [(&[][..], true), (&["drains-and-leads"][..], false)] {
        let mut network = network_of(electing(), faults, 3);
        network.run(Span::seconds(30));
        all_have_one(&network);
        let (first, before) = (master(&network), version(&network, "fe2"));
        drain(&mut network, first.as_str(), true);
        network.run(Span::minutes(1));
        assert_eq!(master(&network) != first, goes);
        assert_eq!(presence(&network, "fe2", first.as_str()), Presence::Draining);
        if !goes {
            continue;
        }
        let after = version(&network, "fe2");
        assert!(after.term > before.term, "{after:?}");
        all_have_one(&network);
        let next = master(&network);
        network.crash(&next);
        network.run(Span::minutes(1));
        let third = master(&network);
        assert!(third != first && third != next, "the other one that does not drain");
        network.crash(&third);
        network.boot(&next);
        network.run(Span::minutes(2));
        assert_eq!(master(&network), next, "with the vote of the one that drains");
    }
}
