//! Reads a trace, of the simulator or of the logs of members, into the story that is drawn.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use serde_json::Value;

use super::story::{Arrow, Column, Event, Kind, Story, Word};
use super::talks::{Talk, Unit, pairs};
use crate::kernel::TRACE_FORMAT;
use crate::wire::record::Version;

/// How a line of a trace begins, also where a log has put something before it.
const START: &str = "{\"format\":";
/// How many lines that are no trace may come in a row before a file counts as something else.
const FOREIGN_LIMIT: usize = 100_000;

/// A message that a member has in its custody.
#[derive(Clone, Debug, Default)]
struct Custody {
    origin: String,
    /// The connector that it waits for, since an attempt over it has failed.
    waits_for: Option<String>,
    /// When the table changed after that.
    changed: Option<u64>,
}

/// What happened at a node, before columns are known.
struct Happened {
    time: u64,
    node: String,
    kind: Kind,
    text: Vec<String>,
}

/// Reads line after line.
#[derive(Default)]
pub struct Reading {
    start: Option<u64>,
    foreign: usize,
    groups: BTreeMap<String, String>,
    nodes: BTreeSet<String>,
    talks: Vec<Talk>,
    /// The place of each connection that is open now, by its node and its name there.
    open: BTreeMap<(String, u64), usize>,
    happened: Vec<Happened>,
    custody: BTreeMap<(String, u64), Custody>,
    /// States of connectors as each node has them, to tell what a record changes.
    states: BTreeMap<(String, String), String>,
    /// When content left a node for another: the beginnings of hops.
    departures: Vec<(String, String, u64)>,
    /// Messages that came to a node, by origin.
    arrivals: Vec<(String, String, u64)>,
    hops: Vec<Hop>,
}

/// A hop of a message: whose, from where, to where.
struct Hop {
    origin: String,
    from: String,
    to: String,
    by: u64,
}

impl Reading {
    /// Takes a line.
    ///
    /// # Errors
    /// It is a line of a trace of another version, or of none at all for too long.
    pub fn line(&mut self, line: &str) -> Result<(), String> {
        let Some(step) = step_of(line) else {
            self.foreign += 1;
            if self.nodes.is_empty() && self.foreign > FOREIGN_LIMIT {
                return Err(format!("{FOREIGN_LIMIT} lines, and none of a trace"));
            }
            return Ok(());
        };
        if step["format"] != TRACE_FORMAT {
            return Err(format!("trace format {}, expected {TRACE_FORMAT}", step["format"]));
        }
        let (Some(time), Some(node)) = (step["time"].as_u64(), step["node"].as_str()) else {
            return Err(String::from("a line of a trace needs `time` and `node`"));
        };
        let start = *self.start.get_or_insert(time);
        self.start = Some(start.min(time));
        if step.get("happened").is_some() {
            self.in_the_world(time, node, &step["happened"]);
            return Ok(());
        }
        self.nodes.insert(String::from(node));
        self.input(time, node, &step["input"]);
        let effects = step["effects"].as_array().map_or(&[][..], Vec::as_slice);
        if effects.iter().any(|effect| !effect["write"]["boot"].is_null()) {
            self.open.retain(|(owner, _), _| owner != node);
            self.note(time, node, Kind::Life, Vec::from([String::from("starts")]));
        }
        effects.iter().for_each(|effect| self.effect(time, node, effect));
        Ok(())
    }

    /// The time of a line of a trace.
    #[must_use]
    pub fn time_of(line: &str) -> Option<u64> {
        step_of(line)?["time"].as_u64()
    }

    fn note(&mut self, time: u64, node: &str, kind: Kind, text: Vec<String>) {
        self.happened.push(Happened { time, node: String::from(node), kind, text });
    }

    /// What the simulator did to a link or a process.
    fn in_the_world(&mut self, time: u64, node: &str, happened: &Value) {
        let what = happened["what"].as_str().unwrap_or_default();
        let detail = happened["detail"].as_str().unwrap_or_default();
        let ends = detail.split_once(" -> ");
        let ends = ends.map(|(from, rest)| (from, rest.split(' ').next().unwrap_or(rest)));
        match (what, ends) {
            ("cut", Some((from, to))) => {
                self.note(time, from, Kind::Broken, Vec::from([format!("link to {to} cut")]));
            }
            ("heal", Some((from, to))) => {
                self.note(time, from, Kind::Healed, Vec::from([format!("link to {to} healed")]));
            }
            ("crash", _) => self.note(time, node, Kind::Life, Vec::from([String::from("killed")])),
            _ => {}
        }
    }

