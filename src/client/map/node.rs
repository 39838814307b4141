//! The node behind a map: a source, or a stage on another node.

use super::super::{client::Core, handles::NodeRef};
use crate::error::{Error, Result};
use crate::random::{Key, KeyError, RESERVED};
use crate::scheduler::Event;
use crate::task::{
    CollectionId, FnRef, NodeId,
    pipeline::{BuiltSink, BuiltSource, BuiltStage, KeyFunction, KeySpec, Keys, Slices, Spread, StageHeader},
};
use std::sync::{Arc, OnceLock};

/// A stage or a source.
#[derive(Debug, Clone)]
pub(in crate::client) struct MapNode {
    pub(super) core: Arc<Core>,
    pub(super) length: u64,
    /// The number of the first element, by which streams go: of a range its start, else zero.
    pub(in crate::client) first: i128,
    /// Whether an element of the source may have become several.
    pub(super) expanded: bool,
    pub(super) origin: Origin,
    pub(super) batch: Option<u64>,
    pub(super) problem: Option<Error>,
    pub(super) kept: OnceLock<Arc<Kept>>,
}

#[derive(Debug, Clone)]
pub(in crate::client) enum Origin {
    Range { entry: FnRef<BuiltSource>, constants: Vec<u8>, spread: Option<Spread> },
    Vector { entry: FnRef<BuiltSource>, slices: Arc<dyn Slices> },
    Stage(Box<StageNode>),
    Broken,
}

#[derive(Debug, Clone)]
pub(in crate::client) struct StageNode {
    pub(super) from: Arc<MapNode>,
    pub(super) build: FnRef<BuiltStage>,
    pub(super) header: StageHeader,
    /// Why the stage has no stream, if it should have one.
    pub(super) no_default_key: Option<Error>,
    /// The packed shared values.
    pub(super) shared: Vec<u8>,
    pub(super) inputs: Vec<NodeRef>,
}

/// Elements that stay on the ranks until nobody holds them.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) core: Arc<Core>,
    pub(super) id: CollectionId,
    pub(super) entry: FnRef<BuiltSource>,
}

/// A map whose elements are being made, to stay.
pub(in crate::client) struct Persisting {
    pub(super) node: Arc<MapNode>,
    pub(super) kept: Arc<Kept>,
}

impl Persisting {
    /// The elements are there.
    pub(in crate::client) fn keep(&self) {
        // A map that is persisted twice keeps what it has; the new collection is forgotten.
        let _ = self.node.kept.set(Arc::clone(&self.kept));
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.core.send(Event::ForgetCollection(self.id));
    }
}

/// What becomes of the elements of a map.
#[derive(Debug)]
pub(in crate::client) struct SinkKind {
    pub(super) build: FnRef<BuiltSink>,
    pub(super) constants: Vec<u8>,
    pub(in crate::client) label: String,
    pub(super) takes_failures: bool,
    pub(super) keeps: Option<CollectionId>,
    /// How the result is spread over the ranks, if every rank has a share of it.
    pub(super) spread: Option<Spread>,
}

impl SinkKind {
    /// How the result is spread over the ranks, if every rank has a share of it.
    pub(in crate::client) fn spread(&self) -> Option<&Spread> {
        self.spread.as_ref()
    }

    /// Whether the elements stay on the ranks.
    pub(in crate::client) fn keeps(&self) -> bool {
        self.keeps.is_some()
    }
}

impl MapNode {
    pub(in crate::client) fn new(core: &Arc<Core>, length: u64, origin: Origin) -> Self {
        MapNode {
            core: Arc::clone(core),
            length,
            first: 0,
            expanded: false,
            origin,
            batch: None,
            problem: None,
            kept: OnceLock::new(),
        }
    }

    /// A map that cannot be; what is computed from it fails.
    pub(in crate::client) fn broken(core: &Arc<Core>, problem: Error) -> Self {
        MapNode { problem: Some(problem), ..MapNode::new(core, 0, Origin::Broken) }
    }

    /// The same over the first elements of the source.
    pub(super) fn head(&self, length: u64) -> Self {
        let mut node = self.clone();
        node.length = self.length.min(length);
        if let (Origin::Stage(stage), None) = (&mut node.origin, self.kept.get()) {
            stage.from = Arc::new(stage.from.head(length));
        }
        node
    }

    pub(super) fn set_key(&mut self, key: Result<KeySpec>) {
        // What was kept was drawn from other streams.
        self.kept = OnceLock::new();
        match (key, &mut self.origin) {
            (Err(problem), _) => self.problem = Some(problem),
            (Ok(key), Origin::Stage(stage)) => {
                if stage.header.key.is_none() && stage.no_default_key.is_none() {
                    let problem = "this map draws no random numbers, so it has no use for a key";
                    self.problem = Some(Error::Usage(problem.into()));
                }
                stage.header.key = Some(Keys { spec: key, first: self.first as u64 });
                stage.no_default_key = None;
            }
            (Ok(_), _) => {}
        }
    }

    /// Takes the keys that are a prefix and the number of an element.
    pub(super) fn claim_prefix(&self, prefix: &[u32]) -> Result<()> {
        if self.length == 0 {
            return Ok(());
        }
        let end = self.first + i128::from(self.length);
        let (Ok(first), Ok(end)) = (u64::try_from(self.first), u64::try_from(end)) else {
            return Err(Error::Usage(format!(
                "the range {}..{end} is keyed by its integers, and a word of a key is a number from 0 to \
                 4294967295; make the key of each element yourself with `key_with`",
                self.first
            )));
        };
        // `Key` knows what is reserved; only without a prefix the number is the first word.
        if prefix.is_empty() && end > u64::from(RESERVED) && end <= 1 << 32 {
            return Err(KeyError::Reserved.into());
        }
        self.core.claim(|keys| match self.expanded {
            true => keys.claim_below(prefix, first..end),
            false => keys.claim_range(prefix, first..end),
        })
    }

    /// Takes the keys that a function makes of the numbers of all elements.
    pub(super) fn claim_all(&self, key: KeyFunction) -> Result<()> {
        for index in 0..self.length {
            let words = key((self.first as u64).wrapping_add(index));
            // `Key` knows what is reserved.
            Key::new(words.iter().map(|&word| u64::from(word)))?;
            self.core.claim(|keys| match (self.expanded, words.split_last()) {
                (true, Some((&last, prefix))) => {
                    keys.claim_below(prefix, u64::from(last)..u64::from(last) + 1)
                }
                _ => keys.claim(&words),
            })?;
        }
        Ok(())
    }

    /// The first problem on the way from the source.
    pub(super) fn check(&self) -> Result<()> {
        if let Some(problem) = &self.problem {
            return Err(problem.clone());
        }
        match &self.origin {
            Origin::Stage(stage) if self.kept.get().is_none() => {
                stage.no_default_key.clone().map_or(Ok(()), Err)?;
                stage.from.check()
            }
            _ => Ok(()),
        }
    }

    /// The values of the graph that the stages read, in the order from the source.
    pub(in crate::client) fn inputs(&self, inputs: &mut Vec<NodeId>) {
        if let (Origin::Stage(stage), None) = (&self.origin, self.kept.get()) {
            stage.from.inputs(inputs);
            inputs.extend(stage.inputs.iter().map(|node| node.id));
        }
    }

    /// Identifies the source of the chain.
    pub(in crate::client) fn root(&self) -> usize {
        match (&self.origin, self.kept.get()) {
            (Origin::Stage(stage), None) => stage.from.root(),
            _ => std::ptr::from_ref(self) as usize,
        }
    }
}
