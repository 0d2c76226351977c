//! The machine of the list of members by itself: at a member, and at the master.

use std::sync::Arc;

use bridgehead::kernel::{Cx, Effect, Gate, Input, LinkChange, Machine as _, Seeded, Span, Time};
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::linkstate::Term;
use bridgehead::protocol::master::members::{
    AWAY_LIMIT, GATHER_SPAN, HEARTBEAT_PAUSE, HEARTBEAT_SPAN, HEARTBEAT_TRIES, HEARTBEAT_WAIT,
    LOADS, MembersChange, MembersCommand, MembersConfig, MembersDurable, MembersEvent, MembersPeer,
    MembersTimer, Membership, PROTOCOL_VERSION, own_spoken,
};
use bridgehead::wire::ids::MemberName;
use bridgehead::wire::members::{
    Feature, Heartbeat, ListVersion, Listed, MemberList, MembersPdu, Presence, Spoken, Standing,
    SubmitPolicy,
};

use super::policies::{cluster, name};

type Said = (MembersPeer, MembersPdu);

/// One member of `cluster(2)`: `fe1`, `fe2`, `be1` (the master by its name) and `be2`.
struct Desk {
    config: MembersConfig,
    machine: Membership,
    durable: MembersDurable,
    choose: Seeded,
    now: Time,
    said: Vec<Said>,
    events: Vec<MembersEvent>,
    armed: Vec<(MembersTimer, Span)>,
}

impl Desk {
    fn new(member: &str, faults: &[&str]) -> Self {
        let config = MembersConfig {
            organization: Arc::new(cluster(2)),
            member: name(member),
            load: 0,
            drains: false,
            known: None,
            faults: Faults::named(faults.iter().copied()).expect("tests have planted faults"),
        };
        let (durable, choose, now) = (MembersDurable::default(), Seeded::new(1), Time(1_000_000));
        let machine = Membership::new(&durable);
        let (said, events, armed) = (Vec::new(), Vec::new(), Vec::new());
        Self { config, machine, durable, choose, now, said, events, armed }
    }

    /// One step; what it says comes back.
    fn step(&mut self, input: Input<Membership>) -> Vec<Said> {
        let mut out = Vec::new();
        let mut cx = Cx { now: self.now, choose: &mut self.choose, out: &mut out };
        self.machine.step(&self.config, input, &mut cx);
        self.said.clear();
        for effect in out {
            match effect {
                Effect::Send { to, pdu, gate } => {
                    assert_eq!(gate, Gate::Durable, "what is said holds after a crash, too");
                    self.said.push((to, pdu));
                }
                Effect::Store(change) => Membership::apply(&mut self.durable, &change),
                Effect::Event(event) => self.events.push(event),
                Effect::Arm { timer, within } => {
                    self.armed.retain(|(armed, _)| *armed != timer);
                    self.armed.push((timer, *within.start()));
                }
                Effect::Disarm(timer) => self.armed.retain(|(armed, _)| *armed != timer),
                Effect::Open { .. } | Effect::Close { .. } | Effect::Ask { .. } => {
                    panic!("it opens and closes nothing, and asks nothing")
                }
            }
        }
        self.said.clone()
    }

    fn is_armed(&self, timer: &MembersTimer) -> Option<Span> {
        self.armed.iter().find(|(armed, _)| armed == timer).map(|(_, span)| *span)
    }

    /// A timer that runs is due.
    fn due(&mut self, timer: MembersTimer) -> Vec<Said> {
        let place = self.armed.iter().position(|(armed, _)| *armed == timer);
        let (_, span) =
            self.armed.remove(place.unwrap_or_else(|| panic!("{timer:?} does not run")));
        self.now = self.now + span;
        self.step(Input::Timer(timer))
    }

    fn lead(&mut self, counter: u64) -> Vec<Said> {
        let term = term(counter, self.config.member.as_str());
        self.step(Input::Command(MembersCommand::Leads(term)))
    }

    fn join(&mut self, member: &str) {
        let peer = MembersPeer::Attached(name(member));
        assert_eq!(self.step(Input::Link { peer, change: LinkChange::Up }), []);
    }

