//! What is no ordinary file.

use super::{super::read_lines as read, compressed::gzip_of};
use crate::bag::reading::Reading;
use std::{
    fs,
    io::{PipeReader, Write, pipe},
    os::fd::AsRawFd,
    path::PathBuf,
    process::Command,
};

/// A pipe that gives these bytes, and a path for it as shells make them.
fn piped(bytes: Vec<u8>) -> (PipeReader, PathBuf) {
    let (reader, mut writer) = pipe().expect("a pipe");
    let path = format!("/dev/fd/{}", reader.as_raw_fd()).into();
    std::thread::spawn(move || writer.write_all(&bytes));
    (reader, path)
}

fn lines(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("line {number}")).collect()
}

#[test]
fn pipes_are_read_to_their_end_and_may_be_named_twice() {
    // Few bytes, and more than a pipe or memory holds.
    for count in [0, 3, 300_000] {
        let expected = lines(count);
        let text = expected.join("\n");
        for content in [text.clone().into_bytes(), gzip_of(text.as_bytes())] {
            let (_open, path) = piped(content);
            for block in [100_000, 8 << 20] {
                let found = read(&path, &Reading::new().block_bytes(block)).expect("a pipe");
                assert!(found.0 == expected, "{count} lines, blocks of {block}: {}", found.0.len());
            }
        }
    }
}

#[test]
fn a_pipe_with_a_name_is_read_each_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo").success());
    for text in ["a\nb\n", "c"] {
        let writer = path.clone();
        let written = std::thread::spawn(move || fs::write(writer, text));
        assert_eq!(read(&path, &Reading::new()).expect("a pipe").0.join("\n"), text.trim_end());
        written.join().expect("no panic").expect("written");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn files_without_a_length_are_read() {
    for path in [
        "/proc/self/limits",
        "/proc/filesystems",
        "/proc/version",
        "/sys/kernel/mm/transparent_hugepage/enabled",
    ] {
        if let Ok(text) = fs::read_to_string(path) {
            for block in [1, 100, 8 << 20] {
                let (lines, skipped) = read(path.as_ref(), &Reading::new().block_bytes(block)).expect(path);
                assert_eq!((lines, skipped), (text.lines().map(str::to_owned).collect(), 0), "{path}");
            }
        }
    }
    assert_eq!(read("/dev/null".as_ref(), &Reading::new()).expect("nothing").0, [""; 0]);
}

/// The name of an open file that is gone, and one of an ordinary file that means another file elsewhere.
#[test]
#[cfg(target_os = "linux")]
fn names_of_open_files_are_those_files() {
    let expected = lines(200_000);
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(expected.join("\n").as_bytes()).expect("room");
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_file().as_raw_fd()));
    assert!(read(&path, &Reading::new()).expect("a file").0 == expected);
    let (open, _name) = file.into_parts();
    drop(_name);
    let path = PathBuf::from(format!("/dev/fd/{}", open.as_raw_fd()));
    assert!(read(&path, &Reading::new()).expect("a file").0 == expected);
}

#[test]
fn a_file_that_becomes_shorter_is_an_error_and_what_is_added_is_not_read() {
    use super::super::{Input, Pieces};
    use crate::bag::{error::ReadError, paths::Paths};
    let path = tempfile::NamedTempFile::new().expect("a file").into_temp_path();
    fs::write(&path, "a\n".repeat(100_000)).expect("room");
    let input = Input::find::<ReadError>(&Paths::from(&*path), &Reading::new(), None, &|_| Ok(Vec::new()));
    let input = input.expect("a file");
    let count = || {
        let blocks: Result<Vec<_>, ReadError> =
            (0..input.units()).flat_map(|unit| Pieces::new(unit, &input)).collect();
        blocks.map(|blocks| blocks.iter().map(|block| block.count()).sum::<u64>())
    };
    fs::write(&path, "a\n".repeat(100_001)).expect("room");
    assert_eq!(count().expect("it has grown"), 100_000);
    fs::write(&path, "a\n".repeat(99_999)).expect("room");
    let error = count().expect_err("it is shorter").to_string();
    assert!(error.contains("shorter than it was"), "{error}");
}
