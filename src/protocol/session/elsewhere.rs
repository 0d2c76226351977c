//! Whose a recipient on the delivery port is, by the organization's file.

use super::talk::Talk;
use crate::clause;
use crate::protocol::organization::Account;
use crate::wire::deliver::Ownership;
use crate::wire::ids::Epoch;
use crate::wire::message::{Address, Refusal};

/// Why a recipient is not for this member.
pub(super) enum Elsewhere {
    /// It is refused.
    Refused(Refusal),
    /// The account is open there.
    Moved(Ownership),
}

/// Whether the account is open on this member, by the organization's file. Custody knows more, and has
/// the last word; but what the file gives to others need not come in.
pub(super) fn is_open_here(
    talk: &Talk<'_>,
    address: &Address,
    epoch: Epoch,
) -> Result<(), Elsewhere> {
    let config = talk.config;
    let organization = &config.organization;
    let refused = |code, status, text| Err(Elsewhere::Refused(Refusal::new(code, status, text)));
    let account = organization.account(address);
    let own = organization.group_of(&config.member).map(|group| &group.name);
    if account.is_some_and(|account| account.is_leased() && account.group.as_ref() == own) {
        clause!(DE_104);
        return Ok(());
    }
    match account.map(Account::ownership) {
        Some(Some(owner)) if owner.member == config.member => Ok(()),
        Some(Some(owner)) if owner.epoch > epoch => {
            clause!(DE_041);
            Err(Elsewhere::Moved(owner))
        }
        Some(_) => {
            clause!(SM_078);
            refused(450, "4.2.1", "the account is not open on this member")
        }
        None if organization.is_local_domain(address.domain()) && !(talk.knows_the_list)() => {
            clause!(DE_042);
            refused(450, "4.1.1", "the account is not known here yet")
        }
        None if organization.is_local_domain(address.domain()) => {
            clause!(SM_078);
            refused(550, "5.1.1", "no such account")
        }
        None => refused(450, "4.1.2", "no domain of this organization"),
    }
}
