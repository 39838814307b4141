//! Levels: how many tasks stand one behind the other before a task can run.

use super::Dag;

/// For each task the length of the longest chain of tasks that ends at it; sources have level 0.
pub(super) fn levels(dag: &Dag) -> Vec<u32> {
    let mut levels: Vec<u32> = Vec::with_capacity(dag.len());
    for task in 0..dag.len() {
        let level = dag
            .inputs(task)
            .iter()
            .filter_map(|&input| levels.get(input as usize))
            .map(|level| level + 1)
            .max();
        levels.push(level.unwrap_or(0));
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diamond_has_three_levels() {
        let dag: Dag = [vec![], vec![0], vec![0], vec![1, 2], vec![9]].into_iter().collect();
        assert_eq!(levels(&dag), [0, 1, 1, 2, 0]);
    }
}
