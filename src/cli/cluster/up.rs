//! `cluster up`.

use alloc::sync::Arc;
use core::time::Duration;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Mutex;

use super::children::Member;
use super::control::{self, Running};
use super::relay::Relay;
use super::{CONTROL_SOCKET, Plan};
use crate::cli::table::count;
use crate::cli::{EXIT_FAILED, failed, refused};
use crate::protocol::organization::Organization;
use crate::server::clock::SCALE_LIMIT;
use crate::server::configuration::{is_time_scale, load_organization, report};
use crate::server::private::create_privately;

/// How often it is looked whether all members still run.
const WATCH_INTERVAL: Duration = Duration::from_millis(250);

/// What to start, and how.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The organization (organization.toml)
    file: PathBuf,
    /// Where everything of the cluster is kept
    #[arg(long, value_name = "DIR", default_value = super::DIRECTORY)]
    dir: PathBuf,
    /// How many seconds the members live through in one real second
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    time_scale: f64,
    /// The first port; 0 takes whatever ports are free
    #[arg(long, value_name = "PORT", default_value_t = 2500)]
    base_port: u16,
    /// Where etcd is, for the groups in which it decides who is the master; may stand several times
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:2379")]
    etcd: Vec<String>,
}

/// Locked while a cluster is started or runs in the directory.
const LOCK: &str = "cluster.lock";

/// Starts all members, and stops them when a signal comes.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let organization = match load_organization(&arguments.file) {
        Ok(organization) => organization,
        Err(errors) => return refused(&report(&errors)),
    };
    if !is_time_scale(arguments.time_scale) {
        return refused(&format!(
            "--time-scale: expected a number above 0 and at most {SCALE_LIMIT}"
        ));
    }
    let (plan, _lock) = match prepare(arguments, &organization) {
        Ok(prepared) => prepared,
        Err(problem) => return refused(&problem),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("the runtime cannot start: {error}")),
    };
    if arguments.time_scale.to_bits() != 1.0_f64.to_bits() {
        let scale = arguments.time_scale;
        let way = if scale > 1.0 { "ahead of" } else { "behind" };
        say!("Time runs {scale} times as fast: the dates in mails run {way} the real ones.");
    }
    match runtime.block_on(live(&plan, &organization, &arguments.dir)) {
        Ok(code) => code,
        Err(problem) => failed(problem.trim_end()),
    }
}

/// The plan, written out, and the lock that keeps another cluster from being written over it.
fn prepare(arguments: &Arguments, organization: &Organization) -> Result<(Plan, File), String> {
    create_privately();
    let base = Some(arguments.base_port).filter(|base| *base != 0);
    let mut plan = Plan::make(organization, base)?;
    plan.etcd.clone_from(&arguments.etcd);
    let directory = &arguments.dir;
    fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let lock = lock(directory)?;
    plan.expect_time_scale(directory, arguments.time_scale)?;
    plan.write(directory, &arguments.file, arguments.time_scale)?;
    Ok((plan, lock))
}

/// Taken before anything is written, and held until the process ends, however it ends.
fn lock(directory: &Path) -> Result<File, String> {
    let path = directory.join(LOCK);
    let opened = File::options().create(true).truncate(false).write(true).open(&path);
    let file = opened.map_err(|error| format!("{}: {error}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(format!("{}: a cluster runs here already", directory.display()))
        }
        Err(TryLockError::Error(error)) => Err(format!("{}: {error}", path.display())),
    }
}

