//! How long the calls of a function take.

/// What is known of the calls of a function, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Timing {
    mean: f64,
    /// So many jobs must go well before an estimate is given again.
    distrust: u32,
    /// The distrust that the next surprise will bring.
    penalty: u32,
}

/// A call, or the calls of a job on the average, that took this long was not short, whatever the mean says.
const SURPRISE: f64 = 1_000_000.0;
/// One call does not change the mean by more than this factor's worth: it may have been the system's fault.
const OUTLIER: f64 = 8.0;
const FIRST_PENALTY: u32 = 16;
const LARGEST_PENALTY: u32 = 1 << 16;

impl Timing {
    /// After the first call.
    pub(super) fn new(nanos: f64) -> Self {
        let mut timing = Timing { mean: nanos, distrust: 0, penalty: FIRST_PENALTY };
        timing.look_for_surprise(nanos);
        timing
    }

    /// After another call, or several that took so long on the average.
    pub(super) fn add(&mut self, nanos: f64) {
        self.mean = 0.7 * self.mean + 0.3 * nanos.min(OUTLIER * self.mean.max(1.0));
        self.distrust = self.distrust.saturating_sub(1);
        self.look_for_surprise(nanos);
    }

    fn look_for_surprise(&mut self, nanos: f64) {
        if nanos >= SURPRISE {
            self.distrust = self.penalty;
            self.penalty = (4 * self.penalty).min(LARGEST_PENALTY);
        }
    }

    pub(super) fn mean(&self) -> f64 {
        self.mean
    }

    /// How long a job of so many calls will take. A function that has surprised is not trusted for a while,
    /// and each time for longer: the system may have taken the core away, or the function may be one that
    /// now and then takes long.
    pub(super) fn estimate(&self, calls: usize) -> Option<f64> {
        (self.distrust == 0).then_some(self.mean * calls as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_surprise_is_forgiven_after_a_while_and_the_next_one_later() {
        let mut timing = Timing::new(1000.0);
        assert_eq!(timing.estimate(3), Some(3000.0));
        let mut waits = Vec::new();
        for _ in 0..3 {
            timing.add(5e6);
            assert!(timing.mean() < 4_000.0, "one call does not make a function long: {}", timing.mean());
            let mut jobs = 0;
            while timing.estimate(1).is_none() {
                timing.add(1000.0);
                jobs += 1;
            }
            waits.push(jobs);
        }
        assert_eq!(waits, [16, 64, 256]);
    }

    #[test]
    fn a_function_that_has_become_long_is_known_for_it_soon() {
        let mut timing = Timing::new(1000.0);
        for _ in 0..12 {
            timing.add(900_000.0);
        }
        assert!(timing.mean() > 500_000.0, "{}", timing.mean());
    }
}
