//! Draws a topology.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::layout::place;
use super::svg::{Area, Point, SMALL_SIZE, Svg, TEXT_SIZE, width_of};
use super::topology::{Edge, LEGIBLE_GROUPS, Line, Topology};

/// The height of the box of a group.
const BOX_HEIGHT: f64 = 30.0;
/// How far a connector bends to its right, so that it does not hide the one that comes back.
const BEND: f64 = 0.11;
/// Room around everything.
const BORDER: f64 = 28.0;
/// Title and route above the picture.
const TITLE_HEIGHT: f64 = 46.0;
/// The legend below it.
const LEGEND_HEIGHT: f64 = 46.0;
/// The head of an arrow.
const HEAD: f64 = 9.0;
/// Where on its connector a label may stand, as a part of the way; the first free place is taken.
const LABEL_PLACES: [f64; 9] = [0.34, 0.42, 0.27, 0.5, 0.58, 0.2, 0.66, 0.74, 0.82];
/// How far beside its connector.
const LABEL_ASIDE: [f64; 5] = [0.0, 11.0, -11.0, 20.0, -20.0];

const STYLE: &str = include_str!("topology.css");

/// A label of a connector.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// Its text.
    pub text: String,
    /// Where it stands.
    pub area: Area,
}

/// A picture before it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// The boxes of the groups.
    pub boxes: Vec<Area>,
    /// The labels of the connectors, by their places; none where nothing is free.
    pub labels: Vec<Option<Label>>,
    curves: Vec<Curve>,
    /// The lowest and the greatest place of everything.
    bounds: (Point, Point),
}

/// How a connector runs.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Curve {
    from: Point,
    bend: Point,
    to: Point,
}

impl Curve {
    fn between(from: &Area, to: &Area) -> Self {
        let (a, b) = (from.middle, to.middle);
        let (dx, dy) = (b.x - a.x, b.y - a.y);
        let bend = Point { x: (a.x + b.x) / 2.0 - dy * BEND, y: (a.y + b.y) / 2.0 + dx * BEND };
        let whole = Self { from: a, bend, to: b };
        // From the border of one box to that of the other.
        let steps = || (0..=200_u32).map(|step| f64::from(step) / 200.0);
        let start = steps().find(|t| !from.contains(whole.at(*t))).unwrap_or(0.0);
        let end = steps().rev().find(|t| !to.contains(whole.at(*t))).unwrap_or(1.0);
        whole.part(start, end.max(start))
    }

    fn at(&self, t: f64) -> Point {
        let mix = |a: f64, b: f64, c: f64| {
            (1.0 - t) * (1.0 - t) * a + 2.0 * t * (1.0 - t) * b + t * t * c
        };
        Point {
            x: mix(self.from.x, self.bend.x, self.to.x),
            y: mix(self.from.y, self.bend.y, self.to.y),
        }
    }

    fn part(&self, start: f64, end: f64) -> Self {
        let (from, to) = (self.at(start), self.at(end));
        let toward = |a: f64, b: f64, c: f64| {
            // The bend of a part is where the tangents of its ends meet.
            (1.0 - start) * (1.0 - end) * a
                + (start + end - 2.0 * start * end) * b
                + start * end * c
        };
        let bend = Point {
            x: toward(self.from.x, self.bend.x, self.to.x),
            y: toward(self.from.y, self.bend.y, self.to.y),
        };
        Self { from, bend, to }
    }
}

/// What stands beside a connector.
fn label(edge: &Edge) -> String {
    match edge.line {
        Line::Up => format!("{}", edge.cost),
        Line::Down => format!("{} DOWN", edge.cost),
        line => format!("{} {}", edge.cost, line.as_str()),
    }
}

impl Chart {
    /// Lays a topology out.
    #[must_use]
    pub fn of(topology: &Topology) -> Self {
        let size = |name: &str| (f64::max(46.0, width_of(name, TEXT_SIZE) + 18.0), BOX_HEIGHT);
        let sizes: Vec<_> = topology.nodes.iter().map(|node| size(node.name.as_str())).collect();
        let edges: Vec<_> = topology.edges.iter().map(|edge| (edge.from, edge.to)).collect();
        let boxes = place(&sizes, &edges);
        let curves: Vec<Curve> =
            edges.iter().map(|(from, to)| Curve::between(&boxes[*from], &boxes[*to])).collect();
        let mut chart = Self { boxes, labels: Vec::new(), curves, bounds: BOUNDS };
        let is_legible = topology.nodes.len() <= LEGIBLE_GROUPS;
        for (place, edge) in topology.edges.iter().enumerate() {
            let label = is_legible.then(|| chart.free_label(place, label(edge))).flatten();
            chart.labels.push(label);
        }
        chart.measure();
        chart
    }

