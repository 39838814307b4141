//! Sums of products along axes that two arrays share: what matrix products and their like come down to.

use super::super::error::ArrayProblem;
use super::super::layout::{Layout, positions};
use super::super::movement::fit;
use super::super::node::{Kind, Node, Reader};
use super::super::room::check_room;
use super::scalar::Ring;
use crate::{Block, Client, Delayed, List};
use ndarray::{Array3, ArrayViewD, Axis, CowArray, Ix3, IxDyn};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What becomes of the axes of an operand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Roles {
    /// Axes of both operands and of the result.
    pub(super) shared: Vec<usize>,
    /// Axes of this operand and of the result.
    pub(super) free: Vec<usize>,
    /// Axes of both operands along which products are added up.
    pub(super) summed: Vec<usize>,
}

impl Roles {
    /// The axes that an axis of the other operand goes with.
    fn paired(&self) -> impl Iterator<Item = usize> + '_ {
        self.shared.iter().chain(&self.summed).copied()
    }

    /// The same axes of the array that a view shows with its axes in the order `axes`.
    fn through(&self, axes: &[usize]) -> Roles {
        let through = |own: &[usize]| own.iter().map(|&axis| axes[axis]).collect();
        Roles { shared: through(&self.shared), free: through(&self.free), summed: through(&self.summed) }
    }
}

/// Bytes of the blocks that a task reads.
const AT_ONCE: usize = 64 << 20;

/// Pairs of blocks that a task multiplies at most.
pub(super) const MOST_PAIRS: usize = 16;

/// The array with the shared axes, the free ones of `left` and those of `right`. Paired axes have the same
/// length.
///
/// A task adds up the products of a few pairs of blocks, which bounds what a rank holds for it; the partial
/// sums are added in pairs. How many pairs a task takes depends on the chunks alone.
pub(super) fn contract<T: Ring>(
    name: &'static str,
    (left, left_roles): (&Arc<Node>, &Roles),
    (right, right_roles): (&Arc<Node>, &Roles),
) -> Arc<Node> {
    let (left, right) = in_common_chunks((left, left_roles), (right, right_roles));
    let of = |node: &Arc<Node>, axes: &[usize]| -> Vec<Vec<usize>> {
        axes.iter().map(|&axis| node.layout.chunks[axis].clone()).collect()
    };
    let chunks = [of(&left, &left_roles.shared), of(&left, &left_roles.free), of(&right, &right_roles.free)];
    let summed = of(&left, &left_roles.summed);
    let layout = Layout::of_chunks(chunks.concat());
    let factors = [Factor::new(&left, left_roles), Factor::new(&right, right_roles)];
    let (client, made) = (left.client.clone(), layout.clone());
    let grid: Vec<usize> = summed.iter().map(Vec::len).collect();
    let make = move || tasks::<T>(name, &factors, &made, &grid);
    Node::tasks_of(&client, T::DTYPE, layout, name, make)
}

/// The operands with the same chunks along paired axes: the one with fewer elements is cut as the other.
fn in_common_chunks(
    (left, left_roles): (&Arc<Node>, &Roles),
    (right, right_roles): (&Arc<Node>, &Roles),
) -> (Arc<Node>, Arc<Node>) {
    let cut_as = |node: &Arc<Node>, roles: &Roles, other: &Arc<Node>, other_roles: &Roles| {
        let mut chunks = node.layout.chunks.clone();
        for (axis, other_axis) in roles.paired().zip(other_roles.paired()) {
            chunks[axis].clone_from(&other.layout.chunks[other_axis]);
        }
        fit(node, &Layout::of_chunks(chunks))
    };
    if left.layout.elements() < right.layout.elements() {
        (cut_as(left, left_roles, right, right_roles), Arc::clone(right))
    } else {
        (Arc::clone(left), cut_as(right, right_roles, left, left_roles))
    }
}

/// An operand. A view with axes in another order is not made: the blocks are read in that order.
struct Factor {
    node: Reader,
    roles: Roles,
}

impl Factor {
    fn new(node: &Arc<Node>, roles: &Roles) -> Self {
        if let (Kind::View(input, axes), false) = (&node.kind, node.is_kept()) {
            let axes: Vec<usize> = axes.iter().copied().flatten().collect();
            if axes.len() == node.layout.axes() && axes.len() == input.layout.axes() {
                return Factor { node: Reader::new(input), roles: roles.through(&axes) };
            }
        }
        Factor { node: Reader::new(node), roles: roles.clone() }
    }

    /// The block at a place along the shared, the free and the summed axes.
    fn block(&self, shared: &[usize], free: &[usize], summed: &[usize]) -> &Delayed<Block> {
        let mut position = vec![0; self.node.layout.axes()];
        let Roles { shared: shared_axes, free: free_axes, summed: summed_axes } = &self.roles;
        for (axes, at) in [(shared_axes, shared), (free_axes, free), (summed_axes, summed)] {
            axes.iter().zip(at).for_each(|(&axis, &at)| position[axis] = at);
        }
        &self.node.tasks()[self.node.layout.number(&position)]
    }

