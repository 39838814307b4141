//! Rank-local context: what cannot travel is built once per rank, when the first task asks for it.

use super::{Failure, FnRef, Inputs, RankContext, Temporaries, contain};
use serde::{Deserialize, Serialize};
use std::{
    any::Any,
    sync::{Arc, OnceLock, PoisonError, RwLock},
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
pub(crate) struct Locals(RwLock<Vec<Option<Arc<Cell>>>>);

impl Locals {
    /// Makes a context known; nothing is built yet.
    pub(crate) fn define(&self, spec: LocalSpec) {
        let cell = Arc::new(Cell { built: OnceLock::new(), spec });
        let mut cells = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let id = cell.spec.id as usize;
        if cells.len() <= id {
            cells.resize(id + 1, None);
        }
        cells[id] = Some(cell);
    }

    /// The instance of this rank, built now if this is its first use. A builder that fails or panics fails
    /// every task that asks.
    pub(crate) fn get<C: Any + Send + Sync>(
        &self,
        id: u32,
        context: &RankContext,
    ) -> Result<Arc<C>, Failure> {
        let cells = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let cell = cells.get(id as usize).and_then(Option::as_ref);
        let cell = cell.expect("a context is defined before tasks that use it are sent");
        if let Some(built) = cell.built.get() {
            return instance(built);
        }
        // Building may take long, or use another context.
        let cell = Arc::clone(cell);
        drop(cells);
        instance(cell.built.get_or_init(|| {
            let builder = cell.spec.builder.resolve()?;
            let mut inputs = Inputs::of_constants(&cell.spec.constants, context);
            contain(|| builder.call(&mut inputs))?
        }))
    }
}

impl Locals {
    /// The rank leaves the run; tasks may still be running.
    pub(crate) fn leave(&self) {
        let cells = self.0.read().unwrap_or_else(PoisonError::into_inner);
        for built in cells.iter().flatten().filter_map(|cell| cell.built.get()?.as_ref().ok()) {
            if let Some(temporaries) = built.downcast_ref::<Temporaries>() {
                temporaries.remove();
            }
        }
    }
}

fn instance<C: Any + Send + Sync>(built: &Built) -> Result<Arc<C>, Failure> {
    let instance = Arc::clone(built.as_ref().map_err(Clone::clone)?);
    Ok(instance.downcast().expect("typed handles read a context as the type it was built with"))
}
