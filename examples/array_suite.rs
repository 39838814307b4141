//! One operation on an n x n array of reproducible numbers: what users of chunked arrays do every day.
//!
//! The array is computed first and kept on the ranks; what is timed is the operation, unless `--lazy` asks for
//! both as one computation.

mod cli;

use clap::{Parser, ValueEnum};
use cli::{Digest, Flags, Report};
use serde_json::json;
use serried::Client;
use serried::array::{Array, every};
use serried::span;
use std::time::Instant;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
    #[arg(long, value_enum, default_value_t = Operation::AddT)]
    op: Operation,
    /// Rows and columns of the array
    #[arg(long, default_value_t = 2000)]
    n: usize,
    /// Rows and columns of a chunk
    #[arg(long, default_value_t = 500)]
    chunk: usize,
    /// Time the making of the array as well
    #[arg(long)]
    lazy: bool,
    /// How often the operation is done; the shortest time counts
    #[arg(long, default_value_t = 1)]
    reps: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
enum Operation {
    /// x + its transpose, summed up
    #[value(name = "addT")]
    AddT,
    /// The standard deviation of each column, summed up
    Std,
    /// The sum of squares
    Sumsq,
    /// The sum of every third row, and of every seventh column between two borders
    Slice,
    /// Rows to columns: the sum of every 17th column of the transpose in new chunks
    Rechunk,
    /// The sum of the product of the array with itself
    Matmul,
    /// QR of an n x 32 array: the sum of the squares of both factors
    Qr,
    /// The making of the array alone, summed up
    Create,
}

/// A mixture of the bits of both indices, as a number in [0, 1).
fn number(index: &[usize]) -> f64 {
    let (i, j) = (index[0] as u32, index[1] as u32);
    let mut v = i
        .wrapping_mul(1_103_515_245)
        .wrapping_add(j.wrapping_mul(12_345))
        .wrapping_add((i ^ j).wrapping_mul(2_654_435_761));
    v ^= v >> 15;
    v = v.wrapping_mul(2_246_822_519);
    v ^= v >> 13;
    f64::from(v) / 4_294_967_296.0
}

fn main() -> std::process::ExitCode {
    let Arguments { flags, op, n, chunk, lazy, reps } = Arguments::parse();
    flags.run("array_suite", |client| {
        let columns = if op == Operation::Qr { 32 } else { n };
        let make = || Array::from_fn(client, number, [n, columns], [chunk, chunk.min(columns)]);
        let mut x = make();
        flags.say(&x);
        if !lazy && op != Operation::Create {
            x = x.persist()?;
        }
        let (mut seconds, mut result) = (f64::INFINITY, 0.0);
        for _ in 0..reps.max(1) {
            let start = Instant::now();
            result = operate(client, op, &x, n)?;
            seconds = seconds.min(start.elapsed().as_secs_f64());
        }
        check(op, n, result);
        let speed = (n * columns * 8) as f64 / seconds / 1e9;
        flags.say(format_args!("{op:?}: {result} in {seconds:.4} s, {speed:.2} GB of the array a second"));
        Ok(Report {
            tasks: (n * columns) as u64,
            digest: Digest::of_numbers([result]),
            result: json!({ "checksum": result }),
        })
    })
}

fn operate(client: &Client, op: Operation, x: &Array<f64>, n: usize) -> serried::Result<f64> {
    match op {
        Operation::AddT => (x + x.t()).sum().compute(),
        Operation::Std => x.std_axis(0).sum().compute(),
        Operation::Sumsq => x.square().sum().compute(),
        Operation::Slice => x.slice(span![every(3, ..), every(7, 100..-100)]).sum().compute(),
        Operation::Rechunk => {
            let strips = [n.div_ceil(20), n];
            let turned = x.rechunk(strips).t().rechunk(strips);
            turned.slice(span![.., every(17, ..)]).sum().compute()
        }
        Operation::Matmul => x.matmul(x).sum().compute(),
        Operation::Qr => {
            let (q, r) = x.qr();
            let (q, r) = client.compute((&q.square().sum(), &r.square().sum()))?;
            Ok(q + r)
        }
        Operation::Create => x.sum().compute(),
    }
}

/// The numbers are as good as uniform, so every sum is known to some digits.
fn check(op: Operation, n: usize, result: f64) {
    let n = n as f64;
    let expected = match op {
        Operation::AddT => n * n,
        Operation::Std => n / 12f64.sqrt(),
        Operation::Sumsq => n * n / 3.0,
        Operation::Slice => (n / 3.0).ceil() * ((n - 200.0).max(0.0) / 7.0).ceil() / 2.0,
        Operation::Rechunk => n * (n / 17.0).ceil() / 2.0,
        Operation::Matmul => n * n * n / 4.0,
        Operation::Qr => 32.0 + n * 32.0 / 3.0,
        Operation::Create => n * n / 2.0,
    };
    assert!(n < 500.0 || (result / expected - 1.0).abs() < 0.02, "{op:?}: {result} and not about {expected}");
}
