//! The store that members share: several of them at one file (DE-100 to DE-103, SV-125, SV-126).

use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::sync::mpsc::channel;
use std::thread;

use bridgehead::kernel::Time;
use bridgehead::protocol::deliver::shared::{JournalKey, SharedAnswer, SharedQuery};
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::queue::{AccountJournal, Recorded};
use bridgehead::server::shared::{DATABASE, MEMORY, SharedError, SharedStore, remembered};
use bridgehead::wire::accounts::LeaseEpoch;
use bridgehead::wire::envelope::sha256;
use bridgehead::wire::ids::{Epoch, MemberName, OriginId};
use bridgehead::wire::message::Address;
use bridgehead::wire::record::Term;
use rusqlite::Connection;
use tempfile::TempDir;

/// A group: the directory that its members share, and beside it one of each member.
struct Group(TempDir);

impl Group {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        fs::create_dir(directory.path().join("shared")).expect("it is empty");
        Self(directory)
    }

    fn shared(&self) -> std::path::PathBuf {
        self.0.path().join("shared")
    }

    fn own(&self, member: &str) -> std::path::PathBuf {
        let own = self.0.path().join(member);
        fs::create_dir_all(&own).expect("writable");
        own
    }

    /// The store as a process of this member has it.
    fn store(&self, member: &str) -> SharedStore {
        SharedStore::new(&self.shared(), &self.own(member), Faults::none())
    }

    /// Changes the file behind the back of everybody.
    fn execute(&self, statement: &str) {
        let connection = Connection::open(self.shared().join(DATABASE)).expect("it is there");
        assert_eq!(connection.execute(statement, []).expect("it fits"), 1, "{statement}");
    }
}

fn ann() -> Address {
    Address::from("ann@example.org")
}

fn epoch(counter: u64, number: u64) -> LeaseEpoch {
    let term = Term { counter, member: MemberName::from("east"), nonce: 7 };
    LeaseEpoch { term, number }
}

fn key(sequence: u64) -> JournalKey {
    let origin: OriginId = format!("east/0000000000000001/{sequence}").parse().expect("an id");
    (origin, 0)
}

fn delivered(by: &str, sequence: u64, published: bool) -> Recorded {
    Recorded::Delivered {
        digest: sha256(b"a letter"),
        account: ann(),
        name: format!("{by}.{sequence}"),
        published,
        folder: None,
    }
}

fn open(epoch: &LeaseEpoch, member: &str) -> SharedQuery {
    SharedQuery::Open { epoch: epoch.clone(), member: MemberName::from(member), until: None }
}

fn record(epoch: &LeaseEpoch, by: &str, sequence: u64) -> SharedQuery {
    let (origin, index) = key(sequence);
    SharedQuery::Record {
        epoch: epoch.clone(),
        origin,
        index,
        recorded: delivered(by, sequence, false),
        arrived: Time(sequence),
        published: Vec::new(),
    }
}

trait Ask {
    fn ask(&mut self, query: SharedQuery) -> SharedAnswer;
    fn journal(&mut self, epoch: &LeaseEpoch, member: &str) -> (Epoch, AccountJournal);
}

impl Ask for SharedStore {
    fn ask(&mut self, query: SharedQuery) -> SharedAnswer {
        self.answer(&ann(), query).expect("the store answers")
    }

    fn journal(&mut self, epoch: &LeaseEpoch, member: &str) -> (Epoch, AccountJournal) {
        match self.ask(open(epoch, member)) {
            SharedAnswer::Opened { opening, journal } => (opening, journal),
            other => panic!("{other:?}"),
        }
    }
}

