//! What a sender makes of a refused offer, and the ids under which it offers; what travels
//! with a hand-over.

use crate::network::{Network, Trap, member, organization, user};
use bridgehead::kernel::Span;
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::member::{Event, NewMail, Pdu, Policy};
use bridgehead::protocol::queue::Ending;
use bridgehead::wire::ids::TransferId;
use bridgehead::wire::message::{
    Address, Body, BodyKey, Digest, Notify, Recipient, Refusal, Return,
};
use proptest::option;
use proptest::prelude::*;

fn network() -> Network {
    let mut network = Network::new(organization(2), Policy::default(), &Faults::none(), 11);
    network.run(Span::seconds(10));
    network
}

/// Mail from `g1-b` to the account of `g2-b`, whose first offer is refused behind its octets.
fn refused_once(refusal: &Refusal) -> (Network, u64) {
    let mut network = network();
    let is_end_of_offer = |pdu: &Pdu| matches!(pdu, Pdu::Transferred { .. });
    network.traps.push(Trap::Refuse(is_end_of_offer, refusal.clone()));
    let account = user(&member(2, 'b'));
    let client = network.mail(&member(1, 'b'), Some("user-g1-b@example.org"), &[account]);
    network.run(Span::minutes(5));
    (network, client)
}

/// The offers that `g1-a` has heard.
fn offers(network: &Network) -> Vec<(TransferId, u32)> {
    let heard = network.heard.iter().filter(|(_, name, _)| *name == member(1, 'a'));
    heard
        .filter_map(|(_, _, pdu)| match pdu {
            Pdu::Offer { transfer, offer, .. } => Some((transfer.clone(), *offer)),
            _ => None,
        })
        .collect()
}

/// SU-001, SU-005: for now, or about the dialogue: the same id is offered again, by the schedule.
#[test]
fn a_refusal_that_is_no_verdict_leads_to_another_attempt() {
    for refusal in [
        Refusal::new(451, "4.3.0", "later"),
        Refusal::new(503, "5.5.1", "HELLO first"),
        Refusal::new(530, "5.7.0", "members only"),
        Refusal::new(554, "5.6.0", "the digest differs"),
    ] {
        let (mut network, client) = refused_once(&refusal);
        assert_eq!(offers(&network).len(), 1, "{refusal:?} is not answered at once");
        network.run(Span::minutes(6));
        let offers = offers(&network);
        assert_eq!(offers.len(), 2, "{refusal:?} is followed by another offer");
        assert_eq!((&offers[0].0, offers[0].1 + 1), (&offers[1].0, offers[1].1));
        assert_eq!(network.copies(client, &user(&member(2, 'b'))), 1);
        assert_eq!(network.notices.len(), 0, "{refusal:?} returns nothing");
    }
}

/// SU-006: somebody forges, or has lost a disk: an operator must look.
#[test]
fn a_conflict_holds_the_message() {
    let refusal = Refusal::new(554, "5.7.0", "another content");
    let (mut network, client) = refused_once(&refusal);
    let alarms = network.events.iter().filter(|(_, _, event)| matches!(event, Event::Held { .. }));
    assert_eq!(alarms.count(), 1, "{:#?}", network.events);
    let held = |network: &Network| {
        let queue = &network.sites[&member(1, 'b')].durable.spool.queue;
        queue.values().filter(|message| message.held.is_some()).count()
    };
    assert_eq!(held(&network), 1, "it is held on the disk, too");
    network.crash(&member(1, 'b'));
    network.boot(&member(1, 'b'));
    network.run(Span::hours(11));
    assert_eq!((held(&network), offers(&network).len()), (1, 1), "nothing more is offered");
    assert_eq!(network.copies(client, &user(&member(2, 'b'))), 0);
    assert_eq!(network.notices.len(), 0);
}

/// SU-009: what cannot travel is not offered for ever.
#[test]
fn content_that_cannot_travel_is_returned() {
    let refusal = Refusal::new(554, "5.6.1", "octet 7: a bare CR or LF");
    let (mut network, client) = refused_once(&refusal);
    assert_eq!(network.notices.len(), 1);
    assert_eq!(network.notices[0].2.recipients[0].1, Ending::Refused(refusal));
    network.run(Span::hours(50));
    assert_eq!((offers(&network).len(), network.notices.len()), (1, 1));
    assert_eq!(network.copies(client, &user(&member(2, 'b'))), 0);
    assert!(network.sites.values().all(|site| site.durable.spool.queue.is_empty()));
    assert_eq!(network.sites[&member(1, 'b')].new.len(), 1, "its sender has the notice");
}

