//! The loop of a rank's communicating thread: the state machines on one side, the transport, the compute
//! threads and the client on the other.

use super::completions::Completions;
use crate::monitor::{Counters, Observer};
use crate::scheduler::{
    ClientEvent, Event, Message, Outbox, Reader, Scheduler, ToScheduler, put_scheduler, put_worker,
};
use crate::task::{RankContext, settle, unsettle};
use crate::transport::Transport;
use crate::wire::WireError;
use crate::worker::{Executor, Finished, Worker};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// What a communicating thread is told by other threads of its rank.
#[derive(Debug)]
pub(crate) enum RankEvent {
    Client(Event),
    /// A compute thread has done a job.
    Finished(usize, Finished),
}

/// A rank at work.
pub(crate) struct Rank<T> {
    transport: T,
    context: Arc<RankContext>,
    worker: Worker,
    executor: Option<Executor>,
    /// On rank 0: the scheduler and the program's completions.
    head: Option<(Scheduler, Arc<Completions>)>,
    events: Receiver<RankEvent>,
    out: Outbox,
    start: Instant,
    /// Time since the start, not read again for every message.
    now: Duration,
    next_tick: Instant,
    threads: usize,
    observer: Counters,
}

/// A job of tasks that are known to be shorter than this runs on the communicating thread of a rank with one
/// compute thread: handing it over would cost more than the messages that wait meanwhile.
const INLINE_NANOS: f64 = 250_000.0;
/// On a rank with several, a job that is shorter than its hand-over does.
const HAND_OVER_NANOS: f64 = 5_000.0;
/// Jobs run in this time before messages are looked for again.
const INLINE_TURN: Duration = Duration::from_micros(200);
/// Values that come in a frame of this length or more may keep the frame, instead of being copied.
pub(crate) const LONG_FRAME: usize = 64 << 10;
/// Looks for a message in one turn of a rank that has nothing to do.
const EAGER_LOOKS: u32 = 4;
/// Messages and events taken in one turn.
const TURN: usize = 256;
/// An idle rank looks for messages at once for this long, then takes naps that double.
const POLLING: Duration = Duration::from_micros(100);
/// This long it keeps the core to itself, then it lets others have it between the looks.
const UNSHARED: Duration = Duration::from_micros(10);
/// After so many looks, a rank looks at the clock.
const LOOKS: u32 = 16;
const SHORTEST_NAP: Duration = Duration::from_micros(20);
const LONGEST_NAP: Duration = Duration::from_millis(1);
/// A rank that has been idle for long sleeps longer: this part of its idleness, up to this long.
const IDLE_SHARE: u32 = 50;
const IDLE_NAP: Duration = Duration::from_millis(5);
/// What jobs hand over while they run does not wake a rank of one process.
const GATHERING_NAP: Duration = Duration::from_millis(10);
const TICK: Duration = Duration::from_secs(1);

impl<T: Transport> Rank<T> {
    /// A rank whose jobs are run by `executor`, or by the communicating thread if there is none.
    pub(crate) fn new(
        transport: T,
        context: Arc<RankContext>,
        executor: Option<(Executor, usize)>,
        head: Option<(Scheduler, Arc<Completions>)>,
        events: Receiver<RankEvent>,
    ) -> Self {
        let threads = executor.as_ref().map_or(1, |(_, threads)| *threads);
        Rank {
            worker: Worker::new(Arc::clone(&context), threads),
            transport,
            context,
            executor: executor.map(|(executor, _)| executor),
            head,
            events,
            out: Outbox::default(),
            start: Instant::now(),
            now: Duration::ZERO,
            next_tick: Instant::now() + TICK,
            threads,
            observer: Counters::default(),
        }
    }

