//! Questions about accounts on the group port, and what the delivery port says of forgotten ones.

use bridgehead::kernel::Time;
use bridgehead::wire::DecodeError;
use bridgehead::wire::deliver::{self, Found};
use bridgehead::wire::group::Frame;
use bridgehead::wire::ids::MemberName;
use bridgehead::wire::message::{Address, Refusal};
use bridgehead::wire::smtp::{Command, Extensions};
use bridgehead::wire::verify::{Question, VerifyPdu};

/// WI-047, WI-048: the frames, both ways.
#[test]
fn wi_048_questions_and_answers() {
    let anna = || Address::from("anna+x@example.org");
    let question = |id, question| Frame::Verify(VerifyPdu::Verify { id, question });
    for (content, frame) in [
        (" CONSULT {3}fe1\r\n", Frame::Consult(MemberName::from("fe1"))),
        (
            " VERIFY 1f RECIPIENT {14}anna+2Bx@example.org 400\r\n",
            question(31, Question::Recipient { account: anna(), octets: 1_024 }),
        ),
        (
            " VERIFY 0 SENDER {14}anna+2Bx@example.org 0 a\r\n",
            question(0, Question::Sender { account: anna(), octets: 0, recipients: 10 }),
        ),
        (" VERIFIED 1f\r\n", Frame::Verify(VerifyPdu::Verified { id: 31 })),
        (
            " REFUSED 1f 450 4.2.1 {9}not+20now\r\n",
            Frame::Verify(VerifyPdu::Refused {
                id: 31,
                refusal: Refusal::new(450, "4.2.1", "not now"),
            }),
        ),
    ] {
        assert_eq!(frame.encode(), Ok(content.as_bytes().to_vec()), "{content}");
        assert_eq!(Frame::decode(content.as_bytes()), Ok(frame), "{content}");
    }
}

/// WI-048: what is wrong is named where it is.
#[test]
fn wi_048_other_questions_are_refused_where_they_are_wrong() {
    for (content, offset, expected) in [
        (" VERIFY 1 NOBODY {1}a 0\r\n", 9, "SP and RECIPIENT or SENDER"),
        (" VERIFY 01 RECIPIENT {3}a@b 0\r\n", 8, "a hexadecimal number"),
        (" VERIFY 100000000 RECIPIENT {3}a@b 0\r\n", 8, "a hexadecimal number"),
        (" VERIFY 1 RECIPIENT {3}a b 0\r\n", 24, "xtext"),
        (" VERIFY 1 RECIPIENT {1}a 0\r\n", 20, "the address of an account"),
        (" VERIFY 1 RECIPIENT {3}a@b\r\n", 26, "SP"),
        (" VERIFY 1 SENDER {3}a@b 0\r\n", 25, "SP"),
        (" VERIFIED\r\n", 9, "SP"),
        (" REFUSED 1 250 2.0.0 {2}ok\r\n", 11, "a code from 400 to 599"),
        (" REFUSED 1 450 5.0.0 {2}no\r\n", 15, "an enhanced status of the code's class"),
        (" REFUSED 1 450 4.0.0 no\r\n", 21, "a counted string"),
    ] {
        let error = Frame::decode(content.as_bytes()).expect_err("malformed");
        assert_eq!(error, DecodeError { offset, expected }, "{}", content.escape_debug());
    }
}

/// WI-049: when a message arrived, who understands that, and what is forgotten.
#[test]
fn wi_049_the_arrival_is_named() {
    let line = "MAIL FROM:<> XORIGIN=m/0000000000000001/2 XARRIVED=1795300586000000";
    let Ok(Command::Mail(mail)) = Command::decode(line.as_bytes()) else { panic!("it is MAIL") };
    assert_eq!(mail.arrived, Some(Time(1_795_300_586_000_000)));
    assert_eq!(Command::Mail(mail).encode(), line.as_bytes());
    let line = "X-DELIVER INQUIRE XORIGIN=m/0000000000000001/2 XINDEX=0 XARRIVED=7 ADDRESS=<a@b>";
    let Ok(Command::Deliver(inquire)) = Command::decode(line.as_bytes()) else { panic!("{line}") };
    assert_eq!(inquire.arrived, Some(Time(7)));
    assert_eq!(Command::Deliver(inquire).encode(), line.as_bytes());
    for wrong in [line.replace("=7", "="), line.replace("=7", "=-7"), line.replace("=7", "=07")] {
        assert!(Command::decode(wrong.as_bytes()).is_err(), "{wrong}");
    }
    let reply = deliver::found_reply(3, &Found::Forgotten);
    assert_eq!(reply.encode(), [b"250 2.0.0 [3] FORGOTTEN"]);
    assert_eq!(deliver::decode_found(&reply), Ok((3, Found::Forgotten)));
    for arrived in [false, true] {
        let offer = Extensions { deliver: true, arrived, ..Extensions::default() };
        assert_eq!(Extensions::of(&offer.reply("m")), offer);
    }
}
