//! Who queues what is born at a member: the submit policies, the choice of the member that does, its
//! breaker, draining, and the way back into the own queue (SU-050 to SU-058).

use crate::network::{Network, Trap, organization, user};
use bridgehead::kernel::Span;
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::member::{Event, Pdu, Policy};
use bridgehead::protocol::operator::Order;
use bridgehead::protocol::organization::{
    Account, Group, MemberSettings, Organization, Role, Submit, SubmitPolicy,
};
use bridgehead::protocol::rules::Rule;
use bridgehead::protocol::submit::{BREAKER_SPAN, SubmitEvent};
use bridgehead::wire::ids::{GroupName, MemberName};
use bridgehead::wire::message::Refusal;

pub(crate) const SENDER: Option<&str> = Some("user-be1@example.org");

pub(crate) fn name(text: &str) -> MemberName {
    MemberName::from(text)
}

fn settings(member: &str, role: Role) -> MemberSettings {
    MemberSettings {
        name: name(member),
        role: Some(role),
        submit: Submit::Automatic,
        weight: 1,
        relay: None,
    }
}

/// One group: frontends `fe1` to `feN`, backends `be1` and `be2`; each hosts its account.
pub(crate) fn cluster(frontends: usize) -> Organization {
    let fronts = (1..=frontends).map(|n| settings(&format!("fe{n}"), Role::Frontend));
    let backs = (1..=2).map(|n| settings(&format!("be{n}"), Role::Backend));
    let settings: Vec<MemberSettings> = fronts.chain(backs).collect();
    let members: Vec<MemberName> = settings.iter().map(|settings| settings.name.clone()).collect();
    let accounts = members.iter().cloned();
    let account = |host: MemberName| Account::new(user(&host), host);
    let organization = Organization {
        groups: vec![Group {
            name: GroupName::from("G"),
            uuid: format!("{:032x}", 7),
            members: members.clone(),
            master: Some(name("be1")),
            election: None,
            accounts: None,
            settings,
            stores: Vec::new(),
            exits: Vec::new(),
            rules: Vec::new(),
        }],
        connectors: Vec::new(),
        accounts: accounts.map(account).collect(),
        ..organization(1)
    };
    assert_eq!(organization.check(), []);
    organization
}

pub(crate) fn network_of(organization: Organization, faults: &[&str], seed: u64) -> Network {
    let faults = Faults::named(faults.iter().copied()).expect("tests have planted faults");
    let mut network = Network::new(organization, Policy::default(), &faults, seed);
    network.run(Span::seconds(10));
    network
}

fn started(frontends: usize) -> Network {
    network_of(cluster(frontends), &[], 3)
}

/// A client of `be1` sends to the account of `be2`.
pub(crate) fn send(network: &mut Network) -> u64 {
    network.mail(&name("be1"), SENDER, &[user(&name("be2"))])
}

pub(crate) fn arrived(network: &Network, client: u64) -> u32 {
    network.copies(client, &user(&name("be2")))
}

/// What a member has told under the tag SUBMIT.
fn told<'a>(network: &'a Network, member: &str) -> Vec<&'a SubmitEvent> {
    let member = name(member);
    let events = network.events.iter().filter(move |(_, at, _)| *at == member);
    events
        .filter_map(|(_, _, event)| match event {
            Event::Submit(event) => Some(event),
            _ => None,
        })
        .collect()
}

/// Where messages were taken into a queue, in order.
pub(crate) fn queued(network: &Network) -> Vec<&str> {
    let events = network.events.iter();
    let received = events.filter(|(_, _, event)| matches!(event, Event::Received { .. }));
    received.map(|(_, member, _)| member.as_str()).collect()
}

fn count(network: &Network, member: &str, test: fn(&SubmitEvent) -> bool) -> usize {
    told(network, member).into_iter().filter(|event| test(event)).count()
}

pub(crate) fn assert_empty(network: &Network) {
    for (name, site) in &network.sites {
        assert!(site.durable.spool.queue.is_empty(), "{name} still has {:?}", site.durable.spool);
    }
}

fn is_offer(pdu: &Pdu) -> bool {
    matches!(pdu, Pdu::Offer { .. })
}

fn is_handed_over(pdu: &Pdu) -> bool {
    matches!(pdu, Pdu::HandedOver { .. })
}

