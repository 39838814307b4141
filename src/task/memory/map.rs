//! Memory by mapping, and slices of it: the only place that knows how.
//!
//! A node's memory is a `memfd` of Linux, a file that has no name in any file system: nothing is left of it
//! when the last process is gone, however it went, and no size of `/dev/shm` limits it. The rank that makes
//! it tells the others of its node their [`Descriptor`], by which they open it through `/proc`. Its length is
//! sealed before anybody can, so that no access beyond its end can ever happen.
#![allow(unsafe_code)]

use bytemuck::Pod;
use memmap2::{Mmap, MmapMut};
use serde::{Deserialize, Serialize};
use std::{any::Any, fmt, fs::File, io, marker::PhantomData, ops::Deref, ptr::NonNull, sync::Arc};

/// Giving back more than this is left to a thread of its own, since it takes the system milliseconds.
const LARGE: usize = 64 << 20;

/// Memory that is being filled.
#[derive(Debug)]
pub(crate) enum Draft {
    /// For all ranks of the node.
    OfNode(Door),
    /// For this rank alone.
    OfRank(MmapMut),
}

/// Memory that nobody changes any more.
pub(crate) struct Memory {
    start: NonNull<u8>,
    length: usize,
    /// Keeps the bytes where they are.
    hold: Hold,
}

enum Hold {
    Mapping(#[allow(dead_code)] Mmap),
    Values(#[allow(dead_code)] Box<dyn Any + Send + Sync>),
    Nothing,
}

// SAFETY: the bytes are only read until `hold`, which may be sent and shared itself, is dropped with them.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

/// A memory's open file, through which other processes find it as long as it lives.
#[derive(Debug)]
pub(crate) struct Door {
    file: File,
    name: u64,
    length: u64,
}

/// How another process of this host finds a memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Descriptor {
    process: u32,
    /// The number of the open file in that process.
    file: i32,
    /// Tells it from any other file that this process, or another one of that number, may have there.
    name: u64,
    length: u64,
}

impl Draft {
    /// Memory that other ranks of the node can map; an error where there is no such thing.
    pub(crate) fn of_node(length: u64) -> io::Result<Draft> {
        Ok(Draft::OfNode(Door::new(length)?))
    }

    pub(crate) fn of_rank(length: u64) -> io::Result<Draft> {
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
        // A mapping has at least one byte.
        Ok(Draft::OfRank(MmapMut::map_anon(length.max(1))?))
    }

    pub(crate) fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        match self {
            // The kernel fills pages that were never mapped: without zeroing them first, and without faults.
            Draft::OfNode(door) => door.write_at(offset, bytes),
            Draft::OfRank(map) => {
                let offset = offset as usize;
                map[offset..offset + bytes.len()].copy_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// Bytes that were written before.
    pub(crate) fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        match self {
            Draft::OfNode(door) => door.read_at(offset, length),
            Draft::OfRank(map) => Ok(map[offset as usize..offset as usize + length].to_vec()),
        }
    }

    /// The memory as it is now, and the door for the other ranks of the node, if it is for them.
    pub(crate) fn finish(self) -> io::Result<(Memory, Option<Door>)> {
        match self {
            Draft::OfNode(door) => Ok((door.map()?, Some(door))),
            Draft::OfRank(map) => Ok((Memory::mapped(map.make_read_only()?), None)),
        }
    }

    /// Lets `fill` write `count` elements, zero before, which fill the memory, where they will be.
    pub(crate) fn fill<T: Pod>(
        self,
        count: usize,
        fill: impl FnOnce(&mut [T]),
    ) -> io::Result<(Memory, Option<Door>)> {
        let (mut map, door) = match self {
            // SAFETY: nobody but this function knows the file yet, so nobody else writes or maps it.
            Draft::OfNode(door) => (unsafe { MmapMut::map_mut(&door.file)? }, Some(door)),
            Draft::OfRank(map) => (map, None),
        };
        fill(bytemuck::cast_slice_mut(&mut map[..count * size_of::<T>()]));
        let memory = Memory::mapped(map.make_read_only()?);
        if let Some(door) = &door {
            door.seal_writing();
        }
        Ok((memory, door))
    }
}

#[cfg(target_os = "linux")]
impl Door {
    fn new(length: u64) -> io::Result<Door> {
        use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
        let name = getrandom::u64().map_err(io::Error::other)?;
        let called = called(name);
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = memfd_create(&*called, flags | MemfdFlags::NOEXEC_SEAL)
            // Linux before 6.3 does not know that flag.
            .or_else(|_| memfd_create(&*called, flags))?;
        let file = File::from(file);
        // A mapping has at least one byte.
        let length = length.max(1);
        file.set_len(length)?;
        fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW)?;
        Ok(Door { file, name, length })
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(&self.file, bytes, offset)
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        std::os::unix::fs::FileExt::read_exact_at(&self.file, &mut bytes, offset)?;
        Ok(bytes)
    }

