//! Signs of life that do not depend on what the communicating thread is doing.
//!
//! That thread runs short tasks, merges, and the program's `Serialize` and `Drop`, each of which may take a minute.
//! Its host is well all the same, and the others are to know it. So a thread of its own sends the signs of
//! life. The two take turns on the *floor*, which whoever calls MPI has to hold (`MPI_THREAD_SERIALIZED`); the
//! program's code runs while nobody holds it.

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

/// The thread that sends signs of life, until this is dropped.
#[derive(Debug)]
pub(super) struct Pulse {
    floor: Arc<Mutex<()>>,
    /// Nothing is sent; the thread ends when this end is dropped.
    alive: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Pulse {
    /// Calls `beat` once every interval, on the floor, and drops it there.
    pub(super) fn start(interval: Duration, beat: impl FnMut() + Send + 'static) -> io::Result<Pulse> {
        let floor = Arc::new(Mutex::new(()));
        let (alive, end) = bounded(0);
        let shared = Arc::clone(&floor);
        let thread = std::thread::Builder::new()
            .name("serried-pulse".into())
            .spawn(move || keep_beating(&shared, interval, &end, beat))?;
        Ok(Pulse { floor, alive: Some(alive), thread: Some(thread) })
    }

    /// Nobody else calls MPI until the guard is dropped.
    pub(super) fn floor(&self) -> MutexGuard<'_, ()> {
        take(&self.floor)
    }
}

fn take(floor: &Mutex<()>) -> MutexGuard<'_, ()> {
    floor.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep_beating(floor: &Mutex<()>, interval: Duration, end: &Receiver<()>, mut beat: impl FnMut()) {
    while end.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
        let _floor = take(floor);
        beat();
    }
    let _floor = take(floor);
    drop(beat);
}

impl Drop for Pulse {
    fn drop(&mut self) {
        drop(self.alive.take());
        if let Some(thread) = self.thread.take() {
            // A beat that panicked has said so.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    #[test]
    fn it_beats_while_nobody_has_the_floor_and_ends_when_it_is_dropped() {
        let (beats, beaten) = bounded(1000);
        let last = Arc::new(AtomicU32::new(0));
        let seen = Arc::clone(&last);
        let pulse = Pulse::start(Duration::from_millis(1), move || {
            seen.fetch_add(1, SeqCst);
            let _ = beats.try_send(());
        })
        .expect("a thread");
        for _ in 0..3 {
            beaten.recv().expect("a beat");
        }
        let floor = pulse.floor();
        let before = last.load(SeqCst);
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(last.load(SeqCst), before, "it has waited for the floor");
        drop(floor);
        drop(pulse);
        let after = last.load(SeqCst);
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(last.load(SeqCst), after);
    }
}
