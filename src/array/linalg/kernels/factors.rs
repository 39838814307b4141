//! Factorisations of one block, and triangular systems.

use super::super::scalar::Field;
use super::dense::{block, copy, matrix, matrix_mut, packed};
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::lu::partial_pivoting::factor::{lu_in_place, lu_in_place_scratch};
use faer::linalg::svd::{ComputeSvdVectors, svd, svd_scratch};
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place_with_conj, solve_unit_lower_triangular_in_place_with_conj,
    solve_upper_triangular_in_place_with_conj,
};
use faer::{Conj, Mat, Par};
use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2};
use serde::{Deserialize, Serialize};

/// Left singular vectors as columns, singular values from the largest on, right singular vectors as rows.
#[derive(Debug)]
pub(in super::super) struct Svd<T: Field> {
    pub(in super::super) u: Array2<T>,
    pub(in super::super) s: Array1<T::Magnitude>,
    pub(in super::super) vh: Array2<T>,
}

/// The thin singular value decomposition; `None` if the algorithm does not converge, as with elements that
/// are not finite. Of each right singular vector the element of largest absolute value is real and positive:
/// that fixes the signs.
pub(in super::super) fn thin_svd<T: Field>(a: ArrayView2<'_, T>) -> Option<Svd<T>> {
    let (rows, columns) = a.dim();
    let rank = rows.min(columns);
    if !a.iter().all(|element| T::is_finite_impl(element)) {
        return None;
    }
    let (mut u, mut v) = (Mat::zeros(rows, rank), Mat::zeros(columns, rank));
    let mut values = faer::diag::Diag::<T>::zeros(rank);
    if rank > 0 {
        let thin = ComputeSvdVectors::Thin;
        let scratch = svd_scratch::<T>(rows, columns, thin, thin, Par::Seq, Default::default());
        let mut memory = MemBuffer::new(scratch);
        let stack = MemStack::new(&mut memory);
        let (u, v) = (Some(u.as_mut()), Some(v.as_mut()));
        svd(copy(&a).as_ref(), values.as_mut(), u, v, Par::Seq, stack, Default::default()).ok()?;
    }
    let (mut u, mut vh) = (block(u.as_ref()), block(v.adjoint().to_owned().as_ref()));
    for (mut left, mut right) in u.columns_mut().into_iter().zip(vh.rows_mut()) {
        let mut largest = T::ZERO;
        for &element in &right {
            if element.magnitude() > largest.magnitude() {
                largest = element;
            }
        }
        let phase = largest.phase();
        left.mapv_inplace(|element| element.times(phase));
        right.mapv_inplace(|element| element.times(phase.conjugate()));
    }
    let s = values.column_vector().iter().map(|value| value.magnitude()).collect();
    Some(Svd { u, s, vh })
}

/// The lower triangle L with L Lᴴ = A, of which the lower triangle is read; the number of the first pivot
/// that is not positive if there is one.
pub(in super::super) fn cholesky<T: Field>(a: ArrayView2<'_, T>) -> Result<Array2<T>, usize> {
    let size = a.nrows();
    let mut factor = copy(&a);
    if size > 0 {
        let mut memory = MemBuffer::new(cholesky_in_place_scratch::<T>(size, Par::Seq, Default::default()));
        let stack = MemStack::new(&mut memory);
        let plain = Default::default();
        if let Err(faer::linalg::cholesky::llt::factor::LltError::NonPositivePivot { index }) =
            cholesky_in_place(factor.as_mut(), plain, Par::Seq, stack, Default::default())
        {
            return Err(index);
        }
    }
    let mut lower = block(factor.as_ref());
    for ((row, column), element) in lower.indexed_iter_mut() {
        if column > row {
            *element = T::ZERO;
        }
    }
    match lower.diag().iter().position(|pivot| !T::is_finite_impl(pivot)) {
        Some(index) => Err(index),
        None => Ok(lower),
    }
}

/// The LU factorisation with row pivoting: L (below the diagonal, which is 1) and U in one block, and for
/// each of its rows the row of `a` that it comes from.
pub(in super::super) fn lu<T: Field>(a: ArrayView2<'_, T>) -> (Array2<T>, Vec<usize>) {
    let (rows, columns) = a.dim();
    let mut factor = copy(&a);
    let (mut order, mut inverse) = (vec![0usize; rows], vec![0usize; rows]);
    let scratch = lu_in_place_scratch::<usize, T>(rows, columns, Par::Seq, Default::default());
    let mut memory = MemBuffer::new(scratch);
    let stack = MemStack::new(&mut memory);
    lu_in_place(factor.as_mut(), &mut order, &mut inverse, Par::Seq, stack, Default::default());
    (block(factor.as_ref()), order)
}

/// A triangular matrix in a system of equations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) enum Side {
    /// L X = B.
    Lower,
    /// L X = B with ones on the diagonal of L, whatever stands there.
    UnitLower,
    /// U X = B.
    Upper,
    /// Lᴴ X = B.
    LowerAdjoint,
}

/// Replaces B by the solution X of a triangular system.
pub(in super::super) fn solve_triangular<T: Field>(
    triangle: ArrayView2<'_, T>,
    side: Side,
    mut b: ArrayViewMut2<'_, T>,
) {
    if b.is_empty() {
        return;
    }
    let triangle = packed(&triangle);
    let triangle = triangle.view();
    let triangle = matrix(&triangle);
    let b = matrix_mut(&mut b);
    match side {
        Side::Lower => solve_lower_triangular_in_place_with_conj(triangle, Conj::No, b, Par::Seq),
        Side::UnitLower => solve_unit_lower_triangular_in_place_with_conj(triangle, Conj::No, b, Par::Seq),
        Side::Upper => solve_upper_triangular_in_place_with_conj(triangle, Conj::No, b, Par::Seq),
        Side::LowerAdjoint => {
            solve_upper_triangular_in_place_with_conj(triangle.transpose(), Conj::Yes, b, Par::Seq);
        }
    }
}

/// Replaces B by the solution X of X Lᴴ = B.
pub(in super::super) fn divide_by_adjoint<T: Field>(lower: ArrayView2<'_, T>, mut b: ArrayViewMut2<'_, T>) {
    if b.is_empty() {
        return;
    }
    let lower = packed(&lower);
    let lower = lower.view();
    let b = matrix_mut(&mut b).transpose_mut();
    solve_lower_triangular_in_place_with_conj(matrix(&lower), Conj::Yes, b, Par::Seq);
}
