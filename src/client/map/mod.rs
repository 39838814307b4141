//! Maps: one symbolic node, whatever their length.

mod construct;
mod node;
mod pass;
mod shuffle;

pub(super) use node::{MapNode, Origin, SinkKind};
pub(super) use pass::PassBuilder;
pub use shuffle::{Buckets, Shuffled};

use super::{
    arena::{Label, Node, Sink},
    client::Core,
    delayed::Delayed,
    handles::NodeRef,
};
use crate::error::{Error, Result};
use crate::random::Key;
use crate::task::{
    Args, Build, CollectionId, FnRef, NodeId, Record, TaskError,
    pipeline::{
        BuiltSink, BuiltStage, Collect, CollectionEntry, Each, Filter, Fold, FoldWith, Keep, KeyFunction,
        KeyFunctionEntry, KeySpec, Keys, MergeEntry, MergeFunction, MergeWithFunction, Outcomes, Plain,
        Reduce, StageHeader,
    },
};
use crate::wire::{self, Value};
use node::{Kept, Persisting, StageNode};
use std::{marker::PhantomData, panic::Location, sync::Arc};

///
/// A map is one node of the graph, whatever its length: ranks are given ranges of elements, sized by
/// measured time, so that neither memory nor messages grow with the length. Chains of maps and filters run
/// as one sweep, and everything that is computed together from one map shares one sweep.
///
/// Results do not depend on how elements were divided: [`collect`](Self::collect) keeps the order of the
/// source, and [`reduce`](Self::reduce) and [`fold`](Self::fold) follow a tree whose shape depends on the
/// length of the source alone.
#[derive(Debug)]
pub struct Map<T> {
    node: Arc<MapNode>,
    element: PhantomData<fn() -> T>,
}

impl<T> Clone for Map<T> {
    fn clone(&self) -> Self {
        Map { node: Arc::clone(&self.node), element: PhantomData }
    }
}

impl<T> Map<T> {
    fn behind<F, B, A>(from: Arc<MapNode>, function: F, shared: &A, random: bool, label: Label) -> Self
    where
        F: Copy + 'static,
        B: Build<F, Output = BuiltStage>,
        A: Args,
    {
        let core = Arc::clone(&from.core);
        let (length, first, expanded) = (from.length, from.first, from.expanded);
        let mut record = Record::default();
        shared.pack(&mut record);
        let accepted = core.accept(&mut record, label);
        let built = accepted.and_then(|()| match record.has_stream {
            true => Err(Error::Usage(
                "a stream cannot be shared by the elements of a map, whose draws would be equal; use \
                 `map_random_with`, which gives every element a stream of its own"
                    .into(),
            )),
            false => FnRef::new::<F, B>(function).map_err(Error::from),
        });
        let build = match built {
            Ok(build) => build,
            Err(problem) => return Map::from_node(Arc::new(MapNode::broken(&core, problem))),
        };
        let (key, no_default_key) = match random.then(|| core.next_call()) {
            None => (None, None),
            Some(Ok(call)) => (Some(Keys { spec: KeySpec::Call(call), first: from.first as u64 }), None),
            Some(Err(problem)) => (None, Some(problem)),
        };
        let hold = |&id: &NodeId| {
            core.arena().hold(id);
            NodeRef { core: Arc::clone(&core), id }
        };
        let stage = StageNode {
            from,
            build,
            header: StageHeader { label: label.text(), retries: 0, key },
            no_default_key,
            inputs: record.inputs.iter().map(hold).collect(),
            shared: record.constants,
        };
        let node = MapNode::new(&core, length, Origin::Stage(Box::new(stage)));
        Map::from_node(Arc::new(MapNode { first, expanded, ..node }))
    }

    fn from_node(node: Arc<MapNode>) -> Self {
        Map { node, element: PhantomData }
    }

    /// The node, for a map that is built on it.
    pub(super) fn node_for(&self, core: &Arc<Core>) -> Arc<MapNode> {
        if core.id == self.node.core.id {
            return Arc::clone(&self.node);
        }
        let problem = Error::Usage("a map of another run cannot be the source of a map here".into());
        Arc::new(MapNode::broken(core, problem))
    }

