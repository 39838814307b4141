//! A rank's brain: a pure state machine, the jobs that it gives out, and the threads that run them.
//!
//! The state machine ([`Worker`]) is told of messages and of finished jobs, and says what to send; whoever
//! drives it asks it for jobs. It never runs a task itself.

mod executor;
mod gather;
mod graph;
mod job;
mod lending;
mod pass;
mod program;
mod ready;
mod share;
mod state;
mod timing;
mod wiring;

pub(crate) use executor::Executor;
pub(crate) use job::{Ended, Finished, Job};
pub(crate) use state::Worker;
