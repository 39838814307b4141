//! The state machine: messages and finished jobs in, messages and jobs out.

mod balance;
mod passes;

use super::{
    gather::Assembly,
    graph::{Forward, Graph, HeldBytes, RunOf},
    job::{Finished, Job, TasksJob},
    pass::RankPass,
    program::BuiltProgram,
    share::Shares,
    timing::Timing,
    wiring::Wiring,
};
use crate::graph::{Output, Part, PassSpec};
use crate::scheduler::{Gathered, Outbox, RunOrder, ToScheduler, ToWorker};
use crate::task::{Failure, GraphId, Outcome, PassId, Place, RankContext, Slot, Stored, TaskError, contain};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

/// A job of short tasks should take about this long.
const JOB_NANOS: f64 = 100_000.0;
/// A job of tasks for whose values others wait is shorter: what they wait for is sent when it is over.
const AWAITED_JOB_NANOS: f64 = 10_000.0;
/// No job has more tasks than this, however short they seem.
const JOB_TASKS: usize = 4096;

/// Values of more bytes than this keep the memory in which they were written.
const SMALL: usize = 4096;

/// The worker of a rank.
#[derive(Debug)]
pub(crate) struct Worker {
    context: Arc<RankContext>,
    threads: usize,
    graphs: BTreeMap<GraphId, Graph>,
    held: HeldBytes,
    /// Parts that stay, to be run again.
    kept: HashMap<GraphId, Arc<Wiring>>,
    /// How long each function that has run here takes.
    timings: HashMap<(i64, i64), Timing>,
    /// Values that came before the part that imports them.
    early_values: BTreeMap<GraphId, Vec<(Slot, Outcome)>>,
    ready: BTreeSet<GraphId>,
    passes: BTreeMap<PassId, RankPass>,
    /// Where the values are that a pass reads.
    pass_inputs: BTreeMap<PassId, (GraphId, Vec<Slot>)>,
    assemblies: BTreeMap<(PassId, u32), Assembly>,
    /// Passes that are over here but whose sinks are still assembled here.
    assembling: BTreeMap<PassId, (Arc<PassSpec>, BuiltProgram)>,
    /// Jobs given out and not finished.
    jobs: usize,
    /// Since when there has been nothing to do, and whether rank 0 knows.
    idle: Option<(Duration, bool)>,
    /// How long there must have been nothing to do for rank 0 to be told.
    patience: Duration,
    /// The nanoseconds of ready tasks that rank 0 was told last, and when.
    told_load: u64,
    load_at: Duration,
    /// Parts that may be run when they come, or have come and may be run when rank 0 says so.
    loans: BTreeMap<GraphId, Option<Box<Part>>>,
    /// A job that is over, for the memory that it has.
    spare: Option<Box<TasksJob>>,
    /// Memory in which values become bytes.
    scratch: RefCell<Vec<u8>>,
    shares: Shares,
    leaving: bool,
}

impl Worker {
    /// A worker whose jobs are run by `threads` compute threads.
    pub(crate) fn new(context: Arc<RankContext>, threads: usize) -> Self {
        Worker {
            shares: Shares::new(Arc::clone(&context)),
            context,
            threads: threads.max(1),
            graphs: BTreeMap::new(),
            held: HeldBytes::default(),
            kept: HashMap::new(),
            timings: HashMap::new(),
            early_values: BTreeMap::new(),
            ready: BTreeSet::new(),
            passes: BTreeMap::new(),
            pass_inputs: BTreeMap::new(),
            assemblies: BTreeMap::new(),
            assembling: BTreeMap::new(),
            jobs: 0,
            idle: None,
            patience: balance::IDLE,
            told_load: 0,
            load_at: Duration::ZERO,
            loans: BTreeMap::new(),
            spare: None,
            scratch: RefCell::default(),
            leaving: false,
        }
    }

    /// Whether the run is over.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// Whether elements of maps may be worked on, and what is gathered of them handed over at any time.
    pub(crate) fn has_passes(&self) -> bool {
        !self.passes.is_empty()
    }

