//! The compute threads of a rank.
//!
//! They are a rayon pool, so that a task may use rayon itself. A rayon thread that waits inside a task runs
//! whatever its pool has queued; if our jobs were queued there, one task could start on top of another's
//! stack, and hold it up or dead-lock with its locks. So they are not: each thread of the pool runs one
//! endless loop, which takes jobs from a queue of our own, always at the bottom of its stack, and while it
//! has none lends itself to the pool.

use super::{Finished, Job};
use crate::task::{RankContext, contain_thread, settle};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use rayon::{ThreadPool, ThreadPoolBuilder, Yield};
use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// Runs jobs on the compute threads and reports each through a function.
#[derive(Debug)]
pub(crate) struct Executor {
    queue: Sender<Work>,
    threads: usize,
    /// Jobs given out and not reported.
    pending: usize,
    busy_since: Option<Instant>,
    shared: Arc<Shared>,
    _pool: ThreadPool,
}

enum Work {
    Run(Box<Job>),
    /// Somebody's task has run for a while and may have pieces to lend a hand with.
    Help,
}

#[derive(Debug, Default)]
struct Shared {
    running: AtomicUsize,
    asleep: AtomicUsize,
}

/// A job that runs longer than this may well be using rayon: idle threads look for pieces of it.
const HELP_AFTER: Duration = Duration::from_millis(2);
/// Tasks have as much stack as a main thread, and more.
const STACK: usize = 16 << 20;
const SHORTEST_NAP: Duration = Duration::from_micros(20);
const LONGEST_NAP: Duration = Duration::from_millis(1);

impl Executor {
    /// Starts `threads` compute threads; `report` is called on them.
    pub(crate) fn new(
        threads: usize,
        context: &Arc<RankContext>,
        report: impl Fn(usize, Finished) + Send + Sync + 'static,
    ) -> Result<Self, rayon::ThreadPoolBuildError> {
        let (queue, jobs) = crossbeam_channel::unbounded();
        let rank = context.rank;
        let settler = Arc::clone(context);
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .stack_size(STACK)
            .panic_handler(|_| {
                eprintln!("serried: a compute thread panicked outside of any task; this is a bug of serried");
                std::process::abort();
            })
            .thread_name(move |thread| format!("serried-{rank}-{thread}"))
            .start_handler(move |thread| {
                IS_COMPUTE_THREAD.set(true);
                contain_thread();
                settle(&settler, thread);
            })
            .build()?;
        let shared = Arc::new(Shared::default());
        let runner = Runner {
            jobs,
            context: Arc::clone(context),
            shared: Arc::clone(&shared),
            report: Arc::new(report),
        };
        pool.spawn_broadcast(move |_| runner.run());
        Ok(Executor { queue, threads, pending: 0, busy_since: None, shared, _pool: pool })
    }

    /// Whether another job would find a thread soon: as many as the threads may wait, so that no thread has
    /// to.
    pub(crate) fn wants_more(&self) -> bool {
        self.pending < 2 * self.threads
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.pending == 0
    }

    pub(crate) fn submit(&mut self, job: Job) {
        if self.pending == 0 {
            self.busy_since = Some(Instant::now());
        }
        self.pending += 1;
        self.send(Work::Run(Box::new(job)));
    }

    /// A job was reported.
    pub(crate) fn finished(&mut self) {
        self.pending -= 1;
        self.busy_since = (self.pending > 0).then(Instant::now);
    }

    /// When the executor wants to be ticked, if it does.
    pub(crate) fn next_tick(&self) -> Option<Duration> {
        self.busy_since.map(|since| (HELP_AFTER + SHORTEST_NAP).saturating_sub(since.elapsed()))
    }

    /// Wakes sleeping threads if a job has been running for a while.
    pub(crate) fn tick(&mut self) {
        if self.busy_since.is_some_and(|since| since.elapsed() > HELP_AFTER) {
            for _ in 0..self.shared.asleep.load(Ordering::Relaxed) {
                self.send(Work::Help);
            }
            self.busy_since = None;
        }
    }

    fn send(&self, work: Work) {
        self.queue.send(work).expect("the compute threads live as long as the executor");
    }
}

thread_local! {
    static IS_COMPUTE_THREAD: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread may wait for the communicating one; a job may run on that one, too.
pub(super) fn is_compute_thread() -> bool {
    IS_COMPUTE_THREAD.get()
}

struct Runner<F> {
    jobs: Receiver<Work>,
    context: Arc<RankContext>,
    shared: Arc<Shared>,
    report: Arc<F>,
}

impl<F: Fn(usize, Finished)> Runner<F> {
    fn run(&self) {
        let thread = rayon::current_thread_index().unwrap_or(0);
        let mut nap = SHORTEST_NAP;
        loop {
            match self.next(&mut nap) {
                Ok(Work::Run(job)) => {
                    nap = SHORTEST_NAP;
                    self.shared.running.fetch_add(1, Ordering::Relaxed);
                    let finished = job.run(&self.context);
                    self.shared.running.fetch_sub(1, Ordering::Relaxed);
                    (self.report)(thread, finished);
                }
                Ok(Work::Help) => {}
                Err(()) => return,
            }
        }
    }

    fn next(&self, nap: &mut Duration) -> Result<Work, ()> {
        match self.jobs.try_recv() {
            Ok(work) => return Ok(work),
            Err(TryRecvError::Disconnected) => return Err(()),
            Err(TryRecvError::Empty) => {}
        }
        if self.shared.running.load(Ordering::Relaxed) == 0 {
            self.shared.asleep.fetch_add(1, Ordering::Relaxed);
            let work = self.jobs.recv().map_err(drop);
            self.shared.asleep.fetch_sub(1, Ordering::Relaxed);
            return work;
        }
        if rayon::yield_now() == Some(Yield::Executed) {
            *nap = SHORTEST_NAP;
            return Ok(Work::Help);
        }
        match self.jobs.recv_timeout(*nap) {
            Ok(work) => Ok(work),
            Err(RecvTimeoutError::Timeout) => {
                *nap = (*nap * 2).min(LONGEST_NAP);
                Ok(Work::Help)
            }
            Err(RecvTimeoutError::Disconnected) => Err(()),
        }
    }
}

impl<F> Clone for Runner<F> {
    fn clone(&self) -> Self {
        Runner {
            jobs: self.jobs.clone(),
            context: Arc::clone(&self.context),
            shared: Arc::clone(&self.shared),
            report: Arc::clone(&self.report),
        }
    }
}
