//! Maps: one symbolic node, whatever their length.

use super::{
    arena::{Label, Node, Sink},
    client::{Client, Core},
    delayed::Delayed,
    handles::NodeRef,
    source::Source,
};
use crate::error::{Error, Result};
use crate::graph::{Branch, PassSpec, SinkSpec, StageSpec, leaf_length};
use crate::random::{Key, Stream};
use crate::scheduler::{Event, PassOrder};
use crate::task::{
    Args, Build, CollectionId, FnRef, NodeId, PassId, Place, Record, TaskError,
    pipeline::{
        BuiltSink, BuiltSource, BuiltStage, Collect, CollectionEntry, Each, Fallible, Filter, Fold, Keep,
        KeyFunction, KeyFunctionEntry, KeySpec, MergeEntry, MergeFunction, Outcomes, Plain, Random,
        RandomWith, Reduce, Slices, StageHeader, With,
    },
};
use crate::wire::{self, Value};
use std::{
    collections::HashMap,
    fmt::Display,
    marker::PhantomData,
    panic::Location,
    sync::{Arc, OnceLock},
};

/// A function applied to every element of a source, not yet run.
///
/// A map is one node of the graph, whatever its length: ranks are given ranges of elements, sized by
/// measured time, so that neither memory nor messages grow with the length. Chains of maps and filters run
/// as one sweep, and everything that is computed together from the same source shares one sweep.
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

/// A stage or a source.
#[derive(Debug, Clone)]
pub(super) struct MapNode {
    core: Arc<Core>,
    length: u64,
    origin: Origin,
    batch: Option<u64>,
    problem: Option<Error>,
    kept: OnceLock<Arc<Kept>>,
}

#[derive(Debug, Clone)]
pub(super) enum Origin {
    Range { entry: FnRef<BuiltSource>, constants: Vec<u8> },
    Vector { entry: FnRef<BuiltSource>, slices: Arc<dyn Slices> },
    Stage(Box<StageNode>),
    Broken,
}

#[derive(Debug, Clone)]
pub(super) struct StageNode {
    from: Arc<MapNode>,
    build: FnRef<BuiltStage>,
    header: StageHeader,
    /// Why the stage has no stream, if it should have one.
    no_default_key: Option<Error>,
    /// The packed shared values.
    shared: Vec<u8>,
    inputs: Vec<NodeRef>,
}

/// Elements that stay on the ranks until nobody holds them.
#[derive(Debug)]
struct Kept {
    core: Arc<Core>,
    id: CollectionId,
    entry: FnRef<BuiltSource>,
}

/// A map whose elements are being made, to stay.
pub(super) struct Persisting {
    node: Arc<MapNode>,
    kept: Arc<Kept>,
}

impl Persisting {
    /// The elements are there.
    pub(super) fn keep(&self) {
        // A map that is persisted twice keeps what it has; the new collection is forgotten.
        let _ = self.node.kept.set(Arc::clone(&self.kept));
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.core.send(Event::ForgetCollection(self.id));
    }
}

/// What becomes of the elements of a map.
#[derive(Debug)]
pub(super) struct SinkKind {
    build: FnRef<BuiltSink>,
    constants: Vec<u8>,
    pub(super) label: String,
    takes_failures: bool,
    keeps: Option<CollectionId>,
}

impl Client {
    /// Applies `function` to every element of `source`.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let squares = client.map(|i| i * i, 0..10u64);
    ///     assert_eq!(squares.compute()?, [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]);
    ///     assert_eq!(squares.reduce(|a, b| a + b).compute()?, 285);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn map<T, R, S>(&self, function: fn(T) -> R, source: S) -> Map<R>
    where
        T: Clone + Send + 'static,
        R: Value + Clone,
        S: Source<Item = T>,
    {
        self.stage::<_, _, Each<Plain>, _>(function, source, (), false, Location::caller())
    }

    /// As [`map`](Self::map), for a function that may fail: an `Err` is a failure of the element.
    #[track_caller]
    pub fn try_map<T, R, E, S>(&self, function: fn(T) -> Result<R, E>, source: S) -> Map<R>
    where
        T: Clone + Send + 'static,
        R: Value + Clone,
        E: Display + 'static,
        S: Source<Item = T>,
    {
        self.stage::<_, _, Each<Fallible>, _>(function, source, (), false, Location::caller())
    }

