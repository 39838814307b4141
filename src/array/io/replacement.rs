//! New content for a path, which takes its place when it is complete and not before.

use super::{FileError, FileProblem};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// A temporary file beside the one that it is to replace. Dropped before it is [finished](Self::finish), it is
/// removed, and the old file is as it was.
#[derive(Debug)]
pub(crate) struct Replacement {
    target: PathBuf,
    temporary: PathBuf,
    /// Open from the beginning to the end: the system then tells it of every write that failed behind the back
    /// of whoever wrote.
    file: File,
    finished: bool,
}

impl Replacement {
    /// Creates the temporary file.
    ///
    /// # Errors
    /// If the target is something else than a file, or if its folder does not exist or cannot be written to.
    pub(crate) fn create(path: &Path) -> Result<Self, FileError> {
        let target = resolve(path).map_err(|problem| problem.of(path))?;
        let open = |temporary: &Path| File::options().read(true).write(true).create_new(true).open(temporary);
        let (temporary, file) = beside(&target, open)
            .map_err(FileProblem::system("create"))
            .map_err(|problem| problem.of(path))?;
        let replacement = Replacement { target, temporary, file, finished: false };
        if let Ok(old) = fs::metadata(&replacement.target) {
            let allowed = replacement.file.set_permissions(old.permissions());
            allowed.map_err(FileProblem::system("create")).map_err(|problem| problem.of(path))?;
        }
        Ok(replacement)
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// The temporary file, for others who write to it.
    pub(crate) fn path(&self) -> &Path {
        &self.temporary
    }

    /// The file that is to be replaced.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Takes the room for the whole file, so that a disk that is too full is found out now.
    pub(crate) fn reserve(&self, bytes: u64) -> Result<(), FileError> {
        let reserved = reserve(&self.file, bytes).and_then(|()| self.file.set_len(bytes));
        reserved.map_err(FileProblem::system("write")).map_err(|problem| problem.of(&self.target))
    }

    /// Puts the file in the place of the old one once it is on the disk.
    pub(crate) fn finish(mut self) -> Result<(), FileError> {
        let told = |action| move |error: io::Error| FileProblem::system(action)(error);
        self.file.sync_all().map_err(told("write")).map_err(|problem| problem.of(&self.target))?;
        fs::rename(&self.temporary, &self.target)
            .map_err(told("replace"))
            .map_err(|problem| problem.of(&self.target))?;
        self.finished = true;
        // The name is on the disk with its folder; not every file system can do that for one folder.
        if let Some(Ok(folder)) = self.target.parent().map(File::open) {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.finished {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Where the file is, if `path` is a link to it.
fn resolve(path: &Path) -> Result<PathBuf, FileProblem> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => fs::canonicalize(path).map_err(FileProblem::system("open")),
        Ok(found) => {
            Err(FileProblem::Occupied { what: if found.is_dir() { "a folder" } else { "a device" } })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.file_name().is_some() => {
            Ok(path.to_owned())
        }
        Err(error) => Err(FileProblem::system("open")(error)),
    }
}

/// Makes something beside a path, under the first free name of `.NAME.part-PROCESS-NUMBER`.
pub(super) fn beside<T>(target: &Path, make: impl Fn(&Path) -> io::Result<T>) -> io::Result<(PathBuf, T)> {
    let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let process = std::process::id();
    for number in 0.. {
        let temporary = target.with_file_name(format!(".{name}.part-{process}-{number}"));
        match make(&temporary) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|made| (temporary, made)),
        }
    }
    unreachable!("there are not so many files")
}

#[cfg(target_os = "linux")]
fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    use rustix::{fs, io::Errno};
    if bytes == 0 {
        return Ok(());
    }
    match fs::fallocate(file, fs::FallocateFlags::empty(), 0, bytes) {
        // Some network file systems cannot; they will tell when the bytes come.
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        other => other.map_err(io::Error::from),
    }
}

#[cfg(not(target_os = "linux"))]
fn reserve(_: &File, _: u64) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_old_file_is_whole_until_the_new_one_is_complete() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.npy");
        for (content, finish) in [("one", true), ("two", false), ("three", true)] {
            let before = fs::read_to_string(&path).ok();
            let new = Replacement::create(&path).expect("a file");
            new.reserve(2).expect("room");
            new.file().write_all(content.as_bytes()).expect("room");
            assert_eq!(fs::read_to_string(&path).ok(), before);
            assert_eq!(names(folder.path()).len(), 1 + usize::from(before.is_some()));
            if finish {
                new.finish().expect("it is complete");
            }
        }
        assert_eq!(fs::read_to_string(&path).expect("a file"), "three");
        assert_eq!(names(folder.path()), ["x.npy"]);
    }

    #[test]
    fn two_at_a_time_have_their_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.npy");
        let (first, second) = (Replacement::create(&path), Replacement::create(&path));
        let (first, second) = (first.expect("a file"), second.expect("a file"));
        assert_ne!(first.path(), second.path());
        second.finish().expect("it is complete");
        first.finish().expect("it is complete");
        assert_eq!(names(folder.path()), ["x.npy"]);
    }

    #[test]
    #[cfg(unix)]
    fn links_and_permissions_stay() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().expect("a folder");
        let (path, link) = (folder.path().join("x.npy"), folder.path().join("link.npy"));
        fs::write(&path, "old").expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("it is ours");
        symlink(&path, &link).expect("a link");
        Replacement::create(&link).expect("a file").finish().expect("it is complete");
        assert!(fs::symlink_metadata(&link).expect("it stays").is_symlink());
        let found = fs::metadata(&path).expect("a file");
        assert_eq!((found.len(), found.permissions().mode() & 0o777), (0, 0o640));
    }

    #[test]
    fn what_cannot_be_replaced_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = |path: &Path| Replacement::create(path).expect_err("impossible").to_string();
        assert!(
            error(folder.path()).ends_with("it is a folder, and is not replaced"),
            "{}",
            error(folder.path())
        );
        let missing = error(&folder.path().join("no/x.npy"));
        assert!(missing.contains("no/x.npy: cannot create it: No such file or directory"), "{missing}");
        assert!(error(Path::new("/dev/full")).ends_with("it is a device, and is not replaced"));
        assert!(error(Path::new("")).contains("No such file"));
    }
}
