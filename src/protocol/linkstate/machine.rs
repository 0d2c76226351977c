//! What the link-state machine of one member is told and says: its contract with custody.
//!
//! The machine, [`super::LinkState`], owns three things: the table, the connections on which news travels (group port, connectors,
//! members of the group), and the detection of failed connectors. Custody asks it for a way and for a
//! connection; it answers when the news that must precede mail has been merged at the far end.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::schedule::ScheduleTimer;
use super::{SharedRecord, Table, Term};
use crate::kernel::Time;
use crate::protocol::faults::Faults;
use crate::protocol::master::Appointment;
use crate::protocol::organization::Organization;
use crate::wire::ids::{ConnectionId, ConnectorName, GroupName, MemberName};

/// What the machine is configured with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LinkConfig {
    /// The organization, the same everywhere.
    pub organization: alloc::sync::Arc<Organization>,
    /// This member.
    pub member: MemberName,
    /// Planted bugs, in test builds.
    pub faults: Faults,
}

/// With whom news is exchanged, and on which kind of connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Neighbour {
    /// Our SMTP connection over a connector to one of its target bridgeheads.
    Connector {
        /// The connector.
        connector: ConnectorName,
        /// The target bridgehead.
        target: MemberName,
    },
    /// Our SMTP connection to a member of our own group.
    Member(MemberName),
    /// Our group-port connection to the master of our group.
    Master(MemberName),
    /// The group-port connection of a member to us, the master.
    Attached(MemberName),
    /// An SMTP connection that another member opened to us.
    Inbound(ConnectionId, MemberName),
}

/// Where custody wants to send mail by SMTP inside the organization.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Over a connector, to any of its target bridgeheads.
    Connector(ConnectorName),
    /// To a member of our own group.
    Member(MemberName),
}

/// Names of the timers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkTimer {
    /// The next attempt after a failed one.
    GlitchRetry(ConnectorName),
    /// The next probe of a failed connector.
    Probe(ConnectorName),
    /// The oscillation count of a connector is forgotten.
    Calm(ConnectorName),
    /// A damped failure has lasted too long to be hidden.
    DampLimit(ConnectorName),
    /// Reconnect to the master.
    Reattach,
    /// Open a wanted way again whose connection was lost twice in a row, or refused by a member.
    Reopen(Way),
    /// The answer that is owed on a connection of the group port has not come.
    Answer(Neighbour),
    /// The own record is published again.
    Refresh,
    /// What others publish for our group may be outbid again.
    Outbid,
    /// Of the schedule by which routes are computed.
    Schedule(ScheduleTimer),
    /// The penalty of a connector takes its next step down.
    Decay(ConnectorName),
    /// A connector has been suppressed for as long as any may be.
    SuppressLimit(ConnectorName),
    /// What was left to another source of a connector is told by this one, if it still has to be.
    Backup(ConnectorName),
    /// A source of a connector has been detached for so long that it is taken for absent.
    Absence(MemberName),
    /// A member that was taken for absent may be so again.
    AbsenceHold(MemberName),
    /// A new master has waited long enough for its members.
    Collect,
}

/// Durable steps.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableChange {
    /// Records that are greater than what the table had.
    Merged(Vec<SharedRecord>),
    /// A mastership of this member begins.
    Term(Term),
    /// The operator has made a member the master, in place of the one that the file names.
    Appointed(Appointment),
    /// Records that are greater than what the table had. Disks of before have `Merged`.
    Learnt {
        /// When.
        at: Time,
        /// What.
        records: Vec<SharedRecord>,
    },
}

/// What survives a crash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LinkDurable {
    /// The greatest record of each group.
    pub records: Table,
    /// The latest mastership of this member.
    pub term: Option<Term>,
    /// When the record of each group was learnt, by its UUID.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub learnt: BTreeMap<String, Time>,
    /// The greatest appointment of a master of the own group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub appointed: Option<Appointment>,
}

/// Orders from custody.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkCommand {
    /// There is mail for this way. Answered by `Ready` or `Failed`, maybe after retries.
    Want(Way),
    /// No more mail for this way now; the connection may close once no news is owed.
    Done(Way),
    /// Custody gives a connection of this way up (a broken dialogue); counts as a lost connection.
    Broken(Neighbour),
    /// The operator says that a group is no more.
    Bury {
        /// The group.
        uuid: String,
        /// Its name, where the table does not know it.
        group: GroupName,
        /// Why.
        reason: String,
    },
    /// A member of the group has a list under this term, which a master by its name has to outdo.
    Outdo(Term),
    /// A master was elected, under this term: its member, which may be this one.
    Elected(Term),
    /// The operator makes this member the master of its group, which elects none.
    Appoint,
    /// Another member was made the master so.
    Appointed(Appointment),
    /// This member, if it is the master, is so no longer.
    Cease,
}

/// What custody and the log are told.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkEvent {
    /// The news that must precede mail is merged at the far end: mail may flow on this connection.
    Ready {
        /// The way that was wanted.
        way: Way,
        /// The connection.
        neighbour: Neighbour,
    },
    /// An attempt to open this way failed; the machine goes on trying by its own timers while the way
    /// is wanted. Custody learns it to show it.
    Failed {
        /// The way.
        way: Way,
    },
    /// The connection of this way is gone, also one that was `Ready`.
    Gone {
        /// The connection.
        neighbour: Neighbour,
    },
    /// The table has grown. Stored in the same step.
    TableChanged,
    /// A connector of this member changed in the judgement of this member (for the log).
    Judged {
        /// The connector.
        connector: ConnectorName,
        /// `retry`, `down`, `persistent`, `oscillating`, `up`.
        judgement: String,
    },
    /// A peer broke the protocol: who, and what was expected.
    Misbehaved {
        /// Who.
        neighbour: Neighbour,
        /// What.
        problem: String,
    },
    /// Two records with the same version and different content met, or two groups with the same name.
    Conflict {
        /// Whose record.
        group: GroupName,
    },
    /// The table that routes has caught up: routes may differ.
    RoutesComputed,
    /// A group was buried by the operator of this member; or the own group is buried, and yet the member runs.
    Buried {
        /// The group.
        group: GroupName,
        /// As the operator said.
        reason: String,
        /// It is the group of this member.
        is_own: bool,
    },
    /// This member was elected master, and the numbers of its term are used up.
    TermSpent,
    /// The member of this term is the master in place of the one that the file names.
    Appointed(Appointment),
    /// This member was the master, or its file names it, and another one is so by a greater appointment.
    Superseded {
        /// The term of the other one.
        by: Term,
    },
}

/// Where mail for a group goes now.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NextHop {
    /// This group is ours.
    Here,
    /// By this connector, which this member carries itself.
    Connector(ConnectorName),
    /// By this connector, which this other member of our group carries.
    Member(MemberName, ConnectorName),
    /// Every way has infinite cost: the mail waits here.
    Infinite,
    /// The table knows no such group: the mail waits here, too.
    Unknown,
}

/// The projection onto the model's variables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LinkView {
    /// Group and printed version of each record.
    pub table: Vec<(GroupName, String)>,
    /// Connectors that are DOWN in the table.
    pub down: Vec<ConnectorName>,
}
