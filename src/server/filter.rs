//! The external filter: a child process that is asked about each message, line by line.
//!
//! One task owns the child and the book of questions. It gives the child at most so many questions at a
//! time; the others wait in their order, and with them the sessions that brought them. A child that
//! dies, says nothing in time or says what nobody understands is killed, its questions are answered
//! with a temporary refusal, and another one is started after a while.

use alloc::collections::{BTreeMap, VecDeque};
use core::time::Duration;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Instant;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

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
use crate::wire::helper::{self, Judgement, LINE_LIMIT_OCTETS, Said};
use crate::wire::message::{Address, Body, Field, Refusal};

/// How long a child that failed is not started again; twice as long after each further failure.
pub const BACK_OFF: Duration = Duration::from_secs(1);
/// The longest such time.
pub const BACK_OFF_LIMIT: Duration = Duration::from_secs(60);
/// The directory of the files that the child is given, below that of the filter, which is its own.
pub const QUEUE: &str = "Queue";

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
        let (events, happened) = unbounded_channel();
        let keeper = Keeper {
            configuration,
            directory: directory.join("filter"),
            network,
            events,
            child: None,
            life: 0,
            number: 0,
            waiting: VecDeque::new(),
            given: BTreeMap::new(),
            back_off: BACK_OFF,
            rests_until: None,
        };
        tokio::spawn(keeper.run(questions, happened));
        Self { questions: sender }
    }

    /// Asks about a message; the answer comes to the host loop.
    pub(crate) fn ask(&self, question: Question) {
        // The keeper ends only after this.
        let _ = self.questions.send(question);
    }
}

/// Something that concerns the child of a life.
enum Happened {
    /// The file of a question is there, or cannot be.
    Written { number: u32, result: Result<(), SpoolError> },
    /// The child has said a line.
    Line { life: u64, line: String },
    /// The child says nothing more.
    Ended { life: u64, why: String },
}

/// A child that runs.
struct Running {
    process: tokio::process::Child,
    lines: UnboundedSender<String>,
    /// It has answered the handshake.
    is_ready: bool,
    /// The number of the handshake, and when it is overdue.
    handshake: (u32, Instant),
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
    events: UnboundedSender<Happened>,
    child: Option<Running>,
    /// Counts the children: what an earlier one says is void.
    life: u64,
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
        mut happened: UnboundedReceiver<Happened>,
    ) {
        if let Err(error) = self.clear_directory() {
            let place = self.directory.display();
            tracing::error!(%place, %error, "the filter has no directory");
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
                    None => return self.end(),
                },
                Some(event) = happened.recv() => self.take(event),
                _ = within_real_time(patience, core::future::pending::<()>()) => {}
            }
        }
    }

    /// What an earlier process left behind is of no use.
    fn clear_directory(&self) -> io::Result<()> {
        clause!(SV_065);
        let queue = self.directory.join(QUEUE);
        if queue.exists() {
            fs::remove_dir_all(&queue)?;
        }
        fs::create_dir_all(&queue)?;
        super::private::take_from_others(&self.directory)
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
        self.life += 1;
        let command = self.configuration.command.clone();
        let (program, arguments) = command.split_first().expect("SV-067: there is a program");
        let spawned = Command::new(program)
            .args(arguments)
            .current_dir(&self.directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut process = match spawned {
            Ok(process) => process,
            Err(error) => return self.fail(&format!("cannot be started: {error}")),
        };
        let (Some(stdin), Some(stdout)) = (process.stdin.take(), process.stdout.take()) else {
            return self.fail("has no pipes");
        };
        let (lines, to_write) = unbounded_channel();
        tokio::spawn(write_lines(stdin, to_write));
        tokio::spawn(read_lines(stdout, self.life, self.events.clone()));
        let number = self.next_number();
        let _ = lines.send(helper::interface(number));
        let until = Instant::now() + self.configuration.time_limit;
        tracing::info!(program, "the filter is started");
        self.child = Some(Running { process, lines, is_ready: false, handshake: (number, until) });
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
        let (network, events) = (Arc::clone(&self.network), self.events.clone());
        let path = self.path(number);
        let above =
            helper::envelope(question.sender.as_ref(), &question.recipients, network.clock.now());
        let fields = header::lines(&question.fields);
        let body = question.body;
        drop(tokio::task::spawn_blocking(move || {
            let result = write_file(&network, &path, &(above, fields), &body);
            let _ = events.send(Happened::Written { number, result });
        }));
    }

    fn path(&self, number: u32) -> PathBuf {
        self.directory.join(name_of(number))
    }

    fn take(&mut self, event: Happened) {
        match event {
            Happened::Written { number, result } => self.written(number, result),
            Happened::Line { life, line } if life == self.life => self.heard(&line),
            Happened::Ended { life, why } if life == self.life => self.fail(&why),
            Happened::Line { .. } | Happened::Ended { .. } => {}
        }
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
                let _ = child.lines.send(helper::file(number, &name_of(number)));
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
            Said::Comment(comment) => tracing::info!(comment, "the filter says"),
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
                self.answer(number, answer_of(judgement));
            }
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
        if let Some(mut child) = self.child.take() {
            let _ = child.process.start_kill();
            // Nobody is left who would wait for it.
            tokio::spawn(async move { child.process.wait().await });
        }
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
        let is_late = |child: &Running| !child.is_ready && child.handshake.1 <= now;
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

    fn end(mut self) {
        let number = self.next_number();
        if let Some(child) = &self.child {
            let _ = child.lines.send(helper::quit(number));
        }
        let _ = fs::remove_dir_all(self.directory.join(QUEUE));
    }
}

