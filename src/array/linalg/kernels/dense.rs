//! Blocks as the matrices of `faer`, which does the dense work on one thread.

use super::super::scalar::Field;
use faer::{Mat, MatMut, MatRef};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, CowArray, Ix2};

/// A block whose elements are one slice, row by row or column by column: copied if it is neither.
pub(super) fn packed<'a, T: Field>(block: &'a ArrayView2<'_, T>) -> CowArray<'a, T, Ix2> {
    if block.is_standard_layout() || block.t().is_standard_layout() {
        CowArray::from(block.view())
    } else {
        CowArray::from(block.to_owned())
    }
}

/// The same elements as a matrix.
///
/// # Panics
/// If the block is not [`packed`].
pub(super) fn matrix<'a, T: Field>(block: &'a ArrayView2<'_, T>) -> MatRef<'a, T> {
    let (rows, columns) = block.dim();
    if let Some(slice) = block.as_slice() {
        return MatRef::from_row_major_slice(slice, rows, columns);
    }
    let transposed = block.t();
    let slice = transposed.to_slice().expect("a packed block");
    MatRef::from_column_major_slice(slice, rows, columns)
}

/// The same elements as a matrix that can be changed.
///
/// # Panics
/// If the block is not in C order.
pub(super) fn matrix_mut<'a, T: Field>(block: &'a mut ArrayViewMut2<'_, T>) -> MatMut<'a, T> {
    let (rows, columns) = block.dim();
    MatMut::from_row_major_slice_mut(block.as_slice_mut().expect("a block in C order"), rows, columns)
}

/// A copy, column by column: `faer` lays it out so that its results do not depend on where the memory is.
pub(super) fn copy<T: Field>(block: &ArrayView2<'_, T>) -> Mat<T> {
    let block = packed(block);
    matrix(&block.view()).to_owned()
}

/// A matrix as a block.
pub(super) fn block<T: Field>(matrix: MatRef<'_, T>) -> Array2<T> {
    let mut block = Array2::from_elem((matrix.nrows(), matrix.ncols()), T::ZERO);
    matrix_mut(&mut block.view_mut()).copy_from(matrix);
    block
}

/// The elements column by column.
pub(super) fn columns_of<T: Field>(matrix: MatRef<'_, T>, into: &mut Vec<T>) {
    for column in 0..matrix.ncols() {
        into.extend(matrix.col(column).iter().copied());
    }
}

/// A view of the first of these elements, which are stored column by column.
pub(super) fn by_columns<T>(elements: &[T], rows: usize, columns: usize) -> MatRef<'_, T> {
    MatRef::from_column_major_slice(&elements[..rows * columns], rows, columns)
}