async fn live(
    plan: &Plan,
    organization: &Organization,
    directory: &Path,
) -> Result<ExitCode, String> {
    let signals = |error: io::Error| format!("signals cannot be taken: {error}");
    let mut interrupt = signal(SignalKind::interrupt()).map_err(signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(signals)?;
    say!(
        "{}: {}, {}, in {}",
        plan.organization,
        count(plan.members.len(), "member"),
        count(plan.relays.len(), "link"),
        directory.display()
    );
    let mut relays = Vec::new();
    for relay in &plan.relays {
        let listen = relay.listen;
        relays
            .push(Relay::start(relay.clone()).await.map_err(|error| format!("{listen}: {error}"))?);
    }
    let mut members = Vec::new();
    let started = tokio::select! {
        started = start_all(plan, directory, &mut members) => started,
        _ = interrupt.recv() => Err("interrupted".into()),
        _ = terminate.recv() => Err("interrupted".into()),
    };
    if let Err(problem) = started {
        stop_all(&mut members).await;
        return Err(problem);
    }
    let running = Arc::new(Running { members: Mutex::new(members), relays });
    let socket = directory.join(CONTROL_SOCKET);
    if let Err(error) = control::serve(&socket, Arc::clone(&running)) {
        stop_all(&mut running.members.lock().await).await;
        return Err(format!("{}: {error}", socket.display()));
    }
    say!("{}", instructions(plan, organization, directory));
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = watch(&running) => {}
    }
    let is_orderly = stop_all(&mut running.members.lock().await).await;
    // The socket of a cluster that has stopped misleads nobody if it stays, but it is not needed.
    let _ = fs::remove_file(&socket);
    Ok(if is_orderly { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
}

/// One after the other, so that the first problem is the one that is told.
async fn start_all(plan: &Plan, directory: &Path, into: &mut Vec<Member>) -> Result<(), String> {
    let count = plan.members.len();
    let width = plan.members.iter().map(|member| member.name.as_str().len()).max().unwrap_or(0);
    for (place, planned) in plan.members.iter().enumerate() {
        let member = Member::start(planned, directory).await?;
        let process = member.id().unwrap_or_default();
        into.push(member);
        say!(
            "[{:>2}/{count}] {:<width$}  ready  smtp {}{}  process {process}",
            place + 1,
            planned.name.as_str(),
            planned.smtp,
            planned.submission.map_or_else(String::new, |at| format!("  submission {at}")),
        );
    }
    Ok(())
}

/// Says when a member has ended by itself. The others go on: that is what a cluster is for. Returns when
/// none is left.
async fn watch(running: &Running) {
    let mut told = Vec::new();
    loop {
        tokio::time::sleep(WATCH_INTERVAL).await;
        let mut members = running.members.lock().await;
        for member in members.iter_mut() {
            if let Some(end) = member.ended()
                && !told.contains(&member.name)
            {
                say!("{} has ended: {end}", member.name);
                told.push(member.name.clone());
            }
        }
        if told.len() == members.len() {
            return;
        }
    }
}

/// In the reverse order of the start. Whether every member ended in order.
async fn stop_all(members: &mut [Member]) -> bool {
    let mut is_orderly = true;
    for member in members.iter_mut().rev() {
        let is_good = member.stop().await;
        say!("{}: {}", member.name, if is_good { "stopped" } else { "did not stop in order" });
        is_orderly &= is_good;
    }
    is_orderly
}

/// How to send a mail, where it arrives, and how to break a link.
fn instructions(plan: &Plan, organization: &Organization, directory: &Path) -> String {
    let option = if directory == Path::new(super::DIRECTORY) {
        String::new()
    } else {
        format!(" --dir {}", directory.display())
    };
    let (Some(first), Some(last)) = (organization.accounts.first(), organization.accounts.last())
    else {
        return "The organization has no accounts; Ctrl-C stops the cluster.".into();
    };
    let (from, to) = (&first.address, &last.address);
    let smtp = plan.members[0].smtp;
    let (host, port) = (smtp.ip(), smtp.port());
    let host_of = plan.members.iter().find(|member| Some(&member.name) == last.host.as_ref());
    let state = match (host_of, &last.group) {
        (Some(member), _) => member.state(directory),
        (None, Some(group)) => Plan::shared(directory, group),
        (None, None) => unreachable!("a checked account has a host or a group"),
    };
    let maildir = crate::server::maildir::Maildirs::new(&state).directory(to);
    let link = plan.relays.first().map_or_else(String::new, |relay| {
        format!(
            "Break a link:     bridgehead cluster link cut {} {}{option}\n",
            relay.from, relay.to
        )
    });
    format!(
        "\nSend a mail:      swaks --server {smtp} --from {from} --to {to}\n\
         or:               python3 -c 'import smtplib; smtplib.SMTP(\"{host}\", {port}).sendmail(\n\
         \x20                 \"{from}\", \"{to}\", \"Subject: hello\\r\\n\\r\\nhello\\r\\n\")'\n\
         It arrives in:    {}\n\
         Look around:      bridgehead cluster status{option}\n\
         \x20                 bridgehead linkstate show{option}\n\
         \x20                 bridgehead queue list{option}\n\
         {link}Ctrl-C stops the cluster.",
        maildir.join("new").display()
    )
}
