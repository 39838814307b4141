//! Writes a part of the array in an .npy file.

use super::{Header, combs::combs};
use std::{fs::File, io, ops::Range, os::unix::fs::FileExt};

/// Writes the bytes of the elements of a part of the array, which is in C order.
pub(crate) fn write_region(
    file: &File,
    header: &Header,
    region: &[Range<usize>],
    mut bytes: &[u8],
) -> io::Result<()> {
    let size = header.dtype.size();
    for comb in combs(&header.shape, region) {
        for tooth in 0..comb.count {
            let (these, others) = bytes.split_at(comb.length * size);
            file.write_all_at(these, header.data + ((comb.start + tooth * comb.pitch) * size) as u64)?;
            bytes = others;
        }
    }
    Ok(())
}
