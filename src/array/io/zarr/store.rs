//! Zarr stores in a folder: every chunk of the array is a file of its own.

use super::super::{FileError, FileProblem};
use crate::array::layout::positions;
use crate::{Block, DType};
use num_complex::Complex64;
use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};
use zarrs::array::{
    Array, ArrayBuilder, ArrayMetadataOptions, BytesToBytesCodecTraits, CodecOptions, FillValue,
    codec::{GzipCodec, ZstdCodec},
    data_type,
};
use zarrs::filesystem::FilesystemStore;

/// How the chunks of a Zarr store are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Not at all: for numbers that are random to the last bit.
    None,
    /// Zstandard at its default level, as Zarr for Python does.
    #[default]
    Zstd,
    /// Gzip at level 5: for readers that know nothing else.
    Gzip,
}

/// An array in a folder.
#[derive(Debug)]
pub(crate) struct Store {
    path: PathBuf,
    array: Array<FilesystemStore>,
    dtype: DType,
    shape: Vec<usize>,
}

/// Runs the same code for the type of the elements of a store.
macro_rules! each_type {
    ($dtype:expr, $type:ident => $code:expr) => {
        match $dtype {
            DType::F64 => {
                type $type = f64;
                $code
            }
            DType::F32 => {
                type $type = f32;
                $code
            }
            DType::I64 => {
                type $type = i64;
                $code
            }
            DType::I32 => {
                type $type = i32;
                $code
            }
            DType::U8 => {
                type $type = u8;
                $code
            }
            DType::Bool => {
                type $type = bool;
                $code
            }
            DType::Complex64 => {
                type $type = Complex64;
                $code
            }
        }
    };
}

const ALL: [DType; 7] =
    [DType::F64, DType::F32, DType::I64, DType::I32, DType::U8, DType::Bool, DType::Complex64];

impl Store {
    /// The array in an existing folder.
    pub(crate) fn open(path: &Path) -> Result<Store, FileError> {
        let wrong = |problem: FileProblem| problem.of(path);
        std::fs::metadata(path).map_err(FileProblem::system("open")).map_err(wrong)?;
        let store = FilesystemStore::new(path).map_err(no_zarr).map_err(wrong)?;
        let array = Array::open(Arc::new(store), "/").map_err(no_zarr).map_err(wrong)?;
        let fits = |&dtype: &DType| {
            each_type!(dtype, T => <T as zarrs::array::Element>::validate_data_type(array.data_type()))
                .is_ok()
        };
        let found = ALL.into_iter().find(fits);
        let unknown = || {
            let name = array.data_type().to_string();
            FileProblem::unknown(name.clone(), &name)
        };
        let dtype = found.ok_or_else(unknown).map_err(wrong)?;
        let shape = array.shape().iter().map(|&length| usize::try_from(length));
        let shape = shape.collect::<Result<Vec<usize>, _>>().map_err(no_zarr).map_err(wrong)?;
        Ok(Store { path: path.to_owned(), array, dtype, shape })
    }

    /// A new array in an existing folder that is empty. Chunks are regular: those at the end are stored as if
    /// they were whole.
    pub(crate) fn create(
        path: &Path,
        dtype: DType,
        shape: &[usize],
        chunk: &[usize],
        compression: Compression,
    ) -> Result<Store, FileError> {
        let wrong = |problem: FileProblem| problem.of(path);
        let store = FilesystemStore::new(path).map_err(no_zarr).map_err(wrong)?;
        let long = |lengths: &[usize]| lengths.iter().map(|&length| length as u64).collect::<Vec<u64>>();
        let chunk: Vec<usize> = chunk.iter().map(|&length| length.max(1)).collect();
        let zero = FillValue::new(vec![0; dtype.size()]);
        let mut builder = ArrayBuilder::new(long(shape), long(&chunk), element_type(dtype), zero);
        builder.bytes_to_bytes_codecs(codecs(compression).map_err(no_zarr).map_err(wrong)?);
        let array = builder.build(Arc::new(store), "/").map_err(no_zarr).map_err(wrong)?;
        let plain = ArrayMetadataOptions::default().with_include_zarrs_metadata(false);
        array.store_metadata_opt(&plain).map_err(written).map_err(wrong)?;
        Ok(Store { path: path.to_owned(), array, dtype, shape: shape.to_vec() })
    }

    pub(crate) fn dtype(&self) -> DType {
        self.dtype
    }

    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The shape of a chunk in the store, as far as all are alike.
    pub(crate) fn chunk(&self) -> Vec<usize> {
        let first = vec![0; self.shape.len()];
        let chunk = self.array.chunk_shape(&first).ok();
        let chunk = chunk.map(|chunk| chunk.iter().map(|length| length.get() as usize).collect());
        chunk.unwrap_or_else(|| self.shape.clone())
    }

