//! SMTP and LMTP: commands, paths, parameters, replies (WI-040 to WI-053).

use crate::support::{address, member, notify, origin, refusal, ret, transfer};
use bridgehead::wire::DecodeError;
use bridgehead::wire::ids::Epoch;
use bridgehead::wire::message::{Address, Digest, Notify, Refusal, Return};
use bridgehead::wire::smtp::{
    BodyKind, Command, CommandError, Extensions, Mail, REPLY_LINE_LIMIT, REPLY_LINES_LIMIT, Rcpt,
    Reply, ReplyReader, Status, decode_address, xtext,
};
use proptest::option;
use proptest::prelude::*;

fn decode(line: &str) -> Result<Command, CommandError> {
    Command::decode(line.as_bytes())
}

fn mail(parameters: &str) -> Result<Mail, CommandError> {
    match decode(&format!("MAIL FROM:<a@example.org>{parameters}"))? {
        Command::Mail(mail) => Ok(mail),
        other => panic!("MAIL was read as {other:?}"),
    }
}

fn rcpt(path: &str) -> Result<Rcpt, CommandError> {
    match decode(&format!("RCPT TO:{path}"))? {
        Command::Rcpt(rcpt) => Ok(rcpt),
        other => panic!("RCPT was read as {other:?}"),
    }
}

#[track_caller]
fn wrong_at(line: &str, offset: usize, expected: &str) {
    match decode(line) {
        Err(CommandError::Syntax(error)) => {
            assert_eq!((error.offset, error.expected), (offset, expected), "{line}");
        }
        other => panic!("{line}: {other:?}"),
    }
}

/// WI-040.
#[test]
fn wi_040_verbs_and_keywords_have_no_case_and_lines_may_end_in_spaces() {
    assert_eq!(decode("eHlO client.example.org  "), Ok(Command::Ehlo("client.example.org".into())));
    assert_eq!(decode("data "), Ok(Command::Data));
    assert_eq!(decode("Quit"), Ok(Command::Quit));
    assert_eq!(decode("noop whatever this is"), Ok(Command::Noop));
    assert_eq!(decode("starttls"), Ok(Command::StartTls));
    assert_eq!(decode("bdat 17 last"), Ok(Command::Bdat { octets: 17, last: true }));
    let Ok(Command::Mail(mail)) = decode("mail from:<a@Example.ORG> size=9 Body=8bitmime") else {
        panic!("MAIL in lower case")
    };
    assert_eq!(mail.sender, Some(Address("a@example.org".into())));
    assert_eq!((mail.size, mail.body), (Some(9), Some(BodyKind::EightBitMime)));
}

/// WI-041.
#[test]
fn wi_041_each_kind_of_error_has_its_code() {
    for (line, code, status) in [
        ("FOO", 500, "5.5.1"),
        ("", 500, "5.5.1"),
        (" NOOP", 500, "5.5.1"),
        ("EXPN list", 502, "5.5.1"),
        ("AUTH", 501, "5.5.4"),
        ("AUTH PLAIN !", 501, "5.5.2"),
        ("MAIL", 501, "5.5.4"),
        ("DATA now", 501, "5.5.4"),
        ("MAIL FROM:<a@b.example> FOO=1", 555, "5.5.4"),
        ("RCPT TO:<a@b.example> SIZE=1", 555, "5.5.4"),
        ("MAIL FROM:<\u{e4}@b.example>", 553, "5.6.7"),
    ] {
        let reply = decode(line).expect_err(line).reply();
        assert_eq!(reply.code(), code, "{line}");
        assert_eq!(reply.status().expect("a status").to_string(), status, "{line}");
    }
}

