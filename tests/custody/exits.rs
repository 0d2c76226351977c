//! Mail that leaves the organization by the exit that the table names.

use bridgehead::kernel::{Input, Span};
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::member::{Candidate, Event, Pdu, Policy};
use bridgehead::protocol::operator::Selection;
use bridgehead::protocol::organization::{Exit, LinkStatePolicy, Organization};
use bridgehead::wire::exits::{Scope, Space};
use bridgehead::wire::ids::{ConnectionId, MemberName};
use bridgehead::wire::message::{Address, Outcome};

use crate::network::{Network, Trap, member, organization, user};

const SENDER: Option<&str> = Some("user-g1-a@example.org");
const PARTNER: &str = "partner.example";

fn exit(name: &str, spaces: &[&str], source: MemberName) -> Exit {
    Exit {
        name: name.into(),
        spaces: spaces.iter().map(|space| Space((*space).into())).collect(),
        cost: 10,
        sources: vec![source],
        scope: Scope::Organization,
        smart_host: Some(format!("{name}.example.net:25")),
        size_limit_octets: None,
        priorities: Vec::new(),
        senders_allowed: Vec::new(),
        senders_denied: Vec::new(),
    }
}

/// Three groups in a line; the second one has the exit `world` for everything, the third one the exit `partner`
/// for the partner, at the member that is no bridgehead.
fn three_groups() -> Organization {
    let mut organization = organization(3);
    organization.link_state.policy = LinkStatePolicy::Truth;
    organization.groups[1].exits = vec![exit("world", &["*"], member(2, 'a'))];
    // What the organization hosts stays inside, whatever an exit covers.
    let spaces = [PARTNER, "*.org", "*.partner.example"];
    organization.groups[2].exits = vec![exit("partner", &spaces, member(3, 'b'))];
    organization
}

fn boot(organization: Organization) -> Network {
    assert_eq!(organization.check(), []);
    let mut network = Network::new(organization, Policy::default(), &Faults::default(), 7);
    network.outside = Some(Outcome::Delivered);
    network.run(Span::seconds(10));
    network
}

fn send(network: &mut Network, at: &MemberName, to: &str) {
    network.mail(at, SENDER, &[to.into()]);
    network.run(Span::minutes(2));
}

/// Who called which outside server.
fn called(network: &Network) -> Vec<(&str, &str)> {
    let called = network.called.iter();
    called.map(|(member, server)| (member.as_str(), server.as_str())).collect()
}

/// Where mail waits, and why.
fn waiting(network: &Network) -> Vec<(String, String)> {
    let all = Selection { all: true, ..Selection::default() };
    let rows = network.sites.iter().flat_map(|(name, site)| {
        let rows =
            site.node.as_ref().map(|node| node.machine().rows(&all, network.now, &site.config));
        let recipients = rows.into_iter().flatten().flat_map(|row| row.recipients);
        recipients.map(|recipient| (name.0.clone(), format!("{:?}", recipient.place)))
    });
    rows.collect()
}

#[track_caller]
fn assert_waits(network: &Network, at: &MemberName, why: &str) {
    let waiting = waiting(network);
    assert!(
        waiting.len() == 1 && waiting[0].0 == at.0 && waiting[0].1.contains(why),
        "{why} at {at}: {waiting:?}"
    );
    assert_eq!(network.notices.len(), 0);
}

fn reconfigure(network: &mut Network, at: &MemberName, change: impl Fn(&mut Organization)) {
    let site = network.sites.get_mut(at).unwrap();
    let mut organization = Organization::clone(&site.config.organization);
    change(&mut organization);
    site.config.organization = organization.into();
    network.step(at, Input::Configuration);
    network.run(Span::seconds(10));
}

/// LS-210, LS-213, LS-215, LS-217, CU-095: mail enters the first group and leaves the third one, because its exit
/// is the more specific one, though it is the farther one; and a member that is no source hands it to one.
#[test]
fn mail_leaves_by_the_most_specific_exit_of_another_group() {
    let mut network = boot(three_groups());
    let start = member(1, 'b');
    send(&mut network, &start, "x@partner.example");
    assert_eq!(called(&network), [("g3-b", "partner.example.net:25")]);
    let handed = network.events.iter().filter(|(_, _, e)| matches!(e, Event::HandedOver { .. }));
    assert_eq!(handed.count(), 4, "to g1-a, g2-a, g3-a and g3-b");
    send(&mut network, &start, "x@sub.PARTNER.example");
    assert_eq!(called(&network)[1..], [("g3-b", "partner.example.net:25")]);
    send(&mut network, &start, "x@else.example");
    assert_eq!(called(&network)[2..], [("g2-a", "world.example.net:25")]);
    let client = network.mail(&start, SENDER, &[user(&member(3, 'b'))]);
    network.run(Span::minutes(2));
    assert_eq!((network.copies(client, &user(&member(3, 'b'))), network.called.len()), (1, 3));
    assert_eq!((waiting(&network), network.relayed.len()), (vec![], 3));
}

