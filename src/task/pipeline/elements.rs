//! Elements with their type, and blocks, which have forgotten it.

use serde::{Deserialize, Serialize};
use std::{any::Any, ops::Range};

/// The elements that came of a range of the source, in its order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound(serialize = "T: Serialize", deserialize = "T: serde::de::DeserializeOwned"))]
pub(crate) struct Elements<T> {
    /// The range of the source.
    pub(crate) range: Range<u64>,
    /// The source index of each value; none if no element of the range is missing.
    pub(crate) indices: Option<Vec<u64>>,
    /// Which of its siblings each value is, where stages have made several of one.
    pub(crate) siblings: Siblings,
    pub(crate) values: Vec<T>,
}

/// For each value, its number among those that were made of one: as many numbers as stages have done so, the
/// first of them first. With the index of the source they name the value, however the work was divided.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Siblings {
    depth: usize,
    numbers: Vec<u64>,
}

impl Siblings {
    /// For values of a stage that makes several of each of these.
    pub(super) fn deeper(&self) -> Self {
        Siblings { depth: self.depth + 1, numbers: Vec::new() }
    }

    /// For some of these values.
    pub(super) fn some(&self) -> Self {
        Siblings { depth: self.depth, numbers: Vec::new() }
    }

    #[inline]
    pub(super) fn of(&self, position: usize) -> &[u64] {
        &self.numbers[position * self.depth..(position + 1) * self.depth]
    }

    /// Adds a value that has the numbers of its parent and perhaps one more.
    #[inline]
    pub(super) fn push(&mut self, parent: &[u64], number: Option<u64>) {
        self.numbers.extend(parent);
        self.numbers.extend(number);
    }

    fn slice(&self, positions: Range<usize>) -> Self {
        let numbers = self.numbers[positions.start * self.depth..positions.end * self.depth].to_vec();
        Siblings { depth: self.depth, numbers }
    }

    fn extend(&mut self, next: Siblings) {
        // Nothing yet: it does not know how deep it is.
        self.depth = self.depth.max(next.depth);
        self.numbers.extend(next.numbers);
    }
}

/// Names a value of a map: an index of the source, and its number among the values that were made of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position<'a> {
    pub(super) index: u64,
    pub(super) siblings: &'a [u64],
}

/// Elements of a type that only their producer and their consumer know.
pub(crate) struct Block {
    pub(crate) range: Range<u64>,
    /// More elements of the last index of the range follow in the next block.
    pub(crate) open: bool,
    elements: Box<dyn Any + Send>,
}

impl<T: Send + 'static> Elements<T> {
    pub(crate) fn dense(range: Range<u64>, values: Vec<T>) -> Self {
        debug_assert_eq!(range.end - range.start, values.len() as u64);
        Elements { range, indices: None, siblings: Siblings::default(), values }
    }

    pub(crate) fn into_block(self) -> Block {
        Block { range: self.range.clone(), open: false, elements: Box::new(self) }
    }

    /// What names the value at `position`.
    #[inline]
    pub(super) fn position(&self, position: usize) -> Position<'_> {
        Position { index: self.index(position), siblings: self.siblings.of(position) }
    }

    /// The source index of the value at `position`.
    #[inline]
    pub(crate) fn index(&self, position: usize) -> u64 {
        match &self.indices {
            None => self.range.start + position as u64,
            Some(indices) => indices[position],
        }
    }
}

impl<T: Clone + Send + 'static> Elements<T> {
    /// The elements whose source index lies in `range`.
    pub(crate) fn slice(&self, range: Range<u64>) -> Self {
        match &self.indices {
            None => {
                let start = (range.start - self.range.start) as usize;
                let end = (range.end - self.range.start) as usize;
                Elements::dense(range, self.values[start..end].to_vec())
            }
            Some(indices) => {
                let start = indices.partition_point(|&index| index < range.start);
                let end = indices.partition_point(|&index| index < range.end);
                Elements {
                    range,
                    indices: Some(indices[start..end].to_vec()),
                    siblings: self.siblings.slice(start..end),
                    values: self.values[start..end].to_vec(),
                }
            }
        }
    }
}

impl<T> Elements<T> {
    /// Takes over what follows directly behind.
    pub(crate) fn extend(&mut self, next: Self) {
        debug_assert_eq!(self.range.end, next.range.start);
        if let (None, Some(_)) = (&self.indices, &next.indices) {
            self.indices = Some(self.range.clone().collect());
        }
        if let Some(indices) = &mut self.indices {
            indices.extend(next.indices.unwrap_or_else(|| next.range.clone().collect()));
        }
        self.range.end = next.range.end;
        self.siblings.extend(next.siblings);
        self.values.extend(next.values);
    }

    /// Takes over what goes on with the last index.
    fn resume(&mut self, next: Self) {
        debug_assert_eq!(self.range.end, next.range.start + 1);
        let mut indices = self.indices.take().unwrap_or_else(|| self.range.clone().collect());
        indices.extend(next.indices.unwrap_or_else(|| next.range.clone().collect()));
        self.indices = Some(indices);
        self.range.end = next.range.end;
        self.siblings.extend(next.siblings);
        self.values.extend(next.values);
    }

    /// Takes over what follows directly behind, if neither has gaps.
    pub(crate) fn append(&mut self, next: Self) -> Result<(), Self> {
        if self.range.end != next.range.start || self.indices.is_some() || next.indices.is_some() {
            return Err(next);
        }
        self.extend(next);
        Ok(())
    }
}

impl Block {
    pub(crate) fn typed<T: Send + 'static>(self) -> Elements<T> {
        *self.elements.downcast().expect("typed handles read elements as the type they were made with")
    }

    pub(crate) fn copy<T: Clone + Send + 'static>(&self) -> Block {
        let elements: &Elements<T> = self
            .elements
            .downcast_ref()
            .expect("typed handles read elements as the type they were made with");
        Block { open: self.open, ..elements.clone().into_block() }
    }
}

/// Elements of open blocks, until the last of them has come.
pub(super) struct Pending<T>(Option<Elements<T>>);

impl<T> Default for Pending<T> {
    fn default() -> Self {
        Pending(None)
    }
}

impl<T: Send + 'static> Pending<T> {
    /// Adds a block; the elements of whole indices, if nothing of them is missing any more.
    pub(super) fn join(&mut self, block: Block) -> Option<Elements<T>> {
        let open = block.open;
        let elements = block.typed();
        let joined = match self.0.take() {
            None => elements,
            Some(mut before) => {
                before.resume(elements);
                before
            }
        };
        if open {
            self.0 = Some(joined);
            return None;
        }
        Some(joined)
    }
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Block({:?})", self.range)
    }
}
