//! The client: what rank 0's closure is given.

use super::{
    arena::{Arena, Label, Node},
    delayed::{Call, Delayed},
    future::Future,
    plan,
    stream::StreamHandle,
    targets::{Shape, Targets, take},
};
use crate::error::{Error, Result};
use crate::notice;
use crate::random::{Key, KeyError, KeyRegistry, Seed};
use crate::runtime::{Completions, RankEvent, Session, Ticket, Want, World};
use crate::scheduler::Event;
use crate::task::{
    Args, CollectionId, FnRef, GraphId, NodeId, Outcome, PassId, Place, RankContext, Record,
    pipeline::{Fallible, Finish, KeySpec, Plain},
};
use crate::wire::Value;
use std::{
    collections::HashMap,
    fmt::Display,
    panic::Location,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
};

/// The way to the ranks: builds lazy tasks and maps, runs them, and brings their results.
///
/// [`run`](crate::run) gives one to rank 0's closure. A reference to it may be shared between threads of the
/// closure; streams without an explicit key are numbered in the order of the calls, so work that asks for
/// them should be made by one thread. A clone is another handle on the same run.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) core: Arc<Core>,
}

/// What all handles of a client share.
#[derive(Debug)]
pub(super) struct Core {
    /// Tells the handles of one run from those of another.
    pub(super) id: u64,
    pub(super) world: World,
    /// That of rank 0.
    pub(super) context: Arc<RankContext>,
    arena: Mutex<Arena>,
    events: crossbeam_channel::Sender<RankEvent>,
    pub(super) completions: Arc<Completions>,
    counters: Counters,
    keys: Mutex<Keys>,
    large_values: Mutex<HashMap<(String, usize, u64), u32>>,
    warned_of_large_values: AtomicBool,
}

#[derive(Debug, Default)]
struct Counters {
    graphs: AtomicU32,
    passes: AtomicU32,
    collections: AtomicU32,
    locals: AtomicU32,
    watchers: AtomicU32,
    requests: AtomicU64,
}

/// Which streams have been given away.
#[derive(Debug, Default)]
struct Keys {
    calls: u32,
    registry: KeyRegistry,
    /// How many consumers are in the middle of results in the order of their arrival.
    unordered: usize,
    told_seed: bool,
}

/// A value of this size that goes with several tasks is worth a word.
const LARGE: usize = 1 << 20;

impl Client {
    pub(crate) fn new(Session { world, context, events, completions }: Session) -> Self {
        static RUNS: AtomicU32 = AtomicU32::new(1);
        let core = Core {
            id: u64::from(RUNS.fetch_add(1, Relaxed)),
            world,
            context,
            arena: Mutex::default(),
            events,
            completions,
            counters: Counters::default(),
            keys: Mutex::default(),
            large_values: Mutex::default(),
            warned_of_large_values: AtomicBool::new(false),
        };
        Client { core: Arc::new(core) }
    }

    /// The folder for what does not fit into memory, if one was chosen.
    pub(crate) fn scratch(&self) -> Option<&std::path::Path> {
        self.core.world.spill.folder.as_deref()
    }

    /// The number of ranks.
    #[must_use]
    pub fn ranks(&self) -> usize {
        self.core.world.ranks as usize
    }

