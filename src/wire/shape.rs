//! What a type reads: found out once, by letting it read from a source that makes everything up.
//!
//! The compact form has no names, lengths of structs or types in it, so it fits only where a type reads exactly what it
//! writes. Most types do. A type with the serde attributes `untagged`, `tag` or `flatten` looks at what has come
//! before it decides, and one with `skip_serializing_if` may leave out what its reader waits for. The probe notes
//! every struct, variant and kind of value that a type asks for, in all its variants; whatever is then written is
//! compared with that.

use super::{
    kind::{Group, Kind, Wrong},
    read::Reader,
};
use serde::de::DeserializeOwned;
use std::{
    any::TypeId,
    cell::RefCell,
    collections::HashMap,
    hash::BuildHasherDefault,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// What a type asks for when it is read.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// Whether it wants to be told what has come.
    pub(super) looks: bool,
    groups: Vec<Group>,
    kinds: u32,
}

impl Shape {
    /// That of a type, which is found out when it is first asked for.
    pub(super) fn of<T: DeserializeOwned + 'static>() -> &'static Shape {
        thread_local! {
            static KNOWN: RefCell<HashMap<TypeId, &'static Shape, BuildHasherDefault<ByItself>>> =
                RefCell::default();
        }
        let id = TypeId::of::<T>();
        if let Some(shape) = KNOWN.with_borrow(|known| known.get(&id).copied()) {
            return shape;
        }
        // There are as many as types and threads.
        let shape = Box::leak(Box::new(probe::<T>()));
        KNOWN.with_borrow_mut(|known| known.insert(id, shape));
        shape
    }

    /// Whether a group that is written is one that is read.
    #[inline]
    pub(super) fn has(&self, group: Group) -> bool {
        self.groups.iter().any(|known| {
            known.fields == group.fields
                && known.variant == group.variant
                && known.content == group.content
                && (std::ptr::eq(known.name, group.name) || known.name == group.name)
        })
    }

    #[inline]
    pub(super) fn has_kind(&self, kind: Kind) -> bool {
        self.kinds >> kind as u32 & 1 == 1
    }
}

fn probe<T: DeserializeOwned>() -> Shape {
    let mut probe = Probe::default();
    loop {
        probe.new = false;
        probe.runs += 1;
        let read = || T::deserialize(Reader::Made(Made { probe: &mut probe, depth: 0 })).is_ok();
        if !catch_unwind(AssertUnwindSafe(read)).unwrap_or(false) {
            // Perhaps it does not like what was made up; nothing is known of what would have come behind.
            probe.shape.looks = true;
        }
        let complete = probe.enums.iter().all(|known| known.next >= known.variants.len());
        if probe.shape.looks || complete && !probe.new {
            return probe.shape;
        }
    }
}

/// A type's identifier is a hash already.
#[derive(Default)]
struct ByItself(u64);

impl std::hash::Hasher for ByItself {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 ^= u64::from_le_bytes(word);
        }
    }
    fn write_u64(&mut self, word: u64) {
        self.0 ^= word;
    }
}

/// What is known so far.
#[derive(Default)]
pub(super) struct Probe {
    shape: Shape,
    enums: Vec<Known>,
    /// Whether this run has met an enum for the first time.
    new: bool,
    steps: u32,
    runs: u32,
}

/// An enum, and the variant that is tried when it is met again.
struct Known {
    name: &'static str,
    variants: &'static [&'static str],
    next: usize,
}

/// A type that is larger than this, or contains itself, may as well be described.
const STEPS: u32 = 50_000;
const RUNS: u32 = 2_000;
const DEPTH: u32 = 48;

/// A source in which everything is there once, and is one.
pub(super) struct Made<'a> {
    probe: &'a mut Probe,
    depth: u32,
}

impl Made<'_> {
    /// What lies inside of this.
    pub(super) fn inner(&mut self) -> Made<'_> {
        Made { probe: self.probe, depth: self.depth + 1 }
    }

    /// Goes a step on, unless it has been too many.
    fn step(&mut self) -> Result<(), Wrong> {
        self.probe.steps += 1;
        match self.probe.steps > STEPS || self.probe.runs > RUNS || self.depth > DEPTH {
            true => Err(Wrong::new("too large to be tried out")),
            false => Ok(()),
        }
    }

    pub(super) fn kind(&mut self, kind: Kind) -> Result<(), Wrong> {
        self.probe.shape.kinds |= 1 << kind as u32;
        self.step()
    }

    pub(super) fn group(&mut self, group: Group) -> Result<(), Wrong> {
        if !self.probe.shape.has(group) {
            self.probe.shape.groups.push(group);
        }
        self.step()
    }

    /// The variant that an enum is to have this time: one after the other.
    pub(super) fn variant(&mut self, name: &'static str, variants: &'static [&'static str]) -> u32 {
        let probe = &mut *self.probe;
        let known = |known: &Known| known.name == name && known.variants == variants;
        let at = probe.enums.iter().position(known).unwrap_or_else(|| {
            probe.new = true;
            probe.enums.push(Known { name, variants, next: 0 });
            probe.enums.len() - 1
        });
        let known = &mut probe.enums[at];
        let variant = known.next % variants.len().max(1);
        known.next += 1;
        variant as u32
    }

    /// The type wants to be told what has come.
    pub(super) fn looks(&mut self) -> Wrong {
        self.probe.shape.looks = true;
        Wrong::new("it looks at what has come")
    }
}
