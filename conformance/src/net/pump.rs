//! Moves what passes on one connection from one end to the other, by the rule of its link. Where TLS is
//! on, it ends at the suite on both sides: rules and records are about what is said.

use std::io::ErrorKind;
use std::sync::{Arc, MutexGuard};

use super::end::End;
use super::lines::Lines;
use super::rule::{Port, Rule};
use super::shared::{Shared, State, break_off};
use super::starttls::{self, Starttls};
use crate::event::{Event, How, Octets, Way};
use crate::security::{SecurityError, Tls};
use crate::smtp::starts_with;

/// How much is read at once.
const READ_OCTETS: usize = 64 * 1024;

/// One connection.
pub(super) struct Pump {
    shared: Arc<Shared>,
    link: String,
    name: String,
    /// The end at the opener, and the one at the acceptor.
    ends: [End; 2],
    /// The members there.
    members: [String; 2],
    starttls: Starttls,
    port: Port,
}

/// What one direction remembers of the lines that passed.
#[derive(Default)]
struct Memory {
    lines: Lines,
    /// A line that is not complete, where the rule looks at whole lines.
    kept: Vec<u8>,
}

impl Pump {
    /// For a connection to `port` whose ends are entered.
    pub(super) fn new(
        shared: Arc<Shared>,
        link: String,
        name: String,
        ends: [End; 2],
        (opener, acceptor): (String, String),
        port: Port,
    ) -> Self {
        let starttls = Starttls::new(shared.authority.is_some() && port == Port::Smtp);
        Self { shared, link, name, ends, members: [opener, acceptor], starttls, port }
    }

    /// Begins.
    pub(super) fn start(self) {
        if self.shared.authority.is_some() && self.port != Port::Smtp {
            self.secure(&[]);
        }
        let (pump, other) = (Arc::new(self), Way::Back);
        let back = Arc::clone(&pump);
        std::thread::spawn(move || pump.run(Way::Forward));
        std::thread::spawn(move || back.run(other));
    }

    const fn ends(&self, way: Way) -> (&End, &End) {
        let [near, far] = &self.ends;
        match way {
            Way::Forward => (near, far),
            Way::Back => (far, near),
        }
    }

    /// Goes on under TLS behind the acceptor's last words in clear. To each side the suite is the member
    /// at the other one.
    fn secure(&self, last_words: &[u8]) {
        match self.prepare() {
            Ok([near, far]) => {
                // The far end first: with the last words the opener may go on, and what it says then
                // must not leave in clear.
                self.ends[1].secure(&[], far);
                self.ends[0].secure(last_words, near);
            }
            // Both sides see a connection that breaks; the record says whose fault it is.
            Err(error) => {
                self.record_tls(Way::Back, &self.members[1], Some(error.to_string()));
                break_off(&self.shared, &mut self.shared.lock(), &self.name);
            }
        }
    }

    fn prepare(&self) -> Result<[Tls; 2], SecurityError> {
        let [opener, acceptor] = &self.members;
        let authority = self.shared.authority.as_ref().ok_or_else(SecurityError::none)?;
        Ok([
            authority.server(&*authority.of(acceptor)?, opener)?,
            authority.client(Some(&*authority.of(opener)?), acceptor)?,
        ])
    }

    fn record_tls(&self, way: Way, peer: &str, problem: Option<String>) {
        let (link, peer) = (self.name.clone(), peer.to_owned());
        self.shared.recorder.record(Event::Tls { link, way, peer, problem });
    }

    fn run(&self, way: Way) {
        let from = self.ends(way).0;
        let mut buffer = vec![0; READ_OCTETS];
        let mut memory = Memory::default();
        let mut has_ended = false;
        loop {
            match from.read(&mut buffer) {
                Ok(0) if has_ended => return,
                Ok(0) => return self.end(way, How::Eof, false),
                Ok(length) if has_ended => self.count(from, length),
                Ok(length) => match self.take(way, &buffer[..length], &mut memory) {
                    Some(ended) => has_ended = ended,
                    None => return,
                },
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.end(way, How::Reset, false),
            }
        }
    }

    fn count(&self, from: &End, length: usize) {
        from.change(|half| half.from_node += length as u64);
    }

