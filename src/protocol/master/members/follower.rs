//! A member: what it says of itself to its master, and which lists it takes.

use super::machine::{
    HEARTBEAT_PAUSE, HEARTBEAT_SPAN, HEARTBEAT_TRIES, MembersConfig, MembersEvent, MembersPeer,
    MembersTimer, own_spoken,
};
use super::{Context, Membership};
use crate::clause;
use crate::wire::ids::MemberName;
use crate::wire::members::{Heartbeat, ListVersion, MemberList, MembersPdu, Standing};
use crate::wire::record::Term;

use alloc::vec::Vec;

/// The connection on which this member is attached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Following {
    master: MemberName,
    /// What it has said there of itself, without its load and its list.
    said: Option<Heartbeat>,
    /// A list has come there.
    is_listed: bool,
}

impl Following {
    /// Whether a list has come on this connection.
    pub(super) const fn is_listed(&self) -> bool {
        self.is_listed
    }
}

impl Membership {
    /// The connection to the master is open.
    pub(super) fn attached_to(
        &mut self,
        master: MemberName,
        config: &MembersConfig,
        cx: &mut Context<'_>,
    ) {
        let event = MembersEvent::Unheeded(master.clone());
        let unheeded = self.unheeded.as_ref().filter(|(by, _)| *by == master);
        let is_heeded = unheeded.is_none_or(|(_, tries)| *tries < HEARTBEAT_TRIES);
        self.following = Some(Following { master, said: None, is_listed: false });
        if is_heeded || config.faults.is_on("heartbeats-without-end") {
            return self.beat(config, cx);
        }
        clause!(MA_057);
        cx.arm(MembersTimer::Beat, HEARTBEAT_PAUSE);
        cx.event(event);
    }

    /// The connection to the master has ended, and not by this member.
    pub(super) fn thrown_out_by(&mut self, master: &MemberName, cx: &mut Context<'_>) {
        let Some(following) = self.detached_from(master, cx) else { return };
        let before = self.unheeded.take().filter(|(by, _)| by == master);
        if following.said.is_some() && !following.is_listed {
            let tries = before.map_or(0, |(_, tries)| tries) + 1;
            self.unheeded = Some((master.clone(), tries.min(HEARTBEAT_TRIES)));
        }
    }

    /// There is no connection to the master any more.
    pub(super) fn detached_from(
        &mut self,
        master: &MemberName,
        cx: &mut Context<'_>,
    ) -> Option<Following> {
        let following = self.following.take_if(|following| following.master == *master)?;
        cx.disarm(MembersTimer::Beat);
        Some(following)
    }

    /// Says how it is, and again after a while.
    pub(super) fn beat(&mut self, config: &MembersConfig, cx: &mut Context<'_>) {
        let known = self.list.as_ref().map(|(_, list)| list.version.clone());
        let Some(following) = &mut self.following else { return };
        clause!(MA_050);
        let heartbeat = Heartbeat { known, ..of_itself(config) };
        following.said = Some(without_load(&heartbeat));
        let standing = config.standing_of(&config.member, config.load);
        let heartbeat = Heartbeat { standing, ..heartbeat };
        // What it says of draining holds after a crash, too.
        let to = MembersPeer::Master(following.master.clone());
        cx.send_durable(to, MembersPdu::Heartbeat(heartbeat));
        cx.arm(MembersTimer::Beat, HEARTBEAT_SPAN);
    }

    /// Says it at once when more than the load has changed.
    pub(super) fn beat_if_changed(&mut self, config: &MembersConfig, cx: &mut Context<'_>) {
        let said = self.following.as_ref().and_then(|following| following.said.as_ref());
        if said.is_some_and(|said| *said != without_load(&of_itself(config))) {
            self.beat(config, cx);
        }
    }

    /// The master tells the list.
    pub(super) fn told(
        &mut self,
        from: &MemberName,
        list: MemberList,
        config: &MembersConfig,
        cx: &mut Context<'_>,
    ) {
        let Some(following) = self.following.as_mut().filter(|f| f.master == *from) else { return };
        following.is_listed = true;
        if self.list.as_ref().is_some_and(|(_, known)| known.version == list.version) {
            return;
        }
        if !self.may_take(from, &list.version, config) {
            cx.event(MembersEvent::Stale { by: from.clone(), list: list.version });
            return;
        }
        clause!(MA_053);
        let version = list.version.clone();
        self.keep(list, config, cx);
        cx.event(MembersEvent::Taken(version));
    }

    /// Whether a list is newer than anything that is known.
    fn may_take(&self, from: &MemberName, list: &ListVersion, config: &MembersConfig) -> bool {
        let known = self.list.as_ref().map(|(_, known)| &known.version);
        if config.faults.is_on("any-list-is-taken") {
            return known != Some(list);
        }
        let is_fenced = config.known.as_ref().is_some_and(|known: &Term| *known > list.term);
        list.term.member == *from && !is_fenced && known.is_none_or(|known| known < list)
    }

    /// The master tells how loads have changed.
    pub(super) fn told_loads(
        &mut self,
        from: &MemberName,
        list: &ListVersion,
        loads: Vec<(MemberName, u32)>,
        cx: &mut Context<'_>,
    ) {
        let is_followed = self.following.as_ref().is_some_and(|f| f.master == *from);
        let is_present = self.list.as_ref().is_some_and(|(_, known)| known.version == *list);
        if is_followed && is_present {
            clause!(MA_058);
            let listed = |(member, _): &(MemberName, u32)| self.listed(member).is_some();
            let loads: Vec<_> = loads.into_iter().filter(listed).collect();
            self.loads.extend(loads.iter().cloned());
            cx.event(MembersEvent::Loads(loads));
        }
    }
}

/// What this member says of itself beside its load and its list.
fn of_itself(config: &MembersConfig) -> Heartbeat {
    Heartbeat {
        spoken: own_spoken(config.group()),
        standing: config.standing_of(&config.member, 0),
        drains: config.drains,
        known: None,
    }
}

fn without_load(heartbeat: &Heartbeat) -> Heartbeat {
    let standing = Standing { load: 0, ..heartbeat.standing.clone() };
    Heartbeat { standing, known: None, ..heartbeat.clone() }
}
