//! The stream of each element of a map.

use super::elements::Position;
use crate::random::{RESERVED, Stream, StreamFamily};
use crate::task::{Build, FnRef, Inputs};
use serde::{Deserialize, Serialize};

/// The user's function from an element's number to its spawn key.
pub(crate) type KeyFunction = fn(u64) -> Vec<u32>;

/// The entry that yields a [`KeyFunction`].
pub(crate) struct KeyFunctionEntry;

impl Build<KeyFunction> for KeyFunctionEntry {
    type Output = KeyFunction;
    fn build(function: KeyFunction, _: &mut Inputs<'_>) -> KeyFunction {
        function
    }
}

/// How the spawn keys of the elements of a map follow from their numbers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Keys {
    pub(crate) spec: KeySpec,
    /// The number of the element with index 0: of a range of integers its start.
    pub(crate) first: u64,
}

/// How the spawn key of an element follows from its number.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum KeySpec {
    /// (reserved, number of the call, low word, high word): no explicit key can equal it.
    Call(u32),
    /// The user's prefix, then the number.
    Prefix(Vec<u32>),
    /// The user's function of the number.
    Function(FnRef<KeyFunction>),
}

impl KeySpec {
    /// The default key of a single task.
    pub(crate) fn of_task(call: u32) -> Vec<u32> {
        vec![RESERVED, call, 0, 0]
    }
}

impl Keys {
    pub(super) fn streams(&self, inputs: &Inputs<'_>) -> ElementStreams {
        let (family, words) = match &self.spec {
            KeySpec::Call(call) => (inputs.streams(&[RESERVED, *call]), Words::Both),
            KeySpec::Prefix(prefix) => (inputs.streams(prefix), Words::Low),
            KeySpec::Function(function) => {
                let function = function.resolve().expect("the client resolved it before");
                let context = inputs.context();
                let key = function.call(&mut Inputs::of_constants(&[], context));
                (inputs.streams(&[]), Words::Made(key))
            }
        };
        ElementStreams { family, words, first: self.first }
    }
}

/// The streams of the elements of a map, prepared.
pub(super) struct ElementStreams {
    family: StreamFamily,
    words: Words,
    first: u64,
}

/// What becomes of an element's number.
enum Words {
    Both,
    Low,
    Made(KeyFunction),
}

impl ElementStreams {
    /// The stream of an element. Where it is one of several that were made of one element of the source, the
    /// numbers among its siblings follow the key of that.
    #[inline]
    pub(super) fn stream(&self, at: Position<'_>) -> Stream {
        let number = self.first.wrapping_add(at.index);
        let words = [number as u32, (number >> 32) as u32];
        match (&self.words, at.siblings) {
            (Words::Both, []) => self.family.stream(&words),
            (Words::Low, []) => self.family.stream(&words[..1]),
            (Words::Made(key), []) => self.family.stream(&key(number)),
            (Words::Both, siblings) => self.family.stream(&with_siblings(&words, siblings)),
            (Words::Low, siblings) => self.family.stream(&with_siblings(&words[..1], siblings)),
            (Words::Made(key), siblings) => self.family.stream(&with_siblings(&key(number), siblings)),
        }
    }
}

fn with_siblings(key: &[u32], siblings: &[u64]) -> Vec<u32> {
    let both = |&number: &u64| [number as u32, (number >> 32) as u32];
    // One word is enough for all that fit into memory, and easily replayed.
    let short = siblings.iter().all(|&number| number < RESERVED.into());
    let numbers = siblings.iter().flat_map(both).step_by(if short { 2 } else { 1 });
    key.iter().copied().chain(numbers).collect()
}
