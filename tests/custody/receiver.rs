//! One member, spoken to by a peer that may say anything: the receiving sides of hand-over and
//! delivery.

use std::sync::Arc;

use crate::host::{C1, C2, Host};
use bridgehead::kernel::{Input, LinkChange};
use bridgehead::protocol::deliver::MOVED_LIMIT;
use bridgehead::protocol::linkstate::{LinkPdu, Record};
use bridgehead::protocol::member::{
    Answer, Candidate, Command, Event, NewMail, Pdu, Policy, Port, Query,
};
use bridgehead::protocol::queue::AccountJournal;
use bridgehead::protocol::rules::Rule;
use bridgehead::protocol::submit::OFFERS_LIMIT;
use bridgehead::wire::deliver::Ownership;
use bridgehead::wire::ids::{ConnectionId, Epoch, Incarnation, MemberName, StoreId, TransferId};
use bridgehead::wire::message::{Address, Body, BodyKey, Digest, Outcome};

fn transfer(member: &str, sequence: u64) -> TransferId {
    TransferId { member: member.into(), incarnation: Incarnation(7), sequence }
}

fn refusal(answer: &[Pdu]) -> (u16, &str) {
    match answer {
        [Pdu::Refused(refusal)] => (refusal.code, &refusal.status),
        [Pdu::Result { outcome: Outcome::Refused(refusal), .. }] => (refusal.code, &refusal.status),
        other => panic!("no refusal: {other:?}"),
    }
}

/// SU-010, SU-011, SU-016, SU-017: the way of a transfer, and its repeats.
#[test]
fn a_transfer_is_accepted_once_and_answers_the_same_id() {
    let mut host = Host::new(Policy::default(), &[]);
    host.connect(C1);
    let id = transfer("b", 1);
    let commit = Pdu::Commit { transfer: id.clone(), offer: 1 };
    assert_eq!(refusal(&host.say(C1, commit.clone())), (503, "5.5.1"), "COMMIT before OFFER");
    let parcel = host.parcel(1, 0, "here@example.org");
    let (octets, digest) = (40, Digest([0; 32]));
    let announce = Pdu::Announce { transfer: id.clone(), offer: 1, octets, digest };
    assert_eq!(host.say(C1, announce), [Pdu::Ok]);
    let offer = Pdu::Offer { transfer: id.clone(), offer: 1, parcel };
    let answer = host.say(C1, offer.clone());
    assert_eq!(answer, [Pdu::Transferred { transfer: id.clone(), offer: 1 }]);
    assert!(host.durable.spool.accepted.is_empty(), "nothing is promised yet");
    let other = Pdu::Commit { transfer: id.clone(), offer: 2 };
    assert_eq!(refusal(&host.say(C1, other)), (503, "5.5.1"), "COMMIT of another offer");
    let accepted = host.say(C1, commit.clone());
    assert!(matches!(&accepted[..], [Pdu::HandedOver { .. }]), "{accepted:?}");
    assert_eq!(host.deposits(), 1);
    for repeat in [commit, offer, Pdu::Status(id.clone()), Pdu::Resolve { transfer: id, offer: 1 }]
    {
        assert_eq!(host.say(C1, repeat), accepted);
    }
    assert_eq!(host.deposits(), 1, "C2: repeats deliver nothing");
}

/// SU-012: the same id with another content.
#[test]
fn the_same_id_with_another_content_raises_an_alarm() {
    let mut host = Host::new(Policy::default(), &[]);
    host.connect(C1);
    let id = transfer("b", 1);
    let parcel = host.parcel(1, 0, "here@example.org");
    host.say(C1, Pdu::Offer { transfer: id.clone(), offer: 1, parcel });
    host.say(C1, Pdu::Commit { transfer: id.clone(), offer: 1 });
    let parcel = host.parcel(1, 1, "here@example.org");
    let answer = host.say(C1, Pdu::Offer { transfer: id, offer: 2, parcel });
    assert_eq!(refusal(&answer), (554, "5.7.0"));
    assert!(host.events.iter().any(|event| matches!(event, Event::Conflict { .. })));
}

