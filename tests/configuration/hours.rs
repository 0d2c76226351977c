//! The hours of connectors.

use std::fs;

use bridgehead::server::configuration;

use super::{EXAMPLE, assert_refused, line_of};

/// SV-099: what is no schedule is refused with its line, and what is one is not.
#[test]
fn bad_hours_are_refused_with_their_line() {
    let whole = fs::read_to_string(EXAMPLE).expect("the example");
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("organization.toml");
    let write = |entries: &str| {
        let text = whole.replacen("cost = 10", &format!("cost = 10\nschedule = [{entries}]"), 1);
        assert_ne!(text, whole);
        fs::write(&path, &text).expect("a file");
        line_of(&text, "schedule")
    };
    let hours = |days: &str, from: &str, to: &str| {
        format!("{{ days = [{days}], from = \"{from}\", to = \"{to}\" }}")
    };
    let night = hours("\"mon\", \"sun\"", "22:00", "06:00");
    let cases = [
        (hours("", "22:00", "06:00"), "schedule[0].days: is empty"),
        (
            hours("\"mon\", \"sun\", \"mon\"", "22:00", "06:00"),
            "schedule[0].days: names `mon` twice",
        ),
        (hours("\"day\"", "22:00", "06:00"), "unknown variant `day`"),
        (hours("\"mon\"", "22", "06:00"), "expected `HH:MM`"),
        (hours("\"mon\"", "22:00", "24:01"), "expected `HH:MM`"),
        (hours("\"mon\"", "24:00", "06:00"), "expected `00:00` to `23:59`"),
        (format!("{night}, {}", hours("\"mon\"", "06:00", "06:00")), "schedule[1].to: is `06:00`"),
        (format!("{night}, ").repeat(33), "33 entries, expected at most 32"),
        (night.replace("days", "hours"), "unknown field `hours`"),
    ];
    for (entries, clue) in cases {
        let line = write(&entries);
        let errors = configuration::load_organization(&path).map(|_| ()).expect_err(clue);
        assert_refused(&errors, &path, Some(line), clue);
    }
    for entries in [format!("{night}, ").repeat(32), hours("\"fri\"", "00:00", "24:00")] {
        write(&entries);
        configuration::load_organization(&path).expect("a schedule");
    }
}
