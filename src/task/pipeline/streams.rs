//! The stream of each element of a map.

use crate::random::{RESERVED, Stream, StreamFamily};
use crate::task::{Build, FnRef, Inputs};
use serde::{Deserialize, Serialize};

/// The user's function from an element's index to its spawn key.
pub(crate) type KeyFunction = fn(u64) -> Vec<u32>;

/// The entry that yields a [`KeyFunction`].
pub(crate) struct KeyFunctionEntry;

impl Build<KeyFunction> for KeyFunctionEntry {
    type Output = KeyFunction;
    fn build(function: KeyFunction, _: &mut Inputs<'_>) -> KeyFunction {
        function
    }
}

/// How the spawn key of an element follows from its index.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum KeySpec {
    /// (reserved, number of the call, low word, high word): no explicit key can equal it.
    Call(u32),
    /// The user's prefix, then the index.
    Prefix(Vec<u32>),
    /// The user's function of the index.
    Function(FnRef<KeyFunction>),
}

impl KeySpec {
    /// The default key of a single task.
    pub(crate) fn of_task(call: u32) -> Vec<u32> {
        vec![RESERVED, call, 0, 0]
    }

    pub(crate) fn streams(&self, inputs: &Inputs<'_>) -> ElementStreams {
        match self {
            KeySpec::Call(call) => ElementStreams::Call(inputs.streams(&[RESERVED, *call])),
            KeySpec::Prefix(prefix) => ElementStreams::Prefix(inputs.streams(prefix)),
            KeySpec::Function(function) => {
                let function = function.resolve().expect("the client resolved it before");
                let seed = inputs.streams(&[]);
                let context = inputs.context();
                let key = function.call(&mut Inputs::of_constants(&[], context));
                ElementStreams::Function(seed, key)
            }
        }
    }
}

/// The streams of the elements of a map, prepared.
pub(crate) enum ElementStreams {
    Call(StreamFamily),
    Prefix(StreamFamily),
    Function(StreamFamily, KeyFunction),
}

impl ElementStreams {
    #[inline]
    pub(crate) fn stream(&self, index: u64) -> Stream {
        match self {
            ElementStreams::Call(family) => family.stream(&[index as u32, (index >> 32) as u32]),
            ElementStreams::Prefix(family) => family.stream(&[index as u32]),
            ElementStreams::Function(family, key) => family.stream(&key(index)),
        }
    }
}
