//! `report.html`: the report as a person reads it. It is one file without anything from elsewhere, and a
//! pure function of the record: `verify` makes it again.
//!
//! What did not pass stands first, with everything that passed on the wire; then every case by protocol
//! and area; then every clause with its cases.

use core::fmt::Write as _;
use std::collections::BTreeMap;

use crate::case::Case;
use crate::cases;
use crate::event::{Event, How, Record, Way};
use crate::print::harmless;
use crate::verdict::{Exit, Verdict};

/// How many lines of one record are shown.
const LINES_SHOWN: usize = 60;
/// How many octets of one line.
const OCTETS_SHOWN: usize = 400;

const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/filter.js");

/// One case of the run, and its records.
struct Told<'a> {
    case: &'a Case,
    records: &'a [Record],
    verdict: Verdict,
    reason: &'a str,
}

impl Told<'_> {
    fn is_green(&self) -> bool {
        matches!(self.verdict, Verdict::Pass | Verdict::NotApplicable)
    }

    /// Cases belong together by the first two parts of their ids, vectors by the first two, too.
    fn area(&self) -> String {
        let mut parts = self.case.id.split(['.', '-']);
        let (protocol, topic) = (parts.next().unwrap_or_default(), parts.next());
        let kind = if self.case.is_vector { " (vectors)" } else { "" };
        format!("{protocol} · {}{kind}", topic.unwrap_or_default())
    }
}

/// The page. `known` are the cases of this suite.
pub(crate) fn page(records: &[Record], known: &[Case]) -> String {
    let told = tell(records, known);
    let mut page = String::new();
    head(&mut page, records, &told);
    let bad: Vec<&Told<'_>> = told.iter().filter(|told| !told.is_green()).collect();
    if !bad.is_empty() {
        put(&mut page, format_args!("<h2 id=\"failures\">What did not pass</h2>\n"));
        bad.iter().for_each(|told| case(&mut page, told, true));
    }
    put(&mut page, format_args!("<h2 id=\"cases\">All cases</h2>\n"));
    let mut areas: BTreeMap<String, Vec<&Told<'_>>> = BTreeMap::new();
    told.iter().for_each(|told| areas.entry(told.area()).or_default().push(told));
    for (area, members) in &areas {
        let passed = members.iter().filter(|told| told.verdict == Verdict::Pass).count();
        let title = escaped(area);
        let of = members.len();
        put(
            &mut page,
            format_args!("<section><h3>{title} <small>{passed} of {of} passed</small></h3>\n"),
        );
        for told in members {
            if told.is_green() {
                case(&mut page, told, false);
            } else {
                let id = &told.case.id;
                let word = told.verdict.name();
                put(
                    &mut page,
                    format_args!(
                        "<p class=\"case {word}\"><b class=\"{word}\">{word}</b> <a href=\"#{id}\">{id}</a>, above</p>\n"
                    ),
                );
            }
        }
        page.push_str("</section>\n");
    }
    clauses(&mut page, &told);
    put(&mut page, format_args!("<script>{SCRIPT}</script>\n</body>\n</html>\n"));
    page
}

/// The cases of the record, in the order of the run.
fn tell<'a>(records: &'a [Record], known: &'a [Case]) -> Vec<Told<'a>> {
    let mut told = Vec::new();
    let mut begun = 0;
    for (place, record) in records.iter().enumerate() {
        match &record.event {
            Event::CaseStart { .. } => begun = place,
            Event::CaseEnd { case: id, verdict, reason } => {
                if let Some(case) = known.iter().find(|case| case.id == *id) {
                    let records = &records[begun..=place];
                    told.push(Told { case, records, verdict: *verdict, reason });
                }
            }
            _ => {}
        }
    }
    told
}

