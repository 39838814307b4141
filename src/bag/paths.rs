//! Which files.

use super::error::{Fault, ReadError};
use crate::pattern;
use std::path::{Path, PathBuf};

/// Names and patterns of input files: a `&str`, a path, or a list of them.
///
/// In a name `*` stands for any characters, `?` for one, `[ab]` for one of several, and `**` for folders of
/// any depth. As in a shell, only a dot matches a dot at the beginning of a name, so `*` passes over hidden files
/// and those that are still being written; and folders that a pattern matches are passed over. The files of a
/// pattern come in the order of their names, those of several in the order of the list; a file that two patterns
/// match is read twice. A name with brackets, as `x[1]`, is that file or folder if there is one; else `[[]` stands
/// for a bracket.
///
/// What is no ordinary file, `/dev/stdin`, a pipe, the `<(...)` of a shell, a file of `/proc`, is read by rank 0, to
/// its end, when it is opened: see the page on bags.
#[derive(Debug, Clone)]
pub struct Paths(Vec<PathBuf>);

impl From<&str> for Paths {
    fn from(path: &str) -> Self {
        Paths(vec![path.into()])
    }
}

impl From<String> for Paths {
    fn from(path: String) -> Self {
        Paths(vec![path.into()])
    }
}

impl From<&String> for Paths {
    fn from(path: &String) -> Self {
        Paths(vec![path.into()])
    }
}

impl From<&Path> for Paths {
    fn from(path: &Path) -> Self {
        Paths(vec![path.into()])
    }
}

impl From<&PathBuf> for Paths {
    fn from(path: &PathBuf) -> Self {
        Paths(vec![path.clone()])
    }
}

impl From<PathBuf> for Paths {
    fn from(path: PathBuf) -> Self {
        Paths(vec![path])
    }
}

impl<P: AsRef<Path>> From<&[P]> for Paths {
    fn from(paths: &[P]) -> Self {
        Paths(paths.iter().map(|path| path.as_ref().into()).collect())
    }
}

impl<P: AsRef<Path>> From<&Vec<P>> for Paths {
    fn from(paths: &Vec<P>) -> Self {
        Paths::from(&paths[..])
    }
}

impl<P: AsRef<Path>> From<Vec<P>> for Paths {
    fn from(paths: Vec<P>) -> Self {
        Paths::from(&paths[..])
    }
}

impl<P: AsRef<Path>, const N: usize> From<[P; N]> for Paths {
    fn from(paths: [P; N]) -> Self {
        Paths::from(&paths[..])
    }
}

impl Paths {
    /// The files; for each name either at least one or what is wrong.
    pub(super) fn find(&self) -> Vec<Result<PathBuf, ReadError>> {
        self.0.iter().flat_map(|path| files_of(path)).collect()
    }
}

fn files_of(path: &Path) -> Vec<Result<PathBuf, ReadError>> {
    let is_pattern = path.to_string_lossy().contains(['*', '?', '[']);
    if !is_pattern {
        return vec![Ok(path.into())];
    }
    match pattern::files(path) {
        Err(problem) => vec![Err(ReadError::of_file(path, Fault::Pattern(problem)))],
        Ok(files) if files.is_empty() => vec![Err(ReadError::of_file(path, Fault::NoMatch))],
        Ok(files) => {
            let unreadable = |(folder, error): pattern::Unreadable| ReadError::system(&folder, error);
            files.into_iter().map(|file| file.map_err(unreadable)).collect()
        }
    }
}
