//! The external filter: a child process that is asked about each message, line by line.
//!
//! One task owns the child and the book of questions. It gives the child at most so many questions at a
//! time; the others wait in their order, and with them the sessions that brought them. A child that
//! dies, says nothing in time or says what nobody understands is killed, its questions are answered
//! with a temporary refusal, and another one is started after a while.

mod child;
mod comments;
mod file;
mod words;

use alloc::collections::{BTreeMap, VecDeque};
use core::future::pending;
use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use self::child::{Child, Heard};
use self::comments::{Comments, Fate};
use super::bodies::DamagedBody;
use super::clock::within_real_time;
use super::configuration::FilterConfiguration;
use super::net::Network;
use super::runtime::ToHost;
use super::spool::SpoolError;
use super::tokens::{Kind, Token};
use crate::clause;
use crate::kernel::Ticket;
use crate::protocol::member::{Answer, Filtered};
use crate::wire::header;
use crate::wire::helper::{self, Judgement, Said};
use crate::wire::message::{Address, Body, Field, Refusal};

/// How long a child that failed is not started again; twice as long after each further failure.
pub const BACK_OFF: Duration = Duration::from_secs(1);
/// The longest such time.
pub const BACK_OFF_LIMIT: Duration = Duration::from_secs(60);

/// A message that the filter is to judge.
#[derive(Debug)]
pub(crate) struct Question {
    /// Whose question.
    pub(crate) ticket: Ticket,
    /// The return path.
    pub(crate) sender: Option<Address>,
    /// Its recipients.
    pub(crate) recipients: Vec<Address>,
    /// The fields that rules have added.
    pub(crate) fields: Vec<Field>,
    /// The content.
    pub(crate) body: Body,
    /// Of the work.
    pub(crate) token: Token,
}

/// The way to the filter. Its child ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Filter {
    questions: UnboundedSender<Question>,
}

impl Filter {
    /// Starts the filter, with a private directory of its own below `directory`.
    pub(crate) fn start(
        configuration: FilterConfiguration,
        directory: &Path,
        network: Arc<Network>,
    ) -> Self {
        // Bounded by the tickets of the machine.
        let (sender, questions) = unbounded_channel();
        // Bounded by the questions that the child may have at a time.
        let (files, written) = unbounded_channel();
        let keeper = Keeper {
            configuration,
            directory: directory.join("filter"),
            network,
            files,
            child: None,
            comments: Comments::new(Instant::now()),
            number: 0,
            waiting: VecDeque::new(),
            given: BTreeMap::new(),
            back_off: BACK_OFF,
            rests_until: None,
        };
        tokio::spawn(keeper.run(questions, written));
        Self { questions: sender }
    }

    /// Asks about a message; the answer comes to the host loop.
    pub(crate) fn ask(&self, question: Question) {
        // The keeper ends only after this.
        let _ = self.questions.send(question);
    }
}

/// The file of a question is there, or cannot be.
struct Written {
    number: u32,
    result: Result<(), SpoolError>,
}

/// A question that the child has, or will have when its file is there.
struct Given {
    question: Question,
    until: Option<Instant>,
}

struct Keeper {
    configuration: FilterConfiguration,
    directory: PathBuf,
    network: Arc<Network>,
    files: UnboundedSender<Written>,
    child: Option<Child>,
    comments: Comments,
    number: u32,
    waiting: VecDeque<(Question, Instant)>,
    given: BTreeMap<u32, Given>,
    back_off: Duration,
    /// No child is started before.
    rests_until: Option<Instant>,
}

impl Keeper {
    async fn run(
        mut self,
        mut questions: UnboundedReceiver<Question>,
        mut written: UnboundedReceiver<Written>,
    ) {
        if let Err(error) = file::clear(&self.directory) {
            let place = self.directory.display();
            tracing::error!(%place, %error, "the files of an earlier filter cannot be removed");
        }
        loop {
            self.look_at_clock();
            self.start_child();
            self.give();
            let patience = self.patience();
            tokio::select! {
                biased;
                question = questions.recv() => match question {
                    Some(question) => self.waiting.push_back((question, Instant::now())),
                    None => return self.end().await,
                },
                Some(Written { number, result }) = written.recv() => self.written(number, result),
                heard = hear(&mut self.child) => match heard {
                    Heard::Line(line) => self.heard(&line),
                    Heard::Ended(why) => self.fail(&why),
                },
                _ = within_real_time(patience, pending::<()>()) => {}
            }
        }
    }

