//! A member of a group that leases accounts, and the store that it shares with the others: there, away, newer, locked.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use bridgehead::kernel::Time;
use bridgehead::protocol::deliver::shared::SharedQuery;
use bridgehead::protocol::faults::Faults;
use bridgehead::server::shared::{DATABASE, MEMORY, SharedStore};
use bridgehead::wire::accounts::LeaseEpoch;
use bridgehead::wire::ids::MemberName;
use bridgehead::wire::message::Address;
use bridgehead::wire::record::Term;
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

use crate::serve::{FOR_TESTS, refused};
use crate::support::{Adapter, Daemon, bridgehead, configure, write_configuration};

/// Makes the member of the other tests one of three that elect, and lease the account of `ann`.
fn leasing(organization: &str) -> String {
    let members = "\"rg1-a\", \"rg1-b\", \"rg1-c\"";
    let elects = format!("[group.election]\nvoters = [{members}]\n\n[group.accounts]\n");
    let account = "\n[[account]]\naddress = \"ann@example.org\"\ngroup = \"RG1\"\n";
    let text = organization.replace("members = [\"rg1-a\"]", &format!("members = [{members}]"));
    text.replace("master = \"rg1-a\"\n", &elects) + account
}

/// The files of the member; the directory that it is told to share is not there yet.
fn files() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = write_configuration(directory.path(), "127.0.0.1:0", FOR_TESTS);
    let organization = directory.path().join("organization.toml");
    let text = leasing(&fs::read_to_string(&organization).unwrap());
    fs::write(&organization, text).unwrap();
    let mut text = fs::read_to_string(&file).unwrap();
    for (name, address) in [("rg1-b", "127.0.0.2"), ("rg1-c", "127.0.0.3")] {
        // Nobody listens there.
        let ports = ["smtp", "deliver", "group"].map(|port| format!("{port} = \"{address}:9\"\n"));
        text += &format!("[[peer]]\nmember = \"{name}\"\naddress = \"{address}\"\n");
        text += &ports.concat();
    }
    text += "[accounts]\nshared = \"shared\"\n";
    fs::write(&file, text).unwrap();
    (directory, file)
}

/// Starts the member, stops it in order, and gives what it has logged.
fn log_of_a_run(file: &Path) -> String {
    let mut daemon = Daemon::ready(bridgehead().arg("serve").arg(file).spawn().unwrap());
    daemon.terminate();
    let mut said = String::new();
    daemon.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(daemon.child.wait().unwrap().code(), Some(0), "{said}");
    said
}

const WAITS: &str = "mail for leased accounts waits for their store";

/// SV-126: mail waits for what is away or locked, and nobody waits for that with a start. SV-124: `check` tells it.
#[test]
fn sv_126_a_store_that_cannot_be_used_keeps_nobody_from_starting() {
    let (directory, file) = files();
    let shared = directory.path().join("shared");
    let said = log_of_a_run(&file);
    assert!(said.contains(WAITS) && said.contains("unable to open database file"), "{said}");
    let checked = bridgehead().arg("check").arg(&file).output().unwrap();
    let problem = String::from_utf8(checked.stderr).unwrap();
    assert_eq!(checked.status.code(), Some(2), "{problem}");
    assert!(problem.contains("shared: is no directory, expected one that all"), "{problem}");
    fs::create_dir(&shared).unwrap();
    assert!(bridgehead().arg("check").arg(&file).output().unwrap().status.success());
    let said = log_of_a_run(&file);
    assert!(!said.contains(WAITS), "{said}");
    assert!(directory.path().join("state").join(MEMORY).exists());
    // Somebody stands still in the middle of a transaction.
    let locking = Connection::open(shared.join(DATABASE)).unwrap();
    locking.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let said = log_of_a_run(&file);
    assert!(said.contains(&format!("{WAITS}: no word from it yet")), "{said}");
    drop(locking);
    // A directory that is not mounted is another store.
    fs::rename(&shared, directory.path().join("away")).unwrap();
    fs::create_dir(&shared).unwrap();
    let said = log_of_a_run(&file);
    assert!(said.contains("is missing, although this member has used one there before"), "{said}");
    assert_eq!(fs::read_dir(&shared).unwrap().count(), 0, "nothing is made there");
}

