//! The list of members on the group port: what a member says of itself, and what its master says of all.
//!
//! A member says `HEARTBEAT`; its master tells the list by `MEMBERS`, and loads that have changed since
//! by `LOADS`.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, map, value, verify};
use nom::sequence::preceded;
use serde::{Deserialize, Serialize};

use super::frame::counted;
use super::orginfo::{
    counted_text, encode_term, hex, list, listed, member_name, name, term, token, word,
};
use super::parse::{Parsed, expect, refuse};
use crate::clause;
use crate::wire::ids::MemberName;
use crate::wire::record::Term;

/// The most members of one group, and of one list.
pub const MEMBERS_LIMIT: usize = 64;
/// The weights of members that queue for others.
pub const WEIGHT_RANGE: core::ops::RangeInclusive<u32> = 1..=100;
/// The most features that one member names.
pub const FEATURES_LIMIT: usize = 16;
/// The longest name of a feature.
pub const FEATURE_LIMIT_OCTETS: usize = 32;

/// The name of something that goes beyond what a version of the protocols must understand.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Feature(String);

impl Feature {
    /// The feature of that name; `None` where no feature can have it.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let is_part = |octet: u8| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let fits = (1..=FEATURE_LIMIT_OCTETS).contains(&name.len()) && name.bytes().all(is_part);
        fits.then(|| Self(String::from(name)))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a member, or a whole group, understands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Spoken {
    /// The version of the protocols, 1 or greater.
    pub version: u32,
    /// The features; at most [`FEATURES_LIMIT`].
    pub features: BTreeSet<Feature>,
}

impl Spoken {
    /// What a member speaks that has never said what it speaks.
    pub const FIRST: Self = Self { version: 1, features: BTreeSet::new() };
}

/// What a member does in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It takes the traffic from outside, and has no account open.
    Frontend,
    /// It has accounts open.
    Backend,
}

/// Who queues what is born at a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubmitPolicy {
    /// The member itself.
    Local,
    /// The member itself, and what others submit to it, too.
    LocalForOthers,
    /// Another member of its group.
    Remote,
}

/// What a member takes upon itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Standing {
    /// Its role, if it has one.
    pub role: Option<Role>,
    /// Who queues what is born at it.
    pub policy: SubmitPolicy,
    /// How much of what others submit it takes, beside other members that do.
    pub weight: u32,
    /// The messages in its queue.
    pub load: u32,
}

/// The name of a list among those of its group. Ordered by term, then number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ListVersion {
    /// Whose mastership made it.
    pub term: Term,
    /// Counts the lists of the term.
    pub number: u64,
}

/// What a member says of itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Heartbeat {
    /// What it understands.
    pub spoken: Spoken,
    /// What it takes upon itself.
    pub standing: Standing,
    /// The operator has ordered it to drain.
    pub drains: bool,
    /// The list that it has.
    pub known: Option<ListVersion>,
}

/// Whether a member is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// It is.
    Active,
    /// It is, and takes nothing more upon itself.
    Draining,
    /// It has not been heard of for long.
    Away,
}

/// One member in the list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Listed {
    /// Who.
    pub member: MemberName,
    /// Whether it is there.
    pub presence: Presence,
    /// What it takes upon itself.
    pub standing: Standing,
    /// What it understands, where it has ever said so.
    pub spoken: Option<Spoken>,
}

/// The list of the members of a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MemberList {
    /// Which list this is.
    pub version: ListVersion,
    /// What every member of the group understands.
    pub spoken: Spoken,
    /// The members in strictly ascending order of their names, 1 to [`MEMBERS_LIMIT`].
    pub members: Vec<Listed>,
}

/// What a member and its master say to each other about the list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MembersPdu {
    /// A member says how it is.
    Heartbeat(Heartbeat),
    /// The master tells the list.
    Members(MemberList),
    /// The master tells how loads have changed since.
    Loads {
        /// Of this list.
        list: ListVersion,
        /// The messages in the queues of these, in strictly ascending order of the names.
        loads: Vec<(MemberName, u32)>,
    },
}

impl SubmitPolicy {
    /// As the configuration and the log have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::LocalForOthers => "local-for-others",
            Self::Remote => "remote",
        }
    }
}

