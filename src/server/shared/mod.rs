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
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

pub use database::{DATABASE, MEMORY, SharedStore, remembered};
pub use error::SharedError;
use rustix::fs::{Access, AtFlags, accessat};

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
    silence: Silence,
}

impl SharedMaildirs {
    /// They are there. What is written into a directory that is not mounted is lost when it is.
    pub(crate) fn located(&self) -> Result<&Maildirs, SharedError> {
        clause!(SV_126);
        let database = self.maildirs.root().with_file_name(DATABASE);
        if database.is_file() {
            return Ok(&self.maildirs);
        }
        Err(SharedError::missing(&database, "is missing", "and nothing is written beside it"))
    }

    /// Where the Maildir of an account is, whether they are there or not.
    pub(crate) fn directory(&self, account: &Address) -> PathBuf {
        self.maildirs.directory(account)
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
        let store = self.maildirs.root().parent().expect("it is in a directory");
        let relative = written.strip_prefix(store).expect("it is below");
        let are_there = || -> io::Result<()> {
            let store = fs::File::open(store)?;
            accessat(&store, DATABASE, Access::EXISTS, AtFlags::empty())?;
            Ok(accessat(&store, relative, Access::EXISTS, AtFlags::empty())?)
        };
        are_there().map_err(|error| {
            let error = SharedError::io(&written, "find what was just written")(error);
            self.silence.begins(&error);
            error.refusal()
        })
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
        let (network, silence) = (Arc::clone(network), Silence::default());
        let maildirs = Maildirs::new(directory);
        let places = [directory.to_owned(), maildirs.root().to_owned()];
        let maildirs = SharedMaildirs { maildirs, silence: silence.clone() };
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
