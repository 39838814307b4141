//! The only place that knows `bincode`.

use super::{
    Value,
    kind::Wrong,
    raw::{RawForm, raw_form},
    read::{read_compact, read_described},
    same::same,
    shape::Shape,
    write::write,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    any::{TypeId, type_name},
    marker::PhantomData,
};

/// A value that could not be written to bytes or read back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("a value of type `{type_name}` cannot travel between ranks: {message}")]
pub(crate) struct WireError {
    type_name: String,
    message: String,
}

impl WireError {
    pub(crate) fn new<T>(message: impl std::fmt::Display) -> Self {
        WireError { type_name: type_name::<T>().to_owned(), message: message.to_string() }
    }
}

/// Fixed-width integers: a few bytes more than variable ones, but no branch per number.
const FORMAT: bincode::config::Configuration<bincode::config::LittleEndian, bincode::config::Fixint> =
    bincode::config::standard().with_fixed_int_encoding();

/// In front of a value that is neither a scalar nor raw: the form that follows.
const COMPACT: u8 = 0;
const DESCRIBED: u8 = 1;

/// How values of a type are written: found out once, then used for many.
#[derive(Debug)]
pub(crate) struct Format<T> {
    kind: Kind,
    value: PhantomData<fn(T) -> T>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// The bytes of a slice, as they lie in memory.
    Raw(RawForm),
    /// A number, a text: compact, and nothing else.
    Scalar,
    /// Compact where it fits what the type reads, else described.
    Shaped(&'static Shape),
}

impl<T: Value> Format<T> {
    #[inline]
    pub(crate) fn new() -> Self {
        let kind = if let Some(form) = raw_form::<T>() {
            Kind::Raw(form)
        } else if is_scalar::<T>() {
            Kind::Scalar
        } else {
            Kind::Shaped(Shape::of::<T>())
        };
        Format { kind, value: PhantomData }
    }

    /// Whether the type looks at what has come before it decides what it is.
    pub(crate) fn is_described(&self) -> bool {
        matches!(self.kind, Kind::Shaped(shape) if shape.looks)
    }

    /// Appends the bytes of `value` to `out`.
    #[inline]
    pub(crate) fn encode(&self, value: &T, out: &mut Vec<u8>) -> Result<(), WireError> {
        match self.kind {
            Kind::Raw(form) => {
                form.encode(value, out);
                Ok(())
            }
            Kind::Scalar => encode_message(value, out),
            Kind::Shaped(shape) => encode_shaped(shape, value, out),
        }
    }

    /// Reads a value from the front of `bytes` and moves the slice behind it.
    #[inline]
    pub(crate) fn decode_from(&self, bytes: &mut &[u8]) -> Result<T, WireError> {
        match self.kind {
            Kind::Raw(form) => form.decode(bytes),
            Kind::Scalar => decode_message_from(bytes),
            Kind::Shaped(_) => decode_shaped(bytes),
        }
    }
}

/// Reads a value whose first byte says how it was written.
#[inline]
fn decode_shaped<T: Value>(bytes: &mut &[u8]) -> Result<T, WireError> {
    match bytes.split_first() {
        Some((&COMPACT, rest)) => {
            *bytes = rest;
            read_compact(bytes).map_err(WireError::new::<T>)
        }
        Some((_, rest)) => {
            *bytes = rest;
            read_described(bytes).map_err(|error| WireError::new::<T>(unreadable(&error)))
        }
        None => Err(WireError::new::<T>("the message ends before it")),
    }
}

fn encode_shaped<T: Value>(shape: &'static Shape, value: &T, out: &mut Vec<u8>) -> Result<(), WireError> {
    let start = out.len();
    if !shape.looks {
        out.push(COMPACT);
        if write(value, Some(&shape.root), out).is_ok() {
            return Ok(());
        }
        out.truncate(start);
    }
    out.push(DESCRIBED);
    write(value, None, out).map_err(WireError::new::<T>)?;
    // What a type makes of a description is its own affair: the wrong variant of an `untagged` enum, say.
    let described = &out[start + 1..];
    let again = read_described::<T>(&mut &*described).and_then(|read| {
        let mut again = Vec::with_capacity(described.len());
        write(&read, None, &mut again).map(|()| again)
    });
    match again {
        Ok(again) if same(described, &again) => Ok(()),
        Ok(_) => Err(WireError::new::<T>(unreadable(&"it is another value when it has been read"))),
        Err(error) => Err(WireError::new::<T>(unreadable(&error))),
    }
}

/// What to say of a value that describes itself and still cannot be read.
fn unreadable(error: &dyn std::fmt::Display) -> String {
    format!(
        "{error} (it cannot be read back from what it writes: see its serde attributes, `untagged`, `flatten`, `tag`, \
         `skip_serializing`, `skip_deserializing` and `serialize_with` among them; the first three hold no 128-bit \
         integers, and the first takes the first variant that fits)"
    )
}

/// Types whose compact form is all there is.
#[inline]
fn is_scalar<T: 'static>() -> bool {
    let id = TypeId::of::<T>();
    if const { std::mem::needs_drop::<T>() } {
        return id == TypeId::of::<String>();
    }
    macro_rules! one_of {
        ($($scalar:ty)*) => { false $(|| id == TypeId::of::<$scalar>())* };
    }
    if const { size_of::<T>() > 16 } {
        return false;
    }
    one_of!(f64 u64 i64 u32 i32 usize isize f32 bool u8 i8 u16 i16 u128 i128 char) || id == TypeId::of::<()>()
}

