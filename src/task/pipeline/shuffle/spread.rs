//! Where buckets are: which rank has a bucket, and with which others of the rank it is written.

use serde::{Deserialize, Serialize};
use std::{ops::Range, sync::Arc};

/// Which ranks have which buckets: contiguous ranges of about the same length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) buckets: u64,
    /// The ranks that compute.
    pub(crate) ranks: Arc<[u32]>,
}

/// A rank divides its buckets into at most so many parts: few enough that what a job has for one is worth a
/// copy, many enough that one can be sorted at a time.
pub(super) const MOST_PARTS: u64 = 256;

/// With many ranks there are fewer parts on each, so that jobs have something for most of them.
const PARTS_OF_ALL: u64 = 4096;

/// The buckets of a rank, in parts of the same number of buckets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) buckets: Range<u64>,
    /// The buckets of each part but perhaps the last.
    width: u64,
}

impl Parts {
    pub(super) fn len(&self) -> usize {
        (self.buckets.end - self.buckets.start).div_ceil(self.width) as usize
    }

    /// The part with a bucket.
    pub(super) fn of(&self, bucket: u64) -> usize {
        ((bucket - self.buckets.start) / self.width) as usize
    }

    /// The buckets of a part.
    pub(super) fn range(&self, part: usize) -> Range<u64> {
        let start = self.buckets.start + part as u64 * self.width;
        start..self.buckets.end.min(start + self.width)
    }
}

impl Spread {
    /// The position, among those that compute, of the rank that has a bucket.
    fn position_of(&self, bucket: u64) -> usize {
        let (bucket, ranks) = (u128::from(bucket), self.ranks.len() as u128);
        (((bucket + 1) * ranks - 1) / u128::from(self.buckets)) as usize
    }

    /// The buckets of the rank at a position.
    fn range_at(&self, position: usize) -> Range<u64> {
        let start =
            |position: usize| (position as u128 * u128::from(self.buckets) / self.ranks.len() as u128) as u64;
        start(position)..start(position + 1)
    }

    /// The buckets that each rank has.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = (u32, Range<u64>)> {
        (0..).zip(&*self.ranks).map(|(position, &rank)| (rank, self.range_at(position)))
    }

    fn parts_at(&self, position: usize) -> Parts {
        let buckets = self.range_at(position);
        let parts = (PARTS_OF_ALL / self.ranks.len() as u64).clamp(4, MOST_PARTS);
        let width = (buckets.end - buckets.start).div_ceil(parts).max(1);
        Parts { buckets, width }
    }

    /// The parts of a rank: none if it does not compute.
    pub(super) fn parts_of(&self, rank: u32) -> Parts {
        let position = self.ranks.iter().position(|of| *of == rank);
        position.map_or(Parts { buckets: 0..0, width: 1 }, |position| self.parts_at(position))
    }

    /// The position of the rank that has a bucket, and its parts.
    pub(super) fn home(&self, bucket: u64) -> (usize, Parts) {
        let position = self.position_of(bucket);
        (position, self.parts_at(position))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bucket_is_in_one_part_of_one_rank() {
        for buckets in [1, 2, 7, 64, 1000, 65_536] {
            for ranks in (1..12u32).chain([100]) {
                let spread = Spread { buckets, ranks: (0..ranks).map(|rank| 2 * rank + 1).collect() };
                let mut next = 0;
                for (position, (rank, range)) in spread.ranges().enumerate() {
                    assert_eq!(range.start, next);
                    next = range.end;
                    let (least, most) = (buckets / u64::from(ranks), buckets.div_ceil(u64::from(ranks)));
                    assert!((least..=most).contains(&(range.end - range.start)));
                    let parts = spread.parts_of(rank);
                    assert!(parts.len() <= MOST_PARTS as usize);
                    let mut first = range.start;
                    for part in 0..parts.len() {
                        let buckets = parts.range(part);
                        assert_eq!(buckets.start, first);
                        first = buckets.end;
                        for bucket in buckets {
                            assert_eq!(parts.of(bucket), part);
                            assert_eq!(spread.home(bucket), (position, parts.clone()), "{spread:?}");
                        }
                    }
                    assert_eq!(first, range.end);
                }
                assert_eq!(next, buckets);
                assert_eq!(spread.parts_of(0).len(), 0);
            }
        }
    }
}