fn commit_after(host: &mut Host, between: Pdu) -> Vec<Pdu> {
    host.connect(C1);
    host.connect(C2);
    let id = transfer("b", 1);
    let parcel = host.parcel(1, 0, "here@example.org");
    host.say(C1, Pdu::Offer { transfer: id.clone(), offer: 1, parcel });
    host.say(C2, between);
    host.say(C1, Pdu::Commit { transfer: id, offer: 1 })
}

/// SU-014, SU-023: RESOLVE on one connection comes before COMMIT on another.
#[test]
fn a_fence_stops_a_commit_that_comes_later() {
    let resolve = Pdu::Resolve { transfer: transfer("b", 1), offer: 1 };
    let mut host = Host::new(Policy::default(), &[]);
    let answer = commit_after(&mut host, resolve.clone());
    assert_eq!(refusal(&answer), (450, "4.5.0"));
    let id = transfer("b", 1);
    let parcel = host.parcel(1, 0, "here@example.org");
    let answer = host.say(C1, Pdu::Offer { transfer: id.clone(), offer: 1, parcel });
    assert_eq!(refusal(&answer), (450, "4.5.0"), "the fenced offer");
    let parcel = host.parcel(1, 0, "here@example.org");
    host.say(C1, Pdu::Offer { transfer: id.clone(), offer: 2, parcel });
    let answer = host.say(C1, Pdu::Commit { transfer: id, offer: 2 });
    assert!(matches!(answer[..], [Pdu::HandedOver { .. }]), "the offer above it: {answer:?}");

    let mut host = Host::new(Policy::default(), &["resolve-without-fence"]);
    let answer = commit_after(&mut host, resolve);
    assert!(matches!(answer[..], [Pdu::HandedOver { .. }]), "the planted bug takes it");
}

/// SU-024: STATUS changes nothing.
#[test]
fn status_of_what_is_unknown_stops_nothing() {
    let status = Pdu::Status(transfer("b", 1));
    let mut host = Host::new(Policy::default(), &[]);
    let before = host.durable.clone();
    host.connect(C1);
    assert_eq!(host.say(C1, status.clone()), [Pdu::Unknown(transfer("b", 1))]);
    assert_eq!(host.durable, before);
    let mut host = Host::new(Policy::default(), &[]);
    let answer = commit_after(&mut host, status.clone());
    assert!(matches!(answer[..], [Pdu::HandedOver { .. }]), "{answer:?}");
    let mut host = Host::new(Policy::default(), &["status-fences"]);
    let answer = commit_after(&mut host, status);
    assert_eq!(refusal(&answer), (450, "4.5.0"), "the planted bug fences it");
}

/// SU-013, SU-015, SU-030, CU-003: what an offer is refused for.
#[test]
fn offers_are_refused_with_their_reasons() {
    let policy = Policy { message_limit_octets: 39, ..Policy::default() };
    let mut host = Host::new(policy, &[]);
    host.inbound(C1, Port::Smtp);
    let offer = |host: &mut Host, member| {
        let parcel = host.parcel(1, 0, "here@example.org");
        Pdu::Offer { transfer: transfer(member, 1), offer: 1, parcel }
    };
    let pdu = offer(&mut host, "b");
    assert_eq!(refusal(&host.say(C1, pdu)), (503, "5.5.1"), "before HELLO");
    host.say(C1, Pdu::Hello { member: MemberName::from("b"), store: StoreId(9), load: None });
    let pdu = offer(&mut host, "b");
    assert_eq!(refusal(&host.say(C1, pdu)), (503, "5.5.1"), "before the link state");
    host.connect(C2);
    let pdu = offer(&mut host, "c");
    assert_eq!(refusal(&host.say(C2, pdu)), (503, "5.5.1"), "an id of another member");
    let foreign = Pdu::Resolve { transfer: transfer("c", 1), offer: 1 };
    assert_eq!(refusal(&host.say(C2, foreign)), (503, "5.5.1"), "a fence for another member");
    let pdu = offer(&mut host, "b");
    assert_eq!(refusal(&host.say(C2, pdu)), (552, "5.3.4"), "too large");
    let discarded = host.asked.iter().filter(|query| matches!(query, Query::Discard(_))).count();
    assert_eq!(discarded, 4, "a refused body is let go");
}

