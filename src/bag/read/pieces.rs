//! Whole lines out of the bytes of a unit.

use super::{Chunk, Chunks, Input, InputFile};
use crate::bag::{
    block::LineBlock,
    encoding::{self, Decoded},
    error::{Fault, ReadError},
    reading::{Faults, Reading},
    text::{Place, give_back, spare},
};
use std::sync::Arc;

/// The pieces of a unit, in order.
pub(crate) struct Pieces {
    lines: WholeLines,
    place: Place,
    reading: Reading,
    file: Arc<InputFile>,
    /// How many there have been.
    pieces: u64,
}

impl Pieces {
    /// Those of unit `unit` of all files.
    pub(in crate::bag) fn new(unit: u64, input: &Input) -> Self {
        let number = input.file_of(unit);
        let file = Arc::clone(&input.files[number]);
        let (number_of_all, unit) = (unit, unit - file.first_unit);
        let reading = input.reading.clone();
        let lines = WholeLines {
            state: match file.chunks(unit) {
                Ok(chunks) => State::Reading(chunks),
                Err(fault) => State::Failed(fault),
            },
            carried: spare(),
            headless: unit > 0,
            is_long: false,
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
            Ok(decoded) if u32::try_from(decoded.text.len()).is_err() => {
                // In another encoding it may be longer.
                self.fault(Fault::LongLine(self.reading.longest_line), &place, &[])?;
                Ok(LineBlock::new(encoding::Decoded::default(), place, 1))
            }
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
    state: State,
    /// Bytes that have been read and not given.
    carried: Vec<u8>,
    /// The first line, or its end, belongs to the unit before, or is left out.
    headless: bool,
    /// The carried bytes begin with a line that is too long.
    is_long: bool,
    piece: usize,
    longest: u64,
    /// Bytes of the unit before the next piece.
    given: u64,
}

enum State {
    Reading(Box<dyn Chunks>),
    /// What has been read is good to its last line end.
    Failed(Fault),
    /// What has been read is all.
    Ended,
}

impl WholeLines {
    /// The next whole lines and how many bytes of the unit come before them. Behind a line that is too long it goes
    /// on, behind any other fault it does not.
    fn next(&mut self) -> Result<Option<(u64, Vec<u8>)>, Fault> {
        if std::mem::take(&mut self.is_long) {
            self.headless = true;
            return Err(Fault::LongLine(self.longest));
        }
        let mut bytes = std::mem::replace(&mut self.carried, spare());
        // No line ends before this.
        let mut searched = 0;
        loop {
            if self.headless {
                self.drop_head(&mut bytes);
                searched = 0;
            }
            if let Some(start) = self.first_long(&bytes) {
                return self.before_long(bytes, start);
            }
            if bytes.len() >= self.piece {
                if let Some(end) = memchr::memrchr(b'\n', &bytes[searched..]) {
                    return Ok(Some(self.give(bytes, searched + end + 1)));
                }
                searched = bytes.len();
            }
            let chunks = match &mut self.state {
                State::Reading(chunks) => chunks,
                State::Failed(_) => return self.before_fault(bytes),
                State::Ended if bytes.is_empty() => {
                    give_back(bytes);
                    return Ok(None);
                }
                State::Ended => {
                    let end = bytes.len();
                    return Ok(Some(self.give(bytes, end)));
                }
            };
            let before = bytes.len();
            // A line that is longer than a piece is read in larger and larger steps, but no further than it may go.
            let wanted = match self.piece.checked_sub(before) {
                Some(wanted) if wanted > 0 => wanted,
                _ => {
                    before.min(usize::try_from(self.longest + 1).unwrap_or(usize::MAX).saturating_sub(before))
                }
            };
            match chunks.next(wanted.max(1), &mut bytes) {
                Ok(Chunk::Own) => {}
                // No line of this unit begins behind it.
                Ok(Chunk::Beyond) if self.headless => {
                    self.state = State::Ended;
                    bytes.clear();
                }
                Ok(Chunk::Beyond) => {
                    if let Some(end) = memchr::memchr(b'\n', &bytes[before..]) {
                        bytes.truncate(before + end + 1);
                        self.state = State::Ended;
                    }
                }
                Ok(Chunk::End) => self.state = State::Ended,
                Err(fault) => self.state = State::Failed(fault),
            }
        }
    }

    /// Where the first line begins that is too long.
    fn first_long(&self, bytes: &[u8]) -> Option<usize> {
        if bytes.len() as u64 <= self.longest {
            return None;
        }
        let is_long = |range: &std::ops::Range<usize>| range.len() as u64 > self.longest;
        let mut start = 0;
        let ends = memchr::memchr_iter(b'\n', bytes).chain([bytes.len()]);
        let mut lines = ends.map(|end| std::mem::replace(&mut start, end + 1)..end);
        lines.find(is_long).map(|line| line.start)
    }

    /// The lines before one that is too long, or that it is.
    fn before_long(&mut self, bytes: Vec<u8>, start: usize) -> Result<Option<(u64, Vec<u8>)>, Fault> {
        self.is_long = true;
        if start > 0 {
            return Ok(Some(self.give(bytes, start)));
        }
        self.carried = bytes;
        self.next()
    }

    /// The whole lines that were read before a fault, or the fault.
    fn before_fault(&mut self, bytes: Vec<u8>) -> Result<Option<(u64, Vec<u8>)>, Fault> {
        if let Some(end) = memchr::memrchr(b'\n', &bytes) {
            return Ok(Some(self.give(bytes, end + 1)));
        }
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Failed(fault) => Err(fault),
            _ => Ok(None),
        }
    }

    /// Drops what belongs to the unit before, or is left out.
    fn drop_head(&mut self, bytes: &mut Vec<u8>) {
        let head = memchr::memchr(b'\n', bytes);
        let count = head.map_or(bytes.len(), |head| head + 1);
        bytes.drain(..count);
        self.given += count as u64;
        self.headless = head.is_none();
    }

    /// Gives what is before `end`, and carries the rest on.
    fn give(&mut self, mut bytes: Vec<u8>, end: usize) -> (u64, Vec<u8>) {
        self.carried.extend_from_slice(&bytes[end..]);
        bytes.truncate(end);
        let offset = self.given;
        self.given += end as u64;
        (offset, bytes)
    }
}
