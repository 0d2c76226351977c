//! Orders of the operator: durable before confirmed, right by custody, answered in any case.

use crate::network::{Network, Trap, member, organization, user};
use bridgehead::kernel::{Input, Span};
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::member::{Command, Durable, Event, NoticeKind, Pdu, Policy};
use bridgehead::protocol::operator::{Action, Burial, Order, Ordered, Selection, State};
use bridgehead::protocol::organization::Organization;
use bridgehead::protocol::queue::{Damage, Ending, Message};
use bridgehead::wire::ids::{MemberName, QueueId};
use bridgehead::wire::message::{Notify, Outcome};

const SENDER: Option<&str> = Some("user-g2-b@example.org");
const BOUNCE: Action = Action::Bounce { text: None };
const HOLD: Action = Action::Hold { reason: None };

fn network_of(organization: Organization, policy: Policy, faults: &[&str], seed: u64) -> Network {
    let faults = Faults::named(faults.iter().copied()).unwrap();
    let mut network = Network::new(organization, policy, &faults, seed);
    network.run(Span::seconds(10));
    network
}

fn network(faults: &[&str]) -> Network {
    network_of(organization(2), Policy::default(), faults, 7)
}

fn all() -> Selection {
    Selection { all: true, ..Selection::default() }
}

fn id(queue: u64) -> Selection {
    Selection { ids: vec![QueueId(queue).to_string()], ..Selection::default() }
}

/// Gives the order and lets its changes reach the disk.
fn order(network: &mut Network, at: &MemberName, action: Action, which: Selection) -> Ordered {
    let number = network.order(at, Order::Queue { action, which });
    network.run(Span::milliseconds(50));
    answer(network, number).expect("every order is answered")
}

fn answer(network: &Network, number: u64) -> Option<Ordered> {
    match network.replies.get(&number) {
        Some(Pdu::Ordered(ordered)) => Some(ordered.clone()),
        None => None,
        Some(other) => panic!("{other:?} is no answer to an order"),
    }
}

fn texts(items: &[bridgehead::protocol::operator::Item]) -> Vec<&str> {
    items.iter().map(|item| item.text.as_str()).collect()
}

fn queue<'a>(network: &'a Network, at: &MemberName) -> Vec<&'a Message> {
    network.sites[at].durable.spool.queue.values().collect()
}

/// `g1-b` has mail for `g1-a`, which it cannot reach.
fn stuck(faults: &[&str], sender: Option<&str>, notify: Notify) -> (Network, u64) {
    let mut network = network(faults);
    network.cuts.push((member(1, 'b'), member(1, 'a')));
    let client = network.mail_notify(&member(1, 'b'), sender, &[user(&member(1, 'a'))], notify);
    network.run(Span::seconds(30));
    assert_eq!(queue(&network, &member(1, 'b')).len(), 1);
    (network, client)
}

/// CU-052: a hold outlives a restart and ends with the release (CU-053).
#[test]
fn a_held_message_stays_until_it_is_released() {
    let copies_while_held = |faults: &[&str]| {
        let (mut network, client) = stuck(faults, SENDER, Notify::default());
        let (at, account) = (member(1, 'b'), user(&member(1, 'a')));
        let held = order(&mut network, &at, HOLD, all());
        assert_eq!(texts(&held.done), ["held"]);
        network.crash(&at);
        network.boot(&at);
        network.cuts.clear();
        network.run(Span::hours(3));
        let copies = network.copies(client, &account);
        let released = order(&mut network, &at, Action::Release, all());
        network.run(Span::seconds(5));
        if copies == 0 {
            assert_eq!(texts(&released.done), ["released"]);
        }
        assert_eq!(network.copies(client, &account), 1);
        copies
    };
    assert_eq!(copies_while_held(&[]), 0);
    assert_eq!(copies_while_held(&["hold-not-stored"]), 1, "the planted bug forgets the hold");
}

/// CU-050: the answer leaves behind the changes that it speaks of.
#[test]
fn an_order_is_confirmed_when_it_is_durable() {
    let too_early = |faults: &[&str]| {
        let (mut network, _) = stuck(faults, SENDER, Notify::default());
        let at = member(1, 'b');
        let number = network.order(&at, Order::Queue { action: HOLD, which: all() });
        let mut too_early = answer(&network, number).is_some();
        network.run_checked(Span::milliseconds(50), &mut |network| {
            let is_durable = queue(network, &at)[0].held.is_some();
            too_early |= answer(network, number).is_some() && !is_durable;
        });
        let logged =
            |(_, _, event): &_| matches!(event, Event::Ordered { action, .. } if action == "hold");
        assert_eq!(network.events.iter().filter(|event| logged(event)).count(), 1);
        too_early || answer(&network, number).is_none()
    };
    assert!(!too_early(&[]));
    assert!(too_early(&["reply-before-durable"]), "the planted bug answers at once");
}

