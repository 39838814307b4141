//! The tasks as functions, and the graph of calls of them that is built on rank 0.

use super::{
    execute::{Fault, Task, UNTOUCHED, Wrong},
    graph::TaskGraph,
    output::Output,
    pattern::Pattern,
    relation::Relation,
    tally::Tally,
};
use serde::{Deserialize, Serialize};
use serried::{Local, prelude::*};
use std::{
    hint::black_box,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// What a rank knows of the graphs without being told with each task.
#[derive(Debug)]
pub(crate) struct Context {
    graphs: Vec<(TaskGraph, Relation)>,
    /// The scratch of each column of each graph, as far as its tasks have run on this rank.
    scratch: Vec<Vec<OnceLock<Mutex<Vec<u64>>>>>,
}

/// Which task this is: all that a call carries besides its inputs.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Name {
    graph: u32,
    t: u32,
    i: u32,
}

impl Context {
    /// Every rank makes its own tables.
    fn of(graphs: Vec<TaskGraph>) -> Self {
        let columns = |graph: &TaskGraph| (0..graph.width).map(|_| OnceLock::new()).collect();
        let scratch = graphs.iter().map(columns).collect();
        let with_relation = |graph| {
            let relation = Relation::of(&graph);
            (graph, relation)
        };
        Context { graphs: graphs.into_iter().map(with_relation).collect(), scratch }
    }

    #[inline]
    fn work(&self, task: &Task<'_>) -> Result<(), Fault> {
        if task.graph.scratch == 0 {
            return task.work(&mut []);
        }
        // Tasks of one column may run at the same time where none depends on the other.
        let column = &self.scratch[task.graph.number as usize][task.i as usize];
        let scratch = column.get_or_init(|| Mutex::new(vec![UNTOUCHED; task.graph.scratch / 8]));
        task.work(&mut scratch.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A task that other tasks read.
fn inner(name: Name, context: &Context, inputs: &[Arc<Output>]) -> Result<Output, Fault> {
    run(name, context, inputs)
}

/// A task that nobody reads: its output is made all the same, but only the tally is brought to rank 0.
fn outer(name: Name, context: &Context, inputs: &[Arc<Output>]) -> Result<Tally, Fault> {
    Ok(black_box(run(name, context, inputs)?).tally)
}

#[inline]
fn run(name: Name, context: &Context, inputs: &[Arc<Output>]) -> Result<Output, Fault> {
    let Name { graph: number, t, i } = name;
    let (graph, relation) = &context.graphs[number as usize];
    let task = Task { graph, relation, t, i };
    let row = graph.row(t);
    let mut tally = Tally::of(number, t, i);
    let mut inputs = inputs.iter();
    task.check(|_, dependence| {
        let input = inputs.next()?;
        if dependence.is_first_reader(&row) {
            tally += input.tally;
        }
        Some(input.bytes())
    })?;
    if inputs.next().is_some() {
        return Err(task.fault(Wrong::TooMany));
    }
    context.work(&task)?;
    Ok(Output::of(tally, t, i, graph.output))
}

/// Makes the context known to all ranks, and has them build it, so that no task is kept waiting for that.
pub(crate) fn prepare(client: &Client, graphs: &[TaskGraph]) -> serried::Result<Local<Context>> {
    let context = client.local(|(graphs,)| Context::of(graphs), (graphs.to_vec(),))?;
    // A map goes to all ranks, and each builds the context with its first grant.
    let graphs_on_rank = |_, (context,): &(Arc<Context>,)| context.graphs.len() as u64;
    client.map_with(graphs_on_rank, 0..64 * client.threads() as u64, (&context,)).count().compute()?;
    Ok(context)
}

/// The tasks that nobody reads, which depend on all others.
pub(crate) fn build(
    client: &Client,
    context: &Local<Context>,
    graphs: &[TaskGraph],
    relations: &[Relation],
) -> Vec<Delayed<Tally>> {
    let mut targets = Vec::new();
    for (graph, relation) in graphs.iter().zip(relations) {
        build_graph(client, context, graph, relation, &mut targets);
    }
    targets
}

/// Tasks that do not read each other: a map, which is one node of the graph, and a sum over it.
fn independent(client: &Client, context: &Local<Context>, graph: &TaskGraph) -> Delayed<Tally> {
    let task = |k: u64, (graph, width, context): &(u32, u64, Arc<Context>)| {
        let name = Name { graph: *graph, t: (k / width) as u32, i: (k % width) as u32 };
        outer(name, context, &[])
    };
    let width = u64::from(graph.width);
    let tasks = client.try_map_with(task, 0..graph.steps as u64 * width, (graph.number, width, context));
    let sum = |mut a: Tally, b: Tally| {
        a += b;
        a
    };
    tasks.label("outer").fold(Tally::default(), sum, sum)
}

fn build_graph(
    client: &Client,
    context: &Local<Context>,
    graph: &TaskGraph,
    relation: &Relation,
    targets: &mut Vec<Delayed<Tally>>,
) {
    if graph.pattern == Pattern::Trivial {
        targets.push(independent(client, context, graph));
        return;
    }
    // The row before, with gaps where nobody reads a task; its first column is `first`.
    let mut previous: Vec<Option<Delayed<Output>>> = Vec::new();
    let mut first = 0;
    for (t, row) in graph.rows() {
        let before = graph.row_before(t);
        let mut current = Vec::with_capacity(row.len());
        for i in row.clone() {
            let name = Name { graph: graph.number, t, i };
            let (_, dependences) = relation.dependences(graph.set(t), i);
            let existing = dependences.iter().filter(|dependence| before.contains(&dependence.from));
            let handle = |column: u32| previous[(column - first) as usize].as_ref();
            let inputs: List<Output> = existing.filter_map(|dependence| handle(dependence.from)).collect();
            if relation.is_read(graph, t, i) {
                current.push(Some(delayed!(client, inner(name, &context, &inputs)?)));
            } else {
                targets.push(delayed!(client, outer(name, &context, &inputs)?));
                current.push(None);
            }
        }
        (previous, first) = (current, row.start);
    }
}
