//! Which keys are taken.

use std::collections::BTreeMap;
use std::ops::Range;

use super::KeyError;

/// The number of values of a word.
const WORDS: u64 = 1 << 32;

/// The keys that are taken, so that no two pieces of work draw the same numbers.
///
/// Keys are compared as words, and a reserved first word is not refused here:
/// that is [`Key`](super::Key)'s business. A run of keys that differ in their
/// last word alone takes the memory of one, however long, also when it was
/// claimed one by one, and a claim takes logarithmic time.
///
/// ```
/// use serried::random::{KeyError, KeyRegistry};
///
/// let mut registry = KeyRegistry::new();
/// registry.claim_range(&[1], 0..1_000_000)?;
/// registry.claim(&[2])?;
/// let error = registry.claim(&[1, 999_999]).unwrap_err();
/// assert_eq!(error, KeyError::UsedTwice { key: vec![1, 999_999] });
/// # Ok::<(), KeyError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRegistry {
    /// Whether the key without words is taken.
    empty: bool,
    /// By all words but the last, the last words that are taken.
    prefixes: BTreeMap<Vec<u32>, Intervals>,
    /// By all words but one, the words below which every longer key is taken.
    below: BTreeMap<Vec<u32>, Intervals>,
}

impl KeyRegistry {
    /// A registry in which every key is free.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one key.
    ///
    /// # Errors
    /// [`KeyError::UsedTwice`] if the key is taken already.
    pub fn claim(&mut self, key: &[u32]) -> Result<(), KeyError> {
        if let Some((&last, prefix)) = key.split_last() {
            return self.claim_range(prefix, u64::from(last)..u64::from(last) + 1);
        }
        if std::mem::replace(&mut self.empty, true) {
            return Err(KeyError::UsedTwice { key: Vec::new() });
        }
        Ok(())
    }

    /// Takes the keys that consist of `prefix` and one word of `range`, all of
    /// them or, if it fails, none. An empty range takes nothing.
    ///
    /// # Errors
    /// [`KeyError::UsedTwice`] with the smallest key that is taken already, and
    /// [`KeyError::ElementTooLarge`] if the range goes beyond 2^32.
    pub fn claim_range(&mut self, prefix: &[u32], range: Range<u64>) -> Result<(), KeyError> {
        if range.is_empty() {
            return Ok(());
        }
        if range.end > WORDS {
            let value = range.start.max(WORDS);
            return Err(KeyError::ElementTooLarge { position: prefix.len(), value });
        }
        if let Some((&last, front)) = prefix.split_last()
            && self.is_below(front, last)
        {
            // Every one of them; the smallest is named.
            let first = range.start as u32;
            return Err(KeyError::UsedTwice { key: prefix.iter().copied().chain([first]).collect() });
        }
        let taken = match self.prefixes.get_mut(prefix) {
            Some(intervals) => intervals.insert(range),
            None => self.prefixes.entry(prefix.to_vec()).or_default().insert(range),
        };
        taken.map_err(|word| KeyError::UsedTwice {
            // Below 2^32, as the end of the range is not beyond it.
            key: prefix.iter().copied().chain([word as u32]).collect(),
        })
    }

    /// Takes the keys that consist of `prefix` and one word of `range`, and every key that begins with one of
    /// them; all of them or, if it fails, none.
    ///
    /// # Errors
    /// As for [`claim_range`](Self::claim_range).
    ///
    /// ```
    /// use serried::random::KeyRegistry;
    ///
    /// let mut registry = KeyRegistry::new();
    /// registry.claim_below(&[1], 0..10)?;
    /// assert!(registry.claim(&[1, 3, 17]).is_err());
    /// registry.claim(&[1, 10, 17])?;
    /// # Ok::<(), serried::random::KeyError>(())
    /// ```
    pub fn claim_below(&mut self, prefix: &[u32], range: Range<u64>) -> Result<(), KeyError> {
        let longer = self.prefixes.range(prefix.to_vec()..).take_while(|(key, _)| key.starts_with(prefix));
        for (front, words) in longer {
            if let (Some(&word), Some(&last)) = (front.get(prefix.len()), words.ends.keys().next())
                && range.contains(&u64::from(word))
            {
                let key = front.iter().copied().chain([last as u32]).collect();
                return Err(KeyError::UsedTwice { key });
            }
        }
        self.claim_range(prefix, range.clone())?;
        if !range.is_empty() {
            let below = self.below.entry(prefix.to_vec()).or_default();
            below.insert(range).expect("none of these keys was taken");
        }
        Ok(())
    }

    /// Whether all keys that begin with `front`, `word` are taken, or with a part of that.
    fn is_below(&self, front: &[u32], word: u32) -> bool {
        if self.below.is_empty() {
            return false;
        }
        let words = front.iter().chain([&word]);
        words.enumerate().any(|(length, &word)| {
            self.below.get(&front[..length]).is_some_and(|words| words.contains(word.into()))
        })
    }
}

/// A set of numbers as intervals that neither overlap nor touch: from start to
/// end, the end excluded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Intervals {
    ends: BTreeMap<u64, u64>,
}

impl Intervals {
    fn contains(&self, number: u64) -> bool {
        self.ends.range(..=number).next_back().is_some_and(|(_, &end)| number < end)
    }

