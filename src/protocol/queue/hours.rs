//! Mail waits at its connector for the hours of that connector.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Place, Route};
use crate::clause;
use crate::kernel::{Span, Time};
use crate::protocol::linkstate::Way;
use crate::protocol::member::{Member, MemberConfig, Timer, Turn};
use crate::protocol::organization::{wait_of, within_days};
use crate::protocol::session::date;
use crate::wire::ids::{ConnectorName, MemberName};

/// The longest wait before the clock is looked at again: somebody may have set it.
const CLOCK_LOOK: Span = Span::hours(1);
/// The shortest one: a timer and the clock that shows the hours need not agree to the microsecond, and a
/// wait of the rest would end before the hours begin, again and again.
const SHORTEST_WAIT: Span = Span::seconds(1);

/// How long a connector carries no mail from `now` on.
fn wait_for(config: &MemberConfig, connector: &ConnectorName, now: Time) -> Span {
    let Some(connector) = config.organization.connector(connector) else { return Span::ZERO };
    if config.faults.is_on("hours-end-with-the-day") {
        return wait_of(&within_days(&connector.schedule), now);
    }
    wait_of(&connector.schedule, now)
}

impl Member {
    /// Whether mail may begin to go this way now; where not, it is looked at again when it may.
    pub(crate) fn is_time(&self, way: &Way, turn: &mut Turn<'_, '_>) -> bool {
        let Way::Connector(connector) = way else { return true };
        let wait = wait_for(turn.config, connector, turn.cx.now);
        if wait == Span::ZERO || turn.fault("schedule-ignored") {
            return true;
        }
        clause!(LS_240);
        let wait = wait.min(CLOCK_LOOK).max(SHORTEST_WAIT);
        turn.arm(Timer::Schedule(connector.clone()), wait);
        false
    }

    /// Whether a planted bug has what is in doubt with a member wait for the hours, too.
    pub(crate) fn keeps_doubt(&self, peer: &MemberName, turn: &mut Turn<'_, '_>) -> bool {
        let first = self.doubts.get(peer).and_then(|all| all.first());
        let Some((queue, id)) = first.filter(|_| turn.fault("doubt-waits-for-hours")) else {
            return false;
        };
        let transfer = self.spool.queue.get(queue).and_then(|message| message.transfers.get(id));
        let way = transfer.map(|transfer| transfer.way.clone());
        way.is_some_and(|way| !self.is_time(&way, turn))
    }

    /// The hours of a connector may have begun.
    pub(crate) fn schedule_due(&mut self, connector: ConnectorName, turn: &mut Turn<'_, '_>) {
        let route = Route::Way(Way::Connector(connector));
        if self.lanes.contains_key(&route) {
            self.serve(&route, turn);
        }
    }

    /// The hours of every connector may have changed.
    pub(crate) fn serve_connectors(&mut self, turn: &mut Turn<'_, '_>) {
        let is_connector = |route: &&Route| matches!(route, Route::Way(Way::Connector(_)));
        for route in self.lanes.keys().filter(is_connector).cloned().collect::<Vec<_>>() {
            self.serve(&route, turn);
        }
    }
}

/// For which schedule, and until when, a recipient in this place waits.
pub(super) fn waits(place: &Place, config: &MemberConfig, now: Time) -> Option<String> {
    let Place::Line(Route::Way(Way::Connector(connector))) = place else { return None };
    let wait = wait_for(config, connector, now);
    clause!(SV_101);
    let until = || date(now + wait);
    (wait > Span::ZERO).then(|| alloc::format!("the schedule of {connector} until {}", until()))
}