/// CU-052: who stands in line for a way leaves the line, and the time of a held message runs on.
#[test]
fn nothing_is_begun_for_a_held_message_and_it_expires() {
    let mut network = network(&[]);
    let at = member(1, 'a');
    network.cuts.push((at.clone(), member(2, 'a')));
    let client = network.mail(&at, SENDER, &[user(&member(2, 'b'))]);
    network.run(Span::seconds(1));
    let line = Selection { state: Some(State::Line), ..Selection::default() };
    assert_eq!(order(&mut network, &at, HOLD, line).done.len(), 1, "it stood in line");
    network.cuts.clear();
    network.run(Span::hours(1));
    assert_eq!(network.copies(client, &user(&member(2, 'b'))), 0);
    network.run(Span::hours(48));
    let failures = network.notices.iter().filter(|(_, _, n)| n.kind == NoticeKind::Failure);
    assert_eq!((failures.count(), queue(&network, &at).len()), (1, 0));
}

/// CU-053: the operator's release goes before the hop limit, at this member.
#[test]
fn a_release_overrules_the_hop_limit() {
    let policy = Policy { hop_limit: 1, ..Policy::default() };
    let mut network = network_of(organization(2), policy, &[], 7);
    let (at, account) = (member(2, 'a'), user(&member(2, 'a')));
    let client = network.mail(&member(1, 'a'), SENDER, core::slice::from_ref(&account));
    network.run(Span::minutes(1));
    assert!(queue(&network, &at)[0].held.is_some());
    order(&mut network, &at, Action::Release, all());
    network.run(Span::seconds(1));
    assert_eq!(network.copies(client, &account), 1);
}

/// CU-054: a retry is now, not by the schedule.
#[test]
fn a_retry_is_now() {
    let copies = |orders: bool| {
        let (mut network, client) = stuck(&[], SENDER, Notify::default());
        network.cuts.clear();
        if orders {
            let tried = order(&mut network, &member(1, 'b'), Action::Retry, all());
            assert_eq!(texts(&tried.done), ["tried now"]);
        }
        network.run(Span::minutes(2));
        network.copies(client, &user(&member(1, 'a')))
    };
    assert_eq!((copies(false), copies(true)), (0, 1));
    let (mut network, _) = stuck(&[], SENDER, Notify::default());
    order(&mut network, &member(1, 'b'), HOLD, all());
    let refused = order(&mut network, &member(1, 'b'), Action::Retry, all());
    assert_eq!(texts(&refused.refused), ["it is held: release it"]);
}

/// CU-055, CU-030, CU-031: a bounce returns with the operator's words, and only to whom wants to hear.
#[test]
fn a_bounce_returns_the_message_with_the_words_of_the_operator() {
    let bounce = |sender: Option<&str>, notify: Notify| {
        let (mut network, _) = stuck(&[], sender, notify);
        let action = Action::Bounce { text: Some("we closed that account".into()) };
        let bounced = order(&mut network, &member(1, 'b'), action, id(1));
        network.cuts.clear();
        network.run(Span::seconds(30));
        assert!(network.sites.values().all(|site| site.durable.spool.queue.is_empty()));
        let notices: Vec<Ending> =
            network.notices.iter().map(|(_, _, n)| n.recipients[0].1.clone()).collect();
        (texts(&bounced.done).join(";"), notices, network.notices_in(&user(&member(2, 'b'))))
    };
    let (text, notices, delivered) = bounce(SENDER, Notify::default());
    assert_eq!((text.as_str(), delivered), ("returned to the sender", 1));
    let [Ending::Refused(refusal)] = &notices[..] else { panic!("{notices:?}") };
    assert_eq!((refusal.code, refusal.text.as_str()), (550, "we closed that account"));
    let never = Notify { success: false, failure: false, delay: false };
    for (sender, notify) in [(None, Notify::default()), (SENDER, never)] {
        let told = bounce(sender, notify);
        assert_eq!(told, ("removed: nobody wants to be told".into(), vec![], 0));
    }
}

