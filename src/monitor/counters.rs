//! Counters of a rank: what its threads and its functions did, and what it sent and received.

use super::Observer;
use crate::worker::Ended;
use std::{collections::HashMap, fmt, time::Duration};

/// Sums since the run began.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    functions: Vec<Function>,
    /// By label.
    numbers: HashMap<String, usize>,
    /// The function of the job that ended last: mostly that of the next one, too.
    last: usize,
    /// The communicating thread, and then the compute threads.
    threads: Vec<Work>,
    given_out: u64,
    sent: Messages,
    received: Messages,
    completed: u64,
}

/// Tasks or elements, and the time that they took.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Work {
    count: u64,
    failed: u64,
    nanos: u64,
}

#[derive(Debug)]
struct Function {
    label: String,
    work: Work,
    /// How many took less than 2^k nanoseconds, and not less than half of that. Those of one job took its mean.
    durations: [u64; u64::BITS as usize + 1],
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Messages {
    count: u64,
    bytes: u64,
}

impl Counters {
    fn function(&mut self, label: &str) -> &mut Function {
        if self.functions.get(self.last).is_none_or(|function| function.label != label) {
            self.last = *self.numbers.entry(label.to_owned()).or_insert_with(|| {
                let durations = [0; u64::BITS as usize + 1];
                self.functions.push(Function { label: label.to_owned(), work: Work::default(), durations });
                self.functions.len() - 1
            });
        }
        &mut self.functions[self.last]
    }
}

impl Work {
    fn add(&mut self, job: &Ended<'_>) {
        self.count += job.count;
        self.failed += job.failed;
        self.nanos += job.nanos;
    }
}

impl Messages {
    fn add(&mut self, bytes: usize) {
        self.count += 1;
        self.bytes += bytes as u64;
    }
}

impl Observer for Counters {
    fn begins(&mut self, count: u64) {
        self.given_out += count;
    }

    fn ends(&mut self, thread: Option<usize>, job: &Ended<'_>) {
        let number = thread.map_or(0, |thread| thread + 1);
        if self.threads.len() <= number {
            self.threads.resize(number + 1, Work::default());
        }
        self.threads[number].add(job);
        let each = job.nanos / job.count.max(1);
        let function = self.function(job.label);
        function.work.add(job);
        function.durations[(u64::BITS - each.leading_zeros()) as usize] += job.count;
    }

    fn sends(&mut self, _: u32, bytes: usize) {
        self.sent.add(bytes);
    }

    fn receives(&mut self, _: u32, bytes: usize) {
        self.received.add(bytes);
    }

    fn completes(&mut self, count: usize) {
        self.completed += count as u64;
    }

    fn leaves(&mut self, rank: u32) {
        if log::log_enabled!(log::Level::Debug) {
            self.to_string().lines().for_each(|line| log::debug!("rank {rank}: {line}"));
        }
    }
}

/// A line for each function, the one that took longest first, then the threads and the messages.
impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut functions: Vec<&Function> = self.functions.iter().collect();
        functions.sort_by(|a, b| (b.work.nanos, &a.label).cmp(&(a.work.nanos, &b.label)));
        for Function { label, work, durations } in functions {
            writeln!(f, "`{label}`: {work}, half of them in less than {:?}", median(durations))?;
        }
        for (number, work) in self.threads.iter().enumerate().filter(|(_, work)| work.count > 0) {
            match number {
                0 => writeln!(f, "communicating thread: {work}")?,
                _ => writeln!(f, "thread {}: {work}", number - 1)?,
            }
        }
        let Messages { count: sent, bytes: sent_bytes } = self.sent;
        let Messages { count: received, bytes: received_bytes } = self.received;
        writeln!(
            f,
            "{} given out, {} completed, {sent} messages of {sent_bytes} bytes sent, {received} of {received_bytes} \
             received",
            self.given_out, self.completed
        )
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {:?}", self.count, Duration::from_nanos(self.nanos))?;
        match self.failed {
            0 => Ok(()),
            failed => write!(f, ", {failed} failed"),
        }
    }
}

/// The power of two below which at least half of the durations are.
fn median(durations: &[u64]) -> Duration {
    let all: u64 = durations.iter().sum();
    let mut below = 0;
    let half = durations.iter().position(|count| {
        below += count;
        2 * below >= all
    });
    Duration::from_nanos(1u64.checked_shl(half.unwrap_or(0) as u32).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_summed_by_function_and_by_thread() {
        let mut counters = Counters::default();
        let jobs = [
            (Some(1), Ended { label: "long", count: 2, failed: 0, nanos: 4_000 }),
            (None, Ended { label: "short", count: 100, failed: 3, nanos: 1_000 }),
            (Some(1), Ended { label: "long", count: 1, failed: 0, nanos: 1_000_000 }),
        ];
        for (thread, job) in jobs {
            counters.begins(job.count);
            counters.ends(thread, &job);
        }
        counters.sends(1, 70);
        counters.sends(2, 30);
        counters.receives(1, 5);
        counters.completes(4);
        let expected = "`long`: 3 in 1.004ms, half of them in less than 2.048µs\n\
            `short`: 100 in 1µs, 3 failed, half of them in less than 16ns\n\
            communicating thread: 100 in 1µs, 3 failed\n\
            thread 1: 3 in 1.004ms\n\
            103 given out, 4 completed, 2 messages of 100 bytes sent, 1 of 5 received\n";
        assert_eq!(counters.to_string(), expected);
    }

    #[test]
    fn a_duration_may_be_none_or_the_longest() {
        let mut counters = Counters::default();
        counters.ends(None, &Ended { label: "f", count: 0, failed: 0, nanos: 0 });
        counters.ends(None, &Ended { label: "f", count: 1, failed: 0, nanos: 0 });
        assert_eq!(median(&counters.functions[0].durations), Duration::from_nanos(1));
        counters.ends(None, &Ended { label: "g", count: 1, failed: 0, nanos: u64::MAX });
        assert_eq!(median(&counters.functions[1].durations), Duration::from_nanos(u64::MAX));
    }
}
