//! Sums, products and means.
//!
//! Floats are summed up in lanes within a tile, and from tile to tile with the error of each addition kept
//! ([`Compensated`]); or exactly, if asked, and then whatever the chunks are ([`ExactSum`]).

use super::super::error::ArrayProblem;
use super::super::traits::{Element, Float, Number};
use super::fold::{Fold, Parameters};
use crate::sum::{Compensated, ExactSum};
use num_complex::Complex64;
use std::marker::PhantomData;

/// Lanes of a sum within a tile.
pub(super) const LANES: usize = 8;

/// The sum of the terms of a tile.
#[inline]
pub(super) fn lane_sum<T: Copy>(values: &[T], term: impl Fn(T) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let (whole, rest) = values.as_chunks::<LANES>();
    for values in whole {
        for (lane, &value) in lanes.iter_mut().zip(values) {
            *lane += term(value);
        }
    }
    for (lane, &value) in lanes.iter_mut().zip(rest) {
        *lane += term(value);
    }
    ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]))
}

/// The sum.
pub(in crate::array) struct Sum;
/// The product.
pub(in crate::array) struct Product;
/// The sum of integers as floats.
pub(in crate::array) struct FloatingSum;
/// The sum, whatever the chunks are.
pub(in crate::array) struct ExactTotal;
/// The mean, from what a sum knows at its end.
pub(in crate::array) struct Mean<S>(PhantomData<S>);
/// The sum of what is not NaN.
pub(in crate::array) struct NanSum;
/// The mean of what is not NaN.
pub(in crate::array) struct NanMean;

macro_rules! float_sums {
    ($($float:ty)*) => {$(
        impl Fold<$float> for Sum {
            type State = Compensated;
            type Output = $float;
            fn start() -> Compensated {
                Compensated::default()
            }
            fn row(state: &mut Compensated, values: &[$float], _: u64) {
                *state = state.merge(Compensated::of(values));
            }
            fn column(states: &mut [Compensated], values: &[$float], _: u64) {
                Compensated::add_rows(states, values);
            }
            fn merge(into: &mut Compensated, from: &Compensated) {
                *into = into.merge(*from);
            }
            fn finish(state: Compensated, _: u64, _: Parameters) -> $float {
                Float::of_f64(state.value())
            }
        }

        impl Fold<$float> for Product {
            type State = f64;
            type Output = $float;
            fn start() -> f64 {
                1.0
            }
            fn row(state: &mut f64, values: &[$float], _: u64) {
                *state = values.iter().fold(*state, |product, &value| product * value.to_f64());
            }
            fn merge(into: &mut f64, from: &f64) {
                *into *= from;
            }
            fn finish(state: f64, _: u64, _: Parameters) -> $float {
                Float::of_f64(state)
            }
        }

        impl Fold<$float> for ExactTotal {
            type State = ExactSum;
            type Output = $float;
            fn start() -> ExactSum {
                ExactSum::new()
            }
            fn row(state: &mut ExactSum, values: &[$float], _: u64) {
                state.add_slice(values);
            }
            fn column(states: &mut [ExactSum], values: &[$float], _: u64) {
                ExactSum::add_rows(states, values);
            }
            fn merge(into: &mut ExactSum, from: &ExactSum) {
                *into = std::mem::take(into).merge(from.clone());
            }
            fn finish(state: ExactSum, _: u64, _: Parameters) -> $float {
                Float::of_sum(&state)
            }
        }
    )*};
}

float_sums!(f64 f32);

macro_rules! integer_sums {
    ($($integer:ty)*) => {$(
        impl Fold<$integer> for Sum {
            type State = i64;
            type Output = i64;
            fn start() -> i64 {
                0
            }
            fn row(state: &mut i64, values: &[$integer], _: u64) {
                *state = values.iter().fold(*state, |sum, &value| sum.wrapping_add(value as i64));
            }
            fn merge(into: &mut i64, from: &i64) {
                *into = into.wrapping_add(*from);
            }
            fn finish(state: i64, _: u64, _: Parameters) -> i64 {
                state
            }
        }

        impl Fold<$integer> for Product {
            type State = i64;
            type Output = i64;
            fn start() -> i64 {
                1
            }
            fn row(state: &mut i64, values: &[$integer], _: u64) {
                *state = values.iter().fold(*state, |product, &value| product.wrapping_mul(value as i64));
            }
            fn merge(into: &mut i64, from: &i64) {
                *into = into.wrapping_mul(*from);
            }
            fn finish(state: i64, _: u64, _: Parameters) -> i64 {
                state
            }
        }

        impl Fold<$integer> for FloatingSum {
            type State = Compensated;
            type Output = f64;
            fn start() -> Compensated {
                Compensated::default()
            }
            fn row(state: &mut Compensated, values: &[$integer], _: u64) {
                state.add(lane_sum(values, Number::to_f64));
            }
            fn merge(into: &mut Compensated, from: &Compensated) {
                *into = into.merge(*from);
            }
            fn finish(state: Compensated, _: u64, _: Parameters) -> f64 {
                state.value()
            }
        }
    )*};
}

