//! `members`: the list of members as each member has it. `drain`: a member takes nothing more upon itself.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::queue::{answered, judged};
use super::refused;
use super::table::{field, items, plain, row, table};
use super::whom::Whom;
use crate::kernel::Span;
use crate::protocol::operator::Order;

/// Who drains, or no longer.
#[derive(Debug, Args)]
pub(super) struct Drain {
    /// End it
    #[arg(long)]
    off: bool,
    #[command(flatten)]
    whom: Whom,
}

/// Shows the list of members as each member has it.
///
/// Exit codes: 0 it is shown, 1 a member does not answer, 2 the arguments are wrong.
pub(super) fn show(whom: &Whom) -> ExitCode {
    whom.print(whom.ask(|_| Some(json!({"op": "members"}))), shown, |_| None)
}

/// Has a member drain, or ends that.
///
/// Exit codes: 0 it is done, 1 it is refused or the member does not answer, 2 the arguments are wrong.
pub(super) fn drain(Drain { off, whom }: &Drain) -> ExitCode {
    if !whom.is_one() {
        return refused("name one member: --member NAME or --socket PATH");
    }
    let order = Order::Drain { on: !off };
    whom.print(whom.ask(|_| Some(json!({"op": "order", "order": order}))), answered, judged)
}

fn shown(answer: &Value) -> String {
    let list = field(answer, "list");
    if list.is_null() {
        return "no list yet\n".into();
    }
    let term = field(list, "term");
    let group = field(list, "group");
    let whose = if field(list, "is_master") == true { "made" } else { "taken" };
    let stands = match field(list, "is_current") {
        Value::Bool(false) => {
            "\nNo master tells this member anything now: the list is the last that there was."
        }
        _ => "",
    };
    let head = format!(
        "list {} of term {} of {}, {whose} {} ago; the group speaks version {}{}{stands}\n",
        plain(field(list, "number")),
        plain(field(term, "counter")),
        plain(field(term, "member")),
        age(field(list, "age_us")),
        plain(field(group, "version")),
        with_features(group),
    );
    let mut rows = vec![row([
        &"MEMBER",
        &"ROLE",
        &"POLICY",
        &"WEIGHT",
        &"LOAD",
        &"STATE",
        &"VERSION",
        &"FEATURES",
        &"HEARD",
    ])];
    for member in items(list, "rows") {
        let (standing, spoken) = (field(member, "standing"), field(member, "spoken"));
        let features = plain(field(spoken, "features"));
        let is_own = field(member, "member") == field(answer, "member");
        let heard = match field(member, "heard_ago_us") {
            Value::Null if is_own => "itself".into(),
            Value::Null => "-".into(),
            span => format!("{} ago", age(span)),
        };
        rows.push(row([
            &plain(field(member, "member")),
            &plain(field(standing, "role")),
            &plain(field(standing, "policy")),
            &plain(field(standing, "weight")),
            &plain(field(standing, "load")),
            &plain(field(member, "presence")),
            &plain(field(spoken, "version")),
            &if features.is_empty() { "-" } else { features.as_str() },
            &heard,
        ]));
    }
    head + &table(&rows)
}

fn with_features(group: &Value) -> String {
    match plain(field(group, "features")).as_str() {
        "" => String::new(),
        features => format!(" with {features}"),
    }
}

/// A span in its two greatest units.
fn age(span: &Value) -> String {
    let Span(microseconds) = Span(span.as_u64().unwrap_or_default());
    let seconds = microseconds / 1_000_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {} min", minutes % 60),
        (days, hours, _) => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_their_two_greatest_units() {
        for (seconds, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min 0 s"),
            (3_599, "59 min 59 s"),
            (7_380, "2 h 3 min"),
            (90_000, "1 d 1 h"),
        ] {
            assert_eq!(age(&json!(Span::seconds(seconds))), expected);
        }
    }

    #[test]
    fn a_list_is_a_table() {
        let feature = json!({"version": 2, "features": ["loads"]});
        let standing =
            |role: Value| json!({"role": role, "policy": "local", "weight": 1, "load": 7});
        let answer = json!({"member": "rg1-a", "list": {
            "term": {"counter": 3, "member": "rg1-a", "nonce": 9}, "number": 4,
            "group": {"version": 1, "features": []}, "age_us": Span::seconds(61), "is_master": true,
            "is_current": false,
            "rows": [
                {"member": "rg1-a", "presence": "active", "standing": standing(Value::Null),
                 "spoken": feature, "heard_ago_us": null},
                {"member": "rg1-b", "presence": "away", "standing": standing(json!("backend")),
                 "spoken": null, "heard_ago_us": Span::minutes(7)},
            ],
        }});
        let expected = "\
list 4 of term 3 of rg1-a, made 1 min 1 s ago; the group speaks version 1
No master tells this member anything now: the list is the last that there was.
MEMBER  ROLE     POLICY  WEIGHT  LOAD  STATE   VERSION  FEATURES  HEARD
rg1-a   -        local   1       7     active  2        loads     itself
rg1-b   backend  local   1       7     away    -        -         7 min 0 s ago
";
        assert_eq!(shown(&answer), expected);
        assert_eq!(shown(&json!({"member": "rg1-a", "list": null})), "no list yet\n");
    }
}
