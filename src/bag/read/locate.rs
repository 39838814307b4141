//! Where in a file a fault is.
//!
//! A thread knows the bytes of its unit, not how many lines are in those before. To count them they have to be
//! read again, so they are counted if they are few.

use super::{
    super::{
        error::{Fault, PlaceInPart, ReadError},
        text::Place,
    },
    Chunk, InputFile,
};
use std::sync::Arc;

/// Bytes and line ends.
#[derive(Clone, Copy, Default)]
struct Count {
    bytes: u64,
    lines: u64,
}

impl InputFile {
    /// A fault behind `before`, text of a piece at `place`, with its place in the file. What comes before it in its
    /// unit was read for it anyway, and is read again; what comes before the unit only if it is little, else the
    /// place is told by the part of the file.
    pub(in crate::bag) fn locate(self: &Arc<Self>, fault: Fault, place: &Place, before: &[u8]) -> ReadError {
        let mut error = ReadError::of_file(&self.path, fault);
        let Ok(mut inside) = self.count_in(place) else {
            return error;
        };
        inside.bytes += before.len() as u64;
        inside.lines += line_ends(before);
        let begins = self.stretch(place.unit).start;
        let outside = match begins <= self.format().bytes_to_count() {
            true => self.count_before(place.unit).ok(),
            false => None,
        };
        let known = outside.map(|outside| outside.bytes).or(self.bytes_before(place.unit));
        error.offset = known.map(|bytes| bytes + inside.bytes);
        error.line = outside.map(|outside| outside.lines + inside.lines + 1);
        if outside.is_none() {
            let (line, offset) = (inside.lines + 1, inside.bytes);
            error.part = Some(Box::new(PlaceInPart { begins, line, offset }));
        }
        error
    }

    /// What comes before a place in its unit, or in the line that goes on behind the unit.
    fn count_in(self: &Arc<Self>, place: &Place) -> Result<Count, Fault> {
        self.count(place.unit, place.offset, true)
    }

    /// What is in the units before one.
    fn count_before(self: &Arc<Self>, unit: u64) -> Result<Count, Fault> {
        let mut all = Count::default();
        for unit in 0..unit {
            let count = self.count(unit, u64::MAX, false)?;
            all.bytes += count.bytes;
            all.lines += count.lines;
        }
        Ok(all)
    }

    /// What is in the first bytes of a unit, or in those of them that are its own.
    fn count(self: &Arc<Self>, unit: u64, mut left: u64, and_beyond: bool) -> Result<Count, Fault> {
        let (mut count, mut buffer) = (Count::default(), Vec::new());
        if left == 0 {
            return Ok(count);
        }
        let mut chunks = self.chunks(unit)?;
        while left > 0 {
            buffer.clear();
            match chunks.next(left.min(1 << 16) as usize, &mut buffer)? {
                Chunk::Own => {}
                Chunk::Beyond if and_beyond => {}
                Chunk::Beyond | Chunk::End => break,
            }
            buffer.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            left -= buffer.len() as u64;
            count.bytes += buffer.len() as u64;
            count.lines += line_ends(&buffer);
        }
        Ok(count)
    }
}

fn line_ends(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}
