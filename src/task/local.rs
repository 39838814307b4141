//! Rank-local context: what cannot travel is built once per rank, when the first task asks for it.

use super::{Failure, FnRef, Inputs, RankContext, contain};
use serde::{Deserialize, Serialize};
use std::{
    any::Any,
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock},
};

/// What a builder yields; the type is known to the handle alone.
pub(crate) type Built = Result<Arc<dyn Any + Send + Sync>, Failure>;

/// How a rank builds its own instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LocalSpec {
    pub(crate) id: u32,
    pub(crate) builder: FnRef<Built>,
    pub(crate) constants: Vec<u8>,
}

#[derive(Debug)]
struct Cell {
    spec: LocalSpec,
    built: OnceLock<Built>,
}

/// The local contexts of a rank.
#[derive(Debug, Default)]
pub(crate) struct Locals(Mutex<HashMap<u32, Arc<Cell>>>);

impl Locals {
    /// Makes a context known; nothing is built yet.
    pub(crate) fn define(&self, spec: LocalSpec) {
        let cell = Arc::new(Cell { built: OnceLock::new(), spec });
        self.cells().insert(cell.spec.id, cell);
    }

    /// The instance of this rank, built now if this is its first use. A builder that fails or panics fails
    /// every task that asks.
    pub(crate) fn get<C: Any + Send + Sync>(
        &self,
        id: u32,
        context: &RankContext,
    ) -> Result<Arc<C>, Failure> {
        let cell = self.cells().get(&id).cloned();
        let cell = cell.expect("a context is defined before tasks that use it are sent");
        let built = cell.built.get_or_init(|| {
            let builder = cell.spec.builder.resolve()?;
            let mut inputs = Inputs::of_constants(&cell.spec.constants, context);
            contain(|| builder.call(&mut inputs))?
        });
        let instance = Arc::clone(built.as_ref().map_err(Clone::clone)?);
        Ok(instance.downcast().expect("typed handles read a context as the type it was built with"))
    }

    fn cells(&self) -> std::sync::MutexGuard<'_, HashMap<u32, Arc<Cell>>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
