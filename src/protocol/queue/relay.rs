//! To an outside server: RFC 1047's window remains here, and only here.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use super::{Change, Ending, Place, Route};
use crate::clause;
use crate::protocol::member::{Endpoint, Event, Line, Member, Pdu, Turn};
use crate::wire::ids::{ConnectionId, MemberName, OriginId, QueueId};
use crate::wire::message::{Outcome, Refusal};

/// Our connection to an outside server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Relaying {
    /// Whose mail it takes.
    pub(crate) route: Route,
    /// It is open.
    pub(crate) up: bool,
    /// The message, and the recipients without a result yet.
    pub(crate) open: Option<(QueueId, BTreeSet<u32>)>,
    /// How many messages it has been given.
    pub(crate) given: u32,
    /// Why it cannot be used, where its session knows.
    pub(crate) declined: Option<String>,
}

/// An outside server's word on one recipient.
pub(crate) enum Relayed {
    /// It has taken the mail, with the duty to tell the sender of its success.
    WithDuty,
    /// It has taken the mail, and tells nobody.
    Silently,
    /// It has not, for now or for ever.
    Refused(Refusal),
}

impl Relayed {
    /// From what the session says.
    pub(crate) fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Delivered => Self::WithDuty,
            Outcome::Refused(refusal) => Self::Refused(refusal),
        }
    }
}

impl Member {
    /// There is mail for an outside server, or for any frontend.
    pub(crate) fn reach_outside(&mut self, route: &Route, turn: &mut Turn<'_, '_>) {
        if self.rests(route) {
            clause!(CU_087);
            return;
        }
        // A connection that is up takes the next message by itself when it has done with the last one.
        let connections = self.relaying_on(route).count();
        let opening = self.relaying_on(route).filter(|relaying| !relaying.up).count();
        let waiting = self.lanes.get(route).map_or(0, BTreeSet::len);
        clause!(CU_085);
        let most = turn.config.policy.limits.destination.connections as usize;
        if connections >= most || opening >= waiting {
            return;
        }
        let Some(endpoint) = draw_endpoint(route, turn) else {
            return self.fail_lane(route, "there is no frontend", turn);
        };
        let connection = self.allot();
        let relaying =
            Relaying { route: route.clone(), up: false, open: None, given: 0, declined: None };
        self.lines.insert(connection, Line::Relaying(relaying));
        turn.cx.open(connection, endpoint);
    }

    fn relaying_on(&self, route: &Route) -> impl Iterator<Item = &Relaying> {
        self.lines.values().filter_map(move |line| match line {
            Line::Relaying(relaying) if relaying.route == *route => Some(relaying),
            _ => None,
        })
    }

    /// A connection to an outside server is up.
    pub(crate) fn relaying_up(&mut self, connection: ConnectionId, turn: &mut Turn<'_, '_>) {
        let Some(Line::Relaying(relaying)) = self.lines.get_mut(&connection) else { return };
        relaying.up = true;
        let route = relaying.route.clone();
        self.forget_rest(&route, turn);
        self.pump_relay(connection, turn);
    }

    /// A connection that is not up will not be, for this reason; its end is on its way.
    pub(crate) fn relaying_declined(
        &mut self,
        connection: ConnectionId,
        refusal: Refusal,
        turn: &mut Turn<'_, '_>,
    ) {
        match self.lines.get_mut(&connection) {
            Some(Line::Relaying(relaying)) if !relaying.up => {
                relaying.declined = Some(refusal.text);
            }
            _ => self.misbehaved(connection, "a refusal that nobody waits for", turn),
        }
    }

    /// Relays the next message on a connection that waits for nothing.
    pub(crate) fn pump_relay(&mut self, connection: ConnectionId, turn: &mut Turn<'_, '_>) {
        let Some(Line::Relaying(relaying)) = self.lines.get(&connection) else { return };
        if !relaying.up || relaying.open.is_some() {
            return;
        }
        if relaying.given >= turn.config.policy.limits.destination.messages_per_connection {
            clause!(CU_086);
            return self.hang_up(connection, turn);
        }
        let route = relaying.route.clone();
        let Some(queue) = self.first_in_line(&route) else {
            return self.hang_up(connection, turn);
        };
        let recipients = self.in_line(queue, &route);
        self.put_all(queue, &recipients, &Place::Underway(route));
        let parcel = self.parcel(queue, &recipients, turn);
        let open = Some((queue, recipients.into_iter().collect()));
        if let Some(Line::Relaying(relaying)) = self.lines.get_mut(&connection) {
            relaying.open = open;
            relaying.given += 1;
        }
        turn.cx.send_durable(connection, Pdu::Relay(parcel));
        self.expect_answer(connection, turn);
    }

