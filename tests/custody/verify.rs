//! Questions about accounts: what a host says, and how long a client waits for it.

use std::sync::Arc;

use bridgehead::kernel::{Input, LinkChange, Time};
use bridgehead::protocol::member::{Answer, Candidate, Event, NewMail, Pdu, Policy, Query, Timer};
use bridgehead::protocol::organization::{Account, AccountStatus, Organization, OverQuota};
use bridgehead::protocol::rules::{Action, Rule};
use bridgehead::wire::ids::ConnectionId;
use bridgehead::wire::message::{Address, Body, BodyKey, Digest, Notify, Recipient, Refusal};
use bridgehead::wire::verify::{Question, VerifyPdu};

use crate::host::{C1, Host};

const CLIENT: ConnectionId = ConnectionId(77);
const ANOTHER: ConnectionId = ConnectionId(79);

/// A host whose own account and whose fellow's account are changed.
fn host_with(change: impl Fn(&mut [Account])) -> Host {
    let mut host = Host::new(Policy::default(), &[]);
    let mut organization = Organization::clone(&host.config.organization);
    change(&mut organization.accounts);
    assert_eq!(organization.check(), []);
    host.config.organization = Arc::new(organization);
    host
}

fn candidate(address: &str, sender: Option<&str>, octets: u64) -> Pdu {
    let (address, sender) = (Address::from(address), sender.map(Address::from));
    Pdu::Recipient(Candidate { address, sender, octets, recipients: 2 })
}

fn to_fellow() -> Pdu {
    candidate("there@example.org", None, 7)
}

fn ask(host: &mut Host, question: Question) -> VerifyPdu {
    match &host.say(C1, Pdu::Verify(VerifyPdu::Verify { id: 5, question }))[..] {
        [Pdu::Verify(answer)] => answer.clone(),
        other => panic!("no answer: {other:?}"),
    }
}

fn about(address: &str, octets: u64) -> Question {
    Question::Recipient { account: Address::from(address), octets }
}

fn refused(id: u32, code: u16, status: &str) -> impl Fn(&VerifyPdu) -> bool {
    let status = status.to_owned();
    move |pdu| matches!(pdu, VerifyPdu::Refused { id: i, refusal } if *i == id && refusal.code == code && refusal.status == status)
}

/// SM-091: what a host says of an account.
#[test]
fn a_host_says_what_it_would_refuse() {
    let mut host = host_with(|_| {});
    let fine = VerifyPdu::Verified { id: 5 };
    assert_eq!(ask(&mut host, about("here@example.org", 9_000_000)), fine);
    assert_eq!(ask(&mut host, about("there@example.org", 0)), fine, "not ours to say");
    assert!(refused(5, 550, "5.1.1")(&ask(&mut host, about("nobody@example.org", 0))));
    assert_eq!(ask(&mut host, about("x@elsewhere.example", 0)), fine);
    let mut host = host_with(|accounts| accounts[0].status = AccountStatus::Suspended);
    assert!(refused(5, 450, "4.2.1")(&ask(&mut host, about("here@example.org", 0))));
    let full = |over_quota| {
        let mut host = host_with(|accounts| {
            (accounts[0].quota_octets, accounts[0].over_quota) = (100, over_quota);
        });
        host.used = 60;
        assert_eq!(ask(&mut host, about("here@example.org", 40)), fine, "it fits");
        let over = ask(&mut host, about("here@example.org", 41));
        host.used = 99;
        assert_eq!(ask(&mut host, about("here@example.org", 0)), fine, "there is room for one");
        host.used = 100;
        (over, ask(&mut host, about("here@example.org", 0)))
    };
    let (over, without_size) = full(OverQuota::Temporary);
    assert!(refused(5, 452, "4.2.2")(&over) && refused(5, 452, "4.2.2")(&without_size));
    let (over, without_size) = full(OverQuota::Permanent);
    assert!(refused(5, 552, "5.2.2")(&over) && refused(5, 552, "5.2.2")(&without_size));
}

