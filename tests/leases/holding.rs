//! A member's part, clause by clause.

use std::collections::BTreeSet;

use bridgehead::kernel::{Act, Input, LinkChange, Machine as _, Span};
use bridgehead::protocol::master::accounts::{
    Closing, HolderCommand, HolderEvent, HolderTimer, SILENT_REQUESTS,
};
use bridgehead::wire::accounts::{
    ACCOUNT_LEASE_RANGE_S, ACCOUNTS_LIMIT, AccountsPdu, Holding, LeaseEpoch,
};
use bridgehead::wire::message::Address;
use bridgehead::wire::record::Term;

use super::desk::{ACCOUNT_LEASE_S, Tenant, ann, bob, both, epoch, member, term};

const SPAN: Span = Span(5_000_000 * 950_000 / 1_050_000);

fn master() -> Term {
    term(4, "m2")
}

fn ours(number: u64) -> LeaseEpoch {
    epoch(&master(), number)
}

fn one(account: Address) -> BTreeSet<Address> {
    BTreeSet::from([account])
}

fn renew(request: u64, term: Term, holdings: Vec<Holding>) -> AccountsPdu {
    AccountsPdu::Renew { request, term, account_lease_s: ACCOUNT_LEASE_S, holdings }
}

impl Tenant {
    /// A member that follows its master, and is connected to it as soon as it wants something.
    fn following(seed: u64) -> Self {
        let mut tenant = Self::new(seed);
        tenant.order(HolderCommand::Follow(master()));
        assert!(tenant.last.is_empty(), "there is nothing to ask");
        tenant
    }

    /// The same, when it has `ann`.
    fn owner() -> Self {
        let mut tenant = Self::following(1);
        let request = tenant.claims(one(ann()));
        tenant.grant(request, &[(ann(), ours(1))]);
        assert_eq!(tenant.events(), [HolderEvent::Opened { account: ann(), epoch: ours(1) }]);
        tenant
    }

    /// Wants accounts; the number of the request, on a connection that has just opened.
    fn claims(&mut self, accounts: BTreeSet<Address>) -> u64 {
        self.order(HolderCommand::Claim(accounts));
        if self.said().is_empty() {
            assert!(self.last.iter().any(|act| matches!(act, Act::Open { .. })), "{:?}", self.last);
            self.link("m2", LinkChange::Up);
        }
        self.request()
    }

    /// The number of the only request that it has just sent.
    fn request(&self) -> u64 {
        match &self.said()[..] {
            [AccountsPdu::Claim { request, .. } | AccountsPdu::Renew { request, .. }] => *request,
            said => panic!("{said:?}"),
        }
    }

    fn grant(&mut self, request: u64, granted: &[Holding]) {
        let granted = granted.to_vec();
        self.hear("m2", AccountsPdu::Leased { request, granted, refused: vec![] });
    }

    fn refuse(&mut self, request: u64, account: Address, owner: Option<&str>) {
        let refused = vec![(account, owner.map(member))];
        self.hear("m2", AccountsPdu::Leased { request, granted: vec![], refused });
    }

    fn renews(&mut self) -> u64 {
        self.fire(HolderTimer::Renew);
        self.request()
    }

    fn has(&self, account: &Address) -> bool {
        self.node.machine().epoch(account).is_some()
    }
}

fn closed(why: Closing) -> HolderEvent {
    HolderEvent::Closed { account: ann(), epoch: ours(1), why }
}

/// MA-060, MA-061, WI-141.
#[test]
fn ma_061_a_lease_is_counted_from_the_request() {
    let mut tenant = Tenant::following(1);
    let request = tenant.claims(one(ann()));
    assert!(request < 1 << 63);
    assert_eq!(tenant.armed(&HolderTimer::Lease(request)), Some(SPAN));
    assert!(!tenant.has(&ann()));
    tenant.grant(request, &[(ann(), ours(1))]);
    assert!(tenant.has(&ann()));
    assert_eq!(tenant.armed(&HolderTimer::Lease(request)), None, "it runs already");
    tenant.fire(HolderTimer::Lease(request));
    assert_eq!(tenant.events(), [closed(Closing::Lapsed)]);
    assert!(!tenant.has(&ann()));
    // Another boot numbers its requests otherwise, and has nothing.
    let mut other = Tenant::following(2);
    assert_ne!(other.claims(one(ann())), request);
    assert_eq!(other.node.machine().view().held, 0);
}

