//! Every interleaving of an election between three real machines: two terms, and at most two kinds of
//! counted faults beside timers that lapse in every order that the clocks allow.

mod election_model;

use election_model::{Budget, FENCED, GROW, ONE, POLLED, STORED, Scene, Shape};
use stateright::{Checker as _, HasDiscoveries, Model as _};

/// Two candidacies, and nothing else.
const TWO: Budget =
    Budget { stands: 2, renewals: 0, lapses: 0, crashes: 0, breaks: 0, transfers: 0 };

/// One candidacy, and nothing else.
const ONE_STAND: Budget = Budget { stands: 1, ..TWO };

/// All three can be the master.
const THREE: Shape = Shape { standing: 3, told: false, frail: &[0, 1, 2], joins: false };
/// The third voter is the witness.
const WITNESS: Shape = Shape { standing: 2, ..THREE };
/// As above, and the members obey.
const TOLD: Shape = Shape { told: true, ..WITNESS };

/// The witness is to become the third voter of two.
const JOINS: Shape = Shape { joins: true, ..WITNESS };

/// Runs a scene to its end: every property holds, every outcome is reached, and there are so many states.
fn holds(shape: Shape, budget: Budget, states: usize) {
    let scene = Scene::new(shape, budget, &[]);
    let checker = scene.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    println!("{shape:?} {budget:?}: {} states", checker.unique_state_count());
    checker.assert_properties();
    assert_eq!(checker.unique_state_count(), states);
}

/// The same of a scene that is too small for a second term: no property is broken.
fn holds_in_one_term(shape: Shape, budget: Budget, states: usize) {
    let scene = Scene::new(shape, budget, &[]);
    let checker = scene.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let found: Vec<_> = checker.discoveries().into_keys().collect();
    assert_eq!(found, ["nobody leads after all faults"]);
    assert_eq!(checker.unique_state_count(), states);
}

#[test]
fn two_candidacies() {
    holds(WITNESS, TWO, 25_345);
}

#[test]
fn members_that_obey() {
    holds(TOLD, TWO, 36_548);
}

#[test]
fn a_voter_that_joins() {
    holds(JOINS, TWO, 6_739);
}

#[test]
fn lapsed_polls_and_rounds() {
    holds(WITNESS, Budget { lapses: 1, ..TWO }, 43_556);
}

#[test]
fn renewals() {
    holds_in_one_term(WITNESS, Budget { renewals: 1, ..ONE_STAND }, 435);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_renewals() {
    holds(WITNESS, Budget { renewals: 1, ..TWO }, 109_838);
}

#[test]
fn transfers() {
    holds(WITNESS, Budget { transfers: 1, ..TWO }, 51_773);
}

/// With the voter that joins a scene is a quarter as large, and has a change of the seats in it, too; the one with three
/// voters from the start is a long one.
#[test]
fn lost_connections() {
    holds(JOINS, Budget { breaks: 1, ..TWO }, 22_708);
}

#[test]
fn crashes_of_the_witness() {
    holds(Shape { frail: &[2], ..JOINS }, Budget { crashes: 1, ..TWO }, 28_541);
}

#[test]
fn crashes_of_a_candidate() {
    holds_in_one_term(Shape { frail: &[0], ..WITNESS }, Budget { crashes: 1, ..ONE_STAND }, 380);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_two_candidacies_of_three() {
    holds(THREE, TWO, 72_406);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_lost_connections() {
    holds(WITNESS, Budget { breaks: 1, ..TWO }, 97_894);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_crashes_of_the_witness() {
    holds(Shape { frail: &[2], ..WITNESS }, Budget { crashes: 1, ..TWO }, 106_038);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_crashes_of_a_candidate() {
    holds(Shape { frail: &[0], ..WITNESS }, Budget { crashes: 1, ..TWO }, 82_582);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_crashes_of_anybody() {
    holds(WITNESS, Budget { crashes: 1, ..TWO }, 350_894);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_renewals_of_three() {
    holds(THREE, Budget { renewals: 1, ..TWO }, 312_853);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_transfers_of_three() {
    holds(THREE, Budget { transfers: 1, ..TWO }, 183_364);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_lapsed_polls_and_rounds_of_three() {
    holds(THREE, Budget { lapses: 1, ..TWO }, 124_495);
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
    let crash = Budget { crashes: 1, ..TWO };
    is_found("no-poll", WITNESS, TWO, POLLED);
    is_found("grants-before-durable", WITNESS, crash, STORED);
    is_found("two-promises", WITNESS, TWO, ONE);
    is_found("resigns-before-it-stops", WITNESS, Budget { transfers: 1, ..TWO }, ONE);
    is_found("resigned-round-counts", WITNESS, Budget { transfers: 1, ..TWO }, ONE);
    is_found("lease-from-the-answer", WITNESS, TWO, ONE);
    is_found("grants-smaller-terms", WITNESS, TWO, GROW);
    is_found("lease-survives-a-boot", WITNESS, crash, ONE);
    let witness = Shape { frail: &[2], ..WITNESS };
    is_found("votes-right-after-boot", witness, crash, ONE);
    is_found("obeys-any-term", TOLD, Budget { breaks: 1, ..TWO }, FENCED);
}