    /// Serves until the run is over.
    pub(crate) fn run(mut self) {
        // Short tasks run on this thread.
        settle(&self.context, 0);
        let mut nap = SHORTEST_NAP;
        let mut idle_since = None;
        let mut looks = 0u32;
        while !self.worker.is_leaving() {
            let busy = self.turn();
            looks = looks.wrapping_add(1);
            if !looks.is_multiple_of(LOOKS) {
                if busy {
                    idle_since = None;
                }
                continue;
            }
            let now = self.housekeeping();
            if busy {
                idle_since = None;
                continue;
            }
            let since = *idle_since.get_or_insert_with(|| {
                nap = SHORTEST_NAP;
                now
            });
            let idle = now.duration_since(since);
            if idle < POLLING {
                if idle > UNSHARED {
                    std::thread::yield_now();
                }
                continue;
            }
            let longest = if self.transport.size() == 1 {
                let tick = self.executor.as_ref().and_then(Executor::next_tick).unwrap_or(TICK);
                if self.worker.has_passes() { tick.min(GATHERING_NAP) } else { tick }
            } else {
                nap
            };
            if self.sleep(longest) {
                idle_since = None;
                continue;
            }
            nap = (nap * 2).min((idle / IDLE_SHARE).clamp(LONGEST_NAP, IDLE_NAP));
            // A nap is followed by one look, and by the next nap.
            looks = LOOKS - 1;
        }
        if let Some((_, completions)) = &self.head {
            completions.close();
        }
        self.observer.leaves(self.transport.rank());
        self.context.locals.leave();
        unsettle();
        self.transport.leave();
    }

    /// What is to be done from time to time; the time.
    fn housekeeping(&mut self) -> Instant {
        self.transport.look_after();
        if let Some(executor) = &mut self.executor {
            executor.tick();
        }
        let now = Instant::now();
        self.now = now.duration_since(self.start);
        self.worker.tick(self.now, &mut self.out);
        self.deliver();
        if now >= self.next_tick {
            self.next_tick = now + TICK;
            self.client_event(Event::Tick);
            self.deliver();
        }
        now
    }

    /// Does what there is to do; whether there was anything.
    fn turn(&mut self) -> bool {
        let mut busy = false;
        self.transport.progress();
        for _ in 0..TURN {
            let Some((from, bytes)) = self.receive() else {
                break;
            };
            busy = true;
            self.observer.receives(from, bytes.len());
            self.frame(from, bytes);
            if self.worker.has_ready() {
                break;
            }
        }
        if !self.events.is_empty() {
            busy = true;
            let events: Vec<RankEvent> = self.events.try_iter().take(TURN).collect();
            events.into_iter().for_each(|event| self.event(event));
        }
        self.deliver();
        busy |= self.work();
        self.deliver();
        busy
    }

