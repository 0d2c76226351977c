//! The virtual disk of one member: the journal of changes with the bodies that ride along, and what a
//! crash leaves of them.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;

use sha2::{Digest as _, Sha256};

use super::token::{Token, passed_on_by};
use crate::kernel::Machine;
use crate::protocol::member::{Change, Durable};
use crate::protocol::queue::{AccountJournal, Damage};
use crate::protocol::server::Server;
use crate::wire::header::fields;
use crate::wire::ids::Epoch;
use crate::wire::message::{Address, Body, BodyKey, Digest, Field};

/// A body longer than this is synced by itself before the member hears of it; a shorter one rides in
/// the write of the next change.
pub const RIDING_LIMIT_OCTETS: usize = 256 * 1024;

/// SHA-256 of `octets`.
#[must_use]
pub fn digest_of(octets: &[u8]) -> Digest {
    Digest(Sha256::digest(octets).into())
}

#[derive(Clone, Debug)]
struct Kept {
    octets: Arc<[u8]>,
    token: Option<Token>,
    by: Option<Address>,
    synced: bool,
    /// What stands in its place now.
    damage: Option<Damage>,
}

#[derive(Clone, Debug)]
struct Pending {
    change: Change,
    riders: Vec<BodyKey>,
}

/// The journal and the bodies.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    durable: Durable,
    pending: VecDeque<Pending>,
    bodies: BTreeMap<BodyKey, Kept>,
    /// Bodies that wait for a change to ride with.
    waiting: Vec<BodyKey>,
    /// Never goes back, also not by a crash.
    next_key: u64,
    /// What the store had of each account when it was closed.
    taken: BTreeMap<Address, (Epoch, AccountJournal)>,
}

impl Disk {
    /// The fold of every change that is on disk.
    #[must_use]
    pub const fn durable(&self) -> &Durable {
        &self.durable
    }

    /// How many changes are on their way to the disk.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Keeps a body in memory until a change takes it to the disk, or a sync of its own.
    pub fn keep(&mut self, octets: Vec<u8>) -> Body {
        let key = BodyKey(self.next_key);
        self.next_key += 1;
        let body = Body { key, digest: digest_of(&octets), octets: octets.len() as u64 };
        if octets.len() <= RIDING_LIMIT_OCTETS {
            self.waiting.push(key);
        }
        let token = Token::find(&octets);
        let by = passed_on_by(&fields(&octets));
        let kept = Kept { octets: octets.into(), token, by, synced: false, damage: None };
        let before = self.bodies.insert(key, kept);
        assert!(before.is_none(), "a body key is never used twice");
        body
    }

    /// A body is on disk by itself.
    pub fn sync_body(&mut self, key: BodyKey) {
        if let Some(kept) = self.bodies.get_mut(&key) {
            kept.synced = true;
        }
    }

    /// A body as this life of the member sees it; `None` where it is lost.
    ///
    /// # Errors
    /// It is not what it was.
    pub fn body(&self, key: BodyKey) -> Result<Option<Arc<[u8]>>, Damage> {
        let Some(kept) = self.bodies.get(&key) else { return Ok(None) };
        match &kept.damage {
            None => Ok(Some(Arc::clone(&kept.octets))),
            Some(damage) => Err(damage.clone()),
        }
    }

    /// An octet of a body turns over.
    pub fn rot(&mut self, key: BodyKey) {
        if let Some(kept) = self.bodies.get_mut(&key) {
            let mut rotten = kept.octets.to_vec();
            rotten.iter_mut().take(1).for_each(|octet| *octet ^= 1);
            kept.damage = Some(Damage::Digest(digest_of(&rotten)));
        }
    }

    /// Every body is what it was again; whether one was not.
    pub fn mend(&mut self) -> bool {
        let damaged = self.bodies.values_mut().filter(|kept| kept.damage.is_some());
        damaged.map(|kept| kept.damage = None).count() > 0
    }

    /// The bodies of messages in quarantine that are what they were.
    #[must_use]
    pub fn mended(&self) -> Vec<BodyKey> {
        let messages = self.durable.spool.queue.values();
        let keys = messages.filter(|message| message.damage.is_some()).map(|m| m.body.key);
        keys.filter(|key| matches!(self.body(*key), Ok(Some(_)))).collect()
    }

    /// The bodies that carry a message of the run.
    #[must_use]
    pub fn bodies_of(&self, token: Token) -> Vec<BodyKey> {
        let kept = self.bodies.iter().filter(|(_, kept)| kept.token == Some(token));
        kept.map(|(key, _)| *key).collect()
    }

    /// Which message of the run a body carries.
    #[must_use]
    pub fn token(&self, key: BodyKey) -> Option<Token> {
        self.bodies.get(&key).and_then(|kept| kept.token)
    }

    /// The account whose rules were the first to pass on the message with this body and these fields
    /// above it.
    #[must_use]
    pub fn passed_on_by(&self, key: BodyKey, above: &[Field]) -> Option<Address> {
        let below = self.bodies.get(&key).and_then(|kept| kept.by.clone());
        below.or_else(|| passed_on_by(above))
    }

    /// Whether a body survives a crash.
    #[must_use]
    pub fn is_body_durable(&self, key: BodyKey) -> bool {
        self.bodies.get(&key).is_some_and(|kept| kept.synced)
    }

    /// Forgets a body.
    pub fn discard(&mut self, key: BodyKey) {
        self.bodies.remove(&key);
        self.waiting.retain(|waiting| *waiting != key);
    }

    /// Orders a write; the bodies that wait ride along.
    pub fn write(&mut self, change: Change) {
        self.pending.push_back(Pending { change, riders: core::mem::take(&mut self.waiting) });
    }

    /// The oldest ordered write is on disk.
    pub fn complete(&mut self) -> Change {
        let done = self.pending.pop_front();
        let Pending { change, riders } = done.expect("a write completes after it was ordered");
        for key in riders {
            self.sync_body(key);
        }
        if let Change::Closed { account, to } = &change {
            let journal = self.durable.spool.journal_of(account);
            self.taken.insert(account.clone(), (to.epoch, journal));
        }
        Server::apply(&mut self.durable, &change);
        change
    }

    /// What the store had of an account that was closed for this epoch.
    #[must_use]
    pub fn taken(&self, account: &Address, epoch: Epoch) -> Option<AccountJournal> {
        let (closed, journal) = self.taken.get(account)?;
        (*closed == epoch).then(|| journal.clone())
    }

    /// What a copy of the disk, made now, would have.
    #[must_use]
    pub fn image(&self) -> Self {
        let mut image = self.clone();
        image.crash();
        image
    }

    /// The disk is replaced by `other`: an empty one, or an image of an earlier time.
    pub fn replace(&mut self, other: Self) {
        let next_key = self.next_key.max(other.next_key);
        *self = Self { next_key, ..other };
    }

    /// The member dies: the writes on their way and everything in memory are gone.
    pub fn crash(&mut self) {
        self.pending.clear();
        self.waiting.clear();
        self.bodies.retain(|_, kept| kept.synced);
    }
}
