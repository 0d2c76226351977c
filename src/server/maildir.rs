//! The accounts of this member: Maildirs in `accounts/<domain>/<local>/{tmp,new,cur}`.
//!
//! A delivery has two steps, so that a crash between them neither loses nor doubles it. *Deposit* writes
//! the message to `tmp/` and syncs the file and its name; the member then stores a journal entry;
//! *publish* renames it to `new/`. After a crash the member publishes again what its journal names: a
//! file that is not in `tmp/` any more was published before.

use core::fmt;
use core::fmt::Write as _;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write as _};
use std::path::{Path, PathBuf};

use super::spool::sync_directory;
use crate::clause;
use crate::wire::message::{Address, Refusal};

/// How often the octets of a folder are counted again while a mail reader moves its files.
const COUNTS_AGAIN: usize = 3;
/// The longest name of a file or directory that file systems take.
const NAME_LIMIT_OCTETS: usize = 255;

/// All accounts of a member.
#[derive(Clone, Debug)]
pub struct Maildirs {
    root: PathBuf,
}

/// A delivery that cannot be done now.
#[derive(Debug)]
pub struct MaildirError {
    /// The file or directory.
    pub path: PathBuf,
    /// What was attempted.
    pub doing: &'static str,
    /// What the system said.
    pub source: io::Error,
}

/// One account, as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountListing {
    /// Whose it is, in lower case.
    pub address: Address,
    /// Its Maildir.
    pub directory: PathBuf,
    /// Its published messages, by name.
    pub letters: Vec<Letter>,
    /// How many messages lie in `tmp/`, deposited or half written.
    pub unpublished: usize,
}

/// One published message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The name of its file.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// The length of the file.
    pub octets: u64,
}

