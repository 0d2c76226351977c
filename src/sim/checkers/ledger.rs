//! What was offered, what was promised, and what has ended.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::Copy;
use crate::kernel::{Span, Time};
use crate::protocol::member::NoticeKind;
use crate::sim::client::Letter;
use crate::sim::token::Token;
use crate::wire::message::{Address, Notify};

/// What a DSN is about.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub(super) message: Option<Token>,
    pub(super) kind: NoticeKind,
    pub(super) copies: Vec<Copy>,
    /// Rules have passed that message on. DELIVER does not carry what RFC 3461 lets a client ask for, so what
    /// rules send asks for nothing special.
    pub(super) is_passed_on: bool,
}

#[derive(Clone, Debug, Default)]
struct Entry {
    letter: Letter,
    /// Since when it may be with a member.
    offered: Time,
    /// How often the copy of each recipient was stored or taken outside.
    ends: Vec<u32>,
    /// Since when somebody owes it: since the client had the reply, or a member kept the DSN.
    owed_since: Option<Time>,
    about: Option<About>,
}

/// Why a copy may be given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Whoever decides about it has refused it for good.
    Refused,
    /// Its time is over.
    Over,
}

/// All messages of a run.
#[derive(Debug)]
pub(super) struct Ledger {
    entries: BTreeMap<Token, Entry>,
    notices: BTreeMap<Copy, Vec<Token>>,
    /// The copies that were lost with a disk: nobody can be asked for them.
    lost: BTreeSet<Copy>,
    /// The copies that were refused for good.
    refused: BTreeSet<Copy>,
    /// The copies of which the journal of their account says that they are stored, or that its rules have
    /// passed them on or dropped them.
    settled: BTreeSet<Copy>,
    /// Those of them that are stored, or will be as soon as their file is in its place.
    recorded: BTreeSet<Copy>,
    /// The copies that an operator has removed.
    removed: BTreeSet<Copy>,
    /// The copies that ended without a word because nobody wanted to hear one.
    dropped: BTreeSet<Copy>,
    /// The copies of whose success the outside server tells.
    told_outside: BTreeSet<Copy>,
    next: u32,
    expiry: Span,
    /// By how much clocks may differ at the start, and how many parts per million they may drift apart.
    clocks: (Span, u32),
}

impl Ledger {
    pub(super) fn new(expiry_hours: u32) -> Self {
        Self {
            entries: BTreeMap::new(),
            notices: BTreeMap::new(),
            lost: BTreeSet::new(),
            refused: BTreeSet::new(),
            settled: BTreeSet::new(),
            recorded: BTreeSet::new(),
            removed: BTreeSet::new(),
            dropped: BTreeSet::new(),
            told_outside: BTreeSet::new(),
            next: 1,
            expiry: Span::hours(u64::from(expiry_hours)),
            clocks: (Span::ZERO, 0),
        }
    }

    /// What the clocks of the run may do.
    pub(super) const fn set_clocks(&mut self, ahead: Span, drift_ppm: u32) {
        self.clocks = (ahead, drift_ppm);
    }

    pub(super) fn name(&mut self) -> Token {
        let token = Token(self.next);
        self.next += 1;
        token
    }

    pub(super) fn offered(&mut self, now: Time, token: Token, letter: Letter) {
        let ends = letter.recipients.iter().map(|_| 0).collect();
        let entry = Entry { letter, ends, offered: now, ..Entry::default() };
        let before = self.entries.insert(token, entry);
        assert!(before.is_none(), "a message is offered once");
    }

    /// Marks a message as owed, and names its copies.
    pub(super) fn promised(&mut self, now: Time, token: Token) -> Vec<Copy> {
        let entry = self.entries.get_mut(&token).expect("only what was offered is promised");
        entry.owed_since = Some(now);
        (0..).zip(&entry.letter.recipients).map(|(index, _)| (token, index)).collect()
    }

    pub(super) fn composed(&mut self, now: Time, about: About, to: &Address) -> Token {
        let token = self.name();
        if about.kind == NoticeKind::Failure {
            for copy in &about.copies {
                self.notices.entry(*copy).or_default().push(token);
            }
        }
        self.offered(now, token, Letter::new(None, alloc::vec![to.clone()]));
        self.entries.entry(token).and_modify(|entry| entry.about = Some(about));
        token
    }

