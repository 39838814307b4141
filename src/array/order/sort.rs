//! Sorting.
//!
//! Chunks are sorted on their own. Then a [search](super::search) finds the elements at whose ranks the chunks
//! of the result begin, so that every sorted chunk knows which part of it goes where; the parts of a chunk of
//! the result are merged. Each element travels once, and the chunks are those of the input.

use super::super::array::Array;
use super::super::error::ArrayProblem;
use super::super::layout::{check_tasks, starts};
use super::super::node::{Node, Reader};
use super::super::traits::Number;
use super::in_one_chunk;
use super::rounds::{Elements, keys_of_ranks};
use crate::{Block, Client, Delayed, List};
use ndarray::{ArrayD, Axis};
use std::{panic::Location, sync::Arc};

impl<T: Number> Array<T> {
    /// The elements of an array with one axis in ascending order; NaN comes last.
    ///
    /// ```
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let x = Array::from_fn(client, |index| (index[0] * 7 % 100) as i64, [100], [30]);
    ///     let sorted = x.sort();
    ///     assert_eq!(sorted.chunks(), x.chunks());
    ///     assert_eq!(sorted.compute()?, Array::arange(client, 0, 100, 1, 100).compute()?);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn sort(&self) -> Array<T> {
        self.derive("sort", Location::caller(), |node| {
            if node.layout.axes() != 1 {
                return Err(ArrayProblem::Argument(format!(
                    "sort takes an array of one axis, not of shape {:?}; `flatten` it, or sort along an axis \
                     with `sort_axis`",
                    node.layout.shape
                )));
            }
            // Every chunk may have elements for every other.
            check_tasks(&[node.layout.count(), node.layout.count()])?;
            let sorted = by_chunks::<T>(node, 0);
            if node.layout.count() == 1 {
                return Ok(sorted);
            }
            let input = Reader::new(&sorted);
            let layout = node.layout.clone();
            Ok(Node::tasks_of(&node.client, T::DTYPE, layout, "sort", move || merged::<T>(&input)))
        })
    }

    /// The elements in ascending order along an axis, which is brought into one chunk; NaN comes last.
    #[track_caller]
    #[must_use]
    pub fn sort_axis(&self, axis: usize) -> Array<T> {
        self.derive("sort_axis", Location::caller(), |node| match node.layout.shape.get(axis) {
            Some(_) => Ok(by_chunks::<T>(&in_one_chunk(node, axis), axis)),
            None => Err(ArrayProblem::NoSuchAxis { axis, shape: node.layout.shape.clone() }),
        })
    }
}

/// Each chunk sorted along an axis.
fn by_chunks<T: Number>(node: &Arc<Node>, axis: usize) -> Arc<Node> {
    let input = Reader::new(node);
    let axis = axis as u64;
    Node::tasks_of(&node.client, T::DTYPE, node.layout.clone(), "sort", move || {
        let task = |block| input.client.delayed(sort_chunk::<T>, (block, axis)).label("sort");
        input.tasks().iter().map(task).collect()
    })
}

fn sort_chunk<T: Number>((block, axis): (Arc<Block>, u64)) -> Block {
    if block.shape().len() == 1 {
        let mut keys: Vec<u64> = block.as_slice::<T>().iter().map(|value| value.key()).collect();
        keys.sort_unstable();
        return of_keys::<T>(keys);
    }
    let axis = Axis(axis as usize);
    let mut sorted: ArrayD<T> = block.view::<T>().to_owned();
    let mut keys = Vec::new();
    for mut lane in sorted.lanes_mut(axis) {
        keys.clear();
        keys.extend(lane.iter().map(|value| value.key()));
        keys.sort_unstable();
        lane.iter_mut().zip(&keys).for_each(|(value, &key)| *value = T::of_key(key));
    }
    Block::from(sorted)
}

/// A chunk of keys in order. Elements as large as their keys take the memory of these.
fn of_keys<T: Number>(keys: Vec<u64>) -> Block {
    Block::from_vec(&[keys.len()], keys.into_iter().map(T::of_key).collect())
}

/// Of a sorted chunk, how many elements are less than each key, and how many are equal to it.
type Counts = Vec<[u64; 2]>;

/// Of each sorted chunk, where the parts for the chunks of the result begin, but for the first.
type Cuts = Vec<Vec<u64>>;

