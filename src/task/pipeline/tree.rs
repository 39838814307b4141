//! The reduction tree: its shape follows from the number of leaves alone.
//!
//! Leaf `i` of a level and leaf `i + 1` are merged if `i` is even; the last of an odd number moves up as it
//! is. A partial result is a set of nodes of this tree, so whoever reduces whatever part of the leaves, in
//! whatever order, makes the same merges, and the same bits. A merge that fails is part of the result in the
//! same way: its node, and every node above it, is the failure.

use super::Geometry;
use crate::task::{Failure, contain};
use crate::wire::Value;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a node stands for: a value, nothing if its leaves have no elements, or the failure of the first
/// merge below it that failed.
pub(super) type Reduced<T> = Result<Option<T>, Failure>;

/// The nodes of the tree that are known, highest ones only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound(serialize = "T: Serialize", deserialize = "T: serde::de::DeserializeOwned"))]
pub(super) struct Tree<T> {
    geometry: Geometry,
    nodes: BTreeMap<(u8, u64), Reduced<T>>,
    /// The nodes of the leaves pushed last, each left of the next, as long as they come in order: they need
    /// no look-up.
    run: Vec<Node<T>>,
}

/// A node: its level, its position there, and what it stands for.
type Node<T> = (u8, u64, Reduced<T>);

impl<T: Value> Tree<T> {
    pub(super) fn new(geometry: Geometry) -> Self {
        Tree { geometry, nodes: BTreeMap::new(), run: Vec::new() }
    }

    /// Adds a leaf.
    pub(super) fn push(&mut self, leaf: u64, mut value: Reduced<T>, merge: impl Fn(T, T) -> T + Copy) {
        let follows = self.run.last().is_none_or(|&(level, position, _)| (position + 1) << level == leaf);
        if !follows {
            self.settle(merge);
        }
        let (mut level, mut position) = (0, leaf);
        while position % 2 == 1
            && let Some((_, _, left)) = self.run.pop_if(|node| node.0 == level && node.1 == position - 1)
        {
            level += 1;
            position /= 2;
            value = self.join(level, position, left, value, merge);
        }
        self.run.push((level, position, value));
    }

    /// Gives the nodes of the run their places among the others.
    fn settle(&mut self, merge: impl Fn(T, T) -> T + Copy) {
        for (level, position, value) in std::mem::take(&mut self.run) {
            self.insert(level, position, value, merge);
        }
    }

    /// Adds the nodes of a part that may have been made elsewhere, too: what is known already is left out.
    pub(super) fn merge_repeated(&mut self, other: Tree<T>, merge: impl Fn(T, T) -> T + Copy) {
        self.settle(merge);
        let run = other.run.into_iter();
        let others = other.nodes.into_iter().map(|((level, position), value)| (level, position, value));
        for (level, position, value) in others.chain(run) {
            if self.has(level, position) {
                continue;
            }
            // The same leaves and the same merges are in this node.
            for below in 0..level {
                let shift = level - below;
                let covered = (below, position << shift)..(below, (position + 1) << shift);
                let nodes = self.nodes.range(covered).map(|(&node, _)| node);
                for node in nodes.collect::<Vec<_>>() {
                    self.nodes.remove(&node);
                }
            }
            self.insert(level, position, value, merge);
        }
    }

    /// Whether a node, or one above it, is known.
    fn has(&self, level: u8, position: u64) -> bool {
        let height = u64::BITS - self.width(0).leading_zeros();
        (0..=height as u8).any(|up| self.nodes.contains_key(&(level + up, position >> up)))
    }

    /// Adds the nodes of another part, which has other leaves.
    pub(super) fn merge(&mut self, other: Tree<T>, merge: impl Fn(T, T) -> T + Copy) {
        self.settle(merge);
        let run = other.run.into_iter();
        let others = other.nodes.into_iter().map(|((level, position), value)| (level, position, value));
        for (level, position, value) in others.chain(run) {
            self.insert(level, position, value, merge);
        }
    }

    fn insert(
        &mut self,
        mut level: u8,
        mut position: u64,
        mut value: Reduced<T>,
        merge: impl Fn(T, T) -> T + Copy,
    ) {
        while self.width(level) > 1 {
            let sibling = position ^ 1;
            let last_of_odd = sibling >= self.width(level);
            let other = self.nodes.remove(&(level, sibling));
            if other.is_none() && !last_of_odd {
                break;
            }
            level += 1;
            position /= 2;
            value = match other {
                None => value,
                Some(left) if sibling.is_multiple_of(2) => self.join(level, position, left, value, merge),
                Some(right) => self.join(level, position, value, right, merge),
            };
        }
        self.nodes.insert((level, position), value);
    }

    /// The node that stands for two nodes.
    fn join(
        &self,
        level: u8,
        position: u64,
        left: Reduced<T>,
        right: Reduced<T>,
        merge: impl Fn(T, T) -> T + Copy,
    ) -> Reduced<T> {
        match (left?, right?) {
            (Some(left), Some(right)) => match contain(|| merge(left, right)) {
                Ok(value) => Ok(Some(value)),
                Err(failure) => Err(self.while_reducing(failure, level, position)),
            },
            (one, other) => Ok(one.or(other)),
        }
    }

    /// Adds to a failure which elements were being brought together.
    pub(super) fn while_reducing(&self, mut failure: Failure, level: u8, position: u64) -> Failure {
        let Geometry { length, leaf } = self.geometry;
        let start = (position << level) * leaf;
        let end = length.min(((position + 1) << level) * leaf);
        failure.message += &format!(", while elements {start}..{end} were brought together");
        failure.here()
    }

