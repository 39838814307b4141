//! Pi by throwing darts at a square: hits in the quarter circle are counted exactly.

mod cli;

use clap::Parser;
use cli::{Digest, Flags, Report};
use serde_json::json;
use serried::prelude::*;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
    /// Darts in all
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    darts: u64,
    /// Tasks that throw them
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    tasks: u64,
}

const BLOCK: u64 = 1024;

/// Throws `darts` darts and counts those that hit.
fn throw(darts: u64, mut rng: Stream) -> u64 {
    let mut block = [0.0; 2 * BLOCK as usize];
    let mut hits = 0;
    let mut left = darts;
    while left > 0 {
        let count = left.min(BLOCK);
        let points = &mut block[..2 * count as usize];
        rng.fill_random(points);
        let hit = |point: &[f64]| point[0] * point[0] + point[1] * point[1] < 1.0;
        hits += points.chunks_exact(2).map(|point| u64::from(hit(point))).sum::<u64>();
        left -= count;
    }
    hits
}

fn main() -> std::process::ExitCode {
    let Arguments { flags, darts, tasks } = Arguments::parse();
    flags.run("pi", |client| {
        let hits = client
            .map_random_with(
                |task, rng, (darts, tasks)| {
                    let share = darts / tasks + u64::from(task < darts % tasks);
                    throw(share, rng)
                },
                0..tasks,
                (darts, tasks),
            )
            .key(&Key::default())
            .label("throw")
            .reduce(|a, b| a + b)
            .compute()?;
        let pi = 4.0 * hits as f64 / darts as f64;
        let error = 4.0 * (0.785 * 0.215 / darts as f64).sqrt();
        assert!((pi - std::f64::consts::PI).abs() < 7.0 * error, "{hits} of {darts}");
        flags.say(format_args!("{hits} of {darts} darts hit: pi is {pi:.6} +- {error:.6}"));
        Ok(Report { tasks, result: json!(pi), digest: Digest::of_words([hits]) })
    })
}
