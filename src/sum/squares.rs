//! Exact sums of squares of blocks, in vector registers.

use super::block::{BLOCK, parts_of_block};

/// What splits a number into halves of 26 bits and less.
const SPLIT: f64 = ((1 << 27) + 1) as f64;

/// The absolute values whose squares and their errors neither overflow nor
/// underflow.
const LARGEST: f64 = f64::from_bits((1023 + 450) << 52);
const SMALLEST: f64 = f64::from_bits((1023 - 450) << 52);

/// The square of a number, rounded, and what was rounded away, exactly: T. J.
/// Dekker (*A Floating-Point Technique for Extending the Available Precision*,
/// Numerische Mathematik 18, 1971). A fused multiplication would do the same in
/// one instruction where a CPU has it, and take a hundred where not.
#[inline(always)]
fn square(value: f64) -> [f64; 2] {
    let scaled = SPLIT * value;
    let upper = scaled - (scaled - value);
    let lower = value - upper;
    let square = value * value;
    let error = ((upper * upper - square) + 2.0 * upper * lower) + lower * lower;
    [square, error]
}

/// The exact sum of the squares of up to [`BLOCK`] numbers, in parts, if it is to
/// be had in this way.
pub(super) fn squares<T: Copy + Into<f64>>(values: &[T]) -> Option<[f64; 4]> {
    let mut buffers = [[0.0; BLOCK]; 2];
    let [squares, errors] = &mut buffers;
    let (squares, errors) = (squares.get_mut(..values.len())?, errors.get_mut(..values.len())?);
    let mut regular = true;
    for ((&value, upper), error) in values.iter().zip(&mut *squares).zip(&mut *errors) {
        let value: f64 = value.into();
        [*upper, *error] = square(value);
        let size = value.abs();
        regular &= (size <= LARGEST) & ((size >= SMALLEST) | (size == 0.0));
    }
    if !regular {
        return None;
    }
    let ([a, b], [c, d]) = (parts_of_block(squares)?, parts_of_block(errors)?);
    Some([a, b, c, d])
}
