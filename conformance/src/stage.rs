//! What a running case has to work with.

use core::net::SocketAddr;
use std::ffi::OsString;
use std::path::PathBuf;

use serde_json::Value;

use crate::clock::Patience;
use crate::cluster::{Cluster, Ground, OUTSIDE as OUTSIDE_ADDRESS};
use crate::event::{Event, Stop};
use crate::log::Recorder;
use crate::net::{Ledger, Port, Rule, Wire};
use crate::organization::{Blueprint, solo};
use crate::script::Seat;

/// What is under test.
#[derive(Clone, Debug)]
pub(crate) enum UnderTest {
    /// One SMTP server that somebody else has started.
    Target(SocketAddr),
    /// Nodes that an adapter starts.
    Adapter(Vec<OsString>),
}

/// Addresses that the conversations use.
#[derive(Clone, Debug)]
pub(crate) struct Parameters {
    /// A recipient that is accepted.
    pub(crate) recipient: String,
    /// A recipient in a domain of the server that does not exist.
    pub(crate) unknown: Option<String>,
    /// A sender that is accepted.
    pub(crate) sender: String,
}

/// The name that the suite gives when it is nobody in particular.
const OUTSIDE: &str = "client.example.net";

/// The fresh numbers are greater than those that stand in cases and vectors.
const FRESH: u64 = 1_000_000;

/// What a running case has to work with.
pub(crate) struct Stage {
    /// Where everything is recorded.
    pub(crate) recorder: Recorder,
    /// How long to wait.
    pub(crate) patience: Patience,
    /// Octet counts of this case's connections.
    pub(crate) ledger: Ledger,
    /// Where the nodes keep their files and logs.
    pub(crate) directory: PathBuf,
    under_test: UnderTest,
    parameters: Parameters,
    ehlo: String,
    /// How many cases have begun; what they make out of it nobody else in the run has.
    begun: u64,
    /// The node that scripts talk to, one after the other.
    solo: Option<Cluster>,
    case: String,
}

impl Stage {
    /// For a run.
    pub(crate) fn new(
        recorder: &Recorder,
        patience: Patience,
        directory: PathBuf,
        under_test: UnderTest,
        parameters: Parameters,
    ) -> Self {
        Self {
            recorder: recorder.clone(),
            patience,
            ledger: Ledger::default(),
            directory,
            under_test,
            parameters,
            ehlo: OUTSIDE.to_owned(),
            begun: 0,
            solo: None,
            case: String::new(),
        }
    }

    /// Marks a place in the record, with what the suite knows there.
    pub(crate) fn mark(&self, name: &str, value: Value) -> u64 {
        self.recorder.record(Event::Mark { name: name.to_owned(), value })
    }

    /// Takes the recorder of the next case.
    pub(crate) fn begin_case(&mut self, case: &str, recorder: Recorder) {
        case.clone_into(&mut self.case);
        self.begun += 1;
        self.recorder = recorder;
    }

    /// Lets go of what only one case uses.
    pub(crate) fn end_case(&mut self) {
        self.ledger = Ledger::default();
        self.recorder = Recorder::nowhere();
        OUTSIDE.clone_into(&mut self.ehlo);
    }

    /// Whether some line of this case, either way, begins with a word.
    pub(crate) fn seen(&self, word: &str) -> bool {
        let records = self.recorder.so_far();
        let transcript = crate::transcript::Transcript::new(&records);
        let mut links = transcript.connections();
        links.dedup();
        links.iter().any(|link| {
            transcript.lines(link).iter().any(|line| crate::smtp::starts_with(&line.text, word))
        })
    }

    /// Starts a cluster for this case.
    pub(crate) fn cluster(
        &self,
        blueprint: Blueprint,
        rules: &[(&str, Rule)],
    ) -> Result<Cluster, Stop> {
        let recorder = self.recorder.clone();
        self.start(&recorder, &self.case, blueprint, rules)
    }

