//! Where the groups of a picture stand. The same groups and connectors always stand in the same places:
//! nothing is drawn at random, and beyond the circle only operations are used that are exact everywhere.

use alloc::vec::Vec;
use core::f64::consts::PI;

use super::svg::{Area, Point};

/// The most groups that stand on a circle.
pub const CIRCLE_LIMIT: usize = 12;
/// The most groups whose places follow from forces; more stand in rows.
pub const FORCES_LIMIT: usize = 1_000;
/// The least distance between the boxes of two groups, on every side of each.
pub const MARGIN: f64 = 16.0;
/// How many steps of pairs the forces take in all.
const FORCES_WORK: usize = 12_000_000;
/// How often boxes are pushed apart before everything is drawn larger.
const PUSHES: usize = 400;

/// The places of boxes of these sizes (width, height), joined by these edges.
#[must_use]
pub fn place(sizes: &[(f64, f64)], edges: &[(usize, usize)]) -> Vec<Area> {
    let widest = sizes.iter().map(|size| size.0).fold(0.0, f64::max);
    let mut areas: Vec<Area> = match sizes.len() {
        0..=CIRCLE_LIMIT => circle(sizes.len(), edges, widest),
        count => rows(count, edges, widest),
    }
    .into_iter()
    .zip(sizes)
    .map(|(middle, (width, height))| Area { middle, width: *width, height: *height })
    .collect();
    if (CIRCLE_LIMIT + 1..=FORCES_LIMIT).contains(&areas.len()) {
        settle(&mut areas, edges, widest + 90.0);
        tighten(&mut areas, edges, widest + 70.0);
    }
    // Rows stand apart as they are.
    if areas.len() <= FORCES_LIMIT {
        push_apart(&mut areas);
    }
    areas
}

/// On a circle, in an order by which few connectors cross.
fn circle(count: usize, edges: &[(usize, usize)], widest: f64) -> Vec<Point> {
    if count < 2 {
        return (0..count).map(|_| Point { x: 0.0, y: 0.0 }).collect();
    }
    let seats = seats(count, edges);
    let step = 2.0 * PI / number(count);
    let radius = f64::max(150.0, (widest + 80.0) / step);
    // The first group is at the top left, so that a ring of four stands as a square.
    let angle = |seat: usize| number(seat) * step - 0.75 * PI;
    seats
        .into_iter()
        .map(|seat| Point { x: radius * 1.15 * angle(seat).cos(), y: radius * angle(seat).sin() })
        .collect()
}

/// The seat of each group: seats are swapped while that makes fewer crossings, or shorter ways.
fn seats(count: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut seats: Vec<usize> = (0..count).collect();
    let mut best = untidiness(&seats, edges);
    loop {
        let mut is_better = false;
        for one in 0..count {
            for other in one + 1..count {
                seats.swap(one, other);
                let now = untidiness(&seats, edges);
                if now < best {
                    best = now;
                    is_better = true;
                } else {
                    seats.swap(one, other);
                }
            }
        }
        if !is_better {
            return seats;
        }
    }
}

/// Crossings, then lengths around the circle.
fn untidiness(seats: &[usize], edges: &[(usize, usize)]) -> (usize, usize) {
    let chord = |(a, b): (usize, usize)| (seats[a].min(seats[b]), seats[a].max(seats[b]));
    let chords: Vec<_> = edges.iter().map(|edge| chord(*edge)).collect();
    let crosses = |(a, b): (usize, usize), (c, d): (usize, usize)| {
        (a < c && c < b && b < d) || (c < a && a < d && d < b)
    };
    let crossings = chords
        .iter()
        .enumerate()
        .map(|(place, one)| chords[place + 1..].iter().filter(|two| crosses(*one, **two)).count())
        .sum();
    let lengths = chords.iter().map(|(a, b)| (b - a).min(seats.len() - (b - a))).sum();
    (crossings, lengths)
}

/// In rows to and fro, neighbours near one another.
fn rows(count: usize, edges: &[(usize, usize)], widest: f64) -> Vec<Point> {
    let columns = (1..=count).find(|columns| columns * columns >= count).unwrap_or(1);
    let mut places = alloc::vec![Point { x: 0.0, y: 0.0 }; count];
    for (turn, group) in by_neighbourhood(count, edges).into_iter().enumerate() {
        let (row, column) = (turn / columns, turn % columns);
        let column = if row % 2 == 0 { column } else { columns - 1 - column };
        // A little out of line, as forces never leave a line that they stand on.
        let shift = number(turn * 7_919 % 13);
        places[group] = Point {
            x: number(column) * (widest + 60.0) + shift,
            y: number(row) * 90.0 + number(turn * 104_729 % 11),
        };
    }
    places
}

/// Every group once, breadth first from the first one of each part.
fn by_neighbourhood(count: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut neighbours = alloc::vec![Vec::new(); count];
    for (a, b) in edges {
        neighbours[*a].push(*b);
        neighbours[*b].push(*a);
    }
    let mut order: Vec<usize> = Vec::with_capacity(count);
    let mut seen = alloc::vec![false; count];
    for start in 0..count {
        let mut next = order.len();
        if !core::mem::replace(&mut seen[start], true) {
            order.push(start);
        }
        while let Some(group) = order.get(next).copied() {
            next += 1;
            for neighbour in &neighbours[group] {
                if !core::mem::replace(&mut seen[*neighbour], true) {
                    order.push(*neighbour);
                }
            }
        }
    }
    assert_eq!(order.len(), count, "each group stands somewhere");
    order
}

