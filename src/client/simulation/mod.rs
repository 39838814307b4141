//! A simulated world: the real scheduler and the real workers in one thread, under a virtual clock.
//!
//! A [`Model`] says how long everything takes; every message goes through the wire format on its way. The tests
//! run small worlds with seeded delays and check the whole state after every event; `scale` runs large ones
//! with the costs of a network.

mod lazy;
mod machine;
mod scale;

pub use lazy::{LazyGraph, Walked};
pub use machine::{Network, Traffic};
pub use scale::{Experiment, Graph, Report, run};

use super::client::Client;
use crate::config::{Scheduler as Kind, Without};
use crate::random::Seed;
use crate::runtime::{Completions, LONG_FRAME, RankEvent, Session, World, context};
use crate::scheduler::{
    ClientEvent, Event, Message, Outbox, Policy, Reader, Scheduler, ToWorker, placement, put_scheduler,
    put_worker,
};
use crate::task::{Nodes, RankContext};
use crate::worker::{Finished, Worker};
use crossbeam_channel::Receiver;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// How long everything takes. Times are since the run began.
pub(super) trait Model {
    /// Whether what is sent to one rank at one time travels in one piece, as it does in reality, or message by
    /// message, which lets more come between.
    const FRAMES: bool;
    /// Whether the state is cross-checked after every event.
    #[cfg(test)]
    const CHECKS: bool;
    /// The world should be at rest after so many events.
    const MOST_EVENTS: u64;

    /// When the communicating thread of `rank` has dealt with what is there since `time`: a frame of so many
    /// bytes from another rank, or an event of the rank's own threads.
    fn handled(&mut self, rank: u32, time: Duration, frame: Option<usize>) -> Duration;

    /// When a frame that `from` begins to send is at another rank; frames between two ranks keep their order.
    fn arrives(&mut self, from: u32, to: u32, now: Duration, bytes: usize) -> Duration;

    /// How many jobs are given out at a time.
    fn jobs(&self, threads: u64) -> u64;

    /// When a job of so many tasks or elements is over, and the nanoseconds that it reports.
    fn runs(&mut self, rank: u32, now: Duration, tasks: u64) -> (Duration, u64);
}

enum Happening {
    Frame {
        from: u32,
        to: u32,
        bytes: Vec<u8>,
    },
    Finished(u32, Finished),
    /// A rank looks at the clock.
    Tick(u32),
}

/// A simulated world and its client.
pub(super) struct Simulation<M> {
    client: Client,
    inbox: Receiver<RankEvent>,
    pub(super) completions: Arc<Completions>,
    pub(super) scheduler: Scheduler,
    pub(super) workers: Vec<Worker>,
    contexts: Vec<Arc<RankContext>>,
    /// How many more jobs each rank may be given.
    free: Vec<u64>,
    pub(super) model: M,
    now: Duration,
    agenda: BTreeMap<(Duration, u64), Happening>,
    count: u64,
    /// Frames sent.
    pub(super) messages: u64,
    /// Parts with tasks that one rank has lent another.
    pub(super) loans: u64,
    /// Whether a look at the clock is ahead of each rank.
    ticking: Vec<bool>,
    /// When the client heard something for the last time.
    pub(super) last_completion: Duration,
    /// Time of this machine, not of the simulated one, that the scheduler has taken.
    pub(super) scheduler_time: Duration,
}

impl<M: Model> Simulation<M> {
    /// A world of as many ranks, each with so many compute threads.
    pub(super) fn new(threads: &[u64], seed: u64, model: M) -> Self {
        let nodes = Arc::new(Nodes::new(0..threads.len()));
        let context = |rank| context(rank, "here".to_owned(), Seed::from(seed), Arc::clone(&nodes));
        Simulation::of_contexts(threads, (0..threads.len()).map(context).collect(), model)
    }

