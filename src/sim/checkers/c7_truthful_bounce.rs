//! C7, truthful bounce: what a custodian tells a sender is true when it is said, is wanted, and is said
//! once.
//!
//! A failure is told by who has the recipient in custody, after somebody who decides about it has refused
//! it for good, after the time of the message, or by order of the operator; while it is in doubt only a
//! refusal counts, which ends the doubt. A success is told of what the journal of the account has or was
//! taken outside. What a notice says is compared with what the client asked for; that it is due is seen in the
//! network, in the journals of the accounts and by the clock of the world.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;

use super::Copy;
use super::custody::Hold;
use super::ledger::{About, Cause, Ledger};
use super::order::Orders;
use crate::kernel::{Span, Time};
use crate::protocol::member::{Notice, NoticeKind};
use crate::sim::network::HostIndex;
use crate::sim::token::Token;
use crate::wire::ids::{OriginId, QueueId};

#[derive(Debug)]
pub(super) struct TruthfulBounce {
    /// Under which ids each notice has entered a queue for the first time.
    issued: BTreeMap<Token, BTreeSet<OriginId>>,
    /// How often each copy was said to have failed, and how often to have arrived.
    failures: BTreeMap<Copy, u32>,
    successes: BTreeMap<Copy, u32>,
    /// For which copies of which message in which queue it was said that they are late.
    late: BTreeSet<(HostIndex, QueueId, Copy)>,
    delay: Span,
}

/// What is known when a custodian speaks.
pub(super) struct Scene<'a> {
    pub(super) now: Time,
    pub(super) place: HostIndex,
    pub(super) life: u32,
    pub(super) ledger: &'a Ledger,
    pub(super) orders: &'a Orders,
    /// What the custodian held before the change that tells.
    pub(super) held: &'a BTreeMap<Copy, Hold>,
    /// What it has ever held.
    pub(super) seen: &'a BTreeSet<Copy>,
    /// Of which several copies may be on their way.
    pub(super) unsettled: &'a BTreeSet<Copy>,
}

impl Scene<'_> {
    /// Whether a copy may be given up by this custodian, now.
    pub(super) fn may_end(&self, copy: Copy) -> Result<(), String> {
        let name =
            |what: &str| Err(format!("recipient {} of {} was given up {what}", copy.1, copy.0));
        let cause = self.ledger.cause(self.now, copy);
        match (self.held.get(&copy), cause) {
            (None | Some(Hold::Journal), _) => name("by a member that has not got it"),
            (Some(_), Some(Cause::Refused)) => Ok(()),
            (Some(Hold::Doubt), _) => name("while it is in doubt"),
            (Some(Hold::Free | Hold::Ended), Some(Cause::Over)) => Ok(()),
            _ if self.orders.bounces(self.place, self.life, copy) => Ok(()),
            (Some(Hold::Free | Hold::Ended), None) => name("early"),
        }
    }

    fn is_exempt(&self, copy: Copy) -> bool {
        self.unsettled.contains(&copy) || self.ledger.is_lost(copy)
    }
}

impl TruthfulBounce {
    pub(super) fn new(delay: Span) -> Self {
        let (failures, successes) = (BTreeMap::new(), BTreeMap::new());
        Self { issued: BTreeMap::new(), failures, successes, late: BTreeSet::new(), delay }
    }

    /// A notice is written: it goes to the sender, and says what the client asked to be reminded of.
    pub(super) fn composed(notice: &Notice, about: &About, ledger: &Ledger) -> Result<(), String> {
        let Some((token, letter)) =
            about.message.and_then(|token| Some((token, ledger.letter(token)?)))
        else {
            return Ok(());
        };
        if letter.sender.as_ref() != Some(&notice.to) {
            return Err(format!("a notice about {token} goes to {}", notice.to));
        }
        let has_same = (&letter.envid, letter.ret) == (&notice.envid, notice.ret);
        if !has_same && !about.is_passed_on {
            let said = format!("{:?} and {:?}", notice.envid, notice.ret);
            return Err(format!("a notice about {token} has {said} for ENVID and RET"));
        }
        Ok(())
    }

