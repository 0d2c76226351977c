//! What members add to SMTP and LMTP: X-SUBMIT, X-DELIVER, the envelope (WI-060 to WI-084).

use crate::support::{address, digest, member, origin, outcome, queue, store, transfer};
use bridgehead::wire::deliver::{self, Found, Inquire, Ownership};
use bridgehead::wire::ids::{
    Epoch, Incarnation, MemberName, OriginId, QueueId, StoreId, TransferId,
};
use bridgehead::wire::message::{Address, Digest, Outcome, Refusal};
use bridgehead::wire::smtp::{Command as Smtp, CommandError, Reply, Status};
use bridgehead::wire::submit::{Answer, Command, Load};
use bridgehead::wire::{DecodeError, envelope, helper, submit};
use proptest::prelude::*;

fn an_id() -> TransferId {
    TransferId { member: MemberName::from("rg1-a"), incarnation: Incarnation(0xab), sequence: 7 }
}

const ID: &str = "rg1-a/00000000000000ab/7";

#[test]
fn the_lines_of_x_submit_are_those_of_the_grammar() {
    let member = MemberName::from("rg1-a");
    let zeros = "0".repeat(64);
    for (line, command) in [
        (
            String::from("X-SUBMIT HELLO MEMBER=rg1-a STORE=000000000000002a"),
            Command::Hello { member, store: StoreId(42) },
        ),
        (
            format!("X-SUBMIT OFFER ID={ID} OFFER=3 ENVELOPE=100 BODY=2000 DIGEST={zeros}"),
            Command::Offer {
                transfer: an_id(),
                offer: 3,
                envelope_octets: 100,
                body_octets: 2_000,
                digest: Digest::default(),
                resume: None,
            },
        ),
        (
            format!(
                "X-SUBMIT OFFER ID={ID} OFFER=3 ENVELOPE=100 BODY=2000 DIGEST={zeros} RESUME={zeros}"
            ),
            Command::Offer {
                transfer: an_id(),
                offer: 3,
                envelope_octets: 100,
                body_octets: 2_000,
                digest: Digest::default(),
                resume: Some(Digest::default()),
            },
        ),
        (
            format!("X-SUBMIT COMMIT ID={ID} OFFER=3"),
            Command::Commit { transfer: an_id(), offer: 3 },
        ),
        (
            format!("X-SUBMIT RESOLVE ID={ID} OFFER=3"),
            Command::Resolve { transfer: an_id(), offer: 3 },
        ),
        (format!("X-SUBMIT STATUS ID={ID}"), Command::Status { transfer: an_id() }),
    ] {
        let command = Smtp::Submit(command);
        assert_eq!(Smtp::decode(line.as_bytes()), Ok(command.clone()));
        assert_eq!(command.encode(), line.as_bytes());
    }
}

