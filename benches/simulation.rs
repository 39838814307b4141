//! A large machine, simulated: the real scheduler and workers under a virtual clock, with the costs of a network.
//!
//! ```text
//! cargo bench --features internals --bench simulation -- --workers 27648 --tasks 10000000 --task-time 100ms
//! cargo bench --features internals --bench simulation -- --graph stencil --columns 4
//! ```
//!
//! Rank 0 only schedules. Tasks are taken to be long enough for a compute thread of their own; what the ranks'
//! naps cost is not in the model.

use clap::{Parser, ValueEnum};
use serried::internals::{Experiment, Graph, Network, simulate};
use std::time::Duration;

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shape {
    /// A symbolic map and the sum of its elements.
    Map,
    /// A symbolic map, collected.
    Collect,
    /// Tasks without inputs, all of whose results are wanted.
    Independent,
    /// Rows of tasks that read three of the row before.
    Stencil,
    /// A binary tree.
    Tree,
}

/// Simulates serried on a large machine.
#[derive(Debug, Parser)]
struct Flags {
    /// Ranks that compute.
    #[arg(long, default_value_t = 27_648)]
    workers: u32,
    #[arg(long, default_value_t = 10_000_000)]
    tasks: u64,
    #[arg(long, value_enum, default_value = "map")]
    graph: Shape,
    /// Tasks per worker in a row of the stencil.
    #[arg(long, default_value_t = 4)]
    columns: u64,
    /// Mean duration of a task: a number and ns, us, ms or s.
    #[arg(long, value_parser = duration, default_value = "100ms")]
    task_time: Duration,
    /// Durations are uniform between 1 - spread and 1 + spread times the mean.
    #[arg(long, default_value_t = 0.0)]
    spread: f64,
    #[arg(long, value_parser = duration, default_value = "2us")]
    latency: Duration,
    /// Bytes per second of a rank's link.
    #[arg(long, default_value_t = 1e9)]
    bandwidth: f64,
    /// What a message costs its sender and its receiver.
    #[arg(long, value_parser = duration, default_value = "1us")]
    message_cost: Duration,
    /// What a byte costs them besides.
    #[arg(long, value_parser = duration, default_value = "0ns")]
    byte_cost: Duration,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: f64 = digits.parse().map_err(|_| format!("`{digits}` is no number"))?;
    let unit = match &text[digits.len()..] {
        "ns" => 1e-9,
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        other => return Err(format!("`{other}` is none of ns, us, ms and s")),
    };
    Ok(Duration::from_secs_f64(number * unit))
}

fn main() {
    let flags = Flags::parse();
    let experiment = Experiment {
        workers: flags.workers,
        tasks: flags.tasks,
        graph: match flags.graph {
            Shape::Map => Graph::Map,
            Shape::Collect => Graph::Collect,
            Shape::Independent => Graph::Independent,
            Shape::Stencil => Graph::Stencil { columns: flags.columns },
            Shape::Tree => Graph::Tree,
        },
        task_time: flags.task_time,
        spread: flags.spread,
        network: Network {
            latency: flags.latency,
            bandwidth: flags.bandwidth,
            message_cost: flags.message_cost,
            byte_cost: flags.byte_cost,
        },
    };
    println!("{} workers, {:?}, tasks of {:?}", flags.workers, flags.graph, flags.task_time);
    println!("{}", simulate(&experiment));
}
