//! A run of a rank's part of a graph: what is ready, what has been made, and who still reads it.

use super::{ready::ReadySet, timing::Timing, wiring::Wiring};
use crate::graph::Output;
use crate::task::{GraphId, Outcome, PassId, Place, Slot, Stored};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

/// Where a slot stands: a task or an import that is waited for counts what is missing; the rest are marks.
type Missing = u32;
/// A task all of whose inputs are there.
const READY: Missing = u32::MAX - 2;
/// A task that was given out.
const RUNNING: Missing = u32::MAX - 1;
/// There is an outcome, or there was one until its last reader had it.
const DONE: Missing = u32::MAX;
/// No value is held.
const NOTHING: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct State {
    missing: Missing,
    /// Reads still to come: by tasks, by passes, and one for the client if it keeps the value.
    readers: u32,
    /// Where among the values the outcome is.
    value: u32,
}

/// Somebody outside of the graph waits for a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Forward {
    pub(super) rank: u32,
    pub(super) to: Place,
}

/// The state of one run.
#[derive(Debug)]
pub(super) struct Graph {
    /// How often the graph was run before, if it is one that is kept.
    pub(super) run: u32,
    pub(super) wiring: Arc<Wiring>,
    /// Results stay on this rank.
    keep_results: bool,
    first_pass: PassId,
    /// The graph that exports go to.
    pub(super) home: GraphId,
    /// How long each function takes, once it has run.
    pub(super) timings: Vec<Option<Timing>>,
    states: Vec<State>,
    values: Values,
    ready: Ready,
    /// Tasks given out.
    running: usize,
    threads: usize,
    /// Other graphs' imports of values that are not there yet.
    forwards: BTreeMap<Slot, Vec<Forward>>,
    /// Of tasks that were cancelled while they waited, the inputs that are still to come.
    abandoned: BTreeMap<Slot, u32>,
    /// Slots that are not done.
    open: usize,
    any_failed: bool,
}

/// The ready tasks.
#[derive(Debug)]
struct Ready {
    /// For their values another rank waits: they go first.
    awaited: ReadySet,
    others: ReadySet,
    /// They read nothing: each begins something new.
    sources: ReadySet,
    /// In the order of their arrival, if that is the order in which they are to run.
    arrivals: Option<VecDeque<Slot>>,
}

impl Ready {
    fn len(&self) -> usize {
        self.awaited.len() + self.others.len() + self.sources.len()
    }

    #[inline]
    fn set_of(&mut self, wiring: &Wiring, task: Slot) -> &mut ReadySet {
        if wiring.part.shape(task.index()).inputs == 0 {
            &mut self.sources
        } else if wiring.is_exported(task) {
            &mut self.awaited
        } else {
            &mut self.others
        }
    }
}

/// A rank whose graphs in progress hold fewer bytes than this together, or fewer than so many of its largest values per
/// thread, may begin something new.
const HELD: usize = 256 << 20;
const HELD_PER_THREAD: usize = 4;

/// The bytes that all graphs in progress on a rank hold. What is kept of graphs that are done is the user's to judge.
#[derive(Debug, Clone, Default)]
pub(super) struct HeldBytes(Arc<AtomicUsize>);

impl HeldBytes {
    fn get(&self) -> usize {
        self.0.load(Relaxed)
    }

    /// One thread counts, so that nothing need be locked.
    fn change(&self, by: isize) {
        self.0.store(self.get().wrapping_add_signed(by), Relaxed);
    }
}

/// Changes of a graph of fewer bytes than this are not added to those of the rank one by one.
const COARSE: usize = 1 << 20;

/// The outcomes that somebody will still read.
#[derive(Debug, Default)]
struct Values {
    outcomes: Vec<Option<Outcome>>,
    free: Vec<u32>,
    /// The bytes of all, and of the largest that there has been.
    bytes: usize,
    largest: usize,
    /// Those of the rank; none once the graph is done.
    of_rank: Option<HeldBytes>,
    /// What is not added to them yet.
    change: isize,
}

fn weight(outcome: &Outcome) -> usize {
    outcome.as_ref().map_or(0, Stored::weight)
}

impl Values {
    fn add(&mut self, outcome: Outcome) -> u32 {
        let weight = weight(&outcome);
        self.largest = self.largest.max(weight);
        self.count(weight as isize);
        match self.free.pop() {
            Some(index) => {
                self.outcomes[index as usize] = Some(outcome);
                index
            }
            None => {
                self.outcomes.push(Some(outcome));
                self.outcomes.len() as u32 - 1
            }
        }
    }

