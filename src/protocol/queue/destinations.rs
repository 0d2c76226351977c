//! Outside servers that cannot be reached: the server rests, and nobody's mail tries it on its own.

use alloc::string::String;
use alloc::vec::Vec;

use super::Route;
use crate::clause;
use crate::kernel::Span;
use crate::protocol::member::{Event, Member, Policy, Timer, Turn};

/// An outside server that could not be reached, since it last could.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Rest {
    /// How often in a row.
    failures: u32,
    /// Its timer runs: nobody tries it.
    rests: bool,
}

impl Rest {
    /// A minute at first, twice as long each time; never longer than configured, nor than a message waits
    /// that has failed as often.
    fn span(&self, policy: &Policy) -> Span {
        let doubled = Span::minutes(1 << self.failures.saturating_sub(1).min(16));
        let most = Span::minutes(u64::from(policy.limits.destination.rest_minutes));
        doubled.min(most).min(policy.wait_after(self.failures.saturating_sub(1)))
    }
}

impl Member {
    /// The outside servers that rest, to look at.
    pub fn resting(&self) -> impl Iterator<Item = &str> {
        let resting = self.rests.iter().filter(|(_, rest)| rest.rests);
        resting.map(|(server, _)| server.as_str())
    }

    /// Whether mail on this route waits for the end of a rest.
    pub(crate) fn rests(&self, route: &Route) -> bool {
        let Route::Outside(server) = route else { return false };
        self.rests.get(server).is_some_and(|rest| rest.rests)
    }

    /// An outside server could not be reached.
    pub(crate) fn begin_rest(&mut self, route: &Route, turn: &mut Turn<'_, '_>) {
        let Route::Outside(server) = route else { return };
        clause!(CU_087);
        let rest = self.rests.entry(server.clone()).or_default();
        rest.failures = rest.failures.saturating_add(1);
        rest.rests = true;
        let (span, failures) = (rest.span(&turn.config.policy), rest.failures);
        turn.tell(Event::Resting { server: server.clone(), span, failures });
        turn.arm(Timer::Rest(server.clone()), span);
    }

    /// It could.
    pub(crate) fn forget_rest(&mut self, route: &Route, turn: &mut Turn<'_, '_>) {
        let Route::Outside(server) = route else { return };
        if self.rests.remove(server).is_some() {
            turn.disarm(Timer::Rest(server.clone()));
        }
    }

    /// It has rested for long enough: one connection tries it for all that wait.
    pub(crate) fn rest_over(&mut self, server: &str, turn: &mut Turn<'_, '_>) {
        let Some(rest) = self.rests.get_mut(server) else { return };
        rest.rests = false;
        let route = Route::Outside(String::from(server));
        if self.lanes.contains_key(&route) {
            self.reach_outside(&route, turn);
        }
    }

    /// Forgets the servers for which nothing waits, as those that the configuration names no more.
    pub(crate) fn forget_idle_rests(&mut self) {
        let lanes = &self.lanes;
        self.rests.retain(|server, _| lanes.contains_key(&Route::Outside(server.clone())));
    }

    /// The operator wants everything tried now.
    pub(crate) fn end_rests(&mut self, turn: &mut Turn<'_, '_>) {
        clause!(CU_088);
        let resting = self.rests.iter().filter(|(_, rest)| rest.rests);
        let servers: Vec<String> = resting.map(|(server, _)| server.clone()).collect();
        for server in servers {
            turn.disarm(Timer::Rest(server.clone()));
            self.rest_over(&server, turn);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CU-087: each rest is twice as long, up to the limit and to the wait of a message.
    #[test]
    fn rests_grow_to_their_limits() {
        let spans = |policy: &Policy| -> Vec<u64> {
            let rest = |failures| Rest { failures, rests: true }.span(policy).as_seconds() / 60;
            (1..=7).map(rest).collect()
        };
        let mut policy = Policy::default();
        assert_eq!(spans(&policy), [1, 2, 4, 8, 10, 10, 10]);
        policy.limits.destination.rest_minutes = 30;
        assert_eq!(spans(&policy), [1, 2, 4, 8, 15, 15, 15], "a message waits 15 minutes by then");
        policy.first_retries_minutes = Vec::from([1, 1, 3]);
        assert_eq!(spans(&policy), [1, 1, 3, 8, 15, 15, 15]);
    }
}
