//! MASTER, in its manual mode: the operator makes another member the master than the file names.

use serde::{Deserialize, Serialize};

use crate::clause;
use crate::protocol::linkstate::{Record, Term};
use crate::protocol::organization::Group;

/// Who the master of a group is, by the operator's word, and by which file that was said. The greatest one
/// counts: a newer file outweighs every term that was begun under an older one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Appointment {
    /// The revision of the organization's file under which the term was begun.
    pub revision: u32,
    /// The term: its member is the master.
    pub term: Term,
}

impl Appointment {
    /// What the record of a group says: whoever has published under a term has begun it.
    #[must_use]
    pub fn of_record(record: &Record, group: &Group) -> Option<Self> {
        clause!(MA_070);
        let term = &record.version.term;
        // Whoever is none of the group's members by our file cannot be its master.
        let is_members = record.deleted.is_none() && group.members.contains(&term.member);
        is_members.then(|| Self { revision: record.version.major, term: term.clone() })
    }
}
