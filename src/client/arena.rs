//! The lazy graph on rank 0: nodes that handles and other nodes hold.

use super::{
    map::{MapNode, SinkKind},
    records::{RecordAt, Records},
};
use crate::error::Error;
use crate::graph::{CallResult, Shape, TaskFunction};
use crate::task::{FnRef, NodeId, Place, Record};
use std::{collections::HashMap, panic::Location, sync::Arc};

/// What a task is called in errors and reports until the user says otherwise.
#[derive(Debug, Clone, Copy)]
pub(super) enum Label {
    /// The function, as `delayed!` was given it.
    Function(&'static str),
    /// Where the task was made.
    Place(&'static Location<'static>),
}

impl Label {
    /// Equal keys stand for equal labels.
    fn key(self) -> (usize, usize) {
        match self {
            Label::Function(name) => (name.as_ptr() as usize, name.len()),
            Label::Place(place) => (std::ptr::from_ref(place) as usize, usize::MAX),
        }
    }

    pub(super) fn text(self) -> String {
        match self {
            Label::Function(name) => name.to_owned(),
            Label::Place(place) => format!("{}:{}", place.file(), place.line()),
        }
    }
}

/// Two offsets of a function, its label and its retries.
type FunctionKey = ((i64, i64), Arc<str>, u32);
/// Two offsets of a function, and the key of a label.
type QuickKey = ((i64, i64), (usize, usize));

/// What a node is.
#[derive(Debug)]
pub(super) enum Node {
    /// A task that was not submitted.
    Task(RecordAt),
    /// What becomes of a map.
    Sink(Box<Sink>),
    /// A value that each run of a kept graph is given.
    Parameter,
    /// A value that is, or will be, on a rank.
    Placed { rank: u32, place: Place },
    /// A value that is on every rank.
    Everywhere { place: Place },
    /// A task that could not be made.
    Broken(Box<Error>),
    /// Room for another node.
    Free,
}

/// The memory of a lazy task is one of these and its record.
const _: () = assert!(size_of::<Entry>() == 24);

/// A sink over a map.
#[derive(Debug)]
pub(super) struct Sink {
    pub(super) map: Arc<MapNode>,
    pub(super) kind: SinkKind,
}

#[derive(Debug)]
struct Entry {
    node: Node,
    holders: u32,
    /// The number that the walk which is under way has given it.
    mark: u32,
}

const UNMARKED: u32 = u32::MAX;

/// All nodes of a client.
#[derive(Debug, Default)]
pub(super) struct Arena {
    entries: Vec<Entry>,
    free: Vec<NodeId>,
    records: Records,
    functions: Vec<TaskFunction>,
    known: HashMap<FunctionKey, u32>,
    quickly_known: HashMap<QuickKey, u32>,
    shapes: Vec<Shape>,
    known_shapes: HashMap<Shape, u32>,
    /// The function that was looked up last, and the shape: in a loop they are the same again.
    last_function: Option<(QuickKey, u32)>,
    last_shape: Option<(Shape, u32)>,
}

/// A node that was replaced by another, and what it held.
#[derive(Debug)]
pub(super) struct Replaced {
    _node: Node,
    pub(super) held: Vec<NodeId>,
}

impl Arena {
    /// Adds a node that one handle holds.
    pub(super) fn add(&mut self, node: Node) -> NodeId {
        let entry = Entry { node, holders: 1, mark: UNMARKED };
        match self.free.pop() {
            Some(id) => {
                self.entries[id.index()] = entry;
                id
            }
            None => {
                // A walk needs the highest bit for itself.
                let id = self.entries.len() as u32;
                assert!(id < 1 << 31, "fewer than 2^31 tasks at a time");
                self.entries.push(entry);
                NodeId(id)
            }
        }
    }

    /// Adds a task. The nodes it reads are held by it from now on.
    pub(super) fn add_task(&mut self, call: FnRef<CallResult>, label: Label, record: &Record) -> NodeId {
        let Ok(constants) = u32::try_from(record.constants.len()) else {
            let problem =
                "the arguments of a task have more than 4 GB; use `Client::broadcast` for what is large";
            return self.add(Node::Broken(Box::new(Error::Usage(problem.into()))));
        };
        let function = self.function(call, label);
        let shape = Shape { function, inputs: record.inputs.len() as u32, constants };
        let number = self.shape(shape);
        for &input in &record.inputs {
            self.hold(input);
        }
        let at = self.records.add(number, &record.inputs, &record.constants, shape);
        self.add(Node::Task(at))
    }

    /// The number of a function, known or new.
    fn function(&mut self, call: FnRef<CallResult>, label: Label) -> u32 {
        let key = (call.identity(), label.key());
        if let Some((last, function)) = self.last_function
            && last == key
        {
            return function;
        }
        let function = match self.quickly_known.get(&key) {
            Some(&function) => function,
            None => {
                let label = label.text().into();
                let function = self.intern(TaskFunction { call, label, retries: 0 });
                self.quickly_known.insert(key, function);
                function
            }
        };
        self.last_function = Some((key, function));
        function
    }