integer_sums!(i64 i32 u8);

impl Fold<Complex64> for Sum {
    type State = [Compensated; 2];
    type Output = Complex64;
    fn start() -> Self::State {
        Self::State::default()
    }
    fn row(state: &mut Self::State, values: &[Complex64], _: u64) {
        state[0].add(lane_sum(values, |value| value.re));
        state[1].add(lane_sum(values, |value| value.im));
    }
    fn merge(into: &mut Self::State, from: &Self::State) {
        into.iter_mut().zip(from).for_each(|(into, from)| *into = into.merge(*from));
    }
    fn finish(state: Self::State, _: u64, _: Parameters) -> Complex64 {
        Complex64::new(state[0].value(), state[1].value())
    }
}

impl Fold<Complex64> for Product {
    type State = Complex64;
    type Output = Complex64;
    fn start() -> Complex64 {
        Complex64::new(1.0, 0.0)
    }
    fn row(state: &mut Complex64, values: &[Complex64], _: u64) {
        *state = values.iter().fold(*state, |product, value| product * value);
    }
    fn merge(into: &mut Complex64, from: &Complex64) {
        *into *= from;
    }
    fn finish(state: Complex64, _: u64, _: Parameters) -> Complex64 {
        state
    }
}

/// What is known of a sum, where it is divided before it is rounded.
pub(in crate::array) trait Divided {
    fn divided(self, count: u64) -> f64;
}

impl Divided for Compensated {
    fn divided(self, count: u64) -> f64 {
        self.value() / count as f64
    }
}

impl Divided for ExactSum {
    fn divided(self, count: u64) -> f64 {
        self.mean(count)
    }
}

impl<T: Element, S: Fold<T, State: Divided>> Fold<T> for Mean<S> {
    type State = S::State;
    type Output = f64;
    const NEEDS_INDEX: bool = S::NEEDS_INDEX;
    fn check(count: usize, _: &[bool], _: Parameters) -> Result<(), ArrayProblem> {
        match count {
            0 => Err(ArrayProblem::Argument("there is no mean of no elements".into())),
            _ => Ok(()),
        }
    }
    fn start() -> S::State {
        S::start()
    }
    fn row(state: &mut S::State, values: &[T], index: u64) {
        S::row(state, values, index);
    }
    fn column(states: &mut [S::State], values: &[T], index: u64) {
        S::column(states, values, index);
    }
    fn merge(into: &mut S::State, from: &S::State) {
        S::merge(into, from);
    }
    fn finish(state: S::State, count: u64, _: Parameters) -> f64 {
        state.divided(count)
    }
}

impl<T: Float> Fold<T> for NanSum {
    type State = Compensated;
    type Output = T;
    fn start() -> Compensated {
        Compensated::default()
    }
    fn row(state: &mut Compensated, values: &[T], _: u64) {
        state.add(lane_sum(values, |value| if value.is_nan() { 0.0 } else { value.to_f64() }));
    }
    fn merge(into: &mut Compensated, from: &Compensated) {
        *into = into.merge(*from);
    }
    fn finish(state: Compensated, _: u64, _: Parameters) -> T {
        T::of_f64(state.value())
    }
}

impl<T: Float> Fold<T> for NanMean {
    type State = (Compensated, u64);
    type Output = f64;
    fn start() -> Self::State {
        Self::State::default()
    }
    fn row((sum, count): &mut Self::State, values: &[T], index: u64) {
        <NanSum as Fold<T>>::row(sum, values, index);
        *count += values.iter().filter(|value| !value.is_nan()).count() as u64;
    }
    fn merge(into: &mut Self::State, from: &Self::State) {
        into.0 = into.0.merge(from.0);
        into.1 += from.1;
    }
    fn finish((sum, count): Self::State, _: u64, _: Parameters) -> f64 {
        sum.value() / count as f64
    }
}
