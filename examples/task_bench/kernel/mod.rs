//! What a task does for a living: the kernels of Task Bench, and what is counted of their work.

mod compute;
mod memory;

use super::uniform::uniform;
use serde::{Deserialize, Serialize};
use std::hint::black_box;

/// A kernel and how much of it each task runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kernel {
    pub(crate) kind: Kind,
    pub(crate) iterations: u64,
    /// Pieces that the scratch is divided into.
    pub(crate) samples: u64,
    /// The width of the range of durations, as a multiple of their mean.
    pub(crate) imbalance: f64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    #[default]
    Empty,
    BusyWait,
    ComputeBound,
    ComputeBound2,
    MemoryBound,
    LoadImbalance,
}

impl Kind {
    /// All kernels, by the names of the command line.
    pub(crate) const ALL: [(&str, Kind); 6] = [
        ("empty", Kind::Empty),
        ("busy_wait", Kind::BusyWait),
        ("compute_bound", Kind::ComputeBound),
        ("compute_bound2", Kind::ComputeBound2),
        ("memory_bound", Kind::MemoryBound),
        ("load_imbalance", Kind::LoadImbalance),
    ];
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = Kind::ALL.iter().find(|(_, kind)| kind == self).map_or("", |(name, _)| name);
        f.pad(name)
    }
}

impl Kernel {
    /// Runs the kernel as task (t, i) of a graph. `scratch` is the memory of column `i`.
    #[inline]
    pub(crate) fn run(&self, graph: u32, t: u32, i: u32, scratch: &mut [u64]) {
        let n = self.iterations;
        match self.kind {
            Kind::Empty => {}
            Kind::BusyWait => _ = black_box(compute::chain(n)),
            Kind::ComputeBound => _ = black_box(compute::fused(n)),
            Kind::ComputeBound2 => _ = black_box(compute::products(n)),
            Kind::MemoryBound => memory::copy_samples(scratch, n, self.samples, u64::from(t)),
            Kind::LoadImbalance => _ = black_box(compute::fused(self.unbalanced(graph, t, i))),
        }
    }

    /// Whether all tasks run as much of the kernel.
    pub(crate) fn is_balanced(&self) -> bool {
        self.kind != Kind::LoadImbalance
    }

    pub(crate) fn uses_scratch(&self) -> bool {
        self.kind == Kind::MemoryBound
    }

    /// Floating-point operations of task (t, i).
    pub(crate) fn flops(&self, graph: u32, t: u32, i: u32) -> u64 {
        match self.kind {
            Kind::Empty | Kind::BusyWait | Kind::MemoryBound => 0,
            Kind::ComputeBound => compute::fused_flops(self.iterations),
            Kind::ComputeBound2 => compute::products_flops(self.iterations),
            Kind::LoadImbalance => compute::fused_flops(self.unbalanced(graph, t, i)),
        }
    }

    /// Bytes that a task reads or writes with this much scratch.
    pub(crate) fn bytes(&self, scratch: usize) -> u64 {
        match self.kind {
            Kind::MemoryBound => scratch as u64 * self.iterations / self.samples.max(1),
            _ => 0,
        }
    }

    /// Iterations of task (t, i): uniformly distributed around the mean, and independent of each other.
    fn unbalanced(&self, graph: u32, t: u32, i: u32) -> u64 {
        let u = uniform(&[graph, t, i].map(i64::from));
        ((1.0 - (u - 0.5) * self.imbalance) * self.iterations as f64).round() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(kind: Kind, iterations: u64) -> Kernel {
        Kernel { kind, iterations, samples: 16, imbalance: 0.0 }
    }

    #[test]
    fn counts() {
        let counts = Kind::ALL.map(|(_, kind)| {
            let kernel = kernel(kind, 10);
            kernel.run(0, 3, 1, &mut [7; 64]);
            (kernel.flops(0, 3, 1), kernel.bytes(512))
        });
        assert_eq!(counts, [(0, 0), (0, 0), (1344, 0), (640, 0), (0, 320), (1344, 0)]);
    }

    #[test]
    fn imbalance_keeps_the_mean() {
        let kernel = Kernel { imbalance: 2.0, ..kernel(Kind::LoadImbalance, 1000) };
        let all: Vec<u64> = (0..2000).map(|t| kernel.unbalanced(0, t, 5)).collect();
        let mean = all.iter().sum::<u64>() / 2000;
        assert!((950..1050).contains(&mean), "{mean}");
        assert!(all.iter().any(|&n| n < 100) && all.iter().any(|&n| n > 1900));
        assert!(all.iter().all(|&n| n <= 2000));
    }
}
