//! Whom an automatic reply may go to (RFC 3834 section 2).

use super::addresses::addresses;
use crate::clause;
use crate::wire::message::{Address, Field};

/// Local parts behind which no person reads, and the beginnings and ends of such.
const MACHINES: [&str; 3] = ["mailer-daemon", "listserv", "majordomo"];
const MACHINE_BEGINNINGS: [&str; 2] = ["owner-", "noreply"];
const MACHINE_ENDS: [&str; 2] = ["-request", "-owner"];

/// Whether the account that got this message may answer its sender by a machine.
#[must_use]
pub fn may_reply(account: &Address, sender: Option<&Address>, header: &[Field]) -> bool {
    clause!(RU_031);
    let Some(sender) = sender else { return false };
    let is_itself = sender.0.eq_ignore_ascii_case(&account.0);
    let is_named = header.iter().filter(|field| names_readers(field)).any(|field| {
        addresses(&field.value).iter().any(|reader| reader.eq_ignore_ascii_case(&account.0))
    });
    !is_itself && is_named && !is_machine(sender.local()) && !header.iter().any(is_automatic)
}

fn names_readers(field: &Field) -> bool {
    ["To", "Cc", "Resent-To", "Resent-Cc"].iter().any(|name| field.is(name))
}

fn is_machine(local: &str) -> bool {
    let local = local.to_ascii_lowercase();
    MACHINES.contains(&local.as_str())
        || MACHINE_BEGINNINGS.iter().any(|beginning| local.starts_with(beginning))
        || MACHINE_ENDS.iter().any(|end| local.ends_with(end))
}

/// Whether a field says that the message comes from a machine or from a list.
fn is_automatic(field: &Field) -> bool {
    let value = field.value.to_ascii_lowercase();
    if field.is("Auto-Submitted") {
        // A comment or a parameter may follow the keyword.
        return value.split([';', '(', ' ']).next() != Some("no");
    }
    if field.is("Precedence") {
        return ["bulk", "list", "junk"].contains(&value.trim());
    }
    field.is("X-Auto-Response-Suppress") || field.name.to_ascii_lowercase().starts_with("list-")
}
