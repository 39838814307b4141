//! What operations ask of the type of elements.

use super::array::Array;
use super::expression::Operand;
use super::order::Ordered;
use super::reduce::{Axes, ExactTotal, FloatingSum, Mean, Parameters, Product, Sum};
use crate::sum::ExactSum;
use num_complex::Complex64;
use std::panic::Location;

/// What the elements of an array can be: `f64`, `f32`, `i64`, `i32`, `u8`, `bool` and `Complex64`.
#[allow(private_bounds)]
pub trait Element: crate::BlockElement + Operand {}

impl<T: crate::BlockElement + Operand> Element for T {}

/// Element types with arithmetic: all but `bool`.
pub trait Numeric: Element {
    #[doc(hidden)]
    const ZERO: Self;
    #[doc(hidden)]
    const ONE: Self;
    /// The type of a sum: `i64` for integers, else the type itself.
    type Sum: Numeric;
    /// The sum of two; integers wrap around.
    #[doc(hidden)]
    fn plus(self, other: Self) -> Self;
    #[doc(hidden)]
    fn sum(array: &Array<Self>, axes: &Axes, place: &Location<'_>) -> Array<Self::Sum>;
    #[doc(hidden)]
    fn product(array: &Array<Self>, axes: &Axes, place: &Location<'_>) -> Array<Self::Sum>;
}

/// Real numbers: `f64`, `f32`, `i64`, `i32`, `u8`.
#[allow(private_bounds)]
pub trait Number: Numeric + PartialOrd + Ordered {
    #[doc(hidden)]
    fn to_f64(self) -> f64;
    #[doc(hidden)]
    fn is_nan(self) -> bool;
    #[doc(hidden)]
    fn mean(array: &Array<Self>, axes: &Axes, place: &Location<'_>) -> Array<f64>;
    /// How many steps there are from `start` up to, but not including, `stop`.
    #[doc(hidden)]
    fn steps(start: Self, stop: Self, step: Self) -> Option<usize>;
}

/// `f64` and `f32`.
pub trait Float: Number {
    #[doc(hidden)]
    fn of_f64(value: f64) -> Self;
    /// The sum, rounded once.
    #[doc(hidden)]
    fn of_sum(sum: &ExactSum) -> Self;
    #[doc(hidden)]
    fn exact_sum(array: &Array<Self>, axes: &Axes, place: &Location<'_>) -> Array<Self>;
    #[doc(hidden)]
    fn exact_mean(array: &Array<Self>, axes: &Axes, place: &Location<'_>) -> Array<f64>;
}

/// `i64`, `i32`, `u8` and `bool`: what has bits.
pub trait Bits: Element {}

macro_rules! numbers {
    ($($number:ty, $zero:expr, $one:expr, $sum:ty, $plus:expr;)*) => {$(
        impl Numeric for $number {
            const ZERO: Self = $zero;
            const ONE: Self = $one;
            type Sum = $sum;
            fn plus(self, other: Self) -> Self {
                $plus(self, other)
            }
            fn sum(array: &Array<Self>, axes: &Axes, place: &Location<'_>) -> Array<$sum> {
                array.reduce::<Sum>(axes, "sum", Parameters::default(), place)
            }
            fn product(array: &Array<Self>, axes: &Axes, place: &Location<'_>) -> Array<$sum> {
                array.reduce::<Product>(axes, "product", Parameters::default(), place)
            }
        }
    )*};
}

numbers! {
    f64, 0.0, 1.0, f64, std::ops::Add::add;
    f32, 0.0, 1.0, f32, std::ops::Add::add;
    i64, 0, 1, i64, i64::wrapping_add;
    i32, 0, 1, i64, i32::wrapping_add;
    u8, 0, 1, i64, u8::wrapping_add;
    Complex64, Complex64::new(0.0, 0.0), Complex64::new(1.0, 0.0), Complex64, std::ops::Add::add;
}

macro_rules! floats {
    ($($float:ty, $value:ident;)*) => {$(
        impl Number for $float {
            fn to_f64(self) -> f64 {
                self.into()
            }
            fn is_nan(self) -> bool {
                <$float>::is_nan(self)
            }
            fn mean(array: &Array<Self>, axes: &Axes, place: &Location<'_>) -> Array<f64> {
                array.reduce::<Mean<Sum>>(axes, "mean", Parameters::default(), place)
            }
            fn steps(start: Self, stop: Self, step: Self) -> Option<usize> {
                let distance = stop - start;
                let steps = distance / step;
                // As in NumPy: a step that is much longer than the way is one.
                if steps == 0.0 && distance != 0.0 {
                    return Some(usize::from(steps.is_sign_positive()));
                }
                // More than can be counted are the largest number of them.
                (step != 0.0 && steps.is_finite()).then_some(steps.ceil() as usize)
            }
        }
        impl Float for $float {
            fn of_f64(value: f64) -> Self {
                value as $float
            }
            fn of_sum(sum: &ExactSum) -> Self {
                sum.$value()
            }
            fn exact_sum(array: &Array<Self>, axes: &Axes, place: &Location<'_>) -> Array<Self> {
                array.reduce::<ExactTotal>(axes, "exact_sum", Parameters::default(), place)
            }
            fn exact_mean(array: &Array<Self>, axes: &Axes, place: &Location<'_>) -> Array<f64> {
                array.reduce::<Mean<ExactTotal>>(axes, "exact_mean", Parameters::default(), place)
            }
        }
    )*};
}

floats! {
    f64, value;
    f32, value_f32;
}

macro_rules! integers {
    ($($integer:ty)*) => {$(
        impl Number for $integer {
            fn to_f64(self) -> f64 {
                self as f64
            }
            fn is_nan(self) -> bool {
                false
            }
            fn mean(array: &Array<Self>, axes: &Axes, place: &Location<'_>) -> Array<f64> {
                array.reduce::<Mean<FloatingSum>>(axes, "mean", Parameters::default(), place)
            }
            fn steps(start: Self, stop: Self, step: Self) -> Option<usize> {
                let (start, stop, step) = (start as i128, stop as i128, step as i128);
                if step == 0 {
                    return None;
                }
                let distance = if step > 0 { stop - start } else { start - stop };
                let steps = (distance.max(0) + step.abs() - 1) / step.abs();
                Some(usize::try_from(steps).unwrap_or(usize::MAX))
            }
        }
        impl Bits for $integer {}
    )*};
}

integers!(i64 i32 u8);

impl Bits for bool {}
