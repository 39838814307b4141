//! A rank's own part of a graph, as it is sent.

use crate::task::{Erased, Failure, FnRef, GraphId, PassId, Place, Slot};
use bytemuck::{Pod, Zeroable};
use serde::{Deserialize, Serialize};
use std::{ops::Range, sync::Arc};

/// What the entry of an explicit task yields.
pub(crate) type CallResult = Result<Arc<dyn Erased>, Box<Failure>>;

/// A function that tasks of a graph call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TaskFunction {
    pub(crate) call: FnRef<CallResult>,
    pub(crate) label: Arc<str>,
    /// How often a failed task is run again.
    pub(crate) retries: u32,
}

/// What tasks that are made by the same line of a program have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Shape {
    /// An index into a table of functions.
    pub(crate) function: u32,
    /// The number of values that the task reads.
    pub(crate) inputs: u32,
    /// The bytes of its constants.
    pub(crate) constants: u32,
}

impl Shape {
    /// The words of the record of such a task: the nodes or slots that it reads, then its constants.
    pub(crate) fn words(self) -> usize {
        self.inputs as usize + (self.constants as usize).div_ceil(WORD)
    }

    /// The nodes or slots that a record begins with.
    pub(crate) fn inputs_in(self, record: &[u32]) -> &[u32] {
        &record[..self.inputs as usize]
    }

    /// The bytes that a record ends with.
    pub(crate) fn constants_in(self, record: &[u32]) -> &[u8] {
        let words = &record[self.inputs as usize..self.words()];
        &bytemuck::cast_slice(words)[..self.constants as usize]
    }
}

/// The bytes of a word of a record.
const WORD: usize = size_of::<u32>();

/// Appends constants to a record, filled up to whole words.
pub(crate) fn push_constants(constants: &[u8], record: &mut Vec<u32>) {
    let start = record.len();
    record.resize(start + constants.len().div_ceil(WORD), 0);
    bytemuck::cast_slice_mut(&mut record[start..])[..constants.len()].copy_from_slice(constants);
}

/// A task of a part: an index into its shapes, and where its record begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct TaskEntry {
    pub(crate) shape: u32,
    pub(crate) record: u32,
}

/// Where the value of a slot that is no task comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Import {
    /// Another rank, a pass or the client sends it.
    Arrives,
    /// It is, or will be, on this rank.
    Here(Place),
    /// Its bytes come as memory that the ranks of a node share.
    Shared,
}

/// A value that another rank reads: the slot that it has here, the rank, and the slot that it has there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Export {
    pub(crate) from: Slot,
    pub(crate) rank: u32,
    pub(crate) to: Slot,
}

/// In which order a rank runs ready tasks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunPolicy {
    /// As they become ready, not depth first.
    pub(crate) by_arrival: bool,
    /// A rank begins nothing new, however many bytes it holds, only if this is off.
    pub(crate) unbounded: bool,
}

/// What the client wants of a value. The number is the client's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Output {
    /// The value itself.
    Result(u32),
    /// The value stays on the rank until it is released; the client is told when it is there.
    Keep(u32),
    /// The client is told when the value, which is kept already, is there.
    Notify(u32),
    /// The value stays on the rank until it is released.
    Hold,
}

/// The tasks of one rank and every edge that touches them.
///
/// Slots `0..tasks` are the tasks in an order in which inputs come before readers, the slots behind them
/// the imports. What there is per task is plain old data, which travels as raw bytes: eight bytes and its
/// record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) graph: GraphId,
    /// Whether the part stays, to be run again.
    pub(crate) kept: bool,
    /// Of a part that another rank has lent: the graph there, to which the exports go, and its run.
    pub(crate) lent: Option<(GraphId, u32)>,
    pub(crate) policy: RunPolicy,
    pub(crate) functions: Vec<TaskFunction>,
    #[serde(skip)]
    pub(crate) shapes: Vec<Shape>,
    #[serde(skip)]
    pub(crate) tasks: Vec<TaskEntry>,
    /// Of each task the slots that it reads, in the order of its arguments, and its constants.
    #[serde(skip)]
    pub(crate) records: Vec<u32>,
    pub(crate) imports: Vec<Import>,
    /// Each value is sent once to each rank. Sorted.
    #[serde(skip)]
    pub(crate) exports: Vec<Export>,
    /// Sorted by slot.
    pub(crate) outputs: Vec<(Slot, Output)>,
    /// The number of the first pass.
    pub(crate) first_pass: PassId,
    /// Of each pass, by its number from the first, the slots that it reads, in the order in which its stages
    /// count them.
    pub(crate) passes: Vec<(u32, Vec<Slot>)>,
}

impl Part {
    pub(crate) fn new(graph: GraphId) -> Self {
        Part {
            graph,
            kept: false,
            lent: None,
            policy: RunPolicy::default(),
            functions: Vec::new(),
            shapes: Vec::new(),
            tasks: Vec::new(),
            records: Vec::new(),
            imports: Vec::new(),
            exports: Vec::new(),
            outputs: Vec::new(),
            first_pass: PassId(0),
            passes: Vec::new(),
        }
    }

    pub(crate) fn slots(&self) -> usize {
        self.tasks.len() + self.imports.len()
    }

    pub(crate) fn shape(&self, task: usize) -> Shape {
        self.shapes[self.tasks[task].shape as usize]
    }

    /// The function of a slot, an index into `functions`, if the slot is a task.
    pub(crate) fn function_of(&self, slot: Slot) -> Option<&TaskFunction> {
        let task = self.tasks.get(slot.index())?;
        Some(&self.functions[self.shapes[task.shape as usize].function as usize])
    }

    /// Where in `records` the inputs of a task are.
    pub(crate) fn inputs_range(&self, task: usize) -> Range<usize> {
        let start = self.tasks[task].record as usize;
        start..start + self.shape(task).inputs as usize
    }

    /// The inputs of a task.
    pub(crate) fn inputs_of(&self, task: usize) -> &[Slot] {
        bytemuck::cast_slice(&self.records[self.inputs_range(task)])
    }

    /// The bytes of a task's constants.
    pub(crate) fn constants_of(&self, task: usize) -> &[u8] {
        self.shape(task).constants_in(&self.records[self.tasks[task].record as usize..])
    }
}
