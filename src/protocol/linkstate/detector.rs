//! What this member knows of one connector that it carries: attempts, failures, and the judgement.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::Serialize;

use super::backoff::Backoff;
use super::damping::{Damping, HIDDEN_LIMIT};
use super::{ConnectorState, LinkConfig, LinkTimer, SourceState};
use crate::clause;
use crate::kernel::Span;
use crate::protocol::organization::{
    Connector, LinkStatePolicy, LinkStateSettings, PROBE_INTERVAL_S,
};
use crate::wire::ids::{ConnectorName, GroupName, MemberName};

/// From the start of one probe to the next while a connector is DOWN. Not configurable (seed).
pub const PROBE_INTERVAL: Span = Span::seconds(PROBE_INTERVAL_S as u64);
/// How the latest attempts went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Health {
    /// The latest attempt succeeded, or there was none yet.
    Working,
    /// So many attempts failed in a row; glitch retries go on.
    Retrying(u8),
    /// The last glitch retry failed, too; probes go on.
    Broken,
}

/// What this member thinks of a connector that it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// It works, as far as known.
    Up,
    /// An attempt failed; glitch retries go on.
    Retry,
    /// It has failed, and so it is reported.
    Down,
    /// It has failed, and is reported UP because no other way is configured.
    Persistent,
    /// It has failed, and is reported UP because it fails and heals all the time.
    Oscillating,
}

impl Judgement {
    /// As it stands in events and tables for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Retry => "retry",
            Self::Down => "down",
            Self::Persistent => "persistent",
            Self::Oscillating => "oscillating",
        }
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How long a failing connector is given before DOWN is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Patience {
    /// From the start of one attempt to the next.
    pub(super) retry: Span,
    /// Retries before DOWN is decided.
    pub(super) retries: u8,
}

impl Patience {
    /// As it is configured.
    pub(super) fn of(config: &LinkConfig) -> Self {
        clause!(LS_101);
        let settings = &config.organization.link_state;
        let hurry = u64::from(config.faults.is_on("retry-at-59s"));
        let retry = Span::seconds(u64::from(settings.glitch_retry_s) - hurry);
        Self { retry, retries: settings.glitch_retries }
    }
}

/// What is to be done with a timer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TimerOrder {
    Arm(LinkTimer, Span),
    Disarm(LinkTimer),
}

/// One connector that this member carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Detector {
    pub(super) name: ConnectorName,
    pub(super) from: GroupName,
    pub(super) to: GroupName,
    pub(super) targets: Vec<MemberName>,
    pub(super) patience: Patience,
    /// The target that the running attempt tries, by its place.
    pub(super) trying: Option<usize>,
    pub(super) health: Health,
    /// A digest query is owed since the boot: a reason to connect.
    pub(super) greet: bool,
    /// UUIDs of the groups whose records are owed to the far group, while no connection is open.
    pub(super) owed: BTreeSet<String>,
    /// That is left to another source, until a timer ends it: no reason to connect.
    pub(super) deferred: bool,
    /// Before a connection that was lost is opened again.
    pub(super) pause: Backoff,
    pub(super) judgement: Judgement,
    /// Other members carry it, too.
    pub(super) is_shared: bool,
    pub(super) damping: Damping,
    overdue: bool,
    /// Neither the table nor an attempt has said anything of it yet.
    pub(super) unknown: bool,
}

impl Detector {
    /// A connector of the configuration. One that is DOWN in the table stays so until it works.
    pub(super) fn new(
        connector: &Connector,
        published: ConnectorState,
        patience: Patience,
    ) -> Self {
        let is_down = published == ConnectorState::Down;
        if is_down {
            clause!(LS_029);
        }
        assert!(!connector.targets.is_empty(), "a checked connector has targets");
        Self {
            name: connector.name.clone(),
            from: connector.from.clone(),
            to: connector.to.clone(),
            targets: connector.targets.clone(),
            patience,
            trying: None,
            health: if is_down { Health::Broken } else { Health::Working },
            greet: true,
            owed: BTreeSet::new(),
            deferred: false,
            pause: Backoff::default(),
            judgement: if is_down { Judgement::Down } else { Judgement::Up },
            is_shared: false,
            damping: Damping::default(),
            overdue: false,
            unknown: false,
        }
    }

    /// Whether the latest attempt failed.
    pub(super) fn fails(&self) -> bool {
        self.health != Health::Working
    }

