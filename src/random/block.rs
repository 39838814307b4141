//! Raw draws, taken ahead in blocks.

use rand_pcg::Lcg128CmDxsm64;

use super::dispatch;
use super::lanes::{LANES, Lanes};
use super::source::{Bits, Source};

/// Draws in a full block: small enough to stay in the innermost cache beside
/// what reads them.
const BLOCK: usize = 256;

/// The draws of a generator, taken ahead in blocks, for a reader that does not
/// know how many it will need.
#[derive(Debug)]
pub(super) struct BlockReader {
    lanes: Lanes,
    draws: [u64; BLOCK],
    /// The draws of the block that are read, and those that there are.
    position: usize,
    end: usize,
    /// The draws of all blocks before this one.
    before: u128,
    /// How many more draws will be read, as far as known.
    expected: usize,
}

impl BlockReader {
    /// A reader of the draws that `generator` would give next, of which about
    /// `expected` will be read.
    pub(super) fn new(generator: &Lcg128CmDxsm64, expected: usize) -> Self {
        Self { lanes: Lanes::new(generator), draws: [0; BLOCK], position: 0, end: 0, before: 0, expected }
    }

    /// The draws that are ready and not yet read; at least one.
    #[inline]
    pub(super) fn ready(&mut self) -> &[u64] {
        if self.position == self.end {
            self.refill();
        }
        &self.draws[self.position..self.end]
    }

    /// Counts some of the draws that are [`ready`](Self::ready) as read.
    #[inline]
    pub(super) fn skip(&mut self, draws: usize) {
        self.position += draws;
    }

    /// The number of draws that were read.
    pub(super) fn draws_read(&self) -> u128 {
        self.before + self.position as u128
    }

    #[cold]
    fn refill(&mut self) {
        self.before += self.end as u128;
        self.position = 0;
        self.end = self.expected.next_multiple_of(LANES).clamp(LANES, BLOCK);
        self.expected = self.expected.saturating_sub(self.end);
        dispatch::fill_rows::<Bits>(&mut self.lanes, &mut self.draws[..self.end]);
    }
}

impl Source for BlockReader {
    #[inline]
    fn next_bits(&mut self) -> u64 {
        let bits = self.ready()[0];
        self.skip(1);
        bits
    }
}
