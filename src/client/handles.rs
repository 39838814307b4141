//! What all handles have in common: they hold a node of a client.

use super::client::Core;
use crate::task::{Arg, InputsRef, NodeId, Record, Sealed, TaskFailure};
use crate::wire::Value;
use std::{marker::PhantomData, sync::Arc};

/// A hold on a node.
#[derive(Debug)]
pub(super) struct NodeRef {
    pub(super) core: Arc<Core>,
    pub(super) id: NodeId,
}

impl Clone for NodeRef {
    fn clone(&self) -> Self {
        self.core.arena().hold(self.id);
        NodeRef { core: Arc::clone(&self.core), id: self.id }
    }
}

impl Drop for NodeRef {
    fn drop(&mut self) {
        if !self.core.arena().let_go_of_shared(self.id) {
            self.core.let_go([self.id]);
        }
    }
}

impl NodeRef {
    pub(super) fn pack(&self, record: &mut Record) {
        record.input(self.core.id, self.id);
    }
}

/// Several handles as one argument of a task: the function takes a `Vec<T>`, or with `&list` a
/// `Vec<Arc<T>>`.
///
/// ```
/// use serried::prelude::*;
///
/// fn sum(parts: Vec<i64>) -> i64 { parts.into_iter().sum() }
///
/// # fn main() -> serried::Result<()> {
/// serried::run(|client| {
///     let parts: List<i64> = (0..10).map(|i| client.delayed(|(i,)| i * i, (i,))).collect();
///     let total = delayed!(client, sum(parts));
///     assert_eq!(client.compute(&total)?, 285);
///     Ok(())
/// })
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct List<T> {
    nodes: Vec<NodeRef>,
    element: PhantomData<fn() -> T>,
}

impl<T, H: super::delayed::Handle<T>> FromIterator<H> for List<T> {
    fn from_iter<I: IntoIterator<Item = H>>(handles: I) -> Self {
        let nodes = handles.into_iter().map(super::delayed::Handle::into_node).collect();
        List { nodes, element: PhantomData }
    }
}

impl<T> List<T> {
    fn pack_nodes(&self, record: &mut Record) {
        record.constant(&u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        for node in &self.nodes {
            node.pack(record);
        }
    }
}

impl<T> Sealed for List<T> {}
impl<T> Sealed for &List<T> {}

impl<T: Value + Clone> Arg for List<T> {
    type Value = Vec<T>;
    fn pack(&self, record: &mut Record) {
        List::pack_nodes(self, record);
    }
    fn unpack(inputs: &mut InputsRef<'_, '_>) -> Result<Vec<T>, TaskFailure> {
        let count: u32 = inputs.0.constant()?;
        (0..count).map(|_| Ok(inputs.0.value().take()?)).collect()
    }
    fn show(inputs: &mut InputsRef<'_, '_>) -> Result<String, TaskFailure> {
        let count: u32 = inputs.0.constant()?;
        Ok(format!("[_; {count}]"))
    }
}

impl<T: Value> Arg for &List<T> {
    type Value = Vec<Arc<T>>;
    fn pack(&self, record: &mut Record) {
        List::pack_nodes(self, record);
    }
    fn unpack(inputs: &mut InputsRef<'_, '_>) -> Result<Vec<Arc<T>>, TaskFailure> {
        let count: u32 = inputs.0.constant()?;
        (0..count).map(|_| Ok(inputs.0.value().share()?)).collect()
    }
    fn show(inputs: &mut InputsRef<'_, '_>) -> Result<String, TaskFailure> {
        let count: u32 = inputs.0.constant()?;
        Ok(format!("[_; {count}]"))
    }
}

impl<T> Sealed for &&List<T> {}

/// So that `&list` means the same where `list` is a reference already.
impl<T: Value> Arg for &&List<T> {
    type Value = Vec<Arc<T>>;
    fn pack(&self, record: &mut Record) {
        (**self).pack(record);
    }
    fn unpack(inputs: &mut InputsRef<'_, '_>) -> Result<Vec<Arc<T>>, TaskFailure> {
        <&List<T>>::unpack(inputs)
    }
    fn show(inputs: &mut InputsRef<'_, '_>) -> Result<String, TaskFailure> {
        <&List<T>>::show(inputs)
    }
}
