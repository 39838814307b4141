//! Prints draws of one random stream, to compare with NumPy or to replay a replicate.
//!
//! ```sh
//! cargo run --example stream -- --seed 42 --spawn-key 3,7 --draw normal --count 5
//! ```
//!
//! prints what
//! `numpy.random.Generator(numpy.random.PCG64DXSM(numpy.random.SeedSequence(42, spawn_key=(3, 7))))
//! .standard_normal(5)` does.

mod cli;

use clap::{Parser, ValueEnum};
use cli::{Digest, Flags, Report};
use serde_json::{Value, json};
use serried::prelude::*;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
    /// The stream's spawn key: numbers below 2^32, separated by commas
    #[arg(long, default_value = "", value_parser = words)]
    spawn_key: Words,
    /// What to draw
    #[arg(long, value_enum, default_value_t = Draw::Random)]
    draw: Draw,
    /// The lowest of the integers
    #[arg(long, default_value_t = 0, allow_hyphen_values = true)]
    low: i64,
    /// One more than the highest of the integers
    #[arg(long, default_value_t = 10, allow_hyphen_values = true)]
    high: i64,
    /// How many draws to print
    #[arg(long, default_value_t = 10)]
    count: u64,
    /// How many draws to pass over before
    #[arg(long, default_value_t = 0)]
    skip: u64,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Draw {
    U64,
    Random,
    Normal,
    Exponential,
    Integers,
}

#[derive(Clone)]
struct Words(Vec<u32>);

/// Any words, also those that explicit keys may not begin with: a default stream can be replayed too.
fn words(text: &str) -> Result<Words, String> {
    let word = |word: &str| {
        word.trim().parse().map_err(|_| format!("{word:?} is not a number from 0 to {}", u32::MAX))
    };
    let words = text.split(',').filter(|_| !text.is_empty()).map(word);
    Ok(Words(words.collect::<Result<_, _>>()?))
}

/// A draw as text with all its digits, and its bits.
fn draw(kind: Draw, stream: &mut Stream, low: i64, high: i64) -> (String, u64) {
    let number = |x: f64| (format!("{x:?}"), x.to_bits());
    match kind {
        Draw::U64 => {
            let word = stream.next_u64();
            (word.to_string(), word)
        }
        Draw::Random => number(stream.random()),
        Draw::Normal => number(stream.standard_normal()),
        Draw::Exponential => number(stream.standard_exponential()),
        Draw::Integers => {
            let integer = stream.integers(low, high);
            (integer.to_string(), integer as u64)
        }
    }
}

fn main() -> std::process::ExitCode {
    let arguments = Arguments::parse();
    let Arguments { flags, spawn_key, draw: kind, low, high, count, skip } = arguments;
    if kind == Draw::Integers && low >= high {
        eprintln!("error: --low {low} must be below --high {high}");
        return std::process::ExitCode::FAILURE;
    }
    // A seed of more than 128 bits is good for NumPy and for a single stream, not for a run.
    let long_seed = flags.seed.as_ref().is_some_and(|seed| !seed.fits_128_bits());
    let mut settings = flags.clone();
    settings.seed = settings.seed.filter(|_| !long_seed);
    let builder = settings.builder();
    flags.run_with(builder, "stream", |client| {
        let seed = flags.seed.as_ref().unwrap_or(client.seed());
        let mut stream = Stream::new(seed, &spawn_key.0);
        match kind {
            // One raw draw a value: the place can be jumped to.
            Draw::U64 | Draw::Random => stream.advance(u128::from(skip)),
            _ => (0..skip).for_each(|_| drop(draw(kind, &mut stream, low, high))),
        }
        let mut bits = Vec::new();
        let mut last = Value::Null;
        for _ in 0..count {
            let (text, word) = draw(kind, &mut stream, low, high);
            println!("{text}");
            last = json!(text);
            bits.push(word);
        }
        Ok(Report { tasks: 0, result: last, digest: Digest::of_words(bits) })
    })
}
