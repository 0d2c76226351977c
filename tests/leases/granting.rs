//! The master's part, clause by clause; and the store's.

use bridgehead::kernel::{Act, Input};
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::master::accounts::{
    Fence, GranterCommand, GranterEvent, GranterTimer, REQUESTS_LIMIT,
};
use bridgehead::wire::accounts::{AccountsPdu, Holding, LeaseEpoch};
use bridgehead::wire::ids::MemberName;
use bridgehead::wire::message::Address;
use bridgehead::wire::record::Term;

use super::desk::{ACCOUNT_LEASE_S, LEASE, Master, ann, bob, epoch, member, term};

/// The term under which `m1` leads here.
fn own() -> Term {
    term(4, "m1")
}

/// A master that has waited.
fn master() -> Master {
    let mut master = Master::new(1);
    master.order(GranterCommand::Lead(own()));
    master.fire(GranterTimer::Wait);
    master
}

fn claim(request: u64, accounts: &[Address]) -> AccountsPdu {
    let (account_lease_s, accounts) = (ACCOUNT_LEASE_S, accounts.to_vec());
    AccountsPdu::Claim { request, term: own(), account_lease_s, accounts }
}

fn renew(request: u64, holding: Holding) -> AccountsPdu {
    let (account_lease_s, holdings) = (ACCOUNT_LEASE_S, vec![holding]);
    AccountsPdu::Renew { request, term: own(), account_lease_s, holdings }
}

fn leased(request: u64, granted: &[Holding], refused: &[(Address, Option<&str>)]) -> AccountsPdu {
    let refused = refused.iter().map(|(account, owner)| (account.clone(), owner.map(member)));
    AccountsPdu::Leased { request, granted: granted.to_vec(), refused: refused.collect() }
}

impl Master {
    /// What is answered to one frame.
    fn answers(&mut self, from: &str, pdu: AccountsPdu) -> AccountsPdu {
        self.hear(from, pdu);
        let [answer] = &self.said()[..] else { panic!("{:?}", self.last) };
        answer.clone()
    }

    fn owner(&self, account: &Address) -> Option<(&MemberName, &LeaseEpoch)> {
        self.node.machine().owner(account)
    }
}

/// MA-060, MA-063, WI-144.
#[test]
fn ma_060_each_grant_has_a_number_of_its_own() {
    let mut master = master();
    let answer = master.answers("m2", claim(8, &[ann()]));
    assert_eq!(answer, leased(8, &[(ann(), epoch(&own(), 1))], &[]));
    assert_eq!(master.armed(&GranterTimer::Kept(1)), Some(LEASE));
    let answer = master.answers("m3", claim(9, &[ann(), bob()]));
    let granted = [(bob(), epoch(&own(), 2))];
    assert_eq!(answer, leased(9, &granted, &[(ann(), Some("m2"))]));
    let event =
        GranterEvent::Granted { account: bob(), member: member("m3"), epoch: epoch(&own(), 2) };
    assert_eq!(master.events(), [event]);
}

/// MA-063: also from who has it, whose lease may be older.
#[test]
fn ma_063_what_is_kept_is_granted_to_nobody() {
    let mut master = master();
    master.hear("m2", claim(8, &[ann()]));
    let answer = master.answers("m2", claim(9, &[ann()]));
    assert_eq!(answer, leased(9, &[], &[(ann(), Some("m2"))]));
    // It is prolonged: what was armed first frees nothing any more.
    master.hear("m2", renew(10, (ann(), epoch(&own(), 1))));
    assert_eq!(master.armed(&GranterTimer::Kept(2)), Some(LEASE));
    master.fire(GranterTimer::Kept(1));
    assert!(master.owner(&ann()).is_some());
    master.fire(GranterTimer::Kept(2));
    assert_eq!(master.owner(&ann()), None);
    let answer = master.answers("m3", claim(11, &[ann()]));
    assert_eq!(answer, leased(11, &[(ann(), epoch(&own(), 2))], &[]));
}

