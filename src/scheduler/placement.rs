//! Which rank runs which task: a policy, and what it knows of the load.

use crate::config::{Heuristic, Without};
use crate::graph::{Dag, partition};
use std::{fmt::Debug, sync::Arc};

/// A graph whose tasks want a rank each.
#[derive(Debug)]
pub(crate) struct Placing<'a> {
    pub(crate) dag: &'a Dag,
    /// The ranks that compute.
    pub(crate) ranks: &'a [u32],
    pub(crate) loads: &'a Loads,
    /// For each value that exists already, in the order of their numbers behind the tasks: its rank, unless no rank is
    /// to be preferred because of it. A rank that does not exist prefers none.
    pub(crate) homes: &'a [u32],
}

/// A value is everywhere, or goes where it is read.
pub(crate) const NOWHERE: u32 = u32::MAX;

/// Chooses a rank for every task. Equal graphs and loads have equal placements.
pub(crate) trait Placement: Debug + Send + Sync {
    fn place(&self, graph: &Placing<'_>) -> Vec<u32>;
}

/// A task goes to the rank with most of its inputs, unless that rank has its share of work; see [`partition`].
#[derive(Debug)]
struct ByInputs;

impl Placement for ByInputs {
    fn place(&self, graph: &Placing<'_>) -> Vec<u32> {
        let first = graph.dag.len() as u32;
        partition(graph.dag, &graph.loads.of(graph.ranks), |node| graph.homes[(node - first) as usize])
    }
}

/// Task after task, rank after rank, whatever they read.
#[derive(Debug)]
struct InTurn;

impl Placement for InTurn {
    fn place(&self, graph: &Placing<'_>) -> Vec<u32> {
        graph.ranks.iter().copied().cycle().take(graph.dag.len()).collect()
    }
}

/// The policy of a run.
pub(crate) fn placement(without: Without) -> Arc<dyn Placement> {
    match without.has(Heuristic::Placement) {
        true => Arc::new(InTurn),
        false => Arc::new(ByInputs),
    }
}

/// Values that each rank is to make and has not made.
#[derive(Debug, Default)]
pub(crate) struct Loads(Vec<u32>);

impl Loads {
    /// A rank is to make one more.
    pub(crate) fn add(&mut self, rank: u32) {
        if self.0.len() <= rank as usize {
            self.0.resize(rank as usize + 1, 0);
        }
        self.0[rank as usize] += 1;
    }

    /// A rank has made some.
    pub(crate) fn remove(&mut self, rank: u32, count: u32) {
        self.0[rank as usize] -= count;
    }

    /// The ranks, those first from which the least is expected, each with what is expected of it beyond that
    /// and a little more, which is worth less than moving a task away from the values that it reads.
    fn of(&self, ranks: &[u32]) -> Vec<(u32, usize)> {
        const LITTLE: usize = 4;
        let load = |rank: u32| self.0.get(rank as usize).copied().unwrap_or(0) as usize;
        let mut ranks: Vec<(u32, usize)> = ranks.iter().map(|&rank| (rank, load(rank))).collect();
        ranks.sort_by_key(|(_, load)| *load);
        let least = ranks.first().map_or(0, |(_, load)| *load);
        ranks.iter_mut().for_each(|(_, load)| *load = load.saturating_sub(least + LITTLE));
        ranks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(policy: &dyn Placement, loads: &Loads) -> Vec<u32> {
        let mut dag = Dag::with_capacity(4, 1);
        for _ in 0..4 {
            dag.push([4]);
        }
        policy.place(&Placing { dag: &dag, ranks: &[1, 2], loads, homes: &[2] })
    }

    #[test]
    fn tasks_go_to_what_they_read_until_its_rank_has_its_share() {
        assert_eq!(placed(&ByInputs, &Loads::default()), [2, 2, 1, 1]);
        assert_eq!(placed(&InTurn, &Loads::default()), [1, 2, 1, 2]);
    }

    #[test]
    fn a_rank_that_has_much_to_do_gets_less() {
        let mut loads = Loads::default();
        (0..20).for_each(|_| loads.add(2));
        assert_eq!(loads.of(&[1, 2]), [(1, 0), (2, 16)]);
        assert_eq!(placed(&ByInputs, &loads), [1, 1, 1, 1]);
        loads.remove(2, 17);
        // A little more is no reason to move.
        assert_eq!(loads.of(&[1, 2]), [(1, 0), (2, 0)]);
    }
}
