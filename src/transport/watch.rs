//! Noticing that a rank of the same host has died, where the launcher does not end the job itself.
//!
//! Each rank looks after the next one of its host, in a ring, by the process's state in `/proc`: exact, and
//! it costs a file read ten times a second.

use super::Hello;
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_millis(100);

/// A neighbour and how it was when the run began.
#[derive(Debug)]
pub(super) struct Watch {
    rank: usize,
    host: String,
    pid: u32,
    started: String,
    next: Instant,
}

impl Watch {
    /// Watches over the next rank of this host, if there is one that can be seen.
    pub(super) fn new(me: usize, hellos: &[Hello]) -> Option<Watch> {
        let visible =
            |hello: &Hello| hello.host == hellos[me].host && hello.pid_namespace == hellos[me].pid_namespace;
        let size = hellos.len();
        let rank = (1..size).map(|k| (me + k) % size).find(|&rank| visible(&hellos[rank]))?;
        let pid = hellos[rank].pid;
        let (state, started) = process(pid)?;
        (!is_dead(state)).then(|| Watch {
            rank,
            host: hellos[rank].host.clone(),
            pid,
            started,
            next: Instant::now() + INTERVAL,
        })
    }

    /// A message if the neighbour has died.
    pub(super) fn check(&mut self) -> Option<String> {
        let now = Instant::now();
        if now < self.next {
            return None;
        }
        self.next = now + INTERVAL;
        match process(self.pid) {
            Some((state, started)) if started == self.started && !is_dead(state) => None,
            _ => Some(format!(
                "rank {} (process {} on host {}) died; ending the job",
                self.rank, self.pid, self.host
            )),
        }
    }
}

fn is_dead(state: char) -> bool {
    matches!(state, 'Z' | 'X' | 'x')
}

/// The state of a process and when it was started.
fn process(pid: u32) -> Option<(char, String)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may contain anything.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    Some((fields.next()?.chars().next()?, fields.nth(18)?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_child_is_noticed_even_before_it_is_reaped() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep");
        let (state, started) = process(child.id()).expect("it runs");
        assert!(!is_dead(state));
        let mut watch =
            Watch { rank: 3, host: "here".into(), pid: child.id(), started, next: Instant::now() };
        assert_eq!(watch.check(), None);
        child.kill().expect("it is ours");
        std::thread::sleep(Duration::from_millis(50));
        watch.next = Instant::now();
        let message = watch.check().expect("it is a zombie");
        assert!(message.contains("rank 3"), "{message}");
        child.wait().expect("it was killed");
    }
}
