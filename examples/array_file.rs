//! An array larger than one would gather: every rank writes its part of one .npy file, and reads it again.
//!
//! The file has the same bytes for every scheduler, number of ranks and chunk shape. `--fail` lets the task of
//! one chunk fail: whatever was at the path before is still there then.

mod cli;

use clap::Parser;
use cli::{Digest, Flags, Report};
use serde_json::json;
use serried::array::{Array, Chunks};
use std::path::PathBuf;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
    /// The file to write
    #[arg(long, default_value = "array_file.npy")]
    path: PathBuf,
    /// Rows of the array
    #[arg(long, default_value_t = 4000)]
    rows: usize,
    /// Columns of the array
    #[arg(long, default_value_t = 1000)]
    cols: usize,
    /// Rows and columns of a chunk, as 500,1000 [default: about 16 MiB]
    #[arg(long, value_delimiter = ',')]
    chunk: Option<Vec<usize>>,
    /// Let one task fail
    #[arg(long)]
    fail: bool,
}

fn main() -> std::process::ExitCode {
    let Arguments { flags, path, rows, cols, chunk, fail } = Arguments::parse();
    flags.run("array_file", |client| {
        let chunks = chunk.map_or(Chunks::Auto, Chunks::Shape);
        let x = Array::normal(client, 0.0, 1.0, [rows, cols], chunks);
        if fail {
            let last = Array::indices(client, 0, [rows, cols], Chunks::Auto).equal((rows - 1) as i64);
            let x =
                x.zip_map(&last, |x, last| if last { panic!("the last row is not to be had") } else { x });
            x.write_npy(&path)?;
        }
        x.write_npy(&path)?;

        let y = Array::<f64>::from_npy(client, &path, Chunks::Auto)?;
        flags.say(&y);
        let (differ, sum) = client.compute((&x.not_equal(&y).count_true(), &y.sum()))?;
        assert_eq!(differ, 0, "elements are not what was written");
        let bytes = std::fs::read(&path).map_err(|error| serried::Error::Usage(error.to_string()))?;
        let chunks = x.chunks().iter().map(Vec::len).product::<usize>();
        Ok(Report {
            tasks: chunks as u64,
            digest: Digest::of_bytes(bytes.iter().copied()),
            result: json!({ "bytes": bytes.len(), "sum": sum }),
        })
    })
}
