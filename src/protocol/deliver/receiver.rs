//! The host of accounts: it stores, it answers once for each recipient, it never queues.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use super::deposit::{Begun, Wanted};
use super::{Grant, Owed, Receiving, Said};
use crate::clause;
use crate::kernel::{Gate, Time};
use crate::protocol::member::{Inquiry, Line, Member, Parcel, Pdu, Turn};
use crate::protocol::queue::{Home, Recorded, home};
use crate::wire::deliver::Ownership;
use crate::wire::ids::{ConnectionId, Epoch, MemberName, OriginId};
use crate::wire::message::{Address, Body, Outcome};

/// Who can say what became of a recipient.
enum Authority {
    /// This member.
    This,
    /// It is open elsewhere, or under another epoch.
    Other(Ownership),
    /// It is leased, and this member does not know to whom.
    Unknown(Address),
}

impl Member {
    /// A member opened a connection to our delivery port. Its older ones are dead: what still arrives
    /// on them must not be delivered after the newer one has had its answers.
    pub(crate) fn receive(
        &mut self,
        connection: ConnectionId,
        member: MemberName,
        turn: &mut Turn<'_, '_>,
    ) {
        let older: Vec<ConnectionId> = self
            .lines
            .iter()
            .filter(|(_, line)| matches!(line, Line::Receiving(old) if old.member == member))
            .map(|(connection, _)| *connection)
            .collect();
        for connection in older {
            if turn.fault("older-connection-lives") {
                continue;
            }
            clause!(DE_020);
            self.hang_up(connection, turn);
        }
        let receiving = Receiving { member, owed: VecDeque::new() };
        self.lines.insert(connection, Line::Receiving(receiving));
    }

    /// A parcel for accounts of ours.
    pub(crate) fn take_delivery(
        &mut self,
        connection: ConnectionId,
        parcel: Parcel,
        turn: &mut Turn<'_, '_>,
    ) {
        let Some(parcel) = self.postpone(connection, parcel, turn.config) else { return };
        let Some(Line::Receiving(receiving)) = self.lines.get(&connection) else { return };
        let member = receiving.member.0.clone();
        let Parcel { mut envelope, body, epochs } = parcel;
        let id = alloc::format!("{}", envelope.origin);
        envelope.hops.push(self.hop(member, String::from("LMTP"), &id, turn));
        for recipient in core::mem::take(&mut envelope.recipients) {
            let key = (envelope.origin.clone(), recipient.index);
            self.owe(connection, key.clone());
            let epoch = Some(epochs.get(&recipient.index).copied().unwrap_or_default());
            let (envelope, recipient) = (&envelope, &recipient);
            let wanted = Wanted { envelope, recipient, body, queue: None, epoch };
            match self.begin(wanted, turn) {
                Begun::Underway => {
                    let deposit = self.deposits.get_mut(&key).expect("it is under way");
                    deposit.askers.insert(connection);
                }
                Begun::Settled(said) => self.answer(connection, &key, said, turn),
            }
        }
        self.release_body(body, turn);
    }

    /// What became of these recipients?
    pub(crate) fn inquired(
        &mut self,
        connection: ConnectionId,
        (origin, arrived): (&OriginId, Option<Time>),
        recipients: Vec<(u32, Address, Epoch)>,
        turn: &mut Turn<'_, '_>,
    ) {
        clause!(DE_021);
        for (index, address, epoch) in recipients {
            let origin = origin.clone();
            self.owe(connection, (origin.clone(), index));
            let inquiry = Inquiry { connection, origin, index, address, epoch, arrived };
            self.answer_inquiry(inquiry, turn);
        }
    }

    /// Answers what is asked about one recipient, now or as soon as it is known who has the account.
    pub(crate) fn answer_inquiry(&mut self, inquiry: Inquiry, turn: &mut Turn<'_, '_>) {
        let connection = inquiry.connection;
        let key = (inquiry.origin.clone(), inquiry.index);
        if let Some(deposit) = self.deposits.get_mut(&key) {
            deposit.askers.insert(connection);
            return;
        }
        let said = match self.authority_on(&inquiry.address, inquiry.epoch, turn) {
            Authority::This => self.said_of(&key, &inquiry, turn),
            Authority::Other(known) => Said::Moved(known),
            Authority::Unknown(_) if turn.fault("unknown-of-any-account") => Said::Unknown,
            Authority::Unknown(account) => {
                clause!(DE_104);
                return self.owe_inquiry(account, inquiry, turn);
            }
        };
        self.answer(connection, &key, said, turn);
    }

