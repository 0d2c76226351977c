//! The member that a client talks to: it asks, waits for a while, and answers the client.

use alloc::vec::Vec;

use super::{Asker, CONSULT_PAUSE, Channel, Door, Open, VERIFY_WAIT, Waiting};
use crate::clause;
use crate::kernel::Gate;
use crate::protocol::member::{
    Candidate, Endpoint, Errand, Event, Line, Member, MemberConfig, Pdu, Query, Timer, Turn,
};
use crate::protocol::queue::{Home, home};
use crate::wire::ids::{ConnectionId, MemberName};
use crate::wire::message::{Address, Refusal};
use crate::wire::verify::{Question, VerifyPdu};

use super::telling::Judgement;

/// A question that a recipient raises.
struct Raised {
    /// Whom it concerns.
    host: MemberName,
    question: Question,
    /// What the organization's file says to it.
    filed: Option<Refusal>,
}

impl Member {
    /// Answers a client whose recipient the organization's file lets in, as soon as the hosts that it
    /// concerns have said what they know.
    pub(crate) fn verify(
        &mut self,
        client: ConnectionId,
        candidate: &Candidate,
        turn: &mut Turn<'_, '_>,
    ) {
        // A session asks about one recipient at a time.
        self.candidate_gone(client, turn);
        let mut to_ask = Vec::new();
        for raised in self.questions(candidate, turn.config) {
            if raised.host == turn.config.member {
                match self.judge(&raised.question, turn.config) {
                    Judgement::Nothing => {}
                    Judgement::Refused(refusal) => {
                        return turn.say(client, Pdu::Refused(refusal));
                    }
                    Judgement::Room(..) => to_ask.push(raised),
                }
            } else if self.is_to_be_asked(&raised.host, turn.config) {
                to_ask.push(raised);
            } else if let Some(refusal) = raised.filed {
                return turn.say(client, Pdu::Refused(refusal));
            }
        }
        if to_ask.is_empty() {
            return turn.say(client, Pdu::Ok);
        }
        clause!(SM_090);
        self.verifier.turns = self.verifier.turns.wrapping_add(1);
        let door = Door { client, turn: self.verifier.turns };
        let answers = u32::try_from(to_ask.len()).expect("a recipient raises few questions");
        self.verifier.waiting.insert(client, Waiting { turn: door.turn, answers });
        turn.arm(Timer::Verify(client), VERIFY_WAIT);
        for raised in to_ask {
            self.raise_question(door, raised, turn);
        }
    }

    /// What is to be asked about a recipient and its sender.
    fn questions(&self, candidate: &Candidate, config: &MemberConfig) -> Vec<Raised> {
        let Candidate { address, sender, octets, recipients } = candidate;
        let mut raised = Vec::new();
        let owner = |account: &Address| Some(self.ownership(account, config)?.member);
        if let Home::Account(account) = home(config, address)
            && let Some(host) = owner(&account)
        {
            let question = Question::Recipient { account, octets: *octets };
            raised.push(Raised { host, question, filed: None });
        }
        let filed = sender.as_ref().and_then(|sender| config.organization.account(sender));
        if let Some(filed) = filed.filter(|filed| filed.has_send_limit())
            && let Some(host) = owner(&filed.address)
        {
            clause!(SM_094);
            let (octets, recipients) = (*octets, *recipients);
            let account = filed.address.clone();
            let question = Question::Sender { account, octets, recipients };
            raised.push(Raised { host, question, filed: filed.send_limit(octets, recipients) });
        }
        raised
    }

    /// Whether a host is a member of our group that is not known to be mute.
    fn is_to_be_asked(&self, host: &MemberName, config: &MemberConfig) -> bool {
        let group = config.organization.group_of(&config.member);
        let is_fellow = group.is_some_and(|group| group.members.contains(host));
        is_fellow && !self.verifier.mute.contains(host)
    }

    fn raise_question(&mut self, door: Door, raised: Raised, turn: &mut Turn<'_, '_>) {
        let Raised { host, question, filed } = raised;
        if host == turn.config.member {
            let Question::Recipient { account, octets } = question else {
                return self.one_answer(door, filed, turn);
            };
            if !self.ask_room(Asker::Client(door), (account, octets), turn) {
                self.one_answer(door, None, turn);
            }
            return;
        }
        let connection = self.channel_to(&host, turn);
        let channel = self.verifier.channels.get_mut(&host).expect("it was just opened");
        let id = channel.free_id();
        channel.open.insert(id, Open { door, filed });
        turn.say(connection, Pdu::Verify(VerifyPdu::Verify { id, question }));
    }

