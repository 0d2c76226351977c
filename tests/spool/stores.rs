//! Accounts, notices and identity.

use std::fs;
use std::io::{self, Read};

use bridgehead::kernel::Time;
use bridgehead::protocol::member::{Notice, NoticeKind};
use bridgehead::protocol::queue::Ending;
use bridgehead::protocol::session::lines_of_file;
use bridgehead::server::identity::{Credentials, DevelopmentCa, member_of, server_name};
use bridgehead::server::maildir::Maildirs;
use bridgehead::server::notices;
use bridgehead::wire::ids::{GroupName, Incarnation, MemberName, OriginId};
use bridgehead::wire::message::{
    Address, Body, BodyKey, Digest, Hop, Notify, Recipient, Refusal, Return,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

const BODY: &[u8] = b"Subject: hello\r\n\r\n.dots\r\nand \xc3\xa4\r\n";

fn hop(number: u64) -> Hop {
    Hop {
        from: format!("host{number}"),
        by: format!("rg{number}-a"),
        group: GroupName::from("RG1"),
        with: "ESMTP".into(),
        id: format!("{number:016x}"),
        at: Time(number * 1_000_000),
        table: None,
    }
}

fn deposit(maildirs: &Maildirs, account: &str, name: &str) {
    let sender = Address::from("anna@example.test");
    let hops = [hop(1), hop(2)];
    maildirs
        .deposit(
            (&Address::from(account), None),
            name,
            &lines_of_file(Some(&sender), &hops, &[], false),
            &mut &BODY[..],
        )
        .expect("it is written");
}

#[test]
fn a_message_is_seen_only_when_it_is_published() {
    let directory = tempfile::tempdir().expect("a directory");
    let maildirs = Maildirs::new(directory.path());
    assert_eq!(maildirs.list().expect("nothing is there"), []);
    deposit(&maildirs, "Eva@example.test", "one.1");
    let accounts = maildirs.list().expect("it can be listed");
    assert_eq!((accounts[0].letters.len(), accounts[0].unpublished), (0, 1));
    maildirs
        .publish((&Address::from("eva@EXAMPLE.test"), None), "one.1")
        .expect("the same account");
    let accounts = maildirs.list().expect("it can be listed");
    assert_eq!(accounts.len(), 1);
    assert_eq!(accounts[0].address, Address::from("eva@example.test"));
    assert_eq!(accounts[0].directory, directory.path().join("accounts/example.test/eva"));
    assert_eq!((accounts[0].letters.len(), accounts[0].unpublished), (1, 0));
    let path = accounts[0].directory.join("new/one.1");
    assert_eq!(accounts[0].letters[0].path, path);
    let text = fs::read(&path).expect("it is published");
    assert_eq!(accounts[0].letters[0].octets, text.len() as u64);
    assert!(text.starts_with(b"Return-Path: <anna@example.test>\r\nReceived: from host2\r\n"));
    assert!(text.ends_with(BODY), "the body is there octet for octet");
    let text = String::from_utf8_lossy(&text).into_owned();
    let (second, first) = (text.find("by rg2-a"), text.find("by rg1-a"));
    assert!(second < first && second.is_some(), "newest first: {text}");
}

/// SV-012
#[test]
fn publishing_again_changes_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let maildirs = Maildirs::new(directory.path());
    let account = Address::from("eva@example.test");
    deposit(&maildirs, "eva@example.test", "one");
    maildirs.publish((&account, None), "one").expect("the first time");
    let before = maildirs.list().expect("it can be listed");
    maildirs.publish((&account, None), "one").expect("the second time");
    assert_eq!(maildirs.list().expect("it can be listed"), before);
    fs::remove_dir_all(directory.path()).expect("an operator removes it");
    maildirs.publish((&account, None), "one").expect("it was done once");
}

/// SV-011: a deposit that fails leaves nothing, and the next one replaces what a crash left.
#[test]
fn a_deposit_is_whole_or_not_there() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
    }
    let directory = tempfile::tempdir().expect("a directory");
    let maildirs = Maildirs::new(directory.path());
    let account = Address::from("eva@example.test");
    let error = maildirs
        .deposit((&account, None), "one", &lines_of_file(None, &[], &[], false), &mut Broken)
        .expect_err("no space");
    assert_eq!(error.refusal().code, 452);
    assert_eq!(maildirs.list().expect("it can be listed")[0].unpublished, 0);
    let tmp = maildirs.directory(&account).join("tmp/one");
    fs::write(&tmp, vec![b'x'; 10_000]).expect("a crash left it half written");
    maildirs
        .deposit((&account, None), "one", &lines_of_file(None, &[], &[], false), &mut &BODY[..])
        .expect("it is replaced");
    let whole = [b"Return-Path: <>\r\n", BODY].concat();
    assert_eq!(fs::read(&tmp).expect("it is there"), whole);
}