/// The offers that one connection may leave uncommitted are bounded; each can be committed.
#[test]
fn offers_that_are_not_committed_are_bounded() {
    let mut host = Host::new(Policy::default(), &[]);
    host.connect(C1);
    let offer = |host: &mut Host, sequence| {
        let parcel = host.parcel(sequence, 0, "here@example.org");
        host.say(C1, Pdu::Offer { transfer: transfer("b", sequence), offer: 1, parcel })
    };
    for sequence in 1..=OFFERS_LIMIT as u64 {
        assert!(matches!(offer(&mut host, sequence)[..], [Pdu::Transferred { .. }]));
    }
    let beyond = OFFERS_LIMIT as u64 + 1;
    assert_eq!(refusal(&offer(&mut host, beyond)), (452, "4.5.3"));
    let answer = host.say(C1, Pdu::Commit { transfer: transfer("b", 1), offer: 1 });
    assert!(matches!(answer[..], [Pdu::HandedOver { .. }]), "{answer:?}");
    assert!(matches!(offer(&mut host, beyond)[..], [Pdu::Transferred { .. }]), "there is room");
}

/// SU-018: another transfer brings what is in our custody already.
#[test]
fn what_is_in_custody_is_not_queued_twice() {
    let mut host = Host::new(Policy::default(), &[]);
    host.connect(C1);
    for sequence in [1, 2] {
        let id = transfer("b", sequence);
        let parcel = host.parcel(1, 0, "there@example.org");
        host.say(C1, Pdu::Offer { transfer: id.clone(), offer: 1, parcel });
        let answer = host.say(C1, Pdu::Commit { transfer: id, offer: 1 });
        assert!(matches!(answer[..], [Pdu::HandedOver { .. }]), "{answer:?}");
    }
    assert_eq!(host.durable.spool.queue.len(), 1);
    assert_eq!(host.durable.spool.accepted.len(), 2);
}

fn deliver_twice(host: &mut Host) -> (Vec<Pdu>, Vec<Pdu>) {
    host.inbound(C1, Port::Deliver);
    let parcel = host.parcel(1, 0, "here@example.org");
    let first = host.say(C1, Pdu::Deliver(parcel));
    host.inbound(C2, Port::Deliver);
    let parcel = host.parcel(1, 0, "here@example.org");
    (first, host.say(C2, Pdu::Deliver(parcel)))
}

/// DE-024: a repeat gets the recorded result.
#[test]
fn a_repeated_delivery_gets_the_recorded_result() {
    let mut host = Host::new(Policy::default(), &[]);
    let (first, second) = deliver_twice(&mut host);
    assert!(matches!(first[..], [Pdu::Result { outcome: Outcome::Delivered, .. }]), "{first:?}");
    assert_eq!((second, host.deposits()), (first, 1));
    let mut host = Host::new(Policy::default(), &["second-deposit-on-repeat"]);
    deliver_twice(&mut host);
    assert_eq!(host.deposits(), 2, "the planted bug delivers again");
}

/// DE-021, DE-022, DE-023: a repeat and an inquiry wait for the delivery that is under way.
#[test]
fn whoever_asks_during_a_delivery_gets_its_result() {
    let mut host = Host::new(Policy::default(), &[]);
    host.slow = true;
    host.inbound(C1, Port::Deliver);
    let parcel = host.parcel(1, 0, "here@example.org");
    let (origin, address) = (parcel.envelope.origin.clone(), Address::from("here@example.org"));
    assert_eq!(host.say(C1, Pdu::Deliver(parcel)), []);
    host.input(Input::Link { peer: C1, change: LinkChange::Lost });
    host.inbound(C2, Port::Deliver);
    let inquire = Pdu::Inquire {
        origin,
        recipients: vec![(0, address, Epoch::FIRST), (8, "x@y".into(), Epoch::FIRST)],
        arrived: None,
    };
    assert_eq!(host.say(C2, inquire), [], "in order: the second answer waits for the first");
    let parcel = host.parcel(1, 0, "here@example.org");
    assert_eq!(host.say(C2, Pdu::Deliver(parcel)), []);
    host.slow = false;
    host.said.clear();
    host.act(Vec::new());
    let said = host.said_to(C2);
    let expected = |pdu: &Pdu| matches!(pdu, Pdu::Result { outcome: Outcome::Delivered, .. });
    assert!(
        matches!(&said[..], [a, Pdu::NoResult { index: 8, .. }, b] if expected(a) && expected(b))
    );
    assert_eq!(host.deposits(), 1);
}

