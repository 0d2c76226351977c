//! The list of members: who of a group is there, what each takes upon itself and what all understand.
//!
//! Read [`machine`](self) first: the vocabulary. Then `follower` (what a member says of itself, and which
//! lists it takes), `keeper` (the list that the master makes), and here what ties them together. The list
//! only narrows choices: nothing waits for it, and the last one does without a master.

mod follower;
mod keeper;
mod machine;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::Serialize;

use crate::clause;
use crate::kernel::{Cx, Input, LinkChange, Machine, Span, Time};
use crate::wire::ids::MemberName;
use crate::wire::members::{Listed, MemberList, MembersPdu, Presence};
use crate::wire::record::Term;

use follower::Following;
use keeper::Keeper;

pub use machine::*;

type Context<'a> = Cx<'a, Membership>;

/// The list of the members of one group, at one of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Membership {
    /// The list, and when it was made or taken.
    list: Option<(Time, MemberList)>,
    /// The loads that were told since.
    loads: BTreeMap<MemberName, u32>,
    /// The connection on which this member is attached.
    following: Option<Following>,
    /// The connections in a row to this master that have ended behind a heartbeat and before a list.
    unheeded: Option<(MemberName, u8)>,
    /// Set while this member is the master.
    keeper: Option<Keeper>,
}

/// One member as commands show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedRow {
    /// What the list says, with the load that was told last.
    #[serde(flatten)]
    pub listed: Listed,
    /// At the master: how long ago it was heard, if this process has heard it; itself it hears all the time.
    #[serde(rename = "heard_ago_us")]
    pub heard_ago: Option<Span>,
}

/// The list as commands show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListReport {
    /// The list without its members.
    #[serde(flatten)]
    pub version: crate::wire::members::ListVersion,
    /// What every member of the group understands.
    pub group: crate::wire::members::Spoken,
    /// How long ago it was made or taken.
    #[serde(rename = "age_us")]
    pub age: Span,
    /// Whether this member has made it, as the master.
    pub is_master: bool,
    /// Whether it still stands: this member is the master, or is attached to one that has told it a list.
    pub is_current: bool,
    /// The members.
    pub rows: Vec<ListedRow>,
}

impl Membership {
    /// What a boot begins with.
    #[must_use]
    pub fn new(durable: &MembersDurable) -> Self {
        clause!(MA_053);
        Self {
            list: durable.list.clone(),
            loads: BTreeMap::new(),
            following: None,
            unheeded: None,
            keeper: None,
        }
    }

    /// The present list.
    #[must_use]
    pub fn list(&self) -> Option<&MemberList> {
        self.list.as_ref().map(|(_, list)| list)
    }

    /// What the list says of a member.
    #[must_use]
    pub fn listed(&self, member: &MemberName) -> Option<&Listed> {
        self.list()?.members.iter().find(|listed| listed.member == *member)
    }

    /// Whether the list says that a member is there, and takes something more upon itself.
    #[must_use]
    pub fn is_active(&self, member: &MemberName) -> bool {
        self.listed(member).is_none_or(|listed| listed.presence == Presence::Active)
    }

    /// Whether everybody in the group has this feature: nothing of it is said before.
    #[must_use]
    pub fn group_has(&self, feature: &str) -> bool {
        clause!(MA_055);
        let features = self.list().map(|list| &list.spoken.features);
        features.is_some_and(|features| features.iter().any(|known| known.as_str() == feature))
    }

    /// The term under which this member makes lists.
    #[must_use]
    pub fn leads(&self) -> Option<&Term> {
        self.keeper.as_ref().map(|keeper| &keeper.term)
    }

    /// The list as commands show it.
    #[must_use]
    pub fn report(&self, now: Time) -> Option<ListReport> {
        clause!(MA_054);
        let (at, list) = self.list.as_ref()?;
        let rows = list.members.iter().map(|listed| {
            let mut listed = listed.clone();
            if let Some(load) = self.loads.get(&listed.member) {
                listed.standing.load = *load;
            }
            let heard_ago = self.heard_at(&listed.member).map(|at| now.since(at));
            ListedRow { listed, heard_ago }
        });
        Some(ListReport {
            version: list.version.clone(),
            group: list.spoken.clone(),
            age: now.since(*at),
            is_master: self.keeper.is_some(),
            is_current: self.keeper.is_some()
                || self.following.as_ref().is_some_and(Following::is_listed),
            rows: rows.collect(),
        })
    }