    fn beat(&mut self, member: &str, heartbeat: Heartbeat) -> Vec<Said> {
        let from = MembersPeer::Attached(name(member));
        self.step(Input::Pdu { from, pdu: MembersPdu::Heartbeat(heartbeat) })
    }

    fn open(&mut self, change: LinkChange) -> Vec<Said> {
        self.step(Input::Link { peer: MembersPeer::Master(name("be1")), change })
    }

    fn tell(&mut self, pdu: MembersPdu) -> Vec<Said> {
        self.step(Input::Pdu { from: MembersPeer::Master(name("be1")), pdu })
    }

    fn version(&self) -> Option<&ListVersion> {
        self.machine.list().map(|list| &list.version)
    }

    fn presence(&self, member: &str) -> Presence {
        self.machine.listed(&name(member)).expect("it is in the list").presence
    }
}

/// What every member of the cluster speaks.
fn own_words() -> Spoken {
    own_spoken(&cluster(2).groups[0])
}

fn term(counter: u64, member: &str) -> Term {
    Term { counter, member: MemberName::from(member), nonce: 9 }
}

fn list_version(counter: u64, number: u64) -> ListVersion {
    ListVersion { term: term(counter, "be1"), number }
}

fn heartbeat(spoken: Spoken, drains: bool, load: u32, known: Option<ListVersion>) -> Heartbeat {
    let standing = Standing { role: None, policy: SubmitPolicy::LocalForOthers, weight: 1, load };
    Heartbeat { spoken, standing, drains, known }
}

fn plain() -> Heartbeat {
    heartbeat(own_words(), false, 0, None)
}

fn list(version: ListVersion) -> MembersPdu {
    let listed = Listed {
        member: name("fe1"),
        presence: Presence::Active,
        standing: plain().standing,
        spoken: Some(own_words()),
    };
    MembersPdu::Members(MemberList { version, spoken: own_words(), members: vec![listed] })
}

fn lists(said: &[Said]) -> Vec<(&str, u64)> {
    let lists = said.iter().filter_map(|(to, pdu)| match (to, pdu) {
        (MembersPeer::Attached(member), MembersPdu::Members(list)) => {
            Some((member.as_str(), list.version.number))
        }
        _ => None,
    });
    lists.collect()
}

/// A master to which `fe1` and `be2` are attached, whose present list says so.
fn master(faults: &[&str]) -> Desk {
    let mut desk = Desk::new("be1", faults);
    desk.lead(1);
    for member in ["fe1", "be2"] {
        desk.join(member);
        desk.beat(member, plain());
    }
    desk.due(MembersTimer::Gather);
    desk
}

/// MA-051, MA-052: who was never heard is away; the first heartbeat is answered at once, and what changes
/// within two seconds makes one list, which everybody is told who has said a heartbeat.
#[test]
fn ma_052_changes_are_gathered_and_told() {
    let mut desk = Desk::new("be1", &[]);
    assert_eq!(desk.lead(1), [], "nobody is attached");
    assert_eq!(desk.version(), Some(&list_version(1, 1)));
    assert_eq!(desk.presence("be1"), Presence::Active);
    assert_eq!(desk.presence("fe1"), Presence::Away);
    desk.join("fe1");
    let said = desk.beat("fe1", plain());
    assert_eq!(lists(&said), [("fe1", 1)], "the present one");
    desk.join("be2");
    let said = desk.beat("be2", plain());
    assert_eq!(lists(&said), [("be2", 1)]);
    assert_eq!(desk.is_armed(&MembersTimer::Gather), Some(GATHER_SPAN));
    let said = desk.due(MembersTimer::Gather);
    assert_eq!(lists(&said), [("be2", 2), ("fe1", 2)]);
    assert_eq!(desk.presence("fe1"), Presence::Active);
    assert_eq!(desk.durable.list.as_ref().map(|(_, list)| list.version.number), Some(2));
    assert_eq!(desk.beat("be2", plain()), [], "nothing has changed");
    assert_eq!(desk.beat("be2", heartbeat(own_words(), false, 70, None)), [], "but the load");
    assert_eq!(desk.due(MembersTimer::Gather), []);
    let said = desk.beat("be2", heartbeat(own_words(), true, 70, None));
    assert_eq!(lists(&said), [("be2", 3), ("fe1", 3)], "the last one has stood for long enough");
    assert_eq!(desk.presence("be2"), Presence::Draining);
}

