//! Which ranks share a node.

use std::collections::BTreeMap;

/// The nodes of a world and their ranks.
///
/// The first rank of each node speaks for it. These first ranks are a binary tree, rooted at rank 0, along
/// which data goes that is wanted once on every node.
#[derive(Debug, Clone)]
pub(crate) struct Nodes {
    /// The ranks of each node, in their order; nodes in the order of their first ranks.
    ranks: Vec<Vec<u32>>,
    /// The node of each rank.
    node_of: Vec<usize>,
}

impl Nodes {
    /// Ranks with equal keys share a node.
    pub(crate) fn new<K: Ord>(keys: impl IntoIterator<Item = K>) -> Self {
        let mut known: BTreeMap<K, usize> = BTreeMap::new();
        let mut ranks: Vec<Vec<u32>> = Vec::new();
        let mut node_of = Vec::new();
        for (rank, key) in (0..).zip(keys) {
            let node = *known.entry(key).or_insert(ranks.len());
            if node == ranks.len() {
                ranks.push(Vec::new());
            }
            ranks[node].push(rank);
            node_of.push(node);
        }
        Nodes { ranks, node_of }
    }

    /// A world of one rank.
    pub(crate) fn single() -> Self {
        Nodes::new([()])
    }

    /// The number of ranks.
    pub(crate) fn ranks(&self) -> usize {
        self.node_of.len()
    }

    /// The other ranks of the node.
    pub(crate) fn neighbours(&self, rank: u32) -> impl Iterator<Item = u32> {
        self.ranks[self.node_of[rank as usize]].iter().copied().filter(move |&other| other != rank)
    }

    /// Whether the rank speaks for its node.
    pub(crate) fn is_first(&self, rank: u32) -> bool {
        self.ranks[self.node_of[rank as usize]][0] == rank
    }

    /// The first ranks of the nodes below that of `rank` in the tree.
    pub(crate) fn below(&self, rank: u32) -> impl Iterator<Item = u32> {
        let node = self.node_of[rank as usize];
        [2 * node + 1, 2 * node + 2].into_iter().filter_map(|child| Some(self.ranks.get(child)?[0]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_is_reached_once_through_its_first_rank() {
        for count in 1..40u32 {
            let nodes = Nodes::new((0..count).map(|rank| rank * 7 % 11));
            let mut reached = vec![0u32];
            let mut next = 0;
            while next < reached.len() {
                reached.extend(nodes.below(reached[next]));
                next += 1;
            }
            let all: Vec<u32> = reached
                .iter()
                .flat_map(|&first| std::iter::once(first).chain(nodes.neighbours(first)))
                .collect();
            let mut sorted = all.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..count).collect::<Vec<_>>());
            assert!(reached.iter().all(|&rank| nodes.is_first(rank)));
            assert_eq!((0..count).filter(|&rank| nodes.is_first(rank)).count(), reached.len());
        }
    }
}
