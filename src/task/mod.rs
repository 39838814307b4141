//! What a task is: a function of the executable, its arguments, and the value or the failure it ends in.

mod arguments;
mod collections;
mod failure;
mod function;
mod ids;
mod inputs;
mod local;
mod memory;
mod panics;
pub(crate) mod pipeline;
mod temporaries;
mod value;
mod whereabouts;

pub use arguments::{Arg, Args};
pub(crate) use arguments::{ArgumentError, Record};
pub(crate) use arguments::{InputsRef, Sealed, TaskFailure};
pub(crate) use collections::Collections;
pub(crate) use failure::Failure;
pub use failure::{Cause, TaskError};
pub(crate) use function::{Build, FnRef, Function, FunctionError};
pub(crate) use ids::{CollectionId, GraphId, NodeId, PassId, Place, Slot};
pub(crate) use inputs::{Inputs, RankContext};
pub(crate) use local::{Built, LocalSpec, Locals};
pub use memory::Shared;
pub(crate) use memory::{Descriptor, Door, Draft, Memories, Memory, Nodes};
pub(crate) use panics::{catch, contain, contain_thread, contained, install_hook};
pub use pipeline::{Share, ShareError};
pub(crate) use temporaries::Temporaries;
pub(crate) use value::{Erased, Outcome, Stored, erase};
pub use whereabouts::{Whereabouts, whereabouts};
pub(crate) use whereabouts::{settle, unsettle};
