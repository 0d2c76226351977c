//! The commands.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, Ordering};
use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use serde_json::{Value, json};

use crate::case::{Case, Needs};
use crate::clock::Patience;
use crate::doctor::{self, Probe};
use crate::event::{Event, FORMAT};
use crate::log::Recorder;
use crate::runner::{Outcome, Plan, Results};
use crate::security::Security;
use crate::select::{SelectError, select};
use crate::stage::{Parameters, UnderTest};
use crate::verdict::{Exit, Level, Verdict};
use crate::{cases, report, runner, verify};

/// The name where no other is known.
const OWN_NAME: &str = "bridgehead-conformance";

/// Writes a line for whoever reads along. When nobody does any more, because the pipe is closed, the
/// command goes on in silence: its exit and its report do not depend on readers.
macro_rules! say {
    ($($part:tt)*) => {{
        let _ = writeln!(std::io::stdout(), $($part)*);
    }};
}

#[derive(Debug, Parser)]
#[command(name = OWN_NAME, version, about, arg_required_else_help = false)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run cases and vectors; this is what happens without arguments
    Run(Run),
    /// List the cases
    List(List),
    /// Explain a case, or the cases of a clause
    Explain {
        /// Id of a case, a clause such as LS-017, or RFC5321:4.1.4
        id: String,
    },
    /// Derive every verdict of a report again from its transcript
    Verify {
        /// The directory of the report
        directory: PathBuf,
    },
    /// Ask whether the adapter or the target can be tested, and whether the adapter is honest
    Doctor(Under),
}

#[derive(Debug, Args)]
struct Under {
    /// Test this server, started by somebody else; only cases that need no adapter
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "adapter")]
    target: Option<String>,
    /// How members prove their names to each other, in all cases that do not say it themselves
    #[arg(long, value_enum, default_value_t = Security::Address, conflicts_with = "target")]
    security: Security,
    /// All waits times this
    #[arg(long, value_name = "F", default_value_t = 1.0)]
    timeout_factor: f64,
    /// The adapter and its arguments
    #[arg(last = true, value_name = "ADAPTER")]
    adapter: Vec<OsString>,
}

#[derive(Debug, Args)]
struct Run {
    #[command(flatten)]
    under: Under,
    /// Only cases that a glob matches (`*` one part, `**` any number); may be repeated
    #[arg(long, value_name = "GLOB")]
    only: Vec<String>,
    /// No case that a glob matches; may be repeated
    #[arg(long, value_name = "GLOB")]
    skip: Vec<String>,
    /// Only cases of these profiles; may be repeated
    #[arg(long, value_name = "PROFILE")]
    profile: Vec<String>,
    /// Up to this level
    #[arg(long, value_enum, default_value_t = Level::Should)]
    level: Level,
    /// A failed SHOULD is non-conformance, too
    #[arg(long)]
    strict: bool,
    /// Stop at the first failure
    #[arg(long)]
    fail_fast: bool,
    /// Shuffles the order of the cases; 0 keeps it
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// An address that the target accepts mail for
    #[arg(long, value_name = "ADDRESS", default_value = "postmaster")]
    recipient: String,
    /// An address in a domain of the target that does not exist there
    #[arg(long, value_name = "ADDRESS")]
    unknown: Option<String>,
    /// A sender that the target accepts
    #[arg(long, value_name = "ADDRESS", default_value = "suite@client.example.net")]
    sender: String,
    /// Where the report goes
    #[arg(short, long, value_name = "DIR", default_value = "conformance-report")]
    output: PathBuf,
}

