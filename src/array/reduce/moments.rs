//! Variances and standard deviations.
//!
//! Deviations are taken from something near the mean of the elements: from the mean of those before, and, where this
//! turns out to be far, from their own. Tiles and chunks are merged by the formula of Chan, Golub and LeVeque
//! (1979), with what is rounded away kept. So no digits cancel, wherever outliers are and however far the elements
//! are from 0.

use super::super::error::ArrayProblem;
use super::super::expression::TILE;
use super::super::traits::{Float, Number};
use super::fold::{Fold, Parameters};
use super::sums::{LANES, lane_sum};
use crate::sum::Compensated;
use serde::{Deserialize, Serialize};

/// Elements of a column that are added up plainly before they are merged into what is known of it: few enough that
/// little is lost if the first of them is an outlier, and enough that the merging costs little.
const ROWS: u32 = 16;

/// Count, mean and sum of squared deviations from the mean; and elements that come one by one. The columns of a
/// chunk have one each, so that it matters that it is a cache line.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(in crate::array) struct Moments {
    count: f64,
    /// The mean is the sum of both; the second is less than the last bit of the first.
    mean: [f64; 2],
    squares: Compensated,
    /// Of the elements that wait, the sums of deviations from the first part of the mean, and of their squares;
    /// before there is a mean, the first element stands in its place.
    waiting_sum: f64,
    waiting_squares: f64,
    waiting: u32,
    /// An element is infinite or not a number, and so there is no mean.
    not_finite: bool,
}

/// The sum, rounded, and what was rounded away (Knuth, The Art of Computer Programming 2, 4.2.2).
fn two_sum(a: f64, b: f64) -> [f64; 2] {
    let sum = a + b;
    let added = sum - a;
    [sum, (a - (sum - added)) + (b - added)]
}

impl Moments {
    /// Takes the elements of a tile.
    fn add_tile<T: Number>(&mut self, values: &[T]) {
        let Some(first) = values.first() else { return };
        self.settle();
        let count = values.len() as f64;
        let mut shift = if self.count == 0.0 { first.to_f64() } else { self.mean[0] };
        let deviations = |shift: f64| {
            let deviation = |value: T| value.to_f64() - shift;
            [lane_sum(values, deviation), lane_sum(values, |value| deviation(value) * deviation(value))]
        };
        let [mut sum, mut squares] = deviations(shift);
        if 4.0 * (sum * (sum / count)) > 3.0 * squares {
            // More than two bits would cancel. It is one look more, for the first tile or where numbers jump.
            shift += sum / count;
            [sum, squares] = deviations(shift);
        }
        if !squares.is_finite() {
            self.not_finite |= !are_finite(values);
        }
        let step = sum / count;
        self.absorb(count, two_sum(shift, step), (squares - sum * step).into());
    }

    /// Takes one element more.
    #[inline]
    fn push(&mut self, value: f64) {
        self.not_finite |= !value.is_finite();
        self.make_room(value);
        self.wait(value);
    }

    /// Sees that an element can wait.
    #[inline]
    fn make_room(&mut self, value: f64) {
        if self.waiting == ROWS {
            self.settle();
        }
        if self.waiting == 0 && self.count == 0.0 {
            self.mean = [value, 0.0];
        }
    }

    #[inline(always)]
    fn wait(&mut self, value: f64) {
        let deviation = value - self.mean[0];
        self.waiting_sum += deviation;
        self.waiting_squares += deviation * deviation;
        self.waiting += 1;
    }

    /// Merges the elements that wait.
    fn settle(&mut self) {
        if self.waiting == 0 {
            return;
        }
        let (count, sum) = (f64::from(self.waiting), self.waiting_sum);
        let step = sum / count;
        let squares = self.waiting_squares - sum * step;
        (self.waiting, self.waiting_sum, self.waiting_squares) = (0, 0.0, 0.0);
        self.absorb(count, two_sum(self.mean[0], step), squares.into());
    }

    /// Merges what is known of other elements.
    fn absorb(&mut self, count: f64, mean: [f64; 2], squares: Compensated) {
        if self.count == 0.0 {
            (self.count, self.mean, self.squares) = (count, mean, squares);
            return;
        }
        let total = self.count + count;
        let share = count / total;
        let difference = (mean[0] - self.mean[0]) + (mean[1] - self.mean[1]);
        self.squares += squares;
        self.squares.add(difference * difference * (self.count * share));
        let [sum, rest] = two_sum(self.mean[0], difference * share);
        self.mean = two_sum(sum, rest + self.mean[1]);
        self.count = total;
    }