/// SV-060: every file once, wherever it is and however it is named; and none that is left out.
#[test]
fn the_octets_of_an_account_are_counted_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let maildirs = Maildirs::new(directory.path());
    let account = Address::from("eva@example.test");
    let usage = |without: &[&str], unpublished: &[&str]| {
        let owned =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        maildirs.usage(&account, &owned(without), &owned(unpublished)).expect("it is readable")
    };
    assert_eq!(usage(&[], &[]), 0, "nothing is there");
    deposit(&maildirs, "eva@example.test", "one");
    assert_eq!(usage(&[], &[]), 0, "it is not published");
    let inbox = maildirs.directory(&account);
    let octets = fs::metadata(inbox.join("tmp/one")).expect("it is there").len();
    assert_eq!(usage(&[], &["one"]), octets, "it is recorded");
    assert_eq!(usage(&["one"], &["one"]), 0);
    maildirs.publish((&account, None), "one").expect("it is moved");
    assert_eq!((usage(&[], &[]), usage(&["one"], &[])), (octets, 0));
    fs::rename(inbox.join("new/one"), inbox.join("cur/one:2,S")).expect("somebody reads it");
    assert_eq!((usage(&[], &[]), usage(&["one"], &[])), (octets, 0));
    fs::write(inbox.join("new/one"), b"12345").expect("as if it moved while it is counted");
    assert_eq!(usage(&[], &[]), 5);
    fs::remove_file(inbox.join("new/one")).expect("it was there");
    let folder = maildirs.folder(&account, Some("Lists"));
    fs::create_dir_all(folder.join("cur")).expect("a folder");
    fs::write(folder.join("cur/two,S=1000,W=1010:2,"), b"1").expect("another server wrote it");
    fs::write(folder.join("cur/three"), b"123").expect("a file");
    assert_eq!(usage(&[], &[]), octets + 1_003);
}

/// SV-013
#[test]
fn no_name_leads_out_of_the_maildir() {
    let directory = tempfile::tempdir().expect("a directory");
    let maildirs = Maildirs::new(directory.path());
    let root = directory.path().join("accounts");
    let mut directories = std::collections::BTreeSet::new();
    for account in [
        "../../etc@example.test",
        "a/b@example.test",
        "..@..",
        ".@.",
        "a%2fb@example.test",
        "\u{e4}@example.test",
        "",
        "postmaster",
        "a b@example.test",
    ] {
        let account = Address::from(account);
        let maildir = maildirs.directory(&account);
        let relative = maildir.strip_prefix(&root).expect("below the root");
        let is_plain =
            |part: std::path::Component<'_>| matches!(part, std::path::Component::Normal(_));
        assert!(relative.components().all(is_plain), "{account}: {}", maildir.display());
        assert!(directories.insert(maildir), "{account} has a Maildir of its own");
    }
    let account = Address::from("a/B@example.test");
    maildirs
        .deposit((&account, None), "one", &lines_of_file(None, &[], &[], false), &mut &BODY[..])
        .expect("it is written");
    assert_eq!(maildirs.list().expect("listed")[0].address, Address::from("a/b@example.test"));
    let long = "n".repeat(256);
    for name in ["", ".", "..", "../x", "a/b", "a:b", ".hidden", "a b", "a\nb", &long] {
        let deposited = maildirs.deposit(
            (&account, None),
            name,
            &lines_of_file(None, &[], &[], false),
            &mut &BODY[..],
        );
        assert!(deposited.is_err(), "`{name}` is no name");
        assert!(maildirs.publish((&account, None), name).is_err(), "`{name}` is no name");
    }
}

