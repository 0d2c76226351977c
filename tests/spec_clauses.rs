//! The lint of the specification: every normative sentence has an id, every id that is cited exists,
//! and the clauses that no code or no test cites are printed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use bridgehead::clauses;

/// Files with one of these extensions may cite clauses.
const CITING: [&str; 5] = ["rs", "toml", "json", "txt", "tla"];

fn files(below: &str, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(below) else { return };
    for entry in entries {
        let path = entry.expect("a directory of the checkout is readable").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && name != "corpus" {
                files(&path.to_string_lossy(), found);
            }
        } else if path.extension().is_some_and(|e| CITING.iter().any(|known| e == *known)) {
            found.push(path);
        }
    }
}

/// `LS-017` or `LS_017`, anywhere in a text, as `LS-017`; only where the area is one of the spec's.
fn citations(text: &str, areas: &BTreeSet<&str>) -> BTreeSet<String> {
    let octets = text.as_bytes();
    let mut found = BTreeSet::new();
    for start in 0..octets.len().saturating_sub(5) {
        let Some(token) = text.get(start..start + 6) else { continue };
        let standing_alone = (start == 0 || !octets[start - 1].is_ascii_alphanumeric())
            && octets.get(start + 6).is_none_or(|next| !next.is_ascii_alphanumeric());
        let is_id = token.is_ascii()
            && areas.contains(&token[..2])
            && matches!(token.as_bytes()[2], b'-' | b'_')
            && token[3..].bytes().all(|octet| octet.is_ascii_digit());
        if standing_alone && is_id {
            found.insert(token.replace('_', "-"));
        }
    }
    found
}

fn chapters() -> Vec<(PathBuf, String)> {
    let mut found: Vec<_> = fs::read_dir("spec")
        .expect("tests run in the root of the package")
        .map(|entry| entry.expect("spec/ is readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| (path.clone(), fs::read_to_string(path).expect("a chapter is text")))
        .collect();
    found.sort();
    found
}

/// The lines of a chapter outside code blocks, with their numbers.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut in_code = false;
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            lines.push((number + 1, line));
        }
    }
    lines
}

fn is_normative(line: &str) -> bool {
    line.split(|c: char| !c.is_ascii_alphabetic()).any(|word| matches!(word, "MUST" | "SHOULD"))
}

#[test]
fn every_normative_sentence_has_an_id() {
    let known: BTreeSet<&str> = clauses::ALL.iter().map(|clause| clause.id).collect();
    let mut naked = Vec::new();
    for (path, text) in chapters() {
        for (number, line) in prose(&text) {
            let id = line.strip_prefix('[').and_then(|rest| rest.get(..6));
            if is_normative(line) && !id.is_some_and(|id| known.contains(id)) {
                naked.push(format!("{}:{number}: {line}", path.display()));
            }
        }
    }
    assert!(naked.is_empty(), "normative sentences without an id:\n{}", naked.join("\n"));
}

#[test]
fn every_cited_clause_exists_and_uncited_ones_are_printed() {
    let known: BTreeSet<&str> = clauses::ALL.iter().map(|clause| clause.id).collect();
    let areas: BTreeSet<&str> = known.iter().map(|id| &id[..2]).collect();
    let mut paths = Vec::new();
    for below in ["src", "tests", "conformance", "spec/models", "fuzz"] {
        files(below, &mut paths);
    }
    let mut by_code = BTreeSet::new();
    let mut by_test = BTreeSet::new();
    let mut unknown: BTreeMap<String, PathBuf> = BTreeMap::new();
    for path in paths {
        let text = fs::read_to_string(&path).unwrap_or_default();
        for id in citations(&text, &areas) {
            let is_own_example = path.ends_with("tests/spec_clauses.rs");
            if !known.contains(id.as_str()) {
                if !is_own_example {
                    unknown.insert(id, path.clone());
                }
            } else if is_test(&path) {
                by_test.insert(id);
            } else {
                by_code.insert(id);
            }
        }
        // Beside the code that they test, tests stand at the end of its file.
        if let Some((_, tests)) = text.split_once("#[cfg(test)]") {
            by_test.extend(
                citations(tests, &areas).into_iter().filter(|id| known.contains(id.as_str())),
            );
        }
    }
    let without = |cited: &BTreeSet<String>| -> Vec<&str> {
        known.iter().copied().filter(|id| !cited.contains(*id)).collect()
    };
    let normative: BTreeSet<String> = chapters()
        .iter()
        .flat_map(|(_, text)| {
            prose(text).into_iter().map(|(_, line)| line.to_owned()).collect::<Vec<_>>()
        })
        .filter(|line| is_normative(line))
        .filter_map(|line| Some(line.strip_prefix('[')?.get(..6)?.to_owned()))
        .collect();
    println!("{} clauses", known.len());
    println!("without code: {}", without(&by_code).join(" "));
    println!("without test: {}", without(&by_test).join(" "));
    assert!(unknown.is_empty(), "cited, but in no chapter: {unknown:?}");
    let untested: Vec<&String> = normative.iter().filter(|id| !by_test.contains(*id)).collect();
    assert!(untested.is_empty(), "demanded, and named by no test and no case: {untested:?}");
}

/// Tests, cases and vectors cite what they check; the rest is code that does it.
fn is_test(path: &Path) -> bool {
    path.starts_with("tests") || path.starts_with("conformance") || path.ends_with("tests.rs")
}
