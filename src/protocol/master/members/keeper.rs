//! The master: whom it has heard of, and the list that it makes of that.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::machine::{
    AWAY_LIMIT, GATHER_SPAN, HEARTBEAT_SPAN, HEARTBEAT_WAIT, LOADS, MembersConfig, MembersEvent,
    MembersPeer, MembersTimer, own_spoken,
};
use super::{Context, Membership};
use crate::clause;
use crate::kernel::Time;
use crate::wire::ids::MemberName;
use crate::wire::members::{
    Heartbeat, ListVersion, Listed, MEMBERS_LIMIT, MemberList, MembersPdu, Presence, Spoken,
    Standing,
};
use crate::wire::record::Term;

/// What a master knows beside its list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Keeper {
    pub(super) term: Term,
    /// The other members of the group.
    heard: BTreeMap<MemberName, Heard>,
    /// Those that are attached, and whether they have said HEARTBEAT on the connection.
    attached: BTreeMap<MemberName, bool>,
    /// The greatest number that a member has named under this term.
    greatest: u64,
    /// The last list is too young for another one.
    is_paced: bool,
    /// Something has changed since.
    has_changed: bool,
    /// The loads that were told last.
    told: BTreeMap<MemberName, u32>,
}

/// What is known of another member.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Heard {
    presence: Presence,
    standing: Standing,
    spoken: Option<Spoken>,
    /// When it was heard last by this process, to show it.
    at: Option<Time>,
}

impl Membership {
    /// This member is the master, or goes on as the master under another term.
    pub(super) fn lead(&mut self, term: Term, config: &MembersConfig, cx: &mut Context<'_>) {
        match &mut self.keeper {
            Some(keeper) => (keeper.term, keeper.greatest) = (term, 0),
            None => {
                self.keeper = Some(Keeper {
                    term,
                    heard: BTreeMap::new(),
                    attached: BTreeMap::new(),
                    greatest: 0,
                    is_paced: false,
                    has_changed: false,
                    told: BTreeMap::new(),
                });
                self.adopt_members(config, cx);
            }
        }
        self.changed(config, cx);
    }

    /// It is the master no more.
    pub(super) fn cease(&mut self, cx: &mut Context<'_>) {
        let Some(keeper) = self.keeper.take() else { return };
        cx.disarm(MembersTimer::Gather);
        cx.disarm(MembersTimer::Loads);
        for member in keeper.heard.into_keys() {
            cx.disarm(MembersTimer::Silent(member.clone()));
            cx.disarm(MembersTimer::Away(member));
        }
    }

    /// Takes over who is a member of the group: what the last list says of somebody stands until he is heard.
    pub(super) fn adopt_members(&mut self, config: &MembersConfig, cx: &mut Context<'_>) {
        let Some(keeper) = &mut self.keeper else { return };
        let members = &config.group().members;
        keeper.heard.retain(|member, _| {
            let stays = members.contains(member);
            if !stays {
                cx.disarm(MembersTimer::Silent(member.clone()));
                cx.disarm(MembersTimer::Away(member.clone()));
            }
            stays
        });
        let Keeper { attached, heard, .. } = keeper;
        attached.retain(|member, _| heard.contains_key(member));
        for member in members.iter().filter(|member| **member != config.member) {
            if keeper.heard.contains_key(member) {
                continue;
            }
            clause!(MA_051);
            let listed = self.list.as_ref().and_then(|(_, list)| {
                list.members.iter().find(|listed| listed.member == *member).cloned()
            });
            let heard = match listed {
                Some(Listed { presence, standing, spoken, .. }) => {
                    Heard { presence, standing, spoken, at: None }
                }
                None => Heard {
                    presence: Presence::Away,
                    standing: config.standing_of(member, 0),
                    spoken: None,
                    at: None,
                },
            };
            if heard.presence != Presence::Away {
                cx.arm(MembersTimer::Away(member.clone()), AWAY_LIMIT);
            }
            keeper.heard.insert(member.clone(), heard);
        }
    }

    /// A member has attached.
    pub(super) fn joined(&mut self, member: MemberName, cx: &mut Context<'_>) {
        let Some(keeper) = &mut self.keeper else { return };
        let Some(heard) = keeper.heard.get_mut(&member) else { return };
        heard.at = Some(cx.now);
        cx.arm(MembersTimer::Silent(member.clone()), HEARTBEAT_WAIT);
        if heard.presence != Presence::Away {
            cx.arm(MembersTimer::Away(member.clone()), AWAY_LIMIT);
        }
        keeper.attached.insert(member, false);
    }

