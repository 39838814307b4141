//! Slices of plain old data go as raw bytes: one copy of memory instead of a call per element.

use super::{Block, Value, WireError};
use ndarray::{Array, ArrayD, Axis, Dimension, Ix1, Ix2, Ix3, IxDyn, ShapeBuilder};
use std::any::{Any, TypeId};

/// Whether a type can be one of those with a raw form, as far as the compiler knows from its size: comparing
/// type identifiers costs more than writing a small value.
const fn may_be_raw<T>() -> bool {
    let size = size_of::<T>();
    std::mem::needs_drop::<T>()
        && (size == size_of::<Vec<f64>>()
            || size == size_of::<Array<f64, Ix1>>()
            || size == size_of::<Array<f64, Ix2>>()
            || size == size_of::<Array<f64, Ix3>>()
            || size == size_of::<ArrayD<f64>>()
            || size == size_of::<Block>())
}

/// Writes `value` if it is one of the types with a raw form.
#[inline]
pub(super) fn encode<T: Value>(value: &T, out: &mut Vec<u8>) -> bool {
    let possible = const { may_be_raw::<T>() };
    possible && encode_any(value, out)
}

fn encode_any<T: Value>(value: &T, out: &mut Vec<u8>) -> bool {
    let value: &dyn Any = value;
    macro_rules! try_elements {
        ($($element:ty),*) => {
            $(if encode_as::<$element>(value, out) { return true; })*
        };
    }
    try_elements!(f64, f32, u64, i64, u32, i32, u16, i16, u8, i8);
    if let Some(block) = value.downcast_ref::<Block>() {
        block.put(out);
        return true;
    }
    false
}

/// Reads a `T` if it is one of the types with a raw form.
#[inline]
pub(super) fn decode<T: Value>(bytes: &mut &[u8]) -> Option<Result<T, WireError>> {
    if const { may_be_raw::<T>() } { decode_any(bytes) } else { None }
}

fn decode_any<T: Value>(bytes: &mut &[u8]) -> Option<Result<T, WireError>> {
    macro_rules! try_elements {
        ($($element:ty),*) => {
            $(if let Some(value) = decode_as::<$element, T>(bytes) { return Some(value); })*
        };
    }
    try_elements!(f64, f32, u64, i64, u32, i32, u16, i16, u8, i8);
    if TypeId::of::<T>() == TypeId::of::<Block>() {
        let block = Block::take(bytes).map(|block| Box::new(block) as Box<dyn Any>);
        return Some(block.map(|block| *block.downcast().expect("the type identifiers are equal")));
    }
    None
}

/// The memory that a value of a type with a raw form has besides itself; 0 for all others.
#[inline]
pub(crate) fn heap_bytes<T: Value>(value: &T) -> usize {
    let possible = const { may_be_raw::<T>() };
    if possible { heap_bytes_of_any(value) } else { 0 }
}

fn heap_bytes_of_any<T: Value>(value: &T) -> usize {
    let value: &dyn Any = value;
    macro_rules! try_elements {
        ($($element:ty),*) => {
            $(if let Some(count) = elements_of::<$element>(value) { return count * size_of::<$element>(); })*
        };
    }
    try_elements!(f64, f32, u64, i64, u32, i32, u16, i16, u8, i8);
    value.downcast_ref::<Block>().map_or(0, Block::heap_bytes)
}

