//! What a job writes: values one after the other, which are sorted by their buckets when the job ends.

use super::{
    frames::{Header, begin_slice, end_slice, put},
    spread::Spread,
};

/// Values in the order of the source.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// The index of the source with which the first block began.
    start: Option<u64>,
    /// The bucket of each value, and where its bytes end.
    keys: Vec<u32>,
    ends: Vec<usize>,
    bytes: Vec<u8>,
}

impl Draft {
    /// What is pushed now is of a block that begins at this index of the source.
    pub(super) fn begin(&mut self, start: u64) {
        self.start.get_or_insert(start);
    }

    /// Adds a value, if it can be written.
    #[inline]
    pub(super) fn push<E>(
        &mut self,
        bucket: u32,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let before = self.bytes.len();
        write(&mut self.bytes).inspect_err(|_| self.bytes.truncate(before))?;
        self.keys.push(bucket);
        self.ends.push(self.bytes.len());
        Ok(())
    }

    /// Bytes of memory.
    pub(super) fn size(&self) -> usize {
        self.bytes.len() + self.keys.len() * (size_of::<u32>() + size_of::<usize>())
    }

    /// The bytes of the values with these numbers.
    fn values(&self, first: u32, last: u32) -> &[u8] {
        let start = (first as usize).checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[last as usize]]
    }

    /// The values as slices, by rank and part.
    pub(super) fn into_slices(self, spread: &Spread) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len() + self.bytes.len() / 2);
        let Some(start) = self.start else { return out };
        let order = sorted(&self.keys, spread.buckets);
        let mut rest = &order[..];
        while let Some(&(bucket, _)) = rest.first() {
            let (position, parts) = spread.home(bucket.into());
            let part = parts.of(bucket.into());
            let buckets = parts.range(part);
            let slice = out.len();
            begin_slice(Header { start, position: position as u32, part: part as u32 }, &mut out);
            while let Some(&(bucket, _)) = rest.first()
                && buckets.contains(&bucket.into())
            {
                let count = rest.iter().take_while(|(of, _)| *of == bucket).count();
                let (run, others) = rest.split_at(count);
                rest = others;
                put(u64::from(bucket) - buckets.start, &mut out);
                put(count as u64, &mut out);
                let (first, last) = (run[0].1, run[count - 1].1);
                // Neighbours stand together already.
                if (last - first) as usize == count - 1 {
                    let values = self.values(first, last);
                    put(values.len() as u64, &mut out);
                    out.extend_from_slice(values);
                } else {
                    let values = || run.iter().map(|&(_, number)| self.values(number, number));
                    put(values().map(|value| value.len() as u64).sum(), &mut out);
                    values().for_each(|value| out.extend_from_slice(value));
                }
            }
            end_slice(slice, &mut out);
        }
        out
    }
}

/// Bits of a bucket by which values are sorted at a time: the places of the next values of each number fit a
/// first cache.
const DIGIT: u32 = 11;

/// The buckets with the numbers of their values, by bucket; those of a bucket keep their order.
fn sorted(keys: &[u32], buckets: u64) -> Vec<(u32, u32)> {
    assert!(u32::try_from(keys.len()).is_ok(), "a job hands over long before it has so many values");
    let mut pairs: Vec<(u32, u32)> = keys.iter().copied().zip(0..).collect();
    let bits = 64 - (buckets - 1).leading_zeros();
    if bits == 0 || keys.is_sorted() {
        return pairs;
    }
    let passes = bits.div_ceil(DIGIT);
    let digit = bits.div_ceil(passes);
    let mut others = vec![(0, 0); pairs.len()];
    for pass in 0..passes {
        let of = |key: u32| (key >> (pass * digit)) as usize & ((1 << digit) - 1);
        let mut places = vec![0; 1 << digit];
        pairs.iter().for_each(|&(key, _)| places[of(key)] += 1);
        let mut next = 0;
        for place in &mut places {
            next += std::mem::replace(place, next);
        }
        for &pair in &pairs {
            let place = &mut places[of(pair.0)];
            others[*place] = pair;
            *place += 1;
        }
        std::mem::swap(&mut pairs, &mut others);
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::sorted;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn values_are_sorted_by_bucket_and_keep_their_order(
            (buckets, keys) in (1u64..=65_536).prop_flat_map(|buckets| {
                (Just(buckets), prop::collection::vec(0..buckets as u32, 0..300))
            }),
        ) {
            let mut expected: Vec<(u32, u32)> = keys.iter().copied().zip(0..).collect();
            expected.sort();
            prop_assert_eq!(sorted(&keys, buckets), expected);
        }
    }
}