    /// The number of compute threads of all ranks together.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.core.world.threads
    }

    /// Where tasks run.
    #[must_use]
    pub fn scheduler(&self) -> crate::config::Scheduler {
        self.core.world.scheduler
    }

    /// Whether `other` is a handle on the same run.
    #[must_use]
    pub fn is_same_run(&self, other: &Client) -> bool {
        self.core.id == other.core.id
    }

    /// The seed of the run.
    #[must_use]
    pub fn seed(&self) -> &Seed {
        &self.core.world.seed
    }

    /// A task that will call `function` with `args`, a tuple of values and handles (see
    /// [`Arg`](crate::Arg)).
    ///
    /// `function` is a plain function or a closure that captures nothing: it travels as an address. The
    /// macro [`delayed!`](crate::delayed) writes a call of a function as it would be written without it.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let x = client.delayed(|(a, b)| a + b, (1, 2));
    ///     let y = client.delayed(|(x, k): (i64, i64)| x * k, (x, 10));
    ///     assert_eq!(client.compute(&y)?, 30);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// What it captures would not be on the rank that runs it, so this does not compile:
    ///
    /// ```compile_fail,E0308
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let k = 10;
    ///     let y = client.delayed(|(x,): (i64,)| x * k, (3,)); // give k as an argument instead
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn delayed<A, V, R>(&self, function: fn(V) -> R, args: A) -> Delayed<R>
    where
        A: Args<Values = V>,
        V: 'static,
        R: Value,
    {
        let label = Label::Place(Location::caller());
        self.task::<A, V, R, Plain>(function, args, label)
    }

    /// As [`delayed`](Self::delayed), for a function that may fail: an `Err` is a failure of the task.
    #[track_caller]
    pub fn try_delayed<A, V, R, E>(&self, function: fn(V) -> Result<R, E>, args: A) -> Delayed<R>
    where
        A: Args<Values = V>,
        V: 'static,
        R: Value,
        E: Display + 'static,
    {
        let label = Label::Place(Location::caller());
        self.task::<A, V, Result<R, E>, Fallible>(function, args, label)
    }

    #[doc(hidden)]
    pub fn delayed_as<A, V, R>(&self, name: &'static str, function: fn(V) -> R, args: A) -> Delayed<R>
    where
        A: Args<Values = V>,
        V: 'static,
        R: Value,
    {
        self.task::<A, V, R, Plain>(function, args, Label::Function(name))
    }

    #[doc(hidden)]
    pub fn try_delayed_as<A, V, R, E>(
        &self,
        name: &'static str,
        function: fn(V) -> Result<R, E>,
        args: A,
    ) -> Delayed<R>
    where
        A: Args<Values = V>,
        V: 'static,
        R: Value,
        E: Display + 'static,
    {
        self.task::<A, V, Result<R, E>, Fallible>(function, args, Label::Function(name))
    }

    /// A handle whose value cannot be computed, and why: whoever asks for it, or for what depends on it, gets
    /// the error. For libraries that build graphs and report what is wrong with them when they are run.
    #[must_use]
    pub fn broken<T>(&self, error: Error) -> Delayed<T> {
        let id = self.core.arena().add(Node::Broken(Box::new(error)));
        Delayed::new(&self.core, id)
    }

    /// Begins to run a task at once: [`delayed`](Self::delayed) and [`submit`](Delayed::submit).
    #[track_caller]
    #[must_use = "the value is forgotten with the last handle"]
    pub fn submit<A, V, R>(&self, function: fn(V) -> R, args: A) -> Future<R>
    where
        A: Args<Values = V>,
        V: 'static,
        R: Value,
    {
        let label = Label::Place(Location::caller());
        self.task::<A, V, R, Plain>(function, args, label).submit()
    }

    /// As [`submit`](Self::submit), for a function that may fail.
    #[track_caller]
    #[must_use = "the value is forgotten with the last handle"]
    pub fn try_submit<A, V, R, E>(&self, function: fn(V) -> Result<R, E>, args: A) -> Future<R>
    where
        A: Args<Values = V>,
        V: 'static,
        R: Value,
        E: Display + 'static,
    {
        let label = Label::Place(Location::caller());
        self.task::<A, V, Result<R, E>, Fallible>(function, args, label).submit()
    }

    /// Runs everything that the targets depend on, each task once, and returns their values.
    ///
    /// `targets` is a reference to a handle, a slice of handles, or a tuple of these; what they share is
    /// computed once, what none of them needs is not computed.
    ///
    /// # Errors
    /// The failure of the first target, in their order, that failed. The others can still be had through
    /// [`compute_each`](Self::compute_each), or by persisting them first.
    pub fn compute<T: Targets>(&self, targets: T) -> Result<T::Output> {
        self.core.compute(targets)
    }

    /// How many tasks [`compute`](Self::compute) would run; a map counts as one for each value made of it.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let parts: List<i64> = (0..10).map(|i| client.delayed(|(i,)| i * i, (i,))).collect();
    ///     let total = client.delayed(|(parts,): (Vec<i64>,)| parts.iter().sum::<i64>(), (parts,));
    ///     assert_eq!(client.task_count(&total)?, 11);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the targets cannot be computed at all.
    pub fn task_count<T: Targets>(&self, targets: T) -> Result<usize> {
        let nodes = self.core.nodes_of(&targets)?;
        plan::task_count(&mut self.core.arena(), &nodes)
    }

    /// As [`compute`](Self::compute), with an outcome for each handle.
    ///
    /// # Errors
    /// Errors that concern no single task. A task's failure is in its place in the vector.
    pub fn compute_each<T: Value>(&self, handles: &[Delayed<T>]) -> Result<Vec<Result<T>>> {
        let nodes: Vec<NodeId> = handles.iter().map(|handle| handle.node.id).collect();
        self.core.check_handles(handles.iter().map(|handle| handle.node.core.id))?;
        Ok(self.core.run_to_end(&nodes)?.into_iter().map(take).collect())
    }

    /// Runs what the handles depend on and leaves their values on the ranks that made them.
    ///
    /// # Errors
    /// As for [`compute`](Self::compute).
    pub fn persist<T: Targets>(&self, targets: T) -> Result<()> {
        let nodes = self.core.nodes_of(&targets)?;
        self.core.persist(&nodes)
    }

    /// A stream for one task, given as an argument where its function takes a
    /// [`Stream`](crate::random::Stream). Its key is the number of this call, so it is the same in every run
    /// of the program, wherever the task runs.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// fn roll(dice: u32, mut rng: Stream) -> i64 {
    ///     (0..dice).map(|_| rng.integers(1, 7)).sum()
    /// }
    ///
    /// # fn main() -> serried::Result<()> {
    /// Builder::new().seed(1u64).run(|client| {
    ///     let a = delayed!(client, roll(2, client.stream()));
    ///     let b = delayed!(client, roll(2, client.stream_at(&Key::new([3, 7])?)));
    ///     let (a, b) = client.compute((&a, &b))?;
    ///     assert!((2..=12).contains(&a) && (2..=12).contains(&b));
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn stream(&self) -> StreamHandle {
        let key = self.core.next_call().map(KeySpec::of_task);
        StreamHandle { key }
    }

    /// A stream with a spawn key of your own. The same key for two pieces of work is refused, since their
    /// draws would be equal.
    #[must_use]
    pub fn stream_at(&self, key: &Key) -> StreamHandle {
        let claimed = self.core.keys().registry.claim(key.words());
        self.core.tell_seed();
        let key = claimed.map(|()| key.words().to_vec()).map_err(Error::from);
        StreamHandle { key }
    }

    fn task<A, V, X, M>(&self, function: fn(V) -> X, args: A, label: Label) -> Delayed<M::Value>
    where
        A: Args<Values = V>,
        V: 'static,
        X: 'static,
        M: Finish<X, Value: Value>,
    {
        let mut record = Record::default();
        args.pack(&mut record);
        let made = self
            .core
            .accept(&mut record, label)
            .and_then(|()| FnRef::new::<fn(V) -> X, Call<A, M>>(function).map_err(Error::from));
        let mut arena = self.core.arena();
        let id = match made {
            Ok(call) => arena.add_task(call, label, &record),
            Err(error) => arena.add(Node::Broken(Box::new(error))),
        };
        drop(arena);
        // Only now, when the node holds what it reads, may handles among the arguments be dropped.
        drop(args);
        Delayed::new(&self.core, id)
    }
}

