//! Notices of success: where the sender asked, by the custodian, exactly once.

use crate::network::{Network, Trap, member, organization, user};
use bridgehead::kernel::Span;
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::member::{Event, NoticeKind, Pdu, Policy};
use bridgehead::protocol::queue::Ending;
use bridgehead::wire::message::{Address, Notify, Outcome, Refusal};

const SENDER: Option<&str> = Some("user-g1-a@example.org");
const SUCCESS: Notify = Notify { success: true, failure: true, delay: true };
const NEVER: Notify = Notify { success: false, failure: false, delay: false };

fn network(faults: &[&str], seed: u64) -> Network {
    let faults = Faults::named(faults.iter().copied()).unwrap();
    let mut organization = organization(2);
    organization.smart_host = Some("smart.example.net:25".into());
    let mut network = Network::new(organization, Policy::default(), &faults, seed);
    network.run(Span::seconds(10));
    network
}

fn endings(network: &Network) -> Vec<(NoticeKind, String, Ending)> {
    let notices = network.notices.iter();
    let recipients = notices.flat_map(|(_, at, notice)| {
        notice.recipients.iter().map(|(_, ending)| (notice.kind, at.0.clone(), ending.clone()))
    });
    recipients.collect()
}

/// CU-060: into an account here, by DELIVER, and behind a hand-over: told once, by the last custodian.
#[test]
fn a_delivery_is_confirmed_by_its_custodian() {
    for (to, custodian) in [('a', "g1-a"), ('b', "g1-a")] {
        let mut network = network(&[], 7);
        let account = user(&member(1, to));
        let client =
            network.mail_notify(&member(1, 'a'), SENDER, core::slice::from_ref(&account), SUCCESS);
        network.run(Span::minutes(1));
        let told = [(NoticeKind::Success, custodian.to_owned(), Ending::Delivered)];
        assert_eq!(endings(&network), told);
        assert_eq!(network.copies(client, &account), 1);
        assert_eq!(network.notices_in(&user(&member(1, 'a'))), 1);
        assert!(network.sites.values().all(|site| site.durable.spool.queue.is_empty()));
    }
    let mut network = network(&[], 7);
    network.mail_notify(&member(1, 'b'), SENDER, &[user(&member(2, 'b'))], SUCCESS);
    network.run(Span::minutes(1));
    let told = [(NoticeKind::Success, "g2-a".to_owned(), Ending::Delivered)];
    assert_eq!(endings(&network), told, "NOTIFY has travelled with the hand-over");
    assert_eq!(network.notices_in(&user(&member(1, 'a'))), 1);
    let confirmed = |event: &Event| matches!(event, Event::Confirmed { .. });
    assert_eq!(network.events.iter().filter(|(_, _, event)| confirmed(event)).count(), 1);
}

/// CU-060, CU-031: nobody is told who did not ask, and nothing is written about the null sender.
#[test]
fn success_is_told_only_where_it_was_asked_for() {
    let to = [user(&member(1, 'a')), user(&member(1, 'b')), "x@example.net".into()];
    for (sender, notify) in [(None, SUCCESS), (SENDER, Notify::default()), (SENDER, NEVER)] {
        let mut network = network(&[], 7);
        (network.outside, network.outside_tells) = (Some(Outcome::Delivered), false);
        let client = network.mail_notify(&member(1, 'a'), sender, &to, notify);
        network.run(Span::minutes(1));
        assert_eq!((network.copies(client, &to[1]), network.relayed.len()), (1, 1));
        assert_eq!(endings(&network), []);
        assert!(network.sites.values().all(|site| site.durable.spool.queue.is_empty()));
    }
}

/// CU-060, CU-061: `relayed` where the outside server tells nobody; nothing where it took over the duty.
#[test]
fn a_relay_is_confirmed_unless_the_duty_went_along() {
    let told = |faults: &[&str], outside_tells: bool| {
        let mut network = network(faults, 7);
        (network.outside, network.outside_tells) = (Some(Outcome::Delivered), outside_tells);
        network.mail_notify(&member(1, 'b'), SENDER, &["x@example.net".into()], SUCCESS);
        network.run(Span::minutes(1));
        assert_eq!(network.relayed.len(), 1);
        assert_eq!(network.relayed[0].envelope.recipients[0].notify, SUCCESS);
        endings(&network).into_iter().map(|(_, _, ending)| ending).collect::<Vec<_>>()
    };
    assert_eq!(told(&[], false), [Ending::Relayed]);
    assert_eq!(told(&[], true), []);
    assert_eq!(told(&["success-told-twice"], true), [Ending::Relayed], "the planted bug");
}

