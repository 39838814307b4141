//! A pass made ready to run on this rank: its source, stages and sinks, built once from their references.

use super::executor::is_compute_thread;
use crate::graph::{Branch, PassSpec};
use crate::task::{
    Failure, Inputs, RankContext, Stored, TaskError, contain,
    pipeline::{Accumulator, Block, Geometry, GrantData, SOURCE, Sink, Source, Stage, StageHeader, Work},
};
use crate::wire;
use std::{
    ops::Range,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Elements of a block, unless a leaf is longer.
const BLOCK: u64 = 1024;

/// The operators of a pass and who reads from whom.
pub(crate) struct Program {
    source: Arc<dyn Source>,
    stages: Vec<Arc<dyn Stage>>,
    pub(super) sinks: Vec<Arc<dyn Sink>>,
    /// What reads from the source and from each stage: stages first, then sinks, numbered behind them.
    readers: Vec<Vec<u32>>,
    /// The stages above each sink, and the sink itself: a failure of one of them is a failure of the sink.
    pub(super) lineage: Vec<Vec<u32>>,
    pub(super) geometry: Geometry,
    /// Elements of a block.
    block: u64,
    /// How many elements a stage that makes many of one hands on at a time.
    piece: usize,
    /// The label under which failures between the operators are reported.
    label: Arc<str>,
    handed_over: HandedOver,
}

/// What jobs that are not over have gathered, where that is so much that it should leave the rank: one element
/// may be a file. By the number of the sink.
#[derive(Default)]
struct HandedOver {
    any: AtomicBool,
    accumulators: Mutex<Vec<(usize, Box<dyn Accumulator>)>>,
    taken: Condvar,
}

/// A thread that has something to hand over waits while there are so many that nobody has taken.
const HANDED_OVER: usize = 8;
/// But not for ever: if nobody takes anything it is not the thread's fault.
const PATIENCE: Duration = Duration::from_secs(1);

/// A program, or why there is none.
pub(super) type BuiltProgram = Result<Arc<Program>, TaskError>;

/// What a job has gathered for each sink, and who failed.
#[derive(Debug)]
pub(crate) struct Gatherings {
    pub(super) accumulators: Vec<Box<dyn Accumulator>>,
    pub(super) failures: Vec<(u32, TaskError)>,
}

impl Program {
    /// Builds every operator; `values` are the values of the graph that they read, in their order.
    pub(super) fn build(
        spec: &PassSpec,
        values: Vec<Stored>,
        context: &RankContext,
    ) -> Result<Program, Failure> {
        let mut inputs = Inputs::of_constants(&spec.source_constants, context);
        let source = spec.source.resolve()?.call(&mut inputs)?;
        let mut values: Vec<Option<Stored>> = values.into_iter().map(Some).collect();
        let mut rest = &mut values[..];
        let mut stages = Vec::with_capacity(spec.stages.len());
        for stage in &spec.stages {
            let (mine, others) = rest.split_at_mut(stage.inputs as usize);
            rest = others;
            let mut inputs = Inputs::new(&stage.constants, mine, spec.run, context);
            stages.push(stage.build.resolve()?.call(&mut inputs)?);
        }
        let mut sinks = Vec::with_capacity(spec.sinks.len());
        for sink in &spec.sinks {
            let (mine, others) = rest.split_at_mut(sink.inputs as usize);
            rest = others;
            let mut inputs = Inputs::new(&sink.constants, mine, spec.run, context);
            sinks.push(sink.build.resolve()?.call(&mut inputs)?);
        }
        let (readers, lineage) = wiring(spec);
        let geometry = Geometry { length: spec.length, leaf: spec.leaf };
        // Whoever says how many elements to run at a time may have large ones.
        let leaves = if spec.batch.is_some() { 1 } else { (BLOCK / spec.leaf).max(1) };
        let block = spec.leaf * leaves;
        let piece = if spec.batch.is_some() { 1 } else { BLOCK as usize };
        let (label, handed_over) = (label(spec).into(), HandedOver::default());
        Ok(Program { source, stages, sinks, readers, lineage, geometry, block, piece, label, handed_over })
    }

    /// What jobs that are not over have handed over.
    pub(super) fn take_handed_over(&self) -> Vec<(usize, Box<dyn Accumulator>)> {
        if !self.handed_over.any.swap(false, Ordering::Acquire) {
            return Vec::new();
        }
        let taken = std::mem::take(&mut *self.handed_over.lock());
        self.handed_over.taken.notify_all();
        taken
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// The label, for as long as anybody wants it.
    pub(super) fn label_of_all(&self) -> Arc<str> {
        Arc::clone(&self.label)
    }

    /// Sweeps over a range in blocks of whole leaves that stay in the cache.
    pub(super) fn run(
        &self,
        range: Range<u64>,
        data: Option<&GrantData>,
        context: &RankContext,
    ) -> Gatherings {
        let mut accumulators: Vec<_> =
            self.sinks.iter().map(|sink| sink.accumulator(self.geometry)).collect();
        let mut work = Work { context, operator: SOURCE, piece: self.piece, failures: Vec::new() };
        let block = self.block;
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min(start + block);
            work.operator = SOURCE;
            let fed = contain(|| {
                let block = self.source.produce(start..end, data, &mut work)?;
                self.feed(0, block, &mut accumulators, &mut work);
                Ok(())
            });
            if let Ok(Err(failure)) | Err(failure) = fed {
                // The source, or a clone or a drop of the user's elements between operators.
                work.operator = SOURCE;
                (start..end).for_each(|index| work.fail(failure.clone(), &self.label, index, 1));
            }
            start = end;
        }
        accumulators.iter_mut().for_each(|accumulator| accumulator.close());
        Gatherings { accumulators, failures: work.failures }
    }

    /// Hands a block to everything that reads from `branch`.
    fn feed(
        &self,
        branch: usize,
        block: Block,
        accumulators: &mut [Box<dyn Accumulator>],
        work: &mut Work<'_>,
    ) {
        let Some((last, others)) = self.readers[branch].split_last() else {
            return;
        };
        for &reader in others {
            let copy = match self.stages.get(reader as usize) {
                Some(stage) => stage.duplicate(&block),
                None => self.sinks[reader as usize - self.stages.len()].duplicate(&block),
            };
            self.hand(reader, copy, accumulators, work);
        }
        self.hand(*last, block, accumulators, work);
    }

    fn hand(
        &self,
        reader: u32,
        block: Block,
        accumulators: &mut [Box<dyn Accumulator>],
        work: &mut Work<'_>,
    ) {
        work.operator = reader;
        match self.stages.get(reader as usize) {
            Some(stage) => {
                stage.stream(block, work, &mut |block, work| {
                    self.feed(reader as usize + 1, block, accumulators, work);
                    work.operator = reader;
                });
            }
            None => {
                let sink = reader as usize - self.stages.len();
                accumulators[sink].push(block, work);
                if accumulators[sink].is_full() {
                    let fresh = self.sinks[sink].accumulator(self.geometry);
                    let mut full = std::mem::replace(&mut accumulators[sink], fresh);
                    full.close();
                    self.handed_over.add(sink, full);
                }
            }
        }
    }
}

impl HandedOver {
    fn add(&self, sink: usize, accumulator: Box<dyn Accumulator>) {
        let mut all = self.lock();
        all.push((sink, accumulator));
        self.any.store(true, Ordering::Release);
        if is_compute_thread() {
            // What waits is in the vector, whatever happened to the lock.
            drop(self.taken.wait_timeout_while(all, PATIENCE, |all| all.len() >= HANDED_OVER));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(usize, Box<dyn Accumulator>)>> {
        self.accumulators.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a pass is called: the label of its first stage, else of its first sink.
pub(super) fn label(spec: &PassSpec) -> String {
    let header =
        spec.stages.first().and_then(|stage| wire::decode_from::<StageHeader>(&mut &*stage.constants).ok());
    let sink = || spec.sinks.first().map(|sink| sink.label.clone()).unwrap_or_default();
    header.map_or_else(sink, |header| header.label)
}

/// A job that could not be run to its end: all of its elements failed.
pub(super) fn all_failed(
    failure: &Failure,
    spec_label: &str,
    range: Range<u64>,
    context: &RankContext,
) -> Gatherings {
    let mut work = Work { context, operator: SOURCE, piece: 1, failures: Vec::new() };
    range.for_each(|index| work.fail(failure.clone(), spec_label, index, 1));
    Gatherings { accumulators: Vec::new(), failures: work.failures }
}

/// Who reads from the source and each stage, and the lineage of each sink.
fn wiring(spec: &PassSpec) -> (Vec<Vec<u32>>, Vec<Vec<u32>>) {
    let stages = spec.stages.len();
    let branch = |from: Branch| match from {
        Branch::Source => 0,
        Branch::Stage(stage) => stage as usize + 1,
    };
    let mut readers = vec![Vec::new(); stages + 1];
    for (number, stage) in (0u32..).zip(&spec.stages) {
        readers[branch(stage.from)].push(number);
    }
    let mut lineages = Vec::with_capacity(spec.sinks.len());
    for (number, sink) in (stages as u32..).zip(&spec.sinks) {
        readers[branch(sink.from)].push(number);
        let mut lineage = vec![SOURCE, number];
        let mut from = sink.from;
        while let Branch::Stage(stage) = from {
            lineage.push(stage);
            from = spec.stages[stage as usize].from;
        }
        lineages.push(lineage);
    }
    (readers, lineages)
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Program({} stages, {} sinks)", self.stages.len(), self.sinks.len())
    }
}