impl Core {
    pub(super) fn arena(&self) -> MutexGuard<'_, Arena> {
        self.arena.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the communicating thread something.
    pub(super) fn send(&self, event: Event) {
        // Once the run is over there is nobody to tell, and nothing to do.
        let _ = self.events.send(RankEvent::Client(event));
    }

    /// # Errors
    /// There have been as many as there are names.
    pub(super) fn next_graph(&self) -> Result<GraphId> {
        next(&self.counters.graphs, 1).map(GraphId)
    }

    /// The first of as many passes as asked for. Whoever asks holds the arena, so that passes of one graph
    /// have consecutive numbers.
    ///
    /// # Errors
    /// There have been as many as there are names.
    pub(super) fn next_passes(&self, count: u32) -> Result<PassId> {
        next(&self.counters.passes, count).map(PassId)
    }

    pub(super) fn next_collection(&self) -> CollectionId {
        CollectionId(self.counters.collections.fetch_add(1, Relaxed))
    }

    pub(super) fn next_local(&self) -> u32 {
        self.counters.locals.fetch_add(1, Relaxed)
    }

    pub(super) fn next_watcher(&self) -> u32 {
        self.counters.watchers.fetch_add(1, Relaxed)
    }

    /// The number of something that the client asks for and waits to be answered.
    pub(super) fn next_request(&self) -> u64 {
        self.counters.requests.fetch_add(1, Relaxed)
    }

