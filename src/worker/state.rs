//! The state machine.

use super::{
    gather::Assembly,
    graph::Graph,
    job::{Finished, Job, TasksJob},
    pass::RankPass,
    program::BuiltProgram,
    share::Shares,
};
use crate::graph::{Output, Part, PassSpec, SinkSpec, TaskFunction};
use crate::scheduler::{Gathered, Outbox, ToScheduler, ToWorker};
use crate::task::{Failure, GraphId, Outcome, PassId, Place, RankContext, Slot, Stored, TaskError, contain};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

/// A job of short tasks should take about this long.
const JOB_NANOS: f64 = 100_000.0;
/// No job has more tasks than this, however short they seem.
const JOB_TASKS: usize = 4096;

/// How long the calls of a function take, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Timing {
    mean: f64,
    /// A call, or the calls of a job on the average, took this long once.
    longest: f64,
}

impl Timing {
    fn add(&mut self, nanos: f64) {
        self.mean = if self.longest == 0.0 { nanos } else { 0.7 * self.mean + 0.3 * nanos };
        self.longest = self.longest.max(nanos);
    }

    /// How long a job of so many calls will take, unless the function has surprised before: then nobody
    /// knows.
    fn estimate(self, calls: usize) -> Option<f64> {
        const SURPRISE: f64 = 1_000_000.0;
        (self.longest < SURPRISE).then_some(self.mean * calls as f64)
    }
}

