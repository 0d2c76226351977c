//! When a connector carries mail: spans of the week, in universal time.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::clause;
use crate::kernel::{Span, Time};

/// The most entries of one schedule.
pub const SCHEDULE_LIMIT: usize = 32;
const MINUTES_A_DAY: u64 = 24 * 60;
const WEEK: u64 = Span::minutes(7 * MINUTES_A_DAY).0;
/// From the beginning of a week to 1 January 1970, a Thursday.
const EPOCH_IN_WEEK: u64 = Span::minutes(3 * MINUTES_A_DAY).0;

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl Day {
    /// As the file has it.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Mon => "mon",
            Self::Tue => "tue",
            Self::Wed => "wed",
            Self::Thu => "thu",
            Self::Fri => "fri",
            Self::Sat => "sat",
            Self::Sun => "sun",
        }
    }
}

/// A time of the day, in minutes: `00:00` to `24:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClockTime(u16);

impl TryFrom<String> for ClockTime {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let number = |digits: &str| {
            let is_number = digits.len() == 2 && digits.bytes().all(|octet| octet.is_ascii_digit());
            digits.parse::<u16>().ok().filter(|_| is_number)
        };
        let parts = text.split_once(':');
        let time = parts.and_then(|(hour, minute)| Some((number(hour)?, number(minute)?)));
        match time {
            Some((hour, minute)) if hour < 24 && minute < 60 || (hour, minute) == (24, 0) => {
                Ok(Self(hour * 60 + minute))
            }
            _ => Err(format!("`{text}` is no time, expected `HH:MM` from `00:00` to `24:00`")),
        }
    }
}

impl fmt::Display for ClockTime {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl From<ClockTime> for String {
    fn from(time: ClockTime) -> Self {
        format!("{time}")
    }
}

/// One entry of a schedule: from a time to another one, on each of these days.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleEntry {
    /// The days on which it begins.
    pub days: Vec<Day>,
    /// When it begins.
    pub from: ClockTime,
    /// When it ends: on the next day where it is not later than `from`.
    pub to: ClockTime,
}

impl ScheduleEntry {
    /// What is wrong with it: where, and what was expected.
    pub(super) fn problem(&self) -> Option<(&'static str, String)> {
        clause!(SV_099);
        if self.days.is_empty() {
            return Some(("days", "is empty, expected at least one day".into()));
        }
        let mut days = self.days.iter().enumerate();
        if let Some((_, day)) = days.find(|(place, day)| self.days[..*place].contains(day)) {
            return Some(("days", format!("names `{}` twice", day.as_str())));
        }
        if u64::from(self.from.0) == MINUTES_A_DAY {
            return Some(("from", format!("is `{}`, expected `00:00` to `23:59`", self.from)));
        }
        let is_empty = self.from == self.to;
        is_empty.then(|| ("to", format!("is `{}`, expected another time than `from`", self.to)))
    }

    fn length(&self) -> u64 {
        let (from, to) = (u64::from(self.from.0), u64::from(self.to.0));
        let minutes = if to > from { to - from } else { to + MINUTES_A_DAY - from };
        Span::minutes(minutes).0
    }
}

/// The schedule as somebody reads it for whom each entry begins and ends on its own day: a planted bug.
#[must_use]
pub fn within_days(schedule: &[ScheduleEntry]) -> Vec<ScheduleEntry> {
    let midnight = MINUTES_A_DAY as u16;
    let halves = |entry: &ScheduleEntry| {
        let (from, to) = (entry.from.0, entry.to.0);
        let parts = if to > from { [(from, to), (0, 0)] } else { [(from, midnight), (0, to)] };
        let days = entry.days.clone();
        parts.into_iter().filter(|(from, to)| from < to).map(move |(from, to)| ScheduleEntry {
            days: days.clone(),
            from: ClockTime(from),
            to: ClockTime(to),
        })
    };
    schedule.iter().flat_map(halves).collect()
}

