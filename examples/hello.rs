//! The program of the README: which rank and thread ran what.
//!
//! ```sh
//! cargo run --example hello
//! mpirun -n 2 target/debug/examples/hello
//! ```

mod cli;

use clap::Parser;
use cli::{Digest, Flags, Report};
use serde_json::json;

fn main() -> std::process::ExitCode {
    let flags = Flags::parse();
    flags.run("hello", |client| {
        let squares = client.map(
            |i| {
                let here = serried::whereabouts().expect("this is a task");
                (i * i, here.to_string())
            },
            0..8u64,
        );
        let mut all = Vec::new();
        for (i, (square, here)) in squares.compute()?.into_iter().enumerate() {
            flags.say(format_args!("{i} squared is {square}, says {here}"));
            all.push(square);
        }
        assert_eq!(all, [0, 1, 4, 9, 16, 25, 36, 49]);
        Ok(Report { tasks: 8, result: json!(all), digest: Digest::of_words(all) })
    })
}
