//! Where the bytes of an input file are, for all ranks.

use super::{super::error::Fault, spool};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read, Seek, SeekFrom, Take},
    ops::Range,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Component, Path, PathBuf},
    sync::Arc,
};

/// Where the bytes of an input file are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Origin {
    /// In the file that every rank finds under this path.
    File(PathBuf),
    /// Here: rank 0 has read them, and there were few.
    Memory(Arc<Vec<u8>>),
    /// In a file without a name that rank 0 has written.
    Spool(spool::Name),
}

/// The bytes of an input file that is open.
#[derive(Debug)]
pub(super) enum Source {
    File(File),
    Memory(Arc<Vec<u8>>),
}

/// What was found under a path.
pub(super) struct Found {
    pub(super) origin: Origin,
    pub(super) source: Source,
    /// How many bytes there are. Of a file that grows, those that there were.
    pub(super) size: u64,
}

/// Bytes that are read to see whether the length that the system tells is that of the content: for a file of `/sys` it
/// is a page.
const PROBE: u64 = 8 << 10;

/// Opens what is under a path. What only this process can read, or only once, is read to its end.
pub(super) fn find(path: &Path, scratch: Option<&Path>) -> io::Result<Found> {
    let file = open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    let is_ordinary = metadata.is_file() && tells_its_length(&file, metadata.len())?;
    if let Some(path) = name_for_all(path, &metadata).filter(|_| is_ordinary) {
        return Ok(Found { origin: Origin::File(path), source: Source::File(file), size: metadata.len() });
    }
    let (origin, size) = spool::of(file, scratch)?;
    let source = origin.open().map_err(io::Error::other)?;
    Ok(Found { origin, source, size })
}

/// Names of the standard input.
const STANDARD: [&str; 3] = ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"];

fn open(path: &Path) -> io::Result<File> {
    File::open(path).or_else(|error| {
        // What is a socket, or belongs to somebody else, cannot be opened again.
        if STANDARD.iter().any(|name| path == Path::new(name)) {
            return Ok(File::from(std::os::fd::AsFd::as_fd(&io::stdin()).try_clone_to_owned()?));
        }
        Err(error)
    })
}

/// Whether a file has as many bytes as the system says. Files of `/proc` and `/sys` have others.
fn tells_its_length(file: &File, length: u64) -> io::Result<bool> {
    let mut probe = vec![0; PROBE.min(length.saturating_add(1)) as usize];
    let mut read = 0;
    while read < probe.len() {
        match file.read_at(&mut probe[read..], read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read as u64 == length.min(PROBE))
}

/// The path under which all ranks find a file, if there is one: `/dev/stdin`, though it may be a file, is another
/// one on every rank.
fn name_for_all(path: &Path, file: &fs::Metadata) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let path = if is_of_this_process(&path) { fs::canonicalize(&path).ok()? } else { path };
    let there = fs::metadata(&path).ok()?;
    let same = (there.dev(), there.ino()) == (file.dev(), file.ino());
    (same && !is_of_this_process(&path)).then_some(path)
}

/// Whether a path, or a link that it is, leads through names that mean something else to another process.
fn is_of_this_process(path: &Path) -> bool {
    let mut path = path.to_owned();
    // As many links as Linux follows.
    for _ in 0..40 {
        let mut components = path.components().skip(1);
        let is_special = match (components.next(), components.next()) {
            (Some(Component::Normal(first)), _) if first == "proc" => true,
            (Some(Component::Normal(first)), Some(Component::Normal(second))) if first == "dev" => {
                second == "fd" || second.to_string_lossy().starts_with("std")
            }
            _ => false,
        };
        if is_special {
            return true;
        }
        match fs::read_link(&path) {
            Ok(target) => path = path.parent().unwrap_or(Path::new("/")).join(target),
            Err(_) => return false,
        }
    }
    true
}

