//! Arrays against NumPy, on random shapes, chunks, axes and element types.

mod cases;
mod create;
mod elementwise;
mod empty;
mod files;
mod large;
mod movement;
mod numpy;
mod reductions;
mod special;
#[cfg(feature = "zarr")]
mod zarr;
