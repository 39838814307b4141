//! Reads a part of the array in an .npy file.
//!
//! By `pread` into the memory of the block. A mapped file is up to twice as fast where it is in the memory of
//! the system and rows are short; but if it is cut short meanwhile, it ends the process without a word, its
//! pages count as memory of the process, and network file systems serve it slowly.

use super::{
    Header,
    combs::{Comb, combs},
};
use bytemuck::Pod;
use ndarray::{ArrayViewD, ArrayViewMutD, Axis};
use std::{fs::File, io, ops::Range, os::unix::fs::FileExt};

/// Stretches that are closer than this are read together with what is between them: it is the size of the
/// pages in which the system reads anyway.
const PAGE: usize = 4096;
/// What is read at once in that case, at most.
const SIEVE: usize = 1 << 20;

/// Reads the elements of a part of the array, in C order and with this machine's order of bytes, into `memory`,
/// which has their size and the alignment of such elements.
pub(crate) fn read_region(
    file: &File,
    header: &Header,
    region: &[Range<usize>],
    memory: &mut [u8],
) -> io::Result<()> {
    if header.fortran_order && region.len() > 1 {
        match header.dtype.size() {
            1 => read_turned::<u8>(file, header, region, memory)?,
            4 => read_turned::<u32>(file, header, region, memory)?,
            8 => read_turned::<u64>(file, header, region, memory)?,
            _ => read_turned::<[u64; 2]>(file, header, region, memory)?,
        }
    } else {
        read_straight(file, header, &header.shape, region, memory)?;
    }
    if header.swapped {
        swap(memory, header);
    }
    Ok(())
}

/// Reads a part of an array of shape `shape` that is in C order in the file.
fn read_straight(
    file: &File,
    header: &Header,
    shape: &[usize],
    region: &[Range<usize>],
    mut memory: &mut [u8],
) -> io::Result<()> {
    let size = header.dtype.size();
    for Comb { start, count, pitch, length } in combs(shape, region) {
        let (these, others) = memory.split_at_mut(count * length * size);
        let comb = Comb { start: start * size, count, pitch: pitch * size, length: length * size };
        read_comb(file, header.data, comb, these)?;
        memory = others;
    }
    Ok(())
}

/// Reads a part of an array in Fortran order, which is the C order of the axes in reverse: some indices of
/// the last axis at a time, so that the block is not held twice.
fn read_turned<T: Pod>(
    file: &File,
    header: &Header,
    region: &[Range<usize>],
    memory: &mut [u8],
) -> io::Result<()> {
    let lengths: Vec<usize> = region.iter().map(Range::len).collect();
    let elements: &mut [T] = bytemuck::cast_slice_mut(memory);
    let mut array = ArrayViewMutD::from_shape(lengths, elements).map_err(io::Error::other)?;
    let shape: Vec<usize> = header.shape.iter().rev().copied().collect();
    let mut slab: Vec<Range<usize>> = region.iter().rev().cloned().collect();
    let last = Axis(region.len() - 1);
    let layer: usize = slab[1..].iter().map(Range::len).product();
    let layers = (SIEVE / (layer * size_of::<T>()).max(1)).max(1);
    let mut scratch: Vec<T> = bytemuck::zeroed_vec(layers.min(slab[0].len()) * layer);
    let mut first = slab[0].start;
    for to in array.axis_chunks_iter_mut(last, layers) {
        slab[0] = first..first + to.len_of(last);
        first = slab[0].end;
        let elements = &mut scratch[..slab[0].len() * layer];
        read_straight(file, header, &shape, &slab, bytemuck::cast_slice_mut(elements))?;
        let lengths: Vec<usize> = slab.iter().map(Range::len).collect();
        let from = ArrayViewD::from_shape(lengths, elements).map_err(io::Error::other)?;
        copy_in_tiles(to, from.reversed_axes());
    }
    Ok(())
}

/// Reads all stretches of a comb, one behind the other. All in bytes.
fn read_comb(file: &File, data: u64, comb: Comb, into: &mut [u8]) -> io::Result<()> {
    let start = data + comb.start as u64;
    if comb.count == 1 || comb.pitch > PAGE {
        for (tooth, into) in into.chunks_exact_mut(comb.length).enumerate() {
            file.read_exact_at(into, start + (tooth * comb.pitch) as u64)?;
        }
        return Ok(());
    }
    let together = SIEVE / comb.pitch;
    let mut sieve = vec![0; SIEVE.min(comb.count * comb.pitch)];
    for (number, into) in into.chunks_mut(together * comb.length).enumerate() {
        let count = into.len() / comb.length;
        let span = &mut sieve[..(count - 1) * comb.pitch + comb.length];
        file.read_exact_at(span, start + (number * together * comb.pitch) as u64)?;
        for (into, from) in into.chunks_exact_mut(comb.length).zip(span.chunks(comb.pitch)) {
            into.copy_from_slice(&from[..comb.length]);
        }
    }
    Ok(())
}

/// Turns the bytes of every number round; a complex one is two.
fn swap(memory: &mut [u8], header: &Header) {
    match header.dtype.size() {
        1 => {}
        4 => memory.as_chunks_mut::<4>().0.iter_mut().for_each(|number| number.reverse()),
        _ => memory.as_chunks_mut::<8>().0.iter_mut().for_each(|number| number.reverse()),
    }
}

/// Copies pieces that fit into the nearest cache with their source.
fn copy_in_tiles<T: Copy>(mut to: ArrayViewMutD<'_, T>, from: ArrayViewD<'_, T>) {
    const TILE: usize = 1024;
    let longest = (0..to.ndim()).max_by_key(|&axis| to.len_of(Axis(axis)));
    match longest.filter(|_| to.len() > TILE).map(Axis) {
        None => to.assign(&from),
        Some(axis) => {
            let middle = to.len_of(axis) / 2;
            let (to_left, to_right) = to.split_at(axis, middle);
            let (from_left, from_right) = from.split_at(axis, middle);
            copy_in_tiles(to_left, from_left);
            copy_in_tiles(to_right, from_right);
        }
    }
}
