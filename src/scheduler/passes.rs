//! Passes in progress: which elements are left, who has which, and how long they take.

use super::{Outbox, Policy, Progress, ToWorker, grants::Situation};
use crate::graph::PassSpec;
use crate::task::{
    CollectionId, Stored, contain,
    pipeline::{GrantData, Slices},
};
use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
    sync::Arc,
};

/// A pass as the client orders it.
#[derive(Debug, Clone)]
pub(crate) struct PassOrder {
    pub(crate) spec: PassSpec,
    /// The elements, if they come from rank 0.
    pub(crate) slices: Option<Arc<dyn Slices>>,
    /// The collection that the pass leaves on the ranks, if it does.
    pub(crate) keeps: Option<CollectionId>,
}

/// Which ranks keep which elements of a collection.
pub(super) type Whereabouts = BTreeMap<u32, Vec<Range<u64>>>;

/// The state of one pass.
#[derive(Debug)]
pub(super) struct Pass {
    spec: Arc<PassSpec>,
    slices: Option<Arc<dyn Slices>>,
    keeps: Option<CollectionId>,
    /// Elements that any rank may be given.
    pool: VecDeque<Range<u64>>,
    /// Elements that only the rank that keeps them may be given.
    homes: BTreeMap<u32, VecDeque<Range<u64>>>,
    remaining: u64,
    granted: u64,
    done: u64,
    outstanding: BTreeMap<u32, u64>,
    made: Whereabouts,
    measured: u64,
    busy_nanos: u64,
    drained: bool,
}

impl Pass {
    /// `only_on` tells which rank alone may be given which elements; there may be more than the pass goes over.
    pub(super) fn new(order: PassOrder, only_on: Option<Whereabouts>) -> Self {
        let spec = order.spec;
        let mut pool = VecDeque::new();
        let mut homes = BTreeMap::new();
        match only_on {
            Some(only_on) => {
                let within = |range: Range<u64>| range.start..range.end.min(spec.length);
                homes.extend(only_on.into_iter().map(|(rank, ranges)| {
                    let ranges = ranges.into_iter().map(within).filter(|range| range.start < range.end);
                    (rank, ranges.collect::<VecDeque<_>>())
                }));
            }
            None if spec.length > 0 => pool.push_back(0..spec.length),
            None => {}
        }
        Pass {
            remaining: spec.length,
            spec: Arc::new(spec),
            slices: order.slices,
            keeps: order.keeps,
            pool,
            homes,
            granted: 0,
            done: 0,
            outstanding: BTreeMap::new(),
            made: Whereabouts::new(),
            measured: 0,
            busy_nanos: 0,
            drained: false,
        }
    }

    pub(super) fn begin(&mut self, policy: &Policy, ranks: &Threads, out: &mut Outbox) {
        for rank in 0..ranks.count() {
            out.tell_worker(rank, ToWorker::Pass(Arc::clone(&self.spec)));
        }
        for &rank in ranks.workers() {
            self.top_up(rank, policy, ranks, out);
        }
        self.drain_if_dry(ranks, out);
    }

    pub(super) fn progress(
        &mut self,
        rank: u32,
        progress: &Progress,
        policy: &Policy,
        ranks: &Threads,
        out: &mut Outbox,
    ) {
        let done: u64 = progress.done.iter().map(|range| range.end - range.start).sum();
        self.done += done;
        self.measured += done;
        self.busy_nanos += progress.busy_nanos;
        if let Some(outstanding) = self.outstanding.get_mut(&rank) {
            *outstanding -= done;
        }
        if self.keeps.is_some() {
            self.made.entry(rank).or_default().extend(progress.done.iter().cloned());
        }
        if let Some(failed) = progress.failed.filter(|_| self.spec.stop_at_failure) {
            self.forget_behind(failed);
        }
        self.top_up(rank, policy, ranks, out);
        self.drain_if_dry(ranks, out);
    }

    /// Whether every element that was granted is done and no more will be.
    pub(super) fn is_over(&self) -> bool {
        self.drained && self.done == self.granted
    }

    pub(super) fn elements_done(&self) -> (u64, u64) {
        (self.done, self.spec.length)
    }

    pub(super) fn ranks_at_work(&self) -> impl Iterator<Item = u32> {
        self.outstanding.iter().filter(|(_, count)| **count > 0).map(|(&rank, _)| rank)
    }

    /// The collections that the pass reads and makes.
    pub(super) fn collections(&self) -> impl Iterator<Item = CollectionId> {
        self.spec.reads.into_iter().chain(self.keeps)
    }

    /// The collection that the pass has left on the ranks.
    pub(super) fn into_kept(self) -> Option<(CollectionId, Whereabouts)> {
        let mut made = self.made;
        for ranges in made.values_mut() {
            join_ranges(ranges);
        }
        self.keeps.map(|id| (id, made))
    }

