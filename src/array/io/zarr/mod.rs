//! Arrays from and to Zarr stores.

mod folder;
mod store;

pub use store::Compression;

use super::super::array::Array;
use super::super::error::ArrayProblem;
use super::super::layout::{AUTOMATIC_BYTES, Chunk, Chunks, Layout};
use super::super::node::Node;
use super::super::traits::Element;
use super::{FileError, FileProblem, refused};
use crate::{Block, Client, DType, Delayed, Result};
use folder::NewFolder;
use std::{
    ops::Range,
    panic::Location,
    path::{Path, PathBuf},
    sync::Arc,
};
use store::Store;

impl<T: Element> Array<T> {
    /// The array in a Zarr store in a folder (version 3 of the format, or 2): read chunk by chunk where the
    /// chunks are used.
    ///
    /// With [`Chunks::Auto`] or [`Chunks::Bytes`], chunks are made of whole chunks of the store. Compressed with
    /// zstd, gzip or blosc, with checksums, transposed or in shards: all of these are read. All ranks must see
    /// the folder under the same path. Needs the feature `zarr`.
    ///
    /// ```
    /// use serried::array::{Array, Chunks};
    ///
    /// # fn main() -> serried::Result<()> {
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("x.zarr");
    /// serried::run(|client| {
    ///     Array::arange(client, 0i64, 100, 1, 30).write_zarr(&path)?;
    ///     let x = Array::<i64>::from_zarr(client, &path, Chunks::Auto)?;
    ///     assert_eq!(x.sum().compute()?, 4950);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    /// If there is no Zarr array in the folder, if its elements are not of type `T` (the error says of which they
    /// are), or if `chunks` do not fit its shape. A broken chunk is an error of the task that reads it.
    #[track_caller]
    pub fn from_zarr(client: &Client, path: impl AsRef<Path>, chunks: impl Into<Chunks>) -> Result<Self> {
        let (path, place) = (path.as_ref(), Location::caller());
        let told = |problem: ArrayProblem| refused("from_zarr", place, problem);
        let store = Store::open(path).map_err(|error| told(error.into()))?;
        if store.dtype() != T::DTYPE {
            let problem = FileProblem::OtherElements { found: store.dtype(), wanted: T::DTYPE };
            return Err(told(problem.of(path).into()));
        }
        let layout = layout(&store, &chunks.into()).map_err(told)?;
        let whole = whole(path, "open").map_err(|error| told(error.into()))?;
        let (owner, cut) = (client.clone(), layout.clone());
        let make = move || -> Vec<Delayed<Block>> {
            let task = |chunk: Chunk| {
                let region: Vec<Range<usize>> =
                    (0..chunk.shape.len()).map(|axis| chunk.range(axis)).collect();
                owner.try_delayed(read_chunk, (whole.clone(), T::DTYPE, region)).label("from_zarr")
            };
            cut.chunks().map(task).collect()
        };
        Ok(Array::of(Node::tasks_of(client, T::DTYPE, layout, "from_zarr", make)))
    }

    /// Computes the array and writes it to a Zarr store in a folder, compressed with zstd: as
    /// [`write_zarr_with`](Self::write_zarr_with).
    ///
    /// # Errors
    /// As there.
    #[track_caller]
    pub fn write_zarr(&self, path: impl AsRef<Path>) -> Result<()> {
        self.write_zarr_with(path, Compression::default())
    }

