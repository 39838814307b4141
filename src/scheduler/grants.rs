//! How many elements a rank is given at a time.
//!
//! Guided self-scheduling (Polychronopoulos & Kuck, 1987) by measured time: nobody knows at first what an
//! element costs, so a rank begins with a small range; then it is given what keeps it busy for a while, but
//! never more than its part of what is left, so that ranges shrink to the tail.

use crate::config::{Heuristic, Without};
use std::time::Duration;

/// The settings of the policy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Policy {
    /// A rank whose remaining work is estimated below this is given more.
    pub(crate) low_water: Duration,
    /// No grant is longer than this, since what was granted stays with the rank.
    pub(crate) longest: Duration,
    /// The first grants divide the elements into this many pieces per thread.
    pub(crate) first_pieces: u64,
    /// Ranges are sized by measured time; if not, each rank is given its share at once.
    pub(crate) guided: bool,
    /// Tasks that have not begun go to ranks that have nothing to do.
    pub(crate) stealing: bool,
}

impl Policy {
    pub(crate) fn without(without: Without) -> Self {
        Policy {
            guided: !without.has(Heuristic::Guiding),
            stealing: !without.has(Heuristic::Stealing),
            ..Policy::default()
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            low_water: Duration::from_millis(4),
            longest: Duration::from_millis(200),
            first_pieces: 32,
            guided: true,
            stealing: true,
        }
    }
}

/// What is known of a pass and of a rank when a grant is sized. Counts are in elements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Situation {
    /// Elements that nobody has been given.
    pub(crate) remaining: u64,
    /// Elements the rank has and has not reported.
    pub(crate) outstanding: u64,
    /// Compute threads of the rank, and of all ranks.
    pub(crate) threads: u64,
    pub(crate) all_threads: u64,
    /// Mean time of an element on one thread, once measured.
    pub(crate) nanos: Option<f64>,
    /// Ranges are multiples of this.
    pub(crate) unit: u64,
    pub(crate) length: u64,
    /// The user's batch.
    pub(crate) batch: Option<u64>,
}

impl Policy {
    /// The number of elements to grant now; zero if the rank has enough.
    pub(crate) fn size(&self, at: &Situation) -> u64 {
        if at.remaining == 0 {
            return 0;
        }
        if let Some(batch) = at.batch {
            let each = batch.saturating_mul(at.threads);
            let wanted = each.saturating_mul(2);
            return if at.outstanding < wanted { self.units(at, each) } else { 0 };
        }
        if !self.guided {
            // Its share; and what rounding has left, to whoever is done first.
            let share = (u128::from(at.length) * u128::from(at.threads)).div_ceil(u128::from(at.all_threads));
            return if at.outstanding == 0 { self.units(at, share as u64) } else { 0 };
        }
        let share = u128::from(at.remaining) * u128::from(at.threads);
        let guided = (share.div_ceil(2 * u128::from(at.all_threads)) as u64).max(1);
        match at.nanos {
            None if at.outstanding > 0 => 0,
            None => {
                let first = at.length.div_ceil(self.first_pieces * at.all_threads);
                self.units(at, (first * at.threads).max(at.threads).min(guided.max(at.threads)))
            }
            Some(nanos) => {
                let per_rank = nanos / at.threads as f64;
                let left = at.outstanding as f64 * per_rank;
                let idle_threads = at.outstanding < at.threads;
                if !idle_threads && left >= self.low_water.as_nanos() as f64 {
                    return 0;
                }
                let longest = (self.longest.as_nanos() as f64 / per_rank.max(0.01)) as u64;
                // With long elements a rank gets one for each idle thread; with short ones, a stretch.
                let least = if idle_threads { at.threads - at.outstanding } else { 1 };
                self.units(at, guided.min(longest).max(least))
            }
        }
    }

    fn units(&self, at: &Situation, wanted: u64) -> u64 {
        wanted.div_ceil(at.unit).saturating_mul(at.unit).min(at.remaining)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn situation() -> Situation {
        Situation {
            remaining: 1_000_000,
            outstanding: 0,
            threads: 1,
            all_threads: 2,
            nanos: None,
            unit: 8,
            length: 1_000_000,
            batch: None,
        }
    }

    #[test]
    fn sizes_follow_the_measured_time() {
        let policy = Policy::default();
        let table: [(&str, Situation, u64); 9] = [
            ("a first range is small", situation(), 15_632),
            ("nothing is known yet", Situation { outstanding: 8, ..situation() }, 0),
            ("short elements: half of one's share", Situation { nanos: Some(10.0), ..situation() }, 250_000),
            (
                "long elements: no more than the longest grant",
                Situation { nanos: Some(1e5), ..situation() },
                2_000,
            ),
            ("very long elements: one, in whole units", Situation { nanos: Some(1e9), ..situation() }, 8),
            ("enough to do", Situation { nanos: Some(1e5), outstanding: 400, ..situation() }, 0),
            ("about to run dry", Situation { nanos: Some(1e5), outstanding: 20, ..situation() }, 2_000),
            ("the tail", Situation { nanos: Some(10.0), remaining: 3, unit: 1, ..situation() }, 1),
            ("the user's batch", Situation { batch: Some(24), outstanding: 24, ..situation() }, 24),
        ];
        for (name, at, size) in table {
            assert_eq!(policy.size(&at), size, "{name}");
        }
    }

    #[test]
    fn ten_long_tasks_on_two_ranks_go_out_one_by_one() {
        let at = Situation { length: 10, remaining: 10, unit: 1, ..situation() };
        assert_eq!(Policy::default().size(&at), 1);
        let known = Situation { nanos: Some(3e8), remaining: 8, ..at };
        assert_eq!(Policy::default().size(&known), 1);
        assert_eq!(Policy::default().size(&Situation { outstanding: 1, ..known }), 0);
    }
}
