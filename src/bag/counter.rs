//! How often values occur.

use crate::wire::Value;
use hashbrown::HashMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{borrow::Borrow, hash::Hash};

/// How often each value of a bag occurs.
#[derive(Debug, Clone)]
pub struct Frequencies<K>(HashMap<K, u64>);

impl<K> Default for Frequencies<K> {
    fn default() -> Self {
        Frequencies(HashMap::new())
    }
}

impl<K: Serialize> Serialize for Frequencies<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.0)
    }
}

impl<'de, K: Deserialize<'de> + Hash + Eq> Deserialize<'de> for Frequencies<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Frequencies(Vec::deserialize(deserializer)?.into_iter().collect()))
    }
}

impl Frequencies<String> {
    /// Counts a text, which is copied if it is new.
    #[inline]
    pub(super) fn add_text(&mut self, text: &str) {
        *self.0.entry_ref(text).or_insert(0) += 1;
    }
}

impl<K: Hash + Eq> Frequencies<K> {
    pub(super) fn add(&mut self, value: K) {
        *self.0.entry(value).or_insert(0) += 1;
    }

    /// Adds up both.
    pub(super) fn merge(mut self, mut other: Self) -> Self {
        if self.0.len() < other.0.len() {
            std::mem::swap(&mut self, &mut other);
        }
        for (value, count) in other.0 {
            *self.0.entry(value).or_insert(0) += count;
        }
        self
    }

    /// How many different values there are.
    #[must_use]
    pub fn distinct(&self) -> usize {
        self.0.len()
    }

    /// How many values there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// How often a value occurs.
    #[must_use]
    pub fn get<Q: Hash + Eq + ?Sized>(&self, value: &Q) -> u64
    where
        K: Borrow<Q>,
    {
        self.0.get(value).copied().unwrap_or(0)
    }
}

impl<K: Value + Hash + Ord> Frequencies<K> {
    /// The `n` most frequent values and their counts; of equally frequent ones the least come first.
    #[must_use]
    pub fn top(&self, n: usize) -> Vec<(&K, u64)> {
        let mut all: Vec<(&K, u64)> = self.0.iter().map(|(value, &count)| (value, count)).collect();
        let order = |a: &(&K, u64), b: &(&K, u64)| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0));
        if n < all.len() {
            all.select_nth_unstable_by(n, order);
            all.truncate(n);
        }
        all.sort_unstable_by(order);
        all
    }

    /// All values and their counts, in the order of the values.
    #[must_use]
    pub fn into_vec(self) -> Vec<(K, u64)> {
        let mut all: Vec<(K, u64)> = self.0.into_iter().collect();
        all.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        all
    }
}
