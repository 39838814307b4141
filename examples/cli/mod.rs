//! What the examples have in common: their flags, and the line of JSON that they end with.

use clap::Parser;
use serde_json::{Value, json};
use serried::prelude::*;
use std::{fmt::Display, process::ExitCode, str::FromStr, time::Instant};

/// How an example is run.
#[derive(Debug, Clone, Parser)]
pub(crate) struct Flags {
    /// synchronous, threads, processes or mpi [default: as launched]
    #[arg(long)]
    scheduler: Option<Scheduler>,
    /// Threads of `threads`, ranks of `processes`
    #[arg(long)]
    workers: Option<usize>,
    /// Compute threads per rank
    #[arg(long)]
    threads: Option<usize>,
    /// Seed of the random streams, a decimal number [default: a fresh one]
    #[arg(long)]
    pub(crate) seed: Option<Seed>,
    /// End with one line of JSON on standard output; everything else goes to standard error
    #[arg(long)]
    pub(crate) json: bool,
}

/// What an example has found out.
#[derive(Debug)]
pub(crate) struct Report {
    /// How many tasks or elements were run.
    pub(crate) tasks: u64,
    pub(crate) result: Value,
    pub(crate) digest: Digest,
}

impl Flags {
    pub(crate) fn builder(&self) -> Builder {
        let mut builder = Builder::new();
        if let Some(scheduler) = self.scheduler {
            builder = builder.scheduler(scheduler);
        }
        if let Some(workers) = self.workers {
            builder = builder.workers(workers);
        }
        if let Some(threads) = self.threads {
            builder = builder.threads(threads);
        }
        match &self.seed {
            Some(seed) => builder.seed(seed.clone()),
            None => builder,
        }
    }

    /// Runs an example and prints what it reports.
    #[allow(dead_code)]
    pub(crate) fn run(
        &self,
        example: &str,
        program: impl FnOnce(&Client) -> serried::Result<Report> + Send,
    ) -> ExitCode {
        self.run_with(self.builder(), example, program)
    }

    /// As `run`, with a builder of the example's own.
    pub(crate) fn run_with(
        &self,
        builder: Builder,
        example: &str,
        program: impl FnOnce(&Client) -> serried::Result<Report> + Send,
    ) -> ExitCode {
        let ended: serried::Result<_> = builder.run(|client| {
            let start = Instant::now();
            let report = program(client)?;
            let seconds = start.elapsed().as_secs_f64();
            let seed = self.seed.as_ref().unwrap_or(client.seed()).to_string();
            let line = json!({
                "example": example,
                "scheduler": client.scheduler().to_string(),
                "ranks": client.ranks(),
                "threads": client.threads(),
                "seed": serde_json::Number::from_str(&seed).expect("a seed is a number"),
                "seconds": seconds,
                "tasks": report.tasks,
                "result": report.result,
                "digest": format!("{:016x}", report.digest.0),
            });
            Ok(line)
        });
        match ended {
            Ok(line) => {
                if self.json {
                    println!("{line}");
                }
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        }
    }

    /// Prints for people.
    #[allow(dead_code)]
    pub(crate) fn say(&self, text: impl Display) {
        if self.json {
            eprintln!("{text}");
        } else {
            println!("{text}");
        }
    }
}

/// A hash of the exact bits of a result (FNV-1a, 64 bits).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Digest(u64);

#[allow(dead_code)]
impl Digest {
    pub(crate) fn of_words(words: impl IntoIterator<Item = u64>) -> Self {
        Digest::of_bytes(words.into_iter().flat_map(u64::to_le_bytes))
    }

    pub(crate) fn of_numbers(numbers: impl IntoIterator<Item = f64>) -> Self {
        Digest::of_words(numbers.into_iter().map(f64::to_bits))
    }

    pub(crate) fn of_bytes(bytes: impl IntoIterator<Item = u8>) -> Self {
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        Digest(bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, step))
    }
}
