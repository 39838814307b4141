//! A deterministic simulation: the real scheduler and the real workers in one thread, with a virtual clock,
//! seeded delays of messages and seeded durations of jobs.
//!
//! Every message goes through the wire format, and the whole state is cross-checked after every event.

use crate::client::client::{Client, World};
use crate::client::mailbox::Mailbox;
use crate::client::rank::RankEvent;
use crate::config::Scheduler as Kind;
use crate::error::Result;
use crate::random::{Seed, Stream};
use crate::scheduler::{
    ClientEvent, Event, Message, Outbox, Policy, Reader, Scheduler, ToScheduler, ToWorker, put_scheduler,
    put_worker,
};
use crate::task::{Memories, Nodes, RankContext};
use crate::wire;
use crate::worker::{Finished, Worker};
use crossbeam_channel::Receiver;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

/// How a simulated world looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) ranks: u32,
    pub(super) threads: u64,
    pub(super) rank_zero_computes: bool,
    /// Seeds delays and durations, nothing else.
    pub(super) weather: u64,
}

enum Happening {
    ToWorker(u32, ToWorker),
    ToScheduler(u32, ToScheduler),
    Finished(u32, Finished),
}

/// A simulated world and its client.
pub(super) struct Simulation {
    pub(super) client: Option<Client>,
    inbox: Receiver<RankEvent>,
    pub(super) mailbox: Arc<Mailbox>,
    scheduler: Scheduler,
    workers: Vec<Worker>,
    contexts: Vec<Arc<RankContext>>,
    free_threads: Vec<u64>,
    weather: Stream,
    now: Duration,
    agenda: BTreeMap<(Duration, u64), Happening>,
    /// Messages between two ranks keep their order.
    last: HashMap<(u32, u32), Duration>,
    count: u64,
    pub(super) messages: u64,
    /// Parts with tasks that one rank has lent another.
    pub(super) loans: u64,
    /// A rank whose jobs take five times as long.
    pub(super) slow_rank: Option<usize>,
}

impl Simulation {
    pub(super) fn new(shape: Shape, seed: u64) -> Self {
        Simulation::on_nodes(shape, seed, vec![0; shape.ranks as usize], |_| Memories::default())
    }

    /// As `new`, with the node of each rank, and what the memory of each is like.
    pub(super) fn on_nodes(
        shape: Shape,
        seed: u64,
        node_of: Vec<u32>,
        memories: impl Fn(usize) -> Memories,
    ) -> Self {
        crate::task::install_hook();
        let nodes = Arc::new(Nodes::new(node_of));
        let mut threads = vec![shape.threads; shape.ranks as usize];
        if !shape.rank_zero_computes && shape.ranks > 1 {
            threads[0] = 0;
        }
        let contexts: Vec<_> = (0..shape.ranks as usize)
            .map(|rank| {
                let (seed, nodes, memories) = (Seed::from(seed), Arc::clone(&nodes), memories(rank));
                Arc::new(RankContext { seed, nodes, memories, ..RankContext::for_tests(rank) })
            })
            .collect();
        let world = World {
            ranks: shape.ranks,
            workers: (0u32..).zip(&threads).filter(|(_, n)| **n > 0).map(|(rank, _)| rank).collect(),
            threads: threads.iter().sum::<u64>() as usize,
            scheduler: Kind::Mpi,
            without: crate::config::Without::default(),
            seed: Seed::from(seed),
            fresh_seed: false,
        };
        let (events, inbox) = crossbeam_channel::unbounded();
        let mailbox = Arc::new(Mailbox::default());
        Simulation {
            client: Some(Client::new(world, Arc::clone(&contexts[0]), events, Arc::clone(&mailbox))),
            inbox,
            mailbox,
            scheduler: Scheduler::new(threads.clone(), Policy::default()),
            workers: contexts
                .iter()
                .zip(&threads)
                .map(|(context, &threads)| Worker::new(Arc::clone(context), threads as usize))
                .collect(),
            contexts,
            // A rank without compute threads runs what it must on its communicating thread.
            free_threads: threads.iter().map(|&threads| threads.max(1)).collect(),
            weather: Stream::new(&Seed::from(shape.weather), &[]),
            now: Duration::ZERO,
            agenda: BTreeMap::new(),
            last: HashMap::new(),
            count: 0,
            messages: 0,
            loans: 0,
            slow_rank: None,
        }
    }

    pub(super) fn client(&self) -> &Client {
        self.client.as_ref().expect("the client is here until the end")
    }

