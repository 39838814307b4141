//! A rank's part of a graph in progress: what is ready, what has been made, and who still reads it.

use super::state::Timing;
use crate::graph::{CallResult, Import, Output, Part, TaskFunction};
use crate::task::{Function, FunctionError, Outcome, PassId, Place, Slot, Stored};
use std::{collections::BTreeMap, sync::Arc};

/// Where a slot stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// A task that waits for inputs, or an import that has not come.
    Waiting,
    /// A task all of whose inputs are there.
    Ready,
    /// A task that was given out.
    Running,
    /// There is an outcome, or there was one until its last reader had it.
    Done,
}

/// The state of one part.
#[derive(Debug)]
pub(super) struct Graph {
    pub(super) part: Arc<Part>,
    pub(super) calls: Vec<Function<CallResult>>,
    /// How long each function takes, once it has run.
    pub(super) timings: Vec<Option<Timing>>,
    stages: Vec<Stage>,
    /// Inputs of each task that are not there yet.
    missing: Vec<u32>,
    /// Reads of each slot still to come: by tasks, by passes, and one for the client if it keeps the value.
    readers: Vec<u32>,
    outcomes: Vec<Option<Outcome>>,
    successor_ends: Vec<u32>,
    successors: Vec<Slot>,
    /// Other graphs' imports of values that are not there yet.
    pub(super) forwards: BTreeMap<Slot, Vec<Place>>,
    pass_readers: BTreeMap<Slot, Vec<PassId>>,
    ready: Vec<Slot>,
    /// Slots that are not done.
    open: usize,
    /// Outcomes that somebody will still read.
    held: usize,
}

impl Graph {
    /// `timing` tells how long each function takes that has run on this rank.
    pub(super) fn new(
        part: Part,
        timing: impl Fn(&TaskFunction) -> Option<Timing>,
    ) -> Result<Self, FunctionError> {
        let slots = part.slots();
        let tasks = part.tasks.len();
        let calls = part.functions.iter().map(|f| f.call.resolve()).collect::<Result<_, _>>()?;
        let mut readers = vec![0u32; slots];
        for slot in &part.inputs {
            readers[slot.index()] += 1;
        }
        // Successors in compressed rows, from the reads of tasks alone.
        let mut ends = Vec::with_capacity(slots);
        let mut total = 0;
        for &count in &readers {
            ends.push(total);
            total += count;
        }
        let mut successors = vec![Slot(0); total as usize];
        let mut missing = Vec::with_capacity(tasks);
        for task in 0..tasks {
            let inputs = part.inputs_of(task);
            missing.push(inputs.len() as u32);
            for input in inputs {
                let end = &mut ends[input.index()];
                successors[*end as usize] = Slot(task as u32);
                *end += 1;
            }
        }
        let mut pass_readers: BTreeMap<Slot, Vec<PassId>> = BTreeMap::new();
        for (pass, slots) in &part.passes {
            for &slot in slots {
                readers[slot.index()] += 1;
                pass_readers.entry(slot).or_default().push(*pass);
            }
        }
        for (slot, output) in &part.outputs {
            readers[slot.index()] += u32::from(matches!(output, Output::Keep(_) | Output::Hold));
        }
        let mut stages = vec![Stage::Waiting; slots];
        // The stack of ready tasks is filled from behind, so that the first task is taken first.
        let ready: Vec<Slot> =
            (0..tasks).rev().filter(|&task| missing[task] == 0).map(|task| Slot(task as u32)).collect();
        for slot in &ready {
            stages[slot.index()] = Stage::Ready;
        }
        Ok(Graph {
            timings: part.functions.iter().map(timing).collect(),
            calls,
            stages,
            missing,
            readers,
            outcomes: vec![None; slots],
            successor_ends: ends,
            successors,
            forwards: BTreeMap::new(),
            pass_readers,
            ready,
            open: slots,
            held: 0,
            part: Arc::new(part),
        })
    }