impl Maildirs {
    /// The accounts below `directory`, which need not exist yet.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self { root: directory.join("accounts") }
    }

    /// The directory of all accounts.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The Maildir of an account. Local parts are compared without case, so the name is in lower case.
    #[must_use]
    pub fn directory(&self, account: &Address) -> PathBuf {
        let domain = escape(&account.domain().to_ascii_lowercase());
        self.root.join(domain).join(escape(&account.local().to_ascii_lowercase()))
    }

    /// The Maildir of a folder of an account, which is one of its own (Maildir++).
    #[must_use]
    pub fn folder(&self, account: &Address, folder: Option<&str>) -> PathBuf {
        let inbox = self.directory(account);
        let Some(folder) = folder else { return inbox };
        clause!(RU_034);
        let levels: Vec<String> = folder.split('/').map(escape_level).collect();
        inbox.join(format!(".{}", levels.join(".")))
    }

    /// Writes a message to `tmp/`: what [`lines_of_file`](crate::protocol::session::lines_of_file) made, then the body octet for octet. Synced,
    /// with its name. An unpublished message of that name is replaced.
    ///
    /// # Errors
    /// A step fails. The message is then not deposited.
    pub fn deposit(
        &self,
        (account, folder): (&Address, Option<&str>),
        name: &str,
        header: &str,
        body: &mut impl Read,
    ) -> Result<(), MaildirError> {
        let maildir = self.folder(account, folder);
        let path = message_path(&maildir, "tmp", name)?;
        for part in ["tmp", "new", "cur"] {
            create_directories(&maildir.join(part))?;
        }
        let mut write = || -> io::Result<()> {
            let mut file = BufWriter::new(File::create(&path)?);
            file.write_all(header.as_bytes())?;
            io::copy(body, &mut file)?;
            file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
            // A name that a crash can lose would look as if it had been published.
            clause!(SV_011);
            sync_directory(&maildir.join("tmp"))
        };
        let outcome = write();
        if outcome.is_err() {
            // What is left behind is not deposited; the next attempt replaces it.
            let _ = fs::remove_file(&path);
        }
        outcome.map_err(failed(&path, "write"))
    }

    /// Renames a deposited message to `new/` and syncs both directories. A message that is not in
    /// `tmp/` was published before.
    ///
    /// # Errors
    /// A step fails; publishing again is safe.
    pub fn publish(
        &self,
        (account, folder): (&Address, Option<&str>),
        name: &str,
    ) -> Result<(), MaildirError> {
        let maildir = self.folder(account, folder);
        let from = message_path(&maildir, "tmp", name)?;
        let to = message_path(&maildir, "new", name)?;
        clause!(SV_012);
        match fs::rename(&from, &to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed(&from, "publish")(error));
            }
            _ => {}
        }
        for part in ["new", "tmp"] {
            let directory = maildir.join(part);
            match sync_directory(&directory) {
                // An operator removed the whole account after it was published.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                synced => synced.map_err(failed(&directory, "sync"))?,
            }
        }
        Ok(())
    }

    /// The same, where a message that is neither in `tmp/` nor where readers have it is none that was published: the
    /// directory may be another one than that into which it was written.
    ///
    /// # Errors
    /// A step fails, or there is no such message; publishing again is safe.
    pub fn publish_what_is_there(
        &self,
        to: (&Address, Option<&str>),
        name: &str,
    ) -> Result<(), MaildirError> {
        let maildir = self.folder(to.0, to.1);
        let from = message_path(&maildir, "tmp", name)?;
        let is_there = || -> io::Result<bool> {
            if from.try_exists()? || maildir.join("new").join(name).try_exists()? {
                return Ok(true);
            }
            // A mail reader has added its flags.
            let mut read = fs::read_dir(maildir.join("cur"))?;
            let is_it = |entry: io::Result<fs::DirEntry>| {
                entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with(name))
            };
            Ok(read.any(is_it))
        };
        match is_there() {
            Ok(true) => self.publish(to, name),
            Ok(false) => {
                let gone =
                    io::Error::new(io::ErrorKind::NotFound, "it is neither here nor in its place");
                Err(failed(&from, "publish")(gone))
            }
            Err(error) => Err(failed(&from, "publish")(error)),
        }
    }

    /// The octets of the files of an account, in all its folders: those that its owner sees, and those in
    /// `tmp/` that are named in `unpublished`; but none that is named in `without`.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub fn usage(
        &self,
        account: &Address,
        without: &[String],
        unpublished: &[String],
    ) -> Result<u64, MaildirError> {
        clause!(SV_060);
        let inbox = self.directory(account);
        let mut octets: u64 = 0;
        for folder in [inbox.clone()].into_iter().chain(folders(&inbox)?) {
            let mut counted = usage_of(&folder, without, unpublished)?;
            // A mail reader that moves files under way may hide some of them.
            for _ in 0..COUNTS_AGAIN {
                if !counted.moved {
                    break;
                }
                counted = usage_of(&folder, without, unpublished)?;
            }
            octets = octets.saturating_add(counted.octets);
        }
        Ok(octets)
    }

    /// Every account that has a Maildir, by address, with its published messages.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub fn list(&self) -> Result<Vec<AccountListing>, MaildirError> {
        let mut accounts = Vec::new();
        for domain in entries(&self.root)? {
            for maildir in entries(&domain)? {
                let (local, domain) = (unescape(&maildir), unescape(&domain));
                let address = if domain.is_empty() { local } else { format!("{local}@{domain}") };
                let mut letters = Vec::new();
                let mut unpublished = 0;
                for folder in [maildir.clone()].into_iter().chain(folders(&maildir)?) {
                    letters.extend(self::letters(&folder.join("new"))?);
                    letters.extend(self::letters(&folder.join("cur"))?);
                    unpublished += entries(&folder.join("tmp"))?.len();
                }
                letters.sort_by(|one, other| one.name.cmp(&other.name));
                let address = Address::from(address.as_str());
                let directory = maildir;
                accounts.push(AccountListing { address, directory, letters, unpublished });
            }
        }
        accounts.sort_by(|one, other| one.address.cmp(&other.address));
        Ok(accounts)
    }
}

impl MaildirError {
    /// What the sender is told: try again later.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        match self.source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Refusal::new(452, "4.2.2", "no space for this account")
            }
            _ => Refusal::new(451, "4.3.0", "the account cannot be written now"),
        }
    }
}

impl fmt::Display for MaildirError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: cannot {}: {}", self.path.display(), self.doing, self.source)
    }
}

impl core::error::Error for MaildirError {}

fn failed(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> MaildirError {
    let path = path.to_owned();
    move |source| MaildirError { path, doing, source }
}

/// The path of a message. A name that is more than one plain file name is refused: nothing may be
/// written outside the Maildir.
fn message_path(maildir: &Path, part: &str, name: &str) -> Result<PathBuf, MaildirError> {
    clause!(SV_013);
    let is_plain = !name.is_empty()
        && name.len() <= NAME_LIMIT_OCTETS
        && !name.starts_with('.')
        && name.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'/' && octet != b':');
    if is_plain {
        return Ok(maildir.join(part).join(name));
    }
    let problem = io::Error::new(io::ErrorKind::InvalidInput, format!("`{name}` is no file name"));
    Err(failed(maildir, "use the name")(problem))
}

