//! Tickets of open questions: bounded and reused, so that hashed state stays small.

use alloc::collections::BTreeMap;

use super::Ticket;

/// The most questions that one machine may have open.
pub const TICKET_LIMIT: u32 = 1 << 16;

/// The open questions of a machine, each with what it is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tickets<T> {
    open: BTreeMap<Ticket, T>,
}

impl<T> Default for Tickets<T> {
    fn default() -> Self {
        Self { open: BTreeMap::new() }
    }
}

impl<T> Tickets<T> {
    /// Takes the smallest free ticket for `subject`; `None` when all are out.
    #[must_use]
    pub fn issue(&mut self, subject: T) -> Option<Ticket> {
        let free = (0..TICKET_LIMIT).map(Ticket).find(|t| !self.open.contains_key(t))?;
        let previous = self.open.insert(free, subject);
        assert!(previous.is_none(), "a free ticket has no subject");
        Some(free)
    }

    /// What the answer to `ticket` is about; the ticket is free again.
    #[must_use]
    pub fn redeem(&mut self, ticket: Ticket) -> Option<T> {
        self.open.remove(&ticket)
    }

    /// The open questions, in order of their tickets.
    pub fn iter(&self) -> impl Iterator<Item = (&Ticket, &T)> {
        self.open.iter()
    }

    /// How many questions are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether no question is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}