fn head(page: &mut String, records: &[Record], told: &[Told<'_>]) {
    let (mut under_test, mut suite) = ("", "");
    let mut exit = None;
    for record in records.first().into_iter().chain(records.last()) {
        match &record.event {
            Event::RunStart { under_test: what, suite: version, .. } => {
                (under_test, suite) = (what, version);
            }
            Event::RunEnd { exit: how } => exit = Some(*how),
            _ => {}
        }
    }
    let under_test = escaped(under_test);
    put(
        page,
        format_args!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <title>Conformance of {under_test}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <h1>Conformance of {under_test}</h1>\n<p>Suite {suite}, {} cases: ",
            told.len()
        ),
    );
    for verdict in Verdict::ALL {
        let cases = told.iter().filter(|told| told.verdict == verdict).count();
        let word = verdict.name();
        if cases > 0 {
            put(page, format_args!("<b class=\"{word}\">{cases} {word}</b> "));
        }
    }
    let exit = exit.map_or_else(|| "the run did not end".to_owned(), exit_text);
    put(
        page,
        format_args!(
            "— {exit}</p>\n<nav><a href=\"#failures\">What did not pass</a> <a href=\"#cases\">All cases</a> \
         <a href=\"#clauses\">Clauses</a></nav>\n\
         <p class=\"filter\"><input id=\"text\" placeholder=\"id, title or clause\"> \
         <select id=\"verdict\"><option value=\"\">every verdict</option>"
        ),
    );
    for verdict in Verdict::ALL {
        put(page, format_args!("<option>{}</option>", verdict.name()));
    }
    page.push_str("</select></p>\n");
}

fn exit_text(exit: Exit) -> String {
    let what = match exit {
        Exit::Conformant => "conformant",
        Exit::NonConformant => "not conformant",
        Exit::Incomplete => "incomplete",
        Exit::Interrupted => "interrupted",
        Exit::Unusable => "what is under test cannot be used",
        _ => "the run failed",
    };
    format!("{what} (exit {})", exit.code())
}

fn case(page: &mut String, told: &Told<'_>, at_length: bool) {
    let Told { case, verdict, reason, records } = told;
    let (id, word, title) = (&case.id, verdict.name(), escaped(&case.title));
    let open = if at_length { " open" } else { "" };
    put(
        page,
        format_args!(
            "<details class=\"case {word}\" id=\"{id}\"{open}><summary><b class=\"{word}\">{word}</b> \
         <code>{id}</code> {title}</summary>\n<p>{}, profile {}; verifies",
            case.level.name(),
            case.profile
        ),
    );
    for clause in &case.verifies {
        put(page, format_args!(" <a href=\"#{clause}\">{clause}</a>"));
    }
    if let Some(twin) = &case.twin {
        put(page, format_args!("; twin <a href=\"#{twin}\">{twin}</a>"));
    }
    page.push_str("</p>\n");
    if !reason.is_empty() {
        put(page, format_args!("<p class=\"reason\">{}</p>\n", escaped(reason)));
    }
    page.push_str("<ul>\n");
    for record in *records {
        if let Event::Check { check, holds, because, evidence } = &record.event {
            let mark = if *holds { "✓" } else { "✗" };
            let (check, because) = (escaped(check), escaped(because));
            put(page, format_args!("<li>{mark} <b>{check}</b> {because}"));
            for n in evidence {
                if at_length {
                    put(page, format_args!(" <a href=\"#n{n}\">{n}</a>"));
                } else {
                    put(page, format_args!(" {n}"));
                }
            }
            page.push_str("</li>\n");
        }
    }
    page.push_str("</ul>\n");
    if at_length {
        transcript(page, records);
    } else if let [first, .., last] = records {
        let (first, last) = (first.n, last.n);
        put(page, format_args!("<p>records {first} to {last} of <code>events.jsonl</code></p>\n"));
    }
    page.push_str("</details>\n");
}

/// What happened, with the number of each record and the virtual time in seconds.
fn transcript(page: &mut String, records: &[Record]) {
    page.push_str("<pre>");
    for record in records {
        let Some((link, text)) = shown(&record.event) else { continue };
        let (n, seconds) = (record.n, record.at_us as f64 / 1e6);
        put(page, format_args!("<span id=\"n{n}\">{n:>7} {seconds:>10.3}  {}", escaped(&link)));
        for (place, line) in text.iter().take(LINES_SHOWN).enumerate() {
            let gap = if place == 0 { "  ".to_owned() } else { format!("{:>22}", "") };
            put(page, format_args!("{gap}{}\n", escaped(line)));
        }
        if text.len() > LINES_SHOWN {
            let more = text.len() - LINES_SHOWN;
            put(page, format_args!("{:>22}… {more} more lines\n", ""));
        }
        page.push_str("</span>");
    }
    page.push_str("</pre>\n");
}

