//! Moves an account from one member to another, both of them stopped: its Maildir and its part of the
//! delivery journal, so that a repeat of an earlier delivery is known at the new host.
//!
//! Every step can be done again after a crash. An export is complete in its directory before the account
//! is closed at the old host, and the mail is there before the account is opened at the new one.

use core::fmt;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use serde::{Deserialize, Serialize};

use super::configuration::Configuration;
use super::maildir::Maildirs;
use super::spool::{
    Opened, Operation, Settled, Spool as _, SpoolError, SqliteSpool, sync_directory,
};
use crate::clause;
use crate::protocol::queue::{AccountJournal, AccountState, Change, Spool};
use crate::protocol::server::Server;
use crate::wire::deliver::Ownership;
use crate::wire::ids::{Epoch, MemberName};
use crate::wire::message::Address;

/// The only value of `format` in an export that this version reads.
pub const EXPORT_FORMAT: u32 = 1;
/// The part of an export that is not mail.
const EXPORT_FILE: &str = "account.json";
/// The mail of an export.
const EXPORT_MAIL: &str = "Maildir";

/// What an export says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Export {
    format: u32,
    account: Address,
    from: MemberName,
    to: Ownership,
    journal: AccountJournal,
}

/// Why an account cannot be moved. Nothing is changed that doing it again would not mend.
#[derive(Debug)]
pub enum MoveError {
    /// It is not as it must be: what, and what was expected.
    Refused(String),
    /// The spool cannot be opened, or a write failed.
    Spool(SpoolError),
    /// A file or directory.
    Files {
        /// Which one.
        path: PathBuf,
        /// What was attempted.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl fmt::Display for MoveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(problem) => f.write_str(problem),
            Self::Spool(error) => write!(f, "{error}"),
            Self::Files { path, doing, source } => {
                write!(f, "{}: cannot {doing}: {source}", path.display())
            }
        }
    }
}

impl core::error::Error for MoveError {}

impl From<SpoolError> for MoveError {
    fn from(error: SpoolError) -> Self {
        Self::Spool(error)
    }
}

fn failed(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> MoveError {
    let path = path.to_owned();
    move |source| MoveError::Files { path, doing, source }
}

fn refused<T>(problem: String) -> Result<T, MoveError> {
    Err(MoveError::Refused(problem))
}

/// What was moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The account.
    pub account: Address,
    /// Who has it now.
    pub to: Ownership,
    /// How many deliveries its journal knows.
    pub deliveries: usize,
    /// It was done before; nothing was left to do.
    pub was_done: bool,
}

/// The spool of a member that does not run. Opening it keeps the member from starting meanwhile.
struct Store {
    spool: SqliteSpool<Server>,
    durable: Spool,
    settled: mpsc::Receiver<Settled>,
}

impl Store {
    fn open(configuration: &Configuration) -> Result<Self, MoveError> {
        let (news, settled) = mpsc::channel();
        let directory = configuration.spool();
        let opened = SqliteSpool::<Server>::open(&directory, move |settled| {
            let _ = news.send(settled);
        })?;
        let Opened { spool, durable, .. } = opened;
        Ok(Self { spool, durable: durable.spool, settled })
    }

    /// Writes one change, and comes back when it is on the disk.
    fn write(&self, change: Change) -> Result<(), MoveError> {
        self.spool.submit(Operation::Write(change)).map_err(|_| SpoolError::Failed)?;
        match self.settled.recv() {
            Ok(Settled::Stored(_)) => Ok(self.spool.close()?),
            Ok(Settled::Failed(error)) => Err(error.into()),
            Err(_) => Err(SpoolError::Failed.into()),
        }
    }

    fn state(&self, account: &Address) -> Option<&AccountState> {
        self.durable.accounts.get(account)
    }
}