/// WI-060.
#[test]
fn wi_060_arguments_stand_in_order_and_alone() {
    for (arguments, offset, expected) in [
        ("", 9, "a verb of X-SUBMIT"),
        ("HELO", 9, "HELLO, OFFER, COMMIT, RESOLVE, STATUS or RELEASE"),
        ("HELLO", 14, "SP"),
        ("HELLO STORE=000000000000002a", 15, "MEMBER="),
        ("HELLO MEMBER= STORE=000000000000002a", 22, "a member's name"),
        ("HELLO MEMBER=a/b STORE=000000000000002a", 23, "SP"),
        ("HELLO MEMBER=a  STORE=000000000000002a", 24, "STORE="),
        ("HELLO MEMBER=a STORE=2a", 30, "16 lower-case hexadecimal digits"),
        ("HELLO MEMBER=a STORE=000000000000002A", 30, "16 lower-case hexadecimal digits"),
        ("HELLO MEMBER=a STORE=000000000000002a X=1", 46, "the end of the line"),
        ("COMMIT OFFER=3 ID=rg1-a/00000000000000ab/7", 16, "ID="),
        ("COMMIT ID=rg1-a/00000000000000ab/7", 43, "SP"),
        ("COMMIT ID=rg1-a/00000000000000ab/07 OFFER=1", 42, "a decimal number"),
        ("COMMIT ID=rg1-a/00000000000000ab OFFER=1", 41, "`/`"),
        ("COMMIT ID=rg1-a/00000000000000ab/7 OFFER=4294967296", 50, "a decimal number"),
        ("STATUS ID=rg1-a/00000000000000ab/7 OFFER=1", 43, "the end of the line"),
        ("RELEASE BOOT=1 INCARNATION=00000000000000ab", 52, "SP"),
        (
            "RELEASE BOOT=1 INCARNATION=00000000000000ab UPTO=2 EXCEPT=",
            67,
            "16 lower-case hexadecimal digits",
        ),
        (
            "RELEASE BOOT=1 INCARNATION=00000000000000ab UPTO=2 EXCEPT=3",
            67,
            "16 lower-case hexadecimal digits",
        ),
        ("COMMITID=rg1-a/00000000000000ab/7 OFFER=1", 15, "SP"),
    ] {
        let line = format!("X-SUBMIT {arguments}");
        let error = DecodeError { offset, expected };
        assert_eq!(Smtp::decode(line.as_bytes()), Err(CommandError::Syntax(error)), "{line}");
    }
}

/// WI-054: where a body is to go on.
#[test]
fn wi_054_a_354_may_name_an_offset() {
    for (text, from) in [
        ("Go ahead", Ok(0)),
        ("2.0.0 Go ahead", Ok(0)),
        ("", Ok(0)),
        ("RESUME", Ok(0)),
        ("2.0.0 RESUME=17", Ok(17)),
        ("resume=17", Ok(17)),
        ("2.0.0 RESUME=0", Ok(0)),
        ("2.0.0 RESUME=", Err(7)),
        ("2.0.0 RESUME=017", Err(7)),
        ("2.0.0 RESUME=17 octets", Err(9)),
        ("2.0.0 RESUME=18446744073709551616", Err(7)),
    ] {
        let read = submit::go_ahead_from(&Reply::plain(354, text)).map_err(|e| e.offset);
        assert_eq!(read, from, "{text}");
    }
    for from in [0, 1, u64::MAX] {
        assert_eq!(submit::go_ahead_from(&submit::go_ahead(from)), Ok(from));
    }
}

/// SU-032: a receiver need not remember more exceptions than a sender may name.
#[test]
fn release_names_at_most_sixteen_exceptions() {
    let line = |exceptions: usize| {
        let ids = vec!["00000000000000ab/7"; exceptions].join(",");
        format!("X-SUBMIT RELEASE BOOT=1 INCARNATION=00000000000000ab UPTO=9 EXCEPT={ids}")
    };
    assert!(Smtp::decode(line(16).as_bytes()).is_ok());
    let error = DecodeError { offset: 67, expected: "at most 16 ids" };
    assert_eq!(Smtp::decode(line(17).as_bytes()), Err(CommandError::Syntax(error)));
}

/// WI-061.
#[test]
fn wi_061_the_answers_are_those_of_the_grammar() {
    for (text, answer) in [
        (
            String::from("MEMBER=rg2-a STORE=0000000000000001"),
            Answer::Hello { member: MemberName::from("rg2-a"), store: StoreId(1), load: None },
        ),
        (
            format!("TRANSFERRED ID={ID} OFFER=1"),
            Answer::Transferred { transfer: an_id(), offer: 1 },
        ),
        (
            format!("ACCEPTED ID={ID} QUEUE=0000000000000009"),
            Answer::Accepted { transfer: an_id(), queue: QueueId(9) },
        ),
        (format!("REFUSED ID={ID} OFFER=1"), Answer::Refused { transfer: an_id(), offer: 1 }),
        (format!("UNKNOWN ID={ID}"), Answer::Unknown { transfer: an_id() }),
    ] {
        assert_eq!(Answer::decode(&text), Ok(answer.clone()));
        let reply = answer.reply();
        assert_eq!(reply.encode(), [format!("250 2.0.0 {text}").into_bytes()]);
        assert_eq!(Answer::of_reply(&reply), Ok(answer));
    }
    for wrong in [
        Reply::plain(250, "UNKNOWN ID=rg1-a/00000000000000ab/7"),
        Reply::new(251, Status::new(2, 0, 0), "UNKNOWN ID=rg1-a/00000000000000ab/7"),
        Reply::new(250, Status::new(2, 0, 0), "UNKNOWN ID=rg1-a/00000000000000ab/7\n"),
        Reply::new(250, Status::new(2, 0, 0), "ok"),
        Reply::new(250, Status::new(2, 0, 0), "ACCEPTED ID=rg1-a/00000000000000ab/7"),
    ] {
        assert!(Answer::of_reply(&wrong).is_err(), "{wrong:?}");
    }
}

