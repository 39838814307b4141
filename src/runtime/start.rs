//! The start and the end of a run on this rank.

use super::{
    LaunchError, Session, World,
    completions::Completions,
    launch::Launch,
    rank::{Rank, RankEvent},
};
#[cfg(feature = "mpi")]
use crate::config::RankZero;
use crate::config::{Scheduler, Settings};
use crate::random::Seed;
use crate::scheduler::{Event, Policy, Scheduler as Head, placement};
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

/// Runs `program` on rank 0, on a thread of its own; the other ranks serve, and end here.
///
/// # Errors
/// The run cannot begin.
pub(crate) fn begin<R, F>(settings: Settings, program: F) -> Result<R, LaunchError>
where
    F: FnOnce(Session) -> R + Send,
    R: Send,
{
    if let Some(here) = crate::task::whereabouts() {
        return Err(LaunchError::Refused(format!(
            "`run` was called by a task (on {here}); a run is begun once, by `main`, and a task cannot begin \
             another: return what is to be computed next to the program, or submit more tasks from there"
        )));
    }
    let launch = Launch::detect(|name| std::env::var(name).ok());
    let settings = Settings::from_environment(std::env::vars_os()).and_then(|environment| {
        let settings = settings.or(environment);
        settings.check().map(|()| settings)
    });
    let chosen =
        settings.map_err(LaunchError::from).and_then(|settings| Ok((launch.choose(&settings)?, settings)));
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
            Err(super::launch::relaunch(ranks, settings.mpiexec.as_deref()))
        }
        #[cfg(feature = "mpi")]
        Scheduler::Mpi => world(settings, launch, program),
        #[cfg(not(feature = "mpi"))]
        Scheduler::Processes | Scheduler::Mpi => Err(LaunchError::Refused(
            "this program was built without MPI (the feature `mpi` of serried is off); run it as one \
             process, with the scheduler threads or synchronous"
                .into(),
        )),
    }
}

/// Runs in this process; without threads, tasks run on the thread that called.
fn alone<R, F>(
    settings: &Settings,
    scheduler: Scheduler,
    threads: usize,
    program: F,
) -> Result<R, LaunchError>
where
    F: FnOnce(Session) -> R + Send,
    R: Send,
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
        placement: placement(without),
        spill: spill(settings),
        seed,
        fresh_seed,
    };
    head(Solo, context, threads, vec![threads.max(1) as u64], world, program)
}

fn spill(settings: &Settings) -> Spill {
    Spill { above: settings.spill_above.unwrap_or(1 << 30), folder: settings.scratch.clone() }
}

pub(crate) fn context(rank: usize, host: String, seed: Seed, nodes: Arc<Nodes>) -> Arc<RankContext> {
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
pub(crate) fn head<T, R, F>(
    transport: T,
    context: Arc<RankContext>,
    threads: usize,
    threads_of_ranks: Vec<u64>,
    world: World,
    program: F,
) -> Result<R, LaunchError>
where
    T: Transport,
    F: FnOnce(Session) -> R + Send,
    R: Send,
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
        Err(error) => return Err(error),
    };
    let completions = Arc::new(Completions::default());
    let scheduler = Head::new(threads_of_ranks, Policy::without(world.without));
    let session = Session {
        world,
        context: Arc::clone(&context),
        events: events.clone(),
        completions: Arc::clone(&completions),
    };
    let rank = Rank::new(transport, context, executor, Some((scheduler, Arc::clone(&completions))), inbox);
    std::thread::scope(|scope| {
        let program = std::thread::Builder::new()
            .name("main".into())
            .stack_size(STACK)
            .spawn_scoped(scope, move || {
                let ended = catch_unwind(AssertUnwindSafe(|| program(session)));
                // Whatever the program ended in, the ranks leave.
                let _ = events.send(RankEvent::Client(Event::Finish));
                ended
            })
            .map_err(|error| LaunchError::Refused(format!("no thread for the program: {error}")))?;
        let served = catch_unwind(AssertUnwindSafe(|| rank.run()));
        // The program must not wait for a rank that is no more.
        completions.close();
        let ended = program.join().and_then(|ended| ended);
        served.and(ended).map_or_else(|panic| resume_unwind(panic), Ok)
    })
}

pub(crate) fn executor(
    threads: usize,
    context: &Arc<RankContext>,
    events: &crossbeam_channel::Sender<RankEvent>,
) -> Result<Option<(Executor, usize)>, LaunchError> {
    if threads == 0 {
        return Ok(None);
    }
    let events = events.clone();
    let report = move |thread, finished| {
        // The rank has left: nobody wants the result.
        let _ = events.send(RankEvent::Finished(thread, finished));
    };
    let executor = Executor::new(threads, context, report)
        .map_err(|error| LaunchError::Refused(format!("no compute threads: {error}")))?;
    Ok(Some((executor, threads)))
}

/// One rank of an MPI world.
#[cfg(feature = "mpi")]
fn world<R, F>(settings: Settings, launch: Launch, program: F) -> Result<R, LaunchError>
where
    F: FnOnce(Session) -> R + Send,
    R: Send,
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
        Err(error) if again => return Err(LaunchError::Refused(error.to_string())),
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
    let without = settings.without.unwrap_or_default();
    let world = World {
        ranks: size as u32,
        workers,
        threads: threads.iter().sum(),
        scheduler: settings.relaunched.map_or(Scheduler::Mpi, |_| Scheduler::Processes),
        without,
        placement: placement(without),
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
