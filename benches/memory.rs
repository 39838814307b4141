//! What an explicit graph costs in memory, on rank 0 and on a rank that owns tasks.
//!
//! ```text
//! cargo bench --bench memory --no-run                            # then, with the path that it prints,
//! SERRIED_RANK0=schedule mpirun -n 3 target/release/deps/memory-... [tasks]
//! ```
//!
//! A stencil of tasks, each of which reads three others as arguments of its own, is built and run; only the
//! last row is wanted. Prints by how much the peak memory of each rank has grown, per task of the whole graph
//! on rank 0, per task of its own elsewhere.

use serried::prelude::*;
use std::{sync::Arc, time::Instant};

const WIDTH: usize = 1000;

fn cell((left, own, right): (Arc<u64>, Arc<u64>, Arc<u64>)) -> u64 {
    left.wrapping_add(*own).wrapping_add(*right)
}

/// The memory that this process has, and the most it has had, in bytes.
fn memory() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) << 10
    };
    (of("VmRSS:"), of("VmHWM:"))
}

/// The same of every rank that runs tasks.
fn memory_of_ranks(client: &Client) -> serried::Result<Vec<(usize, u64, u64)>> {
    let of_one = |_| {
        // Long enough for every rank to be given some.
        std::thread::sleep(std::time::Duration::from_millis(1));
        let rank = serried::whereabouts().map_or(0, |here| here.rank);
        let (now, most) = memory();
        (rank, now, most)
    };
    let mut found = client.map(of_one, 0..100 * client.threads() as u64).batch(1).compute()?;
    found.sort_unstable();
    found.reverse();
    found.dedup_by_key(|(rank, ..)| *rank);
    found.reverse();
    Ok(found)
}

fn main() -> serried::Result<()> {
    let tasks: usize =
        std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(10_000_000);
    serried::run(|client| {
        let before = memory_of_ranks(client)?;
        let (start, zero) = (Instant::now(), memory().0);
        let mut row: Vec<Delayed<u64>> = (0..WIDTH as u64).map(|x| client.delayed(|(x,)| x, (x,))).collect();
        let rows = (tasks / WIDTH).max(2);
        for _ in 1..rows {
            let near = |column: usize| [(column + WIDTH - 1) % WIDTH, column, (column + 1) % WIDTH];
            let next = |column| {
                let [left, own, right] = near(column).map(|column| &row[column]);
                client.delayed(cell, (left, own, right))
            };
            row = (0..WIDTH).map(next).collect();
        }
        let tasks = rows * WIDTH;
        let (lazy, built) = (memory().0, start.elapsed());
        client.compute(&row)?;
        let all = start.elapsed();
        println!("{tasks} tasks of three inputs, {} ranks, {} threads", client.ranks(), client.threads());
        println!("built in {:.1} s, run in {:.1} s", built.as_secs_f64(), (all - built).as_secs_f64());
        let per_task = |bytes: u64, tasks: usize| bytes as f64 / tasks as f64;
        println!("rank 0: {:.1} bytes per task lazy", per_task(lazy - zero, tasks));
        println!("rank 0: {:.1} bytes per task at most", per_task(memory().1 - zero, tasks));
        let owners = before.len();
        for ((rank, before, _), (_, _, most)) in before.into_iter().zip(memory_of_ranks(client)?) {
            let own = per_task(most.saturating_sub(before), tasks / owners);
            println!("rank {rank}: {own:.1} bytes per task of its own at most");
        }
        Ok(())
    })
}
