//! Accounts that are leased, on the group port: a member asks the master of its group for accounts, asks
//! again before its leases are over, and gives accounts back.
//!
//! `CLAIM` and `RENEW` are answered by `LEASED`, or by `DECLINED` where whoever was asked is not the master
//! under the term that the request was for. `RETURN` has no answer.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, map, verify};
use nom::sequence::preceded;
use serde::{Deserialize, Serialize};

use super::election::{elected, encode_known, or_none, round};
use super::orginfo::{encode_term, hex, list, listed, member_name, name, token, word};
use super::parse::{Parsed, expect, refuse};
use super::verify::address;
use crate::clause;
use crate::wire::ids::MemberName;
use crate::wire::message::Address;
use crate::wire::record::Term;

/// The most accounts that one frame names.
pub const ACCOUNTS_LIMIT: usize = 1_000;
/// For how long an account can be leased, in seconds.
pub const ACCOUNT_LEASE_RANGE_S: core::ops::RangeInclusive<u32> = 1..=300;

/// Under what a member has an account: compared by the term first, then by the number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LeaseEpoch {
    /// The term of the master that granted it.
    pub term: Term,
    /// Counts what was granted under that term, from 1.
    pub number: u64,
}

/// An account, and under which epoch somebody has it.
pub type Holding = (Address, LeaseEpoch);

/// What a member and its master say of accounts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountsPdu {
    /// The member asks for accounts that it has not.
    Claim {
        /// The number of the request.
        request: u64,
        /// The term of the master that is asked.
        term: Term,
        /// The lease by which the member counts, in seconds.
        account_lease_s: u32,
        /// Which accounts.
        accounts: Vec<Address>,
    },
    /// The member asks to have on what it has: again, or of a master that does not know it yet.
    Renew {
        /// The number of the request.
        request: u64,
        /// The term of the master that is asked.
        term: Term,
        /// The lease by which the member counts, in seconds.
        account_lease_s: u32,
        /// What it has.
        holdings: Vec<Holding>,
    },
    /// The member has closed these accounts.
    Return {
        /// The term of the master that is told.
        term: Term,
        /// What it had.
        holdings: Vec<Holding>,
    },
    /// What becomes of each account of a request.
    Leased {
        /// The request.
        request: u64,
        /// These the member has from the time of its request.
        granted: Vec<Holding>,
        /// These it has not; who has them, if anybody.
        refused: Vec<(Address, Option<MemberName>)>,
    },
    /// The speaker is not the master under the term of the request.
    Declined {
        /// The request.
        request: u64,
        /// The greatest term that it knows.
        known: Option<Term>,
    },
}

impl AccountsPdu {
    /// Whether it is what a member says to its master, and no answer.
    #[must_use]
    pub const fn is_request(&self) -> bool {
        matches!(self, Self::Claim { .. } | Self::Renew { .. } | Self::Return { .. })
    }
}

/// The content of a frame, without the end of the line.
pub(super) fn encode(pdu: &AccountsPdu) -> String {
    match pdu {
        AccountsPdu::Claim { request, term, account_lease_s, accounts } => {
            let accounts = list(accounts.iter().map(|account| name(&account.0)));
            format!(" CLAIM {request:x} {} {account_lease_s:x} {accounts}", encode_term(term))
        }
        AccountsPdu::Renew { request, term, account_lease_s, holdings } => {
            let (term, holdings) = (encode_term(term), encode_holdings(holdings));
            format!(" RENEW {request:x} {term} {account_lease_s:x} {holdings}")
        }
        AccountsPdu::Return { term, holdings } => {
            format!(" RETURN {} {}", encode_term(term), encode_holdings(holdings))
        }
        AccountsPdu::Leased { request, granted, refused } => {
            let refused = list(refused.iter().map(|(account, owner)| {
                let owner = owner.as_ref().map(|member| name(member.as_str()));
                format!("{} {}", name(&account.0), owner.as_deref().unwrap_or("-"))
            }));
            format!(" LEASED {request:x} {} {refused}", encode_holdings(granted))
        }
        AccountsPdu::Declined { request, known } => {
            format!(" DECLINED {request:x} {}", encode_known(known.as_ref()))
        }
    }
}

fn encode_holdings(holdings: &[Holding]) -> String {
    list(holdings.iter().map(|(account, epoch)| {
        format!("{} {} {:x}", name(&account.0), encode_term(&epoch.term), epoch.number)
    }))
}

