//! The largest and the smallest elements.

use super::super::array::Array;
use super::super::compile::{Fusion, Work};
use super::super::error::ArrayProblem;
use super::super::expression::{Evaluation, Fault, Inputs, Kernel, Program, TILE};
use super::super::layout::Layout;
use super::super::movement::fit;
use super::super::node::{Node, Reader};
use super::super::traits::Number;
use super::tree;
use crate::Block;
use crate::random::Elements;
use ndarray::{ArrayD, Axis};
use serde::{Deserialize, Serialize};
use std::{panic::Location, sync::Arc};

/// Keys beyond those that stay, before the others are thrown out.
const ROOM: usize = 1 << 12;

/// The largest keys so far.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Largest {
    count: usize,
    keys: Vec<u64>,
    /// Smaller keys are not among them.
    least: u64,
}

impl Largest {
    fn new(count: usize) -> Self {
        Largest { count, keys: Vec::new(), least: 0 }
    }

    fn add(&mut self, keys: impl Iterator<Item = u64>) {
        let least = self.least;
        self.keys.extend(keys.filter(|&key| key >= least));
        if self.keys.len() > self.count + ROOM {
            self.throw_out();
        }
    }

    fn throw_out(&mut self) {
        if self.count == 0 {
            self.keys.clear();
        } else if self.keys.len() > self.count {
            let (_, &mut least, _) = self.keys.select_nth_unstable_by(self.count - 1, |a, b| b.cmp(a));
            self.keys.truncate(self.count);
            self.least = least;
        }
    }

    fn merge(&mut self, other: &Self) {
        self.add(other.keys.iter().copied());
        self.throw_out();
    }
}

impl<T: Number> Array<T> {
    /// The `count` largest of all elements, the largest first; all of them if there are no more. NaN counts as
    /// larger than all other numbers, as in NumPy's `sort`.
    ///
    /// ```
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let x = Array::from_fn(client, |index| (index[0] * 7 % 100) as i64, [100], [30]);
    ///     assert_eq!(x.largest(3).compute()?, ndarray::array![99, 98, 97].into_dyn());
    ///     assert_eq!(x.smallest(2).compute()?, ndarray::array![0, 1].into_dyn());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn largest(&self, count: usize) -> Array<T> {
        self.derive("largest", Location::caller(), |node| Ok(extremes::<T>(node, "largest", count, false)))
    }

    /// The `count` smallest of all elements, the smallest first; all of them if there are no more. NaN counts
    /// as larger than all other numbers.
    #[track_caller]
    #[must_use]
    pub fn smallest(&self, count: usize) -> Array<T> {
        self.derive("smallest", Location::caller(), |node| Ok(extremes::<T>(node, "smallest", count, true)))
    }

    /// The `count` largest elements along an axis, the largest first; all of them if there are no more. NaN
    /// counts as larger than all other numbers.
    ///
    /// Those of each chunk are found first; what is left of the axis is then brought into one chunk.
    ///
    /// ```
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let x = Array::from_fn(client, |index| (index[0] * 10 + index[1] * 7 % 10) as i64, [2, 10], [2, 4]);
    ///     assert_eq!(x.largest_axis(3, 1).compute()?, ndarray::array![[9, 8, 7], [19, 18, 17]].into_dyn());
    ///     assert_eq!(x.smallest_axis(1, 0).compute()?.shape(), [1, 10]);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn largest_axis(&self, count: usize, axis: usize) -> Array<T> {
        self.derive("largest_axis", Location::caller(), |node| {
            along::<T>(node, "largest_axis", count, axis, false)
        })
    }

    /// The `count` smallest elements along an axis, the smallest first; all of them if there are no more. NaN
    /// counts as larger than all other numbers.
    #[track_caller]
    #[must_use]
    pub fn smallest_axis(&self, count: usize, axis: usize) -> Array<T> {
        self.derive("smallest_axis", Location::caller(), |node| {
            along::<T>(node, "smallest_axis", count, axis, true)
        })
    }
}

