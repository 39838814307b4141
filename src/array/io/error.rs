//! What can be wrong with a file that holds an array.

use crate::DType;
use std::{
    io,
    path::{Path, PathBuf},
};

/// A file that cannot be read as an array, or to which an array cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub problem: FileProblem,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileProblem {
    /// The operating system refused something.
    #[error("cannot {action} it: {message}")]
    System {
        /// What was tried: "open", "read", "write" and so on.
        action: &'static str,
        /// The kind of refusal.
        kind: io::ErrorKind,
        /// The system's words.
        message: String,
    },
    /// It would have to be replaced, and is something that is better kept.
    #[error("it is {what}, and is not replaced")]
    Occupied {
        /// What it is.
        what: &'static str,
    },
    /// It is a pipe or a device, which cannot be read in parts.
    #[error("it is a pipe or a device, and arrays are read part by part: write it to a file first")]
    NoFile,
    /// It is no file of this format.
    #[error("it cannot be read as {format}: {reason}")]
    Format {
        /// The format.
        format: &'static str,
        /// How that shows.
        reason: String,
    },
    /// The elements are of a type that arrays cannot have.
    #[error(
        "its elements are {found}, and arrays have float64, float32, int64, int32, uint8, bool or complex128: \
         {advice}"
    )]
    UnknownElements {
        /// The file's word for the type.
        found: String,
        /// What to do instead.
        advice: &'static str,
    },
    /// The elements are of another type than the array that was asked for.
    #[error(
        "its elements are {found}, not {wanted}: read it as `Array::<{}>` and `cast` that where you need to",
        rust_name(*.found)
    )]
    OtherElements {
        /// The type of the elements in the file.
        found: DType,
        /// The type that was asked for.
        wanted: DType,
    },
    /// The file is longer or shorter than its header says.
    #[error(
        "it has {found} bytes, and its header says {expected} (an array of {elements} of shape {shape:?}): it is {}",
        if .found < .expected { "truncated" } else { "followed by something else" }
    )]
    Length {
        /// The length of the file.
        found: u64,
        /// The length that fits its header.
        expected: u64,
        /// The type of its elements.
        elements: DType,
        /// The shape in its header.
        shape: Vec<usize>,
    },
    /// A chunk of a store cannot be read or written.
    #[error("cannot {action} chunk {position:?}, the file {}: {message}", file.display())]
    Chunk {
        /// What was tried: "read" or "write".
        action: &'static str,
        /// The position of the chunk in the grid of the store's chunks.
        position: Vec<u64>,
        /// The file that holds it.
        file: PathBuf,
        /// What went wrong.
        message: String,
    },
    /// The file is not what it was when the array was made.
    #[error("it has changed since the array was made from it")]
    Changed,
    /// Several files that do not make up one array.
    #[error(
        "its shape is {shape:?}, and that of {} is {first_shape:?}: files that make up one array have a first \
         axis, and agree in all others", first.display()
    )]
    Mixed {
        /// Its shape.
        shape: Vec<usize>,
        /// The first file.
        first: PathBuf,
        /// The shape in the first file.
        first_shape: Vec<usize>,
    },
}

/// How a program writes an element type.
pub(super) fn rust_name(elements: DType) -> &'static str {
    match elements {
        DType::F64 => "f64",
        DType::F32 => "f32",
        DType::I64 => "i64",
        DType::I32 => "i32",
        DType::U8 => "u8",
        DType::Bool => "bool",
        DType::Complex64 => "Complex64",
    }
}

/// What to do about elements that arrays cannot have, by NumPy's name of their type.
fn advice(elements: &str) -> &'static str {
    const ADVICE: [(&[&str], &str); 10] = [
        (&["int8", "int16", "uint16"], "convert them first, in NumPy by `a.astype('int32')`"),
        (&["uint32"], "convert them first, in NumPy by `a.astype('int64')`"),
        (&["uint64"], "convert them first, in NumPy by `a.astype('int64')` if none is 2**63 or more"),
        (&["float16", "bfloat16"], "convert them first, in NumPy by `a.astype('float32')`"),
        (
            &["float96", "float128"],
            "convert them first, in NumPy by `a.astype('float64')`, which rounds them",
        ),
        (&["complex"], "convert them first, in NumPy by `a.astype('complex128')`"),
        (
            &["string", "bytes", "fixed_length_utf32", "null_terminated_bytes"],
            "text is no array of numbers; read it as a bag of lines, or number the words first, in NumPy by \
             `np.unique(a, return_inverse=True)[1]`",
        ),
        (
            &["object", "pickle"],
            "Python objects cannot be read without Python; save an array of numbers, in NumPy by \
             `np.save(path, np.array(list(a), 'float64'))`",
        ),
        (
            &["record", "struct"],
            "save each field in a file of its own, in NumPy by `np.save(path, a['name'])`",
        ),
        (
            &["datetime", "timedelta", "numpy.datetime64", "numpy.timedelta64"],
            "save the numbers of their units, in NumPy by `a.astype('int64')`",
        ),
    ];
    let fits = |(kinds, _): &&(&[&str], &str)| kinds.iter().any(|kind| elements.starts_with(kind));
    ADVICE.iter().find(fits).map_or("save them as one of these first", |(_, advice)| advice)
}

impl FileProblem {
    /// Elements that arrays cannot have: the file's word for them, and NumPy's name of their type.
    pub(super) fn unknown(found: impl Into<String>, elements: &str) -> FileProblem {
        FileProblem::UnknownElements { found: found.into(), advice: advice(elements) }
    }

    /// Something that the operating system refused.
    pub(super) fn system(action: &'static str) -> impl FnOnce(io::Error) -> FileProblem {
        move |error| FileProblem::System { action, kind: error.kind(), message: error.to_string() }
    }

    /// Said of a file.
    pub(super) fn of(self, path: &Path) -> FileError {
        FileError { path: path.to_owned(), problem: self }
    }
}