/// DE-099: where the rules may keep nothing, only the delivery can say whether there is room.
#[test]
fn a_host_says_nothing_of_room_that_may_not_be_needed() {
    let to = || vec![Address::from("x@elsewhere.example")];
    let folder = || Action::Store { folder: "Copies".into() };
    let header = || Action::AddHeader { field: "X-Seen".into(), value: "yes".into() };
    let reject = || Action::Reject { text: "no".into() };
    for (actions, may_need_none) in [
        (vec![header()], false),
        (vec![Action::Copy { to: to() }], false),
        (vec![Action::Redirect { to: to() }], true),
        (vec![folder(), Action::Redirect { to: to() }], false),
        (vec![Action::Redirect { to: to() }, Action::Stop {}, folder()], true),
        (vec![Action::Redirect { to: to() }, reject()], false),
        (vec![Action::Discard {}], true),
        (vec![Action::Stop {}, Action::Discard {}], false),
    ] {
        let mut host = host_with(|accounts| {
            accounts[0].quota_octets = 100;
            let then = actions.clone();
            accounts[0].rules = vec![Rule { name: "one".into(), when: Vec::new(), then }];
        });
        host.used = 100;
        let answer = ask(&mut host, about("here@example.org", 0));
        let is_refused = refused(5, 452, "4.2.2")(&answer);
        assert_eq!(is_refused, !may_need_none, "{actions:?}: {answer:?}");
    }
}

/// SM-094: and what it says of one that sends.
#[test]
fn a_host_says_what_its_accounts_may_send() {
    let mut host = host_with(|accounts| {
        (accounts[0].send_limit_octets, accounts[0].send_limit_recipients) = (1_000, 3);
    });
    let mut sends = |octets, recipients| {
        let account = Address::from("here@example.org");
        ask(&mut host, Question::Sender { account, octets, recipients })
    };
    assert_eq!(sends(1_000, 3), VerifyPdu::Verified { id: 5 });
    assert!(refused(5, 552, "5.3.4")(&sends(1_001, 1)));
    assert!(refused(5, 452, "4.5.3")(&sends(0, 4)));
}

/// The question that a client's recipient has raised on the one connection to its host.
fn question(host: &Host) -> (ConnectionId, u32, Question) {
    let said: Vec<_> = host.said.iter().filter(|(_, pdu)| matches!(pdu, Pdu::Verify(_))).collect();
    match &said[..] {
        [(to, Pdu::Verify(VerifyPdu::Verify { id, question }))] => (*to, *id, question.clone()),
        other => panic!("no question: {other:?}"),
    }
}

/// SM-090, SM-093: the client hears what the host says; the connection stays, the answer does not.
#[test]
fn a_client_hears_what_the_host_says() {
    let mut host = host_with(|_| {});
    let opened = host.opened.len();
    assert_eq!(host.say(CLIENT, to_fellow()), [], "it waits");
    let (to, id, question_) = question(&host);
    assert_eq!(question_, about("there@example.org", 7));
    let refusal = Refusal::new(450, "4.2.1", "the account takes no mail now");
    let answer = Pdu::Verify(VerifyPdu::Refused { id, refusal: refusal.clone() });
    host.said.clear();
    host.input(Input::Pdu { from: to, pdu: answer });
    assert_eq!(host.said_to(CLIENT), [Pdu::Refused(refusal)]);
    assert_eq!(host.say(CLIENT, to_fellow()), [], "it is asked for again");
    let (again, id, _) = question(&host);
    assert_eq!((again, host.opened.len()), (to, opened + 1), "on the same connection");
    host.input(Input::Pdu { from: to, pdu: Pdu::Verify(VerifyPdu::Verified { id }) });
    assert_eq!(host.said_to(CLIENT), [Pdu::Ok]);
    // An answer that nobody waits for ends the connection, and the next question opens another.
    host.input(Input::Pdu { from: to, pdu: Pdu::Verify(VerifyPdu::Verified { id }) });
    assert!(host.events.iter().any(|event| matches!(event, Event::Misbehaved { .. })));
    host.say(CLIENT, to_fellow());
    assert_eq!(host.opened.len(), opened + 2);
}

