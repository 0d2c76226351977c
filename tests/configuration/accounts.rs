//! `[accounts]`, and groups that lease accounts.

use std::fs;
use std::path::{Path, PathBuf};

use bridgehead::server::configuration::{self, Kind};
use bridgehead::server::shared::MEMORY;

use super::{MEMBER, assert_refused, directory_with, line_of};

const ELECTS: &str = "[group.election]\nvoters = [\"rg1-a\", \"rg1-b\"]\nwitness = \"rg2-a\"\n";
const LEASES: &str = "[group.accounts]\naccount_lease_s = 2\n";
const SECTION: &str = "\n[accounts]\nshared = \"../shared\"\n";

/// Rewrites the organization beside `member`: this stands in its first group in place of a master.
fn organize(member: &Path, tables: &str, revision: u32) -> (PathBuf, String) {
    let path = member.with_file_name("organization.toml");
    let example = fs::read_to_string(super::EXAMPLE).expect("the example");
    let text = example.replacen("master = \"rg1-b\"\n", tables, 1);
    let text = text.replacen("revision = 1", &format!("revision = {revision}"), 1);
    fs::write(&path, &text).expect("a file");
    (path, text)
}

/// SV-124: where the accounts are; the section alone is no fault.
#[test]
fn sv_124_a_member_says_where_leased_accounts_are() {
    let (_directory, path) = directory_with(MEMBER);
    organize(&path, &format!("{ELECTS}{LEASES}"), 1);
    let errors = configuration::load(&path).expect_err("no section");
    let expected = "accounts: is missing: `RG1`, the group of this member, leases accounts (`[group.accounts]`), \
                    expected a section `[accounts]` with `shared`, a directory that all members of the group reach";
    assert_refused(&errors, &path, None, expected);
    for (section, key, expected) in [
        ("\n[accounts]\nshared = \"./state/\"\n", "shared", "the `directory` of this member alone"),
        ("\n[accounts]\nshared = \"\"\n", "shared", "is empty, expected a directory that all"),
        ("\n[accounts]\nshared = \"../s\"\nlease_s = 3\n", "lease_s", "unknown field `lease_s`"),
        ("\n[accounts]\n", "[accounts]", "missing field `shared`"),
    ] {
        let text = format!("{MEMBER}{section}");
        fs::write(&path, &text).expect("a file");
        let errors = configuration::load(&path).expect_err(expected);
        assert_refused(&errors, &path, Some(line_of(&text, key)), expected);
    }
    fs::write(&path, format!("{MEMBER}{SECTION}")).expect("a file");
    let read = configuration::load(&path).expect("it is right");
    assert!(read.leases_accounts());
    let beside = path.parent().expect("it is in a directory").join("../shared");
    assert_eq!(read.shared, Some(beside));
    // It may stand before accounts are leased: leasing them takes no restart then.
    organize(&path, ELECTS, 1);
    let before = configuration::load(&path).expect("it means nothing yet");
    assert!(!before.leases_accounts());
    organize(&path, &format!("{ELECTS}{LEASES}"), 2);
    assert!(configuration::reload(&path, &before).expect("as it may").leases_accounts());
}

/// SV-127: another directory is another store.
#[test]
fn sv_127_another_directory_takes_a_restart() {
    let first = format!("{MEMBER}{SECTION}");
    let (_directory, path) = directory_with(&first);
    organize(&path, ELECTS, 1);
    let old = configuration::load(&path).expect("it is right");
    let second = first.replace("../shared", "../other");
    fs::write(&path, &second).expect("a file");
    let errors = configuration::reload(&path, &old).expect_err("it is another one");
    let [error] = &errors[..] else { panic!("{errors:?}") };
    assert_eq!(error.line, Some(line_of(&second, "shared")));
    assert!(error.problem.starts_with("accounts.shared: is `"), "{error}");
    assert!(error.problem.ends_with("shared`; that takes a restart"), "{error}");
    fs::write(&path, MEMBER).expect("a file");
    let errors = configuration::reload(&path, &old).expect_err("it is gone");
    assert!(errors[0].problem.starts_with("accounts.shared: is none and was `"), "{errors:?}");
}

/// SV-128: the name of a store is what `check` says of it, and another one takes a restart.
#[test]
fn sv_128_another_store_takes_a_restart() {
    let (_directory, path) = directory_with(&format!("{MEMBER}{SECTION}"));
    let named = |store: &str| format!("{ELECTS}{LEASES}store = \"{store}\"\n");
    let (used, other) = ("0a".repeat(16), "f".repeat(32));
    for wrong in ["0a", &used.to_uppercase(), &format!("{used}0")] {
        let (organization, text) = organize(&path, &named(wrong), 1);
        let errors = configuration::load(&path).expect_err(wrong);
        let problem = format!("store: is `{wrong}`, expected the 32 digits, 0 to 9 and a to f");
        assert_refused(&errors, &organization, Some(line_of(&text, "store")), &problem);
    }
    organize(&path, &format!("{ELECTS}{LEASES}"), 1);
    let unnamed = configuration::load(&path).expect("it is right");
    let (organization, text) = organize(&path, &named(&used), 2);
    let errors = configuration::reload(&path, &unnamed).expect_err("it may use any");
    let problem = format!("is `{used}`, and this member has used none yet; that takes a restart");
    assert_refused(&errors, &organization, Some(line_of(&text, "store")), &problem);
    fs::create_dir_all(&unnamed.directory).expect("writable");
    fs::write(unnamed.directory.join(MEMORY), format!("{used}\n")).expect("a file");
    let named_now = configuration::reload(&path, &unnamed).expect("it is the one that it uses");
    assert_eq!(named_now.named_store(), Some(&*used));
    let (organization, text) = organize(&path, &named(&other), 3);
    let errors = configuration::reload(&path, &named_now).expect_err("it is another one");
    let problem = format!("is `{other}`, and this member has used `{used}`");
    assert_refused(&errors, &organization, Some(line_of(&text, "store")), &problem);
    organize(&path, &format!("{ELECTS}{LEASES}"), 4);
    assert_eq!(configuration::reload(&path, &named_now).expect("as it may").named_store(), None);
}

/// MA-102, SV-102: a lease that no number could say, or that is out of its range.
#[test]
fn ma_102_a_lease_is_from_1_to_300_s() {
    let (_directory, path) = directory_with(&format!("{MEMBER}{SECTION}"));
    for (lease, line) in [("0", "is 0, expected 1 to 300"), ("-1", "is -1, expected 1 to 300")] {
        let tables = format!("{ELECTS}{}", LEASES.replace("= 2", &format!("= {lease}")));
        let (organization, text) = organize(&path, &tables, 1);
        let errors = configuration::load(&path).expect_err(line);
        let at = line_of(&text, "account_lease_s");
        assert_refused(&errors, &organization, Some(at), &format!("account_lease_s: {line}"));
    }
    assert!(matches!(configuration::kind_of(&path), Ok(Kind::Member)));
}
