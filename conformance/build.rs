//! Takes the sentences of the specification along, so that `explain` can quote them. Without the
//! specification beside it the suite builds, too, and quotes none.

use core::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

fn main() {
    let chapters = Path::new("../spec");
    println!("cargo::rerun-if-changed=../spec");
    println!("cargo::rerun-if-changed=build.rs");
    let mut clauses = Vec::new();
    let mut files: Vec<_> =
        fs::read_dir(chapters).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "md")) {
        let text = fs::read_to_string(file).expect("a chapter is readable text");
        clauses.extend(text.lines().filter_map(clause_of));
    }
    let mut code = String::from("const CLAUSES: &[(&str, &str)] = &[\n");
    for (id, sentence) in clauses {
        writeln!(code, "    ({id:?}, {sentence:?}),").expect("a string takes text");
    }
    code.push_str("];\n");
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("clauses.rs"), code).expect("OUT_DIR is writable");
}

/// A clause is a paragraph that begins with its id in brackets.
fn clause_of(line: &str) -> Option<(String, String)> {
    let (id, sentence) = line.strip_prefix('[')?.split_once("] ")?;
    let (area, number) = id.split_once('-')?;
    let right = area.len() == 2
        && area.bytes().all(|byte| byte.is_ascii_uppercase())
        && number.len() == 3
        && number.bytes().all(|byte| byte.is_ascii_digit());
    right.then(|| (id.to_owned(), sentence.to_owned()))
}
