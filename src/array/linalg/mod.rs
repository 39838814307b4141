//! Linear algebra: products, factorisations, systems of equations.
//!
//! A task does the dense work on a block or a few of them, on one thread (see [`kernels`]); the algorithms
//! say which blocks. Their order depends on shapes and chunks alone.

mod cholesky;
mod contract;
mod elimination;
mod failure;
mod kernels;
mod panel;
mod products;
mod qr;
mod rows;
mod scalar;
mod svd;
mod systems;
mod triangular;

pub use scalar::{Field, Ring};
pub use systems::Triangle;
