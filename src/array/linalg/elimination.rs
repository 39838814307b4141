//! Gaussian elimination with partial pivoting, in panels of columns.

use super::super::layout::{Layout, pieces, starts};
use super::super::movement::fit;
use super::super::node::{Node, Reader};
use super::failure::Failure;
use super::kernels::{self, Side};
use super::rows::{Of, Part, Recipe, Rows, assemble, matrix_of, take};
use super::scalar::Field;
use super::triangular::{in_order, solve_blocks};
use crate::{Block, Delayed};
use ndarray::{Array2, s};
use std::sync::Arc;

/// The columns that are eliminated at once.
const PANEL: usize = 256;

/// L and U of a panel in one block, and the order of its rows.
type Eliminated = (Block, Vec<usize>);

/// The first column, the rows that are left, and the panel in them.
type Eliminate = (usize, Vec<Recipe>, usize, Vec<Arc<Block>>);

fn eliminate<T: Field>((first, recipes, width, blocks): Eliminate) -> Result<Eliminated, Failure> {
    let (factors, order) = kernels::lu(assemble::<T>(&recipes, &blocks, width).view());
    match factors.diag().iter().position(|&pivot| pivot == T::ZERO) {
        Some(at) => Err(Failure::Singular(first + at)),
        None => Ok((Block::from(factors.into_dyn()), order)),
    }
}

/// A panel, and the rows beside it.
type Update = (Arc<Eliminated>, Vec<Recipe>, usize, Vec<Arc<Block>>);

/// Brings columns beside a panel into the order of its rows and eliminates with it: gives the rows beside U
/// first, then those that are left.
fn update<T: Field>((panel, recipes, width, blocks): Update) -> Block {
    let (factors, order) = (matrix_of::<T>(&panel.0), &panel.1);
    let rows = assemble::<T>(&recipes, &blocks, width);
    let mut ordered = Array2::from_elem(rows.dim(), T::ZERO);
    for (mut row, &from) in ordered.outer_iter_mut().zip(order) {
        row.assign(&rows.row(from));
    }
    let pivots = factors.ncols();
    let (mut top, rest) = ordered.view_mut().split_at(ndarray::Axis(0), pivots);
    kernels::solve_triangular(factors.slice(s![..pivots, ..]), Side::UnitLower, top.view_mut());
    kernels::subtract(rest, factors.slice(s![pivots.., ..]), top.view());
    Block::from(ordered.into_dyn())
}

fn upper<T: Field>((panel,): (Arc<Eliminated>,)) -> Block {
    let factors = matrix_of::<T>(&panel.0);
    Block::from(factors.slice(s![..factors.ncols(), ..]).to_owned().into_dyn())
}

/// The solution of `a` x = `b` by elimination with partial pivoting, as in LAPACK: panel by panel of all rows
/// that are left.
pub(super) fn solve<T: Field>(a: &Arc<Node>, b: &Arc<Node>) -> Arc<Node> {
    let size = a.layout.shape[0];
    let widths = pieces(size, PANEL);
    let a = Reader::new(&fit(a, &Layout::of_chunks(vec![vec![size], widths.clone()])));
    let b = Reader::new(&fit(b, &Layout::of_chunks(vec![vec![size], b.layout.chunks[1].clone()])));
    let layout = Layout::of_chunks(vec![widths.clone(), b.layout.chunks[1].clone()]);
    let client = a.client.clone();
    Node::tasks_of(&client, T::DTYPE, layout, "solve", move || {
        let (client, firsts, count) = (&a.client, starts(&widths), widths.len());
        let all = a.tasks().iter().chain(b.tasks());
        let mut columns: Vec<Rows> = all.map(|block| Rows::of(block, size)).collect();
        let width_of = |at: usize| widths.get(at).copied().unwrap_or_else(|| b.layout.chunks[1][at - count]);
        // For each panel the rows of U, and of what stands on the right.
        let mut tops: Vec<Vec<Delayed<Block>>> = Vec::new();
        for at in 0..count {
            let (width, left) = (widths[at], size - firsts[at]);
            let (recipes, blocks) = columns[at].pack();
            let panel =
                client.try_delayed(eliminate::<T>, (firsts[at], recipes, width, &blocks)).label("solve");
            let mut row = vec![client.delayed(upper::<T>, (&panel,)).label("solve")];
            for (other, column) in columns.iter_mut().enumerate().skip(at + 1) {
                let (recipes, blocks) = column.pack();
                let updated =
                    client.delayed(update::<T>, (&panel, recipes, width_of(other), &blocks)).label("solve");
                row.push(take::<T>(client, "solve", &updated, 0, width));
                let rest = Part { of: Of::Block(updated), first: width, count: left - width };
                *column = Rows { parts: vec![rest] };
            }
            tops.push(row);
        }
        let block = |row: usize, column: usize| tops[row][column - row].clone();
        let solve = |column: usize| {
            let b = (0..count).map(|row| block(row, count + column)).collect();
            solve_blocks::<T>("solve", Side::Upper, block, b, client)
        };
        let columns: Vec<_> = (0..b.layout.chunks[1].len()).map(solve).collect();
        in_order(&columns)
    })
}
