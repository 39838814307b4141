//! What the order of elements tells: quantiles, the largest, sorted arrays, how often each value occurs.
//!
//! None of it brings an array together. NaN is in order behind all other numbers, as in NumPy.

mod key;
mod largest;
mod quantile;
mod rounds;
mod search;
mod sort;
mod unique;

pub(super) use key::Ordered;

use super::layout::Layout;
use super::movement::fit;
use super::node::Node;
use crate::{Client, Delayed, List, Value};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Values that a task merges.
const FAN_IN: usize = 16;

/// One value of many: merged along a tree whose shape depends on their number alone.
pub(super) fn tree<S: Value + Clone>(
    client: &Client,
    name: &'static str,
    mut level: Vec<Delayed<S>>,
    merge: Merge<S>,
) -> Delayed<S> {
    while level.len() > 1 {
        let merged = level.chunks(FAN_IN).map(|group| {
            let group: List<S> = group.iter().collect();
            client.delayed(merge_group::<S>, (crate::Function::new(merge), &group)).label(name)
        });
        level = merged.collect();
    }
    level.remove(0)
}

/// Merges the second value into the first.
type Merge<S> = fn(&mut S, &S);

fn merge_group<S: Clone>((merge, values): (Merge<S>, Vec<Arc<S>>)) -> S {
    let (first, rest) = values.split_first().expect("a group has values");
    let mut merged = S::clone(first);
    rest.iter().for_each(|value| merge(&mut merged, value));
    merged
}

/// What a NaN among the elements does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Nan {
    /// It takes its place behind all other numbers.
    IsLast,
    /// It makes NaN of all results.
    IsAll,
}

/// The array with an axis in one chunk, and others cut so that chunks stay about as large as they are.
fn in_one_chunk(node: &Arc<Node>, axis: usize) -> Arc<Node> {
    let mut chunks = node.layout.chunks.clone();
    let mut pieces = chunks[axis].len();
    chunks[axis] = vec![node.layout.shape[axis]];
    for (other, chunks) in chunks.iter_mut().enumerate().filter(|(other, _)| *other != axis) {
        if pieces > 1 {
            let longest = chunks.iter().copied().max().unwrap_or(1).max(1);
            let length = longest.div_ceil(pieces);
            pieces = pieces.div_ceil(longest.div_ceil(length));
            let whole = node.layout.shape[other];
            *chunks = (0..whole).step_by(length).map(|start| length.min(whole - start)).collect();
            if chunks.is_empty() {
                chunks.push(0);
            }
        }
    }
    fit(node, &Layout::of_chunks(chunks))
}