    /// Applies `function` to every element and a random stream of the element's own.
    ///
    /// The stream belongs to the element: it is the same on whatever rank and thread the element is
    /// computed, and however often. Unless [`Map::key`] says otherwise its key is the number of this call
    /// and the element's index.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// Builder::new().seed(42u64).run(|client| {
    ///     let darts = client.map_random(|_, mut rng| {
    ///         let (x, y) = (rng.random(), rng.random());
    ///         u64::from(x * x + y * y < 1.0)
    ///     }, 0..10_000u64);
    ///     let pi = 4.0 * darts.reduce(|a, b| a + b).compute()? as f64 / 10_000.0;
    ///     assert!((pi - std::f64::consts::PI).abs() < 0.1);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn map_random<T, R, S>(&self, function: fn(T, Stream) -> R, source: S) -> Map<R>
    where
        T: Clone + Send + 'static,
        R: Value + Clone,
        S: Source<Item = T>,
    {
        self.stage::<_, _, Random<Plain>, _>(function, source, (), true, Location::caller())
    }

    /// As [`map_random`](Self::map_random), for a function that may fail.
    #[track_caller]
    pub fn try_map_random<T, R, E, S>(&self, function: fn(T, Stream) -> Result<R, E>, source: S) -> Map<R>
    where
        T: Clone + Send + 'static,
        R: Value + Clone,
        E: Display + 'static,
        S: Source<Item = T>,
    {
        self.stage::<_, _, Random<Fallible>, _>(function, source, (), true, Location::caller())
    }

    /// Applies `function` to every element, with values that are common to all of them.
    ///
    /// `shared` is a tuple of values and handles, as the arguments of a task; it is sent once to each rank.
    /// The function sees the tuple by reference, a handle given by reference as an `Arc`.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let table = client.broadcast(vec![1.0, 10.0, 100.0])?;
    ///     let scaled = client.map_with(|i, (table, factor)| table[i] * factor, 0..3, (&table, 2.0));
    ///     assert_eq!(scaled.compute()?, [2.0, 20.0, 200.0]);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn map_with<T, W, R, S, A>(&self, function: fn(T, &W) -> R, source: S, shared: A) -> Map<R>
    where
        T: Clone + Send + 'static,
        W: Send + Sync + 'static,
        R: Value + Clone,
        S: Source<Item = T>,
        A: Args<Values = W>,
    {
        self.stage::<_, _, With<A, Plain>, _>(function, source, shared, false, Location::caller())
    }

    /// As [`map_with`](Self::map_with), for a function that may fail.
    #[track_caller]
    pub fn try_map_with<T, W, R, E, S, A>(
        &self,
        function: fn(T, &W) -> Result<R, E>,
        source: S,
        shared: A,
    ) -> Map<R>
    where
        T: Clone + Send + 'static,
        W: Send + Sync + 'static,
        R: Value + Clone,
        E: Display + 'static,
        S: Source<Item = T>,
        A: Args<Values = W>,
    {
        self.stage::<_, _, With<A, Fallible>, _>(function, source, shared, false, Location::caller())
    }

    /// [`map_random`](Self::map_random) and [`map_with`](Self::map_with) in one: an element, its stream, and
    /// the shared values.
    #[track_caller]
    pub fn map_random_with<T, W, R, S, A>(
        &self,
        function: fn(T, Stream, &W) -> R,
        source: S,
        shared: A,
    ) -> Map<R>
    where
        T: Clone + Send + 'static,
        W: Send + Sync + 'static,
        R: Value + Clone,
        S: Source<Item = T>,
        A: Args<Values = W>,
    {
        self.stage::<_, _, RandomWith<A, Plain>, _>(function, source, shared, true, Location::caller())
    }

    /// As [`map_random_with`](Self::map_random_with), for a function that may fail.
    #[track_caller]
    pub fn try_map_random_with<T, W, R, E, S, A>(
        &self,
        function: fn(T, Stream, &W) -> Result<R, E>,
        source: S,
        shared: A,
    ) -> Map<R>
    where
        T: Clone + Send + 'static,
        W: Send + Sync + 'static,
        R: Value + Clone,
        E: Display + 'static,
        S: Source<Item = T>,
        A: Args<Values = W>,
    {
        self.stage::<_, _, RandomWith<A, Fallible>, _>(function, source, shared, true, Location::caller())
    }