    /// The outside server's word on one recipient.
    pub(crate) fn relay_result(
        &mut self,
        connection: ConnectionId,
        (origin, index): (OriginId, u32),
        word: Relayed,
        turn: &mut Turn<'_, '_>,
    ) {
        let Some(Line::Relaying(relaying)) = self.lines.get_mut(&connection) else { return };
        let route = relaying.route.clone();
        let expected = relaying.open.as_mut().filter(|(queue, open)| {
            open.contains(&index) && self.spool.queue[queue].envelope.origin == origin
        });
        let Some((queue, open)) = expected else {
            return self.misbehaved(connection, "a result that nobody waits for", turn);
        };
        open.remove(&index);
        let queue = *queue;
        self.expect_answer(connection, turn);
        self.settle_relay(queue, index, &route, word, turn);
        let Some(Line::Relaying(relaying)) = self.lines.get_mut(&connection) else { return };
        if relaying.open.as_ref().is_some_and(|(_, open)| open.is_empty()) {
            relaying.open = None;
            self.heard(connection, turn);
            self.pump_relay(connection, turn);
        }
    }

    fn settle_relay(
        &mut self,
        queue: QueueId,
        index: u32,
        route: &Route,
        word: Relayed,
        turn: &mut Turn<'_, '_>,
    ) {
        match word {
            Relayed::WithDuty => {
                // Telling the sender of a success is the duty of the far end from now on.
                clause!(CU_040);
                clause!(CU_061);
                turn.tell(Event::Delivered { queue, index });
                if turn.fault("success-told-twice") {
                    return self.succeed(queue, index, Ending::Relayed, turn);
                }
                let recipients = alloc::vec![index];
                let change = Change::Removed { queue, recipients, notice: None };
                self.finish(queue, &[index], change, turn);
            }
            Relayed::Silently => {
                clause!(CU_040);
                turn.tell(Event::Delivered { queue, index });
                self.succeed(queue, index, Ending::Relayed, turn);
            }
            Relayed::Refused(refusal) if refusal.is_permanent() => {
                self.give_up(queue, index, refusal, turn);
            }
            Relayed::Refused(refusal) => {
                self.retry_later(queue, &[index], Some(route), &alloc::format!("{refusal}"), turn);
            }
        }
    }

    /// The connection is gone. A message without a reply may have been taken: it is sent again by its
    /// schedule, because losing it would be worse.
    pub(crate) fn relaying_lost(&mut self, relaying: Relaying, turn: &mut Turn<'_, '_>) {
        let route = relaying.route.clone();
        if let Some((queue, open)) = relaying.open {
            clause!(CU_041);
            let open: Vec<u32> = open.into_iter().collect();
            if !open.is_empty() {
                let why = "the connection was lost before the reply";
                self.retry_later(queue, &open, Some(&route), why, turn);
            }
        }
        if !self.lanes.contains_key(&route) {
            return;
        }
        if relaying.up {
            return self.reach_outside(&route, turn);
        }
        // A server that talks to us on another connection is there: it wants no more of them.
        if self.relaying_on(&route).any(|other| other.up) {
            return;
        }
        self.begin_rest(&route, turn);
        clause!(CU_091);
        let why = relaying.declined.as_deref().unwrap_or("the server cannot be reached");
        self.fail_lane(&route, why, turn);
    }
}

/// Where mail on this route is taken; of the frontends a random one. `None` where there is none.
fn draw_endpoint(route: &Route, turn: &mut Turn<'_, '_>) -> Option<Endpoint> {
    if let Route::Outside(server) = route {
        return Some(Endpoint::Outside(server.clone()));
    }
    assert_eq!(*route, Route::Frontends, "any other route is no plain SMTP");
    let group = turn.config.organization.group_of(&turn.config.member)?;
    let frontends: Vec<&MemberName> = group.frontends().collect();
    let bound = NonZeroU32::new(u32::try_from(frontends.len()).ok()?)?;
    let place = if bound.get() == 1 { 0 } else { turn.cx.choose.below("relay/frontend", bound) };
    Some(Endpoint::Frontend(frontends[place as usize].clone()))
}
