//! A TOML file with the line of every place in it.

use core::ops::Range;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ConfigurationError;
use super::ranges::range_of;
use crate::clause;

/// The longest configuration file that is read.
const FILE_LIMIT_OCTETS: u64 = 16 * 1024 * 1024;

/// Which file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `organization.toml`: it has groups.
    Organization,
    /// `member.toml`: it has a member.
    Member,
}

/// Tells by its keys which kind of file this is.
///
/// # Errors
/// It cannot be read, is no TOML, or is neither.
pub fn kind_of(path: &Path) -> Result<Kind, ConfigurationError> {
    let file = TomlFile::read(path)?;
    let table = file.table()?;
    match (table.get_ref().contains_key("group"), table.get_ref().contains_key("member")) {
        (true, false) => Ok(Kind::Organization),
        (false, true) => Ok(Kind::Member),
        _ => Err(ConfigurationError::file(
            path,
            "is neither an organization (`[[group]]`) nor a member (`member = …`)",
        )),
    }
}

/// The text of a regular file. Anything else might never end, or keep its reader waiting for ever.
pub(super) fn read_text(path: &Path) -> io::Result<String> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let octets = metadata.len();
    if octets > FILE_LIMIT_OCTETS {
        let problem = format!("it has {octets} octets, expected at most {FILE_LIMIT_OCTETS}");
        return Err(io::Error::other(problem));
    }
    fs::read_to_string(path)
}

/// A file that was read.
#[derive(Debug)]
pub(super) struct TomlFile {
    path: PathBuf,
    text: String,
}

impl TomlFile {
    pub(super) fn read(path: &Path) -> Result<Self, ConfigurationError> {
        let failed =
            |error: io::Error| ConfigurationError::file(path, format!("cannot be read: {error}"));
        let text = read_text(path).map_err(failed)?;
        Ok(Self { path: path.to_owned(), text })
    }

    /// The value of the whole file. The format is looked at first: of a file of another version, the
    /// version is wrong and nothing else.
    pub(super) fn parse<T: DeserializeOwned>(&self, format: u32) -> Result<T, ConfigurationError> {
        clause!(SV_041);
        self.expect_format(format)?;
        toml::from_str(&self.text).map_err(|error| self.wrong(&error))
    }

    /// An error at a place such as `connector[2].cost`.
    pub(super) fn at(&self, place: &str, problem: &str) -> ConfigurationError {
        let line = self.table().ok().and_then(|table| find(&table, place)).map(|at| self.line(at));
        let problem = format!("{place}: {problem}");
        ConfigurationError { path: self.path.clone(), line, problem }
    }

    /// A path in the file, as seen from the directory of the file.
    pub(super) fn relative(&self, path: &Path) -> PathBuf {
        self.path.parent().unwrap_or_else(|| Path::new("")).join(path)
    }

    fn expect_format(&self, format: u32) -> Result<(), ConfigurationError> {
        let table = self.table()?;
        let Some(found) = table.get_ref().get("format") else {
            return Err(ConfigurationError {
                path: self.path.clone(),
                line: Some(1),
                problem: format!("no `format`, expected `format = {format}`"),
            });
        };
        match found.get_ref() {
            DeValue::Integer(number) if number.as_str() == format.to_string() => Ok(()),
            _ => {
                let found = &self.text[found.span()];
                Err(self.at("format", &format!("is {found}, expected {format}")))
            }
        }
    }

    fn table(&self) -> Result<Spanned<DeTable<'_>>, ConfigurationError> {
        DeTable::parse(&self.text).map_err(|error| self.wrong(&error))
    }

    fn wrong(&self, error: &toml::de::Error) -> ConfigurationError {
        let line = error.span().map(|span| self.line(span.start));
        let message = error.message().replace('\n', "; ");
        let said = error.span().and_then(|span| self.text.get(span)).unwrap_or_default();
        let problem = match (expectation(&message), self.number(error)) {
            (Some(expected), _) => format!("{said}: {message}, expected {expected}"),
            (None, Some(problem)) => problem,
            (None, None) => message,
        };
        ConfigurationError { path: self.path.clone(), line, problem }
    }

    /// What is wrong where a number was expected: serde names its type, which people do not know, and neither
    /// where it stands nor what it may be.
    fn number(&self, error: &toml::de::Error) -> Option<String> {
        let (_, type_name) = error.message().rsplit_once("expected ")?;
        let span = error.span()?;
        let place = place_of(&DeTable::parse(&self.text).ok()?, &span)?;
        let (least, most) = range_of(&place, type_name.trim())?;
        let said = self.text.get(span)?;
        Some(format!("{place}: is {said}, expected {least} to {most}"))
    }

    fn line(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|octet| *octet == b'\n').count()
    }
}

/// What the parsers of the standard library expected, for they do not say.
fn expectation(message: &str) -> Option<&'static str> {
    match message {
        "invalid socket address syntax" => {
            Some("IP:PORT, such as 192.0.2.1:25 or [2001:db8::1]:25")
        }
        "invalid IP address syntax" => Some("an IP address, such as 192.0.2.1"),
        _ => None,
    }
}

/// The place of the value that stands there.
fn place_of(table: &Spanned<DeTable<'_>>, span: &Range<usize>) -> Option<String> {
    fn inside(value: &Spanned<DeValue<'_>>, place: String, span: &Range<usize>) -> Option<String> {
        if value.span() == *span {
            return Some(place);
        }
        match value.get_ref() {
            DeValue::Table(table) => table
                .iter()
                .find_map(|(key, value)| inside(value, format!("{place}.{}", key.get_ref()), span)),
            DeValue::Array(array) => array
                .iter()
                .enumerate()
                .find_map(|(number, value)| inside(value, format!("{place}[{number}]"), span)),
            _ => None,
        }
    }
    let mut values = table.get_ref().iter();
    values.find_map(|(key, value)| inside(value, key.get_ref().to_string(), span))
}

/// The offset of a place: keys joined by dots, positions in brackets. Where a part of the place is not
/// in the file, the last part that is there counts.
fn find(table: &Spanned<DeTable<'_>>, place: &str) -> Option<usize> {
    let mut parts = place.split(['.', '[']).map(|part| part.trim_end_matches(']'));
    let mut value = table.get_ref().get(parts.next()?)?;
    let mut offset = value.span().start;
    for part in parts {
        let inner = match value.get_ref() {
            DeValue::Table(table) => table.get(part),
            DeValue::Array(array) => part.parse().ok().and_then(|place: usize| array.get(place)),
            _ => None,
        };
        let Some(inner) = inner else { break };
        value = inner;
        offset = value.span().start;
    }
    Some(offset)
}
