//! Small simulated worlds: seeded delays of messages and seeded durations of jobs, and the whole state
//! cross-checked after every event.

use crate::client::simulation::{Model, Simulation as World};
use crate::error::Result;
use crate::random::{Seed, Stream};
use crate::task::{Memories, Nodes, RankContext};
use crate::wire;
use std::{collections::HashMap, sync::Arc, time::Duration};

/// How a simulated world looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) ranks: u32,
    pub(super) threads: u64,
    pub(super) rank_zero_computes: bool,
    /// Seeds delays and durations, nothing else.
    pub(super) weather: u64,
}

/// Delays and durations at random, in no relation to any machine.
pub(super) struct Weather {
    stream: Stream,
    /// Messages between two ranks keep their order.
    last: HashMap<(u32, u32), Duration>,
    /// A rank whose jobs take five times as long.
    pub(super) slow_rank: Option<u32>,
}

impl Model for Weather {
    const FRAMES: bool = false;
    const CHECKS: bool = true;
    const MOST_EVENTS: u64 = 2_000_000;

    fn handled(&mut self, _: u32, time: Duration, _: Option<usize>) -> Duration {
        time
    }

    fn arrives(&mut self, from: u32, to: u32, now: Duration, _: usize) -> Duration {
        let delay = Duration::from_micros(self.stream.integers(1, 2_000) as u64);
        let last = self.last.entry((from, to)).or_default();
        *last = (now + delay).max(*last);
        *last
    }

    fn jobs(&self, threads: u64) -> u64 {
        threads
    }

    fn runs(&mut self, rank: u32, now: Duration, tasks: u64) -> (Duration, u64) {
        let slowness = if self.slow_rank == Some(rank) { 5 } else { 1 };
        let end = now + slowness * Duration::from_micros(self.stream.integers(1, 5_000) as u64);
        // What is measured decides how much goes together: anything from next to nothing to a long time.
        let each = 10u64.pow(self.stream.integers(2, 8) as u32);
        (end, tasks * each)
    }
}

pub(super) type Simulation = World<Weather>;

impl Simulation {
    pub(super) fn of(shape: Shape, seed: u64) -> Self {
        Simulation::on_nodes(shape, seed, vec![0; shape.ranks as usize], |_| Memories::default())
    }

    /// As `of`, with the node of each rank, and what the memory of each is like.
    pub(super) fn on_nodes(
        shape: Shape,
        seed: u64,
        node_of: Vec<u32>,
        memories: impl Fn(usize) -> Memories,
    ) -> Self {
        let mut threads = vec![shape.threads; shape.ranks as usize];
        if !shape.rank_zero_computes && shape.ranks > 1 {
            threads[0] = 0;
        }
        let stream = Stream::new(&Seed::from(shape.weather), &[]);
        let weather = Weather { stream, last: HashMap::new(), slow_rank: None };
        let nodes = Arc::new(Nodes::new(node_of));
        let context = |rank| {
            let (seed, nodes, memories) = (Seed::from(seed), Arc::clone(&nodes), memories(rank));
            Arc::new(RankContext { seed, nodes, memories, ..RankContext::for_tests(rank) })
        };
        World::of_contexts(&threads, (0..threads.len()).map(context).collect(), weather)
    }

    /// Everything was brought to an end and nothing is left of it.
    pub(super) fn check_empty(&mut self) {
        self.settle();
        assert_eq!(self.client().core.live_nodes(), 0, "nodes are left");
        assert!(self.scheduler.is_idle(), "{:?}", self.scheduler);
        for worker in &self.workers {
            assert!(worker.is_empty(), "{worker:?}");
        }
    }
}

/// Runs a program's part of the client that does not wait, then the world, and looks at what came back.
pub(super) fn outcome<T: wire::Value>(simulation: &mut Simulation, handle: &crate::Delayed<T>) -> Result<T> {
    outcomes(simulation, &[handle]).remove(0)
}

pub(super) fn outcomes<T: wire::Value>(
    simulation: &mut Simulation,
    handles: &[&crate::Delayed<T>],
) -> Vec<Result<T>> {
    use crate::client::plan::launch;
    use crate::runtime::Want;
    let nodes: Vec<_> = handles.iter().map(|handle| handle.node.id).collect();
    let graph = match launch(&simulation.client().core, &nodes, Want::Result) {
        Ok(graph) => graph,
        Err(error) => return handles.iter().map(|_| Err(error.clone())).collect(),
    };
    simulation.settle();
    let results = simulation.completions.look(|state| state.take_results(graph));
    let results = results.expect("the world is at rest: every result is there");
    results.into_iter().map(crate::client::targets::take).collect()
}
