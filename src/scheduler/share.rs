//! What ranks tell each other of data that is wanted once on every node.

use super::ToWorker;
use crate::task::{Descriptor, Place, TaskError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// From one rank to another, of the value of a place.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ShareMessage {
    pub(crate) from: u32,
    pub(crate) to: Place,
    pub(crate) what: Share,
}

/// A rank is *offered* data by whoever has it, and ends up with all of it or with a failure. Ranks of a node
/// are shown the memory; others, and those that cannot map it, are sent its bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Share {
    /// To rank 0: its client has handed the memory over.
    Here,
    /// The memory is complete and can be mapped; an answer is waited for.
    Map(Descriptor),
    /// It is mapped.
    Mapped,
    /// It cannot be mapped: the bytes are wanted.
    Refused,
    /// So many bytes will come.
    Offer(u64),
    /// The next ones.
    Piece(#[serde(with = "crate::wire::bytes")] Vec<u8>),
    /// So many bytes have come.
    Received(u64),
    /// Whoever was to give them failed to get them; nothing more will come.
    Failed(Arc<TaskError>),
}

impl ToWorker {
    /// The bytes of a piece of shared data; what is none has none.
    pub(crate) fn piece_length(&self) -> usize {
        match self {
            ToWorker::Share(ShareMessage { what: Share::Piece(bytes), .. }) => bytes.len(),
            _ => 0,
        }
    }
}
