//! Divides a bzip2 file by the marks in it.

use super::{
    super::{source::Source, streams::Decoded},
    blocks::Blocks,
    marks::Mark,
    neighbours,
    scan::{Found, marks_in},
    segment::Segment,
    streams,
};
use crate::bag::error::Fault;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The units of a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::bag) struct Units {
    units: Vec<Unit>,
    /// Tells the blocks of this reading of the file, on this rank, from those of any other.
    #[serde(skip, default = "neighbours::reading")]
    reading: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Unit {
    /// Whole streams, in these bytes, as far as is known.
    Streams(Range<u64>),
    /// Some blocks of a stream.
    Segment(Segment),
    /// What does not fit into streams, in these bytes.
    Misfit(Range<u64>),
    /// What follows the last stream, and is no stream.
    Behind(Range<u64>),
}

/// Bits of a mark, of a checksum, and of the header of a stream.
const MARK: u64 = 48;
const CHECKSUM: u64 = 32;
const HEADER: u64 = 4;

/// A stream of which the checksums fit.
struct Stream<'f> {
    bytes: Range<u64>,
    blocks: &'f [Found],
    /// The bit at which the last block ends.
    end: u64,
    /// What follows it.
    behind: [u8; 4],
}

impl Units {
    /// Units of at least `unit` bytes of a file of which `found` are all marks.
    pub(in crate::bag::read) fn of(size: u64, found: &[Found], unit: u64) -> Self {
        Units { units: parts(0..size, found, unit), reading: neighbours::reading() }
    }

    /// A file as one unit.
    pub(in crate::bag::read) fn whole(size: u64) -> Self {
        Units { units: vec![Unit::Streams(0..size)], reading: neighbours::reading() }
    }

    pub(in crate::bag::read) fn count(&self) -> u64 {
        self.units.len() as u64
    }

    /// The bytes of a unit, those of which it has a part among them.
    pub(in crate::bag::read) fn stretch(&self, unit: u64) -> Range<u64> {
        match &self.units[unit as usize] {
            Unit::Streams(bytes) | Unit::Misfit(bytes) | Unit::Behind(bytes) => bytes.clone(),
            Unit::Segment(segment) => segment.bytes(),
        }
    }

    /// The decoded bytes of a unit of a file of `size` bytes.
    pub(in crate::bag::read) fn decoded(
        &self,
        source: Source,
        unit: u64,
        size: u64,
    ) -> Result<Decoded, Fault> {
        let parts = match &self.units[unit as usize] {
            Unit::Streams(bytes) => parts(bytes.clone(), &marks_in(&source, bytes.clone(), size)?, 0),
            Unit::Segment(segment) => {
                let found = marks_in(&source, segment.bytes(), size)?;
                let bits = &segment.bits;
                let blocks = found.iter().filter(|found| bits.contains(&found.bit));
                let ends = blocks.clone().skip(1).map(|next| next.bit).chain([bits.end]);
                let block = |(block, end): (&Found, u64)| {
                    let (bits, checksum) = (block.bit..end, block.checksum);
                    Unit::Segment(Segment { stream: segment.stream, bits, checksum })
                };
                blocks.zip(ends).map(block).collect()
            }
            other => vec![other.clone()],
        };
        Ok(Box::new(Blocks::new(source, self.reading, parts)))
    }
}

impl Unit {
    /// The decoded bytes of something that is not divided.
    pub(super) fn stream(&self, source: &Source) -> Result<Decoded, Fault> {
        match self {
            Unit::Streams(bytes) | Unit::Misfit(bytes) => {
                Ok(streams::decoded(source.stretch(bytes.clone())?))
            }
            Unit::Behind(bytes) => Ok(streams::decoded_behind(source.stretch(bytes.clone())?)?),
            Unit::Segment(segment) => segment.decoded(source),
        }
    }
}

/// Divides bytes at which a stream begins, and of which `found` are the marks, into parts of at least `unit` bytes;
/// into single blocks, if it is 0.
fn parts(bytes: Range<u64>, mut found: &[Found], unit: u64) -> Vec<Unit> {
    let (mut at, size) = (bytes.start, bytes.end);
    let mut plan = Plan { units: Vec::new(), waiting: 0..0, unit };
    loop {
        let Some(stream) = next_stream(at, found, size) else {
            plan.end_with(Unit::Misfit(at..size));
            break;
        };
        found = &found[stream.blocks.len() + 1..];
        plan.stream(&stream);
        at = stream.bytes.end;
        match &stream.behind[..(size - at).min(HEADER) as usize] {
            [] => break,
            [b'B', b'Z', b'h', b'1'..=b'9'] => {}
            _ => {
                plan.end_with(Unit::Behind(at..size));
                break;
            }
        }
    }
    plan.flush();
    plan.units
}