/// The file of a question, from the directory of the filter.
fn name_of(number: u32) -> String {
    format!("{QUEUE}/{number}.msg")
}

fn failed() -> Answer {
    Answer::Failed(Refusal::new(451, "4.3.0", "the filter gives no answer now"))
}

fn answer_of(judgement: Judgement) -> Answer {
    match judgement {
        Judgement::Pass(fields) => Answer::Filtered(Filtered::Pass { fields }),
        Judgement::Reject(text) => Answer::Filtered(Filtered::Reject { text }),
        Judgement::Discard => Answer::Filtered(Filtered::Discard),
        Judgement::Failure => failed(),
    }
}

/// Writes the envelope, the added fields and the message, its lines ended as this system ends them.
fn write_file(
    network: &Network,
    path: &Path,
    (above, fields): &(String, String),
    body: &Body,
) -> Result<(), SpoolError> {
    clause!(RU_044);
    let trouble = SpoolError::io(path, "write");
    let mut reader = network.spool.read(body)?;
    let written = (|| {
        let mut file = BufWriter::new(File::create(path)?);
        file.write_all(above.as_bytes())?;
        file.write_all(fields.replace("\r\n", "\n").as_bytes())?;
        let mut chunk = vec![0; 64 * 1024];
        loop {
            match reader.read(&mut chunk)? {
                0 => return file.flush(),
                // A body has no bare CR: each one ends a line together with its LF.
                octets => {
                    for part in chunk[..octets].split(|octet| *octet == b'\r') {
                        file.write_all(part)?;
                    }
                }
            }
        }
    })();
    written.map_err(|error| match DamagedBody::of(&error) {
        Some(damaged) => SpoolError::Damaged(damaged.clone()),
        None => trouble(error),
    })
}

async fn write_lines(mut stdin: ChildStdin, mut lines: UnboundedReceiver<String>) {
    while let Some(line) = lines.recv().await {
        // A child that reads nothing more is noticed by what it does not say.
        if stdin.write_all(line.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read_lines(stdout: ChildStdout, life: u64, events: UnboundedSender<Happened>) {
    let mut reader = BufReader::new(stdout);
    loop {
        let mut octets = Vec::new();
        let mut limited = (&mut reader).take(LINE_LIMIT_OCTETS as u64);
        let read = limited.read_until(b'\n', &mut octets).await;
        let event = match (read, octets.pop()) {
            (Ok(_), Some(b'\n')) => {
                let line = String::from_utf8_lossy(&octets).trim_end_matches('\r').into();
                Happened::Line { life, line }
            }
            (Ok(_), Some(_)) if octets.len() + 1 == LINE_LIMIT_OCTETS => {
                Happened::Ended { life, why: "said too long a line".into() }
            }
            (Ok(_), _) => Happened::Ended { life, why: "has ended".into() },
            (Err(error), _) => Happened::Ended { life, why: format!("cannot be heard: {error}") },
        };
        let is_over = matches!(event, Happened::Ended { .. });
        if events.send(event).is_err() || is_over {
            return;
        }
    }
}