/// SU-050.
#[test]
fn the_policy_follows_the_role_unless_it_is_said() {
    let of = |role, submit| {
        let mut organization = cluster(2);
        let settings = &mut organization.groups[0].settings[0];
        (settings.role, settings.submit) = (role, submit);
        organization.submit_policy(&name("fe1"))
    };
    use SubmitPolicy::{Local, LocalForOthers, Remote};
    assert_eq!(of(Some(Role::Frontend), Submit::Automatic), LocalForOthers);
    assert_eq!(of(Some(Role::Backend), Submit::Automatic), Remote);
    assert_eq!(of(None, Submit::Automatic), Local);
    for role in [None, Some(Role::Frontend), Some(Role::Backend)] {
        assert_eq!(of(role, Submit::Local), Local);
        assert_eq!(of(role, Submit::LocalForOthers), LocalForOthers);
        assert_eq!(of(role, Submit::Remote), Remote);
    }
    assert_eq!(organization(1).submit_policy(&name("g1-a")), Local, "without settings");
}

/// SU-051: what is born at a backend is queued at a frontend, and delivered from there, even to the
/// backend itself.
#[test]
fn a_backend_has_a_frontend_queue_its_mail() {
    let mut network = started(1);
    let there = send(&mut network);
    let back = network.mail(&name("be1"), SENDER, &[user(&name("be1"))]);
    network.run(Span::minutes(1));
    assert_eq!(arrived(&network, there), 1);
    assert_eq!(network.copies(back, &user(&name("be1"))), 1);
    assert_eq!(queued(&network), ["be1", "be1", "fe1", "fe1"]);
    assert_eq!(count(&network, "be1", |e| matches!(e, SubmitEvent::Submitted { .. })), 2);
    assert_empty(&network);
}

/// SU-051: notices are born, too, and what account rules pass on.
#[test]
fn notices_and_what_rules_pass_on_are_submitted() {
    let mut organization = cluster(1);
    let redirect = format!("{{ action = \"redirect\", to = [\"{}\"] }}", user(&name("be1")));
    organization.accounts[2].rules = rules(&redirect);
    let mut network = network_of(organization, &[], 3);
    send(&mut network);
    network.run(Span::minutes(1));
    assert_eq!(queued(&network), ["be1", "fe1", "be2", "fe1"], "it is redirected at be2");
    assert_empty(&network);

    let mut organization = cluster(1);
    organization.accounts[2].rules = rules("{ action = \"reject\", text = \"no\" }");
    let mut network = network_of(organization, &[], 3);
    network.crash(&name("fe1"));
    send(&mut network);
    network.run(Span::seconds(30));
    // The message and the notice: both chosen, failed, kept.
    assert_eq!(told(&network, "be1").len(), 6, "{:?}", told(&network, "be1"));
    network.boot(&name("fe1"));
    network.run(Span::minutes(5));
    assert_eq!(network.notices_in(&user(&name("be1"))), 1);
    assert_empty(&network);
}

/// SU-050: a frontend queues its own mail, and a member without a role, too.
#[test]
fn who_queues_for_itself_submits_nothing() {
    let mut network = started(2);
    let client = network.mail(&name("fe1"), SENDER, &[user(&name("be2"))]);
    network.run(Span::minutes(1));
    assert_eq!((arrived(&network, client), queued(&network)), (1, vec!["fe1"]));
    assert!(told(&network, "fe1").is_empty());
}

/// SU-054: nobody can be reached, so the backend queues the mail itself, for good.
#[test]
fn without_a_frontend_the_own_queue_takes_it() {
    let mut network = started(2);
    network.crash(&name("fe1"));
    network.crash(&name("fe2"));
    let client = send(&mut network);
    network.run(Span::minutes(1));
    assert_eq!(arrived(&network, client), 1);
    assert_eq!(queued(&network), ["be1"]);
    let kept = |e: &SubmitEvent| matches!(e, SubmitEvent::Kept { tried, .. } if tried.len() == 2);
    assert_eq!(count(&network, "be1", kept), 1, "{:?}", told(&network, "be1"));
    assert_empty(&network);
}

/// SU-054: kept is kept, also after a restart: a message whose host is away is not submitted later.
#[test]
fn what_is_kept_is_not_submitted_after_a_restart() {
    let mut network = started(1);
    network.crash(&name("fe1"));
    network.crash(&name("be2"));
    let client = send(&mut network);
    network.run(Span::minutes(1));
    network.crash(&name("be1"));
    for member in ["fe1", "be1", "be2"] {
        network.boot(&name(member));
    }
    network.run(Span::hours(1));
    assert_eq!((arrived(&network, client), queued(&network)), (1, vec!["be1"]));
    assert_empty(&network);
}

