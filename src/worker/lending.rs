//! Lending tasks to a rank that has nothing to do, and borrowing them.
//!
//! A loan is a part of its own: the tasks, the values that they read, and exports that bring the results back. The
//! lender stays the owner of the tasks, for which it is as if they were running on a thread that is far away.

use super::graph::Graph;
use crate::graph::{Export, Import, Part, Shape, TaskEntry, push_constants};
use crate::task::{GraphId, Outcome, Slot, Stored, contain};
use std::collections::HashMap;

/// Moving a byte takes about this long, in nanoseconds: a gigabyte in a second, which is slow for shared memory and
/// good for a network.
const NANOS_PER_BYTE: f64 = 1.0;
/// What it takes to hand a task over and to bring its result back.
const NANOS_PER_TASK: f64 = 1_000.0;
/// A task is worth moving if it runs this much longer than its inputs travel.
const WORTH: f64 = 2.0;

/// Tasks on their way to another rank, and the values that they read, in the order of the part's imports.
pub(super) struct Loan {
    pub(super) part: Part,
    pub(super) values: Vec<Outcome>,
}

impl Loan {
    /// No tasks.
    pub(super) fn none(name: GraphId, lender: u32) -> Self {
        Draft::new(name, (name, 0)).finish(lender)
    }
}

/// Takes ready tasks of some `nanos` out of a graph, those that would run last; none that is not worth moving.
pub(super) fn lend(graph: &mut Graph, id: GraphId, lender: u32, name: GraphId, nanos: u64) -> Loan {
    let mut draft = Draft::new(name, (id, graph.run));
    let mut left = nanos as f64;
    while left > 0.0
        && let Some((task, function)) = graph.last()
        && let Some(timing) = graph.timings[function as usize]
        && draft.add(graph, task, timing.mean())
    {
        left -= timing.mean();
    }
    draft.finish(lender)
}

struct Draft {
    part: Part,
    values: Vec<Outcome>,
    /// The slot that a value has there, counted from the first import, by the one that it has here.
    imports: HashMap<Slot, u32>,
    functions: HashMap<u32, u32>,
    shapes: HashMap<Shape, u32>,
    lent: Vec<Slot>,
}

impl Draft {
    fn new(name: GraphId, of: (GraphId, u32)) -> Self {
        let mut part = Part::new(name);
        part.lent = Some(of);
        Draft {
            part,
            values: Vec::new(),
            imports: HashMap::new(),
            functions: HashMap::new(),
            shapes: HashMap::new(),
            lent: Vec::new(),
        }
    }

    /// Adds a task if it is worth moving, and gives it out; whether it was.
    fn add(&mut self, graph: &mut Graph, task: Slot, nanos: f64) -> bool {
        let wiring = std::sync::Arc::clone(&graph.wiring);
        let inputs = wiring.part.inputs_of(task.index());
        let mut fresh: Vec<(Slot, Vec<u8>)> = Vec::new();
        let mut bytes = wiring.part.constants_of(task.index()).len();
        for &input in inputs {
            if self.imports.contains_key(&input) || fresh.iter().any(|(slot, _)| *slot == input) {
                continue;
            }
            let Some(Ok(value)) = graph.peek(input) else { return false };
            let mut encoded = Vec::new();
            // A value that cannot travel fails its readers elsewhere, not here.
            if !matches!(contain(|| value.encode(&mut encoded)), Ok(Ok(()))) {
                return false;
            }
            bytes += encoded.len();
            fresh.push((input, encoded));
        }
        if nanos < WORTH * (NANOS_PER_TASK + NANOS_PER_BYTE * bytes as f64) {
            return false;
        }
        for (input, encoded) in fresh {
            self.imports.insert(input, self.values.len() as u32);
            self.values.push(Ok(Stored::from_bytes(encoded)));
        }
        graph.take(task, &mut Vec::new());
        self.write(&wiring.part, task);
        true
    }

    fn write(&mut self, from: &Part, task: Slot) {
        let Draft { part, imports, functions, shapes, lent, .. } = self;
        let shape = from.shape(task.index());
        let function = *functions.entry(shape.function).or_insert_with(|| {
            part.functions.push(from.functions[shape.function as usize].clone());
            part.functions.len() as u32 - 1
        });
        let number = *shapes.entry(Shape { function, ..shape }).or_insert_with(|| {
            part.shapes.push(Shape { function, ..shape });
            part.shapes.len() as u32 - 1
        });
        part.tasks.push(TaskEntry { shape: number, record: part.records.len() as u32 });
        part.records.extend(from.inputs_of(task.index()).iter().map(|input| imports[input]));
        push_constants(from.constants_of(task.index()), &mut part.records);
        lent.push(task);
    }

    fn finish(mut self, lender: u32) -> Loan {
        // Imports are numbered behind the tasks, whose number is known only now.
        let tasks = self.part.tasks.len() as u32;
        for task in 0..tasks as usize {
            let range = self.part.inputs_range(task);
            self.part.records[range].iter_mut().for_each(|input| *input += tasks);
        }
        self.part.imports = vec![Import::Arrives; self.values.len()];
        let exports = (0..tasks).zip(&self.lent);
        self.part.exports =
            exports.map(|(from, &to)| Export { from: Slot(from), rank: lender, to }).collect();
        Loan { part: self.part, values: self.values }
    }
}