/// MA-061: the slowest clock of a member against the fastest one of its master.
#[test]
fn ma_061_no_lease_outlasts_what_is_kept() {
    let mut config = Tenant::new(0).config;
    let million = 1_000_000_u128;
    for lease_s in ACCOUNT_LEASE_RANGE_S {
        for drift in [0, 1, 20, 333, 50_000, 199_999, 200_000] {
            (config.account_lease_s, config.drift_ppm) = (lease_s, drift);
            let drift = u128::from(drift);
            // True spans are these over the rates: multiplied crosswise, nothing is rounded.
            let held = u128::from(config.lease_of_holder().0) * (million + drift);
            let kept = u128::from(config.lease().0) * (million - drift);
            assert!(held <= kept, "{lease_s} {drift}");
            assert!(kept - held <= million + drift, "no shorter than it must be");
        }
    }
}

/// MA-062.
#[test]
fn ma_062_only_the_answer_to_the_last_request_counts() {
    let mut tenant = Tenant::owner();
    let first = tenant.renews();
    assert_eq!(tenant.armed(&HolderTimer::Renew), Some(Span(SPAN.0 / 3)));
    let held = vec![(ann(), ours(1))];
    let renew = renew(first, master(), held.clone());
    assert_eq!(tenant.said(), [renew]);
    let second = tenant.renews();
    assert_eq!(second, first + 1);
    // The lease is still that of the claim; the answer to the first request comes too late.
    tenant.grant(first, &held);
    assert_eq!(tenant.node.machine().lease(&ann()), Some(first - 1));
    tenant.grant(second, &held);
    assert_eq!(tenant.node.machine().lease(&ann()), Some(second));
    tenant.fire(HolderTimer::Lease(first - 1));
    tenant.fire(HolderTimer::Lease(first));
    assert!(tenant.has(&ann()) && tenant.events().is_empty());
    tenant.fire(HolderTimer::Lease(second));
    assert_eq!(tenant.events(), [closed(Closing::Lapsed)]);
}

/// MA-062: and not once the time of that request is over.
#[test]
fn ma_062_an_answer_after_the_span_of_its_request_counts_for_nothing() {
    let mut tenant = Tenant::following(1);
    let request = tenant.claims(one(ann()));
    tenant.fire(HolderTimer::Lease(request));
    tenant.grant(request, &[(ann(), ours(1))]);
    assert!(!tenant.has(&ann()));
    // It is still wanted.
    assert_eq!(tenant.renews(), request + 1);
}

/// MA-065.
#[test]
fn ma_065_a_new_master_is_told_at_once_what_is_held() {
    let mut tenant = Tenant::owner();
    let open = tenant.renews();
    let next = term(5, "m3");
    tenant.order(HolderCommand::Follow(next.clone()));
    let [Act::Close { peer: last }, Act::Arm { .. }, Act::Open { peer, .. }] = &tenant.last[..]
    else {
        panic!("{:?}", tenant.last)
    };
    assert_eq!((last, peer), (&member("m2"), &member("m3")));
    // What the last one still says is not heard.
    tenant.grant(open, &[(ann(), ours(1))]);
    assert!(tenant.last.is_empty());
    tenant.link("m3", LinkChange::Up);
    let request = tenant.request();
    let holdings = vec![(ann(), ours(1))];
    assert_eq!(tenant.said(), [renew(request, next, holdings)]);
    // An epoch whose lease is over is not named any more: who wants the account asks anew.
    tenant.fire(HolderTimer::Lease(open - 1));
    assert_eq!(tenant.events(), [closed(Closing::Lapsed)]);
    tenant.order(HolderCommand::Claim(one(ann())));
    assert!(matches!(&tenant.said()[..], [AccountsPdu::Claim { .. }]));
}