/// SM-093: what was asked about one recipient says nothing about the next one, however late it is answered.
#[test]
fn an_answer_about_the_recipient_before_counts_for_nothing() {
    let mut host = host_with(|accounts| accounts[1].send_limit_octets = 3_000);
    host.say(CLIENT, candidate("there@example.org", Some("there@example.org"), 5_000));
    let asked: Vec<u32> = host
        .said
        .iter()
        .filter_map(|(_, pdu)| match pdu {
            Pdu::Verify(VerifyPdu::Verify { id, .. }) => Some(*id),
            _ => None,
        })
        .collect();
    let [recipient, sender] = asked[..] else { panic!("two questions: {asked:?}") };
    let to = *host.opened.last().expect("a connection");
    let refusal = Refusal::new(450, "4.2.1", "the account takes no mail now");
    let refused = |id| Pdu::Verify(VerifyPdu::Refused { id, refusal: refusal.clone() });
    host.input(Input::Pdu { from: to, pdu: refused(recipient) });
    assert_eq!(host.said_to(CLIENT), [Pdu::Refused(refusal.clone())]);
    host.said.clear();
    assert_eq!(host.say(CLIENT, to_fellow()), [], "the next one waits");
    let (_, next, _) = question(&host);
    host.input(Input::Pdu { from: to, pdu: refused(sender) });
    assert_eq!(host.said_to(CLIENT), [], "that was about the one before");
    host.input(Input::Pdu { from: to, pdu: Pdu::Verify(VerifyPdu::Verified { id: next }) });
    assert_eq!(host.said_to(CLIENT), [Pdu::Ok]);
}

/// SM-092: no connection, no answer: the file lets it in, and the host has a minute's peace.
#[test]
fn a_host_that_is_away_stops_nothing_at_the_door() {
    for ends in [LinkChange::Refused, LinkChange::Closed] {
        let mut host = host_with(|_| {});
        host.say(CLIENT, to_fellow());
        host.input(Input::Pdu { from: ANOTHER, pdu: to_fellow() });
        let peer = *host.opened.last().expect("a connection");
        host.input(Input::Link { peer, change: ends });
        assert_eq!((host.said_to(CLIENT), host.said_to(ANOTHER)), (vec![Pdu::Ok], vec![Pdu::Ok]));
        assert!(host.events.iter().any(|event| matches!(event, Event::Unverified { .. })));
        assert_eq!(host.say(CLIENT, to_fellow()), [Pdu::Ok], "at once");
        host.input(Input::Timer(Timer::Consult("b".into())));
        assert_eq!(host.say(CLIENT, to_fellow()), [], "it is asked again");
    }
    let mut host = host_with(|_| {});
    host.say(CLIENT, to_fellow());
    let (to, id, _) = question(&host);
    host.input(Input::Timer(Timer::Verify(CLIENT)));
    assert_eq!(host.said_to(CLIENT), [Pdu::Ok], "five seconds are over");
    host.said.clear();
    let refusal = Refusal::new(450, "4.2.1", "too late");
    host.input(Input::Pdu { from: to, pdu: Pdu::Verify(VerifyPdu::Refused { id, refusal }) });
    assert_eq!(host.said, [], "what comes later reaches nobody");
}

