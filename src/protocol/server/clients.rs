//! How much each client address has taken of this member lately.

use alloc::collections::BTreeMap;
use core::net::IpAddr;

use crate::clause;
use crate::kernel::{Span, Time};
use crate::protocol::member::ClientLimits;

/// The time for which the limits are given; what was saved up in it may be used at once.
const PERIOD: Span = Span::minutes(1);

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::protocol) enum Charge {
    /// A message is begun.
    Message,
    /// A recipient is named.
    Recipient,
    /// A bad command is said.
    Error,
}

impl Charge {
    /// The name of its limit in the configuration.
    pub(in crate::protocol) const fn limit(self) -> &'static str {
        match self {
            Self::Message => "messages_per_minute",
            Self::Recipient => "recipients_per_minute",
            Self::Error => "errors_per_minute",
        }
    }

    const fn per_period(self, limits: &ClientLimits) -> u32 {
        match self {
            Self::Message => limits.messages_per_minute,
            Self::Recipient => limits.recipients_per_minute,
            Self::Error => limits.errors_per_minute,
        }
    }
}

/// One address: when it may use each of its limits in full again. That is a bucket of tokens told by one
/// number: each charge moves the time by its share of the period, and none may move it further than a
/// period ahead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Taken {
    until: [Time; 3],
}

impl Taken {
    /// Nothing is left of what it has taken.
    fn is_idle(&self, now: Time) -> bool {
        self.until.iter().all(|until| *until <= now)
    }

    fn last(&self) -> Time {
        self.until.into_iter().max().unwrap_or_default()
    }
}

/// The clients that have taken something lately.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::protocol) struct Clients {
    taken: BTreeMap<IpAddr, Taken>,
}

impl Clients {
    /// Charges a client, if it has not reached the limit. Whether it had not.
    pub(in crate::protocol) fn charge(
        &mut self,
        remote: &str,
        charge: Charge,
        limits: &ClientLimits,
        now: Time,
    ) -> bool {
        clause!(SM_122);
        let Some(address) = counted(remote, limits) else { return true };
        if !self.has_left(address, charge, limits, now) {
            // After a clock that was set back, what is ahead is a minute and no more.
            let until = &mut self.taken.entry(address).or_default().until[charge as usize];
            *until = now + ahead(*until, now);
            return false;
        }
        self.make_room(address, limits, now);
        let until = &mut self.taken.entry(address).or_default().until[charge as usize];
        *until = now + Span(ahead(*until, now).0 + share(charge, limits).0);
        true
    }

    /// Whether a client has used its limit up.
    pub(in crate::protocol) fn is_over(
        &self,
        remote: &str,
        charge: Charge,
        limits: &ClientLimits,
        now: Time,
    ) -> bool {
        let address = counted(remote, limits);
        address.is_some_and(|address| !self.has_left(address, charge, limits, now))
    }

    fn has_left(&self, address: IpAddr, charge: Charge, limits: &ClientLimits, now: Time) -> bool {
        let taken = self.taken.get(&address).copied().unwrap_or_default();
        let used = ahead(taken.until[charge as usize], now);
        used.0 + share(charge, limits).0 <= PERIOD.0
    }

    /// Forgets whoever can be forgotten without a difference, and then whoever has been quiet for longest.
    fn make_room(&mut self, address: IpAddr, limits: &ClientLimits, now: Time) {
        let most = limits.addresses as usize;
        if self.taken.contains_key(&address) || self.taken.len() < most {
            return;
        }
        clause!(SM_123);
        self.taken.retain(|_, taken| !taken.is_idle(now));
        while self.taken.len() >= most {
            let quiet = self.taken.iter().min_by_key(|(_, taken)| taken.last());
            let Some(quiet) = quiet.map(|(address, _)| *address) else { return };
            self.taken.remove(&quiet);
        }
    }
}

/// How far `until` is ahead; no further than a period, whatever the host's clock has done.
fn ahead(until: Time, now: Time) -> Span {
    until.since(now).min(PERIOD)
}

/// What one charge takes of the period.
fn share(charge: Charge, limits: &ClientLimits) -> Span {
    Span(PERIOD.0 / u64::from(charge.per_period(limits).max(1)))
}

/// A host that names its clients by no address, as the simulator does, has nobody counted.
fn counted(remote: &str, limits: &ClientLimits) -> Option<IpAddr> {
    limits.counted(remote.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_000_000_000);

    fn limits() -> ClientLimits {
        ClientLimits { messages_per_minute: 3, addresses: 2, ..ClientLimits::default() }
    }

    /// SM-120: as many as the limit at once, then one in each share of the minute.
    #[test]
    fn a_client_gets_its_minute_and_no_more() {
        let (mut clients, limits) = (Clients::default(), limits());
        let mut message = |at: Time| clients.charge("192.0.2.1", Charge::Message, &limits, at);
        assert_eq!([NOW; 4].map(&mut message), [true, true, true, false]);
        assert!(!message(NOW + Span::seconds(19)));
        assert!(message(NOW + Span::seconds(20)));
        assert!(!message(NOW + Span::seconds(39)));
        let later = NOW + Span::minutes(10);
        assert_eq!([later; 4].map(&mut message), [true, true, true, false]);
        // A clock that was set back does not shut a client out for longer than a minute.
        assert!(!message(NOW));
        assert!(message(NOW + Span::minutes(1)));
    }

    /// SM-122: other addresses, other counts and exempt clients are not concerned.
    #[test]
    fn one_client_does_not_pay_for_another() {
        let (mut clients, limits) = (Clients::default(), limits());
        let mut charge = |remote, charge| clients.charge(remote, charge, &limits, NOW);
        assert!((0..3).all(|_| charge("2001:db8::1", Charge::Message)));
        assert!(!charge("2001:db8::2", Charge::Message), "the same /64");
        assert!(charge("2001:db8::2", Charge::Recipient));
        assert!(charge("192.0.2.2", Charge::Message));
        assert!((0..9).all(|_| charge("127.0.0.1", Charge::Message)));
        assert!((0..9).all(|_| charge("a name", Charge::Message)));
    }

    /// SM-123: the table is bounded, and whoever has been quiet for longest leaves it.
    #[test]
    fn the_quietest_is_forgotten_first() {
        let (mut clients, limits) = (Clients::default(), limits());
        let mut charge = |remote, at| clients.charge(remote, Charge::Message, &limits, at);
        assert!((0..3).all(|_| charge("192.0.2.1", NOW)));
        assert!(charge("192.0.2.2", NOW + Span::seconds(1)));
        assert!(charge("192.0.2.3", NOW + Span::seconds(1)), "192.0.2.2 had taken least");
        assert!(!charge("192.0.2.1", NOW + Span::seconds(1)));
        assert!(charge("192.0.2.4", NOW + Span::minutes(5)), "everybody is idle by now");
        assert_eq!(clients.taken.len(), 1);
    }
}
