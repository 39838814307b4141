//! Jobs: what a compute thread is given, complete with everything it needs.

use super::program::{BuiltProgram, Gatherings, Program, all_failed, label};
use crate::graph::{CallResult, Part, PassSpec};
use crate::task::{
    Failure, Function, GraphId, Inputs, PassId, RankContext, Slot, Stored, TaskError, contain,
    pipeline::GrantData,
};
use std::{ops::Range, sync::Arc, time::Instant};

/// Work for one compute thread.
#[derive(Debug)]
pub(crate) enum Job {
    Tasks(TasksJob),
    Build(BuildJob),
    Elements(ElementsJob),
}

/// Ready tasks of a graph that call the same function.
#[derive(Debug)]
pub(crate) struct TasksJob {
    pub(super) graph: GraphId,
    pub(super) part: Arc<Part>,
    /// An index into the part's functions.
    pub(super) function: u32,
    pub(super) call: Function<CallResult>,
    pub(super) tasks: Vec<(Slot, Vec<Stored>)>,
    /// Estimated from earlier runs of the function; none for its first run.
    pub(super) estimate_nanos: Option<f64>,
}

/// A pass that is to be made ready: local contexts are built, shared values decoded.
#[derive(Debug)]
pub(crate) struct BuildJob {
    pub(super) spec: Arc<PassSpec>,
    pub(super) values: Vec<Stored>,
}

/// Elements of a pass.
#[derive(Debug)]
pub(crate) struct ElementsJob {
    pub(super) pass: PassId,
    pub(super) program: Arc<Program>,
    pub(super) range: Range<u64>,
    pub(super) data: Option<GrantData>,
}

/// What has come of a job.
#[derive(Debug)]
pub(crate) enum Finished {
    Tasks { graph: GraphId, function: u32, outcomes: Vec<(Slot, Result<Stored, TaskError>)>, nanos: u64 },
    Built { pass: PassId, program: BuiltProgram },
    Elements { pass: PassId, range: Range<u64>, gathered: Gatherings, nanos: u64 },
}

impl Job {
    /// How long the job will take, if its function has run before.
    pub(crate) fn estimate_nanos(&self) -> Option<f64> {
        match self {
            Job::Tasks(job) => job.estimate_nanos,
            Job::Build(_) | Job::Elements(_) => None,
        }
    }

    /// Runs the job; panics of the user's functions are contained.
    pub(crate) fn run(self, context: &RankContext) -> Finished {
        let start = Instant::now();
        let nanos = || u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        match self {
            Job::Tasks(job) => {
                let (graph, function) = (job.graph, job.function);
                let outcomes = job.run(context);
                Finished::Tasks { graph, function, outcomes, nanos: nanos() }
            }
            Job::Build(BuildJob { spec, values }) => {
                let program = contain(|| Program::build(&spec, values, context)).and_then(|built| built);
                let failed = |failure: Failure| failure.of(&label(&spec), None, 1, context);
                Finished::Built { pass: spec.pass, program: program.map(Arc::new).map_err(failed) }
            }
            Job::Elements(job) => {
                let run = || job.program.run(job.range.clone(), job.data.as_ref(), context);
                let gathered = contain(run).unwrap_or_else(|failure| {
                    all_failed(&failure, job.program.label(), job.range.clone(), context)
                });
                Finished::Elements { pass: job.pass, range: job.range, gathered, nanos: nanos() }
            }
        }
    }
}

impl TasksJob {
    fn run(self, context: &RankContext) -> Vec<(Slot, Result<Stored, TaskError>)> {
        let TasksJob { part, function, call, tasks, .. } = self;
        let entry = &part.functions[function as usize];
        tasks
            .into_iter()
            .map(|(slot, values)| {
                let constants = part.constants_of(slot.index());
                let outcome = attempt(call, constants, values, entry.retries, context);
                let outcome =
                    outcome.map_err(|(failure, attempts)| failure.of(&entry.label, None, attempts, context));
                (slot, outcome)
            })
            .collect()
    }
}

/// Runs one task, again if it fails and attempts are left, with the same inputs and the same stream.
fn attempt(
    call: Function<CallResult>,
    constants: &[u8],
    mut values: Vec<Stored>,
    retries: u32,
    context: &RankContext,
) -> Result<Stored, (Failure, u32)> {
    let mut attempt = 1;
    loop {
        // With the last attempt the values move in, so that the last reader need not clone.
        let inputs = if attempt > retries { std::mem::take(&mut values) } else { values.clone() };
        let mut inputs = Inputs::new(constants, inputs, context);
        match contain(|| call.call(&mut inputs)).and_then(|result| result) {
            Ok(value) => return Ok(Stored::Made(value)),
            Err(failure) if attempt > retries => return Err((failure, attempt)),
            Err(_) => attempt += 1,
        }
    }
}
