//! The loop of a rank's communicating thread: the state machines on one side, the transport, the compute
//! threads and the client on the other.

use super::mailbox::Mailbox;
use crate::scheduler::{ClientEvent, Event, Outbox, Scheduler, ToScheduler, ToWorker};
use crate::task::{RankContext, settle, unsettle};
use crate::transport::Transport;
use crate::wire;
use crate::worker::{Executor, Finished, Worker};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use serde::{Deserialize, Serialize};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// What a communicating thread is told by other threads of its rank.
#[derive(Debug)]
pub(crate) enum RankEvent {
    Client(Event),
    Finished(Finished),
}

/// What goes from one rank to another in one piece.
#[derive(Debug, Serialize, Deserialize)]
enum Frame {
    Worker(Vec<ToWorker>),
    Scheduler(Vec<ToScheduler>),
}

/// A rank at work.
pub(super) struct Rank<T> {
    transport: T,
    context: Arc<RankContext>,
    worker: Worker,
    executor: Option<Executor>,
    /// On rank 0: the scheduler and the client's letters.
    head: Option<(Scheduler, Arc<Mailbox>)>,
    events: Receiver<RankEvent>,
    out: Outbox,
    start: Instant,
    threads: usize,
}

/// A job of tasks that are known to be shorter than this runs on the communicating thread of a rank with one
/// compute thread: handing it over would cost more than the messages that wait meanwhile.
const INLINE_NANOS: f64 = 250_000.0;
/// On a rank with several, a job that is shorter than its hand-over does.
const HAND_OVER_NANOS: f64 = 5_000.0;
/// Jobs run in this time before messages are looked for again.
const INLINE_TURN: Duration = Duration::from_micros(200);
/// Messages and events taken in one turn.
const TURN: usize = 256;
/// A message that is longer goes in a frame of its own, and what follows from it is sent at once, so that one
/// can be made while the other is on its way.
const LONG: usize = 1 << 18;
/// An idle rank looks for messages this often at once, then takes naps that double.
const POLLS: u32 = 200;
const SHORTEST_NAP: Duration = Duration::from_micros(20);
const LONGEST_NAP: Duration = Duration::from_millis(1);
/// A rank that has been idle for long sleeps longer: this part of its idleness, up to this long.
const IDLE_SHARE: u32 = 50;
const IDLE_NAP: Duration = Duration::from_millis(5);
const TICK: Duration = Duration::from_secs(1);

