//! Texts and patterns: `*` stands for any characters, and letters are compared without case.

use alloc::string::String;
use alloc::vec::Vec;

use super::Operation;

/// Whether `text` fits `pattern`. Takes at most the product of both lengths in steps, whatever stands in
/// them.
pub(super) fn fits(text: &str, pattern: &str) -> bool {
    let (text, pattern) = (folded(text), folded(pattern));
    let (mut at, mut place) = (0, 0);
    // Where the last `*` stands, and how far the text was when it was met.
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(place) {
            Some('*') => {
                star = Some((place, at));
                place += 1;
            }
            Some(c) if *c == text[at] => {
                at += 1;
                place += 1;
            }
            _ => {
                let Some((star_place, star_at)) = star else { return false };
                star = Some((star_place, star_at + 1));
                (place, at) = (star_place + 1, star_at + 1);
            }
        }
    }
    pattern[place..].iter().all(|c| *c == '*')
}

/// Whether `part` stands in `text`; a `*` in it is a `*`.
pub(super) fn contains(text: &str, part: &str) -> bool {
    let text: String = folded(text).into_iter().collect();
    let part: String = folded(part).into_iter().collect();
    text.contains(&part)
}

/// An operation that says no is the denial of this one.
pub(super) const fn positive(operation: Operation) -> (Operation, bool) {
    match operation {
        Operation::IsNot => (Operation::Is, true),
        Operation::NotIn => (Operation::In, true),
        other => (other, false),
    }
}

fn folded(text: &str) -> Vec<char> {
    text.chars().flat_map(char::to_lowercase).collect()
}