    fn merge(&mut self, other: &Self) {
        self.settle();
        let mut other = *other;
        other.settle();
        self.not_finite |= other.not_finite;
        if other.count > 0.0 {
            self.absorb(other.count, other.mean, other.squares);
        }
    }

    fn variance(mut self, parameters: Parameters) -> f64 {
        self.settle();
        let squares = match self.squares.value() {
            _ if self.not_finite => f64::NAN,
            // The deviations of finite numbers are numbers: these are too large.
            squares if !squares.is_finite() => f64::INFINITY,
            // By rounding alone.
            squares if squares < 0.0 => 0.0,
            squares => squares,
        };
        let variance = squares / (self.count - parameters.ddof as f64);
        if parameters.root { variance.sqrt() } else { variance }
    }
}

/// Whether all elements are finite. It looks at all of them, which is faster than to stop at the first.
#[inline]
fn are_finite<T: Number>(values: &[T]) -> bool {
    let (whole, rest) = values.as_chunks::<LANES>();
    let finite = |values: &[T]| values.iter().fold(true, |finite, value| finite & value.to_f64().is_finite());
    whole.iter().fold(finite(rest), |all, values| all & finite(values))
}

/// The variance or the standard deviation.
pub(in crate::array) struct Variance;
/// Those of what is not NaN.
pub(in crate::array) struct NanVariance;

impl<T: Number> Fold<T> for Variance {
    type State = Moments;
    type Output = f64;
    fn check(count: usize, _: &[bool], parameters: Parameters) -> Result<(), ArrayProblem> {
        if count as u64 > parameters.ddof {
            return Ok(());
        }
        Err(ArrayProblem::Argument(format!(
            "a variance with ddof {} needs more than {} elements, and there are {count}",
            parameters.ddof, parameters.ddof
        )))
    }
    fn start() -> Moments {
        Moments::default()
    }
    fn row(state: &mut Moments, values: &[T], _: u64) {
        state.add_tile(values);
    }
    fn column(states: &mut [Moments], values: &[T], _: u64) {
        // All columns of a row have as many elements before it: what holds for the first one holds for all.
        if states.first().is_some_and(|state| state.waiting == 0 || state.waiting == ROWS) {
            states.iter_mut().zip(values).for_each(|(state, value)| state.make_room(value.to_f64()));
        }
        if !are_finite(values) {
            let each = states.iter_mut().zip(values);
            each.for_each(|(state, value)| state.not_finite |= !value.to_f64().is_finite());
        }
        states.iter_mut().zip(values).for_each(|(state, value)| state.wait(value.to_f64()));
    }
    fn merge(into: &mut Moments, from: &Moments) {
        into.merge(from);
    }
    fn finish(state: Moments, _: u64, parameters: Parameters) -> f64 {
        state.variance(parameters)
    }
}

impl<T: Float> Fold<T> for NanVariance {
    type State = Moments;
    type Output = f64;
    fn start() -> Moments {
        Moments::default()
    }
    fn row(state: &mut Moments, values: &[T], _: u64) {
        let mut numbers = [0.0; TILE];
        for values in values.chunks(TILE) {
            let mut count = 0;
            for value in values.iter().filter(|value| !value.is_nan()) {
                numbers[count] = value.to_f64();
                count += 1;
            }
            state.add_tile(&numbers[..count]);
        }
    }
    fn column(states: &mut [Moments], values: &[T], _: u64) {
        let numbers = states.iter_mut().zip(values).filter(|(_, value)| !value.is_nan());
        numbers.for_each(|(state, value)| state.push(value.to_f64()));
    }
    fn merge(into: &mut Moments, from: &Moments) {
        into.merge(from);
    }
    fn finish(state: Moments, _: u64, parameters: Parameters) -> f64 {
        // NaN, as from NumPy, where too few numbers are left.
        let count = state.count + f64::from(state.waiting);
        if count <= parameters.ddof as f64 { f64::NAN } else { state.variance(parameters) }
    }
}