/// CU-006: the disk keeps its id, no two disks have the same, and no boot mints under the ids of another.
#[test]
fn a_disk_keeps_its_id_and_a_boot_draws_its_own() {
    let mut network = network();
    let (here, far) = (member(1, 'b'), member(2, 'b'));
    let mut incarnations = Vec::new();
    let store = network.sites[&here].durable.store;
    for _ in 0..4 {
        let durable = &network.sites[&here].durable;
        assert_eq!(durable.store, store, "a boot leaves the id of the disk alone");
        assert!(!incarnations.contains(&durable.incarnation), "an incarnation comes once");
        incarnations.push(durable.incarnation);
        let before = offers(&network).len();
        network.mail(&here, None, &[user(&far)]);
        network.run(Span::seconds(20));
        let offers = offers(&network);
        assert_eq!(offers.len(), before + 1);
        assert_eq!(offers[before].0.incarnation, incarnations[incarnations.len() - 1]);
        network.crash(&here);
        network.boot(&here);
        network.run(Span::seconds(20));
    }
    let stores: Vec<_> = network.sites.values().map(|site| site.durable.store).collect();
    let mut distinct = stores.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), stores.len(), "{stores:?}");
}

fn any_mail() -> impl Strategy<Value = NewMail> {
    let address =
        || "[a-z]{1,8}@[a-z]{1,8}\\.example".prop_map(|text| Address::from(text.as_str()));
    let notify = (any::<bool>(), any::<bool>(), any::<bool>());
    let notify = notify.prop_map(|(success, failure, delay)| Notify { success, failure, delay });
    let recipient = (notify, option::of("rfc822;[a-z@.]{1,12}")).prop_map(|(notify, original)| {
        Recipient { index: 0, address: user(&member(2, 'b')), notify, original, suspect: false }
    });
    let ret = prop_oneof![Just(None), Just(Some(Return::Full)), Just(Some(Return::Headers))];
    let client = ("[a-z.]{1,12}", option::of("[a-z]{1,8}"));
    let options = (ret, option::of("[!-~]{1,12}"), any::<bool>());
    let recipients = proptest::collection::vec(recipient, 1..4);
    (option::of(address()), recipients, options, client).prop_map(
        |(sender, recipients, (ret, envid, smtputf8), (from, submitter))| NewMail {
            sender,
            recipients,
            ret,
            envid,
            smtputf8,
            submitter,
            from,
            with: "ESMTP".into(),
            body: Body { key: BodyKey(0), digest: Digest::default(), octets: 0 },
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// SU-059: everything that came with a message stands in the queue of the last member, two hops on,
    /// and nothing of it is dated anew.
    #[test]
    fn what_came_with_a_message_survives_the_hops(mail in any_mail()) {
        let mut network = network();
        network.crash(&member(2, 'b'));
        let arrived = network.now;
        let client = network.mail_as(&member(1, 'b'), mail.clone());
        network.run(Span::seconds(30));
        let queue = &network.sites[&member(2, 'a')].durable.spool.queue;
        let message = queue.values().next().expect("it waits for its host");
        prop_assert_eq!(message.envelope.hops.len(), 3);
        let envelope = &message.envelope;
        prop_assert_eq!(&envelope.origin.member, &member(1, 'b'));
        prop_assert_eq!(&envelope.sender, &mail.sender);
        let numbered = mail.recipients.iter().cloned().zip(0..);
        let recipients: Vec<_> =
            numbered.map(|(recipient, index)| Recipient { index, ..recipient }).collect();
        prop_assert_eq!(&envelope.recipients, &recipients);
        prop_assert_eq!(envelope.arrived, arrived);
        prop_assert_eq!(envelope.expires, arrived + Span::hours(48));
        prop_assert_eq!((envelope.ret, &envelope.envid), (mail.ret, &mail.envid));
        prop_assert_eq!(envelope.smtputf8, mail.smtputf8);
        prop_assert_eq!(&envelope.submitter, &mail.submitter);
        prop_assert_eq!((&envelope.hops[0].from, envelope.hops[0].by.as_str()), (&mail.from, "g1-b"));
        prop_assert_eq!(message.body.digest, Network::digest(client));
        prop_assert!(!envelope.unqueued && !envelope.rules_due);
    }
}

/// SU-059: the receiver of a hand-over goes on with the schedule, also after a restart.
#[test]
fn the_schedule_goes_on_behind_the_hop() {
    let (bridgehead, target) = (member(1, 'a'), member(2, 'a'));
    let mut network = network();
    network.crash(&member(2, 'b'));
    for _ in 0..3 {
        let refusal = Refusal::new(450, "4.3.0", "not now");
        network.traps.push(Trap::Refuse(|pdu| matches!(pdu, Pdu::Transferred { .. }), refusal));
    }
    let to = [user(&member(2, 'b'))];
    network.mail(&bridgehead, Some("user-g1-a@example.org"), &to);
    network.run(Span::minutes(31));
    let queued = &network.sites[&target].durable.spool.queue;
    let attempts: Vec<u32> = queued.values().map(|message| message.envelope.attempts).collect();
    assert_eq!(attempts, [3], "three waits of ten minutes are over");
    network.crash(&target);
    network.boot(&target);
    network.run(Span::seconds(10));
    let now = network.now;
    let failed = |network: &Network| {
        let events = network.events.iter();
        let deferred = events.filter(|(at, member, event)| {
            *at > now && *member == target && matches!(event, Event::Deferred { .. })
        });
        deferred.count()
    };
    network.run(Span::minutes(12));
    assert_eq!(failed(&network), 0, "the next wait is fifteen minutes, not ten");
    network.run(Span::minutes(4));
    assert_eq!(failed(&network), 1);
}