    /// The connection of a member is gone. It is not away before its time is over.
    pub(super) fn left(&mut self, member: &MemberName, cx: &mut Context<'_>) {
        let Some(keeper) = &mut self.keeper else { return };
        cx.disarm(MembersTimer::Silent(member.clone()));
        let said_none = keeper.attached.remove(member) == Some(false);
        let is_first = keeper.heard.get(member).is_some_and(|heard| heard.spoken.is_none());
        if said_none && is_first {
            cx.arm(MembersTimer::Away(member.clone()), AWAY_LIMIT);
        }
    }

    /// A member that has attached says no heartbeat.
    pub(super) fn is_silent(
        &mut self,
        member: &MemberName,
        config: &MembersConfig,
        cx: &mut Context<'_>,
    ) {
        let Some(keeper) = &mut self.keeper else { return };
        if keeper.attached.get(member) == Some(&false)
            && let Some(heard) = keeper.heard.get_mut(member)
        {
            clause!(MA_057);
            (heard.presence, heard.spoken) = (Presence::Active, None);
            cx.disarm(MembersTimer::Away(member.clone()));
            self.changed(config, cx);
        }
    }

    /// Nothing was heard of a member for too long.
    pub(super) fn is_away(
        &mut self,
        member: &MemberName,
        config: &MembersConfig,
        cx: &mut Context<'_>,
    ) {
        let heard = self.keeper.as_mut().and_then(|keeper| keeper.heard.get_mut(member));
        if let Some(heard) = heard.filter(|_| !config.faults.is_on("nobody-is-away")) {
            clause!(MA_051);
            heard.presence = Presence::Away;
            self.changed(config, cx);
        }
    }

    /// A member says how it is.
    pub(super) fn heartbeat(
        &mut self,
        from: &MemberName,
        heartbeat: Heartbeat,
        config: &MembersConfig,
        cx: &mut Context<'_>,
    ) {
        let Some(keeper) = &mut self.keeper else { return };
        let Some(before) = keeper.attached.insert(from.clone(), true) else {
            keeper.attached.remove(from);
            return;
        };
        let Heartbeat { spoken, standing, drains, known } = heartbeat;
        let presence = if drains { Presence::Draining } else { Presence::Active };
        let heard = Heard { presence, standing, spoken: Some(spoken), at: Some(cx.now) };
        keeper.heard.insert(from.clone(), heard);
        if let Some(known) = known.filter(|known| known.term == keeper.term) {
            keeper.greatest = keeper.greatest.max(known.number);
        }
        clause!(MA_052);
        cx.disarm(MembersTimer::Silent(from.clone()));
        cx.arm(MembersTimer::Away(from.clone()), AWAY_LIMIT);
        let had = self.list.as_ref().map(|(_, list)| list.version.clone());
        self.changed(config, cx);
        let Some((_, list)) = &self.list else { return };
        // A list that has just been made was told to it as to everybody.
        if !before && had.as_ref() == Some(&list.version) {
            self.tell(from, cx);
        }
    }

    /// Something may have changed: makes a list at once, or when the last one has stood for long enough.
    pub(super) fn changed(&mut self, config: &MembersConfig, cx: &mut Context<'_>) {
        let Some(keeper) = &mut self.keeper else { return };
        if keeper.is_paced {
            keeper.has_changed = true;
        } else {
            self.make(config, cx);
        }
    }

    /// The last list has stood for long enough.
    pub(super) fn may_make(&mut self, config: &MembersConfig, cx: &mut Context<'_>) {
        let Some(keeper) = &mut self.keeper else { return };
        keeper.is_paced = false;
        if core::mem::take(&mut keeper.has_changed) {
            self.make(config, cx);
        }
    }

    /// Makes a list, unless the present one says it all.
    fn make(&mut self, config: &MembersConfig, cx: &mut Context<'_>) {
        let Some(keeper) = &self.keeper else { return };
        let known = self.list.as_ref().map(|(_, list)| list);
        let members = keeper.entries(config);
        let of_term = known.filter(|known| known.version.term == keeper.term);
        let before = of_term.map_or(0, |known| known.version.number);
        let is_same = of_term.is_some_and(|known| {
            keeper.greatest <= before && without_loads(&known.members) == without_loads(&members)
        });
        // Under a term that another master has outbid nothing is said.
        let is_outbid = known.is_some_and(|known| known.version.term > keeper.term);
        if is_same || is_outbid {
            return;
        }
        let Some(number) = before.max(keeper.greatest).checked_add(1) else { return };
        clause!(MA_052);
        let version = ListVersion { term: keeper.term.clone(), number };
        let list = MemberList { version: version.clone(), spoken: common(&members), members };
        self.keep(list, config, cx);
        cx.event(MembersEvent::Made(version));
        let keeper = self.keeper.as_mut().expect("it was looked at");
        keeper.is_paced = true;
        keeper.told = self.list.iter().flat_map(|(_, list)| loads_of(&list.members)).collect();
        cx.arm(MembersTimer::Gather, GATHER_SPAN);
        cx.arm(MembersTimer::Loads, HEARTBEAT_SPAN);
        for member in self.listeners() {
            self.tell(&member, cx);
        }
    }