    fn take(&mut self, index: u32) -> Option<Outcome> {
        let outcome = self.outcomes.get_mut(index as usize)?.take();
        self.free.push(index);
        self.count(-(outcome.as_ref().map_or(0, weight) as isize));
        outcome
    }

    #[inline]
    fn count(&mut self, change: isize) {
        self.bytes = self.bytes.wrapping_add_signed(change);
        self.change += change;
        if self.change.unsigned_abs() >= COARSE {
            let change = std::mem::take(&mut self.change);
            self.of_rank.iter().for_each(|held| held.change(change));
        }
    }

    /// The graph is done: what it holds does not count any more.
    fn retire(&mut self) {
        if let Some(held) = self.of_rank.take() {
            held.change(self.change - self.bytes as isize);
        }
    }

    fn held(&self) -> usize {
        self.outcomes.len() - self.free.len()
    }
}

/// How a run differs from another of the same part.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunOf {
    pub(super) id: GraphId,
    pub(super) run: u32,
    pub(super) keep_results: bool,
    pub(super) first_pass: PassId,
    pub(super) home: GraphId,
    /// The compute threads of the rank.
    pub(super) threads: usize,
}

/// What follows from an outcome.
#[derive(Debug, Default)]
pub(super) struct Consequences {
    /// Tasks that fail with it, since one of their inputs failed.
    pub(super) failing: Vec<(Slot, Outcome)>,
    pub(super) passes: Vec<PassId>,
    pub(super) forwards: Vec<Forward>,
}

impl Graph {
    /// A run of `wiring`. `timings` are those of its functions that have run on this rank.
    pub(super) fn new(wiring: Arc<Wiring>, of: RunOf, timings: Vec<Option<Timing>>, held: HeldBytes) -> Self {
        let part = &wiring.part;
        let (slots, tasks) = (part.slots(), part.tasks.len());
        let mut states: Vec<State> = (0..slots as u32)
            .map(|slot| State {
                missing: if (slot as usize) < tasks { part.shape(slot as usize).inputs } else { 1 },
                readers: wiring.readers_of(Slot(slot)).len() as u32,
                value: NOTHING,
            })
            .collect();
        wiring.other_readers(of.keep_results).for_each(|slot| states[slot.index()].readers += 1);
        let mut graph = Graph {
            run: of.run,
            keep_results: of.keep_results,
            first_pass: of.first_pass,
            home: of.home,
            timings,
            states,
            values: Values { of_rank: Some(held), ..Values::default() },
            ready: Ready {
                awaited: ReadySet::new(tasks),
                others: ReadySet::new(tasks),
                sources: ReadySet::new(tasks),
                arrivals: part.policy.by_arrival.then(VecDeque::new),
            },
            running: 0,
            threads: of.threads,
            forwards: BTreeMap::new(),
            abandoned: BTreeMap::new(),
            open: slots,
            any_failed: false,
            wiring,
        };
        let wiring = Arc::clone(&graph.wiring);
        wiring.sources.iter().for_each(|&source| graph.make_ready(source));
        graph
    }

    pub(super) fn has_ready(&self) -> bool {
        self.ready_count() > 0
    }

    pub(super) fn ready_count(&self) -> usize {
        self.ready.len()
    }

    #[inline]
    fn make_ready(&mut self, task: Slot) {
        self.states[task.index()].missing = READY;
        self.ready.set_of(&self.wiring, task).insert(task.0);
        if let Some(arrivals) = &mut self.ready.arrivals {
            arrivals.push_back(task);
        }
    }

    fn remove_ready(&mut self, task: Slot) {
        self.ready.set_of(&self.wiring, task).remove(task.0);
        if let Some(arrivals) = &mut self.ready.arrivals {
            match arrivals.front() == Some(&task) {
                true => drop(arrivals.pop_front()),
                false => arrivals.retain(|&other| other != task),
            }
        }
    }

    /// The next task to run, its function, and whether another rank waits for its value; none if there is
    /// none, or if those that run must end before anything new is begun.
    #[inline]
    pub(super) fn next(&self) -> Option<(Slot, u32, bool)> {
        let Ready { awaited, others, sources, arrivals } = &self.ready;
        let (task, awaited) = match (awaited.first(), others.first(), sources.first()) {
            _ if arrivals.is_some() => (arrivals.as_ref()?.front()?.0, false),
            (Some(task), _, _) => (task, true),
            (None, Some(other), Some(source)) if source < other && !self.holds_much() => (source, false),
            (None, Some(other), _) => (other, false),
            (None, None, source) if self.running == 0 || !self.holds_much() => (source?, false),
            _ => return None,
        };
        Some((Slot(task), self.wiring.part.shape(task as usize).function, awaited))
    }

