//! Streams as arguments of tasks.

use crate::error::Result;
use crate::random::{Elements, Stream};
use crate::task::{Arg, InputsRef, Record, Sealed, TaskFailure};

/// A stream for one task: give it as an argument where the function takes a
/// [`Stream`](crate::random::Stream). See [`Client::stream`](super::Client::stream).
#[derive(Debug)]
pub struct StreamHandle {
    pub(super) key: Result<Vec<u32>>,
}

impl Sealed for StreamHandle {}

impl Arg for StreamHandle {
    type Value = Stream;
    fn pack(&self, record: &mut Record) {
        match &self.key {
            Ok(key) => {
                record.has_stream = true;
                record.constant(key);
            }
            Err(error) => record.fail(error.clone().into()),
        }
    }
    fn unpack(inputs: &mut InputsRef<'_, '_>) -> Result<Stream, TaskFailure> {
        let key: Vec<u32> = inputs.0.constant()?;
        Ok(inputs.0.stream(&key))
    }
    fn show(inputs: &mut InputsRef<'_, '_>) -> Result<String, TaskFailure> {
        let key: Vec<u32> = inputs.0.constant()?;
        Ok(format!("stream {key:?}"))
    }
}

impl StreamHandle {
    /// The same place in the key space for an array: the task gets the [`Elements`] of the key, random numbers
    /// that belong to the elements of an array, instead of one [`Stream`]. Tasks that make parts of one array
    /// share the handle.
    #[must_use]
    pub fn elements(self) -> ElementsHandle {
        ElementsHandle { key: self.key }
    }
}

/// The random numbers of an array: give it as an argument where the function takes
/// [`Elements`]. See [`StreamHandle::elements`].
#[derive(Debug, Clone)]
pub struct ElementsHandle {
    key: Result<Vec<u32>>,
}

impl ElementsHandle {
    fn pack_key(&self, record: &mut Record) {
        match &self.key {
            Ok(key) => record.constant(key),
            Err(error) => record.fail(error.clone().into()),
        }
    }

    fn unpack_key(inputs: &mut InputsRef<'_, '_>) -> Result<Elements, TaskFailure> {
        let key: Vec<u32> = inputs.0.constant()?;
        Ok(inputs.0.elements(&key))
    }
}

impl Sealed for ElementsHandle {}

impl Arg for ElementsHandle {
    type Value = Elements;
    fn pack(&self, record: &mut Record) {
        self.pack_key(record);
    }
    fn unpack(inputs: &mut InputsRef<'_, '_>) -> Result<Elements, TaskFailure> {
        Self::unpack_key(inputs)
    }
    fn show(inputs: &mut InputsRef<'_, '_>) -> Result<String, TaskFailure> {
        let key: Vec<u32> = inputs.0.constant()?;
        Ok(format!("elements {key:?}"))
    }
}

/// The random numbers of several arrays as one argument: the function takes a `Vec<Elements>`.
#[derive(Debug, Clone)]
pub struct ElementsList(Vec<ElementsHandle>);

impl FromIterator<ElementsHandle> for ElementsList {
    fn from_iter<I: IntoIterator<Item = ElementsHandle>>(handles: I) -> Self {
        ElementsList(handles.into_iter().collect())
    }
}

impl Sealed for ElementsList {}

impl Arg for ElementsList {
    type Value = Vec<Elements>;
    fn pack(&self, record: &mut Record) {
        record.constant(&(self.0.len() as u32));
        self.0.iter().for_each(|handle| handle.pack_key(record));
    }
    fn unpack(inputs: &mut InputsRef<'_, '_>) -> Result<Vec<Elements>, TaskFailure> {
        let count: u32 = inputs.0.constant()?;
        (0..count).map(|_| ElementsHandle::unpack_key(inputs)).collect()
    }
    fn show(inputs: &mut InputsRef<'_, '_>) -> Result<String, TaskFailure> {
        let count: u32 = inputs.0.constant()?;
        for _ in 0..count {
            inputs.0.constant::<Vec<u32>>()?;
        }
        Ok(format!("[elements; {count}]"))
    }
}
