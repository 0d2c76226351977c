//! The store that the members of a group share: leased accounts, their fences and delivery journals.
//!
//! A directory that every member of the group reaches has one database, and the Maildirs beside it. Each member asks it
//! on a thread of its own, so that a file system that hangs keeps nothing but this waiting; questions that have come
//! meanwhile are answered by one commit.

mod database;
mod error;

use core::convert::Infallible;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use database::remembered_in;
pub use database::{DATABASE, MEMORY, SharedStore, identity_in, remembered};
pub use error::SharedError;
use rustix::fs::{Access, AtFlags, accessat, statat};

use crate::clause;
use crate::kernel::Ticket;
use crate::protocol::deliver::shared::{SharedAnswer, SharedQuery};
use crate::protocol::member::Answer;
use crate::server::maildir::Maildirs;
use crate::server::net::Network;
use crate::server::private::take_from_others;
use crate::server::runtime::ToHost;
use crate::server::tokens::{Kind, Token};
use crate::wire::message::{Address, Refusal};

/// The only format of a store that this version reads and writes.
pub const SHARED_FORMAT: u32 = 1;
/// How long a member that starts waits for what the store is, and one that ends for what it still writes.
const PATIENCE: Duration = Duration::from_secs(2);
const WAITS: &str = "mail for leased accounts waits for their store";
/// The most questions that are answered by one commit.
const QUESTIONS_AT_ONCE: usize = 64;

/// A question of the machine.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) ticket: Ticket,
    pub(crate) account: Address,
    pub(crate) query: SharedQuery,
    pub(crate) token: Token,
}

/// Whether the store has not answered last: each change of that stands in the log once.
#[derive(Clone, Debug, Default)]
struct Silence(Arc<AtomicBool>);

impl Silence {
    fn begins(&self, error: &SharedError) {
        clause!(SV_125);
        if !self.0.swap(true, Ordering::Relaxed) {
            tracing::error!(%error, "the store of leased accounts has not answered");
        }
    }

    fn ends(&self) {
        if self.0.swap(false, Ordering::Relaxed) {
            tracing::warn!("the store of leased accounts answers again");
        }
    }
}

/// The Maildirs of the store, for whoever writes there.
#[derive(Clone, Debug)]
pub(crate) struct SharedMaildirs {
    maildirs: Maildirs,
    store: PathBuf,
    /// What the member remembers its store by.
    memory: PathBuf,
    /// The device and the number of the file that was found to be its database.
    known: Arc<Mutex<Option<(u64, u64)>>>,
    silence: Silence,
}

impl SharedMaildirs {
    fn new(store: &Path, memory: PathBuf) -> Self {
        let (maildirs, known) = (Maildirs::new(store), Arc::default());
        Self { maildirs, store: store.to_owned(), memory, known, silence: Silence::default() }
    }

    /// They are there, beside the database of the store that this member uses: what is written into a directory that is
    /// not mounted, or into another store, is lost when the right one is back.
    pub(crate) fn located(&self) -> Result<&Maildirs, SharedError> {
        clause!(SV_126);
        let database = self.store.join(DATABASE);
        let Some(found) = fs::metadata(&database).ok().filter(fs::Metadata::is_file) else {
            let why = "and nothing is written beside it";
            return Err(SharedError::missing(&database, "is missing", why));
        };
        let found = Some((found.dev(), found.ino()));
        if *self.known() == found {
            return Ok(&self.maildirs);
        }
        let remembered = remembered_in(&self.memory);
        let remembered = remembered.map_err(SharedError::io(&self.memory, "read"))?;
        if remembered.is_none() || identity_in(&self.store)? != remembered {
            return Err(SharedError::Another { path: database, memory: self.memory.clone() });
        }
        *self.known() = found;
        Ok(&self.maildirs)
    }

