//! Blocks of xz files (The .xz File Format, version 1.2.1): the index at the end of a file tells where they are.
//!
//! A unit is read as a stream of its own: the file's header, the blocks of the unit, and an index and a footer that
//! are made of the records that the file's index has of these blocks. So the decoder compares every block with its
//! record, and all units together are what the file is as a whole.

use super::{
    source::{Source, Stretch},
    streams::{Decoded, READ, damaged},
};
use crate::bag::error::Fault;
use liblzma::{
    bufread::XzDecoder,
    stream::{CONCATENATED, Stream},
};
use serde::{Deserialize, Serialize};
use std::{
    io::{self, BufRead, BufReader, Cursor, Read},
    ops::Range,
};

/// Bytes of the header of a stream, and of its footer.
const HEADER: u64 = 12;
/// An index larger than this is not worth reading.
const LARGEST_INDEX: u64 = 64 << 20;

/// Where a unit begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Cut {
    /// The byte of the file.
    at: u64,
    /// Decoded bytes before it.
    decoded: u64,
    /// The byte of the file at which the record of its first block is.
    record: u64,
    /// Blocks before it.
    blocks: u64,
}

/// The units of a file of one stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Units {
    cuts: Vec<Cut>,
    end: Cut,
}

impl Units {
    /// Those of at least `unit` compressed bytes, or nothing if the file is not of one stream with an index that
    /// fits, from its first byte to its last.
    pub(super) fn of(source: &Source, size: u64, unit: u64) -> Result<Option<Self>, Fault> {
        let mut ends = [[0; HEADER as usize]; 2];
        if size < 2 * HEADER {
            return Ok(None);
        }
        source.read_exact_at(&mut ends[0], 0)?;
        source.read_exact_at(&mut ends[1], size - HEADER)?;
        let [header, footer] = ends;
        let backward = u32::from_le_bytes([4, 5, 6, 7].map(|byte| footer[byte]));
        let length = (u64::from(backward) + 1) * 4;
        let fits = header[8..] == checksum(&header[6..8])
            && footer[..4] == checksum(&footer[4..10])
            && header[6..8] == footer[8..10]
            && &footer[10..] == b"YZ";
        if !fits || length > LARGEST_INDEX || length + 2 * HEADER > size {
            return Ok(None);
        }
        let mut index = vec![0; length as usize];
        let at = size - HEADER - length;
        source.read_exact_at(&mut index, at)?;
        Ok(Units::of_index(&index, at, unit))
    }

    /// What an index says that begins at a byte of the file.
    fn of_index(index: &[u8], at: u64, unit: u64) -> Option<Self> {
        let (content, sum) = index.split_at_checked(index.len().checked_sub(4)?)?;
        if checksum(content) != *sum {
            return None;
        }
        let mut rest = content.strip_prefix(&[0])?;
        let records = number(&mut rest)?;
        let record = |rest: &[u8]| at + (content.len() - rest.len()) as u64;
        let mut cut = Cut { at: HEADER, decoded: 0, record: record(rest), blocks: 0 };
        let mut cuts: Vec<Cut> = Vec::new();
        for _ in 0..records {
            if cuts.last().is_none_or(|last| cut.at - last.at >= unit) {
                cuts.push(cut);
            }
            let unpadded = number(&mut rest)?;
            cut.at = cut.at.checked_add(unpadded.checked_next_multiple_of(4)?)?;
            cut.decoded = cut.decoded.checked_add(number(&mut rest)?)?;
            cut.record = record(rest);
            cut.blocks += 1;
        }
        let is_padding = rest.len() < 4 && rest.iter().all(|&byte| byte == 0);
        (is_padding && cut.at == at && cuts.len() > 1).then_some(Units { cuts, end: cut })
    }

    pub(super) fn count(&self) -> u64 {
        self.cuts.len() as u64
    }

    fn cut(&self, unit: u64) -> Cut {
        self.cuts.get(unit as usize).copied().unwrap_or(self.end)
    }

    /// Decoded bytes before a unit.
    pub(super) fn decoded_before(&self, unit: u64) -> u64 {
        self.cut(unit).decoded
    }

    pub(super) fn stretch(&self, unit: u64) -> Range<u64> {
        self.cut(unit).at..self.cut(unit + 1).at
    }

    /// The decoded bytes of a unit.
    pub(super) fn decoded(&self, source: &Source, unit: u64) -> Result<Decoded, Fault> {
        let (first, last) = (self.cut(unit), self.cut(unit + 1));
        let mut header = vec![0; HEADER as usize];
        source.read_exact_at(&mut header, 0)?;
        let mut records = vec![0; (last.record - first.record) as usize];
        source.read_exact_at(&mut records, first.record)?;
        let end = end(last.blocks - first.blocks, &records, &header[6..8]);
        let blocks = BufReader::with_capacity(READ, source.stretch(first.at..last.at)?);
        decoder(Cursor::new(header).chain(blocks).chain(Cursor::new(end)), 0)
    }
}

/// The decoded bytes of a stretch of whole streams.
pub(super) fn streams(stretch: Stretch) -> Result<Decoded, Fault> {
    decoder(BufReader::with_capacity(READ, stretch), CONCATENATED)
}

fn decoder(bytes: impl BufRead + Send + 'static, flags: u32) -> Result<Decoded, Fault> {
    let stream = Stream::new_stream_decoder(u64::MAX, flags).map_err(io::Error::from)?;
    Ok(Box::new(Checked(XzDecoder::new_stream(bytes, stream))))
}

struct Checked<R>(XzDecoder<R>);

impl<R: BufRead> Read for Checked<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out).map_err(damaged("xz"))
    }
}

/// An index of these records, and the footer behind it.
pub(super) fn end(blocks: u64, records: &[u8], flags: &[u8]) -> Vec<u8> {
    let mut end = vec![0];
    let mut rest = blocks;
    while rest >= 0x80 {
        end.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    end.push(rest as u8);
    end.extend_from_slice(records);
    end.resize(end.len().next_multiple_of(4), 0);
    let sum = checksum(&end);
    end.extend(sum);
    let backward = (end.len() / 4 - 1) as u32;
    let about = [&backward.to_le_bytes()[..], flags].concat();
    end.extend(checksum(&about));
    end.extend(about);
    end.extend(b"YZ");
    end
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let mut sum = flate2::Crc::new();
    sum.update(bytes);
    sum.sum().to_le_bytes()
}

/// A number of variable length: seven bits a byte, the least first.
pub(super) fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            // Another way to write a smaller number.
            let is_shortest = byte != 0 || shift == 0;
            return is_shortest.then_some(value);
        }
    }
    None
}
