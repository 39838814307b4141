//! What the client waits for, and what of it has come.

use crate::scheduler::{ClientEvent, Loads};
use crate::task::{GraphId, Outcome, TaskError};
use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

/// Names an event: the graph and the client's number of the value in it.
pub(crate) type Ticket = (GraphId, u32);

/// What is wanted of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    /// The values, on rank 0.
    Result,
    /// The values stay where they are made.
    Keep,
}

/// Where the communicating thread of rank 0 leaves completions, and threads of the program wait for them.
#[derive(Debug, Default)]
pub(crate) struct Completions {
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    results: HashMap<GraphId, Results>,
    pub(crate) done: HashMap<Ticket, Option<Arc<TaskError>>>,
    /// Answers to cancellations, by the number of the request.
    pub(crate) cancelled: HashMap<u64, bool>,
    /// Who wants to hear of a value as soon as it is there, and what each has heard of.
    watched: HashMap<Ticket, Vec<u32>>,
    pub(crate) arrivals: HashMap<u32, VecDeque<Ticket>>,
    /// Values that nobody wants to hear of any more.
    forgotten: HashSet<Ticket>,
    pub(crate) loads: Loads,
    owners: HashMap<Ticket, u32>,
    closed: bool,
}

/// The results of a graph.
#[derive(Debug)]
struct Results {
    outcomes: Vec<Option<Outcome>>,
    /// How many are still to come.
    missing: usize,
    /// How many each rank was to make.
    by_rank: BTreeMap<u32, u32>,
}

impl State {
    /// Notes that values of a graph are being made, and where.
    pub(crate) fn expect(&mut self, graph: GraphId, ranks: impl ExactSizeIterator<Item = u32>, want: Want) {
        let (count, mut by_rank) = (ranks.len(), BTreeMap::new());
        for (token, rank) in (0..).zip(ranks) {
            self.loads.add(rank);
            match want {
                Want::Result => *by_rank.entry(rank).or_default() += 1,
                Want::Keep => drop(self.owners.insert((graph, token), rank)),
            }
        }
        if want == Want::Result {
            let outcomes = vec![None; count];
            self.results.insert(graph, Results { outcomes, missing: count, by_rank });
        }
    }

    /// The results of a graph, once all are there.
    pub(crate) fn take_results(&mut self, graph: GraphId) -> Option<Vec<Outcome>> {
        if self.results.get(&graph)?.missing > 0 {
            return None;
        }
        let results = self.results.remove(&graph)?;
        Some(results.outcomes.into_iter().flatten().collect())
    }

    /// A result has come; whether it is the last of its graph.
    fn result(&mut self, graph: GraphId, token: u32, outcome: Outcome) -> bool {
        let Some(results) = self.results.get_mut(&graph) else { return false };
        results.outcomes[token as usize] = Some(outcome);
        results.missing -= 1;
        if results.missing > 0 {
            return false;
        }
        // They are many and come close together: the loads are put right once.
        for (rank, count) in std::mem::take(&mut results.by_rank) {
            self.loads.remove(rank, count);
        }
        true
    }

    /// A watcher wants to hear of a value as soon as it is there.
    pub(crate) fn watch(&mut self, ticket: Ticket, watcher: u32) {
        self.watched.entry(ticket).or_default().push(watcher);
    }

    /// A watcher does not want to hear of these values any more.
    pub(crate) fn unwatch<'a>(&mut self, tickets: impl Iterator<Item = &'a Ticket>, watcher: u32) {
        for ticket in tickets {
            if let Some(watchers) = self.watched.get_mut(ticket) {
                watchers.retain(|other| *other != watcher);
                if watchers.is_empty() {
                    self.watched.remove(ticket);
                }
            }
        }
        self.arrivals.remove(&watcher);
    }

    /// The last handle that wanted to hear of a value is gone.
    pub(crate) fn forget(&mut self, ticket: Ticket) {
        if self.done.remove(&ticket).is_none() {
            self.forgotten.insert(ticket);
        }
    }

    fn arrived(&mut self, ticket: Ticket) {
        if let Some(rank) = self.owners.remove(&ticket) {
            self.loads.remove(rank, 1);
        }
        for watcher in self.watched.remove(&ticket).unwrap_or_default() {
            self.arrivals.entry(watcher).or_default().push_back(ticket);
        }
    }
}

impl Completions {
    /// Leaves events for the client.
    pub(crate) fn deliver(&self, events: impl Iterator<Item = ClientEvent>) {
        let mut state = self.lock();
        // Whoever waits for many results is woken for the last.
        let mut news = false;
        for event in events {
            match event {
                ClientEvent::Result { graph, token, outcome } => {
                    news |= state.result(graph, token, outcome);
                }
                ClientEvent::Done { graph, token, error } => {
                    state.arrived((graph, token));
                    if !state.forgotten.remove(&(graph, token)) {
                        state.done.insert((graph, token), error);
                        news = true;
                    }
                }
                ClientEvent::Cancelled { request, cancelled } => {
                    state.cancelled.insert(request, cancelled);
                    news = true;
                }
                ClientEvent::Silence(text) => crate::notice::warn(&text),
            }
        }
        drop(state);
        if news {
            self.news.notify_all();
        }
    }

    /// Nothing will come any more.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.news.notify_all();
    }

    /// Waits until `look` finds what it looks for; `None` if it never will.
    pub(crate) fn wait<R>(&self, mut look: impl FnMut(&mut State) -> Option<R>) -> Option<R> {
        let mut state = self.lock();
        loop {
            if let Some(found) = look(&mut state) {
                return Some(found);
            }
            if state.closed {
                return None;
            }
            state = self.news.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Looks without waiting.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&mut State) -> R) -> R {
        look(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
