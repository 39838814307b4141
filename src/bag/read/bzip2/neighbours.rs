//! First blocks of units, which the units before them need as well.
//!
//! A unit ends with a line that mostly goes on in the next unit's first block, and decoding a block takes long.
//! The threads of a rank work on neighbouring units at about the same time, so whoever decodes such a block
//! first keeps it for the other.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// Blocks that are kept: a megabyte each, if they are not of very long runs.
const KEPT: usize = 8;
const LARGEST: usize = 4 << 20;

/// A number for a reading of a file. What the system knows a file by would not do: another file, or other bytes in
/// the same one, may have it next.
pub(super) fn reading() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
}

/// What a block is known by: the reading of its file, the bit at which it begins, and the checksum in its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) reading: u64,
    pub(super) bit: u64,
    pub(super) checksum: u32,
}

/// A decoded block.
pub(super) type Block = Arc<Vec<u8>>;

static BLOCKS: Mutex<VecDeque<(Name, Block)>> = Mutex::new(VecDeque::new());

/// The block, if it was kept. Nobody else needs it.
pub(super) fn take(name: Name) -> Option<Block> {
    let mut blocks = BLOCKS.lock().unwrap_or_else(PoisonError::into_inner);
    let found = blocks.iter().position(|(kept, _)| *kept == name)?;
    blocks.remove(found).map(|(_, block)| block)
}

/// Keeps a block for a neighbour.
pub(super) fn keep(name: Name, block: &Block) {
    if block.len() > LARGEST {
        return;
    }
    let mut blocks = BLOCKS.lock().unwrap_or_else(PoisonError::into_inner);
    if blocks.len() >= KEPT {
        blocks.pop_front();
    }
    blocks.push_back((name, block.clone()));
}