/// Groups repel one another and connectors draw their ends together, for a fixed number of turns.
fn settle(areas: &mut [Area], edges: &[(usize, usize)], ideal: f64) {
    let turns = (FORCES_WORK / (areas.len() * areas.len())).clamp(20, 300);
    for turn in 0..turns {
        let mut moves = alloc::vec![(0.0, 0.0); areas.len()];
        for one in 0..areas.len() {
            for other in one + 1..areas.len() {
                let (dx, dy, distance) = between(&areas[one], &areas[other]);
                let force = ideal * ideal / distance / distance;
                shift(&mut moves, (one, other), (dx * force, dy * force));
            }
        }
        for (one, other) in edges.iter().filter(|(one, other)| one != other) {
            let (dx, dy, distance) = between(&areas[*one], &areas[*other]);
            let force = -distance / ideal / 2.0;
            shift(&mut moves, (*one, *other), (dx * force, dy * force));
        }
        let farthest = ideal * number(turns - turn) / number(turns);
        for (area, (dx, dy)) in areas.iter_mut().zip(moves) {
            let length = f64::max((dx * dx + dy * dy).sqrt(), 0.001);
            let step = length.min(farthest) / length;
            area.middle.x += dx * step;
            area.middle.y += dy * step;
        }
    }
}

/// The connectors are as long as `wanted` on the average, and what is long lies.
fn tighten(areas: &mut [Area], edges: &[(usize, usize)], wanted: f64) {
    let lengths = edges.iter().filter(|(one, other)| one != other);
    let lengths: Vec<f64> =
        lengths.map(|(one, other)| between(&areas[*one], &areas[*other]).2).collect();
    let mean = lengths.iter().sum::<f64>() / f64::max(number(lengths.len()), 1.0);
    let scale = if mean > wanted { wanted / mean } else { 1.0 };
    let extent = |at: fn(&Area) -> f64| {
        let low = areas.iter().map(at).fold(f64::INFINITY, f64::min);
        areas.iter().map(at).fold(f64::NEG_INFINITY, f64::max) - low
    };
    let is_tall = extent(|area| area.middle.y) > extent(|area| area.middle.x);
    for area in areas {
        let Point { x, y } = area.middle;
        let (x, y) = if is_tall { (y, x) } else { (x, y) };
        area.middle = Point { x: x * scale, y: y * scale };
    }
}

fn between(one: &Area, other: &Area) -> (f64, f64, f64) {
    let (dx, dy) = (one.middle.x - other.middle.x, one.middle.y - other.middle.y);
    (dx, dy, f64::max((dx * dx + dy * dy).sqrt(), 1.0))
}

fn shift(moves: &mut [(f64, f64)], (one, other): (usize, usize), (dx, dy): (f64, f64)) {
    moves[one].0 += dx;
    moves[one].1 += dy;
    moves[other].0 -= dx;
    moves[other].1 -= dy;
}

/// No two boxes stand nearer to one another than the margin.
fn push_apart(areas: &mut [Area]) {
    for _ in 0..PUSHES {
        if !push_once(areas) {
            return;
        }
    }
    while push_once(areas) {
        for area in areas.iter_mut() {
            area.middle.x *= 1.2;
            area.middle.y *= 1.2;
        }
    }
}

fn push_once(areas: &mut [Area]) -> bool {
    let mut has_pushed = false;
    for one in 0..areas.len() {
        for other in one + 1..areas.len() {
            let (a, b) = (areas[one], areas[other]);
            if !a.overlaps(&b, MARGIN) {
                continue;
            }
            has_pushed = true;
            let missing =
                |gap: f64, sizes: f64| (sizes / 2.0 + 2.0 * MARGIN - gap.abs()) / 2.0 + 0.5;
            let (dx, dy) = (a.middle.x - b.middle.x, a.middle.y - b.middle.y);
            let (x, y) = (missing(dx, a.width + b.width), missing(dy, a.height + b.height));
            if x < y {
                let x = if dx < 0.0 { -x } else { x };
                areas[one].middle.x += x;
                areas[other].middle.x -= x;
            } else {
                let y = if dy < 0.0 { -y } else { y };
                areas[one].middle.y += y;
                areas[other].middle.y -= y;
            }
        }
    }
    has_pushed
}

/// A count as a coordinate.
pub(super) fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(count: usize) -> Vec<(usize, usize)> {
        (0..count).map(|group| (group, (group + 1) % count)).collect()
    }

    fn assert_free(areas: &[Area]) {
        for (place, one) in areas.iter().enumerate() {
            for two in &areas[place + 1..] {
                assert!(!one.overlaps(two, MARGIN - 1.0), "{one:?} and {two:?}");
            }
        }
    }

    #[test]
    fn boxes_never_overlap_and_always_stand_in_the_same_places() {
        for count in [1, 2, 5, 12, 13, 40, 100] {
            let sizes = alloc::vec![(70.0, 30.0); count];
            let areas = place(&sizes, &ring(count));
            assert_free(&areas);
            assert_eq!(areas, place(&sizes, &ring(count)));
        }
    }

    #[test]
    fn on_a_circle_few_connectors_cross() {
        // A ring whose names are out of order.
        let edges = [(0, 2), (2, 4), (4, 1), (1, 3), (3, 0)];
        assert_eq!(untidiness(&seats(5, &edges), &edges).0, 0);
    }

    #[test]
    fn boxes_in_one_place_are_pushed_apart() {
        let area = Area { middle: Point { x: 0.0, y: 0.0 }, width: 50.0, height: 20.0 };
        let mut areas = alloc::vec![area; 30];
        push_apart(&mut areas);
        assert_free(&areas);
    }
}
