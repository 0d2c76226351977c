//! Pictures: the topology with its states and a route, and how news of one failure spreads.
//!
//! Each picture is one file that needs nothing from elsewhere, and a pure function of what it shows: the
//! same table and the same trace give the same octets.

pub mod chart;
pub mod layout;
pub mod reading;
pub mod spread;
pub mod story;
pub mod svg;
mod talks;
pub mod topology;

pub use chart::{Chart, Label, illegible};
pub use reading::Reading;
pub use spread::{Spread, page};
pub use story::{Arrow, Column, Event, Kind, Only, Part, Story, Word};
pub use svg::{Area, Point, escaped};
pub use topology::{Edge, LEGIBLE_GROUPS, Line, Node, Route, Topology, records_of};

use alloc::string::String;
use std::path::Path;

/// Draws a story as a file of that name wants it: SVG where it ends so, otherwise a page.
#[must_use]
pub fn draw(story: &Story, title: &str, path: &Path) -> String {
    if path.extension().is_some_and(|end| end.eq_ignore_ascii_case("svg")) {
        Spread::of(story).svg(title)
    } else {
        page(story, title)
    }
}