    /// Checks packed arguments, and says a word about large ones.
    pub(super) fn accept(&self, record: &mut Record, label: Label) -> Result<()> {
        if record.client().is_some_and(|client| client != self.id) {
            return Err(Error::Usage("a handle of another run cannot be an argument here".into()));
        }
        if let Some(problem) = record.problem.take() {
            return Err(problem.into());
        }
        if record.longest.len() >= LARGE {
            self.look_at_large(&record.constants[record.longest.clone()], label);
        }
        Ok(())
    }

    /// Warns once if the same large value goes with a second task.
    fn look_at_large(&self, value: &[u8], label: Label) {
        let key = (label.text(), value.len(), xxhash_rust::xxh3::xxh3_64(value));
        let mut seen = self.large_values.lock().unwrap_or_else(PoisonError::into_inner);
        let count = seen.entry(key).or_default();
        *count += 1;
        if *count == 2 && !self.warned_of_large_values.swap(true, Relaxed) {
            notice::warn(&format!(
                "the same value of {} MB goes with every task `{}`; send it once instead: \
                 `let x = client.broadcast(x);`, then `&x` as the argument",
                value.len() / 1_000_000,
                label.text()
            ));
        }
    }

    /// Lets go of nodes, and of the values on the ranks that only they held.
    pub(super) fn let_go(&self, ids: impl IntoIterator<Item = NodeId>) {
        let mut arena = self.arena();
        let dropped = self.let_go_locked(&mut arena, ids);
        drop(arena);
        drop(dropped);
    }

    /// As `let_go`; returns what is to be dropped when the arena is unlocked again. The ranks are told while
    /// it is locked, so that nobody's next graph can overtake the news.
    pub(super) fn let_go_locked(
        &self,
        arena: &mut Arena,
        ids: impl IntoIterator<Item = NodeId>,
    ) -> Vec<Node> {
        let dropped = arena.let_go(ids);
        let mut places = Vec::new();
        for node in &dropped {
            match node {
                Node::Placed { rank, place } => places.push((*rank, *place)),
                Node::Everywhere { place } => self.send(Event::ReleaseEverywhere(*place)),
                _ => {}
            }
        }
        if !places.is_empty() {
            self.send(Event::Release(places));
        }
        dropped
    }

    /// The number of the next call that asks for streams without an explicit key.
    pub(super) fn next_call(&self) -> Result<u32> {
        self.tell_seed();
        let mut keys = self.keys();
        if keys.unordered > 0 {
            return Err(Error::Usage(
                "work submitted while results are taken in the order of their arrival needs an explicit \
                 key (`stream_at`, `Map::key`), since the number of the call would depend on that order; \
                 or take them in the order of submission (`AsCompleted::ordered`)"
                    .into(),
            ));
        }
        let call = keys.calls;
        keys.calls = call.checked_add(1).ok_or_else(|| {
            Error::Usage(
                "streams were asked for 2^32 times without a key, and more calls cannot be told apart; give them keys"
                    .into(),
            )
        })?;
        Ok(call)
    }

    /// Claims explicit keys.
    pub(super) fn claim(&self, claim: impl FnOnce(&mut KeyRegistry) -> Result<(), KeyError>) -> Result<()> {
        self.tell_seed();
        Ok(claim(&mut self.keys().registry)?)
    }

    pub(super) fn begin_unordered(&self) {
        self.keys().unordered += 1;
    }

    pub(super) fn end_unordered(&self) {
        self.keys().unordered -= 1;
    }

