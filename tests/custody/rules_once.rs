//! Queue rules and the filter see a message once, whoever queues it (RU-013, RU-040), and twice with `*`.

use crate::network::Network;
use crate::policies::{
    SENDER, arrived, assert_empty, cluster, name, network_of, queued, rules, send,
};
use bridgehead::kernel::Span;
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::member::{Answer, Event, Filtered, Policy};
use bridgehead::protocol::organization::{Organization, Relay, Submit};
use bridgehead::wire::message::{Outcome, Refusal};

fn ruled(network: &Network) -> Vec<&str> {
    let events = network.events.iter();
    let ruled = events.filter(|(_, _, e)| matches!(e, Event::Ruled { index: None, .. }));
    ruled.map(|(_, member, _)| member.as_str()).collect()
}

fn with_queue_rules(mut organization: Organization) -> Organization {
    let then = "{ action = \"add-header\", field = \"X-Seen\", value = \"yes\" }";
    organization.groups[0].rules = rules(then);
    assert_eq!(organization.check(), []);
    organization
}

/// RU-013, SU-051, SU-054: queue rules see a message once: where it is queued.
#[test]
fn queue_rules_run_once() {
    let mut network = network_of(with_queue_rules(cluster(1)), &[], 3);
    let submitted = send(&mut network);
    network.run(Span::minutes(1));
    assert_eq!((arrived(&network, submitted), ruled(&network)), (1, vec!["fe1"]));
    network.crash(&name("fe1"));
    let kept = send(&mut network);
    network.run(Span::minutes(1));
    assert_eq!((arrived(&network, kept), ruled(&network)), (1, vec!["fe1", "be1"]));
    assert_empty(&network);
}

/// A client of `be1` sends abroad.
fn send_abroad(network: &mut Network) {
    network.mail(&name("be1"), SENDER, &["eve@elsewhere.example".into()]);
    network.run(Span::minutes(1));
}

/// CU-046, RU-013: a message for the world passes the queue rules once with SUBMIT, and twice with `*`.
#[test]
fn queue_rules_run_once_with_submit_and_twice_with_relaying() {
    let mut submitting = with_queue_rules(cluster(1));
    submitting.smart_host = Some("smart.example:25".into());
    let mut relaying = submitting.clone();
    for settings in &mut relaying.groups[0].settings[1..] {
        (settings.submit, settings.relay) = (Submit::Local, Some(Relay::Frontends));
    }
    assert_eq!(relaying.check(), []);
    for (organization, expected) in [(submitting, &["fe1"][..]), (relaying, &["be1", "fe1"])] {
        let mut network = network_of(organization, &[], 3);
        network.outside = Some(Outcome::Delivered);
        send_abroad(&mut network);
        assert_eq!(ruled(&network), expected);
        assert_eq!(network.relayed.len(), 1, "it has left, and once");
        assert_empty(&network);
    }
}

/// RU-040: the mark of the queue rules covers the filter: once with SUBMIT, also when the message falls
/// back into the own queue, and twice with `*`.
#[test]
fn a_filter_sees_a_message_once_with_submit_and_twice_with_relaying() {
    let filtering = |organization| {
        let policy = Policy { filter: true, ..Policy::default() };
        let mut network = Network::new(organization, policy, &Faults::none(), 3);
        network.run(Span::seconds(10));
        network.outside = Some(Outcome::Delivered);
        network
    };
    let filtered = |network: &Network| -> Vec<String> {
        network.filtered.iter().map(|(member, _)| member.0.clone()).collect()
    };
    let mut submitting = cluster(1);
    submitting.smart_host = Some("smart.example:25".into());
    let mut relaying = submitting.clone();
    for settings in &mut relaying.groups[0].settings[1..] {
        (settings.submit, settings.relay) = (Submit::Local, Some(Relay::Frontends));
    }
    for (organization, expected) in
        [(submitting.clone(), &["fe1"][..]), (relaying, &["be1", "fe1"])]
    {
        let mut network = filtering(organization);
        send_abroad(&mut network);
        assert_eq!(filtered(&network), expected);
        assert_eq!(network.relayed.len(), 1, "it has left, and once");
        assert_empty(&network);
    }
    let mut network = filtering(submitting);
    network.crash(&name("fe1"));
    let kept = send(&mut network);
    network.run(Span::minutes(1));
    assert_eq!((arrived(&network, kept), filtered(&network)), (1, vec![String::from("be1")]));
}

/// RU-042, RU-013: what was submitted waits for a filter that fails, is tried again by the schedule, and
/// is returned where the filter refuses it.
#[test]
fn what_is_in_custody_waits_for_the_filter() {
    let policy = Policy { filter: true, ..Policy::default() };
    let mut network = Network::new(cluster(1), policy, &Faults::none(), 3);
    network.run(Span::seconds(10));
    let failed = Answer::Failed(Refusal::new(451, "4.3.0", "it has died"));
    network.filter = [failed.clone(), failed].into();
    let waiting = send(&mut network);
    network.run(Span::minutes(1));
    assert_eq!((arrived(&network, waiting), network.filtered.len()), (0, 1));
    network.run(Span::minutes(30));
    assert_eq!((arrived(&network, waiting), network.filtered.len()), (1, 3));
    let reject = Filtered::Reject { text: String::from("it is spam") };
    network.filter = [Answer::Filtered(reject)].into();
    let refused = send(&mut network);
    network.run(Span::minutes(1));
    assert_eq!((arrived(&network, refused), network.notices.len()), (0, 1));
    assert_empty(&network);
}

/// RU-013, RU-041: a discard by the filter ends what was submitted, and a crash before it asks again.
#[test]
fn a_filter_discards_what_was_submitted() {
    let policy = Policy { filter: true, ..Policy::default() };
    let mut network = Network::new(cluster(1), policy, &Faults::none(), 3);
    network.run(Span::seconds(10));
    network.filter = [Answer::Filtered(Filtered::Discard)].into();
    let client = send(&mut network);
    network.run(Span::minutes(1));
    assert_eq!((arrived(&network, client), network.notices.len()), (0, 0));
    assert_empty(&network);
}

/// CU-046: each frontend is drawn at some time; while none can be reached, the mail waits.
#[test]
fn a_backend_relays_to_any_frontend() {
    let mut organization = cluster(3);
    organization.smart_host = Some("smart.example:25".into());
    for settings in &mut organization.groups[0].settings[3..] {
        (settings.submit, settings.relay) = (Submit::Local, Some(Relay::Frontends));
    }
    let mut network = network_of(organization, &[], 3);
    network.outside = Some(Outcome::Delivered);
    for _ in 0..20 {
        send_abroad(&mut network);
    }
    for frontend in ["fe1", "fe2", "fe3"] {
        assert!(queued(&network).contains(&frontend), "{frontend} relays, too");
        network.crash(&name(frontend));
    }
    send_abroad(&mut network);
    assert_eq!(network.relayed.len(), 20);
    for frontend in ["fe1", "fe2", "fe3"] {
        network.boot(&name(frontend));
    }
    network.run(Span::minutes(11));
    assert_eq!(network.relayed.len(), 21);
    assert_empty(&network);
}
