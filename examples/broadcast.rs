//! One large slice as the input of many tasks, in four ways: shared memory of each node, a value broadcast to
//! each rank, the result of a task, or an argument that goes with every task.
//!
//! x[i] is i times the golden section, modulo 1; task i computes the mean of x, and adds i.
//!
//! ```sh
//! cargo build --release --example broadcast
//! mpirun -n 2 target/release/examples/broadcast --n 4000000 --p 20 --way shared
//! ```

mod cli;

use clap::{Parser, ValueEnum};
use cli::{Digest, Flags, Report};
use serde_json::json;
use serried::prelude::*;
use std::time::Instant;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
    /// Elements of the slice, 8 bytes each
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    n: u64,
    /// Tasks that read it
    #[arg(long, default_value_t = 20)]
    p: u64,
    /// How it gets to them
    #[arg(long, value_enum, default_value_t = Way::Shared)]
    way: Way,
}

#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
enum Way {
    /// `client.share_with`: made in memory that the ranks of a node share
    Shared,
    /// `client.share`: a vector, copied into such memory
    Copied,
    /// `client.broadcast`: a copy on each rank
    Broadcast,
    /// The result of another task
    Task,
    /// A value among the arguments of every task
    Argument,
}

fn element(i: u64) -> f64 {
    (i as f64 * 0.618_033_988_749_894_9) % 1.0
}

fn vector(n: u64) -> Vec<f64> {
    (0..n).map(element).collect()
}

/// With eight running totals, so that it can use the lanes of the processor.
fn mean(x: &[f64]) -> f64 {
    let mut totals = [0.0; 8];
    let chunks = x.chunks_exact(8);
    let rest: f64 = chunks.remainder().iter().sum();
    for chunk in chunks {
        for (total, x) in totals.iter_mut().zip(chunk) {
            *total += x;
        }
    }
    (totals.iter().sum::<f64>() + rest) / x.len() as f64
}

fn calc(x: &[f64], i: u64) -> f64 {
    mean(x) + i as f64
}

fn calc_of_own(x: Vec<f64>, i: u64) -> f64 {
    calc(&x, i)
}

/// What has come of a way.
struct Outcome {
    results: Vec<f64>,
    /// From when the elements were there, in a vector or where `share_with` had them made.
    seconds: f64,
    memory: Option<Memory>,
}

fn run(client: &Client, n: u64, p: u64, way: Way) -> serried::Result<Outcome> {
    let in_place = |x: &mut [f64]| (0..).zip(x).for_each(|(i, x)| *x = element(i));
    match way {
        Way::Shared => {
            let x = client.share_with(n as usize, in_place)?;
            timed(client, Instant::now(), p, |i| delayed!(client, calc(&x, i)))
        }
        Way::Copied => {
            let (x, start) = (vector(n), Instant::now());
            let x = client.share(x)?;
            timed(client, start, p, |i| delayed!(client, calc(&x, i)))
        }
        Way::Broadcast => {
            let (x, start) = (vector(n), Instant::now());
            let x = client.broadcast(x)?;
            timed(client, start, p, |i| delayed!(client, calc(&x, i)))
        }
        Way::Task => {
            let (x, start) = (delayed!(client, vector(n)), Instant::now());
            timed(client, start, p, |i| delayed!(client, calc(&x, i)))
        }
        Way::Argument => {
            let (x, start) = (vector(n), Instant::now());
            timed(client, start, p, |i| delayed!(client, calc_of_own(x.clone(), i)))
        }
    }
}

fn timed(
    client: &Client,
    start: Instant,
    p: u64,
    task: impl Fn(u64) -> Delayed<f64>,
) -> serried::Result<Outcome> {
    let tasks: Vec<Delayed<f64>> = (0..p).map(&task).collect();
    let results = client.compute(&tasks)?;
    let seconds = start.elapsed().as_secs_f64();
    // `task` still holds the handle, and with it what the ranks keep.
    let memory = Memory::of_node();
    drop(task);
    Ok(Outcome { results, seconds, memory })
}

/// Memory of the processes of this program on this node, in bytes.
struct Memory {
    /// Of what they share, each has its part.
    now: u64,
    /// The most that each of them has had, what it shares with others included.
    peaks: Vec<u64>,
}

impl Memory {
    /// Where the system tells, as Linux does.
    fn of_node() -> Option<Memory> {
        let own = std::fs::read_link("/proc/self/exe").ok()?;
        let mut memory = Memory { now: 0, peaks: Vec::new() };
        for entry in std::fs::read_dir("/proc").ok()?.flatten() {
            let process = entry.path();
            let is_number = entry.file_name().to_string_lossy().parse::<u32>().is_ok();
            if is_number && std::fs::read_link(process.join("exe")).is_ok_and(|exe| exe == own) {
                let number = |file: &str, name: &str| {
                    let table = std::fs::read_to_string(process.join(file)).ok()?;
                    let line = table.lines().find_map(|line| line.strip_prefix(name))?;
                    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
                };
                memory.now += number("smaps_rollup", "Pss:")?;
                memory.peaks.push(number("status", "VmHWM:")?);
            }
        }
        Some(memory)
    }
}

fn main() -> std::process::ExitCode {
    let Arguments { flags, n, p, way } = Arguments::parse();
    flags.run("broadcast", |client| {
        let Outcome { results, seconds, memory } = run(client, n, p, way)?;
        // The golden section spreads evenly: the mean is nearer to 1/2 than this.
        let bound = (2.0 + 4.0 * (n as f64).ln()) / n as f64;
        for (i, result) in results.iter().enumerate() {
            let mean = result - i as f64;
            assert!((mean - 0.5).abs() <= bound + 1e-12 * i as f64, "task {i}: {result}");
        }
        let sum: f64 = results.iter().sum();
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        let size = megabytes(8 * n);
        flags.say(format_args!("{p} tasks read {size:.0} MB, {way:?}: sum {sum}, {seconds:.3} s"));
        if let Some(Memory { now, peaks }) = memory {
            let (now, peaks): (f64, Vec<_>) = (megabytes(now), peaks.into_iter().map(megabytes).collect());
            flags.say(format_args!("memory {now:.0} MB, {:.2} copies; peaks {peaks:.0?} MB", now / size));
        }
        Ok(Report { tasks: p, result: json!(sum), digest: Digest::of_numbers(results) })
    })
}
