//! The sender of a message whose recipient's account has moved: who is asked, who gets it, and how far
//! that is followed.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::clause;
use crate::protocol::member::{Event, Line, Member, Timer, Turn};
use crate::protocol::queue::{Change, Decision, Place, Recorded, Route};
use crate::protocol::submit::DOUBT_INTERVAL;
use crate::wire::deliver::Ownership;
use crate::wire::ids::{Epoch, MemberName, QueueId};
use crate::wire::message::{Address, Outcome};

/// How often one attempt follows a recipient whose account has moved.
pub const MOVED_LIMIT: usize = 5;

impl Member {
    /// Those in line for `route` whose account is still there; the others are routed anew.
    pub(super) fn still_meant(
        &mut self,
        queue: QueueId,
        route: &Route,
        turn: &mut Turn<'_, '_>,
    ) -> Vec<u32> {
        let in_line = self.in_line(queue, route);
        let stays = |index: &u32| matches!(self.decide(queue, *index, turn.config), Decision::Go(new) if new == *route);
        let (stay, gone): (Vec<u32>, Vec<u32>) = in_line.into_iter().partition(stays);
        if !gone.is_empty() {
            self.route(queue, &gone, turn);
        }
        stay
    }

    /// A delivery was not made, for the account has moved: nothing is in doubt with that host.
    pub(super) fn delivery_moved(
        &mut self,
        queue: QueueId,
        index: u32,
        to: Ownership,
        turn: &mut Turn<'_, '_>,
    ) {
        let Some(meant) = self.spool.queue.get(&queue).and_then(|m| m.meant_for(index)) else {
            return;
        };
        clause!(DE_050);
        let (host, recipients) = (meant.member.clone(), alloc::vec![index]);
        self.store_change(Change::Undelivered { queue, host, recipients }, turn);
        let why = alloc::format!("the account is with {} ({})", to.member, to.epoch);
        if self.follow(queue, index, &meant, to, turn) {
            return self.route(queue, &[index], turn);
        }
        let route = Route::Deliver(meant.member);
        self.retry_later(queue, &[index], Some(&route), &why, turn);
    }

    /// The member that was asked says that the account is elsewhere: the doubt stays, and goes there.
    pub(super) fn doubt_moved(
        &mut self,
        queue: QueueId,
        index: u32,
        to: Ownership,
        turn: &mut Turn<'_, '_>,
    ) {
        let Some(meant) = self.spool.queue.get(&queue).and_then(|m| m.meant_for(index)) else {
            return;
        };
        let is_corrected = to.member == meant.member;
        if self.follow(queue, index, &meant, to, turn) {
            if is_corrected {
                clause!(DE_105);
                return self.ask_again(queue, &meant.member);
            }
            return self.ask_where_it_is(queue, None, turn);
        }
        self.end_following(queue, &[index]);
        self.ask_for_owner(queue, &[index], true, turn);
        self.inquiries.entry(meant.member.clone()).or_default().insert(queue);
        turn.arm(Timer::Doubt(meant.member), DOUBT_INTERVAL);
    }

    /// The host has named another opening of its own: it is asked for that one, on the same connection.
    pub(super) fn ask_again(&mut self, queue: QueueId, host: &MemberName) {
        for line in self.lines.values_mut() {
            if let Line::Sending(sending) = line
                && sending.host == *host
            {
                sending.asked.remove(&queue);
            }
        }
        self.inquiries.entry(host.clone()).or_default().insert(queue);
    }

    /// Notes a new ownership; whether it is to be followed in this attempt.
    fn follow(
        &mut self,
        queue: QueueId,
        index: u32,
        meant: &Ownership,
        to: Ownership,
        turn: &mut Turn<'_, '_>,
    ) -> bool {
        let Some(account) = self.account_of(queue, index, turn.config) else { return false };
        turn.tell(Event::AccountMoved { queue, index, to: to.clone() });
        if !self.believe(account, &to, &meant.member, turn) {
            return false;
        }
        clause!(DE_046);
        let work = self.work.get_mut(&queue).expect("a message in the queue has its work");
        let visited = work.visited.entry(index).or_default();
        visited.insert(meant.clone());
        // The first one was not followed to.
        visited.len() <= MOVED_LIMIT && visited.insert(to)
    }

    /// Takes an ownership for true that is newer than what is known, and within reach: DELIVER goes to
    /// members of the own group. Of a leased account the number that is known may be a guess, which its owner corrects.
    fn believe(
        &mut self,
        account: Address,
        to: &Ownership,
        by: &MemberName,
        turn: &Turn<'_, '_>,
    ) -> bool {
        let known = self.ownership(&account, turn.config);
        let is_leased = turn.config.is_leased_here(&account);
        let is_own_word = is_leased && to.member == *by;
        let is_newer = known.is_none_or(|known| to.epoch > known.epoch) || is_own_word;
        // Who has given an account back is told so by others for a while.
        let is_stale = is_leased && to.member == turn.config.member;
        if !is_newer || is_stale || !is_in_reach(turn, &to.member) {
            return false;
        }
        self.beliefs.insert(account, to.clone());
        true
    }

    /// The attempt is over: the next one may go anywhere.
    pub(crate) fn end_following(&mut self, queue: QueueId, indexes: &[u32]) {
        if let Some(work) = self.work.get_mut(&queue) {
            work.visited.retain(|index, _| !indexes.contains(index));
        }
    }

