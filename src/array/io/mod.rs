//! Arrays in files: NumPy's .npy, and Zarr stores with the feature `zarr`.

mod error;
mod from_npy;
mod memory;
mod npy;
mod replacement;
mod slabs;
mod write_npy;
#[cfg(feature = "zarr")]
mod zarr;

pub use error::{FileError, FileProblem};
#[cfg(feature = "zarr")]
pub use zarr::Compression;

use super::error::{ArrayError, ArrayProblem};
use crate::Error;
use std::panic::Location;

/// An operation on a file that cannot be done, before there are tasks.
fn refused(operation: &str, place: &Location<'_>, problem: impl Into<ArrayProblem>) -> Error {
    Error::Array(std::sync::Arc::new(ArrayError::new(operation, place, problem.into())))
}
