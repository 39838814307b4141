//! Where the communicating thread leaves what the client waits for.

use crate::scheduler::ClientEvent;
use crate::task::{GraphId, Outcome, TaskError};
use std::{
    collections::{HashMap, HashSet, VecDeque},
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
    pub(super) results: HashMap<Ticket, Outcome>,
    pub(super) done: HashMap<Ticket, Option<Arc<TaskError>>>,
    pub(super) cancelled: HashMap<Ticket, bool>,
    /// Who wants to hear of a value as soon as it is there, and what each has heard of.
    pub(super) watched: HashMap<Ticket, u32>,
    pub(super) arrivals: HashMap<u32, VecDeque<Ticket>>,
    /// Values that nobody wants to hear of any more.
    forgotten: HashSet<Ticket>,
    /// Values that the client waits for, by rank.
    loads: Vec<u32>,
    owners: HashMap<Ticket, u32>,
    closed: bool,
}

impl Letters {
    /// Notes that values of a graph are being made, and where.
    pub(super) fn expect(&mut self, graph: GraphId, ranks: impl Iterator<Item = u32>) {
        for (token, rank) in (0..).zip(ranks) {
            if self.loads.len() <= rank as usize {
                self.loads.resize(rank as usize + 1, 0);
            }
            self.loads[rank as usize] += 1;
            self.owners.insert((graph, token), rank);
        }
    }

    /// The ranks, those first from which the least is expected.
    pub(super) fn by_load(&self, ranks: &[u32]) -> Vec<u32> {
        let mut ranks = ranks.to_vec();
        ranks.sort_by_key(|&rank| self.loads.get(rank as usize).copied().unwrap_or(0));
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
        if let Some(watcher) = self.watched.remove(&ticket) {
            self.arrivals.entry(watcher).or_default().push_back(ticket);
        }
    }
}

impl Mailbox {
    /// Leaves events for the client.
    pub(crate) fn deliver(&self, events: impl Iterator<Item = ClientEvent>) {
        let mut letters = self.lock();
        for event in events {
            match event {
                ClientEvent::Result { graph, token, outcome } => {
                    letters.arrived((graph, token));
                    letters.results.insert((graph, token), outcome);
                }
                ClientEvent::Done { graph, token, error } => {
                    letters.arrived((graph, token));
                    if !letters.forgotten.remove(&(graph, token)) {
                        letters.done.insert((graph, token), error);
                    }
                }
                ClientEvent::Cancelled { graph, token, cancelled } => {
                    letters.cancelled.insert((graph, token), cancelled);
                }
            }
        }
        drop(letters);
        self.news.notify_all();
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
