//! Graphs that stay on the ranks, to be run again and again.

use super::{
    arena::Node,
    client::{Client, Core},
    delayed::Delayed,
    handles::NodeRef,
    map::MapNode,
    plan::{Plan, Planner},
    targets::{Shape, Targets},
};
use crate::error::{Error, Result};
use crate::runtime::Want;
use crate::scheduler::{Event, KeptRun, PassOrder, RunOrder, Submission};
use crate::task::{GraphId, NodeId, PassId, Place, Stored, erase};
use crate::wire::{self, Value};
use std::{
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

impl Client {
    /// A handle on a value that does not exist yet: each run of a prepared graph is given one.
    ///
    /// See [`prepare`](Self::prepare).
    #[must_use]
    pub fn parameter<T: Value>(&self) -> Delayed<T> {
        let id = self.core.arena().add(Node::Parameter);
        Delayed::new(&self.core, id)
    }

    /// Plans the graph of `targets` once and leaves its parts on the ranks, so that it can be run many times
    /// without being built or sent again: for a time loop, or an experiment that is repeated.
    ///
    /// `parameters` are handles from [`parameter`](Self::parameter), in a tuple; each run is given their
    /// values. Where the tasks run is the same in each run.
    ///
    /// **Streams.** The first run draws what `compute` would draw. The run after *r* others draws from streams
    /// of its own: (4294967295, 4294967295, *r*) goes before every key. [`Prepared::common_random_numbers`]
    /// gives every run the streams of the first.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// fn halve(x: f64) -> f64 { x / 2.0 }
    /// fn add(x: f64, y: f64) -> f64 { x + y }
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     // Newton's iteration for a square root: x becomes (x + a / x) / 2.
    ///     let x = client.parameter::<f64>();
    ///     let quotient = client.delayed(|(a, x): (f64, f64)| a / x, (2.0, x.clone()));
    ///     let sum = delayed!(client, add(x.clone(), quotient));
    ///     let next = delayed!(client, halve(sum));
    ///     let step = client.prepare((&x,), &next)?;
    ///
    ///     let mut root = 1.0;
    ///     for _ in 0..6 {
    ///         root = step.run((root,))?;
    ///     }
    ///     assert!((root - 2f64.sqrt()).abs() < 1e-12);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    /// If a target cannot be made, depends on a parameter that is not among `parameters`, or is a map that
    /// would stay on the ranks.
    pub fn prepare<P: Parameters, T: Targets>(
        &self,
        parameters: P,
        targets: T,
    ) -> Result<Prepared<P::Values, T::Shape>> {
        let core = &self.core;
        let mut groups = Vec::new();
        let mut nodes = Vec::new();
        let mut clients = Vec::new();
        parameters.visit(&mut |group| {
            groups.push(group.len());
            nodes.extend(group.iter().map(|node| node.id));
            clients.extend(group.iter().map(|node| node.core.id));
        });
        core.check_handles(clients.into_iter())?;
        let targets_of = core.nodes_of(&targets)?;
        let kept = core.prepare(&nodes, &targets_of)?;
        Ok(Prepared {
            kept,
            groups,
            shape: targets.shape(),
            runs: AtomicU32::new(0),
            common: false,
            parameters: PhantomData,
        })
    }
}

/// A graph that stays on the ranks; see [`Client::prepare`].
///
/// It is forgotten with this handle. Runs that are under way then come to their end.
pub struct Prepared<P, S> {
    kept: Kept,
    /// How many nodes each parameter has.
    groups: Vec<usize>,
    shape: S,
    runs: AtomicU32,
    common: bool,
    parameters: PhantomData<fn(P)>,
}

/// What the client knows of a kept graph.
struct Kept {
    core: Arc<Core>,
    graph: GraphId,
    ranks: Arc<[u32]>,
    orders: Vec<PassOrder>,
    first_pass: PassId,
    homes: Vec<(u32, Place)>,
    parameters: Vec<Option<(u32, Place)>>,
    /// Values and maps that the graph reads.
    _reads: (Vec<NodeRef>, Vec<Arc<MapNode>>),
}

impl<P, S: Shape> Prepared<P, S> {
    /// Runs the graph with these values of its parameters, in a tuple, and brings the values of the targets.
    ///
    /// In the place of a value may stand a reference to a handle of one that is on a rank already (from
    /// `persist`, `scatter`, `broadcast` or `submit`): it goes from there to where it is read.
    ///
    /// # Errors
    /// As for [`Client::compute`]; [`Error::Usage`] if a handle is not that of a value on a rank, or a list of
    /// values has another length than the parameter.
    pub fn run<A: Arguments<P>>(&self, arguments: A) -> Result<S::Output> {
        let graph = self.start(arguments, Want::Result)?;
        let outcomes = self.kept.core.completions.wait(|state| state.take_results(graph));
        self.shape.collect(&mut outcomes.ok_or(Error::Over)?.into_iter())
    }

    /// Runs the graph and leaves the values of the targets on the ranks that made them, as arguments of the
    /// next run or for other tasks.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// fn diffuse(left: &f64, here: &f64, right: &f64) -> f64 {
    ///     (left + 2.0 * here + right) / 4.0
    /// }
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let cells: Vec<Delayed<f64>> = (0..16).map(|_| client.parameter()).collect();
    ///     let near = |i: usize| &cells[i.clamp(1, 16) - 1];
    ///     let next: Vec<Delayed<f64>> =
    ///         (1..=16).map(|i| delayed!(client, diffuse(&near(i - 1), &near(i), &near(i + 1)))).collect();
    ///     let step = client.prepare((&cells,), &next)?;
    ///
    ///     let mut values = vec![0.0; 16];
    ///     values[3] = 1.0;
    ///     let mut state = step.persist((values,))?;
    ///     for _ in 1..100 {
    ///         state = step.persist((&state,))?; // nothing comes to rank 0
    ///     }
    ///     let total: f64 = client.compute(&state)?.iter().sum();
    ///     assert!((total - 1.0).abs() < 1e-12);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`run`](Self::run).
    pub fn persist<A: Arguments<P>>(&self, arguments: A) -> Result<S::Handles> {
        let (graph, handles) = self.begin(arguments)?;
        self.kept.core.wait_until_done(graph, self.kept.homes.len())?;
        Ok(handles)
    }

    #[cfg(test)]
    pub(super) fn begin_persist<A: Arguments<P>>(&self, arguments: A) -> Result<S::Handles> {
        self.begin(arguments).map(|(_, handles)| handles)
    }

    /// Begins a run whose values stay on the ranks.
    fn begin<A: Arguments<P>>(&self, arguments: A) -> Result<(GraphId, S::Handles)> {
        let graph = self.start(arguments, Want::Keep)?;
        let core = &self.kept.core;
        let mut arena = core.arena();
        let nodes: Vec<NodeRef> = self
            .kept
            .homes
            .iter()
            .map(|&(rank, place)| {
                let id = arena.add(Node::Placed { rank, place: Place { graph, ..place } });
                NodeRef { core: Arc::clone(core), id }
            })
            .collect();
        drop(arena);
        Ok((graph, self.shape.handles(&mut nodes.into_iter())))
    }

    /// Gives every run the streams of the first: the runs then differ by their parameters alone, which makes
    /// their difference less noisy.
    #[must_use]
    pub fn common_random_numbers(mut self) -> Self {
        self.common = true;
        self
    }

    pub(super) fn start(&self, arguments: impl Arguments<P>, want: Want) -> Result<GraphId> {
        let mut given = Vec::new();
        arguments.give(&mut given)?;
        for (number, (group, given)) in self.groups.iter().zip(&given).enumerate() {
            if *group != given.len() {
                return Err(Error::Usage(format!(
                    "parameter {number} of the graph is a list of {group} values, but {} are given",
                    given.len()
                )));
            }
        }
        let run = self.runs.fetch_add(1, Relaxed);
        let run = if self.common { 0 } else { run };
        self.kept.start(given.into_iter().flatten(), run, want)
    }
}

impl Core {
    fn prepare(self: &Arc<Self>, parameters: &[NodeId], targets: &[NodeId]) -> Result<Kept> {
        let graph = self.next_graph()?;
        let mut arena = self.arena();
        for &parameter in parameters {
            if !matches!(arena.node(parameter), Node::Parameter) {
                let problem = "what is given as a parameter is not one; make it with `Client::parameter`";
                return Err(Error::Usage(problem.into()));
            }
        }
        let (mut reads, mut maps) = (Vec::new(), Vec::new());
        let planner = Planner { core: self, graph, targets, parameters, want: Want::Result, kept: true };
        let plan = planner.plan(&mut arena, |arena, walk| {
            for (id, _) in &walk.externals {
                match arena.node(*id) {
                    Node::Placed { .. } | Node::Everywhere { .. } => reads.push(*id),
                    Node::Sink(sink) if sink.kind.keeps() => return Err(keeps_a_map()),
                    Node::Sink(sink) => maps.push(Arc::clone(&sink.map)),
                    _ => {}
                }
            }
            Ok(())
        });
        let Plan { mut parts, orders, first_pass, homes, parameters } = plan?;
        let reads = reads.into_iter().map(|id| {
            arena.hold(id);
            NodeRef { core: Arc::clone(self), id }
        });
        let reads = reads.collect();
        if !orders.is_empty() {
            // Every rank takes part in a pass, and looks for its values in its part.
            for rank in 0..self.world.ranks {
                parts
                    .entry(rank)
                    .or_insert_with(|| crate::graph::Part { kept: true, ..crate::graph::Part::new(graph) });
            }
        }
        let ranks = parts.keys().copied().collect();
        let submission = Submission { parts, ..Submission::default() };
        self.send(Event::Submit(graph, submission));
        drop(arena);
        Ok(Kept {
            core: Arc::clone(self),
            graph,
            ranks,
            orders,
            first_pass,
            homes,
            parameters,
            _reads: (reads, maps),
        })
    }
}

fn keeps_a_map() -> Error {
    Error::Usage(
        "a map cannot stay on the ranks in each run of a prepared graph; collect or reduce it".into(),
    )
}

impl Kept {
    /// Begins a run.
    fn start(&self, given: impl Iterator<Item = Given>, run: u32, want: Want) -> Result<GraphId> {
        let core = &self.core;
        let graph = core.next_graph()?;
        let (mut values, mut forwards) = (Vec::new(), Vec::new());
        for (parameter, given) in self.parameters.iter().zip(given) {
            let Some((rank, place)) = *parameter else { continue };
            let to = Place { graph, ..place };
            match given {
                Given::Value(value) => values.push((rank, to, value.stored(rank)?)),
                Given::At(client, _) if client != core.id => core.check_handles(std::iter::once(client))?,
                Given::At(_, id) => match *core.arena().node(id) {
                    Node::Placed { rank: holder, place } => forwards.push((holder, place, rank, to)),
                    Node::Everywhere { place } => forwards.push((rank, place, rank, to)),
                    _ => {
                        let problem = "a handle that is given to a run must be that of a value on a rank; \
                             persist it before";
                        return Err(Error::Usage(problem.into()));
                    }
                },
            }
        }
        // While the arena is locked nobody can let go of a value that this run reads before the ranks hear of it.
        let arena = core.arena();
        let first = core.next_passes(self.orders.len() as u32)?;
        let passes = self.orders.iter().map(|order| self.pass(order, graph, run, first)).collect();
        let order =
            RunOrder { kept: self.graph, graph, run, keep_results: want == Want::Keep, first_pass: first };
        let submission = Submission {
            run: Some(KeptRun { order, ranks: Arc::clone(&self.ranks), forwards }),
            values,
            passes,
            awaited: self.homes.len(),
            ..Submission::default()
        };
        core.completions.look(|state| state.expect(graph, self.homes.iter().map(|(rank, _)| *rank), want));
        core.send(Event::Submit(graph, submission));
        drop(arena);
        Ok(graph)
    }

    /// A pass of this run.
    fn pass(&self, order: &PassOrder, graph: GraphId, run: u32, first: PassId) -> PassOrder {
        let mut order = order.clone();
        order.spec.pass = PassId(first.0 + order.spec.pass.0 - self.first_pass.0);
        order.spec.run = run;
        order.spec.sinks.iter_mut().for_each(|sink| sink.home = sink.home.clone().in_run(graph));
        order
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.core.send(Event::Discard(self.graph, Arc::clone(&self.ranks)));
    }
}

impl<P, S> std::fmt::Debug for Prepared<P, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Prepared({} on {} ranks)", self.kept.graph, self.kept.ranks.len())
    }
}