    fn known(&self) -> MutexGuard<'_, Option<(u64, u64)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was just written to `tmp/` is where the database is: both are looked for below one open directory, since
    /// another one may have come to its place between the look at the database and the writing.
    pub(crate) fn confirm(
        &self,
        (account, folder): (&Address, Option<&str>),
        name: &str,
    ) -> Result<(), Refusal> {
        clause!(SV_126);
        let written = self.maildirs.folder(account, folder).join("tmp").join(name);
        let relative = written.strip_prefix(&self.store).expect("it is below");
        let are_there = || -> io::Result<()> {
            let store = fs::File::open(&self.store)?;
            let database = statat(&store, DATABASE, AtFlags::empty())?;
            if *self.known() != Some((database.st_dev, database.st_ino)) {
                return Err(io::Error::new(io::ErrorKind::NotFound, "another store came between"));
            }
            Ok(accessat(&store, relative, Access::EXISTS, AtFlags::empty())?)
        };
        are_there().map_err(|error| {
            let error = SharedError::io(&written, "find what was just written")(error);
            self.silence.begins(&error);
            error.refusal()
        })
    }

    /// Where the Maildir of an account is, whether they are there or not.
    pub(crate) fn directory(&self, account: &Address) -> PathBuf {
        self.maildirs.directory(account)
    }

    /// They are there, for whoever delivers: what is in the way stands in the log, once.
    pub(crate) fn reach(&self) -> Result<&Maildirs, Refusal> {
        self.located().map_err(|error| {
            self.silence.begins(&error);
            error.refusal()
        })
    }
}

/// The way to the store.
#[derive(Debug)]
pub(crate) struct Shared {
    maildirs: SharedMaildirs,
    /// None when it is dropped.
    questions: Option<Sender<Asked>>,
    /// Says nothing, and ends with the thread.
    ended: Receiver<Infallible>,
}

impl Shared {
    /// The way to `store`, whose Maildirs are in the same directory. Where it is needed already, it is opened.
    ///
    /// # Errors
    /// It is of another format. One that cannot be used now, or hangs, keeps nobody from starting.
    pub(crate) fn start(
        mut store: SharedStore,
        directory: &Path,
        is_needed: bool,
        network: &Arc<Network>,
    ) -> Result<Self, SharedError> {
        let (questions, asked) = channel();
        let (tell, told) = channel();
        let (ends, ended) = channel();
        let network = Arc::clone(network);
        let maildirs = SharedMaildirs::new(directory, store.memory().to_owned());
        let silence = maildirs.silence.clone();
        let places = [directory.to_owned(), maildirs.maildirs.root().to_owned()];
        let answering = move || {
            let _ends: Sender<Infallible> = ends;
            if is_needed {
                keep_private(&places);
                // Whoever has not waited so long learns it from the answer to a question.
                let _ = tell.send(store.open());
            }
            answer(store, &asked, &network, &silence);
        };
        let thread = thread::Builder::new().name("accounts".into()).spawn(answering);
        // It is not joined: a file system that hangs would keep the process from ending.
        drop(thread.expect("a process has room for one thread more"));
        let shared = Self { maildirs, questions: Some(questions), ended };
        if !is_needed {
            return Ok(shared);
        }
        clause!(SV_126);
        match told.recv_timeout(PATIENCE) {
            Ok(Ok(())) => {}
            Ok(Err(error)) if error.is_lasting() => return Err(error),
            Ok(Err(error)) => tracing::error!(%error, "{WAITS}"),
            Err(_) => tracing::error!("{WAITS}: no word from it yet"),
        }
        Ok(shared)
    }

    /// The Maildirs of the accounts in it.
    pub(crate) const fn maildirs(&self) -> &SharedMaildirs {
        &self.maildirs
    }

    /// Asks; the answer comes to the host loop.
    pub(crate) fn ask(&self, asked: Asked) {
        let questions = self.questions.as_ref().expect("it was not dropped");
        questions.send(asked).expect("the thread ends with the last way to it");
    }
}

