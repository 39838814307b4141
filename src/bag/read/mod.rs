//! From files to pieces of lines.
//!
//! A file is divided into *units*, stretches of its bytes that can be read independently, and a unit is read
//! in *pieces* of whole lines. A line belongs to the unit in which the line end before it lies; the first line
//! of a file belongs to its first unit. So a unit that is not the first begins behind its first line end, and
//! ends with the first line end behind its stretch.

mod bzip2;
mod gzip;
mod locate;
mod members;
mod pieces;
mod plain;
mod source;
mod spool;
mod streams;
#[cfg(test)]
pub(in crate::bag) mod tests;
mod units;
mod xz;
mod zstd;

pub(super) use bzip2::scan;
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

/// The files that a path names, searched by one thread.
#[cfg(any(test, feature = "internals"))]
pub(super) fn input(path: &std::path::Path, reading: &super::Reading) -> Result<Input, super::ReadError> {
    let search = |scans: Vec<bzip2::Scan>| Ok::<_, super::ReadError>(scans.into_iter().map(scan).collect());
    Input::find(&super::Paths::from(path), reading, None, &search)
}

/// All lines of the files that a path names, read by one thread, and how much was left out: for tests.
///
/// # Errors
/// What is wrong with the files, unless faults are skipped.
#[cfg(any(test, feature = "internals"))]
pub fn read_lines(
    path: &std::path::Path,
    reading: &super::Reading,
) -> Result<(Vec<String>, u64), super::ReadError> {
    let input = input(path, reading)?;
    let (mut lines, mut skipped) = (Vec::new(), input.missing);
    for unit in 0..input.units() {
        for block in Pieces::new(unit, &input) {
            let block = block?;
            let before = lines.len();
            block.each(|line| lines.push(line.to_owned()));
            debug_assert_eq!(block.count(), (lines.len() - before) as u64);
            skipped += block.skipped;
        }
    }
    Ok((lines, skipped))
}
