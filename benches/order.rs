//! Seconds for what the order of elements tells, beside a sum of the same elements.
//!
//! `cargo bench --bench order -- 100000000 10`: elements and chunks; also under `mpirun`.
#![allow(clippy::print_stdout)]

use std::time::Instant;

use serried::Collection;
use serried::array::{Array, Bins, every};
use serried::prelude::*;

fn main() -> serried::Result<()> {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let elements = numbers.first().copied().unwrap_or(100_000_000);
    let chunk = elements.div_ceil(numbers.get(1).copied().unwrap_or(10));
    Builder::new().seed(1u64).run(|client| {
        let made = Array::normal(client, 0.0, 1.0, [elements], [chunk]);
        let kept = Array::normal(client, 0.0, 1.0, [elements], [chunk]).persist()?;
        let percentiles: Vec<f64> = (1..100).map(|percent| f64::from(percent) / 100.0).collect();
        let bins = Bins::uniform(100, -5.0, 5.0);
        for (kind, x) in [("made where they are read", &made), ("in memory", &kept)] {
            let sum = seconds(client, || x.sum())?;
            let report = |name: &str, seconds: f64| {
                println!("{name:12} {seconds:8.3} s {:7.2} times the sum, elements {kind}", seconds / sum);
            };
            report("sum", sum);
            report("median", seconds(client, || x.median())?);
            report("percentiles", seconds(client, || x.quantiles(&percentiles))?);
            report("histogram", seconds(client, || x.histogram(&bins))?);
            report("largest", seconds(client, || x.largest(100))?);
        }
        let sorted = kept.sort().slice([every(chunk as isize, ..)]);
        println!("{:12} {:8.3} s", "sort", once(client, &sorted)?);
        Ok(())
    })
}

/// The fastest of three runs.
fn seconds<C: Collection>(client: &Client, make: impl Fn() -> C) -> serried::Result<f64> {
    let mut fastest = f64::INFINITY;
    for _ in 0..3 {
        fastest = once(client, &make())?.min(fastest);
    }
    Ok(fastest)
}

fn once<C: Collection>(client: &Client, results: &C) -> serried::Result<f64> {
    let start = Instant::now();
    client.compute(results)?;
    Ok(start.elapsed().as_secs_f64())
}