/// DE-100, DE-101, DE-103: whatever one member has recorded stands for all of them, and in another process.
#[test]
fn de_100_a_smaller_epoch_writes_nothing() {
    let group = Group::new();
    let (mut east, mut west) = (group.store("east"), group.store("west"));
    let (first, second) = (epoch(4, 1), epoch(5, 1));
    assert_eq!(east.journal(&first, "east"), (Epoch(1), AccountJournal::default()));
    assert_eq!(east.ask(record(&first, "e", 1)), SharedAnswer::Recorded(delivered("e", 1, false)));
    let again = east.ask(record(&first, "again", 1));
    assert_eq!(again, SharedAnswer::Known(delivered("e", 1, false)));
    let (opening, journal) = west.journal(&second, "west");
    assert_eq!(opening, Epoch(2));
    let (origin, index) = key(1);
    assert_eq!(journal.rows, [(origin.clone(), index, delivered("e", 1, false))]);
    assert_eq!(journal.arrivals[&origin], Time(1));
    for query in [record(&first, "e", 2), record(&first, "e", 1), open(&first, "east")] {
        assert_eq!(east.ask(query), SharedAnswer::Outbid(second.clone()));
    }
    // What the loser was refused is not there, and the winner can record it.
    let mut later = group.store("west");
    assert_eq!(later.journal(&second, "west"), (opening, journal));
    assert_eq!(
        later.ask(record(&second, "w", 2)),
        SharedAnswer::Recorded(delivered("w", 2, false))
    );
    // An address has no case there, as it has none in the name of its Maildir.
    let upper = later.answer(&Address::from("Ann@Example.ORG"), record(&second, "w", 2));
    assert_eq!(upper.expect("it answers"), SharedAnswer::Known(delivered("w", 2, false)));
}

/// DE-085, DE-090: what has come to its place may be dropped, and the horizon stays.
#[test]
fn de_090_what_is_old_and_in_its_place_goes() {
    let group = Group::new();
    let first = epoch(4, 1);
    let mut east = group.store("east");
    east.journal(&first, "east");
    for sequence in 1..=3 {
        east.ask(record(&first, "e", sequence));
    }
    let mut told = record(&first, "e", 4);
    let SharedQuery::Record { published, .. } = &mut told else { unreachable!() };
    published.extend([key(1), key(3)]);
    east.ask(told);
    let (member, until) = (MemberName::from("east"), Some(Time(2)));
    east.ask(SharedQuery::Open { epoch: first.clone(), member, until });
    let (_, journal) = group.store("west").journal(&epoch(4, 2), "west");
    let rows: Vec<_> = journal.rows.iter().map(|(origin, _, line)| (origin, line)).collect();
    let [second, third, fourth] = [(2, false), (3, true), (4, false)]
        .map(|(at, is_published)| (key(at).0, delivered("e", at, is_published)));
    let expected = [&second, &third, &fourth].map(|(origin, line)| (origin, line));
    assert_eq!(rows, expected);
    assert_eq!(journal.horizon, Some(Time(1)));
}

/// SV-125: one commit for what waits at a time, all of it or nothing.
#[test]
fn sv_125_what_fails_leaves_nothing() {
    let group = Group::new();
    let first = epoch(4, 1);
    let mut east = group.store("east");
    east.journal(&first, "east");
    let bob = Address::from("bob@example.org");
    east.answer(&bob, open(&first, "east")).expect("it answers");
    group.execute("UPDATE accounts SET fence = '{' WHERE account = 'bob@example.org'");
    let both = vec![(ann(), record(&first, "e", 1)), (bob.clone(), record(&first, "e", 2))];
    let error = east.answer_all(both).expect_err("bob's fence is damaged");
    assert!(error.is_of_an_account(), "{error}");
    assert!(error.to_string().contains("bob@example.org, fence"), "{error}");
    assert_eq!(error.refusal().code, 451);
    let (_, journal) = group.store("west").journal(&epoch(4, 2), "west");
    assert_eq!(journal.rows, []);
    let both = vec![(ann(), record(&first, "e", 1)), (ann(), open(&epoch(4, 3), "east"))];
    let answers = east.answer_all(both).expect("it answers");
    assert_eq!(answers[0], SharedAnswer::Outbid(epoch(4, 2)));
    assert!(matches!(answers[1], SharedAnswer::Opened { opening: Epoch(3), .. }), "{answers:?}");
}

/// DE-100: what who opens the account is given is all that the one before it was told to be recorded.
#[test]
fn de_100_nothing_is_recorded_behind_the_back_of_the_next_owner() {
    const AT_LEAST: u64 = 5;
    let group = Group::new();
    let (first, second) = (epoch(4, 1), epoch(4, 2));
    let mut east = group.store("east");
    east.journal(&first, "east");
    let (tell, told) = channel();
    let recorded = thread::scope(|scope| {
        let (first, second) = (&first, &second);
        let writing = scope.spawn(move || {
            let mut sequence = 0;
            loop {
                match east.ask(record(first, "e", sequence + 1)) {
                    SharedAnswer::Recorded(_) => sequence += 1,
                    SharedAnswer::Outbid(by) if by == *second => return sequence,
                    other => panic!("{other:?}"),
                }
                if sequence == AT_LEAST {
                    tell.send(()).expect("it is waited for");
                }
            }
        });
        told.recv().expect("it has recorded some");
        let (_, journal) = group.store("west").journal(second, "west");
        (writing.join().expect("no panic"), journal)
    });
    let (count, journal) = recorded;
    assert!(count >= AT_LEAST, "{count}");
    let found: Vec<_> = journal.rows.into_iter().map(|(origin, ..)| origin.sequence).collect();
    assert_eq!(found, (1..=count).collect::<Vec<_>>());
}