impl Role {
    /// As the configuration and commands have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Frontend => "frontend",
            Self::Backend => "backend",
        }
    }
}

impl Presence {
    /// As commands print it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Draining => "draining",
            Self::Away => "away",
        }
    }
}

/// The content of a frame, without the end of the line.
pub(super) fn encode(pdu: &MembersPdu) -> String {
    match pdu {
        MembersPdu::Heartbeat(Heartbeat { spoken, standing, drains, known }) => {
            let duty = if *drains { "DRAINS" } else { "SERVES" };
            let known = known.as_ref().map_or_else(|| String::from(NONE), encode_version);
            let (spoken, standing) = (encode_spoken(spoken), encode_standing(standing));
            format!(" HEARTBEAT {spoken} {standing} {duty} {known}")
        }
        MembersPdu::Members(MemberList { version, spoken, members }) => {
            let members = list(members.iter().map(encode_listed));
            format!(" MEMBERS {} {} {members}", encode_version(version), encode_spoken(spoken))
        }
        MembersPdu::Loads { list: version, loads } => {
            let loads = loads.iter().map(|(m, load)| format!("{} {load:x}", name(m.as_str())));
            format!(" LOADS {} {}", encode_version(version), list(loads))
        }
    }
}

const NONE: &str = "-";

fn encode_version(ListVersion { term, number }: &ListVersion) -> String {
    assert!(*number > 0, "lists are counted from 1");
    format!("{} {number:x}", encode_term(term))
}

fn encode_spoken(Spoken { version, features }: &Spoken) -> String {
    assert!(*version > 0, "versions are counted from 1");
    assert!(features.len() <= FEATURES_LIMIT, "a member knows how many features it may name");
    format!("{version:x} {}", list(features.iter().map(|feature| counted(feature.as_str()))))
}

fn encode_standing(standing: &Standing) -> String {
    let role = match standing.role {
        Some(Role::Frontend) => "FRONTEND",
        Some(Role::Backend) => "BACKEND",
        None => NONE,
    };
    let policy = match standing.policy {
        SubmitPolicy::Local => "LOCAL",
        SubmitPolicy::LocalForOthers => "LOCAL-FOR-OTHERS",
        SubmitPolicy::Remote => "REMOTE",
    };
    format!("{role} {policy} {:x} {:x}", standing.weight, standing.load)
}

fn encode_listed(listed: &Listed) -> String {
    let presence = match listed.presence {
        Presence::Active => "ACTIVE",
        Presence::Draining => "DRAINING",
        Presence::Away => "AWAY",
    };
    let spoken = listed.spoken.as_ref().map_or_else(|| String::from(NONE), encode_spoken);
    let standing = encode_standing(&listed.standing);
    format!("{} {presence} {standing} {spoken}", name(listed.member.as_str()))
}

/// Reads the content of a frame, without the end of the line; says nothing of another verb.
pub(super) fn decode(input: &str) -> Parsed<'_, MembersPdu> {
    let heartbeat = preceded(word("HEARTBEAT"), cut(heartbeat));
    let members = preceded(word("MEMBERS"), cut(member_list));
    let loads = preceded(word("LOADS"), cut((list_version, loads)));
    alt((
        map(heartbeat, MembersPdu::Heartbeat),
        map(members, MembersPdu::Members),
        map(loads, |(list, loads)| MembersPdu::Loads { list, loads }),
    ))
    .parse(input)
}

fn heartbeat(input: &str) -> Parsed<'_, Heartbeat> {
    let duty = alt((value(false, word("SERVES")), value(true, word("DRAINS"))));
    let duty = expect("SP and SERVES or DRAINS", duty);
    map((spoken, standing, duty, or_none(list_version)), |(spoken, standing, drains, known)| {
        Heartbeat { spoken, standing, drains, known }
    })
    .parse(input)
}

fn member_list(input: &str) -> Parsed<'_, MemberList> {
    let (rest, (version, spoken)) = (list_version, spoken).parse(input)?;
    let (rest, members) = named(rest, |listed: &Listed| &listed.member, listed_member)?;
    Ok((rest, MemberList { version, spoken, members }))
}

