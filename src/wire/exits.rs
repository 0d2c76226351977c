//! The exits of a group: connectors whose far end is the outside, with the domains that each is for.
//!
//! Like restrictions, they stand in the record, so that every member chooses alike.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use nom::Parser;
use nom::bytes::complete::tag;
use nom::combinator::{cut, map, opt, verify};
use nom::sequence::preceded;
use serde::{Deserialize, Serialize};

use super::orginfo::{counted_name, hex, list, listed, member_name, name, token, word};
use super::parse::{Failure, Parsed, expect};
use super::restrictions::{self, Restrictions};
use super::smtp::decode_address;
use crate::clause;
use crate::wire::ids::{ExitName, MemberName};
use crate::wire::record::COST_RANGE;

/// The most exits of one record.
pub const EXITS_LIMIT: usize = 64;
/// The most address spaces of one exit.
pub const SPACES_LIMIT: usize = 32;
/// The most members that carry one exit.
pub const EXIT_SOURCES_LIMIT: usize = 64;

/// For which domains an exit is: `*`, `example.net` or `*.example.net`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Space(pub String);

/// How closely a space fits a domain that it covers; the greatest fits best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Specificity {
    /// It covers every domain.
    All,
    /// It covers what is below a domain of so many octets.
    Below(usize),
    /// It is for this domain alone.
    Exact,
}

/// Who may use an exit.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Every group.
    #[default]
    Organization,
    /// The group whose exit it is.
    Group,
}

/// One exit in its group's record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ExitRecord {
    /// Its name.
    pub name: ExitName,
    /// The domains that it is for, in ascending order.
    pub spaces: Vec<Space>,
    /// 1 to 100.
    pub cost: u32,
    /// The members that carry it, in the order in which others hand mail to them.
    pub sources: Vec<MemberName>,
    /// Who may use it.
    #[serde(default, skip_serializing_if = "Scope::is_organization")]
    pub scope: Scope,
    /// For which messages it can be used.
    #[serde(default, skip_serializing_if = "Restrictions::is_none")]
    pub restrictions: Restrictions,
}

impl Scope {
    /// What serde asks.
    #[must_use]
    pub fn is_organization(&self) -> bool {
        *self == Self::Organization
    }

    /// As people write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Group => "group",
        }
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Space {
    /// Whether it is one of the three forms.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        if self.0 == "*" {
            return true;
        }
        let domain = self.0.strip_prefix("*.").unwrap_or(&self.0);
        let is_plain = |octet: u8| octet.is_ascii() && !octet.is_ascii_uppercase();
        domain.bytes().all(is_plain)
            && !domain.starts_with('[')
            && decode_address(&format!("postmaster@{domain}")).is_ok()
    }

    /// How closely it fits `domain`, if it covers it.
    #[must_use]
    pub fn fit(&self, domain: &str) -> Option<Specificity> {
        clause!(LS_212);
        if self.0 == "*" {
            return Some(Specificity::All);
        }
        let Some(above) = self.0.strip_prefix("*.") else {
            return self.0.eq_ignore_ascii_case(domain).then_some(Specificity::Exact);
        };
        let (domain, tail) = (domain.as_bytes(), &self.0.as_bytes()[1..]);
        let is_below = domain.len() > tail.len()
            && domain[domain.len() - tail.len()..].eq_ignore_ascii_case(tail);
        is_below.then_some(Specificity::Below(above.len()))
    }
}

impl ExitRecord {
    /// How closely the best of its spaces fits `domain`, if any covers it.
    #[must_use]
    pub fn fit(&self, domain: &str) -> Option<Specificity> {
        self.spaces.iter().filter_map(|space| space.fit(domain)).max()
    }

    fn check(&self) -> Result<(), String> {
        if !COST_RANGE.contains(&self.cost) {
            return Err(format!("cost {}, expected 1 to 100", self.cost));
        }
        let counts = [
            ("sources", self.sources.len(), EXIT_SOURCES_LIMIT),
            ("address spaces", self.spaces.len(), SPACES_LIMIT),
        ];
        for (what, count, limit) in counts {
            if !(1..=limit).contains(&count) {
                return Err(format!("{count} {what}, expected 1 to {limit}"));
            }
        }
        if !self.spaces.is_sorted_by(|left, right| left < right) {
            return Err(String::from("address spaces are not in ascending order"));
        }
        if let Some(space) = self.spaces.iter().find(|space| !space.is_valid()) {
            return Err(format!("`{space}` is no address space"));
        }
        self.restrictions.check()
    }
}

