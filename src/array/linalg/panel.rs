//! A QR factorisation of a few columns of all rows of a matrix, by a tree over the blocks of rows.
//!
//! The rows of each block are factorised on their own; then the triangles of neighbours, stacked, up to one
//! triangle. The orthogonal matrix is kept as the reflectors of all steps, and multiplied with by going up or
//! down the tree: tall-skinny QR, the panel of communication-avoiding QR (Demmel, Grigori, Hoemmen, Langou,
//! SIAM J. Sci. Comput. 34, 2012). As the QR of Householder it is stable whatever the matrix, also one whose
//! columns depend on each other.

use super::failure::Failure;
use super::kernels::Reflectors;
use super::rows::{Of, Part, Recipe, Rows, assemble, take};
use super::scalar::Field;
use crate::{Block, Client, Delayed};
use ndarray::Array2;
use std::sync::Arc;

/// Triangles that are stacked.
const FAN_IN: usize = 8;

/// A factorised panel.
pub(super) struct Panel {
    /// Blocks of rows in their order, then what brings triangles together; the last one is the root.
    steps: Vec<Step>,
    leaves: usize,
    columns: usize,
    /// What is left below the triangles, for each block of rows that is left.
    rest: Vec<Vec<Left>>,
}

/// One factorisation of the tree.
struct Step {
    rows: usize,
    /// The steps whose triangles it stacks.
    members: Vec<usize>,
    reflectors: Delayed<Block>,
    /// Where the rows below its triangle go: a block of rows that is left, and the first row in it.
    goes_to: Option<(usize, usize)>,
}

/// The rows below the triangle of a step.
struct Left {
    step: usize,
    first: usize,
    count: usize,
}

type Factor = (usize, Vec<Recipe>, Vec<Arc<Block>>);

fn factor<T: Field>((columns, recipes, blocks): Factor) -> Result<Block, Failure> {
    let rows = assemble::<T>(&recipes, &blocks, columns);
    // A reflector of a column with an infinity may be finite, and wrong.
    if !rows.iter().all(T::is_finite_impl) {
        return Err(Failure::NotFinite);
    }
    let numbers = Reflectors::new(rows.nrows(), columns).factor(rows.view());
    Ok(Block::from_vec(&[numbers.len()], numbers))
}

fn triangle<T: Field>((reflectors, rows, columns): (Arc<Block>, usize, usize)) -> Block {
    let triangle = Reflectors::new(rows, columns).triangle(reflectors.as_slice::<T>());
    Block::from(triangle.into_dyn())
}

/// Reflectors, the number of their columns, whether to go back, the width of the rows, and the rows.
type Turn = (Arc<Block>, usize, bool, usize, Vec<Recipe>, Vec<Arc<Block>>);

fn turn<T: Field>((numbers, columns, back, width, recipes, blocks): Turn) -> Block {
    let rows: Array2<T> = assemble(&recipes, &blocks, width).into_owned();
    let (reflectors, numbers) = (Reflectors::new(rows.nrows(), columns), numbers.as_slice::<T>());
    let turned = if back { reflectors.rotate_back(numbers, rows) } else { reflectors.rotate(numbers, rows) };
    Block::from(turned.into_dyn())
}

impl Panel {
    /// Factorises the panel with these rows, of `columns` elements, in blocks none of which is empty.
    pub(super) fn new<T: Field>(client: &Client, name: &'static str, rows: &[Rows], columns: usize) -> Self {
        let mut steps: Vec<Step> = Vec::new();
        for rows in rows {
            steps.push(Step::new::<T>(client, name, rows, columns, Vec::new()));
        }
        let mut level: Vec<usize> = (0..rows.len()).collect();
        while level.len() > 1 {
            let mut next = Vec::new();
            for members in level.chunks(FAN_IN) {
                if let [only] = members {
                    next.push(*only);
                    continue;
                }
                let parts = members.iter().map(|&member| {
                    let Step { rows, reflectors, .. } = &steps[member];
                    let triangle = client.delayed(triangle::<T>, (reflectors, *rows, columns)).label(name);
                    Part { of: Of::Block(triangle), first: 0, count: steps[member].rank(columns) }
                });
                let stacked = Rows { parts: parts.collect() };
                steps.push(Step::new::<T>(client, name, &stacked, columns, members.to_vec()));
                next.push(steps.len() - 1);
            }
            level = next;
        }
        let mut panel = Panel { steps, leaves: rows.len(), columns, rest: Vec::new() };
        panel.place_rest();
        panel
    }

