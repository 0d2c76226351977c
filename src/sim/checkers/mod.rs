//! What must hold at every instant: one file for each property. A checker sees the durable state of the
//! members, what lies in the Maildirs and what the clients were promised; it asks no machine how it
//! feels about itself.

mod c1_no_loss;
mod c2_no_duplicate;
mod c3_one_custodian;
mod c4_no_ping_pong;
mod c5_convergence;
mod c6_one_master;
mod c7_truthful_bounce;
mod c8_one_owner;
mod custody;
mod ended;
mod ledger;
mod one_list;
mod order;
mod patience;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;

use serde::Serialize;

use super::client::Letter;
use super::host::Host;
use super::house::House;
use super::network::HostIndex;
use super::token::Token;
use crate::kernel::{Span, Time};
use crate::protocol::member::{MemberConfig, Notice};
use crate::protocol::operator::{Order, Ordered};
use crate::protocol::queue::{Change, Ending, Recorded};
use crate::wire::accounts::LeaseEpoch;
use crate::wire::ids::{ConnectionId, MemberName, OriginId, QueueId};
use crate::wire::message::Address;

use c7_truthful_bounce::{Scene, TruthfulBounce};
use custody::Hold;
use ledger::{About, Ledger};
use order::Orders;
use patience::Patience;

/// One recipient of one message, by index.
pub type Copy = (Token, u32);

/// A copy that lies where the account's owner sees it.
pub type Stored = (Token, Address);

/// What does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The property, such as `C1`.
    pub property: String,
    /// What was seen.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.property, self.text)
    }
}

/// All checkers of one run. The first violation stands.
#[derive(Debug)]
pub struct Checkers {
    ledger: Ledger,
    no_loss: c1_no_loss::NoLoss,
    no_duplicate: c2_no_duplicate::NoDuplicate,
    one_custodian: c3_one_custodian::OneCustodian,
    no_ping_pong: c4_no_ping_pong::NoPingPong,
    one_master: c6_one_master::OneMaster,
    one_owner: c8_one_owner::OneOwner,
    one_list: one_list::OneList,
    truthful_bounce: TruthfulBounce,
    orders: Orders,
    patience: Patience,
    names: custody::Names,
    /// What each host held when it was looked at last; behind them all, the house that members share.
    held: Vec<BTreeMap<Copy, Hold>>,
    journals: Vec<custody::Journal>,
    /// Every copy that each host has ever held.
    seen: Vec<BTreeSet<Copy>>,
    /// The copies that a disk had which was lost or set back, and those that a member has marked as
    /// suspect: they may have several custodians.
    unsettled: BTreeSet<Copy>,
    suspects: usize,
    violation: Option<Violation>,
}

impl Checkers {
    /// Checkers for these members.
    #[must_use]
    pub fn new(configs: &[MemberConfig]) -> Self {
        let hop_limit = configs.iter().map(|config| config.policy.hop_limit).max().unwrap_or(0);
        let expiry_hours = configs.iter().map(|config| config.policy.expiry_hours).min();
        let delay_hours = configs.iter().map(|config| config.policy.delay_notice_hours).min();
        let organization = configs.first().map(|config| config.organization.clone());
        Self {
            ledger: Ledger::new(expiry_hours.unwrap_or(0)),
            truthful_bounce: TruthfulBounce::new(Span::hours(u64::from(delay_hours.unwrap_or(0)))),
            orders: Orders::new(organization),
            patience: Patience::default(),
            names: custody::Names::default(),
            no_loss: c1_no_loss::NoLoss::default(),
            no_duplicate: c2_no_duplicate::NoDuplicate::default(),
            one_custodian: c3_one_custodian::OneCustodian::default(),
            one_master: c6_one_master::OneMaster::default(),
            one_owner: c8_one_owner::OneOwner::default(),
            one_list: one_list::OneList::default(),
            no_ping_pong: c4_no_ping_pong::NoPingPong::new(hop_limit),
            held: (0..=configs.len()).map(|_| BTreeMap::new()).collect(),
            journals: configs.iter().map(|_| custody::Journal::default()).collect(),
            seen: (0..=configs.len()).map(|_| BTreeSet::new()).collect(),
            unsettled: BTreeSet::new(),
            suspects: 0,
            violation: None,
        }
    }