/// What is given for one node of a parameter.
#[doc(hidden)]
#[allow(missing_debug_implementations, private_interfaces)]
pub enum Given {
    Value(Box<dyn GivenValue>),
    /// A node of the run with this number.
    At(u64, NodeId),
}

/// A value for a run, kept as it is until it is known to which rank it goes.
pub(crate) trait GivenValue {
    fn stored(self: Box<Self>, rank: u32) -> Result<Stored>;
}

struct Owned<T>(T);

impl<T: Value> GivenValue for Owned<T> {
    fn stored(self: Box<Self>, rank: u32) -> Result<Stored> {
        match rank {
            0 => Ok(Stored::Made(erase(self.0)?)),
            _ => Ok(Stored::from_bytes(wire::encode_to_vec(&self.0)?)),
        }
    }
}

/// One parameter of a graph: a reference to a handle from [`Client::parameter`], or to a vector or slice of
/// these, which stands for a list.
pub trait Parameter {
    /// The type of the values that it is given; [`Several`] for a list.
    type Value;
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn nodes(&self) -> Vec<&NodeRef>;
}

/// In the type of a prepared graph: a list of values of type `T`.
#[derive(Debug)]
pub struct Several<T>(PhantomData<fn(T)>);

impl<T: Value> Parameter for &Delayed<T> {
    type Value = T;
    #[allow(private_interfaces)]
    fn nodes(&self) -> Vec<&NodeRef> {
        vec![&self.node]
    }
}

