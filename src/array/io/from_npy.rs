//! Arrays from .npy files.

use super::super::array::Array;
use super::super::error::ArrayProblem;
use super::super::layout::{Chunk, Chunks};
use super::super::node::Node;
use super::super::room::check_room;
use super::super::traits::Element;
use super::memory::filled;
use super::npy::{Header, read_region};
use super::slabs::{Order, layout};
use super::{FileProblem, refused};
use crate::{Block, Client, DType, Delayed, Result, pattern};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::BufReader,
    ops::Range,
    panic::Location,
    path::{Path, PathBuf},
};

impl<T: Element> Array<T> {
    /// The array in an .npy file, as `numpy.save` writes it: read chunk by chunk where the chunks are used.
    ///
    /// Only the header is read now. With [`Chunks::Auto`] or [`Chunks::Bytes`] every chunk is one stretch of
    /// the file: whole rows of an array in C order, whole columns of one in Fortran order. All ranks must see the
    /// file under the same path. It must not change while the array is used.
    ///
    /// Versions 1 to 3 of the format, both orders of axes and both orders of bytes are read.
    ///
    /// ```
    /// use serried::array::{Array, Chunks};
    ///
    /// # fn main() -> serried::Result<()> {
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("x.npy");
    /// serried::run(|client| {
    ///     Array::arange(client, 0.0, 12.0, 1.0, 5).reshape([4, 3]).write_npy(&path)?;
    ///     let x = Array::<f64>::from_npy(client, &path, Chunks::Auto)?;
    ///     assert_eq!(x.shape(), [4, 3]);
    ///     assert_eq!(x.sum().compute()?, 66.0);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the file cannot be read, is no .npy file or is truncated, if its elements are not of type `T` (the
    /// error says of which they are), or if `chunks` do not fit its shape. What happens to the file later
    /// is an error of the task that reads it.
    #[track_caller]
    pub fn from_npy(client: &Client, path: impl AsRef<Path>, chunks: impl Into<Chunks>) -> Result<Self> {
        from_files(client, &[path.as_ref()], &chunks.into(), "from_npy", Location::caller())
    }

    /// The arrays in several .npy files, one behind the other along the first axis, in the order of `paths`.
    ///
    /// As [`from_npy`](Self::from_npy) otherwise. Chunks that are cut automatically end where a file ends; others
    /// may take from several files.
    ///
    /// # Errors
    /// As for [`from_npy`](Self::from_npy), and if the files differ in anything but the length of the first axis.
    #[track_caller]
    pub fn from_npy_files<P: AsRef<Path>>(
        client: &Client,
        paths: impl IntoIterator<Item = P>,
        chunks: impl Into<Chunks>,
    ) -> Result<Self> {
        let paths: Vec<P> = paths.into_iter().collect();
        let paths: Vec<&Path> = paths.iter().map(AsRef::as_ref).collect();
        from_files(client, &paths, &chunks.into(), "from_npy_files", Location::caller())
    }

    /// The arrays in all .npy files whose paths match a pattern, in alphabetical order: `part-10.npy` comes
    /// before `part-2.npy`. In a pattern, `*` and `?` stand for any characters and for one character of a name,
    /// `**` for any folders, `[a-z]` for one of several characters. Only a dot matches a dot at the beginning of a name.
    ///
    /// ```
    /// use serried::array::{Array, Chunks};
    ///
    /// # fn main() -> serried::Result<()> {
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let folder = folder.path().display();
    /// serried::run(|client| {
    ///     for year in 2020..2023i64 {
    ///         Array::full(client, year, [365, 24], Chunks::Auto).write_npy(format!("{folder}/{year}.npy"))?;
    ///     }
    ///     let x = Array::<i64>::from_npy_glob(client, &format!("{folder}/20*.npy"), Chunks::Auto)?;
    ///     assert_eq!((x.shape(), x.chunks()[0].len()), (&[3 * 365, 24][..], 3));
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`from_npy_files`](Self::from_npy_files), and if no file matches.
    #[track_caller]
    pub fn from_npy_glob(client: &Client, pattern: &str, chunks: impl Into<Chunks>) -> Result<Self> {
        let place = Location::caller();
        let wrong = |text: String| refused("from_npy_glob", place, ArrayProblem::Argument(text));
        let matches = pattern::files(Path::new(pattern))
            .map_err(|problem| wrong(format!("the pattern {pattern:?}: {problem}")))?;
        let unreadable = |(folder, error): pattern::Unreadable| {
            refused("from_npy_glob", place, FileProblem::system("open")(error).of(&folder))
        };
        let paths = matches.into_iter().map(|path| path.map_err(unreadable));
        let paths = paths.collect::<Result<Vec<PathBuf>>>()?;
        if paths.is_empty() {
            return Err(wrong(format!("no file matches {pattern:?}")));
        }
        let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
        from_files(client, &paths, &chunks.into(), "from_npy_glob", place)
    }
}

/// A part of a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Piece {
    path: PathBuf,
    header: Header,
    region: Vec<Range<usize>>,
}