impl Origin {
    pub(super) fn open(&self) -> Result<Source, Fault> {
        match self {
            Origin::File(path) => Ok(Source::File(File::open(path).map_err(Fault::from)?)),
            Origin::Memory(bytes) => Ok(Source::Memory(Arc::clone(bytes))),
            Origin::Spool(name) => Ok(Source::File(name.open()?)),
        }
    }
}

impl Source {
    /// The same bytes for another reader of this thread.
    pub(super) fn again(&self) -> Result<Source, Fault> {
        Ok(match self {
            Source::File(file) => Source::File(file.try_clone()?),
            Source::Memory(memory) => Source::Memory(Arc::clone(memory)),
        })
    }

    /// Reads bytes that the file had when it was divided.
    pub(super) fn read_exact_at(&self, bytes: &mut [u8], at: u64) -> Result<(), Fault> {
        match self {
            Source::File(file) => file.read_exact_at(bytes, at).map_err(|error| match error.kind() {
                ErrorKind::UnexpectedEof => Fault::Shrunk,
                _ => error.into(),
            }),
            Source::Memory(memory) => {
                let range = at as usize..at as usize + bytes.len();
                bytes.copy_from_slice(memory.get(range).ok_or(Fault::Shrunk)?);
                Ok(())
            }
        }
    }

    /// Tells the system that a stretch will be read, so that it is on its way while the first of it is used.
    #[cfg(target_os = "linux")]
    pub(super) fn will_need(&self, stretch: &Range<u64>) {
        if let Source::File(file) = self {
            let length = std::num::NonZero::new(stretch.end - stretch.start);
            // It is advice; a file system that does not take any reads as well without.
            let _ = rustix::fs::fadvise(file, stretch.start, length, rustix::fs::Advice::WillNeed);
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn will_need(&self, _: &Range<u64>) {}

    /// The bytes of a stretch, from its beginning.
    pub(super) fn stretch(&self, range: Range<u64>) -> Result<Stretch, Fault> {
        let length = range.end - range.start;
        let bytes = match self {
            Source::File(file) => {
                // Nobody reads by the position that the handles share but the latest stretch.
                let mut file = file.try_clone().map_err(Fault::from)?;
                file.seek(SeekFrom::Start(range.start)).map_err(Fault::from)?;
                Bytes::File(file.take(length))
            }
            Source::Memory(memory) => Bytes::Memory(Arc::clone(memory), range.start as usize),
        };
        Ok(Stretch { bytes, left: length })
    }
}

/// The bytes of a stretch of a file, in order. That they are fewer than there were is an error.
pub(super) struct Stretch {
    bytes: Bytes,
    left: u64,
}

enum Bytes {
    File(Take<File>),
    /// From a place on.
    Memory(Arc<Vec<u8>>, usize),
}

impl Stretch {
    /// Appends up to `most` bytes; fewer at the end of the stretch alone.
    pub(super) fn append(&mut self, most: u64, out: &mut Vec<u8>) -> Result<u64, Fault> {
        let most = most.min(self.left);
        out.reserve(most as usize);
        let read = match &mut self.bytes {
            Bytes::File(file) => file.by_ref().take(most).read_to_end(out),
            Bytes::Memory(memory, at) => {
                let bytes = &memory[*at..*at + most as usize];
                out.extend_from_slice(bytes);
                *at += bytes.len();
                Ok(bytes.len())
            }
        };
        let read = read.map_err(Fault::from)? as u64;
        self.left -= read;
        if read < most { Err(Fault::Shrunk) } else { Ok(read) }
    }
}

impl Read for Stretch {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = out.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let out = &mut out[..most];
        let read = match &mut self.bytes {
            Bytes::File(file) => file.read(out),
            Bytes::Memory(memory, at) => {
                out.copy_from_slice(&memory[*at..*at + most]);
                *at += most;
                Ok(most)
            }
        };
        let read = match read {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
            read => read.map_err(|error| io::Error::other(Fault::from(error)))?,
        };
        if read == 0 && most > 0 {
            return Err(io::Error::other(Fault::Shrunk));
        }
        self.left -= read as u64;
        Ok(read)
    }
}
