//! Replays the corpus of the fuzz targets: what was found once is looked for in every run.

use core::num::NonZeroU32;
use std::fs;
use std::path::Path;

use bridgehead::clauses::{self, Clause, executions};
use bridgehead::kernel::{Choose as _, Seeded};
use bridgehead::wire::fuzz;

/// The fewest files that a corpus has: a replay of nothing would prove nothing.
const FEWEST: usize = 15;
/// How many mutations of a corpus are tried.
const MUTATIONS: usize = 3_000;

/// Replays, and holds that the corpus reaches the code of these clauses.
fn replay(name: &str, target: fn(&[u8]), reaches: &[Clause]) {
    let before: Vec<_> = reaches.iter().map(|clause| executions(*clause)).collect();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut files: Vec<_> = fs::read_dir(&corpus)
        .expect("the corpus lies beside the target")
        .map(|entry| entry.expect("the directory is readable").path())
        .collect();
    files.sort();
    assert!(files.len() >= FEWEST, "{}: only {} files", corpus.display(), files.len());
    let mut inputs = Vec::new();
    for file in files {
        let input = fs::read(&file).expect("the file is readable");
        println!("{}", file.display());
        target(&input);
        // Every prefix is as likely to come over a connection as the whole.
        for end in (0..input.len().min(400)).step_by(3) {
            target(&input[..end]);
        }
        inputs.push(input);
    }
    mutate(&inputs, target);
    for (clause, before) in reaches.iter().zip(before) {
        assert!(executions(*clause) > before, "{name} does not reach {}", clause.id);
    }
}

/// Octets that mean something to one of the grammars.
const SYNTAX: &[u8] = b"\r\n.{}() <>@:=+0aFD";

/// A small fuzzer, the same in each run: pieces of the inputs put together, with an octet changed here
/// and there.
fn mutate(inputs: &[Vec<u8>], target: fn(&[u8])) {
    let mut choose = Seeded::new(20_260_101);
    let mut below = |bound: usize| {
        let bound = u32::try_from(bound.max(1)).ok().and_then(NonZeroU32::new);
        choose.below("mutation", bound.expect("a positive bound")) as usize
    };
    for _ in 0..MUTATIONS {
        let (front, back) = (&inputs[below(inputs.len())], &inputs[below(inputs.len())]);
        let mut input = front[..below(front.len().min(600) + 1)].to_vec();
        input.extend_from_slice(&back[below(back.len()).min(back.len())..]);
        input.truncate(1_200);
        for _ in 0..below(4) {
            let place = below(input.len());
            let octet = match below(3) {
                0 => u8::try_from(below(256)).expect("an octet"),
                _ => SYNTAX[below(SYNTAX.len())],
            };
            if let Some(changed) = input.get_mut(place) {
                *changed = octet;
            }
        }
        target(&input);
    }
}

#[test]
fn counted_frames() {
    replay(
        "counted_frames",
        fuzz::counted_frames,
        &[
            clauses::WI_015,
            clauses::WI_048,
            clauses::WI_102,
            clauses::WI_110,
            clauses::WI_122,
            clauses::WI_123,
            clauses::WI_124,
        ],
    );
}

#[test]
fn smtp_session() {
    replay(
        "smtp_session",
        fuzz::smtp_session,
        &[
            clauses::SM_103,
            clauses::SM_110,
            clauses::WI_010,
            clauses::WI_011,
            clauses::WI_012,
            clauses::WI_013,
            clauses::WI_014,
            clauses::WI_017,
            clauses::WI_042,
            clauses::WI_044,
            clauses::WI_045,
            clauses::WI_046,
            clauses::WI_060,
            clauses::WI_070,
            clauses::WI_090,
        ],
    );
}

#[test]
fn link2state() {
    replay(
        "link2state",
        fuzz::link2state,
        &[
            clauses::WI_091,
            clauses::WI_092,
            clauses::WI_093,
            clauses::WI_101,
            clauses::WI_102,
            clauses::WI_103,
        ],
    );
}

/// Each target has a corpus and a replay here, and the other way round.
#[test]
fn no_target_is_forgotten() {
    let names = |directory: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(directory);
        let mut names: Vec<_> = fs::read_dir(path)
            .expect("the fuzz workspace is there")
            .map(|entry| entry.expect("readable").path())
            .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("fuzz_targets"), ["counted_frames", "link2state", "smtp_session"]);
    assert_eq!(names("corpus"), names("fuzz_targets"));
}