    /// The first place for a label where nothing else stands.
    fn free_label(&self, place: usize, text: String) -> Option<Label> {
        let curve = &self.curves[place];
        let (width, height) = (width_of(&text, SMALL_SIZE) + 4.0, SMALL_SIZE + 3.0);
        let (dx, dy) = (curve.to.x - curve.from.x, curve.to.y - curve.from.y);
        let length = f64::max((dx * dx + dy * dy).sqrt(), 1.0);
        let places =
            LABEL_ASIDE.iter().flat_map(|aside| LABEL_PLACES.iter().map(move |t| (*aside, *t)));
        let area = |(aside, t): (f64, f64)| {
            let on = curve.at(t);
            let middle = Point { x: on.x - dy / length * aside, y: on.y + dx / length * aside };
            Area { middle, width, height }
        };
        let is_free = |area: &Area| {
            let others = self.labels.iter().flatten().map(|label| &label.area);
            self.boxes.iter().chain(others).all(|other| !area.overlaps(other, 0.5))
        };
        places.map(area).find(is_free).map(|area| Label { text, area })
    }

    fn measure(&mut self) {
        let labels = self.labels.iter().flatten().map(|label| &label.area);
        let corners = self.boxes.iter().chain(labels).flat_map(|area| {
            let (x, y) = (area.width / 2.0, area.height / 2.0);
            let Point { x: left, y: top } = area.middle;
            [Point { x: left - x, y: top - y }, Point { x: left + x, y: top + y }]
        });
        let bends = self.curves.iter().map(|curve| curve.at(0.5));
        for Point { x, y } in corners.chain(bends) {
            let (low, high) = &mut self.bounds;
            (low.x, low.y) = (low.x.min(x), low.y.min(y));
            (high.x, high.y) = (high.x.max(x), high.y.max(y));
        }
        if self.boxes.is_empty() {
            self.bounds = (Point { x: 0.0, y: 0.0 }, Point { x: 0.0, y: 0.0 });
        }
    }

    /// The picture as one SVG document.
    #[must_use]
    pub fn svg(&self, topology: &Topology) -> String {
        let mut svg = Svg::default();
        let notes = notes(topology);
        let (low, high) = self.bounds;
        let widest =
            notes.iter().map(|note| width_of(note, TEXT_SIZE)).fold(LEGEND_WIDTH, f64::max);
        let width = f64::max(high.x - low.x, widest) + 2.0 * BORDER;
        let height = (high.y - low.y) + 2.0 * BORDER + TITLE_HEIGHT + LEGEND_HEIGHT;
        svg.text(Point { x: BORDER, y: 24.0 }, "title", "start", &topology.title);
        for (line, note) in (0_u32..).zip(&notes) {
            let y = 42.0 + 16.0 * f64::from(line);
            svg.text(Point { x: BORDER, y }, "note", "start", note);
        }
        let left = (width - (high.x - low.x)) / 2.0 - low.x;
        let top = BORDER + TITLE_HEIGHT - low.y;
        svg.put(format_args!("<g transform=\"translate({left:.1} {top:.1})\">\n"));
        // What the route covers lies below everything else.
        let routed = topology.edges.iter().zip(&self.curves).filter(|(edge, _)| edge.is_on_route);
        routed.for_each(|(_, curve)| draw_curve(&mut svg, "route", curve));
        for (edge, curve) in topology.edges.iter().zip(&self.curves) {
            draw_edge(&mut svg, edge, curve);
        }
        for (node, area) in topology.nodes.iter().zip(&self.boxes) {
            let class = if node.is_known { "group" } else { "group unknown" };
            svg.begin(class, "", &node.detail);
            svg.rectangle("box", area, 6.0);
            if topology.nodes.len() <= LEGIBLE_GROUPS {
                let at = Point { y: area.middle.y + 4.0, ..area.middle };
                svg.text(at, "name", "middle", node.name.as_str());
            }
            svg.end();
        }
        for (edge, label) in topology.edges.iter().zip(&self.labels) {
            let Some(label) = label else { continue };
            let at = Point { y: label.area.middle.y + 3.6, ..label.area.middle };
            svg.text(at, &format!("cost {}", edge.line.as_str()), "middle", &label.text);
        }
        svg.put(format_args!("</g>\n"));
        legend(&mut svg, height - LEGEND_HEIGHT + 8.0);
        svg.document(width, height, &topology.title, STYLE)
    }
}

const BOUNDS: (Point, Point) = (
    Point { x: f64::INFINITY, y: f64::INFINITY },
    Point { x: f64::NEG_INFINITY, y: f64::NEG_INFINITY },
);

/// How wide the legend is.
const LEGEND_WIDTH: f64 = 590.0;

/// What is said below the title.
fn notes(topology: &Topology) -> Vec<String> {
    let mut notes: Vec<String> = topology.route.iter().map(super::topology::Route::words).collect();
    if let Some(note) = illegible(topology) {
        notes.push(note);
    }
    notes
}

/// What is to be said of a picture with more groups than can be read.
#[must_use]
pub fn illegible(topology: &Topology) -> Option<String> {
    let groups = topology.nodes.len();
    (groups > LEGIBLE_GROUPS).then(|| {
        format!("{groups} groups: names and costs of more than {LEGIBLE_GROUPS} show under the pointer only")
    })
}

