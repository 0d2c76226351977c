//! What the delivery journal forgets, and what is said of it afterwards.

use bridgehead::kernel::{Input, Machine as _, Node, Seeded, Span, Time};
use bridgehead::protocol::member::{Command, Durable, Member, Pdu, Policy, Port, Timer};
use bridgehead::wire::ids::{Epoch, OriginId};
use bridgehead::wire::message::Address;

use crate::host::{C1, Host};

const DAY: Span = Span::hours(24);

fn here() -> Address {
    Address::from("here@example.org")
}

fn host(faults: &[&str]) -> Host {
    let mut host = Host::new(Policy::default(), faults);
    host.now = Time(0) + Span::hours(24 * 1_000);
    host.inbound(C1, Port::Deliver);
    host
}

/// Delivers a message that has entered the organization now.
fn delivered(host: &mut Host, sequence: u64) -> (OriginId, Time) {
    let parcel = host.parcel(sequence, 0, "here@example.org");
    let (origin, arrived) = (parcel.envelope.origin.clone(), host.now);
    assert!(matches!(host.say(C1, Pdu::Deliver(parcel))[..], [Pdu::Result { .. }]));
    (origin, arrived)
}

fn pass(host: &mut Host, days: u64) {
    for _ in 0..days {
        host.now = host.now + DAY;
        host.input(Input::Timer(Timer::Journal));
    }
}

#[derive(Debug, PartialEq)]
enum Said {
    Result,
    Nothing,
    Forgotten,
}

fn inquire(host: &mut Host, origin: &OriginId, address: Address, arrived: Option<Time>) -> Said {
    let recipients = vec![(0, address, Epoch::FIRST)];
    let inquire = Pdu::Inquire { origin: origin.clone(), recipients, arrived };
    match &host.say(C1, inquire)[..] {
        [Pdu::Result { .. }] => Said::Result,
        [Pdu::NoResult { .. }] => Said::Nothing,
        [Pdu::NoJournal { .. }] => Said::Forgotten,
        other => panic!("{other:?}"),
    }
}

/// DE-085, DE-086: after ninety days, and not before; and never "unknown" of what may have been there.
#[test]
fn what_is_dropped_is_never_unknown() {
    let mut host = host(&[]);
    let (first, at) = delivered(&mut host, 1);
    pass(&mut host, 50);
    let (second, later) = delivered(&mut host, 2);
    pass(&mut host, 39);
    assert_eq!(inquire(&mut host, &first, here(), Some(at)), Said::Result, "the 89th day");
    pass(&mut host, 2);
    assert_eq!(host.durable.spool.journal.len(), 1, "DE-085: the later one stays");
    assert_eq!(host.durable.spool.arrivals.len(), 1);
    assert_eq!(inquire(&mut host, &first, here(), Some(at)), Said::Forgotten);
    assert_eq!(inquire(&mut host, &second, here(), Some(later)), Said::Result);
    let other = OriginId { sequence: 77, ..first.clone() };
    assert_eq!(inquire(&mut host, &other, here(), Some(Time(at.0 - 1))), Said::Forgotten);
    assert_eq!(inquire(&mut host, &other, here(), Some(Time(at.0 + 1))), Said::Nothing);
    assert_eq!(inquire(&mut host, &first, here(), None), Said::Nothing, "DE-088");
    let nobody = Address::from("nobody@example.org");
    assert_eq!(inquire(&mut host, &first, nobody, Some(at)), Said::Nothing, "it keeps no account");
}

/// The planted bugs of DE-085 and DE-086 are seen.
#[test]
fn planted_bugs_of_the_journal_are_seen() {
    let mut lax = host(&["forgotten-is-unknown"]);
    let (first, at) = delivered(&mut lax, 1);
    pass(&mut lax, 91);
    assert_eq!(inquire(&mut lax, &first, here(), Some(at)), Said::Nothing);
    let mut early = host(&["journal-dropped-early"]);
    let (first, at) = delivered(&mut early, 1);
    pass(&mut early, 2);
    assert_eq!(inquire(&mut early, &first, here(), Some(at)), Said::Forgotten);
}

