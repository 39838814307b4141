//! Sets of elements of a source: who has been given which, who has done which, what is missing.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, ops::Range};

/// A set of indices of a source, as the ranges that make it up: none is empty, and none touches another.
///
/// It travels as the lengths of the gaps and the ranges, in a few bytes each. Adding or removing a range takes a look-up and the ranges that it meets.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Packed", into = "Packed")]
pub(crate) struct RangeSet {
    /// The end of each range by its start.
    ends: BTreeMap<u64, u64>,
    count: u64,
}

impl RangeSet {
    /// How many elements there are.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The ranges, from the first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Range<u64>> {
        self.ends.iter().map(|(&start, &end)| start..end)
    }

    /// Adds a range; how many of its elements are new.
    pub(crate) fn insert(&mut self, range: Range<u64>) -> u64 {
        if range.is_empty() {
            return 0;
        }
        let (mut start, mut end, mut known) = (range.start, range.end, 0);
        // Ranges that begin in it or at its end, and the one that begins before it, if it reaches it.
        while let Some((&first, &last)) = self.ends.range(..=range.end).next_back()
            && last >= range.start
        {
            self.ends.remove(&first);
            known += last.min(range.end).saturating_sub(first.max(range.start));
            start = start.min(first);
            end = end.max(last);
        }
        self.ends.insert(start, end);
        let new = range.end - range.start - known;
        self.count += new;
        new
    }

    /// Removes a range; how many of its elements were there.
    pub(crate) fn remove(&mut self, range: Range<u64>) -> u64 {
        let mut removed = 0;
        while !range.is_empty()
            && let Some((&first, &last)) = self.ends.range(..range.end).next_back()
            && last > range.start
        {
            self.ends.remove(&first);
            if last > range.end {
                self.ends.insert(range.end, last);
            }
            removed += last.min(range.end) - first.max(range.start);
            if first < range.start {
                self.ends.insert(first, range.start);
                break;
            }
        }
        self.count -= removed;
        removed
    }

    /// Adds all of another set; how many elements are new.
    pub(crate) fn extend(&mut self, other: &RangeSet) -> u64 {
        other.iter().map(|range| self.insert(range)).sum()
    }

    /// Removes all of another set; how many elements were there.
    pub(crate) fn subtract(&mut self, other: &RangeSet) -> u64 {
        other.iter().map(|range| self.remove(range)).sum()
    }

    /// Whether every element of another set is in this one.
    pub(crate) fn contains(&self, other: &RangeSet) -> bool {
        let has = |range: Range<u64>| {
            self.ends.range(..=range.start).next_back().is_some_and(|(_, &end)| range.end <= end)
        };
        other.iter().all(has)
    }

    /// Whether an element is in it.
    pub(crate) fn has(&self, element: u64) -> bool {
        self.ends.range(..=element).next_back().is_some_and(|(_, &end)| element < end)
    }

    /// Takes the first elements, as many as wanted, or the rest of the first range.
    pub(crate) fn take_front(&mut self, wanted: u64) -> Option<Range<u64>> {
        let first = self.ends.first_entry()?;
        let (start, end) = (*first.key(), *first.get());
        let taken = start..end.min(start.saturating_add(wanted));
        first.remove();
        if taken.end < end {
            self.ends.insert(taken.end, end);
        }
        self.count -= taken.end - taken.start;
        Some(taken)
    }
}

impl From<Range<u64>> for RangeSet {
    fn from(range: Range<u64>) -> Self {
        RangeSet::from_iter([range])
    }
}

