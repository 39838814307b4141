//! The buckets that a rank has while they come in: in memory and, when they are too large for it, in a file.

use super::{
    frames::{Piece, take_slice},
    shelves::{Shelf, Shelves},
    spread::Parts,
};
use crate::task::Failure;
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, BufWriter, Write},
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

/// What comes for a part is gathered in chunks of at most so many bytes, unless one slice has more.
const CHUNK: u64 = 64 << 10;

/// Bytes that a chunk takes besides what is in it: its vector, and what the allocator adds.
const OF_CHUNK: u64 = 64;

/// The bytes that all shuffles of a rank hold in memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct HeldBytes(Arc<AtomicU64>);

/// What a shuffle holds of what all do: given back when it is dropped.
#[derive(Debug)]
pub(super) struct Holding {
    bytes: u64,
    of_all: HeldBytes,
}

impl Holding {
    pub(super) fn new(of_all: HeldBytes) -> Self {
        Holding { bytes: 0, of_all }
    }

    /// Adds bytes; what all shuffles hold then.
    fn add(&mut self, bytes: u64) -> u64 {
        self.bytes += bytes;
        self.of_all.0.fetch_add(bytes, Relaxed) + bytes
    }

    fn remove(&mut self, bytes: u64) {
        self.bytes -= bytes;
        self.of_all.0.fetch_sub(bytes, Relaxed);
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.of_all.0.fetch_sub(self.bytes, Relaxed);
    }
}

/// The buckets of a rank.
#[derive(Debug)]
pub(super) struct Store {
    parts: Parts,
    spill: Arc<Spill>,
    contents: Vec<Part>,
    held: Holding,
    /// The part that is moved next.
    next: usize,
    /// It has no name, so that nothing is left however the program ends.
    file: Option<File>,
    /// Bytes of the file.
    length: u64,
}

/// What has come for a part of the buckets.
#[derive(Debug, Default)]
struct Part {
    /// Whole slices, in the order in which they came.
    chunks: Vec<Vec<u8>>,
    /// Where pieces of it stand in the file, and their bytes: an index, of which the last number is where the
    /// frames behind it end.
    filed: Vec<u64>,
    filed_bytes: u64,
}

impl Store {
    pub(super) fn new(parts: Parts, spill: Arc<Spill>, held: HeldBytes) -> Self {
        let held = Holding::new(held);
        Store { parts, spill, contents: Vec::new(), held, next: 0, file: None, length: 0 }
    }

    /// Adds the slices of a job, or of several, for this rank.
    pub(super) fn add(&mut self, mut slices: &[u8]) -> Result<(), Failure> {
        self.contents.resize_with(self.parts.len(), Part::default);
        while !slices.is_empty() {
            let (header, slice) = take_slice(&mut slices);
            let chunks = &mut self.contents[header.part as usize].chunks;
            let has_room = |chunk: &&mut Vec<u8>| chunk.capacity() - chunk.len() >= slice.len();
            if let Some(chunk) = chunks.last_mut().filter(has_room) {
                chunk.extend_from_slice(slice);
                continue;
            }
            // All that chunks have room for and nothing in it is little beside the limit.
            let most = (self.spill.above / (16 * self.parts.len() as u64)).min(CHUNK) as usize;
            let mut chunk = Vec::with_capacity(slice.len().max(most));
            chunk.extend_from_slice(slice);
            let all = self.held.add(chunk.capacity() as u64 + OF_CHUNK);
            chunks.push(chunk);
            // Where other shuffles hold most of what a rank may hold, this one does not move slice by slice.
            if all > self.spill.above && self.held.bytes > MOVE.min(self.spill.above / 16) {
                self.move_some().map_err(|error| self.full(&error))?;
            }
        }
        Ok(())
    }

    fn full(&self, error: &io::Error) -> Failure {
        let megabytes = self.held.bytes.min(MOVE).div_ceil(1_000_000);
        let folder = self.folder().display().to_string();
        Failure::error(format!(
            "a shuffle cannot move {megabytes} MB to a file in {folder}: {error}; let SERRIED_SCRATCH name a folder \
             with room on a disk of the node, or SERRIED_SPILL_ABOVE more bytes that a rank may hold in memory"
        ))
    }

    fn folder(&self) -> PathBuf {
        self.spill.folder.clone().unwrap_or_else(std::env::temp_dir)
    }

