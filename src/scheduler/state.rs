//! The state machine.

use super::{
    Outbox, Policy, RunOrder, Share, ShareMessage, ToScheduler, ToWorker,
    passes::{Owners, Pass, PassOrder, Threads},
    stealing::Stealing,
};
use crate::graph::{Import, Part};
use crate::task::{CollectionId, GraphId, LocalSpec, Outcome, PassId, Place, TaskError};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// A graph as the client hands it over: parts, the values that go with them, and passes.
#[derive(Debug, Default)]
pub(crate) struct Submission {
    pub(crate) parts: BTreeMap<u32, Part>,
    /// The run of parts that the ranks keep.
    pub(crate) run: Option<KeptRun>,
    pub(crate) values: Vec<(u32, Place, crate::task::Stored)>,
    pub(crate) passes: Vec<PassOrder>,
    /// How many results and notices the client waits for.
    pub(crate) awaited: usize,
}

/// A run of parts that the ranks keep, in place of parts.
#[derive(Debug, Clone)]
pub(crate) struct KeptRun {
    pub(crate) order: RunOrder,
    /// The ranks that keep a part.
    pub(crate) ranks: Arc<[u32]>,
    /// Values that are, or will be, on ranks: the holder, the place there, and the rank and the place of the
    /// import that reads it.
    pub(crate) forwards: Vec<(u32, Place, u32, Place)>,
}

/// What can happen.
#[derive(Debug)]
pub(crate) enum Event {
    /// The client wants a graph run.
    Submit(GraphId, Submission),
    /// The client will not run a kept graph again; these ranks keep parts of it.
    Discard(GraphId, Arc<[u32]>),
    /// The client has handed over memory for a value that is to be on every node.
    Share(Place),
    /// The client lets go of values: their rank and place.
    Release(Vec<(u32, Place)>),
    /// The client lets go of a value that is on every rank.
    ReleaseEverywhere(Place),
    /// The client wants a task not to run.
    Cancel {
        rank: u32,
        place: Place,
        request: u64,
    },
    /// The client defines a local context.
    Local(LocalSpec),
    ForgetCollection(CollectionId),
    /// A rank says something.
    Message(u32, ToScheduler),
    /// Some time has passed without anything happening.
    Tick,
    /// The client is done.
    Finish,
}

/// What the client is told.
#[derive(Debug, Clone)]
pub(crate) enum ClientEvent {
    Result {
        graph: GraphId,
        token: u32,
        outcome: Outcome,
    },
    Done {
        graph: GraphId,
        token: u32,
        error: Option<Arc<TaskError>>,
    },
    Cancelled {
        request: u64,
        cancelled: bool,
    },
    /// Nothing has happened for a long time; this is what is waited for.
    Silence(String),
}

/// A graph in progress, as the client waits for it.
#[derive(Debug)]
struct Awaited {
    /// The results and notices that are still to come.
    missing: usize,
    /// The ranks that run a part of it.
    ranks: BTreeSet<u32>,
    /// The values that the client holds. Once there is none, nobody wants anything of the graph.
    held: usize,
    /// Another graph reads values of this one.
    is_read: bool,
}

/// How long nothing may happen before the scheduler says what it waits for.
const SILENCE: Duration = Duration::from_secs(60);

/// The scheduler of a run.
#[derive(Debug)]
pub(crate) struct Scheduler {
    threads: Threads,
    policy: Policy,
    passes: BTreeMap<PassId, Pass>,
    stealing: Stealing,
    collections: BTreeMap<CollectionId, Owners>,
    /// Collections that the client has let go of; a pass may still read them.
    unwanted: BTreeSet<CollectionId>,
    /// The graphs of which results or notices are still to come.
    awaited: BTreeMap<GraphId, Awaited>,
    last_news: Duration,
    warned: Duration,
}

impl Scheduler {
    /// `threads` are the compute threads of each rank; a rank with none only communicates.
    pub(crate) fn new(threads: Vec<u64>, policy: Policy) -> Self {
        Scheduler {
            threads: Threads::new(threads),
            policy,
            passes: BTreeMap::new(),
            stealing: Stealing::default(),
            collections: BTreeMap::new(),
            unwanted: BTreeSet::new(),
            awaited: BTreeMap::new(),
            last_news: Duration::ZERO,
            warned: Duration::ZERO,
        }
    }

