//! What a user sees when something goes wrong.
//!
//! `panic`, `error` and `retry` catch the failure, print it and use the other results; `kill-rank` and
//! `panic-in-client` end the whole job. In `held-up` nothing fails: rank 0 is busy with slow functions of the program, and
//! the other hosts wait for it.

mod cli;

use clap::{Parser, ValueEnum};
use cli::{Digest, Flags, Report};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::json;
use serried::Client;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
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
    /// Nothing fails, but rank 0 is busy with the program's own code again and again
    HeldUp,
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
            Mode::HeldUp => return held_up(client),
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

/// How long a rank is held up, in seconds.
const LONG: u64 = 3;

/// Holds up rank 0's communicating thread, if that is where this is called: it runs short tasks, merges, and whatever
/// values do when they are written and dropped.
fn hold_up(seconds: u64) {
    let of_rank_zero = serried::whereabouts().is_some_and(|here| here.rank == 0);
    let computes = std::thread::current().name().is_some_and(|name| name.starts_with("serried-"));
    if seconds > 0 && of_rank_zero && !computes {
        std::thread::sleep(Duration::from_secs(seconds));
        HELD_UP.fetch_add(1, Relaxed);
    }
}

/// How often that has happened.
static HELD_UP: AtomicU32 = AtomicU32::new(0);

/// A value that takes long to write and to drop.
#[derive(Clone, Deserialize)]
struct Slow(u64);

impl Serialize for Slow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        hold_up(LONG);
        serializer.serialize_newtype_struct("Slow", &self.0)
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        hold_up(LONG);
    }
}

fn held_up(client: &Client) -> serried::Result<Report> {
    let ranks = client.ranks() as u64;
    // A builder of local contexts, and a function that was short so far.
    let build = |(seconds,): (u64,)| {
        hold_up(seconds);
        seconds
    };
    let work = |(seconds, local): (u64, Arc<u64>)| {
        hold_up(seconds);
        seconds + *local
    };
    let (quick, slow) = (client.local(build, (0,))?, client.local(build, (LONG,))?);
    for _ in 0..600 {
        client.delayed(work, (0, &quick)).compute()?;
    }
    for (seconds, local) in [(LONG, &quick), (0, &slow)] {
        let tasks: Vec<_> = (0..ranks).map(|_| client.delayed(work, (seconds, local))).collect();
        assert_eq!(client.compute(&tasks)?, vec![LONG; ranks as usize]);
    }
    // A merge of what ranks have made.
    let largest = client.map(|i| i, 0..4u64).batch(1).reduce(|a, b| {
        hold_up(LONG / 3);
        a.max(b)
    });
    let largest = largest.compute()?;
    // A value that goes to other ranks, and is dropped where it was.
    let value = client.submit(|(x,)| Slow(x), (1,));
    let read = |(slow,): (Arc<Slow>,)| slow.0;
    let reads: Vec<_> = (0..ranks).map(|_| client.delayed(read, (&value,))).collect();
    let ones: u64 = client.compute(&reads)?.into_iter().sum();
    drop((value, reads));
    client.delayed(work, (0, &quick)).compute()?;

    assert_eq!((largest, ones), (3, ranks));
    let result = json!({ "largest": largest, "held_up": HELD_UP.load(Relaxed) });
    Ok(Report { tasks: 600, result, digest: Digest::of_numbers([largest as f64]) })
}
