//! The buckets that a rank has, in memory and, when they are too large for it, in a file.

use super::super::Failure;
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    fs::File,
    io::{self, BufWriter, Seek, Write},
    ops::Range,
    os::unix::fs::FileExt,
    path::PathBuf,
    sync::Arc,
};

/// When buckets go to a file, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spill {
    /// Bytes that a rank holds in memory at most.
    pub(crate) above: u64,
    /// A folder of the node's own; none for the one that the system has for temporary files.
    pub(crate) folder: Option<PathBuf>,
}

/// The buckets of a range.
#[derive(Debug)]
pub(super) struct Store {
    buckets: Range<u64>,
    spill: Arc<Spill>,
    contents: Vec<Vec<Run>>,
    held: u64,
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
    pub(super) fn new(buckets: Range<u64>, spill: Arc<Spill>) -> Self {
        Store { buckets, spill, contents: Vec::new(), held: 0, file: None }
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
        self.held += bytes.len() as u64;
        if self.held > self.spill.above {
            self.spill().map_err(|error| {
                let megabytes = self.held.div_ceil(1_000_000);
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

    /// Moves what is in memory to the file, bucket by bucket.
    fn spill(&mut self) -> io::Result<()> {
        let file = match self.file.take() {
            Some(file) => file,
            None => tempfile::tempfile_in(self.folder())?,
        };
        let file = &*self.file.insert(file);
        let mut end = (&*file).stream_position()?;
        let mut out = BufWriter::with_capacity(1 << 20, file);
        for run in self.contents.iter_mut().flatten() {
            if let Bytes::Held(bytes) = &run.bytes {
                out.write_all(bytes)?;
                let next = end + bytes.len() as u64;
                run.bytes = Bytes::Filed(end..next);
                end = next;
            }
        }
        out.flush()?;
        self.held = 0;
        Ok(())
    }

    /// The runs of a bucket in the order of the source: how many values, and their bytes.
    pub(super) fn read(&self, bucket: u64) -> io::Result<Vec<(u32, Cow<'_, [u8]>)>> {
        if !self.buckets.contains(&bucket) {
            let problem = format!("this rank has the buckets {:?}", self.buckets);
            return Err(io::Error::new(io::ErrorKind::NotFound, problem));
        }
        let Some(runs) = self.contents.get((bucket - self.buckets.start) as usize) else {
            return Ok(Vec::new());
        };
        // What was moved to the file at one time stands there in one piece.
        let mut read: Vec<(u64, u32, Cow<'_, [u8]>)> = Vec::with_capacity(runs.len());
        let mut at = 0;
        while let Some(run) = runs.get(at) {
            match &run.bytes {
                Bytes::Held(bytes) => {
                    read.push((run.start, run.count, Cow::Borrowed(bytes)));
                    at += 1;
                }
                Bytes::Filed(first) => {
                    let mut piece = first.clone();
                    let pieces = runs[at..].iter().take_while(|run| match &run.bytes {
                        Bytes::Filed(range) if range.start == piece.end || range == first => {
                            piece.end = range.end;
                            true
                        }
                        _ => false,
                    });
                    let pieces: Vec<&Run> = pieces.collect();
                    let mut bytes = vec![0; (piece.end - piece.start) as usize];
                    let file = self.file.as_ref().expect("something was moved to it");
                    file.read_exact_at(&mut bytes, piece.start)?;
                    at += pieces.len();
                    let mut rest = &*bytes;
                    for run in pieces {
                        let Bytes::Filed(range) = &run.bytes else { unreachable!("it was in the file") };
                        let (mine, others) = rest.split_at((range.end - range.start) as usize);
                        read.push((run.start, run.count, Cow::Owned(mine.to_vec())));
                        rest = others;
                    }
                }
            }
        }
        read.sort_by_key(|(start, ..)| *start);
        Ok(read.into_iter().map(|(_, count, bytes)| (count, bytes)).collect())
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
            let mut store = Store::new(10..15, spill(above));
            let mut expected: Vec<Vec<(u32, Vec<u8>)>> = vec![Vec::new(); 5];
            // They come in another order than that of the source.
            for (position, (bucket, bytes)) in runs.iter().enumerate().rev() {
                store.add(10 + bucket, position as u64, bytes.len() as u32, bytes).expect("there is room");
                expected[*bucket as usize].insert(0, (bytes.len() as u32, bytes.clone()));
            }
            prop_assert!(store.held <= above.max(1));
            for (bucket, expected) in (10..15).zip(expected) {
                let read = store.read(bucket).expect("it is there");
                let read: Vec<_> = read.into_iter().map(|(count, bytes)| (count, bytes.into_owned())).collect();
                prop_assert_eq!(read, expected);
            }
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_named_with_what_can_be_done() {
        let spill = Spill { above: 10, folder: Some("/nowhere/at/all".into()) };
        let mut store = Store::new(0..1, Arc::new(spill));
        store.add(0, 0, 1, &[0; 10]).expect("it fits memory");
        let failure = store.add(0, 1, 1, &[0; 10]).expect_err("there is no such folder");
        let text = format!("{failure:?}");
        for part in ["/nowhere/at/all", "SERRIED_SCRATCH", "SERRIED_SPILL_ABOVE"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(store.read(1).is_err());
    }
}