/// DE-025, DE-026, DE-027: what a delivery is refused for.
#[test]
fn deliveries_are_refused_with_their_reasons() {
    let mut host = Host::new(Policy::default(), &[]);
    host.inbound(C1, Port::Deliver);
    let parcel = host.parcel(1, 0, "there@example.org");
    assert_eq!(refusal(&host.say(C1, Pdu::Deliver(parcel))), (450, "4.2.1"), "hosted elsewhere");
    assert!(host.durable.spool.journal.is_empty(), "which may change");
    let parcel = host.parcel(2, 0, "nobody@example.org");
    assert_eq!(refusal(&host.say(C1, Pdu::Deliver(parcel))), (550, "5.1.1"), "no such account");
    assert_eq!(host.durable.spool.journal.len(), 1, "which is final");
    let parcel = host.parcel(3, 0, "here@example.org");
    host.say(C1, Pdu::Deliver(parcel));
    let mut parcel = host.parcel(3, 0, "here@example.org");
    parcel.body.digest = Digest([4; 32]);
    assert_eq!(refusal(&host.say(C1, Pdu::Deliver(parcel))), (554, "5.7.0"), "another content");
    assert!(host.events.iter().any(|event| matches!(event, Event::Conflict { .. })));
    assert_eq!(host.deposits(), 1);
    assert!(host.durable.spool.queue.is_empty(), "it never queues");
}

/// DE-029: a failed delivery is no result.
#[test]
fn a_failed_deposit_is_refused_for_now_and_not_recorded() {
    let mut host = Host::new(Policy::default(), &[]);
    host.slow = true;
    host.inbound(C1, Port::Deliver);
    let parcel = host.parcel(1, 0, "here@example.org");
    host.say(C1, Pdu::Deliver(parcel));
    let (ticket, _) = host.open.remove(0);
    let full = bridgehead::wire::message::Refusal::new(552, "5.2.2", "the disk is full");
    host.said.clear();
    host.input(Input::Answer { ticket, answer: Answer::Failed(full) });
    assert_eq!(refusal(&host.said_to(C1)), (452, "4.3.1"));
    assert!(host.durable.spool.journal.is_empty());
}

/// Hands a message over that no queue rules have seen; what is deposited of it.
fn hand_over_due(host: &mut Host) -> Vec<Query> {
    host.connect(C1);
    let mut parcel = host.parcel(1, 0, "here@example.org");
    parcel.envelope.rules_due = true;
    let transfer = transfer("b", 1);
    host.say(C1, Pdu::Offer { transfer: transfer.clone(), offer: 1, parcel });
    let answer = host.say(C1, Pdu::Commit { transfer, offer: 1 });
    assert!(matches!(answer[..], [Pdu::HandedOver { .. }]), "{answer:?}");
    host.asked.iter().filter(|query| matches!(query, Query::Deposit { .. })).cloned().collect()
}