/// SV-125, DE-103: members that come first at a time make one store, and of those that record the same, one does.
#[test]
fn sv_125_many_at_a_time_all_go_on() {
    const MEMBERS: [&str; 4] = ["east", "north", "south", "west"];
    const LETTERS: u64 = 12;
    let group = Group::new();
    let first = epoch(4, 1);
    let begin = Barrier::new(MEMBERS.len());
    let recorded: Vec<u64> = thread::scope(|scope| {
        let spawn = |member| {
            let (first, begin, mut store) = (&first, &begin, group.store(member));
            scope.spawn(move || {
                begin.wait();
                let is_first = |sequence: &u64| {
                    match store.ask(record(first, member, *sequence)) {
                        SharedAnswer::Recorded(own) => {
                            assert_eq!(own, delivered(member, *sequence, false))
                        }
                        SharedAnswer::Known(_) => return false,
                        other => panic!("{other:?}"),
                    }
                    true
                };
                (1..=LETTERS).filter(is_first).collect::<Vec<_>>()
            })
        };
        let members = MEMBERS.map(spawn);
        members.into_iter().flat_map(|member| member.join().expect("no panic")).collect()
    });
    let mut sorted = recorded;
    sorted.sort_unstable();
    assert_eq!(sorted, (1..=LETTERS).collect::<Vec<_>>(), "each was recorded by one of them");
    let identities = MEMBERS.map(|member| fs::read(group.own(member).join(MEMORY)).expect("kept"));
    assert!(identities.iter().all(|identity| *identity == identities[0]));
    let database = Connection::open(group.shared().join(DATABASE)).expect("it is there");
    let mode: String =
        database.query_row("PRAGMA journal_mode", [], |row| row.get(0)).expect("a mode");
    assert_eq!(mode, "delete", "members on several hosts share no memory");
}

/// SV-125: what another one has begun and not committed is nothing, and it is waited for.
#[test]
fn sv_125_who_dies_in_the_middle_has_written_nothing() {
    let group = Group::new();
    let first = epoch(4, 1);
    group.store("east").journal(&first, "east");
    let dying = Connection::open(group.shared().join(DATABASE)).expect("it is there");
    let middle = "BEGIN IMMEDIATE; DELETE FROM accounts; \
                  INSERT INTO journal VALUES ('ann@example.org', 'east/0000000000000001/1', 0, 1, '{}')";
    dying.execute_batch(middle).expect("it is open");
    let (tell, told) = channel();
    let journal = thread::scope(|scope| {
        let group = &group;
        let waiting = scope.spawn(move || {
            let mut store = group.store("west");
            tell.send(()).expect("it is waited for");
            store.journal(&epoch(4, 2), "west")
        });
        told.recv().expect("it asks");
        drop(dying);
        waiting.join().expect("no panic")
    });
    assert_eq!(journal, (Epoch(2), AccountJournal::default()));
}

fn problem(store: &mut SharedStore) -> SharedError {
    let answer = store.answer(&ann(), open(&epoch(9, 9), "east"));
    answer.expect_err("it is refused")
}

