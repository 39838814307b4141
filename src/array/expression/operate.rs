//! What operators do to tiles.
//!
//! Functions that are not exact come from `libm`, so that they have the same bits on every CPU. Integers wrap
//! around, as NumPy's do.

use super::program::{Binary, Unary};
use super::register::{Lane, Register, with_type};
use crate::array::ArrayProblem;
use crate::{BlockElement, DType};
use num_complex::Complex64;

/// What can go wrong with the values themselves.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::array) enum Fault {
    #[error("an integer was divided by zero; `.select` can keep zeros out, or `.cast::<f64>()` the operands")]
    DivisionByZero,
    #[error("an integer was raised to a negative power; `.cast::<f64>()` the operands")]
    NegativePower,
    /// The values do not fit into the memory.
    #[error(transparent)]
    Impossible(#[from] ArrayProblem),
}

/// The operators of an element type.
pub(in crate::array) trait Operand: Lane {
    /// An operator whose result has the type of the operand.
    fn unary(operator: Unary, a: &[Self], out: &mut Vec<Self>);
    /// An operator whose result has the type of the operands.
    fn binary(operator: Binary, a: &[Self], b: &[Self], out: &mut Vec<Self>) -> Result<(), Fault>;
    /// A comparison.
    fn compare(operator: Binary, a: &[Self], b: &[Self], out: &mut Vec<bool>);
    /// An operator whose result is `bool`, and those of complex numbers whose result is real.
    fn property(operator: Unary, a: &[Self], out: &mut Register);
}

fn each<T: Copy, R>(a: &[T], out: &mut Vec<R>, f: impl Fn(T) -> R) {
    out.extend(a.iter().map(|&a| f(a)));
}

fn pairs<T: Copy, R>(a: &[T], b: &[T], out: &mut Vec<R>, f: impl Fn(T, T) -> R) {
    out.extend(a.iter().zip(b).map(|(&a, &b)| f(a, b)));
}

fn unknown(operator: impl std::fmt::Debug, dtype: DType) -> ! {
    unreachable!("{operator:?} of {dtype}: types are checked when an expression is made")
}

macro_rules! ordered {
    () => {
        fn compare(operator: Binary, a: &[Self], b: &[Self], out: &mut Vec<bool>) {
            match operator {
                Binary::Equal => pairs(a, b, out, |a, b| a == b),
                Binary::NotEqual => pairs(a, b, out, |a, b| a != b),
                Binary::Less => pairs(a, b, out, |a, b| a < b),
                Binary::LessEqual => pairs(a, b, out, |a, b| a <= b),
                Binary::Greater => pairs(a, b, out, |a, b| a > b),
                Binary::GreaterEqual => pairs(a, b, out, |a, b| a >= b),
                _ => unknown(operator, Self::DTYPE),
            }
        }
    };
}

