//! Elements of maps that stay on the rank that made them.

use super::{CollectionId, pipeline::Elements};
use std::{
    any::Any,
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

type Pieces = BTreeMap<u64, Arc<dyn Any + Send + Sync>>;

/// The collections of a rank, each in pieces by the start of their range.
#[derive(Debug, Default)]
pub(crate) struct Collections(Mutex<HashMap<CollectionId, Pieces>>);

impl Collections {
    pub(crate) fn keep<T: Send + Sync + 'static>(&self, id: CollectionId, piece: Elements<T>) {
        let start = piece.range.start;
        self.lock().entry(id).or_default().insert(start, Arc::new(piece));
    }

    /// The piece that holds the element with source index `index`.
    pub(crate) fn get<T: Send + Sync + 'static>(&self, id: CollectionId, index: u64) -> Arc<Elements<T>> {
        let collections = self.lock();
        let piece = collections
            .get(&id)
            .and_then(|pieces| pieces.range(..=index).next_back())
            .map(|(_, piece)| Arc::clone(piece))
            .expect("a rank is asked for elements that it keeps");
        piece.downcast().expect("typed handles read a collection as the type it was made with")
    }

    pub(crate) fn forget(&self, id: CollectionId) {
        self.lock().remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CollectionId, Pieces>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