fn from_files<T: Element>(
    client: &Client,
    paths: &[&Path],
    chunks: &Chunks,
    operation: &'static str,
    place: &'static Location<'static>,
) -> Result<Array<T>> {
    let told = |problem: ArrayProblem| refused(operation, place, problem);
    let files = open_all(paths, T::DTYPE).map_err(told)?;
    let shapes: Vec<&[usize]> = files.iter().map(|(_, header)| header.shape.as_slice()).collect();
    let order = if files[0].1.fortran_order { Order::Fortran } else { Order::C };
    let layout = layout(&shapes, chunks, order, T::DTYPE.size()).map_err(told)?;
    let (owner, cut) = (client.clone(), layout.clone());
    let make = move || -> Vec<Delayed<Block>> {
        let task = |chunk: Chunk| {
            let pieces = pieces(&files, &chunk);
            owner.try_delayed(read_chunk, (T::DTYPE, chunk.shape, pieces)).label(operation)
        };
        cut.chunks().map(task).collect()
    };
    Ok(Array::of(Node::tasks_of(client, T::DTYPE, layout, operation, make)))
}

/// The headers of files that make up one array.
fn open_all(paths: &[&Path], wanted: DType) -> std::result::Result<Vec<(PathBuf, Header)>, ArrayProblem> {
    let mut files: Vec<(PathBuf, Header)> = Vec::with_capacity(paths.len());
    for &path in paths {
        // Other ranks may be in other folders.
        let whole = std::path::absolute(path);
        let whole = whole.map_err(FileProblem::system("open")).map_err(|problem| problem.of(path))?;
        let whole = name_for_all(whole);
        let (_, header) = open(&whole).map_err(|problem| problem.of(path))?;
        if header.dtype != wanted {
            return Err(FileProblem::OtherElements { found: header.dtype, wanted }.of(path).into());
        }
        if let Some((first, first_header)) = files.first() {
            let (shape, first_shape) = (&header.shape, &first_header.shape);
            if shape.is_empty() || first_shape.is_empty() || shape[1..] != first_shape[1..] {
                let problem = FileProblem::Mixed {
                    shape: shape.clone(),
                    first: first.clone(),
                    first_shape: first_shape.clone(),
                };
                return Err(problem.of(path).into());
            }
        }
        files.push((whole, header));
    }
    match files.is_empty() {
        true => Err(ArrayProblem::Argument("there is no array in no files: give at least one".into())),
        false => Ok(files),
    }
}

/// Every process has another file under `/dev/stdin` and `/proc/self`; the name that such a link leads to is one
/// for all.
fn name_for_all(path: PathBuf) -> PathBuf {
    let is_link = ["/dev", "/proc"].iter().any(|folder| path.starts_with(folder));
    match std::fs::canonicalize(&path) {
        Ok(target) if is_link => target,
        _ => path,
    }
}

/// Opens a file and checks everything about it but its elements.
fn open(path: &Path) -> std::result::Result<(File, Header), FileProblem> {
    let about = std::fs::metadata(path).map_err(FileProblem::system("open"))?;
    if !about.is_file() && !about.is_dir() {
        return Err(FileProblem::NoFile);
    }
    let file = File::open(path).map_err(FileProblem::system("open"))?;
    let header = Header::read(&mut BufReader::new(&file))?;
    let length = file.metadata().map_err(FileProblem::system("read"))?.len();
    header.check_length(length)?;
    Ok((file, header))
}

/// The parts of files that make up a chunk, one behind the other along the first axis.
fn pieces(files: &[(PathBuf, Header)], chunk: &Chunk) -> Vec<Piece> {
    let region: Vec<Range<usize>> = (0..chunk.shape.len()).map(|axis| chunk.range(axis)).collect();
    let mut start = 0;
    let mut pieces = Vec::new();
    for (path, header) in files {
        let mut region = region.clone();
        if let Some(rows) = region.first_mut() {
            let end = start + header.shape[0];
            *rows = rows.start.clamp(start, end) - start..rows.end.clamp(start, end) - start;
            start = end;
        }
        if region.first().is_none_or(|rows| !rows.is_empty()) {
            pieces.push(Piece { path: path.clone(), header: header.clone(), region });
        }
    }
    pieces
}

fn read_chunk(
    (dtype, shape, pieces): (DType, Vec<usize>, Vec<Piece>),
) -> std::result::Result<Block, ArrayProblem> {
    check_room(shape.iter().product(), dtype.size())?;
    filled(dtype, &shape, |mut memory| {
        for piece in &pieces {
            let size = piece.region.iter().map(Range::len).product::<usize>() * dtype.size();
            let (these, others) = memory.split_at_mut(size);
            piece.read(these).map_err(|problem| problem.of(&piece.path))?;
            memory = others;
        }
        Ok::<(), ArrayProblem>(())
    })
}

impl Piece {
    fn read(&self, memory: &mut [u8]) -> std::result::Result<(), FileProblem> {
        let (file, header) = open(&self.path)?;
        if header != self.header {
            return Err(FileProblem::Changed);
        }
        read_region(&file, &header, &self.region, memory).map_err(FileProblem::system("read"))
    }
}