/// Takes an account from a member that is stopped, and puts it into `directory` for another one. The
/// epoch is the next one where none is named.
///
/// # Errors
/// The member runs, the account is not its own, or a file cannot be written.
pub fn export(
    configuration: &Configuration,
    account: &Address,
    (member, epoch): (&MemberName, Option<Epoch>),
    directory: &Path,
) -> Result<Moved, MoveError> {
    let (account, filed) = account_of(configuration, account)?;
    same_group(configuration, member)?;
    let store = Store::open(configuration)?;
    let maildir = Maildirs::new(&configuration.directory).directory(&account);
    let state = store.state(&account);
    if let Some(AccountState { epoch: closed, moved: Some(to) }) = state {
        if to != member || epoch.is_some_and(|epoch| epoch != *closed) {
            return refused(format!("{account} went to {to} before, under epoch {closed}"));
        }
        let export = read(directory)?;
        if export.account != account || export.to.epoch != *closed {
            return refused(format!("{} is another export", directory.display()));
        }
        remove(&maildir)?;
        let deliveries = export.journal.rows.len();
        return Ok(Moved { account, to: export.to, deliveries, was_done: true });
    }
    let own = &configuration.member.member;
    let current = state.map_or(filed.epoch, |state| state.epoch.max(filed.epoch));
    let is_ours = state.is_some_and(|state| state.epoch >= filed.epoch) || filed.member == *own;
    if !is_ours {
        return refused(format!("{account} is on {}, not on {own}", filed.member));
    }
    let epoch = epoch.unwrap_or(Epoch(current.0 + 1));
    if epoch <= current {
        return refused(format!(
            "epoch {epoch}: expected more than {current}, the epoch until now"
        ));
    }
    clause!(DE_048);
    let to = Ownership { member: member.clone(), epoch };
    let journal = store.durable.journal_of(&account);
    let deliveries = journal.rows.len();
    let (format, from) = (EXPORT_FORMAT, own.clone());
    let export = Export { format, account: account.clone(), from, to: to.clone(), journal };
    write_export(&export, &maildir, directory)?;
    store.write(Change::Closed { account: account.clone(), to: to.clone() })?;
    remove(&maildir)?;
    Ok(Moved { account, to, deliveries, was_done: false })
}

/// Opens an account at this member, which is stopped, with what `directory` has of it.
///
/// # Errors
/// The member runs, the export is for another member or an older epoch, or a file cannot be written.
pub fn import(configuration: &Configuration, directory: &Path) -> Result<Moved, MoveError> {
    let Export { account, to, journal, .. } = read(directory)?;
    let own = &configuration.member.member;
    if to.member != *own {
        return refused(format!("{} is for {}, not for {own}", directory.display(), to.member));
    }
    let (account, filed) = account_of(configuration, &account)?;
    if filed.member != *own || filed.epoch != to.epoch {
        let problem = format!("the organization has {account} on {} in", filed.member);
        return refused(format!("{problem} epoch {}, expected {own}, {}", filed.epoch, to.epoch));
    }
    let store = Store::open(configuration)?;
    let deliveries = journal.rows.len();
    if let Some(state) = store.state(&account) {
        let is_open = state.moved.is_none();
        if state.epoch == to.epoch && is_open {
            return Ok(Moved { account, to, deliveries, was_done: true });
        }
        if state.epoch >= to.epoch && (is_open || state.epoch > to.epoch) {
            let epoch = state.epoch;
            return refused(format!("{account} was opened under epoch {epoch}: the export is old"));
        }
    }
    clause!(DE_048);
    let maildir = Maildirs::new(&configuration.directory).directory(&account);
    copy(&directory.join(EXPORT_MAIL), &maildir)?;
    sync_up(&maildir, &configuration.directory)?;
    store.write(Change::Opened { account: account.clone(), epoch: to.epoch, journal })?;
    Ok(Moved { account, to, deliveries, was_done: false })
}

/// Opens an account that the organization gives to this member and whose journal is lost with its host.
///
/// # Errors
/// The member runs, or the account is not its own.
pub fn adopt(configuration: &Configuration, account: &Address) -> Result<Moved, MoveError> {
    let (account, to) = account_of(configuration, account)?;
    let own = &configuration.member.member;
    if to.member != *own {
        return refused(format!("{account} is on {}, not on {own}", to.member));
    }
    let store = Store::open(configuration)?;
    let state = store.state(&account);
    if let Some(state) = state.filter(|state| state.epoch >= to.epoch) {
        let was_done = state.moved.is_none() && state.epoch == to.epoch;
        if !was_done {
            return refused(format!("{account} was opened under epoch {} before", state.epoch));
        }
        return Ok(Moved { account, to, deliveries: 0, was_done });
    }
    let journal = store.durable.journal_of(&account);
    let deliveries = journal.rows.len();
    store.write(Change::Opened { account: account.clone(), epoch: to.epoch, journal })?;
    Ok(Moved { account, to, deliveries, was_done: false })
}

