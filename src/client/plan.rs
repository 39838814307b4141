//! From handles to what is sent: walk, partition, pack.

use super::{
    arena::{Arena, Node, Replaced},
    client::Core,
    map::PassBuilder,
    walk::Walk,
};
use crate::config::Heuristic;
use crate::error::{Error, Result};
use crate::graph::{Dag, External, Home, Output, Packing, Part, RunPolicy, pack};
use crate::runtime::Want;
use crate::scheduler::{Event, NOWHERE, PassOrder, Placing, Submission};
use crate::task::{GraphId, NodeId, PassId, Place};
use std::collections::{BTreeMap, HashMap, HashSet, hash_map::Entry};

/// A graph ready to be sent.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) parts: BTreeMap<u32, Part>,
    pub(super) orders: Vec<PassOrder>,
    pub(super) first_pass: PassId,
    /// The rank and the place of each target.
    pub(super) homes: Vec<(u32, Place)>,
    /// The rank and the place of each parameter; none for one that nobody reads.
    pub(super) parameters: Vec<Option<(u32, Place)>>,
}

/// Sends everything that `targets` depend on to the ranks. The tickets are (graph, position in `targets`).
pub(super) fn launch(core: &Core, targets: &[NodeId], want: Want) -> Result<GraphId> {
    let graph = core.next_graph()?;
    let mut arena = core.arena();
    let Plan { parts, orders, homes, .. } =
        Planner { core, graph, targets, parameters: &[], want, kept: false }
            .plan(&mut arena, |_, _| Ok(()))?;
    let submission = Submission { parts, passes: orders, awaited: targets.len(), ..Submission::default() };
    let replaced = match want {
        Want::Keep => place(&mut arena, targets, &homes),
        Want::Result => Vec::new(),
    };
    core.completions.look(|state| state.expect(graph, homes.iter().map(|(rank, _)| *rank), want));
    // While the arena is locked nobody else can tell the ranks anything: they must hear of this graph
    // before one that reads its values, and before the values that it reads are let go of.
    core.send(Event::Submit(graph, submission));
    let held = replaced.iter().flat_map(|replaced| replaced.held.iter().copied());
    let dropped = core.let_go_locked(&mut arena, held);
    drop(arena);
    drop((replaced, dropped));
    Ok(graph)
}

/// Shares stay where they are: only elements that are spread over the ranks in the same way can read them.
fn check_shares(dag: &Dag, walk: &Walk, arena: &Arena, passes: &[PassBuilder]) -> Result<()> {
    let tasks = walk.tasks.len();
    let is_share = |node: u32| {
        let external = (node as usize).checked_sub(tasks);
        external.is_some_and(|external| walk.externals[external].1 == External::Shared)
    };
    if walk.externals.iter().all(|(_, external)| *external != External::Shared) {
        return Ok(());
    }
    let read_by_task = (0..tasks).any(|task| dag.inputs(task).iter().any(|&input| is_share(input)));
    let astray = |pass: &PassBuilder| {
        pass.inputs().iter().any(|&input| match arena.node(input) {
            Node::Sink(sink) => sink.kind.spread().is_some() && sink.kind.spread() != pass.spread(),
            _ => false,
        })
    };
    if read_by_task || passes.iter().any(astray) {
        return Err(Error::Usage(
            "what a shuffle leaves on the ranks can be read only by maps over its buckets, or over as many others \
             (`Shuffled::buckets`)"
                .into(),
        ));
    }
    Ok(())
}

/// The number of tasks that the targets depend on, themselves included.
pub(super) fn task_count(arena: &mut Arena, targets: &[NodeId]) -> Result<usize> {
    let mut walk = Walk::default();
    let walked = walk.run(arena, targets, &[]);
    walk.erase(arena);
    walked.map(|()| walk.tasks.len() + walk.sinks.len())
}

/// From now on the targets are values on ranks. Returns what they were, to be dropped outside the lock.
fn place(arena: &mut Arena, targets: &[NodeId], homes: &[(u32, Place)]) -> Vec<Replaced> {
    let mut before = Vec::new();
    for (&target, &(rank, place)) in targets.iter().zip(homes) {
        if matches!(arena.node(target), Node::Task(_) | Node::Sink(_)) {
            before.push(arena.replace(target, Node::Placed { rank, place }));
        }
    }
    before
}

/// What is to be planned.
pub(super) struct Planner<'a> {
    pub(super) core: &'a Core,
    pub(super) graph: GraphId,
    pub(super) targets: &'a [NodeId],
    pub(super) parameters: &'a [NodeId],
    pub(super) want: Want,
    /// The ranks keep their parts, to run them again.
    pub(super) kept: bool,
}

