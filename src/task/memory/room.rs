//! Whether there is room for something large. The system promises memory that it does not have, and ends the
//! process that uses it; so it is asked before.

use std::{
    io,
    time::{Duration, Instant},
};

/// What was let go of just now may take this long to be free: ranks give it back on their own time.
const PATIENCE: Duration = Duration::from_secs(2);
const NAP: Duration = Duration::from_millis(20);

/// The memory of a host.
#[derive(Debug)]
pub(super) struct Room {
    /// Memory and swap in all, if the system tells.
    total: Option<u64>,
}

impl Room {
    pub(super) fn of_host() -> Self {
        Room { total: numbers(&["MemTotal:", "SwapTotal:"]) }
    }

    #[cfg(test)]
    pub(super) fn small(bytes: u64) -> Self {
        Room { total: Some(bytes) }
    }

    /// An error if so many bytes are more than the host has.
    pub(super) fn check(&self, bytes: u64) -> io::Result<()> {
        fits(bytes, self.total, "are all that this host has")
    }

    /// Waits until so many bytes are free; an error if they will not be.
    pub(super) fn wait_for(&self, bytes: u64) -> io::Result<()> {
        self.check(bytes)?;
        let begin = Instant::now();
        loop {
            let free = numbers(&["MemAvailable:", "SwapFree:"]);
            let fits = fits(bytes, free, "are all that is free on this host");
            if fits.is_ok() || begin.elapsed() > PATIENCE {
                return fits;
            }
            std::thread::sleep(NAP);
        }
    }
}

fn fits(bytes: u64, available: Option<u64>, of_what: &str) -> io::Result<()> {
    match available {
        Some(available) if bytes > available => {
            let text = format!("{} MB {of_what}", available / 1_000_000);
            Err(io::Error::new(io::ErrorKind::OutOfMemory, text))
        }
        // Where the system does not tell, it will say no itself.
        _ => Ok(()),
    }
}

/// The sum of these lines of the system's table, in bytes.
fn numbers(names: &[&str]) -> Option<u64> {
    sum_of(&std::fs::read_to_string("/proc/meminfo").ok()?, names)
}

fn sum_of(table: &str, names: &[&str]) -> Option<u64> {
    let number = |name: &str| {
        let line = table.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    };
    names.iter().map(|name| number(name)).sum::<Option<u64>>().map(|kilobytes| kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_swap_are_counted_together() {
        let table = "MemTotal:       1000 kB\nMemAvailable:    600 kB\nSwapTotal:        24 kB\n";
        assert_eq!(sum_of(table, &["MemTotal:", "SwapTotal:"]), Some(1024 * 1024));
        assert_eq!(sum_of(table, &["MemAvailable:", "SwapFree:"]), None);
        assert!(fits(1025, Some(1024), "").is_err());
        assert!(fits(1024, Some(1024), "").is_ok());
        assert!(fits(u64::MAX, None, "").is_ok());
    }

    #[test]
    fn no_host_has_an_exabyte() {
        if cfg!(target_os = "linux") {
            let error = Room::of_host().wait_for(1 << 60).expect_err("it has not");
            assert!(error.to_string().contains("MB are all that this host has"), "{error}");
        }
    }
}
