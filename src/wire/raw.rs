//! Slices of plain old data go as raw bytes: one copy of memory instead of a call per element.

use super::{Value, WireError, codec};
use ndarray::{Array, ArrayD, Dimension, Ix1, Ix2, Ix3, IxDyn};
use std::any::{Any, TypeId};

/// Writes `value` if it is one of the types with a raw form.
pub(super) fn encode<T: Value>(value: &T, out: &mut Vec<u8>) -> bool {
    let value: &dyn Any = value;
    macro_rules! try_elements {
        ($($element:ty),*) => {
            $(if encode_as::<$element>(value, out) { return true; })*
        };
    }
    try_elements!(f64, f32, u64, i64, u32, i32, u16, i16, u8, i8);
    false
}

/// Reads a `T` if it is one of the types with a raw form.
pub(super) fn decode<T: Value>(bytes: &mut &[u8]) -> Option<Result<T, WireError>> {
    macro_rules! try_elements {
        ($($element:ty),*) => {
            $(if let Some(value) = decode_as::<$element, T>(bytes) { return Some(value); })*
        };
    }
    try_elements!(f64, f32, u64, i64, u32, i32, u16, i16, u8, i8);
    None
}

trait Plain: bytemuck::Pod + Value {}
impl<E: bytemuck::Pod + Value> Plain for E {}

fn encode_as<E: Plain>(value: &dyn Any, out: &mut Vec<u8>) -> bool {
    if let Some(vector) = value.downcast_ref::<Vec<E>>() {
        put_elements(vector, out);
    } else if let Some(array) = value.downcast_ref::<Array<E, Ix1>>() {
        put_array(array, out);
    } else if let Some(array) = value.downcast_ref::<Array<E, Ix2>>() {
        put_array(array, out);
    } else if let Some(array) = value.downcast_ref::<Array<E, Ix3>>() {
        put_array(array, out);
    } else if let Some(array) = value.downcast_ref::<ArrayD<E>>() {
        put_array(array, out);
    } else {
        return false;
    }
    true
}

fn decode_as<E: Plain, T: Value>(bytes: &mut &[u8]) -> Option<Result<T, WireError>> {
    let wanted = TypeId::of::<T>();
    let value: Result<Box<dyn Any>, WireError> = if wanted == TypeId::of::<Vec<E>>() {
        take_elements::<E, T>(bytes).map(|elements| Box::new(elements) as Box<dyn Any>)
    } else if wanted == TypeId::of::<Array<E, Ix1>>() {
        take_array::<E, Ix1, T>(bytes)
    } else if wanted == TypeId::of::<Array<E, Ix2>>() {
        take_array::<E, Ix2, T>(bytes)
    } else if wanted == TypeId::of::<Array<E, Ix3>>() {
        take_array::<E, Ix3, T>(bytes)
    } else if wanted == TypeId::of::<ArrayD<E>>() {
        take_array::<E, IxDyn, T>(bytes)
    } else {
        return None;
    };
    Some(value.map(|value| *value.downcast::<T>().expect("the type identifiers are equal")))
}

fn put_elements<E: Plain>(elements: &[E], out: &mut Vec<u8>) {
    out.extend_from_slice(&(elements.len() as u64).to_le_bytes());
    out.extend_from_slice(bytemuck::cast_slice(elements));
}

fn take_elements<E: Plain, T>(bytes: &mut &[u8]) -> Result<Vec<E>, WireError> {
    let short = || WireError::new::<T>("the message ends inside it");
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(short)?;
    let size = (u64::from_le_bytes(*length) as usize)
        .checked_mul(size_of::<E>())
        .filter(|&size| size <= rest.len())
        .ok_or_else(short)?;
    let (elements, rest) = rest.split_at(size);
    *bytes = rest;
    Ok(bytemuck::allocation::pod_collect_to_vec(elements))
}

fn put_array<E: Plain, D: Dimension>(array: &Array<E, D>, out: &mut Vec<u8>) {
    let shape: Vec<u64> = array.shape().iter().map(|&length| length as u64).collect();
    put_elements(&shape, out);
    match array.as_slice() {
        Some(elements) => put_elements(elements, out),
        None => put_elements(&array.iter().copied().collect::<Vec<E>>(), out),
    }
}

fn take_array<E: Plain, D: Dimension + 'static, T>(bytes: &mut &[u8]) -> Result<Box<dyn Any>, WireError> {
    let shape: Vec<usize> =
        take_elements::<u64, T>(bytes)?.into_iter().map(|length| length as usize).collect();
    let elements = take_elements::<E, T>(bytes)?;
    let array = ArrayD::from_shape_vec(IxDyn(&shape), elements)
        .and_then(|array| array.into_dimensionality::<D>())
        .map_err(codec::WireError::new::<T>)?;
    Ok(Box::new(array))
}

#[cfg(test)]
mod tests {
    use super::super::{decode, encode_to_vec};
    use ndarray::{Array2, array};

    #[test]
    fn arrays_round_trip_in_any_memory_order() {
        let rows: Array2<f64> = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
        for array in [rows.clone(), rows.reversed_axes()] {
            let bytes = encode_to_vec(&array).expect("numbers");
            assert_eq!(bytes.len(), 8 + 2 * 8 + 8 + 6 * 8);
            assert_eq!(decode::<Array2<f64>>(&bytes).expect("what was written"), array);
        }
    }
}