    /// Lets everything happen that follows from what the client has said.
    pub(super) fn settle(&mut self) {
        loop {
            let mut out = Outbox::default();
            while let Ok(event) = self.inbox.try_recv() {
                match event {
                    RankEvent::Client(event) => self.schedule(event, &mut out),
                    RankEvent::Finished(_) => unreachable!("there are no threads here"),
                }
            }
            self.send(0, out);
            self.start_jobs();
            let Some(((time, _), happening)) = self.agenda.pop_first() else {
                return;
            };
            self.now = time;
            let mut out = Outbox::default();
            let rank = match happening {
                Happening::ToWorker(rank, message) => {
                    self.workers[rank as usize].handle(self.now, message, &mut out);
                    rank
                }
                Happening::ToScheduler(from, message) => {
                    self.schedule(Event::Message(from, message), &mut out);
                    0
                }
                Happening::Finished(rank, finished) => {
                    self.free_threads[rank as usize] += 1;
                    self.workers[rank as usize].finished(self.now, finished, &mut out);
                    rank
                }
            };
            self.send(rank, out);
            self.tick();
            self.scheduler.sanity_check();
            self.workers[rank as usize].sanity_check();
            assert!(self.count < 2_000_000, "the world does not come to rest");
        }
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

    /// Lets every rank look at the clock.
    fn tick(&mut self) {
        for rank in 0..self.workers.len() {
            let mut out = Outbox::default();
            self.workers[rank].tick(self.now, &mut out);
            self.send(rank as u32, out);
        }
    }

    fn schedule(&mut self, event: Event, out: &mut Outbox) {
        let mut letters: Vec<ClientEvent> = Vec::new();
        self.scheduler.handle(self.now, event, out, &mut letters);
        self.mailbox.deliver(letters.into_iter());
    }

    fn send(&mut self, from: u32, out: Outbox) {
        let mut out = out;
        for message in std::mem::take(&mut out.scheduler) {
            let mut frame = Vec::new();
            put_scheduler(&message, &mut frame).expect("messages can be written");
            let Message::Scheduler(message) = read(frame) else { panic!("not {message:?}") };
            self.put(from, 0, |from, _| Happening::ToScheduler(from, message));
        }
        for (to, message) in out.take_workers() {
            let mut frame = Vec::new();
            put_worker(&message, &mut frame).expect("messages can be written");
            let Message::Worker(message) = read(frame) else { panic!("not {message:?}") };
            if let ToWorker::Part(part) = &message
                && part.lent.is_some()
            {
                self.loans += u64::from(!part.tasks.is_empty());
            }
            self.put(from, to, |_, to| Happening::ToWorker(to, message));
        }
    }

    fn put(&mut self, from: u32, to: u32, happening: impl FnOnce(u32, u32) -> Happening) {
        self.messages += 1;
        // A rank's messages to itself are heard at once; others take their time.
        let delay = if from == to { 0 } else { self.weather.integers(1, 2_000) as u64 };
        let earliest = self.last.get(&(from, to)).copied().unwrap_or_default();
        let time = (self.now + Duration::from_micros(delay)).max(earliest);
        self.last.insert((from, to), time);
        self.at(time, happening(from, to));
    }

    fn at(&mut self, time: Duration, happening: Happening) {
        self.count += 1;
        self.agenda.insert((time, self.count), happening);
    }

    fn start_jobs(&mut self) {
        for rank in 0..self.workers.len() {
            while self.free_threads[rank] > 0 {
                let Some(job) = self.workers[rank].take_job() else {
                    break;
                };
                self.free_threads[rank] -= 1;
                let mut duration = Duration::from_micros(self.weather.integers(1, 5_000) as u64);
                if self.slow_rank == Some(rank) {
                    duration *= 5;
                }
                let finished = job.run(&self.contexts[rank]).after(duration);
                self.at(self.now + duration, Happening::Finished(rank as u32, finished));
            }
        }
    }
}

/// A message as it arrives.
fn read(frame: Vec<u8>) -> Message {
    let mut messages = Reader::sharing(frame);
    messages.next().expect("a message").expect("what was written")
}

/// Runs a program's part of the client that does not wait, then the world, and looks at what came back.
pub(super) fn outcome<T: wire::Value>(simulation: &mut Simulation, handle: &crate::Delayed<T>) -> Result<T> {
    outcomes(simulation, &[handle]).remove(0)
}

pub(super) fn outcomes<T: wire::Value>(
    simulation: &mut Simulation,
    handles: &[&crate::Delayed<T>],
) -> Vec<Result<T>> {
    use crate::client::plan::{Want, launch};
    let nodes: Vec<_> = handles.iter().map(|handle| handle.node.id).collect();
    let graph = match launch(&simulation.client().core, &nodes, Want::Result) {
        Ok(graph) => graph,
        Err(error) => return handles.iter().map(|_| Err(error.clone())).collect(),
    };
    simulation.settle();
    let results = simulation.mailbox.look(|letters| letters.take_results(graph));
    let results = results.expect("the world is at rest: every result is there");
    results.into_iter().map(crate::client::targets::take).collect()
}
