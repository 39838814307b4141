//! The part of a bzip2 file that is in memory.

use super::{
    super::plain::system,
    marks::{self, Mark, TOUCHED},
};
use crate::bag::error::Fault;
use std::{
    fs::File,
    ops::Range,
    os::unix::fs::{FileExt, MetadataExt},
};

/// Bytes that are read at a time.
const STEP: u64 = 1 << 20;

/// A growing stretch of a file and the marks in it.
pub(super) struct Window {
    file: File,
    size: u64,
    identity: (u64, u64),
    bytes: Vec<u8>,
    /// Where in the file the bytes begin.
    start: u64,
    /// In order; bits of the file.
    marks: Vec<(u64, Mark)>,
}

impl Window {
    pub(super) fn new(file: File, size: u64) -> Self {
        let identity = file.metadata().map_or((0, 0), |data| (data.dev(), data.ino()));
        Window { file, size, identity, bytes: Vec::new(), start: 0, marks: Vec::new() }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Tells the file from others.
    pub(super) fn identity(&self) -> (u64, u64) {
        self.identity
    }

    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Sees to it that the bytes up to `end` are there.
    pub(super) fn load(&mut self, end: u64) -> Result<(), Fault> {
        let end = end.min(self.size);
        while self.end() < end {
            let (before, position) = (self.bytes.len(), self.end());
            let more = STEP.min(self.size - position) as usize;
            self.bytes.resize(before + more, 0);
            self.file.read_exact_at(&mut self.bytes[before..], position).map_err(|error| {
                match error.kind() {
                    std::io::ErrorKind::UnexpectedEof => Fault::Shrunk,
                    _ => system(error),
                }
            })?;
            // A mark may begin in what was there before.
            let from = before.saturating_sub(TOUCHED - 1);
            let first = (self.start + from as u64) * 8;
            let found = marks::all(&self.bytes[from..]).into_iter().map(|(bit, mark)| (first + bit, mark));
            let known = self.marks.last().map_or(0, |&(bit, _)| bit + 1);
            self.marks.extend(found.filter(|&(bit, _)| bit >= known));
        }
        Ok(())
    }

    /// Makes the window begin at or before a byte, and forgets what is far behind it.
    fn begin_at(&mut self, byte: u64) {
        if byte < self.start || self.bytes.is_empty() || byte > self.end() {
            self.bytes.clear();
            self.marks.clear();
            self.start = byte;
        } else if byte - self.start > 2 * super::LONGEST {
            let keep = byte - super::LONGEST;
            self.bytes.drain(..(keep - self.start) as usize);
            self.start = keep;
            self.marks.retain(|&(bit, _)| bit >= keep * 8);
        }
    }

    /// The first mark of a kind that begins at one of these bits.
    pub(super) fn find(
        &mut self,
        bits: Range<u64>,
        wanted: fn(Mark) -> bool,
    ) -> Result<Option<(u64, Mark)>, Fault> {
        self.begin_at(bits.start / 8);
        let last = (bits.end.div_ceil(8) + TOUCHED as u64).min(self.size);
        loop {
            let from = self.marks.partition_point(|&(bit, _)| bit < bits.start);
            let found = self.marks[from..].iter().find(|&&(_, mark)| wanted(mark));
            if let Some(&(bit, mark)) = found {
                return Ok((bit < bits.end).then_some((bit, mark)));
            }
            if self.end() >= last {
                return Ok(None);
            }
            self.load(self.end() + 1)?;
        }
    }

    /// The mark at a bit, if there is one.
    pub(super) fn mark_at(&mut self, bit: u64) -> Result<Option<Mark>, Fault> {
        self.begin_at(bit / 8);
        self.load(bit / 8 + TOUCHED as u64)?;
        Ok(marks::at(&self.bytes, bit - self.start * 8))
    }

    /// Up to 48 bits, if they are there.
    pub(super) fn bits(&self, bit: u64, count: u64) -> Option<u64> {
        marks::bits(&self.bytes, bit.checked_sub(self.start * 8)?, count)
    }

    /// Appends these bits of the file to whole bytes; the rest of the last byte is zero.
    pub(super) fn copy(&self, bits: Range<u64>, out: &mut Vec<u8>) {
        let (first, shift) = ((bits.start / 8 - self.start) as usize, bits.start % 8);
        let length = bits.end - bits.start;
        let source = &self.bytes[first..];
        let count = length.div_ceil(8) as usize;
        out.reserve(count + 16);
        let shifted = (0..count).map(|byte| {
            let next = u16::from(source.get(byte + 1).copied().unwrap_or(0));
            ((u16::from(source[byte]) << 8 | next) >> (8 - shift)) as u8
        });
        out.extend(shifted);
        if let (Some(last), rest @ 1..) = (out.last_mut(), length % 8) {
            *last &= 0xFF << (8 - rest);
        }
    }
}
