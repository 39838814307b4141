//! Sums that are rounded in a fixed order, with most of what is rounded away kept.

use std::array;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use super::rows::{self, COLUMNS, for_tiles};

/// Numbers that are added side by side, and how many each of them adds plainly.
const LANES: usize = 16;
const PLAIN: usize = 32;

/// A sum, and what was rounded away when its parts were added.
///
/// Inside a block of 512 numbers sixteen plain sums run side by side; blocks are
/// added with their errors kept, by the sum of D. E. Knuth (*The Art of Computer
/// Programming 2*, 4.2.2), which A. Neumaier (*Rundungsfehleranalyse einiger
/// Verfahren zur Summation endlicher Summen*, 1974) carries on. So the error does
/// not grow with the number of blocks: it stays below some 40 units in the last
/// place of the sum of the absolute values, and mostly below one.
///
/// The order is fixed, also that of a [merge](Self::merge): the same numbers in
/// the same pieces, merged in the same order, give the same bits.
///
/// ```
/// use serried::sum::Compensated;
///
/// let values = vec![0.1f64; 1_000_000];
/// let error = |sum: f64| (sum - 100_000.0).abs();
/// assert!(error(Compensated::of(&values).value()) < 1e-10);
/// assert!(error(values.iter().sum()) > 1e-6);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Compensated {
    sum: f64,
    error: f64,
}

impl Compensated {
    /// The sum of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The sum of a slice.
    #[must_use]
    pub fn of<T: Copy + Into<f64>>(values: &[T]) -> Self {
        Self::of_mapped(values, |value| value)
    }

    /// The sum of what `map` makes of the numbers of a slice, such as their
    /// squared distances from a centre.
    ///
    /// ```
    /// use serried::sum::Compensated;
    ///
    /// let squares = Compensated::of_mapped(&[1.0f32, 2.0, 6.0], |x| (x - 3.0) * (x - 3.0));
    /// assert_eq!(squares.value(), 14.0);
    /// ```
    #[must_use]
    #[inline]
    pub fn of_mapped<T: Copy + Into<f64>>(values: &[T], map: impl Fn(f64) -> f64) -> Self {
        let mut sum = Self::new();
        for block in values.chunks(LANES * PLAIN) {
            sum.add(sum_of_block(block, &map));
        }
        sum
    }

    /// Adds rows of numbers to sums of columns: number j of each row to `sums[j]`.
    ///
    /// `values` are the rows, one after another, each as long as `sums`. A complex
    /// number is two columns.
    ///
    /// # Panics
    /// If `values` are no whole number of rows.
    ///
    /// ```
    /// use serried::sum::Compensated;
    ///
    /// let mut sums = [Compensated::new(); 3];
    /// Compensated::add_rows(&mut sums, &[1.0, 2.0, 3.0, 10.0, 20.0, 30.0]);
    /// assert_eq!(sums.map(|sum| sum.value()), [11.0, 22.0, 33.0]);
    /// ```
    pub fn add_rows<T: Copy + Into<f64>>(sums: &mut [Self], values: &[T]) {
        add_tiles(sums, values, |_| (), |value, ()| value);
    }

    /// Adds what `map` makes of each number of rows and of the parameter of its
    /// column, such as the squared distance from a centre.
    ///
    /// # Panics
    /// If `values` are no whole number of rows, or if there are not as many
    /// parameters as sums.
    ///
    /// ```
    /// use serried::sum::Compensated;
    ///
    /// let mut squares = [Compensated::new(); 2];
    /// let rows = [1.0, 10.0, 3.0, 50.0];
    /// Compensated::add_mapped_rows(&mut squares, &rows, &[2.0, 30.0], |x, mean| (x - mean) * (x - mean));
    /// assert_eq!(squares.map(|sum| sum.value()), [2.0, 800.0]);
    /// ```
    #[inline]
    pub fn add_mapped_rows<T: Copy + Into<f64>, P: Copy + Default>(
        sums: &mut [Self],
        values: &[T],
        parameters: &[P],
        map: impl Fn(f64, P) -> f64,
    ) {
        assert_eq!(parameters.len(), sums.len(), "a parameter for each of the sums");
        add_tiles(sums, values, |column| parameters[column], map);
    }

    /// Adds one number.
    #[inline]
    pub fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        let added = sum - self.sum;
        self.error += (self.sum - (sum - added)) + (value - added);
        self.sum = sum;
    }

    /// The sum of both.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self += other;
        self
    }

    /// The sum, rounded once more.
    ///
    /// Infinities and NaN are those of a plain sum.
    #[must_use]
    pub fn value(&self) -> f64 {
        // Beside an infinity the error is NaN.
        if self.sum.is_finite() { self.sum + self.error } else { self.sum }
    }
}

/// Adds rows tile by tile: plain sums of few rows, and then their sum with its
/// error.
#[inline(always)]
fn add_tiles<T: Copy + Into<f64>, P: Copy + Default>(
    sums: &mut [Compensated],
    values: &[T],
    parameter: impl Fn(usize) -> P,
    map: impl Fn(f64, P) -> f64,
) {
    rows::check(values.len(), sums.len());
    for_tiles(values, sums.len(), PLAIN, |tile| {
        let mut parameters = [P::default(); COLUMNS];
        for (lane, column) in parameters.iter_mut().zip(tile.columns()) {
            *lane = parameter(column);
        }
        let mut plain = [0.0; COLUMNS];
        for row in tile.rows() {
            for lane in 0..COLUMNS {
                plain[lane] += map(row[lane], parameters[lane]);
            }
        }
        for (column, plain) in tile.columns().zip(plain) {
            sums[column].add(plain);
        }
    });
}

/// The sum of up to `LANES * PLAIN` numbers: lanes, and then a tree of them.
#[inline(always)]
fn sum_of_block<T: Copy + Into<f64>>(values: &[T], map: &impl Fn(f64) -> f64) -> f64 {
    let (rows, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for row in rows {
        for lane in 0..LANES {
            lanes[lane] += map(row[lane].into());
        }
    }
    for (lane, &value) in lanes.iter_mut().zip(rest) {
        *lane += map(value.into());
    }
    let eight: [f64; 8] = array::from_fn(|lane| lanes[lane] + lanes[lane + 8]);
    let four: [f64; 4] = array::from_fn(|lane| eight[lane] + eight[lane + 4]);
    (four[0] + four[2]) + (four[1] + four[3])
}

impl From<f64> for Compensated {
    /// The number, of which nothing is rounded away.
    fn from(sum: f64) -> Self {
        Compensated { sum, error: 0.0 }
    }
}

impl AddAssign for Compensated {
    fn add_assign(&mut self, other: Self) {
        self.add(other.sum);
        self.error += other.error;
    }
}

impl Extend<f64> for Compensated {
    /// One number after another, each with its error kept.
    fn extend<I: IntoIterator<Item = f64>>(&mut self, values: I) {
        values.into_iter().for_each(|value| self.add(value));
    }
}

impl FromIterator<f64> for Compensated {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut sum = Self::new();
        sum.extend(values);
        sum
    }
}