    /// Takes octets from a socket. Gives whether this side has said that it will say nothing more, or
    /// nothing when the connection is over.
    fn take(&self, way: Way, raw: &[u8], memory: &mut Memory) -> Option<bool> {
        // They are under way before they count as read: the barrier sees one or the other.
        self.shared.unpaused().under_way += 1;
        let from = self.ends(way).0;
        self.count(from, raw.len());
        let opened = from.open(raw);
        let failed = opened.failed();
        if let Some((peer, problem)) = opened.secured {
            self.record_tls(way, &peer, problem);
        }
        let goes_on =
            !failed && (opened.octets.is_empty() || self.pass(way, &opened.octets, memory));
        if failed {
            self.end(way, How::Reset, false);
        } else if goes_on && opened.ended {
            self.end(way, How::Eof, true);
        }
        self.shared.lock().under_way -= 1;
        goes_on.then_some(opened.ended)
    }

    fn rule(&self, state: &State) -> Rule {
        state.rules.get(&self.link).cloned().unwrap_or(Rule::Pass)
    }

    /// Waits while the link holds what comes this way.
    fn unheld(&self, way: Way) -> (MutexGuard<'_, State>, Rule) {
        let mut state = self.shared.lock();
        let mut rule = self.rule(&state);
        while rule == Rule::Hold && way == Way::Back && state.open.contains_key(&self.name) {
            // What is held is counted as read and not as under way: the barrier may pass.
            state.under_way -= 1;
            state = self.shared.wait(state);
            state.under_way += 1;
            rule = self.rule(&state);
        }
        (state, rule)
    }

    /// Passes on what one side says; `false` when the connection is over.
    fn pass(&self, way: Way, said: &[u8], memory: &mut Memory) -> bool {
        let (mut state, rule) = self.unheld(way);
        let stripped = (rule == Rule::StripStarttls && way == Way::Back)
            .then(|| self.strip(said, &mut memory.kept));
        let octets = stripped.as_deref().unwrap_or(said);
        let armed = format!("{} armed", self.name);
        let lost = rule.loses().is_some() && way == Way::Back && state.counts.contains_key(&armed);
        let alive = state.open.contains_key(&self.name);
        if alive && !octets.is_empty() {
            let (link, data) = (self.name.clone(), Octets::of(octets));
            self.shared.recorder.record(Event::Octets { link, way, withheld: lost, data });
        }
        if lost {
            let then = rule.loses().map_or(Rule::Pass, |(_, then)| then);
            state.rules.insert(self.link.clone(), then);
            self.record_verb("reply-lost");
            break_off(&self.shared, &mut state, &self.name);
        }
        if way == Way::Forward {
            let lines = memory.lines.complete(octets);
            let is_meant = |(prefix, _): (&str, Rule)| lines.iter().any(|l| starts_with(l, prefix));
            if rule.loses().is_some_and(is_meant) {
                state.counts.insert(armed, 1);
            }
            self.starttls.asks(&lines);
        }
        drop(state);
        let goes_on = alive && !lost;
        if goes_on && way == Way::Back && self.starttls.agrees(octets, &mut memory.lines) {
            self.secure(octets);
        } else if goes_on {
            self.ends(way).1.send(octets);
        }
        goes_on
    }

    /// What an attacker makes of replies, of which none must learn that TLS is offered.
    fn strip(&self, said: &[u8], kept: &mut Vec<u8>) -> Vec<u8> {
        kept.extend_from_slice(said);
        let whole = kept.iter().rposition(|octet| *octet == b'\n').map_or(0, |place| place + 1);
        let mut octets: Vec<u8> = kept.drain(..whole).collect();
        if starttls::strip(&mut octets) {
            self.record_verb("starttls-stripped");
        }
        octets
    }

    fn record_verb(&self, verb: &str) {
        let (link, verb) = (self.name.clone(), verb.to_owned());
        self.shared.recorder.record(Event::Network { link, verb });
    }

    /// One side has ended; `notified`: by `close_notify`.
    fn end(&self, way: Way, how: How, notified: bool) {
        let mut state = self.shared.unpaused();
        if !state.open.contains_key(&self.name) {
            return;
        }
        let (from, to) = self.ends(way);
        self.shared.recorder.record(Event::End { link: self.name.clone(), way, how });
        match how {
            How::Reset => break_off(&self.shared, &mut state, &self.name),
            How::Eof => {
                from.change(|half| half.ended_by_node = true);
                to.change(|half| half.ended_by_suite = true);
                to.finish(notified);
                if from.half().ended_by_suite {
                    state.open.remove(&self.name);
                    from.change(|half| half.gone = true);
                    to.change(|half| half.gone = true);
                }
            }
        }
    }
}