    /// What the journal of the account says.
    fn said_of(&self, key: &(OriginId, u32), inquiry: &Inquiry, turn: &Turn<'_, '_>) -> Said {
        let recorded = match home(turn.config, &inquiry.address) {
            Home::Account(account) => self.recorded_of(&account, key, turn),
            Home::Foreign | Home::Nobody(_) => self.recorded(&key.0, key.1, turn),
        };
        match recorded.filter(|_| !turn.fault("second-deposit-on-repeat")) {
            Some(Recorded::Delivered { .. } | Recorded::Passed { .. }) => {
                Said::Outcome(Outcome::Delivered)
            }
            Some(Recorded::Refused { refusal, .. }) => {
                Said::Outcome(Outcome::Refused(refusal.clone()))
            }
            None => self.missing(&inquiry.address, inquiry.arrived, turn),
        }
    }

    /// What the delivery journal says of a recipient.
    pub(super) fn recorded(
        &self,
        origin: &OriginId,
        index: u32,
        turn: &Turn<'_, '_>,
    ) -> Option<&Recorded> {
        if turn.fault("journal-without-the-sender") {
            let name = |id: &OriginId| (id.incarnation, id.sequence);
            let mut journal = self.spool.journal.iter();
            let (_, rows) = journal.find(|(id, _)| name(id) == name(origin))?;
            return rows.get(&index);
        }
        self.spool.recorded(origin, index)
    }

    /// What is said of a recipient that the journal does not have: that nothing is recorded, unless it may
    /// have been dropped.
    fn missing(&self, address: &Address, arrived: Option<Time>, turn: &Turn<'_, '_>) -> Said {
        let Home::Account(account) = home(turn.config, address) else { return Said::Unknown };
        let is_beyond = |arrived| match self.tenancies.journal(&account) {
            Some(journal) => journal.horizon.is_some_and(|horizon| arrived <= horizon),
            None => self.spool.is_beyond(&account, arrived),
        };
        let is_forgotten = arrived.is_some_and(is_beyond);
        if is_forgotten && !turn.fault("forgotten-is-unknown") {
            clause!(DE_086);
            return Said::NoJournal;
        }
        Said::Unknown
    }

    /// Who is to be asked about a recipient that is meant for this epoch.
    fn authority_on(&self, address: &Address, epoch: Epoch, turn: &Turn<'_, '_>) -> Authority {
        let Home::Account(account) = home(turn.config, address) else { return Authority::This };
        match self.grant(&account, turn.config) {
            None => Authority::This,
            Some(Grant::Open(open)) if open == epoch => Authority::This,
            Some(Grant::Open(open)) => {
                let member = turn.config.member.clone();
                Authority::Other(Ownership { member, epoch: open })
            }
            Some(Grant::Elsewhere(known)) => {
                clause!(DE_041);
                Authority::Other(known)
            }
            Some(Grant::Unowned) => Authority::Unknown(account),
        }
    }

    /// One answer is known; it leaves when those before it have left.
    pub(crate) fn answer(
        &mut self,
        connection: ConnectionId,
        key: &(OriginId, u32),
        said: Said,
        turn: &mut Turn<'_, '_>,
    ) {
        let Some(Line::Receiving(receiving)) = self.lines.get_mut(&connection) else { return };
        let (origin, index) = key.clone();
        let word = match said {
            Said::Outcome(outcome) => Pdu::Result { origin, index, outcome },
            Said::Unknown => Pdu::NoResult { origin, index },
            Said::NoJournal => Pdu::NoJournal { origin, index },
            Said::Moved(to) => Pdu::Moved { origin, index, to },
        };
        let open = receiving.owed.iter_mut().filter(|owed| owed.key == *key && owed.word.is_none());
        for owed in open {
            owed.word = Some(word.clone());
        }
        clause!(DE_022);
        while let Some(word) = receiving.owed.front_mut().and_then(|owed| owed.word.take()) {
            receiving.owed.pop_front();
            if turn.fault("result-before-publish") {
                turn.cx.send(connection, word);
            } else {
                turn.promise(connection, word);
            }
        }
    }

    /// Lets a received body go when no delivery reads it any more.
    pub(crate) fn release_body(&mut self, body: Body, turn: &mut Turn<'_, '_>) {
        self.let_go(body.key, Gate::Now, turn);
    }

    fn owe(&mut self, connection: ConnectionId, key: (OriginId, u32)) {
        if let Some(Line::Receiving(receiving)) = self.lines.get_mut(&connection) {
            receiving.owed.push_back(Owed { key, word: None });
        }
    }
}
