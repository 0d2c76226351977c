//! Draws a story: a column for each member, time downwards, an arrow for everything that was told.
//!
//! Time is not to scale: each moment in which something happens has a row, and a break on the axis says how
//! much time without events it leaves out. So an hour of waiting takes no more room than a second.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::layout::number;
use super::story::{Arrow, Event, Kind, Story, Word};
use super::svg::{Area, Point, SMALL_SIZE, Svg, escaped, width_of};

/// From one column to the next.
const COLUMN: f64 = 176.0;
/// Room for the times.
const AXIS: f64 = 96.0;
/// Names above the columns.
const HEAD_HEIGHT: f64 = 62.0;
/// The least height of a moment.
const ROW: f64 = 19.0;
/// The height of a line of text.
const LINE: f64 = 13.0;
/// The height of a break.
const BREAK: f64 = 26.0;
/// A longer time without events is a break of the axis, in microseconds.
const BREAK_AFTER: u64 = 1_000_000;
/// The most moments that are drawn; what comes later is said to be left out.
pub const MOMENTS_LIMIT: usize = 2_000;
/// The most characters of a label; the pointer shows the rest.
const LABEL_LIMIT: usize = 24;
/// Where on its arrow a label may stand.
const LABEL_PLACES: [f64; 7] = [0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8];

/// The style of the drawing.
pub const STYLE: &str = include_str!("spread.css");

/// A story, and where everything of it stands.
#[derive(Clone, Debug)]
pub struct Spread<'s> {
    /// What is drawn.
    pub story: &'s Story,
    /// How far down each moment is.
    rows: BTreeMap<u64, f64>,
    /// Breaks of the axis: how far down, and what they leave out.
    breaks: Vec<(f64, u64)>,
    height: f64,
    /// How many moments are left out at the end.
    pub left_out: usize,
}

impl<'s> Spread<'s> {
    /// Lays a story out.
    #[must_use]
    pub fn of(story: &'s Story) -> Self {
        let moments = story.moments();
        let mut lines: BTreeMap<(u64, usize), usize> = BTreeMap::new();
        for event in story.events.iter().filter(|event| has_label(story, event)) {
            *lines.entry((event.time, event.column)).or_default() += event.text.len();
        }
        let mut most: BTreeMap<u64, usize> = BTreeMap::new();
        for ((time, _), lines) in lines {
            let most = most.entry(time).or_default();
            *most = lines.max(*most);
        }
        let mut spread = Self {
            story,
            rows: BTreeMap::new(),
            breaks: Vec::new(),
            height: HEAD_HEIGHT + 16.0,
            left_out: moments.len().saturating_sub(MOMENTS_LIMIT),
        };
        let mut last = None;
        for time in moments.into_iter().take(MOMENTS_LIMIT) {
            let gap = time - last.unwrap_or(time);
            if gap > BREAK_AFTER {
                spread.breaks.push((spread.height + BREAK / 2.0 - LINE / 2.0, gap));
                spread.height += BREAK;
            }
            spread.rows.insert(time, spread.height);
            let lines = number(most.get(&time).copied().unwrap_or(0));
            spread.height += f64::max(ROW, lines * LINE + 8.0);
            last = Some(time);
        }
        spread
    }

    /// The times that the axis leaves out, in microseconds.
    pub fn breaks(&self) -> impl Iterator<Item = u64> {
        self.breaks.iter().map(|(_, gap)| *gap)
    }

    fn x(&self, column: usize) -> f64 {
        AXIS + number(column) * COLUMN + 22.0
    }

    fn at(&self, time: u64, column: usize) -> Option<Point> {
        Some(Point { x: self.x(column), y: *self.rows.get(&time)? })
    }

    fn width(&self) -> f64 {
        AXIS + number(self.story.columns.len()) * COLUMN + 16.0
    }

    /// How tall the drawing is.
    #[must_use]
    pub fn height(&self) -> f64 {
        self.height + 16.0
    }

