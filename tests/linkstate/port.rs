//! The group port: who is attached, who answers, and what of it others hear.

use crate::bench::*;
use crate::network::{Network, figure_3_14, member};
use bridgehead::kernel::{Act, Input, LinkChange, Span};
use bridgehead::protocol::linkstate::{
    ANSWER_WAIT, ConnectorState, LinkCommand, LinkDurable, LinkPdu, LinkTimer, Neighbour,
    REOPEN_LONGEST, SourceState, Term,
};

/// A member that attaches and detaches every second; how many versions of its group's record
/// left the group meanwhile.
fn versions_of_a_flaky_member(span: Span, faults: &[&str]) -> usize {
    let mut network = Network::new(figure_3_14());
    network.plant(faults);
    network.run_for(Span::minutes(2));
    let (flaky, master) = (member(2, 'a'), Neighbour::Master(member(2, 'b')));
    let (since, mut attached) = (network.now, 0_u64);
    while network.now.since(since) < span {
        if network.is_attached(&flaky) {
            attached += 1;
            network.drop_connection(&flaky, &master);
        }
        network.run_for(Span::milliseconds(520));
    }
    let seconds = span.as_seconds();
    assert!(attached > seconds * 9 / 10, "it attaches again and again: {attached} times");
    network.versions_that_left("RG2", since).len()
}

/// MA-016: one flaky member is a matter of its group. The field had every server of the organization take
/// a new table with each attempt.
#[test]
fn a_flaky_member_is_not_told_to_anybody() {
    assert_eq!(versions_of_a_flaky_member(Span::hours(1), &[]), 0);
    assert!(versions_of_a_flaky_member(Span::minutes(1), &["attachment-is-published"]) > 50);
}

/// MA-017: the master shows who is attached, a member whether it is.
#[test]
fn attachments_are_shown() {
    let mut master = Bench::boot(figure_3_14(), &member(2, 'b'), LinkDurable::default());
    let attached = |bench: &Bench| {
        let rows = bench.node.machine().attachments(&bench.config);
        rows.into_iter().map(|row| (row.member, row.attached)).collect::<Vec<_>>()
    };
    let fellow = Neighbour::Attached(member(2, 'a'));
    assert_eq!(attached(&master), [(member(2, 'a'), false)]);
    master.link(&fellow, LinkChange::Up);
    assert_eq!(attached(&master), [(member(2, 'a'), true)]);
    master.link(&fellow, LinkChange::Lost);
    assert_eq!(attached(&master), [(member(2, 'a'), false)]);
    let mut other = Bench::boot(figure_3_14(), &member(2, 'a'), LinkDurable::default());
    assert_eq!(attached(&other), [(member(2, 'b'), false)]);
    other.link(&Neighbour::Master(member(2, 'b')), LinkChange::Up);
    assert_eq!(attached(&other), [(member(2, 'b'), true)]);
}

/// MA-019: the time runs from the first thing that is not answered, and anew with each answer; then the
/// connection is given up, and the master is called again (MA-010).
#[test]
fn a_silent_master_is_given_up() {
    let master = Neighbour::Master(member(2, 'b'));
    let answer = LinkTimer::Answer(master.clone());
    let mut bench = Bench::boot(figure_3_14(), &member(2, 'a'), LinkDurable::default());
    let acts = bench.link(&master, LinkChange::Up);
    assert_eq!(armed(&acts, &answer), [ANSWER_WAIT], "a report and a query, one wait");
    let term = Term { counter: 1, member: member(2, 'b'), nonce: 1 };
    let acts = bench.pdu(&master, LinkPdu::Reported { term: term.clone() });
    assert_eq!(armed(&acts, &answer), [ANSWER_WAIT], "the query is still owed its answer");
    let acts = bench.timer(answer.clone());
    assert_eq!(problems(&acts), ["no answer in time"]);
    assert!(closed(&acts, &master));
    assert_eq!(armed(&acts, &LinkTimer::Reattach), [Span::seconds(1)]);
    bench.timer(LinkTimer::Reattach);
    bench.link(&master, LinkChange::Up);
    bench.pdu(&master, LinkPdu::Reported { term });
    let digest = bench.digest();
    bench.pdu(&master, LinkPdu::merged(digest, vec![]));
    assert!(!bench.node.armed().contains(&answer), "nothing is owed");
    // A connection that ends takes its wait along.
    bench.link(&master, LinkChange::Lost);
    bench.timer(LinkTimer::Reattach);
    bench.link(&master, LinkChange::Up);
    assert!(bench.node.armed().contains(&answer), "the report of the new connection");
    bench.link(&master, LinkChange::Lost);
    assert!(!bench.node.armed().contains(&answer));
}

/// MA-019: a member that does not answer news is let go by its master, and may come again.
#[test]
fn a_silent_member_is_given_up() {
    let fellow = Neighbour::Attached(member(2, 'a'));
    let answer = LinkTimer::Answer(fellow.clone());
    let mut bench = Bench::boot(figure_3_14(), &member(2, 'b'), LinkDurable::default());
    bench.sync();
    bench.link(&fellow, LinkChange::Up);
    assert!(!bench.node.armed().contains(&answer), "the member speaks first");
    let from = inbound(1, &member(1, 'a'));
    let acts = bench.news(&from, vec![record(4, 1, 1, ConnectorState::Down)]);
    assert_eq!(sent(&acts, &fellow).len(), 1);
    assert!(bench.node.armed().contains(&answer));
    bench.news(&from, vec![record(4, 1, 2, ConnectorState::Down)]);
    let acts = bench.timer(answer.clone());
    assert!(closed(&acts, &fellow) && problems(&acts) == ["no answer in time"]);
    let acts = bench.link(&fellow, LinkChange::Up);
    assert!(problems(&acts).is_empty() && !bench.node.armed().contains(&answer));
}

