//! Whole lines out of the bytes of a unit.

use super::{Chunk, Chunks, Input, InputFile};
use crate::bag::{
    block::LineBlock,
    encoding::{self, Decoded},
    error::{Fault, ReadError},
    reading::{Faults, Reading},
    text::{Place, give_back, spare},
};

/// The pieces of a unit, in order.
pub(crate) struct Pieces {
    lines: WholeLines,
    place: Place,
    reading: Reading,
    file: InputFile,
    /// How many there have been.
    pieces: u64,
}

impl Pieces {
    /// Those of unit `unit` of all files.
    pub(in crate::bag) fn new(unit: u64, input: &Input) -> Self {
        let number = input.file_of(unit);
        let file = input.files[number].clone();
        let (number_of_all, unit) = (unit, unit - file.first_unit);
        let reading = input.reading.clone();
        let lines = WholeLines {
            chunks: Some(file.chunks(unit)),
            carried: spare(),
            headless: unit > 0,
            piece: reading.piece_bytes,
            longest: reading.longest_line,
            given: 0,
        };
        let place = Place {
            file: number as u32,
            unit,
            number: number_of_all,
            position: file.position(unit),
            ..Place::default()
        };
        Pieces { lines, place, reading, file, pieces: 0 }
    }

    fn piece(&self, mut bytes: Vec<u8>, offset: u64) -> Result<LineBlock, ReadError> {
        let mut place = Place { offset, ..self.place.clone() };
        if place.unit == 0 && offset == 0 && bytes.starts_with(b"\xEF\xBB\xBF") {
            // The mark that some systems begin text files with is not text.
            bytes.drain(..3);
            place.offset = 3;
        }
        match encoding::decode(bytes, self.reading.encoding) {
            Ok(decoded) => Ok(LineBlock::new(decoded, place, 0)),
            Err(bytes) => {
                let (decoded, skipped, first) = encoding::valid_lines(&bytes);
                self.fault(Fault::Encoding, &place, &bytes[..first])?;
                Ok(LineBlock::new(decoded, place, skipped))
            }
        }
    }

    /// Reports a fault, or passes over it.
    fn fault(&self, fault: Fault, place: &Place, before: &[u8]) -> Result<(), ReadError> {
        if self.reading.faults == Faults::Fail {
            return Err(self.file.locate(fault, place, before));
        }
        log::warn!("left out: {}", ReadError::of_file(self.file.path(), fault));
        Ok(())
    }
}

impl Iterator for Pieces {
    type Item = Result<LineBlock, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let lines = self.lines.next();
        self.place.piece = self.pieces;
        self.pieces += 1;
        match lines {
            Ok(None) => None,
            Ok(Some((offset, bytes))) => Some(self.piece(bytes, offset)),
            Err(fault) => {
                let place = Place { offset: self.lines.given, ..self.place.clone() };
                let skipped = || LineBlock::new(Decoded::default(), place.clone(), 1);
                Some(self.fault(fault, &place, &[]).map(|()| skipped()))
            }
        }
    }
}

/// Cuts the bytes of a unit into pieces that end with lines.
struct WholeLines {
    /// None when the unit is over.
    chunks: Option<Result<Box<dyn Chunks>, Fault>>,
    /// The beginning of a line whose end has not been read.
    carried: Vec<u8>,
    /// The first line, or its end, belongs to the unit before.
    headless: bool,
    piece: usize,
    longest: u64,
    /// Bytes of the unit before the next piece.
    given: u64,
}

impl WholeLines {
    /// The next whole lines and how many bytes of the unit come before them.
    fn next(&mut self) -> Result<Option<(u64, Vec<u8>)>, Fault> {
        let Some(chunks) = self.chunks.take() else {
            return Ok(None);
        };
        let mut chunks = chunks?;
        let mut bytes = std::mem::replace(&mut self.carried, spare());
        // No line ends before this.
        let mut searched = bytes.len();
        loop {
            if bytes.len() as u64 > self.longest + self.piece as u64 {
                return Err(Fault::LongLine(self.longest));
            }
            let before = bytes.len();
            // A line that is longer than a piece is read in larger and larger steps.
            let wanted = if before < self.piece { self.piece - before } else { before };
            let chunk = match chunks.next(wanted, &mut bytes) {
                Ok(chunk) => chunk,
                Err(fault) => return self.before_fault(bytes, fault),
            };
            match chunk {
                Chunk::Own => {
                    if bytes.len() < self.piece {
                        continue;
                    }
                    if self.headless {
                        searched = 0;
                        if !self.drop_head(&mut bytes) {
                            continue;
                        }
                    }
                    if let Some(end) = memchr::memrchr(b'\n', &bytes[searched..]) {
                        let end = searched + end + 1;
                        self.carried.extend_from_slice(&bytes[end..]);
                        bytes.truncate(end);
                        self.chunks = Some(Ok(chunks));
                        return Ok(Some(self.give(bytes)));
                    }
                    searched = bytes.len();
                }
                Chunk::Beyond => {
                    let mut before = before;
                    if self.headless {
                        let Some(head) = memchr::memchr(b'\n', &bytes[..before]) else {
                            // No line begins here.
                            return Ok(None);
                        };
                        self.drop_bytes(&mut bytes, head + 1);
                        before -= head + 1;
                        self.headless = false;
                    }
                    if let Some(end) = memchr::memchr(b'\n', &bytes[before..]) {
                        bytes.truncate(before + end + 1);
                        return Ok(Some(self.give(bytes)));
                    }
                }
                Chunk::End => {
                    if self.headless && !self.drop_head(&mut bytes) || bytes.is_empty() {
                        give_back(bytes);
                        return Ok(None);
                    }
                    return Ok(Some(self.give(bytes)));
                }
            }
        }
    }

    /// The whole lines that were read before a fault, which comes after them.
    fn before_fault(&mut self, mut bytes: Vec<u8>, fault: Fault) -> Result<Option<(u64, Vec<u8>)>, Fault> {
        if self.headless && !self.drop_head(&mut bytes) {
            return Err(fault);
        }
        bytes.truncate(memchr::memrchr(b'\n', &bytes).map_or(0, |end| end + 1));
        if bytes.is_empty() {
            return Err(fault);
        }
        self.chunks = Some(Err(fault));
        Ok(Some(self.give(bytes)))
    }

    /// Drops what belongs to the unit before; false if all that has been read does.
    fn drop_head(&mut self, bytes: &mut Vec<u8>) -> bool {
        let head = memchr::memchr(b'\n', bytes);
        self.drop_bytes(bytes, head.map_or(bytes.len(), |head| head + 1));
        self.headless = head.is_none();
        head.is_some()
    }

    fn drop_bytes(&mut self, bytes: &mut Vec<u8>, count: usize) {
        bytes.drain(..count);
        self.given += count as u64;
    }

    fn give(&mut self, bytes: Vec<u8>) -> (u64, Vec<u8>) {
        let offset = self.given;
        self.given += bytes.len() as u64;
        (offset, bytes)
    }
}
