//! The eight-line program.

use serried::prelude::*;

fn main() -> serried::Result<()> {
    serried::run(|client| {
        let greetings = client.map(|i| format!("hello from task {i}"), 0..4);
        println!("{:?}", greetings.compute()?);
        Ok(())
    })
}
