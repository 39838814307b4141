//! Sinks: collect, keep on the rank, reduce and fold.

use super::{
    Accumulator, Block, BuiltSink, Consumer, Elements, Geometry, Sink, Work, downcast,
    elements::Pending,
    stages::without,
    tree::{Reduced, Tree},
};
use crate::task::{Args, Build, CollectionId, Erased, Failure, Inputs, InputsRef, TaskError, contain, erase};
use crate::wire::{self, Value, WireError};
use std::{collections::BTreeMap, marker::PhantomData, ops::Range, sync::Arc};

/// All values, in the order of the source: `Vec<T>`.
pub(crate) struct Collect<T>(PhantomData<T>);
/// All values and all failures, in the order of the source: `Vec<Result<T, TaskError>>`.
pub(crate) struct Outcomes<T>(PhantomData<T>);

struct CollectSink<T, const FAILURES: bool>(PhantomData<fn() -> T>);

impl<T: Value + Clone> Build<fn(T)> for Collect<T> {
    type Output = BuiltSink;
    fn build(_: fn(T), _: &mut Inputs<'_>) -> BuiltSink {
        Ok(Arc::new(CollectSink::<T, false>(PhantomData)))
    }
}

impl<T: Value + Clone> Build<fn(T)> for Outcomes<T> {
    type Output = BuiltSink;
    fn build(_: fn(T), _: &mut Inputs<'_>) -> BuiltSink {
        Ok(Arc::new(CollectSink::<T, true>(PhantomData)))
    }
}

impl<T: Value + Clone, const FAILURES: bool> Consumer for CollectSink<T, FAILURES> {
    fn duplicate(&self, block: &Block) -> Block {
        block.copy::<T>()
    }
}

impl<T: Value + Clone, const FAILURES: bool> Sink for CollectSink<T, FAILURES> {
    fn accumulator(&self, _: Geometry) -> Box<dyn Accumulator> {
        Box::new(Pieces::<T, FAILURES> { pieces: BTreeMap::new(), pending: Pending::default() })
    }
    fn is_eager(&self) -> bool {
        true
    }
    fn takes_failures(&self) -> bool {
        FAILURES
    }
}

/// Elements by the start of their range.
struct Pieces<T, const FAILURES: bool> {
    pieces: BTreeMap<u64, Elements<T>>,
    pending: Pending<T>,
}

impl<T: Value, const FAILURES: bool> Pieces<T, FAILURES> {
    fn insert(&mut self, elements: Elements<T>) {
        let elements = match self.pieces.range_mut(..elements.range.start).next_back() {
            Some((_, before)) => match before.append(elements) {
                Ok(()) => return,
                Err(elements) => elements,
            },
            None => elements,
        };
        self.pieces.insert(elements.range.start, elements);
    }
}

impl<T: Value + Clone, const FAILURES: bool> Pieces<T, FAILURES> {
    /// Adds those elements that are not there: who does an element a second time has the same result.
    fn insert_missing(&mut self, elements: Elements<T>) {
        let Range { mut start, end } = elements.range;
        let before = self.pieces.range(..=start).next_back().map(|(_, piece)| piece.range.end);
        if before.is_none_or(|before| before <= start) && self.pieces.range(start..end).next().is_none() {
            return self.insert(elements);
        }
        start = start.max(before.unwrap_or(start));
        while start < end {
            let next = self.pieces.range(start..end).next().map(|(_, piece)| piece.range.clone());
            let until = next.as_ref().map_or(end, |next| next.start);
            if start < until {
                self.insert(elements.slice(start..until));
            }
            start = next.map_or(end, |next| next.end);
        }
    }
}

impl<T: Value + Clone, const FAILURES: bool> Accumulator for Pieces<T, FAILURES> {
    fn push(&mut self, block: Block, work: &mut Work<'_>) {
        if let Some(elements) = self.pending.join(block) {
            self.insert(match wire::Format::<T>::new().is_described() {
                true => those_that_travel(elements, work),
                false => elements,
            });
        }
    }

    fn merge(&mut self, other: Box<dyn Accumulator>) {
        for (_, elements) in downcast::<Self>(other).pieces {
            self.insert(elements);
        }
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), WireError> {
        wire::encode(&self.pieces.len(), out)?;
        for elements in self.pieces.values() {
            // Elements without gaps are not several of one.
            let places = elements.indices.as_ref().map(|indices| (indices, &elements.siblings));
            wire::encode_message(&(&elements.range, places), out)?;
            wire::encode(&elements.values, out)?;
        }
        Ok(())
    }

