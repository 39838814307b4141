//! Packing: from a partitioned graph to what each rank is sent.

use super::{Dag, Import, Output, Part, TaskFunction};
use crate::task::{GraphId, PassId, Place, Slot};
use std::collections::BTreeMap;

/// A value of the graph that no task of it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum External {
    /// It is on one rank.
    On { rank: u32, place: Place },
    /// It is on every rank, at the same place.
    Everywhere { place: Place },
    /// A pass will deliver it to this rank.
    Delivered { rank: u32 },
}

/// A graph with everything that packing needs to know of it.
pub(crate) struct Packing<'a> {
    pub(crate) graph: GraphId,
    pub(crate) ranks: u32,
    pub(crate) dag: &'a Dag,
    pub(crate) owners: &'a [u32],
    /// The nodes behind the tasks.
    pub(crate) externals: &'a [External],
    pub(crate) functions: &'a [TaskFunction],
    /// The function of each task, an index into `functions`.
    pub(crate) function_of: &'a [u32],
    /// The bytes of each task's constants.
    pub(crate) constants_of: &'a dyn Fn(usize) -> &'a [u8],
    /// What the client wants, by node.
    pub(crate) outputs: &'a [(u32, Output)],
    /// The nodes that each pass reads, on every rank.
    pub(crate) passes: &'a [(PassId, Vec<u32>)],
}

/// The parts of all ranks that take part in a graph, and where each delivered external goes.
#[derive(Debug)]
pub(crate) struct Packed {
    pub(crate) parts: BTreeMap<u32, Part>,
    /// The place of each external on its home rank; none for one that is not read there.
    pub(crate) delivered: Vec<Option<Place>>,
    /// The rank and the place of each output, in the order of the outputs.
    pub(crate) homes: Vec<(u32, Place)>,
}

/// Builds the part of every rank.
pub(crate) fn pack(packing: &Packing<'_>) -> Packed {
    Packer::new(packing).run()
}

struct Packer<'a, 'b> {
    packing: &'b Packing<'a>,
    parts: BTreeMap<u32, Part>,
    /// The slot of each task on its owner.
    slots: Vec<Slot>,
    /// The slot of each value that a rank imports, by (rank, node).
    imported: BTreeMap<(u32, u32), Slot>,
    /// For each rank the function numbers of its own table.
    functions: BTreeMap<(u32, u32), u32>,
}

impl<'a, 'b> Packer<'a, 'b> {
    fn new(packing: &'b Packing<'a>) -> Self {
        let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
        let slots = packing
            .owners
            .iter()
            .map(|&owner| {
                let count = counts.entry(owner).or_default();
                *count += 1;
                Slot(*count - 1)
            })
            .collect();
        let mut parts: BTreeMap<u32, Part> = BTreeMap::new();
        for (&rank, &count) in &counts {
            let mut part = Part::new(packing.graph);
            part.tasks.reserve_exact(count as usize);
            parts.insert(rank, part);
        }
        Packer { packing, parts, slots, imported: BTreeMap::new(), functions: BTreeMap::new() }
    }

    fn run(mut self) -> Packed {
        let packing = self.packing;
        // Imports are numbered behind the tasks, so the number of tasks of each part must be known first.
        let task_counts: BTreeMap<u32, usize> = {
            let mut counts = BTreeMap::new();
            for &owner in packing.owners {
                *counts.entry(owner).or_default() += 1;
            }
            counts
        };
        let imports_start = |rank: u32| task_counts.get(&rank).copied().unwrap_or(0);
        for task in 0..packing.dag.len() {
            let owner = packing.owners[task];
            let inputs: Vec<Slot> = packing
                .dag
                .inputs(task)
                .iter()
                .map(|&node| self.slot_on(owner, node, &imports_start))
                .collect();
            let function = self.function_on(owner, packing.function_of[task]);
            let part = self.parts.get_mut(&owner).expect("every owner has a part");
            part.inputs.extend(inputs);
            part.constants.extend_from_slice((packing.constants_of)(task));
            let inputs_end = u32::try_from(part.inputs.len()).expect("fewer than 2^32 edges on a rank");
            part.tasks.push((function, part.constants.len() as u64, inputs_end));
        }
        for (pass, nodes) in packing.passes {
            for rank in 0..packing.ranks {
                let slots = nodes.iter().map(|&node| self.slot_on(rank, node, &imports_start)).collect();
                self.part(rank).passes.push((*pass, slots));
            }
        }
        let mut homes = Vec::with_capacity(packing.outputs.len());
        for &(node, output) in packing.outputs {
            let home = self.home(node);
            let slot = self.slot_on(home, node, &imports_start);
            self.part(home).outputs.push((slot, output));
            homes.push((home, Place { graph: packing.graph, slot }));
        }
        let tasks = packing.dag.len() as u32;
        let delivered = (0..packing.externals.len() as u32)
            .map(|external| match packing.externals[external as usize] {
                External::Delivered { rank } => {
                    let slot = self.slot_on(rank, tasks + external, &imports_start);
                    Some(Place { graph: packing.graph, slot })
                }
                _ => None,
            })
            .collect();
        for part in self.parts.values_mut() {
            part.exports.sort_unstable();
            part.outputs.sort_by_key(|(slot, _)| *slot);
        }
        Packed { parts: self.parts, delivered, homes }
    }

