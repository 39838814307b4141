//! A lazy graph on its way to the ranks, one step at a time.

use super::{
    super::{plan::Planner, walk::Walk},
    Experiment, Simulation,
    machine::Machine,
    scale::Program,
};
use crate::graph::{Dag, Output, Packing, Part, pack, partition};
use crate::runtime::Want;
use crate::scheduler::PassOrder;
use crate::task::{GraphId, PassId};
use std::collections::BTreeMap;

/// A lazy graph and the client that holds it; nobody runs it.
#[allow(missing_debug_implementations)]
pub struct LazyGraph {
    simulation: Simulation<Machine>,
    program: Program,
    ranks: Vec<(u32, usize)>,
}

/// The nodes of a graph in the order of a walk.
#[derive(Debug)]
pub struct Walked {
    walk: Walk,
    dag: Dag,
    outputs: Vec<(u32, Output)>,
}

impl LazyGraph {
    /// Builds the graph of an experiment through the client's API.
    #[must_use]
    pub fn build(experiment: &Experiment) -> Self {
        let Experiment { network, task_time, spread, workers, .. } = *experiment;
        let machine = Machine::new(workers as usize, network, task_time, spread);
        let simulation = Simulation::new(&vec![1; workers as usize], 1, machine);
        let program = Program::build(simulation.client(), experiment);
        LazyGraph { simulation, program, ranks: (0..workers).map(|rank| (rank, 0)).collect() }
    }

    /// Walks what the targets depend on.
    #[must_use]
    pub fn walk(&self) -> Walked {
        let mut arena = self.simulation.client().core.arena();
        let mut walk = Walk::default();
        walk.run(&mut arena, &self.program.targets, &[]).expect("nothing is wrong with it");
        let dag = walk.dag(&arena);
        let nodes = self.program.targets.iter().map(|&target| walk.node(&arena, target));
        let outputs = nodes.zip(0..).map(|(node, token)| (node, Output::Result(token))).collect();
        walk.erase(&mut arena);
        Walked { walk, dag, outputs }
    }

    /// Chooses a rank for every task.
    #[must_use]
    pub fn partition(&self, walked: &Walked) -> Vec<u32> {
        partition(&walked.dag, &self.ranks, |_| u32::MAX)
    }

    /// Packs what each rank is sent; the number of ranks that take part.
    #[must_use]
    pub fn pack(&self, walked: &Walked, owners: &[u32]) -> usize {
        let arena = self.simulation.client().core.arena();
        let packed = pack(&Packing {
            graph: GraphId(0),
            kept: false,
            policy: crate::graph::RunPolicy::default(),
            ranks: self.ranks.len() as u32,
            dag: &walked.dag,
            owners,
            externals: &[],
            functions: arena.functions(),
            call_of: &|task| arena.call(walked.walk.tasks[task]),
            outputs: &walked.outputs,
            first_pass: PassId(0),
            passes: &[],
        });
        packed.parts.len()
    }

    /// What the ranks are sent in the end.
    pub(crate) fn plan(&self) -> (BTreeMap<u32, Part>, Vec<PassOrder>) {
        let core = &self.simulation.client().core;
        let (graph, targets) = (core.next_graph().expect("it is the first"), &self.program.targets);
        let planner = Planner { core, graph, targets, parameters: &[], want: Want::Result, kept: false };
        let plan = planner.plan(&mut core.arena(), |_, _| Ok(())).expect("it can be planned");
        (plan.parts, plan.orders)
    }
}
