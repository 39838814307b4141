//! Every message that ranks exchange.

use crate::graph::{Part, PassSpec, RangeSet};
use crate::task::{CollectionId, GraphId, LocalSpec, Outcome, PassId, Place, TaskError, pipeline::GrantData};
use serde::{Deserialize, Serialize};
use std::{ops::Range, sync::Arc};

/// To a rank, from rank 0 or from another rank.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum ToWorker {
    /// Its part of a graph.
    Part(Box<Part>),
    /// Run a part that it keeps.
    Run(RunOrder),
    /// Nobody will run a part again.
    Discard(GraphId),
    /// A value that it imports.
    Value { to: Place, outcome: Outcome },
    /// Send a value that is, or will be, here to the place of an import.
    Forward { from: Place, rank: u32, to: Place },
    /// Of data that is wanted once on every node.
    Share(super::ShareMessage),
    /// Values that nobody will ask for again.
    Release(Vec<Place>),
    /// Lend tasks that have not begun, so many nanoseconds of them, to a rank that has nothing to do. They are
    /// to travel as a part of this name, even if there are none.
    Lend { with: u32, graph: GraphId, nanos: u64 },
    /// A part of this name will come from a rank that lends it; from here on it may be run.
    Adopt(GraphId),
    /// Nobody wants anything of this graph any more: begin nothing of it.
    Abandon(GraphId),
    /// Do not run this task if it has not begun; answer the request in any case.
    Cancel { place: Place, request: u64 },
    /// A pass begins.
    Pass(Arc<PassSpec>),
    /// Work on these elements.
    Grant { pass: PassId, range: Range<u64>, data: Option<GrantData> },
    /// Begin nothing more of this pass, and give back what has not begun.
    Stop(PassId),
    /// No more elements will be granted: when all are done, send what has been gathered.
    Drain(PassId),
    /// A part of a sink's result, to its home.
    Gathered(Gathered),
    /// So many bytes of what this rank has gathered for another have been taken in there.
    Taken { pass: PassId, bytes: u64 },
    /// To the home of a sink: these elements were granted in all.
    Total { pass: PassId, granted: RangeSet },
    /// How to build a local context when a task asks for it.
    Local(LocalSpec),
    /// A collection that nobody holds any more.
    ForgetCollection(CollectionId),
    /// The run is over.
    Leave,
}

/// A run of a graph whose parts the ranks keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunOrder {
    /// The name under which the parts are kept.
    pub(crate) kept: GraphId,
    /// The name of the run.
    pub(crate) graph: GraphId,
    /// How often the graph was run before, for streams; 0 again if common random numbers are asked for.
    pub(crate) run: u32,
    /// Results stay on the ranks, and the client is told when they are there.
    pub(crate) keep_results: bool,
    /// The number of the first pass of the run.
    pub(crate) first_pass: PassId,
}

/// A part of a sink's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Gathered {
    pub(crate) pass: PassId,
    pub(crate) sink: u32,
    /// Elements of the source that it stands for.
    pub(crate) covered: RangeSet,
    #[serde(with = "crate::wire::bytes")]
    pub(crate) accumulator: Vec<u8>,
    pub(crate) failures: Vec<TaskError>,
    /// Who is to be told that it has been taken in.
    pub(crate) sender: Option<u32>,
}

/// To rank 0's scheduler.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum ToScheduler {
    /// A value that the client wants.
    Result { graph: GraphId, token: u32, outcome: Outcome },
    /// A kept value is there, or its task failed.
    Done { graph: GraphId, token: u32, error: Option<Arc<TaskError>> },
    /// What has come of a cancellation.
    Cancelled { request: u64, cancelled: bool },
    /// Elements of a pass are done.
    Progress(Progress),
    /// Elements of a pass that was stopped, which the rank was granted and will not do.
    Returned { pass: PassId, ranges: RangeSet },
    /// The rank has had nothing to do for a while.
    Idle,
    /// The tasks that are ready on the rank and have not begun take so many nanoseconds of one thread. It is
    /// told when the rank has more than a little, and when it has half of that or twice as much.
    Load { nanos: u64 },
}

/// How far a rank has come with a pass since it last said so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub(crate) pass: PassId,
    pub(crate) done: RangeSet,
    /// Time that compute threads spent on them.
    pub(crate) busy_nanos: u64,
    /// The lowest element that failed.
    pub(crate) failed: Option<u64>,
}

impl Progress {
    /// None yet.
    pub(crate) fn of(pass: PassId) -> Self {
        Progress { pass, done: RangeSet::default(), busy_nanos: 0, failed: None }
    }
}
