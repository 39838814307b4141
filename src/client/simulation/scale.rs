//! Programs on a large machine, and what they cost rank 0.

use super::{super::plan::launch, Network, Simulation, Traffic, machine::Machine};
use crate::client::{Client, Delayed, targets::take};
use crate::runtime::Want;
use crate::task::NodeId;
use std::{
    fmt,
    time::{Duration, Instant},
};

/// What is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Graph {
    /// One symbolic map, and the sum of its elements.
    Map,
    /// One symbolic map, all of whose elements are collected.
    Collect,
    /// Tasks without inputs, each of whose results is wanted.
    Independent,
    /// Rows of tasks, each of which reads its three neighbours in the row before; the last row is wanted.
    Stencil {
        /// The length of a row, in tasks per worker.
        columns: u64,
    },
    /// A binary tree of sums, whose root is wanted.
    Tree,
}

/// A program and the machine that it runs on: so many workers with one compute thread each, and rank 0, which
/// only schedules.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Experiment {
    /// Ranks that compute.
    pub workers: u32,
    /// Tasks, or elements of the map.
    pub tasks: u64,
    /// What is computed.
    pub graph: Graph,
    /// The mean duration of a task.
    pub task_time: Duration,
    /// Durations are uniform between `1 - spread` and `1 + spread` times the mean.
    pub spread: f64,
    /// The costs of messages.
    pub network: Network,
}

impl Default for Experiment {
    /// Ten million tasks of 100 ms, as an element of a map each, on 27,648 workers: Summit, as Dask met it.
    fn default() -> Self {
        Experiment {
            workers: 27_648,
            tasks: 10_000_000,
            graph: Graph::Map,
            task_time: Duration::from_millis(100),
            spread: 0.0,
            network: Network::default(),
        }
    }
}

/// What an experiment has shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Tasks that were run.
    pub tasks: u64,
    /// From the submission to the last result, in the time of the simulated machine.
    pub makespan: Duration,
    /// The part of the workers' time that went into tasks.
    pub efficiency: f64,
    /// What went through rank 0.
    pub rank_zero: Traffic,
    /// Messages of all ranks, those to themselves included.
    pub messages: u64,
    /// Time that the scheduler's own code took on this machine, not on the simulated one.
    pub scheduler_time: Duration,
    /// Resident bytes per task of all ranks together: with the lazy graph, and the most there were.
    pub bytes_per_task: (f64, f64),
    /// Time of this machine: to build the lazy graph, to plan it, and to run the simulation.
    pub wall: [Duration; 3],
}

impl Report {
    /// The part of the makespan for which rank 0's communicating thread was busy.
    #[must_use]
    pub fn rank_zero_share(&self) -> f64 {
        self.rank_zero.busy.as_secs_f64() / self.makespan.as_secs_f64()
    }
}

/// Runs an experiment.
///
/// # Panics
/// If a result is missing or wrong.
#[must_use]
pub fn run(experiment: &Experiment) -> Report {
    let Experiment { workers, tasks, network, task_time, spread, .. } = *experiment;
    let mut threads = vec![1; workers as usize + 1];
    threads[0] = 0;
    let machine = Machine::new(threads.len(), network, task_time, spread);
    let mut simulation = Simulation::new(&threads, 1, machine);
    let before = resident("VmRSS:");
    let started = Instant::now();
    let mut walls = Vec::new();
    let mut lap = || walls.push(started.elapsed() - walls.iter().sum::<Duration>());
    let program = Program::build(simulation.client(), experiment);
    lap();
    let lazy = resident("VmRSS:");
    let graph = launch(&simulation.client().core, &program.targets, Want::Result).expect("it can be planned");
    lap();
    simulation.settle();
    lap();
    let most = resident("VmHWM:");
    let results = simulation.completions.look(|state| state.take_results(graph)).expect("at rest");
    assert_eq!(results.len(), program.targets.len());
    if let (Graph::Map | Graph::Tree, Some(root)) = (experiment.graph, results.into_iter().next()) {
        assert_eq!(take::<u64>(root).expect("a sum"), program.leaves, "every leaf counts for one");
    }
    let machine = &simulation.model;
    let makespan = simulation.last_completion;
    let per_task = |bytes: u64| bytes.saturating_sub(before) as f64 / tasks.max(1) as f64;
    Report {
        tasks: program.tasks,
        makespan,
        efficiency: machine.work.as_secs_f64() / (f64::from(workers) * makespan.as_secs_f64()),
        rank_zero: machine.rank_zero,
        messages: simulation.messages,
        scheduler_time: simulation.scheduler_time,
        bytes_per_task: (per_task(lazy), per_task(most)),
        wall: [walls[0], walls[1], walls[2]],
    }
}

