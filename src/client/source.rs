//! What a map can go over.

use super::{
    client::Core,
    map::{Map, MapNode, Origin},
};
use crate::error::{Error, Result};
use crate::task::{
    FnRef, Sealed,
    pipeline::{BuiltSource, Index, RangeEntry, VectorEntry, VectorSlices},
};
use crate::wire::{self, Value};
use std::{ops::Range, sync::Arc};

/// What a map goes over: a range of integers, a vector, or the elements of another map.
///
/// A range costs nothing, whatever its length. Random streams of its elements go by the integers themselves,
/// those of other elements by their position (see [`Map::key`]). A vector's elements travel to the ranks that work on them.
pub trait Source: Sealed {
    /// What the function of the map is given.
    type Item;
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn into_node(self, core: &Arc<Core>) -> Arc<MapNode>;
}

#[allow(private_bounds, private_interfaces)]
impl<I: Index> Source for Range<I> {
    type Item = I;
    fn into_node(self, core: &Arc<Core>) -> Arc<MapNode> {
        let origin = FnRef::new::<fn(I), RangeEntry<I>>(|_| ())
            .map_err(Error::from)
            .and_then(|entry| Ok((entry, wire::encode_to_vec(&self.start)?)))
            .map(|(entry, constants)| Origin::Range { entry, constants, spread: None });
        let mut node = node(core, self.start.distance(self.end), origin);
        if let Some(node) = Arc::get_mut(&mut node) {
            node.first = self.start.number();
        }
        node
    }
}

#[allow(private_interfaces)]
impl<T: Value + Clone> Source for Vec<T> {
    type Item = T;
    fn into_node(self, core: &Arc<Core>) -> Arc<MapNode> {
        let length = self.len() as u64;
        let origin = vector_entry::<T>(&self)
            .map(|entry| Origin::Vector { entry, slices: Arc::new(VectorSlices(Arc::new(self))) });
        node(core, length, origin)
    }
}

/// The entry of a vector, if its elements can travel: a type that cannot is an error of the map, and not of
/// the moment when the first elements are sent.
fn vector_entry<T: Value + Clone>(elements: &[T]) -> Result<FnRef<BuiltSource>> {
    let checked = if wire::Format::<T>::new().is_described() { elements.len() } else { 1 };
    elements.iter().take(checked).try_for_each(wire::travels)?;
    Ok(FnRef::new::<fn(T), VectorEntry<T>>(|_| ())?)
}

fn node(core: &Arc<Core>, length: u64, origin: Result<Origin>) -> Arc<MapNode> {
    Arc::new(match origin {
        Ok(origin) => MapNode::new(core, length, origin),
        Err(problem) => MapNode::broken(core, problem),
    })
}

impl<T> Sealed for Map<T> {}
impl<T> Sealed for &Map<T> {}

#[allow(private_interfaces)]
impl<T> Source for Map<T> {
    type Item = T;
    fn into_node(self, core: &Arc<Core>) -> Arc<MapNode> {
        self.node_for(core)
    }
}

#[allow(private_interfaces)]
impl<T> Source for &Map<T> {
    type Item = T;
    fn into_node(self, core: &Arc<Core>) -> Arc<MapNode> {
        self.node_for(core)
    }
}
