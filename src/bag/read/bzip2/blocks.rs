//! The bytes of a unit, block by block.

use super::{
    super::{source::Source, streams::Decoded},
    neighbours::{self, Name},
    plan::Unit,
    segment::Segment,
};
use std::{
    io::{self, Read},
    sync::Arc,
    vec::IntoIter,
};

/// Parts of a file, one after the other: a block is given when all of it is decoded and checked.
pub(super) struct Blocks {
    source: Source,
    reading: u64,
    parts: IntoIter<Unit>,
    now: Now,
    /// The next block is the first of the unit, which the unit before needs as well.
    is_border: bool,
}

enum Now {
    Block(Arc<Vec<u8>>, usize),
    /// What could not be divided.
    Stream(Decoded),
}

impl Blocks {
    pub(super) fn new(source: Source, reading: u64, parts: Vec<Unit>) -> Self {
        let now = Now::Block(Arc::default(), 0);
        Blocks { source, reading, parts: parts.into_iter(), now, is_border: true }
    }

    fn begin(&mut self, part: &Unit) -> io::Result<Now> {
        let is_border = std::mem::replace(&mut self.is_border, false);
        Ok(match part {
            Unit::Segment(block) if is_border => Now::Block(self.border(block)?, 0),
            Unit::Segment(block) => Now::Block(Arc::new(self.decode(block)?), 0),
            other => Now::Stream(other.stream(&self.source).map_err(io::Error::other)?),
        })
    }

    fn decode(&self, block: &Segment) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(900_000);
        block.decoded(&self.source).map_err(io::Error::other)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn border(&self, block: &Segment) -> io::Result<Arc<Vec<u8>>> {
        let name = Name { reading: self.reading, bit: block.bits.start, checksum: block.checksum };
        if let Some(known) = neighbours::take(name) {
            return Ok(known);
        }
        let bytes = Arc::new(self.decode(block)?);
        neighbours::keep(name, &bytes);
        Ok(bytes)
    }
}

impl Read for Blocks {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = match &mut self.now {
                Now::Stream(stream) => stream.read(out)?,
                Now::Block(bytes, at) => {
                    let rest = &bytes[*at..];
                    let count = rest.len().min(out.len());
                    out[..count].copy_from_slice(&rest[..count]);
                    *at += count;
                    count
                }
            };
            if read > 0 || out.is_empty() {
                return Ok(read);
            }
            match self.parts.next() {
                Some(part) => self.now = self.begin(&part)?,
                None => return Ok(0),
            }
        }
    }
}
