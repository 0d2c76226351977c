//! `route`: where a message goes, and why not elsewhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::cluster::Plan;
use super::exits::Outside;
use super::table::{field, items, row, table};
use super::whom::Whom;
use super::{failed, refused};
use crate::clause;
use crate::kernel::{Span, Time};
use crate::protocol::linkstate::explain::{Candidate, Explanation, configured, explain, why_none};
use crate::protocol::linkstate::{ConnectorState, Priority, Record, SenderId, Table, Traits};
use crate::protocol::organization::{Organization, wait_of};
use crate::protocol::session::date;
use crate::server::configuration::{load_organization, report};
use crate::wire::header;
use crate::wire::ids::{ConnectorName, GroupName, MemberName};
use crate::wire::message::{Address, Field};
use crate::wire::restrictions::NULL_SENDER;
use crate::wire::smtp::decode_address;

/// The version of what `--json` prints.
const ROUTE_FORMAT: u32 = 1;

/// What is asked.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The group where the message is, or a member of it
    from: String,
    /// The group where it is to go, or an address; mail for an address outside goes to an exit
    to: String,
    /// How large it is, in octets; without --message, 1
    #[arg(long, value_name = "OCTETS")]
    size: Option<u64>,
    /// low, normal or high; without --message, normal
    #[arg(long, value_parser = priority)]
    priority: Option<Priority>,
    /// Who sends it; `<>` is the null sender. Without --message, somebody whom no connector names
    #[arg(long, value_name = "ADDRESS")]
    sender: Option<String>,
    /// Take size, priority and sender from this message, as far as they are not given
    #[arg(long, value_name = "FILE")]
    message: Option<PathBuf>,
    /// Route by this organization.toml, with every connector UP, instead of asking a running member
    #[arg(long, value_name = "FILE", conflicts_with_all = ["member", "socket"])]
    organization: Option<PathBuf>,
    /// As if this connector were DOWN (may be repeated)
    #[arg(long, value_name = "CONNECTOR")]
    down: Vec<String>,
    #[command(flatten)]
    whom: Whom,
}

/// What routes: the table, and what is known of the organization beside it.
struct Ground {
    table: Table,
    organization: Option<Organization>,
    clock: Clock,
}

/// By which clock the schedules are read.
#[derive(Clone, Copy, Debug)]
enum Clock {
    /// That of the member which was asked, at the time of its answer: a cluster may run on a time of its own.
    Member(Time),
    /// That of this machine.
    Here,
}

impl Clock {
    fn now(self) -> Time {
        match self {
            Self::Member(now) => now,
            Self::Here => {
                let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Time(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX))
            }
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Member(_) => "member",
            Self::Here => "here",
        }
    }

    /// What is said behind a time of this clock.
    const fn said(self) -> &'static str {
        match self {
            Self::Member(_) => "",
            Self::Here => ", by this machine's clock",
        }
    }
}

/// Why there is no answer.
enum Problem {
    /// The arguments are wrong.
    Usage(String),
    /// There is no route.
    NoRoute(String),
}

type Answer<T> = Result<T, Problem>;

fn priority(text: &str) -> Result<Priority, String> {
    Priority::named(text).ok_or_else(|| "expected low, normal or high".into())
}

/// Runs the command: 0 for a route, 1 for none, 2 for wrong arguments.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match answer(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Problem::NoRoute(problem)) => failed(&problem),
        Err(Problem::Usage(problem)) => refused(&problem),
    }
}

fn answer(arguments: &Arguments) -> Answer<()> {
    let traits = traits(arguments)?;
    let mut ground = ground(arguments)?;
    for name in &arguments.down {
        ground.table = without(&ground.table, name)?;
    }
    let from = ground.group(&arguments.from)?;
    let to = match ground.outside(&arguments.to, &from, &traits)? {
        Some(outside) => return leave(arguments, &ground, &from, &traits, &outside),
        None => ground.group(&arguments.to)?,
    };
    for group in [&from, &to] {
        ground.expect(group)?;
    }
    if from == to {
        let shown = json!({"format": ROUTE_FORMAT, "from": from, "to": to, "cost": 0, "path": [], "candidates": []});
        arguments.show(shown, &format!("it is in {to} already"));
        return Ok(());
    }
    let explanation = ground.explain(&from, &to, &traits);
    let waits = ground.waits(&explanation);
    let mut shown = json!(explanation);
    shown["format"] = json!(ROUTE_FORMAT);
    if !waits.is_empty() {
        shown["waits"] = json!(waits);
        shown["clock"] = json!(ground.clock.name());
    }
    arguments.show(shown, &format!("{}{}", text(&explanation), text_of(&waits, ground.clock)));
    match explanation.cost {
        Some(_) => Ok(()),
        None => {
            let why = why_none(&ground.table, (&from, &to), &traits);
            Err(Problem::NoRoute(format!("{why}: the mail waits in {from}")))
        }
    }
}

