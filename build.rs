//! Turns the clause ids of `spec/*.md` into constants: a clause that vanishes from the text takes its
//! constant along, and the code that cites it stops compiling.

use core::fmt::Write as _;
use std::collections::BTreeMap;
use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=spec");
    let mut clauses = BTreeMap::new();
    let mut chapters: Vec<_> = fs::read_dir("spec")
        .expect("spec/ lies beside Cargo.toml")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    chapters.sort();
    for chapter in chapters {
        let text = fs::read_to_string(&chapter).expect("a chapter is readable text");
        for line in text.lines() {
            if let Some((id, sentence)) = clause_of(line) {
                let before = clauses.insert(id.to_owned(), sentence.to_owned());
                assert!(before.is_none(), "{}: clause {id} stands twice", chapter.display());
            }
        }
    }
    let mut code = String::new();
    for (place, (id, sentence)) in clauses.iter().enumerate() {
        let name = id.replace('-', "_");
        writeln!(
            code,
            "#[doc = {sentence:?}]\npub const {name}: Clause = Clause {{ id: {id:?}, place: {place} }};"
        )
        .expect("a string takes text");
    }
    let all: Vec<_> = clauses.keys().map(|id| id.replace('-', "_")).collect();
    writeln!(
        code,
        "/// Every clause of the specification, by id.\npub const ALL: [Clause; {}] = [{}];",
        all.len(),
        all.join(", ")
    )
    .expect("a string takes text");
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("clauses.rs"), code).expect("OUT_DIR is writable");
}

/// A clause is a paragraph that begins with its id in brackets: `[LS-017] The member MUST …`.
fn clause_of(line: &str) -> Option<(&str, &str)> {
    let (id, sentence) = line.strip_prefix('[')?.split_once("] ")?;
    let (area, number) = id.split_once('-')?;
    let is_area = area.len() == 2 && area.bytes().all(|byte| byte.is_ascii_uppercase());
    let is_number = number.len() == 3 && number.bytes().all(|byte| byte.is_ascii_digit());
    (is_area && is_number).then_some((id, sentence))
}
