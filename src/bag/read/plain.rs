//! Files that are not compressed.

use super::{Chunk, Chunks};
use crate::bag::error::Fault;
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    ops::Range,
    sync::Arc,
};

/// Bytes that are read at a time behind a stretch: most lines are shorter.
const BEYOND: u64 = 4 << 10;

/// A stretch of a file, and what follows it.
pub(super) struct Plain {
    file: File,
    position: u64,
    end: u64,
    /// The size that the file had when it was divided.
    size: u64,
}

impl Plain {
    pub(super) fn new(mut file: File, stretch: Range<u64>, size: u64) -> Result<Self, Fault> {
        file.seek(SeekFrom::Start(stretch.start)).map_err(system)?;
        will_need(&file, &stretch);
        Ok(Plain { file, position: stretch.start, end: stretch.end, size })
    }
}

impl Chunks for Plain {
    fn next(&mut self, wanted: usize, out: &mut Vec<u8>) -> Result<Chunk, Fault> {
        let (most, kind) = match self.end.checked_sub(self.position) {
            Some(left) if left > 0 => (left.min(wanted as u64), Chunk::Own),
            _ => (BEYOND.min(self.size - self.position), Chunk::Beyond),
        };
        if most == 0 {
            return Ok(Chunk::End);
        }
        out.reserve(most as usize);
        let read = (&mut self.file).take(most).read_to_end(out).map_err(system)? as u64;
        self.position += read;
        if read < most { Err(Fault::Shrunk) } else { Ok(kind) }
    }
}

pub(super) fn system(error: std::io::Error) -> Fault {
    Fault::System(Arc::new(error))
}

/// Tells the system that a stretch will be read, so that it is on its way while the first of it is used.
#[cfg(target_os = "linux")]
pub(super) fn will_need(file: &File, stretch: &Range<u64>) {
    let length = std::num::NonZero::new(stretch.end - stretch.start);
    // It is advice; a file system that does not take any reads as well without.
    let _ = rustix::fs::fadvise(file, stretch.start, length, rustix::fs::Advice::WillNeed);
}

#[cfg(not(target_os = "linux"))]
pub(super) fn will_need(_: &File, _: &Range<u64>) {}
