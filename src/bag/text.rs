//! A stretch of text, and the memory that it is read into.

use serde::{Deserialize, Serialize};
use std::cell::RefCell;

/// Whole lines of one file.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Text {
    pub(super) text: String,
    /// Where lines begin in the text, and in the bytes of the file behind the place; nothing if that is the same.
    pub(super) starts: Vec<(u32, u32)>,
    pub(super) place: Place,
}

/// Where text comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The number of the file in the list of input files.
    pub(super) file: u32,
    /// The number of the unit of the file that it was read with.
    pub(super) unit: u64,
    /// The number of the unit among those of all files.
    pub(super) number: u64,
    /// The number of the piece of the unit.
    pub(super) piece: u64,
    /// Bytes of the unit before the text, after decompression.
    pub(super) offset: u64,
    /// Bytes of the file before the unit, in a measure that the format allows to know.
    pub(super) position: u64,
}

impl Drop for Text {
    fn drop(&mut self) {
        give_back(std::mem::take(&mut self.text).into_bytes());
    }
}

/// Memory that a thread keeps for its next pieces.
const SPARES: usize = 2;
/// Memory larger than this, of a file with very long lines, goes back to the system.
const LARGEST_SPARE: usize = 4 << 20;

thread_local! {
    /// The system would clear the pages of fresh memory each time, which takes longer than a search in them.
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Empty memory.
pub(super) fn spare() -> Vec<u8> {
    SPARE.with_borrow_mut(Vec::pop).unwrap_or_default()
}

/// Keeps memory for the next piece of this thread.
pub(super) fn give_back(mut bytes: Vec<u8>) {
    if bytes.capacity() == 0 || bytes.capacity() > LARGEST_SPARE {
        return;
    }
    bytes.clear();
    // When a thread ends there is nothing to keep it for.
    let _ = SPARE.try_with(|spare| {
        let mut spare = spare.borrow_mut();
        if spare.len() < SPARES {
            spare.push(bytes);
        }
    });
}