    /// Inserts a range that is not empty, or gives the smallest number of it that
    /// is in the set already.
    fn insert(&mut self, range: Range<u64>) -> Result<(), u64> {
        let Range { mut start, mut end } = range;
        let before = self.ends.range(..=start).next_back().map(|(&start, &end)| start..end);
        let after = self.ends.range(start..end).next().map(|(&start, _)| start);
        if let Some(before) = &before
            && start < before.end
        {
            return Err(start);
        }
        if let Some(after) = after {
            return Err(after);
        }
        if let Some(before) = before
            && before.end == start
        {
            start = before.start;
        }
        if let Some(end_after) = self.ends.remove(&end) {
            end = end_after;
        }
        self.ends.insert(start, end);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_contiguous_run_is_one_interval_in_any_order() {
        let mut registry = KeyRegistry::new();
        for word in [3, 1, 2, 5, 4, 0] {
            registry.claim(&[7, word]).unwrap();
        }
        registry.claim_range(&[7], 6..1000).unwrap();
        assert_eq!(registry.prefixes[&vec![7]].ends, BTreeMap::from([(0, 1000)]));
    }

    #[test]
    fn the_ends_of_the_words_are_keys_like_others() {
        let mut registry = KeyRegistry::new();
        registry.claim_range(&[], 0..WORDS).unwrap();
        let taken = KeyError::UsedTwice { key: vec![u32::MAX] };
        assert_eq!(registry.claim(&[u32::MAX]), Err(taken));
        let beyond = KeyError::ElementTooLarge { position: 1, value: WORDS };
        assert_eq!(registry.claim_range(&[1], 9..WORDS + 1), Err(beyond));
        registry.claim(&[1, 9]).unwrap();
    }

    #[test]
    fn an_empty_range_takes_nothing() {
        let mut registry = KeyRegistry::new();
        registry.claim_range(&[1], 5..5).unwrap();
        #[expect(clippy::reversed_empty_ranges, reason = "the user's mistake to be defined")]
        registry.claim_range(&[1], 6..5).unwrap();
        assert_eq!(registry, KeyRegistry::new());
    }

    #[test]
    fn the_message_names_the_key() {
        let mut registry = KeyRegistry::new();
        registry.claim(&[]).unwrap();
        let message = registry.claim(&[]).unwrap_err().to_string();
        assert!(message.starts_with("the key () was used twice"), "{message}");
    }

    /// A prefix from a small set, and a range of last words.
    fn claims() -> impl Strategy<Value = Vec<(Vec<u32>, Range<u64>)>> {
        let prefix = prop::collection::vec(0..2u32, 0..3);
        let range = (0..60u64, 0..8u64).prop_map(|(start, length)| start..start + length);
        prop::collection::vec((prefix, range), 0..40)
    }

    proptest! {
        #[test]
        fn keys_that_are_taken_with_all_below_them_meet_no_others(
            claims in claims(),
            below in prop::collection::vec(any::<bool>(), 40),
        ) {
            let mut registry = KeyRegistry::new();
            let mut taken: Vec<(Vec<u32>, bool)> = Vec::new();
            for ((prefix, range), below) in claims.into_iter().zip(below) {
                let keys: Vec<Vec<u32>> = range
                    .clone()
                    .map(|word| prefix.iter().copied().chain([word as u32]).collect())
                    .collect();
                let meet = |key: &[u32]| {
                    taken.iter().any(|(other, all)| {
                        other == key || *all && key.starts_with(other) || below && other.starts_with(key)
                    })
                };
                let free = !keys.iter().any(|key| meet(key));
                let claimed = match below {
                    true => registry.claim_below(&prefix, range),
                    false => registry.claim_range(&prefix, range),
                };
                prop_assert_eq!(claimed.is_ok(), free, "{:?} {}", keys, below);
                if free {
                    taken.extend(keys.into_iter().map(|key| (key, below)));
                }
            }
        }

        #[test]
        fn the_registry_agrees_with_a_set_of_keys(claims in claims()) {
            let mut registry = KeyRegistry::new();
            let mut set: HashSet<Vec<u32>> = HashSet::new();
            for (prefix, range) in claims {
                let keys: Vec<Vec<u32>> = range
                    .clone()
                    .map(|word| prefix.iter().copied().chain([word as u32]).collect())
                    .collect();
                let expected = match keys.iter().find(|key| set.contains(*key)) {
                    Some(key) => Err(KeyError::UsedTwice { key: key.clone() }),
                    None => {
                        set.extend(keys);
                        Ok(())
                    }
                };
                // A single key is the same as a range of one.
                let claimed = if range.end - range.start == 1 {
                    let key: Vec<u32> = prefix.iter().copied().chain([range.start as u32]).collect();
                    registry.claim(&key)
                } else {
                    registry.claim_range(&prefix, range)
                };
                prop_assert_eq!(claimed, expected);
            }
            for intervals in registry.prefixes.values() {
                let ends: Vec<_> = intervals.ends.iter().collect();
                prop_assert!(ends.windows(2).all(|pair| pair[0].1 < pair[1].0), "{:?}", ends);
            }
        }
    }
}
