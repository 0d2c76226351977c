//! Parts of a state. Most steps change one member: the states share the others, and hash each part once.

use core::hash::{Hash, Hasher};
use core::ops::Deref;
use std::collections::BTreeMap;
use std::hash::DefaultHasher;
use std::sync::{Arc, Mutex, Weak};

/// Part of a state. It is open while a step goes on, and sealed before the state is looked at.
#[derive(Clone, Debug)]
pub(crate) struct Kept<T> {
    value: Arc<T>,
    print: Option<u64>,
}

impl<T> Kept<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: Arc::new(value), print: None }
    }

    pub(crate) fn change(&mut self) -> &mut T
    where
        T: Clone,
    {
        self.print = None;
        Arc::make_mut(&mut self.value)
    }

    fn print(&self) -> u64 {
        self.print.expect("a state is sealed before it is compared")
    }
}

impl<T> Deref for Kept<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Hash for Kept<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.print().hash(state);
    }
}

impl<T> PartialEq for Kept<T> {
    fn eq(&self, other: &Self) -> bool {
        self.print() == other.print()
    }
}

impl<T> Eq for Kept<T> {}

/// The parts that states have, by their hash. The checker, too, takes states with the same hash for one.
#[derive(Debug)]
pub(crate) struct Parts<T>(Mutex<Known<T>>);

#[derive(Debug)]
struct Known<T> {
    parts: BTreeMap<u64, Weak<T>>,
    /// At so many parts those are dropped that no state has any more.
    full: usize,
}

impl<T> Default for Parts<T> {
    fn default() -> Self {
        Self(Mutex::new(Known { parts: BTreeMap::new(), full: 1_000 }))
    }
}

impl<T: Hash> Parts<T> {
    /// Hashes what a step has changed, and shares it with the states that have it alike.
    pub(crate) fn seal(&self, parts: &mut [Kept<T>]) {
        for part in parts.iter_mut().filter(|part| part.print.is_none()) {
            let mut hasher = DefaultHasher::new();
            part.value.hash(&mut hasher);
            let print = hasher.finish();
            let mut known = self.0.lock().expect("nobody panics with the parts in hand");
            if let Some(shared) = known.parts.get(&print).and_then(Weak::upgrade) {
                part.value = shared;
            } else {
                known.insert(print, &part.value);
            }
            part.print = Some(print);
        }
    }
}

impl<T> Known<T> {
    fn insert(&mut self, print: u64, part: &Arc<T>) {
        if self.parts.len() >= self.full {
            self.parts.retain(|_, part| part.strong_count() > 0);
            self.full = 1_000 + 2 * self.parts.len();
        }
        self.parts.insert(print, Arc::downgrade(part));
    }
}
