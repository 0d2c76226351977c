//! What was offered, what was promised, and what has ended.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::Copy;
use crate::kernel::{Span, Time};
use crate::protocol::member::NoticeKind;
use crate::sim::token::Token;
use crate::wire::message::Address;

#[derive(Clone, Debug)]
struct About {
    message: Option<Token>,
    kind: NoticeKind,
    indexes: Vec<u32>,
}

#[derive(Clone, Debug, Default)]
struct Entry {
    sender: Option<Address>,
    recipients: Vec<Address>,
    /// How often the copy of each recipient was stored or taken outside.
    ends: Vec<u32>,
    /// Since when somebody owes it: since the client had the reply, or a member kept the DSN.
    owed_since: Option<Time>,
    about: Option<About>,
}

/// All messages of a run.
#[derive(Debug)]
pub(super) struct Ledger {
    entries: BTreeMap<Token, Entry>,
    notices: BTreeMap<Copy, Vec<Token>>,
    /// The copies that were lost with a disk: nobody can be asked for them.
    lost: BTreeSet<Copy>,
    next: u32,
    expiry: Span,
}

impl Ledger {
    pub(super) fn new(expiry_hours: u32) -> Self {
        let expiry = Span::hours(expiry_hours as u64);
        let (entries, notices, lost) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { entries, notices, lost, next: 1, expiry }
    }

    pub(super) fn name(&mut self) -> Token {
        let token = Token(self.next);
        self.next += 1;
        token
    }

    pub(super) fn offered(&mut self, token: Token, sender: Option<Address>, to: Vec<Address>) {
        let ends = to.iter().map(|_| 0).collect();
        let entry = Entry { sender, recipients: to, ends, ..Entry::default() };
        let before = self.entries.insert(token, entry);
        assert!(before.is_none(), "a message is offered once");
    }

    /// Marks a message as owed, and names its copies.
    pub(super) fn promised(&mut self, now: Time, token: Token) -> Vec<Copy> {
        let entry = self.entries.get_mut(&token).expect("only what was offered is promised");
        entry.owed_since = Some(now);
        (0..).zip(&entry.recipients).map(|(index, _)| (token, index)).collect()
    }

    pub(super) fn composed(
        &mut self,
        message: Option<Token>,
        kind: NoticeKind,
        indexes: Vec<u32>,
        to: &Address,
    ) -> Token {
        let token = self.name();
        if let Some(message) = message
            && kind == NoticeKind::Failure
        {
            for index in &indexes {
                self.notices.entry((message, *index)).or_default().push(token);
            }
        }
        self.offered(token, None, alloc::vec![to.clone()]);
        let about = About { message, kind, indexes };
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

    /// Which copy of a message is for `address`.
    pub(super) fn index_of(&self, token: Token, address: &Address) -> Option<u32> {
        let recipients = &self.entries.get(&token)?.recipients;
        let place = recipients.iter().position(|recipient| recipient == address)?;
        u32::try_from(place).ok()
    }

    /// A copy was stored, or taken outside; returns how often by now.
    pub(super) fn end(&mut self, copy: Copy) -> u32 {
        let entry = self.entries.get_mut(&copy.0).expect("its index was found");
        let ends = &mut entry.ends[copy.1 as usize];
        *ends += 1;
        *ends
    }

    pub(super) fn relayed(&mut self, token: Token, address: &Address) {
        if let Some(index) = self.index_of(token, address) {
            self.end((token, index));
        }
    }

    pub(super) fn is_owed(&self, copy: Copy) -> bool {
        self.entries.get(&copy.0).is_some_and(|entry| {
            entry.owed_since.is_some() && (copy.1 as usize) < entry.recipients.len()
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

    /// A copy that had been stored is there no more, and may be stored again.
    pub(super) fn unstored(&mut self, token: Token, address: &Address) {
        let Some(index) = self.index_of(token, address) else { return };
        let entry = self.entries.get_mut(&token).expect("its index was found");
        // What came back with an old disk, and is lost again, was not counted anew.
        let ends = &mut entry.ends[index as usize];
        *ends = ends.saturating_sub(1);
        self.lose((token, index));
    }

    /// Whether a copy was stored or taken outside, or nobody can be asked for it any more.
    pub(super) fn has_ended(&self, copy: Copy) -> bool {
        if self.lost.contains(&copy) {
            return true;
        }
        let entry = self.entries.get(&copy.0);
        entry.and_then(|entry| entry.ends.get(copy.1 as usize)).is_some_and(|ends| *ends > 0)
    }

    /// Whether a copy may vanish without a word: nobody is to be told, and its time is over.
    pub(super) fn may_vanish(&self, now: Time, copy: Copy) -> bool {
        self.entries.get(&copy.0).is_some_and(|entry| {
            let since = entry.owed_since.unwrap_or(now);
            // A reply takes a moment to reach the client, and expiry is counted from the arrival.
            entry.sender.is_none() && now + Span::hours(1) >= since + self.expiry
        })
    }

    /// The DSNs that say that a copy failed.
    pub(super) fn notices(&self, copy: Copy) -> &[Token] {
        self.notices.get(&copy).map_or(&[], Vec::as_slice)
    }

    /// The owed copies that have not ended, with their addresses.
    pub(super) fn open(&self) -> impl Iterator<Item = (Copy, &Address)> {
        let owed = self.entries.iter().filter(|(_, entry)| entry.owed_since.is_some());
        let copies = owed.flat_map(|(token, entry)| {
            let numbered = (0..).zip(&entry.recipients);
            numbered.map(|(index, address)| ((*token, index), address))
        });
        copies.filter(|(copy, _)| {
            let returned = || self.notices(*copy).iter().any(|dsn| self.has_ended((*dsn, 0)));
            !self.has_ended(*copy) && !returned()
        })
    }

    /// What a DSN is about, in words.
    pub(super) fn describe(&self, token: Token) -> alloc::string::String {
        let about = self.entries.get(&token).and_then(|entry| entry.about.as_ref());
        match about {
            None => alloc::format!("{token}"),
            Some(About { message, kind, indexes }) => {
                let message =
                    message.map_or_else(alloc::string::String::new, |m| alloc::format!("{m}"));
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