/// The gap before each range and its length, seven bits to a byte, the lowest first; the last byte of a number has no
/// eighth bit.
#[derive(Serialize, Deserialize)]
struct Packed(#[serde(with = "crate::wire::bytes")] Vec<u8>);

impl From<RangeSet> for Packed {
    fn from(set: RangeSet) -> Self {
        let (mut bytes, mut at) = (Vec::new(), 0);
        for range in set.iter() {
            for mut number in [range.start - at, range.end - range.start] {
                while number > 0x7f {
                    bytes.push(number as u8 | 0x80);
                    number >>= 7;
                }
                bytes.push(number as u8);
            }
            at = range.end;
        }
        Packed(bytes)
    }
}

impl TryFrom<Packed> for RangeSet {
    type Error = &'static str;

    fn try_from(Packed(bytes): Packed) -> Result<Self, Self::Error> {
        let (mut set, mut at, mut bytes) = (RangeSet::default(), 0u64, bytes.into_iter());
        let mut number = || -> Option<u64> {
            let (mut number, mut shift) = (0u64, 0);
            loop {
                let byte = bytes.next()?;
                number |= u64::from(byte & 0x7f).checked_shl(shift)?;
                shift += 7;
                if byte & 0x80 == 0 {
                    return Some(number);
                }
            }
        };
        while let Some(gap) = number() {
            let start = at.checked_add(gap).ok_or("a range begins behind the last index")?;
            let length = number().ok_or("a range has no length")?;
            at = start.checked_add(length).ok_or("a range ends behind the last index")?;
            set.insert(start..at);
        }
        Ok(set)
    }
}

impl FromIterator<Range<u64>> for RangeSet {
    fn from_iter<I: IntoIterator<Item = Range<u64>>>(ranges: I) -> Self {
        let mut set = RangeSet::default();
        for range in ranges {
            set.insert(range);
        }
        set
    }
}

impl fmt::Debug for RangeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// The set of single elements that it stands for; it is in its one form.
    fn elements(set: &RangeSet) -> BTreeSet<u64> {
        let ranges: Vec<_> = set.iter().collect();
        assert!(ranges.iter().all(|range| !range.is_empty()), "{set:?}");
        assert!(ranges.windows(2).all(|pair| pair[0].end < pair[1].start), "{set:?}");
        let elements: BTreeSet<u64> = ranges.into_iter().flatten().collect();
        assert_eq!(set.count(), elements.len() as u64, "{set:?}");
        elements
    }

    #[test]
    fn ranges_that_touch_are_one() {
        let mut set = RangeSet::from_iter([0..2, 4..6, 9..9]);
        assert_eq!(set.insert(2..4), 2);
        assert_eq!(format!("{set:?}"), "{0..6}");
        assert_eq!(set.remove(2..3), 1);
        assert_eq!(format!("{set:?}"), "{0..2, 3..6}");
        assert_eq!(
            (set.take_front(1), set.take_front(9)),
            (Some(0..1), Some(1..2)),
            "no further than its range"
        );
        assert_eq!((set.take_front(u64::MAX), set.take_front(1)), (Some(3..6), None));
        let all = RangeSet::from(0..u64::MAX);
        assert_eq!(all.count(), u64::MAX);
        assert_eq!(RangeSet::try_from(Packed::from(all.clone())), Ok(all));
        assert!(RangeSet::try_from(Packed(vec![5])).is_err(), "a range without a length");
    }

    proptest! {
        #[test]
        fn it_is_the_set_of_its_elements(
            steps in prop::collection::vec((any::<bool>(), 0u64..40, 0u64..12), 0..40),
            other in prop::collection::vec((0u64..40, 0u64..12), 0..5),
        ) {
            let (mut set, mut model) = (RangeSet::default(), BTreeSet::new());
            for (adds, start, length) in steps {
                let range = start..start + length;
                let before = model.len();
                if adds {
                    model.extend(range.clone());
                    prop_assert_eq!(set.insert(range), (model.len() - before) as u64);
                } else {
                    model.retain(|element| !range.contains(element));
                    prop_assert_eq!(set.remove(range), (before - model.len()) as u64);
                }
                prop_assert_eq!(&elements(&set), &model);
            }
            let other = RangeSet::from_iter(other.into_iter().map(|(start, length)| start..start + length));
            let its = elements(&other);
            prop_assert_eq!(set.contains(&other), its.is_subset(&model));
            prop_assert!((0..60).all(|element| set.has(element) == model.contains(&element)));
            let (mut both, mut rest) = (set.clone(), set.clone());
            prop_assert_eq!(both.extend(&other), its.difference(&model).count() as u64);
            prop_assert_eq!(elements(&both), &model | &its);
            prop_assert_eq!(rest.subtract(&other), its.intersection(&model).count() as u64);
            prop_assert_eq!(elements(&rest), &model - &its);
            let bytes = crate::wire::encode_to_vec(&set).expect("ranges");
            prop_assert_eq!(crate::wire::decode::<RangeSet>(&bytes).expect("ranges"), set);
        }
    }
}
