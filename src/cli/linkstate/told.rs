//! A table as a member tells it or a file has it, and what of two tables differs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use crate::clause;
use crate::cli::admin::ADMIN_FORMAT;
use crate::cli::table::{field, items, plain};
use crate::protocol::linkstate::{Record, Table, Version};
use crate::wire::ids::ConnectorName;

/// How many digits of a digest people see.
const DIGEST_DIGITS: usize = 8;
/// What stands for the digest of a table that was told without one.
const UNKNOWN: &str = "unknown";

/// The table of a member.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    /// The member or the file.
    pub(super) name: String,
    /// What was answered.
    pub(super) answer: Value,
}

/// Which of two records of a group is the newer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Newer {
    /// That of the first table.
    First,
    /// That of the second.
    Second,
    /// Only the first table has one.
    OnlyFirst,
    /// Only the second table has one.
    OnlySecond,
    /// Both have the same version, and another content.
    Neither,
}

impl Newer {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Second => "second",
            Self::OnlyFirst => "only first",
            Self::OnlySecond => "only second",
            Self::Neither => "conflict",
        }
    }
}

/// One thing of a record that differs: a connector or a member, a field of it, and its two values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Detail {
    /// The connector or member; empty for the record itself.
    pub(super) of: String,
    pub(super) field: String,
    pub(super) first: Value,
    pub(super) second: Value,
}

/// What differs in the records of one group.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Difference {
    /// Its name; with its UUID where one of the tables has several groups of that name.
    pub(super) group: String,
    /// What it is told apart by.
    pub(super) uuid: String,
    pub(super) newer: Newer,
    /// The versions, as people see them.
    pub(super) versions: [Option<String>; 2],
    pub(super) details: Vec<Detail>,
}

impl Told {
    /// What a file of `export` has.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let wrong = |problem: String| format!("{}: {problem}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let answer: Value = serde_json::from_str(&text)
            .map_err(|error| wrong(format!("no JSON of `linkstate export`: {error}")))?;
        if answer["format"] != json!(ADMIN_FORMAT) {
            let format = plain(&answer["format"]);
            return Err(wrong(format!("format {format}, expected {ADMIN_FORMAT}")));
        }
        let told = Self { name: path.display().to_string(), answer };
        told.records().map_err(wrong)?;
        Ok(told)
    }

    /// The records, as the protocol has them.
    pub(super) fn records(&self) -> Result<Vec<Record>, String> {
        serde_json::from_value(field(&self.answer, "records").clone())
            .map_err(|error| format!("the records of {} cannot be read: {error}", self.name))
    }

    /// What the member thinks of the connectors that it carries.
    pub(super) fn judgements(&self) -> BTreeMap<ConnectorName, String> {
        let rows = items(&self.answer, "rows").iter().map(|row| field(row, "connector"));
        let judged = rows.filter_map(|connector| {
            let name = field(connector, "name").as_str()?;
            Some((name.into(), field(connector, "judgement").as_str()?.to_owned()))
        });
        judged.collect()
    }

    /// The records by UUID, which tells groups apart: a name may be used again, beside the tombstone of the
    /// group that had it.
    fn by_group(&self) -> BTreeMap<&str, &Value> {
        clause!(LS_001);
        let records = items(&self.answer, "records").iter();
        records.filter_map(|record| Some((field(record, "uuid").as_str()?, record))).collect()
    }

    /// The digest of the table, as it was told.
    pub(super) fn digest(&self) -> &str {
        field(&self.answer, "digest").as_str().unwrap_or(UNKNOWN)
    }

    /// The digest that the records have, where it is not the one that was told.
    fn contradicting(&self) -> Option<String> {
        let digest = json!(Table::new(self.records().ok()?).digest());
        digest.as_str().filter(|digest| *digest != self.digest()).map(str::to_owned)
    }
}

/// The first digits of a digest.
pub(super) fn short(digest: &str) -> &str {
    digest.get(..DIGEST_DIGITS).unwrap_or(digest)
}

/// What is wrong with tables whose records are equal and whose digests are not: one of them was not written as
/// the member told it.
pub(super) fn inconsistency(first: &Told, second: &Told) -> Option<String> {
    let digests = [first.digest(), second.digest()];
    if digests[0] == digests[1] || digests.contains(&UNKNOWN) {
        return None;
    }
    let mut said = format!(
        "the records are equal, and the digests are not: {} in {}, {} in {}",
        short(digests[0]),
        first.name,
        short(digests[1]),
        second.name
    );
    for told in [first, second] {
        if let Some(digest) = told.contradicting() {
            let (name, digest) = (&told.name, short(&digest));
            said.push_str(&format!("\n{name} is inconsistent: its records have digest {digest}"));
        }
    }
    Some(said)
}

/// What differs, group by group; nothing when the tables are equal.
pub(super) fn differences(first: &Told, second: &Told) -> Vec<Difference> {
    let (one, two) = (first.by_group(), second.by_group());
    // In the order of the names; a group that was renamed has its name of the second table.
    let name = |record: &Value| field(record, "group").as_str().unwrap_or_default().to_owned();
    let groups: BTreeMap<&str, String> =
        one.iter().chain(&two).map(|(uuid, record)| (*uuid, name(record))).collect();
    let mut bearers: BTreeMap<&str, usize> = BTreeMap::new();
    for name in groups.values() {
        *bearers.entry(name).or_default() += 1;
    }
    let mut sorted: Vec<(&String, &&str)> =
        groups.iter().map(|(uuid, name)| (name, uuid)).collect();
    sorted.sort_unstable();
    let found = sorted.into_iter().filter_map(|(name, uuid)| {
        let is_shared = bearers[name.as_str()] > 1;
        let shown = if is_shared { format!("{name} {uuid}") } else { name.clone() };
        let difference = difference(one.get(uuid).copied(), two.get(uuid).copied())?;
        Some(Difference { group: shown, uuid: String::from(*uuid), ..difference })
    });
    found.collect()
}

