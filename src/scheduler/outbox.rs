//! What a state machine wants sent, grouped by destination.

use super::{ToScheduler, ToWorker};
use std::collections::BTreeMap;

/// Commands of one turn: batching per destination is free, since whoever carries them out sees each
/// destination once.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// To the workers, by rank.
    pub(crate) workers: BTreeMap<u32, Vec<ToWorker>>,
    /// To the scheduler on rank 0.
    pub(crate) scheduler: Vec<ToScheduler>,
}

impl Outbox {
    pub(crate) fn tell_worker(&mut self, rank: u32, message: ToWorker) {
        self.workers.entry(rank).or_default().push(message);
    }

    pub(crate) fn tell_scheduler(&mut self, message: ToScheduler) {
        self.scheduler.push(message);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.workers.is_empty() && self.scheduler.is_empty()
    }
}