    /// Has a list from now on, also after a crash.
    fn keep(&mut self, list: MemberList, config: &MembersConfig, cx: &mut Context<'_>) {
        clause!(MA_053);
        let is_greater = self.list().is_none_or(|known| known.version < list.version);
        assert!(is_greater || config.faults.is_on("any-list-is-taken"), "lists only grow");
        if !config.faults.is_on("list-is-not-stored") {
            cx.store(MembersChange::List { at: cx.now, list: list.clone() });
        }
        self.loads.clear();
        self.list = Some((cx.now, list));
    }

    fn pdu(
        &mut self,
        from: MembersPeer,
        pdu: MembersPdu,
        config: &MembersConfig,
        cx: &mut Context<'_>,
    ) {
        match (from, pdu) {
            (MembersPeer::Attached(member), MembersPdu::Heartbeat(heartbeat)) => {
                self.heartbeat(&member, heartbeat, config, cx);
            }
            (MembersPeer::Master(master), MembersPdu::Members(list)) => {
                self.told(&master, list, config, cx);
            }
            (MembersPeer::Master(master), MembersPdu::Loads { list, loads }) => {
                self.told_loads(&master, &list, loads, cx);
            }
            // The host lets nothing else pass.
            (MembersPeer::Attached(_) | MembersPeer::Master(_), _) => {}
        }
    }

    fn link(
        &mut self,
        peer: MembersPeer,
        change: LinkChange,
        config: &MembersConfig,
        cx: &mut Context<'_>,
    ) {
        match (peer, change) {
            (MembersPeer::Master(master), LinkChange::Up) => self.attached_to(master, config, cx),
            (MembersPeer::Master(master), _) => self.thrown_out_by(&master, cx),
            (MembersPeer::Attached(member), LinkChange::Up) => self.joined(member, cx),
            (MembersPeer::Attached(member), _) => self.left(&member, cx),
        }
    }
}

impl Machine for Membership {
    type Config = MembersConfig;
    type Peer = MembersPeer;
    type Endpoint = ();
    type Pdu = MembersPdu;
    type Timer = MembersTimer;
    type Change = MembersChange;
    type Durable = MembersDurable;
    type Query = ();
    type Answer = ();
    type Command = MembersCommand;
    type Event = MembersEvent;
    type View = MembersView;

    fn apply(durable: &mut MembersDurable, change: &MembersChange) {
        let MembersChange::List { at, list } = change;
        durable.list = Some((*at, list.clone()));
    }

    fn boot(_: &MembersConfig, durable: &MembersDurable, _: &mut Context<'_>) -> Self {
        Self::new(durable)
    }

    fn step(&mut self, config: &MembersConfig, input: Input<Self>, cx: &mut Context<'_>) {
        match input {
            Input::Pdu { from, pdu } => self.pdu(from, pdu, config, cx),
            Input::Link { peer, change } => self.link(peer, change, config, cx),
            Input::Timer(MembersTimer::Beat) => self.beat(config, cx),
            Input::Timer(MembersTimer::Gather) => self.may_make(config, cx),
            Input::Timer(MembersTimer::Loads) => self.loads_due(config, cx),
            Input::Timer(MembersTimer::Silent(member)) => self.is_silent(&member, config, cx),
            Input::Timer(MembersTimer::Away(member)) => self.is_away(&member, config, cx),
            Input::Command(MembersCommand::Leads(term)) => self.lead(term, config, cx),
            Input::Command(MembersCommand::Ceased) => self.cease(cx),
            Input::Command(MembersCommand::HungUp(MembersPeer::Master(master))) => {
                self.detached_from(&master, cx);
            }
            Input::Command(MembersCommand::HungUp(MembersPeer::Attached(member))) => {
                self.left(&member, cx);
            }
            Input::Command(MembersCommand::Changed) => {
                self.beat_if_changed(config, cx);
                self.changed(config, cx);
            }
            Input::Configuration => {
                self.adopt_members(config, cx);
                self.beat_if_changed(config, cx);
                self.changed(config, cx);
            }
            Input::Answer { .. } | Input::StoreFailed { .. } => {}
        }
    }

    fn view(&self) -> MembersView {
        let list = self.list().map(|list| list.version.clone());
        MembersView { list, keeps: self.keeper.is_some() }
    }
}
