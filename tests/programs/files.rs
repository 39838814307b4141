//! Files that all ranks write together.

use crate::answers::the_same_everywhere;
use crate::launcher::{Start, example, finish, mpiexec, run};
use std::{fs, path::Path, process::Command};

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_file_has_the_same_bytes_however_it_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.npy");
    let mut bytes = Vec::new();
    for chunk in ["100,57", "250,20"] {
        the_same_everywhere(
            "array_file",
            &format!("--rows 1003 --cols 57 --chunk {chunk} --path {}", path.display()),
        );
        assert_eq!(names(folder.path()), ["x.npy"]);
        bytes.push(fs::read(&path).expect("a file"));
    }
    assert!(bytes.iter().all(|other| *other == bytes[0]));
    assert_eq!(bytes[0].len(), 128 + 8 * 1003 * 57);
}

#[test]
fn a_write_that_fails_leaves_the_old_file_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.npy");
    fs::write(&path, "old").expect("a file");
    let path = path.to_str().expect("text");
    let arguments = ["--rows", "1000", "--cols", "50", "--chunk", "90,50", "--seed", "1", "--path", path];
    let mut ways = vec![Start::Plain];
    if mpiexec().is_some() {
        ways.extend([Start::Ranks(1), Start::Ranks(2), Start::Ranks(4)]);
    }
    for way in ways {
        let ended = run(way, "array_file", &[&arguments[..], &["--fail"]].concat(), &[]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains("the last row is not to be had"), "{ended:?}");
        assert_eq!(fs::read_to_string(path).expect("a file"), "old");
        assert_eq!(names(folder.path()), ["x.npy"]);
    }
}

/// A limit on the size of files stands for a disk that is full.
#[test]
fn a_disk_that_is_too_full_is_found_out_before_anything_is_computed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.npy");
    fs::write(&path, "old").expect("a file");
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$@\""]).arg(example("array_file"));
    // The last of these would fail if it were computed.
    command.args(["--rows", "100000", "--cols", "10", "--chunk", "50000,10", "--seed", "1", "--fail"]);
    let ended = finish(
        {
            command.arg("--path").arg(&path);
            command
        },
        &[],
    );
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("x.npy: cannot write it: File too large"), "{ended:?}");
    assert!(ended.stderr.contains("write_npy (examples/array_file.rs:"), "{ended:?}");
    assert_eq!(fs::read_to_string(&path).expect("a file"), "old");
    assert_eq!(names(folder.path()), ["x.npy"]);
}

#[test]
fn a_folder_that_does_not_exist_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("none").join("x.npy");
    let ended = run(Start::Plain, "array_file", &["--path", path.to_str().expect("text")], &[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("none/x.npy: cannot create it: No such file or directory"), "{ended:?}");
}
