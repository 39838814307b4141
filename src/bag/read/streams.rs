//! Units of compressed files, each decoded from its beginning.

use super::{Chunk, Chunks, InputFile, source::Source};
use crate::bag::error::Fault;
use std::{
    io::{self, Read},
    sync::Arc,
};

/// Bytes that are read of a compressed file at a time.
pub(super) const READ: usize = 128 << 10;
/// Bytes that are decoded at a time behind a unit.
const BEYOND: usize = 4 << 10;

/// The decoded bytes of something that is whole in itself: to its end, or to an error.
pub(super) type Decoded = Box<dyn Read + Send>;

/// The decoded bytes of a unit, and those of the units that follow it.
pub(super) struct Streams {
    file: Arc<InputFile>,
    source: Source,
    first: u64,
    /// The one that is being read.
    unit: u64,
    reader: Option<Decoded>,
}

impl Streams {
    pub(super) fn new(file: Arc<InputFile>, source: Source, unit: u64) -> Result<Self, Fault> {
        let reader = Some(file.decoded(&source, unit)?);
        Ok(Streams { file, source, first: unit, unit, reader })
    }
}

impl Chunks for Streams {
    fn next(&mut self, wanted: usize, out: &mut Vec<u8>) -> Result<Chunk, Fault> {
        loop {
            let Some(reader) = &mut self.reader else {
                return Ok(Chunk::End);
            };
            let is_own = self.unit == self.first;
            let most = if is_own { wanted } else { BEYOND };
            out.reserve(most);
            if reader.take(most as u64).read_to_end(out)? > 0 {
                return Ok(if is_own { Chunk::Own } else { Chunk::Beyond });
            }
            self.unit += 1;
            self.reader = match self.unit < self.file.units() {
                true => Some(self.file.decoded(&self.source, self.unit)?),
                false => None,
            };
        }
    }
}

/// What a decoder says of data of a format; what the system said is that.
pub(super) fn damaged(format: &'static str) -> impl Fn(io::Error) -> io::Error {
    move |error| match error.kind() {
        io::ErrorKind::Interrupted => error,
        _ if error.get_ref().is_some_and(|inner| inner.is::<Fault>()) => error,
        _ => damage(format, error.to_string()),
    }
}

/// Data of a format that are not as they should be.
pub(super) fn damage(format: &'static str, problem: impl Into<String>) -> io::Error {
    io::Error::other(Fault::Compressed { format, problem: problem.into() })
}
