//! Values without their type: what the runtime stores, shares between readers and sends.

use super::{Memory, TaskError};
use crate::wire::{self, Value, WireError};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{
    any::Any,
    ops::Range,
    sync::{Arc, OnceLock},
};

/// A value whose type only the code that made it and the code that reads it know.
pub(crate) trait Erased: Any + Send + Sync {
    /// Appends the bytes of the value.
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), WireError>;
    /// The bytes that the value takes, as far as is known without going through it.
    fn weight(&self) -> usize;
}

impl<T: Value> Erased for T {
    fn weight(&self) -> usize {
        size_of::<T>() + wire::heap_bytes(self)
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), WireError> {
        wire::encode(self, out)
    }
}

impl std::fmt::Debug for dyn Erased {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Value")
    }
}

/// Wraps a value that a task made.
///
/// Values of types that look at what has come before they decide what they are go through the wire and back, on every
/// scheduler, so that one that would arrive as another fails on a laptop and not on the cluster. In debug builds so
/// does the first value of every other type.
pub(crate) fn erase<T: Value>(value: T) -> Result<Arc<dyn Erased>, WireError> {
    if wire::Format::<T>::new().is_described() {
        wire::travels(&value)?;
    } else if cfg!(debug_assertions) {
        check_that_it_travels(&value)?;
    }
    Ok(Arc::new(value))
}

fn check_that_it_travels<T: Value>(value: &T) -> Result<(), WireError> {
    use std::{any::TypeId, collections::HashSet, sync::Mutex};
    static CHECKED: Mutex<Option<HashSet<TypeId>>> = Mutex::new(None);
    let first = CHECKED
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .get_or_insert_default()
        .insert(TypeId::of::<T>());
    if first {
        return wire::travels(value);
    }
    Ok(())
}

/// A value as a rank holds it: made here, or arrived as bytes and decoded by its first reader.
#[derive(Clone, Debug)]
pub(crate) enum Stored {
    Made(Arc<dyn Erased>),
    Arrived(Arc<Arrived>),
}

/// The bytes of a value from another rank, and the value once somebody has read it.
#[derive(Debug)]
pub(crate) struct Arrived {
    bytes: Bytes,
    value: OnceLock<Result<Arc<dyn Erased>, WireError>>,
}

/// Bytes of a value: few of them, the whole of a vector, a stretch of what came with others in one piece, or memory of
/// the node.
#[derive(Debug)]
enum Bytes {
    Few(u8, [u8; FEW]),
    Whole(Vec<u8>),
    Stretch(Arc<Vec<u8>>, Range<usize>),
    OfNode(Arc<Memory>),
}

/// Values of so many bytes have no memory of their own.
const FEW: usize = 62;

impl From<&[u8]> for Bytes {
    #[inline]
    fn from(bytes: &[u8]) -> Self {
        if bytes.len() > FEW {
            return Bytes::Whole(bytes.to_vec());
        }
        let mut few = [0; FEW];
        few[..bytes.len()].copy_from_slice(bytes);
        Bytes::Few(bytes.len() as u8, few)
    }
}

impl std::ops::Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Few(length, bytes) => &bytes[..*length as usize],
            Bytes::Whole(bytes) => bytes,
            Bytes::Stretch(frame, range) => &frame[range.clone()],
            Bytes::OfNode(memory) => memory.bytes(),
        }
    }
}

/// How a task ended.
pub(crate) type Outcome = Result<Stored, Arc<TaskError>>;

