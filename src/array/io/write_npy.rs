//! Arrays to .npy files.

use super::super::array::Array;
use super::super::layout::Chunk;
use super::super::traits::Element;
use super::memory::bytes;
use super::npy::{Header, write_region};
use super::replacement::Replacement;
use super::{FileError, FileProblem, refused};
use crate::{Block, Delayed, Result};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io,
    ops::Range,
    os::unix::fs::FileExt,
    panic::Location,
    path::{Path, PathBuf},
    sync::Arc,
};

impl<T: Element> Array<T> {
    /// Computes the array and writes it to an .npy file, byte for byte as `numpy.save` does.
    ///
    /// Every rank writes the chunks that it computes to their places in the file, and nothing is brought together:
    /// the array may be larger than the memory. The file must be on a file system that all ranks see. Chunks
    /// of whole rows are written at once, narrow ones row by row.
    ///
    /// The array goes to a temporary file beside the target, `.NAME.part-...`, for which all the room is taken
    /// before anything is computed; it takes the target's place, with its permissions, when it is complete and
    /// on the disk. Whatever fails before leaves the old file as it was and removes the temporary one; only the
    /// violent end of the whole program leaves that lying about. An array may be read from the file that it is
    /// written to.
    ///
    /// ```
    /// use serried::array::{Array, Chunks};
    ///
    /// # fn main() -> serried::Result<()> {
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("table.npy");
    /// serried::run(|client| {
    ///     let table = Array::from_fn(client, |index| (index[0] * index[1]) as i64, [100, 100], [50, 100]);
    ///     table.write_npy(&path)?;
    ///     let table = Array::<i64>::from_npy(client, &path, Chunks::Auto)?;
    ///     (table * 2).write_npy(&path)?;
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the array is broken or a task fails, and if the file cannot be created or replaced or the disk is
    /// full.
    #[track_caller]
    pub fn write_npy(&self, path: impl AsRef<Path>) -> Result<()> {
        let place = Location::caller();
        let told = |error: FileError| refused("write_npy", place, error);
        self.check()?;
        let (path, layout) = (path.as_ref(), &self.node.layout);
        let (header, beginning) = Header::new(T::DTYPE, &layout.shape);
        let whole = std::path::absolute(path).map_err(FileProblem::system("create"));
        let new = Replacement::create(&whole.map_err(|problem| told(problem.of(path)))?).map_err(told)?;
        new.reserve(header.file_bytes()).map_err(told)?;
        let written = new.file().write_all_at(&beginning, 0).map_err(FileProblem::system("write"));
        written.map_err(|problem| told(problem.of(new.target())))?;

        let part = Part {
            target: new.target().to_owned(),
            temporary: new.path().to_owned(),
            header,
            region: Vec::new(),
            kernel: running_kernel(),
        };
        let write = |(chunk, block): (Chunk, Delayed<Block>)| {
            let region = (0..chunk.shape.len()).map(|axis| chunk.range(axis)).collect();
            let part = Part { region, ..part.clone() };
            self.client().try_delayed(write_chunk, (part, &block)).label("write_npy")
        };
        let writes: Vec<Delayed<()>> = layout.chunks().zip(self.blocks()).map(write).collect();
        self.client().compute(&writes)?;
        new.finish().map_err(told)
    }
}

/// A part of a file that is being written.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Part {
    target: PathBuf,
    temporary: PathBuf,
    header: Header,
    region: Vec<Range<usize>>,
    /// Where the file was created, and where in the end all of it is brought to the disk.
    kernel: String,
}

fn write_chunk((part, block): (Part, Arc<Block>)) -> std::result::Result<(), FileError> {
    let file = File::options().write(true).open(&part.temporary).map_err(FileProblem::system("open"));
    let write = |file: File| -> io::Result<()> {
        write_region(&file, &part.header, &part.region, bytes(&block))?;
        // Another machine's memory is not flushed by the one that finishes the file.
        if part.kernel.is_empty() || part.kernel != running_kernel() { file.sync_data() } else { Ok(()) }
    };
    file.and_then(|file| write(file).map_err(FileProblem::system("write")))
        .map_err(|problem| problem.of(&part.target))
}

/// What tells a running system from any other; empty if nothing does.
fn running_kernel() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}