/// SV-128: `check` tells which store a member has used, and refuses another one that the organization names.
#[test]
fn sv_128_check_knows_which_store_was_used() {
    let (directory, file) = files();
    fs::create_dir(directory.path().join("shared")).unwrap();
    let check = || {
        let checked = bridgehead().arg("check").arg(&file).output().unwrap();
        let said = [checked.stdout, checked.stderr].map(|text| String::from_utf8(text).unwrap());
        (checked.status.code(), said.concat())
    };
    let (code, said) = check();
    assert!(code == Some(0) && !said.contains("store"), "none was used yet: {said}");
    log_of_a_run(&file);
    let used = fs::read_to_string(directory.path().join("state").join(MEMORY)).unwrap();
    let used = used.trim_end();
    let (code, said) = check();
    let advice = format!("in the store {used}; with `store = \"{used}\"` in `[group.accounts]`");
    assert!(code == Some(0) && said.contains(&advice), "{said}");
    let organization = directory.path().join("organization.toml");
    let text = fs::read_to_string(&organization).unwrap();
    let name = |store: &str| {
        let table = format!("[group.accounts]\nstore = \"{store}\"\n");
        let text = text.replace("[group.accounts]\n", &table);
        let text = text.replacen("revision = 1", "revision = 2", 1);
        fs::write(&organization, text).unwrap();
    };
    // What is there in its place.
    let (shared, away) = (directory.path().join("shared"), directory.path().join("away"));
    fs::rename(&shared, &away).unwrap();
    fs::create_dir(&shared).unwrap();
    let (code, said) = check();
    assert!(
        code == Some(2) && said.contains(&format!("there is no store, expected `{used}`")),
        "{said}"
    );
    let mut other = SharedStore::new(&shared, &shared, Faults::none());
    other.open().unwrap();
    let (code, said) = check();
    assert!(code == Some(2) && said.contains(&format!("`, expected `{used}`")), "{said}");
    fs::remove_dir_all(&shared).unwrap();
    fs::rename(&away, &shared).unwrap();
    name(used);
    let (code, said) = check();
    assert!(code == Some(0) && said.ends_with(&format!("in the store {used}\n")), "{said}");
    assert!(!log_of_a_run(&file).contains(WAITS));
    let other = "0".repeat(32);
    name(&other);
    let (code, said) = check();
    let problem = format!("accounts.store: is `{other}`, and this member has used `{used}`");
    assert!(code == Some(2) && said.contains(&problem), "{said}");
    let said = log_of_a_run(&file);
    assert!(said.contains(WAITS) && said.contains("and the organization names 0000"), "{said}");
}

/// SV-124: the directory of the member itself is not one that members share, whatever leads to it.
#[test]
fn sv_124_a_link_to_the_own_directory_shares_nothing() {
    let (directory, file) = files();
    let state = directory.path().join("state");
    fs::create_dir(&state).unwrap();
    std::os::unix::fs::symlink(&state, directory.path().join("shared")).unwrap();
    let (code, said) = refused(&file);
    assert!(code == Some(2) && said.contains("`directory` of this member alone"), "{said}");
}

/// SV-126: what a later version has written is for later versions.
#[test]
fn sv_126_a_member_does_not_start_with_a_newer_store() {
    let (directory, file) = files();
    let shared = directory.path().join("shared");
    fs::create_dir(&shared).unwrap();
    let term = Term { counter: 1, member: MemberName::from("rg1-b"), nonce: 1 };
    let (epoch, member) = (LeaseEpoch { term, number: 1 }, MemberName::from("rg1-b"));
    let open = SharedQuery::Open { epoch, member, until: Some(Time(0)) };
    let mut store = SharedStore::new(&shared, directory.path(), Faults::none());
    store.answer(&Address::from("ann@example.org"), open).unwrap();
    let database = Connection::open(shared.join(DATABASE)).unwrap();
    database.execute("UPDATE meta SET value = '2' WHERE name = 'format'", []).unwrap();
    let (code, said) = refused(&file);
    assert!(said.contains("accounts.sqlite3: the store has format 2, expected 1"), "{said}");
    assert_eq!(code, Some(2), "{said}");
}

/// SV-124: an adapter needs no directory of others: the suite plays them.
#[test]
fn sv_124_an_adapter_has_a_store_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let mut adapter = Adapter::new();
    adapter.ok("hello", json!({"proto": 1}));
    let mut asked = configure(directory.path(), "127.0.0.1:0", 0);
    let text = leasing(crate::support::ORGANIZATION);
    let organization: toml::Value = toml::from_str(&text).unwrap();
    asked["organization"] = json!(organization);
    adapter.ok("configure", asked);
    adapter.ok("start", json!({}));
    assert!(directory.path().join("shared").join(DATABASE).exists());
    let accounts = adapter.ok("inspect", json!({"what": "accounts"}));
    assert_eq!(accounts["accounts"].as_array().unwrap().len(), 1, "nobody has ann's: {accounts}");
    adapter.ok("reset", json!({}));
    assert!(!directory.path().exists());
    adapter.kill();
}
