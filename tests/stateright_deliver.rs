//! Every interleaving of DELIVER between real members, also while an account moves: senders with a message
//! each, hosts, and at most two kinds of counted faults.

mod deliver_model;

use stateright::{Checker as _, HasDiscoveries, Model as _};

use deliver_model::Scene;

/// Runs a scene to its end: every property holds, every outcome is reached, and there are so many states.
fn holds(scene: Scene, states: usize) {
    let checker = scene.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    println!("{} states", checker.unique_state_count());
    checker.assert_properties();
    assert_eq!(checker.unique_state_count(), states);
}

/// C1, C2 and C7 for DELIVER; DE-002, DE-003, DE-007, DE-008, DE-020 to DE-024, DE-028, DE-030, DE-031.
#[test]
fn a_delivery_is_made_at_most_once_and_never_lost() {
    holds(Scene::one(2, 1, &[]), 3_298);
    holds(Scene::one(1, 2, &[]), 4_085);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_two_lost_connections_and_two_crashes() {
    holds(Scene::one(2, 2, &[]), 19_319);
}

/// DE-040, DE-041, DE-044 to DE-046: the same while the account and its journal move.
#[test]
fn an_account_that_moves_gets_the_delivery_at_most_once() {
    holds(Scene::moving(1, 0, &[]), 8_065);
    holds(Scene::moving(0, 1, &[]), 18_294);
}

/// The same with a lost connection and a crash.
#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_an_account_that_moves_with_a_lost_connection_and_a_crash() {
    holds(Scene::moving(1, 1, &[]), 108_427);
}

/// Two senders to one account: the journal tells apart what they send alike.
#[test]
fn two_senders_to_one_account() {
    holds(Scene::two([0, 0], 1, 0, &[]), 16_694);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_two_senders_to_one_account_with_a_crash() {
    holds(Scene::two([0, 0], 0, 1, &[]), 27_420);
}

#[test]
fn two_senders_to_two_hosts() {
    holds(Scene::two([0, 1], 1, 0, &[]), 5_616);
    holds(Scene::two([0, 1], 0, 1, &[]), 8_784);
}

/// The account goes from one host to another while two senders deliver into it.
#[test]
fn two_senders_to_an_account_that_moves() {
    holds(Scene::two_moving(0, 0, &[]), 1_067);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_two_senders_to_an_account_that_moves_with_a_lost_connection() {
    holds(Scene::two_moving(1, 0, &[]), 11_741);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_two_senders_to_one_account_with_a_lost_connection_and_a_crash() {
    holds(Scene::two([0, 0], 1, 1, &[]), 288_098);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_two_senders_to_two_hosts_with_a_lost_connection_and_a_crash() {
    holds(Scene::two([0, 1], 1, 1, &[]), 81_942);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_two_senders_to_an_account_that_moves_with_a_crash() {
    holds(Scene::two_moving(0, 1, &[]), 48_279);
}

const LOST: &str = "never lost";
const TWICE: &str = "stored at most once";
const EARLY: &str = "delivered is said of what is in its place";

/// The model can find a violation: with this planted bug the property does not hold.
fn is_found(bug: &str, scene: Scene, property: &'static str) {
    let checker = scene.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let steps = checker.discovery(property).map(|path| path.into_actions().len());
    println!("{bug}: {steps:?} steps, {} states", checker.unique_state_count());
    assert!(steps.is_some(), "{bug} is not found");
}

#[test]
fn planted_bugs_are_found() {
    for (bug, property) in [("second-deposit-on-repeat", TWICE), ("result-before-publish", EARLY)] {
        is_found(bug, Scene::one(1, 1, &[bug]), property);
    }
}

/// What is left behind at a move, and what is written by a host that has lost the account, is found.
#[test]
fn planted_bugs_of_a_move_are_found() {
    for bug in ["journal-left-behind", "epoch-not-checked"] {
        is_found(bug, Scene::moving(1, 0, &[bug]), TWICE);
    }
    let bug = "journal-left-behind";
    is_found(bug, Scene::two_moving(1, 0, &[bug]), TWICE);
}

/// It takes two senders: their ids differ in their names only. The digest keeps the second message from
/// being lost; where that is not compared either, it is.
#[test]
fn a_journal_without_the_sender_is_found() {
    let (bug, lax) = ("journal-without-the-sender", "other-content-is-a-repeat");
    let checker = Scene::two([0, 0], 0, 0, &[bug]).checker().spawn_bfs().join();
    checker.assert_no_discovery(LOST);
    holds(Scene::two([0, 0], 0, 0, &[lax]), 1_570);
    is_found(bug, Scene::two([0, 0], 0, 0, &[bug, lax]), LOST);
}