    fn input(&mut self, time: u64, node: &str, input: &Value) {
        let command = &input["Command"]["accepted"];
        if let Some(connection) = command["connection"].as_u64()
            && let Some(talk) = Talk::accepted(node, time, command)
        {
            self.begin(node, connection, talk);
        }
        if let Some(connection) = input["Link"]["peer"].as_u64() {
            let change = input["Link"]["change"].as_str().unwrap_or_default();
            self.link(time, node, connection, change);
        }
        if let Some(connection) = input["Pdu"]["from"].as_u64()
            && let Some(talk) = self.talk(node, connection)
            && let Some(unit) = Unit::of(&input["Pdu"]["pdu"])
        {
            talk.hears(time, &unit);
        }
    }

    fn begin(&mut self, node: &str, connection: u64, talk: Talk) {
        self.open.insert((String::from(node), connection), self.talks.len());
        self.talks.push(talk);
    }

    fn talk(&mut self, node: &str, connection: u64) -> Option<&mut Talk> {
        let place = *self.open.get(&(String::from(node), connection))?;
        self.talks.get_mut(place)
    }

    fn link(&mut self, time: u64, node: &str, connection: u64, change: &str) {
        let Some(talk) = self.talk(node, connection) else { return };
        if change == "Up" {
            talk.is_up = true;
            return;
        }
        let Some(connector) = talk.connector.clone() else { return };
        let far = talk.far.clone().unwrap_or_default();
        let (kind, what) = match (change, talk.has_news()) {
            ("Refused", _) => (Kind::Failed, "refused by"),
            ("TimedOut", _) => (Kind::Failed, "no answer from"),
            (_, false) => (Kind::Failed, "broken off by"),
            ("Lost", true) => (Kind::Broken, "lost to"),
            // A connection that ends in order after its news is no event.
            (_, true) => return,
        };
        self.note(time, node, kind, Vec::from([connector, format!("{what} {far}")]));
    }

    fn effect(&mut self, time: u64, node: &str, effect: &Value) {
        if let Some(peer) = effect["open"]["peer"].as_u64()
            && let Some(talk) = Talk::opened(node, time, &effect["open"]["endpoint"])
        {
            self.begin(node, peer, talk);
        }
        if let Some(to) = effect["send"]["to"].as_u64() {
            let pdu = &effect["send"]["pdu"];
            let departs = !pdu["content"].is_null();
            let Some(talk) = self.talk(node, to) else { return };
            if let Some(unit) = Unit::of(pdu) {
                talk.sends(time, &unit);
            }
            if departs && let Some(far) = talk.far.clone() {
                self.departures.push((String::from(node), far, time));
            }
        }
        if let Some(records) = effect["write"]["link"]["learnt"]["records"].as_array() {
            records.iter().for_each(|record| self.merged(time, node, record));
        }
        self.event(time, node, &effect["event"]);
    }

    /// A record is stored: by the master that wrote it, or by whoever was told.
    fn merged(&mut self, time: u64, node: &str, record: &Value) {
        let group = record["group"].as_str().unwrap_or_default();
        let members = record["members"].as_array().map_or(&[][..], Vec::as_slice);
        for member in members.iter().filter_map(|member| member[0].as_str()) {
            self.groups.insert(String::from(member), String::from(group));
        }
        let version: Option<Version> = serde_json::from_value(record["version"].clone()).ok();
        let is_own = version.as_ref().is_some_and(|v| v.term.member.as_str() == node);
        let version = version.map(|version| version.to_string()).unwrap_or_default();
        let kind = if is_own { Kind::Published } else { Kind::Merged };
        let mut text = Vec::from([format!("{} {group} {version}", kind.words())]);
        let connectors = record["connectors"].as_array().map_or(&[][..], Vec::as_slice);
        for connector in connectors {
            let (name, state) = (connector["name"].as_str(), connector["state"].as_str());
            let (Some(name), Some(state)) = (name, state) else { continue };
            let key = (String::from(node), String::from(name));
            let before = self.states.insert(key, String::from(state));
            if before.map_or(state != "UP", |before| before != state) {
                text.push(format!("{name} {state}"));
            }
        }
        self.note(time, node, kind, text);
    }

