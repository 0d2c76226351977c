//! A new master asks before it speaks: its table may be behind what the master before it has published.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::{LinkConfig, LinkPdu, LinkState, LinkTimer, Neighbour};
use crate::clause;
use crate::kernel::{Cx, Span};
use crate::wire::ids::MemberName;

/// How long a new master waits for the members of its group before its first record, at most.
pub const COLLECT_LIMIT: Span = Span::seconds(30);

/// What a new master waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Collection {
    /// The members whose reports and tables it does not have yet.
    missing: BTreeSet<MemberName>,
    /// Reports that are answered with the first record, one entry for each.
    unanswered: Vec<Neighbour>,
    /// Whoever was there to obey an elected master has attached by now: it waits for nobody else any more.
    is_attached_only: bool,
}

impl LinkState {
    /// A term of this member begins after that of another one.
    pub(super) fn begin_collection(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) {
        let others = config.group().members.iter().filter(|member| **member != config.member);
        let missing: BTreeSet<_> = others.cloned().collect();
        if missing.is_empty() || config.faults.is_on("new-master-asks-nobody") {
            return;
        }
        clause!(LS_235);
        if let Some(mastership) = &mut self.mastership {
            mastership.collection = Some(Collection { missing, ..Collection::default() });
            cx.arm(LinkTimer::Collect, attach_limit(config).unwrap_or(COLLECT_LIMIT));
        }
    }

    /// The first wait of a new master is over, or its last one.
    pub(super) fn collect_is_over(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) {
        let collection = self.mastership.as_mut().and_then(|m| m.collection.as_mut());
        let Some(collection) = collection else { return };
        match attach_limit(config).filter(|_| !collection.is_attached_only) {
            Some(limit) => {
                collection.is_attached_only = true;
                cx.arm(LinkTimer::Collect, Span(COLLECT_LIMIT.0 - limit.0));
                self.heed_absent(config, cx);
            }
            None => self.end_collection(config, cx),
        }
    }

    /// Of those that are still missing, an elected master waits only for who is attached, once its first wait is over.
    pub(super) fn heed_absent(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) {
        let collection = self.mastership.as_ref().and_then(|m| m.collection.as_ref());
        let Some(collection) = collection.filter(|c| c.is_attached_only) else { return };
        let is_attached =
            |member: &MemberName| self.links.contains_key(&Neighbour::Attached(member.clone()));
        if !collection.missing.iter().any(is_attached) {
            clause!(LS_235);
            cx.disarm(LinkTimer::Collect);
            self.end_collection(config, cx);
        }
    }

    /// A member has attached anew: what it has reported on another connection has no answer any more.
    pub(super) fn forget_unanswered(&mut self, neighbour: &Neighbour) {
        let collection = self.mastership.as_mut().and_then(|m| m.collection.as_mut());
        if let Some(collection) = collection {
            collection.unanswered.retain(|unanswered| unanswered != neighbour);
        }
    }

    /// A member has reported: it is answered, or asked for its table first.
    pub(super) fn answer_report(&mut self, from: &Neighbour, cx: &mut Cx<'_, Self>) {
        let Some(mastership) = &mut self.mastership else { return };
        let Some(collection) = &mut mastership.collection else {
            clause!(MA_015);
            cx.send_durable(from.clone(), LinkPdu::Reported { term: mastership.term.clone() });
            return;
        };
        collection.unanswered.push(from.clone());
        if let Some(link) = self.links.get_mut(from) {
            link.query = true;
        }
        self.pump(from, cx);
    }

    /// An exchange with a member is over: nothing that it had is lacking here any more.
    pub(super) fn collected(
        &mut self,
        config: &LinkConfig,
        from: &Neighbour,
        cx: &mut Cx<'_, Self>,
    ) {
        let is_over = |link: &super::link::Link| {
            link.outstanding.is_none() && link.is_settled() && !link.query
        };
        let is_over = self.links.get(from).is_some_and(is_over);
        let collection = self.mastership.as_mut().and_then(|m| m.collection.as_mut());
        let (Some(collection), Neighbour::Attached(member)) = (collection, from) else { return };
        if is_over {
            collection.missing.remove(member);
            if collection.missing.is_empty() {
                cx.disarm(LinkTimer::Collect);
                self.end_collection(config, cx);
            } else {
                self.heed_absent(config, cx);
            }
        }
    }

    /// Everybody has been heard, or there was time enough.
    pub(super) fn end_collection(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) {
        let collection = self.mastership.as_mut().and_then(|m| m.collection.take());
        let Some(collection) = collection else { return };
        self.publish(config, false, cx);
        for neighbour in collection.unanswered {
            if self.links.contains_key(&neighbour) {
                self.answer_report(&neighbour, cx);
            }
        }
    }
}

/// How long an elected master waits for members that are not attached, where that is less than it waits for
/// anybody: whoever is there has obeyed and attached by then.
fn attach_limit(config: &LinkConfig) -> Option<Span> {
    let election = config.group().election.as_ref()?;
    Some(election.promise()).filter(|lease| *lease < COLLECT_LIMIT)
}
