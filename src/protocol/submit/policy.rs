//! Submission by policy: what is born at a member that does not queue goes to one that does.
//!
//! It is an ordinary hand-over on the way to a member of the group; this file decides to whom, and what
//! follows when it fails. Before COMMIT every failure leads on: to another member, and in the end into the
//! own queue. Behind COMMIT nothing here has a say: what is in doubt is settled as on any other way.

use alloc::vec::Vec;
use core::num::NonZeroU32;

use super::acceptor::{BREAKER_SPAN, TRIES_LIMIT, is_lighter};
use super::{Attempt, SubmitEvent};
use crate::clause;
use crate::kernel::Input;
use crate::protocol::linkstate::Way;
use crate::protocol::master::election::ElectionCommand;
use crate::protocol::master::members::MembersCommand;
use crate::protocol::member::{Event, Member, MemberConfig, Timer, Turn};
use crate::protocol::organization::SubmitPolicy;
use crate::protocol::queue::{Change, Place, Route};
use crate::wire::ids::{MemberName, QueueId};
use crate::wire::message::Refusal;
use crate::wire::submit::Load;

impl Member {
    /// Whether others are to queue a message in our custody.
    pub(crate) fn is_to_submit(&self, queue: QueueId, config: &MemberConfig) -> bool {
        let message = self.spool.queue.get(&queue);
        let is_unqueued = message.is_some_and(|message| message.envelope.unqueued);
        is_unqueued && (config.submits() || config.faults.is_on("resubmits-what-it-accepted"))
    }

    /// Puts a message that others are to queue in line for one of them, or queues it here.
    pub(crate) fn submit(&mut self, queue: QueueId, indexes: &[u32], turn: &mut Turn<'_, '_>) {
        clause!(SU_051);
        let Some(peer) = self.choose_acceptor(queue, turn) else {
            self.keep(queue, turn);
            return self.route(queue, indexes, turn);
        };
        if self.acceptors.entry(peer.clone()).or_default().chosen() {
            turn.arm(Timer::Breaker(peer.clone()), BREAKER_SPAN);
        }
        turn.tell(Event::Submit(SubmitEvent::Chosen { queue, peer: peer.clone() }));
        let route = Route::Way(Way::Member(peer));
        self.put_all(queue, indexes, &Place::Line(route.clone()));
        self.serve(&route, turn);
    }

    /// The less loaded of two random members, of those that accept.
    fn choose_acceptor(&self, queue: QueueId, turn: &mut Turn<'_, '_>) -> Option<MemberName> {
        let tried = &self.work[&queue].tried;
        if tried.len() >= TRIES_LIMIT {
            return None;
        }
        clause!(SU_053);
        let group = turn.config.organization.group_of(&turn.config.member)?;
        let may_be_tried = |member: &&MemberName| {
            let known = self.acceptors.get(*member);
            let is_tried = known.is_none_or(super::Acceptor::may_be_tried);
            is_tried && **member != turn.config.member && !tried.contains(*member)
        };
        let mut candidates: Vec<&MemberName> = group.acceptors().filter(may_be_tried).collect();
        let is_there = |member: &&MemberName| {
            let is_heard = self.acceptors.get(*member).is_some_and(super::Acceptor::is_heard);
            is_heard || self.membership.is_active(member)
        };
        if candidates.iter().any(&is_there) && !turn.fault("list-is-not-heeded") {
            clause!(SU_081);
            candidates.retain(is_there);
        }
        let mut draw = |site| {
            let bound = NonZeroU32::new(u32::try_from(candidates.len()).ok()?)?;
            let place = if bound.get() == 1 { 0 } else { turn.cx.choose.below(site, bound) };
            Some(candidates.remove(place as usize))
        };
        let first = draw("submit/first")?;
        let Some(second) = draw("submit/second") else { return Some(first.clone()) };
        let weighed = |member| {
            let load = self.acceptors.get(member).map_or(0, super::Acceptor::load);
            (load, group.weight_of(member))
        };
        let second_is_lighter = is_lighter(weighed(second), weighed(first));
        Some(if second_is_lighter { second } else { first }.clone())
    }