/// LS-215, CU-096: mail for the specific space waits while its way is down, and does not take `*`; it leaves when
/// the way is there again.
#[test]
fn mail_does_not_fall_back_to_a_less_specific_exit() {
    let mut network = boot(three_groups());
    network.cuts.push((member(2, 'a'), member(3, 'a')));
    network.cuts.push((member(3, 'a'), member(2, 'a')));
    // Nobody looks before there is mail, which waits at the break.
    send(&mut network, &member(2, 'a'), "x@partner.example");
    network.run(Span::minutes(10));
    assert_waits(&network, &member(2, 'a'), "every way to the exits for partner.example is down");
    send(&mut network, &member(1, 'b'), "y@partner.example");
    network.run(Span::hours(2));
    assert_eq!(called(&network), []);
    assert_eq!(waiting(&network).len(), 2, "{:?}", waiting(&network));
    network.cuts.clear();
    network.run(Span::minutes(30));
    assert_eq!((network.relayed.len(), waiting(&network)), (2, vec![]));
    assert!(called(&network).iter().all(|(at, _)| *at == "g3-b"));
}

/// LS-214, LS-215: what the message may not use does not exist, and the next best space serves; LS-218: where
/// nothing is left, the message waits or takes the smart host.
#[test]
fn an_exit_that_the_message_may_not_use_does_not_exist() {
    let mut barred = three_groups();
    barred.groups[2].exits[0].size_limit_octets = Some(99);
    let mut network = boot(barred.clone());
    send(&mut network, &member(1, 'b'), "x@partner.example");
    assert_eq!(called(&network), [("g2-a", "world.example.net:25")]);
    barred.groups[1].exits.clear();
    let mut network = boot(barred.clone());
    send(&mut network, &member(1, 'b'), "x@partner.example");
    assert_waits(
        &network,
        &member(1, 'b'),
        "no exit for partner.example permits it: partner too large, at most 99 octets",
    );
    barred.smart_host = Some("smart.example.net:25".into());
    let mut network = boot(barred);
    send(&mut network, &member(1, 'b'), "x@partner.example");
    assert_eq!(called(&network), [("g1-b", "smart.example.net:25")]);
}

fn door(network: &mut Network, at: &MemberName, address: &str) -> Option<u16> {
    let address = Address::from(address);
    let pdu = Pdu::Recipient(Candidate { address, sender: None, octets: 0, recipients: 1 });
    network.step(at, Input::Pdu { from: ConnectionId(77), pdu });
    network.run(Span::seconds(6));
    match network.replies.remove(&77) {
        Some(Pdu::Ok) => Some(250),
        Some(Pdu::Refused(refusal)) => Some(refusal.code),
        _ => None,
    }
}

/// LS-214, LS-218, CU-094: an exit of scope `group` is for its group alone; to all others it is as if there were
/// none.
#[test]
fn an_exit_of_scope_group_is_for_its_group() {
    let mut organization = three_groups();
    organization.groups[1].exits.clear();
    organization.groups[2].exits[0].scope = Scope::Group;
    let mut network = boot(organization.clone());
    assert_eq!(door(&mut network, &member(1, 'b'), "x@partner.example"), Some(550));
    assert_eq!(door(&mut network, &member(3, 'a'), "x@partner.example"), Some(250));
    assert_eq!(door(&mut network, &member(3, 'a'), "x@else.example"), Some(550));
    send(&mut network, &member(3, 'a'), "x@partner.example");
    assert_eq!(called(&network), [("g3-b", "partner.example.net:25")]);
    organization.smart_host = Some("smart.example.net:25".into());
    let mut network = boot(organization);
    send(&mut network, &member(1, 'b'), "x@partner.example");
    assert_eq!(called(&network), [("g1-b", "smart.example.net:25")]);
}

