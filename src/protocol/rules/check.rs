//! What can be wrong with rules.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use super::{Action, Condition, Data, Operation, Rule};
use crate::clause;
use crate::wire::header::is_field_name;
use crate::wire::message::Address;
use crate::wire::smtp::decode_address;

/// The most rules of one list.
pub const RULES_LIMIT: usize = 100;
/// The most conditions of one rule.
pub const CONDITIONS_LIMIT: usize = 50;
/// The most actions of one rule.
pub const ACTIONS_LIMIT: usize = 20;
/// The most addresses that the rules of one list send a message to.
pub const ADDRESSES_LIMIT: usize = 64;
/// The most values of one condition.
pub const VALUES_LIMIT: usize = 1_000;
/// The longest value of a condition or of a header field, name of a rule or folder, and refusal.
pub const VALUE_LIMIT_OCTETS: usize = 400;
/// The longest text of a reply.
pub const TEXT_LIMIT_OCTETS: usize = 16 * 1024;
/// For how many days the same sender can be left without another reply.
pub const VACATION_DAYS: RangeInclusive<u32> = 1..=365;

/// Where rules run: not everything can be said everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// At enqueue.
    Queue,
    /// At delivery, for one account.
    Account,
}

/// Everything that is wrong with a list, as place and problem, in the order of the file. `at` is the
/// place of the list, such as `account[2].rule`.
#[must_use]
pub fn check(rules: &[Rule], at: &str, kind: Kind) -> Vec<(String, String)> {
    clause!(RU_004);
    let mut check = Check { kind, wrong: Vec::new() };
    check.count(at, "rules", rules.len(), 0, RULES_LIMIT);
    for (place, rule) in rules.iter().enumerate() {
        check.rule(&format!("{at}[{place}]"), rule);
    }
    let actions = rules.iter().flat_map(|rule| &rule.then);
    let addresses: usize = actions.map(|action| targets(action).len()).sum();
    check.count(at, "addresses", addresses, 0, ADDRESSES_LIMIT);
    check.wrong
}

fn targets(action: &Action) -> &[Address] {
    match action {
        Action::Redirect { to } | Action::Copy { to } => to,
        _ => &[],
    }
}

struct Check {
    kind: Kind,
    wrong: Vec<(String, String)>,
}

impl Check {
    fn wrong(&mut self, at: impl Into<String>, problem: impl Into<String>) {
        self.wrong.push((at.into(), problem.into()));
    }

    fn count(&mut self, at: &str, what: &str, count: usize, least: usize, most: usize) {
        if !(least..=most).contains(&count) {
            self.wrong(at, format!("{count} {what}, expected {least} to {most}"));
        }
    }

    fn rule(&mut self, at: &str, rule: &Rule) {
        self.line(&format!("{at}.name"), &rule.name);
        self.count(&format!("{at}.when"), "conditions", rule.when.len(), 0, CONDITIONS_LIMIT);
        self.count(&format!("{at}.then"), "actions", rule.then.len(), 1, ACTIONS_LIMIT);
        for (place, condition) in rule.when.iter().enumerate() {
            self.condition(&format!("{at}.when[{place}]"), condition);
        }
        for (place, action) in rule.then.iter().enumerate() {
            self.action(&format!("{at}.then[{place}]"), action);
        }
    }

    fn condition(&mut self, at: &str, condition: &Condition) {
        let Condition { data, field, operation, value, values, octets } = condition;
        let is_size = matches!(operation, Operation::LessThan | Operation::GreaterThan);
        if is_size != (*data == Data::Size) {
            let problem =
                "`size` goes with `less-than` and `greater-than`, and they with nothing else";
            self.wrong(format!("{at}.operation"), problem);
        }
        let wants_values = matches!(operation, Operation::In | Operation::NotIn);
        let mut given = |name: &str, is_given: bool, is_wanted: bool| {
            if is_given != is_wanted {
                let problem = if is_wanted { "is missing" } else { "does not belong here" };
                self.wrong(format!("{at}.{name}"), problem);
            }
        };
        given("field", field.is_some(), *data == Data::Header);
        given("octets", octets.is_some(), is_size);
        given("values", !values.is_empty(), wants_values);
        given("value", value.is_some(), !wants_values && !is_size);
        if field.as_ref().is_some_and(|name| !is_field_name(name)) {
            self.wrong(format!("{at}.field"), "expected the name of a header field");
        }
        self.count(&format!("{at}.values"), "values", values.len(), 0, VALUES_LIMIT);
        for value in value.iter().chain(values).filter(|value| !value.is_empty()) {
            self.line(&format!("{at}.value"), value);
        }
        if *data == Data::Source {
            self.source(at, condition);
        }
    }