/// Reads the content of a frame, without the end of the line; says nothing of another verb.
pub(super) fn decode(input: &str) -> Parsed<'_, AccountsPdu> {
    let declined =
        map((round, or_none(elected)), |(request, known)| AccountsPdu::Declined { request, known });
    alt((
        preceded(word("CLAIM"), cut(claim)),
        preceded(word("RENEW"), cut(renew)),
        preceded(word("RETURN"), cut(returned)),
        preceded(word("LEASED"), cut(leased)),
        preceded(word("DECLINED"), cut(declined)),
    ))
    .parse(input)
}

fn claim(input: &str) -> Parsed<'_, AccountsPdu> {
    let accounts = some(token(address), |account| account);
    map((round, elected, lease, accounts), |(request, term, account_lease_s, accounts)| {
        AccountsPdu::Claim { request, term, account_lease_s, accounts }
    })
    .parse(input)
}

fn renew(input: &str) -> Parsed<'_, AccountsPdu> {
    let holdings = some(holding, |(account, _)| account);
    map((round, elected, lease, holdings), |(request, term, account_lease_s, holdings)| {
        AccountsPdu::Renew { request, term, account_lease_s, holdings }
    })
    .parse(input)
}

fn returned(input: &str) -> Parsed<'_, AccountsPdu> {
    let holdings = some(holding, |(account, _)| account);
    map((elected, holdings), |(term, holdings)| AccountsPdu::Return { term, holdings }).parse(input)
}

fn leased(input: &str) -> Parsed<'_, AccountsPdu> {
    let mut seen = BTreeSet::new();
    let (rest, request) = round(input)?;
    let granted = each_once(holding, |(account, _)| account, &mut seen);
    let (rest, granted) = listed(granted).parse(rest)?;
    let left = rest.len();
    let refused = each_once(refusal, |(account, _)| account, &mut seen);
    let (rest, refused) = listed(refused).parse(rest)?;
    if seen.is_empty() {
        return refuse(left - 1, "a list that is not empty");
    }
    Ok((rest, AccountsPdu::Leased { request, granted, refused }))
}

/// SP and the lease by which a member counts, in seconds.
fn lease(input: &str) -> Parsed<'_, u32> {
    clause!(WI_145);
    let lease = verify(hex, |lease| ACCOUNT_LEASE_RANGE_S.contains(lease));
    token(expect("a lease from 1 to 12c (hexadecimal)", lease))(input)
}

/// SP, an account and its epoch.
fn holding(input: &str) -> Parsed<'_, Holding> {
    let number = expect("the number of an epoch", verify(hex, |number| *number > 0));
    let epoch = map((elected, token(number)), |(term, number)| LeaseEpoch { term, number });
    (token(address), epoch).parse(input)
}

/// SP, an account and who has it.
fn refusal(input: &str) -> Parsed<'_, (Address, Option<MemberName>)> {
    (token(address), or_none(token(member_name))).parse(input)
}

/// SP and a list that is not empty and has each account once.
fn some<'a, O>(
    mut item: impl FnMut(&'a str) -> Parsed<'a, O>,
    account: fn(&O) -> &Address,
) -> impl FnMut(&'a str) -> Parsed<'a, Vec<O>> {
    move |input| {
        let mut seen = BTreeSet::new();
        let (rest, items) = listed(each_once(&mut item, account, &mut seen)).parse(input)?;
        if items.is_empty() {
            clause!(WI_143);
            return refuse(input.len() - 1, "a list that is not empty");
        }
        Ok((rest, items))
    }
}

/// What `item` reads, if its account has not been seen, and there are not too many.
fn each_once<'a, O>(
    mut item: impl FnMut(&'a str) -> Parsed<'a, O>,
    account: fn(&O) -> &Address,
    seen: &mut BTreeSet<Address>,
) -> impl FnMut(&'a str) -> Parsed<'a, O> {
    move |input| {
        clause!(WI_143);
        let (rest, found) = item(input)?;
        if seen.len() == ACCOUNTS_LIMIT {
            return refuse(input.len() - 1, "no more than 1,000 accounts");
        }
        if !seen.insert(account(&found).clone()) {
            return refuse(input.len() - 1, "an account that has not been named yet");
        }
        Ok((rest, found))
    }
}