    /// Notes that the function makes any number of elements of one.
    fn expanded(self) -> Self {
        self.edit(|node| node.expanded = true)
    }

    fn edit(mut self, edit: impl FnOnce(&mut MapNode)) -> Self {
        edit(Arc::make_mut(&mut self.node));
        self
    }

    fn edit_stage(self, edit: impl FnOnce(&mut StageNode)) -> Self {
        self.edit(|node| {
            if let Origin::Stage(stage) = &mut node.origin {
                edit(stage);
            }
        })
    }

    /// Names the map in errors and reports.
    #[must_use]
    pub fn label(self, label: &str) -> Self {
        self.edit_stage(|stage| stage.header.label = label.to_owned())
    }

    /// Tries an element that fails up to `retries` more times, with the same stream.
    #[must_use]
    pub fn retries(self, retries: u32) -> Self {
        self.edit_stage(|stage| stage.header.retries = retries)
    }

    /// Hands out `elements` elements at a time, instead of as many as measured times suggest. The number is
    /// rounded up to whole leaves of the reduction tree. Results do not depend on it.
    #[must_use]
    pub fn batch(self, elements: u64) -> Self {
        self.edit(|node| node.batch = Some(elements.max(1)))
    }

    /// Gives each element the stream with the spawn key `prefix` followed by the element's number, so that it
    /// can be replayed by [`Stream::new`](crate::random::Stream::new) or in NumPy. The same key for two pieces of
    /// work is refused, since their draws would be equal.
    ///
    /// The number of an element of a range of integers is the integer, so that `10_000..20_000` goes on where
    /// `0..10_000` ended. The number of any other element is its position in the source, from 0. Where
    /// [`flat_map`](crate::Client::flat_map) has made several elements of one, the position among them is a
    /// further word of the key.
    ///
    /// A range with negative integers, or integers of 2^32 and more, needs [`key_with`](Self::key_with).
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// Builder::new().seed(7u64).run(|client| {
    ///     let draws = client.map_random(|_, mut rng| rng.random(), 0..100).key(&Key::new([3])?);
    ///     let again = Stream::new(client.seed(), &[3, 17]).random();
    ///     assert_eq!(draws.compute()?[17], again);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn key(self, prefix: &Key) -> Self {
        let words = prefix.words().to_vec();
        self.edit(|node| {
            let claimed = node.claim_prefix(&words);
            node.set_key(claimed.map(|()| KeySpec::Prefix(words)));
        })
    }

    /// Gives each element the stream with the spawn key that the function makes of the element's number (see
    /// [`key`](Self::key); of a negative integer `i` it is `i as u64`). Rank 0 evaluates the function for
    /// every element, to refuse a key that is used twice, or one whose first word is
    /// [`RESERVED`](crate::random::RESERVED).
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// Builder::new().seed(7u64).run(|client| {
    ///     // Ids of 64 bits.
    ///     let draws = client
    ///         .map_random(|_, mut rng| rng.random(), 1 << 40..(1 << 40) + 10u64)
    ///         .key_with(|id| vec![3, (id >> 32) as u32, id as u32]);
    ///     let again = Stream::new(client.seed(), &[3, 1 << 8, 4]).random();
    ///     assert_eq!(draws.compute()?[4], again);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn key_with(self, key: fn(u64) -> Vec<u32>) -> Self {
        self.edit(|node| {
            let spec = node.claim_all(key).and_then(|()| {
                let entry = FnRef::new::<KeyFunction, KeyFunctionEntry>(key)?;
                Ok(KeySpec::Function(entry))
            });
            node.set_key(spec);
        })
    }
}

impl<T: Value + Clone> Map<T> {
    /// Applies another function to the results.
    #[track_caller]
    #[must_use]
    pub fn map<R: Value + Clone>(&self, function: fn(T) -> R) -> Map<R> {
        let label = Label::Place(Location::caller());
        let from = Arc::clone(&self.node);
        Map::behind::<_, Each<Plain>, _>(from, function, &(), false, label)
    }

