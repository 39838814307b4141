//! The buckets that a rank has, once everything has come: they are read by several threads at once, in any order
//! but best in theirs.

use super::{frames::Piece, spill::Holding, spread::Parts};
use std::{
    collections::VecDeque,
    fs::File,
    io,
    ops::Range,
    os::unix::fs::FileExt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// The parts of a rank's buckets.
#[derive(Debug)]
pub(super) struct Shelves {
    parts: Parts,
    shelves: Vec<Shelf>,
    file: Option<File>,
    /// What has been sorted and perhaps will be read again; the oldest first.
    windows: Mutex<VecDeque<Arc<Window>>>,
    most_windows: usize,
    window_bytes: u64,
    /// What is still in memory counts as held.
    _held: Holding,
}

/// A part of the buckets.
#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) buckets: Range<u64>,
    /// What is in memory, as it came.
    pub(super) chunks: Vec<Vec<u8>>,
    /// Where its pieces stand in the file, and how many bytes they have.
    pub(super) filed: Vec<u64>,
    pub(super) filed_bytes: u64,
}

/// Neighbouring buckets of a part, sorted: a bucket alone may be a few bytes in each of many places.
#[derive(Debug)]
struct Window {
    buckets: Range<u64>,
    pieces: OnceLock<Result<Vec<Piece>, String>>,
    /// How many buckets nobody has read.
    left: AtomicU64,
}

/// So much is read of a piece at one place at least, if memory allows it.
const READ: u64 = 64 << 10;
/// And so much of all pieces.
const WINDOW: u64 = 1 << 20;

impl Window {
    /// Its pieces, in the order in which they came: what went to the file did so before what is in memory.
    fn read(&self, file: Option<&File>, shelf: &Shelf) -> io::Result<&[Piece]> {
        let read = self.pieces.get_or_init(|| {
            let filed = shelf.filed.iter().map(|&at| {
                let file = file.expect("something was moved to it");
                read_piece(file, at, shelf, &self.buckets)
            });
            let start = shelf.buckets.start;
            let buckets = self.buckets.start - start..self.buckets.end - start;
            let held = Piece::sorted(shelf.chunks.iter().map(|chunk| &**chunk), buckets);
            let pieces = filed.chain([Ok(held)]).collect::<io::Result<_>>();
            pieces.map_err(|error| error.to_string())
        });
        read.as_deref().map_err(|problem| io::Error::other(problem.clone()))
    }
}

/// Reads some buckets of the piece at a place.
fn read_piece(file: &File, at: u64, shelf: &Shelf, buckets: &Range<u64>) -> io::Result<Piece> {
    let first = buckets.start - shelf.buckets.start;
    let mut index = vec![0; 8 * (buckets.end - buckets.start + 1) as usize];
    file.read_exact_at(&mut index, at + 8 * first)?;
    let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
    let index: Vec<u64> = index.chunks_exact(8).map(number).collect();
    let (start, end) = (index[0], index[index.len() - 1]);
    let mut bytes = vec![0; end.checked_sub(start).ok_or(io::ErrorKind::InvalidData)? as usize];
    let frames = at + 8 * (shelf.buckets.end - shelf.buckets.start + 1);
    file.read_exact_at(&mut bytes, frames + start)?;
    Ok(Piece { first, index, bytes })
}

impl Shelves {
    pub(super) fn new(
        parts: Parts,
        shelves: Vec<Shelf>,
        file: Option<File>,
        above: u64,
        held: Holding,
    ) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let window_bytes = above / (16 * threads as u64);
        let windows = Mutex::default();
        Shelves { parts, shelves, file, windows, most_windows: 2 * threads, window_bytes, _held: held }
    }

    pub(super) fn buckets(&self) -> &Range<u64> {
        &self.parts.buckets
    }

    /// The frames of a bucket in the order of the source: how many values, and their bytes.
    pub(super) fn read<E: From<io::Error>>(
        &self,
        bucket: u64,
        mut visit: impl FnMut(u64, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.buckets().contains(&bucket) {
            let problem = format!("this rank has the buckets {:?}", self.buckets());
            return Err(io::Error::new(io::ErrorKind::NotFound, problem).into());
        }
        let part = self.parts.of(bucket);
        let Some(shelf) = self.shelves.get(part) else {
            return Ok(());
        };
        let window = self.window(part, bucket);
        let mut frames = Vec::new();
        for piece in window.read(self.file.as_ref(), shelf)? {
            piece.frames(bucket - shelf.buckets.start, &mut frames)?;
        }
        frames.sort_by_key(|(start, ..)| *start);
        frames.into_iter().try_for_each(|(_, count, bytes)| visit(count, bytes))?;
        if window.left.fetch_sub(1, Relaxed) == 1 {
            lock(&self.windows).retain(|kept| !Arc::ptr_eq(kept, &window));
        }
        Ok(())
    }

    /// The window with a bucket. A thread that finds another at work on it begins with the next one.
    fn window(&self, part: usize, bucket: u64) -> Arc<Window> {
        let (window, fresh) = self.open(part, bucket);
        if !fresh && window.pieces.get().is_none() {
            let next = window.buckets.end;
            let part = if next < self.shelves[part].buckets.end { part } else { part + 1 };
            if let Some(shelf) = self.shelves.get(part)
                && let (ahead, true) = self.open(part, next)
            {
                // If that fails it is told to who reads it.
                let _ = ahead.read(self.file.as_ref(), shelf);
            }
        }
        window
    }

    /// The window with a bucket, and whether it was not there before.
    fn open(&self, part: usize, bucket: u64) -> (Arc<Window>, bool) {
        let mut windows = lock(&self.windows);
        if let Some(window) = windows.iter().find(|window| window.buckets.contains(&bucket)) {
            return (Arc::clone(window), false);
        }
        let buckets = self.window_of(&self.shelves[part], bucket);
        let left = AtomicU64::new(buckets.end - buckets.start);
        let window = Arc::new(Window { buckets, pieces: OnceLock::new(), left });
        if windows.len() >= self.most_windows {
            windows.pop_front();
        }
        windows.push_back(Arc::clone(&window));
        (window, true)
    }

    /// The buckets that are read together with this one.
    fn window_of(&self, shelf: &Shelf, bucket: u64) -> Range<u64> {
        let Range { start, end } = shelf.buckets;
        let bytes = self.window_bytes.clamp(READ, (READ * shelf.filed.len() as u64).max(WINDOW));
        let held: usize = shelf.chunks.iter().map(Vec::len).sum();
        let all = (shelf.filed_bytes + held as u64).max(1);
        let share = u128::from(end - start) * u128::from(bytes) / u128::from(all);
        let width = share.clamp(1, (end - start).into()) as u64;
        let first = bucket - (bucket - start) % width;
        first..end.min(first + width)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nobody leaves what is in it half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
