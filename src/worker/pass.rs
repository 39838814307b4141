//! A pass on one rank: the elements it was granted, and what has been gathered of them.

use super::{
    job::{BuildJob, ElementsJob},
    program::{BuiltProgram, Gatherings},
};
use crate::graph::{PassSpec, RangeSet};
use crate::scheduler::Progress;
use crate::task::{
    Stored, TaskError,
    pipeline::{Accumulator, GrantData},
};
use std::{collections::VecDeque, ops::Range, sync::Arc, time::Duration};

/// A job of elements should take about this long: long beside the hand-over, short beside anybody's patience.
const JOB: Duration = Duration::from_millis(2);
/// Progress is reported at least this often while there is any.
const REPORT: Duration = Duration::from_millis(20);

/// With so many bytes on their way to other ranks no job is begun that would make more of them.
const WINDOW: u64 = 64 << 20;

/// The state of a pass on this rank.
#[derive(Debug)]
pub(super) struct RankPass {
    pub(super) spec: Arc<PassSpec>,
    build: Build,
    queue: VecDeque<(Range<u64>, Option<GrantData>)>,
    running: usize,
    nanos: Option<f64>,
    report: Progress,
    last_report: Duration,
    gathered: Vec<Part>,
    /// Bytes on their way to other ranks, of sinks that have a home on each.
    on_the_way: u64,
    drained: bool,
}

/// How far the making of the program is.
#[derive(Debug)]
enum Build {
    /// Values that it reads are missing.
    Waiting,
    /// A compute thread can build it from these values.
    Possible(Vec<Stored>),
    Begun,
    /// A failure to build is the failure of every sink.
    Done(BuiltProgram),
}

/// What this rank has gathered for a sink since it last sent any.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) accumulator: Option<Box<dyn Accumulator>>,
    pub(super) covered: RangeSet,
    pub(super) failures: Vec<TaskError>,
}

impl Part {
    fn add(&mut self, accumulator: Box<dyn Accumulator>) {
        match &mut self.accumulator {
            None => self.accumulator = Some(accumulator),
            Some(all) => all.merge(accumulator),
        }
    }

    fn is_full(&self) -> bool {
        self.accumulator.as_ref().is_some_and(|accumulator| accumulator.is_full())
    }
}

impl RankPass {
    pub(super) fn new(spec: Arc<PassSpec>) -> Self {
        let gathered = spec.sinks.iter().map(|_| Part::default()).collect();
        let report = Progress::of(spec.pass);
        RankPass {
            spec,
            build: Build::Waiting,
            queue: VecDeque::new(),
            running: 0,
            nanos: None,
            report,
            last_report: Duration::ZERO,
            gathered,
            on_the_way: 0,
            drained: false,
        }
    }

    pub(super) fn program(&self) -> Option<&BuiltProgram> {
        match &self.build {
            Build::Done(program) => Some(program),
            _ => None,
        }
    }