/// Creates a directory and its missing parents; each new name is synced.
fn create_directories(directory: &Path) -> Result<(), MaildirError> {
    if directory.is_dir() {
        return Ok(());
    }
    let parent = directory.parent().expect("an account lies below a directory");
    create_directories(parent)?;
    match fs::create_dir(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(failed(directory, "create")(error))
        }
        _ => sync_directory(parent).map_err(failed(parent, "sync")),
    }
}

/// The directory of an empty name: the domain of a bare `postmaster`. No other name gives a lone `%`.
const EMPTY: &str = "%";

/// A name with every octet but letters, digits and `_+=-` (and `.` inside) as `%` and two digits.
fn escape(text: &str) -> String {
    if text.is_empty() {
        return EMPTY.into();
    }
    let mut escaped = String::new();
    for (place, octet) in text.bytes().enumerate() {
        let plain = octet.is_ascii_alphanumeric() || b"_+=-".contains(&octet);
        if plain || (octet == b'.' && place > 0) {
            escaped.push(char::from(octet));
        } else {
            write!(escaped, "%{octet:02x}").expect("a string takes text");
        }
    }
    escaped
}

fn unescape(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name == EMPTY {
        return String::new();
    }
    let mut octets = Vec::new();
    let mut rest = name.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let coded = tail.get(..2).and_then(|pair| core::str::from_utf8(pair).ok());
        match coded.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(octet) if *first == b'%' => {
                octets.push(octet);
                rest = &tail[2..];
            }
            _ => {
                octets.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

/// The paths in a directory in order; none when it is not there.
fn entries(directory: &Path) -> Result<Vec<PathBuf>, MaildirError> {
    let listing = || -> io::Result<Vec<PathBuf>> {
        fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect()
    };
    match listing() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed.map_err(failed(directory, "list")),
    }
}

/// The folders of a Maildir: its directories whose names begin with a dot.
fn folders(maildir: &Path) -> Result<Vec<PathBuf>, MaildirError> {
    let is_folder = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
    };
    Ok(entries(maildir)?.into_iter().filter(is_folder).collect())
}

/// One level of a folder's name. The configuration lets nothing else in; a dot would begin another level.
fn escape_level(level: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " -_".contains(c);
    level.chars().map(|c| if is_plain(c) { c } else { '_' }).collect()
}

/// What the files of a folder have.
struct Counted {
    octets: u64,
    /// A file was gone from where it had been listed, and was not seen elsewhere.
    moved: bool,
}

/// The octets of one folder, as [`Maildirs::usage`] counts them.
fn usage_of(
    folder: &Path,
    without: &[String],
    unpublished: &[String],
) -> Result<Counted, MaildirError> {
    // A file moves from `tmp/` to `new/` to `cur/`, so read in this order none is missed; one that moves
    // meanwhile is seen twice, and counted once.
    let mut counted: BTreeMap<String, u64> = BTreeMap::new();
    let mut gone = BTreeSet::new();
    for part in ["tmp", "new", "cur"] {
        for path in entries(&folder.join(part))? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            // Behind the colon stand the flags that a mail reader sets.
            let base = name.split(':').next().unwrap_or_default().to_owned();
            let is_meant = part != "tmp" || unpublished.contains(&base);
            if !is_meant || without.contains(&base) || counted.contains_key(&base) {
                continue;
            }
            match size(&name, &path)? {
                Some(octets) => {
                    counted.insert(base, octets);
                }
                None => {
                    gone.insert(base);
                }
            }
        }
    }
    let moved = gone.iter().any(|base| !counted.contains_key(base));
    Ok(Counted {
        octets: counted.values().fold(0, |all, octets| all.saturating_add(*octets)),
        moved,
    })
}

/// The octets of a message: from its name (`,S=`) where that says so, as other mail servers write it. `None`
/// where it is not there any more: a mail reader has moved or removed it.
fn size(name: &str, path: &Path) -> Result<Option<u64>, MaildirError> {
    let fields = name.split(':').next().unwrap_or_default().split(',').skip(1);
    let mut named = fields.filter_map(|field| field.strip_prefix("S=")?.parse().ok());
    if let Some(octets) = named.next() {
        return Ok(Some(octets));
    }
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path, "examine")(error)),
    }
}

fn letters(directory: &Path) -> Result<Vec<Letter>, MaildirError> {
    let mut letters = Vec::new();
    for path in entries(directory)? {
        let octets = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            // A mail reader moved or removed it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(&path, "examine")(error)),
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        letters.push(Letter { name, path, octets });
    }
    Ok(letters)
}