/// SU-054: whatever happens before COMMIT sends the message elsewhere, once, and never back to the sender.
#[test]
fn a_failure_before_commit_leads_to_another_member() {
    let refuse = |code, status| Trap::Refuse(is_offer, Refusal::new(code, status, "no"));
    let transferred = |pdu: &Pdu| matches!(pdu, Pdu::Transferred { .. });
    for (trap, what) in [
        (Trap::Cut(is_offer), "the offer is cut off"),
        (Trap::Cut(transferred), "its answer is cut off"),
        (Trap::CrashReceiver(is_offer), "the frontend dies of it"),
    ] {
        let mut network = started(2);
        network.traps.push(trap);
        let client = send(&mut network);
        network.run(Span::minutes(10));
        assert_eq!(arrived(&network, client), 1, "{what}");
        assert_eq!(queued(&network).len(), 2, "{what}");
        assert_eq!(count(&network, "be1", |e| matches!(e, SubmitEvent::Kept { .. })), 0, "{what}");
        assert_eq!(
            count(&network, "be1", |e| matches!(e, SubmitEvent::Failed { .. })),
            1,
            "{what}"
        );
    }
    // The traps refuse the answer to the offer: the sender hears the refusal in its place.
    for (code, status) in [(452, "4.3.1"), (552, "5.3.4"), (554, "5.6.1"), (503, "5.5.1")] {
        let mut network = started(2);
        let Trap::Refuse(_, refusal) = refuse(code, status) else { unreachable!() };
        network.traps.push(Trap::Refuse(|pdu| matches!(pdu, Pdu::Transferred { .. }), refusal));
        let client = send(&mut network);
        network.run(Span::minutes(10));
        assert_eq!(arrived(&network, client), 1, "{code} {status}");
        assert!(network.notices.is_empty(), "{code} {status}: {:?}", network.notices);
        assert_eq!(count(&network, "be1", |e| matches!(e, SubmitEvent::Failed { .. })), 1);
    }
}

/// SU-021, SU-054: behind COMMIT there is no fallback. The frontend has it, whoever knows.
#[test]
fn what_is_in_doubt_stays_with_its_member() {
    let mut network = started(2);
    network.traps.push(Trap::Cut(is_handed_over));
    let client = send(&mut network);
    network.run(Span::minutes(5));
    assert_eq!(arrived(&network, client), 1);
    assert_eq!(queued(&network).len(), 2);
    assert_eq!(count(&network, "be1", |e| matches!(e, SubmitEvent::Chosen { .. })), 1);
    assert_empty(&network);
}

/// The planted bug that the last test is about: a copy at each frontend.
#[test]
fn a_fallback_in_doubt_is_noticed() {
    let mut network = network_of(cluster(2), &["fallback-while-in-doubt"], 3);
    network.traps.push(Trap::Cut(is_handed_over));
    send(&mut network);
    network.run(Span::minutes(5));
    assert!(queued(&network).len() > 2, "{:?}", queued(&network));
}

/// SU-052: a member that was given a message to queue queues it.
#[test]
fn nothing_is_submitted_twice() {
    let submissions = |faults: &[&str]| {
        let mut network = network_of(cluster(3), faults, 3);
        send(&mut network);
        // The planted bug would go on for ever.
        network.run(Span::seconds(1));
        queued(&network).len()
    };
    assert_eq!(submissions(&[]), 2, "at the backend and at the frontend");
    assert!(submissions(&["resubmits-what-it-accepted"]) > 2, "the planted bug shows");
}

/// SU-052: a member that does not queue for others says so, whatever the asker believes.
#[test]
fn a_member_that_does_not_accept_refuses() {
    let mut network = started(1);
    let mut others = cluster(1);
    others.groups[0].settings[0].submit = Submit::Local;
    let fe1 = network.sites.get_mut(&name("fe1")).expect("it is there");
    fe1.config.organization = std::sync::Arc::new(others);
    let client = send(&mut network);
    network.run(Span::minutes(1));
    assert_eq!((arrived(&network, client), queued(&network)), (1, vec!["be1"]));
    let turned_away = |e: &SubmitEvent| matches!(e, SubmitEvent::TurnedAway { .. });
    assert_eq!(count(&network, "fe1", turned_away), 1);
    let refused = network.heard.iter().find_map(|(_, _, pdu)| match pdu {
        Pdu::Refused(refusal) => Some((refusal.code, refusal.status.as_str())),
        _ => None,
    });
    assert_eq!(refused, Some((450, "4.7.1")));
}

