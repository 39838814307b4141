//! .npy files that NumPy has written, and those that it would write.

use crate::cases::{Case, cases, property, same};
use crate::numpy::numpy;
use num_complex::Complex64;
use proptest::prelude::*;
use serried::array::{Array, Chunks, Element};
use serried::prelude::*;
use serried::{Block, Error};
use std::{fs, path::Path};

/// What NumPy writes to a file for the array that `value` makes of `a`.
fn saved(value: &str, version: &str, a: &Block) -> Option<Vec<u8>> {
    let save = match version {
        "" => format!("np.save(f, {value})"),
        version => format!("np.lib.format.write_array(f, {value}, {version})"),
    };
    let expression =
        format!("(lambda f: ({save}, np.frombuffer(f.getvalue(), np.uint8))[1])(__import__('io').BytesIO())");
    Some(numpy::<u8>(&expression, &[("a", a)])?.into_iter().collect())
}

/// Runs `code` with a fresh folder.
fn run(code: impl FnOnce(&Client, &Path) + Send) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let ran = Builder::new().scheduler(Scheduler::Threads).workers(2).run(|client| {
        code(client, path);
        Ok::<(), Error>(())
    });
    ran.expect("the run ends well");
}

fn round_trip<T: Element>(client: &Client, case: &Case<T>, side: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.npy");
    case.array(client).write_npy(&path).expect("there is room");
    let block = Block::from(case.data.clone());
    let ours = fs::read(&path).expect("a file");
    if let Some(theirs) = saved("a", "", &block) {
        assert_eq!(ours, theirs, "{:?}", case.data);
    }
    let chunks = [Chunks::Auto, Chunks::Bytes(side * 40), vec![side; case.data.ndim()].into()];
    for chunks in &chunks {
        let read = Array::<T>::from_npy(client, &path, chunks.clone()).expect("it is there");
        same(&read.compute().expect("it runs"), &case.data, "its own file");
    }
    for (value, version) in [
        ("np.array(a, order='F')", ""),
        ("a", "(2, 0)"),
        ("a", "(3, 0)"),
        ("a.astype(a.dtype.newbyteorder())", ""),
        ("np.array(a, order='F').astype(a.dtype.newbyteorder())", ""),
    ] {
        let Some(bytes) = saved(value, version, &block) else {
            return;
        };
        fs::write(&path, bytes).expect("there is room");
        for chunks in &chunks {
            let read = Array::<T>::from_npy(client, &path, chunks.clone()).expect(value);
            same(&read.compute().expect("it runs"), &case.data, value);
        }
    }
}

#[test]
fn files_are_those_of_numpy() {
    fn check<T: Element>(count: u32, elements: impl Strategy<Value = T> + Clone + Send + Sync) {
        property(count, (cases(0..5, elements), 1..6usize), |client, (case, side)| {
            round_trip(client, &case, side);
        });
    }
    check(25, any::<f64>());
    check(8, any::<f32>());
    check(8, any::<i64>());
    check(8, any::<i32>());
    check(8, any::<u8>());
    check(8, any::<bool>());
    check(8, (any::<f64>(), any::<f64>()).prop_map(|(re, im)| Complex64::new(re, im)));
}

#[test]
fn several_files_are_one_array() {
    let strategy = (cases(1..4, any::<i32>()), proptest::collection::vec(0..8usize, 0..4), 1..6usize);
    property(40, strategy, |client, (case, mut cuts, side)| {
        let folder = tempfile::tempdir().expect("a folder");
        let length = case.data.shape()[0];
        cuts.iter_mut().for_each(|cut| *cut = (*cut).min(length));
        cuts.extend([0, length]);
        cuts.sort_unstable();
        let mut paths = Vec::new();
        for (number, ends) in cuts.windows(2).enumerate() {
            let rows = case.data.slice_axis(ndarray::Axis(0), (ends[0]..ends[1]).into()).to_owned();
            let path = folder.path().join(format!("part-{number}.npy"));
            Array::from_ndarray(client, &rows, case.chunk.clone()).write_npy(&path).expect("there is room");
            paths.push(path);
        }
        for chunks in [Chunks::Auto, Chunks::Bytes(40 * side), vec![side; case.data.ndim()].into()] {
            let read = Array::<i32>::from_npy_files(client, &paths, chunks.clone()).expect("they are there");
            same(&read.compute().expect("it runs"), &case.data, "several files");
            let pattern = folder.path().join("part-*.npy");
            let pattern = pattern.to_str().expect("text");
            let read = Array::<i32>::from_npy_glob(client, pattern, chunks).expect("they are there");
            same(&read.compute().expect("it runs"), &case.data, "a pattern");
        }
    });
}

