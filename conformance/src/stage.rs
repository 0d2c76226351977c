//! What a running case has to work with.

use core::net::{Ipv4Addr, SocketAddr};
use std::ffi::OsString;
use std::path::PathBuf;

use serde_json::Value;

use crate::clock::Patience;
use crate::event::{Event, Stop};
use crate::log::Recorder;
use crate::net::{Ledger, Port, Wire};
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
        }
    }

    /// Marks a place in the record, with what the suite knows there.
    pub(crate) fn mark(&self, name: &str, value: Value) -> u64 {
        self.recorder.record(Event::Mark { name: name.to_owned(), value })
    }

    /// Takes the recorder of the next case.
    pub(crate) fn begin_case(&mut self, recorder: Recorder) {
        self.recorder = recorder;
    }

    /// Lets go of what only one case uses.
    pub(crate) fn end_case(&mut self) {
        self.ledger = Ledger::default();
        OUTSIDE.clone_into(&mut self.ehlo);
    }

    /// Opens the one connection of a script.
    pub(crate) fn seat(&mut self, link: &str, seat: Seat, port: Port) -> Result<Wire, Stop> {
        let (from, to) = self.place(seat, port)?;
        let waits = (self.patience.connect(), self.patience.reply());
        Wire::dial(&self.recorder, &self.ledger, link, from, to, waits)
            .map_err(|error| Stop::Unusable(format!("cannot connect to {}", error.0)))
    }

    fn place(&mut self, seat: Seat, port: Port) -> Result<(Option<Ipv4Addr>, SocketAddr), Stop> {
        match &self.under_test {
            UnderTest::Target(address) if seat == Seat::Outside && port == Port::Smtp => {
                Ok((None, *address))
            }
            UnderTest::Target(_) => {
                Err(Stop::CouldNotRun("only an adapter can make the suite a member".into()))
            }
            UnderTest::Adapter(_) => Err(Stop::CouldNotRun("no node".into())),
        }
    }

    /// Replaces `{recipient}`, `{unknown}`, `{sender}` and `{ehlo}`.
    pub(crate) fn expand(&self, octets: &[u8]) -> Result<Vec<u8>, Stop> {
        let mut octets = octets.to_vec();
        let words = [
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