    /// Reacts to an event. `now` is the time since the run began.
    pub(crate) fn handle(
        &mut self,
        now: Duration,
        event: Event,
        out: &mut Outbox,
        client: &mut Vec<ClientEvent>,
    ) {
        if !matches!(event, Event::Tick) {
            self.last_news = now;
        }
        match event {
            Event::Submit(graph, submission) => self.submit(graph, submission, out),
            Event::Discard(graph, ranks) => {
                for &rank in &*ranks {
                    out.tell_worker(rank, ToWorker::Discard(graph));
                }
            }
            Event::Share(to) => {
                out.tell_worker(0, ToWorker::Share(ShareMessage { from: 0, to, what: Share::Here }));
            }
            Event::Release(places) => {
                let mut by_rank: BTreeMap<u32, Vec<Place>> = BTreeMap::new();
                for &(rank, place) in &places {
                    by_rank.entry(rank).or_default().push(place);
                }
                for (rank, places) in by_rank {
                    out.tell_worker(rank, ToWorker::Release(places));
                }
                for (_, place) in places {
                    self.released(place.graph, out);
                }
            }
            Event::ReleaseEverywhere(place) => {
                self.broadcast(out, || ToWorker::Release(vec![place]));
            }
            Event::Cancel { rank, place, request } => {
                out.tell_worker(rank, ToWorker::Cancel { place, request });
            }
            Event::Local(spec) => self.broadcast(out, || ToWorker::Local(spec.clone())),
            Event::ForgetCollection(id) => {
                self.unwanted.insert(id);
                self.forget_unwanted(out);
            }
            Event::Message(rank, message) => self.message(rank, message, out, client),
            Event::Tick => self.tick(now, client),
            Event::Finish => self.broadcast(out, || ToWorker::Leave),
        }
    }