/// CU-094: a member whose own file does not have the exit takes the recipient because the table has it.
#[test]
fn the_table_opens_the_door_for_a_foreign_recipient() {
    let mut network = boot(organization(3));
    let at = member(1, 'b');
    // Routes are kept from now on, and follow the table.
    network.mail(&at, SENDER, &[user(&member(3, 'b'))]);
    network.run(Span::minutes(2));
    assert_eq!(door(&mut network, &at, "x@partner.example"), Some(550));
    for other in [member(3, 'a'), member(3, 'b')] {
        reconfigure(&mut network, &other, |organization| {
            organization.revision = 2;
            organization.groups[2].exits = vec![exit("partner", &[PARTNER], member(3, 'b'))];
        });
    }
    assert_eq!(door(&mut network, &at, "x@partner.example"), Some(250));
    send(&mut network, &at, "x@partner.example");
    assert_eq!(called(&network), [("g3-b", "partner.example.net:25")]);
}

/// CU-095: while a newer organization is known, no recipient is returned for want of a way out.
#[test]
fn nothing_is_returned_for_want_of_a_way_out_that_a_newer_file_may_have() {
    let mut network = boot(organization(2));
    let at = member(1, 'b');
    send(&mut network, &at, "x@partner.example");
    assert_eq!(network.notices.len(), 1, "with the newest file it is known that there is none");
    network.notices.clear();
    for other in [member(2, 'a'), member(2, 'b')] {
        reconfigure(&mut network, &other, |organization| organization.revision = 2);
    }
    send(&mut network, &at, "x@partner.example");
    assert_waits(&network, &at, "no way out to partner.example is known here yet");
}

/// LS-219: while nothing is known of the group whose exit is the most specific by the file, mail waits for its
/// record instead of leaving by `*`.
#[test]
fn mail_waits_for_the_record_of_a_group_with_a_more_specific_exit() {
    let organization = three_groups();
    let mut network = Network::new(organization, Policy::default(), &Faults::default(), 7);
    network.outside = Some(Outcome::Delivered);
    let silent = [member(3, 'a'), member(3, 'b')];
    silent.iter().for_each(|member| network.crash(member));
    network.run(Span::seconds(10));
    send(&mut network, &member(1, 'b'), "x@partner.example");
    assert_waits(&network, &member(1, 'b'), "nothing is known yet of g3, which has partner");
    send(&mut network, &member(1, 'b'), "x@else.example");
    assert_eq!(called(&network), [("g2-a", "world.example.net:25")]);
    silent.iter().for_each(|member| network.boot(member));
    network.run(Span::minutes(30));
    assert_eq!(called(&network)[1..], [("g3-b", "partner.example.net:25")]);
}

/// LS-217, CU-096: a source whose own file does not have the exit keeps the message until it has.
#[test]
fn a_source_without_the_exit_in_its_file_keeps_the_mail() {
    let mut network = boot(three_groups());
    let source = member(3, 'b');
    // The record stays as it is: the master keeps to what it has published under this revision.
    network.sites.get_mut(&source).unwrap().config.organization = organization(3).into();
    send(&mut network, &member(1, 'b'), "x@partner.example");
    assert_waits(&network, &source, "the exit partner is not known here yet");
    network.sites.get_mut(&source).unwrap().config.organization = three_groups().into();
    network.run(Span::minutes(30));
    assert_eq!(called(&network), [("g3-b", "partner.example.net:25")]);
}

/// LS-217: who is no source tries the sources in turn, one at each attempt.
#[test]
fn the_next_source_is_tried_after_a_failed_attempt() {
    let mut organization = three_groups();
    organization.groups[0].members.push(member(1, 'c'));
    let mut own = exit("own", &["own.example"], member(1, 'b'));
    own.sources.push(member(1, 'c'));
    organization.groups[0].exits = vec![own];
    let mut network = boot(organization);
    network.crash(&member(1, 'b'));
    send(&mut network, &member(1, 'a'), "x@own.example");
    assert_eq!(called(&network), []);
    network.run(Span::minutes(10));
    assert_eq!(called(&network), [("g1-c", "own.example.net:25")]);
    assert_eq!(network.relayed.len(), 1);
}

