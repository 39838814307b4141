//! Mean and variance without rounding on the way.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use super::ExactSum;
use super::block::BLOCK;
use super::digits::{Digits, Magnitude};
use super::exact::{Packed, decoded};
use super::squares::squares;

/// Count, sum and sum of squares of floating-point numbers, exactly: mean and
/// variance that depend on neither order nor grouping, each rounded once.
///
/// Nothing cancels: the variance of numbers that differ in their last bits alone
/// is as good as any. With a NaN or an infinity among the numbers the variance is
/// NaN and the mean that of IEEE 754.
///
/// ```
/// use serried::sum::ExactMoments;
///
/// let moments = ExactMoments::of(&[1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0]);
/// assert_eq!(moments.count(), 4);
/// assert_eq!(moments.mean(), 1e9 + 10.0);
/// assert_eq!(moments.variance(1), 30.0);
///
/// let merged = ExactMoments::of(&[1e9 + 16.0]).merge(ExactMoments::of(&[1e9 + 13.0, 1e9 + 4.0, 1e9 + 7.0]));
/// assert_eq!(merged, moments);
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "PackedMoments", into = "PackedMoments")]
pub struct ExactMoments {
    count: u64,
    sum: ExactSum,
    squares: Digits,
}

impl ExactMoments {
    /// The moments of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The moments of a slice.
    #[must_use]
    pub fn of<T: Copy + Into<f64>>(values: &[T]) -> Self {
        let mut moments = Self::new();
        moments.add_slice(values);
        moments
    }

    /// Adds one number.
    pub fn add(&mut self, value: f64) {
        self.count += 1;
        self.sum.add(value);
        self.add_square(value);
    }

    /// Adds all numbers of a slice: the same as one by one, in less time.
    pub fn add_slice<T: Copy + Into<f64>>(&mut self, values: &[T]) {
        self.count += values.len() as u64;
        self.sum.add_slice(values);
        for values in values.chunks(BLOCK) {
            match squares(values) {
                Some(parts) => parts.into_iter().for_each(|part| {
                    if let Some((mantissa, exponent)) = decoded(part) {
                        self.squares.add(mantissa, exponent, part.is_sign_negative());
                    }
                }),
                None => values.iter().for_each(|&value| self.add_square(value.into())),
            }
        }
    }

    fn add_square(&mut self, value: f64) {
        if let Some((mantissa, exponent)) = decoded(value) {
            let mantissa = u128::from(mantissa);
            self.squares.add_wide(mantissa * mantissa, 2 * exponent, false);
        }
    }

    /// The moments of all numbers of both.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self += &other;
        self
    }

    /// The number of numbers.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The sum.
    #[must_use]
    pub fn sum(&self) -> &ExactSum {
        &self.sum
    }

    /// The mean; NaN of no numbers.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.sum.mean(self.count)
    }

    /// The variance: the squared distances from the mean, divided by the count
    /// less `ddof` (NumPy's "delta degrees of freedom": 0 for a population, 1 for
    /// a sample). NaN if that is 0 or less.
    ///
    /// ```
    /// use serried::sum::ExactMoments;
    ///
    /// let moments = ExactMoments::of(&[1.0, 2.0, 6.0]);
    /// assert_eq!(moments.variance(0), 14.0 / 3.0);
    /// assert_eq!(moments.variance(1), 7.0);
    /// assert!(moments.variance(3).is_nan());
    /// ```
    #[must_use]
    pub fn variance(&self, ddof: u64) -> f64 {
        if self.count <= ddof {
            return f64::NAN;
        }
        let Some(sum) = self.sum.finite() else {
            return f64::NAN;
        };
        let scaled = Magnitude::from(self.count).times(&self.squares.magnitude());
        scaled.minus(&sum.times(&sum)).divided_by(&[self.count, self.count - ddof])
    }

    /// The square root of the [variance](Self::variance).
    #[must_use]
    pub fn standard_deviation(&self, ddof: u64) -> f64 {
        self.variance(ddof).sqrt()
    }
}

impl AddAssign<&Self> for ExactMoments {
    fn add_assign(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += &other.sum;
        self.squares.add_all(&other.squares);
    }
}

impl Extend<f64> for ExactMoments {
    fn extend<I: IntoIterator<Item = f64>>(&mut self, values: I) {
        super::in_blocks(values, |block| self.add_slice(block));
    }
}

impl FromIterator<f64> for ExactMoments {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut moments = Self::new();
        moments.extend(values);
        moments
    }
}

impl PartialEq for ExactMoments {
    /// Whether count and sums are exactly the same.
    fn eq(&self, other: &Self) -> bool {
        (self.count, &self.sum) == (other.count, &other.sum)
            && self.squares.magnitude() == other.squares.magnitude()
    }
}

impl Eq for ExactMoments {}

/// The form in which moments travel: equal moments are equal bytes.
#[derive(Serialize, Deserialize)]
struct PackedMoments {
    count: u64,
    sum: Packed,
    squares: Magnitude,
}

impl From<ExactMoments> for PackedMoments {
    fn from(moments: ExactMoments) -> Self {
        let squares = moments.squares.magnitude();
        Self { count: moments.count, sum: moments.sum.into(), squares }
    }
}

impl From<PackedMoments> for ExactMoments {
    fn from(packed: PackedMoments) -> Self {
        Self { count: packed.count, sum: packed.sum.into(), squares: Digits::from(&packed.squares) }
    }
}