    /// Whether the values that the program reads have not been given.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.build, Build::Waiting)
    }

    /// The program can be built.
    pub(super) fn build_from(&mut self, values: Vec<Stored>) {
        self.build = Build::Possible(values);
    }

    /// The job that builds the program, if it can be built and nobody has begun.
    pub(super) fn take_build(&mut self) -> Option<BuildJob> {
        match std::mem::replace(&mut self.build, Build::Begun) {
            Build::Possible(values) => Some(BuildJob { spec: Arc::clone(&self.spec), values }),
            other => {
                self.build = other;
                None
            }
        }
    }

    pub(super) fn ready(&mut self, program: BuiltProgram) {
        self.build = Build::Done(program);
    }

    pub(super) fn grant(&mut self, range: Range<u64>, data: Option<GrantData>) {
        self.queue.push_back((range, data));
    }

    /// Begins nothing more; the elements that were not begun.
    pub(super) fn stop(&mut self) -> RangeSet {
        self.queue.drain(..).map(|(range, _)| range).collect()
    }

    pub(super) fn drain(&mut self) {
        self.drained = true;
    }

    /// So many bytes were sent to another rank.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.on_the_way += bytes as u64;
    }

    /// Another rank has taken in so many of the bytes that were sent to it.
    pub(super) fn taken(&mut self, bytes: u64) {
        self.on_the_way -= bytes;
    }

    pub(super) fn has_work(&self) -> bool {
        let may_send = self.on_the_way < WINDOW;
        !self.queue.is_empty() && may_send && matches!(self.build, Build::Done(Ok(_)))
    }

    /// The next job.
    pub(super) fn take(&mut self, threads: usize) -> Option<ElementsJob> {
        let Build::Done(Ok(program)) = &self.build else {
            return None;
        };
        let program = Arc::clone(program);
        let queued: u64 = self.queue.iter().map(|(range, _)| range.end - range.start).sum();
        let wanted = match (self.spec.batch, self.nanos) {
            (Some(batch), _) => batch,
            (None, None) => 1,
            (None, Some(nanos)) => {
                let in_time = (JOB.as_nanos() as f64 / nanos.max(0.01)) as u64;
                in_time.min(queued.div_ceil(threads as u64)).max(1)
            }
        };
        let (range, data) = self.queue.front_mut()?;
        let leaf = self.spec.leaf;
        let end = range.end.min(range.start + wanted.div_ceil(leaf) * leaf);
        let taken = range.start..end;
        range.start = end;
        let data = data.clone();
        if range.start == range.end {
            self.queue.pop_front();
        }
        self.running += 1;
        Some(ElementsJob { pass: self.spec.pass, program, range: taken, data })
    }

    /// Takes what jobs that are not over have handed over; whether there was anything.
    pub(super) fn take_handed_over(&mut self) -> bool {
        let Build::Done(Ok(program)) = &self.build else {
            return false;
        };
        if self.on_the_way >= WINDOW {
            return false;
        }
        let handed_over = program.take_handed_over();
        let any = !handed_over.is_empty();
        for (sink, accumulator) in handed_over {
            self.gathered[sink].add(accumulator);
        }
        any
    }

    /// Takes the result of a job.
    pub(super) fn finished(&mut self, range: Range<u64>, gathered: Gatherings, nanos: u64) {
        self.running -= 1;
        let count = range.end - range.start;
        let each = nanos as f64 / count.max(1) as f64;
        self.nanos = Some(self.nanos.map_or(each, |mean| 0.7 * mean + 0.3 * each));
        self.report.busy_nanos += nanos;
        self.report.done.insert(range.clone());
        let Build::Done(Ok(program)) = &self.build else {
            return;
        };
        // What jobs have handed over comes before what they end with.
        for (sink, accumulator) in program.take_handed_over() {
            self.gathered[sink].add(accumulator);
        }
        let failed = gathered.failures.iter().filter_map(|(_, error)| error.index).min();
        self.report.failed = self.report.failed.into_iter().chain(failed).min();
        for (sink, part) in self.gathered.iter_mut().enumerate() {
            part.covered.insert(range.clone());
            let lineage = &program.lineage[sink];
            let failures = gathered.failures.iter().filter(|(by, _)| lineage.contains(by));
            part.failures.extend(failures.map(|(_, error)| error.clone()));
            keep_needed(&mut part.failures, program.sinks[sink].takes_failures());
        }
        for (part, accumulator) in self.gathered.iter_mut().zip(gathered.accumulators) {
            part.add(accumulator);
        }
    }

    /// Whether so much is gathered for a sink that it should leave now.
    pub(super) fn is_full(&self) -> bool {
        self.gathered.iter().any(Part::is_full)
    }

    /// Covers what was granted without running it: the pass could not be built.
    pub(super) fn fail_queue(&mut self) {
        let Build::Done(Err(error)) = &self.build else {
            return;
        };
        for (range, _) in self.queue.drain(..) {
            for (part, sink) in self.gathered.iter_mut().zip(&self.spec.sinks) {
                part.covered.insert(range.clone());
                if sink.takes_failures {
                    let of_element = |index| TaskError { index: Some(index), ..error.clone() };
                    part.failures.extend(range.clone().map(of_element));
                } else if part.failures.is_empty() {
                    part.failures.push(error.clone());
                }
            }
            self.report.failed = Some(0);
            self.report.done.insert(range);
        }
    }

    /// What rank 0 should be told now.
    pub(super) fn take_report(&mut self, now: Duration) -> Option<Progress> {
        let due = self.queue.is_empty() || now.saturating_sub(self.last_report) >= REPORT;
        if self.report.done.is_empty() || !due {
            return None;
        }
        self.last_report = now;
        Some(std::mem::replace(&mut self.report, Progress::of(self.spec.pass)))
    }

    /// What should go to the home of each sink now: everything at the end, what is eager or much before.
    pub(super) fn take_gathered(&mut self) -> Vec<(usize, Part)> {
        let over = self.is_over();
        let mut taken = Vec::new();
        for (sink, part) in self.gathered.iter_mut().enumerate() {
            let eager = match &self.build {
                Build::Done(Ok(program)) => program.sinks[sink].is_eager(),
                _ => false,
            };
            if part.is_full() || !part.covered.is_empty() && (over || eager) {
                taken.push((sink, std::mem::take(part)));
            }
        }
        taken
    }

    /// Whether all that was granted is done and no more will be.
    pub(super) fn is_over(&self) -> bool {
        self.drained && self.queue.is_empty() && self.running == 0
    }
}

/// Unless all failures are wanted, only the first in the order of the source is.
pub(super) fn keep_needed(failures: &mut Vec<TaskError>, all: bool) {
    if !all && failures.len() > 1 {
        failures.sort_by_key(|error| error.index);
        failures.truncate(1);
    }
}