/// MA-064: what is registered meanwhile is kept (MA-065).
#[test]
fn ma_064_a_new_master_waits_and_believes() {
    let mut master = Master::new(1);
    master.order(GranterCommand::Lead(own()));
    assert_eq!(master.armed(&GranterTimer::Wait), Some(LEASE));
    assert_eq!(master.answers("m2", claim(8, &[ann()])), leased(8, &[], &[(ann(), None)]));
    let held = (ann(), epoch(&term(3, "m3"), 9));
    assert_eq!(master.answers("m2", renew(9, held.clone())), leased(9, &[held], &[]));
    assert_eq!(master.answers("m3", claim(7, &[ann()])), leased(7, &[], &[(ann(), Some("m2"))]));
    master.fire(GranterTimer::Wait);
    assert_eq!(master.answers("m3", claim(8, &[ann()])), leased(8, &[], &[(ann(), Some("m2"))]));
    // Nothing of it is known under the next term, and numbers begin again.
    master.order(GranterCommand::Lead(term(5, "m1")));
    assert!(!master.node.armed().contains(&GranterTimer::Kept(1)));
    assert_eq!(master.armed(&GranterTimer::Wait), Some(LEASE));
    assert_eq!(master.owner(&ann()), None);
}

/// MA-066.
#[test]
fn ma_066_smaller_epochs_and_those_that_are_none_are_not_believed() {
    let mut master = master();
    let old = |number| (ann(), epoch(&term(3, "m3"), number));
    let refusal = |request, owner| leased(request, &[], &[(ann(), owner)]);
    assert_eq!(master.answers("m2", renew(1, old(5))), leased(1, &[old(5)], &[]));
    assert_eq!(master.answers("m3", renew(2, old(4))), refusal(2, Some("m2")));
    assert_eq!(master.answers("m3", renew(3, old(5))), refusal(3, Some("m2")));
    assert_eq!(master.answers("m3", renew(4, old(6))), leased(4, &[old(6)], &[]));
    assert_eq!(master.answers("m2", renew(5, old(5))), refusal(5, Some("m3")));
    // Nobody was granted these.
    let own_term = (ann(), epoch(&own(), 1));
    assert_eq!(master.answers("m2", renew(6, own_term)), refusal(6, Some("m3")));
    let later = (ann(), epoch(&term(5, "m2"), 1));
    assert_eq!(master.answers("m2", renew(7, later)), refusal(7, Some("m3")));
    // What has been freed is still the greatest that is known.
    master.fire(GranterTimer::Kept(2));
    assert_eq!(master.answers("m2", renew(8, old(5))), refusal(8, None));
    assert_eq!(master.answers("m3", renew(9, old(6))), leased(9, &[old(6)], &[]));
}

/// MA-068.
#[test]
fn ma_068_only_what_is_kept_is_given_back() {
    let mut master = master();
    master.hear("m2", claim(8, &[ann()]));
    let held = vec![(ann(), epoch(&own(), 1))];
    for (from, term, holdings) in [
        ("m3", own(), held.clone()),
        ("m2", term(3, "m1"), held.clone()),
        ("m2", own(), vec![(ann(), epoch(&own(), 2))]),
        ("m2", own(), vec![(bob(), epoch(&own(), 1))]),
    ] {
        master.hear(from, AccountsPdu::Return { term, holdings });
        assert!(master.last.is_empty());
        assert!(master.owner(&ann()).is_some());
    }
    master.hear("m2", AccountsPdu::Return { term: own(), holdings: held });
    assert_eq!(master.owner(&ann()), None);
    let answer = master.answers("m3", claim(9, &[ann()]));
    assert_eq!(answer, leased(9, &[(ann(), epoch(&own(), 2))], &[]));
}