    /// Cross-checks the whole state; panics if it contradicts itself.
    #[cfg(test)]
    pub(crate) fn sanity_check(&self) {
        for pass in self.passes.values() {
            pass.sanity_check();
        }
    }

    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        self.passes.is_empty() && self.awaited.is_empty()
    }

    fn broadcast(&self, out: &mut Outbox, message: impl Fn() -> ToWorker) {
        for rank in 0..self.threads.count() {
            out.tell_worker(rank, message());
        }
    }

    fn submit(&mut self, graph: GraphId, submission: Submission, out: &mut Outbox) {
        let kept = submission.run.iter().flat_map(|run| run.ranks.iter());
        let ranks: BTreeSet<u32> = submission.parts.keys().chain(kept).copied().collect();
        if submission.awaited > 0 {
            let (missing, held) = (submission.awaited, submission.awaited);
            self.awaited.insert(graph, Awaited { missing, ranks, held, is_read: false });
        }
        let here =
            submission.parts.values().flat_map(|part| &part.imports).filter_map(|import| match import {
                Import::Here(place) => Some(place.graph),
                _ => None,
            });
        let brought = submission.run.iter().flat_map(|run| &run.forwards).map(|(_, place, ..)| place.graph);
        for read in here.chain(brought) {
            if let Some(awaited) = self.awaited.get_mut(&read) {
                awaited.is_read = true;
            }
        }
        for (rank, part) in submission.parts {
            self.stealing.busy(rank);
            out.tell_worker(rank, ToWorker::Part(Box::new(part)));
        }
        if let Some(run) = submission.run {
            for &rank in &*run.ranks {
                self.stealing.busy(rank);
                out.tell_worker(rank, ToWorker::Run(run.order));
            }
            for (holder, from, rank, to) in run.forwards {
                out.tell_worker(holder, ToWorker::Forward { from, rank, to });
            }
        }
        for (rank, to, value) in submission.values {
            out.tell_worker(rank, ToWorker::Value { to, outcome: Ok(value) });
        }
        for order in submission.passes {
            let id = order.spec.pass;
            let homes = match (&order.spec.spread, order.spec.reads) {
                (Some(spread), _) => {
                    Some(spread.ranges().map(|(rank, range)| (rank, range.into())).collect())
                }
                (None, Some(kept)) => Some(self.collections[&kept].clone()),
                (None, None) => None,
            };
            let mut pass = Pass::new(order, homes);
            pass.begin(&self.policy, &self.threads, out);
            self.passes.insert(id, pass);
            self.end_if_over(id, out);
        }
    }

    fn message(&mut self, rank: u32, message: ToScheduler, out: &mut Outbox, client: &mut Vec<ClientEvent>) {
        match message {
            ToScheduler::Result { graph, token, outcome } => {
                self.arrived(graph);
                client.push(ClientEvent::Result { graph, token, outcome });
            }
            ToScheduler::Done { graph, token, error } => {
                self.arrived(graph);
                client.push(ClientEvent::Done { graph, token, error });
            }
            ToScheduler::Cancelled { request, cancelled } => {
                client.push(ClientEvent::Cancelled { request, cancelled });
            }
            ToScheduler::Idle if self.policy.stealing && self.threads.computes(rank) => {
                self.stealing.idle(rank, out);
            }
            ToScheduler::Load { nanos } if self.policy.stealing => self.stealing.load(rank, nanos, out),
            ToScheduler::Idle | ToScheduler::Load { .. } => {}
            ToScheduler::Returned { pass: id, ranges } => {
                if let Some(pass) = self.passes.get_mut(&id) {
                    pass.returned(rank, &ranges, &self.threads, out);
                    self.end_if_over(id, out);
                }
            }
            ToScheduler::Progress(progress) => {
                if let Some(pass) = self.passes.get_mut(&progress.pass) {
                    pass.progress(rank, &progress, &self.policy, &self.threads, out);
                    self.end_if_over(progress.pass, out);
                }
            }
        }
    }

    fn arrived(&mut self, graph: GraphId) {
        if let Some(awaited) = self.awaited.get_mut(&graph) {
            awaited.missing -= 1;
            if awaited.missing == 0 {
                self.awaited.remove(&graph);
            }
        }
    }

    /// The client has let go of a value of a graph. With the last one, what has not begun is not begun any more.
    fn released(&mut self, graph: GraphId, out: &mut Outbox) {
        let Some(awaited) = self.awaited.get_mut(&graph) else { return };
        awaited.held = awaited.held.saturating_sub(1);
        if awaited.held > 0 || awaited.is_read {
            return;
        }
        for &rank in &awaited.ranks {
            out.tell_worker(rank, ToWorker::Abandon(graph));
        }
        for pass in self.passes.values_mut().filter(|pass| pass.graph() == Some(graph)) {
            pass.stop(&self.threads, out);
        }
        let stopped: Vec<PassId> = self.passes.keys().copied().collect();
        stopped.into_iter().for_each(|pass| self.end_if_over(pass, out));
    }

    fn end_if_over(&mut self, id: PassId, out: &mut Outbox) {
        if self.passes.get(&id).is_some_and(Pass::is_over) {
            let pass = self.passes.remove(&id);
            self.collections.extend(pass.and_then(Pass::into_kept));
            self.forget_unwanted(out);
        }
    }

    /// Forgets the collections that nobody holds and no pass reads or makes.
    fn forget_unwanted(&mut self, out: &mut Outbox) {
        let in_use: BTreeSet<CollectionId> = self.passes.values().flat_map(Pass::collections).collect();
        for id in std::mem::take(&mut self.unwanted) {
            if in_use.contains(&id) {
                self.unwanted.insert(id);
            } else {
                self.collections.remove(&id);
                self.broadcast(out, || ToWorker::ForgetCollection(id));
            }
        }
    }

    /// Says what is waited for when nothing has happened for a long time.
    fn tick(&mut self, now: Duration, client: &mut Vec<ClientEvent>) {
        let silent = now.saturating_sub(self.last_news.max(self.warned));
        if silent < SILENCE || (self.passes.is_empty() && self.awaited.is_empty()) {
            return;
        }
        self.warned = now;
        let mut waiting = Vec::new();
        for (id, pass) in &self.passes {
            let (done, length) = pass.elements_done();
            let ranks: Vec<u32> = pass.ranks_at_work().collect();
            waiting.push(format!("map {id} has {done} of {length} elements, ranks at work {ranks:?}"));
        }
        for (graph, Awaited { missing, ranks, .. }) in &self.awaited {
            waiting.push(format!("graph {graph} on ranks {ranks:?} owes {missing} results"));
        }
        let text = format!("no progress for {} s: {}", silent.as_secs(), waiting.join("; "));
        client.push(ClientEvent::Silence(text));
    }
}
