//! The file in which the members of a group keep the fences and the delivery journals of leased accounts.
//!
//! What is decided there is decided by [`SharedAccount::answer`]; this reads what that needs and writes what it
//! has changed, in one transaction. Members on several hosts have the file open at a time: so it has a rollback
//! journal, since a write-ahead log needs memory that all who use it share.

use core::time::Duration;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{
    Connection, OpenFlags, OptionalExtension as _, Row, Transaction, TransactionBehavior,
};

use super::{SHARED_FORMAT, SharedError};
use crate::clause;
use crate::kernel::Time;
use crate::protocol::deliver::shared::{
    JournalKey, SharedAccount, SharedAnswer, SharedJournal, SharedQuery,
};
use crate::protocol::faults::Faults;
use crate::protocol::queue::Recorded;
use crate::server::maildir::Maildirs;
use crate::server::spool::sync_directory;
use crate::wire::ids::{MemberName, OriginId};
use crate::wire::message::Address;

/// The database, in the directory that the members share.
pub const DATABASE: &str = "accounts.sqlite3";
/// By what a member remembers which store it uses, in its own directory.
pub const MEMORY: &str = "accounts.seen";

/// How often it is looked whether another member has finished its transaction.
const BUSY_EVERY: Duration = Duration::from_millis(5);
/// After so many looks, ten seconds, the question has failed.
const BUSY_LOOKS: i32 = 2_000;