/// MA-067.
#[test]
fn ma_067_an_account_is_closed_before_it_is_given_back() {
    let mut tenant = Tenant::owner();
    let open = tenant.renews();
    tenant.order(HolderCommand::GiveBack(both()));
    let given = AccountsPdu::Return { term: master(), holdings: vec![(ann(), ours(1))] };
    let [Act::Event(event), Act::Send { pdu, .. }] = &tenant.last[..] else {
        panic!("{:?}", tenant.last)
    };
    assert_eq!((event, pdu), (&closed(Closing::Returned), &given));
    // What was asked before counts no more, and nothing is asked for again.
    tenant.grant(open, &[(ann(), ours(1))]);
    assert!(!tenant.has(&ann()) && tenant.events().is_empty());
    tenant.fire(HolderTimer::Renew);
    assert!(tenant.said().is_empty());
    assert!(!tenant.node.armed().contains(&HolderTimer::Renew));
}

/// MA-067: what is under way is not on disk, so the master is not told.
#[test]
fn ma_067_an_account_that_is_left_is_not_given_back() {
    let mut tenant = Tenant::owner();
    tenant.order(HolderCommand::Leave(both()));
    assert_eq!(tenant.events(), [closed(Closing::Left)]);
    assert!(tenant.said().is_empty() && !tenant.has(&ann()));
    tenant.fire(HolderTimer::Renew);
    assert!(tenant.said().is_empty(), "and nothing is asked for again");
}

/// MA-098.
#[test]
fn ma_098_what_nobody_has_is_asked_for_again() {
    let mut tenant = Tenant::following(1);
    let request = tenant.claims(both());
    tenant.refuse(request, ann(), None);
    tenant.refuse(request, bob(), Some("m3"));
    assert_eq!(tenant.events(), [HolderEvent::Refused { account: bob(), owner: member("m3") }]);
    let request = tenant.renews();
    let (account_lease_s, accounts) = (ACCOUNT_LEASE_S, vec![ann()]);
    let claim = AccountsPdu::Claim { request, term: master(), account_lease_s, accounts };
    assert_eq!(tenant.said(), [claim]);
    // An answer was lost, and the master keeps the account for us.
    tenant.refuse(request, ann(), Some("m1"));
    assert!(tenant.events().is_empty());
    let request = tenant.renews();
    tenant.hear("m2", AccountsPdu::Declined { request, known: None });
    assert!(tenant.last.is_empty());
    let request = tenant.renews();
    tenant.grant(request, &[(ann(), ours(7))]);
    assert!(tenant.has(&ann()));
}

/// MA-098.
#[test]
fn ma_098_a_connection_without_answers_is_given_up() {
    let mut tenant = Tenant::owner();
    for _ in 0..SILENT_REQUESTS {
        tenant.renews();
    }
    tenant.fire(HolderTimer::Renew);
    assert!(tenant.said().is_empty());
    let turns = |act: &&Act<_>| matches!(act, Act::Close { .. } | Act::Open { .. });
    let turns: Vec<_> = tenant.last.iter().filter(turns).cloned().collect();
    let (peer, endpoint) = (member("m2"), member("m2"));
    assert_eq!(turns, [Act::Close { peer: peer.clone() }, Act::Open { peer, endpoint }]);
    tenant.link("m2", LinkChange::Up);
    let request = tenant.request();
    tenant.grant(request, &[(ann(), ours(1))]);
    // One that is lost is opened with the next third.
    tenant.link("m2", LinkChange::Lost);
    assert!(tenant.last.is_empty() && tenant.has(&ann()));
    tenant.fire(HolderTimer::Renew);
    assert!(tenant.last.iter().any(|act| matches!(act, Act::Open { .. })));
}

