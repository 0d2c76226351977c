//! Every interleaving of the SUBMIT hand-over between real members: senders with messages in their
//! queues, receivers that may take them, and at most two kinds of counted faults.

mod submit_model;

use stateright::{Checker as _, HasDiscoveries, Model as _};
use submit_model::{CALM, Faults, Scene};

/// How many senders there are, how many of them carry the connector, and how many receivers.
type Shape = (usize, usize, usize);

const ONE_AND_TWO: Shape = (1, 1, 2);
const ONE_AND_ONE: Shape = (1, 1, 1);
const TWO_AND_ONE: Shape = (2, 2, 1);
const TWO_AND_TWO: Shape = (2, 2, 2);
/// The second sender hands over to the first.
const CHAIN: Shape = (2, 1, 1);

/// Runs a scene to its end: every property holds, every outcome is reached, and there are so many
/// states. `mails` names the sender of each message.
fn holds(shape: Shape, mails: &[usize], faults: Faults, states: usize) {
    let scene = Scene::new(shape, mails, faults, &[]);
    let checker = scene.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    println!("{shape:?} {mails:?} {faults:?}: {} states", checker.unique_state_count());
    checker.assert_properties();
    assert_eq!(checker.unique_state_count(), states);
}

/// C1 to C3; SU-001 to SU-004, SU-010, SU-011, SU-016, SU-017, SU-020 to SU-023.
#[test]
fn lost_connections_and_crashes_of_the_sender() {
    holds(ONE_AND_TWO, &[0], Faults { breaks: 1, sender_crashes: 1, ..CALM }, 7_678);
}

/// As above, and CU-004.
#[test]
fn lost_connections_and_crashes_of_the_receiver() {
    holds(ONE_AND_TWO, &[0], Faults { breaks: 1, receiver_crashes: 1, ..CALM }, 3_387);
}

#[test]
fn crashes_on_both_sides() {
    holds(ONE_AND_TWO, &[0], Faults { sender_crashes: 1, receiver_crashes: 1, ..CALM }, 2_788);
}

/// SU-004: the answer to COMMIT is a refusal by a session that did not ask custody.
#[test]
fn lost_connections_and_refusals() {
    holds(ONE_AND_TWO, &[0], Faults { breaks: 1, refusals: 1, ..CALM }, 490);
}

/// SU-040, SU-041.
#[test]
fn lost_disks_and_lost_connections() {
    holds(ONE_AND_TWO, &[0], Faults { breaks: 1, disks: 1, ..CALM }, 6_106);
}

#[test]
fn lost_disks_and_crashes_of_the_sender() {
    holds(ONE_AND_TWO, &[0], Faults { sender_crashes: 1, disks: 1, ..CALM }, 4_566);
}

#[test]
fn two_senders_and_two_receivers() {
    holds(TWO_AND_TWO, &[0, 1], Faults { breaks: 1, ..CALM }, 5_497);
}

#[test]
fn two_senders_that_crash() {
    holds(TWO_AND_ONE, &[0, 1], Faults { sender_crashes: 1, ..CALM }, 5_355);
}

/// A member that receives and sends, between two others.
#[test]
fn a_chain_of_hand_overs() {
    holds(CHAIN, &[1], Faults { breaks: 1, ..CALM }, 1_780);
}

/// SU-031 to SU-033: the second message keeps the sender talking about the first.
#[test]
fn two_messages_and_their_release() {
    holds(ONE_AND_ONE, &[0, 0], Faults { breaks: 1, ..CALM }, 1_212);
}