/// DE-090: what is recorded and not yet in its place stays, and a boot looks, too.
#[test]
fn what_is_not_published_stays() {
    let mut host = host(&[]);
    host.slow = true;
    let parcel = host.parcel(1, 0, "here@example.org");
    host.say(C1, Pdu::Deliver(parcel));
    let (ticket, _) = host.open.remove(0);
    host.input(Input::Answer { ticket, answer: bridgehead::protocol::member::Answer::Done });
    pass(&mut host, 100);
    assert_eq!(host.durable.spool.journal.len(), 1);
    let (ticket, _) = host.open.remove(0);
    host.input(Input::Answer { ticket, answer: bridgehead::protocol::member::Answer::Done });
    let mut durable: Durable = host.durable.clone();
    let mut choose = Seeded::new(2);
    let (_, acts) = Node::<Member>::boot(&host.config, &durable, host.now, &mut choose);
    for act in acts {
        if let bridgehead::kernel::Act::Write(change) = act {
            Member::apply(&mut durable, &change);
        }
    }
    assert!(durable.spool.journal.is_empty(), "it is a hundred days old");
    assert!(durable.spool.horizons.contains_key(&here()));
}

/// DE-089: times and horizon move with the account, and the later horizon counts.
#[test]
fn the_horizon_moves_with_the_account() {
    let mut old = host(&[]);
    let (dropped, at) = delivered(&mut old, 1);
    pass(&mut old, 60);
    let (kept, later) = delivered(&mut old, 2);
    pass(&mut old, 31);
    let journal = old.durable.spool.journal_of(&here());
    assert_eq!((journal.rows.len(), journal.arrivals.len()), (1, 1));
    assert_eq!(journal.horizon, Some(at));
    let to = bridgehead::wire::deliver::Ownership { member: "b".into(), epoch: Epoch(2) };
    old.input(Input::Command(Command::CloseAccount { account: here(), to }));
    assert!(old.durable.spool.arrivals.is_empty() && old.durable.spool.horizons.is_empty());

    let mut new = host(&[]);
    new.now = old.now;
    let json = serde_json::to_string(&journal).expect("it is what an export holds");
    let journal = serde_json::from_str(&json).expect("and is read again");
    let open = Command::OpenAccount { account: here(), epoch: Epoch(3), journal };
    new.input(Input::Command(open));
    let mut ask = |origin: &OriginId, arrived| {
        let recipients = vec![(0, here(), Epoch(3))];
        let inquire = Pdu::Inquire { origin: origin.clone(), recipients, arrived: Some(arrived) };
        new.say(C1, inquire)
    };
    assert!(matches!(ask(&dropped, at)[..], [Pdu::NoJournal { .. }]));
    assert!(matches!(ask(&kept, later)[..], [Pdu::Result { .. }]));
    pass(&mut new, 60);
    assert_eq!(new.durable.spool.horizons[&here()], later, "its time came with it");
    let journal =
        bridgehead::protocol::queue::AccountJournal { horizon: Some(at), ..Default::default() };
    let open = Command::OpenAccount { account: here(), epoch: Epoch(4), journal };
    new.input(Input::Command(open));
    assert_eq!(new.durable.spool.horizons[&here()], later);
}

/// DE-090: what an older version has recorded without a time gets one when that is noticed.
#[test]
fn what_has_no_time_gets_one() {
    let mut host = host(&[]);
    let (origin, at) = delivered(&mut host, 1);
    host.durable.spool.arrivals.clear();
    let mut choose = Seeded::new(2);
    let (node, acts) = Node::boot(&host.config, &host.durable, host.now, &mut choose);
    host.node = node;
    host.act(acts);
    assert_eq!(host.durable.spool.arrivals[&origin], at);
}
