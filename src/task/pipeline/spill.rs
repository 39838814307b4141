//! The buckets that a rank has, in memory and, when they are too large for it, in a file.

use super::super::Failure;
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, BufWriter, Seek, Write},
    ops::Range,
    os::unix::fs::FileExt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// When buckets go to a file, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spill {
    /// Bytes that a rank holds in memory at most, of all shuffles.
    pub(crate) above: u64,
    /// A folder of the node's own; none for the one that the system has for temporary files.
    pub(crate) folder: Option<PathBuf>,
}

/// Bytes that are moved to the file at a time: much for a disk, little for the thread that talks to the other ranks.
const MOVE: u64 = 8 << 20;

/// The bytes that all shuffles of a rank hold in memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct HeldBytes(Arc<AtomicU64>);

/// The buckets of a range.
#[derive(Debug)]
pub(super) struct Store {
    buckets: Range<u64>,
    spill: Arc<Spill>,
    contents: Vec<Bucket>,
    /// What this shuffle holds of what all do.
    held: u64,
    of_all: HeldBytes,
    /// The bucket that is moved next.
    next: usize,
    /// It has no name, so that nothing is left however the program ends.
    file: Option<File>,
}

/// The runs of a bucket, in memory and in the file.
#[derive(Debug, Default)]
struct Bucket {
    held: Vec<Run<Vec<u8>>>,
    /// In the order of the file.
    filed: Vec<Run<Range<u64>>>,
}

/// Values that were made one after the other, and their bytes or the place of these.
#[derive(Debug)]
struct Run<B> {
    start: u64,
    count: u32,
    bytes: B,
}

impl Store {
    pub(super) fn new(buckets: Range<u64>, spill: Arc<Spill>, of_all: HeldBytes) -> Self {
        Store { buckets, spill, contents: Vec::new(), held: 0, of_all, next: 0, file: None }
    }

    pub(super) fn buckets(&self) -> &Range<u64> {
        &self.buckets
    }

    /// Adds a run to a bucket of this rank.
    pub(super) fn add(&mut self, bucket: u64, start: u64, count: u32, bytes: &[u8]) -> Result<(), Failure> {
        if self.contents.is_empty() {
            self.contents.resize_with((self.buckets.end - self.buckets.start) as usize, Bucket::default);
        }
        let run = Run { start, count, bytes: bytes.to_vec() };
        self.contents[(bucket - self.buckets.start) as usize].held.push(run);
        let bytes = bytes.len() as u64;
        self.held += bytes;
        let all = self.of_all.0.fetch_add(bytes, Relaxed) + bytes;
        // Where other shuffles hold most of what a rank may hold, this one does not move run by run.
        if all > self.spill.above && self.held > MOVE.min(self.spill.above / 16) {
            self.spill().map_err(|error| {
                let megabytes = self.held.min(MOVE).div_ceil(1_000_000);
                let folder = self.folder().display().to_string();
                Failure::error(format!(
                    "a shuffle cannot move {megabytes} MB to a file in {folder}: {error}; let SERRIED_SCRATCH \
                     name a folder with room on a disk of the node, or SERRIED_SPILL_ABOVE more bytes that a \
                     rank may hold in memory"
                ))
            })?;
        }
        Ok(())
    }

    fn folder(&self) -> PathBuf {
        self.spill.folder.clone().unwrap_or_else(std::env::temp_dir)
    }

    /// Moves the next buckets to the file, about [`MOVE`] bytes of them.
    fn spill(&mut self) -> io::Result<()> {
        let file = match self.file.take() {
            Some(file) => file,
            None => tempfile::tempfile_in(self.folder())?,
        };
        let file = &*self.file.insert(file);
        let start = (&*file).stream_position()?;
        let mut end = start;
        let mut out = BufWriter::with_capacity(1 << 20, file);
        for _ in 0..self.contents.len() {
            let Bucket { held, filed } = &mut self.contents[self.next];
            for Run { start, count, bytes } in held.drain(..) {
                out.write_all(&bytes)?;
                let place = end..end + bytes.len() as u64;
                end = place.end;
                filed.push(Run { start, count, bytes: place });
            }
            self.next = (self.next + 1) % self.contents.len();
            if end - start >= MOVE {
                break;
            }
        }
        out.flush()?;
        self.held -= end - start;
        self.of_all.0.fetch_sub(end - start, Relaxed);
        Ok(())
    }