    /// Nobody writes from now on. This crate does not in any case, so it need not succeed: Linux before 5.1
    /// does not know this seal.
    fn seal_writing(&self) {
        use rustix::fs::{SealFlags, fcntl_add_seals};
        let _ = fcntl_add_seals(&self.file, SealFlags::FUTURE_WRITE | SealFlags::SEAL);
    }

    fn map(&self) -> io::Result<Memory> {
        self.seal_writing();
        // SAFETY: the length is sealed, and nobody writes: drafts are written by their owners alone, which
        // end with this, and other processes open the file for reading.
        let map = unsafe { Mmap::map(&self.file)? };
        Ok(Memory::mapped(map))
    }

    /// What the other ranks of the node need.
    pub(crate) fn descriptor(&self) -> Descriptor {
        let file = std::os::fd::AsRawFd::as_raw_fd(&self.file);
        Descriptor { process: std::process::id(), file, name: self.name, length: self.length }
    }
}

#[cfg(target_os = "linux")]
fn called(name: u64) -> String {
    format!("serried-{name:016x}")
}

#[cfg(not(target_os = "linux"))]
impl Door {
    fn new(_: u64) -> io::Result<Door> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn read_at(&self, _: u64, _: usize) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn seal_writing(&self) {}
    fn map(&self) -> io::Result<Memory> {
        Err(io::ErrorKind::Unsupported.into())
    }
    pub(crate) fn descriptor(&self) -> Descriptor {
        Descriptor { process: 0, file: 0, name: self.name, length: self.length }
    }
}

impl Memory {
    /// Maps the memory that another process of this host has made.
    #[cfg(target_os = "linux")]
    pub(super) fn open(descriptor: &Descriptor) -> io::Result<Memory> {
        use rustix::fs::{SealFlags, fcntl_get_seals};
        let Descriptor { process, file, name, length } = descriptor;
        let file = File::open(format!("/proc/{process}/fd/{file}"))?;
        let own = std::os::fd::AsRawFd::as_raw_fd(&file);
        let link = std::fs::read_link(format!("/proc/self/fd/{own}"))?;
        let expected = format!("/memfd:{} (deleted)", called(*name));
        let sealed = fcntl_get_seals(&file).unwrap_or(SealFlags::empty());
        let fixed = sealed.contains(SealFlags::SHRINK | SealFlags::GROW);
        if link.as_os_str() != &*expected || !fixed || file.metadata()?.len() != *length {
            // Numbers of processes mean something else here than where the memory was made.
            return Err(io::Error::new(io::ErrorKind::NotFound, "another file is there"));
        }
        // SAFETY: it is the file of a `Door` of this program, as its random name tells. Its length is sealed,
        // and its maker, who tells of it when it is full, does not write it any more.
        let map = unsafe { Mmap::map(&file)? };
        Ok(Memory::mapped(map))
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn open(_: &Descriptor) -> io::Result<Memory> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Values as they are, for ranks that have no neighbours to share them with.
    pub(crate) fn of_values<T: Pod + Send + Sync>(values: Vec<T>) -> Memory {
        let start = NonNull::from(values.as_slice()).cast();
        Memory { start, length: size_of_val(values.as_slice()), hold: Hold::Values(Box::new(values)) }
    }

    fn mapped(map: Mmap) -> Memory {
        Memory { start: NonNull::from(&*map).cast(), length: map.len(), hold: Hold::Mapping(map) }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: `start` and `length` are those of what `hold` keeps, unchanged and in its place.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let hold = std::mem::replace(&mut self.hold, Hold::Nothing);
        if self.length > LARGE {
            // Without a thread it is dropped here.
            let _ = std::thread::Builder::new().name("serried-unmap".into()).spawn(move || drop(hold));
        }
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({} bytes)", self.length)
    }
}

/// A shared slice as a task sees it; see [`Client::share`](crate::Client::share).
///
/// It is a `[T]` that lives as long as somebody has one of these. Clones stand for the same elements.
pub struct Shared<T> {
    elements: NonNull<[T]>,
    memory: Arc<Memory>,
    element: PhantomData<T>,
}

// SAFETY: it gives out shared references to `T` alone, and `memory` may be sent and shared.
unsafe impl<T: Send + Sync> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}

impl<T: Pod> Shared<T> {
    /// The first `count` elements of a memory.
    ///
    /// # Panics
    /// If there are fewer.
    pub(crate) fn new(memory: Arc<Memory>, count: usize) -> Self {
        let elements: &[T] = bytemuck::cast_slice(&memory.bytes()[..count * size_of::<T>()]);
        Shared { elements: NonNull::from(elements), memory, element: PhantomData }
    }
}

impl<T> Deref for Shared<T> {
    type Target = [T];
    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: the slice was taken of `memory`, whose bytes stay where they are and as they are.
        unsafe { self.elements.as_ref() }
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Shared { elements: self.elements, memory: Arc::clone(&self.memory), element: PhantomData }
    }
}

