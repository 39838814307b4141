//! Exact sums of blocks, in vector registers.
//!
//! Adding a number to a large power of two and taking that away again leaves the
//! upper bits of the number, and all numbers of a block then have their last bit
//! at the same place: their sum has no rounding, whatever the order. What was
//! cut off is treated in the same way once more. The method is that of S. M.
//! Rump, T. Ogita and S. Oishi (*Accurate Floating-Point Summation Part I:
//! Faithful Rounding*, SIAM Journal on Scientific Computing 31, 2008), stopped
//! after two cuts: nothing is left then unless a number is 2^30 times smaller than
//! the largest of its block, and has bits there.

use super::rows::{COLUMNS, for_tiles};

/// Numbers of a block: so many may be added without a rounding.
pub(super) const BLOCK: usize = 1 << BLOCK_BITS;
const BLOCK_BITS: i32 = 10;

/// Numbers that are treated side by side.
const LANES: usize = 16;

/// Rows of a block of columns: what is read twice stays in the second cache.
const ROWS: usize = 256;

/// Exact partial sums.
pub(super) type Parts = [f64; 2];

/// The exponents of largest numbers for which the cuts neither overflow nor
/// underflow.
const EXPONENTS: std::ops::Range<i32> = -900..1000;

/// What cuts a number: 1.5 times a power of two, so that a sum with it keeps its
/// exponent, whatever its sign. NaN lets nothing through.
///
/// `largest` is the largest absolute value of a block, without regard to NaN.
fn cuts(largest: f64) -> [f64; 2] {
    if largest == 0.0 {
        return [0.0; 2];
    }
    // All are below 2^exponent.
    let exponent = (largest.to_bits() >> 52) as i32 - 1022;
    if !EXPONENTS.contains(&exponent) {
        return [f64::NAN; 2];
    }
    // The last bit of a sum with the upper cut weighs 2^(exponent + 10 - 52), and
    // at most half of it is cut off.
    [exponent, exponent + BLOCK_BITS - 53]
        .map(|exponent| 1.5 * f64::from_bits(((exponent + BLOCK_BITS + 1023) as u64) << 52))
}

/// Sums side by side.
struct Sums<const N: usize> {
    cuts: [[f64; N]; 2],
    sums: [[f64; N]; 2],
    /// Not zero where anything was left; the sign does not count.
    left: [u64; N],
}

impl<const N: usize> Sums<N> {
    fn new(largest: [f64; N]) -> Self {
        let cuts = largest.map(cuts);
        Self { cuts: [cuts.map(|cuts| cuts[0]), cuts.map(|cuts| cuts[1])], sums: [[0.0; N]; 2], left: [0; N] }
    }

    #[inline(always)]
    fn add(&mut self, values: [f64; N]) {
        let mut values = values;
        for (cuts, sums) in self.cuts.iter().zip(&mut self.sums) {
            for lane in 0..N {
                let part = (values[lane] + cuts[lane]) - cuts[lane];
                sums[lane] += part;
                values[lane] -= part;
            }
        }
        for (left, value) in self.left.iter_mut().zip(values) {
            *left |= value.to_bits();
        }
    }

    /// The sums of a lane, if nothing was left; a NaN would have been.
    fn parts(&self, lane: usize) -> Option<Parts> {
        (self.left[lane] << 1 == 0).then(|| [self.sums[0][lane], self.sums[1][lane]])
    }
}

/// The largest absolute values, lane by lane.
#[inline(always)]
fn larger<const N: usize>(largest: &mut [f64; N], values: [f64; N]) {
    for lane in 0..N {
        let value = values[lane].abs();
        largest[lane] = if value > largest[lane] { value } else { largest[lane] };
    }
}

/// The exact sum of up to [`BLOCK`] numbers, if it is to be had in this way.
pub(super) fn parts_of_block<T: Copy + Into<f64>>(values: &[T]) -> Option<Parts> {
    let (rows, rest) = values.as_chunks::<LANES>();
    let mut last = [0.0; LANES];
    for (last, &value) in last.iter_mut().zip(rest) {
        *last = value.into();
    }
    let mut largest = last.map(f64::abs);
    for row in rows {
        larger(&mut largest, row.map(Into::into));
    }
    let largest = largest.into_iter().fold(0.0, f64::max);
    let mut sums = Sums::new([largest; LANES]);
    for row in rows {
        sums.add(row.map(Into::into));
    }
    sums.add(last);
    // The sums of lanes have their last bits at the same places, too.
    let mut total = [0.0; 2];
    for lane in 0..LANES {
        let parts = sums.parts(lane)?;
        total = [total[0] + parts[0], total[1] + parts[1]];
    }
    Some(total)
}

/// Calls `add` with columns and numbers whose sums are those of the columns of
/// `values`, which are rows of `columns` numbers each: exact sums of pieces, or
/// the numbers of a piece where its sum is not to be had.
pub(super) fn for_columns<T: Copy + Into<f64>>(
    values: &[T],
    columns: usize,
    mut add: impl FnMut(usize, f64),
) {
    for_tiles(values, columns, ROWS, |tile| {
        let mut largest = [0.0; COLUMNS];
        for row in tile.rows() {
            larger(&mut largest, row);
        }
        let mut sums = Sums::new(largest);
        for row in tile.rows() {
            sums.add(row);
        }
        for (lane, column) in tile.columns().enumerate() {
            match sums.parts(lane) {
                Some(parts) => parts.into_iter().for_each(|part| add(column, part)),
                None => tile.rows().for_each(|row| add(column, row[lane])),
            }
        }
    });
}