    /// A notice enters the queue of its author; `late` is the message that a notice of a delay is about.
    pub(super) fn issued(
        &mut self,
        token: Token,
        origin: &OriginId,
        late: Option<QueueId>,
        scene: &Scene<'_>,
    ) -> Result<(), String> {
        let Some(about) = scene.ledger.about(token).cloned() else { return Ok(()) };
        let Some(message) = about.message else { return Ok(()) };
        if !self.issued.entry(token).or_default().insert(origin.clone()) {
            return Ok(());
        }
        let letter = scene.ledger.letter(message).expect("a notice is about what was offered");
        if letter.sender.is_none() {
            return Err(format!("a notice about {message}, which is from nobody"));
        }
        for copy in &about.copies {
            self.told(&about, *copy, late, scene)?;
        }
        Ok(())
    }

    fn told(
        &mut self,
        about: &About,
        copy: Copy,
        late: Option<QueueId>,
        scene: &Scene<'_>,
    ) -> Result<(), String> {
        let Some((address, notify)) = scene.ledger.recipient(copy) else {
            return Err(format!("a notice about recipient {} of {}, who is none", copy.1, copy.0));
        };
        let name = format!("recipient {} <{address}> of {}", copy.1, copy.0);
        let kind = about.kind;
        let wants = |wants: bool| wants || about.is_passed_on;
        let (wanted, known) = match kind {
            NoticeKind::Failure => (wants(notify.failure), self.failures.entry(copy).or_default()),
            NoticeKind::Success => (notify.success, self.successes.entry(copy).or_default()),
            NoticeKind::Delay => {
                let queue = late.ok_or_else(|| format!("{name} is late, and nobody keeps that"))?;
                let is_news = self.late.insert((scene.place, queue, copy));
                return match (wants(notify.delay), is_news) {
                    (false, _) => Err(format!("a delay of {name}, which nobody wants to hear")),
                    _ if scene.is_exempt(copy) => Ok(()),
                    (true, false) => Err(format!("a delay of {name} was told twice")),
                    // It may have passed it on while the notice was being written.
                    _ if !scene.seen.contains(&copy) => {
                        Err(format!("a delay of {name}, by a member that never had it"))
                    }
                    _ if !scene.ledger.has_lasted(scene.now, copy.0, self.delay) => {
                        Err(format!("a delay of {name} was told early"))
                    }
                    _ => Ok(()),
                };
            }
        };
        *known += 1;
        if !wanted {
            return Err(format!("a {kind:?} of {name}, which nobody wants to hear"));
        }
        if scene.is_exempt(copy) {
            return Ok(());
        }
        if *known > 1 {
            return Err(format!("a {kind:?} of {name} was told twice"));
        }
        if kind == NoticeKind::Success {
            return success(copy, &name, scene);
        }
        scene.may_end(copy)?;
        // Towards the outside the window of RFC 1047 remains: its reply may be lost.
        if scene.ledger.has_arrived(copy) && !scene.orders.is_foreign(address) {
            return Err(format!("a failure of {name}, which is stored"));
        }
        Ok(())
    }

    /// A copy is stored; nobody may have said that it would not be.
    pub(super) fn arrived(&self, copy: Copy, ledger: &Ledger) -> Result<(), String> {
        let what = match () {
            () if self.failures.contains_key(&copy) => "returned",
            () if ledger.is_over(copy) => "given up",
            () => return Ok(()),
        };
        Err(format!("recipient {} of {} was stored after it was {what}", copy.1, copy.0))
    }

    /// How often a copy was said to have failed, and how often to have arrived.
    pub(super) fn count(&self, copy: Copy) -> (u32, u32) {
        let count = |told: &BTreeMap<Copy, u32>| told.get(&copy).copied().unwrap_or(0);
        (count(&self.failures), count(&self.successes))
    }
}

fn success(copy: Copy, name: &str, scene: &Scene<'_>) -> Result<(), String> {
    if scene.ledger.is_told_outside(copy) {
        return Err(format!("a success of {name}, of which the outside server tells"));
    }
    if !scene.ledger.has_arrived(copy) && !scene.ledger.is_settled(copy) {
        return Err(format!("a success of {name}, which has not arrived"));
    }
    Ok(())
}