impl Planner<'_> {
    /// Plans; `look` sees the walk while the nodes bear its numbers.
    pub(super) fn plan(
        &self,
        arena: &mut Arena,
        look: impl FnOnce(&Arena, &Walk) -> Result<()>,
    ) -> Result<Plan> {
        let mut walk = Walk::default();
        let plan = walk
            .run(arena, self.targets, self.parameters)
            .and_then(|()| look(arena, &walk))
            .and_then(|()| self.pack(arena, &mut walk));
        walk.erase(arena);
        plan
    }

    fn pack(&self, arena: &Arena, walk: &mut Walk) -> Result<Plan> {
        let core = self.core;
        let dag = walk.dag(arena);
        let owners = self.owners(&dag, walk);
        let (first_pass, passes) = self.passes(arena, walk)?;
        check_shares(&dag, walk, arena, &passes)?;
        let pass_inputs: Vec<_> = passes
            .iter()
            .filter(|pass| !pass.inputs().is_empty())
            .map(|pass| {
                let inputs = pass.inputs().iter().map(|&id| walk.node(arena, id)).collect();
                (pass.id().0 - first_pass.0, inputs)
            })
            .collect();
        let externals: Vec<External> = walk.externals.iter().map(|(_, external)| *external).collect();
        let packed = pack(&Packing {
            graph: self.graph,
            kept: self.kept,
            policy: RunPolicy {
                by_arrival: core.world.without.has(Heuristic::Order),
                unbounded: core.world.without.has(Heuristic::Bound),
            },
            ranks: core.world.ranks,
            dag: &dag,
            owners: &owners,
            externals: &externals,
            functions: arena.functions(),
            call_of: &|task| arena.call(walk.tasks[task]),
            outputs: &self.outputs(arena, walk),
            first_pass,
            passes: &pass_inputs,
        });
        let delivered =
            |external: u32| packed.delivered[external as usize].clone().expect("a sink is delivered");
        let orders: Result<Vec<PassOrder>> = passes.into_iter().map(|pass| pass.finish(delivered)).collect();
        let parameter = |id: &NodeId| {
            let number = walk.node(arena, *id) as usize - walk.tasks.len();
            match &packed.delivered[number] {
                Some(Home::One { rank, place }) => Some((*rank, *place)),
                _ => None,
            }
        };
        Ok(Plan {
            first_pass,
            orders: orders?,
            parameters: self.parameters.iter().map(parameter).collect(),
            parts: packed.parts,
            homes: packed.homes,
        })
    }

    /// Who runs each task. Parameters are delivered to the rank that reads them most.
    fn owners(&self, dag: &Dag, walk: &mut Walk) -> Vec<u32> {
        let world = &self.core.world;
        let is_parameter = |id: &NodeId| self.parameters.contains(id);
        let home = |(id, external): &(NodeId, External)| match *external {
            External::On { rank, .. } => rank,
            External::Delivered { rank } if !is_parameter(id) => rank,
            _ => NOWHERE,
        };
        let homes: Vec<u32> = walk.externals.iter().map(home).collect();
        let owners = self.core.completions.look(|state| {
            let (ranks, loads) = (&world.workers[..], &state.loads);
            world.placement.place(&Placing { dag, ranks, loads, homes: &homes })
        });
        let first_external = walk.tasks.len() as u32;
        if !self.parameters.is_empty() {
            let mut readers: HashMap<u32, BTreeMap<u32, usize>> = HashMap::new();
            for (task, &owner) in owners.iter().enumerate() {
                for input in dag.inputs(task).iter().filter_map(|input| input.checked_sub(first_external)) {
                    *readers.entry(input).or_default().entry(owner).or_default() += 1;
                }
            }
            for (number, (id, external)) in (0u32..).zip(&mut walk.externals) {
                if self.parameters.contains(id) {
                    let readers = readers.remove(&number).unwrap_or_default();
                    let most =
                        readers.into_iter().max_by_key(|&(rank, reads)| (reads, std::cmp::Reverse(rank)));
                    *external = External::Delivered { rank: most.map_or(0, |(rank, _)| rank) };
                }
            }
        }
        owners
    }

    /// The passes of the sinks; everything at one depth over one source is one pass.
    fn passes(&self, arena: &Arena, walk: &Walk) -> Result<(PassId, Vec<PassBuilder>)> {
        let mut passes: Vec<PassBuilder> = Vec::new();
        let first = self.core.next_passes(0)?;
        let mut by_root: HashMap<(usize, u32), usize> = HashMap::new();
        for &(id, external, depth) in &walk.sinks {
            let Node::Sink(sink) = arena.node(id) else { unreachable!("it was a sink before") };
            let pass = match by_root.entry((sink.map.root(), depth)) {
                Entry::Occupied(pass) => *pass.get(),
                Entry::Vacant(new) => {
                    passes.push(PassBuilder::new(self.core.next_passes(1)?, &sink.map));
                    *new.insert(passes.len() - 1)
                }
            };
            passes[pass].add(sink, external);
        }
        Ok((first, passes))
    }

    /// What the client wants, by node.
    fn outputs(&self, arena: &Arena, walk: &Walk) -> Vec<(u32, Output)> {
        let mut kept = HashSet::new();
        (0u32..)
            .zip(self.targets)
            .map(|(token, &target)| {
                // A value is held for its node once, however often it is asked for.
                let new = !matches!(arena.node(target), Node::Placed { .. } | Node::Everywhere { .. });
                let output = match self.want {
                    Want::Result => Output::Result(token),
                    Want::Keep if new && kept.insert(target) => Output::Keep(token),
                    Want::Keep => Output::Notify(token),
                };
                (walk.node(arena, target), output)
            })
            .collect()
    }
}
