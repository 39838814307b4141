//! From handles to a submission: walk, partition, pack.

use super::{
    arena::{Arena, Node},
    client::Core,
    map::PassBuilder,
};
use crate::error::Result;
use crate::graph::{Dag, External, Output, Packing, pack, partition};
use crate::scheduler::{Event, PassOrder, Submission};
use crate::task::{GraphId, NodeId, Place};
use std::collections::HashMap;

/// What is wanted of the targets' values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// The values, on rank 0.
    Result,
    /// The values stay where they are made.
    Keep,
}

/// Sends everything that `targets` depend on to the ranks. The tickets are (graph, position in `targets`).
pub(super) fn launch(core: &Core, targets: &[NodeId], want: Want) -> Result<GraphId> {
    let graph = core.next_graph();
    let mut arena = core.arena();
    let mut walk = Walk::default();
    walk.run(&mut arena, targets)?;
    let (submission, homes) = walk.pack(core, &arena, graph, targets, want)?;
    let replaced = match want {
        Want::Keep => place(&mut arena, targets, &homes),
        Want::Result => Vec::new(),
    };
    core.mailbox.look(|letters| letters.expect(graph, homes.iter().map(|(rank, _)| *rank), want));
    // While the arena is locked nobody else can tell the ranks anything: they must hear of this graph
    // before one that reads its values, and before the values that it reads are let go of.
    core.send(Event::Submit(graph, submission));
    let dropped = core.let_go_locked(&mut arena, replaced.iter().flat_map(held_by));
    drop(arena);
    drop((replaced, dropped));
    Ok(graph)
}

/// The nodes that a node held.
fn held_by(node: &Node) -> Vec<NodeId> {
    match node {
        Node::Task { inputs, .. } => inputs.to_vec(),
        _ => Vec::new(),
    }
}

/// From now on the targets are values on ranks. Returns what they were, to be dropped outside the lock.
fn place(arena: &mut Arena, targets: &[NodeId], homes: &[(u32, Place)]) -> Vec<Node> {
    let mut before = Vec::new();
    for (&target, &(rank, place)) in targets.iter().zip(homes) {
        if matches!(arena.node(target), Node::Task { .. } | Node::Sink(_)) {
            before.push(arena.replace(target, Node::Placed { rank, place }));
        }
    }
    before
}

/// A node of the walk: a task of the graph, or something behind the tasks.
const EXTERNAL: u32 = 1 << 31;

/// The nodes that a set of targets depends on, inputs before readers, depth first.
#[derive(Default)]
struct Walk {
    tasks: Vec<NodeId>,
    externals: Vec<External>,
    /// The sinks, with their number among the externals and their depth.
    sinks: Vec<(NodeId, u32, u32)>,
    /// How many passes stand one behind the other before a value is there.
    task_depths: Vec<u32>,
    external_depths: Vec<u32>,
}

impl Walk {
    fn run(&mut self, arena: &mut Arena, targets: &[NodeId]) -> Result<()> {
        arena.begin_walk();
        let mut stack: Vec<(NodeId, bool)> = Vec::new();
        let mut inputs = Vec::new();
        for &target in targets {
            stack.push((target, false));
            while let Some((id, inputs_are_done)) = stack.pop() {
                if arena.mark(id).is_some() {
                    continue;
                }
                if !inputs_are_done {
                    inputs.clear();
                    match arena.node(id) {
                        Node::Task { inputs: of_task, .. } => inputs.extend_from_slice(of_task),
                        Node::Sink(sink) => sink.map.inputs(&mut inputs),
                        Node::Broken(error) => return Err(error.clone()),
                        _ => {}
                    }
                    inputs.retain(|&input| arena.mark(input).is_none());
                    if !inputs.is_empty() {
                        stack.push((id, true));
                        stack.extend(inputs.iter().rev().map(|&input| (input, false)));
                        continue;
                    }
                }
                self.number(arena, id);
            }
        }
        Ok(())
    }