    /// Moves the next parts to the file, about [`MOVE`] bytes of them: each as a piece, sorted.
    fn move_some(&mut self) -> io::Result<()> {
        let file = match self.file.take() {
            Some(file) => file,
            None => tempfile::tempfile_in(self.folder())?,
        };
        let file = &*self.file.insert(file);
        let mut out = BufWriter::with_capacity(1 << 20, file);
        let mut moved = 0;
        for _ in 0..self.contents.len() {
            let buckets = self.parts.range(self.next);
            let part = &mut self.contents[self.next];
            let mut size = 0;
            let oldest = part.chunks.iter().take_while(|chunk| {
                let fits = size < MOVE;
                size += if fits { chunk.capacity() as u64 + OF_CHUNK } else { 0 };
                fits
            });
            let chunks: Vec<_> = part.chunks.drain(..oldest.count()).collect();
            if !chunks.is_empty() {
                let chunks = chunks.iter().map(|chunk| &**chunk);
                let piece = Piece::sorted(chunks, 0..buckets.end - buckets.start);
                for place in &piece.index {
                    out.write_all(&place.to_le_bytes())?;
                }
                out.write_all(&piece.bytes)?;
                part.filed.push(self.length);
                part.filed_bytes += piece.bytes.len() as u64;
                self.length += 8 * piece.index.len() as u64 + piece.bytes.len() as u64;
                moved += size;
            }
            if part.chunks.is_empty() {
                part.chunks = Vec::new();
                self.next = (self.next + 1) % self.contents.len();
            }
            if moved >= MOVE {
                break;
            }
        }
        out.flush()?;
        self.held.remove(moved);
        Ok(())
    }

