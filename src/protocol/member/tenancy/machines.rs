//! The machines of leases: who is asked, on which connection, and what becomes of their effects.

use alloc::format;
use alloc::vec::Vec;

use super::Leasing;
use crate::clause;
use crate::kernel::{Cx, Effect, Input, LinkChange, Machine};
use crate::protocol::master::accounts::{Granter, GranterCommand, Holder, HolderCommand};
use crate::protocol::master::election::ElectionEvent;
use crate::protocol::master::members::ACCOUNT_LEASES;
use crate::protocol::member::{Endpoint, Event, Line, Member, Pdu, Timer, Turn};
use crate::wire::accounts::AccountsPdu;
use crate::wire::ids::{ConnectionId, MemberName};

impl Member {
    /// Takes over which accounts the group leases: at the boot, and whenever the configuration changes.
    pub(crate) fn adopt_leases(&mut self, turn: &mut Turn<'_, '_>) {
        let config = turn.config.leases();
        match (&mut self.tenancies.running, config) {
            (None, None) => {}
            (None, Some(config)) => {
                let mut effects = Vec::new();
                let cx = &mut *turn.cx;
                let mut inner = Cx { now: cx.now, choose: &mut *cx.choose, out: &mut effects };
                let holder = Holder::boot(&config, &(), &mut inner);
                assert!(effects.is_empty(), "it does nothing before it is told whom to ask");
                let mut none = Vec::new();
                let mut inner = Cx { now: cx.now, choose: &mut *cx.choose, out: &mut none };
                let granter = Granter::boot(&config, &(), &mut inner);
                self.tenancies.running = Some(Leasing { config, granter, holder });
                self.tell_granter(turn);
                self.follow_landlord(turn);
            }
            (Some(leasing), Some(config)) if leasing.config != config => {
                clause!(MA_100);
                let busy = self.busy_accounts();
                self.step_holder(Input::Command(HolderCommand::Leave(busy)), turn);
                if let Some(leasing) = &mut self.tenancies.running {
                    leasing.config = config;
                }
                self.step_holder(Input::Configuration, turn);
                self.step_granter(Input::Configuration, None, turn);
            }
            (Some(_), Some(_)) => {}
            (Some(leasing), None) => {
                let all = leasing.config.accounts.clone();
                self.give_back(all, turn);
                self.tenancies.running = None;
                let lines = self.lines.iter().filter(|(_, line)| matches!(line, Line::Tenancy(_)));
                for connection in lines.map(|(connection, _)| *connection).collect::<Vec<_>>() {
                    self.lines.remove(&connection);
                    turn.cx.close(connection);
                }
            }
        }
    }

    /// The election of the own group has told something.
    pub(crate) fn heed_mastership(&mut self, event: &ElectionEvent, turn: &mut Turn<'_, '_>) {
        self.tenancies.mastership = match event {
            ElectionEvent::Leads(term) => Some((term.clone(), true)),
            ElectionEvent::Follows(term) => Some((term.clone(), false)),
            ElectionEvent::Ceased { .. } => {
                self.tenancies.mastership.take().map(|(term, _)| (term, false))
            }
            ElectionEvent::Misbehaved { .. } => return,
        };
        self.tell_granter(turn);
        self.follow_landlord(turn);
    }

    fn tell_granter(&mut self, turn: &mut Turn<'_, '_>) {
        let own = &turn.config.member;
        let command = match self.tenancies.mastership.clone() {
            Some((term, true)) => GranterCommand::Lead(term),
            Some((term, false)) if term.member == *own => GranterCommand::Cease,
            Some((term, false)) => GranterCommand::Follow(term),
            None => return,
        };
        self.step_granter(Input::Command(command), None, turn);
    }

    /// Asks the master from now on, if it understands what is asked: by the list that is known now.
    pub(crate) fn follow_landlord(&mut self, turn: &mut Turn<'_, '_>) {
        let Some((term, _)) = self.tenancies.mastership.clone() else { return };
        clause!(MA_104);
        let listed = self.membership.listed(&term.member);
        let features = listed.and_then(|listed| listed.spoken.as_ref()).map(|s| &s.features);
        let understands = term.member == turn.config.member
            || turn.fault("asks-any-master")
            || features.is_some_and(|all| all.iter().any(|name| name.as_str() == ACCOUNT_LEASES));
        if understands {
            self.step_holder(Input::Command(HolderCommand::Follow(term)), turn);
        }
    }

    pub(super) fn step_holder(&mut self, input: Input<Holder>, turn: &mut Turn<'_, '_>) {
        let Some(Leasing { config, holder, .. }) = &mut self.tenancies.running else { return };
        let mut effects = Vec::new();
        let cx = &mut *turn.cx;
        let mut inner = Cx { now: cx.now, choose: &mut *cx.choose, out: &mut effects };
        holder.step(config, input, &mut inner);
        for effect in effects {
            self.do_for_holder(effect, turn);
        }
    }

