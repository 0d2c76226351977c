//! Every interleaving of a DELIVER hand-over between real members, also while the account moves.

mod deliver_model;

use stateright::{Checker as _, HasDiscoveries, Model as _};

use deliver_model::Deliver;

/// C1, C2 and C7 for DELIVER; DE-002, DE-003, DE-007, DE-008, DE-020 to DE-024, DE-028, DE-030, DE-031.
#[test]
fn a_delivery_is_made_at_most_once_and_never_lost() {
    let model = Deliver::new(2, 2, &[]);
    let checker = model.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    checker.assert_properties();
    assert_eq!(checker.unique_state_count(), 19_319);
}

/// The model can find a violation: each of these planted bugs gives one.
#[test]
fn planted_bugs_are_found() {
    for (fault, property) in [
        ("second-deposit-on-repeat", "stored at most once"),
        ("result-before-publish", "delivered is said of what is in its place"),
    ] {
        let model = Deliver::new(1, 1, &[fault]);
        let checker = model.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
        assert!(checker.discovery(property).is_some(), "{fault} is not found");
    }
}

/// DE-040, DE-041, DE-044 to DE-046: the same while the account and its journal move.
#[test]
fn an_account_that_moves_gets_the_delivery_at_most_once() {
    for (breaks, crashes, states) in [(1, 0, 8_251), (0, 1, 18_540)] {
        let model = Deliver::moving(breaks, crashes, &[]);
        let checker = model.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
        checker.assert_properties();
        assert_eq!(checker.unique_state_count(), states);
    }
}

/// The same with a lost connection and a crash.
#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_an_account_that_moves_with_a_lost_connection_and_a_crash() {
    let model = Deliver::moving(1, 1, &[]);
    let checker = model.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    checker.assert_properties();
    assert_eq!(checker.unique_state_count(), 108_857);
}

/// What is left behind at a move, and what is written by a host that has lost the account, is found.
#[test]
fn planted_bugs_of_a_move_are_found() {
    for fault in ["journal-left-behind", "epoch-not-checked"] {
        let model = Deliver::moving(1, 0, &[fault]);
        let checker = model.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
        assert!(checker.discovery("stored at most once").is_some(), "{fault} is not found");
    }
}
