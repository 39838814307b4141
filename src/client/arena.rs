//! The lazy graph on rank 0: nodes that handles and other nodes hold.

use super::map::{MapNode, SinkKind};
use crate::error::Error;
use crate::graph::{CallResult, TaskFunction};
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
    Task { function: u32, constants: Box<[u8]>, inputs: Box<[NodeId]> },
    /// What becomes of a map.
    Sink(Box<Sink>),
    /// A value that is, or will be, on a rank.
    Placed { rank: u32, place: Place },
    /// A value that is on every rank.
    Everywhere { place: Place },
    /// A task that could not be made.
    Broken(Error),
    /// Room for another node.
    Free,
}

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
    /// The plan that saw the node last, and its number there.
    mark: (u64, u32),
}

/// All nodes of a client.
#[derive(Debug, Default)]
pub(super) struct Arena {
    entries: Vec<Entry>,
    free: Vec<NodeId>,
    pub(super) functions: Vec<TaskFunction>,
    known: HashMap<FunctionKey, u32>,
    quickly_known: HashMap<QuickKey, u32>,
    epoch: u64,
}

impl Arena {
    /// Adds a node that one handle holds. The nodes it reads are held by it from now on.
    pub(super) fn add(&mut self, node: Node) -> NodeId {
        if let Node::Task { inputs, .. } = &node {
            for &input in inputs {
                self.hold(input);
            }
        }
        let entry = Entry { node, holders: 1, mark: (0, 0) };
        match self.free.pop() {
            Some(id) => {
                self.entries[id.index()] = entry;
                id
            }
            None => {
                let id = u32::try_from(self.entries.len()).expect("fewer than 2^32 tasks at a time");
                self.entries.push(entry);
                NodeId(id)
            }
        }
    }

    /// Adds a task.
    pub(super) fn add_task(&mut self, call: FnRef<CallResult>, label: Label, record: Record) -> NodeId {
        let key = (call.identity(), label.key());
        let function = match self.quickly_known.get(&key) {
            Some(&function) => function,
            None => {
                let label = label.text().into();
                let function = self.intern(TaskFunction { call, label, retries: 0 });
                self.quickly_known.insert(key, function);
                function
            }
        };
        self.add(Node::Task {
            function,
            constants: record.constants.into_boxed_slice(),
            inputs: record.inputs.into_boxed_slice(),
        })
    }

    /// Names what a node is called in errors and reports.
    pub(super) fn set_label(&mut self, id: NodeId, label: &str) {
        match &mut self.entries[id.index()].node {
            Node::Sink(sink) => sink.kind.label = label.to_owned(),
            _ => self.edit_function(id, |function| function.label = label.into()),
        }
    }

    /// Sets how often a failed task is run again. Returns a node to be dropped outside of any lock.
    pub(super) fn set_retries(&mut self, id: NodeId, retries: u32) -> Option<Node> {
        if let Node::Sink(_) = self.node(id) {
            let problem = "the elements of a map are retried one by one: use `Map::retries`";
            return Some(self.replace(id, Node::Broken(Error::Usage(problem.into()))));
        }
        self.edit_function(id, |function| function.retries = retries);
        None
    }

    /// Gives a task that was not submitted another label or another number of retries.
    fn edit_function(&mut self, id: NodeId, edit: impl FnOnce(&mut TaskFunction)) {
        let Node::Task { function, .. } = self.node(id) else {
            return;
        };
        let mut edited = self.functions[*function as usize].clone();
        edit(&mut edited);
        let edited = self.intern(edited);
        if let Node::Task { function, .. } = &mut self.entries[id.index()].node {
            *function = edited;
        }
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
    pub(super) fn replace(&mut self, id: NodeId, node: Node) -> Node {
        std::mem::replace(&mut self.entries[id.index()].node, node)
    }

    pub(super) fn hold(&mut self, id: NodeId) {
        self.entries[id.index()].holders += 1;
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
            let node = std::mem::replace(&mut entry.node, Node::Free);
            self.free.push(id);
            match node {
                Node::Task { inputs, .. } => work.extend(inputs),
                node => dropped.push(node),
            }
        }
        dropped
    }

    /// Begins a new walk: no node is marked.
    pub(super) fn begin_walk(&mut self) {
        self.epoch += 1;
    }

    pub(super) fn mark(&self, id: NodeId) -> Option<u32> {
        let (epoch, number) = self.entries[id.index()].mark;
        (epoch == self.epoch).then_some(number)
    }

    pub(super) fn set_mark(&mut self, id: NodeId, number: u32) {
        self.entries[id.index()].mark = (self.epoch, number);
    }

    #[cfg(test)]
    pub(super) fn live(&self) -> usize {
        self.entries.len() - self.free.len()
    }
}