    /// An attempt begins with the first target. While the connector fails, the next attempt is due a
    /// fixed time after the start of this one, however long this one takes.
    pub(super) fn begin(&mut self) -> Option<TimerOrder> {
        assert!(self.trying.is_none(), "one attempt at a time");
        self.trying = Some(0);
        match self.health {
            Health::Working => None,
            Health::Retrying(failed) if failed < self.patience.retries => {
                clause!(LS_022);
                Some(self.glitch_retry())
            }
            Health::Retrying(_) | Health::Broken => {
                clause!(LS_024);
                Some(TimerOrder::Arm(LinkTimer::Probe(self.name.clone()), PROBE_INTERVAL))
            }
        }
    }

    fn glitch_retry(&self) -> TimerOrder {
        TimerOrder::Arm(LinkTimer::GlitchRetry(self.name.clone()), self.patience.retry)
    }

    /// The target that was tried failed; the next one to try, if any is left.
    pub(super) fn next_target(&mut self) -> Option<MemberName> {
        clause!(LS_020);
        let next = self.trying.map_or(0, |place| place + 1);
        let target = self.targets.get(next).cloned();
        self.trying = target.is_some().then_some(next);
        target
    }

    /// Every target failed.
    pub(super) fn fail(&mut self, settings: &LinkStateSettings) -> Vec<TimerOrder> {
        assert!(self.trying.is_none(), "an attempt fails with its last target");
        match self.health {
            Health::Working => {
                clause!(LS_021);
                self.health = Health::Retrying(1);
                alloc::vec![
                    self.glitch_retry(),
                    TimerOrder::Arm(LinkTimer::DampLimit(self.name.clone()), HIDDEN_LIMIT),
                ]
            }
            Health::Retrying(failed) if failed < self.patience.retries => {
                self.health = Health::Retrying(failed + 1);
                Vec::new()
            }
            Health::Retrying(_) => {
                clause!(LS_023);
                self.health = Health::Broken;
                self.damping.count(settings, &self.name)
            }
            Health::Broken => Vec::new(),
        }
    }

    /// The first news of a connection is merged: the connector works.
    pub(super) fn succeed(&mut self) -> Vec<TimerOrder> {
        self.trying = None;
        self.greet = false;
        let before = core::mem::replace(&mut self.health, Health::Working);
        self.overdue = false;
        if before == Health::Working {
            return Vec::new();
        }
        clause!(LS_025);
        let mut orders = alloc::vec![
            TimerOrder::Disarm(LinkTimer::GlitchRetry(self.name.clone())),
            TimerOrder::Disarm(LinkTimer::Probe(self.name.clone())),
            TimerOrder::Disarm(LinkTimer::DampLimit(self.name.clone())),
        ];
        if before == Health::Broken {
            orders.extend(self.damping.recover(&self.name));
        }
        orders
    }

    /// The failure has lasted too long to be hidden.
    pub(super) fn outlast(&mut self) {
        clause!(LS_034);
        self.overdue = self.health != Health::Working;
    }

    /// What this member thinks now; `is_cut_edge` says whether no other way is configured.
    pub(super) fn judge(&self, settings: &LinkStateSettings, is_cut_edge: bool) -> Judgement {
        let is_hidden = self.damping.hides(settings.damping) && !self.overdue;
        match self.health {
            Health::Working => Judgement::Up,
            Health::Retrying(_) => Judgement::Retry,
            Health::Broken if settings.policy == LinkStatePolicy::Truth => {
                clause!(LS_106);
                Judgement::Down
            }
            // What is held is told of one source of several, so it is damped before it is held.
            Health::Broken if is_hidden && (self.is_shared || !is_cut_edge) => {
                Judgement::Oscillating
            }
            Health::Broken if is_cut_edge => Judgement::Persistent,
            Health::Broken => Judgement::Down,
        }
    }

    /// What the master is told.
    pub(super) const fn reported(&self) -> SourceState {
        match self.judgement {
            Judgement::Down => SourceState::Down,
            Judgement::Persistent if self.is_shared => SourceState::Held,
            Judgement::Up | Judgement::Retry | Judgement::Persistent | Judgement::Oscillating => {
                SourceState::Up
            }
        }
    }

    /// Every timer that may run for this connector.
    pub(super) fn timers(&self) -> [LinkTimer; 7] {
        [
            LinkTimer::GlitchRetry(self.name.clone()),
            LinkTimer::Probe(self.name.clone()),
            LinkTimer::Calm(self.name.clone()),
            LinkTimer::DampLimit(self.name.clone()),
            LinkTimer::Decay(self.name.clone()),
            LinkTimer::SuppressLimit(self.name.clone()),
            LinkTimer::Backup(self.name.clone()),
        ]
    }
}
