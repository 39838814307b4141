//! The graph as data: what depends on what, who owns what, and what each rank is sent.
//!
//! Everything here is pure: no rank, no thread and no clock is touched.

mod dag;
mod levels;
mod pack;
mod part;
mod partition;
mod pass;
mod ranges;

pub(crate) use dag::Dag;
pub(crate) use pack::{External, Packing, pack};
pub(crate) use part::{
    CallResult, Export, Import, Output, Part, RunPolicy, Shape, TaskEntry, TaskFunction, push_constants,
};
pub(crate) use partition::partition;
pub(crate) use pass::{Branch, Home, PassSpec, SinkSpec, StageSpec, leaf_length};
pub(crate) use ranges::RangeSet;
