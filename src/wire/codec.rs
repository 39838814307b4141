//! The only place that knows `bincode`.

use super::{Value, raw};
use serde::{Deserialize, Serialize};
use std::any::type_name;

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

/// Appends the bytes of `value` to `out`.
pub(crate) fn encode<T: Value>(value: &T, out: &mut Vec<u8>) -> Result<(), WireError> {
    if raw::encode(value, out) {
        return Ok(());
    }
    bincode::serde::encode_into_std_write(value, out, FORMAT).map_err(WireError::new::<T>)?;
    Ok(())
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
pub(crate) fn decode_from<T: Value>(bytes: &mut &[u8]) -> Result<T, WireError> {
    if let Some(value) = raw::decode::<T>(bytes) {
        return value;
    }
    let (value, used) = bincode::serde::decode_from_slice(bytes, FORMAT).map_err(WireError::new::<T>)?;
    *bytes = &bytes[used..];
    Ok(value)
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
        let bytes = encode_to_vec(&Lossy { _lost: 7 }).expect("it can be written");
        let error = decode::<Lossy>(&bytes).expect_err("nothing was written for the field");
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
