//! How an array in a file is cut when nobody says how: so that a chunk is one stretch of the file.

use super::super::error::ArrayProblem;
use super::super::layout::{AUTOMATIC_BYTES, Chunks, Layout, pieces};

/// Whether the elements that follow each other in the file differ in the last index or in the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    C,
    Fortran,
}

/// The layout of files of the given `shapes`, one behind the other along the first axis. Chunks that are cut
/// automatically end where a file ends.
pub(super) fn layout(
    shapes: &[&[usize]],
    chunks: &Chunks,
    order: Order,
    element_size: usize,
) -> Result<Layout, ArrayProblem> {
    let mut shape = shapes[0].to_vec();
    if let Some(first) = shape.first_mut() {
        let lengths = shapes.iter().map(|shape| shape[0]);
        let sum = lengths.clone().try_fold(0usize, usize::checked_add);
        *first = sum.ok_or_else(|| ArrayProblem::Argument("the files have too many rows".into()))?;
    }
    let bytes = match chunks {
        Chunks::Auto => AUTOMATIC_BYTES,
        Chunks::Bytes(bytes) => *bytes,
        _ => return Layout::new(&shape, chunks, element_size),
    };
    let Some(longest) = shapes.iter().max_by_key(|shape| shape.first()) else {
        return Layout::new(&shape, chunks, element_size);
    };
    let slab = slab(longest, (bytes / element_size).max(1), order);
    // The lengths are those of a file on the disk, so nothing overflows; but let one place check.
    let mut layout = Layout::new(&shape, &Chunks::Shape(slab.clone()), element_size)?;
    if let Some(first) = layout.chunks.first_mut().filter(|_| shape[0] > 0) {
        let filled = shapes.iter().filter(|shape| shape[0] > 0);
        *first = filled.flat_map(|shape| pieces(shape[0], slab[0])).collect();
    }
    Ok(layout)
}

/// The shape of a chunk of at most `elements` elements that are neighbours in the file: whole along the fastest
/// axes, one index of the slowest, and of the axis between them as much as there is room for, in equal parts.
fn slab(shape: &[usize], elements: usize, order: Order) -> Vec<usize> {
    let mut slab = vec![1; shape.len()];
    let mut room = elements;
    let mut fastest_first: Vec<usize> = (0..shape.len()).collect();
    if order == Order::C {
        fastest_first.reverse();
    }
    for axis in fastest_first {
        let length = shape[axis].max(1);
        slab[axis] = if length <= room { length } else { length.div_ceil(length.div_ceil(room)) };
        if length > room {
            break;
        }
        room /= length;
    }
    slab
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_chunk_is_one_stretch_of_the_file() {
        assert_eq!(slab(&[100, 10, 10], 1000, Order::C), [10, 10, 10]);
        assert_eq!(slab(&[100, 10, 10], 350, Order::C), [3, 10, 10]);
        assert_eq!(slab(&[100, 10, 10], 25, Order::C), [1, 2, 10]);
        assert_eq!(slab(&[100, 10, 10], 350, Order::Fortran), [100, 3, 1]);
        assert_eq!(slab(&[10], 4, Order::C), [4]);
        assert_eq!(slab(&[], 4, Order::C), [0usize; 0]);
        let chunks =
            |shapes: &[&[usize]]| layout(shapes, &Chunks::Bytes(48), Order::C, 8).map(|found| found.chunks);
        assert_eq!(chunks(&[&[5, 3], &[0, 3], &[1, 3]]), Ok(vec![vec![2, 2, 1, 1], vec![3]]));
        assert_eq!(chunks(&[&[0, 3], &[0, 3]]), Ok(vec![vec![0], vec![3]]));
    }

    proptest! {
        #[test]
        fn chunks_cover_the_files_and_are_small_enough(
            rows in proptest::collection::vec(0usize..50, 1..5),
            others in proptest::collection::vec(0usize..20, 0..3),
            bytes in 1usize..5000,
            c in any::<bool>(),
        ) {
            let shapes: Vec<Vec<usize>> =
                rows.iter().map(|&rows| [&[rows], others.as_slice()].concat()).collect();
            let views: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
            let order = if c { Order::C } else { Order::Fortran };
            let layout = layout(&views, &Chunks::Bytes(bytes), order, 8).expect("any bytes");
            prop_assert_eq!(layout.shape[0], rows.iter().sum::<usize>());
            prop_assert_eq!(&layout.shape[1..], others);
            for (chunks, length) in layout.chunks.iter().zip(&layout.shape) {
                prop_assert_eq!(chunks.iter().sum::<usize>(), *length);
                prop_assert!(*length == 0 || !chunks.contains(&0));
            }
            prop_assert!(layout.largest_chunk() <= (bytes / 8).max(1));
            let ends = |lengths: &[usize]| -> Vec<usize> {
                lengths.iter().scan(0, |end, length| { *end += length; Some(*end) }).collect()
            };
            let cuts = ends(&layout.chunks[0]);
            prop_assert!(ends(&rows).iter().all(|end| *end == 0 || cuts.contains(end)));
        }
    }
}
