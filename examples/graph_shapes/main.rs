//! The shapes of graphs that task runtimes are compared by, most of them those of the study of Dask's scheduler
//! (Böhm & Beránek, "Runtime vs Scheduler: Analyzing Dask's Overheads", WORKS 2020): what does a task cost, and how
//! much of the machine is lost to it?
//!
//! Every shape ends in one value, which is compared with what it has to be. The time is that of all there is: build
//! the graph, plan it, send it, run it, and bring the value. With `--replay K` the graph is then left on the ranks
//! ([`Client::prepare`]) and run K times more, which leaves the running.
//!
//! ```sh
//! cargo build --release --example graph_shapes
//! SERRIED_THREADS=1 mpirun -n 2 --bind-to core target/release/examples/graph_shapes --rounds 5 --replay 5 --shape stencil
//! ```
//!
//! Tasks that are to take time use the CPU; with `--sleep` they sleep, so that more threads than cores can be tried.

#[path = "../cli/mod.rs"]
mod cli;
mod memory;
mod shapes;
mod tasks;

use clap::{Parser, builder::PossibleValuesParser};
use cli::{Digest, Flags, Report};
use serde_json::{Map, Value, json};
use serried::prelude::*;
use shapes::{Built, SHAPES, Shape, Size};
use std::time::Instant;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
    /// Which shapes, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "all", value_parser = names())]
    shape: Vec<String>,
    /// How large: tasks, leaves, links, chunks, steps, rounds, or blocks on a side [default: by shape]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    n: Option<u32>,
    /// How long a task takes, in shapes of tasks that take time [default: by shape]
    #[arg(long)]
    millis: Option<f64>,
    /// How large a value is, in shapes of values that are large [default: by shape]
    #[arg(long)]
    bytes: Option<usize>,
    /// Sleep in tasks that take time, instead of using the CPU
    #[arg(long)]
    sleep: bool,
    /// Build and run each shape so many times; the median counts
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Run the graph of the last round so many times more, without building it; the median counts
    #[arg(long, default_value_t = 0)]
    replay: u32,
}

fn names() -> PossibleValuesParser {
    let mut names: Vec<&str> = SHAPES.iter().map(|shape| shape.name).collect();
    names.dedup();
    names.push("all");
    PossibleValuesParser::new(names)
}

/// What was measured of a shape.
struct Figures {
    tasks: u64,
    value: u64,
    seconds: f64,
    replay: Option<f64>,
    /// The shortest time in which the durations of the tasks allow it.
    best: f64,
}

fn main() -> std::process::ExitCode {
    let arguments = Arguments::parse();
    arguments.flags.run("graph_shapes", |client| bench(client, &arguments))
}

fn bench(client: &Client, arguments: &Arguments) -> serried::Result<Report> {
    let flags = &arguments.flags;
    warm_up(client)?;
    flags.say(format_args!(
        "{:21} {:>8} {:>10} {:>10} {:>10} {:>10}",
        "shape", "tasks", "seconds", "us a task", "replayed", "efficiency"
    ));
    let mut result = Map::new();
    let (mut tasks, mut values) = (0, Vec::new());
    for shape in arguments.shapes() {
        let size = arguments.size(shape);
        if shape.memory {
            memory::forget_peaks(client)?;
        }
        let figures = measure(client, shape, &size, arguments)?;
        flags.say(line(shape, &size, &figures));
        if shape.memory {
            for (rank, megabytes) in memory::peaks(client)? {
                flags.say(format_args!("    peak memory of rank {rank}: {megabytes} MB"));
            }
        }
        tasks += figures.tasks;
        values.push(figures.value);
        let entry = result.entry(shape.name).or_insert_with(|| json!([]));
        entry.as_array_mut().expect("a list").push(json!({"tasks": figures.tasks, "value": figures.value}));
    }
    Ok(Report { tasks, result: Value::Object(result), digest: Digest::of_words(values) })
}

/// The first graph also pays for memory that later ones find, and for functions that nobody has timed yet.
fn warm_up(client: &Client) -> serried::Result<()> {
    let shape = &SHAPES[0];
    let size = Size { n: 1000, micros: 0, bytes: 0, sleep: false, round: 0 };
    let built = (shape.build)(client, &size)?;
    assert_eq!(built.target.compute()?, built.expected);
    Ok(())
}

fn measure(client: &Client, shape: &Shape, size: &Size, arguments: &Arguments) -> serried::Result<Figures> {
    let mut seconds = Vec::new();
    let mut last = None;
    for round in 0..arguments.rounds {
        // The graph of the round before goes first: a program that builds one has not another at hand.
        drop(last.take());
        let start = Instant::now();
        let built = (shape.build)(client, &Size { round, ..*size })?;
        let value = built.target.compute()?;
        seconds.push(start.elapsed().as_secs_f64());
        assert_eq!(value, built.expected, "{}", shape.name);
        last = Some(built);
    }
    let Built { target, expected, tasks, work } = last.expect("a round");
    let replay = match arguments.replay {
        0 => None,
        runs => Some(replay(client, &target, expected, runs)?),
    };
    let best = (work.total.as_secs_f64() / client.threads() as f64).max(work.path.as_secs_f64());
    Ok(Figures { tasks, value: expected, seconds: median(seconds), replay, best })
}

/// The seconds of a run of a graph that stays on the ranks.
fn replay(client: &Client, target: &Delayed<u64>, expected: u64, runs: u32) -> serried::Result<f64> {
    // Durations that are drawn are the same in every run, so that the runs can be compared.
    let graph = client.prepare((), target)?.common_random_numbers();
    let once = |_| {
        let start = Instant::now();
        let value = graph.run(())?;
        let seconds = start.elapsed().as_secs_f64();
        assert_eq!(value, expected);
        Ok(seconds)
    };
    Ok(median((0..runs).map(once).collect::<serried::Result<_>>()?))
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn line(shape: &Shape, size: &Size, figures: &Figures) -> String {
    let name = match size.micros {
        0 => shape.name.to_owned(),
        micros => format!("{} {} ms", shape.name, micros as f64 / 1000.0),
    };
    let &Figures { tasks, seconds, replay, best, .. } = figures;
    let micros = |seconds: f64| format!("{:.3}", seconds * 1e6 / tasks as f64);
    let once = micros(seconds);
    let replayed = replay.map(micros).unwrap_or_default();
    let efficiency = if best > 0.0 { format!("{:.1} %", 100.0 * best / seconds) } else { String::new() };
    format!("{name:21} {tasks:8} {seconds:10.4} {once:>10} {replayed:>10} {efficiency:>10}")
        .trim_end()
        .to_owned()
}

impl Arguments {
    /// The shapes that were asked for. One that stands in the table with several durations is run with each,
    /// unless the duration is given.
    fn shapes(&self) -> Vec<&'static Shape> {
        let asked = |shape: &&Shape| self.shape.iter().any(|name| name == "all" || name == shape.name);
        let mut shapes: Vec<&Shape> = SHAPES.iter().filter(asked).collect();
        if self.millis.is_some() {
            shapes.dedup_by_key(|shape| shape.name);
        }
        shapes
    }

    fn size(&self, shape: &Shape) -> Size {
        let micros = match self.millis {
            Some(millis) if shape.millis > 0 => (millis * 1000.0) as u64,
            _ => 1000 * shape.millis,
        };
        let bytes = self.bytes.unwrap_or(shape.bytes);
        Size { n: self.n.unwrap_or(shape.n), micros, bytes, sleep: self.sleep, round: 0 }
    }
}