/// How long a connector with this schedule carries no mail from `now` on: not at all where it is its time, and
/// where there is no schedule.
#[must_use]
pub fn wait_of(schedule: &[ScheduleEntry], now: Time) -> Span {
    clause!(LS_242);
    // A week is short against what the sum could overflow by.
    let here = (now.0 % WEEK + EPOCH_IN_WEEK) % WEEK;
    let mut least = if schedule.is_empty() { 0 } else { WEEK };
    for entry in schedule {
        for day in &entry.days {
            let start = Span::minutes(*day as u64 * MINUTES_A_DAY + u64::from(entry.from.0)).0;
            let since = (here + WEEK - start) % WEEK;
            if since < entry.length() {
                return Span::ZERO;
            }
            least = least.min(WEEK - since);
        }
    }
    Span(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Day; 7] = [Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri, Day::Sat, Day::Sun];

    fn entry(days: &[Day], from: &str, to: &str) -> ScheduleEntry {
        let time = |text: &str| ClockTime::try_from(String::from(text)).unwrap();
        ScheduleEntry { days: days.into(), from: time(from), to: time(to) }
    }

    /// So many minutes behind Monday, 00:00 of the week of 16 November 2026.
    fn at(day: Day, hour: u64, minute: u64) -> Time {
        let monday = Time(1_794_787_200_000_000);
        monday + Span::minutes((day as u64 * 24 + hour) * 60 + minute)
    }

    fn minutes(schedule: &[ScheduleEntry], now: Time) -> u64 {
        wait_of(schedule, now).as_seconds() / 60
    }

    /// LS-242: no entries stand for always.
    #[test]
    fn without_a_schedule_it_is_always_time() {
        for now in [Time(0), at(Day::Sun, 23, 59), Time(u64::MAX)] {
            assert_eq!(wait_of(&[], now), Span::ZERO);
        }
    }

    /// LS-242: from the first minute to before the last one.
    #[test]
    fn a_span_has_its_beginning_and_not_its_end() {
        let noon = [entry(&[Day::Wed], "12:00", "13:30")];
        assert_eq!(minutes(&noon, at(Day::Wed, 11, 59)), 1);
        assert_eq!(minutes(&noon, at(Day::Wed, 12, 0)), 0);
        assert_eq!(minutes(&noon, at(Day::Wed, 13, 29)), 0);
        assert_eq!(minutes(&noon, at(Day::Wed, 13, 30)), 7 * 1440 - 90);
        let last = at(Day::Wed, 13, 30) - Span(1);
        assert_eq!(wait_of(&noon, last), Span::ZERO);
        assert_eq!(wait_of(&noon, at(Day::Wed, 12, 0) - Span(1)), Span(1));
    }

    /// LS-242: across midnight, and across the end of the week.
    #[test]
    fn a_span_may_end_on_the_next_day() {
        let night = [entry(&[Day::Sun], "22:00", "06:00")];
        assert_eq!(minutes(&night, at(Day::Sun, 21, 0)), 60);
        assert_eq!(minutes(&night, at(Day::Sun, 23, 0)), 0);
        assert_eq!(minutes(&night, at(Day::Mon, 0, 0)), 0);
        assert_eq!(minutes(&night, at(Day::Mon, 5, 59)), 0);
        assert_eq!(minutes(&night, at(Day::Mon, 6, 0)), 6 * 1440 + 16 * 60);
        let midnight = [entry(&[Day::Fri], "18:00", "00:00")];
        assert_eq!(minutes(&midnight, at(Day::Fri, 23, 59)), 0);
        assert_eq!(minutes(&midnight, at(Day::Sat, 0, 0)), 6 * 1440 + 18 * 60);
        assert_eq!(midnight[0].length(), entry(&[Day::Fri], "18:00", "24:00").length());
    }

    /// LS-242: of several spans the next one counts; whole days join.
    #[test]
    fn several_spans_are_all_meant() {
        let days = [Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri];
        let office = [entry(&days, "08:00", "12:00"), entry(&days, "13:00", "17:00")];
        assert_eq!(minutes(&office, at(Day::Tue, 12, 30)), 30);
        assert_eq!(minutes(&office, at(Day::Tue, 17, 0)), 15 * 60);
        assert_eq!(minutes(&office, at(Day::Fri, 17, 0)), 2 * 1440 + 15 * 60);
        let always = [entry(&ALL, "00:00", "24:00")];
        for day in ALL {
            assert_eq!(wait_of(&always, at(day, 0, 0)), Span::ZERO);
            assert_eq!(wait_of(&always, at(day, 23, 59) + Span::seconds(59)), Span::ZERO);
        }
    }

    /// LS-242: against every minute of a week, one by one.
    #[test]
    fn the_wait_ends_when_it_is_time() {
        let schedule =
            [entry(&[Day::Sat, Day::Sun], "23:30", "00:15"), entry(&[Day::Wed], "09:00", "09:01")];
        let mut next = None;
        for minute in (0..14 * MINUTES_A_DAY).rev() {
            let now = at(Day::Mon, 0, minute);
            let wait = minutes(&schedule, now);
            if wait == 0 {
                next = Some(minute);
            } else if let Some(next) = next {
                assert_eq!(wait, next - minute);
            }
        }
    }

    /// SV-099.
    #[test]
    fn times_are_two_numbers_of_two_digits() {
        for text in ["00:00", "09:05", "23:59", "24:00"] {
            assert_eq!(String::from(ClockTime::try_from(String::from(text)).unwrap()), text);
        }
        for text in ["", "9:00", "09:5", "24:01", "25:00", "12:60", "+1:00", "12.00", "12:00:00"] {
            let error = ClockTime::try_from(String::from(text)).unwrap_err();
            assert!(error.contains("expected `HH:MM`"), "{error}");
        }
    }
}
