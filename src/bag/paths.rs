//! Which files.

use super::error::{Fault, ReadError};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Names and patterns of input files: a `&str`, a path, or a list of them.
///
/// In a name `*` stands for any characters, `?` for one, `[ab]` for one of several, and `**` for folders of
/// any depth. The files of a pattern come in the order of their names, those of several in the order of the
/// list; a file that two patterns match is read twice. A name that is a file is that file, whatever characters
/// it has.
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
    let is_pattern = path.to_str().filter(|text| text.contains(['*', '?', '[']) && !path.exists());
    let Some(pattern) = is_pattern else {
        return vec![Ok(path.into())];
    };
    let found = match glob::glob(pattern) {
        Ok(found) => found,
        Err(error) => return vec![Err(ReadError::of_file(path, Fault::Pattern(error.to_string())))],
    };
    let mut files: Vec<_> = found
        .map(|entry| {
            entry.map_err(|error| {
                ReadError::system(
                    error.path(),
                    io::Error::new(error.error().kind(), error.error().to_string()),
                )
            })
        })
        .filter(|entry| entry.as_ref().map_or(true, |file| !file.is_dir()))
        .collect();
    files.sort_by(|a, b| a.as_ref().ok().cmp(&b.as_ref().ok()));
    if files.is_empty() {
        files.push(Err(ReadError::of_file(path, Fault::NoMatch)));
    }
    files
}
