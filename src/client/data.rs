//! Data that tasks read: scattered, broadcast, and local to each rank.

use super::{
    arena::{Label, Node},
    client::{Client, Core},
    delayed::Delayed,
};
use crate::error::{Error, Result};
use crate::graph::{Import, Output, Part};
use crate::scheduler::{Event, Submission};
use crate::task::{
    Arg, Args, Build, FnRef, Inputs, InputsRef, LocalSpec, Place, Record, Sealed, Slot, Stored, TaskFailure,
    erase,
    pipeline::{Fallible, Finish, Plain},
};
use crate::wire::{self, Value};
use std::{any::Any, fmt::Display, marker::PhantomData, panic::Location, sync::Arc};

/// A value of so many bytes goes along the tree of nodes in pieces, and its bytes are once on each node; a shorter one
/// goes from rank 0 to every rank. Tests have small values.
const LARGE: usize = if cfg!(test) { 100 } else { 1 << 20 };

impl Client {
    /// Puts a copy of `value` on every rank, once, for any number of tasks to read.
    ///
    /// Give `&handle` to tasks: they share the rank's copy as an `Arc<T>`. The bytes of a value of more than a mebibyte
    /// travel along a tree of the nodes, and are once on each; rank 0 sends them to two nodes, however many there are.
    ///
    /// # Errors
    /// If the value cannot be written to bytes, or there is no memory for them.
    pub fn broadcast<T: Value>(&self, value: T) -> Result<Delayed<T>> {
        let others = self.core.world.ranks > 1;
        let bytes = if others { Some(wire::encode_to_vec(&value)?) } else { None };
        let here = Stored::Made(erase(value)?);
        let bytes = match bytes {
            Some(bytes) if bytes.len() >= LARGE => {
                let id = self.core.share_bytes(bytes, here)?;
                return Ok(Delayed::new(&self.core, id));
            }
            bytes => bytes.map(Stored::from_bytes),
        };
        let graph = self.core.next_graph()?;
        let place = Place { graph, slot: Slot(0) };
        let mut submission = Submission::default();
        for rank in 0..self.core.world.ranks {
            let mut part = Part::new(graph);
            part.imports.push(Import::Arrives);
            part.outputs.push((place.slot, Output::Hold));
            submission.parts.insert(rank, part);
            let value = match &bytes {
                Some(bytes) if rank > 0 => bytes.clone(),
                _ => here.clone(),
            };
            submission.values.push((rank, place, value));
        }
        self.core.send(Event::Submit(graph, submission));
        let id = self.core.arena().add(Node::Everywhere { place });
        Ok(Delayed::new(&self.core, id))
    }

    /// Deals values out to the ranks, in contiguous runs; tasks that read one run where it is.
    ///
    /// # Errors
    /// If a value cannot be written to bytes.
    pub fn scatter<T: Value>(&self, values: Vec<T>) -> Result<Vec<Delayed<T>>> {
        let graph = self.core.next_graph()?;
        let mut submission = Submission::default();
        let workers = &self.core.world.workers;
        let count = values.len();
        let mut homes = Vec::with_capacity(count);
        for (position, value) in values.into_iter().enumerate() {
            let rank = workers[position * workers.len() / count];
            let part = submission.parts.entry(rank).or_insert_with(|| Part::new(graph));
            let place = Place { graph, slot: Slot(part.imports.len() as u32) };
            part.imports.push(Import::Arrives);
            part.outputs.push((place.slot, Output::Hold));
            let stored = if rank == 0 {
                Stored::Made(erase(value)?)
            } else {
                Stored::from_bytes(wire::encode_to_vec(&value)?)
            };
            submission.values.push((rank, place, stored));
            homes.push((rank, place));
        }
        self.core.send(Event::Submit(graph, submission));
        let mut arena = self.core.arena();
        let ids: Vec<_> =
            homes.into_iter().map(|(rank, place)| arena.add(Node::Placed { rank, place })).collect();
        drop(arena);
        Ok(ids.into_iter().map(|id| Delayed::new(&self.core, id)).collect())
    }

