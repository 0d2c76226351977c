//! An account moves between real members, with its mail and its journal.

use std::path::Path;

use crate::serve::FOR_TESTS;
use crate::support::{Client, Daemon, bridgehead, letters, write_configuration};

/// What a member of the group of three is configured with: this test is `rg1-c` on its delivery port.
fn configure_one_of_three(directory: &Path, name: &str) -> std::path::PathBuf {
    let peer = |member: &str, address: &str| {
        format!(
            "[[peer]]\nmember = \"{member}\"\nsmtp = \"127.0.0.1:9\"\ndeliver = \"127.0.0.1:9\"\n\
             group = \"127.0.0.1:9\"\naddress = \"{address}\"\n"
        )
    };
    let other = if name == "rg1-a" { "rg1-b" } else { "rg1-a" };
    let peers = format!("{FOR_TESTS}\n{}{}", peer(other, "127.0.0.2"), peer("rg1-c", "127.0.0.1"));
    std::fs::create_dir_all(directory).unwrap();
    let file = write_configuration(directory, "127.0.0.1:0", &peers);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        text.replace("member = \"rg1-a\"\norg", &format!("member = \"{name}\"\norg")),
    )
    .unwrap();
    give_bob(directory, "rg1-a", 1);
    file
}

/// The file of a member says from now on who has the account.
fn give_bob(directory: &Path, host: &str, epoch: u64) {
    let organization = crate::support::ORGANIZATION
        .replace(r#"["rg1-a"]"#, r#"["rg1-a", "rg1-b", "rg1-c"]"#)
        .replace("\nhost = \"rg1-a\"", &format!("\nhost = \"{host}\"\nepoch = {epoch}"));
    std::fs::write(directory.join("organization.toml"), organization).unwrap();
}

fn account(arguments: &[&str]) -> (Option<i32>, String) {
    let output = bridgehead().arg("account").args(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

/// The answer of a host to one delivery for bob, the same one each time.
fn deliver_to_bob(host: &Daemon, epoch: &str) -> String {
    let mut client = Client::connect(host.deliver);
    client.ask("LHLO rg1-c", "250");
    client.ask("MAIL FROM:<> XORIGIN=rg1-c/0000000000000001/1", "250");
    client.ask(&format!("RCPT TO:<bob@example.org> XINDEX=0{epoch}"), "250");
    client.ask("DATA", "354");
    let answer = client.ask("Subject: once\r\n\r\nonly\r\n.", "");
    answer.trim_end().to_owned()
}

/// DE-044, DE-047, DE-048, DE-051: an account moves with its mail and its journal; a repeat is known where it went,
/// and the old host says where that is, even with its old file.
#[test]
fn an_account_is_exported_and_imported() {
    let directory = tempfile::tempdir().unwrap();
    let (a, b) = (directory.path().join("a"), directory.path().join("b"));
    let export = directory.path().join("bob");
    let (at_a, at_b) = (configure_one_of_three(&a, "rg1-a"), configure_one_of_three(&b, "rg1-b"));
    let serve = |file: &Path| Daemon::ready(bridgehead().arg("serve").arg(file).spawn().unwrap());
    let stop = |mut host: Daemon| {
        host.terminate();
        assert_eq!(host.child.wait().unwrap().code(), Some(0));
    };
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let (file_a, file_b, to) = (path(&at_a), path(&at_b), path(&export));
    let taken = ["export", &file_a, "bob@example.org", "--to", "rg1-b", &to];

    let host = serve(&at_a);
    assert_eq!(deliver_to_bob(&host, ""), "250 2.1.5 [0] delivered");
    let (code, said) = account(&taken);
    assert!(code == Some(1) && said.contains("open"), "it runs: {said}");
    stop(host);
    let (code, said) = account(&["import", &file_b, &to]);
    assert!(code == Some(1) && said.contains("account.json"), "there is none: {said}");
    let (code, said) = account(&["export", &file_a, "bob@example.org", "--to", "rg1-x", &to]);
    assert!(code == Some(2) && said.contains("expected a member of the group"), "{said}");

    // What an earlier attempt has left is in nobody's way.
    std::fs::create_dir_all(directory.path().join("bob.partial/Maildir/new")).unwrap();
    std::fs::write(directory.path().join("bob.partial/Maildir/new/half"), "half").unwrap();
    let (code, said) = account(&taken);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("host = \"rg1-b\", epoch = 2, 1 deliveries in its journal"), "{said}");
    assert_eq!((letters(&a).len(), letters(&export).len()), (0, 1));
    assert!(account(&taken).1.contains("(it was before)"), "again");

    let (code, said) = account(&["import", &file_b, &to]);
    assert!(code == Some(2) && said.contains("expected rg1-b, 2"), "the file is old: {said}");
    give_bob(&b, "rg1-b", 2);
    assert_eq!(account(&["import", &file_b, &to]).0, Some(0));
    assert!(account(&["import", &file_b, &to]).1.contains("(it was before)"), "again");
    assert_eq!(letters(&b).len(), 1);

    let host = serve(&at_b);
    assert_eq!(deliver_to_bob(&host, " XEPOCH=2"), "250 2.1.5 [0] delivered");
    assert_eq!(letters(&b).len(), 1, "it knows that it has it");
    stop(host);
    let host = serve(&at_a);
    assert_eq!(deliver_to_bob(&host, ""), "450 4.2.1 [0] MOVED MEMBER=rg1-b EPOCH=2");
    stop(host);
    assert_eq!(letters(&a).len(), 0);
}

/// DE-047: a host to which an account was given without its journal does not open it, unless it is told
/// that there is none.
#[test]
fn an_account_without_its_journal_waits() {
    let directory = tempfile::tempdir().unwrap();
    let file = configure_one_of_three(directory.path(), "rg1-b");
    give_bob(directory.path(), "rg1-b", 2);
    let serve = || Daemon::ready(bridgehead().arg("serve").arg(&file).spawn().unwrap());
    let host = serve();
    let answer = deliver_to_bob(&host, " XEPOCH=2");
    assert_eq!(answer, "450 4.2.1 [0] the account is not open on this member");
    drop(host);
    let adopt = ["adopt", file.to_str().unwrap(), "bob@example.org", "--without-journal"];
    assert_eq!(account(&adopt).0, Some(0));
    assert_eq!(deliver_to_bob(&serve(), " XEPOCH=2"), "250 2.1.5 [0] delivered");
}