    fn merge_bytes(&mut self, mut bytes: &[u8]) -> Result<(), Failure> {
        let count: usize = wire::decode_from(&mut bytes)?;
        for _ in 0..count {
            let (range, places): (_, Option<(_, _)>) = wire::decode_message_from(&mut bytes)?;
            let (indices, siblings) =
                places.map_or_else(Default::default, |(indices, siblings)| (Some(indices), siblings));
            let values = wire::decode_from(&mut bytes)?;
            self.insert_missing(Elements { range, indices, siblings, values });
        }
        Ok(())
    }

    fn finish(self: Box<Self>, failures: Vec<TaskError>) -> Result<Arc<dyn Erased>, Failure> {
        if !FAILURES {
            let mut pieces = self.pieces.into_values();
            let mut all = pieces.next().map(|first| first.values).unwrap_or_default();
            all.extend(pieces.flat_map(|piece| piece.values));
            return Ok(erase(all)?);
        }
        let mut by_index: Vec<(u64, Result<T, TaskError>)> = Vec::new();
        for mut piece in self.pieces.into_values() {
            let values = std::mem::take(&mut piece.values);
            by_index.extend(values.into_iter().enumerate().map(|(k, v)| (piece.index(k), Ok(v))));
        }
        by_index.extend(failures.into_iter().filter_map(|error| Some((error.index?, Err(error)))));
        // An index may have several values, which keep their order, and a failure behind them.
        by_index.sort_by_key(|&(index, _)| index);
        Ok(erase(by_index.into_iter().map(|(_, outcome)| outcome).collect::<Vec<_>>())?)
    }
}

/// The elements but those that would arrive as other values, which have failed: on every scheduler.
fn those_that_travel<T: Value>(mut elements: Elements<T>, work: &mut Work<'_>) -> Elements<T> {
    let values = std::mem::take(&mut elements.values);
    let (mut kept, mut missing) = (Vec::with_capacity(values.len()), Vec::new());
    for (position, value) in values.into_iter().enumerate() {
        match contain(|| wire::travels(&value)).and_then(|travels| travels.map_err(Failure::from)) {
            Ok(()) => kept.push(value),
            Err(failure) => {
                work.fail(failure, "collect", elements.index(position), 1);
                missing.push(position);
            }
        }
    }
    without(&elements, &missing, kept)
}

/// The elements stay on the rank that made them, as a collection; the constant is its name.
pub(crate) struct Keep<T>(PhantomData<T>);

struct KeepSink<T> {
    collection: CollectionId,
    elements: PhantomData<fn() -> T>,
}

impl<T: Value + Clone> Build<fn(T)> for Keep<T> {
    type Output = BuiltSink;
    fn build(_: fn(T), inputs: &mut Inputs<'_>) -> BuiltSink {
        Ok(Arc::new(KeepSink::<T> { collection: inputs.constant()?, elements: PhantomData }))
    }
}

impl<T: Value + Clone> Consumer for KeepSink<T> {
    fn duplicate(&self, block: &Block) -> Block {
        block.copy::<T>()
    }
}

impl<T: Value + Clone> Sink for KeepSink<T> {
    fn accumulator(&self, _: Geometry) -> Box<dyn Accumulator> {
        Box::new(Kept::<T> { collection: self.collection, pending: Pending::default() })
    }
}

/// Nothing travels: the elements go to the collection at once.
struct Kept<T> {
    collection: CollectionId,
    pending: Pending<T>,
}

impl<T: Value + Clone> Accumulator for Kept<T> {
    fn push(&mut self, block: Block, work: &mut Work<'_>) {
        if let Some(elements) = self.pending.join(block) {
            work.context.collections.keep::<T>(self.collection, elements);
        }
    }
    fn merge(&mut self, _: Box<dyn Accumulator>) {}
    fn encode(&self, _: &mut Vec<u8>) -> Result<(), WireError> {
        Ok(())
    }
    fn merge_bytes(&mut self, _: &[u8]) -> Result<(), Failure> {
        Ok(())
    }
    fn finish(self: Box<Self>, _: Vec<TaskError>) -> Result<Arc<dyn Erased>, Failure> {
        Ok(Arc::new(()))
    }
}

/// `fn(T, T) -> T` over all elements: `T`.
pub(crate) struct Reduce<T>(PhantomData<T>);

struct ReduceSink<T> {
    merge: fn(T, T) -> T,
}

