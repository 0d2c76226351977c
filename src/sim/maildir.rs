//! The Maildirs of one member, or of a house that members share: `tmp/` and `new/`, and nothing that a crash could take back.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::token::Token;
use crate::wire::message::{Address, Hop};

/// One copy of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Which message of the run it is.
    pub token: Option<Token>,
    /// The account whose rules passed it on first.
    pub by: Option<Address>,
    /// The groups that its trace lines name, oldest first, each stay once.
    pub path: Vec<String>,
    /// A crash has left only a part of it.
    pub torn: bool,
    /// How long it is.
    pub octets: u64,
}

impl File {
    /// What a crash has left of one.
    #[must_use]
    pub const fn torn() -> Self {
        Self { token: None, by: None, path: Vec::new(), torn: true, octets: 0 }
    }
}

/// What a rename did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renamed {
    /// The file is in `new/` now.
    Published(File),
    /// It was there already, or it never was in `tmp/`.
    Before,
    /// Another file of that name was there: it is lost.
    Over(File),
}

/// The files of one account.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    tmp: BTreeMap<String, File>,
    new: BTreeMap<String, File>,
}

/// The groups that a message went by: those of the trace lines that already stand in its header (the
/// newest first), then those of the hops that are still to be written there.
#[must_use]
pub fn path(octets: &[u8], hops: &[Hop]) -> Vec<String> {
    let text = String::from_utf8_lossy(octets);
    let header = text.split("\r\n\r\n").next().unwrap_or("");
    let groups = header.split("(group ").skip(1).filter_map(|rest| rest.split(')').next());
    let mut path: Vec<String> = groups.map(String::from).collect();
    path.reverse();
    path.extend(hops.iter().map(|hop| String::from(hop.group.as_str())));
    path.dedup();
    path
}

/// All accounts of one member.
#[derive(Clone, Debug, Default)]
pub struct Maildirs {
    accounts: BTreeMap<Address, Directory>,
}

impl Maildirs {
    /// Puts a synced file into `tmp/`.
    pub fn deposit(&mut self, account: &Address, name: &str, file: File) {
        let directory = self.accounts.entry(account.clone()).or_default();
        directory.tmp.insert(String::from(name), file);
    }

    /// Takes the files of an account away.
    pub fn take(&mut self, account: &Address) -> Directory {
        self.accounts.remove(account).unwrap_or_default()
    }

    /// Puts the files of an account here; what a file of the same name was is overwritten.
    pub fn give(&mut self, account: &Address, files: Directory) {
        let directory = self.accounts.entry(account.clone()).or_default();
        directory.tmp.extend(files.tmp);
        directory.new.extend(files.new);
    }

    /// Renames from `tmp/` to `new/`, directories synced.
    pub fn publish(&mut self, account: &Address, name: &str) -> Renamed {
        let directory = self.accounts.entry(account.clone()).or_default();
        let Some(file) = directory.tmp.remove(name) else { return Renamed::Before };
        match directory.new.insert(String::from(name), file.clone()) {
            None => Renamed::Published(file),
            Some(lost) => Renamed::Over(lost),
        }
    }

    /// The octets of the files of an account: those in `new/`, and those in `tmp/` that are named in
    /// `unpublished`; but none that is named in `without`.
    #[must_use]
    pub fn usage(&self, account: &Address, without: &[String], unpublished: &[String]) -> u64 {
        let Some(Directory { tmp, new }) = self.accounts.get(account) else { return 0 };
        let recorded = tmp.iter().filter(|(name, _)| unpublished.contains(name));
        let counted = new.iter().chain(recorded).filter(|(name, _)| !without.contains(name));
        counted.map(|(_, file)| file.octets).sum()
    }

    /// The file of that name in `tmp/` or `new/`.
    #[must_use]
    pub fn file(&self, account: &Address, name: &str) -> Option<&File> {
        let files = self.accounts.get(account)?;
        files.tmp.get(name).or_else(|| files.new.get(name))
    }

    /// Everything that any owner sees: the messages of the run, and for whom they were at first.
    pub fn all_published<'m>(&'m self) -> impl Iterator<Item = (Token, &'m Address)> {
        self.accounts.iter().flat_map(|(account, directory)| {
            let copy =
                move |file: &'m File| Some((file.token?, file.by.as_ref().unwrap_or(account)));
            directory.new.values().filter_map(copy)
        })
    }

    /// The file of that name, as long as it is not in its place.
    #[must_use]
    pub fn unpublished(&self, account: &Address, name: &str) -> Option<&File> {
        self.accounts.get(account)?.tmp.get(name)
    }

    /// The published files of an account, by name.
    pub fn published(&self, account: &Address) -> impl Iterator<Item = (&String, &File)> {
        self.accounts.get(account).into_iter().flat_map(|directory| &directory.new)
    }
}