    /// The number of a shape, known or new.
    fn shape(&mut self, shape: Shape) -> u32 {
        if let Some((last, number)) = self.last_shape
            && last == shape
        {
            return number;
        }
        let number = *self.known_shapes.entry(shape).or_insert_with(|| {
            self.shapes.push(shape);
            self.shapes.len() as u32 - 1
        });
        self.last_shape = Some((shape, number));
        number
    }

    pub(super) fn functions(&self) -> &[TaskFunction] {
        &self.functions
    }

    /// What a task reads; nothing for another node.
    pub(super) fn inputs(&self, id: NodeId) -> &[NodeId] {
        let Node::Task(at) = self.node(id) else { return &[] };
        let (shape, record) = self.records.get(*at);
        bytemuck::cast_slice(self.shapes[shape as usize].inputs_in(record))
    }

    /// The function of a task, an index into `functions`, and the bytes of its constants.
    pub(super) fn call(&self, id: NodeId) -> (u32, &[u8]) {
        let Node::Task(at) = self.node(id) else { unreachable!("node {id} is no task") };
        let (shape, record) = self.records.get(*at);
        let shape = self.shapes[shape as usize];
        (shape.function, shape.constants_in(record))
    }

    /// Names what a node is called in errors and reports.
    pub(super) fn set_label(&mut self, id: NodeId, label: &str) {
        match &mut self.entries[id.index()].node {
            Node::Sink(sink) => sink.kind.label = label.to_owned(),
            _ => self.edit_function(id, |function| function.label = label.into()),
        }
    }

    /// Sets how often a failed task is run again. Returns a node to be dropped outside of any lock.
    pub(super) fn set_retries(&mut self, id: NodeId, retries: u32) -> Option<Replaced> {
        if let Node::Sink(_) = self.node(id) {
            let problem = "the elements of a map are retried one by one: use `Map::retries`";
            return Some(self.replace(id, Node::Broken(Box::new(Error::Usage(problem.into())))));
        }
        self.edit_function(id, |function| function.retries = retries);
        None
    }

    /// Gives a task that was not submitted another label or another number of retries.
    fn edit_function(&mut self, id: NodeId, edit: impl FnOnce(&mut TaskFunction)) {
        let &Node::Task(at) = self.node(id) else {
            return;
        };
        let shape = self.shapes[self.records.get(at).0 as usize];
        let mut edited = self.functions[shape.function as usize].clone();
        edit(&mut edited);
        let function = self.intern(edited);
        let number = self.shape(Shape { function, ..shape });
        self.records.set_shape(at, number);
    }

    /// The number of a function, known or new.
    pub(super) fn intern(&mut self, function: TaskFunction) -> u32 {
        let key = (function.call.identity(), Arc::clone(&function.label), function.retries);
        *self.known.entry(key).or_insert_with(|| {
            self.functions.push(function);
            self.functions.len() as u32 - 1
        })
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.entries[id.index()].node
    }

    /// Puts another node in the place of one; returns the old one, with the hold that it had on others.
    pub(super) fn replace(&mut self, id: NodeId, node: Node) -> Replaced {
        let held = self.inputs(id).to_vec();
        let node = std::mem::replace(&mut self.entries[id.index()].node, node);
        if let Node::Task(at) = node {
            self.records.remove(at);
        }
        Replaced { _node: node, held }
    }

    pub(super) fn hold(&mut self, id: NodeId) {
        self.entries[id.index()].holders += 1;
    }

    /// Lets go of a node that somebody else holds as well; whether that was so.
    pub(super) fn let_go_of_shared(&mut self, id: NodeId) -> bool {
        let holders = &mut self.entries[id.index()].holders;
        let shared = *holders > 1;
        *holders -= u32::from(shared);
        shared
    }

    /// Lets go of nodes. Returns those that nobody holds any more, for the caller to drop outside of any
    /// lock; what they held themselves is let go of as well, without recursion.
    pub(super) fn let_go(&mut self, ids: impl IntoIterator<Item = NodeId>) -> Vec<Node> {
        let mut work: Vec<NodeId> = ids.into_iter().collect();
        let mut dropped = Vec::new();
        while let Some(id) = work.pop() {
            let entry = &mut self.entries[id.index()];
            entry.holders -= 1;
            if entry.holders > 0 {
                continue;
            }
            work.extend_from_slice(self.inputs(id));
            self.free.push(id);
            match std::mem::replace(&mut self.entries[id.index()].node, Node::Free) {
                Node::Task(at) => self.records.remove(at),
                node => dropped.push(node),
            }
        }
        dropped
    }

    /// The number that the walk has given a node, if it has seen it.
    pub(super) fn mark(&self, id: NodeId) -> Option<u32> {
        let mark = self.entries[id.index()].mark;
        (mark != UNMARKED).then_some(mark)
    }

    pub(super) fn set_mark(&mut self, id: NodeId, number: u32) {
        self.entries[id.index()].mark = number;
    }

    pub(super) fn unmark(&mut self, id: NodeId) {
        self.entries[id.index()].mark = UNMARKED;
    }

    #[cfg(test)]
    pub(super) fn live(&self) -> usize {
        self.entries.len() - self.free.len()
    }
}
