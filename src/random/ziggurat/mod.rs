//! The ziggurats: normal and exponential values from one table look-up and one
//! multiplication, nearly always.
//!
//! The method is that of G. Marsaglia and W. W. Tsang (*The Ziggurat Method for
//! Generating Random Variables*, Journal of Statistical Software 5(8), 2000).
//! The area under the density is covered by 256 layers of equal area: 255
//! rectangles, the widest at the bottom, and under them a base strip that holds
//! the tail. A draw picks a layer and a point across it. A point below the next
//! narrower rectangle lies under the density for certain, which is all there is
//! to do for 98 draws in 100 and more; else the point is compared with the
//! density itself, or comes from the tail.
//!
//! Which bits of a draw pick what, and the last bits of the tables, are NumPy's,
//! so that the values are. The logarithms and exponentials are those of `libm`:
//! those of a system differ between systems and between CPUs.

mod exponential;
mod exponential_tables;
mod normal;
mod normal_tables;
mod wedge;

pub(super) use exponential::{
    draw as exponential, draw_uncertain as uncertain_exponential, fill as fill_exponential,
    point as exponential_point,
};
pub(super) use normal::{
    draw as normal, draw_uncertain as uncertain_normal, fill as fill_normal, point as normal_point,
};

use super::block::BlockReader;

/// The layers of a ziggurat. Number 0 is the base strip with the tail; from 1 to
/// 255 the rectangles grow wider and lie lower.
const LAYERS: usize = 256;

/// What the quick test of a layer needs, side by side in memory.
#[derive(Clone, Copy)]
struct Layer {
    /// Points below it lie under the density for certain.
    threshold: u64,
    /// The value of one unit of a point.
    unit: f64,
}

/// A point of a layer: the value that it stands for, and whether it lies under
/// the density for certain.
pub(super) struct Point {
    value: f64,
    certain: bool,
}

impl Point {
    /// The value, and whether it is certain.
    #[inline(always)]
    pub(super) fn parts(self) -> (f64, bool) {
        (self.value, self.certain)
    }
}

/// Fills `values` from blocks of raw draws.
///
/// `point` is the quick test alone, which runs through the draws that are ready
/// until it fails; `draw` is the whole method, which reads on from there.
#[inline(always)]
fn fill_from(
    reader: &mut BlockReader,
    values: &mut [f64],
    point: impl Fn(u64) -> Point,
    draw: impl Fn(&mut BlockReader) -> f64,
) {
    let mut filled = 0;
    while filled < values.len() {
        let mut certain = 0;
        for (value, &bits) in values[filled..].iter_mut().zip(reader.ready()) {
            let point = point(bits);
            if !point.certain {
                break;
            }
            *value = point.value;
            certain += 1;
        }
        reader.skip(certain);
        filled += certain;
        // What ended the run: an uncertain point, or too few draws or values.
        if let Some(value) = values.get_mut(filled) {
            *value = draw(reader);
            filled += 1;
        }
    }
}

/// A checksum (FNV-1a by words) of thresholds, units and heights, to be compared
/// with that of the tables in the library of NumPy 2.4.6.
#[cfg(test)]
fn checksum(layers: &[Layer], heights: &[f64]) -> u64 {
    let thresholds = layers.iter().map(|layer| layer.threshold);
    let units = layers.iter().map(|layer| layer.unit.to_bits());
    let heights = heights.iter().map(|height| height.to_bits());
    thresholds
        .chain(units)
        .chain(heights)
        .fold(0xcbf2_9ce4_8422_2325, |checksum, word| (checksum ^ word).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod scripted {
    use crate::random::source::Source;

    /// Raw draws that a test has written down.
    pub(super) struct Scripted(Vec<u64>);

    impl Scripted {
        pub(super) fn new(draws: &[u64]) -> Self {
            Self(draws.iter().rev().copied().collect())
        }

        pub(super) fn is_empty(&self) -> bool {
            self.0.is_empty()
        }
    }

    impl Source for Scripted {
        fn next_bits(&mut self) -> u64 {
            self.0.pop().expect("no more draws than were written down")
        }
    }
}
