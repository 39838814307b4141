//! Sums, means, extremes: what makes few elements of many.
//!
//! Each chunk is reduced on its own, in the same pass that makes it; then the pieces of all chunks are merged
//! along a tree whose shape depends on the number of chunks alone.

mod extremes;
mod fold;
mod methods;
mod moments;
mod piece;
mod sums;
mod truth;

pub(super) use fold::{Fold, Parameters};
pub(super) use sums::{ExactTotal, FloatingSum, Mean, Product, Sum};

use super::array::Array;
use super::compile::{Fusion, Work};
use super::error::ArrayProblem;
use super::expression::{Fault, Inputs, Kernel};
use super::layout::{Layout, positions};
use super::node::{Node, Reader};
use super::traits::Element;
use crate::random::Elements;
use crate::{Block, BlockElement, Delayed, List};
use piece::{Geometry, piece};
use std::{panic::Location, sync::Arc};

/// Axes of an array: a number, an array or a slice of numbers, or [`Axes::All`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Axes {
    /// All axes.
    All,
    /// These axes.
    Some(Vec<usize>),
}

impl From<usize> for Axes {
    fn from(axis: usize) -> Self {
        Axes::Some(vec![axis])
    }
}

impl<const N: usize> From<[usize; N]> for Axes {
    fn from(axes: [usize; N]) -> Self {
        Axes::Some(axes.to_vec())
    }
}

impl From<&[usize]> for Axes {
    fn from(axes: &[usize]) -> Self {
        Axes::Some(axes.to_vec())
    }
}

impl Axes {
    /// For each axis of an array whether it is one of these.
    pub(super) fn mask(&self, shape: &[usize]) -> Result<Vec<bool>, ArrayProblem> {
        let Axes::Some(axes) = self else { return Ok(vec![true; shape.len()]) };
        let mut mask = vec![false; shape.len()];
        for &axis in axes {
            match mask.get_mut(axis) {
                None => return Err(ArrayProblem::NoSuchAxis { axis, shape: shape.to_vec() }),
                Some(true) => return Err(ArrayProblem::AxisTwice { axis }),
                Some(seen) => *seen = true,
            }
        }
        Ok(mask)
    }
}

/// Pieces that a task merges.
const FAN_IN: usize = 16;

impl<T: Element> Array<T> {
    /// Reduces the array along axes with `F`.
    pub(super) fn reduce<F: Fold<T>>(
        &self,
        axes: &Axes,
        name: &'static str,
        parameters: Parameters,
        place: &Location<'_>,
    ) -> Array<F::Output> {
        self.derive(name, place, |node| {
            let shape = &node.layout.shape;
            let reduced = axes.mask(shape)?;
            let count = count(shape, &reduced);
            F::check(count, &reduced, parameters)?;
            let chunks = node.layout.chunks.iter().zip(&reduced);
            let layout = Layout::of_chunks(
                chunks.filter(|(_, reduced)| !**reduced).map(|(chunks, _)| chunks.clone()).collect(),
            );
            let input = Reader::new(node);
            let made = layout.clone();
            let make = move || tasks::<T, F>(&input, &reduced, &made, name, (count as u64, parameters));
            Ok(Node::tasks_of(&node.client, F::Output::DTYPE, layout, name, make))
        })
    }
}

/// The number of elements that come down to one.
fn count(shape: &[usize], reduced: &[bool]) -> usize {
    shape.iter().zip(reduced).filter(|(_, reduced)| **reduced).map(|(length, _)| length).product()
}

fn tasks<T: Element, F: Fold<T>>(
    input: &Arc<Node>,
    reduced: &[bool],
    layout: &Layout,
    name: &'static str,
    finish: (u64, Parameters),
) -> Vec<Delayed<Block>> {
    let client = &input.client;
    let fusion = Fusion::reading(input);
    let pieces: Vec<Delayed<Vec<F::State>>> = input
        .layout
        .chunks()
        .map(|chunk| {
            let geometry = Geometry::new(&input.layout.shape, &chunk, reduced, F::NEEDS_INDEX);
            let Work { program, functions, streams, blocks } = fusion.work(&chunk);
            client
                .try_delayed(reduce_chunk::<T, F>, (geometry, program, functions, streams, &blocks))
                .label(name)
        })
        .collect();
    let grid = input.layout.grid();
    let along: Vec<usize> = (0..grid.len()).filter(|&axis| reduced[axis]).collect();
    let reduced_grid: Vec<usize> = along.iter().map(|&axis| grid[axis]).collect();
    layout
        .chunks()
        .map(|chunk| {
            let mut kept = chunk.position.iter();
            let mut position: Vec<usize> =
                reduced.iter().map(|&reduced| if reduced { 0 } else { *kept.next().unwrap_or(&0) }).collect();
            let mut level: Vec<Delayed<Vec<F::State>>> = positions(&reduced_grid)
                .map(|at| {
                    along.iter().zip(at).for_each(|(&axis, at)| position[axis] = at);
                    pieces[input.layout.number(&position)].clone()
                })
                .collect();
            while level.len() > FAN_IN {
                let merged = level.chunks(FAN_IN).map(|group| {
                    let group: List<Vec<F::State>> = group.iter().collect();
                    client.delayed(merge::<T, F>, (&group,)).label(name)
                });
                level = merged.collect();
            }
            let level: List<Vec<F::State>> = level.into_iter().collect();
            let (count, parameters) = finish;
            client.delayed(end::<T, F>, (&level, chunk.shape, count, parameters)).label(name)
        })
        .collect()
}

type Chunk = (Geometry, super::expression::Program, Vec<Kernel>, Vec<Elements>, Vec<Arc<Block>>);

fn reduce_chunk<T: Element, F: Fold<T>>(
    (geometry, program, kernels, streams, blocks): Chunk,
) -> Result<Vec<F::State>, Fault> {
    piece::<T, F>(&geometry, &Inputs { program, kernels, streams, blocks })
}

fn merge<T: Element, F: Fold<T>>((pieces,): (Vec<Arc<Vec<F::State>>>,)) -> Vec<F::State> {
    let (first, rest) = pieces.split_first().expect("a reduction has pieces");
    let mut merged = Vec::clone(first);
    for piece in rest {
        merged.iter_mut().zip(piece.iter()).for_each(|(into, from)| F::merge(into, from));
    }
    merged
}

type Ending<S> = (Vec<Arc<Vec<S>>>, Vec<usize>, u64, Parameters);

fn end<T: Element, F: Fold<T>>((pieces, shape, count, parameters): Ending<F::State>) -> Block {
    let states = merge::<T, F>((pieces,));
    let finish = |state: F::State| F::finish(state, count, parameters);
    Block::from_vec(&shape, states.into_iter().map(finish).collect())
}
