//! Connectors with a schedule: mail waits at its source, and everything else goes on.

use crate::network::{Network, member, organization, user};
use bridgehead::kernel::{Input, Span, Time};
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::linkstate::LinkTimer;
use bridgehead::protocol::member::{NoticeKind, Pdu, Policy, Timer};
use bridgehead::protocol::operator::Selection;
use bridgehead::protocol::organization::Organization;
use bridgehead::protocol::organization::schedule::{Day, ScheduleEntry};
use bridgehead::wire::message::{Address, Field};
use bridgehead::wire::restrictions::Priority;

const SENDER: Option<&str> = Some("user-g1-a@example.org");

/// The network begins on a Thursday, 1 January 1970, at 00:16:40.
fn network(from: &str, to: &str, faults: &[&str]) -> Network {
    let mut organization = organization(2);
    let time = |text: &str| String::from(text).try_into().expect("a time");
    organization.connectors[0].schedule =
        vec![ScheduleEntry { days: vec![Day::Thu, Day::Fri], from: time(from), to: time(to) }];
    assert_eq!(organization.connectors[0].name.as_str(), "g1-g2");
    // Where a connector looks at the priority, the header is read.
    organization.connectors[0].priorities = vec![Priority::Normal, Priority::High];
    assert_eq!(organization.check(), []);
    let faults = Faults::named(faults.iter().copied()).unwrap();
    let mut network = Network::new(organization, Policy::default(), &faults, 1);
    network.run(Span::seconds(10));
    network
}

fn clock(hours: u64, minutes: u64) -> Time {
    Time(0) + Span::minutes(hours * 60 + minutes)
}

fn until(network: &mut Network, time: Time) {
    network.run(time.since(network.now));
}

fn send(network: &mut Network, at: char) -> (u64, Address) {
    let account = user(&member(2, 'b'));
    (network.mail(&member(1, at), SENDER, core::slice::from_ref(&account)), account)
}

/// How many hand-overs began over the connector, and how many minutes behind the start.
fn offers(network: &Network) -> Vec<u64> {
    let offers = network
        .heard
        .iter()
        .filter(|(_, name, pdu)| *name == member(2, 'a') && matches!(pdu, Pdu::Offer { .. }));
    offers.map(|(time, ..)| time.since(Time(0)).as_seconds() / 60).collect()
}

/// For what the recipients in the queue of the source wait.
fn shown(network: &Network) -> Vec<Option<String>> {
    let site = &network.sites[&member(1, 'a')];
    let machine = site.node.as_ref().unwrap().machine();
    let rows = machine.rows(&Selection::default(), network.now, &site.config);
    rows.into_iter().flat_map(|row| row.recipients).map(|r| r.waits_for).collect()
}

/// A timer may fire a little before the clock shows the hour: the rest is not waited for in ever smaller steps.
#[test]
fn nobody_spins_before_the_hours_begin() {
    let mut network = network("02:00", "03:00", &[]);
    let _ = send(&mut network, 'a');
    let before = Time(clock(2, 0).0 - 1);
    until(&mut network, before);
    let source = member(1, 'a');
    let schedule = Timer::Schedule("g1-g2".into());
    network.step(&source, Input::Timer(schedule.clone()));
    let due = network.sites[&source].timers[&schedule];
    assert_eq!(due.since(before), Span::seconds(1));
}

