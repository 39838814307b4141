//! Chunked arrays of numbers: `dask.array` and NumPy's operations on `ndarray` blocks.
//!
//! An [`Array`] is lazy and cut into chunks along all its axes. Chains of elementwise work run as one pass
//! over a chunk, without arrays in between; sums and their like follow a tree whose shape depends on shape
//! and chunks alone, so that results have the same bits on any number of ranks and threads; random arrays are
//! keyed by element, so that they are the same for every chunk shape too.
//!
//! ```
//! use serried::array::Array;
//! use serried::prelude::*;
//!
//! # fn main() -> serried::Result<()> {
//! Builder::new().seed(1u64).run(|client| {
//!     let x = Array::normal(client, 0.0, 1.0, [2000, 500], [500, 500]);
//!     let y = (&x - x.mean_axis(0)) / x.std_axis(0);
//!     let (largest, means) = client.compute((&y.max(), &y.mean_axis(0)))?;
//!     assert!(largest < 10.0 && means.iter().all(|mean| mean.abs() < 1e-12));
//!     Ok(())
//! })
//! # }
//! ```

#[allow(clippy::module_inception)]
mod array;
mod blocks;
mod compile;
mod create;
mod cumulate;
mod elementwise;
mod error;
mod expression;
mod fourier;
mod histogram;
mod io;
mod layout;
mod linalg;
mod movement;
mod node;
mod operators;
mod order;
mod picture;
mod random;
mod reduce;
mod reshape;
mod room;
mod shape;
#[cfg(test)]
mod sharing;
mod traits;

pub use array::{Array, Chunked, Scalar, Single};
pub use blocks::{BlockPlace, Boundary};
pub use error::{ArrayError, ArrayProblem};
pub use histogram::Bins;
#[cfg(feature = "zarr")]
pub use io::Compression;
pub use io::{FileError, FileProblem};
pub use layout::Chunks;
pub use linalg::{Field, Ring, Triangle};
pub use operators::Operand;
pub use reduce::Axes;
pub use shape::{Span, every};
pub use traits::{Bits, Element, Float, Number, Numeric};
