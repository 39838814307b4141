//! From sinks to a pass: the stages that they share are shared.

use super::{
    super::arena::Sink,
    node::{MapNode, Origin},
};
use crate::error::Result;
use crate::graph::{Branch, Home, PassSpec, RangeSet, SinkSpec, StageSpec, leaf_length};
use crate::scheduler::PassOrder;
use crate::task::{CollectionId, NodeId, PassId, pipeline::Spread};
use crate::wire;
use std::{collections::HashMap, sync::Arc};

/// Brings sinks over the same source together into one pass.
pub(in crate::client) struct PassBuilder {
    id: PassId,
    root: Option<Arc<MapNode>>,
    length: u64,
    batch: Option<u64>,
    stages: Vec<StageSpec>,
    known: HashMap<usize, u32>,
    sinks: Vec<(SinkSpec, u32)>,
    inputs: Vec<NodeId>,
    keeps: Option<CollectionId>,
    takes_failures: bool,
}

impl PassBuilder {
    pub(in crate::client) fn new(id: PassId, map: &Arc<MapNode>) -> Self {
        PassBuilder {
            id,
            root: None,
            length: map.length,
            batch: None,
            stages: Vec::new(),
            known: HashMap::new(),
            sinks: Vec::new(),
            inputs: Vec::new(),
            keeps: None,
            takes_failures: false,
        }
    }

    pub(in crate::client) fn id(&self) -> PassId {
        self.id
    }

    /// The nodes that the stages read, stage by stage.
    pub(in crate::client) fn inputs(&self) -> &[NodeId] {
        &self.inputs
    }

    /// Which elements belong to which ranks, if they do.
    pub(in crate::client) fn spread(&self) -> Option<&Spread> {
        match &self.root.as_ref()?.origin {
            Origin::Range { spread, .. } => spread.as_ref(),
            _ => None,
        }
    }

    /// Adds a sink; `external` is its number in the graph.
    pub(in crate::client) fn add(&mut self, sink: &Sink, external: u32) {
        let from = self.branch(&sink.map);
        self.keeps = self.keeps.or(sink.kind.keeps);
        self.takes_failures |= sink.kind.takes_failures;
        let spec = SinkSpec {
            from,
            build: sink.kind.build,
            constants: sink.kind.constants.clone(),
            inputs: 0,
            home: Home::Each(Vec::new()),
            takes_failures: sink.kind.takes_failures,
            label: sink.kind.label.clone(),
        };
        self.sinks.push((spec, external));
    }

    fn branch(&mut self, map: &Arc<MapNode>) -> Branch {
        let (Origin::Stage(stage), None) = (&map.origin, map.kept.get()) else {
            self.root = Some(Arc::clone(map));
            return Branch::Source;
        };
        let identity = Arc::as_ptr(map) as usize;
        if let Some(&known) = self.known.get(&identity) {
            return Branch::Stage(known);
        }
        let from = self.branch(&stage.from);
        self.batch = match (self.batch, map.batch) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let mut constants = Vec::new();
        wire::encode(&stage.header, &mut constants).expect("a header is plain data");
        constants.extend_from_slice(&stage.shared);
        self.inputs.extend(stage.inputs.iter().map(|node| node.id));
        self.stages.push(StageSpec {
            from,
            build: stage.build,
            constants,
            inputs: stage.inputs.len() as u32,
        });
        let number = self.stages.len() as u32 - 1;
        self.known.insert(identity, number);
        Branch::Stage(number)
    }

    /// The pass; `home` tells where each sink's value is delivered.
    pub(in crate::client) fn finish(self, home: impl Fn(u32) -> Home) -> Result<PassOrder> {
        let root = self.root.expect("a pass has a sink, and a sink has a source");
        let mut slices = None;
        let mut only_on = None;
        let (source, source_constants, reads) = match (root.kept.get(), &root.origin) {
            (Some(kept), _) => (kept.entry, wire::encode_to_vec(&kept.id)?, Some(kept.id)),
            (None, Origin::Range { entry, constants, spread }) => {
                only_on.clone_from(spread);
                (*entry, constants.clone(), None)
            }
            (None, Origin::Vector { entry, slices: vector }) => {
                slices = Some(Arc::clone(vector));
                (*entry, Vec::new(), None)
            }
            (None, Origin::Stage(_) | Origin::Broken) => unreachable!("a root is a source"),
        };
        let stop_at_failure = self.sinks.len() == 1 && !self.takes_failures;
        let with_home = |(spec, external): (SinkSpec, u32)| SinkSpec { home: home(external), ..spec };
        let spec = PassSpec {
            pass: self.id,
            run: 0,
            source,
            source_constants,
            reads,
            stages: self.stages,
            sinks: self.sinks.into_iter().map(with_home).collect(),
            spread: only_on,
            length: self.length,
            leaf: leaf_length(self.length),
            batch: self.batch.map(|batch| batch.min(self.length.max(1))),
            stop_at_failure,
            inputs: self.inputs.len() as u32,
        };
        Ok(PassOrder { spec, slices, keeps: self.keeps, without: RangeSet::default() })
    }
}