fn draw_curve(svg: &mut Svg, class: &str, curve: &Curve) {
    let Curve { from, bend, to } = curve;
    svg.put(format_args!(
        "<path class=\"{class}\" d=\"M{:.1} {:.1}Q{:.1} {:.1} {:.1} {:.1}\"/>\n",
        from.x, from.y, bend.x, bend.y, to.x, to.y
    ));
}

fn draw_edge(svg: &mut Svg, edge: &Edge, curve: &Curve) {
    svg.begin(&format!("connector {}", edge.line.as_str()), "", &edge.detail);
    draw_curve(svg, "line", curve);
    svg.head("head", curve.at(0.96), curve.to, HEAD);
    svg.end();
}

fn legend(svg: &mut Svg, y: f64) {
    let samples = [
        ("up", "UP"),
        ("down", "DOWN: infinite cost"),
        ("persistent", "broken, UP in the table"),
        ("retry", "retrying"),
        ("route", "route"),
    ];
    let mut x = BORDER;
    for (class, words) in samples {
        let (from, to) = (Point { x, y }, Point { x: x + 26.0, y });
        let line = if class == "route" { "route" } else { "line" };
        svg.put(format_args!("<g class=\"connector {class}\">\n"));
        svg.line(line, from, to);
        if class != "route" {
            svg.head("head", from, to, HEAD);
        }
        svg.end();
        svg.text(Point { x: x + 32.0, y: y + 4.0 }, "note", "start", words);
        x += 32.0 + width_of(words, SMALL_SIZE) + 18.0;
    }
    let about = "costs stand near the group that a connector leaves; the pointer shows more";
    svg.text(Point { x: BORDER, y: y + 22.0 }, "note", "start", about);
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::wire::record::Record;

    /// A grid of groups with connectors both ways between neighbours.
    pub(super) fn grid(columns: usize, rows: usize) -> Topology {
        let name = |column: usize, row: usize| format!("G{row:02}-{column:02}");
        let places = (0..rows).flat_map(|row| (0..columns).map(move |column| (column, row)));
        let records: Vec<Record> = places
            .map(|(column, row)| {
                let beside = [
                    (column.wrapping_sub(1), row),
                    (column + 1, row),
                    (column, row.wrapping_sub(1)),
                    (column, row + 1),
                ];
                let near = beside.into_iter().filter(|(c, r)| *c < columns && *r < rows);
                let own = name(column, row);
                let connectors: Vec<_> = near
                    .map(|(c, r)| {
                        let far = name(c, r);
                        let state = if (c + r) % 7 == 0 { "DOWN" } else { "UP" };
                        json!({"name": format!("{own}-{far}"), "to": far, "cost": 10, "state": state, "sources": ["m"]})
                    })
                    .collect();
                let term = json!({"counter": 1, "member": "m", "nonce": 0});
                let record = json!({
                    "group": own, "uuid": own, "members": [["m", true]], "connectors": connectors,
                    "version": {"term": term, "major": 1, "minor": 0, "user": 0},
                });
                serde_json::from_value(record).expect("it is a record")
            })
            .collect();
        Topology::of_records(String::from("a grid"), &records, &BTreeMap::new())
    }

    fn assert_legible(topology: &Topology) {
        let chart = Chart::of(topology);
        let labels: Vec<&Area> = chart.labels.iter().flatten().map(|label| &label.area).collect();
        assert_eq!(labels.len(), topology.edges.len(), "each connector has its label");
        for (place, one) in labels.iter().enumerate() {
            let others = labels[place + 1..].iter().copied().chain(&chart.boxes);
            for other in others {
                assert!(!one.overlaps(other, 0.0), "{one:?} hides {other:?}");
            }
        }
    }

    #[test]
    fn nothing_hides_a_label() {
        for (columns, rows) in [(2, 2), (4, 3), (5, 5), (10, 10)] {
            assert_legible(&grid(columns, rows));
        }
    }

    #[test]
    fn more_groups_than_can_be_read_are_said_to_be_so() {
        let topology = grid(13, 8);
        let note = illegible(&topology).expect("104 groups are many");
        assert!(note.starts_with("104 groups: "), "{note}");
        let svg = Chart::of(&topology).svg(&topology);
        assert!(svg.contains(&note) && svg.contains("<title>G00-00\n"), "the pointer shows names");
        assert_eq!(illegible(&grid(10, 10)), None);
    }

    #[test]
    fn every_group_and_connector_has_a_title_and_its_class() {
        let topology = grid(3, 3);
        let svg = Chart::of(&topology).svg(&topology);
        let titles = svg.matches("<title>").count();
        assert_eq!(titles, 1 + topology.nodes.len() + topology.edges.len());
        let down = topology.edges.iter().filter(|edge| edge.line == Line::Down).count();
        // One more is in the legend.
        assert_eq!(svg.matches("class=\"connector down\"").count(), down + 1);
        assert_eq!(svg, Chart::of(&topology).svg(&topology), "the same picture twice");
    }
}
