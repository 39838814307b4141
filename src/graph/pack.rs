//! Packing: from a partitioned graph to what each rank is sent.

use super::{
    Dag, Export, Home, Import, Output, Part, RunPolicy, Shape, TaskEntry, TaskFunction, push_constants,
};
use crate::task::{GraphId, PassId, Place, Slot};
use std::collections::{BTreeMap, HashMap};

/// A value of the graph that no task of it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum External {
    /// It is on one rank.
    On { rank: u32, place: Place },
    /// It is on every rank, at the same place.
    Everywhere { place: Place },
    /// A pass or the client will deliver it to this rank.
    Delivered { rank: u32 },
    /// A pass will deliver to every rank a share of its own.
    Shared,
}

/// A graph with everything that packing needs to know of it.
pub(crate) struct Packing<'a> {
    pub(crate) graph: GraphId,
    /// Whether the ranks keep their parts, to run them again.
    pub(crate) kept: bool,
    pub(crate) policy: RunPolicy,
    pub(crate) ranks: u32,
    pub(crate) dag: &'a Dag,
    pub(crate) owners: &'a [u32],
    /// The nodes behind the tasks.
    pub(crate) externals: &'a [External],
    pub(crate) functions: &'a [TaskFunction],
    /// The function of each task, an index into `functions`, and the bytes of its constants.
    pub(crate) call_of: &'a dyn Fn(usize) -> (u32, &'a [u8]),
    /// What the client wants, by node.
    pub(crate) outputs: &'a [(u32, Output)],
    pub(crate) first_pass: PassId,
    /// The nodes that each pass, by its number from the first, reads on every rank.
    pub(crate) passes: &'a [(u32, Vec<u32>)],
}

/// The parts of all ranks that take part in a graph, and where each delivered external goes.
#[derive(Debug)]
pub(crate) struct Packed {
    pub(crate) parts: BTreeMap<u32, Part>,
    /// Where the passes and the client deliver each external; none for one that is there already.
    pub(crate) delivered: Vec<Option<Home>>,
    /// The rank and the place of each output, in the order of the outputs.
    pub(crate) homes: Vec<(u32, Place)>,
}

/// Builds the part of every rank.
pub(crate) fn pack(packing: &Packing<'_>) -> Packed {
    Packer::new(packing).run()
}

/// The part of a rank in the making.
struct Draft {
    part: Part,
    /// How many tasks the part will have: imports are numbered behind them.
    tasks: u32,
    shapes: HashMap<Shape, u32>,
    functions: HashMap<u32, u32>,
    /// The last shape that was looked up, in the numbers of the whole graph, and its number here.
    last_shape: Option<(Shape, u32)>,
}

struct Packer<'a, 'b> {
    packing: &'b Packing<'a>,
    drafts: Vec<Option<Box<Draft>>>,
    /// The slot of each task on its owner.
    slots: Vec<Slot>,
    imported: Imported,
}

/// The slots of the values that ranks import. Most values are imported by one rank, so the first is found without
/// hashing.
#[derive(Default)]
struct Imported {
    /// Of each node that was imported the rank that did so first, and the slot there.
    first: Vec<Option<(u32, Slot)>>,
    /// The others, by (rank, node).
    others: HashMap<(u32, u32), Slot>,
}

impl Imported {
    fn get(&self, rank: u32, node: u32) -> Option<Slot> {
        match self.first.get(node as usize).copied().flatten() {
            Some((first, slot)) if first == rank => Some(slot),
            Some(_) => self.others.get(&(rank, node)).copied(),
            None => None,
        }
    }

    /// `nodes` is the number of nodes that there are: a graph without imports needs no room for them.
    fn insert(&mut self, nodes: usize, rank: u32, node: u32, slot: Slot) {
        if self.first.is_empty() {
            self.first = vec![None; nodes];
        }
        match &mut self.first[node as usize] {
            Some(_) => {
                self.others.insert((rank, node), slot);
            }
            first => *first = Some((rank, slot)),
        }
    }
}

impl Draft {
    fn new(packing: &Packing<'_>, tasks: u32) -> Box<Self> {
        let mut part = Part::new(packing.graph);
        part.kept = packing.kept;
        part.policy = packing.policy;
        part.first_pass = packing.first_pass;
        part.tasks.reserve_exact(tasks as usize);
        Box::new(Draft { part, tasks, shapes: HashMap::new(), functions: HashMap::new(), last_shape: None })
    }

    /// The number that a shape has in this part.
    fn shape(&mut self, shape: Shape, functions: &[TaskFunction]) -> u32 {
        if let Some((last, number)) = self.last_shape
            && last == shape
        {
            return number;
        }
        let part = &mut self.part;
        let function = *self.functions.entry(shape.function).or_insert_with(|| {
            part.functions.push(functions[shape.function as usize].clone());
            part.functions.len() as u32 - 1
        });
        let number = *self.shapes.entry(shape).or_insert_with(|| {
            part.shapes.push(Shape { function, ..shape });
            part.shapes.len() as u32 - 1
        });
        self.last_shape = Some((shape, number));
        number
    }
}

impl<'a, 'b> Packer<'a, 'b> {
    fn new(packing: &'b Packing<'a>) -> Self {
        let mut counts = vec![0u32; packing.ranks as usize];
        let number = |&owner: &u32| {
            let count = &mut counts[owner as usize];
            *count += 1;
            Slot(*count - 1)
        };
        let slots = packing.owners.iter().map(number).collect();
        let draft = |&tasks: &u32| (tasks > 0).then(|| Draft::new(packing, tasks));
        let drafts = counts.iter().map(draft).collect();
        Packer { packing, drafts, slots, imported: Imported::default() }
    }