    /// The drawing as one SVG document.
    #[must_use]
    pub fn svg(&self, title: &str) -> String {
        let mut svg = Svg::default();
        self.draw_columns(&mut svg);
        self.draw_axis(&mut svg);
        let labels = self.labels();
        let taken: Vec<Area> = labels.iter().map(|label| label.2).collect();
        self.draw_arrows(&mut svg, taken);
        for event in &self.story.events {
            self.draw_event(&mut svg, event);
        }
        for (event, at, _) in &labels {
            svg.put(format_args!("<g class=\"of {}\">\n", event.kind.class()));
            for (line, text) in event.text.iter().enumerate() {
                let at = Point { x: at.x, y: at.y + number(line) * LINE };
                let class = if line == 0 { "label" } else { "label more" };
                svg.text(at, class, "start", &cut(text));
            }
            svg.end();
        }
        svg.document(self.width(), self.height(), title, STYLE)
    }

    fn draw_columns(&self, svg: &mut Svg) {
        let columns = &self.story.columns;
        let groups: BTreeSet<&str> = columns.iter().map(|column| column.group.as_str()).collect();
        for (turn, group) in groups.into_iter().enumerate() {
            let own = |place: &usize| columns[*place].group == group;
            let (Some(first), Some(last)) =
                ((0..columns.len()).find(own), (0..columns.len()).rev().find(own))
            else {
                continue;
            };
            let width = number(last + 1 - first) * COLUMN;
            let middle =
                Point { x: AXIS + number(first) * COLUMN + width / 2.0, y: self.height() / 2.0 };
            let class = if turn % 2 == 0 { "lane" } else { "lane other" };
            svg.rectangle(class, &Area { middle, width, height: self.height() }, 0.0);
            svg.text(Point { x: middle.x, y: 22.0 }, "group", "middle", group);
        }
        for (place, column) in columns.iter().enumerate() {
            let x = self.x(place);
            svg.text(Point { x, y: 46.0 }, "member", "middle", &column.member);
            let (from, to) = (Point { x, y: HEAD_HEIGHT - 8.0 }, Point { x, y: self.height() });
            svg.line("life", from, to);
        }
    }

    fn draw_axis(&self, svg: &mut Svg) {
        let x = AXIS - 10.0;
        svg.text(Point { x, y: 22.0 }, "time", "end", "seconds");
        svg.text(Point { x, y: 36.0 }, "time", "end", "not to scale");
        let mut last = f64::NEG_INFINITY;
        for (time, y) in &self.rows {
            if y - last >= LINE {
                svg.text(Point { x, y: y + 4.0 }, "time", "end", &seconds(*time));
                last = *y;
            }
        }
        for (y, gap) in &self.breaks {
            let end = self.width();
            svg.put(format_args!(
                "<path class=\"break\" d=\"M0 {y:.1}L{:.1} {y:.1}l6 -5l8 10l6 -5L{end:.1} {y:.1}\"/>\n",
                AXIS - 8.0
            ));
            let words = format!("{} s without events", seconds(*gap));
            svg.text(Point { x: AXIS + 26.0, y: y - 3.0 }, "gap", "start", &words);
        }
    }

    /// The labels of the events, each where the ones before it at its member leave room.
    fn labels(&self) -> Vec<(&'s Event, Point, Area)> {
        let mut used: BTreeMap<(u64, usize), f64> = BTreeMap::new();
        let mut labels = Vec::new();
        for event in self.story.events.iter().filter(|event| has_label(self.story, event)) {
            let Some(dot) = self.at(event.time, event.column) else { continue };
            let used = used.entry((event.time, event.column)).or_default();
            let at = Point { x: dot.x + 9.0, y: dot.y + 4.0 + *used };
            let height = number(event.text.len()) * LINE;
            let widest =
                event.text.iter().map(|t| width_of(&cut(t), SMALL_SIZE)).fold(0.0, f64::max);
            let middle = Point { x: at.x + widest / 2.0, y: dot.y + *used + (height - LINE) / 2.0 };
            *used += height;
            labels.push((event, at, Area { middle, width: widest, height }));
        }
        labels
    }

