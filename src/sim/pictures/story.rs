//! What a picture of a trace shows: columns of members, what happened at them, and what they told one another.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

/// What happened at a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A link was cut, or a connection on which news had passed was lost.
    Broken,
    /// A cut has ended.
    Healed,
    /// An attempt over a connector has failed at a target.
    Failed,
    /// A bridgehead judges its connector anew.
    Judged,
    /// A master has stored a new record of its group.
    Published,
    /// A member has stored the record of another master.
    Merged,
    /// The table has grown: routes may differ.
    TableChanged,
    /// A message that waited for one way goes another.
    Rerouted,
    /// A message came, went on, or is in its account.
    Mail,
    /// A process started or was killed.
    Life,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Broken,
        Self::Healed,
        Self::Failed,
        Self::Judged,
        Self::Published,
        Self::Merged,
        Self::TableChanged,
        Self::Rerouted,
        Self::Mail,
        Self::Life,
    ];

    /// Its class in the drawing.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::Healed => "healed",
            Self::Failed => "failed",
            Self::Judged => "judged",
            Self::Published => "published",
            Self::Merged => "merged",
            Self::TableChanged => "changed",
            Self::Rerouted => "rerouted",
            Self::Mail => "mail",
            Self::Life => "life",
        }
    }

    /// Its name for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Broken => "link broken",
            Self::Healed => "link healed",
            Self::Failed => "attempt failed",
            Self::Judged => "judged",
            Self::Published => "published",
            Self::Merged => "merged",
            Self::TableChanged => "table changed",
            Self::Rerouted => "rerouted",
            Self::Mail => "mail",
            Self::Life => "start and end",
        }
    }
}

/// What one member told another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Word {
    /// Records, or a query.
    News,
    /// The answer to news.
    Merged,
    /// The state of connectors, for the master.
    Report,
    /// The answer to a report, and whatever else the group port carries about links.
    Reported,
    /// A message.
    Mail,
}

impl Word {
    /// Its class in the drawing.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::News => "news",
            Self::Merged => "answer",
            Self::Report => "report",
            Self::Reported => "reported",
            Self::Mail => "hop",
        }
    }
}

/// A member, with its group where the trace tells it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Column {
    /// The group; empty where nothing tells it.
    pub group: String,
    /// The member.
    pub member: String,
}

/// Something that happened at a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, in microseconds since the trace begins.
    pub time: u64,
    /// At which column.
    pub column: usize,
    /// What it is.
    pub kind: Kind,
    /// In words; parts stand on lines of their own.
    pub text: Vec<String>,
}

/// Something that one member told another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrow {
    /// Who.
    pub from: usize,
    /// Whom.
    pub to: usize,
    /// When it left.
    pub sent: u64,
    /// When the whole of it was there; `None` where it never came, or the trace of the far end is missing.
    pub heard: Option<u64>,
    /// What it is.
    pub word: Word,
    /// In words.
    pub text: String,
}

/// A trace as it is drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Story {
    /// The members, by group and name.
    pub columns: Vec<Column>,
    /// What happened, by time.
    pub events: Vec<Event>,
    /// What was told, by the time of its leaving.
    pub arrows: Vec<Arrow>,
}

/// What of a trace is drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Nothing before this, in microseconds since the trace begins.
    pub from: Option<u64>,
    /// Nothing after this.
    pub to: Option<u64>,
    /// Only what is about links, or only what is about mail.
    pub only: Option<Only>,
    /// Only these members; all when it is empty.
    pub members: BTreeSet<String>,
}

/// A half of what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    /// Links and their news.
    Linkstate,
    /// Messages.
    Custody,
}

impl Only {
    const fn wants(self, is_mail: bool, is_rerouted: bool) -> bool {
        match self {
            Self::Linkstate => !is_mail,
            Self::Custody => is_mail || is_rerouted,
        }
    }
}

impl Story {
    /// A part of it.
    ///
    /// # Errors
    /// A member that is not in the story.
    pub fn part(&self, part: &Part) -> Result<Self, String> {
        for name in &part.members {
            if !self.columns.iter().any(|column| column.member == *name) {
                return Err(alloc::format!("the trace has no member `{name}`"));
            }
        }
        let is_kept =
            |column: &Column| part.members.is_empty() || part.members.contains(&column.member);
        let kept: Vec<usize> =
            (0..self.columns.len()).filter(|place| is_kept(&self.columns[*place])).collect();
        let places: BTreeMap<usize, usize> =
            kept.iter().enumerate().map(|(new, old)| (*old, new)).collect();
        let is_in =
            |time: u64| part.from.is_none_or(|f| f <= time) && part.to.is_none_or(|t| time <= t);
        let wants =
            |is_mail, is_rerouted| part.only.is_none_or(|only| only.wants(is_mail, is_rerouted));
        let events = self.events.iter().filter_map(|event| {
            let column = *places.get(&event.column)?;
            let is_wanted = wants(event.kind == Kind::Mail, event.kind == Kind::Rerouted);
            (is_wanted && is_in(event.time)).then(|| Event { column, ..event.clone() })
        });
        let arrows = self.arrows.iter().filter_map(|arrow| {
            let (from, to) = (*places.get(&arrow.from)?, *places.get(&arrow.to)?);
            let is_wanted = wants(arrow.word == Word::Mail, false);
            let is_in = is_in(arrow.sent) && is_in(arrow.heard.unwrap_or(arrow.sent));
            (is_wanted && is_in).then(|| Arrow { from, to, ..arrow.clone() })
        });
        let (events, arrows) = (events.collect(), arrows.collect());
        let columns = kept.iter().map(|place| self.columns[*place].clone()).collect();
        Ok(Self { columns, events, arrows })
    }

    /// The column of a member.
    #[must_use]
    pub fn column(&self, member: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.member == member)
    }

    /// Every moment that something happened in.
    #[must_use]
    pub fn moments(&self) -> BTreeSet<u64> {
        let arrows = self.arrows.iter().flat_map(|arrow| [Some(arrow.sent), arrow.heard]);
        self.events.iter().map(|event| event.time).chain(arrows.flatten()).collect()
    }
}
