//! Where a task runs.

use super::RankContext;
use std::{cell::RefCell, fmt};

/// A rank, its host and one of its compute threads.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Whereabouts {
    /// The rank.
    pub rank: usize,
    /// Its host.
    pub host: String,
    /// The number of the compute thread on its rank.
    pub thread: usize,
}

impl fmt::Display for Whereabouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rank {}, thread {} on {}", self.rank, self.thread, self.host)
    }
}

thread_local! {
    static HERE: RefCell<Option<Whereabouts>> = const { RefCell::new(None) };
}

/// Where the calling task runs, for messages and for experiments; `None` outside of tasks' threads.
///
/// A result should not depend on it: it differs from run to run.
///
/// ```
/// use serried::prelude::*;
///
/// # fn main() -> serried::Result<()> {
/// serried::run(|client| {
///     let here = client.map(|_| serried::whereabouts().map(|here| here.rank), 0..3);
///     assert!(here.compute()?.iter().all(Option::is_some));
///     Ok(())
/// })
/// # }
/// ```
#[must_use]
pub fn whereabouts() -> Option<Whereabouts> {
    HERE.with_borrow(Clone::clone)
}

/// The calling thread runs no tasks any more.
pub(crate) fn unsettle() {
    HERE.set(None);
}

/// Tells the calling thread where it is.
pub(crate) fn settle(context: &RankContext, thread: usize) {
    let here = Whereabouts { rank: context.rank, host: context.host.clone(), thread };
    HERE.set(Some(here));
}
