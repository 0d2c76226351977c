//! Which members are not there: who has been detached for long, and how seldom that is told.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::clause;
use crate::kernel::Span;
use crate::wire::ids::MemberName;

/// How long a member is detached before it is absent: three times what a dead host needs to be noticed.
pub const ABSENCE_LIMIT: Span = Span::minutes(6);
/// How long a member is not taken for absent again once it was.
pub const ABSENCE_HOLD: Span = Span::hours(1);

/// Where a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Presence {
    /// Detached, since less than the limit.
    Away,
    /// Detached for longer, and not taken for absent yet.
    Overdue,
    /// Absent.
    Absent,
}

/// Who is not there. Nothing is said of those who are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Absences {
    members: BTreeMap<MemberName, Presence>,
    held: BTreeSet<MemberName>,
}

impl Absences {
    /// A member is not attached. Whether its time begins to run.
    pub fn leave(&mut self, member: &MemberName) -> bool {
        let is_known = self.members.contains_key(member);
        if !is_known {
            self.members.insert(member.clone(), Presence::Away);
        }
        !is_known
    }

    /// A member has reported. Whether it was away.
    pub fn come(&mut self, member: &MemberName) -> bool {
        self.members.remove(member).is_some()
    }

    /// The time of a member is over.
    pub fn expire(&mut self, member: &MemberName) {
        if let Some(presence @ Presence::Away) = self.members.get_mut(member) {
            *presence = Presence::Overdue;
        }
    }

    /// A member may be taken for absent again.
    pub fn release(&mut self, member: &MemberName) {
        self.held.remove(member);
    }

    /// Takes those for absent who have been away for long enough, were not lately, and can be replaced.
    pub fn name(&mut self, is_replaced: impl Fn(&MemberName) -> bool) -> BTreeSet<MemberName> {
        clause!(LS_233);
        let mut named = BTreeSet::new();
        for (member, presence) in &mut self.members {
            let is_due = *presence == Presence::Overdue && is_replaced(member);
            if is_due && self.held.insert(member.clone()) {
                *presence = Presence::Absent;
                named.insert(member.clone());
            }
        }
        named
    }

    /// Whether a member is absent.
    #[must_use]
    pub fn is_absent(&self, member: &MemberName) -> bool {
        self.members.get(member) == Some(&Presence::Absent)
    }
}
