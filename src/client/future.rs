//! Futures: values that are being made.

use super::{
    client::Core,
    delayed::{Delayed, Handle},
    handles::NodeRef,
};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::runtime::Ticket;
use crate::scheduler::Event;
use crate::task::{Arg, InputsRef, Record, Sealed, TaskFailure};
use crate::wire::Value;
use std::{collections::HashMap, sync::Arc};

/// A value that is being made, or is there, on some rank.
///
/// A future stands where a value would, as a [`Delayed`] does. The value is forgotten, and a task that has
/// not begun is not run, when the last handle is dropped.
#[derive(Debug)]
pub struct Future<T> {
    pub(super) value: Delayed<T>,
    ticket: Arc<Result<Pending>>,
}

/// A value that the client may hear of.
#[derive(Debug)]
struct Pending {
    core: Arc<Core>,
    ticket: Ticket,
}

impl Drop for Pending {
    fn drop(&mut self) {
        let ticket = self.ticket;
        self.core.completions.look(|state| state.forget(ticket));
    }
}

impl<T> Clone for Future<T> {
    fn clone(&self) -> Self {
        Future { value: self.value.clone(), ticket: Arc::clone(&self.ticket) }
    }
}

impl<T> Future<T> {
    pub(super) fn new(value: Delayed<T>, ticket: Result<Ticket>) -> Self {
        let core = Arc::clone(&value.node.core);
        let ticket = Arc::new(ticket.map(|ticket| Pending { core, ticket }));
        Future { value, ticket }
    }

    #[cfg(test)]
    pub(super) fn node_id(&self) -> crate::task::NodeId {
        self.value.node.id
    }

    fn pending(&self) -> Result<&Pending> {
        self.ticket.as_ref().as_ref().map_err(Clone::clone)
    }

    /// Whether the value is there or its task has failed. Does not wait.
    #[must_use]
    pub fn is_done(&self) -> bool {
        match self.pending() {
            Ok(pending) => pending.core.completions.look(|state| state.done.contains_key(&pending.ticket)),
            Err(_) => true,
        }
    }

    /// Waits until the value is there.
    ///
    /// # Errors
    /// The failure of the task, or of the first one that failed among those it depends on.
    pub fn wait(&self) -> Result<()> {
        let pending = self.pending()?;
        let done = pending.core.completions.wait(|state| state.done.get(&pending.ticket).cloned());
        match done.ok_or(Error::Over)? {
            None => Ok(()),
            Some(error) => Err(error.into()),
        }
    }

    /// Prevents the task from running if it has not begun. Returns whether it has been prevented; a map that
    /// was submitted is not. The result, and that of tasks that depend on it, is then an error of cause
    /// [`Cancelled`](crate::Cause::Cancelled).
    #[must_use = "the task may have begun already"]
    pub fn cancel(&self) -> bool {
        let Ok(pending) = self.pending() else {
            return false;
        };
        let Some((rank, place)) = pending.core.placed(self.value.node.id) else {
            return false;
        };
        let request = pending.core.next_request();
        pending.core.send(Event::Cancel { rank, place, request });
        let answer = pending.core.completions.wait(|state| state.cancelled.remove(&request));
        answer.unwrap_or(false)
    }
}

impl<T: Value> Future<T> {
    /// Waits for the value and brings it. It stays on its rank as well, as long as there is a handle.
    ///
    /// # Errors
    /// The failure of the task, or of the first one that failed among those it depends on.
    pub fn result(&self) -> Result<T> {
        self.pending()?;
        self.value.compute()
    }
}

impl Client {
    /// Waits for all futures and brings their values, in their order.
    ///
    /// # Errors
    /// The failure of the first future, in their order, that failed.
    pub fn gather<T: Value>(&self, futures: &[Future<T>]) -> Result<Vec<T>> {
        for future in futures {
            future.pending()?;
        }
        let values: Vec<Delayed<T>> = futures.iter().map(|future| future.value.clone()).collect();
        self.compute(&values)
    }

    /// Waits until all futures are done. Failures are not errors here: each future has its own.
    ///
    /// # Errors
    /// [`Error::Over`] if the run ends before.
    pub fn wait<T>(&self, futures: &[Future<T>]) -> Result<()> {
        for future in futures {
            if let Err(Error::Over) = future.wait() {
                return Err(Error::Over);
            }
        }
        Ok(())
    }

    /// Yields the futures as they are done, with their positions.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let futures = (0..10u64).map(|i| client.submit(|(i,)| i * i, (i,))).collect();
    ///     let mut total = 0;
    ///     for (_, future) in client.as_completed(futures) {
    ///         total += future.result()?;
    ///     }
    ///     assert_eq!(total, 285);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// The order in which results arrive differs from run to run. Work that is submitted in reaction to it
    /// needs explicit keys for its random streams; [`AsCompleted::ordered`] yields in the order of
    /// submission instead.
    #[must_use]
    pub fn as_completed<T>(&self, futures: Vec<Future<T>>) -> AsCompleted<T> {
        AsCompleted::new(&self.core, futures)
    }
}