/// MA-051: a member is away when nothing was heard of it for three heartbeats, attached or not, and back
/// with the next one.
#[test]
fn ma_051_who_is_not_heard_is_away() {
    assert_eq!(AWAY_LIMIT.0, 3 * HEARTBEAT_SPAN.0);
    let mut desk = master(&[]);
    assert_eq!(desk.is_armed(&MembersTimer::Away(name("fe1"))), Some(AWAY_LIMIT));
    let gone = Input::Link { peer: MembersPeer::Attached(name("fe1")), change: LinkChange::Lost };
    assert_eq!(desk.step(gone), []);
    assert_eq!(desk.presence("fe1"), Presence::Active, "not yet");
    desk.due(MembersTimer::Gather);
    let said = desk.due(MembersTimer::Away(name("fe1")));
    assert_eq!(lists(&said), [("be2", 3)], "it is not attached");
    assert_eq!(desk.presence("fe1"), Presence::Away);
    desk.join("fe1");
    assert_eq!(desk.presence("fe1"), Presence::Away, "it has said nothing");
    desk.due(MembersTimer::Gather);
    desk.beat("fe1", plain());
    assert_eq!(desk.presence("fe1"), Presence::Active);
    let mut lax = master(&["nobody-is-away"]);
    lax.due(MembersTimer::Gather);
    lax.due(MembersTimer::Away(name("fe1")));
    assert_eq!(lax.presence("fe1"), Presence::Active, "the planted bug");
}

/// MA-051, MA-052: another term makes another list, which goes on from the last one.
#[test]
fn ma_052_a_new_term_is_a_new_list() {
    let mut desk = master(&[]);
    desk.step(Input::Command(MembersCommand::Ceased));
    assert_eq!(desk.armed, [], "nothing is kept any more");
    desk.lead(4);
    assert_eq!(desk.version(), Some(&list_version(4, 1)));
    assert_eq!(desk.presence("fe1"), Presence::Active, "as it was");
    assert_eq!(desk.presence("fe2"), Presence::Away, "as it was");
    assert_eq!(desk.is_armed(&MembersTimer::Away(name("fe1"))), Some(AWAY_LIMIT));
    assert_eq!(desk.is_armed(&MembersTimer::Away(name("fe2"))), None);
    desk.step(Input::Command(MembersCommand::Ceased));
    desk.lead(3);
    assert_eq!(desk.version(), Some(&list_version(4, 1)), "an outbid master makes none");
}

/// MA-052: a master that has lost its disk counts on from what its members name.
#[test]
fn ma_052_a_lost_disk_counts_on() {
    let mut desk = Desk::new("be1", &[]);
    desk.lead(1);
    desk.join("fe1");
    desk.beat("fe1", heartbeat(own_words(), false, 0, Some(list_version(1, 57))));
    desk.due(MembersTimer::Gather);
    assert_eq!(desk.version(), Some(&list_version(1, 58)));
    desk.join("be2");
    desk.beat("be2", heartbeat(own_words(), false, 0, Some(list_version(1, u64::MAX))));
    desk.due(MembersTimer::Gather);
    assert_eq!(desk.version(), Some(&list_version(1, 58)), "nothing follows the greatest number");
}

