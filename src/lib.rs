//! **serried**: Dask's programming model for Rust programs under `mpirun` and `srun`.
//!
//! A program builds lazy tasks and maps of ordinary functions, and runs them in one process, on the ranks
//! that `mpirun` started, or in a Slurm allocation, without being changed. The answer does not depend on how
//! it was run: not on the number of ranks or threads, not on how work was divided, not on retries.
//!
//! ```
//! use serried::prelude::*;
//!
//! fn main() -> serried::Result<()> {
//!     serried::run(|client| {
//!         let draws = client.map_random(|_, mut rng| rng.standard_normal(), 0..100_000u64);
//!         let mean = draws.reduce(|a, b| a + b).compute()? / 100_000.0;
//!         println!("mean {mean:.4}, on {} ranks", client.ranks());
//!         Ok(())
//!     })
//! }
//! ```
//!
//! - [`run`] and [`Builder`]: begin a run, with settings.
//! - [`delayed!`], [`Client::delayed`]: lazy tasks and graphs of them.
//! - [`Client::map`] and its kin: one function over many elements.
//! - [`Client::prepare`]: graphs that stay on the ranks, to be run again and again.
//! - [`Client::submit`] and [`Client::as_completed`]: futures.
//! - [`Client::scatter`], [`Client::broadcast`], [`Client::share`], [`Client::local`]: data that tasks read.
//! - [`array`](mod@array): chunked arrays.
//! - [`bag`]: lines and records of files that need not fit into memory.
//! - [`random`]: streams that belong to the piece of work, never to the worker.

pub mod array;
pub mod bag;
mod client;
mod config;
mod error;
mod graph;
#[cfg(any(test, feature = "internals"))]
#[doc(hidden)]
pub mod internals;
mod monitor;
mod notice;
mod pattern;
pub mod random;
mod runtime;
mod scheduler;
pub mod sum;
mod task;
mod transport;
mod wire;
mod worker;

/// What the elements of a [`SharedSlice`] are is said by a trait of this crate, `Pod`.
pub use bytemuck;
pub use client::{
    Argument, Arguments, AsCompleted, Assembled, Assembly, Bind, Buckets, Builder, Client, Collection,
    Delayed, ElementsHandle, ElementsList, Function, Functions, Future, Itself, List, Local, Map, Parameter,
    Parameters, Prepared, Several, Shape, SharedSlice, Shuffled, Source, StreamHandle, Targets, Together,
    run,
};
pub use config::{Heuristic, RankZero, Scheduler, SettingsError};
pub use error::{Error, Result};
pub use task::{Arg, Args, Cause, Share, ShareError, Shared, TaskError, Whereabouts, whereabouts};
pub use wire::{Block, BlockElement, DType, Value};

/// What programs need: `use serried::prelude::*;`.
pub mod prelude {
    pub use crate::random::{Key, Seed, Stream};
    pub use crate::{
        Builder, Client, Delayed, Future, List, Map, Prepared, Scheduler, Shared, SharedSlice, TaskError,
        delayed,
    };
}

/// The programs of the documents compile and run.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/random.md")]
    struct Random;
    #[doc = include_str!("../docs/bags.md")]
    struct Bags;
    #[doc = include_str!("../docs/arrays.md")]
    struct Arrays;
}