    /// Whether so much is held that nothing new should be begun.
    #[inline]
    fn holds_much(&self) -> bool {
        let bytes = self.values.of_rank.as_ref().map_or(0, HeldBytes::get);
        let few = HELD_PER_THREAD * self.threads * self.values.largest;
        bytes > HELD && bytes > few && !self.wiring.part.policy.unbounded
    }

    /// The ready task that would be given out last, and its function.
    pub(super) fn last(&self) -> Option<(Slot, u32)> {
        let Ready { awaited, others, sources, .. } = &self.ready;
        let task = [sources, others, awaited].into_iter().find_map(ReadySet::last)?;
        Some((Slot(task), self.wiring.part.shape(task as usize).function))
    }

    /// How long the ready tasks will take, if they are like the next one and that one is known.
    pub(super) fn ready_nanos(&self) -> f64 {
        let mean =
            |(_, function, _): (Slot, u32, bool)| self.timings[function as usize].map(|timing| timing.mean());
        self.ready_count() as f64 * self.next().and_then(mean).unwrap_or(0.0)
    }

    /// Gives out a ready task; appends the values that it reads. The last reader of a value gets the value
    /// itself, others share it.
    #[inline]
    pub(super) fn take(&mut self, task: Slot, values: &mut Vec<Option<Stored>>) {
        self.remove_ready(task);
        self.states[task.index()].missing = RUNNING;
        self.running += 1;
        for position in self.wiring.part.inputs_range(task.index()) {
            let input = Slot(self.wiring.part.records[position]);
            let value = self.read(input).and_then(Result::ok);
            values.push(Some(value.expect("a task is ready when its inputs are good")));
        }
    }

    /// Whether the slot has had its outcome.
    pub(super) fn is_done(&self, slot: Slot) -> bool {
        self.states[slot.index()].missing == DONE
    }

    /// Whether the task was given out or is done, or the slot is no task, which nobody can keep from coming.
    pub(super) fn has_begun(&self, slot: Slot) -> bool {
        slot.index() >= self.wiring.part.tasks.len()
            || matches!(self.states[slot.index()].missing, RUNNING | DONE)
    }

    /// Whether anybody on this or another rank, or the client, will read the value.
    pub(super) fn is_wanted(&self, slot: Slot) -> bool {
        self.states[slot.index()].readers > 0
            || !self.wiring.exports_of(slot).is_empty()
            || self.forwards.contains_key(&slot)
            || self.wiring.outputs_of(slot).iter().any(|(_, output)| matches!(output, Output::Result(_)))
    }

    /// What the client wants of a slot in this run.
    pub(super) fn outputs_of(&self, slot: Slot) -> impl Iterator<Item = Output> {
        let keep = self.keep_results;
        self.wiring.outputs_of(slot).iter().map(move |(_, output)| match *output {
            Output::Result(token) if keep => Output::Keep(token),
            output => output,
        })
    }

    /// Reads a value once, counted.
    #[inline]
    pub(super) fn read(&mut self, slot: Slot) -> Option<Outcome> {
        let state = &mut self.states[slot.index()];
        state.readers = state.readers.saturating_sub(1);
        if state.readers > 0 {
            return self.values.outcomes.get(state.value as usize)?.clone();
        }
        let index = std::mem::replace(&mut state.value, NOTHING);
        if index == NOTHING { None } else { self.values.take(index) }
    }

    /// Looks at an outcome without counting it as a read.
    pub(super) fn peek(&self, slot: Slot) -> Option<&Outcome> {
        self.values.outcomes.get(self.states[slot.index()].value as usize)?.as_ref()
    }

    /// Somebody outside of the graph waits for a value that is not there yet.
    pub(super) fn forward(&mut self, slot: Slot, forward: Forward) {
        self.forwards.entry(slot).or_default().push(forward);
    }

    /// Records the value of a task of which nothing special follows; whether that was all there is to do.
    #[inline]
    pub(super) fn complete_plainly(&mut self, slot: Slot, outcome: &Outcome) -> bool {
        let plain = self.wiring.is_plain(slot) && self.forwards.is_empty() && outcome.is_ok();
        if !plain || self.any_failed || self.is_done(slot) {
            return false;
        }
        self.put(slot, outcome);
        for position in 0..self.wiring.readers_of(slot).len() {
            let reader = self.wiring.readers_of(slot)[position];
            self.arrived(reader);
        }
        true
    }

