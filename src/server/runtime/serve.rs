//! `bridgehead serve MEMBER.toml`: one member as a daemon.

use core::net::SocketAddr;
use core::time::Duration;
use std::io::{self, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{fmt, registry};

use super::reload::Reloader;
use super::start::{Entropy, Exit, Member, Settings, bind, start_on};
use crate::protocol::member::Port;
use crate::server::clock::{RealClock, within_real_time};
use crate::server::configuration::{
    Configuration, complaint, complaint_of_organization, load, report,
};
use crate::server::net::{Listeners, Sockets, name_of};
use crate::server::privileges::drop_privileges;
use crate::server::{admin, health, private, seen};

/// How long the last octets may take to leave when all sessions have finished.
const LAST_OCTETS: Duration = Duration::from_secs(2);

/// The port for those who watch the member, and where it is.
type HealthPort = (TcpListener, SocketAddr);

/// How the log is written to stderr.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Logging {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// How long a daemon runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Until {
    /// Until a signal stops it.
    #[default]
    Signal,
    /// Until a signal stops it or its standard input ends.
    StdinEnds,
}

/// Starts the log. `BRIDGEHEAD_LOG` chooses what is logged: a level, or levels by module, such as
/// `warn,bridgehead::server=debug`; `info` by default. What is decided about submissions has the tag
/// `SUBMIT`, and so a level of its own: `info,SUBMIT=off`.
pub fn log_to_stderr(logging: Logging) {
    let wanted = std::env::var("BRIDGEHEAD_LOG").ok().and_then(|text| text.parse().ok());
    let filter = wanted.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    // A log that cannot be written is no reason to panic, which is how the layer would complain of it.
    let log = fmt::layer().with_writer(io::stderr).log_internal_errors(false);
    // A process that has a log already, as a test has, keeps it.
    let _ = match logging {
        Logging::Text => registry().with(log.with_ansi(false)).with(filter).try_init(),
        Logging::Json => registry().with(log.json()).with(filter).try_init(),
    };
}

/// Runs the member of `file` until it is stopped. Prints one line when it is ready.
///
/// The exit code is 0 after an orderly end, 1 when the store failed, 2 when it cannot start.
#[must_use]
pub fn serve(file: &Path, logging: Logging, until: Until) -> ExitCode {
    private::create_privately();
    let configuration = match load(file) {
        Ok(configuration) => configuration,
        Err(errors) => return refuse(&report(&errors)),
    };
    log_to_stderr(logging);
    raise_file_limit();
    let (sockets, health) = match bind_first(file, &configuration) {
        Ok(bound) => bound,
        Err(problem) => return refuse(&problem),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&format!("the runtime cannot start: {error}")),
    };
    runtime.block_on(run(file, Arc::new(configuration), sockets, health, until))
}

/// Binds the ports as whoever has started the process, and becomes whom the configuration names. No other
/// thread runs yet, and nothing was read from the network or from the spool.
fn bind_first(
    file: &Path,
    configuration: &Configuration,
) -> Result<(Sockets, Option<HealthPort>), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    let runtime = runtime.map_err(|error| format!("the runtime cannot start: {error}"))?;
    let sockets = runtime.block_on(async {
        let listeners = bind(configuration).await.map_err(|error| error.to_string())?;
        listeners.into_sockets().map_err(|error| error.to_string())
    })?;
    drop(runtime);
    let bind = |address| health::bind(address).map_err(|error| format!("{address}: {error}"));
    let health = configuration.listen.health.map(bind).transpose()?;
    drop_privileges(&configuration.process, &configuration.directory)
        .map_err(|error| complaint(file, error.place, &error.problem).to_string())?;
    Ok((sockets, health))
}

/// The usual limit is for programs that wait with `select`; the hard one is what this process may have.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files stays as it was");
    }
}

fn refuse(problem: &str) -> ExitCode {
    for line in problem.trim_end().lines() {
        complain!("bridgehead: {line}");
    }
    ExitCode::from(2)
}

