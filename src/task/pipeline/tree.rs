//! The reduction tree: its shape follows from the number of leaves alone.
//!
//! Leaf `i` of a level and leaf `i + 1` are merged if `i` is even; the last of an odd number moves up as it
//! is. A partial result is a set of nodes of this tree, so whoever reduces whatever part of the leaves, in
//! whatever order, makes the same merges, and the same bits.

use crate::wire::Value;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The nodes of the tree that are known, highest ones only. A node without a value stands for leaves that
/// have no elements.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound(serialize = "T: Serialize", deserialize = "T: serde::de::DeserializeOwned"))]
pub(super) struct Tree<T> {
    leaves: u64,
    nodes: BTreeMap<(u8, u64), Option<T>>,
    /// The nodes of the leaves pushed last, each left of the next, as long as they come in order: they need
    /// no look-up.
    run: Vec<Node<T>>,
}

/// A node: its level, its position there, and its value.
type Node<T> = (u8, u64, Option<T>);

impl<T: Value> Tree<T> {
    pub(super) fn new(leaves: u64) -> Self {
        Tree { leaves, nodes: BTreeMap::new(), run: Vec::new() }
    }

    /// Adds a leaf.
    pub(super) fn push(&mut self, leaf: u64, mut value: Option<T>, mut merge: impl FnMut(T, T) -> T) {
        let follows = self.run.last().is_none_or(|&(level, position, _)| (position + 1) << level == leaf);
        if !follows {
            self.settle(&mut merge);
        }
        let (mut level, mut position) = (0, leaf);
        while position % 2 == 1
            && let Some((_, _, left)) = self.run.pop_if(|node| node.0 == level && node.1 == position - 1)
        {
            value = join(left, value, &mut merge);
            level += 1;
            position /= 2;
        }
        self.run.push((level, position, value));
    }

    /// Gives the nodes of the run their places among the others.
    fn settle(&mut self, mut merge: impl FnMut(T, T) -> T) {
        for (level, position, value) in std::mem::take(&mut self.run) {
            self.insert(level, position, value, &mut merge);
        }
    }

    /// Adds the nodes of another part.
    pub(super) fn merge(&mut self, other: Tree<T>, mut merge: impl FnMut(T, T) -> T) {
        self.settle(&mut merge);
        let run = other.run.into_iter();
        let others = other.nodes.into_iter().map(|((level, position), value)| (level, position, value));
        for (level, position, value) in others.chain(run) {
            self.insert(level, position, value, &mut merge);
        }
    }

    fn insert(
        &mut self,
        mut level: u8,
        mut position: u64,
        mut value: Option<T>,
        mut merge: impl FnMut(T, T) -> T,
    ) {
        while self.width(level) > 1 {
            if position % 2 == 1 {
                let Some(left) = self.nodes.remove(&(level, position - 1)) else {
                    break;
                };
                value = join(left, value, &mut merge);
            } else if position + 1 < self.width(level) {
                let Some(right) = self.nodes.remove(&(level, position + 1)) else {
                    break;
                };
                value = join(value, right, &mut merge);
            }
            level += 1;
            position /= 2;
        }
        self.nodes.insert((level, position), value);
    }

    /// The number of nodes of a level.
    fn width(&self, level: u8) -> u64 {
        let (full, rest) = (self.leaves >> level, self.leaves & ((1 << level) - 1));
        full + u64::from(rest > 0)
    }

    /// The value of the root; none if no leaf has a value.
    pub(super) fn into_root(mut self, merge: impl FnMut(T, T) -> T) -> Option<T> {
        self.settle(merge);
        debug_assert!(self.nodes.len() <= 1, "leaves are missing: {:?}", self.nodes.keys());
        self.nodes.pop_first().and_then(|(_, value)| value)
    }
}

fn join<T>(left: Option<T>, right: Option<T>, mut merge: impl FnMut(T, T) -> T) -> Option<T> {
    match (left, right) {
        (Some(left), Some(right)) => Some(merge(left, right)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn show(left: String, right: String) -> String {
        format!("({left}{right})")
    }

    fn serial(leaves: u64) -> String {
        let mut tree = Tree::new(leaves);
        for leaf in 0..leaves {
            tree.push(leaf, Some(leaf.to_string()), show);
        }
        tree.into_root(show).unwrap_or_default()
    }

    #[test]
    fn the_shape_is_a_promise() {
        assert_eq!(serial(1), "0");
        assert_eq!(serial(2), "(01)");
        assert_eq!(serial(3), "((01)2)");
        assert_eq!(serial(5), "(((01)(23))4)");
        assert_eq!(serial(6), "(((01)(23))(45))");
        assert_eq!(serial(7), "(((01)(23))((45)6))");
    }

    #[test]
    fn leaves_without_elements_are_passed_over() {
        let mut tree = Tree::new(4);
        for (leaf, value) in [(3, Some("3")), (0, None), (2, None), (1, Some("1"))] {
            tree.push(leaf, value.map(str::to_owned), show);
        }
        assert_eq!(tree.into_root(show).as_deref(), Some("(13)"));
        assert_eq!(Tree::<u8>::new(0).into_root(|a, _| a), None);
    }

    proptest! {
        #[test]
        fn any_split_and_any_order_make_the_same_merges(
            leaves in 1u64..80,
            owners in prop::collection::vec(0usize..5, 80),
            order in Just((0u64..80).collect::<Vec<_>>()).prop_shuffle(),
            parts in Just((0usize..5).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let mut trees: Vec<Tree<String>> = (0..5).map(|_| Tree::new(leaves)).collect();
            for leaf in order.into_iter().filter(|&leaf| leaf < leaves) {
                trees[owners[leaf as usize]].push(leaf, Some(leaf.to_string()), show);
            }
            let mut all = Tree::new(leaves);
            for part in parts {
                let bytes = crate::wire::encode_to_vec(&trees[part]).expect("text");
                all.merge(crate::wire::decode(&bytes).expect("text"), show);
            }
            prop_assert_eq!(all.into_root(show).expect("a value"), serial(leaves));
        }
    }
}