fn notice(kind: NoticeKind, ret: Option<Return>) -> Notice {
    let recipient = |index, original: Option<&str>| Recipient {
        index,
        address: Address::from("eva@example.test"),
        notify: Notify::default(),
        original: original.map(Into::into),
        suspect: false,
    };
    Notice {
        kind,
        reporter: MemberName::from("rg1-a"),
        to: Address::from("anna@example.test"),
        origin: OriginId {
            member: MemberName::from("rg1-a"),
            incarnation: Incarnation(7),
            sequence: 3,
        },
        envid: Some("QQ314159".into()),
        arrived: Time(1_795_300_000_000_000),
        ret,
        recipients: vec![
            (
                recipient(2, Some("rfc822;e+2Bva@old.test")),
                Ending::Refused(Refusal::new(550, "5.1.1", "nobody\r\nX: y")),
            ),
            (recipient(5, None), Ending::Refused(Refusal::new(450, "4.4.7", "too late"))),
        ],
        body: Some(Body { key: BodyKey(1), digest: Digest([9; 32]), octets: BODY.len() as u64 }),
    }
}

fn composed(notice: &Notice) -> String {
    composed_about(notice, BODY)
}

fn composed_about(notice: &Notice, mut original: &[u8]) -> String {
    let now = Time(1_795_303_600_000_000);
    let original = notice.body.is_some().then_some(&mut original);
    let octets = notices::compose(notice, original, now).expect("the body is readable");
    let text = String::from_utf8_lossy(&octets).into_owned();
    let lines = text.matches("\r\n").count();
    assert_eq!((text.matches('\n').count(), text.matches('\r').count()), (lines, lines), "{text}");
    text
}

/// SV-021
#[test]
fn a_failure_tells_every_recipient_and_why() {
    let text = composed(&notice(NoticeKind::Failure, None));
    for part in [
        "From: Mail Delivery System <postmaster@rg1-a>\r\n",
        "To: <anna@example.test>\r\n",
        "Auto-Submitted: auto-replied\r\n",
        "MIME-Version: 1.0\r\n",
        "multipart/report; ",
        "report-type=\"delivery-status\"",
        "Content-Type: message/delivery-status\r\n",
        "Reporting-MTA: dns; rg1-a\r\nOriginal-Envelope-Id: QQ314159\r\nArrival-Date: ",
        "\r\n\r\nOriginal-Recipient: rfc822; e+va@old.test\r\nFinal-Recipient: rfc822; \
         eva@example.test\r\nAction: failed\r\nStatus: 5.1.1\r\n\
         Diagnostic-Code: smtp; 550 5.1.1 nobody??X: y\r\n",
        "\r\n\r\nFinal-Recipient: rfc822; eva@example.test\r\nAction: failed\r\nStatus: 4.4.7\r\n",
    ] {
        assert!(text.contains(part), "`{part}` in:\n{text}");
    }
    assert!(!text.contains("\r\nX: y"), "a diagnostic text begins no field:\n{text}");
}

/// SV-026: what an operator, or a server that speaks UTF-8, said of a message is readable by its sender.
#[test]
fn a_text_beyond_ascii_is_told_as_it_was_given() {
    let mut failure = notice(NoticeKind::Failure, None);
    let refusal = Refusal::new(550, "5.7.1", "die Dom\u{e4}ne ist\nzu \u{2014} \u{65e5}\u{672c}");
    failure.recipients[0].1 = Ending::Refused(refusal);
    let text = composed(&failure);
    assert!(text.is_ascii(), "no hop needs 8BITMIME for it:\n{text}");
    let field =
        "Diagnostic-Code: smtp; 550 5.7.1 die Dom\\x{E4}ne ist?zu \\x{2014} \\x{65E5}\\x{672C}\r\n";
    assert!(text.contains(field), "{text}");
    assert!(text.contains("Content-Type: text/plain; charset=\"utf-8\"\r\n"), "{text}");
    let python = "import sys, email, email.policy\n\
        mail = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)\n\
        sys.stdout.buffer.write(next(mail.iter_parts()).get_content().encode('utf-8'))";
    let mut child = std::process::Command::new("python3")
        .args(["-c", python])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("Python runs");
    let mut input = child.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut input, text.as_bytes()).expect("it reads");
    drop(input);
    let read = child.wait_with_output().expect("it ends");
    let read = String::from_utf8(read.stdout).expect("UTF-8");
    let line = "<eva@example.test>: 550 5.7.1 die Dom\u{e4}ne ist?zu \u{2014} \u{65e5}\u{672c}";
    assert!(read.contains(line), "{read}");
}