    /// Nobody takes it: we queue it ourselves.
    fn keep(&mut self, queue: QueueId, turn: &mut Turn<'_, '_>) {
        clause!(SU_054);
        let work = self.work.get_mut(&queue).expect("a message in the queue has its work");
        let tried: Vec<MemberName> = core::mem::take(&mut work.tried).into_iter().collect();
        turn.tell(Event::Submit(SubmitEvent::Kept { queue, tried }));
        self.store_change(Change::Kept { queue }, turn);
    }

    /// An offer did not come through: the connection was lost before COMMIT.
    pub(crate) fn offer_lost(&mut self, attempt: &Attempt, turn: &mut Turn<'_, '_>) {
        let Attempt { queue, way, recipients, .. } = attempt;
        let submits = self.is_to_submit(*queue, turn.config);
        if let Way::Member(peer) = way
            && submits
        {
            self.tried_in_vain(*queue, peer);
            self.submission_failed(peer, "the connection was lost", turn);
        }
        self.route(*queue, recipients, turn);
        if let Way::Member(peer) = way
            && !submits
        {
            self.pass_over(peer, "drops what it is offered", turn);
        }
    }

    /// The far end does not take a message that it was to queue.
    pub(crate) fn submission_refused(
        &mut self,
        (queue, indexes): (QueueId, &[u32]),
        peer: &MemberName,
        refusal: &Refusal,
        turn: &mut Turn<'_, '_>,
    ) {
        clause!(SU_054);
        self.tried_in_vain(queue, peer);
        if is_draining(refusal) {
            self.drains(peer, turn);
        } else {
            let why = alloc::format!("{} {} {}", refusal.code, refusal.status, refusal.text);
            self.submission_failed(peer, &why, turn);
        }
        self.route(queue, indexes, turn);
    }

    /// No connection to a member of our group could be made.
    pub(crate) fn unreachable(&mut self, peer: &MemberName, turn: &mut Turn<'_, '_>) {
        if !self.submissions_in_line(peer, turn.config).is_empty() {
            self.submission_failed(peer, "no connection could be made", turn);
            self.leave_line(peer, turn);
        }
    }

    /// A member has said how much it has to do.
    pub(crate) fn heard_load(&mut self, peer: &MemberName, load: Load, turn: &mut Turn<'_, '_>) {
        if self.acceptors.entry(peer.clone()).or_default().heard(load) {
            self.drains(peer, turn);
        }
    }

    /// A message is queued at `peer` now, as it was to be.
    pub(crate) fn submitted(&mut self, queue: QueueId, peer: &MemberName, turn: &mut Turn<'_, '_>) {
        turn.tell(Event::Submit(SubmitEvent::Submitted { queue, peer: peer.clone() }));
        if self.acceptors.entry(peer.clone()).or_default().succeeded() {
            turn.disarm(Timer::Breaker(peer.clone()));
            turn.tell(Event::Submit(SubmitEvent::Closed { peer: peer.clone() }));
        }
    }

    /// A member was left alone for long enough.
    pub(crate) fn breaker_due(&mut self, peer: &MemberName, turn: &mut Turn<'_, '_>) {
        if self.acceptors.get_mut(peer).is_some_and(super::Acceptor::half_open) {
            turn.tell(Event::Submit(SubmitEvent::HalfOpened { peer: peer.clone() }));
        }
    }

    /// By the operator's order we queue nothing more for others, or do so again.
    pub(crate) fn drain(&mut self, on: bool, turn: &mut Turn<'_, '_>) {
        clause!(SU_056);
        self.store_change(Change::Draining { on }, turn);
        turn.tell(Event::Submit(SubmitEvent::Draining { on }));
        clause!(MA_059);
        self.step_members(Input::Command(MembersCommand::Changed), turn);
        let group = turn.config.link().group().name.clone();
        let command = ElectionCommand::Drain { on };
        self.step_election(&group, Input::Command(command), None, turn);
    }