    /// A world of ranks that know what their contexts say.
    pub(super) fn of_contexts(threads: &[u64], contexts: Vec<Arc<RankContext>>, model: M) -> Self {
        crate::task::install_hook();
        let world = World {
            ranks: threads.len() as u32,
            workers: (0u32..).zip(threads).filter(|(_, n)| **n > 0).map(|(rank, _)| rank).collect(),
            threads: threads.iter().sum::<u64>() as usize,
            scheduler: Kind::Mpi,
            without: Without::default(),
            placement: placement(Without::default()),
            seed: contexts[0].seed.clone(),
            spill: crate::task::pipeline::Spill { above: 100, folder: None },
            fresh_seed: false,
        };
        let (events, inbox) = crossbeam_channel::unbounded();
        let completions = Arc::new(Completions::default());
        let worker = |(context, &threads)| Worker::new(Arc::clone(context), threads as usize);
        Simulation {
            client: Client::new(Session {
                world,
                context: Arc::clone(&contexts[0]),
                events,
                completions: Arc::clone(&completions),
            }),
            inbox,
            completions,
            scheduler: Scheduler::new(threads.to_vec(), Policy::default()),
            workers: contexts.iter().zip(threads).map(worker).collect(),
            contexts,
            // A rank without compute threads runs what it must on its communicating thread.
            free: threads.iter().map(|&threads| model.jobs(threads.max(1))).collect(),
            model,
            now: Duration::ZERO,
            agenda: BTreeMap::new(),
            count: 0,
            messages: 0,
            loans: 0,
            ticking: vec![false; threads.len()],
            last_completion: Duration::ZERO,
            scheduler_time: Duration::ZERO,
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Lets everything happen that follows from what the client has said.
    pub(super) fn settle(&mut self) {
        while self.step() {}
    }

    /// Lets the next thing happen; whether there was one.
    pub(super) fn step(&mut self) -> bool {
        let mut out = Outbox::default();
        self.hear_client(&mut out);
        let Some(((time, _), happening)) = self.agenda.pop_first() else {
            return false;
        };
        let rank = match happening {
            Happening::Frame { from, to, bytes } => {
                let length = (from != to).then_some(bytes.len());
                self.now = self.model.handled(to, time, length);
                self.frame(from, to, bytes, &mut out);
                to
            }
            Happening::Finished(rank, finished) => {
                self.now = self.model.handled(rank, time, None);
                self.free[rank as usize] += 1;
                self.workers[rank as usize].finished(self.now, finished, &mut out);
                rank
            }
            Happening::Tick(rank) => {
                self.now = time;
                self.ticking[rank as usize] = false;
                rank
            }
        };
        self.send(rank, &mut out);
        self.start_jobs(rank);
        self.tick(rank, &mut out);
        #[cfg(test)]
        if M::CHECKS {
            self.scheduler.sanity_check();
            self.workers[rank as usize].sanity_check();
        }
        assert!(self.count < M::MOST_EVENTS, "the world does not come to rest");
        true
    }

    /// Lets a rank look at the clock, and again when it wants to.
    fn tick(&mut self, rank: u32, out: &mut Outbox) {
        let again = self.workers[rank as usize].tick(self.now, out);
        self.send(rank, out);
        if let Some(delay) = again
            && !std::mem::replace(&mut self.ticking[rank as usize], true)
        {
            self.at(self.now + delay, Happening::Tick(rank));
        }
    }

    fn hear_client(&mut self, out: &mut Outbox) {
        while let Ok(event) = self.inbox.try_recv() {
            let RankEvent::Client(event) = event else { unreachable!("there are no threads here") };
            self.now = self.model.handled(0, self.now, None);
            self.schedule(event, out);
        }
        self.send(0, out);
    }

    fn frame(&mut self, from: u32, to: u32, bytes: Vec<u8>, out: &mut Outbox) {
        let short;
        let messages = if bytes.len() >= LONG_FRAME {
            Reader::sharing(bytes)
        } else {
            short = bytes;
            Reader::new(&short)
        };
        for message in messages {
            match message.expect("what was written") {
                Message::Worker(message) => self.workers[to as usize].handle(self.now, message, out),
                Message::Scheduler(message) => self.schedule(Event::Message(from, message), out),
            }
        }
    }

    fn schedule(&mut self, event: Event, out: &mut Outbox) {
        let mut completed: Vec<ClientEvent> = Vec::new();
        let start = Instant::now();
        self.scheduler.handle(self.now, event, out, &mut completed);
        self.scheduler_time += start.elapsed();
        if !completed.is_empty() {
            self.last_completion = self.now;
            self.completions.deliver(completed.into_iter());
        }
    }

    fn send(&mut self, from: u32, out: &mut Outbox) {
        let mut frame = Vec::new();
        for message in std::mem::take(&mut out.scheduler) {
            put_scheduler(&message, &mut frame).expect("messages can be written");
            if !M::FRAMES {
                self.put(from, 0, std::mem::take(&mut frame));
            }
        }
        if !frame.is_empty() {
            self.put(from, 0, std::mem::take(&mut frame));
        }
        if !out.has_workers() {
            return;
        }
        let mut taken = out.take_workers();
        let mut messages = taken.drain(..).peekable();
        while let Some((to, message)) = messages.next() {
            put_worker(&message, &mut frame).expect("messages can be written");
            if let ToWorker::Part(part) = &message {
                self.loans += u64::from(part.lent.is_some() && !part.tasks.is_empty());
            }
            // A part can be large, and there are many.
            drop(message);
            if !M::FRAMES || messages.peek().is_none_or(|(next, _)| *next != to) {
                self.put(from, to, std::mem::take(&mut frame));
            }
        }
        drop(messages);
        out.reuse(taken);
    }

    fn put(&mut self, from: u32, to: u32, bytes: Vec<u8>) {
        self.messages += 1;
        // A rank's messages to itself are heard at once.
        let time = if from == to { self.now } else { self.model.arrives(from, to, self.now, bytes.len()) };
        self.at(time, Happening::Frame { from, to, bytes });
    }

    fn at(&mut self, time: Duration, happening: Happening) {
        self.count += 1;
        self.agenda.insert((time, self.count), happening);
    }

    fn start_jobs(&mut self, rank: u32) {
        while self.free[rank as usize] > 0 {
            let Some(job) = self.workers[rank as usize].take_job() else {
                break;
            };
            self.free[rank as usize] -= 1;
            let (end, nanos) = self.model.runs(rank, self.now, job.tasks());
            let finished = job.run(&self.contexts[rank as usize]).lasted(nanos);
            self.at(end, Happening::Finished(rank, finished));
        }
    }
}
