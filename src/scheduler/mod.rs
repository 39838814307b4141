//! Rank 0's brain: a pure state machine, events in, commands out.
//!
//! It knows no thread, no MPI and no clock: time is an argument. It speaks to the ranks in parts of graphs and
//! ranges of elements, never once per task, and hears from them in batches.

mod frame;
mod grants;
mod message;
mod outbox;
mod passes;
mod placement;
mod share;
mod state;
mod stealing;
#[cfg(test)]
mod tests;

pub(crate) use frame::{Message, Reader, put_scheduler, put_worker};
pub(crate) use grants::Policy;
pub(crate) use message::{Gathered, Progress, RunOrder, ToScheduler, ToWorker};
pub(crate) use outbox::Outbox;
pub(crate) use passes::PassOrder;
pub(crate) use placement::{Loads, NOWHERE, Placement, Placing, placement};
pub(crate) use share::{Share, ShareMessage};
pub(crate) use state::{ClientEvent, Event, KeptRun, Scheduler, Submission};