/// MA-055, MA-056: the group speaks what all of them speak, and whoever has said nothing speaks version 1.
#[test]
fn ma_055_the_group_speaks_what_all_speak() {
    let named = |names: &[&str]| names.iter().map(|n| Feature::new(n).expect("a name")).collect();
    let mut desk = master(&[]);
    let spoken = |desk: &Desk| desk.machine.list().expect("there is one").spoken.clone();
    assert_eq!(spoken(&desk), Spoken::FIRST, "fe2 was never heard");
    assert!(!desk.machine.group_has(LOADS));
    desk.join("fe2");
    let later = Spoken { version: 9, features: named(&["loads", "nobody-knows-it"]) };
    desk.due(MembersTimer::Gather);
    desk.beat("fe2", heartbeat(later.clone(), false, 0, None));
    assert_eq!(spoken(&desk), own_words(), "a later version goes on with ours");
    assert_eq!(desk.machine.listed(&name("fe2")).and_then(|fe2| fe2.spoken.clone()), Some(later));
    assert!(desk.machine.group_has(LOADS));
    desk.due(MembersTimer::Gather);
    desk.due(MembersTimer::Away(name("fe2")));
    assert!(desk.machine.group_has(LOADS), "who is away counts with what it has said last");
    desk.due(MembersTimer::Gather);
    let before = Spoken { version: PROTOCOL_VERSION - 1, features: named(&[]) };
    desk.beat("be2", heartbeat(before, false, 0, None));
    assert_eq!(spoken(&desk), Spoken::FIRST, "the first one that goes back");
    desk.due(MembersTimer::Gather);
    desk.beat("be2", plain());
    let organization = Arc::make_mut(&mut desk.config.organization);
    organization.groups[0].members.retain(|member| member.as_str() != "fe2");
    desk.step(Input::Configuration);
    desk.due(MembersTimer::Gather);
    assert!(desk.machine.listed(&name("fe2")).is_none(), "it is no member any more");
}

/// MA-055, MA-058: loads are told when they have changed, and only where everybody understands it.
#[test]
fn ma_058_loads_are_told_where_all_understand_it() {
    let busy = || heartbeat(own_words(), false, 31, None);
    for (faults, expected) in [(&[][..], 0), (&["features-unasked"][..], 2)] {
        let mut desk = master(faults);
        desk.beat("be2", busy());
        let said = desk.due(MembersTimer::Loads);
        assert_eq!(said.len(), expected, "fe2 may not understand it");
    }
    let mut desk = master(&[]);
    desk.join("fe2");
    desk.due(MembersTimer::Gather);
    desk.beat("fe2", plain());
    assert_eq!(desk.due(MembersTimer::Loads), [], "nothing has changed");
    desk.beat("be2", busy());
    desk.config.load = 2;
    let said = desk.due(MembersTimer::Loads);
    let loads = vec![(name("be1"), 2), (name("be2"), 31)];
    let told = MembersPdu::Loads { list: list_version(1, 3), loads: loads.clone() };
    assert_eq!(said.len(), 3);
    assert!(said.iter().all(|(_, pdu)| *pdu == told), "{said:?}");
    assert_eq!(desk.events.last(), Some(&MembersEvent::Loads(loads)));
    assert_eq!(desk.is_armed(&MembersTimer::Loads), Some(HEARTBEAT_SPAN));
    assert_eq!(desk.due(MembersTimer::Loads), [], "they were told");
}

/// MA-057: a member that says no heartbeat speaks version 1; it is there as long as it is attached, and
/// is told nothing that it does not know.
#[test]
fn ma_057_a_member_of_version_1_is_taken_as_it_is() {
    let mut desk = master(&[]);
    desk.due(MembersTimer::Gather);
    desk.join("fe1");
    desk.join("fe2");
    assert_eq!(desk.is_armed(&MembersTimer::Silent(name("fe2"))), Some(HEARTBEAT_WAIT));
    let said = desk.due(MembersTimer::Silent(name("fe2")));
    assert_eq!(lists(&said), [("be2", 3)]);
    assert_eq!(desk.presence("fe2"), Presence::Active);
    assert_eq!(desk.machine.listed(&name("fe2")).and_then(|fe2| fe2.spoken.clone()), None);
    assert_eq!(desk.is_armed(&MembersTimer::Away(name("fe2"))), None);
    desk.due(MembersTimer::Gather);
    desk.due(MembersTimer::Silent(name("fe1")));
    assert_eq!(
        desk.machine.listed(&name("fe1")).and_then(|fe1| fe1.spoken.clone()),
        None,
        "gone back"
    );
    desk.due(MembersTimer::Gather);
    let peer = MembersPeer::Attached(name("fe2"));
    desk.step(Input::Link { peer, change: LinkChange::Lost });
    desk.due(MembersTimer::Away(name("fe2")));
    assert_eq!(desk.presence("fe2"), Presence::Away);
}

