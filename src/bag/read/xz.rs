//! Blocks of xz files (The .xz File Format, version 1.2.1): the index at the end of a file tells where they are.

use super::{
    members::{Cut, Parts},
    streams::Stretch,
};
use liblzma::bufread::XzDecoder;
use std::{
    fs::File,
    io::{self, Chain, Cursor, ErrorKind, Read},
    os::unix::fs::FileExt,
};

/// Bytes of the header of a stream, and of its footer.
const HEADER: u64 = 12;
/// An index larger than this is not worth reading.
const LARGEST_INDEX: u64 = 64 << 20;

/// How to decode blocks that are not the first of their file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Blocks {
    /// The header of the stream, unless the whole file is read.
    pub(super) header: Option<Vec<u8>>,
    /// Decoded bytes of the stretch, and of what follows it.
    pub(super) decoded: [u64; 2],
}

/// The blocks of a file of one stream, or nothing if it is something else.
pub(super) fn blocks(file: &File, size: u64) -> io::Result<Parts> {
    Ok(read_index(file, size)?.unwrap_or_default())
}

fn read_index(file: &File, size: u64) -> io::Result<Option<Parts>> {
    let mut footer = [0; HEADER as usize];
    if size < 2 * HEADER {
        return Ok(None);
    }
    file.read_exact_at(&mut footer, size - HEADER)?;
    let backward = u32::from_le_bytes([4, 5, 6, 7].map(|byte| footer[byte]));
    let length = (u64::from(backward) + 1) * 4;
    if &footer[10..] != b"YZ" || length > LARGEST_INDEX || length + 2 * HEADER > size {
        return Ok(None);
    }
    let mut index = vec![0; length as usize];
    file.read_exact_at(&mut index, size - HEADER - length)?;
    Ok(parse_index(&index).filter(|blocks| blocks.end.at + length + HEADER == size))
}

fn parse_index(index: &[u8]) -> Option<Parts> {
    let (index, checksum) = index.split_last_chunk()?;
    let mut sum = flate2::Crc::new();
    sum.update(index);
    if sum.sum() != u32::from_le_bytes(*checksum) {
        return None;
    }
    let mut rest = index.strip_prefix(&[0])?;
    let records = number(&mut rest)?;
    let mut cut = Cut { at: HEADER, decoded: 0 };
    let mut cuts = Vec::new();
    for _ in 0..records {
        cuts.push(cut);
        let unpadded = number(&mut rest)?;
        cut.at = cut.at.checked_add(unpadded.checked_next_multiple_of(4)?)?;
        cut.decoded = cut.decoded.checked_add(number(&mut rest)?)?;
    }
    Some(Parts { cuts, end: cut })
}

/// A number of variable length: seven bits a byte, the least first.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

impl Blocks {
    /// Those of a file that is read as a whole.
    pub(super) fn whole() -> Self {
        Blocks { header: None, decoded: [0; 2] }
    }

    /// Those of a unit.
    pub(super) fn of(file: &File, parts: &Parts, unit: u64) -> io::Result<Self> {
        let mut header = vec![0; HEADER as usize];
        file.read_exact_at(&mut header, 0)?;
        let (start, end) = (parts.cut(unit).decoded, parts.cut(unit + 1).decoded);
        Ok(Blocks { header: Some(header), decoded: [end - start, parts.end.decoded - end] })
    }

    pub(super) fn reader(&self, bytes: Stretch, beyond: bool) -> io::Result<BlocksReader> {
        let Some(header) = &self.header else {
            let stream =
                liblzma::stream::Stream::new_stream_decoder(u64::MAX, liblzma::stream::CONCATENATED)?;
            let bytes = Cursor::new(Vec::new()).chain(bytes);
            return Ok(BlocksReader { decoder: XzDecoder::new_stream(bytes, stream), left: None });
        };
        let bytes = Cursor::new(header.clone()).chain(bytes);
        Ok(BlocksReader { decoder: XzDecoder::new(bytes), left: Some(self.decoded[usize::from(beyond)]) })
    }
}

/// Decodes blocks behind the header of their stream, and stops without its end.
pub(super) struct BlocksReader {
    decoder: XzDecoder<Chain<Cursor<Vec<u8>>, Stretch>>,
    left: Option<u64>,
}

impl Read for BlocksReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let Some(left) = &mut self.left else {
            return self.decoder.read(out);
        };
        if *left > 0 {
            let most = out.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
            let read = self.decoder.read(&mut out[..most])?;
            *left -= read as u64;
            return Ok(read);
        }
        // One more step, so that the check behind the last byte is compared. The end of the stream is missing.
        match self.decoder.read(&mut [0]) {
            Ok(_) => Ok(0),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(0),
            Err(error) => Err(error),
        }
    }
}