/// Shows by which exit a message leaves, and the way to it.
fn leave(
    arguments: &Arguments,
    ground: &Ground,
    from: &GroupName,
    traits: &Traits,
    outside: &Outside,
) -> Answer<()> {
    ground.expect(from)?;
    let to = outside.to.as_ref().filter(|to| *to != from);
    let explanation = to.map(|to| ground.explain(from, to, traits));
    let waits = explanation.as_ref().map(|e| ground.waits(e)).unwrap_or_default();
    let mut shown = outside.json(explanation.as_ref().map(|explanation| json!(explanation)));
    shown["format"] = json!(ROUTE_FORMAT);
    if !waits.is_empty() {
        shown["waits"] = json!(waits);
        shown["clock"] = json!(ground.clock.name());
    }
    let route = explanation.as_ref().map(text).unwrap_or_default();
    arguments.show(shown, &format!("{}{route}{}", outside.text(), text_of(&waits, ground.clock)));
    match &outside.problem {
        Some(problem) => Err(Problem::NoRoute(problem.clone())),
        None => Ok(()),
    }
}

impl Arguments {
    fn show(&self, json: serde_json::Value, text: &str) {
        if self.whom.json {
            say!("{json}");
        } else {
            say!("{}", text.trim_end());
        }
    }
}

/// A connector of a route that carries no mail when the message would come to it.
#[derive(Serialize)]
struct Wait {
    connector: ConnectorName,
    until: String,
}

fn text_of(waits: &[Wait], clock: Clock) -> String {
    let line = |Wait { connector, until }: &Wait| {
        let clock = clock.said();
        format!("  waits for the schedule of {connector} until {until}{clock}\n")
    };
    waits.iter().map(line).collect()
}

/// What of the message the connectors look at.
fn traits(arguments: &Arguments) -> Answer<Traits> {
    let mut traits = Traits { octets: 1, ..Traits::default() };
    let mut sender = None;
    if let Some(path) = &arguments.message {
        let message = fs::read(path)
            .map_err(|error| Problem::Usage(format!("{}: {error}", path.display())))?;
        let fields = header::fields(&message);
        (traits.octets, traits.priority) = (transferred(&message), Priority::of(&fields));
        sender = envelope_sender(&fields);
    }
    traits.octets = arguments.size.unwrap_or(traits.octets);
    traits.priority = arguments.priority.unwrap_or(traits.priority);
    let Some(sender) = arguments.sender.clone().or(sender) else { return Ok(traits) };
    if sender == NULL_SENDER {
        return Ok(Traits { senders: vec![SenderId::of(NULL_SENDER)], ..traits });
    }
    if !sender.contains('@') {
        return Err(Problem::Usage(format!("--sender `{sender}`: expected an address or `<>`")));
    }
    Ok(Traits::new(traits.octets, traits.priority, Some(&Address::from(sender.as_str()))))
}

/// The octets of a message on the wire, where every line ends with CRLF.
fn transferred(message: &[u8]) -> u64 {
    let ends = message.iter().filter(|octet| **octet == b'\n').count();
    let whole = message.windows(2).filter(|pair| *pair == b"\r\n").count();
    u64::try_from(message.len() + ends - whole).unwrap_or(u64::MAX)
}