/// The account as the organization writes it, and who has it by its file.
fn account_of(
    configuration: &Configuration,
    address: &Address,
) -> Result<(Address, Ownership), MoveError> {
    match configuration.member.organization.account(address) {
        Some(account) => match account.ownership() {
            Some(ownership) => Ok((account.address.clone(), ownership)),
            None => {
                refused(format!("{address} is leased by the master of its group, and never moved"))
            }
        },
        None => refused(format!("{address} is no account of the organization")),
    }
}

/// Members deliver to hosts of their own group, so that is how far an account moves.
fn same_group(configuration: &Configuration, member: &MemberName) -> Result<(), MoveError> {
    let own = &configuration.member.member;
    if member == own {
        return refused(format!("{member}: expected another member than the one that has it"));
    }
    let group = configuration.member.organization.group_of(own);
    if group.is_some_and(|group| group.members.contains(member)) {
        return Ok(());
    }
    refused(format!("{member}: expected a member of the group of {own}"))
}

fn read(directory: &Path) -> Result<Export, MoveError> {
    let path = directory.join(EXPORT_FILE);
    let text = fs::read_to_string(&path).map_err(failed(&path, "read"))?;
    let export: Export = match serde_json::from_str(&text) {
        Ok(export) => export,
        Err(error) => return refused(format!("{}: {error}", path.display())),
    };
    if export.format != EXPORT_FORMAT {
        let format = export.format;
        return refused(format!("{}: format {format}, expected 1", path.display()));
    }
    Ok(export)
}

/// Writes an export beside its place and moves it there when it is complete.
fn write_export(export: &Export, maildir: &Path, directory: &Path) -> Result<(), MoveError> {
    let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or_else(|| Path::new("."));
    let mut partial = directory.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    if directory.exists() {
        // One that was cut short before the account was closed is made anew.
        let before = read(directory)?;
        if (&before.account, &before.from) != (&export.account, &export.from) {
            return refused(format!("{} is another export", directory.display()));
        }
        remove(directory)?;
    }
    remove(&partial)?;
    create(&partial)?;
    copy(maildir, &partial.join(EXPORT_MAIL))?;
    let path = partial.join(EXPORT_FILE);
    let json = serde_json::to_vec(export)
        .map_err(|error| MoveError::Refused(format!("{}: {error}", path.display())))?;
    let mut file = File::create(&path).map_err(failed(&path, "create"))?;
    file.write_all(&json).and_then(|()| file.sync_all()).map_err(failed(&path, "write"))?;
    sync_directory(&partial).map_err(failed(&partial, "sync"))?;
    fs::rename(&partial, directory).map_err(failed(directory, "move into place"))?;
    sync_directory(parent).map_err(failed(parent, "sync"))
}

/// Copies a directory with all that is in it, synced. What is there already stays, unless a file of the
/// same name comes.
fn copy(from: &Path, to: &Path) -> Result<(), MoveError> {
    create(to)?;
    let listing = match fs::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        listing => listing.map_err(failed(from, "list"))?,
    };
    for entry in listing {
        let entry = entry.map_err(failed(from, "list"))?;
        let kind = entry.file_type().map_err(failed(&entry.path(), "examine"))?;
        let target = to.join(entry.file_name());
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_file() {
            copy_file(&entry.path(), &target)?;
        }
    }
    sync_directory(to).map_err(failed(to, "sync"))
}

/// A reader of mail sees a file whole or not at all.
fn copy_file(from: &Path, to: &Path) -> Result<(), MoveError> {
    let name = to.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let partial = to.with_file_name(format!(".{name}.partial"));
    fs::copy(from, &partial).map_err(failed(&partial, "write"))?;
    let synced = File::open(&partial).and_then(|file| file.sync_all());
    synced.map_err(failed(&partial, "sync"))?;
    fs::rename(&partial, to).map_err(failed(to, "move into place"))
}

/// Nobody but the server reads mail.
fn create(directory: &Path) -> Result<(), MoveError> {
    const OWN: u32 = 0o700;
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(OWN).create(directory).map_err(failed(directory, "create"))
}

/// Makes the names of new directories durable, from `below` up to `above`.
fn sync_up(below: &Path, above: &Path) -> Result<(), MoveError> {
    let parents = below.ancestors().skip(1).take_while(|parent| parent.starts_with(above));
    for parent in parents {
        sync_directory(parent).map_err(failed(parent, "sync"))?;
    }
    Ok(())
}

fn remove(directory: &Path) -> Result<(), MoveError> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(failed(directory, "remove")(error))
        }
        _ => Ok(()),
    }
}