/// Mail at a member whose group has an exit at two others, of which the first one does not keep a connection on which
/// this comes.
fn dropped_by_the_first(trap: Trap) -> Network {
    let mut organization = three_groups();
    organization.groups[0].members.push(member(1, 'c'));
    let mut own = exit("own", &["own.example"], member(1, 'b'));
    own.sources.push(member(1, 'c'));
    organization.groups[0].exits = vec![own];
    let mut network = boot(organization);
    network.traps.push(trap);
    send(&mut network, &member(1, 'a'), "x@own.example");
    network
}

/// LS-217: whoever takes the connection and drops it gives the turn to the next source as one does that cannot be
/// reached.
#[test]
fn a_source_that_drops_what_it_is_offered_is_passed_over() {
    let mut network = dropped_by_the_first(Trap::Cut(|pdu| matches!(pdu, Pdu::Offer { .. })));
    assert_waits(&network, &member(1, 'a'), "g1-b, which has the exit, drops what it is offered");
    network.run(Span::minutes(10));
    assert_eq!(called(&network), [("g1-c", "own.example.net:25")]);
    assert_eq!((network.relayed.len(), waiting(&network)), (1, vec![]));
}

/// LS-217: so does one that has fenced what it dropped behind COMMIT.
#[test]
fn a_source_that_drops_what_is_committed_is_passed_over() {
    let mut network = dropped_by_the_first(Trap::Cut(|pdu| matches!(pdu, Pdu::Commit { .. })));
    network.run(Span::minutes(10));
    assert_eq!(called(&network), [("g1-c", "own.example.net:25")]);
    assert_eq!((network.relayed.len(), waiting(&network)), (1, vec![]));
}

/// Mail at a member whose group has an exit at `sources` others, all of them dead for hours until this one is back.
#[track_caller]
fn assert_reaches(sources: usize, survivor: usize, first_retries_minutes: &[u32]) {
    let names: Vec<MemberName> =
        ['b', 'c', 'd'][..sources].iter().map(|letter| member(1, *letter)).collect();
    let mut organization = three_groups();
    organization.groups[0].members.extend_from_slice(&names[1..]);
    let mut own = exit("own", &["own.example"], names[0].clone());
    own.sources.clone_from(&names);
    organization.groups[0].exits = vec![own];
    assert_eq!(organization.check(), []);
    let first_retries_minutes = first_retries_minutes.to_vec();
    let policy = Policy { first_retries_minutes, ..Policy::default() };
    let mut network = Network::new(organization, policy, &Faults::default(), 7);
    network.outside = Some(Outcome::Delivered);
    network.run(Span::seconds(10));
    names.iter().for_each(|name| network.crash(name));
    send(&mut network, &member(1, 'a'), "x@own.example");
    network.run(Span::hours(4));
    assert_eq!(called(&network), []);
    network.boot(&names[survivor]);
    network.run(Span::hours(2));
    let server = "own.example.net:25";
    let case = format!("{survivor} of {sources}");
    assert_eq!(called(&network), [(names[survivor].as_str(), server)], "{case}");
    assert_eq!((network.relayed.len(), waiting(&network)), (1, vec![]), "{case}");
}

/// LS-217: the turns among the sources do not end with the retry schedule: whichever source lives gets the mail,
/// also after many failures, and also without first retries.
#[test]
fn whichever_source_comes_back_gets_the_mail_however_many_attempts_failed() {
    for sources in 2..=3 {
        for survivor in 0..sources {
            assert_reaches(sources, survivor, &[10, 10, 10]);
        }
    }
    assert_reaches(3, 2, &[]);
}

/// LS-219: a group that was made anew is another one: what the table has of the old one under its name is no reason
/// to leave by `*`.
#[test]
fn mail_waits_for_the_record_of_a_group_that_was_made_anew() {
    let mut before = three_groups();
    before.groups[2].exits.clear();
    let mut network = boot(before);
    network.crash(&member(3, 'a'));
    network.crash(&member(3, 'b'));
    let at = member(1, 'b');
    send(&mut network, &at, "x@partner.example");
    assert_eq!(called(&network), [("g2-a", "world.example.net:25")]);
    for other in [member(1, 'a'), at.clone(), member(2, 'a'), member(2, 'b')] {
        reconfigure(&mut network, &other, |organization| {
            *organization = three_groups();
            organization.revision = 2;
            organization.groups[2].uuid = "000000000000000000000000000000ff".into();
        });
    }
    send(&mut network, &at, "y@partner.example");
    assert_waits(&network, &at, "nothing is known yet of g3, which has partner");
}