/// What is wrong with the exits of a record that a peer sent.
///
/// # Errors
/// The first rule that they break, in words.
pub fn check_exits(exits: &[ExitRecord]) -> Result<(), String> {
    clause!(LS_211);
    if exits.len() > EXITS_LIMIT {
        return Err(format!("{} exits, at most {EXITS_LIMIT}", exits.len()));
    }
    if !exits.is_sorted_by(|left, right| left.name < right.name) {
        return Err(String::from("exits are not in order of their names"));
    }
    exits.iter().try_for_each(|exit| {
        exit.check().map_err(|problem| format!("exit {}: {problem}", exit.name))
    })
}

/// ` EXITS ( … )` as it stands in a record; nothing where there are none.
pub(super) fn encode(exits: &[ExitRecord]) -> String {
    if exits.is_empty() {
        return String::new();
    }
    format!(" EXITS {}", list(exits.iter().map(encode_exit)))
}

fn encode_exit(exit: &ExitRecord) -> String {
    assert!(COST_RANGE.contains(&exit.cost), "the cost of an exit is 1 to 100");
    format!(
        "{} ( SPACES {} COST {:x} BH {}{}{} )",
        name(exit.name.as_str()),
        list(exit.spaces.iter().map(|space| name(&space.0))),
        exit.cost,
        list(exit.sources.iter().map(|member| name(member.as_str()))),
        if exit.scope == Scope::Group { " SCOPE GROUP" } else { "" },
        restrictions::encode(&exit.restrictions),
    )
}

/// Reads what [`encode`] wrote.
pub(super) fn parse(input: &str) -> Parsed<'_, Vec<ExitRecord>> {
    let some = expect("SP and some exits", some(exit));
    map(opt(preceded(word("EXITS"), cut(some))), Option::unwrap_or_default).parse(input)
}

/// SP and a list that is not empty.
fn some<'a, O>(
    item: impl FnMut(&'a str) -> Parsed<'a, O>,
) -> impl Parser<&'a str, Output = Vec<O>, Error = Failure> {
    verify(listed(item), |items: &Vec<O>| !items.is_empty())
}

fn exit(input: &str) -> Parsed<'_, ExitRecord> {
    let cost = expect("a cost from 1 to 64 (hexadecimal)", verify(hex, |c| COST_RANGE.contains(c)));
    let scope = preceded(word("SCOPE"), cut(expect("SP and GROUP", word("GROUP"))));
    let (rest, (name, _, spaces, _, cost, _, sources, scope, restrictions, _)) = (
        token(map(counted_name, ExitName)),
        expect("SP, `(` and SPACES", tag(" ( SPACES")),
        expect("SP and some address spaces", some(token(map(counted_name, Space)))),
        expect("SP and COST", word("COST")),
        token(cost),
        expect("SP and BH", word("BH")),
        expect("SP and the names of some members", some(token(member_name))),
        opt(scope),
        restrictions::parse,
        expect("SP and `)`", tag(" )")),
    )
        .parse(input)?;
    let scope = scope.map_or(Scope::Organization, |_| Scope::Group);
    Ok((rest, ExitRecord { name, spaces, cost, sources, scope, restrictions }))
}

#[cfg(test)]
mod tests {
    use super::*;

    // LS-212
    #[test]
    fn spaces_cover_what_they_say_and_no_more() {
        use Specificity::{All, Below, Exact};
        for (space, domain, fit) in [
            ("*", "example.net", Some(All)),
            ("*", "[192.0.2.1]", Some(All)),
            ("example.net", "EXAMPLE.net", Some(Exact)),
            ("example.net", "a.example.net", None),
            ("*.example.net", "a.Example.NET", Some(Below(11))),
            ("*.example.net", "b.a.example.net", Some(Below(11))),
            ("*.example.net", "example.net", None),
            ("*.example.net", ".example.net", None),
            ("*.example.net", "badexample.net", None),
            ("*.net", "bücher.net", Some(Below(3))),
            ("*.net", "ünet", None),
            ("xn--bcher-kva.net", "bücher.net", None),
        ] {
            assert_eq!(Space(space.into()).fit(domain), fit, "{space} and {domain}");
        }
        assert!(All < Below(1) && Below(3) < Below(11) && Below(253) < Exact);
    }

    // LS-211, LS-212
    #[test]
    fn a_space_has_one_of_three_forms() {
        for space in ["*", "net", "example.net", "*.example.net", "xn--bcher-kva.example"] {
            assert!(Space(space.into()).is_valid(), "{space}");
        }
        let long = ["a"; 129].join(".");
        for space in [
            "",
            "*.",
            "**",
            "*.*",
            "a*.net",
            "*net",
            "Example.net",
            "bücher.net",
            "a..net",
            "[::1]",
            "[192.0.2.1]",
            "*.[192.0.2.1]",
            "a b.net",
            "net.",
            ".net",
            "a@b.net",
            "a>",
            &long,
        ] {
            assert!(!Space(space.into()).is_valid(), "{space}");
        }
    }
}