    /// A seed that nobody has chosen is told once, when it is first used.
    fn tell_seed(&self) {
        let mut keys = self.keys();
        if self.world.fresh_seed && !std::mem::replace(&mut keys.told_seed, true) {
            let seed = &self.world.seed;
            notice::inform(&format!("the seed is {seed}; SERRIED_SEED={seed} repeats this run"));
        }
    }

    pub(super) fn check_handles(&self, mut clients: impl Iterator<Item = u64>) -> Result<()> {
        match clients.all(|client| client == self.id) {
            true => Ok(()),
            false => Err(Error::Usage("a handle of another run cannot be computed here".into())),
        }
    }

    pub(super) fn nodes_of<T: Targets>(&self, targets: &T) -> Result<Vec<NodeId>> {
        let (mut nodes, mut clients) = (Vec::new(), Vec::new());
        targets.visit(&mut |node| {
            nodes.push(node.id);
            clients.push(node.core.id);
        });
        self.check_handles(clients.into_iter())?;
        Ok(nodes)
    }

    pub(super) fn compute<T: Targets>(&self, targets: T) -> Result<T::Output> {
        let nodes = self.nodes_of(&targets)?;
        let outcomes = self.run_to_end(&nodes)?;
        targets.shape().collect(&mut outcomes.into_iter())
    }

    /// Runs what the nodes depend on and waits for their outcomes.
    pub(super) fn run_to_end(&self, nodes: &[NodeId]) -> Result<Vec<Outcome>> {
        let graph = plan::launch(self, nodes, Want::Result)?;
        self.completions.wait(|state| state.take_results(graph)).ok_or(Error::Over)
    }

    /// Runs what the nodes depend on, leaves their values on the ranks, and waits until they are there.
    pub(super) fn persist(&self, nodes: &[NodeId]) -> Result<()> {
        let graph = plan::launch(self, nodes, Want::Keep)?;
        self.wait_until_done(graph, nodes.len())
    }

    /// Waits for all values of a graph that stay on the ranks.
    pub(super) fn wait_until_done(&self, graph: GraphId, count: usize) -> Result<()> {
        let mut first = Ok(());
        for token in 0..count as u32 {
            let done = self.completions.wait(|state| state.done.remove(&(graph, token)));
            if let Some(error) = done.ok_or(Error::Over)? {
                first = first.and(Err(error.into()));
            }
        }
        first
    }

    #[cfg(test)]
    pub(super) fn has_warned_of_large_values(&self) -> bool {
        self.warned_of_large_values.load(Relaxed)
    }

    #[cfg(test)]
    pub(super) fn live_nodes(&self) -> usize {
        self.arena().live()
    }

    /// Where a value is, or will be.
    pub(super) fn placed(&self, id: NodeId) -> Option<(u32, Place)> {
        match self.arena().node(id) {
            Node::Placed { rank, place } => Some((*rank, *place)),
            _ => None,
        }
    }

    /// Begins to run a node. Its value stays on its rank.
    pub(super) fn submit(&self, node: NodeId) -> Result<Ticket> {
        Ok((plan::launch(self, &[node], Want::Keep)?, 0))
    }
}

/// A name that none has had, and room for others behind it. Names are never used again, since one that still travels
/// would mean something else; above half of all are those that ranks give to what they lend.
fn next(counter: &AtomicU32, count: u32) -> Result<u32> {
    let most = u32::MAX / 2;
    let add = |last: u32| last.checked_add(count).filter(|last| *last <= most);
    counter.fetch_update(Relaxed, Relaxed, add).map_err(|_| {
        Error::Usage(format!(
            "a run can begin {most} computations and sweeps, and has; compute more with each, or begin another run"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_never_used_twice() {
        let counter = AtomicU32::new(u32::MAX / 2 - 3);
        assert_eq!(next(&counter, 2).expect("there are some"), u32::MAX / 2 - 3);
        assert!(next(&counter, 2).expect_err("one is left").to_string().contains("begin another run"));
        assert_eq!(next(&counter, 1).expect("one is left"), u32::MAX / 2 - 1);
        assert!(next(&counter, 1).is_err());
    }
}