    /// What does not hold, if anything.
    #[must_use]
    pub const fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// Something does not hold.
    pub fn object(&mut self, property: &str, text: &str) {
        if self.violation.is_none() {
            let (property, text) = (String::from(property), String::from(text));
            self.violation = Some(Violation { property, text });
        }
    }

    fn judge(&mut self, property: &str, verdict: Result<(), String>) {
        if let Err(text) = verdict {
            self.object(property, &text);
        }
    }

    /// A name for a message that a client is going to send.
    pub fn name_message(&mut self) -> Token {
        self.ledger.name()
    }

    /// By how much the clocks of members may differ at the start, and how they may drift.
    pub const fn set_clocks(&mut self, ahead: Span, drift_ppm: u32) {
        self.ledger.set_clocks(ahead, drift_ppm);
    }

    /// The content of a message is on its way to a member.
    pub fn offered(&mut self, now: Time, token: Token, letter: Letter) {
        self.ledger.offered(now, token, letter);
        self.refuse_nobody(token);
    }

    /// Nobody has to say of an address that is nobody's that it is.
    fn refuse_nobody(&mut self, token: Token) {
        let recipients = self.ledger.letter(token).map(|letter| letter.recipients.clone());
        for (index, (address, _)) in (0..).zip(recipients.unwrap_or_default()) {
            if self.orders.is_nobody(&address) {
                self.ledger.refuse((token, index));
            }
        }
    }

    /// A member is about to hear what its operator wants.
    pub fn ordered(
        &mut self,
        host: &Host,
        (place, from): (HostIndex, ConnectionId),
        order: &Order,
    ) {
        let Order::Queue { action, which } = order else { return };
        // What it has not written yet counts as well: it decides by what it knows.
        let known = host.node.as_ref().map(|node| &node.machine().member().spool().queue);
        for queue in which.ids.iter().filter_map(|id| id.parse::<QueueId>().ok()) {
            let Some(message) = known.and_then(|known| known.get(&queue)) else { continue };
            self.orders.concerns((place, queue), (host.life, from), action);
            let doubts = message.doubts();
            for recipient in &message.envelope.recipients {
                let index = recipient.index;
                for copy in self.names.copies(place, queue, &[index], &self.ledger) {
                    self.orders.spoken(copy);
                    // Who is in doubt stays, unless the doubt is over already.
                    if !doubts.contains_key(&index) || self.ledger.is_refused(copy) {
                        self.orders.heard(place, host.life, copy, action);
                    }
                }
            }
        }
    }

    /// An operator has the answer to an order: from here on it holds, whatever happens to the process.
    pub fn confirmed(
        &mut self,
        host: &Host,
        (place, from): (HostIndex, ConnectionId),
        answer: &Ordered,
    ) {
        let spool = &host.disk.durable().spool;
        for queue in self.orders.holds_of(place, (host.life, from)) {
            let id = queue.to_string();
            let is_refused = answer.refused.iter().any(|item| item.of == id);
            let is_held = spool.queue.get(&queue).is_none_or(|message| message.held.is_some());
            if !is_refused && !is_held {
                self.object("CU-050", &format!("the hold of {id} is confirmed and not on disk"));
            }
        }
    }

    /// The client has the final reply.
    pub fn answered(&mut self, now: Time, token: Token, code: u16) {
        if !(200..300).contains(&code) {
            return;
        }
        for copy in self.ledger.promised(now, token) {
            let verdict = self.no_loss.check(now, copy, &mut self.ledger);
            self.judge("C1", verdict);
        }
    }

