//! Slices of plain old data go as raw bytes: one copy of memory instead of a call per element.

use super::{Block, Value, WireError};
use ndarray::{Array, ArrayD, Axis, Dimension, Ix1, Ix2, Ix3, IxDyn, ShapeBuilder, ShapeError};
use std::any::{Any, TypeId};
use std::sync::LazyLock;

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

/// How a type with a raw form is written and read: not compiled once more for every other type.
#[derive(Debug)]
struct Form {
    id: TypeId,
    encode: fn(&dyn Any, &mut Vec<u8>),
    decode: Decode,
    heap_bytes: fn(&dyn Any) -> usize,
}

type Decode = fn(&mut &[u8]) -> Result<Box<dyn Any>, WireError>;

impl Form {
    fn of<R: Raw>() -> Self {
        Form {
            id: TypeId::of::<R>(),
            encode: |value, out| cast::<R>(value).put(out),
            decode: |bytes| R::take(bytes).map(|value| Box::new(value) as Box<dyn Any>),
            heap_bytes: |value| cast::<R>(value).heap_bytes(),
        }
    }
}

fn cast<R: Raw>(value: &dyn Any) -> &R {
    value.downcast_ref().expect("the form was found by the type")
}

/// All of them, in the order of their identifiers.
static FORMS: LazyLock<Vec<Form>> = LazyLock::new(|| {
    macro_rules! forms {
        ($($element:ty),*) => {
            vec![$(
                Form::of::<Vec<$element>>(),
                Form::of::<Array<$element, Ix1>>(),
                Form::of::<Array<$element, Ix2>>(),
                Form::of::<Array<$element, Ix3>>(),
                Form::of::<ArrayD<$element>>(),
            )*]
        };
    }
    let mut forms = forms!(f64, f32, u64, i64, u32, i32, u16, i16, u8, i8);
    forms.push(Form::of::<Block>());
    forms.sort_unstable_by_key(|form| form.id);
    forms
});

#[inline]
fn form_of<T: Value>() -> Option<&'static Form> {
    if const { may_be_raw::<T>() } { find(TypeId::of::<T>()) } else { None }
}

fn find(id: TypeId) -> Option<&'static Form> {
    let forms = &*FORMS;
    forms.binary_search_by_key(&id, |form| form.id).ok().map(|at| &forms[at])
}

/// The form of a type, if it has a raw one.
#[inline]
pub(super) fn raw_form<T: Value>() -> Option<RawForm> {
    form_of::<T>().map(RawForm)
}

/// How a type with a raw form is written and read.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawForm(&'static Form);

impl RawForm {
    /// Appends a value of the type.
    #[inline]
    pub(super) fn encode<T: Value>(self, value: &T, out: &mut Vec<u8>) {
        (self.0.encode)(value, out);
    }

    /// Reads a value of the type.
    #[inline]
    pub(super) fn decode<T: Value>(self, bytes: &mut &[u8]) -> Result<T, WireError> {
        let value = (self.0.decode)(bytes);
        value.map(|value| *value.downcast::<T>().expect("the form was found by the type"))
    }
}

/// The memory that a value of a type with a raw form has besides itself; 0 for all others.
#[inline]
pub(crate) fn heap_bytes<T: Value>(value: &T) -> usize {
    form_of::<T>().map_or(0, |form| (form.heap_bytes)(value))
}

/// A type with a raw form.
trait Raw: Any + Sized {
    fn put(&self, out: &mut Vec<u8>);
    fn take(bytes: &mut &[u8]) -> Result<Self, WireError>;
    fn heap_bytes(&self) -> usize;
}

impl<E: Plain> Raw for Vec<E> {
    fn put(&self, out: &mut Vec<u8>) {
        put_elements(self, out);
    }
    fn take(bytes: &mut &[u8]) -> Result<Self, WireError> {
        take_elements::<E, Self>(bytes)
    }
    fn heap_bytes(&self) -> usize {
        size_of_val(self.as_slice())
    }
}

impl<E: Plain, D: Dimension + 'static> Raw for Array<E, D> {
    fn put(&self, out: &mut Vec<u8>) {
        put_array(self, out);
    }
    fn take(bytes: &mut &[u8]) -> Result<Self, WireError> {
        take_array(bytes)
    }
    fn heap_bytes(&self) -> usize {
        self.len() * size_of::<E>()
    }
}

impl Raw for Block {
    fn put(&self, out: &mut Vec<u8>) {
        self.put(out);
    }
    fn take(bytes: &mut &[u8]) -> Result<Self, WireError> {
        Block::take(bytes)
    }
    fn heap_bytes(&self) -> usize {
        self.heap_bytes()
    }
}

trait Plain: bytemuck::Pod + Value {}
impl<E: bytemuck::Pod + Value> Plain for E {}

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

fn take_array<E: Plain, D: Dimension + 'static>(bytes: &mut &[u8]) -> Result<Array<E, D>, WireError> {
    take_any_array::<E>(bytes)?.into_dimensionality::<D>().map_err(WireError::new::<Array<E, D>>)
}

fn take_any_array<E: Plain>(bytes: &mut &[u8]) -> Result<ArrayD<E>, WireError> {
    let wrong = |error: ShapeError| WireError::new::<ArrayD<E>>(error);
    let lengths = take_elements::<u64, ArrayD<E>>(bytes)?;
    let shape: Vec<usize> = lengths.into_iter().map(|length| length as usize).collect();
    let strides: Vec<i64> = take_elements::<i64, ArrayD<E>>(bytes)?;
    let elements = take_elements::<E, ArrayD<E>>(bytes)?;
    let steps: Vec<usize> = strides.iter().map(|stride| stride.unsigned_abs() as usize).collect();
    let layout = IxDyn(&shape).strides(IxDyn(&steps));
    let span = match shape.contains(&0) {
        true => 0,
        false => 1 + shape.iter().zip(&steps).map(|(length, step)| (length - 1) * step).sum::<usize>(),
    };
    if span == elements.len() && strides.iter().all(|&stride| stride >= 0) {
        return ArrayD::from_shape_vec(layout, elements).map_err(wrong);
    }
    // Gaps or reversed axes: the elements came in the order of the indices.
    let values = ArrayD::from_shape_vec(IxDyn(&shape), elements).map_err(wrong)?;
    let mut array = ArrayD::from_shape_vec(layout, vec![E::zeroed(); span]).map_err(wrong)?;
    for (axis, stride) in strides.iter().enumerate() {
        if *stride < 0 {
            array.invert_axis(Axis(axis));
        }
    }
    array.assign(&values);
    Ok(array)
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
