//! What the state machine does with passes: builds them, reports, and brings their sinks together.

use super::{super::pass::Part, Worker};
use crate::graph::{Home, PassSpec, SinkSpec};
use crate::scheduler::{Gathered, Outbox, ToScheduler, ToWorker};
use crate::task::{Failure, PassId, TaskError, contain};
use std::{sync::Arc, time::Duration};

impl Worker {
    /// Lets a pass be built if all values that it reads are there.
    pub(super) fn try_build(&mut self, id: PassId) {
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

    /// Sends what jobs that are not over have handed over.
    pub(super) fn flush_handed_over(&mut self, now: Duration, out: &mut Outbox) {
        let passes = self.passes.iter_mut().filter_map(|(id, pass)| pass.take_handed_over().then_some(*id));
        for id in passes.collect::<Vec<_>>() {
            self.flush(now, id, out);
        }
    }

    /// Sends what a pass has to say and to bring in.
    pub(super) fn flush(&mut self, now: Duration, id: PassId, out: &mut Outbox) {
        let Some(pass) = self.passes.get_mut(&id) else {
            return;
        };
        pass.fail_queue();
        let spec = Arc::clone(&pass.spec);
        let report = pass.take_report(now);
        let leaves = report.is_some() || pass.is_over() || pass.is_full();
        let gathered = if leaves { pass.take_gathered() } else { Vec::new() };
        if pass.is_over()
            && let Some(program) = pass.program().cloned()
        {
            self.passes.remove(&id);
            if self.sinks_here(&spec).next().is_some() {
                self.assembling.insert(id, (Arc::clone(&spec), program));
            }
        }
        out.scheduler.extend(report.map(ToScheduler::Progress));
        for (sink, part) in gathered {
            match &spec.sinks[sink].home {
                Home::One { rank, .. } => self.bring(id, sink, *rank, &spec.sinks[sink].label, part, out),
                Home::Each(places) => {
                    self.spread(id, sink, places.len(), &spec.sinks[sink].label, part, out);
                }
            }
        }
        self.assemble(id, out);
    }

    /// Brings what was gathered to the one home of a sink.
    fn bring(&mut self, pass: PassId, sink: usize, home: u32, label: &str, mut part: Part, out: &mut Outbox) {
        if home as usize == self.context.rank {
            self.assemblies.entry((pass, sink as u32)).or_default().take(part);
            return;
        }
        let mut bytes = Vec::new();
        let encoded = contain(|| part.accumulator.map_or(Ok(()), |all| all.encode(&mut bytes)));
        if let Err(failed) = encoded.and_then(|encoded| encoded.map_err(Failure::from)) {
            bytes.clear();
            part.failures.push(self.error(failed, label));
        }
        let Part { covered, failures, .. } = part;
        let gathered =
            Gathered { pass, sink: sink as u32, covered, accumulator: bytes, failures, sender: None };
        out.tell_worker(home, ToWorker::Gathered(gathered));
    }

    /// Gives every rank what it is to have of what was gathered.
    fn spread(&mut self, pass: PassId, sink: usize, ranks: usize, label: &str, part: Part, out: &mut Outbox) {
        let Part { accumulator, covered, mut failures } = part;
        let divided = contain(|| accumulator.map(|mut all| all.divide(ranks)).transpose());
        let divided = divided.and_then(|divided| divided.map_err(Failure::from)).unwrap_or_else(|failed| {
            failures.push(self.error(failed, label));
            None
        });
        let here = self.context.rank as u32;
        for (rank, bytes) in (0u32..).zip(divided.unwrap_or_else(|| vec![Vec::new(); ranks])) {
            if rank == here {
                let assembly = self.assemblies.entry((pass, sink as u32)).or_default();
                assembly.take_bytes(bytes, covered.clone(), failures.clone(), None);
                continue;
            }
            if bytes.is_empty() && covered.is_empty() && failures.is_empty() {
                continue;
            }
            if let Some(pass) = self.passes.get_mut(&pass) {
                pass.sent(bytes.len());
            }
            out.tell_worker(
                rank,
                ToWorker::Gathered(Gathered {
                    pass,
                    sink: sink as u32,
                    covered: covered.clone(),
                    accumulator: bytes,
                    failures: failures.clone(),
                    sender: Some(here),
                }),
            );
        }
    }

    /// The sinks that are assembled on this rank.
    pub(super) fn sinks_here<'a>(
        &self,
        spec: &'a PassSpec,
    ) -> impl Iterator<Item = (u32, &'a SinkSpec)> + use<'a> {
        let here = self.context.rank;
        (0u32..).zip(&spec.sinks).filter(move |(_, sink)| sink.home.on(here).is_some())
    }

    pub(super) fn spec_of(&self, id: PassId) -> Option<&Arc<PassSpec>> {
        let over = || self.assembling.get(&id).map(|(spec, _)| spec);
        self.passes.get(&id).map(|pass| &pass.spec).or_else(over)
    }

    /// Ends the sinks of a pass for which everything has come in.
    pub(super) fn assemble(&mut self, id: PassId, out: &mut Outbox) {
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
            let finished = assembly.try_finish(sink, &operator, error);
            for (sender, bytes) in assembly.taken.drain(..) {
                out.tell_worker(sender, ToWorker::Taken { pass: id, bytes });
            }
            if let Some(outcome) = finished {
                self.assemblies.remove(&(id, number));
                let place = sink.home.on(context.rank).expect("it is assembled where it is delivered");
                self.complete(place, outcome, out);
            }
        }
        let over = !self.passes.contains_key(&id) && !self.assemblies.keys().any(|(pass, _)| *pass == id);
        if over {
            self.assembling.remove(&id);
        }
    }
}
