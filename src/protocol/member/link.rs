//! How the link-state machine lives inside a member: its neighbours are connections, its effects ours.

use alloc::vec::Vec;

use super::{Event, Member, Pdu, Timer, Turn};
use crate::kernel::{Cx, Effect, Input, Machine};
use crate::protocol::linkstate::{LinkCommand, LinkEvent, LinkPdu, LinkState, Neighbour, Way};
use crate::protocol::queue::Change;

impl Member {
    /// Gives the link-state machine an order.
    pub(crate) fn command_link(&mut self, command: LinkCommand, turn: &mut Turn<'_, '_>) {
        self.step_link(Input::Command(command), turn);
    }

    /// Gives the link-state machine one input, does what it wants, and draws the consequences.
    pub(crate) fn step_link(&mut self, input: Input<LinkState>, turn: &mut Turn<'_, '_>) {
        let mut effects = Vec::new();
        let cx = &mut *turn.cx;
        let mut inner = Cx { now: cx.now, choose: &mut *cx.choose, out: &mut effects };
        self.link.step(&turn.config.link(), input, &mut inner);
        let events = self.map_link(effects, turn);
        self.follow_mastership(turn);
        self.link_events(events, turn);
    }

    /// Turns its effects into ours, in their order; answers what custody must act on afterwards.
    pub(crate) fn map_link(
        &mut self,
        effects: Vec<Effect<LinkState>>,
        turn: &mut Turn<'_, '_>,
    ) -> Vec<LinkEvent> {
        let mut events = Vec::new();
        for effect in effects {
            match effect {
                Effect::Open { peer, endpoint: () } => self.open_neighbour(peer, turn),
                Effect::Close { peer } => self.close_neighbour(&peer, turn),
                Effect::Send { to, pdu, gate } => {
                    if let Some(to) = self.connection_of(&to) {
                        let line = self.exchange_mut(to).expect("it was just found");
                        line.merged |= matches!(pdu, LinkPdu::Merged { .. });
                        turn.cx.out.push(Effect::Send { to, pdu: Pdu::Link(pdu), gate });
                    }
                }
                Effect::Ask { query: (), .. } => unreachable!("it asks nothing"),
                Effect::Arm { timer, within } => {
                    turn.cx.out.push(Effect::Arm { timer: Timer::Link(timer), within });
                }
                Effect::Disarm(timer) => turn.disarm(Timer::Link(timer)),
                Effect::Store(change) => turn.cx.store(Change::Link(change)),
                Effect::Event(event) => {
                    turn.tell(Event::Link(event.clone()));
                    events.push(event);
                }
            }
        }
        events
    }

    /// What custody does about what the link-state machine has told.
    pub(crate) fn link_events(&mut self, events: Vec<LinkEvent>, turn: &mut Turn<'_, '_>) {
        for event in events {
            match event {
                LinkEvent::Ready { way, neighbour } => self.way_ready(way, &neighbour, turn),
                LinkEvent::RoutesComputed => self.route_all(turn),
                LinkEvent::Gone { neighbour } => self.neighbour_gone(&neighbour),
                // Mail for a way that failed stays in line: the machine goes on trying it, and a
                // table that knows of the failure will route the mail anew.
                // Only what others are to queue looks for another member at once.
                LinkEvent::Failed { way: Way::Member(peer) } => {
                    self.unreachable(&peer, turn);
                    self.pass_over(&peer, "cannot be reached", turn);
                }
                LinkEvent::TableChanged => {
                    self.heed_record(turn);
                    self.herald(turn);
                }
                // Whoever is to hear of it hears of it now, whatever was told before.
                LinkEvent::Appointed(_) => self.herald_again(turn),
                LinkEvent::TermSpent => self.term_is_spent(turn),
                LinkEvent::Failed { way: Way::Connector(_) }
                | LinkEvent::Judged { .. }
                | LinkEvent::Misbehaved { .. }
                | LinkEvent::Conflict { .. }
                | LinkEvent::Superseded { .. }
                | LinkEvent::Buried { .. } => {}
            }
        }
    }

    fn way_ready(&mut self, way: Way, neighbour: &Neighbour, turn: &mut Turn<'_, '_>) {
        let Some(connection) = self.connection_of(neighbour) else { return };
        let exchange = self.exchange_mut(connection).expect("it was just found");
        exchange.ready = Some(way);
        self.pump(connection, turn);
    }

    /// The connection may be open still where only its readiness is gone. The machine goes on trying
    /// every way that is wanted.
    fn neighbour_gone(&mut self, neighbour: &Neighbour) {
        if let Some(connection) = self.connection_of(neighbour) {
            self.exchange_mut(connection).expect("it was just found").ready = None;
        }
    }

    fn close_neighbour(&mut self, neighbour: &Neighbour, turn: &mut Turn<'_, '_>) {
        let Some(connection) = self.connection_of(neighbour) else { return };
        self.drop_offers(connection, None, turn);
        let exchange = self.exchange_mut(connection).expect("it was just found");
        let dialogue = core::mem::take(&mut exchange.dialogue);
        self.lines.remove(&connection);
        turn.disarm(Timer::Silence(connection));
        turn.cx.close(connection);
        self.group_port_closed(neighbour, turn);
        self.dialogue_lost(dialogue, turn);
    }
}
