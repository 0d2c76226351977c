//! LINK STATE: every member knows the state of every connector.
//!
//! Read [`machine`](self) first: the vocabulary. Then `table` (what is known, and how it merges; `tree` has its
//! digests), `routes` and `schedule` (what follows from it, and when), `detector` (how a broken connector is
//! noticed), `damping` (when it is not told), `exchange` (how news travels), `walk` (how two tables that differ
//! are compared), `age` (how old they are), `ways` (which connections exist) and `state`, which ties them together.

mod absence;
mod age;
mod backoff;
mod burial;
mod closed;
mod collect;
mod damping;
mod detector;
mod exchange;
pub mod exits;
pub mod explain;
mod group_port;
mod link;
mod machine;
mod names;
pub mod paths;
mod report;
mod route;
mod routes;
pub mod schedule;
mod sources;
mod state;
mod succession;
mod table;
mod tree;
mod walk;
mod ways;

pub use crate::wire::node::{Listed, Node, Prefix};
pub use crate::wire::record::*;
pub use crate::wire::restrictions::{Barrier, Priority, Restrictions, SenderId, Traits};
pub use crate::wire::shared::{SharedRecord, record_digest};
pub use backoff::{REOPEN_FIRST, REOPEN_LONGEST};
pub use burial::{ALARMS_LIMIT, REASON_LIMIT_OCTETS};
pub use collect::{COLLECT_LIMIT, Collection};
pub use damping::{CALM_SPAN, FLAP_LIMIT, FLAP_WINDOW, HIDDEN_LIMIT};
pub use detector::{Judgement, PROBE_INTERVAL};
pub use group_port::{ANSWER_WAIT, AttachmentRow};
pub use link::NEWS_RECORDS_LIMIT;
pub use machine::*;
pub use report::{ConnectorRow, ReportRow};
pub use route::is_cut_edge;
pub use routes::{CLASSES_LIMIT, first_connector};
pub use sources::{BACKUP_DELAY, BACKUP_DELAY_S};
pub use state::LinkState;
pub use table::{CONNECTORS_LIMIT, Fate, Merge, TABLE_LIMIT, TERM_LIMIT, Table, check_record};
pub use walk::NEWS_NODES_LIMIT;