macro_rules! floats {
    ($($float:ty, $exp:ident $exp2:ident $expm1:ident $ln:ident $ln1p:ident $log2:ident $log10:ident $cbrt:ident
       $sin:ident $cos:ident $tan:ident $asin:ident $acos:ident $atan:ident
       $sinh:ident $cosh:ident $tanh:ident $asinh:ident $acosh:ident $atanh:ident
       $pow:ident $atan2:ident $hypot:ident;)*) => {$(
        impl Operand for $float {
            fn unary(operator: Unary, a: &[Self], out: &mut Vec<Self>) {
                match operator {
                    Unary::Negate => each(a, out, |a| -a),
                    Unary::Abs => each(a, out, <$float>::abs),
                    // As NumPy's: 0 for zeros, NaN for NaN.
                    Unary::Sign => each(a, out, |a| if a == 0.0 { 0.0 } else { a.signum() }),
                    Unary::Square => each(a, out, |a| a * a),
                    Unary::Sqrt => each(a, out, <$float>::sqrt),
                    Unary::Floor => each(a, out, <$float>::floor),
                    Unary::Ceil => each(a, out, <$float>::ceil),
                    Unary::Round => each(a, out, <$float>::round_ties_even),
                    Unary::Trunc => each(a, out, <$float>::trunc),
                    Unary::Conjugate | Unary::Real => out.extend_from_slice(a),
                    Unary::Exp => each(a, out, libm::$exp),
                    Unary::Exp2 => each(a, out, libm::$exp2),
                    Unary::ExpM1 => each(a, out, libm::$expm1),
                    Unary::Ln => each(a, out, libm::$ln),
                    Unary::Ln1p => each(a, out, libm::$ln1p),
                    Unary::Log2 => each(a, out, libm::$log2),
                    Unary::Log10 => each(a, out, libm::$log10),
                    Unary::Cbrt => each(a, out, libm::$cbrt),
                    Unary::Sin => each(a, out, libm::$sin),
                    Unary::Cos => each(a, out, libm::$cos),
                    Unary::Tan => each(a, out, libm::$tan),
                    Unary::Asin => each(a, out, libm::$asin),
                    Unary::Acos => each(a, out, libm::$acos),
                    Unary::Atan => each(a, out, libm::$atan),
                    Unary::Sinh => each(a, out, libm::$sinh),
                    Unary::Cosh => each(a, out, libm::$cosh),
                    Unary::Tanh => each(a, out, libm::$tanh),
                    Unary::Asinh => each(a, out, libm::$asinh),
                    Unary::Acosh => each(a, out, libm::$acosh),
                    Unary::Atanh => each(a, out, libm::$atanh),
                    _ => unknown(operator, Self::DTYPE),
                }
            }

            fn binary(operator: Binary, a: &[Self], b: &[Self], out: &mut Vec<Self>) -> Result<(), Fault> {
                match operator {
                    Binary::Add => pairs(a, b, out, |a, b| a + b),
                    Binary::Subtract => pairs(a, b, out, |a, b| a - b),
                    Binary::Multiply => pairs(a, b, out, |a, b| a * b),
                    Binary::Divide => pairs(a, b, out, |a, b| a / b),
                    Binary::Remainder => pairs(a, b, out, |a, b| a % b),
                    // NaN if one of them is, as NumPy's `minimum` and `maximum`.
                    Binary::Minimum => pairs(a, b, out, |a, b| if a < b || a.is_nan() { a } else { b }),
                    Binary::Maximum => pairs(a, b, out, |a, b| if a > b || a.is_nan() { a } else { b }),
                    Binary::Power => pairs(a, b, out, libm::$pow),
                    Binary::Atan2 => pairs(a, b, out, libm::$atan2),
                    Binary::Hypot => pairs(a, b, out, libm::$hypot),
                    _ => unknown(operator, Self::DTYPE),
                }
                Ok(())
            }

            ordered!();

            fn property(operator: Unary, a: &[Self], out: &mut Register) {
                let out = bool::values_mut(out);
                match operator {
                    Unary::IsNan => each(a, out, <$float>::is_nan),
                    Unary::IsFinite => each(a, out, <$float>::is_finite),
                    Unary::IsInfinite => each(a, out, <$float>::is_infinite),
                    _ => unknown(operator, Self::DTYPE),
                }
            }
        }
    )*};
}

floats! {
    f64, exp exp2 expm1 log log1p log2 log10 cbrt sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh
        pow atan2 hypot;
    f32, expf exp2f expm1f logf log1pf log2f log10f cbrtf sinf cosf tanf asinf acosf atanf sinhf coshf tanhf
        asinhf acoshf atanhf powf atan2f hypotf;
}