/// CU-062: once it is known, the success is durable: while the notice cannot be written nothing is sent
/// again, neither after a crash.
#[test]
fn what_succeeded_is_not_tried_again() {
    let mut network = network(&[], 7);
    let at = member(1, 'a');
    (network.outside, network.outside_tells) = (Some(Outcome::Delivered), false);
    network.sites.get_mut(&at).unwrap().full = true;
    network.mail_notify(&at, SENDER, &["x@example.net".into()], SUCCESS);
    network.run(Span::minutes(15));
    network.crash(&at);
    network.boot(&at);
    network.run(Span::hours(50));
    assert_eq!((network.relayed.len(), network.notices.len()), (1, 0));
    network.sites.get_mut(&at).unwrap().full = false;
    network.run(Span::hours(1));
    assert_eq!((network.relayed.len(), network.notices_in(&user(&at))), (1, 1));
    assert!(network.sites[&at].durable.spool.queue.is_empty());
}

/// CU-030, CU-060: who failed and who has a copy are told of in two notices of one message.
#[test]
fn failure_and_success_are_told_apart() {
    let mut network = network(&[], 7);
    network.outside = Some(Outcome::Refused(Refusal::new(550, "5.1.1", "unknown there")));
    let to = ["x@example.net".into(), user(&member(1, 'b'))];
    network.mail_notify(&member(1, 'a'), SENDER, &to, SUCCESS);
    network.run(Span::minutes(1));
    let mut kinds: Vec<_> = endings(&network).into_iter().map(|(kind, ..)| kind).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [NoticeKind::Failure, NoticeKind::Success]);
    assert_eq!(network.notices_in(&user(&member(1, 'a'))), 2);
}

/// CU-060, C7: exactly once, wherever the custodian crashes.
#[test]
fn success_is_told_exactly_once_whatever_crashes() {
    let told = |faults: &[&str], seed: u64, steps: u64, to: &Address| {
        let mut network = network(faults, seed);
        let at = member(1, 'b');
        (network.outside, network.outside_tells) = (Some(Outcome::Delivered), false);
        network.mail_notify(&at, SENDER, core::slice::from_ref(to), SUCCESS);
        let accepted = network.now + Span::milliseconds(20);
        while network.now < accepted + Span::milliseconds(steps) {
            network.run(Span::milliseconds(1));
        }
        network.crash(&at);
        network.boot(&at);
        network.run(Span::hours(2));
        assert!(network.sites.values().all(|site| site.durable.spool.queue.is_empty()));
        network.notices_in(&user(&member(1, 'a')))
    };
    let ways = [user(&member(1, 'a')), user(&member(1, 'b')), "x@example.net".into()];
    let all = |faults: &[&str]| {
        let mut counts = Vec::new();
        for (seed, steps) in (0..60).map(|step| (step, step)) {
            counts.extend(ways.iter().map(|to| told(faults, seed, steps, to)));
        }
        counts.sort_unstable();
        counts.dedup();
        counts
    };
    assert_eq!(all(&[]), [1]);
    assert!(all(&["confirmed-before-removal"]).contains(&2), "the planted bug tells twice");
}

/// CU-062 with DELIVER: the reply is lost, the host is asked, and the sender is told once.
#[test]
fn a_lost_result_is_asked_for_and_then_confirmed() {
    let mut network = network(&[], 7);
    network.traps.push(Trap::Cut(|pdu| matches!(pdu, Pdu::Result { .. })));
    let account = user(&member(1, 'b'));
    let client =
        network.mail_notify(&member(1, 'a'), SENDER, core::slice::from_ref(&account), SUCCESS);
    network.run(Span::minutes(10));
    assert!(network.traps.is_empty());
    assert_eq!(
        (network.copies(client, &account), network.notices_in(&user(&member(1, 'a')))),
        (1, 1)
    );
}