#[test]
fn errors_name_offset_and_expectation() {
    wrong_at("EHLO", 5, "the name of the client");
    wrong_at("EHLO -x.example", 5, "a host name or an address literal");
    wrong_at("EHLO [1.2.3]", 6, "an IPv4 address, or `IPv6:` and an IPv6 address");
    wrong_at("MAIL <a@b.example>", 5, "FROM:");
    wrong_at("MAIL FROM: <a@b.example>", 10, "`<`");
    wrong_at("MAIL FROM:a@b.example", 10, "`<`");
    wrong_at("MAIL FROM:<a@b.example", 22, "`>`");
    wrong_at("MAIL FROM:<a b@c.example>", 12, "`@`");
    wrong_at("MAIL FROM:<a@b.example>SIZE=1", 23, "SP or the end of the line");
    wrong_at("MAIL FROM:<a@b.example> SIZE=", 29, "the value of the parameter");
    wrong_at("MAIL FROM:<a@b.example> SIZE=x", 29, "a size in octets");
    wrong_at("MAIL FROM:<a@b.example> SIZE", 28, "a size in octets");
    wrong_at("MAIL FROM:<a@b.example>  SIZE=1", 24, "the keyword of a parameter");
    wrong_at("RCPT TO:<>", 9, "a local part");
    wrong_at("RCPT TO:<a@>", 11, "a label of a domain");
    wrong_at("RCPT TO:<a@b..c>", 12, "`>`");
    wrong_at("RCPT TO:<\"a@b.example>", 22, "`\"`");
    wrong_at("BDAT 08", 5, "a number of octets");
    wrong_at("BDAT 8 END", 7, "LAST");
    wrong_at("NOOP \u{1}", 5, "no control character");
    wrong_at("NOOP \t", 5, "no control character");
}

#[test]
fn octets_that_are_no_text_are_refused_where_they_stand() {
    let expected = DecodeError { offset: 10, expected: "ASCII or UTF-8" };
    assert_eq!(Command::decode(b"MAIL FROM:\xff<a@b>"), Err(CommandError::Syntax(expected)));
    assert!(
        matches!(Command::decode(b"MAIL FROM:<a\0@b>"), Err(CommandError::Syntax(e)) if e.offset == 12)
    );
}

/// WI-042.
#[test]
fn wi_042_paths_are_those_of_rfc_5321() {
    let longest = format!("{}@{}.org", "l".repeat(64), "d".repeat(63));
    for (path, address) in [
        ("<a@example.org>", "a@example.org"),
        ("<first.last+tag@sub.example.org>", "first.last+tag@sub.example.org"),
        ("<User@EXAMPLE.org>", "User@example.org"),
        ("<\"a b\"@example.org>", "\"a b\"@example.org"),
        ("<\"plain\"@example.org>", "plain@example.org"),
        ("<\"a\\\"\\b \"@example.org>", "\"a\\\"b \"@example.org"),
        ("<\"a@b\"@example.org>", "\"a@b\"@example.org"),
        ("<a@[192.0.2.1]>", "a@[192.0.2.1]"),
        ("<a@[IPv6:2001:db8::1]>", "a@[ipv6:2001:db8::1]"),
        ("<@one.example,@two.example:a@example.org>", "a@example.org"),
        ("<postmaster>", "postmaster"),
        ("<PostMaster>", "PostMaster"),
        (format!("<{longest}>").as_str(), longest.as_str()),
    ] {
        assert_eq!(rcpt(path).expect(path).recipient, Address(address.into()), "{path}");
    }
    assert_eq!(decode("MAIL FROM:<>"), Ok(Command::Mail(Mail::from(None))));
    assert!(mail("").expect("a sender").sender.is_some());
}

/// WI-042.
#[test]
fn wi_042_each_limit_of_a_path_is_held() {
    let refused = |path: String, expected: &str| match rcpt(&path) {
        Err(CommandError::Syntax(error)) => assert_eq!(error.expected, expected, "{path}"),
        other => panic!("{path}: {other:?}"),
    };
    let label = "d".repeat(63);
    refused(format!("<{}@example.org>", "l".repeat(65)), "a local part of at most 64 octets");
    refused(format!("<a@{label}d.org>"), "a label of at most 63 octets");
    let long = format!("{label}.{label}.{label}.{label}");
    assert_eq!(long.len(), 255);
    refused(format!("<a@{long}>"), "a path of at most 256 octets");
    refused(format!("<a@{long}.d>"), "a domain of at most 255 octets");
    refused("<a@example-.org>".into(), "a label that neither begins nor ends with a hyphen");
    refused("<a@-example.org>".into(), "a label that neither begins nor ends with a hyphen");
    refused("<a.@example.org>".into(), "`@`");
    refused("<.a@example.org>".into(), "a local part");
    refused("<a@exa_mple.org>".into(), "`>`");
    refused("<a@[192.0.2.256]>".into(), "an IPv4 address, or `IPv6:` and an IPv6 address");
    refused("<a@[IPv6:2001::db8::1]>".into(), "an IPv4 address, or `IPv6:` and an IPv6 address");
    let routes = (0..30).map(|n| format!("@route{n}.example")).collect::<Vec<_>>().join(",");
    refused(format!("<{routes}:a@b.example>"), "a path of at most 256 octets");
}

