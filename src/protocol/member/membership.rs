//! How the list of members lives inside a member: whose connection it speaks on, and what custody does with it.

use alloc::vec::Vec;

use super::{Event, Member, MemberConfig, Pdu, Timer, Turn};
use crate::clause;
use crate::kernel::{Cx, Effect, Input, LinkChange, Machine};
use crate::protocol::linkstate::{LinkCommand, Neighbour};
use crate::protocol::master::members::{
    ListReport, MembersCommand, MembersConfig, MembersEvent, MembersPeer, Membership,
};
use crate::protocol::queue::Change;
use crate::wire::ids::{ConnectionId, MemberName};
use crate::wire::members::{MembersPdu, SubmitPolicy};

impl Member {
    /// The list of members, to look at.
    #[must_use]
    pub const fn membership(&self) -> &Membership {
        &self.membership
    }

    /// The list of members as commands show it.
    #[must_use]
    pub fn member_report(&self, now: crate::kernel::Time) -> Option<ListReport> {
        self.membership.report(now)
    }

    fn members_config(&self, config: &MemberConfig) -> MembersConfig {
        let group = config.organization.group_of(&config.member);
        let group = group.expect("the host configures a member of the organization");
        let elected = self.election(&group.name).and_then(|election| election.known()).cloned();
        // An appointment that a newer file has ended fences nobody, however great its term is.
        let in_force = self.link.appointment(&config.link()).map(|in_force| in_force.term);
        MembersConfig {
            organization: config.organization.clone(),
            member: config.member.clone(),
            load: u32::try_from(self.spool.queue.len()).unwrap_or(u32::MAX),
            drains: self.spool.draining,
            known: elected.or(in_force),
            faults: config.faults.clone(),
        }
    }

    /// Gives the machine of the list one input, and does what it wants.
    pub(crate) fn step_members(&mut self, input: Input<Membership>, turn: &mut Turn<'_, '_>) {
        let config = self.members_config(turn.config);
        let mut effects = Vec::new();
        let cx = &mut *turn.cx;
        let mut inner = Cx { now: cx.now, choose: &mut *cx.choose, out: &mut effects };
        self.membership.step(&config, input, &mut inner);
        for effect in effects {
            match effect {
                Effect::Send { to, pdu, gate } => {
                    if let Some(to) = self.connection_of(&neighbour_of(to)) {
                        turn.cx.out.push(Effect::Send { to, pdu: Pdu::Members(pdu), gate });
                    }
                }
                Effect::Arm { timer, within } => {
                    turn.cx.out.push(Effect::Arm { timer: Timer::Members(timer), within });
                }
                Effect::Disarm(timer) => turn.disarm(Timer::Members(timer)),
                Effect::Store(change) => turn.cx.store(Change::Members(change)),
                Effect::Event(event) => {
                    match &event {
                        MembersEvent::Loads(loads) => self.heed_loads(loads.clone(), turn),
                        MembersEvent::Made(_) | MembersEvent::Taken(_) => {
                            self.follow_landlord(turn);
                            let list = self.membership.list().into_iter();
                            let loads = list.flat_map(|list| &list.members);
                            let loads = loads.map(|m| (m.member.clone(), m.standing.load));
                            self.heed_loads(loads.collect(), turn);
                        }
                        MembersEvent::Stale { .. } | MembersEvent::Unheeded(_) => {}
                    }
                    turn.tell(Event::Members(event));
                }
                Effect::Open { .. } | Effect::Close { .. } | Effect::Ask { .. } => {
                    unreachable!("it opens and closes nothing, and asks nothing")
                }
            }
        }
    }

    /// The master tells how much others have to do.
    fn heed_loads(&mut self, loads: Vec<(MemberName, u32)>, turn: &Turn<'_, '_>) {
        if turn.fault("list-is-not-heeded") {
            return;
        }
        clause!(SU_082);
        let accepts = |member: &MemberName| {
            let listed = self.membership.listed(member);
            listed.is_some_and(|l| l.standing.policy == SubmitPolicy::LocalForOthers)
        };
        for (member, load) in loads.into_iter().filter(|(member, _)| accepts(member)) {
            self.acceptors.entry(member).or_default().listed(load);
        }
    }

    /// The list follows who the master is.
    pub(crate) fn follow_mastership(&mut self, turn: &mut Turn<'_, '_>) {
        if self.membership.leads() == self.link.leads() {
            return;
        }
        let command = match self.link.leads() {
            Some(term) => MembersCommand::Leads(term.clone()),
            None => MembersCommand::Ceased,
        };
        self.step_members(Input::Command(command), turn);
    }

    /// A connection of the group port has come up or gone.
    pub(crate) fn group_port_changed(
        &mut self,
        neighbour: &Neighbour,
        change: LinkChange,
        turn: &mut Turn<'_, '_>,
    ) {
        if let Some(peer) = peer_of(neighbour) {
            self.step_members(Input::Link { peer, change }, turn);
        }
    }

    /// This member has closed a connection of the group port.
    pub(crate) fn group_port_closed(&mut self, neighbour: &Neighbour, turn: &mut Turn<'_, '_>) {
        if let Some(peer) = peer_of(neighbour) {
            self.step_members(Input::Command(MembersCommand::HungUp(peer)), turn);
        }
    }

    /// Something about the list was said on a connection.
    pub(crate) fn hear_members(
        &mut self,
        connection: ConnectionId,
        pdu: MembersPdu,
        turn: &mut Turn<'_, '_>,
    ) {
        let exchange = self.exchange(connection).expect("the caller looked it up");
        let from = exchange.neighbour.as_ref().and_then(peer_of);
        clause!(WI_130);
        if let (Some(MembersPeer::Attached(_)), MembersPdu::Heartbeat(heartbeat)) = (&from, &pdu)
            && let Some(known) = &heartbeat.known
        {
            self.command_link(LinkCommand::Outdo(known.term.clone()), turn);
        }
        match (from, &pdu) {
            (Some(from @ MembersPeer::Attached(_)), MembersPdu::Heartbeat(_))
            | (
                Some(from @ MembersPeer::Master(_)),
                MembersPdu::Members(_) | MembersPdu::Loads { .. },
            ) => self.step_members(Input::Pdu { from, pdu }, turn),
            _ => self.misbehaved(connection, "a PDU that does not belong here", turn),
        }
    }
}

fn peer_of(neighbour: &Neighbour) -> Option<MembersPeer> {
    match neighbour {
        Neighbour::Master(member) => Some(MembersPeer::Master(member.clone())),
        Neighbour::Attached(member) => Some(MembersPeer::Attached(member.clone())),
        Neighbour::Connector { .. } | Neighbour::Member(_) | Neighbour::Inbound(..) => None,
    }
}

fn neighbour_of(peer: MembersPeer) -> Neighbour {
    match peer {
        MembersPeer::Master(member) => Neighbour::Master(member),
        MembersPeer::Attached(member) => Neighbour::Attached(member),
    }
}