    /// The elements of a part of the array.
    pub(crate) fn read(&self, region: &[Range<usize>]) -> Result<Block, FileProblem> {
        let lengths: Vec<usize> = region.iter().map(Range::len).collect();
        let part: Vec<Range<u64>> = region.iter().map(|range| range.start as u64..range.end as u64).collect();
        each_type!(self.dtype, T => {
            let elements: Vec<T> = self
                .array
                .retrieve_array_subset_opt(&part, &one_thread())
                .map_err(|error| self.damaged::<T>(region, &error))?;
            match elements.len() == lengths.iter().product::<usize>() {
                true => Ok(Block::from_vec(&lengths, elements)),
                false => Err(FileProblem::Changed),
            }
        })
    }

    /// Why a part of the array cannot be read: the chunk in it that is to blame.
    fn damaged<T: zarrs::array::ElementOwned>(
        &self,
        region: &[Range<usize>],
        error: &impl std::fmt::Display,
    ) -> FileProblem {
        let chunk = self.chunk();
        let first: Vec<usize> = region.iter().zip(&chunk).map(|(range, side)| range.start / side).collect();
        let ends = region.iter().zip(&chunk).map(|(range, side)| range.end.div_ceil(*side));
        let grid: Vec<usize> = ends.zip(&first).map(|(end, first)| end - first).collect();
        for at in positions(&grid) {
            let position: Vec<u64> = at.iter().zip(&first).map(|(at, first)| (at + first) as u64).collect();
            let read: Result<Vec<T>, _> = self.array.retrieve_chunk_opt(&position, &one_thread());
            if let Err(error) = read {
                return self.chunk_problem("read", &position, &error);
            }
        }
        FileProblem::System { action: "read", kind: std::io::ErrorKind::Other, message: error.to_string() }
    }

    fn chunk_problem(
        &self,
        action: &'static str,
        position: &[u64],
        error: &impl std::fmt::Display,
    ) -> FileProblem {
        let file = self.path.join(self.array.chunk_key(position).as_str());
        FileProblem::Chunk { action, position: position.to_vec(), file, message: error.to_string() }
    }

    /// Writes the chunk at a position of the grid; the first index of each is a multiple of the chunk's length.
    pub(crate) fn write(&self, position: &[usize], block: &Block) -> Result<(), FileProblem> {
        let position: Vec<u64> = position.iter().map(|&at| at as u64).collect();
        let chunk = self.chunk();
        each_type!(self.dtype, T => {
            if block.shape() == chunk {
                let elements = block.as_slice::<T>();
                let stored = self.array.store_chunk_opt(&position, elements, &one_thread());
                return stored.map_err(|error| self.chunk_problem("write", &position, &error));
            }
            let mut whole = ndarray::ArrayD::from_elem(chunk, T::default());
            let part = block.view::<T>();
            whole.slice_each_axis_mut(|axis| (..part.len_of(axis.axis)).into()).assign(&part);
            let elements = whole.as_slice().unwrap_or_default();
            let stored = self.array.store_chunk_opt(&position, elements, &one_thread());
            stored.map_err(|error| self.chunk_problem("write", &position, &error))
        })
    }
}

/// A task is one thread.
fn one_thread() -> CodecOptions {
    CodecOptions::default().with_concurrent_target(1)
}

fn element_type(dtype: DType) -> data_type::api::DataType {
    match dtype {
        DType::F64 => data_type::float64(),
        DType::F32 => data_type::float32(),
        DType::I64 => data_type::int64(),
        DType::I32 => data_type::int32(),
        DType::U8 => data_type::uint8(),
        DType::Bool => data_type::bool(),
        DType::Complex64 => data_type::complex128(),
    }
}

fn codecs(compression: Compression) -> Result<Vec<Arc<dyn BytesToBytesCodecTraits>>, String> {
    Ok(match compression {
        Compression::None => vec![],
        Compression::Zstd => vec![Arc::new(ZstdCodec::new(0, false))],
        Compression::Gzip => vec![Arc::new(GzipCodec::new(5).map_err(|error| error.to_string())?)],
    })
}

fn no_zarr(error: impl std::fmt::Display) -> FileProblem {
    FileProblem::Format { format: "Zarr", reason: error.to_string() }
}