/// The sender of a stored message: its `Return-Path`, or else who it is from.
fn envelope_sender(fields: &[Field]) -> Option<String> {
    let of = |name: &str| fields.iter().find(|field| field.is(name));
    let value = of("Return-Path").or_else(|| of("From"))?.value.trim();
    let inside = value.rsplit_once('<').and_then(|(_, rest)| rest.split_once('>'));
    let address = inside.map_or(value, |(address, _)| address.trim());
    Some(if address.is_empty() { NULL_SENDER.into() } else { address.into() })
}

fn read(path: &Path) -> Answer<Organization> {
    load_organization(path).map_err(|errors| Problem::Usage(report(&errors)))
}

/// The table of a file, or of a running member.
fn ground(arguments: &Arguments) -> Answer<Ground> {
    if let Some(path) = &arguments.organization {
        let organization = read(path)?;
        let table = configured(&organization);
        return Ok(Ground { table, organization: Some(organization), clock: Clock::Here });
    }
    let whom = &arguments.whom;
    let directory = whom.cluster();
    let organization = directory.map(|dir| read(&Plan::organization_file(dir))).transpose()?;
    let known = |organization: &Organization| member_of(organization, &arguments.from);
    let asked = organization.as_ref().and_then(known).filter(|_| !whom.is_one());
    let is_asked = |name: &str| asked.as_ref().is_none_or(|member| member.as_str() == name);
    let answers = whom.ask(|name| is_asked(name).then(|| json!({"op": "linkstate"})));
    let answers = answers.map_err(Problem::Usage)?;
    let Some(answer) = answers.members.values().next() else {
        return Err(Problem::NoRoute(answers.problems.join("\n")));
    };
    let records = items(answer, "records").iter().cloned();
    let records: Result<Vec<Record>, _> = records.map(serde_json::from_value).collect();
    let records = records.map_err(|error| Problem::NoRoute(format!("the answer: {error}")))?;
    let clock = field(answer, "time").as_u64().map_or(Clock::Here, |now| Clock::Member(Time(now)));
    Ok(Ground { table: Table::new(records), organization, clock })
}

/// A member of the group that is meant, or the member that is.
fn member_of(organization: &Organization, meant: &str) -> Option<MemberName> {
    let member = MemberName::from(meant);
    if organization.group_of(&member).is_some() {
        return Some(member);
    }
    organization.group(&GroupName::from(meant))?.members.first().cloned()
}

impl Ground {
    fn expect(&self, group: &GroupName) -> Answer<()> {
        let is_buried = || self.table.records().any(|record| record.group == *group);
        let problem = || match is_buried() {
            true => format!("`{group}` is buried: the mail waits"),
            false => format!("no record of `{group}` is known: the mail waits"),
        };
        let known = self.table.get(group).map(|_| ());
        known.ok_or_else(|| Problem::NoRoute(problem()))
    }

    fn explain(&self, from: &GroupName, to: &GroupName, traits: &Traits) -> Explanation {
        let spread = self.organization.as_ref().is_some_and(|o| o.link_state.spread);
        explain(&self.table, (from, to), traits, spread)
    }

    /// Where a message that sets out now waits for its way, if nothing else takes time.
    fn waits(&self, explanation: &Explanation) -> Vec<Wait> {
        clause!(SV_101);
        let Some(organization) = &self.organization else { return Vec::new() };
        let mut now = self.clock.now();
        let mut waits = Vec::new();
        for step in &explanation.path {
            let schedule = organization.connector(&step.connector).map(|c| &c.schedule[..]);
            let wait = wait_of(schedule.unwrap_or_default(), now);
            if wait > Span::ZERO {
                now = now + wait;
                waits.push(Wait { connector: step.connector.clone(), until: date(now) });
            }
        }
        waits
    }

    /// What becomes of mail for an address that the organization does not host; `None` for everything else.
    fn outside(&self, meant: &str, from: &GroupName, traits: &Traits) -> Answer<Option<Outside>> {
        let address = Address::from(meant);
        let organization = self.organization.as_ref().filter(|_| meant.contains('@'));
        let Some(organization) = organization.filter(|o| o.is_foreign(&address)) else {
            return Ok(None);
        };
        if decode_address(meant).is_err() {
            return Err(Problem::Usage(format!("`{meant}` is no address")));
        }
        let way = (from, address.domain());
        Ok(Some(Outside::of(&self.table, organization, way, traits)))
    }

