//! What an entry reads: the constants of its record, the values it depends on, and its rank.

use super::{Collections, Failure, Locals, Memories, Nodes, Stored, pipeline::HeldBytes};
use crate::random::{Elements, RESERVED, Seed, Stream, StreamFamily};
use crate::wire::{self, Value};
use std::sync::Arc;

/// What tasks may know of the rank they run on.
#[derive(Debug)]
pub(crate) struct RankContext {
    pub(crate) rank: usize,
    pub(crate) host: String,
    pub(crate) seed: Seed,
    pub(crate) locals: Locals,
    pub(crate) collections: Collections,
    pub(crate) memories: Memories,
    pub(crate) nodes: Arc<Nodes>,
    /// What shuffles hold in memory.
    pub(crate) shuffled: HeldBytes,
}

/// The arguments of one task, read in the order in which they were packed.
pub(crate) struct Inputs<'a> {
    constants: &'a [u8],
    values: std::slice::IterMut<'a, Option<Stored>>,
    run: u32,
    /// What is wanted is not the outcome of the task but a text of its arguments.
    shown: bool,
    context: &'a RankContext,
}

impl<'a> Inputs<'a> {
    /// `run` tells how often the graph of the task was run before.
    #[inline]
    pub(crate) fn new(
        constants: &'a [u8],
        values: &'a mut [Option<Stored>],
        run: u32,
        context: &'a RankContext,
    ) -> Self {
        Inputs { constants, values: values.iter_mut(), run, shown: false, context }
    }

    /// Inputs of a task that is to show its arguments, a `String`, instead of being run.
    pub(crate) fn to_be_shown(constants: &'a [u8], context: &'a RankContext) -> Self {
        Inputs { shown: true, ..Inputs::of_constants(constants, context) }
    }

    #[inline]
    pub(crate) fn are_shown(&self) -> bool {
        self.shown
    }

    /// Inputs without values.
    pub(crate) fn of_constants(constants: &'a [u8], context: &'a RankContext) -> Self {
        Inputs::new(constants, &mut [], 0, context)
    }

    /// The next constant.
    #[inline]
    pub(crate) fn constant<T: Value>(&mut self) -> Result<T, Failure> {
        Ok(wire::decode_from(&mut self.constants)?)
    }

    /// The next value that another task made.
    #[inline]
    pub(crate) fn value(&mut self) -> Stored {
        let value = self.values.next().and_then(Option::take);
        value.expect("the graph supplies as many values as were packed")
    }

    /// The stream with this key under the seed of the run. The runs of a kept graph after its first have
    /// streams of their own: (reserved, reserved, number of the run) goes before the key.
    pub(crate) fn stream(&self, key: &[u32]) -> Stream {
        match self.run {
            0 => Stream::new(&self.context.seed, key),
            run => StreamFamily::new(&self.context.seed, &[RESERVED, RESERVED, run]).stream(key),
        }
    }

    /// The random numbers of an array with this key. Runs of a kept graph differ as those of streams do.
    pub(crate) fn elements(&self, key: &[u32]) -> Elements {
        match self.run {
            0 => Elements::new(&self.context.seed, key),
            run => Elements::new(&self.context.seed, &[&[RESERVED, RESERVED, run], key].concat()),
        }
    }

    /// The streams whose keys begin with `prefix`.
    pub(crate) fn streams(&self, prefix: &[u32]) -> StreamFamily {
        match self.run {
            0 => StreamFamily::new(&self.context.seed, prefix),
            run => StreamFamily::new(&self.context.seed, &[RESERVED, RESERVED, run]).subfamily(prefix),
        }
    }

    pub(crate) fn locals(&self) -> &'a Locals {
        &self.context.locals
    }

    pub(crate) fn context(&self) -> &'a RankContext {
        self.context
    }

    #[cfg(test)]
    pub(crate) fn empty<R>(with: impl FnOnce(&mut Inputs<'_>) -> R) -> R {
        with(&mut Inputs::of_constants(&[], &RankContext::for_tests(0)))
    }
}

impl RankContext {
    #[cfg(any(test, feature = "internals"))]
    pub(crate) fn for_tests(rank: usize) -> Self {
        RankContext {
            rank,
            host: "here".to_owned(),
            seed: Seed::from(0u64),
            locals: Locals::default(),
            collections: Collections::default(),
            memories: Memories::default(),
            nodes: Arc::new(Nodes::single()),
            shuffled: HeldBytes::default(),
        }
    }
}