/// SV-024
#[test]
fn a_success_says_what_happened_to_whom() {
    let mut success = notice(NoticeKind::Success, Some(Return::Full));
    success.recipients[0].1 = Ending::Delivered;
    success.recipients[1].1 = Ending::Relayed;
    success.recipients[1].0.address = Address::from("j\u{f6}rg@ex\u{e4}mple.test");
    let text = composed(&success);
    for part in [
        "Subject: Successful mail delivery report\r\n",
        "<eva@example.test>: delivered\r\n",
        "\r\n\r\nOriginal-Recipient: rfc822; e+va@old.test\r\nFinal-Recipient: rfc822; \
         eva@example.test\r\nAction: delivered\r\nStatus: 2.0.0\r\n",
        "\r\n\r\nFinal-Recipient: utf-8; j\\x{F6}rg@ex\\x{E4}mple.test\r\nAction: relayed\r\n\
         Status: 2.0.0\r\n",
        "text/rfc822-headers",
    ] {
        assert!(text.contains(part), "`{part}` in:\n{text}");
    }
    assert!(!text.contains("Diagnostic-Code"), "nothing went wrong:\n{text}");
    assert!(!text.contains(".dots"), "a success brings no content back");
    assert_eq!(notices::message_id(&success), "<success.rg1-a.0000000000000007.3.2@rg1-a>");
}

/// SV-022
#[test]
fn the_message_id_follows_from_what_the_notice_is_about() {
    let failure = notice(NoticeKind::Failure, None);
    assert_eq!(notices::message_id(&failure), "<failure.rg1-a.0000000000000007.3.2@rg1-a>");
    assert_eq!(composed(&failure), composed(&failure.clone()));
    assert!(composed(&failure).contains(&format!("Message-ID: {}", notices::message_id(&failure))));
    let delay = notice(NoticeKind::Delay, None);
    assert_ne!(notices::message_id(&delay), notices::message_id(&failure));
    assert!(composed(&delay).contains("Action: delayed\r\n"));
}

/// SV-023
#[test]
fn the_content_goes_back_only_when_asked_for_and_given_up() {
    let is_returned = |kind, ret| composed(&notice(kind, ret)).contains(".dots");
    assert!(is_returned(NoticeKind::Failure, Some(Return::Full)));
    assert!(!is_returned(NoticeKind::Failure, Some(Return::Headers)));
    assert!(!is_returned(NoticeKind::Failure, None));
    assert!(!is_returned(NoticeKind::Delay, Some(Return::Full)));
    let mut large = notice(NoticeKind::Failure, Some(Return::Full));
    let body = large.body.as_mut().expect("it has one");
    body.octets = notices::RETURNED_LIMIT_OCTETS + 1;
    assert!(!composed(&large).contains(".dots"), "a large message goes back without content");
    assert!(composed(&large).contains("text/rfc822-headers"));
    assert!(composed(&large).contains("Subject: hello\r\n"));
}

/// CU-044
#[test]
fn a_notice_about_a_message_in_quarantine_has_nothing_of_its_content() {
    let kept = Notice { body: None, ..notice(NoticeKind::Delay, Some(Return::Full)) };
    let text = composed(&kept);
    assert!(text.contains("It is kept for the postmaster") && text.contains("Action: delayed\r\n"));
    assert!(!text.contains("rfc822-headers") && !text.contains("Subject: hello"), "{text}");
}

/// SV-025: `composed_about` looks at each line end of the notice.
#[test]
fn a_notice_can_travel_whatever_it_is_about() {
    let spoiled = b"Subject: a\nX: b\rY: c\r\n\r\n.\ntext\r";
    for ret in [Return::Full, Return::Headers] {
        let text = composed_about(&notice(NoticeKind::Failure, Some(ret)), spoiled);
        assert!(text.contains("Subject: a\r\nX: b\r\nY: c\r\n"), "{text}");
    }
}

fn certificate(credentials: &Credentials) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(credentials.certificate_pem.as_bytes()).expect("a certificate")
}

/// SV-031
#[test]
fn a_certificate_names_one_member_or_none() {
    let ca = DevelopmentCa::create().expect("an authority");
    let members = ["rg1-a", "rg1-b", "mx.rg2.example.test"].map(MemberName::from);
    for member in &members {
        let credentials = ca.issue(member).expect("a certificate");
        assert_eq!(member_of(&certificate(&credentials), &members), Some(member));
        assert_eq!(member_of(&certificate(&credentials), &members[..0]), None);
    }
    let stranger = ca.issue(&MemberName::from("rg9-a")).expect("a certificate");
    assert_eq!(member_of(&certificate(&stranger), &members), None);
    let wildcard = ca.issue(&MemberName::from("*.example.test")).expect("a certificate");
    let two = ["a.example.test", "b.example.test"].map(MemberName::from);
    assert_eq!(member_of(&certificate(&wildcard), &two[..1]), Some(&two[0]));
    assert_eq!(member_of(&certificate(&wildcard), &two), None, "its holder could choose");
}

