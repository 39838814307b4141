//! What a rank makes of its part once, for every run of it: who reads what.

use crate::graph::{CallResult, Import, Output, Part};
use crate::task::{Function, FunctionError, Place, Slot};

/// A part of a graph and what follows from it.
#[derive(Debug)]
pub(crate) struct Wiring {
    pub(super) part: Part,
    pub(super) calls: Vec<Function<CallResult>>,
    /// The end of each slot's readers in `successors`.
    successor_ends: Vec<u32>,
    successors: Vec<Slot>,
    marks: Vec<Marks>,
    /// The tasks that read nothing.
    pub(super) sources: Vec<Slot>,
}

/// What is special about a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Marks(u8);

impl Marks {
    const EXPORTED: u8 = 1;
    const OUTPUT: u8 = 2;
    const PASS: u8 = 4;

    /// Nobody but tasks of this rank reads the value.
    pub(super) fn is_plain(self) -> bool {
        self.0 == 0
    }

    /// Somebody elsewhere waits for the value.
    pub(super) fn is_awaited(self) -> bool {
        self.0 & (Self::EXPORTED | Self::OUTPUT) != 0
    }
}

impl Wiring {
    pub(super) fn new(part: Part) -> Result<Self, FunctionError> {
        let slots = part.slots();
        let tasks = part.tasks.len();
        let calls = part.functions.iter().map(|f| f.call.resolve()).collect::<Result<_, _>>()?;
        // Readers in compressed rows: counted, then filled in.
        let mut ends = vec![0u32; slots];
        for task in 0..tasks {
            for input in part.inputs_of(task) {
                ends[input.index()] += 1;
            }
        }
        let mut total = 0;
        for end in &mut ends {
            total += std::mem::replace(end, total);
        }
        let mut successors = vec![Slot(0); total as usize];
        let mut sources = Vec::new();
        for task in 0..tasks {
            let inputs = part.inputs_of(task);
            if inputs.is_empty() {
                sources.push(Slot(task as u32));
            }
            for input in inputs {
                let end = &mut ends[input.index()];
                successors[*end as usize] = Slot(task as u32);
                *end += 1;
            }
        }
        let mut marks = vec![Marks::default(); slots];
        let mut mark = |slot: Slot, bit: u8| marks[slot.index()].0 |= bit;
        part.exports.iter().for_each(|export| mark(export.from, Marks::EXPORTED));
        part.outputs.iter().for_each(|(slot, _)| mark(*slot, Marks::OUTPUT));
        part.passes.iter().flat_map(|(_, slots)| slots).for_each(|slot| mark(*slot, Marks::PASS));
        Ok(Wiring { part, calls, successor_ends: ends, successors, marks, sources })
    }

    /// The tasks that read a slot, once for each time that they read it.
    #[inline]
    pub(super) fn readers_of(&self, slot: Slot) -> &[Slot] {
        let at = slot.index();
        let start = if at == 0 { 0 } else { self.successor_ends[at - 1] as usize };
        &self.successors[start..self.successor_ends[at] as usize]
    }

    #[inline]
    pub(super) fn marks(&self, slot: Slot) -> Marks {
        self.marks[slot.index()]
    }

    /// How often passes read a slot, and the client if it keeps the value.
    pub(super) fn other_readers(&self, keep_results: bool) -> impl Iterator<Item = Slot> {
        let kept = move |output: &Output| match output {
            Output::Keep(_) | Output::Hold => true,
            Output::Result(_) => keep_results,
            Output::Notify(_) => false,
        };
        let outputs = self.part.outputs.iter().filter(move |(_, output)| kept(output)).map(|(slot, _)| *slot);
        self.part.passes.iter().flat_map(|(_, slots)| slots).copied().chain(outputs)
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
}
