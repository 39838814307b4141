//! Chunks of arrays: numbers of any element type as one type of value.

use super::{WireError, put_elements, take_elements};
use ndarray::{ArrayD, ArrayViewD, IxDyn};
use num_complex::Complex64;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The type of the elements of an array, as a value. Names and sizes are NumPy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum DType {
    F64,
    F32,
    I64,
    I32,
    U8,
    Bool,
    Complex64,
}

impl DType {
    /// NumPy's name of the type: two 64-bit floats are a `complex128` there.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DType::F64 => "float64",
            DType::F32 => "float32",
            DType::I64 => "int64",
            DType::I32 => "int32",
            DType::U8 => "uint8",
            DType::Bool => "bool",
            DType::Complex64 => "complex128",
        }
    }

    /// The bytes of an element.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            DType::Complex64 => 16,
            DType::F64 | DType::I64 => 8,
            DType::F32 | DType::I32 => 4,
            DType::U8 | DType::Bool => 1,
        }
    }
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

mod sealed {
    pub trait Sealed {}
}

/// What the elements of an array can be: `f64`, `f32`, `i64`, `i32`, `u8`, `bool` and `Complex64`.
pub trait BlockElement:
    sealed::Sealed
    + Copy
    + PartialEq
    + Default
    + std::fmt::Debug
    + std::fmt::Display
    + Serialize
    + for<'de> Deserialize<'de>
    + Send
    + Sync
    + 'static
{
    /// The same as a value.
    const DTYPE: DType;
    #[doc(hidden)]
    fn wrap(array: ArrayD<Self>) -> Block;
    #[doc(hidden)]
    fn of(block: &Block) -> Option<&ArrayD<Self>>;
    #[doc(hidden)]
    fn take(block: Block) -> Option<ArrayD<Self>>;
}

/// The value of a chunk of an array, with elements of any type in C order.
///
/// Between ranks it travels as raw bytes.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Block {
    F64(ArrayD<f64>),
    F32(ArrayD<f32>),
    I64(ArrayD<i64>),
    I32(ArrayD<i32>),
    U8(ArrayD<u8>),
    Bool(ArrayD<bool>),
    Complex64(ArrayD<Complex64>),
}

/// Runs the same code with whatever elements a block has.
macro_rules! each_type {
    ($block:expr, $array:ident => $code:expr) => {
        match $block {
            Block::F64($array) => $code,
            Block::F32($array) => $code,
            Block::I64($array) => $code,
            Block::I32($array) => $code,
            Block::U8($array) => $code,
            Block::Bool($array) => $code,
            Block::Complex64($array) => $code,
        }
    };
}

macro_rules! elements {
    ($($element:ty, $variant:ident;)*) => {$(
        impl sealed::Sealed for $element {}
        impl BlockElement for $element {
            const DTYPE: DType = DType::$variant;
            fn wrap(array: ArrayD<$element>) -> Block {
                Block::$variant(array)
            }
            fn of(block: &Block) -> Option<&ArrayD<$element>> {
                if let Block::$variant(array) = block { Some(array) } else { None }
            }
            fn take(block: Block) -> Option<ArrayD<$element>> {
                if let Block::$variant(array) = block { Some(array) } else { None }
            }
        }
    )*};
}

elements! {
    f64, F64;
    f32, F32;
    i64, I64;
    i32, I32;
    u8, U8;
    bool, Bool;
    Complex64, Complex64;
}

impl<T: BlockElement> From<ArrayD<T>> for Block {
    /// The array in C order; it is copied only if it has another.
    fn from(array: ArrayD<T>) -> Self {
        match array.is_standard_layout() {
            true => T::wrap(array),
            false => T::wrap(array.as_standard_layout().into_owned()),
        }
    }
}

impl Block {
    /// A block of the elements of a vector in C order.
    ///
    /// # Panics
    /// If the vector has not as many elements as the shape.
    #[must_use]
    pub fn from_vec<T: BlockElement>(shape: &[usize], elements: Vec<T>) -> Self {
        let array = ArrayD::from_shape_vec(IxDyn(shape), elements);
        T::wrap(array.expect("as many elements as the shape asks for"))
    }

    /// The type of the elements.
    #[must_use]
    pub fn dtype(&self) -> DType {
        match self {
            Block::F64(_) => DType::F64,
            Block::F32(_) => DType::F32,
            Block::I64(_) => DType::I64,
            Block::I32(_) => DType::I32,
            Block::U8(_) => DType::U8,
            Block::Bool(_) => DType::Bool,
            Block::Complex64(_) => DType::Complex64,
        }
    }

