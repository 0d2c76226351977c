//! What the machine of the list is told and says: its contract with the host.

use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::clause;
use crate::kernel::{Span, Time};
use crate::protocol::faults::Faults;
use crate::protocol::organization::{Group, Organization};
use crate::wire::ids::MemberName;
use crate::wire::members::{Feature, ListVersion, MemberList, Spoken, Standing};
use crate::wire::record::Term;

/// The version of the protocols that this text is about.
pub const PROTOCOL_VERSION: u32 = 2;
/// The feature of members that are told how loads have changed.
pub const LOADS: &str = "loads";
/// The feature of masters that lease accounts.
pub const ACCOUNT_LEASES: &str = "account-leases";
/// The features of every member of this version.
pub const FEATURES: [&str; 1] = [LOADS];
/// How long after a heartbeat the next one goes.
pub const HEARTBEAT_SPAN: Span = Span::minutes(2);
/// How long nothing is heard of a member before it is away: three heartbeats.
pub const AWAY_LIMIT: Span = Span::minutes(6);
/// How long a list stands at least before the next one.
pub const GATHER_SPAN: Span = Span::seconds(2);
/// The connections in a row that end behind a heartbeat before the next one does without.
pub const HEARTBEAT_TRIES: u8 = 2;
/// How long it does.
pub const HEARTBEAT_PAUSE: Span = Span::minutes(10);
/// How long a member that attaches may take to its first heartbeat.
pub const HEARTBEAT_WAIT: Span = Span::seconds(10);

/// What the machine is configured with, and what the host says of itself at this step.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MembersConfig {
    /// The organization, the same everywhere.
    pub organization: Arc<Organization>,
    /// This member.
    pub member: MemberName,
    /// The messages in its queue.
    pub load: u32,
    /// Whether it drains.
    pub drains: bool,
    /// The greatest term that it knows beside that of its list.
    pub known: Option<Term>,
    /// Planted bugs, in test builds.
    pub faults: Faults,
}

impl MembersConfig {
    /// The group of this member.
    pub(super) fn group(&self) -> &Group {
        let group = self.organization.group_of(&self.member);
        group.expect("the host configures a member of the organization")
    }

    /// What a member takes upon itself, by the file.
    pub(super) fn standing_of(&self, member: &MemberName, load: u32) -> Standing {
        let group = self.group();
        let settings = group.settings_of(member);
        Standing {
            role: settings.and_then(|settings| settings.role),
            policy: group.submit_policy(member),
            weight: group.weight_of(member),
            load,
        }
    }
}

/// What a member of this version speaks in this group.
#[must_use]
pub fn own_spoken(group: &Group) -> Spoken {
    clause!(MA_104);
    let leases = group.accounts.as_ref().map(|_| ACCOUNT_LEASES);
    let named = FEATURES.into_iter().chain(leases);
    let named = named.map(|name| Feature::new(name).expect("it is a name"));
    Spoken { version: PROTOCOL_VERSION, features: named.collect() }
}

/// A connection of the group port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MembersPeer {
    /// Ours to the master.
    Master(MemberName),
    /// That of a member to us, the master.
    Attached(MemberName),
}

/// Names of the timers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MembersTimer {
    /// The next heartbeat.
    Beat,
    /// What has changed makes a list.
    Gather,
    /// Loads that have changed are told.
    Loads,
    /// A member that has attached says no heartbeat.
    Silent(MemberName),
    /// Nothing was heard of a member for too long.
    Away(MemberName),
}

/// Durable steps.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MembersChange {
    /// A list, made or taken.
    List {
        /// When.
        at: Time,
        /// The list.
        list: MemberList,
    },
}

/// What survives a crash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MembersDurable {
    /// The last list, and when it was made or taken.
    pub list: Option<(Time, MemberList)>,
}

/// Orders.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MembersCommand {
    /// This member is the master under this term.
    Leads(Term),
    /// It is the master no more.
    Ceased,
    /// What it says of itself may have changed.
    Changed,
    /// This member itself has ended a connection.
    HungUp(MembersPeer),
}

/// What the host and the log are told.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MembersEvent {
    /// This member, the master, has made a list.
    Made(ListVersion),
    /// This member has taken a list of its master.
    Taken(ListVersion),
    /// A list that is not greater than what this member has or knows was not taken.
    Stale {
        /// Who has told it.
        by: MemberName,
        /// Which one.
        list: ListVersion,
    },
    /// The loads of these have changed since the list.
    Loads(Vec<(MemberName, u32)>),
    /// The master does not know of heartbeats: none is said for a while.
    Unheeded(MemberName),
}

/// The projection onto what a model would have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MembersView {
    /// The list that it has.
    pub list: Option<ListVersion>,
    /// Whether it makes lists.
    pub keeps: bool,
}