impl Stored {
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        Stored::of_bytes(Bytes::Whole(bytes))
    }

    /// A value of which these are the bytes.
    #[inline]
    pub(crate) fn from_slice(bytes: &[u8]) -> Self {
        Stored::of_bytes(Bytes::from(bytes))
    }

    /// A value whose bytes came with others in one frame. One that makes up most of the frame is not copied.
    pub(crate) fn from_frame(frame: &Arc<Vec<u8>>, range: Range<usize>) -> Self {
        match 2 * range.len() >= frame.len() {
            true => Stored::of_bytes(Bytes::Stretch(Arc::clone(frame), range)),
            false => Stored::from_slice(&frame[range]),
        }
    }

    /// A value whose bytes the ranks of a node share.
    pub(crate) fn from_memory(memory: Arc<Memory>) -> Self {
        Stored::of_bytes(Bytes::OfNode(memory))
    }

    fn of_bytes(bytes: Bytes) -> Self {
        Stored::Arrived(Arc::new(Arrived { bytes, value: OnceLock::new() }))
    }

    /// The value, shared with all other readers on this rank.
    pub(crate) fn share<T: Value>(&self) -> Result<Arc<T>, WireError> {
        let erased = match self {
            Stored::Made(value) => value,
            Stored::Arrived(arrived) => arrived
                .value
                .get_or_init(|| wire::decode::<T>(&arrived.bytes).map(|value| Arc::new(value) as _))
                .as_ref()
                .map_err(Clone::clone)?,
        };
        Ok(downcast(Arc::clone(erased)))
    }

    /// The memory that stands for a shared slice.
    pub(crate) fn memory(self) -> Arc<Memory> {
        let memory: Option<Arc<dyn Any + Send + Sync>> = match self {
            Stored::Made(value) => Some(value),
            Stored::Arrived(_) => None,
        };
        let memory = memory.and_then(|memory| memory.downcast().ok());
        memory.expect("a shared slice is memory on every rank")
    }

    /// The value itself: moved if nobody else holds it, cloned otherwise.
    pub(crate) fn take<T: Value + Clone>(self) -> Result<T, WireError> {
        self.take_or(|value| Ok(T::clone(value)))
    }

    /// The value itself: moved if nobody else holds it, copied through the wire format otherwise.
    pub(crate) fn take_or_copy<T: Value>(self) -> Result<T, WireError> {
        self.take_or(|value| wire::decode(&wire::encode_to_vec(value)?))
    }

    fn take_or<T: Value>(self, copy: impl FnOnce(&T) -> Result<T, WireError>) -> Result<T, WireError> {
        let shared = match self {
            Stored::Made(value) => downcast::<T>(value),
            Stored::Arrived(arrived) => match Arc::try_unwrap(arrived) {
                Ok(Arrived { bytes, value }) => match value.into_inner() {
                    Some(value) => downcast::<T>(value?),
                    None => return wire::decode(&bytes),
                },
                Err(shared) => Stored::Arrived(shared).share::<T>()?,
            },
        };
        Arc::try_unwrap(shared).or_else(|shared| copy(&shared))
    }

    /// The bytes that the value takes, as far as is known.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Stored::Made(value) => value.weight(),
            Stored::Arrived(arrived) => arrived.bytes.len(),
        }
    }

    /// Appends the bytes of the value.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) -> Result<(), WireError> {
        match self {
            Stored::Made(value) => value.encode(out),
            Stored::Arrived(arrived) => {
                out.extend_from_slice(&arrived.bytes);
                Ok(())
            }
        }
    }
}

/// Any value travels as its bytes; the first reader decodes them.
impl Serialize for Stored {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Stored::Arrived(arrived) = self {
            return wire::bytes::serialize(&arrived.bytes, serializer);
        }
        let mut out = Vec::new();
        self.encode(&mut out).map_err(serde::ser::Error::custom)?;
        wire::bytes::serialize(&out, serializer)
    }
}

impl<'de> Deserialize<'de> for Stored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        wire::bytes::deserialize(deserializer).map(Stored::from_bytes)
    }
}

fn downcast<T: Value>(value: Arc<dyn Erased>) -> Arc<T> {
    let value: Arc<dyn Any + Send + Sync> = value;
    value.downcast().expect("typed handles read a value as the type it was made with")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_holder_moves_and_others_clone() {
        let made = Stored::Made(Arc::new(vec![1u8, 2, 3]));
        let address = made.share::<Vec<u8>>().expect("bytes").as_ptr();
        let other = made.clone();
        let cloned: Vec<u8> = made.take().expect("bytes");
        assert_ne!(cloned.as_ptr(), address);
        let moved: Vec<u8> = other.take().expect("bytes");
        assert_eq!(moved.as_ptr(), address);
    }

    #[test]
    fn arrived_bytes_are_decoded_once_for_all_readers() {
        let bytes = wire::encode_to_vec(&String::from("once")).expect("text");
        let arrived = Stored::from_bytes(bytes);
        let first = arrived.share::<String>().expect("text");
        let second = arrived.share::<String>().expect("text");
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(arrived.take::<String>().expect("text"), "once");
    }
}
