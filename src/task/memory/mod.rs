//! Memory for large data that many ranks read: once on each node, filled once, changed by nobody after that.

mod map;
mod nodes;
mod room;

pub use map::Shared;
pub(crate) use map::{Descriptor, Door, Draft, Memory};
pub(crate) use nodes::Nodes;
use room::Room;

use super::{Erased, Place};
use crate::wire::WireError;
use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A rank's way to memory: its own, its client's, and that of other ranks of its node.
#[derive(Debug)]
pub(crate) struct Memories {
    from_client: Mutex<BTreeMap<Place, FromClient>>,
    room: Room,
    /// Whether memory of other ranks can be mapped at all.
    opens: bool,
}

type FromClient = (Arc<Memory>, Option<Door>);

impl Default for Memories {
    fn default() -> Self {
        Memories { from_client: Mutex::default(), room: Room::of_host(), opens: cfg!(target_os = "linux") }
    }
}

impl Memories {
    /// Those of a rank that may not look at other processes.
    #[cfg(test)]
    pub(crate) fn closed() -> Self {
        Memories::default().and_closed()
    }

    #[cfg(test)]
    pub(crate) fn and_closed(self) -> Self {
        Memories { opens: false, ..self }
    }

    /// Those of a rank on a small host.
    #[cfg(test)]
    pub(crate) fn small(bytes: u64) -> Self {
        Memories { room: Room::small(bytes), ..Memories::default() }
    }

    /// Memory to be filled, for all ranks of the node; an error where there is no such thing.
    pub(crate) fn of_node(&self, length: u64) -> io::Result<Draft> {
        self.room.check(length)?;
        Draft::of_node(length)
    }

    /// Memory to be filled, for this rank alone.
    pub(crate) fn of_rank(&self, length: u64) -> io::Result<Draft> {
        self.room.check(length)?;
        Draft::of_rank(length)
    }

    /// Waits until so much memory is free; an error if it will not be.
    pub(crate) fn wait_for(&self, length: u64) -> io::Result<()> {
        self.room.wait_for(length)
    }

    /// The client has memory for the value of this place; rank 0 will take it up.
    pub(crate) fn hand_over(&self, place: Place, memory: Arc<Memory>, door: Option<Door>) {
        self.lock().insert(place, (memory, door));
    }

    /// Takes up what the client has handed over.
    pub(crate) fn take_up(&self, place: Place) -> Option<FromClient> {
        self.lock().remove(&place)
    }

    /// Maps memory that another rank of this node has made.
    pub(crate) fn open(&self, descriptor: &Descriptor) -> io::Result<Memory> {
        match self.opens {
            true => Memory::open(descriptor),
            false => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Place, FromClient>> {
        self.from_client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Memory is the value of a place on every rank, so it never travels from one to another as a value.
impl Erased for Memory {
    fn encode(&self, _: &mut Vec<u8>) -> Result<(), WireError> {
        Err(WireError::new::<Memory>("memory of a node stays where it is"))
    }

    /// It stays for as long as the client holds it, whatever tasks do.
    fn weight(&self) -> usize {
        0
    }
}