fn written(error: impl std::fmt::Display) -> FileProblem {
    FileProblem::System { action: "write", kind: std::io::ErrorKind::Other, message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BlockElement as Element;
    use proptest::prelude::*;

    fn numbers<T: Element>(shape: &[usize], element: fn(u64) -> T) -> ndarray::ArrayD<T> {
        let mut number = 0u64;
        ndarray::ArrayD::from_shape_simple_fn(shape, || {
            number += 1;
            element(number)
        })
    }

    fn part<T: Element>(array: &ndarray::ArrayD<T>, region: &[Range<usize>]) -> Block {
        let mut part = array.view();
        for (axis, range) in region.iter().enumerate() {
            part.slice_axis_inplace(ndarray::Axis(axis), ndarray::Slice::from(range.clone()));
        }
        Block::from(part.to_owned())
    }

    fn there_and_back<T: Element>(
        array: &ndarray::ArrayD<T>,
        chunk: &[usize],
        region: &[Range<usize>],
        compression: Compression,
    ) -> Block {
        let folder = tempfile::tempdir().expect("a folder");
        let store =
            Store::create(folder.path(), T::DTYPE, array.shape(), chunk, compression).expect("a store");
        let grid: Vec<usize> =
            array.shape().iter().zip(chunk).map(|(length, chunk)| length.div_ceil(*chunk)).collect();
        for position in ndarray::indices(grid.as_slice()) {
            let position: Vec<usize> = (0..grid.len()).map(|axis| position[axis]).collect();
            let region: Vec<Range<usize>> = (0..grid.len())
                .map(|axis| {
                    let start = position[axis] * chunk[axis];
                    start..(start + chunk[axis]).min(array.shape()[axis])
                })
                .collect();
            store.write(&position, &part(array, &region)).expect("room");
        }
        let store = Store::open(folder.path()).expect("a store");
        assert_eq!((store.dtype(), store.shape(), store.chunk()), (T::DTYPE, array.shape(), chunk.to_vec()));
        store.read(region).expect("it was written")
    }

    #[test]
    fn what_is_wrong_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        let error = |path: &Path, word: &str| {
            let error = Store::open(path).expect_err("no array").to_string();
            assert!(error.contains(word), "{error}");
        };
        error(&path.join("none"), "cannot open it: No such file");
        error(path, "it cannot be read as Zarr: array metadata is missing");
        error(Path::new("Cargo.toml"), "it cannot be read as Zarr: Not a directory");

        let store = Store::create(path, DType::F64, &[10, 10], &[5, 5], Compression::Zstd).expect("a store");
        store.write(&[1, 0], &Block::from_vec(&[5, 5], vec![1.5; 25])).expect("room");
        let metadata = path.join("zarr.json");
        let json = std::fs::read_to_string(&metadata).expect("a file");
        std::fs::write(&metadata, json.replace("float64", "float16")).expect("room");
        error(path, "float16");
        error(path, "`a.astype('float32')`");
        std::fs::write(&metadata, json.replace("zstd", "zst")).expect("room");
        error(path, "codec zst is not supported");
        std::fs::write(&metadata, &json[10..]).expect("room");
        error(path, "line 1");
        std::fs::write(&metadata, &json).expect("room");
        for content in [&b""[..], b"abc"] {
            std::fs::write(path.join("c/1/0"), content).expect("room");
            let error = store.read(&[0..10, 0..10]).expect_err("it is broken").to_string();
            let file = path.join("c/1/0");
            let words = format!("cannot read chunk [1, 0], the file {}: ", file.display());
            assert!(error.starts_with(&words), "{error}");
            store.read(&[0..5, 0..10]).expect("it is whole");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn parts_of_what_was_written_are_read(
            axes in proptest::collection::vec((0usize..7, 1usize..5, 0usize..7, 0usize..7), 0..4),
            kind in 0usize..3,
        ) {
            let shape: Vec<usize> = axes.iter().map(|axis| axis.0).collect();
            let chunk: Vec<usize> = axes.iter().map(|axis| axis.1).collect();
            let region: Vec<Range<usize>> = axes
                .iter()
                .map(|axis| axis.2.min(axis.3).min(axis.0)..axis.2.max(axis.3).min(axis.0))
                .collect();
            let compression = [Compression::None, Compression::Zstd, Compression::Gzip][kind];
            macro_rules! check {
                ($element:expr) => {
                    let array = numbers(&shape, $element);
                    let read = there_and_back(&array, &chunk, &region, compression);
                    prop_assert_eq!(read, part(&array, &region));
                };
            }
            check!(|n| n as f64 / 3.0);
            check!(|n| n as f32 / 3.0);
            check!(|n| n as i64 - 7);
            check!(|n| n as i32 - 7);
            check!(|n| n as u8);
            check!(|n| n % 3 == 0);
            check!(|n| Complex64::new(n as f64, 0.5));
        }
    }
}