/// CU-055: what was confirmed as returned is not tried again, though the notice could not be written
/// before a crash; and it is returned once.
#[test]
fn a_bounce_outlives_a_full_disk_and_a_crash() {
    let (mut network, client) = stuck(&[], SENDER, Notify::default());
    let (at, account) = (member(1, 'b'), user(&member(1, 'a')));
    network.sites.get_mut(&at).unwrap().full = true;
    order(&mut network, &at, BOUNCE, id(1));
    network.run(Span::minutes(1));
    assert_eq!(network.notices.len(), 0);
    let again = order(&mut network, &at, BOUNCE, id(1));
    assert_eq!(texts(&again.refused), ["it has ended already: its notice is being written"]);
    let durable = &network.sites[&at].durable;
    assert_eq!(queue(&network, &at)[0].ended.len(), 1);
    let written = serde_json::to_string(durable).unwrap();
    assert_eq!(serde_json::from_str::<Durable>(&written).unwrap(), *durable, "a spool keeps it");
    network.crash(&at);
    network.cuts.clear();
    network.sites.get_mut(&at).unwrap().full = false;
    network.boot(&at);
    network.run(Span::hours(1));
    assert_eq!(network.copies(client, &account), 0, "it is not tried again");
    assert_eq!(network.notices_in(&user(&member(2, 'b'))), 1);
    assert!(queue(&network, &at).is_empty());
}

/// CU-056: of who has ended already a removal takes the notice, and says so.
#[test]
fn a_removal_of_who_has_ended_takes_the_notice() {
    let (mut network, _) = stuck(&[], SENDER, Notify::default());
    let at = member(1, 'b');
    network.sites.get_mut(&at).unwrap().full = true;
    order(&mut network, &at, BOUNCE, id(1));
    let removed = order(&mut network, &at, Action::Remove, id(1));
    assert_eq!(texts(&removed.done), ["it had ended already: its notice is removed"]);
    network.sites.get_mut(&at).unwrap().full = false;
    network.run(Span::hours(1));
    assert_eq!(network.notices.len(), 0);
    assert!(queue(&network, &at).is_empty());
}

/// CU-057, C7: who is in doubt is neither returned nor removed; the answer says with whom.
#[test]
fn who_is_in_doubt_is_not_given_up() {
    let outcome = |faults: &[&str], action: Action| {
        let mut network = network(faults);
        let (at, peer) = (member(1, 'a'), member(2, 'a'));
        let account = user(&peer);
        network.traps.push(Trap::Cut(|pdu| matches!(pdu, Pdu::HandedOver { .. })));
        let client = network.mail(&at, SENDER, core::slice::from_ref(&account));
        while !network.traps.is_empty() {
            network.run(Span(100));
        }
        network.cuts.push((at.clone(), peer));
        network.run(Span::seconds(30));
        let doubt = Selection { state: Some(State::Doubt), ..Selection::default() };
        let given_up = order(&mut network, &at, action, doubt);
        network.run(Span::minutes(5));
        network.cuts.clear();
        network.run(Span::hours(2));
        assert_eq!(network.copies(client, &account), 1);
        (texts(&given_up.refused).join(";"), given_up.done.len(), network.notices.len())
    };
    for action in [BOUNCE, Action::Remove] {
        assert_eq!(outcome(&[], action), ("in doubt: g2-a may have it".into(), 0, 0));
    }
    let planted = outcome(&["order-ignores-doubt"], BOUNCE);
    assert_eq!(planted, (String::new(), 1, 1), "the planted bug returns what was delivered");
}

/// CU-054: a retry asks at once about what is in doubt.
#[test]
fn a_retry_asks_about_what_is_in_doubt() {
    let left = |orders: bool| {
        let mut network = network(&[]);
        let (at, peer) = (member(1, 'b'), member(1, 'a'));
        network.traps.push(Trap::Cut(|pdu| matches!(pdu, Pdu::Result { .. })));
        network.mail(&at, SENDER, &[user(&peer)]);
        while !network.traps.is_empty() {
            network.run(Span(100));
        }
        network.cuts.push((at.clone(), peer));
        network.run(Span::seconds(5));
        network.cuts.clear();
        if orders {
            let asked = order(&mut network, &at, Action::Retry, all());
            assert_eq!(texts(&asked.done), ["in doubt: asked for now"]);
        }
        network.run(Span::seconds(5));
        queue(&network, &at).len()
    };
    assert_eq!((left(false), left(true)), (1, 0));
}

/// CU-057: an attempt under way runs to its end.
#[test]
fn who_is_under_way_is_not_given_up() {
    let mut network = network(&[]);
    let (at, account) = (member(1, 'a'), user(&member(1, 'a')));
    let client = network.mail(&at, SENDER, core::slice::from_ref(&account));
    let refused = order(&mut network, &at, Action::Remove, all());
    assert!(texts(&refused.refused)[0].starts_with("an attempt is under way: hold it"));
    network.run(Span::seconds(1));
    assert_eq!(network.copies(client, &account), 1);
}