#[test]
fn what_cannot_be_read_says_why() {
    run(|client, folder| {
        let path = folder.join("x.npy");
        let x = Array::arange(client, 0.0, 1000.0, 1.0, 100).reshape([20, 50]);
        x.write_npy(&path).expect("there is room");
        let good = fs::read(&path).expect("a file");
        let wrong = |bytes: &[u8], words: &[&str]| {
            fs::write(&path, bytes).expect("there is room");
            let error = Array::<f64>::from_npy(client, &path, Chunks::Auto).expect_err("it is wrong");
            let text = error.to_string();
            let all = [&["from_npy (tests/arrays/files.rs:", "x.npy: "], words].concat();
            assert!(all.iter().all(|word| text.contains(word)), "{text}");
        };
        wrong(&good[..8127], &["8127 bytes", "8128", "float64", "[20, 50]", "truncated"]);
        wrong(&good[..100], &["ends inside of its header"]);
        wrong(&[], &["ends inside of its header"]);
        wrong(&[&good[..], b"x"].concat(), &["8129 bytes", "followed by something else"]);
        wrong(b"PK\x03\x04 this is an .npz file", &["zip archive", "unpack it"]);
        wrong(b"text, text, text", &["does not begin with"]);
        let replaced = |from: &str, to: &str| {
            let head = String::from_utf8_lossy(&good[10..128]).replace(from, to);
            [&good[..10], head.as_bytes(), &good[128..]].concat()
        };
        wrong(&replaced("'<f8'", "'<i8'"), &["elements are int64, not float64", "Array::<i64>"]);
        wrong(&replaced("'<f8'", "'<f2'"), &["float16", "astype"]);
        wrong(&replaced("'<f8'", "'|O '"), &["objects of Python", "without Python"]);
        wrong(&replaced("'<f8'", "'<U2'"), &["strings", "text is no array of numbers"]);
        wrong(&replaced("(20, 50)", "(20, 99)"), &["truncated", "[20, 99]"]);

        let error = |result: serried::Result<Array<f64>>| result.expect_err("it is wrong").to_string();
        let missing = error(Array::from_npy(client, folder.join("y.npy"), Chunks::Auto));
        assert!(missing.contains("y.npy: cannot open it: No such file"), "{missing}");
        fs::write(&path, replaced("'<f8'", "'|f8'")).expect("there is room");
        let read = Array::<f64>::from_npy(client, &path, Chunks::Auto).expect("as NumPy reads it");
        assert_eq!(read.sum().compute().expect("it runs"), 499_500.0);
        fs::write(&path, &good).expect("there is room");
        let chunks = error(Array::from_npy(client, &path, [3]));
        assert!(chunks.contains("give 2 lengths"), "{chunks}");
        let pattern = error(Array::from_npy_glob(client, "/none/such/*.npy", Chunks::Auto));
        assert!(pattern.contains("no file matches \"/none/such/*.npy\""), "{pattern}");
        // What is being written, or what a killed program has left of it.
        fs::write(folder.join(".x.npy.part-1-0"), "half").expect("there is room");
        let all = folder.join("*");
        let read =
            Array::<f64>::from_npy_glob(client, all.to_str().expect("text"), Chunks::Auto).expect("one");
        assert_eq!(read.shape(), [20, 50]);
        Array::<f64>::zeros(client, [3, 51], Chunks::Auto).write_npy(folder.join("y.npy")).expect("room");
        let mixed = error(Array::from_npy_files(client, [&path, &folder.join("y.npy")], Chunks::Auto));
        assert!(mixed.contains("[3, 51]") && mixed.contains("[20, 50]"), "{mixed}");
    });
}

#[test]
fn a_file_that_changes_under_an_array_fails_its_tasks() {
    run(|client, folder| {
        let path = folder.join("x.npy");
        let write = |rows: usize| Array::<f64>::ones(client, [rows, 5], Chunks::Auto).write_npy(&path);
        write(10).expect("there is room");
        let x = Array::<f64>::from_npy(client, &path, [3, 5]).expect("it is there");
        assert_eq!(x.sum().compute().expect("it runs"), 50.0);
        write(9).expect("there is room");
        let failed = x.sum().compute().expect_err("it has changed");
        let task = failed.task().expect("a task noticed");
        assert!(task.label == "from_npy" && task.message.contains("has changed"), "{failed}");
        fs::File::options().write(true).open(&path).expect("ours").set_len(300).expect("ours");
        let failed = x.sum().compute().expect_err("it is short").to_string();
        assert!(failed.contains("x.npy") && failed.contains("truncated"), "{failed}");
    });
}

#[test]
fn an_array_may_go_to_the_file_that_it_comes_from() {
    run(|client, folder| {
        let path = folder.join("x.npy");
        Array::arange(client, 0i64, 1000, 1, 90).write_npy(&path).expect("there is room");
        for _ in 0..3 {
            let x = Array::<i64>::from_npy(client, &path, 70).expect("it is there");
            (x + 1).write_npy(&path).expect("there is room");
        }
        let x = Array::<i64>::from_npy(client, &path, Chunks::Auto).expect("it is there");
        assert_eq!(x.compute().expect("it runs").as_slice().expect("in order")[..3], [3, 4, 5]);
        let broken = Array::<i64>::zeros(client, [3], 3).reshape([4]);
        assert!(broken.write_npy(&path).expect_err("it is broken").to_string().contains("reshape"));
        let nowhere = x.write_npy(folder.join("no/x.npy")).expect_err("no folder").to_string();
        assert!(nowhere.contains("write_npy (tests/arrays/files.rs:"), "{nowhere}");
        assert_eq!(fs::read_dir(folder).expect("ours").count(), 1);
    });
}
