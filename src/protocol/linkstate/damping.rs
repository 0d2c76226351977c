//! How often one connector was found DOWN, and whether one more failure of it is hidden.
//!
//! Two rules, of which the configuration chooses one. The seed's: the third decision of DOWN within an
//! hour makes a connector oscillate. That of RFC 7196: each decision costs a penalty, which decays.
//!
//! A penalty that decays is a function of time, and a machine keeps no time: a deadline in its state would
//! make states differ that behave alike, and none would ever come again. So time enters as everywhere in
//! this machine, by a timer: in each half-life the penalty takes fifteen equal steps, in whole numbers.
//! The state is one bounded number. It is wrong by one step at most, a fifteenth of a half-life, and the
//! timer runs only while there is a penalty, which is forgotten below the half of the reuse limit, so that
//! a member at rest stays at rest.

use alloc::vec::Vec;

use super::LinkTimer;
use super::detector::TimerOrder;
use crate::clause;
use crate::kernel::Span;
use crate::protocol::organization::{DECAY_STEPS, DampingRule, LinkStateSettings};
use crate::wire::ids::ConnectorName;

/// The decision of DOWN that makes a connector oscillate, counted within [`FLAP_WINDOW`].
pub const FLAP_LIMIT: u8 = 3;
/// How long decisions are counted, from the first one.
pub const FLAP_WINDOW: Span = Span::hours(1);
/// How long an oscillating connector has to work before it is believed again.
pub const CALM_SPAN: Span = Span::minutes(10);
/// How long a failure may be hidden because its connector is damped.
pub const HIDDEN_LIMIT: Span = Span::minutes(15);

/// What the decisions of DOWN about one connector have come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Damping {
    flaps: u8,
    oscillating: bool,
    penalty: u32,
    suppressed: bool,
}

impl Damping {
    /// The penalty now.
    pub(super) const fn penalty(&self) -> u32 {
        self.penalty
    }

    /// DOWN is decided once more.
    pub(super) fn count(
        &mut self,
        settings: &LinkStateSettings,
        name: &ConnectorName,
    ) -> Vec<TimerOrder> {
        match settings.damping {
            DampingRule::Oscillation => self.count_flap(name).into_iter().collect(),
            DampingRule::Rfc7196 | DampingRule::CalculateOnly => self.punish(settings, name),
            DampingRule::Off => Vec::new(),
        }
    }

    fn count_flap(&mut self, name: &ConnectorName) -> Option<TimerOrder> {
        clause!(LS_032);
        self.flaps = self.flaps.saturating_add(1);
        let calm = LinkTimer::Calm(name.clone());
        if self.oscillating || self.flaps >= FLAP_LIMIT {
            self.oscillating = true;
            return Some(TimerOrder::Disarm(calm));
        }
        (self.flaps == 1).then_some(TimerOrder::Arm(calm, FLAP_WINDOW))
    }

    fn punish(&mut self, settings: &LinkStateSettings, name: &ConnectorName) -> Vec<TimerOrder> {
        clause!(LS_110);
        let mut orders = Vec::new();
        if self.penalty == 0 {
            orders.push(decay(settings, name));
        }
        self.penalty = settings.raised(self.penalty);
        assert!(self.penalty <= settings.max_penalty, "a penalty has a ceiling");
        if settings.damping == DampingRule::Rfc7196
            && (self.suppressed || self.penalty >= settings.suppress_penalty)
        {
            clause!(LS_111);
            self.suppressed = true;
            let span = Span::seconds(settings.max_suppress_s.into());
            orders.push(TimerOrder::Arm(LinkTimer::SuppressLimit(name.clone()), span));
        }
        orders
    }

    /// A connector that was DOWN works again.
    pub(super) fn recover(&self, name: &ConnectorName) -> Option<TimerOrder> {
        if !self.oscillating {
            return None;
        }
        clause!(LS_033);
        Some(TimerOrder::Arm(LinkTimer::Calm(name.clone()), CALM_SPAN))
    }

    /// The count of decisions is forgotten.
    pub(super) const fn calm(&mut self) {
        self.flaps = 0;
        self.oscillating = false;
    }

    /// One step of decay is over.
    pub(super) fn decay(
        &mut self,
        settings: &LinkStateSettings,
        name: &ConnectorName,
    ) -> Option<TimerOrder> {
        clause!(LS_112);
        let is_counted = settings.damping.counts_penalty();
        self.penalty = if is_counted { settings.decayed(self.penalty) } else { 0 };
        if self.penalty < settings.reuse_penalty {
            self.suppressed = false;
        }
        (self.penalty > 0).then(|| decay(settings, name))
    }

    /// The connector has been suppressed for long enough, whatever the penalty.
    pub(super) const fn release(&mut self) {
        self.suppressed = false;
    }

    /// Whether a failure is hidden by the rule that is in force.
    pub(super) fn hides(&self, rule: DampingRule) -> bool {
        clause!(LS_107);
        match rule {
            DampingRule::Oscillation => self.oscillating,
            DampingRule::Rfc7196 => self.suppressed,
            DampingRule::CalculateOnly | DampingRule::Off => false,
        }
    }
}

fn decay(settings: &LinkStateSettings, name: &ConnectorName) -> TimerOrder {
    let step = Span(Span::seconds(settings.half_life_s.into()).0 / u64::from(DECAY_STEPS));
    TimerOrder::Arm(LinkTimer::Decay(name.clone()), step)
}