    /// Whether tasks are ready.
    #[inline]
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Reacts to a message.
    pub(crate) fn handle(&mut self, now: Duration, message: ToWorker, out: &mut Outbox) {
        match message {
            ToWorker::Part(part) if part.lent.is_some() => self.borrow(part, out),
            ToWorker::Part(part) => self.begin_part(*part, out),
            ToWorker::Lend { with, graph, nanos } => self.lend(with, graph, nanos, out),
            ToWorker::Adopt(graph) => self.adopt(graph, out),
            ToWorker::Run(order) => self.begin_run(order, out),
            ToWorker::Discard(graph) => drop(self.kept.remove(&graph)),
            ToWorker::Forward { from, rank, to } => self.forward(from, Forward { rank, to }, out),
            ToWorker::Value { to, outcome } => match self.graphs.contains_key(&to.graph) {
                true => self.complete(to, outcome, out),
                false => self.early_values.entry(to.graph).or_default().push((to.slot, outcome)),
            },
            ToWorker::Share(message) => {
                let to = message.to;
                if let Some(outcome) = self.shares.handle(message, out) {
                    let has_bytes = |graph: &Graph| graph.wiring.is_shared(to.slot);
                    let outcome = match self.graphs.get(&to.graph).is_some_and(has_bytes) {
                        true => outcome.map(|memory| Stored::from_memory(memory.memory())),
                        false => outcome,
                    };
                    self.handle(now, ToWorker::Value { to, outcome }, out);
                }
            }
            ToWorker::Release(places) => {
                for place in places {
                    self.release(place, out);
                }
            }
            ToWorker::Abandon(graph) => self.abandon(graph, out),
            ToWorker::Cancel { place, request } => self.cancel(place, request, out),
            ToWorker::Pass(spec) => {
                self.passes.insert(spec.pass, RankPass::new(Arc::clone(&spec)));
                for (sink, _) in self.sinks_here(&spec) {
                    self.assemblies.entry((spec.pass, sink)).or_default();
                }
                self.try_build(spec.pass);
                self.flush(now, spec.pass, out);
            }
            ToWorker::Grant { pass, range, data } => {
                if let Some(state) = self.passes.get_mut(&pass) {
                    state.grant(range, data);
                }
                self.flush(now, pass, out);
            }
            ToWorker::Stop(pass) => {
                if let Some(state) = self.passes.get_mut(&pass) {
                    let ranges = state.stop();
                    out.tell_scheduler(ToScheduler::Returned { pass, ranges });
                }
                self.flush(now, pass, out);
            }
            ToWorker::Drain(pass) => {
                if let Some(state) = self.passes.get_mut(&pass) {
                    state.drain();
                }
                self.flush(now, pass, out);
            }
            ToWorker::Gathered(gathered) => {
                let Gathered { pass, sink, covered, accumulator, failures, sender } = gathered;
                let assembly = self.assemblies.entry((pass, sink)).or_default();
                assembly.take_bytes(accumulator, covered, failures, sender);
                self.assemble(pass, out);
            }
            ToWorker::Total { pass, granted } => {
                for (_, assembly) in self.assemblies.range_mut((pass, 0)..=(pass, u32::MAX)) {
                    assembly.total(granted.clone());
                }
                self.assemble(pass, out);
            }
            ToWorker::Taken { pass, bytes } => {
                if let Some(state) = self.passes.get_mut(&pass) {
                    state.taken(bytes);
                }
            }
            ToWorker::Local(spec) => self.context.locals.define(spec),
            ToWorker::ForgetCollection(id) => self.context.collections.forget(id),
            ToWorker::Leave => self.leaving = true,
        }
    }

    /// The next job, if there is any: tasks before elements, older graphs before newer ones.
    pub(crate) fn take_job(&mut self) -> Option<Job> {
        let job = self.next_job()?;
        self.jobs += 1;
        self.idle = None;
        Some(job)
    }

    fn next_job(&mut self) -> Option<Job> {
        while let Some(&id) = self.ready.first() {
            match self.take_tasks(id) {
                Some(job) => return Some(Job::Tasks(job)),
                None => self.ready.pop_first(),
            };
        }
        if let Some(build) = self.passes.values_mut().find_map(RankPass::take_build) {
            return Some(Job::Build(build));
        }
        let threads = self.threads;
        let pass = self.passes.values_mut().find(|pass| pass.has_work())?;
        pass.take(threads).map(Job::Elements)
    }

