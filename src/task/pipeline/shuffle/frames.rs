//! Values of a bucket as bytes: frames, which say how many there are.
//!
//! What one job has for a bucket is one frame. On their way frames stand in slices: those of one job for one part
//! of the buckets, by their buckets. What has come is sorted into pieces, in which the frames of each bucket stand
//! together, in the order of the source.

use std::{io, ops::Range};

/// What stands in front of the frames of a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// The index of the source with which the job begins: between its values for a bucket are no others.
    pub(super) start: u64,
    /// The position of the rank that has the buckets.
    pub(super) position: u32,
    pub(super) part: u32,
}

/// Bytes of a header, and of the length of the frames behind it.
pub(super) const HEADER: usize = 24;

/// Begins a slice, whose length is not known.
pub(super) fn begin_slice(header: Header, out: &mut Vec<u8>) {
    out.extend(header.start.to_le_bytes());
    out.extend(header.position.to_le_bytes());
    out.extend(header.part.to_le_bytes());
    out.extend([0; 8]);
}

/// Ends the slice that begins at `start`.
pub(super) fn end_slice(start: usize, out: &mut [u8]) {
    let length = (out.len() - start - HEADER) as u64;
    out[start + HEADER - 8..start + HEADER].copy_from_slice(&length.to_le_bytes());
}

/// Takes a slice from the front: its header, and all its bytes.
pub(super) fn take_slice<'a>(bytes: &mut &'a [u8]) -> (Header, &'a [u8]) {
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let (start, place, length) = (number(0), number(8), number(16));
    let (slice, rest) = bytes.split_at(HEADER + length as usize);
    *bytes = rest;
    (Header { start, position: place as u32, part: (place >> 32) as u32 }, slice)
}

/// Appends a number, seven bits a byte.
#[inline]
pub(super) fn put(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// As [`put`], to a place.
#[inline]
fn put_at(mut number: u64, out: &mut [u8], at: &mut usize) {
    while number >= 0x80 {
        out[*at] = number as u8 | 0x80;
        *at += 1;
        number >>= 7;
    }
    out[*at] = number as u8;
    *at += 1;
}

/// How many bytes [`put`] appends.
#[inline]
fn width(number: u64) -> usize {
    ((64 - (number | 1).leading_zeros()) as usize).div_ceil(7)
}

/// Takes a number from the front.
#[inline]
fn take(bytes: &mut &[u8]) -> Option<u64> {
    let (mut number, mut shift) = (0, 0);
    loop {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7F).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(number);
        }
        shift += 7;
    }
}

/// Calls `visit` with the frames of a slice for some buckets of its part: the number of the bucket among these, the
/// count and the bytes.
#[inline]
fn each_frame(slice: &[u8], buckets: &Range<u64>, mut visit: impl FnMut(usize, u64, &[u8])) {
    let mut bytes = &slice[HEADER..];
    while !bytes.is_empty() {
        let mut number = || take(&mut bytes).expect("a frame of this program's");
        let (bucket, count, length) = (number(), number(), number());
        if bucket >= buckets.end {
            return;
        }
        let (values, rest) = bytes.split_at(length as usize);
        bytes = rest;
        if bucket >= buckets.start {
            visit((bucket - buckets.start) as usize, count, values);
        }
    }
}

/// Frames by their buckets, those of a bucket in the order of the source.
#[derive(Debug)]
pub(super) struct Piece {
    /// The first of the buckets, as its number in the part.
    pub(super) first: u64,
    /// Where the frames of each bucket begin, and where the last end.
    pub(super) index: Vec<u64>,
    pub(super) bytes: Vec<u8>,
}

impl Piece {
    /// Sorts what slices, in the order in which they came, have for some buckets of a part.
    pub(super) fn sorted<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, buckets: Range<u64>) -> Piece {
        let mut slices = Vec::new();
        for mut chunk in chunks {
            while !chunk.is_empty() {
                let (header, slice) = take_slice(&mut chunk);
                slices.push((header.start, slice));
            }
        }
        // Those with the same start came from one rank, in their order.
        slices.sort_by_key(|(start, _)| *start);
        // Of each bucket: how many bytes, and the start of its last frame.
        let count = (buckets.end - buckets.start) as usize;
        let mut sizes = vec![(0u64, 0u64); count];
        for &(start, slice) in &slices {
            each_frame(slice, &buckets, |bucket, count, values| {
                let (size, last) = &mut sizes[bucket];
                let numbers = width(start - *last) + width(count) + width(values.len() as u64);
                *size += (numbers + values.len()) as u64;
                *last = start;
            });
        }
        let mut end = 0;
        let mut index = vec![0];
        index.extend(sizes.iter().map(|(size, _)| {
            end += size;
            end
        }));
        let mut bytes = vec![0; end as usize];
        let mut places: Vec<(usize, u64)> = index[..count].iter().map(|&at| (at as usize, 0)).collect();
        for &(start, slice) in &slices {
            each_frame(slice, &buckets, |bucket, count, values| {
                let (at, last) = &mut places[bucket];
                put_at(start - *last, &mut bytes, at);
                put_at(count, &mut bytes, at);
                put_at(values.len() as u64, &mut bytes, at);
                bytes[*at..*at + values.len()].copy_from_slice(values);
                *at += values.len();
                *last = start;
            });
        }
        Piece { first: buckets.start, index, bytes }
    }

    /// Adds the frames of a bucket: their starts, counts and bytes.
    pub(super) fn frames<'a>(
        &'a self,
        bucket: u64,
        frames: &mut Vec<(u64, u64, &'a [u8])>,
    ) -> io::Result<()> {
        let place = (bucket - self.first) as usize;
        let ends = [self.index[place], self.index[place + 1]].map(|end| (end - self.index[0]) as usize);
        let mut bytes = self.bytes.get(ends[0]..ends[1]).ok_or(io::ErrorKind::InvalidData)?;
        let mut last = 0u64;
        while !bytes.is_empty() {
            let mut number = || take(&mut bytes).ok_or(io::ErrorKind::InvalidData);
            let (after, count, length) = (number()?, number()?, number()?);
            let (values, rest) = bytes.split_at_checked(length as usize).ok_or(io::ErrorKind::InvalidData)?;
            bytes = rest;
            last = last.checked_add(after).ok_or(io::ErrorKind::InvalidData)?;
            frames.push((last, count, values));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_are_read_as_they_were_written(
            numbers in prop::collection::vec((any::<u64>(), 0u32..64).prop_map(|(n, s)| n >> s), 0..20),
        ) {
            let mut bytes = Vec::new();
            for &number in &numbers {
                let before = bytes.len();
                put(number, &mut bytes);
                prop_assert_eq!(bytes.len() - before, width(number));
                let (mut copy, mut at) = ([0; 10], 0);
                put_at(number, &mut copy, &mut at);
                prop_assert_eq!(&bytes[before..], &copy[..at]);
            }
            let mut rest = &*bytes;
            let read: Vec<u64> = std::iter::from_fn(|| take(&mut rest)).collect();
            prop_assert_eq!(read, numbers);
        }
    }

    #[test]
    fn a_number_that_is_cut_off_or_too_long_is_none() {
        assert_eq!(take(&mut &[0x80][..]), None);
        assert_eq!(take(&mut &[0xFF; 12][..]), None);
    }
}
