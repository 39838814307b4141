//! Rows of numbers, column by column.

/// Columns that are treated side by side.
pub(super) const COLUMNS: usize = 16;

/// A part of some rows, as wide as is treated side by side.
pub(super) struct Tile<'a, T> {
    rows: &'a [T],
    /// The width of a row, and of the tile.
    row: usize,
    width: usize,
    first: usize,
    columns: usize,
}

impl<T: Copy + Into<f64>> Tile<'_, T> {
    /// The rows; in place of columns that the tile does not have are zeros.
    #[inline(always)]
    pub(super) fn rows(&self) -> impl Iterator<Item = [f64; COLUMNS]> {
        self.rows.chunks_exact(self.row).map(|row| {
            let part = &row[self.first..self.first + self.width];
            if let Some(whole) = part.first_chunk() {
                return whole.map(Into::into);
            }
            let mut values = [0.0; COLUMNS];
            for (value, &narrow) in values.iter_mut().zip(part) {
                *value = narrow.into();
            }
            values
        })
    }

    /// The column of each lane.
    pub(super) fn columns(&self) -> impl Iterator<Item = usize> {
        (self.first..self.first + self.width).map(|column| column % self.columns)
    }
}

/// Goes through `values`, rows of `columns` numbers each, in tiles of up to
/// `height` rows.
///
/// Where rows are narrow, some of them are treated as one, and a column occurs in
/// a tile several times.
pub(super) fn for_tiles<T>(values: &[T], columns: usize, height: usize, mut each: impl FnMut(Tile<'_, T>)) {
    if values.is_empty() {
        return;
    }
    let folded = columns * (COLUMNS / columns).max(1);
    let (wide, rest) = values.split_at(values.len() - values.len() % folded);
    for (values, row) in [(wide, folded), (rest, columns)] {
        for rows in values.chunks(height * row) {
            for first in (0..row).step_by(COLUMNS) {
                let width = COLUMNS.min(row - first);
                each(Tile { rows, row, width, first, columns });
            }
        }
    }
}

/// Panics unless `values` are whole rows of `columns`.
pub(super) fn check(values: usize, columns: usize) {
    let whole = if columns == 0 { values == 0 } else { values.is_multiple_of(columns) };
    assert!(whole, "{values} values are no whole number of rows of {columns}; give as many sums as columns");
}
