//! How virtual time passes: only when nothing is under way.
//!
//! Whoever has agreed that nothing is, for whom no timer has fired since and on whose connections no octet
//! has moved since, has nothing to do, and is not asked again: in a cluster that waits for days of virtual
//! time that is nearly everybody nearly always.

use serde_json::{Value, json};

use super::{Cluster, INSTANT_LIMIT, Turn};
use crate::barrier::{self, Quiet};
use crate::clock::Stopwatch;
use crate::event::{Event, Stop};

impl Cluster {
    pub(super) fn living(&self) -> Vec<String> {
        let alive = self.nodes.iter().filter(|(_, node)| node.adapter.is_some());
        alive.map(|(name, _)| name.clone()).collect()
    }

    /// Waits until nothing is under way, and says when the next timer of each node is due.
    pub(crate) fn settle(&mut self) -> Result<Option<u64>, Stop> {
        self.settle_with(&mut |_| Ok(false))
    }

    /// The same, where members that the suite plays have their say: `turn` gives each of them one, and
    /// says whether anything came of it.
    pub(crate) fn settle_with(&mut self, turn: &mut Turn<'_>) -> Result<Option<u64>, Stop> {
        let members = self.living();
        let names: Vec<&str> = members.iter().map(String::as_str).collect();
        let watch = Stopwatch::start();
        let mut before = None;
        let mut rounds = 0_u32;
        loop {
            if turn(self)? {
                before = None;
            }
            let under_way = self.network.under_way();
            let moves = self.moves(&names);
            let answers = self.quiesce(&names)?;
            let addresses: Vec<_> = names.iter().map(|name| self.nodes[*name].address).collect();
            let (halves, ever) = self.ledger.living();
            match barrier::compare(&names, &addresses, &answers, &halves, self.now_us)? {
                Quiet::Agreed { next_us } if under_way == 0 && self.network.under_way() == 0 => {
                    let now = Some((halves, ever));
                    // Everything that nodes have said is there to be read by now.
                    if before == now && !turn(self)? {
                        self.rest(&names, answers.into_iter().zip(moves));
                        return Ok(next_us);
                    }
                    before = now;
                }
                Quiet::Agreed { .. } => before = None,
                Quiet::Not(problem) => {
                    before = None;
                    if watch.elapsed() > self.patience.quiesce() {
                        return Err(Stop::CouldNotRun(format!("not quiescent: {problem}")));
                    }
                    rounds += 1;
                    barrier::breathe(rounds);
                }
            }
            if watch.elapsed() > self.patience.quiesce() * 2 {
                return Err(Stop::CouldNotRun("not quiescent: octets keep moving".into()));
            }
        }
    }

    /// What has happened on the connections of each node.
    fn moves(&self, names: &[&str]) -> Vec<u64> {
        let moves = |name: &&str| self.ledger.moves(self.nodes[*name].address.into());
        names.iter().map(moves).collect()
    }

    /// What each node says to `quiesce`: those that rest said it when they came to rest.
    fn quiesce(&mut self, names: &[&str]) -> Result<Vec<Value>, Stop> {
        let moves = self.moves(names);
        let rested = |(name, moves): (&&str, u64)| match &self.nodes[*name].rests {
            Some((answer, then)) if *then == moves => Some(answer.clone()),
            _ => None,
        };
        let rested: Vec<_> = names.iter().zip(moves).map(rested).collect();
        let awake = names.iter().zip(&rested).filter(|(_, rested)| rested.is_none());
        let awake: Vec<&str> = awake.map(|(name, _)| *name).collect();
        let mut asked = self.ask_all(&awake, "quiesce", |_| json!({}))?.into_iter();
        Ok(rested.into_iter().filter_map(|rested| rested.or_else(|| asked.next())).collect())
    }

    /// All agree: what they said holds until something comes to them.
    fn rest(&mut self, names: &[&str], said: impl Iterator<Item = (Value, u64)>) {
        for (name, said) in names.iter().zip(said) {
            if let Some(node) = self.nodes.get_mut(*name) {
                node.rests = Some(said);
            }
        }
    }