    fn stage<F, R, B, A>(
        &self,
        function: F,
        source: impl Source,
        shared: A,
        random: bool,
        place: &'static Location<'static>,
    ) -> Map<R>
    where
        F: Copy + 'static,
        B: Build<F, Output = BuiltStage>,
        A: Args,
    {
        let from = source.into_node(&self.core);
        Map::behind::<F, B, A>(from, function, &shared, random, Label::Place(place))
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
        let length = from.length;
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
            Some(Ok(call)) => (Some(KeySpec::Call(call)), None),
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
        Map::from_node(Arc::new(node))
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

    /// Gives element `i` the stream with the spawn key `prefix` followed by `i`, so that it can be replayed
    /// by [`Stream::new`](crate::random::Stream::new) or in NumPy. The same key for two pieces of work is
    /// refused, since their draws would be equal.
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
            let claim = |keys: &mut crate::random::KeyRegistry| keys.claim_range(&words, 0..node.length);
            let claimed = node.core.claim(claim);
            node.set_key(claimed.map(|()| KeySpec::Prefix(words)));
        })
    }

    /// Gives element `i` the stream with the spawn key `key(i)`. Rank 0 evaluates the function for every
    /// element, to refuse a key that is used twice, or one whose first word is
    /// [`RESERVED`](crate::random::RESERVED).
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

    /// All elements in the order of the source, those that failed as their errors. Fails itself only if the map cannot be set up (its shared values failed, say).
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
        let core = &self.node.core;
        let mut constants = Vec::new();
        let kind = self.node.check().and_then(|()| {
            pack(&mut constants)?;
            let build = FnRef::new::<F, B>(function)?;
            let label = Label::Place(place).text();
            Ok(SinkKind { build, constants, label, takes_failures, keeps })
        });
        let node = match kind {
            Ok(kind) => Node::Sink(Box::new(Sink { map: Arc::clone(&self.node), kind })),
            Err(problem) => Node::Broken(problem),
        };
        let id = core.arena().add(node);
        Delayed::new(core, id)
    }
}

impl MapNode {
    pub(super) fn new(core: &Arc<Core>, length: u64, origin: Origin) -> Self {
        MapNode { core: Arc::clone(core), length, origin, batch: None, problem: None, kept: OnceLock::new() }
    }

    /// A map that cannot be; what is computed from it fails.
    pub(super) fn broken(core: &Arc<Core>, problem: Error) -> Self {
        MapNode { problem: Some(problem), ..MapNode::new(core, 0, Origin::Broken) }
    }

    fn set_key(&mut self, key: Result<KeySpec>) {
        // What was kept was drawn from other streams.
        self.kept = OnceLock::new();
        match (key, &mut self.origin) {
            (Err(problem), _) => self.problem = Some(problem),
            (Ok(key), Origin::Stage(stage)) => {
                if stage.header.key.is_none() && stage.no_default_key.is_none() {
                    let problem = "this map draws no random numbers, so it has no use for a key";
                    self.problem = Some(Error::Usage(problem.into()));
                }
                stage.header.key = Some(key);
                stage.no_default_key = None;
            }
            (Ok(_), _) => {}
        }
    }

    fn claim_all(&self, key: KeyFunction) -> Result<()> {
        for index in 0..self.length {
            let words = key(index);
            // `Key` knows what is reserved.
            Key::new(words.iter().map(|&word| u64::from(word)))?;
            self.core.claim(|keys| keys.claim(&words))?;
        }
        Ok(())
    }

    /// The first problem on the way from the source.
    fn check(&self) -> Result<()> {
        if let Some(problem) = &self.problem {
            return Err(problem.clone());
        }
        match &self.origin {
            Origin::Stage(stage) if self.kept.get().is_none() => {
                stage.no_default_key.clone().map_or(Ok(()), Err)?;
                stage.from.check()
            }
            _ => Ok(()),
        }
    }

    /// The values of the graph that the stages read, in the order from the source.
    pub(super) fn inputs(&self, inputs: &mut Vec<NodeId>) {
        if let (Origin::Stage(stage), None) = (&self.origin, self.kept.get()) {
            stage.from.inputs(inputs);
            inputs.extend(stage.inputs.iter().map(|node| node.id));
        }
    }

