//! Where the communicating thread leaves what the client waits for.

use super::plan::Want;
use crate::scheduler::ClientEvent;
use crate::task::{GraphId, Outcome, TaskError};
use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

/// Names an event: the graph and the client's number of the value in it.
pub(super) type Ticket = (GraphId, u32);

/// The client's letters.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    letters: Mutex<Letters>,
    news: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct Letters {
    results: HashMap<GraphId, Results>,
    pub(super) done: HashMap<Ticket, Option<Arc<TaskError>>>,
    /// Answers to cancellations, by the number of the request.
    pub(super) cancelled: HashMap<u64, bool>,
    /// Who wants to hear of a value as soon as it is there, and what each has heard of.
    watched: HashMap<Ticket, Vec<u32>>,
    pub(super) arrivals: HashMap<u32, VecDeque<Ticket>>,
    /// Values that nobody wants to hear of any more.
    forgotten: HashSet<Ticket>,
    /// Values that the client waits for, by rank.
    loads: Vec<u32>,
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

impl Letters {
    /// Notes that values of a graph are being made, and where.
    pub(super) fn expect(&mut self, graph: GraphId, ranks: impl ExactSizeIterator<Item = u32>, want: Want) {
        let (count, mut by_rank) = (ranks.len(), BTreeMap::new());
        for (token, rank) in (0..).zip(ranks) {
            if self.loads.len() <= rank as usize {
                self.loads.resize(rank as usize + 1, 0);
            }
            self.loads[rank as usize] += 1;
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
    pub(super) fn take_results(&mut self, graph: GraphId) -> Option<Vec<Outcome>> {
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
            self.loads[rank as usize] -= count;
        }
        true
    }

    /// A watcher wants to hear of a value as soon as it is there.
    pub(super) fn watch(&mut self, ticket: Ticket, watcher: u32) {
        self.watched.entry(ticket).or_default().push(watcher);
    }

    /// A watcher does not want to hear of these values any more.
    pub(super) fn unwatch<'a>(&mut self, tickets: impl Iterator<Item = &'a Ticket>, watcher: u32) {
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

    /// The ranks, those first from which the least is expected, each with what is expected of it beyond that
    /// and a little more, which is worth less than moving a task away from the values that it reads.
    pub(super) fn by_load(&self, ranks: &[u32]) -> Vec<(u32, usize)> {
        const LITTLE: usize = 4;
        let load = |rank: u32| self.loads.get(rank as usize).copied().unwrap_or(0) as usize;
        let mut ranks: Vec<(u32, usize)> = ranks.iter().map(|&rank| (rank, load(rank))).collect();
        ranks.sort_by_key(|(_, load)| *load);
        let least = ranks.first().map_or(0, |(_, load)| *load);
        ranks.iter_mut().for_each(|(_, load)| *load = load.saturating_sub(least + LITTLE));
        ranks
    }

    /// The last handle that wanted to hear of a value is gone.
    pub(super) fn forget(&mut self, ticket: Ticket) {
        if self.done.remove(&ticket).is_none() {
            self.forgotten.insert(ticket);
        }
    }

    fn arrived(&mut self, ticket: Ticket) {
        if let Some(rank) = self.owners.remove(&ticket) {
            self.loads[rank as usize] -= 1;
        }
        for watcher in self.watched.remove(&ticket).unwrap_or_default() {
            self.arrivals.entry(watcher).or_default().push_back(ticket);
        }
    }
}

impl Mailbox {
    /// Leaves events for the client.
    pub(crate) fn deliver(&self, events: impl Iterator<Item = ClientEvent>) {
        let mut letters = self.lock();
        // Whoever waits for many results is woken for the last.
        let mut news = false;
        for event in events {
            match event {
                ClientEvent::Result { graph, token, outcome } => {
                    news |= letters.result(graph, token, outcome);
                }
                ClientEvent::Done { graph, token, error } => {
                    letters.arrived((graph, token));
                    if !letters.forgotten.remove(&(graph, token)) {
                        letters.done.insert((graph, token), error);
                        news = true;
                    }
                }
                ClientEvent::Cancelled { request, cancelled } => {
                    letters.cancelled.insert(request, cancelled);
                    news = true;
                }
                ClientEvent::Silence(text) => crate::notice::warn(&text),
            }
        }
        drop(letters);
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
    pub(super) fn wait<R>(&self, mut look: impl FnMut(&mut Letters) -> Option<R>) -> Option<R> {
        let mut letters = self.lock();
        loop {
            if let Some(found) = look(&mut letters) {
                return Some(found);
            }
            if letters.closed {
                return None;
            }
            letters = self.news.wait(letters).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Looks without waiting.
    pub(super) fn look<R>(&self, look: impl FnOnce(&mut Letters) -> R) -> R {
        look(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Letters> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