/// MA-057: two connections that end behind a heartbeat and before a list, and the next one goes without.
#[test]
fn ma_057_a_master_of_version_1_is_spared_heartbeats() {
    let mut desk = Desk::new("be2", &[]);
    for _ in 0..HEARTBEAT_TRIES {
        assert_eq!(desk.open(LinkChange::Up).len(), 1);
        desk.open(LinkChange::Closed);
        assert_eq!(desk.armed, []);
    }
    assert_eq!(desk.open(LinkChange::Up), []);
    assert_eq!(desk.events, [MembersEvent::Unheeded(name("be1"))]);
    assert_eq!(desk.is_armed(&MembersTimer::Beat), Some(HEARTBEAT_PAUSE));
    assert_eq!(desk.step(Input::Command(MembersCommand::Changed)), [], "also when it drains");
    assert_eq!(desk.due(MembersTimer::Beat).len(), 1, "it may have been upgraded");
    desk.open(LinkChange::Closed);
    assert_eq!(desk.open(LinkChange::Up), [], "it was not");
    desk.open(LinkChange::Lost);
    assert_eq!(desk.open(LinkChange::Up).len(), 1, "it may have come back as another one");
    desk.tell(list(list_version(1, 1)));
    desk.open(LinkChange::Lost);
    desk.open(LinkChange::Up);
    desk.open(LinkChange::Lost);
    assert_eq!(desk.open(LinkChange::Up).len(), 1, "one by itself says nothing");
    let mut leaver = Desk::new("be2", &[]);
    for _ in 0..4 {
        assert_eq!(leaver.open(LinkChange::Up).len(), 1, "it has ended the connection itself");
        leaver.step(Input::Command(MembersCommand::HungUp(MembersPeer::Master(name("be1")))));
    }
    let mut stubborn = Desk::new("be2", &["heartbeats-without-end"]);
    for _ in 0..4 {
        assert_eq!(stubborn.open(LinkChange::Up).len(), 1, "the planted bug");
        stubborn.open(LinkChange::Closed);
    }
}

/// MA-050: what a heartbeat says, and when it goes.
#[test]
fn ma_050_heartbeats_go_when_something_changes_and_every_so_often() {
    let mut desk = Desk::new("fe1", &[]);
    desk.config.load = 3;
    let said = desk.open(LinkChange::Up);
    let [(MembersPeer::Master(_), MembersPdu::Heartbeat(first))] = &said[..] else {
        panic!("a heartbeat: {said:?}");
    };
    assert_eq!((first.standing.load, first.drains, &first.known), (3, false, &None));
    assert_eq!(first.standing.policy, SubmitPolicy::LocalForOthers);
    assert_eq!(first.spoken, own_words());
    desk.config.load = 4;
    assert_eq!(desk.step(Input::Command(MembersCommand::Changed)), [], "the load has its time");
    assert_eq!(desk.is_armed(&MembersTimer::Beat), Some(HEARTBEAT_SPAN));
    desk.config.drains = true;
    let said = desk.step(Input::Command(MembersCommand::Changed));
    assert!(matches!(&said[..], [(_, MembersPdu::Heartbeat(Heartbeat { drains: true, .. }))]));
    desk.tell(list(list_version(1, 6)));
    let said = desk.due(MembersTimer::Beat);
    let [(_, MembersPdu::Heartbeat(next))] = &said[..] else { panic!("a heartbeat: {said:?}") };
    assert_eq!(next.known, Some(list_version(1, 6)));
    assert_eq!(next.standing.load, 4);
}

