//! Input that can be read once only, or by one process only: a pipe, a terminal, the standard input, `/proc`.
//!
//! Rank 0 reads it to its end when it is opened. A little of it travels to the ranks with the list of the input
//! files. More of it goes to a file without a name in the folder for temporary files, which the ranks of the same
//! host open through `/proc`; it is gone when the program has ended, however it ends.

use super::{super::error::Fault, source::Origin};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::{
        fd::AsRawFd,
        unix::fs::{FileTypeExt, MetadataExt},
    },
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// Bytes that travel with the list of files, at most.
const LITTLE: u64 = 1 << 20;

/// How ranks of the same host find the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::bag) struct Name {
    process: u32,
    descriptor: i32,
    /// Device and inode: numbers of processes mean something else on another host.
    identity: (u64, u64),
    host: String,
}

/// What has been read. It stays to the end of the program: nobody knows which lazy results are made of it.
#[derive(Default)]
struct Kept {
    files: Vec<File>,
    /// Device and inode of pipes that have no name and so can never be read again, and what came of them.
    pipes: Vec<((u64, u64), Origin, u64)>,
}

static KEPT: Mutex<Kept> = Mutex::new(Kept { files: Vec::new(), pipes: Vec::new() });

/// Reads all of it. Of a pipe that was read before it is what the pipe gave then.
pub(super) fn of(file: File, scratch: Option<&Path>) -> io::Result<(Origin, u64)> {
    let pipe = identity_of_pipe(&file)?;
    // Two threads do not read a pipe in turns.
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, origin, size)) = kept.pipes.iter().find(|(known, ..)| Some(*known) == pipe) {
        return Ok((origin.clone(), *size));
    }
    let (origin, size) = read(file, scratch, &mut kept.files)?;
    kept.pipes.extend(pipe.map(|identity| (identity, origin.clone(), size)));
    Ok((origin, size))
}

fn read(mut file: File, scratch: Option<&Path>, keep: &mut Vec<File>) -> io::Result<(Origin, u64)> {
    let mut first = Vec::new();
    Read::by_ref(&mut file).take(LITTLE + 1).read_to_end(&mut first)?;
    if first.len() as u64 <= LITTLE {
        let size = first.len() as u64;
        return Ok((Origin::Memory(Arc::new(first)), size));
    }
    let folder = scratch.map_or_else(std::env::temp_dir, PathBuf::from);
    let told = |error: io::Error| {
        let text = format!(
            "it is read once, into a file in {}: {error}; SERRIED_SCRATCH names another folder",
            folder.display()
        );
        io::Error::new(error.kind(), text)
    };
    let mut spool = tempfile::tempfile_in(&folder).map_err(told)?;
    spool.write_all(&first).map_err(told)?;
    drop(first);
    let size = LITTLE + 1 + io::copy(&mut file, &mut spool).map_err(told)?;
    let metadata = spool.metadata()?;
    let name = Name {
        process: std::process::id(),
        descriptor: spool.as_raw_fd(),
        identity: (metadata.dev(), metadata.ino()),
        host: host(),
    };
    keep.push(spool);
    Ok((Origin::Spool(name), size))
}

/// What tells a pipe, or a socket, without a name from others. A pipe with a name may be written to again.
fn identity_of_pipe(file: &File) -> io::Result<Option<(u64, u64)>> {
    let metadata = file.metadata()?;
    let kind = metadata.file_type();
    if !kind.is_fifo() && !kind.is_socket() {
        return Ok(None);
    }
    let link = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let has_name = link.is_ok_and(|link| link.has_root());
    Ok((!has_name).then(|| (metadata.dev(), metadata.ino())))
}

impl Name {
    pub(super) fn open(&self) -> Result<File, Fault> {
        let file = File::open(format!("/proc/{}/fd/{}", self.process, self.descriptor));
        let same = |file: &File| {
            file.metadata().is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.identity)
        };
        match file {
            Ok(file) if same(&file) => Ok(file),
            _ => Err(Fault::Elsewhere { host: self.host.clone(), here: host() }),
        }
    }
}

fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_host_is_told_where_the_input_is() {
        let file = tempfile::tempfile().expect("a file");
        let about = file.metadata().expect("a file");
        let name = Name {
            process: std::process::id(),
            descriptor: file.as_raw_fd(),
            identity: (about.dev(), about.ino()),
            host: "first".into(),
        };
        name.open().expect("it is of this process");
        let elsewhere =
            [Name { identity: (about.dev(), about.ino() + 1), ..name.clone() }, Name { process: 0, ..name }];
        for name in elsewhere {
            let error = name.open().expect_err("another file").to_string();
            assert!(error.contains("on host first") && error.contains("write it to a file"), "{error}");
        }
    }

    #[test]
    fn a_folder_without_room_is_named() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), vec![b'a'; LITTLE as usize + 1]).expect("room");
        let open = File::open(file.path()).expect("a file");
        let error = of(open, Some(Path::new("/nowhere/at/all"))).expect_err("no such folder").to_string();
        assert!(error.contains("/nowhere/at/all") && error.contains("SERRIED_SCRATCH"), "{error}");
    }
}
