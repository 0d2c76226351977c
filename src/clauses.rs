//! The clauses of the specification as constants, and the mark that ties code to them.
//!
//! `clause!(LS_017)` stands where the code does what the clause demands. It costs nothing unless the
//! feature `count-clauses` is on (tests turn it on); then each execution is counted.

/// One normative sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Clause {
    /// The permanent id, as the text prints it.
    pub id: &'static str,
    /// The position in [`ALL`].
    pub place: usize,
}

include!(concat!(env!("OUT_DIR"), "/clauses.rs"));

#[cfg(feature = "count-clauses")]
mod counted {
    use core::sync::atomic::{AtomicU64, Ordering};

    static COUNTS: [AtomicU64; super::ALL.len()] = [const { AtomicU64::new(0) }; super::ALL.len()];

    /// Counts one execution.
    pub fn executed(clause: super::Clause) {
        COUNTS[clause.place].fetch_add(1, Ordering::Relaxed);
    }

    /// How often the marks of `clause` were executed in this process.
    #[must_use]
    pub fn executions(clause: super::Clause) -> u64 {
        COUNTS[clause.place].load(Ordering::Relaxed)
    }
}

#[cfg(feature = "count-clauses")]
pub use counted::{executed, executions};

/// Marks the place that does what a clause demands.
#[macro_export]
macro_rules! clause {
    ($id:ident) => {{
        const CITED: $crate::clauses::Clause = $crate::clauses::$id;
        #[cfg(feature = "count-clauses")]
        $crate::clauses::executed(CITED);
        #[cfg(not(feature = "count-clauses"))]
        let _ = CITED;
    }};
}