/// The worker of a rank.
#[derive(Debug)]
pub(crate) struct Worker {
    context: Arc<RankContext>,
    threads: usize,
    graphs: BTreeMap<GraphId, Graph>,
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
            timings: HashMap::new(),
            early_values: BTreeMap::new(),
            ready: BTreeSet::new(),
            passes: BTreeMap::new(),
            pass_inputs: BTreeMap::new(),
            assemblies: BTreeMap::new(),
            assembling: BTreeMap::new(),
            leaving: false,
        }
    }

    /// Whether the run is over.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// Reacts to a message.
    pub(crate) fn handle(&mut self, now: Duration, message: ToWorker, out: &mut Outbox) {
        match message {
            ToWorker::Part(part) => self.begin_part(*part, out),
            ToWorker::Value { to, outcome } => match self.graphs.contains_key(&to.graph) {
                true => self.complete(to, outcome, out),
                false => self.early_values.entry(to.graph).or_default().push((to.slot, outcome)),
            },
            ToWorker::Share(message) => {
                let to = message.to;
                if let Some(outcome) = self.shares.handle(message, out) {
                    self.handle(now, ToWorker::Value { to, outcome }, out);
                }
            }
            ToWorker::Release(places) => {
                for place in places {
                    self.release(place, out);
                }
            }
            ToWorker::Cancel { place, ticket } => self.cancel(place, ticket, out),
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
            ToWorker::Drain(pass) => {
                if let Some(state) = self.passes.get_mut(&pass) {
                    state.drain();
                }
                self.flush(now, pass, out);
            }
            ToWorker::Gathered(gathered) => {
                let Gathered { pass, sink, covered, accumulator, failures } = gathered;
                let assembly = self.assemblies.entry((pass, sink)).or_default();
                assembly.take_bytes(accumulator, covered, failures);
                self.assemble(pass, out);
            }
            ToWorker::Total { pass, granted } => {
                for (_, assembly) in self.assemblies.range_mut((pass, 0)..=(pass, u32::MAX)) {
                    assembly.total(granted);
                }
                self.assemble(pass, out);
            }
            ToWorker::Local(spec) => self.context.locals.define(spec),
            ToWorker::ForgetCollection(id) => self.context.collections.forget(id),
            ToWorker::Leave => self.leaving = true,
        }
    }

    /// The next job, if there is any: tasks before elements, older graphs before newer ones.
    pub(crate) fn take_job(&mut self) -> Option<Job> {
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
        match finished {
            Finished::Tasks { graph, function, outcomes, nanos } => {
                if let Some(state) = self.graphs.get_mut(&graph) {
                    let each = nanos as f64 / outcomes.len().max(1) as f64;
                    let timing = state.timings[function as usize].get_or_insert_default();
                    timing.add(each);
                    let call = state.part.functions[function as usize].call;
                    self.timings.insert(call.identity(), *timing);
                }
                for (slot, outcome) in outcomes {
                    self.complete(Place { graph, slot }, outcome.map_err(Arc::new), out);
                }
            }
            Finished::Built { pass, program } => {
                if let Some(state) = self.passes.get_mut(&pass) {
                    state.ready(program);
                }
                self.flush(now, pass, out);
            }
            Finished::Elements { pass, range, gathered, nanos } => {
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
            && self.early_values.is_empty()
            && self.passes.is_empty()
            && self.assemblies.is_empty()
            && self.assembling.is_empty()
            && self.pass_inputs.is_empty()
            && self.shares.is_empty()
    }

    fn take_tasks(&mut self, id: GraphId) -> Option<TasksJob> {
        let threads = self.threads;
        let graph = self.graphs.get_mut(&id)?;
        let function = graph.next_function()?;
        let timing = graph.timings[function as usize];
        let each = timing.map(|timing| timing.mean);
        // A function that has never run goes alone; short ones go together, but not all to one thread.
        let count = each.map_or(1, |nanos| {
            let in_time = (JOB_NANOS / nanos.max(1.0)) as usize;
            in_time.min(graph.ready_count().div_ceil(threads)).clamp(1, JOB_TASKS)
        });
        let mut tasks = Vec::with_capacity(count);
        while tasks.len() < count && graph.next_function() == Some(function) {
            tasks.extend(graph.take_ready());
        }
        Some(TasksJob {
            graph: id,
            part: Arc::clone(&graph.part),
            function,
            call: graph.calls[function as usize],
            estimate_nanos: timing.and_then(|timing| timing.estimate(tasks.len())),
            tasks,
        })
    }

    fn begin_part(&mut self, part: Part, out: &mut Outbox) {
        let id = part.graph;
        for (pass, slots) in &part.passes {
            self.pass_inputs.insert(*pass, (id, slots.clone()));
        }
        let known = |function: &TaskFunction| self.timings.get(&function.call.identity()).copied();
        let graph = Graph::new(part, known).expect("the executables were compared at start");
        let imports = graph.imports_here();
        if graph.has_ready() {
            self.ready.insert(id);
        }
        self.graphs.insert(id, graph);
        for (slot, from) in imports {
            let source = self.graphs.get_mut(&from.graph).expect("the client holds what it reads");
            match source.peek(from.slot).cloned() {
                Some(outcome) => self.complete(Place { graph: id, slot }, outcome, out),
                None => source.forwards.entry(from.slot).or_default().push(Place { graph: id, slot }),
            }
        }
        for (slot, outcome) in self.early_values.remove(&id).unwrap_or_default() {
            self.complete(Place { graph: id, slot }, outcome, out);
        }
        self.drop_if_over(id);
    }

    /// Records an outcome and everything that follows from it, here and on other ranks.
    fn complete(&mut self, place: Place, outcome: Outcome, out: &mut Outbox) {
        let mut work = vec![(place, outcome)];
        while let Some((place, outcome)) = work.pop() {
            let Some(graph) = self.graphs.get_mut(&place.graph) else {
                continue;
            };
            if graph.is_done(place.slot) {
                continue;
            }
            let (failing, passes) = graph.complete(place.slot, &outcome);
            work.extend(failing.into_iter().map(|(slot, o)| (Place { graph: place.graph, slot }, o)));
            let forwards = graph.forwards.remove(&place.slot).unwrap_or_default();
            work.extend(forwards.into_iter().map(|to| (to, outcome.clone())));
            if graph.has_ready() {
                self.ready.insert(place.graph);
            }
            let part = Arc::clone(&graph.part);
            self.export(&part, place.slot, &outcome, out);
            self.report(&part, place.slot, &outcome, out);
            for pass in passes {
                self.try_build(pass);
                // Time matters to reports alone, and there is nothing to report before the first job.
                self.flush(Duration::ZERO, pass, out);
            }
            self.drop_if_over(place.graph);
        }
    }

    /// Sends a value to the ranks that read it, once to each.
    fn export(&self, part: &Part, slot: Slot, outcome: &Outcome, out: &mut Outbox) {
        let first = part.exports.partition_point(|(exported, ..)| *exported < slot);
        let exports = part.exports[first..].iter().take_while(|(exported, ..)| *exported == slot);
        let mut encoded = None;
        for &(_, rank, to) in exports {
            let outcome = encoded.get_or_insert_with(|| self.travelling(part, slot, outcome));
            out.tell_worker(rank, ToWorker::Value { to, outcome: outcome.clone() });
        }
    }

    /// Tells rank 0 what the client wants to know.
    fn report(&self, part: &Part, slot: Slot, outcome: &Outcome, out: &mut Outbox) {
        let graph = part.graph;
        for output in part.outputs_of(slot) {
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
        let mut bytes = Vec::new();
        let encoded = contain(|| stored.encode(&mut bytes));
        match encoded.and_then(|encoded| encoded.map_err(Failure::from)) {
            Ok(()) => Ok(Stored::from_bytes(bytes)),
            Err(failure) => {
                let function = part.tasks.get(slot.index()).map(|task| task.0 as usize);
                let label = function.map_or("value", |function| &*part.functions[function].label);
                Err(Arc::new(self.error(failure, label)))
            }
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

    /// Ends a task that has not begun.
    fn give_up(&mut self, place: Place, out: &mut Outbox) {
        let Some(graph) = self.graphs.get_mut(&place.graph) else { return };
        graph.cancel(place.slot);
        let function = graph.part.tasks.get(place.slot.index()).map(|task| task.0 as usize);
        let label = function.map_or("value".into(), |f| Arc::clone(&graph.part.functions[f].label));
        let error = self.error(Failure::cancelled(), &label);
        self.complete(place, Err(Arc::new(error)), out);
    }

    fn cancel(&mut self, place: Place, ticket: (GraphId, u32), out: &mut Outbox) {
        let Some(graph) = self.graphs.get_mut(&place.graph) else {
            return;
        };
        let cancelled = !graph.has_begun(place.slot);
        if cancelled {
            self.give_up(place, out);
        }
        out.tell_scheduler(ToScheduler::Cancelled { ticket, cancelled });
    }

    fn drop_if_over(&mut self, id: GraphId) {
        if self.graphs.get(&id).is_some_and(Graph::is_over) {
            self.graphs.remove(&id);
            self.ready.remove(&id);
        }
    }

    /// Lets a pass be built if all values that it reads are there.
    fn try_build(&mut self, id: PassId) {
        let Some(pass) = self.passes.get(&id).filter(|pass| pass.is_waiting()) else {
            return;
        };
        let mut values = Vec::new();
        if pass.spec.inputs > 0 {
            let (graph_id, slots) = self.pass_inputs[&id].clone();
            let graph = self.graphs.get_mut(&graph_id).expect("its values are still to be read");
            if !slots.iter().all(|&slot| graph.is_done(slot)) {
                return;
            }
            values.extend(slots.iter().filter_map(|&slot| graph.read(slot)));
            self.pass_inputs.remove(&id);
            self.drop_if_over(graph_id);
        }
        let Some(pass) = self.passes.get_mut(&id) else {
            return;
        };
        match values.into_iter().collect() {
            Ok(values) => pass.build_from(values),
            Err(error) => pass.ready(Err(TaskError::clone(&error))),
        }
    }

    /// Sends what a pass has to say and to bring in.
    fn flush(&mut self, now: Duration, id: PassId, out: &mut Outbox) {
        let Some(pass) = self.passes.get_mut(&id) else {
            return;
        };
        pass.fail_queue();
        let spec = Arc::clone(&pass.spec);
        let report = pass.take_report(now);
        let gathered = if report.is_some() || pass.is_over() { pass.take_gathered() } else { Vec::new() };
        if pass.is_over()
            && let Some(program) = pass.program().cloned()
        {
            self.passes.remove(&id);
            if self.sinks_here(&spec).next().is_some() {
                self.assembling.insert(id, (Arc::clone(&spec), program));
            }
        }
        out.scheduler.extend(report.map(ToScheduler::Progress));
        for (sink, mut part) in gathered {
            let home = spec.sinks[sink].home;
            if home as usize == self.context.rank {
                let assembly = self.assemblies.entry((id, sink as u32)).or_default();
                assembly.take(part);
                continue;
            }
            let mut bytes = Vec::new();
            let encoded = contain(|| part.accumulator.map_or(Ok(()), |all| all.encode(&mut bytes)));
            if let Err(failed) = encoded.and_then(|encoded| encoded.map_err(Failure::from)) {
                bytes.clear();
                part.failures.push(self.error(failed, &spec.sinks[sink].label));
            }
            let gathered = Gathered {
                pass: id,
                sink: sink as u32,
                covered: part.covered,
                accumulator: bytes,
                failures: part.failures,
            };
            out.tell_worker(home, ToWorker::Gathered(gathered));
        }
        self.assemble(id, out);
    }

    /// The sinks that are assembled on this rank.
    fn sinks_here<'a>(&self, spec: &'a PassSpec) -> impl Iterator<Item = (u32, &'a SinkSpec)> + use<'a> {
        let here = self.context.rank;
        (0u32..).zip(&spec.sinks).filter(move |(_, sink)| sink.home as usize == here)
    }

    fn spec_of(&self, id: PassId) -> Option<&Arc<PassSpec>> {
        let over = || self.assembling.get(&id).map(|(spec, _)| spec);
        self.passes.get(&id).map(|pass| &pass.spec).or_else(over)
    }

    /// Ends the sinks of a pass for which everything has come in.
    fn assemble(&mut self, id: PassId, out: &mut Outbox) {
        let Some(spec) = self.spec_of(id).cloned() else {
            return;
        };
        let built = match self.passes.get(&id) {
            Some(pass) => pass.program().cloned(),
            None => self.assembling.get(&id).map(|(_, program)| program.clone()),
        };
        let Some(program) = built else { return };
        let context = Arc::clone(&self.context);
        for (number, sink) in self.sinks_here(&spec) {
            let Some(assembly) = self.assemblies.get_mut(&(id, number)) else {
                continue;
            };
            let operator = program.as_ref().map_err(Clone::clone);
            let operator =
                operator.map(|program| (Arc::clone(&program.sinks[number as usize]), program.geometry));
            let error = |failure: Failure| failure.of(&sink.label, None, 1, &context);
            if let Some(outcome) = assembly.try_finish(sink, &operator, error) {
                self.assemblies.remove(&(id, number));
                self.complete(sink.place, outcome, out);
            }
        }
        let over = !self.passes.contains_key(&id) && !self.assemblies.keys().any(|(pass, _)| *pass == id);
        if over {
            self.assembling.remove(&id);
        }
    }
}
