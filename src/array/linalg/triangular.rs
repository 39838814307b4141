//! Triangular systems in blocks.

use super::super::node::{Node, Reader};
use super::kernels::{self, Side};
use super::rows::matrix_of;
use super::scalar::Field;
use crate::{Block, Client, Delayed, List};
use std::sync::Arc;

/// The block on the diagonal and those right of it, the unknowns that are known, the right-hand side.
type Substitute = (Side, Arc<Block>, Vec<Arc<Block>>, Vec<Arc<Block>>, Arc<Block>);

fn substitute<T: Field>((side, diagonal, row, known, b): Substitute) -> Block {
    let mut x = matrix_of::<T>(&b).to_owned();
    for (block, known) in row.iter().zip(&known) {
        kernels::subtract(x.view_mut(), matrix_of(block), matrix_of(known));
    }
    kernels::solve_triangular(matrix_of::<T>(&diagonal), side, x.view_mut());
    Block::from(x.into_dyn())
}

/// As `substitute` with the conjugate transposes of the blocks, which stand below the diagonal.
fn substitute_adjoint<T: Field>((side, diagonal, column, known, b): Substitute) -> Block {
    let mut x = matrix_of::<T>(&b).to_owned();
    for (block, known) in column.iter().zip(&known) {
        let adjoint = matrix_of::<T>(block).t().mapv(T::conjugate);
        kernels::subtract(x.view_mut(), adjoint.view(), matrix_of(known));
    }
    kernels::solve_triangular(matrix_of::<T>(&diagonal), side, x.view_mut());
    Block::from(x.into_dyn())
}

/// Solves a triangular system in blocks for one block of columns: `block(i, j)` is a block of the triangle.
pub(super) fn solve_blocks<T: Field>(
    name: &'static str,
    side: Side,
    block: impl Fn(usize, usize) -> Delayed<Block>,
    b: Vec<Delayed<Block>>,
    client: &Client,
) -> Vec<Delayed<Block>> {
    let count = b.len();
    let mut x: Vec<Option<Delayed<Block>>> = vec![None; count];
    let forward = matches!(side, Side::Lower | Side::UnitLower);
    for step in 0..count {
        let at = if forward { step } else { count - 1 - step };
        let others: Vec<usize> = if forward { (0..at).collect() } else { (at + 1..count).collect() };
        let (function, blocks): (fn(Substitute) -> Block, List<Block>) = match side {
            Side::LowerAdjoint => {
                (substitute_adjoint::<T>, others.iter().map(|&other| block(other, at)).collect())
            }
            _ => (substitute::<T>, others.iter().map(|&other| block(at, other)).collect()),
        };
        let known: List<Block> = others.iter().filter_map(|&other| x[other].clone()).collect();
        let diagonal = block(at, at);
        x[at] = Some(client.delayed(function, (side, &diagonal, &blocks, &known, &b[at])).label(name));
    }
    x.into_iter().flatten().collect()
}

/// The blocks of a solution in C order, of those of each block of columns.
pub(super) fn in_order(columns: &[Vec<Delayed<Block>>]) -> Vec<Delayed<Block>> {
    let rows = columns.first().map_or(0, Vec::len);
    (0..rows).flat_map(|row| columns.iter().map(move |column| column[row].clone())).collect()
}

/// The column of blocks of a matrix at a place.
fn column_of(node: &Arc<Node>, at: usize) -> Vec<Delayed<Block>> {
    node.tasks().iter().skip(at).step_by(node.layout.chunks[1].len()).cloned().collect()
}

/// The solution of a triangular system whose triangle has the same chunks along both axes.
pub(super) fn solve<T: Field>(
    name: &'static str,
    triangle: &Arc<Node>,
    side: Side,
    b: &Arc<Node>,
) -> Arc<Node> {
    let (triangle, b) = (Reader::new(triangle), Reader::new(b));
    let client = b.client.clone();
    Node::tasks_of(&client, T::DTYPE, b.layout.clone(), name, move || {
        let blocks = triangle.layout.chunks[1].len();
        let block = |row: usize, column: usize| triangle.tasks()[row * blocks + column].clone();
        let solve = |column| solve_blocks::<T>(name, side, block, column_of(&b, column), &b.client);
        let columns: Vec<_> = (0..b.layout.chunks[1].len()).map(solve).collect();
        in_order(&columns)
    })
}
