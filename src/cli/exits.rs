//! `route` to an address outside: by which exit mail leaves the organization, and why by no other.

use serde_json::{Value, json};

use super::table::{row, table};
use crate::protocol::linkstate::exits::{
    Choice, ExitCandidate, ExitExplanation, ExitVerdict, explain_exits, unknown_exit, why_no_exit,
};
use crate::protocol::linkstate::{Table, Traits};
use crate::protocol::organization::Organization;
use crate::wire::exits::Specificity;
use crate::wire::ids::GroupName;

/// What becomes of mail for a domain outside.
pub(super) struct Outside {
    explanation: ExitExplanation,
    from: GroupName,
    domain: String,
    /// The group of the exit, if there is one.
    pub(super) to: Option<GroupName>,
    /// Where it goes without an exit.
    smart_host: Option<String>,
    /// Why it goes nowhere.
    pub(super) problem: Option<String>,
}

impl Outside {
    /// By the table, and by what the file says beside it.
    pub(super) fn of(
        known: &Table,
        organization: &Organization,
        (from, domain): (&GroupName, &str),
        traits: &Traits,
    ) -> Self {
        let explanation = explain_exits(known, from, domain, traits);
        let file = (organization, from);
        let unknown = unknown_exit(known, file, domain, traits, explanation.best);
        let smart_host = organization.smart_host.clone();
        let waits = |why: String| Some(format!("{why}: the mail waits in {from}"));
        let (mut to, mut problem) = (None, None);
        match (&explanation.choice, &unknown) {
            (_, Some((group, exit))) => {
                problem = waits(format!("nothing is known of {group}, which has the exit {exit}"));
            }
            (Choice::Exit { group, .. }, None) => to = Some(group.clone()),
            (Choice::Barred | Choice::None, None) if smart_host.is_some() => {}
            (Choice::Infinite | Choice::Barred, None) => {
                problem = waits(why_no_exit(known, from, domain, traits).to_string());
            }
            (Choice::None, None) => {
                problem = Some(format!("there is no way out to {domain}: 550 5.7.1"));
            }
        }
        let smart_host = smart_host.filter(|_| to.is_none() && problem.is_none());
        let (from, domain) = (from.clone(), String::from(domain));
        Self { explanation, from, domain, to, smart_host, problem }
    }

    /// Adds the exits to what is shown of the route to the group of the one that is chosen.
    pub(super) fn json(&self, route: Option<Value>) -> Value {
        let none = || json!({"from": self.from, "to": Value::Null, "cost": Value::Null, "path": [], "candidates": []});
        let mut shown = route.unwrap_or_else(none);
        shown["domain"] = json!(self.domain);
        shown["exits"] = json!(self.explanation.candidates);
        shown["smart_host"] = json!(self.smart_host);
        shown
    }

    /// In words; the route to the group of the exit follows.
    pub(super) fn text(&self) -> String {
        let Self { explanation, from, domain, smart_host, .. } = self;
        let chosen = explanation.candidates.iter().find(|c| c.verdict == ExitVerdict::Chosen);
        let mut text = match (chosen.filter(|_| self.to.is_some()), smart_host) {
            (Some(ExitCandidate { group, exit, total: Some(total), .. }), _) => {
                format!("{from} to {domain}: out by {exit} of {group}, cost {total}\n")
            }
            (_, Some(host)) => format!("{from} to {domain}: no exit, out to {host} at once\n"),
            _ => format!("{from} to {domain}: no way out\n"),
        };
        let mut rows =
            vec![row([&"EXIT", &"GROUP", &"FIT", &"COST", &"TOTAL", &"HOPS", &"VERDICT"])];
        let number = |number: Option<u64>| number.map_or_else(|| "-".into(), |n| n.to_string());
        rows.extend(explanation.candidates.iter().map(|candidate| {
            let ExitCandidate { group, exit, fit, cost, total, hops, .. } = candidate;
            let (total, hops) = (number(*total), number(hops.map(u64::from)));
            row([exit, group, &fitting(*fit), cost, &total, &hops, &candidate.in_words()])
        }));
        if rows.len() > 1 {
            for line in table(&rows).lines() {
                text.push_str(&format!("  {line}\n"));
            }
        }
        text
    }
}

const fn fitting(fit: Option<Specificity>) -> &'static str {
    match fit {
        None => "-",
        Some(Specificity::All) => "*",
        Some(Specificity::Below(_)) => "below",
        Some(Specificity::Exact) => "exact",
    }
}
