//! Systems of linear equations.

use super::super::array::Array;
use super::super::error::ArrayProblem;
use super::super::layout::{Layout, check_tasks};
use super::super::movement::{fit, permute};
use super::super::node::{Node, view};
use super::kernels::Side;
use super::scalar::Field;
use super::{elimination, triangular};
use std::panic::Location;
use std::sync::Arc;

/// Checks that a matrix and a right-hand side have the same number of rows.
pub(super) fn check(a: &Node, b: &Node) -> Result<(), ArrayProblem> {
    super::qr::check_matrix(a)?;
    let axes = b.layout.axes();
    if !(1..=2).contains(&axes) || b.layout.shape[0] != a.layout.shape[0] {
        let rule = "the right-hand side must be a vector or a matrix with as many rows as the matrix".into();
        return Err(ArrayProblem::Shapes {
            left: a.layout.shape.clone(),
            right: b.layout.shape.clone(),
            rule,
        });
    }
    if !a.client.is_same_run(&b.client) {
        return Err(ArrayProblem::Runs);
    }
    Ok(())
}

/// Checks that a matrix has as many rows as columns.
pub(super) fn check_square(a: &Node) -> Result<(), ArrayProblem> {
    super::qr::check_matrix(a)?;
    match a.layout.shape[..] {
        [rows, columns] if rows == columns => Ok(()),
        _ => Err(ArrayProblem::Argument(format!(
            "the matrix must have as many rows as columns, but its shape is {:?}; `lstsq` and `qr` take others",
            a.layout.shape
        ))),
    }
}

/// Checks that a matrix has no more chunks of rows than can be factorised: each meets all others, again and again.
pub(super) fn check_sides(a: &Node) -> Result<(), ArrayProblem> {
    let sides = a.layout.chunks[0].len();
    check_tasks(&[sides, sides, sides.div_ceil(6)])
}

/// A right-hand side as a matrix with these chunks of rows, and whether it was a vector.
pub(super) fn columns_of(b: &Arc<Node>, rows: &[usize]) -> (Arc<Node>, bool) {
    let vector = b.layout.axes() == 1;
    let matrix = match vector {
        true => view(b, vec![Some(0), None], &[b.layout.shape[0], 1]),
        false => Arc::clone(b),
    };
    let chunks = vec![rows.to_vec(), matrix.layout.chunks[1].clone()];
    (fit(&matrix, &Layout::of_chunks(chunks)), vector)
}

/// A square matrix with the chunks of its rows along both axes.
pub(super) fn square_chunks(a: &Arc<Node>) -> Arc<Node> {
    fit(a, &Layout::of_chunks(vec![a.layout.chunks[0].clone(); 2]))
}

/// Which triangle of a matrix stands in a system of equations; the other one is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Triangle {
    /// The lower one, with the diagonal.
    Lower,
    /// The upper one, with the diagonal.
    Upper,
}

impl<T: Field> Array<T> {
    /// Solves `self` x = `b` for a square matrix. `b` is a vector or a matrix whose columns are solved for.
    ///
    /// By Gaussian elimination with partial pivoting, as LAPACK does it and as stable: in panels of 256
    /// columns, each in one task with all its rows, which must fit into memory. It fails if the matrix is
    /// singular. For positive definite matrices see
    /// [`solve_positive_definite`](Self::solve_positive_definite).
    ///
    /// ```
    /// use serried::array::Array;
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// Builder::new().seed(1u64).run(|client| {
    ///     let a = Array::normal(client, 0.0, 1.0, [300, 300], [100, 100]);
    ///     let x = Array::<f64>::ones(client, [300], [100]);
    ///     let difference = (a.solve(&a.matmul(&x)) - x).abs().max();
    ///     assert!(difference.compute()? < 1e-9);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn solve(&self, b: &Array<T>) -> Array<T> {
        self.system(b, "solve", Location::caller(), elimination::solve::<T>)
    }

    /// Solves `self` x = `b` for a positive definite matrix, of which the lower triangle is read, by its
    /// [Cholesky factorisation](Self::cholesky): half the work of [`solve`](Self::solve), and no task reads
    /// more than a row of chunks.
    #[track_caller]
    #[must_use]
    pub fn solve_positive_definite(&self, b: &Array<T>) -> Array<T> {
        let name = "solve_positive_definite";
        self.system(b, name, Location::caller(), |a, b| {
            let lower = super::cholesky::lower::<T>(&square_chunks(a), name);
            let half = triangular::solve::<T>(name, &lower, Side::Lower, b);
            triangular::solve::<T>(name, &lower, Side::LowerAdjoint, &half)
        })
    }

    /// Solves `self` x = `b` for a triangular matrix. An element of the diagonal that is 0 gives numbers that
    /// are not finite.
    ///
    /// ```
    /// use serried::array::{Array, Triangle};
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let a = Array::from_fn(client, |i| if i[0] < i[1] { 0.0 } else { 1.0 }, [4, 4], [2, 2]);
    ///     let b = Array::arange(client, 1.0, 5.0, 1.0, 2);
    ///     let x = a.solve_triangular(Triangle::Lower, &b);
    ///     assert_eq!(x.compute()?.into_raw_vec_and_offset().0, [1.0; 4]);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn solve_triangular(&self, triangle: Triangle, b: &Array<T>) -> Array<T> {
        let side = match triangle {
            Triangle::Lower => Side::Lower,
            Triangle::Upper => Side::Upper,
        };
        self.system(b, "solve_triangular", Location::caller(), |a, b| {
            triangular::solve::<T>("solve_triangular", &square_chunks(a), side, b)
        })
    }

    /// What `solve` makes of a square matrix and a right-hand side that is a matrix in the same chunks of
    /// rows.
    fn system(
        &self,
        b: &Array<T>,
        name: &'static str,
        place: &Location<'_>,
        solve: impl FnOnce(&Arc<Node>, &Arc<Node>) -> Arc<Node>,
    ) -> Array<T> {
        self.derive_with(b, name, place, |a, b| {
            check_square(a)?;
            check(a, b)?;
            check_sides(a)?;
            // Each block of the solution is made of all those before it.
            let sides = a.layout.chunks[0].len();
            check_tasks(&[sides, sides, b.layout.chunks.get(1).map_or(1, Vec::len)])?;
            let (b, vector) = columns_of(b, &a.layout.chunks[0]);
            let x = fit(&solve(a, &b), &b.layout);
            Ok(if vector { permute(&x, &[0]) } else { x })
        })
    }
}