fn merged<T: Number>(sorted: &Arc<Node>) -> Vec<Delayed<Block>> {
    let client: &Client = &sorted.client;
    let chunks = &sorted.layout.chunks[0];
    let ranks: Vec<u64> = starts(chunks)[1..].iter().map(|&start| start as u64).collect();
    // The key at a rank; chunks are not empty, unless all are.
    let keys = keys_of_ranks::<T>(sorted, &ranks, super::Nan::IsLast, Elements::AreSorted, "sort");
    let counts: List<Counts> = sorted
        .tasks()
        .iter()
        .map(|block| client.delayed(counts::<T>, (block, &keys)).label("sort"))
        .collect();
    let cuts = client.delayed(cuts, (ranks, &counts)).label("sort");
    let several_ranks = client.ranks() > 1;
    (0..chunks.len() as u64)
        .map(|target| {
            if !several_ranks {
                let sorted: List<Block> = sorted.tasks().iter().collect();
                return client.delayed(merge_parts::<T>, (&sorted, &cuts, target)).label("sort");
            }
            // Only what is merged has to travel.
            let parts: List<Block> = (0u64..)
                .zip(sorted.tasks())
                .map(|(source, block)| {
                    client.delayed(part::<T>, (block, &cuts, source, target)).label("sort")
                })
                .collect();
            client.delayed(merge::<T>, (&parts,)).label("sort")
        })
        .collect()
}

fn counts<T: Number>((block, keys): (Arc<Block>, Arc<Vec<u64>>)) -> Counts {
    let values = block.as_slice::<T>();
    keys.iter()
        .map(|&key| {
            let less = values.partition_point(|value| value.key() < key);
            let equal = values[less..].partition_point(|value| value.key() == key);
            [less as u64, equal as u64]
        })
        .collect()
}

/// Where to cut the sorted chunks: of equal elements, those of the first chunks go to the left.
fn cuts((ranks, counts): (Vec<u64>, Vec<Arc<Counts>>)) -> Cuts {
    let mut cuts: Cuts = vec![Vec::with_capacity(ranks.len()); counts.len()];
    for (at, &rank) in ranks.iter().enumerate() {
        let less: u64 = counts.iter().map(|counts| counts[at][0]).sum();
        let mut equal = rank - less;
        for (cuts, counts) in cuts.iter_mut().zip(&counts) {
            let taken = counts[at][1].min(equal);
            equal -= taken;
            cuts.push(counts[at][0] + taken);
        }
    }
    cuts
}

/// The part of a sorted chunk that goes to a chunk of the result.
fn part_for<'a, T: Number>(block: &'a Block, cuts: &Cuts, source: u64, target: u64) -> &'a [T] {
    let values = block.as_slice::<T>();
    let cut = |at: u64| match at.checked_sub(1).map(|at| cuts[source as usize].get(at as usize)) {
        None => 0,
        Some(cut) => cut.map_or(values.len(), |&cut| cut as usize),
    };
    &values[cut(target)..cut(target + 1)]
}

fn part<T: Number>((block, cuts, source, target): (Arc<Block>, Arc<Cuts>, u64, u64)) -> Block {
    let part = part_for::<T>(&block, &cuts, source, target);
    Block::from_vec(&[part.len()], part.to_vec())
}

/// One sorted chunk of sorted parts.
fn merge<T: Number>((parts,): (Vec<Arc<Block>>,)) -> Block {
    merged_parts(parts.iter().map(|part| part.as_slice::<T>()))
}

/// The same of the sorted chunks themselves.
fn merge_parts<T: Number>((sorted, cuts, target): (Vec<Arc<Block>>, Arc<Cuts>, u64)) -> Block {
    merged_parts((0u64..).zip(&sorted).map(|(source, block)| part_for::<T>(block, &cuts, source, target)))
}

fn merged_parts<'a, T: Number>(parts: impl Iterator<Item = &'a [T]> + Clone) -> Block {
    let mut keys = Vec::with_capacity(parts.clone().map(<[T]>::len).sum());
    parts.for_each(|part| keys.extend(part.iter().map(|value| value.key())));
    // The stable sort of the standard library merges what is in order already.
    keys.sort();
    of_keys::<T>(keys)
}