    /// Takes the result of a job.
    pub(crate) fn finished(&mut self, now: Duration, finished: Finished, out: &mut Outbox) {
        self.jobs -= 1;
        match finished {
            Finished::Tasks { job, nanos } => self.finished_tasks(job, nanos, out),
            Finished::Built { pass, program } => {
                if let Some(state) = self.passes.get_mut(&pass) {
                    state.ready(program);
                }
                self.flush(now, pass, out);
            }
            Finished::Elements { pass, range, gathered, nanos, .. } => {
                if let Some(state) = self.passes.get_mut(&pass) {
                    state.finished(range, gathered, nanos);
                }
                self.flush(now, pass, out);
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn sanity_check(&self) {
        for (id, graph) in &self.graphs {
            graph.sanity_check();
            assert!(!graph.is_over(), "graph {id} is over and still here");
            assert!(!graph.has_ready() || self.ready.contains(id), "graph {id} is forgotten");
        }
    }

    /// Whether nothing is left of anything.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.graphs.is_empty()
            && self.kept.is_empty()
            && self.loans.is_empty()
            && self.early_values.is_empty()
            && self.passes.is_empty()
            && self.assemblies.is_empty()
            && self.assembling.is_empty()
            && self.pass_inputs.is_empty()
            && self.shares.is_empty()
    }

    fn take_tasks(&mut self, id: GraphId) -> Option<Box<TasksJob>> {
        let threads = self.threads;
        let graph = self.graphs.get_mut(&id)?;
        let (first, function, awaited) = graph.next()?;
        let timing = graph.timings[function as usize];
        // A function that has never run goes alone; short ones go together, but not all to one thread.
        let count = timing.map_or(1, |timing| {
            let nanos = if awaited { AWAITED_JOB_NANOS } else { JOB_NANOS };
            let in_time = (nanos / timing.mean().max(1.0)) as usize;
            in_time.min(graph.ready_count().div_ceil(threads)).clamp(1, JOB_TASKS)
        });
        let mut job = self.spare.take().unwrap_or_else(|| {
            Box::new(TasksJob {
                graph: id,
                run: 0,
                wiring: Arc::clone(&graph.wiring),
                function,
                tasks: Vec::new(),
                values: Vec::new(),
                outcomes: Vec::new(),
                estimate_nanos: None,
            })
        });
        (job.graph, job.run, job.function) = (id, graph.run, function);
        if !Arc::ptr_eq(&job.wiring, &graph.wiring) {
            job.wiring = Arc::clone(&graph.wiring);
        }
        let mut next = Some((first, function, awaited));
        while let Some((task, of, for_others)) = next
            && job.tasks.len() < count
            && (of, for_others) == (function, awaited)
        {
            graph.take(task, &mut job.values);
            job.tasks.push(task);
            next = graph.next();
        }
        job.estimate_nanos = timing.and_then(|timing| timing.estimate(job.tasks.len()));
        Some(job)
    }

    fn finished_tasks(&mut self, mut job: Box<TasksJob>, nanos: u64, out: &mut Outbox) {
        let (id, function) = (job.graph, job.function as usize);
        if let Some(graph) = self.graphs.get_mut(&id) {
            let each = nanos as f64 / job.tasks.len().max(1) as f64;
            match &mut graph.timings[function] {
                Some(timing) => timing.add(each),
                none => *none = Some(Timing::new(each)),
            }
        }
        let (mut tasks, mut outcomes) = (std::mem::take(&mut job.tasks), std::mem::take(&mut job.outcomes));
        for (slot, outcome) in tasks.drain(..).zip(outcomes.drain(..)) {
            let plainly =
                self.graphs.get_mut(&id).is_some_and(|graph| graph.complete_plainly(slot, &outcome));
            if !plainly {
                self.complete(Place { graph: id, slot }, outcome, out);
            }
        }
        (job.tasks, job.outcomes) = (tasks, outcomes);
        match self.graphs.get(&id).map(Graph::has_ready) {
            Some(true) => drop(self.ready.insert(id)),
            _ => self.drop_if_over(id),
        }
        self.spare = Some(job);
    }

    fn begin_part(&mut self, part: Part, out: &mut Outbox) {
        let (id, kept, first_pass) = (part.graph, part.kept, part.first_pass);
        let (home, run) = part.lent.unwrap_or((id, 0));
        let wiring = Arc::new(Wiring::new(part).expect("the executables were compared at start"));
        if kept {
            self.kept.insert(id, wiring);
        } else {
            self.begin(
                wiring,
                RunOf { id, run, keep_results: false, first_pass, home, threads: self.threads },
                out,
            );
        }
    }

    fn begin_run(&mut self, order: RunOrder, out: &mut Outbox) {
        let RunOrder { kept, graph: id, run, keep_results, first_pass } = order;
        let wiring = Arc::clone(self.kept.get(&kept).expect("parts come before their runs"));
        self.begin(wiring, RunOf { id, run, keep_results, first_pass, home: id, threads: self.threads }, out);
    }

    fn begin(&mut self, wiring: Arc<Wiring>, of: RunOf, out: &mut Outbox) {
        let id = of.id;
        // Perhaps nothing of it can begin: then the rank asks for work again.
        self.idle = None;
        for (pass, slots) in &wiring.part.passes {
            self.pass_inputs.insert(PassId(of.first_pass.0 + pass), (id, slots.clone()));
        }
        let functions = wiring.part.functions.iter();
        let known = functions.map(|function| self.timings.get(&function.call.identity()).copied());
        let imports = wiring.imports_here();
        let graph = Graph::new(Arc::clone(&wiring), of, known.collect(), self.held.clone());
        if graph.has_ready() {
            self.ready.insert(id);
        }
        self.graphs.insert(id, graph);
        let rank = self.context.rank as u32;
        for (slot, from) in imports {
            self.forward(from, Forward { rank, to: Place { graph: id, slot } }, out);
        }
        for (slot, outcome) in self.early_values.remove(&id).unwrap_or_default() {
            self.complete(Place { graph: id, slot }, outcome, out);
        }
        self.drop_if_over(id);
    }

    /// Hands a value on, now or when it is there.
    fn forward(&mut self, from: Place, forward: Forward, out: &mut Outbox) {
        let source = self.graphs.get_mut(&from.graph).expect("the client holds what it reads");
        match source.peek(from.slot).cloned() {
            Some(outcome) => self.deliver(from, forward, outcome, out),
            None => source.forward(from.slot, forward),
        }
    }

    fn deliver(&mut self, from: Place, forward: Forward, outcome: Outcome, out: &mut Outbox) {
        if forward.rank as usize == self.context.rank {
            return self.complete(forward.to, outcome, out);
        }
        let wiring = self.graphs.get(&from.graph).map(|graph| Arc::clone(&graph.wiring));
        let wiring = wiring.expect("it holds the value");
        let outcome = self.travelling(&wiring.part, from.slot, &outcome);
        out.tell_worker(forward.rank, ToWorker::Value { to: forward.to, outcome });
    }

    /// Records an outcome and everything that follows from it, here and on other ranks.
    fn complete(&mut self, place: Place, outcome: Outcome, out: &mut Outbox) {
        let mut work = Vec::new();
        self.complete_one(place, outcome, &mut work, out);
        while let Some((place, outcome)) = work.pop() {
            self.complete_one(place, outcome, &mut work, out);
        }
    }

    /// Records an outcome; appends the outcomes that follow from it on this rank.
    fn complete_one(
        &mut self,
        place: Place,
        outcome: Outcome,
        work: &mut Vec<(Place, Outcome)>,
        out: &mut Outbox,
    ) {
        let Some(graph) = self.graphs.get_mut(&place.graph) else {
            return;
        };
        if graph.is_done(place.slot) {
            return;
        }
        let follows = graph.complete(place.slot, &outcome);
        if graph.has_ready() {
            self.ready.insert(place.graph);
        }
        let awaited = graph.wiring.is_awaited(place.slot);
        work.extend(follows.failing.into_iter().map(|(slot, o)| (Place { graph: place.graph, slot }, o)));
        for forward in follows.forwards {
            match forward.rank as usize == self.context.rank {
                true => work.push((forward.to, outcome.clone())),
                false => self.deliver(place, forward, outcome.clone(), out),
            }
        }
        if awaited {
            self.export(place, &outcome, out);
            self.report(place, &outcome, out);
        }
        for pass in follows.passes {
            self.try_build(pass);
            // Time matters to reports alone, and there is nothing to report before the first job.
            self.flush(Duration::ZERO, pass, out);
        }
        self.drop_if_over(place.graph);
    }

    /// Sends a value to the ranks that read it, once to each.
    fn export(&self, place: Place, outcome: &Outcome, out: &mut Outbox) {
        let Some(graph) = self.graphs.get(&place.graph) else { return };
        let part = &graph.wiring.part;
        let mut encoded = None;
        for export in graph.wiring.exports_of(place.slot) {
            let outcome = encoded.get_or_insert_with(|| self.travelling(part, place.slot, outcome));
            let to = Place { graph: graph.home, slot: export.to };
            out.tell_worker(export.rank, ToWorker::Value { to, outcome: outcome.clone() });
        }
    }

    /// Tells rank 0 what the client wants to know.
    fn report(&self, place: Place, outcome: &Outcome, out: &mut Outbox) {
        let Place { graph, slot } = place;
        let Some(run) = self.graphs.get(&graph) else { return };
        let part = &run.wiring.part;
        for output in run.outputs_of(slot) {
            out.tell_scheduler(match output {
                Output::Result(token) => {
                    let here = self.context.rank == 0;
                    let outcome = if here { outcome.clone() } else { self.travelling(part, slot, outcome) };
                    ToScheduler::Result { graph, token, outcome }
                }
                Output::Keep(token) | Output::Notify(token) => {
                    ToScheduler::Done { graph, token, error: outcome.as_ref().err().cloned() }
                }
                Output::Hold => continue,
            });
        }
    }

    /// An outcome whose value has become bytes, or the failure to make it so.
    fn travelling(&self, part: &Part, slot: Slot, outcome: &Outcome) -> Outcome {
        let stored = match outcome {
            Ok(Stored::Made(value)) => value,
            other => return other.clone(),
        };
        let mut bytes = self.scratch.take();
        bytes.clear();
        let encoded = contain(|| stored.encode(&mut bytes));
        match encoded.and_then(|encoded| encoded.map_err(Failure::from)) {
            Ok(()) if bytes.len() > SMALL => Ok(Stored::from_bytes(bytes)),
            Ok(()) => {
                let value = Stored::from_slice(&bytes);
                self.scratch.replace(bytes);
                Ok(value)
            }
            Err(failure) => Err(Arc::new(self.error(failure, label(part, slot)))),
        }
    }

    fn error(&self, failure: Failure, label: &str) -> TaskError {
        failure.of(label, None, 1, &self.context)
    }

    /// The client lets go of a value. A task that nobody waits for any more is not begun.
    fn release(&mut self, place: Place, out: &mut Outbox) {
        let Some(graph) = self.graphs.get_mut(&place.graph) else { return };
        graph.read(place.slot);
        if graph.has_begun(place.slot) || graph.is_wanted(place.slot) {
            self.drop_if_over(place.graph);
        } else {
            self.give_up(place, out);
        }
    }

    /// Ends all tasks of a graph that have not begun.
    fn abandon(&mut self, id: GraphId, out: &mut Outbox) {
        let tasks = self.graphs.get(&id).map_or(0, |graph| graph.wiring.part.tasks.len() as u32);
        for slot in (0..tasks).map(Slot) {
            if self.graphs.get(&id).is_some_and(|graph| !graph.has_begun(slot)) {
                self.give_up(Place { graph: id, slot }, out);
            }
        }
    }

    /// Ends a task that has not begun.
    fn give_up(&mut self, place: Place, out: &mut Outbox) {
        let Some(graph) = self.graphs.get_mut(&place.graph) else { return };
        graph.cancel(place.slot);
        let wiring = Arc::clone(&graph.wiring);
        let error = self.error(Failure::cancelled(), label(&wiring.part, place.slot));
        self.complete(place, Err(Arc::new(error)), out);
    }

    fn cancel(&mut self, place: Place, request: u64, out: &mut Outbox) {
        // Somebody waits for the answer, also where the graph is over.
        let cancelled = self.graphs.get(&place.graph).is_some_and(|graph| !graph.has_begun(place.slot));
        if cancelled {
            self.give_up(place, out);
        }
        out.tell_scheduler(ToScheduler::Cancelled { request, cancelled });
    }

    fn drop_if_over(&mut self, id: GraphId) {
        if self.graphs.get(&id).is_some_and(Graph::is_over)
            && let Some(graph) = self.graphs.remove(&id)
        {
            self.ready.remove(&id);
            let known = graph.wiring.part.functions.iter().zip(&graph.timings);
            let known = known.filter_map(|(function, timing)| Some((function.call.identity(), (*timing)?)));
            self.timings.extend(known);
        }
    }
}

/// What a slot is called in errors.
fn label(part: &Part, slot: Slot) -> &str {
    part.function_of(slot).map_or("value", |function| &*function.label)
}