    fn next_number(&mut self) -> u32 {
        self.number = self.number % 999_999_999 + 1;
        self.number
    }

    fn start_child(&mut self) {
        let rests = self.rests_until.is_some_and(|until| until > Instant::now());
        if self.child.is_some() || rests {
            return;
        }
        if let Err(error) = file::make(&self.directory) {
            return self.fail(&format!("has no directory: {error}"));
        }
        let handshake = (self.next_number(), Instant::now() + self.configuration.time_limit);
        match Child::start(&self.configuration.command, &self.directory, handshake) {
            Ok(child) => {
                tracing::info!(program = self.configuration.command[0], "the filter is started");
                self.comments.answered();
                self.child = Some(child);
            }
            Err(error) => self.fail(&format!("cannot be started: {error}")),
        }
    }

    /// Gives the child as many questions as it may have.
    fn give(&mut self) {
        while self.child.as_ref().is_some_and(|child| child.is_ready)
            && self.given.len() < self.configuration.at_once
        {
            let Some((question, _)) = self.waiting.pop_front() else { return };
            clause!(RU_045);
            let number = self.next_number();
            self.write_file(number, &question);
            self.given.insert(number, Given { question, until: None });
        }
    }

    fn write_file(&self, number: u32, question: &Question) {
        let (network, files) = (Arc::clone(&self.network), self.files.clone());
        let directory = self.directory.clone();
        let above =
            helper::envelope(question.sender.as_ref(), &question.recipients, network.clock.now());
        let fields = header::lines(&question.fields);
        let body = question.body;
        drop(tokio::task::spawn_blocking(move || {
            let result = file::write(&network, (&directory, number), &(above, fields), &body);
            let _ = files.send(Written { number, result });
        }));
    }

    fn path(&self, number: u32) -> PathBuf {
        self.directory.join(file::name_of(number))
    }

    fn written(&mut self, number: u32, result: Result<(), SpoolError>) {
        let Some(given) = self.given.get_mut(&number) else {
            // Its child has failed meanwhile.
            let _ = fs::remove_file(self.path(number));
            return;
        };
        match (result, &self.child) {
            (Ok(()), Some(child)) => {
                given.until = Some(Instant::now() + self.configuration.time_limit);
                child.say(helper::file(number, &file::name_of(number)));
            }
            (Ok(()), None) => unreachable!("a child takes its questions with it"),
            (Err(error), _) => {
                tracing::error!(%error, "a message cannot be shown to the filter");
                if let SpoolError::Damaged(damaged) = error {
                    let DamagedBody { body, damage } = damaged;
                    let token = given.question.token.also(Kind::Input);
                    let damage = Some(damage);
                    self.network.tell(ToHost::Checked { key: body.key, damage, token });
                }
                self.answer(number, failed());
                if !self.directory.is_dir() {
                    clause!(SV_077);
                    self.fail("has lost its directory");
                }
            }
        }
    }

    fn heard(&mut self, line: &str) {
        clause!(RU_043);
        let said = match Said::decode(line) {
            Ok(said) => said,
            Err(error) => return self.fail(&format!("said `{}`: {error}", line.escape_debug())),
        };
        match said {
            Said::Comment(comment) => self.comment(&comment),
            Said::Interface { number } => match &mut self.child {
                Some(child) if !child.is_ready && child.handshake.0 == number => {
                    child.is_ready = true;
                }
                _ => self.fail("answered a handshake that is not under way"),
            },
            Said::Judged { number, judgement } => {
                if self.given.get(&number).is_none_or(|given| given.until.is_none()) {
                    return self
                        .fail(&format!("answered question {number}, which it does not have"));
                }
                self.back_off = BACK_OFF;
                self.comments.answered();
                self.answer(number, answer_of(judgement));
            }
        }
    }