/// SV-126: neither a newer store, nor a lost one, nor another one is used, and none is replaced.
#[test]
fn sv_126_what_is_not_our_store_is_left_alone() {
    let group = Group::new();
    let mut east = group.store("east");
    east.journal(&epoch(4, 1), "east");
    let database = group.shared().join(DATABASE);
    group.execute("UPDATE meta SET value = '2' WHERE name = 'format'");
    let newer = fs::read(&database).expect("it is there");
    let error = problem(&mut group.store("east"));
    assert!(error.is_lasting(), "{error}");
    assert!(error.to_string().ends_with("the store has format 2, expected 1"), "{error}");
    assert_eq!(fs::read(&database).expect("it is there"), newer);
    // Nothing is there: a directory that is not mounted, for instance.
    fs::rename(&database, group.0.path().join("away")).expect("it is there");
    let error = problem(&mut group.store("east"));
    let memory = group.own("east").join(MEMORY);
    let advice = format!("remove {}", memory.display());
    assert!(error.to_string().contains("is missing, although this member has used"), "{error}");
    assert!(error.to_string().ends_with(&advice), "{error}");
    assert!(!is_there(&database), "nobody comes first here");
    // Another member has, into another directory.
    assert_eq!(group.store("west").journal(&epoch(4, 1), "west").0, Epoch(1));
    let error = problem(&mut group.store("east"));
    assert!(matches!(error, SharedError::Another { .. }), "{error}");
    assert!(error.to_string().ends_with(&advice), "{error}");
    fs::remove_file(&memory).expect("it is there");
    assert_eq!(group.store("east").journal(&epoch(4, 1), "east").0, Epoch(1), "as the line says");
    // Mail is there, and no database.
    fs::remove_file(&memory).expect("it is there");
    fs::remove_file(&database).expect("it is there");
    fs::create_dir_all(group.shared().join("accounts/example.org/ann")).expect("writable");
    let clue = |state: &str| format!("{state}, although there are accounts with mail beside it");
    let error = problem(&mut group.store("east"));
    assert!(error.to_string().ends_with(&clue("is missing")), "{error}");
    assert!(!database.exists(), "nothing takes the place of what is lost");
    fs::write(&database, "").expect("writable");
    let error = problem(&mut group.store("east"));
    assert!(error.to_string().ends_with(&clue("is empty")), "{error}");
    assert_eq!(fs::read(&database).expect("it is there"), b"");
}

/// SV-126: a database of something else is none of ours.
#[test]
fn sv_126_another_database_is_no_store() {
    for content in ["CREATE TABLE t (x)", "CREATE TABLE meta (name TEXT, value TEXT)"] {
        let group = Group::new();
        let other = Connection::open(group.shared().join(DATABASE)).expect("a new one");
        other.execute_batch(content).expect("it is empty");
        let error = problem(&mut group.store("east"));
        assert!(error.to_string().contains("this is no store of accounts"), "{error}");
    }
    let group = Group::new();
    fs::write(group.shared().join(DATABASE), "a text of more than one page ".repeat(400)).unwrap();
    let error = problem(&mut group.store("east"));
    assert!(matches!(error, SharedError::Corrupt { .. }), "{error}");
}

/// SV-125, SV-126: what cannot be reached is asked again, and is not made.
#[test]
fn sv_125_a_store_that_comes_back_answers() {
    let group = Group::new();
    let mut east = group.store("east");
    let away = group.0.path().join("away");
    fs::rename(group.shared(), &away).expect("it is there");
    let error = problem(&mut east);
    assert_eq!(
        error.refusal().to_string(),
        "451 4.3.0 the store of the account cannot be used now"
    );
    assert!(!is_there(&group.shared()), "whoever mounts it makes it");
    fs::rename(&away, group.shared()).expect("it is there");
    assert_eq!(east.journal(&epoch(4, 1), "east").0, Epoch(1));
}

fn is_there(path: &Path) -> bool {
    path.try_exists().expect("it can be looked at")
}

/// SV-128: which store it is may be said before anybody has used it.
#[test]
fn sv_128_a_store_that_is_named_is_the_only_one() {
    let group = Group::new();
    group.store("east").journal(&epoch(4, 1), "east");
    let named = remembered(&group.own("east")).expect("it can be read").expect("it was used");
    let as_named = |name: &str| group.store("west").with_identity(Some(name.into()));
    let error = problem(&mut as_named(&"0".repeat(32)));
    let expected = format!("is the store {named}, and the organization names 0000");
    assert!(error.to_string().contains(&expected), "{error}");
    assert_eq!(remembered(&group.own("west")).expect("it can be read"), None, "it was not used");
    assert_eq!(as_named(&named).journal(&epoch(4, 2), "west").0, Epoch(2));
    // A member that starts for the first time where nothing is mounted.
    let database = group.shared().join(DATABASE);
    fs::rename(&database, group.0.path().join("away")).expect("it is there");
    let mut north = group.store("north").with_identity(Some(named.clone()));
    let error = problem(&mut north);
    let expected = format!("is missing, although the organization names the store {named}");
    assert!(error.to_string().ends_with(&expected), "{error}");
    assert!(!is_there(&database), "it makes none");
    fs::rename(group.0.path().join("away"), &database).expect("it is there");
    assert_eq!(north.journal(&epoch(4, 3), "north").0, Epoch(3));
}
