//! Running sums.

use super::array::Array;
use super::error::ArrayProblem;
use super::node::{Node, Reader};
use super::traits::Numeric;
use crate::{Block, Delayed};
use ndarray::{ArrayD, Axis};
use std::panic::Location;
use std::sync::Arc;

impl<T: Numeric> Array<T> {
    /// Running sums along an axis: element i is the sum of elements 0 to i. Integers are summed up as `i64`.
    ///
    /// ```
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let x = Array::arange(client, 1i64, 6, 1, 2);
    ///     assert_eq!(x.cumsum_axis(0).compute()?.into_raw_vec_and_offset().0, [1, 3, 6, 10, 15]);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn cumsum_axis(&self, axis: usize) -> Array<T::Sum> {
        self.cast::<T::Sum>().derive("cumsum_axis", Location::caller(), |node| {
            if axis >= node.layout.axes() {
                return Err(ArrayProblem::NoSuchAxis { axis, shape: node.layout.shape.clone() });
            }
            let input = Reader::new(node);
            let make = move || tasks::<T::Sum>(&input, axis);
            Ok(Node::tasks_of(&node.client, node.dtype, node.layout.clone(), "cumsum_axis", make))
        })
    }
}

/// Each chunk on its own; then what comes before it along the axis is added to it.
fn tasks<S: Numeric>(input: &Arc<Node>, axis: usize) -> Vec<Delayed<Block>> {
    let client = &input.client;
    let axis_number = axis as u64;
    let mut results: Vec<Delayed<Block>> = Vec::with_capacity(input.layout.count());
    let mut carries: Vec<Delayed<Block>> = Vec::with_capacity(input.layout.count());
    for (chunk, block) in input.layout.chunks().zip(input.tasks()) {
        let within = client.delayed(within::<S>, (block, axis_number)).label("cumsum_axis");
        let mut before = chunk.position.clone();
        // The chunks are in C order, so the one before is there already.
        let result = match before[axis].checked_sub(1) {
            None => within,
            Some(at) => {
                before[axis] = at;
                let carry = &carries[input.layout.number(&before)];
                client.delayed(shifted::<S>, (within, carry, axis_number)).label("cumsum_axis")
            }
        };
        carries.push(client.delayed(last::<S>, (&result, axis_number)).label("cumsum_axis"));
        results.push(result);
    }
    results
}

fn within<S: Numeric>((block, axis): (Arc<Block>, u64)) -> Block {
    let mut sums: ArrayD<S> = block.view::<S>().to_owned();
    sums.accumulate_axis_inplace(Axis(axis as usize), |&before, sum| *sum = before.plus(*sum));
    Block::from(sums)
}

/// The last sums along the axis.
fn last<S: Numeric>((block, axis): (Arc<Block>, u64)) -> Block {
    let view = block.view::<S>();
    let axis = Axis(axis as usize);
    let end = view.len_of(axis);
    Block::from(view.slice_axis(axis, ndarray::Slice::from(end.saturating_sub(1)..end)).to_owned())
}

fn shifted<S: Numeric>((block, carry, axis): (Block, Arc<Block>, u64)) -> Block {
    let mut sums: ArrayD<S> = block.into_array();
    let carry = carry.view::<S>();
    for mut part in sums.axis_iter_mut(Axis(axis as usize)) {
        part.zip_mut_with(&carry.index_axis(Axis(axis as usize), 0), |sum, &before| *sum = before.plus(*sum));
    }
    Block::from(sums)
}
