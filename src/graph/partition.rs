//! Who runs what: level by level along the dependences, a task goes where most of its inputs are, unless
//! that rank has its share of the level already.

use super::{Dag, levels::levels};

/// Chooses a rank for every task.
///
/// `ranks` are the ranks that may be chosen, the least loaded first, each with the tasks that it has more than
/// its share already: these count as tasks of every level. `home(node)` is the rank that holds the
/// existing value `node`. Tasks without inputs are dealt out in contiguous runs, so that neighbours, which
/// in a depth-first order have readers in common, stay together. Equal inputs give equal partitions.
pub(crate) fn partition(dag: &Dag, ranks: &[(u32, usize)], home: impl Fn(u32) -> u32) -> Vec<u32> {
    assert!(!ranks.is_empty(), "somebody must work");
    if let [(only, _)] = ranks {
        return vec![*only; dag.len()];
    }
    let levels = levels(dag);
    let height = levels.iter().max().map_or(0, |&top| top as usize + 1);
    let mut sizes = vec![0usize; height];
    for &level in &levels {
        sizes[level as usize] += 1;
    }
    let mut by_level: Vec<Vec<u32>> = sizes.iter().map(|&size| Vec::with_capacity(size)).collect();
    for (task, &level) in levels.iter().enumerate() {
        by_level[level as usize].push(task as u32);
    }

    let mut owners = vec![0u32; dag.len()];
    let mut share = Share::new(ranks);
    for tasks in &by_level {
        share.begin_level(tasks.len());
        for (position, &task) in tasks.iter().enumerate() {
            let inputs = dag.inputs(task as usize);
            owners[task as usize] = if inputs.is_empty() {
                share.in_run(position, tasks.len())
            } else {
                let owner = |&input: &u32| match owners.get(input as usize) {
                    Some(&owner) => owner,
                    None => home(input),
                };
                share.near(inputs.iter().map(owner))
            };
        }
    }
    owners
}

/// How much of the current level each rank has.
struct Share<'a> {
    ranks: &'a [(u32, usize)],
    /// Position in `ranks` of each rank, or none for a rank that does not work.
    positions: Vec<Option<u32>>,
    counts: Vec<usize>,
    quota: usize,
    /// All ranks before this position have their share.
    cursor: usize,
    votes: Vec<(u32, usize)>,
}

impl<'a> Share<'a> {
    fn new(ranks: &'a [(u32, usize)]) -> Self {
        let highest = ranks.iter().map(|(rank, _)| *rank as usize).max().unwrap_or(0);
        let mut positions = vec![None; highest + 1];
        for (position, &(rank, _)) in ranks.iter().enumerate() {
            positions[rank as usize] = Some(position as u32);
        }
        Share { ranks, positions, counts: vec![0; ranks.len()], quota: 0, cursor: 0, votes: Vec::new() }
    }

    fn begin_level(&mut self, size: usize) {
        let mut all = size;
        for (count, &(_, surplus)) in self.counts.iter_mut().zip(self.ranks) {
            *count = surplus;
            all += surplus;
        }
        self.cursor = 0;
        self.quota = all.div_ceil(self.ranks.len());
    }

    fn give(&mut self, position: usize) -> u32 {
        self.counts[position] += 1;
        self.ranks[position].0
    }

    fn in_run(&mut self, position: usize, size: usize) -> u32 {
        self.give(position * self.ranks.len() / size)
    }