impl<T: Value> Parameter for &Vec<Delayed<T>> {
    type Value = Several<T>;
    #[allow(private_interfaces)]
    fn nodes(&self) -> Vec<&NodeRef> {
        self.iter().map(|handle| &handle.node).collect()
    }
}

impl<T: Value> Parameter for &[Delayed<T>] {
    type Value = Several<T>;
    #[allow(private_interfaces)]
    fn nodes(&self) -> Vec<&NodeRef> {
        self.iter().map(|handle| &handle.node).collect()
    }
}

/// The parameters of a graph, in a tuple.
pub trait Parameters {
    /// The types of their values.
    type Values;
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn visit(&self, visit: &mut dyn FnMut(Vec<&NodeRef>));
}

fn at<T>(handle: &Delayed<T>) -> Given {
    Given::At(handle.node.core.id, handle.node.id)
}

/// What one parameter of type `T` is given: a value, or a reference to a handle of one; for a list, a vector
/// of values or a reference to a vector of handles.
pub trait Argument<T> {
    #[doc(hidden)]
    fn give(self) -> Result<Vec<Given>>;
}

impl<T: Value> Argument<T> for T {
    fn give(self) -> Result<Vec<Given>> {
        Ok(vec![Given::Value(Box::new(Owned(self)))])
    }
}

