//! Running the same graph again.

use super::tally::Tally;
use serried::prelude::*;
use std::time::Instant;

/// Leaves the graph on the ranks and runs it `runs` more times; the seconds that each took.
pub(crate) fn replay(client: &Client, targets: &[Delayed<Tally>], runs: usize) -> serried::Result<Vec<f64>> {
    let graph = client.prepare((), targets)?;
    let once = || {
        let start = Instant::now();
        graph.run(())?;
        Ok(start.elapsed().as_secs_f64())
    };
    (0..runs).map(|_| once()).collect()
}