    /// Keeps the elements for which `keep` is true, in their order.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let even = client.map(|i| i * i, 0..6i64).filter(|x| x % 2 == 0);
    ///     assert_eq!(even.compute()?, [0, 4, 16]);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn filter(&self, keep: fn(&T) -> bool) -> Map<T> {
        let label = Label::Place(Location::caller());
        let from = Arc::clone(&self.node);
        Map::behind::<_, Filter<T>, _>(from, keep, &(), false, label)
    }

    /// All elements, in the order of the source, as one value.
    #[track_caller]
    pub fn collect(&self) -> Delayed<Vec<T>> {
        self.sink::<fn(T), Collect<T>, Vec<T>>(|_| (), Location::caller(), |_| Ok(()))
    }

    /// All elements in the order of the source, those that failed as their errors. Fails itself only if the
    /// map cannot be set up (its shared values failed, say).
    #[track_caller]
    pub fn outcomes(&self) -> Delayed<Vec<Result<T, TaskError>>> {
        let place = Location::caller();
        self.sink_of::<fn(T), Outcomes<T>, _>(|_| (), place, None, true, |_| Ok(()))
    }

    /// Merges all elements into one, with a function that should be associative.
    ///
    /// Elements are merged along a binary tree over the source, whose shape depends on the length of the
    /// source alone; so the result is the same to the last bit however the work was divided, even if
    /// `merge` rounds. Elements that were filtered out are passed over.
    ///
    /// # Errors
    /// The value fails if there is no element.
    #[track_caller]
    pub fn reduce(&self, merge: fn(T, T) -> T) -> Delayed<T> {
        let place = Location::caller();
        self.sink::<fn(T, T) -> T, Reduce<T>, T>(merge, place, |_| Ok(()))
    }

    /// Folds the elements of each leaf of the tree into an accumulator that begins as `start`, then merges
    /// accumulators along the tree, as [`reduce`](Self::reduce) does. The result is `start` if there is no
    /// element.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let histogram = client.map(|i| i % 3, 0..1000usize).fold(
    ///         vec![0u64; 3],
    ///         |mut counts, x| { counts[x] += 1; counts },
    ///         |mut a, b| { a.iter_mut().zip(b).for_each(|(a, b)| *a += b); a },
    ///     );
    ///     assert_eq!(histogram.compute()?, [334, 333, 333]);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn fold<A: Value + Clone>(&self, start: A, fold: fn(A, T) -> A, merge: fn(A, A) -> A) -> Delayed<A> {
        let place = Location::caller();
        self.sink::<fn(A, T) -> A, Fold<T, A>, A>(fold, place, move |constants| {
            let merge: FnRef<MergeFunction<A>> = FnRef::new::<fn(A, A) -> A, MergeEntry>(merge)?;
            wire::encode(&merge, constants)?;
            Ok(wire::encode(&start, constants)?)
        })
    }

    /// As [`fold`](Self::fold), with values that are common to all elements: functions that the two functions
    /// call, for example. They are values, not handles.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let numbers = client.map(|i| i, 0..100u64);
    ///     let add = |sum, i, (modulus,): &(u64,)| (sum + i) % modulus;
    ///     assert_eq!(numbers.fold_with(0, add, add, (7,)).compute()?, 4950 % 7);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn fold_with<A, W, S>(
        &self,
        start: A,
        fold: fn(A, T, &W) -> A,
        merge: fn(A, A, &W) -> A,
        shared: S,
    ) -> Delayed<A>
    where
        A: Value + Clone,
        W: Send + Sync + 'static,
        S: Args<Values = W>,
    {
        let place = Location::caller();
        let mut record = Record::default();
        shared.pack(&mut record);
        let accepted = self.node.core.accept(&mut record, Label::Place(place)).and_then(|()| {
            if record.inputs.is_empty() && !record.has_stream {
                return Ok(());
            }
            let problem = "what a fold shares are values; a handle or a stream cannot be one of them";
            Err(Error::Usage(problem.into()))
        });
        self.sink::<fn(A, T, &W) -> A, FoldWith<T, A, S>, A>(fold, place, move |constants| {
            accepted?;
            let merge: FnRef<MergeWithFunction<A, W>> = FnRef::new::<fn(A, A, &W) -> A, MergeEntry>(merge)?;
            wire::encode(&merge, constants)?;
            wire::encode(&start, constants)?;
            constants.extend_from_slice(&record.constants);
            Ok(())
        })
    }

    /// The number of elements.
    #[track_caller]
    pub fn count(&self) -> Delayed<u64> {
        self.fold(0, |count, _| count + 1, |a, b| a + b)
    }

    /// Runs the map and returns its elements in the order of the source.
    ///
    /// # Errors
    /// The failure of the first element, in the order of the source, that failed.
    #[track_caller]
    pub fn compute(&self) -> Result<Vec<T>> {
        self.collect().compute()
    }

    /// Runs the map and leaves its elements on the ranks that made them: what is built on this map
    /// afterwards starts from them.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// Builder::new().seed(1u64).run(|client| {
    ///     let draws = client.map_random(|_, mut rng| rng.standard_normal(), 0..1000).persist()?;
    ///     let mean = draws.reduce(|a, b| a + b).compute()? / 1000.0;
    ///     let squares = draws.map(|x| x * x).reduce(|a, b| a + b).compute()? / 1000.0;
    ///     assert!(mean.abs() < 0.2 && (squares - 1.0).abs() < 0.2);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    /// The failure of the first element, in the order of the source, that failed.
    #[track_caller]
    pub fn persist(&self) -> Result<Map<T>> {
        let (persisted, done) = self.begin_persist()?;
        done.compute()?;
        persisted.keep();
        Ok(self.clone())
    }

    /// What is to be run for the elements to stay, and what to call when that is done.
    #[track_caller]
    pub(super) fn begin_persist(&self) -> Result<(Persisting, Delayed<()>)> {
        let place = Location::caller();
        let core = &self.node.core;
        let id = core.next_collection();
        let entry = FnRef::new::<fn(T), CollectionEntry<T>>(|_| ())?;
        let kept = Arc::new(Kept { core: Arc::clone(core), id, entry });
        let done: Delayed<()> = self.sink_of::<fn(T), Keep<T>, _>(
            |_| (),
            place,
            Some(id),
            false,
            |constants| Ok(wire::encode(&id, constants)?),
        );
        Ok((Persisting { node: Arc::clone(&self.node), kept }, done))
    }

    /// The map over the first `length` elements of its source only: for results that few elements may decide.
    ///
    /// An element has the same index, and so the same stream, as in the whole map.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let squares = client.map(|i| i * i, 0..1_000_000_000u64);
    ///     assert_eq!(squares.head(3).compute()?, [0, 1, 4]);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn head(&self, length: u64) -> Map<T> {
        Map::from_node(Arc::new(self.node.head(length)))
    }

    /// The number of elements of the source, which is that of the map if nothing is filtered and nothing made
    /// many of.
    #[must_use]
    pub fn source_len(&self) -> u64 {
        self.node.length
    }

    fn sink<F, B, R>(
        &self,
        function: F,
        place: &'static Location<'static>,
        pack: impl FnOnce(&mut Vec<u8>) -> Result<()>,
    ) -> Delayed<R>
    where
        F: Copy + 'static,
        B: Build<F, Output = BuiltSink>,
    {
        self.sink_of::<F, B, R>(function, place, None, false, pack)
    }

    fn sink_of<F, B, R>(
        &self,
        function: F,
        place: &'static Location<'static>,
        keeps: Option<CollectionId>,
        takes_failures: bool,
        pack: impl FnOnce(&mut Vec<u8>) -> Result<()>,
    ) -> Delayed<R>
    where
        F: Copy + 'static,
        B: Build<F, Output = BuiltSink>,
    {
        let mut constants = Vec::new();
        let kind = self.node.check().and_then(|()| {
            pack(&mut constants)?;
            let build = FnRef::new::<F, B>(function)?;
            let label = Label::Place(place).text();
            Ok(SinkKind { build, constants, label, takes_failures, keeps, spread: None })
        });
        self.sink_node(kind)
    }

    /// The node of a sink.
    fn sink_node<R>(&self, kind: Result<SinkKind>) -> Delayed<R> {
        let node = match kind {
            Ok(kind) => Node::Sink(Box::new(Sink { map: Arc::clone(&self.node), kind })),
            Err(problem) => Node::Broken(Box::new(problem)),
        };
        let core = &self.node.core;
        let id = core.arena().add(node);
        Delayed::new(core, id)
    }
}
