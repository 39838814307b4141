//! Who lends tasks to whom.
//!
//! Ranks without work say so, and ranks with more than a little that they have not begun. The one with most
//! is told to lend half of it to one that has none (steal half: Hendler and Shavit 2002). It stays the owner
//! of what it lends: the results come back to it, so nobody else need know.

use super::{Outbox, ToWorker};
use crate::task::GraphId;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of the ranks' work.
#[derive(Debug, Default)]
pub(super) struct Stealing {
    idle: BTreeSet<u32>,
    /// Nanoseconds of ready tasks, as far as was told and not given away since.
    loads: BTreeMap<u32, u64>,
    /// How many parts have been lent. Their names are counted from the highest downwards.
    lent: u32,
}

/// Less than this is not worth the messages.
const LEAST: u64 = 1_000_000;

/// How many parts can be lent in a run.
const NAMES: u32 = 1 << 30;

impl Stealing {
    pub(super) fn idle(&mut self, rank: u32, out: &mut Outbox) {
        self.loads.remove(&rank);
        self.idle.insert(rank);
        self.match_up(out);
    }

    pub(super) fn load(&mut self, rank: u32, nanos: u64, out: &mut Outbox) {
        if nanos < LEAST {
            self.loads.remove(&rank);
            return;
        }
        self.idle.remove(&rank);
        self.loads.insert(rank, nanos);
        self.match_up(out);
    }

    /// A rank is given work in another way.
    pub(super) fn busy(&mut self, rank: u32) {
        self.idle.remove(&rank);
    }

    fn match_up(&mut self, out: &mut Outbox) {
        // Names of what is lent are used once; when there are none left, nothing is lent.
        while self.lent < NAMES
            && let Some(&thief) = self.idle.first()
        {
            let most = self.loads.iter().max_by_key(|&(&rank, &nanos)| (nanos, std::cmp::Reverse(rank)));
            let Some((&owner, &nanos)) = most.filter(|(_, nanos)| **nanos >= 2 * LEAST) else { return };
            self.idle.remove(&thief);
            self.loads.insert(owner, nanos - nanos / 2);
            let graph = GraphId(u32::MAX - self.lent);
            self.lent += 1;
            out.tell_worker(thief, ToWorker::Adopt(graph));
            out.tell_worker(owner, ToWorker::Lend { with: thief, graph, nanos: nanos / 2 });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(out: &mut Outbox) -> Vec<(u32, u32, u64)> {
        let told = out.take_workers();
        let share = |(owner, message): &(u32, ToWorker)| match message {
            ToWorker::Lend { with, nanos, .. } => Some((*owner, *with, *nanos)),
            _ => None,
        };
        told.iter().filter_map(share).collect()
    }

    #[test]
    fn the_idle_are_given_half_of_what_the_busiest_has() {
        let mut stealing = Stealing::default();
        let mut out = Outbox::default();
        stealing.idle(3, &mut out);
        stealing.load(1, 900_000, &mut out);
        assert_eq!(shares(&mut out), [], "too little to share");
        stealing.load(1, 8_000_000, &mut out);
        assert_eq!(shares(&mut out), [(1, 3, 4_000_000)]);
        stealing.load(2, 5_000_000, &mut out);
        stealing.idle(4, &mut out);
        assert_eq!(shares(&mut out), [(2, 4, 2_500_000)], "rank 1 has 4 ms left");
        stealing.idle(0, &mut out);
        assert_eq!(shares(&mut out), [(1, 0, 2_000_000)]);
        stealing.busy(0);
        stealing.load(2, 100, &mut out);
        stealing.idle(5, &mut out);
        assert_eq!(shares(&mut out), [(1, 5, 1_000_000)]);
        stealing.idle(6, &mut out);
        assert_eq!(shares(&mut out), [], "nobody has enough");
    }
}
