//! A pass: one sweep over the elements of a map, with every stage and every sink that hangs on it.
//!
//! A map is one symbolic node whatever its length. When it is computed, the chain of maps and filters from
//! its source on becomes a tree of stages with sinks (a collection, a reduction, a count) at its branches;
//! one sweep over the source serves all of them, and what they share is computed once.

use crate::task::{
    CollectionId, FnRef, GraphId, PassId, Place,
    pipeline::{BuiltSink, BuiltSource, BuiltStage, Spread},
};
use serde::{Deserialize, Serialize};

/// Where a stage or a sink gets its elements from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Branch {
    Source,
    /// An earlier stage.
    Stage(u32),
}

/// A function applied to every element.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StageSpec {
    pub(crate) from: Branch,
    pub(crate) build: FnRef<BuiltStage>,
    pub(crate) constants: Vec<u8>,
    /// How many of the pass's inputs the stage reads, behind those of the stages before it.
    pub(crate) inputs: u32,
}

/// What becomes of the elements at a branch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SinkSpec {
    pub(crate) from: Branch,
    pub(crate) build: FnRef<BuiltSink>,
    pub(crate) constants: Vec<u8>,
    pub(crate) inputs: u32,
    pub(crate) home: Home,
    /// Whether failed elements are part of the result.
    pub(crate) takes_failures: bool,
    /// The label under which a failure of the sink's own functions is reported.
    pub(crate) label: String,
}

/// Where the result of a sink is assembled and delivered to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Home {
    One {
        rank: u32,
        place: Place,
    },
    /// Every rank has a share of it: the places, by rank.
    Each(Vec<Place>),
}

impl Home {
    /// Where on a rank the result, or a share of it, is delivered.
    pub(crate) fn on(&self, rank: usize) -> Option<Place> {
        match self {
            Home::One { rank: only, place } => (*only as usize == rank).then_some(*place),
            Home::Each(places) => places.get(rank).copied(),
        }
    }

    /// The same places in another run of the graph.
    pub(crate) fn in_run(mut self, graph: GraphId) -> Home {
        match &mut self {
            Home::One { place, .. } => place.graph = graph,
            Home::Each(places) => places.iter_mut().for_each(|place| place.graph = graph),
        }
        self
    }
}

/// A pass as every rank is told of it; which elements a rank works on, it is told bit by bit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PassSpec {
    pub(crate) pass: PassId,
    /// How often its graph was run before, if it is one that is kept.
    pub(crate) run: u32,
    pub(crate) source: FnRef<BuiltSource>,
    pub(crate) source_constants: Vec<u8>,
    /// The collection that the source reads, if it is one that stayed on the ranks.
    pub(crate) reads: Option<CollectionId>,
    pub(crate) stages: Vec<StageSpec>,
    pub(crate) sinks: Vec<SinkSpec>,
    /// Which rank alone may work on which elements, if each has some of its own.
    pub(crate) spread: Option<Spread>,
    /// The number of elements of the source.
    pub(crate) length: u64,
    /// Elements of a leaf of the reduction tree; ranges are whole numbers of leaves.
    pub(crate) leaf: u64,
    /// Elements that are handed out and run at a time, if the user says so.
    pub(crate) batch: Option<u64>,
    /// Whether a failure makes the elements behind it pointless.
    pub(crate) stop_at_failure: bool,
    /// How many values of the graph the stages and sinks read.
    pub(crate) inputs: u32,
}

/// The number of elements in a leaf of the reduction tree over `length` elements.
///
/// It is a function of the length alone, and part of the promise that a result does not depend on how it
/// was run: up to 65,536 leaves of one element, then longer ones, up to 1,024 elements.
pub(crate) fn leaf_length(length: u64) -> u64 {
    let wanted = (length >> 16).clamp(1, 1024);
    1 << wanted.ilog2()
}

#[cfg(test)]
mod tests {
    use super::leaf_length;

    #[test]
    fn leaf_lengths_are_a_promise() {
        let table = [
            (0, 1),
            (10, 1),
            (65_535, 1),
            (65_536, 1),
            (131_072, 2),
            (1_000_000, 8),
            (10_000_000, 128),
            (100_000_000, 1024),
            (u64::MAX, 1024),
        ];
        for (length, leaf) in table {
            assert_eq!(leaf_length(length), leaf, "of {length} elements");
        }
    }
}
