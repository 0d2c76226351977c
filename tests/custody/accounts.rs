//! The host of accounts that take no mail now, or have no room for it.

use std::sync::Arc;

use bridgehead::kernel::Input;
use bridgehead::protocol::member::{Answer, Command, Event, Parcel, Pdu, Policy, Port, Query};
use bridgehead::protocol::organization::{Account, AccountStatus, Organization, OverQuota};
use bridgehead::protocol::queue::AccountJournal;
use bridgehead::wire::ids::Epoch;
use bridgehead::wire::message::{Address, Outcome};

use crate::host::{C1, Host, octets_of_file};

/// What is set of the first account, which is the host's.
fn host_with(change: impl Fn(&mut Account), faults: &[&str]) -> Host {
    let mut host = Host::new(Policy::default(), faults);
    set(&mut host, change);
    host.inbound(C1, Port::Deliver);
    host
}

fn set(host: &mut Host, change: impl Fn(&mut Account)) {
    let mut organization = Organization::clone(&host.config.organization);
    let other = Address::from("other@example.org");
    if organization.account(&other).is_none() {
        organization.accounts.push(Account::new(other, "a".into()));
    }
    change(&mut organization.accounts[0]);
    assert_eq!(organization.check(), []);
    host.config.organization = Arc::new(organization);
}

fn quota(octets: u64) -> impl Fn(&mut Account) {
    move |account| account.quota_octets = octets
}

fn forever(octets: u64) -> impl Fn(&mut Account) {
    move |account| {
        account.quota_octets = octets;
        account.over_quota = OverQuota::Permanent;
    }
}

/// The octets of the file that a parcel of these tests becomes (DE-098).
fn file_octets() -> u64 {
    let mut host = host_with(|_| {}, &[]);
    let parcel = host.parcel(1, 0, "here@example.org");
    host.say(C1, Pdu::Deliver(parcel));
    let octets = host.asked.iter().find_map(octets_of_file).expect("it is stored");
    assert!(octets > 40, "the lines above the content count");
    octets
}

/// One for the account, and one for an account of which nothing is set.
fn parcel_for_both(host: &mut Host, sequence: u64) -> Parcel {
    let mut parcel = host.parcel(sequence, 0, "here@example.org");
    let other = host.parcel(sequence, 1, "other@example.org").envelope.recipients;
    parcel.envelope.recipients.extend(other);
    parcel
}

/// What was said of each: 250, or the refusal.
fn words(said: &[Pdu]) -> Vec<(u32, u16, &str)> {
    let word = |pdu: &Pdu| match pdu {
        Pdu::Result { index, outcome: Outcome::Delivered, .. } => (*index, 250, "2.1.5"),
        Pdu::Result { .. } => (0, 0, ""),
        other => panic!("no result: {other:?}"),
    };
    let refused = |pdu: &Pdu| match pdu {
        Pdu::Result { index, outcome: Outcome::Refused(refusal), .. } => {
            Some((*index, refusal.code, refusal.status.clone()))
        }
        _ => None,
    };
    let known = ["4.2.1", "4.2.2", "5.2.2", "4.3.1", "4.3.2"];
    let named = |status: &str| *known.iter().find(|k| **k == status).expect("a known status");
    said.iter()
        .map(|pdu| refused(pdu).map_or_else(|| word(pdu), |(i, code, s)| (i, code, named(&s))))
        .collect()
}

/// DE-080: a suspended account is refused for now, and the others of the message go on.
#[test]
fn a_suspended_account_takes_nothing_now() {
    let suspended = |account: &mut Account| account.status = AccountStatus::Suspended;
    let mut host = host_with(suspended, &[]);
    let parcel = parcel_for_both(&mut host, 1);
    let said = host.say(C1, Pdu::Deliver(parcel));
    assert_eq!(words(&said), [(0, 450, "4.2.1"), (1, 250, "2.1.5")]);
    assert_eq!(host.deposits(), 1);
    assert_eq!(host.durable.spool.journal.len(), 1, "a refusal for now is not recorded");
    set(&mut host, |account| account.status = AccountStatus::Open);
    let parcel = parcel_for_both(&mut host, 1);
    let said = host.say(C1, Pdu::Deliver(parcel));
    assert_eq!(words(&said), [(0, 250, "2.1.5"), (1, 250, "2.1.5")], "it takes mail again");
    assert_eq!(host.deposits(), 2);

    let mut host = host_with(suspended, &["suspended-takes-mail"]);
    let parcel = host.parcel(1, 0, "here@example.org");
    let said = host.say(C1, Pdu::Deliver(parcel));
    assert_eq!(words(&said), [(0, 250, "2.1.5")], "the planted bug is seen");
}

