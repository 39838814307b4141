//! The state machines and the wire format, each alone.

use crate::client::simulation::LazyGraph;
use crate::graph::Part;
use crate::scheduler::{
    Event, Outbox, PassOrder, Policy, Progress, Reader, Scheduler, Submission, ToScheduler, ToWorker,
    put_worker,
};
use crate::task::{GraphId, Place, RankContext, Slot, Stored};
use crate::worker::Worker;
use std::{sync::Arc, time::Duration};

/// Messages to workers.
#[derive(Debug, Clone)]
pub struct Messages(Vec<ToWorker>);

impl Messages {
    /// The parts of a graph.
    #[must_use]
    pub fn parts(graph: &LazyGraph) -> Self {
        Messages(graph.plan().0.into_values().map(|part| ToWorker::Part(Box::new(part))).collect())
    }

    /// As many values of eight bytes.
    #[must_use]
    pub fn values(count: u32) -> Self {
        let value = |slot| {
            let to = Place { graph: GraphId(0), slot: Slot(slot) };
            ToWorker::Value { to, outcome: Ok(Stored::Made(Arc::new(u64::from(slot)))) }
        };
        Messages((0..count).map(value).collect())
    }

    /// Writes them all into one frame.
    pub fn write(&self, frame: &mut Vec<u8>) {
        frame.clear();
        self.0.iter().for_each(|message| put_worker(message, frame).expect("messages can be written"));
    }
}

/// Reads a frame; the number of its messages.
#[must_use]
pub fn read(frame: &[u8]) -> usize {
    Reader::new(frame).filter(Result::is_ok).count()
}

/// A rank that runs the whole of a graph.
#[derive(Debug)]
pub struct LoneRank {
    context: Arc<RankContext>,
    part: Part,
}

impl LoneRank {
    /// The rank; the graph must be one of a single rank.
    #[must_use]
    pub fn of(graph: &LazyGraph) -> Self {
        let part = graph.plan().0.remove(&0).expect("rank 0 takes part");
        LoneRank { context: Arc::new(RankContext::for_tests(0)), part }
    }

    /// Hands the part to a new worker and runs its jobs until there are none; the number of results.
    #[must_use]
    pub fn run(&self) -> usize {
        let mut worker = Worker::new(Arc::clone(&self.context), 1);
        let mut out = Outbox::default();
        worker.handle(Duration::ZERO, ToWorker::Part(Box::new(self.part.clone())), &mut out);
        while let Some(job) = worker.take_job() {
            worker.finished(Duration::ZERO, job.run(&self.context), &mut out);
        }
        out.scheduler.len()
    }
}

/// A map as rank 0's scheduler sees it.
#[derive(Debug)]
pub struct Grants {
    order: PassOrder,
    threads: Vec<u64>,
}

impl Grants {
    /// The map of a graph over as many ranks.
    #[must_use]
    pub fn of(graph: &LazyGraph, ranks: usize) -> Self {
        Grants { order: graph.plan().1.remove(0), threads: vec![1; ranks] }
    }

    /// Hands out all elements to ranks that report every grant as soon as they have it, at a millisecond an
    /// element; the number of grants.
    #[must_use]
    pub fn hand_out(&self) -> u64 {
        let mut scheduler = Scheduler::new(self.threads.clone(), Policy::default());
        let (mut out, mut completed) = (Outbox::default(), Vec::new());
        let submission = Submission { passes: vec![self.order.clone()], ..Submission::default() };
        scheduler.handle(Duration::ZERO, Event::Submit(GraphId(0), submission), &mut out, &mut completed);
        let mut grants = 0;
        loop {
            let mut messages = out.take_workers();
            if messages.is_empty() {
                return grants;
            }
            for (rank, message) in messages.drain(..) {
                if let ToWorker::Grant { pass, range, .. } = message {
                    grants += 1;
                    let busy_nanos = 1_000_000 * (range.end - range.start);
                    let progress = Progress { done: range.into(), busy_nanos, ..Progress::of(pass) };
                    let event = Event::Message(rank, ToScheduler::Progress(progress));
                    scheduler.handle(Duration::ZERO, event, &mut out, &mut completed);
                }
            }
        }
    }
}
