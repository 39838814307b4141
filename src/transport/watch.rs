//! Noticing that a rank has died, where the launcher does not end the job itself.
//!
//! On a host each rank looks after the next one, in a ring, by the process's state in `/proc`: exact, and it
//! costs a file read ten times a second. Between hosts the first ranks of the hosts send each other a sign
//! of life, in a ring as well; silence is no proof, so it must last.

use super::Hello;
use std::{
    collections::BTreeSet,
    io::ErrorKind,
    time::{Duration, Instant},
};

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
        let visible = |hello: &Hello| hello.node() == hellos[me].node();
        let size = hellos.len();
        let rank = (1..size).map(|k| (me + k) % size).find(|&rank| visible(&hellos[rank]))?;
        let pid = hellos[rank].pid;
        let (state, started) = process(pid).ok()?;
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
        let alive = match process(self.pid) {
            Ok((state, started)) => started == self.started && !is_dead(state),
            // It cannot be seen now, which proves nothing: this process may be out of file descriptors.
            Err(error) => error.kind() != ErrorKind::NotFound,
        };
        match alive {
            true => None,
            false => Some(format!(
                "rank {} (process {} on host {}) died; ending the job",
                self.rank, self.pid, self.host
            )),
        }
    }
}

/// The signs of life of another host, and where those of this one go.
#[derive(Debug)]
pub(super) struct Heartbeat {
    /// The first ranks of the next host and of the one before.
    to: u32,
    from: u32,
    host: String,
    patience: Duration,
    heard: Instant,
    /// When this rank last looked whether anything had come.
    looked: Instant,
}

impl Heartbeat {
    /// The heartbeat of this rank, if it is the first of its host and there are several hosts.
    pub(super) fn new(me: usize, hellos: &[Hello], patience: Duration) -> Option<Heartbeat> {
        let mut known = BTreeSet::new();
        let firsts: Vec<usize> =
            (0..hellos.len()).filter(|&rank| known.insert(hellos[rank].machine())).collect();
        let position = firsts.iter().position(|&first| first == me)?;
        if firsts.len() == 1 || patience.is_zero() {
            return None;
        }
        let count = firsts.len();
        let from = firsts[(position + count - 1) % count];
        let now = Instant::now();
        Some(Heartbeat {
            to: firsts[(position + 1) % count] as u32,
            from: from as u32,
            host: hellos[from].host.clone(),
            patience,
            heard: now,
            looked: now,
        })
    }

    /// The rank to send signs of life to.
    pub(super) fn to(&self) -> u32 {
        self.to
    }

    /// How often.
    pub(super) fn interval(&self) -> Duration {
        (self.patience / 10).min(Duration::from_secs(1))
    }

    /// Something was heard of a rank.
    pub(super) fn heard(&mut self, from: u32) {
        if from == self.from {
            self.heard = Instant::now();
        }
    }

    /// A message if the rank before has been silent for too long.
    pub(super) fn check(&mut self) -> Option<String> {
        self.check_at(Instant::now())
    }

    fn check_at(&mut self, now: Instant) -> Option<String> {
        let held_up = now.duration_since(std::mem::replace(&mut self.looked, now));
        // While this rank was itself held up it could not hear anything. It counts a little, as what was said
        // meanwhile is heard before the next look.
        self.heard += held_up.saturating_sub(self.patience / 4);
        let silent = now.duration_since(self.heard);
        (silent > self.patience).then(|| {
            format!(
                "rank {} on host {} has given no sign of life for {} s; ending the job (SERRIED_HEARTBEAT=0 \
                 would wait for it for ever)",
                self.from,
                self.host,
                silent.as_secs()
            )
        })
    }
}

fn is_dead(state: char) -> bool {
    matches!(state, 'Z' | 'X' | 'x')
}

/// The state of a process and when it was started.
fn process(pid: u32) -> std::io::Result<(char, String)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may contain anything.
    let mut fields = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace();
    let state = fields.next().and_then(|state| state.chars().next());
    let started = fields.nth(18);
    state
        .zip(started)
        .map(|(state, started)| (state, started.to_owned()))
        .ok_or(ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(host: &str) -> Hello {
        Hello { host: host.into(), ..Hello::of_this_process(None, None, None) }
    }

    #[test]
    fn first_ranks_of_hosts_form_a_ring() {
        let hellos = [hello("a"), hello("a"), hello("b"), hello("c"), hello("b")];
        let second = Duration::from_secs(1);
        let ring = |rank: usize| {
            Heartbeat::new(rank, &hellos, second).map(|heartbeat| (heartbeat.from, heartbeat.to))
        };
        assert_eq!([0, 1, 2, 3, 4].map(ring), [Some((3, 2)), None, Some((0, 3)), Some((2, 0)), None]);
        assert!(Heartbeat::new(0, &hellos[..2], second).is_none(), "one host");
        assert!(Heartbeat::new(0, &hellos, Duration::ZERO).is_none(), "switched off");
    }

    #[test]
    fn silence_is_noticed_unless_this_rank_was_held_up_itself() {
        let hellos = [hello("a"), hello("b")];
        let mut heartbeat = Heartbeat::new(0, &hellos, Duration::from_secs(8)).expect("two hosts");
        let mut now = heartbeat.heard;
        // Listens for some seconds; what is said at last.
        let listen = |heartbeat: &mut Heartbeat, now: &mut Instant, seconds: u64| {
            let second = |_| {
                *now += Duration::from_secs(1);
                heartbeat.check_at(*now)
            };
            (0..seconds).filter_map(second).last()
        };
        assert_eq!(listen(&mut heartbeat, &mut now, 8), None);
        let said = listen(&mut heartbeat, &mut now, 1).expect("9 s of silence");
        assert!(said.contains("rank 1 on host b"), "{said}");
        heartbeat.heard(0);
        assert!(listen(&mut heartbeat, &mut now, 1).is_some(), "that was somebody else");
        heartbeat.heard = now;
        assert_eq!(listen(&mut heartbeat, &mut now, 5), None);
        now += Duration::from_secs(60);
        assert_eq!(heartbeat.check_at(now), None, "nobody was there to hear it");
        heartbeat.heard = now;
        // A rank that is held up again and again hears in between what was said meanwhile, or nothing.
        let mut held_up = 0;
        while heartbeat.check_at(now).is_none() {
            now += Duration::from_secs(60);
            held_up += 1;
        }
        assert_eq!(held_up, 5);
    }

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