/// DE-081, DE-098: what fits comes in, to the last octet; what does not is refused for now, others go on.
#[test]
fn an_account_without_room_refuses_for_now() {
    let file = file_octets();
    let mut host = host_with(quota(60 + file), &[]);
    host.used = 60;
    let parcel = parcel_for_both(&mut host, 1);
    let said = host.say(C1, Pdu::Deliver(parcel));
    assert_eq!(words(&said), [(0, 250, "2.1.5"), (1, 250, "2.1.5")], "the file fits");
    let asked = host.asked.iter().filter(|query| matches!(query, Query::Usage { .. })).count();
    assert_eq!(asked, 1, "only where there is a quota");
    host.used = 61;
    let parcel = parcel_for_both(&mut host, 2);
    let said = host.say(C1, Pdu::Deliver(parcel));
    assert_eq!(words(&said), [(0, 452, "4.2.2"), (1, 250, "2.1.5")]);
    let origin = parcel_for_both(&mut host, 2).envelope.origin;
    assert_eq!(host.durable.spool.recorded(&origin, 0), None);

    let mut host = host_with(quota(60 + file), &["quota-not-checked"]);
    host.used = 61;
    let parcel = host.parcel(1, 0, "here@example.org");
    let said = host.say(C1, Pdu::Deliver(parcel));
    assert_eq!(words(&said), [(0, 250, "2.1.5")], "the planted bug is seen");
}

/// DE-082, DE-026: for ever where the organization says so, and in the journal before it is spoken.
#[test]
fn an_account_without_room_refuses_for_ever_where_it_is_to() {
    let mut host = host_with(forever(60 + file_octets()), &[]);
    host.used = 61;
    let parcel = parcel_for_both(&mut host, 1);
    let origin = parcel.envelope.origin.clone();
    let said = host.say(C1, Pdu::Deliver(parcel));
    assert_eq!(words(&said), [(0, 552, "5.2.2"), (1, 250, "2.1.5")]);
    assert!(host.durable.spool.recorded(&origin, 0).is_some(), "it is final");
    host.used = 0;
    let parcel = parcel_for_both(&mut host, 1);
    let said = host.say(C1, Pdu::Deliver(parcel));
    assert_eq!(words(&said), [(0, 552, "5.2.2"), (1, 250, "2.1.5")], "also when there is room");
}

/// DE-084: what was delivered is said again, whatever the account takes by then.
#[test]
fn a_repeat_is_answered_from_the_journal() {
    let file = file_octets();
    let mut host = host_with(forever(file), &[]);
    let parcel = host.parcel(1, 0, "here@example.org");
    assert_eq!(words(&host.say(C1, Pdu::Deliver(parcel))), [(0, 250, "2.1.5")]);
    host.used = file;
    set(&mut host, |account| account.status = AccountStatus::Suspended);
    let parcel = host.parcel(1, 0, "here@example.org");
    assert_eq!(words(&host.say(C1, Pdu::Deliver(parcel))), [(0, 250, "2.1.5")]);
    assert_eq!(host.deposits(), 1, "C2");
}

/// Two deliveries into an account that has room for one, at the same time; what was said
/// when all questions are answered. The files are counted as they are when the host gets to it.
fn both_at_once(faults: &[&str], change: impl Fn(&mut Account)) -> (Host, Vec<u16>) {
    let mut host = host_with(change, faults);
    host.slow = true;
    host.said.clear();
    for (from, sequence) in [(C1, 1), (C1, 2)] {
        let parcel = host.parcel(sequence, 0, "here@example.org");
        host.input(Input::Pdu { from, pdu: Pdu::Deliver(parcel) });
    }
    // The newest question first: so the second one is weighed while the first is being written.
    while let Some((ticket, query)) = host.open.pop() {
        let answer = match query {
            Query::Usage { without, .. } => {
                assert!(without.len() <= 1, "DE-083: one is weighed at a time");
                Answer::Octets(host.used)
            }
            _ => Answer::Done,
        };
        host.input(Input::Answer { ticket, answer });
    }
    let said = host.said_to(C1);
    let codes = words(&said).iter().map(|(_, code, _)| *code).collect();
    (host, codes)
}

/// DE-083: two deliveries never share the last room, and none is refused for ever for one under way.
#[test]
fn the_last_room_is_given_once() {
    let room = file_octets() + 10;
    let (host, codes) = both_at_once(&[], quota(room));
    assert_eq!(codes, [250, 452]);
    assert_eq!(host.deposits(), 1);
    let (host, codes) = both_at_once(&[], forever(room));
    assert_eq!((host.deposits(), codes), (1, vec![250, 452]));
    let (host, codes) = both_at_once(&["room-is-not-reserved"], quota(room));
    assert_eq!((host.deposits(), codes), (2, vec![250, 250]), "the planted bug is seen");
}

