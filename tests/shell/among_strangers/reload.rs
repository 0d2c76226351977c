//! A member that reads its files again.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use super::configured;
use crate::support::outside::until;
use crate::support::{Client, Daemon, ORGANIZATION, bridgehead, letters};

const CAROL: &str = "\n[[account]]\naddress = \"carol@example.org\"\nhost = \"rg1-a\"\n";

fn reload(file: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bridgehead"));
    command.arg("reload").arg(file).output().unwrap()
}

fn refused(file: &Path) -> String {
    let output = reload(file);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn write_organization(file: &Path, revision: u32, accounts: &str) {
    let numbered = format!("revision = {revision}");
    let text = ORGANIZATION.replace("revision = 1", &numbered) + accounts;
    fs::write(file.with_file_name("organization.toml"), text).unwrap();
}

/// SV-085, SV-087: a session that is open can send to an account that was added meanwhile.
#[test]
fn an_account_is_added_under_an_open_session() {
    let directory = tempfile::tempdir().unwrap();
    let file = configured(directory.path(), "");
    let daemon = Daemon::ready(bridgehead().arg("serve").arg(&file).spawn().unwrap());
    let mut client = Client::connect(daemon.smtp);
    client.ask("EHLO client.example.net", "250");
    client.ask("MAIL FROM:<ann@example.net>", "250");
    client.ask("RCPT TO:<bob@example.org>", "250");
    client.ask("RCPT TO:<carol@example.org>", "550 5.1.1");
    write_organization(&file, 2, CAROL);
    let output = reload(&file);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said, "rg1-a: reloaded, organization of revision 2\n");
    client.ask("RCPT TO:<carol@example.org>", "250");
    client.ask("DATA", "354");
    client.ask("Subject: test\r\n\r\nhello\r\n.", "250 2.");
    let state = directory.path().join("state");
    until(|| (letters(&state).len() == 2).then_some(()), || format!("{:?}", letters(&state)));
    // The same by a signal.
    let dave = CAROL.replace("carol", "dave");
    write_organization(&file, 3, &(CAROL.to_owned() + &dave));
    let pid = daemon.child.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    client.ask("MAIL FROM:<ann@example.net>", "250");
    let mut ask = || client.try_ask("RCPT TO:<dave@example.org>").expect("a reply");
    until(|| ask().starts_with("250").then_some(()), || "dave is not known".into());
}

/// SV-086, SV-087, SV-088: what cannot be taken over is refused as a whole, with the lines that say why.
#[test]
fn a_change_that_does_not_do_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let file = configured(directory.path(), "");
    let daemon = Daemon::ready(bridgehead().arg("serve").arg(&file).spawn().unwrap());
    let member = fs::read_to_string(&file).unwrap();
    write_organization(&file, 1, CAROL);
    let said = refused(&file);
    assert!(said.contains("organization.toml:3: revision: is 1, expected more than 1"), "{said}");
    write_organization(&file, 2, CAROL);
    for (from, to, clue) in [
        (
            "deliver = \"127.0.0.1:0\"",
            "deliver = \"127.0.0.2:0\"",
            "listen.deliver: is 127.0.0.2:0 and was 127.0.0.1:0; that takes a restart",
        ),
        (
            "[security]",
            "[process]\nuser = \"mail\"\n[security]",
            "process.user: is `mail` and was none; that takes a restart",
        ),
        (
            "[security]",
            "[limits.client]\nconnections = 0\n[security]",
            "limits.client.connections: is 0, expected 1 to 1000000",
        ),
        ("[security]", "[securyti]", "unknown field `securyti`"),
    ] {
        fs::write(&file, member.replace(from, to)).unwrap();
        let said = refused(&file);
        assert!(said.contains(clue) && said.contains("member.toml:"), "{clue}: {said}");
    }
    fs::write(&file, member.replace("admin = \"admin.sock\"\n", "")).unwrap();
    assert!(refused(&file).contains("listen.admin: no admin socket"));
    let mut client = Client::connect(daemon.smtp);
    client.ask("EHLO client.example.net", "250");
    client.ask("MAIL FROM:<ann@example.net>", "250");
    client.ask("RCPT TO:<carol@example.org>", "550 5.1.1");
    // The same text is no change, and is taken.
    fs::write(&file, &member).unwrap();
    assert!(reload(&file).status.success());
    assert!(reload(&file).status.success());
    client.ask("RCPT TO:<carol@example.org>", "250");
    drop(daemon);
    let output = reload(&file);
    assert_eq!(output.status.code(), Some(1), "nobody listens: {output:?}");
}

/// SV-093: the socket is looked for where the file says, and that is where the member is not.
#[test]
fn a_member_that_is_not_where_its_file_says_is_not_just_missing() {
    let directory = tempfile::tempdir().unwrap();
    let file = configured(directory.path(), "");
    let _daemon = Daemon::ready(bridgehead().arg("serve").arg(&file).spawn().unwrap());
    let member = fs::read_to_string(&file).unwrap();
    for (from, to, line) in [
        ("admin = \"admin.sock\"", "admin = \"other.sock\"", "admin = "),
        ("directory = \"state\"", "directory = \"elsewhere\"", "admin = "),
    ] {
        let text = member.replace(from, to);
        assert_ne!(text, member);
        fs::write(&file, &text).unwrap();
        let output = reload(&file);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        let line = 1 + text.lines().position(|l| l.starts_with(line)).unwrap();
        assert!(said.contains(&format!("member.toml:{line}: listen.admin: ")), "{said}");
        assert!(
            said.contains("`directory` and `listen.admin`") && said.contains("restart"),
            "{said}"
        );
    }
}

/// SV-091: neither a restart nor a reload goes back to an older organization unless it is told so.
#[test]
fn an_older_organization_does_not_start() {
    let directory = tempfile::tempdir().unwrap();
    let file = configured(directory.path(), "");
    write_organization(&file, 2, "");
    drop(Daemon::ready(bridgehead().arg("serve").arg(&file).spawn().unwrap()));
    write_organization(&file, 3, CAROL);
    let daemon = Daemon::ready(bridgehead().arg("serve").arg(&file).spawn().unwrap());
    write_organization(&file, 4, "");
    assert!(reload(&file).status.success());
    drop(daemon);
    write_organization(&file, 3, CAROL);
    let (code, said) = crate::serve::refused(&file);
    assert_eq!(code, Some(2), "{said}");
    let expected = "organization.toml:3: revision: is 3, expected at least 4";
    let seen = directory.path().join("state/organization.seen");
    assert!(said.contains(expected) && said.contains(&seen.display().to_string()), "{said}");
    let checked = bridgehead().arg("check").arg(&file).output().unwrap();
    assert!(String::from_utf8_lossy(&checked.stderr).contains(expected), "{checked:?}");
    fs::remove_file(seen).unwrap();
    drop(Daemon::ready(bridgehead().arg("serve").arg(&file).spawn().unwrap()));
}
