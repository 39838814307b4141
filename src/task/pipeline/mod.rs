//! What is done to the elements of a map: sources that make them, stages that turn them into others, and
//! sinks that bring them together.
//!
//! A compute thread works on a *block*, the elements of some leaves of the source, at a time, so that what
//! flows through a chain of stages stays in its cache. The types of the elements are known inside the
//! entries alone; between them a block carries `dyn Any`.

mod elements;
mod expand;
mod shuffle;
mod sinks;
mod sources;
mod stages;
mod streams;
mod tree;

pub(crate) use elements::{Block, Elements};
pub(crate) use expand::{Expand, ExpandWith};
pub(crate) use shuffle::{Held, HeldBytes, Shuffle, Spill, Spread};
pub use shuffle::{Share, ShareError};
pub(crate) use sinks::{
    Collect, Fold, FoldWith, Keep, MergeEntry, MergeFunction, MergeWithFunction, Outcomes, Reduce,
};
pub(crate) use sources::{CollectionEntry, Index, RangeEntry, Slices, VectorEntry, VectorSlices};
pub(crate) use stages::{Each, Fallible, Filter, Finish, Plain, Random, RandomWith, StageHeader, With};
pub(crate) use streams::{KeyFunction, KeyFunctionEntry, KeySpec, Keys};

use super::{Erased, Failure, RankContext, Stored, TaskError};
use crate::wire::WireError;
use serde::{Deserialize, Serialize};
use std::{any::Any, ops::Range, sync::Arc};

pub(crate) type BuiltSource = Result<Arc<dyn Source>, Failure>;
pub(crate) type BuiltStage = Result<Arc<dyn Stage>, Failure>;
pub(crate) type BuiltSink = Result<Arc<dyn Sink>, Failure>;

/// Stands for the source where operators are named by their numbers.
pub(crate) const SOURCE: u32 = u32::MAX;

/// What a compute thread has at hand while it works on elements, and the failures it has met.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    pub(crate) context: &'a RankContext,
    /// The stage or, behind the stages, the sink that is at work.
    pub(crate) operator: u32,
    /// How many elements a stage that makes many of one hands on at a time.
    pub(crate) piece: usize,
    pub(crate) failures: Vec<(u32, TaskError)>,
}

impl Work<'_> {
    pub(crate) fn fail(&mut self, failure: Failure, label: &str, index: u64, attempts: u32) {
        let error = failure.of(label, Some(index), attempts, self.context);
        self.failures.push((self.operator, error));
    }
}

/// Elements of a grant that came with it: a vector and the index of its first element.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct GrantData {
    pub(crate) values: Stored,
    pub(crate) start: u64,
}

/// Makes the elements of a range.
pub(crate) trait Source: Send + Sync {
    fn produce(
        &self,
        range: Range<u64>,
        data: Option<&GrantData>,
        work: &mut Work<'_>,
    ) -> Result<Block, Failure>;
}

/// Reads blocks; a block that several consumers read is duplicated for all but the last of them.
pub(crate) trait Consumer {
    fn duplicate(&self, block: &Block) -> Block;
}

/// Turns elements into other elements. An element that fails is recorded and left out.
pub(crate) trait Stage: Consumer + Send + Sync {
    fn apply(&self, block: Block, work: &mut Work<'_>) -> Block;

    /// As `apply`, for a stage that hands on its results bit by bit: each block but the last is open.
    fn stream(&self, block: Block, work: &mut Work<'_>, emit: &mut dyn FnMut(Block, &mut Work<'_>)) {
        let open = block.open;
        let mut results = self.apply(block, work);
        results.open = open;
        emit(results, work);
    }
}

/// Brings elements together.
pub(crate) trait Sink: Consumer + Send + Sync {
    fn accumulator(&self, geometry: Geometry) -> Box<dyn Accumulator>;

    /// Whether results leave the rank as they come, and not in one piece at the end.
    fn is_eager(&self) -> bool {
        false
    }

    /// Whether failed elements are part of the result.
    fn takes_failures(&self) -> bool {
        false
    }
}

/// The shape of the source and of the reduction tree over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Geometry {
    pub(crate) length: u64,
    pub(crate) leaf: u64,
}

