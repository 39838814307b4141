//! What a rank without work asks for, and what one with much gives.

use super::Worker;
use crate::graph::Part;
use crate::scheduler::{Outbox, ToScheduler, ToWorker};
use crate::task::{GraphId, Place, Slot};
use crate::worker::{
    graph::Graph,
    lending::{Loan, lend},
};
use std::time::Duration;

/// After so long without work a rank asks for some.
pub(super) const IDLE: Duration = Duration::from_micros(500);
/// If nothing comes of that it waits longer the next time, up to this.
const LONGEST_IDLE: Duration = Duration::from_millis(64);
/// Ready tasks of fewer nanoseconds than this are no load worth telling.
const LOAD: f64 = 2_000_000.0;
/// A rank tells its load once in so long for each rank of the world.
const LOAD_INTERVAL: Duration = Duration::from_micros(50);

impl Worker {
    /// Some time has passed: rank 0 is told if there is nothing to do, or more than a little. Returns after what
    /// time a look would tell more, if nothing happens before.
    pub(crate) fn tick(&mut self, now: Duration, out: &mut Outbox) -> Option<Duration> {
        self.flush_handed_over(now, out);
        let idle = self.jobs == 0 && self.ready.is_empty() && self.passes.is_empty();
        if !idle {
            self.idle = None;
            self.tell_load(now, out);
            return None;
        }
        let (since, told) = *self.idle.get_or_insert((now, false));
        let idle = now.saturating_sub(since);
        if told || idle < self.patience {
            return (!told).then_some(self.patience.saturating_sub(idle));
        }
        self.idle = Some((since, true));
        // Where waiting is the rule and nobody has anything to lend, rank 0 need not hear of it each time.
        self.patience = (2 * self.patience).min(LONGEST_IDLE);
        self.told_load = 0;
        out.tell_scheduler(ToScheduler::Idle);
        None
    }

    pub(super) fn tell_load(&mut self, now: Duration, out: &mut Outbox) {
        // All ranks together leave rank 0 most of its time.
        let ranks = self.context.nodes.ranks() as u32;
        if now.saturating_sub(self.load_at) < LOAD_INTERVAL * ranks {
            return;
        }
        let nanos: f64 = self.ready.iter().filter_map(|id| self.graphs.get(id)).map(Graph::ready_nanos).sum();
        let nanos = if nanos < LOAD { 0 } else { nanos as u64 };
        if nanos > 2 * self.told_load || nanos < self.told_load / 2 {
            (self.told_load, self.load_at) = (nanos, now);
            out.tell_scheduler(ToScheduler::Load { nanos });
        }
    }

    /// Lends ready tasks of the graph that has most of them.
    pub(super) fn lend(&mut self, with: u32, name: GraphId, nanos: u64, out: &mut Outbox) {
        let load = |id: &GraphId| self.graphs.get(id).map_or(0, |graph| graph.ready_nanos() as u64);
        let me = self.context.rank as u32;
        let most = self.ready.iter().copied().max_by_key(load);
        let loan = most.and_then(|id| Some((id, self.graphs.get_mut(&id)?))).map(|(id, graph)| {
            // It keeps what its own threads would have to wait for otherwise.
            let nanos = nanos.min(graph.ready_nanos() as u64 / 2);
            lend(graph, id, me, name, nanos)
        });
        let Loan { part, values } = loan.unwrap_or_else(|| Loan::none(name, me));
        let first = part.tasks.len() as u32;
        out.tell_worker(with, ToWorker::Part(Box::new(part)));
        for (slot, outcome) in (first..).zip(values) {
            let to = Place { graph: name, slot: Slot(slot) };
            out.tell_worker(with, ToWorker::Value { to, outcome });
        }
    }

    /// A part that another rank lends. What its tasks need was told by rank 0, maybe on its way yet: so they
    /// wait for rank 0's word.
    pub(super) fn borrow(&mut self, part: Box<Part>, out: &mut Outbox) {
        match self.loans.remove(&part.graph) {
            Some(_) => self.begin_loan(*part, out),
            None => drop(self.loans.insert(part.graph, Some(part))),
        }
    }

    pub(super) fn adopt(&mut self, graph: GraphId, out: &mut Outbox) {
        match self.loans.remove(&graph).flatten() {
            Some(part) => self.begin_loan(*part, out),
            None => drop(self.loans.insert(graph, None)),
        }
    }

    pub(super) fn begin_loan(&mut self, part: Part, out: &mut Outbox) {
        if !part.tasks.is_empty() {
            self.patience = IDLE;
        }
        self.begin_part(part, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Import;
    use crate::task::pipeline::tests_support::context;

    #[test]
    fn a_rank_that_is_given_what_cannot_begin_asks_again() {
        let (mut worker, mut out) = (Worker::new(context(), 1), Outbox::default());
        let mut asks = |worker: &mut Worker, millis: u64| {
            worker.tick(Duration::from_millis(millis), &mut out);
            std::mem::take(&mut out.scheduler).iter().any(|message| matches!(message, ToScheduler::Idle))
        };
        assert!(!asks(&mut worker, 0), "it has just begun");
        assert!(asks(&mut worker, 1));
        assert!(!asks(&mut worker, 500), "rank 0 knows");
        let mut part = Part::new(GraphId(7));
        part.imports.push(Import::Arrives);
        worker.handle(Duration::from_millis(500), ToWorker::Part(Box::new(part)), &mut Outbox::default());
        assert!(!asks(&mut worker, 501), "it has just been given something");
        assert!(asks(&mut worker, 510));
    }
}