    /// The number of nodes of a level.
    fn width(&self, level: u8) -> u64 {
        let leaves = self.geometry.length.div_ceil(self.geometry.leaf);
        let (full, rest) = (leaves >> level, leaves & ((1 << level) - 1));
        full + u64::from(rest > 0)
    }

    /// What the root stands for. Leaves that are not there have no elements.
    pub(super) fn into_root(mut self, merge: impl Fn(T, T) -> T + Copy) -> Reduced<T> {
        self.settle(merge);
        while let Some(((level, position), value)) = self.nodes.pop_first() {
            if self.nodes.is_empty() {
                return value;
            }
            // No node is lower, so nothing is missing of its sibling but all of it; or that is higher up.
            self.insert(level + 1, position / 2, value, merge);
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one_each(length: u64) -> Geometry {
        Geometry { length, leaf: 1 }
    }

    fn show(left: String, right: String) -> String {
        format!("({left}{right})")
    }

    fn serial(leaves: u64) -> String {
        let mut tree = Tree::new(one_each(leaves));
        for leaf in 0..leaves {
            tree.push(leaf, Ok(Some(leaf.to_string())), show);
        }
        tree.into_root(show).expect("no merge fails").unwrap_or_default()
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
    fn the_failure_of_a_merge_is_the_same_however_the_leaves_came() {
        crate::task::install_hook();
        let merge = |left: u64, right: u64| match left + right {
            sum @ (13 | 41) => panic!("{sum} is unlucky"),
            sum => sum,
        };
        let mut messages = Vec::new();
        for order in
            [(0..8).collect::<Vec<u64>>(), vec![7, 6, 5, 4, 3, 2, 1, 0], vec![3, 0, 6, 5, 1, 2, 7, 4]]
        {
            let mut tree = Tree::new(Geometry { length: 80, leaf: 10 });
            for leaf in order {
                tree.push(leaf, Ok(Some([20, 21, 1, 1, 6, 7, 1, 1][leaf as usize])), merge);
            }
            messages.push(tree.into_root(merge).expect_err("two merges fail").message);
        }
        assert!(messages[0].starts_with("41 is unlucky"), "{messages:?}");
        assert!(messages[0].ends_with("while elements 0..20 were brought together"), "{messages:?}");
        assert!(messages.iter().all(|message| *message == messages[0]), "{messages:?}");
    }

    #[test]
    fn leaves_without_elements_are_passed_over() {
        let mut tree = Tree::new(one_each(4));
        for (leaf, value) in [(3, Some("3")), (0, None), (2, None), (1, Some("1"))] {
            tree.push(leaf, Ok(value.map(str::to_owned)), show);
        }
        assert_eq!(tree.into_root(show), Ok(Some("(13)".to_owned())));
        assert_eq!(Tree::<u8>::new(one_each(0)).into_root(|a, _| a), Ok(None));
    }

    proptest! {
        #[test]
        fn any_split_and_any_order_make_the_same_merges(
            leaves in 1u64..80,
            owners in prop::collection::vec(0usize..5, 80),
            order in Just((0u64..80).collect::<Vec<_>>()).prop_shuffle(),
            parts in Just((0usize..5).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let mut trees: Vec<Tree<String>> = (0..5).map(|_| Tree::new(one_each(leaves))).collect();
            for leaf in order.into_iter().filter(|&leaf| leaf < leaves) {
                trees[owners[leaf as usize]].push(leaf, Ok(Some(leaf.to_string())), show);
            }
            let mut all = Tree::new(one_each(leaves));
            for part in parts {
                let bytes = crate::wire::encode_to_vec(&trees[part]).expect("text");
                all.merge(crate::wire::decode(&bytes).expect("text"), show);
            }
            prop_assert_eq!(all.into_root(show).expect("no merge fails").expect("a value"), serial(leaves));
        }

        #[test]
        fn what_is_done_twice_counts_once(
            leaves in 1u64..80,
            fragments in prop::collection::vec((0u64..80, 1u64..80), 0..12),
        ) {
            let mut all = Tree::new(one_each(leaves));
            for (start, length) in fragments.into_iter().chain([(0, leaves / 2), (leaves / 2, leaves)]) {
                let mut part = Tree::new(one_each(leaves));
                for leaf in start..leaves.min(start + length) {
                    part.push(leaf, Ok(Some(leaf.to_string())), show);
                }
                all.merge_repeated(part, show);
            }
            prop_assert_eq!(all.into_root(show).expect("no merge fails").expect("a value"), serial(leaves));
        }

        #[test]
        fn leaves_that_are_missing_are_leaves_without_elements(
            there in prop::collection::vec(any::<bool>(), 1..80),
            cuts in prop::collection::vec(any::<bool>(), 80),
        ) {
            let geometry = one_each(there.len() as u64);
            let (mut whole, mut parts, mut part) = (Tree::new(geometry), Tree::new(geometry), Tree::new(geometry));
            for (leaf, (&there, &cut)) in (0u64..).zip(there.iter().zip(&cuts)) {
                whole.push(leaf, Ok(there.then(|| leaf.to_string())), show);
                if there {
                    part.push(leaf, Ok(Some(leaf.to_string())), show);
                }
                if cut {
                    parts.merge_repeated(std::mem::replace(&mut part, Tree::new(geometry)), show);
                }
            }
            parts.merge_repeated(part, show);
            prop_assert_eq!(parts.into_root(show), whole.into_root(show));
        }
    }
}
