//! Task Bench (Slaughter, Wu, Fu, Brandenburg, Garcia, Kautz, Marx, Morris, Cao, Bosilca, Mirchandaney, Lee, Treichler,
//! McCormick & Aiken, "Task Bench: a parameterized benchmark for evaluating parallel runtime performance", SC'20) as a
//! client of serried: how small may tasks be until half of the time is lost?
//!
//! Flags and report are those of Task Bench, in its single-dash style; flags with two dashes are those of the other
//! examples. `scripts/metg` makes a sweep of runs into the figure of merit, and `benches/task_bench_mpi.rs` is the
//! same in plain MPI, for comparison.
//!
//! ```sh
//! cargo build --release --example task_bench
//! mpirun -n 2 target/release/examples/task_bench -steps 1000 -width 8 -type stencil_1d -kernel compute_bound -iter 1000
//! ```
//!
//! `Elapsed Time` begins before the graph is built and ends when rank 0 knows that all tasks are done; `Build Time`
//! is the part in which rank 0 makes the handles. `Replay Time` is that of running the same graph again.

#[path = "../cli/mod.rs"]
mod cli;
mod execute;
mod flags;
mod graph;
mod kernel;
mod output;
mod pattern;
mod relation;
mod replay;
mod report;
mod tally;
mod tasks;
mod uniform;

use clap::Parser;
use cli::{Digest, Flags, Report};
use flags::{CommandLine, Refusal, USAGE};
use relation::Relation;
use report::{Scientific, Totals, configuration, median};
use serde_json::json;
use serried::{Error, prelude::*};
use std::{process::ExitCode, time::Instant};
use tally::Tally;

/// The flags with two dashes.
#[derive(Parser)]
#[command(name = "task_bench")]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
    /// Runs of the graph after the first; their median is the replay time
    #[arg(long, default_value_t = 1)]
    runs: usize,
}

fn main() -> ExitCode {
    let line = match CommandLine::parse(std::env::args().skip(1)) {
        Ok(line) => line,
        Err(Refusal::Help) => {
            print!(
                "{USAGE}\nFlags of serried:\n{}",
                <Arguments as clap::CommandFactory>::command().render_help()
            );
            return ExitCode::SUCCESS;
        }
        Err(Refusal::Mistake(problem)) => {
            eprintln!("error: {problem}\n\ntask_bench -h tells the flags");
            return ExitCode::from(2);
        }
    };
    let words = ["task_bench".to_owned()].into_iter().chain(line.rest.iter().cloned());
    let Arguments { flags, runs } = Arguments::parse_from(words);
    flags.run("task_bench", |client| bench(client, &line, &flags, runs))
}

fn bench(client: &Client, line: &CommandLine, flags: &Flags, runs: usize) -> serried::Result<Report> {
    let graphs = &line.graphs;
    let relations: Vec<Relation> = graphs.iter().map(Relation::of).collect();
    for (graph, relation) in graphs.iter().zip(&relations).filter(|_| line.check) {
        relation.check(graph).map_err(Error::Usage)?;
    }
    flags.say(configuration(line, &relations).trim_end());
    let context = tasks::prepare(client, graphs)?;

    let start = Instant::now();
    let targets = tasks::build(client, &context, graphs, &relations);
    let build = start.elapsed().as_secs_f64();
    let tallies = client.compute(&targets)?;
    let elapsed = start.elapsed().as_secs_f64();

    let met: Tally = tallies.into_iter().sum();
    let expected: Tally = graphs.iter().map(Tally::of_all).sum();
    if met != expected {
        return Err(Error::Usage(format!("not every task has run once: {met:?}, not {expected:?}")));
    }
    let again = replay::replay(client, &targets, runs)?;
    let totals = Totals::of(line, &relations);
    flags.say(totals.report(elapsed).trim_end());
    flags.say(format_args!("Build Time {} seconds", Scientific(build)));
    if !again.is_empty() {
        flags.say(format_args!("Replay Time {} seconds", Scientific(median(&again))));
    }
    Ok(Report {
        tasks: totals.tasks,
        result: json!({"dependences": totals.dependences, "checksum": met.checksum}),
        digest: Digest::of_words([met.tasks, met.checksum]),
    })
}
