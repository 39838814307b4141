//! Sums without rounding.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use super::block::{BLOCK, for_columns, parts_of_block};
use super::digits::{Digits, Magnitude};
use super::rows;

/// A sum of floating-point numbers that rounds nothing until it is read, so that
/// neither order nor grouping of the summands matters.
///
/// [`value`](Self::value) is the exact sum, rounded once. A sum with an infinity
/// in it is that infinity; with both, or with a NaN, it is NaN; all as in IEEE
/// 754, but intermediate results cannot overflow. An exact sum of zero is +0.
///
/// A sum takes some 100 bytes, more if the magnitudes of its summands differ
/// widely. A slice of ordinary numbers takes about as long as a plain sum of it;
/// one number takes 1 to 2 ns.
///
/// ```
/// use serried::sum::ExactSum;
///
/// let mut values = [1e100, 1.0, -1e100, 1e-30];
/// let sum: ExactSum = values.into_iter().collect();
/// assert_eq!(sum.value(), 1.0);
/// values.reverse();
/// assert_eq!(sum, values.into_iter().collect());
///
/// let (left, right) = values.split_at(1);
/// let merged = ExactSum::of(left).merge(ExactSum::of(right));
/// assert_eq!(merged, sum);
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Packed", into = "Packed")]
pub struct ExactSum {
    digits: Digits,
    special: Special,
}

/// The summands that are not finite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Special {
    nan: bool,
    positive: bool,
    negative: bool,
}

impl Special {
    fn of(value: f64) -> Self {
        Self { nan: value.is_nan(), positive: value == f64::INFINITY, negative: value == f64::NEG_INFINITY }
    }

    fn and(self, other: Self) -> Self {
        Self {
            nan: self.nan | other.nan,
            positive: self.positive | other.positive,
            negative: self.negative | other.negative,
        }
    }

    /// What the sum is whatever the finite summands are, if there is anything
    /// special.
    fn value(self) -> Option<f64> {
        match (self.nan, self.positive, self.negative) {
            (false, false, false) => None,
            (false, true, false) => Some(f64::INFINITY),
            (false, false, true) => Some(f64::NEG_INFINITY),
            _ => Some(f64::NAN),
        }
    }
}

impl ExactSum {
    /// The sum of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The sum of a slice.
    #[must_use]
    pub fn of<T: Copy + Into<f64>>(values: &[T]) -> Self {
        let mut sum = Self::new();
        sum.add_slice(values);
        sum
    }

    /// Adds one number.
    #[inline]
    pub fn add(&mut self, value: f64) {
        match decoded(value) {
            Some((mantissa, exponent)) => self.digits.add(mantissa, exponent, value.is_sign_negative()),
            None => self.special = self.special.and(Special::of(value)),
        }
    }

    /// Adds all numbers of a slice: the same as one by one, in less time.
    ///
    /// ```
    /// use serried::sum::ExactSum;
    ///
    /// let mut sum = ExactSum::new();
    /// sum.add_slice(&[0.1f64; 10]);
    /// assert_eq!(sum.value(), 1.0);
    /// sum.add_slice(&[u8::MAX; 4]);
    /// assert_eq!(sum.value(), 1021.0);
    /// ```
    pub fn add_slice<T: Copy + Into<f64>>(&mut self, values: &[T]) {
        for block in values.chunks(BLOCK) {
            match parts_of_block(block) {
                Some(parts) => parts.into_iter().for_each(|part| self.add(part)),
                None => block.iter().for_each(|&value| self.add(value.into())),
            }
        }
    }

    /// Adds rows of numbers to sums of columns: number j of each row to `sums[j]`.
    ///
    /// `values` are the rows, one after another, each as long as `sums`.
    ///
    /// # Panics
    /// If `values` are no whole number of rows.
    ///
    /// ```
    /// use serried::sum::ExactSum;
    ///
    /// let mut sums = vec![ExactSum::new(); 3];
    /// ExactSum::add_rows(&mut sums, &[1.0, 2.0, 3.0, 10.0, 20.0, 30.0]);
    /// assert_eq!(sums.iter().map(ExactSum::value).collect::<Vec<_>>(), [11.0, 22.0, 33.0]);
    /// ```
    pub fn add_rows<T: Copy + Into<f64>>(sums: &mut [Self], values: &[T]) {
        rows::check(values.len(), sums.len());
        for_columns(values, sums.len(), |column, value| sums[column].add(value));
    }