/// The stream that begins at a byte, if what is found fits: a mark at once, blocks, and an end with their checksum.
fn next_stream(at: u64, found: &[Found], size: u64) -> Option<Stream<'_>> {
    let count = found.iter().position(|found| found.mark == Mark::End)?;
    let (blocks, end) = (&found[..count], found[count]);
    let is_whole = end.bit + MARK + CHECKSUM <= size * 8;
    let begins = found[0].bit == (at + HEADER) * 8;
    if !is_whole || !begins || combined(blocks) != end.checksum {
        return None;
    }
    let behind = (end.bit + MARK + CHECKSUM).div_ceil(8);
    Some(Stream { bytes: at..behind, blocks, end: end.bit, behind: end.behind })
}

/// The checksum of a stream that has these blocks.
fn combined(blocks: &[Found]) -> u32 {
    blocks.iter().fold(0u32, |sum, block| sum.rotate_left(1) ^ block.checksum)
}

/// Units so far.
struct Plan {
    units: Vec<Unit>,
    /// Small streams that are to be one unit.
    waiting: Range<u64>,
    /// The least bytes of a unit.
    unit: u64,
}

impl Plan {
    fn stream(&mut self, stream: &Stream<'_>) {
        let length = |first: &Found, bit: u64| (bit - first.bit) / 8;
        let mut rest = stream.blocks;
        if stream.bytes.end - stream.bytes.start <= self.unit {
            return self.streams(stream.bytes.clone());
        }
        self.flush();
        while let [first, following @ ..] = rest {
            let count = following.iter().position(|block| length(first, block.bit) >= self.unit);
            let (blocks, others) = rest.split_at(count.map_or(rest.len(), |count| count + 1));
            let end = others.first().map_or(stream.end, |block| block.bit);
            let bits = first.bit..end;
            self.units.push(Unit::Segment(Segment {
                stream: stream.bytes.start,
                bits,
                checksum: combined(blocks),
            }));
            rest = others;
        }
    }

    /// Adds whole streams behind those that wait.
    fn streams(&mut self, bytes: Range<u64>) {
        if self.waiting.is_empty() {
            self.waiting.start = bytes.start;
        }
        self.waiting.end = bytes.end;
        if self.waiting.end - self.waiting.start >= self.unit {
            self.flush();
        }
    }

    fn end_with(&mut self, unit: Unit) {
        self.flush();
        self.units.push(unit);
    }

    fn flush(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        if !waiting.is_empty() {
            self.units.push(Unit::Streams(waiting));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: u64 = 8;

    fn block(at: u64, checksum: u32) -> Found {
        Found { bit: at * BYTES, mark: Mark::Block, checksum, behind: [0; 4] }
    }

    fn end(at: u64, checksum: u32, behind: &[u8; 4]) -> Found {
        Found { bit: at * BYTES, mark: Mark::End, checksum, behind: *behind }
    }

    fn segment(bytes: Range<u64>, checksum: u32) -> Unit {
        let bits = bytes.start * BYTES..bytes.end * BYTES;
        Unit::Segment(Segment { stream: 0, bits, checksum })
    }

    #[test]
    fn streams_are_divided_where_their_checksums_fit() {
        let sum = |a: u32, b: u32| a.rotate_left(1) ^ b;
        let whole = [block(4, 5), block(104, 6), block(204, 7), end(304, sum(sum(5, 6), 7), b"BZh9")];
        let next = [block(318, 8), end(418, 8, b"BZh1"), end(432, 0, b"xxxx")];
        let found = [&whole[..], &next].concat();
        let of = |size: u64, found: &[Found], unit| Units::of(size, found, unit).units;
        let parts = [segment(4..204, sum(5, 6)), segment(204..304, 7)];
        let tail = [Unit::Streams(314..442), Unit::Behind(442..500)];
        assert_eq!(of(500, &found, 150), [&parts[..], &tail].concat());
        assert_eq!(of(442, &found, 1000), [Unit::Streams(0..442)]);
        assert_eq!(of(500, &found, 1000), [Unit::Streams(0..442), Unit::Behind(442..500)]);
        let single = [segment(4..104, 5), segment(104..204, 6), segment(204..304, 7)];
        assert_eq!(of(314, &whole, 0), single);
        // The first stream fits; the rest is read as it is.
        assert_eq!(of(420, &found[..6], 150), [&parts[..], &[Unit::Misfit(314..420)]].concat());
        // A block is missing, one comes twice, the order is another, the end is missing.
        for damaged in [
            [whole[0], whole[2], whole[3], whole[3]],
            [whole[0], whole[0], whole[1], whole[3]],
            [whole[0], whole[2], whole[1], whole[3]],
            [whole[0], whole[1], whole[2], whole[2]],
            [whole[1], whole[1], whole[2], whole[3]],
        ] {
            assert_eq!(of(500, &damaged, 150), [Unit::Misfit(0..500)]);
        }
        assert_eq!(of(500, &[], 150), [Unit::Misfit(0..500)]);
        assert_eq!(of(308, &whole, 150), [Unit::Misfit(0..308)]);
    }
}
