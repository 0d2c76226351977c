//! From facts to a verdict.

use alloc::string::String;
use alloc::vec::Vec;

use super::addresses::addresses;
use super::encoded::decoded;
use super::pattern::{contains, fits, positive};
use super::{Action, Condition, Data, Facts, Operation, Rule, Vacation, Verdict};
use crate::clause;
use crate::wire::message::{Address, Field};

/// What `rules` make of a message, in their order.
pub fn evaluate<'r>(rules: impl IntoIterator<Item = &'r Rule>, facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    for rule in rules {
        if !rule.when.iter().all(|condition| holds(condition, facts)) {
            continue;
        }
        clause!(RU_001);
        verdict.applied.push(rule.name.clone());
        for action in &rule.then {
            if act(action, &mut verdict) == Next::Stop {
                return verdict;
            }
        }
    }
    verdict
}

/// Whether rules and actions after this one are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    Stop,
}

fn act(action: &Action, verdict: &mut Verdict) -> Next {
    match action {
        Action::Store { folder } => verdict.folder = Some(folder.clone()),
        Action::Redirect { to } => add(&mut verdict.redirects, to),
        Action::Copy { to } => add(&mut verdict.copies, to),
        Action::AddHeader { field, value } => {
            verdict.fields.push(Field { name: field.clone(), value: value.clone() });
        }
        Action::Vacation { subject, text, days } => {
            let (subject, text, days) = (subject.clone(), text.clone(), *days);
            verdict.vacation.get_or_insert(Vacation { subject, text, days });
        }
        Action::Reject { text } => {
            clause!(RU_003);
            let applied = core::mem::take(&mut verdict.applied);
            *verdict = Verdict { applied, reject: Some(text.clone()), ..Verdict::default() };
            return Next::Stop;
        }
        Action::Discard {} => {
            verdict.discard = true;
            return Next::Stop;
        }
        Action::Stop {} => return Next::Stop,
    }
    Next::GoOn
}

fn add(all: &mut Vec<Address>, more: &[Address]) {
    for address in more {
        let address = Address::from(address.0.as_str());
        if !all.contains(&address) {
            all.push(address);
        }
    }
}

fn holds(condition: &Condition, facts: &Facts<'_>) -> bool {
    clause!(RU_002);
    match condition.data {
        Data::Size => size(condition, facts.octets),
        Data::ReturnPath => one(condition, facts.sender.map_or("", |sender| sender.0.as_str())),
        Data::AnyRecipient => facts.recipients.iter().any(|to| one(condition, &to.0)),
        Data::EachRecipient => facts.recipients.iter().all(|to| one(condition, &to.0)),
        Data::Source => one(condition, facts.source.as_str()),
        Data::From => of_header(condition, facts, "From", addresses),
        Data::Sender => of_header(condition, facts, "Sender", addresses),
        Data::ReplyTo => of_header(condition, facts, "Reply-To", addresses),
        Data::To => of_header(condition, facts, "To", addresses),
        Data::Cc => of_header(condition, facts, "Cc", addresses),
        Data::Subject => of_header(condition, facts, "Subject", whole),
        Data::MessageId => of_header(condition, facts, "Message-ID", whole),
        Data::Header => {
            let name = condition.field.as_deref().unwrap_or_default();
            of_header(condition, facts, name, whole)
        }
    }
}

fn whole(value: &str) -> Vec<String> {
    alloc::vec![decoded(value)]
}

/// Some value of the fields of this name satisfies the condition; or, where it denies, none the
/// opposite, and so also when there is no such field.
fn of_header(
    condition: &Condition,
    facts: &Facts<'_>,
    name: &str,
    values: fn(&str) -> Vec<String>,
) -> bool {
    let (operation, denied) = positive(condition.operation);
    let mut fields = facts.header.iter().filter(|field| field.is(name));
    let found = fields
        .any(|field| values(&field.value).iter().any(|value| compare(condition, operation, value)));
    found != denied
}

/// Whether one text satisfies the condition.
fn one(condition: &Condition, text: &str) -> bool {
    let (operation, denied) = positive(condition.operation);
    compare(condition, operation, text) != denied
}

fn compare(condition: &Condition, operation: Operation, text: &str) -> bool {
    let value = condition.value.as_deref().unwrap_or_default();
    match operation {
        Operation::Is => fits(text, value),
        Operation::In => condition.values.iter().any(|value| fits(text, value)),
        Operation::Contains => contains(text, value),
        // `positive` leaves no denial, and the check of the configuration no size.
        Operation::IsNot | Operation::NotIn | Operation::LessThan | Operation::GreaterThan => false,
    }
}

fn size(condition: &Condition, octets: u64) -> bool {
    let limit = condition.octets.unwrap_or_default();
    match condition.operation {
        Operation::LessThan => octets < limit,
        Operation::GreaterThan => octets > limit,
        _ => false,
    }
}