impl Drop for Shared {
    /// What was asked is answered, if the store has not stopped answering; nobody hears it, and it stands.
    fn drop(&mut self) {
        self.questions = None;
        let _ = self.ended.recv_timeout(PATIENCE);
    }
}

fn keep_private(places: &[PathBuf]) {
    for place in places {
        if let Err(error) = take_from_others(place) {
            tracing::warn!(place = %place.display(), %error, "others may read what is kept here");
        }
    }
}

fn answer(mut store: SharedStore, asked: &Receiver<Asked>, network: &Network, silence: &Silence) {
    while let Ok(first) = asked.recv() {
        let mut waiting = vec![first];
        waiting.extend(asked.try_iter().take(QUESTIONS_AT_ONCE - 1));
        for (Asked { ticket, token, .. }, answer) in answers(&mut store, waiting) {
            let answer = match answer {
                Ok(answer) => {
                    silence.ends();
                    Answer::Shared(Box::new(answer))
                }
                Err(error) => {
                    if error.is_of_an_account() {
                        tracing::error!(%error, "an account in the store cannot be used");
                    } else {
                        silence.begins(&error);
                    }
                    Answer::Failed(error.refusal())
                }
            };
            network.tell(ToHost::Answered { ticket, answer, token: token.into_kind(Kind::Input) });
        }
    }
}

type Answered = (Asked, Result<SharedAnswer, Arc<SharedError>>);

/// What one account has wrong must not be in the way of the others: where all together fail for that, each is asked
/// for itself.
fn answers(store: &mut SharedStore, waiting: Vec<Asked>) -> Vec<Answered> {
    clause!(SV_125);
    let question = |asked: &Asked| (asked.account.clone(), asked.query.clone());
    match store.answer_all(waiting.iter().map(question).collect()) {
        Ok(answers) => waiting.into_iter().zip(answers.into_iter().map(Ok)).collect(),
        Err(error) if error.is_of_an_account() && waiting.len() > 1 => {
            let alone = |asked: Asked| {
                let answer = store.answer(&asked.account, asked.query.clone());
                (asked, answer.map_err(Arc::new))
            };
            waiting.into_iter().map(alone).collect()
        }
        Err(error) => {
            let error = Arc::new(error);
            waiting.into_iter().map(|asked| (asked, Err(Arc::clone(&error)))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::faults::Faults;

    /// SV-126: another store that is mounted in place of ours is none to write to, and what was written there does not
    /// count.
    #[test]
    fn another_store_in_its_place_is_not_written_to() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name);
        for name in ["shared", "other", "member", "stranger"] {
            fs::create_dir(path(name)).expect("writable");
        }
        let store = |shared: &str, member: &str| {
            let mut store = SharedStore::new(&path(shared), &path(member), Faults::none());
            store.open().expect("it can be made");
        };
        store("shared", "member");
        store("other", "stranger");
        let ours = SharedMaildirs::new(&path("shared"), path("member").join(MEMORY));
        let ann = Address::from("ann@example.org");
        let deposit = |maildirs: &Maildirs| {
            maildirs.deposit((&ann, None), "1.a", "", &mut &b"a letter"[..]).expect("writable");
        };
        deposit(ours.reach().expect("it is there"));
        ours.confirm((&ann, None), "1.a").expect("it was written there");
        ours.confirm((&ann, None), "2.a").expect_err("that was not written");
        let maildirs = ours.reach().expect("it is there").clone();
        fs::rename(path("shared"), path("away")).expect("it is there");
        fs::rename(path("other"), path("shared")).expect("it is there");
        deposit(&maildirs);
        ours.confirm((&ann, None), "1.a").expect_err("it was written into the other one");
        let error = ours.located().expect_err("it is another one");
        assert!(matches!(error, SharedError::Another { .. }), "{error}");
        fs::rename(path("shared"), path("other")).expect("it is there");
        fs::rename(path("away"), path("shared")).expect("it is there");
        ours.reach().expect("it is back");
        ours.confirm((&ann, None), "1.a").expect("it was written there");
    }
}
