//! `bridgehead sim`: runs seeds or a tape, and shows what a failing run did.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::RangeInclusive;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::converge;
use super::links::LinkCounts;
use super::pictures::{Reading, draw};
use super::run::{Plan, Played, Verdict, Watch, record_seed, run_seed, run_tape};
use super::script;
use super::shrink::{shrink, size};
use crate::kernel::{CHOICE_FORMAT, Span, Tape};
use crate::protocol::faults::Faults;
use crate::protocol::organization::Organization;
use crate::server::configuration::load_organization;

/// The version of tape files.
pub const TAPE_FILE_FORMAT: u32 = 1;
/// The exit code for arguments and files that are wrong.
const EXIT_USAGE: u8 = 2;

/// Run an organization in the simulator
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Arguments {
    /// What else can be simulated
    #[command(subcommand)]
    pub other: Option<Other>,
    /// The organization (organization.toml)
    #[arg(required = true)]
    pub file: Option<PathBuf>,
    /// The seed to run
    #[arg(long, default_value_t = 1, conflicts_with_all = ["seeds", "tape"])]
    pub seed: u64,
    /// A range of seeds to run, both ends included: 1..200
    #[arg(long, value_name = "FIRST..LAST", value_parser = range, conflicts_with = "tape")]
    pub seeds: Option<RangeInclusive<u64>>,
    /// How many virtual hours the phase with faults lasts
    #[arg(long, value_name = "HOURS", default_value_t = 1.0)]
    pub virtual_hours: f64,
    /// Turn a planted bug on (may be repeated); needs a build with the feature planted-faults
    #[arg(long, value_name = "NAME")]
    pub fault: Vec<String>,
    /// Replay this tape instead of a seed
    #[arg(long, value_name = "FILE")]
    pub tape: Option<PathBuf>,
    /// Run this scenario instead of a seed (the files of tests/golden are such)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "seeds", "tape", "fault"])]
    pub scenario: Option<PathBuf>,
    /// Write the trace (NDJSON) of the run that is shown
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Draw the run that is shown: who told whom what, as HTML, or as SVG where FILE ends so
    #[arg(long, value_name = "FILE")]
    pub picture: Option<PathBuf>,
    /// Where the tape of a failing seed is written
    #[arg(long, value_name = "FILE", default_value = "failure.tape.json")]
    pub failure: PathBuf,
    /// Make the tape of a failing run simpler before it is written
    #[arg(long)]
    pub shrink: bool,
    /// Print one JSON line for each run instead of text
    #[arg(long)]
    pub json: bool,
}

/// What is simulated with link-state machines alone.
#[derive(Clone, Debug, Subcommand)]
pub enum Other {
    /// Measure how fast the members of large organizations agree, and what it costs
    #[command(after_help = converge::cli::EXAMPLES)]
    Converge(converge::cli::Arguments),
}

/// A tape with what else the run depends on.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct TapeFile {
    format: u32,
    virtual_microseconds: u64,
    faults: Vec<String>,
    tape: Tape,
}

fn range(text: &str) -> Result<RangeInclusive<u64>, String> {
    let bad = || format!("`{text}` is not FIRST..LAST");
    let (first, last) = text.split_once("..").ok_or_else(bad)?;
    let first = first.parse().map_err(|_| bad())?;
    let last = last.trim_start_matches('=').parse().map_err(|_| bad())?;
    if first <= last { Ok(first..=last) } else { Err(format!("`{text}` is an empty range")) }
}