impl<T: Value> Argument<T> for &Delayed<T> {
    fn give(self) -> Result<Vec<Given>> {
        Ok(vec![at(self)])
    }
}

impl<T: Value> Argument<Several<T>> for Vec<T> {
    fn give(self) -> Result<Vec<Given>> {
        Ok(self.into_iter().map(|value| Given::Value(Box::new(Owned(value)) as _)).collect())
    }
}

impl<T: Value> Argument<Several<T>> for &Vec<Delayed<T>> {
    fn give(self) -> Result<Vec<Given>> {
        Ok(self.iter().map(at).collect())
    }
}

/// What a run is given, in a tuple; see [`Argument`].
pub trait Arguments<P> {
    #[doc(hidden)]
    fn give(self, given: &mut Vec<Vec<Given>>) -> Result<()>;
}

macro_rules! tuples {
    ($(($($name:ident $value:ident $index:tt)*))*) => {$(
        impl<$($name: Parameter),*> Parameters for ($($name,)*) {
            type Values = ($($name::Value,)*);
            #[allow(unused_variables, private_interfaces)]
            fn visit(&self, visit: &mut dyn FnMut(Vec<&NodeRef>)) {
                $(visit(self.$index.nodes());)*
            }
        }

        impl<$($value,)* $($name: Argument<$value>),*> Arguments<($($value,)*)> for ($($name,)*) {
            #[allow(unused_variables)]
            fn give(self, given: &mut Vec<Vec<Given>>) -> Result<()> {
                $(given.push(self.$index.give()?);)*
                Ok(())
            }
        }
    )*};
}

tuples! {
    () (A P 0) (A P 0 B Q 1) (A P 0 B Q 1 C R 2) (A P 0 B Q 1 C R 2 D S 3)
    (A P 0 B Q 1 C R 2 D S 3 E U 4) (A P 0 B Q 1 C R 2 D S 3 E U 4 F V 5)
}
