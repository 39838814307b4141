//! A run: from the call of `run` to the end of the last rank.

use super::{
    client::{Client, World},
    launch::Launch,
    mailbox::Mailbox,
    rank::{Rank, RankEvent},
};
use crate::config::{Heuristic, RankZero, Scheduler, Settings};
use crate::error::{Error, Result};
use crate::random::Seed;
use crate::scheduler::{Event, Policy, Scheduler as Head};
use crate::task::{
    Collections, Locals, Memories, Nodes, RankContext, install_hook,
    pipeline::{HeldBytes, Spill},
};
use crate::transport::{Solo, Transport, hostname};
use crate::worker::Executor;
use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
};

/// A launcher may end all processes as soon as one has failed: this long the silent ones wait for the one that
/// says why.
const LAST_WORD: std::time::Duration = std::time::Duration::from_millis(300);

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
        if let Some(here) = crate::task::whereabouts() {
            return Err(Error::Launch(format!(
                "`run` was called by a task (on {here}); a run is begun once, by `main`, and a task cannot begin \
                 another: return what is to be computed next to the program, or submit more tasks from there"
            ))
            .into());
        }
        let launch = Launch::detect(|name| std::env::var(name).ok());
        let settings = Settings::from_environment(std::env::vars_os()).and_then(|environment| {
            let settings = self.settings.or(environment);
            settings.check().map(|()| settings)
        });
        let chosen = settings.map_err(Error::from).and_then(|s| Ok((launch.choose(&s)?, s)));
        // Every process of a world meets the same mistake; the first one tells.
        if chosen.is_err() && launch.number.is_some_and(|number| number > 0) {
            std::thread::sleep(LAST_WORD);
            std::process::exit(1);
        }
        let (scheduler, settings) = chosen?;
        install_hook();
        if cfg!(panic = "abort") {
            crate::notice::warn(
                "this program is built with panic = \"abort\": a task that panics ends the whole job, and its \
                 failure is neither contained nor retried",
            );
        }
        match scheduler {
            Scheduler::Synchronous => alone(&settings, Scheduler::Synchronous, 0, program),
            Scheduler::Threads => {
                let cores = || -> usize { std::thread::available_parallelism().map_or(1, Into::into) };
                let threads = settings.workers.or(settings.threads).unwrap_or_else(cores);
                if threads > cores() {
                    let cores = cores();
                    crate::notice::warn(&format!(
                        "{threads} compute threads share {cores} cores; they will be in each other's way"
                    ));
                }
                alone(&settings, Scheduler::Threads, threads, program)
            }
            #[cfg(feature = "mpi")]
            Scheduler::Processes => {
                let cores = || std::thread::available_parallelism().map_or(1, Into::into);
                let ranks = settings.workers.unwrap_or_else(cores);
                Err(super::launch::relaunch(ranks, settings.mpiexec.as_deref()).into())
            }
            #[cfg(feature = "mpi")]
            Scheduler::Mpi => world(settings, launch, program),
            #[cfg(not(feature = "mpi"))]
            Scheduler::Processes | Scheduler::Mpi => Err(Error::Launch(
                "this program was built without MPI (the feature `mpi` of serried is off); run it as one \
                 process, with the scheduler threads or synchronous"
                    .into(),
            )
            .into()),
        }
    }
}

/// Runs in this process; without threads, tasks run on the thread that called.
fn alone<R, E, F>(settings: &Settings, scheduler: Scheduler, threads: usize, program: F) -> Result<R, E>
where
    F: FnOnce(&Client) -> Result<R, E> + Send,
    R: Send,
    E: From<Error> + Send,
{
    let fresh_seed = settings.seed.is_none();
    let seed = settings.seed.clone().unwrap_or_else(Seed::fresh);
    log::info!("rank 0: scheduler {scheduler}, {} threads, seed {seed}", threads.max(1));
    let context = context(0, hostname(), seed.clone(), Arc::new(Nodes::single()));
    let without = settings.without.unwrap_or_default();
    let world = World {
        ranks: 1,
        workers: vec![0],
        threads: threads.max(1),
        scheduler,
        without,
        spill: spill(settings),
        seed,
        fresh_seed,
    };
    head(Solo, context, threads, vec![threads.max(1) as u64], world, program)
}

fn spill(settings: &Settings) -> Spill {
    Spill { above: settings.spill_above.unwrap_or(1 << 30), folder: settings.scratch.clone() }
}

pub(super) fn context(rank: usize, host: String, seed: Seed, nodes: Arc<Nodes>) -> Arc<RankContext> {
    Arc::new(RankContext {
        rank,
        host,
        seed,
        locals: Locals::default(),
        collections: Collections::default(),
        memories: Memories::default(),
        nodes,
        shuffled: HeldBytes::default(),
    })
}

