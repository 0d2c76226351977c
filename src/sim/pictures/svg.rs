//! Writes SVG: one file, no network, readable on a light and on a dark page.

use alloc::format;
use alloc::string::String;
use core::fmt::{self, Write as _};

/// The height of ordinary text.
pub const TEXT_SIZE: f64 = 12.0;
/// The height of small text.
pub const SMALL_SIZE: f64 = 10.5;
/// How wide a character is at most, on the average of a word, as a part of its height.
const CHARACTER_WIDTH: f64 = 0.64;

/// How wide a text is, with a little to spare.
#[must_use]
pub fn width_of(text: &str, size: f64) -> f64 {
    let characters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    f64::from(characters) * size * CHARACTER_WIDTH
}

/// A place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// To the right.
    pub x: f64,
    /// Downwards.
    pub y: f64,
}

/// A rectangle, by its middle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// Its middle.
    pub middle: Point,
    /// Its width.
    pub width: f64,
    /// Its height.
    pub height: f64,
}

impl Area {
    /// Whether two rectangles share a place, when each is `margin` wider on every side.
    #[must_use]
    pub fn overlaps(&self, other: &Self, margin: f64) -> bool {
        let (dx, dy) = (self.middle.x - other.middle.x, self.middle.y - other.middle.y);
        dx.abs() < (self.width + other.width) / 2.0 + 2.0 * margin
            && dy.abs() < (self.height + other.height) / 2.0 + 2.0 * margin
    }

    /// Whether a place is inside.
    #[must_use]
    pub fn contains(&self, point: Point) -> bool {
        (point.x - self.middle.x).abs() <= self.width / 2.0
            && (point.y - self.middle.y).abs() <= self.height / 2.0
    }
}

/// Text that stands in a document, escaped.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // XML has no form for other control characters.
            c if c.is_control() && c != '\n' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// What is drawn so far.
#[derive(Debug, Default)]
pub struct Svg {
    body: String,
}

impl Svg {
    /// Adds a piece of the document.
    pub fn put(&mut self, piece: fmt::Arguments<'_>) {
        self.body.write_fmt(piece).expect("a string takes text");
    }

    /// Begins an element group with a class, what else stands in its tag, and a title that a pointer shows.
    pub fn begin(&mut self, class: &str, more: &str, title: &str) {
        let title = escaped(title);
        self.put(format_args!("<g class=\"{class}\"{more}><title>{title}</title>\n"));
    }

    /// Ends the group.
    pub fn end(&mut self) {
        self.put(format_args!("</g>\n"));
    }

    /// Text, by the middle of its line.
    pub fn text(&mut self, at: Point, class: &str, anchor: &str, text: &str) {
        let text = escaped(text);
        let Point { x, y } = at;
        self.put(format_args!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>\n"
        ));
    }

    /// A straight line.
    pub fn line(&mut self, class: &str, from: Point, to: Point) {
        self.put(format_args!(
            "<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>\n",
            from.x, from.y, to.x, to.y
        ));
    }

    /// A rectangle with round corners.
    pub fn rectangle(&mut self, class: &str, area: &Area, round: f64) {
        let Area { middle, width, height } = area;
        self.put(format_args!(
            "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{round}\"/>\n",
            middle.x - width / 2.0,
            middle.y - height / 2.0,
        ));
    }

    /// The head of an arrow with its point at `tip`, coming from `tail`.
    pub fn head(&mut self, class: &str, tail: Point, tip: Point, size: f64) {
        let (dx, dy) = (tip.x - tail.x, tip.y - tail.y);
        let length = (dx * dx + dy * dy).sqrt().max(0.001);
        let (dx, dy) = (dx / length * size, dy / length * size);
        let (x, y) = (tip.x, tip.y);
        self.put(format_args!(
            "<polygon class=\"{class}\" points=\"{x:.1},{y:.1} {:.1},{:.1} {:.1},{:.1}\"/>\n",
            x - dx - dy * 0.45,
            y - dy + dx * 0.45,
            x - dx + dy * 0.45,
            y - dy - dx * 0.45,
        ));
    }

    /// The whole document.
    #[must_use]
    pub fn document(self, width: f64, height: f64, title: &str, style: &str) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\">\n<title>{}</title>\n<style>\n{style}</style>\n\
             <rect class=\"page\" width=\"100%\" height=\"100%\"/>\n{}</svg>\n",
            escaped(title),
            self.body
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_in_xml_is_escaped() {
        assert_eq!(escaped("a<b>&\"c\"\u{1}"), "a&lt;b&gt;&amp;&quot;c&quot;\u{fffd}");
    }

    #[test]
    fn areas_overlap_where_they_share_a_place() {
        let area = |x| Area { middle: Point { x, y: 0.0 }, width: 10.0, height: 10.0 };
        assert!(area(0.0).overlaps(&area(9.0), 0.0));
        assert!(!area(0.0).overlaps(&area(10.0), 0.0));
        assert!(area(0.0).overlaps(&area(10.0), 1.0));
        assert!(area(0.0).contains(Point { x: 5.0, y: -5.0 }));
    }
}
