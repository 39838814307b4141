//! What a rank makes of its part once, for every run of it: who reads what.

use crate::graph::{CallResult, Export, Import, Output, Part};
use crate::task::{Function, FunctionError, Place, Slot};
use std::ops::Range;

/// A part of a graph and what follows from it.
#[derive(Debug)]
pub(crate) struct Wiring {
    pub(super) part: Part,
    pub(super) calls: Vec<Function<CallResult>>,
    /// The end of each slot's readers in `successors`.
    successor_ends: Vec<u32>,
    successors: Vec<Slot>,
    /// Of each slot, 0 if nobody but tasks of this rank reads it, else the number of what is special about
    /// it, counted from 1.
    marks: Vec<u32>,
    specials: Vec<Special>,
    /// The tasks that read nothing.
    pub(super) sources: Vec<Slot>,
}

/// What is special about a slot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Special {
    /// Where in the part's exports and outputs those of the slot are.
    exports: Range<u32>,
    outputs: Range<u32>,
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
        let (marks, specials) = specials(&part);
        Ok(Wiring { part, calls, successor_ends: ends, successors, marks, specials, sources })
    }

    /// The tasks that read a slot, once for each time that they read it.
    #[inline]
    pub(super) fn readers_of(&self, slot: Slot) -> &[Slot] {
        let at = slot.index();
        let start = if at == 0 { 0 } else { self.successor_ends[at - 1] as usize };
        &self.successors[start..self.successor_ends[at] as usize]
    }

    /// Whether nobody but tasks of this rank reads the value.
    #[inline]
    pub(super) fn is_plain(&self, slot: Slot) -> bool {
        self.marks[slot.index()] == 0
    }

    #[inline]
    fn special(&self, slot: Slot) -> Option<&Special> {
        let mark = self.marks[slot.index()] as usize;
        self.specials.get(mark.wrapping_sub(1))
    }

    /// Whether another rank waits for the value, and so goes on the sooner the sooner it has it.
    #[inline]
    pub(super) fn is_exported(&self, slot: Slot) -> bool {
        self.special(slot).is_some_and(|special| !special.exports.is_empty())
    }

    /// Whether another rank or the client waits for the value.
    #[inline]
    pub(super) fn is_awaited(&self, slot: Slot) -> bool {
        self.special(slot).is_some_and(|special| !special.exports.is_empty() || !special.outputs.is_empty())
    }

    /// Who else reads a slot.
    #[inline]
    pub(super) fn exports_of(&self, slot: Slot) -> &[Export] {
        let range = self.special(slot).map(|special| special.exports.clone()).unwrap_or_default();
        &self.part.exports[range.start as usize..range.end as usize]
    }

    /// What the client wants of a slot.
    pub(super) fn outputs_of(&self, slot: Slot) -> &[(Slot, Output)] {
        let range = self.special(slot).map(|special| special.outputs.clone()).unwrap_or_default();
        &self.part.outputs[range.start as usize..range.end as usize]
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

    /// Whether a slot is a value whose bytes come as memory.
    pub(super) fn is_shared(&self, slot: Slot) -> bool {
        let import = slot.index().checked_sub(self.part.tasks.len()).and_then(|at| self.part.imports.get(at));
        import == Some(&Import::Shared)
    }

    /// The imports that are, or will be, on this rank.
    pub(super) fn imports_here(&self) -> Vec<(Slot, Place)> {
        let first = self.part.tasks.len();
        (first..)
            .zip(&self.part.imports)
            .filter_map(|(slot, import)| match import {
                Import::Here(place) => Some((Slot(slot as u32), *place)),
                Import::Arrives | Import::Shared => None,
            })
            .collect()
    }
}

/// The marks of all slots, and what they stand for.
fn specials(part: &Part) -> (Vec<u32>, Vec<Special>) {
    let mut marks = vec![0u32; part.slots()];
    let mut specials: Vec<Special> = Vec::new();
    let mut of = |slot: Slot| {
        let mark = &mut marks[slot.index()];
        if *mark == 0 {
            specials.push(Special::default());
            *mark = specials.len() as u32;
        }
        *mark as usize - 1
    };
    // Both are sorted by slot, so those of one slot stand together.
    let exports: Vec<usize> = part.exports.iter().map(|export| of(export.from)).collect();
    let outputs: Vec<usize> = part.outputs.iter().map(|(slot, _)| of(*slot)).collect();
    for &slot in part.passes.iter().flat_map(|(_, slots)| slots) {
        of(slot);
    }
    let extend = |range: &mut Range<u32>, position: u32| {
        *range = if range.start == range.end { position..position + 1 } else { range.start..position + 1 };
    };
    (0..).zip(exports).for_each(|(position, special)| extend(&mut specials[special].exports, position));
    (0..).zip(outputs).for_each(|(position, special)| extend(&mut specials[special].outputs, position));
    (marks, specials)
}