/// Of each chunk, then of what is left of all chunks along the axis.
fn along<T: Number>(
    node: &Arc<Node>,
    name: &'static str,
    count: usize,
    axis: usize,
    inverted: bool,
) -> Result<Arc<Node>, ArrayProblem> {
    if axis >= node.layout.axes() {
        return Err(ArrayProblem::NoSuchAxis { axis, shape: node.layout.shape.clone() });
    }
    let of_each = of_each_chunk::<T>(node, name, count, axis, inverted);
    if node.layout.chunks[axis].len() == 1 {
        return Ok(of_each);
    }
    let mut chunks = of_each.layout.chunks.clone();
    chunks[axis] = vec![of_each.layout.shape[axis]];
    let together = fit(&of_each, &Layout::of_chunks(chunks));
    Ok(of_each_chunk::<T>(&together, name, count, axis, inverted))
}

fn of_each_chunk<T: Number>(
    node: &Arc<Node>,
    name: &'static str,
    count: usize,
    axis: usize,
    inverted: bool,
) -> Arc<Node> {
    let input = Reader::new(node);
    let mut chunks = node.layout.chunks.clone();
    chunks[axis].iter_mut().for_each(|length| *length = count.min(*length));
    Node::tasks_of(&node.client, T::DTYPE, Layout::of_chunks(chunks), name, move || {
        let task = |block| {
            let arguments = (block, axis as u64, count as u64, inverted);
            input.client.delayed(of_lanes::<T>, arguments).label(name)
        };
        input.tasks().iter().map(task).collect()
    })
}

fn of_lanes<T: Number>((block, axis, count, inverted): (Arc<Block>, u64, u64, bool)) -> Block {
    let (view, axis) = (block.view::<T>(), Axis(axis as usize));
    let count = (count as usize).min(view.len_of(axis));
    let mut shape = view.raw_dim();
    shape[axis.index()] = count;
    let mut found = ArrayD::from_elem(shape, T::default());
    let mask = if inverted { T::LARGEST } else { 0 };
    let mut keys = Vec::new();
    for (lane, mut found) in view.lanes(axis).into_iter().zip(found.lanes_mut(axis)) {
        keys.clear();
        keys.extend(lane.iter().map(|value| value.key() ^ mask));
        if count < keys.len() {
            keys.select_nth_unstable_by(count, |a, b| b.cmp(a));
        }
        let keys = &mut keys[..count];
        keys.sort_unstable_by(|a, b| b.cmp(a));
        found.iter_mut().zip(keys).for_each(|(value, key)| *value = T::of_key(*key ^ mask));
    }
    Block::from(found)
}

fn extremes<T: Number>(node: &Arc<Node>, name: &'static str, count: usize, inverted: bool) -> Arc<Node> {
    let count = count.min(node.layout.elements());
    let input = Reader::new(node);
    Node::tasks_of(&node.client, T::DTYPE, Layout::whole(&[count]), name, move || {
        let client = &input.client;
        let fusion = Fusion::reading(&input);
        let pieces = input.layout.chunks().map(|chunk| {
            let Work { program, functions, streams, blocks } = fusion.work(&chunk);
            let arguments = (count as u64, inverted, program, functions, streams, &blocks);
            client.try_delayed(of_chunk::<T>, arguments).label(name)
        });
        let largest = tree(client, name, pieces.collect(), Largest::merge);
        vec![client.delayed(in_order::<T>, (largest, inverted)).label(name)]
    })
}

type Chunk = (u64, bool, Program, Vec<Kernel>, Vec<Elements>, Vec<Arc<Block>>);

fn of_chunk<T: Number>(
    (count, inverted, program, kernels, streams, blocks): Chunk,
) -> Result<Largest, Fault> {
    let total: usize = program.shape.iter().product();
    let inputs = Inputs { program, kernels, streams, blocks };
    let mut evaluation = Evaluation::new(&inputs);
    let mut largest = Largest::new(count as usize);
    let mask = if inverted { T::LARGEST } else { 0 };
    for start in (0..total).step_by(TILE) {
        let values = evaluation.tile::<T>(start, TILE.min(total - start))?;
        largest.add(values.iter().map(|value| value.key() ^ mask));
    }
    largest.throw_out();
    Ok(largest)
}

fn in_order<T: Number>((mut largest, inverted): (Largest, bool)) -> Block {
    largest.keys.sort_unstable_by(|a, b| b.cmp(a));
    let mask = if inverted { T::LARGEST } else { 0 };
    let values: Vec<T> = largest.keys.iter().map(|key| T::of_key(key ^ mask)).collect();
    Block::from_vec(&[values.len()], values)
}