    fn draw_event(&self, svg: &mut Svg, event: &Event) {
        let Some(at) = self.at(event.time, event.column) else { return };
        let member = &self.story.columns[event.column].member;
        let title = format!("{} s {member}: {}", seconds(event.time), words(event));
        svg.begin(&format!("event {}", event.kind.class()), "", &title);
        // A table that changed is a ring around what it changed by.
        let radius = if event.kind == Kind::TableChanged { 6.5 } else { 4.0 };
        svg.put(format_args!(
            "<circle class=\"dot\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius}\"/>\n",
            at.x, at.y
        ));
        svg.end();
    }

    fn draw_arrows(&self, svg: &mut Svg, mut taken: Vec<Area>) {
        for arrow in &self.story.arrows {
            let Some(from) = self.at(arrow.sent, arrow.from) else { continue };
            let whole = arrow.heard.and_then(|heard| self.at(heard, arrow.to));
            let title = said(self.story, arrow);
            let class = if whole.is_some() { "arrow" } else { "arrow lost" };
            svg.begin(&format!("{class} {}", arrow.word.class()), "", &title);
            // What never came ends on its way.
            let to = whole.unwrap_or_else(|| {
                let side = if arrow.to > arrow.from { 1.0 } else { -1.0 };
                Point { x: from.x + side * COLUMN * 0.3, y: from.y + 8.0 }
            });
            svg.line("way", from, to);
            svg.head("point", from, to, 8.0);
            svg.end();
            if let Some(label) = free_label(arrow, from, to, &taken) {
                taken.push(label);
                let at = Point { x: label.middle.x, y: label.middle.y + 3.5 };
                let text = cut(&arrow.text);
                svg.text(at, &format!("said of {}", arrow.word.class()), "middle", &text);
            }
        }
    }
}

/// The first place along an arrow where no other text stands.
fn free_label(arrow: &Arrow, from: Point, to: Point, taken: &[Area]) -> Option<Area> {
    let (width, height) = (width_of(&cut(&arrow.text), SMALL_SIZE - 1.5), SMALL_SIZE + 1.0);
    LABEL_PLACES.iter().find_map(|t| {
        let middle =
            Point { x: from.x + (to.x - from.x) * t, y: from.y + (to.y - from.y) * t - 2.0 };
        let area = Area { middle, width, height };
        taken.iter().all(|other| !area.overlaps(other, 0.0)).then_some(area)
    })
}

/// That the table changed goes without words beside the record by which it did.
fn has_label(story: &Story, event: &Event) -> bool {
    let same = |other: &&Event| (other.time, other.column) == (event.time, event.column);
    event.kind != Kind::TableChanged
        || !at_time(&story.events, event.time)
            .iter()
            .filter(same)
            .any(|other| matches!(other.kind, Kind::Merged | Kind::Published))
}

/// The events of one moment: they are in order of time.
fn at_time(events: &[Event], time: u64) -> &[Event] {
    let start = events.partition_point(|event| event.time < time);
    let end = events.partition_point(|event| event.time <= time);
    &events[start..end]
}

/// What an event is, on one line.
#[must_use]
pub fn words(event: &Event) -> String {
    let kind = event.kind.words();
    let text = event.text.join(", ");
    if text.starts_with(kind) { text } else { format!("{kind}: {text}") }
}

/// What an arrow is, on one line.
#[must_use]
pub fn said(story: &Story, arrow: &Arrow) -> String {
    let (from, to) = (&story.columns[arrow.from].member, &story.columns[arrow.to].member);
    let (sent, text) = (seconds(arrow.sent), &arrow.text);
    match arrow.heard {
        Some(heard) => format!("{sent} s {from} to {to}, there at {} s: {text}", seconds(heard)),
        None => format!("{sent} s {from} to {to}, not seen there: {text}"),
    }
}