    /// Records an outcome; nothing follows from it if there was one before.
    pub(super) fn complete(&mut self, slot: Slot, outcome: &Outcome) -> Consequences {
        let mut consequences = Consequences::default();
        if self.is_done(slot) {
            return consequences;
        }
        self.any_failed |= outcome.is_err();
        self.put(slot, outcome);
        let wiring = Arc::clone(&self.wiring);
        for &reader in wiring.readers_of(slot) {
            if self.arrived(reader)
                && self.any_failed
                && let Some(failure) = self.failed_input(reader)
            {
                self.remove_ready(reader);
                self.forget_inputs(reader);
                // Until its failure is recorded nobody may take it for ready.
                self.states[reader.index()].missing = RUNNING;
                self.running += 1;
                consequences.failing.push((reader, failure));
            }
        }
        let reads = wiring.part.passes.iter().filter(|(_, slots)| slots.contains(&slot));
        consequences.passes = reads.map(|(pass, _)| PassId(self.first_pass.0 + pass)).collect();
        consequences.forwards = self.forwards.remove(&slot).unwrap_or_default();
        consequences
    }

    /// Notes that a slot is done, and its outcome if anybody will read it.
    #[inline]
    fn put(&mut self, slot: Slot, outcome: &Outcome) {
        let state = &mut self.states[slot.index()];
        self.running -= usize::from(state.missing == RUNNING);
        state.missing = DONE;
        self.open -= 1;
        if state.readers > 0 {
            state.value = self.values.add(outcome.clone());
        }
        if self.open == 0 {
            self.values.retire();
        }
    }

    /// One input more of a task is there; whether the task has become ready with it.
    #[inline]
    fn arrived(&mut self, task: Slot) -> bool {
        let missing = &mut self.states[task.index()].missing;
        if *missing == DONE {
            self.arrived_in_vain(task);
            return false;
        }
        *missing -= 1;
        if *missing > 0 {
            return false;
        }
        self.make_ready(task);
        true
    }

    /// One input more of a task that was cancelled while it waited is there.
    #[cold]
    fn arrived_in_vain(&mut self, task: Slot) {
        let missing = self.abandoned.get_mut(&task).expect("it was cancelled while it waited");
        *missing -= 1;
        if *missing == 0 {
            self.abandoned.remove(&task);
            self.forget_inputs(task);
        }
    }

    /// Gets a task that has not begun ready to be ended.
    pub(super) fn cancel(&mut self, slot: Slot) {
        match self.states[slot.index()].missing {
            READY => {
                self.remove_ready(slot);
                self.forget_inputs(slot);
            }
            missing => {
                self.abandoned.insert(slot, missing);
            }
        }
    }

    /// The failure of the first input, in the order of the arguments, that failed.
    fn failed_input(&self, task: Slot) -> Option<Outcome> {
        let mut inputs = self.wiring.part.inputs_of(task.index()).iter();
        inputs.find_map(|&input| self.peek(input).filter(|outcome| outcome.is_err()).cloned())
    }

    /// Counts the reads of a task that will never run.
    fn forget_inputs(&mut self, task: Slot) {
        let wiring = Arc::clone(&self.wiring);
        for &input in wiring.part.inputs_of(task.index()) {
            self.read(input);
        }
    }

    /// Whether nothing of this graph is to be done or read any more.
    pub(super) fn is_over(&self) -> bool {
        self.open == 0 && self.values.held() == 0
    }