    /// The imports that are, or will be, on this rank.
    pub(super) fn imports_here(&self) -> Vec<(Slot, Place)> {
        let first = self.part.tasks.len();
        (first..)
            .zip(&self.part.imports)
            .filter_map(|(slot, import)| match import {
                Import::Here(place) => Some((Slot(slot as u32), *place)),
                Import::Arrives => None,
            })
            .collect()
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    pub(super) fn ready_count(&self) -> usize {
        self.ready.len()
    }

    /// The function of the next ready task; drops tasks that were cancelled while they were ready.
    pub(super) fn next_function(&mut self) -> Option<u32> {
        while let Some(&slot) = self.ready.last() {
            if self.stages[slot.index()] == Stage::Ready {
                return Some(self.part.tasks[slot.index()].0);
            }
            self.ready.pop();
        }
        None
    }

    /// Gives out the next ready task with the values it reads. The last reader of a value gets the value
    /// itself, others share it.
    pub(super) fn take_ready(&mut self) -> Option<(Slot, Vec<Stored>)> {
        self.next_function()?;
        let slot = self.ready.pop()?;
        self.stages[slot.index()] = Stage::Running;
        let part = Arc::clone(&self.part);
        let values = part.inputs_of(slot.index()).iter().map(|&input| {
            self.read(input).and_then(Result::ok).expect("a task is ready when its inputs are good")
        });
        Some((slot, values.collect()))
    }

    /// Whether the slot has had its outcome.
    pub(super) fn is_done(&self, slot: Slot) -> bool {
        self.stages[slot.index()] == Stage::Done
    }

    /// Whether the task was given out or is done, or the slot is no task, which nobody can keep from coming.
    pub(super) fn has_begun(&self, slot: Slot) -> bool {
        slot.index() >= self.part.tasks.len()
            || matches!(self.stages[slot.index()], Stage::Running | Stage::Done)
    }

    /// Whether anybody on this or another rank, or the client, will read the value.
    pub(super) fn is_wanted(&self, slot: Slot) -> bool {
        let listed = |exported: Option<&(Slot, u32, Place)>| exported.is_some_and(|(of, ..)| *of == slot);
        let first = self.part.exports.partition_point(|(of, ..)| *of < slot);
        self.readers[slot.index()] > 0
            || listed(self.part.exports.get(first))
            || self.forwards.contains_key(&slot)
            || self.part.outputs_of(slot).any(|output| matches!(output, Output::Result(_)))
    }

    /// Reads a value once, counted.
    pub(super) fn read(&mut self, slot: Slot) -> Option<Outcome> {
        let readers = &mut self.readers[slot.index()];
        *readers = readers.saturating_sub(1);
        if *readers > 0 {
            return self.outcomes[slot.index()].clone();
        }
        let outcome = self.outcomes[slot.index()].take();
        self.held -= usize::from(outcome.is_some());
        outcome
    }

    /// Looks at an outcome without counting it as a read.
    pub(super) fn peek(&self, slot: Slot) -> Option<&Outcome> {
        self.outcomes[slot.index()].as_ref()
    }

    /// Records an outcome. Returns the tasks that fail with it, since one of their inputs failed, and the
    /// passes that read it.
    pub(super) fn complete(&mut self, slot: Slot, outcome: &Outcome) -> (Vec<(Slot, Outcome)>, Vec<PassId>) {
        let at = slot.index();
        if self.stages[at] == Stage::Done {
            return Default::default();
        }
        self.stages[at] = Stage::Done;
        self.open -= 1;
        if self.readers[at] > 0 {
            self.outcomes[at] = Some(outcome.clone());
            self.held += 1;
        }
        let start = if at == 0 { 0 } else { self.successor_ends[at - 1] as usize };
        let mut failing = Vec::new();
        for position in start..self.successor_ends[at] as usize {
            let successor = self.successors[position];
            let missing = &mut self.missing[successor.index()];
            *missing -= 1;
            if *missing > 0 {
                continue;
            }
            if self.stages[successor.index()] == Stage::Done {
                // It was cancelled while it waited.
                self.forget_inputs(successor);
            } else {
                match self.failed_input(successor) {
                    Some(failure) => {
                        self.forget_inputs(successor);
                        failing.push((successor, failure));
                    }
                    None => {
                        self.stages[successor.index()] = Stage::Ready;
                        self.ready.push(successor);
                    }
                }
            }
        }
        (failing, self.pass_readers.remove(&slot).unwrap_or_default())
    }

    /// Ends a task that has not begun.
    pub(super) fn cancel(&mut self, slot: Slot) {
        if self.stages[slot.index()] == Stage::Ready {
            self.forget_inputs(slot);
        }
    }

    /// The failure of the first input, in the order of the arguments, that failed.
    fn failed_input(&self, task: Slot) -> Option<Outcome> {
        let mut inputs = self.part.inputs_of(task.index()).iter();
        inputs.find_map(|&input| self.peek(input).filter(|outcome| outcome.is_err()).cloned())
    }

    /// Counts the reads of a task that will never run.
    fn forget_inputs(&mut self, task: Slot) {
        let part = Arc::clone(&self.part);
        for &input in part.inputs_of(task.index()) {
            self.read(input);
        }
    }

    /// Whether nothing of this graph is to be done or read any more.
    pub(super) fn is_over(&self) -> bool {
        self.open == 0 && self.held == 0
    }

    #[cfg(test)]
    pub(super) fn sanity_check(&self) {
        assert_eq!(self.open, self.stages.iter().filter(|s| **s != Stage::Done).count());
        assert_eq!(self.held, self.outcomes.iter().flatten().count());
        for (slot, stage) in self.stages.iter().enumerate() {
            if self.outcomes[slot].is_some() {
                assert_eq!(*stage, Stage::Done);
                assert!(self.readers[slot] > 0, "slot {slot} is held for nobody");
            }
            if let Some(&missing) = self.missing.get(slot) {
                let there = self.part.inputs_of(slot).iter().filter(|i| self.is_done(**i)).count();
                assert_eq!(missing as usize, self.part.inputs_of(slot).len() - there);
                assert!(*stage != Stage::Ready || missing == 0);
                assert!(*stage != Stage::Running || missing == 0);
            }
        }
    }
}
