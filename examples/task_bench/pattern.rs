//! The dependence patterns of Task Bench (Slaughter et al., SC'20): which tasks of the row before a task reads, and
//! which tasks of the next row read it.
//!
//! Several sets of dependences may take turns from row to row. Lists are those of a row of full width; of them
//! only tasks that exist count.

use super::{graph::TaskGraph, uniform::uniform};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Pattern {
    Trivial,
    NoComm,
    Stencil,
    PeriodicStencil,
    Dom,
    Tree,
    Fft,
    AllToAll,
    Nearest,
    Spread,
    RandomNearest,
}

impl Pattern {
    /// All patterns, by the names of the command line.
    pub(crate) const ALL: [(&str, Pattern); 11] = [
        ("trivial", Pattern::Trivial),
        ("no_comm", Pattern::NoComm),
        ("stencil_1d", Pattern::Stencil),
        ("stencil_1d_periodic", Pattern::PeriodicStencil),
        ("dom", Pattern::Dom),
        ("tree", Pattern::Tree),
        ("fft", Pattern::Fft),
        ("all_to_all", Pattern::AllToAll),
        ("nearest", Pattern::Nearest),
        ("spread", Pattern::Spread),
        ("random_nearest", Pattern::RandomNearest),
    ];

    /// Whether the number of sets is a parameter.
    pub(crate) fn has_period(self) -> bool {
        matches!(self, Pattern::Spread | Pattern::RandomNearest)
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = Pattern::ALL.iter().find(|(_, pattern)| pattern == self).map_or("", |(name, _)| name);
        f.pad(name)
    }
}

impl TaskGraph {
    /// How many sets of dependences there are.
    #[inline]
    pub(crate) fn sets(&self) -> u32 {
        match self.pattern {
            Pattern::Fft => self.width.next_power_of_two().trailing_zeros().max(1),
            Pattern::Spread | Pattern::RandomNearest => self.period.max(1),
            _ => 1,
        }
    }

    /// The set by which row `t` reads the row before.
    #[inline]
    pub(crate) fn set(&self, t: u32) -> u32 {
        match self.pattern {
            Pattern::Fft => (t + self.sets() - 1) % self.sets(),
            Pattern::Spread | Pattern::RandomNearest => t % self.sets(),
            _ => 0,
        }
    }

    /// The columns that column `i` reads, in the order of the task's inputs.
    pub(crate) fn dependences(&self, set: u32, i: u32) -> Vec<u32> {
        let (column, radix) = (i64::from(i), i64::from(self.radix));
        match self.pattern {
            Pattern::Dom => self.within(column - 1..=column),
            Pattern::Tree => vec![i / 2],
            Pattern::Nearest => self.window(column, radix / 2, (radix - 1).div_euclid(2)),
            Pattern::Spread => self.spread(set, |distance| column + distance),
            Pattern::RandomNearest => {
                let mut list = self.window(column, radix / 2, (radix - 1).div_euclid(2));
                list.retain(|&j| self.is_drawn(set, j, i));
                list
            }
            _ => self.symmetric(set, i),
        }
    }

    /// The columns that read column `j`.
    pub(crate) fn readers(&self, set: u32, j: u32) -> Vec<u32> {
        let (column, radix) = (i64::from(j), i64::from(self.radix));
        match self.pattern {
            Pattern::Dom => self.within(column..=column + 1),
            Pattern::Tree => self.within(2 * column..=2 * column + 1),
            Pattern::Nearest => self.window(column, (radix - 1).div_euclid(2), radix / 2),
            Pattern::Spread => self.spread(set, |distance| column - distance),
            Pattern::RandomNearest => {
                let mut list = self.window(column, (radix - 1).div_euclid(2), radix / 2);
                list.retain(|&i| self.is_drawn(set, j, i));
                list
            }
            _ => self.symmetric(set, j),
        }
    }

    /// The patterns in which a column is read by the columns that it reads.
    fn symmetric(&self, set: u32, i: u32) -> Vec<u32> {
        let column = i64::from(i);
        match self.pattern {
            Pattern::Trivial => Vec::new(),
            Pattern::NoComm => vec![i],
            Pattern::Stencil => self.within(column - 1..=column + 1),
            Pattern::PeriodicStencil => {
                let mut list = self.within(column - 1..=column + 1);
                list.extend((i == 0).then_some(self.width - 1));
                list.extend((i == self.width - 1).then_some(0));
                list
            }
            // Both neighbours at a distance, where a butterfly has one of them.
            Pattern::Fft => {
                let distance = 1i64 << set;
                let columns = [column - distance, column, column + distance];
                columns.into_iter().flat_map(|j| self.within(j..=j)).collect()
            }
            Pattern::AllToAll => (0..self.width).collect(),
            _ => unreachable!("{} is not symmetric", self.pattern),
        }
    }

    /// As many neighbours to the left and to the right; none with a radix of 0.
    fn window(&self, column: i64, left: i64, right: i64) -> Vec<u32> {
        if self.radix == 0 { Vec::new() } else { self.within(column - left..=column + right) }
    }