    fn start(
        &self,
        recorder: &Recorder,
        name: &str,
        blueprint: Blueprint,
        rules: &[(&str, Rule)],
    ) -> Result<Cluster, Stop> {
        let UnderTest::Adapter(command) = &self.under_test else {
            return Err(Stop::CouldNotRun("only an adapter can start nodes".into()));
        };
        let logs = self.directory.join(name);
        let ground = Ground { command, recorder, patience: self.patience, logs: &logs };
        Cluster::start(&ground, blueprint, rules)
    }

    /// Opens the one connection of a script.
    pub(crate) fn seat(&mut self, link: &str, seat: Seat, port: Port) -> Result<Wire, Stop> {
        match self.try_seat(link, seat, port) {
            // The node may have died in an earlier case; a fresh one gets a fresh chance.
            Err(_) if self.solo.is_some() => {
                self.solo = None;
                self.try_seat(link, seat, port)
            }
            result => result,
        }
    }

    fn try_seat(&mut self, link: &str, seat: Seat, port: Port) -> Result<Wire, Stop> {
        let waits = (self.patience.connect(), self.patience.reply());
        let (from, to) = match (&self.under_test, seat, port) {
            (UnderTest::Target(address), Seat::Outside, Port::Smtp) => (None, *address),
            (UnderTest::Target(_), ..) => {
                let problem = "only an adapter can make the suite a member";
                return Err(Stop::CouldNotRun(problem.into()));
            }
            (UnderTest::Adapter(_), ..) => self.solo_place(seat, port)?,
        };
        Wire::dial(&self.recorder, &self.ledger, link, from, to, waits)
            .map_err(|error| Stop::Unusable(format!("cannot connect to {}", error.0)))
    }

    /// Where the suite sits when it talks to the one node of all scripts.
    fn solo_place(
        &mut self,
        seat: Seat,
        port: Port,
    ) -> Result<(Option<core::net::Ipv4Addr>, SocketAddr), Stop> {
        if self.solo.is_none() {
            let nowhere = Recorder::nowhere();
            let rules = [("RG1-RG2", Rule::Refuse)];
            let mut cluster = self.start(&nowhere, "solo", solo(), &rules)?;
            cluster.settle()?;
            self.solo = Some(cluster);
        }
        let Some(cluster) = &self.solo else {
            return Err(Stop::Bug("the node of the scripts has just been started".into()));
        };
        let (from, name) = match seat {
            Seat::Outside => (OUTSIDE_ADDRESS, OUTSIDE),
            Seat::Member => (cluster.address_of("rg2-a"), "rg2-a"),
            Seat::Fellow => (cluster.address_of("rg1-c"), "rg1-c"),
        };
        name.clone_into(&mut self.ehlo);
        Ok((Some(from), cluster.listens("rg1-a", port)?))
    }

    /// Replaces `{recipient}`, `{unknown}`, `{sender}`, `{ehlo}` and `{fresh}`, a number that stands for
    /// this case alone.
    pub(crate) fn expand(&self, octets: &[u8]) -> Result<Vec<u8>, Stop> {
        let mut octets = octets.to_vec();
        let fresh = (FRESH + self.begun).to_string();
        let words = [
            ("{fresh}", Some(fresh.as_str())),
            ("{recipient}", Some(self.parameters.recipient.as_str())),
            ("{unknown}", self.parameters.unknown.as_deref()),
            ("{sender}", Some(self.parameters.sender.as_str())),
            ("{ehlo}", Some(self.ehlo.as_str())),
        ];
        for (word, value) in words {
            while let Some(place) = find(&octets, word.as_bytes()) {
                let Some(value) = value else {
                    return Err(Stop::CouldNotRun(format!("needs a value for {word}")));
                };
                octets.splice(place..place + word.len(), value.bytes());
            }
        }
        Ok(octets)
    }
}

fn find(octets: &[u8], word: &[u8]) -> Option<usize> {
    octets.windows(word.len()).position(|window| window == word)
}
