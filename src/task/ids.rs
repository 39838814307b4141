//! Names of things that travel: small integers, each with a type of its own.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! identifiers {
    ($($(#[$doc:meta])* $name:ident $letter:literal)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[derive(bytemuck::Pod, bytemuck::Zeroable)]
        #[repr(transparent)]
        pub(crate) struct $name(pub(crate) u32);

        impl $name {
            #[allow(dead_code)]
            pub(crate) fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{}"), self.0)
            }
        }
    )*};
}

identifiers! {
    /// A node of the client's lazy graph.
    NodeId "n"
    /// A graph that was sent to the ranks.
    GraphId "g"
    /// A value's place in a rank's part of a graph: its tasks first, then what it imports.
    Slot "s"
    /// A pass over the elements of a map.
    PassId "p"
    /// Elements of a map that stay on the ranks that made them.
    CollectionId "c"
}

/// A value on a rank that is known from the context.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    bytemuck::Pod,
    bytemuck::Zeroable,
)]
#[repr(C)]
pub(crate) struct Place {
    pub(crate) graph: GraphId,
    pub(crate) slot: Slot,
}
