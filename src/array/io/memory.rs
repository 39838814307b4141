//! Blocks as the bytes of their elements.

use crate::{Block, BlockElement, DType};
use bytemuck::{NoUninit, Pod};
use num_complex::Complex64;

/// A block whose elements, in C order, are the bytes that `fill` puts into memory that holds zeros.
pub(super) fn filled<E>(
    dtype: DType,
    shape: &[usize],
    fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
) -> Result<Block, E> {
    match dtype {
        DType::F64 => filled_as::<f64, E>(shape, fill),
        DType::F32 => filled_as::<f32, E>(shape, fill),
        DType::I64 => filled_as::<i64, E>(shape, fill),
        DType::I32 => filled_as::<i32, E>(shape, fill),
        DType::U8 => filled_as::<u8, E>(shape, fill),
        DType::Complex64 => filled_as::<Complex64, E>(shape, fill),
        DType::Bool => {
            let bytes = filled_as::<u8, E>(shape, fill)?.into_array::<u8>();
            // In place: the compiler reuses the memory.
            let (bytes, _) = bytes.into_raw_vec_and_offset();
            Ok(Block::from_vec(shape, bytes.into_iter().map(|byte| byte != 0).collect()))
        }
    }
}

fn filled_as<T: BlockElement + Pod, E>(
    shape: &[usize],
    fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
) -> Result<Block, E> {
    // Fresh memory of zeros costs nothing before it is touched.
    let mut elements: Vec<T> = bytemuck::zeroed_vec(shape.iter().product());
    fill(bytemuck::cast_slice_mut(&mut elements))?;
    Ok(Block::from_vec(shape, elements))
}

/// The bytes of the elements of a block, in C order.
pub(super) fn bytes(block: &Block) -> &[u8] {
    match block.dtype() {
        DType::F64 => bytes_of::<f64>(block),
        DType::F32 => bytes_of::<f32>(block),
        DType::I64 => bytes_of::<i64>(block),
        DType::I32 => bytes_of::<i32>(block),
        DType::U8 => bytes_of::<u8>(block),
        DType::Bool => bytes_of::<bool>(block),
        DType::Complex64 => bytes_of::<Complex64>(block),
    }
}

fn bytes_of<T: BlockElement + NoUninit>(block: &Block) -> &[u8] {
    bytemuck::cast_slice(block.as_slice::<T>())
}
