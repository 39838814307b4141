//! Files that are not compressed.

use super::{
    Chunk, Chunks,
    source::{Source, Stretch},
};
use crate::bag::error::Fault;
use std::ops::Range;

/// Bytes that are read at a time behind a stretch: most lines are shorter.
const BEYOND: u64 = 4 << 10;

/// A stretch of a file, and what follows it.
pub(super) struct Plain {
    source: Source,
    /// Bytes of the stretch that have not been read.
    left: u64,
    bytes: Stretch,
    /// What follows the stretch, once it is wanted.
    beyond: Option<Range<u64>>,
}

impl Plain {
    pub(super) fn new(source: Source, stretch: Range<u64>, size: u64) -> Result<Self, Fault> {
        source.will_need(&stretch);
        let bytes = source.stretch(stretch.clone())?;
        let beyond = Some(stretch.end..size);
        Ok(Plain { source, left: stretch.end - stretch.start, bytes, beyond })
    }
}

impl Chunks for Plain {
    fn next(&mut self, wanted: usize, out: &mut Vec<u8>) -> Result<Chunk, Fault> {
        if self.left > 0 {
            let read = self.bytes.append(self.left.min(wanted as u64), out)?;
            self.left -= read;
            return Ok(Chunk::Own);
        }
        if let Some(beyond) = self.beyond.take() {
            self.bytes = self.source.stretch(beyond)?;
        }
        Ok(if self.bytes.append(BEYOND, out)? == 0 { Chunk::End } else { Chunk::Beyond })
    }
}
