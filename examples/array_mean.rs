//! Means or standard deviations along an axis of a large array of normal numbers that is never in memory as a
//! whole: section 6.1 of the Dask tutorials.
//!
//! The array is the same for every chunk shape; with more chunks along the axis only the order of additions
//! changes.

mod cli;

use clap::{Parser, ValueEnum};
use cli::{Digest, Flags, Report};
use serde_json::json;
use serried::array::{Array, Chunks};

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
    /// Rows of the array
    #[arg(long, default_value_t = 5000)]
    rows: usize,
    /// Columns of the array
    #[arg(long, default_value_t = 5000)]
    cols: usize,
    /// Rows and columns of a chunk, as 5000,5000 [default: about 16 MiB]
    #[arg(long, value_delimiter = ',')]
    chunk: Option<Vec<usize>>,
    /// What is computed along the axis
    #[arg(long, value_enum, default_value_t = Operation::Mean)]
    op: Operation,
    /// Means of sums that are exact, and so the same to the last bit for every chunk shape
    #[arg(long)]
    exact: bool,
    /// The axis that goes away
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..2))]
    axis: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
enum Operation {
    Mean,
    Std,
}

fn main() -> std::process::ExitCode {
    let Arguments { flags, rows, cols, chunk, op, exact, axis } = Arguments::parse();
    flags.run("array_mean", |client| {
        let chunks = chunk.map_or(Chunks::Auto, Chunks::Shape);
        let x = Array::normal(client, 0.0, 1.0, [rows, cols], chunks);
        flags.say(&x);
        let axis = usize::from(axis);
        let result = match op {
            Operation::Mean if exact => x.exact_mean_axis(axis),
            Operation::Mean => x.mean_axis(axis),
            Operation::Std => x.std_axis(axis),
        };
        let values: Vec<f64> = result.compute()?.into_iter().collect();

        let along = [rows, cols][axis] as f64;
        let expected = if op == Operation::Mean { 0.0 } else { 1.0 };
        assert_eq!(values.len(), [cols, rows][axis]);
        // Eight standard errors; NaN is never so near.
        let near = |value: f64| (value - expected).abs() <= 8.0 / along.sqrt();
        let far = values.iter().find(|&&value| !near(value));
        assert!(far.is_none(), "{far:?} cannot be by chance");
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        flags.say(format_args!(
            "{count} values, mean {mean:+.9}, variance times length {:.6}",
            variance * along
        ));
        Ok(Report {
            tasks: (rows * cols) as u64,
            digest: Digest::of_numbers(values.iter().copied()),
            result: json!({ "mean": mean, "var_x_cols": variance * along, "len": values.len() }),
        })
    })
}