/// What a sink has gathered so far: of a job, of a rank, of all. The order in which accumulators are merged
/// does not change what they end in.
pub(crate) trait Accumulator: Any + Send {
    /// Takes the elements of whole leaves; the next block goes on with the last leaf of an open one.
    fn push(&mut self, block: Block, work: &mut Work<'_>);
    /// The job pushes nothing more: what is to be done about it is done on its thread.
    fn close(&mut self) {}
    /// Takes what an accumulator of the same sink has gathered.
    fn merge(&mut self, other: Box<dyn Accumulator>);
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), WireError>;
    /// Whether so much is gathered that it should leave the rank now.
    fn is_full(&self) -> bool {
        false
    }
    /// Takes out what each rank is to have, as bytes, if the sink has a home on every rank.
    fn divide(&mut self, _ranks: usize) -> Result<Vec<Vec<u8>>, WireError> {
        unreachable!("it has one home")
    }
    fn merge_bytes(&mut self, bytes: &[u8]) -> Result<(), Failure>;
    /// The result; `failures` is empty unless the sink takes failures, and then each has an index.
    fn finish(self: Box<Self>, failures: Vec<TaskError>) -> Result<Arc<dyn Erased>, Failure>;
}

impl std::fmt::Debug for dyn Accumulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Accumulator")
    }
}

fn downcast<A: Accumulator>(accumulator: Box<dyn Accumulator>) -> A {
    let any: Box<dyn Any> = accumulator;
    *any.downcast().expect("accumulators of one sink have one type")
}

#[cfg(test)]
pub(crate) mod tests_support {
    use super::{Accumulator, BuiltSink, Collect, Elements, Geometry, Reduce, Sink, Work};
    use crate::graph::CallResult;
    use crate::random::Seed;
    use crate::task::{Build, FnRef, Inputs, Nodes};
    use std::{ops::Range, sync::Arc};

    struct One;
    impl Build<fn()> for One {
        type Output = CallResult;
        fn build(_: fn(), _: &mut Inputs<'_>) -> CallResult {
            Ok(Arc::new(1u64))
        }
    }

    /// A function reference for tests that never call it, or do not care.
    pub(crate) fn any_call() -> FnRef<CallResult> {
        FnRef::new::<fn(), One>(|| ()).expect("in the executable")
    }

    /// The same of a sink.
    pub(crate) fn any_sink() -> FnRef<BuiltSink> {
        FnRef::new::<fn(f64), Collect<f64>>(|_| ()).expect("in the executable")
    }

    /// That of a world of one rank.
    pub(crate) fn context() -> Arc<crate::task::RankContext> {
        crate::runtime::context(0, "here".into(), Seed::from(1u64), Arc::new(Nodes::single()))
    }

    /// A list of all numbers, and a sum whose rounding shows in what order it was made.
    pub(crate) fn sinks() -> [Arc<dyn Sink>; 2] {
        let context = context();
        let mut inputs = Inputs::new(&[], &mut [], 0, &context);
        let list = <Collect<f64> as Build<fn(f64)>>::build(|_| (), &mut inputs);
        let sum = <Reduce<f64> as Build<fn(f64, f64) -> f64>>::build(|a, b| a + b, &mut inputs);
        [list, sum].map(|sink| sink.expect("it can be built"))
    }

    /// What a sink gathers of these elements, each of which is a number that only its index decides.
    pub(crate) fn gather(
        sink: &dyn Sink,
        geometry: Geometry,
        ranges: impl Iterator<Item = Range<u64>>,
    ) -> Vec<u8> {
        let context = context();
        let mut work = Work { context: &context, operator: 0, piece: 1 << 20, failures: Vec::new() };
        let mut all: Box<dyn Accumulator> = sink.accumulator(geometry);
        for range in ranges {
            let numbers = range.clone().map(|index| 1.0 / (index as f64 + 1.0)).collect();
            all.push(Elements::dense(range, numbers).into_block(), &mut work);
        }
        let mut bytes = Vec::new();
        all.encode(&mut bytes).expect("numbers");
        bytes
    }
}