    /// The members that are told lists.
    fn listeners(&self) -> Vec<MemberName> {
        let attached = self.keeper.iter().flat_map(|keeper| &keeper.attached);
        attached.filter(|(_, has_said)| **has_said).map(|(member, _)| member.clone()).collect()
    }

    /// Tells a member the list.
    fn tell(&self, member: &MemberName, cx: &mut Context<'_>) {
        if let Some((_, list)) = &self.list {
            let to = MembersPeer::Attached(member.clone());
            cx.send_durable(to, MembersPdu::Members(list.clone()));
        }
    }

    /// Tells the loads that have changed, where everybody understands it.
    pub(super) fn loads_due(&mut self, config: &MembersConfig, cx: &mut Context<'_>) {
        let (Some(keeper), Some((_, list))) = (&mut self.keeper, &self.list) else { return };
        cx.arm(MembersTimer::Loads, HEARTBEAT_SPAN);
        let is_understood = list.spoken.features.iter().any(|feature| feature.as_str() == LOADS);
        if !is_understood && !config.faults.is_on("features-unasked") {
            clause!(MA_055);
            return;
        }
        let members = keeper.entries(config);
        let told = &keeper.told;
        let has_changed = |(member, load): &(MemberName, u32)| told.get(member) != Some(load);
        let loads: Vec<_> = loads_of(&members).filter(has_changed).collect();
        if loads.is_empty() {
            return;
        }
        clause!(MA_058);
        keeper.told.extend(loads.iter().cloned());
        self.loads.extend(loads.iter().cloned());
        let version = list.version.clone();
        for member in self.listeners() {
            let pdu = MembersPdu::Loads { list: version.clone(), loads: loads.clone() };
            cx.send_durable(MembersPeer::Attached(member), pdu);
        }
        cx.event(MembersEvent::Loads(loads));
    }

    /// As the master: when this process has heard a member last.
    pub(super) fn heard_at(&self, member: &MemberName) -> Option<Time> {
        self.keeper.as_ref()?.heard.get(member)?.at
    }
}

impl Keeper {
    /// The entries of all members as they are now, in order of their names.
    fn entries(&self, config: &MembersConfig) -> Vec<Listed> {
        let own = Listed {
            member: config.member.clone(),
            presence: if config.drains { Presence::Draining } else { Presence::Active },
            standing: config.standing_of(&config.member, config.load),
            spoken: Some(own_spoken(config.group())),
        };
        let others = self.heard.iter().map(|(member, heard)| Listed {
            member: member.clone(),
            presence: heard.presence,
            standing: heard.standing.clone(),
            spoken: heard.spoken.clone(),
        });
        let mut entries: Vec<_> = others.chain([own]).collect();
        entries.sort_by(|one, other| one.member.cmp(&other.member));
        assert!(entries.len() <= MEMBERS_LIMIT, "a group has no more members");
        entries
    }
}

/// What all of them understand.
fn common(members: &[Listed]) -> Spoken {
    clause!(MA_055);
    let spoken = members.iter().map(|listed| listed.spoken.clone().unwrap_or(Spoken::FIRST));
    let common = spoken.reduce(|one, other| Spoken {
        version: one.version.min(other.version),
        features: one.features.intersection(&other.features).cloned().collect::<BTreeSet<_>>(),
    });
    common.expect("a group has members")
}

fn loads_of(members: &[Listed]) -> impl Iterator<Item = (MemberName, u32)> {
    members.iter().map(|listed| (listed.member.clone(), listed.standing.load))
}

fn without_loads(members: &[Listed]) -> Vec<Listed> {
    let strip = |listed: &Listed| {
        let standing = Standing { load: 0, ..listed.standing.clone() };
        Listed { standing, ..listed.clone() }
    };
    members.iter().map(strip).collect()
}
