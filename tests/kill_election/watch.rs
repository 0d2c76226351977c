//! Everybody is asked all the time who the master is.
//!
//! An answer is of some moment between its question and its arrival; two answers whose spans overlap say nothing about each
//! other. But a master whose answer has arrived has had a lease, and so a majority that grants no smaller term any
//! more: whoever is *asked* after that and says that it is the master has a term that is at least as great, and the
//! same one only if it is the same member. That is what can be seen from outside of "never two at a time", and it holds whatever
//! the delays were.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use bridgehead::protocol::linkstate::{Record, Term, Version};
use serde_json::{Value, json};

use super::{BackEnd, GROUP, VOTERS};
use crate::kill_support::{Admin, Cluster};

/// How long a member is left alone between two questions.
const EVERY: Duration = Duration::from_millis(5);

/// A member has said that it is the master.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) member: usize,
    pub(crate) term: Term,
    pub(crate) asked: Instant,
    pub(crate) answered: Instant,
}

/// What a member has said last; nothing while it is down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Glance {
    master: Option<String>,
    promised: Option<String>,
}

/// What is seen of the voters.
pub(crate) struct Watch {
    /// Whether the voters promise themselves to a master.
    promises: bool,
    glances: [Mutex<Glance>; VOTERS.len()],
    said: Mutex<Vec<Said>>,
    is_over: AtomicBool,
}

impl Watch {
    /// A watch over voters of this back end.
    pub(crate) fn over(back_end: &BackEnd) -> Self {
        let (glances, said) = <_>::default();
        Self { promises: back_end.promises, glances, said, is_over: AtomicBool::new(false) }
    }

    /// Asks one voter until the watch is over.
    pub(crate) fn look_at(&self, cluster: &Cluster, at: usize) {
        let (socket, request) = (cluster.admin_socket(at), json!({"format": 1, "op": "status"}));
        let mut connection: Option<Admin> = None;
        while !self.is_over.load(Ordering::Relaxed) {
            thread::sleep(EVERY);
            connection = connection.or_else(|| Admin::connect(&socket));
            let asked = Instant::now();
            let answer = connection.as_mut().and_then(|admin| admin.ask(&request));
            let answered = Instant::now();
            if answer.is_none() {
                connection = None;
            }
            let election = answer.as_ref().and_then(own_election);
            let text = |value: &Value| value.as_str().map(String::from);
            *self.glances[at].lock().expect("no panic") = Glance {
                master: answer.as_ref().and_then(|status| text(&status["master"])),
                promised: election.and_then(|election| text(&election["promised"])),
            };
            if let Some(election) = election.filter(|election| election["part"] == "master") {
                let term = serde_json::from_value(election["term"].clone()).expect("a term");
                let said = Said { member: at, term, asked, answered };
                self.said.lock().expect("no panic").push(said);
            }
        }
    }

    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Everything that was said.
    pub(crate) fn all(&self) -> Vec<Said> {
        self.said.lock().expect("no panic").clone()
    }

    /// The first that somebody said who was asked after this moment, and who is not this member.
    pub(crate) fn first_since(&self, since: Instant, except: Option<usize>) -> Option<Said> {
        let said = self.said.lock().expect("no panic");
        let is_it = |said: &&Said| said.asked > since && Some(said.member) != except;
        // Answers come nearly in order: what is older than this is not looked through each time.
        let recent = said.iter().rev().take_while(|said| said.answered > since).filter(is_it);
        recent.min_by_key(|said| said.answered).cloned()
    }

    /// The master, once every voter names it and has promised itself to it; where voters do not do that, none must have.
    pub(crate) fn agreed(&self) -> Option<usize> {
        let glances: Vec<_> =
            self.glances.iter().map(|g| g.lock().expect("no panic").clone()).collect();
        let master = glances[0].master.clone()?;
        let (named, promised) = (Some(&master), self.promises.then_some(&master));
        let is_agreed = |glance: &Glance| {
            glance.master.as_ref() == named && glance.promised.as_ref() == promised
        };
        let at = VOTERS.iter().position(|voter| *voter == master)?;
        glances.iter().all(is_agreed).then_some(at)
    }
}

fn own_election(status: &Value) -> Option<&Value> {
    status["elections"].as_array()?.iter().find(|election| election["group"] == GROUP)
}

/// The version that the table of a member has of the group's record.
pub(crate) fn version(cluster: &Cluster, at: usize) -> Option<Version> {
    let answer = cluster.ask(at, &json!({"format": 1, "op": "linkstate"}))?;
    let records: Vec<Record> = serde_json::from_value(answer["records"].clone()).expect("records");
    let own = records.into_iter().find(|record| record.group.as_str() == GROUP)?;
    Some(own.version)
}

/// Of all that was said, nothing goes back: see the head of this module. How many terms there were.
pub(crate) fn judge(mut said: Vec<Said>) -> usize {
    said.sort_by_key(|said| said.asked);
    let mut arrived: Vec<&Said> = said.iter().collect();
    arrived.sort_by_key(|said| said.answered);
    let mut arrived = arrived.into_iter().peekable();
    let mut greatest: Option<&Said> = None;
    for later in &said {
        assert_eq!(
            VOTERS[later.member],
            later.term.member.as_str(),
            "a master has a term of its own"
        );
        while let Some(earlier) = arrived.next_if(|earlier| earlier.answered < later.asked) {
            if greatest.is_none_or(|greatest| greatest.term < earlier.term) {
                greatest = Some(earlier);
            }
        }
        if let Some(earlier) = greatest {
            assert!(later.term >= earlier.term, "two masters: {earlier:?}, and then {later:?}");
        }
    }
    let terms: std::collections::BTreeSet<_> = said.iter().map(|said| &said.term).collect();
    terms.len()
}
