//! Elements of maps that stay on the rank that made them.

use super::{CollectionId, pipeline::Elements};
use std::{
    any::Any,
    collections::{BTreeMap, HashMap},
    ops::Range,
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

    /// The elements whose source index lies in `range`.
    pub(crate) fn get<T: Clone + Send + Sync + 'static>(
        &self,
        id: CollectionId,
        range: Range<u64>,
    ) -> Elements<T> {
        let mut elements = Elements::dense(range.start..range.start, Vec::new());
        for piece in self.pieces(id, &range) {
            let piece: Arc<Elements<T>> =
                piece.downcast().expect("typed handles read a collection as the type it was made with");
            let start = range.start.max(piece.range.start);
            elements.extend(piece.slice(start..range.end.min(piece.range.end)));
        }
        assert_eq!(elements.range, range, "a rank is asked for elements that it keeps");
        elements
    }

    /// The pieces that a range touches, in their order.
    fn pieces(&self, id: CollectionId, range: &Range<u64>) -> Vec<Arc<dyn Any + Send + Sync>> {
        let collections = self.lock();
        let Some(pieces) = collections.get(&id) else { return Vec::new() };
        let first = pieces.range(..=range.start).next_back().map_or(range.start, |(&start, _)| start);
        pieces.range(first..range.end).map(|(_, piece)| Arc::clone(piece)).collect()
    }

    pub(crate) fn forget(&self, id: CollectionId) {
        self.lock().remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CollectionId, Pieces>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
