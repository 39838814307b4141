//! Dense linear algebra on one block, by one thread.
//!
//! `faer` does the work. Its results depend on the kind of CPU, and on nothing else: not on where the numbers
//! lie in memory, which the tests check, since every way to run a program puts them elsewhere.

mod dense;
mod factors;
mod product;
mod reflectors;

pub(super) use factors::{Side, Svd, cholesky, divide_by_adjoint, lu, solve_triangular, thin_svd};
pub(super) use product::{add, subtract, subtract_adjoint};
pub(super) use reflectors::Reflectors;

#[cfg(test)]
mod tests;