fn an_inquiry() -> Inquire {
    let TransferId { member, incarnation, sequence } = an_id();
    Inquire {
        origin: OriginId { member, incarnation, sequence },
        index: 2,
        epoch: Epoch::FIRST,
        address: Address("a@example.org".into()),
        arrived: None,
    }
}

/// WI-070.
#[test]
fn wi_070_inquire_has_all_three_arguments() {
    let line = format!("X-DELIVER INQUIRE XORIGIN={ID} XINDEX=2 ADDRESS=<a@example.org>");
    let command = Smtp::Deliver(an_inquiry());
    assert_eq!(Smtp::decode(line.as_bytes()), Ok(command.clone()));
    assert_eq!(command.encode(), line.as_bytes());
    for bad in [
        String::from("X-DELIVER"),
        String::from("X-DELIVER ASK"),
        format!("X-DELIVER INQUIRE XORIGIN={ID} XINDEX=2"),
        format!("X-DELIVER INQUIRE XORIGIN={ID} ADDRESS=<a@example.org>"),
        String::from("X-DELIVER INQUIRE XINDEX=2 ADDRESS=<a@example.org>"),
        format!("X-DELIVER INQUIRE XORIGIN={ID} XINDEX=2 ADDRESS=<>"),
        format!("{line} X=1"),
        line.replace("ADDRESS", "XEPOCH=0 ADDRESS"),
        line.replace(" ADDRESS", "ADDRESS"),
    ] {
        assert!(matches!(Smtp::decode(bad.as_bytes()), Err(CommandError::Syntax(_))), "{bad}");
    }
}

/// WI-071.
#[test]
fn wi_071_replies_begin_with_the_index() {
    assert_eq!(deliver::recipient_reply(3).encode(), [b"250 2.1.5 [3] ok"]);
    assert_eq!(
        deliver::result_reply(0, &Outcome::Delivered).encode(),
        [b"250 2.1.5 [0] delivered"]
    );
    let refusal = Refusal::new(450, "4.2.2", "over quota");
    let refused = deliver::result_reply(7, &Outcome::Refused(refusal.clone()));
    assert_eq!(refused.encode(), [b"450 4.2.2 [7] over quota"]);
    assert_eq!(deliver::decode_result(&refused), Ok((Some(7), Outcome::Refused(refusal))));
    // A stock LMTP server gives no index.
    let stock = Reply::new(250, Status::new(2, 0, 0), "Saved");
    assert_eq!(deliver::decode_result(&stock), Ok((None, Outcome::Delivered)));
    assert!(deliver::decode_result(&Reply::plain(354, "[1] go ahead")).is_err());
}