    fn largest_block(&self) -> usize {
        self.node.layout.largest_chunk() * self.node.dtype.size()
    }
}

fn tasks<T: Ring>(
    name: &'static str,
    [left, right]: &[Factor; 2],
    layout: &Layout,
    summed: &[usize],
) -> Vec<Delayed<Block>> {
    let client = &left.node.client;
    let at_once = (AT_ONCE / (left.largest_block() + right.largest_block()).max(1)).clamp(1, MOST_PAIRS);
    let terms: Vec<Vec<usize>> = positions(summed).collect();
    layout
        .chunks()
        .map(|chunk| {
            let (shared, rest) = chunk.position.split_at(left.roles.shared.len());
            let (left_free, right_free) = rest.split_at(left.roles.free.len());
            let sums = terms.chunks(at_once).map(|terms| {
                let lefts: List<Block> = terms.iter().map(|at| left.block(shared, left_free, at)).collect();
                let rights: List<Block> =
                    terms.iter().map(|at| right.block(shared, right_free, at)).collect();
                let roles = (left.roles.clone(), right.roles.clone());
                client.try_delayed(products::<T>, (roles, &lefts, &rights)).label(name)
            });
            sum_in_pairs::<T>(client, name, sums.collect())
        })
        .collect()
}

/// The sum of blocks, along a tree of pairs of neighbours.
fn sum_in_pairs<T: Ring>(
    client: &Client,
    name: &'static str,
    mut terms: Vec<Delayed<Block>>,
) -> Delayed<Block> {
    while terms.len() > 1 {
        let pairs = terms.chunks(2).map(|pair| match pair {
            [left, right] => client.delayed(plus::<T>, (left.clone(), right)).label(name),
            _ => pair[0].clone(),
        });
        terms = pairs.collect();
    }
    terms.swap_remove(0)
}

fn plus<T: Ring>((left, right): (Block, Arc<Block>)) -> Block {
    let mut sum = left.into_array::<T>();
    sum.zip_mut_with(&right.view::<T>(), |sum, &term| *sum = sum.plus(term));
    Block::from(sum)
}

/// The roles of the axes of both operands, and blocks of both.
type Pairs = ((Roles, Roles), Vec<Arc<Block>>, Vec<Arc<Block>>);

/// The sum of the products of pairs of blocks.
fn products<T: Ring>(((left_roles, right_roles), lefts, rights): Pairs) -> Result<Block, ArrayProblem> {
    let lengths = |block: &Block, axes: &[usize]| -> Vec<usize> {
        axes.iter().map(|&axis| block.shape()[axis]).collect()
    };
    let [shared, rows, columns] = [
        lengths(&lefts[0], &left_roles.shared),
        lengths(&lefts[0], &left_roles.free),
        lengths(&rights[0], &right_roles.free),
    ];
    let product = |lengths: &[usize]| lengths.iter().product::<usize>();
    check_room([&shared, &rows, &columns].map(|lengths| product(lengths)).iter().product(), T::DTYPE.size())?;
    let mut sum = Array3::from_elem((product(&shared), product(&rows), product(&columns)), T::ZERO);
    for (left, right) in lefts.iter().zip(&rights) {
        let Roles { shared, free, summed } = &left_roles;
        let left = matrices(left.view::<T>(), shared, free, summed);
        let Roles { shared, free, summed } = &right_roles;
        let right = matrices(right.view::<T>(), shared, summed, free);
        for (at, sum) in sum.outer_iter_mut().enumerate() {
            T::multiply_add(sum, left.index_axis(Axis(0), at), right.index_axis(Axis(0), at));
        }
    }
    let shape = [shared, rows, columns].concat();
    Ok(Block::from(sum.into_shape_with_order(IxDyn(&shape)).expect("the elements stay")))
}

/// A block as one matrix for each place along the shared axes. It is copied only if one axis of the matrices
/// stands for several axes of the block that do not lie one after another.
fn matrices<'a, T: Ring>(
    block: ArrayViewD<'a, T>,
    shared: &[usize],
    rows: &[usize],
    columns: &[usize],
) -> CowArray<'a, T, Ix3> {
    let order: Vec<usize> = [shared, rows, columns].concat();
    let length = |axes: &[usize]| axes.iter().map(|&axis| block.shape()[axis]).product::<usize>();
    let shape = (length(shared), length(rows), length(columns));
    let turned = block.permuted_axes(order);
    if shared.is_empty() && rows.len() == 1 && columns.len() == 1 {
        let matrix = turned.insert_axis(Axis(0)).into_dimensionality();
        return CowArray::from(matrix.expect("three axes"));
    }
    let turned = match turned.is_standard_layout() {
        true => CowArray::from(turned),
        false => CowArray::from(turned.as_standard_layout().into_owned()),
    };
    turned.into_shape_with_order(shape).expect("the elements stay")
}
