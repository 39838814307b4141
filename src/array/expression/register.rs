//! Tiles of values while a chunk is worked on.

use super::program::Number;
use crate::{BlockElement, DType};
use num_complex::Complex64;

/// Elements of a tile: few enough that the tiles of an expression stay in the innermost cache. Sums are
/// grouped by tiles, so this is part of the promise that results keep their bits.
pub(in crate::array) const TILE: usize = 1024;

/// The values of a tile, of any element type.
#[derive(Debug)]
pub(in crate::array) enum Register {
    F64(Vec<f64>),
    F32(Vec<f32>),
    I64(Vec<i64>),
    I32(Vec<i32>),
    U8(Vec<u8>),
    Bool(Vec<bool>),
    Complex64(Vec<Complex64>),
}

impl Default for Register {
    fn default() -> Self {
        Register::U8(Vec::new())
    }
}

/// Values of a tile, of any element type, to be read.
#[derive(Debug, Clone, Copy)]
pub(in crate::array) enum Values<'a> {
    F64(&'a [f64]),
    F32(&'a [f32]),
    I64(&'a [i64]),
    I32(&'a [i32]),
    U8(&'a [u8]),
    Bool(&'a [bool]),
    Complex64(&'a [Complex64]),
}

impl<'a> Values<'a> {
    pub(in crate::array) fn of<T: Lane>(self) -> &'a [T] {
        T::slice(self)
    }
}

/// Element types as they are in registers and numbers.
pub(in crate::array) trait Lane: BlockElement {
    fn register(values: Vec<Self>) -> Register;
    fn values(register: &Register) -> &[Self];
    fn as_values(values: &[Self]) -> Values<'_>;
    fn slice(values: Values<'_>) -> &[Self];
    fn values_mut(register: &mut Register) -> &mut Vec<Self>;
    fn number(self) -> Number;
    fn of_number(number: Number) -> Self;
}

macro_rules! lanes {
    ($($element:ty, $variant:ident;)*) => {$(
        impl Lane for $element {
            fn register(values: Vec<Self>) -> Register {
                Register::$variant(values)
            }
            fn values(register: &Register) -> &[Self] {
                match register {
                    Register::$variant(values) => values,
                    _ => unreachable!("types are checked when an expression is made"),
                }
            }
            fn as_values(values: &[Self]) -> Values<'_> {
                Values::$variant(values)
            }
            fn slice(values: Values<'_>) -> &[Self] {
                match values {
                    Values::$variant(values) => values,
                    _ => unreachable!("types are checked when an expression is made"),
                }
            }
            fn values_mut(register: &mut Register) -> &mut Vec<Self> {
                match register {
                    Register::$variant(values) => values,
                    _ => unreachable!("types are checked when an expression is made"),
                }
            }
            fn number(self) -> Number {
                Number::$variant(self)
            }
            fn of_number(number: Number) -> Self {
                match number {
                    Number::$variant(value) => value,
                    _ => unreachable!("types are checked when an expression is made"),
                }
            }
        }
    )*};
}

lanes! {
    f64, F64;
    f32, F32;
    i64, I64;
    i32, I32;
    u8, U8;
    bool, Bool;
    Complex64, Complex64;
}

/// Runs the same code for the element type that a [`DType`] names.
macro_rules! with_type {
    ($dtype:expr, $element:ident => $code:expr) => {
        match $dtype {
            $crate::DType::F64 => {
                type $element = f64;
                $code
            }
            $crate::DType::F32 => {
                type $element = f32;
                $code
            }
            $crate::DType::I64 => {
                type $element = i64;
                $code
            }
            $crate::DType::I32 => {
                type $element = i32;
                $code
            }
            $crate::DType::U8 => {
                type $element = u8;
                $code
            }
            $crate::DType::Bool => {
                type $element = bool;
                $code
            }
            $crate::DType::Complex64 => {
                type $element = num_complex::Complex64;
                $code
            }
        }
    };
}
pub(in crate::array) use with_type;

impl Register {
    pub(super) fn new(dtype: DType) -> Self {
        with_type!(dtype, T => <T as Lane>::register(Vec::with_capacity(TILE)))
    }

    pub(super) fn clear(&mut self) {
        match self {
            Register::F64(values) => values.clear(),
            Register::F32(values) => values.clear(),
            Register::I64(values) => values.clear(),
            Register::I32(values) => values.clear(),
            Register::U8(values) => values.clear(),
            Register::Bool(values) => values.clear(),
            Register::Complex64(values) => values.clear(),
        }
    }
}

impl Number {
    pub(in crate::array) fn dtype(self) -> DType {
        match self {
            Number::F64(_) => DType::F64,
            Number::F32(_) => DType::F32,
            Number::I64(_) => DType::I64,
            Number::I32(_) => DType::I32,
            Number::U8(_) => DType::U8,
            Number::Bool(_) => DType::Bool,
            Number::Complex64(_) => DType::Complex64,
        }
    }
}