/// SM-090: for an account of its own a member says what it would say to others.
#[test]
fn an_account_of_the_member_itself_is_verified_too() {
    let here = || candidate("here@example.org", None, 41);
    let mut host = host_with(|accounts| accounts[0].status = AccountStatus::Suspended);
    assert!(matches!(&host.say(CLIENT, here())[..], [Pdu::Refused(no)] if no.code == 450));
    let mut host = host_with(|accounts| accounts[0].quota_octets = 100);
    assert_eq!(host.say(CLIENT, here()), [Pdu::Ok]);
    host.used = 60;
    assert!(matches!(&host.say(CLIENT, here())[..], [Pdu::Refused(no)] if no.code == 452));
    // A client that goes while it is looked for hears nothing, and disturbs nobody.
    host.slow = true;
    assert_eq!(host.say(CLIENT, here()), []);
    host.input(Input::Link { peer: CLIENT, change: LinkChange::Closed });
    let (ticket, query) = host.open.remove(0);
    assert!(matches!(query, Query::Usage { .. }));
    host.input(Input::Answer { ticket, answer: Answer::Octets(0) });
    assert_eq!(host.said, []);
}

/// SM-094, CU-080: limits of who sends are asked of its host, else the file's count, and the message
/// itself is held to them.
#[test]
fn a_sender_is_held_to_its_limits() {
    let limited = || {
        host_with(|accounts| {
            (accounts[1].send_limit_octets, accounts[1].send_limit_recipients) = (50, 3);
        })
    };
    let sends = |octets| candidate("here@example.org", Some("there@example.org"), octets);
    let mut host = limited();
    assert_eq!(host.say(CLIENT, sends(51)), []);
    let (_, _, question) = question(&host);
    let account = Address::from("there@example.org");
    assert_eq!(question, Question::Sender { account, octets: 51, recipients: 2 });
    let peer = *host.opened.last().expect("a connection");
    host.input(Input::Link { peer, change: LinkChange::Refused });
    let said = host.said_to(CLIENT);
    assert!(matches!(&said[..], [Pdu::Refused(no)] if no.code == 552), "{said:?}");
    assert_eq!(host.say(CLIENT, sends(50)), [Pdu::Ok], "while its host is mute");

    let mail = |octets, count: u32| {
        let recipient = |index| Recipient {
            index,
            address: Address::from("here@example.org"),
            notify: Notify::default(),
            original: None,
            suspect: false,
        };
        Pdu::Mail(NewMail {
            sender: Some(Address::from("there@example.org")),
            recipients: (0..count).map(recipient).collect(),
            ret: None,
            envid: None,
            smtputf8: false,
            submitter: None,
            from: "client".into(),
            with: "ESMTP".into(),
            body: Body { key: BodyKey(9), digest: Digest([1; 32]), octets },
        })
    };
    let mut host = limited();
    assert!(matches!(&host.say(CLIENT, mail(51, 1))[..], [Pdu::Refused(no)] if no.code == 552));
    assert!(matches!(&host.say(CLIENT, mail(50, 4))[..], [Pdu::Refused(no)] if no.code == 452));
    assert!(matches!(&host.say(CLIENT, mail(50, 3))[..], [Pdu::Accepted(_)]));
}

/// CU-091: the queue shows the code of what an account here refuses for now.
#[test]
fn the_queue_shows_why_an_account_takes_nothing() {
    let mut host = host_with(|accounts| accounts[0].status = AccountStatus::Suspended);
    let recipients = host.parcel(1, 0, "here@example.org").envelope.recipients;
    let mail = NewMail {
        sender: None,
        recipients,
        ret: None,
        envid: None,
        smtputf8: false,
        submitter: None,
        from: "client".into(),
        with: "ESMTP".into(),
        body: Body { key: BodyKey(7), digest: Digest([1; 32]), octets: 10 },
    };
    host.input(Input::Pdu { from: CLIENT, pdu: Pdu::Mail(mail) });
    let rows = host.node.machine().queue_report(Time(0));
    let place = format!("{:?}", rows[0].recipients[0].place);
    assert!(place.contains("450 4.2.1 the account takes no mail now"), "{place}");
}