impl<T> AsRef<[T]> for Shared<T> {
    fn as_ref(&self) -> &[T] {
        self
    }
}

impl<'a, T> IntoIterator for &'a Shared<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(memory: Memory, count: usize) -> Shared<u32> {
        Shared::new(Arc::new(memory), count)
    }

    #[test]
    fn what_is_written_is_read_by_all_who_open_it() {
        if cfg!(not(target_os = "linux")) {
            assert!(Draft::of_node(8).is_err());
            return;
        }
        let mut draft = Draft::of_node(16).expect("memory");
        draft.write_at(0, bytemuck::cast_slice(&[1u32, 2])).expect("there is room");
        draft.write_at(8, bytemuck::cast_slice(&[3u32, 4])).expect("there is room");
        assert_eq!(draft.read_at(4, 4).expect("it was written"), 2u32.to_ne_bytes());
        assert!(draft.write_at(16, &[0]).is_err(), "the length is sealed");
        let (memory, door) = draft.finish().expect("it is mapped");
        let door = door.expect("it is for the node");
        let descriptor = door.descriptor();
        let other = Memory::open(&descriptor).expect("the door is open");
        let (mine, other) = (numbers(memory, 4), numbers(other, 4));
        assert_ne!(mine.as_ptr(), other.as_ptr(), "another mapping");
        assert_eq!((&*mine, &*other), (&[1, 2, 3, 4][..], &[1, 2, 3, 4][..]));
        let clone = other.clone();
        drop((mine, other, door));
        assert_eq!(*clone, [1, 2, 3, 4], "a mapping outlives the door and its maker");
        assert!(Memory::open(&descriptor).is_err(), "the door is gone");
    }

    #[test]
    fn memory_is_filled_in_its_place() {
        let draft = Draft::of_node(12).or_else(|_| Draft::of_rank(12)).expect("memory");
        let fill = |slice: &mut [u32]| {
            assert_eq!(slice, [0; 3]);
            slice.copy_from_slice(&[7, 8, 9]);
        };
        let (memory, door) = draft.fill(3, fill).expect("it is mapped");
        assert_eq!(*numbers(memory, 3), [7, 8, 9]);
        if let Some(door) = door {
            assert!(door.write_at(0, &[1]).is_err(), "writing is sealed");
            let other = Memory::open(&door.descriptor()).expect("the door is open");
            assert_eq!(*numbers(other, 3), [7, 8, 9]);
        }
        let mut draft = Draft::of_rank(8).expect("memory");
        draft.write_at(4, &5u32.to_ne_bytes()).expect("there is room");
        assert_eq!(draft.read_at(4, 4).expect("it was written"), 5u32.to_ne_bytes());
        let (memory, door) = draft.finish().expect("it is mapped");
        assert!(door.is_none());
        assert_eq!(*numbers(memory, 2), [0, 5]);
    }

    #[test]
    fn another_file_is_not_taken_for_the_memory() {
        let Ok(Draft::OfNode(door)) = Draft::of_node(8) else {
            return;
        };
        let right = door.descriptor();
        assert!(Memory::open(&right).is_ok());
        for wrong in [
            Descriptor { name: right.name ^ 1, ..right.clone() },
            Descriptor { length: 4096, ..right.clone() },
            Descriptor { file: 1 << 20, ..right.clone() },
            Descriptor { process: 1, file: 0, ..right.clone() },
        ] {
            assert!(Memory::open(&wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn values_and_empty_slices_are_memory_too() {
        let values = vec![1u32, 2, 3];
        let address = values.as_ptr();
        let shared = numbers(Memory::of_values(values), 3);
        assert_eq!(shared.as_ptr(), address, "moved, not copied");
        assert_eq!(shared.into_iter().sum::<u32>(), 6);
        assert!(numbers(Memory::of_values(Vec::<u32>::new()), 0).is_empty());
        let (memory, _) = Draft::of_rank(0).and_then(Draft::finish).expect("memory");
        assert!(numbers(memory, 0).is_empty());
        if let Ok(draft) = Draft::of_node(0) {
            let (memory, _) = draft.finish().expect("it is mapped");
            assert!(numbers(memory, 0).is_empty());
        }
    }

    #[test]
    fn a_fill_that_panics_leaves_no_open_file() {
        let Ok(draft) = Draft::of_node(8) else {
            return;
        };
        let Draft::OfNode(door) = &draft else { unreachable!() };
        let descriptor = door.descriptor();
        let fill = |_: &mut [u64]| std::panic::resume_unwind(Box::new(()));
        let filled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| draft.fill(1, fill)));
        assert!(filled.is_err());
        assert!(Memory::open(&descriptor).is_err());
    }
}