/// WI-073, WI-074, DE-041: every epoch but the first is named, and so is the new owner.
#[test]
fn wi_073_the_epoch_and_the_owner_are_named() {
    let inquire = Inquire { epoch: Epoch(3), ..an_inquiry() };
    let line = format!("X-DELIVER INQUIRE XORIGIN={ID} XINDEX=2 XEPOCH=3 ADDRESS=<a@example.org>");
    assert_eq!(Smtp::Deliver(inquire.clone()).encode(), line.as_bytes());
    assert_eq!(Smtp::decode(line.as_bytes()), Ok(Smtp::Deliver(inquire)));
    let to = Ownership { member: "rg1-b".into(), epoch: Epoch(4) };
    let reply = deliver::moved_reply(2, &to);
    assert_eq!(reply.encode(), [b"450 4.2.1 [2] MOVED MEMBER=rg1-b EPOCH=4"]);
    assert_eq!(deliver::decode_moved(&reply), Some((2, to.clone())));
    assert!(matches!(deliver::decode_result(&reply), Ok((Some(2), Outcome::Refused(_)))));
    let reply = deliver::found_reply(2, &Found::Moved(to.clone()));
    assert_eq!(reply.encode(), [b"250 2.0.0 [2] MOVED MEMBER=rg1-b EPOCH=4"]);
    assert_eq!(deliver::decode_found(&reply), Ok((2, Found::Moved(to))));
    let not_moved =
        ["[2] MOVED", "[2] MOVED MEMBER=a EPOCH=0", "[2] MOVED EPOCH=1 MEMBER=a", "MOVED"];
    for text in not_moved {
        let reply = Reply::new(450, Status::new(4, 2, 1), text);
        assert_eq!(deliver::decode_moved(&reply), None, "{text}");
        let reply = Reply::new(250, Status::new(2, 0, 0), text);
        assert!(deliver::decode_found(&reply).is_err(), "{text}");
    }
}

/// WI-072.
#[test]
fn wi_072_what_was_found_is_said_on_one_line() {
    let refusal = Refusal::new(550, "5.1.1", "no such account");
    let found = Found::Final(Outcome::Refused(refusal));
    let reply = deliver::found_reply(4, &found);
    assert_eq!(reply.encode(), [b"250 2.0.0 [4] REFUSED 550 5.1.1 no such account"]);
    assert_eq!(deliver::decode_found(&reply), Ok((4, found)));
    for (text, offset) in [
        ("DELIVERED", 0),
        ("[4]DELIVERED", 3),
        ("[4] delivered", 4),
        ("[4] DELIVERED ", 13),
        ("[4] REFUSED 250 5.1.1 x", 12),
        ("[4] REFUSED 550 4.1.1 x", 16),
        ("[4] REFUSED 550 5.1.1", 21),
    ] {
        let reply = Reply::new(250, Status::new(2, 0, 0), text);
        assert_eq!(deliver::decode_found(&reply).expect_err(text).offset, offset, "{text}");
    }
}

fn any_command() -> impl Strategy<Value = Command> {
    let numbered = || (transfer(), any::<u32>());
    prop_oneof![
        (member(), store()).prop_map(|(member, store)| Command::Hello { member, store }),
        (numbered(), any::<u32>(), any::<u64>(), digest(), proptest::option::of(digest()))
            .prop_map(|((transfer, offer), envelope_octets, body_octets, digest, resume)| {
                Command::Offer { transfer, offer, envelope_octets, body_octets, digest, resume }
            }),
        numbered().prop_map(|(transfer, offer)| Command::Commit { transfer, offer }),
        numbered().prop_map(|(transfer, offer)| Command::Resolve { transfer, offer }),
        transfer().prop_map(|transfer| Command::Status { transfer }),
    ]
}

fn load() -> impl Strategy<Value = Option<Load>> {
    let said = prop_oneof![any::<u32>().prop_map(Load::Messages), Just(Load::Draining)];
    proptest::option::of(said)
}

fn any_answer() -> impl Strategy<Value = Answer> {
    let numbered = || (transfer(), any::<u32>());
    prop_oneof![
        (member(), store(), load()).prop_map(|(member, store, load)| Answer::Hello {
            member,
            store,
            load
        }),
        numbered().prop_map(|(transfer, offer)| Answer::Transferred { transfer, offer }),
        (transfer(), queue()).prop_map(|(transfer, queue)| Answer::Accepted { transfer, queue }),
        numbered().prop_map(|(transfer, offer)| Answer::Refused { transfer, offer }),
        transfer().prop_map(|transfer| Answer::Unknown { transfer }),
    ]
}

