//! Files that are to be gone when a run is over.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// The temporary files that a rank has begun: a [local context](super::local). When the rank leaves the run, those are
/// removed that have not got other names, and no more are made: tasks that go on do not matter any more.
#[derive(Debug)]
pub(crate) struct Temporaries(Mutex<Option<BTreeSet<PathBuf>>>);

impl Default for Temporaries {
    fn default() -> Self {
        Temporaries(Mutex::new(Some(BTreeSet::new())))
    }
}

impl Temporaries {
    /// Opens a temporary file, which `open` may create.
    pub(crate) fn open(&self, path: &Path, open: impl FnOnce(&Path) -> io::Result<File>) -> io::Result<File> {
        let mut paths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let paths = paths.as_mut().ok_or_else(|| io::Error::other("the run is over"))?;
        if !paths.contains(path) {
            paths.insert(path.to_owned());
        }
        open(path)
    }

    /// The run is over.
    pub(super) fn remove(&self) {
        let paths = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        for path in paths.into_iter().flatten() {
            // Most have their names by now.
            let _ = fs::remove_file(path);
        }
    }
}
