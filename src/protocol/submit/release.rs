//! RELEASE: the sender says which of its transfers are over, and the receiver forgets them.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::Dialogue;
use crate::clause;
use crate::protocol::member::{Event, Member, Pdu, Turn};
use crate::protocol::queue::{Change, Standing};
use crate::wire::ids::{ConnectionId, Incarnation, TransferId};
use crate::wire::message::Refusal;
use crate::wire::submit::{EXCEPTIONS_LIMIT, Release};

/// After how many hand-overs on one connection RELEASE is said again.
pub const RELEASE_INTERVAL: u32 = 64;

impl Member {
    /// Says RELEASE if it is due on this connection; `false` if it is not.
    pub(crate) fn say_release(
        &mut self,
        connection: ConnectionId,
        turn: &mut Turn<'_, '_>,
    ) -> bool {
        let anything = self.boot > 1 || self.handed_over > 0;
        let line = self.exchange_mut(connection).expect("the caller looked it up");
        let first = !core::mem::replace(&mut line.released, true);
        if !(first && anything) && line.unreleased < RELEASE_INTERVAL {
            return false;
        }
        line.unreleased = 0;
        let Some(release) = self.release(turn) else { return false };
        let line = self.exchange_mut(connection).expect("it was looked up");
        line.dialogue = Dialogue::Releasing;
        // What ended the transfers must be true after a crash, too.
        clause!(SU_032);
        turn.promise(connection, Pdu::Release(release));
        self.expect_answer(connection, turn);
        true
    }

    /// What may be said now; `None` if too much of earlier boots is not over.
    fn release(&self, turn: &Turn<'_, '_>) -> Option<Release> {
        let live = if turn.fault("release-without-exceptions") {
            BTreeSet::new()
        } else {
            self.live_transfers()
        };
        let (mut except, current): (Vec<_>, Vec<_>) =
            live.into_iter().partition(|(incarnation, _)| *incarnation != self.incarnation);
        let room = EXCEPTIONS_LIMIT.checked_sub(except.len())?;
        let upto = current.get(room).map_or(self.sequence, |(_, sequence)| sequence - 1);
        except.extend(current.into_iter().take(room));
        let (boot, incarnation) = (self.boot, self.incarnation);
        Some(Release { boot, incarnation, upto, except })
    }

    /// Every transfer of which we may speak again: what is in doubt, and what may be offered again.
    fn live_transfers(&self) -> BTreeSet<(Incarnation, u64)> {
        clause!(SU_031);
        let named = |id: &TransferId| (id.incarnation, id.sequence);
        let stored = self.spool.queue.values().flat_map(|message| message.transfers.keys());
        let offered = self.work.values().flat_map(|work| work.offers.values().map(|(id, _)| id));
        stored.chain(offered).map(named).collect()
    }

    /// The far end has understood.
    pub(crate) fn release_noted(&mut self, connection: ConnectionId, turn: &mut Turn<'_, '_>) {
        let line = self.exchange_mut(connection).expect("the caller looked it up");
        if line.dialogue != Dialogue::Releasing {
            return self.misbehaved(connection, "RELEASED without RELEASE", turn);
        }
        line.dialogue = Dialogue::Idle;
        self.heard(connection, turn);
        self.pump(connection, turn);
    }

    /// The far end does not take RELEASE. It is no harm if it remembers more than it must; but it may
    /// know that our disk was rolled back.
    pub(crate) fn release_refused(
        &mut self,
        connection: ConnectionId,
        refusal: &Refusal,
        turn: &mut Turn<'_, '_>,
    ) {
        self.heard(connection, turn);
        if (refusal.code, refusal.status.as_str()) == (554, "5.3.5") {
            return self.rolled_back(turn);
        }
        self.pump(connection, turn);
    }

    /// A member says which of its transfers are over.
    pub(crate) fn hear_release(
        &mut self,
        connection: ConnectionId,
        mut release: Release,
        turn: &mut Turn<'_, '_>,
    ) {
        let line = self.exchange(connection).expect("the caller looked it up");
        let (member, Some(store)) = (line.member.clone(), line.store) else {
            return turn.refuse(connection, 503, "5.5.1", "HELLO first");
        };
        let standing = self
            .spool
            .senders
            .get(&member)
            .map_or(Standing::News, |known| known.judge(store, &release));
        if turn.fault("release-ignores-exceptions") {
            release.except.clear();
        }
        let standing = match standing {
            Standing::Old if turn.fault("replaced-disk-is-believed") => Standing::News,
            Standing::Behind if turn.fault("rolled-back-is-believed") => Standing::News,
            other => other,
        };
        match standing {
            Standing::News => {
                clause!(SU_033);
                self.store_change(Change::ReleaseHeard { member, store, release }, turn);
            }
            Standing::Old => clause!(SU_034),
            Standing::Behind => {
                clause!(SU_042);
                turn.tell(Event::DiskBehind { peer: member });
                return turn.refuse(connection, 554, "5.3.5", "this disk was rolled back");
            }
        }
        turn.say(connection, Pdu::Released);
    }
}
