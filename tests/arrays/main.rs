//! Arrays against NumPy, on random shapes, chunks, axes and element types.

mod cases;
mod elementwise;
mod files;
mod movement;
mod numpy;
mod reductions;
#[cfg(feature = "zarr")]
mod zarr;