/// On which link an event was, and what it was, line by line; nothing for what is shown elsewhere.
fn shown(event: &Event) -> Option<(String, Vec<String>)> {
    let one = |link: &str, text: String| Some((link.to_owned(), vec![text]));
    match event {
        Event::Open { link, outcome } => one(link, format!("connection: {outcome}")),
        Event::Octets { link, way, withheld, data } => {
            let arrow = if *way == Way::Forward { '→' } else { '←' };
            let lost = if *withheld { " (kept from arriving)" } else { "" };
            let octets = data.bytes();
            let line = |line: &[u8]| {
                let cut = if line.len() > OCTETS_SHOWN { "…" } else { "" };
                let head = &line[..line.len().min(OCTETS_SHOWN)];
                format!("{arrow} {}{cut}{lost}", head.escape_ascii())
            };
            let lines = octets.split_inclusive(|octet| *octet == b'\n').map(line).collect();
            Some((link.clone(), lines))
        }
        Event::Tls { link, peer, problem, .. } => {
            let proved = format!("TLS with {peer}, whose certificate is as it must be");
            one(link, problem.as_ref().map_or(proved, |problem| format!("TLS failed: {problem}")))
        }
        Event::End { link, way, how } => {
            let arrow = if *way == Way::Forward { '→' } else { '←' };
            let how = if *how == How::Eof { "in order" } else { "by a reset" };
            one(link, format!("{arrow} the end, {how}"))
        }
        Event::Silence { link } => one(link, "the suite waited in vain".into()),
        Event::Network { link, verb } => one(link, format!("the suite: {verb}")),
        Event::Mark { name, .. } => one("", format!("mark: {name}")),
        Event::Asked { node, request, answer } => one(node, format!("{request}: {answer}")),
        Event::Died { node, reason } => one(node, format!("died: {reason}")),
        Event::Stopped { stop } => one("", format!("stopped: {}", stop.reason())),
        _ => None,
    }
}

/// Every clause, and the cases that verify it.
fn clauses(page: &mut String, told: &[Told<'_>]) {
    put(page, format_args!("<h2 id=\"clauses\">Clauses and their cases</h2>\n"));
    let mut by_clause: BTreeMap<&str, Vec<&Told<'_>>> = BTreeMap::new();
    for told in told {
        for clause in &told.case.verifies {
            by_clause.entry(clause).or_default().push(told);
        }
    }
    for (clause, members) in by_clause {
        let sentence = escaped(cases::clause(clause).unwrap_or_default());
        put(
            page,
            format_args!("<p class=\"clause\" id=\"{clause}\"><b>{clause}</b> {sentence}<br>"),
        );
        for told in members {
            let (id, word) = (&told.case.id, told.verdict.name());
            put(page, format_args!(" <a class=\"{word}\" href=\"#{id}\">{id}</a>"));
        }
        page.push_str("</p>\n");
    }
}

fn put(page: &mut String, text: core::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("a string takes text");
}

/// A text that may have come from outside, without what a browser would obey.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in harmless(text).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::page;
    use crate::event::{Event, Octets, Record, Way};
    use crate::verdict::{Exit, Verdict};

    fn records(events: Vec<Event>) -> Vec<Record> {
        let number = |(n, event)| Record { n, at_us: 0, wall_us: 0, event };
        (0..).zip(events).map(number).collect()
    }

    #[test]
    fn failures_come_first_with_the_wire_and_nothing_from_it_is_obeyed() {
        let known = crate::cases::all().expect("the cases are sound");
        let start = |case: &str| Event::CaseStart { case: case.into(), security: None };
        let end = |case: &str, verdict| Event::CaseEnd {
            case: case.into(),
            verdict,
            reason: "expected 250, got `<b>`".into(),
        };
        let data = Octets::of(b"550 <script>alert(1)</script>\r\n");
        let said = Event::Octets { link: "client#1".into(), way: Way::Back, withheld: false, data };
        let page = page(
            &records(vec![
                start("smtp.noop.01"),
                end("smtp.noop.01", Verdict::Pass),
                start("smtp.rset.01"),
                said,
                end("smtp.rset.01", Verdict::Fail),
                Event::RunEnd { exit: Exit::NonConformant },
            ]),
            &known,
        );
        let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("no `{text}` in {page}"));
        assert!(place("id=\"smtp.rset.01\" open") < place("id=\"smtp.noop.01\""), "{page}");
        assert!(place("550 &lt;script&gt;alert(1)") > place("id=\"smtp.rset.01\""), "{page}");
        assert!(!page.contains("<script>alert") && !page.contains("got `<b>`"), "{page}");
        // From the case to the clause, and back.
        assert!(place("href=\"#RFC5321:4.1.1.5\"") < place("id=\"RFC5321:4.1.1.5\""), "{page}");
        assert!(page.contains("<a class=\"fail\" href=\"#smtp.rset.01\">"), "{page}");
        assert!(page.contains("not conformant (exit 1)"), "{page}");
    }
}
