//! The graph of every tutorial: `inc` and `add`, lazy, then computed in one go.
//!
//! With `--n N` also N independent `inc` tasks, to see what a task costs.

mod cli;

use clap::Parser;
use cli::{Digest, Flags, Report};
use serde_json::json;
use serried::prelude::*;
use std::time::Instant;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
    /// Independent `inc` tasks besides the graph
    #[arg(long, default_value_t = 0)]
    n: i64,
}

fn inc(x: i64) -> i64 {
    x + 1
}

fn add(x: i64, y: i64) -> i64 {
    x + y
}

fn sum(terms: Vec<i64>) -> i64 {
    terms.into_iter().sum()
}

fn main() -> std::process::ExitCode {
    let Arguments { flags, n } = Arguments::parse();
    flags.run("graph", |client| {
        //   inc(1)  inc(2)  inc(3)
        //       \   /    \   /
        //        add      add
        //          \      /
        //            sum
        let incs: Vec<Delayed<i64>> = (1..=3).map(|x| delayed!(client, inc(x))).collect();
        let left = delayed!(client, add(incs[0].clone(), incs[1].clone()));
        let right = delayed!(client, add(incs[1].clone(), incs[2].clone()));
        let both: List<i64> = [&left, &right].into_iter().collect();
        let total = delayed!(client, sum(both));
        let (left, right, total) = client.compute((&left, &right, &total))?;
        assert_eq!((left, right, total), (5, 7, 12));
        flags.say(format_args!("add(inc(1), inc(2)) = {left}, add(inc(2), inc(3)) = {right}, sum {total}"));

        let start = Instant::now();
        let many: Vec<Delayed<i64>> = (0..n).map(|x| delayed!(client, inc(x))).collect();
        let many = client.compute(&many)?;
        let micros = start.elapsed().as_secs_f64() * 1e6;
        assert_eq!(many.iter().sum::<i64>(), n * (n + 1) / 2);
        if n > 0 {
            flags.say(format_args!("{n} tasks, {:.2} us a task", micros / n as f64));
        }
        let results = [left, right, total].into_iter().chain(many).map(|x| x as u64);
        Ok(Report {
            tasks: 6 + n as u64,
            result: json!([left, right, total]),
            digest: Digest::of_words(results),
        })
    })
}
