//! Large slices of plain old data: once on every node, for all of its ranks.

use super::{
    arena::Node,
    client::{Client, Core},
    handles::NodeRef,
};
use crate::error::{Error, Result};
use crate::graph::{Import, Output, Part};
use crate::scheduler::{Event, Submission};
use crate::task::{
    Arg, Door, Draft, InputsRef, Memory, NodeId, Place, Record, Sealed, Shared, Slot, Stored, TaskFailure,
};
use bytemuck::Pod;
use std::{borrow::Cow, fmt, io, ops::Deref, sync::Arc};

impl Client {
    /// Puts a large slice once on every node, in memory that all ranks of the node read, for any number of
    /// tasks.
    ///
    /// Give `&slice` to tasks: they take a [`Shared<T>`](crate::Shared), which is a `[T]`, or `&[T]` where the
    /// task is made by [`delayed!`](crate::delayed). Elements are *plain old data*: numbers, arrays of them, and
    /// structures for which `bytemuck::Pod` is derived. What is small, or no slice, is for
    /// [`broadcast`](Self::broadcast).
    ///
    /// In one process a vector is taken as it is, and a borrowed slice is copied. Where rank 0 shares its node
    /// with others the elements are copied into the node's memory; [`share_with`](Self::share_with) makes them
    /// there. To other nodes they go along a tree of the nodes, in pieces. The call does not wait for that.
    /// The memory is given back on every node when the last handle is gone and the last task that reads it is
    /// done. Lengths are not limited to 2^31.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// fn mean(x: &[f64]) -> f64 { x.iter().sum::<f64>() / x.len() as f64 }
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let x = client.share(vec![0.5; 100_000])?;
    ///     let task = delayed!(client, mean(&x));
    ///     let plus = client.map_with(|i, (x,): &(Shared<f64>,)| mean(x) + i as f64, 0..20, (&x,));
    ///     assert_eq!(client.compute(&task)?, 0.5);
    ///     assert_eq!(plus.reduce(|a, b| a + b).compute()?, 200.0);
    ///     assert_eq!(x[99_999], 0.5); // rank 0 reads it as well
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Memory`] if this host has no room for it. On a node that has none the tasks that read it fail,
    /// and say so.
    pub fn share<'a, T>(&self, values: impl Into<Cow<'a, [T]>>) -> Result<SharedSlice<T>>
    where
        T: Pod + Send + Sync,
    {
        let values = values.into();
        let (count, bytes) = (values.len(), bytes_of::<T>(values.len())?);
        let (memory, door) = self.core.hold(values, bytes).map_err(|error| no_room(bytes, &error))?;
        self.core.share_memory(memory, door, count)
    }

    /// As [`share`](Self::share), for a slice that `fill` makes where it will be: nothing is copied on this
    /// node.
    ///
    /// `fill` runs here, on rank 0, and is given `length` elements, zero at first. It may use rayon. Where
    /// there are several memories to a host, a page is in that of the core that writes it first.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let squares = client.share_with(1000, |x: &mut [u64]| {
    ///         (0..).zip(x).for_each(|(i, x)| *x = i * i);
    ///     })?;
    ///     let last = client.delayed(|(x,): (Shared<u64>,)| x.last().copied(), (&squares,));
    ///     assert_eq!(client.compute(&last)?, Some(999 * 999));
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`share`](Self::share).
    ///
    /// # Panics
    /// If `fill` does. The memory is given back.
    pub fn share_with<T>(&self, length: usize, fill: impl FnOnce(&mut [T])) -> Result<SharedSlice<T>>
    where
        T: Pod + Send + Sync,
    {
        let bytes = bytes_of::<T>(length)?;
        let made = self.core.draft(bytes).and_then(|draft| draft.fill(length, fill));
        let (memory, door) = made.map_err(|error| no_room(bytes, &error))?;
        self.core.share_memory(memory, door, length)
    }
}

impl Core {
    /// Memory with these values.
    fn hold<T: Pod + Send + Sync>(
        &self,
        values: Cow<'_, [T]>,
        bytes: u64,
    ) -> io::Result<(Memory, Option<Door>)> {
        if !self.has_neighbours()
            && let Cow::Owned(values) = values
        {
            return Ok((Memory::of_values(values), None));
        }
        let mut draft = self.draft(bytes)?;
        draft.write_at(0, bytemuck::cast_slice(&values))?;
        draft.finish()
    }

    /// Memory to be filled, for all ranks of rank 0's node.
    fn draft(&self, bytes: u64) -> io::Result<Draft> {
        let memories = &self.context.memories;
        memories.wait_for(bytes)?;
        if self.has_neighbours() {
            match memories.of_node(bytes) {
                Ok(draft) => return Ok(draft),
                Err(error) => log::info!("rank 0 has no memory that its node can share ({error})"),
            }
        }
        memories.of_rank(bytes)
    }

    fn has_neighbours(&self) -> bool {
        self.context.nodes.neighbours(0).next().is_some()
    }

    /// Makes memory of this rank the value of a place on every rank.
    fn share_memory<T: Pod>(
        self: &Arc<Self>,
        memory: Memory,
        door: Option<Door>,
        count: usize,
    ) -> Result<SharedSlice<T>> {
        let memory = Arc::new(memory);
        let id = self.send_memory(Arc::clone(&memory), door, Import::Arrives, None)?;
        let node = NodeRef { core: Arc::clone(self), id };
        Ok(SharedSlice { node, elements: Shared::new(memory, count) })
    }

    /// Makes the bytes of a value, which rank 0 has already, the value of a place on every rank.
    pub(super) fn share_bytes(&self, bytes: Vec<u8>, here: Stored) -> Result<NodeId> {
        let length = bytes.len() as u64;
        let (memory, door) = self.hold(Cow::Owned(bytes), length).map_err(|error| {
            let megabytes = length / 1_000_000;
            Error::Memory(format!("a value of {megabytes} MB cannot be sent to all ranks: {error}"))
        })?;
        self.send_memory(Arc::new(memory), door, Import::Shared, Some(here))
    }

    /// Sends memory along the tree of nodes, to an import of this kind on every rank; to rank 0's, if it has no value
    /// already.
    fn send_memory(
        &self,
        memory: Arc<Memory>,
        door: Option<Door>,
        import: Import,
        here: Option<Stored>,
    ) -> Result<NodeId> {
        let graph = self.next_graph()?;
        let place = Place { graph, slot: Slot(0) };
        self.context.memories.hand_over(place, memory, door);
        let mut submission = Submission::default();
        for rank in 0..self.world.ranks {
            let mut part = Part::new(graph);
            part.imports.push(import);
            part.outputs.push((place.slot, Output::Hold));
            submission.parts.insert(rank, part);
        }
        submission.values.extend(here.map(|value| (0, place, value)));
        self.send(Event::Submit(graph, submission));
        self.send(Event::Share(place));
        Ok(self.arena().add(Node::Everywhere { place }))
    }
}

/// The size of so many elements, if there can be as many.
fn bytes_of<T>(count: usize) -> Result<u64> {
    const {
        assert!(size_of::<T>() > 0, "elements of no size need not be shared");
        assert!(align_of::<T>() <= 4096, "memory of a node begins at a page");
    }
    let bytes = count.checked_mul(size_of::<T>()).filter(|&bytes| isize::try_from(bytes).is_ok());
    let bytes = bytes.and_then(|bytes| u64::try_from(bytes).ok());
    bytes.ok_or_else(|| {
        let text = format!("a slice of {count} elements of {} bytes cannot be shared", size_of::<T>());
        Error::Memory(format!("{text}: no memory is that large"))
    })
}

fn no_room(bytes: u64, error: &io::Error) -> Error {
    Error::Memory(format!("a slice of {} MB cannot be shared: {error}", bytes / 1_000_000))
}

/// A large slice that is once on every node; see [`Client::share`]. It is a `[T]` on rank 0.
///
/// Clones stand for the same slice.
#[derive(Clone)]
pub struct SharedSlice<T> {
    node: NodeRef,
    elements: Shared<T>,
}

impl<T> SharedSlice<T> {
    /// The elements.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        &self.elements
    }
}

impl<T> Deref for SharedSlice<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.elements
    }
}

impl<T> AsRef<[T]> for SharedSlice<T> {
    fn as_ref(&self) -> &[T] {
        &self.elements
    }
}

impl<T: fmt::Debug> fmt::Debug for SharedSlice<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedSlice").field(&self.as_slice()).finish()
    }
}

impl<T> Sealed for &SharedSlice<T> {}
impl<T> Sealed for &&SharedSlice<T> {}

impl<T: Pod + Send + Sync> Arg for &SharedSlice<T> {
    type Value = Shared<T>;
    fn pack(&self, record: &mut Record) {
        self.node.pack(record);
        record.constant(&(self.elements.len() as u64));
    }
    fn unpack(inputs: &mut InputsRef<'_, '_>) -> Result<Shared<T>, TaskFailure> {
        let count: u64 = inputs.0.constant()?;
        Ok(Shared::new(inputs.0.value().memory(), count as usize))
    }
    fn show(inputs: &mut InputsRef<'_, '_>) -> Result<String, TaskFailure> {
        let count: u64 = inputs.0.constant()?;
        Ok(format!("[_; {count}]"))
    }
}

/// As for [`Delayed`](super::Delayed), for loops over handles.
impl<T: Pod + Send + Sync> Arg for &&SharedSlice<T> {
    type Value = Shared<T>;
    fn pack(&self, record: &mut Record) {
        (*self).pack(record);
    }
    fn unpack(inputs: &mut InputsRef<'_, '_>) -> Result<Shared<T>, TaskFailure> {
        <&SharedSlice<T>>::unpack(inputs)
    }
    fn show(inputs: &mut InputsRef<'_, '_>) -> Result<String, TaskFailure> {
        <&SharedSlice<T>>::show(inputs)
    }
}
