//! How old what we know is: records are refreshed by their masters, and shown as stale where they are not.
//!
//! A mark is all that comes of age. A record that nobody refreshes is the last word of its group, and to
//! route by it is better than to return mail; so neither table nor digest knows of it, nor any timer: the
//! age is computed when somebody looks.

use alloc::collections::BTreeMap;
use alloc::string::String;

use super::{LinkConfig, LinkState, LinkTimer, Record};
use crate::clause;
use crate::kernel::{Cx, Effect, Span, Time};

/// When each record was learnt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Ages {
    /// The boot. Of records of which nothing else is known this is when they were learnt.
    booted: Time,
    /// By the group's UUID.
    learnt: BTreeMap<String, Time>,
}

impl Ages {
    /// What the disk tells at the boot.
    pub(super) fn new(booted: Time, learnt: &BTreeMap<String, Time>) -> Self {
        Self { booted, learnt: learnt.clone() }
    }

    /// The record of a group was learnt now.
    pub(super) fn learn(&mut self, uuid: &str, now: Time) {
        self.learnt.insert(String::from(uuid), now);
    }

    /// How long ago the record of a group was learnt. A clock that was set back since makes it no time.
    pub(super) fn of(&self, uuid: &str, now: Time) -> Span {
        now.since(self.learnt.get(uuid).copied().unwrap_or(self.booted))
    }

    /// Whether a record has outlived itself.
    pub(super) fn is_stale(&self, record: &Record, now: Time) -> bool {
        clause!(LS_152);
        // A tombstone stands for ever: nobody has to say so again.
        record.deleted.is_none()
            && self.of(&record.uuid, now) > Span::seconds(u64::from(record.lifetime_s))
    }
}

impl LinkState {
    /// As the master: says at some time after the record was published that it still holds. The time is
    /// drawn from a quarter of the interval, so that groups that booted together drift apart.
    pub(super) fn arm_refresh(&self, config: &LinkConfig, cx: &mut Cx<'_, Self>) {
        if self.mastership.is_none() {
            cx.disarm(LinkTimer::Refresh);
            return;
        }
        clause!(LS_151);
        let refresh = config.organization.link_state.refresh();
        let spread = Span(refresh.0 / 4);
        let age = self.ages.of(&config.group().uuid, cx.now);
        let left = Span(refresh.0.saturating_sub(age.0));
        // One that is overdue, as after a long pause, does not come at once either.
        let earliest = Span(left.0.saturating_sub(spread.0).max(spread.0 / 4));
        let within = earliest..=left.max(spread);
        cx.out.push(Effect::Arm { timer: LinkTimer::Refresh, within });
    }

    /// As the master: publishes the same once more, under the next user number.
    pub(super) fn refresh(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) {
        let group = config.group();
        let current = self.table.of(&group.uuid);
        let record = match (&self.mastership, current) {
            (Some(mastership), Some(current)) => {
                mastership.refreshed(&config.organization, current)
            }
            _ => None,
        };
        match record.filter(|_| !config.faults.is_on("never-refreshes")) {
            Some(record) => {
                let _ = self.grow(config, alloc::vec![record.into()], None, cx);
            }
            // Another configuration is in force: whoever has it refreshes the record.
            None => self.arm_refresh(config, cx),
        }
    }
}
