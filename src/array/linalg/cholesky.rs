//! The Cholesky factorisation, tile by tile.

use super::super::array::Array;
use super::super::layout::Layout;
use super::super::movement::fit;
use super::super::node::{Node, Reader};
use super::failure::Failure;
use super::kernels;
use super::rows::matrix_of;
use super::scalar::Field;
use super::systems::{check_sides, check_square, square_chunks};
use crate::{Block, Delayed};
use ndarray::Array2;
use std::panic::Location;
use std::sync::Arc;

fn factor<T: Field>((first, tile): (usize, Arc<Block>)) -> Result<Block, Failure> {
    match kernels::cholesky(matrix_of::<T>(&tile)) {
        Ok(lower) => Ok(Block::from(lower.into_dyn())),
        Err(at) => Err(Failure::NotPositiveDefinite(first + at + 1)),
    }
}

fn divide<T: Field>((tile, diagonal): (Block, Arc<Block>)) -> Block {
    let mut tile = tile.into_array::<T>().into_dimensionality().expect("a block of a matrix");
    kernels::divide_by_adjoint(matrix_of::<T>(&diagonal), tile.view_mut());
    Block::from(tile.into_dyn())
}

fn update<T: Field>((tile, left, right): (Block, Arc<Block>, Arc<Block>)) -> Block {
    let mut tile = tile.into_array::<T>().into_dimensionality().expect("a block of a matrix");
    kernels::subtract_adjoint(tile.view_mut(), matrix_of::<T>(&left), matrix_of::<T>(&right));
    Block::from(tile.into_dyn())
}

fn zeros<T: Field>((rows, columns): (usize, usize)) -> Block {
    Block::from(Array2::from_elem((rows, columns), T::ZERO).into_dyn())
}

/// The lower triangle of a matrix with the same chunks along both axes.
pub(super) fn lower<T: Field>(a: &Arc<Node>, name: &'static str) -> Arc<Node> {
    let input = Reader::new(a);
    Node::tasks_of(&a.client, T::DTYPE, a.layout.clone(), name, move || {
        let (client, sides) = (&input.client, &input.layout.chunks[0]);
        let count = sides.len();
        let mut tiles: Vec<Delayed<Block>> = input.tasks().to_vec();
        let mut first = 0;
        for at in 0..count {
            let diagonal = client.try_delayed(factor::<T>, (first, &tiles[at * count + at])).label(name);
            for row in at + 1..count {
                let tile = tiles[row * count + at].clone();
                tiles[row * count + at] = client.delayed(divide::<T>, (tile, &diagonal)).label(name);
            }
            for row in at + 1..count {
                for column in at + 1..=row {
                    let (left, right) = (&tiles[row * count + at], &tiles[column * count + at]);
                    let tile = tiles[row * count + column].clone();
                    let updated = client.delayed(update::<T>, (tile, left, right)).label(name);
                    tiles[row * count + column] = updated;
                }
                let shape = (sides[at], sides[row]);
                tiles[at * count + row] = client.delayed(zeros::<T>, shape).label(name);
            }
            tiles[at * count + at] = diagonal;
            first += sides[at];
        }
        tiles
    })
}

impl<T: Field> Array<T> {
    /// The Cholesky factorisation of a positive definite matrix, of which the lower triangle is read: the
    /// lower triangular L with a positive diagonal and L Lᴴ = A.
    ///
    /// Tile by tile; a task reads three chunks at most. Chunks of columns are those of rows while it is done.
    /// It fails if the matrix is not positive definite. The last bits are the same for one kind of CPU.
    ///
    /// ```
    /// use serried::array::Array;
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// Builder::new().seed(1u64).run(|client| {
    ///     let x = Array::normal(client, 0.0, 1.0, [300, 100], [100, 40]);
    ///     let a = x.t().matmul(&x);
    ///     let l = a.cholesky();
    ///     let difference = (l.matmul(&l.t()) - a).abs().max();
    ///     assert!(difference.compute()? < 1e-11);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn cholesky(&self) -> Array<T> {
        self.derive("cholesky", Location::caller(), |node| {
            check_square(node)?;
            check_sides(node)?;
            let lower = lower::<T>(&square_chunks(node), "cholesky");
            Ok(fit(&lower, &Layout::of_chunks(node.layout.chunks.clone())))
        })
    }
}
