//! The values that a shuffle has left on a rank.

use super::shelves::Shelves;
use crate::wire::{self, Value, WireError};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{marker::PhantomData, sync::Arc};

/// The buckets of a shuffle that are on this rank.
pub(crate) struct Held<T> {
    shelves: Shelves,
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

impl<T> Held<T> {
    pub(super) fn new(shelves: Shelves) -> Self {
        Held { shelves, element: PhantomData }
    }
}

impl<T: Value> Held<T> {
    fn read(&self, bucket: u64, values: &mut Vec<T>) -> Result<(), ShareError> {
        let read = self.shelves.read::<Unreadable>(bucket, |count, mut bytes| {
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
        write!(f, "Held({:?})", self.shelves.buckets())
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