/// CU-056: a removal tells nobody but the log.
#[test]
fn a_removal_tells_only_the_log() {
    let (mut network, client) = stuck(&[], SENDER, Notify::default());
    let removed = order(&mut network, &member(1, 'b'), Action::Remove, id(1));
    assert_eq!(texts(&removed.done), ["removed"]);
    assert_eq!(removed.done[0].recipients, [user(&member(1, 'a'))]);
    network.cuts.clear();
    network.run(Span::hours(50));
    assert_eq!((network.notices.len(), network.copies(client, &user(&member(1, 'a')))), (0, 0));
    let logged = |event: &Event| matches!(event, Event::Ordered { action, recipients, .. } if action == "remove" && recipients == &[0]);
    assert!(network.events.iter().any(|(_, _, event)| logged(event)));
}

/// CU-051: each filter takes what it says and nothing else; the others are left alone.
#[test]
fn an_order_concerns_only_what_is_selected() {
    let mut with_host = organization(1);
    with_host.smart_host = Some("smart.example.net:25".into());
    let mut network = network_of(with_host, Policy::default(), &[], 7);
    network.outside =
        Some(Outcome::Refused(bridgehead::wire::message::Refusal::new(451, "4.3.0", "later")));
    let at = member(1, 'b');
    network.cuts.push((at.clone(), member(1, 'a')));
    network.mail(&at, SENDER, &["x@example.net".into(), user(&member(1, 'a'))]);
    network.run(Span::minutes(5));
    network.mail(&at, None, &["y@example.net".into()]);
    network.run(Span::minutes(1));
    let selected = |network: &Network, which: Selection| {
        let site = &network.sites[&at];
        let machine = site.node.as_ref().unwrap().machine();
        let rows = machine.rows(&which, network.now, &site.config);
        let addresses = rows.iter().flat_map(|row| &row.recipients).map(|r| r.address.0.clone());
        addresses.collect::<Vec<_>>().join(" ")
    };
    let everybody = "x@example.net user-g1-a@example.org y@example.net";
    let with = Selection::default;
    for (which, expected) in [
        (all(), everybody),
        (
            Selection { sender: Some("user-*".into()), ..with() },
            "x@example.net user-g1-a@example.org",
        ),
        (Selection { sender: Some("<>".into()), ..with() }, "y@example.net"),
        (
            Selection { recipient: Some("*@example.net".into()), ..with() },
            "x@example.net y@example.net",
        ),
        (
            Selection { older: Some(Span::minutes(3)), ..with() },
            "x@example.net user-g1-a@example.org",
        ),
        (Selection { younger: Some(Span::minutes(3)), ..with() }, "y@example.net"),
        (Selection { next_hop: Some("g1-a".into()), ..with() }, "user-g1-a@example.org"),
        (
            Selection { next_hop: Some("smart.example.net:25".into()), ..with() },
            "x@example.net y@example.net",
        ),
        (Selection { state: Some(State::Retry), ..with() }, everybody),
        (Selection { state: Some(State::Held), ..with() }, ""),
        (id(2), "y@example.net"),
    ] {
        assert_eq!(selected(&network, which.clone()), expected, "{which:?}");
    }
    let which = Selection { recipient: Some("X@*".into()), ..with() };
    order(&mut network, &at, BOUNCE, which);
    network.run(Span::seconds(1));
    assert_eq!(selected(&network, all()).split(' ').next(), Some("user-g1-a@example.org"));
    let told: Vec<_> = network.notices.iter().flat_map(|(_, _, n)| &n.recipients).collect();
    assert_eq!((told.len(), told[0].0.address.0.as_str()), (1, "x@example.net"));
}