/// MA-021: who answers what nobody asked, or reports to who is no master, is closed; and it is said why.
#[test]
fn what_is_out_of_place_ends_the_connection() {
    let term = Term { counter: 1, member: member(2, 'b'), nonce: 1 };
    let merged = LinkPdu::merged(elsewhere(), vec![]);
    let (fellow, master) = (Neighbour::Attached(member(2, 'a')), Neighbour::Master(member(2, 'b')));
    let report = LinkPdu::Report { states: vec![] };
    for (letter, peer, pdu, problem) in [
        ('b', &fellow, merged.clone(), "Merged without News"),
        ('b', &fellow, LinkPdu::Reported { term }, "Reported without Report"),
        ('a', &master, report, "Report to a member that is not its master"),
    ] {
        let mut bench = Bench::boot(figure_3_14(), &member(2, letter), LinkDurable::default());
        bench.sync();
        bench.link(peer, LinkChange::Up);
        let acts = bench.pdu(peer, pdu.clone());
        assert_eq!(problems(&acts), [problem]);
        assert!(closed(&acts, peer), "{problem}");
        let acts = bench.pdu(peer, pdu);
        assert_eq!(problems(&acts), ["spoke on a connection that is not open"]);
    }
    // On an SMTP connection the session keeps the order; the machine only says what it thinks of it.
    let mut bench = Bench::boot(figure_3_14(), &member(2, 'a'), LinkDurable::default());
    let there = over("RG2-RG1", member(1, 'a'));
    bench.link(&there, LinkChange::Up);
    let digest = bench.digest();
    bench.pdu(&there, LinkPdu::merged(digest, vec![]));
    assert!(!closed(&bench.pdu(&there, merged), &there));
}

/// MA-014: one alarm for a report, however many connectors of others it names.
#[test]
fn a_report_raises_one_alarm() {
    let mut bench = Bench::boot(figure_3_14(), &member(2, 'b'), LinkDurable::default());
    bench.sync();
    let fellow = Neighbour::Attached(member(2, 'a'));
    bench.link(&fellow, LinkChange::Up);
    let foreign = |n: usize| (format!("RG3-RG{n}").as_str().into(), SourceState::Down);
    let states = (0..10_000).map(foreign).collect();
    let acts = bench.pdu(&fellow, LinkPdu::Report { states });
    assert_eq!(problems(&acts), ["reports RG3-RG0, which it does not carry"]);
    assert_eq!(bench.version("RG2"), "1.1.0.0");
    let acts = bench.raw(Input::Pdu { from: fellow, pdu: LinkPdu::Report { states: vec![] } });
    assert!(!acts.iter().any(|act| matches!(act, Act::Write(_))), "nothing is remembered of it");
}

/// MA-010, MA-020: a master whose host vanished without a word is noticed by everybody within two minutes.
#[test]
fn a_master_that_vanished_is_noticed() {
    let (bridgehead, master) = (member(2, 'a'), member(2, 'b'));
    let mut network = Network::new(figure_3_14());
    network.run_for(Span::minutes(2));
    let attached = |network: &Network| network.is_attached(&bridgehead);
    network.vanish(&master);
    network.run_for(Span::seconds(119));
    assert!(attached(&network), "nothing is said, so nothing is noticed");
    network.run_for(Span::seconds(2));
    assert!(!attached(&network), "the host's keepalive has noticed it");
    network.boot(&master);
    network.run_for(REOPEN_LONGEST);
    assert!(attached(&network));
    network.agreed();
}

/// A bridgehead reports a broken connector to a master that has just vanished, and is back after ten
/// seconds. What others have of the connector 58 s later, when nobody can know of the report, and
/// five seconds after that.
fn a_report_that_went_nowhere(faults: &[&str]) -> [ConnectorState; 2] {
    let (bridgehead, master) = (member(2, 'a'), member(2, 'b'));
    let mut network = Network::new(figure_3_14());
    network.plant(faults);
    network.run_for(Span::minutes(2));
    network.cut("RG2", "RG4");
    network.command(&bridgehead, LinkCommand::Want(way("RG2-RG4")));
    network.run_for(Span::seconds(170));
    network.vanish(&master);
    network.run_for(Span::seconds(10));
    network.boot(&master);
    [Span::seconds(58), Span::seconds(5)].map(|span| {
        network.run_for(span);
        network.state(&member(1, 'a'), "RG2-RG4")
    })
}

/// MA-019: who has something to report notices by the answer that does not come, after a minute, and says it
/// again to the master that is back.
#[test]
fn a_report_that_went_nowhere_is_made_again() {
    use ConnectorState::{Down, Up};
    assert_eq!(a_report_that_went_nowhere(&[]), [Up, Down]);
    assert_eq!(a_report_that_went_nowhere(&["silence-is-kept"]), [Up, Up], "the system is slower");
}