    /// A member keeps a copy durably. A DSN is owed from then on.
    pub(super) fn kept(&mut self, now: Time, copy: Copy) {
        if let Some(entry) = self.entries.get_mut(&copy.0)
            && entry.about.is_some()
            && entry.owed_since.is_none()
        {
            entry.owed_since = Some(now);
        }
    }

    /// The envelope of a message as its client had it.
    pub(super) fn letter(&self, token: Token) -> Option<&Letter> {
        self.entries.get(&token).map(|entry| &entry.letter)
    }

    /// What a DSN is about; `None` for any other message.
    pub(super) fn about(&self, token: Token) -> Option<&About> {
        self.entries.get(&token)?.about.as_ref()
    }

    /// Whose a copy is, and what of it the sender wants to hear.
    pub(super) fn recipient(&self, copy: Copy) -> Option<&(Address, Notify)> {
        self.entries.get(&copy.0)?.letter.recipients.get(copy.1 as usize)
    }

    /// Which copy of a message is for `address`.
    pub(super) fn index_of(&self, token: Token, address: &Address) -> Option<u32> {
        let recipients = &self.entries.get(&token)?.letter.recipients;
        let place = recipients.iter().position(|(recipient, _)| recipient == address)?;
        u32::try_from(place).ok()
    }

    /// A copy was stored, or taken outside; returns how often by now.
    pub(super) fn end(&mut self, copy: Copy) -> u32 {
        let entry = self.entries.get_mut(&copy.0).expect("its index was found");
        let ends = &mut entry.ends[copy.1 as usize];
        *ends += 1;
        *ends
    }

    /// The outside server has taken a copy, and `tells` the sender of its success.
    pub(super) fn relayed(&mut self, token: Token, address: &Address, tells: bool) {
        if let Some(index) = self.index_of(token, address) {
            self.end((token, index));
            // It may take a copy twice where its first reply is lost; the last word counts.
            if tells {
                self.told_outside.insert((token, index));
            } else {
                self.told_outside.remove(&(token, index));
            }
        }
    }

    /// Whoever decides about it has refused this copy for good, or every copy for this address.
    pub(super) fn refused(&mut self, token: Option<Token>, address: &Address) {
        let tokens = self.entries.keys().filter(|named| token.is_none_or(|t| t == **named));
        let copies = tokens.filter_map(|token| Some((*token, self.index_of(*token, address)?)));
        let copies: Vec<Copy> = copies.collect();
        self.refused.extend(copies);
    }

    /// The host of an account has refused a copy for good.
    pub(super) fn refuse(&mut self, copy: Copy) {
        self.refused.insert(copy);
    }

    pub(super) fn is_refused(&self, copy: Copy) -> bool {
        self.refused.contains(&copy)
    }

    /// The journal of an account has a copy.
    pub(super) fn settle(&mut self, copy: Copy) {
        self.settled.insert(copy);
    }

    /// The journal of an account has a copy as stored.
    pub(super) fn record(&mut self, copy: Copy) {
        self.settle(copy);
        self.recorded.insert(copy);
    }

    pub(super) fn is_recorded(&self, copy: Copy) -> bool {
        self.recorded.contains(&copy)
    }

    pub(super) fn is_settled(&self, copy: Copy) -> bool {
        self.settled.contains(&copy)
    }

    /// An operator has removed a copy.
    pub(super) fn remove(&mut self, copy: Copy) {
        self.removed.insert(copy);
    }

    /// A copy is gone, and nobody was to be told.
    pub(super) fn drop(&mut self, copy: Copy) {
        self.dropped.insert(copy);
    }

    /// Whether a copy ended by an order, or without a word.
    pub(super) fn is_over(&self, copy: Copy) -> bool {
        self.removed.contains(&copy) || self.dropped.contains(&copy)
    }

    pub(super) fn is_told_outside(&self, copy: Copy) -> bool {
        self.told_outside.contains(&copy)
    }

    pub(super) fn is_owed(&self, copy: Copy) -> bool {
        self.entries.get(&copy.0).is_some_and(|entry| {
            entry.owed_since.is_some() && (copy.1 as usize) < entry.letter.recipients.len()
        })
    }

    /// A disk was lost, and this copy with it.
    pub(super) fn lose(&mut self, copy: Copy) {
        self.lost.insert(copy);
    }

    /// How many copies were lost with a disk.
    pub(super) fn lost(&self) -> usize {
        self.lost.len()
    }

    pub(super) fn is_lost(&self, copy: Copy) -> bool {
        self.lost.contains(&copy)
    }

