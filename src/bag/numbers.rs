//! Sums, means and variances: exact, so that no order of the values and no division of the input can matter.

use super::{bag::Bag, part::Part};
use crate::client::Delayed;
use crate::sum::ExactMoments;
use crate::wire::Value;

impl<T: Value + Clone + Into<f64>> Bag<T> {
    /// Count, sum and sum of squares, exactly: what [`mean`](Self::mean) and [`variance`](Self::variance) are
    /// made of.
    #[track_caller]
    #[must_use]
    pub fn moments(&self) -> Delayed<ExactMoments> {
        let stage = |part: Part<T>, (): &()| {
            let values: Vec<f64> = part.values.iter().cloned().map(Into::into).collect();
            ExactMoments::of(&values)
        };
        self.each_piece(stage, (), ExactMoments::new(), ExactMoments::merge)
    }

    /// The sum, rounded once at the end: the same for any order of the values and any block size. Zero if there
    /// are none.
    #[track_caller]
    #[must_use]
    pub fn sum(&self) -> Delayed<f64> {
        self.client.delayed(|(moments,): (ExactMoments,)| moments.sum().value(), (self.moments(),))
    }

    /// The mean; not a number if there are no values.
    #[track_caller]
    #[must_use]
    pub fn mean(&self) -> Delayed<f64> {
        self.client.delayed(|(moments,): (ExactMoments,)| moments.mean(), (self.moments(),))
    }

    /// The variance: the sum of squared deviations, divided by the count less `ddof`.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let numbers = client.bag_of([1.0, 2.0, 3.0, 4.0]);
    ///     let (mean, variance) = client.compute((&numbers.mean(), &numbers.variance(1)))?;
    ///     assert_eq!((mean, variance), (2.5, 5.0 / 3.0));
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn variance(&self, ddof: u64) -> Delayed<f64> {
        let variance = |(moments, ddof): (ExactMoments, u64)| moments.variance(ddof);
        self.client.delayed(variance, (self.moments(), ddof))
    }
}
