//! What a program on rank 0 is given of its run.

use super::{completions::Completions, rank::RankEvent};
use crate::random::Seed;
use crate::scheduler::Placement;
use crate::task::{RankContext, pipeline::Spill};
use std::sync::Arc;

/// The program's end of a run: what it asks of the ranks goes in as events, and comes back as completions.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) world: World,
    /// That of rank 0.
    pub(crate) context: Arc<RankContext>,
    pub(crate) events: crossbeam_channel::Sender<RankEvent>,
    pub(crate) completions: Arc<Completions>,
}

/// The ranks and the seed of the run.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) ranks: u32,
    /// The ranks that compute.
    pub(crate) workers: Vec<u32>,
    pub(crate) threads: usize,
    pub(crate) scheduler: crate::config::Scheduler,
    pub(crate) without: crate::config::Without,
    pub(crate) placement: Arc<dyn Placement>,
    pub(crate) spill: Spill,
    pub(crate) seed: Seed,
    /// Nobody has chosen the seed, so the user should be told it.
    pub(crate) fresh_seed: bool,
}