    fn event(&mut self, time: u64, node: &str, event: &Value) {
        match event["link"].as_str() {
            Some("table_changed") => {
                return self.note(
                    time,
                    node,
                    Kind::TableChanged,
                    Vec::from(["table changed".into()]),
                );
            }
            Some("routes_computed") => return self.routes_computed(time, node),
            _ => {}
        }
        let Some((name, told)) = event.as_object().and_then(|fields| fields.iter().next()) else {
            return;
        };
        let queue = told["queue"].as_u64();
        match (name.as_str(), queue) {
            ("session", _) => {
                let connection = told["connection"].as_u64();
                let far = told["event"]["proved"].as_str();
                if let (Some(connection), Some(far)) = (connection, far)
                    && let Some(talk) = self.talk(node, connection)
                {
                    talk.far.get_or_insert_with(|| String::from(far));
                }
            }
            ("link", _) => self.link_event(time, node, told),
            ("received", Some(queue)) => {
                let origin = String::from(told["origin"].as_str().unwrap_or_default());
                self.arrivals.push((String::from(node), origin.clone(), time));
                let custody = Custody { origin: origin.clone(), ..Custody::default() };
                self.custody.insert((String::from(node), queue), custody);
                self.note(
                    time,
                    node,
                    Kind::Mail,
                    Vec::from([String::from("mail in custody"), origin]),
                );
            }
            ("handed_over", Some(queue)) => {
                let to = told["peer"].as_str().unwrap_or_default();
                self.handed_over(time, node, queue, to);
            }
            ("deposited", _) => {
                let origin = String::from(told["origin"].as_str().unwrap_or_default());
                self.delivered(time, node, &origin);
                self.note(
                    time,
                    node,
                    Kind::Mail,
                    Vec::from([String::from("mail in its account"), origin]),
                );
            }
            ("removed", Some(queue)) => {
                self.custody.remove(&(String::from(node), queue));
            }
            ("returned" | "delayed" | "held" | "quarantined" | "suspected", Some(queue)) => {
                let origin = self.origin(node, queue);
                self.note(time, node, Kind::Mail, Vec::from([format!("mail {name}"), origin]));
            }
            _ => {}
        }
    }

    fn origin(&self, node: &str, queue: u64) -> String {
        let custody = self.custody.get(&(String::from(node), queue));
        custody.map(|custody| custody.origin.clone()).unwrap_or_default()
    }

    fn link_event(&mut self, time: u64, node: &str, told: &Value) {
        if let Some(connector) = told["judged"]["connector"].as_str() {
            let judgement = told["judged"]["judgement"].as_str().unwrap_or_default();
            let text = Vec::from([String::from(connector), format!("judged {judgement}")]);
            self.note(time, node, Kind::Judged, text);
        }
        if let Some(connector) = told["failed"]["way"]["connector"].as_str() {
            // It is told only of a way that mail waits for.
            let own = self.custody.iter_mut().filter(|((owner, _), _)| owner == node);
            for (_, custody) in own {
                custody.waits_for = Some(String::from(connector));
                custody.changed = None;
            }
        }
    }

    /// From now on mail goes by the grown table.
    fn routes_computed(&mut self, time: u64, node: &str) {
        let own = self.custody.iter_mut().filter(|((owner, _), _)| owner == node);
        for (_, custody) in own.filter(|(_, custody)| custody.waits_for.is_some()) {
            custody.changed.get_or_insert(time);
        }
    }

    fn handed_over(&mut self, time: u64, node: &str, queue: u64, to: &str) {
        let Some(custody) = self.custody.get(&(String::from(node), queue)).cloned() else { return };
        let origin = custody.origin;
        self.note(
            time,
            node,
            Kind::Mail,
            Vec::from([format!("mail given to {to}"), origin.clone()]),
        );
        // A message that waited for a connector when the table changed, and then goes to somebody who is not at
        // the end of that connector, goes another way.
        if let (Some(connector), Some(changed)) = (custody.waits_for, custody.changed) {
            let leads_to = |talk: &&Talk| {
                talk.connector.as_ref() == Some(&connector) && talk.far.as_deref() == Some(to)
            };
            if !self.talks.iter().any(|talk| leads_to(&talk)) {
                let text = [
                    String::from("mail rerouted"),
                    format!("waited for {connector}"),
                    format!("now by {to}"),
                    origin.clone(),
                ];
                self.note(changed, node, Kind::Rerouted, Vec::from(text));
            }
        }
        self.hops.push(Hop { origin, from: String::from(node), to: String::from(to), by: time });
    }

    /// A copy is in its account: the hop to the host ends there.
    fn delivered(&mut self, time: u64, node: &str, origin: &str) {
        let has = |owner: &str| {
            owner != node
                && self
                    .custody
                    .iter()
                    .any(|((at, _), custody)| at == owner && custody.origin == origin)
        };
        let last = self.departures.iter().rev().find(|(from, to, _)| to == node && has(from));
        if let Some((from, to, _)) = last.cloned() {
            self.arrivals.push((String::from(node), String::from(origin), time));
            self.hops.push(Hop { origin: String::from(origin), from, to, by: time });
        }
    }