    /// Everything has come: it can be read.
    pub(super) fn into_shelves(self) -> Shelves {
        let shelves = self.contents.into_iter().enumerate().map(|(part, contents)| {
            let Part { chunks, filed, filed_bytes } = contents;
            Shelf { buckets: self.parts.range(part), chunks, filed, filed_bytes }
        });
        let shelves = shelves.collect();
        Shelves::new(self.parts, shelves, self.file, self.spill.above, self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{draft::Draft, spread::Spread};
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn spill(above: u64) -> Arc<Spill> {
        Arc::new(Spill { above, folder: None })
    }

    /// A store of all buckets, and where they are.
    fn store(buckets: u64, above: u64, all: &HeldBytes) -> (Store, Spread) {
        let spread = Spread { buckets, ranks: [0].into() };
        (Store::new(spread.parts_of(0), spill(above), all.clone()), spread)
    }

    /// What a job has written that begins at `start`: values as bytes.
    fn slices(start: u64, values: &[(u32, Vec<u8>)], spread: &Spread) -> Vec<u8> {
        let mut draft = Draft::default();
        draft.begin(start);
        for (bucket, value) in values {
            let write = |out: &mut Vec<u8>| -> Result<(), ()> {
                out.extend_from_slice(value);
                Ok(())
            };
            draft.push(*bucket, write).expect("bytes can be written");
        }
        draft.into_slices(spread)
    }

    /// How many values a bucket has, and the bytes of all.
    fn read(shelves: &Shelves, bucket: u64) -> (u64, Vec<u8>) {
        let (mut values, mut all) = (0, Vec::new());
        let visit = |count, bytes: &[u8]| -> io::Result<()> {
            values += count;
            all.extend_from_slice(bytes);
            Ok(())
        };
        shelves.read(bucket, visit).expect("it is there");
        (values, all)
    }

    fn jobs(buckets: u32) -> impl Strategy<Value = Vec<Vec<(u32, Vec<u8>)>>> {
        let value = (0..buckets, prop::collection::vec(any::<u8>(), 0..12));
        prop::collection::vec(prop::collection::vec(value, 0..12), 0..30)
    }

    proptest! {
        /// Against a map of lists: whatever order jobs come in, and whatever of it was moved when.
        #[test]
        fn a_bucket_is_read_in_the_order_of_the_source(
            (buckets, jobs) in prop_oneof![1u32..9, 250u32..600].prop_flat_map(|n| (Just(n), jobs(n))),
            above in prop_oneof![0u64..3000, Just(1 << 30)],
            order in any::<u64>(),
            // Jobs that begin at the same index come from one rank, in their order.
            tied in any::<bool>(),
        ) {
            let all = HeldBytes::default();
            let (mut store, spread) = store(buckets.into(), above, &all);
            let mut expected: BTreeMap<u32, (u64, Vec<u8>)> = BTreeMap::new();
            for (bucket, value) in jobs.iter().flatten() {
                let (count, bytes) = expected.entry(*bucket).or_default();
                *count += 1;
                bytes.extend_from_slice(value);
            }
            let mut coming: Vec<usize> = (0..jobs.len()).collect();
            if !tied {
                coming.sort_by_key(|job| (*job as u64 + 1).wrapping_mul(order | 1).rotate_left(20));
            }
            for job in coming {
                let start = if tied { 7 } else { 10 * job as u64 };
                store.add(&slices(start, &jobs[job], &spread)).expect("there is room");
                prop_assert!(store.held.bytes <= above.max(1) || store.held.bytes <= above / 16);
            }
            let shelves = store.into_shelves();
            for bucket in (0..buckets).chain(0..buckets.min(3)) {
                let expected = expected.get(&bucket).cloned().unwrap_or_default();
                prop_assert_eq!(read(&shelves, bucket.into()), expected, "bucket {}", bucket);
            }
            drop(shelves);
            prop_assert_eq!(all.0.load(Relaxed), 0);
        }
    }

    #[test]
    fn threads_read_together_what_was_moved() {
        let all = HeldBytes::default();
        let (mut store, spread) = store(5000, 1 << 18, &all);
        for job in 0..200u32 {
            let value = |k: u32| ((k * 31 + job) % 5000, (job * 1000 + k).to_le_bytes().to_vec());
            let values: Vec<_> = (0..1000).map(value).collect();
            store.add(&slices(u64::from(job) * 1000, &values, &spread)).expect("there is room");
        }
        let shelves = store.into_shelves();
        assert!(all.0.load(Relaxed) <= 1 << 18);
        let count = std::thread::scope(|scope| {
            let threads = (0..4).map(|thread| {
                let shelves = &shelves;
                scope.spawn(move || {
                    let mut count = 0;
                    for bucket in (0..5000).filter(|bucket| bucket / 7 % 4 == thread) {
                        let (values, bytes) = read(shelves, bucket);
                        assert!(
                            bytes.chunks(4).map(|v| u32::from_le_bytes(v.try_into().unwrap())).is_sorted()
                        );
                        count += values;
                    }
                    count
                })
            });
            let threads: Vec<_> = threads.collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).sum::<u64>()
        });
        assert_eq!(count, 200_000);
    }

    #[test]
    fn the_limit_is_that_of_all_shuffles_together() {
        const LIMIT: u64 = 10_000;
        let all = HeldBytes::default();
        let some =
            |start, length| slices(start, &[(0, vec![1; length])], &Spread { buckets: 4, ranks: [0].into() });
        let ((mut first, _), (mut second, _)) = (store(4, LIMIT, &all), store(4, LIMIT, &all));
        first.add(&some(0, 6000)).expect("it fits memory");
        second.add(&some(0, 6000)).expect("there is a file");
        assert_eq!((second.held.bytes, all.0.load(Relaxed)), (0, first.held.bytes));
        drop(first);
        second.add(&some(1, 9000)).expect("it fits memory");
        assert_eq!(second.held.bytes, all.0.load(Relaxed));
        assert!(second.held.bytes > 9000);
        // What is not worth a move waits for more.
        let (mut third, _) = store(4, LIMIT, &all);
        second.add(&some(2, 700)).expect("it fits memory");
        let before = all.0.load(Relaxed);
        third.add(&some(0, 1)).expect("it fits memory");
        assert!(third.held.bytes > 0 && all.0.load(Relaxed) > LIMIT);
        third.add(&some(1, 600)).expect("there is a file");
        assert_eq!((third.held.bytes, all.0.load(Relaxed)), (0, before));
    }

    #[test]
    fn one_large_bucket_is_moved_bit_by_bit() {
        let all = HeldBytes::default();
        let (mut store, spread) = store(1, 40 << 20, &all);
        for job in 0..60 {
            store.add(&slices(job, &[(0, vec![job as u8; 1 << 20])], &spread)).expect("there is room");
            assert!((job.min(30) << 20..=40 << 20).contains(&store.held.bytes), "{}", store.held.bytes);
        }
        let (values, bytes) = read(&store.into_shelves(), 0);
        assert!(values == 60 && bytes.len() == 60 << 20 && bytes.is_sorted());
    }

    #[test]
    fn a_folder_that_is_not_there_is_named_with_what_can_be_done() {
        let spread = Spread { buckets: 1, ranks: [0].into() };
        let spill = Spill { above: 100, folder: Some("/nowhere/at/all".into()) };
        let mut store = Store::new(spread.parts_of(0), Arc::new(spill), HeldBytes::default());
        let failure =
            store.add(&slices(0, &[(0, vec![0; 100])], &spread)).expect_err("there is no such folder");
        let text = format!("{failure:?}");
        for part in ["/nowhere/at/all", "SERRIED_SCRATCH", "SERRIED_SPILL_ABOVE"] {
            assert!(text.contains(part), "{text}");
        }
        let read: io::Result<()> = store.into_shelves().read(1, |_, _| Ok(()));
        assert!(read.is_err());
    }
}