    /// A copy that had been stored is there no more, and may be stored again.
    pub(super) fn unstored(&mut self, token: Token, address: &Address) {
        let Some(index) = self.index_of(token, address) else { return };
        let entry = self.entries.get_mut(&token).expect("its index was found");
        // What came back with an old disk, and is lost again, was not counted anew.
        let ends = &mut entry.ends[index as usize];
        *ends = ends.saturating_sub(1);
        self.lose((token, index));
    }

    /// Whether a copy was stored or taken outside.
    pub(super) fn has_arrived(&self, copy: Copy) -> bool {
        let entry = self.entries.get(&copy.0);
        entry.and_then(|entry| entry.ends.get(copy.1 as usize)).is_some_and(|ends| *ends > 0)
    }

    /// Whether a copy has ended without a DSN: it has arrived, an operator has removed it, nobody was to be
    /// told, or nobody can be asked for it any more.
    pub(super) fn has_ended(&self, copy: Copy) -> bool {
        self.is_lost(copy) || self.has_arrived(copy) || self.is_over(copy)
    }

    /// Whether so much time has passed since a message may have arrived, by whatever clock.
    pub(super) fn has_lasted(&self, now: Time, token: Token, span: Span) -> bool {
        let Some(entry) = self.entries.get(&token) else { return false };
        let (ahead, drift_ppm) = self.clocks;
        let drift = now.0 / 1_000_000 * 2 * u64::from(drift_ppm);
        now + ahead + Span(drift) >= entry.offered + span
    }

    /// Why a copy may be given up now, if it may.
    pub(super) fn cause(&self, now: Time, copy: Copy) -> Option<Cause> {
        if self.refused.contains(&copy) {
            return Some(Cause::Refused);
        }
        self.has_lasted(now, copy.0, self.expiry).then_some(Cause::Over)
    }

    /// Whether a copy may vanish without a word: nobody is to be told, and it may be given up.
    pub(super) fn may_vanish(&self, now: Time, copy: Copy) -> bool {
        self.nobody_hears(copy) && self.cause(now, copy).is_some()
    }

    /// Whether nobody is to be told that a copy failed.
    pub(super) fn nobody_hears(&self, copy: Copy) -> bool {
        let has_sender = self.letter(copy.0).is_some_and(|letter| letter.sender.is_some());
        !has_sender || !self.recipient(copy).is_some_and(|(_, notify)| notify.failure)
    }

    /// The DSNs that say that a copy failed.
    pub(super) fn notices(&self, copy: Copy) -> &[Token] {
        self.notices.get(&copy).map_or(&[], Vec::as_slice)
    }

    /// Whether a DSN that says so has ended itself.
    pub(super) fn is_returned(&self, copy: Copy) -> bool {
        self.notices(copy).iter().any(|dsn| self.has_ended((*dsn, 0)))
    }

    /// The owed copies, with their addresses.
    pub(super) fn owed(&self) -> impl Iterator<Item = (Copy, &(Address, Notify))> {
        let owed = self.entries.iter().filter(|(_, entry)| entry.owed_since.is_some());
        owed.flat_map(|(token, entry)| {
            let numbered = (0..).zip(&entry.letter.recipients);
            numbered.map(|(index, recipient)| ((*token, index), recipient))
        })
    }

    /// The owed copies that have not ended, with their addresses.
    pub(super) fn open(&self) -> impl Iterator<Item = (Copy, &Address)> {
        let copies = self.owed().map(|(copy, (address, _))| (copy, address));
        copies.filter(|(copy, _)| !self.has_ended(*copy) && !self.is_returned(*copy))
    }

    /// What a DSN is about, in words.
    pub(super) fn describe(&self, token: Token) -> alloc::string::String {
        match self.about(token) {
            None => alloc::format!("{token}"),
            Some(About { message, kind, copies, .. }) => {
                let message =
                    message.map_or_else(alloc::string::String::new, |m| alloc::format!("{m}"));
                let indexes: Vec<u32> = copies.iter().map(|(_, index)| *index).collect();
                alloc::format!("{token} ({kind:?} of {message} {indexes:?})")
            }
        }
    }

    pub(super) fn counts(&self) -> (usize, usize) {
        let owed = self.entries.values().filter(|entry| entry.owed_since.is_some()).count();
        let ended = self.entries.values().flat_map(|entry| &entry.ends).filter(|ends| **ends > 0);
        (owed, ended.count())
    }
}
