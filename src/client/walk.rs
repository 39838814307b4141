//! What a set of targets depends on, inputs before readers, depth first.

use super::arena::{Arena, Node};
use crate::error::{Error, Result};
use crate::graph::{Dag, External};
use crate::task::NodeId;

/// A number of the walk that stands for something behind the tasks.
const EXTERNAL: u32 = 1 << 31;

/// The nodes that a set of targets depends on, numbered: tasks, and what no task makes.
#[derive(Debug, Default)]
pub(super) struct Walk {
    pub(super) tasks: Vec<NodeId>,
    pub(super) externals: Vec<(NodeId, External)>,
    /// The sinks: their number among the externals and their depth.
    pub(super) sinks: Vec<(NodeId, u32, u32)>,
    edges: usize,
    /// How many passes stand one behind the other before a value is there. Without sinks there is no depth.
    task_depths: Vec<u32>,
    external_depths: Vec<u32>,
}

impl Walk {
    /// Walks, and leaves a number at every node; `parameters` may be met.
    pub(super) fn run(&mut self, arena: &mut Arena, targets: &[NodeId], parameters: &[NodeId]) -> Result<()> {
        for &parameter in parameters {
            if arena.mark(parameter).is_none() {
                self.external(arena, parameter, External::Delivered { rank: 0 }, 0);
            }
        }
        // A node stands here twice: when its inputs are to be visited, and, with the bit, when they have been.
        let mut stack: Vec<u32> = Vec::new();
        const INPUTS_ARE_DONE: u32 = 1 << 31;
        let mut of_sink = Vec::new();
        for &target in targets {
            stack.push(target.0);
            while let Some(top) = stack.pop() {
                let id = NodeId(top & !INPUTS_ARE_DONE);
                if arena.mark(id).is_some() {
                    continue;
                }
                if top & INPUTS_ARE_DONE == 0 {
                    let inputs = match arena.node(id) {
                        Node::Task(_) => arena.inputs(id),
                        Node::Sink(sink) => {
                            of_sink.clear();
                            sink.map.inputs(&mut of_sink);
                            &of_sink
                        }
                        Node::Broken(error) => return Err(Error::clone(error)),
                        Node::Parameter => return Err(unbound()),
                        _ => &[],
                    };
                    let before = stack.len();
                    stack.push(top | INPUTS_ARE_DONE);
                    let new = inputs.iter().rev().filter(|&&input| arena.mark(input).is_none());
                    stack.extend(new.map(|input| input.0));
                    if stack.len() > before + 1 {
                        continue;
                    }
                    stack.truncate(before);
                }
                self.number(arena, id);
            }
        }
        Ok(())
    }

    /// Removes the numbers from the nodes.
    pub(super) fn erase(&self, arena: &mut Arena) {
        let externals = self.externals.iter().map(|(id, _)| id);
        self.tasks.iter().chain(externals).for_each(|&id| arena.unmark(id));
    }

    /// Numbers a node whose inputs are numbered.
    fn number(&mut self, arena: &mut Arena, id: NodeId) {
        let external = match arena.node(id) {
            Node::Task(_) => {
                let inputs = arena.inputs(id);
                self.edges += inputs.len();
                if !self.sinks.is_empty() {
                    let depth = self.depth(arena, inputs);
                    self.task_depths.push(depth);
                }
                self.tasks.push(id);
                arena.set_mark(id, self.tasks.len() as u32 - 1);
                return;
            }
            Node::Sink(sink) => {
                let mut inputs = Vec::new();
                sink.map.inputs(&mut inputs);
                let depth = self.depth(arena, &inputs) + 1;
                if self.sinks.is_empty() {
                    self.task_depths = vec![0; self.tasks.len()];
                }
                self.sinks.push((id, self.externals.len() as u32, depth));
                let delivered = match sink.kind.spread() {
                    Some(_) => External::Shared,
                    None => External::Delivered { rank: 0 },
                };
                return self.external(arena, id, delivered, depth);
            }
            Node::Placed { rank, place } => External::On { rank: *rank, place: *place },
            Node::Everywhere { place } => External::Everywhere { place: *place },
            Node::Parameter | Node::Broken(_) | Node::Free => unreachable!("a walk ends at these"),
        };
        self.external(arena, id, external, 0);
    }

    fn external(&mut self, arena: &mut Arena, id: NodeId, external: External, depth: u32) {
        arena.set_mark(id, EXTERNAL | self.externals.len() as u32);
        self.externals.push((id, external));
        self.external_depths.push(depth);
    }

    /// The depth of what reads these nodes.
    fn depth(&self, arena: &Arena, inputs: &[NodeId]) -> u32 {
        let of = |input: &NodeId| {
            let number = arena.mark(*input).expect("inputs come first");
            match number & EXTERNAL {
                0 => self.task_depths.get(number as usize).copied().unwrap_or(0),
                _ => self.external_depths[(number ^ EXTERNAL) as usize],
            }
        };
        inputs.iter().map(of).max().unwrap_or(0)
    }

    /// The number that packing knows a node by.
    pub(super) fn node(&self, arena: &Arena, id: NodeId) -> u32 {
        let number = arena.mark(id).expect("the walk has seen it");
        match number & EXTERNAL {
            0 => number,
            _ => self.tasks.len() as u32 + (number ^ EXTERNAL),
        }
    }

    /// The tasks and who reads what.
    pub(super) fn dag(&self, arena: &Arena) -> Dag {
        let mut dag = Dag::with_capacity(self.tasks.len(), self.edges);
        for &id in &self.tasks {
            dag.push(arena.inputs(id).iter().map(|&input| self.node(arena, input)));
        }
        dag
    }
}

fn unbound() -> Error {
    Error::Usage(
        "this depends on a parameter, which has no value of its own; prepare it (`Client::prepare`) with the \
         parameter, and run it with a value"
            .into(),
    )
}
