//! Functions of each element, comparisons and choices.

use super::array::{Array, Scalar};
use super::expression::{Binary, Kernel, Register, Unary, Values};
use super::node::{Elementwise, elementwise};
use super::operators::{Operand, combine, together};
use super::traits::{Element, Float, Number, Numeric};
use crate::{Bind, Function};
use num_complex::Complex64;
use std::panic::Location;

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident $operator:ident;)*) => {$(
        $(#[$doc])*
        #[track_caller]
        #[must_use]
        pub fn $name(&self) -> Self {
            self.unary(Unary::$operator, stringify!($name), Location::caller())
        }
    )*};
}

macro_rules! tests {
    ($($(#[$doc:meta])* $name:ident $operator:ident;)*) => {$(
        $(#[$doc])*
        #[track_caller]
        #[must_use]
        pub fn $name(&self) -> Array<bool> {
            self.unary(Unary::$operator, stringify!($name), Location::caller())
        }
    )*};
}

macro_rules! comparisons {
    ($($(#[$doc:meta])* $name:ident $operator:ident;)*) => {$(
        $(#[$doc])*
        #[track_caller]
        #[must_use]
        pub fn $name(&self, other: impl Operand<T>) -> Array<bool> {
            self.binary(Binary::$operator, stringify!($name), &other, Location::caller())
        }
    )*};
}

macro_rules! binary_functions {
    ($($(#[$doc:meta])* $name:ident $operator:ident;)*) => {$(
        $(#[$doc])*
        #[track_caller]
        #[must_use]
        pub fn $name(&self, other: impl Operand<T>) -> Array<T> {
            self.binary(Binary::$operator, stringify!($name), &other, Location::caller())
        }
    )*};
}

impl<T: Element> Array<T> {
    comparisons! {
        /// Where the elements are equal.
        equal Equal;
        /// Where the elements are not equal.
        not_equal NotEqual;
    }

    /// Applies a function to each element, in the same pass as the operations around it.
    ///
    /// ```
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let x = Array::arange(client, 0i64, 10, 1, 4);
    ///     let odd = x.map(|x| x % 2 == 1);
    ///     assert_eq!(odd.count_true().compute()?, 5);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn map<U: Element>(&self, f: fn(T) -> U) -> Array<U> {
        self.derive("map", Location::caller(), |node| {
            let function = Function::bound::<fn(T) -> U, ByElement>(f);
            let operation = Elementwise::Function(function);
            Ok(elementwise(operation, U::DTYPE, "map", std::slice::from_ref(node)))
        })
    }

    /// Applies a function to the elements of two arrays.
    #[track_caller]
    #[must_use]
    pub fn zip_map<V: Element, U: Element>(&self, other: &Array<V>, f: fn(T, V) -> U) -> Array<U> {
        let function = Function::bound::<fn(T, V) -> U, ByPair>(f);
        combine(Elementwise::Function(function), "zip_map", self, other, Location::caller())
    }

    /// Converts the elements as Rust's `as` does: floats to integers towards zero and within the integer's
    /// range, numbers to `bool` by whether they are not 0, complex numbers to their real part.
    #[track_caller]
    #[must_use]
    pub fn cast<U: Element>(&self) -> Array<U> {
        self.derive("cast", Location::caller(), |node| {
            Ok(elementwise(Elementwise::Cast, U::DTYPE, "cast", std::slice::from_ref(node)))
        })
    }
}

impl Array<bool> {
    /// The elements of `yes` where this is true, else those of `no`: NumPy's `where`.
    ///
    /// ```
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let x = Array::arange(client, -2i64, 3, 1, 2);
    ///     let relu = x.greater(0).select(&x, 0);
    ///     assert_eq!(relu.compute()?.into_raw_vec_and_offset().0, [0, 0, 0, 1, 2]);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn select<T: Element>(&self, yes: impl Operand<T>, no: impl Operand<T>) -> Array<T> {
        let any: Array<T> = Array::scalar(self.client(), T::default());
        let (yes, no) = (yes.to_array(&any), no.to_array(&any));
        yes.derive_with(&no, "select", Location::caller(), |yes, no| {
            if let Some(error) = self.node.error() {
                return Ok(super::node::Node::again(&self.node.client, T::DTYPE, error));
            }
            let inputs = together(&[&self.node, yes, no])?;
            Ok(elementwise(Elementwise::Select, T::DTYPE, "select", &inputs))
        })
    }
}

impl<T: Number> Array<T> {
    comparisons! {
        /// Where this is less than `other`.
        less Less;
        /// Where this is at most `other`.
        less_equal LessEqual;
        /// Where this is greater than `other`.
        greater Greater;
        /// Where this is at least `other`.
        greater_equal GreaterEqual;
    }

    binary_functions! {
        /// The smaller element of the two; NaN if one of them is.
        minimum Minimum;
        /// The larger element of the two; NaN if one of them is.
        maximum Maximum;
        /// This to the power of `other`. Integers wrap around.
        power Power;
    }

    functions! {
        /// Absolute values.
        abs Abs;
        /// -1, 0 or 1.
        sign Sign;
    }

    /// The elements, but none below `low` or above `high`.
    #[track_caller]
    #[must_use]
    pub fn clip(&self, low: T, high: T) -> Array<T> {
        self.maximum(low).minimum(high)
    }
}

impl<T: Numeric> Array<T> {
    functions! {
        /// Each element times itself.
        square Square;
    }
}

impl<T: Float> Array<T> {
    functions! {
        /// Square roots.
        sqrt Sqrt;
        /// Cube roots.
        cbrt Cbrt;
        /// e to the power of each element.
        exp Exp;
        /// 2 to the power of each element.
        exp2 Exp2;
        /// `exp(x) - 1`, exact for small x too.
        exp_m1 ExpM1;
        /// Natural logarithms.
        ln Ln;
        /// `ln(1 + x)`, exact for small x too.
        ln_1p Ln1p;
        /// Logarithms to base 2.
        log2 Log2;
        /// Logarithms to base 10.
        log10 Log10;
        /// Sines.
        sin Sin;
        /// Cosines.
        cos Cos;
        /// Tangents.
        tan Tan;
        /// Inverse sines.
        asin Asin;
        /// Inverse cosines.
        acos Acos;
        /// Inverse tangents.
        atan Atan;
        /// Hyperbolic sines.
        sinh Sinh;
        /// Hyperbolic cosines.
        cosh Cosh;
        /// Hyperbolic tangents.
        tanh Tanh;
        /// Inverse hyperbolic sines.
        asinh Asinh;
        /// Inverse hyperbolic cosines.
        acosh Acosh;
        /// Inverse hyperbolic tangents.
        atanh Atanh;
        /// The next integers below.
        floor Floor;
        /// The next integers above.
        ceil Ceil;
        /// The nearest integers; halves go to the even one.
        round Round;
        /// The integers towards zero.
        trunc Trunc;
    }

    binary_functions! {
        /// The angle of the point (`other`, this), in radians.
        atan2 Atan2;
        /// The length of the hypotenuse of the sides this and `other`.
        hypot Hypot;
    }

    tests! {
        /// Where elements are not a number.
        is_nan IsNan;
        /// Where elements are neither infinite nor NaN.
        is_finite IsFinite;
        /// Where elements are infinite.
        is_infinite IsInfinite;
    }
}

impl Array<Complex64> {
    functions! {
        /// Square roots with a real part of at least 0.
        sqrt Sqrt;
        /// e to the power of each element.
        exp Exp;
        /// Natural logarithms.
        ln Ln;
        /// Complex conjugates.
        conj Conjugate;
    }

    /// Real parts.
    #[track_caller]
    #[must_use]
    pub fn re(&self) -> Array<f64> {
        self.unary(Unary::Real, "re", Location::caller())
    }

    /// Imaginary parts.
    #[track_caller]
    #[must_use]
    pub fn im(&self) -> Array<f64> {
        self.unary(Unary::Imaginary, "im", Location::caller())
    }

    /// Absolute values.
    #[track_caller]
    #[must_use]
    pub fn abs(&self) -> Array<f64> {
        self.unary(Unary::Abs, "abs", Location::caller())
    }

    /// Angles in radians.
    #[track_caller]
    #[must_use]
    pub fn arg(&self) -> Array<f64> {
        self.unary(Unary::Angle, "arg", Location::caller())
    }
}

impl<T: Float> Scalar<T> {
    /// The square root of the number.
    #[track_caller]
    #[must_use]
    pub fn sqrt(&self) -> Scalar<T> {
        Scalar::of(self.array.sqrt())
    }
}

/// A function of one element.
struct ByElement;

impl<T: Element, U: Element> Bind<fn(T) -> U> for ByElement {
    type Output = Kernel;
    fn bind(f: fn(T) -> U) -> Kernel {
        Kernel::Elements(Box::new(move |operands: &[Values<'_>], out: &mut Register| {
            U::values_mut(out).extend(operands[0].of::<T>().iter().map(|&x| f(x)));
        }))
    }
}

/// A function of two elements.
struct ByPair;

impl<T: Element, V: Element, U: Element> Bind<fn(T, V) -> U> for ByPair {
    type Output = Kernel;
    fn bind(f: fn(T, V) -> U) -> Kernel {
        Kernel::Elements(Box::new(move |operands: &[Values<'_>], out: &mut Register| {
            let pairs = operands[0].of::<T>().iter().zip(operands[1].of::<V>());
            U::values_mut(out).extend(pairs.map(|(&x, &y)| f(x, y)));
        }))
    }
}
