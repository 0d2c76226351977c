//! `trace picture`: how news and mail spread, from a trace of the simulator or from the logs of members.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use super::{failed, refused};
use crate::print;
use crate::sim::pictures::{Only, Part, Reading, Spread, Story, draw};

/// What is said of files without a trace; in a log there is one where its member was asked for it.
const NO_TRACE: &str = "there is no line of a trace: members write them where their environment has \
                        BRIDGEHEAD_LOG=bridgehead::trace=trace, and `bridgehead sim` with --trace FILE";

/// The commands about traces.
#[derive(Debug, Subcommand)]
pub(super) enum Trace {
    /// Draw who told whom what and when: columns are members, time runs down
    #[command(
        after_help = "Examples:\n  bridgehead sim examples/five-groups.toml --seed 7 --trace trace.ndjson\n  \
        bridgehead trace picture trace.ndjson --to 4m --only linkstate -o news.html\n  \
        BRIDGEHEAD_LOG=bridgehead::trace=trace bridgehead cluster up examples/five-groups.toml\n  \
        bridgehead trace picture cluster/*/log --from 200 -o failure.html\n\n\
        The file is one page without anything from elsewhere: the drawing, and the same in words; scripts only filter it. Where -o \
        ends in .svg, the drawing alone.\nTimes are seconds since the trace begins, or a number with s, m or h.\n\
        A time without events is a break of the axis, which says how long it is."
    )]
    Picture(Arguments),
}

/// What to draw.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A trace, or logs that have one; several are taken together
    #[arg(value_name = "TRACE", required = true)]
    files: Vec<PathBuf>,
    /// Nothing before this time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Option<u64>,
    /// Nothing after this time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    to: Option<u64>,
    /// Only what is about links, or only what is about mail
    #[arg(long, value_enum)]
    only: Option<Half>,
    /// Only this member (may be repeated)
    #[arg(long, value_name = "NAME")]
    member: Vec<String>,
    /// Where to; without it, to standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// A half of what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Half {
    /// Links and their news
    Linkstate,
    /// Messages
    Custody,
}

/// A time, in microseconds.
fn moment(text: &str) -> Result<u64, String> {
    let bad = || format!("`{text}` is no time, expected seconds, or a number with s, m or h");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err(bad()),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    if part.len() > 6 || !part.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(bad());
    }
    let whole: u64 = whole.parse().map_err(|_| bad())?;
    let part: u64 = format!("{part:0<6}").parse().map_err(|_| bad())?;
    let micros = whole.checked_mul(1_000_000).and_then(|micros| micros.checked_add(part));
    micros.and_then(|micros| micros.checked_mul(unit)).ok_or_else(bad)
}

/// Runs a command.
pub(super) fn run(command: &Trace) -> ExitCode {
    let Trace::Picture(arguments) = command;
    let part = Part {
        from: arguments.from,
        to: arguments.to,
        only: arguments.only.map(|half| match half {
            Half::Linkstate => Only::Linkstate,
            Half::Custody => Only::Custody,
        }),
        members: arguments.member.iter().cloned().collect(),
    };
    let story = read(&arguments.files).and_then(|story| story.part(&part));
    let story = match story {
        Ok(story) if story.columns.is_empty() => return refused(NO_TRACE),
        Ok(story) => story,
        Err(problem) => return refused(&problem),
    };
    let names: Vec<String> = arguments.files.iter().map(|f| f.display().to_string()).collect();
    let title = match &names[..] {
        [one] => one.clone(),
        names => format!("{} and {} more", names[0], names.len() - 1),
    };
    let left_out = Spread::of(&story).left_out;
    if left_out > 0 {
        complain!(
            "bridgehead: {left_out} moments at the end are left out: draw a part, by --from and --to"
        );
    }
    let path = arguments.output.as_deref();
    let text = draw(&story, &title, path.unwrap_or_else(|| Path::new("-")));
    let Some(path) = path else {
        print::octets(text.as_bytes());
        return ExitCode::SUCCESS;
    };
    match std::fs::write(path, text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&format!("{}: {error}", path.display())),
    }
}

/// One file line by line; of several, all lines in the order of their times.
fn read(files: &[PathBuf]) -> Result<Story, String> {
    let mut reading = Reading::default();
    let mut waiting = Vec::new();
    for path in files {
        let wrong = |problem: String| format!("{}: {problem}", path.display());
        let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
        for line in BufReader::new(file).split(b'\n') {
            let line = line.map_err(|error| wrong(error.to_string()))?;
            let line = String::from_utf8_lossy(&line).into_owned();
            if files.len() == 1 {
                reading.line(&line).map_err(wrong)?;
            } else if let Some(time) = Reading::time_of(&line) {
                waiting.push((time, line));
            }
        }
    }
    waiting.sort_by_key(|(time, _)| *time);
    waiting.iter().try_for_each(|(_, line)| reading.line(line))?;
    Ok(reading.story())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_have_a_unit() {
        assert_eq!(moment("190.029"), Ok(190_029_000));
        assert_eq!(moment("4m"), Ok(240_000_000));
        assert_eq!(moment("1.5h"), Ok(5_400_000_000));
        for wrong in ["", "x", "4w", "-1", "1.2.3", "1.1234567", "99999999999999999999"] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
    }
}
