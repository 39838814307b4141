//! Sums that are the same however they are made.
//!
//! Floating-point addition rounds, so that a sum depends on the order of its
//! summands and on how they were grouped. There are two ways out:
//!
//! | type | is | costs, a number |
//! |---|---|---|
//! | [`ExactSum`], [`ExactMoments`] | exact, so that order and grouping cannot matter | 1 ns, with squares 3 ns |
//! | [`Compensated`] | rounded in an order that is fixed, with what was rounded away kept | 0.2 ns |
//!
//! Both give the same bits on every CPU: they are made of IEEE additions and
//! multiplications alone, of which none is fused.

mod block;
mod compensated;
mod digits;
mod exact;
mod magnitude;
mod moments;
mod rows;
mod squares;

pub use compensated::Compensated;
pub use exact::ExactSum;
pub use moments::ExactMoments;

use block::BLOCK;

/// Collects numbers into blocks, for what is faster in blocks.
fn in_blocks(values: impl IntoIterator<Item = f64>, mut add: impl FnMut(&[f64])) {
    let mut block = [0.0; BLOCK];
    let mut values = values.into_iter();
    loop {
        let mut filled = 0;
        for (slot, value) in block.iter_mut().zip(&mut values) {
            *slot = value;
            filled += 1;
        }
        add(&block[..filled]);
        if filled < BLOCK {
            return;
        }
    }
}
