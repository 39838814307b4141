//! Reading a block tile by tile, in whatever order of its axes the chunk has.

use super::register::Lane;

/// Rows of a transposed block that are turned round at a time: few enough to stay in the second cache, enough
/// that cache lines and pages of the block are read once.
const PANEL_ROWS: usize = 64;

/// Sides of the squares in which they are turned round: a cache line of numbers, and few enough for the
/// registers of the processor.
const SQUARE: usize = 8;

/// How a chunk reads a block.
#[derive(Debug)]
pub(super) struct Leaf {
    strides: Vec<usize>,
    /// The elements of the block lie in the order of the chunk.
    pub(super) direct: bool,
    /// The axis before the last is the one along which the block lies in memory.
    transposed: bool,
    /// The rows of the chunk that are in the panel.
    panel_rows: std::ops::Range<usize>,
    /// Where the elements read last begin in the panel, if they are all there.
    pub(super) in_panel: Option<usize>,
}

impl Leaf {
    pub(super) fn new(shape: &[usize], strides: &[usize]) -> Self {
        let mut expected = 1;
        let mut direct = true;
        for (&length, &stride) in shape.iter().zip(strides).rev() {
            direct &= length == 1 || stride == expected;
            expected *= length;
        }
        let transposed = match strides {
            [.., before, last] => *before == 1 && *last > 1,
            _ => false,
        };
        Leaf { strides: strides.to_vec(), direct, transposed, panel_rows: 0..0, in_panel: None }
    }

    /// Appends the elements of the chunk from `start` on, `count` of them, to `out`, unless they are
    /// [in the panel](Self::in_panel): `panel` keeps what may be wanted again.
    pub(super) fn read<T: Lane>(
        &mut self,
        block: &[T],
        shape: &[usize],
        start: usize,
        count: usize,
        out: &mut Vec<T>,
        panel: &mut Vec<T>,
    ) {
        let row = shape.last().copied().unwrap_or(1);
        self.in_panel = None;
        if self.transposed && count > 0 {
            self.fill_panel(block, shape, start / row, panel);
            if self.panel_rows.contains(&((start + count - 1) / row)) {
                self.in_panel = Some(start - self.panel_rows.start * row);
                return;
            }
        }
        for run in Runs::new(shape, start, count) {
            if self.transposed {
                self.fill_panel(block, shape, run.row, panel);
                let from = (run.row - self.panel_rows.start) * row + run.column;
                out.extend_from_slice(&panel[from..from + run.count]);
                continue;
            }
            let first = run.place(shape, &self.strides);
            match self.strides.last().copied().unwrap_or(0) {
                0 => out.extend(std::iter::repeat_n(block[first], run.count)),
                1 => out.extend_from_slice(&block[first..first + run.count]),
                step => out.extend(block[first..].iter().step_by(step).take(run.count)),
            }
        }
    }

    /// Sees that `row` is in the panel.
    fn fill_panel<T: Lane>(&mut self, block: &[T], shape: &[usize], row: usize, panel: &mut Vec<T>) {
        if self.panel_rows.contains(&row) {
            return;
        }
        let axes = shape.len();
        let (rows, columns) = (shape[axes - 2], shape[axes - 1]);
        // Panels do not reach over the end of the second last axis.
        let within = row % rows;
        let count = PANEL_ROWS.min(rows - within);
        let run = Run { row, column: 0, count: columns };
        let first = run.place(shape, &self.strides);
        panel.resize(count * columns, T::default());
        turn(&block[first..], self.strides[axes - 1], columns, panel);
        self.panel_rows = row..row + count;
    }
}

/// Turns round a matrix whose columns lie one after another in `from`, `step` elements apart, so that its
/// rows lie one after another in `into`.
fn turn<T: Lane>(from: &[T], step: usize, columns: usize, into: &mut [T]) {
    let rows = into.len() / columns;
    for column in (0..columns).step_by(SQUARE) {
        let width = SQUARE.min(columns - column);
        for row in (0..rows).step_by(SQUARE) {
            let height = SQUARE.min(rows - row);
            if (height, width) == (SQUARE, SQUARE) {
                turn_square(&from[column * step + row..], step, columns, &mut into[row * columns + column..]);
                continue;
            }
            for at in row..row + height {
                for column in column..column + width {
                    into[at * columns + column] = from[column * step + at];
                }
            }
        }
    }
}

