//! Compressed stretches that a decoder reads from their beginning.

use super::{Chunk, Chunks, plain::system, xz};
use crate::bag::error::Fault;
use std::{
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom, Take},
    ops::Range,
};

/// The bytes of a stretch of a file.
pub(super) type Stretch = BufReader<Take<File>>;

/// Bytes that are read of a compressed file at a time.
const READ: usize = 128 << 10;
/// Bytes that are decoded at a time behind a stretch.
const BEYOND: usize = 4 << 10;

/// Which decoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Codec {
    Gzip,
    Zstd,
    /// With the bytes that the file begins with, and how long the stretch and what follows it are when they are
    /// decoded.
    Xz(xz::Blocks),
}

/// The decoded bytes of a stretch, and those of what follows.
pub(super) struct Streams {
    codec: Codec,
    file: File,
    stretch: Range<u64>,
    size: u64,
    reader: Option<Box<dyn Read + Send>>,
    beyond: bool,
}

impl Streams {
    pub(super) fn new(file: File, codec: Codec, stretch: Range<u64>, size: u64) -> Result<Self, Fault> {
        super::plain::will_need(&file, &stretch);
        let mut streams = Streams { codec, file, stretch, size, reader: None, beyond: false };
        streams.reader = Some(streams.open()?);
        Ok(streams)
    }

    /// A decoder for the stretch, or for what follows.
    fn open(&mut self) -> Result<Box<dyn Read + Send>, Fault> {
        let range = if self.beyond { self.stretch.end..self.size } else { self.stretch.clone() };
        // Nobody reads from the other handle on the file any more, so the position that they share is free.
        let mut file = self.file.try_clone().map_err(system)?;
        file.seek(SeekFrom::Start(range.start)).map_err(system)?;
        let bytes: Stretch = BufReader::with_capacity(READ, file.take(range.end - range.start));
        Ok(match &self.codec {
            Codec::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(bytes)),
            Codec::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(bytes).map_err(system)?),
            Codec::Xz(blocks) => Box::new(blocks.reader(bytes, self.beyond).map_err(system)?),
        })
    }

    fn fault(&self, error: &std::io::Error) -> Fault {
        let format = match self.codec {
            Codec::Gzip => "gzip",
            Codec::Zstd => "zstd",
            Codec::Xz(_) => "xz",
        };
        Fault::Compressed { format, problem: error.to_string() }
    }
}

impl Chunks for Streams {
    fn next(&mut self, wanted: usize, out: &mut Vec<u8>) -> Result<Chunk, Fault> {
        loop {
            let Some(reader) = &mut self.reader else {
                return Ok(Chunk::End);
            };
            let most = if self.beyond { BEYOND } else { wanted };
            out.reserve(most);
            let read = reader.take(most as u64).read_to_end(out).map_err(|error| self.fault(&error))?;
            if read > 0 {
                return Ok(if self.beyond { Chunk::Beyond } else { Chunk::Own });
            }
            self.reader = None;
            if !self.beyond && self.stretch.end < self.size {
                self.beyond = true;
                self.reader = Some(self.open()?);
            }
        }
    }
}
