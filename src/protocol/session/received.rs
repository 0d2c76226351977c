//! `Received` lines (RFC 5321 section 4.4), and the date in them.

use alloc::format;
use alloc::string::String;

use crate::clause;
use crate::kernel::Time;
use crate::wire::header;
use crate::wire::message::{Address, Envelope, Field, Hop};

/// The most characters of one word of a hop that a `Received` line repeats.
pub const WORD_LIMIT: usize = 255;

/// What a message begins with that may be a second copy (SU-041).
pub const SUSPECT_LINE: &str =
    "X-Bridgehead-Suspect: this may be a second copy; the first one may be lost\r\n";

const SECONDS_A_DAY: u64 = 86_400;
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// One `Received` field for each hop, the newest first, each line ended by CRLF.
///
/// `hops` stand oldest first, as an envelope carries them.
#[must_use]
pub fn received_lines(hops: &[Hop]) -> String {
    clause!(SM_050);
    let mut lines = String::new();
    for hop in hops.iter().rev() {
        let Hop { from, by, group, with, id, at, table } = hop;
        let [from, by, group, with, id] = [from, by, group.as_str(), with, id].map(printable);
        let table = table.as_ref().map(|table| format!(" (table {})", printable(table)));
        let table = table.unwrap_or_default();
        lines.push_str(&format!(
            "Received: from {from}\r\n\tby {by} (group {group}){table} with {with} id {id};\r\n\t{}\r\n",
            date(*at)
        ));
    }
    lines
}

/// Everything that is written above the header of a message when it leaves: the trace, and the fields
/// that rules have added.
#[must_use]
pub(in crate::protocol) fn lines_above(envelope: &Envelope) -> String {
    clause!(RU_014);
    let mut lines = received_lines(&envelope.hops);
    lines.push_str(&header::lines(&envelope.fields));
    lines
}

/// Everything that stands in a stored file above the content: the return path, the mark of a copy that may be
/// one too many, the trace with the newest hop first, and the fields that hops and rules have added.
#[must_use]
pub fn lines_of_file(
    sender: Option<&Address>,
    hops: &[Hop],
    fields: &[Field],
    suspect: bool,
) -> String {
    let mut lines = format!("Return-Path: <{}>\r\n", sender.map_or("", |sender| &sender.0));
    if suspect {
        lines.push_str(SUSPECT_LINE);
    }
    lines.push_str(&received_lines(hops));
    lines.push_str(&header::lines(fields));
    lines
}

/// The word without anything that could end the line, and not too long. A field holds octets of UTF-8
/// only where the message already does.
fn printable(word: &str) -> String {
    word.chars().filter(|c| !c.is_control()).take(WORD_LIMIT).collect()
}

/// The date of RFC 5322, in universal time: `Sat, 21 Nov 2026 22:36:26 +0000`.
#[must_use]
pub fn date(time: Time) -> String {
    let seconds = time.0 / 1_000_000;
    let (days, rest) = (seconds / SECONDS_A_DAY, seconds % SECONDS_A_DAY);
    let (year, month, day) = civil(days);
    let weekday = WEEKDAYS[usize::try_from(days % 7).unwrap_or(0)];
    let month = MONTHS[month - 1];
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{weekday}, {day} {month} {year:04} {hour:02}:{minute:02}:{second:02} +0000")
}

/// Year, month (1 to 12) and day (1 to 31) of a day counted from 1 January 1970.
///
/// Years begin on 1 March here, so that the leap day is the last day of a year; an era is 400 years.
fn civil(days: u64) -> (u64, usize, u64) {
    const DAYS_AN_ERA: u64 = 146_097;
    const DAYS_TO_1970: u64 = 719_468;
    let days = days + DAYS_TO_1970;
    let (era, day_of_era) = (days / DAYS_AN_ERA, days % DAYS_AN_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let is_early = month_from_march >= 10;
    let month = if is_early { month_from_march - 9 } else { month_from_march + 3 };
    let year = era * 400 + year_of_era + u64::from(is_early);
    assert!((1..=12).contains(&month), "a year has twelve months");
    assert!((1..=31).contains(&day), "a month has at most 31 days");
    (year, usize::try_from(month).unwrap_or(1), day)
}