const SCHEMA: &str = "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE accounts (
        account TEXT PRIMARY KEY,
        fence TEXT NOT NULL,
        member TEXT,
        horizon INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE journal (
        account TEXT NOT NULL,
        origin TEXT NOT NULL,
        recipient INTEGER NOT NULL,
        arrived INTEGER NOT NULL,
        recorded TEXT NOT NULL,
        PRIMARY KEY (account, origin, recipient)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO meta VALUES ('identity', lower(hex(randomblob(16))));
";

/// The store, as one member uses it.
#[derive(Debug)]
pub struct SharedStore {
    directory: PathBuf,
    memory: PathBuf,
    /// The identity that it must have, where one is known beforehand.
    named: Option<String>,
    faults: Faults,
    /// None before the first question, and after one that has failed.
    connection: Option<Connection>,
}

impl SharedStore {
    /// The store in the directory `shared`, for a member that keeps its own state in `own`. Nothing is opened yet.
    #[must_use]
    pub fn new(shared: &Path, own: &Path, faults: Faults) -> Self {
        let (directory, memory) = (shared.to_owned(), own.join(MEMORY));
        Self { directory, memory, named: None, faults, connection: None }
    }

    /// The same, which must have this identity: another store is refused, and none is made.
    #[must_use]
    pub fn with_identity(self, named: Option<String>) -> Self {
        Self { named, ..self }
    }

    /// By what the member remembers which store it uses.
    pub(super) fn memory(&self) -> &Path {
        &self.memory
    }

    /// Opens it, and creates what is not there; the directory itself must be.
    ///
    /// # Errors
    /// It cannot be reached, or is not what it must be. Nothing is overwritten.
    pub fn open(&mut self) -> Result<(), SharedError> {
        if self.connection.is_none() {
            self.connection = Some(self.connect()?);
        }
        Ok(())
    }

    /// The answer to one question, when what it says is durable.
    ///
    /// # Errors
    /// The store has not answered.
    pub fn answer(
        &mut self,
        account: &Address,
        query: SharedQuery,
    ) -> Result<SharedAnswer, SharedError> {
        let mut answers = self.answer_all(vec![(account.clone(), query)])?;
        Ok(answers.pop().expect("each question has an answer"))
    }

    /// The answers to questions in their order, all of them by one commit.
    ///
    /// # Errors
    /// The store has answered none.
    pub fn answer_all(
        &mut self,
        questions: Vec<(Address, SharedQuery)>,
    ) -> Result<Vec<SharedAnswer>, SharedError> {
        clause!(SV_125);
        let answered = self.open().and_then(|()| self.commit(questions));
        if answered.is_err() {
            // Where files have gone or come back, another connection finds out.
            self.connection = None;
        }
        answered
    }

    fn commit(
        &mut self,
        questions: Vec<(Address, SharedQuery)>,
    ) -> Result<Vec<SharedAnswer>, SharedError> {
        let database = self.directory.join(DATABASE);
        let connection = self.connection.as_mut().expect("it was just opened");
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(SharedError::database(&database, "begin"))?;
        let rows = Rows { database: &database, transaction: &transaction };
        let mut answers = Vec::new();
        for (account, query) in questions {
            answers.push(rows.answer(&account, query, &self.faults)?);
        }
        transaction.commit().map_err(SharedError::database(&database, "commit"))?;
        Ok(answers)
    }

    fn connect(&self) -> Result<Connection, SharedError> {
        let database = self.directory.join(DATABASE);
        let why_not = self.why_none_is_made()?;
        let is_there = database.try_exists().map_err(SharedError::io(&database, "look for"))?;
        if let (Some(why), false) = (&why_not, is_there) {
            return Err(SharedError::missing(&database, "is missing", why));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(&database, flags);
        let mut connection = opened.map_err(SharedError::database(&database, "open"))?;
        let configure = || {
            connection.busy_handler(Some(wait_for_others))?;
            connection.pragma_update(None, "journal_mode", "DELETE")?;
            // The commit is that the journal is gone: its directory is synced, too.
            connection.pragma_update(None, "synchronous", "EXTRA")
        };
        configure().map_err(SharedError::database(&database, "open"))?;
        let identity = create(&database, &mut connection, why_not.as_deref())?;
        sync_directory(&self.directory).map_err(SharedError::io(&self.directory, "sync"))?;
        self.recognize(&database, &identity)?;
        Ok(connection)
    }

    /// Why there must be a store already, where that is so: a directory that is not mounted is empty, too.
    fn why_none_is_made(&self) -> Result<Option<String>, SharedError> {
        if let Some(named) = &self.named {
            clause!(SV_128);
            return Ok(Some(format!("although the organization names the store {named}")));
        }
        clause!(SV_126);
        if self.remembered()?.is_some() {
            let why = "although this member has used one there before (is another directory mounted here, or \
                       none?); to begin with a new one, remove";
            return Ok(Some(format!("{why} {}", self.memory.display())));
        }
        let has_mail = self.has_mail()?;
        Ok(has_mail.then(|| "although there are accounts with mail beside it".into()))
    }

    /// Whether there are Maildirs. Looked at before the database: where there are some, another member has made it
    /// before.
    fn has_mail(&self) -> Result<bool, SharedError> {
        let maildirs = Maildirs::new(&self.directory).root().to_owned();
        match fs::read_dir(&maildirs) {
            Ok(mut entries) => Ok(entries.next().is_some()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(SharedError::io(&maildirs, "list")(error)),
        }
    }

    /// Remembers a store: whole or not at all.
    fn keep(&self, identity: &str) -> io::Result<()> {
        let (memory, next) = (&self.memory, self.memory.with_extension("next"));
        fs::write(&next, format!("{identity}\n"))?;
        fs::File::open(&next)?.sync_all()?;
        fs::rename(&next, memory)?;
        sync_directory(memory.parent().expect("it is in the directory of the member"))
    }

    fn remembered(&self) -> Result<Option<String>, SharedError> {
        remembered_in(&self.memory).map_err(SharedError::io(&self.memory, "read"))
    }

    /// Refuses a store that is not the one that was used before: a directory that is not mounted is empty, and whoever
    /// made a new store there would be alone with it.
    fn recognize(&self, database: &Path, identity: &str) -> Result<(), SharedError> {
        clause!(SV_128);
        if let Some(named) = self.named.as_ref().filter(|named| *named != identity) {
            let (found, named) = (identity.to_owned(), named.clone());
            return Err(SharedError::NotNamed { path: database.to_owned(), found, named });
        }
        clause!(SV_126);
        let memory = &self.memory;
        match self.remembered()? {
            Some(remembered) if remembered == identity => Ok(()),
            Some(_) => {
                Err(SharedError::Another { path: database.to_owned(), memory: memory.clone() })
            }
            None => self.keep(identity).map_err(SharedError::io(memory, "write")),
        }
    }
}

/// The identity of the store that the member with the directory `own` has used; none where it has used none.
///
/// # Errors
/// What it remembers cannot be read.
pub fn remembered(own: &Path) -> io::Result<Option<String>> {
    remembered_in(&own.join(MEMORY))
}

/// The identity of the store in the directory `shared`; none where there is no database. Nothing is written.
///
/// # Errors
/// It is no store, or cannot be read.
pub fn identity_in(shared: &Path) -> Result<Option<String>, SharedError> {
    let database = shared.join(DATABASE);
    if !database.try_exists().map_err(SharedError::io(&database, "look for"))? {
        return Ok(None);
    }
    let read = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&database, flags)?;
        connection.busy_handler(Some(wait_for_others))?;
        meta(&connection.transaction()?, "identity")
    };
    read().map_err(SharedError::database(&database, "read"))
}

pub(super) fn remembered_in(memory: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(memory) {
        Ok(text) => Ok(Some(text.trim_end().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Another member is in the middle of a transaction.
fn wait_for_others(looks: i32) -> bool {
    std::thread::sleep(BUSY_EVERY);
    looks < BUSY_LOOKS
}

/// Makes the tables where there are none; gives the identity of the store. Of several members that come first at a
/// time, one makes them.
fn create(
    database: &Path,
    connection: &mut Connection,
    why_not: Option<&str>,
) -> Result<String, SharedError> {
    let failed = |doing| SharedError::database(database, doing);
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed("begin"))?;
    let tables: i64 = transaction
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed("read"))?;
    if let (0, Some(why)) = (tables, why_not) {
        return Err(SharedError::missing(database, "is empty", why));
    }
    if tables == 0 {
        let insert = "INSERT INTO meta VALUES ('format', ?1)";
        let fill = || {
            transaction.execute_batch(SCHEMA)?;
            transaction.execute(insert, [SHARED_FORMAT.to_string()])
        };
        fill().map_err(failed("create"))?;
    }
    let format = meta(&transaction, "format").unwrap_or(None);
    let identity = match format {
        Some(format) if format == SHARED_FORMAT.to_string() => meta(&transaction, "identity"),
        Some(found) => {
            clause!(SV_126);
            return Err(SharedError::Format { path: database.to_owned(), found });
        }
        None => Ok(None),
    };
    let Some(identity) = identity.map_err(failed("read"))? else {
        return Err(SharedError::Corrupt {
            path: database.to_owned(),
            place: "table `meta`".into(),
            problem: "says no format and identity: this is no store of accounts".into(),
        });
    };
    transaction.commit().map_err(failed("create"))?;
    Ok(identity)
}

fn meta(transaction: &Transaction<'_>, name: &str) -> rusqlite::Result<Option<String>> {
    let select = "SELECT value FROM meta WHERE name = ?1";
    transaction.query_row(select, [name], |row| row.get(0)).optional()
}

/// What a transaction sees.
struct Rows<'a> {
    database: &'a Path,
    transaction: &'a Transaction<'a>,
}

/// One line of a journal.
type Line = (JournalKey, (Recorded, Time));

impl Rows<'_> {
    fn answer(
        &self,
        account: &Address,
        query: SharedQuery,
        faults: &Faults,
    ) -> Result<SharedAnswer, SharedError> {
        // As its Maildir is named.
        let account = account.0.to_ascii_lowercase();
        let before = self.load(&account, &query)?;
        let mut after = before.clone();
        let answer = after.answer(query, faults);
        if after != before {
            self.save(&account, &before, &after)
                .map_err(SharedError::database(self.database, "write"))?;
        }
        Ok(answer)
    }

    fn load(&self, account: &str, query: &SharedQuery) -> Result<SharedAccount, SharedError> {
        let select = "SELECT fence, member, horizon FROM accounts WHERE account = ?1";
        let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let found: Option<(String, Option<String>, Option<i64>)> = self
            .transaction
            .prepare_cached(select)
            .and_then(|mut select| select.query_row([account], row).optional())
            .map_err(SharedError::database(self.database, "read"))?;
        let Some((fence, member, horizon)) = found else { return Ok(SharedAccount::default()) };
        let lines = match query {
            SharedQuery::Open { .. } => self.lines(account)?,
            SharedQuery::Record { origin, index, published, .. } => {
                let own = (origin.clone(), *index);
                let named = published.iter().chain([&own]);
                let lines = named.map(|key| self.line(account, key));
                lines.filter_map(Result::transpose).collect::<Result<_, _>>()?
            }
        };
        Ok(SharedAccount {
            fence: serde_json::from_str(&fence)
                .map_err(|error| self.corrupt(account, "fence", &error))?,
            member: member.map(MemberName),
            journal: SharedJournal {
                lines: lines.into_iter().collect(),
                horizon: horizon.map(|at| Time(at.cast_unsigned())),
            },
        })
    }

    fn lines(&self, account: &str) -> Result<Vec<Line>, SharedError> {
        let failed = || SharedError::database(self.database, "read");
        let select = "SELECT origin, recipient, arrived, recorded FROM journal WHERE account = ?1";
        let mut select = self.transaction.prepare_cached(select).map_err(failed())?;
        let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
        let rows = select.query_map([account], row).map_err(failed())?;
        rows.map(|row| self.decode(account, &row.map_err(failed())?)).collect()
    }

    fn line(&self, account: &str, key: &JournalKey) -> Result<Option<Line>, SharedError> {
        let select = "SELECT origin, recipient, arrived, recorded FROM journal \
                      WHERE account = ?1 AND origin = ?2 AND recipient = ?3";
        let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
        let found = self
            .transaction
            .prepare_cached(select)
            .and_then(|mut select| {
                select.query_row((account, key.0.to_string(), key.1), row).optional()
            })
            .map_err(SharedError::database(self.database, "read"))?;
        found.map(|row| self.decode(account, &row)).transpose()
    }

    fn decode(
        &self,
        account: &str,
        (origin, recipient, arrived, recorded): &(String, u32, i64, String),
    ) -> Result<Line, SharedError> {
        let corrupt = |error: &dyn core::fmt::Display| self.corrupt(account, origin, error);
        let origin: OriginId = origin.parse().map_err(|error| corrupt(&error))?;
        let recorded = serde_json::from_str(recorded).map_err(|error| corrupt(&error))?;
        Ok(((origin, *recipient), (recorded, Time(arrived.cast_unsigned()))))
    }

    fn corrupt(&self, account: &str, of: &str, error: &dyn core::fmt::Display) -> SharedError {
        SharedError::Corrupt {
            path: self.database.to_owned(),
            place: format!("{account}, {of}"),
            problem: error.to_string(),
        }
    }

    /// Writes what has changed.
    fn save(
        &self,
        account: &str,
        before: &SharedAccount,
        after: &SharedAccount,
    ) -> rusqlite::Result<()> {
        let json = |value: serde_json::Result<String>| value.expect("it is made of plain values");
        let SharedAccount { fence, member, journal } = after;
        if (fence, member, journal.horizon)
            != (&before.fence, &before.member, before.journal.horizon)
        {
            let replace = "INSERT OR REPLACE INTO accounts (account, fence, member, horizon) \
                           VALUES (?1, ?2, ?3, ?4)";
            let member = member.as_ref().map(MemberName::as_str);
            let horizon = journal.horizon.map(|at| at.0.cast_signed());
            let fence = json(serde_json::to_string(fence));
            self.transaction.prepare_cached(replace)?.execute((account, fence, member, horizon))?;
        }
        for (key, line) in &journal.lines {
            if before.journal.lines.get(key) == Some(line) {
                continue;
            }
            let replace = "INSERT OR REPLACE INTO journal \
                           (account, origin, recipient, arrived, recorded) \
                           VALUES (?1, ?2, ?3, ?4, ?5)";
            let (recorded, arrived) =
                (json(serde_json::to_string(&line.0)), line.1.0.cast_signed());
            let row = (account, key.0.to_string(), key.1, arrived, recorded);
            self.transaction.prepare_cached(replace)?.execute(row)?;
        }
        for key in before.journal.lines.keys().filter(|key| !journal.lines.contains_key(key)) {
            let delete =
                "DELETE FROM journal WHERE account = ?1 AND origin = ?2 AND recipient = ?3";
            let row = (account, key.0.to_string(), key.1);
            self.transaction.prepare_cached(delete)?.execute(row)?;
        }
        Ok(())
    }
}