    /// Waits for an event of this rank's other threads, at most as long as told; whether there was one.
    fn sleep(&mut self, longest: Duration) -> bool {
        match self.events.recv_timeout(longest) {
            Ok(event) => {
                self.event(event);
                self.deliver();
                true
            }
            Err(RecvTimeoutError::Timeout) => false,
            // Without compute threads and without a client nobody holds the other end.
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(longest);
                false
            }
        }
    }

    /// The next message. When there is nothing else to do, it is looked for several times: nothing is as likely
    /// to be the next thing that happens.
    #[inline]
    fn receive(&mut self) -> Option<(u32, Vec<u8>)> {
        let looks = if self.worker.has_ready() { 1 } else { EAGER_LOOKS };
        (0..looks).find_map(|_| self.transport.receive())
    }

    fn frame(&mut self, from: u32, frame: Vec<u8>) {
        if frame.len() >= LONG_FRAME {
            Reader::sharing(frame).for_each(|message| self.message(from, message));
            return self.deliver();
        }
        Reader::new(&frame).for_each(|message| self.message(from, message));
        self.transport.reuse(frame);
    }

    #[inline]
    fn message(&mut self, from: u32, message: Result<Message, WireError>) {
        match message {
            Ok(Message::Worker(message)) => self.worker.handle(self.now, message, &mut self.out),
            Ok(Message::Scheduler(message)) => self.schedule(Event::Message(from, message)),
            Err(error) => {
                let rank = self.transport.rank();
                eprintln!("serried: rank {rank} cannot read a message of rank {from}: {error}");
                self.transport.abort(1);
            }
        }
    }

    fn event(&mut self, event: RankEvent) {
        match event {
            RankEvent::Client(event) => self.client_event(event),
            RankEvent::Finished(thread, finished) => {
                if let Some(executor) = &mut self.executor {
                    executor.finished();
                }
                if let Some(ended) = finished.ended() {
                    self.observer.ends(Some(thread), &ended);
                }
                self.now = self.start.elapsed();
                self.worker.finished(self.now, finished, &mut self.out);
            }
        }
    }

    fn client_event(&mut self, event: Event) {
        if self.head.is_some() {
            self.schedule(event);
        }
    }

    fn schedule(&mut self, event: Event) {
        let now = self.now;
        let Some((scheduler, completions)) = &mut self.head else {
            return;
        };
        let mut completed: Vec<ClientEvent> = Vec::new();
        scheduler.handle(now, event, &mut self.out, &mut completed);
        if !completed.is_empty() {
            self.observer.completes(completed.len());
            completions.deliver(completed.into_iter());
        }
    }

    /// Gives out or runs jobs; whether any was.
    fn work(&mut self) -> bool {
        let mut busy = false;
        let mut clock = None;
        let mut turn_end = None;
        loop {
            if self.executor.as_ref().is_some_and(|executor| !executor.wants_more()) {
                return busy;
            }
            let Some(job) = self.worker.take_job() else {
                return busy;
            };
            busy = true;
            self.observer.begins(job.tasks());
            let idle = self.executor.as_ref().is_none_or(Executor::is_idle);
            let longest = if self.threads == 1 && idle { INLINE_NANOS } else { HAND_OVER_NANOS };
            let short = job.estimate_nanos().is_some_and(|nanos| nanos < longest);
            match &mut self.executor {
                Some(executor) if !short => executor.submit(job),
                _ => {
                    let clock = clock.get_or_insert_with(Instant::now);
                    let turn_end = *turn_end.get_or_insert(*clock + INLINE_TURN);
                    let finished = job.run_from(clock, &self.context);
                    if let Some(ended) = finished.ended() {
                        self.observer.ends(None, &ended);
                    }
                    self.now = clock.duration_since(self.start);
                    self.worker.finished(self.now, finished, &mut self.out);
                    if *clock >= turn_end || self.out.has_workers() {
                        return busy;
                    }
                }
            }
        }
    }

    /// Sends what the state machines want sent; what they say to each other on this rank is heard at once.
    fn deliver(&mut self) {
        let me = self.transport.rank();
        while !self.out.is_empty() {
            let to_scheduler = std::mem::take(&mut self.out.scheduler);
            let mut to_workers = self.out.take_workers();
            if self.head.is_some() {
                self.schedule_all(to_scheduler);
            } else if !to_scheduler.is_empty() {
                let mut frame = Vec::new();
                for message in &to_scheduler {
                    let written = put_scheduler(message, &mut frame);
                    self.check(written);
                }
                self.send(0, frame);
            }
            let mut messages = to_workers.drain(..).peekable();
            while let Some((rank, message)) = messages.next() {
                if rank == me {
                    let now = self.now;
                    self.worker.handle(now, message, &mut self.out);
                    continue;
                }
                let mut frame = self.transport.buffer();
                self.check(put_worker(&message, &mut frame));
                // What is long is sent by itself, so that more can be made while it is on its way.
                while frame.len() < LONG_FRAME
                    && let Some((_, message)) = messages.next_if(|(to, _)| *to == rank)
                {
                    self.check(put_worker(&message, &mut frame));
                }
                self.send(rank, frame);
            }
            drop(messages);
            self.out.reuse(to_workers);
        }
    }

    fn send(&mut self, to: u32, frame: Vec<u8>) {
        self.observer.sends(to, frame.len());
        self.transport.send(to, frame);
    }

    fn schedule_all(&mut self, messages: Vec<ToScheduler>) {
        let me = self.transport.rank();
        let now = self.now;
        let Some((scheduler, completions)) = &mut self.head else {
            return;
        };
        let mut completed = Vec::new();
        for message in messages {
            scheduler.handle(now, Event::Message(me, message), &mut self.out, &mut completed);
        }
        if !completed.is_empty() {
            self.observer.completes(completed.len());
            completions.deliver(completed.into_iter());
        }
    }

    fn check(&mut self, written: Result<(), WireError>) {
        if let Err(error) = written {
            eprintln!("serried: rank {} cannot write a message: {error}", self.transport.rank());
            self.transport.abort(1);
        }
    }
}

impl<T> std::fmt::Debug for Rank<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rank({})", self.context.rank)
    }
}