/// Seconds, as exact as the trace has them and no longer than they need to be.
#[must_use]
pub fn seconds(microseconds: u64) -> String {
    let (whole, part) = (microseconds / 1_000_000, microseconds % 1_000_000);
    if part % 1_000 == 0 {
        format!("{whole}.{:03}", part / 1_000)
    } else {
        format!("{whole}.{part:06}")
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LABEL_LIMIT {
        return String::from(text);
    }
    let mut text: String = text.chars().take(LABEL_LIMIT - 1).collect();
    text.push('…');
    text
}

/// A page with the drawing, everything in words below it, and a filter where scripts run.
#[must_use]
pub fn page(story: &Story, title: &str) -> String {
    let spread = Spread::of(story);
    let title_text = escaped(title);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title_text}</title>\n\
         <style>\n{}{STYLE}</style>\n</head>\n<body>\n<h1>{title_text}</h1>\n\
         <p>Columns are members, time runs down. An arrow goes from the moment in which something left one member to that in \
         which all of it was at the other; a dot is something that happened at a member, with a ring where its table \
         changed. Time is not to scale: a break of the axis says what it leaves out.</p>\n",
        include_str!("page.css")
    );
    if spread.left_out > 0 {
        page.push_str(&format!(
            "<p class=\"warning\">{} moments at the end are left out; draw a part of the trace to see them.</p>\n",
            spread.left_out
        ));
    }
    legend(&mut page, story);
    page.push_str("<div class=\"drawing\">\n");
    page.push_str(&spread.svg(title));
    page.push_str("</div>\n<h2>The same in words</h2>\n<table>\n<thead><tr><th>second</th><th>member</th><th>what</th></tr></thead>\n<tbody>\n");
    rows(&mut page, story);
    page.push_str("</tbody>\n</table>\n<script>\n");
    page.push_str(include_str!("page.js"));
    page.push_str("</script>\n</body>\n</html>\n");
    page
}

/// What the colours mean; where scripts run, each can be turned off.
fn legend(page: &mut String, story: &Story) {
    let kinds: BTreeSet<Kind> = story.events.iter().map(|event| event.kind).collect();
    let used: BTreeSet<Word> = story.arrows.iter().map(|arrow| arrow.word).collect();
    page.push_str("<p class=\"legend\">\n");
    for kind in Kind::ALL.iter().filter(|kind| kinds.contains(kind)) {
        let (class, words) = (kind.class(), kind.words());
        page.push_str(&format!(
            "<label class=\"event {class}\"><input type=\"checkbox\" checked hidden data-of=\"{class}\"><b>●</b> {words}</label>\n"
        ));
    }
    for word in used {
        let class = word.class();
        let words = match word {
            Word::News => "NEWS",
            Word::Merged => "MERGED",
            Word::Report => "REPORT",
            Word::Reported => "REPORTED",
            Word::Mail => "mail",
        };
        page.push_str(&format!(
            "<label class=\"arrow {class}\"><input type=\"checkbox\" checked hidden data-of=\"{class}\"><b>→</b> {words}</label>\n"
        ));
    }
    page.push_str("</p>\n");
}

/// Everything, in the order of time.
fn rows(page: &mut String, story: &Story) {
    let events = story.events.iter().map(|event| {
        let member = story.columns[event.column].member.clone();
        (event.time, event.kind.class(), member, words(event))
    });
    let arrows = story.arrows.iter().map(|arrow| {
        let member = story.columns[arrow.from].member.clone();
        (arrow.sent, arrow.word.class(), member, said(story, arrow))
    });
    let mut rows: Vec<_> = events.chain(arrows).collect();
    rows.sort_by_key(|row| row.0);
    for (time, class, member, words) in rows {
        page.push_str(&format!(
            "<tr class=\"row {class}\"><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            seconds(time),
            escaped(&member),
            escaped(&words)
        ));
    }
}