macro_rules! integers {
    ($($integer:ty, $abs:expr, $sign:expr;)*) => {$(
        impl Operand for $integer {
            fn unary(operator: Unary, a: &[Self], out: &mut Vec<Self>) {
                match operator {
                    Unary::Negate => each(a, out, <$integer>::wrapping_neg),
                    Unary::Not => each(a, out, |a| !a),
                    Unary::Abs => each(a, out, $abs),
                    Unary::Sign => each(a, out, $sign),
                    Unary::Square => each(a, out, |a| a.wrapping_mul(a)),
                    _ => unknown(operator, Self::DTYPE),
                }
            }

            fn binary(operator: Binary, a: &[Self], b: &[Self], out: &mut Vec<Self>) -> Result<(), Fault> {
                match operator {
                    Binary::Add => pairs(a, b, out, <$integer>::wrapping_add),
                    Binary::Subtract => pairs(a, b, out, <$integer>::wrapping_sub),
                    Binary::Multiply => pairs(a, b, out, <$integer>::wrapping_mul),
                    Binary::Divide | Binary::Remainder if b.contains(&0) => return Err(Fault::DivisionByZero),
                    Binary::Divide => pairs(a, b, out, <$integer>::wrapping_div),
                    Binary::Remainder => pairs(a, b, out, <$integer>::wrapping_rem),
                    Binary::Minimum => pairs(a, b, out, <$integer>::min),
                    Binary::Maximum => pairs(a, b, out, <$integer>::max),
                    Binary::And => pairs(a, b, out, |a, b| a & b),
                    Binary::Or => pairs(a, b, out, |a, b| a | b),
                    Binary::Xor => pairs(a, b, out, |a, b| a ^ b),
                    Binary::Power => {
                        for (&a, &b) in a.iter().zip(b) {
                            let exponent = u64::try_from(b).map_err(|_| Fault::NegativePower)?;
                            out.push(power(a, exponent));
                        }
                        fn power(mut base: $integer, mut exponent: u64) -> $integer {
                            let mut result: $integer = 1;
                            while exponent > 0 {
                                if exponent % 2 == 1 {
                                    result = result.wrapping_mul(base);
                                }
                                base = base.wrapping_mul(base);
                                exponent /= 2;
                            }
                            result
                        }
                    }
                    _ => unknown(operator, Self::DTYPE),
                }
                Ok(())
            }

            ordered!();

            fn property(operator: Unary, _: &[Self], _: &mut Register) {
                unknown(operator, Self::DTYPE)
            }
        }
    )*};
}

integers! {
    i64, i64::wrapping_abs, i64::signum;
    i32, i32::wrapping_abs, i32::signum;
    u8, |a| a, |a| a.min(1);
}

impl Operand for bool {
    fn unary(operator: Unary, a: &[Self], out: &mut Vec<Self>) {
        match operator {
            Unary::Not => each(a, out, |a| !a),
            _ => unknown(operator, Self::DTYPE),
        }
    }

    fn binary(operator: Binary, a: &[Self], b: &[Self], out: &mut Vec<Self>) -> Result<(), Fault> {
        match operator {
            Binary::And => pairs(a, b, out, |a, b| a & b),
            Binary::Or => pairs(a, b, out, |a, b| a | b),
            Binary::Xor => pairs(a, b, out, |a, b| a ^ b),
            _ => unknown(operator, Self::DTYPE),
        }
        Ok(())
    }

    ordered!();

    fn property(operator: Unary, _: &[Self], _: &mut Register) {
        unknown(operator, Self::DTYPE)
    }
}

impl Operand for Complex64 {
    fn unary(operator: Unary, a: &[Self], out: &mut Vec<Self>) {
        match operator {
            Unary::Negate => each(a, out, |a| -a),
            Unary::Square => each(a, out, |a| a * a),
            Unary::Conjugate => each(a, out, |a| a.conj()),
            Unary::Exp => each(a, out, |a| polar(libm::exp(a.re), a.im)),
            Unary::Ln => each(a, out, |a| Complex64::new(libm::log(modulus(a)), angle(a))),
            Unary::Sqrt => each(a, out, square_root),
            _ => unknown(operator, Self::DTYPE),
        }
    }

    fn binary(operator: Binary, a: &[Self], b: &[Self], out: &mut Vec<Self>) -> Result<(), Fault> {
        match operator {
            Binary::Add => pairs(a, b, out, |a, b| a + b),
            Binary::Subtract => pairs(a, b, out, |a, b| a - b),
            Binary::Multiply => pairs(a, b, out, |a, b| a * b),
            Binary::Divide => pairs(a, b, out, |a, b| a / b),
            _ => unknown(operator, Self::DTYPE),
        }
        Ok(())
    }