    /// Lets virtual time pass until `goal_us`, timer by timer: never over one that is due.
    pub(crate) fn run_until(&mut self, goal_us: u64) -> Result<(), Stop> {
        self.run_until_with(goal_us, &mut |_| Ok(false))
    }

    /// The same, where members that the suite plays have their say.
    pub(crate) fn run_until_with(&mut self, goal_us: u64, turn: &mut Turn<'_>) -> Result<(), Stop> {
        self.run_until_or(goal_us, turn, &mut || false)
    }

    /// The same, and it ends at the first moment at which nothing is under way and `is_enough`.
    pub(crate) fn run_until_or(
        &mut self,
        goal_us: u64,
        turn: &mut Turn<'_>,
        is_enough: &mut dyn FnMut() -> bool,
    ) -> Result<(), Stop> {
        let mut at_once = 0;
        loop {
            let next = self.settle_with(turn)?;
            if is_enough() {
                return Ok(());
            }
            let to = next.map_or(goal_us, |next| next.min(goal_us)).max(self.now_us);
            let is_due = next.is_some_and(|next| next <= goal_us);
            if to == self.now_us && !is_due {
                return Ok(());
            }
            at_once = if to == self.now_us { at_once + 1 } else { 0 };
            if at_once > INSTANT_LIMIT {
                let problem = format!("more than {INSTANT_LIMIT} timers are due at {to} us");
                return Err(Stop::CouldNotRun(problem));
            }
            self.advance(to)?;
        }
    }

    /// Moves the clock of every node. One for which no timer fires goes on resting.
    fn advance(&mut self, to: u64) -> Result<(), Stop> {
        self.now_us = to;
        self.recorder.set_now(to);
        self.recorder.record(Event::Time {});
        let members = self.living();
        let names: Vec<&str> = members.iter().map(String::as_str).collect();
        let rested: Vec<_> = names.iter().map(|name| self.nodes[*name].rests.clone()).collect();
        self.network.pause(true);
        let advanced = self.ask_all(&names, "advance", |_| json!({"to_us": to}));
        self.network.pause(false);
        for ((name, rested), advanced) in names.iter().zip(rested).zip(advanced?) {
            if let Some(node) = self.nodes.get_mut(*name) {
                node.rests = rested.and_then(|(rested, moves)| {
                    goes_on_resting(rested, &advanced, to).map(|rests| (rests, moves))
                });
            }
        }
        Ok(())
    }

    /// The virtual time.
    pub(crate) const fn now_us(&self) -> u64 {
        self.now_us
    }

    /// Lets virtual time pass.
    pub(crate) fn run_for(&mut self, span_us: u64) -> Result<(), Stop> {
        self.run_until(self.now_us + span_us)
    }
}

/// What a node that rests would say at another time, by its answer to `advance`; nothing when a timer has
/// fired, or when it does not say that none has.
fn goes_on_resting(mut rested: Value, advanced: &Value, to: u64) -> Option<Value> {
    let next =
        advanced.get("next_us").filter(|_| advanced["fired"] == 0 && advanced["now_us"] == to)?;
    rested["now_us"] = json!(to);
    rested["next_us"] = next.clone();
    Some(rested)
}

#[cfg(test)]
mod tests {
    use super::goes_on_resting;
    use serde_json::{Value, json};

    #[test]
    fn who_fires_nothing_rests_and_whoever_does_not_say_so_is_asked() {
        let rested = json!({"idle": true, "now_us": 5, "next_us": 60, "connections": []});
        let after = |advanced: Value| goes_on_resting(rested.clone(), &advanced, 9);
        let still = after(json!({"now_us": 9, "fired": 0, "next_us": 70}));
        let right = json!({"idle": true, "now_us": 9, "next_us": 70, "connections": []});
        assert_eq!(still, Some(right));
        for advanced in [
            json!({"now_us": 9, "fired": 1, "next_us": 70}),
            json!({"now_us": 8, "fired": 0, "next_us": 70}),
            json!({"now_us": 9, "fired": 0}),
            json!({"now_us": 9, "next_us": 70}),
            json!({}),
        ] {
            assert_eq!(after(advanced.clone()), None, "{advanced}");
        }
    }
}