    /// What the holder wants done. The master may be this member itself: then nothing is sent.
    fn do_for_holder(&mut self, effect: Effect<Holder>, turn: &mut Turn<'_, '_>) {
        let own = turn.config.member.clone();
        match effect {
            Effect::Open { peer, .. } if peer == own => {
                self.step_holder(Input::Link { peer, change: LinkChange::Up }, turn);
            }
            Effect::Open { endpoint, .. } => {
                let connection = self.allot();
                self.lines.insert(connection, Line::Tenancy(endpoint.clone()));
                turn.cx.open(connection, Endpoint::Tenant(endpoint));
            }
            Effect::Close { peer } => {
                if let Some(connection) = self.line_to_landlord(&peer) {
                    self.lines.remove(&connection);
                    turn.cx.close(connection);
                }
            }
            Effect::Send { to, pdu, .. } if to == own => {
                self.step_granter(Input::Pdu { from: own, pdu }, None, turn);
            }
            Effect::Send { to, pdu, gate } => {
                if let Some(to) = self.line_to_landlord(&to) {
                    let pdu = Pdu::Accounts { by: own, pdu };
                    turn.cx.out.push(Effect::Send { to, pdu, gate });
                }
            }
            Effect::Arm { timer, within } => {
                turn.cx.out.push(Effect::Arm { timer: Timer::Holder(timer), within });
            }
            Effect::Disarm(timer) => turn.disarm(Timer::Holder(timer)),
            Effect::Event(event) => self.tenancy_told(event, turn),
            Effect::Store(()) | Effect::Ask { .. } => unreachable!("it stores and asks nothing"),
        }
    }

    pub(super) fn step_granter(
        &mut self,
        input: Input<Granter>,
        tenant: Option<ConnectionId>,
        turn: &mut Turn<'_, '_>,
    ) {
        let Some(Leasing { config, granter, .. }) = &mut self.tenancies.running else { return };
        let mut effects = Vec::new();
        let cx = &mut *turn.cx;
        let mut inner = Cx { now: cx.now, choose: &mut *cx.choose, out: &mut effects };
        granter.step(config, input, &mut inner);
        let own = turn.config.member.clone();
        for effect in effects {
            match effect {
                Effect::Send { to, pdu, .. } if to == own => {
                    self.step_holder(Input::Pdu { from: own.clone(), pdu }, turn);
                }
                // It speaks only to answer, on the connection on which it was asked.
                Effect::Send { pdu, gate, .. } => {
                    if let Some(to) = tenant {
                        let pdu = Pdu::Accounts { by: own.clone(), pdu };
                        turn.cx.out.push(Effect::Send { to, pdu, gate });
                    }
                }
                Effect::Close { .. } => {
                    if let Some(tenant) = tenant {
                        turn.cx.close(tenant);
                    }
                }
                Effect::Arm { timer, within } => {
                    turn.cx.out.push(Effect::Arm { timer: Timer::Granter(timer), within });
                }
                Effect::Disarm(timer) => turn.disarm(Timer::Granter(timer)),
                Effect::Event(event) => turn.tell(Event::Granter(event)),
                Effect::Open { .. } | Effect::Store(()) | Effect::Ask { .. } => {
                    unreachable!("it opens, stores and asks nothing")
                }
            }
        }
    }

    /// A timer of the leases is due.
    pub(crate) fn lease_due(&mut self, timer: Timer, turn: &mut Turn<'_, '_>) {
        match timer {
            Timer::Granter(timer) => self.step_granter(Input::Timer(timer), None, turn),
            Timer::Holder(timer) => self.step_holder(Input::Timer(timer), turn),
            _ => unreachable!("the caller takes the others"),
        }
    }

    /// Our connection to the master, for what it leases.
    fn line_to_landlord(&self, member: &MemberName) -> Option<ConnectionId> {
        let is_it = |line: &Line| matches!(line, Line::Tenancy(to) if to == member);
        self.lines.iter().find(|(_, line)| is_it(line)).map(|(connection, _)| *connection)
    }

    /// The master says something of accounts, on a connection of ours.
    pub(crate) fn landlord_says(
        &mut self,
        from: MemberName,
        pdu: AccountsPdu,
        turn: &mut Turn<'_, '_>,
    ) {
        self.step_holder(Input::Pdu { from, pdu }, turn);
    }

    /// A connection of ours to the master has changed.
    pub(crate) fn landlord_changed(
        &mut self,
        peer: MemberName,
        change: LinkChange,
        turn: &mut Turn<'_, '_>,
    ) {
        self.step_holder(Input::Link { peer, change }, turn);
    }

    /// A member asks this one, as its master, on a connection of its own.
    pub(crate) fn tenant_says(
        &mut self,
        connection: ConnectionId,
        from: MemberName,
        pdu: AccountsPdu,
        turn: &mut Turn<'_, '_>,
    ) {
        if self.tenancies.running.is_none() {
            clause!(MA_097);
            let problem = format!("{from} asks for accounts, and none is leased here");
            turn.tell(Event::Misbehaved { connection, problem });
            return turn.cx.close(connection);
        }
        self.step_granter(Input::Pdu { from, pdu }, Some(connection), turn);
    }
}
