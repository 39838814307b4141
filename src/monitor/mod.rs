//! What happens on a rank, as observers are told of it.

mod counters;

pub(crate) use counters::Counters;

use crate::worker::Ended;
use std::fmt::Debug;

/// Hears what a rank does, from its communicating thread, as it happens. Nothing waits for an observer, and no clock is
/// read for it.
pub(crate) trait Observer: Debug + Send {
    /// A job of so many tasks or elements is given out: to a compute thread, or to the communicating one.
    fn begins(&mut self, count: u64);
    /// A job is over. The thread is none for the communicating one.
    fn ends(&mut self, thread: Option<usize>, job: &Ended<'_>);
    fn sends(&mut self, to: u32, bytes: usize);
    fn receives(&mut self, from: u32, bytes: usize);
    /// The program on rank 0 is told of so many results and notices.
    fn completes(&mut self, count: usize);
    /// The run is over.
    fn leaves(&mut self, rank: u32);
}