    fn source(&mut self, at: &str, condition: &Condition) {
        if self.kind == Kind::Account {
            self.wrong(format!("{at}.data"), "only queue rules know the source");
        }
        let known = |value: &String| matches!(value.as_str(), "internet" | "authenticated");
        if !condition.value.iter().chain(&condition.values).all(known) {
            self.wrong(format!("{at}.value"), "expected \"internet\" or \"authenticated\"");
        }
    }

    fn action(&mut self, at: &str, action: &Action) {
        if self.kind == Kind::Queue
            && matches!(action, Action::Store { .. } | Action::Vacation { .. })
        {
            self.wrong(at, "only the rules of an account can `store` and send a `vacation` reply");
        }
        match action {
            Action::Store { folder } => self.folder(&format!("{at}.folder"), folder),
            Action::Redirect { to } | Action::Copy { to } => {
                self.addresses(&format!("{at}.to"), to)
            }
            Action::Reject { text } => self.ascii(&format!("{at}.text"), text),
            Action::AddHeader { field, value } => {
                if !is_field_name(field) {
                    self.wrong(format!("{at}.field"), "expected the name of a header field");
                }
                self.ascii(&format!("{at}.value"), value);
            }
            Action::Vacation { subject, text, days } => {
                if let Some(subject) = subject {
                    self.line(&format!("{at}.subject"), subject);
                }
                if !VACATION_DAYS.contains(days) {
                    self.wrong(format!("{at}.days"), format!("is {days}, expected 1 to 365"));
                }
                self.octets(&format!("{at}.text"), text.len(), TEXT_LIMIT_OCTETS);
            }
            Action::Discard {} | Action::Stop {} => {}
        }
    }

    fn addresses(&mut self, at: &str, to: &[Address]) {
        if to.is_empty() {
            self.wrong(at, "is empty, expected at least one address");
        }
        for address in to {
            if let Err(error) = decode_address(&address.0) {
                self.wrong(at, format!("`{address}`: {error}"));
            } else if !address.0.is_ascii() {
                self.wrong(at, format!("`{address}`: expected an address of ASCII letters"));
            }
        }
    }

    /// A folder becomes the name of a directory, its levels separated by dots.
    fn folder(&mut self, at: &str, folder: &str) {
        self.octets(at, folder.len(), VALUE_LIMIT_OCTETS / 2);
        let is_level = |level: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || " -_".contains(c);
            !level.is_empty() && level.trim() == level && level.chars().all(fits)
        };
        if !folder.split('/').all(is_level) || folder.eq_ignore_ascii_case("inbox") {
            let expected = "expected letters, digits, spaces, `-` and `_`, levels separated by `/`";
            self.wrong(at, format!("`{folder}` is no folder, {expected}, and not the inbox"));
        }
    }

    fn line(&mut self, at: &str, text: &str) {
        self.octets(at, text.len(), VALUE_LIMIT_OCTETS);
        if text.chars().any(char::is_control) {
            self.wrong(at, "expected no control characters");
        }
    }

    fn ascii(&mut self, at: &str, text: &str) {
        self.octets(at, text.len(), VALUE_LIMIT_OCTETS);
        if !text.bytes().all(|octet| octet == b' ' || octet.is_ascii_graphic()) {
            self.wrong(at, "expected printable characters of ASCII");
        }
    }

    fn octets(&mut self, at: &str, octets: usize, most: usize) {
        if !(1..=most).contains(&octets) {
            self.wrong(at, format!("has {octets} octets, expected 1 to {most}"));
        }
    }
}