/// CU-050, CU-051: whatever an order names, it is answered, and what is not there changes nothing.
#[test]
fn an_order_about_nothing_is_answered() {
    let (mut network, _) = stuck(&[], SENDER, Notify::default());
    let at = member(1, 'b');
    let before = network.sites[&at].durable.clone();
    let long = Action::Bounce { text: Some("x".repeat(401)) };
    let lines = Action::Bounce { text: Some("a\r\nb".into()) };
    let other = Selection { sender: Some("nobody@*".into()), ..id(1) };
    let garbage = Selection { ids: vec!["garbage".into()], ..Selection::default() };
    for (action, which, expected) in [
        (Action::Remove, id(99), "no such message in the queue"),
        (HOLD, garbage, "no queue id: expected 16 hexadecimal digits"),
        (BOUNCE, other, "the filters do not fit it"),
        (
            Action::Remove,
            Selection::default(),
            "nothing is selected: name messages, a filter, or all",
        ),
        (Action::Release, id(1), "it is not held"),
        (long, id(1), "the text is longer than 400 octets"),
        (lines, id(1), "the text has a control character"),
    ] {
        let answer = order(&mut network, &at, action, which);
        assert_eq!((answer.done.len(), texts(&answer.refused)), (0, vec![expected]));
    }
    let nothing = Selection { state: Some(State::Held), ..Selection::default() };
    assert_eq!(order(&mut network, &at, Action::Release, nothing), Ordered::default());
    assert_eq!(network.sites[&at].durable, before);
    network.step(&at, Input::Configuration);
}

/// CU-058: nothing is tried for a message in quarantine and nobody is told of its end; it can be removed.
#[test]
fn a_message_in_quarantine_can_only_be_removed() {
    let (mut network, _) = stuck(&[], SENDER, Notify::default());
    let at = member(1, 'b');
    let key = queue(&network, &at)[0].body.key;
    let damage = Some(Damage::Missing);
    network.step(&at, Input::Command(Command::BodyChecked { key, damage }));
    network.run(Span::seconds(1));
    for action in [BOUNCE, Action::Retry] {
        let ordered = order(&mut network, &at, action, all());
        assert!(ordered.done.is_empty(), "{ordered:?}");
        let text = "it is in quarantine: put its body right and start again, or remove it";
        assert_eq!(texts(&ordered.refused), [text]);
    }
    network.run(Span::minutes(1));
    assert_eq!(queue(&network, &at).len(), 1);
    let ordered = order(&mut network, &at, Action::Remove, all());
    assert_eq!(texts(&ordered.done), ["removed"]);
    assert!(queue(&network, &at).is_empty());
}

/// LS-133: what is buried, what is not, and that the answer is durable.
#[test]
fn groups_are_buried_by_order() {
    let mut network = network(&[]);
    let at = member(1, 'a');
    let mut order = |group: &str, reason: &str, (force, unknown): (bool, bool)| {
        let burial = Burial { group: group.into(), reason: Some(reason.into()), force, unknown };
        let number = network.order(&at, Order::Bury(burial));
        network.run(Span::seconds(5));
        match &network.replies[&number] {
            Pdu::Ordered(answer) => {
                (answer.done.len(), answer.refused.first().map(|item| item.text.clone()))
            }
            other => panic!("not the answer to an order: {other:?}"),
        }
    };
    let refused = |text: &str| (0, Some(text.to_owned()));
    let gone = "f".repeat(32);
    // A slip of the pen is not buried for ever.
    let slip = "no record has this UUID; if it is the right one, bury it by `--unknown`";
    assert_eq!(order(&gone, "", (false, false)), refused(slip));
    assert_eq!(order(&gone, "", (true, false)), refused(slip));
    let mut say = |group: &str, reason: &str, force| order(group, reason, (force, true));
    let unknown = "no record has this name; a UUID that is not known can be buried by `--unknown`";
    assert_eq!(say("nobody", "", false), refused(unknown));
    assert_eq!(say("g2", "", false), refused("the configuration has it as g2"));
    assert_eq!(
        say(&gone, "two\nlines", false),
        refused("a reason is one line of at most 400 octets")
    );
    // What is confirmed is also stored: the limit of the order is that of the record.
    let other = "e".repeat(32);
    let (longest, longer) = ("x".repeat(400), "x".repeat(401));
    assert_eq!(say(&other, &longer, false).0, 0);
    assert_eq!(say(&other, &longest, false), (1, None));
    assert_eq!(say(&gone, "merged into g1", false), (1, None));
    assert_eq!(say(&gone, "again", false), refused("it is buried already"));
    assert_eq!(say("g2", "by force", true), (1, None));
    assert_eq!(say("g2", "once more", true), refused("it is buried already"));
    // Every member knows, also after a restart.
    network.run(Span::minutes(1));
    network.crash(&at);
    network.boot(&at);
    network.run(Span::minutes(1));
    for group in [1, 2] {
        let table = network.sites[&member(group, 'a')].durable.link.records.clone();
        assert_eq!((table.living(), table.buried()), (1, 3));
        let reason = table.of(&gone).and_then(|record| record.deleted.clone());
        assert_eq!(reason.as_deref(), Some("merged into g1"));
    }
}
