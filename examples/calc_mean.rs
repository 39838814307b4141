//! The simulation study of the Dask tutorials: mean and standard deviation of many normal draws, over
//! replicates, flat or nested over a grid of parameters.
//!
//! Task i draws from the stream with spawn key (i,), replicate r of parameter set g from (g, r); NumPy's
//! `Generator(PCG64DXSM(SeedSequence(seed, spawn_key=key))).normal(mean, sd, n)` draws the same numbers.

mod cli;

use clap::Parser;
use cli::{Digest, Flags, Report};
use serde_json::json;
use serried::prelude::*;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
    /// Replicates of the flat study
    #[arg(long, default_value_t = 10)]
    tasks: u64,
    /// Draws of each replicate
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    n: u64,
    /// Four parameter sets instead of one
    #[arg(long)]
    nested: bool,
    /// Replicates of each parameter set
    #[arg(long, default_value_t = 20)]
    replicates: u64,
}

/// Means and standard deviations of the nested study.
const GRID: [(f64, f64); 4] = [(0.0, 1.0), (0.0, 2.0), (1.0, 1.0), (1.0, 2.0)];

/// Draws are made and summed up in blocks that stay in the first-level cache.
const BLOCK: usize = 2048;

/// Mean and standard deviation (divided by n) of n normal draws.
fn calc_mean(n: u64, mean: f64, sd: f64, mut rng: Stream) -> (f64, f64) {
    let mut block = [0.0; BLOCK];
    let mut moments = Moments::default();
    let mut left = n as usize;
    while left > 0 {
        let draws = &mut block[..left.min(BLOCK)];
        rng.fill_standard_normal(draws);
        draws.iter_mut().for_each(|x| *x = mean + sd * *x);
        moments.add(draws);
        left -= draws.len();
    }
    (moments.mean, (moments.squares / moments.count).sqrt())
}

/// Count, mean and sum of squared deviations (Chan, Golub & LeVeque 1979).
#[derive(Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, block: &[f64]) {
        let count = block.len() as f64;
        let mean = sum(block, |x| x) / count;
        let squares = sum(block, |x| (x - mean) * (x - mean));
        let total = self.count + count;
        let difference = mean - self.mean;
        self.squares += squares + difference * difference * self.count * count / total;
        self.mean += difference * count / total;
        self.count = total;
    }
}

/// A sum with eight running totals, so that it can use the lanes of the processor.
fn sum(block: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    let mut totals = [0.0; 8];
    let chunks = block.chunks_exact(8);
    let rest: f64 = chunks.remainder().iter().map(|&x| term(x)).sum();
    for chunk in chunks {
        for (total, &x) in totals.iter_mut().zip(chunk) {
            *total += term(x);
        }
    }
    totals.iter().sum::<f64>() + rest
}

fn main() -> std::process::ExitCode {
    let Arguments { flags, tasks, n, nested, replicates } = Arguments::parse();
    flags.run("calc_mean", |client| {
        let study = |count: u64, prefix: &[u64], (mean, sd): (f64, f64)| {
            let key = Key::new(prefix.iter().copied()).expect("small numbers");
            client
                .map_random_with(
                    |_, rng, (n, mean, sd)| calc_mean(*n, *mean, *sd, rng),
                    0..count,
                    (n, mean, sd),
                )
                .key(&key)
                .label("calc_mean")
        };
        type Pairs = Vec<(f64, f64)>;
        let (parameters, results): (Pairs, Pairs) = if nested {
            let sets: Vec<_> = (0..)
                .zip(GRID)
                .map(|(g, parameters)| study(replicates, &[g], parameters).collect())
                .collect();
            let results = client.compute(&sets)?.concat();
            let each = |parameters| std::iter::repeat_n(parameters, replicates as usize);
            (GRID.into_iter().flat_map(each).collect(), results)
        } else {
            let results = study(tasks, &[], GRID[0]).compute()?;
            (vec![GRID[0]; tasks as usize], results)
        };
        assert_eq!(results.len(), parameters.len());
        for (task, ((mean, sd), (true_mean, true_sd))) in results.iter().zip(parameters).enumerate() {
            // Seven standard errors: one run in 10^11 would miss by chance.
            let error = 7.0 * true_sd / (n as f64).sqrt();
            assert!((mean - true_mean).abs() <= error, "task {task}: mean {mean}");
            assert!(n < 1000 || (sd - true_sd).abs() <= error, "task {task}: sd {sd}");
            flags.say(format_args!("{task}: mean {mean:+.6}, sd {sd:.6}"));
        }
        let pairs: Vec<[f64; 2]> = results.iter().map(|&(mean, sd)| [mean, sd]).collect();
        Ok(Report {
            tasks: results.len() as u64,
            digest: Digest::of_numbers(pairs.iter().flatten().copied()),
            result: json!(pairs),
        })
    })
}
