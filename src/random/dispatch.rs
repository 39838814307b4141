//! The lanes compiled for each vector instruction set, chosen at run time.
//!
//! The bits are the same everywhere: the arithmetic is that of integers, and
//! the conversion to floating point is exact.
#![allow(unsafe_code)]

use super::lanes::Lanes;
use super::source::Conversion;

/// What the lanes can be compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InstructionSet {
    /// Eight lanes to a register, with 64-bit multiplication.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// Four lanes to a register.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// One lane after the other, on any CPU.
    Scalar,
}

impl InstructionSet {
    /// All that this CPU has, the fastest first.
    fn available() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let vector = [
            (is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq"))
                .then_some(Self::Avx512),
            is_x86_feature_detected!("avx2").then_some(Self::Avx2),
        ];
        #[cfg(not(target_arch = "x86_64"))]
        let vector = [None];
        vector.into_iter().flatten().chain([Self::Scalar])
    }
}

/// Fills whole rows of `values` with the fastest instructions of this CPU; a
/// remainder of less than a row is left alone.
pub(super) fn fill_rows<C: Conversion>(lanes: &mut Lanes, values: &mut [C::Value]) {
    if let Some(instructions) = InstructionSet::available().next() {
        fill_rows_with::<C>(instructions, lanes, values);
    }
}

/// Fills rows with one set of instructions, which has to be
/// [available](InstructionSet::available).
fn fill_rows_with<C: Conversion>(instructions: InstructionSet, lanes: &mut Lanes, values: &mut [C::Value]) {
    match instructions {
        // SAFETY: only `available` names this variant, after it has seen AVX-512 F and DQ.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 => unsafe { fill_rows_avx512::<C>(lanes, values) },
        // SAFETY: only `available` names this variant, after it has seen AVX2.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => unsafe { fill_rows_avx2::<C>(lanes, values) },
        InstructionSet::Scalar => lanes.fill_rows_scalar(values, C::convert),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq")]
fn fill_rows_avx512<C: Conversion>(lanes: &mut Lanes, values: &mut [C::Value]) {
    lanes.fill_rows(values, C::convert);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn fill_rows_avx2<C: Conversion>(lanes: &mut Lanes, values: &mut [C::Value]) {
    lanes.fill_rows(values, C::convert_by_halves);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::source::{Bits, Unit};
    use crate::random::{Seed, Stream};

    #[test]
    fn every_instruction_set_gives_the_draws_of_the_generator() {
        for instructions in InstructionSet::available() {
            let mut stream = Stream::new(&Seed::from(11u64), &[]);
            let mut lanes = Lanes::new(&stream.generator);
            let mut bits = [0; 1024];
            let mut units = [0.0; 1024];
            fill_rows_with::<Bits>(instructions, &mut lanes, &mut bits);
            fill_rows_with::<Unit>(instructions, &mut lanes, &mut units);
            assert!(bits.iter().all(|&bits| bits == stream.next_u64()), "{instructions:?}");
            assert!(units.iter().all(|&value| value == stream.random()), "{instructions:?}");
            assert_eq!(lanes.generator(), stream.generator, "{instructions:?}");
        }
    }
}
