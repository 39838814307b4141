//! The largest and the smallest elements.

use super::super::array::Array;
use super::super::compile::{Fusion, Work};
use super::super::expression::{Evaluation, Fault, Inputs, Kernel, Program, TILE};
use super::super::layout::Layout;
use super::super::node::{Node, Reader};
use super::super::traits::Number;
use super::tree;
use crate::Block;
use crate::random::Elements;
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
