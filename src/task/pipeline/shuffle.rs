//! Shuffles: every element goes to the rank that has its bucket.
//!
//! A thread writes elements to the bytes of their buckets; the rank sends each other rank the buckets that are
//! there, and keeps its own. Each run of bytes bears the index of the source at which it begins, so that the
//! elements of a bucket can be read in the order of the source, whoever sent them and whenever they came.

use super::{
    Accumulator, Block, BuiltSink, Consumer, Elements, Geometry, Sink, Work, downcast,
    spill::{HeldBytes, Spill, Store},
};
use crate::task::{Build, Erased, Failure, Inputs, TaskError};
use crate::wire::{self, Value, WireError};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{marker::PhantomData, ops::Range, sync::Arc};

/// A rank sends what it has for the others when it is so many bytes.
const FULL: usize = 8 << 20;

/// Bytes that a run has room for at once: growing from nothing takes longer than writing.
const RUN: usize = 256;

/// Which ranks have which buckets: contiguous ranges of about the same length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) buckets: u64,
    /// The ranks that compute.
    pub(crate) ranks: Arc<[u32]>,
}

impl Spread {
    /// The rank that has a bucket.
    fn rank_of(&self, bucket: u64) -> u32 {
        let (bucket, ranks) = (u128::from(bucket), self.ranks.len() as u128);
        let position = ((bucket + 1) * ranks - 1) / u128::from(self.buckets);
        self.ranks[position as usize]
    }

    /// The buckets that each rank has.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = (u32, Range<u64>)> {
        let start =
            |position: usize| (position as u128 * u128::from(self.buckets) / self.ranks.len() as u128) as u64;
        (0..).zip(&*self.ranks).map(move |(position, &rank)| (rank, start(position)..start(position + 1)))
    }

    /// The buckets that a rank has.
    fn range_of(&self, rank: u32) -> Range<u64> {
        self.ranges().find(|(of, _)| *of == rank).map_or(0..0, |(_, range)| range)
    }
}

/// Elements of pairs `(bucket, value)`, to the ranks that have the buckets: of each rank a [`Held`].
pub(crate) struct Shuffle<E>(PhantomData<E>);

struct ShuffleSink<E> {
    spread: Arc<Spread>,
    spill: Arc<Spill>,
    rank: u32,
    held: HeldBytes,
    element: PhantomData<fn(E)>,
}

impl<E, T> Build<fn(E)> for Shuffle<E>
where
    E: Value + Clone + IntoIterator<Item = (u64, T)>,
    T: Value,
{
    type Output = BuiltSink;
    fn build(_: fn(E), inputs: &mut Inputs<'_>) -> BuiltSink {
        let (spread, spill) = (Arc::new(inputs.constant()?), Arc::new(inputs.constant()?));
        let context = inputs.context();
        let (rank, held) = (context.rank as u32, context.shuffled.clone());
        Ok(Arc::new(ShuffleSink::<E> { spread, spill, rank, held, element: PhantomData }))
    }
}

impl<E: Value + Clone> Consumer for ShuffleSink<E> {
    fn duplicate(&self, block: &Block) -> Block {
        block.copy::<E>()
    }
}

impl<E, T> Sink for ShuffleSink<E>
where
    E: Value + Clone + IntoIterator<Item = (u64, T)>,
    T: Value,
{
    fn accumulator(&self, _: Geometry) -> Box<dyn Accumulator> {
        Box::new(Shuffled::<E, T> {
            spread: Arc::clone(&self.spread),
            drafts: Vec::new(),
            runs: Vec::new(),
            bytes: 0,
            store: Store::new(self.spread.range_of(self.rank), Arc::clone(&self.spill), self.held.clone()),
            element: PhantomData,
        })
    }
}

/// Values of one bucket that were made one after the other.
#[derive(Debug, Default)]
struct Run {
    bucket: u64,
    /// The index of the source with which the run begins.
    start: u64,
    count: u32,
    bytes: Vec<u8>,
}

/// On its way: what a job makes, and what a rank is to send. At home: what has come.
struct Shuffled<E, T> {
    spread: Arc<Spread>,
    /// The runs that are being written, by bucket; none before the first element.
    drafts: Vec<Run>,
    runs: Vec<Run>,
    /// The bytes of all runs.
    bytes: usize,
    store: Store,
    element: PhantomData<fn(E) -> T>,
}

impl<E, T> Shuffled<E, T> {
    /// Ends the runs that are being written.
    fn close(&mut self) {
        for (bucket, mut run) in (0u64..).zip(self.drafts.drain(..)) {
            if run.count > 0 {
                run.bucket = bucket;
                self.runs.push(run);
            }
        }
    }
}

