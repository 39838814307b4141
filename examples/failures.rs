//! What a user sees when something goes wrong.
//!
//! `panic`, `error` and `retry` catch the failure, print it and use the other results; `kill-rank` and
//! `panic-in-client` end the whole job.

mod cli;

use clap::{Parser, ValueEnum};
use cli::{Digest, Flags, Report};
use serde_json::json;
use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
    #[arg(long, value_enum)]
    mode: Mode,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Mode {
    /// An element of a map panics
    Panic,
    /// An element of a map returns an error
    Error,
    /// An element fails at first and is tried again, another never succeeds
    Retry,
    /// The process of the highest rank is killed
    KillRank,
    /// Rank 0's own program panics
    PanicInClient,
}

const BAD: u64 = 7;

fn main() -> std::process::ExitCode {
    let Arguments { flags, mode } = Arguments::parse();
    flags.run("failures", |client| {
        match mode {
            Mode::KillRank => {
                let ranks = client.ranks();
                client.map_with(kill_last, 0..1000u64, (ranks,)).batch(1).compute()?;
                unreachable!("nobody survives this")
            }
            Mode::PanicInClient => {
                let slow =
                    client.map(|_| std::thread::sleep(Duration::from_secs(60)), 0..client.threads() as u64);
                let _running = slow.collect().submit();
                panic!("the program of rank 0 has a bug");
            }
            Mode::Panic | Mode::Error | Mode::Retry => {}
        }
        let map = match mode {
            Mode::Panic => client.try_map(panics, 0..10u64),
            Mode::Error => client.try_map(fails, 0..10u64),
            _ => client.try_map(flaky, 0..10u64).retries(2),
        };
        let map = map.label("root");
        let error = map.compute().expect_err("an element fails");
        let task = error.task().expect("it is the failure of a task");
        assert_eq!(task.label, "root");
        assert_eq!(task.index, Some(BAD));
        assert_eq!(task.attempts, if mode == Mode::Retry { 3 } else { 1 });
        flags.say(format_args!("error: {task}"));
        flags.say(format_args!(
            "label {}, index {}, rank {}, host {}, attempts {}",
            task.label, BAD, task.rank, task.host, task.attempts
        ));
        let outcomes = map.outcomes().compute()?;
        let good: Vec<f64> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok().copied()).collect();
        assert_eq!(good.len(), 9);
        assert!(outcomes[BAD as usize].is_err());
        let sum: f64 = good.iter().sum();
        flags.say(format_args!("the other {} results are there; their sum is {sum:.6}", good.len()));
        Ok(Report {
            tasks: 10,
            result: json!({ "label": task.label, "index": BAD, "attempts": task.attempts, "sum": sum }),
            digest: Digest::of_numbers(good),
        })
    })
}

fn panics(x: u64) -> Result<f64, String> {
    assert_ne!(x, BAD, "seven is an unlucky number");
    Ok((x as f64).sqrt())
}

fn fails(x: u64) -> Result<f64, String> {
    if x == BAD { Err(format!("{x} is not allowed")) } else { Ok((x as f64).sqrt()) }
}

/// Element 3 fails the first two times on each rank, element 7 always.
fn flaky(x: u64) -> Result<f64, String> {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    if x == 3 && CALLS.fetch_add(1, Relaxed) < 2 {
        return Err("not yet".to_owned());
    }
    fails(x)
}

/// The process of the highest rank kills itself, as the kernel does when memory runs out.
fn kill_last(_: u64, (ranks,): &(usize,)) {
    std::thread::sleep(Duration::from_millis(20));
    let here = serried::whereabouts().expect("this is a task");
    if here.rank + 1 == *ranks {
        let me = std::process::id().to_string();
        let _ = std::process::Command::new("kill").args(["-9", &me]).status();
    }
}
