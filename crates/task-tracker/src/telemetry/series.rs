//! The series of one metric that have been counted in before.
//!
//! To find a series by its labels, the recorder needs them as a key of its own: texts that are copied, hashed and compared.
//! Here they are only looked at, since every request counts in half a dozen.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

/// By a name, of which there are as many as the API has routes, and by what comes in a few kinds for each name.
pub(super) struct Series<K, M>(RwLock<HashMap<String, Vec<(K, M)>>>);

impl<K, M> Default for Series<K, M> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<K: Copy + PartialEq, M: Clone> Series<K, M> {
    /// The series, registered when it is the first time. Two who come at once register it twice, which makes it no other.
    pub(super) fn of(&self, name: &str, kind: K, register: impl FnOnce() -> M) -> M {
        if let Some(known) = self.find(name, kind) {
            return known;
        }
        let registered = register();
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let kinds = all.entry(name.to_owned()).or_default();
        if kinds.iter().all(|(known, _)| *known != kind) {
            kinds.push((kind, registered.clone()));
        }
        registered
    }

    fn find(&self, name: &str, kind: K) -> Option<M> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let (_, known) = all.get(name)?.iter().find(|(known, _)| *known == kind)?;
        Some(known.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_series_is_registered_when_it_is_first_met() {
        let series = Series::default();
        let registered = Cell::new(0);
        let register = |name, kind| {
            series.of(name, kind, || {
                registered.set(registered.get() + 1);
                registered.get()
            })
        };
        let met = [("a", 1), ("a", 2), ("a", 1), ("b", 1), ("b", 1), ("a", 2)];
        assert_eq!(met.map(|(name, kind)| register(name, kind)), [1, 2, 1, 3, 3, 2]);
    }
}