    /// The group that is meant by a name, by one of its members, or by an account.
    fn group(&self, meant: &str) -> Answer<GroupName> {
        let name = GroupName::from(meant);
        if self.table.get(&name).is_some() {
            return Ok(name);
        }
        let Some(organization) = &self.organization else {
            return match meant.contains('@') {
                true => Err(Problem::Usage(format!(
                    "`{meant}`: a single server is asked of groups only"
                ))),
                false => Ok(name),
            };
        };
        let found = if meant.contains('@') {
            let account = organization.account(&Address::from(meant));
            account.and_then(|account| organization.group_of_account(account))
        } else {
            organization.group(&name).or_else(|| organization.group_of(&MemberName::from(meant)))
        };
        let found = found.map(|group| group.name.clone());
        let expected = "no group, no member and no account of the organization";
        found.ok_or_else(|| Problem::Usage(format!("`{meant}` is {expected}")))
    }
}

/// The table as if a connector were DOWN.
fn without(known: &Table, name: &str) -> Answer<Table> {
    let mut is_found = false;
    let records = known.records().map(|record| {
        let mut record = Record::clone(record);
        for connector in record.connectors.iter_mut().filter(|c| c.name.as_str() == name) {
            connector.state = ConnectorState::Down;
            is_found = true;
        }
        record
    });
    let table = Table::new(records);
    is_found
        .then_some(table)
        .ok_or_else(|| Problem::Usage(format!("--down: there is no connector `{name}`")))
}

fn text(explanation: &Explanation) -> String {
    let Explanation { from, to, cost, path, candidates } = explanation;
    let mut text = match cost {
        Some(cost) => {
            let steps = path.iter().map(|step| format!("{} ({})", step.connector, step.cost));
            let steps: Vec<_> = steps.collect();
            format!("{from} to {to}: {}, cost {cost}\n", steps.join(", "))
        }
        None => format!("{from} to {to}: no route, the cost is infinite\n"),
    };
    let mut rows = vec![row([&"CONNECTOR", &"TO", &"COST", &"TOTAL", &"HOPS", &"VERDICT"])];
    let number = |number: Option<u64>| number.map_or_else(|| "-".into(), |n: u64| n.to_string());
    rows.extend(candidates.iter().map(|candidate| {
        let Candidate { connector, to, cost, total, hops, verdict } = candidate;
        let hops = number(hops.map(u64::from));
        row([connector, to, cost, &number(*total), &hops, &verdict.to_string()])
    }));
    for line in table(&rows).lines() {
        text.push_str(&format!("  {line}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::linkstate::Barrier;
    use crate::protocol::linkstate::explain::{Closed, Verdict};

    #[test]
    fn a_message_tells_size_priority_and_sender() {
        let fields = header::fields(b"Return-Path: <ann@a.example>\nFrom: bob@b.example\n\nhi\n");
        assert_eq!(envelope_sender(&fields).as_deref(), Some("ann@a.example"));
        let fields = header::fields(b"Return-Path: <>\nFrom: bob@b.example\n");
        assert_eq!(envelope_sender(&fields).as_deref(), Some("<>"));
        let fields = header::fields(b"From: \"Bob <B>\" <bob@b.example>\n");
        assert_eq!(envelope_sender(&fields).as_deref(), Some("bob@b.example"));
        assert_eq!(envelope_sender(&[]), None);
        assert_eq!(transferred(b"a\nb\r\n"), 6);
    }

    #[test]
    fn every_verdict_has_its_words() {
        let closed = |connector: &str, barrier| Closed { connector: connector.into(), barrier };
        let four = [None, Some(Barrier::Priority), Some(Barrier::Sender), None];
        let four = four.into_iter().map(|barrier| closed("c", barrier)).collect();
        let words = Verdict::NoWayOn(four).to_string();
        let expected =
            "closed behind it: c DOWN, c not for this priority, c not for this sender and 1 more";
        assert_eq!(words, expected);
        assert_eq!(Verdict::NoWayOn(vec![]).to_string(), "leads no further");
        assert_eq!(
            Verdict::Barred(Barrier::TooLarge(9)).to_string(),
            "too large, at most 9 octets"
        );
    }
}