/// Turns round a square of a matrix. All of it is read before anything is written: so many cache lines are
/// under way at a time.
#[inline(always)]
fn turn_square<T: Lane>(from: &[T], step: usize, columns: usize, into: &mut [T]) {
    let lines: [[T; SQUARE]; SQUARE] =
        std::array::from_fn(|column| *from[column * step..].first_chunk().expect("a square is whole"));
    for (at, row) in into.chunks_mut(columns).take(SQUARE).enumerate() {
        *row.first_chunk_mut().expect("a square is whole") = lines.map(|line| line[at]);
    }
}

/// Elements of a chunk that follow each other along its last axis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    /// The number of the row, in C order.
    pub(super) row: usize,
    pub(super) column: usize,
    pub(super) count: usize,
}

impl Run {
    /// The place of its first element when the axes have these strides.
    pub(super) fn place(&self, shape: &[usize], strides: &[usize]) -> usize {
        let Some((&last, outer)) = strides.split_last() else { return 0 };
        let mut row = self.row;
        let mut place = self.column * last;
        for (&length, &stride) in shape[..outer.len()].iter().zip(outer).rev() {
            place += row % length * stride;
            row /= length;
        }
        place
    }
}

/// The runs that make up a stretch of a chunk in C order.
#[derive(Debug)]
pub(super) struct Runs {
    columns: usize,
    at: usize,
    end: usize,
}

impl Runs {
    pub(super) fn new(shape: &[usize], start: usize, count: usize) -> Self {
        Runs { columns: shape.last().copied().unwrap_or(1).max(1), at: start, end: start + count }
    }
}

impl Iterator for Runs {
    type Item = Run;
    fn next(&mut self) -> Option<Run> {
        if self.at == self.end {
            return None;
        }
        let (row, column) = (self.at / self.columns, self.at % self.columns);
        let count = (self.columns - column).min(self.end - self.at);
        self.at += count;
        Some(Run { row, column, count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{ArrayD, IxDyn};
    use proptest::prelude::*;

    proptest! {
        /// Any order of axes, axes that repeat, and any cut into tiles read what indexing reads.
        #[test]
        fn tiles_are_what_indexing_gives(
            shape in proptest::collection::vec(1usize..40, 1..4),
            order in proptest::sample::subsequence(vec![0usize, 1, 2], 0..=3),
            reverse: bool,
            tile in 1usize..200,
        ) {
            // The block has the axes of the chunk that `order` names, in this order.
            let mut axes: Vec<usize> = order.into_iter().filter(|&axis| axis < shape.len()).collect();
            if reverse {
                axes.reverse();
            }
            let block_shape: Vec<usize> = axes.iter().map(|&axis| shape[axis]).collect();
            let size = block_shape.iter().product::<usize>();
            let block = ArrayD::from_shape_vec(IxDyn(&block_shape), (0..size as i64).collect()).expect("sizes");
            let mut strides = vec![0; shape.len()];
            for (at, &axis) in axes.iter().enumerate() {
                strides[axis] = block_shape[at + 1..].iter().product();
            }
            let mut expected = Vec::new();
            for index in super::super::super::layout::positions(&shape) {
                let at: Vec<usize> = axes.iter().map(|&axis| index[axis]).collect();
                expected.push(block[IxDyn(&at)]);
            }
            let mut leaf = Leaf::new(&shape, &strides);
            let (mut out, mut panel) = (Vec::new(), Vec::new());
            let total = shape.iter().product::<usize>();
            let elements = block.as_slice().expect("C order");
            for start in (0..total).step_by(tile) {
                let count = tile.min(total - start);
                leaf.read(elements, &shape, start, count, &mut out, &mut panel);
                if let Some(first) = leaf.in_panel {
                    out.extend_from_slice(&panel[first..first + count]);
                }
            }
            prop_assert_eq!(&out, &expected);
            if leaf.direct {
                prop_assert_eq!(elements, &expected[..]);
            }
        }
    }
}
