//! The marks of bzip2: 48 bits, at any bit of a byte.

use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// What begins at a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::bag::read) enum Mark {
    Block,
    /// The end of a stream.
    End,
}

const BLOCK: u64 = 0x3141_5926_5359;
pub(in crate::bag::read) const END: u64 = 0x1772_4538_5090;
/// Bytes that a mark touches at most.
pub(super) const TOUCHED: usize = 7;

/// Two neighbouring bytes of a mark that have no other bits than its own.
struct Pair {
    bytes: u16,
    /// Bits from the beginning of the mark to the pair.
    before: u64,
}

/// Whether two bytes may be of a mark, and how. At each bit of a byte a mark has five bytes of its own, so of four
/// neighbouring places one is that of a pair: every fourth place of a file is looked at.
static PAIRS: LazyLock<([u64; 1024], Vec<Pair>)> = LazyLock::new(|| {
    let (mut possible, mut pairs) = ([0; 1024], Vec::new());
    for mark in [BLOCK, END] {
        for before in 1..=32 {
            let bytes = (mark >> (32 - before)) as u16;
            possible[usize::from(bytes >> 6)] |= 1 << (bytes & 63);
            pairs.push(Pair { bytes, before });
        }
    }
    (possible, pairs)
});

/// All marks in these bytes, in order, and the bits at which they begin.
pub(in crate::bag::read) fn all(bytes: &[u8]) -> Vec<(u64, Mark)> {
    let (possible, pairs) = &*PAIRS;
    let mut marks = Vec::new();
    for (number, four) in bytes.chunks(4).enumerate() {
        let [first, second, ..] = *four else { break };
        let (place, found) = (number * 4, u16::from_be_bytes([first, second]));
        if possible[usize::from(found >> 6)] >> (found & 63) & 1 == 1 {
            let bits = pairs.iter().filter(|pair| pair.bytes == found);
            let bits = bits.filter_map(|pair| (place as u64 * 8).checked_sub(pair.before));
            marks.extend(bits.filter_map(|bit| Some((bit, at(bytes, bit)?))));
        }
    }
    marks.sort_unstable_by_key(|&(bit, _)| bit);
    marks.dedup();
    marks
}

/// The mark that begins at a bit, if there is one.
fn at(bytes: &[u8], bit: u64) -> Option<Mark> {
    match bits(bytes, bit, 48)? {
        BLOCK => Some(Mark::Block),
        END => Some(Mark::End),
        _ => None,
    }
}

/// Up to 48 bits from a bit on.
pub(in crate::bag::read) fn bits(bytes: &[u8], bit: u64, count: u64) -> Option<u64> {
    let first = usize::try_from(bit / 8).ok()?;
    let touched = (bit % 8 + count).div_ceil(8) as usize;
    let word =
        bytes.get(first..first + touched)?.iter().fold(0u64, |word, &byte| word << 8 | u64::from(byte));
    Some(word >> (touched as u64 * 8 - bit % 8 - count) & ((1 << count) - 1))
}

/// Appends bits to bytes of which `length` bits count, and the rest of the last byte is zero.
pub(in crate::bag::read) fn append(bytes: &mut Vec<u8>, length: u64, value: u64, count: u64) {
    bytes.resize((length + count).div_ceil(8) as usize, 0);
    let last = length + count;
    for position in length..last {
        let bit = (value >> (last - 1 - position) & 1) as u8;
        bytes[(position / 8) as usize] |= bit << (7 - position % 8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_at_every_bit() {
        for shift in 0..40 {
            let mut bytes = Vec::new();
            append(&mut bytes, 0, 0, 40);
            append(&mut bytes, 40, 0, shift);
            append(&mut bytes, 40 + shift, BLOCK, 48);
            append(&mut bytes, 88 + shift, END, 48);
            append(&mut bytes, 136 + shift, BLOCK >> 1, 47);
            assert_eq!(all(&bytes), [(40 + shift, Mark::Block), (88 + shift, Mark::End)], "shift {shift}");
            assert_eq!(bits(&bytes, 40 + shift, 48), Some(BLOCK));
        }
        assert_eq!(all(&END.to_be_bytes()[2..]), [(0, Mark::End)]);
        assert_eq!(all(&END.to_be_bytes()[2..7]), []);
    }
}
