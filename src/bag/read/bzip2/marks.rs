//! The marks of bzip2: 48 bits, at any bit of a byte.

use memchr::memmem::Finder;
use std::sync::LazyLock;

/// What begins at a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Block,
    /// The end of a stream.
    End,
}

const BLOCK: u64 = 0x3141_5926_5359;
pub(super) const END: u64 = 0x1772_4538_5090;
/// Bytes that a mark touches at most.
pub(super) const TOUCHED: usize = 7;

/// What is searched for of each mark at each bit of a byte: the five bytes that are the mark's alone.
static FINDERS: LazyLock<Vec<(Mark, u64, Finder<'static>)>> = LazyLock::new(|| {
    let shifted = |mark: u64, shift: u64| (mark << (8 - shift)).to_be_bytes()[2..7].to_vec();
    let finder = |(kind, mark)| move |shift| (kind, shift, Finder::new(&shifted(mark, shift)).into_owned());
    [(Mark::Block, BLOCK), (Mark::End, END)].into_iter().flat_map(|mark| (0..8).map(finder(mark))).collect()
});

/// All marks in these bytes, in order, and the bits at which they begin.
pub(super) fn all(bytes: &[u8]) -> Vec<(u64, Mark)> {
    let mut marks = Vec::new();
    for (mark, shift, finder) in FINDERS.iter() {
        for middle in finder.find_iter(bytes) {
            let bit = (middle as u64 * 8 + shift).checked_sub(8);
            marks.extend(bit.filter(|&bit| at(bytes, bit) == Some(*mark)).map(|bit| (bit, *mark)));
        }
    }
    marks.sort_unstable_by_key(|&(bit, _)| bit);
    marks
}

/// The mark that begins at a bit, if there is one.
pub(super) fn at(bytes: &[u8], bit: u64) -> Option<Mark> {
    match bits(bytes, bit, 48)? {
        BLOCK => Some(Mark::Block),
        END => Some(Mark::End),
        _ => None,
    }
}

/// Up to 48 bits from a bit on.
pub(super) fn bits(bytes: &[u8], bit: u64, count: u64) -> Option<u64> {
    let first = usize::try_from(bit / 8).ok()?;
    let touched = (bit % 8 + count).div_ceil(8) as usize;
    let word =
        bytes.get(first..first + touched)?.iter().fold(0u64, |word, &byte| word << 8 | u64::from(byte));
    Some(word >> (touched as u64 * 8 - bit % 8 - count) & ((1 << count) - 1))
}

/// Appends bits to bytes of which `length` bits count, and the rest of the last byte is zero.
pub(super) fn append(bytes: &mut Vec<u8>, length: u64, value: u64, count: u64) {
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
        for shift in 0..16 {
            let mut bytes = Vec::new();
            append(&mut bytes, 0, 0, 40 + shift);
            append(&mut bytes, 40 + shift, BLOCK, 48);
            append(&mut bytes, 88 + shift, END, 48);
            append(&mut bytes, 136 + shift, BLOCK >> 1, 47);
            assert_eq!(all(&bytes), [(40 + shift, Mark::Block), (88 + shift, Mark::End)], "shift {shift}");
            assert_eq!(bits(&bytes, 40 + shift, 48), Some(BLOCK));
        }
        assert_eq!(all(&END.to_be_bytes()[2..]), [(0, Mark::End)]);
    }
}
