//! How many tasks have run, and which: a count and a checksum that no skipped or repeated task leaves as they were.

use super::graph::TaskGraph;
use serde::{Deserialize, Serialize};
use std::ops::AddAssign;

/// The tasks that have been met, each once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) tasks: u64,
    /// The sum of a hash of each task.
    pub(crate) checksum: u64,
}

impl Tally {
    /// The tally of one task.
    #[inline]
    pub(crate) fn of(graph: u32, t: u32, i: u32) -> Self {
        // The finaliser of splitmix64 (Steele, Lea & Flood 2014), and one multiplication before it.
        let mut hash =
            (u64::from(t) << 32 | u64::from(i)) ^ u64::from(graph).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Tally { tasks: 1, checksum: hash ^ (hash >> 31) }
    }

    /// The tally of all tasks of a graph.
    pub(crate) fn of_all(graph: &TaskGraph) -> Self {
        let tasks = graph.rows().flat_map(|(t, row)| row.map(move |i| Tally::of(graph.number, t, i)));
        tasks.sum()
    }
}

impl AddAssign for Tally {
    #[inline]
    fn add_assign(&mut self, other: Tally) {
        self.tasks += other.tasks;
        self.checksum = self.checksum.wrapping_add(other.checksum);
    }
}

impl std::iter::Sum for Tally {
    fn sum<I: Iterator<Item = Tally>>(tallies: I) -> Self {
        tallies.fold(Tally::default(), |mut sum, tally| {
            sum += tally;
            sum
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::pattern::Pattern;
    use super::*;

    #[test]
    fn a_task_in_place_of_another_is_noticed() {
        let graph = TaskGraph::of(Pattern::Stencil, 30, 30);
        let all = Tally::of_all(&graph);
        assert_eq!(all.tasks, 900);
        let mut checksums: Vec<u64> =
            graph.rows().flat_map(|(t, row)| row.map(move |i| Tally::of(0, t, i).checksum)).collect();
        checksums.sort_unstable();
        checksums.dedup();
        assert_eq!(checksums.len(), 900);
        assert_ne!(Tally::of(0, 1, 2), Tally::of(1, 1, 2));
    }
}