/// The lazy graph, held by its handles.
pub(super) struct Program {
    pub(super) targets: Vec<NodeId>,
    tasks: u64,
    leaves: u64,
    /// Whoever holds no handle holds no node.
    _held: (Vec<Delayed<u64>>, Option<Delayed<Vec<u64>>>),
}

// Every leaf is one: nothing is as easy to sum. Labels travel, so they do not depend on lines of this file.
impl Program {
    pub(super) fn build(client: &Client, experiment: &Experiment) -> Program {
        let n = experiment.tasks;
        let (held, tasks) = match experiment.graph {
            Graph::Map => {
                let ones = client.map(|_| 1, 0..n).label("element");
                (vec![ones.reduce(|a: u64, b| a + b).label("sum")], n)
            }
            Graph::Collect => {
                let all = client.map(|_| 1, 0..n).label("element").collect().label("all");
                let targets = vec![all.node.id];
                return Program { targets, tasks: n, leaves: n, _held: (Vec::new(), Some(all)) };
            }
            Graph::Independent => ((0..n).map(|_| leaf(client)).collect(), n),
            Graph::Stencil { columns } => {
                let width = columns * u64::from(experiment.workers);
                let mut row: Vec<_> = (0..width).map(|_| leaf(client)).collect();
                let rows = (n / width).max(1);
                (1..rows).for_each(|_| row = next_row(client, &row));
                (row, rows * width)
            }
            Graph::Tree => {
                let mut level: Vec<_> = (0..n.div_ceil(2)).map(|_| leaf(client)).collect();
                while level.len() > 1 {
                    level = level.chunks(2).map(|pair| merge(client, pair)).collect();
                }
                (level, 2 * n.div_ceil(2) - 1)
            }
        };
        let targets = held.iter().map(|handle| handle.node.id).collect();
        let leaves = if experiment.graph == Graph::Tree { n.div_ceil(2) } else { n };
        Program { targets, tasks, leaves, _held: (held, None) }
    }
}

fn leaf(client: &Client) -> Delayed<u64> {
    client.delayed_as("leaf", |(one,)| one, (1u64,))
}

fn next_row(client: &Client, row: &[Delayed<u64>]) -> Vec<Delayed<u64>> {
    let last = row.len() - 1;
    let task = |column: usize| {
        let near = (&row[column.saturating_sub(1)], &row[column], &row[(column + 1).min(last)]);
        type Near = (std::sync::Arc<u64>, std::sync::Arc<u64>, std::sync::Arc<u64>);
        client.delayed_as("cell", |(left, own, right): Near| (*left).max(*own).max(*right), near)
    };
    (0..row.len()).map(task).collect()
}

fn merge(client: &Client, pair: &[Delayed<u64>]) -> Delayed<u64> {
    match pair {
        [left, right] => client.delayed_as("sum", |(a, b)| a + b, (left.clone(), right.clone())),
        odd => odd[0].clone(),
    }
}

/// A line of what the system knows of this process's memory, in bytes.
fn resident(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|text| text.strip_prefix(line));
    let kilobytes = found.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) << 10
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |time: Duration| time.as_secs_f64();
        let zero = &self.rank_zero;
        writeln!(f, "tasks                {:>14}", self.tasks)?;
        writeln!(f, "makespan             {:>14.3} s", seconds(self.makespan))?;
        writeln!(f, "efficiency           {:>14.2} %", 100.0 * self.efficiency)?;
        writeln!(f, "rank 0: messages in  {:>14}   {:>12} bytes", zero.messages_in, zero.bytes_in)?;
        writeln!(f, "rank 0: messages out {:>14}   {:>12} bytes", zero.messages_out, zero.bytes_out)?;
        let share = 100.0 * self.rank_zero_share();
        writeln!(f, "rank 0: busy         {:>14.3} s {share:>12.2} %", seconds(zero.busy))?;
        writeln!(f, "scheduler's own time {:>14.3} s, measured here", seconds(self.scheduler_time))?;
        writeln!(f, "messages of all      {:>14}", self.messages)?;
        let (lazy, most) = self.bytes_per_task;
        writeln!(f, "bytes per task       {lazy:>14.0} lazy {most:>9.0} at most, all ranks together")?;
        let [build, plan, run] = self.wall.map(seconds);
        write!(f, "this machine         {build:>14.1} s to build, {plan:.1} to plan, {run:.1} to run")
    }
}