    fn top_up(&mut self, rank: u32, policy: &Policy, ranks: &Threads, out: &mut Outbox) {
        let at_home: u64 = self
            .homes
            .get(&rank)
            .map_or(0, |ranges| ranges.iter().map(|range| range.end - range.start).sum());
        let anywhere: u64 = self.pool.iter().map(|range| range.end - range.start).sum();
        // What only this rank can do, it need not share.
        let all_threads = if at_home > 0 { ranks.of(rank) } else { ranks.total() };
        let situation = Situation {
            remaining: if at_home > 0 { at_home } else { anywhere },
            outstanding: self.outstanding.get(&rank).copied().unwrap_or(0),
            threads: ranks.of(rank),
            all_threads,
            nanos: (self.measured > 0).then(|| self.busy_nanos as f64 / self.measured as f64),
            unit: self.spec.leaf,
            length: self.spec.length,
            batch: self.spec.batch,
        };
        let mut wanted = policy.size(&situation);
        while wanted > 0 {
            let pool = match self.homes.get_mut(&rank).filter(|ranges| !ranges.is_empty()) {
                Some(home) => home,
                None => &mut self.pool,
            };
            let Some(range) = take_front(pool, wanted) else {
                break;
            };
            let count = range.end - range.start;
            wanted -= count;
            self.remaining -= count;
            self.granted += count;
            *self.outstanding.entry(rank).or_default() += count;
            let data = self.slices.as_ref().and_then(|slices| grant_data(&**slices, rank, &range));
            out.tell_worker(rank, ToWorker::Grant { pass: self.spec.pass, range, data });
        }
    }

    /// Once nothing is left to give, the ranks are told to bring in what they have gathered.
    fn drain_if_dry(&mut self, ranks: &Threads, out: &mut Outbox) {
        if self.remaining > 0 || self.drained {
            return;
        }
        self.drained = true;
        for rank in 0..ranks.count() {
            out.tell_worker(rank, ToWorker::Drain(self.spec.pass));
        }
        let is_home = |rank: &u32| self.spec.sinks.iter().any(|sink| sink.home.on(*rank as usize).is_some());
        for home in (0..ranks.count()).filter(is_home) {
            let total = ToWorker::Total { pass: self.spec.pass, granted: self.granted };
            out.tell_worker(home, total);
        }
    }

    /// Elements behind a failed one need not be computed; those before it must, since one of them may fail
    /// too, and the failure that is reported is the first in the order of the source.
    fn forget_behind(&mut self, failed: u64) {
        for pool in std::iter::once(&mut self.pool).chain(self.homes.values_mut()) {
            pool.retain_mut(|range| {
                let leaf_end = (failed / self.spec.leaf + 1) * self.spec.leaf;
                let end = range.end.min(leaf_end).max(range.start);
                self.remaining -= range.end - end;
                range.end = end;
                range.start < range.end
            });
        }
    }
}

/// Sorts ranges and joins those that touch.
pub(crate) fn join_ranges(ranges: &mut Vec<Range<u64>>) {
    ranges.sort_by_key(|range| range.start);
    ranges.dedup_by(|next, before| {
        let adjacent = before.end == next.start;
        if adjacent {
            before.end = next.end;
        }
        adjacent
    });
}

fn take_front(pool: &mut VecDeque<Range<u64>>, wanted: u64) -> Option<Range<u64>> {
    let first = pool.front_mut()?;
    let end = first.end.min(first.start + wanted);
    let taken = first.start..end;
    first.start = end;
    if first.start == first.end {
        pool.pop_front();
    }
    Some(taken)
}

/// The elements of a grant; none if they cannot be written to bytes, which the rank then reports.
fn grant_data(slices: &dyn Slices, rank: u32, range: &Range<u64>) -> Option<GrantData> {
    if rank == 0 {
        return Some(GrantData { values: slices.whole(), start: 0 });
    }
    let bytes = contain(|| slices.encode(range.clone())).ok()?.ok()?;
    Some(GrantData { values: Stored::from_bytes(bytes), start: range.start })
}

/// The compute threads of every rank.
#[derive(Debug, Clone)]
pub(crate) struct Threads {
    per_rank: Vec<u64>,
    /// Asked for with every message, so it is not added up again in a world of many ranks.
    total: u64,
    workers: Vec<u32>,
}

impl Threads {
    /// Ranks with no compute thread are given no work.
    pub(crate) fn new(per_rank: Vec<u64>) -> Self {
        let workers = (0u32..).zip(&per_rank).filter(|(_, n)| **n > 0).map(|(rank, _)| rank);
        Threads { workers: workers.collect(), total: per_rank.iter().sum(), per_rank }
    }

    pub(crate) fn count(&self) -> u32 {
        self.per_rank.len() as u32
    }

    fn of(&self, rank: u32) -> u64 {
        self.per_rank[rank as usize]
    }

    /// Whether a rank is given work.
    pub(super) fn computes(&self, rank: u32) -> bool {
        self.of(rank) > 0
    }

    fn total(&self) -> u64 {
        self.total
    }

    /// The ranks that compute.
    pub(crate) fn workers(&self) -> &[u32] {
        &self.workers
    }
}

#[cfg(test)]
impl Pass {
    pub(super) fn sanity_check(&self) {
        let pools = std::iter::once(&self.pool).chain(self.homes.values());
        let left: u64 = pools.flatten().map(|range| range.end - range.start).sum();
        assert_eq!(self.remaining, left, "what is left adds up");
        let outstanding: u64 = self.outstanding.values().sum();
        assert_eq!(self.granted, self.done + outstanding, "what was granted is done or outstanding");
        assert!(self.granted + self.remaining <= self.spec.length);
        assert!(!self.drained || self.remaining == 0);
    }
}