    fn compare(operator: Binary, a: &[Self], b: &[Self], out: &mut Vec<bool>) {
        match operator {
            Binary::Equal => pairs(a, b, out, |a, b| a == b),
            Binary::NotEqual => pairs(a, b, out, |a, b| a != b),
            _ => unknown(operator, Self::DTYPE),
        }
    }

    fn property(operator: Unary, a: &[Self], out: &mut Register) {
        match operator {
            Unary::Real => each(a, f64::values_mut(out), |a| a.re),
            Unary::Imaginary => each(a, f64::values_mut(out), |a| a.im),
            Unary::Abs => each(a, f64::values_mut(out), modulus),
            Unary::Angle => each(a, f64::values_mut(out), angle),
            _ => unknown(operator, Self::DTYPE),
        }
    }
}

fn modulus(a: Complex64) -> f64 {
    libm::hypot(a.re, a.im)
}

fn angle(a: Complex64) -> f64 {
    libm::atan2(a.im, a.re)
}

fn polar(modulus: f64, angle: f64) -> Complex64 {
    Complex64::new(modulus * libm::cos(angle), modulus * libm::sin(angle))
}

/// The root with a real part of at least 0.
fn square_root(a: Complex64) -> Complex64 {
    if a.re == 0.0 && a.im == 0.0 {
        return Complex64::new(0.0, a.im);
    }
    let half = ((modulus(a) + a.re.abs()) / 2.0).sqrt();
    let other = a.im.abs() / (2.0 * half);
    let (re, im) = if a.re >= 0.0 { (half, other) } else { (other, half) };
    Complex64::new(re, im.copysign(a.im))
}

/// A conversion as `as` does it: floats to integers towards zero and within the range of the integer, numbers
/// to `bool` by whether they are not zero, complex numbers to their real part.
pub(in crate::array) trait Convert<U> {
    fn convert(self) -> U;
}

macro_rules! conversions {
    ($($from:ty: $($to:ty)*;)*) => {$($(
        impl Convert<$to> for $from {
            fn convert(self) -> $to {
                self as $to
            }
        }
    )*)*};
}

conversions! {
    f64: f64 f32 i64 i32 u8;
    f32: f64 f32 i64 i32 u8;
    i64: f64 f32 i64 i32 u8;
    i32: f64 f32 i64 i32 u8;
    u8: f64 f32 i64 i32 u8;
    bool: bool i64 i32 u8;
}

macro_rules! remaining_conversions {
    ($($number:ty)*) => {$(
        impl Convert<bool> for $number {
            fn convert(self) -> bool {
                self != <$number>::default()
            }
        }
        impl Convert<Complex64> for $number {
            fn convert(self) -> Complex64 {
                Complex64::new(self as f64, 0.0)
            }
        }
        impl Convert<$number> for Complex64 {
            fn convert(self) -> $number {
                self.re as $number
            }
        }
    )*};
}

remaining_conversions!(f64 f32 i64 i32 u8);

impl Convert<f64> for bool {
    fn convert(self) -> f64 {
        f64::from(u8::from(self))
    }
}

impl Convert<f32> for bool {
    fn convert(self) -> f32 {
        f32::from(u8::from(self))
    }
}

impl Convert<Complex64> for bool {
    fn convert(self) -> Complex64 {
        Complex64::new(f64::from(u8::from(self)), 0.0)
    }
}

impl Convert<bool> for Complex64 {
    fn convert(self) -> bool {
        self != Complex64::default()
    }
}

impl Convert<Complex64> for Complex64 {
    fn convert(self) -> Complex64 {
        self
    }
}

/// Converts `a`, of type `T`, to the type of `out`.
pub(super) fn cast<T>(a: &[T], out: &mut Register, to: DType)
where
    T: Lane
        + Convert<f64>
        + Convert<f32>
        + Convert<i64>
        + Convert<i32>
        + Convert<u8>
        + Convert<bool>
        + Convert<Complex64>,
{
    with_type!(to, U => each(a, U::values_mut(out), |a| Convert::<U>::convert(a)));
}