    /// What the answer to the HELLO of `asker` says of how much we have to do.
    pub(crate) fn load(&self, asker: &MemberName, config: &MemberConfig) -> Option<Load> {
        let group = config.organization.group_of(&config.member)?;
        let accepts = group.submit_policy(&config.member) == SubmitPolicy::LocalForOthers;
        clause!(SU_057);
        let messages = u32::try_from(self.spool.queue.len()).unwrap_or(u32::MAX);
        let load = if self.spool.draining { Load::Draining } else { Load::Messages(messages) };
        (accepts && group.members.contains(asker)).then_some(load)
    }

    /// Why we do not queue for `peer`.
    pub(crate) fn objection_to_queue(
        &self,
        peer: &MemberName,
        turn: &mut Turn<'_, '_>,
    ) -> Option<Refusal> {
        let refusal = match self.load(peer, turn.config) {
            Some(Load::Messages(_)) => return None,
            Some(Load::Draining) => Refusal::new(450, "4.3.2", "this member drains"),
            None => {
                clause!(SU_052);
                Refusal::new(450, "4.7.1", "this member does not queue for you")
            }
        };
        let (peer, why) = (peer.clone(), refusal.text.clone());
        turn.tell(Event::Submit(SubmitEvent::TurnedAway { peer, why }));
        Some(refusal)
    }

    fn tried_in_vain(&mut self, queue: QueueId, peer: &MemberName) {
        let work = self.work.get_mut(&queue).expect("what is offered is in the queue");
        work.tried.insert(peer.clone());
    }

    fn submission_failed(&mut self, peer: &MemberName, why: &str, turn: &mut Turn<'_, '_>) {
        turn.tell(Event::Submit(SubmitEvent::Failed { peer: peer.clone(), why: why.into() }));
        if self.acceptors.entry(peer.clone()).or_default().failed() {
            clause!(SU_055);
            self.breaker_opened(peer, false, turn);
        }
    }

    /// It says that it takes nothing more: that is no failure, and no message has to find it out again.
    fn drains(&mut self, peer: &MemberName, turn: &mut Turn<'_, '_>) {
        clause!(SU_056);
        if self.acceptors.entry(peer.clone()).or_default().open() {
            self.breaker_opened(peer, true, turn);
        }
    }

    fn breaker_opened(&mut self, peer: &MemberName, drains: bool, turn: &mut Turn<'_, '_>) {
        clause!(SU_058);
        turn.tell(Event::Submit(SubmitEvent::Opened { peer: peer.clone(), drains }));
        turn.arm(Timer::Breaker(peer.clone()), BREAKER_SPAN);
        self.leave_line(peer, turn);
    }

    fn submissions_in_line(&self, peer: &MemberName, config: &MemberConfig) -> Vec<QueueId> {
        let lane = self.lanes.get(&Route::Way(Way::Member(peer.clone())));
        let queues = lane.into_iter().flatten().copied();
        queues.filter(|queue| self.is_to_submit(*queue, config)).collect()
    }

    /// What was to be queued at `peer` goes elsewhere; other mail for it stays in line.
    fn leave_line(&mut self, peer: &MemberName, turn: &mut Turn<'_, '_>) {
        let route = Route::Way(Way::Member(peer.clone()));
        for queue in self.submissions_in_line(peer, turn.config) {
            self.tried_in_vain(queue, peer);
            let indexes = self.in_line(queue, &route);
            self.route(queue, &indexes, turn);
        }
        self.drop_idle_wants(turn);
    }
}

/// Whether a member says that it takes nothing more.
fn is_draining(refusal: &Refusal) -> bool {
    refusal.code == 450 && refusal.status == "4.3.2"
}
