//! Some blocks of a stream, as a stream of their own.

use super::{
    super::{
        source::{Source, Stretch},
        streams::{Decoded, READ, damage, damaged},
    },
    marks,
};
use crate::bag::error::Fault;
use bzip2::bufread::BzDecoder;
use serde::{Deserialize, Serialize};
use std::{
    io::{self, BufRead, BufReader, Read},
    ops::Range,
};

/// Neighbouring blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Segment {
    /// The byte at which the header of their stream is: it says how large blocks may be.
    pub(super) stream: u64,
    /// Where they are in the file.
    pub(super) bits: Range<u64>,
    /// The checksum of a stream that has only these blocks.
    pub(super) checksum: u32,
}

impl Segment {
    /// The bytes in which they are.
    pub(super) fn bytes(&self) -> Range<u64> {
        self.bits.start / 8..self.bits.end.div_ceil(8)
    }

    /// The decoded bytes of the blocks.
    pub(super) fn decoded(&self, source: &Source) -> Result<Decoded, Fault> {
        let mut header = vec![0; 4];
        source.read_exact_at(&mut header, self.stream)?;
        let bits = Bits::new(header, self, source.stretch(self.bytes())?)?;
        let decoder = BzDecoder::new(BufReader::with_capacity(READ, bits));
        Ok(Box::new(OneStream { decoder, is_over: false }))
    }
}

struct OneStream {
    decoder: BzDecoder<BufReader<Bits>>,
    is_over: bool,
}

impl Read for OneStream {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.decoder.read(out).map_err(damaged("bzip2"))?;
        if read == 0 && !out.is_empty() && !self.is_over {
            self.is_over = true;
            // The decoder stops at the first end of a stream, which has to be the one that is made here.
            if self.decoder.total_in() != self.decoder.get_ref().get_ref().length {
                return Err(damage("bzip2", "a stream ends among its blocks"));
            }
        }
        Ok(read)
    }
}

/// The bytes of a stream: a header, the bits of the segment, and an end.
struct Bits {
    /// What has not been given of it, from behind.
    header: Vec<u8>,
    bytes: BufReader<Stretch>,
    /// Bits of the byte before the next one that have been given.
    shift: u32,
    before: u8,
    /// Whole bytes of the segment that have not been given.
    whole: u64,
    /// Bits that are more than whole bytes.
    more: u64,
    checksum: u32,
    /// What follows the bytes, from behind, once they are given.
    end: Option<Vec<u8>>,
    /// Bytes of all of it.
    length: u64,
}

impl Bits {
    fn new(mut header: Vec<u8>, segment: &Segment, stretch: Stretch) -> Result<Self, Fault> {
        let length = segment.bits.end - segment.bits.start;
        let mut bytes = BufReader::with_capacity(READ, stretch);
        let mut before = [0];
        bytes.read_exact(&mut before)?;
        header.reverse();
        Ok(Bits {
            header,
            bytes,
            shift: (segment.bits.start % 8) as u32,
            before: before[0],
            whole: length / 8,
            more: length % 8,
            checksum: segment.checksum,
            end: None,
            length: 4 + (length + 48 + 32).div_ceil(8),
        })
    }

    /// Some of the whole bytes.
    fn shifted(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let shift = self.shift;
        let join = |before: u8, next: u8| ((u16::from(before) << 8 | u16::from(next)) >> (8 - shift)) as u8;
        let next = self.bytes.fill_buf()?;
        let most = out.len().min(usize::try_from(self.whole).unwrap_or(usize::MAX));
        if next.is_empty() {
            // The last byte of all; none of the next one's bits count.
            out[0] = join(self.before, 0);
            self.whole -= 1;
            return Ok(1);
        }
        let count = most.min(next.len());
        out[0] = join(self.before, next[0]);
        for (out, pair) in out[1..count].iter_mut().zip(next.windows(2)) {
            *out = join(pair[0], pair[1]);
        }
        self.before = next[count - 1];
        self.bytes.consume(count);
        self.whole -= count as u64;
        Ok(count)
    }

    /// The last bits of the segment, the mark of an end, and the checksum.
    fn last(&mut self) -> io::Result<Vec<u8>> {
        let next = self.bytes.fill_buf()?.first().copied().unwrap_or(0);
        let bits = (u16::from(self.before) << 8 | u16::from(next)) << self.shift;
        let mut end = Vec::new();
        marks::append(&mut end, 0, u64::from(bits) >> (16 - self.more), self.more);
        marks::append(&mut end, self.more, marks::END, 48);
        marks::append(&mut end, self.more + 48, u64::from(self.checksum), 32);
        end.reverse();
        Ok(end)
    }
}

impl Read for Bits {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        if let Some(byte) = self.header.pop() {
            out[0] = byte;
            return Ok(1);
        }
        if self.whole > 0 {
            return self.shifted(out);
        }
        if self.end.is_none() {
            self.end = Some(self.last()?);
        }
        match self.end.as_mut().and_then(Vec::pop) {
            Some(byte) => {
                out[0] = byte;
                Ok(1)
            }
            None => Ok(0),
        }
    }
}