/// MA-105: who had it does not get it back, whoever has it now; nothing else is freed, and only by who leads.
#[test]
fn ma_105_what_an_operator_frees_is_lost_to_who_had_it() {
    let mut master = master();
    master.hear("m2", claim(8, &[ann(), bob()]));
    master.order(GranterCommand::Free(ann()));
    assert_eq!(master.owner(&ann()), None);
    assert!(master.owner(&bob()).is_some());
    let held = (ann(), epoch(&own(), 1));
    let refused = leased(9, &[], &[(ann(), None)]);
    assert_eq!(master.answers("m2", renew(9, held.clone())), refused);
    let answer = master.answers("m3", claim(10, &[ann()]));
    assert_eq!(answer, leased(10, &[(ann(), epoch(&own(), 3))], &[]));
    let refused = leased(11, &[], &[(ann(), Some("m3"))]);
    assert_eq!(master.answers("m2", renew(11, held)), refused);
    // The next owner has it as any other.
    let next = (ann(), epoch(&own(), 3));
    let answer = master.answers("m3", renew(12, next.clone()));
    assert_eq!(answer, leased(12, &[next], &[]));
    master.order(GranterCommand::Cease);
    master.order(GranterCommand::Free(ann()));
    assert!(master.owner(&ann()).is_some());
}

/// MA-069, WI-142.
#[test]
fn ma_069_only_the_master_of_that_term_answers() {
    let declined = |known| AccountsPdu::Declined { request: 8, known };
    let mut master = Master::new(1);
    assert_eq!(master.answers("m2", claim(8, &[ann()])), declined(None));
    master.order(GranterCommand::Follow(term(3, "m3")));
    assert_eq!(master.answers("m2", claim(8, &[ann()])), declined(Some(term(3, "m3"))));
    master.order(GranterCommand::Lead(own()));
    master.fire(GranterTimer::Wait);
    let other = AccountsPdu::Claim {
        request: 8,
        term: term(3, "m1"),
        account_lease_s: ACCOUNT_LEASE_S,
        accounts: vec![ann()],
    };
    assert_eq!(master.answers("m2", other), declined(Some(own())));
    master.hear("m2", claim(9, &[ann()]));
    master.order(GranterCommand::Cease);
    let held = (ann(), epoch(&own(), 1));
    assert_eq!(master.answers("m2", renew(8, held.clone())), declined(Some(own())));
    master.order(GranterCommand::Follow(term(5, "m2")));
    assert_eq!(master.answers("m2", renew(8, held)), declined(Some(term(5, "m2"))));
}

/// MA-069: a member that asks too often in one lease.
#[test]
fn ma_069_requests_of_a_member_are_limited() {
    let mut master = master();
    master.hear("m2", claim(0, &[ann()]));
    let held = (ann(), epoch(&own(), 1));
    for request in 1..REQUESTS_LIMIT as u64 {
        let answer = master.answers("m2", renew(request, held.clone()));
        assert_eq!(answer, leased(request, core::slice::from_ref(&held), &[]));
    }
    let answer = master.answers("m2", renew(5, held.clone()));
    assert_eq!(answer, AccountsPdu::Declined { request: 5, known: Some(own()) });
    let answer = master.answers("m3", claim(5, &[bob()]));
    assert_eq!(answer, leased(5, &[(bob(), epoch(&own(), 2))], &[]));
    master.fire(GranterTimer::Kept(1));
    let answer = master.answers("m2", renew(6, held.clone()));
    assert_eq!(answer, leased(6, &[held], &[]));
}

/// MA-101: whoever counts by another lease has no accounts here, and loses those that it had.
#[test]
fn ma_101_only_who_counts_by_the_same_lease_is_answered() {
    let mut master = master();
    let held = (ann(), epoch(&own(), 1));
    master.hear("m2", claim(8, &[ann()]));
    for account_lease_s in [ACCOUNT_LEASE_S - 1, ACCOUNT_LEASE_S + 1, 300] {
        let (request, term) = (9, own());
        for pdu in [
            AccountsPdu::Claim { request, term, account_lease_s, accounts: vec![bob()] },
            AccountsPdu::Renew {
                request,
                term: own(),
                account_lease_s,
                holdings: vec![held.clone()],
            },
        ] {
            let declined = AccountsPdu::Declined { request, known: Some(own()) };
            assert_eq!(master.answers("m2", pdu), declined);
            let other = GranterEvent::OtherLease { member: member("m2"), account_lease_s };
            assert_eq!(master.events(), [other]);
            assert_eq!(master.armed(&GranterTimer::Kept(2)), None);
        }
    }
    // Nothing was prolonged, and no number is used up.
    master.fire(GranterTimer::Kept(1));
    let answer = master.answers("m3", claim(10, &[ann()]));
    assert_eq!(answer, leased(10, &[(ann(), epoch(&own(), 2))], &[]));
}

