//! What this member knows of one connector that it carries: attempts, failures, and the judgement.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::Serialize;

use super::backoff::Backoff;
use super::{ConnectorState, LinkTimer};
use crate::clause;
use crate::kernel::Span;
use crate::protocol::organization::Connector;
use crate::wire::ids::{ConnectorName, GroupName, MemberName};

/// From the start of one attempt to the next while a connector fails.
pub const GLITCH_RETRY: Span = Span::seconds(60);
/// Retries before DOWN is decided.
pub const GLITCH_RETRIES: u8 = 3;
/// From the start of one probe to the next while a connector is DOWN. Not configurable (seed).
pub const PROBE_INTERVAL: Span = Span::seconds(60);
/// The decision of DOWN that makes a connector oscillate, counted within [`FLAP_WINDOW`].
pub const FLAP_LIMIT: u8 = 3;
/// How long decisions are counted, from the first one.
pub const FLAP_WINDOW: Span = Span::hours(1);
/// How long an oscillating connector has to work before it is believed again.
pub const CALM_SPAN: Span = Span::minutes(10);
/// How long a failure may be hidden because its connector oscillates.
pub const HIDDEN_LIMIT: Span = Span::minutes(15);

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

    /// What the master is told.
    #[must_use]
    pub const fn reported(self) -> ConnectorState {
        match self {
            Self::Down => ConnectorState::Down,
            Self::Up | Self::Retry | Self::Persistent | Self::Oscillating => ConnectorState::Up,
        }
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
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
    /// The target that the running attempt tries, by its place.
    pub(super) trying: Option<usize>,
    pub(super) health: Health,
    /// A digest query is owed since the boot: a reason to connect.
    pub(super) greet: bool,
    /// UUIDs of the groups whose records are owed to the far group, while no connection is open.
    pub(super) owed: BTreeSet<String>,
    /// Before a connection that was lost is opened again.
    pub(super) pause: Backoff,
    pub(super) judgement: Judgement,
    flaps: u8,
    oscillating: bool,
    overdue: bool,
}

impl Detector {
    /// A connector of the configuration. One that is DOWN in the table stays so until it works.
    pub(super) fn new(connector: &Connector, published: ConnectorState) -> Self {
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
            trying: None,
            health: if is_down { Health::Broken } else { Health::Working },
            greet: true,
            owed: BTreeSet::new(),
            pause: Backoff::default(),
            judgement: if is_down { Judgement::Down } else { Judgement::Up },
            flaps: 0,
            oscillating: false,
            overdue: false,
        }
    }

    /// An attempt begins with the first target. While the connector fails, the next attempt is due a
    /// fixed time after the start of this one, however long this one takes.
    pub(super) fn begin(&mut self) -> Option<TimerOrder> {
        assert!(self.trying.is_none(), "one attempt at a time");
        self.trying = Some(0);
        match self.health {
            Health::Working => None,
            Health::Retrying(failed) if failed < GLITCH_RETRIES => {
                clause!(LS_022);
                Some(TimerOrder::Arm(LinkTimer::GlitchRetry(self.name.clone()), GLITCH_RETRY))
            }
            Health::Retrying(_) | Health::Broken => {
                clause!(LS_024);
                Some(TimerOrder::Arm(LinkTimer::Probe(self.name.clone()), PROBE_INTERVAL))
            }
        }
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
    pub(super) fn fail(&mut self) -> Vec<TimerOrder> {
        assert!(self.trying.is_none(), "an attempt fails with its last target");
        match self.health {
            Health::Working => {
                clause!(LS_021);
                self.health = Health::Retrying(1);
                alloc::vec![
                    TimerOrder::Arm(LinkTimer::GlitchRetry(self.name.clone()), GLITCH_RETRY),
                    TimerOrder::Arm(LinkTimer::DampLimit(self.name.clone()), HIDDEN_LIMIT),
                ]
            }
            Health::Retrying(failed) if failed < GLITCH_RETRIES => {
                self.health = Health::Retrying(failed + 1);
                Vec::new()
            }
            Health::Retrying(_) => {
                clause!(LS_023);
                self.health = Health::Broken;
                self.count_flap().into_iter().collect()
            }
            Health::Broken => Vec::new(),
        }
    }

    /// DOWN is decided once more.
    fn count_flap(&mut self) -> Option<TimerOrder> {
        clause!(LS_032);
        self.flaps = self.flaps.saturating_add(1);
        let calm = LinkTimer::Calm(self.name.clone());
        if self.oscillating || self.flaps >= FLAP_LIMIT {
            self.oscillating = true;
            return Some(TimerOrder::Disarm(calm));
        }
        (self.flaps == 1).then_some(TimerOrder::Arm(calm, FLAP_WINDOW))
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
        if before == Health::Broken && self.oscillating {
            clause!(LS_033);
            orders.push(TimerOrder::Arm(LinkTimer::Calm(self.name.clone()), CALM_SPAN));
        }
        orders
    }

    /// The count of decisions is forgotten.
    pub(super) const fn calm(&mut self) {
        self.flaps = 0;
        self.oscillating = false;
    }

    /// The failure has lasted too long to be hidden.
    pub(super) fn outlast(&mut self) {
        clause!(LS_034);
        self.overdue = self.health != Health::Working;
    }

    /// What this member thinks now; `is_cut_edge` says whether no other way is configured.
    pub(super) fn judge(&self, is_cut_edge: bool) -> Judgement {
        match self.health {
            Health::Working => Judgement::Up,
            Health::Retrying(_) => Judgement::Retry,
            Health::Broken if is_cut_edge => Judgement::Persistent,
            Health::Broken if self.oscillating && !self.overdue => Judgement::Oscillating,
            Health::Broken => Judgement::Down,
        }
    }

    /// Every timer that may run for this connector.
    pub(super) fn timers(&self) -> [LinkTimer; 4] {
        [
            LinkTimer::GlitchRetry(self.name.clone()),
            LinkTimer::Probe(self.name.clone()),
            LinkTimer::Calm(self.name.clone()),
            LinkTimer::DampLimit(self.name.clone()),
        ]
    }
}
