//! What the runtime itself costs, with functions that do next to nothing.
//!
//! ```text
//! cargo bench --bench overhead                                   # threads of this process
//! cargo bench --bench overhead --no-run                          # then, with the path that it prints,
//! mpirun -n 2 target/release/deps/overhead-...                   # ranks
//! SERRIED_SCHEDULER=synchronous cargo bench --bench overhead
//! ```
//!
//! Prints the median of five rounds of each, and the peak memory of rank 0 so far.

use serried::prelude::*;
use std::{hint::black_box, time::Instant};

const ROUNDS: usize = 5;

fn inc(x: u64) -> u64 {
    x + 1
}

fn add(x: u64, y: u64) -> u64 {
    x + y
}

/// Independent tasks, each an argument of `compute`.
fn tasks(client: &Client, n: u64) -> serried::Result<u64> {
    let tasks: Vec<Delayed<u64>> = (0..n).map(|x| delayed!(client, inc(x))).collect();
    Ok(client.compute(&tasks)?.iter().sum())
}

/// A binary tree of additions.
fn tree(client: &Client, leaves: u64) -> serried::Result<u64> {
    let mut level: Vec<Delayed<u64>> = (0..leaves).map(|x| delayed!(client, inc(x))).collect();
    while level.len() > 1 {
        let pair = |pair: &[Delayed<u64>]| match pair {
            [left, right] => delayed!(client, add(left.clone(), right.clone())),
            odd => odd[0].clone(),
        };
        level = level.chunks(2).map(pair).collect();
    }
    level[0].compute()
}

/// Tasks that read each the one before.
fn chain(client: &Client, n: u64) -> serried::Result<u64> {
    let mut last = delayed!(client, inc(0));
    for _ in 1..n {
        last = delayed!(client, inc(last));
    }
    last.compute()
}

/// Futures, gathered.
fn futures(client: &Client, n: u64) -> serried::Result<u64> {
    let futures: Vec<Future<u64>> = (0..n).map(|x| client.submit(|(x,)| inc(x), (x,))).collect();
    Ok(client.gather(&futures)?.iter().sum())
}

/// Tasks computed one by one: there and back each time. `SERRIED_RANK0=schedule` makes it another rank.
fn lone_tasks(client: &Client, n: u64) -> serried::Result<u64> {
    (0..n).map(|x| delayed!(client, inc(x)).compute()).sum()
}

fn map_reduce(client: &Client, n: u64) -> serried::Result<u64> {
    client.map(inc, 0..n).reduce(add).compute()
}

fn map_collect(client: &Client, n: u64) -> serried::Result<u64> {
    Ok(client.map(inc, 0..n).compute()?.len() as u64)
}

/// The most memory that this process has had so far, in MB.
fn peak_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1000
}

fn main() -> serried::Result<()> {
    serried::run(|client| {
        println!("{} ranks, {} threads, scheduler {}", client.ranks(), client.threads(), client.scheduler());
        type Shape = fn(&Client, u64) -> serried::Result<u64>;
        let shapes: [(&str, Shape, u64); 10] = [
            ("4,000 tasks", tasks, 4_000),
            ("100,000 tasks", tasks, 100_000),
            ("tree of 2^15 leaves", tree, 1 << 15),
            ("chain of 10,000", chain, 10_000),
            ("2,000 futures", futures, 2_000),
            ("200 lone tasks", lone_tasks, 200),
            ("map + reduce, 10^6", map_reduce, 1_000_000),
            ("map + reduce, 10^7", map_reduce, 10_000_000),
            ("map + reduce, 10^9", map_reduce, 1_000_000_000),
            ("map + collect, 10^7", map_collect, 10_000_000),
        ];
        for (name, shape, n) in shapes {
            shape(client, n.min(1000))?;
            let mut nanos: Vec<f64> = Vec::new();
            for _ in 0..ROUNDS {
                let start = Instant::now();
                black_box(shape(client, n)?);
                nanos.push(start.elapsed().as_nanos() as f64 / n as f64);
            }
            nanos.sort_by(f64::total_cmp);
            println!("{name:22} {:10.2} ns each, peak memory {} MB", nanos[ROUNDS / 2], peak_megabytes());
        }
        Ok(())
    })
}