    /// The rank with most of the inputs that has room, or the next one with room.
    fn near(&mut self, owners: impl Iterator<Item = u32>) -> u32 {
        self.votes.clear();
        for owner in owners {
            let Some(Some(position)) = self.positions.get(owner as usize).copied() else {
                continue;
            };
            match self.votes.iter_mut().find(|(voted, _)| *voted == position) {
                Some((_, votes)) => *votes += 1,
                None => self.votes.push((position, 1)),
            }
        }
        let room = |position: usize| self.counts[position] < self.quota;
        let best = self
            .votes
            .iter()
            .filter(|(position, _)| room(*position as usize))
            .max_by_key(|&&(position, votes)| {
                (votes, std::cmp::Reverse((self.counts[position as usize], position)))
            })
            .map(|&(position, _)| position as usize);
        let position = best.unwrap_or_else(|| {
            while !room(self.cursor) {
                self.cursor += 1;
            }
            self.cursor
        });
        self.give(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn no_home(_: u32) -> u32 {
        unreachable!("no existing values")
    }

    #[test]
    fn independent_tasks_are_dealt_out_in_contiguous_runs() {
        let dag: Dag = (0..7).map(|_| vec![]).collect();
        assert_eq!(partition(&dag, &[(0, 0), (1, 0), (2, 0)], no_home), [0, 0, 0, 1, 1, 2, 2]);
    }

    #[test]
    fn a_single_task_goes_to_the_least_loaded_rank() {
        let dag: Dag = [vec![]].into_iter().collect();
        assert_eq!(partition(&dag, &[(2, 0), (0, 0), (1, 0)], no_home), [2]);
    }

    #[test]
    fn a_tree_is_cut_into_subtrees() {
        let dag: Dag =
            [vec![], vec![], vec![], vec![], vec![0, 1], vec![2, 3], vec![4, 5]].into_iter().collect();
        assert_eq!(partition(&dag, &[(0, 0), (1, 0)], no_home), [0, 0, 1, 1, 0, 1, 0]);
    }

    #[test]
    fn a_stencil_is_cut_into_columns() {
        let width = 8u32;
        let mut dag = Dag::default();
        for row in 0..5 {
            for column in 0..width {
                let neighbours = column.saturating_sub(1)..=(column + 1).min(width - 1);
                dag.push(neighbours.filter(|_| row > 0).map(|near| (row - 1) * width + near));
            }
        }
        let owners = partition(&dag, &[(0, 0), (1, 0)], no_home);
        for row in owners.chunks(width as usize) {
            assert_eq!(row, [0, 0, 0, 0, 1, 1, 1, 1]);
        }
    }

    #[test]
    fn a_task_goes_to_the_value_that_it_reads() {
        let dag: Dag = [vec![1]].into_iter().collect();
        assert_eq!(partition(&dag, &[(0, 0), (1, 0), (2, 0)], |_| 2), [2]);
    }

    #[test]
    fn a_task_leaves_the_value_that_it_reads_if_its_rank_has_too_much_to_do() {
        let dag: Dag = [vec![1]].into_iter().collect();
        assert_eq!(partition(&dag, &[(0, 0), (2, 0), (1, 0)], |_| 1), [1], "its share");
        assert_eq!(partition(&dag, &[(0, 0), (2, 0), (1, 9)], |_| 1), [0], "more");
    }

    proptest! {
        #[test]
        fn no_level_is_overloaded(
            shape in prop::collection::vec(prop::collection::vec(any::<u32>(), 0..4), 1..120),
            ranks in 1u32..7,
        ) {
            let dag: Dag = shape
                .iter()
                .enumerate()
                .map(|(task, inputs)| {
                    inputs.iter().filter(move |_| task > 0).map(move |input| input % task as u32).collect::<Vec<_>>()
                })
                .collect();
            let workers: Vec<(u32, usize)> = (0..ranks).map(|rank| (rank, 0)).collect();
            let owners = partition(&dag, &workers, no_home);
            let levels = levels(&dag);
            for level in 0..=*levels.iter().max().expect("not empty") {
                let members: Vec<usize> = (0..dag.len()).filter(|&task| levels[task] == level).collect();
                let sources = members.iter().filter(|&&task| dag.inputs(task).is_empty()).count();
                let fair = members.len().div_ceil(ranks as usize);
                for rank in 0..ranks {
                    let owned = members.iter().filter(|&&task| owners[task] == rank).count();
                    prop_assert!(owned <= fair + sources, "{owned} of {} on rank {rank}", members.len());
                }
            }
            prop_assert_eq!(partition(&dag, &workers, no_home), owners);
        }
    }
}