#[derive(Debug, Args)]
struct List {
    /// Only cases that a glob matches; may be repeated
    #[arg(long, value_name = "GLOB")]
    only: Vec<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Runs a command line.
pub(crate) fn main(mut args: Vec<OsString>, default_adapter: Option<Vec<OsString>>) -> ExitCode {
    let words = args.clone();
    if args.is_empty() {
        args.push("run".into());
    }
    let name = called_as(&words);
    let line = core::iter::once(OsString::from(name)).chain(args);
    let exit = match parse(name, line) {
        Ok(cli) => dispatch(cli.command, default_adapter.unwrap_or_default()),
        Err(error) => {
            let _ = error.print();
            if error.use_stderr() { Exit::Usage } else { Exit::Conformant }
        }
    };
    ExitCode::from(exit.code())
}

fn parse(name: &str, line: impl Iterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let mut command = Cli::command().bin_name(name).display_name(name);
    let matches = command.try_get_matches_from_mut(line)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// How the program was called; it may be a command of another program.
static NAME: OnceLock<String> = OnceLock::new();

/// Notes the name: the words of the process that stand before those that were given to the suite.
fn called_as(args: &[OsString]) -> &'static str {
    NAME.get_or_init(|| name_before(&std::env::args_os().collect::<Vec<_>>(), args))
}

fn name_before(process: &[OsString], args: &[OsString]) -> String {
    let before = process.strip_suffix(args).unwrap_or_default();
    let Some((program, commands)) = before.split_first() else { return OWN_NAME.to_owned() };
    let program = Path::new(program).file_name().unwrap_or(program);
    let commands = commands.iter().map(|word| word.to_string_lossy());
    let words = core::iter::once(program.to_string_lossy()).chain(commands);
    words.filter(|word| !word.starts_with('-')).collect::<Vec<_>>().join(" ")
}

fn dispatch(command: Command, default_adapter: Vec<OsString>) -> Exit {
    let all = match cases::all() {
        Ok(all) => all,
        Err(problem) => return fail(Exit::SuiteBug, &problem),
    };
    match command {
        Command::Run(run) => run_command(&run, default_adapter, &all),
        Command::List(list) => list_command(&list, &all),
        Command::Explain { id } => explain_command(&id, &all),
        Command::Verify { directory } => verify_command(&directory, &all),
        Command::Doctor(under) => doctor_command(&under, default_adapter),
    }
}

fn fail(exit: Exit, problem: &str) -> Exit {
    let name = NAME.get().map_or(OWN_NAME, String::as_str);
    let _ = writeln!(std::io::stderr(), "{name}: {problem}");
    exit
}

/// What the arguments put under test.
fn under_test(under: &Under, default_adapter: Vec<OsString>) -> Result<UnderTest, String> {
    if !(under.timeout_factor > 0.0 && under.timeout_factor <= 1_000.0) {
        return Err(format!(
            "--timeout-factor {}: expected more than 0, at most 1000",
            under.timeout_factor
        ));
    }
    if let Some(target) = &under.target {
        return resolve(target).map(UnderTest::Target);
    }
    let adapter = if under.adapter.is_empty() { default_adapter } else { under.adapter.clone() };
    if adapter.is_empty() {
        return Err("nothing to test: give --target HOST:PORT, or -- ADAPTER [ARGS]".into());
    }
    Ok(UnderTest::Adapter(adapter))
}

fn resolve(target: &str) -> Result<SocketAddr, String> {
    use std::net::ToSocketAddrs as _;
    let port = target.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>()));
    if !matches!(port, Some((host, Ok(_))) if !host.is_empty()) {
        return Err(format!(
            "--target {target}: expected HOST:PORT, such as localhost:25, 192.0.2.1:25 or [::1]:25"
        ));
    }
    let mut addresses = target
        .to_socket_addrs()
        .map_err(|error| format!("--target {target}: the host is not found: {error}"))?;
    addresses.next().ok_or_else(|| format!("--target {target}: has no address"))
}

fn run_command(run: &Run, default_adapter: Vec<OsString>, all: &[Case]) -> Exit {
    // The report is open before anything else is looked at, so that whatever happens is in it.
    let recorder = match report::open(&run.output) {
        Ok(recorder) => recorder,
        Err(error) => return fail(Exit::Usage, &format!("{}: {error}", run.output.display())),
    };
    let under_test = match under_test(&run.under, default_adapter) {
        Ok(under_test) => under_test,
        Err(problem) => return nothing_run(run, &recorder, "nothing", Exit::Usage, &problem),
    };
    let (chosen, out_of_reach) = match choose(run, &under_test, all) {
        Ok(chosen) => chosen,
        Err((exit, problem)) => {
            return nothing_run(run, &recorder, &runner::show(&under_test), exit, &problem);
        }
    };
    let nodes = run.output.join("nodes");
    let (hello, probes) = examine(&under_test, &run.under, &nodes.join("doctor"));
    let sick = first_problem(&probes);
    let plan = Plan {
        cases: chosen,
        parameters: parameters(run, &under_test),
        security: matches!(under_test, UnderTest::Adapter(_)).then_some(run.under.security),
        under_test,
        hello,
        timeout_factor: run.under.timeout_factor,
        strict: run.strict,
        seed: run.seed,
        fail_fast: run.fail_fast,
        interrupted: on_interrupt(),
        directory: nodes,
        sick,
    };
    execute(run, &plan, &recorder, out_of_reach)
}