impl<T: Transport> Rank<T> {
    /// A rank whose jobs are run by `executor`, or by the communicating thread if there is none.
    pub(super) fn new(
        transport: T,
        context: Arc<RankContext>,
        executor: Option<(Executor, usize)>,
        head: Option<(Scheduler, Arc<Mailbox>)>,
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
            threads,
        }
    }

    /// Serves until the run is over.
    pub(super) fn run(mut self) {
        // Short tasks run on this thread.
        settle(&self.context, 0);
        let mut idle_polls = 0;
        let mut nap = SHORTEST_NAP;
        let mut idle_since = Instant::now();
        let mut next_tick = self.start + TICK;
        while !self.worker.is_leaving() {
            if self.turn() {
                idle_polls = 0;
                nap = SHORTEST_NAP;
                idle_since = Instant::now();
                continue;
            }
            if let Some(executor) = &mut self.executor {
                executor.tick();
            }
            let now = Instant::now();
            if now >= next_tick {
                next_tick = now + TICK;
                self.client_event(Event::Tick);
                self.deliver();
            }
            if idle_polls < POLLS {
                idle_polls += 1;
                std::hint::spin_loop();
                continue;
            }
            if self.transport.size() == 1 {
                let next = self.executor.as_ref().and_then(Executor::next_tick);
                if self.sleep(next.unwrap_or(TICK)) {
                    idle_polls = 0;
                }
                continue;
            }
            if self.sleep(nap) {
                idle_polls = 0;
                nap = SHORTEST_NAP;
                idle_since = Instant::now();
                continue;
            }
            let longest = (now.duration_since(idle_since) / IDLE_SHARE).clamp(LONGEST_NAP, IDLE_NAP);
            nap = (nap * 2).min(longest);
        }
        if let Some((_, mailbox)) = &self.head {
            mailbox.close();
        }
        unsettle();
        self.transport.leave();
    }

    /// Does what there is to do; whether there was anything.
    fn turn(&mut self) -> bool {
        let mut busy = false;
        self.transport.progress();
        for _ in 0..TURN {
            let Some((from, bytes)) = self.transport.receive() else {
                break;
            };
            busy = true;
            self.frame(from, &bytes);
            if bytes.len() > LONG {
                self.deliver();
            }
        }
        for _ in 0..TURN {
            let Ok(event) = self.events.try_recv() else {
                break;
            };
            busy = true;
            self.event(event);
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

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn frame(&mut self, from: u32, bytes: &[u8]) {
        let now = self.now();
        match wire::decode::<Frame>(bytes) {
            Ok(Frame::Worker(messages)) => {
                for message in messages {
                    self.worker.handle(now, message, &mut self.out);
                }
            }
            Ok(Frame::Scheduler(messages)) => {
                for message in messages {
                    self.schedule(Event::Message(from, message));
                }
            }
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
            RankEvent::Finished(finished) => {
                if let Some(executor) = &mut self.executor {
                    executor.finished();
                }
                self.worker.finished(self.start.elapsed(), finished, &mut self.out);
            }
        }
    }

    fn client_event(&mut self, event: Event) {
        if self.head.is_some() {
            self.schedule(event);
        }
    }

    fn schedule(&mut self, event: Event) {
        let now = self.now();
        let Some((scheduler, mailbox)) = &mut self.head else {
            return;
        };
        let mut letters: Vec<ClientEvent> = Vec::new();
        scheduler.handle(now, event, &mut self.out, &mut letters);
        if !letters.is_empty() {
            mailbox.deliver(letters.into_iter());
        }
    }

    /// Gives out or runs jobs; whether any was.
    fn work(&mut self) -> bool {
        let mut busy = false;
        let turn_end = Instant::now() + INLINE_TURN;
        loop {
            if self.executor.as_ref().is_some_and(|executor| !executor.wants_more()) {
                return busy;
            }
            let Some(job) = self.worker.take_job() else {
                return busy;
            };
            busy = true;
            let idle = self.executor.as_ref().is_none_or(Executor::is_idle);
            let longest = if self.threads == 1 && idle { INLINE_NANOS } else { HAND_OVER_NANOS };
            let short = job.estimate_nanos().is_some_and(|nanos| nanos < longest);
            match &mut self.executor {
                Some(executor) if !short => executor.submit(job),
                _ => {
                    let finished = job.run(&self.context);
                    self.worker.finished(self.start.elapsed(), finished, &mut self.out);
                    if Instant::now() >= turn_end {
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
            let out = std::mem::take(&mut self.out);
            if self.head.is_some() {
                self.schedule_all(out.scheduler);
            } else if !out.scheduler.is_empty() {
                self.send(0, &Frame::Scheduler(out.scheduler));
            }
            for (rank, mut messages) in out.workers {
                if rank == me {
                    let now = self.now();
                    for message in messages {
                        self.worker.handle(now, message, &mut self.out);
                    }
                } else {
                    while let Some(long) = messages.iter().position(|message| message.piece_length() > LONG) {
                        let rest = messages.split_off(long + 1);
                        self.send(rank, &Frame::Worker(std::mem::replace(&mut messages, rest)));
                    }
                    if !messages.is_empty() {
                        self.send(rank, &Frame::Worker(messages));
                    }
                }
            }
        }
    }

    fn schedule_all(&mut self, messages: Vec<ToScheduler>) {
        let me = self.transport.rank();
        let now = self.now();
        let Some((scheduler, mailbox)) = &mut self.head else {
            return;
        };
        let mut letters = Vec::new();
        for message in messages {
            scheduler.handle(now, Event::Message(me, message), &mut self.out, &mut letters);
        }
        if !letters.is_empty() {
            mailbox.deliver(letters.into_iter());
        }
    }

    fn send(&mut self, to: u32, frame: &Frame) {
        match wire::encode_to_vec(frame) {
            Ok(bytes) => self.transport.send(to, bytes),
            Err(error) => {
                eprintln!("serried: rank {} cannot write a message: {error}", self.transport.rank());
                self.transport.abort(1);
            }
        }
    }
}

impl<T> std::fmt::Debug for Rank<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rank({})", self.context.rank)
    }
}
