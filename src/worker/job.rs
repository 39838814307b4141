//! Jobs: what a compute thread is given, complete with everything it needs.

use super::{
    program::{BuiltProgram, Gatherings, Program, all_failed, label},
    wiring::Wiring,
};
use crate::graph::{CallResult, PassSpec, TaskFunction};
use crate::task::{
    Failure, Function, GraphId, Inputs, Outcome, PassId, RankContext, Slot, Stored, catch, contain,
    contained, pipeline::GrantData,
};
use std::{ops::Range, sync::Arc, time::Instant};

/// Work for one compute thread.
#[derive(Debug)]
pub(crate) enum Job {
    Tasks(Box<TasksJob>),
    Build(BuildJob),
    Elements(ElementsJob),
}

/// Ready tasks of a graph that call the same function.
#[derive(Debug)]
pub(crate) struct TasksJob {
    pub(super) graph: GraphId,
    pub(super) run: u32,
    pub(super) wiring: Arc<Wiring>,
    /// An index into the part's functions.
    pub(super) function: u32,
    pub(super) tasks: Vec<Slot>,
    /// What the tasks read, one after the other.
    pub(super) values: Vec<Option<Stored>>,
    /// How the tasks ended, once they have.
    pub(super) outcomes: Vec<Outcome>,
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
    Tasks { job: Box<TasksJob>, nanos: u64 },
    Built { pass: PassId, program: BuiltProgram },
    Elements { pass: PassId, label: Arc<str>, range: Range<u64>, gathered: Gatherings, nanos: u64 },
}

impl Job {
    /// How long the job will take, if its function has run before.
    pub(crate) fn estimate_nanos(&self) -> Option<f64> {
        match self {
            Job::Tasks(job) => job.estimate_nanos,
            Job::Build(_) | Job::Elements(_) => None,
        }
    }

    /// How many tasks or elements there are.
    pub(crate) fn tasks(&self) -> u64 {
        match self {
            Job::Tasks(job) => job.tasks.len() as u64,
            Job::Build(_) => 0,
            Job::Elements(job) => job.range.end - job.range.start,
        }
    }

    /// Runs the job; panics of the user's functions are contained.
    pub(crate) fn run(self, context: &RankContext) -> Finished {
        self.run_from(&mut Instant::now(), context)
    }

    /// As `run`, with the time at which it begins, which becomes the time at which it ends.
    pub(crate) fn run_from(self, clock: &mut Instant, context: &RankContext) -> Finished {
        let _contained = contained();
        let mut nanos = || {
            let now = Instant::now();
            let nanos = now.duration_since(std::mem::replace(clock, now)).as_nanos();
            u64::try_from(nanos).unwrap_or(u64::MAX)
        };
        match self {
            Job::Tasks(mut job) => {
                job.run(context);
                Finished::Tasks { job, nanos: nanos() }
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
                let label = job.program.label_of_all();
                Finished::Elements { pass: job.pass, label, range: job.range, gathered, nanos: nanos() }
            }
        }
    }
}

/// What a job comes to in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended<'a> {
    /// The function's.
    pub(crate) label: &'a str,
    /// Tasks or elements.
    pub(crate) count: u64,
    pub(crate) failed: u64,
    pub(crate) nanos: u64,
}

impl Finished {
    /// Its numbers; none of a job that got others ready.
    pub(crate) fn ended(&self) -> Option<Ended<'_>> {
        match self {
            Finished::Tasks { job, nanos } => Some(Ended {
                label: &job.wiring.part.functions[job.function as usize].label,
                count: job.tasks.len() as u64,
                failed: job.outcomes.iter().filter(|outcome| outcome.is_err()).count() as u64,
                nanos: *nanos,
            }),
            Finished::Built { .. } => None,
            Finished::Elements { label, range, gathered, nanos, .. } => Some(Ended {
                label,
                count: range.end - range.start,
                failed: gathered.failures.len() as u64,
                nanos: *nanos,
            }),
        }
    }
}

#[cfg(any(test, feature = "internals"))]
impl Finished {
    /// The same with another duration, under a clock that is not the real one.
    pub(crate) fn lasted(mut self, nanoseconds: u64) -> Self {
        if let Finished::Tasks { nanos, .. } | Finished::Elements { nanos, .. } = &mut self {
            *nanos = nanoseconds;
        }
        self
    }
}

impl TasksJob {
    fn run(&mut self, context: &RankContext) {
        let wiring = &*self.wiring;
        let function = &wiring.part.functions[self.function as usize];
        let attempts =
            Attempts { call: wiring.calls[self.function as usize], function, run: self.run, context };
        let mut values = &mut self.values[..];
        for &task in &self.tasks {
            let inputs = wiring.part.shape(task.index()).inputs as usize;
            let (mine, others) = values.split_at_mut(inputs);
            values = others;
            self.outcomes.push(attempts.make(wiring.part.constants_of(task.index()), mine));
        }
        // A value's `Drop` is the program's, too. Nothing depends on it any more.
        if let Err(failure) = catch(|| self.values.clear()) {
            log::warn!("a value of `{}` panicked when it was dropped: {}", function.label, failure.message);
        }
    }
}

/// How a task is run.
struct Attempts<'a> {
    call: Function<CallResult>,
    function: &'a TaskFunction,
    run: u32,
    context: &'a RankContext,
}

impl Attempts<'_> {
    /// Runs one task, again if it fails and attempts are left, with the same inputs and the same stream.
    #[inline]
    fn make(&self, constants: &[u8], values: &mut [Option<Stored>]) -> Outcome {
        for attempt in 1..=self.function.retries {
            if let Ok(value) = self.once(constants, &mut values.to_vec()) {
                return Ok(value);
            }
            log::debug!("attempt {attempt} of task `{}` failed", self.function.label);
        }
        // With the last attempt the values move in, so that the last reader need not clone.
        self.once(constants, values).map_err(|failure| {
            let attempts = self.function.retries + 1;
            let mut error = failure.of(&self.function.label, None, attempts, self.context);
            error.arguments = self.shown(constants);
            Arc::new(error)
        })
    }

    /// The arguments of a task as a text: many tasks may have one label.
    #[cold]
    fn shown(&self, constants: &[u8]) -> Option<Box<str>> {
        let shown = contain(|| self.call.call(&mut Inputs::to_be_shown(constants, self.context)));
        Stored::Made(shown.ok()?.ok()?).take::<String>().ok().map(String::into_boxed_str)
    }

    #[inline]
    fn once(&self, constants: &[u8], values: &mut [Option<Stored>]) -> Result<Stored, Box<Failure>> {
        let mut inputs = Inputs::new(constants, values, self.run, self.context);
        Ok(Stored::Made(catch(|| self.call.call(&mut inputs))??))
    }
}
