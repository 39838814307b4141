//! Lazy tasks.

use super::{client::Core, future::Future, handles::NodeRef};
use crate::error::Result;
use crate::graph::CallResult;
use crate::task::{
    Arg, Args, Build, Failure, Inputs, InputsRef, NodeId, Record, Sealed, TaskFailure, erase,
    pipeline::Finish,
};
use crate::wire::Value;
use std::{marker::PhantomData, sync::Arc};

/// The result of a task that has not been run.
///
/// A handle stands where a value would: give it to another task as an argument, or to
/// [`Client::compute`](super::Client::compute) to run everything it depends on. Handles are cheap to clone.
/// What nobody holds any more is forgotten.
#[derive(Debug)]
pub struct Delayed<T> {
    pub(super) node: NodeRef,
    value: PhantomData<fn() -> T>,
}

impl<T> Clone for Delayed<T> {
    fn clone(&self) -> Self {
        Delayed { node: self.node.clone(), value: PhantomData }
    }
}

impl<T> Delayed<T> {
    pub(super) fn new(core: &Arc<Core>, id: NodeId) -> Self {
        Delayed::of(NodeRef { core: Arc::clone(core), id })
    }

    pub(super) fn of(node: NodeRef) -> Self {
        Delayed { node, value: PhantomData }
    }

    /// Names the task in errors and reports.
    #[must_use]
    pub fn label(self, label: &str) -> Self {
        self.node.core.arena().set_label(self.node.id, label);
        self
    }

    /// Runs the task up to `retries` more times if it fails, with the same arguments and the same stream,
    /// so that the numbers do not depend on how often it was tried.
    #[must_use]
    pub fn retries(self, retries: u32) -> Self {
        let replaced = self.node.core.arena().set_retries(self.node.id, retries);
        drop(replaced);
        self
    }
}

impl<T: Value> Delayed<T> {
    /// Runs the task and everything it depends on.
    ///
    /// # Errors
    /// The failure of the task, or of the first one that failed among those it depends on.
    pub fn compute(&self) -> Result<T> {
        self.node.core.compute(self)
    }

    /// Runs the task and leaves the result on the rank that made it, for other tasks to read.
    ///
    /// # Errors
    /// As for [`compute`](Self::compute).
    pub fn persist(&self) -> Result<()> {
        self.node.core.persist(&[self.node.id])
    }

    /// Begins to run the task and does not wait for it.
    #[must_use = "the value is forgotten with the last handle"]
    pub fn submit(self) -> Future<T> {
        let ticket = self.node.core.submit(self.node.id);
        Future::new(self, ticket)
    }
}

/// The entry of an explicit task.
pub(super) struct Call<A, M>(PhantomData<(A, M)>);

impl<A, X, M> Build<fn(A::Values) -> X> for Call<A, M>
where
    A: Args<Values: 'static>,
    X: 'static,
    M: Finish<X, Value: Value>,
{
    type Output = CallResult;
    fn build(function: fn(A::Values) -> X, inputs: &mut Inputs<'_>) -> CallResult {
        let mut arguments = InputsRef(inputs);
        if arguments.0.are_shown() {
            let shown = A::show(&mut arguments).map_err(|failure| failure.0)?;
            return Ok(erase(shown).map_err(Failure::from)?);
        }
        let values = A::unpack(&mut arguments).map_err(|failure| failure.0)?;
        Ok(erase(M::finish(function(values))?).map_err(Failure::from)?)
    }
}

impl<T> Sealed for Delayed<T> {}
impl<T> Sealed for &Delayed<T> {}

impl<T: Value + Clone> Arg for Delayed<T> {
    type Value = T;
    fn pack(&self, record: &mut Record) {
        self.node.pack(record);
    }
    fn unpack(inputs: &mut InputsRef<'_, '_>) -> Result<T, TaskFailure> {
        Ok(inputs.0.value().take()?)
    }
}

impl<T: Value> Arg for &Delayed<T> {
    type Value = Arc<T>;
    fn pack(&self, record: &mut Record) {
        self.node.pack(record);
    }
    fn unpack(inputs: &mut InputsRef<'_, '_>) -> Result<Arc<T>, TaskFailure> {
        Ok(inputs.0.value().share()?)
    }
}

impl<T> Sealed for &&Delayed<T> {}

/// So that `&x` means the same where `x` is a reference already, as in a loop over handles.
impl<T: Value> Arg for &&Delayed<T> {
    type Value = Arc<T>;
    fn pack(&self, record: &mut Record) {
        self.node.pack(record);
    }
    fn unpack(inputs: &mut InputsRef<'_, '_>) -> Result<Arc<T>, TaskFailure> {
        <&Delayed<T>>::unpack(inputs)
    }
}

/// A handle on a value of type `T`: a [`Delayed`] or a [`Future`].
pub trait Handle<T>: Sealed {
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn into_node(self) -> NodeRef;
}

impl<T> Handle<T> for Delayed<T> {
    #[allow(private_interfaces)]
    fn into_node(self) -> NodeRef {
        self.node
    }
}

impl<T> Handle<T> for &Delayed<T> {
    #[allow(private_interfaces)]
    fn into_node(self) -> NodeRef {
        self.node.clone()
    }
}
