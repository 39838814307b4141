//! The parts of the runtime, each alone, with what one task, value or grant costs in it.
//!
//! ```text
//! cargo bench --features internals --bench parts
//! cargo bench --features internals --bench parts -- stencil
//! ```

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use serried::internals::{Experiment, Grants, Graph, LazyGraph, LoneRank, Messages, read};
use std::hint::black_box;

const TASKS: u64 = 50_000;
const RANKS: u32 = 64;
const GRAPHS: [(&str, Graph); 2] =
    [("independent", Graph::Independent), ("stencil", Graph::Stencil { columns: 16 })];

fn lazy(graph: Graph, ranks: u32, tasks: u64) -> LazyGraph {
    LazyGraph::build(&Experiment { graph, workers: ranks, tasks, ..Experiment::default() })
}

/// From the client's API to the parts of 64 ranks, per task.
fn from_handles_to_parts(c: &mut Criterion) {
    for (name, graph) in GRAPHS {
        let mut group = c.benchmark_group(format!("{name}, per task"));
        group.throughput(Throughput::Elements(TASKS)).sample_size(20);
        // What is built is dropped outside of the time that is taken.
        group.bench_function("build lazily", |b| {
            b.iter_batched(|| (), |()| lazy(graph, RANKS, TASKS), BatchSize::LargeInput);
        });
        let built = lazy(graph, RANKS, TASKS);
        group.bench_function("walk", |b| b.iter(|| built.walk()));
        let walked = built.walk();
        group.bench_function("partition", |b| b.iter(|| built.partition(&walked)));
        let owners = built.partition(&walked);
        group.bench_function("pack", |b| b.iter(|| built.pack(&walked, &owners)));
        let (parts, mut frame) = (Messages::parts(&built), Vec::new());
        group.bench_function("write parts", |b| b.iter(|| parts.write(&mut frame)));
        group.bench_function("read parts", |b| b.iter(|| read(black_box(&frame))));
        group.finish();
    }
}

/// A rank that is handed a part and runs it, jobs and functions included, per task.
fn worker(c: &mut Criterion) {
    for (name, graph) in GRAPHS {
        let mut group = c.benchmark_group(format!("{name}, per task"));
        group.throughput(Throughput::Elements(TASKS)).sample_size(20);
        let graph = match graph {
            Graph::Stencil { columns } => Graph::Stencil { columns: columns * u64::from(RANKS) },
            other => other,
        };
        let rank = LoneRank::of(&lazy(graph, 1, TASKS));
        group.bench_function("run on one worker", |b| b.iter(|| rank.run()));
        group.finish();
    }
}

/// Values of eight bytes on their way between ranks, per value.
fn values(c: &mut Criterion) {
    const VALUES: u32 = 1000;
    let mut group = c.benchmark_group("values of 8 bytes, per value");
    group.throughput(Throughput::Elements(u64::from(VALUES)));
    let (values, mut frame) = (Messages::values(VALUES), Vec::new());
    group.bench_function("write", |b| b.iter(|| values.write(&mut frame)));
    group.bench_function("read", |b| b.iter(|| read(black_box(&frame))));
    group.finish();
}

/// The scheduler hands out a map, per grant.
fn grants(c: &mut Criterion) {
    let mut group = c.benchmark_group("map, per grant");
    for ranks in [64, 4096] {
        let grants = Grants::of(&lazy(Graph::Map, 1, 10_000_000), ranks);
        group.throughput(Throughput::Elements(grants.hand_out())).sample_size(10);
        group.bench_function(format!("to {ranks} ranks"), |b| b.iter(|| grants.hand_out()));
    }
    group.finish();
}

criterion_group! {
    name = parts;
    config = Criterion::default()
        .warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_secs(1));
    targets = from_handles_to_parts, worker, values, grants
}
criterion_main!(parts);
