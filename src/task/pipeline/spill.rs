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
    contents: Vec<Vec<Run>>,
    /// What this shuffle holds of what all do.
    held: u64,
    of_all: HeldBytes,
    /// The bucket that is moved next.
    next: usize,
    /// It has no name, so that nothing is left however the program ends.
    file: Option<File>,
}

/// Values that were made one after the other.
#[derive(Debug)]
struct Run {
    start: u64,
    count: u32,
    bytes: Bytes,
}

#[derive(Debug)]
enum Bytes {
    Held(Vec<u8>),
    Filed(Range<u64>),
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
            self.contents.resize_with((self.buckets.end - self.buckets.start) as usize, Vec::new);
        }
        let run = Run { start, count, bytes: Bytes::Held(bytes.to_vec()) };
        self.contents[(bucket - self.buckets.start) as usize].push(run);
        let bytes = bytes.len() as u64;
        self.held += bytes;
        let all = self.of_all.0.fetch_add(bytes, Relaxed) + bytes;
        if all > self.spill.above && self.held > 0 {
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
            for run in &mut self.contents[self.next] {
                if let Bytes::Held(bytes) = &run.bytes {
                    out.write_all(bytes)?;
                    let next = end + bytes.len() as u64;
                    run.bytes = Bytes::Filed(end..next);
                    end = next;
                }
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
        let Some(runs) = self.contents.get((bucket - self.buckets.start) as usize) else {
            return Ok(());
        };
        let pieces = self.filed(runs)?;
        let mut ordered: Vec<(u64, u32, &[u8])> = Vec::with_capacity(runs.len());
        let mut piece = pieces.iter().peekable();
        for run in runs {
            let bytes = match &run.bytes {
                Bytes::Held(bytes) => bytes,
                Bytes::Filed(range) => {
                    while piece.next_if(|(at, bytes)| at + bytes.len() as u64 <= range.start).is_some() {}
                    let (at, bytes) = piece.peek().expect("all that is in the file was read");
                    &bytes[(range.start - at) as usize..(range.end - at) as usize]
                }
            };
            ordered.push((run.start, run.count, bytes));
        }
        ordered.sort_by_key(|(start, ..)| *start);
        ordered.into_iter().try_for_each(|(_, count, bytes)| visit(count, bytes))
    }

    /// What of these runs is in the file, with the place of each piece: what was moved at one time stands there in
    /// one piece.
    fn filed(&self, runs: &[Run]) -> io::Result<Vec<(u64, Vec<u8>)>> {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for run in runs {
            let Bytes::Filed(range) = &run.bytes else { continue };
            match ranges.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => ranges.push(range.clone()),
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
