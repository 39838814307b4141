//! Variances and standard deviations.
//!
//! Within a chunk, deviations from the first element are summed up, which keeps the digits that matter; chunks
//! are merged by the formula of Chan, Golub and LeVeque (1979).

use super::super::error::ArrayProblem;
use super::super::traits::{Float, Number};
use super::fold::{Fold, Parameters};
use super::sums::lane_sum;
use serde::{Deserialize, Serialize};

/// Count, and sums of deviations from `shift` and of their squares.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(in crate::array) struct Moments {
    count: f64,
    shift: f64,
    sum: f64,
    squares: f64,
}

impl Moments {
    #[inline]
    fn push(&mut self, value: f64) {
        if self.count == 0.0 {
            self.shift = value;
        }
        let deviation = value - self.shift;
        self.count += 1.0;
        self.sum += deviation;
        self.squares += deviation * deviation;
    }

    fn push_all<T: Number>(&mut self, values: &[T]) {
        let Some(first) = values.first() else { return };
        if self.count == 0.0 {
            self.shift = first.to_f64();
        }
        let shift = self.shift;
        self.count += values.len() as f64;
        self.sum += lane_sum(values, |value| value.to_f64() - shift);
        self.squares += lane_sum(values, |value| (value.to_f64() - shift) * (value.to_f64() - shift));
    }

    /// Count, mean, and sum of squared deviations from the mean.
    fn central(&self) -> (f64, f64, f64) {
        let mean = self.sum / self.count;
        (self.count, self.shift + mean, (self.squares - self.sum * mean).max(0.0))
    }

    fn merge(&mut self, other: &Self) {
        if other.count == 0.0 {
            return;
        }
        if self.count == 0.0 {
            *self = *other;
            return;
        }
        let ((count, mean, squares), (other_count, other_mean, other_squares)) =
            (self.central(), other.central());
        let total = count + other_count;
        let difference = other_mean - mean;
        *self = Moments {
            count: total,
            shift: mean + difference * (other_count / total),
            sum: 0.0,
            squares: squares + other_squares + difference * difference * (count * other_count / total),
        };
    }

    fn variance(&self, parameters: Parameters) -> f64 {
        let (count, _, squares) = self.central();
        let variance = squares / (count - parameters.ddof as f64);
        if parameters.root { variance.sqrt() } else { variance }
    }
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
        state.push_all(values);
    }
    fn column(states: &mut [Moments], values: &[T], _: u64) {
        states.iter_mut().zip(values).for_each(|(state, &value)| state.push(value.to_f64()));
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
        values.iter().filter(|value| !value.is_nan()).for_each(|&value| state.push(value.to_f64()));
    }
    fn merge(into: &mut Moments, from: &Moments) {
        into.merge(from);
    }
    fn finish(state: Moments, _: u64, parameters: Parameters) -> f64 {
        // NaN, as from NumPy, where too few numbers are left.
        if state.count <= parameters.ddof as f64 { f64::NAN } else { state.variance(parameters) }
    }
}