/// The futures of [`Client::as_completed`].
#[derive(Debug)]
pub struct AsCompleted<T> {
    core: Arc<Core>,
    watcher: u32,
    waiting: HashMap<Ticket, Vec<(usize, Future<T>)>>,
    /// Done, and not yielded.
    done: std::collections::VecDeque<(usize, Future<T>)>,
    unordered: bool,
}

impl<T> AsCompleted<T> {
    fn new(core: &Arc<Core>, futures: Vec<Future<T>>) -> Self {
        let watcher = core.next_watcher();
        let mut waiting: HashMap<Ticket, Vec<(usize, Future<T>)>> = HashMap::new();
        let mut done = std::collections::VecDeque::new();
        core.completions.look(|state| {
            for (position, future) in futures.into_iter().enumerate() {
                match future.pending().map(|pending| pending.ticket) {
                    Ok(ticket) if !state.done.contains_key(&ticket) => {
                        // Clones of a future arrive together.
                        let clones = waiting.entry(ticket).or_default();
                        if clones.is_empty() {
                            state.watch(ticket, watcher);
                        }
                        clones.push((position, future));
                    }
                    _ => done.push_back((position, future)),
                }
            }
        });
        AsCompleted { core: Arc::clone(core), watcher, waiting, done, unordered: false }
    }

    /// Yields the futures in the order in which they were given, each when it is done: whatever is
    /// submitted in reaction has a reproducible order.
    pub fn ordered(self) -> impl Iterator<Item = (usize, Future<T>)> {
        let mut all: Vec<(usize, Future<T>)> = self.all().collect();
        all.sort_by_key(|(position, _)| *position);
        all.into_iter().inspect(|(_, future)| {
            // A failure is the business of whoever asks for the result.
            let _ = future.wait();
        })
    }

    fn all(mut self) -> impl Iterator<Item = (usize, Future<T>)> {
        let waiting = std::mem::take(&mut self.waiting);
        let watcher = self.watcher;
        self.core.completions.look(|state| state.unwatch(waiting.keys(), watcher));
        std::mem::take(&mut self.done).into_iter().chain(waiting.into_values().flatten())
    }
}

impl<T> Iterator for AsCompleted<T> {
    type Item = (usize, Future<T>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.done.is_empty() && self.waiting.is_empty() {
            return None;
        }
        if !std::mem::replace(&mut self.unordered, true) {
            self.core.begin_unordered();
        }
        if self.done.is_empty() {
            let watcher = self.watcher;
            let ticket = self.core.completions.wait(|state| {
                state.arrivals.get_mut(&watcher).and_then(std::collections::VecDeque::pop_front)
            })?;
            self.done.extend(self.waiting.remove(&ticket).unwrap_or_default());
        }
        self.done.pop_front()
    }
}

impl<T> Drop for AsCompleted<T> {
    fn drop(&mut self) {
        if self.unordered {
            self.core.end_unordered();
        }
        let (watcher, waiting) = (self.watcher, std::mem::take(&mut self.waiting));
        self.core.completions.look(|state| state.unwatch(waiting.keys(), watcher));
    }
}

impl<T> Sealed for Future<T> {}
impl<T> Sealed for &Future<T> {}

impl<T: Value + Clone> Arg for Future<T> {
    type Value = T;
    fn pack(&self, record: &mut Record) {
        self.value.pack(record);
    }
    fn unpack(inputs: &mut InputsRef<'_, '_>) -> Result<T, TaskFailure> {
        Delayed::<T>::unpack(inputs)
    }
}

impl<T: Value> Arg for &Future<T> {
    type Value = Arc<T>;
    fn pack(&self, record: &mut Record) {
        (&self.value).pack(record);
    }
    fn unpack(inputs: &mut InputsRef<'_, '_>) -> Result<Arc<T>, TaskFailure> {
        <&Delayed<T>>::unpack(inputs)
    }
}

impl<T> Sealed for &&Future<T> {}

impl<T: Value> Arg for &&Future<T> {
    type Value = Arc<T>;
    fn pack(&self, record: &mut Record) {
        (&self.value).pack(record);
    }
    fn unpack(inputs: &mut InputsRef<'_, '_>) -> Result<Arc<T>, TaskFailure> {
        <&Delayed<T>>::unpack(inputs)
    }
}

impl<T> Handle<T> for Future<T> {
    #[allow(private_interfaces)]
    fn into_node(self) -> NodeRef {
        self.value.into_node()
    }
}

impl<T> Handle<T> for &Future<T> {
    #[allow(private_interfaces)]
    fn into_node(self) -> NodeRef {
        (&self.value).into_node()
    }
}