    /// Identifies the source of the chain.
    pub(super) fn root(&self) -> usize {
        match (&self.origin, self.kept.get()) {
            (Origin::Stage(stage), None) => stage.from.root(),
            _ => std::ptr::from_ref(self) as usize,
        }
    }
}

/// Brings sinks over the same source together into one pass.
pub(super) struct PassBuilder {
    id: PassId,
    root: Option<Arc<MapNode>>,
    length: u64,
    batch: Option<u64>,
    stages: Vec<StageSpec>,
    known: HashMap<usize, u32>,
    sinks: Vec<(SinkSpec, u32)>,
    inputs: Vec<NodeId>,
    keeps: Option<CollectionId>,
    takes_failures: bool,
}

impl PassBuilder {
    pub(super) fn new(id: PassId, map: &Arc<MapNode>) -> Self {
        PassBuilder {
            id,
            root: None,
            length: map.length,
            batch: None,
            stages: Vec::new(),
            known: HashMap::new(),
            sinks: Vec::new(),
            inputs: Vec::new(),
            keeps: None,
            takes_failures: false,
        }
    }

    pub(super) fn id(&self) -> PassId {
        self.id
    }

    /// The nodes that the stages read, stage by stage.
    pub(super) fn inputs(&self) -> &[NodeId] {
        &self.inputs
    }

    /// Adds a sink; `external` is its number in the graph.
    pub(super) fn add(&mut self, sink: &Sink, external: u32) {
        let from = self.branch(&sink.map);
        self.keeps = self.keeps.or(sink.kind.keeps);
        self.takes_failures |= sink.kind.takes_failures;
        let spec = SinkSpec {
            from,
            build: sink.kind.build,
            constants: sink.kind.constants.clone(),
            inputs: 0,
            home: 0,
            place: Place { graph: crate::task::GraphId(0), slot: crate::task::Slot(0) },
            takes_failures: sink.kind.takes_failures,
            label: sink.kind.label.clone(),
        };
        self.sinks.push((spec, external));
    }

    fn branch(&mut self, map: &Arc<MapNode>) -> Branch {
        let (Origin::Stage(stage), None) = (&map.origin, map.kept.get()) else {
            self.root = Some(Arc::clone(map));
            return Branch::Source;
        };
        let identity = Arc::as_ptr(map) as usize;
        if let Some(&known) = self.known.get(&identity) {
            return Branch::Stage(known);
        }
        let from = self.branch(&stage.from);
        self.batch = match (self.batch, map.batch) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let mut constants = Vec::new();
        wire::encode(&stage.header, &mut constants).expect("a header is plain data");
        constants.extend_from_slice(&stage.shared);
        self.inputs.extend(stage.inputs.iter().map(|node| node.id));
        self.stages.push(StageSpec {
            from,
            build: stage.build,
            constants,
            inputs: stage.inputs.len() as u32,
        });
        let number = self.stages.len() as u32 - 1;
        self.known.insert(identity, number);
        Branch::Stage(number)
    }

    /// The pass; `place` tells where each sink's value is delivered.
    pub(super) fn finish(self, place: impl Fn(u32) -> Place) -> Result<PassOrder> {
        let root = self.root.expect("a pass has a sink, and a sink has a source");
        let mut slices = None;
        let (source, source_constants, reads) = match (root.kept.get(), &root.origin) {
            (Some(kept), _) => (kept.entry, wire::encode_to_vec(&kept.id)?, Some(kept.id)),
            (None, Origin::Range { entry, constants }) => (*entry, constants.clone(), None),
            (None, Origin::Vector { entry, slices: vector }) => {
                slices = Some(Arc::clone(vector));
                (*entry, Vec::new(), None)
            }
            (None, Origin::Stage(_) | Origin::Broken) => unreachable!("a root is a source"),
        };
        let stop_at_failure = self.sinks.len() == 1 && !self.takes_failures;
        let with_place = |(spec, external): (SinkSpec, u32)| SinkSpec { place: place(external), ..spec };
        let spec = PassSpec {
            pass: self.id,
            source,
            source_constants,
            reads,
            stages: self.stages,
            sinks: self.sinks.into_iter().map(with_place).collect(),
            length: self.length,
            leaf: leaf_length(self.length),
            batch: self.batch.map(|batch| batch.min(self.length.max(1))),
            stop_at_failure,
            inputs: self.inputs.len() as u32,
        };
        Ok(PassOrder { spec, slices, keeps: self.keeps })
    }
}