/// DE-083: a delivery that fails takes no room, and one that was recorded takes it whatever was counted.
#[test]
fn room_goes_by_what_became_of_the_others() {
    let mut host = host_with(quota(file_octets() + 10), &[]);
    host.slow = true;
    let take = |host: &mut Host, sequence, answer: &dyn Fn(&Query) -> Option<Answer>| {
        if sequence > 0 {
            let parcel = host.parcel(sequence, 0, "here@example.org");
            host.input(Input::Pdu { from: C1, pdu: Pdu::Deliver(parcel) });
        }
        let place = host.open.iter().position(|(_, query)| answer(query).is_some());
        let (ticket, query) = host.open.remove(place.expect("it is asked"));
        let answer = answer(&query).expect("it was just found");
        host.input(Input::Answer { ticket, answer });
    };
    let count = |query: &Query| matches!(query, Query::Usage { .. }).then_some(Answer::Octets(0));
    let fail = |query: &Query| {
        let refusal = bridgehead::wire::message::Refusal::new(451, "4.3.0", "no");
        matches!(query, Query::Deposit { .. }).then_some(Answer::Failed(refusal))
    };
    // The first is being written when the second is weighed, and fails before the answer.
    take(&mut host, 1, &count);
    let parcel = host.parcel(2, 0, "here@example.org");
    host.input(Input::Pdu { from: C1, pdu: Pdu::Deliver(parcel) });
    take(&mut host, 0, &fail);
    take(&mut host, 0, &count);
    assert_eq!(host.deposits(), 2, "there is room for the second");
    // The second is recorded before the third is weighed, and counted wherever its file is.
    let done = |query: &Query| matches!(query, Query::Deposit { .. }).then_some(Answer::Done);
    take(&mut host, 0, &done);
    let parcel = host.parcel(3, 0, "here@example.org");
    host.input(Input::Pdu { from: C1, pdu: Pdu::Deliver(parcel) });
    let usage = host.open.iter().find(|(_, query)| matches!(query, Query::Usage { .. }));
    let Some((_, Query::Usage { without, unpublished, .. })) = usage else { panic!("{usage:?}") };
    assert_eq!((without.len(), unpublished.len()), (0, 1));
}

/// DE-044, DE-081: an account that moves while its room is asked for takes nothing here.
#[test]
fn an_account_moves_while_it_is_weighed() {
    let mut host = host_with(quota(100), &[]);
    host.slow = true;
    let parcel = host.parcel(1, 0, "here@example.org");
    host.input(Input::Pdu { from: C1, pdu: Pdu::Deliver(parcel) });
    let account = Address::from("here@example.org");
    let to = bridgehead::wire::deliver::Ownership { member: "b".into(), epoch: Epoch(2) };
    host.input(Input::Command(Command::CloseAccount { account: account.clone(), to }));
    host.said.clear();
    let (ticket, _) = host.open.remove(0);
    host.input(Input::Answer { ticket, answer: Answer::Octets(0) });
    assert!(matches!(host.said_to(C1)[..], [Pdu::Moved { .. }]));
    assert_eq!(host.deposits(), 0);
    assert!(host.events.iter().any(|event| matches!(event, Event::Fenced { .. })));
    let journal = AccountJournal::default();
    host.input(Input::Command(Command::OpenAccount { account, epoch: Epoch(3), journal }));
    assert_eq!(host.deposits(), 0, "nothing of it comes back");
}

/// SV-061: status and quota of an account in a mail store are the store's, and a way to refuse needs a
/// quota.
#[test]
fn an_organization_says_what_hosts_can_keep() {
    let host = Host::new(Policy::default(), &[]);
    let problems = |change: &dyn Fn(&mut Account)| {
        let mut organization = Organization::clone(&host.config.organization);
        let store = bridgehead::protocol::organization::Store {
            name: "vault".into(),
            lmtp: "192.0.2.24:24".into(),
        };
        organization.groups[0].stores.push(store);
        organization.accounts[0].host = Some("vault".into());
        change(&mut organization.accounts[0]);
        let errors = organization.check();
        errors.into_iter().map(|error| error.place).collect::<Vec<_>>()
    };
    let none: [&str; 0] = [];
    assert_eq!(problems(&|_| {}), none);
    assert_eq!(problems(&|a| a.send_limit_octets = 9), none, "it is for whoever takes its mail");
    assert_eq!(problems(&quota(9)), ["account[0].quota_octets"]);
    assert_eq!(problems(&|a| a.status = AccountStatus::Suspended), ["account[0].status"]);
    let lax = |account: &mut Account| account.over_quota = OverQuota::Permanent;
    assert_eq!(problems(&lax), ["account[0].over_quota"]);
    let own = |account: &mut Account| account.host = Some("a".into());
    assert_eq!(problems(&|a| (forever(9)(a), own(a)).1), none);
}