    /// The sum of both.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self += &other;
        self
    }

    /// The sum, rounded to the nearest `f64`, the even one of two.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.special.value().unwrap_or_else(|| self.digits.magnitude().rounded())
    }

    /// The sum, rounded once to the nearest `f32`, the even one of two.
    ///
    /// ```
    /// use serried::sum::ExactSum;
    ///
    /// // Just above the middle of two neighbours, by less than an `f64` there can tell.
    /// let sum = ExactSum::of(&[1.0f32, 0.5f32.powi(24), 0.5f32.powi(60)]);
    /// assert_eq!(sum.value_f32(), 1.0 + f32::EPSILON);
    /// assert_eq!(sum.value() as f32, 1.0);
    /// ```
    #[must_use]
    pub fn value_f32(&self) -> f32 {
        match self.special.value() {
            Some(special) => special as f32,
            None => self.digits.magnitude().rounded_to_f32(),
        }
    }

    /// The sum divided by a count, rounded once; NaN for a count of 0.
    ///
    /// ```
    /// use serried::sum::ExactSum;
    ///
    /// assert_eq!(ExactSum::of(&[f64::MAX; 3]).mean(3), f64::MAX);
    /// assert!(ExactSum::new().mean(0).is_nan());
    /// ```
    #[must_use]
    pub fn mean(&self, count: u64) -> f64 {
        match (self.special.value(), count) {
            (_, 0) => f64::NAN,
            (Some(special), _) => special,
            (None, count) => self.digits.magnitude().divided_by(&[count]),
        }
    }
}

impl ExactSum {
    /// The exact sum, if all summands are finite.
    pub(super) fn finite(&self) -> Option<Magnitude> {
        self.special.value().is_none().then(|| self.digits.magnitude())
    }
}

/// The absolute value of a finite number as mantissa and exponent: it is
/// mantissa * 2^exponent.
#[inline]
pub(super) fn decoded(value: f64) -> Option<(u64, i32)> {
    const MANTISSA_BITS: u32 = 52;
    const EXPONENTS: u64 = (1 << 11) - 1;
    let bits = value.to_bits();
    let mantissa = bits & ((1 << MANTISSA_BITS) - 1);
    let biased = (bits >> MANTISSA_BITS) & EXPONENTS;
    match biased {
        EXPONENTS => None,
        0 => Some((mantissa, -1074)),
        _ => Some((mantissa | 1 << MANTISSA_BITS, biased as i32 - 1075)),
    }
}

impl AddAssign<&Self> for ExactSum {
    fn add_assign(&mut self, other: &Self) {
        self.digits.add_all(&other.digits);
        self.special = self.special.and(other.special);
    }
}

impl AddAssign<f64> for ExactSum {
    fn add_assign(&mut self, value: f64) {
        self.add(value);
    }
}

impl Extend<f64> for ExactSum {
    fn extend<I: IntoIterator<Item = f64>>(&mut self, values: I) {
        super::in_blocks(values, |block| self.add_slice(block));
    }
}

impl FromIterator<f64> for ExactSum {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut sum = Self::new();
        sum.extend(values);
        sum
    }
}

impl PartialEq for ExactSum {
    /// Whether the sums are exactly the same, not only when they are rounded.
    fn eq(&self, other: &Self) -> bool {
        self.special == other.special && self.digits.magnitude() == other.digits.magnitude()
    }
}

impl Eq for ExactSum {}

/// The form in which a sum travels: equal sums are equal bytes.
#[derive(Serialize, Deserialize)]
pub(super) struct Packed {
    special: Special,
    sum: Magnitude,
}

impl From<ExactSum> for Packed {
    fn from(sum: ExactSum) -> Self {
        Self { special: sum.special, sum: sum.digits.magnitude() }
    }
}

impl From<Packed> for ExactSum {
    fn from(packed: Packed) -> Self {
        Self { special: packed.special, digits: Digits::from(&packed.sum) }
    }
}