/// What differs in two records of a group, without the name of the group.
fn difference(one: Option<&Value>, two: Option<&Value>) -> Option<Difference> {
    if one == two {
        return None;
    }
    let version = |record: Option<&Value>| -> Option<Version> {
        serde_json::from_value(field(record?, "version").clone()).ok()
    };
    let (old, new) = (version(one), version(two));
    let newer = match (one, two) {
        (Some(_), None) => Newer::OnlyFirst,
        (None, _) => Newer::OnlySecond,
        _ if old > new => Newer::First,
        _ if old < new => Newer::Second,
        _ => Newer::Neither,
    };
    let details = match (one, two) {
        (Some(one), Some(two)) => details(one, two),
        _ => Vec::new(),
    };
    let versions = [old, new].map(|version| version.map(|version| version.to_string()));
    let (group, uuid) = (String::new(), String::new());
    Some(Difference { group, uuid, newer, versions, details })
}

/// Every field that differs, those of connectors and members by their names.
fn details(one: &Value, two: &Value) -> Vec<Detail> {
    let mut details = Vec::new();
    let parted = ["version", "members", "connectors"];
    compare("", &bare(one, &parted), &bare(two, &parted), &mut details);
    for of in ["members", "connectors"] {
        let (one, two) = (named(one, of), named(two, of));
        let names: BTreeSet<&String> = one.keys().chain(two.keys()).collect();
        for name in names {
            let nothing = Value::Null;
            let (one, two) = (one.get(name).unwrap_or(&nothing), two.get(name).unwrap_or(&nothing));
            match (one, two) {
                (Value::Object(_), Value::Object(_)) => compare(name, one, two, &mut details),
                _ if one == two => {}
                _ => details.push(Detail {
                    of: name.clone(),
                    field: if of == "members" { "attached".into() } else { String::new() },
                    first: one.clone(),
                    second: two.clone(),
                }),
            }
        }
    }
    details
}

fn bare(record: &Value, without: &[&str]) -> Value {
    let mut record = record.clone();
    if let Value::Object(fields) = &mut record {
        fields.retain(|name, _| !without.contains(&name.as_str()));
    }
    record
}

fn compare(of: &str, one: &Value, two: &Value, details: &mut Vec<Detail>) {
    let fields = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let (one, two) = (fields(one), fields(two));
    let names: BTreeSet<&String> = one.keys().chain(two.keys()).collect();
    for name in names {
        let (first, second) = (one.get(name), two.get(name));
        if first != second {
            let value = |value: Option<&Value>| value.cloned().unwrap_or(Value::Null);
            let (first, second) = (value(first), value(second));
            details.push(Detail { of: of.into(), field: name.clone(), first, second });
        }
    }
}

/// The elements of a list of objects with a name, or of pairs of a name and something.
fn named(record: &Value, list: &str) -> BTreeMap<String, Value> {
    let elements = items(record, list).iter().filter_map(|element| match element {
        Value::Array(pair) => Some((pair.first()?.as_str()?.to_owned(), pair.get(1)?.clone())),
        other => Some((field(other, "name").as_str()?.to_owned(), other.clone())),
    });
    elements.collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The answer of a member whose table has one record.
    pub(in crate::cli::linkstate) fn answer(minor: u32, state: &str, attached: bool) -> Value {
        let term = json!({"counter": 1, "member": "rg2-b", "nonce": 7});
        json!({
            "digest": format!("{minor:064x}"),
            "records": [{
                "group": "RG2", "uuid": "8a3e71c46d0f4b2e8c95f7a1d3b62202",
                "version": {"term": term, "major": 1, "minor": minor, "user": 0},
                "members": [["rg2-a", attached], ["rg2-b", true]],
                "connectors": [
                    {"name": "RG2-RG1", "to": "RG1", "cost": 10, "state": "UP", "sources": ["rg2-a"]},
                    {"name": "RG2-RG4", "to": "RG4", "cost": 10, "state": state, "sources": ["rg2-a"]},
                ],
            }],
            "rows": [],
        })
    }

    pub(in crate::cli::linkstate) fn told(name: &str, answer: Value) -> Told {
        Told { name: name.into(), answer }
    }

    #[test]
    fn the_newer_record_is_told_with_what_differs() {
        let (old, new) = (told("a", answer(0, "UP", true)), told("b", answer(1, "DOWN", false)));
        assert_eq!(differences(&old, &old), []);
        let found = differences(&old, &new);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].newer, found[0].group.as_str()), (Newer::Second, "RG2"));
        assert_eq!(found[0].versions, [Some("1.1.0.0".into()), Some("1.1.1.0".into())]);
        let details: Vec<(&str, &str)> =
            found[0].details.iter().map(|d| (d.of.as_str(), d.field.as_str())).collect();
        assert_eq!(details, [("rg2-a", "attached"), ("RG2-RG4", "state")]);
        assert_eq!(differences(&new, &old)[0].newer, Newer::First);
    }

    #[test]
    fn the_same_version_with_another_content_is_a_conflict() {
        let (one, two) = (told("a", answer(1, "UP", true)), told("b", answer(1, "DOWN", true)));
        assert_eq!(differences(&one, &two)[0].newer, Newer::Neither);
    }

    #[test]
    fn a_record_that_one_of_them_lacks_is_named() {
        let empty = told("c", json!({"records": []}));
        let full = told("a", answer(1, "UP", true));
        assert_eq!(differences(&full, &empty)[0].newer, Newer::OnlyFirst);
        assert_eq!(differences(&empty, &full)[0].newer, Newer::OnlySecond);
    }
}
