//! QR of matrices in chunks along both axes.

use super::super::array::Array;
use super::super::error::ArrayProblem;
use super::super::layout::{Layout, check_tasks, pieces};
use super::super::movement::fit;
use super::super::node::{Node, Reader};
use super::panel::Panel;
use super::rows::{Of, Rows, matrix_of};
use super::scalar::Field;
use crate::{Block, Delayed};
use ndarray::Array2;
use std::panic::Location;
use std::sync::{Arc, OnceLock};

/// The columns of a panel, if not all: products of matrices then do most of the work.
const PANEL: usize = 256;

/// A QR factorisation whose tasks are made when they are wanted, once for all arrays that come of it.
pub(super) struct Factorisation {
    input: Reader,
    name: &'static str,
    factors: OnceLock<Factors>,
}

/// Panel after panel: each is factorised, and then its orthogonal matrix multiplied with what is right of it.
struct Factors {
    panels: Vec<Panel>,
    /// For each panel and each block of columns from its own on, the rows of the upper triangle.
    upper: Vec<Vec<Delayed<Block>>>,
}

/// Checks that an operand is a matrix with elements.
pub(super) fn check_matrix(node: &Node) -> Result<(), ArrayProblem> {
    match node.layout.shape[..] {
        [rows, columns] if rows > 0 && columns > 0 => Ok(()),
        _ => Err(ArrayProblem::Argument(format!(
            "a matrix with at least one element is factorised, not an array of shape {:?}",
            node.layout.shape
        ))),
    }
}

/// Checks that an operand is a matrix with elements, whose panels are not too many.
pub(super) fn check_panels(node: &Node) -> Result<(), ArrayProblem> {
    check_matrix(node)?;
    let panels = node.layout.shape[1].div_ceil(panel_width(&node.layout));
    check_tasks(&[panels, panels, node.layout.chunks[0].len()])
}

/// How many columns the panels have. Many small panels keep the tree above the blocks of rows, which is work
/// on top, small beside the work on the blocks; a panel of all columns needs no work beside that on itself.
fn panel_width(layout: &Layout) -> usize {
    let longest = |axis: usize| layout.chunks[axis].iter().copied().max().unwrap_or(1);
    let columns = layout.shape[1];
    match longest(0) >= 2 * columns && (columns <= PANEL || layout.chunks[1].len() == 1) {
        true => columns,
        false => (longest(0) / 4).clamp(16, PANEL).min(columns),
    }
}

impl Factorisation {
    pub(super) fn new(node: &Arc<Node>, name: &'static str) -> Arc<Self> {
        let width = panel_width(&node.layout);
        let chunks = vec![node.layout.chunks[0].clone(), pieces(node.layout.shape[1], width)];
        let input = Reader::new(&fit(node, &Layout::of_chunks(chunks)));
        Arc::new(Factorisation { input, name, factors: OnceLock::new() })
    }

    /// The widths of the panels.
    fn widths(&self) -> &[usize] {
        &self.input.layout.chunks[1]
    }

    /// The rows of the triangle that come of each panel.
    fn ranks(&self) -> Vec<usize> {
        let mut left = self.input.layout.shape[0];
        let ranks = self.widths().iter().map(|&width| {
            let rank = width.min(left);
            left -= rank;
            rank
        });
        ranks.take_while(|&rank| rank > 0).collect()
    }

    fn factors<T: Field>(&self) -> &Factors {
        self.factors.get_or_init(|| {
            let (input, name) = (&self.input, self.name);
            let (client, widths) = (&input.client, self.widths());
            let column = |at: usize| -> Vec<Rows> {
                let heights = input.layout.chunks[0].iter().enumerate();
                let block = |row: usize| &input.tasks()[row * widths.len() + at];
                heights.map(|(row, &height)| Rows::of(block(row), height)).collect()
            };
            let mut columns: Vec<Vec<Rows>> = (0..widths.len()).map(column).collect();
            let (mut panels, mut upper) = (Vec::new(), Vec::new());
            for at in 0..self.ranks().len() {
                let panel = Panel::new::<T>(client, name, &columns[at], widths[at]);
                let mut rows = vec![panel.triangle::<T>(client, name)];
                for other in at + 1..widths.len() {
                    let (top, rest) = panel.rotate_back::<T>(client, name, &columns[other], widths[other]);
                    rows.push(top);
                    columns[other] = rest;
                }
                panels.push(panel);
                upper.push(rows);
            }
            Factors { panels, upper }
        })
    }

    /// The upper triangle, in one row of blocks for each panel.
    pub(super) fn r<T: Field>(self: &Arc<Self>) -> Arc<Node> {
        let chunks = vec![self.ranks(), self.widths().to_vec()];
        let layout = Layout::of_chunks(chunks);
        let (this, made) = (Arc::clone(self), layout.clone());
        let client = &self.input.client;
        Node::tasks_of(client, T::DTYPE, layout, self.name, move || {
            let upper = &this.factors::<T>().upper;
            let block = |chunk: super::super::layout::Chunk| {
                let (row, column) = (chunk.position[0], chunk.position[1]);
                match column.checked_sub(row) {
                    Some(at) => upper[row][at].clone(),
                    None => {
                        let shape = (chunk.shape[0], chunk.shape[1]);
                        this.input.client.delayed(zeros::<T>, (shape,)).label(this.name)
                    }
                }
            };
            made.chunks().map(block).collect()
        })
    }