fn any_found() -> impl Strategy<Value = Found> {
    let moved = (member(), 1..u64::MAX)
        .prop_map(|(member, epoch)| Ownership { member, epoch: Epoch(epoch) });
    prop_oneof![
        Just(Found::Unknown),
        outcome().prop_map(Found::Final),
        moved.prop_map(Found::Moved)
    ]
}

proptest! {
    /// WI-001: a value round-trips, and each of its prefixes is an error within the prefix or a value.
    #[test]
    fn commands_round_trip(command in any_command()) {
        let text = command.encode();
        prop_assert_eq!(Command::decode(&text), Ok(command));
        for end in 0..text.len() {
            if let Err(error) = Command::decode(&text[..end]) {
                prop_assert!(error.offset <= end && !error.expected.is_empty(), "{error} in {end}");
            }
        }
    }

    #[test]
    fn answers_round_trip(answer in any_answer()) {
        let text = answer.encode();
        prop_assert_eq!(Answer::of_reply(&answer.reply()), Ok(answer));
        for end in 0..text.len() {
            if let Err(error) = Answer::decode(&text[..end]) {
                prop_assert!(error.offset <= end && !error.expected.is_empty(), "{error} in {end}");
            }
        }
    }

    #[test]
    fn inquiries_round_trip(
        origin in origin(), index in any::<u32>(), epoch in 1..u64::MAX, address in address(),
        arrived in proptest::option::of(any::<u64>()),
    ) {
        let (epoch, arrived) = (Epoch(epoch), arrived.map(bridgehead::kernel::Time));
        let inquire = Inquire { origin, index, epoch, address, arrived };
        let text = inquire.encode();
        prop_assert_eq!(Inquire::decode(&text), Ok(inquire));
        for end in 0..text.len() {
            prop_assert!(Inquire::decode(&text[..end]).expect_err("incomplete").offset <= end);
        }
    }

    #[test]
    fn results_round_trip(index in any::<u32>(), outcome in outcome(), found in any_found()) {
        let reply = deliver::result_reply(index, &outcome);
        prop_assert_eq!(deliver::decode_result(&reply), Ok((Some(index), outcome)));
        let reply = deliver::found_reply(index, &found);
        prop_assert_eq!(deliver::decode_found(&reply), Ok((index, found)));
    }

    #[test]
    fn no_text_upsets_a_decoder(text in "\\PC{0,60}", verb in "(HELLO|OFFER|COMMIT|STATUS|INQUIRE|REFUSED|7|7 ERROR|7 ADDHEADER|7 INTF) \"?") {
        for text in [text.clone(), format!("{verb}{text}")] {
            for error in [
                Command::decode(&text).err(), Answer::decode(&text).err(), Inquire::decode(&text).err(),
                helper::Said::decode(&text).err(),
            ].into_iter().flatten() {
                prop_assert!(error.offset <= text.len());
            }
        }
    }

    #[test]
    fn envelopes_round_trip(envelope in crate::support::envelope()) {
        let octets = envelope::encode(&envelope).expect("it is short");
        prop_assert_eq!(envelope::decode(&octets), Ok(envelope));
        for end in (0..octets.len()).step_by(7) {
            let error = envelope::decode(&octets[..end]).expect_err("incomplete");
            prop_assert!(error.offset <= end);
        }
    }

    #[test]
    fn a_changed_octet_changes_envelope_or_digest(
        envelope in crate::support::envelope(), place in any::<prop::sample::Index>(), bit in 0_u8..8,
    ) {
        let octets = envelope::encode(&envelope).expect("it is short");
        let mut changed = octets.clone();
        changed[place.index(octets.len())] ^= 1 << bit;
        let body = Digest([7; 32]);
        prop_assert_ne!(
            envelope::transfer_digest(&octets, &body), envelope::transfer_digest(&changed, &body)
        );
        prop_assert_ne!(envelope::decode(&changed), Ok(envelope));
    }
}
