//! Pieces of a bag of values.

use super::text::Place;
use serde::{Deserialize, Serialize};
use std::{panic::Location, sync::Arc};

/// Values that came of one stretch of the input. Copies of the piece share them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound(serialize = "T: Serialize", deserialize = "T: serde::de::DeserializeOwned"))]
pub(crate) struct Part<T> {
    pub(super) values: Arc<Vec<T>>,
    /// Where the stretch is.
    pub(super) place: Place,
    /// Records that were left out because something was wrong with them.
    pub(super) skipped: u64,
}

impl<T> Part<T> {
    pub(super) fn new(values: Vec<T>, place: Place, skipped: u64) -> Self {
        Part { values: Arc::new(values), place, skipped }
    }

    /// Other values of the same stretch.
    pub(super) fn with<U>(self, make: impl FnOnce(Vec<T>) -> Vec<U>) -> Part<U>
    where
        T: Clone,
    {
        let Part { values, place, skipped } = self;
        Part { values: Arc::new(make(owned(values))), place, skipped }
    }
}

/// Where the user asked for something, as errors and reports name it.
#[track_caller]
pub(super) fn asked() -> String {
    let place = Location::caller();
    format!("{}:{}", place.file(), place.line())
}

/// The values themselves, if nobody else has the piece.
pub(super) fn owned<T: Clone>(values: Arc<Vec<T>>) -> Vec<T> {
    Arc::try_unwrap(values).unwrap_or_else(|shared| (*shared).clone())
}