    fn comment(&mut self, comment: &str) {
        clause!(RU_046);
        match self.comments.count(Instant::now()) {
            Fate::Logged => tracing::info!(comment, "the filter says"),
            Fate::FirstLeftOut => {
                tracing::warn!("the filter says too much, the rest of this minute is left out");
            }
            Fate::LeftOut => {}
            Fate::TooMany => self.fail("said too many comments without an answer"),
        }
    }

    fn answer(&mut self, number: u32, answer: Answer) {
        let Some(Given { question, .. }) = self.given.remove(&number) else { return };
        clause!(SV_065);
        let _ = fs::remove_file(self.path(number));
        self.tell(question, answer);
    }

    fn tell(&self, question: Question, answer: Answer) {
        let token = question.token.into_kind(Kind::Input);
        self.network.tell(ToHost::Answered { ticket: question.ticket, answer, token });
    }

    /// The child is of no use any more: it is killed, its questions fail, and it rests for a while.
    fn fail(&mut self, why: &str) {
        clause!(SV_066);
        tracing::warn!(why, rests_s = self.back_off.as_secs(), "the filter has failed");
        self.child = None;
        let numbers: Vec<u32> = self.given.keys().copied().collect();
        for number in numbers {
            self.answer(number, failed());
        }
        self.rests_until = Some(Instant::now() + self.back_off);
        self.back_off = (self.back_off * 2).min(BACK_OFF_LIMIT);
    }

    /// Until when nothing has to be done that nobody tells.
    fn patience(&self) -> Duration {
        let handshake = self.child.as_ref().filter(|child| !child.is_ready);
        let handshake = handshake.map(|child| child.handshake.1);
        let answers = self.given.values().filter_map(|given| given.until).min();
        let start = self.rests_until.filter(|_| self.child.is_none());
        let limit = self.configuration.time_limit;
        let is_down = self.child.as_ref().is_none_or(|child| !child.is_ready);
        let oldest = self.waiting.front().filter(|_| is_down).map(|(_, since)| *since + limit);
        let next = [handshake, answers, start, oldest].into_iter().flatten().min();
        next.map_or(BACK_OFF_LIMIT, |at| at.saturating_duration_since(Instant::now()))
    }

    fn look_at_clock(&mut self) {
        let now = Instant::now();
        let is_late = |child: &Child| !child.is_ready && child.handshake.1 <= now;
        if self.child.as_ref().is_some_and(is_late) {
            self.fail("has not answered the handshake in time");
        }
        if self.given.values().any(|given| given.until.is_some_and(|until| until <= now)) {
            self.fail("has not answered in time");
        }
        let limit = self.configuration.time_limit;
        while self.child.as_ref().is_none_or(|child| !child.is_ready)
            && self.waiting.front().is_some_and(|(_, since)| *since + limit <= now)
        {
            let Some((question, _)) = self.waiting.pop_front() else { return };
            self.tell(question, failed());
        }
    }

    async fn end(mut self) {
        let number = self.next_number();
        if let Some(child) = self.child.take() {
            child.quit(number).await;
        }
        let _ = file::clear(&self.directory);
    }
}

/// What the child does next, where there is one.
async fn hear(child: &mut Option<Child>) -> Heard {
    match child {
        Some(child) => child.heard().await,
        None => pending().await,
    }
}

fn failed() -> Answer {
    Answer::Failed(Refusal::new(451, "4.3.0", "the filter gives no answer now"))
}

fn answer_of(judgement: Judgement) -> Answer {
    match judgement {
        Judgement::Pass(fields) => Answer::Filtered(Filtered::Pass { fields }),
        Judgement::Reject(text) => {
            Answer::Filtered(Filtered::Reject { text: words::spoken(&text) })
        }
        Judgement::Discard => Answer::Filtered(Filtered::Discard),
        Judgement::Failure => failed(),
        Judgement::NoHeader(error) => {
            clause!(RU_047);
            tracing::warn!(%error, "the filter adds what is no header");
            failed()
        }
    }
}
