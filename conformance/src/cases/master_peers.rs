//! What the cases of elections share: the words of an election, and who says them.

use super::handing_over::always;
use super::link_peers::{TO_RG2, knows};
use crate::case::Case;
use crate::cluster::SECOND;
use crate::net::{Port, Rule};
use crate::organization::{Blueprint, RG2_RECORD, electing, electing_last};
use crate::play::{Answer, Cue, On, Play};
use crate::script::{Script, Seat, frame};

const ELECTION: &str = "master/election";
/// How long a voter promises, and the parts of it that have a meaning.
pub(super) const LEASE: u64 = 30 * SECOND;
pub(super) const TENTH: u64 = 3 * SECOND;
pub(super) const THIRD: u64 = 10 * SECOND;
/// How long the lease of a holder is, by a drift of 50,000 parts in a million (MA-036).
pub(super) const HELD: u64 = 27_142_857;
/// By when a node that stands first has been elected, where its first poll and its first round go well.
pub(super) const ELECTED: u64 = 34 * SECOND;

/// The node opens these connections for an election.
pub(super) const TO_B: &str = "rg1-a>rg1-b/group";
pub(super) const TO_C: &str = "rg1-a>rg1-c/group";
pub(super) const TO_D: &str = "rg1-a>rg1-d/group";
pub(super) const TO_E: &str = "rg1-a>rg1-e/group";
pub(super) const POLL_TO_B: On = On::said(TO_B, "").with(" POLL ");
pub(super) const POLL_TO_C: On = On::said(TO_C, "").with(" POLL ");
pub(super) const VOTE_TO_B: On = On::said(TO_B, "").with(" VOTE ");
pub(super) const VOTE_TO_C: On = On::said(TO_C, "").with(" VOTE ");
pub(super) const LEAD_TO_B: On = On::said(TO_B, "").with(" LEAD ");
pub(super) const LEAD_TO_C: On = On::said(TO_C, "").with(" LEAD ");
/// Its own name in a term.
pub(super) const FIRST_TERM: &str = " 1 {5}rg1-a ";

/// What a played voter hears.
pub(super) const POLL: &str = " POLL ";
pub(super) const VOTE: &str = " VOTE ";
pub(super) const LEAD: &str = " LEAD ";

/// Terms of others, each greater than the one before.
pub(super) const B4: &str = "4 {5}rg1-b 9";
pub(super) const C5: &str = "5 {5}rg1-c 7";
pub(super) const B6: &str = "6 {5}rg1-b 9";

/// What RG1 says of itself under the terms of others; its connector has the state that is named.
pub(super) const RG1_UNDER_C5: &str = concat!(
    "( 00000000000000000000000000000001 {3}RG1 5 {5}rg1-c 7 1 0 0 ",
    "( {5}rg1-a YES {5}rg1-b YES {5}rg1-c YES ) ",
    "( {7}RG1-RG2 ( CONFIG {3}RG2 a BH ( {5}rg1-a ) STATE UP ) ) )",
);
pub(super) const RG1_UNDER_B4: &str = concat!(
    "( 00000000000000000000000000000001 {3}RG1 4 {5}rg1-b 9 1 0 0 ",
    "( {5}rg1-a YES {5}rg1-b YES {5}rg1-c YES ) ",
    "( {7}RG1-RG2 ( CONFIG {3}RG2 a BH ( {5}rg1-a ) STATE DOWN ) ) )",
);

pub(super) fn master(id: &str, title: &str, verifies: &[&str], play: Play) -> Case {
    Case::play(id, title, ELECTION, play).verifies(verifies)
}

/// A case that is no play.
pub(super) const fn profile() -> &'static str {
    ELECTION
}

/// The node is in a group that elects; the bridgehead of RG2 has the table that it is told.
pub(super) fn election(blueprint: fn() -> Blueprint) -> Play {
    Play::over(blueprint).opens(TO_RG2, Port::Smtp, knows(&[RG2_RECORD])).mark("begun")
}

/// The node stands first, and everybody would have it.
pub(super) fn candidate() -> Play {
    election(electing)
}

/// The same, and it is elected.
pub(super) fn elected() -> Play {
    candidate().awaits(LEAD_TO_B, 1, ELECTED).mark("elected")
}

/// The node is a voter, stands last, and reaches nobody.
pub(super) fn voter() -> Play {
    election(electing_last).begins(TO_B, Rule::Refuse).begins(TO_C, Rule::Refuse)
}

/// The same, once it may vote.
pub(super) fn free_voter() -> Play {
    voter().wait(LEASE)
}

/// Whoever is played says nothing to this.
pub(super) const fn hangs(at: &'static str) -> Cue {
    always(at, Answer::Hang)
}

/// Goes on as this member.
pub(super) const fn on(member: &'static str) -> Script {
    Script::new(Seat::Named(member), Port::Group)
}

/// Calls the node as this member, and says nothing yet.
pub(super) fn called(member: &'static str) -> Script {
    on(member).frame("greeting", " NODEINFO (6) {")
}

/// The same, for an election.
pub(super) fn convened(member: &'static str) -> Script {
    called(member).send(framed(&format!(" CONVENE {{5}}{member}")).as_bytes())
}

/// A frame with the end of the line.
pub(super) fn framed(content: &str) -> String {
    frame(&format!("{content}\r\n"))
}

/// Says something, and expects exactly this answer.
pub(super) fn says(script: Script, what: &str, check: &str, answer: &str) -> Script {
    says_like(script, what, check, &format!("{answer}\r\n"))
}

/// The same, where the answer need only begin like this.
pub(super) fn says_like(script: Script, what: &str, check: &str, begins: &str) -> Script {
    script.send(framed(what).as_bytes()).frame(check, begins)
}

/// Would the node grant this term?
pub(super) fn poll(round: u64, term: &str) -> String {
    format!(" POLL {round:x} {term}")
}

/// A round, by the `lease_s` of the organization.
pub(super) fn vote(round: u64, term: &str) -> String {
    vote_for(round, term, LEASE / 1_000)
}

/// A round of somebody with another one, in milliseconds.
pub(super) fn vote_for(round: u64, term: &str, lease_ms: u64) -> String {
    format!(" VOTE {round:x} {term} {lease_ms:x}")
}

pub(super) fn lead(round: u64, term: &str) -> String {
    format!(" LEAD {round:x} {term}")
}

pub(super) fn resign(term: &str, successor: &str) -> String {
    format!(" RESIGN {term} {successor}")
}

/// rg1-c is granted a round under its term 5.
pub(super) fn granted() -> Script {
    says(convened("rg1-c"), &vote(2, C5), "granted", " GRANTED 2")
}

/// rg1-b asks for a round under its term 6 on a new connection.
pub(super) fn refused_to_b(known: &str) -> Script {
    says(convened("rg1-b"), &vote(1, B6), "refused", &format!(" REFUSE 1 {known}"))
}

/// rg1-b goes on with another round of that.
pub(super) fn granted_to_b() -> Script {
    says(on("rg1-b"), &vote(2, B6), "granted", " GRANTED 2")
}

/// A member of the group attaches to the node, which is not the master.
pub(super) fn turned_away(member: &'static str) -> Script {
    called(member).send(framed(&format!(" ATTACH {{5}}{member}")).as_bytes()).gone("turned-away")
}

/// A member that is attached to the node reports, and the node is the master.
pub(super) fn reports(member: &'static str) -> Script {
    says_like(on(member), " REPORT ()", "heard", " REPORTED ")
}
