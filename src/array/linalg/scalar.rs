//! The numbers of linear algebra.

use super::super::traits::Numeric;
use super::kernels;
use ndarray::{ArrayView2, ArrayViewMut2};
use num_complex::Complex64;

pub(super) mod sealed {
    /// What a factorisation asks of the library that does it.
    pub trait Factorable: faer::traits::ComplexField {}
}

/// Numbers that matrices are multiplied of: all element types but `bool`.
pub trait Ring: Numeric {
    /// Adds the product of `a` and `b` to `c`.
    #[doc(hidden)]
    fn multiply_add(c: ArrayViewMut2<'_, Self>, a: ArrayView2<'_, Self>, b: ArrayView2<'_, Self>);
}

/// Numbers that matrices are factorised over: `f64`, `f32` and `Complex64`.
pub trait Field: Ring + sealed::Factorable {
    /// The type of absolute values: of singular values and norms.
    type Magnitude: Field<Magnitude = Self::Magnitude> + PartialOrd;
    #[doc(hidden)]
    fn conjugate(self) -> Self;
    #[doc(hidden)]
    fn magnitude(self) -> Self::Magnitude;
    #[doc(hidden)]
    fn times(self, other: Self) -> Self;
    #[doc(hidden)]
    fn scaled(self, by: Self::Magnitude) -> Self;
    /// The number of absolute value 1 in its direction; 1 for 0.
    #[doc(hidden)]
    fn phase(self) -> Self;
    #[doc(hidden)]
    fn inverse(self) -> Self;
    /// Whether a singular value is not 0 but for rounding, beside the largest one of a matrix whose longer
    /// side is given.
    #[doc(hidden)]
    fn significant(value: Self::Magnitude, largest: Self::Magnitude, longer: usize) -> bool;
}

macro_rules! fields {
    ($($field:ty)*) => {$(
        impl Ring for $field {
            fn multiply_add(c: ArrayViewMut2<'_, Self>, a: ArrayView2<'_, Self>, b: ArrayView2<'_, Self>) {
                kernels::add(c, a, b);
            }
        }
        impl sealed::Factorable for $field {}
    )*};
}

fields!(f64 f32 Complex64);

macro_rules! reals {
    ($($real:ty)*) => {$(
        impl Field for $real {
            type Magnitude = $real;
            fn conjugate(self) -> Self {
                self
            }
            fn magnitude(self) -> $real {
                self.abs()
            }
            fn times(self, other: Self) -> Self {
                self * other
            }
            fn scaled(self, by: $real) -> Self {
                self * by
            }
            fn phase(self) -> Self {
                if self < 0.0 { -1.0 } else { 1.0 }
            }
            fn inverse(self) -> Self {
                1.0 / self
            }
            fn significant(value: $real, largest: $real, longer: usize) -> bool {
                value > largest * longer as $real * <$real>::EPSILON
            }
        }
    )*};
}

reals!(f64 f32);

impl Field for Complex64 {
    type Magnitude = f64;
    fn conjugate(self) -> Self {
        self.conj()
    }
    fn magnitude(self) -> f64 {
        self.norm()
    }
    fn times(self, other: Self) -> Self {
        self * other
    }
    fn scaled(self, by: f64) -> Self {
        self * by
    }
    fn phase(self) -> Self {
        let norm = self.norm();
        if norm > 0.0 { self / norm } else { Complex64::new(1.0, 0.0) }
    }
    fn inverse(self) -> Self {
        self.inv()
    }
    fn significant(value: f64, largest: f64, longer: usize) -> bool {
        f64::significant(value, largest, longer)
    }
}

macro_rules! integers {
    ($($integer:ty)*) => {$(
        impl Ring for $integer {
            fn multiply_add(
                mut c: ArrayViewMut2<'_, Self>,
                a: ArrayView2<'_, Self>,
                b: ArrayView2<'_, Self>,
            ) {
                // As NumPy: sums that do not fit wrap around.
                for (mut c, a) in c.outer_iter_mut().zip(a.outer_iter()) {
                    for (&a, b) in a.iter().zip(b.outer_iter()) {
                        c.zip_mut_with(&b, |c, &b| *c = c.wrapping_add(a.wrapping_mul(b)));
                    }
                }
            }
        }
    )*};
}

integers!(i64 i32 u8);