fn elements_of<E: Plain>(value: &dyn Any) -> Option<usize> {
    let vector = || value.downcast_ref::<Vec<E>>().map(Vec::len);
    let one = || value.downcast_ref::<Array<E, Ix1>>().map(Array::len);
    let two = || value.downcast_ref::<Array<E, Ix2>>().map(Array::len);
    let three = || value.downcast_ref::<Array<E, Ix3>>().map(Array::len);
    vector()
        .or_else(one)
        .or_else(two)
        .or_else(three)
        .or_else(|| value.downcast_ref::<ArrayD<E>>().map(Array::len))
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

/// Appends the number of elements and their bytes.
pub(crate) fn put_elements<E: bytemuck::NoUninit>(elements: &[E], out: &mut Vec<u8>) {
    out.extend_from_slice(&(elements.len() as u64).to_le_bytes());
    out.extend_from_slice(bytemuck::cast_slice(elements));
}

/// Reads what [`put_elements`] wrote for a `T`.
pub(crate) fn take_elements<E: bytemuck::AnyBitPattern + bytemuck::NoUninit, T>(
    bytes: &mut &[u8],
) -> Result<Vec<E>, WireError> {
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

/// Shape, strides and elements: functions that go through an array in the order of its memory, as `sum` does,
/// must find the same order on every rank.
fn put_array<E: Plain, D: Dimension>(array: &Array<E, D>, out: &mut Vec<u8>) {
    let shape: Vec<u64> = array.shape().iter().map(|&length| length as u64).collect();
    let strides: Vec<i64> = array.strides().iter().map(|&stride| stride as i64).collect();
    put_elements(&shape, out);
    put_elements(&strides, out);
    match array.as_slice_memory_order().filter(|_| strides.iter().all(|&stride| stride >= 0)) {
        Some(elements) => put_elements(elements, out),
        None => put_elements(&array.iter().copied().collect::<Vec<E>>(), out),
    }
}

fn take_array<E: Plain, D: Dimension + 'static, T>(bytes: &mut &[u8]) -> Result<Box<dyn Any>, WireError> {
    let wrong = |error: &dyn std::fmt::Display| WireError::new::<T>(error);
    let shape: Vec<usize> =
        take_elements::<u64, T>(bytes)?.into_iter().map(|length| length as usize).collect();
    let strides: Vec<i64> = take_elements::<i64, T>(bytes)?;
    let elements = take_elements::<E, T>(bytes)?;
    let steps: Vec<usize> = strides.iter().map(|stride| stride.unsigned_abs() as usize).collect();
    let layout = IxDyn(&shape).strides(IxDyn(&steps));
    let span = match shape.contains(&0) {
        true => 0,
        false => 1 + shape.iter().zip(&steps).map(|(length, step)| (length - 1) * step).sum::<usize>(),
    };
    let array = if span == elements.len() && strides.iter().all(|&stride| stride >= 0) {
        ArrayD::from_shape_vec(layout, elements).map_err(|error| wrong(&error))?
    } else {
        // Gaps or reversed axes: the elements came in the order of the indices.
        let values = ArrayD::from_shape_vec(IxDyn(&shape), elements).map_err(|error| wrong(&error))?;
        let memory = vec![E::zeroed(); span];
        let mut array = ArrayD::from_shape_vec(layout, memory).map_err(|error| wrong(&error))?;
        for (axis, stride) in strides.iter().enumerate() {
            if *stride < 0 {
                array.invert_axis(Axis(axis));
            }
        }
        array.assign(&values);
        array
    };
    Ok(Box::new(array.into_dimensionality::<D>().map_err(|error| wrong(&error))?))
}

#[cfg(test)]
mod tests {
    use super::super::{decode, encode_to_vec};
    use ndarray::{Array2, Array3, Axis, Slice};

    /// The array after a journey has the same elements in the same places of memory.
    fn travels(array: &Array2<f64>) {
        let bytes = encode_to_vec(array).expect("numbers");
        let back: Array2<f64> = decode(&bytes).expect("what was written");
        assert_eq!(&back, array);
        assert_eq!(back.strides(), array.strides());
        assert_eq!(back.sum().to_bits(), array.sum().to_bits());
    }

    #[test]
    fn arrays_keep_their_layout_and_so_the_bits_of_their_sums() {
        let rows = Array2::from_shape_fn((37, 23), |(i, j)| 1.0 / (1 + i * 31 + j * 7) as f64);
        travels(&rows);
        travels(&rows.clone().reversed_axes());
        let mut gaps = rows.clone();
        gaps.slice_axis_inplace(Axis(1), Slice::from(2..20));
        travels(&gaps);
        let mut backwards = rows.clone();
        backwards.invert_axis(Axis(0));
        travels(&backwards);
        backwards.slice_axis_inplace(Axis(1), Slice::new(1, None, 3));
        travels(&backwards);
        travels(&Array2::zeros((0, 5)));
        travels(&Array2::zeros((1, 1)));
        let cube = Array3::from_shape_fn((3, 4, 5), |(i, j, k)| (i + 2 * j + 3 * k) as i32);
        let turned = cube.permuted_axes([1, 2, 0]);
        let back: Array3<i32> = decode(&encode_to_vec(&turned).expect("numbers")).expect("written");
        assert_eq!((back.strides(), &back), (turned.strides(), &turned));
    }
}