impl<T: Value + Clone> Build<fn(T, T) -> T> for Reduce<T> {
    type Output = BuiltSink;
    fn build(merge: fn(T, T) -> T, _: &mut Inputs<'_>) -> BuiltSink {
        Ok(Arc::new(ReduceSink { merge }))
    }
}

impl<T: Value + Clone> Consumer for ReduceSink<T> {
    fn duplicate(&self, block: &Block) -> Block {
        block.copy::<T>()
    }
}

impl<T: Value + Clone> Sink for ReduceSink<T> {
    fn accumulator(&self, geometry: Geometry) -> Box<dyn Accumulator> {
        let merge = self.merge;
        let leaf =
            move |begun: Option<T>, values: LeafValues<'_, T>| begun.into_iter().chain(values).reduce(merge);
        Box::new(Partial::new(geometry, leaf, merge, |root: Option<T>| {
            root.ok_or_else(|| Failure::error("there is no element to reduce"))
        }))
    }
}

/// `fn(A, T) -> A` over the elements of a leaf, `fn(A, A) -> A` over leaves: `A`.
pub(crate) struct Fold<T, A>(PhantomData<(T, A)>);

struct FoldSink<T, A> {
    start: A,
    fold: fn(A, T) -> A,
    merge: fn(A, A) -> A,
}

/// The two functions of a fold travel as one reference and one constant of the other's entry.
impl<T: Value + Clone, A: Value + Clone> Build<fn(A, T) -> A> for Fold<T, A> {
    type Output = BuiltSink;
    fn build(fold: fn(A, T) -> A, inputs: &mut Inputs<'_>) -> BuiltSink {
        let merge: crate::task::FnRef<MergeFunction<A>> = inputs.constant()?;
        let merge = merge.resolve()?.call(inputs).0;
        let start = inputs.constant()?;
        Ok(Arc::new(FoldSink { start, fold, merge }))
    }
}

/// A merge function on its way.
pub(crate) struct MergeFunction<A>(fn(A, A) -> A);

/// The entry that yields a [`MergeFunction`].
pub(crate) struct MergeEntry;

impl<A: 'static> Build<fn(A, A) -> A> for MergeEntry {
    type Output = MergeFunction<A>;
    fn build(function: fn(A, A) -> A, _: &mut Inputs<'_>) -> MergeFunction<A> {
        MergeFunction(function)
    }
}

impl<T: Value + Clone, A: Value + Clone> Consumer for FoldSink<T, A> {
    fn duplicate(&self, block: &Block) -> Block {
        block.copy::<T>()
    }
}

impl<T: Value + Clone, A: Value + Clone> Sink for FoldSink<T, A> {
    fn accumulator(&self, geometry: Geometry) -> Box<dyn Accumulator> {
        let (fold, start, empty) = (self.fold, self.start.clone(), self.start.clone());
        let leaf = move |begun: Option<A>, mut values: LeafValues<'_, T>| match begun {
            Some(begun) => Some(values.fold(begun, fold)),
            None => {
                let first = values.next()?;
                Some(values.fold(fold(start.clone(), first), fold))
            }
        };
        let finish = move |root: Option<A>| Ok(root.unwrap_or(empty));
        Box::new(Partial::new(geometry, leaf, self.merge, finish))
    }
}

/// As [`Fold`], where both functions see the same values `W`.
pub(crate) struct FoldWith<T, A, S>(PhantomData<(T, A, S)>);

struct FoldWithSink<T, A, W> {
    start: A,
    fold: fn(A, T, &W) -> A,
    merge: fn(A, A, &W) -> A,
    shared: Arc<W>,
}

impl<T, A, S> Build<fn(A, T, &S::Values) -> A> for FoldWith<T, A, S>
where
    T: Value + Clone,
    A: Value + Clone,
    S: Args<Values: Send + Sync + 'static>,
{
    type Output = BuiltSink;
    fn build(fold: fn(A, T, &S::Values) -> A, inputs: &mut Inputs<'_>) -> BuiltSink {
        let merge: crate::task::FnRef<MergeWithFunction<A, S::Values>> = inputs.constant()?;
        let merge = merge.resolve()?.call(inputs).0;
        let start = inputs.constant()?;
        let shared = S::unpack(&mut InputsRef(inputs)).map_err(|failure| failure.0)?;
        Ok(Arc::new(FoldWithSink { start, fold, merge, shared: Arc::new(shared) }))
    }
}

/// A merge function that sees shared values, on its way.
pub(crate) struct MergeWithFunction<A, W>(fn(A, A, &W) -> A);