/// MA-096.
#[test]
fn ma_096_a_lease_under_the_same_term_goes_on_with_what_is_kept() {
    let mut master = master();
    master.hear("m2", claim(8, &[ann()]));
    master.order(GranterCommand::Cease);
    master.order(GranterCommand::Lead(own()));
    assert_eq!(master.armed(&GranterTimer::Wait), None);
    let answer = master.answers("m3", claim(9, &[ann(), bob()]));
    let granted = [(bob(), epoch(&own(), 2))];
    assert_eq!(answer, leased(9, &granted, &[(ann(), Some("m2"))]));
}

/// MA-097, WI-140.
#[test]
fn ma_097_accounts_and_members_of_others_have_no_leases_here() {
    let mut master = master();
    let eve = Address::from("eve@a.test");
    let answer = master.answers("m2", claim(8, core::slice::from_ref(&eve)));
    assert_eq!(answer, leased(8, &[], &[(eve.clone(), None)]));
    let answer = master.answers("m2", renew(9, (eve.clone(), epoch(&term(3, "m3"), 1))));
    assert_eq!(answer, leased(9, &[], &[(eve, None)]));
    for (from, pdu) in [
        ("x1", claim(8, &[ann()])),
        ("m2", AccountsPdu::Declined { request: 1, known: None }),
        ("m2", leased(1, &[], &[(ann(), None)])),
    ] {
        master.hear(from, pdu);
        let [Act::Close { peer }, Act::Event(GranterEvent::Misbehaved { member: who, .. })] =
            &master.last[..]
        else {
            panic!("{:?}", master.last)
        };
        assert_eq!((peer, who), (&member(from), &member(from)));
    }
}

/// What fails on the disk may be a lease of the master, too: it grants nothing any more.
#[test]
fn ma_069_a_master_whose_store_fails_is_none() {
    let mut master = master();
    master.step(Input::StoreFailed { reason: "full".into() });
    let answer = master.answers("m2", claim(8, &[ann()]));
    assert_eq!(answer, AccountsPdu::Declined { request: 8, known: Some(own()) });
}

/// DE-100, DE-101.
#[test]
fn de_100_a_store_refuses_smaller_epochs_and_counts_openings() {
    let (mut fence, faults) = (Fence::default(), Faults::none());
    let (first, second) = (epoch(&term(3, "m1"), 9), epoch(&term(4, "m1"), 1));
    assert_eq!(fence.seen(), None);
    assert_eq!(fence.admit(&first, &faults), Ok(1));
    assert_eq!(fence.admit(&first, &faults), Ok(1));
    assert_eq!(fence.admit(&second, &faults), Ok(2));
    assert_eq!(fence.admit(&first, &faults), Err(second.clone()));
    assert_eq!(fence.admit(&second, &faults), Ok(2));
    assert_eq!(fence.admit(&epoch(&term(4, "m1"), 2), &faults), Ok(3));
    assert_eq!(fence.seen(), Some(&epoch(&term(4, "m1"), 2)));
    // Terms of one counter are ordered by their members (MA-035): a number does not outweigh that.
    assert_eq!(fence.admit(&epoch(&term(4, "m2"), 1), &faults), Ok(4));
    let kept: Fence = serde_json::from_str(&serde_json::to_string(&fence).unwrap()).unwrap();
    assert_eq!(kept, fence);
}
