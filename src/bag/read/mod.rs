//! From files to pieces of lines.
//!
//! A file is divided into *units*, stretches of its bytes that can be read independently, and a unit is read
//! in *pieces* of whole lines. A line belongs to the unit in which the line end before it lies; the first line
//! of a file belongs to its first unit. So a unit that is not the first begins behind its first line end, and
//! ends with the first line end behind its stretch.

mod bzip2;
mod members;
mod pieces;
mod plain;
mod streams;
#[cfg(test)]
mod tests;
mod units;
mod xz;

pub(super) use pieces::Pieces;
pub(super) use units::{Input, InputFile};

use super::error::Fault;

/// Decoded bytes of a unit, in order.
pub(super) trait Chunks: Send {
    /// Appends the next bytes to `out`, about as many as wanted.
    fn next(&mut self, wanted: usize, out: &mut Vec<u8>) -> Result<Chunk, Fault>;
}

/// What has been appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunk {
    /// Bytes of the unit's own stretch; perhaps none, but there is more.
    Own,
    /// Bytes behind it.
    Beyond,
    /// Nothing: the file is over.
    End,
}
