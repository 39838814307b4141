//! Shuffles: every element goes to the rank that has its bucket.
//!
//! A thread writes elements one after the other, and sorts them by bucket when its job ends; the rank sends each
//! other rank what is there for its buckets, and keeps its own. What comes of one job bears the index of the source
//! at which the job begins, so that the elements of a bucket can be read in the order of the source, whoever sent
//! them and whenever they came.

mod draft;
mod frames;
mod share;
mod shelves;
mod spill;
mod spread;

pub(crate) use share::Held;
pub use share::{Share, ShareError};
pub(crate) use spill::{HeldBytes, Spill};
pub(crate) use spread::Spread;

use super::{Accumulator, Block, BuiltSink, Consumer, Elements, Geometry, Sink, Work, downcast};
use crate::task::{Build, Erased, Failure, Inputs, TaskError};
use crate::wire::{self, Value, WireError};
use draft::Draft;
use frames::take_slice;
use spill::Store;
use spread::Parts;
use std::{marker::PhantomData, sync::Arc};

/// A rank sends what it has for the others when it is so many bytes.
const FULL: usize = 8 << 20;

/// Elements of pairs `(bucket, value)`, to the ranks that have the buckets: of each rank a [`Held`].
pub(crate) struct Shuffle<E>(PhantomData<E>);

struct ShuffleSink<E> {
    spread: Arc<Spread>,
    spill: Arc<Spill>,
    /// The buckets of this rank.
    parts: Parts,
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
        let (spread, spill) = (Arc::new(inputs.constant::<Spread>()?), Arc::new(inputs.constant()?));
        let context = inputs.context();
        let (parts, held) = (spread.parts_of(context.rank as u32), context.shuffled.clone());
        Ok(Arc::new(ShuffleSink::<E> { spread, spill, parts, held, element: PhantomData }))
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
            draft: Draft::default(),
            closed: Vec::new(),
            bytes: 0,
            store: Store::new(self.parts.clone(), Arc::clone(&self.spill), self.held.clone()),
            element: PhantomData,
        })
    }
}

/// On its way: what a job makes, and what a rank is to send. At home: what has come.
struct Shuffled<E, T> {
    spread: Arc<Spread>,
    /// What is being written.
    draft: Draft,
    /// The slices of each job that is over.
    closed: Vec<Vec<u8>>,
    /// The bytes of them all.
    bytes: usize,
    store: Store,
    element: PhantomData<fn(E) -> T>,
}

impl<E, T> Accumulator for Shuffled<E, T>
where
    E: Value + IntoIterator<Item = (u64, T)>,
    T: Value,
{
    fn push(&mut self, block: Block, work: &mut Work<'_>) {
        let mut elements: Elements<E> = block.typed();
        let (buckets, format) = (self.spread.buckets, wire::Format::<T>::new());
        self.draft.begin(elements.range.start);
        let values = std::mem::take(&mut elements.values);
        let places = 0..values.len();
        for (position, (bucket, value)) in places
            .zip(values)
            .flat_map(|(position, pairs)| pairs.into_iter().map(move |pair| (position, pair)))
        {
            let written = match bucket < buckets {
                true => {
                    self.draft.push(bucket as u32, |out| format.encode(&value, out)).map_err(Failure::from)
                }
                false => Err(Failure::error(format!("bucket {bucket} of {buckets}"))),
            };
            if let Err(failure) = written {
                work.fail(failure, "shuffle", elements.index(position), 1);
                return;
            }
        }
    }

    fn close(&mut self) {
        let slices = std::mem::take(&mut self.draft).into_slices(&self.spread);
        if !slices.is_empty() {
            self.bytes += slices.len();
            self.closed.push(slices);
        }
    }

    fn merge(&mut self, other: Box<dyn Accumulator>) {
        let mut other = downcast::<Self>(other);
        self.closed.append(&mut other.closed);
        self.bytes += other.bytes;
    }

    fn is_full(&self) -> bool {
        self.bytes + self.draft.size() >= FULL
    }

    fn divide(&mut self, ranks: usize) -> Result<Vec<Vec<u8>>, WireError> {
        self.bytes = 0;
        let closed = std::mem::take(&mut self.closed);
        let slices = || {
            closed.iter().flat_map(|job| {
                let mut rest = &**job;
                std::iter::from_fn(move || (!rest.is_empty()).then(|| take_slice(&mut rest)))
            })
        };
        let rank = |position: u32| self.spread.ranks[position as usize] as usize;
        let mut sizes = vec![0; ranks];
        slices().for_each(|(header, slice)| sizes[rank(header.position)] += slice.len());
        let mut divided: Vec<_> = sizes.into_iter().map(Vec::with_capacity).collect();
        slices().for_each(|(header, slice)| divided[rank(header.position)].extend_from_slice(slice));
        Ok(divided)
    }

    fn encode(&self, _: &mut Vec<u8>) -> Result<(), WireError> {
        unreachable!("it is divided")
    }

    fn merge_bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.store.add(bytes)
    }

    fn finish(self: Box<Self>, _: Vec<TaskError>) -> Result<Arc<dyn Erased>, Failure> {
        Ok(Arc::new(Held::<T>::new(self.store.into_shelves())))
    }
}
