//! Rows of matrices that are put together of rows of blocks.

use super::scalar::Field;
use crate::{Block, Client, Delayed, List};
use ndarray::{Array2, ArrayView2, CowArray, Ix2, s};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Rows one after another, of one width.
#[derive(Clone, Default)]
pub(super) struct Rows {
    pub(super) parts: Vec<Part>,
}

/// Some consecutive rows.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) of: Of,
    /// The first of them there.
    pub(super) first: usize,
    pub(super) count: usize,
}

/// What the rows are taken of.
#[derive(Clone)]
pub(super) enum Of {
    Block(Delayed<Block>),
    Zeros,
    Identity,
}

/// The same as an argument of a task: blocks are named by their number among those that it reads.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Recipe {
    of: Named,
    first: u64,
    count: u64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Named {
    Block(u32),
    Zeros,
    Identity,
}

impl Rows {
    /// All rows of a block.
    pub(super) fn of(block: &Delayed<Block>, count: usize) -> Self {
        Rows { parts: vec![Part { of: Of::Block(block.clone()), first: 0, count }] }
    }

    pub(super) fn count(&self) -> usize {
        self.parts.iter().map(|part| part.count).sum()
    }

    /// The arguments of a task that puts them together.
    pub(super) fn pack(&self) -> (Vec<Recipe>, List<Block>) {
        let mut blocks = Vec::new();
        let recipes = self.parts.iter().map(|part| {
            let of = match &part.of {
                Of::Zeros => Named::Zeros,
                Of::Identity => Named::Identity,
                Of::Block(block) => {
                    blocks.push(block);
                    Named::Block(blocks.len() as u32 - 1)
                }
            };
            Recipe { of, first: part.first as u64, count: part.count as u64 }
        });
        (recipes.collect(), blocks.into_iter().collect())
    }
}

/// Rows of a block as a block of their own, so that the rest of it need not travel.
pub(super) fn take<T: Field>(
    client: &Client,
    name: &'static str,
    block: &Delayed<Block>,
    first: usize,
    count: usize,
) -> Delayed<Block> {
    client.delayed(taken::<T>, (block, first, count)).label(name)
}

fn taken<T: Field>((block, first, count): (Arc<Block>, usize, usize)) -> Block {
    Block::from(matrix_of::<T>(&block).slice(s![first..first + count, ..]).to_owned().into_dyn())
}

/// A block with two axes.
///
/// # Panics
/// If it has not.
pub(super) fn matrix_of<T: Field>(block: &Block) -> ArrayView2<'_, T> {
    block.view::<T>().into_dimensionality().expect("a block of a matrix")
}

/// The rows, each of `columns` elements: without a copy if they are those of one block.
pub(super) fn assemble<'a, T: Field>(
    recipes: &[Recipe],
    blocks: &'a [Arc<Block>],
    columns: usize,
) -> CowArray<'a, T, Ix2> {
    if let ([Recipe { of: Named::Block(_), first, count }], [block]) = (recipes, blocks) {
        let (first, count) = (*first as usize, *count as usize);
        return CowArray::from(matrix_of::<T>(block).slice_move(s![first..first + count, ..]));
    }
    let rows: u64 = recipes.iter().map(|recipe| recipe.count).sum();
    let mut all = Array2::from_elem((rows as usize, columns), T::ZERO);
    let mut at = 0;
    for &Recipe { of, first, count } in recipes {
        let (first, count) = (first as usize, count as usize);
        let mut place = all.slice_mut(s![at..at + count, ..]);
        match of {
            Named::Zeros => {}
            Named::Identity => {
                for row in 0..count.min(columns.saturating_sub(first)) {
                    place[[row, first + row]] = T::ONE;
                }
            }
            Named::Block(block) => {
                let block = matrix_of::<T>(&blocks[block as usize]);
                place.assign(&block.slice(s![first..first + count, ..]));
            }
        }
        at += count;
    }
    CowArray::from(all)
}
