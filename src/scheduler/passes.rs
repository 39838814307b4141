//! Passes in progress: which elements are left, who has which, and how long they take.

use super::{Outbox, Policy, Progress, ToWorker, grants::Situation};
use crate::graph::{Home, PassSpec, RangeSet};
use crate::task::{
    CollectionId, GraphId, Stored, contain,
    pipeline::{GrantData, Slices},
};
use std::{collections::BTreeMap, ops::Range, sync::Arc};

/// A pass as the client orders it.
#[derive(Debug, Clone)]
pub(crate) struct PassOrder {
    pub(crate) spec: PassSpec,
    /// The elements, if they come from rank 0.
    pub(crate) slices: Option<Arc<dyn Slices>>,
    /// The collection that the pass leaves on the ranks, if it does.
    pub(crate) keeps: Option<CollectionId>,
    /// Elements that are done already: nobody is given them.
    pub(crate) without: RangeSet,
}

/// Which rank has which elements.
pub(super) type Owners = BTreeMap<u32, RangeSet>;

/// Takes elements from a rank. One without any has no entry, so that nobody goes over all ranks to see that.
fn subtract(owners: &mut Owners, rank: u32, ranges: &RangeSet) {
    if let Some(owned) = owners.get_mut(&rank) {
        owned.subtract(ranges);
        if owned.is_empty() {
            owners.remove(&rank);
        }
    }
}

/// The state of one pass.
#[derive(Debug)]
pub(super) struct Pass {
    spec: Arc<PassSpec>,
    slices: Option<Arc<dyn Slices>>,
    keeps: Option<CollectionId>,
    /// Elements that any rank may be given.
    pool: RangeSet,
    /// Elements that only the rank that keeps them may be given.
    homes: Owners,
    /// What each rank has been given and has not reported.
    outstanding: Owners,
    /// What each rank has done.
    done: Owners,
    /// The first rank to do an element did it; these are what they did together.
    all_done: RangeSet,
    measured: u64,
    busy_nanos: u64,
    /// Nothing more is to begin.
    stopped: bool,
    /// The ranks have been told that no more comes.
    drained: bool,
}