/// WI-043.
#[test]
fn wi_043_a_parameter_stands_once() {
    for parameters in [" SIZE=1 SIZE=1", " SMTPUTF8 SMTPUTF8", " ENVID=a RET=FULL envid=a"] {
        let Err(CommandError::Syntax(error)) = mail(parameters) else { panic!("{parameters}") };
        assert_eq!(error.expected, "each parameter once");
        assert_eq!(error.offset, 25 + parameters.rfind(' ').expect("a space") + 1);
    }
}

/// WI-044.
#[test]
fn wi_044_an_unknown_parameter_is_refused_by_name() {
    let expected = CommandError::UnknownParameter { offset: 33, keyword: "X-Foo".into() };
    assert_eq!(mail(" SIZE=1 X-Foo=bar"), Err(expected));
    let expected = CommandError::UnknownParameter { offset: 22, keyword: "XORIGIN".into() };
    assert_eq!(rcpt("<a@b.example> XORIGIN=a"), Err(expected));
}

/// WI-045.
#[test]
fn wi_045_the_parameters_of_dsn_are_xtext() {
    let found = mail(" RET=hdrs ENVID=QQ+2B1+20x AUTH=e+3Dmc2@example.com").expect("well-formed");
    assert_eq!(found.ret, Some(Return::Headers));
    assert_eq!(found.envid.as_deref(), Some("QQ+1 x"));
    assert_eq!(found.auth.as_deref(), Some("e=mc2@example.com"));
    assert_eq!(mail(" AUTH=<>").expect("nobody").auth.as_deref(), Some("<>"));
    assert_eq!(
        mail(&format!(" ENVID={}", "x".repeat(100))).expect("100").envid.map(|e| e.len()),
        Some(100)
    );
    for bad in [" ENVID=+0A", " ENVID=a+2b", " ENVID=a+2", " ENVID=a=b", " RET=BODY", " BODY=9BIT"]
    {
        assert!(matches!(mail(bad), Err(CommandError::Syntax(_))), "{bad}");
    }
    assert!(mail(&format!(" ENVID={}", "x".repeat(101))).is_err());

    let found =
        rcpt("<a@b.example> NOTIFY=success,DELAY ORCPT=rfc822;a+2Bb@c.example").expect("dsn");
    assert_eq!(found.notify, Some(Notify { success: true, failure: false, delay: true }));
    assert_eq!(found.original.as_deref(), Some("rfc822;a+2Bb@c.example"));
    let never = Notify { success: false, failure: false, delay: false };
    assert_eq!(rcpt("<a@b.example> NOTIFY=NEVER").expect("never").notify, Some(never));
    for bad in [
        "NOTIFY=NEVER,DELAY",
        "NOTIFY=",
        "ORCPT=a@b",
        "ORCPT=rfc822;",
        "ORCPT=;a",
        "XINDEX=01",
        "XEPOCH=0",
    ] {
        assert!(
            matches!(rcpt(&format!("<a@b.example> {bad}")), Err(CommandError::Syntax(_))),
            "{bad}"
        );
    }
    let long = |octets: usize| format!("<a@b.example> ORCPT=rfc822;{}", "x".repeat(octets - 7));
    assert!(rcpt(&long(500)).is_ok());
    assert!(rcpt(&long(501)).is_err());
}

