//! Arrays against NumPy, on random shapes, chunks, axes and element types.

mod numpy;
