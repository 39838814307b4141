//! Carrying bytes between ranks.
//!
//! A transport moves whole messages and keeps their order between two ranks. It belongs to one thread, the
//! communicating thread of a rank.

#[cfg(feature = "mpi")]
mod hello;
mod local;
#[cfg(feature = "mpi")]
mod mpi;
#[cfg(feature = "mpi")]
mod pulse;
#[cfg(feature = "mpi")]
mod watch;

#[cfg(feature = "mpi")]
pub(crate) use hello::{Hello, nodes, oversubscription};
pub(crate) use local::Solo;
#[cfg(test)]
pub(crate) use local::local_world;
#[cfg(feature = "mpi")]
pub(crate) use mpi::{MpiTransport, StartError, library_name};

/// The name of this host.
pub(crate) fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    }
}

/// One rank's end of the connections to all others.
pub(crate) trait Transport {
    fn rank(&self) -> u32;
    fn size(&self) -> u32;
    /// An empty buffer for a message.
    fn buffer(&mut self) -> Vec<u8> {
        Vec::new()
    }
    /// Takes a message for another rank; never waits.
    fn send(&mut self, to: u32, message: Vec<u8>);
    /// The next message, if one has come, and its sender; never waits.
    fn receive(&mut self) -> Option<(u32, Vec<u8>)>;
    /// Gives back the buffer of a message that was received.
    fn reuse(&mut self, _message: Vec<u8>) {}
    /// Moves on what was sent.
    fn progress(&mut self) {}
    /// Looks after the other ranks; to be called some thousand times a second.
    fn look_after(&mut self) {}
    /// Waits until every rank has come here; messages that come meanwhile are for nobody.
    fn leave(&mut self) {}
    /// Ends the whole job at once.
    fn abort(&mut self, code: i32) -> ! {
        std::process::exit(code)
    }
}
