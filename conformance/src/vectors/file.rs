//! The format of the vector files.

use serde::Deserialize;

/// The only value of `schema` that this version reads.
const SCHEMA: u32 = 2;

/// One file: vectors on one port.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    schema: u32,
    pub(super) protocol: Protocol,
    pub(super) seat: SeatName,
    pub(super) port: PortName,
    count: usize,
    pub(super) vectors: Vec<Vector>,
}

/// What the vectors are about.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Protocol {
    Smtp,
    Submit,
    LinkState,
    Deliver,
}

/// Who the suite is.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SeatName {
    Outside,
    Member,
    Fellow,
}

/// Where it connects to.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum PortName {
    Smtp,
    Deliver,
    Group,
}

/// One vector.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Vector {
    pub(super) id: String,
    pub(super) flag: String,
    /// The same in words, where a word is not enough.
    pub(super) why: Option<String>,
    pub(super) verifies: Vec<String>,
    /// Where it is another one than that of the file.
    pub(super) seat: Option<SeatName>,
    pub(super) before: Vec<Before>,
    /// What is in question: a line without its end, or, on the group port, octets as they stand.
    pub(super) line: String,
    /// What follows once the line is answered by 354.
    pub(super) content: Option<String>,
    pub(super) result: Outcome,
    pub(super) reply: String,
    /// The vector that differs in the one thing and is accepted.
    pub(super) twin: Option<String>,
}

/// What must be said, and accepted, first.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum Before {
    /// A line; one that must be refused on the way stands behind an exclamation mark and a space.
    Line(String),
    /// A line with more to it.
    Step(Step),
}

/// A line with more to it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    pub(super) line: String,
    pub(super) reply: Option<String>,
    /// What follows once the line is answered by 354.
    pub(super) content: Option<String>,
    /// How often it is said; once, where nothing stands.
    pub(super) times: Option<usize>,
}

/// Whether the line must be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Outcome {
    Valid,
    Invalid,
}

/// Reads a file.
pub(super) fn read(text: &str) -> Result<File, String> {
    let file: File = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let count = file.vectors.len();
    if file.schema != SCHEMA || file.count != count {
        return Err(format!("schema {}, {count} vectors: not what it declares", file.schema));
    }
    Ok(file)
}

impl Before {
    /// The line as it goes out, and whether it must be refused.
    pub(super) fn line(&self) -> (&str, bool) {
        match self {
            Self::Line(line) => match line.strip_prefix("! ") {
                Some(line) => (line, true),
                None => (line, false),
            },
            Self::Step(step) => (&step.line, false),
        }
    }
}

impl File {
    /// Why another vector, of the file `theirs`, is no twin of one of this file: the two must stand in the
    /// same place and differ in exactly one of who speaks, what was said before, and the line.
    pub(super) fn no_twin(&self, own: &Vector, theirs: &Self, twin: &Vector) -> Option<String> {
        let refused = |before: &Before| before.line().1;
        if twin.result == Outcome::Invalid || twin.before.iter().any(refused) {
            return Some("wants a refusal itself".into());
        }
        if self.port != theirs.port || self.seat != theirs.seat {
            return Some("stands on another port, or in another seat".into());
        }
        let strange = own.seat != twin.seat;
        let same_before = own.before.len() == twin.before.len()
            && own.before.iter().zip(&twin.before).all(|(own, twin)| match strange {
                // Whoever is refused from the start is refused in what comes before the line, too.
                true => own.line().0 == twin.line().0,
                false => own == twin,
            });
        let differences = [strange, !same_before, own.line != twin.line];
        let count = differences.iter().filter(|differs| **differs).count();
        (count != 1).then(|| format!("differs in {count} of seat, before and line, not in one"))
    }
}