    #[cfg(test)]
    pub(super) fn sanity_check(&self) {
        assert_eq!(self.open, self.states.iter().filter(|state| state.missing != DONE).count());
        assert_eq!(self.values.held(), self.states.iter().filter(|state| state.value != NOTHING).count());
        let mut ready = 0;
        for (slot, state) in self.states.iter().enumerate() {
            if state.value != NOTHING {
                assert_eq!(state.missing, DONE);
                assert!(state.readers > 0, "slot {slot} is held for nobody");
            }
            ready += usize::from(state.missing == READY);
            if slot < self.wiring.part.tasks.len() && state.missing != DONE {
                let inputs = self.wiring.part.inputs_of(slot);
                let there = inputs.iter().filter(|input| self.is_done(**input)).count();
                let missing = inputs.len() - there;
                let waits = state.missing < READY;
                assert_eq!(if waits { state.missing as usize } else { 0 }, missing, "slot {slot}");
                assert_eq!(waits, missing > 0, "slot {slot}");
            }
        }
        assert_eq!(ready, self.ready_count());
        assert_eq!(self.running, self.states.iter().filter(|state| state.missing == RUNNING).count());
        let held = self.values.outcomes.iter().flatten();
        assert_eq!(self.values.bytes, held.map(weight).sum::<usize>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Dag, Packing, RunPolicy, TaskFunction, pack};
    use crate::task::pipeline::tests_support::any_call;

    /// Eight sources, each read by a task of its own.
    fn pairs(policy: RunPolicy) -> Graph {
        pairs_of(policy, &HeldBytes::default())
    }

    fn pairs_of(policy: RunPolicy, held: &HeldBytes) -> Graph {
        let dag: Dag = (0..16u32).map(|task| if task % 2 == 0 { vec![] } else { vec![task - 1] }).collect();
        let function = TaskFunction { call: any_call(), label: "f".into(), retries: 0 };
        let mut packed = pack(&Packing {
            graph: GraphId(1),
            kept: false,
            policy,
            ranks: 1,
            dag: &dag,
            owners: &[0; 16],
            externals: &[],
            functions: &[function],
            call_of: &|_| (0, &[]),
            outputs: &[],
            first_pass: PassId(0),
            passes: &[],
        });
        let wiring = Wiring::new(packed.parts.remove(&0).expect("all is here")).expect("in the executable");
        let of = RunOf {
            id: GraphId(1),
            run: 0,
            keep_results: false,
            first_pass: PassId(0),
            home: GraphId(1),
            threads: 1,
        };
        Graph::new(Arc::new(wiring), of, vec![None], held.clone())
    }

    fn take(graph: &mut Graph) -> Option<u32> {
        let (task, ..) = graph.next()?;
        graph.take(task, &mut Vec::new());
        graph.sanity_check();
        Some(task.0)
    }

    fn end(graph: &mut Graph, task: u32, bytes: usize) {
        graph.complete(Slot(task), &Ok(Stored::from_bytes(vec![0; bytes])));
        graph.sanity_check();
    }

    #[test]
    fn what_is_begun_is_finished_first() {
        let mut graph = pairs(RunPolicy::default());
        for task in 0..16 {
            assert_eq!(take(&mut graph), Some(task));
            end(&mut graph, task, 8);
        }
        assert!(graph.is_over());
        let mut graph = pairs(RunPolicy { by_arrival: true, ..RunPolicy::default() });
        let mut order = Vec::new();
        while let Some(task) = take(&mut graph) {
            end(&mut graph, task, 8);
            order.push(task);
        }
        assert_eq!(order, [0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15]);
    }

    #[test]
    fn what_all_graphs_in_progress_hold_counts() {
        let held = HeldBytes::default();
        let (mut one, mut other) =
            (pairs_of(RunPolicy::default(), &held), pairs_of(RunPolicy::default(), &held));
        for source in [0, 2, 4] {
            one.take(Slot(source), &mut Vec::new());
            end(&mut one, source, 100 << 20);
        }
        assert_eq!(held.get(), 300 << 20);
        // Nothing runs of the other, so that it may begin a task, and no second one.
        assert_eq!((take(&mut other), take(&mut other)), (Some(0), None));
        while let Some(task) = take(&mut one) {
            end(&mut one, task, 8);
        }
        assert!(one.is_over());
        assert_eq!((held.get(), take(&mut other)), (0, Some(2)));
    }

    #[test]
    fn a_rank_that_holds_much_begins_nothing_new() {
        const LARGE: usize = 100 << 20;
        for unbounded in [false, true] {
            let mut graph = pairs(RunPolicy { unbounded, ..RunPolicy::default() });
            // The readers of the sources are given out and take long; more and more is held.
            for source in [0, 2, 4, 6, 8, 10] {
                let next = graph.next().map(|(task, ..)| task.0);
                assert!(next.is_some(), "not yet much");
                graph.take(Slot(source), &mut Vec::new());
                end(&mut graph, source, LARGE);
            }
            // Six are held, more than four of the largest: their readers are the next, not the next source.
            assert_eq!(take(&mut graph), Some(1));
            graph.remove_ready(Slot(3));
            graph.remove_ready(Slot(5));
            graph.remove_ready(Slot(7));
            graph.remove_ready(Slot(9));
            graph.remove_ready(Slot(11));
            let next = graph.next().map(|(task, ..)| task.0);
            assert_eq!(next, unbounded.then_some(12), "something runs that will set memory free");
        }
    }
}