    /// A member composes a DSN; its name stands in the DSN.
    pub fn composed(&mut self, now: Time, host: &Host, notice: &Notice) -> Token {
        let message = notice.body.and_then(|body| host.disk.token(body.key));
        let indexes: Vec<u32> = notice.recipients.iter().map(|(r, _)| r.index).collect();
        let by = custody::passed_on_by(host, &notice.origin);
        let is_passed_on = by.is_some();
        let copies = message
            .map_or_else(Vec::new, |token| custody::copies_of((token, by), &indexes, &self.ledger));
        let about = About { message, kind: notice.kind, copies, is_passed_on };
        let verdict = TruthfulBounce::composed(notice, &about, &self.ledger);
        self.judge("C7", verdict);
        let token = self.ledger.composed(now, about, &notice.to);
        self.refuse_nobody(token);
        token
    }

    /// A copy lies where the owner of the account sees it, or of one that this account has passed it on
    /// to.
    pub fn published(&mut self, token: Token, account: &Address) {
        let verdict = self.no_duplicate.published(token, account, &mut self.ledger);
        self.judge("C2", verdict);
        if let Some(copy) = self.ledger.index_of(token, account).map(|index| (token, index))
            && !self.unsettled.contains(&copy)
        {
            let verdict = self.truthful_bounce.arrived(copy, &self.ledger);
            self.judge("C7", verdict);
        }
    }

    /// The outside server has taken a copy; it `tells` the sender of its success, or leaves that to us.
    pub fn relayed(&mut self, token: Token, address: &Address, tells: bool) {
        self.ledger.relayed(token, address, tells);
    }

    /// The outside server has refused a copy for good, or the address that only this copy has.
    pub fn refused(&mut self, token: Option<Token>, address: &Address) {
        self.ledger.refused(token, address);
    }

    /// A change is on the disk of a member.
    pub fn stored(&mut self, now: Time, host: &Host, place: HostIndex, change: &Change) {
        let verdict = self.no_duplicate.stored(place, change);
        self.judge("C2", verdict);
        let verdict = c3_one_custodian::OneCustodian::stored(host, change);
        self.judge("C3", verdict);
        let verdict = self.one_list.stored(place, change);
        self.judge("MA-053", verdict);
        self.journals[place].stored(change);
        if matches!(change, Change::Closed { .. } | Change::Opened { .. }) {
            self.journals[place] = custody::Journal::of(host);
        }
        self.names.stored(host, place, change);
        self.ended(now, host, place, change);
        if let Change::Suspected { queue, recipients, .. } = change {
            self.suspects += recipients.len();
            self.unsettled.extend(custody::copies(host, *queue, recipients, &self.ledger));
        }
        let is_custody = !matches!(
            change,
            Change::Link(_) | Change::Election { .. } | Change::Members(_) | Change::Boot { .. }
        );
        if is_custody {
            self.look(now, host, place);
        }
        // Last: a second copy may also cross where the first one did, and that is not what is wrong.
        let verdict = self.no_ping_pong.stored(host, change, &self.unsettled);
        self.judge("C4", verdict);
    }

    /// A journal says how a copy has ended, durably.
    fn recorded(&mut self, origin: &OriginId, index: u32, recorded: &Recorded) {
        let Some(copy) = self.names.recorded(origin, index, &self.ledger) else { return };
        match recorded {
            Recorded::Delivered { .. } => self.ledger.record(copy),
            Recorded::Passed { .. } => self.ledger.settle(copy),
            Recorded::Refused { .. } => self.ledger.refuse(copy),
        }
    }

    /// The house has recorded a delivery.
    pub fn recorded_in_house(&mut self, origin: &OriginId, index: u32, recorded: &Recorded) {
        self.recorded(origin, index, recorded);
    }

    /// The store of an account that is leased has taken a write.
    pub fn house_took(&mut self, account: &Address, epoch: &LeaseEpoch) {
        let verdict = self.one_owner.took(account, epoch);
        self.judge("C8", verdict);
    }

