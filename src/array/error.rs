//! What can be wrong with an operation on arrays.

use super::io::FileError;
use std::panic::Location;

/// An operation on arrays that cannot be done: which one, where in the program, and why.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{operation} ({place}): {problem}")]
pub struct ArrayError {
    /// The operation.
    pub operation: String,
    /// Where the program asked for it: file, line and column.
    pub place: String,
    /// Why it cannot be done.
    #[source]
    pub problem: ArrayProblem,
}

/// Why an operation on arrays cannot be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArrayProblem {
    /// The shapes of the operands differ, and not only by axes of length 1.
    #[error(
        "the shapes {left:?} and {right:?} do not go together: counted from the last axis, lengths must be \
         equal or one of them 1"
    )]
    Broadcast {
        /// The shape of one operand.
        left: Vec<usize>,
        /// The shape of the other.
        right: Vec<usize>,
    },
    /// An axis that the array does not have.
    #[error("there is no axis {axis} in an array of shape {shape:?}; axes are counted from 0")]
    NoSuchAxis {
        /// The axis.
        axis: usize,
        /// The shape of the array.
        shape: Vec<usize>,
    },
    /// An axis was named twice.
    #[error("axis {axis} is named twice")]
    AxisTwice {
        /// The axis.
        axis: usize,
    },
    /// Chunks that do not make up the shape.
    #[error("chunks {chunks} cannot divide an array of shape {shape:?}: {reason}")]
    Chunks {
        /// The chunks that were asked for.
        chunks: String,
        /// The shape of the array.
        shape: Vec<usize>,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// More chunks than there can be tasks.
    #[error(
        "an array of shape {shape:?} would have {chunks} chunks, and {most} is the most: give larger chunks, by \
         the chunk shape, `Chunks::Auto` or `rechunk`"
    )]
    TooManyChunks {
        /// How many there would be.
        chunks: usize,
        /// How many there may be.
        most: usize,
        /// The shape of the array.
        shape: Vec<usize>,
    },
    /// More elements than can be counted.
    #[error("an array of shape {shape:?} would have more bytes than a process can address: make it smaller")]
    TooLarge {
        /// The shape of the array.
        shape: Vec<usize>,
    },
    /// More memory than there is, for a chunk or for an array that is brought together.
    #[error(
        "there is no memory for {bytes} bytes at once: make the chunks smaller, or, of an array that is brought \
         together, compute what it comes down to, or write it to a file"
    )]
    NoRoom {
        /// How many bytes there would have to be.
        bytes: usize,
    },
    /// More tasks than there is memory for.
    #[error(
        "with such chunks it would take {tasks} tasks, and {most} is the most: `rechunk` the array to larger \
         chunks first"
    )]
    TooManyTasks {
        /// How many it would take.
        tasks: usize,
        /// How many there may be.
        most: usize,
    },
    /// Operands whose shapes must agree in another way.
    #[error("shapes {left:?} and {right:?}: {rule}")]
    Shapes {
        /// The shape of one operand.
        left: Vec<usize>,
        /// The shape of the other.
        right: Vec<usize>,
        /// The rule that they break.
        rule: String,
    },
    /// An argument that the operation cannot take.
    #[error("{0}")]
    Argument(String),
    /// A file that cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Arrays of two runs.
    #[error("the arrays belong to different runs")]
    Runs,
}

impl ArrayError {
    pub(super) fn new(operation: impl Into<String>, place: &Location<'_>, problem: ArrayProblem) -> Self {
        ArrayError { operation: operation.into(), place: place.to_string(), problem }
    }
}