    /// Our connection to a host: the one that is open, or a new one.
    fn channel_to(&mut self, host: &MemberName, turn: &mut Turn<'_, '_>) -> ConnectionId {
        if let Some(channel) = self.verifier.channels.get(host) {
            return channel.connection;
        }
        let connection = self.allot();
        let channel = Channel { connection, open: Default::default() };
        self.verifier.channels.insert(host.clone(), channel);
        self.lines.insert(connection, Line::Consulting(host.clone()));
        turn.cx.open(connection, Endpoint::Consult(host.clone()));
        connection
    }

    /// Asks how much an account of ours has.
    pub(super) fn ask_room(
        &mut self,
        asker: Asker,
        (account, octets): (Address, u64),
        turn: &mut Turn<'_, '_>,
    ) -> bool {
        let unpublished = self.unpublished(&account);
        let shared = turn.config.is_leased_here(&account);
        let without = Vec::new();
        let query = Query::Usage { account: account.clone(), shared, without, unpublished };
        self.ask(Errand::Room(asker, account, octets), (query, Gate::Now), turn)
    }

    /// A host answers.
    pub(crate) fn host_has_said(
        &mut self,
        connection: ConnectionId,
        pdu: VerifyPdu,
        turn: &mut Turn<'_, '_>,
    ) {
        let (id, refusal) = match pdu {
            VerifyPdu::Verified { id } => (id, None),
            VerifyPdu::Refused { id, refusal } => (id, Some(refusal)),
            VerifyPdu::Verify { .. } => {
                return self.misbehaved(connection, "a question where answers belong", turn);
            }
        };
        let mut channels = self.verifier.channels.values_mut();
        let channel = channels.find(|channel| channel.connection == connection);
        let open = channel.and_then(|channel| channel.open.remove(&id));
        clause!(SM_093);
        match open {
            Some(open) => self.one_answer(open.door, refusal, turn),
            None => self.misbehaved(connection, "an answer that nobody waits for", turn),
        }
    }

    /// One of the answers for which a client waits is here. The client hears the first refusal, or that
    /// nothing speaks against its recipient.
    pub(super) fn one_answer(
        &mut self,
        Door { client, turn: of }: Door,
        refusal: Option<Refusal>,
        turn: &mut Turn<'_, '_>,
    ) {
        clause!(SM_093);
        let waiting = self.verifier.waiting.get_mut(&client).filter(|waiting| waiting.turn == of);
        let Some(waiting) = waiting else { return };
        waiting.answers -= 1;
        if refusal.is_none() && waiting.answers > 0 {
            return;
        }
        self.candidate_gone(client, turn);
        turn.say(client, refusal.map_or(Pdu::Ok, Pdu::Refused));
    }

    /// Nobody waits at the door on this connection any more.
    pub(crate) fn candidate_gone(&mut self, client: ConnectionId, turn: &mut Turn<'_, '_>) {
        if self.verifier.waiting.remove(&client).is_some() {
            turn.disarm(Timer::Verify(client));
        }
    }

    /// A client has waited long enough: the hosts that have not answered are given up, and with them all
    /// that is asked of them.
    pub(crate) fn verified_too_late(&mut self, client: ConnectionId, turn: &mut Turn<'_, '_>) {
        clause!(SM_092);
        let Some(waiting) = self.verifier.waiting.get(&client) else { return };
        let door = Door { client, turn: waiting.turn };
        let channels = self.verifier.channels.values();
        let late = channels.filter(|channel| channel.open.values().any(|o| o.door == door));
        let late: Vec<ConnectionId> = late.map(|channel| channel.connection).collect();
        for connection in late {
            self.hang_up(connection, turn);
        }
        // What this member has to say itself may be late, too.
        while self.verifier.waiting.contains_key(&client) {
            self.one_answer(door, None, turn);
        }
    }

    /// The connection to a host is gone: what was asked is answered by the organization's file.
    pub(crate) fn host_lost(&mut self, host: &MemberName, turn: &mut Turn<'_, '_>) {
        let Some(channel) = self.verifier.channels.remove(host) else { return };
        if channel.open.is_empty() {
            return;
        }
        clause!(SM_092);
        turn.tell(Event::Unverified { host: host.clone() });
        self.verifier.mute.insert(host.clone());
        turn.arm(Timer::Consult(host.clone()), CONSULT_PAUSE);
        for open in channel.open.into_values() {
            self.one_answer(open.door, open.filed, turn);
        }
    }

    /// A host that did not answer may be asked again.
    pub(crate) fn may_consult_again(&mut self, host: &MemberName) {
        self.verifier.mute.remove(host);
    }
}