/// MA-099.
#[test]
fn ma_099_a_refused_renewal_closes_the_account() {
    for owner in [None, Some("m1"), Some("m3")] {
        let mut tenant = Tenant::owner();
        let request = tenant.renews();
        tenant.refuse(request, ann(), owner);
        assert_eq!(tenant.events(), [closed(Closing::Refused)]);
    }
    let mut tenant = Tenant::owner();
    let request = tenant.renews();
    tenant.grant(request, &[(ann(), ours(2))]);
    assert_eq!(tenant.events(), [closed(Closing::Refused)]);
}

/// MA-100.
#[test]
fn ma_100_another_configuration_closes_all() {
    let mut tenant = Tenant::owner();
    let open = tenant.renews();
    tenant.config.account_lease_s *= 2;
    tenant.step(Input::Configuration);
    assert_eq!(tenant.events(), [closed(Closing::Configuration)]);
    assert!(tenant.node.armed().iter().all(|timer| *timer == HolderTimer::Renew));
    let given = AccountsPdu::Return { term: master(), holdings: vec![(ann(), ours(1))] };
    assert_eq!(tenant.said(), [given]);
    tenant.grant(open, &[(ann(), ours(1))]);
    assert!(!tenant.has(&ann()));
    tenant.fire(HolderTimer::Renew);
    let [AccountsPdu::Claim { accounts, .. }] = &tenant.said()[..] else { panic!() };
    assert_eq!(*accounts, [ann()]);
    assert_eq!(tenant.node.armed().len(), 2, "the span of that request, and the next third");
    // Only accounts that are leased are asked for.
    tenant.config.accounts = one(bob());
    tenant.step(Input::Configuration);
    tenant.order(HolderCommand::Claim(both()));
    let [AccountsPdu::Claim { accounts, .. }] = &tenant.said()[..] else { panic!() };
    assert_eq!(*accounts, [bob()]);
}

/// WI-140.
#[test]
fn wi_140_a_master_that_asks_is_none() {
    let mut tenant = Tenant::owner();
    tenant.hear("m2", AccountsPdu::Return { term: master(), holdings: vec![(ann(), ours(1))] });
    let [Act::Close { .. }, Act::Event(HolderEvent::Misbehaved { member: who, .. })] =
        &tenant.last[..]
    else {
        panic!("{:?}", tenant.last)
    };
    assert_eq!(*who, member("m2"));
    assert!(tenant.has(&ann()), "its lease goes on");
}

/// WI-143: more accounts than fit a frame are asked for in several requests, each with a span of its own.
#[test]
fn wi_143_many_accounts_take_several_requests() {
    let mut tenant = Tenant::following(1);
    let account = |n: usize| Address::from(format!("a{n:05}@a.test").as_str());
    let all: BTreeSet<_> = (0..2 * ACCOUNTS_LIMIT + 1).map(account).collect();
    tenant.config.accounts = all.clone();
    tenant.order(HolderCommand::Claim(all));
    tenant.link("m2", LinkChange::Up);
    let claims = tenant.said();
    let sizes = claims.iter().map(|pdu| match pdu {
        AccountsPdu::Claim { accounts, .. } => accounts.len(),
        _ => panic!("{pdu:?}"),
    });
    assert_eq!(sizes.collect::<Vec<_>>(), [ACCOUNTS_LIMIT, ACCOUNTS_LIMIT, 1]);
    for (place, claim) in claims.into_iter().enumerate() {
        let AccountsPdu::Claim { request, accounts, .. } = claim else { panic!("{claim:?}") };
        let granted = accounts.into_iter().map(|account| (account, ours(place as u64 + 1)));
        tenant.grant(request, &granted.collect::<Vec<_>>());
    }
    assert_eq!(tenant.node.machine().view().held, 2 * ACCOUNTS_LIMIT + 1);
    tenant.fire(HolderTimer::Renew);
    assert_eq!(tenant.said().len(), 3);
}