async fn run(
    file: &Path,
    configuration: Arc<Configuration>,
    sockets: Sockets,
    health: Option<HealthPort>,
    until: Until,
) -> ExitCode {
    let settings = Settings {
        clock: Arc::new(RealClock::new(configuration.time_scale)),
        entropy: Entropy::System,
        keeps_closed: false,
    };
    let admin = configuration.listen.admin.clone();
    let listeners = match Listeners::from_sockets(sockets) {
        Ok(listeners) => listeners,
        Err(error) => return refuse(&format!("the listeners cannot be used: {error}")),
    };
    let (directory, organization) = (&configuration.directory, &configuration.member.organization);
    if let Err(problem) = seen::compare(directory, organization) {
        return refuse(&complaint_of_organization(file, "revision", &problem).to_string());
    }
    let mut member = match start_on(Arc::clone(&configuration), settings, listeners) {
        Ok(member) => member,
        Err(error) => return refuse(&error.to_string()),
    };
    seen::remember(directory, organization);
    let reloader = member.reloader(file.into(), configuration);
    let observer = member.observer().with_reloader(Arc::clone(&reloader));
    if let Some(path) = &admin
        && let Err(error) = admin::serve(path, observer.clone())
    {
        return refuse(&format!("{}: cannot listen: {error}", path.display()));
    }
    let health_address = health.as_ref().map(|(_, address)| *address);
    if let Some((listener, address)) = health
        && let Err(error) = health::serve(listener, observer)
    {
        return refuse(&format!("{address}: cannot listen: {error}"));
    }
    // Whoever reads that the member is ready may stop it at once, in order.
    let signals = match Signals::take() {
        Ok(signals) => signals,
        Err(error) => return refuse(&format!("signals cannot be taken: {error}")),
    };
    // Who reads no more, as a supervisor that only waits for the process, does not stop the member.
    if let Err(error) = say_ready(&member, health_address)
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        return refuse(&format!("standard output cannot be written: {error}"));
    }
    let exit = until_stopped(&mut member, &reloader, signals, until).await;
    let code = end(&member, exit).await;
    if let Some(path) = &admin {
        // The next start removes what is left here.
        let _ = std::fs::remove_file(path);
    }
    code
}

fn say_ready(member: &Member, health: Option<SocketAddr>) -> io::Result<()> {
    let address = |port| member.addresses()[&port];
    let mut stdout = io::stdout().lock();
    write!(
        stdout,
        "ready smtp={} deliver={} group={}",
        address(Port::Smtp),
        address(Port::Deliver),
        address(Port::Group)
    )?;
    for port in [Port::Submission, Port::Submissions] {
        if let Some(address) = member.addresses().get(&port) {
            write!(stdout, " {}={address}", name_of(port))?;
        }
    }
    if let Some(address) = health {
        write!(stdout, " health={address}")?;
    }
    writeln!(stdout)?;
    stdout.flush()
}

/// The signals that a member obeys.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// Read the files again.
    hangup: Signal,
}

impl Signals {
    fn take() -> io::Result<Self> {
        let (terminate, interrupt) = (SignalKind::terminate(), SignalKind::interrupt());
        let hangup = signal(SignalKind::hangup())?;
        Ok(Self { terminate: signal(terminate)?, interrupt: signal(interrupt)?, hangup })
    }
}

async fn until_stopped(
    member: &mut Member,
    reloader: &Arc<Reloader>,
    mut signals: Signals,
    until: Until,
) -> Exit {
    let mut input = match until {
        Until::Signal => None,
        Until::StdinEnds => Some(end_of_stdin()),
    };
    loop {
        tokio::select! {
            exit = member.ended() => return exit,
            _ = signals.terminate.recv() => member.shut_down(),
            _ = signals.interrupt.recv() => member.shut_down(),
            _ = signals.hangup.recv() => reload(reloader),
            () = ended(&mut input) => {
                tracing::info!("standard input has ended");
                member.shut_down();
            }
        }
    }
}

/// Has the files read again, behind what is going on; the log tells what came of it.
fn reload(reloader: &Arc<Reloader>) {
    let reloader = Arc::clone(reloader);
    tokio::spawn(async move {
        if let Err(problem) = reloader.reload().await {
            for line in problem.trim_end().lines() {
                tracing::error!("not reloaded: {line}");
            }
        }
    });
}

/// Completes when standard input ends. A thread of its own reads it, and nobody waits for that thread: a
/// runtime that read it could not end before it does.
fn end_of_stdin() -> oneshot::Receiver<()> {
    let (told, end) = oneshot::channel();
    std::thread::spawn(move || {
        // What cannot be read any more has ended, too.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        let _ = told.send(());
    });
    end
}

/// Completes once, when there is an end to wait for.
async fn ended(input: &mut Option<oneshot::Receiver<()>>) {
    match input {
        None => core::future::pending().await,
        Some(end) => {
            let _ = end.await;
            *input = None;
        }
    }
}

async fn end(member: &Member, exit: Exit) -> ExitCode {
    if let Exit::Failed(reason) = exit {
        tracing::error!(reason, "stopped by a failure");
        return ExitCode::from(1);
    }
    // Sessions that have closed may still have octets on their way.
    let _ = within_real_time(LAST_OCTETS, member.registry().all_closed()).await;
    if let Err(error) = member.close() {
        tracing::error!(%error, "the spool was not closed in order");
        return ExitCode::from(1);
    }
    tracing::info!("stopped");
    ExitCode::SUCCESS
}