/// Ends a run that chose nothing with a report that says why.
fn nothing_run(
    run: &Run,
    recorder: &Recorder,
    under_test: &str,
    exit: Exit,
    problem: &str,
) -> Exit {
    let start = Event::RunStart {
        format: FORMAT,
        suite: runner::SUITE.to_owned(),
        under_test: under_test.to_owned(),
        hello: Value::Null,
        seed: run.seed,
        timeout_factor: run.under.timeout_factor.to_string(),
        strict: run.strict,
        security: None,
        cases: Vec::new(),
    };
    if let Err(unwritten) = report::nothing_run(&run.output, recorder, start, exit, problem) {
        fail(exit, &unwritten);
    }
    fail(exit, problem)
}

/// In its own organization the suite knows who exists; of a bare target it only knows what it is told.
fn parameters(run: &Run, under_test: &UnderTest) -> Parameters {
    if matches!(under_test, UnderTest::Adapter(_)) {
        return Parameters {
            recipient: "amy@example.test".into(),
            unknown: Some("nobody@example.test".into()),
            sender: "ann@example.test".into(),
        };
    }
    Parameters {
        recipient: run.recipient.clone(),
        unknown: run.unknown.clone(),
        sender: run.sender.clone(),
    }
}

fn on_interrupt() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    // Without the flag an interrupt ends the process at once; the report is valid up to there, too.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&flag));
    flag
}

fn execute(run: &Run, plan: &Plan<'_>, recorder: &Recorder, out_of_reach: usize) -> Exit {
    let total = plan.cases.len();
    say!("{} against {}", count(total), runner::show(&plan.under_test));
    if plan.seed != 0 {
        say!("order shuffled with --seed {}", plan.seed);
    }
    let results = runner::run(plan, recorder, |place, outcome| progress(place, total, outcome));
    if let Err(problem) = report::write(&run.output, plan, &results, out_of_reach) {
        return fail(Exit::SuiteBug, &problem);
    }
    say!("\n{}", report::table(&results.outcomes));
    explain_failures(plan, &results);
    if out_of_reach > 0 {
        say!("{} out of reach without an adapter", count(out_of_reach));
    }
    if !results.pending.is_empty() {
        say!("{} not begun, the first is {}", count(results.pending.len()), results.pending[0]);
    }
    say!("report: {}", run.output.display());
    if let Some(problem) = recorder.broken() {
        return fail(Exit::SuiteBug, &format!("events.jsonl could not be written: {problem}"));
    }
    if let Some(problem) = &results.unusable {
        return fail(results.exit, problem);
    }
    if plan.interrupted.load(Ordering::SeqCst) {
        return fail(results.exit, "interrupted; the report is valid as far as it goes");
    }
    results.exit
}

fn count(number: usize) -> String {
    if number == 1 { "1 case".into() } else { format!("{number} cases") }
}

/// A line for whatever did not pass, and now and then one for the rest.
fn progress(place: usize, total: usize, outcome: &Outcome<'_>) {
    let verdict = outcome.judgement.verdict;
    let slow = outcome.took_us > 500_000;
    let mut out = std::io::stdout();
    if verdict != Verdict::Pass || slow || !outcome.case.is_vector || place.is_multiple_of(50) {
        let seconds = outcome.took_us as f64 / 1e6;
        let name = verdict.name();
        let _ = writeln!(
            out,
            "[{:>4}/{total}] {name:<14} {:>6.2} s  {}",
            place + 1,
            seconds,
            outcome.case.id
        );
        let _ = out.flush();
    }
}

fn explain_failures(plan: &Plan<'_>, results: &Results<'_>) {
    let bad =
        |o: &&Outcome<'_>| !matches!(o.judgement.verdict, Verdict::Pass | Verdict::NotApplicable);
    for outcome in results.outcomes.iter().filter(bad) {
        let judgement = &outcome.judgement;
        let (case, level) = (outcome.case, outcome.case.level.name());
        say!("{} {} ({level}): {}", judgement.verdict.name(), case.id, judgement.reason);
        say!("    {}; verifies {}", case.title, case.verifies.join(" "));
        say!("    again: run --seed {} --only {}", plan.seed, case.id);
    }
}

