//! Zarr stores.

use crate::cases::{cases, property, same};
use proptest::prelude::*;
use serried::array::{Array, Chunks, Compression};
use serried::prelude::*;
use std::fs;

#[test]
fn what_is_written_is_read() {
    let kinds = prop::sample::select(vec![Compression::None, Compression::Zstd, Compression::Gzip]);
    property(30, (cases(0..4, any::<f64>()), kinds, 1..6usize), |client, (case, compression, side)| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.zarr");
        for _ in 0..2 {
            case.array(client).write_zarr_with(&path, compression).expect("there is room");
        }
        for chunks in [Chunks::Auto, Chunks::Bytes(40 * side), vec![side; case.data.ndim()].into()] {
            let read = Array::<f64>::from_zarr(client, &path, chunks).expect("it is there");
            same(&read.compute().expect("it runs"), &case.data, "a store");
        }
        assert_eq!(fs::read_dir(folder.path()).expect("ours").count(), 1);
    });
}

#[test]
fn what_cannot_be_read_or_written_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.zarr");
    let run = |client: &Client| -> serried::Result<()> {
        let x = Array::arange(client, 0i64, 100, 1, 30);
        x.write_zarr(&path)?;
        let error = |result: serried::Result<()>, words: &[&str]| {
            let text = result.expect_err("it is wrong").to_string();
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
        };
        error(
            Array::<f64>::from_zarr(client, &path, Chunks::Auto).map(|_| ()),
            &["from_zarr (tests/arrays/zarr.rs:", "int64, not float64", "Array::<i64>"],
        );
        let irregular = x.rechunk(Chunks::Exact(vec![vec![30, 50, 20]]));
        error(irregular.write_zarr(&path), &["[[30, 50, 20]]", "rechunk"]);
        error(x.write_zarr(folder.path()), &["a folder with other things in it"]);
        let failing = x.map(|x| if x == 99 { panic!("no 99") } else { x });
        error(failing.write_zarr(&path), &["no 99"]);
        let x = Array::<i64>::from_zarr(client, &path, Chunks::Auto)?;
        assert_eq!(x.sum().compute()?, 4950);
        fs::write(path.join("c/1"), "broken").expect("ours");
        error(
            x.sum().compute().map(|_| ()),
            &["a.zarr: cannot read chunk [1], the file ", "a.zarr/c/1: ", "from_zarr"],
        );
        assert_eq!(fs::read_dir(folder.path()).expect("ours").count(), 1);
        Ok(())
    };
    Builder::new().scheduler(Scheduler::Threads).workers(2).run(run).expect("the run ends well");
}