/// MA-053: a list is taken from the master under its own term, when it is greater and nothing greater is known.
#[test]
fn ma_053_lists_only_grow() {
    let mut desk = Desk::new("be2", &[]);
    desk.tell(list(list_version(3, 7)));
    assert_eq!(desk.version(), None, "it is not attached");
    desk.open(LinkChange::Up);
    desk.tell(list(list_version(3, 7)));
    assert_eq!(desk.version(), Some(&list_version(3, 7)));
    assert_eq!(desk.durable.list.as_ref().map(|(_, list)| &list.version), desk.version());
    desk.tell(list(list_version(3, 7)));
    assert!(!desk.events.iter().any(|event| matches!(event, MembersEvent::Stale { .. })));
    for older in [list_version(3, 6), list_version(2, 99)] {
        desk.tell(list(older.clone()));
        let stale = MembersEvent::Stale { by: name("be1"), list: older };
        assert_eq!(desk.events.last(), Some(&stale));
        assert_eq!(desk.version(), Some(&list_version(3, 7)));
    }
    desk.tell(list(ListVersion { term: term(4, "fe1"), number: 1 }));
    assert_eq!(desk.version(), Some(&list_version(3, 7)), "the term of another member");
    desk.config.known = Some(term(5, "fe1"));
    desk.tell(list(list_version(4, 1)));
    assert_eq!(desk.version(), Some(&list_version(3, 7)), "a greater term is known");
    desk.tell(list(list_version(5, 1)));
    assert_eq!(desk.version(), Some(&list_version(3, 7)), "be1 is less than fe1");
    desk.tell(list(list_version(6, 1)));
    assert_eq!(desk.version(), Some(&list_version(6, 1)));
    let mut fooled = Desk::new("be2", &["any-list-is-taken"]);
    fooled.open(LinkChange::Up);
    fooled.tell(list(list_version(3, 7)));
    fooled.tell(list(list_version(2, 99)));
    assert_eq!(fooled.version(), Some(&list_version(2, 99)), "the planted bug");
}

/// MA-053: the list survives a restart, and its age is shown.
#[test]
fn ma_053_the_last_list_does_after_a_restart() {
    let mut desk = Desk::new("be2", &[]);
    desk.open(LinkChange::Up);
    desk.tell(list(list_version(3, 7)));
    let later = desk.now + Span::minutes(12);
    let machine = Membership::new(&desk.durable);
    assert_eq!(machine.list(), desk.machine.list());
    let report = machine.report(later).expect("there is a list");
    assert_eq!((report.age, report.is_master), (Span::minutes(12), false));
    assert_eq!(report.rows[0].heard_ago, None, "only the master hears");
    let mut forgetful = Desk::new("be2", &["list-is-not-stored"]);
    forgetful.open(LinkChange::Up);
    forgetful.tell(list(list_version(3, 7)));
    assert_eq!(Membership::new(&forgetful.durable).list(), None, "the planted bug");
}

/// MA-054: the master shows how long ago it has heard of each.
#[test]
fn ma_054_the_master_shows_whom_it_has_heard() {
    let desk = master(&[]);
    let report = desk.machine.report(desk.now + Span::seconds(9)).expect("there is a list");
    let heard: Vec<_> =
        report.rows.iter().map(|row| (row.listed.member.as_str(), row.heard_ago)).collect();
    let ago = Some(Span(GATHER_SPAN.0 + Span::seconds(9).0));
    assert_eq!(heard, [("be1", None), ("be2", ago), ("fe1", ago), ("fe2", None)]);
    assert!(report.is_master);
}

/// MA-058: loads of another list than the present one are ignored, and so are those of strangers.
#[test]
fn ma_058_loads_belong_to_a_list() {
    let mut desk = Desk::new("be2", &[]);
    desk.open(LinkChange::Up);
    desk.tell(list(list_version(3, 7)));
    let before = desk.events.len();
    let loads = |number| MembersPdu::Loads {
        list: list_version(3, number),
        loads: vec![(name("fe1"), 8), (name("nobody"), 1)],
    };
    desk.tell(loads(6));
    assert_eq!(desk.events.len(), before);
    desk.tell(loads(7));
    assert_eq!(desk.events.last(), Some(&MembersEvent::Loads(vec![(name("fe1"), 8)])));
    let report = desk.machine.report(desk.now).expect("there is a list");
    assert_eq!(report.rows[0].listed.standing.load, 8);
    let MembersChange::List { list, .. } = MembersChange::List {
        at: desk.now,
        list: desk.durable.list.clone().expect("it is stored").1,
    };
    assert_eq!(list.members[0].standing.load, 0, "nothing of it is stored");
}