impl Pass {
    /// `only_on` tells which rank alone may be given which elements; there may be more than the pass goes over.
    pub(super) fn new(order: PassOrder, only_on: Option<Owners>) -> Self {
        let spec = order.spec;
        let mut wanted = RangeSet::from(0..spec.length);
        wanted.subtract(&order.without);
        let (mut pool, mut homes) = (RangeSet::default(), Owners::new());
        match only_on {
            Some(only_on) => {
                homes = only_on;
                homes.retain(|_, ranges| {
                    ranges.remove(spec.length..u64::MAX);
                    ranges.subtract(&order.without);
                    !ranges.is_empty()
                });
            }
            None => pool = wanted,
        }
        Pass {
            spec: Arc::new(spec),
            slices: order.slices,
            keeps: order.keeps,
            pool,
            homes,
            outstanding: Owners::new(),
            done: Owners::new(),
            all_done: RangeSet::default(),
            measured: 0,
            busy_nanos: 0,
            stopped: false,
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
        self.measured += progress.done.count();
        self.busy_nanos += progress.busy_nanos;
        let mut new = progress.done.clone();
        new.subtract(&self.all_done);
        self.all_done.extend(&new);
        self.done.entry(rank).or_default().extend(&new);
        subtract(&mut self.outstanding, rank, &progress.done);
        if let Some(failed) = progress.failed.filter(|_| self.spec.stop_at_failure) {
            self.forget_behind(failed);
        }
        self.top_up(rank, policy, ranks, out);
        self.drain_if_dry(ranks, out);
    }

    /// Begins nothing more: ranks give back what they have not begun, and what runs is finished and counts.
    pub(super) fn stop(&mut self, ranks: &Threads, out: &mut Outbox) {
        // Whoever brings the sinks together has been told of all that was granted.
        if self.drained || std::mem::replace(&mut self.stopped, true) {
            return;
        }
        self.pool = RangeSet::default();
        self.homes.clear();
        for rank in self.ranks_at_work().collect::<Vec<_>>() {
            out.tell_worker(rank, ToWorker::Stop(self.spec.pass));
        }
        self.drain_if_dry(ranks, out);
    }

    /// A rank gives back what it has not begun.
    pub(super) fn returned(&mut self, rank: u32, ranges: &RangeSet, ranks: &Threads, out: &mut Outbox) {
        subtract(&mut self.outstanding, rank, ranges);
        self.drain_if_dry(ranks, out);
    }

    /// Whether every element that was granted is done and no more will be.
    pub(super) fn is_over(&self) -> bool {
        self.drained && self.outstanding.is_empty()
    }

    pub(super) fn elements_done(&self) -> (u64, u64) {
        (self.all_done.count(), self.spec.length)
    }

    pub(super) fn ranks_at_work(&self) -> impl Iterator<Item = u32> {
        self.outstanding.keys().copied()
    }

    /// The graph for which all of it is done.
    pub(super) fn graph(&self) -> Option<GraphId> {
        let sink = self.spec.sinks.first().filter(|_| self.keeps.is_none())?;
        match &sink.home {
            Home::One { place, .. } => Some(place.graph),
            Home::Each(places) => places.first().map(|place| place.graph),
        }
    }

    /// The collections that the pass reads and makes.
    pub(super) fn collections(&self) -> impl Iterator<Item = CollectionId> {
        self.spec.reads.into_iter().chain(self.keeps)
    }

    /// The collection that the pass has left on the ranks.
    pub(super) fn into_kept(self) -> Option<(CollectionId, Owners)> {
        Some((self.keeps?, self.done))
    }

    fn top_up(&mut self, rank: u32, policy: &Policy, ranks: &Threads, out: &mut Outbox) {
        let at_home = self.homes.get(&rank).map_or(0, RangeSet::count);
        // What only this rank can do, it need not share.
        let all_threads = if at_home > 0 { ranks.of(rank) } else { ranks.total() };
        let situation = Situation {
            remaining: if at_home > 0 { at_home } else { self.pool.count() },
            outstanding: self.outstanding.get(&rank).map_or(0, RangeSet::count),
            threads: ranks.of(rank),
            all_threads,
            nanos: (self.measured > 0).then(|| self.busy_nanos as f64 / self.measured as f64),
            unit: self.spec.leaf,
            length: self.spec.length,
            batch: self.spec.batch,
        };
        let mut wanted = policy.size(&situation);
        while wanted > 0 {
            let pool = self.homes.get_mut(&rank).unwrap_or(&mut self.pool);
            let Some(range) = pool.take_front(wanted) else {
                break;
            };
            if pool.is_empty() {
                self.homes.remove(&rank);
            }
            wanted -= range.end - range.start;
            self.outstanding.entry(rank).or_default().insert(range.clone());
            let data = self.slices.as_ref().and_then(|slices| grant_data(&**slices, rank, &range));
            out.tell_worker(rank, ToWorker::Grant { pass: self.spec.pass, range, data });
        }
    }

    /// Once nothing is left to give, the ranks are told to bring in what they have gathered.
    fn drain_if_dry(&mut self, ranks: &Threads, out: &mut Outbox) {
        let is_dry = self.pool.is_empty() && self.homes.is_empty();
        // What is given back counts as never granted.
        let knows_all = !self.stopped || self.outstanding.is_empty();
        if self.drained || !is_dry || !knows_all {
            return;
        }
        self.drained = true;
        for rank in 0..ranks.count() {
            out.tell_worker(rank, ToWorker::Drain(self.spec.pass));
        }
        let is_home = |rank: &u32| self.spec.sinks.iter().any(|sink| sink.home.on(*rank as usize).is_some());
        let mut granted = self.all_done.clone();
        for ranges in self.outstanding.values() {
            granted.extend(ranges);
        }
        for home in (0..ranks.count()).filter(is_home) {
            let total = ToWorker::Total { pass: self.spec.pass, granted: granted.clone() };
            out.tell_worker(home, total);
        }
    }

    /// Elements behind a failed one need not be computed; those before it must, since one of them may fail
    /// too, and the failure that is reported is the first in the order of the source.
    fn forget_behind(&mut self, failed: u64) {
        let leaf_end = (failed / self.spec.leaf + 1) * self.spec.leaf;
        for pool in std::iter::once(&mut self.pool).chain(self.homes.values_mut()) {
            pool.remove(leaf_end..u64::MAX);
        }
        self.homes.retain(|_, ranges| !ranges.is_empty());
    }
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
        let mut all = RangeSet::default();
        for pool in std::iter::once(&self.pool).chain(self.homes.values()).chain(self.outstanding.values()) {
            assert_eq!(all.extend(pool), pool.count(), "an element is in one place");
        }
        let owners = self.homes.values().chain(self.outstanding.values());
        assert!(owners.into_iter().all(|ranges| !ranges.is_empty()), "who has nothing has no entry");
        all.extend(&self.all_done);
        assert!(RangeSet::from(0..self.spec.length).contains(&all));
        assert!(!self.drained || self.pool.is_empty());
    }
}