/// A whole TLS handshake in memory; what each side says of it.
fn handshake(server: &Credentials, client: &Credentials, expected: &str) -> Result<(), String> {
    let name = server_name(&MemberName::from(expected)).expect("a name");
    let client = client.identity().map_err(|error| error.to_string())?;
    let server = server.identity().map_err(|error| error.to_string())?;
    let mut client = rustls::ClientConnection::new(client.client, name).expect("a client");
    let mut server = rustls::ServerConnection::new(server.member_server).expect("a server");
    while client.is_handshaking() || server.is_handshaking() {
        let mut octets = Vec::new();
        client.write_tls(&mut octets).map_err(|error| error.to_string())?;
        server.read_tls(&mut &octets[..]).map_err(|error| error.to_string())?;
        server.process_new_packets().map_err(|error| format!("server: {error}"))?;
        let mut octets = Vec::new();
        server.write_tls(&mut octets).map_err(|error| error.to_string())?;
        client.read_tls(&mut &octets[..]).map_err(|error| error.to_string())?;
        client.process_new_packets().map_err(|error| format!("client: {error}"))?;
    }
    assert_eq!(server.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    assert!(server.peer_certificates().is_some_and(|chain| chain.len() == 1));
    Ok(())
}

/// SV-031
#[test]
fn members_prove_themselves_to_each_other() {
    let ca = DevelopmentCa::create().expect("an authority");
    let one = ca.issue(&MemberName::from("rg1-a")).expect("a certificate");
    let two = ca.issue(&MemberName::from("rg2-a")).expect("a certificate");
    assert!(one.identity().expect("good parts").is_development);
    handshake(&one, &two, "rg1-a").expect("both are members");
    let wrong_name = handshake(&one, &two, "rg3-a").expect_err("another member answers");
    assert!(wrong_name.starts_with("client: "), "{wrong_name}");
    let other_ca = DevelopmentCa::create().expect("an authority");
    let stranger = other_ca.issue(&MemberName::from("rg2-a")).expect("a certificate");
    let liar = Credentials { ca_pem: one.ca_pem.clone(), ..stranger };
    let refused = handshake(&one, &liar, "rg1-a").expect_err("another authority");
    assert!(refused.starts_with("server: "), "{refused}");
}

#[test]
fn bad_parts_are_named() {
    let ca = DevelopmentCa::create().expect("an authority");
    let good = ca.issue(&MemberName::from("rg1-a")).expect("a certificate");
    let other = ca.issue(&MemberName::from("rg1-a")).expect("a certificate");
    for (bad, part) in [
        (Credentials { ca_pem: "nothing".into(), ..good.clone() }, "ca"),
        (Credentials { certificate_pem: "nothing".into(), ..good.clone() }, "certificate"),
        (Credentials { key_pem: "nothing".into(), ..good.clone() }, "key"),
        (Credentials { key_pem: other.key_pem, ..good }, "key"),
    ] {
        assert_eq!(bad.identity().map(|_| ()).map_err(|error| error.part), Err(part));
    }
}

/// SV-126: what was written into another directory, which was mounted there for a while, is not in its place.
#[test]
fn a_file_that_is_nowhere_was_not_published() {
    let directory = tempfile::tempdir().expect("a directory");
    let maildirs = Maildirs::new(directory.path());
    let ann = Address::from("ann@example.com");
    let publish = |name: &str| maildirs.publish_what_is_there((&ann, None), name);
    assert!(publish("1").is_err(), "there is no such account");
    deposit(&maildirs, "ann@example.com", "1");
    assert!(publish("2").is_err(), "there is no such file");
    publish("1").expect("it is in `tmp/`");
    publish("1").expect("it is in `new/`");
    let inbox = maildirs.directory(&ann);
    std::fs::rename(inbox.join("new/1"), inbox.join("cur/1:2,S")).expect("it is read");
    publish("1").expect("it is in `cur/`");
}