    /// The runs of a bucket in the order of the source: how many values, and their bytes.
    pub(super) fn read<E: From<io::Error>>(
        &self,
        bucket: u64,
        mut visit: impl FnMut(u32, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.buckets.contains(&bucket) {
            let problem = format!("this rank has the buckets {:?}", self.buckets);
            return Err(io::Error::new(io::ErrorKind::NotFound, problem).into());
        }
        let Some(Bucket { held, filed }) = self.contents.get((bucket - self.buckets.start) as usize) else {
            return Ok(());
        };
        let pieces = self.pieces(filed)?;
        let mut piece = pieces.iter().peekable();
        // What went to the file came before what is held.
        let filed = filed.iter().map(|Run { start, count, bytes: place }| {
            while piece.next_if(|(at, bytes)| at + bytes.len() as u64 <= place.start).is_some() {}
            let (at, bytes) = piece.peek().expect("all that is in the file was read");
            (*start, *count, &bytes[(place.start - at) as usize..(place.end - at) as usize])
        });
        let held = held.iter().map(|run| (run.start, run.count, &*run.bytes));
        let mut ordered: Vec<(u64, u32, &[u8])> = filed.chain(held).collect();
        ordered.sort_by_key(|(start, ..)| *start);
        ordered.into_iter().try_for_each(|(_, count, bytes)| visit(count, bytes))
    }

    /// The bytes of runs in the file, with the place of each piece: what was moved at one time stands there in one
    /// piece.
    fn pieces(&self, runs: &[Run<Range<u64>>]) -> io::Result<Vec<(u64, Vec<u8>)>> {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for Run { bytes: place, .. } in runs {
            match ranges.last_mut() {
                Some(last) if last.end == place.start => last.end = place.end,
                _ => ranges.push(place.clone()),
            }
        }
        let read = |range: Range<u64>| {
            let mut bytes = vec![0; (range.end - range.start) as usize];
            self.file.as_ref().expect("something was moved to it").read_exact_at(&mut bytes, range.start)?;
            Ok((range.start, bytes))
        };
        ranges.into_iter().map(read).collect()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.of_all.0.fetch_sub(self.held, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spill(above: u64) -> Arc<Spill> {
        Arc::new(Spill { above, folder: None })
    }

    proptest! {
        #[test]
        fn what_was_moved_to_the_file_is_read_as_if_it_had_not(
            runs in prop::collection::vec((0u64..5, prop::collection::vec(any::<u8>(), 1..40)), 0..60),
            above in 0u64..400,
        ) {
            let all = HeldBytes::default();
            let mut store = Store::new(10..15, spill(above), all.clone());
            let mut expected: Vec<Vec<(u32, Vec<u8>)>> = vec![Vec::new(); 5];
            // They come in another order than that of the source.
            for (position, (bucket, bytes)) in runs.iter().enumerate().rev() {
                store.add(10 + bucket, position as u64, bytes.len() as u32, bytes).expect("there is room");
                expected[*bucket as usize].insert(0, (bytes.len() as u32, bytes.clone()));
            }
            prop_assert!(store.held <= above.max(1));
            for (bucket, expected) in (10..15).zip(expected) {
                let mut read = Vec::new();
                let visit = |count, bytes: &[u8]| -> io::Result<()> {
                    read.push((count, bytes.to_vec()));
                    Ok(())
                };
                store.read(bucket, visit).expect("it is there");
                prop_assert_eq!(read, expected);
            }
            drop(store);
            prop_assert_eq!(all.0.load(Relaxed), 0);
        }
    }

    #[test]
    fn the_limit_is_that_of_all_shuffles_together() {
        let all = HeldBytes::default();
        let mut first = Store::new(0..1, spill(100), all.clone());
        let mut second = Store::new(0..1, spill(100), all.clone());
        first.add(0, 0, 1, &[1; 60]).expect("it fits memory");
        second.add(0, 0, 1, &[2; 60]).expect("there is a file");
        assert_eq!((first.held, second.held, all.0.load(Relaxed)), (60, 0, 60));
        drop(first);
        second.add(0, 1, 1, &[2; 90]).expect("it fits memory");
        assert_eq!((second.held, all.0.load(Relaxed)), (90, 90));
        // What is not worth a move waits for more.
        let mut third = Store::new(0..1, spill(100), all.clone());
        second.add(0, 2, 1, &[2; 10]).expect("it fits memory");
        third.add(0, 0, 1, &[3; 6]).expect("it fits memory");
        assert_eq!((third.held, all.0.load(Relaxed)), (6, 106));
        third.add(0, 1, 1, &[3; 6]).expect("there is a file");
        assert_eq!((third.held, all.0.load(Relaxed)), (0, 100));
    }

    #[test]
    fn a_folder_that_is_not_there_is_named_with_what_can_be_done() {
        let spill = Spill { above: 10, folder: Some("/nowhere/at/all".into()) };
        let mut store = Store::new(0..1, Arc::new(spill), HeldBytes::default());
        store.add(0, 0, 1, &[0; 10]).expect("it fits memory");
        let failure = store.add(0, 1, 1, &[0; 10]).expect_err("there is no such folder");
        let text = format!("{failure:?}");
        for part in ["/nowhere/at/all", "SERRIED_SCRATCH", "SERRIED_SPILL_ABOVE"] {
            assert!(text.contains(part), "{text}");
        }
        let read: io::Result<()> = store.read(1, |_, _| Ok(()));
        assert!(read.is_err());
    }
}
