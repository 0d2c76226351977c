//! Reads what happened in one case. Judges see nothing else: no socket, no clock, no adapter.

use serde_json::Value;

use crate::event::{Event, How, Record, Stop, Way};
use crate::security::Security;
use crate::smtp;

/// The records of one case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transcript<'a> {
    records: &'a [Record],
}

/// A line, or a frame, that passed on a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Passed {
    /// The record with which it was complete.
    pub(crate) n: u64,
    /// The virtual time of that record.
    pub(crate) at_us: u64,
    /// The connection, `LINK#n`.
    pub(crate) link: String,
    /// Which way.
    pub(crate) way: Way,
    /// Without its line end.
    pub(crate) text: String,
    /// Whether the suite kept it from arriving.
    pub(crate) withheld: bool,
}

/// An attempt to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// The record.
    pub(crate) n: u64,
    /// The virtual time.
    pub(crate) at_us: u64,
    /// The connection, `LINK#n`.
    pub(crate) link: String,
    /// What the suite did with it.
    pub(crate) outcome: String,
}

/// What a node has proved on a connection with TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    /// The record.
    pub(crate) n: u64,
    /// The connection, `LINK#n`.
    pub(crate) link: String,
    /// The side of the node.
    pub(crate) way: Way,
    /// Whether it proved the name that it must have.
    pub(crate) right: bool,
}

/// The octets of one way of one connection, each with the record that brought it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stream {
    /// The octets.
    pub(crate) octets: Vec<u8>,
    /// For each octet, the number of its record.
    pub(crate) numbers: Vec<u64>,
}

impl<'a> Transcript<'a> {
    /// Over the records of one case.
    pub(crate) const fn new(records: &'a [Record]) -> Self {
        Self { records }
    }

    /// All records.
    pub(crate) const fn records(&self) -> &'a [Record] {
        self.records
    }

    /// How members proved their names in it.
    pub(crate) fn security(&self) -> Option<Security> {
        self.records.iter().find_map(|record| match &record.event {
            Event::CaseStart { security, .. } => *security,
            _ => None,
        })
    }

    /// Why the case stopped, if it did.
    pub(crate) fn stop(&self) -> Option<&'a Stop> {
        self.records.iter().find_map(|record| match &record.event {
            Event::Stopped { stop } => Some(stop),
            _ => None,
        })
    }

    /// The record of a mark.
    pub(crate) fn mark(&self, wanted: &str) -> Option<&'a Record> {
        self.records
            .iter()
            .find(|record| matches!(&record.event, Event::Mark { name, .. } if name == wanted))
    }

    /// The value of a mark.
    pub(crate) fn value(&self, wanted: &str) -> &'a Value {
        match self.mark(wanted).map(|record| &record.event) {
            Some(Event::Mark { value, .. }) => value,
            _ => &Value::Null,
        }
    }

    /// Every attempt to connect on a link.
    pub(crate) fn attempts(&self, wanted: &str) -> Vec<Attempt> {
        self.records
            .iter()
            .filter_map(|record| match &record.event {
                Event::Open { link, outcome } if is_of(link, wanted) => Some(Attempt {
                    n: record.n,
                    at_us: record.at_us,
                    link: link.clone(),
                    outcome: outcome.clone(),
                }),
                _ => None,
            })
            .collect()
    }

    /// What the nodes have proved on a link.
    pub(crate) fn proofs(&self, wanted: &str) -> Vec<Proof> {
        let proof = |record: &Record| match &record.event {
            Event::Tls { link, way, problem, .. } if is_of(link, wanted) => {
                Some(Proof { n: record.n, link: link.clone(), way: *way, right: problem.is_none() })
            }
            _ => None,
        };
        self.records.iter().filter_map(proof).collect()
    }

    /// The first time that the suite did this to a connection of a link.
    pub(crate) fn verb(&self, wanted: &str, done: &str) -> Option<u64> {
        self.records.iter().find_map(|record| match &record.event {
            Event::Network { link, verb } if is_of(link, wanted) && verb == done => Some(record.n),
            _ => None,
        })
    }

    /// Every connection that was opened, by whatever link.
    pub(crate) fn connections(&self) -> Vec<&'a str> {
        self.records
            .iter()
            .filter_map(|record| match &record.event {
                Event::Open { link, .. } => Some(link.as_str()),
                _ => None,
            })
            .collect()
    }

    /// The octets of one way of one connection, `LINK#n`.
    pub(crate) fn stream(&self, connection: &str, wanted: Way) -> Stream {
        let mut stream = Stream::default();
        for record in self.records {
            if let Event::Octets { link, way, data, .. } = &record.event
                && link == connection
                && *way == wanted
            {
                let octets = data.bytes();
                stream.numbers.extend(core::iter::repeat_n(record.n, octets.len()));
                stream.octets.extend(octets);
            }
        }
        stream
    }

    /// How the side from which octets go `wanted` ended.
    pub(crate) fn end(&self, connection: &str, wanted: Way) -> Option<(u64, How)> {
        self.records.iter().find_map(|record| match &record.event {
            Event::End { link, way, how } if link == connection && *way == wanted => {
                Some((record.n, *how))
            }
            _ => None,
        })
    }

    /// Whether the suite waited in vain on a connection.
    pub(crate) fn silent(&self, connection: &str) -> bool {
        self.records
            .iter()
            .any(|record| matches!(&record.event, Event::Silence { link } if link == connection))
    }

    /// Every line that passed on a link, both ways, in order of their completion. Raw content between
    /// lines comes out as lines, too.
    pub(crate) fn lines(&self, wanted: &str) -> Vec<Passed> {
        let mut open: Vec<(&str, Way, Vec<u8>)> = Vec::new();
        let mut lines = Vec::new();
        for record in self.records {
            let Event::Octets { link, way, data, withheld } = &record.event else { continue };
            if !is_of(link, wanted) {
                continue;
            }
            let place = open.iter().position(|(l, w, _)| l == link && w == way);
            let place = place.unwrap_or_else(|| {
                open.push((link, *way, Vec::new()));
                open.len() - 1
            });
            let buffer = &mut open[place].2;
            buffer.extend(data.bytes());
            while let Some(end) = buffer.iter().position(|octet| *octet == b'\n') {
                let mut line: Vec<u8> = buffer.drain(..=end).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                lines.push(Passed {
                    n: record.n,
                    at_us: record.at_us,
                    link: link.clone(),
                    way: *way,
                    text: String::from_utf8_lossy(&line).into_owned(),
                    withheld: *withheld,
                });
            }
        }
        lines
    }

    /// The lines of a link that begin with `prefix`, compared without case.
    pub(crate) fn lines_with(&self, link: &str, way: Way, prefix: &str) -> Vec<Passed> {
        self.lines(link)
            .into_iter()
            .filter(|line| line.way == way && smtp::starts_with(&line.text, prefix))
            .collect()
    }
}

/// Whether connection `LINK#n` belongs to `wanted`, a link or that very connection.
fn is_of(connection: &str, wanted: &str) -> bool {
    connection == wanted || connection.rsplit_once('#').is_some_and(|(link, _)| link == wanted)
}
