//! One task graph: its parameters, and which tasks there are.

use super::{kernel::Kernel, pattern::Pattern};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// A grid of `steps` rows of at most `width` tasks; a task reads outputs of the row before its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TaskGraph {
    /// Which of the graphs of the command line this is.
    pub(crate) number: u32,
    pub(crate) steps: u32,
    pub(crate) width: u32,
    pub(crate) pattern: Pattern,
    /// How many tasks a task reads, in the patterns that leave it open.
    pub(crate) radix: u32,
    /// How many sets of dependences take turns, in the patterns that leave it open; 0 in the others.
    pub(crate) period: u32,
    /// How likely a dependence is, in the random pattern.
    pub(crate) fraction: f64,
    pub(crate) kernel: Kernel,
    /// Bytes of a task's output, and so of each dependence.
    pub(crate) output: usize,
    /// Bytes of memory that belong to a column.
    pub(crate) scratch: usize,
}

impl TaskGraph {
    /// The tasks of row `t`.
    #[inline]
    pub(crate) fn row(&self, t: u32) -> Range<u32> {
        match self.pattern {
            // A wave front: it grows from one corner, moves on, and shrinks into the opposite one.
            Pattern::Dom => {
                let first = (t + self.width).saturating_sub(self.steps);
                first..first + self.width.min(t + 1).min(self.steps - t)
            }
            Pattern::Tree => 0..1u32.checked_shl(t).map_or(self.width, |leaves| leaves.min(self.width)),
            _ => 0..self.width,
        }
    }

    /// The tasks that row `t` may read: those of the row before, none for the first row.
    #[inline]
    pub(crate) fn row_before(&self, t: u32) -> Range<u32> {
        if t == 0 { 0..0 } else { self.row(t - 1) }
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = (u32, Range<u32>)> + '_ {
        (0..self.steps).map(|t| (t, self.row(t)))
    }

    pub(crate) fn tasks(&self) -> u64 {
        self.rows().map(|(_, row)| row.len() as u64).sum()
    }

    pub(crate) fn flops(&self) -> u64 {
        let of_row = |(t, row): (u32, Range<u32>)| match self.kernel.is_balanced() {
            true => row.len() as u64 * self.kernel.flops(self.number, t, 0),
            false => row.map(|i| self.kernel.flops(self.number, t, i)).sum(),
        };
        self.rows().map(of_row).sum()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.tasks() * self.kernel.bytes(self.scratch)
    }
}

#[cfg(test)]
impl TaskGraph {
    /// A small graph with the default parameters of its pattern.
    pub(crate) fn of(pattern: Pattern, steps: u32, width: u32) -> Self {
        TaskGraph {
            number: 0,
            steps,
            width,
            pattern,
            radix: 3,
            period: if pattern.has_period() { 3 } else { 0 },
            fraction: 0.25,
            kernel: Kernel::default(),
            output: 16,
            scratch: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(pattern: Pattern, steps: u32, width: u32) -> Vec<Range<u32>> {
        TaskGraph::of(pattern, steps, width).rows().map(|(_, row)| row).collect()
    }

    #[test]
    fn a_sweep_is_a_trapezium() {
        assert_eq!(rows(Pattern::Dom, 5, 3), [0..1, 0..2, 0..3, 1..3, 2..3]);
        assert_eq!(rows(Pattern::Dom, 4, 1), [0..1, 0..1, 0..1, 0..1]);
        assert_eq!(rows(Pattern::Dom, 2, 4), [2..3, 3..4]);
    }

    #[test]
    fn a_tree_grows_to_its_width() {
        assert_eq!(rows(Pattern::Tree, 5, 6), [0..1, 0..2, 0..4, 0..6, 0..6]);
        assert_eq!(TaskGraph::of(Pattern::Tree, 100, 7).row(99), 0..7);
    }

    #[test]
    fn others_are_rectangles() {
        assert_eq!(rows(Pattern::Fft, 2, 6), [0..6, 0..6]);
        assert_eq!(TaskGraph::of(Pattern::Fft, 2, 6).tasks(), 12);
        assert!(TaskGraph::of(Pattern::Fft, 2, 6).row_before(0).is_empty());
    }
}
