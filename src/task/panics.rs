//! Panics inside tasks: contained, and recorded with the place where they happened.
//!
//! The hook runs before anything is caught, on whichever thread panicked, which may be a rayon thread that
//! runs a piece of somebody's task; so it only records. Whether a panic is contained is decided by whoever
//! catches it.

use super::Failure;
use std::{
    any::Any,
    cell::Cell,
    collections::VecDeque,
    panic::{self, AssertUnwindSafe, PanicHookInfo},
    sync::{Mutex, Once},
};

thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// The last panics of threads that run tasks, to find the place of one that crossed threads.
static RECORDED: Mutex<VecDeque<(String, String)>> = Mutex::new(VecDeque::new());
const KEPT: usize = 64;

/// Installs the hook that records panics of contained threads and leaves all others to the hook before it.
pub(crate) fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if CONTAINED.get() {
                record(info);
            } else {
                previous(info);
            }
        }));
    });
}

/// Marks this thread as one whose panics are always caught: a compute thread of a rank.
pub(crate) fn contain_thread() {
    CONTAINED.set(true);
}

/// A stretch in which this thread's panics are caught.
#[derive(Debug)]
pub(crate) struct Contained {
    outer: bool,
}

/// From now on, until the value is dropped, panics of this thread are recorded: whoever asks catches them.
pub(crate) fn contained() -> Contained {
    Contained { outer: CONTAINED.replace(true) }
}

impl Drop for Contained {
    fn drop(&mut self) {
        CONTAINED.set(self.outer);
    }
}

/// Runs `work`, and turns a panic into a failure with the panic's message and place.
pub(crate) fn contain<R>(work: impl FnOnce() -> R) -> Result<R, Failure> {
    let _contained = contained();
    catch(work).map_err(|failure| *failure)
}

/// As [`contain`], in a stretch that is [`contained`] already.
#[inline]
pub(crate) fn catch<R>(work: impl FnOnce() -> R) -> Result<R, Box<Failure>> {
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let failure = Box::new(Failure::panic(describe(&*payload)));
        discard(payload);
        failure
    })
}

/// Drops the payload of a panic, which may be a value of the program's and panic itself.
#[cold]
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(next) = panic::catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // There may be no end to it.
        std::mem::forget(next);
    }
}

fn record(info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let mut recorded = RECORDED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if recorded.len() == KEPT {
        recorded.pop_front();
    }
    recorded.push_back((message(info.payload()), place));
}

fn describe(payload: &(dyn Any + Send)) -> String {
    let message = message(payload);
    let mut recorded = RECORDED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let known = recorded.iter().rposition(|(said, _)| *said == message);
    match known.and_then(|position| recorded.remove(position)) {
        Some((_, place)) => format!("{message} (at {place})"),
        None => message,
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    if let Some(message) = payload.downcast_ref::<&str>() {
        (*message).to_owned()
    } else if let Some(message) = payload.downcast_ref::<String>() {
        message.clone()
    } else {
        "(a panic whose payload is not text)".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contained_panic_tells_its_message_and_place() {
        install_hook();
        let failure = contain(|| panic!("no {}", "luck")).expect_err("it panicked");
        assert!(failure.message.starts_with("no luck (at "), "{}", failure.message);
        assert!(failure.message.contains("panics.rs:"), "{}", failure.message);
    }

    #[test]
    fn a_payload_that_panics_when_it_is_dropped_is_contained() {
        struct Bomb(u32);
        impl Drop for Bomb {
            fn drop(&mut self) {
                if self.0 > 0 {
                    panic::panic_any(Bomb(self.0 - 1));
                }
            }
        }
        install_hook();
        for fuse in 0..3 {
            let failure = contain(|| panic::panic_any(Bomb(fuse))).expect_err("it panicked");
            assert!(failure.message.contains("not text"), "{}", failure.message);
        }
    }

    #[test]
    fn a_panic_in_a_rayon_piece_is_found_by_its_message() {
        install_hook();
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(2)
            .start_handler(|_| contain_thread())
            .build()
            .expect("two threads");
        let failure =
            contain(|| pool.install(|| rayon::join(|| 1, || panic!("in a piece")))).expect_err("it panicked");
        assert!(failure.message.starts_with("in a piece (at "), "{}", failure.message);
    }
}