    /// The story, once every line is read.
    #[must_use]
    pub fn story(mut self) -> Story {
        let start = self.start.unwrap_or(0);
        let nodes = core::mem::take(&mut self.nodes);
        let column = |member: String| {
            let group = self.groups.get(&member).cloned().unwrap_or_default();
            Column { group, member }
        };
        let mut columns: Vec<Column> = nodes.into_iter().map(column).collect();
        columns.sort();
        let places: BTreeMap<&str, usize> =
            columns.iter().enumerate().map(|(place, c)| (c.member.as_str(), place)).collect();
        let since = |time: u64| time - start;
        let mut events: Vec<Event> = self
            .happened
            .iter()
            .filter_map(|happened| {
                let column = *places.get(happened.node.as_str())?;
                let (time, kind) = (since(happened.time), happened.kind);
                Some(Event { time, column, kind, text: happened.text.clone() })
            })
            .collect();
        events.sort_by_key(|event| event.time);
        let mut arrows = told(&self.talks, &places, since);
        arrows.extend(self.hops.iter().filter_map(|hop| self.hop(hop, &places, since)));
        arrows.sort_by_key(|arrow| (arrow.sent, arrow.heard));
        Story { columns, events, arrows }
    }

    fn hop(
        &self,
        hop: &Hop,
        places: &BTreeMap<&str, usize>,
        since: impl Fn(u64) -> u64,
    ) -> Option<Arrow> {
        let (from, to) = (*places.get(hop.from.as_str())?, *places.get(hop.to.as_str())?);
        let arrivals = self.arrivals.iter().rev();
        let heard = arrivals
            .filter(|(node, origin, time)| {
                *node == hop.to && *origin == hop.origin && *time <= hop.by
            })
            .map(|(_, _, time)| *time)
            .next()?;
        let departures = self.departures.iter().rev();
        let sent = departures
            .filter(|(from, to, time)| *from == hop.from && *to == hop.to && *time <= heard)
            .map(|(_, _, time)| *time)
            .next()
            .unwrap_or(heard);
        let (sent, heard) = (since(sent), Some(since(heard)));
        let text = format!("mail {}", hop.origin);
        Some(Arrow { from, to, sent, heard, word: Word::Mail, text })
    }
}

/// Everything that was said about links, from its leaving to its coming.
fn told(talks: &[Talk], places: &BTreeMap<&str, usize>, since: impl Fn(u64) -> u64) -> Vec<Arrow> {
    let pairs = pairs(talks);
    let mut arrows = Vec::new();
    for (place, opener) in talks.iter().enumerate().filter(|(_, talk)| talk.is_opener) {
        let Some(far) = &opener.far else { continue };
        let (Some(near), Some(far)) = (places.get(opener.node.as_str()), places.get(far.as_str()))
        else {
            continue;
        };
        let taker = pairs.get(&place).map(|place| &talks[*place]);
        let ways = [
            (*near, *far, opener.sent(), taker.map(Talk::heard)),
            (*far, *near, taker.map_or(&[][..], Talk::sent), Some(opener.heard())),
        ];
        for (from, to, sent, heard) in ways {
            for (place, said) in sent.iter().enumerate() {
                let heard = heard.and_then(|heard| heard.get(place)).map(|heard| since(heard.done));
                let (word, text) = (said.word, said.text.clone());
                arrows.push(Arrow { from, to, sent: since(said.begun), heard, word, text });
            }
        }
    }
    arrows
}

/// The step that a line has: a line of a trace, a line of a log that ends with one, or a log line as JSON.
fn step_of(line: &str) -> Option<Value> {
    let found: Option<Value> =
        line.find(START).and_then(|place| serde_json::from_str(line[place..].trim_end()).ok());
    found.or_else(|| {
        let log: Value = serde_json::from_str(line.trim_end()).ok()?;
        let message = log["fields"]["message"].as_str()?;
        serde_json::from_str(message).ok()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_is_found_in_logs_too() {
        let step =
            json!({"format": 1, "time": 5, "node": "a", "input": null, "effects": [], "view": {}});
        let bare = format!("{step}");
        let text = format!("2026-01-01T00:00:00Z TRACE bridgehead::trace: {bare}");
        // The names of the fields in a log are in another order than in a trace.
        let json = json!({"level": "TRACE", "fields": {"message": bare}}).to_string();
        for line in [&bare, &text, &json] {
            assert_eq!(Reading::time_of(line), Some(5), "{line}");
        }
        assert_eq!(Reading::time_of("2026-01-01T00:00:00Z INFO ready"), None);
    }

    #[test]
    fn another_version_is_refused() {
        let problem =
            Reading::default().line("{\"format\":2,\"time\":0}").expect_err("another one");
        assert_eq!(problem, "trace format 2, expected 1");
    }
}
