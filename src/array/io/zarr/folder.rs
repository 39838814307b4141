//! A new folder for a path, which takes its place when it is complete and not before.

use super::super::{FileError, FileProblem, replacement::beside};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A temporary folder beside the one that it is to replace. Dropped before it is [finished](Self::finish), it is
/// removed, and the old folder is as it was.
#[derive(Debug)]
pub(crate) struct NewFolder {
    target: PathBuf,
    temporary: PathBuf,
    finished: bool,
}

impl NewFolder {
    /// Creates the temporary folder.
    ///
    /// # Errors
    /// If there is something at the path that `may_go` does not let go, or if the folder around it does not
    /// exist or cannot be written to.
    pub(crate) fn create(path: &Path, may_go: impl Fn(&Path) -> bool) -> Result<Self, FileError> {
        let target = resolve(path, may_go).map_err(|problem| problem.of(path))?;
        let made = beside(&target, |temporary| fs::create_dir(temporary));
        let (temporary, ()) =
            made.map_err(FileProblem::system("create")).map_err(|problem| problem.of(path))?;
        Ok(NewFolder { target, temporary, finished: false })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.temporary
    }

    /// Puts the folder in the place of the old one.
    pub(crate) fn finish(mut self) -> Result<(), FileError> {
        let replaced = replace(&self.temporary, &self.target);
        replaced.map_err(FileProblem::system("replace")).map_err(|problem| problem.of(&self.target))?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for NewFolder {
    fn drop(&mut self) {
        if !self.finished {
            let _ = fs::remove_dir_all(&self.temporary);
        }
    }
}

fn resolve(path: &Path, may_go: impl Fn(&Path) -> bool) -> Result<PathBuf, FileProblem> {
    match fs::metadata(path) {
        Ok(found) if !found.is_dir() => Err(FileProblem::Occupied { what: "a file" }),
        Ok(_) => {
            let path = fs::canonicalize(path).map_err(FileProblem::system("open"))?;
            let mut entries = fs::read_dir(&path).map_err(FileProblem::system("open"))?;
            match entries.next().is_none() || may_go(&path) {
                true => Ok(path),
                false => Err(FileProblem::Occupied { what: "a folder with other things in it" }),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.file_name().is_some() => {
            Ok(path.to_owned())
        }
        Err(error) => Err(FileProblem::system("open")(error)),
    }
}

/// Puts `new` in the place of `old` if there is one.
fn replace(new: &Path, old: &Path) -> io::Result<()> {
    if !old.exists() {
        return fs::rename(new, old);
    }
    if exchange(new, old).is_err() {
        // Not at one stroke, where the system cannot.
        let aside = new.with_extension("old");
        fs::rename(old, &aside)?;
        if let Err(error) = fs::rename(new, old) {
            fs::rename(&aside, old)?;
            return Err(error);
        }
        fs::rename(&aside, new)?;
    }
    // The old one is there now. What cannot be removed of it is in nobody's way.
    let _ = fs::remove_dir_all(new);
    Ok(())
}

#[cfg(target_os = "linux")]
fn exchange(new: &Path, old: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE)?)
}

#[cfg(not(target_os = "linux"))]
fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_old_folder_is_whole_until_the_new_one_is_complete() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.zarr");
        for (content, finish) in [("one", true), ("two", false), ("three", true)] {
            let before = path.exists().then(|| contents(&path));
            let new = NewFolder::create(&path, |_| true).expect("a folder");
            fs::write(new.path().join(content), "").expect("room");
            assert_eq!(path.exists().then(|| contents(&path)), before);
            if finish {
                new.finish().expect("it is complete");
            }
        }
        assert_eq!(contents(&path), ["three"]);
        assert_eq!(contents(folder.path()), ["x.zarr"]);
    }

    #[test]
    fn nothing_else_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = |path: &Path| NewFolder::create(path, |_| false).expect_err("refused").to_string();
        let path = folder.path().join("x");
        fs::write(&path, "").expect("a file");
        assert!(error(&path).ends_with("it is a file, and is not replaced"), "{}", error(&path));
        assert!(error(folder.path()).ends_with("a folder with other things in it, and is not replaced"));
        assert!(error(&folder.path().join("no/x")).contains("cannot create it"));
        fs::remove_file(&path).expect("it is ours");
        fs::create_dir(&path).expect("a folder");
        NewFolder::create(&path, |_| false).expect("it is empty").finish().expect("it is complete");
        assert_eq!(contents(folder.path()), ["x"]);
    }
}
