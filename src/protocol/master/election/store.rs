//! What a machine asks of a store that decides, and what the store says. Its values are terms; it has versions
//! of its own, of which nothing here knows.

use serde::{Deserialize, Serialize};

use crate::kernel::Span;
use crate::wire::ids::MemberName;
use crate::wire::record::Term;

/// What the store has of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Standing {
    /// The greatest term that was begun.
    pub term: Option<Term>,
    /// The term of the present mastership, as long as its lease lasts.
    pub holder: Option<Term>,
}

impl Standing {
    /// Whether somebody else than `member` holds the mastership.
    #[must_use]
    pub fn is_held_from(&self, member: &MemberName) -> bool {
        self.holder.as_ref().is_some_and(|holder| holder.member != *member)
    }
}

/// A question to the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StoreQuery {
    /// Its number: the answer repeats it.
    pub round: u64,
    /// After this long an answer counts for nothing, and the host gives up.
    pub limit: Span,
    /// What is asked.
    pub ask: StoreAsk,
}

/// What is asked of a store.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreAsk {
    /// What it has. Where the holder is another member, the answer may wait until that is gone. Answered by
    /// `Stands`.
    Look {
        /// Who asks.
        member: MemberName,
        /// How long it may wait.
        patience: Span,
    },
    /// If it has this still: the term, and as the holder under a new lease. Answered by `Done` or `Refused`.
    Begin {
        /// What the candidate has read.
        over: Standing,
        /// The term.
        term: Term,
        /// For how long the lease is granted, at least.
        lease: Span,
    },
    /// If this is the holder still: it stays the holder, under a new lease. Answered by `Done` or `Refused`.
    Hold {
        /// The term.
        term: Term,
        /// For how long the lease is granted, at least.
        lease: Span,
    },
    /// If this is the holder still: there is none. Answered by `Done` or `Refused`.
    Forget {
        /// The term.
        term: Term,
    },
}

/// The answer of the store, or that there was none.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StoreAnswer {
    /// The question.
    pub round: u64,
    /// What it says.
    pub word: StoreWord,
}

/// What a store says.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreWord {
    /// What it has.
    Stands {
        /// It.
        standing: Standing,
        /// Another member was the holder when it was asked, and the answer waited.
        waited: bool,
    },
    /// The transaction was done.
    Done,
    /// It was not: this is what the store has.
    Refused(Standing),
    /// Nobody knows what became of the question.
    Silent,
}
