//! Every message that ranks exchange.

use crate::graph::{Part, PassSpec};
use crate::task::{
    CollectionId, GraphId, LocalSpec, Outcome, PassId, Place, Stored, TaskError, pipeline::GrantData,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{ops::Range, sync::Arc};

/// To a rank, from rank 0 or from another rank.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum ToWorker {
    /// Its part of a graph.
    Part(Box<Part>),
    /// A value that it imports.
    Value { to: Place, outcome: Outcome },
    /// Values that nobody will ask for again.
    Release(Vec<Place>),
    /// Do not run this task if it has not begun; answer with its outcome under this number.
    Cancel { place: Place, token: u32 },
    /// A pass begins.
    Pass(Arc<PassSpec>),
    /// Work on these elements.
    Grant { pass: PassId, range: Range<u64>, data: Option<GrantData> },
    /// No more elements will be granted: when all are done, send what has been gathered.
    Drain(PassId),
    /// A part of a sink's result, to its home.
    Gathered(Gathered),
    /// To the home of a sink: this many elements were granted in all.
    Total { pass: PassId, granted: u64 },
    /// How to build a local context when a task asks for it.
    Local(LocalSpec),
    /// A collection that nobody holds any more.
    ForgetCollection(CollectionId),
    /// The run is over.
    Leave,
}

/// A part of a sink's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Gathered {
    pub(crate) pass: PassId,
    pub(crate) sink: u32,
    /// Elements of the source that it stands for.
    pub(crate) covered: u64,
    #[serde(with = "bytes")]
    pub(crate) accumulator: Vec<u8>,
    pub(crate) failures: Vec<TaskError>,
}

/// To rank 0's scheduler.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum ToScheduler {
    /// A value that the client wants.
    Result { graph: GraphId, token: u32, outcome: Outcome },
    /// A kept value is there, or its task failed.
    Done { graph: GraphId, token: u32, error: Option<Arc<TaskError>> },
    /// What has come of a cancellation.
    Cancelled { graph: GraphId, token: u32, cancelled: bool },
    /// Elements of a pass are done.
    Progress(Progress),
}

/// How far a rank has come with a pass since it last said so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub(crate) pass: PassId,
    /// The ranges that are done.
    pub(crate) done: Vec<Range<u64>>,
    /// Time that compute threads spent on them.
    pub(crate) busy_nanos: u64,
    /// The lowest element that failed.
    pub(crate) failed: Option<u64>,
}

impl Serialize for Stored {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = Vec::new();
        self.encode(&mut out).map_err(serde::ser::Error::custom)?;
        bytes::serialize(&out, serializer)
    }
}

impl<'de> Deserialize<'de> for Stored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        bytes::deserialize(deserializer).map(Stored::from_bytes)
    }
}

impl Serialize for GrantData {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.values, self.start).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for GrantData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (values, start) = Deserialize::deserialize(deserializer)?;
        Ok(GrantData { values, start })
    }
}

/// Bytes in one piece, not one by one.
mod bytes {
    use serde::{Deserializer, Serializer, de::Visitor};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(bytes)
            }
        }
        deserializer.deserialize_byte_buf(Bytes)
    }
}