/// The same at greater depth.
#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_two_lost_connections_and_a_crash_of_the_sender() {
    holds(ONE_AND_TWO, &[0], Faults { breaks: 2, sender_crashes: 1, ..CALM }, 233_842);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_two_lost_connections_and_a_lost_disk() {
    holds(ONE_AND_TWO, &[0], Faults { breaks: 2, disks: 1, ..CALM }, 135_399);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_two_messages_and_their_release() {
    holds(ONE_AND_ONE, &[0, 0], Faults { breaks: 2, ..CALM }, 50_369);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_two_senders_and_a_receiver_that_crashes() {
    holds(TWO_AND_ONE, &[0, 1], Faults { receiver_crashes: 1, ..CALM }, 25_517);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_two_senders_and_a_lost_disk() {
    holds(TWO_AND_ONE, &[0, 1], Faults { disks: 1, ..CALM }, 41_332);
}

#[test]
fn two_senders_and_two_receivers_with_refusals() {
    holds(TWO_AND_TWO, &[0, 1], Faults { breaks: 1, refusals: 1, ..CALM }, 14_381);
}

#[test]
fn two_senders_that_crash_and_two_receivers() {
    holds(TWO_AND_TWO, &[0, 1], Faults { sender_crashes: 1, ..CALM }, 5_355);
}

#[test]
fn two_senders_that_crash_and_two_receivers_with_refusals() {
    let faults = Faults { sender_crashes: 1, refusals: 1, ..CALM };
    holds(TWO_AND_TWO, &[0, 1], faults, 11_551);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_two_senders_and_two_receivers_that_crash() {
    holds(TWO_AND_TWO, &[0, 1], Faults { receiver_crashes: 1, ..CALM }, 25_546);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_two_senders_and_two_receivers_that_crash_with_refusals() {
    let faults = Faults { receiver_crashes: 1, refusals: 1, ..CALM };
    holds(TWO_AND_TWO, &[0, 1], faults, 97_940);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_two_senders_and_two_receivers_and_a_lost_disk() {
    holds(TWO_AND_TWO, &[0, 1], Faults { disks: 1, ..CALM }, 41_231);
}

#[test]
#[ignore = "minutes in a release build; .ci/long runs it"]
fn long_two_senders_and_two_receivers_that_crash_with_lost_connections() {
    let faults = Faults { breaks: 1, receiver_crashes: 1, ..CALM };
    holds(TWO_AND_TWO, &[0, 1], faults, 1_417_505);
}

#[test]
#[ignore = "minutes in a debug build; .ci/long runs it"]
fn long_a_chain_of_hand_overs() {
    holds(CHAIN, &[1], Faults { breaks: 1, sender_crashes: 1, ..CALM }, 520_898);
}

const LOST: &str = "C1: never lost";
const TWICE: &str = "C2: accepted at most once";
const TWO: &str = "C3: one custodian";
const OVER: &str = "what is over is never spoken of again";

/// The model can find a violation: with this planted bug the property does not hold.
fn is_found(bug: &str, shape: Shape, mails: &[usize], faults: Faults, property: &'static str) {
    let scene = Scene::new(shape, mails, faults, &[bug]);
    let checker = scene.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let steps = checker.discovery(property).map(|path| path.into_actions().len());
    println!("{bug}: {steps:?} steps, {} states", checker.unique_state_count());
    assert!(steps.is_some(), "{bug} is not found");
}

#[test]
fn planted_bugs_are_found() {
    let breaks = Faults { breaks: 2, ..CALM };
    let sender = Faults { sender_crashes: 1, ..CALM };
    let receiver = Faults { receiver_crashes: 1, ..CALM };
    let refusal = Faults { breaks: 1, refusals: 1, ..CALM };
    is_found("reply-before-durable", ONE_AND_ONE, &[0], receiver, LOST);
    is_found("fallback-while-in-doubt", ONE_AND_TWO, &[0], breaks, TWICE);
    is_found("commit-refused-means-refused", ONE_AND_TWO, &[0], refusal, TWICE);
    is_found("resolve-without-fence", ONE_AND_TWO, &[0], breaks, TWO);
    is_found("release-without-exceptions", ONE_AND_ONE, &[0], sender, OVER);
}

/// It takes two messages: a COMMIT that arrives late, after a RELEASE that the second one carries.
#[test]
fn a_receiver_that_accepts_what_is_over_is_found() {
    is_found("released-is-new", ONE_AND_ONE, &[0, 0], Faults { breaks: 2, ..CALM }, OVER);
}