    /// Computes the array and writes it to a Zarr store (version 3) in a folder.
    ///
    /// Every rank writes the chunks that it computes, each to a file of its own. The folder must be on a file
    /// system that all ranks see. Chunks of zeros are not written at all, as is usual.
    ///
    /// The store is built in a temporary folder beside the target and takes its place when it is complete.
    /// Whatever fails before leaves the old store as it was. A folder with anything else in it is not replaced.
    /// Needs the feature `zarr`.
    ///
    /// # Errors
    /// If the array is broken or a task fails, if its chunks differ by more than that those at the end of an axis
    /// are shorter, and if the folder cannot be created or replaced or the disk is full.
    #[track_caller]
    pub fn write_zarr_with(&self, path: impl AsRef<Path>, compression: Compression) -> Result<()> {
        let (path, place) = (path.as_ref(), Location::caller());
        let told = |problem: ArrayProblem| refused("write_zarr", place, problem);
        self.check()?;
        let layout = &self.node.layout;
        let chunk = regular(layout).map_err(told)?;
        let whole = whole(path, "create").map_err(|error| told(error.into()))?;
        let new = NewFolder::create(&whole, |old| Store::open(old).is_ok());
        let new = new.map_err(|error| told(error.into()))?;
        Store::create(new.path(), T::DTYPE, &layout.shape, &chunk, compression)
            .map_err(|error| told(error.problem.of(path).into()))?;

        let folders = (whole, new.path().to_owned());
        let write = |(chunk, block): (Chunk, Delayed<Block>)| {
            let arguments = (folders.clone(), chunk.position, &block);
            self.client().try_delayed(write_chunk, arguments).label("write_zarr")
        };
        // An axis of length 0 has a chunk here and none in the store.
        let chunks = layout.chunks().zip(self.blocks()).filter(|(chunk, _)| !chunk.shape.contains(&0));
        let writes: Vec<Delayed<()>> = chunks.map(write).collect();
        self.client().compute(&writes)?;
        new.finish().map_err(|error| told(error.into()))
    }
}

/// The path for ranks that may be in other folders.
fn whole(path: &Path, action: &'static str) -> std::result::Result<PathBuf, FileError> {
    std::path::absolute(path).map_err(FileProblem::system(action)).map_err(|problem| problem.of(path))
}

/// What is cut automatically is cut where the store is.
fn layout(store: &Store, chunks: &Chunks) -> std::result::Result<Layout, ArrayProblem> {
    let (shape, size) = (store.shape(), store.dtype().size());
    let bytes = match chunks {
        Chunks::Auto => AUTOMATIC_BYTES,
        Chunks::Bytes(bytes) => *bytes,
        _ => return Layout::new(shape, chunks, size),
    };
    let sides = Layout::new(shape, &Chunks::Bytes(bytes), size)?.chunks;
    let sides = sides.iter().zip(store.chunk()).map(|(chunks, own)| {
        let side = chunks.iter().copied().max().unwrap_or(1);
        (side / own * own).max(own)
    });
    Layout::new(shape, &Chunks::Shape(sides.collect()), size)
}

/// The shape of the chunks, if all are alike but for shorter ones at the end.
fn regular(layout: &Layout) -> std::result::Result<Vec<usize>, ArrayProblem> {
    let sides: Vec<usize> = layout.chunks.iter().map(|chunks| chunks[0]).collect();
    let alike = |(chunks, side): (&Vec<usize>, &usize)| {
        let (last, others) = chunks.split_last().unwrap_or((side, &[]));
        last <= side && others.iter().all(|length| length == side)
    };
    if layout.chunks.iter().zip(&sides).all(alike) {
        return Ok(sides);
    }
    Err(ArrayProblem::Chunks {
        chunks: format!("{:?}", layout.chunks),
        shape: layout.shape.clone(),
        reason:
            "the chunks of a Zarr store are equal but for the last along an axis; `rechunk` the array first"
                .into(),
    })
}

fn read_chunk(
    (path, wanted, region): (PathBuf, DType, Vec<Range<usize>>),
) -> std::result::Result<Block, FileError> {
    let store = Store::open(&path)?;
    let inside = store.shape().len() == region.len()
        && store.shape().iter().zip(&region).all(|(length, range)| range.end <= *length);
    if store.dtype() != wanted || !inside {
        return Err(FileProblem::Changed.of(&path));
    }
    store.read(&region).map_err(|problem| problem.of(&path))
}

fn write_chunk(
    ((target, temporary), position, block): ((PathBuf, PathBuf), Vec<usize>, Arc<Block>),
) -> std::result::Result<(), FileError> {
    let store = Store::open(&temporary).map_err(|error| error.problem.of(&target))?;
    store.write(&position, &block).map_err(|problem| problem.of(&target))
}