/// SU-055: three failures open the breaker; nothing is tried for 60 seconds; then one message is.
#[test]
fn the_breaker_opens_and_half_opens() {
    let mut network = started(1);
    network.crash(&name("fe1"));
    for _ in 0..5 {
        send(&mut network);
        network.run(Span::seconds(10));
    }
    assert_eq!(count(&network, "be1", |e| matches!(e, SubmitEvent::Failed { .. })), 3);
    assert_eq!(
        count(&network, "be1", |e| matches!(e, SubmitEvent::Opened { drains: false, .. })),
        1
    );
    assert_eq!(count(&network, "be1", |e| matches!(e, SubmitEvent::Kept { .. })), 5);
    network.run(BREAKER_SPAN);
    assert_eq!(count(&network, "be1", |e| matches!(e, SubmitEvent::HalfOpened { .. })), 1);
    // The trial fails, and the breaker is open for another minute.
    send(&mut network);
    send(&mut network);
    network.run(Span::seconds(10));
    assert_eq!(count(&network, "be1", |e| matches!(e, SubmitEvent::Failed { .. })), 4, "one trial");
    network.boot(&name("fe1"));
    network.run(BREAKER_SPAN);
    assert_eq!(count(&network, "be1", |e| matches!(e, SubmitEvent::HalfOpened { .. })), 2);
    let last = send(&mut network);
    network.run(Span::minutes(2));
    assert_eq!(count(&network, "be1", |e| matches!(e, SubmitEvent::Closed { .. })), 1);
    assert_eq!(count(&network, "be1", |e| matches!(e, SubmitEvent::Submitted { .. })), 1);
    assert_eq!(arrived(&network, last), 1);
    assert_empty(&network);
}

fn drain(network: &mut Network, member: &str, on: bool) -> bool {
    let answer = network.order(&name(member), Order::Drain { on });
    network.run(Span::seconds(1));
    match &network.replies[&answer] {
        Pdu::Ordered(ordered) => ordered.refused.is_empty(),
        other => panic!("not the answer to an order: {other:?}"),
    }
}

/// SU-056, SU-057: a member that drains is chosen by nobody, also after a restart, and goes on with what
/// it has.
#[test]
fn a_member_that_drains_is_left_alone() {
    let mut network = started(2);
    // No list tells of it: it does not reach its master.
    network.cuts.push((name("fe1"), name("be1")));
    network.crash(&name("fe1"));
    network.boot(&name("fe1"));
    assert!(drain(&mut network, "fe1", true));
    assert!(drain(&mut network, "fe1", true), "it drains already");
    network.crash(&name("fe1"));
    network.boot(&name("fe1"));
    for _ in 0..8 {
        send(&mut network);
        network.run(Span::seconds(20));
    }
    assert!(!queued(&network).contains(&"fe1"), "{:?}", queued(&network));
    assert_eq!(queued(&network).iter().filter(|member| **member == "fe2").count(), 8);
    assert_eq!(count(&network, "be1", |e| matches!(e, SubmitEvent::Failed { .. })), 0);
    assert!(count(&network, "be1", |e| matches!(e, SubmitEvent::Opened { drains: true, .. })) > 0);
    let own = network.mail(&name("fe1"), SENDER, &[user(&name("be2"))]);
    assert!(drain(&mut network, "fe1", false));
    network.run(Span::minutes(2));
    assert_eq!(arrived(&network, own), 1, "what is born there is queued there");
    network.crash(&name("fe2"));
    send(&mut network);
    network.run(Span::minutes(2));
    assert!(queued(&network).iter().filter(|member| **member == "fe1").count() > 1);
    assert_empty(&network);
}

/// SU-056: an offer that was on its way when the order came is refused.
#[test]
fn an_offer_to_a_member_that_drains_is_refused() {
    let mut network = started(1);
    send(&mut network);
    while !network.heard.iter().any(|(_, _, pdu)| is_offer(pdu)) {
        network.run(Span(200));
    }
    send(&mut network);
    assert!(drain(&mut network, "fe1", true));
    network.run(Span::minutes(1));
    assert_eq!(queued(&network), ["be1", "be1", "fe1"], "the second one stays");
    assert_empty(&network);
}

/// SU-053: the lesser load in proportion to the weight, of two; and both get their share.
#[test]
fn the_less_loaded_member_is_chosen() {
    let share = |weight: u32| {
        let mut organization = cluster(2);
        organization.groups[0].settings[0].weight = weight;
        let mut network = network_of(organization, &[], 11);
        // What is for an account of a member that is away stays in the queues and weighs.
        network.crash(&name("be2"));
        for _ in 0..24 {
            send(&mut network);
            network.run(Span::seconds(5));
        }
        queued(&network).iter().filter(|member| **member == "fe1").count()
    };
    let even = share(1);
    assert!((11..=13).contains(&even), "{even} of 24");
    let triple = share(3);
    assert!((17..=19).contains(&triple), "{triple} of 24 with three times the weight");
}

pub(crate) fn rules(then: &str) -> Vec<Rule> {
    #[derive(serde::Deserialize)]
    struct Rules {
        rule: Vec<Rule>,
    }
    let text = format!("[[rule]]\nname = \"always\"\nthen = [{then}]\n");
    toml::from_str::<Rules>(&text).expect("a rule").rule
}
