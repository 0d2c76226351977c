//! Every interleaving of leases of one account: two real members, a real master under one or two terms, the
//! fence of the store, and at most two kinds of counted faults beside timers that lapse in every order that
//! the clocks allow.

mod accounts_model;

use accounts_model::{Budget, GROW, HEARD, NUMBERS, ONE, Scene, Shape};
use stateright::{Checker as _, HasDiscoveries, Model as _};

/// Each member wants the account once, and nothing else happens.
const ONCE: Budget = Budget {
    claims: 2,
    renewals: 0,
    returns: 0,
    successions: 0,
    pauses: 0,
    crashes: 0,
    breaks: 0,
    writes: 0,
};

/// The second term is that of another member.
const TWO: Shape = Shape { masters: 2 };
/// One member is the master twice, as after a cut.
const AGAIN: Shape = Shape { masters: 1 };

/// Runs a scene to its end: every property holds, every outcome is reached, and there are so many states.
fn holds(shape: Shape, budget: Budget, states: usize) {
    let scene = Scene::new(shape, budget, &[]);
    let checker = scene.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    println!("{shape:?} {budget:?}: {} states", checker.unique_state_count());
    checker.assert_properties();
    assert_eq!(checker.unique_state_count(), states);
}

#[test]
fn two_members_want_an_account() {
    holds(TWO, Budget { claims: 3, renewals: 1, ..ONCE }, 26_062);
}

#[test]
fn accounts_that_are_given_back() {
    holds(TWO, Budget { claims: 3, returns: 2, ..ONCE }, 5_181);
}

#[test]
fn another_master() {
    holds(TWO, Budget { successions: 1, ..ONCE }, 21_552);
}

#[test]
fn the_same_master_under_another_term() {
    holds(AGAIN, Budget { successions: 1, ..ONCE }, 26_579);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_another_master_and_accounts_that_are_given_back() {
    holds(TWO, Budget { successions: 1, returns: 1, ..ONCE }, 45_247);
}

#[test]
fn a_lease_of_the_master_that_ends_and_begins_again() {
    holds(AGAIN, Budget { pauses: 1, renewals: 1, ..ONCE }, 19_637);
}

#[test]
fn lost_connections() {
    holds(TWO, Budget { breaks: 2, renewals: 1, ..ONCE }, 22_310);
}

#[test]
fn crashes() {
    holds(TWO, Budget { crashes: 1, renewals: 1, ..ONCE }, 10_770);
}

#[test]
fn crashes_and_late_writes() {
    holds(TWO, Budget { claims: 3, crashes: 1, writes: 2, ..ONCE }, 9_154);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_another_master_and_renewals() {
    holds(TWO, Budget { successions: 1, renewals: 1, ..ONCE }, 411_187);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_another_master_and_lost_connections() {
    holds(TWO, Budget { successions: 1, breaks: 1, ..ONCE }, 72_205);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_another_master_and_crashes() {
    holds(TWO, Budget { successions: 1, crashes: 1, ..ONCE }, 48_128);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_another_master_and_late_writes() {
    holds(TWO, Budget { successions: 1, writes: 2, ..ONCE }, 23_364);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_renewals_of_three_leases() {
    holds(TWO, Budget { claims: 3, renewals: 2, ..ONCE }, 338_245);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_two_other_masters() {
    holds(TWO, Budget { successions: 2, ..ONCE }, 795_199);
}

/// The model can find a violation: with this planted bug the property does not hold.
fn is_found(bug: &str, shape: Shape, budget: Budget, property: &'static str) {
    let scene = Scene::new(shape, budget, &[bug]);
    let checker = scene.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let steps = checker.discovery(property).map(|path| path.into_actions().len());
    println!("{bug}: {steps:?} steps, {} states", checker.unique_state_count());
    assert!(steps.is_some(), "{bug} is not found");
}

#[test]
fn planted_bugs_are_found() {
    let successor = Budget { successions: 1, ..ONCE };
    is_found("grants-what-it-keeps", TWO, ONCE, ONE);
    is_found("new-master-grants-at-once", TWO, successor, ONE);
    is_found("account-lease-from-the-answer", TWO, ONCE, ONE);
    is_found("late-lease-counts", TWO, Budget { returns: 1, renewals: 1, ..ONCE }, ONE);
    is_found("returns-before-it-closes", TWO, Budget { returns: 1, ..ONCE }, ONE);
    is_found("store-takes-any-epoch", TWO, Budget { writes: 1, ..ONCE }, GROW);
    is_found("store-compares-numbers", TWO, Budget { claims: 3, ..successor }, HEARD);
    is_found("numbers-begin-anew", AGAIN, Budget { pauses: 1, ..ONCE }, NUMBERS);
}
