//! What is wrong with a configuration: file, line, place, and what was expected.

use core::fmt;
use core::fmt::Write as _;
use std::path::{Path, PathBuf};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationError {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1, where the file could be read at all.
    pub line: Option<usize>,
    /// What is wrong, with what was expected.
    pub problem: String,
}

impl ConfigurationError {
    /// Of a whole file.
    pub(super) fn file(path: &Path, problem: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: None, problem: problem.into() }
    }
}

impl fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        write!(f, " {}", self.problem)
    }
}

impl core::error::Error for ConfigurationError {}

/// All errors, one line each.
#[must_use]
pub fn report(errors: &[ConfigurationError]) -> String {
    let mut text = String::new();
    for error in errors {
        writeln!(text, "{error}").expect("a string takes text");
    }
    text
}
