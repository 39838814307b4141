//! What a large machine costs: a network, and a thread on every rank that communicates.

use super::Model;
use crate::random::{Seed, Stream};
use std::time::Duration;

/// The costs of messages. A message is what goes from one rank to another in one piece, as MPI sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Network {
    /// From the end of sending to the beginning of receiving.
    pub latency: Duration,
    /// Bytes per second of each rank's link, in either direction.
    pub bandwidth: f64,
    /// Time that a message costs the thread that sends it, and the thread that receives it.
    pub message_cost: Duration,
    /// Time that each byte costs these threads besides.
    pub byte_cost: Duration,
}

impl Default for Network {
    fn default() -> Self {
        Network {
            latency: Duration::from_micros(2),
            bandwidth: 1e9,
            message_cost: Duration::from_micros(1),
            byte_cost: Duration::ZERO,
        }
    }
}

/// What went through a rank, and how long its communicating thread was busy with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Messages from other ranks.
    pub messages_in: u64,
    /// Their bytes.
    pub bytes_in: u64,
    /// Messages to other ranks.
    pub messages_out: u64,
    /// Their bytes.
    pub bytes_out: u64,
    /// What they cost the communicating thread.
    pub busy: Duration,
}

/// Until when each part of a rank is busy.
#[derive(Debug, Clone, Copy, Default)]
struct Busy {
    communicating: Duration,
    computing: Duration,
    link_in: Duration,
    link_out: Duration,
}

/// The machine: ranks with one compute thread each. Events of a rank's own threads cost nothing.
#[derive(Debug)]
pub(super) struct Machine {
    network: Network,
    task_time: Duration,
    /// Durations are uniform between `1 - spread` and `1 + spread` of the task time.
    spread: f64,
    ranks: Vec<Busy>,
    durations: Stream,
    pub(super) rank_zero: Traffic,
    /// The durations of all tasks that were begun.
    pub(super) work: Duration,
}

impl Machine {
    pub(super) fn new(ranks: usize, network: Network, task_time: Duration, spread: f64) -> Self {
        Machine {
            network,
            task_time,
            spread,
            ranks: vec![Busy::default(); ranks],
            durations: Stream::new(&Seed::from(1u64), &[]),
            rank_zero: Traffic::default(),
            work: Duration::ZERO,
        }
    }

    /// The communicating thread of `rank` is busy with a message from `time` on; until when.
    fn occupy(&mut self, rank: u32, time: Duration, bytes: usize) -> Duration {
        let cost = self.network.message_cost + self.network.byte_cost * bytes as u32;
        let busy = &mut self.ranks[rank as usize].communicating;
        *busy = time.max(*busy) + cost;
        if rank == 0 {
            self.rank_zero.busy += cost;
        }
        *busy
    }

    fn on_a_link(&self, bytes: usize) -> Duration {
        Duration::from_secs_f64(bytes as f64 / self.network.bandwidth)
    }
}

impl Model for Machine {
    const FRAMES: bool = true;
    #[cfg(test)]
    const CHECKS: bool = false;
    const MOST_EVENTS: u64 = u64::MAX;

    fn handled(&mut self, rank: u32, time: Duration, frame: Option<usize>) -> Duration {
        let Some(bytes) = frame else {
            return time.max(self.ranks[rank as usize].communicating);
        };
        // The last byte is there at `time` if nothing else comes in on the link.
        let link = self.ranks[rank as usize].link_in + self.on_a_link(bytes);
        let there = time.max(link);
        self.ranks[rank as usize].link_in = there;
        if rank == 0 {
            self.rank_zero.messages_in += 1;
            self.rank_zero.bytes_in += bytes as u64;
        }
        self.occupy(rank, there, bytes)
    }

    fn arrives(&mut self, from: u32, _: u32, now: Duration, bytes: usize) -> Duration {
        let handed_over = self.occupy(from, now, bytes);
        if from == 0 {
            self.rank_zero.messages_out += 1;
            self.rank_zero.bytes_out += bytes as u64;
        }
        let on_link = self.on_a_link(bytes);
        let link = &mut self.ranks[from as usize].link_out;
        *link = handed_over.max(*link) + on_link;
        *link + self.network.latency
    }

    /// As the executor: one job runs, another waits, so that no thread has to.
    fn jobs(&self, threads: u64) -> u64 {
        2 * threads
    }

    fn runs(&mut self, rank: u32, now: Duration, tasks: u64) -> (Duration, u64) {
        let mut time = self.task_time * tasks as u32;
        if self.spread > 0.0 {
            let factor = |_| 1.0 + self.spread * (2.0 * self.durations.random() - 1.0);
            time = self.task_time.mul_f64((0..tasks).map(factor).sum());
        }
        self.work += time;
        let computing = &mut self.ranks[rank as usize].computing;
        *computing = now.max(*computing) + time;
        (*computing, time.as_nanos() as u64)
    }
}
