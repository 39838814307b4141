//! Pieces of a bag of values.

use super::{
    names::{Name, Names, Origin},
    text::Place,
};
use serde::{Deserialize, Serialize};
use std::{panic::Location, sync::Arc};

/// Values that came of one stretch of the input. Copies of the piece share them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound(serialize = "T: Serialize", deserialize = "T: serde::de::DeserializeOwned"))]
pub(crate) struct Part<T> {
    pub(super) values: Arc<Vec<T>>,
    names: Arc<Names>,
    /// Where the stretch is.
    pub(super) place: Place,
    /// Records that were left out because something was wrong with them.
    pub(super) skipped: u64,
}

impl<T> Part<T> {
    pub(super) fn new(values: Vec<T>, names: Names, place: Place, skipped: u64) -> Self {
        Part { values: Arc::new(values), names: Arc::new(names), place, skipped }
    }

    /// What the names of the values belong to, with how many bytes of the file stand before each unit, unless the
    /// place says so.
    pub(super) fn origin(&self, part: u32, positions: &[u64]) -> Origin {
        let position = positions.get(self.place.number as usize).copied().unwrap_or(self.place.position);
        Origin { part, file: self.place.file, position }
    }

    /// The name of a value.
    pub(super) fn name(&self, index: usize) -> Name {
        self.names.get(index)
    }
}

impl<T: Clone> Part<T> {
    /// For each value one that is made of it.
    pub(super) fn map<U>(self, make: impl FnMut(T) -> U) -> Part<U> {
        let values = owned(self.values).into_iter().map(make).collect();
        Part { values: Arc::new(values), names: self.names, place: self.place, skipped: self.skipped }
    }

    /// The values for which there is one.
    pub(super) fn filter_map<U>(self, mut make: impl FnMut(T) -> Option<U>) -> Part<U> {
        let mut kept = Vec::new();
        let of = |(index, value)| {
            let made = make(value)?;
            kept.push(index);
            Some(made)
        };
        let values = (0u32..).zip(owned(self.values)).filter_map(of).collect();
        Part::new(values, self.names.chosen(&kept), self.place, self.skipped)
    }

    /// The values that are to be kept, by themselves and their names.
    pub(super) fn retain(self, mut keep: impl FnMut(&T, Name) -> bool) -> Part<T> {
        let mut values = owned(self.values);
        let (mut kept, mut index) = (Vec::new(), 0);
        values.retain(|value| {
            let keeps = keep(value, self.names.get(index as usize));
            if keeps {
                kept.push(index);
            }
            index += 1;
            keeps
        });
        Part::new(values, self.names.chosen(&kept), self.place, self.skipped)
    }

    /// Any number of values for each.
    pub(super) fn flat_map<U, I: IntoIterator<Item = U>>(self, mut make: impl FnMut(T) -> I) -> Part<U> {
        let mut values = Vec::new();
        let mut counts = Vec::with_capacity(self.values.len());
        for value in owned(self.values) {
            let before = values.len();
            values.extend(make(value));
            counts.push((values.len() - before) as u32);
        }
        Part::new(values, self.names.children(&counts), self.place, self.skipped)
    }

    /// Values of the stretch that have nothing to do with those that there are one by one.
    pub(super) fn replace<U>(self, make: impl FnOnce(Vec<T>) -> Vec<U>) -> Part<U> {
        let values = make(owned(self.values));
        let piece = Name { offset: 0, within: self.place.number }.child(self.place.piece);
        let names = (0..values.len() as u64).map(|number| piece.child(number)).collect();
        Part::new(values, Names::Full(names), self.place, self.skipped)
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