/// Runs the command.
#[must_use]
pub fn run(arguments: &Arguments) -> ExitCode {
    match try_run(arguments) {
        Ok(code) => ExitCode::from(code),
        Err(problem) => {
            for line in problem.trim_end().lines() {
                complain!("bridgehead sim: {line}");
            }
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn try_run(arguments: &Arguments) -> Result<u8, String> {
    if let Some(Other::Converge(arguments)) = &arguments.other {
        return converge::cli::run(arguments, &faults(&arguments.fault)?);
    }
    let file = arguments.file.as_deref().ok_or("the organization is missing")?;
    let organization = read_organization(file)?;
    let span = hours(arguments.virtual_hours)?;
    let mut plan = Plan::new(Arc::new(organization), span);
    plan.faults = faults(&arguments.fault)?;
    expect_writable(arguments)?;
    if let Some(path) = &arguments.scenario {
        return run_scenario(arguments, path, &plan.organization);
    }
    if let Some(path) = &arguments.tape {
        let file = read_tape(path)?;
        plan.span = Span(file.virtual_microseconds);
        plan.faults = faults(&file.faults)?;
        let played = run_tape(&plan, file.tape, watch(arguments));
        show(arguments, &plan, None, &played);
        write_what_is_wanted(arguments, &played.trace)?;
        return Ok(played.verdict.exit_code());
    }
    let seeds = arguments.seeds.clone().unwrap_or(arguments.seed..=arguments.seed);
    run_seeds(arguments, &plan, seeds)
}

/// Runs a scenario; 1 says that it does not go as it is written.
fn run_scenario(
    arguments: &Arguments,
    path: &Path,
    organization: &Organization,
) -> Result<u8, String> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
    match script::trace(&text, organization.clone()) {
        Ok(trace) => {
            write_what_is_wanted(arguments, &trace)?;
            say!("{shown}: everything went as it is written");
            Ok(0)
        }
        Err(problem) => {
            complain!("bridgehead sim: {shown}: {problem}");
            Ok(1)
        }
    }
}

fn run_seeds(arguments: &Arguments, plan: &Plan, seeds: RangeInclusive<u64>) -> Result<u8, String> {
    let is_single = seeds.start() == seeds.end();
    let (mut steps, mut runs, mut lost, mut suspects, mut resumed) = (0, 0, 0, 0, 0);
    let mut links = LinkCounts::default();
    for seed in seeds.clone() {
        // A run that nobody watches is much faster; only a failure, or a single run, is run for show.
        let watched = if is_single { watch(arguments) } else { Watch::default() };
        let played = run_seed(plan, seed, watched);
        steps += played.step;
        runs += 1;
        lost += played.lost;
        suspects += played.suspects;
        resumed += played.resumed;
        links = links.and(played.links);
        progress(seed, *seeds.end(), steps);
        if played.verdict != Verdict::Held {
            return fail(arguments, plan, seed, &played);
        }
        if arguments.json || is_single {
            show(arguments, plan, Some(seed), &played);
            write_what_is_wanted(arguments, &played.trace)?;
        }
    }
    if !arguments.json && !is_single {
        let setbacks = format!("{lost} copies lost with a disk, {suspects} marked as suspect");
        let resumed = format!("{resumed} bodies resumed");
        say!("{}", shown(links));
        say!("{runs} seeds, {steps} steps, {setbacks}, {resumed}, every property held");
    }
    Ok(0)
}

/// Runs a failing seed again for show, and writes its tape.
fn fail(arguments: &Arguments, plan: &Plan, seed: u64, first: &Played) -> Result<u8, String> {
    let (mut played, mut tape) =
        record_seed(plan, seed, Watch { rows: true, trace: wants_trace(arguments) });
    assert_eq!(played.step, first.step, "a seed fails at the same step whoever watches");
    if arguments.shrink {
        let kind = String::from(played.verdict.kind());
        let (before, (after, runs)) = (size(&tape), shrink(plan, tape, &kind));
        let now = size(&after);
        complain!("shrunk {} choices to {}, {} not zero, in {runs} runs", before.0, now.0, now.1);
        let watch = Watch { rows: true, trace: wants_trace(arguments) };
        played = run_tape(plan, after.clone(), watch);
        tape = after;
    }
    show(arguments, plan, Some(seed), &played);
    write_what_is_wanted(arguments, &played.trace)?;
    let file = TapeFile {
        format: TAPE_FILE_FORMAT,
        virtual_microseconds: plan.span.0,
        faults: arguments.fault.clone(),
        tape,
    };
    let text = serde_json::to_string(&file).map_err(|error| format!("{error}"))?;
    write(&arguments.failure, &text)?;
    complain!("tape: {}", arguments.failure.display());
    Ok(played.verdict.exit_code())
}

fn watch(arguments: &Arguments) -> Watch {
    Watch { rows: !arguments.json, trace: wants_trace(arguments) }
}

fn show(arguments: &Arguments, plan: &Plan, seed: Option<u64>, played: &Played) {
    if arguments.json {
        say!("{}", json!({ "seed": seed, "run": played, "exit": played.verdict.exit_code() }));
        return;
    }
    if played.verdict != Verdict::Held {
        for row in &played.rows {
            say!("{row}");
        }
    }
    let name = seed.map_or_else(|| String::from("tape"), |seed| format!("seed {seed}"));
    let (minutes, steps) = (plan.span.0 / 60_000_000, played.step);
    let at = played.now.0 / 1_000_000;
    say!("{name}: {steps} steps to second {at} ({minutes} minutes of faults)");
    say!("{} messages promised, {} copies ended", played.messages, played.copies);
    say!("{} copies lost with a disk, {} marked as suspect", played.lost, played.suspects);
    say!("{} bodies gone on with where they broke off", played.resumed);
    say!("{}", shown(played.links));
    say!("{}", played.verdict);
}

fn shown(links: LinkCounts) -> String {
    let LinkCounts { crossings, recrossings, waits, failed, healed, revisions, elected } = links;
    let crossed = format!("{crossings} connectors crossed, {recrossings} of them again");
    let judged = format!("{failed} found broken, {healed} mended, {revisions} revisions");
    let elected = if elected == 0 { String::new() } else { format!(", {elected} masters elected") };
    format!("{crossed}, {waits} waits for a table; {judged}{elected}")
}

fn progress(seed: u64, last: u64, steps: u64) {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        let end = if seed == last { "\n" } else { "" };
        // Who cannot see how far it is misses nothing else.
        let _ = write!(stderr, "\rseed {seed} of {last}, {steps} steps {end}");
        let _ = stderr.flush();
    }
}

const fn wants_trace(arguments: &Arguments) -> bool {
    arguments.trace.is_some() || arguments.picture.is_some()
}

fn write_what_is_wanted(arguments: &Arguments, trace: &str) -> Result<(), String> {
    if let Some(path) = &arguments.trace {
        write(path, trace)?;
    }
    let Some(path) = &arguments.picture else { return Ok(()) };
    let mut reading = Reading::default();
    trace.lines().try_for_each(|line| reading.line(line))?;
    let title = match &arguments.scenario {
        Some(scenario) => format!("{}", scenario.display()),
        None => {
            let file = arguments.file.iter().map(|file| file.display());
            format!("a run of {}", file.map(|file| file.to_string()).collect::<String>())
        }
    };
    write(path, &draw(&reading.story(), &title, path))
}

/// What a long run will write can be written: that is not to be found out behind it.
fn expect_writable(arguments: &Arguments) -> Result<(), String> {
    for path in [Some(&arguments.failure), arguments.trace.as_ref(), arguments.picture.as_ref()]
        .into_iter()
        .flatten()
    {
        let problem = |error: io::Error| format!("{}: {error}", path.display());
        let is_new = !path.exists();
        fs::OpenOptions::new().append(true).create(true).open(path).map_err(problem)?;
        if is_new {
            fs::remove_file(path).map_err(problem)?;
        }
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn faults(names: &[String]) -> Result<Faults, String> {
    Faults::named(names.iter().map(String::as_str)).map_err(|name| {
        if cfg!(feature = "planted-faults") {
            format!("--fault: there is no planted bug `{name}`")
        } else {
            format!("--fault: this build has no faults (feature `planted-faults`): `{name}`")
        }
    })
}

fn hours(hours: f64) -> Result<Span, String> {
    const HOURS_LIMIT: f64 = 24.0 * 365.0;
    if !(hours > 0.0 && hours <= HOURS_LIMIT) {
        return Err(format!("--virtual-hours is {hours}, expected more than 0 and at most a year"));
    }
    let minutes = hours * 60.0;
    let whole = (1..=525_600).take_while(|minute| f64::from(*minute) <= minutes).last();
    Ok(Span::minutes(u64::from(whole.unwrap_or(1_u32))))
}

fn read_organization(path: &Path) -> Result<Organization, String> {
    load_organization(path)
        .map_err(|wrong| {
            let lines: Vec<String> = wrong.iter().map(|error| format!("{error}")).collect();
            lines.join("\n")
        })
        .and_then(|organization| match organization.groups.iter().flat_map(|g| &g.stores).next() {
            Some(store) => {
                let why = "the simulator plays members and an outside server, and no mail store";
                Err(format!("{}: `{}`: {why}", path.display(), store.name))
            }
            None => Ok(organization),
        })
}

fn read_tape(path: &Path) -> Result<TapeFile, String> {
    let shown = path.display();
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(format!("{shown}: it is no regular file, expected a choice tape"));
    }
    let text = fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
    let file: TapeFile =
        serde_json::from_str(&text).map_err(|error| format!("{shown}: {error}"))?;
    if file.format != TAPE_FILE_FORMAT || file.tape.format != CHOICE_FORMAT {
        let (file, tape) = (file.format, file.tape.format);
        return Err(format!(
            "{shown}: tape format {file}.{tape}, expected {TAPE_FILE_FORMAT}.{CHOICE_FORMAT}"
        ));
    }
    Ok(file)
}