impl<E, T> Accumulator for Shuffled<E, T>
where
    E: Value + IntoIterator<Item = (u64, T)>,
    T: Value,
{
    fn push(&mut self, block: Block, work: &mut Work<'_>) {
        let mut elements: Elements<E> = block.typed();
        let (buckets, format) = (self.spread.buckets, wire::Format::<T>::new());
        self.drafts.resize_with(buckets as usize, Run::default);
        let values = std::mem::take(&mut elements.values);
        let places = 0..values.len();
        for (position, (bucket, value)) in places
            .zip(values)
            .flat_map(|(position, pairs)| pairs.into_iter().map(move |pair| (position, pair)))
        {
            let written = match self.drafts.get_mut(bucket as usize) {
                Some(run) => {
                    if run.count == 0 {
                        run.start = elements.range.start;
                        run.bytes.reserve(RUN);
                    }
                    run.count += 1;
                    let before = run.bytes.len();
                    let written = format.encode(&value, &mut run.bytes);
                    self.bytes += run.bytes.len() - before;
                    written.map_err(Failure::from)
                }
                None => Err(Failure::error(format!("bucket {bucket} of {buckets}"))),
            };
            if let Err(failure) = written {
                work.fail(failure, "shuffle", elements.index(position), 1);
                return;
            }
        }
    }

    fn merge(&mut self, other: Box<dyn Accumulator>) {
        self.close();
        let mut other = downcast::<Self>(other);
        other.close();
        self.runs.append(&mut other.runs);
        self.bytes += other.bytes;
    }

    fn is_full(&self) -> bool {
        self.bytes >= FULL
    }

    fn divide(&mut self, ranks: usize) -> Result<Vec<Vec<u8>>, WireError> {
        self.close();
        let mut divided = vec![Vec::new(); ranks];
        for run in self.runs.drain(..) {
            let out = &mut divided[self.spread.rank_of(run.bucket) as usize];
            wire::encode(&(run.bucket, run.start, run.count, run.bytes.len() as u64), out)?;
            out.extend_from_slice(&run.bytes);
        }
        self.bytes = 0;
        Ok(divided)
    }

    fn encode(&self, _: &mut Vec<u8>) -> Result<(), WireError> {
        unreachable!("it is divided")
    }

    fn merge_bytes(&mut self, mut bytes: &[u8]) -> Result<(), Failure> {
        while !bytes.is_empty() {
            let (bucket, start, count, length): (u64, u64, u32, u64) = wire::decode_from(&mut bytes)?;
            let (run, rest) = bytes.split_at(length as usize);
            self.store.add(bucket, start, count, run)?;
            bytes = rest;
        }
        Ok(())
    }

    fn finish(self: Box<Self>, _: Vec<TaskError>) -> Result<Arc<dyn Erased>, Failure> {
        Ok(Arc::new(Held::<T> { store: self.store, element: PhantomData }))
    }
}

/// The buckets of a shuffle that are on this rank.
pub(crate) struct Held<T> {
    store: Store,
    element: PhantomData<fn() -> T>,
}

/// The buckets that this rank has, as a map over [`Buckets`](crate::Buckets) is given them.
///
/// Each element of the map reads the bucket of its number.
#[derive(Debug)]
pub struct Share<T>(pub(crate) Vec<Arc<Held<T>>>);

impl<T> Clone for Share<T> {
    fn clone(&self) -> Self {
        Share(self.0.clone())
    }
}

/// Why a bucket could not be read back.
struct Unreadable(String);

impl From<std::io::Error> for Unreadable {
    fn from(error: std::io::Error) -> Self {
        Unreadable(error.to_string())
    }
}

impl From<WireError> for Unreadable {
    fn from(error: WireError) -> Self {
        Unreadable(error.to_string())
    }
}

/// A bucket that could not be read back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bucket {bucket} of a shuffle: {problem}")]
pub struct ShareError {
    bucket: u64,
    problem: String,
}

impl<T: Value> Share<T> {
    /// The values of a bucket, in the order of the source.
    ///
    /// # Errors
    /// If the bucket is not on this rank, or the disk to which it was moved cannot be read.
    pub fn read(&self, bucket: u64) -> Result<Vec<T>, ShareError> {
        let mut values = Vec::new();
        for held in &self.0 {
            held.read(bucket, &mut values)?;
        }
        Ok(values)
    }
}

impl<T: Value> Held<T> {
    fn read(&self, bucket: u64, values: &mut Vec<T>) -> Result<(), ShareError> {
        let read = self.store.read::<Unreadable>(bucket, |count, mut bytes| {
            values.reserve(count as usize);
            let format = wire::Format::new();
            for _ in 0..count {
                values.push(format.decode_from(&mut bytes)?);
            }
            Ok(())
        });
        read.map_err(|Unreadable(problem)| ShareError { bucket, problem })
    }
}

impl<T> std::fmt::Debug for Held<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Held({:?})", self.store.buckets())
    }
}

/// A value that tasks can be given must be one that could travel; this one never does.
const STAYS: &str = "what a shuffle leaves on a rank is read there, by a map over `Buckets`";

impl<T> Serialize for Held<T> {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom(STAYS))
    }
}

impl<'de, T> Deserialize<'de> for Held<T> {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom(STAYS))
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn every_bucket_is_on_one_rank() {
        for buckets in [1, 2, 7, 64, 1000] {
            for ranks in 1..12u32 {
                let spread = Spread { buckets, ranks: (0..ranks).map(|rank| 2 * rank + 1).collect() };
                let mut next = 0;
                for (rank, range) in spread.ranges() {
                    assert_eq!(range.start, next);
                    next = range.end;
                    assert_eq!(spread.range_of(rank), range);
                    assert!(range.clone().all(|bucket| spread.rank_of(bucket) == rank), "{spread:?}");
                    let (least, most) = (buckets / u64::from(ranks), buckets.div_ceil(u64::from(ranks)));
                    assert!((least..=most).contains(&(range.end - range.start)));
                }
                assert_eq!(next, buckets);
            }
        }
    }
}