    /// The length of each axis.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        each_type!(self, array => array.shape())
    }

    /// The number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        each_type!(self, array => array.len())
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements.
    ///
    /// # Panics
    /// If they are not of type `T`.
    #[must_use]
    pub fn view<T: BlockElement>(&self) -> ArrayViewD<'_, T> {
        self.array().view()
    }

    /// The elements as one slice, in C order.
    ///
    /// # Panics
    /// If they are not of type `T`.
    #[must_use]
    pub fn as_slice<T: BlockElement>(&self) -> &[T] {
        self.array().as_slice().expect("a block is in C order")
    }

    /// The array itself.
    ///
    /// # Panics
    /// If the elements are not of type `T`.
    #[must_use]
    pub fn into_array<T: BlockElement>(self) -> ArrayD<T> {
        let found = self.dtype();
        T::take(self).unwrap_or_else(|| panic!("a block of {found} was read as {}", T::DTYPE))
    }

    fn array<T: BlockElement>(&self) -> &ArrayD<T> {
        T::of(self).unwrap_or_else(|| panic!("a block of {} was read as {}", self.dtype(), T::DTYPE))
    }

    /// The memory of the elements.
    pub(super) fn heap_bytes(&self) -> usize {
        self.len() * self.dtype().size()
    }

    /// BlockElement type, shape and the bytes of the elements.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.push(self.dtype() as u8);
        let shape: Vec<u64> = self.shape().iter().map(|&length| length as u64).collect();
        put_elements(&shape, out);
        out.reserve(self.heap_bytes() + 8);
        each_type!(self, array => put_elements(array.as_slice().expect("a block is in C order"), out));
    }

    pub(super) fn take(bytes: &mut &[u8]) -> Result<Block, WireError> {
        let wrong = |message: &str| WireError::new::<Block>(message);
        let (&dtype, rest) = bytes.split_first().ok_or_else(|| wrong("the message ends before it"))?;
        *bytes = rest;
        let shape: Vec<usize> =
            take_elements::<u64, Block>(bytes)?.into_iter().map(|length| length as usize).collect();
        macro_rules! read {
            ($element:ty) => {
                Self::assemble::<$element>(&shape, take_elements::<$element, Block>(bytes)?)
            };
        }
        match dtype {
            t if t == DType::F64 as u8 => read!(f64),
            t if t == DType::F32 as u8 => read!(f32),
            t if t == DType::I64 as u8 => read!(i64),
            t if t == DType::I32 as u8 => read!(i32),
            t if t == DType::U8 as u8 => read!(u8),
            t if t == DType::Complex64 as u8 => read!(Complex64),
            t if t == DType::Bool as u8 => {
                let bytes = take_elements::<u8, Block>(bytes)?;
                Self::assemble::<bool>(&shape, bytes.into_iter().map(|byte| byte != 0).collect())
            }
            _ => Err(wrong("its element type is unknown")),
        }
    }

    fn assemble<T: BlockElement>(shape: &[usize], elements: Vec<T>) -> Result<Block, WireError> {
        ArrayD::from_shape_vec(IxDyn(shape), elements).map(T::wrap).map_err(WireError::new::<Block>)
    }
}

/// Formats other than that of the wire, and a block inside of another value, see the same bytes.
impl Serialize for Block {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        self.put(&mut bytes);
        serializer.serialize_bytes(&bytes)
    }
}

impl<'de> Deserialize<'de> for Block {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = super::bytes::deserialize(deserializer)?;
        Block::take(&mut bytes.as_slice()).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{decode, encode_to_vec};
    use super::*;

    #[test]
    fn blocks_travel_alone_and_inside_of_values() {
        let blocks = vec![
            Block::from_vec(&[2, 3], vec![1.5, -0.0, f64::NAN, 4.0, 5.0, f64::INFINITY]),
            Block::from_vec(&[], vec![7i32]),
            Block::from_vec(&[0, 4], Vec::<u8>::new()),
            Block::from_vec(&[3], vec![true, false, true]),
            Block::from_vec(&[2], vec![Complex64::new(1.0, -2.0), Complex64::new(0.0, 3.0)]),
        ];
        let format = |value: &Vec<Block>| format!("{value:?}");
        let back: Vec<Block> = decode(&encode_to_vec(&blocks).expect("blocks")).expect("what was written");
        assert_eq!(format(&back), format(&blocks));
        let alone: Vec<Block> = blocks
            .iter()
            .map(|block| decode(&encode_to_vec(block).expect("a block")).expect("what was written"))
            .collect();
        assert_eq!(format(&alone), format(&blocks));
        let bytes = encode_to_vec(&blocks[0]).expect("a block");
        for end in 0..bytes.len() {
            assert!(decode::<Block>(&bytes[..end]).is_err());
        }
    }

    #[test]
    fn a_block_is_in_c_order() {
        let array = ndarray::arr2(&[[1.0, 2.0], [3.0, 4.0]]).reversed_axes().into_dyn();
        assert_eq!(Block::from(array).as_slice::<f64>(), [1.0, 3.0, 2.0, 4.0]);
    }
}