    /// Numbers a node whose inputs are numbered.
    fn number(&mut self, arena: &mut Arena, id: NodeId) {
        let depth_of = |walk: &Walk, input: &NodeId| {
            let number = arena.mark(*input).expect("inputs come first");
            match number & EXTERNAL {
                0 => walk.task_depths[number as usize],
                _ => walk.external_depths[(number ^ EXTERNAL) as usize],
            }
        };
        let external = match arena.node(id) {
            Node::Task { inputs, .. } => {
                let depth = inputs.iter().map(|input| depth_of(self, input)).max().unwrap_or(0);
                self.task_depths.push(depth);
                self.tasks.push(id);
                let number = self.tasks.len() as u32 - 1;
                arena.set_mark(id, number);
                return;
            }
            Node::Sink(sink) => {
                let mut inputs = Vec::new();
                sink.map.inputs(&mut inputs);
                let depth = inputs.iter().map(|input| depth_of(self, input)).max().unwrap_or(0) + 1;
                self.sinks.push((id, self.externals.len() as u32, depth));
                self.external_depths.push(depth);
                External::Delivered { rank: 0 }
            }
            Node::Placed { rank, place } => {
                self.external_depths.push(0);
                External::On { rank: *rank, place: *place }
            }
            Node::Everywhere { place } => {
                self.external_depths.push(0);
                External::Everywhere { place: *place }
            }
            Node::Broken(_) | Node::Free => unreachable!("a walk ends at broken nodes"),
        };
        let number = EXTERNAL | self.externals.len() as u32;
        self.externals.push(external);
        arena.set_mark(id, number);
    }

    /// The number that packing knows a node by.
    fn node(&self, arena: &Arena, id: NodeId) -> u32 {
        let number = arena.mark(id).expect("the walk has seen it");
        match number & EXTERNAL {
            0 => number,
            _ => self.tasks.len() as u32 + (number ^ EXTERNAL),
        }
    }

    fn pack(
        &self,
        core: &Core,
        arena: &Arena,
        graph: GraphId,
        targets: &[NodeId],
        want: Want,
    ) -> Result<(Submission, Vec<(u32, Place)>)> {
        let mut dag = Dag::default();
        for &id in &self.tasks {
            let Node::Task { inputs, .. } = arena.node(id) else { unreachable!() };
            dag.push(inputs.iter().map(|&input| self.node(arena, input)));
        }
        let by_load = core.mailbox.look(|letters| letters.by_load(&core.world.workers));
        let first_external = self.tasks.len() as u32;
        let owners = partition(&dag, &by_load, |node| {
            match self.externals[(node - first_external) as usize] {
                External::On { rank, .. } | External::Delivered { rank } => rank,
                // It is everywhere: no reason to prefer any rank. A rank that does not exist says so.
                External::Everywhere { .. } => u32::MAX,
            }
        });
        let mut passes: Vec<PassBuilder> = Vec::new();
        let first_pass = core.next_passes(0);
        let mut by_root: HashMap<(usize, u32), usize> = HashMap::new();
        for &(id, external, depth) in &self.sinks {
            let Node::Sink(sink) = arena.node(id) else { unreachable!() };
            let root = (sink.map.root(), depth);
            let pass = *by_root.entry(root).or_insert_with(|| {
                passes.push(PassBuilder::new(core.next_passes(1), &sink.map));
                passes.len() - 1
            });
            passes[pass].add(sink, external);
        }
        let pass_inputs: Vec<_> = passes
            .iter()
            .filter(|pass| !pass.inputs().is_empty())
            .map(|pass| {
                (pass.id().0 - first_pass.0, pass.inputs().iter().map(|&id| self.node(arena, id)).collect())
            })
            .collect();
        let mut kept = std::collections::HashSet::new();
        let outputs: Vec<(u32, Output)> = (0u32..)
            .zip(targets)
            .map(|(token, &target)| {
                // A value is held for its node once, however often it is asked for.
                let new = !matches!(arena.node(target), Node::Placed { .. } | Node::Everywhere { .. });
                let output = match want {
                    Want::Result => Output::Result(token),
                    Want::Keep if new && kept.insert(target) => Output::Keep(token),
                    Want::Keep => Output::Notify(token),
                };
                (self.node(arena, target), output)
            })
            .collect();
        let packed = pack(&Packing {
            graph,
            kept: false,
            ranks: core.world.ranks,
            dag: &dag,
            owners: &owners,
            externals: &self.externals,
            functions: &arena.functions,
            call_of: &|task| match arena.node(self.tasks[task]) {
                Node::Task { function, constants, .. } => (*function, constants),
                _ => unreachable!("it was a task before"),
            },
            outputs: &outputs,
            first_pass,
            passes: &pass_inputs,
        });
        let homes = packed.homes;
        let orders: Result<Vec<PassOrder>> = passes
            .into_iter()
            .map(|pass| {
                pass.finish(|external| packed.delivered[external as usize].expect("a sink is delivered"))
            })
            .collect();
        let submission = Submission {
            parts: packed.parts,
            passes: orders?,
            awaited: targets.len(),
            ..Submission::default()
        };
        Ok((submission, homes))
    }
}