    /// The columns of the orthogonal matrix, as many as the triangle has rows.
    pub(super) fn q<T: Field>(self: &Arc<Self>) -> Arc<Node> {
        let ranks = self.ranks();
        let layout = Layout::of_chunks(vec![self.input.layout.chunks[0].clone(), ranks.clone()]);
        let this = Arc::clone(self);
        Node::tasks_of(&self.input.client, T::DTYPE, layout, self.name, move || {
            let (client, name) = (&this.input.client, this.name);
            let panels = &this.factors::<T>().panels;
            let columns: Vec<Vec<Delayed<Block>>> = (0..ranks.len())
                .map(|at| {
                    let mut rest: Option<Vec<Delayed<Block>>> = None;
                    for (number, panel) in panels[..=at].iter().enumerate().rev() {
                        let top = if number == at { Of::Identity } else { Of::Zeros };
                        rest = Some(panel.rotate::<T>(client, name, top, rest.as_deref(), ranks[at]));
                    }
                    rest.unwrap_or_default()
                })
                .collect();
            let rows = 0..this.input.layout.chunks[0].len();
            rows.flat_map(|row| columns.iter().map(move |column| column[row].clone())).collect()
        })
    }

    /// What the conjugate transpose of the orthogonal matrix makes of columns in blocks of the same rows:
    /// blocks of rows, one for each panel.
    pub(super) fn rotate_back<T: Field>(&self, mut rows: Vec<Rows>, width: usize) -> Vec<Delayed<Block>> {
        let mut tops = Vec::new();
        for panel in &self.factors::<T>().panels {
            let (top, rest) = panel.rotate_back::<T>(&self.input.client, self.name, &rows, width);
            tops.push(top);
            rows = rest;
        }
        tops
    }
}

fn zeros<T: Field>((shape,): ((usize, usize),)) -> Block {
    Block::from(Array2::from_elem(shape, T::ZERO).into_dyn())
}

/// The chunks of an axis that is as long as the shorter one of a matrix: those of that axis.
pub(super) fn inner_chunks(layout: &Layout) -> Vec<usize> {
    let shorter = usize::from(layout.shape[1] <= layout.shape[0]);
    layout.chunks[shorter].clone()
}

impl<T: Field> Array<T> {
    /// The QR factorisation of a matrix in chunks along one or both axes: Q with orthonormal columns and the
    /// upper triangular R, with Q R = A. Of m x n elements, Q is m x k and R is k x n, k the smaller of m and
    /// n.
    ///
    /// The diagonal of R is real and not negative, which makes the factors of a matrix of full rank unique.
    /// It is done panel by panel with Householder reflectors and a tree over the chunks of rows (Demmel,
    /// Grigori, Hoemmen, Langou 2012), so it is as stable as LAPACK's, also if columns depend on each other.
    /// A matrix with chunks of all columns, at most half as many as rows, is one panel; else panels have a
    /// quarter of the columns that a chunk has rows, at most 256. The last bits are the same for one kind of
    /// CPU.
    ///
    /// ```
    /// use serried::array::Array;
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// Builder::new().seed(1u64).run(|client| {
    ///     let a = Array::normal(client, 0.0, 1.0, [1000, 8], [250, 8]);
    ///     let (q, r) = a.qr();
    ///     let difference = (q.matmul(&r) - &a).abs().max();
    ///     assert!(difference.compute()? < 1e-13);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn qr(&self) -> (Array<T>, Array<T>) {
        let place = Location::caller();
        let factorisation = OnceLock::new();
        let shared = |node: &Arc<Node>| {
            check_panels(node)?;
            Ok::<_, ArrayProblem>(Arc::clone(factorisation.get_or_init(|| Factorisation::new(node, "qr"))))
        };
        let q = self.derive("qr", place, |node| {
            let q = shared(node)?.q::<T>();
            let chunks = vec![node.layout.chunks[0].clone(), inner_chunks(&node.layout)];
            Ok(fit(&q, &Layout::of_chunks(chunks)))
        });
        let r = self.derive("qr", place, |node| {
            let r = shared(node)?.r::<T>();
            let chunks = vec![inner_chunks(&node.layout), node.layout.chunks[1].clone()];
            Ok(fit(&r, &Layout::of_chunks(chunks)))
        });
        (q, r)
    }
}

/// The upper triangle in one block.
pub(super) fn whole<T: Field>(blocks: &[Arc<Block>], grid: (usize, usize)) -> Array2<T> {
    let rows = (0..grid.0).map(|row| matrix_of::<T>(&blocks[row * grid.1]).nrows()).sum();
    let columns = (0..grid.1).map(|column| matrix_of::<T>(&blocks[column]).ncols()).sum();
    let mut whole = Array2::from_elem((rows, columns), T::ZERO);
    let mut first = 0;
    for row in blocks.chunks(grid.1) {
        let mut left = 0;
        for block in row {
            let block = matrix_of::<T>(block);
            let place = ndarray::s![first..first + block.nrows(), left..left + block.ncols()];
            whole.slice_mut(place).assign(&block);
            left += block.ncols();
        }
        first += matrix_of::<T>(&row[0]).nrows();
    }
    whole
}
