//! The user's side: a run, its client, lazy tasks, maps and futures.

mod arena;
#[allow(clippy::module_inception)]
mod client;
mod data;
mod delayed;
mod function;
mod future;
mod handles;
mod macros;
mod map;
mod plan;
mod prepared;
mod records;
mod run;
mod shared;
#[cfg(any(test, feature = "internals"))]
pub(crate) mod simulation;
mod source;
mod stream;
mod targets;
#[cfg(test)]
mod tests;
mod walk;

pub use client::Client;
pub use data::Local;
pub use delayed::Delayed;
pub use function::{Bind, Function, Functions, Itself, Together};
pub use future::{AsCompleted, Future};
pub use handles::List;
pub use map::{Buckets, Map, Shuffled};
pub use prepared::{Argument, Arguments, Parameter, Parameters, Prepared, Several};
pub use run::{Builder, run};
pub use shared::SharedSlice;
pub use source::Source;
pub use stream::{ElementsHandle, ElementsList, StreamHandle};
pub use targets::{Assembled, Assembly, Collection, Shape, Targets};