/// WI-046.
#[test]
fn wi_046_an_address_beyond_ascii_needs_smtputf8() {
    assert_eq!(
        decode("MAIL FROM:<\u{fc}@example.org>"),
        Err(CommandError::NeedsUtf8 { offset: 10 })
    );
    assert!(decode("MAIL FROM:<\u{fc}@b\u{fc}cher.example> SMTPUTF8").is_ok());
    assert!(!rcpt("<\u{fc}@example.org>").expect("the session checks RCPT").recipient.0.is_ascii());
}

#[test]
fn member_parameters_are_strict() {
    let found = mail(" XORIGIN=rg1-a/00000000000000ff/7").expect("an origin");
    assert_eq!(found.origin.expect("an origin").to_string(), "rg1-a/00000000000000ff/7");
    for bad in
        ["rg1-a/FF/7", "rg1-a/00000000000000FF/7", "/00000000000000ff/7", "a/00000000000000ff/07"]
    {
        assert!(mail(&format!(" XORIGIN={bad}")).is_err(), "{bad}");
    }
    let digest = "0f".repeat(32);
    let found = mail(&format!(" XDIGEST={digest}")).expect("a digest");
    assert_eq!(found.digest.expect("a digest").to_string(), digest);
    for bad in [&digest[1..], &"0F".repeat(32), &format!("{digest}0"), ""] {
        assert!(mail(&format!(" XDIGEST={bad}")).is_err(), "{bad}");
    }
    let greatest = rcpt("<a@b.example> XINDEX=4294967295").expect("the greatest");
    assert_eq!(greatest.index, Some(u32::MAX));
    assert!(rcpt("<a@b.example> XINDEX=4294967296").is_err());
}

fn read(lines: &[&str]) -> Result<Option<Reply>, DecodeError> {
    let mut reader = ReplyReader::default();
    let mut taken = Ok(None);
    for line in lines {
        taken = reader.line(line.as_bytes());
    }
    taken
}

#[test]
fn replies_are_put_together() {
    let reply = read(&["250-2.1.5 one", "250-2.1.5 two", "250 2.1.5 three"]);
    assert_eq!(reply, Ok(Some(Reply::new(250, Status::new(2, 1, 5), "one\ntwo\nthree"))));
    assert_eq!(read(&["250-one"]), Ok(None));
    assert_eq!(read(&["354"]), Ok(Some(Reply::plain(354, ""))));
    assert_eq!(read(&["250 "]), Ok(Some(Reply::plain(250, ""))));
    // What is no UTF-8 is for people only.
    let mut reader = ReplyReader::default();
    let reply = reader.line(b"550 caf\xe9").expect("tolerated").expect("one line");
    assert_eq!(reply.text(), "caf\u{fffd}");
}

#[test]
fn malformed_replies_are_refused_where_they_are_wrong() {
    let error = |offset, expected| Err(DecodeError { offset, expected });
    assert_eq!(read(&[""]), error(0, "the three digits of a reply"));
    assert_eq!(read(&["25"]), error(2, "the three digits of a reply"));
    assert_eq!(read(&["2x0 a"]), error(1, "the three digits of a reply"));
    assert_eq!(read(&["199 a"]), error(0, "a reply code from 200 to 599"));
    assert_eq!(read(&["600 a"]), error(0, "a reply code from 200 to 599"));
    assert_eq!(read(&["250+a"]), error(3, "SP or `-`"));
    assert_eq!(read(&["250 a\rb"]), error(5, "no control character"));
}

/// WI-050.
#[test]
fn wi_050_a_status_belongs_to_its_class() {
    assert_eq!(
        read(&["550 5.1.1 no"]).expect("a reply").expect("one line").status(),
        Some(Status::new(5, 1, 1))
    );
    let reply = read(&["550 2.1.1 no"]).expect("a reply").expect("one line");
    assert_eq!((reply.status(), reply.text()), (None, "2.1.1 no"));
    for no_status in ["550 5.1 no", "550 5.1.1x no", "550 5.1.1000 no", "550 5.01.1 no"] {
        assert_eq!(
            read(&[no_status]).expect("a reply").expect("one line").status(),
            None,
            "{no_status}"
        );
    }
}