    fn part(&mut self, rank: u32) -> &mut Part {
        let graph = self.packing.graph;
        self.parts.entry(rank).or_insert_with(|| Part::new(graph))
    }

    /// The rank that has, makes or is given the value.
    fn home(&self, node: u32) -> u32 {
        match self.packing.owners.get(node as usize) {
            Some(&owner) => owner,
            None => match self.packing.externals[node as usize - self.packing.owners.len()] {
                External::On { rank, .. } | External::Delivered { rank } => rank,
                External::Everywhere { .. } => 0,
            },
        }
    }

    /// The slot in which `rank` finds the value of `node`, importing it if need be.
    fn slot_on(&mut self, rank: u32, node: u32, imports_start: &dyn Fn(u32) -> usize) -> Slot {
        let tasks = self.packing.owners.len();
        if (node as usize) < tasks && self.packing.owners[node as usize] == rank {
            return self.slots[node as usize];
        }
        if let Some(&slot) = self.imported.get(&(rank, node)) {
            return slot;
        }
        let external = (node as usize).checked_sub(tasks).map(|e| self.packing.externals[e]);
        let import = match external {
            Some(External::Everywhere { place }) => Import::Here(place),
            Some(External::On { rank: home, place }) if home == rank => Import::Here(place),
            _ => Import::Arrives,
        };
        let start = imports_start(rank);
        let part = self.part(rank);
        let slot = Slot((start + part.imports.len()) as u32);
        part.imports.push(import);
        self.imported.insert((rank, node), slot);
        let home = self.home(node);
        if import == Import::Arrives && home != rank {
            let from = self.slot_on(home, node, imports_start);
            let to = Place { graph: self.packing.graph, slot };
            self.part(home).exports.push((from, rank, to));
        }
        slot
    }

    fn function_on(&mut self, rank: u32, function: u32) -> u32 {
        if let Some(&local) = self.functions.get(&(rank, function)) {
            return local;
        }
        let entry = self.packing.functions[function as usize].clone();
        let part = self.part(rank);
        let local = part.functions.len() as u32;
        part.functions.push(entry);
        self.functions.insert((rank, function), local);
        local
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(dag: &Dag, owners: &[u32], externals: &[External], outputs: &[(u32, Output)]) -> Packed {
        let function_of = vec![0; dag.len()];
        let function = TaskFunction {
            call: crate::task::pipeline::tests_support::any_call(),
            label: "f".into(),
            retries: 0,
        };
        pack(&Packing {
            graph: GraphId(7),
            ranks: 3,
            dag,
            owners,
            externals,
            functions: &[function],
            function_of: &function_of,
            constants_of: &|_| &[1, 2],
            outputs,
            passes: &[],
        })
    }

    #[test]
    fn a_value_is_sent_once_to_each_rank_that_reads_it() {
        let dag: Dag = [vec![], vec![0], vec![0, 0], vec![1, 2]].into_iter().collect();
        let packed = packed(&dag, &[0, 1, 1, 0], &[], &[(3, Output::Result(5))]);
        let (zero, one) = (&packed.parts[&0], &packed.parts[&1]);
        assert_eq!(zero.tasks.len(), 2);
        assert_eq!(zero.inputs_of(1), [Slot(2), Slot(3)]);
        assert_eq!(zero.imports, [Import::Arrives; 2]);
        assert_eq!(zero.exports, [(Slot(0), 1, Place { graph: GraphId(7), slot: Slot(2) })]);
        assert_eq!(zero.outputs, [(Slot(1), Output::Result(5))]);
        assert_eq!(one.inputs_of(0), [Slot(2)]);
        assert_eq!(one.inputs_of(1), [Slot(2), Slot(2)]);
        assert_eq!(one.exports.len(), 2);
        assert_eq!(one.constants_of(1), [1, 2]);
        assert!(!packed.parts.contains_key(&2), "a rank with nothing to do hears nothing");
    }

    #[test]
    fn an_existing_value_is_read_where_it_is_or_sent_by_its_holder() {
        let place = Place { graph: GraphId(1), slot: Slot(4) };
        let dag: Dag = [vec![2], vec![2]].into_iter().collect();
        let packed = packed(&dag, &[1, 2], &[External::On { rank: 1, place }], &[]);
        assert_eq!(packed.parts[&1].imports, [Import::Here(place)]);
        assert_eq!(packed.parts[&2].imports, [Import::Arrives]);
        let to = Place { graph: GraphId(7), slot: Slot(1) };
        assert_eq!(packed.parts[&1].exports, [(Slot(1), 2, to)]);
    }
}
