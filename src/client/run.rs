//! The call that begins a run, and its settings.

use super::client::Client;
use crate::config::{Heuristic, RankZero, Scheduler, Settings};
use crate::error::{Error, Result};
use crate::random::Seed;
use crate::runtime;

/// Runs `program` on rank 0 while the other ranks serve; see [`Builder::run`].
///
/// ```
/// use serried::prelude::*;
///
/// fn main() -> serried::Result<()> {
///     serried::run(|client| {
///         let squares = client.map(|i| i * i, 0..1000u64);
///         println!("{}", squares.reduce(|a, b| a + b).compute()?);
///         Ok(())
///     })
/// }
/// ```
///
/// # Errors
/// As for [`Builder::run`].
pub fn run<R, E, F>(program: F) -> Result<R, E>
where
    F: FnOnce(&Client) -> Result<R, E> + Send,
    R: Send,
    E: From<Error> + Send,
{
    Builder::new().run(program)
}

/// Settings of a run, made in the program. What is not set here is taken from the environment, and then from
/// how the program was launched.
///
/// | here | environment | default |
/// |---|---|---|
/// | [`scheduler`](Self::scheduler) | `SERRIED_SCHEDULER` | `mpi` under a launcher, else `threads` |
/// | [`workers`](Self::workers) | `SERRIED_WORKERS` | the cores that the process may use |
/// | [`threads`](Self::threads) | `SERRIED_THREADS` | the rank's share of its host's cores |
/// | [`seed`](Self::seed) | `SERRIED_SEED` | fresh, and told when it is first used |
/// | [`rank_zero`](Self::rank_zero) | `SERRIED_RANK0` | `auto`: rank 0 computes in a world of up to 32 ranks |
/// | [`without`](Self::without) | `SERRIED_WITHOUT` | nothing is switched off |
/// | [`spill_above`](Self::spill_above) | `SERRIED_SPILL_ABOVE` | 1 GiB on each rank |
/// | [`scratch`](Self::scratch) | `SERRIED_SCRATCH` | the system's folder for temporary files |
/// | | `SERRIED_MPIEXEC` | the `mpiexec` of the MPI library, for `processes` |
/// | | `SERRIED_HEARTBEAT` | 30: seconds of silence after which a host is taken for dead; 0 for never |
#[derive(Debug, Clone, Default)]
pub struct Builder {
    settings: Settings,
}

impl Builder {
    /// Nothing is set.
    #[must_use]
    pub fn new() -> Self {
        Builder::default()
    }

    /// Where tasks run.
    #[must_use]
    pub fn scheduler(mut self, scheduler: Scheduler) -> Self {
        self.settings.scheduler = Some(scheduler);
        self
    }

    /// The threads of the scheduler `threads`, or the ranks, rank 0 included, of `processes`. Under `mpi`
    /// the launcher says how many ranks there are.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.settings.workers = Some(workers);
        self
    }

    /// The compute threads of each rank.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.settings.threads = Some(threads);
        self
    }

    /// The seed of all random streams of the run.
    #[must_use]
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.settings.seed = Some(seed.into());
        self
    }

    /// Whether rank 0 computes besides scheduling.
    #[must_use]
    pub fn rank_zero(mut self, rank_zero: RankZero) -> Self {
        self.settings.rank_zero = Some(rank_zero);
        self
    }

    /// Switches something off that the runtime decides for itself; may be called for several.
    #[must_use]
    pub fn without(mut self, heuristic: Heuristic) -> Self {
        self.settings.without.get_or_insert_default().add(heuristic);
        self
    }

    /// How many bytes of shuffled values a rank holds in memory at most; what is more goes to a file on its node.
    #[must_use]
    pub fn spill_above(mut self, bytes: u64) -> Self {
        self.settings.spill_above = Some(bytes);
        self
    }

    /// The folder for files that hold what memory does not: on a disk of each node, with room. Nothing is left
    /// there, however the program ends.
    #[must_use]
    pub fn scratch(mut self, folder: impl Into<std::path::PathBuf>) -> Self {
        self.settings.scratch = Some(folder.into());
        self
    }

    /// Runs `program` on rank 0, on a thread of its own, while the other ranks serve.
    ///
    /// On the other ranks the call does not return: they end when rank 0's program does. So what stands
    /// before it in `main` runs on every rank and should have no effects outside the process, and what
    /// stands behind it runs on rank 0 only. In one process it may be called again; in a world of several
    /// ranks it can be called once, and MPI is initialised by it and not by the program. A communicator of
    /// one's own is not available to tasks.
    ///
    /// # Errors
    /// What `program` returns. [`Error::Settings`] and [`Error::Launch`] if the run cannot begin; the
    /// message says what to do.
    ///
    /// # Panics
    /// If `program` panics, with its panic, after the other ranks have been told to leave.
    pub fn run<R, E, F>(self, program: F) -> Result<R, E>
    where
        F: FnOnce(&Client) -> Result<R, E> + Send,
        R: Send,
        E: From<Error> + Send,
    {
        let program = |session| program(&Client::new(session));
        runtime::begin(self.settings, program).map_err(Error::from)?
    }
}
