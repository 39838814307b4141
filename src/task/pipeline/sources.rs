//! Sources: ranges, vectors that rank 0 deals out, and collections that stayed on the ranks.

use super::{Block, BuiltSource, Elements, GrantData, Source, Work};
use crate::task::{Build, CollectionId, Erased, Failure, Inputs, Stored};
use crate::wire::{self, Value, WireError};
use serde::Serialize;
use std::{marker::PhantomData, ops::Range, sync::Arc};

/// Integers that a range can count with.
pub(crate) trait Index: Value + Copy {
    /// The integer `offset` behind this one.
    fn forward(self, offset: u64) -> Self;
    /// How many integers lie between this one and `end`, zero if `end` is not behind it.
    fn distance(self, end: Self) -> u64;
    /// The integer itself.
    fn number(self) -> i128;
}

macro_rules! indices {
    ($($integer:ty)*) => {$(
        impl Index for $integer {
            #[inline]
            fn forward(self, offset: u64) -> Self {
                self.wrapping_add(offset as $integer)
            }
            fn distance(self, end: Self) -> u64 {
                if end > self { end.wrapping_sub(self) as u64 } else { 0 }
            }
            fn number(self) -> i128 {
                self as i128
            }
        }
    )*};
}
indices!(u64 i64 usize isize);

macro_rules! narrow_indices {
    ($($integer:ty)*) => {$(
        impl Index for $integer {
            #[inline]
            fn forward(self, offset: u64) -> Self {
                self.wrapping_add(offset as $integer)
            }
            fn distance(self, end: Self) -> u64 {
                (i64::from(end) - i64::from(self)).max(0) as u64
            }
            fn number(self) -> i128 {
                i128::from(self)
            }
        }
    )*};
}
narrow_indices!(u32 i32 u16 i16 u8 i8);

/// A range; the constant is its start.
pub(crate) struct RangeEntry<I>(PhantomData<I>);

struct RangeSource<I>(I);

impl<I: Index> Build<fn(I)> for RangeEntry<I> {
    type Output = BuiltSource;
    fn build(_: fn(I), inputs: &mut Inputs<'_>) -> BuiltSource {
        Ok(Arc::new(RangeSource::<I>(inputs.constant()?)))
    }
}

impl<I: Index> Source for RangeSource<I> {
    fn produce(&self, range: Range<u64>, _: Option<&GrantData>, _: &mut Work<'_>) -> Result<Block, Failure> {
        let values = range.clone().map(|offset| self.0.forward(offset)).collect();
        Ok(Elements::<I>::dense(range, values).into_block())
    }
}

/// A vector on rank 0; its elements come with the grants.
pub(crate) struct VectorEntry<T>(PhantomData<T>);

struct VectorSource<T>(PhantomData<fn() -> T>);

impl<T: Value + Clone> Build<fn(T)> for VectorEntry<T> {
    type Output = BuiltSource;
    fn build(_: fn(T), _: &mut Inputs<'_>) -> BuiltSource {
        Ok(Arc::new(VectorSource::<T>(PhantomData)))
    }
}

impl<T: Value + Clone> Source for VectorSource<T> {
    fn produce(
        &self,
        range: Range<u64>,
        data: Option<&GrantData>,
        _: &mut Work<'_>,
    ) -> Result<Block, Failure> {
        let unwritable = || Failure::error("an element of the vector cannot be written to bytes");
        let data = data.ok_or_else(unwritable)?;
        let values = data.values.share::<Vec<T>>()?;
        let (start, end) = ((range.start - data.start) as usize, (range.end - data.start) as usize);
        Ok(Elements::dense(range, values[start..end].to_vec()).into_block())
    }
}

/// What rank 0 deals out of a vector.
pub(crate) trait Slices: Send + Sync {
    /// The whole vector, for the rank that has it already.
    fn whole(&self) -> Stored;
    /// The elements of a range, for another rank.
    fn encode(&self, range: Range<u64>) -> Result<Vec<u8>, WireError>;
}

impl std::fmt::Debug for dyn Slices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Slices")
    }
}

/// A vector on rank 0.
pub(crate) struct VectorSlices<T>(pub(crate) Arc<Vec<T>>);

impl<T: Value + Clone> Slices for VectorSlices<T> {
    fn whole(&self) -> Stored {
        let shared: Arc<Vec<T>> = Arc::clone(&self.0);
        Stored::Made(shared as Arc<dyn Erased>)
    }

    fn encode(&self, range: Range<u64>) -> Result<Vec<u8>, WireError>
    where
        Vec<T>: Serialize,
    {
        wire::encode_to_vec(&self.0[range.start as usize..range.end as usize].to_vec())
    }
}

/// A collection that stayed on the ranks; the constant is its name.
pub(crate) struct CollectionEntry<T>(PhantomData<T>);

struct CollectionSource<T> {
    collection: CollectionId,
    elements: PhantomData<fn() -> T>,
}

impl<T: Value + Clone> Build<fn(T)> for CollectionEntry<T> {
    type Output = BuiltSource;
    fn build(_: fn(T), inputs: &mut Inputs<'_>) -> BuiltSource {
        Ok(Arc::new(CollectionSource::<T> { collection: inputs.constant()?, elements: PhantomData }))
    }
}

impl<T: Value + Clone> Source for CollectionSource<T> {
    fn produce(
        &self,
        range: Range<u64>,
        _: Option<&GrantData>,
        work: &mut Work<'_>,
    ) -> Result<Block, Failure> {
        Ok(work.context.collections.get::<T>(self.collection, range).into_block())
    }
}
