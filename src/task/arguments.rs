//! Arguments: how what the user writes becomes a record that travels, and the values a function takes.

use super::{Failure, FunctionError, Inputs, NodeId};
use crate::random::KeyError;
use crate::wire::{self, Value, WireError};

/// The packed arguments of one task: the bytes of its constants and the nodes it reads, in order.
#[derive(Debug, Default)]
pub struct Record {
    pub(crate) constants: Vec<u8>,
    pub(crate) inputs: Vec<NodeId>,
    /// The first thing that is wrong with the arguments.
    pub(crate) problem: Option<ArgumentError>,
    /// Where in `constants` the longest constant is.
    pub(crate) longest: std::ops::Range<usize>,
    /// Whether one of the arguments is a stream.
    pub(crate) has_stream: bool,
    client: Option<u64>,
}

/// What is wrong with the arguments of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ArgumentError {
    Value(WireError),
    Function(FunctionError),
    Key(KeyError),
    Usage(String),
}

impl Record {
    pub(crate) fn constant<T: Value>(&mut self, value: &T) {
        let before = self.constants.len();
        if let Err(error) = wire::encode(value, &mut self.constants) {
            self.fail(ArgumentError::Value(error));
        }
        if self.constants.len() - before > self.longest.len() {
            self.longest = before..self.constants.len();
        }
    }

    pub(crate) fn fail(&mut self, error: ArgumentError) {
        self.problem.get_or_insert(error);
    }

    /// The task reads `node` of the run `client`.
    pub(crate) fn input(&mut self, client: u64, node: NodeId) {
        self.belongs_to(client);
        self.inputs.push(node);
    }

    /// An argument belongs to the run `client`.
    pub(crate) fn belongs_to(&mut self, client: u64) {
        if *self.client.get_or_insert(client) != client {
            self.fail(ArgumentError::Usage("the arguments of a task belong to different runs".into()));
        }
    }

    /// The run that the arguments belong to, if any of them does.
    pub(crate) fn client(&self) -> Option<u64> {
        self.client
    }
}

mod sealed {
    pub trait Sealed {}
    impl<T: crate::wire::Value> Sealed for T {}
}
pub(crate) use sealed::Sealed;

/// One argument of a task: a value, or a handle that stands where a value would.
///
/// | written | the function takes |
/// |---|---|
/// | a value `x: T` | `T` |
/// | a handle `x: Delayed<T>` or `Future<T>`, `T: Clone` | `T`, moved if nobody else reads it, else cloned |
/// | a reference `&x` to such a handle | `Arc<T>`, shared by all readers on a rank (`&T` through [`delayed!`](crate::delayed)) |
/// | a [`List<T>`](crate::List) of handles | `Vec<T>` |
/// | `&list` | `Vec<Arc<T>>` |
/// | `&slice`, a [`SharedSlice<T>`](crate::SharedSlice) | [`Shared<T>`](crate::Shared), the memory of the node (`&[T]` through [`delayed!`](crate::delayed)) |
/// | [`client.stream()`](crate::Client::stream) | a [`Stream`](crate::random::Stream) of the task's own |
/// | a [`Function`](crate::Function) | the function |
/// | `&local`, a [`Local<C>`](crate::Local) | `Arc<C>`, the instance of the rank |
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a task",
    label = "neither a value that can travel nor a handle",
    note = "a value needs `serde::Serialize + Deserialize + Send + Sync` and must own its data; a handle is a `Delayed`, a `Future`, a `List` of handles, a `SharedSlice`, a `Local` or a stream, or a reference to one"
)]
pub trait Arg: Sealed {
    /// What the function takes.
    type Value;
    #[doc(hidden)]
    fn pack(&self, record: &mut Record);
    #[doc(hidden)]
    fn unpack(inputs: &mut InputsRef<'_, '_>) -> Result<Self::Value, TaskFailure>;
    /// Passes over the argument's constants, and tells what it is as far as they do.
    #[doc(hidden)]
    fn show(_: &mut InputsRef<'_, '_>) -> Result<String, TaskFailure> {
        Ok("_".to_owned())
    }
}

/// The inputs of a task, opaque outside the crate.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub struct InputsRef<'a, 'b>(pub(crate) &'a mut Inputs<'b>);

/// A failure, opaque outside the crate.
#[doc(hidden)]
#[derive(Debug)]
pub struct TaskFailure(pub(crate) Failure);

impl<E: Into<Failure>> From<E> for TaskFailure {
    fn from(failure: E) -> Self {
        TaskFailure(failure.into())
    }
}

impl<T: Value> Arg for T {
    type Value = T;
    fn pack(&self, record: &mut Record) {
        record.constant(self);
    }
    fn unpack(inputs: &mut InputsRef<'_, '_>) -> Result<T, TaskFailure> {
        Ok(inputs.0.constant()?)
    }
    fn show(inputs: &mut InputsRef<'_, '_>) -> Result<String, TaskFailure> {
        Ok(wire::show::<T>(&inputs.0.constant()?))
    }
}

/// The arguments of a task: a tuple of [`Arg`]s, `(a,)` for a single one and `()` for none.
pub trait Args {
    /// The tuple that the function takes.
    type Values;
    #[doc(hidden)]
    fn pack(&self, record: &mut Record);
    #[doc(hidden)]
    fn unpack(inputs: &mut InputsRef<'_, '_>) -> Result<Self::Values, TaskFailure>;
    #[doc(hidden)]
    fn show(inputs: &mut InputsRef<'_, '_>) -> Result<String, TaskFailure>;
}

macro_rules! tuples {
    ($(($($name:ident)*))*) => {$(
        impl<$($name: Arg),*> Args for ($($name,)*) {
            type Values = ($($name::Value,)*);
            #[allow(non_snake_case, unused_variables)]
            fn pack(&self, record: &mut Record) {
                let ($($name,)*) = self;
                $($name.pack(record);)*
            }
            #[allow(unused_variables, clippy::unused_unit)]
            fn unpack(inputs: &mut InputsRef<'_, '_>) -> Result<Self::Values, TaskFailure> {
                Ok(($($name::unpack(inputs)?,)*))
            }
            #[allow(unused_variables)]
            fn show(inputs: &mut InputsRef<'_, '_>) -> Result<String, TaskFailure> {
                let shown: &[String] = &[$($name::show(inputs)?),*];
                Ok(format!("({})", shown.join(", ")))
            }
        }
    )*};
}

tuples! {
    () (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H)
    (A B C D E F G H I) (A B C D E F G H I J) (A B C D E F G H I J K) (A B C D E F G H I J K L)
}
