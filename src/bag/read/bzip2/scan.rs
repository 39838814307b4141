//! Searches a file for marks.

use super::{
    super::source::{Origin, Source},
    marks::{self, Mark, TOUCHED},
};
use crate::bag::error::Fault;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Bytes that are read at a time.
const STEP: u64 = 1 << 20;
/// Bytes that are searched as one task.
const TASK: u64 = 32 << 20;
/// Bits of a mark, of the checksum behind it, and of what may be the header of the next stream.
const MARK: u64 = 48;
const CHECKSUM: u64 = 32;

/// A stretch of a file that is to be searched.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::bag) struct Scan {
    pub(super) origin: Origin,
    size: u64,
    bytes: Range<u64>,
}

/// A mark and what follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::bag) struct Found {
    /// The bit of the file at which it begins.
    pub(super) bit: u64,
    pub(super) mark: Mark,
    pub(super) checksum: u32,
    /// Behind the end of a stream, up to four bytes from the next whole one on; others are zero.
    pub(super) behind: [u8; 4],
}

impl Scan {
    /// Searches that are the whole of a file.
    pub(in crate::bag::read) fn all(origin: &Origin, size: u64) -> Vec<Scan> {
        let scan = move |first| Scan { origin: origin.clone(), size, bytes: first..size.min(first + TASK) };
        (0..size).step_by(TASK as usize).map(scan).collect()
    }
}

/// All marks that begin in a stretch, in order. What cannot be read has none: the one who reads it as data says so.
pub(in crate::bag) fn scan(scan: Scan) -> Vec<Found> {
    let found = scan.origin.open().and_then(|source| {
        source.will_need(&scan.bytes);
        marks_in(&source, scan.bytes, scan.size)
    });
    found.unwrap_or_else(|fault| {
        log::debug!("the search for bzip2 blocks ends: {fault}");
        Vec::new()
    })
}

/// All marks that begin in a stretch of a file.
pub(super) fn marks_in(source: &Source, stretch: Range<u64>, size: u64) -> Result<Vec<Found>, Fault> {
    // A mark that begins with the last bit, what follows it, and the next header.
    let more = TOUCHED as u64 + CHECKSUM / 8 + 1 + 4;
    let (mut found, mut bytes) = (Vec::new(), Vec::new());
    for first in stretch.clone().step_by(STEP as usize) {
        let last = stretch.end.min(first + STEP);
        bytes.resize((size.min(last + more) - first) as usize, 0);
        source.read_exact_at(&mut bytes, first)?;
        let own = (last - first) * 8;
        let marks = marks::all(&bytes).into_iter().filter(|&(bit, _)| bit < own);
        found.extend(marks.map(|(bit, mark)| {
            let checksum = marks::bits(&bytes, bit + MARK, CHECKSUM).unwrap_or_default() as u32;
            let next = (bit + MARK + CHECKSUM).div_ceil(8) as usize;
            let mut behind = [0; 4];
            if let (Mark::End, Some(bytes)) = (mark, bytes.get(next..)) {
                let known = bytes.len().min(4);
                behind[..known].copy_from_slice(&bytes[..known]);
            }
            Found { bit: first * 8 + bit, mark, checksum, behind }
        }));
    }
    Ok(found)
}
