//! The host of accounts: what it says to whoever asks.

use super::Asker;
use crate::clause;
use crate::protocol::deliver::Grant;
use crate::protocol::member::{Answer, Member, MemberConfig, Pdu, Turn};
use crate::protocol::organization::{Account, Room};
use crate::protocol::queue::{Home, home};
use crate::protocol::rules::always_keep;
use crate::wire::ids::ConnectionId;
use crate::wire::message::{Address, Refusal};
use crate::wire::verify::{Question, VerifyPdu};

/// What a host says to a question.
pub(super) enum Judgement {
    /// Nothing speaks against it, as far as this member knows.
    Nothing,
    /// No.
    Refused(Refusal),
    /// It depends on the room that this account has for so many octets.
    Room(Address, u64),
}

impl Member {
    /// What this member knows of an account. Of those that it does not have open it knows nothing: their
    /// mail finds its way from the queue.
    pub(super) fn judge(&self, question: &Question, config: &MemberConfig) -> Judgement {
        clause!(SM_091);
        let (Question::Recipient { account, .. } | Question::Sender { account, .. }) = question;
        let is_local = config.organization.is_local_domain(account.domain());
        let account = match home(config, account) {
            Home::Account(account) => account,
            Home::Nobody(refusal) if is_local && self.knows_the_list(config) => {
                return match question {
                    Question::Recipient { .. } => Judgement::Refused(refusal),
                    Question::Sender { .. } => Judgement::Nothing,
                };
            }
            Home::Nobody(_) | Home::Foreign => return Judgement::Nothing,
        };
        let is_open = matches!(self.grant(&account, config), Some(Grant::Open(_)));
        let filed = config.organization.account(&account).filter(|_| is_open);
        let Some(filed) = filed else { return Judgement::Nothing };
        let refusal = match question {
            // Where the rules may keep nothing, only the delivery knows whether there has to be room.
            Question::Recipient { octets, .. }
                if filed.has_quota() && always_keep(&filed.rules) =>
            {
                clause!(DE_099);
                let room = || Judgement::Room(account.clone(), *octets);
                return filed.suspension().map_or_else(room, Judgement::Refused);
            }
            Question::Recipient { .. } => filed.suspension(),
            Question::Sender { octets, recipients, .. } => filed.send_limit(*octets, *recipients),
        };
        refusal.map_or(Judgement::Nothing, Judgement::Refused)
    }

    /// A member asks about an account.
    pub(crate) fn consulted(
        &mut self,
        from: ConnectionId,
        id: u32,
        question: &Question,
        turn: &mut Turn<'_, '_>,
    ) {
        match self.judge(question, turn.config) {
            Judgement::Nothing => answer(from, id, None, turn),
            Judgement::Refused(refusal) => answer(from, id, Some(refusal), turn),
            Judgement::Room(account, octets) => {
                // Whoever cannot look now lets the mail come; the delivery looks again.
                if !self.ask_room(Asker::Member(from, id), (account, octets), turn) {
                    answer(from, id, None, turn);
                }
            }
        }
    }

    /// The host of the files has counted, or could not.
    pub(crate) fn room_is_known(
        &mut self,
        asker: Asker,
        (account, octets): (&Address, u64),
        counted: &Answer,
        turn: &mut Turn<'_, '_>,
    ) {
        let filed: Option<&Account> = turn.config.organization.account(account);
        let refusal = match counted {
            Answer::Octets(used) => {
                let room = Room { used: *used, underway: 0 };
                filed.and_then(|filed| filed.overflow(octets, room))
            }
            _ => None,
        };
        match asker {
            Asker::Client(door) => self.one_answer(door, refusal, turn),
            Asker::Member(from, id) => answer(from, id, refusal, turn),
        }
    }
}

fn answer(to: ConnectionId, id: u32, refusal: Option<Refusal>, turn: &mut Turn<'_, '_>) {
    let pdu = match refusal {
        Some(refusal) => VerifyPdu::Refused { id, refusal },
        None => VerifyPdu::Verified { id },
    };
    turn.say(to, Pdu::Verify(pdu));
}
