//! Where each recipient of the queue stands, in memory. A boot rebuilds it from the spool.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;

use super::{Ending, Message};
use crate::protocol::linkstate::Way;
use crate::protocol::linkstate::exits::SourceTurns;
use crate::protocol::member::Member;
use crate::wire::deliver::Ownership;
use crate::wire::ids::{ConnectorName, MemberName, QueueId, TransferId};

/// How a recipient leaves this member.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// Into an account of ours.
    Local,
    /// By DELIVER to the host of the account, a member of our group.
    Deliver(MemberName),
    /// By hand-over.
    Way(Way),
    /// To an outside server.
    Outside(String),
    /// To any frontend of our group, by plain SMTP.
    Frontends,
}

/// Where a recipient stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// It waits for a table that is not smaller than the one that routed it here.
    Table,
    /// In line.
    Line(Route),
    /// An attempt is under way; nothing is in doubt unless the spool says so.
    Underway(Route),
    /// It waits for the next attempt.
    Retry {
        /// The route that failed; `None` where there was none.
        failed: Option<Route>,
        /// Why.
        why: String,
    },
    /// It has ended like this; the sender is to be told.
    Notice(Ending),
    /// This member may have it: nothing is done before it has said so.
    Doubt(MemberName),
}

impl Place {
    /// Where a recipient here goes next, as people name it; `local` is an account of ours.
    #[must_use]
    pub const fn next_hop(&self) -> Option<&str> {
        match self {
            Self::Line(route) | Self::Underway(route) | Self::Retry { failed: Some(route), .. } => {
                Some(match route {
                    Route::Local => "local",
                    Route::Frontends => "*",
                    Route::Deliver(MemberName(name))
                    | Route::Way(
                        Way::Connector(ConnectorName(name)) | Way::Member(MemberName(name)),
                    )
                    | Route::Outside(name) => name.as_str(),
                })
            }
            Self::Doubt(MemberName(name)) => Some(name.as_str()),
            Self::Table | Self::Notice(_) | Self::Retry { failed: None, .. } => None,
        }
    }
}

/// What is known of a message only in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Work {
    /// Where each recipient stands.
    pub(crate) places: BTreeMap<u32, Place>,
    /// Waits that were begun; they choose the next wait.
    pub(crate) attempts: u32,
    /// Whose turn it is among the sources of an exit of our group.
    pub(crate) turns: SourceTurns,
    /// The next attempt has its timer.
    pub(crate) waiting: bool,
    /// Its time is over: whoever comes free is returned.
    pub(crate) expired: bool,
    /// A DSN about it is being composed.
    pub(crate) composing: bool,
    /// Its header is being read for the queue rules.
    pub(crate) ruling: bool,
    /// The members that were to queue it and did not take it.
    pub(crate) tried: BTreeSet<MemberName>,
    /// The id and the latest offer for these recipients: both outlive an attempt.
    pub(crate) offers: BTreeMap<Vec<u32>, (TransferId, u32)>,
    /// Where a recipient was asked for or delivered to in this attempt, as its account had moved.
    pub(crate) visited: BTreeMap<u32, BTreeSet<Ownership>>,
}

impl Work {
    /// What a boot knows of a message: who is in doubt, who has ended, and which transfers may be offered
    /// again.
    pub(crate) fn rebuilt(message: &Message) -> Self {
        let doubts = message.doubts();
        let doubts = doubts.into_iter().map(|(index, with)| (index, Place::Doubt(with.clone())));
        let fenced = message.transfers.iter().filter(|(_, transfer)| transfer.fenced);
        let offer = |(id, transfer): (&TransferId, &super::Transfer)| {
            (transfer.recipients.clone(), (id.clone(), transfer.offer))
        };
        let ended = message.ended.iter();
        let ended = ended.map(|(index, ending)| (*index, Place::Notice(ending.clone())));
        Self {
            places: doubts.chain(ended).collect(),
            offers: fenced.map(offer).collect(),
            attempts: message.envelope.attempts,
            ..Self::default()
        }
    }

    /// The recipients that stand where `which` says.
    pub(crate) fn standing(&self, which: impl Fn(&Place) -> bool) -> Vec<u32> {
        self.places.iter().filter(|(_, place)| which(place)).map(|(index, _)| *index).collect()
    }
}

impl Member {
    /// Where the recipients of `queue` that satisfy `which` are; none if the message is gone.
    pub(crate) fn standing(&self, queue: QueueId, which: impl Fn(&Place) -> bool) -> Vec<u32> {
        self.work.get(&queue).map(|work| work.standing(which)).unwrap_or_default()
    }

    /// Moves a recipient, and keeps the lines in step.
    pub(crate) fn put(&mut self, queue: QueueId, index: u32, place: Place) {
        let work = self.work.get_mut(&queue).expect("a message in the queue has its work");
        let joins = if let Place::Line(route) = &place { Some(route.clone()) } else { None };
        let before = work.places.insert(index, place);
        self.leave(queue, before);
        if let Some(route) = joins {
            self.lanes.entry(route).or_default().insert(queue);
        }
    }

    /// Moves several recipients to the same place.
    pub(crate) fn put_all(&mut self, queue: QueueId, indexes: &[u32], place: &Place) {
        for index in indexes {
            self.put(queue, *index, place.clone());
        }
    }

    /// Forgets where a recipient stood.
    pub(crate) fn unplace(&mut self, queue: QueueId, index: u32) {
        if let Some(work) = self.work.get_mut(&queue) {
            let before = work.places.remove(&index);
            self.leave(queue, before);
        }
    }

    /// The message that is first in line for `route`.
    pub(crate) fn first_in_line(&self, route: &Route) -> Option<QueueId> {
        self.lanes.get(route)?.first().copied()
    }

    /// The recipients of `queue` that are in line for `route`.
    pub(crate) fn in_line(&self, queue: QueueId, route: &Route) -> Vec<u32> {
        self.standing(queue, |place| matches!(place, Place::Line(line) if line == route))
    }

    fn leave(&mut self, queue: QueueId, before: Option<Place>) {
        let Some(Place::Line(route)) = before else { return };
        if self.in_line(queue, &route).is_empty()
            && let Some(lane) = self.lanes.get_mut(&route)
        {
            lane.remove(&queue);
            if lane.is_empty() {
                self.lanes.remove(&route);
            }
        }
    }
}

/// The messages in line for each route, oldest first.
pub(crate) type Lanes = BTreeMap<Route, BTreeSet<QueueId>>;
