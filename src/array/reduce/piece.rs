//! Reducing one chunk, in the same pass that makes it.

use super::super::compile::c_strides;
use super::super::expression::{Evaluation, Fault, Inputs, TILE};
use super::super::layout::{Chunk, unravel};
use super::super::traits::Element;
use super::fold::Fold;
use serde::{Deserialize, Serialize};

/// How the elements of a chunk go to results. Neighbouring axes that are all reduced, or all kept, count as
/// one. It depends on shapes alone, never on what makes the elements, and so does the order of all sums.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::array) struct Geometry {
    /// Lengths of the axes.
    lengths: Vec<usize>,
    /// Distances of the results along them; 0 where they are reduced.
    strides: Vec<usize>,
    /// Whether the last axis is reduced.
    last_is_reduced: bool,
    results: usize,
    /// The index of the first element along the reduced axes, and what a step along each axis adds to it.
    first: u64,
    steps: Vec<u64>,
}

impl Geometry {
    /// For a chunk of an array of this shape. If indices matter, axes are not brought together.
    pub(super) fn new(array: &[usize], chunk: &Chunk, reduced: &[bool], needs_index: bool) -> Self {
        let mut axes: Vec<(usize, bool)> = Vec::new();
        for (&length, &reduced) in chunk.shape.iter().zip(reduced) {
            match axes.last_mut() {
                Some((last, was)) if *was == reduced && !needs_index => *last *= length,
                _ => axes.push((length, reduced)),
            }
        }
        let kept: Vec<usize> =
            axes.iter().filter(|(_, reduced)| !reduced).map(|(length, _)| *length).collect();
        let mut kept_strides = c_strides(&kept).into_iter();
        let strides =
            axes.iter().map(|(_, reduced)| if *reduced { 0 } else { kept_strides.next().unwrap_or(0) });
        let indexed: Vec<usize> =
            array.iter().zip(reduced).filter(|(_, reduced)| **reduced).map(|(length, _)| *length).collect();
        let mut index_strides = c_strides(&indexed).into_iter();
        let per_axis: Vec<u64> = reduced
            .iter()
            .map(|&reduced| if reduced { index_strides.next().unwrap_or(0) as u64 } else { 0 })
            .collect();
        let first = chunk.origin.iter().zip(&per_axis).map(|(&at, step)| at as u64 * step).sum();
        Geometry {
            strides: strides.collect(),
            last_is_reduced: axes.last().is_some_and(|(_, reduced)| *reduced),
            results: kept.iter().product(),
            lengths: axes.into_iter().map(|(length, _)| length).collect(),
            first,
            steps: if needs_index { per_axis } else { Vec::new() },
        }
    }

    /// Where the results of a row begin, and the index of its first element.
    fn row(&self, row: usize) -> (usize, u64) {
        let (_, outer) = self.lengths.split_last().unwrap_or((&1, &[]));
        let at = unravel(row, outer);
        let result = at.iter().zip(&self.strides).map(|(at, stride)| at * stride).sum();
        let index = at.iter().zip(&self.steps).map(|(&at, step)| at as u64 * step).sum::<u64>();
        (result, self.first + index)
    }
}

/// The states of all results of a chunk.
pub(super) fn piece<T: Element, F: Fold<T>>(
    geometry: &Geometry,
    inputs: &Inputs,
) -> Result<Vec<F::State>, Fault> {
    let mut states = vec![F::start(); geometry.results];
    let length = geometry.lengths.last().copied().unwrap_or(1);
    let total: usize = geometry.lengths.iter().product();
    let mut evaluation = Evaluation::new(inputs);
    let mut take = |(result, index): (usize, u64), values: &[T]| {
        if geometry.last_is_reduced {
            F::row(&mut states[result], values, index);
        } else {
            F::column(&mut states[result..result + values.len()], values, index);
        }
    };
    if length > TILE {
        for row in 0..total / length {
            let (result, index) = geometry.row(row);
            for start in (0..length).step_by(TILE) {
                let values = evaluation.tile::<T>(row * length + start, TILE.min(length - start))?;
                let (results, indices) =
                    if geometry.last_is_reduced { (0, start as u64) } else { (start, 0) };
                take((result + results, index + indices), values);
            }
        }
    } else if total > 0 {
        let rows = TILE / length;
        for first in (0..total / length).step_by(rows) {
            let count = rows.min(total / length - first);
            let values = evaluation.tile::<T>(first * length, count * length)?;
            for (row, values) in (first..).zip(values.chunks_exact(length)) {
                take(geometry.row(row), values);
            }
        }
    }
    Ok(states)
}
