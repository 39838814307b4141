//! Ready tasks, taken in the order of their numbers.
//!
//! The numbers are a depth-first order of the graph. Whoever takes the lowest first finishes what is begun
//! before it begins something else, so that few values are alive at a time, and the order does not
//! depend on when a task became ready.

/// A set of small numbers: bits in words, and above each 64 words a word that tells which of them are not
/// empty, up to a single one.
#[derive(Debug, Clone, Default)]
pub(super) struct ReadySet {
    levels: Vec<Vec<u64>>,
    count: usize,
}

const BITS: usize = 64;

impl ReadySet {
    /// A set for numbers below `bound`.
    pub(super) fn new(bound: usize) -> Self {
        let mut levels = Vec::new();
        let mut words = bound;
        while {
            words = words.div_ceil(BITS).max(1);
            levels.push(vec![0; words]);
            words > 1
        } {}
        ReadySet { levels, count: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Adds a number that is not in the set.
    #[inline]
    pub(super) fn insert(&mut self, number: u32) {
        self.count += 1;
        let mut position = number as usize;
        for level in &mut self.levels {
            let word = &mut level[position / BITS];
            let was_empty = *word == 0;
            *word |= 1 << (position % BITS);
            if !was_empty {
                return;
            }
            position /= BITS;
        }
    }

    /// Removes a number; whether it was in the set.
    #[inline]
    pub(super) fn remove(&mut self, number: u32) -> bool {
        let mut position = number as usize;
        if self.levels[0][position / BITS] >> (position % BITS) & 1 == 0 {
            return false;
        }
        self.count -= 1;
        for level in &mut self.levels {
            let word = &mut level[position / BITS];
            *word &= !(1 << (position % BITS));
            if *word != 0 {
                break;
            }
            position /= BITS;
        }
        true
    }

    /// The lowest number.
    #[inline]
    pub(super) fn first(&self) -> Option<u32> {
        if self.count == 0 {
            return None;
        }
        let down =
            |position: usize, level: &Vec<u64>| position * BITS + level[position].trailing_zeros() as usize;
        Some(self.levels.iter().rev().fold(0, down) as u32)
    }

    /// The highest number.
    pub(super) fn last(&self) -> Option<u32> {
        if self.count == 0 {
            return None;
        }
        let down = |position: usize, level: &Vec<u64>| {
            position * BITS + (BITS - 1 - level[position].leading_zeros() as usize)
        };
        Some(self.levels.iter().rev().fold(0, down) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn it_is_an_ordered_set(
            bound in 1u32..20_000,
            moves in prop::collection::vec((any::<u32>(), 0..4u8), 0..300),
        ) {
            let mut set = ReadySet::new(bound as usize);
            let mut model = BTreeSet::new();
            for (number, what) in moves {
                let number = number % bound;
                match what {
                    0 => {
                        let first = set.first();
                        first.map(|first| set.remove(first));
                        prop_assert_eq!(first, model.pop_first());
                    }
                    1 => prop_assert_eq!(set.remove(number), model.remove(&number)),
                    _ => if model.insert(number) { set.insert(number) },
                }
                prop_assert_eq!(set.first(), model.first().copied());
                prop_assert_eq!(set.last(), model.last().copied());
                prop_assert_eq!(set.len(), model.len());
            }
        }
    }
}