/// The chosen cases and how many more an adapter would reach.
fn choose<'a>(
    run: &Run,
    under_test: &UnderTest,
    all: &'a [Case],
) -> Result<(Vec<&'a Case>, usize), (Exit, String)> {
    let ids: Vec<&str> = all.iter().map(|case| case.id.as_str()).collect();
    let places = select(&ids, &run.only, &run.skip).map_err(|error| match error {
        SelectError::Bad(problem) => (Exit::Usage, format!("bad pattern {problem}")),
        SelectError::Unmatched(pattern) => {
            (Exit::NothingSelected, format!("pattern `{pattern}` matches no case"))
        }
    })?;
    for profile in &run.profile {
        if !all.iter().any(|case| case.profile == profile) {
            return Err((Exit::NothingSelected, format!("no case has profile `{profile}`")));
        }
    }
    let wanted = |case: &&Case| {
        case.level <= run.level
            && (run.profile.is_empty() || run.profile.iter().any(|p| p == case.profile))
    };
    let chosen: Vec<&Case> = places.iter().map(|place| &all[*place]).filter(wanted).collect();
    let reach = |case: &&Case| {
        matches!(under_test, UnderTest::Adapter(_))
            || (case.needs == Needs::Nothing
                && case.profile == runner::TARGET_PROFILE
                && (run.unknown.is_some() || !case.uses_unknown_recipient()))
    };
    let before = chosen.len();
    let mut chosen: Vec<&Case> = chosen.into_iter().filter(reach).collect();
    let out_of_reach = before - chosen.len();
    if chosen.is_empty() {
        let problem = format!("nothing selected ({out_of_reach} out of reach without an adapter)");
        return Err((Exit::NothingSelected, problem));
    }
    shuffle(&mut chosen, run.seed);
    Ok((chosen, out_of_reach))
}

/// Fisher–Yates by splitmix64; 0 keeps the order.
fn shuffle<T>(list: &mut [T], seed: u64) {
    let mut state = seed;
    for place in (1..list.len()).rev().take_while(|_| seed != 0) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        list.swap(place, ((mixed ^ (mixed >> 31)) % (place as u64 + 1)) as usize);
    }
}

fn list_command(list: &List, all: &[Case]) -> Exit {
    let ids: Vec<&str> = all.iter().map(|case| case.id.as_str()).collect();
    let places = match select(&ids, &list.only, &[]) {
        Ok(places) => places,
        Err(SelectError::Bad(problem)) => return fail(Exit::Usage, &problem),
        Err(SelectError::Unmatched(pattern)) => {
            return fail(Exit::NothingSelected, &format!("pattern `{pattern}` matches no case"));
        }
    };
    let chosen = places.iter().map(|place| &all[*place]);
    if list.json {
        let rows: Vec<Value> = chosen.map(row).collect();
        say!("{}", Value::Array(rows));
        return Exit::Conformant;
    }
    for case in chosen {
        let (level, needs) = (case.level.name(), case.needs.name());
        say!("{:<40} {level:<7} {:<18} {needs:<8} {}", case.id, case.profile, case.title);
    }
    say!("{} of {}", count(places.len()), all.len());
    Exit::Conformant
}

fn row(case: &Case) -> Value {
    json!({
        "id": case.id, "title": case.title, "level": case.level.name(), "profile": case.profile,
        "needs": case.needs.name(), "verifies": case.verifies, "checks": case.checks,
        "twin": case.twin, "kills": case.kills, "vector": case.is_vector,
    })
}

fn explain_command(id: &str, all: &[Case]) -> Exit {
    if let Some(case) = all.iter().find(|case| case.id == id) {
        explain_case(case);
        return Exit::Conformant;
    }
    let clause = crate::cases::clause(id);
    let citing: Vec<&Case> =
        all.iter().filter(|case| case.verifies.iter().any(|clause| clause == id)).collect();
    if citing.is_empty() && clause.is_none() {
        let problem = format!("`{id}` is neither a case nor a clause that one verifies");
        return fail(Exit::NothingSelected, &problem);
    }
    say!("{id}{}", clause.map(|text| format!(": {text}")).unwrap_or_default());
    for case in &citing {
        say!("    {}  {}", case.id, case.title);
    }
    say!("verified by {}", count(citing.len()));
    Exit::Conformant
}