    /// What a change ends, and what it tells: before what the member holds is looked at anew.
    fn ended(&mut self, now: Time, host: &Host, place: HostIndex, change: &Change) {
        if let Change::Recorded { origin, index, recorded, .. } = change {
            self.recorded(origin, *index, recorded);
        }
        if let Change::Removed { queue, recipients, notice } = change {
            for copy in self.names.copies(place, *queue, recipients, &self.ledger) {
                if notice.is_none() && self.orders.removes(place, host.life, copy) {
                    // What the journal has already is not taken back; only its notice is.
                    if !self.ledger.is_recorded(copy) {
                        self.ledger.remove(copy);
                    }
                } else if self.orders.bounces(place, host.life, copy)
                    && self.ledger.nobody_hears(copy)
                    && !self.ledger.is_recorded(copy)
                {
                    // An order that came when the copy had been delivered has changed nothing.
                    self.ledger.drop(copy);
                }
            }
        }
        let scene = Scene {
            now,
            place,
            life: host.life,
            ledger: &self.ledger,
            orders: &self.orders,
            held: &self.held[place],
            seen: &self.seen[place],
            unsettled: &self.unsettled,
        };
        let mut verdict = Ok(());
        let mut fated = Vec::new();
        if let Change::Ended { queue, recipients, ending: Ending::Refused(_) } = change {
            fated = self.names.copies(place, *queue, recipients, &self.ledger);
            let mut settled = fated.iter().filter(|copy| !self.unsettled.contains(copy));
            verdict = settled.try_for_each(|copy| scene.may_end(*copy));
        }
        let (notice, late) = match change {
            Change::Queued { message, accepted: None, .. } => (Some(message), None),
            Change::Removed { notice: Some((_, message)), .. } => (Some(message), None),
            Change::Delayed { queue, notice: (_, message) } => (Some(message), Some(*queue)),
            _ => (None, None),
        };
        if let Some(message) = notice
            && let Some(token) = host.disk.token(message.body.key)
        {
            let origin = &message.envelope.origin;
            let issued = self.truthful_bounce.issued(token, origin, late, &scene);
            verdict = verdict.and(issued);
        }
        self.judge("C7", verdict);
        fated.into_iter().for_each(|copy| self.orders.fated(place, copy));
    }

    /// The disk of a member is another one: an empty one, or its own of an earlier time. `gone` were the
    /// copies in its accounts that lie there no more.
    pub fn set_back(&mut self, host: &Host, place: HostIndex, gone: Vec<Stored>) {
        for (token, account) in gone {
            self.ledger.unstored(token, &account);
        }
        self.no_duplicate.set_back(place, &host.config.member);
        self.no_ping_pong.set_back();
        self.one_list.set_back(host, place);
        self.names.set_back(host, place);
        self.journals[place] = custody::Journal::of(host);
        self.unsettled.extend(core::mem::take(&mut self.seen[place]));
        let old = self.exchange_held(host, place);
        for copy in old.0.keys().filter(|copy| !self.held[place].contains_key(copy)) {
            self.ledger.lose(*copy);
        }
    }

    /// Looks at what a member holds durably, and judges what has changed.
    pub fn look(&mut self, now: Time, host: &Host, place: HostIndex) {
        let (_, touched) = self.exchange_held(host, place);
        self.touched(now, touched);
    }

    /// The same for the house that members share.
    pub fn look_at_house(&mut self, now: Time, house: &House) {
        let place = self.held.len() - 1;
        let new = custody::held_in_house(house, &self.ledger);
        let (_, touched) = self.exchange(new, place);
        self.touched(now, touched);
    }

    fn touched(&mut self, now: Time, touched: Vec<Copy>) {
        for copy in touched {
            self.ledger.kept(now, copy);
            let verdict = self.no_loss.check(now, copy, &mut self.ledger);
            self.judge("C1", verdict);
            if !self.unsettled.contains(&copy) {
                let verdict = self.one_custodian.check(copy);
                self.judge("C3", verdict);
            }
        }
    }

