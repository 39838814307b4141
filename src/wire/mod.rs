//! The wire format: how values and messages become bytes.
//!
//! Every value of the program that leaves a rank passes through [`encode`] and [`decode`], and messages of the runtime
//! through [`encode_message`]; the format is an internal matter of one job, in which all ranks run the same
//! executable on the same kind of machine, so it carries no version. A value has one of three forms:
//!
//! - raw: vectors and arrays of numbers, as they lie in memory;
//! - compact: the numbers and texts alone, where the type reads exactly what it writes ([`shape`]);
//! - described: for all others, with names and kinds in the bytes ([`write`]).

mod block;
pub(crate) mod bytes;
mod codec;
mod kind;
mod raw;
mod read;
mod same;
mod shape;
mod show;
mod write;

pub use block::{Block, BlockElement, DType};
pub(crate) use codec::{
    Format, WireError, decode, decode_from, decode_message_from, encode, encode_message, encode_to_vec,
    travels,
};
pub(crate) use raw::{heap_bytes, put_elements, take_elements};
pub(crate) use show::show;

#[cfg(test)]
mod tests;

use serde::{Serialize, de::DeserializeOwned};

/// Whether a type may want to be told what has come before it says what it reads: with `flatten`, `untagged` or `tag`.
pub(crate) fn looks<T: DeserializeOwned + 'static>() -> bool {
    shape::Shape::of::<T>().looks
}

/// What can be the argument or the result of a task: any type that `serde` can write and read again
/// and that may move between threads.
///
/// The trait is implemented for every such type; there is nothing to implement by hand. Values stay
/// ordinary Rust values inside a rank, where readers share them, and become bytes only when they leave it.
///
/// ```
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Moments { count: u64, mean: f64, m2: f64 }
///
/// fn is_value<T: serried::Value>() {}
/// is_value::<Moments>();
/// is_value::<Vec<(String, f64)>>();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel between ranks",
    label = "not a value that a task can take or return",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it, and see that it owns its data and is `Send + Sync`",
    note = "for what cannot travel (a file handle, a compiled pattern) see `Client::local`"
)]
pub trait Value: Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Value for T {}