fn loads(input: &str) -> Parsed<'_, Vec<(MemberName, u32)>> {
    let load = |input| (token(member_name), token(hex)).parse(input);
    named(input, |(member, _): &(MemberName, u32)| member, load)
}

/// SP and a list of members in strictly ascending order of their names, of which there are some.
fn named<'a, O>(
    input: &'a str,
    key: impl Fn(&O) -> &MemberName,
    item: impl FnMut(&'a str) -> Parsed<'a, O>,
) -> Parsed<'a, Vec<O>> {
    clause!(WI_131);
    let (rest, members) = listed(item).parse(input)?;
    if !(1..=MEMBERS_LIMIT).contains(&members.len()) {
        return refuse(input.len(), "1 to 64 members");
    }
    if members.windows(2).any(|pair| key(&pair[0]) >= key(&pair[1])) {
        return refuse(input.len(), "members in order of their names");
    }
    Ok((rest, members))
}

fn listed_member(input: &str) -> Parsed<'_, Listed> {
    let presence = alt((
        value(Presence::Active, word("ACTIVE")),
        value(Presence::Draining, word("DRAINING")),
        value(Presence::Away, word("AWAY")),
    ));
    let presence = expect("SP and ACTIVE, DRAINING or AWAY", presence);
    map(
        (token(member_name), presence, standing, or_none(spoken)),
        |(member, presence, standing, spoken)| Listed { member, presence, standing, spoken },
    )
    .parse(input)
}

/// SP and `term number`.
fn list_version(input: &str) -> Parsed<'_, ListVersion> {
    let number = expect("a number of a list, from 1", verify(hex, |number: &u64| *number > 0));
    map((term, token(number)), |(term, number)| ListVersion { term, number }).parse(input)
}

/// SP and `version features`.
fn spoken(input: &str) -> Parsed<'_, Spoken> {
    clause!(WI_131);
    let version = expect("a version, from 1", verify(hex, |version: &u32| *version > 0));
    map((token(version), features), |(version, features)| Spoken { version, features }).parse(input)
}

fn features(input: &str) -> Parsed<'_, BTreeSet<Feature>> {
    let (rest, features) = listed(token(feature)).parse(input)?;
    if features.len() > FEATURES_LIMIT {
        return refuse(input.len(), "at most 16 features");
    }
    if features.windows(2).any(|pair| pair[0] >= pair[1]) {
        return refuse(input.len(), "features in order of their names");
    }
    Ok((rest, features.into_iter().collect()))
}

fn feature(input: &str) -> Parsed<'_, Feature> {
    let (rest, text) = counted_text(input)?;
    match Feature::new(text) {
        Some(feature) => Ok((rest, feature)),
        None => refuse(rest.len() + text.len(), "1 to 32 lower-case letters, digits and `-`"),
    }
}

/// SP and `role policy weight load`.
fn standing(input: &str) -> Parsed<'_, Standing> {
    let role = or_none(expect(
        "SP and FRONTEND, BACKEND or -",
        alt((value(Role::Frontend, word("FRONTEND")), value(Role::Backend, word("BACKEND")))),
    ));
    // The word ends where no letter or digit follows: the longer one is looked for first.
    let policy = alt((
        value(SubmitPolicy::LocalForOthers, word("LOCAL-FOR-OTHERS")),
        value(SubmitPolicy::Local, word("LOCAL")),
        value(SubmitPolicy::Remote, word("REMOTE")),
    ));
    let policy = expect("SP and LOCAL, LOCAL-FOR-OTHERS or REMOTE", policy);
    let weight = verify(hex, |weight| WEIGHT_RANGE.contains(weight));
    let weight = expect("a weight from 1 to 64 (hexadecimal)", weight);
    map((role, policy, token(weight), token(hex)), |(role, policy, weight, load)| Standing {
        role,
        policy,
        weight,
        load,
    })
    .parse(input)
}

/// What `parser` reads, or SP and `-`.
fn or_none<'a, O>(
    mut parser: impl FnMut(&'a str) -> Parsed<'a, O>,
) -> impl FnMut(&'a str) -> Parsed<'a, Option<O>> {
    move |input| match input.strip_prefix(" -") {
        Some(rest) => Ok((rest, None)),
        None => parser(input).map(|(rest, value)| (rest, Some(value))),
    }
}
