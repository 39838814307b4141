//! Bags: unordered work on lines and records that need not fit into memory.
//!
//! A bag is a map whose elements are *pieces*, the lines of a stretch of a file or a stretch of records. What
//! the user asks for becomes stages over whole pieces, so that one loop over a piece reads, filters and
//! reduces, and everything that is computed together reads the input once.

#[allow(clippy::module_inception)]
mod bag;
mod block;
mod counter;
mod csv;
mod encoding;
mod error;
mod floats;
mod groups;
mod json;
mod lines;
mod names;
mod numbers;
mod part;
mod paths;
mod positions;
pub(crate) mod read;
mod reading;
mod records;
mod shuffle;
mod singles;
#[cfg(test)]
mod tests;
mod text;
mod write;

pub use bag::Bag;
pub use counter::Frequencies;
pub use encoding::Encoding;
pub use error::{Fault, PlaceInPart, ReadError};
pub use lines::{Lines, Parts};
pub use paths::Paths;
pub use reading::{Faults, Reading};
pub use write::Compression;