    /// Decides where the rows below the triangles go: those of a block stay a block, and what is left of
    /// stacked triangles goes to the last block among them.
    fn place_rest(&mut self) {
        let mut rest: Vec<Vec<Left>> = (0..self.leaves).map(|_| Vec::new()).collect();
        for number in (0..self.steps.len()).rev() {
            let (step, mut leaf) = (&self.steps[number], number);
            while let Some(&last) = self.steps[leaf].members.last() {
                leaf = last;
            }
            let first = step.rank(self.columns);
            if step.rows > first {
                rest[leaf].push(Left { step: number, first, count: step.rows - first });
            }
        }
        rest.retain(|left| !left.is_empty());
        for (block, lefts) in rest.iter().enumerate() {
            let mut row = 0;
            for left in lefts {
                self.steps[left.step].goes_to = Some((block, row));
                row += left.count;
            }
        }
        self.rest = rest;
    }

    /// The rows of the triangle.
    pub(super) fn rank(&self) -> usize {
        self.root().rank(self.columns)
    }

    fn root(&self) -> &Step {
        self.steps.last().expect("a panel has rows")
    }

    /// The upper triangle, of [`rank`](Self::rank) rows.
    pub(super) fn triangle<T: Field>(&self, client: &Client, name: &'static str) -> Delayed<Block> {
        let root = self.root();
        client.delayed(triangle::<T>, (&root.reflectors, root.rows, self.columns)).label(name)
    }

    /// Multiplies by the conjugate transpose of the orthogonal matrix: gives the rows beside the triangle,
    /// and those that are left, in blocks.
    pub(super) fn rotate_back<T: Field>(
        &self,
        client: &Client,
        name: &'static str,
        rows: &[Rows],
        width: usize,
    ) -> (Delayed<Block>, Vec<Rows>) {
        let mut turned: Vec<Delayed<Block>> = Vec::new();
        for (number, step) in self.steps.iter().enumerate() {
            let stacked;
            let rows = if number < self.leaves {
                &rows[number]
            } else {
                let parts = step.members.iter().map(|&member| {
                    let count = self.steps[member].rank(self.columns);
                    let top = take::<T>(client, name, &turned[member], 0, count);
                    Part { of: Of::Block(top), first: 0, count }
                });
                stacked = Rows { parts: parts.collect() };
                &stacked
            };
            turned.push(step.turn::<T>(client, name, self.columns, true, rows, width));
        }
        let top = take::<T>(client, name, &turned[turned.len() - 1], 0, self.rank());
        let part = |left: &Left| Part {
            of: Of::Block(turned[left.step].clone()),
            first: left.first,
            count: left.count,
        };
        let rest = self.rest.iter().map(|lefts| Rows { parts: lefts.iter().map(part).collect() });
        (top, rest.collect())
    }

    /// Multiplies by the orthogonal matrix: of the rows beside the triangle and those that are left (zeros if
    /// they are not given) makes the rows of all blocks.
    pub(super) fn rotate<T: Field>(
        &self,
        client: &Client,
        name: &'static str,
        top: Of,
        rest: Option<&[Delayed<Block>]>,
        width: usize,
    ) -> Vec<Delayed<Block>> {
        let mut tops: Vec<Option<Part>> = self.steps.iter().map(|_| None).collect();
        tops[self.steps.len() - 1] = Some(Part { of: top, first: 0, count: self.rank() });
        let mut leaves = Vec::new();
        for (number, step) in self.steps.iter().enumerate().rev() {
            let mut parts: Vec<Part> = tops[number].take().into_iter().collect();
            let count = step.rows - step.rank(self.columns);
            match (step.goes_to, rest) {
                (Some((block, first)), Some(rest)) => {
                    parts.push(Part { of: Of::Block(rest[block].clone()), first, count });
                }
                _ => parts.push(Part { of: Of::Zeros, first: 0, count }),
            }
            let turned = step.turn::<T>(client, name, self.columns, false, &Rows { parts }, width);
            let mut first = 0;
            for &member in &step.members {
                let count = self.steps[member].rank(self.columns);
                let part = take::<T>(client, name, &turned, first, count);
                tops[member] = Some(Part { of: Of::Block(part), first: 0, count });
                first += count;
            }
            if number < self.leaves {
                leaves.push(turned);
            }
        }
        leaves.reverse();
        leaves
    }
}

impl Step {
    fn new<T: Field>(
        client: &Client,
        name: &'static str,
        rows: &Rows,
        columns: usize,
        members: Vec<usize>,
    ) -> Self {
        let (recipes, blocks) = rows.pack();
        let reflectors = client.try_delayed(factor::<T>, (columns, recipes, &blocks)).label(name);
        Step { rows: rows.count(), members, reflectors, goes_to: None }
    }

    /// The rows of its triangle.
    fn rank(&self, columns: usize) -> usize {
        self.rows.min(columns)
    }

    fn turn<T: Field>(
        &self,
        client: &Client,
        name: &'static str,
        columns: usize,
        back: bool,
        rows: &Rows,
        width: usize,
    ) -> Delayed<Block> {
        let (recipes, blocks) = rows.pack();
        let turn = client.delayed(turn::<T>, (&self.reflectors, columns, back, width, recipes, &blocks));
        turn.label(name)
    }
}