    /// Single columns, as far from each other as the width allows; all but the first move on by one with each set.
    fn spread(&self, set: u32, at: impl Fn(i64) -> i64) -> Vec<u32> {
        let (width, radix, set) = (i64::from(self.width), i64::from(self.radix), i64::from(set));
        let distance = |k: i64| k * width / radix + if k > 0 { set } else { 0 };
        (0..radix).map(|k| at(distance(k)).rem_euclid(width) as u32).collect()
    }

    /// Whether chance has column `i` read its neighbour `j`. A column always reads itself.
    fn is_drawn(&self, set: u32, j: u32, i: u32) -> bool {
        let words = [self.number, self.radix, set, j, i].map(i64::from);
        i == j || uniform(&words) < self.fraction
    }

    fn within(&self, columns: RangeInclusive<i64>) -> Vec<u32> {
        let last = i64::from(self.width) - 1;
        (*columns.start().max(&0)..=*columns.end().min(&last)).map(|column| column as u32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(pattern: Pattern, width: u32, change: impl Fn(&mut TaskGraph)) -> Vec<Vec<Vec<u32>>> {
        let mut graph = TaskGraph::of(pattern, 4, width);
        change(&mut graph);
        (0..graph.sets()).map(|set| (0..width).map(|i| graph.dependences(set, i)).collect()).collect()
    }

    fn one_set(pattern: Pattern, width: u32) -> Vec<Vec<u32>> {
        let sets = lists(pattern, width, |_| ());
        assert_eq!(sets.len(), 1);
        sets[0].clone()
    }

    #[test]
    fn patterns_without_parameters() {
        let nobody: Vec<u32> = vec![];
        assert_eq!(one_set(Pattern::Trivial, 2), [nobody.clone(), nobody]);
        assert_eq!(one_set(Pattern::NoComm, 2), [[0], [1]]);
        assert_eq!(one_set(Pattern::Stencil, 4), [vec![0, 1], vec![0, 1, 2], vec![1, 2, 3], vec![2, 3]]);
        assert_eq!(one_set(Pattern::Stencil, 1), [[0]]);
        assert_eq!(one_set(Pattern::PeriodicStencil, 3), [[0, 1, 2], [0, 1, 2], [1, 2, 0]]);
        assert_eq!(one_set(Pattern::Dom, 3), [vec![0], vec![0, 1], vec![1, 2]]);
        assert_eq!(one_set(Pattern::Tree, 4), [[0], [0], [1], [1]]);
        assert_eq!(one_set(Pattern::AllToAll, 2), [[0, 1], [0, 1]]);
    }

    #[test]
    fn a_transform_doubles_its_distance() {
        let sets = lists(Pattern::Fft, 5, |_| ());
        assert_eq!(sets.len(), 3);
        assert_eq!(sets[0], [vec![0, 1], vec![0, 1, 2], vec![1, 2, 3], vec![2, 3, 4], vec![3, 4]]);
        assert_eq!(sets[1], [vec![0, 2], vec![1, 3], vec![0, 2, 4], vec![1, 3], vec![2, 4]]);
        assert_eq!(sets[2], [vec![0, 4], vec![1], vec![2], vec![3], vec![0, 4]]);
        let graph = TaskGraph::of(Pattern::Fft, 9, 5);
        assert_eq!((1..6).map(|t| graph.set(t)).collect::<Vec<_>>(), [0, 1, 2, 0, 1]);
        assert_eq!(TaskGraph::of(Pattern::Fft, 9, 8).sets(), 3);
    }

    #[test]
    fn the_radix_counts_neighbours() {
        let nearest = |radix| lists(Pattern::Nearest, 6, |graph| graph.radix = radix)[0][3].clone();
        assert_eq!(nearest(0), [0u32; 0]);
        assert_eq!(nearest(1), [3]);
        assert_eq!(nearest(2), [2, 3]);
        assert_eq!(nearest(3), [2, 3, 4]);
        assert_eq!(nearest(4), [1, 2, 3, 4]);
        assert_eq!(nearest(5), [1, 2, 3, 4, 5]);
        assert_eq!(nearest(9), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn spread_columns_wrap_around() {
        let sets = lists(Pattern::Spread, 8, |graph| (graph.radix, graph.period) = (2, 2));
        assert_eq!(sets[0][6], [6, 2]);
        assert_eq!(sets[1][6], [6, 3]);
    }

    #[test]
    fn chance_takes_its_share_of_the_window() {
        let count = |fraction| {
            let change = |graph: &mut TaskGraph| (graph.radix, graph.fraction) = (9, fraction);
            let sets = lists(Pattern::RandomNearest, 100, change);
            sets.iter().flatten().map(Vec::len).sum::<usize>()
        };
        let all = 3 * (100 * 9 - 2 * (1 + 2 + 3 + 4));
        assert_eq!(count(0.0), 300);
        assert_eq!(count(1.0), all);
        let half = 300 + (all - 300) / 2;
        assert!(count(0.5).abs_diff(half) < half / 10, "{}", count(0.5));
    }
}
