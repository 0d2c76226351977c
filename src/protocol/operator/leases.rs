//! The operator has a leased account released.

use alloc::format;
use alloc::string::String;

use super::{Item, Ordered};
use crate::clause;
use crate::protocol::member::{Member, OwnerSource, Turn};
use crate::wire::ids::MemberName;
use crate::wire::message::Address;

impl Member {
    /// Gives the account back, frees it as the master, or says who can.
    pub(super) fn order_release_of_account(
        &mut self,
        account: &Address,
        turn: &mut Turn<'_, '_>,
    ) -> Ordered {
        clause!(MA_105);
        let mut answer = Ordered::default();
        let filed = turn.config.organization.account(account);
        let Some(account) = filed.map(|filed| filed.address.clone()) else {
            answer.refused.push(Item::whole(&account.0, "no such account"));
            return answer;
        };
        if !turn.config.is_leased_here(&account) {
            let leased_in = filed.and_then(|filed| filed.group.as_ref());
            let text = leased_in.map_or_else(
                || "no master leases it: it has its host by the file".into(),
                |group| format!("the master of `{group}` leases it: ask a member of that group"),
            );
            answer.refused.push(Item::whole(&account.0, &text));
            return answer;
        }
        let report = self.owner_report(&account);
        let done = match (report.by, report.owner) {
            (OwnerSource::Lease, _) => {
                if !turn.fault("keeps-what-is-released") {
                    self.leave_account(account.clone());
                }
                Ok("is given back as soon as nothing is under way in it".into())
            }
            (OwnerSource::Master, Some(owner)) => {
                self.free_account(account.clone(), turn);
                Ok(format!("is free; {owner} loses it with its next request"))
            }
            (OwnerSource::Master, None) if self.has_freed(&account) => Ok("is free".into()),
            (OwnerSource::Master, None) => {
                Ok("is kept for nobody; who has it from an earlier master may ask for it still"
                    .into())
            }
            (_, owner) => Err(self.whom_to_ask(owner, turn)),
        };
        let (into, text) = match done {
            Ok(text) => (&mut answer.done, text),
            Err(text) => (&mut answer.refused, text),
        };
        into.push(Item::whole(&account.0, &text));
        answer
    }

    /// This member can release nothing: who can.
    fn whom_to_ask(&self, owner: Option<MemberName>, turn: &Turn<'_, '_>) -> String {
        let another = |member: &&MemberName| **member != turn.config.member;
        match (owner.as_ref().filter(another), self.landlord().filter(another)) {
            (Some(owner), Some(master)) if owner != master => {
                format!("{owner} has it, as far as is known: ask that one, or the master, {master}")
            }
            (Some(owner), _) => format!("{owner} has it, as far as is known: ask that one"),
            (None, Some(master)) => {
                format!("this member has it not: ask the master, {master}")
            }
            (None, None) => "this member has it not, and knows no master that it could name".into(),
        }
    }
}
