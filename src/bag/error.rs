//! What can be wrong with input.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What is wrong with an input file, and where.
#[derive(Debug, Clone)]
pub struct ReadError {
    /// The file, or the pattern that no file matches.
    pub file: String,
    /// The line, counted from 1, if it is one line's fault.
    pub line: Option<u64>,
    /// Bytes before the fault, after decompression if the file is compressed.
    pub offset: Option<u64>,
    /// Where the fault is in the part of the file that was read, if the lines, or the bytes, before that part are
    /// too many to read them again only to count them.
    pub part: Option<Box<PlaceInPart>>,
    /// What is wrong.
    pub fault: Fault,
}

/// A place in a part of a file that is read by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaceInPart {
    /// The byte of the file at which the part begins; if the file is compressed, of the compressed file.
    pub begins: u64,
    /// The line, counted from 1; the first is the one that begins in the part, or goes on there.
    pub line: u64,
    /// Bytes of the part before the fault, after decompression if the file is compressed.
    pub offset: u64,
}

/// What is wrong with input.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// No file matches the pattern.
    #[error("no file matches; is the path right, as seen from every node?")]
    NoMatch,
    /// A pattern that cannot be one.
    #[error("not a pattern of file names: {0}")]
    Pattern(String),
    /// The system's error.
    #[error("{0}")]
    System(Arc<io::Error>),
    /// The file has become shorter while it was read.
    #[error("the file is shorter than it was when the run began; do not change files while they are read")]
    Shrunk,
    /// A line that is not text in the encoding that was asked for.
    #[error(
        "not valid UTF-8; choose `Encoding::Latin1` or `Encoding::Replace`, or `Faults::Skip` to leave such \
         lines out"
    )]
    Encoding,
    /// A line that memory should not hold.
    #[error("a line is longer than {0} bytes; `Reading::longest_line` allows longer ones, up to 2^31 bytes")]
    LongLine(u64),
    /// A record that memory should not hold.
    #[error(
        "a record is longer than {0} bytes; is a quote not closed? `Reading::longest_line` allows longer ones"
    )]
    LongRecord(u64),
    /// A compressed file that cannot be decompressed.
    #[error("the {format} data is damaged or cut off: {problem}")]
    Compressed {
        /// The format.
        format: &'static str,
        /// What the decoder says.
        problem: String,
    },
    /// A compressed file of a format that is not read.
    #[error("the file is compressed in the format {0}, which is not read; make it gzip, bzip2, zstd or xz")]
    Format(&'static str),
    /// A zstd file that takes more memory than it may.
    #[error(
        "the zstd file needs a window of more than {0} bytes, as `zstd --long=31` makes them; \
         `Reading::largest_window(1 << 31)` allows it, and each thread then takes as much memory"
    )]
    Window(u64),
    /// Input that only rank 0 can read, and that other hosts do not see.
    #[error(
        "input that is no ordinary file was read on host {host}, and is too large to be sent to {here}; \
         write it to a file that all hosts see, and read that"
    )]
    Elsewhere {
        /// The host of rank 0.
        host: String,
        /// This host.
        here: String,
    },
    /// A record that cannot be understood.
    #[error("bad record: {0}")]
    Record(String),
}

impl ReadError {
    /// A fault of a whole file.
    pub(super) fn of_file(file: &Path, fault: Fault) -> Self {
        ReadError { file: file.display().to_string(), line: None, offset: None, part: None, fault }
    }

    /// The system's error on a file.
    pub(super) fn system(file: &Path, error: io::Error) -> Self {
        ReadError::of_file(file, Fault::System(Arc::new(error)))
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if let Some(offset) = self.offset {
            write!(f, ", byte {offset}")?;
        }
        if let Some(PlaceInPart { begins, line, offset }) = self.part.as_deref() {
            write!(
                f,
                ", line {line} and byte {offset} of the part that begins at byte {begins} of the file"
            )?;
        }
        write!(f, ": {}", self.fault)
    }
}

/// A fault that a reader handed on as an error is that fault again.
impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Fault>()) {
            Some(fault) => fault.clone(),
            None => Fault::System(Arc::new(error)),
        }
    }
}

impl std::error::Error for ReadError {}

/// Why output is not as it was asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error("{}: cannot be written: {problem}", .file.display())]
    File { file: PathBuf, problem: String },
    #[error(
        "all {written} files were written, but {} was there before and would be read with them; remove it, or write \
         to an empty folder", .file.display()
    )]
    Left { file: PathBuf, written: usize },
}

impl WriteError {
    pub(super) fn new(file: &Path, problem: impl fmt::Display) -> Self {
        WriteError::File { file: file.to_owned(), problem: problem.to_string() }
    }
}
