//! A rank's own part of a graph, as it is sent.

use crate::task::{Erased, Failure, FnRef, GraphId, PassId, Place, Slot};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What the entry of an explicit task yields.
pub(crate) type CallResult = Result<Arc<dyn Erased>, Failure>;

/// A function that tasks of a graph call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TaskFunction {
    pub(crate) call: FnRef<CallResult>,
    pub(crate) label: Arc<str>,
    /// How often a failed task is run again.
    pub(crate) retries: u32,
}

/// Where the value of a slot that is no task comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Import {
    /// Another rank, a pass or the client sends it.
    Arrives,
    /// It is, or will be, on this rank.
    Here(Place),
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
/// the imports.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) graph: GraphId,
    pub(crate) functions: Vec<TaskFunction>,
    /// Of each task: its function, the end of its constants, the end of its inputs.
    pub(crate) tasks: Vec<(u32, u64, u32)>,
    pub(crate) constants: Vec<u8>,
    pub(crate) inputs: Vec<Slot>,
    pub(crate) imports: Vec<Import>,
    /// Values that other ranks read: each is sent once to each rank. Sorted by slot.
    pub(crate) exports: Vec<(Slot, u32, Place)>,
    /// Sorted by slot.
    pub(crate) outputs: Vec<(Slot, Output)>,
    /// The slots that passes read, in the order in which their stages count them.
    pub(crate) passes: Vec<(PassId, Vec<Slot>)>,
}

impl Part {
    pub(crate) fn new(graph: GraphId) -> Self {
        Part {
            graph,
            functions: Vec::new(),
            tasks: Vec::new(),
            constants: Vec::new(),
            inputs: Vec::new(),
            imports: Vec::new(),
            exports: Vec::new(),
            outputs: Vec::new(),
            passes: Vec::new(),
        }
    }

    pub(crate) fn slots(&self) -> usize {
        self.tasks.len() + self.imports.len()
    }

    /// What the client wants of a slot.
    pub(crate) fn outputs_of(&self, slot: Slot) -> impl Iterator<Item = Output> {
        let first = self.outputs.partition_point(|(of, _)| *of < slot);
        self.outputs[first..].iter().take_while(move |(of, _)| *of == slot).map(|(_, output)| *output)
    }

    /// The inputs of a task.
    pub(crate) fn inputs_of(&self, task: usize) -> &[Slot] {
        let start = if task == 0 { 0 } else { self.tasks[task - 1].2 as usize };
        &self.inputs[start..self.tasks[task].2 as usize]
    }

    /// The bytes of a task's constants.
    pub(crate) fn constants_of(&self, task: usize) -> &[u8] {
        let start = if task == 0 { 0 } else { self.tasks[task - 1].1 as usize };
        &self.constants[start..self.tasks[task].1 as usize]
    }
}