fn explain_case(case: &Case) {
    say!("{}\n    {}", case.id, case.title);
    say!("    level {}, profile {}, needs {}", case.level.name(), case.profile, case.needs.name());
    for id in &case.verifies {
        let text = crate::cases::clause(id).map(|text| format!(": {text}")).unwrap_or_default();
        say!("    verifies {id}{text}");
    }
    for check in &case.checks {
        say!("    checks {check}");
    }
    if let Some(twin) = &case.twin {
        say!("    positive twin {twin}");
    }
    for (mutant, check) in &case.kills {
        say!("    kills mutant {mutant} by {check}");
    }
    if let crate::case::Body::Script(script) = &case.body {
        for script in core::iter::once(script).chain(script.then.as_deref()) {
            let place = script.place;
            say!("    on the {} port, as {:?}:", place.port.name(), place.seat);
            for step in &script.steps {
                say!("        {}", crate::script::show(step));
            }
        }
    }
}

fn verify_command(directory: &Path, all: &[Case]) -> Exit {
    let verified = match verify::verify(directory, all) {
        Ok(verified) => verified,
        Err(verify::VerifyError::Usage(problem)) => return fail(Exit::Usage, &problem),
        Err(verify::VerifyError::Tampered(problem)) => {
            return fail(Exit::NonConformant, &format!("tampered: {problem}"));
        }
    };
    for difference in &verified.differences {
        say!("differs: {difference}");
    }
    for missing in &verified.missing {
        say!("missing: {missing}");
    }
    say!("{} derived again from the transcript", count(verified.cases));
    if !verified.differences.is_empty() {
        return fail(Exit::NonConformant, "the report is not what its transcript shows");
    }
    if !verified.missing.is_empty() {
        return fail(
            Exit::Incomplete,
            "every verdict that is there is right; the run is incomplete",
        );
    }
    let recorded = verified.recorded.map_or(0, Exit::code);
    say!("every verdict is what the transcript shows; the run's own exit was {recorded}");
    Exit::Conformant
}

/// Looks whether a run makes sense: what the adapter says of itself, and what makes it unusable.
fn examine(under_test: &UnderTest, under: &Under, logs: &Path) -> (Value, Vec<Probe>) {
    let patience = Patience::new(under.timeout_factor);
    match under_test {
        UnderTest::Target(address) => {
            let dialled = crate::net::dial_from(None, *address, patience.connect());
            let problem = dialled.err().map(|error| format!("target {address} is dead: {error}"));
            (Value::Null, vec![Probe { name: "accepts a connection", problem }])
        }
        UnderTest::Adapter(command) => doctor::examine(command, patience, logs, under.security),
    }
}

fn first_problem(probes: &[Probe]) -> Option<String> {
    probes.iter().find_map(|probe| {
        probe.problem.as_ref().map(|problem| format!("not fit to be tested: {problem}"))
    })
}

fn doctor_command(under: &Under, default_adapter: Vec<OsString>) -> Exit {
    let under_test = match under_test(under, default_adapter) {
        Ok(under_test) => under_test,
        Err(problem) => return fail(Exit::Usage, &problem),
    };
    let logs = match tempfile::tempdir() {
        Ok(logs) => logs,
        Err(error) => return fail(Exit::Usage, &error.to_string()),
    };
    let (_, probes) = examine(&under_test, under, logs.path());
    for probe in &probes {
        let verdict = if probe.problem.is_some() { "no " } else { "yes" };
        say!("{verdict}  {}", probe.name);
    }
    match first_problem(&probes) {
        Some(problem) => fail(Exit::Unusable, &problem),
        None => {
            say!("{} can be tested", runner::show(&under_test));
            Exit::Conformant
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::{name_before, parse};

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn the_name_is_the_one_that_was_called() {
        for (process, args, name) in [
            (
                "/usr/bin/bridgehead conformance list --json",
                "list --json",
                "bridgehead conformance",
            ),
            ("./bridgehead conformance", "", "bridgehead conformance"),
            ("bridgehead conformance -- list", "list", "bridgehead conformance"),
            ("target/other-name run --surprise", "run --surprise", "other-name"),
            ("a test", "run", "bridgehead-conformance"),
        ] {
            assert_eq!(name_before(&words(process), &words(args)), name, "{process}");
        }
    }

    #[test]
    fn usage_and_version_carry_that_name() {
        let name = "bridgehead conformance";
        for (args, said) in [
            ("run --surprise", "Usage: bridgehead conformance run "),
            ("--help", "Usage: bridgehead conformance <COMMAND>"),
            ("list --help", "Usage: bridgehead conformance list "),
            ("--version", "bridgehead conformance "),
        ] {
            let line = core::iter::once(OsString::from(name)).chain(words(args));
            let text = parse(name, line).expect_err("is no command").to_string();
            assert!(text.contains(said), "{args}: {text}");
            assert!(!text.contains("bridgehead-conformance"), "{args}: {text}");
        }
    }
}