impl<A: 'static, W: 'static> Build<fn(A, A, &W) -> A> for MergeEntry {
    type Output = MergeWithFunction<A, W>;
    fn build(function: fn(A, A, &W) -> A, _: &mut Inputs<'_>) -> MergeWithFunction<A, W> {
        MergeWithFunction(function)
    }
}

impl<T, A, W> Consumer for FoldWithSink<T, A, W>
where
    T: Value + Clone,
    A: Value + Clone,
    W: Send + Sync + 'static,
{
    fn duplicate(&self, block: &Block) -> Block {
        block.copy::<T>()
    }
}

impl<T, A, W> Sink for FoldWithSink<T, A, W>
where
    T: Value + Clone,
    A: Value + Clone,
    W: Send + Sync + 'static,
{
    fn accumulator(&self, geometry: Geometry) -> Box<dyn Accumulator> {
        let (fold, start, empty) = (self.fold, self.start.clone(), self.start.clone());
        let (merge, shared, of_merge) = (self.merge, Arc::clone(&self.shared), Arc::clone(&self.shared));
        let leaf = move |begun: Option<A>, mut values: LeafValues<'_, T>| {
            let add = |so_far, value| fold(so_far, value, &shared);
            match begun {
                Some(begun) => Some(values.fold(begun, add)),
                None => {
                    let first = values.next()?;
                    Some(values.fold(add(start.clone(), first), add))
                }
            }
        };
        let finish = move |root: Option<A>| Ok(root.unwrap_or(empty));
        Box::new(Partial::new(geometry, leaf, move |a, b| merge(a, b, &of_merge), finish))
    }
}

/// The elements of one leaf.
type LeafValues<'a, T> = std::iter::Take<&'a mut std::vec::IntoIter<T>>;

/// A part of a reduction.
struct Partial<T, A, L, M, F> {
    geometry: Geometry,
    tree: Tree<A>,
    leaf: L,
    merge: M,
    finish: F,
    /// What the elements of a leaf so far stand for, if more of them are to come.
    open: Option<Reduced<A>>,
    elements: PhantomData<fn(T)>,
}

impl<T, A: Value, L, M, F> Partial<T, A, L, M, F> {
    fn new(geometry: Geometry, leaf: L, merge: M, finish: F) -> Self {
        let tree = Tree::new(geometry);
        Partial { geometry, tree, leaf, merge, finish, open: None, elements: PhantomData }
    }
}

impl<T, A, L, M, F> Accumulator for Partial<T, A, L, M, F>
where
    T: Value,
    A: Value,
    L: Fn(Option<A>, LeafValues<'_, T>) -> Option<A> + Send + 'static,
    M: Fn(A, A) -> A + Send + 'static,
    F: FnOnce(Option<A>) -> Result<A, Failure> + Send + 'static,
{
    fn push(&mut self, block: Block, _: &mut Work<'_>) {
        let open = block.open;
        let Elements { range, indices, values, .. } = block.typed::<T>();
        let length = self.geometry.leaf;
        let mut values = values.into_iter();
        let mut indices = indices.as_deref();
        let mut start = range.start;
        while start < range.end {
            let position = start / length;
            let end = range.end.min((position + 1) * length);
            let count = match &mut indices {
                None => (end - start) as usize,
                Some(indices) => {
                    let count = indices.partition_point(|&index| index < end);
                    *indices = &indices[count..];
                    count
                }
            };
            let left = values.len() - count;
            let begun = self.open.take().unwrap_or(Ok(None));
            let reduced = begun.and_then(|begun| {
                contain(|| (self.leaf)(begun, values.by_ref().take(count)))
                    .map_err(|failure| self.tree.while_reducing(failure, 0, position))
            });
            // A fold that fails leaves the rest of its leaf behind.
            let rest = values.len() - left;
            values.by_ref().take(rest).for_each(drop);
            start = end;
            if open && start == range.end {
                self.open = Some(reduced);
            } else {
                self.tree.push(position, reduced, &self.merge);
            }
        }
    }

    fn merge(&mut self, other: Box<dyn Accumulator>) {
        self.tree.merge(downcast::<Self>(other).tree, &self.merge);
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), WireError> {
        wire::encode(&self.tree, out)
    }

    fn merge_bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.tree.merge_repeated(wire::decode(bytes)?, &self.merge);
        Ok(())
    }

    fn finish(self: Box<Self>, _: Vec<TaskError>) -> Result<Arc<dyn Erased>, Failure> {
        let Partial { tree, merge, finish, .. } = *self;
        Ok(erase(finish(tree.into_root(&merge)?)?)?)
    }
}