/// RU-013: who gives a message away before any queue rules have seen it says so; ours look at it then,
/// and once.
#[test]
fn queue_rules_that_are_due_run_at_the_receiver() {
    #[derive(serde::Deserialize)]
    struct Rules {
        rule: Vec<Rule>,
    }
    let with = |then: &str| {
        let text = format!("[[rule]]\nname = \"always\"\nthen = [{then}]\n");
        let rules = toml::from_str::<Rules>(&text).expect("a rule").rule;
        Host::new(Policy { rules, ..Policy::default() }, &[])
    };
    let mut host = with(r#"{ action = "add-header", field = "X-Seen", value = "yes" }"#);
    let deposits = hand_over_due(&mut host);
    let [Query::Deposit { fields, .. }] = &deposits[..] else { panic!("{deposits:?}") };
    assert_eq!(fields.len(), 1);
    let seen = |host: &Host| {
        host.events.iter().filter(|event| matches!(event, Event::Ruled { .. })).count()
    };
    assert_eq!(seen(&host), 1);

    let mut host = with(r#"{ action = "reject", text = "no" }"#);
    assert!(hand_over_due(&mut host).is_empty());
    assert!(host.events.iter().any(|event| matches!(event, Event::Rejected { .. })));
    assert!(host.durable.spool.queue.is_empty(), "the null sender hears nothing of it");

    let mut host = Host::new(Policy::default(), &[]);
    assert_eq!(hand_over_due(&mut host).len(), 1, "without rules it goes its way");
    assert_eq!(seen(&host), 0);
}

/// Tells a host that there is a newer organization than its own.
fn tell_of_a_newer_list(host: &mut Host) {
    host.connect(C1);
    let table = host.node.machine().link().table();
    let mut record = Record::clone(table.records().next().expect("its own"));
    record.group = "other".into();
    record.uuid = "1".repeat(32);
    record.version.major = host.config.organization.revision + 1;
    let news = LinkPdu::news(table.digest(), vec![record]);
    host.say(C1, Pdu::Link(news));
}

/// CU-090: at the door and in the queue, too, until the member has the newer file.
#[test]
fn a_recipient_may_stand_in_a_newer_list() {
    let client = ConnectionId(77);
    let mut host = Host::new(Policy::default(), &[]);
    let parcel = host.parcel(9, 0, "nobody@example.org");
    let candidate = |address: &str| {
        let address = address.into();
        Pdu::Recipient(Candidate { address, sender: None, octets: 0, recipients: 1 })
    };
    let at_the_door = |host: &mut Host, address| host.say(client, candidate(address));
    assert_eq!(refusal(&at_the_door(&mut host, "nobody@example.org")), (550, "5.1.1"));
    tell_of_a_newer_list(&mut host);
    assert_eq!(refusal(&at_the_door(&mut host, "nobody@example.org")), (450, "4.1.1"));
    assert_eq!(refusal(&at_the_door(&mut host, "nobody@elsewhere.example")), (550, "5.7.1"));
    let mail = NewMail {
        sender: Some("here@example.org".into()),
        recipients: parcel.envelope.recipients,
        ret: None,
        envid: None,
        smtputf8: false,
        submitter: None,
        from: "client".into(),
        with: "ESMTP".into(),
        body: Body { key: BodyKey(7), digest: Digest([1; 32]), octets: 10 },
    };
    host.input(Input::Pdu { from: client, pdu: Pdu::Mail(mail) });
    let waiting: Vec<_> = host.durable.spool.queue.values().collect();
    let [message] = &waiting[..] else {
        panic!("no notice says that there is nobody: {waiting:?}")
    };
    assert_eq!(message.envelope.recipients[0].address, Address::from("nobody@example.org"));
    Arc::make_mut(&mut host.config.organization).revision += 1;
    assert_eq!(refusal(&at_the_door(&mut host, "nobody@example.org")), (550, "5.1.1"));
}

/// DE-042: who knows of a newer organization than its own does not say that an account does not exist.
#[test]
fn an_account_may_stand_in_a_newer_list() {
    let mut host = Host::new(Policy::default(), &[]);
    tell_of_a_newer_list(&mut host);
    host.inbound(C2, Port::Deliver);
    let parcel = host.parcel(2, 0, "nobody@example.org");
    assert_eq!(refusal(&host.say(C2, Pdu::Deliver(parcel))), (450, "4.1.1"));
    assert!(host.durable.spool.journal.is_empty(), "nothing is final");
}

fn ownership(member: &str, epoch: u64) -> Ownership {
    Ownership { member: member.into(), epoch: Epoch(epoch) }
}

/// The epochs for which it delivers while every delivery is answered by a later one, and how many times.
fn follows(answers: impl Fn(u64) -> Ownership) -> Vec<Epoch> {
    let mut host = Host::new(Policy::default(), &[]);
    let recipient = host.parcel(1, 0, "there@example.org").envelope.recipients.remove(0);
    let mail = NewMail {
        sender: None,
        recipients: vec![recipient],
        ret: None,
        envid: None,
        smtputf8: false,
        submitter: None,
        from: "client".into(),
        with: "ESMTP".into(),
        body: Body { key: BodyKey(7), digest: Digest([1; 32]), octets: 10 },
    };
    host.input(Input::Pdu { from: ConnectionId(99), pdu: Pdu::Mail(mail) });
    let ours = *host.opened.last().expect("it delivers to b");
    host.said.clear();
    host.input(Input::Link { peer: ours, change: LinkChange::Up });
    let mut epochs = Vec::new();
    while let [Pdu::Deliver(parcel)] = &host.said_to(ours)[..] {
        epochs.push(parcel.epochs.get(&0).copied().unwrap_or_default());
        let (origin, to) = (parcel.envelope.origin.clone(), answers(epochs.len() as u64));
        host.said.clear();
        host.input(Input::Pdu { from: ours, pdu: Pdu::Moved { origin, index: 0, to } });
    }
    let message = host.durable.spool.queue.values().next().expect("it waits");
    assert!(message.deliveries.is_empty(), "DE-050: what was not made is not in doubt");
    epochs
}

/// DE-045, DE-046, DE-049, DE-050: MOVED is followed so often in one attempt, to nothing that is not newer, and to no member
/// of another group.
#[test]
fn moved_is_followed_so_often() {
    let epochs = follows(|said| ownership("b", said + 1));
    assert_eq!(epochs, (1..=MOVED_LIMIT as u64 + 1).map(Epoch).collect::<Vec<_>>());
    assert_eq!(follows(|_| ownership("b", 1)), [Epoch(1)], "not newer");
    assert_eq!(follows(|_| ownership("b", 3)), [Epoch(1), Epoch(3)], "once to the same");
    assert_eq!(follows(|_| ownership("elsewhere", 2)), [Epoch(1)], "out of reach");
}

/// DE-040, DE-041, DE-044, DE-047: what a host says when its account goes and comes, and when a delivery
/// is ready too late.
#[test]
fn an_account_goes_and_comes() {
    let mut host = Host::new(Policy::default(), &[]);
    let account = Address::from("here@example.org");
    host.inbound(C1, Port::Deliver);
    let mut parcel = host.parcel(1, 0, "here@example.org");
    parcel.epochs.insert(0, Epoch(2));
    let early = host.say(C1, Pdu::Deliver(parcel));
    assert_eq!(refusal(&early), (450, "4.2.1"), "it knows of no such epoch");
    let parcel = host.parcel(1, 0, "here@example.org");
    let origin = parcel.envelope.origin.clone();
    host.say(C1, Pdu::Deliver(parcel));
    host.slow = true;
    let parcel = host.parcel(2, 0, "here@example.org");
    host.say(C1, Pdu::Deliver(parcel));

    let journal = host.durable.spool.journal_of(&account);
    let to = ownership("b", 2);
    let close = Command::CloseAccount { account: account.clone(), to: to.clone() };
    host.input(Input::Command(close));
    assert!(host.durable.spool.journal.is_empty() && journal.rows.len() == 1, "it has gone along");
    host.slow = false;
    host.said.clear();
    host.act(Vec::new());
    let moved =
        |said: &[Pdu], to: &Ownership| matches!(said, [Pdu::Moved { to: told, .. }] if told == to);
    assert!(moved(&host.said_to(C1), &to), "the delivery was ready too late");
    assert!(host.durable.spool.journal.is_empty(), "and is not recorded");
    let inquire = |epoch| {
        let recipients = vec![(0, Address::from("here@example.org"), Epoch(epoch))];
        Pdu::Inquire { origin: origin.clone(), recipients, arrived: None }
    };
    assert!(moved(&host.say(C1, inquire(1)), &to));

    let open = |epoch, journal| Command::OpenAccount {
        account: account.clone(),
        epoch: Epoch(epoch),
        journal,
    };
    host.input(Input::Command(open(1, AccountJournal::default())));
    assert!(moved(&host.say(C1, inquire(1)), &to), "a smaller epoch opens nothing");
    host.input(Input::Command(open(3, journal)));
    assert!(moved(&host.say(C1, inquire(2)), &ownership("a", 3)), "it is here, and newer");
    let known = host.say(C1, inquire(3));
    assert!(matches!(known[..], [Pdu::Result { outcome: Outcome::Delivered, .. }]), "{known:?}");
}