    /// Looks at what a member holds now; what it held before comes back, and what has changed.
    fn exchange_held(
        &mut self,
        host: &Host,
        place: HostIndex,
    ) -> (BTreeMap<Copy, Hold>, Vec<Copy>) {
        let new = custody::held(host, &self.journals[place], &self.ledger);
        self.exchange(new, place)
    }

    fn exchange(
        &mut self,
        new: BTreeMap<Copy, Hold>,
        place: HostIndex,
    ) -> (BTreeMap<Copy, Hold>, Vec<Copy>) {
        let old = core::mem::take(&mut self.held[place]);
        let mut touched: Vec<Copy> = Vec::new();
        for (copy, hold) in &new {
            if old.get(copy) != Some(hold) {
                self.no_loss.add(*copy);
                self.one_custodian.add(*copy, place, *hold);
                self.seen[place].insert(*copy);
                touched.push(*copy);
            }
        }
        for (copy, hold) in &old {
            if new.get(copy) != Some(hold) {
                self.no_loss.remove(*copy);
                self.one_custodian.remove(*copy, place, *hold);
                touched.push(*copy);
            }
        }
        self.held[place] = new;
        (old, touched)
    }

    /// No faults strike any more, and the bound has passed: C5. `is_cut` says which member cannot reach
    /// which.
    pub fn converged(&mut self, hosts: &[Host], is_cut: &dyn Fn(&MemberName, &MemberName) -> bool) {
        let verdict = c5_convergence::check(hosts, is_cut);
        self.judge("C5", verdict);
        self.judge("C6", c6_one_master::settled(hosts));
        self.judge("MA-053", one_list::settled(hosts));
    }

    /// A member has taken a step, or its process has ended: C6 and C8.
    pub fn stepped(&mut self, host: &Host, place: HostIndex) {
        let verdict = self.one_master.look(host, place);
        self.judge("C6", verdict);
        let verdict = self.one_owner.look(host, place);
        self.judge("C8", verdict);
    }

    /// How often a recipient has crossed a connector, and how often one that it had crossed before.
    #[must_use]
    pub const fn crossings(&self) -> (usize, usize) {
        self.no_ping_pong.counts()
    }

    /// The promised recipients that have not ended, in words. Empty is what the second phase waits for.
    #[must_use]
    pub fn open(&self) -> Vec<String> {
        ended::open(&self.ledger, &self.held, &self.unsettled, &BTreeSet::new())
    }

    /// Those of them that had to end by `now`, where nothing has been broken from `since` on: all but those
    /// that have to wait, because nothing carries them or because it is not the time for it.
    #[must_use]
    pub fn overdue(&mut self, (since, now): (Time, Time), hosts: &[Host]) -> Vec<String> {
        let waiting = self.patience.waiting((since, now), hosts, &self.held, &self.ledger);
        ended::open(&self.ledger, &self.held, &self.unsettled, &waiting)
    }

    /// The recipients of a settled run that have not ended in exactly one way, and the successes that nobody
    /// was told of, in words.
    #[must_use]
    pub fn ended_badly(&self) -> Vec<String> {
        let known = (&self.ledger, &self.truthful_bounce, &self.orders);
        ended::badly(known, &self.unsettled)
    }

    /// Whether every promised recipient has ended, and no member holds anything any more.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let all = self.held.iter().flat_map(BTreeMap::keys);
        let is_held = |copy: &Copy| !ended::may_stay(*copy, &self.ledger, &self.unsettled);
        !all.into_iter().any(is_held) && self.ledger.open().next().is_none()
    }

    /// How many messages were promised, and how many copies have ended.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        self.ledger.counts()
    }

    /// How many copies were lost with a disk, and how many recipients were marked as suspect.
    #[must_use]
    pub fn setbacks(&self) -> (usize, usize) {
        (self.ledger.lost(), self.suspects)
    }
}
