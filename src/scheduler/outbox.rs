//! What a state machine wants sent.

use super::{ToScheduler, ToWorker};

/// Commands of one turn. Whoever carries them out sees the messages to each destination together, so
/// batching costs nothing.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    workers: Vec<(u32, ToWorker)>,
    /// To the scheduler on rank 0.
    pub(crate) scheduler: Vec<ToScheduler>,
}

impl Outbox {
    #[inline]
    pub(crate) fn tell_worker(&mut self, rank: u32, message: ToWorker) {
        self.workers.push((rank, message));
    }

    pub(crate) fn tell_scheduler(&mut self, message: ToScheduler) {
        self.scheduler.push(message);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.workers.is_empty() && self.scheduler.is_empty()
    }

    /// Whether there is anything for workers.
    pub(crate) fn has_workers(&self) -> bool {
        !self.workers.is_empty()
    }

    /// Takes the messages to workers, by rank; those to one rank keep their order.
    pub(crate) fn take_workers(&mut self) -> Vec<(u32, ToWorker)> {
        if !self.workers.is_sorted_by_key(|(rank, _)| *rank) {
            self.workers.sort_by_key(|(rank, _)| *rank);
        }
        std::mem::take(&mut self.workers)
    }

    /// Gives the memory of messages back that were taken.
    pub(crate) fn reuse(&mut self, mut workers: Vec<(u32, ToWorker)>) {
        workers.clear();
        if self.workers.is_empty() {
            self.workers = workers;
        }
    }
}
