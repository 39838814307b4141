//! The parts of the example `task_bench`, whose tests stand beside them: cargo does not run the tests of an example.

// The tests use more or less of each part than the example does.
#![allow(dead_code)]

#[path = "../examples/task_bench/execute.rs"]
mod execute;
#[path = "../examples/task_bench/flags.rs"]
mod flags;
#[path = "../examples/task_bench/graph.rs"]
mod graph;
#[path = "../examples/task_bench/kernel/mod.rs"]
mod kernel;
#[path = "../examples/task_bench/output.rs"]
mod output;
#[path = "../examples/task_bench/pattern.rs"]
mod pattern;
#[path = "../examples/task_bench/relation.rs"]
mod relation;
#[path = "../examples/task_bench/report.rs"]
mod report;
#[path = "../examples/task_bench/tally.rs"]
mod tally;
#[path = "../examples/task_bench/uniform.rs"]
mod uniform;