    /// Asks for whoever is in doubt where the account is now; on the connection to `but` that is done by
    /// the caller.
    pub(super) fn ask_where_it_is(
        &mut self,
        queue: QueueId,
        but: Option<&MemberName>,
        turn: &mut Turn<'_, '_>,
    ) {
        for host in self.readdress(queue, turn) {
            if Some(&host) != but {
                self.reach_host(&host, turn);
            }
        }
    }

    /// Every delivery in doubt is asked for where its account is now.
    pub(crate) fn readdress_all(&mut self, turn: &mut Turn<'_, '_>) -> BTreeSet<MemberName> {
        let in_doubt =
            self.spool.queue.iter().filter(|(_, message)| !message.deliveries.is_empty());
        let queues: Vec<QueueId> = in_doubt.map(|(queue, _)| *queue).collect();
        queues.into_iter().flat_map(|queue| self.readdress(queue, turn)).collect()
    }

    /// Whoever is in doubt is to be asked for where the account is now, by what is known last. Says who
    /// is new among those that are to be asked.
    fn readdress(&mut self, queue: QueueId, turn: &mut Turn<'_, '_>) -> BTreeSet<MemberName> {
        let mut hosts = BTreeSet::new();
        let mut doubtful = self.standing(queue, |place| matches!(place, Place::Doubt(_)));
        // Whoever is being asked has the next word.
        doubtful.retain(|index| !self.is_being_asked(queue, *index));
        for index in doubtful {
            let Some(meant) = self.spool.queue.get(&queue).and_then(|m| m.meant_for(index)) else {
                continue;
            };
            let account = self.account_of(queue, index, turn.config);
            let is_leased = account.as_ref().is_some_and(|a| turn.config.is_leased_here(a));
            let known = account.and_then(|account| self.ownership(&account, turn.config));
            let is_another = |known: &Ownership| is_leased && known.member != meant.member;
            match known {
                Some(known) if is_another(&known) || is_newer(&known, &meant, turn) => {
                    clause!(DE_040);
                    hosts.extend(self.readdress_to((queue, index), &meant, known, turn));
                }
                _ => {}
            }
        }
        hosts
    }

    fn is_being_asked(&self, queue: QueueId, index: u32) -> bool {
        self.lines.values().any(|line| match line {
            Line::Sending(sending) => sending.talk.is_about(queue, index),
            _ => false,
        })
    }

    fn readdress_to(
        &mut self,
        (queue, index): (QueueId, u32),
        meant: &Ownership,
        known: Ownership,
        turn: &mut Turn<'_, '_>,
    ) -> Option<MemberName> {
        if known.member == turn.config.member {
            self.settle_here((queue, index), meant, known.epoch, turn);
            return None;
        }
        if !is_in_reach(turn, &known.member) {
            return None;
        }
        let host = known.member.clone();
        self.put(queue, index, Place::Doubt(host.clone()));
        let recipients = alloc::vec![index];
        self.store_change(Change::DoubtMoved { queue, recipients, to: known }, turn);
        let is_left = |place: &Place| matches!(place, Place::Doubt(with) if *with == meant.member);
        if self.standing(queue, is_left).is_empty()
            && let Some(queues) = self.inquiries.get_mut(&meant.member)
        {
            queues.remove(&queue);
            if queues.is_empty() {
                self.inquiries.remove(&meant.member);
            }
        }
        self.inquiries.entry(host.clone()).or_default().insert(queue);
        Some(host)
    }

    /// The account is ours now, and so is its journal: it says what became of the delivery. What it does
    /// not know was not made, and nobody else can make it any more.
    fn settle_here(
        &mut self,
        (queue, index): (QueueId, u32),
        meant: &Ownership,
        epoch: Epoch,
        turn: &mut Turn<'_, '_>,
    ) {
        let Some(account) = self.account_of(queue, index, turn.config) else { return };
        if self.admit(&account, epoch, turn.config).is_err() {
            return;
        }
        let key = (self.spool.queue[&queue].envelope.origin.clone(), index);
        if self.waits_for_its_place(&key, queue, turn) {
            return;
        }
        let outcome = match self.recorded_of(&account, &key, turn) {
            Some(Recorded::Refused { refusal, .. }) => Outcome::Refused(refusal.clone()),
            Some(_) => Outcome::Delivered,
            None => {
                let (host, recipients) = (meant.member.clone(), alloc::vec![index]);
                self.store_change(Change::Undelivered { queue, host, recipients }, turn);
                return self.route(queue, &[index], turn);
            }
        };
        self.settle_delivery(queue, index, &meant.member, outcome, turn);
    }
}

/// Whether a delivery that was meant for one ownership is to be asked for under another. An account that is
/// leased to this member was open nowhere else under as great a number.
fn is_newer(known: &Ownership, meant: &Ownership, turn: &Turn<'_, '_>) -> bool {
    known.epoch > meant.epoch || (known.epoch == meant.epoch && known.member == turn.config.member)
}

fn is_in_reach(turn: &Turn<'_, '_>, member: &MemberName) -> bool {
    clause!(DE_049);
    let group = turn.config.organization.group_of(&turn.config.member);
    group.is_some_and(|group| group.members.contains(member))
}
