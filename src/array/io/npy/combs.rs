//! Where the elements of a part of an array are in a file that holds the whole of it.

use std::ops::Range;

/// Stretches of neighbouring elements, all of one length, at equal distances. All in elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Comb {
    /// Where the first stretch begins.
    pub(super) start: usize,
    /// The number of stretches.
    pub(super) count: usize,
    /// From the beginning of one to that of the next.
    pub(super) pitch: usize,
    /// The length of each.
    pub(super) length: usize,
}

/// The part `region` of an array of shape `shape` in C order, as combs in C order.
pub(super) fn combs(shape: &[usize], region: &[Range<usize>]) -> impl Iterator<Item = Comb> {
    let strides: Vec<usize> = (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect();
    // Behind the last axis that is cut, everything is contiguous.
    let cut = (0..shape.len()).rev().find(|&axis| region[axis].len() < shape[axis]).unwrap_or(0);
    let length = region.get(cut).map_or(1, |range| range.len() * strides[cut]);
    let (outer, count, pitch) = match cut.checked_sub(1) {
        None => (0, 1, length),
        Some(axis) => (axis, region[axis].len(), strides[axis]),
    };
    let start = region.iter().zip(&strides).map(|(range, stride)| range.start * stride).sum();
    let first = Comb { start, count, pitch, length };

    let lengths: Vec<usize> = region.iter().map(Range::len).collect();
    let combs = match lengths.contains(&0) {
        true => 0,
        false => lengths[..outer].iter().product(),
    };
    (0..combs).map(move |mut number| {
        let mut start = first.start;
        for axis in (0..outer).rev() {
            start += number % lengths[axis] * strides[axis];
            number /= lengths[axis];
        }
        Comb { start, ..first }
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A shape, and a part of an array of it.
    pub(in super::super) fn regions(
        longest: usize,
    ) -> impl Strategy<Value = (Vec<usize>, Vec<Range<usize>>)> {
        let axis = (0..=longest).prop_flat_map(|length| (Just(length), 0..=length, 0..=length));
        // Whole axes come often.
        let axis = (axis, any::<bool>()).prop_map(|((length, a, b), whole)| match whole {
            true => (length, 0..length),
            false => (length, a.min(b)..a.max(b)),
        });
        proptest::collection::vec(axis, 0..5).prop_map(|axes| axes.into_iter().unzip())
    }

    proptest! {
        #[test]
        fn combs_are_the_elements_of_the_region((shape, region) in regions(5)) {
            let all = ndarray::ArrayD::from_shape_fn(shape.as_slice(), |index| {
                (0..shape.len()).fold(0, |number, axis| number * shape[axis] + index[axis])
            });
            let mut part = all.view();
            for (axis, range) in region.iter().enumerate() {
                part.slice_axis_inplace(ndarray::Axis(axis), ndarray::Slice::from(range.clone()));
            }
            let combs: Vec<Comb> = combs(&shape, &region).collect();
            let elements = combs.iter().flat_map(|comb| {
                (0..comb.count).flat_map(|tooth| {
                    let start = comb.start + tooth * comb.pitch;
                    start..start + comb.length
                })
            });
            prop_assert_eq!(elements.collect::<Vec<_>>(), part.iter().copied().collect::<Vec<_>>());
            prop_assert!(combs.len() <= 1 || combs[0].length < all.len());
        }
    }

    #[test]
    fn what_is_whole_is_one_stretch() {
        let one = |shape: &[usize], region: &[Range<usize>]| match combs(shape, region).collect::<Vec<_>>()[..]
        {
            [comb] => (comb.start, comb.count, comb.length),
            _ => panic!("several"),
        };
        assert_eq!(one(&[], &[]), (0, 1, 1));
        assert_eq!(one(&[7, 3], &[2..5, 0..3]), (6, 1, 9));
        assert_eq!(one(&[7, 3, 4], &[0..7, 1..2, 0..4]), (4, 7, 4));
        assert_eq!(one(&[7, 3, 4], &[0..7, 0..3, 0..4]), (0, 1, 84));
    }
}