/// WI-051.
#[test]
fn wi_051_the_lines_of_a_reply_have_one_code() {
    let expected = "the code of the first line";
    assert_eq!(read(&["250-a", "251 b"]), Err(DecodeError { offset: 0, expected }));
    // After an error the reader is as new.
    assert!(matches!(read(&["250-a", "251 b", "251 c"]), Ok(Some(_))));
}

/// WI-052.
#[test]
fn wi_052_a_reply_has_a_limit_of_lines() {
    let mut reader = ReplyReader::default();
    for _ in 0..REPLY_LINES_LIMIT {
        assert_eq!(reader.line(b"250-a"), Ok(None));
    }
    assert_eq!(
        reader.line(b"250 a").expect_err("one too many").expected,
        "the last line of the reply"
    );
}

/// WI-053.
#[test]
fn wi_053_no_text_ends_a_line() {
    let refusal = Refusal::new(550, "5.1.1", "no\r\n250 2.0.0 yes\u{0}\u{85}");
    let lines = Reply::from(&refusal).encode();
    assert_eq!(lines, [b"550-5.1.1 no".to_vec(), b"550 5.1.1 250 2.0.0 yes??".to_vec()]);
    let long = Reply::new(450, Status::new(4, 0, 0), &"\u{e4}".repeat(2_000)).encode();
    assert!(long.len() == 1 && long[0].len() + 2 <= REPLY_LINE_LIMIT);
    assert!(String::from_utf8(long[0].clone()).is_ok(), "a character is not cut in two");
}

#[test]
fn a_refusal_survives_a_reply() {
    let refusal = Refusal::new(452, "4.3.1", "disk full");
    assert_eq!(Reply::from(&refusal).refusal(), Some(refusal));
    assert_eq!(Reply::plain(550, "no").refusal(), Some(Refusal::new(550, "5.0.0", "no")));
    assert_eq!(Reply::plain(250, "yes").refusal(), None);
    let wrong_class = Refusal::new(550, "4.1.1", "no");
    assert_eq!(Reply::from(&wrong_class).status(), Some(Status::new(5, 0, 0)));
}

#[test]
fn extensions_are_read_from_the_reply_to_ehlo() {
    let lines = ["250-host greets", "250-size 1000", "250-XYZ a b", "250-X-Submit", "250 DSN"];
    let reply = read(&lines).expect("a reply").expect("complete");
    let expected =
        Extensions { size: Some(1_000), submit: true, dsn: true, ..Extensions::default() };
    assert_eq!(Extensions::of(&reply), expected);
    assert_eq!(Extensions::of(&Reply::plain(250, "SIZE 9")), Extensions::default());
}

fn any_mail() -> impl Strategy<Value = Mail> {
    let body = prop_oneof![Just(BodyKind::SevenBit), Just(BodyKind::BinaryMime)];
    (
        option::of(address()),
        option::of(any::<u64>()),
        option::of(body),
        any::<bool>(),
        option::of(ret()),
        option::of("[ -~]{1,100}"),
        option::of("[ -~]{1,20}"),
        option::of((origin(), any::<[u8; 32]>(), any::<u64>())),
    )
        .prop_map(|(sender, size, body, smtputf8, ret, envid, auth, delivery)| Mail {
            sender,
            size,
            body,
            smtputf8,
            ret,
            envid,
            auth,
            origin: delivery.as_ref().map(|(origin, ..)| origin.clone()),
            arrived: delivery.as_ref().map(|(.., at)| bridgehead::kernel::Time(*at)),
            digest: delivery.map(|(_, octets, _)| Digest(octets)),
        })
}

fn any_rcpt() -> impl Strategy<Value = Rcpt> {
    let original = option::of("rfc822;[a-zA-Z0-9@.]{1,20}");
    let delivery = (option::of(any::<u32>()), option::of(1..u64::MAX), any::<bool>());
    (address(), option::of(notify()), original, delivery).prop_map(|parts| {
        let (recipient, notify, original, (index, epoch, suspect)) = parts;
        Rcpt { recipient, notify, original, index, epoch: epoch.map(Epoch), suspect }
    })
}

fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        member().prop_map(|name| Command::Ehlo(name.0.replace('.', "x"))),
        any_mail().prop_map(Command::Mail),
        any_rcpt().prop_map(Command::Rcpt),
        (any::<u64>(), any::<bool>()).prop_map(|(octets, last)| Command::Bdat { octets, last }),
        "[!-~]{1,20}".prop_map(Command::Vrfy),
        transfer().prop_map(|transfer| {
            Command::Submit(bridgehead::wire::submit::Command::Status { transfer })
        }),
        Just(Command::Data),
        Just(Command::Quit),
    ]
}

/// Octets near to commands.
fn near_commands() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..80),
        "(MAIL FROM:|RCPT TO:|EHLO |X-SUBMIT |X-DELIVER |BDAT )[<>@:;,.\"\\\\= a-zA-Z0-9+\\[\\]-]{0,60}"
            .prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn commands_round_trip(command in any_command()) {
        prop_assume!(!matches!(&command, Command::Ehlo(name) if name.starts_with('-') || name.ends_with('-')));
        prop_assert_eq!(Command::decode(&command.encode()), Ok(command));
    }

    /// WI-001: every prefix of a command is a command or an error within the line.
    #[test]
    fn prefixes_and_noise_are_answered(command in any_command(), noise in near_commands()) {
        let line = command.encode();
        for end in 0..line.len() {
            if let Err(CommandError::Syntax(error)) = Command::decode(&line[..end]) {
                // A missing argument is expected one SP behind the verb.
                prop_assert!(error.offset <= end + 1, "{error} in {end} octets");
                prop_assert!(!error.expected.is_empty());
            }
        }
        if let Err(CommandError::Syntax(error)) = Command::decode(&noise) {
            prop_assert!(error.offset <= noise.len() + 1);
        }
    }

    #[test]
    fn addresses_round_trip(address in address()) {
        prop_assert_eq!(decode_address(&address.0), Ok(address));
    }

    #[test]
    fn xtext_round_trips(text in any::<String>()) {
        let encoded = xtext::encode(&text);
        prop_assert!(encoded.bytes().all(|octet| (b'!'..=b'~').contains(&octet) && octet != b'='));
        prop_assert_eq!(xtext::decode(&encoded), Ok(text));
    }

    #[test]
    fn replies_round_trip(
        code in 200_u16..600,
        numbers in option::of((0_u16..1000, 0_u16..1000)),
        lines in proptest::collection::vec("[a-zA-Z][ -~]{0,60}", 1..6),
    ) {
        let text = lines.join("\n");
        let class = u8::try_from(code / 100).expect("a digit");
        let reply = match numbers {
            Some((subject, detail)) if class != 3 => Reply::new(code, Status::new(class, subject, detail), &text),
            _ => Reply::plain(code, &text),
        };
        let mut reader = ReplyReader::default();
        let encoded = reply.encode();
        let (last, front) = encoded.split_last().expect("a line");
        for line in front {
            prop_assert_eq!(reader.line(line), Ok(None));
        }
        prop_assert_eq!(reader.line(last), Ok(Some(reply)));
    }

    #[test]
    fn no_octets_upset_the_reply_reader(lines in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..12), 0..6)) {
        let mut reader = ReplyReader::default();
        for line in &lines {
            if let Err(error) = reader.line(line) {
                prop_assert!(error.offset <= line.len());
            }
        }
    }

    #[test]
    fn refusals_round_trip(refusal in refusal()) {
        prop_assert_eq!(Reply::from(&refusal).refusal(), Some(refusal));
    }

    #[test]
    fn extensions_round_trip(flags in any::<[bool; 13]>(), size in option::of(any::<u64>())) {
        let [pipelining, eight_bit_mime, smtputf8, enhanced_status_codes, dsn, chunking, starttls, auth, submit, link2state, deliver, resume, arrived] = flags;
        let offered = Extensions {
            pipelining, size, eight_bit_mime, smtputf8, enhanced_status_codes, dsn, chunking, starttls,
            auth, submit, link2state, deliver, resume: submit && resume, arrived: deliver && arrived,
        };
        prop_assert_eq!(Extensions::of(&offered.reply("host")), offered);
    }
}