/// LS-240, LS-242, SV-101: mail waits at the source for the hour, also after a restart, and over the boundary at
/// their end; it is shown until when.
#[test]
fn mail_waits_for_the_hours_of_its_connector() {
    let went = |faults: &[&str]| {
        let mut network = network("02:00", "03:00", faults);
        let (first, account) = send(&mut network, 'b');
        network.run(Span::minutes(5));
        let early = network.copies(first, &account);
        if early > 0 {
            return offers(&network);
        }
        let expected = "the schedule of g1-g2 until Thu, 1 Jan 1970 02:00:00 +0000";
        assert_eq!(shown(&network), [Some(expected.to_owned())]);
        network.crash(&member(1, 'a'));
        network.boot(&member(1, 'a'));
        until(&mut network, clock(1, 59));
        assert!(offers(&network).is_empty());
        until(&mut network, clock(2, 1));
        assert_eq!(network.copies(first, &account), 1);
        until(&mut network, clock(2, 59));
        let (second, _) = send(&mut network, 'b');
        until(&mut network, clock(3, 0));
        assert_eq!(network.copies(second, &account), 1);
        // A minute too late: tomorrow.
        let (third, _) = send(&mut network, 'a');
        until(&mut network, clock(25, 59));
        assert_eq!(network.copies(third, &account), 0);
        until(&mut network, clock(26, 1));
        assert_eq!(network.copies(third, &account), 1);
        offers(&network)
    };
    assert_eq!(went(&[]), [120, 179, 26 * 60]);
    assert_ne!(went(&["schedule-ignored"]), [120, 179, 26 * 60]);
}

/// LS-240: urgent mail waits as well.
#[test]
fn urgent_mail_waits_too() {
    let mut network = network("02:00", "03:00", &[]);
    let digest = Network::digest(network.next_client());
    let urgent = Field { name: "Importance".into(), value: "high".into() };
    network.headers.insert(digest, vec![urgent]);
    let (client, account) = send(&mut network, 'a');
    network.run(Span::minutes(1));
    let spool = &network.sites[&member(1, 'a')].durable.spool;
    let message = spool.queue.values().next().expect("it waits");
    assert_eq!(message.envelope.priority, Priority::High);
    assert!(offers(&network).is_empty());
    until(&mut network, clock(2, 1));
    assert_eq!(network.copies(client, &account), 1);
}

/// LS-243, CU-032, CU-033: the life of a message ends while it waits, and it is returned like any other.
#[test]
fn a_message_that_waits_for_too_long_is_returned() {
    let mut network = network("02:00", "03:00", &[]);
    until(&mut network, clock(27, 30));
    let start = network.now;
    let (client, account) = send(&mut network, 'a');
    network.run(Span::hours(8 * 24));
    assert_eq!(network.copies(client, &account), 0);
    let hours = |time: &Time| time.since(start).as_seconds() / 3600;
    let notices: Vec<_> =
        network.notices.iter().map(|(time, _, n)| (n.kind, hours(time))).collect();
    assert_eq!(notices, [(NoticeKind::Delay, 12), (NoticeKind::Failure, 48)]);
    assert!(network.sites[&member(1, 'a')].durable.spool.queue.is_empty());
}

/// LS-241: news does not wait, also where mail does.
#[test]
fn news_does_not_wait_for_the_hours() {
    let mut network = network("02:00", "03:00", &[]);
    send(&mut network, 'a');
    network.run(Span::minutes(1));
    let version = |network: &Network| {
        let machine = network.sites[&member(2, 'b')].node.as_ref().unwrap().machine();
        machine.link().table().get(&"g1".into()).expect("a record").version.user
    };
    assert_eq!(version(&network), 0);
    network.step(&member(1, 'b'), Input::Timer(Timer::Link(LinkTimer::Refresh)));
    network.run(Span::seconds(5));
    assert_eq!(version(&network), 1);
    assert!(offers(&network).is_empty());
}

/// LS-240: whoever changes the hours does not wait for the old ones.
#[test]
fn new_hours_count_at_once() {
    let mut network = network("02:00", "03:00", &[]);
    let (client, account) = send(&mut network, 'a');
    network.run(Span::minutes(1));
    let at = member(1, 'a');
    let site = network.sites.get_mut(&at).unwrap();
    let mut changed = Organization::clone(&site.config.organization);
    changed.revision += 1;
    changed.connectors[0].schedule.clear();
    site.config.organization = changed.into();
    network.step(&at, Input::Configuration);
    network.run(Span::seconds(5));
    assert_eq!(network.copies(client, &account), 1);
    assert_eq!(shown(&network), []);
}