    /// A context that every rank builds for itself, once, when its first task asks for it: for what cannot
    /// travel or be captured, as a compiled pattern, a plan of a transform, or an open file.
    ///
    /// `args` are values, not handles. Tasks are given `&local` and take an `Arc<C>`.
    ///
    /// ```
    /// use serried::prelude::*;
    /// use std::sync::Mutex;
    ///
    /// // Neither can be serialised.
    /// struct Counter { name: String, calls: Mutex<u64> }
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let build = |(name,): (String,)| Counter { name, calls: Mutex::new(0) };
    ///     let counter = client.local(build, ("calls".to_owned(),))?;
    ///     let greet = |i: u64, (counter,): &(std::sync::Arc<Counter>,)| {
    ///         *counter.calls.lock().unwrap() += 1;
    ///         format!("{} {i}", counter.name)
    ///     };
    ///     assert_eq!(client.map_with(greet, 0..3, (&counter,)).compute()?[2], "calls 2");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    /// If an argument is a handle or cannot be written to bytes. A builder that panics fails the tasks that
    /// ask for the context.
    #[track_caller]
    pub fn local<A, V, C>(&self, builder: fn(V) -> C, args: A) -> Result<Local<C>>
    where
        A: Args<Values = V>,
        V: 'static,
        C: Any + Send + Sync,
    {
        let label = Label::Place(Location::caller());
        self.local_of::<A, V, C, Plain>(builder, &args, label)
    }

    /// As [`local`](Self::local), for a builder that may fail; an `Err` fails the tasks that ask for the
    /// context.
    #[track_caller]
    pub fn try_local<A, V, C, E>(&self, builder: fn(V) -> Result<C, E>, args: A) -> Result<Local<C>>
    where
        A: Args<Values = V>,
        V: 'static,
        C: Any + Send + Sync,
        E: Display + 'static,
    {
        let label = Label::Place(Location::caller());
        self.local_of::<A, V, Result<C, E>, Fallible>(builder, &args, label)
    }

    fn local_of<A, V, X, M>(&self, builder: fn(V) -> X, args: &A, label: Label) -> Result<Local<M::Value>>
    where
        A: Args<Values = V>,
        V: 'static,
        X: 'static,
        M: Finish<X, Value: Any + Send + Sync>,
    {
        let mut record = Record::default();
        args.pack(&mut record);
        self.core.accept(&mut record, label)?;
        if !record.inputs.is_empty() {
            let problem = "the arguments of a local context are values; a handle cannot be one";
            return Err(Error::Usage(problem.into()));
        }
        let builder = FnRef::new::<fn(V) -> X, BuildLocal<A, M>>(builder)?;
        let id = self.core.next_local();
        self.core.send(Event::Local(LocalSpec { id, builder, constants: record.constants }));
        Ok(Local { core: Arc::clone(&self.core), id, context: PhantomData })
    }
}

/// A context that every rank builds for itself; see [`Client::local`]. It lives until the run is over.
#[derive(Debug)]
pub struct Local<C> {
    core: Arc<Core>,
    id: u32,
    context: PhantomData<fn() -> C>,
}

struct BuildLocal<A, M>(PhantomData<(A, M)>);

impl<A, X, M> Build<fn(A::Values) -> X> for BuildLocal<A, M>
where
    A: Args<Values: 'static>,
    X: 'static,
    M: Finish<X, Value: Any + Send + Sync>,
{
    type Output = crate::task::Built;
    fn build(builder: fn(A::Values) -> X, inputs: &mut Inputs<'_>) -> Self::Output {
        let values = A::unpack(&mut InputsRef(inputs)).map_err(|failure| failure.0)?;
        Ok(Arc::new(M::finish(builder(values))?))
    }
}

impl<C> Sealed for &Local<C> {}

impl<C: Any + Send + Sync> Arg for &Local<C> {
    type Value = Arc<C>;
    fn pack(&self, record: &mut Record) {
        record.belongs_to(self.core.id);
        record.constant(&self.id);
    }
    fn unpack(inputs: &mut InputsRef<'_, '_>) -> Result<Arc<C>, TaskFailure> {
        let id: u32 = inputs.0.constant()?;
        Ok(inputs.0.locals().get(id, inputs.0.context())?)
    }
    fn show(inputs: &mut InputsRef<'_, '_>) -> Result<String, TaskFailure> {
        inputs.0.constant::<u32>()?;
        Ok("_".into())
    }
}

impl<C> Sealed for &&Local<C> {}

/// So that `&local` means the same where `local` is a reference already.
impl<C: Any + Send + Sync> Arg for &&Local<C> {
    type Value = Arc<C>;
    fn pack(&self, record: &mut Record) {
        (**self).pack(record);
    }
    fn unpack(inputs: &mut InputsRef<'_, '_>) -> Result<Arc<C>, TaskFailure> {
        <&Local<C>>::unpack(inputs)
    }
    fn show(inputs: &mut InputsRef<'_, '_>) -> Result<String, TaskFailure> {
        <&Local<C>>::show(inputs)
    }
}
