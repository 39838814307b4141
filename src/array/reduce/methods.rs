//! The reductions as methods: over all elements, and along axes.

use super::super::array::{Array, Scalar};
use super::super::traits::{Element, Float, Number, Numeric};
use super::extremes::{Argument, Extreme, Largest, NanExtreme, Smallest};
use super::moments::{NanVariance, Variance};
use super::sums::{NanMean, NanSum};
use super::truth::{All, Any, NotZero};
use super::{Axes, Parameters};
use std::panic::Location;

/// A reduction of all elements and the same along axes.
macro_rules! reductions {
    ($($(#[$doc:meta])* $all:ident $some:ident $fold:ty => $output:ty;)*) => {$(
        $(#[$doc])*
        #[track_caller]
        #[must_use]
        pub fn $all(&self) -> Scalar<$output> {
            let place = Location::caller();
            Scalar::of(self.reduce::<$fold>(&Axes::All, stringify!($all), Parameters::default(), place))
        }

        #[doc = concat!("As [`", stringify!($all), "`](Self::", stringify!($all), "), along one or several axes.")]
        #[track_caller]
        #[must_use]
        pub fn $some(&self, axes: impl Into<Axes>) -> Array<$output> {
            let place = Location::caller();
            self.reduce::<$fold>(&axes.into(), stringify!($some), Parameters::default(), place)
        }
    )*};
}

/// A variance or a standard deviation.
macro_rules! spreads {
    ($($(#[$doc:meta])* $all:ident $some:ident $all_ddof:ident $some_ddof:ident $fold:ty, $root:expr;)*) => {$(
        $(#[$doc])*
        #[track_caller]
        #[must_use]
        pub fn $all(&self) -> Scalar<f64> {
            self.$all_ddof(0)
        }

        #[doc = concat!("As [`", stringify!($all), "`](Self::", stringify!($all), "), along one or several axes.")]
        #[track_caller]
        #[must_use]
        pub fn $some(&self, axes: impl Into<Axes>) -> Array<f64> {
            self.$some_ddof(axes, 0)
        }

        #[doc = concat!("As [`", stringify!($all), "`](Self::", stringify!($all), "), divided by the number of elements less `ddof`.")]
        #[track_caller]
        #[must_use]
        pub fn $all_ddof(&self, ddof: u64) -> Scalar<f64> {
            Scalar::of(self.$some_ddof(Axes::All, ddof))
        }

        #[doc = concat!("As [`", stringify!($some), "`](Self::", stringify!($some), "), divided by the number of elements less `ddof`.")]
        #[track_caller]
        #[must_use]
        pub fn $some_ddof(&self, axes: impl Into<Axes>, ddof: u64) -> Array<f64> {
            let parameters = Parameters { ddof, root: $root };
            self.reduce::<$fold>(&axes.into(), stringify!($all), parameters, Location::caller())
        }
    )*};
}

impl<T: Numeric> Array<T> {
    /// The sum of all elements: of floats nearly as good as in twice their precision, of integers as `i64`,
    /// where it wraps around.
    ///
    /// ```
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let x = Array::arange(client, 0i64, 1_000_000, 1, 100_000);
    ///     assert_eq!(x.sum().compute()?, 499_999_500_000);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn sum(&self) -> Scalar<T::Sum> {
        Scalar::of(T::sum(self, &Axes::All, Location::caller()))
    }

    /// As [`sum`](Self::sum), along one or several axes.
    ///
    /// ```
    /// use ndarray::array;
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let x = Array::from_fn(client, |index| (index[0] * 10 + index[1]) as i64, [2, 3], [1, 2]);
    ///     assert_eq!(x.sum_axis(0).compute()?, array![10, 12, 14].into_dyn());
    ///     assert_eq!(x.sum_axis([0, 1]).compute()?, ndarray::arr0(36).into_dyn());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn sum_axis(&self, axes: impl Into<Axes>) -> Array<T::Sum> {
        T::sum(self, &axes.into(), Location::caller())
    }

    /// The product of all elements; of integers as `i64`, where it wraps around.
    #[track_caller]
    #[must_use]
    pub fn product(&self) -> Scalar<T::Sum> {
        Scalar::of(T::product(self, &Axes::All, Location::caller()))
    }

    /// As [`product`](Self::product), along one or several axes.
    #[track_caller]
    #[must_use]
    pub fn product_axis(&self, axes: impl Into<Axes>) -> Array<T::Sum> {
        T::product(self, &axes.into(), Location::caller())
    }
}

impl<T: Number> Array<T> {
    /// The mean of all elements.
    #[track_caller]
    #[must_use]
    pub fn mean(&self) -> Scalar<f64> {
        Scalar::of(T::mean(self, &Axes::All, Location::caller()))
    }

    /// As [`mean`](Self::mean), along one or several axes.
    #[track_caller]
    #[must_use]
    pub fn mean_axis(&self, axes: impl Into<Axes>) -> Array<f64> {
        T::mean(self, &axes.into(), Location::caller())
    }

    reductions! {
        /// The smallest element; NaN if there is one.
        min min_axis Extreme<Smallest> => T;
        /// The largest element; NaN if there is one.
        max max_axis Extreme<Largest> => T;
        /// Where the smallest element is, or the first NaN: its index among all elements in C order or,
        /// along one axis, its index along that axis. The first of equal ones counts.
        argmin argmin_axis Argument<Smallest> => i64;
        /// Where the largest element is, or the first NaN: its index among all elements in C order or,
        /// along one axis, its index along that axis. The first of equal ones counts.
        argmax argmax_axis Argument<Largest> => i64;
    }

    spreads! {
        /// The variance of all elements: the mean of the squared deviations from the mean.
        var var_axis var_ddof var_axis_ddof Variance, false;
        /// The standard deviation of all elements: the root of the variance.
        std std_axis std_ddof std_axis_ddof Variance, true;
    }
}

impl<T: Float> Array<T> {
    /// The sum of all elements as if it were rounded once, at the end: it does not depend on the order of the
    /// elements, and so not on the chunks. It costs about a nanosecond an element, several times what
    /// [`sum`](Self::sum) does.
    ///
    /// ```
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let x = Array::random(client, [1000, 1000], [1000, 100]);
    ///     let other = x.rechunk([70, 1000]);
    ///     assert_eq!(x.exact_sum().compute()?, other.exact_sum().compute()?);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn exact_sum(&self) -> Scalar<T> {
        Scalar::of(T::exact_sum(self, &Axes::All, Location::caller()))
    }

    /// As [`exact_sum`](Self::exact_sum), along one or several axes.
    #[track_caller]
    #[must_use]
    pub fn exact_sum_axis(&self, axes: impl Into<Axes>) -> Array<T> {
        T::exact_sum(self, &axes.into(), Location::caller())
    }

    /// The mean of all elements as if it were rounded once, at the end, whatever the chunks are.
    #[track_caller]
    #[must_use]
    pub fn exact_mean(&self) -> Scalar<f64> {
        Scalar::of(T::exact_mean(self, &Axes::All, Location::caller()))
    }

    /// As [`exact_mean`](Self::exact_mean), along one or several axes.
    #[track_caller]
    #[must_use]
    pub fn exact_mean_axis(&self, axes: impl Into<Axes>) -> Array<f64> {
        T::exact_mean(self, &axes.into(), Location::caller())
    }

    reductions! {
        /// The sum of the elements that are not NaN.
        nansum nansum_axis NanSum => T;
        /// The mean of the elements that are not NaN.
        nanmean nanmean_axis NanMean => f64;
        /// The smallest of the elements that are not NaN.
        nanmin nanmin_axis NanExtreme<Smallest> => T;
        /// The largest of the elements that are not NaN.
        nanmax nanmax_axis NanExtreme<Largest> => T;
    }

    spreads! {
        /// The variance of the elements that are not NaN.
        nanvar nanvar_axis nanvar_ddof nanvar_axis_ddof NanVariance, false;
        /// The standard deviation of the elements that are not NaN.
        nanstd nanstd_axis nanstd_ddof nanstd_axis_ddof NanVariance, true;
    }
}

impl Array<bool> {
    reductions! {
        /// Whether any element is true.
        any any_axis Any => bool;
        /// Whether all elements are true.
        all all_axis All => bool;
        /// How many elements are true.
        count_true count_true_axis NotZero => i64;
    }
}

impl<T: Element> Array<T> {
    reductions! {
        /// How many elements are not zero, or true.
        count_nonzero count_nonzero_axis NotZero => i64;
    }
}