    fn run(mut self) -> Packed {
        let packing = self.packing;
        for task in 0..packing.dag.len() {
            self.task(task);
        }
        for (pass, nodes) in packing.passes {
            for rank in 0..packing.ranks {
                let slots = nodes.iter().map(|&node| self.slot_on(rank, node)).collect();
                self.draft(rank).part.passes.push((*pass, slots));
            }
        }
        let mut homes = Vec::with_capacity(packing.outputs.len());
        for &(node, output) in packing.outputs {
            let home = self.home(node);
            let slot = self.slot_on(home, node);
            self.draft(home).part.outputs.push((slot, output));
            homes.push((home, Place { graph: packing.graph, slot }));
        }
        let tasks = packing.dag.len() as u32;
        let delivered = (0..packing.externals.len() as u32)
            .map(|external| match packing.externals[external as usize] {
                External::Delivered { rank } => {
                    let slot = self.slot_on(rank, tasks + external);
                    Some(Home::One { rank, place: Place { graph: packing.graph, slot } })
                }
                External::Shared => {
                    let place = |rank| {
                        let slot = self.slot_on(rank, tasks + external);
                        Place { graph: packing.graph, slot }
                    };
                    Some(Home::Each((0..packing.ranks).map(place).collect()))
                }
                External::On { .. } | External::Everywhere { .. } => None,
            })
            .collect();
        let finish = |(rank, draft): (u32, Option<Box<Draft>>)| {
            let mut part = draft?.part;
            part.exports.sort_unstable();
            part.outputs.sort_by_key(|(slot, _)| *slot);
            Some((rank, part))
        };
        let parts = (0..).zip(self.drafts).filter_map(finish).collect();
        Packed { parts, delivered, homes }
    }

    /// Writes a task into the part of its owner.
    fn task(&mut self, task: usize) {
        let packing = self.packing;
        let owner = packing.owners[task];
        let inputs = packing.dag.inputs(task);
        let (function, constants) = (packing.call_of)(task);
        let shape = Shape { function, inputs: inputs.len() as u32, constants: constants.len() as u32 };
        let draft = self.draft(owner);
        let shape = draft.shape(shape, packing.functions);
        let record = draft.part.records.len();
        let entry = TaskEntry { shape, record: u32::try_from(record).expect("16 GB of records on a rank") };
        draft.part.tasks.push(entry);
        draft.part.records.resize(record + inputs.len(), 0);
        push_constants(constants, &mut draft.part.records);
        for (position, &input) in inputs.iter().enumerate() {
            let slot = self.slot_on(owner, input);
            self.draft(owner).part.records[record + position] = slot.0;
        }
    }

    fn draft(&mut self, rank: u32) -> &mut Draft {
        let packing = self.packing;
        self.drafts[rank as usize].get_or_insert_with(|| Draft::new(packing, 0))
    }

    /// The rank that has, makes or is given the value.
    fn home(&self, node: u32) -> u32 {
        match self.packing.owners.get(node as usize) {
            Some(&owner) => owner,
            None => match self.packing.externals[node as usize - self.packing.owners.len()] {
                External::On { rank, .. } | External::Delivered { rank } => rank,
                External::Everywhere { .. } | External::Shared => 0,
            },
        }
    }

    /// The slot in which `rank` finds the value of `node`, importing it if need be.
    fn slot_on(&mut self, rank: u32, node: u32) -> Slot {
        let tasks = self.packing.owners.len();
        if (node as usize) < tasks && self.packing.owners[node as usize] == rank {
            return self.slots[node as usize];
        }
        if let Some(slot) = self.imported.get(rank, node) {
            return slot;
        }
        let external = (node as usize).checked_sub(tasks).map(|e| self.packing.externals[e]);
        let import = match external {
            Some(External::Everywhere { place }) => Import::Here(place),
            Some(External::On { rank: home, place }) if home == rank => Import::Here(place),
            _ => Import::Arrives,
        };
        let draft = self.draft(rank);
        let slot = Slot(draft.tasks + draft.part.imports.len() as u32);
        draft.part.imports.push(import);
        self.imported.insert(tasks + self.packing.externals.len(), rank, node, slot);
        let home = self.home(node);
        if import == Import::Arrives && home != rank && external != Some(External::Shared) {
            let from = self.slot_on(home, node);
            self.draft(home).part.exports.push(Export { from, rank, to: slot });
        }
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(dag: &Dag, owners: &[u32], externals: &[External], outputs: &[(u32, Output)]) -> Packed {
        let function = TaskFunction {
            call: crate::task::pipeline::tests_support::any_call(),
            label: "f".into(),
            retries: 0,
        };
        pack(&Packing {
            graph: GraphId(7),
            kept: false,
            policy: RunPolicy::default(),
            ranks: 3,
            dag,
            owners,
            externals,
            functions: &[function],
            call_of: &|_| (0, &[1, 2]),
            outputs,
            first_pass: PassId(0),
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
        assert_eq!(zero.exports, [Export { from: Slot(0), rank: 1, to: Slot(2) }]);
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
        assert_eq!(packed.parts[&1].exports, [Export { from: Slot(1), rank: 2, to: Slot(1) }]);
    }
}