/// Appends the bytes of `value` to `out`.
#[inline]
pub(crate) fn encode<T: Value>(value: &T, out: &mut Vec<u8>) -> Result<(), WireError> {
    Format::<T>::new().encode(value, out)
}

/// The bytes of `value`.
pub(crate) fn encode_to_vec<T: Value>(value: &T) -> Result<Vec<u8>, WireError> {
    let mut out = Vec::new();
    encode(value, &mut out)?;
    Ok(out)
}

/// Reads a value that fills `bytes` to the end.
pub(crate) fn decode<T: Value>(bytes: &[u8]) -> Result<T, WireError> {
    let mut rest = bytes;
    let value = decode_from(&mut rest)?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(WireError::new::<T>(format!(
            "reading it back leaves {} of its {} bytes over",
            rest.len(),
            bytes.len()
        )))
    }
}

/// Reads a value from the front of `bytes` and moves the slice behind it.
#[inline]
pub(crate) fn decode_from<T: Value>(bytes: &mut &[u8]) -> Result<T, WireError> {
    // The bytes tell the form, so that the shape of the type need not be looked up.
    match raw_form::<T>() {
        Some(form) => form.decode(bytes),
        None if is_scalar::<T>() => decode_message_from(bytes),
        None => decode_shaped(bytes),
    }
}

/// Whether a value comes out as it goes in, as far as that can be seen from outside.
pub(crate) fn travels<T: Value>(value: &T) -> Result<(), WireError> {
    decode::<T>(&encode_to_vec(value)?).map(drop)
}

/// A number, a truth value or a character.
pub(super) trait Scalar: bincode::Encode + bincode::Decode<()> {}
impl<N: bincode::Encode + bincode::Decode<()>> Scalar for N {}

/// Appends a scalar.
#[inline]
pub(super) fn put(value: impl Scalar, out: &mut Vec<u8>) {
    struct End<'a>(&'a mut Vec<u8>);
    impl bincode::enc::write::Writer for End<'_> {
        #[inline]
        fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
            self.0.extend_from_slice(bytes);
            Ok(())
        }
    }
    bincode::encode_into_writer(value, End(out), FORMAT).expect("memory takes whatever is written");
}

/// Reads a scalar from the front of `bytes` and moves the slice behind it.
#[inline]
pub(super) fn take<N: Scalar>(bytes: &mut &[u8]) -> Result<N, Wrong> {
    let (value, used) = bincode::decode_from_slice(bytes, FORMAT)
        .map_err(|_| Wrong::new("the message ends inside it, or is no number"))?;
    *bytes = &bytes[used..];
    Ok(value)
}

/// Appends the bytes of a message of the runtime's own, or of what is known to read what it writes.
#[inline]
pub(crate) fn encode_message<T: Serialize>(message: &T, out: &mut Vec<u8>) -> Result<(), WireError> {
    bincode::serde::encode_into_std_write(message, out, FORMAT).map_err(WireError::new::<T>)?;
    Ok(())
}

/// Reads what [`encode_message`] wrote from the front of `bytes` and moves the slice behind it.
#[inline]
pub(crate) fn decode_message_from<T: DeserializeOwned>(bytes: &mut &[u8]) -> Result<T, WireError> {
    let (message, used) = bincode::serde::decode_from_slice(bytes, FORMAT).map_err(WireError::new::<T>)?;
    *bytes = &bytes[used..];
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_value_that_cannot_be_read_back_names_its_type() {
        #[derive(Debug, Serialize, Deserialize)]
        struct Lossy {
            #[serde(skip_serializing)]
            _lost: u32,
        }
        let error = encode_to_vec(&Lossy { _lost: 7 }).expect_err("nothing is written for the field");
        assert!(error.to_string().contains("Lossy"), "{error}");
    }

    #[test]
    fn bytes_left_over_are_an_error() {
        let mut bytes = encode_to_vec(&5u32).expect("a number");
        bytes.push(0);
        assert!(decode::<u32>(&bytes).is_err());
    }

    #[test]
    fn a_truncated_slice_is_an_error() {
        let bytes = encode_to_vec(&vec![1.0f64, 2.0]).expect("numbers");
        assert!(decode::<Vec<f64>>(&bytes[..bytes.len() - 1]).is_err());
        assert!(decode::<Vec<f64>>(&bytes[..3]).is_err());
    }

    proptest! {
        #[test]
        fn values_round_trip(a: Vec<f64>, b: Vec<u8>, c: Option<(String, i128)>, d: Vec<Vec<i32>>) {
            type All = (Vec<f64>, Vec<u8>, Option<(String, i128)>, Vec<Vec<i32>>);
            let bytes = encode_to_vec(&(a.clone(), b, c, d)).expect("plain");
            let back: All = decode(&bytes).expect("what was written");
            prop_assert_eq!(encode_to_vec(&back).expect("plain"), bytes);
            let raw = encode_to_vec(&a).expect("plain");
            prop_assert_eq!(raw.len(), 8 + 8 * a.len());
            let a_back: Vec<f64> = decode(&raw).expect("what was written");
            prop_assert_eq!(
                a.iter().map(|x| x.to_bits()).collect::<Vec<_>>(),
                a_back.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
            );
        }
    }
}