/// Rank 0: the program on a thread of its own, this thread communicates.
pub(super) fn head<T, R, E, F>(
    transport: T,
    context: Arc<RankContext>,
    threads: usize,
    threads_of_ranks: Vec<u64>,
    world: World,
    program: F,
) -> Result<R, E>
where
    T: Transport,
    F: FnOnce(&Client) -> Result<R, E> + Send,
    R: Send,
    E: From<Error> + Send,
{
    const STACK: usize = 16 << 20;
    let (events, inbox) = crossbeam_channel::unbounded();
    let mut transport = transport;
    let executor = match executor(threads, &context, &events) {
        Ok(executor) => executor,
        // The other ranks serve already.
        Err(error) if transport.size() > 1 => {
            eprintln!("serried: rank 0: {error}");
            transport.abort(1)
        }
        Err(error) => return Err(error.into()),
    };
    let mailbox = Arc::new(Mailbox::default());
    let scheduler = Head::new(threads_of_ranks, Policy::without(world.without));
    let client = Client::new(world, Arc::clone(&context), events.clone(), Arc::clone(&mailbox));
    let rank = Rank::new(transport, context, executor, Some((scheduler, Arc::clone(&mailbox))), inbox);
    let ended = std::thread::scope(|scope| {
        let program = std::thread::Builder::new()
            .name("main".into())
            .stack_size(STACK)
            .spawn_scoped(scope, move || {
                let ended = catch_unwind(AssertUnwindSafe(|| program(&client)));
                // Whatever the program ended in, the ranks leave.
                let _ = events.send(RankEvent::Client(Event::Finish));
                ended
            })
            .map_err(|error| Error::Launch(format!("no thread for the program: {error}")))?;
        let served = catch_unwind(AssertUnwindSafe(|| rank.run()));
        // The program must not wait for a rank that is no more.
        mailbox.close();
        let ended = program.join().map_err(|_| Error::Over);
        served.map_or_else(|panic| resume_unwind(panic), |()| ended)
    })?;
    match ended {
        Ok(result) => result,
        Err(panic) => resume_unwind(panic),
    }
}

pub(super) fn executor(
    threads: usize,
    context: &Arc<RankContext>,
    events: &crossbeam_channel::Sender<RankEvent>,
) -> Result<Option<(Executor, usize)>> {
    if threads == 0 {
        return Ok(None);
    }
    let events = events.clone();
    let report = move |finished| {
        // The rank has left: nobody wants the result.
        let _ = events.send(RankEvent::Finished(finished));
    };
    let executor = Executor::new(threads, context, report)
        .map_err(|error| Error::Launch(format!("no compute threads: {error}")))?;
    Ok(Some((executor, threads)))
}

/// One rank of an MPI world.
#[cfg(feature = "mpi")]
fn world<R, E, F>(settings: Settings, launch: Launch, program: F) -> Result<R, E>
where
    F: FnOnce(&Client) -> Result<R, E> + Send,
    R: Send,
    E: From<Error> + Send,
{
    use crate::transport::{Hello, MpiTransport};
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    let fresh = settings.seed.is_none();
    let seed = settings.seed.clone().unwrap_or_else(Seed::fresh);
    let me = Hello::of_this_process(settings.threads, settings.heartbeat, Some(seed));
    let announced = settings.relaunched.or(launch.announced);
    static BEGUN: AtomicBool = AtomicBool::new(false);
    let again = BEGUN.swap(true, Relaxed);
    let (mut transport, ranks) = match MpiTransport::start(&me, announced) {
        Ok(started) => started,
        // A task, on a thread of its own, or `main` once more.
        Err(error) if again => return Err(Error::Launch(error.to_string()).into()),
        Err(error) => refuse(&error),
    };
    let size = transport.size() as usize;
    let number = transport.rank() as usize;
    let seed = ranks.hellos[0].seed.clone().unwrap_or_else(Seed::fresh);
    let computes = match settings.rank_zero.unwrap_or_default() {
        RankZero::Auto => size <= 32,
        RankZero::Compute => true,
        RankZero::Schedule => size == 1,
    };
    let mut threads = ranks.threads;
    if !computes {
        threads[0] = 0;
    }
    log::info!(
        "rank {number} of {size} on {} (process {}): scheduler mpi, {} threads, seed {seed}",
        me.host,
        me.pid,
        threads[number]
    );
    let context = context(number, me.host, seed.clone(), Arc::new(crate::transport::nodes(&ranks.hellos)));
    if number > 0 {
        let (events, inbox) = crossbeam_channel::unbounded();
        let executor = match executor(threads[number], &context, &events) {
            Ok(executor) => executor,
            Err(error) => {
                eprintln!("serried: rank {number}: {error}");
                transport.abort(1)
            }
        };
        // A panic here is an error of the runtime: the transport ends the job when it is dropped.
        Rank::new(transport, context, executor, None, inbox).run();
        std::process::exit(0);
    }
    if let Some(warning) = crate::transport::oversubscription(&ranks.hellos, &threads) {
        crate::notice::warn(&warning);
    }
    let workers = (0u32..).zip(&threads).filter(|(_, n)| **n > 0).map(|(rank, _)| rank).collect();
    let world = World {
        ranks: size as u32,
        workers,
        threads: threads.iter().sum(),
        scheduler: settings.relaunched.map_or(Scheduler::Mpi, |_| Scheduler::Processes),
        without: settings.without.unwrap_or_default(),
        seed,
        spill: spill(&settings),
        fresh_seed: fresh,
    };
    let threads_of_ranks = threads.iter().map(|&threads| threads as u64).collect();
    head(transport, context, threads[0], threads_of_ranks, world, program)
}

/// Ends this process, as every rank does, with a message unless rank 0 has spoken for all.
#[cfg(feature = "mpi")]
fn refuse(error: &crate::transport::StartError) -> ! {
    match error {
        crate::transport::StartError::Different => std::thread::sleep(LAST_WORD),
        error => eprintln!("serried: {error}"),
    }
    std::process::exit(1)
}
