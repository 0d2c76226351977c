//! A case as a play: the suite talks to one node on several connections, and plays the members that the
//! node itself calls. Like a script it is data: the same acts drive it, judge it and explain it.

mod cast;
mod election;
mod links;
mod look;
mod mail;
mod news;
mod show;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub(crate) use cast::{Answer, Cue, When};
pub(crate) use links::{digest, records, with_whole_messages};
pub(crate) use look::{Look, On};
pub(crate) use mail::Part;
pub(crate) use news::Digest;
pub(crate) use show::{show_act, show_look};

use crate::cluster::{Cluster, OUTSIDE as OUTSIDE_ADDRESS};
use crate::event::Stop;
use crate::findings::Findings;
use crate::net::{Port, Rule, Wire};
use crate::organization::{Blueprint, solo};
use crate::script::{Cursor, QUIET, Replies, Script, Seat};
use crate::stage::Stage;
use crate::transcript::Transcript;
use cast::Troupe;

/// The node under test.
pub(crate) const NODE: &str = "rg1-a";

/// One thing that happens.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// The suite talks to the node: on a new connection of that name, or it goes on with it.
    Talk(&'static str, Script),
    /// The suite closes its connection of that name.
    Leave(&'static str),
    /// From now on whoever is played behind this link and port departs from the ordinary like this.
    Cast(&'static str, Port, Vec<Cue>),
    /// Whoever is played behind this link and port says a frame, unasked.
    Tell(&'static str, Port, String),
    /// Whoever is played behind this link and port says what was to be said later.
    SayNow(&'static str, Port),
    /// The rule of a link changes.
    Rule(&'static str, Rule),
    /// Virtual time passes.
    Wait(u64),
    /// Virtual time passes until so many such lines have come, at most so long; otherwise the play is over.
    Await(On, usize, u64),
    /// Virtual time passes until so long after the such line of that number, counted from 1.
    Until(On, usize, u64),
    /// A place in the record.
    Mark(&'static str),
    /// The node shows a part of itself.
    Inspect(&'static str),
    /// The operator of the node says that a group is no more: its name or UUID, and whether that is forced.
    Bury(&'static str, bool),
    /// The operator of the node has the mastership move: to this member, or to whoever is elected.
    Transfer(Option<&'static str>),
    /// The operator of the node has it drain, or drain no more.
    Drain(bool),
    /// The operator of the node has this leased account released.
    Release(&'static str),
    /// The node is killed and started again with the same files.
    Restart,
    /// The node is killed and started again with the same files when so much virtual time has passed.
    Away(u64),
    /// The node is killed and started again with none.
    LoseDisk,
}

/// The whole case.
#[derive(Clone, Debug)]
pub(crate) struct Play {
    /// The organization, and who in it is played.
    pub(crate) blueprint: fn() -> Blueprint,
    /// What the policy of the node says besides.
    pub(crate) policy: Vec<(&'static str, Value)>,
    /// The rules with which links begin, where they do not pass.
    pub(crate) rules: Vec<(&'static str, Rule)>,
    /// How members are played from the start.
    pub(crate) opening: Vec<(&'static str, Port, Vec<Cue>)>,
    /// What happens.
    pub(crate) acts: Vec<Act>,
    /// What must have been seen at the end.
    pub(crate) looks: Vec<Look>,
}

impl Play {
    /// With one node among a fellow and a bridgehead that the suite plays.
    pub(crate) fn new() -> Self {
        Self::over(solo)
    }

    /// With another organization, in which the node under test is `rg1-a`, too.
    pub(crate) const fn over(blueprint: fn() -> Blueprint) -> Self {
        Self {
            blueprint,
            policy: Vec::new(),
            rules: Vec::new(),
            opening: Vec::new(),
            acts: Vec::new(),
            looks: Vec::new(),
        }
    }

    /// With one more word in the policy.
    pub(crate) fn policy(mut self, key: &'static str, value: Value) -> Self {
        self.policy.push((key, value));
        self
    }

    /// With this rule for a link from the start.
    pub(crate) fn begins(mut self, link: &'static str, rule: Rule) -> Self {
        self.rules.push((link, rule));
        self
    }

    /// Whoever is played behind a link departs from the ordinary from the start.
    pub(crate) fn opens(mut self, link: &'static str, port: Port, cues: Vec<Cue>) -> Self {
        self.opening.push((link, port, cues));
        self
    }

    /// With one more act.
    pub(crate) fn act(mut self, act: Act) -> Self {
        self.acts.push(act);
        self
    }

    /// The suite talks on a connection of that name.
    pub(crate) fn talk(self, name: &'static str, script: Script) -> Self {
        self.act(Act::Talk(name, script.named(name)))
    }

    /// Whoever is played behind a link departs from the ordinary.
    pub(crate) fn cast(self, link: &'static str, port: Port, cues: Vec<Cue>) -> Self {
        self.act(Act::Cast(link, port, cues))
    }

    /// The rule of a link changes.
    pub(crate) fn rule(self, link: &'static str, rule: Rule) -> Self {
        self.act(Act::Rule(link, rule))
    }

    /// Virtual time passes.
    pub(crate) fn wait(self, span_us: u64) -> Self {
        self.act(Act::Wait(span_us))
    }

    /// Virtual time passes until so many such lines have come, at most so long.
    pub(crate) fn awaits(self, on: On, count: usize, limit_us: u64) -> Self {
        self.act(Act::Await(on, count, limit_us))
    }

    /// Virtual time passes until so long after the such line of that number, counted from 1.
    pub(crate) fn until(self, on: On, number: usize, span_us: u64) -> Self {
        self.act(Act::Until(on, number, span_us))
    }

    /// A place in the record.
    pub(crate) fn mark(self, name: &'static str) -> Self {
        self.act(Act::Mark(name))
    }

    /// With one more look.
    pub(crate) fn look(mut self, look: Look) -> Self {
        self.looks.push(look);
        self
    }

    /// The checks that it makes, in order.
    pub(crate) fn checks(&self) -> Vec<String> {
        let mut checks: Vec<String> = Vec::new();
        let talks = self.scripts().flat_map(Script::own_checks);
        for check in talks.chain(self.looks.iter().map(|look| look.check().to_owned())) {
            assert!(!checks.contains(&check), "check `{check}` stands twice in a play");
            checks.push(check);
        }
        if self.scripts().next().is_some() {
            checks.push(QUIET.to_owned());
        }
        checks
    }

    /// The checks that hold when something was not seen.
    pub(crate) fn absences(&self) -> Vec<&'static str> {
        self.looks.iter().filter(|look| look.is_absence()).map(Look::check).collect()
    }

    /// Whether a node that refuses everything could pass a part of it.
    pub(crate) fn refuses(&self) -> bool {
        self.scripts().any(Script::refuses)
    }

    fn scripts(&self) -> impl Iterator<Item = &Script> {
        self.talks().map(|(_, script)| script)
    }

    /// The conversations that the suite begins, each with the name of its connection.
    pub(crate) fn talks(&self) -> impl Iterator<Item = (&'static str, &Script)> {
        self.acts.iter().filter_map(|act| match act {
            Act::Talk(name, script) => Some((*name, script)),
            _ => None,
        })
    }

    /// Does everything, until the end or until a conversation goes astray.
    pub(crate) fn drive(&self, stage: &mut Stage) -> Result<(), Stop> {
        let mut blueprint = (self.blueprint)();
        for (key, value) in &self.policy {
            blueprint = blueprint.policy(key, value.clone());
        }
        let cluster = stage.cluster(blueprint, &self.rules)?;
        let mut troupe = Troupe::at_all_doors(&cluster);
        for (link, port, cues) in &self.opening {
            troupe.cast(link, *port, cues);
        }
        let mut running = Running { cluster, troupe, wires: BTreeMap::new() };
        running.pass(0)?;
        for act in &self.acts {
            if !running.act(act, stage)? {
                break;
            }
            running.pass(0)?;
        }
        Ok(())
    }

    /// Judges the record: the conversations in their order, then the looks.
    pub(crate) fn judge(&self, transcript: &Transcript<'_>, findings: &mut Findings) {
        let mut cursors: BTreeMap<&str, Cursor<'_>> = BTreeMap::new();
        let mut replies = Replies::new();
        let mut astray = false;
        for act in &self.acts {
            let Act::Talk(name, script) = act else { continue };
            let link = format!("{name}#1");
            let cursor = cursors
                .entry(name)
                .or_insert_with(|| Cursor::new(transcript, &link, script.place.port));
            if !cursor.go(&script.steps, &mut replies, findings) {
                astray = true;
                break;
            }
        }
        if !astray {
            cursors.values().for_each(|cursor| cursor.quiet(findings));
        }
        for look in &self.looks {
            look.judge(transcript, findings);
        }
    }
}

/// A play that is being performed. The node goes last, so that its end is in no record.
struct Running {
    wires: BTreeMap<&'static str, Wire>,
    troupe: Troupe,
    cluster: Cluster,
}

impl Running {
    /// Lets virtual time pass; zero lets everybody end what is under way.
    fn pass(&mut self, span_us: u64) -> Result<(), Stop> {
        let Self { cluster, troupe, .. } = self;
        let goal = cluster.now_us() + span_us;
        cluster.run_until_with(goal, &mut |cluster| troupe.turn(cluster))
    }

    /// Does one thing; `false` when a conversation went astray.
    fn act(&mut self, act: &Act, stage: &mut Stage) -> Result<bool, Stop> {
        match act {
            Act::Talk(name, script) => return self.talk(name, script, stage),
            Act::Leave(name) => drop(self.wires.remove(name)),
            Act::Cast(link, port, cues) => self.troupe.cast(link, *port, cues),
            Act::Tell(link, port, content) => self.troupe.tell(link, *port, content),
            Act::SayNow(link, port) => self.troupe.say_now(link, *port),
            Act::Rule(link, rule) => self.cluster.network().rule(link, rule.clone()),
            Act::Wait(span_us) => self.pass(*span_us)?,
            Act::Await(on, count, limit_us) => return self.wait_for(on, *count, *limit_us, stage),
            Act::Until(on, number, span_us) => {
                return self.wait_until(on, *number, *span_us, stage);
            }
            Act::Mark(name) => drop(stage.mark(name, json!({}))),
            Act::Inspect(what) => drop(self.cluster.inspect(NODE, what)?),
            Act::Bury(group, force) => self.cluster.bury(NODE, group, *force)?,
            Act::Transfer(to) => self.cluster.transfer(NODE, *to)?,
            Act::Drain(on) => self.cluster.drain(NODE, *on)?,
            Act::Release(account) => self.cluster.release(NODE, account)?,
            Act::Restart => self.away(0)?,
            Act::Away(span_us) => self.away(*span_us)?,
            Act::LoseDisk => {
                self.cluster.reset(NODE)?;
                self.forget_connections();
            }
        }
        Ok(true)
    }

    /// Lets virtual time pass until so many such lines have come; `false` when they have not come in time.
    fn wait_for(
        &mut self,
        on: &On,
        count: usize,
        limit_us: u64,
        stage: &Stage,
    ) -> Result<bool, Stop> {
        let has_come = || on.times(&stage.recorder.so_far()).len() >= count;
        let Self { cluster, troupe, .. } = self;
        let goal = cluster.now_us() + limit_us;
        let turn = &mut |cluster: &Cluster| troupe.turn(cluster);
        cluster.run_until_or(goal, turn, &mut || has_come())?;
        Ok(has_come())
    }

    /// Lets virtual time pass until so long after a line; `false` when it did not come, or is longer ago.
    fn wait_until(
        &mut self,
        on: &On,
        number: usize,
        span_us: u64,
        stage: &Stage,
    ) -> Result<bool, Stop> {
        let times = on.times(&stage.recorder.so_far());
        let Some(at_us) = number.checked_sub(1).and_then(|place| times.get(place)) else {
            return Ok(false);
        };
        let Some(span_us) = (at_us + span_us).checked_sub(self.cluster.now_us()) else {
            return Ok(false);
        };
        self.pass(span_us)?;
        Ok(true)
    }

    fn away(&mut self, span_us: u64) -> Result<(), Stop> {
        self.cluster.kill(NODE)?;
        self.forget_connections();
        if span_us > 0 {
            self.pass(span_us)?;
        }
        self.cluster.restart(NODE)
    }

    /// The node is gone, and so are its ends.
    fn forget_connections(&mut self) {
        self.wires.clear();
        self.troupe.forget_guests();
    }

    fn talk(
        &mut self,
        name: &'static str,
        script: &Script,
        stage: &mut Stage,
    ) -> Result<bool, Stop> {
        let place = script.place;
        let from = match place.seat {
            Seat::Outside => OUTSIDE_ADDRESS,
            Seat::Member | Seat::Fellow | Seat::Named(_) => {
                self.cluster.address_of(place.seat.name())
            }
        };
        stage.greet_as(place.seat.name());
        if !self.wires.contains_key(name) {
            let wire = self.cluster.dial(name, from, (NODE, place.port))?;
            self.wires.insert(name, wire);
        }
        script.drive_on(&self.wires[name], stage)
    }
}
